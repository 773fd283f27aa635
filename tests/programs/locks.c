/* locks.c - every function that waits for a lock, in every state that it can find: one line each, with its result and errno.
 *
 * What is printed depends on nothing else, so that a run under eagain can be compared with a native one.  */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

enum { UNTOUCHED = 4321, SOON_US = 8000 };

static void say(const char *what, const char *state, int result)
{
	printf("%s, %s: %d %s%s\n", what, state, result, result > 0 ? strerrorname_np(result) : "",
	       errno == UNTOUCHED ? "" : ", errno touched");
	fflush(stdout);
	errno = UNTOUCHED;
}

/* For those that say -1.  */
static void say_errno(const char *what, const char *state, long result)
{
	printf("%s, %s: %ld %s\n", what, state, result, errno == UNTOUCHED ? "" : strerrorname_np(errno));
	fflush(stdout);
	errno = UNTOUCHED;
}

static struct timespec after(clockid_t clock, long us)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_sec += (t.tv_nsec / 1000 + us) / 1000000;
	t.tv_nsec = (t.tv_nsec / 1000 + us) % 1000000 * 1000;
	return t;
}

/* What is done in another thread, to its end.  */
static void elsewhere(void *(*what)(void *), void *arg)
{
	pthread_t thread;

	pthread_create(&thread, NULL, what, arg);
	pthread_join(thread, NULL);
}

struct held {
	void *lock;
	int (*take)(void *), (*give)(void *);
	sem_t taken, release;
	long hold_us;                   /* 0: until told */
	pthread_t thread;
};

static void *hold(void *arg)
{
	struct held *h = arg;

	h->take(h->lock);
	sem_post(&h->taken);
	if (h->hold_us)
		usleep((useconds_t)h->hold_us);
	else
		sem_wait(&h->release);
	h->give(h->lock);
	return NULL;
}

static void begin_hold(struct held *h, void *lock, int (*take)(void *), int (*give)(void *), long hold_us)
{
	*h = (struct held){.lock = lock, .take = take, .give = give, .hold_us = hold_us};
	sem_init(&h->taken, 0, 0);
	sem_init(&h->release, 0, 0);
	pthread_create(&h->thread, NULL, hold, h);
	while (sem_wait(&h->taken) < 0)
		;
	errno = UNTOUCHED;
}

static void end_hold(struct held *h)
{
	sem_post(&h->release);
	pthread_join(h->thread, NULL);
	errno = UNTOUCHED;
}

/* Mutexes.  */

static int take_mutex(void *m)
{
	return pthread_mutex_lock(m);
}

static int give_mutex(void *m)
{
	return pthread_mutex_unlock(m);
}

static int lock_plainly(void *m, clockid_t clock, const struct timespec *end)
{
	(void)clock;
	(void)end;
	return pthread_mutex_lock(m);
}

static int lock_timed(void *m, clockid_t clock, const struct timespec *end)
{
	(void)clock;
	return pthread_mutex_timedlock(m, end);
}

static int lock_by_clock(void *m, clockid_t clock, const struct timespec *end)
{
	return pthread_mutex_clocklock(m, clock, end);
}

static int read_plainly(void *l, clockid_t clock, const struct timespec *end)
{
	(void)clock;
	(void)end;
	return pthread_rwlock_rdlock(l);
}

static int read_timed(void *l, clockid_t clock, const struct timespec *end)
{
	(void)clock;
	return pthread_rwlock_timedrdlock(l, end);
}

static int read_by_clock(void *l, clockid_t clock, const struct timespec *end)
{
	return pthread_rwlock_clockrdlock(l, clock, end);
}

static int write_plainly(void *l, clockid_t clock, const struct timespec *end)
{
	(void)clock;
	(void)end;
	return pthread_rwlock_wrlock(l);
}

static int write_timed(void *l, clockid_t clock, const struct timespec *end)
{
	(void)clock;
	return pthread_rwlock_timedwrlock(l, end);
}

static int write_by_clock(void *l, clockid_t clock, const struct timespec *end)
{
	return pthread_rwlock_clockwrlock(l, clock, end);
}

static const struct way {
	const char *name;
	int (*take)(void *, clockid_t, const struct timespec *);
	clockid_t clock;
	bool timed;
} mutex_ways[] = {
	{"lock", lock_plainly, CLOCK_REALTIME, false}, {"timedlock", lock_timed, CLOCK_REALTIME, true},
	{"clocklock REALTIME", lock_by_clock, CLOCK_REALTIME, true}, {"clocklock MONOTONIC", lock_by_clock, CLOCK_MONOTONIC, true},
}, rwlock_ways[] = {
	{"rdlock", read_plainly, CLOCK_REALTIME, false}, {"timedrdlock", read_timed, CLOCK_REALTIME, true},
	{"clockrdlock", read_by_clock, CLOCK_MONOTONIC, true}, {"wrlock", write_plainly, CLOCK_REALTIME, false},
	{"timedwrlock", write_timed, CLOCK_REALTIME, true}, {"clockwrlock", write_by_clock, CLOCK_MONOTONIC, true},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* In the states that any lock has.  `self`: what to do with one that this thread holds already; it would wait for good.  */
static void take_in_states(const char *kind, const struct way *w, void *lock, int (*take)(void *), int (*give)(void *), bool self)
{
	struct timespec soon = after(w->clock, SOON_US), late = after(w->clock, 60000000), past = {.tv_sec = 1};
	struct timespec bad = {.tv_nsec = -1};
	struct held h;
	char what[80];
	int result;

	snprintf(what, sizeof what, "%s, %s", kind, w->name);
	errno = UNTOUCHED;
#define TRY(state, clock, end)                                                                                        \
	do {                                                                                                          \
		result = w->take(lock, clock, end);                                                                   \
		say(what, state, result);                                                                             \
		if (result == 0 || result == EOWNERDEAD)                                                              \
			say(what, "given back", give(lock));                                                          \
	} while (0)
	TRY("free", w->clock, &late);
	if (w->timed) {
		TRY("free, in the past", w->clock, &past);
		TRY("free, no time", w->clock, &bad);
		TRY("free, no clock", 77, &late);
	}
	begin_hold(&h, lock, take, give, SOON_US);
	TRY("free soon", w->clock, &late);
	end_hold(&h);
	if (w->timed) {
		begin_hold(&h, lock, take, give, 0);
		TRY("held", w->clock, &soon);
		TRY("held, in the past", w->clock, &past);
		TRY("held, no time", w->clock, &bad);
		TRY("held, no clock", 77, &soon);
		end_hold(&h);
	}
	if (w->timed || self) {
		say(what, "own, taken", take(lock));
		soon = after(w->clock, SOON_US);
		TRY("own", w->clock, &soon);
		say(what, "own, given back", give(lock));
	}
#undef TRY
}

static void *take_and_end(void *m)
{
	pthread_mutex_lock(m);
	return NULL;
}

static void lose_owner(const struct way *w, const pthread_mutexattr_t *a, const char *kind)
{
	struct timespec late = after(w->clock, 60000000);
	pthread_mutex_t m;
	char what[80];

	snprintf(what, sizeof what, "%s, %s", kind, w->name);
	pthread_mutex_init(&m, a);
	elsewhere(take_and_end, &m);
	errno = UNTOUCHED;
	say(what, "owner died", w->take(&m, w->clock, &late));
	say(what, "made consistent", pthread_mutex_consistent(&m));
	say(what, "given back", pthread_mutex_unlock(&m));
	elsewhere(take_and_end, &m);
	errno = UNTOUCHED;
	say(what, "owner died again", w->take(&m, w->clock, &late));
	say(what, "given back as it is", pthread_mutex_unlock(&m));
	say(what, "not recoverable", w->take(&m, w->clock, &late));
}

static void mutexes(void)
{
	static const struct {
		const char *name;
		int type, robust, protocol;
	} kinds[] = {
		{"normal", PTHREAD_MUTEX_NORMAL, 0, 0}, {"errorcheck", PTHREAD_MUTEX_ERRORCHECK, 0, 0},
		{"recursive", PTHREAD_MUTEX_RECURSIVE, 0, 0}, {"adaptive", PTHREAD_MUTEX_ADAPTIVE_NP, 0, 0},
		{"robust", PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, 0},
		{"robust errorcheck", PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ROBUST, 0},
		{"robust recursive", PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ROBUST, 0},
		{"inherit", PTHREAD_MUTEX_NORMAL, 0, PTHREAD_PRIO_INHERIT},
		{"inherit errorcheck", PTHREAD_MUTEX_ERRORCHECK, 0, PTHREAD_PRIO_INHERIT},
		{"inherit robust", PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_INHERIT},
		{"protect", PTHREAD_MUTEX_NORMAL, 0, PTHREAD_PRIO_PROTECT},
		{"protect errorcheck", PTHREAD_MUTEX_ERRORCHECK, 0, PTHREAD_PRIO_PROTECT},
	};

	for (size_t k = 0; k < COUNT(kinds); k++)
		for (size_t i = 0; i < COUNT(mutex_ways); i++) {
			bool self = kinds[k].type == PTHREAD_MUTEX_ERRORCHECK || kinds[k].type == PTHREAD_MUTEX_RECURSIVE;
			pthread_mutexattr_t a;
			pthread_mutex_t m;

			pthread_mutexattr_init(&a);
			pthread_mutexattr_settype(&a, kinds[k].type);
			pthread_mutexattr_setrobust(&a, kinds[k].robust);
			pthread_mutexattr_setprotocol(&a, kinds[k].protocol);
			pthread_mutex_init(&m, &a);
			take_in_states(kinds[k].name, &mutex_ways[i], &m, take_mutex, give_mutex, self);
			if (kinds[k].robust)
				lose_owner(&mutex_ways[i], &a, kinds[k].name);
		}
}

static void shared_mutex(void)
{
	pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t a;
	int fds[2], result;
	char c;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(m, &a);
	if (pipe(fds) < 0)
		_exit(99);
	if (fork() == 0) {
		pthread_mutex_lock(m);
		if (write(fds[1], "x", 1) != 1)
			_exit(99);
		usleep(SOON_US);
		_exit(0);
	}
	if (read(fds[0], &c, 1) != 1)
		_exit(99);
	errno = UNTOUCHED;
	result = pthread_mutex_lock(m);
	say("shared", "the other process dies", result);
	wait(NULL);
}

/* Rwlocks.  */

static int take_to_read(void *l)
{
	return pthread_rwlock_rdlock(l);
}

static int take_to_write(void *l)
{
	return pthread_rwlock_wrlock(l);
}

static int give_rwlock(void *l)
{
	return pthread_rwlock_unlock(l);
}

static void *write_once(void *l)
{
	pthread_rwlock_wrlock(l);
	pthread_rwlock_unlock(l);
	return NULL;
}

/* A writer waits: whoever prefers it lets no more readers in.  */
static void read_before_writer(const char *name, int preference)
{
	struct timespec soon;
	pthread_rwlockattr_t a;
	pthread_rwlock_t l;
	pthread_t writer;

	pthread_rwlockattr_init(&a);
	pthread_rwlockattr_setkind_np(&a, preference);
	pthread_rwlock_init(&l, &a);
	pthread_rwlock_rdlock(&l);
	pthread_create(&writer, NULL, write_once, &l);
	while (preference != PTHREAD_RWLOCK_PREFER_READER_NP && pthread_rwlock_tryrdlock(&l) == 0) {
		pthread_rwlock_unlock(&l);
		sched_yield();
	}
	soon = after(CLOCK_REALTIME, SOON_US);
	errno = UNTOUCHED;
	if (pthread_rwlock_timedrdlock(&l, &soon) == 0)
		say(name, "a writer waits, given back", pthread_rwlock_unlock(&l));
	else
		say(name, "a writer waits", ETIMEDOUT);
	pthread_rwlock_unlock(&l);
	pthread_join(writer, NULL);
}

static void rwlocks(void)
{
	for (size_t i = 0; i < COUNT(rwlock_ways); i++) {
		pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER;

		take_in_states("write-held", &rwlock_ways[i], &l, take_to_write, give_rwlock, true);
		take_in_states("read-held", &rwlock_ways[i], &l, take_to_read, give_rwlock, rwlock_ways[i].take == read_plainly);
	}
	read_before_writer("readers first", PTHREAD_RWLOCK_PREFER_READER_NP);
	read_before_writer("writers first", PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
}

/* Conditions.  */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static bool told;

static void *tell(void *unused)
{
	usleep(SOON_US);
	pthread_mutex_lock(&mutex);
	told = true;
	pthread_cond_broadcast(&condition);
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void conditions(void)
{
	pthread_mutex_t strict = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
	struct timespec late, past = {.tv_sec = 1}, bad = {.tv_nsec = 1000000000};

	for (int way = 0; way < 3; way++) {
		pthread_t thread;
		int result = 0;

		late = after(way == 1 ? CLOCK_REALTIME : CLOCK_MONOTONIC, 60000000);
		told = false;
		pthread_mutex_lock(&mutex);
		pthread_create(&thread, NULL, tell, NULL);
		errno = UNTOUCHED;
		while (!told && !result)
			result = way == 0 ? pthread_cond_wait(&condition, &mutex) :
				 way == 1 ? pthread_cond_timedwait(&condition, &mutex, &late) :
					    pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC, &late);
		say("condition", "told", result);
		pthread_mutex_unlock(&mutex);
		pthread_join(thread, NULL);
	}
	pthread_mutex_lock(&mutex);
	errno = UNTOUCHED;
	say("condition, timedwait", "in the past", pthread_cond_timedwait(&condition, &mutex, &past));
	say("condition, timedwait", "no time", pthread_cond_timedwait(&condition, &mutex, &bad));
	say("condition, clockwait", "in the past", pthread_cond_clockwait(&condition, &mutex, CLOCK_REALTIME, &past));
	say("condition, clockwait", "no clock", pthread_cond_clockwait(&condition, &mutex, 77, &past));
	say("condition", "mutex is ours", pthread_mutex_unlock(&mutex));
	say("condition, wait", "mutex is not", pthread_cond_wait(&condition, &strict));
	say("condition, timedwait", "mutex is not", pthread_cond_timedwait(&condition, &strict, &past));
}

/* Semaphores.  */

static void *post(void *s)
{
	usleep(SOON_US);
	sem_post(s);
	return NULL;
}

static int value_of(sem_t *s)
{
	int value;

	sem_getvalue(s, &value);
	return value;
}

static long sem_in(int way, sem_t *s, const struct timespec *end)
{
	return way == 0 ? sem_wait(s) : way == 1 ? sem_timedwait(s, end) : sem_clockwait(s, CLOCK_MONOTONIC, end);
}

static void semaphores(void)
{
	static const char *const names[] = {"sem_wait", "sem_timedwait", "sem_clockwait"};
	struct timespec past = {.tv_sec = 1}, bad = {.tv_nsec = 1000000000}, late, soon;
	pthread_t thread;
	sem_t s;

	for (int way = 0; way < 3; way++) {
		late = after(way == 1 ? CLOCK_REALTIME : CLOCK_MONOTONIC, 60000000);
		sem_init(&s, 0, 1);
		errno = UNTOUCHED;
		say_errno(names[way], "there", sem_in(way, &s, &late));
		pthread_create(&thread, NULL, post, &s);
		say_errno(names[way], "there soon", sem_in(way, &s, &late));
		pthread_join(thread, NULL);
		errno = UNTOUCHED;
		if (way == 0)
			continue;
		soon = after(way == 1 ? CLOCK_REALTIME : CLOCK_MONOTONIC, SOON_US);
		say_errno(names[way], "not there", sem_in(way, &s, &soon));
		say_errno(names[way], "in the past", sem_in(way, &s, &past));
		say_errno(names[way], "no time", sem_in(way, &s, &bad));
		sem_post(&s);
		say_errno(names[way], "there, no time", sem_in(way, &s, &bad));
		say_errno(names[way], "value", value_of(&s));
		say_errno(names[way], "there, in the past", sem_in(way, &s, &past));
		say_errno(names[way], "value", value_of(&s));
	}
	sem_post(&s);
	say_errno("sem_clockwait", "there, no clock", sem_clockwait(&s, 77, &past));
	say_errno("sem_clockwait", "value", value_of(&s));
}

static sem_t for_handler;
static volatile sig_atomic_t handled;
static int word;

static void handler(int signal)
{
	(void)signal;
	handled++;
}

static void *send_signals(void *to)
{
	for (int i = 0; i < 3; i++) {
		usleep(SOON_US);
		pthread_kill(*(pthread_t *)to, SIGUSR1);
		while (handled == i)
			sched_yield();
	}
	usleep(SOON_US);
	sem_post(&for_handler);
	__atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	return NULL;
}

static void interrupted(const char *state, int flags)
{
	struct sigaction a = {.sa_handler = handler, .sa_flags = flags};
	struct timespec late = after(CLOCK_REALTIME, 60000000);
	pthread_t self = pthread_self(), thread;

	for (int way = 0; way < 3; way++) {
		long result;

		handled = word = 0;
		sem_init(&for_handler, 0, 0);
		sigaction(SIGUSR1, &a, NULL);
		pthread_create(&thread, NULL, send_signals, &self);
		errno = UNTOUCHED;
		if (way == 0)
			result = sem_wait(&for_handler);
		else if (way == 1)
			result = sem_timedwait(&for_handler, &late);
		else
			result = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
		say_errno(way == 0 ? "sem_wait" : way == 1 ? "sem_timedwait" : "futex", state, result);
		pthread_join(thread, NULL);
		printf("handled %d\n", handled);
	}
}

/* Threads and barriers.  */

static void *give_value(void *us)
{
	usleep((useconds_t)(uintptr_t)us);
	return (void *)7;
}

static sem_t go;

static void *give_value_when_told(void *us)
{
	while (sem_wait(&go) < 0)
		;
	return give_value(us);
}

static void joins(void)
{
	struct timespec past = {.tv_sec = 1}, late = after(CLOCK_REALTIME, 60000000), mono = after(CLOCK_MONOTONIC, 60000000);
	pthread_attr_t detached;
	pthread_t t;
	void *value = NULL;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	sem_init(&go, 0, 0);
	errno = UNTOUCHED;
	say("join", "self", pthread_join(pthread_self(), NULL));
	pthread_create(&t, NULL, give_value, (void *)SOON_US);
	say("join", "ends soon", pthread_join(t, &value));
	printf("value %ld\n", (long)value);
	pthread_create(&t, NULL, give_value, NULL);
	usleep(SOON_US);
	say("join", "has ended", pthread_join(t, &value));
	pthread_create(&t, NULL, give_value_when_told, (void *)SOON_US);
	say("timedjoin", "in the past", pthread_timedjoin_np(t, &value, &past));
	say("clockjoin", "no clock", pthread_clockjoin_np(t, &value, 77, &past));
	sem_post(&go);
	say("timedjoin", "ends soon", pthread_timedjoin_np(t, &value, &late));
	pthread_create(&t, NULL, give_value, (void *)SOON_US);
	say("clockjoin", "ends soon", pthread_clockjoin_np(t, &value, CLOCK_MONOTONIC, &mono));
	pthread_create(&t, &detached, give_value_when_told, NULL);
	say("join", "detached", pthread_join(t, NULL));
	sem_post(&go);
}

static pthread_barrier_t barrier;

static void *meet(void *count)
{
	if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
		__atomic_fetch_add((int *)count, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void barriers(void)
{
	pthread_t t[3];
	int serial = 0;

	pthread_barrier_init(&barrier, NULL, 3);
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, meet, &serial);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	printf("barrier: %d of 3 is the one\n", serial);
}

/* C11's: a result is thrd_success (0) or another thrd_..., whatever errno has that number.  */

static int take_mtx(void *m)
{
	return mtx_lock(m);
}

static int give_mtx(void *m)
{
	return mtx_unlock(m);
}

static int mtx_plainly(void *m, clockid_t clock, const struct timespec *end)
{
	(void)clock;
	(void)end;
	return mtx_lock(m);
}

static int mtx_timed_way(void *m, clockid_t clock, const struct timespec *end)
{
	(void)clock;
	return mtx_timedlock(m, end);
}

static mtx_t c11_mutex;
static cnd_t c11_condition;

static int tell_c11(void *unused)
{
	(void)unused;
	usleep(SOON_US);
	mtx_lock(&c11_mutex);
	told = true;
	cnd_broadcast(&c11_condition);
	mtx_unlock(&c11_mutex);
	return 7;
}

static void c11_conditions(void)
{
	struct timespec past = {.tv_sec = 1}, bad = {.tv_nsec = 1000000000}, late = after(CLOCK_REALTIME, 60000000);

	mtx_init(&c11_mutex, mtx_timed);
	cnd_init(&c11_condition);
	for (int way = 0; way < 2; way++) {
		int result = thrd_success, value = 0;
		thrd_t thread;

		told = false;
		mtx_lock(&c11_mutex);
		thrd_create(&thread, tell_c11, NULL);
		errno = UNTOUCHED;
		while (!told && result == thrd_success)
			result = way ? cnd_timedwait(&c11_condition, &c11_mutex, &late) : cnd_wait(&c11_condition, &c11_mutex);
		say("cnd", "told", result);
		mtx_unlock(&c11_mutex);
		say("thrd_join", "ends", thrd_join(thread, &value));
		printf("value %d\n", value);
	}
	mtx_lock(&c11_mutex);
	say("cnd_timedwait", "in the past", cnd_timedwait(&c11_condition, &c11_mutex, &past));
	say("cnd_timedwait", "no time", cnd_timedwait(&c11_condition, &c11_mutex, &bad));
	say("cnd_timedwait", "mutex is ours", mtx_unlock(&c11_mutex));
	say("thrd_join", "self", thrd_join(thrd_current(), NULL));
}

static void c11_sleeps(void)
{
	struct timespec soon = {.tv_nsec = SOON_US * 1000L}, bad = {.tv_nsec = -1}, left = {5, 6};
	/* Again and again, for the first may come before the call. */
	struct itimerval alarm = {{0, SOON_US}, {0, SOON_US}}, never = {{0, 0}, {0, 0}};
	struct sigaction a = {.sa_handler = handler};

	errno = UNTOUCHED;
	say("thrd_sleep", "over", thrd_sleep(&soon, &left));
	say("thrd_sleep", "no time", thrd_sleep(&bad, NULL));
	sigaction(SIGALRM, &a, NULL);
	setitimer(ITIMER_REAL, &alarm, NULL);
	soon.tv_sec = 60;
	say("thrd_sleep", "interrupted", thrd_sleep(&soon, &left));
	setitimer(ITIMER_REAL, &never, NULL);
	printf("left: %d\n", left.tv_sec == 59 || left.tv_sec == 60);
}

static void c11(void)
{
	static const struct way ways[] = {
		{"mtx_lock", mtx_plainly, CLOCK_REALTIME, false}, {"mtx_timedlock", mtx_timed_way, CLOCK_REALTIME, true},
	};
	static const struct {
		const char *name;
		int type;
	} kinds[] = {
		{"plain", mtx_plain}, {"timed", mtx_timed}, {"recursive", mtx_plain | mtx_recursive},
		{"both", mtx_timed | mtx_recursive},
	};

	for (size_t k = 0; k < COUNT(kinds); k++)
		for (size_t i = 0; i < COUNT(ways); i++) {
			mtx_t m;

			mtx_init(&m, kinds[k].type);
			take_in_states(kinds[k].name, &ways[i], &m, take_mtx, give_mtx, kinds[k].type & mtx_recursive);
		}
	c11_conditions();
	c11_sleeps();
}

static const char *cleaned;

static void clean(void *what)
{
	cleaned = what;
	if (!strcmp(what, "cond_wait"))
		pthread_mutex_unlock(&mutex);
}

static void say_end(const char *what, pthread_t t)
{
	void *value;

	pthread_join(t, &value);
	printf("cancel, %s: %s, cleaned: %s\n", what, value == PTHREAD_CANCELED ? "canceled" : "returned", cleaned ? cleaned : "-");
	cleaned = NULL;
}

/* Files.  */

static int file;

static int lock_file(bool with_flock, int fd)
{
	return with_flock ? flock(fd, LOCK_EX) : fcntl(fd, F_SETLKW, &(struct flock){.l_type = F_WRLCK});
}

static int unlock_file(bool with_flock, int fd)
{
	return with_flock ? flock(fd, LOCK_UN) : fcntl(fd, F_SETLK, &(struct flock){.l_type = F_UNLCK});
}

/* A child that holds the lock, so long or until it is killed.  */
static pid_t hold_file(bool with_flock, useconds_t us)
{
	int held[2];
	pid_t child;
	char c;

	if (pipe(held) < 0)
		_exit(99);
	child = fork();
	if (child == 0) {
		lock_file(with_flock, open("locked", O_RDWR | O_CLOEXEC));
		if (write(held[1], "x", 1) != 1)
			_exit(99);
		usleep(us);
		_exit(0);
	}
	if (read(held[0], &c, 1) != 1)
		_exit(99);
	close(held[0]);
	close(held[1]);
	errno = UNTOUCHED;
	return child;
}

static void *wait_for_file(void *with_flock)
{
	pthread_cleanup_push(clean, "file");
	lock_file(*(bool *)with_flock, file);
	pthread_cleanup_pop(0);
	unlock_file(*(bool *)with_flock, file);
	return NULL;
}

static void file_lock(const char *what, bool with_flock)
{
	pthread_t t;
	pid_t child;

	errno = UNTOUCHED;
	say_errno(what, "free", lock_file(with_flock, file));
	say_errno(what, "own", lock_file(with_flock, file));
	say_errno(what, "given back", unlock_file(with_flock, file));
	child = hold_file(with_flock, SOON_US);
	say_errno(what, "free soon", lock_file(with_flock, file));
	unlock_file(with_flock, file);
	waitpid(child, NULL, 0);
	for (int restart = 0; restart < 2; restart++) {
		struct sigaction a = {.sa_handler = handler, .sa_flags = restart ? SA_RESTART : 0};
		struct itimerval alarm = {{0, SOON_US}, {0, SOON_US}}, never = {{0, 0}, {0, 0}};

		sigaction(SIGALRM, &a, NULL);
		child = hold_file(with_flock, restart ? 10 * SOON_US : 60000000);
		setitimer(ITIMER_REAL, &alarm, NULL);
		say_errno(what, restart ? "SA_RESTART" : "no SA_RESTART", lock_file(with_flock, file));
		setitimer(ITIMER_REAL, &never, NULL);
		if (!restart)
			kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		unlock_file(with_flock, file);
	}
	child = hold_file(with_flock, 60000000);
	pthread_create(&t, NULL, wait_for_file, &with_flock);
	usleep(SOON_US);
	pthread_cancel(t);
	if (with_flock)
		kill(child, SIGKILL);
	say_end(what, t);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	errno = UNTOUCHED;
	say_errno(what, "no fd", lock_file(with_flock, -1));
}

static void files(void)
{
	int other;

	file = open("locked", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	other = open("locked", O_RDWR | O_CLOEXEC);
	file_lock("flock", true);
	file_lock("fcntl", false);
	errno = UNTOUCHED;
	say_errno("flock", "held", flock(file, LOCK_EX));
	say_errno("flock", "held, LOCK_NB", flock(other, LOCK_EX | LOCK_NB));
	say_errno("flock", "no operation", flock(file, 77));
	say_errno("fcntl", "no memory", fcntl(file, F_SETLKW, (struct flock *)8));
	say_errno("fcntl", "F_OFD_SETLKW", fcntl(file, F_OFD_SETLKW, &(struct flock){.l_type = F_WRLCK}));
	close(file);
	close(other);
	unlink("locked");
}

/* Cancellation.  */

static sem_t empty, one;
static void *cancelled_cond_wait(void *unused)
{
	pthread_mutex_lock(&mutex);
	pthread_cleanup_push(clean, "cond_wait");
	for (;;)
		pthread_cond_wait(&condition, &mutex);
	pthread_cleanup_pop(0);
	return unused;
}

static void *cancelled_sem_wait(void *unused)
{
	pthread_cleanup_push(clean, "sem_wait");
	sem_wait(&empty);
	pthread_cleanup_pop(0);
	return unused;
}

static void *cancelled_join(void *thread)
{
	pthread_cleanup_push(clean, "join");
	pthread_join(*(pthread_t *)thread, NULL);
	pthread_cleanup_pop(0);
	return NULL;
}

/* The cancellation is pending when the call is made, which need not wait.  */
static void *pending(void *which)
{
	pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER;
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	struct timespec late = after(CLOCK_REALTIME, 60000000);

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	while (sem_wait(&empty) < 0)
		;
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	switch (*(int *)which) {
	case 0: sem_wait(&one); break;
	case 1: sem_timedwait(&one, &late); break;
	case 2: pthread_mutex_lock(&m); pthread_mutex_unlock(&m); break;
	case 3: pthread_mutex_timedlock(&m, &late); pthread_mutex_unlock(&m); break;
	case 4: pthread_rwlock_rdlock(&l); pthread_rwlock_unlock(&l); break;
	case 5: pthread_rwlock_wrlock(&l); pthread_rwlock_unlock(&l); break;
	case 6: syscall(SYS_futex, &l, FUTEX_WAIT, 1, NULL, NULL, 0); break;
	default: break;
	}
	return NULL;
}

static void cancellation(void)
{
	static const char *const names[] = {
		"sem_wait", "sem_timedwait", "mutex_lock", "mutex_timedlock", "rdlock", "wrlock", "futex",
	};
	pthread_t t, other;

	sem_init(&empty, 0, 0);
	sem_init(&one, 0, 1);
	pthread_create(&t, NULL, cancelled_cond_wait, NULL);
	usleep(SOON_US);
	pthread_cancel(t);
	say_end("pthread_cond_wait", t);
	printf("mutex is free: %d\n", pthread_mutex_trylock(&mutex));
	pthread_mutex_unlock(&mutex);
	pthread_create(&t, NULL, cancelled_sem_wait, NULL);
	usleep(SOON_US);
	pthread_cancel(t);
	say_end("sem_wait", t);
	pthread_create(&other, NULL, give_value_when_told, NULL);
	pthread_create(&t, NULL, cancelled_join, &other);
	usleep(SOON_US);
	pthread_cancel(t);
	say_end("pthread_join", t);
	sem_post(&go);
	printf("joined after all: %d\n", pthread_join(other, NULL));
	for (int which = 0; which < (int)COUNT(names); which++) {
		pthread_create(&t, NULL, pending, &which);
		pthread_cancel(t);
		sem_post(&empty);
		say_end(names[which], t);
		printf("value %d\n", value_of(&one));
		sem_init(&one, 0, 1);
	}
}

/* fork with locks held.  */

static void lock_before(void)
{
	pthread_mutex_lock(&mutex);
}

static void unlock_after(void)
{
	pthread_mutex_unlock(&mutex);
}

static void forks(void)
{
	struct held h;
	int status;

	pthread_atfork(lock_before, unlock_after, unlock_after);
	begin_hold(&h, &mutex, take_mutex, give_mutex, SOON_US);
	if (fork() == 0) {
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
		elsewhere(give_value, NULL);
		_exit(5);
	}
	end_hold(&h);
	wait(&status);
	printf("fork: %d\n", WEXITSTATUS(status));
}

static void futexes(void)
{
	struct timespec soon = {.tv_nsec = SOON_US * 1000L};

	word = 1;
	errno = UNTOUCHED;
	say_errno("futex", "another value", syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0));
	say_errno("futex", "late", syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, &soon, NULL, 0));
	say_errno("futex", "nobody to wake", syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	say_errno("futex", "no operation", syscall(SYS_futex, &word, 99, 1, NULL, NULL, 0));
	say_errno("futex", "no memory", syscall(SYS_futex, 8, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0));
}

int main(void)
{
	futexes();
	mutexes();
	shared_mutex();
	rwlocks();
	conditions();
	semaphores();
	interrupted("SA_RESTART", SA_RESTART);
	interrupted("no SA_RESTART", 0);
	joins();
	barriers();
	c11();
	files();
	cancellation();
	forks();
	return 0;
}
