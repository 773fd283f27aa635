/* drawing.c - one operation as a line that goes up into user space and down into the kernel, time to the right.
 *
 * The line is made of stretches, each on one level.  Where a record tells when a stretch begins, it has a tN under it.  A wait in
 * the plain call has no record of its readiness: data arrives, and is copied, within the call that returns.  A wait for a disk
 * (TRACE_SLEPT) has none of its beginning either; with O_DIRECT, the data has a line of its own between device and program.  */
#include "drawing.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "asynchronous.h"
#include "color.h"
#include "line.h"
#include "model.h"
#include "picture.h"
#include "say.h"
#include "screen.h"
#include "shim/shim.h"

enum {
	STEPS_LISTED = 12,
	NAME_MAX_SIZE = 512,
};

enum as { AS_ENTER, AS_WOULD_BLOCK, AS_PARK, AS_READY, AS_RETURN, AS_END };

struct step {
	enum as as;
	const struct trace_record *record;      /* of AS_ENTER: the WOULD_BLOCK that told of it */
	uint64_t ns;                    /* from the start of the trace */
};

struct operation {
	const struct trace *trace;
	uint32_t number, tid;
	const struct trace_record *first;       /* NULL: there is no such operation */
	const struct model_process *process;
	struct step *steps;
	size_t count, room;
	bool over;
	uint64_t left_ns;               /* when its thread did something else meanwhile: in a handler, or it never came back */
	char name[NAME_MAX_SIZE];       /* of its fd */
};

/* What one waits for, in the words of what is waited for.  */
struct words {
	const char *none, *arrives, *moved;
};

static const struct words *words_of(unsigned call)
{
	static const struct words reading = {"no data", "data arrives", "data copied"};
	static const struct words writing = {"no room", "room is made", "data copied"};
	static const struct words accepting = {"nobody there", "somebody connects", "connection taken"};
	static const struct words connecting = {"no answer yet", "the answer arrives", "connected"};

	if (call == CALL_accept || call == CALL_accept4)
		return &accepting;
	if (call == CALL_connect)
		return &connecting;
	return model_call_direction(call) == DIRECTION_WRITE ? &writing : &reading;
}

/* The same of a file, whose wait is known afterwards.  */
static const struct words *disk_words(const struct trace_record *r)
{
	static const struct words reading = {"not all in the page cache", "data arrives there", "data copied"};
	static const struct words writing = {"not at once", "the file system is ready", "data copied"};
	static const struct words direct = {"past the page cache", "", ""};

	if (r->flags & TRACE_DIRECT)
		return &direct;
	return model_call_direction(r->call) == DIRECTION_WRITE ? &writing : &reading;
}

static bool is_disk(const struct operation *o)
{
	return o->first->flags & TRACE_SLEPT;
}

static bool is_direct(const struct operation *o)
{
	return is_disk(o) && (o->first->flags & TRACE_DIRECT);
}

static void add_step(struct operation *o, enum as as, const struct trace_record *r, uint64_t ns)
{
	if (o->count == o->room) {
		o->room = o->room ? o->room * 2 : 16;
		o->steps = must_have(realloc(o->steps, o->room * sizeof *o->steps));
	}
	o->steps[o->count++] = (struct step){as, r, ns};
}

static void collect(const struct trace_record *r, const struct reader_place *place, void *arg)
{
	struct operation *o = arg;
	uint64_t ns = reader_ns(o->trace, r->t);
	uint32_t tid = place->tid;

	if (o->over || place->enter)
		return;
	if (r->kind < TRACE_WOULD_BLOCK || r->kind > TRACE_RETURN || r->op != o->number) {
		if (o->first && tid == o->tid && !o->left_ns)
			o->left_ns = ns;
		return;
	}
	o->left_ns = 0;
	if (!o->first) {
		o->first = r;
		o->tid = tid;
		if (r->kind == TRACE_WOULD_BLOCK)
			add_step(o, AS_ENTER, r, reader_ns(o->trace, r->t - r->lead));
	}
	if (!is_disk(o) || r->kind == TRACE_RETURN || !o->count)
		add_step(o, AS_WOULD_BLOCK + (enum as)(r->kind - TRACE_WOULD_BLOCK), r, ns);
	o->over = r->kind == TRACE_RETURN;
}

/* The name that the fd had when the operation began.  */
static void find_name(const struct trace_record *r, const struct reader_place *place, void *arg)
{
	struct operation *o = arg;

	if (r->fd != o->first->fd || r->t > o->first->t)
		return;
	if (r->kind == TRACE_NAME)
		reader_text(r, place, o->name, sizeof o->name);
	else if (r->kind == TRACE_CLOSE)
		o->name[0] = 0;
}

/* In which process: where several have the number, the first by time.  SIZE_MAX: in none.  */
static size_t find_operation(const struct trace *t, uint32_t number, struct operation *found)
{
	size_t file = 0;

	*found = (struct operation){0};
	for (size_t i = 0; i < t->file_count; i++) {
		struct operation o = {.trace = t, .number = number};

		reader_each(t, &t->files[i], collect, &o);
		if (o.first && (!found->first || o.first->t < found->first->t)) {
			struct operation swap = *found;

			*found = o;
			o = swap;
			file = i;
		}
		free(o.steps);
	}
	if (!found->first)
		return SIZE_MAX;
	reader_each(t, &t->files[file], find_name, found);
	return file;
}

static const char *call_of(const struct operation *o)
{
	return model_call_name(o->first->call);
}

static bool is_guard(const struct operation *o)
{
	return o->first->way == TRACE_WAY_GUARD;
}

/* The picture.  */

static struct stretch *begin(struct picture *p, const struct operation *o, enum level level, int width, size_t step, const char *text)
{
	struct stretch *s = picture_stretch(p, level, width, text);

	s->step = step;
	if (step != PICTURE_NO_STEP) {
		s->ns = o->steps[step].ns;
		s->is_end = o->steps[step].as == AS_END;
	}
	return s;
}

/* How a wait in the plain call ended.  */
static void end_plain_wait(struct picture *p, const struct trace_record *r, const struct words *w)
{
	struct stretch *s = &p->stretches[p->count - 1];
	char text[32];

	if (r->result < 0)
		snprintf(s->end, sizeof s->end, "%s", outcome(r->result, text) + 3);
	else if (!*w->arrives)
		s->end[0] = 0;
	else if (r->result == 0 && w == words_of(CALL_read))
		snprintf(s->end, sizeof s->end, "end of data");
	else
		snprintf(s->end, sizeof s->end, "%s, %s", w->arrives, w->moved);
}

/* Whether the attempt that ended in the EWOULDBLOCK of this step, or of the next, has moved something: the PARK tells.  */
static bool is_partial(const struct operation *o, size_t i)
{
	i += o->steps[i].as == AS_ENTER ? 2 : 1;
	return i < o->count && (o->steps[i].record->flags & TRACE_PARTIAL);
}

static void take_step(struct picture *p, const struct operation *o, size_t i)
{
	const struct step *s = &o->steps[i];
	const struct trace_record *r = s->record;
	const struct words *w = words_of(r->call);
	const char *part = is_partial(o, i) ? "a part copied, " : "";
	char text[PICTURE_TEXT], result[32];
	bool waiting;

	switch (s->as) {
	case AS_ENTER:
		if (is_disk(o)) {
			snprintf(text, sizeof text, "parameters checked, %s", disk_words(r)->none);
			begin(p, o, KERNEL, 22, i, text);
			begin(p, o, KERNEL, 10, PICTURE_NO_STEP, "waiting for the disk")->waiting = true;
			break;
		}
		snprintf(text, sizeof text, "%s, %s%s", is_guard(o) ? "poll() looks" : "parameters checked", part, w->none);
		begin(p, o, KERNEL, 13, i, text);
		break;
	case AS_WOULD_BLOCK:
		if (!picture_in_kernel(p)) {
			snprintf(text, sizeof text, "%s%s", part, w->none);
			begin(p, o, KERNEL, 9, PICTURE_NO_STEP, text);
		}
		begin(p, o, USER, 9, i, is_guard(o) ? "poll(): not ready, so the plain call" : "EWOULDBLOCK, kept from the program");
		break;
	case AS_PARK:
		snprintf(text, sizeof text, "waiting in %s()", r->flags & TRACE_WAIT_DIRECT ? "ppoll" : call_of(o));
		begin(p, o, KERNEL, 10, i, text)->waiting = true;
		break;
	case AS_READY:
		if (picture_in_kernel(p))
			snprintf(p->stretches[p->count - 1].end, PICTURE_TEXT, "%s", r->length & (POLLIN | POLLOUT) ? w->arrives : "the peer is gone");
		begin(p, o, USER, 7, i, "ready: once more");
		break;
	case AS_RETURN:
		if (picture_in_kernel(p))
			end_plain_wait(p, r, is_disk(o) ? disk_words(r) : w);
		else
			begin(p, o, KERNEL, 8, PICTURE_NO_STEP, r->result < 0 ? "" : w->moved);
		snprintf(text, sizeof text, "returns %s", outcome(r->result, result));
		begin(p, o, USER, 9, i, text);
		break;
	case AS_END:
		waiting = picture_in_kernel(p);
		begin(p, o, waiting ? KERNEL : USER, 4, i, "")->waiting = waiting;
		break;
	}
}

/* What the device writes into the program's buffer, or takes from there: a line through the kernel, past its own.  */
static void draw_data(struct picture *p, const struct operation *o)
{
	bool writes = model_call_direction(o->first->call) == DIRECTION_WRITE;
	const char *text = writes ? "the device takes the data from there" : "the device writes the data there";
	int at = 0, half = (int)strlen(text) / 2;

	for (size_t i = 0; i < p->count; i++)
		if (p->stretches[i].waiting)
			at = p->stretches[i].at + p->stretches[i].width * 2 / 3;
	picture_data(p, DEVICE, at, writes);
	picture_text(p, DEVICE, at > half ? at - half : 0, text);
	picture_text(p, DEVICE, 0, "Device");
}

/* The steps from..to-1 on one line that goes up and down.  */
static void draw(const struct operation *o, size_t from, size_t until, int width, FILE *to)
{
	struct picture *p = must_have(calloc(1, sizeof *p));
	char call[PICTURE_TEXT] = "";

	picture_begin(p, width);
	if (!from)
		snprintf(call, sizeof call, "%s()", call_of(o));
	begin(p, o, USER, 4, PICTURE_NO_STEP, call);
	for (size_t i = from; i < until; i++)
		take_step(p, o, i);
	picture_draw(p);
	if (is_direct(o) && until == o->count)
		draw_data(p, o);
	picture_print(p, to);
	free(p);
}

/* A round is an attempt and the wait after it.  Of many, the first and the last are drawn.  */
static void draw_rounds(const struct operation *o, int width, FILE *to)
{
	size_t rounds = 0, first_end = o->count, last = 0;

	for (size_t i = 0; i < o->count; i++) {
		if (o->steps[i].as != AS_WOULD_BLOCK)
			continue;
		if (++rounds == 1)
			continue;
		if (rounds == 2)
			first_end = i;
		last = i;
	}
	draw(o, 0, first_end, width, to);
	if (rounds > 2)
		fprintf(to, "... and so on, %zu time%s ...\n\n", rounds - 2, rounds == 3 ? "" : "s");
	if (rounds > 1)
		draw(o, last, o->count, width, to);
}

/* The words.  */

static void step_text(const struct operation *o, size_t i, char *text, size_t size)
{
	const struct trace_record *r = o->steps[i].record;
	const struct words *w = words_of(r->call);
	bool plain = i && o->steps[i - 1].as == AS_PARK;
	const char *before;
	char result[32];

	switch (o->steps[i].as) {
	case AS_ENTER:
		if (r->length)
			snprintf(text, size, "%s() called: %" PRIu64 " byte%s", call_of(o), r->length, r->length == 1 ? "" : "s");
		else
			snprintf(text, size, "%s() called", call_of(o));
		break;
	case AS_WOULD_BLOCK:
		snprintf(text, size, is_guard(o) ? "%s, says poll()" : "%s: EWOULDBLOCK", w->none);
		break;
	case AS_PARK:
		snprintf(text, size, "parked in %s%s()%s", r->flags & TRACE_WAIT_DIRECT ? "" : "the plain ",
			 r->flags & TRACE_WAIT_DIRECT ? "ppoll" : call_of(o), r->flags & TRACE_PARTIAL ? ", with a part done" : "");
		break;
	case AS_READY:
		snprintf(text, size, "ready: %s", r->length & (POLLIN | POLLOUT) ? w->arrives : "an error, or the peer is gone");
		break;
	case AS_RETURN:
		before = r->result < 0 ? "" : is_disk(o) ? "waited for the disk, " : plain ? "ready, and " : "";
		snprintf(text, size, "%s%s() returns %s", before, call_of(o), outcome(r->result, result));
		break;
	case AS_END:
		snprintf(text, size, "%s", o->left_ns ? "left: its thread went on" : o->process->reaped ? "killed, as its parent was told" :
			 o->process->exit_status >= 0 ? "the process exited" : "no more is known: killed, or the trace ends");
		break;
	}
}

static void print_step(const struct operation *o, size_t i, int width, FILE *to)
{
	const struct step *s = &o->steps[i];
	char name[24], since[16] = "", text[PICTURE_TEXT], line[PICTURE_TEXT + 80];

	snprintf(name, sizeof name, s->as == AS_END ? "end" : "t%zu", i);
	if (i)
		duration(s->ns - s[-1].ns, since);
	step_text(o, i, text, sizeof text);
	snprintf(line, sizeof line, "%-4s %13.9f %9s  %s", name, (double)s->ns / 1e9, since, text);
	fprintf(to, "%.*s\n", width, line);
}

static void list_steps(const struct operation *o, int width, FILE *to)
{
	size_t half = STEPS_LISTED / 2;

	fprintf(to, "%-4s %13s %9s\n", "", "seconds", "after");
	for (size_t i = 0; i < o->count; i++) {
		if (o->count > STEPS_LISTED && i == half) {
			i = o->count - half;
			fprintf(to, "...  %zu more\n", i - half);
		}
		print_step(o, i, width, to);
	}
}

/* One fact a line.  */
static void print_heading(const struct operation *o, int width, FILE *to)
{
	static const char *const how[TRACE_WAY_COUNT] = {
		[TRACE_WAY_NONE] = "not kept from blocking",
		[TRACE_WAY_DONTWAIT] = "MSG_DONTWAIT: attempted first, which cannot block",
		[TRACE_WAY_NOWAIT] = "RWF_NOWAIT: attempted first, which cannot block",
		[TRACE_WAY_GUARD] = "guard: poll() asked first, then the plain call waited",
		[TRACE_WAY_FLAG] = "O_NONBLOCK on the fd: attempted first, which cannot block",
	};
	static const char *const files[] = {
		"a file: no attempt can tell; its thread slept, so it waited",
		"O_DIRECT: between the device and the program, past the page cache",
	};
	const struct step *last = &o->steps[o->count - 1];
	unsigned way = o->first->way < TRACE_WAY_COUNT ? o->first->way : TRACE_WAY_NONE;
	char line[NAME_MAX_SIZE + 64], name[NAME_MAX_SIZE], text[32];

	screen_text(name, sizeof name, *o->name ? o->name : "?");
	snprintf(line, sizeof line, "op %" PRIu32 ": %s() on fd %d, %s", o->number, call_of(o), o->first->fd, name);
	fprintf(to, "%s%.*s%s\n", color(COLOR_HEADING), width, line, color(COLOR_END));
	screen_text(name, sizeof name, *o->process->command ? o->process->command : "?");
	fprintf(to, "by %.*s (pid %" PRIu32 ", tid %" PRIu32 ")\n", width - 36, name, o->process->pid, o->tid);
	if (last->as == AS_RETURN)
		fprintf(to, "returned %s", outcome(last->record->result, text));
	else
		fputs("had not returned", to);
	fprintf(to, " after %s\n", duration(last->ns - o->steps[0].ns, text));
	fprintf(to, "%s\n\n", is_disk(o) ? files[is_direct(o)] : how[way]);
}

/* Of an operation that has not returned.  */
static uint64_t end_of(const struct operation *o, const struct model *m)
{
	if (o->left_ns)
		return o->left_ns;
	return o->process->reaped || o->process->exit_status >= 0 ? o->process->end_ns : m->wall_ns;
}

void drawing_print(struct trace *t, uint32_t op, int width, FILE *to)
{
	struct operation o;
	size_t file = find_operation(t, op, &o);
	struct model *m;

	if (file == SIZE_MAX) {
		if (!asynchronous_print(t, op, width, to))
			die(STATUS_FAILED, "--op %" PRIu32 ": no such operation: those that had to wait have op=N in eagain log", op);
		return;
	}
	m = model_build(t, NULL, NULL);
	o.process = &m->processes[file];
	if (!o.over)
		add_step(&o, AS_END, o.steps[o.count - 1].record, end_of(&o, m));
	print_heading(&o, width, to);
	draw_rounds(&o, width, to);
	list_steps(&o, width, to);
	free(o.steps);
	model_free(m);
}
