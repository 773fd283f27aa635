/* x86_64.h - what differs between processors: the system call instruction, the interrupted context, a signal-safe add.  */
#ifndef EAGAIN_ARCH_H
#define EAGAIN_ARCH_H

#include <signal.h>
#include <stdint.h>
#include <x86intrin.h>

#define ARCH_HAS_TSC 1
#define ARCH_VDSO_CLOCK "__vdso_clock_gettime"

/* A raw system call: returns the kernel's own value, -errno on failure; errno is not touched.  */
static inline long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/* Adds n to *p and returns what was there.  Atomic against signal handlers of this thread (one instruction), not against
 * other threads: that would cost a bus lock.  */
static inline uint64_t arch_fetch_add(uint64_t *p, uint64_t n)
{
	__asm__ volatile("xaddq %0, %1" : "+r"(n), "+m"(*p) : : "memory", "cc");
	return n;
}

enum { ARCH_SYSCALL_SIZE = 2 };         /* bytes of the instruction */

/* The window of an interrupted window_syscall().  */
static inline struct window *arch_window(const ucontext_t *uc)
{
	return (struct window *)uc->uc_mcontext.gregs[REG_RBX];
}

/* What the interrupted code has as a system call's result.  */
static inline long arch_result(const ucontext_t *uc)
{
	return (long)uc->uc_mcontext.gregs[REG_RAX];
}

/* The number of the system call that it is about to make.  */
static inline long arch_syscall(const ucontext_t *uc)
{
	return (long)uc->uc_mcontext.gregs[REG_RAX];
}

static inline uintptr_t arch_pc(const ucontext_t *uc)
{
	return (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
}

static inline void arch_set_pc(ucontext_t *uc, uintptr_t pc)
{
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)pc;
}

static inline uint64_t arch_ticks(void)
{
	return __rdtsc();
}

#endif
