/* live.c - keeps up with a recording, record by record.  Takes memory for what there is now, not for what has been.  */
#include "live.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "screen.h"
#include "shim/shim.h"

enum {
	NAME_SIZE = 512,
	ENDS_MAX = 512,
	START_SLACK_NS = 20000000,      /* of when a process started, by its ticks */
};

/* Processes that have ended are shown for so long.  */
#define ENDED_NS 5000000000u

struct live *live_open(const char *dir, const char **why)
{
	struct follow *f = follow_open(dir, why);
	struct live *l;

	if (!f)
		return NULL;
	l = must_have(calloc(1, sizeof *l));
	l->follow = f;
	return l;
}

static void free_process(struct live_process *p)
{
	for (size_t i = 0; i < p->fds.room; i++) {
		struct live_fd *f = p->fds.slots[i];

		if (f)
			free(f->fd.name);
		free(f);
	}
	free(p->fds.slots);
	free(p->threads);
	free(p->command);
	free(p);
}

void live_close(struct live *l)
{
	for (size_t i = 0; i < l->count; i++)
		free_process(l->processes[i]);
	free(l->processes);
	free(l->ends);
	follow_close(l->follow);
	free(l);
}

static struct live_process *new_process(struct live *l, struct followed *e)
{
	const struct trace_process *h = e->file.header;
	struct live_process *p = must_have(calloc(1, sizeof *p));

	if (l->count == l->room) {
		l->room = l->room ? l->room * 2 : 16;
		l->processes = must_have(realloc(l->processes, l->room * sizeof(struct live_process *)));
	}
	p->file = e;
	p->pid = h->pid;
	p->forked = h->origin == TRACE_ORIGIN_FORK;
	p->runs = true;
	p->exit_status = -1;
	p->start_ns = reader_ns(&l->follow->trace, h->preamble.start_ticks);
	p->command = model_command(h);
	p->cpu = -1;
	e->user = p;
	return l->processes[l->count++] = p;
}

static struct live_thread *find_thread(struct live_process *p, uint32_t tid)
{
	size_t low;

	if (p->thread < p->thread_count && p->threads[p->thread].tid == tid)
		return &p->threads[p->thread];
	low = model_thread_place(p->threads, p->thread_count, sizeof *p->threads, tid);
	p->thread = low;
	if (low < p->thread_count && p->threads[low].tid == tid)
		return &p->threads[low];
	p->threads = must_have(realloc(p->threads, (p->thread_count + 1) * sizeof *p->threads));
	memmove(&p->threads[low + 1], &p->threads[low], (p->thread_count++ - low) * sizeof *p->threads);
	p->threads[low] = (struct live_thread){.tid = tid, .cpu = -1};
	return &p->threads[low];
}

/* The place of an fd; NULL where there is no such number.  */
static struct live_fd *find_fd(struct live_process *p, int64_t fd)
{
	void **place = fdtable_place(&p->fds, fd);
	struct live_fd *f = place ? *place : NULL;

	if (!place || f)
		return f;
	f = must_have(calloc(1, sizeof *f));
	f->fd.fd = (int)fd;
	f->fd.access = O_ACCMODE;
	f->open = true;
	*place = f;
	return f;
}

const struct live_fd *live_fd(const struct live_process *p, int fd)
{
	return fdtable_get(&p->fds, fd);
}

/* It means something else.  */
static void begin_fd(struct live_fd *f)
{
	free(f->fd.name);
	f->fd = (struct model_fd){.fd = f->fd.fd, .access = O_ACCMODE};
	f->use = (struct live_use){0};
	f->open = true;
}

/* What an fd means from now on; the files of different threads are not read in the order of time.  */
static void name_fd(struct live_fd *f, const struct trace_record *r, const struct reader_place *place, uint64_t ns)
{
	char text[NAME_SIZE];
	bool same = model_is_inode(f->fd.kind, f->fd.inode, r) && r->inode;

	if (ns < f->changed_ns)
		return;
	f->changed_ns = ns;
	f->open = true;
	reader_text(r, place, text, sizeof text);
	screen_clean(text);
	if (f->fd.name && !same && strcmp(f->fd.name, text) != 0)
		begin_fd(f);
	free(f->fd.name);
	f->fd.name = must_have(strdup(text));
	f->fd.kind = r->fd_kind;
	f->fd.access = r->access;
	f->fd.inode = r->inode;
}

/* Counting.  What was seen before the first look is only learned from.  */

static void add_use(struct live_use *to, const struct live_use *more)
{
	to->calls += more->calls;
	to->bytes += more->bytes;
	to->would_block += more->would_block;
	to->waited_ns += more->waited_ns;
	to->stalls += more->stalls;
	to->stalled_ns += more->stalled_ns;
}

static void count(struct live *l, struct live_process *p, struct live_thread *t, struct live_fd *f, const struct live_use *more)
{
	add_use(&l->use, more);
	add_use(&p->use, more);
	add_use(&t->use, more);
	if (f)
		add_use(&f->use, more);
}

/* How much of it lies behind the look before.  */
static uint64_t since_before(const struct live *l, uint64_t start, uint64_t end)
{
	if (start < l->before_ns)
		start = l->before_ns;
	if (end > l->now_ns)
		end = l->now_ns;
	return end > start ? end - start : 0;
}

/* A connection is another meaning of its number.  */
static void see_accepted(struct live_process *p, const struct trace_record *r, uint64_t ns)
{
	struct live_fd *listens = find_fd(p, r->fd), *f = find_fd(p, r->result);

	if (!f || ns < f->changed_ns || model_call_class(r->call) != OP_ACCEPT)
		return;
	begin_fd(f);
	f->changed_ns = ns;
	f->fd.accepted = true;
	if (listens)
		listens->fd.listens = true;
}

/* A thread that calls epoll_wait has its polls there, and in no poll that it calls besides.  */
static void see_poll(struct live_thread *t, const struct trace_record *r)
{
	unsigned class = model_call_class(r->call), loop = TRACE_LOOP_NONE;

	if (class == OP_EPOLL)
		loop = TRACE_LOOP_EPOLL;
	else if ((class == OP_POLL || class == OP_SELECT) && !(r->flags & TRACE_NO_FDS))
		loop = TRACE_LOOP_POLL;
	if (!loop || loop < t->loop)
		return;
	t->loop = loop;
	t->left = r->t + r->duration;
}

static void see_call(struct live *l, struct live_process *p, struct live_thread *t, const struct trace_record *r, uint64_t ns)
{
	struct live_fd *f = find_fd(p, r->fd);
	uint64_t took = reader_duration(&l->follow->trace, r->duration);
	enum direction d = model_call_direction(r->call);
	struct live_use more = {.calls = 1, .bytes = model_moved(r), .would_block = r->flags & TRACE_ASKED ? 1 : 0};

	see_accepted(p, r, ns);
	see_poll(t, r);
	if (f && model_call_class(r->call) < OP_OPEN) {
		f->fd.calls++;
		f->fd.bytes[d] += more.bytes;
	}
	if (ns + took < l->count_from_ns)
		return;
	if (model_call_waits(r, f ? f->fd.kind : KIND_unknown, took))
		more.waited_ns = since_before(l, ns, ns + took);
	count(l, p, t, f, &more);
}

static void see_operation(struct live *l, struct live_process *p, struct live_thread *t, const struct trace_record *r,
			  uint64_t ns)
{
	struct live_fd *f = find_fd(p, r->fd);
	struct live_use more = {0};

	if (r->kind == TRACE_WOULD_BLOCK)
		more.would_block = 1;
	if (r->kind == TRACE_RETURN) {
		more.calls = 1;
		more.bytes = model_moved(r);
	}
	if (t->parked.op == r->op)
		more.waited_ns = since_before(l, reader_ns(&l->follow->trace, t->parked.since), ns);
	if (r->kind == TRACE_RETURN)
		see_accepted(p, r, ns);
	if (f && r->kind == TRACE_RETURN) {
		f->fd.calls++;
		f->fd.bytes[model_call_direction(r->call)] += more.bytes;
	}
	if (ns >= l->count_from_ns)
		count(l, p, t, f, &more);
	t->parked.op = 0;
	if (r->kind != TRACE_PARK)
		return;
	t->parked.op = r->op;
	t->parked.call = r->call;
	t->parked.fd = r->fd;
	t->parked.since = r->t;
}

static void see_lock(struct live *l, struct live_process *p, struct live_thread *t, const struct trace_record *r, uint64_t ns)
{
	uint64_t end = ns + reader_duration(&l->follow->trace, r->duration);
	struct live_use more = {.waited_ns = since_before(l, ns, end)};

	if (!r->duration)
		t->lock = (struct live_call){.call = r->way, .fd = r->fd, .since = r->t};
	else
		count(l, p, t, NULL, &more);
}

static void see_away(struct live *l, struct live_process *p, struct live_thread *t, const struct trace_record *r, uint64_t ns)
{
	uint64_t took = reader_duration(&l->follow->trace, r->duration);
	struct live_use more = {.stalls = 1, .stalled_ns = since_before(l, ns, ns + took)};

	if (r->way >= TRACE_LOOP_POLL && ns + took >= l->count_from_ns)
		count(l, p, t, NULL, &more);
}

/* Of POSIX AIO: whoever tells of its end has not moved its bytes.  */
static void see_request(struct live *l, struct live_process *p, const struct trace_record *r, uint64_t ns)
{
	struct live_fd *f = find_fd(p, r->fd);
	bool submitted = r->way == TRACE_REQUEST_SUBMITTED, completed = r->way == TRACE_REQUEST_COMPLETED;
	enum direction d = model_request_direction(r->call);
	struct live_use more = {.calls = submitted, .would_block = submitted && (r->flags & TRACE_REQUEST_BLOCKS)};

	if (completed && d != DIRECTION_NONE && r->result > 0)
		more.bytes = (uint64_t)r->result;
	if (f) {
		f->fd.calls += more.calls;
		f->fd.bytes[d] += more.bytes;
	}
	if (ns < l->count_from_ns || !(submitted || completed))
		return;
	add_use(&l->use, &more);
	add_use(&p->use, &more);
	if (f)
		add_use(&f->use, &more);
}

static void see(const struct trace_record *r, const struct reader_place *place, void *arg)
{
	struct live *l = arg;
	/* The file is the first that a struct followed has. */
	struct followed *e = (struct followed *)(uintptr_t)place->file;
	struct live_process *p = e->user ? e->user : new_process(l, e);
	uint64_t ns = reader_ns(&l->follow->trace, r->t), end = r->t;
	struct live_thread *t;
	struct live_fd *f;

	if (r->kind == TRACE_REQUEST)
		see_request(l, p, r, ns);
	if (place->own)
		return;
	t = find_thread(p, place->tid);
	if (r->kind == TRACE_ENTER) {
		t->plain = (struct live_call){.call = r->call, .fd = r->fd, .since = r->t};
		return;
	}
	if (r->kind == TRACE_CALL || r->kind == TRACE_LOCK)
		end += r->duration;
	/* Those two are recorded on the way to another. */
	if (end >= t->seen && r->kind != TRACE_THREAD && r->kind != TRACE_NAME)
		t->seen = end;
	switch (r->kind) {
	case TRACE_THREAD:
		return;
	case TRACE_NAME:
		if ((f = find_fd(p, r->fd)) != NULL)
			name_fd(f, r, place, ns);
		return;
	case TRACE_CLOSE:
		if ((f = find_fd(p, r->fd)) != NULL && ns >= f->changed_ns) {
			f->open = false;
			f->changed_ns = ns;
		}
		break;
	case TRACE_CALL:
		see_call(l, p, t, r, ns);
		break;
	case TRACE_WOULD_BLOCK: case TRACE_PARK: case TRACE_READY: case TRACE_RETURN:
		if (r->op)
			see_operation(l, p, t, r, ns);
		return;
	case TRACE_LOCK:
		see_lock(l, p, t, r, ns);
		return;
	case TRACE_AWAY:
		see_away(l, p, t, r, ns);
		break;
	case TRACE_EXIT:
		p->exit_status = (int)r->number;
		break;
	case TRACE_EXEC:
		p->became = !r->op && !r->number;
		break;
	default:
		break;
	}
	/* It does something else than to wait: it is in a handler, or has left the operation for good. */
	t->parked.op = 0;
}

/* What /proc says.  */

/* `before` is what is kept from one look to the next: 0 where it is not known, else one more than it was.  */
static double share(const struct live *l, uint64_t *before, uint64_t now)
{
	uint64_t span = l->now_ns - l->before_ns, old = *before;

	*before = now + 1;
	return !old || !span || now < old - 1 ? -1 : (double)(now - (old - 1)) / (double)span;
}

/* Whether it is there, and not another with the same number.  */
static bool look_at_process(const struct live *l, struct live_process *p)
{
	struct proc now;
	uint64_t base = l->follow->trace.base_ns;

	if (!proc_look(p->pid, 0, &now) || now.start_ns > base + p->start_ns + START_SLACK_NS)
		return false;
	p->cpu = share(l, &p->cpu_ns, now.cpu_ns);
	return true;
}

static bool same_call(const struct proc_call *a, const struct proc_call *b)
{
	return a->number == b->number && a->arg[0] == b->arg[0] && a->arg[1] == b->arg[1] && !strcmp(a->place, b->place);
}

/* False: it has ended.  */
static bool look_at_thread(const struct live *l, const struct live_process *p, struct live_thread *t)
{
	struct proc_call in = {.number = -1};
	struct proc now;
	bool runs;

	if (!proc_look(p->pid, t->tid, &now))
		return false;
	memcpy(t->name, now.name, sizeof t->name);
	screen_clean(t->name);
	t->start_ns = now.start_ns > l->follow->trace.base_ns ? now.start_ns - l->follow->trace.base_ns : 0;
	runs = now.state == 'R' || !proc_call(p->pid, t->tid, &in);
	if (runs)
		t->otherwise_ns = l->now_ns;
	else if (t->state && (t->runs || !same_call(&in, &t->in)))
		t->otherwise_ns = l->before_ns;
	t->runs = runs;
	t->in = in;
	t->state = now.state;
	t->cpu = share(l, &t->cpu_ns, now.cpu_ns);
	return true;
}

/* What a thread is in may be told for too long: it is not where it runs, or has recorded something since.  */
static bool is_still(const struct live_thread *t, const struct live_call *c)
{
	return c->since && c->since >= t->seen && !t->runs;
}

uint64_t live_away(const struct live *l, const struct live_process *p, const struct live_thread *t)
{
	uint64_t stall_ns = p->file ? p->file->file.header->stall_ns : 0, left;

	if (!t->runs || !t->loop || is_still(t, &t->plain))
		return 0;
	left = reader_ns(&l->follow->trace, t->left);
	return l->now_ns > left + stall_ns && stall_ns ? l->now_ns - left : 0;
}

struct live_wait live_wait(const struct live *l, const struct live_thread *t)
{
	struct live_wait w = {.in = &t->in, .fd = -1};
	const struct trace *trace = &l->follow->trace;
	uint64_t since = t->seen ? reader_ns(trace, t->seen) : t->start_ns;

	if (t->parked.op || is_still(t, &t->plain)) {
		const struct live_call *c = t->parked.op ? &t->parked : &t->plain;

		w.waits = w.told = true;
		w.call = c->call;
		w.fd = c->fd;
		since = reader_ns(trace, c->since);
	} else if (is_still(t, &t->lock)) {
		w.waits = w.told = w.locked = true;
		w.lock = t->lock.call;
		w.holder = t->lock.fd;
		since = reader_ns(trace, t->lock.since);
	} else if (!t->runs && (t->in.known || t->in.place[0])) {
		unsigned class = model_call_class(t->in.call);

		since = since > t->otherwise_ns ? since : t->otherwise_ns;
		w.waits = true;
		w.call = t->in.call;
		if (w.call != CALL_none && (class <= OP_PLAIN || class == OP_EPOLL))
			w.fd = (int)t->in.arg[0];
	}
	w.ns = w.waits && l->now_ns > since ? l->now_ns - since : 0;
	return w;
}

/* At each look.  */

static void begin_look(struct live *l, uint64_t first_ns)
{
	uint64_t ns = reader_now(), base = l->follow->trace.base_ns;
	bool first = !l->now_ns;

	l->before_ns = l->now_ns;
	l->now_ns = ns > base ? ns - base : 0;
	if (first)
		l->before_ns = l->now_ns > first_ns ? l->now_ns - first_ns : 0;
	l->count_from_ns = first ? l->before_ns : 0;
	l->use = (struct live_use){0};
	for (size_t i = 0; i < l->count; i++) {
		struct live_process *p = l->processes[i];

		p->leaves = p->file && !look_at_process(l, p);
		p->use = (struct live_use){0};
		for (size_t k = 0; k < p->thread_count; k++) {
			p->threads[k].use = (struct live_use){0};
			p->threads[k].plain.since = p->threads[k].lock.since = 0;
		}
		for (size_t k = 0; k < p->fds.room; k++)
			if (p->fds.slots[k])
				((struct live_fd *)p->fds.slots[k])->use = (struct live_use){0};
	}
}

/* One that has recorded nothing yet is there as well.  */
static void note_thread(uint32_t tid, void *process)
{
	find_thread(process, tid);
}

static void look_at_threads(struct live *l, struct live_process *p)
{
	size_t left = 0;

	proc_threads(p->pid, note_thread, p);
	for (size_t i = 0; i < p->thread_count; i++) {
		struct live_thread *t = &p->threads[left];
		struct live_wait w;
		struct live_use more = {0};

		*t = p->threads[i];
		if (!look_at_thread(l, p, t))
			continue;
		w = live_wait(l, t);
		more.waited_ns = since_before(l, l->now_ns - w.ns, l->now_ns);
		count(l, p, t, w.fd < 0 ? NULL : find_fd(p, w.fd), &more);
		left++;
	}
	p->thread_count = left;
}

static void end_process(struct live *l, struct live_process *p)
{
	follow_forget(l->follow, p->file);
	p->file = NULL;
	p->runs = p->leaves = false;
	p->ended_ns = l->now_ns;
	p->cpu = -1;
	p->thread_count = 0;
}

static int by_pid_and_start(const void *a, const void *b)
{
	const struct live_process *x = *(const struct live_process *const *)a, *y = *(const struct live_process *const *)b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

/* Those that have ended, or in whose place is another program, by an exec, or another process of their number.  */
static void leave_behind(struct live *l)
{
	size_t left = 0;

	if (l->count)
		qsort(l->processes, l->count, sizeof(struct live_process *), by_pid_and_start);
	for (size_t i = 0; i < l->count; i++) {
		struct live_process *p = l->processes[i];
		bool replaced = i + 1 < l->count && l->processes[i + 1]->pid == p->pid;

		if ((p->leaves || replaced) && p->file)
			end_process(l, p);
		if (replaced || (p->ended_ns && l->now_ns - p->ended_ns > ENDED_NS))
			free_process(p);
		else
			l->processes[left++] = p;
	}
	l->count = left;
}

struct live_end {
	uint64_t key;
	const struct live_process *process;
	const struct live_fd *fd;
};

static int by_key(const void *a, const void *b)
{
	const struct live_end *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static void add_end(struct live *l, const struct live_process *p, const struct live_fd *f)
{
	uint64_t key;

	if (!f || !f->open || !model_has_end(&f->fd, &key))
		return;
	if (l->end_count == l->end_room) {
		l->end_room = l->end_room ? l->end_room * 2 : 64;
		l->ends = must_have(realloc(l->ends, l->end_room * sizeof *l->ends));
	}
	l->ends[l->end_count++] = (struct live_end){key, p, f};
}

static void find_ends(struct live *l)
{
	l->end_count = 0;
	for (size_t i = 0; i < l->count; i++)
		for (size_t k = 0; k < l->processes[i]->fds.room; k++)
			add_end(l, l->processes[i], l->processes[i]->fds.slots[k]);
	if (l->end_count)
		qsort(l->ends, l->end_count, sizeof *l->ends, by_key);
}

void live_look(struct live *l, uint64_t first_ns)
{
	struct follow *f = l->follow;

	begin_look(l, first_ns);
	follow_read(f, see, l);
	l->unseen = f->missed && f->dropped > f->visited ? f->dropped - f->visited : 0;
	leave_behind(l);
	l->running = l->threads = 0;
	for (size_t i = 0; i < l->count; i++) {
		struct live_process *p = l->processes[i];

		if (!p->file)
			continue;
		/* One that was found just now. */
		if (p->cpu_ns == 0)
			p->runs = look_at_process(l, p);
		if (!p->runs)
			continue;
		look_at_threads(l, p);
		l->running++;
		l->threads += p->thread_count;
	}
	find_ends(l);
	if (l->running)
		follow_clock(f);
}

/* Whether p has rather to do with what goes through f: it runs, it uses it, it moves more.  */
static bool is_better(const struct live_process *p, const struct live_fd *f, const struct live_process *than,
		      const struct live_fd *than_f)
{
	uint64_t moved = f->fd.bytes[DIRECTION_READ] + f->fd.bytes[DIRECTION_WRITE];

	if (!than)
		return true;
	if (p->runs != than->runs)
		return p->runs;
	if (!f->fd.calls != !than_f->fd.calls)
		return f->fd.calls;
	return moved > than_f->fd.bytes[DIRECTION_READ] + than_f->fd.bytes[DIRECTION_WRITE];
}

const struct live_process *live_peer(const struct live *l, const struct live_process *p, const struct live_fd *f)
{
	const struct live_process *found = NULL;
	const struct live_fd *found_fd = NULL;
	size_t low = 0, high = l->end_count, most;
	uint64_t key;

	if (!model_has_end(&f->fd, &key))
		return NULL;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (l->ends[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	/* Ends of unix sockets have only the name of who listens. */
	for (most = low + ENDS_MAX; low < most && low < l->end_count && l->ends[low].key == key; low++) {
		const struct live_process *q = l->ends[low].process;
		const struct live_fd *other = l->ends[low].fd;

		/* A fork that only holds it is not meant. */
		if (q == p || (!other->fd.calls && (q->forked || other->fd.fd > 2)) || !model_is_other_end(&f->fd, &other->fd))
			continue;
		if (is_better(q, other, found, found_fd)) {
			found = q;
			found_fd = other;
		}
	}
	return found;
}
