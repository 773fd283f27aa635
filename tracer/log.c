/* log.c - all events of a trace as lines, sorted over all processes.
 *
 * An operation that would block is shown as it went: enter, EWOULDBLOCK, park, ready, return.  `enter` is known from how long the
 * attempt took; a wait in the plain call has no record of its readiness, which then is the moment of its return.  */
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "color.h"
#include "line.h"
#include "model.h"
#include "say.h"

/* One line to be: sorted by time, then by where it was found.  */
struct event {
	uint64_t ticks;
	uint64_t duration;              /* ticks: of a call, or from enter to return */
	const struct trace_record *record;
	uint32_t file, tid;
	uint32_t name;                  /* index + 1 into names, 0: none */
	uint8_t as;                     /* enum trace_kind, or AS_ENTER, AS_READY */
};

enum { AS_ENTER = 100, AS_READY = 101, OPEN_MAX = 4096 };

struct open_op {
	uint32_t op;
	bool ready;                     /* there is a READY record since its last PARK */
	uint64_t enter;
};

struct names {
	char **text;
	size_t count, room;
};

struct collect {
	struct event *events;
	size_t count, room;
	struct names names;
	uint32_t file;
	uint32_t *current;              /* name of each fd now */
	size_t fd_room;
	struct open_op *open;           /* operations of this file that have not returned */
	size_t open_count, open_room;
};

static uint32_t *current_name(struct collect *c, int fd)
{
	if (fd < 0 || fd >= 1 << 20)
		return NULL;
	if ((size_t)fd >= c->fd_room) {
		size_t room = (size_t)fd + 64;

		c->current = must_have(realloc(c->current, room * sizeof *c->current));
		memset(c->current + c->fd_room, 0, (room - c->fd_room) * sizeof *c->current);
		c->fd_room = room;
	}
	return &c->current[fd];
}

static uint32_t add_name(struct names *n, const char *text)
{
	if (n->count == n->room) {
		n->room = n->room ? n->room * 2 : 64;
		n->text = must_have(realloc(n->text, n->room * sizeof *n->text));
	}
	n->text[n->count++] = must_have(strdup(text));
	return (uint32_t)n->count;
}

static void add(struct collect *c, const struct trace_record *r, uint32_t tid, uint64_t ticks, uint8_t as)
{
	uint32_t *name = r->kind == TRACE_FORK || r->kind == TRACE_EXEC || r->kind == TRACE_EXIT ? NULL : current_name(c, r->fd);

	if (c->count == c->room) {
		c->room = c->room ? c->room * 2 : 4096;
		c->events = must_have(realloc(c->events, c->room * sizeof *c->events));
	}
	c->events[c->count++] = (struct event){ticks, r->kind == TRACE_CALL ? r->duration : 0, r, c->file, tid, name ? *name : 0, as};
}

/* The operation's place among those that have not returned; made where there is none yet, entered at `enter`.  */
static struct open_op *open_op(struct collect *c, uint32_t op, uint64_t enter)
{
	for (size_t i = c->open_count; i-- > 0;)
		if (c->open[i].op == op)
			return &c->open[i];
	/* Beyond any number of threads that wait at once: those that siglongjmp has left. */
	if (c->open_count >= OPEN_MAX)
		memmove(c->open, c->open + 1, --c->open_count * sizeof *c->open);
	if (c->open_count == c->open_room) {
		c->open_room += 16;
		c->open = must_have(realloc(c->open, c->open_room * sizeof *c->open));
	}
	c->open[c->open_count] = (struct open_op){op, false, enter};
	return &c->open[c->open_count++];
}

static void collect_return(struct collect *c, const struct trace_record *r, uint32_t tid)
{
	struct open_op *op = open_op(c, r->op, r->t);

	if (!op->ready && r->result != -EINTR && r->result != -EAGAIN)
		add(c, r, tid, r->t, AS_READY);
	add(c, r, tid, r->t, r->kind);
	c->events[c->count - 1].duration = r->t - op->enter;
	*op = c->open[--c->open_count];
}

/* A copy is named by itself only when it is used.  */
static void hand_name_on(struct collect *c, int fd, int64_t copy)
{
	uint32_t *from = current_name(c, fd), name = from ? *from : 0;
	uint32_t *to = copy < 0 || copy > INT32_MAX ? NULL : current_name(c, (int)copy);

	if (to)
		*to = name;
}

static void collect(const struct trace_record *r, uint32_t tid, size_t rest, void *arg)
{
	struct collect *c = arg;
	uint32_t *name;
	size_t before;
	char text[512];

	switch (r->kind) {
	case TRACE_NAME:
		reader_text(r, rest, text, sizeof text);
		name = current_name(c, r->fd);
		if (name)
			*name = add_name(&c->names, text);
		break;
	case TRACE_WOULD_BLOCK:
		before = c->open_count;
		open_op(c, r->op, r->t - r->lead);
		if (c->open_count > before)
			add(c, r, tid, r->t - r->lead, AS_ENTER);
		break;
	case TRACE_PARK:
		open_op(c, r->op, r->t)->ready = false;
		break;
	case TRACE_READY:
		open_op(c, r->op, r->t)->ready = true;
		break;
	case TRACE_RETURN:
		collect_return(c, r, tid);
		return;
	case TRACE_USAGE: case TRACE_THREAD:
		return;
	default:
		break;
	}
	add(c, r, tid, r->t, r->kind);
	name = current_name(c, r->fd);
	if (r->kind == TRACE_CLOSE && name)
		*name = 0;
	if (r->kind == TRACE_DUP)
		hand_name_on(c, r->fd, r->number);
}

static int by_time(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->ticks != y->ticks)
		return x->ticks < y->ticks ? -1 : 1;
	if (x->record != y->record)
		return x->record < y->record ? -1 : 1;
	return x->as > y->as ? -1 : 1;          /* enter and ready come before what they were made from */
}

static const char *const kind_names[] = {
#define X(id, name) name,
	TRACE_KINDS(X)
#undef X
};

static bool is_call(uint8_t kind)
{
	return kind == TRACE_CALL || kind == TRACE_WOULD_BLOCK || kind == TRACE_PARK || kind == TRACE_READY || kind == TRACE_RETURN;
}

/* The line; the word of what a reader looks for in colour, as grep does it.  ev= comes before all that may hold a name.  */
static void print_line(const char *line, size_t size, const char *event, FILE *to)
{
	bool ready = !strcmp(event, "ready"), would_block = !strcmp(event, kind_names[TRACE_WOULD_BLOCK]);
	const char *word = ready || would_block ? memmem(line, size, " ev=", 4) : NULL;
	size_t before = word ? (size_t)(word + 4 - line) : 0, length = word ? strlen(event) : 0;

	fwrite(line, 1, before, to);
	if (word)
		fprintf(to, "%s%s%s", color(ready ? COLOR_READY : COLOR_WOULD_BLOCK), event, color(COLOR_END));
	fwrite(line + before + length, 1, size - before - length, to);
}

static void print_event(const struct trace *t, const struct collect *c, const struct event *e, FILE *to)
{
	const struct trace_record *r = e->record;
	bool call = is_call(r->kind), ended = e->as == TRACE_CALL || e->as == TRACE_RETURN;
	char buffer[LINE_MAX_SIZE];
	size_t size;
	struct line l = {
		.t_ns = reader_ns(t, e->ticks), .pid = t->files[e->file].header->pid, .tid = e->tid,
		.op = call && r->kind != TRACE_CALL ? r->op : 0,
		.event = e->as == AS_ENTER ? "enter" : e->as == AS_READY ? "ready" : kind_names[e->as],
		.call = call || r->kind == TRACE_KEEP ? model_call_name(r->call) : NULL, .fd = r->fd,
		.way = call ? model_way_name(r->way) : NULL,
		.has_result = ended, .result = ended ? r->result : 0,
		.has_duration = ended, .duration_ns = reader_duration(t, e->duration), .asked = call && ended && (r->flags & TRACE_ASKED),
		.shielded = call && (r->flags & TRACE_SHIELD), .is_keep = r->kind == TRACE_KEEP, .keep = r->op,
		.why = r->kind == TRACE_KEEP || r->kind == TRACE_CALL ? r->flags >> TRACE_WHY_SHIFT : TRACE_WHY_NONE,
	};

	if (e->name) {
		l.name = c->names.text[e->name - 1];
		l.name_size = strlen(l.name);
	}
	l.ended = r->kind == TRACE_REAP;
	l.status = l.ended ? (int)r->duration : 0;
	/* A program that asked for it itself gets its EAGAIN. */
	if (r->kind == TRACE_CALL && l.asked)
		l.event = kind_names[TRACE_WOULD_BLOCK];
	if (e->as == TRACE_WOULD_BLOCK || r->kind == TRACE_FORK || r->kind == TRACE_REAP || r->kind == TRACE_EXIT ||
	    r->kind == TRACE_DUP || r->kind == TRACE_KEEP) {
		l.has_result = true;
		l.result = e->as == TRACE_WOULD_BLOCK ? -EAGAIN : r->number;
	}
	if (r->kind == TRACE_EXEC && (r->number || r->op)) {
		l.has_result = true;
		l.result = r->number ? r->number : r->op;
	}
	size = line_format(buffer, sizeof buffer, &l);
	print_line(buffer, size, l.event, to);
}

void log_print(struct trace *t, FILE *to)
{
	struct collect c = {0};

	for (size_t i = 0; i < t->file_count; i++) {
		c.file = (uint32_t)i;
		if (c.fd_room)
			memset(c.current, 0, c.fd_room * sizeof *c.current);
		c.open_count = 0;
		reader_each(&t->files[i], collect, &c);
	}
	if (c.count)
		qsort(c.events, c.count, sizeof *c.events, by_time);
	for (size_t i = 0; i < c.count; i++)
		print_event(t, &c, &c.events[i], to);
	for (size_t i = 0; i < c.names.count; i++)
		free(c.names.text[i]);
	free(c.names.text);
	free(c.events);
	free(c.current);
	free(c.open);
}
