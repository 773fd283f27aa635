/* tracefile.h - where records go: the process's file, and each thread's chunk of it.
 *
 * A thread appends to a chunk of its own: no lock, no allocation and no system call until the chunk is full.  A fork is
 * noticed by a word in a page that the kernel wipes in the child (madvise(2), MADV_WIPEONFORK), because libc forks inside
 * itself too; the child then starts a file of its own.  No fd is kept: a chunk is taken by opening the file again.  */
#ifndef EAGAIN_TRACEFILE_H
#define EAGAIN_TRACEFILE_H

#include <string.h>

#include "shim.h"
#include "sys.h"
#include "tracer/format.h"

/* The thread's place in its chunk.  `generation` tells which process it belongs to.  */
struct tracefile_thread {
	uint64_t next, end;             /* addresses: of the next free slot, and behind the last */
	uint32_t generation;
	uint32_t tid;
	struct trace_chunk *chunk;      /* the latest of a ring through `link`: the next is the oldest */
	uint64_t ring;                  /* bytes of all of them */
	uint32_t minor, major;          /* page faults to touch them: not the program's */
	bool own;                       /* the thread is ours */
	bool has_own_fds;               /* and has other fds than the program */
};

extern __thread struct tracefile_thread tracefile_thread;

/* Points to this process's generation; reads 0 in a forked child that has not started its own file.  NULL before
 * tracefile_start().  */
extern volatile uint32_t *tracefile_alive;

/* Not 0: each operation is to be asked about before it is recorded, because the recording is switched off, or by
 * tracefile_ask().  */
extern const volatile uint32_t *tracefile_gate;

void tracefile_ask(void);

/* Whether the recording is switched off, for the whole tree (format.h, struct trace_control).  */
bool tracefile_is_off(void);

/* Prepares recording into config.trace, and makes the process's file, so that the trace begins when the program does.  */
void tracefile_start(enum trace_origin origin);

/* The name of the process's file.  */
const char *tracefile_name(void);

/* Makes the trace for those that record, where this process does not.  */
void tracefile_make(void);

/* A duration in ticks, as well as it is known by now.  */
uint64_t tracefile_ticks(uint64_t ns);

/* The longer the clock's ticks have been compared with its nanoseconds, the better they are known: whether it was long enough.  */
bool tracefile_ticks_are_known(void);

/* Makes room for n slots: starts the process's file or the thread's chunk, or takes the next chunk.  False where there is no
 * room: then n events are counted as lost.  Signal-safe.  */
bool tracefile_more(unsigned n);

/* n consecutive slots with their kinds cleared, and so many behind them in the same chunk; or NULL.  Signal-safe.  */
static inline struct trace_record *tracefile_reserve_before(unsigned n, unsigned behind)
{
	struct tracefile_thread *t = &tracefile_thread;

	for (;;) {
		if (likely(t->generation == *tracefile_alive)) {
			uint64_t end = __atomic_load_n(&t->end, __ATOMIC_RELAXED);
			uint64_t at = arch_fetch_add(&t->next, n * sizeof(struct trace_record));

			/* A handler that recorded meanwhile may have taken another chunk: then `at` is of the one, `end` of the
			 * other, and the slot is given up.  */
			if (unlikely(__atomic_load_n(&t->end, __ATOMIC_RELAXED) != end))
				continue;
			if (likely(at + (n + behind) * sizeof(struct trace_record) <= end)) {
				struct trace_record *r = (struct trace_record *)(uintptr_t)at;

				__builtin_prefetch(r + n + 8, 1);
				for (unsigned i = 0; i < n; i++)
					__atomic_store_n(&r[i].kind, TRACE_NONE, __ATOMIC_RELAXED);
				return r;
			}
		}
		if (!tracefile_more(n))
			return NULL;
	}
}

static inline struct trace_record *tracefile_reserve(unsigned n)
{
	return tracefile_reserve_before(n, 0);
}

/* The slot for the call that the thread is in; NULL where it has no chunk.  */
static inline struct trace_record *tracefile_now(void)
{
	struct tracefile_thread *t = &tracefile_thread;

	return likely(t->chunk && t->generation == *tracefile_alive) ? (struct trace_record *)(t->chunk + 1) : NULL;
}

/* Stores one event: the kind last, so that a reader sees it whole or not at all.  Field by field, for then the event, where it has just
 * been made, is in registers: a processor waits where bytes that were stored one by one are loaded together.  Signal-safe.  */
static inline void tracefile_fill(struct trace_record *r, const struct trace_record *event)
{
	r->call = event->call;
	r->way = event->way;
	r->flags = event->flags;
	r->fd = event->fd;
	r->t = event->t;
	r->number = event->number;
	r->duration = event->duration;
	__atomic_store_n(&r->kind, event->kind, __ATOMIC_RELEASE);
}

static inline void tracefile_put(const struct trace_record *event)
{
	struct trace_record *r = tracefile_reserve(1);

	if (likely(r != NULL))
		tracefile_fill(r, event);
}

/* Grows where names are to be recorded again: at a fork, and before the flight recorder may write over them.  At least 1, and fits HINT_NAMED.  */
extern uint32_t tracefile_lap;

/* A name has been recorded, with so many bytes.  */
void tracefile_named(size_t size);

/* Where events are numbered: the next operation's number: in the trace, or, for a live log alone, in this process.  */
uint32_t tracefile_next_op(void);

/* The moment the trace began, in CLOCK_MONOTONIC nanoseconds.  */
uint64_t tracefile_start_ns(void);

/* Called when a thread ends that has recorded, or NULL.  */
extern void (*tracefile_thread_ends)(void);

/* Threads cannot be sampled, for this reason.  */
void tracefile_unsampled(int error);

/* Whether calls on files are classified, and how many major page faults the process had taken by now; before the file is begun.  */
void tracefile_files(enum trace_files files, uint64_t faults);

/* Major page faults of this process that touched its chunks: not the program's.  */
uint64_t tracefile_faults(void);

/* Another (ticks, ns) pair for the chunk in use, of now, unless it has one of about now: so that the reader's fit spans the whole run.  */
void tracefile_pair(uint64_t now);

/* The process is about to end: notes what it calls itself by now, and gives the budget back what its only thread has left.  */
void tracefile_end(void);

/* A thread is about to be started, perhaps the first: from then on the file is not opened any more.  */
void tracefile_lengthen(void);

/* The process may soon not be able to open the trace any more; nor, in a sandbox, to take more of the file: then the calling thread
 * takes the largest chunk now.  */
void tracefile_provide(bool for_sandbox);

/* Whether this is the process whose file is open, and not its vfork child.  */
bool tracefile_is_own(void);

/* See clock_leave_tsc().  */
void tracefile_leave_tsc(void);

#endif
