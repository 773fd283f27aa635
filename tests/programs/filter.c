/* filter.c - a program of which is known what it does on which fd, for what is recorded and shown of it.
 *
 *     filter story      calls of many kinds, on a file (10), a pipe (11, 12), /dev/null (13), a pair of sockets (14, 15) and an epoll
 *                       instance (16); two of them take long: a read that waits, and a sleep
 *     filter many       polls of 100 pipes (100 to 199), of which one after the other has a byte
 *     filter closed     a thread waits to read fd 11, which another closes meanwhile, and then sends what it waits for
 *     filter steps      for each "w" on stdin, the next step: to fd 10 go 1, 2, 3... bytes, from it and from a child that goes along;
 *                       for each "o" another file takes the place of fd 11, and goes along; after each a "." on stdout  */
#include <fcntl.h>
#include <pthread.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void must(int condition)
{
	if (!condition)
		exit(3);
}

static void move(int fd, int to)
{
	must(dup2(fd, to) == to && close(fd) == 0);
}

static void move_pair(int fds[2], int first, int second)
{
	move(fds[0], first);
	move(fds[1], second);
}

static void doze(long ms)
{
	struct timespec t = {.tv_nsec = ms * 1000000};

	must(nanosleep(&t, NULL) == 0);
}

/* A read that waits until a child writes.  */
static void wait_for_child(void)
{
	char c;
	pid_t pid = fork();

	if (pid == 0) {
		doze(60);
		_exit(write(12, "x", 1) != 1);
	}
	must(read(11, &c, 1) == 1 && waitpid(pid, NULL, 0) == pid);
}

static void poll_all(void)
{
	struct pollfd p[2] = {{.fd = 11, .events = POLLIN}, {.fd = 15, .events = POLLIN}};
	struct epoll_event event = {.events = EPOLLIN, .data.fd = 15};
	fd_set set;
	char c;

	must(poll(p, 2, 0) == 0);
	must(write(14, "x", 1) == 1 && poll(p, 2, -1) == 1);
	FD_ZERO(&set);
	FD_SET(15, &set);
	must(select(16, &set, NULL, NULL, NULL) == 1);
	must(epoll_ctl(16, EPOLL_CTL_ADD, 15, &event) == 0 && epoll_wait(16, &event, 1, -1) == 1 && read(15, &c, 1) == 1);
	must(write(12, "x", 1) == 1 && poll(p, 2, -1) == 1 && read(11, &c, 1) == 1);
	must(epoll_wait(16, &event, 1, 0) == 0);
}

static int story(void)
{
	int fds[2];
	char c;

	must(pipe(fds) == 0);
	move_pair(fds, 11, 12);
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	move_pair(fds, 14, 15);
	move(open("/dev/null", O_WRONLY), 13);
	move(epoll_create1(0), 16);
	move(open("a file", O_RDWR | O_CREAT | O_TRUNC, 0600), 10);
	must(write(10, "abc", 3) == 3 && pread(10, &c, 1, 1) == 1);
	must(write(13, "abc", 3) == 3 && open("none", O_RDONLY) < 0);
	must(write(12, "x", 1) == 1 && read(11, &c, 1) == 1);
	wait_for_child();
	poll_all();
	doze(60);
	must(read(99, &c, 1) < 0 && close(10) == 0);
	move(open("b", O_RDWR | O_CREAT, 0600), 10);
	must(write(10, "abcd", 4) == 4);
	return 0;
}

static int many(void)
{
	enum { PIPES = 100, ROUNDS = 3 };
	struct pollfd p[PIPES];
	int out[PIPES], fds[2];
	char c;

	for (int i = 0; i < PIPES; i++) {
		must(pipe(fds) == 0);
		p[i] = (struct pollfd){.fd = fcntl(fds[0], F_DUPFD, 100), .events = POLLIN};
		out[i] = fcntl(fds[1], F_DUPFD, 300);
		must(close(fds[0]) == 0 && close(fds[1]) == 0);
	}
	for (int i = 0; i < PIPES * ROUNDS; i++) {
		int at = i * 7 % PIPES;

		must(write(out[at], "x", 1) == 1 && poll(p, PIPES, -1) == 1 && p[at].revents == POLLIN && read(p[at].fd, &c, 1) == 1);
	}
	return 0;
}

static _Atomic pid_t reader;

static void *read_one(void *unused)
{
	char c;

	reader = gettid();
	must(read(11, &c, 1) == 1);
	return unused;
}

static int is_asleep(pid_t tid)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
	f = fopen(path, "r");
	must(f && fscanf(f, "%*d (%*[^)]) %c", &state) == 1);
	fclose(f);
	return state == 'S';
}

static int closed(void)
{
	int fds[2];
	pthread_t thread;

	must(pipe(fds) == 0);
	move_pair(fds, 11, 12);
	must(pthread_create(&thread, NULL, read_one, NULL) == 0);
	while (!reader || !is_asleep(reader))
		;
	must(close(11) == 0 && open("/dev/null", O_WRONLY) >= 0 && write(12, "x", 1) == 1);
	must(pthread_join(thread, NULL) == 0);
	return 0;
}

static const char bytes[4096];

static void go_along(int from, int to)
{
	size_t step = 0;
	char c;

	while (read(from, &c, 1) == 1) {
		step++;
		must(write(10, bytes, step) == (ssize_t)step && write(to, ".", 1) == 1);
	}
	_exit(0);
}

static int steps(void)
{
	int there[2], back[2], others = 0;
	size_t step = 0;
	char c, name[32];

	move(open("file", O_WRONLY | O_CREAT, 0600), 10);
	must(pipe(there) == 0 && pipe(back) == 0);
	if (fork() == 0) {
		close(there[1]);
		go_along(there[0], back[1]);
	}
	while (read(0, &c, 1) == 1) {
		if (c == 'o') {
			snprintf(name, sizeof name, "other.%d", ++others);
			move(open(name, O_WRONLY | O_CREAT, 0600), 11);
		} else {
			step++;
			must(write(10, bytes, step) == (ssize_t)step);
			must(!others || write(11, bytes, step) == (ssize_t)step);
			must(write(there[1], ".", 1) == 1 && read(back[0], &c, 1) == 1);
		}
		must(write(1, ".", 1) == 1);
	}
	close(there[1]);
	must(wait(NULL) > 0);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "story"))
		return story();
	if (argc == 2 && !strcmp(argv[1], "many"))
		return many();
	if (argc == 2 && !strcmp(argv[1], "closed"))
		return closed();
	if (argc == 2 && !strcmp(argv[1], "steps"))
		return steps();
	return 2;
}
