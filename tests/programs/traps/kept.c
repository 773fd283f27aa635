/* kept.c - arrays and sets that come again and again, and what may happen around them.  */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "traps.h"

enum {
	FDS = 80,
	TIMES = 20,             /* polls after which an array is kept for certain */
};

static struct pollfd array[FDS];
static int ends[FDS];
static const struct timespec at_once;

static void poll_often(void)
{
	for (int i = 0; i < TIMES; i++)
		need(poll(array, FDS, 0) == 0, "poll");
}

static void keep_array(void)
{
	for (int i = 0; i < FDS; i++) {
		int fds[2];

		make_sockets(SOCK_STREAM, fds);
		array[i] = (struct pollfd){.fd = fds[0], .events = POLLIN};
		ends[i] = fds[1];
	}
	poll_often();
}

static void put(int i)
{
	need(write(ends[i], "x", 1) == 1, "write");
}

static void take(int i)
{
	char c;

	need(read(array[i].fd, &c, 1) == 1, "read");
}

static void tell_poll(const char *what, int timeout)
{
	int result = poll(array, FDS, timeout), error = errno;
	unsigned sum = 0;

	for (unsigned i = 0; i < FDS; i++)
		sum = sum * 31 + (unsigned short)array[i].revents;
	errno = error;
	tell("%s: %s, revents %x", what, result_text(result), sum);
}

/* The program finds the numbers free that it would find without us, up to the last.  */
static void numbers(char **argv)
{
	struct rlimit limit = {1024, 1024};
	int fds[2], fd, last = -1, minimum[] = {250, 255, 500, 509, 1000, 1019, 1020, 1023};
	unsigned sum = 0, n = 0;

	(void)argv;
	need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
	keep_array();
	for (unsigned i = 0; i < sizeof minimum / sizeof *minimum; i++) {
		fd = fcntl(0, F_DUPFD, minimum[i]);
		tell("F_DUPFD from %d: %s", minimum[i], result_text(fd));
		close(fd);
		poll_often();
	}
	for (;; n++) {
		switch (n % 5) {
		case 0: fd = open("/dev/null", O_RDONLY); break;
		case 1: fd = dup(0); break;
		case 2: fd = eventfd(0, 0); break;
		case 3: fd = pipe(fds) < 0 ? -1 : fds[0] * 1024 + fds[1]; break;
		default: fd = socket(AF_UNIX, SOCK_STREAM, 0); break;
		}
		if (fd < 0)
			break;
		sum = sum * 31 + (unsigned)fd;
		last = fd;
		need(poll(array, FDS, 0) == 0, "poll");
	}
	tell("after %u: %s; the last: %d, all: %x", n, result_text(-1), last, sum);
	put(7);
	tell_poll("poll", -1);
}

/* More entries than there may be fds are refused, though they were taken before.  */
static void lowered_limit(char **argv)
{
	struct rlimit limit;

	(void)argv;
	keep_array();
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = FDS;
	need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
	tell("poll, as many: %s", result_text(poll(array, FDS, 0)));
	limit.rlim_cur = FDS - 1;
	need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
	tell("poll, one more: %s", result_text(poll(array, FDS, 0)));
	tell("ppoll: %s", result_text(ppoll(array, FDS, NULL, NULL)));
	put(3);
	tell("poll, when one is ready: %s", result_text(poll(array, FDS, -1)));
}

/* A child closes all that is watched, a vfork child in our memory; what the parent then makes of the numbers, it sees.  */
static void children(char **argv)
{
	(void)argv;
	keep_array();
	for (int round = 0; round < 4; round++) {
		int fds[2];
		pid_t pid = round & 1 ? vfork() : fork();

		if (pid == 0) {
			if (round & 2)
				close_range(3, ~0u, 0);
			for (int i = 0; i < FDS; i++)
				close(array[i].fd);
			_exit(round & 1 ? 0 : poll(array, FDS, -1) == FDS ? 7 : 8);
		}
		need(waitpid(pid, &fds[0], 0) == pid, "waitpid");
		tell("child: %d", WEXITSTATUS(fds[0]));
		put(1);
		tell_poll("after the child", -1);
		take(1);
		close(array[2].fd);
		close(ends[2]);
		make_sockets(SOCK_STREAM, fds);
		need(fds[0] == array[2].fd, "reuse");
		ends[2] = fds[1];
		put(2);
		tell_poll("another under the same number", 0);
		take(2);
		tell_poll("nothing", 0);
	}
}

static volatile sig_atomic_t handled, disagreed;

static void count(int signal)
{
	(void)signal;
	handled++;
}

static void ring(long us)
{
	struct itimerval timer = {{0, us}, {0, us}};

	need(setitimer(ITIMER_REAL, &timer, NULL) == 0, "setitimer");
}

static void *put_later(void *arg)
{
	struct timespec later = {.tv_nsec = 30000000};
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	syscall(SYS_nanosleep, &later, NULL);
	put((int)(long)arg);
	return NULL;
}

/* A signal that only the mask of the call blocks does not end it; one that only the mask lets through does.  */
static void masks(char **argv)
{
	sigset_t alarm, no_signals;
	struct timespec time = {1000, 0};
	unsigned interrupted = 0;
	pthread_t thread;
	int result;

	(void)argv;
	sigemptyset(&no_signals);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	handle(SIGALRM, count, SA_RESTART);
	keep_array();
	for (int i = 0; i < 10; i++) {
		need(pthread_create(&thread, NULL, put_later, (void *)5L) == 0, "pthread_create");
		ring(100);
		result = ppoll(array, FDS, &time, &alarm);
		ring(0);
		interrupted += result < 0;
		pthread_join(thread, NULL);
		take(5);
	}
	tell("interrupted: %u, handled: %d", interrupted, handled > 0);
	pthread_sigmask(SIG_BLOCK, &alarm, NULL);
	for (int i = 0; i < 4; i++) {
		handled = 0;
		raise(SIGALRM);
		if (i & 1)
			put(6);
		tell("ppoll: %s", result_text(ppoll(array, FDS, i & 2 ? &time : &at_once, &no_signals)));
		tell("handled: %d, revents: %x", (int)handled, (unsigned)array[6].revents);
		ppoll(NULL, 0, &at_once, &no_signals);
		if (i & 1)
			take(6);
	}
	tell("ppoll, bad mask: %s", result_text(ppoll(array, FDS, &at_once, (const sigset_t *)8)));
}

/* Polls what the program is polling, and finds entry 9 ready.  */
static void poll_again(int signal)
{
	int error = errno, one;
	struct pollfd copy[FDS];

	(void)signal;
	memcpy(copy, array, sizeof copy);
	one = poll(array, FDS, 0);
	if (one != 1 || array[9].revents != POLLIN)
		disagreed = disagreed + 1;
	memcpy(array, copy, sizeof copy);
	handled++;
	errno = error;
}

/* A handler polls the same array, on a stack of its own, at any moment of the program's own poll.  */
static void handlers(char **argv)
{
	static char *memory;
	unsigned wrong = 0;

	(void)argv;
	memory = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	keep_array();
	put(9);
	for (int on_stack = 0; on_stack < 2; on_stack++) {
		stack_t stack = {.ss_sp = memory, .ss_size = 1 << 16};

		need(sigaltstack(&stack, NULL) == 0, "sigaltstack");
		handle(SIGALRM, poll_again, on_stack ? SA_ONSTACK : 0);
		ring(100);
		for (handled = 0; handled < 1000;) {
			int result = poll(array, FDS, -1);

			wrong += result >= 0 ? result != 1 || array[9].revents != POLLIN : errno != EINTR;
		}
		ring(0);
	}
	tell("wrong: %u, in handlers: %d", wrong, (int)disagreed);
}

static sigjmp_buf back;

static void jump(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static int poll_deeper(unsigned depth, int timeout)
{
	volatile char frame[512];

	frame[0] = 0;
	return depth ? poll_deeper(depth - 1, timeout) + frame[0] : poll(array, FDS, timeout);
}

/* A handler jumps out of the wait; the next poll is as any.  */
static void jumps(char **argv)
{
	volatile unsigned wrong = 0;

	(void)argv;
	keep_array();
	handle(SIGALRM, jump, 0);
	for (volatile unsigned i = 0; i < 200; i++) {
		struct itimerval once = {{0, 0}, {0, 300}};

		if (!sigsetjmp(back, 1)) {
			setitimer(ITIMER_REAL, &once, NULL);
			poll_deeper(i % 7, -1);
			wrong++;
		}
		put(4);
		wrong += poll_deeper((i + 3) % 7, -1) != 1 || array[4].revents != POLLIN;
		take(4);
		wrong += poll_deeper(i % 5, 0) != 0;
	}
	tell("wrong: %u", wrong);
}

static volatile pid_t waiter;

static void *wait_for_it(void *arg)
{
	int type;

	if (arg)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	waiter = (pid_t)syscall(SYS_gettid);
	poll(array, FDS, -1);
	return NULL;
}

/* Threads are canceled in their waits: what they had can be had by others, and their fds by the program.  */
static void canceled(char **argv)
{
	struct rlimit limit;
	unsigned wrong = 0;
	int first, n = 0;

	(void)argv;
	keep_array();
	for (unsigned i = 0; i < 40; i++) {
		pthread_t thread;
		void *result;

		waiter = 0;
		need(pthread_create(&thread, NULL, wait_for_it, i & 1 ? array : NULL) == 0, "pthread_create");
		while (!waiter)
			sched_yield();
		wait_asleep(waiter);
		pthread_cancel(thread);
		pthread_join(thread, &result);
		wrong += result != PTHREAD_CANCELED;
		put(8);
		wrong += poll(array, FDS, -1) != 1;
		take(8);
	}
	first = dup(0);
	limit = (struct rlimit){256, 256};
	need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
	while (dup(0) >= 0)
		n++;
	tell("wrong: %u; the first fd: %d, %d more: %s", wrong, first, n, result_text(-1));
}

struct answer {
	pthread_t thread;
	int result;
	short revents[FDS];
};

static void *poll_for_ever(void *arg)
{
	struct answer *a = arg;

	waiter = (pid_t)syscall(SYS_gettid);
	a->result = poll(array, FDS, -1);
	for (int i = 0; i < FDS; i++)
		a->revents[i] = array[i].revents;
	return NULL;
}

/* Whatever the wait begins with is over after a while, most often; what must come does not depend on it.  */
static void start(struct answer *a)
{
	struct timespec a_while = {.tv_nsec = 30000000};

	waiter = 0;
	need(pthread_create(&a->thread, NULL, poll_for_ever, a) == 0, "pthread_create");
	while (!waiter)
		sched_yield();
	syscall(SYS_nanosleep, &a_while, NULL);
	wait_asleep(waiter);
}

/* While a thread waits, another gives the numbers it waits for new meanings; what it waits for comes all the same.  */
static void taken(char **argv)
{
	struct answer a;
	int fds[2], number;

	(void)argv;
	keep_array();
	start(&a);
	shutdown(array[3].fd, SHUT_RDWR);
	close(array[3].fd);
	pthread_join(a.thread, NULL);
	tell("shut down and closed: %d, %x", a.result, (unsigned)a.revents[3] & (POLLNVAL | POLLHUP) ? 1 : 0);
	make_sockets(SOCK_STREAM, fds);
	close(ends[3]);
	ends[3] = fds[1];
	need(fds[0] == array[3].fd, "reuse");
	poll_often();
	start(&a);
	/* Wherever a number is hidden, it is the program's now. */
	make_sockets(SOCK_STREAM, fds);
	for (number = ends[FDS - 1] + 10; number < 1024; number++)
		if (fcntl(number, F_GETFD) < 0 || number > 200)
			dup2(fds[0], number);
	put(7);
	pthread_join(a.thread, NULL);
	tell("all numbers taken: %d, %x", a.result, (unsigned)a.revents[7]);
	take(7);
	tell_poll("afterwards", 0);
	tell("still the program's: %d", fcntl(255, F_GETFD) >= 0 && fcntl(1023, F_GETFD) >= 0);
}

/* To read the urgent byte with the others makes it readable, and wakes nobody.  */
static void becomes_readable(char **argv)
{
	struct timespec a_while = {.tv_nsec = 1000000};
	int fds[2], on = 1, result = 0;

	(void)argv;
	keep_array();
	make_tcp(fds);
	close(array[0].fd);
	array[0].fd = fds[0];
	need(send(fds[1], "x", 1, MSG_OOB) == 1, "send");
	array[0].events = POLLPRI;
	tell_poll("urgent", -1);
	array[0].events = POLLIN;
	poll_often();
	need(setsockopt(fds[0], SOL_SOCKET, SO_OOBINLINE, &on, sizeof on) == 0, "setsockopt");
	for (int i = 0; i < 10000 && result == 0; i++) {
		result = poll(array, FDS, 0);
		syscall(SYS_nanosleep, &a_while, NULL);
	}
	tell_poll("inline", 0);
	array[0].events = POLLIN | POLLPRI;
	tell_poll("both", -1);
}

/* Sets in less memory than select is told: what lies beyond the fds that there can be stays as it is.  */
static void short_sets(char **argv)
{
	unsigned long *words, copy[16];
	struct timeval time = {0, 1000};
	int result;

	(void)argv;
	keep_array();
	words = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int round = 0; round < TIMES; round++) {
		memset(words, 0, 128);
		for (int i = 0; i < FDS; i++)
			words[array[i].fd / 64] |= 1ul << array[i].fd % 64;
		words[12] = 0x8000000000000001;
		words[15] = 0x20;
		if (round % 4 == 3)
			put(11);
		result = select(1024, (fd_set *)words, NULL, NULL, round % 2 ? &time : &(struct timeval){0});
		memcpy(copy, words, sizeof copy);
		if (round % 4 == 3)
			take(11);
		tell("select: %s; %lx %lx", result_text(result), copy[12], copy[15]);
	}
	/* The sets end with the page, and the process has no fds beyond.  */
	need(munmap((char *)words + 4096, 4096) == 0, "munmap");
	words += 512 - 4;
	for (int round = 0; round < TIMES; round++) {
		memset(words, 0, 32);
		for (int i = 0; i < FDS; i++)
			words[array[i].fd / 64] |= 1ul << array[i].fd % 64;
		result = select(1024, (fd_set *)words, NULL, NULL, &(struct timeval){0});
	}
	tell("select at the end of a page: %s", result_text(result));
}

/* Memory that is not as usual.  */
static void memory(char **argv)
{
	struct pollfd *at = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *p = at + 512 - FDS;

	(void)argv;
	keep_array();
	memcpy(p, array, sizeof array);
	for (int i = 0; i < TIMES; i++)
		need(poll(p, FDS, 0) == 0, "poll");
	put(0);
	need(mprotect(at, 4096, PROT_READ) == 0, "mprotect");
	tell("read-only: %s", result_text(poll(p, FDS, 0)));
	need(mprotect(at, 4096, PROT_NONE) == 0, "mprotect");
	tell("not to be read: %s", result_text(poll(p, FDS, 0)));
	need(mprotect(at, 4096, PROT_READ | PROT_WRITE) == 0, "mprotect");
	tell("as before: %s %x", result_text(poll(p, FDS, 0)), (unsigned)p->revents);
	need(munmap(at + 512, 4096) == 0, "munmap");
	tell("up to what is unmapped: %s", result_text(poll(p, FDS, 0)));
	tell("into what is unmapped: %s", result_text(poll(p, FDS + 1, 0)));
	need(munmap(at, 4096) == 0, "munmap");
	tell("unmapped: %s", result_text(poll(p, FDS, 0)));
	tell("bad times: %s", result_text(ppoll(array, FDS, &(struct timespec){0, 1000000000}, NULL)));
	tell("bad times: %s", result_text(ppoll(array, FDS, &(struct timespec){-1, 0}, NULL)));
	tell("the longest: %s", result_text(poll(array, FDS, 0x7fffffff)));
}

const struct trap kept_traps[] = {
	{"kept-numbers", numbers},
	{"kept-lowered-limit", lowered_limit},
	{"kept-children", children},
	{"kept-masks", masks},
	{"kept-handlers", handlers},
	{"kept-jumps", jumps},
	{"kept-canceled", canceled},
	{"kept-taken", taken},
	{"kept-becomes-readable", becomes_readable},
	{"kept-short-sets", short_sets},
	{"kept-memory", memory},
	{NULL, NULL},
};
