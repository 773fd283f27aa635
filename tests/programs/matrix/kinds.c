/* kinds.c - the kinds of fd.  */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "matrix.h"

static bool make_pair(struct ends *e, unsigned direction, const int fds[2])
{
	e->subject = direction == READS ? fds[0] : fds[1];
	e->peer = direction == READS ? fds[1] : fds[0];
	return true;
}

static bool make_pipe(struct ends *e, unsigned direction)
{
	int fds[2];

	return pipe(fds) == 0 && make_pair(e, direction, fds);
}

static bool make_fifo(struct ends *e, unsigned direction)
{
	char name[] = "/tmp/matrix.XXXXXX", path[64];
	int fds[2];

	if (!mkdtemp(name))
		return false;
	snprintf(path, sizeof path, "%s/fifo", name);
	if (mkfifo(path, 0600) < 0)
		return false;
	fds[0] = open(path, O_RDONLY | O_NONBLOCK);
	fds[1] = open(path, O_WRONLY);
	fcntl(fds[0], F_SETFL, 0);
	unlink(path);
	rmdir(name);
	return fds[1] >= 0 && make_pair(e, direction, fds);
}

static bool make_reopened_pipe(struct ends *e, unsigned direction)
{
	char path[40];
	int fds[2], again;

	if (pipe(fds) < 0)
		return false;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fds[direction == WRITES]);
	again = open(path, direction == READS ? O_RDONLY : O_WRONLY);
	close(fds[direction == WRITES]);
	fds[direction == WRITES] = again;
	return again >= 0 && make_pair(e, direction, fds);
}

static bool make_unix(struct ends *e, unsigned direction, int type)
{
	int fds[2];

	return socketpair(AF_UNIX, type, 0, fds) == 0 && make_pair(e, direction, fds);
}

static bool make_unix_stream(struct ends *e, unsigned direction) { return make_unix(e, direction, SOCK_STREAM); }
static bool make_unix_dgram(struct ends *e, unsigned direction) { return make_unix(e, direction, SOCK_DGRAM); }
static bool make_unix_seqpacket(struct ends *e, unsigned direction) { return make_unix(e, direction, SOCK_SEQPACKET); }

static int bound(int type, struct sockaddr_in *a)
{
	socklen_t size = sizeof *a;
	int fd = socket(AF_INET, type, 0);

	memset(a, 0, sizeof *a);
	a->sin_family = AF_INET;
	a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)a, sizeof *a) < 0 || getsockname(fd, (struct sockaddr *)a, &size) < 0)
		return -1;
	return fd;
}

static bool make_tcp(struct ends *e, unsigned direction)
{
	struct sockaddr_in a;
	int listener = bound(SOCK_STREAM, &a), fds[2], one = 1, size = 32768;

	listen(listener, 1);
	/* Small fixed buffers: a large write must find them full. */
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fds[0], SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	if (connect(fds[0], (struct sockaddr *)&a, sizeof a) < 0)
		return false;
	fds[1] = accept(listener, NULL, NULL);
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	close(listener);
	for (int i = 0; i < 2; i++)
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fds[1] >= 0 && make_pair(e, direction, fds);
}

static bool make_udp(struct ends *e, unsigned direction)
{
	struct sockaddr_in a, b;
	int fds[2] = {bound(SOCK_DGRAM, &a), bound(SOCK_DGRAM, &b)};

	connect(fds[0], (struct sockaddr *)&b, sizeof b);
	connect(fds[1], (struct sockaddr *)&a, sizeof a);
	return make_pair(e, direction, fds);
}

static bool make_listening(struct ends *e, unsigned direction)
{
	struct sockaddr_in a;

	(void)direction;
	e->subject = bound(SOCK_STREAM, &a);
	e->peer = -1;
	return listen(e->subject, 1) == 0;
}

struct sockaddr_storage target;
socklen_t target_size;

/* A unix socket with a name that the kernel chose.  */
static int named(int type)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type, 0);

	return bind(fd, (struct sockaddr *)&a, sizeof a.sun_family) == 0 ? fd : -1;
}

int connect_to(int listener)
{
	struct sockaddr_storage a;
	socklen_t size = sizeof a;
	int type, fd;
	socklen_t type_size = sizeof type;

	if (getsockname(listener, (struct sockaddr *)&a, &size) < 0 ||
	    getsockopt(listener, SOL_SOCKET, SO_TYPE, &type, &type_size) < 0)
		return -1;
	fd = socket(a.ss_family, type, 0);
	return connect(fd, (struct sockaddr *)&a, size) == 0 ? fd : -1;
}

bool connect_and_wait(struct ends *e, int listener)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};

	e->other = connect_to(listener);
	return e->other >= 0 && poll(&p, 1, -1) == 1;
}

static bool make_listener(struct ends *e, int fd)
{
	e->subject = fd;
	return listen(fd, 4) == 0;
}

static bool make_tcp_listener(struct ends *e, unsigned d)
{
	struct sockaddr_in a;

	(void)d;
	return make_listener(e, bound(SOCK_STREAM, &a));
}

static bool make_unix_listener(struct ends *e, unsigned d) { (void)d; return make_listener(e, named(SOCK_STREAM)); }
static bool make_seqpacket_listener(struct ends *e, unsigned d) { (void)d; return make_listener(e, named(SOCK_SEQPACKET)); }

/* A fresh socket, whose target is `fd`; that listens if `backlog` is 0 or more.  */
static bool make_to(struct ends *e, int fd, int backlog)
{
	int type;
	socklen_t size = sizeof type;

	e->peer = fd;
	target_size = sizeof target;
	if (getsockname(fd, (struct sockaddr *)&target, &target_size) < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		return false;
	e->subject = socket(target.ss_family, type, 0);
	return e->subject >= 0 && (backlog < 0 || listen(fd, backlog) == 0);
}

/* With a backlog of 0 one client is let in, the others wait.  */
static bool make_to_full(struct ends *e, int fd)
{
	return make_to(e, fd, 0) && connect_and_wait(e, fd);
}

static int bound_tcp(void)
{
	struct sockaddr_in a;

	return bound(SOCK_STREAM, &a);
}

static bool make_to_udp(struct ends *e, unsigned d)
{
	struct sockaddr_in a;

	(void)d;
	return make_to(e, bound(SOCK_DGRAM, &a), -1);
}

static bool make_to_tcp(struct ends *e, unsigned d) { (void)d; return make_to(e, bound_tcp(), 4); }
static bool make_to_unix(struct ends *e, unsigned d) { (void)d; return make_to(e, named(SOCK_STREAM), 4); }
static bool make_to_unix_dgram(struct ends *e, unsigned d) { (void)d; return make_to(e, named(SOCK_DGRAM), -1); }
static bool make_to_tcp_nobody(struct ends *e, unsigned d) { (void)d; return make_to(e, bound_tcp(), -1); }
static bool make_to_unix_nobody(struct ends *e, unsigned d) { (void)d; return make_to(e, named(SOCK_STREAM), -1); }
static bool make_to_tcp_full(struct ends *e, unsigned d) { (void)d; return make_to_full(e, bound_tcp()); }
static bool make_to_unix_full(struct ends *e, unsigned d) { (void)d; return make_to_full(e, named(SOCK_STREAM)); }
static bool make_to_seqpacket_full(struct ends *e, unsigned d) { (void)d; return make_to_full(e, named(SOCK_SEQPACKET)); }

static bool make_unconnected(struct ends *e, unsigned direction)
{
	(void)direction;
	e->subject = socket(AF_INET, SOCK_STREAM, 0);
	e->peer = -1;
	return e->subject >= 0;
}

static bool make_terminal(struct ends *e, int vmin, int vtime)
{
	struct termios t;
	int master, slave;

	if (openpty(&master, &slave, NULL, NULL, NULL) < 0 || tcgetattr(slave, &t) < 0)
		return false;
	if (vmin >= 0) {
		cfmakeraw(&t);
		t.c_cc[VMIN] = (cc_t)vmin;
		t.c_cc[VTIME] = (cc_t)vtime;
	} else {
		t.c_lflag &= ~(tcflag_t)ECHO;
	}
	tcsetattr(slave, TCSANOW, &t);
	e->subject = slave;
	e->peer = master;
	return true;
}

static bool make_tty_canonical(struct ends *e, unsigned d) { (void)d; return make_terminal(e, -1, 0); }
static bool make_tty_0_0(struct ends *e, unsigned d) { (void)d; return make_terminal(e, 0, 0); }
static bool make_tty_1_0(struct ends *e, unsigned d) { (void)d; return make_terminal(e, 1, 0); }
static bool make_tty_5_0(struct ends *e, unsigned d) { (void)d; return make_terminal(e, 5, 0); }
static bool make_tty_0_1(struct ends *e, unsigned d) { (void)d; return make_terminal(e, 0, 1); }

static bool make_ptmx(struct ends *e, unsigned d)
{
	int fd;

	(void)d;
	if (!make_terminal(e, 1, 0))
		return false;
	fd = e->subject;
	e->subject = e->peer;
	e->peer = fd;
	return true;
}

static bool alone(struct ends *e, int fd)
{
	e->subject = fd;
	e->peer = -1;
	return true;
}

static bool make_eventfd(struct ends *e, unsigned d)
{
	(void)d;
	alone(e, eventfd(0, 0));
	e->peer = dup(e->subject);
	return true;
}

static bool make_timerfd_armed(struct ends *e, unsigned d)
{
	struct itimerspec soon = {.it_value = {.tv_nsec = 2000000}};

	(void)d;
	alone(e, timerfd_create(CLOCK_MONOTONIC, 0));
	return timerfd_settime(e->subject, 0, &soon, NULL) == 0;
}

static bool make_timerfd(struct ends *e, unsigned d) { (void)d; return alone(e, timerfd_create(CLOCK_MONOTONIC, 0)); }

static bool make_signalfd(struct ends *e, unsigned d)
{
	sigset_t set;

	(void)d;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	return alone(e, signalfd(-1, &set, 0));
}

static bool make_inotify(struct ends *e, unsigned d)
{
	(void)d;
	alone(e, inotify_init1(0));
	return inotify_add_watch(e->subject, "/", IN_CREATE) >= 0;
}

static bool make_pidfd(struct ends *e, unsigned d) { (void)d; return alone(e, (int)syscall(SYS_pidfd_open, getpid(), 0)); }
static bool make_directory(struct ends *e, unsigned d) { (void)d; return alone(e, open("/", O_RDONLY)); }
static bool make_null(struct ends *e, unsigned d) { (void)d; return alone(e, open("/dev/null", O_RDWR)); }
static bool make_zero(struct ends *e, unsigned d) { (void)d; return alone(e, open("/dev/zero", O_RDWR)); }
static bool make_full(struct ends *e, unsigned d) { (void)d; return alone(e, open("/dev/full", O_RDWR)); }
static bool make_minus_one(struct ends *e, unsigned d) { (void)d; return alone(e, -1); }
static bool make_huge(struct ends *e, unsigned d) { (void)d; return alone(e, 1 << 30); }

static bool make_closed(struct ends *e, unsigned d)
{
	(void)d;
	alone(e, dup(2));
	return close(e->subject) == 0;
}

static bool make_file(struct ends *e, unsigned d)
{
	char name[] = "/tmp/matrix.XXXXXX";

	(void)d;
	alone(e, mkstemp(name));
	unlink(name);
	return write(e->subject, "0123456789abcdefghij", 20) == 20 && lseek(e->subject, 3, SEEK_SET) == 3;
}

/* The end that cannot do what is asked.  */
static bool make_wrong_end(struct ends *e, unsigned direction)
{
	int fds[2];

	return pipe(fds) == 0 && make_pair(e, direction == READS ? WRITES : READS, fds);
}

static bool make_path(struct ends *e, unsigned d) { (void)d; return alone(e, open("/", O_PATH)); }

#define BOTH (READS | WRITES)
#define ENDS_STREAM (STREAM | FILLS | HAS_EOF)

const struct kind kinds[] = {
	{"pipe", BOTH, ENDS_STREAM, make_pipe},
	{"fifo", BOTH, ENDS_STREAM, make_fifo},
	{"reopened-pipe", BOTH, ENDS_STREAM, make_reopened_pipe},
	{"unix-stream", BOTH, ENDS_STREAM | SOCKET | LOCAL, make_unix_stream},
	{"unix-dgram", BOTH, PACKETS | FILLS | SOCKET | LOCAL, make_unix_dgram},
	{"unix-seqpacket", BOTH, PACKETS | FILLS | HAS_EOF | SOCKET | LOCAL, make_unix_seqpacket},
	{"tcp", BOTH, ENDS_STREAM | SOCKET | TCP, make_tcp},
	{"udp", BOTH, PACKETS | SOCKET | UDP, make_udp},
	{"listening", BOTH, SOCKET | NO_PEER, make_listening},
	{"tcp-listener", READS, SOCKET | NO_PEER | LISTENS, make_tcp_listener},
	{"unix-listener", READS, SOCKET | NO_PEER | LISTENS | LOCAL, make_unix_listener},
	{"seqpacket-listener", READS, SOCKET | NO_PEER | LISTENS | LOCAL, make_seqpacket_listener},
	{"to-udp", WRITES, SOCKET | NO_PEER | CONNECTS, make_to_udp},
	{"to-tcp", WRITES, SOCKET | NO_PEER | CONNECTS, make_to_tcp},
	{"to-tcp-nobody", WRITES, SOCKET | NO_PEER | CONNECTS, make_to_tcp_nobody},
	{"to-tcp-full", WRITES, SOCKET | NO_PEER | CONNECTS | QUEUES | TCP, make_to_tcp_full},
	{"to-unix", WRITES, SOCKET | NO_PEER | CONNECTS | LOCAL, make_to_unix},
	{"to-unix-dgram", WRITES, SOCKET | NO_PEER | CONNECTS | LOCAL, make_to_unix_dgram},
	{"to-unix-nobody", WRITES, SOCKET | NO_PEER | CONNECTS | LOCAL, make_to_unix_nobody},
	{"to-unix-full", WRITES, SOCKET | NO_PEER | CONNECTS | QUEUES | LOCAL, make_to_unix_full},
	{"to-seqpacket-full", WRITES, SOCKET | NO_PEER | CONNECTS | QUEUES | LOCAL, make_to_seqpacket_full},
	{"unconnected", BOTH, SOCKET | NO_PEER, make_unconnected},
	{"tty-canonical", BOTH, TERMINAL, make_tty_canonical},
	{"tty-0-0", READS, TERMINAL, make_tty_0_0},
	{"tty-1-0", BOTH, TERMINAL, make_tty_1_0},
	{"tty-5-0", READS, TERMINAL, make_tty_5_0},
	{"tty-0-1", READS, TERMINAL | WAKES, make_tty_0_1},
	{"ptmx", BOTH, TERMINAL, make_ptmx},
	{"eventfd", BOTH, 0, make_eventfd},
	{"timerfd", READS, NO_PEER, make_timerfd},
	{"timerfd-armed", READS, NO_PEER | WAKES, make_timerfd_armed},
	{"signalfd", READS, NO_PEER, make_signalfd},
	{"inotify", READS, NO_PEER, make_inotify},
	{"pidfd", BOTH, NO_PEER, make_pidfd},
	{"file", BOTH, NO_PEER, make_file},
	{"directory", BOTH, NO_PEER, make_directory},
	{"dev-null", BOTH, NO_PEER, make_null},
	{"dev-zero", BOTH, NO_PEER, make_zero},
	{"dev-full", BOTH, NO_PEER, make_full},
	{"wrong-end", BOTH, 0, make_wrong_end},
	{"o-path", BOTH, NO_PEER, make_path},
	{"closed", BOTH, NO_PEER, make_closed},
	{"minus-one", BOTH, NO_PEER, make_minus_one},
	{"huge", BOTH, NO_PEER, make_huge},
};

const size_t kind_count = sizeof kinds / sizeof *kinds;
