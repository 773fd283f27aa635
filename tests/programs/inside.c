/* inside.c - waits in which something happens: polls of as many fds as may be, none of them ever ready, which the kernel walks through;
 * and a handler that sleeps while the thread waits for its signal.  Or only a sleep.  */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 20000, CPU_MS = 150 };

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void poll_many(void)
{
	static struct pollfd many[MOST];
	struct rlimit limit;
	nfds_t count = MOST;
	int fds[2];

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || pipe(fds) < 0)
		exit(99);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < count)
		count = limit.rlim_max;
	for (nfds_t i = 0; i < count; i++)
		many[i] = (struct pollfd){.fd = fds[0], .events = POLLIN};
	while (cpu_ms() < CPU_MS)
		if (poll(many, count, 1))
			exit(98);
}

static void sleep_in_handler(int signal)
{
	(void)signal;
	usleep(50000);
	usleep(50000);
}

static void wait_for_signal(void)
{
	sigset_t alarm, none;

	signal(SIGALRM, sleep_in_handler);
	sigemptyset(&none);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm, NULL);
	for (int i = 0; i < 3; i++) {
		setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_usec = 50000}, NULL);
		sigsuspend(&none);
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "poll"))
		poll_many();
	else if (argc == 2 && !strcmp(argv[1], "sleep"))
		usleep(600000);
	else if (argc == 2 && !strcmp(argv[1], "handler"))
		wait_for_signal();
	else
		return 97;
	return 0;
}
