/* whole.c - blocking writes are whole: all bytes, or the reason; and nobody else's in between.  */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traps.h"

enum { SIZE = 1 << 20 };

static char block[SIZE];
static int fds[2];

/* A child that takes all there is once this process sleeps; its sum comes through the pipe that is returned.  */
static int reader(void)
{
	static char seen[65536];
	pid_t parent = getpid();
	long n, sum = 0;
	int sums[2];

	make_pipe(sums);
	if (fork() == 0) {
		close(fds[1]);
		wait_asleep(parent);
		while ((n = read(fds[0], seen, sizeof seen)) > 0)
			sum += n;
		_exit(write(sums[1], &sum, sizeof sum) != sizeof sum);
	}
	close(fds[0]);
	close(sums[1]);
	return sums[0];
}

static long sum_of(int fd)
{
	long sum = 0;

	close(fds[1]);
	need(read(fd, &sum, sizeof sum) == sizeof sum, "sum");
	close(fd);
	wait(NULL);
	return sum;
}

/* `count` vectors of `size` bytes, and then one that is not there: how much of the others goes, the pages of a pipe tell.  */
static void write_to_nowhere(int count, size_t size)
{
	static struct iovec v[128];
	int sum;
	long n;

	for (int i = 0; i < count; i++)
		v[i] = (struct iovec){block, size};
	v[count] = (struct iovec){mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 100};
	make_pipe(fds);
	sum = reader();
	n = writev(fds[1], v, count + 1);
	tell("%d x %zu: %s", count, size, result_text(n));
	tell("arrived: %ld", sum_of(sum));
}

static void bad_vector(char **argv)
{
	(void)argv;
	write_to_nowhere(1, 70000);
	write_to_nowhere(2, 100001);
	write_to_nowhere(4, 30000);
	write_to_nowhere(7, 20001);
}

/* One call moves no more than 2 GiB less a page.  */
static void two_gigabytes(char **argv)
{
	enum { GIB = 1 << 30 };
	char *zeros = mmap(NULL, GIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct iovec v[3] = {{zeros, GIB}, {zeros, GIB}, {zeros, GIB}};
	pid_t parent = getpid();

	(void)argv;
	make_pipe(fds);
	fcntl(fds[1], F_SETPIPE_SZ, SIZE);
	if (fork() == 0) {
		int null = open("/dev/null", O_WRONLY);

		close(fds[1]);
		wait_asleep(parent);
		while (splice(fds[0], NULL, null, NULL, SIZE, 0) > 0)
			;
		_exit(0);
	}
	tell("writev: %s", result_text(writev(fds[1], v, 3)));
	close(fds[1]);
	wait(NULL);
}

enum { WRITERS = 4, RECORDS = 200 };

static size_t record;

/* Records of one letter.  */
static void *write_records(void *letter)
{
	char text[PIPE_BUF + 1];

	memset(text, *(char *)letter, sizeof text);
	for (int i = 0; i < RECORDS; i++)
		if (write(fds[1], text, record) != (ssize_t)record)
			tell("writer: %s", result_text(-1));
	return NULL;
}

static void start_writers(bool threads, pthread_t t[WRITERS])
{
	static char letters[WRITERS] = "abcd";

	for (int i = 0; i < WRITERS; i++)
		if (threads) {
			pthread_create(&t[i], NULL, write_records, &letters[i]);
		} else if (fork() == 0) {
			write_records(&letters[i]);
			_exit(0);
		}
}

/* How many records have another writer's bytes in them.  */
static int count_mixed(const char *all)
{
	int mixed = 0;

	for (int i = 0; i < WRITERS * RECORDS; i++) {
		const char *r = all + (size_t)i * record;

		for (size_t at = 1; at < record; at++)
			if (r[at] != r[0]) {
				mixed++;
				break;
			}
	}
	return mixed;
}

static void write_at_once(bool threads)
{
	size_t total = WRITERS * RECORDS * record, got = 0;
	char *all = malloc(total);
	pthread_t t[WRITERS];

	make_pipe(fds);
	start_writers(threads, t);
	while (got < total) {
		long n = read(fds[0], all + got, total - got);

		need(n > 0, "read");
		got += (size_t)n;
	}
	for (int i = 0; i < WRITERS; i++)
		if (threads)
			pthread_join(t[i], NULL);
		else
			wait(NULL);
	/* Above PIPE_BUF all of it arrives, in whatever pieces. */
	tell("%s, %zu bytes: mixed %d", threads ? "threads" : "processes", record, record > PIPE_BUF ? 0 : count_mixed(all));
	close(fds[0]);
	close(fds[1]);
	free(all);
}

/* Several writers on a pipe that is nearly always full: what is not longer than PIPE_BUF stays together.  */
static void atomic_records(char **argv)
{
	static const size_t sizes[] = {1, 100, 2049, PIPE_BUF - 1, PIPE_BUF, PIPE_BUF + 1};

	(void)argv;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		record = sizes[i];
		write_at_once(false);
	}
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		record = sizes[i];
		write_at_once(true);
	}
}

/* The pipe grows while a write waits for room.  */
static void pipe_resized(char **argv)
{
	struct iovec v[2] = {{block, 100000}, {block, 100000}};
	pid_t parent = getpid();
	int queued;

	(void)argv;
	for (int vectors = 0; vectors < 2; vectors++) {
		make_pipe(fds);
		if (fork() == 0) {
			wait_asleep(parent);
			_exit(fcntl(fds[0], F_SETPIPE_SZ, SIZE) != SIZE);
		}
		tell("write: %s", result_text(vectors ? writev(fds[1], v, 2) : write(fds[1], block, 200000)));
		need(ioctl(fds[0], FIONREAD, &queued) == 0, "FIONREAD");
		tell("in the pipe: %d", queued);
		wait(NULL);
		close(fds[0]);
		close(fds[1]);
	}
}

struct shutting {
	int fd, how;
	pid_t waiter;
};

static void *shut(void *arg)
{
	const struct shutting *s = arg;

	wait_asleep(s->waiter);
	shutdown(s->fd, s->how);
	return NULL;
}

/* Calls that wait on fds[0]: two that read, then three that write more than fits.  */
static long wait_in(int call)
{
	static char much[8 << 20];
	struct iovec v[2] = {{block, SIZE}, {much, sizeof much}};

	switch (call) {
	case 0: return read(fds[0], block, 10);
	case 1: return recv(fds[0], block, 10, MSG_WAITALL);
	case 2: return write(fds[0], much, sizeof much);
	case 3: return writev(fds[0], v, 2);
	default: return send(fds[0], much, sizeof much, 0);
	}
}

/* Whether a call returns because this end is shut down in this direction.  */
static bool ends(bool tcp, int how, bool far, int call)
{
	if (call < 2)
		return how == SHUT_RDWR || how == (far ? SHUT_WR : SHUT_RD);
	return how == SHUT_RDWR ? !(far && tcp) : how == (far ? SHUT_RD : SHUT_WR) && !(far && tcp);
}

static void shut_in_a_call(bool tcp, bool thread, int how, bool far, int call)
{
	struct shutting s = {.how = how, .waiter = getpid()};
	const char *text;
	pthread_t t;
	long n;

	if (tcp)
		make_tcp(fds);
	else
		make_sockets(SOCK_STREAM, fds);
	s.fd = fds[far];
	if (thread) {
		pthread_create(&t, NULL, shut, &s);
	} else if (fork() == 0) {
		shut(&s);
		_exit(0);
	}
	n = wait_in(call);
	text = n > 0 ? "a part" : result_text(n);
	tell("%s, %s shuts %s end, %d, in call %d: %s", tcp ? "tcp" : "unix", thread ? "a thread" : "a process",
	     far ? "the far" : "the own", how, call, text);
	n = call < 2 ? read(fds[0], block, 10) : write(fds[0], block, 1);
	tell("next: %s", result_text(n));
	if (thread)
		pthread_join(t, NULL);
	else
		wait(NULL);
	close(fds[0]);
	close(fds[1]);
}

static void shutdowns(char **argv)
{
	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	for (int thread = 0; thread < 2; thread++)
		for (int tcp = 0; tcp < 2; tcp++)
			for (int how = SHUT_RD; how <= SHUT_RDWR; how++)
				for (int far = 0; far < 2; far++)
					for (int call = 0; call < 5; call++)
						if (ends(tcp, how, far, call))
							shut_in_a_call(tcp, thread, how, far, call);
}

/* There is something in the socket's error queue, which poll(2) shows as an error, and which is none.  */
static void write_with_notices(char **argv)
{
	static char much[8 << 20];
	int on = 1, sum;

	(void)argv;
	make_tcp(fds);
	need(setsockopt(fds[1], SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) == 0, "SO_ZEROCOPY");
	need(send(fds[1], block, 4096, MSG_ZEROCOPY) == 4096, "MSG_ZEROCOPY");
	sum = reader();
	tell("write: %s", result_text(write(fds[1], much, sizeof much)));
	tell("arrived: %ld", sum_of(sum));
}

const struct trap whole_traps[] = {
	{"bad-vector", bad_vector}, {"two-gigabytes", two_gigabytes}, {"atomic-records", atomic_records}, {"pipe-resized", pipe_resized},
	{"shutdowns", shutdowns}, {"write-with-notices", write_with_notices}, {NULL, NULL},
};
