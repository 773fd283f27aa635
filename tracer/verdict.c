/* verdict.c - the judgement in words, as the critical path, and for programs.  */
#include "verdict.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "color.h"
#include "jsontext.h"
#include "judge.h"
#include "report.h"
#include "say.h"
#include "screen.h"
#include "shim/shim.h"

enum {
	NAME_WIDTH = 30,
	COMMAND_WIDTH = 44,             /* in a table */
	PARTS_SHOWN = 3,
	ROWS_SHOWN = 40,
	PROCESSES_SHOWN = 20,
};

#define LOCKED 0.2              /* of the run: enough to be told of waits for locks */

static const struct {
	const char *key, *before, *after, *alone;
} activities[] = {
#define X(id, key, before, after, alone) {key, before, after, alone},
	ACTIVITIES(X)
#undef X
};

static const char *const kind_words[] = {
#define X(id, word) word,
	VERDICTS(X)
#undef X
};

struct model *verdict_build(const struct trace *t, struct verdict **verdict)
{
	struct verdict *v = must_have(calloc(1, sizeof *v));
	struct model *m = waits_collect(&v->waits, t);

	graph_build(&v->graph, m, &v->waits);
	path_find(&v->path, &v->graph);
	judge(v);
	*verdict = v;
	return m;
}

/* The program of the unit that had most of the path; or, where that is nothing worth a word, that lived longest.  */
static size_t main_image(const struct verdict *v, size_t unit)
{
	const struct graph_image *images = v->graph.images;
	bool on_path = judge_share((double)v->parts[unit].path_ns, v->total_ns) > JUDGE_HARDLY;
	size_t best = v->graph.units[unit].last;
	uint64_t most = 0;

	for (const struct model_process *p = images[best].process; p; p = p->previous) {
		size_t i = (size_t)(p - v->graph.model->processes);
		uint64_t ns = on_path ? path_sum(v->path.shares[i].ns) : images[i].end_ns - images[i].start_ns;

		if (ns > most) {
			most = ns;
			best = i;
		}
	}
	return best;
}

static const char *command(const struct verdict *v, size_t image)
{
	return model_short_command(v->graph.images[image].process);
}

static void print_name(const struct verdict *v, size_t unit, FILE *to)
{
	report_command(v->graph.images[main_image(v, unit)].process, NAME_WIDTH, to);
}

static bool has_other_end(unsigned kind)
{
	return kind == KIND_pipe || kind == KIND_fifo || kind == KIND_stream || kind == KIND_dgram || kind == KIND_seqpacket;
}

/* "to read from /tmp/fifo": of what most of its waiting was for.  */
static bool print_outside(const struct path_share *s, FILE *to)
{
	const struct model_fd *f = s->outside;
	const char *verb = "to read from";

	if (!f || s->outside_ns < s->ns[ACTIVITY_OUTSIDE] / 4)
		return false;
	if (f->wait_ns[DIRECTION_POLL] > f->wait_ns[DIRECTION_READ] + f->wait_ns[DIRECTION_WRITE])
		verb = "in poll for";
	else if (f->wait_ns[DIRECTION_WRITE] > f->wait_ns[DIRECTION_READ])
		verb = "to write to";
	fprintf(to, " %s %s%s%s%s", verb, color(COLOR_NAME), f->name ? f->name : "an fd", color(COLOR_END),
		has_other_end(f->kind) ? ", whose other end the trace does not show" : "");
	return true;
}

static void print_doing(const struct verdict *v, size_t unit, enum activity d, double ns, FILE *to)
{
	char text[16];

	fprintf(to, "%s%s%s%s", activities[d].before, color(COLOR_WAIT), duration((uint64_t)ns, text), color(COLOR_END));
	if (d != ACTIVITY_OUTSIDE || unit == GRAPH_NONE || !print_outside(&v->path.shares[main_image(v, unit)], to))
		fputs(activities[d].after, to);
}

static enum activity most_of(const double did[ACTIVITY_COUNT])
{
	size_t best = 0;

	for (size_t d = 0; d < ACTIVITY_COUNT; d++)
		if (did[d] > did[best])
			best = d;
	return (enum activity)best;
}

/* "computed 3.9 s, slept 0.1 s": the most first, and nothing that is not worth a word.  unit may be none.  */
static void print_doings(const struct verdict *v, size_t unit, const double did[ACTIVITY_COUNT], FILE *to)
{
	double left[ACTIVITY_COUNT], all = judge_sum(did);
	const char *divider = "";

	memcpy(left, did, sizeof left);
	for (int shown = 0; shown < PARTS_SHOWN; shown++) {
		enum activity d = most_of(left);

		if (shown && left[d] < all * JUDGE_HARDLY)
			return;
		fputs(divider, to);
		print_doing(v, unit, d, left[d], to);
		divider = ", ";
		left[d] = 0;
	}
}

static void print_share(double part, uint64_t whole, FILE *to)
{
	fprintf(to, "%s%.0f %%%s", color(COLOR_WAIT), 100 * judge_share(part, whole), color(COLOR_END));
}

/* Processes with the same command, of those that had something of the path themselves.  */
struct group {
	const char *command;
	size_t unit, count;             /* the first, and how many */
	double path_ns, did[ACTIVITY_COUNT];
};

static int by_command(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	int order = strcmp(x->command, y->command);

	return order ? order : x->unit < y->unit ? -1 : x->unit > y->unit;
}

static int by_path(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->path_ns != y->path_ns)
		return x->path_ns > y->path_ns ? -1 : 1;
	return x->unit < y->unit ? -1 : x->unit > y->unit;
}

static void add_share(const struct path_share *s, double did[ACTIVITY_COUNT])
{
	for (size_t a = 0; a < ACTIVITY_COUNT; a++)
		did[a] += (double)s->ns[a];
}

/* Those with one command become one.  */
static size_t join_groups(struct group *groups, size_t count)
{
	size_t last = 0;

	if (!count)
		return 0;
	qsort(groups, count, sizeof *groups, by_command);
	for (size_t i = 1; i < count; i++) {
		if (strcmp(groups[i].command, groups[last].command) != 0) {
			groups[++last] = groups[i];
			continue;
		}
		groups[last].count++;
		groups[last].path_ns += groups[i].path_ns;
		for (size_t a = 0; a < ACTIVITY_COUNT; a++)
			groups[last].did[a] += groups[i].did[a];
	}
	return last + 1;
}

static bool is_below(const struct verdict *v, size_t unit)
{
	return v->parts[unit].member && v->members[v->parts[unit].member - 1] != unit;
}

/* The processes that had something of the path, or of those only who are counted with a member, by how much it was.  */
static struct group *make_groups(const struct verdict *v, bool together, bool below, size_t *count)
{
	struct group *groups = must_have(calloc(v->graph.unit_count + 1, sizeof *groups));
	size_t n = 0;

	for (size_t u = 0; u < v->graph.unit_count; u++) {
		size_t image = main_image(v, u);

		if (!v->parts[u].path_ns || (below && !is_below(v, u)))
			continue;
		groups[n] = (struct group){command(v, image), u, 1, (double)v->parts[u].path_ns, {0}};
		for (const struct model_process *p = v->graph.images[v->graph.units[u].last].process; p; p = p->previous)
			add_share(&v->path.shares[p - v->graph.model->processes], groups[n].did);
		n++;
	}
	if (together)
		n = join_groups(groups, n);
	if (n)
		qsort(groups, n, sizeof *groups, by_path);
	*count = n;
	return groups;
}

/* "sleep 0.2 (5 processes)", or one with its pid.  */
static void print_group(const struct verdict *v, const struct group *g, FILE *to)
{
	if (g->count == 1) {
		print_name(v, g->unit, to);
		return;
	}
	report_cut(g->command, NAME_WIDTH, to);
	fprintf(to, " (%zu processes)", g->count);
}

static void print_heading(const char *heading, FILE *to)
{
	fprintf(to, "%s%s:%s ", color(COLOR_HEADING), heading, color(COLOR_END));
}

static void print_total(const struct verdict *v, FILE *to)
{
	char text[16];

	fprintf(to, "of %s", duration(v->total_ns, text));
}

/* "a, b and c": what stands before the next of them.  */
static const char *joint(size_t i, size_t count)
{
	return i == 0 ? "" : i + 1 == count ? " and " : ", ";
}

/* From a process down to the one that does nearly all that is done by it and all below it.  */
static size_t doer(const struct verdict *v, size_t unit)
{
	for (size_t i = 0; i < v->graph.unit_count; i++) {
		size_t u = v->order[i];

		if (v->graph.units[u].parent == unit && v->parts[u].busy_all_ns > 0.9 * v->parts[unit].busy_all_ns)
			unit = u;
	}
	return unit;
}

static bool have_one_command(const struct verdict *v)
{
	const char *first = command(v, main_image(v, doer(v, v->members[0])));

	for (size_t i = 1; i < v->member_count; i++)
		if (strcmp(command(v, main_image(v, doer(v, v->members[i]))), first) != 0)
			return false;
	return true;
}

/* All members by name, or their common one; of many, the first.  */
static void print_members(const struct verdict *v, FILE *to)
{
	size_t shown = v->member_count > PARTS_SHOWN + 1 ? PARTS_SHOWN : v->member_count;
	size_t listed = shown + (shown < v->member_count);

	if (v->member_count > 1 && have_one_command(v)) {
		report_cut(command(v, main_image(v, doer(v, v->members[0]))), NAME_WIDTH, to);
		fprintf(to, " (%zu processes)", v->member_count);
		return;
	}
	for (size_t i = 0; i < shown; i++) {
		fputs(joint(i, listed), to);
		print_name(v, v->member_count > 1 ? doer(v, v->members[i]) : v->members[i], to);
	}
	if (shown < v->member_count)
		fprintf(to, " and %zu more", v->member_count - shown);
}

/* What the members did themselves; or those below them, where that was most of it.  */
static void print_held(const struct verdict *v, FILE *to)
{
	bool own = judge_sum(v->did) >= judge_sum(v->did_below), one = v->member_count == 1;
	struct group *groups;
	size_t count;

	fprintf(to, ";\n  in that time %s ", one ? own ? "it" : "its children" : own ? "they" : "their children");
	print_doings(v, own && one ? v->top : GRAPH_NONE, own ? v->did : v->did_below, to);
	if (own)
		return;
	groups = make_groups(v, true, true, &count);
	if (count) {
		fputs(count > 1 ? ", most of it " : ": ", to);
		print_group(v, &groups[0], to);
	}
	free(groups);
}

/* Where the threads of one that it is about get into each other's way.  */
static void print_locked(const struct verdict *v, FILE *to)
{
	if (judge_share(v->locked_ns, v->total_ns) < LOCKED)
		return;
	fputs(";\n  meanwhile one of its threads waited for a lock that another held, for ", to);
	print_share(v->locked_ns, v->total_ns, to);
	fputs(" of the time", to);
}

static void print_bottleneck(const struct verdict *v, FILE *to)
{
	print_heading("Bottleneck", to);
	print_members(v, to);
	fputs(": ", to);
	if (v->waiter == GRAPH_NONE)
		fputs("others", to);
	else
		print_name(v, v->waiter, to);
	fprintf(to, " waited for %s for ", v->member_count > 1 ? "them" : "it");
	print_share(v->held_ns, v->total_ns, to);
	fputc(' ', to);
	print_total(v, to);
	print_held(v, to);
	if (v->member_count == 1)
		print_locked(v, to);
}

/* Whether somebody else could do something about it.  */
static bool is_waiting(enum activity a)
{
	return a >= ACTIVITY_LOCK;
}

static void print_alone(const struct verdict *v, FILE *to)
{
	double did[ACTIVITY_COUNT] = {0};

	for (const struct model_process *p = v->graph.images[v->graph.units[v->top].last].process; p; p = p->previous)
		add_share(&v->path.shares[p - v->graph.model->processes], did);
	/* A server's poll that nobody comes to. */
	if (v->graph.images[main_image(v, v->top)].serves) {
		did[ACTIVITY_CLIENT] += did[ACTIVITY_POLL];
		did[ACTIVITY_POLL] = 0;
	}
	print_heading(is_waiting(most_of(did)) ? "Where it waits" : "Where the time went", to);
	print_total(v, to);
	fputs(", ", to);
	print_name(v, v->top, to);
	fputc(' ', to);
	print_doings(v, v->top, did, to);
	print_locked(v, to);
}

/* How busy the least busy member was.  */
static double least_busy(const struct verdict *v)
{
	double least = (double)v->total_ns;

	for (size_t i = 0; i < v->member_count; i++) {
		const struct part *p = &v->parts[v->members[i]];
		double busy = p->is_above || (v->members[i] == v->top && judge_has_most(v)) ? p->busy_ns : p->busy_all_ns;

		least = busy < least ? busy : least;
	}
	return least;
}

static void print_balanced(const struct verdict *v, FILE *to)
{
	print_heading("Balanced", to);
	print_members(v, to);
	fputs(" were each busy for at least ", to);
	print_share(least_busy(v), v->total_ns, to);
	fputc(' ', to);
	print_total(v, to);
	fputs(",\n  and waited little for each other", to);
}

/* One after the other, or in turn.  */
static void print_shared(const struct verdict *v, FILE *to)
{
	size_t count;
	struct group *groups = make_groups(v, true, false, &count);
	const char *divider = ", ";
	bool one = count && groups[0].path_ns > JUDGE_MOST * (double)v->total_ns;

	print_heading(one ? "Where the time went" : "No single bottleneck", to);
	print_total(v, to);
	for (size_t i = 0; i < count && i < PARTS_SHOWN; i++) {
		if (i && judge_share(groups[i].path_ns, v->total_ns) < JUDGE_HARDLY)
			break;
		fputs(divider, to);
		print_group(v, &groups[i], to);
		fputs(" had ", to);
		print_share(groups[i].path_ns, v->total_ns, to);
		fputs(": ", to);
		print_doings(v, groups[i].unit, groups[i].did, to);
		divider = ";\n  ";
	}
	free(groups);
}

void verdict_print(const struct verdict *v, FILE *to)
{
	switch (v->kind) {
	case VERDICT_NOTHING: fputs("Nothing took any time", to); break;
	case VERDICT_ALONE: print_alone(v, to); break;
	case VERDICT_BOTTLENECK: print_bottleneck(v, to); break;
	case VERDICT_BALANCED: print_balanced(v, to); break;
	case VERDICT_SHARED: print_shared(v, to); break;
	}
}

/* A stretch of the path that is one process's, or those with one command, but for short visits to others.  */
struct row {
	size_t image;                   /* the first */
	size_t count;                   /* how often it went from one to another of them */
	uint64_t from_ns, to_ns;
	uint64_t ns[ACTIVITY_COUNT];    /* what they had */
};

/* The image that had most of the path in the steps of one bucket.  */
static size_t owner(const struct path_step *steps, size_t count)
{
	size_t best = 0;

	for (size_t i = 1; i < count; i++)
		if (path_sum(steps[i].ns) > path_sum(steps[best].ns))
			best = i;
	return best;
}

static bool is_same(const struct verdict *v, const struct row *a, const struct row *b)
{
	return a->image == b->image || !strcmp(command(v, a->image), command(v, b->image));
}

static uint64_t length(const struct row *r)
{
	return r->to_ns - r->from_ns;
}

static void join(const struct verdict *v, struct row *into, const struct row *r)
{
	struct row joined = path_sum(r->ns) > path_sum(into->ns) ? *r : *into;

	if (is_same(v, into, r)) {
		joined = *into;
		joined.count += r->count - (into->image == r->image);
		for (size_t a = 0; a < ACTIVITY_COUNT; a++)
			joined.ns[a] += r->ns[a];
	}
	joined.from_ns = into->from_ns;
	joined.to_ns = r->to_ns;
	*into = joined;
}

/* Joins what belongs together, and what is shorter than `least_ns` to what is before or behind it.  */
static size_t join_rows(const struct verdict *v, struct row *rows, size_t count, uint64_t least_ns)
{
	size_t n = 0;

	for (size_t i = 1; i < count; i++) {
		if (is_same(v, &rows[n], &rows[i]) || length(&rows[i]) < least_ns || length(&rows[n]) < least_ns)
			join(v, &rows[n], &rows[i]);
		else
			rows[++n] = rows[i];
	}
	return count ? n + 1 : 0;
}

/* The path from its beginning, in at most ROWS_SHOWN rows.  */
static struct row *make_rows(const struct verdict *v, size_t *count)
{
	const struct path *p = &v->path;
	struct row *rows = must_have(calloc(p->step_count + 1, sizeof *rows));
	uint64_t bucket_ns = v->graph.bucket_ns, least_ns = v->total_ns / 500;
	size_t n = 0, first;

	for (size_t end = p->step_count; end > 0; end = first) {
		const struct path_step *s;
		uint64_t from = p->steps[end - 1].bucket * bucket_ns, to = from + bucket_ns;

		for (first = end; first > 0 && p->steps[first - 1].bucket == p->steps[end - 1].bucket; first--)
			;
		s = &p->steps[first + owner(p->steps + first, end - first)];
		rows[n] = (struct row){s->image, 1, from > p->start_ns ? from : p->start_ns, to < p->end_ns ? to : p->end_ns, {0}};
		memcpy(rows[n++].ns, s->ns, sizeof s->ns);
	}
	n = join_rows(v, rows, join_rows(v, rows, n, 0), least_ns);
	while (n > ROWS_SHOWN)
		n = join_rows(v, rows, n, least_ns = least_ns * 2 + 1);
	*count = n;
	return rows;
}

static void print_row(const struct verdict *v, const struct row *r, FILE *to)
{
	double did[ACTIVITY_COUNT];
	char from[16], text[16];

	for (size_t a = 0; a < ACTIVITY_COUNT; a++)
		did[a] = (double)r->ns[a];
	fprintf(to, "%9s %s%9s%s  ", duration(r->from_ns, from), color(COLOR_WAIT), duration(length(r), text), color(COLOR_END));
	if (r->count == 1) {
		report_command(v->graph.images[r->image].process, COMMAND_WIDTH, to);
	} else {
		report_cut(command(v, r->image), COMMAND_WIDTH, to);
		fprintf(to, " (several processes)");
	}
	fprintf(to, " %s", activities[most_of(did)].alone);
	if (path_sum(r->ns) < length(r) / 10 * 9)
		fprintf(to, ", for %.0f %% of it", 100 * judge_share((double)path_sum(r->ns), length(r)));
	fputc('\n', to);
}

static void print_sums(const struct verdict *v, FILE *to)
{
	size_t count;
	struct group *groups = make_groups(v, false, false, &count);
	char text[16];

	if (count > PROCESSES_SHOWN) {
		free(groups);
		groups = make_groups(v, true, false, &count);
	}
	fputs("\nIn all:\n", to);
	for (size_t i = 0; i < count && i < PROCESSES_SHOWN; i++) {
		fprintf(to, "%7.1f %% %s%9s%s  ", 100 * judge_share(groups[i].path_ns, v->total_ns), color(COLOR_WAIT),
			duration((uint64_t)groups[i].path_ns, text), color(COLOR_END));
		print_group(v, &groups[i], to);
		fputc(' ', to);
		print_doings(v, groups[i].unit, groups[i].did, to);
		fputc('\n', to);
	}
	if (count > PROCESSES_SHOWN)
		fprintf(to, "          and %zu more\n", count - PROCESSES_SHOWN);
	fputc('\n', to);
	free(groups);
}

void verdict_print_path(const struct verdict *v, FILE *to)
{
	size_t count;
	struct row *rows = make_rows(v, &count);

	if (v->total_ns) {
		fprintf(to, "The critical path: who was waited for, from the beginning to the end of ");
		print_name(v, v->graph.images[v->path.end].unit, to);
		fprintf(to, "\n\n%s     from       for%s\n", color(COLOR_DETAIL), color(COLOR_END));
		for (size_t i = 0; i < count; i++)
			print_row(v, &rows[i], to);
		print_sums(v, to);
	}
	free(rows);
}

static void json_unit(const struct verdict *v, size_t unit, FILE *to)
{
	fprintf(to, "\"pid\":%" PRIu32 ",\"command\":", v->graph.images[main_image(v, unit)].process->pid);
	jsontext_print(v->graph.images[main_image(v, unit)].process->command, to);
}

static void json_did(const char *key, const double did[ACTIVITY_COUNT], FILE *to)
{
	fprintf(to, "\"%s\":{", key);
	for (size_t a = 0; a < ACTIVITY_COUNT; a++)
		fprintf(to, "%s\"%s\":%.0f", a ? "," : "", activities[a].key, did[a]);
	fputc('}', to);
}

void verdict_json(const struct verdict *v, FILE *to)
{
	bool about = v->kind != VERDICT_SHARED && v->kind != VERDICT_NOTHING;
	size_t count;
	struct group *groups = make_groups(v, false, false, &count);

	fprintf(to, "{\"kind\":\"%s\",\"processes\":[", kind_words[v->kind]);
	for (size_t i = 0; about && i < v->member_count; i++) {
		fputs(i ? ",{" : "{", to);
		json_unit(v, v->members[i], to);
		fputc('}', to);
	}
	fprintf(to, "],\"total_ns\":%" PRIu64 ",\"waited_for_ns\":%.0f,\"lock_wait_ns\":%.0f,", v->total_ns,
		about ? v->held_ns : 0, about ? v->locked_ns : 0);
	json_did("did", v->did, to);
	fputc(',', to);
	json_did("children_did", v->did_below, to);
	fputs(",\"critical_path\":[", to);
	for (size_t i = 0; i < count; i++) {
		fputs(i ? ",\n{" : "\n{", to);
		json_unit(v, groups[i].unit, to);
		fprintf(to, ",\"path_ns\":%.0f,\"busy_ns\":%.0f,", groups[i].path_ns, v->parts[groups[i].unit].busy_ns);
		json_did("did", groups[i].did, to);
		fputc('}', to);
	}
	fputs("]}", to);
	free(groups);
}

void verdict_free(struct verdict *v)
{
	path_free(&v->path);
	graph_free(&v->graph);
	waits_free(&v->waits);
	free(v->parts);
	free(v->order);
	free(v->members);
	free(v);
}
