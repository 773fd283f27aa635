/* lanes.c - from the model to lanes, and from its waits to cells.
 *
 * A character of a lane is what most of its stretch of time was.  A wait that ended there makes it a capital, so that one wait
 * can be told from two, however short the time between them.  */
#include "lanes.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "screen.h"

enum { COMMAND_MAX = 256 };

/* The waits of this thread, or fd, of this process belong to a lane.  In the order of the model.  */
struct owner {
	const struct model_process *process;
	size_t key;                     /* tid, or index of the fd */
	size_t lane;                    /* id */
};

static const char letters[DIRECTION_COUNT] = {
	[DIRECTION_READ] = 'r', [DIRECTION_WRITE] = 'w', [DIRECTION_POLL] = 'p', [DIRECTION_SLEEP] = 's', [DIRECTION_CHILD] = 'c',
	[DIRECTION_LOCK] = 'l',
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

static void own(struct lanes *l, const struct model_process *process, size_t key, const struct lane *lane)
{
	if (l->owner_count == l->owner_room) {
		l->owner_room = l->owner_room ? l->owner_room * 2 : 64;
		l->owners = must_have(realloc(l->owners, l->owner_room * sizeof *l->owners));
	}
	l->owners[l->owner_count++] = (struct owner){process, key, lane->id};
}

static const struct model_process *first_program(const struct model_process *process)
{
	while (process->previous)
		process = process->previous;
	return process;
}

/* The main thread goes on over an exec, in the same lane.  main_lanes: of each process, its main thread's id + 1.  */
static void add_thread(struct lanes *l, size_t *main_lanes, const struct model_process *process, const struct model_thread *t)
{
	bool is_main = t->tid == process->pid;
	size_t *main_lane = &main_lanes[process - l->model->processes];
	size_t before = is_main && process->previous ? main_lanes[process->previous - l->model->processes] : 0;
	struct lane *lane = before ? &l->lanes[before - 1] : new_lane(l);

	if (!before) {
		lane->first = first_program(process);
		lane->tid = t->tid;
		lane->fd = MODEL_NO_FD;
		lane->start_ns = is_main ? process->start_ns : t->start_ns;
	}
	lane->last = process;
	lane->end_ns = t->end_ns;
	lane->waited_ns += sum(t->wait_ns);
	lane->waiting = t->waiting;
	if (is_main)
		*main_lane = lane->id + 1;
	own(l, process, t->tid, lane);
}

static void add_fd(struct lanes *l, const struct model_process *process, size_t fd)
{
	const struct model_fd *f = &process->fds[fd];
	struct lane *lane;

	if (!sum(f->wait_ns) && !f->waiting)
		return;
	lane = new_lane(l);
	lane->first = first_program(process);
	lane->last = process;
	lane->tid = process->pid;
	lane->fd = fd;
	lane->start_ns = process->start_ns;
	lane->end_ns = process->end_ns;
	lane->waited_ns = sum(f->wait_ns);
	lane->waiting = f->waiting;
	own(l, process, fd, lane);
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

static int by_wait(const void *a, const void *b)
{
	const struct lane *x = a, *y = b;

	if (x->waited_ns != y->waited_ns)
		return x->waited_ns > y->waited_ns ? -1 : 1;
	return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

static void put_in_order(struct lanes *l)
{
	if (l->count)
		qsort(l->lanes, l->count, sizeof *l->lanes, by_start);
	for (size_t i = 0; i < l->owner_count; i++)
		l->place[l->owners[i].lane] = LANES_NOWHERE;
	for (size_t i = 0; i < l->count; i++)
		l->place[l->lanes[i].id] = i;
}

void lanes_make(struct lanes *l, const struct trace *t, struct model *m, bool by_fd)
{
	size_t *main_lanes = must_have(calloc(m->process_count + 1, sizeof *main_lanes));

	*l = (struct lanes){.trace = t, .model = m, .by_fd = by_fd};
	for (size_t i = 0; i < m->process_count; i++) {
		const struct model_process *process = &m->processes[i];

		for (size_t k = 0; by_fd && k < process->fd_count; k++)
			add_fd(l, process, k);
		for (size_t k = 0; !by_fd && k < process->thread_count; k++)
			add_thread(l, main_lanes, process, &process->threads[k]);
	}
	l->place = must_have(calloc(l->count + 1, sizeof *l->place));
	put_in_order(l);
	free(main_lanes);
}

void lanes_free(struct lanes *l)
{
	free(l->lanes);
	free(l->owners);
	free(l->place);
}

static int by_owner(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;

	if (x->process != y->process)
		return x->process < y->process ? -1 : 1;
	return x->key < y->key ? -1 : x->key > y->key;
}

size_t lanes_of(const struct lanes *l, const struct model_wait *w)
{
	struct owner key = {w->process, l->by_fd ? w->fd : w->tid, 0};
	const struct owner *o;

	if (l->by_fd ? w->fd == MODEL_NO_FD : w->polled)
		return LANES_NOWHERE;
	o = l->owner_count ? bsearch(&key, l->owners, l->owner_count, sizeof *o, by_owner) : NULL;
	return o ? l->place[o->lane] : LANES_NOWHERE;
}

/* Lanes whose time in the stretch is being added up.  */
struct addition {
	struct lanes *lanes;
	const struct stretch *stretch;
};

static void add_up(const struct model_wait *w, void *arg)
{
	const struct addition *a = arg;
	size_t lane = lanes_of(a->lanes, w);
	uint64_t start = w->start_ns > a->stretch->from_ns ? w->start_ns : a->stretch->from_ns;
	uint64_t end = w->end_ns < a->stretch->to_ns ? w->end_ns : a->stretch->to_ns;

	if (lane != LANES_NOWHERE && start < end)
		a->lanes->lanes[lane].waited_ns += end - start;
}

size_t lanes_choose(struct lanes *l, const struct stretch *s, size_t most)
{
	struct addition a = {l, s};
	size_t there = 0;

	for (size_t i = 0; i < l->count; i++)
		if (l->lanes[i].start_ns < s->to_ns && (l->lanes[i].end_ns >= s->from_ns || l->lanes[i].waiting))
			l->lanes[there++] = l->lanes[i];
	l->count = there;
	put_in_order(l);
	if (there <= most)
		return 0;
	if (s->from_ns || s->to_ns < l->model->wall_ns) {
		for (size_t i = 0; i < there; i++)
			l->lanes[i].waited_ns = 0;
		model_waits(l->trace, l->model, add_up, &a);
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

static uint64_t column(const struct stretch *s, uint64_t ns)
{
	ns = ns < s->from_ns ? s->from_ns : ns > s->to_ns ? s->to_ns : ns;
	return (ns - s->from_ns) / s->column_ns;
}

static void spread(const struct stretch *s, struct cell *cells, enum direction d, uint64_t start, uint64_t end)
{
	if (start < s->from_ns)
		start = s->from_ns;
	if (end > s->to_ns)
		end = s->to_ns;
	while (start < end) {
		uint64_t c = column(s, start), next = s->from_ns + (c + 1) * s->column_ns;

		if (next > end)
			next = end;
		cells[c].ns[d] += next - start;
		start = next;
	}
}

struct filling {
	const struct lanes *lanes;
	const struct stretch *stretch;
	size_t first, count;
	struct cell *cells;
};

static void fill(const struct model_wait *w, void *arg)
{
	const struct filling *f = arg;
	const struct stretch *s = f->stretch;
	size_t lane = w->end_ns >= s->from_ns && w->start_ns <= s->to_ns ? lanes_of(f->lanes, w) : LANES_NOWHERE;
	struct cell *cells;

	if (lane == LANES_NOWHERE || lane < f->first || lane - f->first >= f->count)
		return;
	cells = f->cells + (lane - f->first) * (size_t)s->columns;
	spread(s, cells, w->direction, w->start_ns, w->end_ns);
	if (!w->left && w->end_ns <= s->to_ns)
		cells[column(s, w->end_ns)].ended |= 1U << w->direction;
}

void lanes_fill(const struct lanes *l, const struct stretch *s, size_t first, size_t count, struct cell *cells)
{
	struct filling f = {l, s, first, count, cells};

	memset(cells, 0, count * (size_t)s->columns * sizeof *cells);
	for (size_t i = 0; i < count; i++)
		spread(s, cells + i * (size_t)s->columns, DIRECTION_NONE, l->lanes[first + i].start_ns, l->lanes[first + i].end_ns);
	model_waits(l->trace, l->model, fill, &f);
	for (size_t i = 0; i < count * (size_t)s->columns; i++) {
		uint64_t all = cells[i].ns[DIRECTION_NONE], waited = sum(cells[i].ns) - all;

		cells[i].ns[DIRECTION_NONE] = all > waited ? all - waited : 0;
	}
}

static char look(const struct lanes *l, const struct cell *c)
{
	size_t most = DIRECTION_NONE;

	for (size_t d = 0; d < DIRECTION_COUNT; d++)
		if (c->ns[d] > c->ns[most])
			most = d;
	if (most != DIRECTION_NONE)
		return c->ended >> most & 1 ? (char)toupper(letters[most]) : letters[most];
	if (c->ended)
		return LANE_ENDED;
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
		text[column(s, lane->start_ns)] = l->by_fd ? LANE_NOT_WAITED_FOR : LANE_NOT_WAITING;
	for (const struct model_process *q = lane->last; lane->tid == q->pid && q->previous; q = q->previous)
		if (is_in(s, q->start_ns) && (column(s, q->start_ns) > column(s, lane->start_ns) || lane->start_ns < s->from_ns))
			text[column(s, q->start_ns)] = LANE_EXEC;
	if (lane->waiting && lane->last->exit_status < 0 && !lane->last->vanished && !lane->last->reaped && end < s->to_ns)
		for (uint64_t c = end < s->from_ns ? 0 : column(s, end) + 1; c <= column(s, s->to_ns); c++)
			text[c] = LANE_NOT_KNOWN;
}

void lanes_text(const struct lanes *l, const struct stretch *s, const struct lane *lane, const struct cell *cells, char *text)
{
	for (int c = 0; c < s->columns; c++)
		text[c] = look(l, &cells[c]);
	text[s->columns] = 0;
	mark(l, s, lane, text);
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

void lanes_label(const struct lanes *l, size_t lane, char *label, size_t size)
{
	const struct lane *at = &l->lanes[lane];
	char name[COMMAND_MAX];
	int n;

	if (at->fd == MODEL_NO_FD) {
		if (lanes_same_process(l, lane))
			label_thread(at->last, at->tid, label, size);
		else
			lanes_process_label(at->last, at->tid, label, size);
		return;
	}
	screen_text(name, sizeof name, at->last->fds[at->fd].name ? at->last->fds[at->fd].name : "?");
	n = snprintf(label, size, "  fd %d %s", at->last->fds[at->fd].fd, name);
	if (n >= (int)size)
		strcpy(label + size - 4, "...");
}
