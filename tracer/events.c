/* events.c - from records to events: with names, operations put together, and what the records leave out.  */
#include "events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fdtable.h"
#include "model.h"
#include "ops.h"
#include "readiness.h"
#include "requests.h"
#include "say.h"
#include "switching.h"

enum { TEXT_MAX = 512 };

/* What is known of a process while its records go by.  */
struct process {
	struct fdtable names;           /* of each fd now */
	struct fdtable watched;         /* and its struct readiness_number, if it is watched */
	struct open_ops ops;            /* operations that have not returned */
	struct requests requests;
};

struct stream {
	const struct trace *trace;
	struct process *processes;
	event_visitor *visit;
	void *arg;
	struct trace_switch switches[TRACE_SWITCHES];   /* when the recording was switched */
	size_t switch_count, switch_next;
};

static void set_name(struct process *p, int64_t fd, const char *text)
{
	void **name = text || fdtable_get(&p->names, fd) ? fdtable_place(&p->names, fd) : NULL;

	if (!name)
		return;
	free(*name);
	*name = text ? must_have(strdup(text)) : NULL;
}

/* Whether the record is not about what its fd meant before.  */
static bool is_current(struct process *p, const struct trace_record *r)
{
	bool begins = r->kind == TRACE_WATCH || r->kind == TRACE_EDGE;
	void **number = begins || fdtable_get(&p->watched, r->fd) ? fdtable_place(&p->watched, r->fd) : NULL;

	if (!number)
		return true;
	if (!*number)
		*number = must_have(calloc(1, sizeof(struct readiness_number)));
	return readiness_sees(*number, r);
}

/* A copy is named by itself only when it is used.  */
static void hand_name_on(struct process *p, int fd, int64_t copy)
{
	const char *name = fdtable_get(&p->names, fd);
	char *text = name ? must_have(strdup(name)) : NULL;

	set_name(p, copy, text);
	free(text);
}

static const char *const kind_names[] = {
#define X(id, name) name,
	TRACE_KINDS(X)
#undef X
};

static bool is_call(uint8_t kind)
{
	return kind == TRACE_CALL || kind == TRACE_ENTER || kind == TRACE_WOULD_BLOCK || kind == TRACE_PARK || kind == TRACE_READY ||
	       kind == TRACE_RETURN;
}

static bool has_fd(uint8_t kind)
{
	return is_call(kind) || kind == TRACE_NAME || kind == TRACE_CLOSE || kind == TRACE_DUP || kind == TRACE_WATCH || kind == TRACE_EDGE ||
	       kind == TRACE_REQUEST;
}

static void tell_lock(const struct stream *s, struct line *l, const struct trace_record *r)
{
	l->is_lock = true;
	l->call = stalls_lock_name(r->way);
	l->fd = -1;
	l->address = (uint64_t)r->number;
	l->holder = r->fd;
	l->has_duration = r->duration;
	l->duration_ns = reader_duration(s->trace, r->duration);
}

static void tell_away(const struct stream *s, struct line *l, const struct trace_record *r, const struct reader_place *place)
{
	l->call = model_call_name(r->call);
	l->loop = stalls_loop_name(r->way);
	l->has_duration = true;
	l->duration_ns = reader_duration(s->trace, r->duration);
	l->cpu_ns = (uint64_t)r->number;
	if (place->rest && r[1].kind == TRACE_TEXT)
		memcpy(&l->away, (const char *)&r[1] + 1, sizeof l->away);
}

/* What `ret` is.  */
static void tell_result(struct line *l, const struct trace_record *r)
{
	switch (r->kind) {
	case TRACE_CALL: case TRACE_RETURN: case TRACE_FORK: case TRACE_REAP: case TRACE_EXIT: case TRACE_DUP: case TRACE_KEEP:
		l->has_result = true;
		l->result = r->number;
		break;
	case TRACE_WOULD_BLOCK:
		l->has_result = true;
		l->result = -EAGAIN;
		break;
	case TRACE_EXEC:
		l->has_result = r->number || r->op;
		l->result = r->number ? r->number : r->op;
		break;
	default:
		break;
	}
}

/* The event as the record alone tells it.  */
static struct line event_of(const struct stream *s, struct process *p, const struct trace_record *r, const struct reader_place *place)
{
	struct line l = {
		.t_ns = reader_ns(s->trace, r->t), .pid = place->file->header->pid, .tid = place->tid, .event = kind_names[r->kind], .fd = r->fd,
		.is_keep = r->kind == TRACE_KEEP, .keep = r->op, .ended = r->kind == TRACE_REAP,
	};

	if (has_fd(r->kind))
		l.name = fdtable_get(&p->names, r->fd);
	if (l.name)
		l.name_size = strlen(l.name);
	if (l.ended)
		l.status = (int)r->duration;
	if (r->kind == TRACE_WATCH || r->kind == TRACE_EDGE)
		l.ready = readiness_words(r);
	l.late_ns = r->kind == TRACE_EDGE ? reader_duration(s->trace, r->lead) : 0;
	if (is_call(r->kind) || l.is_keep)
		l.call = model_call_name(r->call);
	line_flags(&l, r, model_is_poll(r->call));
	if (is_call(r->kind)) {
		l.way = model_way_name(r->way);
		l.op = r->kind == TRACE_CALL || r->kind == TRACE_ENTER ? 0 : r->op;
		l.shielded = r->flags & TRACE_SHIELD;
		l.asked = (r->kind == TRACE_CALL || r->kind == TRACE_RETURN) && (r->flags & TRACE_ASKED);
	}
	if (r->kind == TRACE_LOCK)
		tell_lock(s, &l, r);
	else if (r->kind == TRACE_AWAY)
		tell_away(s, &l, r, place);
	tell_result(&l, r);
	return l;
}

/* As what it stands for beside itself: `enter`, or a `ready` without a record.  */
static void tell_as(const struct stream *s, struct line l, const char *event)
{
	l.event = event;
	l.has_result = l.asked = false;
	s->visit(&l, s->arg);
}

static void tell_return(const struct stream *s, struct process *p, const struct trace_record *r, struct line *l)
{
	struct open_op *op = ops_find(&p->ops, r->op, r->t);

	if (!op->ready && r->result != -EINTR && r->result != -EAGAIN)
		tell_as(s, *l, kind_names[TRACE_READY]);
	l->has_duration = true;
	l->duration_ns = reader_duration(s->trace, r->t - op->enter);
	ops_remove(&p->ops, op);
}

static void tell_call(const struct stream *s, const struct trace_record *r, struct line *l)
{
	l->has_duration = true;
	l->duration_ns = reader_duration(s->trace, r->duration);
	/* A program that asked for it itself gets its EAGAIN. */
	if (l->asked)
		l->event = kind_names[TRACE_WOULD_BLOCK];
	s->visit(l, s->arg);
}

/* A call that opened an fd, at its beginning: what it opened is named after that.  */
static void tell_opening(const struct stream *s, const struct trace_record *r, const struct reader_place *place, struct line *l)
{
	struct reader_place at = *place;
	const struct trace_record *name = r->fd < 0 ? NULL : reader_name_before(r, &at);
	char text[TEXT_MAX];

	l->name = NULL;
	if (name && name->fd == r->fd) {
		l->name = text;
		l->name_size = reader_text(name, &at, text, sizeof text);
	}
	tell_call(s, r, l);
}

static void see_entered(const struct stream *s, struct process *p, const struct trace_record *r, const struct reader_place *place)
{
	struct line l = event_of(s, p, r, place);

	if (r->kind == TRACE_CALL) {
		tell_opening(s, r, place, &l);
		return;
	}
	ops_find(&p->ops, r->op, r->t - r->lead);
	l.t_ns = reader_ns(s->trace, r->t - r->lead);
	tell_as(s, l, "enter");
}

/* That it was submitted, and would block, if that is known; or what became of it.  */
static void tell_request(const struct stream *s, struct process *p, const struct trace_record *r,
			 const struct reader_place *place)
{
	struct trace_request_more more = requests_more(r, place);
	struct request *q = requests_see(&p->requests, r, place);
	struct line l = event_of(s, p, r, place);

	l.event = line_request(&l, r, &more);
	l.call = model_call_name(r->call);
	if (l.submits) {
		l.has_duration = true;
		l.duration_ns = reader_duration(s->trace, r->lead);
	} else if (r->way == TRACE_REQUEST_COMPLETED && q && q->returned && r->t >= q->submitted) {
		l.has_duration = true;
		l.duration_ns = reader_duration(s->trace, r->t - q->submitted);
	}
	l.ran_ns = r->way == TRACE_REQUEST_COMPLETED ? reader_duration(s->trace, r->lead) : 0;
	s->visit(&l, s->arg);
	if (l.submits && (r->flags & TRACE_REQUEST_BLOCKS)) {
		l.event = kind_names[TRACE_WOULD_BLOCK];
		l.submits = l.has_duration = false;
		l.has_result = true;
		l.result = -EAGAIN;
		s->visit(&l, s->arg);
	}
	if (q && r->way == TRACE_REQUEST_COLLECTED)
		requests_forget(&p->requests, q);
}

static void collect(const struct trace_switch *to, void *arg)
{
	struct stream *s = arg;

	s->switches[s->switch_count++] = *to;
}

/* Up to a moment, that the recording was switched.  */
static void tell_switches(struct stream *s, uint64_t ns)
{
	for (; s->switch_next < s->switch_count; s->switch_next++) {
		const struct trace_switch *to = &s->switches[s->switch_next];
		struct line l = {
			.t_ns = to->ns > s->trace->base_ns ? to->ns - s->trace->base_ns : 0,
			.pid = to->pid, .tid = to->pid, .event = to->off ? "off" : "on", .fd = -1,
		};

		if (l.t_ns > ns)
			return;
		s->visit(&l, s->arg);
	}
}

static void see(const struct trace_record *r, const struct reader_place *place, void *arg)
{
	struct stream *s = arg;
	struct process *p = &s->processes[place->file - s->trace->files];
	char text[TEXT_MAX];
	struct line l;

	if (r->kind == TRACE_USAGE || r->kind == TRACE_THREAD || r->kind == TRACE_OBJECT || r->kind == TRACE_STACK)
		return;
	if (s->switch_next < s->switch_count)
		tell_switches(s, reader_ns(s->trace, place->enter && r->kind != TRACE_CALL ? r->t - r->lead : r->t));
	if (place->enter) {
		see_entered(s, p, r, place);
		return;
	}
	if (!is_current(p, r))
		return;
	if (r->kind == TRACE_NAME) {
		reader_text(r, place, text, sizeof text);
		set_name(p, r->fd, text);
	}
	if (r->kind == TRACE_REQUEST) {
		tell_request(s, p, r, place);
		return;
	}
	l = event_of(s, p, r, place);
	if (r->kind == TRACE_PARK)
		ops_find(&p->ops, r->op, r->t)->ready = false;
	else if (r->kind == TRACE_READY && r->op)
		ops_find(&p->ops, r->op, r->t)->ready = true;
	else if (r->kind == TRACE_RETURN)
		tell_return(s, p, r, &l);
	if (r->kind != TRACE_CALL && !place->hidden)
		s->visit(&l, s->arg);
	else if (r->kind == TRACE_CALL && !place->entered)
		tell_call(s, r, &l);
	if (r->kind == TRACE_CLOSE)
		set_name(p, r->fd, NULL);
	else if (r->kind == TRACE_DUP)
		hand_name_on(p, r->fd, r->number);
}

void events_each(const struct trace *t, event_visitor *visit, void *arg)
{
	struct stream s = {.trace = t, .visit = visit, .arg = arg};

	s.processes = must_have(calloc(t->file_count + 1, sizeof *s.processes));
	switching_each(t, collect, &s);
	reader_each(t, NULL, see, &s);
	tell_switches(&s, UINT64_MAX);
	for (size_t i = 0; i < t->file_count; i++) {
		for (size_t fd = 0; fd < s.processes[i].names.room; fd++)
			free(s.processes[i].names.slots[fd]);
		free(s.processes[i].names.slots);
		for (size_t fd = 0; fd < s.processes[i].watched.room; fd++)
			free(s.processes[i].watched.slots[fd]);
		free(s.processes[i].watched.slots);
		ops_free(&s.processes[i].ops);
		requests_end(&s.processes[i].requests);
	}
	free(s.processes);
}
