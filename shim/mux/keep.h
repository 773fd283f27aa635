/* keep.h - poll() and select() at the cost of what is ready: the program's array stays registered between its calls.
 *
 * The kernel walks the whole array at each call.  An array that comes again and again, with many fds of which few are ready, gets an
 * interest set (interest.h); a call on it compares the array with what it was, tells the kernel what has changed, asks epoll which
 * fds may be ready, and poll(2) about those: so whatever the program reads is the kernel's own answer.  What could be missed is an fd
 * whose number has got a new meaning without our hearing of it (libc's insides, raw system calls): so a slice of the entries is
 * verified every now and then (KEEP_SLICE), while the program polls and while it waits; what was missed is found after as many
 * slices as it takes to go round once.
 *
 * Each set has an account of what it saves the kernel and what it costs.  One that does not pay is left, and not begun again soon.
 *
 * Whatever is in doubt, and what would not gain, is the plain call: keep_serve() says why.  */
#ifndef EAGAIN_KEEP_H
#define EAGAIN_KEEP_H

#include "interest.h"
#include "shim/op.h"

enum {
	KEEP_MIN = 64,                  /* fds: fewer cost the kernel little */
};

/* Whether it may be worth while to ask keep_serve().  */
static inline bool keep_may_serve(const struct op *op)
{
	return (op->class == OP_POLL && (unsigned)op->arg[1] >= KEEP_MIN) || (op->class == OP_SELECT && op->arg[0] >= KEEP_MIN);
}

/* Of the calls on arrays that are not kept, those with so many entries, together, need not be looked at: others have shown how
 * little there is to learn.  */
extern uint32_t keep_skips;
bool keep_has(uintptr_t address);

static inline bool keep_skip(uintptr_t address, unsigned count)
{
	uint32_t skips = LOAD(keep_skips);

	if (skips < count || keep_has(address))
		return false;
	STORE(keep_skips, skips - count);
	return true;
}

/* Performs a poll or select on a kept set: true, with the kernel's result.  False: the plain call is to be made; op->why says why.
 * A cancellation point.  */
bool keep_serve(struct op *op, long *result);

/* The plain call has been made, with this result: what can be learned from it for the next.  */
void keep_learn(const struct op *op, long result);

/* fd is about to be closed, or has become another.  For fds with HINT_KEPT, which goes; not in a vfork child, which has fds of its own.
 * Signal- and thread-safe.  */
void keep_forget(int fd);

/* Whether an array that is kept asks for this number.  */
bool keep_asks_for(int fd);

/* A program that has used SS_AUTODISARM (sigaltstack(2)): where a handler runs does not tell what it has interrupted.  */
void keep_autodisarm(void);

/* Of hidden.h.  In the child of a fork: the sets are its parent's.  Waits, not for long, until no other thread uses a set.  */
void keep_forked(void);
void keep_wait_left(void);

#endif
