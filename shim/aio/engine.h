/* engine.h - the thread that hands requests to the kernel.
 *
 * What a thread submits to an io_uring is that thread's: it is canceled when the thread ends, raises SIGXFSZ there,
 * and what is done interrupts its other calls (epoll_wait(2) returns EINTR).  All of that a program would notice.  So there is
 * one thread of ours, which blocks all signals, as libc's helper threads do, and the only user of its ring.  It exists once a
 * request could not be served at once, ends after a second without any, and is not there in the child of a fork.
 *
 * Requests run in parallel, but for those whose order can be told: on one fd, writes that append, ranges that overlap with
 * a write among them, and, after all that came before it, a sync.  */
#ifndef EAGAIN_AIO_ENGINE_H
#define EAGAIN_AIO_ENGINE_H

#include "request.h"

/* Whether requests can be sent to it; starts it.  False: the kernel has nothing for us, or forbids it, or not yet.  */
bool engine_serves(void);

/* Hands it a request, filled in but for `word`.  */
void engine_send(struct request *r);

/* A request was canceled: others may have waited for it.  */
void engine_notice(void);

/* Whether no write is under way: then what the program reads itself is in order.  */
bool engine_is_quiet(void);

/* Waits until nothing is under way.  */
void engine_finish(void);

/* The process enters a sandbox: ends it once nothing is under way.  */
void engine_leave(void);

#endif
