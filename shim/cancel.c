/* cancel.c - how libc's calls end, when the thread is being canceled.  */
#include "cancel.h"

#include <errno.h>

#include "init.h"
#include "libc.h"

bool cancel_is_used;

/* Who cancels a thread that may be canceled at any moment sends it a signal.  It may arrive when that is over, and even, which makes
 * a thread that has returned one that was canceled, behind its end.  So libc's calls wait for it before they return, up to glibc
 * 2.40; only one of them knows whether it is on its way.  */
void cancel_settle(void)
{
	int error = errno, state;

	if (shim_sandboxed)
		return;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	libc.close(-1);
	pthread_setcancelstate(state, NULL);
	errno = error;
}
