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

/* The program cancels a thread.  */
void cancel_begins(void);

/* Whether it has, and the signal for that may do harm when the wait is over.  */
extern bool cancel_is_late;

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
	if (unlikely(LOAD(cancel_is_late)))
		cancel_settle();
}

#endif
