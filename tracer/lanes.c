/* lanes.c - from the model to lanes, and from its waits, and what was ready meanwhile, to cells.
 *
 * A character of a lane is what most of its stretch of time was.  A wait that ended there makes it a capital, so that one wait
 * can be told from two, however short the time between them.  */
#include "lanes.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "readiness.h"
#include "say.h"
#include "screen.h"

enum { COMMAND_MAX = 256 };

static const char letters[DIRECTION_COUNT] = {
	[DIRECTION_READ] = 'r', [DIRECTION_WRITE] = 'w', [DIRECTION_POLL] = 'p', [DIRECTION_SLEEP] = 's', [DIRECTION_CHILD] = 'c',
	[DIRECTION_LOCK] = 'l', [DIRECTION_SIGNAL] = 'g', [DIRECTION_REQUEST] = 'a',
};

static uint64_t sum(const uint64_t wait_ns[DIRECTION_COUNT])
{
	uint64_t ns = 0;

	for (size_t d = 0; d < DIRECTION_COUNT; d++)
		ns += wait_ns[d];
	return ns;
}

static struct lane *new_lane(struct lanes *l)
{
	if (l->count == l->room) {
		l->room = l->room ? l->room * 2 : 64;
		l->lanes = must_have(realloc(l->lanes, l->room * sizeof *l->lanes));
	}
	memset(&l->lanes[l->count], 0, sizeof *l->lanes);
	l->lanes[l->count].id = l->count;
	return &l->lanes[l->count++];
}

static const struct model_process *first_program(const struct model_process *process)
{
	while (process->previous)
		process = process->previous;
	return process;
}

static size_t index_of(const struct lanes *l, const struct model_process *process)
{
	return (size_t)(process - l->model->processes);
}

/* Index into the process's threads, which are by tid; the last is all later ones, too, where there are very many.  */
static size_t find_thread(const struct model_process *p, uint32_t tid)
{
	size_t low = model_thread_place(p->threads, p->thread_count, sizeof *p->threads, tid);

	if (low < p->thread_count && p->threads[low].tid == tid)
		return low;
	return p->thread_count == MODEL_THREADS_MAX ? p->thread_count - 1 : SIZE_MAX;
}

/* The id of the lane of a main thread's program before, or LANES_NOWHERE.  Where the trace is sound, it has been added: earlier
 * programs stand before later ones in the model.  */
static size_t lane_before(const struct lanes *l, const struct model_process *process, uint32_t tid)
{
	const struct model_process *before = tid == process->pid ? process->previous : NULL;
	const size_t *of = before ? l->of[index_of(l, before)] : NULL;
	size_t thread = of ? find_thread(before, tid) : SIZE_MAX;

	return thread == SIZE_MAX ? LANES_NOWHERE : of[thread];
}

static void add_thread(struct lanes *l, const struct model_process *process, size_t thread)
{
	const struct model_thread *t = &process->threads[thread];
	bool is_main = t->tid == process->pid;
	uint64_t cpu_ns = process->thread_count == 1 ? process->cpu_ns : t->cpu_ns;
	size_t before = lane_before(l, process, t->tid);
	struct lane *lane = before == LANES_NOWHERE ? new_lane(l) : &l->lanes[before];

	if (before == LANES_NOWHERE) {
		lane->first = first_program(process);
		lane->tid = t->tid;
		lane->fd = MODEL_NO_FD;
		lane->start_ns = is_main ? process->start_ns : t->start_ns;
	}
	lane->last = process;
	lane->name = t->name;
	lane->end_ns = is_main ? process->end_ns : t->end_ns;
	for (size_t d = 0; d < DIRECTION_COUNT; d++)
		lane->wait_ns[d] += t->wait_ns[d];
	lane->waited_ns = sum(lane->wait_ns);
	lane->cpu_ns = cpu_ns == MODEL_UNKNOWN || lane->cpu_ns == MODEL_UNKNOWN ? MODEL_UNKNOWN : lane->cpu_ns + cpu_ns;
	lane->waiting = t->waiting;
	l->of[index_of(l, process)][thread] = lane->id;
}

static struct lane *add_fd(struct lanes *l, const struct model_process *process, size_t fd)
{
	const struct model_fd *f = &process->fds[fd];
	struct lane *lane = new_lane(l);

	lane->first = first_program(process);
	lane->last = process;
	lane->tid = process->pid;
	lane->name = "";
	lane->fd = fd;
	lane->start_ns = process->start_ns;
	lane->end_ns = process->end_ns;
	memcpy(lane->wait_ns, f->wait_ns, sizeof lane->wait_ns);
	lane->waited_ns = sum(f->wait_ns);
	lane->cpu_ns = MODEL_UNKNOWN;
	lane->waiting = f->waiting;
	l->of[index_of(l, process)][fd] = lane->id;
	return lane;
}

/* An fd that nobody ever waited for has a lane, too, if it ever waited to be taken.  */
static void add_ready_fd(const struct readiness_stretch *r, void *arg)
{
	struct lanes *l = arg;
	size_t id;

	if (r->fd == MODEL_NO_FD)
		return;
	id = l->of[index_of(l, r->process)][r->fd];
	if (id == LANES_NOWHERE)
		id = add_fd(l, r->process, r->fd)->id;
	l->lanes[id].waited_ns += r->end_ns - r->start_ns;
}

static struct lane *add_requests(struct lanes *l, const struct model_process *process)
{
	struct lane *lane = new_lane(l);

	lane->first = first_program(process);
	lane->last = process;
	lane->name = "";
	lane->fd = MODEL_NO_FD;
	lane->requests = true;
	lane->start_ns = process->start_ns;
	lane->end_ns = process->end_ns;
	lane->cpu_ns = MODEL_UNKNOWN;
	l->of_requests[index_of(l, process)] = lane->id;
	return lane;
}

/* The same of an fd that a request was in flight on; or of all that its process had.  */
static void add_request(const struct request_span *r, void *arg)
{
	struct lanes *l = arg;
	size_t id, process = index_of(l, r->process);

	if (l->by_fd && r->fd >= r->process->fd_count)
		return;
	id = l->by_fd ? l->of[process][r->fd] : l->of_requests[process];
	if (id == LANES_NOWHERE)
		id = (l->by_fd ? add_fd(l, r->process, r->fd) : add_requests(l, r->process))->id;
	l->lanes[id].waited_ns += r->end_ns - r->start_ns;
}

/* A process's lanes stand together, its main thread first, its requests last; or by fd.  */
static int by_start(const void *a, const void *b)
{
	const struct lane *x = a, *y = b;
	bool x_main = x->tid == x->first->pid, y_main = y->tid == y->first->pid;

	if (x->first->start_ns != y->first->start_ns)
		return x->first->start_ns < y->first->start_ns ? -1 : 1;
	if (x->first != y->first)
		return x->first->pid < y->first->pid ? -1 : x->first->pid > y->first->pid || x->first > y->first ? 1 : -1;
	if (x_main != y_main)
		return x_main ? -1 : 1;
	if (x->requests != y->requests)
		return x->requests ? 1 : -1;
	if (x->last != y->last)
		return x->last->start_ns < y->last->start_ns ? -1 : x->last->start_ns > y->last->start_ns || x->last > y->last ? 1 : -1;
	if (x->fd != y->fd)
		return x->fd < y->fd ? -1 : 1;
	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int by_wait(const void *a, const void *b)
{
	const struct lane *x = a, *y = b;

	if (x->waited_ns != y->waited_ns)
		return x->waited_ns > y->waited_ns ? -1 : 1;
	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void put_in_order(struct lanes *l)
{
	if (l->count)
		qsort(l->lanes, l->count, sizeof *l->lanes, by_start);
	for (size_t i = 0; i < l->all; i++)
		l->place[i] = LANES_NOWHERE;
	for (size_t i = 0; i < l->count; i++)
		l->place[l->lanes[i].id] = i;
}

static void add_process(struct lanes *l, size_t i)
{
	const struct model_process *process = &l->model->processes[i];
	size_t count = l->by_fd ? process->fd_count : process->thread_count;

	l->of[i] = must_have(malloc((count + 1) * sizeof **l->of));
	l->of_requests[i] = LANES_NOWHERE;
	for (size_t k = 0; k < count; k++)
		l->of[i][k] = LANES_NOWHERE;
	for (size_t k = 0; k < count; k++)
		if (!l->by_fd)
			add_thread(l, process, k);
		else if (sum(process->fds[k].wait_ns) || process->fds[k].waiting)
			add_fd(l, process, k);
}

void lanes_make(struct lanes *l, const struct trace *t, const struct model *m, bool by_fd)
{
	*l = (struct lanes){.trace = t, .model = m, .by_fd = by_fd};
	l->of = must_have(calloc(m->process_count + 1, sizeof *l->of));
	l->of_requests = must_have(calloc(m->process_count + 1, sizeof *l->of_requests));
	for (size_t i = 0; i < m->process_count; i++)
		add_process(l, i);
	if (by_fd)
		readiness_each(t, m, add_ready_fd, l);
	requests_each(t, m, add_request, l);
	l->all = l->count;
	l->place = must_have(calloc(l->all + 1, sizeof *l->place));
	put_in_order(l);
}

void lanes_free(struct lanes *l)
{
	for (size_t i = 0; l->of && i < l->model->process_count; i++)
		free(l->of[i]);
	free(l->of);
	free(l->of_requests);
	free(l->lanes);
	free(l->place);
}

static size_t place_of(const struct lanes *l, size_t process, size_t key)
{
	size_t id = key == SIZE_MAX ? LANES_NOWHERE : l->of[process][key];

	return id == LANES_NOWHERE ? LANES_NOWHERE : l->place[id];
}

size_t lanes_of_thread(const struct lanes *l, size_t process, uint32_t tid)
{
	return process < l->model->process_count ? place_of(l, process, find_thread(&l->model->processes[process], tid)) :
						   LANES_NOWHERE;
}

size_t lanes_of(const struct lanes *l, const struct model_wait *w)
{
	if (l->by_fd)
		return place_of(l, index_of(l, w->process), w->fd);
	return w->polled ? LANES_NOWHERE : lanes_of_thread(l, index_of(l, w->process), w->tid);
}

/* Of what nobody took, its process's main thread.  */
size_t lanes_of_ready(const struct lanes *l, const struct readiness_stretch *r)
{
	if (l->by_fd)
		return place_of(l, index_of(l, r->process), r->fd);
	return lanes_of_thread(l, index_of(l, r->process), r->tid ? r->tid : r->process->pid);
}

size_t lanes_of_request(const struct lanes *l, const struct request_span *r)
{
	size_t process = index_of(l, r->process), id;

	if (l->by_fd)
		return r->fd < r->process->fd_count ? place_of(l, process, r->fd) : LANES_NOWHERE;
	id = l->of_requests[process];
	return id == LANES_NOWHERE ? LANES_NOWHERE : l->place[id];
}

/* Lanes whose time in the stretch is being added up.  */
struct addition {
	struct lanes *lanes;
	const struct stretch *stretch;
};

static void add_time(const struct addition *a, size_t lane, uint64_t start, uint64_t end)
{
	start = start > a->stretch->from_ns ? start : a->stretch->from_ns;
	end = end < a->stretch->to_ns ? end : a->stretch->to_ns;
	if (lane != LANES_NOWHERE && start < end)
		a->lanes->lanes[lane].waited_ns += end - start;
}

static void add_wait(const struct model_wait *w, void *arg)
{
	const struct addition *a = arg;

	add_time(a, lanes_of(a->lanes, w), w->start_ns, w->end_ns);
}

static void add_ready(const struct readiness_stretch *r, void *arg)
{
	const struct addition *a = arg;

	add_time(a, lanes_of_ready(a->lanes, r), r->start_ns, r->end_ns);
}

static void add_in_flight(const struct request_span *r, void *arg)
{
	const struct addition *a = arg;

	add_time(a, lanes_of_request(a->lanes, r), r->start_ns, r->end_ns);
}

void lanes_leave_threads(struct lanes *l)
{
	size_t left = 0;

	for (size_t i = 0; i < l->count; i++)
		if (!l->lanes[i].requests)
			l->lanes[left++] = l->lanes[i];
	l->count = left;
	put_in_order(l);
}

size_t lanes_choose(struct lanes *l, const struct stretch *s, size_t most)
{
	struct addition a = {l, s};
	size_t there = 0;

	for (size_t i = 0; i < l->count; i++)
		if (l->lanes[i].start_ns <= s->to_ns && (l->lanes[i].end_ns >= s->from_ns || l->lanes[i].waiting))
			l->lanes[there++] = l->lanes[i];
	l->count = there;
	put_in_order(l);
	if (there <= most)
		return 0;
	if (s->from_ns || s->to_ns < l->model->wall_ns) {
		for (size_t i = 0; i < there; i++)
			l->lanes[i].waited_ns = 0;
		model_waits(l->trace, l->model, add_wait, &a);
		if (l->by_fd)
			readiness_each(l->trace, l->model, add_ready, &a);
		requests_each(l->trace, l->model, add_in_flight, &a);
	}
	qsort(l->lanes, there, sizeof *l->lanes, by_wait);
	l->count = most;
	put_in_order(l);
	return there - most;
}

struct stretch lanes_stretch(uint64_t from_ns, uint64_t to_ns, int columns)
{
	return (struct stretch){from_ns, to_ns, (to_ns - from_ns) / (uint64_t)columns + 1, columns};
}

uint64_t lanes_step(uint64_t least)
{
	uint64_t power = 1;

	while (power < UINT64_MAX / 100 && power * 10 <= least)
		power *= 10;
	return least <= power ? power : least <= power * 2 ? power * 2 : least <= power * 5 ? power * 5 : power * 10;
}

static uint64_t column(const struct stretch *s, uint64_t ns)
{
	ns = ns < s->from_ns ? s->from_ns : ns > s->to_ns ? s->to_ns : ns;
	return (ns - s->from_ns) / s->column_ns;
}

void lanes_spread(const struct stretch *s, struct cell *cells, size_t kind, uint64_t start, uint64_t end, uint64_t ns)
{
	uint64_t all = end > start ? end - start : 0;

	if (start < s->from_ns)
		start = s->from_ns;
	if (end > s->to_ns)
		end = s->to_ns;
	while (start < end) {
		uint64_t c = column(s, start), next = s->from_ns + (c + 1) * s->column_ns;

		if (next > end)
			next = end;
		cells[c].ns[kind] += ns == all ? next - start : (uint64_t)((double)ns * (double)(next - start) / (double)all);
		start = next;
	}
}

struct filling {
	const struct lanes *lanes;
	const struct stretch *stretch;
	size_t first, count;
	struct cell *cells;
};

/* The cells of a lane if they are wanted, or NULL.  */
static struct cell *cells_of(const struct filling *f, size_t lane)
{
	if (lane == LANES_NOWHERE || lane < f->first || lane - f->first >= f->count)
		return NULL;
	return f->cells + (lane - f->first) * (size_t)f->stretch->columns;
}

static void fill(const struct model_wait *w, void *arg)
{
	const struct filling *f = arg;
	const struct stretch *s = f->stretch;
	bool seen = w->end_ns >= s->from_ns && w->start_ns <= s->to_ns;
	struct cell *cells = seen ? cells_of(f, lanes_of(f->lanes, w)) : NULL;

	if (!cells)
		return;
	lanes_spread(s, cells, w->direction, w->start_ns, w->end_ns, w->end_ns - w->start_ns);
	if (!w->left && w->end_ns <= s->to_ns)
		cells[column(s, w->end_ns)].ended |= 1U << w->direction;
}

static void fill_ready(const struct readiness_stretch *r, void *arg)
{
	const struct filling *f = arg;
	struct cell *cells = cells_of(f, lanes_of_ready(f->lanes, r));

	if (cells)
		lanes_spread(f->stretch, cells, CELL_READY, r->start_ns, r->end_ns, r->end_ns - r->start_ns);
}

static void fill_flight(const struct request_span *r, void *arg)
{
	const struct filling *f = arg;
	struct cell *cells = cells_of(f, lanes_of_request(f->lanes, r));

	if (cells)
		lanes_spread(f->stretch, cells, CELL_FLIGHT, r->start_ns, r->end_ns, r->end_ns - r->start_ns);
}

void lanes_fill(const struct lanes *l, const struct stretch *s, size_t first, size_t count, struct cell *cells)
{
	struct filling f = {l, s, first, count, cells};

	memset(cells, 0, count * (size_t)s->columns * sizeof *cells);
	for (size_t i = 0; i < count; i++) {
		uint64_t start = l->lanes[first + i].start_ns, end = l->lanes[first + i].end_ns;

		lanes_spread(s, cells + i * (size_t)s->columns, DIRECTION_NONE, start, end, end - start);
	}
	model_waits(l->trace, l->model, fill, &f);
	readiness_each(l->trace, l->model, fill_ready, &f);
	requests_each(l->trace, l->model, fill_flight, &f);
	for (size_t i = 0; i < count * (size_t)s->columns; i++) {
		uint64_t all = cells[i].ns[DIRECTION_NONE], waited = sum(cells[i].ns) - all;

		cells[i].ns[DIRECTION_NONE] = all > waited ? all - waited : 0;
	}
}

uint64_t lanes_depth(const struct stretch *s, const struct cell *c)
{
	return (c->ns[CELL_FLIGHT] + s->column_ns - 1) / s->column_ns;
}

static char look(const struct lanes *l, const struct stretch *s, const struct cell *c)
{
	size_t most = DIRECTION_NONE;

	for (size_t d = 0; d < DIRECTION_COUNT; d++)
		if (c->ns[d] > c->ns[most])
			most = d;
	if (most != DIRECTION_NONE)
		return c->ended >> most & 1 ? (char)toupper(letters[most]) : letters[most];
	if (c->ended)
		return LANE_ENDED;
	if (c->ns[CELL_READY] > c->ns[most] / 2)
		return LANE_READY;
	if (c->ns[CELL_FLIGHT])
		return lanes_depth(s, c) > 9 ? LANE_MANY : (char)('0' + lanes_depth(s, c));
	return !c->ns[most] ? ' ' : l->by_fd ? LANE_NOT_WAITED_FOR : LANE_NOT_WAITING;
}

static bool is_in(const struct stretch *s, uint64_t ns)
{
	return ns >= s->from_ns && ns <= s->to_ns;
}

/* What the cells do not say: that a program became another, and that it is not known what became of it.  */
static void mark(const struct lanes *l, const struct stretch *s, const struct lane *lane, char *text)
{
	uint64_t end = lane->last->end_ns;

	if (is_in(s, lane->start_ns) && text[column(s, lane->start_ns)] == ' ')
		text[column(s, lane->start_ns)] = lane->requests ? LANE_NONE : l->by_fd ? LANE_NOT_WAITED_FOR : LANE_NOT_WAITING;
	for (const struct model_process *q = lane->last; lane->tid == q->pid && q->previous; q = q->previous)
		if (is_in(s, q->start_ns) && (column(s, q->start_ns) > column(s, lane->start_ns) || lane->start_ns < s->from_ns))
			text[column(s, q->start_ns)] = LANE_EXEC;
	if (lanes_is_lost(lane) && end < s->to_ns)
		for (uint64_t c = end < s->from_ns ? 0 : column(s, end) + 1; c <= column(s, s->to_ns); c++)
			text[c] = LANE_NOT_KNOWN;
}

void lanes_text(const struct lanes *l, const struct stretch *s, const struct lane *lane, const struct cell *cells, char *text)
{
	for (int c = 0; c < s->columns; c++)
		text[c] = look(l, s, &cells[c]);
	for (int c = 0; lane->requests && c < s->columns; c++)
		text[c] = cells[c].ns[CELL_FLIGHT] || text[c] == ' ' ? text[c] : LANE_NONE;
	text[s->columns] = 0;
	mark(l, s, lane, text);
}

bool lanes_is_lost(const struct lane *lane)
{
	return lane->waiting && lane->last->exit_status < 0 && !lane->last->vanished && !lane->last->reaped;
}

bool lanes_same_process(const struct lanes *l, size_t lane)
{
	return lane && l->lanes[lane].first == l->lanes[lane - 1].first && l->lanes[lane].last == l->lanes[lane - 1].last;
}

void lanes_process_label(const struct model_process *process, uint32_t tid, char *label, size_t size)
{
	char command[COMMAND_MAX], number[48];
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

const char *lanes_own_name(const struct lane *lane)
{
	size_t main_thread = find_thread(lane->last, lane->last->pid);
	const char *name = main_thread == SIZE_MAX ? "" : lane->last->threads[main_thread].name;

	return strcmp(lane->name, name) != 0 ? lane->name : "";
}

/* "worker, tid 2315", or "tid 2315".  */
static void label_thread(const struct lane *lane, char *label, size_t size)
{
	char name[sizeof lane->last->threads->name];

	if (screen_text(name, sizeof name, lanes_own_name(lane)))
		snprintf(label, size, "  %s, tid %" PRIu32, name, lane->tid);
	else
		snprintf(label, size, "  tid %" PRIu32, lane->tid);
}

void lanes_label(const struct lanes *l, size_t lane, char *label, size_t size)
{
	const struct lane *at = &l->lanes[lane];
	char name[COMMAND_MAX];
	int n;

	if (at->requests) {
		snprintf(label, size, "  requests in flight");
		return;
	}
	if (at->fd == MODEL_NO_FD) {
		if (lanes_same_process(l, lane))
			label_thread(at, label, size);
		else
			lanes_process_label(at->last, at->tid, label, size);
		return;
	}
	screen_text(name, sizeof name, at->last->fds[at->fd].name ? at->last->fds[at->fd].name : "?");
	n = snprintf(label, size, "  fd %d %s", at->last->fds[at->fd].fd, name);
	if (n >= (int)size)
		strcpy(label + size - 4, "...");
}
