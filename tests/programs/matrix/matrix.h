/* matrix.h - the differential matrix: one small situation per cell, run natively and under eagain, compared line by line.
 *
 * A cell is a kind of fd, a call of some family on it, the state it is in, a signal, and the context of the call.  The subject, a
 * forked child, makes the call.  The actor, its parent, acts whenever the subject sleeps in the kernel: it looks at /proc, never
 * at the clock.  What is printed is what a program can tell: results, errno, bytes, signals, the order of events; no pids, and
 * no times.  */
#ifndef MATRIX_H
#define MATRIX_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

enum direction { READS = 1, WRITES = 2 };

/* ---- kinds.c: what the fd is.  */

struct ends {
	int subject;            /* the fd that is called on */
	int peer;               /* the actor's; -1: none */
	int other;              /* kept open by the actor, for what it does to the others; -1: none */
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
	LOCAL = 512,            /* a unix socket: fds can be passed */
	UDP = 1024,
	LISTENS = 2048,         /* for accept */
	CONNECTS = 4096,        /* a fresh socket, for connect */
	QUEUES = 8192,          /* a connect on it finds the backlog full */
};

struct kind {
	const char *name;
	unsigned directions;
	unsigned traits;
	bool (*make)(struct ends *, unsigned direction);
};

extern const struct kind kinds[];
extern const size_t kind_count;

/* Where the fd of a kind that connects is to go, and a new socket that goes where this one listens.  */
extern struct sockaddr_storage target;
extern socklen_t target_size;
int connect_to(int listener);
bool connect_and_wait(struct ends *, int listener);     /* until it can be accepted */

/* ---- The calls, by families: a file each.  */

enum call_trait {
	SOCKET_ONLY = 1,        /* recv and send */
	SIMPLE = 2,             /* also used with signals and contexts */
	NOT_FITTING = 4,        /* a write that does not fit */
	TIMED = 8,              /* ends by itself, in time */
	COUNTS = 16,            /* the result is no number of bytes */
	REFUSED = 32,           /* fails whatever the state */
	GREEDY = 64,            /* a read that wants more than a line */
};

struct call {
	const char *name;
	unsigned direction;
	unsigned traits;
	long (*perform)(int fd);        /* result, with errno */
};

struct family {
	const char *name;
	const struct call *calls;
	const size_t *count;
	const char *kinds;              /* names in blanks, that the calls are made on; NULL: all */
	const char *signal_kinds;       /* those with signals; NULL: all */
	const char *context_kinds;      /* those with other contexts than main */
};

extern const struct call calls[], message_calls[], connection_calls[], poll_calls[], offset_calls[], move_calls[], stream_calls[],
	raw_calls[];
extern const size_t call_count, message_call_count, connection_call_count, poll_call_count, offset_call_count, move_call_count,
	stream_call_count, raw_call_count;

enum { LARGE = 1 << 20 };

extern char *buffer;            /* LARGE bytes, then a page that is not there */
extern char *nowhere;           /* a page without rights */

void calls_prepare(void);
uint32_t calls_data_hash(long size);    /* of what is in the buffer */
struct iovec *vectors(int count, size_t size);

/* ---- states.c: what happens to the fd, before and while the subject waits.  */

enum action {
	NOTHING, GIVE5, GIVE_LINE, GIVE0, GIVE_FD, DRAIN, DRAIN_SOME, CLOSE, SHUT_READ, SHUT_WRITE, RESET, REFUSE, CONNECT, ACCEPT,
	SHUT_SUBJECT, NONBLOCK_ON, SIGNAL, SIGNAL_2, STOP_CONTINUE,
};

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
bool give_fd(struct ends *);
bool refuse(struct ends *);

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
	volatile long bytes;            /* written, where the result does not say it */
	volatile unsigned event_count;
	char events[64];                /* one letter each, in order */
	char told[256];                 /* by tell() */
};

extern struct report *report;
void note(char event);
void tell(const char *name, long value);        /* what else a call brought */
void look_again(void);          /* after a moment */
extern sigjmp_buf escape;

#endif
