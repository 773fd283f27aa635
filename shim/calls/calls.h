/* calls.h - what the files in calls/ share: from the kernel's result to libc's, and the stdio slots.  */
#ifndef EAGAIN_CALLS_H
#define EAGAIN_CALLS_H

#include <errno.h>
#include <stdio.h>

#include "shim/fds.h"
#include "shim/init.h"
#include "shim/libc.h"
#include "shim/op.h"
#include "shim/record.h"
#include "shim/shield.h"
#include "shim/shim.h"
#include "shim/sys.h"

/* -errno becomes -1 and errno; a success leaves errno alone.  */
static inline long as_libc(long result)
{
	if (unlikely((unsigned long)result > -4096ul)) {
		if (shim_is_relocated())
			errno = (int)-result;
		return -1;
	}
	return result;
}

/* Whether a transfer on fd is the plain call at once.  It does not wait, as far as we know: on a file, or since the program has set
 * O_NONBLOCK itself; a hint that is wrong costs a wait that is not noticed.  Or it waits there anyway, and nobody is told.  */
static inline bool passes(int fd)
{
	fd_hint hint;

	if (!likely(shim_passes) || (unsigned)fd >= FDS_LEAF)
		return false;
	hint = __atomic_load_n(&fds_first[fd], __ATOMIC_RELAXED);
	if (fds_never_waits(hint))
		return true;
	if ((unsigned)fd < shield_end)
		return false;
	return hint & HINT_NONBLOCK || (hint & HINT_WAITED && !record_on);
}

/* Performs a call of calls.def, given as the kernel takes it, and returns as libc does.  */
static inline long serve(enum call_id call, long nr, long a, long b, long c, long d, long e, long f)
{
	struct op op = op_of(call, nr, a, b, c, d, e, f);

	return as_libc(op_run(&op));
}

/* The same for a transfer, whose result is the kernel's; inline in each wrapper is only what costs nothing.  */
static inline long transfer(enum call_id call, long nr, int fd, long b, long c, long d, long e, long f)
{
	if (passes(fd))
		return likely(!record_on && libc_single_threaded()) ? sys6(nr, fd, b, c, d, e, f) : op_pass(call, nr, fd, b, c, d, e, f);
	return op_serve(call, nr, fd, b, c, d, e, f);
}

/* Whether there is memory at p that can be read, up to a NUL byte: the kernel tries, and says EFAULT before it looks at the fd
 * (faccessat(2)).  */
static inline bool is_readable(const void *p)
{
	return sys(SYS_faccessat, -1, p, 0) != -EFAULT;
}

/* While nothing is recorded: straight on to libc's function of this name; `nothing` is what is returned where there is none yet.  */
#define UNRECORDED(nothing, name, ...)                                                                                \
	do {                                                                                                          \
		if (likely(!record_on)) {                                                                             \
			if (unlikely(!libc.name) && !shim_has_libc())                                                 \
				return nothing;                                                                       \
			return libc.name(__VA_ARGS__);                                                                \
		}                                                                                                     \
	} while (0)

/* The value of `call`, a wait for what lock.c or ipc.c know, recorded.  */
#define RECORDED_LOCK(type, which, lock, holder, call)                                                                \
	({                                                                                                            \
		struct record_lock wait_;                                                                             \
		type result_;                                                                                         \
                                                                                                                      \
		record_lock(&wait_, which, lock, holder);                                                             \
		result_ = call;                                                                                       \
		record_locked(&wait_);                                                                                \
		result_;                                                                                              \
	})

/* A call that libc makes, so that signals, cancellation and errors are libc's, begins; on fd, or -1.  Who leaves it by a jump or is
 * canceled does not come to whole_end().  Call both only while record_on.  */
static inline void whole_begin(struct op *op, enum call_id call, int fd)
{
	*op = op_of(call, -1, fd, 0, 0, 0, 0, 0);
	op->hint = op->fd < 0 ? (fd_hint)KIND_unknown : shim_sandboxed ? fds_peek(op->fd) : fds_named(op->fd);
	op->enter = record_begin(op);
	if (record_follows(op))
		record_enter(op);
}

/* It has returned, with this as the kernel would say it: -errno on failure.  errno is untouched.  */
static inline void whole_end(struct op *op, long result)
{
	if (!record_follows(op))
		return;
	record_leave();
	record_call(op, result);
}

/* The value of `call`, recorded; `result` is what it comes to, of value_.  */
#define RECORDED(type, id, fd, call, result)                                                                          \
	({                                                                                                            \
		struct op op_;                                                                                        \
		type value_;                                                                                          \
                                                                                                                      \
		whole_begin(&op_, id, fd);                                                                            \
		value_ = call;                                                                                        \
		whole_end(&op_, result);                                                                              \
		value_;                                                                                               \
	})

/* Of libc's -1 and errno.  */
static inline long as_kernel(long result)
{
	return result == -1 ? -errno : result;
}

/* process.c: an environ for what is called next, whose children are followed; and back again.  */
char **environ_lend(void);
void environ_return(char **own);

/* poll.c: a poll or select has returned; what was ready is recorded.  */
void poll_note(struct op *op, long result);

/* epoll.c: the same for an epoll_wait.  */
void epoll_note(struct op *op, long result);

/* wait.c: a wait for children has returned; who ended how is recorded.  */
void wait_note(const struct op *op, long result);

/* wait.c: a child has ended, with this wait status.  */
void wait_ended(int status);

/* socket.c: accept made a socket, with these flags of accept4; connect or bind gave one its name.  */
void socket_accepted(long fd, long flags);
void socket_named(int fd);

/* process.c: prctl(PR_SET_SECCOMP) or seccomp(2), with the kernel's arguments.  The kernel's result.  */
long enter_sandbox(bool strict, long nr, long a, long b, long c);

/* process.c: a thread is about to be started.  */
void prepare_for_threads(void);

/* aio.c: this thread is about to have fds of its own.  */
void aio_unsharing(void);

/* lock.c: futex(2), with the kernel's arguments.  The kernel's result.  */
long lock_futex(const long a[6]);

/* signal.c: the handler of this signal, which libc has installed, gets our restorer.  */
void signal_adopt(int signal);

/* stdio.c: what libc's jump tables point to.  */
ssize_t stdio_read(FILE *stream, void *buffer, ssize_t size);
ssize_t stdio_write(FILE *stream, const void *buffer, ssize_t size);
int stdio_close(FILE *stream);

/* descriptor.c: fd is about to be closed, or to become another.  errno is untouched.  */
void descriptor_closing(int fd);

/* readwrite.c: read(2) and write(2) with the kernel's result, for stdio.  */
long do_read(int fd, void *buffer, size_t size);
long do_write(int fd, const void *buffer, size_t size);

#endif
