/* export_lanes.c - from processes and threads to lanes.  */
#include "export_lanes.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"

static const struct model_process *first_program(const struct model_process *process)
{
	while (process->previous)
		process = process->previous;
	return process;
}

/* The thread's lane; of a main thread, that of the program before.  Processes of one pid stand in the model by their start.  */
static size_t add_thread(struct export_lanes *l, const struct model_process *process, const struct model_thread *t)
{
	const struct model_process *before = t->tid == process->pid ? process->previous : NULL;
	size_t at = before ? export_lanes_find(l, (size_t)(before - l->model->processes), t->tid) : EXPORT_LANES_NONE;
	struct export_lane *lane = &l->lane[at == EXPORT_LANES_NONE ? l->count : at];
	uint64_t cpu_ns;

	if (at == EXPORT_LANES_NONE)
		*lane = (struct export_lane){
			.first = before ? first_program(process) : process, .tid = t->tid, .id = l->count++,
			.start_ns = t->tid == process->pid ? process->start_ns : t->start_ns,
		};
	lane->last = process;
	lane->name = t->name;
	lane->end_ns = t->tid == process->pid ? process->end_ns : t->end_ns;
	for (size_t d = 0; d < DIRECTION_COUNT; d++) {
		lane->wait_ns[d] += t->wait_ns[d];
		lane->waited_ns += t->wait_ns[d];
	}
	cpu_ns = process->thread_count == 1 ? process->cpu_ns : t->cpu_ns;
	lane->cpu_ns = cpu_ns == MODEL_UNKNOWN || lane->cpu_ns == MODEL_UNKNOWN ? MODEL_UNKNOWN : lane->cpu_ns + cpu_ns;
	lane->waiting = t->waiting;
	return lane->id;
}

static int by_wait(const void *a, const void *b)
{
	const struct export_lane *x = a, *y = b;

	if (x->waited_ns != y->waited_ns)
		return x->waited_ns > y->waited_ns ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int by_start(const void *a, const void *b)
{
	const struct export_lane *x = a, *y = b;

	if (x->first->start_ns != y->first->start_ns)
		return x->first->start_ns < y->first->start_ns ? -1 : 1;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	if ((x->tid == x->first->pid) != (y->tid == y->first->pid))
		return x->tid == x->first->pid ? -1 : 1;
	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void put_in_order(struct export_lanes *l, size_t most)
{
	size_t all = l->count, *index = must_have(malloc((all + 1) * sizeof *index));

	for (size_t i = 0; i < all; i++)
		index[i] = EXPORT_LANES_NONE;
	if (l->count > most) {
		qsort(l->lane, l->count, sizeof *l->lane, by_wait);
		l->left_out = l->count - most;
		l->count = most;
	}
	if (l->count)
		qsort(l->lane, l->count, sizeof *l->lane, by_start);
	for (size_t i = 0; i < l->count; i++)
		index[l->lane[i].id] = i;
	for (size_t i = 0; i < l->model->process_count; i++)
		for (size_t k = 0; k < l->model->processes[i].thread_count; k++)
			l->of[i][k] = index[l->of[i][k]];
	free(index);
}

struct export_lanes *export_lanes_make(const struct model *m, size_t most)
{
	struct export_lanes *l = must_have(calloc(1, sizeof *l));
	size_t threads = 0;

	for (size_t i = 0; i < m->process_count; i++)
		threads += m->processes[i].thread_count;
	l->model = m;
	l->lane = must_have(calloc(threads + 1, sizeof *l->lane));
	l->of = must_have(calloc(m->process_count + 1, sizeof *l->of));
	for (size_t i = 0; i < m->process_count; i++) {
		const struct model_process *p = &m->processes[i];

		l->of[i] = must_have(calloc(p->thread_count + 1, sizeof **l->of));
		for (size_t k = 0; k < p->thread_count; k++)
			l->of[i][k] = add_thread(l, p, &p->threads[k]);
	}
	put_in_order(l, most);
	return l;
}

void export_lanes_free(struct export_lanes *l)
{
	for (size_t i = 0; i < l->model->process_count; i++)
		free(l->of[i]);
	free(l->of);
	free(l->lane);
	free(l);
}

size_t export_lanes_find(const struct export_lanes *l, size_t process, uint32_t tid)
{
	const struct model_process *p = &l->model->processes[process];
	size_t low = 0, high = p->thread_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (p->threads[middle].tid < tid)
			low = middle + 1;
		else
			high = middle;
	}
	/* The last is all later ones, too. */
	if (p->thread_count == MODEL_THREADS_MAX && (low == p->thread_count || p->threads[low].tid != tid))
		low = p->thread_count - 1;
	return low < p->thread_count && l->of[process] && (p->threads[low].tid == tid || p->thread_count == MODEL_THREADS_MAX) ?
		       l->of[process][low] : EXPORT_LANES_NONE;
}

bool export_lanes_is_thread(const struct export_lanes *l, size_t lane)
{
	return lane && l->lane[lane].first == l->lane[lane - 1].first && l->lane[lane].last == l->lane[lane - 1].last;
}
