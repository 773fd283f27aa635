/* timeline.c - lanes of threads or fds, time from left to right.
 *
 * A character of a lane is what most of its stretch of time was.  A wait that ended there makes it a capital, so that one wait
 * can be told from two, however short the time between them.  */
#include "timeline.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "color.h"
#include "model.h"
#include "say.h"
#include "screen.h"

enum {
	LANES_SHOWN = 40,
	LABEL_MAX = 44,
	TICK_DISTANCE = 12,             /* columns that a tick's label has for itself */
};

struct lane {
	const struct model_process *first, *last;       /* the programs of its process, before and after exec */
	uint32_t tid;
	size_t fd;                      /* index into the process's fds, or MODEL_NO_FD: a thread */
	uint64_t start_ns, end_ns, waited_ns;
	bool waiting;                   /* its last sign is a wait that nothing ended */
};

struct cell {
	uint64_t ns[DIRECTION_COUNT];   /* waited; at DIRECTION_NONE: there, and not waiting */
	unsigned ended;                 /* 1 << direction: such a wait ended here */
};

struct picture {
	struct model *model;
	bool by_fd;
	struct model_wait *waits;
	size_t wait_count, wait_room;
	struct lane *lanes;
	size_t lane_count, lane_room;
	size_t *main_lane;              /* of each process: its main thread's lane + 1 */
	int label_width, columns;       /* the lanes' labels, and the characters right of them */
	uint64_t column_ns;
	bool used[128];                 /* the characters that the legend has to explain */
};

static const char letters[DIRECTION_COUNT] = {
	[DIRECTION_READ] = 'r', [DIRECTION_WRITE] = 'w', [DIRECTION_POLL] = 'p', [DIRECTION_SLEEP] = 's', [DIRECTION_CHILD] = 'c',
	[DIRECTION_LOCK] = 'l',
};

enum { NOT_WAITING = '#', FD_NOT_WAITED_FOR = '-', ENDED = '+', EXEC = '>', NOT_KNOWN = '?' };

static void collect(const struct model_wait *w, void *arg)
{
	struct picture *p = arg;

	if (p->wait_count == p->wait_room) {
		p->wait_room = p->wait_room ? p->wait_room * 2 : 1024;
		p->waits = must_have(realloc(p->waits, p->wait_room * sizeof *p->waits));
	}
	p->waits[p->wait_count++] = *w;
}

static uint64_t sum(const uint64_t wait_ns[DIRECTION_COUNT])
{
	uint64_t ns = 0;

	for (size_t d = 0; d < DIRECTION_COUNT; d++)
		ns += wait_ns[d];
	return ns;
}

static struct lane *new_lane(struct picture *p)
{
	if (p->lane_count == p->lane_room) {
		p->lane_room = p->lane_room ? p->lane_room * 2 : 64;
		p->lanes = must_have(realloc(p->lanes, p->lane_room * sizeof *p->lanes));
	}
	memset(&p->lanes[p->lane_count], 0, sizeof *p->lanes);
	return &p->lanes[p->lane_count++];
}

static const struct model_process *first_program(const struct model_process *process)
{
	while (process->previous)
		process = process->previous;
	return process;
}

/* The main thread goes on over an exec, in the same lane.  */
static void add_thread(struct picture *p, const struct model_process *process, const struct model_thread *t)
{
	bool is_main = t->tid == process->pid;
	size_t *main_lane = &p->main_lane[process - p->model->processes];
	size_t before = is_main && process->previous ? p->main_lane[process->previous - p->model->processes] : 0;
	struct lane *l = before ? &p->lanes[before - 1] : new_lane(p);

	if (!before) {
		l->first = first_program(process);
		l->tid = t->tid;
		l->fd = MODEL_NO_FD;
		l->start_ns = is_main ? process->start_ns : t->start_ns;
	}
	l->last = process;
	l->end_ns = t->end_ns;
	l->waited_ns += sum(t->wait_ns);
	l->waiting = t->waiting;
	if (is_main)
		*main_lane = (size_t)(l - p->lanes) + 1;
}

static void add_fd(struct picture *p, const struct model_process *process, size_t fd)
{
	const struct model_fd *f = &process->fds[fd];

	if (sum(f->wait_ns) || f->waiting)
		*new_lane(p) = (struct lane){
			.first = first_program(process), .last = process, .tid = process->pid, .fd = fd, .start_ns = process->start_ns,
			.end_ns = process->end_ns, .waited_ns = sum(f->wait_ns), .waiting = f->waiting,
		};
}

static void make_lanes(struct picture *p)
{
	for (size_t i = 0; i < p->model->process_count; i++) {
		const struct model_process *process = &p->model->processes[i];

		for (size_t k = 0; p->by_fd && k < process->fd_count; k++)
			add_fd(p, process, k);
		for (size_t k = 0; !p->by_fd && k < process->thread_count; k++)
			add_thread(p, process, &process->threads[k]);
	}
}

static int by_wait(const void *a, const void *b)
{
	const struct lane *x = a, *y = b;

	if (x->waited_ns != y->waited_ns)
		return x->waited_ns > y->waited_ns ? -1 : 1;
	return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

/* A process's lanes stand together, its main thread, or lowest fd, first.  */
static int by_start(const void *a, const void *b)
{
	const struct lane *x = a, *y = b;

	if (x->first->start_ns != y->first->start_ns)
		return x->first->start_ns < y->first->start_ns ? -1 : 1;
	if (x->first != y->first)
		return x->first->pid < y->first->pid ? -1 : x->first->pid > y->first->pid || x->first > y->first ? 1 : -1;
	if (x->last != y->last)
		return x->last->start_ns < y->last->start_ns ? -1 : x->last->start_ns > y->last->start_ns || x->last > y->last ? 1 : -1;
	if (x->fd != y->fd)
		return x->fd < y->fd ? -1 : 1;
	if ((x->tid == x->first->pid) != (y->tid == y->first->pid))
		return x->tid == x->first->pid ? -1 : 1;
	return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

/* The lanes that waited most; returns how many are left out.  */
static size_t choose_lanes(struct picture *p)
{
	size_t all = p->lane_count;

	if (!all)
		return 0;
	qsort(p->lanes, all, sizeof *p->lanes, by_wait);
	if (p->lane_count > LANES_SHOWN)
		p->lane_count = LANES_SHOWN;
	qsort(p->lanes, p->lane_count, sizeof *p->lanes, by_start);
	return all - p->lane_count;
}

/* "cat (pid 2314)": what is too long of the command goes, never the number.  */
static void label_process(const struct model_process *process, uint32_t tid, char *label, size_t size)
{
	char command[LABEL_MAX + 2], number[48];
	size_t n = screen_text(command, sizeof command, model_short_command(process)), room;

	if (tid == process->pid)
		snprintf(number, sizeof number, " (pid %" PRIu32 ")", process->pid);
	else
		snprintf(number, sizeof number, " (pid %" PRIu32 ", tid %" PRIu32 ")", process->pid, tid);
	room = size > strlen(number) + 4 ? size - 1 - strlen(number) : 4;
	if (n > room)
		strcpy(command + room - 3, "...");
	snprintf(label, size, "%s%s", command, number);
}

static const char *thread_name(const struct model_process *process, uint32_t tid)
{
	for (size_t i = 0; i < process->thread_count; i++)
		if (process->threads[i].tid == tid)
			return process->threads[i].name;
	return "";
}

/* "worker, tid 2315", or "tid 2315" if it is called like its process.  */
static void label_thread(const struct model_process *process, uint32_t tid, char *label, size_t size)
{
	char name[sizeof process->threads->name];

	screen_text(name, sizeof name, thread_name(process, tid));
	if (*name && strcmp(name, thread_name(process, process->pid)) != 0)
		snprintf(label, size, "  %s, tid %" PRIu32, name, tid);
	else
		snprintf(label, size, "  tid %" PRIu32, tid);
}

static void label_lane(const struct lane *l, bool same_process, char *label, size_t size)
{
	char name[LABEL_MAX + 2];
	int n;

	if (l->fd == MODEL_NO_FD) {
		if (same_process)
			label_thread(l->last, l->tid, label, size);
		else
			label_process(l->last, l->tid, label, size);
		return;
	}
	screen_text(name, sizeof name, l->last->fds[l->fd].name ? l->last->fds[l->fd].name : "?");
	n = snprintf(label, size, "  fd %d %s", l->last->fds[l->fd].fd, name);
	if (n >= (int)size)
		strcpy(label + size - 4, "...");
}

static bool same_process(const struct picture *p, size_t lane)
{
	return lane && p->lanes[lane].first == p->lanes[lane - 1].first && p->lanes[lane].last == p->lanes[lane - 1].last;
}

/* The labels take what they need, up to a third of the line; the lanes the rest.  */
static void fit(struct picture *p, int width)
{
	int most = width / 3 < LABEL_MAX ? width / 3 : LABEL_MAX;
	char label[LABEL_MAX + 1];

	for (size_t i = 0; i < p->lane_count; i++) {
		label_lane(&p->lanes[i], same_process(p, i), label, (size_t)most + 1);
		if ((int)strlen(label) > p->label_width)
			p->label_width = (int)strlen(label);
	}
	p->columns = width - p->label_width - 2;
	p->column_ns = p->model->wall_ns / (uint64_t)p->columns + 1;
}

static uint64_t column(const struct picture *p, uint64_t ns)
{
	return (ns < p->model->wall_ns ? ns : p->model->wall_ns) / p->column_ns;
}

static void spread(const struct picture *p, struct cell *cells, enum direction d, uint64_t start, uint64_t end)
{
	if (end > p->model->wall_ns)
		end = p->model->wall_ns;
	while (start < end) {
		uint64_t next = (start / p->column_ns + 1) * p->column_ns;

		if (next > end)
			next = end;
		cells[start / p->column_ns].ns[d] += next - start;
		start = next;
	}
}

static bool is_in_lane(const struct model_wait *w, const struct lane *l)
{
	if (l->fd != MODEL_NO_FD)
		return w->process == l->last && w->fd == l->fd;
	if (w->tid != l->tid || w->polled)
		return false;
	for (const struct model_process *q = l->last; q; q = w->tid == q->pid ? q->previous : NULL)
		if (w->process == q)
			return true;
	return false;
}

static void fill(const struct picture *p, const struct lane *l, struct cell *cells)
{
	spread(p, cells, DIRECTION_NONE, l->start_ns, l->end_ns);
	for (size_t i = 0; i < p->wait_count; i++) {
		const struct model_wait *w = &p->waits[i];

		if (!is_in_lane(w, l))
			continue;
		spread(p, cells, w->direction, w->start_ns, w->end_ns);
		if (!w->left)
			cells[column(p, w->end_ns)].ended |= 1U << w->direction;
	}
	for (int c = 0; c < p->columns; c++) {
		uint64_t all = cells[c].ns[DIRECTION_NONE], waited = sum(cells[c].ns) - all;

		cells[c].ns[DIRECTION_NONE] = all > waited ? all - waited : 0;
	}
}

static char look(const struct picture *p, const struct cell *c)
{
	size_t most = DIRECTION_NONE;

	for (size_t d = 0; d < DIRECTION_COUNT; d++)
		if (c->ns[d] > c->ns[most])
			most = d;
	if (most != DIRECTION_NONE)
		return c->ended >> most & 1 ? (char)toupper(letters[most]) : letters[most];
	if (c->ended)
		return ENDED;
	return !c->ns[most] ? ' ' : p->by_fd ? FD_NOT_WAITED_FOR : NOT_WAITING;
}

/* What the cells do not say: that a program became another, and that it is not known what became of it.  */
static void mark(const struct picture *p, const struct lane *l, char *text)
{
	uint64_t first = column(p, l->start_ns), last = column(p, l->last->end_ns);

	if (text[first] == ' ')
		text[first] = p->by_fd ? FD_NOT_WAITED_FOR : NOT_WAITING;
	for (const struct model_process *q = l->last; l->tid == q->pid && q->previous; q = q->previous)
		if (column(p, q->start_ns) > first)
			text[column(p, q->start_ns)] = EXEC;
	if (l->waiting && l->last->exit_status < 0 && !l->last->vanished && !l->last->reaped)
		for (uint64_t c = last + 1; c <= column(p, p->model->wall_ns); c++)
			text[c] = NOT_KNOWN;
}

static void print_label(const struct picture *p, enum color c, const char *label, FILE *to)
{
	fprintf(to, "%s%-*s%s", color(c), p->label_width + 2, label, color(COLOR_END));
}

static enum color color_of(char character)
{
	switch (character) {
	case 'r': case 'w': case 'p': case 'l': return COLOR_WAIT;
	case 's': case 'c': case FD_NOT_WAITED_FOR: return COLOR_DETAIL;
	default: return COLOR_READY;
	}
}

static void print_cells(struct picture *p, char *text, FILE *to)
{
	enum color now = COLOR_END;
	size_t n = strlen(text);

	while (n && text[n - 1] == ' ')
		n--;
	for (size_t i = 0; i < n; i++) {
		p->used[(unsigned char)text[i] & 127] = true;
		if (text[i] == ENDED)
			p->used[p->by_fd ? FD_NOT_WAITED_FOR : NOT_WAITING] = true;
		if (text[i] != ' ' && color_of(text[i]) != now) {
			now = color_of(text[i]);
			fprintf(to, "%s%s", color(COLOR_END), color(now));
		}
		fputc(text[i], to);
	}
	fprintf(to, "%s\n", color(COLOR_END));
}

static void print_lane(struct picture *p, size_t lane, FILE *to)
{
	const struct lane *l = &p->lanes[lane];
	struct cell *cells = must_have(calloc((size_t)p->columns, sizeof *cells));
	char *text = must_have(calloc((size_t)p->columns + 1, 1)), label[LABEL_MAX + 1];

	if (p->by_fd && !same_process(p, lane)) {
		label_process(l->last, l->last->pid, label, sizeof label);
		fprintf(to, "%s%s%s\n", color(COLOR_HEADING), label, color(COLOR_END));
	}
	label_lane(l, same_process(p, lane), label, (size_t)p->label_width + 1);
	print_label(p, p->by_fd ? COLOR_NAME : COLOR_HEADING, label, to);
	fill(p, l, cells);
	for (int c = 0; c < p->columns; c++)
		text[c] = look(p, &cells[c]);
	mark(p, l, text);
	print_cells(p, text, to);
	free(cells);
	free(text);
}

/* 1, 2 or 5 times a power of ten.  */
static uint64_t tick_step(uint64_t least)
{
	uint64_t step = 1;

	while (step < UINT64_MAX / 100) {
		if (step >= least)
			return step;
		if (step * 2 >= least)
			return step * 2;
		if (step * 5 >= least)
			return step * 5;
		step *= 10;
	}
	return step;
}

static void tick_label(uint64_t ns, char text[32])
{
	double n = (double)ns;

	if (ns == 0)
		snprintf(text, 32, "0");
	else if (ns < 1000000)
		snprintf(text, 32, "%g us", n / 1e3);
	else if (ns < 1000000000)
		snprintf(text, 32, "%g ms", n / 1e6);
	else
		snprintf(text, 32, "%.9g s", n / 1e9);
}

static void print_axis(const struct picture *p, FILE *to)
{
	uint64_t step = tick_step(p->column_ns * TICK_DISTANCE), columns = (uint64_t)p->columns;
	char *labels = must_have(malloc(columns + 1)), *line = must_have(malloc(columns + 1)), text[32];

	memset(labels, ' ', columns);
	memset(line, '-', columns);
	labels[columns] = line[columns] = 0;
	for (uint64_t t = 0; t / p->column_ns < columns; t += step) {
		uint64_t at = t / p->column_ns;

		tick_label(t, text);
		line[at] = '|';
		if (at + strlen(text) <= columns)
			memcpy(labels + at, text, strlen(text));
	}
	for (size_t n = columns; n && labels[n - 1] == ' '; n--)
		labels[n - 1] = 0;
	print_label(p, COLOR_END, "", to);
	fprintf(to, "%s\n", labels);
	print_label(p, COLOR_END, "", to);
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

static void print_legend(const struct picture *p, int width, FILE *to)
{
	static const struct {
		char character;
		const char *text;
	} texts[] = {
		{'r', "r waits to read"}, {'w', "w waits to write"}, {'p', "p in poll"}, {'s', "s sleeps"}, {'c', "c waits for a child"},
		{'l', "l waits for a lock"},
		{NOT_WAITING, "# runs, or waits unseen"}, {FD_NOT_WAITED_FOR, "- not waited for"},
		{ENDED, "+ the same, and a wait ended here"}, {EXEC, "> exec: another program"},
		{NOT_KNOWN, "? not known: was waiting when last seen"},
	};
	struct legend l = {width, 0, to};
	bool capitals = false;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		int c = (unsigned char)texts[i].character, capital = toupper(c);

		if (p->used[c] || p->used[capital])
			explain(&l, texts[i].text);
		capitals |= capital != c && p->used[capital];
	}
	if (capitals)
		explain(&l, "capital: such a wait ended here");
	if (l.column)
		fputc('\n', to);
}

static void print_picture(struct picture *p, size_t left_out, int width, FILE *to)
{
	char all[16], each[16];

	fprintf(to, "eagain: %s in all, %s a character\n\n", duration(p->model->wall_ns, all), duration(p->column_ns, each));
	print_axis(p, to);
	for (size_t i = 0; i < p->lane_count; i++)
		print_lane(p, i, to);
	if (left_out)
		fprintf(to, "%zu more %s waited less, not shown\n", left_out, p->by_fd ? "fds" : "threads");
	fputc('\n', to);
	print_legend(p, width, to);
}

void timeline_print(struct trace *t, bool by_fd, FILE *to)
{
	struct picture p = {.by_fd = by_fd};
	int width = screen_width(to);
	size_t left_out;

	p.model = model_build(t, collect, &p);
	p.main_lane = must_have(calloc(p.model->process_count + 1, sizeof *p.main_lane));
	make_lanes(&p);
	left_out = choose_lanes(&p);
	fit(&p, width);
	if (p.lane_count)
		print_picture(&p, left_out, width, to);
	else
		fputs(by_fd ? "Nothing waited for an fd.\n" : "No process recorded anything.\n", to);
	free(p.lanes);
	free(p.main_lane);
	free(p.waits);
	model_free(p.model);
}
