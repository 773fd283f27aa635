/* lock.c - waits for mutexes, rwlocks, conditions, semaphores, barriers and threads, while something is recorded.
 *
 * What is free is had by the function that tries, which is as fast; only what is not is timed.  Whoever waits does so in libc's
 * own function, so that errors, robustness, priorities, cancellation and signals are libc's.  Nothing of a lock is written here,
 * and what is read of it is a hint.
 *
 * Conditions have two functions of each name where libc is old enough (x86-64); names.def says which of them ours stand for, and
 * dlsym(3) finds the same.  */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#include "calls.h"
#include "shim/record.h"

/* Before the loader has come to this object there is nothing to be waited for.  */
#define PASS(name, ...) UNRECORDED(0, name, __VA_ARGS__)

#define WAIT(which, lock, holder, call) RECORDED_LOCK(int, which, lock, holder, call)

/* What libc refuses before it looks at the lock.  */
static bool is_clock(clockid_t clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC;
}

static bool is_time(const struct timespec *t)
{
	return t->tv_nsec >= 0 && t->tv_nsec < 1000000000;
}

/* A process without threads has libc's cheaper way, and waits at most for another process.  */
static bool is_certainly_free(const pthread_mutex_t *m)
{
	return libc_single_threaded() && m->__data.__lock == 0;
}

EXPORT int pthread_mutex_lock(pthread_mutex_t *m)
{
	int result;

	PASS(pthread_mutex_lock, m);
	if (is_certainly_free(m))
		return libc.pthread_mutex_lock(m);
	result = libc.pthread_mutex_trylock(m);
	if (likely(result != EBUSY))
		return result;
	return WAIT(TRACE_LOCK_MUTEX, m, m->__data.__owner, libc.pthread_mutex_lock(m));
}

EXPORT int pthread_mutex_timedlock(pthread_mutex_t *restrict m, const struct timespec *restrict end)
{
	int result;

	PASS(pthread_mutex_timedlock, m, end);
	result = libc.pthread_mutex_trylock(m);
	if (likely(result != EBUSY))
		return result;
	return WAIT(TRACE_LOCK_MUTEX_TIMED, m, m->__data.__owner, libc.pthread_mutex_timedlock(m, end));
}

EXPORT int pthread_mutex_clocklock(pthread_mutex_t *restrict m, clockid_t clock, const struct timespec *restrict end)
{
	int result = EBUSY;

	PASS(pthread_mutex_clocklock, m, clock, end);
	if (is_clock(clock))
		result = libc.pthread_mutex_trylock(m);
	if (likely(result != EBUSY))
		return result;
	return WAIT(TRACE_LOCK_MUTEX_CLOCK, m, m->__data.__owner, libc.pthread_mutex_clocklock(m, clock, end));
}

EXPORT int pthread_rwlock_rdlock(pthread_rwlock_t *l)
{
	int result;

	PASS(pthread_rwlock_rdlock, l);
	result = libc.pthread_rwlock_tryrdlock(l);
	if (likely(result != EBUSY))
		return result;
	return WAIT(TRACE_LOCK_READ, l, l->__data.__cur_writer, libc.pthread_rwlock_rdlock(l));
}

EXPORT int pthread_rwlock_wrlock(pthread_rwlock_t *l)
{
	int result;

	PASS(pthread_rwlock_wrlock, l);
	result = libc.pthread_rwlock_trywrlock(l);
	if (likely(result != EBUSY))
		return result;
	return WAIT(TRACE_LOCK_WRITE, l, l->__data.__cur_writer, libc.pthread_rwlock_wrlock(l));
}

EXPORT int pthread_rwlock_timedrdlock(pthread_rwlock_t *restrict l, const struct timespec *restrict end)
{
	int result = EBUSY;

	PASS(pthread_rwlock_timedrdlock, l, end);
	if (is_time(end))
		result = libc.pthread_rwlock_tryrdlock(l);
	if (likely(result != EBUSY))
		return result;
	return WAIT(TRACE_LOCK_READ_TIMED, l, l->__data.__cur_writer, libc.pthread_rwlock_timedrdlock(l, end));
}

EXPORT int pthread_rwlock_timedwrlock(pthread_rwlock_t *restrict l, const struct timespec *restrict end)
{
	int result = EBUSY;

	PASS(pthread_rwlock_timedwrlock, l, end);
	if (is_time(end))
		result = libc.pthread_rwlock_trywrlock(l);
	if (likely(result != EBUSY))
		return result;
	return WAIT(TRACE_LOCK_WRITE_TIMED, l, l->__data.__cur_writer, libc.pthread_rwlock_timedwrlock(l, end));
}

EXPORT int pthread_rwlock_clockrdlock(pthread_rwlock_t *restrict l, clockid_t clock, const struct timespec *restrict end)
{
	int result = EBUSY;

	PASS(pthread_rwlock_clockrdlock, l, clock, end);
	if (is_clock(clock) && is_time(end))
		result = libc.pthread_rwlock_tryrdlock(l);
	if (likely(result != EBUSY))
		return result;
	return WAIT(TRACE_LOCK_READ_CLOCK, l, l->__data.__cur_writer, libc.pthread_rwlock_clockrdlock(l, clock, end));
}

EXPORT int pthread_rwlock_clockwrlock(pthread_rwlock_t *restrict l, clockid_t clock, const struct timespec *restrict end)
{
	int result = EBUSY;

	PASS(pthread_rwlock_clockwrlock, l, clock, end);
	if (is_clock(clock) && is_time(end))
		result = libc.pthread_rwlock_trywrlock(l);
	if (likely(result != EBUSY))
		return result;
	return WAIT(TRACE_LOCK_WRITE_CLOCK, l, l->__data.__cur_writer, libc.pthread_rwlock_clockwrlock(l, clock, end));
}

/* A condition is always waited for.  */
EXPORT int pthread_cond_wait(pthread_cond_t *restrict c, pthread_mutex_t *restrict m)
{
	PASS(pthread_cond_wait, c, m);
	return WAIT(TRACE_LOCK_COND, c, 0, libc.pthread_cond_wait(c, m));
}

EXPORT int pthread_cond_timedwait(pthread_cond_t *restrict c, pthread_mutex_t *restrict m, const struct timespec *restrict end)
{
	PASS(pthread_cond_timedwait, c, m, end);
	return WAIT(TRACE_LOCK_COND_TIMED, c, 0, libc.pthread_cond_timedwait(c, m, end));
}

EXPORT int pthread_cond_clockwait(pthread_cond_t *restrict c, pthread_mutex_t *restrict m, clockid_t clock,
				  const struct timespec *restrict end)
{
	PASS(pthread_cond_clockwait, c, m, clock, end);
	return WAIT(TRACE_LOCK_COND_CLOCK, c, 0, libc.pthread_cond_clockwait(c, m, clock, end));
}

/* sem_wait(3) is a cancellation point even where it does not wait.  */
static bool takes(sem_t *s)
{
	int saved = errno;

	pthread_testcancel();
	if (likely(libc.sem_trywait(s) == 0))
		return true;
	errno = saved;
	return false;
}

EXPORT int sem_wait(sem_t *s)
{
	PASS(sem_wait, s);
	return takes(s) ? 0 : WAIT(TRACE_LOCK_SEM, s, 0, libc.sem_wait(s));
}

EXPORT int sem_timedwait(sem_t *restrict s, const struct timespec *restrict end)
{
	PASS(sem_timedwait, s, end);
	return is_time(end) && takes(s) ? 0 : WAIT(TRACE_LOCK_SEM_TIMED, s, 0, libc.sem_timedwait(s, end));
}

EXPORT int sem_clockwait(sem_t *restrict s, clockid_t clock, const struct timespec *restrict end)
{
	PASS(sem_clockwait, s, clock, end);
	if (is_clock(clock) && is_time(end) && takes(s))
		return 0;
	return WAIT(TRACE_LOCK_SEM_CLOCK, s, 0, libc.sem_clockwait(s, clock, end));
}

/* The tid is in the number of its clock (Linux, MAKE_THREAD_CPUCLOCK).  0: it has ended.  */
static int tid_of(pthread_t thread)
{
	clockid_t clock;

	return libc.pthread_getcpuclockid(thread, &clock) == 0 ? ~(clock >> 3) : 0;
}

EXPORT int pthread_join(pthread_t thread, void **value)
{
	PASS(pthread_join, thread, value);
	return WAIT(TRACE_LOCK_JOIN, (const void *)thread, tid_of(thread), libc.pthread_join(thread, value));
}

EXPORT int pthread_timedjoin_np(pthread_t thread, void **value, const struct timespec *end)
{
	PASS(pthread_timedjoin_np, thread, value, end);
	return WAIT(TRACE_LOCK_JOIN_TIMED, (const void *)thread, tid_of(thread), libc.pthread_timedjoin_np(thread, value, end));
}

EXPORT int pthread_clockjoin_np(pthread_t thread, void **value, clockid_t clock, const struct timespec *end)
{
	PASS(pthread_clockjoin_np, thread, value, clock, end);
	return WAIT(TRACE_LOCK_JOIN_CLOCK, (const void *)thread, tid_of(thread),
		    libc.pthread_clockjoin_np(thread, value, clock, end));
}

EXPORT int pthread_barrier_wait(pthread_barrier_t *b)
{
	PASS(pthread_barrier_wait, b);
	return WAIT(TRACE_LOCK_BARRIER, b, 0, libc.pthread_barrier_wait(b));
}

/* C11's are the same inside of libc, and say what became of it in their own numbers: 0 is thrd_success.  */

static const pthread_mutex_t *mutex_of(const mtx_t *m)
{
	return (const pthread_mutex_t *)m;
}

EXPORT int mtx_lock(mtx_t *m)
{
	int result;

	PASS(mtx_lock, m);
	if (is_certainly_free(mutex_of(m)))
		return libc.mtx_lock(m);
	result = libc.mtx_trylock(m);
	if (likely(result != thrd_busy))
		return result;
	return WAIT(TRACE_LOCK_MTX, m, mutex_of(m)->__data.__owner, libc.mtx_lock(m));
}

EXPORT int mtx_timedlock(mtx_t *restrict m, const struct timespec *restrict end)
{
	int result;

	PASS(mtx_timedlock, m, end);
	result = libc.mtx_trylock(m);
	if (likely(result != thrd_busy))
		return result;
	return WAIT(TRACE_LOCK_MTX_TIMED, m, mutex_of(m)->__data.__owner, libc.mtx_timedlock(m, end));
}

EXPORT int cnd_wait(cnd_t *c, mtx_t *m)
{
	PASS(cnd_wait, c, m);
	return WAIT(TRACE_LOCK_CND, c, 0, libc.cnd_wait(c, m));
}

EXPORT int cnd_timedwait(cnd_t *restrict c, mtx_t *restrict m, const struct timespec *restrict end)
{
	PASS(cnd_timedwait, c, m, end);
	return WAIT(TRACE_LOCK_CND_TIMED, c, 0, libc.cnd_timedwait(c, m, end));
}

EXPORT int thrd_join(thrd_t thread, int *value)
{
	PASS(thrd_join, thread, value);
	return WAIT(TRACE_LOCK_THRD, (const void *)thread, tid_of(thread), libc.thrd_join(thread, value));
}

/* Only a few of its operations wait.  */
long lock_futex(const long a[6])
{
	struct record_lock wait;
	long result;

	switch (a[1] & FUTEX_CMD_MASK) {
	case FUTEX_WAIT: case FUTEX_WAIT_BITSET: case FUTEX_WAIT_REQUEUE_PI: case FUTEX_LOCK_PI: case FUTEX_LOCK_PI2:
		break;
	default:
		return sys6(SYS_futex, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
	record_lock(&wait, TRACE_LOCK_FUTEX, (const void *)a[0], 0);
	result = sys6(SYS_futex, a[0], a[1], a[2], a[3], a[4], a[5]);
	record_locked(&wait);
	return result;
}

EXPORT int __pthread_mutex_lock(pthread_mutex_t *) __attribute__((alias("pthread_mutex_lock"), nothrow, nonnull));
EXPORT int __pthread_rwlock_rdlock(pthread_rwlock_t *) __attribute__((alias("pthread_rwlock_rdlock"), nothrow, nonnull));
EXPORT int __pthread_rwlock_wrlock(pthread_rwlock_t *) __attribute__((alias("pthread_rwlock_wrlock"), nothrow, nonnull));
