/* stalls.h - the stretches in which an event loop was away from its polls for longer than --stall, and what kept it.
 *
 * An AWAY record tells of one.  What happened in it that has records of its own (waits for locks, sleeps, other calls) counts
 * first; then the thread's CPU time; for the rest it was off the CPU, and the kernel's counts tell why.  */
#ifndef EAGAIN_STALLS_H
#define EAGAIN_STALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader.h"

/* X(ID, "name", "words"): what it was.  */
#define STALL_CLASSES(X)                                                                                              \
	X(COMPUTING, "computing", "computing")                                                                        \
	X(SWITCHED, "switched_out", "switched out while others ran")                                                  \
	X(FAULTS, "page_faults", "in page faults")                                                                    \
	X(LOCK, "lock", "waiting for locks")                                                                          \
	X(ASLEEP, "asleep", "asleep")                                                                                 \
	X(CALL, "call", "in other calls")                                                                             \
	X(UNSEEN, "unseen", "waiting unseen")

enum stall_class {
#define X(id, name, words) STALL_##id,
	STALL_CLASSES(X)
#undef X
	STALL_CLASS_COUNT
};

#define STALL_NO_FD SIZE_MAX

/* Frames as in a STACK record, the innermost first.  */
enum { STALL_FRAMES = 16, STALL_SAMPLES = 8 };

struct stall_stack {
	size_t count;
	uint64_t frames[STALL_FRAMES];
};

/* Where its thread was (--stacks).  */
struct stall_stacks {
	struct stall_stack wait;        /* in its longest wait of those that have one */
	struct stall_stack samples[STALL_SAMPLES];      /* computing */
	size_t sample_count;
};

struct stall {
	uint32_t tid;
	unsigned loop;                  /* enum trace_loop */
	uint64_t start_ns, ns;
	uint64_t part_ns[STALL_CLASS_COUNT];    /* their sum is ns */
	enum stall_class class;         /* of the largest part */
	struct trace_away used;         /* all 0 where it never came back */
	bool unended;                   /* it never came back, as far as the trace tells */
	/* The longest wait for a lock, and the longest other call; 0 ns: none.  */
	uint64_t lock_ns, address, call_ns;
	unsigned lock, call;            /* enum trace_lock, enum call_id */
	int holder;                     /* tid, or -1 */
	size_t fd;                      /* of the call: index into the process's fds, or STALL_NO_FD */
	struct stall_stacks *stacks;    /* or NULL */
};

/* Those of a process.  The numbers are of threads that poll; among the kept are also those that wait in reads and writes.  */
struct stalls {
	uint64_t count, ns, longest_ns, limit_ns;       /* of --stall */
	uint64_t part_ns[STALL_CLASS_COUNT];
	struct stall *kept;             /* the longest, in the order of time */
	size_t kept_count;
};

/* One whose thread's records go by.  */
struct stall_open;

struct stall_open *stalls_begin(const struct trace *t, const struct trace_record *away, const struct reader_place *place);

/* Whether it is over at this moment.  */
bool stalls_is_over(const struct stall_open *open, uint64_t ticks);

/* What its thread did from `from` to `to`, in ticks: waited for a lock; was in a call, on the fd with that index, which can make
 * it wait or not; slept.  */
void stalls_lock(struct stall_open *open, const struct trace_record *lock, uint64_t from, uint64_t to);
void stalls_call(struct stall_open *open, unsigned call, size_t fd, bool waits, uint64_t from, uint64_t to);
void stalls_sleep(struct stall_open *open, uint64_t from, uint64_t to);

/* The latest call, a poll, was for this fd.  */
void stalls_polled(struct stall_open *open, size_t fd);

/* A STACK record of its thread.  */
void stalls_stack(struct stall_open *open, const struct trace_record *stack, const struct reader_place *place);

/* It is over: what it was; and it is added to those of its process, and freed.  */
const struct stall *stalls_end(struct stall_open *open);
void stalls_add(struct stalls *s, struct stall_open *open);

/* It has been away since then, and never came back.  */
struct stall_open *stalls_unended(const struct trace *t, uint32_t tid, unsigned loop, uint64_t since, uint64_t until);

/* Puts the kept ones in order.  */
void stalls_close(struct stalls *s);
void stalls_free(struct stalls *s);

const char *stalls_class_name(enum stall_class class);
const char *stalls_class_words(enum stall_class class);
const char *stalls_loop_name(unsigned loop);
const char *stalls_lock_name(unsigned lock);

#endif
