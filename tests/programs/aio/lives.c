/* lives.c - requests and the life of threads, processes and fds; and what only eagain does.  */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "aio.h"

static void *use(void *arg)
{
	enum { ROUNDS = 200, SIZE = 4096 };
	long at = (long)(intptr_t)arg, wrong = 0;
	unsigned char *written = malloc(SIZE), *seen = malloc(SIZE);
	int fd = open("data", O_RDWR);

	for (int i = 0; i < ROUNDS; i++) {
		struct aiocb b = request(fd, written, SIZE, at * SIZE), c = request(fd, seen, SIZE, at * SIZE);

		memset(written, i + (int)at, SIZE);
		wrong += aio_write(&b) != 0 || await(&b) != SIZE;
		wrong += aio_read(&c) != 0 || await(&c) != SIZE || memcmp(written, seen, SIZE) != 0;
	}
	free(written);
	free(seen);
	close(fd);
	return (void *)(intptr_t)wrong;
}

static void threads(char **argv)
{
	pthread_t thread[8];
	long wrong = 0;
	void *result;

	(void)argv;
	data_file(0, O_RDWR);
	for (int i = 0; i < 8; i++)
		need(pthread_create(&thread[i], NULL, use, (void *)(intptr_t)i) == 0, "pthread_create");
	for (int i = 0; i < 8; i++) {
		pthread_join(thread[i], &result);
		wrong += (long)(intptr_t)result;
	}
	tell("%ld wrong", wrong);
}

static struct aiocb pending;
static int ends[2];
static char bytes[10];

static void *begin(void *arg)
{
	pending = request(ends[0], bytes, sizeof bytes, 0);
	need(aio_read(&pending) == 0, "aio_read");
	return arg;
}

/* The last thread of the program's ends: so does the process, with nothing under way.  */
static void main_ends(char **argv)
{
	(void)argv;
	data_file(0, O_RDWR);
	tell("%d", (int)(intptr_t)use((void *)1));
	pthread_exit(NULL);
}

/* The last thread of the program's ends while a request waits: what remains is left to whoever serves it, and to exit(3) there.  */
static void last_waits(char **argv)
{
	struct timespec pause = {.tv_sec = 1, .tv_nsec = 500000000};

	(void)argv;
	need(pipe(ends) == 0, "pipe");
	begin(NULL);
	if (fork() == 0) {
		nanosleep(&pause, NULL);
		need(write(ends[1], "text", 4) == 4, "write");
		_exit(0);
	}
	printf("written by exit\n");
	pthread_exit(NULL);
}

/* There is nothing to do for long.  */
static void pauses(char **argv)
{
	struct timespec pause = {.tv_sec = 1, .tv_nsec = 100000000};

	(void)argv;
	data_file(0, O_RDWR);
	for (int i = 0; i < 3; i++) {
		tell("%d", (int)(intptr_t)use((void *)1));
		nanosleep(&pause, NULL);
	}
}

/* Which takes a while.  */
enum { MUCH = 32 << 20 };

static void *begin_write(void *arg)
{
	static char much[MUCH];

	pending = request(data_file(0, O_RDWR), much, sizeof much, 0);
	need(aio_write(&pending) == 0, "aio_write");
	return arg;
}

/* Who asked is gone when it is over.  */
static void thread_ends(char **argv)
{
	pthread_t thread = 0;

	(void)argv;
	need(pthread_create(&thread, NULL, begin_write, NULL) == 0, "begin");
	pthread_join(thread, NULL);
	tell_end("written", &pending);
	unlink("data");
	need(pipe(ends) == 0 && pthread_create(&thread, NULL, begin, NULL) == 0, "begin");
	pthread_join(thread, NULL);
	moment();
	need(write(ends[1], "text", 4) == 4, "write");
	tell_end("read", &pending);
}

static int wait_for(pid_t pid)
{
	int status = 0;

	need(pid >= 0 && waitpid(pid, &status, 0) == pid, "wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void forks(char **argv)
{
	pid_t pid;

	(void)argv;
	data_file(0, O_RDWR);
	pid = fork();
	if (pid == 0)
		_exit((int)(intptr_t)use((void *)1));
	tell("a child: %d", wait_for(pid));
	need(pipe(ends) == 0, "pipe");
	begin(NULL);
	moment();
	pid = fork();
	if (pid == 0)
		_exit(aio_error(&pending) == EINPROGRESS ? 7 : 8);
	tell("a child, with a request under way: %d", wait_for(pid));
	need(write(ends[1], "text", 4) == 4, "write");
	tell_end("read", &pending);
	tell("here: %d", (int)(intptr_t)use((void *)2));
}

/* A child of a process that has used it: with libc it waits for ever.  */
static void forks_later(char **argv)
{
	pid_t pid;

	(void)argv;
	data_file(0, O_RDWR);
	tell("here: %d", (int)(intptr_t)use((void *)1));
	need(pipe(ends) == 0, "pipe");
	begin(NULL);
	for (int i = 0; i < 3; i++) {
		pid = fork();
		if (pid == 0)
			_exit((int)(intptr_t)use((void *)3));
		tell("a child: %d", wait_for(pid));
	}
	need(write(ends[1], "text", 4) == 4, "write");
	tell_end("read", &pending);
}

static void ends_in_flight(char **argv)
{
	pid_t pid = fork();

	need(pid >= 0 && pipe(ends) == 0, "fork");
	if (pid == 0) {
		begin(NULL);
		exit(5);
	}
	tell("exit: %d", wait_for(pid));
	pid = fork();
	if (pid == 0) {
		begin(NULL);
		moment();
		kill(getpid(), SIGKILL);
	}
	tell("killed: %d", wait_for(pid));
	begin(NULL);
	moment();
	if (!argv[0])
		return;
	execv(argv[0], argv);
	need(false, argv[0]);
}

static void closed(char **argv)
{
	static unsigned char much[1 << 20];
	int fd = data_file(0, O_RDWR);
	struct aiocb b = request(fd, much, sizeof much, 0);
	long n;

	(void)argv;
	need(aio_write(&b) == 0, "aio_write");
	close(fd);
	n = await(&b);
	unlink("data");
	tell("written or not: %d", n == sizeof much || (n < 0 && errno == EBADF));
	need(pipe(ends) == 0, "pipe");
	begin(NULL);
	moment();
	close(ends[0]);
	moment();
	tell("after close: %s", strerrorname_np(aio_error(&pending)));
	need(write(ends[1], "text", 4) == 4, "write");
	tell_end("read", &pending);
}

/* What ends meanwhile interrupts no other call.  */
static void undisturbed(char **argv)
{
	static unsigned char block[4096], zeros[4096];
	int fd = data_file(1 << 20, O_RDWR), epoll = epoll_create1(0), other[2], wrong = 0;
	struct epoll_event e;
	struct aiocb b[32];

	(void)argv;
	need(pipe(other) == 0, "pipe");
	for (int round = 0; round < 5; round++) {
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		for (int i = 0; i < 32; i++) {
			b[i] = request(fd, i % 8 ? block : zeros, sizeof block, (long)i * 4096);
			need((i % 8 ? aio_read(&b[i]) : aio_write(&b[i])) == 0, "aio");
		}
		wrong += epoll_wait(epoll, &e, 1, 50) != 0;
		for (int i = 0; i < 32; i++)
			wrong += await(&b[i]) != 4096;
	}
	tell("%d wrong", wrong);
}

/* A read of what is in memory: libc's thread, which never ends here, has done it, or nobody had to.  */
static void threads_of_its_own(char **argv)
{
	struct aioinit never = {.aio_threads = 20, .aio_num = 64, .aio_idle_time = 1000000};
	char to[100];
	struct aiocb b = request(data_file(sizeof to, O_RDONLY), to, sizeof to, 0);
	DIR *dir = opendir("/proc/self/task");
	int n = 0;

	(void)argv;
	aio_init(&never);
	need(dir && aio_read(&b) == 0, "aio_read");
	tell_end("read", &b);
	for (struct dirent *e; (e = readdir(dir));)
		n += e->d_name[0] != '.';
	closedir(dir);
	tell("threads: %d", n);
}

static void set_filter(unsigned refused, unsigned flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refused, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof code / sizeof *code, code};

	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
	need(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0, "seccomp");
}

/* All threads enter a sandbox, with requests under way and later.  */
static void sandbox(char **argv)
{
	(void)argv;
	data_file(0, O_RDWR);
	tell("before: %d", (int)(intptr_t)use((void *)1));
	set_filter(SYS_personality, SECCOMP_FILTER_FLAG_TSYNC);
	tell("in it: %d", (int)(intptr_t)use((void *)2));
}

static void sandbox_in_flight(char **argv)
{
	(void)argv;
	data_file(0, O_RDWR);
	begin_write(NULL);
	set_filter(SYS_personality, 0);
	/* Behind what is being written still.  */
	tell("in it: %d", (int)(intptr_t)use((void *)(MUCH / 4096)));
	tell_end("written", &pending);
	unlink("data");
	need(pipe(ends) == 0, "pipe");
	begin(NULL);
	need(write(ends[1], "text", 4) == 4, "write");
	tell_end("read", &pending);
}

/* The descriptors of a process that uses it are those of one that does not.  */
static void numbers(char **argv)
{
	struct rlimit limit = {20, 20};
	int first = dup(0), n = 0;

	(void)argv;
	data_file(0, O_RDWR);
	close(first);
	tell("%d", (int)(intptr_t)use((void *)1));
	need(pipe(ends) == 0, "pipe");
	begin(NULL);
	moment();
	need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
	for (int fd; (fd = dup(0)) >= 0; n++)
		tell("%d", fd);
	tell("%d, %s", n, strerrorname_np(errno));
	need(write(ends[1], "text", 4) == 4, "write");
	tell_end("read", &pending);
}

/* As a user who may have one more thread.  */
static void few_threads(char **argv)
{
	enum { WRITES = 8, SIZE = 256 << 10, NOBODY_ELSE = 47123 };
	static char block[SIZE];
	struct rlimit limit = {2, 2};
	struct aiocb b[WRITES], c;
	int fd = data_file(0, O_RDWR);

	(void)argv;
	need(setgid(NOBODY_ELSE) == 0 && setuid(NOBODY_ELSE) == 0 && setrlimit(RLIMIT_NPROC, &limit) == 0, "a user's limit");
	for (int i = 0; i < WRITES; i++) {
		b[i] = request(fd, block, SIZE, (off_t)i * SIZE);
		tell("%s", result_text(aio_write(&b[i])));
	}
	for (int i = 0; i < WRITES; i++)
		tell_end("write", &b[i]);
	c = request(fd, NULL, 0, 0);
	tell("%s", result_text(aio_fsync(O_SYNC, &c)));
	tell_end("fsync", &c);
}

enum { DEPTH = 32, PART = 64 << 10, ALL = DEPTH * PART, KILLS = 30 };

/* Writes with O_DIRECT, until it is killed; says when the first are over.  */
static void write_for_ever(int says)
{
	static struct aiocb b[DEPTH];
	const struct aiocb *list[1];
	int fd = open("data", O_RDWR | O_DIRECT);
	char *buffer = aligned_alloc(4096, PART);

	for (int n = 0;; n++) {
		struct aiocb *one = &b[n % DEPTH];

		list[0] = one;
		while (n >= DEPTH && aio_error(one) == EINPROGRESS)
			aio_suspend(list, 1, NULL);
		if (n == 2 * DEPTH)
			need(write(says, "", 1) == 1, "write");
		memset(buffer, n, PART);
		*one = request(fd, buffer, PART, (off_t)(n % DEPTH) * PART);
		need(aio_write(one) == 0, "aio_write");
	}
}

static unsigned long sum_of_file(int fd)
{
	static unsigned char *much;
	unsigned long sum = 5381;

	much = much ? much : aligned_alloc(4096, ALL);
	need(pread(fd, much, ALL, 0) == ALL, "pread");
	for (int i = 0; i < ALL; i += 64)
		sum = sum * 33 + much[i];
	return sum;
}

/* What was under way when a process was killed is over when it was waited for.  */
static void killed(char **argv)
{
	int fd = data_file(ALL, O_RDWR), direct = open("data", O_RDONLY | O_DIRECT), late = 0;
	struct timespec pause = {.tv_nsec = 20000000};
	unsigned long sum;
	pid_t pid;
	char c;

	(void)argv;
	fsync(fd);
	for (int i = 0; i < KILLS && direct >= 0; i++) {
		need(pipe(ends) == 0, "pipe");
		pid = fork();
		if (pid == 0)
			write_for_ever(ends[1]);
		need(read(ends[0], &c, 1) == 1 && kill(pid, SIGKILL) == 0, "kill");
		wait_for(pid);
		sum = sum_of_file(direct);
		nanosleep(&pause, NULL);
		late += sum_of_file(direct) != sum;
		close(ends[0]);
		close(ends[1]);
	}
	unlink("data");
	tell("late: %d", late);
}

/* Nor is a file in use, or a lock of it held, once it was closed after the result.  */
static void unlocked(char **argv)
{
	int held = 0;

	(void)argv;
	close(data_file(1 << 20, O_RDWR));
	for (int i = 0; i < 3000; i++) {
		static char space[8192];
		char *buffer = space + (4096 - (uintptr_t)space % 4096) % 4096;
		int fd = open("data", O_RDWR | O_DIRECT), other = open("data", O_RDONLY);
		struct aiocb b = request(fd, buffer, 4096, (i % 256) * 4096L);

		if (fd < 0)
			break;
		need(flock(fd, LOCK_EX) == 0 && (i % 2 ? aio_read(&b) : aio_write(&b)) == 0, "aio");
		held += await(&b) != 4096;
		close(fd);
		held += flock(other, LOCK_EX | LOCK_NB) != 0;
		close(other);
	}
	tell("held: %d", held);
}

/* The users of all threads, while there is one that serves.  */
static void rights(char **argv)
{
	enum { NOBODY_ELSE = 47124 };
	DIR *dir;
	int others = 0;

	(void)argv;
	data_file(0, O_RDWR);
	tell("as root: %d", (int)(intptr_t)use((void *)1));
	need(setgid(NOBODY_ELSE) == 0 && setuid(NOBODY_ELSE) == 0, "setuid");
	dir = opendir("/proc/self/task");
	for (struct dirent *e; (e = readdir(dir));) {
		char path[300], line[200], found = 0;
		FILE *status;
		unsigned uid;

		snprintf(path, sizeof path, "/proc/self/task/%s/status", e->d_name);
		status = e->d_name[0] == '.' ? NULL : fopen(path, "r");
		while (status && fgets(line, sizeof line, status))
			found |= sscanf(line, "Uid: %u", &uid) == 1 && uid == NOBODY_ELSE;
		others += status && !found;
		if (status)
			fclose(status);
	}
	tell("others: %d", others);
}

/* A thread with fds of its own, while one serves that has the others'.  With libc that would be in its way.  */
static void *write_to_own(void *arg)
{
	static char text[] = "mine\n";
	int fd;
	struct aiocb b;

	need(unshare(CLONE_FILES) == 0, "unshare");
	fd = open("own", O_CREAT | O_RDWR, 0600);
	b = request(fd, text, sizeof text - 1, 0);
	need(aio_write(&b) == 0, "aio_write");
	tell_end("written", &b);
	return arg;
}

static void own_fds(char **argv)
{
	pthread_t thread = 0;

	(void)argv;
	data_file(0, O_RDWR);
	tell("here: %d", (int)(intptr_t)use((void *)1));
	need(pthread_create(&thread, NULL, write_to_own, NULL) == 0, "pthread_create");
	pthread_join(thread, NULL);
	tell("here: %d", (int)(intptr_t)use((void *)1));
}

const struct behaviour life_behaviours[] = {
	{"threads", threads}, {"thread-ends", thread_ends}, {"main-ends", main_ends}, {"last-waits", last_waits},
	{"pauses", pauses}, {"forks", forks}, {"forks-later", forks_later},
	{"ends-in-flight", ends_in_flight}, {"closed", closed}, {"undisturbed", undisturbed}, {"threads-of-its-own", threads_of_its_own},
	{"sandbox", sandbox}, {"sandbox-in-flight", sandbox_in_flight}, {"numbers", numbers},
	{"few-threads", few_threads}, {"killed", killed}, {"unlocked", unlocked}, {"rights", rights}, {"own-fds", own_fds},
	{NULL, NULL},
};
