/* engine.c - workers: threads that take what is ready from the queue, perform it, and tell of its end.
 *
 * The queue has a lock, as libc's has.  Nobody wakes a worker as long as one is on its way to look: it wakes the next if it finds
 * more than it takes.  */
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/kcmp.h>
#include <pthread.h>

#include "queue.h"
#include "shim/calls/calls.h"
#include "shim/clock.h"
#include "shim/config.h"
#include "shim/fds.h"
#include "shim/flag.h"
#include "shim/libc.h"
#include "shim/sys.h"
#include "streams.h"

enum {
	WORKERS = 32,
	STACK_SIZE = 256 << 10,         /* libc's thread-local data is on it, too */
	SPINS = 100,                    /* some microseconds: less than to fall asleep and be woken */
	QUICK_NS = 4000,                /* no disk is that quick */
	QUICKS = 32,
	GUARD_NS = 500000,              /* that long one worker may be stuck before others take over */
	WAKE_AFTER = 16,                /* quick requests */
	LEAVE_TRIES = 10000,            /* a tenth of a millisecond each, at most */
	STUCK_MAX = 24,                 /* workers that may wait in the plain call on a stream; libc has 20 in all */
};

struct worker {
	pthread_t thread;
	long tid;                       /* 0: not yet known */
	bool is_there;                  /* and will be joined, but for one that detaches itself */
	bool has_left;                  /* and is to be joined */
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
	bool remains;                   /* an idle one does, as long as something is on a stream */
	unsigned stuck;                 /* workers that perform what may take for ever */
	struct request *strays, *last_stray;    /* on streams, handed over; linked by next_ready */
	struct patience patience;
	struct queue queue;
	struct worker worker[WORKERS];
};

/* Whom the state of the queue concerns.  */
struct help {
	bool streams;                   /* the first thread of streams.c: there is more to begin, or nothing to wait for */
	bool all;                       /* the idle: none has to remain */
	bool call;                      /* an idle worker */
	struct worker *start;           /* or a new one */
};

static struct engine *the_engine;

static struct engine *engine(void)
{
	return __atomic_load_n(&the_engine, __ATOMIC_ACQUIRE);
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
	STORE(engine()->workers, engine()->workers + 1);
	engine()->looking++;
}

static void give_back(struct worker *w)
{
	w->is_there = false;
	STORE(engine()->workers, engine()->workers - 1);
	engine()->looking--;
}

/* What is in memory is done by one worker sooner than by many.  */
static bool has_enough(void)
{
	return engine()->quick >= QUICKS && engine()->busy;
}

/* With the lock: whether a worker is needed for a stream's.  */
static bool has_stray(void)
{
	const struct engine *e = engine();

	return e->stuck < STUCK_MAX && (e->strays || (e->queue.ready_streams.count && !streams_are_served()));
}

static struct request *take_stray(void)
{
	struct engine *e = engine();
	struct request *r = e->strays;

	if (!has_stray())
		return NULL;
	if (!r)
		return queue_take(&e->queue.ready_streams);
	STORE(e->strays, r->next_ready);
	return r;
}

/* With the lock: an idle worker, if there is one.  */
static bool call_idle(void)
{
	struct engine *e = engine();

	if (!e->idle)
		return false;
	e->idle--;
	e->called++;
	e->looking++;
	e->told++;
	return true;
}

/* With the lock: all workers wait for others; streams.c cannot start one that has the program's fds.  */
static bool needs_spare(void)
{
	return !shim_sandboxed && engine()->stuck && engine()->workers == engine()->stuck;
}

/* With the lock: as long as something is on a stream it may have to be handed over.  */
static bool needs_one(void)
{
	return engine()->queue.streams || streams_need_worker();
}

/* With the lock: whoever is to be called now, if there is more to do than is being looked for.  What was held may be of the other
 * kind than who held it: an fd's number may be a file's first, and then a stream's.  `stream_ended`: in engine_end(), which threads
 * call that can start no worker with the program's fds.  */
static struct help find_help(bool stream_ended)
{
	struct engine *e = engine();
	struct help help = {
		.streams = (e->queue.ready_streams.count || (stream_ended && !e->queue.streams)) && streams_must_wake(),
		.all = stream_ended && e->remains && !needs_one(),
	};

	e->told += help.all;
	if (e->looking || (!has_stray() && !needs_spare() &&
			   (has_enough() ? e->guarded || e->queue.files == e->busy : e->queue.ready.count == 0)))
		return help;
	help.call = call_idle();
	if (help.call || e->leaves || stream_ended)
		return help;
	for (struct worker *w = e->worker; w < e->worker + WORKERS && !help.start; w++)
		if (!w->is_there)
			help.start = w;
	if (help.start)
		reserve(help.start);
	return help;
}

static void *work(void *arg);

/* A new thread's mask is that of who starts it.  Where the program's thread-local data is larger than our stack, it has libc's.  */
bool engine_start_thread(pthread_t *thread, void *(*function)(void *), void *arg)
{
	pthread_attr_t attributes;
	int error;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	error = libc.pthread_create(thread, &attributes, function, arg);
	pthread_attr_destroy(&attributes);
	if (error == EINVAL) {
		pthread_attr_init(&attributes);
		error = libc.pthread_create(thread, &attributes, function, arg);
		pthread_attr_destroy(&attributes);
	}
	return error == 0;
}

static bool start_thread(struct worker *w)
{
	pthread_t thread;

	return engine_start_thread(&thread, work, w);
}

/* Without the lock.  Where no thread can be had, those that are there have to do.  */
static void get(struct help help)
{
	if (help.streams)
		streams_wake();
	if (help.call || help.all)
		request_futex(&engine()->told, FUTEX_WAKE, help.all ? INT_MAX : 1, NULL);
	if (!help.start || start_thread(help.start))
		return;
	lock();
	give_back(help.start);
	unlock();
}

/* As libc's threads do.  */
static long move(const struct request *r)
{
	bool reads = r->operation == LIO_READ;
	char *at = (char *)r->buffer + r->moved;
	size_t size = r->size - r->moved;
	long result = sys(reads ? SYS_pread64 : SYS_pwrite64, r->fd, at, size, r->offset);

	return result == -ESPIPE ? sys(reads ? SYS_read : SYS_write, r->fd, at, size) : result;
}

/* Whether O_NONBLOCK has ended it, of which the program does not know: an eagain of another process had set it (flag.h).  */
static bool is_cut_short(struct request *r, long result)
{
	bool is_short = result == -EAGAIN || (r->operation == LIO_WRITE && result > 0 && (size_t)result < r->size - r->moved);
	long flags;

	if (!r->on_stream || !is_short || config.switching != SWITCH_FLAG || shim_sandboxed || fds_has_timeout(r->fd))
		return false;
	flags = sys(SYS_fcntl, r->fd, F_GETFL);
	if (flags < 0 || ((flags & O_NONBLOCK) && !flag_is_ours(r->fd, flags)))
		return false;
	flag_off(r->fd);
	r->moved += result > 0 ? (size_t)result : 0;
	return true;
}

static long perform(struct request *r)
{
	long result;

	if (request_syncs(r))
		return sys(r->operation == REQUEST_DSYNC ? SYS_fdatasync : SYS_fsync, r->fd);
	do
		result = move(r);
	while (result == -EINTR || is_cut_short(r, result));
	return r->moved ? (long)r->moved + (result > 0 ? result : 0) : result;
}

/* The program often has the next request sooner than a thread is asleep.  It is waited for as long as that is so.  */
static void look_for_a_while(void)
{
	struct engine *e = engine();

	if (!patience_has(&e->patience))
		return;
	for (int i = 0; i < SPINS; i++) {
		if (__atomic_load_n(&e->queue.ready.first, __ATOMIC_RELAXED)) {
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
	struct request *r = has_enough() ? NULL : queue_take(&e->queue.ready);

	if (r) {
		e->busy++;
		e->taken++;
	}
	return r;
}

/* The program is told, or is to be told by release().  */
static void end(struct request *r, long result, uint64_t began)
{
	struct engine *e = engine();

	e->busy--;
	if (clock_ns() - began < QUICK_NS)
		e->quick += e->quick < 2 * QUICKS;
	else
		e->quick -= e->quick < QUICKS / 2 ? e->quick : QUICKS / 2;
	if (!request_is_silent(r)) {
		queue_leave(r);
		return;
	}
	request_tell(r, result);
	queue_end(&e->queue, r);
}

/* Without the lock: what was told gives way to what had to come after it; linked by next_ready.  */
static void release(struct request *r, bool stream_ended)
{
	struct request *next;
	struct help help;

	lock();
	for (struct request *told = r; told; told = next) {
		next = told->next_ready;
		queue_release(&engine()->queue, told);
	}
	help = find_help(stream_ended);
	unlock();
	for (; r; r = next) {
		next = r->next_ready;
		request_free(r);
	}
	get(help);
}

/* Without the lock: what has ended is told, as by libc before any that has to come after it begins.  */
static void end_told(struct request *r, long result)
{
	if (request_is_silent(r)) {
		request_free(r);
		return;
	}
	request_tell(r, result);
	r->next_ready = NULL;
	release(r, false);
}

/* With the lock, which it gives back meanwhile: performs what is ready, one after the other.  Who waits for one of many that are
 * quick is woken when some are done: or else by the guard.  */
static void perform_ready(void)
{
	struct engine *e = engine();
	struct request *r, *done = NULL;
	long result = 0;
	unsigned unwoken = 0;

	while ((r = take()) || done) {
		struct help help = find_help(false);
		bool wake = !r || !has_enough() || !e->guarded || (unwoken + 1) * 2 >= e->queue.files || unwoken == WAKE_AFTER;
		uint64_t began;

		e->looking += !r;
		unlock();
		if (done)
			end_told(done, result);
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
			end(r, result, began);
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
	return e->queue.ready.first && !e->called;
}

/* With the lock, which it gives back meanwhile.  True: for a second, or since none has to remain, nobody has called.  */
static bool is_idle(void)
{
	static const struct timespec second = {.tv_sec = 1};
	struct engine *e = engine();
	long result = 0;

	while (!e->called && !e->leaves && result != -ETIMEDOUT)
		result = wait_to_be_told(&second);
	while (!e->called && !e->leaves && needs_one() && e->workers - e->stuck == 1) {
		e->remains = true;
		wait_to_be_told(NULL);
		e->remains = false;
	}
	unlock();
	streams_join();
	lock();
	return !e->called;
}

/* With the lock: waits to be called.  False: there was nothing to do for a second, or all are to leave.  A process whose last other
 * thread has ended ends with this one.  */
static bool wait_for_call(struct worker *self)
{
	struct engine *e = engine();

	e->idle++;
	if (guards()) {
		e->idle--;
		e->looking++;
		return true;
	}
	if (!is_idle()) {
		e->called--;
		return true;
	}
	e->idle--;
	__atomic_store_n(&e->workers, e->workers - 1, __ATOMIC_RELEASE);
	self->has_left = e->leaves;
	if (!e->leaves) {
		self->is_there = false;
		pthread_detach(pthread_self());
	}
	return false;
}

/* The request is over.  Libc's thread tells of it before it begins the next: so nothing that it held is ready before.  Not under the
 * lock; the threads of streams.c can start none that has the program's fds.  */
void engine_end(struct request *r, long result)
{
	lock();
	queue_leave(r);
	unlock();
	request_tell(r, result);
	r->next_ready = NULL;
	release(r, true);
	requests_wake();
}

/* With the lock, which it gives back meanwhile.  */
static void perform_stray(struct request *r)
{
	struct engine *e = engine();
	struct help help;
	long result;

	STORE(e->stuck, e->stuck + 1);
	help = find_help(false);
	unlock();
	get(help);
	result = r->stream.over ? r->stream.result : perform(r);
	engine_end(r, result);
	lock();
	STORE(e->stuck, e->stuck - 1);
}

/* It blocks all signals but libc's own, 32 and 33 (nptl(7)): setuid(3) has to reach each thread.  */
static void *work(void *arg)
{
	struct worker *self = arg;
	struct request *r;

	record_own_thread(false);
	set_mask(~(3ull << 31));
	lock();
	self->thread = pthread_self();
	self->tid = sys(SYS_gettid);
	do {
		engine()->looking--;
		while ((r = take_stray()))
			perform_stray(r);
		perform_ready();
		engine()->looking += has_stray();
	} while (has_stray() || wait_for_call(self));
	unlock();
	return NULL;
}

bool engine_make(void)
{
	return requests_memory((void **)&the_engine, sizeof *the_engine) && streams_make() && requests_make();
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

static bool any_on_stream(const struct request *r)
{
	while (r && !r->on_stream)
		r = r->after;
	return r;
}

bool engine_send(struct request *r)
{
	struct engine *e = engine();
	struct help help = {0};
	struct request *after;
	uint64_t mask;
	bool serves;

	if (unlikely(!LOAD(e->workers) && !streams_are_served()))
		prepare_for_threads();
	if (any_on_stream(r))
		streams_begin();
	mask = enter();
	serves = e->workers || start_first();
	for (; serves && r; r = after) {
		after = r->after;
		queue_add(&e->queue, r);
	}
	help = find_help(false);
	unlock();
	get(help);
	set_mask(mask);
	return serves;
}

bool engine_send_behind(struct request *r)
{
	uint64_t mask = enter();
	bool behind = queue_add_behind(&engine()->queue, r);

	unlock();
	set_mask(mask);
	return behind;
}

void engine_lock(void)
{
	lock();
}

void engine_unlock(void)
{
	unlock();
}

void engine_let_worker_go(void)
{
	engine()->told++;
	unlock();
	request_futex(&engine()->told, FUTEX_WAKE, INT_MAX, NULL);
}

struct request *engine_take_stream(void)
{
	return queue_take(&engine()->queue.ready_streams);
}

bool engine_has_streams(void)
{
	return engine()->queue.streams;
}

/* With the lock: all that was handed over, if there is no worker.  */
static struct request *take_back(void)
{
	struct request *first = engine()->strays;

	if (!first || engine()->workers)
		return NULL;
	STORE(engine()->strays, NULL);
	return first;
}

/* As libc would have said before, where there can be no thread; what is over is, but no thread is told.  */
static void give_up(struct request *r)
{
	r->notice.how = r->notice.how == SIGEV_THREAD ? SIGEV_NONE : r->notice.how;
	if (r->group && r->group->notice.how == SIGEV_THREAD)
		r->group->notice.how = SIGEV_NONE;
	engine_end(r, r->stream.over ? r->stream.result : -EAGAIN);
}

void engine_hand_over(struct request *r)
{
	struct engine *e = engine();
	bool call;

	lock();
	r->next_ready = NULL;
	STORE(*(e->strays ? &e->last_stray->next_ready : &e->strays), r);
	e->last_stray = r;
	call = !e->looking && call_idle();
	r = take_back();
	unlock();
	if (call)
		request_futex(&e->told, FUTEX_WAKE, 1, NULL);
	for (struct request *next; r; r = next) {
		next = r->next_ready;
		give_up(r);
	}
}

int engine_cancel(int fd, const struct aiocb *block)
{
	bool begun;
	uint64_t mask = enter();
	struct request *first = queue_withdraw(&engine()->queue, fd, block, &begun);

	unlock();
	for (struct request *r = first; r; r = r->next_ready)
		request_tell(r, -ECANCELED);
	if (first) {
		release(first, false);
		requests_wake();
	}
	set_mask(mask);
	return begun ? AIO_NOTCANCELED : first ? AIO_CANCELED : AIO_ALLDONE;
}

bool engine_has(int fd)
{
	uint64_t mask;
	bool has;

	if (!requests_there() || !LOAD(engine()->queue.streams))
		return false;
	mask = enter();
	has = queue_has(&engine()->queue, fd);
	unlock();
	set_mask(mask);
	return has;
}

/* kcmp(2): 0 if it is the same.  */
bool engine_shares_fds(void)
{
	struct engine *e = engine();
	bool shares = true;
	uint64_t mask;

	if (!requests_there())
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

/* Nothing but a look, if there is nothing: in a sandbox, each request that goes to libc comes by here.  */
void engine_finish(void)
{
	while (requests_there() && __atomic_load_n(&engine()->queue.files, __ATOMIC_ACQUIRE))
		requests_doze();
}

/* pthread_join(3) is a cancellation point, and what is served here is none.  */
static void join_all(void)
{
	struct engine *e = engine();
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	for (struct worker *w = e->worker; w < e->worker + WORKERS; w++) {
		if (!w->has_left)
			continue;
		libc.pthread_join(w->thread, NULL);
		w->is_there = w->has_left = false;
	}
	pthread_setcancelstate(state, NULL);
}

/* What streams.c had goes to workers, who are to be in their plain calls before the sandbox is there.  */
static void leave_streams(void)
{
	const struct engine *e = engine();
	struct help help;

	streams_leave();
	lock();
	help = find_help(false);
	unlock();
	get(help);
	for (int i = 0; i < LEAVE_TRIES && LOAD(e->stuck) < STUCK_MAX && (LOAD(e->strays) || LOAD(e->queue.ready_streams.first)); i++)
		requests_doze();
}

void engine_leave(void)
{
	struct engine *e = engine();
	uint64_t mask = 0, all = ~0ull;
	bool leave;

	if (!requests_there())
		return;
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &mask, sizeof mask);
	leave_streams();
	lock();
	leave = e->workers > e->stuck && !e->leaves;
	e->leaves |= leave;
	e->told++;
	unlock();
	if (leave) {
		request_futex(&e->told, FUTEX_WAKE, INT_MAX, NULL);
		while (__atomic_load_n(&e->workers, __ATOMIC_ACQUIRE) > LOAD(e->stuck))
			requests_doze();
		lock();
		e->leaves = false;
		unlock();
		join_all();
	}
	set_mask(mask);
}
