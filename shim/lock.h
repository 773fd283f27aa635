/* lock.h - a lock, for what is rare and cannot be had without: numbers that have to be ours until they are closed, and a queue.
 *
 * It is held with all signals blocked, and never around anything that waits, so that no handler meets it; the child of a fork has
 * a new one.  What a program does all the time takes none.  */
#ifndef EAGAIN_LOCK_H
#define EAGAIN_LOCK_H

#include <stdint.h>

/* 0: free; 1: held; 2: and waited for.  */
typedef uint32_t lock_word;

/* Blocks all signals and takes the lock.  What lock_leave() is to be given: the mask as it was.  */
uint64_t lock_enter(lock_word *l);
void lock_leave(lock_word *l, uint64_t mask);

/* For who blocks signals already.  */
void lock_take(lock_word *l);
void lock_give(lock_word *l);

/* The processor may do less: something is waited for that is there soon.  */
static inline void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#else
	__asm__ volatile("yield");
#endif
}

#endif
