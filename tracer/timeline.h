/* timeline.h - `eagain timeline`: the trace as a picture, time from left to right.  */
#ifndef EAGAIN_TIMELINE_H
#define EAGAIN_TIMELINE_H

#include <stdio.h>

#include "lanes.h"

/* What is to be seen of a trace.  */
struct view {
	bool by_fd;                     /* a lane for each fd that was waited for, or else for each thread */
	uint64_t from_ns, to_ns;        /* UINT64_MAX: its end */
};

/* Dies with one line where the trace ends before the view begins.  */
void timeline_print(struct trace *t, const struct view *v, FILE *to);

enum { TIMELINE_LABEL_MAX = 44 };

/* The parts of the picture.  The columns that labels take, of a line's width; a moment as exact as it is; the two lines of the
 * axis; a lane's characters, of which the one at `cursor` stands out (-1: none); what the characters say that are `used`.  */
int timeline_label_width(const struct lanes *l, size_t first, size_t count, int width);
const char *timeline_moment(uint64_t ns, char text[32]);
void timeline_axis(const struct stretch *s, int label_width, FILE *to);
void timeline_cells(const char *text, int cursor, FILE *to);
void timeline_legend(const bool used[128], int width, FILE *to);

#endif
