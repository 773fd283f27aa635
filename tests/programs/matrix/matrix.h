/* matrix.h - the differential matrix: one small situation per cell, run natively and under eagain, compared line by line.
 *
 * A cell is a kind of fd, a call on it, the state it is in, a signal, and the context of the call.  The subject, a forked child,
 * makes the call.  The actor, its parent, acts whenever the subject sleeps in the kernel: it looks at /proc, never at the clock.
 * What is printed is what a program can tell: results, errno, bytes, signals, the order of events; no pids, no times.  */
#ifndef MATRIX_H
#define MATRIX_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum direction { READS = 1, WRITES = 2 };

/* ---- kinds.c: what the fd is.  */

struct ends {
	int subject;            /* the fd that is called on */
	int peer;               /* the actor's; -1: none */
};

enum kind_trait {
	STREAM = 1,             /* bytes without boundaries; a large write can be cut */
	PACKETS = 2,            /* datagrams */
	SOCKET = 4,
	TCP = 8,
	TERMINAL = 16,
	NO_PEER = 32,           /* nothing that another process could do to it */
	FILLS = 64,             /* a writer can find it full */
	HAS_EOF = 128,          /* the peer can close */
	WAKES = 256,            /* a call on it ends by itself, in time */
};

struct kind {
	const char *name;
	unsigned directions;
	unsigned traits;
	bool (*make)(struct ends *, unsigned direction);
};

extern const struct kind kinds[];
extern const size_t kind_count;

/* ---- calls.c: the call.  */

struct call {
	const char *name;
	unsigned direction;
	bool socket_only;       /* recv and send */
	bool simple;            /* also used with signals and contexts */
	bool large;             /* a write that does not fit */
	long (*perform)(int fd);        /* result, with errno */
};

extern const struct call calls[];
extern const size_t call_count;
void calls_prepare(void);
uint32_t calls_data_hash(long result);  /* of what the last read brought */

/* ---- states.c: what happens to the fd, before and while the subject waits.  */

enum action { NOTHING, GIVE5, GIVE_LINE, GIVE0, DRAIN, DRAIN_SOME, CLOSE, SHUT_WRITE, RESET, NONBLOCK_ON, SIGNAL, SIGNAL_2, STOP_CONTINUE };

enum { SCRIPT_MAX = 6 };

struct state {
	const char *name;
	unsigned direction;
	unsigned needs;                 /* traits */
	unsigned refuses;               /* traits */
	bool waits;                     /* the subject is meant to sleep: combined with signals */
	bool wakes;                     /* the call ends by itself, in time */
	bool (*before)(struct ends *);  /* in the actor, before the fork */
	bool (*in_subject)(struct ends *);      /* in the subject, before the call */
	enum action script[SCRIPT_MAX]; /* one action each time the subject sleeps */
};

extern const struct state states[];
extern const size_t state_count;

/* ---- signals.c: what a handler does, and contexts.c: from where the call is made.  */

struct signal_case {
	const char *name;
	bool (*install)(void);
	enum action script[2];          /* before the state's own */
};

extern const struct signal_case signal_cases[];
extern const size_t signal_case_count;

struct context {
	const char *name;
	void (*run)(void (*body)(void *), void *arg);
};

extern const struct context contexts[];
extern const size_t context_count;

/* ---- main.c: what the subject tells, in memory shared with the actor.  */

struct report {
	volatile pid_t tid;             /* of the thread that makes the call; 0 before it */
	volatile int done;
	volatile long result;
	volatile int error;
	volatile uint32_t hash;
	volatile unsigned event_count;
	char events[64];                /* one letter each, in order */
};

extern struct report *report;
void note(char event);
extern sigjmp_buf escape;

#endif
