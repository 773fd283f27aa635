/* ops.c - a short list, searched from its end: few operations of a process wait at once.  */
#include "ops.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"

/* Beyond any number of threads that wait at once: those that siglongjmp has left.  */
enum { OPEN_MAX = 4096 };

struct open_op *ops_find(struct open_ops *ops, uint32_t op, uint64_t enter)
{
	for (size_t i = ops->count; i-- > 0;)
		if (ops->open[i].op == op)
			return &ops->open[i];
	if (ops->count >= OPEN_MAX)
		memmove(ops->open, ops->open + 1, --ops->count * sizeof *ops->open);
	if (ops->count == ops->room) {
		ops->room += 16;
		ops->open = must_have(realloc(ops->open, ops->room * sizeof *ops->open));
	}
	ops->open[ops->count] = (struct open_op){.op = op, .enter = enter};
	return &ops->open[ops->count++];
}

void ops_remove(struct open_ops *ops, struct open_op *op)
{
	*op = ops->open[--ops->count];
}

void ops_free(struct open_ops *ops)
{
	free(ops->open);
}
