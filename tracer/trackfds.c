/* trackfds.c - processes, fds and counters of the walk: what each number means at a time, and the rows on which it is shown.
 *
 * An fd that can make one wait has a row; a second one beside it where calls overlap in time.  Beyond ROWS_MAX of a process, its
 * fds share rows with others; beyond QUEUES_MAX pipes that it reads, what they hold is not shown.  */
#include "trackfds.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "model.h"
#include "say.h"
#include "screen.h"
#include "shim/shim.h"
#include "trackrequests.h"

enum { ROWS_MAX = 1000, LANES_MAX = 8, QUEUES_MAX = 100 };

/* Behind the numbers of threads: PID_MAX_LIMIT (linux/threads.h).  */
enum { FIRST_ROW = 1 << 22 };

/* Rows come behind the threads of their process.  */
enum { FIRST_RANK = 1 << 22 };

/* As fine as counters are told.  */
enum { COUNTER_NS = 100000 };

static void tell(struct walk *w, const struct track *t)
{
	w->sink->track(t, w->arg);
}

static int by_pid(const void *a, const void *b, void *files)
{
	const struct trace_file *f = files;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	if (f[x].header->pid != f[y].header->pid)
		return f[x].header->pid < f[y].header->pid ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void counter_init(struct counter *c, struct process *p)
{
	c->process = p;
	c->track = (struct track){
		.type = TRACK_COUNTER, .process = &p->track, .pid = p->track.pid, .tid = p->track.pid, .name = c->name,
	};
	c->timer.type = TIMER_COUNTER;
}

static void make_process(struct process *p, uint32_t pid, size_t rank)
{
	p->track = (struct track){.type = TRACK_PROCESS, .process = &p->track, .pid = pid, .tid = pid, .rank = (uint32_t)rank};
	counter_init(&p->moved[0], p);
	counter_init(&p->moved[1], p);
	strcpy(p->moved[0].name, "bytes read");
	strcpy(p->moved[1].name, "bytes written");
}

/* Its name is that of its last program.  */
static void name_process(struct process *p, const struct trace_file *f)
{
	free(p->command);
	p->command = model_command(f->header);
	p->track.command = p->command;
	p->track.name = model_short_command(&(struct model_process){.command = p->command});
}

static void make_processes(struct walk *w)
{
	const struct trace *t = w->trace;
	size_t *order = must_have(calloc(t->file_count + 1, sizeof *order)), count = 0;

	for (size_t i = 0; i < t->file_count; i++)
		order[i] = i;
	qsort_r(order, t->file_count, sizeof *order, by_pid, t->files);
	for (size_t i = 0; i < t->file_count; i++) {
		const struct trace_file *f = &t->files[order[i]];
		struct process *p = count ? &w->processes[count - 1] : NULL;

		if (!p || p->track.pid != f->header->pid) {
			p = &w->processes[count++];
			make_process(p, f->header->pid, order[i]);
		}
		name_process(p, f);
		w->images[order[i]].process = p;
	}
	w->process_count = count;
	free(order);
}

static bool began_off(const struct trace *t)
{
	return t->control.switches && !t->control.switched[0].off;
}

/* Whether calls are missing in the middle.  */
static bool has_gaps(const struct trace *t)
{
	return filter_lacks_calls(t) || t->control.switches > (began_off(t) ? 2u : 1u);
}

static bool is_complete(const struct trace *t)
{
	for (size_t i = 0; i < t->file_count; i++)
		if (t->files[i].header->lost_events || t->files[i].header->dropped_events)
			return false;
	return !t->control.lost_events && !t->unread_count && !began_off(t);
}

static void forget_wire(struct wire *wire, void *arg)
{
	struct walk *w = arg;
	struct counter *c = wire->user;

	if (!c)
		return;
	timers_clear(&w->timers, &c->timer);
	free(c);
}

void walk_begin(struct walk *w)
{
	size_t count = w->trace->file_count;

	w->images = must_have(calloc(count + 1, sizeof *w->images));
	w->processes = must_have(calloc(count + 1, sizeof *w->processes));
	w->has_gaps = has_gaps(w->trace);
	w->wires.is_complete = is_complete(w->trace);
	w->wires.forget = forget_wire;
	w->wires.arg = w;
	make_processes(w);
}

uint64_t walk_track_id(struct walk *w, struct process *p)
{
	if (!p->track.id) {
		p->track.id = ++w->track_count;
		tell(w, &p->track);
	}
	return ++w->track_count;
}

static void free_flights(struct lane *first)
{
	for (struct lane *next; first; first = next) {
		next = first->next;
		free(first->name);
		free(first);
	}
}

void walk_end(struct walk *w)
{
	for (size_t i = 0; i < w->trace->file_count; i++) {
		track_requests_end(w, &w->images[i]);
		image_end(w, &w->images[i]);
		free(w->images[i].fds.slots);
	}
	for (size_t i = 0; i < w->process_count; i++) {
		for (struct lane *l = w->processes[i].spare, *next; l; l = next) {
			next = l->next;
			free(l);
		}
		free_flights(w->processes[i].flights);
		free(w->processes[i].command);
	}
	wires_free(&w->wires);
	free(w->images);
	free(w->processes);
	free(w->timers.heap);
}

struct process *walk_process(struct walk *w, uint32_t pid)
{
	size_t low = 0, high = w->process_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (w->processes[middle].track.pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < w->process_count && w->processes[low].track.pid == pid ? &w->processes[low] : NULL;
}

void image_begin(struct walk *w, struct image *image)
{
	struct process *p = image->process;

	if (image->is_begun)
		return;
	image->is_begun = true;
	if (p->image)
		image_end(w, p->image);
	p->image = image;
}

void image_end(struct walk *w, struct image *image)
{
	for (size_t i = 0; i < image->fds.room; i++)
		fd_close(w, image, (int64_t)i);
}

bool fd_is_pipe(const struct fd *f)
{
	return f->kind == KIND_pipe || f->kind == KIND_fifo;
}

static void free_lanes(struct fd *f)
{
	for (struct lane *l = f->lanes, *next; l; l = next) {
		next = l->next;
		if (l->name) {
			free(l->name);
			free(l);
		} else {
			l->next = f->process->spare;
			f->process->spare = l;
		}
	}
}

static void put_wires(struct walk *w, struct wire *in, struct wire *out)
{
	if (in)
		wires_put(&w->wires, in);
	if (out)
		wires_put(&w->wires, out);
}

void fd_put(struct walk *w, struct fd *f)
{
	if (--f->refs)
		return;
	put_wires(w, f->in, f->out);
	free_lanes(f);
	free_flights(f->flights);
	free(f->name);
	free(f);
}

static void end_ready(struct walk *w, struct ready *ready)
{
	if (!ready->lane)
		return;
	lane_end(w, ready->lane);
	ready->lane = NULL;
}

void fd_close(struct walk *w, struct image *image, int64_t fd)
{
	struct fd *f = image_fd(image, fd);

	if (!f)
		return;
	image->fds.slots[fd] = NULL;
	end_ready(w, &f->ready[0]);
	end_ready(w, &f->ready[1]);
	fd_put(w, f);
}

/* A->B of "tcp A->B", or B->A.  */
static struct wire *wire_of_connection(struct walk *w, const char *name, bool reverse)
{
	const char *arrow = strstr(name, "->");
	char key[600];

	if (!arrow || (size_t)snprintf(key, sizeof key, "%s->%.*s", arrow + 2, (int)(arrow - name), name) >= sizeof key)
		return NULL;
	return wires_get(&w->wires, reverse ? key : name);
}

static struct wire *wire_of(struct walk *w, const struct fd *f, bool writes)
{
	struct wire *wire = NULL;
	char key[64];

	if (w->has_gaps)
		return NULL;
	if (fd_is_pipe(f) && f->inode) {
		snprintf(key, sizeof key, "%s %llu", model_kind_name(f->kind), (unsigned long long)f->inode);
		wire = wires_get(&w->wires, key);
	} else if (f->kind == KIND_stream && !strncmp(f->name, "tcp ", 4)) {
		wire = wire_of_connection(w, f->name + 4, !writes);
		if (wire)
			wire_end_is(&w->wires, wire, writes, f->inode);
	}
	return wire;
}

/* The new ones before the old, which may be the same.  */
static void find_wires(struct walk *w, struct fd *f)
{
	struct wire *in = f->in, *out = f->out;

	f->in = wire_of(w, f, false);
	f->out = wire_of(w, f, true);
	put_wires(w, in, out);
}

static void make_fd(struct walk *w, struct image *image, int64_t number, const char *name, unsigned kind, uint64_t inode)
{
	void **place = fdtable_place(&image->fds, number);
	struct fd *f;

	if (!place)
		return;
	f = must_have(calloc(1, sizeof *f));
	*f = (struct fd){
		.refs = 1, .process = image->process, .number = (int)number, .kind = kind, .inode = inode,
		.name = must_have(strdup(name)),
	};
	find_wires(w, f);
	fd_close(w, image, number);
	*place = f;
}

void fd_name_is(struct walk *w, struct image *image, const struct trace_record *r, const struct reader_place *place)
{
	struct fd *f = image_fd(image, r->fd);
	char text[512];

	reader_text(r, place, text, sizeof text);
	screen_clean(text);
	if (!f || !model_is_inode(f->kind, f->inode, r) || (!r->inode && strcmp(f->name, text) != 0)) {
		make_fd(w, image, r->fd, text, r->fd_kind, r->inode);
	} else if (strcmp(f->name, text) != 0) {
		/* A socket that was bound or connected, or a file that was moved. */
		f->inode = r->inode;
		free(f->name);
		f->name = must_have(strdup(text));
		find_wires(w, f);
	}
}

void fd_copy(struct walk *w, struct image *image, int fd, int64_t copy)
{
	const struct fd *f = image_fd(image, fd);

	if (f && f->number != copy)
		make_fd(w, image, copy, f->name, f->kind, f->inode);
	else if (!f)
		fd_close(w, image, copy);
}

static char *name_of_row(const struct fd *f, unsigned lane)
{
	char beside[16] = "", *name;

	if (lane)
		snprintf(beside, sizeof beside, " (%u)", lane + 1);
	return must_have(asprintf(&name, "fd %d %s%s", f->number, f->name, beside) < 0 ? NULL : name);
}

/* A row of the fd's own, or, where there are too many, one that it shares with others.  */
static struct lane *make_lane(struct walk *w, struct fd *f, unsigned number)
{
	struct process *p = f->process;
	struct lane *l = p->spare;

	if (l) {
		p->spare = l->next;
		return l;
	}
	l = must_have(calloc(1, sizeof *l));
	if (p->row_count < ROWS_MAX)
		l->name = name_of_row(f, number);
	l->track = (struct track){
		.id = walk_track_id(w, p), .type = TRACK_FD, .process = &p->track, .pid = p->track.pid,
		.tid = FIRST_ROW + w->row_count++, .rank = FIRST_RANK + p->row_count++, .name = l->name ? l->name : "more fds",
	};
	tell(w, &l->track);
	return l;
}

static struct lane *find_lane(struct walk *w, struct fd *f)
{
	struct lane **at = &f->lanes;
	unsigned number = 0;

	for (; *at && (*at)->is_busy; at = &(*at)->next)
		number++;
	if (!*at && number < LANES_MAX && model_can_wait(f->kind)) {
		*at = make_lane(w, f, number);
		(*at)->next = NULL;
	}
	return *at;
}

struct lane *lane_begin(struct walk *w, struct fd *f, struct track_slice *s)
{
	struct lane *l = find_lane(w, f);

	if (!l)
		return NULL;
	l->is_busy = true;
	l->start_ns = s->start_ns;
	l->told_ns = s->told_ns;
	w->sink->begin(&l->track, s, w->arg);
	return l;
}

void lane_end(struct walk *w, struct lane *lane)
{
	struct track_slice s = {.start_ns = lane->start_ns, .told_ns = lane->told_ns, .end_ns = w->now};

	lane->is_busy = false;
	w->sink->end(&lane->track, &s, w->arg);
}

void fd_ready(struct walk *w, struct fd *f, bool writes)
{
	struct ready *ready = &f->ready[writes];
	struct track_slice s = {
		.category = "ready", .name = writes ? "ready to write" : "ready to read", .start_ns = w->now,
		.told_ns = TRACKS_OPEN,
	};

	/* Else it would seem to be ready until a call that is not missing. */
	if (ready->lane || w->has_gaps)
		return;
	s.id = walk_flow_id(w);
	ready->lane = lane_begin(w, f, &s);
	if (ready->lane)
		ready->flow = (struct wire_flow){{s.id, ready->lane->track.pid, ready->lane->track.tid, w->now}, true};
}

size_t fd_take_ready(struct walk *w, struct fd *f, bool writes, struct wire_flow *flow)
{
	(void)w;
	if (!f->ready[writes].lane || f->ready[writes].flow.from.id == 0)
		return 0;
	*flow = f->ready[writes].flow;
	f->ready[writes].flow.from.id = 0;
	return 1;
}

void fd_end_ready(struct walk *w, struct fd *f)
{
	for (int i = 0; i < 2; i++)
		if (f->ready[i].lane && f->ready[i].flow.from.id == 0)
			end_ready(w, &f->ready[i]);
}

static void tell_counter(struct walk *w, struct counter *c)
{
	if (!c->track.id) {
		c->track.id = walk_track_id(w, c->process);
		tell(w, &c->track);
	}
	w->sink->counter(&c->track, w->now, c->value, w->arg);
	c->told_value = c->value;
	c->is_told = true;
	timers_set(&w->timers, &c->timer, w->now + COUNTER_NS);
}

void counter_fire(struct walk *w, struct counter *c)
{
	if (c->value != c->told_value)
		tell_counter(w, c);
	else
		timers_clear(&w->timers, &c->timer);
}

static void counter_is(struct walk *w, struct counter *c, uint64_t value)
{
	c->value = value;
	if (!c->timer.place && (!c->is_told || value != c->told_value))
		tell_counter(w, c);
}

void count_bytes(struct walk *w, struct process *p, bool writes, uint64_t bytes)
{
	counter_is(w, &p->moved[writes], p->moved[writes].value + bytes);
}

void count_queue(struct walk *w, struct process *p, const struct fd *f, struct wire *wire, bool reads)
{
	struct counter *c = wire->user;
	uint64_t bytes;

	if (!fd_is_pipe(f) || !wire_queue(wire, &bytes) || (!c && (!reads || p->queue_count == QUEUES_MAX)))
		return;
	if (!c) {
		wire->user = c = must_have(calloc(1, sizeof *c));
		counter_init(c, p);
		p->queue_count++;
		snprintf(c->name, sizeof c->name, "bytes in %s", f->name);
	}
	counter_is(w, c, bytes);
}
