/* mux.h - the multiplexer: how an operation waits.
 *
 * One entrance, and behind it the cheapest way that serves.  Waiting in the plain call is exact by construction, and with an
 * attempt before it costs less than poll and a second attempt; so ppoll serves only where the plain call cannot: for the rest
 * of a write that was cut, and where O_NONBLOCK is on the fd.  */
#ifndef EAGAIN_MUX_H
#define EAGAIN_MUX_H

#include "op.h"

enum mux_outcome {
	MUX_READY,              /* attempt again; *result = revents, or 0: the peer takes no more, and nothing else tells */
	MUX_INTERRUPTED,        /* a signal ends the operation */
	MUX_DONE,               /* the wait was the native call for all that is left; *result is its result */
};

/* Waits until op can be attempted again, or is over.  `ready_before`: the last wait said ready, and the attempt after it would
 * have blocked again: poll and the call do not agree on this fd.  A cancellation point.  */
enum mux_outcome mux_wait(struct op *op, bool ready_before, long *result);

/* The native call, for all of the operation or for what is left of it.  Ends with -EINTR also where the signal came after the
 * operation began but before the kernel was entered.  A cancellation point.  */
long mux_plain(const struct op *op);

/* The same, but WINDOW_NOT_ENTERED (signals.h) where it was not the kernel that said EINTR.  `only`: nothing went before, and the
 * kernel alone decides what interrupts it.  */
long mux_enter(const struct op *op, bool only);

/* A system call through the window, as a cancellation point: libc's own calls are in this way; in a process without threads they
 * do not look, and nor do we.  */
long mux_cancellable(const struct op *op, const struct window *w);

/* Whether the operation would block now, by poll(2) with no timeout.  */
bool mux_would_block(const struct op *op);

/* Whether its fd has an error or a hang-up now: *revents.  */
bool mux_is_broken(const struct op *op, long *revents);

/* Whether it would certainly not: poll may also fail.  */
bool mux_is_ready(const struct op *op);

/* ppoll on the op's own fd.  */
enum mux_outcome mux_direct(struct op *op, long *revents);

#endif
