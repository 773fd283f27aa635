/* report.h - `eagain report`: where the time went, for a person.  */
#ifndef EAGAIN_REPORT_H
#define EAGAIN_REPORT_H

#include <stdio.h>

#include "reader.h"

void report_print(struct trace *t, FILE *to);

/* The report of the trace in dir, whose first process ended so, or one line that says why there is none.  */
void report_try(const char *dir, const struct trace_end *end, FILE *to);

#endif
