/* export_svg.c - a picture to put into a report: lanes of threads, time from left to right, each wait in the colour of what was
 * waited for.
 *
 * A wait that is wide enough to be pointed at is an element of its own, and says what it was.  All others are added up by pixel and
 * drawn as high as their share of its time, one path for each kind; so the size does not depend on the trace's.  */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "lanes.h"
#include "line.h"
#include "operations.h"
#include "say.h"
#include "screen.h"
#include "shim/shim.h"

enum {
	WIDTH = 1200, LEFT = 280, RIGHT = 20, COLUMNS = WIDTH - LEFT - RIGHT,
	TOP = 100, LANE = 22, BAR = 15, CALL_BAR = 6, BOTTOM = 14,
	LANES_MOST = 60,
	WIDE_LEAST = 3, WIDE_MOST = 400,        /* columns; and of a lane, for calls in signal handlers overlap */
	STALLS_MOST = 200,
	READY_MOST = 400, READY_BAR = 3,
	FLIGHTS_MOST = 400,             /* requests that are drawn one by one */
	TICKS = 8,
	LABEL_CHARACTERS = 34, COMMAND_CHARACTERS = 120,
};

struct wide {
	uint64_t start_ns, end_ns, waited_ns;
	enum direction direction;
	size_t process, fd;
	unsigned call;
	const char *lock;               /* as in struct operation */
	uint64_t address;
	int holder;
};

/* A request of POSIX AIO that is wide enough to be pointed at.  */
struct flight {
	struct request_span span;
	struct request request;
	size_t lane, slot;              /* slot: from the bottom of the lane */
};

struct row {
	struct cell cells[COLUMNS];     /* at DIRECTION_NONE: in calls that did not wait */
	struct wide *wide;
	size_t wide_count, wide_room;
};

struct picture {
	struct model *model;
	struct lanes lanes;
	size_t lanes_more;
	struct stretch all;
	struct row *rows;
	struct operation_stall *stalls;
	size_t stall_count;
	struct readiness_stretch *ready;        /* those that are wide enough to be pointed at */
	size_t ready_count;
	struct flight *flights;
	size_t flight_count;
	uint64_t operations;
	bool used[CELL_TIMES];         /* what the legend has to explain */
};

static const struct {
	const char *color, *words;
} looks[DIRECTION_COUNT] = {
	[DIRECTION_NONE] = {"#56616d", "a call"}, [DIRECTION_READ] = {"#2f6fd0", "waits to read"},
	[DIRECTION_WRITE] = {"#dc741c", "waits to write"}, [DIRECTION_POLL] = {"#8a63c9", "in poll"},
	[DIRECTION_SLEEP] = {"#b3bac2", "sleeps"}, [DIRECTION_CHILD] = {"#8db8b3", "waits for a child"},
	[DIRECTION_LOCK] = {"#b8417f", "waits for a lock"}, [DIRECTION_SIGNAL] = {"#cbb97c", "waits for a signal"},
	[DIRECTION_REQUEST] = {"#1f8f9c", "waits for its asynchronous I/O"},
};

/* What lies at the bottom of a pixel, and what above it.  */
static const enum direction stacked[] = {
	DIRECTION_READ, DIRECTION_WRITE, DIRECTION_REQUEST, DIRECTION_LOCK, DIRECTION_POLL, DIRECTION_CHILD, DIRECTION_SIGNAL,
	DIRECTION_SLEEP,
	DIRECTION_NONE,
};

enum { LEVELS = sizeof stacked / sizeof *stacked };

static double column(const struct picture *p, uint64_t ns)
{
	double at = (double)ns / (double)p->all.column_ns;

	return at < COLUMNS ? at : COLUMNS;
}

/* The second pass.  */

static void add_wide(struct row *row, const struct operation *o)
{
	if (row->wide_count == row->wide_room) {
		row->wide_room = row->wide_room ? row->wide_room * 2 : 16;
		row->wide = must_have(realloc(row->wide, row->wide_room * sizeof *row->wide));
	}
	row->wide[row->wide_count++] = (struct wide){
		o->wait_start_ns, o->wait_end_ns, o->waited_ns, o->direction, o->process, o->fd, o->call,
		o->lock, o->address, o->lock ? (int)o->result : -1};
}

static void add_operation(const struct operation *o, void *arg)
{
	struct picture *p = arg;
	size_t lane = lanes_of_thread(&p->lanes, o->process, o->tid);
	struct row *row = lane == LANES_NOWHERE ? NULL : &p->rows[lane];
	uint64_t took = o->end_ns > o->start_ns ? o->end_ns - o->start_ns : 0, rest = took > o->waited_ns ? took - o->waited_ns : 0;

	p->operations++;
	if (!row)
		return;
	if (o->waited_ns && column(p, o->wait_end_ns) - column(p, o->wait_start_ns) >= WIDE_LEAST && row->wide_count < WIDE_MOST)
		add_wide(row, o);
	else if (o->waited_ns)
		lanes_spread(&p->all, row->cells, o->direction, o->wait_start_ns, o->wait_end_ns, o->waited_ns);
	lanes_spread(&p->all, row->cells, DIRECTION_NONE, o->start_ns, o->start_ns + rest, rest);
	p->used[o->waited_ns ? o->direction : DIRECTION_NONE] = true;
}

/* Those that can be seen.  */
static void add_stall(const struct operation_stall *s, void *arg)
{
	struct picture *p = arg;
	bool wide = column(p, s->end_ns) - column(p, s->start_ns) >= 1;

	if (!wide || lanes_of_thread(&p->lanes, s->process, s->tid) == LANES_NOWHERE || p->stall_count == STALLS_MOST)
		return;
	p->stalls = must_have(realloc(p->stalls, (p->stall_count + 1) * sizeof *p->stalls));
	p->stalls[p->stall_count++] = *s;
}

static void add_ready(const struct readiness_stretch *r, void *arg)
{
	struct picture *p = arg;
	size_t lane = lanes_of_ready(&p->lanes, r);

	if (lane == LANES_NOWHERE)
		return;
	p->used[CELL_READY] = true;
	if (column(p, r->end_ns) - column(p, r->start_ns) < WIDE_LEAST || p->ready_count == READY_MOST) {
		lanes_spread(&p->all, p->rows[lane].cells, CELL_READY, r->start_ns, r->end_ns, r->end_ns - r->start_ns);
		return;
	}
	p->ready = must_have(realloc(p->ready, (p->ready_count + 1) * sizeof *p->ready));
	p->ready[p->ready_count++] = *r;
}

static void add_flight(const struct request_span *r, void *arg)
{
	struct picture *p = arg;
	size_t lane = lanes_of_request(&p->lanes, r);

	if (lane == LANES_NOWHERE)
		return;
	p->used[CELL_FLIGHT] = true;
	lanes_spread(&p->all, p->rows[lane].cells, CELL_FLIGHT, r->start_ns, r->end_ns, r->end_ns - r->start_ns);
	if (column(p, r->end_ns) - column(p, r->start_ns) < WIDE_LEAST || p->flight_count == FLIGHTS_MOST)
		return;
	p->flights = must_have(realloc(p->flights, (p->flight_count + 1) * sizeof *p->flights));
	p->flights[p->flight_count++] = (struct flight){.span = *r, .request = *r->request, .lane = lane};
}

static int by_submission(const void *a, const void *b)
{
	const struct flight *x = a, *y = b;

	if (x->span.start_ns != y->span.start_ns)
		return x->span.start_ns < y->span.start_ns ? -1 : 1;
	return x->request.op < y->request.op ? -1 : x->request.op > y->request.op;
}

/* Each in the lowest slot of its lane that is free.  */
static void choose_slots(struct picture *p)
{
	if (p->flight_count)
		qsort(p->flights, p->flight_count, sizeof *p->flights, by_submission);
	for (size_t i = 0; i < p->flight_count; i++) {
		struct flight *f = &p->flights[i];
		bool taken = true;

		for (f->slot = 0; taken; f->slot += taken) {
			taken = false;
			for (size_t k = 0; k < i && !taken; k++)
				taken = p->flights[k].lane == f->lane && p->flights[k].slot == f->slot &&
					p->flights[k].span.end_ns > f->span.start_ns;
		}
	}
}

/* The text.  */

/* What turns the text around it, or is not allowed in XML 1.0, in UTF-8.  */
static bool is_harmful(const char *s, size_t size)
{
	static const char *const harmful[] = {
		"\u061c", "\u200e", "\u200f", "\u2028", "\u2029", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e",
		"\u2066", "\u2067", "\u2068", "\u2069", "\xef\xbf\xbe", "\xef\xbf\xbf",
	};

	for (size_t i = 0; i < sizeof harmful / sizeof *harmful; i++)
		if (strlen(harmful[i]) == size && !memcmp(harmful[i], s, size))
			return true;
	return false;
}

/* At most so many characters of it.  */
static void print_text(const char *s, size_t most, FILE *to)
{
	size_t left = strlen(s), size, n = 0;
	bool good;

	for (; left; s += size, left -= size, n++) {
		size = line_character(s, left, &good);
		if (n + 3 >= most && left > 3) {
			fputs("...", to);
			return;
		}
		if (!good || is_harmful(s, size))
			fputc('?', to);
		else if (*s == '<')
			fputs("&lt;", to);
		else if (*s == '>')
			fputs("&gt;", to);
		else if (*s == '&')
			fputs("&amp;", to);
		else
			fwrite(s, 1, size, to);
	}
}

static void print_process(const struct model_process *process, uint32_t tid, size_t most, FILE *to)
{
	char number[48];
	int n;

	if (tid == process->pid)
		n = snprintf(number, sizeof number, " (pid %" PRIu32 ")", process->pid);
	else
		n = snprintf(number, sizeof number, " (pid %" PRIu32 ", tid %" PRIu32 ")", process->pid, tid);
	print_text(model_short_command(process), most > (size_t)n + 4 ? most - (size_t)n : 4, to);
	fputs(number, to);
}

static void print_label(const struct picture *p, size_t i, FILE *to)
{
	const struct lane *lane = &p->lanes.lanes[i];
	const char *name = lanes_own_name(lane);

	if (!lanes_same_process(&p->lanes, i)) {
		print_process(lane->last, lane->tid, LABEL_CHARACTERS, to);
		return;
	}
	if (*name) {
		print_text(name, sizeof lane->last->threads->name, to);
		fputs(", ", to);
	}
	fprintf(to, "tid %" PRIu32, lane->tid);
}

/* "waited 1.018 s to read, slept 0.2 s, computed 2.6 ms".  */
static void print_times(const struct lane *lane, FILE *to)
{
	static const char *const before[DIRECTION_COUNT] = {
		[DIRECTION_READ] = "waited %s to read", [DIRECTION_WRITE] = "waited %s to write",
		[DIRECTION_POLL] = "waited %s in poll", [DIRECTION_SLEEP] = "slept %s",
		[DIRECTION_CHILD] = "waited %s for children", [DIRECTION_LOCK] = "waited %s for locks",
		[DIRECTION_SIGNAL] = "waited %s for signals", [DIRECTION_REQUEST] = "waited %s for its asynchronous I/O",
	};
	uint64_t wall = lane->end_ns - lane->start_ns, inside = model_cpu_in_waits(lane->wait_ns, lane->cpu_ns, wall);
	const char *divider = ": ";
	char text[16];

	for (size_t i = 0; i < LEVELS; i++) {
		if (!before[stacked[i]] || !lane->wait_ns[stacked[i]])
			continue;
		fputs(divider, to);
		fprintf(to, before[stacked[i]], duration(lane->wait_ns[stacked[i]], text));
		divider = ", ";
	}
	if (lane->cpu_ns != MODEL_UNKNOWN)
		fprintf(to, "%scomputed %s", divider, duration(lane->cpu_ns, text));
	if (inside > wall / 100)
		fprintf(to, ", of it %s in these waits", duration(inside, text));
}

static void print_fd(const struct model_fd *f, FILE *to)
{
	fprintf(to, f->many ? "one of " : "fd %d, ", f->fd);
	print_text(f->name ? f->name : "?", COMMAND_CHARACTERS, to);
}

/* "waited 1.018 s to read from gzip -cd (pid 1864): read() on fd 0, pipe:[123]".  */
static void print_wait(const struct picture *p, const struct wide *w, FILE *to)
{
	static const char *const words[DIRECTION_COUNT] = {
		[DIRECTION_NONE] = "waited %s", [DIRECTION_READ] = "waited %s to read", [DIRECTION_WRITE] = "waited %s to write",
		[DIRECTION_POLL] = "waited %s in poll", [DIRECTION_SLEEP] = "slept %s",
		[DIRECTION_CHILD] = "waited %s for children", [DIRECTION_LOCK] = "waited %s for a lock",
		[DIRECTION_SIGNAL] = "waited %s for a signal", [DIRECTION_REQUEST] = "waited %s for its asynchronous I/O",
	};
	const struct model_process *process = &p->model->processes[w->process], *peer;
	const struct model_fd *f = w->fd < process->fd_count ? &process->fds[w->fd] : NULL;
	bool moves = w->direction == DIRECTION_READ || w->direction == DIRECTION_WRITE;
	unsigned others;
	char text[16];

	fprintf(to, words[w->direction], duration(w->waited_ns, text));
	peer = f && moves ? model_peer(p->model, process, f, &others) : NULL;
	if (peer) {
		fputs(w->direction == DIRECTION_READ ? " from " : " to ", to);
		print_process(peer, peer->pid, COMMAND_CHARACTERS, to);
		if (others)
			fprintf(to, " and %u other%s", others, others == 1 ? "" : "s");
	}
	fprintf(to, ": %s()", w->lock ? w->lock : model_call_name(w->call));
	if (w->lock)
		fprintf(to, ", 0x%" PRIx64, w->address);
	if (w->holder >= 0)
		fprintf(to, ", held by tid %d", w->holder);
	if (f) {
		fputs(" on ", to);
		print_fd(f, to);
	}
}

/* "fd 0, pipe:[123]: ready to read for 50.2 ms, until it was taken".  */
static void print_readiness(const struct readiness_stretch *r, FILE *to)
{
	char text[16];

	if (r->fd < r->process->fd_count)
		print_fd(&r->process->fds[r->fd], to);
	else
		fputs("an fd", to);
	fprintf(to, ": ready to %s for %s%s, ", r->direction == READINESS_WRITE ? "write" : "read", r->late ? "at least " : "",
		duration(r->end_ns - r->start_ns, text));
	fputs(r->tid ? "until it was taken" : "and not taken before the end", to);
}

/* "op 4: aio_read() of 4096 bytes at 8192 on fd 3, data: 4096 after 1.2 ms".  */
static void print_request(const struct flight *f, FILE *to)
{
	const struct request *q = &f->request;
	char text[32];

	fprintf(to, "op %" PRIu32 ": %s()", q->op, model_call_name(q->call));
	if (model_request_direction(q->call) != DIRECTION_NONE)
		fprintf(to, " of %" PRIu64 " bytes at %" PRIi64, q->length, q->offset);
	if (f->span.fd < f->span.process->fd_count) {
		fputs(" on ", to);
		print_fd(&f->span.process->fds[f->span.fd], to);
	}
	if (f->span.open)
		fprintf(to, ": not over after %s", duration(f->span.end_ns - f->span.start_ns, text));
	else
		fprintf(to, ": %s", outcome(q->result, text));
	if (!f->span.open)
		fprintf(to, " after %s", duration(f->span.end_ns - f->span.start_ns, text));
}

/* The picture.  */

/* As high as its share of the pixel's time, in half pixels; what is there can be seen.  */
static int height_of(const struct picture *p, const struct row *row, size_t c, size_t level)
{
	enum direction d = stacked[level];
	double bar = d == DIRECTION_NONE ? CALL_BAR : BAR, share = (double)row->cells[c].ns[d] / (double)p->all.column_ns;
	int height = (int)(share * bar * 2 + 0.5);

	return !row->cells[c].ns[d] ? 0 : height < 3 ? 3 : height;
}

/* From where to where, in half pixels from the bottom.  */
static void extent(const struct picture *p, const struct row *row, size_t c, size_t level, int *from, int *to)
{
	*from = 0;
	for (size_t i = 0; i < level; i++)
		*from += height_of(p, row, c, i);
	*to = *from + height_of(p, row, c, level);
	*from = *from < 2 * BAR ? *from : 2 * BAR;
	*to = *to < 2 * BAR ? *to : 2 * BAR;
}

/* Neighbours of the same height are one.  */
static void print_level(const struct picture *p, const struct row *row, size_t level, int y, FILE *to)
{
	bool begun = false;

	for (size_t c = 0, next; c < COLUMNS; c = next) {
		int low, high, a, b;

		extent(p, row, c, level, &low, &high);
		for (next = c + 1; next < COLUMNS; next++) {
			extent(p, row, next, level, &a, &b);
			if (a != low || b != high)
				break;
		}
		if (low == high)
			continue;
		if (!begun)
			fprintf(to, "<path class=\"c%d\" d=\"", stacked[level]);
		begun = true;
		fprintf(to, "M%zu %gh%zuv%gh-%zuz", LEFT + c, y + BAR - high / 2.0, next - c, (high - low) / 2.0, next - c);
	}
	if (begun)
		fputs("\"/>\n", to);
}

static void print_wide(const struct picture *p, const struct row *row, int y, FILE *to)
{
	for (size_t i = 0; i < row->wide_count; i++) {
		const struct wide *w = &row->wide[i];
		double from = column(p, w->start_ns), to_column = column(p, w->end_ns);

		fprintf(to, "<rect class=\"c%d\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"><title>", w->direction,
			LEFT + from, y, to_column - from - 0.5, BAR);
		print_wait(p, w, to);
		fputs("</title></rect>\n", to);
	}
}

/* Where its program became another; and that it is not known what became of it.  */
static void print_marks(const struct picture *p, const struct lane *lane, int y, FILE *to)
{
	for (const struct model_process *q = lane->last; lane->tid == q->pid && q->previous; q = q->previous) {
		fprintf(to, "<path class=\"exec\" d=\"M%.1f %dv%dh1v-%dl4 -2.5z\"><title>exec: ", LEFT + column(p, q->start_ns),
			y - 2, BAR + 4, BAR - 1);
		print_process(q, q->pid, COMMAND_CHARACTERS, to);
		fputs("</title></path>\n", to);
	}
	if (lanes_is_lost(lane) && column(p, lane->end_ns) < COLUMNS - 1)
		fprintf(to, "<path class=\"unknown\" d=\"M%.1f %dH%d\"><title>not known: was waiting when last seen</title></path>\n",
			LEFT + column(p, lane->end_ns), y + BAR / 2, LEFT + COLUMNS);
}

static void print_stalls(const struct picture *p, size_t lane, int y, FILE *to)
{
	char text[16];

	for (size_t i = 0; i < p->stall_count; i++) {
		const struct operation_stall *s = &p->stalls[i];
		double from = column(p, s->start_ns);

		if (lanes_of_thread(&p->lanes, s->process, s->tid) != lane)
			continue;
		fprintf(to, "<rect class=\"stall\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"2\">", LEFT + from, y - 3,
			column(p, s->end_ns) - from);
		fprintf(to, "<title>away from its polls for %s</title></rect>\n", duration(s->end_ns - s->start_ns, text));
	}
}

/* Below the lane: what was ready, and waited to be taken.  */
static void print_ready(const struct picture *p, size_t lane, int y, FILE *to)
{
	bool begun = false;

	for (size_t c = 0; c < COLUMNS; c++) {
		double share = (double)p->rows[lane].cells[c].ns[CELL_READY] / (double)p->all.column_ns;
		double height = share * READY_BAR < 1 ? 1 : share < 1 ? share * READY_BAR : READY_BAR;

		if (share <= 0)
			continue;
		fputs(begun ? "" : "<path class=\"ready\" d=\"", to);
		begun = true;
		fprintf(to, "M%zu %dh1v%.1fh-1z", LEFT + c, y + BAR, height);
	}
	if (begun)
		fputs("\"/>\n", to);
	for (size_t i = 0; i < p->ready_count; i++) {
		double from = column(p, p->ready[i].start_ns), until = column(p, p->ready[i].end_ns);

		if (lanes_of_ready(&p->lanes, &p->ready[i]) != lane)
			continue;
		fprintf(to, "<rect class=\"ready\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\">", LEFT + from, y + BAR,
			until - from - 0.5, READY_BAR);
		fputs("<title>", to);
		print_readiness(&p->ready[i], to);
		fputs("</title></rect>\n", to);
	}
}

static double depth_of(const struct picture *p, size_t lane, size_t c)
{
	return (double)p->rows[lane].cells[c].ns[CELL_FLIGHT] / (double)p->all.column_ns;
}

/* How many requests were in flight, by pixel, as a share of the most; and upon that those that are wide, each for itself.  */
static void print_flights(const struct picture *p, size_t lane, int y, FILE *to)
{
	double most = 0, slots = 1;

	for (size_t c = 0; c < COLUMNS; c++)
		most = depth_of(p, lane, c) > most ? depth_of(p, lane, c) : most;
	fputs("<path class=\"flights\" d=\"", to);
	for (size_t c = 0; c < COLUMNS; c++) {
		double height = depth_of(p, lane, c) / most * BAR;

		if (height > 0)
			fprintf(to, "M%zu %dh1v-%.1fh-1z", LEFT + c, y + BAR, height < 1 ? 1 : height);
	}
	fputs("\"/>\n", to);
	for (size_t i = 0; i < p->flight_count; i++)
		if (p->flights[i].lane == lane && (double)p->flights[i].slot + 1 > slots)
			slots = (double)p->flights[i].slot + 1;
	slots = slots > most ? slots : most;
	for (size_t i = 0; i < p->flight_count; i++) {
		const struct flight *f = &p->flights[i];
		double from = column(p, f->span.start_ns), until = column(p, f->span.end_ns), high = BAR / slots;

		if (f->lane != lane)
			continue;
		fprintf(to, "<rect class=\"flight\" x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" height=\"%.2f\"><title>", LEFT + from,
			y + BAR - (double)(f->slot + 1) * high, until - from - 0.5, high > 2 ? high - 0.7 : high * 0.7);
		print_request(f, to);
		fputs("</title></rect>\n", to);
	}
}

/* A lane of requests.  */
static void print_requests(const struct picture *p, size_t i, FILE *to)
{
	const struct lane *lane = &p->lanes.lanes[i];
	int y = TOP + LANE * (int)i + (LANE - BAR) / 2;

	fputs("<g>\n<title>Requests of POSIX AIO in flight, of ", to);
	print_process(lane->last, lane->last->pid, COMMAND_CHARACTERS, to);
	fprintf(to, "</title>\n<text class=\"name\" x=\"%d\" y=\"%d\">requests in flight</text>\n",
		lanes_same_process(&p->lanes, i) ? 34 : 20, y + BAR - 4);
	fprintf(to, "<rect class=\"none\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"1\"/>\n", LEFT + column(p, lane->start_ns),
		y + BAR - 1, column(p, lane->end_ns) - column(p, lane->start_ns));
	print_flights(p, i, y, to);
	fputs("</g>\n", to);
}

static void print_lane(const struct picture *p, size_t i, FILE *to)
{
	const struct lane *lane = &p->lanes.lanes[i];
	int y = TOP + LANE * (int)i + (LANE - BAR) / 2;
	double from = column(p, lane->start_ns), until = column(p, lane->end_ns);

	fputs("<g>\n<title>", to);
	print_process(lane->last, lane->tid, COMMAND_CHARACTERS, to);
	print_times(lane, to);
	fprintf(to, "</title>\n<text class=\"name\" x=\"%d\" y=\"%d\">", lanes_same_process(&p->lanes, i) ? 34 : 20, y + BAR - 4);
	print_label(p, i, to);
	fprintf(to, "</text>\n<rect class=\"runs\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n", LEFT + from, y,
		until - from > 0.5 ? until - from : 0.5, BAR);
	for (size_t level = 0; level < LEVELS; level++)
		print_level(p, &p->rows[i], level, y, to);
	print_wide(p, &p->rows[i], y, to);
	print_stalls(p, i, y, to);
	print_ready(p, i, y, to);
	print_marks(p, lane, y, to);
	fputs("</g>\n", to);
}

static void print_axis(const struct picture *p, int bottom, FILE *to)
{
	uint64_t wall = p->model->wall_ns, step = lanes_step(wall / TICKS + 1), last = wall / step * step;
	double unit = wall >= 1000000000 ? 1e9 : wall >= 1000000 ? 1e6 : 1e3;
	const char *name = unit > 1e6 ? " s" : unit > 1e3 ? " ms" : " us";

	for (uint64_t i = 0; i <= last / step; i++) {
		double x = LEFT + column(p, i * step);

		fprintf(to, "<path class=\"grid\" d=\"M%.1f %dV%d\"/>\n", x, TOP - 6, bottom);
		if (x < WIDTH - RIGHT - 30)
			fprintf(to, "<text class=\"quiet\" x=\"%.1f\" y=\"%d\">%g%s</text>\n", x + 3, TOP - 8,
				(double)(i * step) / unit, i ? name : "");
	}
}

struct legend {
	int x, y;                       /* where the next may begin */
	FILE *to;
};

static void explain(struct legend *l, const char *class, int height, const char *words)
{
	int width = 32 + 6 * (int)strlen(words), top = l->y - 4 - height / 2;

	if (l->x + width > WIDTH - RIGHT) {
		l->x = LEFT;
		l->y += 15;
		top += 15;
	}
	fprintf(l->to, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"10\" height=\"%d\"/>", class, l->x, top, height);
	fprintf(l->to, "<text class=\"quiet\" x=\"%d\" y=\"%d\">%s</text>\n", l->x + 15, l->y, words);
	l->x += width;
}

static void print_legend(const struct picture *p, FILE *to)
{
	struct legend l = {LEFT, 65, to};
	char class[8];

	for (size_t i = 0; i < LEVELS; i++) {
		snprintf(class, sizeof class, "c%d", stacked[i]);
		if (p->used[stacked[i]])
			explain(&l, class, stacked[i] == DIRECTION_NONE ? 5 : 10, looks[stacked[i]].words);
	}
	explain(&l, "runs", 10, "runs, or waits unseen");
	if (p->stall_count)
		explain(&l, "stall", 2, "away from its polls");
	if (p->used[CELL_READY])
		explain(&l, "ready", READY_BAR, "something is ready, and not taken");
	if (p->used[CELL_FLIGHT])
		explain(&l, "flight", 10, "a request in flight");
}

static void print_style(FILE *to)
{
	fputs("<style>\n"
	      "text { font: 12px sans-serif; fill: #1c2127 }\n"
	      ".title { font: bold 16px sans-serif }\n"
	      ".name { font: 12px monospace }\n"
	      ".quiet { font-size: 11px; fill: #626b75 }\n"
	      ".runs { fill: #d5e3d2 }\n"
	      ".stall { fill: #d1242f }\n"
	      ".ready { fill: #1a9e4b }\n"
	      ".flights { fill: #c4e3e6 }\n"
	      ".flight { fill: #1f8f9c; fill-opacity: 0.75 }\n"
	      ".none { fill: #c4e3e6 }\n"
	      ".exec { fill: #1c2127 }\n"
	      ".grid { stroke: #1c2127; stroke-opacity: 0.1 }\n"
	      ".unknown { stroke: #626b75; stroke-dasharray: 3 5 }\n", to);
	for (size_t i = 0; i < LEVELS; i++)
		fprintf(to, ".c%d { fill: %s }\n", stacked[i], looks[stacked[i]].color);
	fputs("</style>\n", to);
}

static const struct model_process *first_process(const struct model *m)
{
	const struct model_process *first = NULL;

	for (size_t i = 0; i < m->process_count; i++)
		if (!first || m->processes[i].start_ns < first->start_ns)
			first = &m->processes[i];
	return first;
}

static void print_head(const struct picture *p, int height, FILE *to)
{
	const struct model_process *first = first_process(p->model);
	size_t threads = p->lanes.count + p->lanes_more;
	char text[16];

	for (size_t i = 0; i < p->lanes.count; i++)
		threads -= p->lanes.lanes[i].requests;

	fputs("<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\"", to);
	fprintf(to, " width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n<title>", WIDTH, height, WIDTH, height);
	print_text(first ? model_short_command(first) : "nothing", COMMAND_CHARACTERS, to);
	fprintf(to, ": %s in all</title>\n", duration(p->model->wall_ns, text));
	print_style(to);
	fprintf(to, "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n<text class=\"title\" x=\"20\" y=\"28\">", WIDTH, height);
	print_text(first ? model_short_command(first) : "No process recorded anything.", COMMAND_CHARACTERS, to);
	fprintf(to, "</text>\n<text class=\"quiet\" x=\"20\" y=\"46\">%s in all", text);
	fprintf(to, ", %zu thread%s, ", threads, threads == 1 ? "" : "s");
	fprintf(to, "%" PRIu64 " call%s", p->operations, p->operations == 1 ? "" : "s");
	if (p->lanes_more)
		fprintf(to, "; %zu more thread%s waited less, not shown", p->lanes_more, p->lanes_more == 1 ? "" : "s");
	if (p->model->lost || p->model->dropped)
		fputs("; not everything was recorded", to);
	fputs("</text>\n", to);
}

static void print_picture(const struct picture *p, FILE *to)
{
	int bottom = TOP + LANE * (int)p->lanes.count;

	print_head(p, bottom + BOTTOM, to);
	print_legend(p, to);
	print_axis(p, bottom, to);
	for (size_t i = 0; i < p->lanes.count; i++)
		(p->lanes.lanes[i].requests ? print_requests : print_lane)(p, i, to);
	fputs("</svg>\n", to);
}

static void ignore(const struct operation *o, void *arg)
{
	(void)o;
	(void)arg;
}

/* The first pass tells which lanes there are and how long it took, the second fills them.  */
void svg_print(struct trace *t, FILE *to)
{
	struct picture p = {0};

	p.model = operations_each(t, &(struct operation_visitor){ignore, NULL, NULL});
	p.all = lanes_stretch(0, p.model->wall_ns, COLUMNS);
	lanes_make(&p.lanes, t, p.model, false);
	p.lanes_more = lanes_choose(&p.lanes, &p.all, LANES_MOST);
	p.rows = must_have(calloc(p.lanes.count + 1, sizeof *p.rows));
	model_free(operations_each(t, &(struct operation_visitor){add_operation, add_stall, &p}));
	readiness_each(t, p.model, add_ready, &p);
	requests_each(t, p.model, add_flight, &p);
	choose_slots(&p);
	print_picture(&p, to);
	for (size_t i = 0; i < p.lanes.count; i++)
		free(p.rows[i].wide);
	free(p.rows);
	free(p.stalls);
	free(p.ready);
	free(p.flights);
	lanes_free(&p.lanes);
	model_free(p.model);
}
