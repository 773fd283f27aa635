/* fdtable.h - what is known of each fd of a process: an array of pointers, as long as its largest number needs.  */
#ifndef EAGAIN_FDTABLE_H
#define EAGAIN_FDTABLE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

enum { FDTABLE_MAX = 1 << 20 };

struct fdtable {
	void **slots;
	size_t room;
};

/* The fd's place, made where there is none yet; NULL for what can be no fd.  */
static inline void **fdtable_place(struct fdtable *t, int64_t fd)
{
	if (fd < 0 || fd >= FDTABLE_MAX)
		return NULL;
	if ((size_t)fd >= t->room) {
		size_t room = (size_t)fd * 2 + 8;
		/* Of a large one, calloc touches nothing: a number that somebody has made up takes no memory. */
		void **slots = must_have(calloc(room, sizeof(void *)));

		if (t->room)
			memcpy(slots, t->slots, t->room * sizeof(void *));
		free(t->slots);
		t->slots = slots;
		t->room = room;
	}
	return &t->slots[fd];
}

/* What is there, or NULL.  */
static inline void *fdtable_get(const struct fdtable *t, int64_t fd)
{
	return fd >= 0 && (uint64_t)fd < t->room ? t->slots[fd] : NULL;
}

#endif
