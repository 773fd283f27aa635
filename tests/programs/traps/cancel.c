/* cancel.c - pthread_cancel at each call: which are cancellation points, and which are not (pthreads(7)).  */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "points.h"
#include "traps.h"

static const struct point *point;
static bool pending;
static volatile pid_t tid;
static volatile int cleaned;

static void clean(void *arg)
{
	(void)arg;
	cleaned++;
}

static void *call_it(void *arg)
{
	(void)arg;
	if (pending)
		pthread_cancel(pthread_self());
	pthread_cleanup_push(clean, NULL);
	tid = (pid_t)syscall(SYS_gettid);
	point->call();
	pthread_cleanup_pop(0);
	return NULL;
}

static void cancel_one(void)
{
	pthread_t thread;
	void *result;

	tid = 0;
	cleaned = 0;
	points_set_up(pending);
	need(pthread_create(&thread, NULL, call_it, NULL) == 0, "pthread_create");
	if (!pending) {
		while (!tid)
			sched_yield();
		wait_asleep(tid);
		pthread_cancel(thread);
	}
	pthread_join(thread, &result);
	tell("%s, %s: canceled %d, cleaned %d, %s", point->name, pending ? "before" : "while it waits", result == PTHREAD_CANCELED,
	     cleaned, points_left());
	points_tear_down();
}

/* Before the call, and while it waits.  */
static void cancellation_points(char **argv)
{
	(void)argv;
	alarm(100);
	signal(SIGPIPE, SIG_IGN);
	for (point = points; point < points + point_count; point++) {
		pending = true;
		cancel_one();
		pending = false;
		if (point->waits)
			cancel_one();
	}
}

const struct trap cancel_traps[] = {
	{"cancellation-points", cancellation_points}, {NULL, NULL},
};
