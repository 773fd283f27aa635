/* waits.c - waits become cells: a thread, a bucket of time, what was waited for, how long and how often.
 *
 * Neither the length of the run nor the number of its waits is known before they have been seen, and there may be millions of
 * them.  So the buckets begin short, and become twice as long whenever the run has outgrown them, or there are too many cells.
 * A wait that fills buckets is one cell for all of them.  */
#include "waits.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "shim/shim.h"

enum {
	FIRST_BUCKET_NS = 1024,
	CELLS_MAX = 1 << 20,
	LOOK_BACK = 4,                  /* cells in which an equal one is looked for before another is made */
};

static bool is_same(const struct waits_cell *a, const struct waits_cell *b)
{
	return a->from == b->from && a->to == b->to && a->from == a->to && a->fd == b->fd && a->direction == b->direction &&
	       a->polled == b->polled;
}

static int by_bucket(const void *a, const void *b)
{
	const struct waits_cell *x = a, *y = b;

	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->fd != y->fd)
		return x->fd < y->fd ? -1 : 1;
	if (x->direction != y->direction)
		return x->direction < y->direction ? -1 : 1;
	return x->polled - y->polled;
}

static void merge(struct waits_cell *into, const struct waits_cell *c)
{
	into->ns += c->ns;
	into->ended += c->ended;
}

/* Puts a line in order, equal cells together.  */
static void compact(struct waits *w, struct waits_line *l)
{
	size_t n = 0;

	if (!l->count)
		return;
	qsort(l->cells, l->count, sizeof *l->cells, by_bucket);
	for (size_t i = 1; i < l->count; i++) {
		if (is_same(&l->cells[n], &l->cells[i]))
			merge(&l->cells[n], &l->cells[i]);
		else
			l->cells[++n] = l->cells[i];
	}
	w->cell_count -= l->count - (n + 1);
	l->count = n + 1;
}

/* Makes room in a full line: by compaction, if that makes enough of it.  */
static void widen(struct waits *w, struct waits_line *l)
{
	compact(w, l);
	if (l->count < l->room / 2)
		return;
	l->room = l->room ? l->room * 2 : 16;
	l->cells = must_have(realloc(l->cells, l->room * sizeof *l->cells));
}

static void append(struct waits *w, struct waits_line *l, struct waits_cell c)
{
	for (size_t i = l->count; i > 0 && i + LOOK_BACK > l->count; i--)
		if (is_same(&l->cells[i - 1], &c)) {
			merge(&l->cells[i - 1], &c);
			return;
		}
	if (l->count == l->room)
		widen(w, l);
	l->cells[l->count++] = c;
	w->cell_count++;
}

/* A cell when buckets become twice as long: what fills an odd bucket at either side becomes half a bucket.  */
static void double_cell(struct waits *w, struct waits_line *l, struct waits_cell c)
{
	struct waits_cell half = c;

	if (c.from == c.to) {
		c.from = c.to /= 2;
		append(w, l, c);
		return;
	}
	if (c.from % 2) {
		half.from = half.to = c.from++ / 2;
		append(w, l, half);
	}
	if (c.to % 2 == 0) {
		half.from = half.to = c.to-- / 2;
		append(w, l, half);
	}
	if (c.from > c.to)
		return;
	c.from /= 2;
	c.to /= 2;
	c.ns *= 2;
	append(w, l, c);
}

static void double_buckets(struct waits *w)
{
	w->bucket_ns *= 2;
	for (size_t i = 0; i < w->line_count; i++) {
		struct waits_line *l = &w->lines[i], old = *l;

		w->cell_count -= l->count;
		l->cells = NULL;
		l->count = l->room = 0;
		for (size_t k = 0; k < old.count; k++)
			double_cell(w, l, old.cells[k]);
		compact(w, l);
		free(old.cells);
	}
}

/* Longer buckets, until the cells are half as many as there may be; or, where that does not help, more of them.  */
static void make_room(struct waits *w)
{
	for (size_t i = 0; i < w->line_count; i++)
		compact(w, &w->lines[i]);
	while (w->cell_count > w->cell_limit / 2 && w->bucket_ns < w->end_ns)
		double_buckets(w);
	if (w->cell_count > w->cell_limit / 2)
		w->cell_limit = w->cell_count * 2;
}

static void reach(struct waits *w, uint64_t end_ns)
{
	if (end_ns > w->end_ns)
		w->end_ns = end_ns;
	while (w->end_ns / w->bucket_ns >= WAITS_BUCKETS)
		double_buckets(w);
}

/* A process is visited as a whole before the next.  */
static struct waits_line *find_line(struct waits *w, const struct model_process *process, uint32_t tid)
{
	size_t low, high = w->line_count;

	if (w->line_count && w->lines[w->latest].process == process && w->lines[w->latest].tid == tid)
		return &w->lines[w->latest];
	if (!w->line_count || w->lines[w->line_count - 1].process != process)
		w->process_first = w->line_count;
	low = w->process_first;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (w->lines[middle].tid < tid)
			low = middle + 1;
		else
			high = middle;
	}
	w->latest = low;
	if (low < w->line_count && w->lines[low].tid == tid)
		return &w->lines[low];
	if (w->line_count == w->line_room) {
		w->line_room = w->line_room ? w->line_room * 2 : 64;
		w->lines = must_have(realloc(w->lines, w->line_room * sizeof *w->lines));
	}
	memmove(&w->lines[low + 1], &w->lines[low], (w->line_count++ - low) * sizeof *w->lines);
	w->lines[low] = (struct waits_line){.process = process, .tid = tid};
	return &w->lines[low];
}

/* The buckets that it fills are one cell; its ends are one each.  */
static void add_wait(struct waits *w, struct waits_line *l, struct waits_cell c, uint64_t start_ns, uint64_t end_ns)
{
	uint64_t first = start_ns / w->bucket_ns, last = (end_ns - 1) / w->bucket_ns;

	if (first < last) {
		c.from = c.to = (uint16_t)first;
		c.ns = (first + 1) * w->bucket_ns - start_ns;
		append(w, l, c);
		start_ns = last * w->bucket_ns;
	}
	if (first + 1 < last) {
		c.from = (uint16_t)(first + 1);
		c.to = (uint16_t)(last - 1);
		c.ns = w->bucket_ns;
		append(w, l, c);
	}
	c.from = c.to = (uint16_t)last;
	c.ns = end_ns - start_ns;
	c.ended = 1;
	append(w, l, c);
}

static void see(struct waits *w, const struct model_process *p, uint32_t tid, struct waits_cell c, uint64_t start_ns,
		uint64_t end_ns, bool left)
{
	struct waits_line *l;

	if (end_ns < start_ns || end_ns > UINT64_MAX / 4)
		return;
	reach(w, end_ns);
	l = find_line(w, p, tid);
	if (left) {
		l->left = c;
		l->left_ns = start_ns;
	}
	if (end_ns > l->end_ns)
		l->end_ns = end_ns;
	if (end_ns > start_ns)
		add_wait(w, l, c, start_ns, end_ns);
	if (w->cell_count > w->cell_limit)
		make_room(w);
}

static void see_wait(const struct model_wait *wait, void *waits)
{
	struct waits_cell c = {.direction = (uint8_t)wait->direction, .polled = wait->polled, .fd = WAITS_NO_FD};

	/* Of locks the record says more, where there is one. */
	if (wait->direction == DIRECTION_LOCK && wait->call != CALL_none)
		c.direction = WAITS_OTHERS;
	else if (wait->direction == DIRECTION_LOCK && !wait->left)
		return;
	else if (wait->direction == DIRECTION_LOCK)
		c = find_line(waits, wait->process, wait->tid)->lock;
	if (wait->fd < WAITS_NO_FD)
		c.fd = (uint32_t)wait->fd;
	see(waits, wait->process, wait->tid, c, wait->start_ns, wait->end_ns, wait->left);
}

static uint8_t lock_direction(unsigned lock)
{
	if (lock <= TRACE_LOCK_WRITE_CLOCK || lock == TRACE_LOCK_MTX || lock == TRACE_LOCK_MTX_TIMED)
		return DIRECTION_LOCK;
	return lock >= TRACE_LOCK_SEMOP && lock <= TRACE_LOCK_MSGSND ? WAITS_OTHERS : WAITS_SIGN;
}

/* Files come and go: which of them it was is not kept.  */
static void see_record(const struct trace_record *r, const struct reader_place *place, const struct model_process *p, size_t fd,
		       void *waits)
{
	struct waits *w = waits;
	unsigned kind = fd < p->fd_count ? p->fds[fd].kind : KIND_unknown;
	struct waits_cell c = {.direction = WAITS_FILE, .fd = WAITS_NO_FD};
	uint64_t start_ns = reader_ns(w->trace, r->t);

	if (r->kind == TRACE_LOCK) {
		c.direction = lock_direction(r->way);
		c.fd = r->fd > 0 ? (uint32_t)r->fd : WAITS_NO_FD;
		if (!r->duration)
			find_line(w, p, place->tid)->lock = c;
	} else if (r->kind != TRACE_CALL || model_call_direction(r->call) == DIRECTION_LOCK || (kind != KIND_file && kind != KIND_block)) {
		return;
	}
	see(w, p, place->tid, c, start_ns, start_ns + reader_duration(w->trace, r->duration), false);
}

struct model *waits_collect(struct waits *w, const struct trace *t)
{
	struct model *m;

	*w = (struct waits){.trace = t, .bucket_ns = FIRST_BUCKET_NS, .cell_limit = CELLS_MAX};
	m = model_build_seen(t, see_wait, see_record, w);
	/* In a trace that makes no sense a process may begin after its end. */
	for (size_t i = 0; i < m->process_count; i++) {
		reach(w, m->processes[i].start_ns);
		reach(w, m->processes[i].end_ns);
	}
	for (size_t i = 0; i < w->line_count; i++)
		compact(w, &w->lines[i]);
	return m;
}

void waits_free(struct waits *w)
{
	for (size_t i = 0; i < w->line_count; i++)
		free(w->lines[i].cells);
	free(w->lines);
}
