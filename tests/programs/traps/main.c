/* main.c - traps NAME [ARGUMENT...] springs one; traps list names them.  */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "traps.h"

void tell(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	putchar('\n');
	fflush(stdout);
}

const char *result_text(long result)
{
	static char text[64];

	if (result < 0)
		snprintf(text, sizeof text, "-1 %s", strerrorname_np(errno));
	else
		snprintf(text, sizeof text, "%ld", result);
	return text;
}

void tell_read(const char *what, int fd, size_t size)
{
	char text[64] = "";
	const char *result = result_text(read(fd, text, size < 63 ? size : 63));

	tell("%s: %s %s", what, result, text);
}

void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "traps: %s: %s\n", what, strerror(errno));
	exit(99);
}

char thread_state(pid_t tid)
{
	char path[64], text[512], *state;
	long n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = hidden_syscall(SYS_read, fd, (long)text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	state = strrchr(text, ')');
	return state && state[2] != 'Z' && state[2] != 'X' ? state[2] : 0;
}

bool wait_state(pid_t tid, char wanted)
{
	for (int looks = 0; looks < 3;) {
		struct timespec t = {.tv_nsec = 20000};
		char state = thread_state(tid);

		if (!state)
			return false;
		looks = state == wanted ? looks + 1 : 0;
		syscall(SYS_nanosleep, &t, NULL);
	}
	return true;
}

bool wait_asleep(pid_t tid)
{
	return wait_state(tid, 'S');
}

long hidden_syscall(long nr, long a, long b, long c)
{
#ifdef __x86_64__
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
#else
	register long x8 __asm__("x8") = nr, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return x0;
#endif
}

void make_pipe(int fds[2])
{
	need(pipe(fds) == 0, "pipe");
}

void make_sockets(int type, int fds[2])
{
	need(socketpair(AF_UNIX, type, 0, fds) == 0, "socketpair");
}

void make_tcp(int fds[2])
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	need(bind(listener, (struct sockaddr *)&a, size) == 0 && listen(listener, 1) == 0, "listen");
	getsockname(listener, (struct sockaddr *)&a, &size);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	need(connect(fds[0], (struct sockaddr *)&a, size) == 0, "connect");
	fds[1] = accept(listener, NULL, NULL);
	need(fds[1] >= 0, "accept");
	close(listener);
}

void make_terminal(int fds[2], bool raw)
{
	struct termios t;

	need(openpty(&fds[0], &fds[1], NULL, NULL, NULL) == 0, "openpty");
	if (!raw)
		return;
	tcgetattr(fds[1], &t);
	cfmakeraw(&t);
	tcsetattr(fds[1], TCSANOW, &t);
}

void no_handler(int signal)
{
	(void)signal;
}

void handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction a = {.sa_handler = handler, .sa_flags = flags};

	need(sigaction(signal, &a, NULL) == 0, "sigaction");
}

static const struct trap *const tables[] = {
	cancel_traps, edge_traps, fd_traps, field_traps, flag_traps, handler_traps, ipc_traps, kept_traps, life_traps, loom_traps,
	plain_traps, process_traps, shield_traps, signal_traps, step_traps, stdio_traps, terminal_traps, thread_traps, tree_traps,
	wait_traps, whole_traps,
};

int main(int argc, char **argv)
{
	bool list = argc > 1 && !strcmp(argv[1], "list");

	for (size_t i = 0; argc > 1 && i < sizeof tables / sizeof *tables; i++)
		for (const struct trap *t = tables[i]; t->name; t++) {
			if (list) {
				puts(t->name);
			} else if (!strcmp(argv[1], t->name)) {
				t->spring(argv + 2);
				return 0;
			}
		}
	if (list)
		return 0;
	fprintf(stderr, "usage: traps list | traps NAME\n");
	return 2;
}
