/* notices.c - how a program hears of the end of a request, or of a list of them.  */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "aio.h"

enum { MANY = 16, PAGE = 4096 };

/* The pipes of the lists.  */
static int ends[MANY][2];

static struct sigevent by_signal(int signal, int value)
{
	return (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signal, .sigev_value.sival_int = value};
}

static volatile sig_atomic_t signals, sum, code, own, error_seen;
static struct aiocb *watched;

static void handle(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	signals++;
	sum += info->si_value.sival_int;
	code = info->si_code;
	own = info->si_pid == getpid() && info->si_uid == getuid();
	if (watched)
		error_seen = aio_error(watched);
}

static void catch(int signal)
{
	struct sigaction a = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART};

	need(sigaction(signal, &a, NULL) == 0, "sigaction");
}

/* A handler may run in any thread, a moment later.  */
static bool have(int n)
{
	for (int i = 0; i < 200 && signals < n; i++)
		moment();
	return signals == n;
}

static void tell_signals(int n)
{
	bool all = have(n);

	tell("there %d, %d", all, (int)sum);
}

static void tell_signal(const char *what, struct aiocb *b)
{
	bool one;

	watched = b;
	is_over(b);
	one = have(1);
	tell("%s: there %d, sum %d, code %d, own %d, error %s", what, one, (int)sum, (int)code == SI_ASYNCIO, (int)own,
	     strerrorname_np(error_seen) ? strerrorname_np(error_seen) : "none");
	tell_end(what, b);
	signals = sum = code = own = error_seen = 0;
	watched = NULL;
}

static void signal_for_one(char **argv)
{
	char bytes[100];
	int fd = data_file(1 << 16, O_RDWR), pair[2];
	struct aiocb b = request(fd, bytes, 100, 0);

	(void)argv;
	catch(SIGRTMIN + 1);
	catch(SIGUSR1);
	watched = &b;
	b.aio_sigevent = by_signal(SIGRTMIN + 1, 5);
	aio_read(&b);
	tell_signal("read", &b);
	b.aio_sigevent = by_signal(SIGUSR1, 6);
	watched = &b;
	aio_write(&b);
	tell_signal("write", &b);
	b.aio_sigevent = by_signal(SIGUSR1, 7);
	watched = &b;
	aio_fsync(O_SYNC, &b);
	tell_signal("fsync", &b);
	b = request(77, bytes, 100, 0);
	b.aio_sigevent = by_signal(SIGUSR1, 8);
	watched = &b;
	aio_read(&b);
	tell_signal("bad fd", &b);
	need(pipe(pair) == 0, "pipe");
	b = request(pair[0], bytes, 100, 0);
	b.aio_sigevent = by_signal(SIGUSR1, 9);
	watched = &b;
	aio_read(&b);
	moment();
	tell("before: %d", (int)signals);
	need(write(pair[1], "text", 4) == 4, "write");
	tell_signal("pipe", &b);
}

static void no_such_signal(char **argv)
{
	char bytes[100];
	struct aiocb b = request(data_file(100, O_RDWR), bytes, 100, 0);

	(void)argv;
	b.aio_sigevent = by_signal(1000, 5);
	tell("aio_read: %s", result_text(aio_read(&b)));
	for (int i = 0; i < 4; i++)
		moment();
	tell_end("read", &b);
	b.aio_sigevent = by_signal(0, 5);
	aio_write(&b);
	tell_end("none", &b);
}

/* Who sees that a request is over has had its signal, or has it pending.  */
static void signal_before_end(char **argv)
{
	char bytes[512];
	int fd = data_file(512 * MANY, O_RDWR), missing = 0;
	sigset_t set;

	(void)argv;
	catch(SIGRTMIN + 1);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 500; i++) {
		struct aiocb b = request(fd, bytes, sizeof bytes, (long)sizeof bytes * (i % MANY));
		struct timespec none = {0};

		b.aio_sigevent = by_signal(SIGRTMIN + 1, i);
		need((i % 2 ? aio_read(&b) : aio_write(&b)) == 0, "aio");
		while (aio_error(&b) == EINPROGRESS)
			;
		missing += sigtimedwait(&set, NULL, &none) != SIGRTMIN + 1;
	}
	tell("%d missing", missing);
}

static int threads_seen, value_seen;
static bool blocked_seen, attribute_seen, over_seen;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t seen = PTHREAD_COND_INITIALIZER;

static void in_thread(union sigval value)
{
	sigset_t set;
	pthread_attr_t a;
	size_t size = 0;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	pthread_getattr_np(pthread_self(), &a);
	pthread_attr_getstacksize(&a, &size);
	pthread_attr_destroy(&a);
	pthread_mutex_lock(&lock);
	threads_seen++;
	value_seen += value.sival_int;
	for (int s = 1; s < 64; s++)
		blocked_seen |= sigismember(&set, s) == 1;
	attribute_seen = size == 1 << 20;
	over_seen = watched && aio_error(watched) != EINPROGRESS;
	pthread_cond_broadcast(&seen);
	pthread_mutex_unlock(&lock);
}

static void tell_thread(const char *what, int n)
{
	pthread_mutex_lock(&lock);
	while (threads_seen < n)
		pthread_cond_wait(&seen, &lock);
	tell("%s: %d, blocked %d, attribute %d, over %d", what, value_seen, blocked_seen, attribute_seen, over_seen);
	threads_seen = value_seen = 0;
	blocked_seen = attribute_seen = over_seen = false;
	pthread_mutex_unlock(&lock);
}

static struct sigevent by_thread(int value, pthread_attr_t *attributes)
{
	struct sigevent e = {.sigev_notify = SIGEV_THREAD, .sigev_value.sival_int = value};

	e.sigev_notify_function = in_thread;
	e.sigev_notify_attributes = attributes;
	return e;
}

static void thread_for_one(char **argv)
{
	char bytes[100];
	int fd = data_file(1 << 16, O_RDWR), pair[2];
	struct aiocb b = request(fd, bytes, 100, 0);
	pthread_attr_t a;
	sigset_t set;

	(void)argv;
	sigfillset(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 1 << 20);
	pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
	watched = &b;
	b.aio_sigevent = by_thread(5, NULL);
	aio_read(&b);
	tell_thread("read", 1);
	tell_end("read", &b);
	b.aio_sigevent = by_thread(6, &a);
	aio_write(&b);
	tell_thread("write", 1);
	tell_end("write", &b);
	need(pipe(pair) == 0, "pipe");
	b = request(pair[0], bytes, 100, 0);
	b.aio_sigevent = by_thread(7, &a);
	aio_read(&b);
	need(write(pair[1], "text", 4) == 4, "write");
	tell_thread("pipe", 1);
	tell_end("pipe", &b);
}

static void make_list(struct aiocb *b, struct aiocb **list, int fd, char bytes[MANY][64])
{
	for (int i = 0; i < MANY; i++) {
		b[i] = request(fd, bytes[i], 64, (long)i * 64);
		b[i].aio_lio_opcode = i % 4 == 3 ? LIO_NOP : i % 4 == 2 ? LIO_WRITE : LIO_READ;
		list[i] = i == 5 ? NULL : &b[i];
	}
}

static void tell_list(const char *what, struct aiocb **list)
{
	long all = 0, wrong = 0;

	for (int i = 0; i < MANY; i++)
		if (list[i] && list[i]->aio_lio_opcode != LIO_NOP) {
			long n = await(list[i]);

			all += n;
			wrong += n < 0;
		}
	tell("%s: %ld bytes, %ld wrong", what, all, wrong);
}

static void list_wait(char **argv)
{
	static char bytes[MANY][64];
	struct aiocb b[MANY], *list[MANY];
	int fd = data_file(sizeof bytes, O_RDWR);
	struct sigevent e = by_signal(SIGUSR1, 3);

	(void)argv;
	catch(SIGUSR1);
	make_list(b, list, fd, bytes);
	tell("all right: %s", result_text(lio_listio(LIO_WAIT, list, MANY, NULL)));
	tell_list("all right", list);
	make_list(b, list, fd, bytes);
	tell("event not used: %s, %d", result_text(lio_listio(LIO_WAIT, list, MANY, &e)), (int)signals);
	make_list(b, list, fd, bytes);
	b[2].aio_fildes = 77;
	tell("a bad fd: %s", result_text(lio_listio(LIO_WAIT, list, MANY, NULL)));
	tell_list("a bad fd", list);
	make_list(b, list, fd, bytes);
	b[2].aio_buf = (void *)16;
	tell("a bad address: %s", result_text(lio_listio(LIO_WAIT, list, MANY, NULL)));
	tell_list("a bad address", list);
	make_list(b, list, fd, bytes);
	b[4].aio_lio_opcode = 99;
	tell("a bad operation: %s", result_text(lio_listio(LIO_WAIT, list, MANY, NULL)));
	tell_list("a bad operation", list);
	make_list(b, list, fd, bytes);
	b[4].aio_reqprio = 99;
	tell("a bad priority: %s", result_text(lio_listio(LIO_WAIT, list, MANY, NULL)));
	tell_list("a bad priority", list);
	tell("a bad mode: %s", result_text(lio_listio(77, list, MANY, NULL)));
	tell("none: %s", result_text(lio_listio(LIO_WAIT, list, 0, NULL)));
	for (int i = 0; i < MANY; i++)
		list[i] = NULL;
	tell("only NULL: %s", result_text(lio_listio(LIO_WAIT, list, MANY, NULL)));
}

/* Reads from pipes, which are over when they are written to.  */
static void make_waiting(struct aiocb *b, struct aiocb **list, char bytes[MANY][64])
{
	for (int i = 0; i < MANY; i++) {
		need(pipe(ends[i]) == 0, "pipe");
		b[i] = request(ends[i][0], bytes[i], 64, 0);
		b[i].aio_lio_opcode = LIO_READ;
		list[i] = &b[i];
	}
}

static void write_to_all(void)
{
	for (int i = 0; i < MANY; i++)
		need(write(ends[i][1], "text", 4) == 4, "write");
}

static void list_signal(char **argv)
{
	static char bytes[MANY][64];
	struct aiocb b[MANY], *list[MANY];
	int fd = data_file(sizeof bytes, O_RDWR);
	struct sigevent e = by_signal(SIGUSR1, 3);

	(void)argv;
	catch(SIGUSR1);
	catch(SIGRTMIN);
	make_list(b, list, fd, bytes);
	tell("a file: %s", result_text(lio_listio(LIO_NOWAIT, list, MANY, &e)));
	tell_signals(1);
	tell_list("a file", list);
	make_waiting(b, list, bytes);
	tell("pipes: %s", result_text(lio_listio(LIO_NOWAIT, list, MANY, &e)));
	moment();
	tell("before: %d", (int)signals);
	write_to_all();
	tell_signals(2);
	tell_list("pipes", list);
	for (int i = 0; i < MANY; i++)
		b[i].aio_lio_opcode = LIO_NOP;
	tell("nothing: %s", result_text(lio_listio(LIO_NOWAIT, list, MANY, &e)));
	tell_signals(3);
	make_list(b, list, fd, bytes);
	for (int i = 0; i < MANY; i++)
		b[i].aio_sigevent = by_signal(SIGRTMIN, 100);
	tell("each: %s", result_text(lio_listio(LIO_NOWAIT, list, MANY, NULL)));
	tell_list("each", list);
	tell_signals(3 + MANY / 4 * 3 - 1);
}

static void list_thread(char **argv)
{
	static char bytes[MANY][64];
	struct aiocb b[MANY], *list[MANY];
	int fd = data_file(sizeof bytes, O_RDWR);
	struct sigevent e = by_thread(4, NULL);

	(void)argv;
	make_list(b, list, fd, bytes);
	tell("a file: %s", result_text(lio_listio(LIO_NOWAIT, list, MANY, &e)));
	tell_thread("a file", 1);
	tell_list("a file", list);
	make_waiting(b, list, bytes);
	tell("pipes: %s", result_text(lio_listio(LIO_NOWAIT, list, MANY, &e)));
	moment();
	tell("before: %d", threads_seen);
	write_to_all();
	tell_thread("pipes", 1);
	tell_list("pipes", list);
}

/* Writes to the same place, one of them in a list with what only libc serves: the later one is what remains.  */
static void list_of_both(char **argv)
{
	enum { ROUNDS = 20, SIZE = 4 << 20 };
	static char first[SIZE], second[SIZE], found[SIZE], zero[8];
	int fd = data_file(0, O_RDWR), device = open("/dev/zero", O_RDONLY), wrong = 0;

	(void)argv;
	memset(first, 1, SIZE);
	memset(second, 2, SIZE);
	for (int i = 0; i < ROUNDS; i++) {
		bool list_is_first = i % 2;
		struct aiocb a = request(fd, list_is_first ? second : first, SIZE, 0);
		struct aiocb b = request(fd, list_is_first ? first : second, SIZE, 0), c = request(device, zero, sizeof zero, 0);
		struct aiocb *list[] = {&b, &c};

		b.aio_lio_opcode = LIO_WRITE;
		c.aio_lio_opcode = LIO_READ;
		need(list_is_first || aio_write(&a) == 0, "aio_write");
		need(lio_listio(LIO_NOWAIT, list, 2, NULL) == 0, "lio_listio");
		need(!list_is_first || aio_write(&a) == 0, "aio_write");
		need(await(&a) == SIZE && await(&b) == SIZE && await(&c) == sizeof zero, "all is over");
		need(pread(fd, found, SIZE, 0) == SIZE, "pread");
		wrong += memcmp(found, second, SIZE) != 0;
	}
	tell("%d wrong", wrong);
}

/* Two wait for what comes at once: none knows of the second before the first.  */
static void told_in_order(char **argv)
{
	enum { TIMES = 100 };
	int pair[2], wrong = 0;

	(void)argv;
	need(pipe(pair) == 0, "pipe");
	for (int i = 0; i < TIMES; i++) {
		char bytes[2];
		struct aiocb b[2] = {request(pair[0], &bytes[0], 1, 0), request(pair[0], &bytes[1], 1, 0)};
		const struct aiocb *second = &b[1];

		need(aio_read(&b[0]) == 0 && aio_read(&b[1]) == 0, "aio_read");
		usleep(1000);
		need(write(pair[1], "ab", 2) == 2, "write");
		need(aio_suspend(&second, 1, NULL) == 0, "aio_suspend");
		wrong += aio_error(&b[0]) == EINPROGRESS;
		await(&b[0]);
		await(&b[1]);
		wrong += bytes[0] != 'a' || bytes[1] != 'b';
	}
	tell("%d of %d wrong", wrong, TIMES);
}

/* A page whose writers are stopped: userfaultfd(2).  */
static struct stalled {
	int fault;
	void *page;
} stalled;

static bool stall(bool on)
{
	struct uffdio_writeprotect protect = {
		.range = {.start = (uintptr_t)stalled.page, .len = PAGE},
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(stalled.fault, UFFDIO_WRITEPROTECT, &protect) == 0;
}

static bool make_stalled_page(void)
{
	struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP};
	struct uffdio_register page = {.mode = UFFDIO_REGISTER_MODE_WP, .range.len = PAGE};

	stalled.fault = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	stalled.page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	page.range.start = (uintptr_t)stalled.page;
	return stalled.fault >= 0 && ioctl(stalled.fault, UFFDIO_API, &api) == 0 && ioctl(stalled.fault, UFFDIO_REGISTER, &page) == 0 &&
	       stall(true) && stall(false);
}

/* Who tells of what is in the page is stopped for a moment.  */
static void *await_stall(void *arg)
{
	struct uffd_msg message;

	(void)arg;
	need(read(stalled.fault, &message, sizeof message) == sizeof message, "userfaultfd");
	moment();
	need(stall(false), "UFFDIO_WRITEPROTECT");
	return NULL;
}

/* Two reads, the first the shorter, and a sync: who knows that this is over knows that they are.  */
static bool sync_is_last(int fd, char *bytes, size_t size)
{
	struct aiocb *part = stalled.page, all = request(fd, bytes, size, 0), sync = request(fd, NULL, 0, 0);
	pthread_t thread;
	bool last;

	*part = request(fd, bytes + size, size / 4, 0);
	need(pthread_create(&thread, NULL, await_stall, NULL) == 0, "pthread_create");
	need(aio_read(part) == 0 && stall(true) && aio_read(&all) == 0, "aio_read");
	need(aio_fsync(O_DSYNC, &sync) == 0, "aio_fsync");
	need(await(&sync) == 0, "the sync");
	last = aio_error(part) != EINPROGRESS && aio_error(&all) != EINPROGRESS;
	need(await(part) == (ssize_t)(size / 4) && await(&all) == (ssize_t)size, "the reads");
	/* Perhaps it was over before it could be stopped. */
	((volatile char *)stalled.page)[PAGE - 1] = 0;
	need(pthread_join(thread, NULL) == 0, "pthread_join");
	return last;
}

static void told_before_sync(char **argv)
{
	enum { SIZE = 16 << 20, TIMES = 8 };
	int fd = data_file(SIZE, O_RDWR);
	char *bytes;
	int wrong = 0;

	(void)argv;
	if (!make_stalled_page()) {
		tell("no userfaultfd");
		return;
	}
	bytes = calloc(2, SIZE);
	for (int i = 0; i < TIMES; i++)
		wrong += !sync_is_last(fd, bytes, SIZE);
	free(bytes);
	tell("%d of %d wrong", wrong, TIMES);
}

const struct behaviour notice_behaviours[] = {
	{"signal-for-one", signal_for_one}, {"no-such-signal", no_such_signal}, {"signal-before-end", signal_before_end},
	{"thread-for-one", thread_for_one}, {"list-wait", list_wait}, {"list-signal", list_signal}, {"list-thread", list_thread},
	{"list-of-both", list_of_both}, {"told-in-order", told_in_order},
	{"told-before-sync", told_before_sync}, {NULL, NULL},
};
