/* engine.c - its thread, which has most of this file for itself, and how it is started, told, and ended.  */
#include "engine.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "shim/calls/calls.h"
#include "shim/clock.h"
#include "shim/libc.h"
#include "shim/sys.h"
#include "uring.h"

enum sleep { AWAKE, IN_FUTEX, IN_RING };

enum status { NONE, STARTS, RUNS, LEAVES, REFUSED };

enum {
	STACK_SIZE = 256 << 10,         /* libc's thread-local data is on it, too */
	WRITES_ITSELF_MAX = 64 << 10,
	SLOW_NS = 2000000,
	SLOW_WRITES = 256,
};

struct engine {
	uint32_t status;
	uint32_t sleeps;                /* it is about to wait: whoever sends something tells it */
	uint32_t told[2];               /* changes then: for the one or the other way of waiting */
	pthread_t thread;
	/* The thread's own. */
	struct uring ring;
	unsigned slow;                  /* so many writes are left to the kernel */
	bool ended;                     /* requests, since who waits was told */
	bool listens;                   /* the kernel waits for told[IN_RING] */
	unsigned running;
	unsigned held;                  /* requests that are not running */
	struct request *first, *last;
};

static struct engine *engine(void)
{
	return (struct engine *)(requests + 1);
}

/* Whether r, which arrived after q, must not begin before q is over.  */
static bool are_ordered(const struct request *q, const struct request *r)
{
	if (request_syncs(q) || q->fd != r->fd)
		return false;
	if (request_syncs(r))
		return true;
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

/* Whether q is to be over before r begins; `later`: q arrived after r.  Of those that have not begun, the one with the higher
 * priority is first, as with libc.  */
static bool goes_first(const struct request *q, const struct request *r, bool later)
{
	enum request_state state = state_of(q);

	if (state != REQUEST_RUNNING && state != REQUEST_QUEUED)
		return false;
	if (!(later ? are_ordered(r, q) : are_ordered(q, r)))
		return false;
	if (state == REQUEST_RUNNING)
		return true;
	return later ? !request_syncs(q) && q->priority > r->priority : request_syncs(r) || q->priority >= r->priority;
}

static bool must_wait(const struct request *r)
{
	bool later = false;

	if (r->operation == LIO_READ && engine_is_quiet())
		return false;
	for (const struct request *q = engine()->first; q; q = q->after) {
		if (q == r)
			later = true;
		else if (goes_first(q, r, later))
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

/* The request is over.  */
static void end(struct request *r, long result)
{
	take_out(r);
	request_complete(r, result);
	engine()->ended = true;
}

/* By the plain call, and waits for it.  */
static long perform(const struct request *r)
{
	if (request_syncs(r))
		return sys(r->operation == REQUEST_DSYNC ? SYS_fdatasync : SYS_fsync, r->fd);
	return sys(r->operation == LIO_READ ? SYS_pread64 : SYS_pwrite64, r->fd, r->buffer, r->size, r->offset);
}

/* All that is unsent; what the kernel has no memory for is done here.  */
static void send_all(bool wait)
{
	struct engine *e = engine();
	const struct uring_sqe *sqe;

	if (uring_enter(&e->ring, wait) || !e->ring.unsent)
		return;
	while ((sqe = uring_take_back(&e->ring))) {
		struct request *r = (struct request *)(uintptr_t)sqe->data;

		if (!r) {
			e->listens = false;
			continue;
		}
		e->running--;
		end(r, perform(r));
	}
	uring_all_taken_back(&e->ring);
}

/* To the kernel.  */
static void submit(struct request *r)
{
	struct uring_sqe *sqe;

	if (uring_is_full(&engine()->ring))
		send_all(false);
	sqe = uring_sqe(&engine()->ring);
	sqe->fd = r->fd;
	sqe->data = (uintptr_t)r;
	if (request_syncs(r)) {
		sqe->opcode = URING_FSYNC;
		sqe->op_flags = r->operation == REQUEST_DSYNC ? URING_FSYNC_DATASYNC : 0;
	} else {
		sqe->opcode = r->operation == LIO_READ ? URING_READ : URING_WRITE;
		sqe->address = (uintptr_t)r->buffer;
		sqe->size = (uint32_t)r->size;
		sqe->offset = (uint64_t)r->offset;
	}
}

/* Results that have come.  */
static void reap(void)
{
	struct engine *e = engine();
	const struct uring_cqe *cqe;

	while ((cqe = uring_peek(&e->ring))) {
		struct request *r = (struct request *)(uintptr_t)cqe->data;
		long result = cqe->result;

		uring_pop(&e->ring);
		if (!r) {
			e->listens = false;
			continue;
		}
		e->running--;
		/* The kernel found no thread for it (RLIMIT_NPROC, pids.max): nobody else cancels what it has. */
		end(r, result == -ECANCELED ? perform(r) : result);
	}
}

/* A small write to memory that nothing else would wait for: the kernel would hand it to a thread of its own, one after the other
 * for each file.  Where writing is slow, because too much of that memory has not reached the disk, the kernel does it for a
 * while.  */
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
	long result = perform(r);

	if (clock_ns() - begin > SLOW_NS)
		engine()->slow = SLOW_WRITES;
	end(r, result);
}

static void drop(struct request *r)
{
	engine()->held--;
	take_out(r);
	request_free(r);
}

/* Hands it to the kernel, if nothing is to be waited for.  One that is being canceled is dropped later.  */
static void start(struct request *r)
{
	struct engine *e = engine();
	uint32_t word = __atomic_load_n(&r->word, __ATOMIC_ACQUIRE);

	if (request_state(word) == REQUEST_DROPPED) {
		drop(r);
		return;
	}
	if (request_state(word) != REQUEST_QUEUED || e->running + 2 > e->ring.room || uring_is_full(&e->ring) || must_wait(r) ||
	    !request_change(r, &word, REQUEST_RUNNING))
		return;
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
static void take_sent(void)
{
	struct request *next;

	for (struct request *r = requests_sent(); r; r = next) {
		next = request_next(r);
		engine()->held++;
		append(r);
		start(r);
	}
}

static bool has_sent(void)
{
	return __atomic_load_n(&requests->sent, __ATOMIC_SEQ_CST) != 0;
}

static bool leaves(void)
{
	return __atomic_load_n(&engine()->status, __ATOMIC_SEQ_CST) == LEAVES;
}

/* The ring, in which the thread waits for results, wakes it also when the word changes.  */
static void listen_in_ring(uint32_t told)
{
	struct engine *e = engine();

	if (e->listens)
		return;
	if (uring_is_full(&e->ring))
		send_all(false);
	uring_wait_word(&e->ring, &e->told[IN_RING - 1], told, 0);
	e->listens = true;
}

/* Waits for a result, or to be told; where there is nothing that could have a result, in the cheaper way.  False: for a second
 * there was nothing to do.  */
static bool sleep_in_kernel(void)
{
	static const struct timespec second = {.tv_sec = 1};
	struct engine *e = engine();
	enum sleep way = e->running ? IN_RING : IN_FUTEX;
	uint32_t told = __atomic_load_n(&e->told[way - 1], __ATOMIC_SEQ_CST);
	long result = 0;

	__atomic_store_n(&e->sleeps, way, __ATOMIC_SEQ_CST);
	if (has_sent() || (leaves() && !e->first)) {
		send_all(false);
	} else if (way == IN_FUTEX) {
		result = request_futex(&e->told[way - 1], FUTEX_WAIT, told, &second);
	} else {
		listen_in_ring(told);
		send_all(true);
	}
	__atomic_store_n(&e->sleeps, AWAKE, __ATOMIC_SEQ_CST);
	return result != -ETIMEDOUT;
}

static void tell_status(enum status status)
{
	__atomic_store_n(&engine()->status, status, __ATOMIC_SEQ_CST);
	request_futex(&engine()->status, FUTEX_WAKE, INT_MAX, NULL);
}

/* There was nothing to do for a while: whoever has something now starts another, as with libc's threads.  A process whose last
 * other thread has ended ends with this one.  False: somebody was faster.  */
static bool retire(void)
{
	struct engine *e = engine();
	pthread_t self = e->thread;
	uint32_t status = RUNS;

	if (e->first || !__atomic_compare_exchange_n(&e->status, &status, NONE, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return false;
	status = NONE;
	if (has_sent() && __atomic_compare_exchange_n(&e->status, &status, RUNS, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return false;
	pthread_detach(self);
	return true;
}

static void work(void)
{
	struct engine *e = engine();

	while (e->first || has_sent() || !leaves()) {
		take_sent();
		reap();
		start_held();
		if (e->ended) {
			e->ended = false;
			requests_wake();
		} else if (!sleep_in_kernel() && retire()) {
			return;
		}
	}
}

static void *run(void *unused)
{
	struct engine *e = engine();
	struct uring_memory memory;

	record_own_thread();
	/* A filter that somebody else has put on may kill who asks for a ring. */
	if (sys(SYS_prctl, PR_GET_SECCOMP) != 0 || !uring_open(&e->ring)) {
		tell_status(REFUSED);
		return unused;
	}
	memory = e->ring.memory;
	e->listens = false;
	tell_status(RUNS);
	work();
	uring_close(&memory);
	return unused;
}

/* The word changes before anybody waits for what it was, or wakes who does.  */
void engine_notice(void)
{
	struct engine *e = engine();
	uint32_t way = __atomic_load_n(&e->sleeps, __ATOMIC_SEQ_CST);

	if (way)
		way = __atomic_exchange_n(&e->sleeps, AWAKE, __ATOMIC_SEQ_CST);
	if (!way)
		return;
	__atomic_add_fetch(&e->told[way - 1], 1, __ATOMIC_SEQ_CST);
	request_futex(&e->told[way - 1], FUTEX_WAKE, 1, NULL);
}

bool engine_is_quiet(void)
{
	return !requests || !__atomic_load_n(&requests->active_writes, __ATOMIC_SEQ_CST);
}

/* All but libc's own, 32 and 33 (nptl(7)): setuid(3) has to reach each thread.  A thread begins with the mask of who starts
 * it.  */
static uint64_t block_signals(void)
{
	uint64_t all = ~(3ull << 31), own = 0;

	sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &own, sizeof own);
	return own;
}

static void unblock_signals(uint64_t own)
{
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &own, NULL, sizeof own);
}

/* pthread_join(3) is a cancellation point, and what is served here is none.  */
static void await_end(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	libc.pthread_join(engine()->thread, NULL);
	pthread_setcancelstate(state, NULL);
}

static void await_start(void)
{
	uint32_t status;

	while ((status = __atomic_load_n(&engine()->status, __ATOMIC_SEQ_CST)) == STARTS || status == LEAVES)
		request_futex(&engine()->status, FUTEX_WAIT, status, NULL);
}

/* False: there cannot be one, or none now.  */
static bool begin(void)
{
	struct engine *e = engine();
	pthread_attr_t attributes;
	int error;

	prepare_for_threads();
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	error = libc.pthread_create(&e->thread, &attributes, run, NULL);
	pthread_attr_destroy(&attributes);
	if (error) {
		tell_status(NONE);
		return false;
	}
	await_start();
	if (__atomic_load_n(&e->status, __ATOMIC_SEQ_CST) != REFUSED)
		return true;
	await_end();
	return false;
}

/* A handler would wait for what it has interrupted.  */
static bool begin_or_wait(void)
{
	uint64_t own = block_signals();
	uint32_t status;
	bool serves;

	do {
		status = NONE;
		if (__atomic_compare_exchange_n(&engine()->status, &status, STARTS, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
			serves = begin();
			break;
		}
		serves = status == RUNS;
		await_start();
	} while (!serves && status != REFUSED);
	unblock_signals(own);
	return serves;
}

bool engine_serves(void)
{
	uint32_t status;

	if (!requests_make(sizeof(struct engine)))
		return false;
	status = __atomic_load_n(&engine()->status, __ATOMIC_SEQ_CST);
	return likely(status == RUNS) || (status != REFUSED && begin_or_wait());
}

/* By whoever sent it, unless it is canceled meanwhile.  */
static void perform_or_drop(struct request *r)
{
	for (;;) {
		uint32_t word = __atomic_load_n(&r->word, __ATOMIC_ACQUIRE);

		if (request_state(word) == REQUEST_QUEUED && request_change(r, &word, REQUEST_RUNNING)) {
			request_complete(r, perform(r));
			return;
		}
		if (request_state(word) == REQUEST_DROPPED) {
			request_free(r);
			return;
		}
		sys(SYS_sched_yield);
	}
}

/* No engine is there, nor can be had.  With signals blocked, for a handler that asks after a request waits for its notice.  */
static void perform_sent(void)
{
	uint64_t own = block_signals();
	struct request *next;

	for (struct request *r = requests_sent(); r; r = next) {
		next = request_next(r);
		perform_or_drop(r);
	}
	requests_wake();
	unblock_signals(own);
}

/* The engine may have retired since it was asked for.  */
void engine_send(struct request *r)
{
	uint32_t word = __atomic_load_n(&r->word, __ATOMIC_RELAXED);

	request_change(r, &word, REQUEST_QUEUED);
	request_send(r);
	engine_notice();
	if (unlikely(__atomic_load_n(&engine()->status, __ATOMIC_SEQ_CST) != RUNS) && !engine_serves())
		perform_sent();
}

static bool is_busy(void)
{
	for (uint32_t i = 0; i < requests->used; i++) {
		enum request_state state = state_of(&requests->table[i]);

		if (state == REQUEST_QUEUED || state == REQUEST_RUNNING)
			return true;
	}
	return false;
}

void engine_finish(void)
{
	while (requests && is_busy())
		requests_doze();
}

void engine_leave(void)
{
	uint32_t status = RUNS;

	if (!requests || !__atomic_compare_exchange_n(&engine()->status, &status, LEAVES, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	engine_notice();
	await_end();
	tell_status(NONE);
}
