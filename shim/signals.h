/* signals.h - how a wait learns that a signal handler has run.
 *
 * A native blocking call ends with EINTR when a handler without SA_RESTART runs at any time after it was entered.  An
 * operation here is several system calls, and a handler that runs between two of them must end it too.  Therefore every
 * handler is installed with a restorer of ours (calls/signal.c): on its return it counts, per thread, and, if it had
 * interrupted the window between the test of the count and the wait's system call, sends the thread back to that test.
 * An operation remembers the counts at its start; there is no other state, so handlers may nest, perform operations of
 * their own, or leave by siglongjmp.  */
#ifndef EAGAIN_SIGNALS_H
#define EAGAIN_SIGNALS_H

#include <signal.h>
#include <stdint.h>

/* How many handlers have returned in this thread: all of them, and those installed without SA_RESTART.  */
struct signal_counts {
	uint32_t any, interrupting;
};

extern __thread struct signal_counts signal_counts;

/* A system call that is not made if *counter is no longer `seen`.  The assembly knows these offsets.  */
struct window {
	long nr;
	long arg[6];
	const uint32_t *counter;
	uint32_t seen;
	uint32_t fate;          /* enum window_fate */
};

/* When ppoll has ended with EINTR: what a native read or write would have done, which is up to the first handler that it was
 * interrupted by.  WINDOW_OPEN: that was not one of ours.  */
enum window_fate { WINDOW_OPEN, WINDOW_RESTARTS, WINDOW_ENDS };

/* No result of the kernel's: a handler had run before it was entered, or re-entered.  The assembly knows the number.  */
#define WINDOW_NOT_ENTERED (-4097L)

/* Makes the call, or returns WINDOW_NOT_ENTERED where the counter had moved before the kernel was entered, or moves while the
 * call would be restarted.  Otherwise the kernel's own result (-errno on failure).  errno is untouched; signal-safe.  */
long window_syscall(const struct window *w);

/* For calls/signal.c: the addresses that go into sa_restorer.  */
void restorer_restarting(void);
void restorer_interrupting(void);

/* Called by the restorers only.  */
void signal_returned(ucontext_t *uc, uint32_t interrupts);

#endif
