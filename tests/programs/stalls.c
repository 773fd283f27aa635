/* stalls.c - stalls poll|many|select|epoll CAUSE: an event loop that is kept from its polls by one cause, while its pipe is ready.
 *
 * The first byte is served by what CAUSE says, before which the second is written: ready at a known time, and served late.  Says on
 * stdout who the thread is, and which other thread held what it waited for.  Exits with 77 where the kernel does not allow it.  */
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <resolv.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

enum { LONG_US = 60000, SPINNERS = 4, SKIPPED = 77 };

static void fail(const char *what)
{
	perror(what);
	_exit(99);
}

static double cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void compute(void)
{
	double end = cpu() + LONG_US / 1e6;

	while (cpu() < end)
		for (volatile int i = 0; i < 100000; i++)
			;
}

/* Others that never stop, on this thread's only processor.  */
static void be_switched_out(void)
{
	pid_t spinners[SPINNERS], parent = getpid();
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof one, &one) < 0)
		fail("sched_setaffinity");
	for (int i = 0; i < SPINNERS; i++) {
		spinners[i] = fork();
		if (spinners[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			while (getppid() == parent)
				;
			_exit(0);
		}
	}
	compute();
	for (int i = 0; i < SPINNERS; i++)
		kill(spinners[i], SIGKILL);
}

/* The pages of memory that nobody has touched; huge ones would be few.  */
static void touch_pages(void)
{
	size_t size = 64 << 20;

	for (int round = 0; round < 4; round++) {
		char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED)
			fail("mmap");
		madvise(memory, size, MADV_NOHUGEPAGE);
		for (size_t i = 0; i < size; i += 4096)
			memory[i] = 1;
		munmap(memory, size);
	}
}

enum { FILE_SIZE = 8 << 20 };
static char *pages;

/* A file that is on its disk only.  */
static void map_file(void)
{
	static char block[1 << 20];
	static unsigned char cached[FILE_SIZE / 4096];
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	for (size_t n = 0; n < FILE_SIZE; n += sizeof block)
		if (write(fd, block, sizeof block) != sizeof block)
			fail("write");
	if (fsync(fd) < 0 || posix_fadvise(fd, 0, FILE_SIZE, POSIX_FADV_DONTNEED))
		fail("fsync");
	pages = mmap(NULL, FILE_SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
	if (pages == MAP_FAILED || madvise(pages, FILE_SIZE, MADV_RANDOM) < 0 || mincore(pages, FILE_SIZE, cached) < 0)
		fail("mmap");
	if (memchr(cached, 1, sizeof cached))
		exit(SKIPPED);
}

static void fault(void)
{
	for (size_t i = 0; i < FILE_SIZE; i += 4096)
		if (((volatile char *)pages)[i])
			fail("page");
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t semaphore;
static int futex_word = 1, slow_pipe[2], done;
static sem_t begun;

static void say_holder(void)
{
	printf("holder %d\n", gettid());
	fflush(stdout);
	sem_post(&begun);
	usleep(LONG_US);
}

static void *hold_mutex(void *unused)
{
	pthread_mutex_lock(&mutex);
	say_holder();
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void *hold_rwlock(void *unused)
{
	pthread_rwlock_wrlock(&rwlock);
	say_holder();
	pthread_rwlock_unlock(&rwlock);
	return unused;
}

static void *signal_condition(void *unused)
{
	say_holder();
	pthread_mutex_lock(&mutex);
	done = 1;
	pthread_cond_signal(&condition);
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void *post(void *unused)
{
	say_holder();
	sem_post(&semaphore);
	return unused;
}

static void *come_late(void *unused)
{
	say_holder();
	pthread_barrier_wait(&barrier);
	return unused;
}

static void *end_late(void *unused)
{
	say_holder();
	return unused;
}

static mtx_t c11_mutex;
static cnd_t c11_condition;

static void prepare_c11(void)
{
	if (mtx_init(&c11_mutex, mtx_plain) != thrd_success || cnd_init(&c11_condition) != thrd_success)
		fail("mtx_init");
}

static void *hold_mtx(void *unused)
{
	mtx_lock(&c11_mutex);
	say_holder();
	mtx_unlock(&c11_mutex);
	return unused;
}

static void *signal_cnd(void *unused)
{
	say_holder();
	mtx_lock(&c11_mutex);
	done = 1;
	cnd_signal(&c11_condition);
	mtx_unlock(&c11_mutex);
	return unused;
}

static void *hold_file(void *unused)
{
	int fd = open("locked", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	flock(fd, LOCK_EX);
	fcntl(fd, F_OFD_SETLK, &(struct flock){.l_type = F_WRLCK});
	say_holder();
	close(fd);
	return unused;
}

static void *wake_futex(void *unused)
{
	say_holder();
	__atomic_store_n(&futex_word, 0, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &futex_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	return unused;
}

static void *write_late(void *unused)
{
	say_holder();
	if (write(slow_pipe[1], "x", 1) != 1)
		fail("write");
	return unused;
}

/* Another thread that does that, and has begun.  */
static pthread_t beside(void *(*what)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, what, NULL))
		fail("pthread_create");
	while (sem_wait(&begun) < 0)
		;
	return thread;
}

static void wait_for_mutex(void)
{
	pthread_t thread = beside(hold_mutex);

	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	pthread_detach(thread);
}

static void wait_for_rwlock(void)
{
	pthread_t thread = beside(hold_rwlock);

	pthread_rwlock_rdlock(&rwlock);
	pthread_rwlock_unlock(&rwlock);
	pthread_detach(thread);
}

static void wait_for_condition(void)
{
	pthread_t thread = beside(signal_condition);

	pthread_mutex_lock(&mutex);
	while (!done)
		pthread_cond_wait(&condition, &mutex);
	pthread_mutex_unlock(&mutex);
	pthread_detach(thread);
}

static void wait_for_semaphore(void)
{
	pthread_t thread = beside(post);

	while (sem_wait(&semaphore) < 0)
		;
	pthread_detach(thread);
}

static void wait_for_barrier(void)
{
	pthread_t thread = beside(come_late);

	pthread_barrier_wait(&barrier);
	pthread_detach(thread);
}

static void wait_for_thread(void)
{
	pthread_join(beside(end_late), NULL);
}

static void wait_for_mtx(void)
{
	pthread_t thread = beside(hold_mtx);

	mtx_lock(&c11_mutex);
	mtx_unlock(&c11_mutex);
	pthread_detach(thread);
}

static void wait_for_cnd(void)
{
	struct timespec late = {.tv_sec = time(NULL) + 60};
	pthread_t thread = beside(signal_cnd);

	mtx_lock(&c11_mutex);
	while (!done)
		cnd_timedwait(&c11_condition, &c11_mutex, &late);
	mtx_unlock(&c11_mutex);
	pthread_detach(thread);
}

static void wait_for_thrd(void)
{
	thrd_join(beside(end_late), NULL);
}

static void sleep_in_c11(void)
{
	thrd_sleep(&(struct timespec){.tv_nsec = LONG_US * 1000L}, NULL);
}

static void wait_in_flock(void)
{
	pthread_t thread = beside(hold_file);
	int fd = open("locked", O_RDWR | O_CLOEXEC);

	flock(fd, LOCK_EX);
	close(fd);
	pthread_detach(thread);
}

static void wait_in_fcntl(void)
{
	pthread_t thread = beside(hold_file);
	int fd = open("locked", O_RDWR | O_CLOEXEC);

	fcntl(fd, F_SETLKW, &(struct flock){.l_type = F_WRLCK});
	close(fd);
	pthread_detach(thread);
}

static void wait_for_futex(void)
{
	pthread_t thread = beside(wake_futex);

	while (__atomic_load_n(&futex_word, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
	pthread_detach(thread);
}

static struct sockaddr_in name_server;

static void *send_signal(void *unused)
{
	say_holder();
	kill(getpid(), SIGUSR1);
	return unused;
}

/* Blocked in all threads until it is waited for.  */
static sigset_t awaited;

static void take_signal(int signal)
{
	(void)signal;
}

static void block_signal(void)
{
	signal(SIGUSR1, take_signal);
	sigaddset(&awaited, SIGUSR1);
	sigprocmask(SIG_BLOCK, &awaited, NULL);
}

static void wait_for_signal(void)
{
	pthread_t thread = beside(send_signal);
	int number;

	sigwait(&awaited, &number);
	pthread_detach(thread);
}

static void suspend(void)
{
	pthread_t thread = beside(send_signal);
	sigset_t none;

	sigemptyset(&none);
	sigsuspend(&none);
	pthread_detach(thread);
}

static int id;
static mqd_t queue;

static void *give_semaphore(void *unused)
{
	say_holder();
	semop(id, &(struct sembuf){.sem_op = 1}, 1);
	return unused;
}

static void wait_in_semop(void)
{
	pthread_t thread;

	id = semget(IPC_PRIVATE, 1, 0600);
	thread = beside(give_semaphore);
	semop(id, &(struct sembuf){.sem_op = -1}, 1);
	semctl(id, 0, IPC_RMID);
	pthread_detach(thread);
}

static struct { long type; char text[8]; } message = {1, "text"};

static void *send_message(void *unused)
{
	say_holder();
	msgsnd(id, &message, sizeof message.text, 0);
	return unused;
}

static void wait_in_msgrcv(void)
{
	pthread_t thread;

	id = msgget(IPC_PRIVATE, 0600);
	thread = beside(send_message);
	msgrcv(id, &message, sizeof message.text, 0, 0);
	msgctl(id, IPC_RMID, NULL);
	pthread_detach(thread);
}

static void *send_to_queue(void *unused)
{
	say_holder();
	mq_send(queue, "text", 4, 0);
	return unused;
}

static void wait_in_mq_receive(void)
{
	struct mq_attr small = {.mq_maxmsg = 2, .mq_msgsize = 16};
	char name[32], text[16];
	pthread_t thread;

	snprintf(name, sizeof name, "/stalls-%d", (int)getpid());
	queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &small);
	if (queue < 0)
		exit(SKIPPED);
	mq_unlink(name);
	thread = beside(send_to_queue);
	mq_receive(queue, text, sizeof text, NULL);
	mq_close(queue);
	pthread_detach(thread);
}

static void wait_in_lockf(void)
{
	pthread_t thread = beside(hold_file);
	int fd = open("locked", O_RDWR | O_CLOEXEC);

	if (lockf(fd, F_LOCK, 0) < 0)
		fail("lockf");
	close(fd);
	pthread_detach(thread);
}

static void wait_in_own_lock(void)
{
	pthread_t thread = beside(hold_file);
	int fd = open("locked", O_RDWR | O_CLOEXEC);

	fcntl(fd, F_OFD_SETLKW, &(struct flock){.l_type = F_WRLCK});
	close(fd);
	pthread_detach(thread);
}

static void wait_in_system(void)
{
	if (system("sleep 0.06"))
		fail("system");
}

static void wait_in_pclose(void)
{
	if (pclose(popen("sleep 0.06", "r")))
		fail("pclose");
}

/* A name server that takes its time, and then says that there is no such name.  */
static void *serve_names(void *unused)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, from;
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsigned char query[512];
	ssize_t n;

	if (bind(fd, (struct sockaddr *)&address, size) < 0 || getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		fail("bind");
	name_server = address;
	sem_post(&begun);
	while (size = sizeof from, (n = recvfrom(fd, query, sizeof query, 0, (struct sockaddr *)&from, &size)) >= 12) {
		usleep(LONG_US);
		query[2] |= 0x80;
		query[3] = 0x83;
		sendto(fd, query, (size_t)n, 0, (struct sockaddr *)&from, size);
	}
	return unused;
}

static void look_up_name(void)
{
	struct addrinfo *found;
	pthread_t thread = beside(serve_names);

	res_init();
	_res.nsaddr_list[0] = name_server;
	_res.nscount = 1;
	if (getaddrinfo("name.invalid", NULL, NULL, &found) == 0)
		fail("getaddrinfo");
	pthread_detach(thread);
}

static void do_sleep(void)
{
	usleep(LONG_US);
}

static void sleep_in_select(void)
{
	struct timeval t = {.tv_usec = LONG_US};

	select(0, NULL, NULL, NULL, &t);
}

static void read_slowly(void)
{
	pthread_t thread = beside(write_late);
	char c;

	if (read(slow_pipe[0], &c, 1) != 1)
		fail("read");
	pthread_detach(thread);
}

/* A poll inside of what an event loop calls, for one fd, is not the loop's.  */
static void poll_inside(void)
{
	pthread_t thread = beside(write_late);
	struct pollfd p = {.fd = slow_pipe[0], .events = POLLIN};

	if (poll(&p, 1, -1) != 1)
		fail("poll");
	pthread_detach(thread);
}

static void wait_for_child(void)
{
	pid_t child = fork();

	if (child == 0) {
		usleep(LONG_US);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

/* Two threads that wait for each other for good.  */
static void *wait_for_the_first(void *first)
{
	pthread_rwlock_wrlock(&rwlock);
	say_holder();
	pthread_join(*(pthread_t *)first, NULL);
	return NULL;
}

static void deadlock(void)
{
	static pthread_t self;
	pthread_t thread;

	self = pthread_self();
	pthread_create(&thread, NULL, wait_for_the_first, &self);
	sem_wait(&begun);
	puts("waits");
	fflush(stdout);
	pthread_rwlock_rdlock(&rwlock);
}

/* A child, which has not polled yet, and so cannot be late.  */
static void fork_child(void)
{
	struct pollfd p = {.fd = slow_pipe[0], .events = POLLIN};
	pid_t child = fork();

	if (child == 0) {
		usleep(LONG_US);
		poll(&p, 1, 0);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void nothing(void)
{
}

static const struct {
	const char *name;
	void (*run)(void), (*prepare)(void);
} causes[] = {
	{"nothing", nothing, NULL}, {"compute", compute, NULL}, {"switched-out", be_switched_out, NULL},
	{"minor-faults", touch_pages, NULL}, {"major-faults", fault, map_file}, {"mutex", wait_for_mutex, NULL},
	{"rwlock", wait_for_rwlock, NULL}, {"condition", wait_for_condition, NULL}, {"semaphore", wait_for_semaphore, NULL},
	{"barrier", wait_for_barrier, NULL}, {"join", wait_for_thread, NULL}, {"futex", wait_for_futex, NULL},
	{"sleep", do_sleep, NULL}, {"select-sleep", sleep_in_select, NULL}, {"read", read_slowly, NULL},
	{"poll-inside", poll_inside, NULL}, {"child", wait_for_child, NULL}, {"deadlock", deadlock, NULL},
	{"fork", fork_child, NULL}, {"mtx", wait_for_mtx, prepare_c11}, {"cnd", wait_for_cnd, prepare_c11},
	{"thrd", wait_for_thrd, NULL}, {"thrd-sleep", sleep_in_c11, NULL},
	{"flock", wait_in_flock, NULL}, {"fcntl", wait_in_fcntl, NULL}, {"lockf", wait_in_lockf, NULL},
	{"own-lock", wait_in_own_lock, NULL}, {"sigwait", wait_for_signal, block_signal}, {"sigsuspend", suspend, block_signal},
	{"semop", wait_in_semop, NULL}, {"msgrcv", wait_in_msgrcv, NULL}, {"mq-receive", wait_in_mq_receive, NULL},
	{"system", wait_in_system, NULL}, {"pclose", wait_in_pclose, NULL}, {"getaddrinfo", look_up_name, NULL},
};

static int epoll;

static void watch(const char *way, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	if (strcmp(way, "epoll") != 0)
		return;
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		fail("epoll_ctl");
}

/* So many, and so often, that the set is kept.  */
static int poll_many(int fd)
{
	static struct pollfd many[100];

	for (size_t i = 0; i < sizeof many / sizeof *many && !many[i].events; i++)
		many[i] = (struct pollfd){.fd = i ? dup(slow_pipe[0]) : fd, .events = POLLIN};
	for (int i = 0; i < 20; i++)
		poll(many, sizeof many / sizeof *many, 0);
	return poll(many, sizeof many / sizeof *many, -1);
}

static void wait_until_ready(const char *way, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct epoll_event e;
	fd_set in;

	if (!strcmp(way, "poll") && poll(&p, 1, -1) == 1)
		return;
	if (!strcmp(way, "many") && poll_many(fd) == 1)
		return;
	FD_ZERO(&in);
	FD_SET(fd, &in);
	if (!strcmp(way, "select") && select(fd + 1, &in, NULL, NULL, NULL) == 1)
		return;
	if (!strcmp(way, "epoll") && epoll_wait(epoll, &e, 1, -1) == 1)
		return;
	fail(way);
}

static void serve(void (*cause)(void), int fds[2])
{
	char c;

	if (read(fds[0], &c, 1) != 1)
		fail("read");
	if (c == '2')
		exit(0);
	if (write(fds[1], "2", 1) != 1)
		fail("write");
	cause();
}

int main(int argc, char **argv)
{
	void (*cause)(void) = NULL, (*prepare)(void) = NULL;
	int fds[2];

	for (size_t i = 0; argc == 3 && i < sizeof causes / sizeof *causes; i++)
		if (!strcmp(argv[2], causes[i].name)) {
			cause = causes[i].run;
			prepare = causes[i].prepare;
		}
	if (!cause || pipe(fds) < 0 || pipe(slow_pipe) < 0)
		return 98;
	sem_init(&begun, 0, 0);
	sem_init(&semaphore, 0, 0);
	pthread_barrier_init(&barrier, NULL, 2);
	printf("loop %d\n", gettid());
	fflush(stdout);
	watch(argv[1], fds[0]);
	if (prepare)
		prepare();
	if (write(fds[1], "1", 1) != 1)
		fail("write");
	for (;;) {
		wait_until_ready(argv[1], fds[0]);
		serve(cause, fds);
	}
}
