/* graph.c - the waits-for graph over time.
 *
 * The nodes are threads.  An edge is a wait, in a bucket of time, whose other side is in the trace: another process that has the
 * other end of a pipe or connection and uses it, or was started with it; a child; other threads.  Who of several it is depends
 * on who was there in that bucket.  A wait that leads nowhere is something that the thread does itself.  */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "shim/shim.h"

/* Between a process's last sign and the moment in which others notice its end, the kernel takes it down.  */
enum { END_NS = 20000000 };

static size_t first_image(const struct model *m, size_t image)
{
	const struct model_process *p = &m->processes[image];

	while (p->previous)
		p = p->previous;
	return (size_t)(p - m->processes);
}

/* Of a process that went on, or was killed, and nobody waited for it, no end is known.  */
static bool has_end(const struct model_process *p)
{
	return p->exit_status >= 0 || p->signal >= 0 || p->reaped || p->vanished;
}

static void make_images(struct graph *g)
{
	const struct model *m = g->model;

	g->images = must_have(calloc(m->process_count + 1, sizeof *g->images));
	g->units = must_have(calloc(m->process_count + 1, sizeof *g->units));
	g->image_count = m->process_count;
	for (size_t i = 0; i < m->process_count; i++) {
		const struct model_process *p = &m->processes[i];
		/* Between exec and the first sign of the new program the kernel and the loader are at work for it. */
		uint64_t start = p->previous ? p->previous->end_ns : p->start_ns, end = p->end_ns > start ? p->end_ns : start;

		g->images[i] = (struct graph_image){.process = p, .unit = g->unit_count, .start_ns = start, .end_ns = end};
		if (!p->previous)
			g->units[g->unit_count++] = (struct graph_unit){i, i, GRAPH_NONE, 0, 0, start, end, end};
	}
	for (size_t i = 0; i < m->process_count; i++) {
		struct graph_unit *u;

		g->images[i].unit = g->images[first_image(m, i)].unit;
		u = &g->units[g->images[i].unit];
		if (g->images[i].end_ns > u->end_ns) {
			u->end_ns = g->images[i].end_ns;
			u->last = i;
		}
	}
	for (size_t i = 0; i < g->unit_count; i++) {
		struct graph_image *last = &g->images[g->units[i].last];

		if (!has_end(last->process))
			g->units[i].end_ns = last->end_ns = m->wall_ns;
		g->units[i].told_ns = last->process->told_ns > last->end_ns ? last->process->told_ns : last->end_ns;
	}
}

struct pid { uint32_t pid; uint64_t start_ns; size_t unit; };

static int by_pid(const void *a, const void *b)
{
	const struct pid *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

/* Of those who had this pid, the one that was there last, at that time.  */
static size_t find_unit(const struct pid *pids, size_t count, uint32_t pid, uint64_t ns)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (pids[middle].pid < pid || (pids[middle].pid == pid && pids[middle].start_ns <= ns))
			low = middle + 1;
		else
			high = middle;
	}
	return low && pids[low - 1].pid == pid ? pids[low - 1].unit : GRAPH_NONE;
}

struct child { size_t parent; uint64_t told_ns; size_t unit; };

static int by_parent(const void *a, const void *b)
{
	const struct child *x = a, *y = b;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (x->told_ns != y->told_ns)
		return x->told_ns < y->told_ns ? -1 : 1;
	return x->unit < y->unit ? -1 : x->unit > y->unit;
}

static void find_children(struct graph *g)
{
	struct child *children = must_have(calloc(g->unit_count + 1, sizeof *children));

	g->children = must_have(calloc(g->unit_count + 1, sizeof *g->children));
	for (size_t i = 0; i < g->unit_count; i++)
		children[i] = (struct child){g->units[i].parent, g->units[i].told_ns, i};
	qsort(children, g->unit_count, sizeof *children, by_parent);
	for (size_t i = 0; i < g->unit_count; i++) {
		size_t parent = children[i].parent;

		g->children[i] = children[i].unit;
		if (parent == GRAPH_NONE)
			continue;
		if (!g->units[parent].child_count++)
			g->units[parent].child_first = i;
	}
	free(children);
}

static void find_parents(struct graph *g)
{
	struct pid *pids = must_have(calloc(g->unit_count + 1, sizeof *pids));

	for (size_t i = 0; i < g->unit_count; i++)
		pids[i] = (struct pid){g->images[g->units[i].first].process->pid, g->units[i].start_ns, i};
	qsort(pids, g->unit_count, sizeof *pids, by_pid);
	for (size_t i = 0; i < g->unit_count; i++) {
		struct graph_unit *u = &g->units[i];
		size_t parent = find_unit(pids, g->unit_count, g->images[u->first].process->ppid, u->start_ns);

		/* Somebody who began later, or at the same moment, is not; so there are no circles. */
		if (parent != GRAPH_NONE && g->units[parent].start_ns < u->start_ns)
			u->parent = parent;
	}
	free(pids);
}

/* Of all cells that are waits of the thread itself, by activity or not: how long it waited, and was in calls on files.  */
static void sum_cells(const struct graph_thread *t, uint64_t *waited, uint64_t *in_files)
{
	*waited = *in_files = 0;
	for (size_t i = 0; i < t->cell_count; i++) {
		const struct waits_cell *c = &t->cells[i];
		uint64_t ns = c->ns * (c->to - c->from + 1U);

		if (c->direction == WAITS_FILE)
			*in_files += ns;
		else if (!c->polled)
			*waited += ns;
	}
}

static double share(double part, double whole)
{
	return whole <= 0 || part <= 0 ? 0 : part > whole ? 1 : part / whole;
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

/* How threads that together had so much CPU time spent what looks like running, and their calls on files: files in memory are
 * copied by the CPU, so that they waited for a disk no longer than they were off the CPU.  */
static struct graph_thread share_cpu(double waited, double run, double files, double cpu)
{
	double off = run + files > cpu ? run + files - cpu : 0, disk = share(off, files);

	return (struct graph_thread){
		.has_cpu = true, .disk = disk, .cpu = share(cpu - files * (1 - disk), run), .inside = share(cpu - run - files, waited)};
}

static void set_cpu(struct graph_thread *t, struct graph_thread shared)
{
	t->has_cpu = shared.has_cpu;
	t->cpu = shared.cpu;
	t->disk = shared.disk;
	t->inside = shared.inside;
}

/* Threads that have not told their CPU time share what is left of their process's.  */
static void find_cpu(struct graph *g, struct graph_image *image)
{
	const struct model_process *p = image->process;
	struct graph_thread rest = {.cpu = 1, .disk = 1};
	double wait = 0, run = 0, files = 0, left = (double)p->cpu_ns;
	uint64_t waited, in_files;

	for (size_t i = 0; i < image->thread_count; i++) {
		struct graph_thread *t = &g->threads[image->first_thread + i];
		uint64_t cpu = i < p->thread_count && image->thread_count > 1 ? p->threads[i].cpu_ns : MODEL_UNKNOWN;
		double runs, life = (double)(t->end_ns - t->start_ns);

		sum_cells(t, &waited, &in_files);
		runs = life > (double)(waited + in_files) ? life - (double)(waited + in_files) : 0;
		if (cpu == MODEL_UNKNOWN) {
			wait += (double)waited;
			run += runs;
			files += (double)in_files;
		} else {
			left -= (double)cpu;
			set_cpu(t, share_cpu((double)waited, runs, (double)in_files, (double)cpu));
		}
	}
	if (p->cpu_ns != MODEL_UNKNOWN)
		rest = share_cpu(wait, run, files, left > 0 ? left : 0);
	for (size_t i = 0; i < image->thread_count; i++)
		if (!g->threads[image->first_thread + i].has_cpu)
			set_cpu(&g->threads[image->first_thread + i], rest);
}

static void find_waiters(struct graph *g, struct graph_image *image)
{
	size_t fds = image->process->fd_count;
	uint64_t *most = must_have(calloc(fds + 1, sizeof *most)), *sum = must_have(calloc(fds + 1, sizeof *sum));

	image->waiters = must_have(calloc(fds + 1, sizeof *image->waiters));
	for (size_t i = 0; i < image->thread_count; i++) {
		const struct graph_thread *t = &g->threads[image->first_thread + i];

		memset(sum, 0, fds * sizeof *sum);
		for (size_t k = 0; k < t->cell_count; k++) {
			const struct waits_cell *c = &t->cells[k];

			if (c->fd >= fds || c->direction == DIRECTION_LOCK || c->direction == WAITS_SIGN || c->direction == WAITS_OTHERS)
				continue;
			sum[c->fd] += c->ns * (c->to - c->from + 1U);
			if (sum[c->fd] > most[c->fd]) {
				most[c->fd] = sum[c->fd];
				image->waiters[c->fd] = (uint32_t)i + 1;
			}
		}
	}
	free(most);
	free(sum);
}

static void add_thread(struct graph *g, size_t image, uint32_t tid, const struct model_thread *t)
{
	const struct graph_image *i = &g->images[image];
	struct graph_thread new = {.image = image, .tid = tid, .start_ns = i->start_ns, .end_ns = i->end_ns, .sign_ns = i->end_ns};

	if (t)
		new.sign_ns = t->end_ns;
	/* One that ended by itself has told its CPU time, or was joined. */
	if (t && tid != i->process->pid) {
		new.start_ns = t->start_ns;
		new.end_ns = t->cpu_ns == MODEL_UNKNOWN && !t->joined ? i->end_ns : t->end_ns;
	}
	g->threads[g->thread_count++] = new;
}

static void add_line(struct graph_thread *t, const struct waits_line *l, bool waiting)
{
	t->cells = l->cells;
	t->cell_count = l->count;
	if (l->end_ns > t->sign_ns)
		t->sign_ns = l->end_ns;
	if (waiting) {
		t->left = &l->left;
		t->left_ns = l->left_ns;
	}
}

/* The lines are in the same order, of processes and of tids.  */
static void make_threads(struct graph *g, const struct waits *w)
{
	size_t room = g->image_count + 1;
	const struct waits_line *line = w->lines, *end = line + w->line_count;

	for (size_t i = 0; i < g->image_count; i++)
		room += g->images[i].process->thread_count;
	g->threads = must_have(calloc(room, sizeof *g->threads));
	for (size_t i = 0; i < g->image_count; i++) {
		struct graph_image *image = &g->images[i];
		const struct model_process *p = image->process;

		image->first_thread = g->thread_count;
		for (size_t k = 0; k < p->thread_count; k++) {
			add_thread(g, i, p->threads[k].tid, &p->threads[k]);
			if (line < end && line->process == p && line->tid == p->threads[k].tid)
				add_line(&g->threads[g->thread_count - 1], line++, p->threads[k].waiting);
		}
		if (!p->thread_count)
			add_thread(g, i, p->pid, NULL);
		image->thread_count = g->thread_count - image->first_thread;
		for (size_t k = 0; k < p->fd_count; k++)
			image->serves |= p->fds[k].listens;
		find_cpu(g, image);
		find_waiters(g, image);
	}
}

void graph_build(struct graph *g, const struct model *m, const struct waits *w)
{
	*g = (struct graph){.model = m, .bucket_ns = w->bucket_ns};
	make_images(g);
	find_parents(g);
	find_children(g);
	make_threads(g, w);
}

void graph_free(struct graph *g)
{
	for (size_t i = 0; i < g->image_count; i++)
		free(g->images[i].waiters);
	free(g->images);
	free(g->units);
	free(g->children);
	free(g->threads);
}

size_t graph_main_thread(const struct graph *g, size_t image)
{
	const struct graph_image *i = &g->images[image];

	for (size_t k = i->first_thread; k < i->first_thread + i->thread_count; k++)
		if (g->threads[k].tid == i->process->pid)
			return k;
	return i->first_thread;
}

size_t graph_image_at(const struct graph *g, size_t unit, uint64_t ns)
{
	size_t image = g->units[unit].last;

	while (g->images[image].start_ns >= ns && g->images[image].process->previous)
		image = (size_t)(g->images[image].process->previous - g->model->processes);
	return image;
}

size_t graph_child_at(const struct graph *g, size_t unit, uint64_t ns)
{
	const struct graph_unit *u = &g->units[unit];
	size_t low = u->child_first, end = u->child_first + u->child_count, high = end, found = GRAPH_NONE;
	uint64_t from = ns > END_NS ? ns - END_NS : 0;
	bool was_killed = false;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (g->units[g->children[middle]].told_ns < from)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < end; low++) {
		const struct graph_unit *c = &g->units[g->children[low]];
		bool killed = g->images[c->last].process->signal > 0;

		if (c->start_ns >= ns)
			continue;
		if (c->told_ns > ns)
			return found == GRAPH_NONE ? g->children[low] : found;
		if (found == GRAPH_NONE || !killed || was_killed) {
			found = g->children[low];
			was_killed = killed;
		}
	}
	return found;
}

static void add_own(struct graph_moment *m, enum activity a, const struct model_fd *f, double ns)
{
	m->own[a] += ns;
	if (a == ACTIVITY_OUTSIDE && ns > m->outside_ns) {
		m->outside = f;
		m->outside_ns = ns;
	}
}

static void add_option(struct graph_moment *m, struct graph_option o)
{
	if (m->count == m->room) {
		m->room = m->room ? m->room * 2 : 4;
		m->options = must_have(realloc(m->options, m->room * sizeof *m->options));
	}
	m->options[m->count++] = o;
	m->wait_ns += o.ns;
	m->ended += o.ended;
}

/* How good an end is to be waited for, from 0 on: it is used, or was opened by name, or its program was started with it, by
 * somebody who is there, or who was just before.  UNFIT: not at all; OWN: the process has it itself, and uses it.  */
enum { UNFIT = -1, OWN = -2 };

static int rank(const struct graph *g, size_t unit, const struct model_fd *f, const struct model_end *e, uint64_t from, uint64_t to)
{
	const struct graph_image *i = &g->images[e->process - g->model->processes];
	bool holds = !e->fd->calls && e->fd->kind != KIND_fifo;

	if (!model_is_other_end(f, e->fd))
		return UNFIT;
	if (i->unit == unit)
		return holds ? UNFIT : OWN;
	if (i->start_ns >= to || i->end_ns + END_NS < from || (holds && (e->process->forked || e->fd->fd > 2)))
		return UNFIT;
	return (i->end_ns < from ? 2 : 0) + holds;
}

static double moved(const struct model_fd *f)
{
	return 1 + (double)f->bytes[DIRECTION_READ] + (double)f->bytes[DIRECTION_WRITE];
}

/* The waits for f become those for who has its other end, by how much each moved there; false: nobody has.  */
static bool add_peers(const struct graph *g, size_t image, const struct model_fd *f, uint64_t from, uint64_t to,
		      struct graph_option o, struct graph_moment *m)
{
	size_t count, unit = g->images[image].unit;
	const struct model_end *ends = model_ends(g->model, f, &count);
	int best = UNFIT;
	double all = 0;

	for (size_t i = 0; i < count; i++) {
		int r = rank(g, unit, f, &ends[i], from, to);

		if (r == best) {
			all += moved(ends[i].fd);
		} else if (r >= 0 ? best < 0 || r < best : best == UNFIT) {
			best = r;
			all = moved(ends[i].fd);
		}
	}
	if (best == OWN) {
		o.target = TARGET_THREADS;
		add_option(m, o);
	}
	for (size_t i = 0; best >= 0 && i < count; i++)
		if (rank(g, unit, f, &ends[i], from, to) == best) {
			double part = moved(ends[i].fd) / all;
			size_t peer = (size_t)(ends[i].process - g->model->processes);

			add_option(m, (struct graph_option){TARGET_IMAGE, peer, ends[i].fd, o.ended * part, o.ns * part, o.ns});
		}
	return best != UNFIT;
}

static void add_fd_wait(const struct graph *g, size_t image, const struct model_fd *f, uint64_t from, uint64_t to, double ended,
			double ns, struct graph_moment *m)
{
	struct graph_option o = {.end = f, .ended = ended, .ns = ns, .shared_ns = ns};

	switch (f->kind) {
	case KIND_timerfd:
		add_own(m, ACTIVITY_SLEEP, f, ns);
		return;
	case KIND_file: case KIND_directory: case KIND_block:
		add_own(m, ACTIVITY_DISK, f, ns);
		return;
	case KIND_pidfd: case KIND_signalfd:
		o.target = TARGET_CHILDREN;
		add_option(m, o);
		return;
	case KIND_eventfd:
		o.target = TARGET_THREADS;
		add_option(m, o);
		return;
	default:
		break;
	}
	if (f->listens) {
		o.target = TARGET_CLIENTS;
		add_option(m, o);
	} else if (!add_peers(g, image, f, from, to, o, m)) {
		add_own(m, f->accepted ? ACTIVITY_CLIENT : ACTIVITY_OUTSIDE, f, ns);
	}
}

/* A poll's time is that of the fds that it returned, in equal parts; what it waited in vain for is its own.  */
struct polls {
	double ns, ended, fd_ns, fd_ended;
};

static struct polls sum_polls(const struct waits_cell *first, const struct waits_cell *end)
{
	struct polls p = {0};

	for (const struct waits_cell *c = first; c < end; c++) {
		if (c->direction != DIRECTION_POLL)
			continue;
		*(c->polled ? &p.fd_ns : &p.ns) += (double)c->ns;
		*(c->polled ? &p.fd_ended : &p.ended) += c->ended;
	}
	return p;
}

/* Of the image, by its tid; GRAPH_NONE if there is none.  */
static size_t find_thread(const struct graph *g, size_t image, uint32_t tid)
{
	size_t low = g->images[image].first_thread, end = low + g->images[image].thread_count, high = end;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (g->threads[middle].tid < tid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < end && g->threads[low].tid == tid ? low : GRAPH_NONE;
}

/* How much of a wait it was on a CPU: the kernel was at work for it.  */
static double run_inside(const struct graph_thread *t, double ns, struct graph_moment *m)
{
	if (t->inside > 0)
		add_own(m, ACTIVITY_RUN, NULL, ns * t->inside);
	return ns * t->inside;
}

/* For what its requests waited for: each fd has its part in it.  Where none had to be ready, that is the disk.  */
static void add_requests(const struct graph *g, size_t image, uint64_t from, uint64_t to, double ended, double ns,
			 struct graph_moment *m)
{
	enum { FDS_MAX = 16 };
	const struct model_process *p = g->images[image].process;
	const struct model_fd *fds[FDS_MAX];
	double all = 0;
	size_t count = 0;

	for (size_t i = 0; i < p->fd_count; i++) {
		if (p->fds[i].request_waits && count < FDS_MAX)
			fds[count] = &p->fds[i];
		count += p->fds[i].request_waits != 0;
		all += (double)p->fds[i].request_waits;
	}
	if (count == 0 || count > FDS_MAX)
		add_own(m, count ? ACTIVITY_OUTSIDE : ACTIVITY_DISK, NULL, ns);
	for (size_t i = 0; i < count && count <= FDS_MAX; i++) {
		double part = (double)fds[i]->request_waits / all;

		add_fd_wait(g, image, fds[i], from, to, ended * part, ns * part, m);
	}
}

/* Signals come from other threads, or from children that end, or from nobody who is known.  */
static void add_signal(const struct graph *g, const struct graph_thread *t, double ended, double ns, uint64_t to, struct graph_moment *m)
{
	const struct graph_image *i = &g->images[t->image];

	if (i->thread_count > 1)
		add_option(m, (struct graph_option){TARGET_THREADS, 0, NULL, ended, ns, ns});
	else if (graph_child_at(g, i->unit, to) != GRAPH_NONE)
		add_option(m, (struct graph_option){TARGET_CHILDREN, 0, NULL, ended, ns, ns});
	else
		add_own(m, ACTIVITY_OUTSIDE, NULL, ns);
}

static void add_cell(const struct graph *g, const struct graph_thread *t, const struct waits_cell *c, const struct polls *polls,
		     uint64_t from, uint64_t to, struct graph_moment *m)
{
	const struct model_process *p = g->images[t->image].process;
	const struct model_fd *f = c->fd < p->fd_count ? &p->fds[c->fd] : NULL;
	double ended = c->ended, ns = (double)c->ns;

	if (c->polled) {
		ns *= share(polls->ns, polls->fd_ns);
		ended *= share(polls->ended, polls->fd_ended);
	}
	if (c->direction != WAITS_FILE && (c->direction != DIRECTION_POLL || c->polled))
		ns -= run_inside(t, ns, m);
	switch (c->direction) {
	case WAITS_FILE:
		add_own(m, ACTIVITY_DISK, NULL, ns * t->disk);
		add_own(m, ACTIVITY_RUN, NULL, ns * (1 - t->disk));
		return;
	case DIRECTION_SLEEP: add_own(m, ACTIVITY_SLEEP, NULL, ns); return;
	case DIRECTION_REQUEST: add_requests(g, t->image, from, to, ended, ns, m); return;
	case DIRECTION_LOCK:
		add_option(m, (struct graph_option){TARGET_HOLDER, find_thread(g, t->image, c->fd), NULL, ended, ns, ns});
		return;
	case DIRECTION_SIGNAL: add_signal(g, t, ended, ns, to, m); return;
	case WAITS_OTHERS: add_own(m, ACTIVITY_OUTSIDE, f, ns); return;
	case WAITS_SIGN: add_option(m, (struct graph_option){TARGET_THREADS, 0, NULL, ended, ns, ns}); return;
	case DIRECTION_CHILD: add_option(m, (struct graph_option){TARGET_CHILDREN, 0, NULL, ended, ns, ns}); return;
	case DIRECTION_POLL:
		if (!c->polled)
			return;
		break;
	default:
		break;
	}
	if (f)
		add_fd_wait(g, t->image, f, from, to, ended, ns, m);
	else
		add_own(m, ACTIVITY_OUTSIDE, NULL, ns);
}

/* The first of the thread's cells that reaches so far.  */
static const struct waits_cell *find_cell(const struct graph_thread *t, size_t bucket)
{
	size_t low = 0, high = t->cell_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (t->cells[middle].to < bucket)
			low = middle + 1;
		else
			high = middle;
	}
	return t->cells + low;
}

static double behind(uint64_t ns, uint64_t from, uint64_t to)
{
	return ns >= to ? 0 : (double)(to - (ns > from ? ns : from));
}

/* What is not accounted for, of so much time.  */
static void add_rest(const struct graph_thread *t, double ns, double silent_ns, struct graph_moment *m)
{
	double run;

	for (size_t a = 0; a < ACTIVITY_COUNT; a++)
		m->own_ns += m->own[a];
	run = ns - m->own_ns - m->wait_ns;
	if (run <= 0)
		return;
	m->silent_ns = t->has_cpu ? 0 : least(run, silent_ns);
	add_own(m, t->has_cpu ? ACTIVITY_RUN : ACTIVITY_UNKNOWN, NULL, run * t->cpu);
	add_own(m, ACTIVITY_OFF, NULL, run * (1 - t->cpu));
	m->own_ns += run;
}

void graph_look(const struct graph *g, size_t thread, size_t bucket, struct graph_moment *m)
{
	const struct graph_thread *t = &g->threads[thread];
	uint64_t from = bucket * g->bucket_ns, to = from + g->bucket_ns;
	uint64_t born = t->start_ns > from ? t->start_ns : from, gone = t->end_ns < to ? t->end_ns : to;
	const struct waits_cell *first = find_cell(t, bucket), *end = first;
	double silent = gone > born ? behind(t->sign_ns, born, gone) : 0;
	struct polls polls;

	*m = (struct graph_moment){.options = m->options, .room = m->room};
	while (end < t->cells + t->cell_count && end->from <= bucket)
		end++;
	polls = sum_polls(first, end);
	for (const struct waits_cell *c = first; c < end; c++)
		add_cell(g, t, c, &polls, from, to, m);
	if (t->left && silent > 0) {
		struct waits_cell c = *t->left;

		c.ns = (uint64_t)silent;
		polls.ns += c.direction == DIRECTION_POLL ? silent : 0;
		add_cell(g, t, &c, &polls, from, to, m);
	}
	if (polls.ns > polls.fd_ns) {
		double alone = polls.ns - polls.fd_ns;

		add_own(m, ACTIVITY_POLL, NULL, alone - run_inside(t, alone, m));
	}
	add_rest(t, gone > born ? (double)(gone - born) : 0, silent, m);
}

double graph_crowded(double off_ns, double run_ns, double room_ns)
{
	double idle = room_ns > run_ns ? room_ns - run_ns : 0;

	return off_ns > idle ? off_ns - idle : 0;
}

double graph_busy(const struct graph *g, size_t thread, const struct graph_moment *m)
{
	double off = g->threads[thread].cpu < GRAPH_HARDLY_RUNS ? 0 : m->own[ACTIVITY_OFF];

	return m->own[ACTIVITY_RUN] + off + m->own[ACTIVITY_UNKNOWN] - m->silent_ns + m->own[ACTIVITY_DISK] +
	       m->own[ACTIVITY_SLEEP] + m->own[ACTIVITY_OUTSIDE];
}
