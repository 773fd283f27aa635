/* waits.h - how long each thread waited for what, along the run: the model's waits, and calls on files, put together in buckets of
 * time.  */
#ifndef EAGAIN_WAITS_H
#define EAGAIN_WAITS_H

#include "model.h"

enum {
	WAITS_BUCKETS = 4096,           /* at most, over the whole run */
	WAITS_FILE = DIRECTION_COUNT,   /* more directions: in a call on a file or block device */
	WAITS_SIGN,                     /* for another thread's sign: a condition, a semaphore, its end; no lock that it holds */
	WAITS_OTHERS,                   /* for another process's sign, or lock, of which it is not known whose it is */
};

#define WAITS_NO_FD UINT32_MAX

/* What a thread waited for in one bucket; or, for all of it, in several.  */
struct waits_cell {
	uint16_t from, to;              /* buckets */
	uint8_t direction;              /* enum direction, or one of the above */
	bool polled;                    /* as model_wait's */
	uint32_t fd;                    /* index into the process's fds, or WAITS_NO_FD; of a lock, the tid that held it */
	uint32_t ended;                 /* how many of these waits ended here */
	uint64_t ns;                    /* in each of the buckets */
};

struct waits_line {
	const struct model_process *process;
	uint32_t tid;
	struct waits_cell *cells;       /* in the end: by `to`, each once */
	size_t count, room;
	uint64_t end_ns;                /* of its latest wait */
	struct waits_cell left;         /* the latest that nothing ended, of no length */
	uint64_t left_ns;               /* since when */
	struct waits_cell lock;         /* the latest for a lock that was not over when it was recorded, likewise */
};

struct waits {
	const struct trace *trace;
	uint64_t bucket_ns;
	struct waits_line *lines;       /* of one process together, by tid */
	size_t line_count, line_room;
	size_t process_first;           /* the first line of the process in hand */
	size_t latest;                  /* the line that was added to last */
	size_t cell_count, cell_limit;  /* of all lines; beyond the limit the buckets become longer */
	uint64_t end_ns;                /* of the latest wait */
};

/* Builds the model, and collects.  */
struct model *waits_collect(struct waits *w, const struct trace *t);
void waits_free(struct waits *w);

#endif
