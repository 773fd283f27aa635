/* loom.c - two threads and one fd, in every order that there is of one's instructions and the other's whole operation.
 *
 * The first thread is stepped (ptrace(2)) through n instructions of its operation and held there, the second one does all of its
 * own, and the first goes on; for n from 0 to where the operation ends.  Then a poll of all fds says what polls of a few at a time
 * say, which nobody keeps; no byte is lost; what --readiness watches is what is open; each request of POSIX AIO ends, and has done
 * what it says.  Every STRIDE instructions, to begin with OFFSET: all of them by 1 0.  */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../tracer/format.h"
#include "traps.h"

enum { POLLED = 80, FIRST = 300, ONE = FIRST + 7, OTHER = FIRST + 40, WARM = 20, FDS = 4096, FEW = 40, LOOKS = 20000, ASLEEP = 50 };

static struct loom {
	volatile pid_t tid; /* the first thread */
	volatile bool is_seized, go, first_is_done, second_is_done, is_over;
	volatile unsigned odd, trials;
	volatile long result; /* of the first's operation */
} * loom;

static int silent[2], ready[2]; /* pipes: nothing in it, and one byte */
static int bytes[2], others[2]; /* a pipe and a socket, for reads */
static struct pollfd array[POLLED];

static void put_back(int number, int fd)
{
	need(dup2(fd, number) == number, "dup2");
}

static long poll_all(void)
{
	return poll(array, POLLED, 0);
}

static void keep_silent(void)
{
	put_back(ONE, silent[0]);
	put_back(OTHER, silent[0]);
	for (int i = 0; i < POLLED; i++)
		array[i] = (struct pollfd){.fd = FIRST + i, .events = POLLIN};
	/* So often that to keep it pays; and what was not open is not left to the kernel for good. */
	array[ONE - FIRST].fd = -1;
	for (int i = 0; i < WARM; i++) {
		poll_all();
		array[ONE - FIRST].fd = ONE;
	}
}

static bool polls_right(void)
{
	struct pollfd kernels[POLLED];
	long result, wanted;

	memcpy(kernels, array, sizeof kernels);
	wanted = poll(kernels, FEW, 0) + poll(kernels + FEW, POLLED - FEW, 0);
	result = poll_all();
	return result == wanted && !memcmp(kernels, array, sizeof kernels);
}

static long close_one(void)
{
	return close(ONE);
}

static long replace_one(void)
{
	return dup2(ready[0], ONE);
}

static long poll_and_replace_other(void)
{
	poll_all();
	return dup2(ready[0], OTHER);
}

/* Five bytes under the number, and three in what takes its place.  */
static void fill(void)
{
	put_back(ONE, bytes[0]);
	need(write(bytes[1], "hello", 5) == 5 && write(others[1], "abc", 3) == 3, "write");
}

static long read_one(void)
{
	char c[8];
	long n = read(ONE, c, sizeof c);

	return n < 0 ? -errno : n == 5 && memcmp(c, "hello", 5) ? -1000 : n == 3 && memcmp(c, "abc", 3) ? -1000 : n;
}

static long replace_by_socket(void)
{
	return dup2(others[0], ONE);
}

/* What was not read is where it was.  */
static bool read_right(void)
{
	char c[8];
	long n = loom->result;
	bool right = n == 5 || n == 3 || n == -EBADF;

	put_back(ONE, others[0]);
	right &= n == 3 || read(ONE, c, sizeof c) == 3;
	put_back(ONE, bytes[0]);
	return right & (n == 5 || read(ONE, c, sizeof c) == 5);
}

/* How often the number is registered in the instance of --readiness, as this file; and as others.  False: there is none.  */
static bool find_watched(int number, ino_t inode, unsigned *as_this, unsigned *as_other)
{
	enum { ITS_EVENTS = EPOLLET | EPOLLRDHUP };
	static int instance = FDS;
	bool found = false;

	*as_this = *as_other = 0;
	/* Where it was, or below. */
	for (; !found && instance >= 0; instance -= !found) {
		char path[64], line[256];
		FILE *info;

		snprintf(path, sizeof path, "/proc/self/fdinfo/%d", instance);
		info = fopen(path, "r");
		while (info && fgets(line, sizeof line, info)) {
			unsigned long ino;
			unsigned events;
			int fd;

			if (sscanf(line, "tfd: %d events: %x data: %*x pos:%*d ino:%lx", &fd, &events, &ino) != 3 ||
			    (events & ITS_EVENTS) != ITS_EVENTS)
				continue;
			found = true;
			*as_this += fd == number && ino == inode;
			*as_other += fd == number && ino != inode;
		}
		if (info)
			fclose(info);
	}
	return found;
}

static void drain(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char c[64];

	while (poll(&p, 1, 0) == 1)
		need(read(fd, c, sizeof c) > 0, "read");
}

static void fill_anew(void)
{
	drain(bytes[0]);
	drain(others[0]);
	fill();
}

static void fill_and_use(void)
{
	char c;

	fill_anew();
	need(read(ONE, &c, 1) == 1, "read");
}

/* Nothing but what is open now; and that, once it is used.  */
static bool watched_right(void)
{
	unsigned now, other;
	struct stat st = {0};
	bool open = fstat(ONE, &st) == 0;

	if (!find_watched(ONE, st.st_ino, &now, &other))
		return true;
	if (other || (!open && now))
		return false;
	if (!open)
		return true;
	need(write(bytes[1], "x", 1) == 1 && write(others[1], "x", 1) == 1 && read_one() != -EBADF, "read");
	return find_watched(ONE, st.st_ino, &now, &other) && now == 1 && !other;
}

/* ---- Pipes with O_NONBLOCK that are polled: for --shield=all.  A read of one says EAGAIN.  */

static int empty[2], as_empty[2];
static long result_of_second;
static bool is_polled; /* what ONE is last */

static void prepare_polled(void)
{
	struct pollfd p = {.fd = ONE, .events = POLLIN};

	if (!empty[1])
		need(pipe2(empty, O_NONBLOCK) == 0 && pipe2(as_empty, O_NONBLOCK) == 0, "pipe2");
	put_back(ONE, empty[0]);
	need(poll(&p, 1, 0) == 0, "poll");
	is_polled = false;
}

/* -EINTR: it waits.  */
static long read_polled(void)
{
	const struct itimerval soon = {.it_value.tv_usec = 200000}, never = {0};
	char c;
	long n;

	handle(SIGALRM, no_handler, 0);
	setitimer(ITIMER_REAL, &soon, NULL);
	n = read(ONE, &c, 1) < 0 ? -errno : 0;
	setitimer(ITIMER_REAL, &never, NULL);
	return n;
}

static long fail_to_replace(void)
{
	return dup2(-1, ONE);
}

static long replace_by_empty(void)
{
	return dup2(as_empty[0], ONE);
}

static void poll_one(void)
{
	struct pollfd p = {.fd = ONE, .events = POLLIN};
	struct stat now, last;

	need(fstat(ONE, &now) == 0 && fstat(as_empty[0], &last) == 0, "fstat");
	is_polled = now.st_ino == last.st_ino;
	need(poll(&p, 1, 0) == 0, "poll");
}

static long read_at_once(void)
{
	return result_of_second = read_polled();
}

static long replace_and_poll(void)
{
	long fd = replace_by_empty();

	poll_one();
	result_of_second = read_polled();
	return fd;
}

static long poll_and_read(void)
{
	poll_one();
	return result_of_second = read_polled();
}

static long poll_and_fail_to_replace(void)
{
	poll_one();
	fail_to_replace();
	return result_of_second = read_polled();
}

static long fail_and_read(void)
{
	fail_to_replace();
	return result_of_second = read_polled();
}

/* Also when both are done; but what has been replaced, and not polled since, may wait.  */
static bool polled_right(void)
{
	return result_of_second == -EAGAIN && ((loom->result >= 0 && !is_polled) || read_polled() == -EAGAIN);
}

/* ---- Requests of POSIX AIO on a file, whose number is ONE.  */

enum { BLOCKS = 3, SIZE = 512 };

static struct aiocb block[BLOCKS];
static char data[BLOCKS][SIZE];
static int file = -1;

static void prepare_blocks(void)
{
	char path[] = "loom-XXXXXX";

	if (file < 0) {
		file = mkstemp(path);
		need(file >= 0 && unlink(path) == 0, "a file");
	}
	need(ftruncate(file, 0) == 0 && ftruncate(file, BLOCKS * SIZE) == 0, "ftruncate");
	put_back(ONE, file);
	for (int i = 0; i < BLOCKS; i++) {
		memset(data[i], 'a' + i, SIZE);
		block[i] = (struct aiocb){.aio_fildes = ONE, .aio_lio_opcode = LIO_WRITE, .aio_buf = data[i], .aio_nbytes = SIZE,
					  .aio_offset = i * SIZE, .aio_sigevent.sigev_notify = SIGEV_NONE};
	}
}

static void submit_two(void)
{
	for (int i = 1; i < BLOCKS; i++)
		need(aio_write(&block[i]) == 0, "aio_write");
}

static void prepare_submitted(void)
{
	prepare_blocks();
	submit_two();
}

static long submit(void)
{
	return aio_write(&block[0]);
}

static long submit_others(void)
{
	submit_two();
	return 0;
}

static long cancel(void)
{
	return aio_cancel(ONE, NULL);
}

static long submit_and_suspend(void)
{
	const struct aiocb *list[] = {&block[0]};

	return aio_write(&block[0]) ? -errno : aio_suspend(list, 1, NULL) ? -errno : aio_error(&block[0]) == EINPROGRESS;
}

static long write_list(void)
{
	struct aiocb *list[] = {&block[0], &block[1], &block[2]};

	return lio_listio(LIO_WAIT, list, BLOCKS, NULL) ? -errno : 0;
}

/* Each that was submitted ends, and the file has what it says it has written.  */
static bool blocks_right(void)
{
	bool right = true;

	for (int i = 0; i < BLOCKS; i++) {
		const struct aiocb *list[] = {&block[i]};
		char seen[SIZE];
		int error;
		bool written;

		while ((error = aio_error(&block[i])) == EINPROGRESS)
			aio_suspend(list, 1, NULL);
		written = aio_return(&block[i]) == SIZE;
		need(pread(file, seen, SIZE, i * SIZE) == SIZE, "pread");
		right &= (error == 0 || error == ECANCELED || error == EBADF) && written <= !error;
		right &= (memcmp(seen, data[i], SIZE) == 0) == written;
	}
	return right;
}

static bool list_right(void)
{
	bool right = blocks_right(), some = false;

	for (int i = 0; i < BLOCKS; i++)
		some |= aio_error(&block[i]) != 0;
	return right && loom->result == (some ? -EIO : 0);
}

static bool suspended_right(void)
{
	return blocks_right() && loom->result == 0;
}

/* ---- A recording that is switched, and a thread that ends.  */

/* As `eagain switch` does it.  */
static long switch_recording(void)
{
	static struct trace_control *control;
	const char *trace = getenv("EAGAIN_TRACE");
	char path[4096];
	int fd;

	if (!trace)
		return 0;
	if (!control) {
		snprintf(path, sizeof path, "%s/" TRACE_CONTROL_NAME, trace);
		fd = open(path, O_RDWR);
		control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		need(fd >= 0 && control != MAP_FAILED, "the control file");
		close(fd);
	}
	__atomic_fetch_xor(&control->off, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static long second_result;

static void *read_others(void *arg)
{
	char c[8];

	(void)arg;
	second_result = read(others[0], c, sizeof c);
	return NULL;
}

static long begin_and_end(void)
{
	pthread_t thread;

	need(pthread_create(&thread, NULL, read_others, NULL) == 0 && pthread_join(thread, NULL) == 0, "thread");
	return 0;
}

static bool both_read(void)
{
	return loom->result == 5 && second_result == 3;
}

static const struct weave {
	const char *name;
	void (*prepare)(void);
	long (*first)(void), (*second)(void);
	bool (*is_right)(void);
	bool ends; /* the first thread, each time: that is stepped through, too */
} weaves[] = {
	{"close, and poll", keep_silent, close_one, poll_all, polls_right, false},
	{"dup2, and poll", keep_silent, replace_one, poll_all, polls_right, false},
	{"dup2, and poll and dup2", keep_silent, replace_one, poll_and_replace_other, polls_right, false},
	{"poll, and close", keep_silent, poll_all, close_one, polls_right, false},
	{"poll, and dup2", keep_silent, poll_all, replace_one, polls_right, false},
	{"poll, and poll", keep_silent, poll_all, poll_all, polls_right, false},
	{"read, and close", fill, read_one, close_one, read_right, false},
	{"read, and dup2", fill, read_one, replace_by_socket, read_right, false},
	{"close, and use", fill_and_use, close_one, read_one, watched_right, false},
	{"dup2, and use", fill_and_use, replace_by_socket, read_one, watched_right, false},
	{"dup2, and first use", fill_anew, replace_by_socket, read_one, watched_right, false},
	{"first use, and close", fill_anew, read_one, close_one, watched_right, false},
	{"first use, and dup2", fill_anew, read_one, replace_by_socket, watched_right, false},
	{"failed dup2, and read", prepare_polled, fail_to_replace, read_at_once, polled_right, false},
	{"failed dup2, and failed dup2", prepare_polled, fail_to_replace, fail_and_read, polled_right, false},
	{"failed dup2, and dup2 and poll", prepare_polled, fail_to_replace, replace_and_poll, polled_right, false},
	{"dup2, and poll and read", prepare_polled, replace_by_empty, poll_and_read, polled_right, false},
	{"dup2, and poll and failed dup2", prepare_polled, replace_by_empty, poll_and_fail_to_replace, polled_right, false},
	{"submit, and cancel", prepare_blocks, submit, cancel, blocks_right, false},
	{"submit, and submit", prepare_blocks, submit, submit_others, blocks_right, false},
	{"submit, and close", prepare_blocks, submit, close_one, blocks_right, false},
	{"cancel, and submit", prepare_submitted, cancel, submit, blocks_right, false},
	{"close, and submit", prepare_submitted, close_one, submit, blocks_right, false},
	{"submit and suspend, and cancel", prepare_blocks, submit_and_suspend, cancel, suspended_right, false},
	{"list, and cancel", prepare_blocks, write_list, cancel, list_right, false},
	{"list, and close", prepare_blocks, write_list, close_one, list_right, false},
	{"read, and switch", fill, read_one, switch_recording, read_right, false},
	{"read and end, and begin", fill, read_one, begin_and_end, both_read, true},
};

static void wait_until(const volatile bool *what)
{
	while (!*what && !loom->is_over)
		hidden_syscall(SYS_sched_yield, 0, 0, 0);
}

static void *be_first(void *arg)
{
	const struct weave *w = arg;
	pid_t tid = (pid_t)hidden_syscall(SYS_gettid, 0, 0, 0);
	sigset_t timers;

	/* The timer's signal is the other thread's. */
	sigemptyset(&timers);
	sigaddset(&timers, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &timers, NULL);
	loom->tid = tid;
	wait_until(&loom->is_seized);
	while (!loom->is_over) {
		long result;

		/* Where the parent takes over. */
		hidden_syscall(SYS_tgkill, getpid(), tid, SIGTRAP);
		result = w->first();
		loom->result = result;
		if (w->ends)
			break;
		loom->first_is_done = true;
		while (loom->first_is_done && !loom->is_over)
			hidden_syscall(SYS_sched_yield, 0, 0, 0);
	}
	return NULL;
}

static void begin(void)
{
	struct rlimit limit;

	/* So that what is kept among threads can be. */
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max < FDS ? limit.rlim_max : FDS;
	setrlimit(RLIMIT_NOFILE, &limit);
	make_pipe(silent);
	make_pipe(ready);
	make_pipe(bytes);
	make_sockets(SOCK_STREAM, others);
	need(write(ready[1], "x", 1) == 1, "write");
	for (int i = 0; i < POLLED; i++)
		put_back(FIRST + i, silent[0]);
	keep_silent();
}

static void weave(const struct weave *w)
{
	pthread_t first;

	begin();
	w->prepare();
	for (bool starts = true; !loom->is_over; starts = w->ends) {
		if (starts)
			need(pthread_create(&first, NULL, be_first, (void *)(uintptr_t)w) == 0, "thread");
		wait_until(&loom->go);
		if (loom->is_over)
			break;
		loom->go = false;
		w->second();
		loom->second_is_done = true;
		if (w->ends)
			need(pthread_join(first, NULL) == 0, "join");
		else
			wait_until(&loom->first_is_done);
		loom->odd += !w->is_right();
		loom->trials++;
		w->prepare();
		loom->first_is_done = false;
	}
	_exit(0);
}

/* False: it has ended.  */
static bool wait_stopped(pid_t tid)
{
	int status;

	need(waitpid(tid, &status, __WALL) == tid && (WIFSTOPPED(status) || WIFEXITED(status)), "stop");
	return WIFSTOPPED(status);
}

/* The first thread, where its operation begins.  */
static pid_t seize(void)
{
	pid_t tid;

	while (!(tid = loom->tid))
		usleep(20);
	need(ptrace(PTRACE_SEIZE, tid, NULL, NULL) == 0, "ptrace");
	loom->tid = 0;
	loom->is_seized = true;
	need(wait_stopped(tid), "begin");
	loom->is_seized = false;
	return tid;
}

/* The first thread goes on; returns who is the first then.  */
static pid_t go_on(const struct weave *w, pid_t tid, bool has_ended)
{
	if (!has_ended) {
		ptrace(PTRACE_CONT, tid, NULL, NULL);
		has_ended = !wait_stopped(tid);
	}
	need(has_ended == w->ends, "an end");
	return has_ended ? seize() : tid;
}

/* False: its operation is shorter.  */
static bool step(pid_t tid, unsigned n, bool *has_ended)
{
	*has_ended = false;
	for (unsigned i = 0; i < n && !loom->first_is_done && !*has_ended; i++) {
		ptrace(PTRACE_SINGLESTEP, tid, NULL, NULL);
		*has_ended = !wait_stopped(tid);
	}
	return !loom->first_is_done && !*has_ended;
}

/* The second may wait for the first, which then has to go on.  */
static void let_second(pid_t second)
{
	int asleep = 0;

	loom->second_is_done = false;
	loom->go = true;
	for (int looks = 0; !loom->second_is_done && looks < LOOKS && asleep < ASLEEP; looks++) {
		usleep(20);
		asleep = !loom->go && thread_state(second) == 'S' ? asleep + 1 : 0;
	}
}

static void try_orders(const struct weave *w, unsigned stride, unsigned offset)
{
	bool more = true;
	pid_t pid, tid;

	memset(loom, 0, sizeof *loom);
	pid = fork();
	if (pid == 0)
		weave(w);
	tid = seize();
	for (unsigned n = offset; more; n += stride) {
		unsigned odd = loom->odd;
		bool has_ended;

		more = step(tid, n, &has_ended);
		let_second(pid);
		tid = go_on(w, tid, has_ended);
		if (loom->odd != odd)
			fprintf(stderr, "%s: odd after %u instructions\n", w->name, n);
	}
	tell("%s: odd %u", w->name, loom->odd);
	fprintf(stderr, "%s: %u orders\n", w->name, loom->trials);
	loom->is_over = true;
	kill(pid, SIGKILL);
	waitpid(tid, NULL, __WALL);
	waitpid(pid, NULL, 0);
}

/* STRIDE OFFSET [NAME].  */
static void in_every_order(char **argv)
{
	loom = mmap(NULL, sizeof *loom, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < sizeof weaves / sizeof *weaves; i++)
		if (!argv[2] || !strcmp(argv[2], weaves[i].name))
			try_orders(&weaves[i], (unsigned)atoi(argv[0]), (unsigned)atoi(argv[1]));
}

const struct trap loom_traps[] = {{"in-every-order", in_every_order}, {NULL, NULL}};
