/* path.c - the walk along the critical path.
 *
 * It starts at the end of the run and goes backward.  It stays with a thread while that does something itself; where the thread
 * had waited for another, it goes on with that one, at the same time; at a beginning, with whoever made it.  So speeding up what
 * is not on it gains nothing.  In a bucket only sums are known: a thread that did something itself for 60 us and ended 6 waits
 * is left after 10 us, and for whom, goes by how many of the waits were for each, in an even order without chance.  That is exact
 * for a wait longer than a bucket, and right on the average for thousands of short ones.  */
#include "path.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"

enum {
	JUMPS_MAX = 4096,               /* in one bucket: what was found until then stands for the rest */
	STUCK = 8,                      /* jumps from wait to wait, with nobody who does anything */
};

#define GOLDEN 0.6180339887498949       /* its multiples, without what is before the point, are spread evenly */
#define HARDLY_RUNS 0.25                /* of the time that a thread seems to run: it waits unseen, most of the time */

/* What a thread did in the bucket in hand.  */
struct visit {
	size_t thread;
	struct graph_moment moment;
	double turn;                    /* 0 to 1: where in its options the next is taken */
};

struct walk {
	const struct graph *g;
	struct path *path;
	size_t thread;
	uint64_t t, floor;              /* now; and the beginning of the bucket */
	size_t bucket;
	struct visit *visits;           /* of this bucket */
	size_t visit_count, visit_room;
	size_t *visit_of;               /* by thread: index + 1 in visits */
	size_t *came_from;              /* by unit: the thread that was left for it last, + 1 */
	struct crowd {
		size_t bucket;          /* + 1; 0: none yet */
		double run_ns;          /* all threads together were so long on a CPU in it */
	} *crowds;                      /* by image */
	struct graph_moment scratch;
	size_t recent[STUCK];           /* threads */
	unsigned stuck, jumps;
	size_t first_step;              /* of this bucket */
	bool done;
};

uint64_t path_sum(const uint64_t ns[ACTIVITY_COUNT])
{
	uint64_t sum = 0;

	for (size_t a = 0; a < ACTIVITY_COUNT; a++)
		sum += ns[a];
	return sum;
}

static struct path_step *find_step(struct walk *w, size_t image)
{
	struct path *p = w->path;

	for (size_t i = p->step_count; i > w->first_step; i--)
		if (p->steps[i - 1].image == image)
			return &p->steps[i - 1];
	if (p->step_count == p->step_room) {
		p->step_room = p->step_room ? p->step_room * 2 : 1024;
		p->steps = must_have(realloc(p->steps, p->step_room * sizeof *p->steps));
	}
	p->steps[p->step_count] = (struct path_step){.bucket = (uint32_t)w->bucket, .image = (uint32_t)image};
	return &p->steps[p->step_count++];
}

/* The majority vote of Boyer and Moore: what more than half of the time was for, if there is such.  */
static void vote(struct path_share *s, const struct model_fd *f, uint64_t ns)
{
	if (s->outside == f) {
		s->outside_ns += ns;
	} else if (s->outside_ns > ns) {
		s->outside_ns -= ns;
	} else {
		s->outside = f;
		s->outside_ns = ns - s->outside_ns;
	}
}

static void charge(struct walk *w, size_t image, enum activity a, const struct model_fd *outside, uint64_t ns)
{
	find_step(w, image)->ns[a] += ns;
	if (a == ACTIVITY_OUTSIDE && ns)
		vote(&w->path->shares[image], outside, ns);
}

/* How much of a time off the CPU other threads of the image had it.  */
static double crowded(struct walk *w, size_t image, double off_ns)
{
	const struct graph_image *i = &w->g->images[image];
	struct crowd *c = &w->crowds[image];

	if (i->thread_count <= 1 || off_ns <= 0)
		return 0;
	if (c->bucket != w->bucket + 1) {
		*c = (struct crowd){w->bucket + 1, 0};
		for (size_t k = i->first_thread; k < i->first_thread + i->thread_count; k++) {
			graph_look(w->g, k, w->bucket, &w->scratch);
			c->run_ns += w->scratch.own[ACTIVITY_RUN];
		}
	}
	return graph_crowded(off_ns, c->run_ns, (double)w->g->bucket_ns);
}

/* The path stays with what the thread does itself, for so long.  */
static void stay(struct walk *w, size_t thread, const struct graph_moment *m, uint64_t ns)
{
	size_t image = w->g->threads[thread].image, most = ACTIVITY_RUN;
	double own[ACTIVITY_COUNT], crowd = crowded(w, image, m->own[ACTIVITY_OFF]);
	uint64_t left = ns;

	memcpy(own, m->own, sizeof own);
	own[ACTIVITY_OFF] -= crowd;
	own[ACTIVITY_RUN] += crowd;
	for (size_t a = 0; a < ACTIVITY_COUNT; a++)
		if (own[a] > own[most])
			most = a;
	for (size_t a = 0; a < ACTIVITY_COUNT; a++) {
		uint64_t part = a == most || m->own_ns <= 0 ? 0 : (uint64_t)((double)ns * own[a] / m->own_ns);

		if (part > left)
			part = left;
		left -= part;
		if (part)
			charge(w, image, (enum activity)a, m->outside, part);
	}
	charge(w, image, (enum activity)most, m->outside, left);
	w->t -= ns;
	if (ns)
		w->stuck = 0;
}

static struct visit *look(struct walk *w, size_t thread)
{
	size_t index = w->visit_of[thread];

	if (index)
		return &w->visits[index - 1];
	if (w->visit_count == w->visit_room) {
		size_t room = w->visit_room ? w->visit_room * 2 : 16;

		w->visits = must_have(realloc(w->visits, room * sizeof *w->visits));
		memset(w->visits + w->visit_room, 0, (room - w->visit_room) * sizeof *w->visits);
		w->visit_room = room;
	}
	w->visits[w->visit_count].thread = thread;
	w->visits[w->visit_count].turn = 0;
	graph_look(w->g, thread, w->bucket, &w->visits[w->visit_count].moment);
	w->visit_of[thread] = ++w->visit_count;
	return &w->visits[w->visit_count - 1];
}

static double busy(struct walk *w, size_t thread)
{
	return graph_busy(w->g, thread, &look(w, thread)->moment);
}

/* The thread of the image, but for one, that did most itself; GRAPH_NONE if none did anything.  */
static size_t busiest(struct walk *w, size_t image, size_t except)
{
	const struct graph_image *i = &w->g->images[image];
	size_t found = GRAPH_NONE;
	double most = 0;

	for (size_t k = i->first_thread; k < i->first_thread + i->thread_count; k++)
		if (k != except && busy(w, k) > most) {
			most = busy(w, k);
			found = k;
		}
	return found;
}

static void go(struct walk *w, size_t thread)
{
	w->recent[w->stuck++ % STUCK] = w->thread;
	w->jumps++;
	w->thread = thread;
}

/* The thread that serves an fd of the image: the one that waits for it, or else the busiest.  */
static size_t server(struct walk *w, size_t image, const struct model_fd *fd)
{
	const struct graph_image *i = &w->g->images[image];
	uint32_t waiter = fd ? i->waiters[fd - i->process->fds] : 0;
	size_t thread = waiter ? i->first_thread + waiter - 1 : GRAPH_NONE;

	if (i->thread_count == 1)
		return i->first_thread;
	if (thread == GRAPH_NONE)
		thread = busiest(w, image, GRAPH_NONE);
	return thread == GRAPH_NONE ? graph_main_thread(w->g, image) : thread;
}

/* To the parent, or the program before.  */
static void go_before(struct walk *w)
{
	const struct graph_thread *t = &w->g->threads[w->thread];
	const struct graph_image *i = &w->g->images[t->image];
	size_t parent = w->g->units[i->unit].parent;

	if (w->thread != graph_main_thread(w->g, t->image) && i->start_ns < t->start_ns)
		go(w, graph_main_thread(w->g, t->image));
	else if (i->process->previous)
		go(w, graph_main_thread(w->g, (size_t)(i->process->previous - w->g->model->processes)));
	else if (parent != GRAPH_NONE)
		go(w, server(w, graph_image_at(w->g, parent, w->t), NULL));
	else
		w->done = true;
}

/* Where a wait of this kind leads now; GRAPH_NONE: nowhere.  */
static size_t follow(struct walk *w, const struct graph_option *o)
{
	const struct graph *g = w->g;
	size_t image = g->threads[w->thread].image, unit = g->images[image].unit, child;

	switch (o->target) {
	case TARGET_IMAGE:
		w->came_from[g->images[o->image].unit] = w->thread + 1;
		return server(w, o->image, o->end);
	case TARGET_HOLDER:
		return o->image != GRAPH_NONE && o->image != w->thread ? o->image : busiest(w, image, w->thread);
	case TARGET_THREADS:
		return busiest(w, image, w->thread);
	case TARGET_CHILDREN:
		child = graph_child_at(g, unit, w->t);
		return child == GRAPH_NONE ? GRAPH_NONE : graph_main_thread(g, graph_image_at(g, child, w->t));
	case TARGET_CLIENTS:
		return w->came_from[unit] ? w->came_from[unit] - 1 : GRAPH_NONE;
	}
	return GRAPH_NONE;
}

static const struct graph_option *choose(struct visit *v)
{
	const struct graph_moment *m = &v->moment;
	double at, sum = 0;
	size_t i = 0;

	v->turn += GOLDEN;
	v->turn -= v->turn >= 1;
	at = v->turn * (m->ended > 0 ? m->ended : m->wait_ns);
	for (; i + 1 < m->count; i++) {
		sum += m->ended > 0 ? m->options[i].ended : m->options[i].ns;
		if (sum > at)
			break;
	}
	return &m->options[i];
}

/* A wait has led nowhere: it is what the thread did, for as long as such a wait takes.  */
static void wait_alone(struct walk *w, const struct graph_option *o, uint64_t floor)
{
	static const enum activity activities[] = {
		[TARGET_IMAGE] = ACTIVITY_OUTSIDE, [TARGET_THREADS] = ACTIVITY_LOCK, [TARGET_HOLDER] = ACTIVITY_LOCK,
		[TARGET_CHILDREN] = ACTIVITY_CHILD,
		[TARGET_CLIENTS] = ACTIVITY_CLIENT,
	};
	enum activity a = o->end && o->target == TARGET_THREADS ? ACTIVITY_OUTSIDE : activities[o->target];
	uint64_t ns = o->ended > 0 ? (uint64_t)(o->ns / o->ended) : w->t - floor;

	if (ns > w->t - floor)
		ns = w->t - floor;
	charge(w, w->g->threads[w->thread].image, a, o->end, ns);
	w->t -= ns;
	if (ns)
		w->stuck = 0;
	w->jumps++;
}

/* Whether one of those that were seen last is in a wait that has no end in the trace.  */
static bool is_for_good(const struct walk *w)
{
	for (size_t i = 0; i < STUCK; i++) {
		const struct graph_thread *t = &w->g->threads[w->recent[i]];

		if (t->left && w->t > t->left_ns)
			return true;
	}
	return false;
}

/* Nobody does anything but wait for another: then it was whoever of them had something to do in this bucket, or a thread at its
 * side; or what they wait for is under way; or they wait for each other.  */
static void settle(struct walk *w, uint64_t floor)
{
	double most = 0;
	size_t best = GRAPH_NONE;

	for (size_t i = 0; i < STUCK; i++) {
		size_t thread = w->recent[i], other = busiest(w, w->g->threads[thread].image, GRAPH_NONE);

		if (other != GRAPH_NONE && busy(w, other) > most) {
			most = busy(w, other);
			best = other;
		}
	}
	for (size_t i = 0; i < STUCK && best == GRAPH_NONE; i++)
		if (look(w, w->recent[i])->moment.own_ns > most) {
			most = look(w, w->recent[i])->moment.own_ns;
			best = w->recent[i];
		}
	if (best != GRAPH_NONE) {
		const struct graph_moment m = look(w, best)->moment;

		w->thread = best;
		stay(w, best, &m, w->t - floor);
		return;
	}
	charge(w, w->g->threads[w->thread].image, is_for_good(w) ? ACTIVITY_MUTUAL : ACTIVITY_WAKE, NULL, w->t - floor);
	w->t = floor;
	w->stuck = 0;
}

/* A thread that seems to run and has hardly used a CPU waits for something that is not seen: another thread, or a child.  */
static size_t unseen(struct walk *w, const struct graph_moment *m)
{
	const struct graph *g = w->g;
	const struct graph_thread *t = &g->threads[w->thread];
	size_t child;

	if (t->cpu >= GRAPH_HARDLY_RUNS || m->own[ACTIVITY_OFF] < m->own_ns / 2 || w->stuck)
		return GRAPH_NONE;
	if (g->images[t->image].thread_count > 1)
		return busiest(w, t->image, w->thread);
	child = graph_child_at(g, g->images[t->image].unit, w->t);
	if (child == GRAPH_NONE || g->units[child].told_ns + g->bucket_ns < w->t)
		return GRAPH_NONE;
	return graph_main_thread(g, graph_image_at(g, child, w->t));
}

static void step(struct walk *w)
{
	const struct graph_thread *t = &w->g->threads[w->thread];
	uint64_t floor = t->start_ns > w->floor ? t->start_ns : w->floor, ns;
	struct visit *v;
	size_t other;

	if (w->t <= t->start_ns) {
		go_before(w);
		return;
	}
	if (w->stuck >= STUCK) {
		settle(w, w->floor);
		return;
	}
	v = look(w, w->thread);
	if (w->t > t->end_ns) {
		/* It is over, and has not been noticed. */
		ns = w->t - (t->end_ns > floor ? t->end_ns : floor);
		charge(w, t->image, ACTIVITY_OFF, NULL, ns);
		w->t -= ns;
		w->stuck = 0;
		return;
	}
	other = unseen(w, &v->moment);
	if (other != GRAPH_NONE) {
		go(w, other);
		return;
	}
	v = look(w, w->thread);
	ns = w->t - floor;
	if (v->moment.ended > 0 && v->moment.own_ns / v->moment.ended < (double)ns)
		ns = (uint64_t)(v->moment.own_ns / v->moment.ended);
	else if (v->moment.ended <= 0 && v->moment.count && v->moment.own_ns < (double)w->g->bucket_ns / 100)
		ns = 0;
	else if (v->moment.ended <= 0 && v->moment.count && v->moment.own_ns < (double)ns)
		ns = (uint64_t)v->moment.own_ns;
	stay(w, w->thread, &v->moment, ns);
	if (w->t > floor && v->moment.count) {
		const struct graph_option *o = choose(v);

		other = follow(w, o);
		if (other == GRAPH_NONE)
			wait_alone(w, o, floor);
		else
			go(w, other);
	}
}

/* What was found in part of a bucket stands for all of it.  */
static void stretch(struct walk *w, uint64_t from)
{
	struct path *p = w->path;
	double factor = from > w->t ? (double)(from - w->floor) / (double)(from - w->t) : 0;

	if (factor <= 0) {
		settle(w, w->floor);
		return;
	}
	for (size_t i = w->first_step; i < p->step_count; i++)
		for (size_t a = 0; a < ACTIVITY_COUNT; a++)
			p->steps[i].ns[a] = (uint64_t)((double)p->steps[i].ns[a] * factor);
	w->t = w->floor;
}

static void walk_bucket(struct walk *w)
{
	uint64_t from = w->t;

	w->bucket = (w->t - 1) / w->g->bucket_ns;
	w->floor = w->bucket * w->g->bucket_ns;
	w->jumps = 0;
	w->first_step = w->path->step_count;
	while (!w->done && w->t > w->floor) {
		if (w->jumps >= JUMPS_MAX)
			stretch(w, from);
		else
			step(w);
	}
	for (size_t i = 0; i < w->visit_count; i++)
		w->visit_of[w->visits[i].thread] = 0;
	w->visit_count = 0;
}

/* The process that the run was for is the first.  If it ended long before the others, what is waited for is the last to end.  */
static size_t find_end(const struct graph *g)
{
	size_t first = GRAPH_NONE, last = GRAPH_NONE;
	uint64_t start;

	for (size_t i = 0; i < g->unit_count; i++) {
		if (first == GRAPH_NONE || g->units[i].start_ns < g->units[first].start_ns)
			first = i;
		if (last == GRAPH_NONE || g->units[i].end_ns > g->units[last].end_ns)
			last = i;
	}
	if (first == GRAPH_NONE)
		return GRAPH_NONE;
	start = g->units[first].start_ns;
	return g->units[g->units[first].end_ns - start < (g->units[last].end_ns - start) / 2 ? last : first].last;
}

static void sum_shares(struct path *p)
{
	for (size_t i = 0; i < p->step_count; i++)
		for (size_t a = 0; a < ACTIVITY_COUNT; a++)
			p->shares[p->steps[i].image].ns[a] += p->steps[i].ns[a];
}

void path_find(struct path *p, const struct graph *g)
{
	struct walk w = {.g = g, .path = p};

	*p = (struct path){.end = find_end(g), .shares = must_have(calloc(g->image_count + 1, sizeof *p->shares))};
	if (p->end == GRAPH_NONE)
		return;
	w.visit_of = must_have(calloc(g->thread_count + 1, sizeof *w.visit_of));
	w.came_from = must_have(calloc(g->unit_count + 1, sizeof *w.came_from));
	w.crowds = must_have(calloc(g->image_count + 1, sizeof *w.crowds));
	w.thread = graph_main_thread(g, p->end);
	p->end_ns = w.t = g->images[p->end].end_ns;
	while (!w.done && w.t > 0)
		walk_bucket(&w);
	p->start_ns = w.t;
	sum_shares(p);
	for (size_t i = 0; i < w.visit_room; i++)
		free(w.visits[i].moment.options);
	free(w.scratch.options);
	free(w.crowds);
	free(w.visits);
	free(w.visit_of);
	free(w.came_from);
}

void path_free(struct path *p)
{
	free(p->shares);
	free(p->steps);
}
