/* lock.c - a word, spun on for a moment, and then a futex(2).  */
#include "lock.h"

#include <linux/futex.h>
#include <signal.h>

#include "shim.h"
#include "sys.h"

enum { SPINS = 100 };           /* some microseconds: less than to fall asleep and be woken */

void lock_take(lock_word *l)
{
	for (int i = 0; i < SPINS; i++) {
		lock_word state = 0;

		if (LOAD(*l) == 0 && __atomic_compare_exchange_n(l, &state, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return;
		relax();
	}
	while (__atomic_exchange_n(l, 2, __ATOMIC_ACQUIRE) != 0)
		sys(SYS_futex, l, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2, NULL);
}

void lock_give(lock_word *l)
{
	if (__atomic_exchange_n(l, 0, __ATOMIC_RELEASE) == 2)
		sys(SYS_futex, l, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
}

uint64_t lock_enter(lock_word *l)
{
	uint64_t mask = 0, all = ~0ull;

	sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &mask, sizeof mask);
	lock_take(l);
	return mask;
}

void lock_leave(lock_word *l, uint64_t mask)
{
	lock_give(l);
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
}
