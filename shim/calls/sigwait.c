/* sigwait.c - waiting for signals, timed while something is recorded.  libc waits: its masks, its restarts, and what a handler
 * may do in it are as they are.  */
#include <signal.h>
#include <unistd.h>

#include "calls.h"

EXPORT int pause(void)
{
	UNRECORDED(-1, pause);
	return RECORDED(int, CALL_pause, -1, libc.pause(), as_kernel(value_));
}

EXPORT int sigsuspend(const sigset_t *mask)
{
	UNRECORDED(-1, sigsuspend, mask);
	return RECORDED(int, CALL_sigsuspend, -1, libc.sigsuspend(mask), as_kernel(value_));
}

/* The error is the result.  */
EXPORT int sigwait(const sigset_t *restrict set, int *restrict signal)
{
	UNRECORDED(EAGAIN, sigwait, set, signal);
	return RECORDED(int, CALL_sigwait, -1, libc.sigwait(set, signal), -value_);
}

EXPORT int sigwaitinfo(const sigset_t *restrict set, siginfo_t *restrict info)
{
	UNRECORDED(-1, sigwaitinfo, set, info);
	return RECORDED(int, CALL_sigwaitinfo, -1, libc.sigwaitinfo(set, info), as_kernel(value_));
}

EXPORT int sigtimedwait(const sigset_t *restrict set, siginfo_t *restrict info, const struct timespec *restrict time)
{
	UNRECORDED(-1, sigtimedwait, set, info, time);
	return RECORDED(int, CALL_sigtimedwait, -1, libc.sigtimedwait(set, info, time), as_kernel(value_));
}

EXPORT int __sigsuspend(const sigset_t *) __attribute__((alias("sigsuspend"), nonnull));
