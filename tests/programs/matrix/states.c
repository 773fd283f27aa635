/* states.c - what happens to the fd before the call and while it waits.  */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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

/* Writes until no more goes in.  */
static bool fill(struct ends *e)
{
	static char block[65536];
	int flags = fcntl(e->subject, F_GETFL);

	fcntl(e->subject, F_SETFL, flags | O_NONBLOCK);
	for (size_t size = sizeof block; size; size /= 16)
		while (write(e->subject, block, size) > 0)
			;
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
};

const size_t state_count = sizeof states / sizeof *states;
