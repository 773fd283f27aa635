/* model.h - what the records mean: processes, their fds, and how long each was waited for.  */
#ifndef EAGAIN_MODEL_H
#define EAGAIN_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "reader.h"
#include "stalls.h"
#include "symbols.h"

/* What a call waits for: a column of shim/calls.def; and locks.  */
enum direction {
	DIRECTION_NONE, DIRECTION_READ, DIRECTION_WRITE, DIRECTION_POLL, DIRECTION_SLEEP, DIRECTION_CHILD, DIRECTION_LOCK, DIRECTION_SIGNAL,
	DIRECTION_REQUEST, DIRECTION_COUNT
};

/* So many fds, and threads, of a process are told apart; those that come later are put together.  */
enum { MODEL_FDS_MAX = 1 << 14, MODEL_THREADS_MAX = 1 << 14 };

/* One meaning of an fd number: from its NAME record to its close, or to the next NAME.  */
struct model_fd {
	int fd;                         /* -1: of `many` */
	unsigned kind;                  /* enum fd_kind */
	unsigned access;                /* O_RDONLY, O_WRONLY, O_RDWR; of those it was used for if unknown */
	uint64_t inode;
	char *name;
	unsigned way;                   /* enum trace_way of its first attempt */
	uint64_t calls, would_block;
	uint64_t request_waits;         /* of these, by requests of POSIX AIO that waited until it was ready */
	uint64_t bytes[DIRECTION_COUNT];
	uint64_t wait_ns[DIRECTION_COUNT];
	uint64_t longest_ns;
	bool many;                      /* several meanings of several numbers, beyond MODEL_FDS_MAX of a process, under a common name */
	bool listens;                   /* connections were accepted here */
	bool accepted;                  /* such a connection */
	uint64_t pair;                  /* of a socketpair: the other end's inode; else 0 */
	bool waiting;                   /* an operation had not returned when the trace ended */
	bool shown;                     /* else only somebody's other end: it is not among what was asked for (filter.h) */
};

#define MODEL_UNKNOWN UINT64_MAX        /* of CPU times */

/* Its polls and selects: how many were served from kept sets, and why others were left to the kernel.  */
struct model_polls {
	uint64_t kept, left[TRACE_WHY_COUNT];
	uint64_t corrected;             /* fds of which a kept set had to learn that they were others by now */
	uint64_t bound_ns;              /* within which that happens: once round the largest set (keep_round_ns) */
	uint64_t vain, vain_ns;         /* those that waited, and had nothing ready at their end: timeouts, signals */
};

struct open_op;

struct model_thread {
	uint32_t tid;
	char name[16];                  /* PR_SET_NAME(2const); "" where it is not known */
	uint64_t cpu_ns;                /* or MODEL_UNKNOWN: it has not ended by itself */
	uint64_t start_ns, end_ns;      /* first and last sign of it */
	uint64_t wait_ns[DIRECTION_COUNT];
	bool waiting;                   /* as model_fd's */
	bool joined;                    /* its end is known, by who waited for it */
	unsigned in_call;               /* enum call_id: its last sign is that it is in this one; 0: none */
	uint64_t polled_from, polled_to;        /* while the model is built: ticks of its last poll or select */
	struct open_op *ops;            /* its operations that have not returned */
	size_t op_count;
	struct model_span {
		uint64_t start, end;    /* ticks */
		enum direction direction;
	} *spans;                       /* its latest waits */
	size_t span_count;
	uint64_t spans_end;             /* where the last of them ends */
	const struct trace_record *lock;        /* that it waits for since, or NULL */
	struct stall_open *stall;       /* that it is in, or NULL */
	unsigned loop;                  /* enum trace_loop, by its polls so far */
	uint64_t away_since;            /* ticks: the last of them returned */
};

struct model_process {
	uint32_t pid, ppid;
	char *command;
	uint64_t start_ns, end_ns;      /* from the start of the trace */
	uint64_t told_ns;               /* when its parent was told of its end; 0: it is not known to have been */
	uint64_t cpu_ns;                /* or MODEL_UNKNOWN: it did not exit by itself */
	uint64_t wait_ns[DIRECTION_COUNT];      /* of all threads together */
	uint64_t events, lost, dropped;
	uint64_t requests;              /* of POSIX AIO that it has submitted */
	int exit_status, signal;        /* -1: not known, or it ended in the other way */
	bool forked;                    /* a fork without exec, so far */
	const struct model_process *previous;   /* the program that it was until an exec, or NULL */
	bool reaped;                    /* it did not exit by itself; it ended when its parent was told so */
	bool vanished;                  /* its last sign is an exec: into what, the trace does not know */
	struct model_polls polls;
	struct stalls stalls;
	struct symbols_object *objects; /* that frames of its stacks are in: TRACE_OBJECTS, without paths where not known; or NULL */
	unsigned unsampled;             /* as in struct trace_process */
	uint64_t faults;                /* page faults that waited for a disk, or MODEL_UNKNOWN */
	struct model_fd *fds;           /* in the order in which they were first seen */
	size_t fd_count, fd_room;
	struct model_thread *threads;   /* by tid */
	size_t thread_count;
};

struct model {
	struct model_process *processes;
	size_t process_count;
	uint64_t wall_ns, events, lost, dropped;
	uint32_t stops;                 /* 1 << enum trace_stop: why a process could not record everything */
	struct model_end *ends;         /* for model_peer() */
	size_t end_count;
	size_t vanished;                /* programs that were exec'd and not seen: static, setuid, with other rights */
};

/* One wait, at the moment in which it is counted.  */
struct model_wait {
	const struct model_process *process;
	uint32_t tid;
	size_t fd;                      /* index into the process's fds, or MODEL_NO_FD */
	enum direction direction;
	unsigned call;                  /* enum call_id; none: a LOCK record tells of it */
	uint64_t start_ns, end_ns;      /* from the start of the trace */
	bool left;                      /* nothing ended it that is recorded */
	bool polled;                    /* of the fd alone: its thread's wait is the poll's, which may be for many fds */
};

#define MODEL_NO_FD SIZE_MAX

/* Calls visit, which may be NULL, for each wait; of the process it is told only what stays: where it is, not what it holds.  */
typedef void model_wait_visitor(const struct model_wait *wait, void *arg);
struct model *model_build(const struct trace *t, model_wait_visitor *visit, void *arg);

/* The same, with see for each record that means something, once it has been counted and its wait been visited; fd is what it is
 * about: an index into the process's fds, or MODEL_NO_FD.  */
typedef void model_record_visitor(const struct trace_record *r, const struct reader_place *place, const struct model_process *process,
				  size_t fd, void *arg);
struct model *model_build_seen(const struct trace *t, model_wait_visitor *visit, model_record_visitor *see, void *arg);

/* The same, with stall for each stall, once its thread is back.  */
typedef void model_stall_visitor(const struct stall *stall, const struct model_process *process, void *arg);
struct model *model_build_told(const struct trace *t, model_wait_visitor *visit, model_record_visitor *see,
			       model_stall_visitor *stall, void *arg);
void model_free(struct model *m);

/* The same waits once more, of a model that was built from t; their processes are m's.  Takes memory for one process at a time.  */
void model_waits(const struct trace *t, const struct model *m, model_wait_visitor *visit, void *arg);

/* How much of its CPU time a thread has used inside of its waits, at least: what there is no room for beside them.  The kernel walks
 * through a poll's fds in it, and copies what a read has waited for.  Waits, CPU time but for this, and the rest are its time.  */
uint64_t model_cpu_in_waits(const uint64_t wait_ns[DIRECTION_COUNT], uint64_t cpu_ns, uint64_t wall_ns);

/* Where a thread is, or would be, in an array by tid, of structures that begin with it.  */
static inline size_t model_thread_place(const void *threads, size_t count, size_t size, uint32_t tid)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (*(const uint32_t *)((const char *)threads + middle * size) < tid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const char *model_kind_name(unsigned kind);
const char *model_call_name(unsigned call);
const char *model_way_name(unsigned way);
const char *model_why_name(unsigned why);       /* in the log */
const char *model_why_words(unsigned why);      /* for a person */
enum direction model_call_direction(unsigned call);
unsigned model_call_class(unsigned call);       /* enum op_class */

/* Whether it is a poll or select, whose flags say why it was left to the kernel.  */
bool model_is_poll(unsigned call);

/* Whether what the call returns is a number of bytes that it moved.  */
bool model_moves_bytes(unsigned call);

/* How many bytes a CALL or RETURN says that it moved.  */
uint64_t model_moved(const struct trace_record *r);

/* What a request of POSIX AIO moves, by its call: DIRECTION_NONE: nothing.  */
enum direction model_request_direction(unsigned call);

/* Whether a CALL, which took so long, has waited; kind (enum fd_kind) is that of its fd.  */
bool model_call_waits(const struct trace_record *call, unsigned kind, uint64_t ns);

/* Whether an fd of this kind can make one wait.  */
bool model_can_wait(unsigned kind);

/* Whether the NAME r may be one of an fd of this kind and inode, or is certainly another's.  The inode of a file is not known before it
 * is named again.  */
bool model_is_inode(unsigned kind, uint64_t inode, const struct trace_record *r);

/* The command, its program without the directory; "?" where it is not known.  */
const char *model_short_command(const struct model_process *p);

/* The arguments of a process file with spaces between them; to be freed.  */
char *model_command(const struct trace_process *header);

/* Whether f may have another end, and the key that all ends of its pipe or connection have; whether b is another end of a.  */
bool model_has_end(const struct model_fd *f, uint64_t *key);
bool model_is_other_end(const struct model_fd *a, const struct model_fd *b);

/* Who is at the other end of a pipe, or of a connection by TCP or unix socket: the other process that used it most, NULL where none
 * is known; *others is how many more used it.  Where nobody uses that end, a program counts that was started with it; a fork that
 * only holds it never does.  */
const struct model_process *model_peer(const struct model *m, const struct model_process *p, const struct model_fd *fd,
				       unsigned *others);

/* That end, if the process has and uses it itself, such as the pipe by which its threads wake each other; or NULL.  */
const struct model_fd *model_own_end(const struct model *m, const struct model_process *p, const struct model_fd *fd);

/* An fd that may have another end.  */
struct model_end {
	uint64_t key;                   /* those of one pipe, or connection, have the same; of unix sockets, those of one name */
	const struct model_process *process;
	const struct model_fd *fd;
};

/* All ends with the key of fd, used or not: the first, and how many.  */
const struct model_end *model_ends(const struct model *m, const struct model_fd *fd, size_t *count);

#endif
