/* points.h - what lttng.c records of a call, in LTTng's own language: it is included several times, and each time makes something
 * else.  */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER bench

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./points.h"

#if !defined(POINTS_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define POINTS_H

#include <lttng/tracepoint.h>

LTTNG_UST_TRACEPOINT_EVENT(bench, enter, LTTNG_UST_TP_ARGS(int, call, int, fd, unsigned long, size),
			   LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(int, call, call) lttng_ust_field_integer(int, fd, fd)
						       lttng_ust_field_integer(unsigned long, size, size)))
LTTNG_UST_TRACEPOINT_EVENT(bench, leave, LTTNG_UST_TP_ARGS(int, call, long, result),
			   LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(int, call, call)
						       lttng_ust_field_integer(long, result, result)))

#endif

#include <lttng/tracepoint-event.h>
