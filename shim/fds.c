/* fds.c - the table of hints, and how an fd is looked at.  Names are in fdname.c.  */
#include "fds.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>

#include "config.h"
#include "fdname.h"
#include "files.h"
#include "init.h"
#include "mux/keep.h"
#include "readiness.h"
#include "record.h"
#include "shield.h"
#include "sys.h"

enum {
	LEAF_SIZE = FDS_LEAF,
	ROOT_SIZE = 1024,       /* so fds up to 2^20; beyond that there are no hints, only plain calls */
};

typedef fd_hint leaf[LEAF_SIZE];        /* each read and written as one word, by the __atomic builtins */

HOT_DATA fd_hint fds_first[FDS_LEAF];
static leaf *root[ROOT_SIZE];   /* from the second on; an address in here would not be right before the loader has relocated it */

static leaf *leaf_of(int number)
{
	return number ? __atomic_load_n(&root[number], __ATOMIC_ACQUIRE) : &fds_first;
}

/* place() of an fd beyond the first leaf.  */
static __attribute__((noinline)) fd_hint *place_far(int fd, bool make)
{
	leaf *l, *expected = NULL;
	long address;

	if (fd < 0 || fd >= LEAF_SIZE * ROOT_SIZE)
		return NULL;
	l = leaf_of(fd / LEAF_SIZE);
	if (likely(l != NULL))
		return &(*l)[fd % LEAF_SIZE];
	if (!make)
		return NULL;
	address = sys(SYS_mmap, NULL, sizeof *l, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (address < 0 && address > -4096)
		return NULL;
	l = (leaf *)address;
	if (!__atomic_compare_exchange_n(&root[fd / LEAF_SIZE], &expected, l, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		sys(SYS_munmap, l, sizeof *l);
		l = expected;
	}
	return &(*l)[fd % LEAF_SIZE];
}

/* The place of fd's hint; NULL where there can be none, or, without `make`, is none yet.  */
static inline fd_hint *place(int fd, bool make)
{
	return likely((unsigned)fd < FDS_LEAF) ? &fds_first[fd] : place_far(fd, make);
}

static int socket_option(int fd, int option)
{
	int value = -1;
	socklen_t size = sizeof value;

	return sys(SYS_getsockopt, fd, SOL_SOCKET, option, &value, &size) < 0 ? -1 : value;
}

static bool socket_has_timeout(int fd, int option)
{
	struct timeval t = {0};
	socklen_t size = sizeof t;

	return sys(SYS_getsockopt, fd, SOL_SOCKET, option, &t, &size) == 0 && (t.tv_sec || t.tv_usec);
}

bool fds_has_send_timeout(int fd)
{
	return socket_has_timeout(fd, SO_SNDTIMEO);
}

bool fds_has_timeout(int fd)
{
	return socket_has_timeout(fd, SO_RCVTIMEO) || fds_has_send_timeout(fd);
}

static bool connects_at_write(int fd)
{
	int on = 0;
	socklen_t size = sizeof on;

	return sys(SYS_getsockopt, fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, &size) == 0 && on;
}

/* Whether options that make one wait in another way matter: not where the program has made the socket with O_NONBLOCK, until it
 * clears the flag.  */
static bool can_wait(const struct fd_facts *f)
{
	return f->maker == FD_FOUND || !(f->flags & O_NONBLOCK) || config.switching == SWITCH_FLAG || config.shield == SHIELD_ALL;
}

static enum fd_kind look_at_domain(int fd, const struct fd_facts *f, int domain)
{
	int protocol, type;

	if (domain == AF_INET || domain == AF_INET6) {
		protocol = socket_option(fd, SO_PROTOCOL);
		/* What is accepted is a stream. */
		type = protocol == IPPROTO_TCP && f->maker == FD_ACCEPTED ? SOCK_STREAM : socket_option(fd, SO_TYPE);
		if (type == SOCK_STREAM && protocol == IPPROTO_TCP)
			return KIND_stream;
		return type == SOCK_DGRAM && protocol == IPPROTO_UDP ? KIND_dgram : KIND_socket;
	}
	if (domain != AF_UNIX)
		return KIND_socket;
	switch (socket_option(fd, SO_TYPE)) {
	case SOCK_STREAM: return KIND_stream;
	case SOCK_DGRAM: return KIND_dgram;
	case SOCK_SEQPACKET: return KIND_seqpacket;
	default: return KIND_socket;
	}
}

enum fd_kind fds_socket_kind(int fd)
{
	const struct fd_facts found = {.maker = FD_FOUND};

	return look_at_domain(fd, &found, socket_option(fd, SO_DOMAIN));
}

/* TCP, UDP and unix sockets with usual options are what attempts were proven for; all others are KIND_socket.  */
static fd_hint look_at_socket(int fd, const struct fd_facts *f)
{
	int domain;
	fd_hint kind;

	if (!record_on && !can_wait(f))
		return KIND_socket | HINT_UNASKED;
	domain = socket_option(fd, SO_DOMAIN);
	kind = look_at_domain(fd, f, domain);
	if (!can_wait(f))
		return kind | HINT_UNASKED;
	if (kind == KIND_stream && f->maker != FD_MADE && socket_option(fd, SO_RCVLOWAT) != 1)
		kind = KIND_socket;
	/* The first write connects, and waits for that even where it would not wait to write. */
	if (kind == KIND_stream && domain != AF_UNIX && f->maker == FD_FOUND && connects_at_write(fd))
		kind = KIND_socket;
	if (domain == AF_UNIX)
		kind |= HINT_LOCAL;
	if (f->maker != FD_MADE && fds_has_timeout(fd))
		kind |= HINT_TIMEOUT;
	return kind;
}

/* Linux, Documentation/admin-guide/devices.txt: 4 consoles and serial lines, 5 /dev/tty and /dev/console (5:2 is /dev/ptmx),
 * 136-143 slaves of ptys, 128-135 their masters.  */
static enum fd_kind look_at_device(dev_t device)
{
	unsigned number = major(device);

	if (number == 5 && minor(device) == 2)
		return KIND_ptmx;
	if (number >= 128 && number <= 135)
		return KIND_ptmx;
	if (number == 4 || number == 5 || (number >= 136 && number <= 143))
		return KIND_tty;
	return KIND_device;
}

/* What has no file type of its own is known by the link in /proc: "anon_inode:[eventfd]".  */
static enum fd_kind look_at_anonymous(int fd)
{
	char text[40];
	size_t n = fd_link(fd, text, sizeof text);

	for (enum fd_kind kind = KIND_unknown; kind < KIND_COUNT; kind++) {
		const char *name = fd_fixed_name(kind);

		if (name && n == strlen(name) && !memcmp(text, name, n))
			return kind;
	}
	return KIND_other;
}

/* 0 for a bad fd.  */
static fd_hint look_at_type(int fd, struct fd_facts *f)
{
	if (!fd_stat(fd, f))
		return KIND_unknown;
	switch (f->stat.st_mode & S_IFMT) {
	/* Anonymous pipes live on pipefs, where RWF_NOWAIT works (Linux 6.4); a FIFO that is opened by name refuses it, and so does
	 * a pipe reopened through /proc: the attempt finds out.  */
	case S_IFIFO: return fd_is_on_pipefs(fd) ? KIND_pipe : KIND_fifo;
	case S_IFSOCK: return KIND_socket;
	case S_IFREG: return KIND_file;
	case S_IFDIR: return KIND_directory;
	case S_IFBLK: return KIND_block;
	case S_IFCHR: return look_at_device(f->stat.st_rdev);
	default: return look_at_anonymous(fd);
	}
}

/* Asks the kernel what is not known.  0 for a bad fd.  `before`: the hint so far.  */
static fd_hint look(int fd, struct fd_facts *f, fd_hint before)
{
	/* What was named when a path opened it was opened without O_DIRECT (may_be_file). */
	bool may_be_direct = unlikely(files_on) && (HINT_KIND(before) != KIND_unknown || !(before & HINT_NAMED));

	fd_hint hint = f->kind ? f->kind : look_at_type(fd, f);

	/* Their flags change nothing. */
	if (hint == KIND_file || hint == KIND_directory || hint == KIND_block)
		return may_be_direct && fd_flags(fd, f) && (f->flags & O_DIRECT) ? hint | HINT_DIRECT : hint;
	if (!fd_flags(fd, f))
		return KIND_unknown;
	if (f->flags & O_PATH)
		return KIND_other;
	if (hint == KIND_socket)
		hint = look_at_socket(fd, f);
	/* In packet mode (pipe(2), O_DIRECT) a vector must not be cut anywhere. */
	if ((hint == KIND_pipe || hint == KIND_fifo) && (f->flags & O_DIRECT))
		hint = KIND_other;
	/* In flag mode, who set the flag is flag.c's question.  */
	if (hint && (f->flags & O_NONBLOCK) && config.switching == SWITCH_AUTO)
		hint |= HINT_NONBLOCK;
	return hint;
}

/* Looks at fd, and puts a hint in its place.  */
static fd_hint find_hint(int fd, fd_hint *p, struct fd_facts *f)
{
	fd_hint expected = __atomic_load_n(p, __ATOMIC_RELAXED), hint = look(fd, f, expected);

	if (HINT_KIND(hint) == KIND_unknown)
		return hint;
	hint |= expected & HINT_OWNED;
	/* If it was taken for a file, and is none, it is named anew.  No path opens a socket. */
	if (HINT_KIND(expected) != KIND_unknown || HINT_KIND(hint) == KIND_file || fds_is_socket(HINT_KIND(hint)))
		hint |= expected & (HINT_NAMED | HINT_UNWANTED);
	if (config.switching == SWITCH_FLAG)
		hint |= expected & (HINT_NONBLOCK | HINT_SWITCHED);
	/* Whoever changed the word meanwhile (a forget, most of all) knows better; the next call looks again.  */
	__atomic_compare_exchange_n(p, &expected, hint, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	return hint;
}

fd_hint fds_hint(int fd)
{
	fd_hint *p = place(fd, true);
	fd_hint hint;

	if (unlikely(!p))
		return KIND_unknown;
	hint = __atomic_load_n(p, __ATOMIC_RELAXED);
	if (unlikely(HINT_KIND(hint) == KIND_unknown) && !shim_sandboxed) {
		struct fd_facts facts;

		fd_facts_begin(&facts);
		hint = find_hint(fd, p, &facts);
	}
	return hint;
}

static bool starts(const char *path, const char *with)
{
	return !strncmp(path, with, strlen(with));
}

/* What a path has opened is called a file until the fd is used, or the program has asked itself (fds_learn): many files are opened, and
 * no more than that, and to ask costs a third of open and close.  But not what may be a FIFO that has waited for its other end, or is
 * to be watched; nor where no name is kept.  */
static bool may_be_file(const struct fd_facts *f)
{
	if (!f->path || f->slow || f->flags & O_DIRECT || readiness_on || !record_lap())
		return false;
	return !starts(f->path, "/dev/") && !starts(f->path, "/proc/");
}

/* If it has become another meanwhile, that is not its name.  */
static void note_name(fd_hint *p, enum fd_kind kind, fd_hint named)
{
	fd_hint old = __atomic_load_n(p, __ATOMIC_RELAXED), new;

	do {
		if (HINT_KIND(old) != kind)
			return;
		new = (old & ~(fd_hint)(HINT_NAMED | HINT_UNWANTED)) | named;
	} while (!__atomic_compare_exchange_n(p, &old, new, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

/* Looks at fd where it has not been, and records its name where that has not been.  What is used, or was made, is watched from then
 * on; what only passes by (a child hands its fds on to the program that it becomes) is named again then.  */
static fd_hint find_name(int fd, fd_hint *p, struct fd_facts *f, bool used)
{
	fd_hint hint = __atomic_load_n(p, __ATOMIC_RELAXED), named;
	enum fd_kind kind = HINT_KIND(hint);

	/* open(2): nothing else is opened so. */
	if (f->path && f->flags & O_DIRECTORY)
		f->kind = KIND_directory;
	if (kind == KIND_unknown && !f->kind && may_be_file(f)) {
		kind = KIND_file;
	} else if (kind == KIND_unknown) {
		hint = find_hint(fd, p, f);
		kind = HINT_KIND(hint);
	}
	if (kind == KIND_unknown || hint >> HINT_NAMED_SHIFT == record_lap())
		return hint;
	named = record_fd(fd, kind, f);
	if (!named)
		return hint;
	if (unlikely(readiness_on) && !((hint & HINT_WATCHED) | (named & HINT_UNWANTED)) && readiness_may_watch(kind)) {
		if (!used)
			return hint;
		hint |= readiness_watch(fd, HINT_KIND(hint), f->has_flags && (f->flags & O_ACCMODE) == O_WRONLY);
	}
	note_name(p, HINT_KIND(hint), named);
	return (hint & ~(fd_hint)(HINT_NAMED | HINT_UNWANTED)) | named;
}

static fd_hint named(int fd, bool used)
{
	fd_hint *p = place(fd, true);
	fd_hint hint;

	if (unlikely(!p))
		return KIND_unknown;
	hint = __atomic_load_n(p, __ATOMIC_RELAXED);
	if (unlikely(HINT_KIND(hint) == KIND_unknown || hint >> HINT_NAMED_SHIFT != record_lap()) && !shim_sandboxed) {
		struct fd_facts facts;

		fd_facts_begin(&facts);
		hint = find_name(fd, p, &facts, used);
	}
	return hint;
}

fd_hint fds_named(int fd)
{
	return named(fd, true);
}

void fds_name(int fd)
{
	named(fd, false);
}

void fds_made(int fd, struct fd_facts *facts)
{
	fd_hint *p;

	fds_forget(fd);
	if (!shim_on || shim_sandboxed)
		return;
	/* What is not recorded is looked at when it is used; but nobody else knows later what the call says of a pipe or a socket. */
	p = record_on || facts->kind ? place(fd, true) : NULL;
	if (p && record_on)
		find_name(fd, p, facts, true);
	else if (p)
		find_hint(fd, p, facts);
}

void fds_learn(int fd, const struct stat *st)
{
	fd_hint expected = fds_peek(fd);

	if (HINT_KIND(expected) == KIND_unknown && expected & HINT_NAMED && S_ISREG(st->st_mode))
		__atomic_compare_exchange_n(place(fd, true), &expected, expected | KIND_file, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static void look_at_named(int fd, fd_hint hint, void *arg)
{
	(void)arg;
	if (HINT_KIND(hint) == KIND_unknown && hint & HINT_NAMED)
		fds_named(fd);
}

void fds_look_at_named(void)
{
	fds_each(look_at_named, NULL);
}

fd_hint fds_peek_far(int fd)
{
	fd_hint *p = place_far(fd, false);

	return p ? __atomic_load_n(p, __ATOMIC_RELAXED) : 0;
}

/* All but whether it is polled.  Returns what was known.  */
static inline fd_hint forget_file(int fd)
{
	fd_hint hint = fds_peek(fd);

	if (!hint)
		return hint;
	if (hint & HINT_KEPT)
		keep_forget(fd);
	if ((hint & HINT_WATCHED) && readiness_forget(fd))
		fds_mark(fd, 0, HINT_WATCHED | HINT_WATCHED_WRITE);
	return fds_mark(fd, 0, ~(uint32_t)HINT_OWNED);
}

void fds_forget(int fd)
{
	if (unlikely(forget_file(fd) & HINT_POLLED) && shield_is_own())
		fds_mark(fd, 0, HINT_POLLED);
}

/* Of several such calls at a time the first is told, and says what becomes of the bit: so none takes away what another has put
 * there, or what a poll has after a call that did not fail.  */
bool fds_leave(int fd)
{
	fd_hint old = forget_file(fd), *p = old & HINT_POLLED && shield_is_own() ? place(fd, false) : NULL;

	if (likely(!p))
		return false;
	old = __atomic_load_n(p, __ATOMIC_RELAXED);
	while ((old & (HINT_POLLED | HINT_POLLED_YET)) == HINT_POLLED)
		if (__atomic_compare_exchange_n(p, &old, old ^ (HINT_POLLED | HINT_POLLED_YET), true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return true;
	return false;
}

void fds_left(int fd, bool leaves, bool is_another)
{
	forget_file(fd);
	if (unlikely(leaves))
		fds_mark(fd, is_another ? 0 : HINT_POLLED, HINT_POLLED_YET);
}

fd_hint fds_mark(int fd, uint32_t set, uint32_t clear)
{
	fd_hint *p = place(fd, true);
	fd_hint old;

	if (!p)
		return 0;
	old = __atomic_load_n(p, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(p, &old, (old & ~clear) | set, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return old;
}

void fds_drop(int fd, fd_hint bits)
{
	const fd_hint polled = HINT_POLLED | HINT_POLLED_YET;
	fd_hint *p = place(fd, false), old = p ? __atomic_load_n(p, __ATOMIC_RELAXED) : 0;

	while (p && (old & ~polled) == bits)
		if (__atomic_compare_exchange_n(p, &old, old & polled, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return;
}

void fds_relook(int fd)
{
	if (fds_peek(fd))
		fds_mark(fd, 0, ~(uint32_t)(HINT_NONBLOCK | HINT_SWITCHED | HINT_OWNED));
}

/* Their names stay.  */
static void relook_socket(int fd, fd_hint hint, void *arg)
{
	(void)arg;
	if (fds_is_socket(HINT_KIND(hint)) && !(hint & HINT_UNASKED))
		fds_mark(fd, 0, ~(uint32_t)(HINT_NONBLOCK | HINT_SWITCHED | HINT_NAMED | HINT_UNWANTED | HINT_OWNED));
}

void fds_relook_sockets(void)
{
	fds_each(relook_socket, NULL);
}

void fds_renamed(int fd)
{
	if (fds_peek(fd))
		fds_mark(fd, 0, HINT_NAMED);
}

void fds_each(void (*visit)(int fd, fd_hint hint, void *arg), void *arg)
{
	for (int r = 0; r < ROOT_SIZE; r++) {
		leaf *l = leaf_of(r);

		for (int i = 0; l && i < LEAF_SIZE; i++) {
			fd_hint hint = __atomic_load_n(&(*l)[i], __ATOMIC_RELAXED);

			if (hint)
				visit(r * LEAF_SIZE + i, hint, arg);
		}
	}
}
