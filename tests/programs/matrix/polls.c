/* polls.c - poll, select, epoll_wait: whether the fd is ready, for ever, at once, and for a short time.  */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "matrix.h"

enum { SHORT_MS = 5 };

static const struct timespec short_time = {.tv_nsec = SHORT_MS * 1000000L}, no_time;

static const sigset_t *nothing_blocked(void)
{
	static sigset_t set;

	sigemptyset(&set);
	return &set;
}

static const sigset_t *all_blocked(void)
{
	static sigset_t set;

	sigfillset(&set);
	return &set;
}

static long polled(long result, const struct pollfd *p)
{
	tell("revents", p->revents);
	return result;
}

static long do_poll(int fd, int events, int timeout)
{
	struct pollfd p = {.fd = fd, .events = (short)events, .revents = 0x5a};

	return polled(poll(&p, 1, timeout), &p);
}

static long do_ppoll(int fd, int events, const struct timespec *timeout, const sigset_t *mask)
{
	struct pollfd p = {.fd = fd, .events = (short)events, .revents = 0x5a};

	return polled(ppoll(&p, 1, timeout, mask), &p);
}

static long poll_in(int fd) { return do_poll(fd, POLLIN, -1); }
static long poll_in_0(int fd) { return do_poll(fd, POLLIN, 0); }
static long poll_in_short(int fd) { return do_poll(fd, POLLIN, SHORT_MS); }
static long poll_all(int fd) { return do_poll(fd, 0x3fff & ~POLLOUT & ~POLLWRNORM & ~POLLWRBAND, -1); }
static long poll_nothing(int fd) { return do_poll(fd, 0, SHORT_MS); }
static long ppoll_in(int fd) { return do_ppoll(fd, POLLIN, NULL, nothing_blocked()); }
static long ppoll_in_blocked(int fd) { return do_ppoll(fd, POLLIN, NULL, all_blocked()); }
static long ppoll_in_0(int fd) { return do_ppoll(fd, POLLIN, &no_time, NULL); }
static long ppoll_in_short(int fd) { return do_ppoll(fd, POLLIN, &short_time, NULL); }
static long poll_out(int fd) { return do_poll(fd, POLLOUT, -1); }
static long poll_out_0(int fd) { return do_poll(fd, POLLOUT, 0); }
static long poll_out_short(int fd) { return do_poll(fd, POLLOUT, SHORT_MS); }
static long ppoll_out(int fd) { return do_ppoll(fd, POLLOUT, NULL, nothing_blocked()); }
static long poll_bad(int fd) { (void)fd; return poll((struct pollfd *)nowhere, 1, 0); }
static long poll_many(int fd) { (void)fd; return poll((struct pollfd *)buffer, 1u << 30, 0); }
static long ppoll_bad_time(int fd) { return do_ppoll(fd, POLLIN, (struct timespec *)nowhere, NULL); }
static long ppoll_bad_mask(int fd) { return do_ppoll(fd, POLLIN, &no_time, (sigset_t *)nowhere); }

static long ppoll_wrong_time(int fd)
{
	struct timespec t = {.tv_nsec = 1000000000};

	return do_ppoll(fd, POLLIN, &t, NULL);
}

/* libc leaves the timeout as it was.  */
static long ppoll_in_long(int fd)
{
	struct timespec t = {.tv_sec = 1000, .tv_nsec = 5};
	long result = do_ppoll(fd, POLLIN, &t, NULL);

	tell("left", t.tv_sec);
	tell("and", t.tv_nsec);
	return result;
}

/* Twice, both directions, one that is not asked for, one that is not open.  */
static long poll_several(int fd)
{
	struct pollfd p[5] = {{fd, POLLIN, 0}, {fd, POLLIN | POLLRDHUP, 0}, {-1, POLLIN, 1}, {fd, 0, 0}, {1 << 20, POLLIN, 0}};
	long result = poll(p, 4, -1);

	for (int i = 0; i < 4; i++)
		tell("revents", p[i].revents);
	tell("with-closed", poll(p, 5, -1));
	return result;
}

struct sets {
	fd_set in, out, urgent;
};

static struct sets sets_of(int fd, bool reads)
{
	struct sets s;

	FD_ZERO(&s.in);
	FD_ZERO(&s.out);
	FD_ZERO(&s.urgent);
	if (fd >= 0 && fd < FD_SETSIZE) {
		FD_SET(fd, reads ? &s.in : &s.out);
		FD_SET(fd, &s.urgent);
	}
	return s;
}

static long selected(long result, int fd, struct sets *s)
{
	if (fd >= 0 && fd < FD_SETSIZE)
		tell("set", (FD_ISSET(fd, &s->in) != 0) | (FD_ISSET(fd, &s->out) != 0) << 1 | (FD_ISSET(fd, &s->urgent) != 0) << 2);
	return result;
}

static long do_select(int fd, bool reads, struct timeval *timeout)
{
	struct sets s = sets_of(fd, reads);

	return selected(select(fd + 1, &s.in, &s.out, &s.urgent, timeout), fd, &s);
}

static long do_pselect(int fd, bool reads, const struct timespec *timeout, const sigset_t *mask)
{
	struct sets s = sets_of(fd, reads);

	return selected(pselect(fd + 1, &s.in, &s.out, &s.urgent, timeout, mask), fd, &s);
}

static long select_in(int fd) { return do_select(fd, true, NULL); }
static long select_out(int fd) { return do_select(fd, false, NULL); }
static long pselect_in(int fd) { return do_pselect(fd, true, NULL, nothing_blocked()); }
static long pselect_in_blocked(int fd) { return do_pselect(fd, true, NULL, all_blocked()); }
static long pselect_in_short(int fd) { return do_pselect(fd, true, &short_time, NULL); }
static long pselect_out(int fd) { return do_pselect(fd, false, NULL, NULL); }
static long select_minus(int fd) { (void)fd; return select(-1, NULL, NULL, NULL, NULL); }
static long select_bad(int fd) { return select(fd + 1, (fd_set *)nowhere, NULL, NULL, NULL); }

/* Linux tells how much of the timeout is left; whether there is any is compared.  */
static long select_timed(int fd, bool reads, time_t seconds, long microseconds)
{
	struct timeval t = {seconds, microseconds};
	long result = do_select(fd, reads, &t);

	tell("left", t.tv_sec < 0 ? -1 : t.tv_sec >= 900 ? 2 : t.tv_sec || t.tv_usec);
	return result;
}

static long select_in_0(int fd) { return select_timed(fd, true, 0, 0); }
static long select_in_short(int fd) { return select_timed(fd, true, 0, SHORT_MS * 1000L); }
static long select_in_long(int fd) { return select_timed(fd, true, 1000, 5000000); }
static long select_in_wrong(int fd) { return select_timed(fd, true, -1, 0); }
static long select_out_short(int fd) { return select_timed(fd, false, 0, SHORT_MS * 1000L); }

static long pselect_in_long(int fd)
{
	struct timespec t = {.tv_sec = 1000, .tv_nsec = 5};
	long result = do_pselect(fd, true, &t, NULL);

	tell("left", t.tv_sec);
	tell("and", t.tv_nsec);
	return result;
}

static int watching(int fd, uint32_t events)
{
	struct epoll_event e = {.events = events, .data = {.u64 = 0x1234567890}};
	int set = epoll_create1(EPOLL_CLOEXEC);

	tell("added", epoll_ctl(set, EPOLL_CTL_ADD, fd, &e));
	return set;
}

static long reported(int set, long result, const struct epoll_event *e)
{
	if (result > 0) {
		tell("events", (long)e->events);
		tell("same", e->data.u64 == 0x1234567890);
	}
	close(set);
	return result;
}

static long do_epoll(int fd, uint32_t events, int timeout)
{
	struct epoll_event e[2];
	int set = watching(fd, events);

	return reported(set, epoll_wait(set, e, 2, timeout), e);
}

static long do_epoll_pwait(int fd, uint32_t events, int timeout, const sigset_t *mask)
{
	struct epoll_event e[2];
	int set = watching(fd, events);

	return reported(set, epoll_pwait(set, e, 2, timeout, mask), e);
}

static long do_epoll_pwait2(int fd, uint32_t events, const struct timespec *timeout, const sigset_t *mask)
{
	struct epoll_event e[2];
	int set = watching(fd, events);

	return reported(set, epoll_pwait2(set, e, 2, timeout, mask), e);
}

static long epoll_in(int fd) { return do_epoll(fd, EPOLLIN | EPOLLRDHUP | EPOLLPRI, -1); }
static long epoll_in_0(int fd) { return do_epoll(fd, EPOLLIN, 0); }
static long epoll_in_short(int fd) { return do_epoll(fd, EPOLLIN, SHORT_MS); }
static long epoll_out(int fd) { return do_epoll(fd, EPOLLOUT, -1); }
static long epoll_out_short(int fd) { return do_epoll(fd, EPOLLOUT, SHORT_MS); }
static long epoll_pwait_in(int fd) { return do_epoll_pwait(fd, EPOLLIN, -1, nothing_blocked()); }
static long epoll_pwait_in_blocked(int fd) { return do_epoll_pwait(fd, EPOLLIN, -1, all_blocked()); }
static long epoll_pwait2_in(int fd) { return do_epoll_pwait2(fd, EPOLLIN, NULL, nothing_blocked()); }
static long epoll_pwait2_in_short(int fd) { return do_epoll_pwait2(fd, EPOLLIN, &short_time, NULL); }
static long epoll_pwait2_bad_time(int fd) { return do_epoll_pwait2(fd, EPOLLIN, (struct timespec *)nowhere, NULL); }
static long epoll_not_one(int fd) { return epoll_wait(fd, (struct epoll_event *)buffer, 1, 0); }

/* Reported once, though it is still ready.  */
static long epoll_edge(int fd)
{
	struct epoll_event e[2];
	int set = watching(fd, EPOLLIN | EPOLLET);
	long first = epoll_wait(set, e, 2, -1);

	tell("again", epoll_wait(set, e + 1, 1, 0));
	return reported(set, first, e);
}

static long epoll_once(int fd)
{
	struct epoll_event e[2];
	int set = watching(fd, EPOLLIN | EPOLLONESHOT);
	long first = epoll_wait(set, e, 2, -1);

	tell("again", epoll_wait(set, e + 1, 1, 0));
	return reported(set, first, e);
}

static long epoll_no_room(int fd)
{
	int set = watching(fd, EPOLLIN);

	return reported(set, epoll_wait(set, (struct epoll_event *)buffer, 0, 0), NULL);
}

static long epoll_bad(int fd)
{
	int set = watching(fd, EPOLLIN);
	long result = epoll_wait(set, (struct epoll_event *)nowhere, 1, 0);

	tell("result", result);
	close(set);
	return result;
}

/* The set itself is polled.  */
static long poll_epoll(int fd)
{
	int set = watching(fd, EPOLLIN);
	long result = do_poll(set, POLLIN, -1);

	close(set);
	return result;
}

#define R(function) {#function, READS, COUNTS, function}
#define RS(function) {#function, READS, SIMPLE | COUNTS, function}
#define RT(function) {#function, READS, TIMED | COUNTS, function}
#define RTX(function) {#function, READS, TIMED | COUNTS | REFUSED, function}
#define W(function) {#function, WRITES, COUNTS, function}
#define WS(function) {#function, WRITES, SIMPLE | COUNTS, function}
#define WT(function) {#function, WRITES, TIMED | COUNTS, function}

const struct call poll_calls[] = {
	RS(poll_in), RT(poll_in_0), RT(poll_in_short), R(poll_all), RT(poll_nothing), RTX(poll_bad), RTX(poll_many), R(poll_several),
	RS(ppoll_in), RS(ppoll_in_blocked), RT(ppoll_in_0), RT(ppoll_in_short), R(ppoll_in_long), RTX(ppoll_bad_time),
	RTX(ppoll_bad_mask), RTX(ppoll_wrong_time),
	RS(select_in), RT(select_in_0), RT(select_in_short), RS(select_in_long), RTX(select_in_wrong), RTX(select_minus), RTX(select_bad),
	RS(pselect_in), RS(pselect_in_blocked), RT(pselect_in_short), R(pselect_in_long),
	RS(epoll_in), RT(epoll_in_0), RT(epoll_in_short), RS(epoll_pwait_in), RS(epoll_pwait_in_blocked), RS(epoll_pwait2_in),
	RT(epoll_pwait2_in_short), RTX(epoll_pwait2_bad_time), R(epoll_edge), R(epoll_once), RTX(epoll_no_room), RTX(epoll_bad),
	RTX(epoll_not_one), R(poll_epoll),
	WS(poll_out), WT(poll_out_0), WT(poll_out_short), W(ppoll_out), WS(select_out), WT(select_out_short), W(pselect_out),
	WS(epoll_out), WT(epoll_out_short),
};

const size_t poll_call_count = sizeof poll_calls / sizeof *poll_calls;
