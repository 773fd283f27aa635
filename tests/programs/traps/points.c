/* points.c - one call of each kind that can wait, or that one might take for a cancellation point.  */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
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

#include "points.h"
#include "traps.h"

/* What the calls are made on.  Ready: there is something to take, and room.  Not ready: a call waits.  */
static int in[2], out[2], near[2], full[2], terminal[2], event, timer, busy, queue, epoll, file, held_file;
static int semaphores = -1, few = -1, many = -1;        /* of System V: one is taken, one queue is empty, one is full */
static mqd_t few_queue, many_queue;
static struct sockaddr_un busy_name, queue_name;
static pid_t child;
static FILE *in_stream, *out_stream;
static char text[65536];
static struct iovec vectors[2] = {{text, 2}, {text + 2, 2}};
static const struct timespec long_time = {.tv_sec = 1000}, late = {.tv_sec = 1ul << 40};
static struct { long type; char text[8]; } a_message = {1, "text"};

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

static void remove_ids(void)
{
	semctl(semaphores, 0, IPC_RMID);
	msgctl(few, IPC_RMID, NULL);
	msgctl(many, IPC_RMID, NULL);
}

void points_begin(void)
{
	semaphores = semget(IPC_PRIVATE, 1, 0600);
	few = msgget(IPC_PRIVATE, 0600);
	many = msgget(IPC_PRIVATE, 0600);
	atexit(remove_ids);
}

static void set_up_ids(bool ready)
{
	semctl(semaphores, 0, SETVAL, ready);
	while (msgrcv(ready ? many : few, &a_message, sizeof a_message.text, 0, IPC_NOWAIT) >= 0)
		;
	a_message.type = 1;
	if (ready)
		msgsnd(few, &a_message, sizeof a_message.text, IPC_NOWAIT);
	while (!ready && msgsnd(many, &a_message, sizeof a_message.text, IPC_NOWAIT) == 0)
		;
}

static mqd_t open_queue(void)
{
	struct mq_attr small = {.mq_maxmsg = 2, .mq_msgsize = 16};
	char name[32];
	mqd_t fd;

	snprintf(name, sizeof name, "/points-%d", (int)getpid());
	fd = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &small);
	mq_unlink(name);
	return fd;
}

static void set_up_queues(bool ready)
{
	few_queue = open_queue();
	many_queue = open_queue();
	for (int i = 0; i < (ready ? 1 : 2); i++)
		mq_send(ready ? few_queue : many_queue, text, 4, 0);
}

/* Held by another open file.  */
static void hold_file(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int holder = open("file", O_RDWR);

	need(flock(holder, LOCK_EX) == 0 && fcntl(holder, F_OFD_SETLK, &lock) == 0, "lock");
}

/* SIGRTMIN, blocked; there is one if there is something to take.  */
static void set_up_signal(bool ready)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	need(sigprocmask(SIG_BLOCK, &set, NULL) == 0, "sigprocmask");
	if (ready)
		kill(getpid(), SIGRTMIN);
	else
		while (sigtimedwait(&set, NULL, &(struct timespec){0}) > 0)
			;
}

void points_set_up(bool ready)
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
	held_file = open("file", O_RDWR);
	if (!ready)
		hold_file();
	set_up_ids(ready);
	set_up_queues(ready);
	set_up_signal(ready);
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

void points_tear_down(void)
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

static long record_lock(int fd, int command)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(fd, command, &lock);
}

static const sigset_t *awaited(void)
{
	static sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	return &set;
}

static const sigset_t others;
static struct sembuf take = {.sem_op = -1}, give = {.sem_op = 1}, give_many[20] = {[0 ... 19] = {.sem_op = 1}};
static struct sembuf *volatile nowhere = (struct sembuf *)8;

static struct epoll_event found;
static siginfo_t info;
static int status;

#define W(name, call) static long call_##name(void) { return (long)(call); }
#define R W
#define S W
#include "points.def"
#undef S
#undef R
#undef W

const struct point points[] = {
#define R(name, call) {#name, call_##name, false, false},
#define S(name, call) {#name, call_##name, true, false},
#define W(name, call) {#name, call_##name, true, true},
#include "points.def"
#undef S
#undef R
#undef W
};

const size_t point_count = sizeof points / sizeof *points;

static int left(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) < 0 ? -1 : n;
}

const char *points_left(void)
{
	static char line[64];

	snprintf(line, sizeof line, "left %d %d %d, locked %d %d", left(in[0]), left(near[0]), left(terminal[1]),
		 ftrylockfile(in_stream) != 0, ftrylockfile(out_stream) != 0);
	return line;
}
