/* request.h - a request of POSIX AIO that the shim serves, and who waits for it.
 *
 * Requests are places in a table that never moves.  What became of one is told in the program's own request block, in the
 * fields where libc keeps it (<aio.h>): so aio_return(3) is libc's.  The block also has a hint where its place is.  In the child
 * of a fork the table is empty (MADV_WIPEONFORK): requests under way are the parent's.
 *
 * Nothing here locks or allocates: a signal handler, and any number of threads, may be anywhere in it.  */
#ifndef EAGAIN_AIO_REQUEST_H
#define EAGAIN_AIO_REQUEST_H

#include <aio.h>
#include <signal.h>

#include "shim/record.h"
#include "shim/shim.h"

enum {
	REQUESTS = 65536,               /* at a time; more are refused with EAGAIN */
	/* What libc takes besides LIO_READ and LIO_WRITE (aio_misc.h in glibc).  */
	REQUEST_DSYNC = LIO_NOP + 1,
	REQUEST_SYNC,
};

/* In the lowest bits of a request's word; above them is its generation.  */
enum request_state {
	REQUEST_FREE,
	REQUEST_QUEUED,                 /* can be canceled */
	REQUEST_RUNNING,                /* the kernel has it */
	REQUEST_CANCELED,               /* the program is about to know */
	REQUEST_DROPPED,                /* it knows; the engine gives the place back */
	REQUEST_DONE,                   /* the program is about to know */
	REQUEST_GROUP,                  /* none, but those of one lio_listio(3) */
	REQUEST_STATES = 8,
};

/* Whom to tell.  */
struct notice {
	int how;                        /* SIGEV_... */
	int signal;
	union sigval value;
	void (*function)(union sigval);
	pthread_attr_t *attributes;
	struct record_request of;       /* as what the request, or the list, is recorded */
};

struct request {
	uint32_t word;
	uint32_t next;                  /* in a list of the table's: + 1 */
	struct aiocb *block;
	int fd, operation, priority;
	bool appends;
	bool buffered;                  /* a write to a file's pages in memory */
	void *buffer;
	size_t size;
	off_t offset;
	uint64_t since;                 /* clock_ticks() when it began to run, if it is recorded */
	struct notice notice;
	struct request *group;
	struct request *before, *after; /* the engine's, in the order of arrival */
	/* Of a group. */
	uint32_t pending;               /* members that are not done, and one for the call */
	bool waits;                     /* the call waits */
	bool failed;
};

/* All that is shared among the threads of a process.  */
struct requests {
	uint64_t free;                  /* the list of places given back: its first + 1, and above it, how often it was changed */
	uint32_t used;                  /* places that have ever been in use */
	uint32_t sent;                  /* the list of those that the engine has not seen, the newest first */
	uint32_t active_writes;         /* sent, and not done, but for reads */
	uint32_t waiters;               /* threads that wait for a change of `done`; may be too many */
	uint32_t done;                  /* changes whenever something is done and there are waiters */
	const struct aiocb *noticed;    /* its notice is on its way */
	struct request table[REQUESTS];
};

/* NULL: there are none yet.  */
extern struct requests *requests;

static inline enum request_state request_state(uint32_t word)
{
	return (enum request_state)(word % REQUEST_STATES);
}

static inline bool request_syncs(const struct request *r)
{
	return r->operation == REQUEST_SYNC || r->operation == REQUEST_DSYNC;
}

/* Makes the table, whose memory is followed by `more` bytes of the engine's, all of it 0.  False: there is no memory.  */
bool requests_make(size_t more);

/* A place that is not in use; NULL: there is none.  */
struct request *request_take(void);
void request_free(struct request *r);

/* Its state now, if it is the one that *word had; changes *word with it.  */
bool request_change(struct request *r, uint32_t *word, enum request_state to);

/* The request that this block is used for; NULL: it is over, or not ours.  */
struct request *request_of(const struct aiocb *block, uint32_t *word);

/* The block is used for a request that is recorded as this.  And for who learns that it is over, or takes its result, with that: both are
 * recorded once.  */
void request_is_recorded(struct aiocb *block, uint32_t number);
bool request_is_ours(const struct aiocb *block);
void request_learn(const struct aiocb *block, enum call_id call);

/* Puts it where the engine finds it.  */
void request_send(struct request *r);

/* All that were sent, in their order, linked by `next`.  */
struct request *requests_sent(void);
struct request *request_next(const struct request *r);

/* Tells the program what became of one that is running, and gives its place back.  For the engine.  */
void request_complete(struct request *r, long result);

/* Tells the program that it is canceled, if it still has this word and is not running.  Its place is given back by the
 * engine.  */
bool request_cancel(struct request *r, uint32_t word);

/* What has been done can be seen: wakes those that wait in request_wait().  */
void requests_wake(void);

/* Waits for more to be done than when requests_watch() was called; until `end` (CLOCK_MONOTONIC), if it is not NULL.  futex(2)'s
 * result. A cancellation point.  */
uint32_t requests_watch(void);
long requests_wait(uint32_t done, const struct timespec *end);
void requests_unwatch(void);

/* Waits until something is done, but no longer than a moment; whatever the caller's priority, the engine can run.  */
void requests_doze(void);

/* futex(2), on a word of this process.  */
long request_futex(const uint32_t *word, int operation, uint32_t value, const struct timespec *end);

/* For who sees that the block's request is over: returns once the notice of it was given.  */
void request_await_notice(const struct aiocb *block);

/* 0, or the error as libc has it: nobody could be told.  */
long notice_give(const struct notice *n);

/* A member of the group is done, or the call itself: the last gives the notice, and the group's place back.  */
void request_leave_group(struct request *group, bool failed);

/* Waits until all but the call itself have left.  0 or -EINTR.  */
long request_wait_group(const struct request *group);

#endif
