/* plain.c - waiting in the native blocking call: exact by construction, and the way out whenever in doubt.  */
#include <errno.h>
#include <sys/socket.h>

#include "attempt.h"
#include "cancel.h"
#include "libc.h"
#include "mux.h"
#include "sys.h"

static const uint32_t never;

/* The call goes through the window, so that a handler which ran since the operation began ends it.  With bytes moved, any handler
 * does; else only one without SA_RESTART, or, on a socket with a timeout, again any (signal(7)).  A call that nothing went before
 * is the kernel's alone.  */
static void open_window(struct window *w, const struct op *op, bool only)
{
	bool any = op->moved || (op->hint & HINT_TIMEOUT);

	w->nr = op->nr;
	for (int i = 0; i < 6; i++)
		w->arg[i] = op->arg[i];
	w->counter = only ? &never : any ? &signal_counts.any : &signal_counts.interrupting;
	w->seen = only ? never : any ? op->seen.any : op->seen.interrupting;
	w->fate = WINDOW_OPEN;
}

long mux_cancellable(const struct op *op, const struct window *w)
{
	long result;
	int type;

	if (libc_single_threaded() || op->not_cancellable)
		return window_syscall(w);
	type = cancel_open();
	result = window_syscall(w);
	cancel_close(type);
	return result;
}

/* Of a write, what is left.  */
static __attribute__((noinline)) long enter_rest(const struct op *op, bool only)
{
	struct iovec rest[ATTEMPT_REST];
	struct msghdr message = {.msg_iov = rest};
	struct window w;
	size_t size;

	open_window(&w, op, only);
	message.msg_iovlen = attempt_rest(op, rest, &size);
	if (HINT_KIND(op->hint) == KIND_stream) {
		w.nr = SYS_sendmsg;
		w.arg[1] = (long)&message;
		w.arg[2] = MSG_NOSIGNAL | op_flags(op);
	} else {
		w.nr = SYS_writev;
		w.arg[1] = (long)rest;
		w.arg[2] = (long)message.msg_iovlen;
	}
	return mux_cancellable(op, &w);
}

long mux_enter(const struct op *op, bool only)
{
	struct window w;

	if (unlikely(op->moved))
		return enter_rest(op, only);
	/* What only the kernel can end needs no window. */
	if (only && (libc_single_threaded() || op->not_cancellable))
		return sys6(op->nr, op->arg[0], op->arg[1], op->arg[2], op->arg[3], op->arg[4], op->arg[5]);
	open_window(&w, op, only);
	return mux_cancellable(op, &w);
}

long mux_plain(const struct op *op)
{
	long result = mux_enter(op, false);

	return result == WINDOW_NOT_ENTERED ? -EINTR : result;
}
