/* engine.c - its thread, which has most of this file for itself, and how it is started, told, and ended.  */
#include "engine.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>

#include "shim/calls/calls.h"
#include "shim/clock.h"
#include "shim/libc.h"
#include "shim/sys.h"
#include "uring.h"

enum status { NONE, STARTS, RUNS, REFUSED };

enum {
	STACK_SIZE = 256 << 10,         /* libc's thread-local data is on it, too */
	WRITES_ITSELF_MAX = 64 << 10,
	SLOW_NS = 2000000,
	SLOW_WRITES = 256,
};

struct engine {
	uint32_t status;
	uint32_t sleeps;                /* it is about to wait in the kernel: whoever sends something tells it */
	uint32_t told;                  /* changes then */
	uint32_t leaving;
	pthread_t thread;
	/* The thread's own. */
	struct uring ring;
	unsigned slow;                  /* so many writes are left to the kernel */
	bool listens;                   /* the kernel waits for `told` */
	unsigned running;
	unsigned held;                  /* requests that are not running */
	struct request *first, *last;
};

static struct engine *engine(void)
{
	return (struct engine *)(requests + 1);
}

static long futex(const uint32_t *word, int operation, uint32_t value)
{
	return sys(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

/* Requests on the same fd, q before r: whether r waits for q, or, were q the later one, q for r.  */
static bool are_ordered(const struct request *q, const struct request *r)
{
	if (request_syncs(q) || q->fd != r->fd)
		return false;
	if (request_syncs(r))
		return true;
	if (r->stream)
		return q->operation == r->operation;
	if (q->operation == LIO_READ && r->operation == LIO_READ)
		return false;
	if (q->appends || r->appends)
		return true;
	return (uint64_t)q->offset < (uint64_t)r->offset + r->size && (uint64_t)r->offset < (uint64_t)q->offset + q->size;
}

static enum request_state state_of(const struct request *r)
{
	return request_state(__atomic_load_n(&r->word, __ATOMIC_ACQUIRE));
}

/* Of those that are not running, the one with the higher priority is first, as with libc.  */
static bool must_wait(const struct request *r)
{
	bool later = false;

	if (r->operation == LIO_READ && !r->stream && !__atomic_load_n(&requests->active_writes, __ATOMIC_SEQ_CST))
		return false;
	for (const struct request *q = engine()->first; q; q = q->after) {
		enum request_state state = state_of(q);

		if (q == r)
			later = true;
		else if (state == REQUEST_RUNNING && (later ? are_ordered(r, q) && !request_syncs(r) : are_ordered(q, r)))
			return true;
		else if (state == REQUEST_QUEUED && (later ? q->priority > r->priority && !request_syncs(q) && are_ordered(r, q)
						   : (q->priority >= r->priority || request_syncs(r)) && are_ordered(q, r)))
			return true;
	}
	return false;
}

static void append(struct request *r)
{
	struct engine *e = engine();

	r->before = e->last;
	r->after = NULL;
	*(e->last ? &e->last->after : &e->first) = r;
	e->last = r;
}

static void take_out(struct request *r)
{
	struct engine *e = engine();

	*(r->before ? &r->before->after : &e->first) = r->after;
	*(r->after ? &r->after->before : &e->last) = r->before;
}

/* What is left of it, to the kernel.  */
static void submit(struct request *r)
{
	struct uring_sqe *sqe = uring_sqe(&engine()->ring);

	sqe->fd = r->fd;
	sqe->data = (uintptr_t)r;
	if (r->polls) {
		sqe->opcode = URING_POLL;
		sqe->op_flags = POLLOUT;
	} else if (request_syncs(r)) {
		sqe->opcode = URING_FSYNC;
		sqe->op_flags = r->operation == REQUEST_DSYNC ? URING_FSYNC_DATASYNC : 0;
	} else {
		sqe->opcode = r->operation == LIO_READ ? URING_READ : URING_WRITE;
		sqe->address = (uintptr_t)r->buffer + r->moved;
		sqe->size = (uint32_t)(r->size - r->moved);
		sqe->offset = (uint64_t)r->offset;
	}
}

/* The rest of a write to a stream is written when there is room; where its end is gone meanwhile, what was written is the result,
 * and the error is left for the next call (op.c).  True: it goes on.  */
static bool goes_on(struct request *r, long *result)
{
	if (!r->stream || r->operation != LIO_WRITE)
		return false;
	if (r->polls) {
		r->polls = false;
		if (*result > 0 && !(*result & (POLLERR | POLLHUP)))
			return true;
		*result = (long)r->moved;
		return false;
	}
	if (*result > 0 && (size_t)*result < r->size - r->moved) {
		r->moved += (size_t)*result;
		r->polls = true;
		return true;
	}
	if (*result > 0 || r->moved)
		*result = (long)r->moved + (*result > 0 ? *result : 0);
	return false;
}

/* Results that have come.  Whether there were any.  */
static bool reap(void)
{
	struct engine *e = engine();
	const struct uring_cqe *cqe;
	bool any = false;

	while ((cqe = uring_peek(&e->ring))) {
		struct request *r = (struct request *)(uintptr_t)cqe->data;
		long result = cqe->result;

		uring_pop(&e->ring);
		if (!r) {
			e->listens = false;
			continue;
		}
		if (goes_on(r, &result)) {
			submit(r);
			continue;
		}
		e->running--;
		take_out(r);
		request_complete(r, result);
		any = true;
	}
	if (any)
		requests_wake();
	return any;
}

/* A small write to memory that nothing else would wait for: the kernel would hand it to a thread of its own, one after the other for
 * each file.  Where writing is slow, because too much of that memory has not reached the disk, the kernel does it for a while.  */
static bool writes_itself(const struct request *r)
{
	struct engine *e = engine();

	if (!r->buffered || r->size > WRITES_ITSELF_MAX || e->running || e->first != r || e->last != r)
		return false;
	if (e->slow) {
		e->slow--;
		return false;
	}
	return true;
}

static void write_itself(struct request *r)
{
	uint64_t begin = clock_ns();
	long result = sys(SYS_pwrite64, r->fd, r->buffer, r->size, r->offset);

	if (clock_ns() - begin > SLOW_NS)
		engine()->slow = SLOW_WRITES;
	take_out(r);
	request_complete(r, result);
	requests_wake();
}

static void drop_canceled(struct request *r)
{
	engine()->held--;
	take_out(r);
	request_free(r);
}

/* Hands it to the kernel, if nothing is to be waited for.  */
static void start(struct request *r)
{
	struct engine *e = engine();
	uint32_t word = __atomic_load_n(&r->word, __ATOMIC_ACQUIRE);

	if (request_state(word) == REQUEST_RUNNING || e->running + 2 > e->ring.room)
		return;
	if (request_state(word) == REQUEST_QUEUED && must_wait(r))
		return;
	if (request_state(word) == REQUEST_CANCELED || !request_change(r, &word, REQUEST_RUNNING)) {
		drop_canceled(r);
		return;
	}
	e->held--;
	if (writes_itself(r)) {
		write_itself(r);
		return;
	}
	e->running++;
	submit(r);
}

static void start_held(void)
{
	struct request *after;

	for (struct request *r = engine()->first; r && engine()->held; r = after) {
		after = r->after;
		start(r);
	}
}

/* Those that have arrived.  */
static bool take_sent(void)
{
	struct request *next, *r = requests_sent();
	bool any = r != NULL;

	for (; r; r = next) {
		next = request_next(r);
		engine()->held++;
		append(r);
		start(r);
	}
	return any;
}

/* Waits for a result, or to be told.  */
static void sleep_in_kernel(void)
{
	struct engine *e = engine();
	uint32_t told = __atomic_load_n(&e->told, __ATOMIC_SEQ_CST);
	bool idle;

	__atomic_store_n(&e->sleeps, 1, __ATOMIC_SEQ_CST);
	idle = !__atomic_load_n(&requests->sent, __ATOMIC_SEQ_CST) && !__atomic_load_n(&e->leaving, __ATOMIC_SEQ_CST);
	if (idle && !e->listens && e->running) {
		uring_wait_word(&e->ring, &e->told, told, 0);
		e->listens = true;
	}
	if (idle && !e->running && !e->ring.unsent)
		futex(&e->told, FUTEX_WAIT, told);
	else
		uring_enter(&e->ring, idle);
	__atomic_store_n(&e->sleeps, 0, __ATOMIC_SEQ_CST);
}

static void tell_status(enum status status)
{
	__atomic_store_n(&engine()->status, status, __ATOMIC_SEQ_CST);
	futex(&engine()->status, FUTEX_WAKE, INT_MAX);
}

static void *run(void *unused)
{
	struct engine *e = engine();

	if (!uring_open(&e->ring)) {
		tell_status(REFUSED);
		return unused;
	}
	tell_status(RUNS);
	while (e->first || __atomic_load_n(&requests->sent, __ATOMIC_SEQ_CST) || !__atomic_load_n(&e->leaving, __ATOMIC_SEQ_CST)) {
		bool any = take_sent();

		if (reap())
			any = true;
		if (e->held)
			start_held();
		if (!any)
			sleep_in_kernel();
		else if (e->ring.unsent)
			uring_enter(&e->ring, false);
	}
	return unused;
}

/* Whoever reads `told` before it has changed has not told the kernel yet to wait for it.  */
void engine_notice(void)
{
	struct engine *e = engine();

	if (!__atomic_load_n(&e->sleeps, __ATOMIC_SEQ_CST) || !__atomic_exchange_n(&e->sleeps, 0, __ATOMIC_SEQ_CST))
		return;
	__atomic_add_fetch(&e->told, 1, __ATOMIC_SEQ_CST);
	futex(&e->told, FUTEX_WAKE, INT_MAX);
}

void engine_send(struct request *r)
{
	uint32_t word = __atomic_load_n(&r->word, __ATOMIC_RELAXED);

	request_change(r, &word, REQUEST_QUEUED);
	request_send(r);
	engine_notice();
}

bool engine_is_quiet(void)
{
	return !requests || !__atomic_load_n(&requests->active_writes, __ATOMIC_SEQ_CST);
}

/* The thread, with all signals blocked but those of libc's own, 32 and 33 (nptl(7)): setuid(3) has to reach it.  */
static bool create(void)
{
	struct engine *e = engine();
	uint64_t all = ~(3ull << 31), own;
	pthread_attr_t attributes;
	int error;

	prepare_for_threads();
	pthread_attr_init(&attributes);
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &own, sizeof own);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	error = libc.pthread_create(&e->thread, &attributes, run, NULL);
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &own, NULL, sizeof own);
	pthread_attr_destroy(&attributes);
	return error == 0;
}

/* pthread_join(3) is a cancellation point, and what is served here is none.  */
static void await_end(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	libc.pthread_join(engine()->thread, NULL);
	pthread_setcancelstate(state, NULL);
}

static bool begin(void)
{
	struct engine *e = engine();

	if (!create()) {
		tell_status(NONE);
		return false;
	}
	while (__atomic_load_n(&e->status, __ATOMIC_SEQ_CST) == STARTS)
		futex(&e->status, FUTEX_WAIT, STARTS);
	if (e->status == RUNS)
		return true;
	await_end();
	return false;
}

bool engine_serves(void)
{
	uint32_t expected = NONE;

	if (!requests_make(sizeof(struct engine)))
		return false;
	if (likely(__atomic_load_n(&engine()->status, __ATOMIC_SEQ_CST) == RUNS))
		return true;
	return __atomic_compare_exchange_n(&engine()->status, &expected, STARTS, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) && begin();
}

static bool has_stream(void)
{
	for (uint32_t i = 0; i < requests->used; i++) {
		const struct request *r = &requests->table[i];
		enum request_state state = state_of(r);

		if ((state == REQUEST_QUEUED || state == REQUEST_RUNNING) && r->stream)
			return true;
	}
	return false;
}

void engine_leave(void)
{
	if (!requests || __atomic_load_n(&engine()->status, __ATOMIC_SEQ_CST) != RUNS || has_stream())
		return;
	__atomic_store_n(&engine()->leaving, 1, __ATOMIC_SEQ_CST);
	engine_notice();
	await_end();
	engine()->leaving = 0;
	engine()->listens = false;
	__atomic_store_n(&engine()->status, NONE, __ATOMIC_SEQ_CST);
}
