/* signals.c - handlers, and what they leave behind.  */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traps.h"

__attribute__((noinline)) static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static sigjmp_buf escape;

static void jump(int signal)
{
	(void)signal;
	siglongjmp(escape, 1);
}

/* Out of a wait, many times: nothing is left behind, and the fd goes on working.  */
static void longjmp_many(char **argv)
{
	volatile unsigned jumped = 0;
	unsigned before = open_fds();
	int fds[2];
	char c;
	pid_t parent = getpid(), child;

	(void)argv;
	handle(SIGUSR1, jump, SA_RESTART);
	make_pipe(fds);
	child = fork();
	if (child == 0) {
		while (wait_asleep(parent))
			kill(parent, SIGUSR1);
		_exit(0);
	}
	while (jumped < 200)
		if (sigsetjmp(escape, 1) == 0)
			need(read(fds[0], &c, 1) < 0, "read");
		else
			jumped++;
	signal(SIGUSR1, SIG_IGN);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	need(write(fds[1], "x", 1) == 1, "write");
	tell_read("read", fds[0], 1);
	close(fds[0]);
	close(fds[1]);
	tell("leaked: %u", open_fds() - before);
}

/* What sigaction says is what was set, for each way of setting it.  */
static void sigaction_readback(char **argv)
{
	static const int flags[] = {0, SA_RESTART, SA_SIGINFO, SA_NODEFER, SA_RESETHAND, SA_ONSTACK, SA_NOCLDSTOP, SA_RESTART | SA_SIGINFO};
	struct sigaction a = {.sa_handler = no_handler}, b;

	(void)argv;
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		a.sa_flags = flags[i];
		sigemptyset(&a.sa_mask);
		sigaddset(&a.sa_mask, SIGUSR2);
		need(sigaction(SIGUSR1, &a, NULL) == 0, "sigaction");
		memset(&b, 0xff, sizeof b);
		need(sigaction(SIGUSR1, NULL, &b) == 0, "sigaction");
		tell("%d %x %d %d", b.sa_handler == no_handler, (unsigned)b.sa_flags & ~0x04000000u,
		     sigismember(&b.sa_mask, SIGUSR2), sigismember(&b.sa_mask, SIGUSR1));
	}
	tell("signal: %d", signal(SIGUSR1, SIG_IGN) == no_handler);
	sigaction(SIGUSR1, NULL, &b);
	tell("after signal: %d %x", b.sa_handler == SIG_IGN, (unsigned)b.sa_flags & ~0x04000000u);
	tell("bad signal: %s", result_text(sigaction(0, &a, NULL)));
	tell("SIGKILL: %s", result_text(sigaction(SIGKILL, &a, NULL)));
	tell("65: %s", result_text(sigaction(65, &a, &b)));
	tell("inside libc: %s", result_text(sigaction(32, &a, NULL)));
	tell("nothing: %s", result_text(sigaction(SIGUSR1, NULL, NULL)));
}

static void print_info(int signal, siginfo_t *info, void *context)
{
	(void)context;
	printf("handler: %d from %s code %d value %d\n", signal, info->si_pid == getpid() ? "myself" : "another", info->si_code,
	       info->si_value.sival_int);
}

/* siginfo, the mask in the handler, and SA_RESETHAND are the kernel's.  */
static void handler_arguments(char **argv)
{
	struct sigaction a = {.sa_sigaction = print_info, .sa_flags = SA_SIGINFO | SA_RESETHAND}, b;
	union sigval value = {.sival_int = 7};

	(void)argv;
	sigaction(SIGUSR1, &a, NULL);
	sigqueue(getpid(), SIGUSR1, value);
	sigaction(SIGUSR1, NULL, &b);
	tell("reset: %d", b.sa_handler == SIG_DFL);
}

static char *stack_low, *stack_high;
static volatile int on_stack;

static void look_where(int signal)
{
	char here;

	(void)signal;
	on_stack = &here >= stack_low && &here < stack_high;
}

/* A handler on an alternate stack.  */
static void alternate_stack(char **argv)
{
	stack_t s = {.ss_size = 16384, .ss_sp = malloc(16384)};
	int fds[2];
	char c;

	(void)argv;
	stack_low = s.ss_sp;
	stack_high = stack_low + s.ss_size;
	need(sigaltstack(&s, NULL) == 0, "sigaltstack");
	handle(SIGALRM, look_where, SA_ONSTACK);
	make_pipe(fds);
	if (fork() == 0) {
		wait_asleep(getppid());
		kill(getppid(), SIGALRM);
		_exit(0);
	}
	tell("read: %s", result_text(read(fds[0], &c, 1)));
	wait(NULL);
	tell("on its stack: %d", on_stack);
}

/* alarm(2) ends a read, as old programs want it to.  */
static void alarm_ends_read(char **argv)
{
	int fds[2];
	char c;

	(void)argv;
	handle(SIGALRM, no_handler, 0);
	make_sockets(SOCK_STREAM, fds);
	alarm(1);
	tell("recv: %s", result_text(recv(fds[0], &c, 1, 0)));
}

/* A blocked signal does not end a wait; sigprocmask in the handler is the program's own affair.  */
static void blocked_signal(char **argv)
{
	sigset_t set;
	int fds[2];
	pid_t parent = getpid();

	(void)argv;
	handle(SIGUSR1, no_handler, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	make_pipe(fds);
	if (fork() == 0) {
		wait_asleep(parent);
		kill(parent, SIGUSR1);
		wait_asleep(parent);
		_exit(write(fds[1], "x", 1) != 1);
	}
	tell_read("read", fds[0], 1);
	sigpending(&set);
	tell("pending: %d", sigismember(&set, SIGUSR1));
	wait(NULL);
}

/* errno stays as it was on success, and in a handler's eyes.  */
static void errno_untouched(char **argv)
{
	int pipes[2], sockets[2];
	char c[8];

	(void)argv;
	make_pipe(pipes);
	make_sockets(SOCK_STREAM, sockets);
	errno = 77;
	need(write(pipes[1], "abc", 3) == 3 && read(pipes[0], c, 8) == 3, "pipe");
	tell("pipe: %d", errno);
	need(send(sockets[1], "abc", 3, 0) == 3 && recv(sockets[0], c, 8, 0) == 3, "socket");
	tell("socket: %d", errno);
	need(write(sockets[1], "abc", 3) == 3 && read(sockets[0], c, 8) == 3, "socket");
	tell("socket by read: %d", errno);
	if (fork() == 0) {
		wait_asleep(getppid());
		_exit(write(pipes[1], "x", 1) != 1);
	}
	need(read(pipes[0], c, 1) == 1, "wait");
	tell("after a wait: %d", errno);
	wait(NULL);
	errno = 77;
	close(pipes[0]);
	close(dup(pipes[1]));
	handle(SIGUSR1, no_handler, 0);
	tell("close, dup, sigaction: %d", errno);
	tell("bad: %s", result_text(read(-1, c, 1)));
}

/* A storm of signals: none ends a call that does not wait.  */
static void storm(char **argv)
{
	struct itimerval timer = {{0, 50}, {0, 50}}, none = {{0, 0}, {0, 0}};
	int file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600), sockets[2], interrupted = 0;
	char text[64];
	struct iovec v = {text, 1};
	struct msghdr message = {.msg_iov = &v, .msg_iovlen = 1};

	(void)argv;
	make_sockets(SOCK_DGRAM, sockets);
	handle(SIGALRM, no_handler, 0);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (int i = 0; i < 60000; i++) {
		interrupted += pwrite(file, text, sizeof text, 0) < 0;
		interrupted += write(file, text, 1) < 0;
		interrupted += sendmsg(sockets[0], &message, 0) < 0;
		interrupted += recvmsg(sockets[1], &message, 0) < 0;
		interrupted += recv(sockets[1], text, 1, MSG_DONTWAIT) < 0 && errno == EINTR;
	}
	setitimer(ITIMER_REAL, &none, NULL);
	tell("interrupted: %d", interrupted);
	unlink("file");
}

static void raise_other(int signal)
{
	(void)signal;
	raise(SIGUSR2);
}

/* A handler that restarts, and on top of it one that does not: the kernel has already decided to restart.  */
static void nested_handlers(char **argv)
{
	pid_t parent = getpid();

	(void)argv;
	for (int sockets = 0; sockets < 2; sockets++) {
		int fds[2];

		if (sockets)
			make_sockets(SOCK_STREAM, fds);
		else
			make_pipe(fds);
		handle(SIGUSR1, raise_other, SA_RESTART);
		handle(SIGUSR2, no_handler, 0);
		if (fork() == 0) {
			wait_asleep(parent);
			kill(parent, SIGUSR1);
			wait_asleep(parent);
			_exit(write(fds[1], "x", 1) != 1);
		}
		tell_read("read", fds[0], 1);
		wait(NULL);
	}
}

const struct trap signal_traps[] = {
	{"longjmp-many", longjmp_many}, {"sigaction-readback", sigaction_readback}, {"handler-arguments", handler_arguments},
	{"alternate-stack", alternate_stack}, {"alarm-ends-read", alarm_ends_read}, {"blocked-signal", blocked_signal},
	{"errno-untouched", errno_untouched}, {"storm", storm}, {"nested-handlers", nested_handlers}, {NULL, NULL},
};
