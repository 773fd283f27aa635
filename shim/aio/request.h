/* request.h - a request of POSIX AIO that the shim serves, and who waits for it.
 *
 * Requests are places in a table that never moves.  What became of one is told in the program's own request block, in the
 * fields where libc keeps it (<aio.h>): so aio_return(3) is libc's, but for the record of it.  The block also has a hint where its
 * place is, and as what it is recorded.  In the child of a fork the table is empty (MADV_WIPEONFORK): requests under way are the
 * parent's.
 *
 * Nothing here locks or allocates: a signal handler, and any number of threads, may be anywhere in it.  */
#ifndef EAGAIN_AIO_REQUEST_H
#define EAGAIN_AIO_REQUEST_H

#include <aio.h>
#include <signal.h>

#include "shim/lock.h"
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
	REQUEST_RUNNING,
	REQUEST_NOTIFYING,              /* the program can know, and is being told */
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

/* What streams.c knows of a request that it serves.  */
struct stream {
	int fd;                         /* a duplicate, in a table of its own; or -1 */
	uint8_t way;                    /* how it is attempted */
	bool local;                     /* on a unix socket */
	bool watched;                   /* the epoll instance knows the duplicate */
	bool parked;
	bool over;                      /* with this result, but nobody knows */
	long result;
	uint64_t look, end;             /* in ns: when it is to be attempted although it is not ready, and when to end; 0: never */
	uint32_t pause;                 /* in ns: between two such looks */
	struct request *before, *after; /* of those that are parked */
};

struct request {
	uint32_t word;
	uint32_t next;                  /* in a list of the table's: + 1 */
	struct aiocb *block;
	int fd, operation, priority;
	bool appends;
	bool buffered;                  /* a write to a file's pages in memory */
	bool on_stream;          /* it is on a stream (streams.h) */
	bool ready;                     /* the queue's: nothing has to come before it */
	bool over;                      /* and: it has ended, but nobody has been told */
	size_t moved;                   /* bytes, so far */
	void *buffer;
	size_t size;
	off_t offset;
	uint64_t since;                 /* clock_ticks() when it began to run, if it is recorded */
	struct notice notice;
	struct request *group;
	struct request *before, *after; /* the queue's, in the order of arrival */
	struct request *next_ready;     /* of those that are ready, or held by one */
	struct request *held, *blocker; /* the first that it holds; of one that is held, who holds it */
	struct stream stream;
	/* Of a group. */
	uint32_t pending;               /* members that are not done, and one for the call */
	bool waits;                     /* the call waits */
	bool failed;
};

/* All that is shared among the threads of a process.  */
struct requests {
	uint64_t free;                  /* the list of places given back: its first + 1, and above it, how often it was changed */
	uint32_t used;                  /* places that have ever been in use */
	uint32_t active_writes;         /* submitted, and not done, but for reads, and streams */
	uint32_t done;                  /* changes when something is done and is `watched` */
	bool watched;                   /* perhaps: a thread waits for a change of it */
	struct request table[REQUESTS];
};

/* Whether it is worth while to look again and again for what may be there soon, before going to sleep: as long as it was often
 * enough.  Threads may share it, and miscount.  */
struct patience {
	uint8_t failed, skip;
};

static inline bool patience_has(struct patience *p)
{
	uint8_t skip = LOAD(p->skip);

	if (skip)
		STORE(p->skip, (uint8_t)(skip - 1));
	return !skip;
}

static inline void patience_pays(struct patience *p)
{
	STORE(p->failed, 0);
}

static inline void patience_fails(struct patience *p)
{
	uint8_t failed = LOAD(p->failed);

	failed += failed < 6;
	STORE(p->failed, failed);
	STORE(p->skip, (uint8_t)(1u << failed));
}

/* NULL: there are none yet.  */
extern struct requests *requests;

static inline struct requests *requests_there(void)
{
	return __atomic_load_n(&requests, __ATOMIC_ACQUIRE);
}

static inline enum request_state request_state(uint32_t word)
{
	return (enum request_state)(word % REQUEST_STATES);
}

static inline uint32_t request_number(const struct request *r)
{
	return (uint32_t)(r - requests_there()->table) + 1;
}

/* NULL for 0.  */
static inline struct request *request_numbered(uint32_t n)
{
	return n ? &requests_there()->table[n - 1] : NULL;
}

static inline bool request_syncs(const struct request *r)
{
	return r->operation == REQUEST_SYNC || r->operation == REQUEST_DSYNC;
}

/* Makes the table, and its like, all of it 0, and so again in the child of a fork.  False: there is no memory.  */
bool requests_make(void);
bool requests_memory(void **at, size_t size);

/* A place that is not in use; NULL: there is none.  */
struct request *request_take(void);
void request_free(struct request *r);

/* The request that this block is used for, and its state; NULL: it is over, or not ours.  */
struct request *request_of(const struct aiocb *block, enum request_state *state);

/* The block is used for a request that is recorded as this, or, with 0, for one that is not; whether it is used for one that is; its
 * end, or its result, becomes known by this call, which is recorded once.  */
void request_is_recorded(struct aiocb *block, uint32_t number);
bool request_has_record(const struct aiocb *block);
void request_learn(const struct aiocb *block, enum call_id call);

/* The life of a request, once it is filled in: it is the engine's, or after all not; it is being performed; the program is told
 * what came of it; its place is given back by request_free().  */
void request_submit(struct request *r);
void request_withdraw(struct request *r);
void request_begin(struct request *r);
void request_tell(struct request *r, long result);

/* Whether only who asks is told: that is a few stores.  */
static inline bool request_is_silent(const struct request *r)
{
	return r->notice.how == SIGEV_NONE && !r->group;
}

/* An attempt has said that it would block; it waits no more.  */
void request_would_block(const struct request *r);
void request_ready(const struct request *r);

/* Whether no write is under way: then what the program reads itself is in order.  */
static inline bool requests_are_quiet(void)
{
	return !requests_there() || !__atomic_load_n(&requests_there()->active_writes, __ATOMIC_SEQ_CST);
}

/* What has been done can be seen: wakes those that wait in requests_wait().  */
void requests_wake(void);

/* Waits for more to be done than when requests_watch() was called; until `end` (CLOCK_MONOTONIC), if it is not NULL.  futex(2)'s
 * result. A cancellation point.  */
uint32_t requests_watch(void);
long requests_wait(uint32_t done, const struct timespec *end);

/* Waits until something is done, but no longer than a moment; whatever the caller's priority, the engine can run.  */
void requests_doze(void);

/* futex(2), on a word of this process.  */
long request_futex(const uint32_t *word, int operation, uint32_t value, const struct timespec *end);

/* For who sees that the block's request is over: returns once the notice of it was given.  */
void request_await_notice(const struct aiocb *block);

/* 0, or the error as libc has it: nobody could be told.  */
long notice_give(const struct notice *n);

/* A place becomes a group, with all else filled in.  */
void request_make_group(struct request *r);

/* A member of the group is done, or the call itself: the last gives the notice, and the group's place back.  */
void request_leave_group(struct request *group, bool failed);

/* Waits until all but the call itself have left.  0 or -EINTR.  */
long request_wait_group(const struct request *group);

#endif
