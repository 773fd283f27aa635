/* reader.h - a trace directory, opened for reading: its process files, their records in turn, and its clock.  */
#ifndef EAGAIN_READER_H
#define EAGAIN_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"

/* Records of one thread that lie together in a chunk.  */
struct trace_run {
	const struct trace_record *first;
	uint32_t count;                 /* slots */
	uint32_t rest;                  /* slots behind them in the chunk */
	uint32_t tid;
	bool in_order;                  /* as they lie; else they are put in order when they are read */
	bool own;                       /* as in struct reader_place */
	uint64_t earliest;              /* ticks */
	const struct trace_file *file;
};

/* One process file.  */
struct trace_file {
	const struct trace_process *header;
	const char *bytes;              /* the whole file, mapped; between the chunks may be holes, which nobody must touch */
	size_t size;
	struct trace_run *runs;         /* by `earliest` */
	size_t run_count, run_room;
	char name[256];
	uint64_t key;                   /* of PID.N: as in EDGE records */
};

/* How a process ended, told by its parent outside of the trace.  */
struct trace_end {
	uint32_t pid;                   /* 0: nobody told */
	int status;                     /* wait(2) */
	uint64_t ns;                    /* CLOCK_MONOTONIC */
};

struct trace {
	struct trace_control control;
	struct trace_file *files;
	size_t file_count, file_room;
	struct trace_file *observed;    /* what the observer saw: EDGE records of the processes */
	size_t observed_count;
	struct trace_file **by_key;     /* the files, by PID and N of their names */
	double ns_per_tick;
	uint64_t base_ticks, base_ns;
	uint64_t last_ticks, last_ns;   /* the latest pair of all */
	struct trace_end end;           /* of the first process */
	struct filter *filter;          /* what of it is walked through; NULL: all (filter.h) */
	size_t unread_count;            /* process files that could not be opened, or are damaged */
	const char *unread_why;         /* of the first */
};

/* Whether dir looks like a trace: it has our control file.  */
bool reader_is_trace(const char *dir);

/* Leaves only the process files that `wants` says yes to.  */
void reader_keep(struct trace *t, bool (*wants)(const struct trace_file *, const void *arg), const void *arg);

/* Opens the trace in dir, or dies with one line.  */
struct trace *reader_open(const char *dir);

/* As reader_open, but returns NULL, with *why, where there is no trace to read, or nothing of it can be.  */
struct trace *reader_try(const char *dir, const char **why);

void reader_close(struct trace *t);

/* For follow.h: NULL, or why the file of a trace in dir that begins so cannot be read; the control file itself; one more moment in
 * ticks and in CLOCK_MONOTONIC nanoseconds.  */
const char *reader_check(const struct trace_preamble *p, const char *magic);
const char *reader_control(const char *dir, struct trace_control *control);
void reader_pair(struct trace *t, uint64_t ticks, uint64_t ns);

/* Where a chunk may begin, from offset on: not in a hole.  */
size_t reader_next_data(int fd, size_t offset);

/* Ticks as nanoseconds from the start of the trace; 0 for what lies before it.  */
uint64_t reader_ns(const struct trace *t, uint64_t ticks);

/* Now, of CLOCK_MONOTONIC.  */
uint64_t reader_now(void);

/* A moment of CLOCK_MONOTONIC in ticks.  */
uint64_t reader_ticks(const struct trace *t, uint64_t ns);

/* A duration in ticks as nanoseconds.  */
uint64_t reader_duration(const struct trace *t, uint64_t ticks);

/* Where a record was found.  */
struct reader_place {
	const struct trace_file *file;
	uint32_t tid;
	size_t before, rest;            /* slots before it of its thread, and behind it, in its chunk */
	bool enter;                     /* this is the moment in which its operation was entered: it is visited again */
	bool entered;                   /* and this is then */
	bool own;                       /* its thread is eagain's, and none of the program's */
	bool hidden;                    /* to be known, but not to be shown: it is about an fd that was not asked for */
};

/* Calls visit for each whole record of the file, or with NULL of all files, in the order of time; a CALL stands at its beginning.
 * With NULL, too, for each EDGE, with the file of the process that it is about.
 * A WOULD_BLOCK is visited first as its operation was entered; and a CALL that opened an fd stands at its end, behind the NAME of what
 * it opened, and is first visited at its beginning.  Takes memory for what overlaps in time, not for what there is.  */
typedef void record_visitor(const struct trace_record *record, const struct reader_place *place, void *arg);
void reader_each(const struct trace *t, const struct trace_file *file, record_visitor *visit, void *arg);

/* The same, whatever the trace's filter says.  */
void reader_walk(const struct trace *t, const struct trace_file *file, record_visitor *visit, void *arg);

/* The NAME of what a call has opened, which lies before it; place becomes that of the NAME.  NULL where it is in another chunk.  */
const struct trace_record *reader_name_before(const struct trace_record *call, struct reader_place *place);

/* The text that follows a NAME record: copies it and a NUL into text, returns its length.  */
size_t reader_text(const struct trace_record *name, const struct reader_place *place, char *text, size_t size);

#endif
