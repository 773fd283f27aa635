/* live.h - a recording that is going on: its processes, threads and fds, what each is in at this moment, and what they did since
 * the look before.
 *
 * Where a thread waits is told by the trace: an operation that was parked and has not returned, the plain call that it is in, the
 * lock that it waits for.  Of what eagain does not record, /proc says (proc.h) where it is; since when, is the last moment in which
 * it was not so.  */
#ifndef EAGAIN_LIVE_H
#define EAGAIN_LIVE_H

#include "fdtable.h"
#include "follow.h"
#include "model.h"
#include "proc.h"

/* Since the look before.  */
struct live_use {
	uint64_t calls, bytes, would_block, waited_ns;
	uint64_t stalls, stalled_ns;    /* an event loop was away from its polls for longer than --stall */
};

struct live_thread {
	uint32_t tid;
	char name[16];
	uint64_t seen;                  /* ticks: the end of its latest record; 0: there is none */
	uint64_t start_ns;              /* times are from the trace's start */
	struct live_call {
		uint32_t op;            /* 0: none, or of a plain call, any */
		unsigned call;
		int fd;
		uint64_t since;         /* ticks */
	} parked, plain, lock;          /* plain, lock: since is 0 where it is in none; of a lock, `call` is which, `fd` who has it */
	unsigned loop;                  /* enum trace_loop: POLL or EPOLL if it calls such; */
	uint64_t left;                  /* ticks: and has returned from there the last time */
	bool runs;                      /* in no call; else in this one, of which `otherwise_ns` is the last moment when it was not */
	struct proc_call in;
	uint64_t otherwise_ns;
	char state;                     /* proc(5) */
	uint64_t cpu_ns;
	double cpu;                     /* share of one; < 0: not known */
	struct live_use use;
};

struct live_fd {
	struct model_fd fd;
	bool open;
	uint64_t changed_ns;
	struct live_use use;
};

struct live_process {
	struct followed *file;          /* NULL: it is not read any more */
	uint32_t pid;
	bool forked, runs, leaves;      /* leaves: it was gone before the look: this is its last */
	bool became;                    /* another program, of which there is no image */
	int exit_status;                /* -1: not known */
	uint64_t start_ns, ended_ns;
	char *command;
	struct live_thread *threads;    /* by tid */
	size_t thread_count, thread;    /* thread: the one last looked for */
	struct fdtable fds;             /* of struct live_fd */
	uint64_t cpu_ns;
	double cpu;
	struct live_use use;
};

struct live {
	struct follow *follow;
	struct live_process **processes;
	size_t count, room;
	uint64_t before_ns, now_ns;
	uint64_t count_from_ns;         /* at the first look, what ended earlier is not counted */
	struct live_end *ends;          /* of pipes and connections, by their keys: for live_peer() */
	size_t end_count, end_room;
	size_t running, threads;        /* processes, and their threads */
	struct live_use use;
	uint64_t unseen;                /* events that were overwritten before they could be read: the counts lack them */
};

/* NULL, with *why, where dir is no trace.  */
struct live *live_open(const char *dir, const char **why);
void live_close(struct live *l);

/* Looks; the first counts what was recorded in the last so many nanoseconds.  */
void live_look(struct live *l, uint64_t first_ns);

/* What a thread waits in.  */
struct live_wait {
	bool waits;
	bool told;                      /* by the trace, not by /proc */
	unsigned call;                  /* enum call_id; CALL_none: another, in->name or in->place, or a lock */
	bool locked;
	unsigned lock;                  /* enum trace_lock */
	int holder;                     /* the thread that has it; -1: not known */
	int fd;                         /* -1: none */
	uint64_t ns;                    /* for how long */
	const struct proc_call *in;
};
struct live_wait live_wait(const struct live *l, const struct live_thread *t);

/* For how long a thread that runs has been away from its polls, where that is longer than --stall; else 0.  */
uint64_t live_away(const struct live *l, const struct live_process *p, const struct live_thread *t);

/* The fd that a process has under this number, or NULL.  */
const struct live_fd *live_fd(const struct live_process *p, int fd);

/* Who is at the other end of it, of those that moved most bytes there; NULL: not known.  */
const struct live_process *live_peer(const struct live *l, const struct live_process *p, const struct live_fd *f);

#endif
