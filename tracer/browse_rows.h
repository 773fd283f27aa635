/* browse_rows.h - what a thread did, or what was done with an fd, in a stretch of time: each call by itself.  */
#ifndef EAGAIN_BROWSE_ROWS_H
#define EAGAIN_BROWSE_ROWS_H

#include "lanes.h"

struct browse_row {
	uint64_t start_ns, end_ns;
	uint32_t op;                    /* 0: it did not have to wait, or was a plain call */
	uint32_t tid;
	unsigned call;
	int fd;                         /* -1: none */
	bool returned, polled;          /* polled: a poll, which this fd ended */
	int64_t result;
	char name[96];                  /* of its fd, made harmless */
};

struct browse_rows {
	struct browse_row *rows;     /* in the order of time */
	size_t count, room;
	bool more;                      /* than are kept */
};

/* Those of the lane that went on at any moment from from_ns to to_ns.  */
void browse_rows_find(struct browse_rows *o, const struct lanes *l, const struct lane *lane, uint64_t from_ns, uint64_t to_ns);
void browse_rows_free(struct browse_rows *o);

#endif
