/* engine.c - workers: threads that take what is ready from the queue, perform it, and tell of its end.
 *
 * The queue has a lock, as libc's has.  Nobody wakes a worker as long as one is on its way to look: it wakes the next if it finds
 * more than it takes.  */
#include "engine.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/kcmp.h>
#include <pthread.h>

#include "queue.h"
#include "shim/calls/calls.h"
#include "shim/clock.h"
#include "shim/libc.h"
#include "shim/sys.h"

enum {
	WORKERS = 32,
	STACK_SIZE = 256 << 10,         /* libc's thread-local data is on it, too */
	SPINS = 100,                    /* some microseconds: less than to fall asleep and be woken */
	QUICK_NS = 4000,                /* no disk is that quick */
	QUICKS = 32,
	GUARD_NS = 500000,              /* that long one worker may be stuck before others take over */
	WAKE_AFTER = 16,                /* quick requests */
};

struct worker {
	pthread_t thread;
	long tid;                       /* 0: not yet known */
	bool is_there;                  /* and will be joined, but for one that detaches itself */
};

struct engine {
	lock_word lock;
	uint32_t told;                  /* changes when an idle worker is called, or all are to leave */
	unsigned workers;               /* threads, and those about to be started */
	unsigned idle, called;          /* those that wait, and of those that did, how many are called, and do not know yet */
	unsigned looking;               /* workers that are about to look into the queue, with those that are called */
	bool leaves;
	bool guarded;                   /* one of the idle has an eye on who performs */
	unsigned busy;                  /* workers that perform a request */
	unsigned quick;                 /* goes up by requests done in QUICK_NS, and down by others: from QUICKS on most are */
	uint64_t taken;                 /* requests in all */
	struct patience patience;
	struct queue queue;
	struct worker worker[WORKERS];
};

/* What is there to help: nobody, an idle worker, or a new one.  */
struct help {
	bool call;
	struct worker *start;
};

static struct engine *engine(void)
{
	return (struct engine *)(requests + 1);
}

static void lock(void)
{
	lock_take(&engine()->lock);
}

static void unlock(void)
{
	lock_give(&engine()->lock);
}

/* A thread of the program's takes the lock.  */
static uint64_t enter(void)
{
	return lock_enter(&engine()->lock);
}

static void set_mask(uint64_t mask)
{
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
}

static void reserve(struct worker *w)
{
	w->is_there = true;
	w->tid = 0;
	engine()->workers++;
	engine()->looking++;
}

static void give_back(struct worker *w)
{
	w->is_there = false;
	engine()->workers--;
	engine()->looking--;
}

/* What is in memory is done by one worker sooner than by many.  */
static bool has_enough(void)
{
	return engine()->quick >= QUICKS && engine()->busy;
}

/* With the lock: whoever is to be called now, if there is more to do than is being looked for.  */
static struct help find_help(void)
{
	struct engine *e = engine();
	struct help help = {0};

	if (e->looking || (has_enough() ? e->guarded || e->queue.count == e->busy : e->queue.ready_count == 0))
		return help;
	if (e->idle) {
		help.call = true;
		e->idle--;
		e->called++;
		e->looking++;
		e->told++;
	} else if (!e->leaves) {
		for (struct worker *w = e->worker; w < e->worker + WORKERS && !help.start; w++)
			if (!w->is_there)
				help.start = w;
		if (help.start)
			reserve(help.start);
	}
	return help;
}

static void *work(void *arg);

/* A new thread's mask is that of who starts it.  */
static bool start_thread(struct worker *w)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	error = libc.pthread_create(&thread, &attributes, work, w);
	pthread_attr_destroy(&attributes);
	return error == 0;
}

/* Without the lock.  Where no thread can be had, those that are there have to do.  */
static void get(struct help help)
{
	if (help.call)
		request_futex(&engine()->told, FUTEX_WAKE, 1, NULL);
	if (!help.start || start_thread(help.start))
		return;
	lock();
	give_back(help.start);
	unlock();
}

/* As libc's threads do.  */
static long perform(const struct request *r)
{
	if (request_syncs(r))
		return sys(r->operation == REQUEST_DSYNC ? SYS_fdatasync : SYS_fsync, r->fd);
	return sys(r->operation == LIO_READ ? SYS_pread64 : SYS_pwrite64, r->fd, r->buffer, r->size, r->offset);
}

/* The program often has the next request sooner than a thread is asleep.  It is waited for as long as that is so.  */
static void look_for_a_while(void)
{
	struct engine *e = engine();

	if (!patience_has(&e->patience))
		return;
	for (int i = 0; i < SPINS; i++) {
		if (__atomic_load_n(&e->queue.ready, __ATOMIC_RELAXED)) {
			patience_pays(&e->patience);
			return;
		}
		relax();
	}
	patience_fails(&e->patience);
}

static struct request *take(void)
{
	struct engine *e = engine();
	struct request *r = has_enough() ? NULL : queue_take(&e->queue);

	if (r) {
		e->busy++;
		e->taken++;
	}
	return r;
}

static void end(struct request *r, uint64_t began)
{
	struct engine *e = engine();

	e->busy--;
	if (clock_ns() - began < QUICK_NS)
		e->quick += e->quick < 2 * QUICKS;
	else
		e->quick -= e->quick < QUICKS / 2 ? e->quick : QUICKS / 2;
	queue_end(&e->queue, r);
}

/* With the lock, which it gives back meanwhile: performs what is ready, one after the other.  What is over leaves the queue before
 * the program knows.  Who waits for one of many that are quick is woken when some are done: or else by the guard.  */
static void perform_ready(void)
{
	struct engine *e = engine();
	struct request *r, *done = NULL;
	long result = 0;
	unsigned unwoken = 0;

	while ((r = take()) || done) {
		struct help help = find_help();
		bool wake = !r || !has_enough() || !e->guarded || (unwoken + 1) * 2 >= e->queue.count || unwoken == WAKE_AFTER;
		uint64_t began;

		e->looking += !r;
		unlock();
		if (done)
			request_complete(done, result);
		if (done && wake)
			requests_wake();
		unwoken = done && !wake ? unwoken + 1 : 0;
		get(help);
		began = clock_ns();
		if (r)
			result = perform(r);
		else
			look_for_a_while();
		lock();
		e->looking -= !r;
		if (r)
			end(r, began);
		done = r;
	}
}

/* With the lock, which it gives back meanwhile.  */
static long wait_to_be_told(const struct timespec *time)
{
	uint32_t told = engine()->told;
	long result;

	unlock();
	result = request_futex(&engine()->told, FUTEX_WAIT, told, time);
	lock();
	return result;
}

/* Has an eye on the worker that was thought to be enough.  True: it is stuck in a request, and others are ready.  */
static bool guards(void)
{
	static const struct timespec moment = {.tv_nsec = GUARD_NS};
	struct engine *e = engine();
	uint64_t taken;
	long result;

	if (!has_enough() || e->guarded)
		return false;
	e->guarded = true;
	do {
		taken = e->taken;
		result = wait_to_be_told(&moment);
	} while (result == -ETIMEDOUT && e->taken != taken && !e->called && !e->leaves);
	e->guarded = false;
	if (e->taken != taken || !e->busy)
		return false;
	requests_wake();
	e->quick = 0;
	return e->queue.ready && !e->called;
}

/* With the lock: waits to be called.  False: there was nothing to do for a second, or all are to leave.  A process whose last other
 * thread has ended ends with this one.  */
static bool wait_for_call(struct worker *self)
{
	static const struct timespec second = {.tv_sec = 1};
	struct engine *e = engine();
	long result = 0;

	e->idle++;
	if (guards()) {
		e->idle--;
		e->looking++;
		return true;
	}
	while (!e->called && !e->leaves && result != -ETIMEDOUT)
		result = wait_to_be_told(&second);
	if (e->called) {
		e->called--;
		return true;
	}
	e->idle--;
	e->workers--;
	if (!e->leaves) {
		self->is_there = false;
		pthread_detach(pthread_self());
	}
	return false;
}

/* It blocks all signals but libc's own, 32 and 33 (nptl(7)): setuid(3) has to reach each thread.  */
static void *work(void *arg)
{
	struct worker *self = arg;

	record_own_thread();
	set_mask(~(3ull << 31));
	lock();
	self->thread = pthread_self();
	self->tid = sys(SYS_gettid);
	do {
		engine()->looking--;
		perform_ready();
	} while (wait_for_call(self));
	unlock();
	return NULL;
}

bool engine_make(void)
{
	return requests_make(sizeof(struct engine));
}

/* With the lock: the first.  */
static bool start_first(void)
{
	struct worker *w = &engine()->worker[0];

	if (engine()->leaves)
		return false;
	reserve(w);
	if (start_thread(w))
		return true;
	give_back(w);
	return false;
}

bool engine_send(struct request *r)
{
	struct engine *e = engine();
	struct help help = {0};
	struct request *after;
	uint64_t mask;
	bool serves;

	if (unlikely(!__atomic_load_n(&e->workers, __ATOMIC_RELAXED)))
		prepare_for_threads();
	mask = enter();
	serves = e->workers || start_first();
	for (; serves && r; r = after) {
		after = r->after;
		queue_add(&e->queue, r);
	}
	help = find_help();
	unlock();
	get(help);
	set_mask(mask);
	return serves;
}

int engine_cancel(int fd, const struct aiocb *block)
{
	bool begun;
	uint64_t mask = enter();
	struct request *r = queue_withdraw(&engine()->queue, fd, block, &begun), *next;
	struct help help = find_help();
	bool some = r;

	unlock();
	get(help);
	for (; r; r = next) {
		next = r->next_ready;
		request_complete(r, -ECANCELED);
	}
	if (some)
		requests_wake();
	set_mask(mask);
	return begun ? AIO_NOTCANCELED : some ? AIO_CANCELED : AIO_ALLDONE;
}

/* kcmp(2): 0 if it is the same.  */
bool engine_shares_fds(void)
{
	struct engine *e = engine();
	bool shares = true;
	uint64_t mask;

	if (!requests)
		return true;
	mask = enter();
	if (e->workers)
		shares = false;
	for (struct worker *w = e->worker; w < e->worker + WORKERS && !shares; w++)
		shares = w->is_there && w->tid && sys(SYS_kcmp, w->tid, sys(SYS_gettid), KCMP_FILES, 0, 0) == 0;
	unlock();
	set_mask(mask);
	return shares;
}

static bool is_busy(void)
{
	for (uint32_t i = 0; i < requests->used; i++) {
		enum request_state state = request_state(__atomic_load_n(&requests->table[i].word, __ATOMIC_ACQUIRE));

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

/* pthread_join(3) is a cancellation point, and what is served here is none.  */
static void join_all(void)
{
	struct engine *e = engine();
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	for (struct worker *w = e->worker; w < e->worker + WORKERS; w++) {
		if (w->is_there)
			libc.pthread_join(w->thread, NULL);
		w->is_there = false;
	}
	pthread_setcancelstate(state, NULL);
}

void engine_leave(void)
{
	struct engine *e = engine();
	uint64_t mask;
	bool leave;

	if (!requests)
		return;
	mask = enter();
	leave = e->workers && !e->leaves;
	e->leaves |= leave;
	e->told++;
	unlock();
	if (leave) {
		request_futex(&e->told, FUTEX_WAKE, INT_MAX, NULL);
		while (__atomic_load_n(&e->workers, __ATOMIC_ACQUIRE))
			requests_doze();
		join_all();
		e->leaves = false;
	}
	set_mask(mask);
}
