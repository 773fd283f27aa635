/* load.c - a known number of calls, for counting what was recorded.
 *
 *     load calls N              N writes of one byte into a pipe, and N reads
 *     load threads T N          T threads, each with a pipe: N writes and N reads
 *     load children C N         C children one after another, the same each
 *     load forks C T N        C children one after another, each with T threads that start at once
 *     load until-killed         one line on stdout after 1000 such calls, then calls without end  */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static long count;

static void calls(long n)
{
	int fds[2];
	char c = 'x';

	if (pipe(fds) < 0)
		exit(3);
	for (long i = 0; i < n; i++)
		if (write(fds[1], &c, 1) != 1 || read(fds[0], &c, 1) != 1)
			exit(4);
	close(fds[0]);
	close(fds[1]);
}

static void *thread(void *unused)
{
	calls(count);
	return unused;
}

static void threads(int n)
{
	pthread_t *all = calloc((size_t)n, sizeof *all);

	for (int i = 0; i < n; i++)
		if (pthread_create(&all[i], NULL, thread, NULL) != 0)
			exit(5);
	for (int i = 0; i < n; i++)
		pthread_join(all[i], NULL);
	free(all);
}

static void children(int n)
{
	for (int i = 0; i < n; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			calls(count);
			_exit(0);
		}
		if (waitpid(pid, &status, 0) != pid || status != 0)
			exit(6);
	}
}

/* Each child's threads record at once, before anybody else of it has.  */
static void forks(int n, int threads_each)
{
	for (int i = 0; i < n; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			threads(threads_each);
			_exit(0);
		}
		if (waitpid(pid, &status, 0) != pid || status != 0)
			exit(7);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 0;

	count = argc > 3 ? atol(argv[3]) : 0;
	if (!strcmp(what, "calls")) {
		calls(n);
	} else if (!strcmp(what, "threads")) {
		threads(n);
	} else if (!strcmp(what, "children")) {
		children(n);
	} else if (!strcmp(what, "forks") && argc > 4) {
		count = atol(argv[4]);
		forks(n, atoi(argv[3]));
	} else if (!strcmp(what, "until-killed")) {
		calls(500);
		puts("started");
		fflush(stdout);
		for (;;)
			calls(1000);
	} else {
		fprintf(stderr, "usage: load calls|threads|children|forks|until-killed ...\n");
		return 2;
	}
	puts("done");
	return 0;
}
