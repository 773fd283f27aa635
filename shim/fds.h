/* fds.h - what we think of an fd: a hint, never a fact.
 *
 * One word per fd number, in a table that grows with use.  A hint may be wrong at any time (libc's insides, a vfork child,
 * another process or a raw system call can change what a number means), so it only chooses the way of an attempt; the
 * attempt must notice when the fd is something else (attempt.c) and the plain call is always right.  */
#ifndef EAGAIN_FDS_H
#define EAGAIN_FDS_H

#include <sys/stat.h>

#include "shim.h"

typedef uint32_t fd_hint;

#define HINT_KIND(h) ((enum fd_kind)((h) & 0x1fu))

_Static_assert(KIND_COUNT <= 0x20, "a hint has 5 bits for the kind");

enum hint_bit {
	HINT_UNWANTED = 1u << 5,        /* with HINT_NAMED: what happens on an fd of this name is not to be recorded */
	HINT_WAITED = 1u << 5,          /* where nothing is recorded: an attempt would have blocked (attempt.h) */
	HINT_WATCHED = 1u << 6,         /* registered in the process's instance, or the number of that (readiness.h) */
	HINT_WATCHED_WRITE = 1u << 7,   /* for writing, too */
	HINT_NONBLOCK = 1u << 8,        /* the program itself wants non-blocking I/O here: the plain call is the attempt */
	HINT_NO_NOWAIT = 1u << 9,       /* the kernel refused RWF_NOWAIT here */
	HINT_TIMEOUT = 1u << 10,        /* SO_RCVTIMEO or SO_SNDTIMEO is set */
	HINT_SWITCHED = 1u << 11,       /* --switch=flag: O_NONBLOCK on this description is an eagain's doing */
	HINT_UNASKED = 1u << 12,        /* a socket whose options have not been asked for, since it was made with O_NONBLOCK */
	HINT_LOCAL = 1u << 13,          /* an AF_UNIX socket */
	HINT_DIRECT = 1u << 13,         /* a file with O_DIRECT; known with --files */
	HINT_POLLED = 1u << 14,         /* the program polls it; for --shield=all (shield.h) */
	HINT_KEPT = 1u << 15,           /* registered in an interest set, or the number of one (mux/keep.h) */
	HINT_POLLED_YET = 1u << 16,     /* likewise what a call is about to replace, unless it fails (fds_leave) */
	HINT_NAMED = 0x7fffu << 17,     /* for which lap of the recording the fd has been named */
	/* What only its owner takes away, whatever becomes of the fd. */
	HINT_OWNED = HINT_WATCHED | HINT_WATCHED_WRITE | HINT_KEPT | HINT_POLLED | HINT_POLLED_YET,
};

enum { HINT_NAMED_SHIFT = 17 };

/* What is known of an fd while it is looked at: beforehand, by the call that has made it; and what the kernel was asked.  */
struct fd_facts {
	enum fd_kind kind;      /* KIND_unknown: to be asked; KIND_socket: which one is to be asked */
	enum fd_maker {
		FD_FOUND,       /* it was there */
		FD_MADE,        /* a fresh socket: its options are as the kernel makes them */
		FD_ACCEPTED,    /* a connection, with its listener's options */
	} maker;
	bool has_flags, has_stat;
	long flags;             /* as F_GETFL has them */
	struct stat stat;
	const char *path;       /* that it was opened by, from the directory `dir`; NULL: by none */
	int dir;
	bool slow;              /* it took so long to open that it may have waited for it */
	uint64_t t;             /* when it was made, or 0 */
};

/* Nothing is known.  What the kernel fills needs no zeros.  */
static inline void fd_facts_begin(struct fd_facts *f)
{
	f->kind = KIND_unknown;
	f->maker = FD_FOUND;
	f->has_flags = f->has_stat = f->slow = false;
	f->path = NULL;
	f->t = 0;
}

enum { FDS_LEAF = 1024 };       /* hints in a leaf of the table: one page */

/* The hints of the first 1024 fds.  Words: use the __atomic builtins.  */
extern fd_hint fds_first[FDS_LEAF];

static inline bool fds_is_socket(enum fd_kind kind)
{
	enum { KINDS = 1u << KIND_stream | 1u << KIND_dgram | 1u << KIND_seqpacket | 1u << KIND_socket };

	return KINDS >> kind & 1;
}

/* Whether that is a file, a directory or a device that never makes anybody wait.  */
static inline bool fds_never_waits(fd_hint hint)
{
	enum { KINDS = 1u << KIND_file | 1u << KIND_directory | 1u << KIND_block | 1u << KIND_device };

	return KINDS >> HINT_KIND(hint) & 1;
}

/* The hint for fd; looks at the fd first where there is none.  KIND_unknown for a bad fd.  Signal-safe, no locks.  */
fd_hint fds_hint(int fd);

/* The same; records the fd's name, too, if the recording does not have it yet.  */
fd_hint fds_named(int fd);

/* Only records its name: for a call that does not use it.  */
void fds_name(int fd);

/* A call of the program's has made fd, and says this of it: whatever the number meant before is forgotten.  */
void fds_made(int fd, struct fd_facts *facts);

/* The program has asked what fd is (fstat), which may have been named, but not been looked at.  */
void fds_learn(int fd, const struct stat *st);

/* Looks at all that have been named, but not been looked at: later it cannot be done.  */
void fds_look_at_named(void);

/* Which kind of socket it is, whatever its options are.  Asks the kernel.  */
enum fd_kind fds_socket_kind(int fd);

/* The hint as it stands, 0 where there is none.  */
fd_hint fds_peek_far(int fd);
static inline fd_hint fds_peek(int fd)
{
	return likely((unsigned)fd < FDS_LEAF) ? __atomic_load_n(&fds_first[fd], __ATOMIC_RELAXED) : fds_peek_far(fd);
}

/* Forgets all about fd: for every call that closes it, gives it a new meaning, or changes its flags.  */
void fds_forget(int fd);

/* For a call that puts another file under fd, or fails: before it, and after it.  Meanwhile, and if it has failed, the fd is polled if it
 * was; if not, by who has polled it since.  What the one returns the other wants.  */
bool fds_leave(int fd);
void fds_left(int fd, bool leaves, bool is_another);

/* Sets or clears bits of an existing hint; returns what it was.  */
fd_hint fds_mark(int fd, uint32_t set, uint32_t clear);

/* Takes these bits away if nothing else is known of fd, but that it is polled.  */
void fds_drop(int fd, fd_hint bits);

/* What fd is must be asked again; whose O_NONBLOCK is, stays.  */
void fds_relook(int fd);

/* An option of a socket has changed, which other fds may share: all sockets.  */
void fds_relook_sockets(void);

/* fd has another name now.  */
void fds_renamed(int fd);

/* Calls visit(fd, hint, arg) for each fd that has a hint.  */
void fds_each(void (*visit)(int fd, fd_hint hint, void *arg), void *arg);

/* Asks the kernel whether SO_SNDTIMEO is set; whether it or SO_RCVTIMEO is.  */
bool fds_has_send_timeout(int fd);
bool fds_has_timeout(int fd);

#endif
