/* reader.h - a trace directory, opened for reading: its process files, their records in turn, and its clock.  */
#ifndef EAGAIN_READER_H
#define EAGAIN_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"

/* One process file.  */
struct trace_file {
	const struct trace_process *header;
	const char *bytes;              /* the whole file, mapped; between the chunks may be holes, which nobody must touch */
	size_t size;
	size_t *chunks;                 /* their offsets */
	size_t chunk_count;
	char name[256];
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
	size_t file_count;
	double ns_per_tick;
	uint64_t base_ticks, base_ns;
	struct trace_end end;           /* of the first process */
	size_t unread_count;            /* process files that could not be opened, or are damaged */
	const char *unread_why;         /* of the first */
};

/* Whether dir looks like a trace: it has our control file.  */
bool reader_is_trace(const char *dir);

/* Opens the trace in dir, or dies with one line.  */
struct trace *reader_open(const char *dir);

/* As reader_open, but returns NULL, with *why, where there is no trace to read, or nothing of it can be.  */
struct trace *reader_try(const char *dir, const char **why);

void reader_close(struct trace *t);

/* Ticks as nanoseconds from the start of the trace; 0 for what lies before it.  */
uint64_t reader_ns(const struct trace *t, uint64_t ticks);

/* A moment of CLOCK_MONOTONIC in ticks.  */
uint64_t reader_ticks(const struct trace *t, uint64_t ns);

/* A duration in ticks as nanoseconds.  */
uint64_t reader_duration(const struct trace *t, uint64_t ticks);

/* Calls visit for each whole record of the file, in the order of time over all its threads (a CALL stands at its beginning;
 * one that opened an fd, at its end).
 * `rest` is how many slots lie behind the record in its chunk, for a name's text.  */
typedef void record_visitor(const struct trace_record *record, uint32_t tid, size_t rest, void *arg);
void reader_each(const struct trace_file *file, record_visitor *visit, void *arg);

/* The text that follows a NAME record: copies it and a NUL into text, returns its length.  */
size_t reader_text(const struct trace_record *name, size_t rest, char *text, size_t size);

#endif
