/* timeline.c - the picture as text: an axis, the lanes, and what their characters say.  */
#include "timeline.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "color.h"
#include "say.h"
#include "screen.h"

enum {
	LANES_SHOWN = 40,
	TICK_DISTANCE = 12,             /* columns that a tick's label has for itself, at least */
};

int timeline_label_width(const struct lanes *l, size_t first, size_t count, int width)
{
	int most = width / 3 < TIMELINE_LABEL_MAX ? width / 3 : TIMELINE_LABEL_MAX, widest = 0;
	char label[TIMELINE_LABEL_MAX + 1];

	for (size_t i = first; i < first + count; i++) {
		lanes_label(l, i, label, (size_t)most + 1);
		if ((int)strlen(label) > widest)
			widest = (int)strlen(label);
	}
	return widest;
}

static enum color color_of(char character)
{
	switch (character) {
	case 'r': case 'w': case 'p': case 'l': case 'a': return COLOR_WAIT;
	case LANE_READY: return COLOR_WOULD_BLOCK;
	case 's': case 'c': case LANE_NOT_WAITED_FOR: case LANE_NONE: return COLOR_DETAIL;
	case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9': case LANE_MANY:
		return COLOR_NAME;
	default: return COLOR_READY;
	}
}

void timeline_cells(const char *text, int cursor, FILE *to)
{
	enum color now = COLOR_END;
	int n = (int)strlen(text);

	while (n > cursor + 1 && text[n - 1] == ' ')
		n--;
	for (int i = 0; i < n; i++) {
		if (i == cursor) {
			fprintf(to, "%s" SCREEN_REVERSE "%c" SCREEN_PLAIN, color(COLOR_END), text[i]);
			now = COLOR_END;
			continue;
		}
		if (text[i] != ' ' && color_of(text[i]) != now) {
			now = color_of(text[i]);
			fprintf(to, "%s%s", color(COLOR_END), color(now));
		}
		fputc(text[i], to);
	}
	fprintf(to, "%s\n", color(COLOR_END));
}

static void print_label(int width, enum color c, const char *label, FILE *to)
{
	fprintf(to, "%s%-*s%s", color(c), width + 2, label, color(COLOR_END));
}

static void print_lane(const struct lanes *l, size_t lane, int label_width, const char *text, FILE *to)
{
	const struct model_process *process = l->lanes[lane].last;
	char label[TIMELINE_LABEL_MAX + 1];

	if (l->by_fd && !lanes_same_process(l, lane)) {
		lanes_process_label(process, process->pid, label, sizeof label);
		fprintf(to, "%s%s%s\n", color(COLOR_HEADING), label, color(COLOR_END));
	}
	lanes_label(l, lane, label, (size_t)label_width + 1);
	print_label(label_width, l->by_fd ? COLOR_NAME : COLOR_HEADING, label, to);
	timeline_cells(text, -1, to);
}

const char *timeline_moment(uint64_t ns, char text[32])
{
	double n = (double)ns;

	if (ns == 0)
		snprintf(text, 32, "0");
	else if (ns < 1000000)
		snprintf(text, 32, "%g us", n / 1e3);
	else if (ns < 1000000000)
		snprintf(text, 32, "%.9g ms", n / 1e6);
	else
		snprintf(text, 32, "%.15g s", n / 1e9);
	return text;
}

static uint64_t first_tick(const struct stretch *s, uint64_t step)
{
	return (s->from_ns + step - 1) / step * step;
}

/* Far enough apart for their labels, which are the longer the closer one looks.  */
static uint64_t choose_step(const struct stretch *s)
{
	uint64_t columns, needed = TICK_DISTANCE, step;
	char text[32];

	do {
		columns = needed;
		step = lanes_step(s->column_ns * columns);
		for (uint64_t t = first_tick(s, step); t < s->to_ns; t += step) {
			uint64_t n = strlen(timeline_moment(t, text)) + 2;

			needed = n > needed ? n : needed;
		}
	} while (needed > columns);
	return step;
}

void timeline_axis(const struct stretch *s, int label_width, FILE *to)
{
	uint64_t step = choose_step(s), columns = (uint64_t)s->columns;
	char *labels = must_have(malloc(columns + 1)), *line = must_have(malloc(columns + 1)), text[32];

	memset(labels, ' ', columns);
	memset(line, '-', columns);
	labels[columns] = line[columns] = 0;
	for (uint64_t t = first_tick(s, step); (t - s->from_ns) / s->column_ns < columns; t += step) {
		uint64_t at = (t - s->from_ns) / s->column_ns;

		timeline_moment(t, text);
		line[at] = '|';
		if (at + strlen(text) <= columns)
			memcpy(labels + at, text, strlen(text));
	}
	for (size_t n = columns; n && labels[n - 1] == ' '; n--)
		labels[n - 1] = 0;
	print_label(label_width, COLOR_END, "", to);
	fprintf(to, "%s\n", labels);
	print_label(label_width, COLOR_END, "", to);
	fprintf(to, "%s\n", line);
	free(labels);
	free(line);
}

struct legend {
	int width, column;
	FILE *to;
};

static void explain(struct legend *l, const char *text)
{
	int n = (int)strlen(text);

	if (l->column && l->column + 3 + n > l->width) {
		fputc('\n', l->to);
		l->column = 0;
	}
	l->column += fprintf(l->to, "%s%s", l->column ? "   " : "", text);
}

void timeline_legend(const bool used[128], int width, FILE *to)
{
	static const struct {
		char character;
		const char *text;
	} texts[] = {
		{'r', "r waits to read"}, {'w', "w waits to write"}, {'p', "p in poll"}, {'s', "s sleeps"}, {'c', "c waits for a child"},
		{'l', "l waits for a lock"}, {'g', "g waits for a signal"}, {'a', "a waits for its asynchronous I/O"},
		{LANE_NOT_WAITING, "# runs, or waits unseen"}, {LANE_NOT_WAITED_FOR, "- not waited for"},
		{LANE_READY, "! something is ready, and not taken"},
		{LANE_ENDED, "+ the same, and a wait ended here"}, {LANE_EXEC, "> exec: another program"},
		{LANE_NOT_KNOWN, "? not known: was waiting when last seen"},
	};
	struct legend l = {width, 0, to};
	bool capitals = false, digits = used[LANE_MANY];

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		int c = (unsigned char)texts[i].character, capital = toupper(c);

		if (used[c] || used[capital])
			explain(&l, texts[i].text);
		capitals |= capital != c && used[capital];
	}
	for (int c = '1'; c <= '9'; c++)
		digits |= used[c];
	if (digits)
		explain(&l, "1 to 9 so many requests in flight, * more, . none");
	if (capitals)
		explain(&l, "capital: such a wait ended here");
	if (l.column)
		fputc('\n', to);
}

static void print_lanes(const struct lanes *l, const struct stretch *s, int label_width, bool used[128], FILE *to)
{
	struct cell *cells = must_have(calloc(l->count * (size_t)s->columns, sizeof *cells));
	char *text = must_have(malloc((size_t)s->columns + 1));

	lanes_fill(l, s, 0, l->count, cells);
	for (size_t i = 0; i < l->count; i++) {
		lanes_text(l, s, &l->lanes[i], cells + i * (size_t)s->columns, text);
		for (const char *c = text; *c; c++)
			used[(unsigned char)*c & 127] = true;
		print_lane(l, i, label_width, text, to);
	}
	/* What it is the same as.  */
	if (used[LANE_ENDED])
		used[l->by_fd ? LANE_NOT_WAITED_FOR : LANE_NOT_WAITING] = true;
	free(cells);
	free(text);
}

static void print_title(const struct lanes *l, const struct stretch *s, FILE *to)
{
	char all[16], each[16], from[32], end[32];

	fprintf(to, "eagain: %s in all", duration(l->model->wall_ns, all));
	if (s->from_ns || s->to_ns < l->model->wall_ns)
		fprintf(to, ", shown %s to %s", timeline_moment(s->from_ns, from), timeline_moment(s->to_ns, end));
	fprintf(to, ", %s a character\n\n", duration(s->column_ns, each));
}

static void print_picture(struct lanes *l, uint64_t from_ns, uint64_t to_ns, FILE *to)
{
	struct stretch s = {.from_ns = from_ns, .to_ns = to_ns};
	size_t left_out = lanes_choose(l, &s, LANES_SHOWN);
	int width = screen_width(to), label_width = timeline_label_width(l, 0, l->count, width);
	bool used[128] = {false};

	if (!l->count) {
		fprintf(to, "Nothing of that was there at that time.\n");
		return;
	}
	s = lanes_stretch(from_ns, to_ns, width - label_width - 2);
	print_title(l, &s, to);
	timeline_axis(&s, label_width, to);
	print_lanes(l, &s, label_width, used, to);
	if (left_out)
		fprintf(to, "%zu more %s waited less, not shown\n", left_out, l->by_fd ? "fds" : "threads");
	fputc('\n', to);
	timeline_legend(used, width, to);
}

void timeline_print(struct trace *t, const struct view *v, FILE *to)
{
	struct model *m = model_build(t, NULL, NULL);
	uint64_t end = v->to_ns < m->wall_ns ? v->to_ns : m->wall_ns;
	struct lanes l;
	char from[32], all[16];

	if (v->from_ns && v->from_ns >= m->wall_ns)
		die(STATUS_FAILED, "--from: %s: the trace ends at %s", timeline_moment(v->from_ns, from), duration(m->wall_ns, all));
	lanes_make(&l, t, m, v->by_fd);
	if (l.count)
		print_picture(&l, v->from_ns, end, to);
	else if (t->filter)
		fputs("Nothing of that is in the trace.\n", to);
	else
		fputs(v->by_fd ? "Nothing waited for an fd.\n" : "No process recorded anything.\n", to);
	lanes_free(&l);
	model_free(m);
}
