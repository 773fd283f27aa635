/* stall.h - an event loop that is away from its polls for longer than --stall: what the kernel counted meanwhile is recorded.
 *
 * A thread is an event loop by what it does: it calls epoll_wait; or else poll or select; or else it waits in its reads and
 * writes.  Where it does one of these, those later in the list are none of its polls, but may be what keeps it from there.
 *
 * Call these only while record_on; they are async-signal-safe, leave errno alone, and make two system calls at most eight times in
 * a stretch of --stall.  */
#ifndef EAGAIN_STALL_H
#define EAGAIN_STALL_H

#include "op.h"
#include "stack.h"
#include "tracer/format.h"

struct stall_thread {
	uint64_t since;                 /* ticks: away from its polls since then; 0: it is there, or is no event loop */
	uint64_t counted;               /* ticks: when the kernel's counts were asked for */
	uint32_t polls;                 /* since then */
	uint32_t loop;                  /* enum trace_loop */
};

extern __thread struct stall_thread stall_thread;

/* --stall in ticks; 0 before the first count.  */
extern uint64_t stall_limit;

/* The slow path of what follows.  */
void stall_ends(enum call_id call, uint64_t now);
void stall_count(uint64_t now);

/* In the child of a fork: its thread has other counts, and perhaps another task.  */
void stall_forked(void);

/* What kind of loop calls `op`.  Polls of no fds only sleep.  */
static inline enum trace_loop stall_loop(const struct op *op)
{
	switch (op->class) {
	case OP_POLL: return op->arg[1] ? TRACE_LOOP_POLL : TRACE_LOOP_NONE;
	case OP_SELECT: return op->arg[0] && (op->arg[1] || op->arg[2] || op->arg[3]) ? TRACE_LOOP_POLL : TRACE_LOOP_NONE;
	case OP_EPOLL: return TRACE_LOOP_EPOLL;
	default: return op->way == TRACE_WAY_NONE ? TRACE_LOOP_NONE : TRACE_LOOP_PARK;
	}
}

/* Whether it is to be told where the thread was that waited so long, away from its polls.  */
static inline bool stall_is_long(uint64_t ticks)
{
	return ticks > LOAD(stall_limit) && stack_on && stall_thread.since;
}

/* `op` is about to ask for what is ready, or to wait, at `now`; and has returned.  */
static inline void stall_arrive(const struct op *op, uint64_t now)
{
	struct stall_thread *s = &stall_thread;
	enum trace_loop loop = stall_loop(op);

	if (!loop || loop < s->loop)
		return;
	if (s->since && unlikely((int64_t)(now - s->since) > (int64_t)LOAD(stall_limit)))
		stall_ends(op->call, now);
	s->since = 0;
	s->loop = loop;
}

static inline void stall_leave(const struct op *op, uint64_t now)
{
	struct stall_thread *s = &stall_thread;
	enum trace_loop loop = stall_loop(op);

	if (!loop || loop != s->loop)
		return;
	s->since = now;
	s->polls++;
	if (unlikely((int64_t)(now - s->counted) > (int64_t)LOAD(stall_limit) / 8))
		stall_count(now);
}

/* An operation was done without a wait.  Of one that waits in its reads and writes, that was its poll.  */
static inline void stall_called(const struct op *op, uint64_t now)
{
	if (op->class < OP_COLUMNS) {
		if (likely(stall_thread.loop != TRACE_LOOP_PARK))
			return;
		stall_arrive(op, op->enter);
	}
	stall_leave(op, now);
}

#endif
