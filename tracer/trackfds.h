/* trackfds.h - the part of the walk (tracks.h) that knows processes, their fds, and what is counted; shared by tracks.c and
 * trackfds.c alone.  */
#ifndef EAGAIN_TRACKFDS_H
#define EAGAIN_TRACKFDS_H

#include "fdtable.h"
#include "requests.h"
#include "timers.h"
#include "tracks.h"

enum timer_type { TIMER_THREAD, TIMER_COUNTER };

/* A number that changes more often than anybody can see: told at once, and then after a while.  */
struct counter {
	struct track track;
	struct process *process;
	struct timer timer;             /* when it may be told again */
	uint64_t value, told_value;
	bool is_told;
	char name[80];
};

struct image;

/* All images of one pid.  */
struct process {
	struct track track;
	char *command;
	struct image *image;            /* of which there are records now */
	uint32_t thread_count, row_count, queue_count;
	struct lane *spare;             /* rows of fds that would be too many, and are closed */
	struct lane *flights;           /* of requests on fds that are not known */
	uint32_t flight_count;          /* rows of requests of all fds */
	struct counter moved[2];        /* bytes: [1] written */
};

/* A row of slices that do not overlap.  */
struct lane {
	struct track track;
	struct lane *next;
	bool is_busy;
	uint64_t start_ns, told_ns;     /* of its slice */
	char *name;                     /* or NULL: it is shared */
};

struct ready {
	struct lane *lane;              /* of the slice; NULL: not ready */
	struct wire_flow flow;
};

/* One meaning of an fd number.  Stays for as long as a call on it lasts.  */
struct fd {
	unsigned refs;
	struct process *process;
	int number;
	unsigned kind;                  /* enum fd_kind */
	uint64_t inode;
	char *name;
	struct wire *in, *out;          /* or NULL */
	struct lane *lanes, *flights;   /* flights: of requests */
	struct ready ready[2];          /* [1]: to write */
	uint32_t watched_as;            /* registration; 0: it is not watched */
	uint64_t served_ns[2];          /* when a call last took what there was */
};

/* One process file.  */
struct image {
	struct process *process;
	bool is_begun;
	bool is_over;                   /* there are no more records of it */
	struct fdtable fds;             /* of struct fd */
	struct requests requests;
	struct walk *walk;
};

struct walk {
	const struct trace *trace;
	const struct tracks_sink *sink;
	void *arg;
	uint64_t now;                   /* ns */
	bool has_gaps;                  /* calls are missing, where others on the same fd are not */
	struct timers timers;
	struct wires wires;
	struct image *images;           /* one for each file */
	struct process *processes;      /* by pid */
	size_t process_count;
	struct thread **threads;        /* a table by pid and tid */
	size_t thread_count, thread_room;
	struct thread *last_thread;
	uint64_t track_count, flow_count;
	uint32_t row_count;
};

void walk_begin(struct walk *w);
void walk_end(struct walk *w);

/* For a track of this process, which is told before it.  */
uint64_t walk_track_id(struct walk *w, struct process *p);

static inline uint64_t walk_flow_id(struct walk *w)
{
	return ++w->flow_count;
}

struct process *walk_process(struct walk *w, uint32_t pid);

/* A record of this image: it has taken the place of the one before it.  */
void image_begin(struct walk *w, struct image *image);

/* Its process has ended: its fds are closed.  */
void image_end(struct walk *w, struct image *image);

/* What the number means now, or NULL.  */
static inline struct fd *image_fd(const struct image *image, int64_t fd)
{
	return fdtable_get(&image->fds, fd);
}

void fd_name_is(struct walk *w, struct image *image, const struct trace_record *r, const struct reader_place *place);
void fd_close(struct walk *w, struct image *image, int64_t fd);
void fd_copy(struct walk *w, struct image *image, int fd, int64_t copy);
void fd_put(struct walk *w, struct fd *f);
bool fd_is_pipe(const struct fd *f);

/* It has become ready to read, or to write.  */
void fd_ready(struct walk *w, struct fd *f, bool writes);

/* The flow from that, for the call that serves it: 1, or 0.  */
size_t fd_take_ready(struct walk *w, struct fd *f, bool writes, struct wire_flow *flow);

/* What was taken is no longer ready.  */
void fd_end_ready(struct walk *w, struct fd *f);

/* Shows a slice on the fd's own row; NULL where it has none.  */
struct lane *lane_begin(struct walk *w, struct fd *f, struct track_slice *s);
void lane_end(struct walk *w, struct lane *lane);

void counter_fire(struct walk *w, struct counter *c);
void count_bytes(struct walk *w, struct process *p, bool writes, uint64_t bytes);

/* What the pipe holds has changed; `reads`: by this process's reading.  */
void count_queue(struct walk *w, struct process *p, const struct fd *f, struct wire *wire, bool reads);

#endif
