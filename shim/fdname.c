/* fdname.c - what a person would call an fd: from the inode, the socket's addresses, or the link in /proc.  */
#include "fdname.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/un.h>

#include "libc.h"
#include "sys.h"
#include "text.h"

#define PIPEFS_MAGIC 0x50495045         /* linux/magic.h */

size_t fd_link(int fd, char *text, size_t size)
{
	char path[32];
	struct text t = {path, path + sizeof path - 1};
	long n;

	text_string(&t, "/proc/self/fd/");
	text_number(&t, (unsigned)fd, 10);
	*t.at = 0;
	n = sys(SYS_readlinkat, AT_FDCWD, path, text, size);
	return n < 0 ? 0 : (size_t)n;
}

const char *fd_fixed_name(enum fd_kind kind)
{
	switch (kind) {
	case KIND_eventfd: return "anon_inode:[eventfd]";
	case KIND_timerfd: return "anon_inode:[timerfd]";
	case KIND_signalfd: return "anon_inode:[signalfd]";
	case KIND_inotify: return "anon_inode:inotify";
	case KIND_pidfd: return "anon_inode:[pidfd]";
	case KIND_epoll: return "anon_inode:[eventpoll]";
	default: return NULL;
	}
}

bool fd_flags(int fd, struct fd_facts *f)
{
	if (!f->has_flags)
		f->flags = sys(SYS_fcntl, fd, F_GETFL);
	f->has_flags = f->flags >= 0;
	return f->has_flags;
}

bool fd_stat(int fd, struct fd_facts *f)
{
	if (!f->has_stat)
		f->has_stat = sys(SYS_fstat, fd, &f->stat) == 0;
	return f->has_stat;
}

bool fd_is_on_pipefs(int fd)
{
	struct statfs s;

	return sys(SYS_fstatfs, fd, &s) == 0 && s.f_type == PIPEFS_MAGIC;
}

static void ipv4(struct text *t, const uint8_t *byte)
{
	for (int i = 0; i < 4; i++) {
		if (i)
			text_char(t, '.');
		text_number(t, byte[i], 10);
	}
}

/* RFC 5952 in the main: the longest run of zero groups is "::".  */
static void ipv6(struct text *t, const uint8_t *byte)
{
	unsigned group[8];
	int best = -1, best_length = 1;

	for (size_t i = 0; i < 8; i++)
		group[i] = (unsigned)byte[2 * i] << 8 | byte[2 * i + 1];
	for (int i = 0; i < 8; i++) {
		int n = 0;

		while (i + n < 8 && !group[i + n])
			n++;
		if (n > best_length) {
			best = i;
			best_length = n;
		}
	}
	for (int i = 0; i < 8; i++) {
		if (i == best) {
			text_string(t, "::");
			i += best_length - 1;
			continue;
		}
		if (i && i != best + best_length)
			text_char(t, ':');
		text_number(t, group[i], 16);
	}
}

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

/* Appends an address; false where there is none to speak of.  */
static bool append_address(struct text *t, const union address *a, socklen_t size)
{
	if (a->any.sa_family == AF_INET && size >= sizeof a->in) {
		ipv4(t, (const uint8_t *)&a->in.sin_addr);
		text_char(t, ':');
		text_number(t, ntohs(a->in.sin_port), 10);
		return true;
	}
	if (a->any.sa_family == AF_INET6 && size >= sizeof a->in6) {
		/* The peer, on a socket of its own family, knows it so. */
		if (IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr)) {
			ipv4(t, &a->in6.sin6_addr.s6_addr[12]);
		} else {
			text_char(t, '[');
			ipv6(t, a->in6.sin6_addr.s6_addr);
			text_char(t, ']');
		}
		text_char(t, ':');
		text_number(t, ntohs(a->in6.sin6_port), 10);
		return true;
	}
	if (a->any.sa_family == AF_UNIX && size > offsetof(struct sockaddr_un, sun_path)) {
		size_t n = size - offsetof(struct sockaddr_un, sun_path);

		for (size_t i = 0; i < n && (a->un.sun_path[i] || !i); i++)
			text_char(t, a->un.sun_path[i] ? a->un.sun_path[i] : '@');      /* an abstract name */
		return true;
	}
	return false;
}

/* getsockname(2) or getpeername(2).  False where the kernel has none.  */
static bool ask_address(int fd, long nr, union address *a, socklen_t *size)
{
	*size = sizeof *a;
	memset(a, 0, sizeof *a);
	if (sys(nr, fd, a, size) < 0)
		return false;
	if (*size > sizeof *a)
		*size = sizeof *a;
	return true;
}

static bool append_peer(struct text *t, int fd)
{
	union address a;
	socklen_t size;

	return ask_address(fd, SYS_getpeername, &a, &size) && append_address(t, &a, size);
}

static bool name_socket(struct text *t, int fd, enum fd_kind kind)
{
	union address a;
	socklen_t size;
	char *start = t->at, *end;

	if (!ask_address(fd, SYS_getsockname, &a, &size))
		return false;
	if (a.any.sa_family == AF_UNIX) {
		text_string(t, "unix:");
		if (append_address(t, &a, size) || append_peer(t, fd))
			return true;
	} else if (a.any.sa_family == AF_INET || a.any.sa_family == AF_INET6) {
		text_string(t, kind == KIND_dgram ? "udp " : kind == KIND_stream ? "tcp " : "ip ");
		if (append_address(t, &a, size)) {
			end = t->at;
			text_string(t, "->");
			if (!append_peer(t, fd))
				t->at = end;
			return true;
		}
	}
	t->at = start;
	return false;
}

/* Whether a part of a path is empty, "." or "..".  */
static bool is_no_name(const char *part)
{
	if (*part == '.')
		part++;
	if (*part == '.')
		part++;
	return !*part || *part == '/';
}

/* The length of a path that names what it leads to, but for links on the way; 0 of another.  And whether it has no way.  */
static size_t plain_length(const char *path, bool *is_entry)
{
	const char *at = path + (*path == '/');

	for (*is_entry = at == path;; at++, *is_entry = false) {
		if (is_no_name(at))
			return 0;
		while (*at && *at != '/')
			at++;
		if (!*at)
			return (size_t)(at - path);
	}
}

/* The paths of some directories, from which files are opened by openat(2).  Whoever finds one taken does without.  */
static struct directory {
	bool is_taken;
	dev_t device;
	ino_t inode;
	struct timespec changed;        /* renamed, or another under the same number */
	size_t size;
	char path[248];
} directories[64];

/* The path that an fd was opened by last, without a word on what it is: if it is a directory, files in it will be opened, soon.  */
static struct directory latest;
static int latest_fd = -1;

static bool is_directory(const struct directory *d, const struct stat *st)
{
	return d->size && d->inode == st->st_ino && d->device == st->st_dev && d->changed.tv_sec == st->st_ctim.tv_sec &&
	       d->changed.tv_nsec == st->st_ctim.tv_nsec;
}

static void keep_directory(struct directory *d, const struct stat *st, size_t size)
{
	d->size = size;
	d->inode = st->st_ino;
	d->device = st->st_dev;
	d->changed = st->st_ctim;
}

/* False: somebody has it.  Where that can only be who was interrupted by a handler, no processor waits for others.  */
static bool take(struct directory *d)
{
	bool taken;

	if (!libc_single_threaded())
		return !__atomic_exchange_n(&d->is_taken, true, __ATOMIC_ACQUIRE);
	taken = LOAD(d->is_taken);
	STORE(d->is_taken, true);
	__atomic_signal_fence(__ATOMIC_ACQUIRE);
	return !taken;
}

/* The numbers of directories lie far apart (ext4 has them in groups of their own): their product with the golden ratio does not.  */
static struct directory *directory_at(const struct stat *st)
{
	return &directories[st->st_ino * 0x9e3779b97f4a7c15u >> 58];
}

_Static_assert(sizeof directories / sizeof *directories == 1 << (64 - 58), "six bits choose one");

static void give(struct directory *d)
{
	__atomic_store_n(&d->is_taken, false, __ATOMIC_RELEASE);
}

static void learn_latest(int fd, const char *path, size_t size)
{
	if (size >= sizeof latest.path || !take(&latest))
		return;
	STORE(latest_fd, fd);
	latest.size = size;
	memcpy(latest.path, path, size);
	give(&latest);
}

/* Whether this directory, fd, was opened last, and the path leads to it still, and not by a link at its end: then *d has it.  */
static bool keep_latest(struct directory *d, int fd, const struct stat *st)
{
	struct stat there;
	size_t size;

	if (LOAD(latest_fd) != fd || !take(&latest))
		return false;
	size = latest.size;
	memcpy(d->path, latest.path, size);
	d->path[size] = 0;
	give(&latest);
	if (sys(SYS_newfstatat, AT_FDCWD, d->path, &there, AT_SYMLINK_NOFOLLOW) < 0 || there.st_ino != st->st_ino ||
	    there.st_dev != st->st_dev)
		return false;
	keep_directory(d, st, size);
	return true;
}

/* As fd_link() of a directory.  */
static size_t directory_link(int fd, char *text, size_t size)
{
	struct directory *d;
	struct stat st;
	size_t n;

	if (sys(SYS_fstat, fd, &st) < 0)
		return 0;
	d = directory_at(&st);
	if (!take(d))
		return fd_link(fd, text, size);
	if (!is_directory(d, &st) && !keep_latest(d, fd, &st))
		keep_directory(d, &st, fd_link(fd, d->path, sizeof d->path));
	n = d->size < size ? d->size : size;
	memcpy(text, d->path, n);
	give(d);
	return n;
}

/* A directory has just been opened by this path, from another whose path is known: files in it will be, soon.  */
static void learn_directory(int fd, struct fd_facts *f, const char *path, size_t size)
{
	struct directory *d;

	if (size >= sizeof d->path || !fd_stat(fd, f))
		return;
	d = directory_at(&f->stat);
	if (!take(d))
		return;
	memcpy(d->path, path, size);
	keep_directory(d, &f->stat, size);
	give(d);
}

static size_t working_directory(char *text, size_t size)
{
	long n = sys(SYS_getcwd, text, size);

	return n > 0 ? (size_t)n - 1 : 0;       /* its NUL */
}

static bool starts(const struct text *t, const char *start, const char *with)
{
	size_t n = strlen(with);

	return (size_t)(t->at - start) > n && !memcmp(start, with, n);
}

/* By the path that the program opened it by: the link in /proc costs more than to open and close a file.  And whether the path is the
 * name of what is in a directory itself.  */
static bool name_by_path(struct text *t, const struct fd_facts *f, bool *is_entry)
{
	char *start = t->at;
	size_t size = (size_t)(t->end - start), length = f->path ? plain_length(f->path, is_entry) : 0;

	if (!length)
		return false;
	if (*f->path != '/') {
		t->at += f->dir == AT_FDCWD ? working_directory(start, size) : directory_link(f->dir, start, size);
		/* One that cannot be reached begins with another word. */
		if (t->at == start || *start != '/')
			return false;
		if (t->at[-1] != '/')
			text_char(t, '/');
	}
	text_bytes(t, f->path, length);
	/* There are links there that lead anywhere. */
	return !starts(t, start, "/proc/") && !starts(t, start, "/dev/");
}

static void name_by_number(struct text *t, int fd, const char *what, struct fd_facts *f)
{
	text_string(t, what);
	text_number(t, fd_stat(fd, f) ? f->stat.st_ino : 0, 10);
	text_char(t, ']');
}

size_t fd_name(int fd, enum fd_kind kind, struct fd_facts *f, char *text, size_t size)
{
	struct text t = {text, text + size};
	bool is_entry;

	switch (kind) {
	case KIND_stream: case KIND_dgram: case KIND_seqpacket: case KIND_socket:
		if (!name_socket(&t, fd, kind))
			name_by_number(&t, fd, "socket:[", f);
		break;
	case KIND_pipe:
		name_by_number(&t, fd, "pipe:[", f);
		break;
	case KIND_eventfd: case KIND_timerfd: case KIND_signalfd: case KIND_inotify: case KIND_pidfd: case KIND_epoll:
		text_string(&t, fd_fixed_name(kind));
		break;
	case KIND_mqueue:
		text_string(&t, "mqueue:");
		t.at += fd_link(fd, t.at, (size_t)(t.end - t.at));
		break;
	case KIND_file: case KIND_directory: case KIND_fifo:
		if (name_by_path(&t, f, &is_entry)) {
			if (is_entry && kind == KIND_directory && f->has_flags && f->flags & O_NOFOLLOW)
				learn_directory(fd, f, text, (size_t)(t.at - text));
			else if (is_entry)
				learn_latest(fd, text, (size_t)(t.at - text));
			break;
		}
		/* fall through */
	default:
		t.at = text + fd_link(fd, text, size);
	}
	return (size_t)(t.at - text);
}
