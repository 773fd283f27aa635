/* op.c - the life of one operation.  */
#include "op.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "attempt.h"
#include "cancel.h"
#include "config.h"
#include "files.h"
#include "flag.h"
#include "hidden.h"
#include "init.h"
#include "libc.h"
#include "mux/keep.h"
#include "mux/mux.h"
#include "readiness.h"
#include "record.h"
#include "shield.h"
#include "stall.h"
#include "sys.h"
#include "tracer/format.h"

/* A plain call that says EAGAIN, without a timeout, is on an fd with O_NONBLOCK after all.  The next operation goes straight
 * there, so that a program with an event loop of its own pays for one attempt and not for two.  */
static void learn(struct op *op, long result)
{
	if (result != -EAGAIN || (op->hint & HINT_TIMEOUT))
		return;
	op->asked = true;
	if (op_flags(op) & MSG_DONTWAIT)
		return;
	if (config.switching == SWITCH_AUTO && op->class != OP_PLAIN)
		fds_mark(op->fd, HINT_NONBLOCK, 0);
}

/* The plain call for the whole operation.  With a guard, and only where somebody wants to know, poll tells whether it would
 * block.  */
static long run_plain(struct op *op)
{
	long result;

	if (op->hint & HINT_SWITCHED)
		flag_off(op->fd);
	/* These have a second fd. */
	if (op->call == CALL_splice || op->call == CALL_tee)
		flag_off((int)op->arg[op->call == CALL_splice ? 2 : 1]);
	if (record_follows(op) && op->way == TRACE_WAY_GUARD && mux_would_block(op)) {
		record_would_block(op);
		record_park(op, false);
	} else if (record_follows(op)) {
		record_enter(op);
	}
	result = mux_enter(op, op->way == TRACE_WAY_NONE);
	/* A handler came between: it ends a wait, but not a call that does not wait. */
	if (unlikely(result == WINDOW_NOT_ENTERED))
		result = mux_is_ready(op) ? mux_enter(op, true) : -EINTR;
	if (unlikely(result < 0))
		learn(op, result);
	return result;
}

/* The plain call has taken *result of what is left of a write.  True: there is more than it was given; false: it is over, with
 * *result.  */
static bool after_plain(struct op *op, long *result)
{
	struct iovec rest[ATTEMPT_REST];
	size_t given;

	attempt_rest(op, rest, &given);
	if (*result > 0)
		attempt_advance(op, (size_t)*result);
	if (*result == (long)given && !attempt_is_complete(op))
		return true;
	*result = (long)op->moved;
	return false;
}

/* The peer of a stream socket is gone while a write waits.  With bytes moved, the kernel returns their number and leaves the
 * error for the next call; else a sleeping write reports the socket's error, where a new one would raise SIGPIPE (Linux,
 * sock_alloc_send_pskb, sk_stream_error).  A pipe has no such memory: its next attempt is right.  */
static bool peer_is_gone(struct op *op, long *result)
{
	int error = 0;
	socklen_t size = sizeof error;

	/* POLLERR alone: something in the error queue (MSG_ERRQUEUE), and no end. */
	if (op->moved && !(*result & POLLHUP)) {
		flag_off(op->fd);
		*result = mux_plain(op);
		return after_plain(op, result);
	}
	if (op->moved) {
		*result = (long)op->moved;
		return false;
	}
	if (sys(SYS_getsockopt, op->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error == 0 || error == EPIPE)
		return true;
	*result = -error;
	return false;
}

/* A native call that is restarted before it has moved anything begins anew: what restarted it does not end it later.  */
static void forgive_restarts(struct op *op)
{
	uint32_t any = signal_counts.any;

	__asm__ volatile("" ::: "memory");
	if (!op->moved && signal_counts.interrupting == op->seen.interrupting)
		op->seen.any = any;
}

/* Waits for an operation whose attempt would have blocked.  True: attempt again.  False: it is over, with *result.  */
static bool park(struct op *op, bool ready_before, long *result)
{
	if (record_follows(op))
		record_would_block(op);
	attempt_learn(op);
	switch (mux_wait(op, ready_before, result)) {
	case MUX_INTERRUPTED:
		*result = op->moved ? (long)op->moved : -EINTR;
		return false;
	case MUX_READY:
		if (unlikely(*result == 0)) {
			*result = op->moved ? (long)op->moved : -EPIPE;
			return false;
		}
		if (HINT_KIND(op->hint) == KIND_stream && op_writes(op) && (*result & (POLLERR | POLLHUP)))
			return peer_is_gone(op, result);
		forgive_restarts(op);
		return true;
	case MUX_DONE:
		if (!op->moved) {
			learn(op, *result);
			return false;
		}
		return after_plain(op, result);
	}
	__builtin_unreachable();
}

/* What is left of a write goes to a stream by sendmsg(2).  ENOTSOCK: it has been a pipe all along, under a number that was a
 * socket's.  */
static bool was_no_socket(struct op *op, long result)
{
	if (result != -ENOTSOCK || HINT_KIND(op->hint) != KIND_stream)
		return false;
	fds_relook(op->fd);
	op->hint = fds_hint(op->fd);
	return HINT_KIND(op->hint) != KIND_stream;
}

/* Attempts, and waits, until the operation is over.  A read is done as soon as one byte is there; a write when all bytes are
 * written.  */
static long run(struct op *op)
{
	bool ready_before = false;
	long result;

	for (;;) {
		result = attempt(op);
		if (likely(result >= 0)) {
			if (!op_writes(op))
				return likely((size_t)result == op->head.iov_len) ? result : attempt_finish_file(op, result);
			if (likely(!op->vectors && (size_t)result == op->head.iov_len))
				return (long)op->moved + result;
			attempt_advance(op, (size_t)result);
			/* A handler that ran meanwhile ends a native write when it comes to wait; so does it here. */
			if (attempt_is_complete(op) || result == 0 || signal_counts.any != op->seen.any)
				return (long)op->moved;
			ready_before = false;
			/* Another attempt would take an error away that a sleeping write leaves on the socket. */
			if (HINT_KIND(op->hint) == KIND_stream && mux_is_broken(op, &result) && !peer_is_gone(op, &result))
				return result;
		} else if (result == -EAGAIN) {
			if (!park(op, ready_before, &result))
				return result;
			ready_before = true;
		} else if (op->moved && was_no_socket(op, result)) {
			ready_before = false;
		} else if (op->moved) {
			return (long)op->moved;
		} else if (result == ATTEMPT_HINT_WRONG) {
			op->way = TRACE_WAY_GUARD;
			return run_plain(op);
		} else {
			return result;
		}
	}
}

/* In a sandbox nothing is done that the program would not do itself.  */
static long run_sandboxed(struct op *op)
{
	op->hint = fds_peek(op->fd);
	if (record_on)
		op->enter = record_begin(op);
	return run_plain(op);
}

/* O_NONBLOCK is on the fd, and the program does not know: the native call is the attempt.  */
static long run_shielded(struct op *op)
{
	op->shielded = true;
	op->asked = false;
	op->way = TRACE_WAY_FLAG;
	return run(op);
}

/* A poll or select of many fds.  */
static long run_many(struct op *op)
{
	long result;

	if (record_follows(op))
		record_enter(op);
	if (keep_serve(op, &result))
		return result;
	result = run_plain(op);
	keep_learn(op, result);
	return result;
}

/* Whether it can wait for nothing but a disk.  What an opening will open is not known yet; a file's bytes may be on their way to, or
 * from, what can make one wait; and so can a lock.  */
static bool is_on_disk(const struct op *op)
{
	switch (op->call) {
	case CALL_open: case CALL_openat: case CALL_creat: case CALL_sync: case CALL_msync:
	case CALL_stat: case CALL_lstat: case CALL_fstatat: case CALL_statx: return true;
	case CALL_sendfile: case CALL_splice: case CALL_tee: case CALL_vmsplice: case CALL_flock: case CALL_fcntl: return false;
	default: return files_knows(op->hint);
	}
}

static long run_known(struct op *op)
{
	long result;

	op->hint = op->fd < 0 ? (fd_hint)KIND_unknown : record_on ? fds_named(op->fd) : fds_hint(op->fd);
	if (record_on && likely(!op->enter)) {
		op->enter = record_begin(op);
		if (unlikely(files_on) && op->enter && is_on_disk(op))
			op->enter = files_begin(op->enter, &op->waits);
		if (unlikely(op->enter && op->class >= OP_POLL && op->class <= OP_EPOLL))
			stall_arrive(op, op->enter);
	}
	if (unlikely(config.switching == SWITCH_FLAG) && op->fd >= 0)
		op->hint = flag_look(op->fd, op->hint);
	if (unlikely(op->hint & HINT_NONBLOCK) && shield_serves(op))
		return run_shielded(op);
	if (unlikely(keep_may_serve(op)))
		return run_many(op);
	op->way = (uint8_t)attempt_way(op);
	if (op->way == TRACE_WAY_FLAG && config.switching == SWITCH_FLAG && !(op->hint & HINT_SWITCHED)) {
		if (flag_on(op->fd))
			op->hint |= HINT_SWITCHED;
		else
			op->way = TRACE_WAY_GUARD;
	}
	if (op->way == TRACE_WAY_NONE || op->way == TRACE_WAY_GUARD)
		result = run_plain(op);
	else
		result = run(op);
	/* Somebody else has set it meanwhile. */
	if (unlikely(result == -EAGAIN) && shield_serves(op))
		return run_shielded(op);
	return result;
}

/* Whether nobody asked for an EAGAIN: the description is shared, and an eagain in another process has set O_NONBLOCK while the
 * plain call waited.  */
static bool is_from_elsewhere(const struct op *op)
{
	return config.switching == SWITCH_FLAG && attempt_waits(op) && !(flag_look(op->fd, op->hint) & HINT_NONBLOCK) &&
	       !fds_has_timeout(op->fd);
}

static void made(struct fd_facts *f, enum fd_kind kind, long flags)
{
	f->kind = kind;
	f->maker = FD_MADE;
	f->has_flags = true;
	f->flags = flags;
}

/* Whether it may have waited for somebody: no opening of a file in memory takes so long.  */
static bool was_slow(const struct op *op)
{
	enum { SLOW = 1 << 17 };        /* ticks: some ten microseconds */

	return op->enter && op->left - op->enter > SLOW;
}

/* What the call says of what it has made.  */
static void find_facts(const struct op *op, struct fd_facts *f)
{
	unsigned at = op->nr == SYS_openat;

	switch (op->call) {
	case CALL_open: case CALL_openat: case CALL_creat:
		f->flags = op->nr == SYS_creat ? O_WRONLY : (int)op->arg[at + 1];
		f->has_flags = true;
		/* An O_TMPFILE has the path of its directory. */
		f->path = (f->flags & O_TMPFILE) == O_TMPFILE ? NULL : (const char *)op->arg[at];
		f->dir = at ? (int)op->arg[0] : AT_FDCWD;
		f->slow = was_slow(op);
		break;
	case CALL_socket: case CALL_socketpair:
		made(f, KIND_socket, op->arg[1] & O_NONBLOCK);
		break;
	case CALL_pipe: case CALL_pipe2:
		made(f, KIND_pipe, op->nr == SYS_pipe2 ? op->arg[1] & (O_NONBLOCK | O_DIRECT) : 0);
		break;
	case CALL_eventfd:
		made(f, KIND_eventfd, O_RDWR | (op->arg[1] & O_NONBLOCK));
		break;
	case CALL_timerfd_create:
		made(f, KIND_timerfd, O_RDWR | (op->arg[1] & O_NONBLOCK));
		break;
	case CALL_signalfd:
		made(f, KIND_signalfd, O_RDWR | (op->arg[3] & O_NONBLOCK));
		break;
	case CALL_inotify_init:
		made(f, KIND_inotify, op->nr == SYS_inotify_init1 ? op->arg[0] & O_NONBLOCK : 0);
		break;
	case CALL_epoll_create:
		made(f, KIND_epoll, O_RDWR);
		break;
	default:
		break;
	}
}

static void opened(int fd, struct fd_facts *facts)
{
	hidden_notice(fd);
	shield_replaced(fd);
	fds_made(fd, facts);
}

/* What is known of an opening, now that it is known what of: a FIFO has waited for its other end.  */
static uint8_t disk_of_opened(const struct op *op)
{
	fd_hint hint = op->disk & TRACE_SLEPT ? fds_named(op->fd) : fds_peek(op->fd);

	return files_knows(hint) ? (op->disk & TRACE_SLEPT) | files_direct(hint) : 0;
}

static void note_opened(struct op *op, long result)
{
	const int *pair = (const int *)op->arg[op->nr == SYS_socketpair ? 3 : 0];
	struct fd_facts facts;

	if (result < 0 || (op->nr == SYS_signalfd4 && (int)op->arg[0] != -1))
		return;
	fd_facts_begin(&facts);
	/* Not later, for the reader learns of a call when it has ended. */
	facts.t = op->left;
	find_facts(op, &facts);
	if (op->class == OP_OPEN_PAIR) {
		opened(pair[0], &facts);
		/* A pipe's two ends are one file. */
		facts.has_stat &= facts.kind == KIND_pipe;
		facts.flags |= O_WRONLY;
		opened(pair[1], &facts);
		return;
	}
	op->fd = (int)result;
	opened(op->fd, &facts);
	if (unlikely(files_on))
		op->disk = disk_of_opened(op);
}

/* Before start-up libc may not be there yet.  A child that is not followed may have threads, which can be canceled.  */
static long run_off(struct op *op)
{
	if (!shim_is_relocated() || !libc.fork)
		return sys6(op->nr, op->arg[0], op->arg[1], op->arg[2], op->arg[3], op->arg[4], op->arg[5]);
	return mux_enter(op, true);
}

long op_run(struct op *op)
{
	long result;

	if (unlikely(!shim_on))
		return run_off(op);
	if (!libc_single_threaded() && !op->not_cancellable)
		pthread_testcancel();
	op->seen = signal_counts;
	if (op->class >= OP_OPEN && !record_on && libc_single_threaded()) {
		/* It waits natively, nobody wants to know, and nobody cancels it. */
		result = sys6(op->nr, op->arg[0], op->arg[1], op->arg[2], op->arg[3], op->arg[4], op->arg[5]);
	} else if (unlikely(shim_sandboxed)) {
		result = run_sandboxed(op);
	} else {
		result = run_known(op);
		while (unlikely(result == -EAGAIN) && is_from_elsewhere(op)) {
			op->asked = false;
			result = run_known(op);
		}
	}
	/* A number that we use is the program's. */
	if (unlikely(result == -EMFILE || result == -ENFILE) && hidden_give_back())
		result = run_known(op);
	if (record_follows(op))
		op->left = clock_ticks();
	if (unlikely(files_on) && record_follows(op) && !shim_sandboxed && is_on_disk(op))
		op->disk = files_end(op->hint, op->enter, op->waits, op->left, result);
	if (unlikely(op->class >= OP_OPEN))
		note_opened(op, result);
	if (record_follows(op)) {
		if (op->number) {
			record_return(op, result);
		} else {
			if (op->way == TRACE_WAY_NONE || op->way == TRACE_WAY_GUARD || op->way == TRACE_WAY_KEPT)
				record_leave();
			record_call(op, result);
		}
	}
	return result;
}

long op_serve(enum call_id call, long nr, long a, long b, long c, long d, long e, long f)
{
	struct op op = op_of(call, nr, a, b, c, d, e, f);

	return op_run(&op);
}

/* The plain call as libc makes it.  In a process with threads another may end it by canceling this one, where it is slow.  */
static inline long pass(long nr, long a, long b, long c, long d, long e, long f)
{
	long result;
	int type;

	if (likely(libc_single_threaded()))
		return sys6(nr, a, b, c, d, e, f);
	type = cancel_open();
	result = sys6(nr, a, b, c, d, e, f);
	cancel_close(type);
	return result;
}

/* op_pass() where there is more to be recorded: of a file, with --files, whether it waits.  */
static __attribute__((noinline)) long pass_slowly(enum call_id call, long nr, long fd, long b, long c, long d, long e, long f)
{
	fd_hint hint = __atomic_load_n(&fds_first[fd], __ATOMIC_RELAXED);
	uint64_t enter;
	uint32_t waits;
	long result;

	if (!files_knows(hint) || !record_passes(record_simply_files, hint))
		return op_serve(call, nr, fd, b, c, d, e, f);
	enter = files_begin(clock_ticks(), &waits);
	result = pass(nr, fd, b, c, d, e, f);
	record_passed_file(call, (int)fd, hint, op_length(call, c), enter, waits, result);
	return result;
}

long op_pass(enum call_id call, long nr, long fd, long b, long c, long d, long e, long f)
{
	fd_hint hint = __atomic_load_n(&fds_first[fd], __ATOMIC_RELAXED);
	uint64_t enter;
	long result;

	if (!record_on)
		return pass(nr, fd, b, c, d, e, f);
	if (unlikely(!record_passes(record_simply, hint)))
		return pass_slowly(call, nr, fd, b, c, d, e, f);
	enter = clock_ticks();
	result = pass(nr, fd, b, c, d, e, f);
	record_passed(call, (int)fd, hint, enter, result);
	if (unlikely(result == -EAGAIN) && readiness_on && op_class_of(call) >= OP_WRITE)
		readiness_blocked((int)fd, hint);
	return result;
}
