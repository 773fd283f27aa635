/* fds.c - what is behind an fd number, and hints about it that have gone wrong.  */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traps.h"

/* A zero-length read leaves a datagram in the queue.  */
static void zero_length(char **argv)
{
	int fds[2];
	char c[8] = "";

	(void)argv;
	make_sockets(SOCK_DGRAM, fds);
	need(write(fds[1], "a", 1) == 1, "write");
	tell("read 0: %s", result_text(read(fds[0], c, 0)));
	tell_read("read", fds[0], sizeof c);
	need(write(fds[1], "b", 1) == 1 && write(fds[1], "c", 1) == 1, "write");
	tell("recv 0: %s", result_text(recv(fds[0], c, 0, 0)));
	tell_read("read", fds[0], sizeof c);
	make_sockets(SOCK_STREAM, fds);
	tell("empty stream, read 0: %s", result_text(read(fds[0], c, 0)));
	make_pipe(fds);
	tell("empty pipe, read 0: %s", result_text(read(fds[0], c, 0)));
}

static void fifo_without_writer(char **argv)
{
	char c;
	int fd;
	pid_t pid;

	(void)argv;
	need(mkfifo("fifo", 0600) == 0, "mkfifo");
	fd = open("fifo", O_RDONLY | O_NONBLOCK);
	need(fcntl(fd, F_SETFL, 0) == 0, "F_SETFL");
	tell("no writer: %s", result_text(read(fd, &c, 1)));
	pid = fork();
	if (pid == 0) {
		int out = open("fifo", O_WRONLY);

		wait_asleep(getppid());
		_exit(write(out, "x", 1) != 1);
	}
	wait_asleep(pid);
	while (read(fd, &c, 1) == 0)
		;
	tell("then: %c", c);
	wait(NULL);
	tell("gone again: %s", result_text(read(fd, &c, 1)));
	unlink("fifo");
}

static void wrong_direction(char **argv)
{
	int fds[2], fd = open("/dev/null", O_WRONLY);
	char c = 0;

	(void)argv;
	make_pipe(fds);
	tell("read of the write end: %s", result_text(read(fds[1], &c, 1)));
	tell("write of the read end: %s", result_text(write(fds[0], &c, 1)));
	tell("O_WRONLY: %s", result_text(read(fd, &c, 1)));
	tell("O_PATH: %s", result_text(read(open(".", O_PATH), &c, 1)));
	tell("directory: %s", result_text(read(open(".", O_RDONLY), &c, 1)));
	tell("pidfd: %s", result_text(read((int)syscall(SYS_pidfd_open, getpid(), 0), &c, 1)));
}

static pid_t give_later(int fd, const char *first, const char *second)
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid;
	wait_asleep(parent);
	need(write(fd, first, strlen(first)) > 0, "write");
	if (second) {
		wait_asleep(parent);
		need(write(fd, second, strlen(second)) > 0, "write");
	}
	_exit(0);
}

/* MSG_PEEK | MSG_WAITALL waits for all of it, and leaves it there.  */
static void peek_waitall(char **argv)
{
	char buffer[16] = "";
	int fds[2];

	(void)argv;
	make_tcp(fds);
	give_later(fds[1], "hello", "world");
	tell("recv: %s", result_text(recv(fds[0], buffer, 10, MSG_PEEK | MSG_WAITALL)));
	wait(NULL);
	tell_read("again", fds[0], 10);
}

static void fast_open(char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM, 0), backlog = 5, fd = socket(AF_INET, SOCK_STREAM, 0), peer;

	(void)argv;
	need(bind(listener, (struct sockaddr *)&a, size) == 0, "bind");
	setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &backlog, sizeof backlog);
	need(listen(listener, 1) == 0, "listen");
	getsockname(listener, (struct sockaddr *)&a, &size);
	tell("sendto: %s", result_text(sendto(fd, "hello", 5, MSG_FASTOPEN, (struct sockaddr *)&a, size)));
	peer = accept(listener, NULL, NULL);
	tell_read("read", peer, 5);
}

static void error_queue(char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof a;
	int gone = socket(AF_INET, SOCK_DGRAM, 0), fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
	char buffer[64];

	(void)argv;
	need(bind(gone, (struct sockaddr *)&a, size) == 0, "bind");
	getsockname(gone, (struct sockaddr *)&a, &size);
	close(gone);
	setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
	need(connect(fd, (struct sockaddr *)&a, size) == 0, "connect");
	tell("empty queue: %s", result_text(recv(fd, buffer, sizeof buffer, MSG_ERRQUEUE)));
	need(send(fd, "x", 1, 0) == 1, "send");
	tell("recv: %s", result_text(recv(fd, buffer, sizeof buffer, 0)));
	tell("queue: %s", result_text(recv(fd, buffer, sizeof buffer, MSG_ERRQUEUE)));
	tell("empty again: %s", result_text(recv(fd, buffer, sizeof buffer, MSG_ERRQUEUE)));
}

/* The file behind the number changes without any libc call that could be seen.  */
static void replace(int to, int from)
{
	need(hidden_syscall(SYS_dup3, from, to, 0) == to, "dup3");
	close(from);
}

static void pipe_that_became_a_file(char **argv)
{
	enum { SIZE = 256 << 10 };
	char *data = malloc(SIZE), *seen = calloc(1, SIZE), c;
	int fds[2], file;

	(void)argv;
	for (int i = 0; i < SIZE; i++)
		data[i] = (char)(i * 7 + i / 251);
	file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	need(write(file, data, SIZE) == SIZE && fsync(file) == 0, "write");
	for (int round = 0; round < 4; round++) {
		int offset = round == 3 ? 100 : 0;
		struct iovec v[2] = {{seen, 1000}, {seen + 1000, SIZE - 1000}};
		long n;

		make_pipe(fds);
		need(write(fds[1], "x", 1) == 1 && read(fds[0], &c, 1) == 1, "pipe");
		posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
		/* So that a part of it is in the page cache, and a part is not. */
		if (round)
			need(pread(file, seen, 4096, round == 2 ? 65536 : 0) == 4096, "pread");
		lseek(file, offset, SEEK_SET);
		replace(fds[0], dup(file));
		memset(seen, 0, SIZE);
		n = round == 2 ? readv(fds[0], v, 2) : read(fds[0], seen, SIZE);
		tell("read: %s, same %d, offset %ld", result_text(n), !memcmp(data + offset, seen, (size_t)(SIZE - offset)),
		     (long)lseek(fds[0], 0, SEEK_CUR));
		tell("at the end: %s", result_text(read(fds[0], seen, SIZE)));
		close(fds[0]);
		close(fds[1]);
	}
	unlink("file");
}

static int new_end(char what, int *peer)
{
	int fds[2];

	switch (what) {
	case 'p': make_pipe(fds); break;
	case 's': make_sockets(SOCK_STREAM, fds); break;
	case 'c': make_tcp(fds); break;
	case 'd': make_sockets(SOCK_DGRAM, fds); break;
	case 't': make_terminal(fds, true); break;
	case 'e': fds[0] = eventfd(0, 0); fds[1] = dup(fds[0]); break;
	default: need(false, "kind");
	}
	*peer = fds[1];
	return fds[0];
}

/* Every kind becomes every other one, unseen; a read of it then waits, and gets what comes.  */
static void kind_that_became_another(char **argv)
{
	static const char kinds[] = "psdte";
	char buffer[16];

	(void)argv;
	for (const char *from = kinds; *from; from++)
		for (const char *to = kinds; *to; to++) {
			int peer, next_peer, fd = new_end(*from, &peer);

			need(write(peer, "12345678", 8) == 8 && read(fd, buffer, sizeof buffer) == 8, "first");
			replace(fd, new_end(*to, &next_peer));
			give_later(next_peer, "abcdefgh", NULL);
			tell("%c to %c: %s", *from, *to, result_text(read(fd, buffer, sizeof buffer)));
			wait(NULL);
			close(fd);
			close(peer);
			close(next_peer);
		}
}

/* The same for what is written to: it takes more than fits, whole.  */
static void kind_that_takes_a_write(char **argv)
{
	static const char kinds[] = "psc";
	static char block[100000], seen[65536];
	struct iovec v[3] = {{block, sizeof block}, {block, 1}, {block, sizeof block}};
	pid_t parent = getpid();

	(void)argv;
	for (const char *from = kinds; *from; from++)
		for (const char *to = kinds; *to; to++) {
			int fd, next, far = new_end(*from, &fd), next_far = new_end(*to, &next), status;
			char c;

			need(write(fd, "x", 1) == 1 && read(far, &c, 1) == 1, "first");
			replace(fd, next);
			if (fork() == 0) {
				long n, sum = 0;

				close(fd);
				wait_asleep(parent);
				while ((n = read(next_far, seen, sizeof seen)) > 0)
					sum += n;
				_exit(sum != 3 * sizeof block + 1);
			}
			close(next_far);
			tell("%c to %c: %s", *from, *to, result_text(writev(fd, v, 3)));
			tell("then: %s", result_text(write(fd, block, sizeof block)));
			close(fd);
			wait(&status);
			tell("all arrived: %d", status == 0);
			close(far);
		}
}

/* A reset in the middle of a write leaves its error for the next call.  */
static void reset_in_a_write(char **argv)
{
	enum { SIZE = 16 << 20 };
	struct linger l = {1, 0};
	char *data = calloc(1, SIZE);
	int fds[2];
	pid_t parent = getpid();
	long n;

	(void)argv;
	make_tcp(fds);
	signal(SIGPIPE, SIG_IGN);
	if (fork() == 0) {
		wait_asleep(parent);
		close(fds[0]);
		setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &l, sizeof l);
		_exit(0);
	}
	close(fds[1]);
	n = write(fds[0], data, SIZE);
	tell("a part: %d", n > 0 && n < SIZE);
	tell("next: %s", result_text(write(fds[0], data, 1)));
	tell("after that: %s", result_text(write(fds[0], data, 1)));
	wait(NULL);
}

/* What a unix stream's peer does in the middle of a write: SHUT_RD ends it, a close leaves nothing for the next call.  */
static void peer_in_a_write(char **argv)
{
	enum { SIZE = 4 << 20 };
	char *data = calloc(1, SIZE);
	pid_t parent = getpid();

	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	for (int closes = 0; closes < 2; closes++) {
		int fds[2];
		long n;

		make_sockets(SOCK_STREAM, fds);
		if (fork() == 0) {
			close(fds[0]);
			wait_asleep(parent);
			if (!closes) {
				shutdown(fds[1], SHUT_RD);
				/* Until the parent sleeps again, in wait(). */
				wait_asleep(parent);
			}
			_exit(0);
		}
		close(fds[1]);
		n = write(fds[0], data, SIZE);
		tell("a part: %d", n > 0 && n < SIZE);
		if (closes)
			tell("next: %s", result_text(read(fds[0], data, 1)));
		close(fds[0]);
		wait(NULL);
	}
}

/* A timeout that another process sets on the shared socket while a write waits.  */
static void timeout_from_elsewhere(char **argv)
{
	enum { SIZE = 16 << 20 };
	struct timeval t = {.tv_usec = 20000};
	char *data = calloc(1, SIZE);
	int fds[2];
	long n;

	(void)argv;
	make_tcp(fds);
	need(write(fds[0], data, 1) == 1 && read(fds[1], data, 1) == 1, "first");
	if (fork() == 0)
		_exit(setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t) != 0);
	wait(NULL);
	n = write(fds[0], data, SIZE);
	tell("a part: %d", n > 0 && n < SIZE);
}

/* A pipe in packet mode: each write is a packet, and a vector is cut where the kernel cuts it.  */
static void packets(char **argv)
{
	static char block[3][3000], seen[4096];
	struct iovec v[3] = {{block[0], 3000}, {block[1], 3000}, {block[2], 3000}};
	int fds[2];
	pid_t parent = getpid();
	long n;

	(void)argv;
	need(pipe2(fds, O_DIRECT) == 0 && fcntl(fds[1], F_SETPIPE_SZ, 8192) > 0, "pipe2");
	need(write(fds[1], "0123456789", 10) == 10, "write");
	if (fork() == 0) {
		wait_asleep(parent);
		for (int i = 0; i < 4; i++)
			tell("packet: %ld", (long)read(fds[0], seen, sizeof seen));
		_exit(0);
	}
	n = writev(fds[1], v, 3);
	wait(NULL);
	tell("writev: %s", result_text(n));
}

/* The reader of a pipe goes in the middle of a write.  */
static void pipe_closed_in_a_write(char **argv)
{
	enum { SIZE = 1 << 20 };
	char *data = calloc(1, SIZE);
	int fds[2];
	pid_t parent = getpid();

	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	make_pipe(fds);
	if (fork() == 0) {
		close(fds[1]);
		wait_asleep(parent);
		need(read(fds[0], data, 8192) == 8192, "read");
		wait_asleep(parent);
		_exit(0);
	}
	close(fds[0]);
	tell("write: %s", result_text(write(fds[1], data, SIZE)));
	tell("next: %s", result_text(write(fds[1], data, 1)));
	wait(NULL);
}

/* A handful of fds is all there is, and eagain needs none of them.  */
static void few_fds(char **argv)
{
	struct rlimit r = {16, 16};
	int fds[2], n = 0;

	(void)argv;
	need(setrlimit(RLIMIT_NOFILE, &r) == 0, "setrlimit");
	make_pipe(fds);
	while (dup(0) >= 0)
		n++;
	tell("dup: %d, then %s", n, result_text(-1));
	give_later(fds[1], "x", NULL);
	tell_read("read", fds[0], 1);
	wait(NULL);
}

/* Numbers beyond any table.  */
static void high_fds(char **argv)
{
	struct rlimit r;
	int fds[2];
	char c;

	(void)argv;
	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	make_pipe(fds);
	for (long fd = 1000; fd < (long)r.rlim_cur && fd < 1 << 20; fd = fd * 2 + 1) {
		need(dup2(fds[0], (int)fd) == (int)fd, "dup2");
		give_later(fds[1], "x", NULL);
		tell("%ld: %s", fd, result_text(read((int)fd, &c, 1)));
		wait(NULL);
	}
}

static void open_fds(void)
{
	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			tell("open: %d", fd);
}

/* Each way in which programs close whatever there is; then they go on.  */
static void close_all(char **argv)
{
	int fds[2];
	char c;
	struct rlimit r = {4096, 4096};

	(void)argv;
	setrlimit(RLIMIT_NOFILE, &r);
	open_fds();
	closefrom(3);
	make_pipe(fds);
	tell("after closefrom: %d %d", fds[0], fds[1]);
	close_range(3, ~0u, 0);
	make_pipe(fds);
	tell("after close_range: %d %d", fds[0], fds[1]);
	for (int fd = 3; fd < 4096; fd++)
		need(close(fd) == 0 || errno == EBADF, "close");
	make_pipe(fds);
	tell("after a loop: %d %d", fds[0], fds[1]);
	close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	tell("still open: %d", fcntl(fds[0], F_GETFD));
	give_later(fds[1], "x", NULL);
	tell("read: %s", result_text(read(fds[0], &c, 1)));
	wait(NULL);
	open_fds();
}

/* The program's file on a number that a shim might own.  */
static void dup2_everywhere(char **argv)
{
	int fds[2];

	(void)argv;
	make_pipe(fds);
	for (int fd = 3; fd < 1024; fd++)
		if (fd != fds[0] && fd != fds[1])
			need(dup2(fds[0], fd) == fd, "dup2");
	give_later(fds[1], "abc", NULL);
	tell_read("read", 1023, 1);
	tell_read("read", 3 == fds[1] ? 4 : 3, 1);
	wait(NULL);
}

/* Many readers of one pipe: every token goes to one of them.  */
static void many_readers(char **argv)
{
	int fds[2], sums[2], total = 0, tokens = 0;
	char c;

	(void)argv;
	make_pipe(fds);
	make_pipe(sums);
	for (int i = 0; i < 64; i++)
		if (fork() == 0) {
			int n = 0;

			close(fds[1]);
			while (read(fds[0], &c, 1) == 1)
				n++;
			_exit(write(sums[1], &n, sizeof n) != sizeof n);
		}
	for (; tokens < 5000; tokens++)
		need(write(fds[1], "t", 1) == 1, "write");
	close(fds[1]);
	for (int i = 0; i < 64; i++) {
		int n;

		need(read(sums[0], &n, sizeof n) == sizeof n, "sum");
		total += n;
	}
	while (wait(NULL) > 0)
		;
	tell("tokens: %d", total);
}

/* Many workers in accept: each connection is served once.  */
static void many_acceptors(char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM, 0), served = 0;
	pid_t pids[16];

	(void)argv;
	need(bind(listener, (struct sockaddr *)&a, size) == 0 && listen(listener, 128) == 0, "listen");
	getsockname(listener, (struct sockaddr *)&a, &size);
	for (int i = 0; i < 16; i++)
		if ((pids[i] = fork()) == 0)
			for (;;) {
				int fd = accept(listener, NULL, NULL);

				if (write(fd, "ok", 2) != 2)
					_exit(1);
				close(fd);
			}
	for (int i = 0; i < 300; i++) {
		char text[8];
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		need(connect(fd, (struct sockaddr *)&a, size) == 0, "connect");
		served += recv(fd, text, sizeof text, MSG_WAITALL) == 2;
		close(fd);
	}
	for (int i = 0; i < 16; i++)
		kill(pids[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	tell("served: %d", served);
}

const struct trap fd_traps[] = {
	{"zero-length", zero_length}, {"fifo-without-writer", fifo_without_writer}, {"wrong-direction", wrong_direction},
	{"peek-waitall", peek_waitall}, {"fast-open", fast_open}, {"error-queue", error_queue},
	{"pipe-that-became-a-file", pipe_that_became_a_file}, {"kind-that-became-another", kind_that_became_another},
	{"kind-that-takes-a-write", kind_that_takes_a_write},
	{"reset-in-a-write", reset_in_a_write}, {"pipe-closed-in-a-write", pipe_closed_in_a_write},
	{"peer-in-a-write", peer_in_a_write}, {"timeout-from-elsewhere", timeout_from_elsewhere}, {"packets", packets},
	{"few-fds", few_fds}, {"high-fds", high_fds}, {"close-all", close_all}, {"dup2-everywhere", dup2_everywhere},
	{"many-readers", many_readers}, {"many-acceptors", many_acceptors}, {NULL, NULL},
};
