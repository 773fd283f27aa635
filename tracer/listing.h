/* listing.h - what a thread did, or what was done with an fd, in a stretch of time: each call by itself, in a list on the terminal.  */
#ifndef EAGAIN_LISTING_H
#define EAGAIN_LISTING_H

#include "lanes.h"

struct listed {
	size_t process, fd;             /* indices into the model's, and into the process's, or MODEL_NO_FD */
	uint32_t op;                    /* 0: it did not have to wait, or was a plain call */
	unsigned call;
	const char *lock;               /* or which function waited for the lock at `address`, which the tid `result` held, or -1 */
	uint64_t address;
	bool returned, polled;          /* polled: a poll, which the lane's fd ended */
	int64_t result;
	uint64_t start_ns, end_ns;
};

struct listing {
	const struct model *model;
	struct listed *calls;           /* in the order of time */
	size_t count, room;
	bool more;                      /* than are kept */
};

/* Those of the lane that went on at any moment from from_ns to to_ns.  */
void listing_find(struct listing *l, const struct lanes *lanes, const struct lane *lane, uint64_t from_ns, uint64_t to_ns);
void listing_free(struct listing *l);

/* Of the operations that had to wait, the one that took longest; 0: none.  */
uint32_t listing_longest(const struct listing *l);

/* Shows the list until it is left; `draw` draws an operation, and is false where the terminal is gone, as this is then.  */
bool listing_show(const struct listing *l, const char *title, bool (*draw)(uint32_t op, void *arg), void *arg);

#endif
