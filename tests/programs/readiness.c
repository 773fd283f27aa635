/* readiness - serves late, or at once, what became ready at a known time; and does to its fds what may lose track of them.
 *
 *     readiness late|prompt|write|eof PIPE      PIPE: pipe, unix or tcp
 *     readiness cause compute|sleep|blocked
 *     readiness accept|fork|stdin|reuse|unseen|close-all|numbers|limit|files|exec|shared|threads
 *
 * What is served late has been ready for LATE_MS at least: the program has seen by FIONREAD that it is there, which is no read.  */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LATE_MS = 100, ROUNDS = 4, PROMPT_ROUNDS = 40, READ = 0, WRITE = 1 };

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "readiness: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void compute(double ms)
{
	double end = now_ms() + ms;

	while (now_ms() < end)
		;
}

static void sleep_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&t, &t) < 0)
		;
}

static int listen_on(struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t size = sizeof *address;

	*address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	need(fd >= 0 && bind(fd, (struct sockaddr *)address, size) == 0 && listen(fd, 5) == 0, "listen");
	need(getsockname(fd, (struct sockaddr *)address, &size) == 0, "getsockname");
	return fd;
}

static int connect_to(const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	need(fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0, "connect");
	return fd;
}

/* Two ends: what is written to fds[WRITE] can be read from fds[READ].  */
static void make(const char *kind, int fds[2])
{
	struct sockaddr_in address;
	int listener;

	if (!strcmp(kind, "pipe")) {
		need(pipe(fds) == 0, "pipe");
	} else if (!strcmp(kind, "unix")) {
		need(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "socketpair");
	} else {
		listener = listen_on(&address);
		fds[WRITE] = connect_to(&address);
		fds[READ] = accept(listener, NULL, NULL);
		need(fds[READ] >= 0, "accept");
		close(listener);
	}
}

static int is_there(int fd)
{
	int n = 0;

	need(ioctl(fd, FIONREAD, &n) == 0, "FIONREAD");
	return n;
}

static void put(int fd)
{
	need(write(fd, "x", 1) == 1, "write");
}

static void take(int fd)
{
	char byte;

	need(read(fd, &byte, 1) == 1, "read");
}

/* A child that writes a byte whenever it gets one; returns where to send it that.  */
static int start_writer(int to, int from)
{
	int command[2];

	make("pipe", command);
	if (fork() == 0) {
		char byte;

		close(command[WRITE]);
		close(from);
		while (read(command[READ], &byte, 1) == 1)
			put(to);
		_exit(0);
	}
	close(command[READ]);
	return command[WRITE];
}

static void late(const char *kind, void (*spend)(void))
{
	int fds[2], command;

	make(kind, fds);
	command = start_writer(fds[WRITE], fds[READ]);
	for (int i = 0; i < ROUNDS; i++) {
		put(command);
		while (!is_there(fds[READ]))
			;
		spend();
		take(fds[READ]);
	}
}

static void spend_computing(void)
{
	compute(LATE_MS);
}

static void spend_sleeping(void)
{
	sleep_ms(LATE_MS);
}

/* In a read of something else.  */
static void spend_blocked(void)
{
	int other[2];

	make("pipe", other);
	if (fork() == 0) {
		sleep_ms(LATE_MS);
		put(other[WRITE]);
		_exit(0);
	}
	take(other[READ]);
	close(other[READ]);
	close(other[WRITE]);
}

static void prompt(const char *kind)
{
	int fds[2];
	struct pollfd p = {.events = POLLIN};

	make(kind, fds);
	p.fd = fds[READ];
	if (fork() == 0) {
		for (int i = 0; i < PROMPT_ROUNDS; i++) {
			sleep_ms(5);
			put(fds[WRITE]);
		}
		_exit(0);
	}
	for (int i = 0; i < PROMPT_ROUNDS; i++) {
		need(poll(&p, 1, -1) == 1, "poll");
		take(fds[READ]);
	}
}

static void fill(int fd)
{
	static const char bytes[4096];

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	while (write(fd, bytes, sizeof bytes) > 0)
		;
	need(errno == EAGAIN, "write");
}

/* There is room again, and nobody writes.  */
static void late_write(const char *kind)
{
	int fds[2], done[2];
	struct pollfd p = {.events = POLLOUT};

	make(kind, fds);
	make("pipe", done);
	fill(fds[WRITE]);
	p.fd = fds[WRITE];
	if (fork() == 0) {
		static char bytes[1 << 22];
		ssize_t n;

		fcntl(fds[READ], F_SETFL, O_NONBLOCK);
		do {
			while ((n = read(fds[READ], bytes, sizeof bytes)) > 0)
				;
		} while (poll(&p, 1, 0) == 0);
		put(done[WRITE]);
		pause();
		_exit(0);
	}
	take(done[READ]);
	compute(LATE_MS);
	put(fds[WRITE]);
	kill(0, SIGTERM);
}

/* The reader, another process, sees the end as soon as this one has closed the only write end, though it goes on.  */
static void end_of_file(const char *kind)
{
	int fds[2], status;
	pid_t reader;

	make(kind, fds);
	fill(fds[WRITE]);
	reader = fork();
	if (reader == 0) {
		char bytes[4096];
		ssize_t n;

		close(fds[WRITE]);
		while ((n = read(fds[READ], bytes, sizeof bytes)) > 0)
			;
		_exit(n == 0 ? 7 : 1);
	}
	close(fds[READ]);
	close(fds[WRITE]);
	waitpid(reader, &status, 0);
	printf("the reader ended with %d\n", WEXITSTATUS(status));
}

static void late_accept(void)
{
	struct sockaddr_in address;
	int listener = listen_on(&address);

	for (int i = 0; i < ROUNDS; i++) {
		int client = connect_to(&address), connection;

		compute(LATE_MS);
		connection = accept(listener, NULL, NULL);
		need(connection >= 0, "accept");
		close(connection);
		close(client);
	}
}

/* A child reads what its parent has written.  */
static void in_child(void)
{
	int fds[2];

	make("pipe", fds);
	/* Each of them has an instance of its own. */
	put(fds[WRITE]);
	take(fds[READ]);
	if (fork() == 0) {
		char byte;

		close(fds[WRITE]);
		for (int i = 0; i < ROUNDS; i++) {
			take(fds[READ]);
			while (!is_there(fds[READ]))
				;
			compute(LATE_MS);
		}
		_exit(read(fds[READ], &byte, 1) == 1 ? 0 : 1);
	}
	close(fds[READ]);
	for (int i = 0; i <= ROUNDS; i++) {
		put(fds[WRITE]);
		sleep_ms(10);
	}
	wait(NULL);
}

static void late_stdin(void)
{
	while (!is_there(STDIN_FILENO))
		;
	compute(LATE_MS);
	take(STDIN_FILENO);
}

/* A pipe that lives on in a child is closed; its numbers are another's.  What is written to the old one makes nothing ready.  */
static void reuse(int seen)
{
	int old[2], new[2], command;

	make("pipe", old);
	put(old[WRITE]);
	take(old[READ]);
	command = start_writer(old[WRITE], -1);
	if (seen) {
		close(old[READ]);
		close(old[WRITE]);
	} else {
		syscall(SYS_close, old[READ]);
		syscall(SYS_close, old[WRITE]);
	}
	make("pipe", new);
	need(new[READ] == old[READ], "another number");
	put(new[WRITE]);
	take(new[READ]);
	put(command);
	sleep_ms(3 * LATE_MS);
	put(new[WRITE]);
	take(new[READ]);
}

/* Closes all that it has, and all that it has not.  */
static void close_all(void)
{
	int fds[2];

	for (int way = 0; way < 3; way++) {
		int errors = 0;

		make("unix", fds);
		put(fds[WRITE]);
		take(fds[READ]);
		if (way == 0)
			for (int fd = 3; fd < 1024; fd++)
				errors += close(fd) < 0 && errno == EBADF;
		else if (way == 1)
			closefrom(3);
		else
			close_range(3, ~0u, 0);
		printf("%d were closed already\n", errors);
	}
	late("pipe", spend_computing);
}

/* The numbers that it gets, up to the limit and again.  */
static void numbers(rlim_t limit)
{
	struct rlimit r = {limit, limit};
	int fds[2], fd;

	if (limit)
		need(setrlimit(RLIMIT_NOFILE, &r) == 0, "setrlimit");
	for (int round = 0; round < 2; round++) {
		make("unix", fds);
		put(fds[WRITE]);
		take(fds[READ]);
		do {
			fd = dup(STDERR_FILENO);
			printf("%d%s", fd, fd < 0 ? "\n" : " ");
		} while (fd >= 0 && fd < 700);
		put(fds[WRITE]);
		take(fds[READ]);
		closefrom(3);
	}
	late("pipe", spend_computing);
}

/* How many it gets where the last are opened without anybody's knowing, and then one with.  */
static void files(void)
{
	struct rlimit r = {32, 32};
	int fds[2], n = 0;

	need(setrlimit(RLIMIT_NOFILE, &r) == 0, "setrlimit");
	make("unix", fds);
	put(fds[WRITE]);
	take(fds[READ]);
	while (fopen("/dev/null", "r"))
		n++;
	while (open("/dev/null", O_RDONLY) >= 0)
		n++;
	printf("%d files\n", n);
	put(fds[WRITE]);
	take(fds[READ]);
}

/* Becomes a program that reads fd 0 late.  */
static void into_exec(char *self)
{
	int fds[2];

	make("unix", fds);
	put(fds[WRITE]);
	take(fds[READ]);
	dup2(fds[READ], STDIN_FILENO);
	if (fork() == 0) {
		sleep_ms(50);
		put(fds[WRITE]);
		_exit(0);
	}
	execl(self, self, "stdin", NULL);
	need(0, "execl");
}

/* What makes two processes ready is taken by one of them; the other finds nothing, and then serves what comes at once.  */
static void shared(void)
{
	int fds[2], turn[2];

	make("pipe", fds);
	make("pipe", turn);
	put(fds[WRITE]);
	take(fds[READ]);
	if (fork() == 0) {
		sleep_ms(LATE_MS);
		take(fds[READ]);
		put(turn[WRITE]);
		_exit(0);
	}
	put(fds[WRITE]);
	take(turn[READ]);
	sleep_ms(3 * LATE_MS);
	put(fds[WRITE]);
	take(fds[READ]);
}

static void *late_in_child(void *unused)
{
	int fds[2], status;

	if (fork() == 0) {
		make("unix", fds);
		put(fds[WRITE]);
		compute(LATE_MS);
		take(fds[READ]);
		_exit(0);
	}
	wait(&status);
	return unused;
}

/* A thread reads late, and another makes a child that does.  */
static void *late_thread(void *unused)
{
	late("unix", spend_computing);
	return unused;
}

static void threads(void)
{
	pthread_t thread[2];

	pthread_create(&thread[0], NULL, late_thread, NULL);
	pthread_create(&thread[1], NULL, late_in_child, NULL);
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
}

static int run(const char *what, const char *how, char *self)
{
	if (!strcmp(what, "late"))
		late(how, spend_computing);
	else if (!strcmp(what, "cause"))
		late("pipe", !strcmp(how, "compute") ? spend_computing : !strcmp(how, "sleep") ? spend_sleeping : spend_blocked);
	else if (!strcmp(what, "prompt"))
		prompt(how);
	else if (!strcmp(what, "write"))
		late_write(how);
	else if (!strcmp(what, "eof"))
		end_of_file(how);
	else if (!strcmp(what, "accept"))
		late_accept();
	else if (!strcmp(what, "fork"))
		in_child();
	else if (!strcmp(what, "stdin"))
		late_stdin();
	else if (!strcmp(what, "reuse") || !strcmp(what, "unseen"))
		reuse(!strcmp(what, "reuse"));
	else if (!strcmp(what, "close-all"))
		close_all();
	else if (!strcmp(what, "numbers") || !strcmp(what, "limit"))
		numbers(!strcmp(what, "limit") ? 16 : 0);
	else if (!strcmp(what, "files"))
		files();
	else if (!strcmp(what, "exec"))
		into_exec(self);
	else if (!strcmp(what, "threads"))
		threads();
	else if (!strcmp(what, "shared"))
		shared();
	else
		return 2;
	return 0;
}

int main(int argc, char **argv)
{
	return argc < 2 ? 2 : run(argv[1], argc > 2 ? argv[2] : "", argv[0]);
}
