/* attempt.c - the whitelist, and the attempts.
 *
 * An operation is attempted only where "not ready" provably means "the native call would block", and where the native answer
 * can be reproduced.  Everything else is the plain call, which is never wrong.  A row or a condition is added here only
 * together with its cells in tests/programs/matrix.  */
#include "attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config.h"
#include "libc.h"
#include "record.h"
#include "sys.h"
#include "tracer/format.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x8
#endif

#define N TRACE_WAY_NOWAIT
#define D TRACE_WAY_DONTWAIT
#define G TRACE_WAY_GUARD
#define F TRACE_WAY_FLAG
#define _ TRACE_WAY_NONE

/* Rows not named here are plain calls: they cannot block (file, directory, device, epoll, pidfd), or are unknown.  The vector
 * calls on sockets go by RWF_NOWAIT, so that the kernel checks the vectors as readv(2) and writev(2) do.  */
static const uint8_t whitelist[KIND_COUNT][OP_COLUMNS] = {
	/*                  read readv recv recvmsg recvmmsg accept   write writev send sendmsg sendmmsg connect */
	[KIND_pipe] =      { N,   N,    _,   _,      _,       _,       N,    N,     _,   _,      _,       _ },
	[KIND_stream] =    { D,   N,    D,   D,      G,       G,       D,    N,     D,   D,      G,       F },
	[KIND_dgram] =     { D,   N,    D,   D,      G,       _,       D,    N,     D,   D,      G,       _ },
	[KIND_seqpacket] = { D,   N,    D,   D,      G,       G,       D,    N,     D,   D,      G,       _ },
	[KIND_eventfd] =   { N,   N,    _,   _,      _,       _,       G,    G,     _,   _,      _,       _ },
	[KIND_timerfd] =   { N,   N,    _,   _,      _,       _,       _,    _,     _,   _,      _,       _ },
	[KIND_signalfd] =  { N,   N,    _,   _,      _,       _,       _,    _,     _,   _,      _,       _ },
	[KIND_socket] =    { G,   G,    G,   G,      G,       G,       G,    G,     G,   G,      G,       _ },
	[KIND_fifo] =      { G,   G,    _,   _,      _,       _,       G,    G,     _,   _,      _,       _ },
	[KIND_tty] =       { G,   G,    _,   _,      _,       _,       G,    G,     _,   _,      _,       _ },
	[KIND_ptmx] =      { G,   G,    _,   _,      _,       _,       G,    G,     _,   _,      _,       _ },
	[KIND_inotify] =   { G,   G,    _,   _,      _,       _,       _,    _,     _,   _,      _,       _ },
};

#undef N
#undef D
#undef G
#undef F
#undef _

/* In flag mode O_NONBLOCK does for both ways of attempt, and for FIFOs; what it would change (a terminal's VMIN and VTIME,
 * an eventfd's large write) stays a plain call.  */
static bool flag_serves(const struct op *op)
{
	enum fd_kind kind = HINT_KIND(op->hint);
	unsigned way = whitelist[kind][op->class];

	return way == TRACE_WAY_NOWAIT || way == TRACE_WAY_DONTWAIT || (kind == KIND_fifo && way == TRACE_WAY_GUARD);
}

static bool is_recv_or_send(const struct op *op)
{
	return op->class == OP_RECV || op->class == OP_SEND;
}

/* Whether op->length is how much it asks for.  Vectors and messages may not be looked at: the kernel has not checked them.  */
static bool has_length(const struct op *op)
{
	return op->class == OP_READ || op->class == OP_WRITE || is_recv_or_send(op);
}

/* Whether the kernel may move a part of it and then wait.  Such a write is attempted only where the rest can be waited for
 * exactly: by a single thread (another could close the fd meanwhile), and without SO_SNDTIMEO.  */
static bool may_be_split(const struct op *op)
{
	if (!op_writes(op))
		return false;
	switch (HINT_KIND(op->hint)) {
	case KIND_pipe: case KIND_fifo:
		return !has_length(op) || op->length > PIPE_BUF;         /* pipe(7), PIPE_BUF */
	case KIND_stream:
		return true;
	default:
		return false;
	}
}

/* Whether what is left of a split write can be waited for outside the kernel's own loop, and given to it as it was.  On a unix
 * stream it cannot: poll does not tell of a peer's SHUT_RD, and a sleeping sender takes the error that the peer's close leaves.
 * Up to this size a write is one buffer, all or nothing (Linux, unix_stream_sendmsg with the smallest SO_SNDBUF).  */
static bool rest_can_wait(const struct op *op)
{
	enum { ONE_BUFFER = 2048 };

	if (op->hint & HINT_LOCAL)
		return has_length(op) && op->length <= ONE_BUFFER;
	return !(op->hint & HINT_TIMEOUT) && libc_single_threaded() && op->vectors <= ATTEMPT_REST;
}

/* Flags of recv and send under which MSG_DONTWAIT changes nothing but the waiting.  MSG_WAITALL, MSG_OOB, MSG_ERRQUEUE,
 * MSG_FASTOPEN and the rest are their own worlds.  */
#define PROVEN_FLAGS (MSG_PEEK | MSG_NOSIGNAL | MSG_TRUNC | MSG_CMSG_CLOEXEC)

/* Flags under which the call never waits: the program's own non-blocking attempt, and queues that poll(2) does not speak of. */
#define NEVER_WAITING_FLAGS (MSG_DONTWAIT | MSG_OOB | MSG_ERRQUEUE)

bool attempt_waits(const struct op *op)
{
	enum fd_kind kind = HINT_KIND(op->hint);

	if (op->class >= OP_COLUMNS || op->class == OP_CONNECT || (op_flags(op) & NEVER_WAITING_FLAGS))
		return false;
	return whitelist[kind][op->class] != TRACE_WAY_NONE && (kind == KIND_pipe || kind == KIND_fifo || kind == KIND_stream ||
								 kind == KIND_dgram || kind == KIND_seqpacket);
}

/* A TCP connect has no flag for the call: O_NONBLOCK is on the socket for as long as it takes (attempt_connect), and the plain
 * call waits for the outcome.  That serves the recording only.  */
static unsigned connect_way(const struct op *op)
{
	if (op->hint & (HINT_LOCAL | HINT_TIMEOUT))
		return TRACE_WAY_NONE;
	/* Another thread would see the flag. */
	if (!libc_single_threaded())
		return TRACE_WAY_NONE;
	return record_on || config.switching == SWITCH_FLAG ? TRACE_WAY_FLAG : TRACE_WAY_NONE;
}

void attempt_learn(const struct op *op)
{
	if (!record_on && config.switching == SWITCH_AUTO && !op->shielded && !(op->hint & HINT_WAITED))
		fds_mark(op->fd, HINT_WAITED, 0);
}

unsigned attempt_way(const struct op *op)
{
	unsigned way;

	if (op->class >= OP_COLUMNS || (op->hint & HINT_NONBLOCK) || (!record_on && (op->hint & HINT_WAITED)))
		return TRACE_WAY_NONE;
	way = whitelist[HINT_KIND(op->hint)][op->class];
	if (way == TRACE_WAY_NONE)
		return way;
	if (op->class == OP_CONNECT)
		return connect_way(op);
	/* A zero-length recv takes a datagram off the queue where read(2) does not; long ones are cut by each call in its own
	 * way.  */
	if (has_length(op) && op->length == 0)
		return TRACE_WAY_NONE;
	if (has_length(op) && op->length > RW_MAX)
		return TRACE_WAY_GUARD;
	if (op_flags(op) & ~PROVEN_FLAGS)
		return op_flags(op) & NEVER_WAITING_FLAGS ? TRACE_WAY_NONE : TRACE_WAY_GUARD;
	if (may_be_split(op) && !rest_can_wait(op))
		return TRACE_WAY_GUARD;
	/* Among threads one would set the flag while another waits in the plain call. */
	if (config.switching == SWITCH_FLAG && libc_single_threaded())
		return flag_serves(op) && !(op->hint & HINT_TIMEOUT) ? TRACE_WAY_FLAG : TRACE_WAY_GUARD;
	return way == TRACE_WAY_NOWAIT && (op->hint & HINT_NO_NOWAIT) ? TRACE_WAY_GUARD : way;
}

unsigned attempt_rest(const struct op *op, struct iovec rest[ATTEMPT_REST], size_t *size)
{
	unsigned n = 0;

	*size = 0;
	if (op->head.iov_len)
		rest[n++] = op->head;
	for (unsigned i = 0; i < op->vectors && n < ATTEMPT_REST; i++)
		rest[n++] = op->vector[i];
	for (unsigned i = 0; i < n; i++) {
		if (rest[i].iov_len > RW_MAX - op->moved - *size)
			rest[i].iov_len = RW_MAX - op->moved - *size;
		*size += rest[i].iov_len;
	}
	return n;
}

/* The vectors of the next attempt: the program's own, as long as nothing has moved.  */
static const struct iovec *next_vectors(const struct op *op, struct iovec rest[ATTEMPT_REST], unsigned *count)
{
	size_t size;

	if (op->moved) {
		*count = attempt_rest(op, rest, &size);
		return rest;
	}
	*count = op->vectors ? op->vectors : 1;
	return op->vectors ? op->vector : &op->head;
}

/* What is left of a write to a stream socket.  The kernel sends no SIGPIPE for a write of which some bytes went out.  */
static long attempt_rest_of_send(const struct op *op)
{
	struct iovec rest[ATTEMPT_REST];
	struct msghdr message = {.msg_iov = rest};
	unsigned count;

	next_vectors(op, rest, &count);
	message.msg_iovlen = count;
	return sys(SYS_sendmsg, op->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL | op_flags(op));
}

static long attempt_nowait(const struct op *op)
{
	struct iovec rest[ATTEMPT_REST];
	unsigned count;
	const struct iovec *v = next_vectors(op, rest, &count);
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
	int flags = MSG_DONTWAIT | op_flags(op);
	long result;

	if (op->class == OP_RECVMSG || op->class == OP_SENDMSG)
		return sys(op->nr, op->fd, op->arg[1], flags);
	/* write(2) on a seqpacket socket ends a record (Linux, sock_write_iter). */
	if (op->class == OP_WRITE && HINT_KIND(op->hint) == KIND_seqpacket)
		flags |= MSG_EOR;
	result = sys(op_writes(op) ? SYS_sendto : SYS_recvfrom, op->fd, op->head.iov_base, op->head.iov_len, flags,
		     is_recv_or_send(op) ? op->arg[4] : 0, is_recv_or_send(op) ? op->arg[5] : 0);
	if (result == -ENOTSOCK && !is_recv_or_send(op)) {
		fds_forget(op->fd);
		return ATTEMPT_HINT_WRONG;
	}
	return result;
}

static long native(const struct op *op)
{
	return sys6(op->nr, op->arg[0], op->arg[1], op->arg[2], op->arg[3], op->arg[4], op->arg[5]);
}

/* The native call itself, or the same for what is left; O_NONBLOCK is set on the fd.  */
static long attempt_flag(const struct op *op)
{
	struct iovec rest[ATTEMPT_REST];
	unsigned count;

	if (!op->moved)
		return native(op);
	next_vectors(op, rest, &count);
	return sys(SYS_writev, op->fd, rest, count);
}

/* No handler runs while the flag is set, for it might not come back.  EALREADY: an earlier connect(2) was interrupted.  */
static long attempt_connect(const struct op *op)
{
	const uint64_t all = ~0ull;
	const int on = 1, off = 0;
	uint64_t mask;
	long flags = sys(SYS_fcntl, op->fd, F_GETFL), result;

	if (config.switching == SWITCH_AUTO) {
		if (flags < 0 || (flags & O_NONBLOCK))
			return native(op);
		sys(SYS_rt_sigprocmask, SIG_BLOCK, &all, &mask, sizeof mask);
		sys(SYS_ioctl, op->fd, FIONBIO, &on);
	}
	result = native(op);
	if (config.switching == SWITCH_AUTO) {
		sys(SYS_ioctl, op->fd, FIONBIO, &off);
		sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
	}
	return result == -EINPROGRESS || result == -EALREADY ? -EAGAIN : result;
}

long attempt(const struct op *op)
{
	if (op->class == OP_CONNECT)
		return attempt_connect(op);
	if (op->moved && HINT_KIND(op->hint) == KIND_stream)
		return attempt_rest_of_send(op);
	switch (op->way) {
	case TRACE_WAY_NOWAIT: return attempt_nowait(op);
	case TRACE_WAY_DONTWAIT: return attempt_dontwait(op);
	case TRACE_WAY_FLAG: return attempt_flag(op);
	default: return ATTEMPT_HINT_WRONG;
	}
}

bool attempt_is_short(const struct op *op, size_t result)
{
	size_t length = op->head.iov_len;

	for (unsigned i = 0; i < op->vectors && length <= result; i++)
		length += op->vector[i].iov_len;
	return result < length;
}

long attempt_finish_file(struct op *op, long result)
{
	struct iovec rest[ATTEMPT_REST];
	size_t size;
	long more;

	/* A file that has just been read has a position behind what was read; what has none says ESPIPE, or 0 (eventfd). */
	if (op->way != TRACE_WAY_NOWAIT || result == 0 || !attempt_is_short(op, (size_t)result) ||
	    sys(SYS_lseek, op->fd, 0, SEEK_CUR) <= 0)
		return result;
	fds_forget(op->fd);
	attempt_advance(op, (size_t)result);
	while (!attempt_is_complete(op)) {
		unsigned count = attempt_rest(op, rest, &size);

		more = sys(SYS_readv, op->fd, rest, count);
		if (more <= 0)
			break;
		attempt_advance(op, (size_t)more);
	}
	return (long)op->moved;
}

bool attempt_is_complete(const struct op *op)
{
	for (unsigned i = 0; i < op->vectors && op->moved < RW_MAX; i++)
		if (op->vector[i].iov_len)
			return false;
	return !op->head.iov_len || op->moved >= RW_MAX;
}

void attempt_advance(struct op *op, size_t n)
{
	size_t part = n < op->head.iov_len ? n : op->head.iov_len;

	/* That something has moved means that the kernel has found the message good. */
	if (op->class == OP_SENDMSG && !op->moved) {
		op->vector = ((const struct msghdr *)op->arg[1])->msg_iov;
		op->vectors = (unsigned)((const struct msghdr *)op->arg[1])->msg_iovlen;
	}
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
