/* descriptor.c - the calls that close, duplicate fds or change their flags: what the hints need to hear of.
 *
 * A hint is dropped before the kernel gives the number away, and made when the fd is next used.  */
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "calls.h"
#include "shim/config.h"
#include "shim/fds.h"
#include "shim/files.h"
#include "shim/flag.h"
#include "shim/hidden.h"
#include "shim/init.h"
#include "shim/libc.h"
#include "shim/mux/keep.h"
#include "shim/readiness.h"
#include "shim/record.h"
#include "shim/shield.h"

static inline bool is_recorded(fd_hint hint)
{
	return record_on && (HINT_KIND(hint) != KIND_unknown || hint & HINT_NAMED);
}

/* The fd is about to be closed, by a call that began at t, or 0: now.  errno is untouched.  */
static inline void ending(int fd, uint64_t t)
{
	fd_hint hint = fds_peek(fd);

	if (!hint)
		return;
	if (shim_on && !shim_sandboxed)
		flag_off(fd);
	if (is_recorded(hint))
		/* When the call began it was there still. */
		record_fd_event(TRACE_CLOSE, fd, 0, t ? t + 1 : 0);
	fds_forget(fd);
}

void descriptor_closing(int fd)
{
	ending(fd, 0);
}

/* For calls that closed() follows.  */
static inline void closing(int fd, uint64_t t)
{
	ending(fd, t);
	if (unlikely(readiness_on))
		readiness_closing(fd);
}

/* Between the two, a thread that polls may have registered it once more: then it must hear of it now.  */
static long closed(int fd, long result)
{
	if (unlikely(fds_peek(fd) & HINT_KEPT))
		keep_forget(fd);
	if (unlikely(readiness_on))
		readiness_closed(fd);
	return result;
}

/* It is recorded as a call, too, if it has waited.  */
static __attribute__((noinline)) int close_file_slowly(int fd, fd_hint hint)
{
	struct op op = op_of(CALL_close, SYS_close, fd, 0, 0, 0, 0, 0);
	long result;

	op.hint = hint;
	op.enter = record_on && !shim_sandboxed ? record_begin(&op) : 0;
	if (op.enter)
		op.enter = files_begin(op.enter, &op.waits);
	closing(fd, op.enter);
	result = closed(fd, sys(SYS_close, fd));
	op.left = op.enter ? clock_ticks() : 0;
	if (op.enter)
		op.disk = files_end(op.hint, op.enter, op.waits, op.left, result);
	if (op.disk & TRACE_SLEPT)
		record_call(&op, result);
	return (int)as_libc(result);
}

static int close_file(int fd)
{
	fd_hint hint = fds_peek(fd);
	uint64_t enter, end;
	uint32_t waits;
	uint8_t disk;
	long result;

	if (unlikely(!record_passes(record_simply_files, hint)))
		return close_file_slowly(fd, hint);
	enter = files_begin(clock_ticks(), &waits);
	closing(fd, enter);
	result = closed(fd, sys(SYS_close, fd));
	end = clock_ticks();
	disk = files_end(hint, enter, waits, end, result);
	if (unlikely(disk & TRACE_SLEPT))
		record_passed_disk(CALL_close, fd, 0, enter, end, disk, result);
	return (int)as_libc(result);
}

EXPORT int close(int fd)
{
	/* close(2) is a cancellation point, in a process with threads. */
	if (shim_is_relocated() && !libc_single_threaded())
		pthread_testcancel();
	if (unlikely(files_on) && files_knows(fds_peek(fd)))
		return close_file(fd);
	closing(fd, 0);
	return (int)as_libc(closed(fd, sys(SYS_close, fd)));
}

struct range {
	unsigned first, last;
};

static void closing_in_range(int fd, fd_hint hint, void *arg)
{
	const struct range *r = arg;

	(void)hint;
	if ((unsigned)fd >= r->first && (unsigned)fd <= r->last)
		closing(fd, 0);
}

static void closed_in_range(int fd, fd_hint hint, void *arg)
{
	const struct range *r = arg;

	(void)hint;
	if ((unsigned)fd >= r->first && (unsigned)fd <= r->last)
		closed(fd, 0);
}

static void closing_range(unsigned first, unsigned last)
{
	struct range r = {first, last};

	fds_each(closing_in_range, &r);
}

/* Not where the kernel, or a filter, refuses the call: then it does so, too, where there is nothing to be closed.  */
static bool closes_range(unsigned first, unsigned last, int flags)
{
	return first <= last && !(flags & CLOSE_RANGE_CLOEXEC) &&
	       (shim_sandboxed || sys(SYS_close_range, ~0u, ~0u, flags & ~CLOSE_RANGE_UNSHARE) == 0);
}

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
	struct range r = {first, last};
	bool closes = closes_range(first, last, flags);
	long result;

	if (flags & CLOSE_RANGE_UNSHARE)
		aio_unsharing();
	if (closes)
		closing_range(first, last);
	result = sys(SYS_close_range, first, last, flags);
	if (closes)
		fds_each(closed_in_range, &r);
	return (int)as_libc(result);
}

EXPORT void closefrom(int low)
{
	struct range r = {low < 0 ? 0 : (unsigned)low, ~0u};

	shim_need_libc();
	closing_range(r.first, r.last);
	libc.closefrom(low);
	fds_each(closed_in_range, &r);
}

/* The new fd is looked at when it is used: this may be a vfork child, whose fds are not those that the hints are about.  */
static int duplicated(int from, int to)
{
	if (to >= 0) {
		hidden_notice(to);
		shield_replaced(to);
		if (record_on && !shim_sandboxed) {
			/* To be duplicated is no use: what is not known stays so. */
			if (fds_peek(from))
				fds_name(from);
			record_fd_event(TRACE_DUP, from, to, 0);
		}
	}
	return to;
}

/* A number that we use is the program's.  */
static int duplicate(int fd, long nr, long b, long c)
{
	long result;

	if (nr == SYS_fcntl)
		hidden_notice(c);
	result = sys(nr, fd, b, c);
	if (result == -EMFILE && hidden_give_back())
		result = sys(nr, fd, b, c);
	if (result >= 0)
		fds_forget((int)result);
	return duplicated(fd, (int)as_libc(result));
}

EXPORT int dup(int fd)
{
	return duplicate(fd, SYS_dup, 0, 0);
}

/* dup2(2), dup3(2).  What of ours has the number, or is about to, goes first.  */
static int replace(long nr, int from, int to, int flags)
{
	fd_hint hint = fds_peek(to);
	uint64_t t = is_recorded(hint) ? clock_ticks() : 0;
	bool leaves;
	long result;

	hidden_notice(to);
	if (hint && shim_on && !shim_sandboxed)
		flag_off(to);
	leaves = fds_leave(to);
	if (unlikely(readiness_on))
		readiness_closing(to);
	result = sys(nr, from, to, flags);
	if (unlikely(readiness_on))
		readiness_closed(to);
	fds_left(to, leaves, result >= 0);
	if (result >= 0 && t)
		record_fd_event(TRACE_CLOSE, to, 0, t);
	return duplicated(from, (int)as_libc(result));
}

EXPORT int dup3(int from, int to, int flags)
{
	if (from == to)
		return (int)as_libc(sys(SYS_dup3, from, to, flags));
	return replace(SYS_dup3, from, to, flags);
}

/* dup2(2) of an fd onto itself only checks it.  */
EXPORT int dup2(int from, int to)
{
	if (from == to)
		return as_libc(sys(SYS_fcntl, from, F_GETFD)) < 0 ? -1 : to;
	return replace(SYS_dup2 == -1 ? SYS_dup3 : SYS_dup2, from, to, 0);
}

static void set_by_program(int fd, bool on)
{
	flag_is_programs(fd, on);
	if (on)
		shield_known(fd);
}

/* Whether F_SETFL with these flags leaves O_NONBLOCK as it is, and changes another.  */
static bool leaves_nonblock(int fd, long flags)
{
	enum { OTHERS = O_APPEND | O_ASYNC | O_DIRECT | O_NOATIME };
	long before;

	if ((unsigned)fd >= shield_end || !(flags & O_NONBLOCK))
		return false;
	before = sys(SYS_fcntl, fd, F_GETFL);
	return before >= 0 && (before & O_NONBLOCK) && !flag_is_ours(fd, before) && ((before ^ flags) & OTHERS);
}

static int set_flags(int fd, long flags)
{
	bool leaves = leaves_nonblock(fd, flags);
	long result = sys(SYS_fcntl, fd, F_SETFL, flags);

	if (result == 0 && leaves)
		shield_left(fd);
	else if (result == 0)
		set_by_program(fd, flags & O_NONBLOCK);
	if (result == 0 && ((flags & O_DIRECT) || files_direct(fds_peek(fd))))
		fds_relook(fd);
	return (int)as_libc(result);
}

static int do_fcntl(int fd, int command, long argument)
{
	long result;

	switch (command) {
	case F_GETFL:
		result = sys(SYS_fcntl, fd, command);
		if (config.switching == SWITCH_FLAG && flag_is_ours(fd, result))
			result &= ~(O_NONBLOCK | FLAG_MARK);
		if (result >= 0 && (result & O_NONBLOCK))
			shield_seen(fd);
		return (int)as_libc(result);
	case F_SETFL:
		return set_flags(fd, argument);
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return duplicate(fd, SYS_fcntl, command, argument);
	case F_SETLKW: case F_OFD_SETLKW:
		return (int)serve(CALL_fcntl, SYS_fcntl, fd, command, argument, 0, 0, 0);
	default:
		if (unlikely(fd >= LOAD(hidden_ceiling)))
			hidden_give_up(fd);
		if (!shim_is_relocated())
			return (int)as_libc(sys(SYS_fcntl, fd, command, argument));
		shim_need_libc();
		return libc.fcntl(fd, command, argument);
	}
}

EXPORT int fcntl(int fd, int command, ...)
{
	va_list arguments;
	long argument;

	va_start(arguments, command);
	argument = va_arg(arguments, long);
	va_end(arguments);
	return do_fcntl(fd, command, argument);
}

/* Not a cancellation point, as to wait for a lock by fcntl(2) is.  */
EXPORT int flock(int fd, int operation)
{
	struct op op = op_of(CALL_flock, SYS_flock, fd, operation, 0, 0, 0, 0);

	op.not_cancellable = true;
	return (int)as_libc(op_run(&op));
}

/* Only this waits.  */
EXPORT int lockf(int fd, int command, off_t size)
{
	if (command != F_LOCK) {
		shim_need_libc();
		return libc.lockf(fd, command, size);
	}
	UNRECORDED(-1, lockf, fd, command, size);
	return RECORDED(int, CALL_lockf, fd, libc.lockf(fd, command, size), as_kernel(value_));
}

EXPORT int fcntl64(int fd, int command, ...) __attribute__((alias("fcntl")));

EXPORT int lockf64(int fd, int command, off64_t size) __attribute__((alias("lockf")));

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	long argument;
	int result;

	va_start(arguments, request);
	argument = va_arg(arguments, long);
	va_end(arguments);
	if (request == FIONBIO)
		flag_off(fd);
	result = (int)as_libc(sys(SYS_ioctl, fd, request, argument));
	if (request == FIONBIO && result == 0)
		set_by_program(fd, *(const int *)argument);
	return result;
}

EXPORT int __close(int) __attribute__((alias("close")));
EXPORT int __dup2(int, int) __attribute__((alias("dup2"), nothrow, leaf));
EXPORT int __fcntl(int, int, ...) __attribute__((alias("fcntl")));
