/* second.c - another shim, written as most are: each call looks for the next one by dlsym(3), and counts.  What it counted it
 * says in the end, on stderr, by the same way.  */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned calls;

static void *next(const char *name)
{
	calls++;
	return dlsym(RTLD_NEXT, name);
}

#define PASS_ON(type, name, parameters, arguments)                                                                    \
	type name parameters                                                                                          \
	{                                                                                                             \
		static type(*real) parameters;                                                                        \
                                                                                                                      \
		*(void **)&real = next(#name);                                                                        \
		return real arguments;                                                                                \
	}

PASS_ON(ssize_t, read, (int fd, void *to, size_t n), (fd, to, n))
PASS_ON(ssize_t, write, (int fd, const void *from, size_t n), (fd, from, n))
PASS_ON(ssize_t, recv, (int fd, void *to, size_t n, int flags), (fd, to, n, flags))
PASS_ON(ssize_t, send, (int fd, const void *from, size_t n, int flags), (fd, from, n, flags))
PASS_ON(int, close, (int fd), (fd))
PASS_ON(int, dup2, (int from, int to), (from, to))
PASS_ON(int, poll, (struct pollfd *p, nfds_t n, int timeout), (p, n, timeout))
PASS_ON(pid_t, fork, (void), ())

__attribute__((destructor)) static void say(void)
{
	char text[32];
	int n = snprintf(text, sizeof text, "second: %s\n", calls > 1 ? "asked" : "not asked");

	if (write(2, text, (size_t)n) != n)
		_exit(97);
}
