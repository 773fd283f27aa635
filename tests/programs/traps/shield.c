/* shield.c - O_NONBLOCK that the program was given with fds 0 and 2 (see given.c): what it knows of, and what it does not.  */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traps.h"

/* A child that does something once this process, or thread, sleeps.  */
static pid_t when_asleep(void (*act)(pid_t), bool holds_far_ends)
{
	pid_t waiter = (pid_t)syscall(SYS_gettid), child = fork();

	need(child >= 0, "fork");
	if (child == 0) {
		wait_asleep(waiter);
		act(waiter);
		_exit(0);
	}
	if (!holds_far_ends) {
		close(3);
		close(4);
	}
	return child;
}

static void send_hello(pid_t waiter)
{
	(void)waiter;
	need(write(3, "hello", 5) == 5, "write");
}

static void take_all(pid_t waiter)
{
	static char buffer[65536];
	long n, sum = 0;

	(void)waiter;
	close(2);
	close(3);
	while ((n = read(4, buffer, sizeof buffer)) > 0)
		sum += n;
	tell("the other end got %ld", sum);
}

/* What a program does that knows nothing of O_NONBLOCK: it reads, and writes more than fits.  */
static void unaware(char **argv)
{
	static const char text[300000];
	bool terminal = isatty(0);

	(void)argv;
	when_asleep(send_hello, true);
	tell_read("read", 0, 10);
	wait(NULL);
	if (terminal)
		return;
	when_asleep(take_all, false);
	tell("write: %s", result_text(write(2, text, sizeof text)));
	close(2);
	wait(NULL);
	tell_read("at the end", 0, 10);
}

static volatile int pipe_signals;

static void count_pipe_signal(int signal)
{
	(void)signal;
	pipe_signals++;
}

static void shut_reading(pid_t waiter)
{
	shutdown(4, SHUT_RD);
	/* The end stays open until the other waits for this process. */
	wait_asleep(waiter);
}

/* The peer shuts down reading while a write waits, of which a part has gone; or nothing, with an argument.  */
static void refused(char **argv)
{
	static const char text[1 << 20];
	long n;

	handle(SIGPIPE, count_pipe_signal, 0);
	while (argv[0] && send(2, text, 1000, MSG_DONTWAIT) > 0)
		;
	when_asleep(shut_reading, true);
	n = write(2, text, sizeof text);
	tell("write: %s, SIGPIPE %d", n > 0 ? "a part" : result_text(n), pipe_signals);
	n = write(2, text, 1);
	tell("next: %s, SIGPIPE %d", result_text(n), pipe_signals);
	wait(NULL);
}

static void interrupt(pid_t waiter)
{
	kill(waiter, SIGUSR1);
}

static void interrupt_then_send(pid_t waiter)
{
	kill(waiter, SIGUSR1);
	wait_asleep(waiter);
	send_hello(waiter);
}

static void signals(char **argv)
{
	(void)argv;
	handle(SIGUSR1, no_handler, 0);
	when_asleep(interrupt, true);
	tell_read("without SA_RESTART", 0, 10);
	wait(NULL);
	handle(SIGUSR1, no_handler, SA_RESTART);
	when_asleep(interrupt_then_send, true);
	tell_read("with SA_RESTART", 0, 10);
	wait(NULL);
}

static void *reader(void *arg)
{
	(void)arg;
	tell_read("in a thread", 0, 10);
	return NULL;
}

static void threads(char **argv)
{
	pthread_t t;
	void *result;

	(void)argv;
	pthread_create(&t, NULL, reader, NULL);
	send_hello(0);
	pthread_join(t, NULL);
	pthread_create(&t, NULL, reader, NULL);
	pthread_cancel(t);
	pthread_join(t, &result);
	tell("cancelled: %d", result == PTHREAD_CANCELED);
}

/* What a program does that knows: then it gets its EAGAIN.  */
static void aware(char **argv)
{
	struct pollfd p = {.fd = 0, .events = POLLIN};
	struct epoll_event event = {.events = EPOLLIN};
	int on = 1, copy;

	need(argv[0], "argument");
	if (!strcmp(argv[0], "seen"))
		tell("F_GETFL: %d", !!(fcntl(0, F_GETFL) & O_NONBLOCK));
	else if (!strcmp(argv[0], "set"))
		fcntl(0, F_SETFL, O_NONBLOCK);
	else if (!strcmp(argv[0], "FIONBIO"))
		ioctl(0, FIONBIO, &on);
	else if (!strcmp(argv[0], "polled"))
		tell("poll: %d", poll(&p, 1, 0));
	else if (!strcmp(argv[0], "epoll"))
		tell("epoll: %d", epoll_ctl(epoll_create1(0), EPOLL_CTL_ADD, 0, &event));
	else if (!strcmp(argv[0], "set-by-number"))
		syscall(SYS_fcntl, 0, F_SETFL, O_NONBLOCK);
	else if (!strcmp(argv[0], "selected")) {
		struct timeval none = {0, 0};
		fd_set set;

		FD_ZERO(&set);
		FD_SET(0, &set);
		tell("select: %d", select(1, &set, NULL, NULL, &none));
	} else if (!strcmp(argv[0], "set-then-moved-away-and-back")) {
		fcntl(0, F_SETFL, O_NONBLOCK);
		copy = dup(0);
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(copy, 0);
	} else if (!strcmp(argv[0], "set-then-vfork")) {
		fcntl(0, F_SETFL, O_NONBLOCK);
		if (vfork() == 0) {
			close(0);
			_exit(0);
		}
		wait(NULL);
	} else if (!strcmp(argv[0], "set-through-a-copy")) {
		copy = dup(0);
		fcntl(copy, F_SETFL, O_NONBLOCK);
		close(copy);
	} else if (!strcmp(argv[0], "MSG_DONTWAIT"))
		tell("recv: %s", result_text(recv(0, &copy, 1, MSG_DONTWAIT)));
	else if (!strcmp(argv[0], "another-file")) {
		int own[2];

		/* Behind the back of whoever remembers what 0 was. */
		need(pipe2(own, O_NONBLOCK) == 0, "pipe2");
		hidden_syscall(SYS_dup3, own[0], 0, 0);
	}
	if (strcmp(argv[0], "MSG_DONTWAIT") != 0)
		tell_read("read", 0, 10);
}

/* The program's own O_NONBLOCK: for --shield=all.  */
static void own(char **argv)
{
	(void)argv;
	fcntl(0, F_SETFL, O_NONBLOCK);
	when_asleep(send_hello, true);
	tell_read("read", 0, 10);
	wait(NULL);
}

/* What a vfork child does to the fd 0 of its own.  */
static void in_vfork_child(const char *how)
{
	if (vfork() == 0) {
		if (!strcmp(how, "vfork-close"))
			close(0);
		else if (!strcmp(how, "vfork-close_range"))
			close_range(0, 2, 0);
		else
			dup2(3, 0);
		_exit(0);
	}
	wait(NULL);
}

/* fd 0, with O_NONBLOCK, is polled; then something is done that leaves it what it is; or not, where argv says so.  Then it is read,
 * and should that wait, not for ever.  */
static void polled(char **argv)
{
	const struct itimerval soon = {.it_value.tv_sec = 2}, never = {0};
	struct epoll_event event = {.events = EPOLLIN};
	struct pollfd p = {.fd = 0, .events = POLLIN};
	const char *how = argv[0];
	int other[2];

	need(how && pipe2(other, O_NONBLOCK) == 0, "pipe2");
	fcntl(0, F_SETFL, O_NONBLOCK);
	if (argv[1])
		tell("epoll: %d", epoll_ctl(epoll_create1(0), EPOLL_CTL_ADD, 0, &event));
	else
		tell("poll: %d", poll(&p, 1, 0));
	if (!strcmp(how, "dup2"))
		tell("dup2: %s", result_text(dup2(99, 0)));
	else if (!strcmp(how, "dup3"))
		tell("dup3: %s", result_text(dup3(3, 0, O_APPEND)));
	else if (!strcmp(how, "dup3-by-number"))
		tell("dup3: %s", result_text(syscall(SYS_dup3, 99, 0, 0)));
	else if (!strcmp(how, "close_range"))
		tell("close_range: %s", result_text(close_range(0, 2, 1 << 30)));
	else if (!strcmp(how, "another"))
		tell("dup2: %s", result_text(dup2(other[0], 0)));
	else
		in_vfork_child(how);
	handle(SIGALRM, no_handler, 0);
	setitimer(ITIMER_REAL, &soon, NULL);
	tell_read("read", 0, 10);
	setitimer(ITIMER_REAL, &never, NULL);
}

/* Reads the fd that argv names.  */
static void other_fd(char **argv)
{
	need(argv[0] != NULL, "argument");
	tell_read("read", atoi(argv[0]), 10);
}

const struct trap shield_traps[] = {
	{"shield-unaware", unaware}, {"shield-refused", refused}, {"shield-signals", signals}, {"shield-threads", threads},
	{"shield-aware", aware},
	{"shield-own", own}, {"shield-polled", polled}, {"shield-other-fd", other_fd}, {NULL, NULL},
};
