/* wait.c - sleeping, and waiting for children: plain, timed, so that a report knows where the time went.  */
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"
#include "shim/flag.h"
#include "shim/record.h"

static long timed(enum call_id call, long nr, long a, long b, long c, long d, long e)
{
	struct op op = op_of(call, nr, a, b, c, d, e, 0);

	return op_run(&op);
}

EXPORT int nanosleep(const struct timespec *time, struct timespec *left)
{
	return (int)as_libc(timed(CALL_nanosleep, SYS_clock_nanosleep, CLOCK_REALTIME, 0, (long)time, (long)left, 0));
}

/* The error is the result, and errno is left alone.  The clock of the calling thread is refused; that of the process is meant by
 * its number for the kernel.  */
EXPORT int clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left)
{
	enum { OWN_PROCESS_CLOCK = -6 };        /* MAKE_PROCESS_CPUCLOCK(0, CPUCLOCK_SCHED) */

	if (clock == CLOCK_THREAD_CPUTIME_ID)
		return EINVAL;
	if (clock == CLOCK_PROCESS_CPUTIME_ID)
		clock = OWN_PROCESS_CLOCK;
	return (int)-timed(CALL_clock_nanosleep, SYS_clock_nanosleep, clock, flags, (long)time, (long)left, 0);
}

/* C11: -1 where a signal ended it, -2 where it failed; errno is left alone (glibc, thrd_sleep.c).  */
EXPORT int thrd_sleep(const struct timespec *time, struct timespec *left)
{
	long result = timed(CALL_thrd_sleep, SYS_clock_nanosleep, CLOCK_REALTIME, 0, (long)time, (long)left, 0);

	return result == 0 ? 0 : result == -EINTR ? -1 : -2;
}

/* What is left of it, in whole seconds.  errno tells only of an interruption.  */
EXPORT unsigned sleep(unsigned seconds)
{
	struct timespec t = {.tv_sec = seconds};

	return as_libc(timed(CALL_sleep, SYS_clock_nanosleep, CLOCK_REALTIME, 0, (long)&t, (long)&t, 0)) < 0 ? (unsigned)t.tv_sec : 0;
}

EXPORT int usleep(useconds_t microseconds)
{
	struct timespec t = {microseconds / 1000000, microseconds % 1000000 * 1000L};

	return (int)as_libc(timed(CALL_usleep, SYS_clock_nanosleep, CLOCK_REALTIME, 0, (long)&t, 0, 0));
}

/* Whether the call brought a child's end: who, and with which status.  */
static bool has_reaped(const struct op *op, long result, pid_t *pid, int *status)
{
	const siginfo_t *info = (const siginfo_t *)op->arg[2];

	*pid = (pid_t)result;
	if (op->call != CALL_waitid) {
		*status = result > 0 && op->arg[1] ? *(const int *)op->arg[1] : W_STOPCODE(0);
		return WIFEXITED(*status) || WIFSIGNALED(*status);
	}
	if (result < 0 || (op->arg[3] & WNOWAIT) || !info || !info->si_pid)
		return false;
	*pid = info->si_pid;
	*status = info->si_code == CLD_EXITED ? W_EXITCODE(info->si_status, 0) : W_EXITCODE(0, info->si_status);
	return info->si_code == CLD_EXITED || info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED;
}

void wait_ended(int status)
{
	if (WIFSIGNALED(status))
		flag_child_killed();
}

void wait_note(const struct op *op, long result)
{
	pid_t pid;
	int status;

	if (!has_reaped(op, result, &pid, &status))
		return;
	wait_ended(status);
	if (record_on)
		record_reap(pid, status);
}

static pid_t wait_for(enum call_id call, pid_t pid, int *status, int options, struct rusage *usage)
{
	int own;
	struct op op = op_of(call, SYS_wait4, pid, (long)(status ? status : &own), options, (long)usage, 0, 0);
	long result = op_run(&op);

	wait_note(&op, result);
	return (pid_t)as_libc(result);
}

EXPORT pid_t wait(int *status)
{
	return wait_for(CALL_wait, -1, status, 0, NULL);
}

EXPORT pid_t waitpid(pid_t pid, int *status, int options)
{
	return wait_for(CALL_waitpid, pid, status, options, NULL);
}

EXPORT pid_t wait3(int *status, int options, struct rusage *usage)
{
	return wait_for(CALL_wait3, -1, status, options, usage);
}

EXPORT pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	return wait_for(CALL_wait4, pid, status, options, usage);
}

EXPORT int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	struct op op = op_of(CALL_waitid, SYS_waitid, type, id, (long)info, options, 0, 0);
	long result = op_run(&op);

	wait_note(&op, result);
	return (int)as_libc(result);
}

EXPORT int __nanosleep(const struct timespec *, struct timespec *) __attribute__((alias("nanosleep")));
EXPORT pid_t __wait(int *) __attribute__((alias("wait")));
EXPORT pid_t __waitpid(pid_t, int *, int) __attribute__((alias("waitpid")));
