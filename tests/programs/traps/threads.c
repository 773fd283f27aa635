/* threads.c - threads that wait, while others close, cancel and exit.  */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include "traps.h"

struct reader {
	int fd;
	volatile pid_t tid;
	long result;
	int error;
	char text[16];
	pthread_t thread;
};

static void *read_once(void *arg)
{
	struct reader *r = arg;

	r->tid = (pid_t)syscall(SYS_gettid);
	r->result = read(r->fd, r->text, sizeof r->text - 1);
	r->error = errno;
	return NULL;
}

static void start(struct reader *r, int fd, void *(*body)(void *))
{
	memset(r, 0, sizeof *r);
	r->fd = fd;
	need(pthread_create(&r->thread, NULL, body, r) == 0, "pthread_create");
	while (!r->tid)
		sched_yield();
	wait_asleep(r->tid);
}

/* shutdown, close, and the number means the next connection at once: its bytes are not the waiting reader's.  */
static void stolen_bytes(char **argv)
{
	unsigned stolen = 0, others = 0;

	(void)argv;
	for (int i = 0; i < 1000; i++) {
		struct reader r;
		int first[2], second[2];

		make_sockets(SOCK_STREAM, first);
		start(&r, first[0], read_once);
		shutdown(first[0], SHUT_RDWR);
		close(first[0]);
		make_sockets(SOCK_STREAM, second);
		need(second[0] == first[0] && write(second[1], "stolen", 6) == 6, "reuse");
		pthread_join(r.thread, NULL);
		stolen += r.result > 0;
		others += r.result < 0;
		close(first[1]);
		close(second[0]);
		close(second[1]);
	}
	tell("stolen: %u, other results: %u", stolen, others);
}

/* A thread that waits holds its file, though another closes the number, or puts another file there.  */
static void closed_while_waiting(char **argv)
{
	(void)argv;
	for (int i = 0; i < 4; i++) {
		struct reader r;
		int fds[2], null = open("/dev/null", O_RDONLY);

		if (i & 1)
			make_sockets(SOCK_STREAM, fds);
		else
			make_pipe(fds);
		start(&r, fds[0], read_once);
		if (i & 2)
			dup2(null, fds[0]);
		else
			close(fds[0]);
		wait_asleep(r.tid);
		signal(SIGPIPE, SIG_IGN);
		tell("write: %s", result_text(write(fds[1], "hello", 5)));
		close(fds[1]);
		pthread_join(r.thread, NULL);
		tell("read: %ld %s", r.result, r.text);
		close(fds[0]);
		close(null);
	}
}

static volatile int cleaned;

static void clean(void *arg)
{
	(void)arg;
	cleaned++;
}

static void *read_cancellable(void *arg)
{
	struct reader *r = arg;
	int type;

	pthread_cleanup_push(clean, NULL);
	if (r->error)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	read_once(r);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *read_asynchronous(void *arg)
{
	int type;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	return read_cancellable(arg);
}

/* The state outlives the read; then the pending request acts at the next point.  */
static void *read_uncancellable(void *arg)
{
	struct reader *r = arg;
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_cleanup_push(clean, NULL);
	read_once(r);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
	pthread_testcancel();
	pthread_cleanup_pop(0);
	return NULL;
}

static void make(char kind, int fds[2])
{
	if (kind == 'p')
		make_pipe(fds);
	else if (kind == 't')
		make_terminal(fds, true);
	else
		make_sockets(kind == 's' ? SOCK_STREAM : SOCK_DGRAM, fds);
}

static void cancellation(char **argv)
{
	static void *(*const bodies[])(void *) = {read_cancellable, read_asynchronous, read_uncancellable};

	(void)argv;
	for (const char *kind = "psdt"; *kind; kind++)
		for (int i = 0; i < 3; i++) {
			struct reader r;
			void *result;
			int fds[2], type = -1;

			cleaned = 0;
			make(*kind, fds);
			start(&r, fds[0], bodies[i]);
			pthread_cancel(r.thread);
			if (i == 2) {
				wait_asleep(r.tid);
				need(write(fds[1], "later", 5) == 5, "write");
			}
			pthread_join(r.thread, &result);
			tell("%c %d: canceled %d, cleaned %d, read %ld %s", *kind, i, result == PTHREAD_CANCELED, cleaned, r.result, r.text);
			/* Nothing is eaten, and the fd goes on. */
			need(write(fds[1], "x", 1) == 1, "write");
			start(&r, fds[0], read_once);
			pthread_join(r.thread, NULL);
			tell("then: %ld %s", r.result, r.text);
			pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
			tell("type: %d", type == PTHREAD_CANCEL_DEFERRED);
			close(fds[0]);
			close(fds[1]);
		}
}

static void *canceled_before(void *arg)
{
	struct reader *r = arg;

	pthread_cancel(pthread_self());
	pthread_cleanup_push(clean, NULL);
	read_once(r);
	pthread_cleanup_pop(0);
	return NULL;
}

/* A request that is pending acts at the call, though there is data; which stays.  */
static void canceled_with_data(char **argv)
{
	(void)argv;
	for (const char *kind = "psd"; *kind; kind++) {
		struct reader r;
		void *result;
		int fds[2];

		make(*kind, fds);
		need(write(fds[1], "data", 4) == 4, "write");
		cleaned = 0;
		memset(&r, 0, sizeof r);
		r.fd = fds[0];
		need(pthread_create(&r.thread, NULL, canceled_before, &r) == 0, "pthread_create");
		pthread_join(r.thread, &result);
		tell("%c: canceled %d, cleaned %d", *kind, result == PTHREAD_CANCELED, cleaned);
		tell_read("left", fds[0], 4);
	}
}

static void *exits_later(void *arg)
{
	struct reader *r = arg;

	read_once(r);
	tell("the last thread: %ld %s", r->result, r->text);
	return NULL;
}

/* The main thread goes, another waits on.  */
static void main_thread_exits(char **argv)
{
	static struct reader r;
	int fds[2];

	(void)argv;
	make_pipe(fds);
	start(&r, fds[0], exits_later);
	if (fork() == 0) {
		wait_state(getppid(), 'Z');
		_exit(write(fds[1], "x", 1) != 1);
	}
	pthread_exit(NULL);
}

static void *signal_main(void *arg)
{
	wait_asleep(getpid());
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

/* A signal to one thread ends its wait, and no other's.  */
static void signal_to_one(char **argv)
{
	struct reader r;
	pthread_t self = pthread_self(), sender;
	int fds[2], other[2];
	char c;

	(void)argv;
	handle(SIGUSR1, no_handler, 0);
	make_pipe(fds);
	make_pipe(other);
	start(&r, other[0], read_once);
	pthread_create(&sender, NULL, signal_main, &self);
	tell("main: %s", result_text(read(fds[0], &c, 1)));
	need(write(other[1], "x", 1) == 1, "write");
	pthread_join(r.thread, NULL);
	pthread_join(sender, NULL);
	tell("the other: %ld %s", r.result, r.text);
}

static void *write_much(void *arg)
{
	enum { SIZE = 300000 };
	static char block[SIZE];
	long n = write(*(int *)arg, block, SIZE);

	return (void *)n;
}

/* Two threads write more than the pipe takes.  */
static void two_large_writes(char **argv)
{
	static char block[65536];
	int fds[2];
	pthread_t t[2];
	void *result;
	long n = 0, got;

	(void)argv;
	make_pipe(fds);
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, write_much, &fds[1]);
	while (n < 600000) {
		got = read(fds[0], block, sizeof block);
		need(got > 0, "read");
		n += got;
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(t[i], &result);
		tell("write: %ld", (long)result);
	}
	tell("read: %ld", n);
}

static void *fork_and_read(void *arg)
{
	int *fds = arg, status;
	pid_t pid = fork();

	if (pid == 0) {
		pid_t parent = getppid();

		(void)parent;
		tell_read("child", fds[0], 1);
		_exit(0);
	}
	wait_asleep(pid);
	need(write(fds[1], "x", 1) == 1, "write");
	waitpid(pid, &status, 0);
	return NULL;
}

/* A fork in one thread while others are in the middle of things.  */
static void fork_among_threads(char **argv)
{
	struct reader r[4];
	int fds[2], others[2];
	pthread_t t;

	(void)argv;
	make_pipe(fds);
	make_pipe(others);
	for (int i = 0; i < 4; i++)
		start(&r[i], others[0], read_once);
	pthread_create(&t, NULL, fork_and_read, fds);
	pthread_join(t, NULL);
	close(others[1]);
	for (int i = 0; i < 4; i++)
		pthread_join(r[i].thread, NULL);
	tell("the others: %ld %ld", r[0].result, r[3].result);
}

enum { ROUNDS = 30000 };

static void *echo(void *arg)
{
	struct reader *r = arg;
	char c;

	r->tid = (pid_t)syscall(SYS_gettid);
	while (read(r->fd, &c, 1) == 1)
		if (write(r->fd, &c, 1) != 1)
			break;
	return NULL;
}

static void *read_all(void *arg)
{
	struct reader *r = arg;
	char c;

	r->tid = (pid_t)syscall(SYS_gettid);
	errno = 0;
	for (long n = 1; n > 0; r->result += n > 0)
		n = read(r->fd, &c, 1);
	r->error = errno;
	return NULL;
}

/* Threads wait to read from a socket while another writes to it: no one's way to wait is the others' affair.  */
static void both_ways(char **argv)
{
	enum { READERS = 3 };
	struct reader far, near[READERS];
	int fds[2], written = 0, read_back = 0;

	(void)argv;
	make_sockets(SOCK_STREAM, fds);
	start(&far, fds[1], echo);
	for (int i = 0; i < READERS; i++)
		start(&near[i], fds[0], read_all);
	for (int i = 0; i < ROUNDS; i++)
		written += write(fds[0], "x", 1) == 1;
	shutdown(fds[0], SHUT_WR);
	pthread_join(far.thread, NULL);
	close(fds[1]);
	for (int i = 0; i < READERS; i++) {
		pthread_join(near[i].thread, NULL);
		read_back += (int)near[i].result;
		tell("the last read: %d", near[i].error);
	}
	tell("written: %d, came back: %d", written, read_back);
}

static volatile bool is_over;
static int null;

static int read_on(void *unused)
{
	char byte;

	(void)unused;
	while (!is_over)
		read(null, &byte, 1);
	return 0;
}

/* While another thread calls much, which is recorded, the lowest free number is what open and dup2 find.  */
static void lowest_number(char **argv)
{
	int number, others = 0;
	thrd_t thread;

	(void)argv;
	null = open("/dev/null", O_RDONLY);
	number = dup(null);
	need(thrd_create(&thread, read_on, NULL) == thrd_success, "thrd_create");
	for (int i = 0; i < 100000; i++) {
		syscall(SYS_close, number);
		others += (i & 1 ? syscall(SYS_dup3, null, number, 0) : syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY)) != number;
		others += fcntl(number, F_GETFD) < 0;
		syscall(SYS_dup3, null, number, 0);
	}
	is_over = true;
	thrd_join(thread, NULL);
	tell("other numbers: %d", others);
}

const struct trap thread_traps[] = {
	{"lowest-number", lowest_number},
	{"stolen-bytes", stolen_bytes}, {"closed-while-waiting", closed_while_waiting}, {"cancellation", cancellation},
	{"canceled-with-data", canceled_with_data}, {"main-thread-exits", main_thread_exits}, {"signal-to-one", signal_to_one},
	{"two-large-writes", two_large_writes}, {"fork-among-threads", fork_among_threads}, {"both-ways", both_ways},
	{NULL, NULL},
};
