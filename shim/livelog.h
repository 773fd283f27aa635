/* livelog.h - EAGAIN_LOG: events as lines of text, while the program runs.  */
#ifndef EAGAIN_LIVELOG_H
#define EAGAIN_LIVELOG_H

#include "shim.h"
#include "tracer/format.h"

/* Appends the lines of one event; an AWAY is followed by its TEXT.  Signal-safe; errno is untouched.  */
void livelog_event(const struct trace_record *event);

#endif
