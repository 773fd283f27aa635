/* engine.h - the threads that perform requests.
 *
 * What is on a file each does by the plain call, pread(2), pwrite(2) or fsync(2), as libc's threads do, so that the end of the process, a closed
 * fd, a lock, a limit and a sandbox mean the same for it.  But libc has one thread for each fd; here as many as are needed serve
 * one fd, up to a bound.
 *
 * What the kernel can do by itself is no thread, and a program can tell: what io_uring(7) was given before the process was killed
 * lands after it was waited for; so do, with io_submit(2), a file and its locks stay in use for a moment after the last close(2)
 * that followed the result.
 *
 * There is a thread once a request could not be served at once; it ends after a second without any, as libc's does.  None is
 * there in the child of a fork.  */
#ifndef EAGAIN_AIO_ENGINE_H
#define EAGAIN_AIO_ENGINE_H

#include "request.h"

/* For streams.c, whose threads block signals: the lock of all that is told to be under it.  */
void engine_lock(void);
void engine_unlock(void);

/* Under the lock, which it gives back: the reason for which a worker remained may be no more.  */
void engine_let_worker_go(void);

/* Starts a thread of ours; it has the mask, and the fds, of who starts it.  False: there can be none.  */
bool engine_start_thread(pthread_t *thread, void *(*function)(void *), void *arg);

/* Under the lock: a request on a stream, which has begun now; whether one is under way.  */
struct request *engine_take_stream(void);
bool engine_has_streams(void);

/* One that it took is over; or is to be gone on with, or told, by a worker.  Not under the lock.  */
void engine_end(struct request *r, long result);
void engine_hand_over(struct request *r);

/* There are places for requests, and a queue.  False: there is no memory.  */
bool engine_make(void);

/* Hands it requests that were submitted, linked by `after`, in their order.  False: there can be no thread; they are the caller's
 * still.  */
bool engine_send(struct request *r);

/* The same for one on a stream, without a look at anything, if it has to come after what is under way: in a sandbox the worker that
 * performs this goes on with it.  */
bool engine_send_behind(struct request *r);

/* Cancels what has not begun, of this block, or if that is NULL, of this fd.  AIO_CANCELED, AIO_NOTCANCELED (a request has begun),
 * or AIO_ALLDONE.  */
int engine_cancel(int fd, const struct aiocb *block);

/* Whether something is under way on this fd that is on a stream.  */
bool engine_has(int fd);

/* Whether its threads have the same fds as this one: those of who started the first.  False, too, where that is not told.  */
bool engine_shares_fds(void);

/* Waits until nothing is under way.  */
void engine_finish(void);

/* The process enters a sandbox: ends the threads, once nothing is under way.  */
void engine_leave(void);

#endif
