/* observe.c - the observer: waits on the epoll instances that the program's processes hand over, and records what becomes ready.
 *
 * To be woken at each edge would cost a busy server half of its throughput, and every look takes a lock that its epoll_ctl(2)
 * takes, too.  So after a look comes a pause, in which whatever becomes ready waits: it is found late, and its record says how late
 * it may be.  What became ready while the observer waited has the moment in which that woke it.  What the program has taken before
 * it is looked for is not seen at all: epoll tells only of what is ready.  Instances that have something to tell at each look are
 * taken out of the outer one until they are quiet, so that their edges need not be passed on to that: whoever makes a socket ready
 * pays for it.
 *
 * The observer has a session of its own, so that neither the terminal nor job control reaches it, and none of the program's fds.  It
 * is the only thread of its process, and records as a process of the program's does (shim/tracefile.h).  */
#include "observe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "format.h"
#include "say.h"
#include "shim/clock.h"
#include "shim/config.h"
#include "shim/hidden.h"
#include "shim/tracefile.h"

enum {
	PAUSE_NS = 1000000,             /* between two looks, at least */
	PAUSE_MAX_NS = 100000000,
	SHARE = 20,                     /* of a processor's time, looking takes no more than 1 / SHARE */
	EVENTS = 64,                    /* in one call: the instance is locked for so long */
	CALLS = 64,                     /* on an instance, in one look */
	BACKLOG = 4096,                 /* processes that hand over at the same time */
	END_MS = 1000,                  /* how long a look at the end may take */
};

/* What the writer of traces goes by; this is no program.  */
bool shim_sandboxed;
bool libc_is_child;

/* What the outer instance tells of: `what` in the upper half of its data, an index in the lower.  */
enum what { LISTENER, PROGRAM, CONNECTION, INSTANCE, PROCESS };

/* A process that has handed over its instance, or is about to.  */
struct watched {
	int connection;                 /* -1: it has handed over */
	int instance, process;          /* process: a pidfd.  -1: free */
	bool aside;                     /* it is busy: not in the outer instance, and looked at in any case */
	pid_t pid;
	uint32_t file_pid;              /* the name of its file, PID.N */
	uint16_t file_n;
	uint64_t since;                 /* ticks: what is found at its first look came after */
	uint64_t order;                 /* in which they came */
};

static struct observer {
	int dir, listener, program, outer;
	struct watched *watched;
	size_t count, room, living;
	uint64_t last_order;
	uint64_t since;                 /* ticks: before the latest look */
	bool recording, ended, all;
} o;

static int child_fd = -1;               /* in the command: the other end of o.program */
static pid_t child;

static void add(int fd, enum what what, size_t index, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.u64 = (uint64_t)what << 32 | index};

	epoll_ctl(o.outer, EPOLL_CTL_ADD, fd, &e);
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void put_aside(struct watched *w)
{
	epoll_ctl(o.outer, EPOLL_CTL_DEL, w->instance, NULL);
	w->aside = true;
}

static void put_back(struct watched *w)
{
	add(w->instance, INSTANCE, (size_t)(w - o.watched), EPOLLIN | EPOLLET);
	w->aside = false;
}

/* The process may have the instance still, so that closing it alone would not take it out.  */
static void drop(struct watched *w)
{
	if (w->process >= 0)
		o.living--;
	if (w->instance >= 0)
		put_aside(w);
	close_one(&w->connection);
	close_one(&w->instance);
	close_one(&w->process);
}

static size_t free_place(void)
{
	size_t i = 0;

	while (i < o.count && (o.watched[i].connection >= 0 || o.watched[i].process >= 0))
		i++;
	if (i == o.room) {
		o.room = o.room ? o.room * 2 : 16;
		o.watched = must_have(realloc(o.watched, o.room * sizeof *o.watched));
	}
	if (i == o.count)
		o.count++;
	return i;
}

static uint8_t edge_of(uint32_t events)
{
	uint8_t edge = events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLERR) ? TRACE_EDGE_READ : 0;

	if (events & (EPOLLOUT | EPOLLERR))
		edge |= TRACE_EDGE_WRITE;
	if (events & EPOLLHUP)
		edge |= TRACE_EDGE_HANGUP;
	return edge;
}

/* Of a look from `began` to `now`.  */
static void record(const struct watched *w, const struct epoll_event *e, uint64_t began, uint64_t now, uint64_t since)
{
	uint64_t late = since ? now - since : 0, look = ((now - began) >> TRACE_LOOK_SHIFT) + 1;
	struct trace_record r = {
		.kind = TRACE_EDGE, .fd = (int32_t)(uint32_t)e->data.u64, .t = now, .way = edge_of(e->events),
		.pid = w->file_pid, .n = w->file_n, .look = (uint16_t)look,
		.op = (uint32_t)(e->data.u64 >> 32), .lead = late > UINT32_MAX ? UINT32_MAX : (uint32_t)late,
	};

	/* Somebody else had the processor meanwhile: nobody knows what it was that was seen. */
	if (look <= UINT16_MAX && e->data.u64 != HIDDEN_WAKE && !tracefile_is_off())
		tracefile_put(&r);
}

/* All that an instance has to tell; whether that was anything.  `since`: ticks; 0: it has just woken us.  */
static bool look_at(struct watched *w, uint64_t since)
{
	struct epoll_event events[EVENTS];
	bool any = false;
	int n = EVENTS;

	for (int i = 0; i < CALLS && n == EVENTS; i++) {
		uint64_t began = clock_ticks(), now;

		n = epoll_wait(w->instance, events, EVENTS, 0);
		now = clock_ticks();
		any |= n > 0;
		for (int k = 0; k < n; k++)
			record(w, &events[k], began, now, since);
	}
	if (n < 0 && errno != EINTR)
		drop(w);
	return any;
}

/* At those that are aside; how many stay there.  */
static size_t look_aside(uint64_t since)
{
	size_t busy = 0;

	for (struct watched *w = o.watched; w < o.watched + o.count; w++) {
		bool any = w->aside && w->instance >= 0 && look_at(w, since);

		busy += any;
		if (w->aside && w->instance >= 0 && !any)
			put_back(w);
	}
	return busy;
}

/* The outer instance says that it has something.  */
static void look_inside(struct watched *w, uint64_t since)
{
	if (w->instance < 0)
		return;
	if (since && since < w->since)
		since = w->since;
	if (look_at(w, since) && w->instance >= 0)
		put_aside(w);
}

/* "PID.N", the name of a process's file.  */
static bool read_name(const char *text, struct watched *w)
{
	unsigned pid, n;
	char rest;

	if (sscanf(text, "%9u.%9u%c", &pid, &n, &rest) != 2 || n > UINT16_MAX)
		return false;
	w->file_pid = pid;
	w->file_n = (uint16_t)n;
	return true;
}

/* What a process sends; -1: nothing yet, -2: nothing that makes sense.  */
static int receive(struct watched *w)
{
	char name[64] = "";
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec part = {name, sizeof name - 1};
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes,
	};
	ssize_t n = recvmsg(w->connection, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	int fd;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -1;
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof fd))
		return -2;
	memcpy(&fd, CMSG_DATA(c), sizeof fd);
	if (read_name(name, w))
		return fd;
	close(fd);
	return -2;
}

static pid_t pid_of(int connection)
{
	struct ucred peer = {0};
	socklen_t size = sizeof peer;

	getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size);
	return peer.pid;
}

/* An exec, or a program that closes all its fds, brings a new instance: of a process the newest stays.  False: that is not w.  */
static bool replaces_others(struct watched *w)
{
	for (struct watched *other = o.watched; other < o.watched + o.count; other++) {
		if (other == w || other->process < 0 || other->pid != w->pid)
			continue;
		if (other->order > w->order)
			return false;
		drop(other);
	}
	return true;
}

/* With the first process there is a trace, and its clock; until then it was another.  */
static void begin_recording(struct watched *first)
{
	if (o.recording)
		return;
	o.recording = true;
	tracefile_start(TRACE_ORIGIN_OBSERVER);
	first->since = clock_ticks();
}

/* A process hands over its instance, or is about to.  */
static void take_over(size_t index)
{
	struct watched *w = &o.watched[index];

	w->instance = receive(w);
	if (w->instance == -1)
		return;
	w->pid = pid_of(w->connection);
	close_one(&w->connection);
	if (w->instance < 0) {
		w->instance = -1;
		return;
	}
	w->process = (int)syscall(SYS_pidfd_open, w->pid, 0);
	if (w->process < 0) {
		drop(w);
		return;
	}
	o.living++;
	begin_recording(w);
	if (!tracefile_alive || !replaces_others(w)) {
		drop(w);
		return;
	}
	add(w->process, PROCESS, index, EPOLLIN);
	put_back(w);
	look_at(w, w->since);
}

static void accept_all(void)
{
	int fd;

	while ((fd = accept4(o.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		size_t index = free_place();

		o.watched[index] = (struct watched){
			.connection = fd, .instance = -1, .process = -1, .since = o.since, .order = ++o.last_order,
		};
		take_over(index);
		if (o.watched[index].connection >= 0)
			add(fd, CONNECTION, index, EPOLLIN);
	}
}

/* The command says that the program has ended, and with a byte that this is all.  */
static void hear_program(void)
{
	char byte;
	ssize_t n = read(o.program, &byte, 1);

	if (n == 1)
		o.all = true;
	else if (n == 0 || errno != EINTR)
		o.ended = true;
}

static void serve(const struct epoll_event *e, uint64_t since)
{
	size_t index = (uint32_t)e->data.u64;

	switch ((enum what)(e->data.u64 >> 32)) {
	case LISTENER: accept_all(); break;
	case PROGRAM: hear_program(); break;
	case CONNECTION:
		if (o.watched[index].connection >= 0)
			take_over(index);
		break;
	case INSTANCE: look_inside(&o.watched[index], since); break;
	case PROCESS:
		if (o.watched[index].process >= 0)
			drop(&o.watched[index]);
		break;
	}
}

/* At all that is there.  `wait`: until there is something.  When it began, in nanoseconds.  */
static uint64_t look(bool wait)
{
	struct epoll_event events[EVENTS];
	bool was_recording = o.recording;
	uint64_t began_ns = clock_ns(), began = clock_ticks(), since = o.since;
	size_t busy = look_aside(since);
	int n = epoll_wait(o.outer, events, EVENTS, 0);

	if (n == 0 && wait && !busy) {
		n = epoll_wait(o.outer, events, EVENTS, -1);
		began_ns = clock_ns();
		began = clock_ticks();
		since = 0;
	}
	for (; n > 0; n = n == EVENTS ? epoll_wait(o.outer, events, EVENTS, 0) : 0)
		for (int i = 0; i < n; i++)
			serve(&events[i], since);
	/* Before, it was another clock. */
	o.since = o.recording == was_recording ? began : clock_ticks();
	return began_ns;
}

static void pause_after(uint64_t began_ns)
{
	uint64_t took = (clock_ns() - began_ns) * (SHARE - 1);
	struct timespec t = {.tv_nsec = took < PAUSE_NS ? PAUSE_NS : took > PAUSE_MAX_NS ? PAUSE_MAX_NS : (long)took};

	nanosleep(&t, NULL);
}

/* Until the program has ended, and then, unless the command has said that this is all, until what it has left behind has.  */
static void __attribute__((noreturn)) observe(void)
{
	while (!o.ended)
		pause_after(look(true));
	look(false);
	if (!o.all && o.living)
		close_one(&o.program);
	while (!o.all && o.living)
		pause_after(look(true));
	unlinkat(o.dir, TRACE_OBSERVER_NAME, 0);
	if (o.recording)
		tracefile_end();
	send(o.program, "", 1, MSG_NOSIGNAL);
	_exit(0);
}

/* Listens in the trace's directory; errno on failure.  By way of its fd: its own name may be longer than an address can be
 * (unix(7), 108 bytes).  */
static int listen_in(const char *dir)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	o.dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	o.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (o.dir < 0 || o.listener < 0)
		return errno;
	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" TRACE_OBSERVER_NAME, o.dir);
	if (bind(o.listener, (struct sockaddr *)&address, sizeof address) < 0 ||
	    fchmodat(o.dir, TRACE_OBSERVER_NAME, 0600, 0) < 0 || listen(o.listener, BACKLOG) < 0)
		return errno;
	o.outer = epoll_create1(EPOLL_CLOEXEC);
	if (o.outer < 0)
		return errno;
	add(o.listener, LISTENER, 0, EPOLLIN);
	add(o.program, PROGRAM, 0, EPOLLIN);
	return 0;
}

/* A process of its own, with nothing of what the command was given.  */
static void stand_aside(int program)
{
	struct rlimit limit;
	int null = open("/dev/null", O_RDWR);

	setsid();
	if (chdir("/") < 0)
		_exit(1);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	o.program = dup2(program, 3);
	close_range(4, ~0u, 0);
	fcntl(o.program, F_SETFD, FD_CLOEXEC);
	/* Two for each process that is watched. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	prctl(PR_SET_NAME, "eagain-observer");
}

static void __attribute__((noreturn)) begin(const char *dir, int program)
{
	int error;

	stand_aside(program);
	clock_start();
	snprintf(config.trace, sizeof config.trace, "%s", dir);
	error = listen_in(dir);
	if (write(o.program, &error, sizeof error) != sizeof error || error)
		_exit(1);
	observe();
}

int observe_start(const char *dir)
{
	int pair[2], error;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || (child = fork()) < 0)
		return errno;
	if (child == 0)
		begin(dir, pair[1]);
	close(pair[1]);
	child_fd = pair[0];
	return read(child_fd, &error, sizeof error) == sizeof error ? error : EIO;
}

/* It may have been killed, and can be stopped.  */
void observe_end(bool all)
{
	struct pollfd p = {.fd = child_fd, .events = POLLIN};
	char byte;

	if (all)
		send(child_fd, "", 1, MSG_NOSIGNAL);
	shutdown(child_fd, SHUT_WR);
	if (poll(&p, 1, END_MS) > 0)
		waitpid(child, NULL, read(child_fd, &byte, 1) == 1 ? 0 : WNOHANG);
	close_one(&child_fd);
}
