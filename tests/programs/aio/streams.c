/* streams.c - requests on streams, which wait: what becomes of them in the end.  */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "aio.h"

enum { MUCH = 1 << 20 };

/* Two connected sockets over 127.0.0.1, which hold little.  */
static void make_inet(int type, int pair[2])
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, b = a;
	socklen_t size = sizeof a;
	int one = socket(AF_INET, type, 0), other = socket(AF_INET, type, 0), little = 32768;

	need(setsockopt(one, SOL_SOCKET, SO_RCVBUF, &little, sizeof little) == 0 &&
	     setsockopt(one, SOL_SOCKET, SO_SNDBUF, &little, sizeof little) == 0 &&
	     setsockopt(other, SOL_SOCKET, SO_RCVBUF, &little, sizeof little) == 0 &&
	     setsockopt(other, SOL_SOCKET, SO_SNDBUF, &little, sizeof little) == 0, "setsockopt");
	need(bind(one, (struct sockaddr *)&a, size) == 0 && getsockname(one, (struct sockaddr *)&a, &size) == 0, "bind");
	need(type == SOCK_DGRAM || listen(one, 1) == 0, "listen");
	need(type == SOCK_STREAM || bind(other, (struct sockaddr *)&b, size) == 0, "bind");
	need(connect(other, (struct sockaddr *)&a, size) == 0, "connect");
	if (type == SOCK_DGRAM)
		need(getsockname(other, (struct sockaddr *)&b, &size) == 0 &&
		     connect(one, (struct sockaddr *)&b, size) == 0, "connect");
	pair[0] = other;
	pair[1] = type == SOCK_STREAM ? accept(one, NULL, NULL) : one;
	need(pair[1] >= 0, "accept");
	if (type == SOCK_STREAM)
		close(one);
}

static void make_pipe(int pair[2])
{
	need(pipe(pair) == 0, "pipe");
}

static void make_fifo(int pair[2])
{
	need(mkfifo("fifo", 0600) == 0, "fifo");
	pair[0] = open("fifo", O_RDWR);
	pair[1] = open("fifo", O_WRONLY);
	need(pair[0] >= 0 && pair[1] >= 0, "fifo");
	close(pair[0]);
	pair[0] = open("fifo", O_RDONLY);
	unlink("fifo");
}

static void make_stream(int pair[2])
{
	need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
}

static void make_datagram(int pair[2])
{
	need(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0, "socketpair");
}

static void make_packets(int pair[2])
{
	need(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0, "socketpair");
}

static void make_tcp(int pair[2])
{
	make_inet(SOCK_STREAM, pair);
}

static void make_udp(int pair[2])
{
	make_inet(SOCK_DGRAM, pair);
}

static void make_terminal(int pair[2])
{
	struct termios t;
	char name[100];

	pair[0] = posix_openpt(O_RDWR | O_NOCTTY);
	need(pair[0] >= 0 && grantpt(pair[0]) == 0 && unlockpt(pair[0]) == 0, "pty");
	need(ptsname_r(pair[0], name, sizeof name) == 0, "pty");
	pair[1] = open(name, O_RDWR | O_NOCTTY);
	need(pair[1] >= 0 && tcgetattr(pair[1], &t) == 0, "pty");
	cfmakeraw(&t);
	need(tcsetattr(pair[1], TCSANOW, &t) == 0, "pty");
}

static void make_slave(int pair[2])
{
	int both[2];

	make_terminal(both);
	pair[0] = both[1];
	pair[1] = both[0];
}

/* The reading end, and the writing end: of each of these what is read is what was written.  */
static const struct kind {
	const char *name;
	void (*make)(int pair[2]);
	bool ends;                      /* closed, it has an end */
	bool large;                     /* what is written there may be much */
	bool socket;
} kinds[] = {
	{"pipe", make_pipe, true, true, false}, {"fifo", make_fifo, true, true, false},
	{"stream", make_stream, true, true, true}, {"tcp", make_tcp, true, true, true},
	{"packets", make_packets, true, false, true}, {"datagram", make_datagram, false, false, true},
	{"udp", make_udp, false, false, true}, {"master", make_terminal, false, false, false},
	{"slave", make_slave, false, false, false},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static void close_both(const int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

/* Notices: of each kind there is a pipe into which is written what came.  */
static int told[2];

static void on_signal(int signal, siginfo_t *info, void *context)
{
	int error = errno, value = info->si_value.sival_int;

	(void)signal;
	(void)context;
	need(write(told[1], &value, sizeof value) == sizeof value, "write");
	errno = error;
}

static void on_thread(union sigval value)
{
	need(write(told[1], &value.sival_int, sizeof value.sival_int) == sizeof value.sival_int, "write");
}

static void make_notices(void)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};

	need(pipe(told) == 0 && sigaction(SIGRTMIN, &action, NULL) == 0, "notices");
}

static struct sigevent notice(int how, int value)
{
	struct sigevent e = {.sigev_notify = how, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = value};

	if (how == SIGEV_THREAD) {
		e.sigev_notify_function = on_thread;
		e.sigev_notify_attributes = NULL;
	}
	return e;
}

static int next_notice(void)
{
	int value = -1;

	while (read(told[0], &value, sizeof value) < 0)
		need(errno == EINTR, "read");
	return value;
}

static void tell_read(const char *what, const char *how, struct aiocb *b)
{
	char *bytes = (char *)(uintptr_t)b->aio_buf;
	long n = await(b);

	tell("%s, %s: %s %.*s", what, how, result_text(n), n > 0 ? (int)n : 0, bytes);
}

/* It waits, and gets what comes later; then the end.  */
static void read_waits(const struct kind *kind)
{
	static const int hows[] = {SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD};
	int pair[2];
	char bytes[100];
	struct aiocb b;

	kind->make(pair);
	for (int i = 0; i < 3; i++) {
		b = request(pair[0], bytes, sizeof bytes, 777);
		b.aio_sigevent = notice(hows[i], 100 + i);
		need(aio_read(&b) == 0, "aio_read");
		settle();
		tell("%s: %s", kind->name, strerrorname_np(aio_error(&b)));
		need(write(pair[1], "some text", 9) == 9, "write");
		if (i)
			tell("notice %d", next_notice());
		tell_read(kind->name, "text", &b);
	}
	if (kind->ends) {
		b = request(pair[0], bytes, sizeof bytes, 0);
		need(aio_read(&b) == 0, "aio_read");
		settle();
		close(pair[1]);
		tell_read(kind->name, "end", &b);
		pair[1] = -1;
	}
	close_both(pair);
}

static void reads_wait(char **argv)
{
	(void)argv;
	make_notices();
	for (int i = 0; i < KINDS; i++)
		read_waits(&kinds[i]);
}

/* An eventfd, a timerfd, inotify.  */
static void other_reads_wait(char **argv)
{
	int fd = eventfd(0, 0), semaphore = eventfd(0, EFD_SEMAPHORE);
	uint64_t count = 0, five = 5;
	struct itimerspec soon = {.it_value.tv_nsec = 1};
	char events[1000], four[4];
	struct aiocb b = request(fd, &count, sizeof count, 99);

	(void)argv;
	need(aio_read(&b) == 0, "aio_read");
	settle();
	need(write(fd, &five, sizeof five) == sizeof five, "write");
	tell_end("eventfd", &b);
	tell("%lu", (unsigned long)count);
	b = request(semaphore, &count, sizeof count, 0);
	need(aio_read(&b) == 0, "aio_read");
	settle();
	need(write(semaphore, &five, sizeof five) == sizeof five, "write");
	tell_end("semaphore", &b);
	tell("%lu", (unsigned long)count);
	b = request(fd, four, sizeof four, 0);
	need(aio_read(&b) == 0, "aio_read");
	tell_end("too short", &b);
	five = UINT64_MAX - 1;
	need(write(fd, &five, sizeof five) == sizeof five, "write");
	b = request(fd, &five, sizeof five, 0);
	need(aio_write(&b) == 0, "aio_write");
	settle();
	tell("full: %s", strerrorname_np(aio_error(&b)));
	need(read(fd, &count, sizeof count) == sizeof count, "read");
	tell_end("written", &b);
	fd = timerfd_create(CLOCK_MONOTONIC, 0);
	b = request(fd, &count, sizeof count, 0);
	need(aio_read(&b) == 0, "aio_read");
	settle();
	need(timerfd_settime(fd, 0, &soon, NULL) == 0, "timerfd");
	tell_end("timerfd", &b);
	tell("%lu", (unsigned long)count);
	fd = inotify_init();
	need(fd >= 0 && inotify_add_watch(fd, ".", IN_CREATE) >= 0, "inotify");
	b = request(fd, events, sizeof events, 0);
	need(aio_read(&b) == 0, "aio_read");
	settle();
	close(open("new", O_CREAT, 0600));
	tell_end("inotify", &b);
	tell("%s", ((struct inotify_event *)(void *)events)->name);
	unlink("new");
}

/* A thread that reads `size` bytes, or to the end, some at a time, and looks at each.  */
struct drain {
	int fd;
	size_t size, from;
	size_t got, wrong;
	bool leaves;                    /* closes its end after that */
};

static void *drain(void *arg)
{
	struct drain *d = arg;
	unsigned char bytes[5000];
	size_t left;
	ssize_t n;

	settle();
	while ((left = d->size - d->got) && (n = read(d->fd, bytes, left < sizeof bytes ? left : sizeof bytes)) > 0)
		for (ssize_t i = 0; i < n; i++, d->got++)
			d->wrong += bytes[i] != pattern(d->from + d->got);
	if (d->leaves)
		close(d->fd);
	return NULL;
}

static unsigned char *much(void)
{
	static unsigned char *bytes;

	if (!bytes) {
		bytes = malloc(2 * MUCH);
		for (size_t i = 0; i < 2 * MUCH; i++)
			bytes[i] = pattern(i);
	}
	return bytes;
}

/* Whole, and in order.  */
static void writes_wait(char **argv)
{
	static const int hows[] = {SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD};
	int pair[2];
	pthread_t thread;

	(void)argv;
	make_notices();
	for (int i = 0; i < KINDS; i++)
		for (int how = 0; kinds[i].large && how < 3; how++) {
			struct aiocb b[2];
			struct drain d = {.size = 2 * MUCH};

			kinds[i].make(pair);
			d.fd = pair[0];
			for (int n = 0; n < 2; n++) {
				b[n] = request(pair[1], much() + (size_t)n * MUCH, MUCH, 5);
				b[n].aio_sigevent = notice(hows[how], n);
				need(aio_write(&b[n]) == 0, "aio_write");
			}
			settle();
			tell("%s: %s", kinds[i].name, strerrorname_np(aio_error(&b[0])));
			need(pthread_create(&thread, NULL, drain, &d) == 0, "thread");
			if (how)
				tell("notices %d", next_notice() + next_notice());
			tell_end("first", &b[0]);
			tell_end("second", &b[1]);
			pthread_join(thread, NULL);
			tell("%zu read, %zu wrong", d.got, d.wrong);
			close_both(pair);
		}
}

static volatile sig_atomic_t pipes;

static void on_pipe(int signal)
{
	(void)signal;
	pipes++;
}

/* The reader leaves before it has all.  How much has gone into a socket then is not always the same.  */
static void reader_leaves(char **argv)
{
	int pair[2];
	pthread_t thread;

	(void)argv;
	signal(SIGPIPE, on_pipe);
	for (int i = 0; i < KINDS; i++) {
		for (int reads = 0; kinds[i].large && reads < 2; reads++) {
			struct drain d = {.size = reads ? 100000 : 0, .leaves = true};
			struct aiocb b, c;
			long n;

			kinds[i].make(pair);
			d.fd = pair[0];
			b = request(pair[1], much(), MUCH * 2, 0);
			c = request(pair[1], much(), 100, 0);
			need(aio_write(&b) == 0 && aio_write(&c) == 0, "aio_write");
			moment();
			need(pthread_create(&thread, NULL, drain, &d) == 0, "thread");
			n = await(&b);
			if (kinds[i].socket || reads)
				tell("%s: some %d", kinds[i].name, n >= (long)d.size && n < MUCH * 2);
			else
				tell("%s: %s", kinds[i].name, result_text(n));
			tell_end("the next", &c);
			pthread_join(thread, NULL);
			c = request(pair[1], much(), 100, 0);
			need(aio_write(&c) == 0, "aio_write");
			tell_end("one more", &c);
			tell("wrong %zu, signals %d", d.wrong, (int)pipes);
			close(pair[1]);
		}
	}
}

static int error_left(int fd)
{
	int error = -1;
	socklen_t size = sizeof error;

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	return error;
}

static const char *error_text(int error)
{
	return error ? strerrorname_np(error) : "none";
}

/* The peer closes although it was sent something that it has not read.  */
static void peer_resets(char **argv)
{
	int pair[2];
	char bytes[10];

	(void)argv;
	signal(SIGPIPE, on_pipe);
	for (int i = 0; i < KINDS; i++) {
		struct aiocb b;

		if (!kinds[i].socket || !kinds[i].ends)
			continue;
		/* A read that waits. */
		kinds[i].make(pair);
		need(write(pair[0], "unread", 6) == 6, "write");
		b = request(pair[0], bytes, sizeof bytes, 0);
		need(aio_read(&b) == 0, "aio_read");
		settle();
		close(pair[1]);
		tell_end(kinds[i].name, &b);
		tell("left: %s", error_text(error_left(pair[0])));
		close(pair[0]);
		/* One that comes too late. */
		kinds[i].make(pair);
		need(write(pair[0], "unread", 6) == 6, "write");
		close(pair[1]);
		settle();
		b = request(pair[0], bytes, sizeof bytes, 0);
		need(aio_read(&b) == 0, "aio_read");
		tell_end("late", &b);
		tell("left: %s", error_text(error_left(pair[0])));
		close(pair[0]);
		if (!kinds[i].large)
			continue;
		/* A write of which something has gone. */
		kinds[i].make(pair);
		b = request(pair[0], much(), MUCH * 2, 0);
		need(write(pair[1], "unread", 6) == 6 && aio_write(&b) == 0, "write");
		while (recv(pair[1], bytes, 1, MSG_PEEK) < 1)
			;
		settle();
		close(pair[1]);
		tell("some: %d", await(&b) > 0);
		tell("left: %s", error_text(error_left(pair[0])));
		close(pair[0]);
	}
	tell("signals %d", (int)pipes);
}

/* Nothing of the write could go before the peer was gone.  */
static void peer_resets_full(char **argv)
{
	int pair[2], small = 4096;
	struct aiocb b;

	(void)argv;
	signal(SIGPIPE, on_pipe);
	for (int i = 0; i < KINDS; i++) {
		if (!kinds[i].socket || !kinds[i].ends)
			continue;
		kinds[i].make(pair);
		need(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0, "setsockopt");
		while (send(pair[0], much(), 1000, MSG_DONTWAIT) > 0)
			;
		moment();
		while (send(pair[0], much(), 1, MSG_DONTWAIT) > 0)
			;
		b = request(pair[0], much(), 1000, 0);
		need(aio_write(&b) == 0, "aio_write");
		moment();
		tell("%s: %s", kinds[i].name, strerrorname_np(aio_error(&b)));
		close(pair[1]);
		tell_end("closed", &b);
		tell("left: %s", error_text(error_left(pair[0])));
		b = request(pair[0], much(), 1000, 0);
		need(aio_write(&b) == 0, "aio_write");
		tell_end("the next", &b);
		close(pair[0]);
	}
	tell("signals %d", (int)pipes);
}

/* An error that waits for whoever asks first.  */
static void refused(char **argv)
{
	int pair[2];
	char bytes[10];
	struct aiocb b;

	(void)argv;
	make_udp(pair);
	close(pair[1]);
	need(write(pair[0], "text", 4) == 4, "write");
	moment();
	b = request(pair[0], bytes, sizeof bytes, 0);
	need(aio_read(&b) == 0, "aio_read");
	tell_end("refused", &b);
	b = request(pair[0], bytes, sizeof bytes, 0);
	need(aio_read(&b) == 0, "aio_read");
	moment();
	tell("%s", strerrorname_np(aio_error(&b)));
	need(write(pair[0], "text", 4) == 4, "write");
	tell_end("refused while it waits", &b);
	need(write(pair[0], "text", 4) == 4, "write");
	moment();
	b = request(pair[0], bytes, sizeof bytes, 0);
	need(aio_write(&b) == 0, "aio_write");
	tell_end("a write", &b);
}

/* The fd has an error all the while that a read waits: when something was sent stands in a queue of its own.  */
static void error_queue(char **argv)
{
	int pair[2], other[2], copy, when = SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY;
	char bytes[10] = "", others[10] = "";
	struct aiocb b;

	(void)argv;
	make_udp(pair);
	make_stream(other);
	copy = dup(pair[0]);
	need(setsockopt(copy, SOL_SOCKET, SO_TIMESTAMPING, &when, sizeof when) == 0, "setsockopt");
	b = request(pair[0], bytes, sizeof bytes, 0);
	need(aio_read(&b) == 0, "aio_read");
	moment();
	need(dup2(other[0], pair[0]) == pair[0] && write(other[1], "other", 5) == 5, "dup2");
	need(write(copy, "sent", 4) == 4, "write");
	moment();
	tell("%s, queue: %s", strerrorname_np(aio_error(&b)), result_text(recv(copy, others, 0, MSG_ERRQUEUE | MSG_PEEK | MSG_DONTWAIT)));
	need(write(pair[1], "text", 4) == 4, "write");
	tell_end("read", &b);
	tell("%s, %d", bytes, (int)read(other[0], others, sizeof others));
}

static void shut_down(char **argv)
{
	int pair[2];
	char bytes[10];

	(void)argv;
	signal(SIGPIPE, on_pipe);
	for (int i = 0; i < KINDS; i++) {
		struct aiocb b;

		if (!kinds[i].socket || kinds[i].make == make_udp)
			continue;
		kinds[i].make(pair);
		b = request(pair[0], bytes, sizeof bytes, 0);
		need(aio_read(&b) == 0, "aio_read");
		settle();
		need(shutdown(pair[0], SHUT_RD) == 0, "shutdown");
		tell_end(kinds[i].name, &b);
		if (kinds[i].ends) {
			need(write(pair[1], "x", 1) == 1 || errno == EPIPE, "write");
			close_both(pair);
			kinds[i].make(pair);
			b = request(pair[0], bytes, sizeof bytes, 0);
			need(aio_read(&b) == 0, "aio_read");
			settle();
			need(shutdown(pair[1], SHUT_WR) == 0, "shutdown");
			tell_end("by the peer", &b);
		}
		close_both(pair);
	}
	tell("signals %d", (int)pipes);
}

/* While a write waits: by its own side, and by the peer.  */
static void shut_down_writes(char **argv)
{
	int pair[2];

	(void)argv;
	signal(SIGPIPE, on_pipe);
	for (int i = 0; i < 4; i++) {
		bool whole = i % 2;
		struct aiocb b;

		make_stream(pair);
		while (whole && send(pair[0], much(), 1, MSG_DONTWAIT) > 0)
			;
		b = request(pair[0], much(), MUCH * 2, 0);
		need(aio_write(&b) == 0, "aio_write");
		moment();
		need((i / 2 ? shutdown(pair[1], SHUT_RD) : shutdown(pair[0], SHUT_WR)) == 0, "shutdown");
		need(is_over(&b), "it ends");
		if (whole)
			tell_end("nothing", &b);
		else
			tell("something: %d", await(&b) > 0);
		tell("left: %s", error_text(error_left(pair[0])));
		close_both(pair);
	}
	tell("signals %d", (int)pipes);
}

/* Of messages the queue is full.  */
static void full_queues(char **argv)
{
	int pair[2];

	(void)argv;
	for (int i = 0; i < KINDS; i++) {
		struct aiocb b[3];
		char to[20], text[3][20];
		int before = 0, wrong = 0;

		if (kinds[i].make != make_packets && kinds[i].make != make_datagram)
			continue;
		kinds[i].make(pair);
		while (send(pair[1], "before", 6, MSG_DONTWAIT) == 6)
			before++;
		for (int n = 0; n < 3; n++) {
			snprintf(text[n], sizeof text[n], "later %d", n);
			b[n] = request(pair[1], text[n], strlen(text[n]), 0);
			need(aio_write(&b[n]) == 0, "aio_write");
		}
		settle();
		tell("%s: %s", kinds[i].name, strerrorname_np(aio_error(&b[0])));
		for (int n = 0; n < before; n++)
			wrong += read(pair[0], to, sizeof to) != 6 || memcmp(to, "before", 6) != 0;
		for (int n = 0; n < 3; n++) {
			ssize_t got = read(pair[0], to, sizeof to);

			tell_end("written", &b[n]);
			tell("%d %.*s", wrong, (int)got, to);
		}
		close_both(pair);
	}
}

static void set_timeout(int fd, int option)
{
	struct timeval t = {.tv_usec = 30000};

	need(setsockopt(fd, SOL_SOCKET, option, &t, sizeof t) == 0, "setsockopt");
}

static void timeouts(char **argv)
{
	int pair[2];
	char bytes[10];

	(void)argv;
	for (int i = 0; i < KINDS; i++) {
		struct aiocb b, c;

		if (!kinds[i].socket)
			continue;
		kinds[i].make(pair);
		set_timeout(pair[0], SO_RCVTIMEO);
		b = request(pair[0], bytes, sizeof bytes, 0);
		c = request(pair[0], bytes, sizeof bytes, 0);
		need(aio_read(&b) == 0 && aio_read(&c) == 0, "aio_read");
		tell_end(kinds[i].name, &b);
		tell_end("the next", &c);
		set_timeout(pair[1], SO_SNDTIMEO);
		if (kinds[i].large) {
			b = request(pair[1], much(), MUCH * 2, 0);
			need(aio_write(&b) == 0, "aio_write");
			tell("some: %d", await(&b) > 0);
			if (kinds[i].make == make_tcp)
				moment();
			while (send(pair[1], much(), 1, MSG_DONTWAIT) > 0)
				;
		}
		while (kinds[i].make != make_udp && !kinds[i].large && send(pair[1], "x", 1, MSG_DONTWAIT) > 0)
			;
		b = request(pair[1], bytes, 1, 0);
		need(aio_write(&b) == 0, "aio_write");
		tell_end("full", &b);
		close_both(pair);
	}
}

/* What makes a read wait for more than a byte.  Over TCP what it has taken out of the queue does not count when more comes.  */
static void low_water(char **argv)
{
	int pair[2], eight = 8;
	char bytes[20];

	(void)argv;
	for (int i = 0; i < 3; i++) {
		bool tcp = i == 2;
		struct aiocb b;

		(tcp ? make_tcp : make_stream)(pair);
		need(setsockopt(pair[0], SOL_SOCKET, SO_RCVLOWAT, &eight, sizeof eight) == 0, "setsockopt");
		b = request(pair[0], bytes, sizeof bytes, 0);
		need(i == 0 || write(pair[1], "1234", 4) == 4, "write");
		settle();
		need(aio_read(&b) == 0, "aio_read");
		settle();
		need(i > 0 || write(pair[1], "1234", 4) == 4, "write");
		settle();
		tell("%s", strerrorname_np(aio_error(&b)));
		need(tcp ? close(pair[1]) == 0 : write(pair[1], "5678", 4) == 4, "write");
		tell_read(tcp ? "tcp" : "stream", "all", &b);
		close_both(pair);
	}
}

static void do_not_wait(char **argv)
{
	int pair[2];
	char bytes[10];
	long n;

	(void)argv;
	for (int i = 0; i < KINDS; i++) {
		struct aiocb b;

		kinds[i].make(pair);
		for (int end = 0; end < 2; end++)
			need(fcntl(pair[end], F_SETFL, O_RDWR | O_NONBLOCK) == 0, "fcntl");
		b = request(pair[0], bytes, sizeof bytes, 0);
		need(aio_read(&b) == 0, "aio_read");
		tell_end(kinds[i].name, &b);
		if (kinds[i].large) {
			b = request(pair[1], much(), MUCH * 2, 0);
			need(aio_write(&b) == 0, "aio_write");
			n = await(&b);
			if (kinds[i].socket)
				tell("some %d", n > 0 && n < 2 * MUCH);
			else
				tell("%s", result_text(n));
		}
		if (kinds[i].make == make_pipe) {
			b = request(pair[1], much(), 100, 0);
			need(aio_write(&b) == 0, "aio_write");
			tell_end("full", &b);
		}
		close_both(pair);
	}
}

/* O_NONBLOCK is set while it waits: a pipe asks again when it has been woken, a socket does not.  */
static void stop_waiting(char **argv)
{
	int pair[2];
	char bytes[10];
	pthread_t thread;

	(void)argv;
	for (int i = 0; i < KINDS; i++) {
		struct drain d = {.size = MUCH};
		struct aiocb b;

		if (!kinds[i].large)
			continue;
		kinds[i].make(pair);
		b = request(pair[0], bytes, sizeof bytes, 0);
		need(aio_read(&b) == 0, "aio_read");
		moment();
		need(fcntl(pair[0], F_SETFL, O_RDWR | O_NONBLOCK) == 0, "fcntl");
		moment();
		tell("%s: %s", kinds[i].name, strerrorname_np(aio_error(&b)));
		need(write(pair[1], "text", 4) == 4, "write");
		tell_read(kinds[i].name, "text", &b);
		need(fcntl(pair[0], F_SETFL, O_RDWR) == 0, "fcntl");
		b = request(pair[1], much(), MUCH, 0);
		need(aio_write(&b) == 0, "aio_write");
		moment();
		need(fcntl(pair[1], F_SETFL, O_RDWR | O_NONBLOCK) == 0, "fcntl");
		moment();
		tell("%s", strerrorname_np(aio_error(&b)));
		if (kinds[i].socket) {
			d.fd = pair[0];
			need(pthread_create(&thread, NULL, drain, &d) == 0, "thread");
			tell_end("written", &b);
			pthread_join(thread, NULL);
			tell("%zu read, %zu wrong", d.got, d.wrong);
		} else {
			static char some[8192];

			need(read(pair[0], some, sizeof some) == sizeof some, "read");
			tell_end("written", &b);
		}
		close_both(pair);
	}
}

/* The program's own calls go on beside requests that wait.  */
static void own_calls(char **argv)
{
	int pair[2];
	pthread_t thread;

	(void)argv;
	for (int i = 0; i < KINDS; i++) {
		struct drain d = {.size = MUCH + 100000};
		struct aiocb b;

		if (!kinds[i].large)
			continue;
		kinds[i].make(pair);
		d.fd = pair[0];
		b = request(pair[1], much(), MUCH, 0);
		need(aio_write(&b) == 0, "aio_write");
		settle();
		need(pthread_create(&thread, NULL, drain, &d) == 0, "thread");
		need(write(pair[1], much(), 100000) == 100000, "write");
		tell_end(kinds[i].name, &b);
		pthread_join(thread, NULL);
		tell("%zu read", d.got);
		close_both(pair);
	}
}

/* One thread writes all the time, with calls of its own, where others have requests.  */
struct busy {
	int in, out;
	size_t rounds;
};

static void *write_on(void *arg)
{
	const struct busy *b = arg;

	for (size_t i = 0; i < b->rounds; i++)
		need(write(b->out, much(), 3000) == 3000, "write");
	return NULL;
}

static void *read_on(void *arg)
{
	const struct busy *b = arg;
	static char bytes[8192];

	while (read(b->in, bytes, sizeof bytes) > 0)
		;
	return NULL;
}

static void among_own_calls(char **argv)
{
	int pair[2];
	char bytes[10];

	(void)argv;
	for (int i = 0; i < KINDS; i++) {
		struct busy busy = {.rounds = 300};
		pthread_t reader, writer;
		int wrong = 0;

		if (!kinds[i].large)
			continue;
		kinds[i].make(pair);
		busy.in = pair[0];
		busy.out = pair[1];
		need(pthread_create(&reader, NULL, read_on, &busy) == 0, "thread");
		need(pthread_create(&writer, NULL, write_on, &busy) == 0, "thread");
		for (int n = 0; n < 20; n++) {
			struct aiocb b = request(pair[1], much(), 50000, 0), c = request(pair[1], bytes, sizeof bytes, 0);

			need(aio_write(&b) == 0 && (!kinds[i].socket || n || aio_read(&c) == 0), "request");
			need(!kinds[i].socket || n || write(pair[0], "text", 4) == 4, "write");
			wrong += await(&b) != 50000;
			wrong += kinds[i].socket && !n && await(&c) != 4;
		}
		pthread_join(writer, NULL);
		close(pair[1]);
		pthread_join(reader, NULL);
		close(pair[0]);
		tell("%s: %d wrong", kinds[i].name, wrong);
	}
}

/* Another program writes there, too.  */
static void among_programs(char **argv)
{
	int pair[2];

	(void)argv;
	for (int i = 0; i < KINDS; i++) {
		struct drain d = {.size = MUCH + 300000};
		struct aiocb b, c;
		char bytes[10];
		int status = -1;
		pid_t pid;

		if (!kinds[i].large)
			continue;
		kinds[i].make(pair);
		d.fd = pair[0];
		b = request(pair[1], much(), MUCH, 0);
		c = request(pair[1], bytes, sizeof bytes, 0);
		need(aio_write(&b) == 0 && (!kinds[i].socket || aio_read(&c) == 0), "request");
		pid = fork();
		if (pid == 0) {
			dup2(pair[1], 1);
			execlp("head", "head", "-c", "300000", "/dev/zero", (char *)NULL);
			_exit(99);
		}
		settle();
		drain(&d);
		need(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "head");
		tell_end(kinds[i].name, &b);
		tell("%zu read", d.got);
		need(!kinds[i].socket || write(pair[0], "text", 4) == 4, "write");
		if (kinds[i].socket)
			tell_end("read", &c);
		close_both(pair);
	}
}

static void nothing(char **argv)
{
	int pair[2];

	(void)argv;
	for (int i = 0; i < KINDS; i++) {
		struct aiocb b, c;
		char bytes[10];

		if (kinds[i].make == make_udp || kinds[i].make == make_datagram || kinds[i].make == make_packets)
			continue;
		kinds[i].make(pair);
		b = request(pair[1], bytes, 0, 0);
		need(aio_write(&b) == 0, "aio_write");
		tell_end(kinds[i].name, &b);
		c = request(pair[0], bytes, 0, 0);
		need(write(pair[1], "text", 4) == 4 && aio_read(&c) == 0, "aio_read");
		tell_end("read", &c);
		close_both(pair);
	}
	for (int i = 0; i < KINDS; i++) {
		struct aiocb b, c;
		char bytes[10];

		if (kinds[i].make != make_udp && kinds[i].make != make_datagram && kinds[i].make != make_packets)
			continue;
		kinds[i].make(pair);
		b = request(pair[0], bytes, 10, 0);
		c = request(pair[1], bytes, 0, 0);
		need(aio_read(&b) == 0, "aio_read");
		settle();
		need(aio_write(&c) == 0, "aio_write");
		tell_end(kinds[i].name, &c);
		need(write(pair[1], "text", 4) == 4, "write");
		tell_end("read", &b);
		close_both(pair);
	}
}

/* After all that came before, it is refused.  */
static void sync_stream(char **argv)
{
	int pair[2];
	struct aiocb b, c;

	(void)argv;
	for (int i = 0; i < KINDS; i++) {
		struct drain d = {.size = MUCH};

		if (!kinds[i].large)
			continue;
		kinds[i].make(pair);
		d.fd = pair[0];
		b = request(pair[1], much(), MUCH, 0);
		c = request(pair[1], NULL, 0, 0);
		need(aio_write(&b) == 0 && aio_fsync(O_SYNC, &c) == 0, "aio_fsync");
		settle();
		tell("%s: %s", kinds[i].name, strerrorname_np(aio_error(&c)));
		drain(&d);
		tell_end("written", &b);
		tell_end("sync", &c);
		close_both(pair);
	}
}

/* Memory that is not there, when what was waited for comes.  */
static void bad_memory(char **argv)
{
	int pair[2];
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)argv;
	need(page != MAP_FAILED && mprotect(page + 4096, 4096, PROT_NONE) == 0, "mmap");
	for (int i = 0; i < KINDS; i++) {
		struct aiocb b;

		if (kinds[i].make == make_terminal || kinds[i].make == make_slave)
			continue;
		kinds[i].make(pair);
		b = request(pair[0], page + 4096, 10, 0);
		need(aio_read(&b) == 0, "aio_read");
		settle();
		need(write(pair[1], "text", 4) == 4, "write");
		tell_end(kinds[i].name, &b);
		if (kinds[i].make == make_pipe) {
			b = request(pair[0], page, 10, 0);
			need(aio_read(&b) == 0, "aio_read");
			tell_end("still there", &b);
		}
		b = request(pair[1], page + 4096, 10, 0);
		need(aio_write(&b) == 0, "aio_write");
		tell_end("written", &b);
		close_both(pair);
	}
}

static const char *cancel_text(int result)
{
	return result == AIO_CANCELED ? "CANCELED" : result == AIO_NOTCANCELED ? "NOTCANCELED" : result == AIO_ALLDONE ? "ALLDONE"
	       : result_text(result);
}

static void cancel_stream(char **argv)
{
	int pair[2];
	char bytes[4][10];

	(void)argv;
	make_notices();
	for (int i = 0; i < KINDS; i++) {
		struct aiocb b[4];
		int sum = 0;

		if (kinds[i].make == make_fifo || kinds[i].make == make_datagram || kinds[i].make == make_udp ||
		    kinds[i].make == make_slave)
			continue;
		kinds[i].make(pair);
		for (int n = 0; n < 4; n++) {
			b[n] = request(pair[0], bytes[n], 10, 0);
			b[n].aio_sigevent = notice(n % 2 ? SIGEV_THREAD : SIGEV_SIGNAL, 1 << n);
			need(aio_read(&b[n]) == 0, "aio_read");
			moment();
		}
		tell("%s: %s", kinds[i].name, cancel_text(aio_cancel(pair[0], &b[0])));
		tell("the third: %s", cancel_text(aio_cancel(pair[0], &b[2])));
		tell("all: %s", cancel_text(aio_cancel(pair[0], NULL)));
		for (int n = 0; n < 3; n++)
			sum += next_notice();
		tell("notices %d", sum);
		tell("again: %s", cancel_text(aio_cancel(pair[0], NULL)));
		need(write(pair[1], "text", 4) == 4, "write");
		for (int n = 0; n < 4; n++)
			tell_end("then", &b[n]);
		tell("notice %d", next_notice());
		tell("none: %s", cancel_text(aio_cancel(pair[0], NULL)));
		close_both(pair);
	}
}

const struct behaviour stream_behaviours[] = {
	{"reads-wait", reads_wait}, {"other-reads-wait", other_reads_wait}, {"writes-wait", writes_wait},
	{"reader-leaves", reader_leaves}, {"peer-resets", peer_resets}, {"peer-resets-full", peer_resets_full},
	{"refused", refused}, {"error-queue", error_queue}, {"shut-down", shut_down}, {"shut-down-writes", shut_down_writes}, {"full-queues", full_queues},
	{"timeouts", timeouts}, {"low-water", low_water}, {"do-not-wait", do_not_wait}, {"stop-waiting", stop_waiting},
	{"own-calls", own_calls}, {"among-programs", among_programs}, {"among-own-calls", among_own_calls},
	{"nothing", nothing}, {"sync-stream", sync_stream}, {"bad-memory", bad_memory}, {"cancel-stream", cancel_stream},
	{NULL, NULL},
};
