/* asynchronous.c - a request and the thread that submitted it, each with a line of its own: the thread's goes on in user space, the
 * request's lies under it in the kernel until it is completed.
 *
 * What the thread did meanwhile is told as a whole; but if it waited for requests as this one was completed, that wait is drawn.
 * aio_error(3) and aio_return(3) only look into the program's own memory.  */
#include "asynchronous.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "color.h"
#include "picture.h"
#include "requests.h"
#include "say.h"
#include "screen.h"
#include "shim/shim.h"

enum as { AS_CALLED, AS_BACK, AS_BLOCKED, AS_READY, AS_WAITS, AS_COMPLETED, AS_NOTIFIED, AS_WOKEN, AS_SEEN, AS_COLLECTED, AS_END, AS_COUNT };

struct moment {
	enum as as;
	uint64_t ns;                    /* from the start of the trace */
};

struct story {
	const struct trace *trace;
	uint32_t number;
	struct requests requests;
	bool found, over;               /* over: it was collected, or its number is another's */
	const struct trace_file *file;
	size_t fd;
	struct request request;
	uint32_t notified_by, learned_by;       /* threads */
	uint64_t notified;              /* ticks: itself, or its list */
	bool by_thread;
	/* Of its thread, until it learned that it is over: */
	uint64_t calls, waited_ns;
	struct model_wait wait;         /* the latest for requests, perhaps of the call that submitted it; end_ns 0: none */
	struct moment moments[AS_COUNT];
	size_t count;
};

/* What happened.  */

static bool is_call(const struct trace_record *r)
{
	return r->kind == TRACE_CALL || r->kind == TRACE_RETURN ||
	       (r->kind == TRACE_REQUEST && (r->way == TRACE_REQUEST_SUBMITTED || r->way == TRACE_REQUEST_COLLECTED));
}

static void see_wait(const struct model_wait *w, void *arg)
{
	struct story *s = arg;
	const struct request *q = &s->request;

	if (s->over || q->seen || q->collected || (s->found && w->tid != q->tid) || w->polled)
		return;
	if (w->direction == DIRECTION_REQUEST)
		s->wait = *w;
	if (s->found)
		s->waited_ns += w->end_ns - w->start_ns;
}

/* It was submitted by this thread, which may wait in that call.  */
static void find(struct story *s, const struct request *q, const struct reader_place *place)
{
	uint64_t back = reader_ns(s->trace, q->returned);

	s->found = true;
	s->file = place->file;
	if (s->wait.tid != q->tid || s->wait.end_ns <= back) {
		s->wait.end_ns = 0;
		return;
	}
	s->wait.start_ns = back;
	s->waited_ns = s->wait.end_ns - back;
}

static void see(const struct trace_record *r, const struct reader_place *place, const struct model_process *process, size_t fd,
		void *arg)
{
	struct story *s = arg;
	const struct request *q;

	(void)process;
	if (s->over || (s->found && place->file != s->file))
		return;
	if (s->found && place->tid == s->request.tid && !s->request.seen && !s->request.collected && is_call(r) &&
	    r->op != s->number)
		s->calls++;
	if (r->kind != TRACE_REQUEST || (r->op != s->number && (!s->found || !s->request.list || r->op != s->request.list)))
		return;
	if (r->way == TRACE_REQUEST_NOTIFIED) {
		s->notified = r->t;
		s->by_thread = r->flags & TRACE_REQUEST_THREAD;
		s->notified_by = place->tid;
	}
	if (r->op != s->number)
		return;
	s->over = s->found && r->way == TRACE_REQUEST_SUBMITTED;
	if (s->over)
		return;
	q = requests_see(&s->requests, r, place);
	if (!q)
		return;
	if (!s->found) {
		s->fd = fd;
		find(s, q, place);
	}
	s->request = *q;
	if (r->way == TRACE_REQUEST_SEEN || r->way == TRACE_REQUEST_COLLECTED)
		s->learned_by = place->tid;
	s->over = r->way == TRACE_REQUEST_COLLECTED;
}

/* Their order.  */

static void add(struct story *s, enum as as, uint64_t ns)
{
	size_t i = s->count++;

	for (; i && s->moments[i - 1].ns > ns; i--)
		s->moments[i] = s->moments[i - 1];
	s->moments[i] = (struct moment){as, ns};
}

static void add_ticks(struct story *s, enum as as, uint64_t ticks)
{
	if (ticks)
		add(s, as, reader_ns(s->trace, ticks));
}

static bool has_wait(const struct story *s)
{
	uint64_t ns = s->request.completed ? reader_ns(s->trace, s->request.completed) : UINT64_MAX;

	return s->wait.end_ns && s->wait.start_ns <= ns && (s->wait.end_ns >= ns || s->wait.left);
}

static void put_in_order(struct story *s, const struct model_process *process)
{
	const struct request *q = &s->request;
	uint64_t back = reader_ns(s->trace, q->returned);
	bool waits = q->returned && has_wait(s);

	if (q->returned)
		add_ticks(s, AS_CALLED, q->submitted);
	/* What is completed in the call was before it returned. */
	if (q->returned && !(waits && s->wait.start_ns <= back))
		add_ticks(s, AS_BACK, q->completed == q->returned ? q->returned + 1 : q->returned);
	add_ticks(s, AS_BLOCKED, q->blocked);
	add_ticks(s, AS_READY, q->ready);
	add_ticks(s, AS_COMPLETED, q->completed);
	if (waits) {
		add(s, AS_WAITS, s->wait.start_ns);
		s->waited_ns -= s->wait.end_ns - s->wait.start_ns;
		s->calls -= s->calls && s->wait.start_ns > back;
		if (!s->wait.left && !(q->seen && q->seen_by == CALL_aio_suspend))
			add(s, AS_WOKEN, s->wait.end_ns);
	}
	add_ticks(s, AS_NOTIFIED, s->notified);
	add_ticks(s, AS_SEEN, q->seen);
	add_ticks(s, AS_COLLECTED, q->collected);
	if (!q->completed && !q->collected)
		add(s, AS_END, process->end_ns);
}

static uint64_t moment_of(const struct story *s, enum as as)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->moments[i].as == as)
			return s->moments[i].ns;
	return 0;
}

/* The words.  */

static const char *call_of(const struct story *s)
{
	return model_call_name(s->request.call);
}

/* "computes 3.1 ms, 12 calls"; of a thread that waits meanwhile, so long.  */
static void tell_meanwhile(const struct story *s, char *text, size_t size)
{
	static const enum as ends[] = {AS_WAITS, AS_SEEN, AS_COLLECTED, AS_END};
	uint64_t from = moment_of(s, AS_BACK), to = 0, waited = s->waited_ns;
	char a[16], b[16];
	size_t n;

	for (size_t i = 0; i < sizeof ends / sizeof *ends && !to; i++)
		to = moment_of(s, ends[i]);
	if (!to)
		to = s->moments[s->count - 1].ns;
	to = to > from ? to - from : 0;
	if (waited > to)
		waited = to;
	n = (size_t)snprintf(text, size, "computes for %s", duration(to - waited, a));
	if (waited && n < size)
		n += (size_t)snprintf(text + n, size - n, ", waits %s", duration(waited, b));
	if (s->calls && n < size)
		snprintf(text + n, size - n, ", %" PRIu64 " call%s", s->calls, s->calls == 1 ? "" : "s");
}

/* Than it waits, if it does.  */
static bool computes_longer(const struct story *s)
{
	uint64_t from = moment_of(s, AS_BACK), to = moment_of(s, AS_WAITS);

	return !to || to - from >= s->wait.end_ns - s->wait.start_ns;
}

static const char *wait_call(const struct story *s)
{
	return model_call_name(s->wait.call);
}

static void tell_completed(const struct story *s, char *text, size_t size)
{
	const struct request *q = &s->request;
	char result[32];

	if (model_request_direction(q->call) == DIRECTION_READ && q->result >= 0)
		snprintf(text, size, "data has arrived: %s", outcome(q->result, result));
	else
		snprintf(text, size, "completed: %s", outcome(q->result, result));
}

/* In the list.  */
static void step_text(const struct story *s, enum as as, char *text, size_t size)
{
	const struct request *q = &s->request;
	char result[32], ran[16];
	size_t n;

	switch (as) {
	case AS_CALLED:
		n = (size_t)snprintf(text, size, q->list ? "lio_listio(): %s" : "%s() called", call_of(s));
		if (q->call != CALL_aio_fsync)
			snprintf(text + n, size - n, ": %" PRIu64 " byte%s at %" PRIi64, q->length,
				 q->length == 1 ? "" : "s", q->offset);
		break;
	case AS_BACK:
		snprintf(text, size, "submitted%s", q->flags & TRACE_REQUEST_BLOCKS ? ", not in memory: EWOULDBLOCK" : "");
		break;
	case AS_BLOCKED:
		snprintf(text, size, "EWOULDBLOCK: it waits");
		break;
	case AS_READY:
		snprintf(text, size, "its fd is ready");
		break;
	case AS_WAITS:
		snprintf(text, size, "waits in %s()", wait_call(s));
		break;
	case AS_COMPLETED:
		tell_completed(s, text, size);
		n = strlen(text);
		if (q->ran && n < size)
			snprintf(text + n, size - n, "; the kernel had it for %s",
				 duration(reader_duration(s->trace, q->completed - q->ran), ran));
		break;
	case AS_NOTIFIED:
		snprintf(text, size, "%snotified by a %s", q->list ? "its list: " : "", s->by_thread ? "thread" : "signal");
		if (s->by_thread)
			snprintf(text + strlen(text), size - strlen(text), " (tid %" PRIu32 ")", s->notified_by);
		break;
	case AS_WOKEN:
		snprintf(text, size, "%s() returns", wait_call(s));
		break;
	case AS_SEEN:
		snprintf(text, size, "%s(): it is over", model_call_name(q->seen_by));
		break;
	case AS_COLLECTED:
		snprintf(text, size, "aio_return() returns %s", outcome(q->result, result));
		if (s->learned_by != q->tid && q->returned)
			snprintf(text + strlen(text), size - strlen(text), " (tid %" PRIu32 ")", s->learned_by);
		break;
	default:
		snprintf(text, size, "not over, as far as is known");
		break;
	}
}

/* The picture.  */

struct drawn {
	const struct story *story;
	struct picture *picture;
	size_t submitted, blocked, ready, completed;    /* stretches at whose beginnings it was; SIZE_MAX: none */
};

static struct stretch *stretch(struct drawn *d, enum level level, int width, size_t step, const char *text)
{
	struct stretch *s = picture_stretch(d->picture, level, width, text);

	s->step = step;
	s->ns = d->story->moments[step].ns;
	s->is_end = d->story->moments[step].as == AS_END;
	return s;
}

static void take_moment(struct drawn *d, size_t i)
{
	const struct story *s = d->story;
	const struct request *q = &s->request;
	bool in_kernel = picture_in_kernel(d->picture);
	char text[PICTURE_TEXT], result[32];

	switch (s->moments[i].as) {
	case AS_CALLED:
		snprintf(text, sizeof text, "parameters checked%s", q->flags & TRACE_REQUEST_BLOCKS ? ", no data" : "");
		stretch(d, KERNEL, 11, i, text)->narrow = true;
		break;
	case AS_BACK:
		tell_meanwhile(s, text, sizeof text);
		stretch(d, USER, 6, i, text)->grows = computes_longer(s);
		if (d->completed == SIZE_MAX)
			d->submitted = d->picture->count - 1;
		break;
	case AS_BLOCKED: case AS_READY:
		stretch(d, in_kernel ? KERNEL : USER, 5, i, "")->waiting = in_kernel && s->moments[i].as == AS_READY;
		*(s->moments[i].as == AS_READY ? &d->ready : &d->blocked) = d->picture->count - 1;
		break;
	case AS_WAITS:
		/* Beside the line of the request. */
		snprintf(text, sizeof text, "%swaiting in %s()", d->submitted == SIZE_MAX ? "  " : "", wait_call(s));
		stretch(d, KERNEL, 8, i, text)->waiting = true;
		if (d->submitted == SIZE_MAX)
			d->submitted = d->picture->count - 1;
		break;
	case AS_COMPLETED:
		stretch(d, in_kernel ? KERNEL : USER, in_kernel ? 6 : 10, i,
			in_kernel && d->submitted == SIZE_MAX ? "done at once" : "");
		d->completed = d->picture->count - 1;
		break;
	case AS_NOTIFIED:
		stretch(d, in_kernel ? KERNEL : USER, 11, i, s->by_thread ? "notified by a thread" : "notified by a signal");
		break;
	case AS_WOKEN:
		stretch(d, USER, 6, i, "");
		break;
	case AS_SEEN:
		snprintf(text, sizeof text, "%s(): over", model_call_name(q->seen_by));
		stretch(d, USER, 17, i, text);
		break;
	case AS_COLLECTED:
		snprintf(text, sizeof text, "aio_return(): %s", outcome(q->result, result));
		stretch(d, USER, 14, i, text);
		break;
	default:
		stretch(d, in_kernel ? KERNEL : USER, 5, i, "")->waiting = in_kernel;
		break;
	}
}

/* From where the thread has left it to where it was completed, or to the end.  */
static void draw_request(struct drawn *d)
{
	const struct request *q = &d->story->request;
	struct picture *p = d->picture;
	enum direction moves = model_request_direction(q->call);
	int from = d->submitted == SIZE_MAX ? p->width : p->stretches[d->submitted].at;
	int to = d->completed == SIZE_MAX ? p->width - 1 : p->stretches[d->completed].at;
	char text[PICTURE_TEXT];

	if (to <= from)
		return;
	for (int row = KERNEL_LINE + 1; row < REQUEST_LINE && from < p->width; row++)
		picture_put(p, row, from, '|');
	for (int x = from + 1; x < to; x++)
		picture_put(p, REQUEST_LINE, x, '.');
	picture_put(p, REQUEST_LINE, from, '+');
	picture_lines(p, REQUEST_TEXT, 1, from, p->width - from, d->blocked == SIZE_MAX ? "in flight" : "in flight: EWOULDBLOCK");
	if (d->ready != SIZE_MAX && p->stretches[d->ready].at > from && p->stretches[d->ready].at < to)
		picture_put(p, REQUEST_LINE, p->stretches[d->ready].at, 'o');
	if (d->completed == SIZE_MAX)
		return;
	picture_put(p, REQUEST_LINE, to, '+');
	tell_completed(d->story, text, sizeof text);
	picture_text(p, REQUEST_TEXT + 1, to - (int)strlen(text) + 1 > 0 ? to - (int)strlen(text) + 1 : 0, text);
	if (moves != DIRECTION_NONE && q->result > 0 && to - from > 12)
		picture_data(p, REQUEST_LINE, moves == DIRECTION_READ ? to - 1 : (from + to) / 2, moves == DIRECTION_WRITE);
}

static void draw(const struct story *s, int width, FILE *to)
{
	struct drawn d = {s, must_have(calloc(1, sizeof *d.picture)), SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX};
	char call[PICTURE_TEXT] = "";

	picture_begin(d.picture, width);
	if (s->request.returned)
		snprintf(call, sizeof call, "%s()", s->request.list ? "lio_listio" : call_of(s));
	picture_stretch(d.picture, USER, 4, call);
	for (size_t i = 0; i < s->count; i++)
		take_moment(&d, i);
	picture_draw(d.picture);
	draw_request(&d);
	picture_print(d.picture, to);
	free(d.picture);
}

static void print_heading(const struct story *s, const struct model_process *process, int width, FILE *to)
{
	const struct model_fd *f = s->fd < process->fd_count ? &process->fds[s->fd] : NULL;
	const struct request *q = &s->request;
	char line[600], name[512], text[32];

	screen_text(name, sizeof name, f && f->name ? f->name : "?");
	snprintf(line, sizeof line, "op %" PRIu32 ": %s() on fd %d, %s", s->number, call_of(s), q->fd, name);
	fprintf(to, "%s%.*s%s\n", color(COLOR_HEADING), width, line, color(COLOR_END));
	screen_text(name, sizeof name, *process->command ? process->command : "?");
	fprintf(to, "by %.*s (pid %" PRIu32 ", tid %" PRIu32 ")\n", width - 36, name, process->pid, q->tid);
	if (q->completed && q->returned)
		fprintf(to, "completed with %s after %s", outcome(q->result, line),
			duration(reader_duration(s->trace, q->completed > q->submitted ? q->completed - q->submitted : 0), text));
	else
		fputs(q->completed ? "completed; its submission was not recorded" : "not completed, as far as is known", to);
	fprintf(to, "%s%s\n\n", q->list ? ", one of a list" : "", q->flags & TRACE_DIRECT ? ", past the page cache (O_DIRECT)" : "");
}

static void list_steps(const struct story *s, int width, FILE *to)
{
	char name[24], since[16], text[PICTURE_TEXT], line[PICTURE_TEXT + 80];

	fprintf(to, "%-4s %13s %9s\n", "", "seconds", "after");
	for (size_t i = 0; i < s->count; i++) {
		const struct moment *m = &s->moments[i];

		snprintf(name, sizeof name, m->as == AS_END ? "end" : "t%zu", i);
		since[0] = 0;
		if (i)
			duration(m->ns - m[-1].ns, since);
		step_text(s, m->as, text, sizeof text);
		snprintf(line, sizeof line, "%-4s %13.9f %9s  %s", name, (double)m->ns / 1e9, since, text);
		fprintf(to, "%.*s\n", width, line);
	}
}

bool asynchronous_print(struct trace *t, uint32_t op, int width, FILE *to)
{
	struct story *s = must_have(calloc(1, sizeof *s));
	const struct model_process *process;
	struct model *m;
	bool found;

	s->trace = t;
	s->number = op;
	m = model_build_seen(t, see_wait, see, s);
	found = s->found;
	if (found) {
		process = &m->processes[s->file - t->files];
		put_in_order(s, process);
		print_heading(s, process, width, to);
		draw(s, width, to);
		list_steps(s, width, to);
	}
	requests_end(&s->requests);
	model_free(m);
	free(s);
	return found;
}
