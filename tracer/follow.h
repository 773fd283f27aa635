/* follow.h - a trace that is being written: each look tells what was recorded since the one before.
 *
 * Chunks grow, are overwritten by the flight recorder, and are cut off by a process that exits while one looks; so files
 * are read, never mapped.  */
#ifndef EAGAIN_FOLLOW_H
#define EAGAIN_FOLLOW_H

#include "reader.h"

/* One process file.  */
struct followed {
	struct trace_file file;         /* its header, as it was found first, and its name */
	void *user;                     /* the caller's; NULL at first */
	uint64_t dropped;               /* events that the flight recorder has overwritten in it */
	struct followed_chunk *chunks;  /* by offset */
	size_t chunk_count, chunk_room;
};

struct follow {
	struct trace trace;             /* its control and its clock, for reader_ns(); no files */
	struct followed **files;        /* in no order */
	size_t file_count, file_room;
	size_t seen_count;              /* process files that there ever were */
	uint64_t visited, dropped;      /* events of the last look, and those that were overwritten meanwhile, visited or not */
	bool missed;                    /* some were not: they were gone before they could be */
	struct follow_scan *scan;
};

/* NULL, with *why, where dir is no trace.  */
struct follow *follow_open(const char *dir, const char **why);
void follow_close(struct follow *f);

/* Calls visit once for each record that was not there before; for an ENTER at each look while it is there, for a LOCK as long as it is
 * not over, and when it is; place->file is the `file` of a struct followed.  The records of a thread come in their order, but for those of a signal handler; those of different
 * threads in any.  */
void follow_read(struct follow *f, record_visitor *visit, void *arg);

/* The file is not read any more, its process having ended.  Its `user` is the caller's to free.  */
void follow_forget(struct follow *f, struct followed *e);

/* For a recording that goes on on this machine: lets its clock be compared with that of now.  */
void follow_clock(struct follow *f);

#endif
