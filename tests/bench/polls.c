/* polls.c - what a poll or a select of many fds costs, and the same fds in an epoll instance.
 *
 *     polls poll|select|epoll pipe|unix|tcp N
 *
 * prints a line for each pattern: how many are ready at a call (1, %: one in a hundred, all), how many may ask for something else
 * than at the call before (0, %, all), the timeout (0, or - for ever: where one is ready, a child makes it so while the call waits),
 * and in nanoseconds of CPU time, which neither waiting nor other programs add to: the median call, the longest, the longest of the
 * first, in which a kept set is made, and the longest of the last, in which it is given up; and by how many KiB memory has grown.  */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX = 10000, FIRST = 64, LAST = 8, CALLS_MAX = 1000 };

static int count, fds[MAX], peers[MAX];
static char c;

static void need(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

/* The ends that are polled have the lowest numbers, for select.  */
static void take(int at, int fd, int peer)
{
	peers[at] = fcntl(peer, F_DUPFD, MAX);
	need(peers[at] >= 0, "fcntl");
	close(peer);
	fds[at] = fd;
}

static void open_pipe(int at)
{
	int pair[2];

	need(pipe(pair) == 0, "pipe");
	take(at, pair[0], pair[1]);
}

static void open_unix(int at)
{
	int pair[2];

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
	take(at, pair[0], pair[1]);
}

static void open_tcp(int at)
{
	static int listener = -1;
	static struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t size = sizeof a;
	struct linger reset = {1, 0};   /* no TIME_WAIT: ports are few */
	int fd, peer = -1;

	if (listener < 0) {
		a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		listener = fcntl(socket(AF_INET, SOCK_STREAM, 0), F_DUPFD, MAX);
		need(bind(listener, (struct sockaddr *)&a, size) == 0 && listen(listener, 16) == 0, "listen");
		getsockname(listener, (struct sockaddr *)&a, &size);
	}
	fd = socket(AF_INET, SOCK_STREAM, 0);
	need(connect(fd, (struct sockaddr *)&a, size) == 0 && (peer = accept(listener, NULL, NULL)) >= 0, "connect");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	take(at, fd, peer);
}

/* What is asked of each fd: POLLIN, and in every second call that changes it, POLLPRI.  */
static struct pollfd array[MAX];
static fd_set in, urgent;
static int instance;

static void start_poll(void)
{
	for (int i = 0; i < count; i++)
		array[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
}

static void change_poll(int at)
{
	array[at].events ^= POLLPRI;
}

static int call_poll(int timeout)
{
	return poll(array, (nfds_t)count, timeout);
}

static void start_select(void)
{
	need(count < FD_SETSIZE - 8, "select");
	for (int i = 0; i < count; i++)
		FD_SET(fds[i], &in);
}

static void change_select(int at)
{
	((unsigned long *)&urgent)[fds[at] / 64] ^= 1ul << fds[at] % 64;
}

static int call_select(int timeout)
{
	static fd_set in_now, urgent_now;
	struct timeval none = {0};

	in_now = in;
	urgent_now = urgent;
	return select(fds[count - 1] + 1, &in_now, NULL, &urgent_now, timeout ? NULL : &none);
}

static void register_epoll(int operation, int at)
{
	struct epoll_event e = {.events = (unsigned)array[at].events, .data.fd = fds[at]};

	need(epoll_ctl(instance, operation, fds[at], &e) == 0, "epoll_ctl");
}

static void start_epoll(void)
{
	instance = epoll_create1(0);
	start_poll();
	for (int i = 0; i < count; i++)
		register_epoll(EPOLL_CTL_ADD, i);
}

static void change_epoll(int at)
{
	change_poll(at);
	register_epoll(EPOLL_CTL_MOD, at);
}

static int call_epoll(int timeout)
{
	static struct epoll_event ready[MAX];

	return epoll_wait(instance, ready, MAX, timeout);
}

static const struct kind {
	const char *name;
	void (*open)(int at);
} kinds[] = {{"pipe", open_pipe}, {"unix", open_unix}, {"tcp", open_tcp}};

static const struct way {
	const char *name;
	void (*start)(void);
	void (*change)(int at);
	int (*call)(int timeout);
} ways[] = {
	{"poll", start_poll, change_poll, call_poll},
	{"select", start_select, change_select, call_select},
	{"epoll", start_epoll, change_epoll, call_epoll},
};

struct pattern {
	int ready, changed;
	bool waits;
};

static double cpu_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Makes those from `at` on ready, or takes it from them.  */
static void fill(int at, int n)
{
	for (int i = 0; i < n; i++)
		need(write(peers[(at + i) % count], &c, 1) == 1, "write");
}

static void drain(int at, int n)
{
	for (int i = 0; i < n; i++)
		need(read(fds[(at + i) % count], &c, 1) == 1, "read");
}

/* A child that makes the fd ready whose index it is told.  It has the same CPU, and does not take it from who tells: so it runs
 * when that one waits.  */
static int start_waker(void)
{
	struct sched_param none = {0};
	cpu_set_t one;
	int tell[2], at;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	need(sched_setaffinity(0, sizeof one, &one) == 0 && pipe(tell) == 0, "waker");
	if (fork() == 0) {
		close(tell[1]);
		sched_setscheduler(0, SCHED_BATCH, &none);
		while (read(tell[0], &at, sizeof at) == sizeof at)
			fill(at, 1);
		_exit(0);
	}
	close(tell[0]);
	return tell[1];
}

/* One in a hundred changes, or of all about half, so that no array comes again.  */
static void change(const struct way *way, int at, int n)
{
	static unsigned long long random = 1;

	for (int i = 0; i < n; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		if (n < count || random >> 63)
			way->change((at + i) % count);
	}
}

/* One call: what it costs.  */
static double one(const struct way *way, const struct pattern *p, int at, int changed, int waker)
{
	double start;
	int n;

	if (waker >= 0)
		need(write(waker, &at, sizeof at) == sizeof at, "tell");
	else if (p->ready < count)
		fill(at, p->ready);
	start = cpu_time();
	change(way, at, changed);
	n = way->call(p->waits ? -1 : 0);
	start = cpu_time() - start;
	need(n == p->ready, "not what is ready");
	if (p->ready < count)
		drain(at, p->ready);
	return start;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static long resident(void)
{
	long size = 0, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	need(f && fscanf(f, "%ld %ld", &size, &pages) == 2, "statm");
	fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static double longest(const double *ns, int n)
{
	double most = 0;

	for (int i = 0; i < n; i++)
		most = ns[i] > most ? ns[i] : most;
	return most;
}

static const char *share(int n)
{
	return n == 0 ? "0" : n == 1 ? "1" : n < count ? "%" : "all";
}

static void measure(const struct way *way, const struct pattern *p)
{
	static double ns[FIRST + CALLS_MAX + LAST];
	int n = count < 5000 ? CALLS_MAX : CALLS_MAX / 5, waker, i;
	long memory;

	memset(ns, 0, sizeof ns);
	ns[0] = -cpu_time();
	way->start();
	ns[0] += cpu_time();
	if (p->ready == count)
		fill(0, count);
	waker = p->waits && p->ready == 1 ? start_waker() : -1;
	memory = resident();
	for (i = 0; i < FIRST + n + LAST; i++) {
		if (i == FIRST + n)
			memory = resident() - memory;
		ns[i] += one(way, p, i * 37 % count, i < FIRST + n ? p->changed : count, waker);
	}
	qsort(ns + FIRST, (size_t)n, sizeof *ns, compare);
	printf("%s %s %s %.0f %.0f %.0f %.0f %ld\n", share(p->ready), p->changed == 1 ? "%" : share(p->changed), p->waits ? "-" : "0", ns[FIRST + n / 2],
	       ns[FIRST + n - 1], longest(ns, FIRST), longest(ns + FIRST + n, LAST), memory);
	fflush(stdout);
	if (waker >= 0)
		close(waker);
	while (wait(NULL) > 0)
		;
}

/* Each pattern in a process of its own: what one has taught does not serve the next.  */
static int patterns(const struct way *way)
{
	int some = count / 100, shares[] = {1, some, count}, status;

	for (int r = 0; r < 3; r++)
		for (int changed = 0; changed < 3; changed++)
			for (int waits = 0; waits < 2; waits++) {
				struct pattern p = {shares[r], changed ? shares[changed] : 0, waits};

				if ((some <= 1 && r == 1) || (some < 1 && changed == 1))
					continue;
				if (fork() == 0) {
					measure(way, &p);
					exit(0);
				}
				if (wait(&status) < 0 || status != 0)
					return 1;
			}
	return 0;
}

int main(int argc, char **argv)
{
	const struct way *way = ways;
	const struct kind *kind = kinds;
	struct rlimit files;

	while (argc == 4 && way < ways + 3 && strcmp(argv[1], way->name))
		way++;
	while (argc == 4 && kind < kinds + 3 && strcmp(argv[2], kind->name))
		kind++;
	if (argc != 4 || way == ways + 3 || kind == kinds + 3 || (count = atoi(argv[3])) < 1 || count > MAX - 100) {
		fprintf(stderr, "usage: polls poll|select|epoll pipe|unix|tcp N\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	for (int i = 0; i < count; i++)
		kind->open(i);
	return patterns(way);
}
