/* contexts.c - from where the call is made.  */
#include <alloca.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "matrix.h"

static void in_main(void (*body)(void *), void *arg)
{
	body(arg);
}

enum { SMALL_STACK = 8192 };

struct job {
	void (*body)(void *);
	void *arg;
};

static struct job job;

static void *thread(void *low)
{
	/* glibc gives no stack below 16 KiB, of which it takes some itself: what is beyond 8 KiB is used up first. */
	size_t left = low ? (size_t)((char *)__builtin_frame_address(0) - (char *)low) : 0;
	volatile char *used = left > SMALL_STACK ? alloca(left - SMALL_STACK) : NULL;

	if (used)
		*used = 0;
	job.body(job.arg);
	return NULL;
}

static void run_thread(size_t stack_size)
{
	pthread_attr_t attributes;
	pthread_t t;
	char *stack = NULL;

	pthread_attr_init(&attributes);
	if (stack_size) {
		/* With a page that must not be touched below it. */
		stack = mmap(NULL, stack_size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		mprotect(stack, 4096, PROT_NONE);
		stack += 4096;
		if (pthread_attr_setstack(&attributes, stack, stack_size) != 0)
			return;
	}
	if (pthread_create(&t, &attributes, thread, stack) == 0)
		pthread_join(t, NULL);
}

static void in_thread(void (*body)(void *), void *arg)
{
	job = (struct job){body, arg};
	run_thread(0);
}

static void in_small_thread(void (*body)(void *), void *arg)
{
	job = (struct job){body, arg};
	run_thread((size_t)sysconf(_SC_THREAD_STACK_MIN) > 16384 ? (size_t)sysconf(_SC_THREAD_STACK_MIN) : 16384);
}

static void in_fork(void (*body)(void *), void *arg)
{
	pid_t pid = fork();

	if (pid == 0) {
		body(arg);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void in_vfork(void (*body)(void *), void *arg)
{
	pid_t pid = vfork();

	if (pid == 0) {
		body(arg);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void handler(int signal)
{
	(void)signal;
	job.body(job.arg);
}

static void in_handler(void (*body)(void *), void *arg)
{
	struct sigaction a = {.sa_handler = handler};

	job = (struct job){body, arg};
	sigaction(SIGURG, &a, NULL);
	raise(SIGURG);
}

static void at_exit(void)
{
	job.body(job.arg);
	_exit(0);
}

static void in_atexit(void (*body)(void *), void *arg)
{
	job = (struct job){body, arg};
	atexit(at_exit);
	exit(0);
}

__attribute__((destructor)) static void last(void)
{
	if (job.body)
		job.body(job.arg);
}

static void in_destructor(void (*body)(void *), void *arg)
{
	job = (struct job){body, arg};
	exit(0);
}

const struct context contexts[] = {
	{"main", in_main}, {"thread", in_thread}, {"small-thread", in_small_thread}, {"fork", in_fork}, {"vfork", in_vfork},
	{"handler", in_handler}, {"atexit", in_atexit}, {"destructor", in_destructor},
};

const size_t context_count = sizeof contexts / sizeof *contexts;
