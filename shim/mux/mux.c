/* mux.c - the entrance: chooses how an operation waits.  */
#include "mux.h"

#include <time.h>

#include "config.h"
#include "flag.h"
#include "libc.h"
#include "record.h"
#include "sys.h"
#include "tracer/format.h"

/* A thread in ppoll does not hold the file: if another closes it, the number may mean the next connection when the thread wakes
 * up.  The plain call holds it.  Behind the shield the plain call would not wait; mux_direct() looks whether it is still the same
 * file.  */
static bool direct_serves(const struct op *op, bool ready_before)
{
	if (op->shielded)
		return true;
	if (ready_before || !libc_single_threaded() || !(op->moved || op->way == TRACE_WAY_FLAG))
		return false;
	switch (op->class) {
	case OP_CONNECT:        /* the outcome is had from a second, plain connect */
	case OP_RECVMSG:        /* one for no bytes leaves a socket's error where it is */
		return false;
	default:
		break;
	}
	if (!op_writes(op))
		return true;
	/* See rest_can_wait() in attempt.c; and another process may have set a timeout meanwhile. */
	return !(op->hint & HINT_LOCAL) && !(HINT_KIND(op->hint) == KIND_stream && fds_has_send_timeout(op->fd));
}

enum mux_outcome mux_wait(struct op *op, bool ready_before, long *result)
{
	bool direct = direct_serves(op, ready_before);
	enum mux_outcome outcome = MUX_DONE;
	struct timespec pause = {.tv_nsec = 1000000};

	if (record_follows(op))
		record_park(op, direct);
	/* Another reader was faster; or poll and the call do not agree, which shall not burn the processor. */
	if (direct && ready_before)
		sys(SYS_ppoll, NULL, 0, &pause, NULL, 8);
	if (direct)
		outcome = mux_direct(op, result);
	if (outcome == MUX_READY && record_follows(op))
		record_ready(op, (unsigned)*result);
	if (outcome == MUX_DONE) {
		flag_off(op->fd);
		*result = mux_plain(op);
	}
	return outcome;
}
