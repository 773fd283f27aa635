/* readiness.h - from ready to served: how long what was ready, in the kernel, had to wait until the program took it.
 *
 * A service is a call that took something of an fd: a read, recv or accept; for writing, the next write after one that would have
 * blocked.  It is matched with the moment in which the observer (observe.c) saw that the fd had become ready; where that was not
 * seen, or the order of the two is not certain, the distance is unknown, and not zero.  What is ready is a pipe or a socket, and
 * not a number: among processes that share it, it does not matter who saw it and who takes it.  */
#ifndef EAGAIN_READINESS_READ_H
#define EAGAIN_READINESS_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "model.h"
#include "reader.h"

enum { READINESS_WORST = 3 };

struct readiness_service {
	uint64_t at_ns, distance_ns;    /* of its end, from the start of the trace; at least so long after it was ready */
	uint32_t tid;
};

struct readiness_times {
	uint64_t services;
	uint64_t seen;                  /* of these: how many distances are known */
	uint64_t late;                  /* of these: how many may be longer, for it was found late that it was ready */
	uint64_t sum_ns, max_ns;
	uint64_t unserved_ns;           /* so long it had been ready at the process's end; 0: it was not */
	uint32_t *buckets;              /* histogram.h; NULL: none */
	struct readiness_service worst[READINESS_WORST];        /* the longest first */
};

enum readiness_direction { READINESS_READ, READINESS_WRITE, READINESS_DIRECTIONS };

/* What one fd number meant; where it meant many things, the later ones together.  */
struct readiness_fd {
	size_t process;                 /* index of its file in the trace */
	int fd;
	unsigned kind;                  /* enum fd_kind */
	unsigned more;                  /* so many later meanings are among them */
	char *name;
	struct readiness_times times[READINESS_DIRECTIONS];
};

struct readiness {
	struct readiness_fd *fds;       /* by process and fd */
	size_t count;
	uint64_t lost;                  /* edges for which there was no room in the trace */
};

/* NULL where nothing was observed, or not all services are in the trace or pass its filter.  Takes memory for fds, not for events.  */
struct readiness *readiness_read(const struct trace *t);
void readiness_free(struct readiness *r);

/* One distance that is known: it was ready from start to end, when it was taken.  */
struct readiness_stretch {
	const struct model_process *process;
	size_t fd;                      /* index into the process's, or MODEL_NO_FD */
	enum readiness_direction direction;
	uint32_t tid;                   /* who took it; 0: nobody, before the process's end */
	uint64_t start_ns, end_ns;
	bool late;                      /* it may have begun before */
};

/* Calls visit for each, in the order of their ends, and for what nobody took last.  For none where readiness_read() has NULL.  */
typedef void readiness_visitor(const struct readiness_stretch *s, void *arg);
void readiness_each(const struct trace *t, const struct model *m, readiness_visitor *visit, void *arg);

/* Below which `percent` of the known distances are, to within a tenth.  */
uint64_t readiness_percentile(const struct readiness_times *t, unsigned percent);

/* Whether an EDGE is about what its fd means now.  One for each fd number: all other records with that fd are to be seen by it,
 * too.  */
struct readiness_number {
	uint32_t registration;          /* 0: not known */
	bool closed;
	uint64_t watched;               /* ticks */
};
bool readiness_sees(struct readiness_number *n, const struct trace_record *r);

/* For what it is watched, or became ready: "read", "write", "read,write".  NULL where that is nothing.  */
const char *readiness_words(const struct trace_record *r);

/* The section of the report.  */
void readiness_print(const struct readiness *r, const struct model *m, FILE *to);

#endif
