/* kept - drives arrays of poll and sets of select, and the fds in them, at random, and compares each answer with the kernel's own,
 * asked by raw system calls while nothing else moves.
 * usage: kept SEED STEPS [STEP]: prints what happens from STEP on.
 *        kept SEED STEPS threads: two at once, each with fds, arrays and sets of its own.  They share the numbers that fds are made
 *        under, so none is left free for the other's: what ends there becomes another.
 *
 * What is done behind libc's back ("hidden": raw close, dup2, and a description that lives on elsewhere) may be noticed late, if it
 * cannot be seen; then the program waits until it is, and each late answer may only lack something.  */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	FIRST = 20, SHARE = 400,        /* the numbers that a thread's things are given: its `low` up to `high` */
	THREADS = 2, FDS = FIRST + THREADS * SHARE,
	ARRAYS = 4, ARRAY_MAX = 330,
	SETS = 2, SET_FDS = FD_SETSIZE,
	LATE_MAX = 10000,               /* polls until a hidden change must have been noticed */
};

enum kind { NOTHING, UNIX, TCP, PIPE, EVENT, TIMER, UDP, REGULAR, NULL_DEVICE, TERMINAL, EPOLL, INOTIFY, LISTENER, KINDS };

static int threads = 1;
static __thread int low, high;

static __thread struct thing {
	enum kind kind;
	int peer;               /* of a pair; -1: none */
	bool hidden;            /* its meaning was changed behind libc's back, and nobody has told that it was noticed */
} things[FDS];

static __thread struct array {
	struct pollfd fds[ARRAY_MAX];
	unsigned count;
} arrays[ARRAYS];

static __thread struct sets {
	fd_set in, out, urgent;
	int count;
} sets[SETS];

static uint64_t seed;
static long steps, loud = -1;
static __thread uint64_t state;
static __thread long step;
static __thread unsigned long compared, late;

static uint32_t draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 20) % below;
}

static bool chance(uint32_t percent)
{
	return draw(100) < percent;
}

static int any_number(void)
{
	return low + (int)draw(SHARE);
}

static void say(const char *format, ...)
{
	va_list list;

	if (loud < 0 || step < loud)
		return;
	va_start(list, format);
	fprintf(stderr, "%ld: ", step);
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
	va_end(list);
}

static void fail(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	printf("seed %lu step %ld: ", (unsigned long)seed, step);
	vprintf(format, list);
	putchar('\n');
	va_end(list);
	fflush(stdout);
	_exit(1);
}

/* A system call that no shim sees: -errno on failure.  */
static long raw(long nr, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return result;
#else
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
#endif
}

static int listener;
static struct sockaddr_in address;

static void move_to(int from, int to)
{
	if (from == to)
		return;
	if (dup2(from, to) != to)
		fail("dup2: %s", strerror(errno));
	close(from);
}

/* A peer lives above all the numbers that are polled, so that closing it by its number is nothing special.  */
static int away(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, FDS + 100);

	if (moved < 0)
		fail("F_DUPFD: %s", strerror(errno));
	close(fd);
	return moved;
}

static bool make_pair(enum kind kind, int pair[2])
{
	struct sockaddr_in a, b;
	socklen_t size = sizeof a;

	switch (kind) {
	case UNIX:
		return socketpair(AF_UNIX, chance(80) ? SOCK_STREAM : SOCK_SEQPACKET, 0, pair) == 0;
	case TCP:
		pair[1] = socket(AF_INET, SOCK_STREAM, 0);
		if (pair[1] < 0 || connect(pair[1], (struct sockaddr *)&address, sizeof address) < 0)
			return false;
		pair[0] = accept(listener, NULL, NULL);
		return pair[0] >= 0;
	case PIPE:
		if (pipe(pair) < 0)
			return false;
		if (chance(30)) {
			int other = pair[0];

			pair[0] = pair[1];
			pair[1] = other;
		}
		return true;
	case UDP:
		pair[0] = socket(AF_INET, SOCK_DGRAM, 0);
		pair[1] = socket(AF_INET, SOCK_DGRAM, 0);
		a = b = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		if (bind(pair[0], (struct sockaddr *)&a, sizeof a) < 0 || bind(pair[1], (struct sockaddr *)&b, sizeof b) < 0)
			return false;
		getsockname(pair[0], (struct sockaddr *)&a, &size);
		getsockname(pair[1], (struct sockaddr *)&b, &size);
		return connect(pair[0], (struct sockaddr *)&b, sizeof b) == 0 && connect(pair[1], (struct sockaddr *)&a, sizeof a) == 0;
	case TERMINAL:
		return openpty(&pair[0], &pair[1], NULL, NULL, NULL) == 0;
	default:
		return false;
	}
}

static int make_single(enum kind kind)
{
	int fd;

	switch (kind) {
	case EVENT: return eventfd(0, 0);
	case TIMER: return timerfd_create(CLOCK_MONOTONIC, 0);
	case REGULAR: return open("/proc/self/exe", O_RDONLY);
	case NULL_DEVICE: return open("/dev/null", O_RDWR);
	case INOTIFY: return inotify_init1(0);
	case LISTENER:
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		return fd;
	case EPOLL: {
		struct epoll_event e = {.events = EPOLLIN};
		int other = any_number();

		fd = epoll_create1(0);
		epoll_ctl(fd, EPOLL_CTL_ADD, other, &e);
		return fd;
	}
	default: return -1;
	}
}

static bool is_pair(enum kind kind)
{
	return kind == UNIX || kind == TCP || kind == PIPE || kind == UDP || kind == TERMINAL;
}

static enum kind any_kind(void)
{
	static const enum kind common[] = {UNIX, TCP, PIPE, EVENT, TIMER, UDP};

	return chance(97) ? common[draw(6)] : (enum kind)(1 + draw(KINDS - 1));
}

/* What is there goes away without a close: the number gets a new meaning by dup2.  */
static void put(int at, int fd, enum kind kind, int peer)
{
	if (things[at].peer >= 0 && things[at].kind != NOTHING)
		close(things[at].peer);
	move_to(fd, at);
	things[at] = (struct thing){kind, peer, false};
}

static void make(int at)
{
	enum kind kind = any_kind();
	int pair[2] = {-1, -1};

	if (is_pair(kind)) {
		if (!make_pair(kind, pair))
			fail("pair of kind %d: %s", kind, strerror(errno));
		pair[1] = away(pair[1]);
	} else {
		pair[0] = make_single(kind);
		if (pair[0] < 0)
			fail("kind %d: %s", kind, strerror(errno));
	}
	put(at, pair[0], kind, pair[1]);
	say("fd %d is of kind %d, peer %d", at, kind, pair[1]);
}

static void end(int at)
{
	if (things[at].kind == NOTHING)
		return;
	close(at);
	if (things[at].peer >= 0)
		close(things[at].peer);
	things[at] = (struct thing){.peer = -1};
	say("fd %d closed", at);
}

/* Where other threads make fds, too, no number is left free.  */
static bool may_leave_free(void)
{
	return threads == 1;
}

static void set_nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

static void drain(int fd)
{
	static char buffer[65536];

	set_nonblocking(fd, true);
	while (read(fd, buffer, sizeof buffer) > 0)
		;
	set_nonblocking(fd, false);
}

static void fill(int fd)
{
	static const char buffer[65536];

	set_nonblocking(fd, true);
	while (write(fd, buffer, sizeof buffer) > 0)
		;
	set_nonblocking(fd, false);
}

static void stir(int at)
{
	struct thing *t = &things[at];
	struct itimerspec soon = {.it_value.tv_nsec = 1};
	struct linger reset = {1, 0};
	uint64_t number = 1;
	char c;

	switch (t->kind) {
	case EVENT:
		if (chance(30))
			write(at, &number, sizeof number);
		else
			drain(at);
		return;
	case TIMER:
		if (chance(30)) {
			struct pollfd p = {at, POLLIN, 0};

			timerfd_settime(at, 0, &soon, NULL);
			raw(SYS_ppoll, (long)&p, 1, 0, 0, 8, 0);
		} else {
			drain(at);
		}
		return;
	default:
		break;
	}
	if (t->peer < 0)
		return;
	switch (draw(16)) {
	case 0: case 1: case 2:
		send(t->peer, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == ENOTSOCK ? write(t->peer, "\n", 1) : 0;
		say("written to fd %d", at);
		break;
	case 3: case 4: case 5: case 6: case 7: case 8:
		drain(at);
		say("fd %d drained", at);
		break;
	case 9: if (t->kind == UNIX || t->kind == TCP || t->kind == PIPE) fill(at); say("fd %d filled", at); break;
	case 10: case 11: drain(t->peer); say("peer of fd %d drained", at); break;
	case 12: if (chance(10)) { shutdown(t->peer, chance(50) ? SHUT_WR : SHUT_RDWR); say("fd %d: half-closed by its peer", at); } break;
	case 13: if (chance(10)) { shutdown(at, (int)draw(3)); say("fd %d shut down", at); } break;
	case 14:
		if (!chance(10))
			break;
		if (t->kind == TCP)
			setsockopt(t->peer, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		close(t->peer);
		t->peer = -1;
		say("peer of fd %d closed", at);
		break;
	default:
		if (t->kind == TCP || t->kind == UNIX)
			send(t->peer, &c, 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	}
}

/* The description goes on in a message that nobody has read yet, or in a child; the number is closed, or means something else.  */
static __thread int posts[2] = {-1, -1};

static void pass(int at)
{
	char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
	struct iovec v = {&byte, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	if (posts[0] >= 0 && chance(50)) {
		close(posts[0]);
		close(posts[1]);
		posts[0] = -1;
	}
	if (posts[0] < 0) {
		if (socketpair(AF_UNIX, SOCK_DGRAM, 0, posts) < 0)
			fail("socketpair: %s", strerror(errno));
		posts[0] = away(posts[0]);
		posts[1] = away(posts[1]);
	}
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &at, sizeof at);
	sendmsg(posts[0], &m, MSG_DONTWAIT);
	say("fd %d passed", at);
}

static __thread pid_t child = -1;

static void have_child(void)
{
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		child = -1;
		return;
	}
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	say("a child holds all fds");
}

/* In a child, whose fds are its own.  */
static void child_closes(int at)
{
	pid_t pid = chance(50) ? vfork() : fork();

	if (pid == 0) {
		close(at);
		dup2(at + 1, at);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	say("a child closed fd %d", at);
}

static void hide(int at)
{
	int other = any_number(), pair[2];

	if (chance(50))
		pass(at);
	if (may_leave_free() && chance(40)) {
		raw(SYS_close, at, 0, 0, 0, 0, 0);
		if (things[at].peer >= 0)
			close(things[at].peer);
		things[at] = (struct thing){NOTHING, -1, true};
		say("fd %d closed, hidden", at);
		return;
	}
	if (at == other || !make_pair(UNIX, pair))
		return;
	raw(SYS_dup3, pair[0], at, 0, 0, 0, 0);
	close(pair[0]);
	if (things[at].peer >= 0)
		close(things[at].peer);
	things[at] = (struct thing){UNIX, away(pair[1]), true};
	say("fd %d became another, hidden", at);
}

static short any_events(void)
{
	static const short all[] = {POLLIN, POLLOUT, POLLPRI, POLLRDHUP, POLLRDNORM, POLLWRNORM, POLLRDBAND, POLLWRBAND, POLLMSG, POLLNVAL, 0x1000};
	short events = 0;

	if (chance(90))
		return POLLIN;
	if (chance(5))
		return (short)draw(0x10000);
	for (unsigned i = draw(4); i; i--)
		events |= all[draw(sizeof all / sizeof *all)];
	return events;
}

static int any_fd(void)
{
	if (chance(2))
		return -1 - (int)draw(3);
	if (chance(1))
		return 100000 + (int)draw(10);
	return any_number();
}

static void rebuild(struct array *a)
{
	a->count = 70 + draw(ARRAY_MAX - 70);
	for (unsigned i = 0; i < a->count; i++)
		a->fds[i] = (struct pollfd){chance(3) ? any_fd() : low + (int)(i % SHARE), any_events(), (short)draw(0x10000)};
	say("array %d begun anew", (int)(a - arrays));
}

static void edit(struct array *a)
{
	unsigned i = draw(a->count), j = draw(a->count);
	struct pollfd p;

	switch (draw(7)) {
	case 0: a->fds[i].events = any_events(); break;
	case 1: a->fds[i].fd = any_fd(); break;
	case 2: p = a->fds[i]; a->fds[i] = a->fds[j]; a->fds[j] = p; break;
	case 3: if (a->count > 66) a->fds[i] = a->fds[--a->count]; break;
	case 4: if (a->count < ARRAY_MAX) a->fds[a->count++] = (struct pollfd){any_fd(), any_events(), 0}; break;
	case 5: a->fds[i] = a->fds[j]; break;
	case 6:
		if (a->count > 66) {
			memmove(&a->fds[i], &a->fds[i + 1], (a->count - i - 1) * sizeof *a->fds);
			a->count--;
		}
		break;
	}
}

static void edit_sets(struct sets *s)
{
	int fd = any_number();

	s->count = high + (int)draw((uint32_t)(SET_FDS - high));
	switch (draw(6)) {
	case 0: FD_CLR(fd, &s->in); FD_CLR(fd, &s->out); FD_CLR(fd, &s->urgent); break;
	case 1: FD_SET(fd, &s->out); break;
	case 2: FD_SET(fd, &s->urgent); break;
	case 3: FD_CLR(fd, &s->out); break;
	default: FD_SET(fd, &s->in); FD_CLR(fd, &s->out); break;
	}
}

static int kind_of(int fd)
{
	return fd >= 0 && fd < FDS ? (int)things[fd].kind : -1;
}

/* A child that the other thread has made holds all fds, and gives them up at any moment: the kernel says that a pipe has no reader
 * any more before it wakes who waits for that (Linux, pipe_release).  */
static bool is_given_up(int times)
{
	return threads > 1 && times < 3;
}

static bool is_hidden(int fd, int times)
{
	return fd >= 0 && fd < FDS && (things[fd].hidden || is_given_up(times));
}

/* Whether `got` says of each entry what the kernel said, or, where the fd may not have been noticed to be another, nothing.  */
static bool agrees(const struct array *a, const struct pollfd *want, long want_n, long got_n, int times, bool *is_late)
{
	const struct pollfd *got = a->fds;
	long lacks = 0;

	*is_late = false;
	for (unsigned i = 0; i < a->count; i++) {
		if (got[i].fd != want[i].fd || got[i].events != want[i].events)
			return false;
		if (got[i].revents == want[i].revents)
			continue;
		if (got[i].revents || !is_hidden(got[i].fd, times))
			return false;
		lacks++;
	}
	*is_late = lacks;
	return got_n == want_n - lacks || (want_n < 0 && got_n == want_n);
}

static void be_late(void)
{
	const struct timespec a_while = {.tv_nsec = 1000000};

	late++;
	nanosleep(&a_while, NULL);
}

static long ask_array(const struct array *a, struct pollfd *answer)
{
	struct timespec zero = {0};

	memcpy(answer, a->fds, sizeof a->fds);
	return raw(SYS_ppoll, (long)answer, a->count, (long)&zero, 0, 8, 0);
}

/* TCP moves by itself, a little: then all is asked anew.  */
static void compare_array(struct array *a, int timeout)
{
	static __thread struct pollfd want[ARRAY_MAX], again[ARRAY_MAX];
	long want_n, got_n;
	bool is_late = true;

	want_n = ask_array(a, want);
	for (int times = 0; is_late; times++) {
		for (unsigned i = 0; i < a->count; i++)
			a->fds[i].revents = (short)(0x5a5a ^ i);
		got_n = poll(a->fds, a->count, times ? 20 : timeout);
		if (got_n < 0)
			got_n = -errno;
		compared++;
		if (!agrees(a, want, want_n, got_n, times, &is_late)) {
			ask_array(a, again);
			if (memcmp(want, again, a->count * sizeof *want) != 0) {
				want_n = ask_array(a, want);
				is_late = true;
				be_late();
				continue;
			}
			for (unsigned i = 0; i < a->count; i++)
				if (a->fds[i].revents != want[i].revents)
					printf("entry %u: fd %d kind %d events %x: revents %x, not %x\n", i, want[i].fd,
					       kind_of(want[i].fd), want[i].events & 0xffff,
					       a->fds[i].revents & 0xffff, want[i].revents & 0xffff);
			fail("array %d of %u: %ld, not %ld", (int)(a - arrays), a->count, got_n, want_n);
		}
		if (is_late)
			be_late();
		if (times == LATE_MAX)
			fail("array %d: a hidden change is never noticed", (int)(a - arrays));
	}
}

static bool lacks_only_hidden(const fd_set *want, const fd_set *got, int count, int times, long *lacks)
{
	for (int fd = 0; fd < count; fd++) {
		bool w = FD_ISSET(fd, want), g = FD_ISSET(fd, got);

		if (w == g)
			continue;
		if (g || !is_hidden(fd, times))
			return false;
		++*lacks;
	}
	return true;
}

static unsigned bits(int fd, const struct sets *s)
{
	return (FD_ISSET(fd, &s->in) ? 1 : 0) | (FD_ISSET(fd, &s->out) ? 2 : 0) | (FD_ISSET(fd, &s->urgent) ? 4 : 0);
}

static void tell_difference(int fd, const struct sets *want, const struct sets *got)
{
	struct pollfd p = {fd, ~0, 0};
	struct timespec zero = {0};

	if (bits(fd, want) == bits(fd, got))
		return;
	raw(SYS_ppoll, (long)&p, 1, (long)&zero, 0, 8, 0);
	printf("fd %d kind %d: %x, not %x; it is %x\n", fd, kind_of(fd), bits(fd, got), bits(fd, want), p.revents & 0xffff);
}

static long ask_sets(const struct sets *s, struct sets *answer)
{
	struct timespec zero = {0};

	*answer = *s;
	return raw(SYS_pselect6, s->count, (long)&answer->in, (long)&answer->out, (long)&answer->urgent, (long)&zero, 0);
}

/* A set may have no closed fd: EBADF, which a hidden close makes late.  */
static void compare_sets(struct sets *s)
{
	static __thread struct sets works[SETS];
	struct sets *work = &works[s - sets], want, again;
	struct timeval timeout;
	long want_n, got_n, lacks;

	for (int fd = low; fd < high; fd++)
		if (things[fd].kind == NOTHING) {
			FD_CLR(fd, &s->in);
			FD_CLR(fd, &s->out);
			FD_CLR(fd, &s->urgent);
		}
	want_n = ask_sets(s, &want);
	for (int times = 0;; times++) {
		*work = *s;
		timeout = (struct timeval){.tv_usec = times ? 20000 : 0};
		got_n = select(s->count, &work->in, &work->out, &work->urgent, &timeout);
		if (got_n < 0)
			got_n = -errno;
		compared++;
		lacks = 0;
		if ((want_n < 0 && got_n != want_n) || (want_n >= 0 && (!lacks_only_hidden(&want.in, &work->in, s->count, times, &lacks) ||
		    !lacks_only_hidden(&want.out, &work->out, s->count, times, &lacks) ||
		    !lacks_only_hidden(&want.urgent, &work->urgent, s->count, times, &lacks) || got_n != want_n - lacks))) {
			ask_sets(s, &again);
			if (memcmp(&want, &again, sizeof want) != 0) {
				want_n = ask_sets(s, &want);
				be_late();
				continue;
			}
			for (int fd = 0; fd < s->count; fd++)
				tell_difference(fd, &want, work);
			fail("sets %d up to %d: %ld, not %ld", (int)(s - sets), s->count, got_n, want_n);
		}
		if (!lacks)
			return;
		be_late();
		if (times == LATE_MAX)
			fail("sets %d: a hidden change is never noticed", (int)(s - sets));
	}
}

/* Most of what is ready is served, as a program would, so that there is something to wait for.  */
static void serve(void)
{
	for (int at = low; at < high; at++)
		if (things[at].kind != NOTHING && chance(80)) {
			struct pollfd p = {at, POLLIN, 0};
			struct timespec zero = {0};

			if (things[at].peer < 0 && is_pair(things[at].kind))
				make(at);
			else if (raw(SYS_ppoll, (long)&p, 1, (long)&zero, 0, 8, 0) > 0 && (p.revents & ~POLLIN))
				make(at);
			else if (p.revents && things[at].kind != REGULAR && things[at].kind != NULL_DEVICE && things[at].kind != EPOLL)
				drain(at);
		}
}

static void act(void)
{
	int at = any_number();
	uint32_t what = draw(10000);

	if (what < 5000)
		compare_array(&arrays[draw(ARRAYS)], chance(1) ? 1 : 0);
	else if (what < 6000)
		compare_sets(&sets[draw(SETS)]);
	else if (what < 8000)
		stir(at);
	else if (what < 8600)
		edit(&arrays[draw(ARRAYS)]);
	else if (what < 8900)
		edit_sets(&sets[draw(SETS)]);
	else if (what < 9300)
		make(at);
	else if (what < 9320 && may_leave_free())
		end(at);
	else if (what < 9340 && things[at].kind != NOTHING) {
		pass(at);
		make(at);
	} else if (what < 9400 && things[at].kind != NOTHING) {
		int other = dup(at);

		if (other >= 0) {
			put(at, away(other), things[at].kind, -1);
			say("fd %d duplicated onto itself", at);
		}
	} else if (what < 9405)
		have_child();
	else if (what < 9410)
		child_closes(at);
	else if (what < 9414)
		hide(at);
	else if (what < 9415)
		rebuild(&arrays[draw(ARRAYS)]);
	else if (what < 9500)
		serve();
}

static void drive(int thread)
{
	low = FIRST + thread * SHARE;
	high = low + SHARE;
	state = (seed + (uint64_t)thread) * 0x9e3779b97f4a7c15u + 1;
	for (int at = 0; at < FDS; at++)
		things[at].peer = -1;
	for (int at = low; at < high; at++)
		make(at);
	for (int i = 0; i < ARRAYS; i++)
		rebuild(&arrays[i]);
	for (int i = 0; i < SETS; i++)
		for (int k = 0; k < 400; k++)
			edit_sets(&sets[i]);
	for (step = 0; step < steps; step++)
		act();
	if (child > 0)
		have_child();
	fprintf(stderr, "seed %lu: %ld steps, %lu answers compared, %lu late ones\n", (unsigned long)seed, steps, compared, late);
}

static void *other_thread(void *unused)
{
	drive(1);
	return unused;
}

/* So that no number below those of the things is free, either.  */
static void fill_numbers(void)
{
	int fd;

	while ((fd = open("/dev/null", O_RDONLY)) < FDS)
		if (fd < 0)
			fail("open: %s", strerror(errno));
	close(fd);
}

int main(int argc, char **argv)
{
	socklen_t size = sizeof address;
	pthread_t other;

	if (argc < 3)
		return 2;
	seed = strtoull(argv[1], NULL, 0);
	steps = strtol(argv[2], NULL, 0);
	if (argc > 3 && !strcmp(argv[3], "threads"))
		threads = THREADS;
	else if (argc > 3)
		loud = strtol(argv[3], NULL, 0);
	signal(SIGPIPE, SIG_IGN);
	address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 16) < 0)
		fail("listen: %s", strerror(errno));
	getsockname(listener, (struct sockaddr *)&address, &size);
	if (threads > 1) {
		fill_numbers();
		pthread_create(&other, NULL, other_thread, NULL);
	}
	drive(0);
	if (threads > 1)
		pthread_join(other, NULL);
	printf("%ld steps: all the same\n", steps);
	return 0;
}
