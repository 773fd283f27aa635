/* states.c - what happens to the fd before the call and while it waits.  */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "matrix.h"

/* An eventfd takes numbers; the wrong end of a pipe takes nothing.  */
static bool give(struct ends *e)
{
	uint64_t one = 1;

	return write(e->peer, "hello", 5) == 5 || write(e->peer, &one, sizeof one) == sizeof one || errno == EBADF;
}

static bool give_line(struct ends *e)
{
	return write(e->peer, "hello\nworld\n", 12) == 12;
}

static bool close_peer(struct ends *e)
{
	close(e->peer);
	e->peer = -1;
	return true;
}

static bool fill_once(int fd)
{
	static char block[65536];
	bool any = false;

	for (size_t size = sizeof block; size; size /= 16)
		while (write(fd, block, size) > 0)
			any = true;
	return any;
}

/* A TCP peer that has not acknowledged all that it was sent will make room for more.  */
static bool acknowledged(int fd)
{
	int all, unsent;

	return ioctl(fd, SIOCOUTQNSD, &unsent) < 0 || ioctl(fd, SIOCOUTQ, &all) < 0 || all == unsent;
}

/* Writes until no more goes in.  A TCP peer is asked to acknowledge it at once, and not 40 ms later.  */
static bool fill(struct ends *e)
{
	int flags = fcntl(e->subject, F_GETFL), one = 1;

	fcntl(e->subject, F_SETFL, flags | O_NONBLOCK);
	do {
		fill_once(e->subject);
		while (!acknowledged(e->subject)) {
			setsockopt(e->peer, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
			look_again();
		}
	} while (fill_once(e->subject));
	fcntl(e->subject, F_SETFL, flags);
	return true;
}

static bool nonblock(struct ends *e)
{
	return fcntl(e->subject, F_SETFL, fcntl(e->subject, F_GETFL) | O_NONBLOCK) == 0;
}

static bool fill_and_nonblock(struct ends *e)
{
	return fill(e) && nonblock(e);
}

static bool timeout(struct ends *e, int option)
{
	struct timeval t = {.tv_usec = 20000};

	return setsockopt(e->subject, SOL_SOCKET, option, &t, sizeof t) == 0;
}

static bool receive_timeout(struct ends *e) { return timeout(e, SO_RCVTIMEO); }
static bool send_timeout(struct ends *e) { return timeout(e, SO_SNDTIMEO); }
static bool send_timeout_full(struct ends *e) { return fill(e) && timeout(e, SO_SNDTIMEO); }

/* Long enough never to pass while the actor acts: it is there for what it does to signals.  */
static bool long_timeouts(struct ends *e)
{
	struct timeval t = {.tv_sec = 1000};

	return setsockopt(e->subject, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) == 0 &&
	       setsockopt(e->subject, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t) == 0;
}

static bool low_water(struct ends *e)
{
	int n = 10;

	return setsockopt(e->subject, SOL_SOCKET, SO_RCVLOWAT, &n, sizeof n) == 0;
}

static bool give_one(struct ends *e)
{
	return write(e->peer, "x", 1) == 1;
}

/* The fd has been used before: the hint is there, whatever it says.  */
static bool used_before(struct ends *e)
{
	char byte;

	return read(e->subject, &byte, 1) == 1;
}

/* "hello", and an fd with it.  */
bool give_fd(struct ends *e)
{
	char text[] = "hello";
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct iovec v = {text, 5};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	int fd = open("/dev/null", O_RDONLY);
	bool given;

	memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
	given = syscall(SYS_sendmsg, e->peer, &m, 0) == 5;
	close(fd);
	return given;
}

static bool give_then_fd(struct ends *e) { return give(e) && give_fd(e); }
static bool give_twice(struct ends *e) { return give(e) && give(e); }

static bool credentials(struct ends *e)
{
	int one = 1;

	return setsockopt(e->subject, SOL_SOCKET, SO_PASSCRED, &one, sizeof one) == 0 && give(e);
}

static bool give_urgent(struct ends *e)
{
	return give(e) && send(e->peer, "u", 1, MSG_OOB) == 1 && give(e);
}

/* What is sent to a port where nobody listens comes back as an error.  */
bool refuse(struct ends *e)
{
	close_peer(e);
	/* Under eagain this is an attempt of the program's own, that switches nothing. */
	return send(e->subject, "x", 1, MSG_DONTWAIT) == 1;
}

static bool refuse_and_wait(struct ends *e)
{
	struct pollfd p = {.fd = e->subject};

	return refuse(e) && poll(&p, 1, -1) == 1;
}

static bool refuse_queued(struct ends *e)
{
	int one = 1;

	return setsockopt(e->subject, IPPROTO_IP, IP_RECVERR, &one, sizeof one) == 0 && refuse_and_wait(e);
}

static bool shut_read(struct ends *e) { return shutdown(e->subject, SHUT_RD) == 0; }
static bool shut_write(struct ends *e) { return shutdown(e->subject, SHUT_WR) == 0; }
static bool peer_shut_read(struct ends *e) { return shutdown(e->peer, SHUT_RD) == 0; }

static bool client(struct ends *e) { return connect_and_wait(e, e->subject); }

static bool two_clients(struct ends *e)
{
	if (!client(e))
		return false;
	e->peer = e->other;
	return client(e);
}

static bool client_gone(struct ends *e)
{
	return client(e) && close(e->other) == 0;
}

const struct state states[] = {
	/* name, direction, needs, refuses, waits, wakes, before, in_subject, script */
	{"as-is", READS, 0, 0, false, false, NULL, NULL, {NOTHING}},
	{"data", READS, 0, NO_PEER | TERMINAL, false, false, give, NULL, {NOTHING}},
	{"lines", READS, TERMINAL, 0, false, false, give_line, NULL, {NOTHING}},
	{"data-later", READS, 0, NO_PEER | TERMINAL, true, false, NULL, NULL, {GIVE5}},
	{"line-later", READS, TERMINAL, 0, true, false, NULL, NULL, {GIVE_LINE}},
	{"more-later", READS, STREAM, 0, false, false, NULL, NULL, {GIVE5, GIVE5, GIVE5}},
	{"used-before", READS, STREAM, 0, false, false, give_one, used_before, {GIVE5}},
	{"eof", READS, HAS_EOF, 0, false, false, close_peer, NULL, {NOTHING}},
	{"eof-later", READS, HAS_EOF, 0, false, false, NULL, NULL, {CLOSE}},
	{"hangup-later", READS, TERMINAL, 0, false, false, NULL, NULL, {CLOSE}},
	{"half-closed-later", READS, HAS_EOF | SOCKET, 0, false, false, NULL, NULL, {SHUT_WRITE}},
	{"reset-later", READS, TCP, 0, false, false, NULL, NULL, {RESET}},
	{"empty-datagram-later", READS, PACKETS, 0, false, false, NULL, NULL, {GIVE0}},
	{"nonblock", READS, 0, NO_PEER, false, false, NULL, nonblock, {NOTHING}},
	{"nonblock-inherited", READS, 0, NO_PEER, false, false, nonblock, NULL, {NOTHING}},
	{"nonblock-later", READS, 0, NO_PEER | TERMINAL, false, false, NULL, NULL, {NONBLOCK_ON, GIVE5}},
	{"rcvtimeo", READS, SOCKET, NO_PEER, false, true, NULL, receive_timeout, {NOTHING}},
	{"rcvtimeo-long", READS, SOCKET, NO_PEER, true, false, NULL, long_timeouts, {GIVE5}},
	{"rcvlowat", READS, STREAM | SOCKET, 0, false, false, NULL, low_water, {GIVE5, GIVE5, GIVE5}},
	{"rcvlowat-inherited", READS, STREAM | SOCKET, 0, false, false, low_water, NULL, {GIVE5, GIVE5, GIVE5}},

	{"data-twice", READS, PACKETS, 0, false, false, give_twice, NULL, {NOTHING}},
	{"second-later", READS, PACKETS, 0, false, false, give, NULL, {GIVE5}},
	{"fd", READS, LOCAL, NO_PEER, false, false, give_fd, NULL, {NOTHING}},
	{"data-then-fd", READS, LOCAL, NO_PEER, false, false, give_then_fd, NULL, {NOTHING}},
	{"fd-later", READS, LOCAL, NO_PEER, true, false, NULL, NULL, {GIVE_FD}},
	{"data-then-fd-later", READS, LOCAL, NO_PEER, false, false, NULL, NULL, {GIVE5, GIVE_FD}},
	{"credentials", READS, LOCAL, NO_PEER, false, false, credentials, NULL, {NOTHING}},
	{"urgent", READS, TCP, 0, false, false, give_urgent, NULL, {NOTHING}},
	{"refused", READS, UDP, 0, false, false, refuse_and_wait, NULL, {NOTHING}},
	{"refused-queued", READS, UDP, 0, false, false, refuse_queued, NULL, {NOTHING}},
	{"refused-later", READS, UDP, 0, false, false, NULL, NULL, {REFUSE}},
	{"shut-read", READS, SOCKET, NO_PEER | UDP, false, false, shut_read, NULL, {NOTHING}},
	{"shut-read-later", READS, SOCKET, NO_PEER | UDP, false, false, NULL, NULL, {SHUT_READ}},

	{"client", READS, LISTENS, 0, false, false, client, NULL, {NOTHING}},
	{"two-clients", READS, LISTENS, 0, false, false, two_clients, NULL, {NOTHING}},
	{"client-gone", READS, LISTENS, 0, false, false, client_gone, NULL, {NOTHING}},
	{"client-later", READS, LISTENS, 0, true, false, NULL, NULL, {CONNECT}},
	{"shut-later", READS, LISTENS, 0, true, false, NULL, NULL, {SHUT_SUBJECT}},
	{"nonblock", READS, LISTENS, 0, false, false, NULL, nonblock, {NOTHING}},
	{"nonblock-client", READS, LISTENS, 0, false, false, client, nonblock, {NOTHING}},
	{"nonblock-inherited", READS, LISTENS, 0, false, false, nonblock, NULL, {NOTHING}},
	{"nonblock-later", READS, LISTENS, 0, false, false, NULL, NULL, {NONBLOCK_ON, CONNECT}},
	{"rcvtimeo", READS, LISTENS, 0, false, true, NULL, receive_timeout, {NOTHING}},
	{"rcvtimeo-long", READS, LISTENS, 0, true, false, NULL, long_timeouts, {CONNECT}},
	{"rcvtimeo-inherited", READS, LISTENS, 0, true, false, long_timeouts, NULL, {CONNECT}},

	{"room", WRITES, 0, 0, false, false, NULL, NULL, {NOTHING}},
	{"drained", WRITES, STREAM | FILLS, 0, true, false, NULL, NULL, {DRAIN}},
	{"full", WRITES, FILLS, 0, false, false, fill, NULL, {NOTHING}},
	{"full-drained", WRITES, FILLS, 0, true, false, fill, NULL, {DRAIN}},
	{"peer-closed", WRITES, HAS_EOF, 0, false, false, close_peer, NULL, {NOTHING}},
	{"full-closed-later", WRITES, FILLS | HAS_EOF, 0, false, false, fill, NULL, {CLOSE}},
	{"closed-in-the-middle", WRITES, STREAM | HAS_EOF, 0, false, false, NULL, NULL, {DRAIN_SOME, CLOSE}},
	{"reset-in-the-middle", WRITES, TCP, 0, false, false, NULL, NULL, {DRAIN_SOME, RESET}},
	{"nonblock", WRITES, 0, NO_PEER, false, false, NULL, nonblock, {NOTHING}},
	{"nonblock-full", WRITES, FILLS, 0, false, false, fill_and_nonblock, NULL, {NOTHING}},
	{"nonblock-later", WRITES, FILLS, 0, false, false, fill, NULL, {NONBLOCK_ON, DRAIN}},
	{"sndtimeo", WRITES, SOCKET | FILLS, 0, false, true, NULL, send_timeout, {NOTHING}},
	{"sndtimeo-full", WRITES, SOCKET | FILLS, 0, false, true, send_timeout_full, NULL, {NOTHING}},
	{"sndtimeo-long", WRITES, SOCKET | FILLS, 0, true, false, NULL, long_timeouts, {DRAIN}},
	{"refused", WRITES, UDP, 0, false, false, refuse_and_wait, NULL, {NOTHING}},
	{"refused-queued", WRITES, UDP, 0, false, false, refuse_queued, NULL, {NOTHING}},
	{"shut-write", WRITES, SOCKET, NO_PEER | UDP, false, false, shut_write, NULL, {NOTHING}},
	{"peer-shut-read", WRITES, LOCAL | FILLS, 0, false, false, peer_shut_read, NULL, {NOTHING}},
	{"full-shut-later", WRITES, LOCAL | FILLS, 0, false, false, fill, NULL, {SHUT_READ}},

	{"nonblock", WRITES, CONNECTS, 0, false, false, NULL, nonblock, {NOTHING}},
	{"nonblock-inherited", WRITES, CONNECTS, 0, false, false, nonblock, NULL, {NOTHING}},
	{"sndtimeo", WRITES, QUEUES, 0, false, true, NULL, send_timeout, {NOTHING}},
	{"accepted-later", WRITES, QUEUES, TCP, true, false, NULL, NULL, {ACCEPT}},
	{"closed-later", WRITES, QUEUES, TCP, true, false, NULL, NULL, {CLOSE}},
	{"sndtimeo-long", WRITES, QUEUES, TCP, true, false, NULL, long_timeouts, {ACCEPT}},
	{"nonblock-later", WRITES, QUEUES, TCP, false, false, NULL, NULL, {NONBLOCK_ON, ACCEPT}},
	/* The kernel sends its SYN again after a second. */
	{"accepted-a-second-later", WRITES, QUEUES | TCP, 0, false, true, NULL, NULL, {ACCEPT}},
	{"shut-later", WRITES, QUEUES | TCP, 0, true, false, NULL, NULL, {SHUT_SUBJECT}},
	{"sndtimeo-shut-later", WRITES, QUEUES | TCP, 0, true, false, NULL, long_timeouts, {SHUT_SUBJECT}},
	{"nonblock-shut-later", WRITES, QUEUES | TCP, 0, false, false, NULL, NULL, {NONBLOCK_ON, SHUT_SUBJECT}},
};

const size_t state_count = sizeof states / sizeof *states;
