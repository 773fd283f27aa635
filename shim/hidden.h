/* hidden.h - descriptors of our own, where the program does not meet them: epoll instances.
 *
 * They are at the end of its descriptor table as it is.  When the program comes near they go, or, in a process with threads, move; near
 * RLIMIT_NOFILE there are none.  None is made while the process has threads, for each has the lowest free number for a moment, which may
 * be what another thread counts on: some are stocked before the first thread is started.
 *
 * The program can close them, and their numbers be its own by then: so each has a mark, an eventfd that is registered in it, and
 * what does not have its mark is not ours.  The mark also wakes who waits.  An instance may move or go at any time: its number is
 * to be asked for each time, and what fails with it is not there.  */
#ifndef EAGAIN_HIDDEN_H
#define EAGAIN_HIDDEN_H

#include "shim.h"

#define HIDDEN_WAKE (~0ull)     /* the data of the mark's event */

struct hidden;

/* An fd of the program's with this number, or a larger one, is close to one of ours, or to the limit.  */
extern int hidden_ceiling;

/* Whether we may have any: not in a vfork child, which has our memory but fds of its own, nor in a sandbox.  In a child that was
 * forked behind our back its parent's are closed first.  False as long as nobody has called hidden_start().  */
bool hidden_is_own(void);
bool hidden_start(void);

/* An empty instance, for a program with fds up to `top`; NULL: none can be had.  One that `stays` is taken away only near the limit;
 * it moves, and the table becomes larger somewhat earlier than the program would have it.  */
struct hidden *hidden_take(int top, bool stays);

/* It is not used any more; `empty`: nothing is registered in it.  */
void hidden_put(struct hidden *h, bool empty);

/* Its number; -1: it has been closed.  */
int hidden_number(const struct hidden *h);

/* Ends another thread's wait in it, with HIDDEN_WAKE.  */
void hidden_wake(struct hidden *h);

/* Whether fd is one of ours.  */
bool hidden_has(int fd);

/* The program names a number of ours, which it has not got: it finds it free.  */
void hidden_give_up(int fd);

/* A program that waits for numbers it has not got might mean ours: nothing is hidden any more.  */
void hidden_end(void);

/* Descriptors, or a user's epoll registrations, have run out: gives back what we have; false where there was nothing.  */
bool hidden_give_back(void);

/* The program has got, or asks for, a number as high as this, and must find those free that it comes to next.  */
void hidden_make_way(int fd);

static inline void hidden_notice(long fd)
{
	if (unlikely(fd >= LOAD(hidden_ceiling)))
		hidden_make_way((int)fd);
}

/* A thread is about to be started, perhaps its first.  */
void hidden_stock(void);

/* The process enters a sandbox: nothing is left of us.  */
void hidden_leave(void);

/* In the child of a fork: they are its parent's.  */
void hidden_forked(void);

#endif
