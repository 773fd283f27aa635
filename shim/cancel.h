/* cancel.h - a system call that another thread may end by canceling this one, as it may libc's own (pthreads(7), Cancellation
 * points).
 *
 *     int type = cancel_open();
 *     long result = sys(...);
 *     cancel_close(type);  */
#ifndef EAGAIN_CANCEL_H
#define EAGAIN_CANCEL_H

#include <pthread.h>

#include "shim.h"

/* Whether the program has ever canceled a thread.  */
extern bool cancel_is_used;

static inline int cancel_open(void)
{
	int type;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	return type;
}

/* The rest of cancel_close().  */
void cancel_settle(void);

static inline void cancel_close(int type)
{
	pthread_setcanceltype(type, NULL);
	if (unlikely(LOAD(cancel_is_used)))
		cancel_settle();
}

#endif
