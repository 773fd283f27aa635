/* x86_64.h - what differs between processors: the system call instruction, the interrupted context, a signal-safe add.  */
#ifndef EAGAIN_ARCH_H
#define EAGAIN_ARCH_H

#include <signal.h>
#include <stdbool.h>
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

/* For a function that may use registers of 32 bytes: to be called only where the processor and the kernel have them.  */
#define ARCH_WIDE __attribute__((target("avx2")))

/* libc has asked the processor already, and shows what may be used (sys/platform/x86.h, leaf 7).  To ask again takes 10 us a question
 * in a virtual machine, and ends a program that has given it up (arch_prctl(2), ARCH_SET_CPUID).  */
struct arch_leaf {
	unsigned cpuid[4], active[4];
};

static inline bool arch_is_wide(const struct arch_leaf *(*look)(unsigned))
{
	enum { LEAF_7 = 1, EBX = 1, AVX2 = 1 << 5 };

	return look && (look(LEAF_7)->active[EBX] & AVX2);
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

/* Registers by their numbers in unwinding tables (psABI, "DWARF Register Number Mapping").  */
enum { ARCH_REGISTERS = 17, ARCH_STACK_REGISTER = 7 };

/* Those that calls preserve, and the program counter, here.  */
static inline __attribute__((always_inline)) uint64_t arch_capture(uint64_t registers[ARCH_REGISTERS])
{
	uint64_t pc;

	__asm__ volatile("movq %%rbx, 24(%1)\n\tmovq %%rbp, 48(%1)\n\tmovq %%rsp, 56(%1)\n\tmovq %%r12, 96(%1)\n\t"
			 "movq %%r13, 104(%1)\n\tmovq %%r14, 112(%1)\n\tmovq %%r15, 120(%1)\n\tleaq 0f(%%rip), %0\n0:"
			 : "=&r"(pc) : "r"(registers) : "memory");
	return pc;
}

/* X(number in unwinding tables, in perf_event_open(2)): the same of a sample; and its program counter (<asm/perf_regs.h>), all
 * in the order of the latter.  */
#define ARCH_SAMPLED(X) X(3, 1) X(6, 6) X(7, 7) X(ARCH_REGISTERS, 8) X(12, 20) X(13, 21) X(14, 22) X(15, 23)

static inline uint64_t arch_return_address(uint64_t saved)
{
	return saved;
}

#endif
