/* waits.c - signals in each call that waits.  */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "points.h"
#include "traps.h"

static struct report {
	volatile pid_t tid;
	volatile int done, error;
	volatile long result;
	volatile unsigned events;
	char order[16];                 /* one letter for each handler */
} *report;

static void note(int signal)
{
	report->order[report->events++ % 15] = signal == SIGUSR1 ? '1' : signal == SIGUSR2 ? '2' : 'c';
}

static const struct arrival {
	const char *name;
	int flags[2];                   /* of the handlers for SIGUSR1 and SIGUSR2 */
	bool thread, stop, continued;
	enum { ONE, NESTED, IN_TURN } together;
} arrivals[] = {
	{"interrupting", {0, 0}, true, false, false, ONE},
	{"restarting", {SA_RESTART, 0}, true, false, false, ONE},
	{"stopped and continued", {0, 0}, false, true, false, ONE},
	/* SIGCONT is the process's: any of its threads may take it. */
	{"continued, with a handler", {0, 0}, false, true, true, ONE},
	{"interrupting on top of restarting", {SA_RESTART, 0}, false, true, false, NESTED},
	{"restarting on top of interrupting", {0, SA_RESTART}, false, true, false, NESTED},
	{"interrupting after restarting", {SA_RESTART, 0}, false, true, false, IN_TURN},
	{"restarting after interrupting", {0, SA_RESTART}, false, true, false, IN_TURN},
};

static const struct point *point;

static void *call_it(void *arg)
{
	report->tid = (pid_t)syscall(SYS_gettid);
	report->result = point->call();
	report->error = errno;
	report->done = 1;
	return arg;
}

/* Handlers that block all signals run in turn.  */
static void install(int signal, int flags, bool block)
{
	struct sigaction a = {.sa_handler = note, .sa_flags = flags};

	if (block)
		sigfillset(&a.sa_mask);
	need(sigaction(signal, &a, NULL) == 0, "sigaction");
}

static void subject(const struct arrival *a)
{
	pthread_t t;

	points_set_up(false);
	install(SIGUSR1, a->flags[0], a->together == IN_TURN);
	install(SIGUSR2, a->flags[1], a->together == IN_TURN);
	if (a->continued)
		install(SIGCONT, SA_RESTART, false);
	if (!a->thread)
		call_it(NULL);
	else if (pthread_create(&t, NULL, call_it, NULL) == 0)
		pthread_join(t, NULL);
	_exit(0);
}

static void signal_it(const struct arrival *a, pid_t pid)
{
	if (a->stop) {
		kill(pid, SIGSTOP);
		wait_state(report->tid, 'T');
	}
	if (!a->stop || a->together != ONE)
		syscall(SYS_tgkill, pid, report->tid, SIGUSR1);
	if (a->together != ONE)
		syscall(SYS_tgkill, pid, report->tid, SIGUSR2);
	if (a->stop)
		kill(pid, SIGCONT);
}

static void try(const struct arrival *a)
{
	pid_t pid;

	memset(report, 0, sizeof *report);
	pid = fork();
	if (pid == 0)
		subject(a);
	while (!report->tid)
		sched_yield();
	wait_asleep(report->tid);
	signal_it(a, pid);
	if (!report->done)
		wait_asleep(report->tid);
	errno = report->error;
	tell("%s, %s: %s %s", point->name, a->name, report->done ? result_text(report->result) : "waits on", report->order);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A system() whose caller is killed would leave its shell behind.  */
static bool is_tried(void)
{
	return point->waits && strcmp(point->name, "system") != 0;
}

static void signals_in_each_wait(char **argv)
{
	(void)argv;
	report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	points_begin();
	for (point = points; point < points + point_count; point++)
		for (size_t i = 0; is_tried() && i < sizeof arrivals / sizeof *arrivals; i++)
			try(&arrivals[i]);
	for (const char *const *name = (const char *const[]){"busy", "queue", "fifo", "file", NULL}; *name; name++)
		unlink(*name);
}

const struct trap wait_traps[] = {
	{"signals-in-each-wait", signals_in_each_wait}, {NULL, NULL},
};
