/* queue.h - which request is next.
 *
 * Requests run in parallel, but for those whose order can be told: on one fd, writes that append, ranges that overlap with a
 * write among them, a write of memory that is read into, and, after all that came before it, a sync.  On a stream, reads, and
 * writes.  Writes to the pages of one file in memory, too: the kernel has one lock for them.  Of those that wait for each other the
 * higher priority is first, as with libc.
 *
 * No thread, no lock: the caller sees to it that there is one at a time.  */
#ifndef EAGAIN_AIO_QUEUE_H
#define EAGAIN_AIO_QUEUE_H

#include "request.h"

enum { QUEUE_LISTS = 64 };

/* All zero: empty.  */
struct queue {
	struct {
		struct request *first, *last;   /* in the order of arrival */
	} list[QUEUE_LISTS];                    /* by fd */
	struct queue_ready {
		struct request *first, *last;   /* whether there is one can be seen from outside */
		unsigned count;
	} ready, ready_streams;
	unsigned files, streams;                /* how many of each there are: can be seen from outside, too */
	bool has_priorities;                    /* or had once */
};

void queue_add(struct queue *q, struct request *r);

/* The same, if another has to come before it.  */
bool queue_add_behind(struct queue *q, struct request *r);

/* One that nothing has to come before, of these that are ready; it has begun now.  NULL: there is none.  */
struct request *queue_take(struct queue_ready *ready);

/* One that had begun is over.  */
void queue_end(struct queue *q, struct request *r);

/* The same in two steps, between which the program is told: so it cannot cancel the request any more, but none that has to come after
 * it begins, and is over, sooner.  */
void queue_leave(struct request *r);
void queue_release(struct queue *q, struct request *r);

/* Whether one of this fd has not ended, or been told of.  */
bool queue_has(const struct queue *q, int fd);

/* What has not begun, of this block, or if that is NULL, of this fd, leaves; linked by next_ready.  *begun: there is more.  */
struct request *queue_withdraw(struct queue *q, int fd, const struct aiocb *block, bool *begun);

#endif
