/* lives.c - threads and libraries that come and go, and do I/O while they do.  */
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "traps.h"

static int fds[2];

static int pass_a_byte(void)
{
	char c;

	return write(fds[1], "x", 1) == 1 && read(fds[0], &c, 1) == 1;
}

enum { TOGETHER = 100, TIMES = 20, ROUNDS = 3 };

static pthread_barrier_t barrier;
static pthread_key_t key;
static int at_work, at_end;
static _Thread_local char own[1000];

/* Called again as long as there is a value (pthread_key_create(3)).  */
static void last_words(void *value)
{
	char *rounds = value;

	__atomic_fetch_add(&at_end, pass_a_byte(), __ATOMIC_RELAXED);
	if (++*rounds < ROUNDS)
		pthread_setspecific(key, rounds);
}

static void *live(void *arg)
{
	__atomic_fetch_add(&at_work, pass_a_byte(), __ATOMIC_RELAXED);
	pthread_setspecific(key, own);
	/* All of them are there at once. */
	pthread_barrier_wait(&barrier);
	return arg;
}

static void threads_come_and_go(char **argv)
{
	static pthread_t threads[TOGETHER];
	pthread_attr_t small;

	(void)argv;
	make_pipe(fds);
	pthread_key_create(&key, last_words);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, (size_t)sysconf(_SC_THREAD_STACK_MIN));
	pthread_barrier_init(&barrier, NULL, TOGETHER);
	for (int time = 0; time < TIMES; time++) {
		for (int i = 0; i < TOGETHER; i++)
			need(pthread_create(&threads[i], &small, live, NULL) == 0, "pthread_create");
		for (int i = 0; i < TOGETHER; i++)
			pthread_join(threads[i], NULL);
	}
	tell("at work: %d, in destructors: %d", at_work, at_end);
}

static void *load(void *path)
{
	void *library = dlopen(path, RTLD_NOW);

	need(library != NULL, "dlopen");
	tell("dlclose: %d", dlclose(library));
	return NULL;
}

/* Its constructor and destructor do I/O; in the main thread, in another, and while another waits.  */
static void library_comes_and_goes(char **argv)
{
	pthread_t loader;

	for (int i = 0; i < 3; i++)
		load(argv[0]);
	need(pthread_create(&loader, NULL, load, argv[0]) == 0, "pthread_create");
	pthread_join(loader, NULL);
}

static void wake(union sigval value)
{
	tell("the timer's thread: %d", value.sival_int);
	need(write(fds[1], "t", 1) == 1, "write");
}

static int c11_thread(void *arg)
{
	struct timespec t = {.tv_nsec = 1000000};

	(void)arg;
	thrd_sleep(&t, NULL);
	need(write(fds[1], "c", 1) == 1, "write");
	thrd_exit(5);
}

/* Threads that libc starts: a timer's and C11's.  */
static void threads_of_libc(char **argv)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = wake, .sigev_value.sival_int = 3};
	struct itimerspec soon = {.it_value.tv_nsec = 1000000};
	timer_t timer;
	thrd_t thread;
	int result;

	(void)argv;
	make_pipe(fds);
	need(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &soon, NULL) == 0, "timer");
	tell_read("read", fds[0], 1);
	need(thrd_create(&thread, c11_thread, NULL) == thrd_success, "thrd_create");
	tell_read("read", fds[0], 1);
	thrd_join(thread, &result);
	tell("C11: %d", result);
}

static volatile pid_t waiting;
static int way;

/* Takes SIGUSR1 off the process, which all threads block.  */
static void *take_signal(void *arg)
{
	struct signalfd_siginfo got;
	struct timespec long_time = {.tv_sec = 1000};
	siginfo_t info = {0};
	sigset_t set, none;
	int signal = 0, fd;

	(void)arg;
	sigemptyset(&set);
	sigemptyset(&none);
	sigaddset(&set, SIGUSR1);
	fd = signalfd(-1, &set, 0);
	waiting = (pid_t)syscall(SYS_gettid);
	switch (way) {
	case 0: tell("sigwait: %d %d", sigwait(&set, &signal), signal); break;
	case 1: tell("sigwaitinfo: %d", sigwaitinfo(&set, &info)); break;
	case 2: tell("sigtimedwait: %d", sigtimedwait(&set, &info, &long_time)); break;
	case 3: tell("signalfd: %s", result_text(read(fd, &got, sizeof got))); break;
	case 4: tell("sigsuspend: %s", result_text(sigsuspend(&none))); break;
	case 5: tell("ppoll: %s", result_text(ppoll(NULL, 0, NULL, &none))); break;
	case 6: tell("pselect: %s", result_text(pselect(0, NULL, NULL, NULL, NULL, &none))); break;
	}
	close(fd);
	return NULL;
}

static void *reads(void *tid)
{
	char c;

	*(volatile pid_t *)tid = (pid_t)syscall(SYS_gettid);
	tell("the other: %s", result_text(read(fds[0], &c, 1)));
	return NULL;
}

/* One thread waits for a signal, and has it; another waits in a read, and is not disturbed.  */
static void signal_is_waited_for(char **argv)
{
	sigset_t set;

	(void)argv;
	make_sockets(SOCK_STREAM, fds);
	handle(SIGUSR1, no_handler, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (way = 0; way < 7; way++) {
		pthread_t taker, reader;
		volatile pid_t reading = 0;

		waiting = 0;
		need(pthread_create(&reader, NULL, reads, (void *)&reading) == 0, "pthread_create");
		need(pthread_create(&taker, NULL, take_signal, NULL) == 0, "pthread_create");
		while (!waiting || !reading)
			sched_yield();
		wait_asleep(reading);
		wait_asleep(waiting);
		kill(getpid(), SIGUSR1);
		pthread_join(taker, NULL);
		need(write(fds[1], "x", 1) == 1, "write");
		pthread_join(reader, NULL);
	}
}

const struct trap life_traps[] = {
	{"threads-come-and-go", threads_come_and_go}, {"library-comes-and-goes", library_comes_and_goes},
	{"threads-of-libc", threads_of_libc}, {"signal-is-waited-for", signal_is_waited_for}, {NULL, NULL},
};
