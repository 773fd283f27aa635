/* direct.c - a lone kernel thread waits on its own fd in ppoll(2).  */
#include <errno.h>
#include <poll.h>
#include <time.h>

#include "mux.h"
#include "shield.h"
#include "sys.h"

/* For ever, for a human; in read-only memory on purpose: ppoll writes the time left there, and where it cannot, a stop and
 * continue ends it with EINTR instead of restarting it (Linux, poll_select_finish).  A native write that has moved some bytes
 * returns them then, too.  */
static const struct timespec for_ever = {.tv_sec = 1000000000};

/* Behind the shield: how often a write to a unix stream asks whether the peer has shut down reading: poll does not tell.  */
static const struct timespec a_while = {.tv_nsec = 100000000};

static short events(const struct op *op)
{
	return op_writes(op) ? POLLOUT : POLLIN;
}

static bool must_ask(const struct op *op)
{
	return op->shielded && op_writes(op) && HINT_KIND(op->hint) == KIND_stream && (op->hint & HINT_LOCAL);
}

/* A send of no bytes has no other effect on a stream.  */
static bool is_refused(const struct op *op)
{
	return sys(SYS_sendto, op->fd, NULL, 0, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0) == -EPIPE;
}

static struct window open_window(const struct op *op, struct pollfd *p)
{
	return (struct window){
		.nr = SYS_ppoll,
		.arg = {(long)p, 1, must_ask(op) ? (long)&a_while : op->moved ? (long)&for_ever : 0, 0, 8},
		.counter = op->moved ? &signal_counts.any : &signal_counts.interrupting,
		.seen = op->moved ? op->seen.any : op->seen.interrupting,
	};
}

enum mux_outcome mux_direct(struct op *op, long *revents)
{
	struct pollfd p = {.fd = op->fd, .events = events(op)};
	struct window w;
	long result;

	for (;;) {
		w = open_window(op, &p);
		result = mux_cancellable(op, &w);
		if (result == 0 && !is_refused(op))
			continue;
		if (result != -EINTR && result != WINDOW_NOT_ENTERED)
			break;
		if (op->moved || result == WINDOW_NOT_ENTERED || w.fate == WINDOW_ENDS)
			return MUX_INTERRUPTED;
		if (w.fate == WINDOW_RESTARTS)
			op->seen.interrupting = signal_counts.interrupting;
		/* The call would begin anew, perhaps on what the handler has made of the fd; or a handler ran that is not ours to
		 * know (libc's, or one set by a raw system call): the plain call is right. */
		if (!op->shielded)
			return MUX_DONE;
	}
	if (result < 0 || (op->shielded && !shield_holds(op)))
		return MUX_DONE;
	*revents = p.revents;
	return MUX_READY;
}

static long look(const struct op *op, long *revents)
{
	struct pollfd p = {.fd = op->fd, .events = events(op)};
	struct timespec none = {0};
	long result = sys(SYS_ppoll, &p, 1, &none, NULL, 8);

	*revents = p.revents;
	return result;
}

bool mux_would_block(const struct op *op)
{
	long revents;

	return look(op, &revents) == 0;
}

bool mux_is_ready(const struct op *op)
{
	long revents;

	return look(op, &revents) > 0;
}

bool mux_is_broken(const struct op *op, long *revents)
{
	return look(op, revents) > 0 && (*revents & (POLLERR | POLLHUP));
}
