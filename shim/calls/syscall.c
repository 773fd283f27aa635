/* syscall.c - syscall(2): the numbers of calls.def are served like libc's names for them, the rest goes to the kernel.  */
#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "calls.h"

/* CALL_none where the number is none of ours.  */
static enum call_id call_of(long nr)
{
	if (nr < 0)
		return CALL_none;
	switch (nr) {
#define CALL(id, name, wait, class, number) case ((number) >= 0 ? (number) : -1 - CALL_##id): return CALL_##id;
#include "shim/calls.def"
#undef CALL
	default: return CALL_none;
	}
}

/* Unlike libc's names for them, no cancellation points.  */
static long serve_raw(enum call_id call, long nr, const long a[6])
{
	struct op op = op_of(call, nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	long result;

	op.not_cancellable = true;
	result = op_run(&op);
	switch (op.class) {
	case OP_ACCEPT: socket_accepted(result); break;
	case OP_CONNECT: socket_connected(op.fd); break;
	case OP_WAIT: wait_note(&op, result); break;
	case OP_POLL: case OP_SELECT: poll_note(&op, result); break;
	default: break;
	}
	return result;
}

EXPORT long syscall(long nr, ...)
{
	va_list list;
	enum call_id call = call_of(nr);
	long a[6];

	va_start(list, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (call != CALL_none)
		return as_libc(serve_raw(call, nr, a));
	if (nr == SYS_prctl)
		return prctl((int)a[0], a[1], a[2], a[3], a[4]);
	if (nr == SYS_seccomp && (a[0] == SECCOMP_SET_MODE_STRICT || a[0] == SECCOMP_SET_MODE_FILTER))
		return as_libc(enter_sandbox(a[0] == SECCOMP_SET_MODE_STRICT, nr, a[0], a[1], a[2]));
	return as_libc(sys6(nr, a[0], a[1], a[2], a[3], a[4], a[5]));
}
