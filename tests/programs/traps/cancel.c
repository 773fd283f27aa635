/* cancel.c - pthread_cancel at each call: which are cancellation points, and which are not (pthreads(7)).  */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
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
	for (point = points; point < points + point_count; point++) {
		end_one(PENDING);
		for (way = WAITING; point->waits && way <= EXITS; way++)
			end_one(way);
	}
}

const struct trap cancel_traps[] = {
	{"cancellation-points", cancellation_points}, {NULL, NULL},
};
