/* ops.c - a short list, for few operations of a process wait at once; and a table for where they are more.  */
#include "ops.h"

#include <stdlib.h>

#include "hash.h"
#include "say.h"

/* Beyond any number of threads that wait at once: those that siglongjmp has left.  */
enum { OPEN_MAX = 4096, SLOTS = 1024 };

static uint32_t *slot_of(const struct open_ops *ops, uint32_t op)
{
	return &ops->slots[hash_number(op) % SLOTS];
}

/* What says that it is there: the slot, or the one before it.  */
static uint32_t *link_to(struct open_ops *ops, const struct open_op *op)
{
	uint32_t *at = slot_of(ops, op->op);

	while (&ops->open[*at - 1] != op)
		at = &ops->open[*at - 1].next;
	return at;
}

static void make_room(struct open_ops *ops)
{
	if (!ops->slots)
		ops->slots = must_have(calloc(SLOTS, sizeof *ops->slots));
	if (ops->count >= OPEN_MAX)
		ops_remove(ops, &ops->open[ops->victim++ % OPEN_MAX]);
	if (ops->count == ops->room) {
		ops->room += 16;
		ops->open = must_have(realloc(ops->open, ops->room * sizeof *ops->open));
	}
}

struct open_op *ops_find(struct open_ops *ops, uint32_t op, uint64_t enter)
{
	uint32_t *slot;

	if (ops->count)
		for (uint32_t i = *slot_of(ops, op); i; i = ops->open[i - 1].next)
			if (ops->open[i - 1].op == op)
				return &ops->open[i - 1];
	make_room(ops);
	slot = slot_of(ops, op);
	ops->open[ops->count] = (struct open_op){.op = op, .next = *slot, .enter = enter};
	*slot = (uint32_t)++ops->count;
	return &ops->open[ops->count - 1];
}

void ops_remove(struct open_ops *ops, struct open_op *op)
{
	struct open_op *last = &ops->open[ops->count - 1];

	*link_to(ops, op) = op->next;
	if (op != last) {
		*link_to(ops, last) = (uint32_t)(op - ops->open) + 1;
		*op = *last;
	}
	ops->count--;
}

void ops_free(struct open_ops *ops)
{
	free(ops->open);
	free(ops->slots);
}
