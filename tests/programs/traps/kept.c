/* kept.c - arrays and sets that come again and again, and what may happen around them.  */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
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

/* ---- While other threads run.  */

static bool is_number_open(int fd)
{
	return hidden_syscall(SYS_fcntl, fd, F_GETFD, 0) >= 0;
}

static volatile bool is_over;
static volatile unsigned begun;

/* Sets are begun, again and again, at addresses that are new.  */
static void *begin_sets(void *unused)
{
	while (!is_over) {
		struct pollfd *copy = malloc(sizeof array);

		memcpy(copy, array, sizeof array);
		for (int i = 0; i < TIMES; i++)
			poll(copy, FDS, 0);
		begun = begun + 1;
	}
	return unused;
}

/* The lowest free number is what open and dup2 count on.  */
static void lowest(char **argv)
{
	int null = open("/dev/null", O_RDONLY), number = dup(null), others = 0, refused = 0;
	pthread_t thread;

	(void)argv;
	keep_array();
	need(pthread_create(&thread, NULL, begin_sets, NULL) == 0, "pthread_create");
	for (int i = 0; begun < 3000; i++) {
		int fd;

		close(number);
		fd = i & 1 ? dup2(null, number) : open("/dev/null", O_RDONLY);
		others += fd >= 0 && fd != number;
		refused += fd < 0;
		others += fcntl(number, F_GETFD) < 0;
		dup2(null, number);
	}
	is_over = true;
	pthread_join(thread, NULL);
	tell("other numbers: %d, refused: %d", others, refused);
}

static void *poll_on(void *unused)
{
	while (!is_over)
		poll(array, FDS, 0);
	return unused;
}

/* Two threads ask for numbers beyond what the table has room for, so that ours make way.  A third asks for what is open for a moment
 * meanwhile, and has it then.  (strace can make that moment long.)  */
enum { ASKED = 300, NEXT = 512 };

static volatile unsigned beginning = 2, asking = 2;

static void *ask_for(void *number)
{
	__atomic_sub_fetch(&beginning, 1, __ATOMIC_SEQ_CST);
	while (beginning)
		;
	need(dup2(0, *(int *)number) == *(int *)number, "dup2");
	__atomic_sub_fetch(&asking, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void asked(char **argv)
{
	int numbers[2] = {ASKED, ASKED + 1};
	pthread_t threads[2];

	(void)argv;
	for (int i = 0; i < 2; i++)
		need(pthread_create(&threads[i], NULL, ask_for, &numbers[i]) == 0, "pthread_create");
	while (asking && !is_number_open(NEXT))
		;
	need(dup2(0, NEXT) == NEXT, "dup2");
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 2; i++)
		tell("%d: %s", numbers[i], result_text(fcntl(numbers[i], F_GETFD)));
	tell("%d: %s", NEXT, result_text(fcntl(NEXT, F_GETFD)));
}

/* A number gets a new meaning while another thread polls it: what comes is found, then or later.  */
static void races(char **argv)
{
	struct timespec a_while = {.tv_nsec = 1000000};
	unsigned missed = 0;

	(void)argv;
	keep_array();
	for (int round = 0; round < 60; round++) {
		int i = round % FDS, fds[2], result = 0;
		pthread_t thread;

		is_over = false;
		need(pthread_create(&thread, NULL, poll_on, NULL) == 0, "pthread_create");
		syscall(SYS_nanosleep, &a_while, NULL);
		make_sockets(SOCK_STREAM, fds);
		close(array[i].fd);
		dup2(fds[0], array[i].fd);
		close(fds[0]);
		close(ends[i]);
		ends[i] = fds[1];
		is_over = true;
		pthread_join(thread, NULL);
		put(i);
		for (int k = 0; k < 1000 && result == 0; k++)
			result = poll(array, FDS, 5);
		missed += result != 1 || array[i].revents != POLLIN;
		take(i);
	}
	tell("missed: %u", missed);
}

/* The kernel has its own copy of what a thread waits for.  */
static void copies(char **argv)
{
	struct answer a;
	int fd;

	(void)argv;
	keep_array();
	start(&a);
	fd = array[11].fd;
	array[11].fd = -1;
	shutdown(fd, SHUT_RDWR);
	close(fd);
	pthread_join(a.thread, NULL);
	tell("taken out of the array, shut down, closed: %d, %d", a.result, a.revents[11] != 0);
}

static void *poll_elsewhere(void *arg)
{
	waiter = (pid_t)syscall(SYS_gettid);
	tell("poll: %s", result_text(poll(arg, FDS, -1)));
	return NULL;
}

/* The array is not there any more when something is ready.  */
static void unmapped(char **argv)
{
	struct pollfd *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t thread;

	(void)argv;
	keep_array();
	memcpy(at, array, sizeof array);
	for (int i = 0; i < TIMES; i++)
		need(poll(at, FDS, 0) == 0, "poll");
	waiter = 0;
	need(pthread_create(&thread, NULL, poll_elsewhere, at) == 0, "pthread_create");
	while (!waiter)
		sched_yield();
	wait_asleep(waiter);
	need(munmap(at, 4096) == 0, "munmap");
	put(3);
	pthread_join(thread, NULL);
}

static int open_numbers(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += is_number_open(fd);
	return n;
}

/* Another thread puts all into a sandbox in which there is no epoll, and no descriptor of anybody else's.  */
static void sandboxes(char **argv)
{
	enum { OFFSET = offsetof(struct seccomp_data, nr) };

	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, OFFSET),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_ctl, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
	struct answer a;
	int before = open_numbers();

	(void)argv;
	keep_array();
	start(&a);
	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS");
	need(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0, "seccomp");
	tell("%d more than its own are open", open_numbers() - before - 2 * FDS);
	put(4);
	pthread_join(a.thread, NULL);
	tell("poll: %d, %x", a.result, (unsigned)a.revents[4]);
}

static int select_array(struct timeval *time, fd_set *in)
{
	FD_ZERO(in);
	for (int i = 0; i < FDS; i++)
		FD_SET(array[i].fd, in);
	return select(ends[FDS - 1] + 1, in, NULL, NULL, time);
}

static void *select_for_ever(void *arg)
{
	fd_set in;
	int number = array[7].fd, result;

	waiter = (pid_t)syscall(SYS_gettid);
	result = select_array(NULL, &in);
	tell("closed during select: %s, its bit: %d", result_text(result), FD_ISSET(number, &in) ? 1 : 0);
	return arg;
}

/* An fd that is closed while select waits is ready; one that is not open when it begins is EBADF.  */
static void select_closed(char **argv)
{
	pthread_t thread;
	fd_set in;

	(void)argv;
	keep_array();
	for (int i = 0; i < TIMES; i++)
		need(select_array(&(struct timeval){0}, &in) == 0, "select");
	waiter = 0;
	need(pthread_create(&thread, NULL, select_for_ever, NULL) == 0, "pthread_create");
	while (!waiter)
		sched_yield();
	wait_asleep(waiter);
	shutdown(array[7].fd, SHUT_RDWR);
	close(array[7].fd);
	pthread_join(thread, NULL);
	tell("closed before: %s", result_text(select_array(&(struct timeval){0}, &in)));
}

/* A process that shares the fds, and nothing else, closes one after it has been shut down.  */
static int close_shared(void *unused)
{
	wait_asleep(getppid());
	shutdown(array[9].fd, SHUT_RDWR);
	hidden_syscall(SYS_close, array[9].fd, 0, 0);
	return unused != NULL;
}

static void shared(char **argv)
{
	static char stack[1 << 16];
	pid_t pid;

	(void)argv;
	keep_array();
	pid = clone(close_shared, stack + sizeof stack, CLONE_FILES | SIGCHLD, NULL);
	need(pid > 0, "clone");
	tell("closed by another process: %s", result_text(poll(array, FDS, -1)));
	need(waitpid(pid, NULL, 0) == pid, "waitpid");
}

/* ---- What is looked at.  */

/* To look at /proc/sys/kernel/hostname takes the news from it.  */
static void looks(char **argv)
{
	char text[64];
	int fd, result;
	fd_set in, urgent;

	(void)argv;
	keep_array();
	if (unshare(CLONE_NEWUSER | CLONE_NEWUTS) < 0 || sethostname("before", 6) < 0) {
		tell("no namespaces");
		return;
	}
	fd = open("/proc/sys/kernel/hostname", O_RDONLY);
	need(fd >= 0 && read(fd, text, sizeof text) > 0, "hostname");
	array[0] = (struct pollfd){.fd = fd, .events = POLLPRI};
	for (int i = 0; i < 2 * TIMES; i++) {
		bool waits = i % TIMES > TIMES - 3;
		struct timeval time = {.tv_sec = waits ? 20 : 0};
		pid_t pid = waits ? fork() : -1;

		if (pid == 0) {
			wait_asleep(getppid());
			_exit(sethostname("after", 5) < 0);
		}
		FD_ZERO(&urgent);
		FD_SET(fd, &urgent);
		if (i < TIMES)
			result = poll(array, FDS, waits ? 20000 : 0);
		else
			result = select_array(&time, &in) + select(fd + 1, NULL, NULL, &urgent, &(struct timeval){0});
		if (pid > 0 && waitpid(pid, NULL, 0) == pid)
			tell("%s: %d", i < TIMES ? "poll" : "select", result);
	}
}

/* The same memory for two sets.  */
static void same_sets(char **argv)
{
	static const char much[1 << 16];
	fd_set set, *volatile same = &set;
	int result = 0;

	(void)argv;
	keep_array();
	for (int i = 0; i < FDS; i++)
		while (i != 5 && send(array[i].fd, much, sizeof much, MSG_DONTWAIT) > 0)
			;
	for (int round = 0; round < TIMES; round++) {
		FD_ZERO(&set);
		for (int i = 0; i < FDS; i++)
			FD_SET(array[i].fd, &set);
		result = select(ends[FDS - 1] + 1, &set, same, NULL, &(struct timeval){0});
	}
	tell("select: %s, bit: %d", result_text(result), FD_ISSET(array[5].fd, &set) ? 1 : 0);
}

/* A number that the program has not got, but somebody else has.  */
static void strangers(char **argv)
{
	bool before[1024];
	int number = 1000;

	(void)argv;
	for (int fd = 0; fd < 1024; fd++)
		before[fd] = is_number_open(fd);
	keep_array();
	for (int fd = ends[FDS - 1] + 1; fd < 1024; fd++)
		if (!before[fd] && is_number_open(fd))
			number = fd;
	array[FDS - 1].fd = number;
	tell_poll("poll", 0);
	tell("F_GETFD: %s", result_text(fcntl(number, F_GETFD)));
	tell("close: %s", result_text(close(number)));
}

/* ---- Numbers.  */

/* What closes all by a system call, and opens others by libc's inside, has what it opened.  */
static void raw_closes(char **argv)
{
	struct rlimit limit = {600, 600};
	int last = -1, lost = 0;
	FILE *f;

	(void)argv;
	need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
	keep_array();
	syscall(SYS_close_range, 3, ~0u, 0);
	while ((f = fopen("/dev/null", "r")))
		last = fileno(f);
	for (int i = 0; i < FDS; i++)
		array[i].fd = -1;
	poll_often();
	for (int fd = 3; fd <= last; fd++)
		lost += fcntl(fd, F_GETFD) < 0;
	tell("the last: %d, lost: %d", last, lost);
}

static void tell_rest(const char *what)
{
	int n = 0, last = -1, fd;

	while ((fd = dup(0)) >= 0)
		last = fd, n++;
	tell("%s: %d more, the last: %d", what, n, last);
}

/* In children that are made behind our back, all numbers are free.  */
static void inside_children(char **argv)
{
	struct rlimit limit = {600, 600};
	pid_t pid;
	int over[2];            /* the daemon is nobody's child: its end closes the pipe */
	char c;

	(void)argv;
	need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
	keep_array();
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		tell_rest("a raw fork");
		_exit(0);
	}
	need(waitpid(pid, NULL, 0) == pid, "waitpid");
	need(pipe(over) == 0, "pipe");
	pid = fork();
	if (pid == 0) {
		poll_often();
		need(daemon(1, 1) == 0, "daemon");
		tell_rest("a daemon");
		_exit(0);
	}
	close(over[1]);
	need(waitpid(pid, NULL, 0) == pid, "waitpid");
	need(read(over[0], &c, 1) == 0, "the daemon's end");
	while (waitpid(-1, NULL, 0) > 0)
		;
	poll_often();
}

/* More entries that are asked one by one than there may be fds, with ours among them.  */
static void few_fds(char **argv)
{
	struct rlimit limit = {64, 64};
	int fd = inotify_init1(0);

	(void)argv;
	keep_array();
	for (int i = 0; i < FDS; i++)
		close(array[i].fd), close(ends[i]);
	need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
	for (int i = 0; i < 64; i++)
		array[i] = (struct pollfd){.fd = fd, .events = POLLIN};
	for (int i = 0; i < TIMES; i++)
		need(poll(array, 64, 0) == 0, "poll");
	tell("poll: %s", result_text(poll(array, 64, 10)));
}

/* With this personality, no time that is left is told.  */
static void sticky(char **argv)
{
	struct timeval time;
	fd_set in;

	(void)argv;
	keep_array();
	need(personality(STICKY_TIMEOUTS) >= 0, "personality");
	for (int i = 0; i < TIMES; i++) {
		time = (struct timeval){0, 2000};
		need(select_array(&time, &in) == 0, "select");
	}
	tell("left: %ld", (long)time.tv_usec);
}

/* On a stack that is disarmed while a handler is on it, nothing tells that this one is below another poll.  */
static void disarmed(char **argv)
{
	char memory[1 << 16];
	stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory, .ss_flags = (int)(1u << 31)};
	unsigned wrong = 0;

	(void)argv;
	keep_array();
	put(9);
	need(sigaltstack(&stack, NULL) == 0, "sigaltstack");
	handle(SIGALRM, poll_again, SA_ONSTACK);
	ring(100);
	for (handled = 0; handled < 2000;) {
		int result = poll(array, FDS, -1);

		wrong += result >= 0 ? result != 1 || array[9].revents != POLLIN : errno != EINTR;
	}
	ring(0);
	tell("wrong: %u, in handlers: %d", wrong, (int)disagreed);
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
	{"kept-lowest", lowest},
	{"kept-asked-for", asked},
	{"kept-races", races},
	{"kept-copies", copies},
	{"kept-unmapped", unmapped},
	{"kept-sandboxes", sandboxes},
	{"kept-select-closed", select_closed},
	{"kept-shared", shared},
	{"kept-looks", looks},
	{"kept-same-sets", same_sets},
	{"kept-strangers", strangers},
	{"kept-raw-closes", raw_closes},
	{"kept-inside-children", inside_children},
	{"kept-few-fds", few_fds},
	{"kept-sticky", sticky},
	{"kept-disarmed", disarmed},
	{NULL, NULL},
};
