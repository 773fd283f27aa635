/* filter.c - which records pass.  What is asked for is read and compared by shim/wants.c, as when it is recorded.
 *
 * An fd's name is judged when a record names it, an operation at its first record, for the whole of it.  How long operations took
 * is known only behind them: with --longer-than, a walk ahead finds those that took long enough.  */
#include "filter.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fdtable.h"
#include "ops.h"
#include "requests.h"
#include "say.h"
#include "screen.h"
#include "shim/shim.h"
#include "shim/wants.h"

struct filter {
	struct wants wants;
	struct wants_ranges pids;
	char *text;
	uint32_t *long_ops;             /* with --longer-than: those that took long, or have no end; in order */
	size_t long_count, long_room;
};

enum {
	TEXT_MAX = 512,
	BESIDE_MAX = 2048,              /* slots: more than what one poll returned can take */
};

/* As a pointer in the table of a process's fds: NAMELESS where there is none.  */
enum standing { NAMELESS, WANTED, UNWANTED };

/* What is known of a process while its records go by.  */
struct process {
	struct fdtable names;           /* enum standing of each fd's name now */
	struct open_ops ops;
	struct requests requests;
};

struct walk {
	const struct trace *trace;
	const struct filter *filter;
	const struct trace_file *first;         /* of `processes` */
	struct process *processes;
	record_visitor *visit;
	void *arg;
};

static enum op_class class_of(unsigned call)
{
	static const uint8_t classes[] = {
#define CALL(id, name, wait, class, number) OP_##class,
#include "shim/calls.def"
#undef CALL
	};

	return call < sizeof classes ? classes[call] : OP_PLAIN;
}

static bool polls(unsigned call)
{
	enum op_class class = class_of(call);

	return class == OP_POLL || class == OP_SELECT || class == OP_EPOLL;
}

static enum standing judge(const struct filter *f, const struct trace_record *name, const struct reader_place *place)
{
	char text[TEXT_MAX];
	size_t n = reader_text(name, place, text, sizeof text);

	return wants_name(&f->wants, text, n) ? WANTED : UNWANTED;
}

static enum standing standing_of(const struct process *p, int64_t fd)
{
	return (enum standing)(uintptr_t)fdtable_get(&p->names, fd);
}

static void set_standing(struct process *p, int64_t fd, enum standing v)
{
	void **place = v != NAMELESS || fdtable_get(&p->names, fd) ? fdtable_place(&p->names, fd) : NULL;

	if (place)
		*place = (void *)(uintptr_t)v;
}

static bool wants_standing(const struct filter *f, enum standing v)
{
	return v == NAMELESS ? wants_nameless(&f->wants) : v == WANTED;
}

static bool wants_fd(const struct filter *f, int fd, enum standing v)
{
	if (fd < 0)
		return wants_without_fd(&f->wants);
	return wants_number(&f->wants.fds, (unsigned)fd) && wants_standing(f, v);
}

static bool is_long(const struct walk *w, uint64_t ticks)
{
	return !w->filter->wants.longer_ns || reader_duration(w->trace, ticks) >= w->filter->wants.longer_ns;
}

/* A call that opened an fd is on that, whose name lies before it.  */
static bool passes_opening(const struct walk *w, const struct trace_record *r, const struct reader_place *place)
{
	struct reader_place at = *place;
	const struct trace_record *name = r->fd < 0 ? NULL : reader_name_before(r, &at);

	return wants_fd(w->filter, r->fd, name && name->fd == r->fd ? judge(w->filter, name, &at) : NAMELESS);
}

/* What may lie between a poll and what it returned.  */
static bool is_beside_poll(const struct trace_record *r)
{
	return r->kind == TRACE_NAME || r->kind == TRACE_TEXT || (r->kind == TRACE_READY && !r->op);
}

/* What a poll returned lies behind it, or, from a kept set, before it.  */
static bool lies_before(const struct trace_record *r)
{
	return r->way == TRACE_WAY_KEPT && class_of(r->call) == OP_POLL;
}

/* Whether a poll returned an fd that is wanted.  That fd's name may lie just before it, and will be known only then.  */
static bool returned_wanted(const struct walk *w, const struct process *p, const struct trace_record *r,
			    const struct reader_place *place)
{
	struct reader_place at = *place;
	const struct trace_record *n = r, *name = NULL;
	enum standing v = NAMELESS;

	if (lies_before(r))
		for (; at.before && r - n < BESIDE_MAX && is_beside_poll(n - 1); n--, at.before--, at.rest++)
			;
	else if (at.rest)
		n++, at.rest--;
	for (; n != r && n - r < BESIDE_MAX && is_beside_poll(n); n++, at.rest--) {
		if (n->kind == TRACE_NAME) {
			name = n;
			v = judge(w->filter, n, &at);
		}
		if (n->kind == TRACE_READY && wants_fd(w->filter, n->fd, name && name->fd == n->fd ? v : standing_of(p, n->fd)))
			return true;
		if (!at.rest)
			break;
	}
	return false;
}

/* Whether the poll that returned this took long.  */
static bool is_of_long_poll(const struct walk *w, const struct trace_record *r, const struct reader_place *place)
{
	const int step = lies_before(r) ? 1 : -1;
	const struct trace_record *n = r;

	if (!w->filter->wants.longer_ns)
		return true;
	for (size_t left = step > 0 ? place->rest : place->before; left && (n - r) * step < BESIDE_MAX; left--) {
		n += step;
		if (!is_beside_poll(n))
			return n->kind == TRACE_CALL && n->call == r->call && is_long(w, n->duration);
	}
	return false;
}

static bool passes_call(const struct walk *w, const struct process *p, const struct trace_record *r,
			const struct reader_place *place)
{
	enum op_class class = class_of(r->call);

	if (!wants_call(&w->filter->wants, r->call) || !is_long(w, r->duration))
		return false;
	if (class == OP_OPEN || class == OP_OPEN_PAIR)
		return passes_opening(w, r, place);
	if (wants_fd(w->filter, r->fd, standing_of(p, r->fd)))
		return true;
	return polls(r->call) && returned_wanted(w, p, r, place);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static bool is_long_op(const struct filter *f, uint32_t op)
{
	return !f->wants.longer_ns || (f->long_count && bsearch(&op, f->long_ops, f->long_count, sizeof op, by_number));
}

static bool passes_operation(const struct walk *w, struct process *p, const struct trace_record *r,
			     const struct reader_place *place)
{
	struct open_op *op;
	bool passes;

	if (!r->op)
		return wants_call(&w->filter->wants, r->call) && wants_fd(w->filter, r->fd, standing_of(p, r->fd)) &&
		       is_of_long_poll(w, r, place);
	op = ops_find(&p->ops, r->op, r->t);
	if (!op->judged)
		op->passes = wants_call(&w->filter->wants, r->call) && wants_fd(w->filter, r->fd, standing_of(p, r->fd)) &&
			     is_long_op(w->filter, r->op);
	op->judged = true;
	passes = op->passes;
	if (r->kind == TRACE_RETURN)
		ops_remove(&p->ops, op);
	return passes;
}

/* By what was submitted, whatever became of it; the notice of a list has no fd.  */
static bool passes_request(const struct walk *w, struct process *p, const struct trace_record *r,
			   const struct reader_place *place)
{
	struct request *q = requests_see(&p->requests, r, place);
	bool begins = !q || r->way == TRACE_REQUEST_SUBMITTED || !q->returned, passes;

	passes = begins ? wants_call(&w->filter->wants, r->call) && wants_fd(w->filter, r->fd, standing_of(p, r->fd)) &&
				  is_long_op(w->filter, r->op) :
			  q->passes;
	if (q)
		q->passes = passes;
	if (q && r->way == TRACE_REQUEST_COLLECTED)
		requests_forget(&p->requests, q);
	return passes;
}

/* Of a thread as a whole.  What has no duration has no end.  */
static bool passes_stretch(const struct walk *w, const struct trace_record *r)
{
	return !w->filter->wants.calls_only && wants_without_fd(&w->filter->wants) && (!r->duration || is_long(w, r->duration));
}

static bool shows_fd(const struct filter *f, const struct process *p, const struct trace_record *r)
{
	const struct wants_ranges *fds = &f->wants.fds;

	if (!wants_more_than_calls(&f->wants) || !wants_standing(f, standing_of(p, r->fd)))
		return false;
	return wants_number(fds, (unsigned)r->fd) || (r->kind == TRACE_DUP && wants_number(fds, (uint64_t)r->number));
}

static void see(const struct trace_record *r, const struct reader_place *place, void *arg)
{
	const struct walk *w = arg;
	struct process *p = &w->processes[place->file - w->first];
	struct reader_place hidden = *place;
	bool passes = true;

	switch (r->kind) {
	case TRACE_NAME:
		set_standing(p, r->fd, judge(w->filter, r, place));
		hidden.hidden = !shows_fd(w->filter, p, r);
		break;
	case TRACE_CLOSE:
		hidden.hidden = !shows_fd(w->filter, p, r);
		set_standing(p, r->fd, NAMELESS);
		break;
	case TRACE_DUP:
		hidden.hidden = !shows_fd(w->filter, p, r);
		set_standing(p, r->number, standing_of(p, r->fd));
		break;
	case TRACE_CALL: passes = passes_call(w, p, r, place); break;
	case TRACE_ENTER: passes = wants_call(&w->filter->wants, r->call) && wants_fd(w->filter, r->fd, standing_of(p, r->fd)); break;
	case TRACE_WOULD_BLOCK: case TRACE_PARK: case TRACE_READY: case TRACE_RETURN:
		passes = passes_operation(w, p, r, place);
		break;
	case TRACE_REQUEST: passes = passes_request(w, p, r, place); break;
	case TRACE_KEEP:
		passes = wants_call(&w->filter->wants, r->call) && wants_without_fd(&w->filter->wants) && is_long(w, 0);
		break;
	case TRACE_WATCH: case TRACE_EDGE: passes = wants_fd(w->filter, r->fd, standing_of(p, r->fd)); break;
	case TRACE_LOCK: case TRACE_AWAY: passes = passes_stretch(w, r); break;
	default: break;
	}
	if (passes)
		w->visit(r, &hidden, w->arg);
}

static void walk(struct walk *w, const struct trace_file *file, record_visitor *visitor)
{
	size_t count = file ? 1 : w->trace->file_count;

	w->first = file ? file : w->trace->files;
	w->processes = must_have(calloc(count + 1, sizeof *w->processes));
	reader_walk(w->trace, file, visitor, w);
}

static void end_walk(struct walk *w, const struct trace_file *file)
{
	for (size_t i = 0; i < (file ? 1 : w->trace->file_count); i++) {
		free(w->processes[i].names.slots);
		ops_free(&w->processes[i].ops);
		requests_end(&w->processes[i].requests);
	}
	free(w->processes);
}

void filter_each(const struct trace *t, const struct trace_file *file, record_visitor *visit, void *arg)
{
	struct walk w = {.trace = t, .filter = t->filter, .visit = visit, .arg = arg};

	walk(&w, file, see);
	end_walk(&w, file);
}

static void add_long_op(struct filter *f, uint32_t op)
{
	if (f->long_count == f->long_room) {
		f->long_room = f->long_room ? f->long_room * 2 : 1024;
		f->long_ops = must_have(realloc(f->long_ops, f->long_room * sizeof *f->long_ops));
	}
	f->long_ops[f->long_count++] = op;
}

/* Until it was completed; what never was is told by the table.  */
static void time_request(const struct walk *w, struct requests *requests, const struct trace_record *r,
			 const struct reader_place *place)
{
	struct request *q = requests_see(requests, r, place);

	if (!q)
		return;
	if (r->way == TRACE_REQUEST_COMPLETED && q->returned && q->completed >= q->submitted &&
	    is_long(w, q->completed - q->submitted))
		add_long_op(w->trace->filter, r->op);
	if (r->way == TRACE_REQUEST_COLLECTED)
		requests_forget(requests, q);
}

static void note_open(struct request *q, void *filter)
{
	if (!q->completed)
		add_long_op(filter, q->op);
}

static void time_operation(const struct trace_record *r, const struct reader_place *place, void *arg)
{
	const struct walk *w = arg;
	struct process *p = &w->processes[place->file - w->first];
	struct open_ops *ops = &p->ops;
	struct open_op *op;

	if (r->kind == TRACE_REQUEST) {
		p->requests.forgets = note_open;
		p->requests.arg = w->trace->filter;
		time_request(w, &p->requests, r, place);
	}
	if ((r->kind != TRACE_WOULD_BLOCK && r->kind != TRACE_RETURN) || !r->op)
		return;
	op = ops_find(ops, r->op, place->enter ? r->t - r->lead : r->t);
	if (r->kind != TRACE_RETURN)
		return;
	if (is_long(w, r->t - op->enter))
		add_long_op(w->trace->filter, r->op);
	ops_remove(ops, op);
}

static void find_long_ops(struct trace *t)
{
	struct walk w = {.trace = t, .filter = t->filter};
	struct filter *f = t->filter;

	walk(&w, NULL, time_operation);
	for (size_t i = 0; i < t->file_count; i++)
		for (size_t k = 0; k < w.processes[i].ops.count; k++)
			add_long_op(f, w.processes[i].ops.open[k].op);
	end_walk(&w, NULL);
	if (f->long_count)
		qsort(f->long_ops, f->long_count, sizeof *f->long_ops, by_number);
}

static bool wants_process(const struct trace_file *file, const void *arg)
{
	const struct filter *f = arg;
	const struct trace_process *p = file->header;

	return wants_number(&f->pids, p->pid) && wants_program(&f->wants, p->command, strnlen(p->command, sizeof p->command));
}

static void add_option(struct filter *f, enum setting_id setting, const char *value)
{
	size_t used = f->text ? strlen(f->text) : 0, size = used + strlen(value) + strlen(options_name(setting)) + 3;

	f->text = must_have(realloc(f->text, size));
	snprintf(f->text + used, size - used, "%s%s=%s", used ? " " : "", options_name(setting), value);
}

void filter_apply(struct trace *t, const struct options *o)
{
	struct filter *f = must_have(calloc(1, sizeof *f));

	for (unsigned i = 0; i < WANTS_SETTINGS; i++) {
		const char *value = o->value[wants_settings[i]];

		if (value && wants_set(&f->wants, wants_settings[i], value))
			add_option(f, wants_settings[i], value);
	}
	if (o->value[SETTING_pid] && wants_read_ranges(o->value[SETTING_pid], &f->pids))
		add_option(f, SETTING_pid, o->value[SETTING_pid]);
	if (!f->text) {
		free(f);
		return;
	}
	screen_clean(f->text);
	t->filter = f;
	reader_keep(t, wants_process, f);
	if (f->wants.longer_ns)
		find_long_ops(t);
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	free(f->text);
	free(f->long_ops);
	free(f);
}

bool filter_passes_services(const struct trace *t)
{
	return !t->filter || wants_services(&t->filter->wants);
}

const char *filter_text(const struct trace *t)
{
	return t->filter ? t->filter->text : NULL;
}

const char *filter_recorded_text(const struct trace *t)
{
	static char text[TRACE_FILTER_SIZE + 1];

	memcpy(text, t->control.filter, TRACE_FILTER_SIZE);
	screen_clean(text);
	return *text ? text : NULL;
}

bool filter_lacks_processes(const struct trace *t)
{
	const char *recorded = filter_recorded_text(t);

	return (t->filter && (t->filter->pids.count || t->filter->wants.program[0])) ||
	       (recorded && strstr(recorded, options_name(SETTING_program)));
}

static bool has_option(const char *text, enum setting_id setting)
{
	char option[32];

	snprintf(option, sizeof option, "%s=", options_name(setting));
	return text && strstr(text, option);
}

bool filter_lacks_calls(const struct trace *t)
{
	static const enum setting_id settings[] = {SETTING_call, SETTING_exclude, SETTING_longer_than, SETTING_fd};

	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		if (has_option(filter_text(t), settings[i]) || has_option(filter_recorded_text(t), settings[i]))
			return true;
	return false;
}
