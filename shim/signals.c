/* signals.c - the part of a handler's return that is not assembly.  The idea is in signals.h.  */
#include "signals.h"

#include <errno.h>
#include <stddef.h>

#include "sys.h"

__thread struct signal_counts signal_counts __attribute__((tls_model("initial-exec")));

extern const char window_begin[], window_end[];

_Static_assert(offsetof(struct window, arg) == 8 && offsetof(struct window, counter) == 56 &&
	       offsetof(struct window, seen) == 64, "arch/ARCH.S reads these");

void signal_returned(ucontext_t *uc, uint32_t interrupts)
{
	uintptr_t pc = arch_pc(uc);

	/* The kernel restarts the call after this handler, or would if it were not ppoll: it has decided so, and what other handlers
	 * ran on top of this one does not change it.  */
	if (!interrupts && (pc == (uintptr_t)window_end - ARCH_SYSCALL_SIZE ||
			    (pc == (uintptr_t)window_end && arch_result(uc) == -EINTR))) {
		struct window *w = arch_window(uc);

		if (w->counter == &signal_counts.interrupting)
			w->seen = signal_counts.interrupting;
	}
	if (pc >= (uintptr_t)window_begin && pc < (uintptr_t)window_end)
		arch_set_pc(uc, (uintptr_t)window_begin);
	signal_counts.any++;
	signal_counts.interrupting += interrupts;
}
