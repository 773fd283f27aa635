/* record.h - what is written down of an operation, and to where: the trace (tracefile.h), the live log (EAGAIN_LOG), or both.
 *
 * All functions are async-signal-safe and leave errno alone.  Call them only while record_on.  */
#ifndef EAGAIN_RECORD_H
#define EAGAIN_RECORD_H

#include <errno.h>

#include "clock.h"
#include "files.h"
#include "init.h"
#include "op.h"
#include "shim.h"
#include "tracefile.h"
#include "tracer/format.h"

/* This process is recorded.  */
extern bool record_on;

/* To the trace only, and without stacks; and either without --files or with it.  */
extern bool record_simply, record_simply_files;

/* Decides from the settings whether and where to record; once, at start-up of this program.  */
void record_start(const char *program);

/* What record_begin() asks where not every operation is recorded.  */
bool record_wants(const struct op *op);

/* An operation begins, whose fd has been looked at: now, or 0 if it is not to be recorded.  */
static inline uint64_t record_begin(const struct op *op)
{
	if (unlikely(*tracefile_gate) && !record_wants(op))
		return 0;
	return clock_ticks();
}

/* Whether it is recorded.  */
static inline bool record_follows(const struct op *op)
{
	return op->enter;
}

/* The operation was done at its first attempt, or was a plain call.  Reads the clock where it is not known when.  */
void record_call(struct op *op, long result);

/* Whether, if it is recorded simply, a transfer on fd, of which that is the hint, can be written down without further ado: its name is in this process's trace,
 * and nothing is left out.  */
static inline bool record_passes(bool simply, fd_hint hint)
{
	return simply && hint >> HINT_NAMED_SHIFT == LOAD(tracefile_lap) && tracefile_thread.generation == *tracefile_alive &&
	       !*tracefile_gate && !shim_sandboxed;
}

/* It has been made, by the plain call, which began at `enter`.  Reads the clock.  */
static inline void record_passed(enum call_id call, int fd, fd_hint hint, uint64_t enter, long result)
{
	struct trace_record e = {.kind = TRACE_CALL, .call = (uint8_t)call, .way = TRACE_WAY_NONE, .fd = fd, .t = enter, .result = result};

	e.duration = clock_ticks() - enter;
	if (hint & HINT_NONBLOCK)
		e.flags = result == -EAGAIN ? TRACE_NONBLOCK | TRACE_ASKED : TRACE_NONBLOCK;
	tracefile_put(&e);
}

/* The same on a file, with --files; asked for so many bytes, as far as known.  */
void record_passed_file(enum call_id call, int fd, fd_hint hint, uint64_t length, uint64_t enter, uint32_t waits, long result);

/* It was made from `enter` to `end`, and is known to be this: bits of enum trace_flag.  */
void record_passed_disk(enum call_id call, int fd, uint64_t length, uint64_t enter, uint64_t end, uint8_t disk, long result);

/* The plain call is about to be made, and may take long; it has been made.  */
void record_enter(const struct op *op);
void record_leave(void);

/* The attempt said EWOULDBLOCK.  Gives the operation its number.  */
void record_would_block(struct op *op);

/* The wait begins, at once, in ppoll (direct) or in the plain call.  */
void record_park(const struct op *op, bool direct);

/* The wait in ppoll ended with these revents.  */
void record_ready(const struct op *op, unsigned revents);

/* A poll or select has returned, or is about to, and fd was ready in it.  Whether that was wanted.  */
bool record_polled(struct op *op, long result, int fd, unsigned revents);

enum { RECORD_POLLED_MAX = 64 };        /* of one call, no more are recorded */

/* A set of so many kept fds was begun, was left, or `corrected` of them were.  */
void record_keep(const struct op *op, enum trace_keep what, unsigned fds, int corrected);

/* A wait for a lock that `holder` has, or 0, begins, and has ended.  */
struct record_lock {
	struct trace_record event;
	struct trace_record *slot;      /* where it is in the trace */
	uint32_t generation;            /* of the process that began it */
};

void record_lock(struct record_lock *wait, enum trace_lock which, const void *lock, int holder);
void record_locked(struct record_lock *wait);

/* A thread that polls was away from its polls, and comes back with this call.  */
void record_away(enum call_id call, enum trace_loop loop, uint64_t since, uint64_t now, uint64_t cpu_ns,
		 const struct trace_away *away);

/* Frames: numbers of objects, and addresses in them; and which file an object is: its build ID, and its path.  */
void record_stack(enum trace_stack what, uint64_t t, const uint64_t *frames, unsigned count);
void record_object(unsigned number, const char *text, size_t size);

/* A request of POSIX AIO: what is known of it by whoever brings it on.  */
struct record_request {
	uint32_t number;                /* in the trace; 0: it is not recorded */
	uint8_t call;                   /* enum call_id: what it does */
	int fd;
};

/* The number of one that is recorded.  With --longer-than all are, for how long they will take is not known.  */
uint32_t record_number(void);

/* It was submitted, at `enter`: bits of enum trace_request_flag, and those of TRACE_DIRECT.  */
void record_submitted(const struct record_request *q, uint64_t enter, uint64_t length, const struct trace_request_more *more,
		      uint8_t flags);

/* It is over, and was running since `since`, or 0; its notice was given at t, by a thread or by a signal; or what else
 * became of it, now: it would block, is ready, its `call` has found it over, or taken its result.  */
void record_completed(const struct record_request *q, uint64_t since, int64_t result);
void record_notified(const struct record_request *q, uint64_t t, bool by_thread);
void record_request(const struct record_request *q, enum trace_request how, int64_t result);

/* The calling thread is one of ours, perhaps with other fds than the program's.  Before anything that it records.  */
void record_own_thread(bool has_own_fds);

/* An operation that would have blocked is over.  */
void record_return(const struct op *op, long result);

/* What fd is.  The bits of its hint that say that this is done (HINT_NAMED, HINT_UNWANTED); 0 where it is not done now.  */
fd_hint record_fd(int fd, enum fd_kind kind, struct fd_facts *facts);

/* fd was closed; duplicated to `number`; the process made a child, is about to exec, exits: at t, or 0: now.  */
void record_fd_event(enum trace_kind kind, int fd, int64_t number, uint64_t t);

/* This process, or its child, which has no file of its own yet, is about to be another program; or it was not to be: -errno.  */
void record_exec(pid_t child, long error);

/* At start-up: names stdin, stdout and stderr, so that who holds the end of a pipe is known even if it never uses it; and has them
 * watched (readiness.h).  */
void record_stdio(void);

/* In the child of a fork: begins its file, so that it has one before a vfork child of its own could, or it drops its rights.  */
void record_forked(void);

/* The program is about to give up its rights, and with them the trace directory, perhaps; or to enter a sandbox.  */
void record_provide(bool for_sandbox);

/* A child has ended, with this wait status, and was waited for.  */
void record_reap(pid_t pid, int status);

/* fd is watched for readiness from now on, for these events of epoll's.  */
void record_watch(int fd, uint32_t registration, uint32_t events);

/* See tracefile_lap.  */
uint32_t record_lap(void);

#endif
