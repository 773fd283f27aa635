/* timers.h - what is to come at a known moment: a heap, the earliest first.  A timer is part of what it is for.  */
#ifndef EAGAIN_TIMERS_H
#define EAGAIN_TIMERS_H

#include <stddef.h>
#include <stdint.h>

struct timer {
	uint64_t at;
	size_t place;                   /* in the heap, from 1; 0: not set */
	int type;                       /* its user's own */
};

struct timers {
	struct timer **heap;
	size_t count, room;
};

/* Sets it, or moves it.  */
void timers_set(struct timers *t, struct timer *timer, uint64_t at);

/* It need not be set.  */
void timers_clear(struct timers *t, struct timer *timer);

/* The earliest, or NULL.  */
static inline struct timer *timers_first(const struct timers *t)
{
	return t->count ? t->heap[0] : NULL;
}

#endif
