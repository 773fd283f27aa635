/* stall.c - asks the kernel what a thread has used, and records the difference of a stretch that was too long.
 *
 * Nobody knows beforehand which stretch will be, so each would have to be counted from its beginning.  But the count of a stretch
 * before, if it is fresh, serves as well: what is wrong about it is small beside --stall.  */
#include "stall.h"

#include <sys/resource.h>
#include <time.h>

#include "clock.h"
#include "config.h"
#include "init.h"
#include "record.h"
#include "sys.h"
#include "tracefile.h"

__thread struct stall_thread stall_thread;
HOT_DATA uint64_t stall_limit;

struct counts {
	uint64_t cpu_ns;
	struct trace_away used;
};

static __thread struct counts counts;

/* The clock first: it brings the thread's times up to date, of which getrusage(2) tells the parts (Linux, cputime_adjust).  */
static void ask(struct counts *c)
{
	struct rusage r = {0};

	c->cpu_ns = clock_cpu_ns(CLOCK_THREAD_CPUTIME_ID);
	sys(SYS_getrusage, RUSAGE_THREAD, &r);
	c->used = (struct trace_away){
		.involuntary = (uint32_t)r.ru_nivcsw, .voluntary = (uint32_t)r.ru_nvcsw,
		.minor = (uint32_t)r.ru_minflt - tracefile_thread.minor, .major = (uint32_t)r.ru_majflt - tracefile_thread.major,
		.system_ns = (uint64_t)r.ru_stime.tv_sec * 1000000000 + (uint64_t)r.ru_stime.tv_usec * 1000,
	};
}

static void count(uint64_t now)
{
	STORE(stall_limit, tracefile_ticks(config.stall_ns));
	ask(&counts);
	stall_thread.counted = now;
	stall_thread.polls = 0;
}

void stall_count(uint64_t now)
{
	if (shim_sandboxed) {
		stall_thread.since = 0;
		return;
	}
	count(now);
	if (unlikely(stack_on) && stall_thread.loop > TRACE_LOOP_PARK)
		stack_sample();
}

/* A poll may have been a voluntary switch.  */
static struct trace_away difference(const struct trace_away *after, const struct trace_away *before, uint32_t polls)
{
	uint32_t voluntary = after->voluntary - before->voluntary;

	return (struct trace_away){
		.involuntary = after->involuntary - before->involuntary, .voluntary = voluntary > polls ? voluntary - polls : 0,
		.minor = after->minor - before->minor, .major = after->major - before->major,
		.system_ns = after->system_ns > before->system_ns ? after->system_ns - before->system_ns : 0,
	};
}

void stall_ends(enum call_id call, uint64_t now)
{
	struct stall_thread *s = &stall_thread;
	struct counts before = counts;
	uint32_t polls = s->polls;
	struct trace_away used;

	if (shim_sandboxed)
		return;
	count(now);
	/* A child of a fork that was not seen begins anew. */
	if (counts.cpu_ns < before.cpu_ns)
		return;
	used = difference(&counts.used, &before.used, polls);
	record_away(call, s->loop, s->since, now, counts.cpu_ns - before.cpu_ns, &used);
	if (unlikely(stack_on))
		stack_tell_samples(s->since);
}

void stall_forked(void)
{
	stall_thread = (struct stall_thread){0};
}
