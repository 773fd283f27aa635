/* scale.c - what one more of something costs: scale threads|fds|processes N has N of them at once, each of which makes a call, and
 * then all together many more.  Prints the CPU time in microseconds that each took to come and go, the CPU time of a call in
 * nanoseconds, and by how many KiB each has made the memory grow (PSS: what is shared is shared out).
 *
 *     scale runs N CMD...
 *
 * runs CMD so often; prints the median of the microseconds that it took, and of its CPU time, and the most KiB that it had in
 * memory.  */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CALLS = 1000000 };

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "scale: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* In nanoseconds.  */
static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double of_timeval(struct timeval t)
{
	return (double)t.tv_sec * 1e9 + (double)t.tv_usec * 1e3;
}

/* Of a process, in KiB.  */
static long memory_of(pid_t pid)
{
	char name[64], line[256];
	long kib = 0;
	FILE *f;

	snprintf(name, sizeof name, "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(name, "r");
	need(f != NULL, name);
	while (fgets(line, sizeof line, f) && sscanf(line, "Pss: %ld", &kib) != 1)
		;
	fclose(f);
	return kib;
}

static int n, zero;
static char c;

/* What the calls alone take is counted by those who make them, in memory that children share.  */
static _Atomic long *in_calls;

static void call_much(void)
{
	double start = now(CLOCK_THREAD_CPUTIME_ID);

	for (int i = 0; i < CALLS / n; i++)
		need(read(zero, &c, 1) == 1, "read");
	*in_calls += (long)(now(CLOCK_THREAD_CPUTIME_ID) - start);
}

static void print(double cpu, double memory)
{
	printf("%.2f %.1f %.2f\n", (cpu - (double)*in_calls) / 1e3 / n, (double)*in_calls / (CALLS / n * n), memory / n);
}

static pthread_barrier_t met;

/* All are there; they are counted; all go on.  */
static void *thread(void *unused)
{
	need(read(zero, &c, 1) == 1, "read");
	pthread_barrier_wait(&met);
	pthread_barrier_wait(&met);
	call_much();
	return unused;
}

static void threads(void)
{
	pthread_t *all = calloc((size_t)n, sizeof *all);
	long memory = memory_of(getpid());
	double cpu, counting;

	pthread_barrier_init(&met, NULL, (unsigned)n + 1);
	cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	for (int i = 0; i < n; i++)
		need((errno = pthread_create(&all[i], NULL, thread, NULL)) == 0, "pthread_create");
	pthread_barrier_wait(&met);
	counting = now(CLOCK_THREAD_CPUTIME_ID);
	memory = memory_of(getpid()) - memory;
	counting = now(CLOCK_THREAD_CPUTIME_ID) - counting;
	pthread_barrier_wait(&met);
	for (int i = 0; i < n; i++)
		pthread_join(all[i], NULL);
	print(now(CLOCK_PROCESS_CPUTIME_ID) - cpu - counting, (double)memory);
}

static void fds(void)
{
	int *all = calloc((size_t)n, sizeof *all);
	long memory = memory_of(getpid());
	double cpu = now(CLOCK_PROCESS_CPUTIME_ID), counting;

	for (int i = 0; i < n; i++) {
		all[i] = open("/dev/zero", O_RDONLY);
		need(all[i] >= 0 && read(all[i], &c, 1) == 1, "open");
	}
	counting = now(CLOCK_THREAD_CPUTIME_ID);
	memory = memory_of(getpid()) - memory;
	for (int i = 0; i < CALLS / n * n; i++)
		need(read(all[i % n], &c, 1) == 1, "read");
	*in_calls = (long)(now(CLOCK_THREAD_CPUTIME_ID) - counting);
	for (int i = 0; i < n; i++)
		close(all[i]);
	print(now(CLOCK_PROCESS_CPUTIME_ID) - cpu, (double)memory);
}

/* Says that it is there; goes on when the pipe is closed.  */
static void process(int there, const int go[2])
{
	close(go[1]);
	need(read(zero, &c, 1) == 1 && write(there, &c, 1) == 1 && read(go[0], &c, 1) == 0, "process");
	call_much();
	_exit(0);
}

static void processes(void)
{
	pid_t *all = calloc((size_t)n, sizeof *all);
	int there[2], go[2], status;
	long memory = memory_of(getpid());
	double cpu = now(CLOCK_PROCESS_CPUTIME_ID), counting;
	struct rusage children;

	need(pipe(there) == 0 && pipe(go) == 0, "pipe");
	for (int i = 0; i < n; i++) {
		all[i] = fork();
		need(all[i] >= 0, "fork");
		if (all[i] == 0)
			process(there[1], go);
	}
	for (int i = 0; i < n; i++)
		need(read(there[0], &c, 1) == 1, "read");
	counting = now(CLOCK_PROCESS_CPUTIME_ID);
	memory = memory_of(getpid()) - memory;
	for (int i = 0; i < n; i++)
		memory += memory_of(all[i]);
	counting = now(CLOCK_PROCESS_CPUTIME_ID) - counting;
	close(go[1]);
	for (int i = 0; i < n; i++)
		need(waitpid(all[i], &status, 0) == all[i] && status == 0, "child");
	cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu - counting;
	getrusage(RUSAGE_CHILDREN, &children);
	print(cpu + of_timeval(children.ru_utime) + of_timeval(children.ru_stime), (double)memory);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Where the digits of an argument are that is counted up, or NULL.  */
static char *find_digits(char **command)
{
	for (; *command; command++) {
		size_t size = strlen(*command);

		if (size >= 3 && !strcmp(*command + size - 3, "000"))
			return *command + size - 3;
	}
	return NULL;
}

static void runs(char **command)
{
	double *took = calloc((size_t)n, sizeof *took), *cpu = calloc((size_t)n, sizeof *cpu);
	char *digits = find_digits(command);
	struct rusage usage = {0};
	long memory = 0;
	int status;
	pid_t pid;

	for (int i = 0; i < n; i++) {
		double start = now(CLOCK_MONOTONIC);

		for (int place = 2, left = i; digits && place >= 0; place--, left /= 10)
			digits[place] = (char)('0' + left % 10);
		need((errno = posix_spawnp(&pid, command[0], NULL, NULL, command, environ)) == 0, command[0]);
		need(wait4(pid, &status, 0, &usage) == pid && status == 0, command[0]);
		took[i] = (now(CLOCK_MONOTONIC) - start) / 1e3;
		cpu[i] = (of_timeval(usage.ru_utime) + of_timeval(usage.ru_stime)) / 1e3;
		if (usage.ru_maxrss > memory)
			memory = usage.ru_maxrss;
	}
	qsort(took, (size_t)n, sizeof *took, compare);
	qsort(cpu, (size_t)n, sizeof *cpu, compare);
	printf("%.1f %.1f %ld\n", took[n / 2], cpu[n / 2], memory);
}

int main(int argc, char **argv)
{
	struct rlimit files;
	const char *what = argc > 1 ? argv[1] : "";

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	n = argc > 2 ? atoi(argv[2]) : 0;
	zero = open("/dev/zero", O_RDONLY);
	in_calls = mmap(NULL, sizeof *in_calls, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	need(zero >= 0 && in_calls != MAP_FAILED, "memory");
	if (n > 0 && argc == 3 && !strcmp(what, "threads"))
		threads();
	else if (n > 0 && argc == 3 && !strcmp(what, "fds"))
		fds();
	else if (n > 0 && argc == 3 && !strcmp(what, "processes"))
		processes();
	else if (n > 0 && argc > 3 && !strcmp(what, "runs"))
		runs(argv + 3);
	else {
		fprintf(stderr, "usage: scale threads|fds|processes N\n       scale runs N CMD...\n");
		return 2;
	}
	return 0;
}
