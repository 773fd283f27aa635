/* log.h - `eagain log`: the trace as text, one line per event.  */
#ifndef EAGAIN_LOG_H
#define EAGAIN_LOG_H

#include <stdio.h>

#include "reader.h"

/* Writes all events of all processes in the order of time.  */
void log_print(struct trace *t, FILE *to);

#endif
