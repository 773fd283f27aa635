/* operations.h - the operations of a trace, each whole: from its entry to its return, with what it waited for on the way, locks
 * among them; and the stretches in which a thread that polls did not.  */
#ifndef EAGAIN_OPERATIONS_H
#define EAGAIN_OPERATIONS_H

#include "model.h"

enum {
	OPERATION_STEPS = 12,           /* that are told of an operation: of more, the first and the last */
	OPERATION_READY = 64,           /* fds that are told of those that a poll returned */
};

struct operation_step {
	uint8_t kind;                   /* enum trace_kind: WOULD_BLOCK, PARK, READY, RETURN */
	uint8_t flags;                  /* of its record */
	uint64_t events;                /* READY: revents */
	uint64_t ns;
};

struct operation_ready {
	size_t fd;
	uint64_t events;                /* revents */
};

/* Times are from the start of the trace.  */
struct operation {
	size_t process;                 /* index into the model's */
	uint32_t tid;
	size_t fd;                      /* index into the process's, or MODEL_NO_FD */
	uint8_t call, way, flags;       /* as in its last record */
	uint32_t number;                /* 0: it was done at its first attempt, or plain */
	const char *lock;               /* the function, if it waited for a lock: `call` is none, and the result its holder, or -1 */
	uint64_t address;               /* of the lock */
	bool returned;                  /* else nothing ended it that is recorded */
	int64_t result;
	uint64_t length;                /* bytes asked for; 0: not known */
	uint64_t start_ns, end_ns;
	enum direction direction;       /* of its waits */
	uint64_t wait_start_ns, wait_end_ns;    /* from the first to the last of them */
	uint64_t waited_ns;             /* together */
	struct operation_step steps[OPERATION_STEPS];
	size_t step_count, steps_more;
	const struct operation_ready *ready;    /* what a poll returned */
	size_t ready_count, ready_more;
};

/* A stall (stalls.h): an event loop did not poll from start to end.  */
struct operation_stall {
	size_t process;
	uint32_t tid;
	uint64_t start_ns, end_ns;
	uint64_t cpu_ns;                /* of that on a CPU, or MODEL_UNKNOWN */
	uint64_t wait_ns[DIRECTION_COUNT];      /* in its calls meanwhile */
	size_t fd;                      /* what its longest wait was for, or MODEL_NO_FD; */
	uint64_t longest_ns;            /* 0: there was none */
	uint8_t call;                   /* in which it waited longest */
};

struct operation_visitor {
	void (*operation)(const struct operation *o, void *arg);        /* in no order, but a thread's polls in theirs */
	void (*stall)(const struct operation_stall *s, void *arg);      /* may be NULL */
	void *arg;
};

/* Goes through the trace; returns the model that it has built on the way.  Takes memory for what is under way.  */
struct model *operations_each(const struct trace *t, const struct operation_visitor *visitor);

#endif
