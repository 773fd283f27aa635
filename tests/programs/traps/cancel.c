/* cancel.c - pthread_cancel at each call: which are cancellation points, and which are not (pthreads(7)).  */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "points.h"
#include "traps.h"

enum way { PENDING, WAITING, EXITS };

static const char *const way_names[] = {"before", "while it waits", "pthread_exit in a handler"};
static const struct point *point;
static enum way way;
static volatile pid_t tid;
static volatile int cleaned;

static void clean(void *arg)
{
	(void)arg;
	cleaned++;
}

static void leave(int signal)
{
	(void)signal;
	pthread_exit(PTHREAD_CANCELED);
}

static void *call_it(void *arg)
{
	(void)arg;
	if (way == PENDING)
		pthread_cancel(pthread_self());
	pthread_cleanup_push(clean, NULL);
	tid = (pid_t)syscall(SYS_gettid);
	point->call();
	pthread_cleanup_pop(0);
	return NULL;
}

static void end_one(enum way how)
{
	pthread_attr_t small;
	pthread_t thread;
	void *result;

	way = how;
	tid = 0;
	cleaned = 0;
	points_set_up(way == PENDING);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, (size_t)sysconf(_SC_THREAD_STACK_MIN));
	need(pthread_create(&thread, &small, call_it, NULL) == 0, "pthread_create");
	if (way != PENDING) {
		while (!tid)
			sched_yield();
		wait_asleep(tid);
		if (way == EXITS)
			pthread_kill(thread, SIGUSR2);
		else
			pthread_cancel(thread);
	}
	pthread_join(thread, &result);
	tell("%s, %s: ended %d, cleaned %d, %s", point->name, way_names[way], result == PTHREAD_CANCELED, cleaned, points_left());
	points_tear_down();
}

/* Before the call, and while it waits; and a handler that ends the thread.  On the smallest stacks.  */
static void cancellation_points(char **argv)
{
	(void)argv;
	alarm(100);
	signal(SIGPIPE, SIG_IGN);
	handle(SIGUSR2, leave, 0);
	points_begin();
	for (point = points; point < points + point_count; point++) {
		end_one(PENDING);
		for (way = point->cancels ? WAITING : EXITS; point->waits && way <= EXITS; way++)
			end_one(way);
	}
}

static void *read_for_ever(void *fd)
{
	char c;

	pthread_cleanup_push(clean, NULL);
	tid = (pid_t)syscall(SYS_gettid);
	while (read(*(int *)fd, &c, 1) > 0)
		;
	pthread_cleanup_pop(0);
	return NULL;
}

/* A thread that waits there, after it has been given so many bytes.  */
static void end_reader(const char *what, int fd, int other_end, int bytes)
{
	pthread_t thread;
	void *result;

	tid = 0;
	cleaned = 0;
	need(pthread_create(&thread, NULL, read_for_ever, &fd) == 0, "pthread_create");
	while (!tid)
		sched_yield();
	for (; wait_asleep(tid) && bytes; bytes--)
		need(write(other_end, "", 1) == 1, "write");
	pthread_cancel(thread);
	pthread_join(thread, &result);
	tell("%s: ended %d, cleaned %d", what, result == PTHREAD_CANCELED, cleaned);
}

/* Where a call is passed through: on an fd that has made one wait; and on a number that was a file's, and is a pipe's now.  */
static void cancel_passed(char **argv)
{
	int pipes[2], file = open("/proc/self/exe", O_RDONLY);
	char c;

	(void)argv;
	make_pipe(pipes);
	end_reader("first wait", pipes[0], pipes[1], 0);
	end_reader("third wait", pipes[0], pipes[1], 2);
	need(read(file, &c, 1) == 1 && hidden_syscall(SYS_dup3, pipes[0], file, 0) == file, "dup3");
	end_reader("no file any more", file, pipes[1], 0);
}

static pthread_key_t at_end;
static pthread_t reader;
static volatile bool cancels, is_over;

static void take_long(void *arg)
{
	(void)arg;
	while (!is_over)
		;
}

static void *read_one(void *fd)
{
	char c;

	pthread_setspecific(at_end, fd);
	pthread_cleanup_push(clean, NULL);
	tid = (pid_t)syscall(SYS_gettid);
	need(read(*(int *)fd, &c, 1) == 1, "read");
	pthread_cleanup_pop(0);
	return NULL;
}

static void *cancel_reader(void *arg)
{
	cancels = true;
	pthread_cancel(reader);
	is_over = true;
	return arg;
}

/* The thread is canceled in its read, but the signal comes when it has what it wanted, and has returned.  (strace keeps the signal back
 * for so long.)  */
static void canceled_late(char **argv)
{
	int pipes[2];
	pthread_t canceler;
	void *result;

	(void)argv;
	make_pipe(pipes);
	need(pthread_key_create(&at_end, take_long) == 0, "pthread_key_create");
	need(pthread_create(&reader, NULL, read_one, &pipes[0]) == 0, "pthread_create");
	while (!tid)
		sched_yield();
	wait_asleep(tid);
	need(pthread_create(&canceler, NULL, cancel_reader, NULL) == 0, "pthread_create");
	while (!cancels)
		sched_yield();
	/* The canceler is in the middle of it. */
	hidden_syscall(SYS_nanosleep, (long)&(struct timespec){.tv_nsec = 20000000}, 0, 0);
	need(write(pipes[1], "", 1) == 1, "write");
	pthread_join(reader, &result);
	pthread_join(canceler, NULL);
	tell("ended %d, cleaned %d", result == PTHREAD_CANCELED, cleaned);
}

static char *own_environment[] = {(char *)"OWN=1", NULL};
static struct sigaction set[2];
static sigjmp_buf before;
static const int ignored[] = {SIGINT, SIGQUIT};

static void cancel_itself(int signal)
{
	(void)signal;
	pthread_cancel(pthread_self());
}

/* What system() has changed for the call is as it was, down to where the kernel returns from a handler.  */
static void look_after(void *arg)
{
	(void)arg;
	tell("the same environment: %d", environ == own_environment);
	for (int i = 0; i < 2; i++) {
		struct sigaction now;

		need(sigaction(ignored[i], NULL, &now) == 0, "sigaction");
		tell("the same handler: %d, restorer: %d", now.sa_handler == set[i].sa_handler, now.sa_restorer == set[i].sa_restorer);
	}
}

static void prepare_system(void (*handler)(int))
{
	for (int i = 0; i < 2; i++) {
		handle(ignored[i], no_handler, 0);
		need(sigaction(ignored[i], NULL, &set[i]) == 0, "sigaction");
	}
	handle(SIGUSR2, handler, 0);
	environ = own_environment;
}

static void canceled_system(char **argv)
{
	(void)argv;
	prepare_system(cancel_itself);
	pthread_cleanup_push(look_after, NULL);
	tell("not canceled: %d", system("kill -USR2 $PPID; exec sleep 100"));
	pthread_cleanup_pop(0);
}

static void jump(int signal)
{
	(void)signal;
	siglongjmp(before, 1);
}

/* Whether libc has put the handlers back by then depends on where it was.  */
static void left_system(char **argv)
{
	(void)argv;
	prepare_system(jump);
	if (sigsetjmp(before, 1) == 0)
		tell("not left: %d", system("kill -USR2 $PPID; exit 3"));
	tell("the same environment: %d", environ == own_environment);
	while (wait(NULL) > 0)
		;
}

const struct trap cancel_traps[] = {
	{"cancellation-points", cancellation_points}, {"cancel-passed", cancel_passed}, {"canceled-system", canceled_system},
	{"left-system", left_system}, {"canceled-late", canceled_late},
	{NULL, NULL},
};
