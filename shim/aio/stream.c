/* stream.c - one request on a stream: how it is attempted without waiting, and what it comes to.
 *
 * A pipe is attempted with RWF_NOWAIT, a socket with MSG_DONTWAIT: neither sets O_NONBLOCK on the file, which others share.
 * What a thread that sleeps in the call is told, and an attempt is not, is told here.  */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "shim/config.h"
#include "shim/fds.h"
#include "shim/flag.h"
#include "shim/sys.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8
#endif

static bool is_socket_way(unsigned way)
{
	return way == STREAM_DONTWAIT || way == STREAM_RECORD;
}

static long read_now(int fd, unsigned way, void *buffer, size_t size)
{
	const struct iovec v = {buffer, size};

	if (is_socket_way(way))
		return sys(SYS_recvfrom, fd, buffer, size, MSG_DONTWAIT, NULL, NULL);
	return sys(SYS_preadv2, fd, &v, 1, -1L, -1L, RWF_NOWAIT);
}

static long write_now(int fd, unsigned way, const void *buffer, size_t size)
{
	const struct iovec v = {(void *)(uintptr_t)buffer, size};

	if (is_socket_way(way))
		return sys(SYS_sendto, fd, buffer, size, MSG_DONTWAIT | MSG_NOSIGNAL | (way == STREAM_RECORD ? MSG_EOR : 0), NULL,
			   0);
	return sys(SYS_pwritev2, fd, &v, 1, -1L, -1L, RWF_NOWAIT);
}

bool stream_cannot_tell(long result)
{
	return result == -EOPNOTSUPP || result == -ENOSYS || result == -EPERM || result == -ENOTSOCK;
}

long stream_read_now(int fd, enum fd_kind kind, void *buffer, size_t size)
{
	long result = -EOPNOTSUPP;

	if (kind == KIND_pipe)
		result = read_now(fd, STREAM_NOWAIT, buffer, size);
	else if (kind == KIND_stream || kind == KIND_dgram || kind == KIND_seqpacket)
		result = read_now(fd, STREAM_DONTWAIT, buffer, size);
	return result;
}

/* What makes a read of a stream wait for more than one byte, or reads and writes of what is neither TCP, UDP nor unix, is the plain
 * call's.  */
static unsigned way_on_socket(struct request *r)
{
	enum fd_kind kind = fds_socket_kind(r->stream.fd);
	int value = 0;
	socklen_t size = sizeof value;

	if (kind == KIND_stream && r->operation == LIO_READ &&
	    (sys(SYS_getsockopt, r->stream.fd, SOL_SOCKET, SO_RCVLOWAT, &value, &size) < 0 || value != 1))
		return STREAM_PLAIN;
	size = sizeof value;
	r->stream.local = kind == KIND_stream && sys(SYS_getsockopt, r->stream.fd, SOL_SOCKET, SO_DOMAIN, &value, &size) == 0 &&
			  value == AF_UNIX;
	switch (kind) {
	case KIND_stream:
	case KIND_dgram:
		return STREAM_DONTWAIT;
	case KIND_seqpacket:
		return STREAM_RECORD;
	default:
		return STREAM_PLAIN;
	}
}

/* A request of no bytes has its own meaning on each kind; one that syncs does not wait.  */
static unsigned way_of(struct request *r)
{
	struct stat st;

	if (request_syncs(r) || r->size == 0 || sys(SYS_fstat, r->stream.fd, &st) < 0)
		return STREAM_PLAIN;
	if (S_ISSOCK(st.st_mode))
		return way_on_socket(r);
	return S_ISFIFO(st.st_mode) || (st.st_mode & S_IFMT) == 0 ? STREAM_NOWAIT : STREAM_PLAIN;
}

bool stream_choose_way(struct request *r)
{
	r->stream.way = (uint8_t)way_of(r);
	return r->stream.way != STREAM_PLAIN;
}

/* As much as can be done without waiting.  */
static long transfer(struct request *r)
{
	char *at = r->buffer;
	long result;

	if (r->operation == LIO_READ)
		return read_now(r->stream.fd, r->stream.way, at, r->size);
	result = write_now(r->stream.fd, r->stream.way, at + r->moved, r->size - r->moved);
	if (result <= 0)
		return result;
	r->moved += (size_t)result;
	r->stream.pause = 0;
	return r->moved < r->size ? -EAGAIN : (long)r->moved;
}

/* A sender that sleeps takes the error that its peer's close has left; an attempt after it says EPIPE, and leaves it (Linux,
 * unix_stream_sendmsg, sock_alloc_send_pskb).  */
static long error_of_sleeper(const struct request *r)
{
	int error = 0;
	socklen_t size = sizeof error;

	sys(SYS_getsockopt, r->stream.fd, SOL_SOCKET, SO_ERROR, &error, &size);
	return error ? -error : -EPIPE;
}

/* A sender over TCP that has sent something leaves the error to who asks next (Linux, tcp_sendmsg_locked).  */
static bool leaves_error(const struct request *r, uint32_t events)
{
	return r->moved && (events & EPOLLHUP) && is_socket_way(r->stream.way) && !r->stream.local;
}

long stream_attempt(struct request *r, uint32_t events)
{
	long result = leaves_error(r, events) ? -EPIPE : transfer(r);

	if (result == -EPIPE && r->stream.watched && r->stream.local)
		return error_of_sleeper(r);
	/* An attempt to read datagrams never says so (Linux, __skb_wait_for_more_packets). */
	if (result == -EAGAIN && (events & EPOLLRDHUP))
		return 0;
	return result;
}

void stream_set_end(struct request *r, uint64_t now)
{
	struct timeval t = {0};
	socklen_t size = sizeof t;

	if (is_socket_way(r->stream.way) &&
	    sys(SYS_getsockopt, r->stream.fd, SOL_SOCKET, r->operation == LIO_READ ? SO_RCVTIMEO : SO_SNDTIMEO, &t, &size) == 0 &&
	    (t.tv_sec || t.tv_usec))
		r->stream.end = now + (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_usec * 1000;
}

bool stream_is_over(const struct request *r, uint64_t now)
{
	long flags = 0;

	if (r->stream.end && now >= r->stream.end)
		return true;
	if (r->stream.way == STREAM_NOWAIT || !r->stream.watched)
		flags = sys(SYS_fcntl, r->stream.fd, F_GETFL);
	/* With the mark an eagain of another process has set it (flag.h). */
	return flags > 0 && (flags & O_NONBLOCK) && !(config.switching == SWITCH_FLAG && (flags & FLAG_MARK));
}
