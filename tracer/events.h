/* events.h - the trace as one stream of events in the order of time: what log, csv and json write a line each for.
 *
 * An operation that would block goes by as it went: enter, EWOULDBLOCK, park, ready, return.  A wait in the plain call has no record
 * of its readiness, which then is the moment of its return.  Takes memory for the processes and their fds, not for the events.  */
#ifndef EAGAIN_EVENTS_H
#define EAGAIN_EVENTS_H

#include "line.h"
#include "reader.h"

typedef void event_visitor(const struct line *event, void *arg);
void events_each(const struct trace *t, event_visitor *visit, void *arg);

#endif
