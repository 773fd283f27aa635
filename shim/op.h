/* op.h - one operation: a call of the program's, from its entry to its return.
 *
 *     attempt, non-blocking  -> done: return
 *                            -> would block: park in the multiplexer until ready; attempt again
 *
 * An operation lives on the caller's stack.  A wrapper in calls/ fills it in and calls op_run(); all else happens here.  */
#ifndef EAGAIN_OP_H
#define EAGAIN_OP_H

#include <sys/uio.h>

#include "fds.h"
#include "shim.h"
#include "signals.h"

/* Columns of the whitelist: calls that are attempted in the same way.  */
enum op_class {
	OP_READ,        /* read */
	OP_READV,       /* readv */
	OP_RECV,        /* recv, recvfrom */
	OP_WRITE,       /* write */
	OP_WRITEV,      /* writev */
	OP_SEND,        /* send, sendto */
	OP_PLAIN,       /* anything else: the plain call, timed */
	OP_CLASS_COUNT = OP_PLAIN
};

struct op {
	long nr;                /* the native system call */
	long arg[6];            /* and its arguments */
	int fd;
	uint8_t call;           /* enum call_id */
	uint8_t class;          /* enum op_class */
	uint8_t way;            /* enum trace_way, chosen by attempt_way() */
	bool only;              /* the plain call is the only one: the kernel alone decides what interrupts it */
	bool not_cancellable;   /* not a cancellation point (pthreads(7)) */
	bool asked;             /* the program asked for non-blocking I/O: EAGAIN is its own */
	fd_hint hint;
	uint32_t number;        /* in the trace; 0 until it would block */
	uint64_t enter;         /* clock_ticks() at entry; 0 while nothing is recorded */
	struct signal_counts seen;      /* signal_counts at entry */
	/* What is to be moved: the bytes at `head`, then the vectors.  */
	struct iovec head;
	const struct iovec *vector;
	unsigned vectors;
	size_t length;          /* bytes asked for, as far as known without touching the program's memory */
	size_t moved;           /* bytes moved so far */
};

/* Performs the operation: returns what the native call would, -errno on failure.  errno is untouched.  A cancellation point.
 * Signal-safe, thread-safe.  */
long op_run(struct op *op);

static inline bool op_writes(const struct op *op)
{
	return op->class == OP_WRITE || op->class == OP_WRITEV || op->class == OP_SEND;
}

#endif
