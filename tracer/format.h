/* format.h - the trace on disk, shared by the shim (which writes it) and the tracer (which reads it).
 *
 * A trace is a directory.  `control` holds what the whole process tree shares: the clock, the byte budget, and whether calls are
 * recorded just now.  Every process
 * image (a fork, or an exec) has one file PID.N of its own: one header page, then chunks, and a hole where a process with threads has
 * not come to cut it off.  A chunk belongs to one thread at
 * a time and holds fixed-size records.  All files are mapped shared by their writers, so SIGKILL loses nothing written.
 *
 * Writers reserve a slot, clear its kind, fill it and store the kind last; a reader skips slots of kind 0 (torn, or never
 * written).  All numbers are in the byte order of the machine that wrote them; the header says which.  */
#ifndef EAGAIN_FORMAT_H
#define EAGAIN_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define TRACE_VERSION 1u
#define TRACE_CONTROL_MAGIC "EAGAINC"   /* with its NUL: 8 bytes */
#define TRACE_PROCESS_MAGIC "EAGAINP"   /* with its NUL: 8 bytes */
#define TRACE_CHUNK_MAGIC 0x4b4e4843u   /* "CHNK" */
#define TRACE_BYTE_ORDER 0x01020304u
#define TRACE_CONTROL_NAME "control"
#define TRACE_OBSERVER_NAME "observer"  /* a unix socket: where processes hand over what is to be watched (shim/readiness.h) */
#define TRACE_HEADER_SIZE 4096u         /* of both files; the chunks of a process file start here */
#define TRACE_CHUNK_UNIT 65536u         /* chunks begin with a size that is a multiple of this */
#define TRACE_CHUNK_ALIGN 4096u         /* where chunks begin and end: the last one is cut when its process exits */

/* What `t` counts in every record. */
enum trace_clock {
	TRACE_CLOCK_MONOTONIC = 0,      /* nanoseconds of CLOCK_MONOTONIC */
	TRACE_CLOCK_TSC = 1,            /* TSC ticks; the (ticks, ns) pairs in control, headers and chunks give the fit */
};

/* The common start of both headers: enough to refuse what cannot be read. */
struct trace_preamble {
	char magic[8];
	uint32_t version;
	uint32_t byte_order;
	uint32_t record_size;
	uint32_t page_size;
	uint32_t clock;                 /* enum trace_clock */
	uint32_t reserved;
	uint64_t features;              /* bits a reader must know; none so far */
	uint64_t start_ticks;           /* one pair: the same moment in ticks ... */
	uint64_t start_ns;              /* ... and in CLOCK_MONOTONIC nanoseconds */
};

#define TRACE_SWITCHES 64
#define TRACE_FILTER_SIZE 2048

/* The recording was switched off, or on again.  */
struct trace_switch {
	uint64_t ns;                    /* CLOCK_MONOTONIC */
	uint32_t pid;                   /* by whom */
	uint32_t off;
};

struct trace_control {
	struct trace_preamble preamble;
	uint64_t start_realtime_ns;     /* the same moment in CLOCK_REALTIME */
	uint64_t budget;                /* bytes that all process files together may take (--max-size) */
	uint64_t used;                  /* atomic: bytes taken so far */
	uint64_t lost_events;           /* atomic: events of processes that could not have a file at all */
	uint64_t lost_processes;        /* atomic: how many such processes */
	uint32_t last_op;               /* atomic: operations that would block are numbered from 1 */
	uint32_t reserved[7];
	/* From here on, what is seldom written, in cache lines of its own: every call looks at `off`.  */
	uint32_t off;                   /* atomic: calls are not recorded */
	uint32_t switches;              /* atomic: how often that was switched */
	struct trace_switch switched[TRACE_SWITCHES];   /* the latest, number n (from 0) at n % TRACE_SWITCHES */
	char filter[TRACE_FILTER_SIZE]; /* which calls were to be recorded, as options; "": all */
};

/* Why a process could not record everything. */
enum trace_stop {
	TRACE_STOP_NONE = 0,
	TRACE_STOP_BUDGET,              /* --max-size reached: the newest events were kept (or, without a chunk, none) */
	TRACE_STOP_DISK,                /* no room on the file system */
	TRACE_STOP_FSIZE,               /* RLIMIT_FSIZE */
	TRACE_STOP_OPEN,                /* the file could not be opened again (chroot, rights dropped, fds exhausted) */
	TRACE_STOP_SANDBOX,             /* the program entered seccomp */
	TRACE_STOP_MEMORY,              /* a chunk could not be mapped, or would eat up RLIMIT_AS */
};

#define TRACE_COMMAND_SIZE 2048

struct trace_process {
	struct trace_preamble preamble;
	uint32_t pid, ppid;
	uint32_t origin;                /* enum trace_origin */
	uint32_t command_size;          /* bytes used in command */
	uint64_t next;                  /* atomic: file offset of the next chunk to be taken */
	uint64_t lost_events;           /* atomic: events not recorded for want of room */
	uint64_t dropped_events;        /* atomic: recorded, then overwritten by newer ones (flight recorder) */
	uint32_t stop;                  /* enum trace_stop: the latest reason */
	uint32_t mode;                  /* 0 = --switch=auto, 1 = --switch=flag */
	uint64_t start_cpu_ns;          /* CPU time that the process had used when the image began */
	char command[TRACE_COMMAND_SIZE]; /* /proc/self/cmdline: arguments, each ended by NUL; cut where too long */
	uint64_t stall_ns;              /* --stall; 0: from before there was one */
	uint32_t unsampled;             /* with --stacks: the errno by which sampling was refused, or
					 * TRACE_UNSAMPLED_THREAD */
	uint32_t stacks;                /* --stacks: 1 */
	uint32_t files;                 /* enum trace_files */
	uint32_t reserved;
	uint64_t start_faults;          /* major page faults that the process had taken when the image began */
};

/* Whether calls on files are classified.  */
enum trace_files {
	TRACE_FILES_OFF,
	TRACE_FILES_ON,                 /* --files */
	TRACE_FILES_REFUSED,            /* --files, but the kernel does not tell how often a thread slept */
};

enum trace_origin {
	TRACE_ORIGIN_EXEC = 0,          /* a fresh image (also: the first of the trace) */
	TRACE_ORIGIN_FORK = 1,          /* a fork without exec: same command as its parent */
	TRACE_ORIGIN_OBSERVER = 2,      /* no process of the program's: what it saw of theirs, in EDGE records */
};

/* The first 64 bytes (two slots) of each chunk.  The slot behind it is for the call that the thread is in now (ENTER), for who is
 * killed in it, and who looks meanwhile: it is cleared when the call returns. */
struct trace_chunk {
	uint32_t magic;
	uint32_t size;                  /* of the chunk with this header, in bytes */
	uint32_t tid;                   /* of the thread that took it; a THREAD record hands it on */
	uint32_t lap;                   /* how often the flight recorder has come round: > 0 = older records were overwritten */
	uint64_t ticks, ns;             /* one pair, taken when the chunk was taken */
	uint64_t link;                  /* writer's own */
	uint64_t last_ticks, last_ns;   /* a later pair, taken now and then; 0 where there is none */
	uint64_t offset;                /* of the chunk in the file */
};

/* One slot.  `t` is in ticks of the trace's clock. */
struct trace_record {
	uint8_t kind;                   /* enum trace_kind, stored last */
	uint8_t call;                   /* enum call_id, from shim/calls.def */
	uint8_t way;                    /* enum trace_way */
	uint8_t flags;                  /* enum trace_flag bits */
	int32_t fd;
	uint64_t t;
	union {
		int64_t result;         /* CALL, RETURN, REQUEST: what the program gets: >= 0, or -errno */
		uint64_t length;        /* WOULD_BLOCK, REQUEST that is submitted: bytes asked for; READY: revents */
		uint64_t inode;         /* NAME; 0: not known, as of what a path has just opened */
		int64_t number;         /* FORK, REAP: child's pid; EXIT: status; DUP: new fd; USAGE, AWAY: ns; KEEP: fds;
					 * LOCK: address */
		struct {
			uint32_t pid;   /* EDGE: of the process whose file is PID.N; */
			uint16_t n;
			uint16_t look;  /* and how long the look at its fds took by which it was found */
		};
	};
	union {
		uint64_t duration;      /* CALL, LOCK, AWAY: ticks from t to the return; EXIT: CLOCK_MONOTONIC ns at t, one
					 * more pair; REAP: wait status (wait(2)) */
		struct {
			uint32_t op;    /* WOULD_BLOCK, PARK, READY, RETURN, REQUEST: which operation of the trace, from 1 */
			uint32_t lead;  /* WOULD_BLOCK: ticks since enter, at most 2^32-1; 0: not the operation's first.  KEEP: of */
		};
		struct {
			uint16_t access;        /* NAME: O_RDONLY, O_WRONLY, O_RDWR */
			uint16_t fd_kind;       /* NAME: enum fd_kind, from shim/kinds.def; what a path has opened is a
						 * file until it is used */
			uint32_t text_size;     /* NAME: bytes of text in the TEXT slots that follow */
		};
	};
};

/* X(ID, "log name"): what a record says. */
#define TRACE_KINDS(X)                                                                                                          \
	X(NONE, "none")               /* torn, or never written */                                                              \
	X(CALL, "call")               /* done at the first attempt, or a plain call: from t, for `duration` */                  \
	X(WOULD_BLOCK, "EWOULDBLOCK") /* the attempt (or a guard's poll) said: this would block */                              \
	X(PARK, "park")               /* the wait begins */                                                                     \
	X(READY, "ready")             /* the multiplexer says the fd is ready; a plain wait has none: ready = return;           \
				       * with op 0: the poll or select before it in this thread returned fd as ready */         \
	X(RETURN, "return")           /* the operation is over */                                                               \
	X(NAME, "fd")                 /* this fd, from now on, is this; text_size bytes in TEXT slots follow */                 \
	X(TEXT, "text")               /* 31 bytes of the text of the record before them */                                      \
	X(THREAD, "thread")           /* fd = tid: whose records follow in this chunk; its name is in the last 16 bytes */      \
	X(CLOSE, "close")             /* the program closed fd */                                                               \
	X(DUP, "dup")                 /* fd was duplicated to `number` */                                                       \
	X(FORK, "fork")               /* a child `number` was made by this process */                                           \
	X(EXEC, "exec")               /* this image is about to be replaced, or (`op`) that of a child by vfork or posix_spawn; \
				       * with a `number`, -errno: it was not */                                                 \
	X(EXIT, "exit")               /* the program exits with status `number` */                                              \
	X(USAGE, "usage")             /* `number`: ns of CPU time: of the process, before its EXIT; fd = tid: of a thread.      \
				       * With --files, `duration`: of the process, its major page faults */                     \
	X(REAP, "reap")               /* a child `number` had ended, and was waited for */                                      \
	X(KEEP, "keep")               /* of a set of kept fds: `op` is enum trace_keep, `number` how many, of `lead` */         \
	X(ENTER, "enter")             /* in a chunk's first slot alone: its thread, tid `number`, is in this call since t */        \
	X(WATCH, "watch")             /* fd is watched for readiness from now on, as registration `op`, for events `lead` of    \
				       * epoll's; until it is closed, or watched anew */                                        \
	X(EDGE, "edge")               /* in the observer's file: fd became ready, as registration `op`, for `way`, bits of enum  \
				       * trace_edge: it was ready within `look` before t, and not yet `lead` ticks before t,    \
				       * unless that is 0: then it woke the observer */                                         \
	X(LOCK, "lock")               /* waited for the lock at address `number`, from t for `duration` (0: not over yet);      \
				       * fd = the tid that held it, or -1; way = enum trace_lock */                             \
	X(AWAY, "away")               /* a thread that polls was away from its polls from t for `duration`; of that `number` ns \
				       * on a CPU; `call` ended it; way = enum trace_loop; a struct trace_away is the TEXT      \
				       * that follows */                                                                        \
	X(OBJECT, "object")           /* frames of object `fd` are in the file that text_size bytes in TEXT slots name: its     \
				       * build ID of TRACE_BUILD_ID bytes, or zeros where it has none, and its path */          \
	X(STACK, "stack")             /* way = enum trace_stack: text_size bytes in TEXT slots are its frames, the innermost    \
				       * first, 8 bytes each: an address in the object whose number is above it */              \
	X(REQUEST, "request")         /* what became of a request of POSIX AIO: way = enum trace_request */

enum trace_kind {
#define X(id, name) TRACE_##id,
	TRACE_KINDS(X)
#undef X
	TRACE_KIND_COUNT
};

/* X(ID, "name"): how the operation was kept from blocking blindly. */
#define TRACE_WAYS(X)                                                                                                 \
	X(NONE, "none")                 /* the plain call */                                                          \
	X(DONTWAIT, "MSG_DONTWAIT")                                                                                   \
	X(NOWAIT, "RWF_NOWAIT")                                                                                       \
	X(GUARD, "guard")               /* poll(fd, 0) told whether it would block; then the plain call */            \
	X(FLAG, "O_NONBLOCK")           /* --switch=flag */                                                           \
	X(KEPT, "kept")                 /* poll and select: from the interest set in which its fds are kept */

enum trace_way {
#define X(id, name) TRACE_WAY_##id,
	TRACE_WAYS(X)
#undef X
	TRACE_WAY_COUNT
};

enum trace_flag {
	TRACE_ASKED = 1,                /* EAGAIN went to the program, which had asked for non-blocking I/O */
	TRACE_WAIT_DIRECT = 2,          /* PARK: waits in ppoll; without this bit: in the plain call */
	TRACE_NO_FDS = 2,               /* CALL of a poll or select: of no fds: it sleeps */
	TRACE_PARTIAL = 4,              /* PARK, RETURN: some bytes had been moved before */
	TRACE_NONBLOCK = 8,             /* CALL: could not wait: O_NONBLOCK by the program, MSG_DONTWAIT, a poll with a timeout of 0 */
	TRACE_SHIELD = 16,              /* CALL, WOULD_BLOCK, PARK, READY, RETURN: it waits, in spite of O_NONBLOCK (--shield) */
	/* With --files, of calls that are no polls: */
	TRACE_STAYED = 32,              /* CALL: its thread has not slept in it, and so not waited for a disk */
	TRACE_SLEPT = 64,               /* CALL, WOULD_BLOCK, PARK, RETURN: it has.  Where it moved bytes there is no CALL, but the
					 * other three, made when it had returned: PARK is its beginning */
	TRACE_DIRECT = 128,             /* the same: O_DIRECT is on the file */
};

/* X(ID, "log name"): how far a request of POSIX AIO has come.  Whoever brings it there makes the record.  */
#define TRACE_REQUESTS(X)                                                                                             \
	X(SUBMITTED, "submitted")       /* by `call`, from t on for `lead` ticks; a struct trace_request_more is the TEXT */  \
	X(COMPLETED, "completed")       /* the program can know its `result`; the kernel had it for the `lead` ticks before */ \
	X(NOTIFIED, "notified")         /* by a signal, or (TRACE_REQUEST_THREAD) a thread; `op` may be that of its list */   \
	X(SEEN, "seen")                 /* `call` has told the program that it is over */                             \
	X(COLLECTED, "collected")       /* aio_return(3) */                                                           \
	X(WOULD_BLOCK, "EWOULDBLOCK")   /* an attempt said so, and it waits */                                        \
	X(READY, "ready")               /* its fd is */

enum trace_request {
#define X(id, name) TRACE_REQUEST_##id,
	TRACE_REQUESTS(X)
#undef X
	TRACE_REQUEST_COUNT
};

enum trace_request_flag {
	TRACE_REQUEST_BLOCKS = 1,       /* SUBMITTED: an attempt said that it would block */
	TRACE_REQUEST_THREAD = 2,       /* NOTIFIED */
	/* and TRACE_DIRECT */
};

struct trace_request_more {
	int64_t offset;
	uint32_t list;                  /* of one lio_listio(3): its number; 0: of none */
};

/* THREAD: it is one of ours, and makes REQUEST records only.  */
enum { TRACE_THREAD_OWN = 1 };

enum trace_edge {
	TRACE_EDGE_READ = 1,
	TRACE_EDGE_WRITE = 2,
	TRACE_EDGE_HANGUP = 4,          /* POLLHUP: the end of what a pipe has; of a socket that was never connected it says nothing */
};

#define TRACE_LOOK_SHIFT 10             /* EDGE: `look` is in units of so many bits of ticks, rounded up */

#define TRACE_WHY_SHIFT 5               /* CALL of a poll or select: the upper bits of flags */

/* X(ID, "log word", "words"): why a poll or select was left to the kernel.  */
#define TRACE_WHYS(X)                                                                                                 \
	X(NONE, "-", "fewer than 64 fds")                                                                             \
	X(FEW, "few", "fewer than 64 fds in its sets")                                                                \
	X(NEW, "new", "seen too seldom")                                                                              \
	X(CHANGES, "changes", "other fds at each call")                                                               \
	X(READY, "ready", "most of them ready")                                                                       \
	X(KINDS, "kinds", "fds that cannot be kept")                                                                  \
	X(BUSY, "busy", "in use, or changed by another thread")                                                       \
	X(LIMIT, "limit", "off, or a limit")

enum trace_why {
#define X(id, name, words) TRACE_WHY_##id,
	TRACE_WHYS(X)
#undef X
	TRACE_WHY_COUNT
};

/* Of a kept set, so many fds are verified at once, and all within so many nanoseconds of polling: as few times as can be, for to
 * wake up costs more than to verify.  */
enum { KEEP_SLICE = 256, KEEP_SLICE_NS = 20000000 };

static inline unsigned keep_slices(unsigned fds)
{
	return fds < KEEP_SLICE ? 1 : (fds + KEEP_SLICE - 1) / KEEP_SLICE;
}

static inline uint64_t keep_round_ns(unsigned fds)
{
	return (uint64_t)KEEP_SLICE_NS * (keep_slices(fds) < 4 ? 4 : keep_slices(fds));
}

/* X(ID, "log name"): what happened to a kept set.  */
#define TRACE_KEEPS(X)                                                                                                \
	X(BEGUN, "begun")               /* with this many fds */                                                      \
	X(LEFT, "left")                                                                                               \
	X(CORRECTED, "corrected")       /* so many fds were others than it knew */

enum trace_keep {
#define X(id, name) TRACE_KEEP_##id,
	TRACE_KEEPS(X)
#undef X
	TRACE_KEEP_COUNT
};

/* X(ID, "function", "what it waits for"): who made a LOCK record.  */
#define TRACE_LOCKS(X)                                                                                                \
	X(MUTEX, "pthread_mutex_lock", "a mutex")                                                                     \
	X(MUTEX_TIMED, "pthread_mutex_timedlock", "a mutex")                                                          \
	X(MUTEX_CLOCK, "pthread_mutex_clocklock", "a mutex")                                                          \
	X(READ, "pthread_rwlock_rdlock", "a read lock")                                                               \
	X(READ_TIMED, "pthread_rwlock_timedrdlock", "a read lock")                                                    \
	X(READ_CLOCK, "pthread_rwlock_clockrdlock", "a read lock")                                                    \
	X(WRITE, "pthread_rwlock_wrlock", "a write lock")                                                             \
	X(WRITE_TIMED, "pthread_rwlock_timedwrlock", "a write lock")                                                  \
	X(WRITE_CLOCK, "pthread_rwlock_clockwrlock", "a write lock")                                                  \
	X(COND, "pthread_cond_wait", "a condition")                                                                   \
	X(COND_TIMED, "pthread_cond_timedwait", "a condition")                                                        \
	X(COND_CLOCK, "pthread_cond_clockwait", "a condition")                                                        \
	X(SEM, "sem_wait", "a semaphore")                                                                             \
	X(SEM_TIMED, "sem_timedwait", "a semaphore")                                                                  \
	X(SEM_CLOCK, "sem_clockwait", "a semaphore")                                                                  \
	X(JOIN, "pthread_join", "a thread's end")                                                                     \
	X(JOIN_TIMED, "pthread_timedjoin_np", "a thread's end")                                                       \
	X(JOIN_CLOCK, "pthread_clockjoin_np", "a thread's end")                                                       \
	X(BARRIER, "pthread_barrier_wait", "a barrier")                                                               \
	X(FUTEX, "futex", "a futex")                                                                                  \
	X(MTX, "mtx_lock", "a mutex")                                                                                 \
	X(MTX_TIMED, "mtx_timedlock", "a mutex")                                                                      \
	X(CND, "cnd_wait", "a condition")                                                                             \
	X(CND_TIMED, "cnd_timedwait", "a condition")                                                                  \
	X(THRD, "thrd_join", "a thread's end")                                                                        \
	/* Of System V: `number` is the id. */                                                                        \
	X(SEMOP, "semop", "a semaphore")                                                                              \
	X(SEMTIMEDOP, "semtimedop", "a semaphore")                                                                    \
	X(MSGRCV, "msgrcv", "a message")                                                                              \
	X(MSGSND, "msgsnd", "room for a message")

enum trace_lock {
#define X(id, name, words) TRACE_LOCK_##id,
	TRACE_LOCKS(X)
#undef X
	TRACE_LOCK_COUNT
};

/* X(ID, "log name"): how a thread asks for what is ready.  One that does it in several ways goes by the last of these.  */
#define TRACE_LOOPS(X)                                                                                                \
	X(NONE, "none")                                                                                               \
	X(PARK, "park")                 /* it waits in reads and writes: at any of them it is at its polls */         \
	X(POLL, "poll")                 /* poll, select */                                                            \
	X(EPOLL, "epoll")

enum trace_loop {
#define X(id, name) TRACE_LOOP_##id,
	TRACE_LOOPS(X)
#undef X
	TRACE_LOOP_COUNT
};

/* Of what a STACK is.  */
enum trace_stack {
	TRACE_STACK_WAIT,               /* of the wait before it in its thread */
	TRACE_STACK_SAMPLE,             /* of the thread while it computed, in the AWAY before it */
};

#define TRACE_FRAME_SHIFT 48            /* bits of a frame that are its address */
#define TRACE_OBJECTS 256               /* numbers of objects lie below */
#define TRACE_BUILD_ID 20
#define TRACE_UNSAMPLED_THREAD 4096     /* a thread began to poll when there were others */

/* What the kernel counted while a thread was away (getrusage(2), RUSAGE_THREAD).  The count may have begun up to an eighth of
 * --stall before.  */
struct trace_away {
	uint32_t involuntary, voluntary;        /* context switches; of the voluntary ones, not those of polls */
	uint32_t minor, major;                  /* page faults */
	uint64_t system_ns;                     /* CPU time in the kernel */
};

#define TRACE_TEXT_BYTES 31             /* a TEXT slot is its kind and 31 bytes */
#define TRACE_NAME_AT 16                /* where a THREAD's name begins: PR_SET_NAME(2const), 16 bytes with its NUL */

_Static_assert(sizeof(struct trace_record) == 32, "records are 32 bytes");
_Static_assert(sizeof(struct trace_away) <= TRACE_TEXT_BYTES, "it fits a TEXT slot");
_Static_assert(sizeof(struct trace_request_more) <= TRACE_TEXT_BYTES, "and so does this");
_Static_assert(sizeof(struct trace_chunk) == 64, "a chunk header is two slots");
_Static_assert(sizeof(struct trace_process) <= TRACE_HEADER_SIZE, "the header fits its page");
_Static_assert(sizeof(struct trace_control) <= TRACE_HEADER_SIZE, "and so does the control");
_Static_assert(offsetof(struct trace_control, off) % 64 == 0, "a cache line begins with it");

#endif
