/* attempt.c - the whitelist, and the attempts.
 *
 * An operation is attempted only where "not ready" provably means "the native call would block", and where the native answer
 * can be reproduced.  Everything else is the plain call, which is never wrong.  A row or a condition is added here only
 * together with its cells in tests/programs/matrix.  */
#include "attempt.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config.h"
#include "libc.h"
#include "sys.h"
#include "tracer/format.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x8
#endif

#define N TRACE_WAY_NOWAIT
#define D TRACE_WAY_DONTWAIT
#define G TRACE_WAY_GUARD
#define _ TRACE_WAY_NONE

/* Rows not named here are plain calls: they cannot block (file, directory, device, epoll, pidfd), or are unknown.  The vector
 * calls on sockets go by RWF_NOWAIT, so that the kernel checks the vectors as readv(2) and writev(2) do.  */
static const uint8_t whitelist[KIND_COUNT][OP_CLASS_COUNT] = {
	/*                  read readv recv write writev send */
	[KIND_pipe] =      { N,   N,    _,   N,    N,     _ },
	[KIND_stream] =    { D,   N,    D,   D,    N,     D },
	[KIND_dgram] =     { D,   N,    D,   D,    N,     D },
	[KIND_seqpacket] = { D,   N,    D,   D,    N,     D },
	[KIND_eventfd] =   { N,   N,    _,   G,    G,     _ },
	[KIND_timerfd] =   { N,   N,    _,   _,    _,     _ },
	[KIND_signalfd] =  { N,   N,    _,   _,    _,     _ },
	[KIND_socket] =    { G,   G,    G,   G,    G,     G },
	[KIND_fifo] =      { G,   G,    _,   G,    G,     _ },
	[KIND_tty] =       { G,   G,    _,   G,    G,     _ },
	[KIND_ptmx] =      { G,   G,    _,   G,    G,     _ },
	[KIND_inotify] =   { G,   G,    _,   _,    _,     _ },
};

#undef N
#undef D
#undef G
#undef _

/* In flag mode O_NONBLOCK does for both ways of attempt, and for FIFOs; what it would change (a terminal's VMIN and VTIME,
 * an eventfd's large write) stays a plain call.  */
static bool flag_serves(const struct op *op)
{
	enum fd_kind kind = HINT_KIND(op->hint);
	unsigned way = whitelist[kind][op->class];

	return way == TRACE_WAY_NOWAIT || way == TRACE_WAY_DONTWAIT || (kind == KIND_fifo && way == TRACE_WAY_GUARD);
}

static bool has_flags(const struct op *op)
{
	return op->class == OP_RECV || op->class == OP_SEND;
}

static bool has_vectors(const struct op *op)
{
	return op->class == OP_READV || op->class == OP_WRITEV;
}

/* Whether the kernel may move a part of it and then wait.  Such a write is attempted only where the rest can be waited for
 * exactly: by a single thread (another could close the fd meanwhile), and without SO_SNDTIMEO.  */
static bool may_be_split(const struct op *op)
{
	if (!op_writes(op))
		return false;
	switch (HINT_KIND(op->hint)) {
	case KIND_pipe: case KIND_fifo:
		return op->class == OP_WRITEV || op->length > PIPE_BUF;         /* pipe(7), PIPE_BUF */
	case KIND_stream:
		return true;
	default:
		return false;
	}
}

/* Whether what is left of a split write can be waited for outside the kernel's own loop.  On a unix stream it cannot: poll does
 * not tell of a peer's SHUT_RD, and a sleeping sender takes the error that the peer's close leaves.  Up to this size a write is one
 * buffer, all or nothing (Linux, unix_stream_sendmsg with the smallest SO_SNDBUF).  */
static bool rest_can_wait(const struct op *op)
{
	enum { ONE_BUFFER = 2048 };

	if (op->hint & HINT_LOCAL)
		return !has_vectors(op) && op->length <= ONE_BUFFER;
	return !(op->hint & HINT_TIMEOUT) && libc_single_threaded();
}

/* Flags of recv and send under which MSG_DONTWAIT changes nothing but the waiting.  MSG_WAITALL, MSG_OOB, MSG_ERRQUEUE,
 * MSG_FASTOPEN and the rest are their own worlds.  */
#define PROVEN_FLAGS (MSG_PEEK | MSG_NOSIGNAL | MSG_TRUNC | MSG_CMSG_CLOEXEC)

/* Flags under which the call never waits: the program's own non-blocking attempt, and queues that poll(2) does not speak of. */
#define NEVER_WAITING_FLAGS (MSG_DONTWAIT | MSG_OOB | MSG_ERRQUEUE)

unsigned attempt_way(const struct op *op)
{
	unsigned way;

	if (op->class == OP_PLAIN || (op->hint & HINT_NONBLOCK))
		return TRACE_WAY_NONE;
	way = whitelist[HINT_KIND(op->hint)][op->class];
	if (way == TRACE_WAY_NONE)
		return way;
	/* A zero-length recv takes a datagram off the queue where read(2) does not; long ones are cut by each call in its own
	 * way.  Vectors may not be looked at: the kernel has not checked them yet.  */
	if (!has_vectors(op) && op->length == 0)
		return TRACE_WAY_NONE;
	if (!has_vectors(op) && op->length > RW_MAX)
		return TRACE_WAY_GUARD;
	if (has_flags(op) && (op->arg[3] & ~PROVEN_FLAGS))
		return op->arg[3] & NEVER_WAITING_FLAGS ? TRACE_WAY_NONE : TRACE_WAY_GUARD;
	if (way == TRACE_WAY_NOWAIT && config.switching == SWITCH_AUTO && (op->hint & HINT_NO_NOWAIT))
		return TRACE_WAY_GUARD;
	if (may_be_split(op) && !rest_can_wait(op))
		return TRACE_WAY_GUARD;
	if (config.switching == SWITCH_FLAG)
		return flag_serves(op) && !(op->hint & HINT_TIMEOUT) ? TRACE_WAY_FLAG : TRACE_WAY_GUARD;
	return way;
}

/* The vectors of the next attempt: after a partial write, what is left of the one that was cut, alone.  */
static const struct iovec *next_vectors(const struct op *op, unsigned *count)
{
	if (op->head.iov_len || !op->vectors) {
		*count = 1;
		return &op->head;
	}
	*count = op->vectors;
	return op->vector;
}

/* What is left of a write to a stream socket.  The kernel sends no SIGPIPE for a write of which some bytes went out.  */
static long attempt_rest_of_send(const struct op *op)
{
	struct msghdr message = {0};
	unsigned count;

	message.msg_iov = (struct iovec *)next_vectors(op, &count);
	message.msg_iovlen = count;
	return sys(SYS_sendmsg, op->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL | (has_flags(op) ? op->arg[3] : 0));
}

static long attempt_nowait(const struct op *op)
{
	unsigned count;
	const struct iovec *v = next_vectors(op, &count);
	long result = sys(op_writes(op) ? SYS_pwritev2 : SYS_preadv2, op->fd, v, count, -1L, -1L, RWF_NOWAIT);

	switch (result) {
	case -EOPNOTSUPP: case -ENOSYS: case -EPERM: case -ESPIPE:
		fds_mark(op->fd, HINT_NO_NOWAIT, 0);
		return ATTEMPT_HINT_WRONG;
	default:
		return result;
	}
}

static long attempt_dontwait(const struct op *op)
{
	unsigned flags = MSG_DONTWAIT;
	long result;

	if (has_flags(op))
		flags |= (unsigned)op->arg[3];
	/* write(2) on a seqpacket socket ends a record (Linux, sock_write_iter). */
	else if (HINT_KIND(op->hint) == KIND_seqpacket && op_writes(op))
		flags |= MSG_EOR;
	result = sys(op_writes(op) ? SYS_sendto : SYS_recvfrom, op->fd, op->head.iov_base, op->head.iov_len, flags,
		     has_flags(op) ? op->arg[4] : 0, has_flags(op) ? op->arg[5] : 0);
	if (result == -ENOTSOCK && !has_flags(op)) {
		fds_forget(op->fd);
		return ATTEMPT_HINT_WRONG;
	}
	return result;
}

/* The native call itself, or the same for what is left; O_NONBLOCK is set on the fd.  */
static long attempt_flag(const struct op *op)
{
	unsigned count;
	const struct iovec *v;

	if (!op->moved)
		return sys6(op->nr, op->arg[0], op->arg[1], op->arg[2], op->arg[3], op->arg[4], op->arg[5]);
	v = next_vectors(op, &count);
	return sys(SYS_writev, op->fd, v, count);
}

long attempt(const struct op *op)
{
	if (op->moved && HINT_KIND(op->hint) == KIND_stream)
		return attempt_rest_of_send(op);
	switch (op->way) {
	case TRACE_WAY_NOWAIT: return attempt_nowait(op);
	case TRACE_WAY_DONTWAIT: return attempt_dontwait(op);
	case TRACE_WAY_FLAG: return attempt_flag(op);
	default: return ATTEMPT_HINT_WRONG;
	}
}

/* Whether a read that moved `result` bytes got less than it asked for.  Only after a successful read may the vectors be looked
 * at.  */
static bool is_short(const struct op *op, size_t result)
{
	size_t length = op->head.iov_len;

	for (unsigned i = 0; i < op->vectors && length <= result; i++)
		length += op->vector[i].iov_len;
	return result < length;
}

long attempt_finish_file(struct op *op, long result)
{
	unsigned count;
	long more;

	/* A file that has just been read has a position behind what was read; what has none says ESPIPE, or 0 (eventfd). */
	if (op->way != TRACE_WAY_NOWAIT || result == 0 || !is_short(op, (size_t)result) ||
	    sys(SYS_lseek, op->fd, 0, SEEK_CUR) <= 0)
		return result;
	fds_forget(op->fd);
	attempt_advance(op, (size_t)result);
	while (op->head.iov_len || op->vectors) {
		const struct iovec *v = next_vectors(op, &count);

		more = sys(SYS_readv, op->fd, v, count);
		if (more <= 0)
			break;
		attempt_advance(op, (size_t)more);
	}
	return (long)op->moved;
}

bool attempt_is_complete(const struct op *op)
{
	for (unsigned i = 0; i < op->vectors; i++)
		if (op->vector[i].iov_len)
			return false;
	return !op->head.iov_len;
}

void attempt_advance(struct op *op, size_t n)
{
	size_t part = n < op->head.iov_len ? n : op->head.iov_len;

	op->moved += n;
	op->head.iov_base = (char *)op->head.iov_base + part;
	op->head.iov_len -= part;
	n -= part;
	for (; op->vectors && n >= op->vector->iov_len; op->vector++, op->vectors--)
		n -= op->vector->iov_len;
	if (op->vectors && n) {
		op->head.iov_base = (char *)op->vector->iov_base + n;
		op->head.iov_len = op->vector->iov_len - n;
		op->vector++;
		op->vectors--;
	}
}
