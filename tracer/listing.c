/* listing.c - the calls under the timeline's cursor.  */
#include "listing.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "color.h"
#include "line.h"
#include "operations.h"
#include "pager.h"
#include "say.h"
#include "screen.h"
#include "terminal.h"

enum {
	LISTED_MAX = 10000,
	AROUND = 3,                     /* lines above and below the list */
	BEFORE_NAME = 28, BEHIND_NAME = 36,
};

struct search {
	struct listing *found;
	const struct lanes *lanes;
	const struct lane *lane;
	uint64_t from_ns, to_ns;
};

static bool is_ready(const struct operation *o, size_t fd)
{
	for (size_t i = 0; i < o->ready_count; i++)
		if (o->ready[i].fd == fd)
			return true;
	return false;
}

/* Whether the operation is of the lane's thread, or fd.  */
static bool is_in_lane(const struct search *s, const struct operation *o)
{
	const struct model_process *process = &s->lanes->model->processes[o->process];
	const struct lane *lane = s->lane;

	if (lane->fd != MODEL_NO_FD)
		return process == lane->last && (o->fd == lane->fd || is_ready(o, lane->fd));
	if (o->tid != lane->tid)
		return false;
	for (const struct model_process *p = lane->last; p; p = lane->tid == p->pid ? p->previous : NULL)
		if (p == process)
			return true;
	return false;
}

static void see(const struct operation *o, void *arg)
{
	const struct search *s = arg;
	struct listing *l = s->found;

	if (o->end_ns < s->from_ns || o->start_ns > s->to_ns || !is_in_lane(s, o))
		return;
	l->more = l->count == LISTED_MAX;
	if (l->more)
		return;
	if (l->count == l->room) {
		l->room = l->room ? l->room * 2 : 64;
		l->calls = must_have(realloc(l->calls, l->room * sizeof *l->calls));
	}
	l->calls[l->count++] = (struct listed){
		.process = o->process, .fd = o->fd, .op = o->number, .call = o->call, .lock = o->lock, .address = o->address,
		.returned = o->returned,
		.polled = s->lane->fd != MODEL_NO_FD && o->fd != s->lane->fd, .result = o->result, .start_ns = o->start_ns,
		.end_ns = o->end_ns,
	};
}

static int by_start(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return x->end_ns < y->end_ns ? -1 : x->end_ns > y->end_ns;
}

void listing_find(struct listing *l, const struct lanes *lanes, const struct lane *lane, uint64_t from_ns, uint64_t to_ns)
{
	struct search s = {l, lanes, lane, from_ns, to_ns};

	*l = (struct listing){.model = lanes->model};
	model_free(operations_each(lanes->trace, &(struct operation_visitor){.operation = see, .arg = &s}));
	if (l->count)
		qsort(l->calls, l->count, sizeof *l->calls, by_start);
}

void listing_free(struct listing *l)
{
	free(l->calls);
	*l = (struct listing){0};
}

uint32_t listing_longest(const struct listing *l)
{
	const struct listed *longest = NULL;

	for (size_t i = 0; i < l->count; i++)
		if (l->calls[i].op && (!longest || l->calls[i].end_ns - l->calls[i].start_ns > longest->end_ns - longest->start_ns))
			longest = &l->calls[i];
	return longest ? longest->op : 0;
}

static const char *result_of(const struct listed *c, char text[32])
{
	const char *error = c->returned && c->result < 0 ? line_errno_name(-(uint64_t)c->result) : NULL;

	if (!c->returned || c->lock)
		return c->returned ? "" : "not yet";
	if (c->polled || error)
		return c->polled ? "ready" : error;
	snprintf(text, 32, "%" PRId64, c->result);
	return text;
}

/* "pipe:[8123]", "pthread_mutex_lock 0x55d0c3a1b040, held by tid 2315".  */
static void name_of(const struct listed *c, const struct model_fd *f, char *name, size_t size)
{
	int n;

	if (!c->lock) {
		screen_text(name, size, f && f->name ? f->name : "");
		return;
	}
	n = snprintf(name, size, "%s 0x%" PRIx64, c->lock, c->address);
	if (c->result >= 0)
		snprintf(name + n, size - (size_t)n, ", held by tid %" PRId64, c->result);
}

static void print_call(const struct listing *l, const struct listed *c, int width, FILE *to)
{
	const struct model_fd *f = c->fd == MODEL_NO_FD ? NULL : &l->model->processes[c->process].fds[c->fd];
	int name_width = width > BEFORE_NAME + BEHIND_NAME ? width - BEFORE_NAME - BEHIND_NAME : 0;
	const char *call = c->lock ? "lock" : model_call_name(c->call);
	char op[16] = "-", fd[16] = "-", name[256], took[16], result[32];

	if (c->op)
		snprintf(op, sizeof op, "%" PRIu32, c->op);
	if (f)
		snprintf(fd, sizeof fd, "%d", f->fd);
	name_of(c, f, name, sizeof name);
	fprintf(to, "%8s %-12.12s %5s %-*.*s %14.9f %9s %10.10s", op, call, fd, name_width, name_width, name,
		(double)c->start_ns / 1e9, duration(c->end_ns - c->start_ns, took), result_of(c, result));
}

static void draw_list(const struct listing *l, const char *title, size_t top, size_t page, size_t selected)
{
	int rows, columns, name_width;
	char *frame;
	size_t size;
	FILE *f = must_have(open_memstream(&frame, &size));

	terminal_size(&rows, &columns);
	name_width = columns > BEFORE_NAME + BEHIND_NAME ? columns - BEFORE_NAME - BEHIND_NAME : 0;
	fprintf(f, "%s%s%s\n", color(COLOR_HEADING), title, color(COLOR_END));
	fprintf(f, "%8s %-12s %5s %-*.*s %14s %9s %10s\n", "op", "call", "fd", name_width, name_width, "name", "began at, s", "took",
		"result");
	for (size_t i = top; i < top + page; i++) {
		fputs(i == selected ? SCREEN_REVERSE : "", f);
		if (i < l->count)
			print_call(l, &l->calls[i], columns, f);
		fputs(SCREEN_PLAIN "\n", f);
	}
	fputs(SCREEN_REVERSE " up down   o draw the operation   q back " SCREEN_PLAIN, f);
	fclose(f);
	terminal_show(frame, size);
	free(frame);
}

bool listing_show(const struct listing *l, const char *title, bool (*draw)(uint32_t op, void *arg), void *arg)
{
	size_t top = 0, selected = 0, page;
	int rows, columns, key;
	bool there = true;

	do {
		terminal_size(&rows, &columns);
		page = rows > AROUND + 1 ? (size_t)(rows - AROUND) : 1;
		top = top > selected ? selected : selected >= top + page ? selected - page + 1 : top;
		draw_list(l, title, top, page, selected);
		key = terminal_key(-1);
		there = key != KEY_GONE;
		if (!pager_move(key, &selected, l->count, page) && (key == 'o' || key == '\n') && l->calls[selected].op)
			there = draw(l->calls[selected].op, arg);
	} while (there && key != 'q' && key != KEY_ESCAPE && key != KEY_LEFT);
	return there;
}
