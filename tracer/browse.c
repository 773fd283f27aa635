/* browse.c - the timeline with keys: a window on the trace's time, a cursor in it, and lists of what is under the cursor.
 *
 * The cells of all lanes, or of many, are kept as long as the window stays: to scroll costs nothing, to look elsewhere one more
 * way through the trace.  Keys that came meanwhile are all obeyed before the next one.  */
#include "browse.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "color.h"
#include "drawing.h"
#include "listing.h"
#include "pager.h"
#include "say.h"
#include "screen.h"
#include "terminal.h"

enum {
	AROUND = 5,                     /* lines above and below the lanes */
	LABELS_MEASURED = 1000,
	CELLS_MAX = 8 << 20,            /* bytes */
	SLOW_NS = 300000000,            /* a way through the trace that takes as long is announced */
	NAME_SIZE = 512,
	COLUMNS_MIN = 20,
};

static const char help[] =
	"Time from left to right; a lane for each thread, or each fd that was waited for.\n"
	"A character is what most of its stretch of time was:\n"
	"\n"
	"  r  waits to read          #  runs, or waits unseen\n"
	"  w  waits to write         -  not waited for (an fd)\n"
	"  p  in poll                +  the same, and a wait ended here\n"
	"  s  sleeps                 >  exec: another program\n"
	"  c  waits for a child      ?  not known: was waiting when last seen\n"
	"  l  waits for a lock       !  something is ready, and not taken\n"
	"  g  waits for a signal\n"
	"  a capital: such a wait ended here\n"
	"\n"
	"  left right, h l    the cursor, and at its edge the window\n"
	"  < >, shift-arrows  the window, by half of it\n"
	"  + -                zoom in and out, around the cursor;  0  all of the trace\n"
	"  home end           the beginning, the end of the trace\n"
	"  w b                where a wait of the lane ends: the next, the one before\n"
	"  up down, k j       the lane; page up and down, g G: the first, the last\n"
	"  tab                lanes of threads, or of fds\n"
	"  enter, space       list what was going on under the cursor\n"
	"  o                  draw the operation under the cursor, or selected in a list\n"
	"  / n N              a lane by its name: search, the next, the one before\n"
	"  q                  quit, or back\n";

/* The lanes of one kind, and where one is in them.  */
struct side {
	struct lanes lanes;
	bool made;
	size_t top, selected;
	int label_width;
};

struct browser {
	struct trace *trace;
	struct model *model;
	struct side sides[2];           /* by thread, by fd */
	struct side *side;
	struct stretch window;
	int rows, cursor;               /* of lanes; the column */
	struct cell *cells;
	const struct side *filled;      /* whose lanes the cells are, of which window, from which lane on, how many */
	struct stretch filled_window;
	size_t filled_from, filled_count;
	bool slow, gone;
	char pattern[64], message[128];
};

/* The window: so that its columns are whole nanoseconds, and it lies within the trace as long as it is not larger.  */
static void look_at(struct browser *b, uint64_t from_ns, uint64_t column_ns)
{
	uint64_t wall = b->model->wall_ns, whole = wall / (uint64_t)b->window.columns + 1, span;

	column_ns = column_ns < 1 ? 1 : column_ns > whole ? whole : column_ns;
	span = column_ns * (uint64_t)b->window.columns - 1;
	if (from_ns > wall || wall - from_ns < span)
		from_ns = wall > span ? wall - span : 0;
	b->window.from_ns = from_ns;
	b->window.column_ns = column_ns;
	b->window.to_ns = from_ns + span;
}

static uint64_t cursor_ns(const struct browser *b)
{
	return b->window.from_ns + (uint64_t)b->cursor * b->window.column_ns;
}

/* Around a moment, which the cursor is set to.  */
static void look_around(struct browser *b, uint64_t ns, uint64_t column_ns)
{
	uint64_t before = (uint64_t)b->cursor * column_ns;

	look_at(b, ns > before ? ns - before : 0, column_ns);
	ns = ns < b->window.from_ns ? b->window.from_ns : ns > b->window.to_ns ? b->window.to_ns : ns;
	b->cursor = (int)((ns - b->window.from_ns) / b->window.column_ns);
}

static void zoom(struct browser *b, bool in)
{
	uint64_t column_ns = b->window.column_ns;

	look_around(b, cursor_ns(b), in ? column_ns / 2 : column_ns > UINT64_MAX / 2 ? column_ns : column_ns * 2);
}

/* The window by so many columns, under the cursor.  */
static void pan(struct browser *b, int columns)
{
	uint64_t by = (uint64_t)abs(columns) * b->window.column_ns, from = b->window.from_ns;

	look_at(b, columns > 0 ? from + by : from > by ? from - by : 0, b->window.column_ns);
}

/* At the edge, the window moves on by a quarter, and the cursor stays at its moment.  */
static void step(struct browser *b, int by)
{
	uint64_t ns = cursor_ns(b);

	if (b->cursor + by < 0 || b->cursor + by >= b->window.columns) {
		pan(b, by * (b->window.columns / 4));
		b->cursor = (int)((ns - b->window.from_ns) / b->window.column_ns);
	}
	if (b->cursor + by >= 0 && b->cursor + by < b->window.columns)
		b->cursor += by;
}

/* Where the lane's next wait ends, or the one before.  */
struct jump {
	const struct lanes *lanes;
	size_t lane;
	bool forward, found;
	uint64_t from_ns, to_ns;
};

static void see_jump(const struct model_wait *w, void *arg)
{
	struct jump *j = arg;

	if (w->left || (j->forward ? w->end_ns < j->from_ns : w->end_ns >= j->from_ns) || lanes_of(j->lanes, w) != j->lane)
		return;
	if (!j->found || (j->forward ? w->end_ns < j->to_ns : w->end_ns > j->to_ns))
		j->to_ns = w->end_ns;
	j->found = true;
}

static void jump(struct browser *b, bool forward)
{
	struct jump j = {&b->side->lanes, b->side->selected, forward, false, cursor_ns(b) + (forward ? b->window.column_ns : 0), 0};
	uint64_t ns;

	if (b->slow)
		terminal_note("reading the trace ...");
	model_waits(b->trace, b->model, see_jump, &j);
	ns = j.to_ns;
	if (!j.found) {
		snprintf(b->message, sizeof b->message, "no wait of this lane ends %s", forward ? "later" : "before");
	} else if (ns >= b->window.from_ns && ns <= b->window.to_ns) {
		b->cursor = (int)((ns - b->window.from_ns) / b->window.column_ns);
	} else {
		b->cursor = b->window.columns / 2;
		look_around(b, ns, b->window.column_ns);
	}
}

static void turn_to(struct browser *b, bool by_fd)
{
	struct side *s = &b->sides[by_fd];

	if (!s->made)
		lanes_make(&s->lanes, b->trace, b->model, by_fd);
	s->made = true;
	b->side = s;
}

/* To the size of the terminal.  */
static void fit(struct browser *b)
{
	struct side *s = b->side;
	size_t measured = s->lanes.count < LABELS_MEASURED ? s->lanes.count : LABELS_MEASURED;
	uint64_t from = b->window.from_ns, to = b->window.to_ns, at = b->window.columns ? cursor_ns(b) : from;
	int rows, columns, before = b->window.columns;

	terminal_size(&rows, &columns);
	b->rows = rows > AROUND + 1 ? rows - AROUND : 1;
	s->label_width = timeline_label_width(&s->lanes, 0, measured, columns < 60 ? 60 : columns);
	b->window.columns = columns - s->label_width - 2;
	if (b->window.columns < COLUMNS_MIN)
		b->window.columns = COLUMNS_MIN;
	if (b->window.columns == before)
		return;
	look_at(b, from, (to - from) / (uint64_t)b->window.columns + 1);
	if (at > b->window.to_ns)
		at = b->window.to_ns;
	b->cursor = (int)((at - b->window.from_ns) / b->window.column_ns);
}

/* How many lanes, from `top` on, there is room for, under the names of their processes.  */
static size_t lanes_shown(const struct browser *b, size_t top)
{
	const struct lanes *l = &b->side->lanes;
	size_t lane = top;

	for (int row = 0; lane < l->count; lane++) {
		row += 1 + (l->by_fd && (lane == top || !lanes_same_process(l, lane)));
		if (row > b->rows)
			break;
	}
	return lane > top ? lane - top : 1;
}

static void scroll(struct browser *b)
{
	struct side *s = b->side;

	if (s->top > s->selected)
		s->top = s->selected;
	while (s->selected >= s->top + lanes_shown(b, s->top))
		s->top++;
	while (s->top && s->top - 1 + lanes_shown(b, s->top - 1) >= s->lanes.count)
		s->top--;
}

static bool is_filled(const struct browser *b, size_t from, size_t count)
{
	const struct stretch *is = &b->window, *was = &b->filled_window;

	return b->filled == b->side && is->from_ns == was->from_ns && is->column_ns == was->column_ns && is->columns == was->columns &&
	       from >= b->filled_from && from + count <= b->filled_from + b->filled_count;
}

/* Sees to the cells of the lanes on the screen.  */
static void fill(struct browser *b, size_t from, size_t count)
{
	size_t all = b->side->lanes.count, most = CELLS_MAX / ((size_t)b->window.columns * sizeof *b->cells);
	uint64_t start;

	if (!count || is_filled(b, from, count))
		return;
	if (b->slow)
		terminal_note("reading the trace ...");
	most = most < count ? count : most > all ? all : most;
	from = from > (most - count) / 2 ? from - (most - count) / 2 : 0;
	from = from > all - most ? all - most : from;
	free(b->cells);
	b->cells = must_have(malloc(most * (size_t)b->window.columns * sizeof *b->cells));
	start = reader_now();
	lanes_fill(&b->side->lanes, &b->window, from, most, b->cells);
	b->slow = reader_now() - start > SLOW_NS;
	b->filled = b->side;
	b->filled_window = b->window;
	b->filled_from = from;
	b->filled_count = most;
}

static const struct cell *cells_of(const struct browser *b, size_t lane)
{
	return b->cells + (lane - b->filled_from) * (size_t)b->window.columns;
}

static void draw_lane(const struct browser *b, size_t lane, char *text, FILE *to)
{
	const struct side *s = b->side;
	bool selected = lane == s->selected;
	char label[TIMELINE_LABEL_MAX + 1];

	lanes_label(&s->lanes, lane, label, (size_t)s->label_width + 1);
	fprintf(to, "%s%-*s%s  ", selected ? SCREEN_REVERSE : color(s->lanes.by_fd ? COLOR_NAME : COLOR_HEADING), s->label_width, label,
		selected ? SCREEN_PLAIN : color(COLOR_END));
	lanes_text(&s->lanes, &b->window, &s->lanes.lanes[lane], cells_of(b, lane), text);
	timeline_cells(text, selected ? b->cursor : -1, to);
}

static void draw_lanes(const struct browser *b, size_t shown, FILE *to)
{
	const struct side *s = b->side;
	char *text = must_have(malloc((size_t)b->window.columns + 1)), label[TIMELINE_LABEL_MAX + 1];
	int row = 0;

	for (size_t lane = s->top; lane < s->top + shown; lane++, row++) {
		const struct model_process *process = s->lanes.lanes[lane].last;

		if (s->lanes.by_fd && (lane == s->top || !lanes_same_process(&s->lanes, lane))) {
			lanes_process_label(process, process->pid, label, sizeof label);
			fprintf(to, "%s%s%s\n", color(COLOR_HEADING), label, color(COLOR_END));
			row++;
		}
		draw_lane(b, lane, text, to);
	}
	for (; row < b->rows; row++)
		fputc('\n', to);
	free(text);
}

/* As exact as the window is.  */
static const char *moment(const struct browser *b, uint64_t ns, char text[32])
{
	uint64_t unit = 1;

	while (unit <= b->window.column_ns / 10)
		unit *= 10;
	return timeline_moment(ns / unit * unit, text);
}

static void draw_title(const struct browser *b, FILE *to)
{
	char all[16], each[16], from[32], end[32];

	fprintf(to, "%seagain timeline%s  ", color(COLOR_HEADING), color(COLOR_END));
	if (b->window.from_ns || b->window.to_ns < b->model->wall_ns)
		fprintf(to, "%s to %s of ", moment(b, b->window.from_ns, from), moment(b, b->window.to_ns, end));
	fprintf(to, "%s, %s a character\n", duration(b->model->wall_ns, all), duration(b->window.column_ns, each));
}

/* What the lane was under the cursor, in shares of the time that it was there.  */
static void draw_cell(const struct browser *b, FILE *to)
{
	static const char *const words[DIRECTION_COUNT] = {
		[DIRECTION_READ] = "waits to read", [DIRECTION_WRITE] = "waits to write", [DIRECTION_POLL] = "in poll",
		[DIRECTION_SLEEP] = "sleeps", [DIRECTION_CHILD] = "waits for a child", [DIRECTION_LOCK] = "waits for a lock",
		[DIRECTION_SIGNAL] = "waits for a signal", [DIRECTION_REQUEST] = "waits for its asynchronous I/O",
	};
	const struct cell *c = cells_of(b, b->side->selected) + b->cursor;
	const struct lane *lane = &b->side->lanes.lanes[b->side->selected];
	double depth = (double)c->ns[CELL_FLIGHT] / (double)b->window.column_ns;
	const char *comma = "";
	uint64_t all = 0;

	for (size_t d = 0; d < DIRECTION_COUNT; d++)
		all += c->ns[d];
	if (!all)
		fputs("not there, or not known", to);
	for (size_t d = DIRECTION_COUNT; d-- > 0 && !lane->requests;) {
		if (!c->ns[d] || c->ns[d] < all / 100)
			continue;
		fprintf(to, "%s%s", comma, d != DIRECTION_NONE ? words[d] : b->side->lanes.by_fd ? "not waited for" : "runs, or waits unseen");
		if (c->ns[d] < all)
			fprintf(to, " %" PRIu64 "%%", (uint64_t)((double)c->ns[d] / (double)all * 100 + 0.5));
		comma = ", ";
	}
	if (all && c->ns[CELL_READY] >= all / 100)
		fprintf(to, "; something is ready %" PRIu64 "%%",
			c->ns[CELL_READY] < all ? (uint64_t)((double)c->ns[CELL_READY] / (double)all * 100 + 0.5) : 100);
	if (c->ns[CELL_FLIGHT])
		fprintf(to, "%s%.3g request%s in flight", lane->requests ? "" : "; ", depth, depth > 1 ? "s" : "");
	else if (lane->requests && all)
		fputs("no request in flight", to);
}

static void lane_name(const struct browser *b, size_t lane, char name[NAME_SIZE])
{
	const struct model_process *process = b->side->lanes.lanes[lane].last;
	size_t n;

	lanes_process_label(process, process->pid, name, NAME_SIZE / 2);
	n = strlen(name);
	if (b->side->lanes.by_fd || lanes_same_process(&b->side->lanes, lane))
		lanes_label(&b->side->lanes, lane, name + n, NAME_SIZE / 2);
}

static void draw_status(const struct browser *b, FILE *to)
{
	char at[32], name[NAME_SIZE];

	lane_name(b, b->side->selected, name);
	fprintf(to, "%s: ", moment(b, cursor_ns(b), at));
	draw_cell(b, to);
	fprintf(to, "; %s\n", name);
}

static void draw_last_line(struct browser *b, FILE *to)
{
	if (*b->message)
		fputs(b->message, to);
	else
		fprintf(to, SCREEN_REVERSE " arrows, + - zoom, tab %s, enter list, o draw, / search, ? help, q quit " SCREEN_PLAIN,
			b->side->lanes.by_fd ? "threads" : "fds");
	b->message[0] = 0;
}

static void draw(struct browser *b)
{
	size_t shown, size;
	char *frame;
	FILE *f;

	fit(b);
	scroll(b);
	shown = b->side->lanes.count ? lanes_shown(b, b->side->top) : 0;
	fill(b, b->side->top, shown);
	f = must_have(open_memstream(&frame, &size));
	draw_title(b, f);
	timeline_axis(&b->window, b->side->label_width, f);
	draw_lanes(b, shown, f);
	if (shown)
		draw_status(b, f);
	else
		fprintf(f, "nothing waited for %s\n", b->side->lanes.by_fd ? "an fd" : "anything");
	draw_last_line(b, f);
	fclose(f);
	terminal_show(frame, size);
	free(frame);
}

/* What is under the cursor.  */

static bool draw_operation(uint32_t op, void *arg)
{
	const struct browser *b = arg;
	int rows, columns;
	char *text;
	size_t size;
	FILE *f = must_have(open_memstream(&text, &size));
	bool there;

	terminal_size(&rows, &columns);
	drawing_print(b->trace, op, columns < 60 ? 60 : columns, f);
	fclose(f);
	there = pager_show(text, size);
	free(text);
	return there;
}

static void find_calls(const struct browser *b, struct listing *l)
{
	if (b->slow)
		terminal_note("reading the trace ...");
	listing_find(l, &b->side->lanes, &b->side->lanes.lanes[b->side->selected], cursor_ns(b),
		     cursor_ns(b) + b->window.column_ns - 1);
}

static void list_calls(struct browser *b)
{
	char at[32], name[NAME_SIZE], title[NAME_SIZE + 128], within[16];
	struct listing l = {0};

	find_calls(b, &l);
	lane_name(b, b->side->selected, name);
	snprintf(title, sizeof title, "%zu%s call%s at %s, within %s: %s", l.count, l.more ? " and more" : "", l.count == 1 ? "" : "s",
		 moment(b, cursor_ns(b), at), duration(b->window.column_ns, within), name);
	if (l.count)
		b->gone = !listing_show(&l, title, draw_operation, b);
	else
		snprintf(b->message, sizeof b->message, "no call was going on there, or none that is recorded");
	listing_free(&l);
}

/* The one that had to wait; of several, the one that took longest.  */
static void draw_under_cursor(struct browser *b)
{
	struct listing l = {0};
	uint32_t op;

	find_calls(b, &l);
	op = listing_longest(&l);
	listing_free(&l);
	if (op)
		b->gone = !draw_operation(op, b);
	else
		snprintf(b->message, sizeof b->message, "no operation there that would have blocked: enter lists all calls");
}

/* Search.  */

static void search(struct browser *b, bool forward)
{
	size_t count = b->side->lanes.count, lane = b->side->selected;
	char name[NAME_SIZE];

	for (size_t i = 0; i < count; i++) {
		lane = forward ? (lane + 1) % count : (lane + count - 1) % count;
		lane_name(b, lane, name);
		if (strcasestr(name, b->pattern)) {
			b->side->selected = lane;
			return;
		}
	}
	snprintf(b->message, sizeof b->message, "no lane is called like that: %s", b->pattern);
}

static void ask_pattern(struct browser *b)
{
	size_t n = 0;
	int key = KEY_REDRAW;

	b->pattern[0] = 0;
	while (key != '\n') {
		snprintf(b->message, sizeof b->message, "/%s_", b->pattern);
		draw(b);
		key = terminal_key(-1);
		if (key == KEY_BACKSPACE && n)
			n--;
		else if (key >= ' ' && key < KEY_BACKSPACE && n + 1 < sizeof b->pattern)
			b->pattern[n++] = (char)key;
		b->pattern[n] = 0;
		b->gone |= key == KEY_GONE;
		if (key == KEY_ESCAPE || b->gone)
			return;
	}
	if (n)
		search(b, true);
}

/* Keys.  */

/* Those that concern the window; false if the key does not.  */
static bool move_window(struct browser *b, int key)
{
	switch (key) {
	case KEY_LEFT: case 'h': step(b, -1); break;
	case KEY_RIGHT: case 'l': step(b, 1); break;
	case KEY_SHIFT_LEFT: case '<': pan(b, -b->window.columns / 2); break;
	case KEY_SHIFT_RIGHT: case '>': pan(b, b->window.columns / 2); break;
	case '+': case '=': zoom(b, true); break;
	case '-': zoom(b, false); break;
	case '0': look_around(b, cursor_ns(b), UINT64_MAX / 2); break;
	case KEY_HOME: look_at(b, 0, b->window.column_ns); b->cursor = 0; break;
	case KEY_END: look_at(b, UINT64_MAX, b->window.column_ns); b->cursor = b->window.columns - 1; break;
	default: return false;
	}
	return true;
}

/* Those that concern the selected lane.  */
static void use_lane(struct browser *b, int key)
{
	switch (key) {
	case 'w': jump(b, true); break;
	case 'b': jump(b, false); break;
	case '\n': case ' ': list_calls(b); break;
	case 'o': draw_under_cursor(b); break;
	case '/': ask_pattern(b); break;
	case 'n': case 'N': search(b, key == 'n'); break;
	default: break;
	}
}

/* False: it was the last.  */
static bool obey(struct browser *b, int key)
{
	struct side *s = b->side;

	if (key == 'q' || key == KEY_GONE)
		return false;
	if (key == '\t')
		turn_to(b, !s->lanes.by_fd);
	else if (key == '?')
		b->gone = !pager_show(help, sizeof help - 1);
	else if (!move_window(b, key) && s->lanes.count && !pager_move(key, &s->selected, s->lanes.count, lanes_shown(b, s->top)))
		use_lane(b, key);
	return !b->gone;
}

static void run(struct browser *b)
{
	int key;

	do {
		draw(b);
		key = terminal_key(-1);
		while (obey(b, key))
			if ((key = terminal_key(0)) == KEY_NONE)
				break;
	} while (key == KEY_NONE);
}

void browse(struct trace *t, const struct view *v)
{
	const char *missing = terminal_missing(true);
	struct browser b = {.trace = t};

	if (missing)
		die(STATUS_FAILED, "-i: %s", missing);
	b.model = model_build(t, NULL, NULL);
	b.window.from_ns = v->from_ns;
	b.window.to_ns = v->to_ns < b.model->wall_ns ? v->to_ns : b.model->wall_ns;
	if (v->from_ns && v->from_ns >= b.model->wall_ns)
		die(STATUS_FAILED, "--from: the trace ends before");
	turn_to(&b, v->by_fd);
	if (!b.side->lanes.count)
		die(STATUS_FAILED, "-i: nothing of that is in the trace");
	terminal_enter();
	run(&b);
	terminal_leave();
	for (int i = 0; i < 2; i++)
		lanes_free(&b.sides[i].lanes);
	free(b.cells);
	model_free(b.model);
}
