/* poll.c - poll and select: served by the kernel, timed, and what was ready is recorded.
 *
 * Their timeouts are copied where libc copies them, for the kernel writes the time left.  */
#include <poll.h>
#include <string.h>
#include <sys/select.h>

#include "calls.h"
#include "shim/mux/keep.h"
#include "shim/record.h"
#include "shim/shield.h"

enum {
	SIGNAL_SET_SIZE = 8,    /* the kernel's sigset_t */
	STDIO_END = 3,
	BLOCK = 16,
};

_Static_assert(offsetof(struct pollfd, fd) == 0 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "an entry's low bits are its fd");

typedef uint64_t two_entries __attribute__((vector_size(16)));

/* Whether one of BLOCK fds is below `end`: then its difference is negative.  */
static bool is_any_below(const struct pollfd *fds, unsigned end)
{
	two_entries all = {0}, two;

#pragma GCC unroll 8
	for (unsigned i = 0; i < BLOCK; i += 2) {
		memcpy(&two, &fds[i], sizeof two);
		all |= (two & UINT32_MAX) - end;
	}
	return (all[0] | all[1]) >> 63;
}

/* Of the number of entries, the kernel takes 32 bits.  */
static void note_polled(const struct pollfd *fds, unsigned count)
{
	while (count >= BLOCK && !is_any_below(fds, shield_end)) {
		fds += BLOCK;
		count -= BLOCK;
	}
	for (unsigned i = 0; i < count; i++)
		shield_polled(fds[i].fd);
}

static void note_array(struct op *op, long result)
{
	const struct pollfd *fds = (const struct pollfd *)op->arg[0];
	unsigned count = (unsigned)op->arg[1];
	int told = 0;

	note_polled(fds, count);
	for (unsigned i = 0; record_follows(op) && i < count && told < RECORD_POLLED_MAX; i++)
		if (fds[i].revents)
			told += record_polled(op, result, fds[i].fd, (unsigned short)fds[i].revents);
}

/* The kernel looks at no more of a set than the process can have fds, so that it may end earlier than it was said to: at the
 * beginning of the smallest page that there is, 4 KiB, it is asked whether it can be read.  */
static bool goes_on(const unsigned long *word)
{
	return ((uintptr_t)word & 4095) != 0 || is_readable(word);
}

/* The fds in a set, of which there are *left in this set and those after it.  */
static void note_set(struct op *op, long result, const unsigned long *set, unsigned revents, long *left)
{
	enum { BITS = 8 * sizeof *set };
	int told = 0, end = (int)op->arg[0];

	if (!record_follows(op) && (unsigned)end > shield_end)
		end = (int)shield_end;
	for (int fd = 0; set && *left && fd < end; fd++) {
		if (fd && fd % BITS == 0 && !goes_on(&set[fd / BITS]))
			break;
		if (!(set[fd / BITS] >> fd % BITS & 1) || HINT_KIND(fds_hint(fd)) == KIND_unknown)
			continue;
		--*left;
		shield_polled(fd);
		if (record_follows(op) && told < RECORD_POLLED_MAX)
			told += record_polled(op, result, fd, revents);
	}
}

/* The fds in `bits` below `count` were polled; what a timeout has cleared can have been any of them.  */
static void note_stdio(unsigned long bits, int count)
{
	for (int fd = 0; fd < STDIO_END && fd < count; fd++)
		if (bits >> fd & 1)
			shield_polled(fd);
}

void poll_note(struct op *op, long result)
{
	long left = result;

	if (result < 0 || !shim_on || shim_sandboxed)
		return;
	if (op->way == TRACE_WAY_KEPT && (!record_follows(op) || op->class == OP_POLL))
		return;
	if (op->class == OP_POLL) {
		note_array(op, result);
		return;
	}
	/* What a timeout has cleared from the sets can have been any of these. */
	if (result == 0)
		note_stdio(~0ul, (int)op->arg[0]);
	note_set(op, result, (const unsigned long *)op->arg[1], POLLIN, &left);
	note_set(op, result, (const unsigned long *)op->arg[2], POLLOUT, &left);
	note_set(op, result, (const unsigned long *)op->arg[3], POLLPRI, &left);
}

/* Whether there is nothing to do but to note whether stdio was polled.  */
static inline bool passes_by(uintptr_t address, unsigned count)
{
	return likely(shim_passes && !record_on) && (count < KEEP_MIN || keep_skip(address, count)) && libc_single_threaded();
}

static int passed_array(long result, const struct pollfd *fds, unsigned count)
{
	if (result >= 0)
		note_polled(fds, count);
	return (int)as_libc(result);
}

static bool is_zero(const struct timespec *t)
{
	return t && t->tv_sec == 0 && t->tv_nsec == 0;
}

/* at_once: it does not wait.  */
static int run(struct op op, bool at_once)
{
	long result;

	op.asked = at_once;
	result = op_run(&op);
	poll_note(&op, result);
	return (int)as_libc(result);
}

EXPORT int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	struct timespec copy;

	if (timeout)
		copy = *timeout;
	if (passes_by((uintptr_t)fds, (unsigned)count))
		return passed_array(sys(SYS_ppoll, fds, count, timeout ? &copy : NULL, mask, SIGNAL_SET_SIZE), fds, (unsigned)count);
	return run(op_of(CALL_ppoll, SYS_ppoll, (long)fds, (long)count, (long)(timeout ? &copy : NULL), (long)mask, SIGNAL_SET_SIZE, 0),
		   timeout && is_zero(&copy));
}

EXPORT int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	struct timespec t = {timeout / 1000, timeout % 1000 * 1000000L};
	bool passes_on = passes_by((uintptr_t)fds, (unsigned)count);

	if (SYS_poll != -1 && passes_on)
		return passed_array(sys(SYS_poll, fds, count, timeout), fds, (unsigned)count);
	if (SYS_poll != -1)
		return run(op_of(CALL_poll, SYS_poll, (long)fds, (long)count, timeout, 0, 0, 0), timeout == 0);
	if (passes_on)
		return passed_array(sys(SYS_ppoll, fds, count, timeout < 0 ? NULL : &t, NULL, SIGNAL_SET_SIZE), fds, (unsigned)count);
	return run(op_of(CALL_poll, SYS_ppoll, (long)fds, (long)count, (long)(timeout < 0 ? NULL : &t), 0, SIGNAL_SET_SIZE, 0),
		   timeout == 0);
}

static unsigned long first_word(const fd_set *set)
{
	return set ? *(const unsigned long *)set : 0;
}

static int do_select(enum call_id call, int count, fd_set *in, fd_set *out, fd_set *urgent, struct timespec *timeout,
		     const sigset_t *mask)
{
	const struct {
		const sigset_t *set;
		size_t size;
	} masked = {mask, SIGNAL_SET_SIZE};
	long result;

	if (shield_end > STDIO_END || !passes_by((uintptr_t)(in ? in : out ? out : urgent), (unsigned)count))
		return run(op_of(call, SYS_pselect6, count, (long)in, (long)out, (long)urgent, (long)timeout, (long)(mask ? &masked : NULL)),
			   is_zero(timeout));
	result = sys(SYS_pselect6, count, in, out, urgent, timeout, mask ? &masked : NULL);
	if (result >= 0)
		note_stdio(result ? first_word(in) | first_word(out) | first_word(urgent) : ~0ul, count);
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
