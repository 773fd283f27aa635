/* signal.c - the calls that install handlers.  The program's handler stays its own; only the restorer is ours (signals.h).  */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "shim/flag.h"
#include "shim/init.h"
#include "shim/libc.h"
#include "shim/mux/keep.h"
#include "shim/signals.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM ((int)(1u << 31))
#endif

#ifndef SA_RESTORER
#define SA_RESTORER 0x04000000
#endif

/* What the kernel takes (rt_sigaction(2), "C library/kernel differences"): its own layout and a mask of 64 signals.  */
struct kernel_sigaction {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

static void (*restorer_for(unsigned long flags))(void)
{
	return flags & SA_RESTART ? restorer_restarting : restorer_interrupting;
}

static void to_kernel(struct kernel_sigaction *k, const struct sigaction *a)
{
	k->handler = a->sa_handler;
	k->flags = (unsigned long)a->sa_flags | SA_RESTORER;
	k->restorer = restorer_for((unsigned long)a->sa_flags);
	memcpy(&k->mask, &a->sa_mask, sizeof k->mask);
}

static void from_kernel(struct sigaction *a, const struct kernel_sigaction *k)
{
	memset(&a->sa_mask, 0, sizeof a->sa_mask);
	memcpy(&a->sa_mask, &k->mask, sizeof k->mask);
	a->sa_handler = k->handler;
	a->sa_flags = (int)k->flags;
	a->sa_restorer = k->restorer;
}

EXPORT int sigaction(int signal, const struct sigaction *restrict new, struct sigaction *restrict old)
{
	struct kernel_sigaction knew, kold;
	long result;

	/* 32 and 33 are libc's own, for cancellation and setuid (nptl(7)). */
	if (signal == 32 || signal == 33)
		return (int)as_libc(-EINVAL);
	if (new)
		to_kernel(&knew, new);
	result = sys(SYS_rt_sigaction, signal, new ? &knew : NULL, old ? &kold : NULL, sizeof kold.mask);
	if (result == 0 && old)
		from_kernel(old, &kold);
	return (int)as_libc(result);
}

/* A handler that libc has installed gets our restorer afterwards.  The older calls have histories of their own (what signal()
 * does depends on siginterrupt()), so libc does them.  */
void signal_adopt(int signal)
{
	struct kernel_sigaction k;

	if (sys(SYS_rt_sigaction, signal, NULL, &k, sizeof k.mask) < 0 || k.handler == SIG_DFL || k.handler == SIG_IGN ||
	    k.restorer == restorer_for(k.flags))
		return;
	k.flags |= SA_RESTORER;
	k.restorer = restorer_for(k.flags);
	sys(SYS_rt_sigaction, signal, &k, NULL, sizeof k.mask);
}

EXPORT int sigaltstack(const stack_t *restrict new, stack_t *restrict old)
{
	long result = sys(SYS_sigaltstack, new, old);

	if (result == 0 && new && (new->ss_flags & SS_AUTODISARM))
		keep_autodisarm();
	return (int)as_libc(result);
}

struct system_call {
	char **environment;     /* the program's own */
	int status;             /* of one that is canceled: libc kills the command */
};

/* glibc's, for C without exceptions (struct _pthread_cleanup_buffer in <pthread.h>): what is pushed is called when the thread is
 * canceled, and also by siglongjmp(3).  */
void _pthread_cleanup_push(struct _pthread_cleanup_buffer *, void (*)(void *), void *);
void _pthread_cleanup_pop(struct _pthread_cleanup_buffer *, int);

/* libc's system() puts the program's own handlers for SIGINT and SIGQUIT back, with a restorer of libc's.  */
static void end_system(void *arg)
{
	const struct system_call *call = arg;

	environ_return(call->environment);
	wait_ended(call->status);
	signal_adopt(SIGINT);
	signal_adopt(SIGQUIT);
}

EXPORT int system(const char *command)
{
	struct system_call call = {.status = SIGKILL};
	struct _pthread_cleanup_buffer cleanup;

	shim_need_libc();
	flag_off_everywhere();
	call.environment = environ_lend();
	_pthread_cleanup_push(&cleanup, end_system, &call);
	call.status = record_on ? RECORDED(int, CALL_system, -1, libc.system(command), as_kernel(value_)) : libc.system(command);
	_pthread_cleanup_pop(&cleanup, true);
	return call.status;
}

#define OLD_CALL(name)                                                                                                \
	EXPORT sighandler_t name(int signal_, sighandler_t handler)                                                   \
	{                                                                                                             \
		sighandler_t old;                                                                                     \
                                                                                                                      \
		shim_need_libc();                                                                                     \
		old = libc.name(signal_, handler);                                                                    \
		if (old != SIG_ERR)                                                                                   \
			signal_adopt(signal_);                                                                        \
		return old;                                                                                           \
	}

EXPORT sighandler_t bsd_signal(int, sighandler_t);
EXPORT sighandler_t ssignal(int, sighandler_t);
EXPORT sighandler_t sysv_signal(int, sighandler_t);
EXPORT sighandler_t __sysv_signal(int, sighandler_t);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
OLD_CALL(signal)
OLD_CALL(bsd_signal)
OLD_CALL(ssignal)
OLD_CALL(sysv_signal)
OLD_CALL(__sysv_signal)
OLD_CALL(sigset)

EXPORT int siginterrupt(int signal, int interrupt)
{
	int result;

	shim_need_libc();
	result = libc.siginterrupt(signal, interrupt);
	if (result == 0)
		signal_adopt(signal);
	return result;
}
#pragma GCC diagnostic pop

EXPORT int __sigaction(int, const struct sigaction *, struct sigaction *) __attribute__((alias("sigaction"), nothrow, leaf));
