/* open.c - the calls that open fds, by the system calls that libc makes (a sandbox may allow no others).
 *
 * Whatever a new fd's number meant before is forgotten, and it is named in the recording.  */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "calls.h"

/* The open family waits for the other end of a FIFO, and is a cancellation point; the others are not.  */
static int make(enum call_id call, long nr, long a, long b, long c, long d)
{
	struct op op = op_of(call, nr, a, b, c, d, 0, 0);

	op.not_cancellable = call != CALL_open && call != CALL_openat && call != CALL_creat;
	return (int)as_libc(op_run(&op));
}

static bool needs_mode(int flags)
{
	return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

/* The mode is there only where it is needed.  */
static long mode_of(int flags, va_list list)
{
	return needs_mode(flags) ? (long)va_arg(list, mode_t) : 0;
}

EXPORT int open64(const char *path, int flags, ...)
{
	va_list list;
	long mode;

	va_start(list, flags);
	mode = mode_of(flags, list);
	va_end(list);
	return make(CALL_open, SYS_openat, AT_FDCWD, (long)path, flags, mode);
}

EXPORT int openat64(int dir, const char *path, int flags, ...)
{
	va_list list;
	long mode;

	va_start(list, flags);
	mode = mode_of(flags, list);
	va_end(list);
	return make(CALL_openat, SYS_openat, dir, (long)path, flags, mode);
}

EXPORT int creat64(const char *path, mode_t mode)
{
	if (SYS_creat != -1)
		return make(CALL_creat, SYS_creat, (long)path, mode, 0, 0);
	return make(CALL_creat, SYS_openat, AT_FDCWD, (long)path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

EXPORT int pipe2(int fds[2], int flags)
{
	return make(CALL_pipe2, SYS_pipe2, (long)fds, flags, 0, 0);
}

EXPORT int pipe(int fds[2])
{
	return make(CALL_pipe, SYS_pipe != -1 ? SYS_pipe : SYS_pipe2, (long)fds, 0, 0, 0);
}

EXPORT int socket(int domain, int type, int protocol)
{
	return make(CALL_socket, SYS_socket, domain, type, protocol, 0);
}

EXPORT int socketpair(int domain, int type, int protocol, int fds[2])
{
	return make(CALL_socketpair, SYS_socketpair, domain, type, protocol, (long)fds);
}

EXPORT int eventfd(unsigned count, int flags)
{
	return make(CALL_eventfd, SYS_eventfd2, count, flags, 0, 0);
}

EXPORT int timerfd_create(clockid_t clock, int flags)
{
	return make(CALL_timerfd_create, SYS_timerfd_create, clock, flags, 0, 0);
}

EXPORT int signalfd(int fd, const sigset_t *mask, int flags)
{
	enum { SIGNAL_SET_SIZE = 8 };   /* the kernel's sigset_t */

	return make(CALL_signalfd, SYS_signalfd4, fd, (long)mask, SIGNAL_SET_SIZE, flags);
}

EXPORT int inotify_init1(int flags)
{
	return make(CALL_inotify_init, SYS_inotify_init1, flags, 0, 0, 0);
}

EXPORT int inotify_init(void)
{
	return make(CALL_inotify_init, SYS_inotify_init != -1 ? SYS_inotify_init : SYS_inotify_init1, 0, 0, 0, 0);
}

EXPORT int epoll_create1(int flags)
{
	return make(CALL_epoll_create, SYS_epoll_create1, flags, 0, 0, 0);
}

/* epoll_create(2): the size has no meaning, but must be positive.  */
EXPORT int epoll_create(int size)
{
	if (SYS_epoll_create != -1)
		return make(CALL_epoll_create, SYS_epoll_create, size, 0, 0, 0);
	return size <= 0 ? (int)as_libc(-EINVAL) : epoll_create1(0);
}

EXPORT int memfd_create(const char *name, unsigned flags)
{
	return make(CALL_memfd_create, SYS_memfd_create, (long)name, flags, 0, 0);
}

/* off_t has 64 bits on both architectures.  */
EXPORT int open(const char *, int, ...) __attribute__((alias("open64")));
EXPORT int __open(const char *, int, ...) __attribute__((alias("open64"), nonnull(1)));
EXPORT int __open64(const char *, int, ...) __attribute__((alias("open64"), nonnull(1)));
EXPORT int openat(int, const char *, int, ...) __attribute__((alias("openat64")));
EXPORT int creat(const char *, mode_t) __attribute__((alias("creat64")));
EXPORT int __pipe(int[2]) __attribute__((alias("pipe"), nothrow, leaf));

/* _FORTIFY_SOURCE's check that a mode is there where one is needed: libc's own ends the program with its own words.  */
#define CHECKED(name, parameters, arguments, open_it)                                                                 \
	EXPORT int name parameters;                                                                                   \
	EXPORT int name parameters                                                                                    \
	{                                                                                                             \
		if (!needs_mode(flags))                                                                               \
			return open_it;                                                                               \
		shim_need_libc();                                                                                     \
		return libc.name arguments;                                                                           \
	}

CHECKED(__open_2, (const char *path, int flags), (path, flags), open64(path, flags))
CHECKED(__open64_2, (const char *path, int flags), (path, flags), open64(path, flags))
CHECKED(__openat_2, (int dir, const char *path, int flags), (dir, path, flags), openat64(dir, path, flags))
CHECKED(__openat64_2, (int dir, const char *path, int flags), (dir, path, flags), openat64(dir, path, flags))
