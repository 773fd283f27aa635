/* report.h - `eagain report`: where the time went, for a person.  */
#ifndef EAGAIN_REPORT_H
#define EAGAIN_REPORT_H

#include <stdio.h>

#include "model.h"
#include "reader.h"

void report_print(struct trace *t, FILE *to);

/* The critical path, and the verdict.  */
void report_path(struct trace *t, FILE *to);

/* A text of at most so many columns; and a process: its command, cut likewise, and its pid.  */
void report_cut(const char *text, int width, FILE *to);
void report_command(const struct model_process *p, int width, FILE *to);

/* The report of the trace in dir, whose first process ended so, or one line that says why there is none.  */
void report_try(const char *dir, const struct trace_end *end, FILE *to);

#endif
