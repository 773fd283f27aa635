/* early.c - a library with a constructor that does I/O before the shim's own has run, and a destructor that does it after.  */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void handler(int signal)
{
	(void)signal;
}

static void talk(const char *when)
{
	struct sigaction a = {.sa_handler = handler}, b;
	char text[64], c = 0;
	int fds[2], n;

	if (pipe(fds) == 0 && write(fds[1], "p", 1) == 1 && read(fds[0], &c, 1) == 1)
		close(fds[0]), close(fds[1]);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 && send(fds[1], "s", 1, 0) == 1 && recv(fds[0], &c, 1, 0) == 1)
		close(fds[0]), close(fds[1]);
	sigaction(SIGUSR2, &a, &b);
	sigaction(SIGUSR2, &b, NULL);
	n = snprintf(text, sizeof text, "%s: %c %d\n", when, c, b.sa_handler == SIG_DFL);
	if (write(2, text, (size_t)n) != n)
		_exit(97);
}

__attribute__((constructor)) static void first(void)
{
	talk("constructor");
}

__attribute__((destructor)) static void last(void)
{
	talk("destructor");
}
