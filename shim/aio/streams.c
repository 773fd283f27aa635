/* streams.c - two threads, one epoll instance, in which each request that waits is armed once.
 *
 * Neither is to be the last of the process, whose exit(3) runs the program's code: a worker stays, and joins them.
 *
 * A request belongs to the thread that took it.  While it is parked it belongs to nobody: whoever finds, under the engine's lock,
 * that it still is, takes it: the second thread, when it is ready; the first, when its time has come.  */
#include "streams.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "engine.h"
#include "shim/clock.h"
#include "shim/config.h"
#include "shim/flag.h"
#include "shim/libc.h"
#include "shim/sys.h"
#include "stream.h"

enum {
	EVENTS = 64,
	IDLE_NS = 1000000000,
	/* poll(2) does not tell a writer of a unix stream that its peer has shut down reading: it looks, and ever more seldom. */
	LOOK_NS = 100000000,
	LOOK_NS_MAX = 16 * LOOK_NS,
	/* An error that no read or write takes (MSG_ERRQUEUE, recv(2)) would be told again and again: it is looked at now and then. */
	ERROR_LOOK_NS = 10000000,
	UNSHARE = 2,                    /* CLOSE_RANGE_UNSHARE, linux/close_range.h */
};

enum state { GONE, STARTING, SERVING, ENDING };

struct streams {
	uint32_t state;                 /* futex(2)'s */
	uint32_t told;                  /* the same: changes when the first thread is woken */
	bool waits, lasts;              /* it is, or is about to be, asleep; for as long as requests are under way */
	unsigned leaving;               /* reasons for the two to end */
	bool has_ended;                 /* the first is to be joined */
	bool cannot_be;                 /* the kernel would not have it */
	pthread_t first, second;
	int process, instance, bell;    /* in the table of their own: a pidfd, of epoll, what is always ready, and ends the second */
	unsigned parked;
	struct request *first_parked;
	uint64_t next_look;             /* in ns; none of those parked has an earlier one; 0: there is none */
};

static struct streams *streams;

bool streams_make(void)
{
	return requests_memory((void **)&streams, sizeof *streams);
}

bool streams_are_served(void)
{
	return LOAD(streams->state) == SERVING;
}

bool streams_need_worker(void)
{
	return LOAD(streams->state) != GONE;
}

void streams_join(void)
{
	pthread_t first;
	bool there;
	int state;

	engine_lock();
	there = streams->has_ended;
	first = streams->first;
	streams->has_ended = false;
	engine_unlock();
	if (!there)
		return;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	libc.pthread_join(first, NULL);
	pthread_setcancelstate(state, NULL);
}

/* Beginning and end.  */

/* It is the caller's; the duplicate goes.  */
static void let_go(struct request *r)
{
	if (r->stream.watched)
		sys(SYS_epoll_ctl, streams->instance, EPOLL_CTL_DEL, r->stream.fd, NULL);
	if (r->stream.fd >= 0)
		sys(SYS_close, r->stream.fd);
	r->stream.watched = false;
	r->stream.fd = -1;
}

/* A thread for a notice has the table of who starts it.  */
static bool starts_thread(const struct request *r)
{
	return r->notice.how == SIGEV_THREAD || (r->group && r->group->notice.how == SIGEV_THREAD);
}

/* Of a write that has moved something, that is the result.  */
static void end(struct request *r, long result)
{
	let_go(r);
	if (result <= 0 && r->moved)
		result = (long)r->moved;
	if (!starts_thread(r)) {
		engine_end(r, result);
		return;
	}
	r->stream.over = true;
	r->stream.result = result;
	engine_hand_over(r);
}

/* A process whose first thread has ended has no fds for pidfd_getfd(2), which calls that EBADF before Linux 6.9; nor has it memory.  */
static bool has_first_thread(void)
{
	char byte;
	struct iovec to = {&byte, 1}, from = {&streams->process, 1};

	return sys(SYS_process_vm_readv, sys(SYS_getpid), &to, 1, &from, 1, 0) != -ESRCH;
}

/* Whether the program's fd is still on the file; in doubt it is.  */
static bool is_still_its_fd(const struct request *r)
{
	long fd = sys(SYS_pidfd_getfd, streams->process, r->fd, 0);
	bool is = fd < 0 ? fd != -EBADF || !has_first_thread() : flag_same_description((int)fd, r->stream.fd);

	if (fd >= 0)
		sys(SYS_close, fd);
	return is;
}

/* The plain call is on the program's fd.  What has waited, and has lost that, is canceled, as by its close(2) (POSIX).  */
static void hand_over(struct request *r)
{
	if (r->stream.watched && !is_still_its_fd(r)) {
		end(r, -ECANCELED);
		return;
	}
	let_go(r);
	engine_hand_over(r);
}

/* Parking.  */

/* With the lock.  */
static void link_parked(struct request *r)
{
	r->stream.parked = true;
	r->stream.before = NULL;
	r->stream.after = streams->first_parked;
	if (streams->first_parked)
		streams->first_parked->stream.before = r;
	streams->first_parked = r;
	streams->parked++;
}

/* With the lock.  */
static void unpark(struct request *r)
{
	r->stream.parked = false;
	*(r->stream.before ? &r->stream.before->stream.after : &streams->first_parked) = r->stream.after;
	if (r->stream.after)
		r->stream.after->stream.before = r->stream.before;
	streams->parked--;
}

/* The event that its fd is ready brings its number, and its word: the place may be another's by then.  */
static bool arm(struct request *r)
{
	struct epoll_event event = {
		.events = EPOLLONESHOT | (r->operation == LIO_READ ? EPOLLIN | EPOLLRDHUP : EPOLLOUT),
		.data.u64 = (uint64_t)request_number(r) << 32 | r->word,
	};
	int operation = r->stream.watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	r->stream.watched |= sys(SYS_epoll_ctl, streams->instance, operation, r->stream.fd, &event) == 0;
	return r->stream.watched;
}

/* In ns, until it is looked at, whatever epoll says; 0: it need not be.  */
static uint64_t pause_of(struct request *r, bool has_error)
{
	if (has_error)
		return ERROR_LOOK_NS;
	if (!r->stream.local || r->operation == LIO_READ)
		return 0;
	r->stream.pause = r->stream.pause < LOOK_NS ? LOOK_NS : r->stream.pause < LOOK_NS_MAX ? r->stream.pause * 2 : LOOK_NS_MAX;
	return r->stream.pause;
}

/* `has_error`: epoll has nothing to say but that.  False: it does not take it.  As soon as the lock is given back, it may be another
 * thread's.  */
static bool park(struct request *r, uint64_t now, bool has_error)
{
	uint64_t pause = pause_of(r, has_error);
	bool armed, wake = false;

	r->stream.look = pause && (!r->stream.end || now + pause < r->stream.end) ? now + pause : r->stream.end;
	engine_lock();
	armed = has_error || arm(r);
	if (armed) {
		link_parked(r);
		if (r->stream.look && (!streams->next_look || r->stream.look < streams->next_look)) {
			streams->next_look = r->stream.look;
			wake = streams_must_wake();
		}
	}
	engine_unlock();
	if (wake)
		streams_wake();
	return armed;
}

/* Takes it as far as it goes; `events`: what it has been woken by.  */
static void go_on(struct request *r, uint32_t events)
{
	bool waited = r->stream.watched;
	size_t moved = r->moved;
	long result = stream_attempt(r, events);
	uint64_t now;

	if (stream_cannot_tell(result)) {
		hand_over(r);
		return;
	}
	if (result != -EAGAIN) {
		end(r, result);
		return;
	}
	now = clock_ns();
	if (!waited || (r->stream.local && r->moved != moved))
		stream_set_end(r, now);
	if (stream_is_over(r, now)) {
		end(r, result);
		return;
	}
	if (!waited)
		request_would_block(r);
	if (!park(r, now, events && !(events & (EPOLLIN | EPOLLOUT))))
		hand_over(r);
}

static void begin(struct request *r)
{
	r->stream = (struct stream){.fd = (int)sys(SYS_pidfd_getfd, streams->process, r->fd, 0)};
	if (r->stream.fd < 0) {
		hand_over(r);
		return;
	}
	if (stream_choose_way(r))
		go_on(r, 0);
	else
		hand_over(r);
}

/* The threads.  */

/* They block all signals but libc's own (engine.c).  */
static void block_signals(void)
{
	uint64_t mask = ~(3ull << 31);

	sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
}

/* With the lock: the request of an event, if it is still parked.  */
static struct request *take_parked(uint64_t data)
{
	struct request *r = request_numbered((uint32_t)(data >> 32));

	if (LOAD(r->word) != (uint32_t)data || !r->stream.parked)
		return NULL;
	unpark(r);
	return r;
}

/* Whatever the kernel's reason is not to tell of events: workers do without.  */
static void stop_serving(void)
{
	STORE(streams->cannot_be, true);
	engine_lock();
	streams->leaving++;
	STORE(streams->told, streams->told + 1);
	engine_unlock();
	streams_wake();
}

static void *serve_ready(void *arg)
{
	struct epoll_event events[EVENTS] = {{0}};
	struct request *r;
	long n;

	(void)arg;
	record_own_thread(true);
	block_signals();
	for (;;) {
		n = sys(SYS_epoll_pwait, streams->instance, events, EVENTS, -1, NULL, 8);
		if (n < 0 && n != -EINTR) {
			stop_serving();
			return NULL;
		}
		for (long i = 0; i < n; i++) {
			if (!events[i].data.u64)
				return NULL;
			engine_lock();
			r = take_parked(events[i].data.u64);
			engine_unlock();
			if (!r)
				continue;
			request_ready(r);
			go_on(r, events[i].events);
		}
	}
}

/* With the lock: those whose time has come, linked by `after`.  */
static struct request *take_due(uint64_t now)
{
	struct request *due = NULL, *after;

	if (!streams->next_look || now < streams->next_look)
		return NULL;
	streams->next_look = 0;
	for (struct request *r = streams->first_parked; r; r = after) {
		after = r->stream.after;
		if (r->stream.look && r->stream.look <= now) {
			unpark(r);
			r->stream.after = due;
			due = r;
		} else if (r->stream.look && (!streams->next_look || r->stream.look < streams->next_look)) {
			streams->next_look = r->stream.look;
		}
	}
	return due;
}

static void go_on_with(struct request *due)
{
	struct request *after;

	for (; due; due = after) {
		after = due->stream.after;
		go_on(due, 0);
	}
}

static struct timespec interval(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
}

/* With the lock, which it gives back meanwhile: sleeps until it is told of more, or something is due.  False: there was nothing under
 * way for a second.  */
static bool wait_to_be_told(uint64_t now, bool lasts)
{
	struct timespec end = interval(!streams->next_look ? IDLE_NS : streams->next_look > now ? streams->next_look - now : 0);
	uint32_t told = streams->told;
	long result;

	streams->waits = true;
	streams->lasts = lasts && !streams->next_look;
	engine_unlock();
	result = request_futex(&streams->told, FUTEX_WAIT, told, streams->lasts ? NULL : &end);
	engine_lock();
	streams->waits = streams->lasts = false;
	return result != -ETIMEDOUT || streams->told != told;
}

/* With the lock: begins what is ready, and goes on with what is due, until nothing is under way for a second, or all are to leave.  */
static void serve(void)
{
	bool idle = false;
	struct request *r;
	uint64_t now;

	for (;;) {
		while (!streams->leaving && (r = engine_take_stream())) {
			engine_unlock();
			begin(r);
			engine_lock();
		}
		now = clock_ns();
		r = take_due(now);
		if (r) {
			engine_unlock();
			go_on_with(r);
			engine_lock();
			continue;
		}
		if (streams->leaving || (idle && !engine_has_streams()))
			return;
		idle = !wait_to_be_told(now, idle);
	}
}

/* The log's stderr is the program's.  */
static void take_stderr(void)
{
	long fd;

	if (config.log[0] != '-' || config.log[1])
		return;
	fd = sys(SYS_pidfd_getfd, streams->process, 2, 0);
	if (fd >= 0 && fd != 2) {
		sys(SYS_dup3, fd, 2, 0);
		sys(SYS_close, fd);
	}
}

/* A table of its own, and what is in it.  The kernel says whether it gives duplicates even where there is nothing to duplicate.  */
static bool make_table(void)
{
	long fd;

	if (sys(SYS_close_range, 0, UINT32_MAX, UNSHARE) < 0)
		return false;
	/* No eventfd: qemu-user remembers the number of such for all tables. */
	streams->bell = (int)sys(SYS_socket, AF_UNIX, SOCK_DGRAM, 0);
	for (int i = 0; i < 3; i++)
		sys(SYS_dup3, streams->bell, i, 0);
	streams->process = (int)sys(SYS_pidfd_open, sys(SYS_getpid), 0);
	streams->instance = (int)sys(SYS_epoll_create1, 0);
	if (streams->bell < 0 || streams->process < 0 || streams->instance < 0)
		return false;
	fd = sys(SYS_pidfd_getfd, streams->process, 0, 0);
	if (fd >= 0)
		sys(SYS_close, fd);
	take_stderr();
	return fd >= 0 || fd == -EBADF;
}

static void announce(enum state state)
{
	__atomic_store_n(&streams->state, state, __ATOMIC_RELEASE);
	request_futex(&streams->state, FUTEX_WAKE, INT_MAX, NULL);
}

static void end_second(void)
{
	struct epoll_event event = {.events = EPOLLOUT};

	sys(SYS_epoll_ctl, streams->instance, EPOLL_CTL_ADD, streams->bell, &event);
	libc.pthread_join(streams->second, NULL);
}

/* With the lock, which it gives back: nobody needs a worker for the two any more, but to join this thread.  */
static void end_first(void)
{
	streams->first = pthread_self();
	streams->has_ended = true;
	announce(GONE);
	engine_let_worker_go();
}

/* With the lock: one that is under way, or has not begun.  */
static struct request *take_any(void)
{
	struct request *r = streams->first_parked;

	if (r) {
		unpark(r);
		return r;
	}
	r = engine_take_stream();
	if (r)
		r->stream = (struct stream){.fd = -1};
	return r;
}

static void *serve_new(void *arg)
{
	struct request *r;
	bool made;

	(void)arg;
	record_own_thread(true);
	block_signals();
	made = make_table();
	STORE(streams->cannot_be, !made);
	if (!made || !engine_start_thread(&streams->second, serve_ready, NULL)) {
		engine_lock();
		end_first();
		return NULL;
	}
	announce(SERVING);
	engine_lock();
	serve();
	announce(ENDING);
	engine_unlock();
	end_second();
	engine_lock();
	while ((r = take_any())) {
		engine_unlock();
		hand_over(r);
		engine_lock();
	}
	end_first();
	return NULL;
}

/* What is about to change has changed.  */
static uint32_t await_state(void)
{
	uint32_t state;

	while ((state = __atomic_load_n(&streams->state, __ATOMIC_ACQUIRE)) == STARTING || state == ENDING)
		request_futex(&streams->state, FUTEX_WAIT, state, NULL);
	return state;
}

bool streams_begin(void)
{
	uint64_t mask = 0, all = ~0ull;
	uint32_t state;
	pthread_t thread;

	if (likely(streams_are_served()))
		return true;
	if (LOAD(streams->cannot_be))
		return false;
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &mask, sizeof mask);
	state = await_state();
	streams_join();
	if (state == GONE && __atomic_compare_exchange_n(&streams->state, &state, STARTING, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) &&
	    !engine_start_thread(&thread, serve_new, NULL))
		announce(GONE);
	state = await_state();
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
	return state == SERVING;
}

bool streams_must_wake(void)
{
	bool must = streams->waits && (!engine_has_streams() ? streams->lasts : true);

	if (must) {
		streams->waits = false;
		STORE(streams->told, streams->told + 1);
	}
	return must;
}

void streams_wake(void)
{
	request_futex(&streams->told, FUTEX_WAKE, 1, NULL);
}

void streams_leave(void)
{
	bool wake, there;

	await_state();
	engine_lock();
	there = streams_are_served();
	streams->leaving += there;
	wake = there && streams->waits;
	streams->told += wake;
	engine_unlock();
	if (wake)
		streams_wake();
	while (there && streams_are_served())
		requests_doze();
	await_state();
	streams_join();
	engine_lock();
	streams->leaving -= there;
	engine_unlock();
}
