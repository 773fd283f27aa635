/* wires.h - which write supplied a read.
 *
 * A wire is one direction of a pipe or TCP connection.  What goes in comes out in the same order: the bytes that were written and
 * those that were read, counted from its beginning, tell whose bytes a read got.  Where that is not certain (two writes at once, an
 * end that is not recorded, bytes moved by calls that do not tell how many) there is no answer, rather than a wrong one.  */
#ifndef EAGAIN_WIRES_H
#define EAGAIN_WIRES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A write, as whoever shows it knows it.  */
struct wire_source {
	uint64_t id;                    /* not 0 */
	uint32_t pid, tid;
	uint64_t ns;                    /* when it began */
};

struct wire_flow {
	struct wire_source from;
	bool is_last;                   /* its last bytes */
};

enum { WIRE_FLOWS = 16 };               /* of one read; there may have been more */

struct wire {
	char *key;
	struct wire *next;              /* with the same hash */
	unsigned refs;
	void *user;                     /* whatever its user keeps with it; released by wires.forget */
	uint64_t inodes[2];             /* of the sockets at its ends: [1] writes */
	uint64_t written, read;         /* bytes */
	bool is_synced;                 /* they begin at the same byte */
	bool is_spoiled;                /* they never will again */
	bool is_used[2];                /* an end has moved bytes */
	unsigned writing;               /* writes that are under way */
	bool is_mixed;                  /* there was more than one of them at once */
	struct wire_source op;          /* the only one, where nobody knows how many bytes it will write; id 0: none */
	uint64_t last_write;            /* ns: when one ended */
	uint32_t reader;                /* the only thread that reads; 0: none yet, UINT32_MAX: several */
	struct wire_segment *segments;  /* what was written and not read yet: a ring */
	size_t first, count, room;
};

struct wires {
	struct wire **table;
	size_t count;
	bool is_complete;               /* nothing of the trace was lost: wires are seen from their beginning */
	void (*forget)(struct wire *w, void *arg);
	void *arg;
};

/* The wire with this key, for one user more; NULL if there are too many.  */
struct wire *wires_get(struct wires *ws, const char *key);
void wires_put(struct wires *ws, struct wire *w);
void wires_free(struct wires *ws);

/* The socket at one of its ends.  Another than before is another connection.  */
void wire_end_is(struct wires *ws, struct wire *w, bool writes, uint64_t inode);

/* A write of n bytes, or, if n < 0, of a number that its end will tell.  */
void wire_write(struct wire *w, const struct wire_source *from, int64_t n);

/* The write is over; if its number of bytes was not known, it was n.  */
void wire_written(struct wire *w, uint64_t id, int64_t n, uint64_t now);

/* A read by thread tid got n bytes: whose.  Returns how many flows there are.  */
size_t wire_read(struct wire *w, uint32_t tid, uint64_t n, struct wire_flow flows[WIRE_FLOWS]);

/* Thread tid found a pipe empty, in an attempt that began at `since`.  */
void wire_is_empty(struct wire *w, uint32_t tid, uint64_t since);

/* Bytes were moved, and nobody knows how many.  */
void wire_spoil(struct wire *w);

/* How many bytes it holds now; false where that is not known, or an end has not been seen.  */
bool wire_queue(const struct wire *w, uint64_t *bytes);

#endif
