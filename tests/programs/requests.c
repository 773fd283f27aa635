/* requests.c - requests NAME...: programs that use POSIX AIO in one way each, on a file "data", for what a trace says of them.
 *
 * What is to take its time are large writes to one place of the file, of which each waits for the one before.  Where the machine
 * was too busy for what is to be shown, it ends with ONCE_MORE.  */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { SMALL = 4096, LARGE = 16 << 20, MANY = 32, ONCE_MORE = 75 };

static int data;
static char *buffer;
static struct aiocb blocks[MANY];

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "requests: %s: %s\n", what, strerror(errno));
	_exit(99);
}

static void shown(bool is)
{
	if (!is)
		_exit(ONCE_MORE);
}

/* How often this thread has waited.  */
static long waits(void)
{
	struct rusage usage;

	need(getrusage(RUSAGE_THREAD, &usage) == 0, "getrusage");
	return usage.ru_nvcsw;
}

static struct aiocb *block(int i, size_t size, off_t offset)
{
	blocks[i] = (struct aiocb){.aio_fildes = data, .aio_buf = buffer, .aio_nbytes = size, .aio_offset = offset};
	blocks[i].aio_sigevent.sigev_notify = SIGEV_NONE;
	return &blocks[i];
}

/* So many, one after the other: the last is not over soon.  */
static struct aiocb *write_slowly(int n)
{
	for (int i = 0; i < n; i++)
		need(aio_write(block(i, LARGE, 0)) == 0, "aio_write");
	return &blocks[n - 1];
}

static void suspend(const struct aiocb *b)
{
	const struct aiocb *list[] = {b};

	while (aio_error(b) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
}

static void collect(int n)
{
	for (int i = 0; i < n; i++) {
		suspend(&blocks[i]);
		aio_return(&blocks[i]);
	}
}

/* Nothing but that, for so long.  */
static void compute(long ms)
{
	struct timespec from, now;

	clock_gettime(CLOCK_MONOTONIC, &from);
	do {
		for (int i = 0; i < 100000; i++)
			__asm__ volatile("");
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - from.tv_sec) * 1000 + (now.tv_nsec - from.tv_nsec) / 1000000 < ms);
}

static void computes(void)
{
	struct aiocb *b = write_slowly(2);

	shown(aio_error(b) == EINPROGRESS);
	while (aio_error(b) == EINPROGRESS)
		compute(1);
	compute(20);
	collect(2);
}

static void suspends(void)
{
	struct aiocb *b = write_slowly(2);
	const long before = waits();

	suspend(b);
	shown(waits() > before);
	collect(2);
}

static void reads(void)
{
	need(aio_read(block(0, SMALL, SMALL)) == 0, "aio_read");
	collect(1);
}

static void many(void)
{
	int in_flight = 0;

	for (int i = 0; i < MANY; i++)
		need(aio_write(block(i, 1 << 20, (off_t)i << 20)) == 0, "aio_write");
	for (int i = 0; i < MANY; i++)
		in_flight += aio_error(&blocks[i]) == EINPROGRESS;
	shown(in_flight > 1);
	collect(MANY);
}

static volatile sig_atomic_t told;

static void on_signal(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	told = 1 + (aio_return(info->si_value.sival_ptr) < 0);
}

static void by_signal(void)
{
	const struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
	struct aiocb *b = block(0, LARGE, 0);

	sigaction(SIGUSR1, &action, NULL);
	b->aio_sigevent.sigev_notify = SIGEV_SIGNAL;
	b->aio_sigevent.sigev_signo = SIGUSR1;
	b->aio_sigevent.sigev_value.sival_ptr = b;
	need(aio_write(b) == 0, "aio_write");
	while (!told)
		compute(1);
}

static void on_thread(union sigval value)
{
	const ssize_t result = aio_return(value.sival_ptr);

	__atomic_store_n(&told, 1 + (result < 0), __ATOMIC_RELEASE);
}

static void by_thread(void)
{
	struct aiocb *b = block(0, LARGE, 0);

	b->aio_sigevent.sigev_notify = SIGEV_THREAD;
	b->aio_sigevent.sigev_notify_function = on_thread;
	b->aio_sigevent.sigev_value.sival_ptr = b;
	need(aio_write(b) == 0, "aio_write");
	while (!__atomic_load_n(&told, __ATOMIC_ACQUIRE))
		compute(1);
}

static void canceled(void)
{
	shown(aio_cancel(data, write_slowly(8)) == AIO_CANCELED);
	collect(8);
}

/* A buffer that is none.  */
static void fails(void)
{
	struct aiocb *b = block(0, SMALL, 0);

	b->aio_buf = NULL;
	need(aio_write(b) == 0, "aio_write");
	collect(1);
}

static void lists(void)
{
	struct aiocb *list[4];
	long before;

	for (int i = 0; i < 4; i++) {
		list[i] = block(i, LARGE, (off_t)i * LARGE);
		list[i]->aio_lio_opcode = LIO_WRITE;
	}
	before = waits();
	need(lio_listio(LIO_WAIT, list, 4, NULL) == 0, "lio_listio");
	shown(waits() > before);
	collect(4);
}

static void list_told(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_ptr = &blocks[0]};
	const struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
	struct aiocb *list[2];

	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < 2; i++) {
		list[i] = block(i, LARGE, (off_t)i * LARGE);
		list[i]->aio_lio_opcode = LIO_WRITE;
	}
	need(lio_listio(LIO_NOWAIT, list, 2, &event) == 0, "lio_listio");
	while (!told)
		compute(1);
	aio_return(&blocks[1]);
}

static void syncs(void)
{
	need(aio_write(block(0, SMALL, 0)) == 0, "aio_write");
	need(aio_fsync(O_DSYNC, block(1, 0, 0)) == 0, "aio_fsync");
	collect(2);
}

static void piped(void)
{
	int ends[2];

	need(pipe(ends) == 0, "pipe");
	data = ends[0];
	need(aio_read(block(0, SMALL, 0)) == 0, "aio_read");
	compute(300);
	need(write(ends[1], "x", 1) == 1, "write");
	collect(1);
}

/* An error before it begins.  */
static void refused(void)
{
	int ends[2];

	need(pipe(ends) == 0, "pipe");
	data = ends[1];
	need(aio_read(block(0, SMALL, 0)) == 0, "aio_read");
	collect(1);
}

static void killed(void)
{
	shown(aio_error(write_slowly(MANY)) == EINPROGRESS);
	raise(SIGKILL);
}

static const struct {
	const char *name;
	void (*run)(void);
} programs[] = {
	{"computes", computes}, {"suspends", suspends}, {"reads", reads}, {"many", many}, {"signal", by_signal},
	{"thread", by_thread}, {"canceled", canceled}, {"fails", fails}, {"lists", lists}, {"list-told", list_told},
	{"syncs", syncs}, {"piped", piped}, {"refused", refused}, {"killed", killed},
};

int main(int count, char **names)
{
	data = open("data", O_RDWR | O_CREAT, 0600);
	buffer = malloc(LARGE);
	need(data >= 0 && buffer, "data");
	memset(buffer, 'x', LARGE);
	need(pwrite(data, buffer, 4 * SMALL, 0) == 4 * SMALL, "data");
	for (int i = 1; i < count; i++)
		for (size_t k = 0; k < sizeof programs / sizeof *programs; k++)
			if (!strcmp(names[i], programs[k].name))
				programs[k].run();
	return 0;
}
