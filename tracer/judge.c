/* judge.c - from the critical path to a judgement.
 *
 * The bottleneck is the process that has most of the critical path, by itself or with the children that it waited for.  How bad
 * it is says the time in which it did something and others waited: of two that are equally slow, one may have all of the path,
 * and the other may hardly ever have waited.  Others are those that waited at its end of an fd; or at all, while nobody else was
 * busy.  Who is as busy as the bottleneck is another: several that wait for each other are balanced, several that do not, and are
 * waited for, are the bottleneck together.  */
#include "judge.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"

#define AS_BUSY 0.8             /* of the run: as busy as can be */
#define HELD 0.25               /* of the run: enough for a bottleneck that does not have most of the path by itself */

double judge_share(double part, uint64_t whole)
{
	return whole ? part / (double)whole : 0;
}

double judge_sum(const double ns[ACTIVITY_COUNT])
{
	double sum = 0;

	for (size_t a = 0; a < ACTIVITY_COUNT; a++)
		sum += ns[a];
	return sum;
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

static double most(double a, double b)
{
	return a > b ? a : b;
}

static int by_start(const void *a, const void *b, void *graph)
{
	const struct graph_unit *units = ((const struct graph *)graph)->units;
	uint64_t x = units[*(const size_t *)a].start_ns, y = units[*(const size_t *)b].start_ns;

	return x < y ? -1 : x > y;
}

static void sum_path(struct verdict *v)
{
	struct graph *g = &v->graph;

	for (size_t i = 0; i < g->image_count; i++)
		v->parts[g->images[i].unit].path_ns += path_sum(v->path.shares[i].ns);
	for (size_t i = 0; i < g->unit_count; i++)
		v->order[i] = i;
	qsort_r(v->order, g->unit_count, sizeof *v->order, by_start, g);
	for (size_t i = g->unit_count; i-- > 0;) {
		size_t u = v->order[i], parent = g->units[u].parent;

		v->parts[u].path_all_ns += v->parts[u].path_ns;
		if (parent != GRAPH_NONE)
			v->parts[parent].path_all_ns += v->parts[u].path_all_ns;
	}
}

/* From the beginning down to the process that has most of the path, it alone or with those below it.  */
static void find_top(struct verdict *v)
{
	v->top = GRAPH_NONE;
	for (size_t i = 0; i < v->graph.unit_count; i++) {
		size_t u = v->order[i];

		if (v->graph.units[u].parent == v->top && (double)v->parts[u].path_all_ns > JUDGE_MOST * (double)v->total_ns)
			v->top = u;
	}
	for (size_t u = v->top; u != GRAPH_NONE; u = v->graph.units[u].parent)
		v->parts[u].is_above = u != v->top;
}

bool judge_has_most(const struct verdict *v)
{
	return v->top != GRAPH_NONE && judge_share((double)v->parts[v->top].path_ns, v->total_ns) > JUDGE_MOST;
}

/* Those below a member are counted with it, unless it stands for itself alone.  */
static void mark_members(struct verdict *v)
{
	for (size_t i = 0; i < v->graph.unit_count; i++) {
		size_t u = v->order[i], parent = v->graph.units[u].parent;
		size_t with = parent == GRAPH_NONE ? 0 : v->parts[parent].member;
		bool alone = with && (v->parts[parent].is_above || (parent == v->top && judge_has_most(v)));

		v->parts[u].member = alone ? 0 : with;
		for (size_t k = 0; k < v->member_count; k++)
			if (v->members[k] == u)
				v->parts[u].member = k + 1;
	}
}

/* What is known of one bucket.  */
struct bucket {
	double own[ACTIVITY_COUNT], below[ACTIVITY_COUNT];      /* what members, and those below them, did themselves */
	double at_fd;                   /* another waited for a member, at an fd: who did longest */
	double at_all;                  /* waited for others in the trace, or for a client */
	double other_busy;              /* another was busy: who was longest */
	double locked;                  /* a thread of a member waited for a lock that another held: who did longest */
};

struct look {
	struct verdict *v;
	struct bucket *buckets;
	struct graph_moment moment;
};

/* For whom a thread of the unit waited.  */
static void see_waits(struct look *l, size_t unit, const struct graph_moment *m, struct bucket *b)
{
	struct part *parts = l->v->parts;
	double at_fd = 0, at_all = m->own[ACTIVITY_CLIENT], locked = 0;

	for (size_t i = 0; i < m->count; i++) {
		const struct graph_option *o = &m->options[i];
		size_t peer = o->target == TARGET_IMAGE ? l->v->graph.images[o->image].unit : GRAPH_NONE;

		locked += o->target == TARGET_HOLDER ? o->ns : 0;
		at_all += o->target == TARGET_THREADS || o->target == TARGET_HOLDER ? 0 : o->ns;
		if (peer == GRAPH_NONE)
			continue;
		parts[unit].connected = parts[peer].connected = true;
		at_fd += parts[peer].member ? o->shared_ns : 0;
		l->v->linked |= parts[unit].member && parts[peer].member && parts[unit].member != parts[peer].member;
	}
	if (parts[unit].member) {
		b->locked = most(locked, b->locked);
		return;
	}
	b->at_fd = most(at_fd, b->at_fd);
	b->at_all = most(at_all, b->at_all);
	parts[unit].waited_ns += at_all;
}

/* A thread that waits for whatever comes, seen or unseen, does so while others work.  */
static void forget_idleness(const struct graph_thread *t, struct graph_moment *m)
{
	m->own[ACTIVITY_CLIENT] = m->own[ACTIVITY_POLL] = m->own[ACTIVITY_LOCK] = 0;
	if (t->cpu < GRAPH_HARDLY_RUNS)
		m->own[ACTIVITY_OFF] = 0;
}

/* One program in one bucket: its threads side by side are no more than the bucket.  */
static void see_bucket(struct look *l, size_t image, size_t bucket)
{
	struct verdict *v = l->v;
	const struct graph_image *i = &v->graph.images[image];
	struct part *p = &v->parts[i->unit];
	struct bucket *b = &l->buckets[bucket];
	double own[ACTIVITY_COUNT] = {0}, own_ns = 0, busy_ns = 0, room = (double)v->graph.bucket_ns;

	for (size_t k = i->first_thread; k < i->first_thread + i->thread_count; k++) {
		graph_look(&v->graph, k, bucket, &l->moment);
		see_waits(l, i->unit, &l->moment, b);
		busy_ns += graph_busy(&v->graph, k, &l->moment) - l->moment.own[ACTIVITY_OUTSIDE];
		if (i->thread_count > 1)
			forget_idleness(&v->graph.threads[k], &l->moment);
		for (size_t a = 0; a < ACTIVITY_COUNT; a++) {
			own[a] += l->moment.own[a];
			own_ns += l->moment.own[a];
		}
	}
	if (i->thread_count > 1) {
		double crowded = graph_crowded(own[ACTIVITY_OFF], own[ACTIVITY_RUN], room);

		own[ACTIVITY_OFF] -= crowded;
		own_ns -= crowded;
	}
	busy_ns = least(busy_ns, room);
	p->busy_ns += busy_ns;
	for (size_t a = 0; p->member && a < ACTIVITY_COUNT; a++)
		(v->members[p->member - 1] == i->unit ? b->own : b->below)[a] += own_ns > room ? own[a] * room / own_ns : own[a];
	if (!p->member)
		b->other_busy = most(busy_ns, b->other_busy);
}

/* In this bucket members did something themselves, and others waited.  */
static void hold(struct verdict *v, const struct bucket *b)
{
	double room = (double)v->graph.bucket_ns, did = judge_sum(b->own) + judge_sum(b->below);
	double alone = least(room - b->other_busy, b->at_all), held = least(least(did, room), most(most(b->at_fd, alone), 0));

	v->locked_ns += b->locked;
	if (did <= 0)
		return;
	v->held_ns += held;
	v->held_at_fd_ns += least(least(did, room), b->at_fd);
	for (size_t a = 0; a < ACTIVITY_COUNT; a++) {
		v->did[a] += b->own[a] * held / did;
		v->did_below[a] += b->below[a] * held / did;
	}
}

static void find_waiter(struct verdict *v)
{
	size_t count = 0;

	v->waiter = GRAPH_NONE;
	for (size_t u = 0; u < v->graph.unit_count; u++)
		if (!v->parts[u].member && v->parts[u].waited_ns > v->held_ns / 4) {
			v->waiter = u;
			count++;
		}
	if (count != 1)
		v->waiter = GRAPH_NONE;
}

static void forget(struct verdict *v)
{
	v->held_ns = v->held_at_fd_ns = v->locked_ns = 0;
	v->linked = false;
	memset(v->did, 0, sizeof v->did);
	memset(v->did_below, 0, sizeof v->did_below);
	for (size_t u = 0; u < v->graph.unit_count; u++)
		v->parts[u].busy_ns = v->parts[u].busy_all_ns = v->parts[u].waited_ns = 0;
}

/* Who was busy, who waited, bucket by bucket, with a view to the members.  */
static void look_around(struct verdict *v)
{
	struct graph *g = &v->graph;
	size_t buckets = (size_t)((v->path.end_ns + g->bucket_ns - 1) / g->bucket_ns);
	struct look l = {.v = v, .buckets = must_have(calloc(buckets + 1, sizeof *l.buckets))};

	forget(v);
	mark_members(v);
	for (size_t i = 0; i < g->image_count; i++) {
		const struct graph_image *image = &g->images[i];

		for (size_t b = image->start_ns / g->bucket_ns; b < buckets && b * g->bucket_ns < image->end_ns; b++)
			see_bucket(&l, i, b);
	}
	for (size_t i = g->unit_count; i-- > 0;) {
		struct part *p = &v->parts[v->order[i]];
		size_t parent = g->units[v->order[i]].parent;

		p->busy_all_ns = least(p->busy_all_ns + p->busy_ns, (double)v->total_ns);
		if (parent != GRAPH_NONE)
			v->parts[parent].busy_all_ns += p->busy_all_ns;
	}
	for (size_t b = v->path.start_ns / g->bucket_ns; b < buckets; b++)
		hold(v, &l.buckets[b]);
	find_waiter(v);
	free(l.moment.options);
	free(l.buckets);
}

/* Who is as busy as can be, and works with others: one above the top by itself; with all below it, one that stands beside the
 * top or beside one above it, or below a top that has most of the path by itself.  */
static bool is_equal(const struct verdict *v, size_t unit)
{
	const struct part *p = &v->parts[unit];
	size_t parent = v->graph.units[unit].parent;
	bool beside = parent == GRAPH_NONE || parent == v->top || v->parts[parent].is_above;

	return p->connected && unit != v->top && (p->is_above || beside) &&
	       (p->is_above ? p->busy_ns : p->busy_all_ns) >= AS_BUSY * (double)v->total_ns;
}

/* The members become all that are as busy as the top; or, if that has only its children, of those.  False: there are no others.  */
static bool find_equals(struct verdict *v)
{
	size_t count = 0;

	for (size_t u = 0; u < v->graph.unit_count; u++)
		count += is_equal(v, u);
	if (!judge_has_most(v))
		v->member_count = 0;
	if (v->member_count + count < 2)
		return false;
	v->members = must_have(realloc(v->members, (v->member_count + count) * sizeof *v->members));
	for (size_t u = 0; u < v->graph.unit_count; u++)
		if (is_equal(v, u))
			v->members[v->member_count++] = u;
	return true;
}

/* Whether the top waited for others that waited for it: more than it did anything else.  */
static bool is_stuck(const struct verdict *v)
{
	uint64_t stuck = 0;

	for (size_t i = 0; i < v->graph.image_count; i++)
		if (v->graph.images[i].unit == v->top)
			stuck += v->path.shares[i].ns[ACTIVITY_MUTUAL];
	return v->top != GRAPH_NONE && stuck > v->parts[v->top].path_ns / 2;
}

static bool is_held_at_fd(const struct verdict *v)
{
	return judge_share(v->held_at_fd_ns, v->total_ns) > HELD;
}

static enum verdict_kind choose(struct verdict *v)
{
	v->members = must_have(calloc(1, sizeof *v->members));
	v->members[0] = v->top;
	v->member_count = v->top != GRAPH_NONE;
	look_around(v);
	if ((judge_has_most(v) || !is_held_at_fd(v)) && find_equals(v)) {
		look_around(v);
		return !v->linked && is_held_at_fd(v) ? VERDICT_BOTTLENECK : VERDICT_BALANCED;
	}
	if (judge_has_most(v))
		return judge_share(v->held_ns, v->total_ns) > JUDGE_HARDLY && !is_stuck(v) ? VERDICT_BOTTLENECK : VERDICT_ALONE;
	return v->member_count && is_held_at_fd(v) ? VERDICT_BOTTLENECK : VERDICT_SHARED;
}

void judge(struct verdict *v)
{
	v->total_ns = v->path.end_ns - v->path.start_ns;
	v->parts = must_have(calloc(v->graph.unit_count + 1, sizeof *v->parts));
	v->order = must_have(calloc(v->graph.unit_count + 1, sizeof *v->order));
	sum_path(v);
	find_top(v);
	v->kind = v->total_ns ? choose(v) : VERDICT_NOTHING;
}
