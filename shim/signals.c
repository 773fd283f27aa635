/* signals.c - the part of a handler's return that is not assembly.  The idea is in signals.h.  */
#include "signals.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "sys.h"

__thread struct signal_counts signal_counts __attribute__((tls_model("initial-exec")));

extern const char window_begin[], window_end[];

_Static_assert(offsetof(struct window, arg) == 8 && offsetof(struct window, counter) == 56 &&
	       offsetof(struct window, seen) == 64, "arch/ARCH.S reads these");

/* The kernel restarts the call after this handler.  That is decided: handlers without SA_RESTART that ran on top of this one, or
 * run before the kernel is entered again, do not end it.  */
static void restarts(struct window *w)
{
	if (w->counter == &signal_counts.interrupting)
		w->counter = &w->seen;
}

/* The process was stopped in a sleep or a poll, and a handler came before the kernel was entered again: it makes EINTR of
 * restart_syscall(2).  */
static bool resumes(const ucontext_t *uc, uintptr_t pc)
{
	return pc == (uintptr_t)window_end - ARCH_SYSCALL_SIZE && arch_syscall(uc) == SYS_restart_syscall;
}

void signal_returned(ucontext_t *uc, uint32_t interrupts)
{
	uintptr_t pc = arch_pc(uc);

	if (pc == (uintptr_t)window_end - ARCH_SYSCALL_SIZE && !interrupts)
		restarts(arch_window(uc));
	else if (pc == (uintptr_t)window_end && arch_result(uc) == -EINTR && arch_window(uc)->fate == WINDOW_OPEN)
		arch_window(uc)->fate = interrupts ? WINDOW_ENDS : WINDOW_RESTARTS;
	if (pc >= (uintptr_t)window_begin && pc < (uintptr_t)window_end && !resumes(uc, pc))
		arch_set_pc(uc, (uintptr_t)window_begin);
	signal_counts.any++;
	signal_counts.interrupting += interrupts;
}
