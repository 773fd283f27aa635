/* waits.c - aio_suspend and aio_cancel.  */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "aio.h"

static void begin_read(struct aiocb *b, int ends[2], char *bytes)
{
	need(pipe(ends) == 0, "pipe");
	*b = request(ends[0], bytes, 10, 0);
	need(aio_read(b) == 0, "aio_read");
}

static void tell_suspend(const char *what, const struct aiocb *const *list, int n, const struct timespec *timeout)
{
	tell("%s: %s", what, result_text(aio_suspend(list, n, timeout)));
}

static void *write_later(void *arg)
{
	moment();
	need(write(*(int *)arg, "text", 4) == 4, "write");
	return NULL;
}

static void suspend(char **argv)
{
	char bytes[20];
	int first[2], second[2];
	struct aiocb a, b, done = request(data_file(100, O_RDONLY), bytes, 10, 0), copy;
	const struct aiocb *list[] = {&a, NULL, &b}, *over[] = {&a, &done}, *copied[] = {&a, &copy};
	struct timespec none = {0}, little = {.tv_nsec = 20000000}, much = {.tv_sec = 1000}, too_much = {.tv_sec = LONG_MAX};
	pthread_t thread;

	(void)argv;
	begin_read(&a, first, bytes);
	begin_read(&b, second, bytes + 10);
	tell_suspend("no time", list, 3, &none);
	tell_suspend("little time", list, 3, &little);
	tell_suspend("nothing", list, 0, &much);
	tell_suspend("only NULL", list + 1, 1, NULL);
	tell_suspend("less than nothing", list, -1, NULL);
	tell_suspend("too much time", list, 3, &too_much);
	copy = a;
	tell_suspend("one that was never submitted", copied, 2, NULL);
	pthread_create(&thread, NULL, write_later, &second[1]);
	tell_suspend("one of two", list, 3, NULL);
	tell("%s", strerrorname_np(aio_error(&a)));
	tell_end("the other", &b);
	tell_suspend("one was", list, 3, NULL);
	pthread_join(thread, NULL);
	need(aio_read(&done) == 0, "aio_read");
	await(&done);
	tell_suspend("a file", over, 2, &much);
	pthread_create(&thread, NULL, write_later, &first[1]);
	tell_suspend("much time", list, 1, &much);
	tell_end("this one", &a);
	pthread_join(thread, NULL);
}

static volatile sig_atomic_t alarms;
static int end_of_alarm = -1;

static void handle(int signal)
{
	(void)signal;
	if (++alarms == 3 && end_of_alarm >= 0)
		need(write(end_of_alarm, "text", 4) == 4, "write");
}

static void interrupted(char **argv)
{
	char bytes[20];
	int ends[2];
	struct aiocb a;
	const struct aiocb *list[] = {&a};
	struct timespec much = {.tv_sec = 1000};
	struct sigaction action = {.sa_handler = handle};

	(void)argv;
	begin_read(&a, ends, bytes);
	need(sigaction(SIGALRM, &action, NULL) == 0, "sigaction");
	/* Again and again, for the first may come before the call. */
	ualarm(100000, 100000);
	tell_suspend("for ever", list, 1, NULL);
	tell_suspend("with an end", list, 1, &much);
	ualarm(0, 0);
	action.sa_flags = SA_RESTART;
	need(sigaction(SIGALRM, &action, NULL) == 0, "sigaction");
	alarms = 0;
	ualarm(100000, 100000);
	tell_suspend("restarted, with an end", list, 1, &much);
	ualarm(0, 0);
	alarms = 0;
	end_of_alarm = ends[1];
	ualarm(50000, 50000);
	tell_suspend("restarted, for ever", list, 1, NULL);
	ualarm(0, 0);
	tell_end("then", &a);
}

/* Requests that are served in different ways, in one list.  */
static void mixed(char **argv)
{
	static char much[32 << 20];
	char bytes[20];
	int ends[2], fd = data_file(0, O_RDWR);
	struct aiocb a, b = request(fd, much, sizeof much, 0);
	const struct aiocb *list[] = {&a, &b};
	struct timespec little = {.tv_nsec = 20000000}, enough = {.tv_sec = 1000};
	pthread_t thread;

	(void)argv;
	begin_read(&a, ends, bytes);
	need(aio_write(&b) == 0, "aio_write");
	tell_suspend("the file", list, 2, NULL);
	tell_end("the file", &b);
	need(aio_write(&b) == 0, "aio_write");
	tell_suspend("the file, with an end", list, 2, &enough);
	tell_end("the file", &b);
	tell_suspend("neither", list, 1, &little);
	pthread_create(&thread, NULL, write_later, &ends[1]);
	tell_suspend("the pipe", list, 1, NULL);
	tell_end("the pipe", &a);
	pthread_join(thread, NULL);
	unlink("data");
}

static void *suspend_for_ever(void *arg)
{
	const struct aiocb *list[] = {arg};

	aio_suspend(list, 1, NULL);
	return NULL;
}

static void suspend_canceled(char **argv)
{
	char bytes[20];
	int ends[2];
	struct aiocb a;
	void *result;
	pthread_t thread;

	(void)argv;
	begin_read(&a, ends, bytes);
	for (int i = 0; i < 2; i++) {
		pthread_create(&thread, NULL, suspend_for_ever, &a);
		if (i)
			moment();
		pthread_cancel(thread);
		pthread_join(thread, &result);
		tell("canceled: %d", result == PTHREAD_CANCELED);
	}
	need(write(ends[1], "text", 4) == 4, "write");
	tell_end("then", &a);
}

static const char *cancel_text(int result)
{
	return result == AIO_CANCELED ? "CANCELED" : result == AIO_NOTCANCELED ? "NOTCANCELED" : result == AIO_ALLDONE ? "ALLDONE"
	       : result_text(result);
}

static void cancel(char **argv)
{
	char bytes[60] = "";
	int ends[2], fd = data_file(100, O_RDWR);
	struct aiocb first, b[3], done = request(fd, bytes, 10, 0);
	const struct aiocb *list[] = {&b[0]};

	(void)argv;
	tell("nothing there: %s", cancel_text(aio_cancel(fd, NULL)));
	need(aio_write(&done) == 0, "aio_write");
	await(&done);
	tell("done: %s", cancel_text(aio_cancel(fd, &done)));
	tell("done: %s", cancel_text(aio_cancel(fd, NULL)));
	tell("bad fd: %s", cancel_text(aio_cancel(77, NULL)));
	begin_read(&first, ends, bytes);
	moment();
	tell("another fd: %s", cancel_text(aio_cancel(fd, &first)));
	tell("begun: %s", cancel_text(aio_cancel(ends[0], &first)));
	tell("begun: %s", cancel_text(aio_cancel(ends[0], NULL)));
	for (int i = 0; i < 3; i++) {
		b[i] = request(ends[0], bytes + 20 + i, 1, 0);
		need(aio_read(&b[i]) == 0, "aio_read");
	}
	moment();
	tell("one: %s", cancel_text(aio_cancel(ends[0], &b[0])));
	tell("%s", strerrorname_np(aio_error(&b[0])));
	tell("suspend: %s", result_text(aio_suspend(list, 1, NULL)));
	tell_end("one", &b[0]);
	tell("again: %s", cancel_text(aio_cancel(ends[0], &b[0])));
	tell("all: %s", cancel_text(aio_cancel(ends[0], NULL)));
	tell_end("two", &b[1]);
	tell_end("three", &b[2]);
	need(write(ends[1], "text", 4) == 4, "write");
	tell_end("first", &first);
	tell("all done: %s", cancel_text(aio_cancel(ends[0], NULL)));
	b[0] = request(ends[0], bytes, 10, 0);
	need(aio_read(&b[0]) == 0 && write(ends[1], "more", 4) == 4, "aio_read");
	tell_end("another", &b[0]);
	tell("%.4s", bytes);
}

static volatile sig_atomic_t notices;

static void notice(int signal)
{
	(void)signal;
	notices++;
}

static void cancel_with_notice(char **argv)
{
	char bytes[60] = "";
	int ends[2];
	struct aiocb first, b[2], *list[] = {&b[0], &b[1]};
	struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};

	(void)argv;
	signal(SIGRTMIN, notice);
	begin_read(&first, ends, bytes);
	moment();
	for (int i = 0; i < 2; i++) {
		b[i] = request(ends[0], bytes + 20 + i, 1, 0);
		b[i].aio_lio_opcode = LIO_READ;
		b[i].aio_sigevent = e;
	}
	need(lio_listio(LIO_NOWAIT, list, 2, &e) == 0, "lio_listio");
	moment();
	tell("one: %s", cancel_text(aio_cancel(ends[0], &b[0])));
	for (int i = 0; i < 100 && notices < 1; i++)
		moment();
	tell("%d notices", (int)notices);
	tell("two: %s", cancel_text(aio_cancel(ends[0], &b[1])));
	for (int i = 0; i < 100 && notices < 3; i++)
		moment();
	tell("%d notices", (int)notices);
	need(write(ends[1], "text", 4) == 4, "write");
	tell_end("first", &first);
}

/* Writes to one place, one after the other, of which the last are canceled: they have ended as aio_cancel said.  */
static void cancel_some(char **argv)
{
	enum { ROUNDS = 50, WRITES = 16, SIZE = 256 << 10 };
	static char block[SIZE];
	struct aiocb b[WRITES];
	int fd = data_file(0, O_RDWR), wrong = 0;

	(void)argv;
	for (int round = 0; round < ROUNDS; round++) {
		int said[WRITES] = {0};

		for (int i = 0; i < WRITES; i++) {
			b[i] = request(fd, block, SIZE, 0);
			need(aio_write(&b[i]) == 0, "aio_write");
		}
		for (int i = WRITES; i-- > WRITES / 2;)
			said[i] = aio_cancel(fd, &b[i]);
		for (int i = 0; i < WRITES; i++) {
			bool canceled = i >= WRITES / 2 && said[i] == AIO_CANCELED;
			long n = await(&b[i]);

			wrong += canceled ? n != -1 || errno != ECANCELED : n != SIZE;
		}
	}
	tell("%d wrong", wrong);
}

const struct behaviour wait_behaviours[] = {
	{"suspend", suspend}, {"interrupted", interrupted}, {"mixed", mixed}, {"suspend-canceled", suspend_canceled}, {"cancel", cancel},
	{"cancel-with-notice", cancel_with_notice}, {"cancel-some", cancel_some}, {NULL, NULL},
};
