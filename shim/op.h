/* op.h - one operation: a call of the program's, from its entry to its return.
 *
 *     attempt, non-blocking  -> done: return
 *                            -> would block: park in the multiplexer until ready; attempt again
 *
 * An operation lives on the caller's stack.  A wrapper in calls/ makes it by op_of() and calls op_run(); all else is here.  */
#ifndef EAGAIN_OP_H
#define EAGAIN_OP_H

#include <sys/socket.h>
#include <sys/uio.h>

#include "fds.h"
#include "shim.h"
#include "signals.h"

struct op {
	long nr;                /* the native system call */
	long arg[6];            /* and its arguments */
	int fd;
	uint8_t call;           /* enum call_id */
	uint8_t class;          /* enum op_class */
	uint8_t way;            /* enum trace_way, chosen by attempt_way() */
	bool not_cancellable;   /* not a cancellation point (pthreads(7)) */
	bool shielded;          /* waits though O_NONBLOCK is on the fd: it is not the program's (shield.h) */
	uint8_t why;            /* enum trace_why: a poll or select was not served from a kept set */
	uint8_t disk;           /* of a call on a file: bits of enum trace_flag (files.h) */
	uint8_t told;           /* enum record_told: of a poll that is recorded for the fds that it returns (record.c) */
	bool asked;             /* the program asked for non-blocking I/O: EAGAIN is its own */
	fd_hint hint;
	uint32_t number;        /* in the trace; 0 until it would block */
	uint32_t waits;         /* of a call on a file, at its begin (files.h) */
	uint64_t enter;         /* clock_ticks() at entry; 0: it is not recorded */
	uint64_t tried;         /* and when it was found that it would block */
	uint64_t left;          /* and when the kernel was done with it; 0: not known */
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

/* Makes a transfer at once, by the plain call, where that does not wait, and writes it down; fd is below FDS_LEAF.  Returns as op_run()
 * does.  */
long op_pass(enum call_id call, long nr, long fd, long b, long c, long d, long e, long f);

/* op_of() and op_run().  */
long op_serve(enum call_id call, long nr, long a, long b, long c, long d, long e, long f);

static inline bool op_writes(const struct op *op)
{
	return op->class >= OP_WRITE && op->class < OP_COLUMNS;
}

/* Whether the call moves bytes between memory and its fd, and is none of a socket's alone.  */
static inline bool op_transfers(enum call_id call)
{
	switch (call) {
	case CALL_read: case CALL_readv: case CALL_pread64: case CALL_preadv: case CALL_preadv2:
	case CALL_write: case CALL_writev: case CALL_pwrite64: case CALL_pwritev: case CALL_pwritev2: return true;
	default: return false;
	}
}

/* Bytes asked for by such a call, where its third argument says so; else 0.  */
static inline size_t op_length(enum call_id call, long c)
{
	return call == CALL_read || call == CALL_write || call == CALL_pread64 || call == CALL_pwrite64 ? (size_t)c : 0;
}

/* The MSG_... flags of a socket call; 0 for others.  */
static inline int op_flags(const struct op *op)
{
	switch (op->class) {
	case OP_RECV: case OP_SEND: case OP_RECVMMSG: case OP_SENDMMSG: return (int)op->arg[3];
	case OP_RECVMSG: case OP_SENDMSG: return (int)op->arg[2];
	default: return 0;
	}
}

static inline enum op_class op_class_of(enum call_id call)
{
	static const uint8_t classes[] = {
#define CALL(id, name, wait, class, number) OP_##class,
#include "calls.def"
#undef CALL
	};

	return classes[call];
}

/* The operation for a call, by the kernel's arguments.  */
static inline struct op op_of(enum call_id call, long nr, long a, long b, long c, long d, long e, long f)
{
	struct op op;

	op.nr = nr;
	op.arg[0] = a;
	op.arg[1] = b;
	op.arg[2] = c;
	op.arg[3] = d;
	op.arg[4] = e;
	op.arg[5] = f;
	op.fd = (int)a;
	op.call = (uint8_t)call;
	op.class = (uint8_t)op_class_of(call);
	op.way = op.why = op.disk = op.told = 0;
	op.not_cancellable = op.shielded = false;
	op.hint = op.number = op.waits = 0;
	op.enter = op.tried = op.left = 0;
	op.head = (struct iovec){0};
	op.vector = NULL;
	op.vectors = 0;
	op.length = op.moved = 0;
	switch (op.class) {
	case OP_READ: case OP_RECV: case OP_WRITE: case OP_SEND:
		op.head = (struct iovec){(void *)b, (size_t)c};
		op.length = (size_t)c;
		break;
	case OP_READV: case OP_WRITEV:
		op.vector = (const struct iovec *)b;
		op.vectors = (unsigned)c;
		break;
	case OP_POLL: case OP_SELECT: case OP_TIME: case OP_WAIT: case OP_DISK: case OP_OTHER: case OP_OPEN: case OP_OPEN_PAIR:
		op.fd = -1;
		break;
	default:
		op.length = op_length(call, c);
		break;
	}
	op.asked = op_flags(&op) & MSG_DONTWAIT;
	return op;
}

#endif
