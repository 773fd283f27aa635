/* plain.c - the calls that are plain and timed.  */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "traps.h"

/* Again and again, for the first may come before the call that it is to end.  */
static void start_timer(void)
{
	const struct itimerval timer = {{0, 5000}, {0, 5000}};

	setitimer(ITIMER_REAL, &timer, NULL);
}

static void stop_timer(void)
{
	const struct itimerval never = {{0, 0}, {0, 0}};

	setitimer(ITIMER_REAL, &never, NULL);
}

static void polls(const int fds[2])
{
	struct timespec t = {.tv_nsec = 2000000}, bad = {.tv_nsec = -1};
	struct pollfd p[4] = {{fds[0], POLLIN, 0}, {fds[1], POLLOUT, 0}, {-1, POLLIN, 0}, {999, POLLIN, 0}};
	struct pollfd *volatile nowhere = (struct pollfd *)8;
	volatile nfds_t too_many = ~0u;
	sigset_t set;
	int n;

	n = poll(p, 4, -1);
	tell("poll: %d %x %x %x %x", n, p[0].revents, p[1].revents, p[2].revents, p[3].revents);
	tell("poll, a timeout: %s", result_text(poll(p, 1, 2)));
	tell("poll, at once: %s", result_text(poll(p, 1, 0)));
	tell("poll, none: %s", result_text(poll(NULL, 0, 1)));
	tell("poll, too many: %s", result_text(poll(p, too_many, 0)));
	tell("poll, bad: %s", result_text(poll(nowhere, 1, 0)));
	tell("ppoll: %s", result_text(ppoll(p, 1, &t, NULL)));
	tell("its timeout: %ld", t.tv_nsec);
	tell("ppoll, bad time: %s", result_text(ppoll(p, 1, &bad, NULL)));
	/* Both kinds of handler end it. */
	handle(SIGALRM, no_handler, SA_RESTART);
	start_timer();
	tell("poll, a signal: %s", result_text(poll(p, 1, -1)));
	stop_timer();
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	start_timer();
	sigemptyset(&set);
	tell("ppoll, its mask: %s", result_text(ppoll(p, 1, NULL, &set)));
	stop_timer();
	sigprocmask(SIG_SETMASK, &set, NULL);
}

static void selects(const int fds[2])
{
	struct timeval t = {.tv_sec = 1000}, negative = {.tv_sec = -1}, large = {.tv_usec = 3000000};
	struct timespec ts = {.tv_nsec = 1000000};
	fd_set in, out;
	int n, closed;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(fds[0], &in);
	FD_SET(fds[1], &out);
	n = select(fds[1] + 1, &in, &out, NULL, &t);
	tell("select: %d %d %d, time left %d", n, FD_ISSET(fds[0], &in) != 0, FD_ISSET(fds[1], &out) != 0, t.tv_sec == 999);
	FD_SET(fds[0], &in);
	t = (struct timeval){.tv_usec = 2000};
	tell("select, a timeout: %s", result_text(select(fds[0] + 1, &in, NULL, NULL, &t)));
	tell("time left: %ld %ld, set %d", t.tv_sec, t.tv_usec, FD_ISSET(fds[0], &in) != 0);
	tell("select, negative: %s", result_text(select(0, NULL, NULL, NULL, &negative)));
	FD_SET(fds[1], &out);
	tell("select, large microseconds: %s", result_text(select(fds[1] + 1, NULL, &out, NULL, &large)));
	closed = dup(fds[0]);
	close(closed);
	FD_ZERO(&in);
	FD_SET(closed, &in);
	tell("select, a closed fd: %s", result_text(select(closed + 1, &in, NULL, NULL, NULL)));
	FD_ZERO(&in);
	FD_SET(fds[0], &in);
	tell("pselect: %s", result_text(pselect(fds[0] + 1, &in, NULL, NULL, &ts, NULL)));
	tell("its timeout: %ld", ts.tv_nsec);
}

static void epolls(const int fds[2])
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fds[0]}, found;
	struct timespec none = {0};
	int fd = epoll_create1(0);
	sigset_t set;

	sigemptyset(&set);
	need(epoll_ctl(fd, EPOLL_CTL_ADD, fds[0], &e) == 0, "epoll_ctl");
	tell("epoll_wait: %s", result_text(epoll_wait(fd, &found, 1, 2)));
	need(write(fds[1], "x", 1) == 1, "write");
	tell("epoll_wait, ready: %s", result_text(epoll_wait(fd, &found, 1, -1)));
	tell("what: %d %x", found.data.fd == fds[0], found.events);
	tell("epoll_pwait: %s", result_text(epoll_pwait(fd, &found, 1, -1, &set)));
	tell("epoll_pwait2: %s", result_text(epoll_pwait2(fd, &found, 1, &none, NULL)));
	tell("epoll_wait, none: %s", result_text(epoll_wait(fd, &found, 0, 0)));
	tell("epoll_wait, no epoll: %s", result_text(epoll_wait(fds[0], &found, 1, 0)));
	close(fd);
}

static void poll_family(char **argv)
{
	struct pollfd p;
	fd_set in;
	int fds[2];

	(void)argv;
	make_pipe(fds);
	polls(fds);
	selects(fds);
	epolls(fds);
	p = (struct pollfd){fds[0], POLLIN, 0};
	tell("poll, ready: %d", poll(&p, 1, -1));
	FD_ZERO(&in);
	FD_SET(fds[0], &in);
	tell("select, ready: %d", select(fds[0] + 1, &in, NULL, NULL, NULL));
}

static void transfers(char **argv)
{
	char text[16] = "";
	struct iovec v[2] = {{text, 2}, {text + 2, 3}};
	int file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600), copy = open("copy", O_RDWR | O_CREAT | O_TRUNC, 0600);
	int fds[2], other[2];
	off_t offset = 1;

	(void)argv;
	make_pipe(fds);
	make_pipe(other);
	tell("pwrite: %s", result_text(pwrite(file, "0123456789", 10, 2)));
	tell("pread: %s", result_text(pread(file, text, 5, 3)));
	tell("%s", text);
	tell("pread, negative: %s", result_text(pread(file, text, 5, -1)));
	tell("pread of a pipe: %s", result_text(pread(fds[0], text, 5, 0)));
	tell("pwritev: %s", result_text(pwritev(file, v, 2, 20)));
	tell("preadv: %s", result_text(preadv(file, v, 2, 4)));
	tell("%s", text);
	tell("preadv2: %s", result_text(preadv2(file, v, 2, 5, 0)));
	tell("pwritev2, at the end: %s", result_text(pwritev2(file, v, 2, -1, RWF_APPEND)));
	tell("preadv2, nonsense: %s", result_text(preadv2(file, v, 2, 0, 0x10000)));
	tell("sendfile: %s", result_text(sendfile(fds[1], file, &offset, 8)));
	tell("offset: %ld", (long)offset);
	tell("tee: %s", result_text(tee(fds[0], other[1], 4, 0)));
	tell("splice: %s", result_text(splice(fds[0], NULL, copy, NULL, 8, 0)));
	tell("vmsplice: %s", result_text(vmsplice(fds[1], v, 2, 0)));
	offset = 0;
	tell("copy_file_range: %s", result_text(copy_file_range(file, &offset, copy, NULL, 6, 0)));
	tell("fsync: %s", result_text(fsync(file)));
	tell("fdatasync: %s", result_text(fdatasync(copy)));
	tell("fsync of a pipe: %s", result_text(fsync(fds[0])));
	tell("sizes: %ld %ld", (long)lseek(file, 0, SEEK_END), (long)lseek(copy, 0, SEEK_END));
	tell("splice, no pipe: %s", result_text(splice(file, NULL, copy, NULL, 8, 0)));
}

static pid_t child_with(int status)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(status);
	return pid;
}

static void sleeping_and_waiting(char **argv)
{
	struct timespec t = {.tv_nsec = 1000000}, bad = {.tv_nsec = 2000000000}, left = {0};
	struct rusage usage;
	siginfo_t info = {0};
	int status = 0;
	pid_t pid;

	(void)argv;
	errno = 77;
	tell("nanosleep: %s", result_text(nanosleep(&t, NULL)));
	tell("nanosleep, bad: %s", result_text(nanosleep(&bad, NULL)));
	tell("clock_nanosleep: %d", clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL));
	errno = 77;
	tell("clock_nanosleep, bad: %d %d", clock_nanosleep(CLOCK_MONOTONIC, 0, &bad, NULL), errno);
	tell("of the thread: %d", clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL));
	tell("usleep: %d, sleep: %u, errno %d", usleep(100), sleep(0), errno);
	handle(SIGALRM, no_handler, SA_RESTART);
	start_timer();
	t.tv_sec = 100;
	tell("interrupted: %s", result_text(nanosleep(&t, &left)));
	tell("left: %ld", (long)left.tv_sec);
	tell("sleep, interrupted: %u", sleep(100));
	stop_timer();
	tell("wait, no child: %s", result_text(wait(&status)));
	pid = child_with(3);
	tell("wait: %d", wait(&status) == pid);
	tell("status %d", WEXITSTATUS(status));
	pid = child_with(4);
	tell("waitpid: %d", waitpid(pid, &status, 0) == pid);
	tell("status %d", WEXITSTATUS(status));
	pid = child_with(5);
	tell("wait4: %d", wait4(pid, &status, 0, &usage) == pid);
	pid = child_with(6);
	tell("wait3: %d", wait3(&status, 0, &usage) == pid);
	tell("status %d", WEXITSTATUS(status));
	pid = child_with(7);
	tell("waitid: %d", waitid(P_PID, (id_t)pid, &info, WEXITED));
	tell("status %d", info.si_status);
	tell("waitpid, none: %s", result_text(waitpid(pid, &status, WNOHANG)));
	tell("waitpid, nonsense: %s", result_text(waitpid(-1, &status, 0x1000)));
}

const struct trap plain_traps[] = {
	{"poll-family", poll_family}, {"transfers", transfers}, {"sleeping-and-waiting", sleeping_and_waiting}, {NULL, NULL},
};
