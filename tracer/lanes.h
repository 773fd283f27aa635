/* lanes.h - the lanes of all pictures of a trace: one for each thread or fd, and for requests of POSIX AIO, in the order in which
 * they are shown; and what each was in a stretch of time, column by column.
 *
 * A main thread goes on over an exec in one lane.  The waits are not kept: each look at another stretch goes through the trace
 * once more, and adds them up in the columns.  */
#ifndef EAGAIN_LANES_H
#define EAGAIN_LANES_H

#include "model.h"
#include "readiness.h"
#include "requests.h"

struct lane {
	const struct model_process *first, *last;       /* the programs of its process, before and after exec */
	uint32_t tid;
	const char *name;               /* of the thread; "" where it is not known */
	size_t fd;                      /* index into the process's fds, or MODEL_NO_FD: a thread */
	bool requests;                  /* it is no thread's: all requests of POSIX AIO that its process has in flight */
	uint64_t start_ns, end_ns;
	uint64_t wait_ns[DIRECTION_COUNT];
	uint64_t cpu_ns;                /* or MODEL_UNKNOWN */
	bool waiting;                   /* its last sign is a wait that nothing ended */
	uint64_t waited_ns;             /* in the stretch that was chosen; of an fd also how long it was ready, and not taken */
	size_t id;                      /* its number before they were put in order */
};

struct lanes {
	const struct trace *trace;
	const struct model *model;
	bool by_fd;
	struct lane *lanes;             /* as they are shown, from the top; a process's stand together, its main thread first */
	size_t count, room, all;        /* all: of which there were so many, not all of them chosen */
	size_t **of;                    /* by process, and thread or fd: the id of its lane, or LANES_NOWHERE; */
	size_t *of_requests;            /* and of that of its requests, where lanes are of threads */
	size_t *place;                  /* of each id: index into lanes, or LANES_NOWHERE */
};

#define LANES_NOWHERE SIZE_MAX

/* A stretch of the trace's time.  */
struct stretch {
	uint64_t from_ns, to_ns;
	uint64_t column_ns;
	int columns;
};

/* Beside what was waited for: that something was ready, and nobody took it (--readiness), whatever the lane was meanwhile; and the
 * time of all requests that were in flight, together.  */
enum { CELL_READY = DIRECTION_COUNT, CELL_FLIGHT, CELL_TIMES };

struct cell {
	uint64_t ns[CELL_TIMES];        /* by enum direction; at DIRECTION_NONE: there, and not waiting */
	unsigned ended;                 /* 1 << direction: such a wait ended here */
};

/* The characters of a lane; waits are the first letters of the legend's words, capital where one ended.  */
enum {
	LANE_NOT_WAITING = '#', LANE_NOT_WAITED_FOR = '-', LANE_READY = '!', LANE_ENDED = '+', LANE_EXEC = '>',
	LANE_NOT_KNOWN = '?',
	LANE_NONE = '.', LANE_MANY = '*',       /* requests in flight; up to 9: that digit */
};

/* Makes the lanes of a model that was built from the trace.  */
void lanes_make(struct lanes *l, const struct trace *t, const struct model *m, bool by_fd);
void lanes_free(struct lanes *l);

/* Leaves the lanes of threads alone.  */
void lanes_leave_threads(struct lanes *l);

/* Leaves those that were there in the stretch, and of them the `most` that waited longest in it; returns how many more there
 * were.  */
size_t lanes_choose(struct lanes *l, const struct stretch *s, size_t most);

/* The stretch, in so many columns.  */
struct stretch lanes_stretch(uint64_t from_ns, uint64_t to_ns, int columns);

/* What an axis is divided by: 1, 2 or 5 times a power of ten, and not less than that.  */
uint64_t lanes_step(uint64_t least);

/* Goes through the trace: fills s->columns cells for each of `count` lanes from `first` on.  */
void lanes_fill(const struct lanes *l, const struct stretch *s, size_t first, size_t count, struct cell *cells);

/* Adds time of one kind to the cells of a lane: ns of it, evenly from start to end.  */
void lanes_spread(const struct stretch *s, struct cell *cells, size_t kind, uint64_t start, uint64_t end, uint64_t ns);

/* How many requests were in flight in the time of a cell, on average; what there was of one is one.  */
uint64_t lanes_depth(const struct stretch *s, const struct cell *c);

/* The lane of a wait, of what was ready, of a request, and of a thread of the process with this index: index into lanes, or
 * LANES_NOWHERE.  */
size_t lanes_of(const struct lanes *l, const struct model_wait *w);
size_t lanes_of_ready(const struct lanes *l, const struct readiness_stretch *r);
size_t lanes_of_request(const struct lanes *l, const struct request_span *r);
size_t lanes_of_thread(const struct lanes *l, size_t process, uint32_t tid);

/* A character for each cell of the lane, and a NUL.  */
void lanes_text(const struct lanes *l, const struct stretch *s, const struct lane *lane, const struct cell *cells, char *text);

/* Whether its process is that of the lane above, and needs no other mention.  */
bool lanes_same_process(const struct lanes *l, size_t lane);

/* The thread's name, "" if it is called like its process.  */
const char *lanes_own_name(const struct lane *lane);

/* Whether it is not known what became of it after its end: it was waiting when it was last seen.  */
bool lanes_is_lost(const struct lane *lane);

/* "cat (pid 2314)", "  worker, tid 2315", "  fd 0 pipe:[8123]": cut to size, but never the number.  */
void lanes_label(const struct lanes *l, size_t lane, char *label, size_t size);
void lanes_process_label(const struct model_process *process, uint32_t tid, char *label, size_t size);

#endif
