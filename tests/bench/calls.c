/* calls.c - what a call costs: calls WHAT N prints nanoseconds per call (or per round trip, token, connection).  Who makes a round
 * trip is on one core with its peer where WHAT ends with @1, and with @2 on another one.  */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void need(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

enum { MUCH = 64 * 1024 };

static char c, much[MUCH];

/* One byte of /dev/zero.  */
static long zero(long n)
{
	int fd = open("/dev/zero", O_RDONLY);

	for (long i = 0; i < n; i++)
		need(read(fd, &c, 1) == 1, "read");
	return n;
}

static long null(long n)
{
	int fd = open("/dev/null", O_WRONLY);

	for (long i = 0; i < n; i++)
		need(write(fd, &c, 1) == 1, "write");
	return n;
}

/* One byte of a file.  */
static long at_offset(long n)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	for (long i = 0; i < n; i++)
		need(pread(fd, &c, 1, 0) == 1, "pread");
	return n;
}

/* So many bytes in, and out: two calls.  */
static long through(const int fds[2], size_t size, long n)
{
	for (long i = 0; i < n / 2; i++)
		need(write(fds[1], much, size) == (ssize_t)size && read(fds[0], much, size) == (ssize_t)size, "through");
	return n;
}

static long through_pipe(long n)
{
	int fds[2];

	need(pipe(fds) == 0, "pipe");
	return through(fds, 1, n);
}

static long through_pipe_much(long n)
{
	int fds[2];

	need(pipe(fds) == 0 && fcntl(fds[1], F_SETPIPE_SZ, MUCH) >= MUCH, "pipe");
	return through(fds, MUCH, n);
}

static long through_socket(long n)
{
	int fds[2];

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "socketpair");
	return through(fds, 1, n);
}

static long send_recv(long n)
{
	int fds[2];

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "socketpair");
	for (long i = 0; i < n / 2; i++)
		need(send(fds[1], &c, 1, 0) == 1 && recv(fds[0], &c, 1, 0) == 1, "send, recv");
	return n;
}

static int cores;
static cpu_set_t usable;

/* To the nth of the usable cores, from 1.  */
static void keep_to(int nth)
{
	cpu_set_t one;
	int i = -1;

	while (nth > 0)
		nth -= CPU_ISSET(++i, &usable) != 0;
	CPU_ZERO(&one);
	CPU_SET(i, &one);
	need(sched_setaffinity(0, sizeof one, &one) == 0, "sched_setaffinity");
}

/* A byte there and back between two processes: each read waits.  */
static long round_trip(int in, int out, int peer_in, int peer_out, long n)
{
	pid_t pid = fork();

	if (cores)
		keep_to(pid == 0 ? cores : 1);
	if (pid == 0) {
		for (long i = 0; i < n; i++)
			need(read(peer_in, &c, 1) == 1 && write(peer_out, &c, 1) == 1, "peer");
		_exit(0);
	}
	for (long i = 0; i < n; i++)
		need(write(out, &c, 1) == 1 && read(in, &c, 1) == 1, "round trip");
	waitpid(pid, NULL, 0);
	return n;
}

static long round_trip_pipe(long n)
{
	int there[2], back[2];

	need(pipe(there) == 0 && pipe(back) == 0, "pipe");
	return round_trip(back[0], there[1], there[0], back[1], n);
}

static long round_trip_socket(long n)
{
	int fds[2];

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "socketpair");
	return round_trip(fds[0], fds[0], fds[1], fds[1], n);
}

static long round_trip_tcp(long n)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM, 0), ours = socket(AF_INET, SOCK_STREAM, 0), theirs = -1, on = 1;

	need(bind(listener, (struct sockaddr *)&a, size) == 0 && listen(listener, 1) == 0, "listen");
	getsockname(listener, (struct sockaddr *)&a, &size);
	need(connect(ours, (struct sockaddr *)&a, size) == 0 && (theirs = accept(listener, NULL, NULL)) >= 0, "connect");
	setsockopt(ours, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(theirs, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return round_trip(ours, ours, theirs, theirs, n);
}

/* 64 processes read tokens from one pipe, which is empty most of the time; each token is answered.  */
static long readers(long n)
{
	int tokens[2], answers[2];

	need(pipe(tokens) == 0 && pipe(answers) == 0, "pipe");
	for (int i = 0; i < 64; i++)
		if (fork() == 0) {
			close(tokens[1]);
			while (read(tokens[0], &c, 1) == 1)
				need(write(answers[1], &c, 1) == 1, "answer");
			_exit(0);
		}
	for (long i = 0; i < n; i++)
		need(write(tokens[1], &c, 1) == 1 && read(answers[0], &c, 1) == 1, "token");
	close(tokens[1]);
	while (wait(NULL) > 0)
		;
	return n;
}

/* 256 processes in accept on one listening socket; one client after another.  */
static long acceptors(long n)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct linger reset = {1, 0};   /* no TIME_WAIT: ports are few */
	static pid_t pids[256];

	need(bind(listener, (struct sockaddr *)&a, size) == 0 && listen(listener, 512) == 0, "listen");
	getsockname(listener, (struct sockaddr *)&a, &size);
	for (int i = 0; i < 256; i++)
		if ((pids[i] = fork()) == 0)
			for (;;) {
				int fd = accept(listener, NULL, NULL);

				need(fd >= 0 && write(fd, &c, 1) == 1, "accept");
				close(fd);
			}
	for (long i = 0; i < n; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		need(connect(fd, (struct sockaddr *)&a, size) == 0 && read(fd, &c, 1) == 1, "connect");
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		close(fd);
	}
	for (int i = 0; i < 256; i++)
		kill(pids[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	return n;
}

static const struct {
	const char *name;
	long (*run)(long n);
} all[] = {
	{"zero", zero},
	{"null", null},
	{"pread", at_offset},
	{"pipe", through_pipe},
	{"pipe-64k", through_pipe_much},
	{"socket", through_socket},
	{"send-recv", send_recv},
	{"round-trip-pipe", round_trip_pipe},
	{"round-trip-socket", round_trip_socket},
	{"round-trip-tcp", round_trip_tcp},
	{"readers", readers},
	{"acceptors", acceptors},
};

int main(int argc, char **argv)
{
	char *at = argc == 3 ? strchr(argv[1], '@') : NULL;

	if (at) {
		*at = '\0';
		cores = atoi(at + 1);
		need(sched_getaffinity(0, sizeof usable, &usable) == 0, "sched_getaffinity");
		if (cores < 1 || CPU_COUNT(&usable) < cores) {
			fprintf(stderr, "calls: there are no %d cores\n", cores);
			return 1;
		}
	}
	for (size_t i = 0; argc == 3 && i < sizeof all / sizeof *all; i++)
		if (!strcmp(argv[1], all[i].name)) {
			double start = now();
			long n = all[i].run(atol(argv[2]));
			double ns = (now() - start) / (double)n;
			FILE *to = getenv("RESULT") ? fopen(getenv("RESULT"), "a") : stdout;

			fprintf(to, "%.1f\n", ns);
			return fclose(to) != 0;
		}
	fprintf(stderr, "usage: calls WHAT N, where WHAT is");
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		fprintf(stderr, " %s", all[i].name);
	fputs("\n", stderr);
	return 2;
}
