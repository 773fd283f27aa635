/* export_chrome.c - Chrome's JSON trace format, which chrome://tracing and Perfetto open.
 *
 * Times are in microseconds from the start of the trace.  Rows that are no thread's are threads, too, with numbers that no thread
 * can have.  A slice whose end is known is written at once (X), others as they begin and end (B, E); requests, which overlap, as
 * asynchronous ones (b, e), by the number of their track.  A flow is written when its
 * end is known: its two halves (s, f) together, each within its slice.  */
#include <string.h>

#include "export.h"
#include "jsontext.h"
#include "tracks.h"

/* Of one event: ten strings of 512 bytes, all of them escaped, were they possible.  */
enum { EVENT_MAX = 1 << 15 };

struct chrome {
	FILE *to;
	bool is_begun;
	uint64_t flow_count;
	char event[EVENT_MAX];
	struct text text;
};

static struct text *begin_event(struct chrome *c, char phase, uint32_t pid, uint32_t tid)
{
	struct text *t = &c->text;

	*t = (struct text){c->event, c->event + sizeof c->event};
	if (c->is_begun)
		text_literal(t, ",\n");
	c->is_begun = true;
	text_literal(t, "{\"ph\":\"");
	text_char(t, phase);
	text_literal(t, "\",\"pid\":");
	text_number(t, pid, 10);
	text_literal(t, ",\"tid\":");
	text_number(t, tid, 10);
	return t;
}

static void end_event(struct chrome *c)
{
	text_char(&c->text, '}');
	fwrite_unlocked(c->event, 1, (size_t)(c->text.at - c->event), c->to);
}

static void string(struct text *t, const char *s)
{
	jsontext(t, s, strlen(s));
}

static void number(struct text *t, int64_t n)
{
	if (n < 0)
		text_char(t, '-');
	text_number(t, n < 0 ? -(uint64_t)n : (uint64_t)n, 10);
}

static void microseconds(struct text *t, const char *key, uint64_t ns)
{
	text_literal(t, ",\"");
	text_string(t, key);
	text_literal(t, "\":");
	text_decimals(t, ns, 3);
}

static void name(struct text *t, const char *category, const char *what)
{
	text_literal(t, ",\"cat\":");
	string(t, category);
	text_literal(t, ",\"name\":");
	string(t, what);
}

static void arguments(struct text *t, const struct track_slice *s)
{
	text_literal(t, ",\"args\":{");
	for (size_t i = 0; i < s->arg_count; i++) {
		const struct track_arg *a = &s->args[i];

		if (i)
			text_char(t, ',');
		string(t, a->key);
		text_char(t, ':');
		if (a->text)
			string(t, a->text);
		else
			number(t, a->number);
	}
	text_char(t, '}');
}

static void metadata(struct chrome *c, const struct track *track, const char *what, const char *key, const char *text)
{
	struct text *t = begin_event(c, 'M', track->pid, track->tid);

	text_literal(t, ",\"name\":");
	string(t, what);
	text_literal(t, ",\"args\":{");
	string(t, key);
	text_char(t, ':');
	if (text)
		string(t, text);
	else
		text_number(t, track->rank, 10);
	text_char(t, '}');
	end_event(c);
}

static void print_track(const struct track *track, void *arg)
{
	struct chrome *c = arg;

	if (track->type == TRACK_COUNTER || track->type == TRACK_REQUESTS)
		return;
	if (track->type == TRACK_PROCESS) {
		metadata(c, track, "process_name", "name", track->name);
		metadata(c, track, "process_sort_index", "sort_index", NULL);
		return;
	}
	metadata(c, track, "thread_name", "name", track->name);
	metadata(c, track, "thread_sort_index", "sort_index", NULL);
}

static void print_half(struct chrome *c, char phase, uint32_t pid, uint32_t tid, uint64_t ns)
{
	struct text *t = begin_event(c, phase, pid, tid);

	microseconds(t, "ts", ns);
	name(t, "flow", "flow");
	text_literal(t, ",\"id\":");
	text_number(t, c->flow_count, 10);
	if (phase == 'f')
		text_literal(t, ",\"bp\":\"e\"");
	end_event(c);
}

static void print_flows(struct chrome *c, const struct track *track, const struct track_slice *s)
{
	for (size_t i = 0; i < s->flow_count; i++) {
		const struct wire_source *from = &s->flows[i].from;

		c->flow_count++;
		print_half(c, 's', from->pid, from->tid, from->ns);
		print_half(c, 'f', track->pid, track->tid, s->start_ns);
	}
}

/* One that ends as it begins would be over before its flows.  */
static bool is_whole(const struct track_slice *s)
{
	return s->told_ns != TRACKS_OPEN && s->told_ns > s->start_ns;
}

/* No arrow can begin or end in one.  */
static void print_asynchronous(struct chrome *c, char phase, const struct track *track, const struct track_slice *s, uint64_t ns)
{
	struct text *t = begin_event(c, phase, track->pid, track->tid);

	microseconds(t, "ts", ns);
	name(t, s->category, s->name);
	text_literal(t, ",\"id\":");
	text_number(t, track->id, 10);
	arguments(t, s);
	end_event(c);
}

static void print_begin(const struct track *track, const struct track_slice *s, void *arg)
{
	struct chrome *c = arg;
	struct text *t;

	if (track->type == TRACK_REQUESTS) {
		print_asynchronous(c, 'b', track, s, s->start_ns);
		return;
	}
	t = begin_event(c, is_whole(s) ? 'X' : 'B', track->pid, track->tid);
	microseconds(t, "ts", s->start_ns);
	if (is_whole(s))
		microseconds(t, "dur", s->told_ns - s->start_ns);
	name(t, s->category, s->name);
	arguments(t, s);
	end_event(c);
	print_flows(c, track, s);
}

static void print_end(const struct track *track, const struct track_slice *s, void *arg)
{
	struct chrome *c = arg;
	struct text *t;

	if (track->type == TRACK_REQUESTS) {
		print_asynchronous(c, 'e', track, s, s->end_ns);
		return;
	}
	print_flows(c, track, s);
	if (is_whole(s))
		return;
	t = begin_event(c, 'E', track->pid, track->tid);
	microseconds(t, "ts", s->end_ns);
	if (s->arg_count)
		arguments(t, s);
	end_event(c);
}

static void print_instant(const struct track *track, const struct track_slice *s, void *arg)
{
	struct chrome *c = arg;
	struct text *t = begin_event(c, 'i', track->pid, track->tid);

	microseconds(t, "ts", s->start_ns);
	text_literal(t, ",\"s\":\"t\"");
	name(t, s->category, s->name);
	arguments(t, s);
	end_event(c);
}

static void print_counter(const struct track *track, uint64_t ns, uint64_t value, void *arg)
{
	struct chrome *c = arg;
	struct text *t = begin_event(c, 'C', track->pid, track->tid);

	microseconds(t, "ts", ns);
	text_literal(t, ",\"name\":");
	string(t, track->name);
	text_literal(t, ",\"args\":{\"bytes\":");
	text_number(t, value, 10);
	text_char(t, '}');
	end_event(c);
}

void chrome_print(struct trace *t, FILE *to)
{
	static const struct tracks_sink sink = {print_track, print_begin, print_end, print_instant, print_counter};
	static struct chrome c;

	c.to = to;
	fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", to);
	tracks_walk(t, &sink, &c);
	fputs("\n]}\n", to);
}
