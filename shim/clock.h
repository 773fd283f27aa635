/* clock.h - the recording's clock.
 *
 * The TSC where the kernel itself takes its time from it (clock source "tsc", or "kvm-clock", which is the TSC scaled by the
 * hypervisor), and CLOCK_MONOTONIC elsewhere.  The trace's control file holds the choice, so that a tree has one clock.  */
#ifndef EAGAIN_CLOCK_H
#define EAGAIN_CLOCK_H

#include <time.h>

#include "shim.h"
#include "sys.h"

enum clock_source { CLOCK_NANOSECONDS, CLOCK_TSC, CLOCK_SCALED };

extern enum clock_source clock_source;

/* Before the first use.  */
void clock_start(void);

/* CLOCK_MONOTONIC in nanoseconds.  */
uint64_t clock_ns(void);

/* CPU time of the process or of the calling thread (CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID), in nanoseconds.  */
uint64_t clock_cpu_ns(clockid_t whose);

/* The clock where it is not the TSC.  */
uint64_t clock_ticks_slowly(void);

/* Now, in ticks of the recording's clock.  */
static inline uint64_t clock_ticks(void)
{
	return likely(clock_source == CLOCK_TSC) ? arch_ticks() : clock_ticks_slowly();
}

/* So many nanoseconds in ticks, by the same moment in both and one of now.  */
uint64_t clock_ticks_of(uint64_t ns, uint64_t start_ticks, uint64_t start_ns);

/* Whether the kernel's clock source is the TSC.  Opens a file: for the first process of a trace only.  */
bool clock_tsc_is_trusted(void);

/* The program forbids itself the TSC (PR_SET_TSC), and with it the vDSO's clocks: from now on the system call is asked, and
 * scaled to ticks by the pair at the trace's start and one of now.  */
void clock_leave_tsc(uint64_t start_ticks, uint64_t start_ns);

#endif
