/* syscall.c - syscall(2): the numbers of calls.def are served like libc's names for them, the rest goes to the kernel.  */
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "calls.h"
#include "shim/record.h"

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
	case OP_ACCEPT: socket_accepted(result, call == CALL_accept4 ? a[3] : 0); break;
	case OP_CONNECT: socket_named(op.fd); break;
	case OP_WAIT: wait_note(&op, result); break;
	case OP_EPOLL: epoll_note(&op, result); break;
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
	if (nr == SYS_dup2 && SYS_dup2 != -1)
		return dup2((int)a[0], (int)a[1]);
	switch (nr) {
	case SYS_prctl:
		return prctl((int)a[0], a[1], a[2], a[3], a[4]);
	case SYS_seccomp:
		if ((unsigned)a[0] == SECCOMP_SET_MODE_STRICT || (unsigned)a[0] == SECCOMP_SET_MODE_FILTER)
			return as_libc(enter_sandbox((unsigned)a[0] == SECCOMP_SET_MODE_STRICT, nr, a[0], a[1], a[2]));
		break;
	/* What says whose O_NONBLOCK is. */
	case SYS_fcntl:
		if ((int)a[1] == F_SETFL)
			return fcntl((int)a[0], F_SETFL, a[2]);
		break;
	case SYS_ioctl:
		if ((unsigned)a[1] == FIONBIO)
			return ioctl((int)a[0], FIONBIO, a[2]);
		break;
	case SYS_sigaltstack:
		return sigaltstack((const stack_t *)a[0], (stack_t *)a[1]);
	/* What ends the meaning of an fd. */
	case SYS_close:
		descriptor_closing((int)a[0]);
		break;
	case SYS_close_range:
		return close_range((unsigned)a[0], (unsigned)a[1], (int)a[2]);
	case SYS_dup3:
		return dup3((int)a[0], (int)a[1], (int)a[2]);
	case SYS_clone:
	case SYS_clone3:
		STORE(shim_vforks, true);
		break;
	case SYS_unshare:
		return unshare((int)a[0]);
	case SYS_futex:
		if (record_on)
			return as_libc(lock_futex(a));
		break;
	case SYS_epoll_ctl:
		return epoll_ctl((int)a[0], (int)a[1], (int)a[2], (struct epoll_event *)a[3]);
	default:
		break;
	}
	return as_libc(sys6(nr, a[0], a[1], a[2], a[3], a[4], a[5]));
}
