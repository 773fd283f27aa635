/* files.h - --files: which files the program waited for, how long, and how much of what it read was in memory.
 *
 * A read or write of a file is classified by whether its thread slept in it (shim/files.h): if not, what it took was in the page cache,
 * or, of a write, went there.  Files are told apart by their names, whoever has them open.  */
#ifndef EAGAIN_FILES_READ_H
#define EAGAIN_FILES_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "model.h"
#include "reader.h"

enum files_direction { FILES_READ, FILES_WRITE, FILES_DIRECTIONS };

/* Calls of one kind.  */
struct files_calls {
	uint64_t calls, ns;
	uint64_t waits, wait_ns, longest_ns;    /* of these: those that waited */
};

struct files_bytes {
	struct files_calls calls;       /* that moved any */
	uint64_t all, cached, direct;   /* bytes: of those that did not wait, but for O_DIRECT; and with that */
};

struct files_file {
	char *name;
	struct files_bytes moved[FILES_DIRECTIONS];
	struct files_calls other;       /* that move no bytes between it and the program: fsync, open, ... */
};

struct files {
	struct files_file *files;       /* those that were waited for longest first */
	size_t count, room;
	struct files_file total;        /* without a name */
	struct files_calls *calls;      /* by enum call_id: those of `other`, and what has no fd */
	uint64_t unclassified;          /* calls that moved bytes, and of which it is not known */
	bool refused;                   /* the kernel did not tell, to one process at least */
};

/* NULL where nothing was recorded with --files.  */
struct files *files_read(const struct trace *t);
void files_free(struct files *f);

/* The section of the report; and a JSON object.  */
void files_print(const struct files *f, FILE *to);
void files_print_json(const struct files *f, FILE *to);

#endif
