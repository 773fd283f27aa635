/* ops.h - operations of a process that have not returned, while its records go by.  */
#ifndef EAGAIN_OPS_H
#define EAGAIN_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct open_op {
	uint32_t op;
	uint32_t next;                  /* with the same hash: its index + 1 */
	bool ready;                     /* there is a READY record since its last PARK */
	bool judged, passes;            /* whether it is shown (filter.c) */
	uint64_t enter;                 /* ticks */
};

struct open_ops {
	struct open_op *open;
	size_t count, room;
	uint32_t *slots;                /* by the hash of their numbers: the first's index + 1 */
	size_t victim;                  /* what has to go next where there are too many */
};

/* The operation's place, until another is found or removed; made where there is none yet, entered at `enter`.  */
struct open_op *ops_find(struct open_ops *ops, uint32_t op, uint64_t enter);

/* It has returned: its place is another's.  */
void ops_remove(struct open_ops *ops, struct open_op *op);

void ops_free(struct open_ops *ops);

#endif
