/* requests.c - a table of requests by number, in two lines by age: those in flight, and those that are over.  */
#include "requests.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "shim/shim.h"

enum {
	OPEN_MAX = 65536,               /* as many as a process can have (shim/aio/request.h) */
	OVER_MAX = 65536,               /* whoever is notified need not collect */
	SLOTS_FIRST = 64,
};

struct trace_request_more requests_more(const struct trace_record *r, const struct reader_place *place)
{
	struct trace_request_more more = {0};

	if (place->rest && r[1].kind == TRACE_TEXT)
		memcpy(&more, (const char *)&r[1] + 1, sizeof more);
	return more;
}

/* The table.  */

/* Where the number is, or is to be.  */
static uint32_t find_slot(const struct requests *t, uint32_t op)
{
	uint32_t at = (op * 0x9e3779b1u) & (t->slot_count - 1);

	while (t->slots[at] && t->all[t->slots[at]].op != op)
		at = (at + 1) & (t->slot_count - 1);
	return at;
}

static void widen(struct requests *t)
{
	t->slot_count = t->slot_count ? t->slot_count * 2 : SLOTS_FIRST;
	free(t->slots);
	t->slots = must_have(calloc(t->slot_count, sizeof *t->slots));
	t->room = t->slot_count / 2 + 1;
	t->all = must_have(realloc(t->all, t->room * sizeof *t->all));
	for (uint32_t line = 0; line < 2; line++)
		for (uint32_t i = line ? t->over.first : t->open.first; i; i = t->all[i].after) {
			t->all[i].slot = find_slot(t, t->all[i].op);
			t->slots[t->all[i].slot] = i;
		}
}

/* Those behind it that would have been where it is move up.  */
static void clear_slot(struct requests *t, uint32_t at)
{
	uint32_t mask = t->slot_count - 1;

	t->slots[at] = 0;
	for (uint32_t next = (at + 1) & mask; t->slots[next]; next = (next + 1) & mask) {
		uint32_t i = t->slots[next];

		t->slots[next] = 0;
		t->all[i].slot = find_slot(t, t->all[i].op);
		t->slots[t->all[i].slot] = i;
	}
}

static struct requests_line *line_of(struct requests *t, const struct request *q)
{
	return q->completed ? &t->over : &t->open;
}

static void append(struct requests *t, struct requests_line *line, uint32_t i)
{
	t->all[i].before = line->last;
	t->all[i].after = 0;
	*(line->last ? &t->all[line->last].after : &line->first) = i;
	line->last = i;
	line->count++;
}

static void take_out(struct requests *t, struct requests_line *line, uint32_t i)
{
	const struct request *q = &t->all[i];

	*(q->before ? &t->all[q->before].after : &line->first) = q->after;
	*(q->after ? &t->all[q->after].before : &line->last) = q->before;
	line->count--;
}

void requests_forget(struct requests *t, struct request *q)
{
	uint32_t i = (uint32_t)(q - t->all);

	take_out(t, line_of(t, q), i);
	clear_slot(t, q->slot);
	q->after = t->free;
	t->free = i;
}

static void drop(struct requests *t, uint32_t i)
{
	if (t->forgets)
		t->forgets(&t->all[i], t->arg);
	requests_forget(t, &t->all[i]);
}

static struct request *find(const struct requests *t, uint32_t op)
{
	uint32_t i = t->slot_count ? t->slots[find_slot(t, op)] : 0;

	return i ? &t->all[i] : NULL;
}

static struct request *add(struct requests *t, uint32_t op)
{
	uint32_t i;

	if (t->all && t->open.count == OPEN_MAX)
		drop(t, t->open.first);
	if (!t->all || t->open.count + t->over.count + 1 >= t->room)
		widen(t);
	i = t->free;
	if (i)
		t->free = t->all[i].after;
	else
		i = ++t->used;
	t->all[i] = (struct request){.op = op, .fd = -1, .index = SIZE_MAX, .slot = find_slot(t, op)};
	t->slots[t->all[i].slot] = i;
	append(t, &t->open, i);
	return &t->all[i];
}

void requests_end(struct requests *t)
{
	while (t->over.first)
		drop(t, t->over.first);
	while (t->open.first)
		drop(t, t->open.first);
	free(t->all);
	free(t->slots);
	*t = (struct requests){.forgets = t->forgets, .arg = t->arg};
}

/* A request.  */

static struct request *submit(struct requests *t, const struct trace_record *r, const struct reader_place *place)
{
	struct trace_request_more more = requests_more(r, place);
	struct request *q = find(t, r->op);

	/* The number is used again. */
	if (q)
		drop(t, (uint32_t)(q - t->all));
	q = add(t, r->op);
	q->list = more.list;
	q->tid = place->tid;
	q->call = r->call;
	q->flags = r->flags;
	q->fd = r->fd;
	q->submitted = r->t;
	q->returned = r->t + (r->lead ? r->lead : 1);
	q->length = r->length;
	q->offset = more.offset;
	return q;
}

static struct request *complete(struct requests *t, struct request *q, const struct trace_record *r)
{
	uint32_t i = (uint32_t)(q - t->all);

	if (q->completed)
		return NULL;
	take_out(t, &t->open, i);
	if (t->over.count == OVER_MAX)
		drop(t, t->over.first);
	append(t, &t->over, i);
	q->completed = r->t ? r->t : 1;
	q->ran = r->lead && r->lead <= r->t ? r->t - r->lead : 0;
	q->result = r->result;
	return q;
}

struct request *requests_see(struct requests *t, const struct trace_record *r, const struct reader_place *place)
{
	struct request *q = r->op ? find(t, r->op) : NULL;

	if (!r->op || r->way >= TRACE_REQUEST_COUNT)
		return NULL;
	if (r->way == TRACE_REQUEST_SUBMITTED)
		return submit(t, r, place);
	/* It may be a list's number. */
	if (!q && r->way == TRACE_REQUEST_NOTIFIED)
		return NULL;
	if (!q) {
		q = add(t, r->op);
		q->call = r->call;
		q->fd = r->fd;
		q->submitted = r->t;
	}
	switch (r->way) {
	case TRACE_REQUEST_COMPLETED:
		return complete(t, q, r);
	case TRACE_REQUEST_NOTIFIED:
		q->notified = r->t;
		q->by_thread = r->flags & TRACE_REQUEST_THREAD;
		break;
	case TRACE_REQUEST_SEEN:
		q->seen = r->t;
		q->seen_by = r->call;
		break;
	case TRACE_REQUEST_WOULD_BLOCK:
		q->blocked = q->blocked ? q->blocked : r->t;
		break;
	case TRACE_REQUEST_READY:
		q->ready = r->t;
		break;
	default:
		q->collected = r->t;
		break;
	}
	return q;
}

/* Spans.  */

struct pass {
	const struct trace *trace;
	const struct model *model;
	size_t process;                 /* index */
	struct requests requests;
	request_visitor *visit;
	void *arg;
};

static void tell(const struct request *q, const struct pass *p)
{
	const struct model_process *process = &p->model->processes[p->process];
	struct request_span s = {.process = process, .fd = q->index, .request = q, .open = !q->completed};

	if (!q->returned)
		return;
	s.start_ns = reader_ns(p->trace, q->submitted);
	s.end_ns = s.open ? process->end_ns : reader_ns(p->trace, q->completed);
	if (s.end_ns < s.start_ns)
		s.end_ns = s.start_ns;
	p->visit(&s, p->arg);
}

static void tell_open(struct request *q, void *arg)
{
	if (!q->completed)
		tell(q, arg);
}

static void see(const struct trace_record *r, const struct reader_place *place, const struct model_process *process, size_t fd,
		void *arg)
{
	struct pass *p = arg;
	size_t index = (size_t)(place->file - p->trace->files);
	struct request *q;

	(void)process;
	if (index != p->process)
		requests_end(&p->requests);
	p->process = index;
	if (r->kind != TRACE_REQUEST || place->hidden)
		return;
	q = requests_see(&p->requests, r, place);
	if (!q)
		return;
	if (r->way == TRACE_REQUEST_SUBMITTED)
		q->index = fd;
	else if (r->way == TRACE_REQUEST_COMPLETED)
		tell(q, p);
	else if (r->way == TRACE_REQUEST_COLLECTED)
		requests_forget(&p->requests, q);
}

void requests_each(const struct trace *t, const struct model *m, request_visitor *visit, void *arg)
{
	struct pass p = {.trace = t, .model = m, .visit = visit, .arg = arg};
	uint64_t count = 0;

	for (size_t i = 0; i < m->process_count; i++)
		count += m->processes[i].requests;
	if (!count)
		return;
	p.requests.forgets = tell_open;
	p.requests.arg = &p;
	model_free(model_build_seen(t, NULL, see, &p));
	requests_end(&p.requests);
}
