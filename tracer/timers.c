/* timers.c - a binary heap whose members know their place.  */
#include "timers.h"

#include <stdlib.h>

#include "say.h"

static void put(struct timers *t, size_t i, struct timer *timer)
{
	t->heap[i] = timer;
	timer->place = i + 1;
}

static void rise(struct timers *t, size_t i)
{
	struct timer *timer = t->heap[i];

	for (; i && timer->at < t->heap[(i - 1) / 2]->at; i = (i - 1) / 2)
		put(t, i, t->heap[(i - 1) / 2]);
	put(t, i, timer);
}

static void sink(struct timers *t, size_t i)
{
	struct timer *timer = t->heap[i];

	for (size_t child; (child = 2 * i + 1) < t->count; i = child) {
		if (child + 1 < t->count && t->heap[child + 1]->at < t->heap[child]->at)
			child++;
		if (t->heap[child]->at >= timer->at)
			break;
		put(t, i, t->heap[child]);
	}
	put(t, i, timer);
}

void timers_set(struct timers *t, struct timer *timer, uint64_t at)
{
	timer->at = at;
	if (!timer->place) {
		if (t->count == t->room) {
			t->room = t->room ? t->room * 2 : 16;
			t->heap = must_have(realloc(t->heap, t->room * sizeof(struct timer *)));
		}
		put(t, t->count++, timer);
	}
	rise(t, timer->place - 1);
	sink(t, timer->place - 1);
}

void timers_clear(struct timers *t, struct timer *timer)
{
	size_t i = timer->place;
	struct timer *last;

	if (!i)
		return;
	timer->place = 0;
	last = t->heap[--t->count];
	if (last == timer)
		return;
	put(t, i - 1, last);
	rise(t, i - 1);
	sink(t, last->place - 1);
}
