/* load.c - many clients of a server, most of them idle.
 *
 *     load http|memcached|redis|echo|irc PORT PID CONNECTIONS REQUESTS ACTIVE[@RATE]...
 *
 * opens so many connections to 127.0.0.1, and makes a request on each, so that all have been accepted and are kept alive.  Then, for
 * each number of ACTIVE ones, spread over all, these make REQUESTS together, each one after another; a line says how many were
 * answered in a second, the median and the 99th percentile of the time that one took, in microseconds, and the CPU time that the
 * server, process PID (or {PID,PID}), has spent on each, and this program.  With a RATE, so many requests are made in a second, as
 * far as connections are free, and each has taken its time since it was due.  */
#include <arpa/inet.h>
#include <errno.h>
#include <glob.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { OPENING = 200, TAIL = 16, EVENTS = 256 };

static const struct protocol {
	const char *name, *hello, *request;
	const char *begin, *end;        /* of the answer */
} protocols[] = {
	{"http", "", "GET /small HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200", "small\n"},
	{"memcached", "", "get none\r\n", "", "END\r\n"},
	{"redis", "", "*2\r\n$3\r\nGET\r\n$4\r\nnone\r\n", "$-1", "\r\n"},
	{"echo", "", "echo\n", "", "echo\n"},
	{"irc", "PASS u:p\r\nNICK n%d\r\nUSER u 0 * :u\r\n", "PING end\r\n", ":", "end\r\n"},
};

static struct connection {
	int fd;
	struct connection *next;        /* of those that are free */
	double since;
	char tail[TAIL];        /* of what has come since */
} *all;

static const struct protocol *protocol;
static int epoll;
static double *times;
static long asked, answered, requests;

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* In microseconds.  */
static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* The same of the process's threads: what they have used.  */
static double cpu_time(const char *pid)
{
	char pattern[64];
	glob_t found;
	double all_ns = 0, ns;

	snprintf(pattern, sizeof pattern, "/proc/%s/task/*/schedstat", pid);
	need(glob(pattern, GLOB_BRACE, NULL, &found) == 0, "the server has ended");
	for (size_t i = 0; i < found.gl_pathc; i++) {
		FILE *f = fopen(found.gl_pathv[i], "r");

		if (f && fscanf(f, "%lf", &ns) == 1)
			all_ns += ns;
		if (f)
			fclose(f);
	}
	globfree(&found);
	return all_ns / 1e3;
}

static void ask(struct connection *c, const char *text)
{
	ssize_t size = (ssize_t)strlen(text);

	memset(c->tail, 0, TAIL);
	c->since = now();
	need(write(c->fd, text, (size_t)size) == size, "write");
}

/* Takes what has come; whether the answer is whole.  */
static int is_answered(struct connection *c)
{
	char part[8192];
	ssize_t n = read(c->fd, part, sizeof part);
	size_t last = n < TAIL ? (size_t)n : TAIL, end = strlen(protocol->end);

	need(n > 0, "a connection has ended");
	need(c->tail[TAIL - 1] || !strncmp(part, protocol->begin, strlen(protocol->begin)), "not what was asked for");
	memmove(c->tail, c->tail + last, TAIL - last);
	memcpy(c->tail + TAIL - last, part + n - last, last);
	return !memcmp(c->tail + TAIL - end, protocol->end, end);
}

static void open_one(struct connection *c, int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
	struct linger reset = {1, 0};   /* no TIME_WAIT: ports are few */
	char text[128];
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	need(c->fd >= 0 && connect(c->fd, (struct sockaddr *)&a, sizeof a) == 0, "connect");
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	need(epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e) == 0, "epoll_ctl");
	snprintf(text, sizeof text, protocol->hello, (int)(c - all));
	strcat(text, protocol->request);
	ask(c, text);
}

/* Waits until all that was asked is answered.  What has been asked for measuring is asked again, up to `requests`.  */
static void serve(void)
{
	struct epoll_event ready[EVENTS];

	while (answered < asked) {
		int n = epoll_wait(epoll, ready, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct connection *c = ready[i].data.ptr;

			if (!is_answered(c))
				continue;
			if (answered < requests)
				times[answered] = now() - c->since;
			answered++;
			if (asked < requests) {
				asked++;
				ask(c, protocol->request);
			}
		}
	}
}

/* Asks what is due by now on connections that are free; how long until more is.  In microseconds.  */
static double ask_due(struct connection **free_ones, double start, double each)
{
	while (asked < requests && *free_ones) {
		double due = start + (double)asked * each, left = due - now();
		struct connection *c = *free_ones;

		if (left > 0)
			return left;
		*free_ones = c->next;
		ask(c, protocol->request);
		c->since = due;
		asked++;
	}
	return 1e6;
}

/* So many of them as are due, until all are answered.  */
static void serve_at(double rate, struct connection *free_ones)
{
	struct epoll_event ready[EVENTS];
	double start = now(), left;

	while (answered < requests) {
		struct timespec wait;
		int n;

		left = ask_due(&free_ones, start, 1e6 / rate);
		wait = (struct timespec){(time_t)(left / 1e6), (long)(left * 1e3) % 1000000000};
		ppoll(&(struct pollfd){.fd = epoll, .events = POLLIN}, 1, &wait, NULL);
		n = epoll_wait(epoll, ready, EVENTS, 0);
		for (int i = 0; i < n; i++) {
			struct connection *c = ready[i].data.ptr;

			if (!is_answered(c))
				continue;
			times[answered++] = now() - c->since;
			c->next = free_ones;
			free_ones = c;
		}
	}
}

static void open_all(int port, int count)
{
	for (int i = 0; i < count; i++) {
		open_one(&all[i], port);
		asked++;
		if (asked - answered == OPENING || i == count - 1)
			serve();
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void measure(const char *pid, int count, int active, double rate, long n)
{
	double cpu = cpu_time(pid), own = cpu_time("self"), start = now();
	struct connection *free_ones = NULL;

	requests = n;
	answered = 0;
	for (asked = 0; !rate && asked < active; asked++)
		ask(&all[asked * count / active], protocol->request);
	for (int i = 0; rate && i < active; i++) {
		all[i * count / active].next = free_ones;
		free_ones = &all[i * count / active];
	}
	if (rate)
		serve_at(rate, free_ones);
	else
		serve();
	start = now() - start;
	cpu = cpu_time(pid) - cpu;
	own = cpu_time("self") - own;
	qsort(times, (size_t)n, sizeof *times, compare);
	printf("%.0f %.0f %.0f %.2f %.2f\n", (double)n / start * 1e6, times[n / 2], times[n * 99 / 100], cpu / (double)n,
	       own / (double)n);
}

int main(int argc, char **argv)
{
	const size_t known = sizeof protocols / sizeof *protocols;
	struct rlimit files;
	int count;
	long n;

	for (protocol = protocols; argc > 6 && protocol < protocols + known && strcmp(argv[1], protocol->name);)
		protocol++;
	if (argc < 7 || protocol == protocols + known) {
		fprintf(stderr, "usage: load http|memcached|redis|echo|irc PORT PID CONNECTIONS REQUESTS ACTIVE[@RATE]...\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	count = atoi(argv[4]);
	n = atol(argv[5]);
	all = calloc((size_t)count, sizeof *all);
	times = calloc((size_t)n, sizeof *times);
	epoll = epoll_create1(0);
	need(count > 0 && n > 0 && all && times && epoll >= 0, "memory");
	open_all(atoi(argv[2]), count);
	for (int i = 6; i < argc; i++)
		if (atoi(argv[i]) <= count && atoi(argv[i]) <= n)
			measure(argv[3], count, atoi(argv[i]), strchr(argv[i], '@') ? atof(strchr(argv[i], '@') + 1) : 0, n);
	return 0;
}
