/* cancel.c - pthread_cancel at each call: which are cancellation points, and which are not (pthreads(7)).  */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "traps.h"

/* What the calls are made on.  Ready: there is something to take, and room.  Not ready: a call waits.  */
static int in[2], out[2], near[2], full[2], terminal[2], event, timer, busy, queue, epoll, file;
static struct sockaddr_un busy_name, queue_name;
static pid_t child;
static FILE *in_stream, *out_stream;
static char text[65536];
static struct iovec vectors[2] = {{text, 2}, {text + 2, 2}};
static const struct timespec long_time = {.tv_sec = 1000};

static void fill(int fd)
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (write(fd, text, sizeof text) > 0)
		;
	while (write(fd, text, 1) > 0)
		;
	fcntl(fd, F_SETFL, 0);
}

static void connect_to(const struct sockaddr_un *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	need(connect(fd, (const struct sockaddr *)name, sizeof *name) == 0, "connect");
}

static int listen_at(struct sockaddr_un *name, const char *path)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	*name = (struct sockaddr_un){.sun_family = AF_UNIX};
	strcpy(name->sun_path, path);
	unlink(path);
	need(bind(fd, (struct sockaddr *)name, sizeof *name) == 0 && listen(fd, 0) == 0, "listen");
	return fd;
}

static void make_child(bool ready)
{
	int pipe_fds[2];
	char c;

	make_pipe(pipe_fds);
	child = fork();
	if (child == 0) {
		close(pipe_fds[1]);
		/* Until its parent has ended, or kills it. */
		_exit(ready ? 7 : (int)syscall(SYS_read, pipe_fds[0], &c, 1));
	}
	close(pipe_fds[0]);
	if (ready)
		wait_state(child, 'Z');
}

static void set_up(bool ready)
{
	struct pollfd arrived;
	struct itimerspec soon = {.it_value.tv_nsec = 1}, never = {.it_value.tv_sec = 1000};
	struct epoll_event e = {.events = EPOLLIN};

	make_pipe(in);
	make_pipe(out);
	make_sockets(SOCK_STREAM, near);
	make_sockets(SOCK_STREAM, full);
	make_terminal(terminal, true);
	event = eventfd(ready, 0);
	timer = timerfd_create(CLOCK_MONOTONIC, 0);
	timerfd_settime(timer, 0, ready ? &soon : &never, NULL);
	busy = listen_at(&busy_name, "busy");
	queue = listen_at(&queue_name, "queue");
	epoll = epoll_create1(0);
	epoll_ctl(epoll, EPOLL_CTL_ADD, in[0], &e);
	file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	need(write(file, "0123456789", 10) == 10, "file");
	unlink("fifo");
	need(mkfifo("fifo", 0600) == 0, "mkfifo");
	in_stream = fdopen(dup(in[0]), "r");
	out_stream = fdopen(dup(out[1]), "w");
	make_child(ready);
	if (ready) {
		need(write(in[1], "data\n", 5) == 5 && write(near[1], "data\n", 5) == 5 && write(terminal[0], "data\n", 5) == 5, "data");
		arrived = (struct pollfd){terminal[1], POLLIN, 0};
		poll(&arrived, 1, -1);
		connect_to(&busy_name);
		need(open("fifo", O_RDWR) >= 0, "fifo");
	} else {
		fill(out[1]);
		fill(full[0]);
		connect_to(&queue_name);
	}
}

static void tear_down(void)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	fclose(in_stream);
	close_range(3, ~0u, 0);
	unlink("busy");
	unlink("queue");
	unlink("fifo");
	unlink("file");
}

/* ---- The calls.  */

static struct msghdr *message(void)
{
	static struct msghdr m = {.msg_iov = vectors, .msg_iovlen = 2};

	return &m;
}

static struct mmsghdr *messages(void)
{
	static struct mmsghdr m = {.msg_hdr = {.msg_iov = vectors, .msg_iovlen = 2}};

	return &m;
}

static struct pollfd *input(void)
{
	static struct pollfd p;

	p = (struct pollfd){in[0], POLLIN, 0};
	return &p;
}

static fd_set *input_set(void)
{
	static fd_set set;

	FD_ZERO(&set);
	FD_SET(in[0], &set);
	return &set;
}

static long record_lock(int command)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(file, command, &lock);
}

static struct epoll_event found;
static siginfo_t info;
static int status;

#define CALL(name, call) static long call_##name(void) { return (long)(call); }
#define CALLS(R, W, N)                                                                                                \
	/* Points that can wait. */                                                                                   \
	W(read, read(in[0], text, 4)) W(read_socket, read(near[0], text, 4)) W(read_terminal, read(terminal[1], text, 4)) \
	W(read_event, read(event, text, 8)) W(read_timer, read(timer, text, 8)) W(readv, readv(in[0], vectors, 2))       \
	W(recv, recv(near[0], text, 4, 0)) W(recv_all, recv(near[0], text, 5, MSG_WAITALL))                              \
	W(recvfrom, recvfrom(near[0], text, 4, 0, NULL, NULL)) W(recvmsg, recvmsg(near[0], message(), 0))                \
	W(recvmmsg, recvmmsg(near[0], messages(), 1, 0, NULL)) W(write, write(out[1], text, 4))                          \
	W(write_socket, write(full[0], text, 4)) W(writev, writev(out[1], vectors, 2))                                   \
	W(send, send(full[0], text, 4, 0)) W(sendto, sendto(full[0], text, 4, 0, NULL, 0))                               \
	W(sendmsg, sendmsg(full[0], message(), 0)) W(sendmmsg, sendmmsg(full[0], messages(), 1, 0))                      \
	W(accept, accept(busy, NULL, NULL)) W(accept4, accept4(busy, NULL, NULL, 0))                                     \
	W(connect, connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&queue_name, sizeof queue_name))          \
	W(poll, poll(input(), 1, -1)) W(ppoll, ppoll(input(), 1, NULL, NULL))                                            \
	W(select, select(in[0] + 1, input_set(), NULL, NULL, NULL))                                                      \
	W(pselect, pselect(in[0] + 1, input_set(), NULL, NULL, NULL, NULL)) W(epoll_wait, epoll_wait(epoll, &found, 1, -1)) \
	W(epoll_pwait, epoll_pwait(epoll, &found, 1, -1, NULL)) W(epoll_pwait2, epoll_pwait2(epoll, &found, 1, NULL, NULL)) \
	W(preadv2, preadv2(in[0], vectors, 2, -1, 0)) W(pwritev2, pwritev2(out[1], vectors, 2, -1, 0))                   \
	W(splice, splice(in[0], NULL, file, NULL, 4, 0)) W(tee, tee(in[0], out[1], 4, 0))                                \
	W(vmsplice, vmsplice(out[1], vectors, 2, 0)) W(wait, wait(&status)) W(waitpid, waitpid(child, &status, 0))       \
	W(wait3, wait3(&status, 0, NULL)) W(wait4, wait4(child, &status, 0, NULL))                                       \
	W(waitid, waitid(P_PID, (id_t)child, &info, WEXITED)) W(open, open("fifo", O_RDONLY))                            \
	W(openat, openat(AT_FDCWD, "fifo", O_RDONLY)) W(creat, creat("fifo", 0600))                                      \
	W(nanosleep, nanosleep(&long_time, NULL)) W(clock_nanosleep, clock_nanosleep(CLOCK_MONOTONIC, 0, &long_time, NULL)) \
	W(sleep, sleep(1000)) W(usleep, usleep(1000000000)) W(pause, pause()) W(system, system("read line <fifo"))       \
	/* Streams: a FILE is not locked afterwards.  (dprintf natively leaves one on its stack in libc's list of them.) */                                                                  \
	W(fgets, fgets(text, 10, in_stream) == text) W(fgetc, fgetc(in_stream)) W(fread, fread(text, 1, 4, in_stream))   \
	W(fflush, fputs("text", out_stream) < 0 || fflush(out_stream)) \
	/* Points that do not wait here. */                                                                              \
	R(close, close(file)) R(fcntl_wait, record_lock(F_SETLKW)) R(pread, pread(file, text, 4, 0))                     \
	R(pwrite, pwrite(file, text, 4, 0)) R(preadv, preadv(file, vectors, 2, 0)) R(pwritev, pwritev(file, vectors, 2, 0)) \
	R(copy_file_range, copy_file_range(file, NULL, file, NULL, 0, 0)) R(fsync, fsync(file))                          \
	R(msync, msync(NULL, 0, MS_SYNC)) R(fopen, fopen("file", "r") != NULL)                                           \
	/* No points. */                                                                                                 \
	N(fcntl_get, fcntl(file, F_GETFL)) N(fcntl_try, record_lock(F_SETLK)) N(pipe, pipe(in)) N(pipe2, pipe2(in, O_CLOEXEC)) \
	N(socket, socket(AF_UNIX, SOCK_STREAM, 0) >= 0) N(socketpair, socketpair(AF_UNIX, SOCK_STREAM, 0, near))         \
	N(eventfd, eventfd(0, 0) >= 0) N(timerfd_create, timerfd_create(CLOCK_MONOTONIC, 0) >= 0)                        \
	N(signalfd, signalfd(-1, &(sigset_t){0}, 0) >= 0) N(inotify_init, inotify_init() >= 0)                           \
	N(epoll_create, epoll_create1(0) >= 0) N(memfd_create, memfd_create("memory", 0) >= 0) N(dup, dup(file) >= 0)    \
	N(dup2, dup2(file, 100)) N(dup3, dup3(file, 100, O_CLOEXEC)) N(ioctl, ioctl(in[0], FIONREAD, &status))           \
	N(epoll_ctl, epoll_ctl(epoll, EPOLL_CTL_DEL, in[0], NULL))                                                       \
	N(setsockopt, setsockopt(near[0], SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int)))                             \
	N(sigaction, sigaction(SIGUSR1, NULL, &(struct sigaction){0})) N(signal, signal(SIGUSR1, SIG_IGN) == SIG_DFL)    \
	N(sendfile, sendfile(out[1], file, &(off_t){0}, 4)) N(raw_read, syscall(SYS_read, in[0], text, 4))               \
	N(raw_poll, syscall(SYS_ppoll, input(), 1, NULL, NULL, 0)) N(close_range, close_range(200, 300, 0))              \
	N(shutdown, shutdown(near[0], SHUT_RD))

#define DEFINE(name, call) CALL(name, call)
CALLS(DEFINE, DEFINE, DEFINE)

enum trait { READY, WAITS, NEVER };

static const struct point {
	const char *name;
	long (*call)(void);
	enum trait trait;
} points[] = {
#define R(name, call) {#name, call_##name, READY},
#define W(name, call) {#name, call_##name, WAITS},
#define N(name, call) {#name, call_##name, NEVER},
	CALLS(R, W, N)
};

static const struct point *point;
static bool pending;
static volatile pid_t tid;
static volatile int cleaned;

static void clean(void *arg)
{
	(void)arg;
	cleaned++;
}

static void *call_it(void *arg)
{
	(void)arg;
	if (pending)
		pthread_cancel(pthread_self());
	pthread_cleanup_push(clean, NULL);
	tid = (pid_t)syscall(SYS_gettid);
	point->call();
	pthread_cleanup_pop(0);
	return NULL;
}

/* What is left to be read.  */
static int left(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) < 0 ? -1 : n;
}

static void cancel_one(void)
{
	pthread_t thread;
	void *result;

	tid = 0;
	cleaned = 0;
	set_up(pending);
	need(pthread_create(&thread, NULL, call_it, NULL) == 0, "pthread_create");
	if (!pending) {
		while (!tid)
			sched_yield();
		wait_asleep(tid);
		pthread_cancel(thread);
	}
	pthread_join(thread, &result);
	tell("%s, %s: canceled %d, cleaned %d, left %d %d %d, locked %d %d", point->name, pending ? "before" : "while it waits",
	     result == PTHREAD_CANCELED, cleaned, left(in[0]), left(near[0]), left(terminal[1]),
	     ftrylockfile(in_stream) != 0, ftrylockfile(out_stream) != 0);
	tear_down();
}

/* Before the call, and while it waits.  */
static void cancellation_points(char **argv)
{
	(void)argv;
	alarm(100);
	signal(SIGPIPE, SIG_IGN);
	for (point = points; point < points + sizeof points / sizeof *points; point++) {
		pending = true;
		cancel_one();
		pending = false;
		if (point->trait == WAITS)
			cancel_one();
	}
}

const struct trap cancel_traps[] = {
	{"cancellation-points", cancellation_points}, {NULL, NULL},
};
