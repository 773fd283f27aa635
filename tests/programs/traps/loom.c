/* loom.c - two threads and one fd, in every order that there is of one's instructions and the other's whole operation.
 *
 * The first thread is stepped (ptrace(2)) through n instructions of its operation and held there, the second one does all of its
 * own, and the first goes on; for n from 0 to where the operation ends.  Then a poll of all fds says what polls of a few at a time
 * say, which nobody keeps, and no byte is lost.  Every STRIDE instructions, to begin with OFFSET: all of them by 1 0.  */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traps.h"

enum { POLLED = 80, FIRST = 300, ONE = FIRST + 7, OTHER = FIRST + 40, WARM = 20, FEW = 40, LOOKS = 20000 };

static struct loom {
	volatile pid_t tid; /* the first thread */
	volatile bool is_seized, go, first_is_done, second_is_done, is_over;
	volatile unsigned odd, trials;
	volatile long result; /* of the first's operation */
} * loom;

static int silent[2], ready[2]; /* pipes: nothing in it, and one byte */
static int bytes[2], others[2]; /* a pipe and a socket, for reads */
static struct pollfd array[POLLED];

static void put_back(int number, int fd)
{
	need(dup2(fd, number) == number, "dup2");
}

static long poll_all(void)
{
	return poll(array, POLLED, 0);
}

static void keep_silent(void)
{
	put_back(ONE, silent[0]);
	put_back(OTHER, silent[0]);
	for (int i = 0; i < POLLED; i++)
		array[i] = (struct pollfd){.fd = FIRST + i, .events = POLLIN};
	/* So often that to keep it pays; and what was not open is not left to the kernel for good. */
	array[ONE - FIRST].fd = -1;
	for (int i = 0; i < WARM; i++) {
		poll_all();
		array[ONE - FIRST].fd = ONE;
	}
}

static bool polls_right(void)
{
	struct pollfd kernels[POLLED];
	long result, wanted;

	memcpy(kernels, array, sizeof kernels);
	wanted = poll(kernels, FEW, 0) + poll(kernels + FEW, POLLED - FEW, 0);
	result = poll_all();
	return result == wanted && !memcmp(kernels, array, sizeof kernels);
}

static long close_one(void)
{
	return close(ONE);
}

static long replace_one(void)
{
	return dup2(ready[0], ONE);
}

static long poll_and_replace_other(void)
{
	poll_all();
	return dup2(ready[0], OTHER);
}

/* Five bytes under the number, and three in what takes its place.  */
static void fill(void)
{
	put_back(ONE, bytes[0]);
	need(write(bytes[1], "hello", 5) == 5 && write(others[1], "abc", 3) == 3, "write");
}

static long read_one(void)
{
	char c[8];
	long n = read(ONE, c, sizeof c);

	return n < 0 ? -errno : n == 5 && memcmp(c, "hello", 5) ? -1000 : n == 3 && memcmp(c, "abc", 3) ? -1000 : n;
}

static long replace_by_socket(void)
{
	return dup2(others[0], ONE);
}

/* What was not read is where it was.  */
static bool read_right(void)
{
	char c[8];
	long n = loom->result;
	bool right = n == 5 || n == 3 || n == -EBADF;

	put_back(ONE, others[0]);
	right &= n == 3 || read(ONE, c, sizeof c) == 3;
	put_back(ONE, bytes[0]);
	return right & (n == 5 || read(ONE, c, sizeof c) == 5);
}

static const struct weave {
	const char *name;
	void (*prepare)(void);
	long (*first)(void), (*second)(void);
	bool (*is_right)(void);
} weaves[] = {
	{"close, and poll", keep_silent, close_one, poll_all, polls_right},
	{"dup2, and poll", keep_silent, replace_one, poll_all, polls_right},
	{"dup2, and poll and dup2", keep_silent, replace_one, poll_and_replace_other, polls_right},
	{"poll, and close", keep_silent, poll_all, close_one, polls_right},
	{"poll, and dup2", keep_silent, poll_all, replace_one, polls_right},
	{"poll, and poll", keep_silent, poll_all, poll_all, polls_right},
	{"read, and close", fill, read_one, close_one, read_right},
	{"read, and dup2", fill, read_one, replace_by_socket, read_right},
};

static void wait_until(const volatile bool *what)
{
	while (!*what && !loom->is_over)
		hidden_syscall(SYS_sched_yield, 0, 0, 0);
}

static void *be_first(void *arg)
{
	const struct weave *w = arg;

	loom->tid = (pid_t)hidden_syscall(SYS_gettid, 0, 0, 0);
	wait_until(&loom->is_seized);
	while (!loom->is_over) {
		long result;

		/* Where the parent takes over. */
		hidden_syscall(SYS_tgkill, getpid(), loom->tid, SIGTRAP);
		result = w->first();
		loom->result = result;
		loom->first_is_done = true;
		while (loom->first_is_done && !loom->is_over)
			hidden_syscall(SYS_sched_yield, 0, 0, 0);
	}
	return NULL;
}

static void begin(void)
{
	struct rlimit limit;

	/* So that what is kept among threads can be. */
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
	setrlimit(RLIMIT_NOFILE, &limit);
	make_pipe(silent);
	make_pipe(ready);
	make_pipe(bytes);
	make_sockets(SOCK_STREAM, others);
	need(write(ready[1], "x", 1) == 1, "write");
	for (int i = 0; i < POLLED; i++)
		put_back(FIRST + i, silent[0]);
	keep_silent();
}

static void weave(const struct weave *w)
{
	pthread_t first;

	begin();
	w->prepare();
	need(pthread_create(&first, NULL, be_first, (void *)(uintptr_t)w) == 0, "thread");
	while (!loom->is_over) {
		wait_until(&loom->go);
		if (loom->is_over)
			break;
		loom->go = false;
		w->second();
		loom->second_is_done = true;
		wait_until(&loom->first_is_done);
		loom->odd += !w->is_right();
		loom->trials++;
		w->prepare();
		loom->first_is_done = false;
	}
	_exit(0);
}

static void wait_stopped(pid_t tid)
{
	int status;

	need(waitpid(tid, &status, __WALL) == tid && WIFSTOPPED(status), "stop");
}

/* False: its operation is shorter.  */
static bool step(pid_t tid, unsigned n)
{
	for (unsigned i = 0; i < n && !loom->first_is_done; i++) {
		ptrace(PTRACE_SINGLESTEP, tid, NULL, NULL);
		wait_stopped(tid);
	}
	return !loom->first_is_done;
}

/* The second may wait for the first, which then has to go on.  */
static void let_second(void)
{
	loom->second_is_done = false;
	loom->go = true;
	for (int looks = 0; !loom->second_is_done && looks < LOOKS; looks++)
		usleep(20);
}

static void try_orders(const struct weave *w, unsigned stride, unsigned offset)
{
	bool more = true;
	pid_t pid, tid;

	memset(loom, 0, sizeof *loom);
	pid = fork();
	if (pid == 0)
		weave(w);
	while (!loom->tid)
		usleep(20);
	tid = loom->tid;
	need(ptrace(PTRACE_SEIZE, tid, NULL, NULL) == 0, "ptrace");
	loom->is_seized = true;
	wait_stopped(tid);
	for (unsigned n = offset; more; n += stride) {
		unsigned odd = loom->odd;

		more = step(tid, n);
		let_second();
		ptrace(PTRACE_CONT, tid, NULL, NULL);
		wait_stopped(tid);
		if (loom->odd != odd)
			fprintf(stderr, "%s: odd after %u instructions\n", w->name, n);
	}
	tell("%s: odd %u", w->name, loom->odd);
	fprintf(stderr, "%s: %u orders\n", w->name, loom->trials);
	loom->is_over = true;
	kill(pid, SIGKILL);
	waitpid(tid, NULL, __WALL);
	waitpid(pid, NULL, 0);
}

/* STRIDE OFFSET [NAME].  */
static void in_every_order(char **argv)
{
	loom = mmap(NULL, sizeof *loom, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < sizeof weaves / sizeof *weaves; i++)
		if (!argv[2] || !strcmp(argv[2], weaves[i].name))
			try_orders(&weaves[i], (unsigned)atoi(argv[0]), (unsigned)atoi(argv[1]));
}

const struct trap loom_traps[] = {{"in-every-order", in_every_order}, {NULL, NULL}};
