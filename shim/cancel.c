/* cancel.c - how libc's calls end, when the thread is being canceled.  */
#include "cancel.h"

#include <errno.h>
#include <gnu/libc-version.h>

#include "init.h"
#include "libc.h"

bool cancel_is_late;

/* The y of glibc's "2.y" or "2.y.9000", which comes before y + 1; 0 where it is another.  */
static unsigned minor_version(const char *version)
{
	unsigned minor = 0;

	if (version[0] != '2' || version[1] != '.')
		return 0;
	for (version += 2; *version >= '0' && *version <= '9'; version++)
		minor = minor * 10 + (unsigned)(*version - '0');
	return minor;
}

/* Who cancels a thread that may be canceled at any moment sends it a signal.  It may arrive when that is over, and even, which makes
 * a thread that has returned one that was canceled, behind its end.  So libc's calls wait for it before they return, up to glibc
 * 2.40.  From then on (bug 12683) the signal's handler does nothing in a thread that is neither to be canceled at any moment nor in a
 * system call of libc's that is a cancellation point, and they do not wait.  */
void cancel_begins(void)
{
	enum { FIRST_HARMLESS = 41 };

	if (minor_version(gnu_get_libc_version()) < FIRST_HARMLESS)
		STORE(cancel_is_late, true);
}

/* Only one of libc's calls knows whether it is on its way.  */
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
