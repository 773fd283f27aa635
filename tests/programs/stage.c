/* stage - part of a pipeline, or of a chain of servers, that takes a known time for each block, in a known way.
 *
 *     stage source HOW US BLOCKS       writes so many blocks to stdout
 *     stage filter HOW US              from stdin to stdout, block by block
 *     stage sink HOW US                from stdin
 *     stage server HOW US              says on stdout at which port of 127.0.0.1; answers each block of one connection
 *     stage threaded HOW US            the same, by a thread of its own
 *     stage proxy PORT                 as server, and asks the one at PORT for each block
 *     stage client HOW US BLOCKS PORT  asks so many times
 *     stage lock HOW US BLOCKS         two threads take turns; one works with the lock held
 *     stage mute HOW US                a thread works, without any call that is seen
 *     stage late HOW US THREADS        so many do, side by side, and make a call then
 *     stage team HOW US THREADS        the same, and a call before, too
 *
 * HOW: compute (CPU time), sleep, or disk (a block is written to ./disk and synced, US is ignored).  */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096 };

static char block[BLOCK];
static const char *how;
static long us;

static long long cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void work_on_disk(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("disk", O_CREAT | O_WRONLY, 0600);
	if (fd < 0 || pwrite(fd, block, BLOCK, 0) != BLOCK || fsync(fd) < 0)
		err(1, "disk");
}

static void work(void)
{
	long long until = cpu_ns() + us * 1000LL;

	if (!strcmp(how, "disk"))
		work_on_disk();
	else if (!strcmp(how, "sleep"))
		nanosleep(&(struct timespec){us / 1000000, us % 1000000 * 1000}, NULL);
	else
		while (cpu_ns() < until)
			;
}

/* False at the end of file.  */
static int get(int fd)
{
	ssize_t n;

	for (size_t have = 0; have < BLOCK; have += (size_t)n) {
		n = read(fd, block + have, BLOCK - have);
		if (n <= 0)
			return 0;
	}
	return 1;
}

static void put(int fd)
{
	if (write(fd, block, BLOCK) != BLOCK)
		err(1, "write");
}

/* One connection, to the port, or with 0 from whoever comes.  */
static int connection(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
	socklen_t size = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0), one;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (port) {
		if (connect(fd, (struct sockaddr *)&a, size) < 0)
			err(1, "connect");
		return fd;
	}
	if (bind(fd, (struct sockaddr *)&a, size) < 0 || listen(fd, 8) < 0 || getsockname(fd, (struct sockaddr *)&a, &size) < 0)
		err(1, "listen");
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	one = accept(fd, NULL, NULL);
	if (one < 0)
		err(1, "accept");
	return one;
}

static void serve(int behind)
{
	int fd = connection(0), server = behind ? connection(behind) : -1;

	while (get(fd)) {
		if (behind) {
			put(server);
			if (!get(server))
				errx(1, "no answer");
		} else {
			work();
		}
		put(fd);
	}
}

static void *serve_thread(void *arg)
{
	(void)arg;
	serve(0);
	return NULL;
}

static void serve_threaded(void)
{
	pthread_t server;

	pthread_create(&server, NULL, serve_thread, NULL);
	pthread_join(server, NULL);
}

static void ask(int port, long blocks)
{
	int fd = connection(port);

	for (long i = 0; i < blocks; i++) {
		work();
		put(fd);
		if (!get(fd))
			errx(1, "no answer");
	}
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile long blocks_left;

static void *hold_lock(void *arg)
{
	(void)arg;
	while (blocks_left > 0) {
		pthread_mutex_lock(&mutex);
		work();
		blocks_left--;
		pthread_mutex_unlock(&mutex);
		/* Long enough for the other to get it. */
		nanosleep(&(struct timespec){0, 100000}, NULL);
	}
	return NULL;
}

static void wait_for_lock(void)
{
	pthread_t holder;

	pthread_create(&holder, NULL, hold_lock, NULL);
	while (blocks_left > 0) {
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
		nanosleep(&(struct timespec){0, 50000}, NULL);
	}
	pthread_join(holder, NULL);
}

static void *work_mutely(void *arg)
{
	work();
	return arg;
}

static void *work_and_call(void *fd)
{
	work();
	if (read(*(int *)fd, &(char){0}, 1) < 0)
		err(1, "read");
	return NULL;
}

static void *call_and_work(void *fd)
{
	if (read(*(int *)fd, &(char){0}, 1) < 0)
		err(1, "read");
	return work_and_call(fd);
}

static void work_in_threads(long count, void *(*begin)(void *))
{
	enum { MOST = 16 };
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pthread_t threads[MOST];

	if (count > MOST)
		errx(2, "too many threads");
	for (long i = 0; i < count; i++)
		pthread_create(&threads[i], NULL, begin, &fd);
	for (long i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	const char *role = argc > 1 ? argv[1] : "";
	long blocks = argc > 4 ? strtol(argv[4], NULL, 10) : 0;

	how = argc > 2 ? argv[2] : "";
	us = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
	if (!strcmp(role, "source"))
		for (; blocks > 0; blocks--) {
			work();
			put(1);
		}
	else if (!strcmp(role, "filter"))
		for (; get(0); put(1))
			work();
	else if (!strcmp(role, "sink"))
		while (get(0))
			work();
	else if (!strcmp(role, "server"))
		serve(0);
	else if (!strcmp(role, "threaded"))
		serve_threaded();
	else if (!strcmp(role, "proxy"))
		serve((int)strtol(how, NULL, 10));
	else if (!strcmp(role, "client") && argc > 5)
		ask((int)strtol(argv[5], NULL, 10), blocks);
	else if (!strcmp(role, "lock")) {
		blocks_left = blocks;
		wait_for_lock();
	} else if (!strcmp(role, "mute"))
		work_in_threads(1, work_mutely);
	else if (!strcmp(role, "late"))
		work_in_threads(blocks, work_and_call);
	else if (!strcmp(role, "team"))
		work_in_threads(blocks, call_and_work);
	else
		errx(2, "which role?");
	return 0;
}
