/* browse_rows.c - goes through the files of a lane's process, and keeps what falls into the stretch.  */
#include "browse_rows.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "screen.h"

enum { ROWS_MAX = 10000, OPEN_MAX = 4096, FDS_MAX = 1 << 20, BACK_MAX = 1024 };

/* Where a name is; the records stay where they are.  */
struct name {
	const struct trace_record *record;
	struct reader_place place;
};

struct search {
	const struct trace *trace;
	const struct lane *lane;
	const struct model_fd *fd;      /* of a lane by fd; else NULL */
	uint64_t from_ns, to_ns;
	bool is_it;                     /* its number means it now */
	struct name *names;             /* of each fd, now */
	size_t name_room;
	struct browse_rows *found, open; /* open: operations that have not returned */
};

static struct name *name_of(struct search *s, int64_t fd)
{
	if (fd < 0 || fd >= FDS_MAX)
		return NULL;
	if ((size_t)fd >= s->name_room) {
		size_t room = (size_t)fd * 2 + 8;

		s->names = must_have(realloc(s->names, room * sizeof *s->names));
		memset(s->names + s->name_room, 0, (room - s->name_room) * sizeof *s->names);
		s->name_room = room;
	}
	return &s->names[fd];
}

static struct browse_row *add(struct browse_rows *o, const struct browse_row *row)
{
	if (o->count == o->room) {
		o->room = o->room ? o->room * 2 : 64;
		o->rows = must_have(realloc(o->rows, o->room * sizeof *o->rows));
	}
	o->rows[o->count] = *row;
	return &o->rows[o->count++];
}

static void keep(struct search *s, struct browse_row *row)
{
	struct name *name = name_of(s, row->fd);
	char text[512];

	if (row->end_ns < s->from_ns || row->start_ns > s->to_ns)
		return;
	if (s->found->count >= ROWS_MAX) {
		s->found->more = true;
		return;
	}
	if (name && name->record) {
		reader_text(name->record, &name->place, text, sizeof text);
		screen_text(row->name, sizeof row->name, text);
	}
	add(s->found, row);
}

static void see_name(struct search *s, const struct trace_record *r, const struct reader_place *place)
{
	struct name *name = name_of(s, r->fd);
	char text[512];

	if (name)
		*name = (struct name){r, *place};
	if (!s->fd || r->fd != s->fd->fd)
		return;
	reader_text(r, place, text, sizeof text);
	screen_clean(text);
	s->is_it = s->fd->kind == r->fd_kind && s->fd->inode == r->inode && (r->inode || !strcmp(text, s->fd->name ? s->fd->name : ""));
}

/* The poll or select that returned the fd, which is told behind it.  */
static const struct trace_record *poll_before(const struct trace_record *r, const struct reader_place *place)
{
	size_t back = place->before < BACK_MAX ? place->before : BACK_MAX;

	while (back--) {
		r--;
		if (r->kind == TRACE_CALL)
			return model_call_direction(r->call) == DIRECTION_POLL ? r : NULL;
	}
	return NULL;
}

static void see_call(struct search *s, const struct trace_record *r, const struct reader_place *place, int fd)
{
	struct browse_row row = {
		.start_ns = reader_ns(s->trace, r->t), .end_ns = reader_ns(s->trace, r->t + r->duration), .tid = place->tid, .call = r->call,
		.fd = fd, .returned = true, .polled = fd != r->fd, .result = r->result,
	};

	keep(s, &row);
}

static void see_polled(struct search *s, const struct trace_record *poll, const struct reader_place *place)
{
	if (poll)
		see_call(s, poll, place, s->fd->fd);
}

static struct browse_row *find_open(struct search *s, const struct trace_record *r, const struct reader_place *place)
{
	struct browse_row row = {
		.start_ns = reader_ns(s->trace, r->t - (r->kind == TRACE_WOULD_BLOCK ? r->lead : 0)), .end_ns = UINT64_MAX, .op = r->op,
		.tid = place->tid, .call = r->call, .fd = r->fd,
	};

	for (size_t i = s->open.count; i-- > 0;)
		if (s->open.rows[i].op == r->op)
			return &s->open.rows[i];
	if (s->open.count == OPEN_MAX)
		memmove(s->open.rows, s->open.rows + 1, --s->open.count * sizeof row);
	return add(&s->open, &row);
}

static void see_operation(struct search *s, const struct trace_record *r, const struct reader_place *place)
{
	struct browse_row *row = find_open(s, r, place);

	if (r->kind != TRACE_RETURN)
		return;
	row->end_ns = reader_ns(s->trace, r->t);
	row->returned = true;
	row->result = r->result;
	keep(s, row);
	*row = s->open.rows[--s->open.count];
}

/* A thread that does something else is in a handler, or has left its operation for good.  */
static void leave_others(struct search *s, const struct trace_record *r, const struct reader_place *place)
{
	bool is_operation = r->kind >= TRACE_WOULD_BLOCK && r->kind <= TRACE_RETURN;

	for (size_t i = 0; i < s->open.count; i++) {
		struct browse_row *row = &s->open.rows[i];

		if (row->tid == place->tid && row->end_ns == UINT64_MAX && !(is_operation && row->op == r->op))
			row->end_ns = reader_ns(s->trace, r->t);
	}
}

static void see(const struct trace_record *r, const struct reader_place *place, void *arg)
{
	struct search *s = arg;
	struct name *name;

	if (place->enter)
		return;
	leave_others(s, r, place);
	if (r->kind == TRACE_NAME) {
		see_name(s, r, place);
		return;
	}
	if (s->fd ? s->is_it && r->fd == s->fd->fd : place->tid == s->lane->tid) {
		if (r->kind == TRACE_CALL)
			see_call(s, r, place, r->fd);
		else if (r->kind >= TRACE_WOULD_BLOCK && r->kind <= TRACE_RETURN && r->op)
			see_operation(s, r, place);
		else if (r->kind == TRACE_READY && s->fd)
			see_polled(s, poll_before(r, place), place);
	}
	if (r->kind == TRACE_CLOSE && (name = name_of(s, r->fd)) != NULL)
		name->record = NULL;
	if (r->kind == TRACE_CLOSE && s->fd && r->fd == s->fd->fd)
		s->is_it = false;
}

static void search_file(struct search *s, const struct model *m, const struct model_process *process)
{
	s->is_it = s->fd && !s->fd->name;
	reader_each(s->trace, &s->trace->files[process - m->processes], see, s);
	for (size_t i = 0; i < s->open.count; i++)
		keep(s, &s->open.rows[i]);
	s->open.count = 0;
	if (s->name_room)
		memset(s->names, 0, s->name_room * sizeof *s->names);
}

static int by_start(const void *a, const void *b)
{
	const struct browse_row *x = a, *y = b;

	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return x->end_ns < y->end_ns ? -1 : x->end_ns > y->end_ns;
}

void browse_rows_find(struct browse_rows *o, const struct lanes *l, const struct lane *lane, uint64_t from_ns, uint64_t to_ns)
{
	struct search s = {
		.trace = l->trace, .lane = lane, .fd = lane->fd == MODEL_NO_FD ? NULL : &lane->last->fds[lane->fd], .from_ns = from_ns,
		.to_ns = to_ns, .found = o,
	};

	*o = (struct browse_rows){0};
	for (const struct model_process *p = lane->last; p; p = !s.fd && lane->tid == p->pid ? p->previous : NULL)
		search_file(&s, l->model, p);
	free(s.names);
	free(s.open.rows);
	if (o->count)
		qsort(o->rows, o->count, sizeof *o->rows, by_start);
}

void browse_rows_free(struct browse_rows *o)
{
	free(o->rows);
	*o = (struct browse_rows){0};
}
