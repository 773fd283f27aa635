/* points.h - one call of each kind that can wait, or that one might take for a cancellation point.  */
#ifndef POINTS_H
#define POINTS_H

#include <stdbool.h>
#include <stddef.h>

struct point {
	const char *name;
	long (*call)(void);
	bool waits;             /* there is a situation in which it does */
	bool cancels;           /* and a thread can be canceled in it */
};

extern const struct point points[];
extern const size_t point_count;

/* Makes what has no fd, for this process and its children; it goes with exit().  */
void points_begin(void);

/* Makes what the calls are made on.  Ready: there is something to take, and room; else a call waits.  */
void points_set_up(bool ready);
void points_tear_down(void);

/* What is left to be read, and whether a stream is still locked.  */
const char *points_left(void);

#endif
