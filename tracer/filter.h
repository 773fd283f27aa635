/* filter.h - of a trace, only what was asked for: --call, --exclude, --fd, --path, --longer-than, --program and --pid.
 *
 * It stands between a trace and whoever walks through its records (reader_each), so that every view shows the same.  A call with all
 * of its records passes, or none; what a view must know to make sense of the others passes hidden (struct reader_place).  */
#ifndef EAGAIN_FILTER_H
#define EAGAIN_FILTER_H

#include <stdio.h>

#include "options.h"
#include "reader.h"

/* From now on the trace has no more than the options ask for.  Before anything else is done with it.  */
void filter_apply(struct trace *t, const struct options *o);
void filter_free(struct filter *f);

/* reader_each() of a trace with a filter.  */
void filter_each(const struct trace *t, const struct trace_file *file, record_visitor *visit, void *arg);

/* Whether all services of what passes pass (readiness.h).  */
bool filter_passes_services(const struct trace *t);

/* The options, as they were given, and those that it was recorded with: as one text with spaces between them, which is valid and
 * harmless, or NULL.  */
const char *filter_text(const struct trace *t);
const char *filter_recorded_text(const struct trace *t);

/* Whether processes may be missing since they were not asked for, now or when it was recorded.  */
bool filter_lacks_processes(const struct trace *t);

/* Whether calls may be missing on what other calls are shown of, for the same reasons.  */
bool filter_lacks_calls(const struct trace *t);

#endif
