/* tracks.h - the trace as rows of slices, for viewers: a track for each process, thread and fd, for requests of POSIX AIO in flight,
 * and for what is counted.
 *
 * One walk over all records, in the order of time; whoever writes a format is told what begins, ends and happens.  The slices of a
 * track nest.  Of a call that was done at once, its end is known as it begins; an operation that would block holds its phases, and
 * stays open if it never returned.  Takes memory for what there is at a time: processes, threads, open fds.  */
#ifndef EAGAIN_TRACKS_H
#define EAGAIN_TRACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader.h"
#include "wires.h"

enum track_type { TRACK_PROCESS, TRACK_THREAD, TRACK_FD, TRACK_REQUESTS, TRACK_COUNTER };

struct track {
	uint64_t id;                    /* from 1 */
	enum track_type type;
	const struct track *process;    /* that it belongs to, or itself */
	uint32_t pid, tid;              /* a row without a thread of its own has a number that no thread can have */
	uint32_t rank;                  /* its place among those of its process, or among the processes */
	const char *name;               /* valid UTF-8, no control characters */
	const char *command;            /* TRACK_PROCESS: all of it */
};

/* What is told of a slice or instant beside its name.  Exactly one of text and number counts.  */
struct track_arg {
	const char *key;
	const char *text;               /* or NULL */
	int64_t number;
};

#define TRACKS_OPEN UINT64_MAX          /* an end that is not known yet */

enum { TRACK_ARGS = 10 };

struct track_slice {
	const char *category, *name;    /* of few */
	uint64_t start_ns;              /* from the start of the trace */
	uint64_t told_ns;               /* its end, as it was known when it began, or TRACKS_OPEN */
	uint64_t end_ns;                /* its end, once it has come */
	struct track_arg args[TRACK_ARGS];
	size_t arg_count;
	uint64_t id;                    /* by which flows name it as their source; 0: none will */
	const struct wire_flow *flows;  /* into it */
	size_t flow_count;
};

struct tracks_sink {
	/* A track, before anything on it; or its new name.  */
	void (*track)(const struct track *t, void *arg);
	/* In end, args and flows are what is known now and was not before.  Of requests, tracks of one name are one row: their slices
	 * overlap, and each end has the category and the name of its slice.  */
	void (*begin)(const struct track *t, const struct track_slice *s, void *arg);
	void (*end)(const struct track *t, const struct track_slice *s, void *arg);
	void (*instant)(const struct track *t, const struct track_slice *s, void *arg);
	void (*counter)(const struct track *t, uint64_t ns, uint64_t value, void *arg);
};

void tracks_walk(const struct trace *t, const struct tracks_sink *sink, void *arg);

#endif
