/* aarch64.h - what differs between processors: the system call instruction, the interrupted context, a signal-safe add.  */
#ifndef EAGAIN_ARCH_H
#define EAGAIN_ARCH_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#define ARCH_HAS_TSC 0
#define ARCH_VDSO_CLOCK "__kernel_clock_gettime"

/* A raw system call: returns the kernel's own value, -errno on failure; errno is not touched.  */
static inline long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory", "cc");
	return x0;
}

/* Adds n to *p and returns what was there.  Atomic against signal handlers of this thread: the exception clears the
 * exclusive monitor (Arm ARM, B2.9), so an interrupted pair starts again.  */
static inline uint64_t arch_fetch_add(uint64_t *p, uint64_t n)
{
	return __atomic_fetch_add(p, n, __ATOMIC_RELAXED);
}

#define ARCH_WIDE

struct arch_leaf;

static inline bool arch_is_wide(const struct arch_leaf *(*look)(unsigned))
{
	(void)look;
	return false;
}

enum { ARCH_SYSCALL_SIZE = 4 };         /* bytes of the instruction */

/* The window of an interrupted window_syscall().  */
static inline struct window *arch_window(const ucontext_t *uc)
{
	return (struct window *)uc->uc_mcontext.regs[19];
}

/* What the interrupted code has as a system call's result.  */
static inline long arch_result(const ucontext_t *uc)
{
	return (long)uc->uc_mcontext.regs[0];
}

/* The number of the system call that it is about to make.  */
static inline long arch_syscall(const ucontext_t *uc)
{
	return (long)uc->uc_mcontext.regs[8];
}

static inline uintptr_t arch_pc(const ucontext_t *uc)
{
	return (uintptr_t)uc->uc_mcontext.pc;
}

static inline void arch_set_pc(ucontext_t *uc, uintptr_t pc)
{
	uc->uc_mcontext.pc = pc;
}

/* The generic timer is not read here: CLOCK_MONOTONIC's vDSO reads the same register.  */
static inline uint64_t arch_ticks(void)
{
	return 0;
}

/* Registers by their numbers in unwinding tables (AADWARF64).  */
enum { ARCH_REGISTERS = 32, ARCH_STACK_REGISTER = 31 };

/* Those that calls preserve, and the program counter, here.  */
static inline __attribute__((always_inline)) uint64_t arch_capture(uint64_t registers[ARCH_REGISTERS])
{
	uint64_t pc, sp;

	__asm__ volatile("stp x19, x20, [%2, #152]\n\tstp x21, x22, [%2, #168]\n\tstp x23, x24, [%2, #184]\n\t"
			 "stp x25, x26, [%2, #200]\n\tstp x27, x28, [%2, #216]\n\tstp x29, x30, [%2, #232]\n\t"
			 "mov %1, sp\n\tstr %1, [%2, #248]\n\tadr %0, 0f\n0:"
			 : "=&r"(pc), "=&r"(sp) : "r"(registers) : "memory");
	return pc;
}

/* X(number in unwinding tables, in perf_event_open(2)): the same of a sample; and its program counter (<asm/perf_regs.h>), all
 * in the order of the latter.  */
#define ARCH_SAMPLED(X)                                                                                               \
	X(19, 19) X(20, 20) X(21, 21) X(22, 22) X(23, 23) X(24, 24) X(25, 25) X(26, 26) X(27, 27) X(28, 28) X(29, 29) \
	X(30, 30) X(31, 31) X(ARCH_REGISTERS, 32)

/* Without what signs it (pointer authentication).  */
static inline uint64_t arch_return_address(uint64_t saved)
{
	return saved & 0x0000ffffffffffff;
}

#endif
