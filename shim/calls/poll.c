/* poll.c - poll, select and epoll_wait: served by the kernel, timed, and what was ready is recorded.
 *
 * Their timeouts are copied where libc copies them, for the kernel writes the time left.  */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "calls.h"
#include "shim/record.h"

enum {
	READY_MAX = 64,         /* fds of one call that are recorded as ready */
	SIGNAL_SET_SIZE = 8,    /* the kernel's sigset_t */
};

/* The call is over; `fd` was ready in it.  */
static void note_ready(enum call_id call, int fd, unsigned revents)
{
	fds_name(fd, fds_hint(fd));
	record_polled(call, fd, revents);
}

static int do_poll(enum call_id call, long nr, struct pollfd *fds, nfds_t count, long timeout, long mask, long mask_size)
{
	struct op op = {
		.nr = nr, .arg = {(long)fds, (long)count, timeout, mask, mask_size}, .fd = -1, .call = (uint8_t)call, .class = OP_PLAIN,
	};
	long result = op_run(&op);

	if (record_on && result > 0) {
		int told = 0;

		for (nfds_t i = 0; i < count && told < READY_MAX && told < result; i++)
			if (fds[i].revents) {
				note_ready(call, fds[i].fd, (unsigned short)fds[i].revents);
				told++;
			}
	}
	return (int)as_libc(result);
}

EXPORT int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	struct timespec copy;

	if (timeout)
		copy = *timeout;
	return do_poll(CALL_ppoll, SYS_ppoll, fds, count, (long)(timeout ? &copy : NULL), (long)mask, SIGNAL_SET_SIZE);
}

EXPORT int poll(struct pollfd *fds, nfds_t count, int timeout)
{
#ifdef SYS_poll
	return do_poll(CALL_poll, SYS_poll, fds, count, timeout, 0, 0);
#else
	struct timespec t = {timeout / 1000, timeout % 1000 * 1000000L};

	return do_poll(CALL_poll, SYS_ppoll, fds, count, (long)(timeout < 0 ? NULL : &t), 0, SIGNAL_SET_SIZE);
#endif
}

static void note_set(enum call_id call, int count, const fd_set *set, unsigned revents)
{
	int told = 0;

	for (int fd = 0; set && fd < count && told < READY_MAX; fd++)
		if (((const unsigned long *)set)[fd / (8 * (int)sizeof(long))] >> fd % (8 * (int)sizeof(long)) & 1) {
			note_ready(call, fd, revents);
			told++;
		}
}

static int do_select(enum call_id call, int count, fd_set *in, fd_set *out, fd_set *urgent, struct timespec *timeout,
		     const sigset_t *mask)
{
	const struct {
		const sigset_t *set;
		size_t size;
	} masked = {mask, SIGNAL_SET_SIZE};
	struct op op = {
		.nr = SYS_pselect6, .arg = {count, (long)in, (long)out, (long)urgent, (long)timeout, (long)(mask ? &masked : NULL)},
		.fd = -1, .call = (uint8_t)call, .class = OP_PLAIN,
	};
	long result = op_run(&op);

	if (record_on && result > 0) {
		note_set(call, count, in, POLLIN);
		note_set(call, count, out, POLLOUT);
		note_set(call, count, urgent, POLLPRI);
	}
	return (int)as_libc(result);
}

EXPORT int select(int count, fd_set *restrict in, fd_set *restrict out, fd_set *restrict urgent, struct timeval *restrict timeout)
{
	struct timespec t;
	int result;

	if (!timeout)
		return do_select(CALL_select, count, in, out, urgent, NULL, NULL);
	if (timeout->tv_sec < 0 || timeout->tv_usec < 0)
		return (int)as_libc(-EINVAL);
	t.tv_sec = timeout->tv_sec + timeout->tv_usec / 1000000;
	t.tv_nsec = timeout->tv_usec % 1000000 * 1000;
	if (t.tv_sec < 0) {
		t.tv_sec = (time_t)(~0ul >> 1);
		t.tv_nsec = 999999999;
	}
	result = do_select(CALL_select, count, in, out, urgent, &t, NULL);
	/* select(2): "On Linux, select() modifies timeout to reflect the amount of time not slept". */
	timeout->tv_sec = t.tv_sec;
	timeout->tv_usec = t.tv_nsec / 1000;
	return result;
}

EXPORT int pselect(int count, fd_set *restrict in, fd_set *restrict out, fd_set *restrict urgent,
		   const struct timespec *restrict timeout, const sigset_t *restrict mask)
{
	struct timespec copy;

	if (timeout)
		copy = *timeout;
	return do_select(CALL_pselect, count, in, out, urgent, timeout ? &copy : NULL, mask);
}

EXPORT int epoll_pwait(int fd, struct epoll_event *events, int count, int timeout, const sigset_t *mask)
{
	return (int)plain_call(CALL_epoll_pwait, SYS_epoll_pwait, fd, (long)events, count, timeout, (long)mask, SIGNAL_SET_SIZE);
}

EXPORT int epoll_wait(int fd, struct epoll_event *events, int count, int timeout)
{
	return (int)plain_call(CALL_epoll_wait, SYS_epoll_pwait, fd, (long)events, count, timeout, 0, SIGNAL_SET_SIZE);
}

EXPORT int epoll_pwait2(int fd, struct epoll_event *events, int count, const struct timespec *timeout, const sigset_t *mask)
{
	return (int)plain_call(CALL_epoll_pwait2, SYS_epoll_pwait2, fd, (long)events, count, (long)timeout, (long)mask, SIGNAL_SET_SIZE);
}

EXPORT int __poll(struct pollfd *, nfds_t, int) __attribute__((alias("poll")));
EXPORT int __select(int, fd_set *, fd_set *, fd_set *, struct timeval *) __attribute__((alias("select")));

extern void __chk_fail(void) __attribute__((noreturn));
EXPORT int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room);
EXPORT int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room)
{
	if (room / sizeof *fds < count)
		__chk_fail();
	return poll(fds, count, timeout);
}

EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t room);
EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t room)
{
	if (room / sizeof *fds < count)
		__chk_fail();
	return ppoll(fds, count, timeout, mask);
}
