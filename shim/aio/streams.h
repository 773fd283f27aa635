/* streams.h - the multiplexer of requests on streams: on what can make one wait for others, as pipes and sockets do.
 *
 * Each that nothing has to come before is attempted; what would block is left to one epoll instance, until it is ready.  So a thousand
 * that wait need two threads: one begins them, one goes on with what has become ready.
 *
 * These two have a table of fds of their own (close_range(2), CLOSE_RANGE_UNSHARE), into which what they serve is duplicated with
 * pidfd_getfd(2) when it begins.  So the program sees none of it, and what waits stays on the file it began with, whatever becomes
 * of the program's fd: as a thread of libc's that waits in read(2).
 *
 * What cannot be attempted (terminals, FIFOs opened by name) is handed to a worker of the engine's, who waits in the plain call.  So is
 * all of it where the two cannot be had: Linux 5.9.  */
#ifndef EAGAIN_AIO_STREAMS_H
#define EAGAIN_AIO_STREAMS_H

#include "request.h"

bool streams_make(void);

/* Whether the two threads are there: told under the engine's lock.  */
bool streams_are_served(void);

/* The same, if need be started now.  Not under the lock.  */
bool streams_begin(void);

/* Whether a worker is to stay, for the last thread of a process runs exit(3): under the engine's lock.  Waits for the two to have ended,
 * if they are about to: not under the lock.  */
bool streams_need_worker(void);
void streams_join(void);

/* There is one that is ready, and perhaps nobody looks: under the engine's lock.  Whether streams_wake() is to be called after it.  */
bool streams_must_wake(void);
void streams_wake(void);

/* The process enters a sandbox: ends the two threads, once all is handed to workers.  */
void streams_leave(void);

#endif
