/* timeline.h - `eagain timeline`: the trace as a picture, time from left to right.  */
#ifndef EAGAIN_TIMELINE_H
#define EAGAIN_TIMELINE_H

#include <stdbool.h>
#include <stdio.h>

#include "reader.h"

/* A lane for each thread, or for each fd that was waited for.  */
void timeline_print(struct trace *t, bool by_fd, FILE *to);

#endif
