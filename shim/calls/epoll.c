/* epoll.c - epoll: served by the kernel, timed; which fd an event is about is known from when the program registered it.
 *
 * An event has no fd, only what the program gave to epoll_ctl.  That is remembered in a small table while something is recorded:
 * a hint, which a newer one may overwrite; what is not found there, or could be one of two fds, is not told.  */
#include <sys/epoll.h>

#include "calls.h"
#include "shim/hidden.h"
#include "shim/readiness.h"
#include "shim/record.h"
#include "shim/shield.h"

enum {
	WATCHES = 4096,
	PROBES = 4,
	NOT_CLEAR = -1,         /* as fd: several were registered with the same data */
	SIGNAL_SET_SIZE = 8,    /* the kernel's sigset_t */
};

static struct watch {
	uint64_t data;
	int epoll;              /* + 1; 0: free */
	int fd;
} watches[WATCHES];

static struct watch *place(int epoll, uint64_t data, unsigned probe)
{
	uint64_t hash = (data + (unsigned)epoll) * 0x9e3779b97f4a7c15u;

	return &watches[((hash >> 52) + probe) % WATCHES];
}

static struct watch *find(int epoll, uint64_t data)
{
	for (unsigned probe = 0; probe < PROBES; probe++) {
		struct watch *w = place(epoll, data, probe);

		if (__atomic_load_n(&w->epoll, __ATOMIC_ACQUIRE) == epoll + 1 && LOAD(w->data) == data)
			return w;
	}
	return NULL;
}

static void remember(int epoll, int fd, uint64_t data)
{
	struct watch *w = find(epoll, data);

	if (w) {
		int old = LOAD(w->fd);

		STORE(w->fd, old == fd || old == NOT_CLEAR || !fds_peek(old) ? fd : NOT_CLEAR);
		return;
	}
	for (unsigned probe = 0; probe < PROBES; probe++) {
		w = place(epoll, data, probe);
		if (!LOAD(w->epoll))
			break;
	}
	/* A handler, or another thread, may look meanwhile: nobody finds what is half written. */
	__atomic_store_n(&w->epoll, 0, __ATOMIC_RELEASE);
	STORE(w->data, data);
	STORE(w->fd, fd);
	__atomic_store_n(&w->epoll, epoll + 1, __ATOMIC_RELEASE);
}

EXPORT int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	long result = sys(SYS_epoll_ctl, epoll, operation, fd, event);

	if (result == -ENOSPC && hidden_give_back())
		result = sys(SYS_epoll_ctl, epoll, operation, fd, event);
	if (result == 0 && operation != EPOLL_CTL_DEL) {
		shield_polled(fd);
		if (record_on)
			remember(epoll, fd, event->data.u64);
		if (readiness_on)
			fds_named(fd);
	}
	return (int)as_libc(result);
}

void epoll_note(struct op *op, long result)
{
	const struct epoll_event *events = (const struct epoll_event *)op->arg[1];
	int told = 0;

	if (!record_follows(op) || shim_sandboxed)
		return;
	for (long i = 0; i < result && told < RECORD_POLLED_MAX; i++) {
		const struct watch *w = find(op->fd, events[i].data.u64);

		int fd = w ? LOAD(w->fd) : NOT_CLEAR;

		if (fd != NOT_CLEAR)
			told += record_polled(op, result, fd, events[i].events);
	}
}

/* at_once: it does not wait.  */
static int run(struct op op, bool at_once)
{
	long result;

	op.asked = at_once;
	result = op_run(&op);
	epoll_note(&op, result);
	return (int)as_libc(result);
}

EXPORT int epoll_pwait(int fd, struct epoll_event *events, int count, int timeout, const sigset_t *mask)
{
	return run(op_of(CALL_epoll_pwait, SYS_epoll_pwait, fd, (long)events, count, timeout, (long)mask, SIGNAL_SET_SIZE),
		   timeout == 0);
}

EXPORT int epoll_wait(int fd, struct epoll_event *events, int count, int timeout)
{
	if (SYS_epoll_wait != -1)
		return run(op_of(CALL_epoll_wait, SYS_epoll_wait, fd, (long)events, count, timeout, 0, 0), timeout == 0);
	return run(op_of(CALL_epoll_wait, SYS_epoll_pwait, fd, (long)events, count, timeout, 0, SIGNAL_SET_SIZE), timeout == 0);
}

EXPORT int epoll_pwait2(int fd, struct epoll_event *events, int count, const struct timespec *timeout, const sigset_t *mask)
{
	return run(op_of(CALL_epoll_pwait2, SYS_epoll_pwait2, fd, (long)events, count, (long)timeout, (long)mask, SIGNAL_SET_SIZE),
		   false);
}
