/* operations.c - puts records together to operations, as the model goes through them and says which fd each is about and what of it
 * was a wait.  What is under way is held by thread: operations that have not returned, and the last poll, which the fds that it
 * returned follow.  */
#include "operations.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "shim/shim.h"

/* As many as the model holds open.  */
enum { OPEN_MAX = 8 };

struct thread {
	uint32_t tid;
	struct operation *open;
	size_t open_count;
	struct operation *poll;         /* its last, or NULL; */
	struct operation_ready *ready;  /* and what that returned */
	uint64_t last_ns;
};

struct pass {
	const struct trace *trace;
	const struct operation_visitor *visitor;
	const struct model_process *process;    /* whose threads these are */
	size_t process_index;
	struct thread *threads;         /* by tid */
	size_t count, room;
	struct thread *thread;          /* of the record before */
	struct model_wait wait;         /* of the record in hand */
	bool has_wait;
};

static void tell(const struct pass *p, const struct operation *o)
{
	p->visitor->operation(o, p->visitor->arg);
}

/* What has not returned when the records of its process end.  */
static void close_thread(const struct pass *p, struct thread *t)
{
	for (size_t i = 0; i < t->open_count; i++) {
		if (t->open[i].end_ns < t->last_ns)
			t->open[i].end_ns = t->last_ns;
		tell(p, &t->open[i]);
	}
	if (t->poll)
		tell(p, t->poll);
	free(t->open);
	free(t->poll);
	free(t->ready);
}

static void close_process(struct pass *p)
{
	for (size_t i = 0; i < p->count; i++)
		close_thread(p, &p->threads[i]);
	p->count = 0;
	p->thread = NULL;
}

static struct thread *find_thread(struct pass *p, uint32_t tid)
{
	size_t low;

	if (p->thread && p->thread->tid == tid)
		return p->thread;
	low = model_thread_place(p->threads, p->count, sizeof *p->threads, tid);
	if (low < p->count && p->threads[low].tid == tid)
		return &p->threads[low];
	/* All later ones are the last, as in the model. */
	if (p->count == MODEL_THREADS_MAX)
		return &p->threads[p->count - 1];
	if (p->count == p->room) {
		p->room = p->room ? p->room * 2 : 16;
		p->threads = must_have(realloc(p->threads, p->room * sizeof *p->threads));
	}
	memmove(&p->threads[low + 1], &p->threads[low], (p->count++ - low) * sizeof *p->threads);
	p->threads[low] = (struct thread){.tid = tid};
	return &p->threads[low];
}

static void add_wait(struct operation *o, const struct model_wait *w)
{
	if (!o->waited_ns)
		o->wait_start_ns = w->start_ns;
	o->direction = w->direction;
	o->wait_end_ns = w->end_ns;
	o->waited_ns += w->end_ns - w->start_ns;
}

static bool is_waiting_since(const struct operation *o, uint64_t ns)
{
	const struct operation_step *last;

	if (!o->step_count)
		return o->start_ns == ns;
	last = &o->steps[o->step_count - 1];
	return last->kind == TRACE_PARK && last->ns == ns;
}

/* An operation that nothing ended waited until its thread did something else, or its process ended.  */
static void close_left(struct pass *p, const struct model_wait *w)
{
	struct thread *t = w->process == p->process ? p->thread = find_thread(p, w->tid) : NULL;

	for (size_t i = 0; t && i < t->open_count; i++) {
		struct operation *o = &t->open[i];

		if (!is_waiting_since(o, w->start_ns))
			continue;
		add_wait(o, w);
		o->end_ns = w->end_ns;
		tell(p, o);
		*o = t->open[--t->open_count];
		return;
	}
}

static void see_wait(const struct model_wait *w, void *arg)
{
	struct pass *p = arg;

	if (w->left)
		close_left(p, w);
	else if (!w->polled && w->end_ns > w->start_ns) {
		p->wait = *w;
		p->has_wait = true;
	}
}

static struct operation begin(const struct pass *p, const struct trace_record *r, const struct reader_place *place, size_t fd)
{
	return (struct operation){
		.process = (size_t)(place->file - p->trace->files), .tid = place->tid, .fd = fd, .call = r->call, .way = r->way,
		.flags = r->flags, .start_ns = reader_ns(p->trace, r->t), .end_ns = reader_ns(p->trace, r->t),
	};
}

static struct operation *add_open(const struct pass *p, struct thread *t)
{
	if (t->open_count == OPEN_MAX) {
		tell(p, &t->open[0]);
		memmove(t->open, t->open + 1, --t->open_count * sizeof *t->open);
	}
	if (!t->open)
		t->open = must_have(malloc(OPEN_MAX * sizeof *t->open));
	return &t->open[t->open_count++];
}

static bool is_poll(unsigned call)
{
	static const bool polls[] = {
#define CALL(id, name, wait, class, number) OP_##class == OP_POLL || OP_##class == OP_SELECT || OP_##class == OP_EPOLL,
#include "shim/calls.def"
#undef CALL
	};

	return call < sizeof polls && polls[call];
}

static void see_call(struct pass *p, struct thread *t, const struct trace_record *r, const struct reader_place *place, size_t fd)
{
	struct operation o = begin(p, r, place, fd);

	o.end_ns = reader_ns(p->trace, r->t + r->duration);
	o.returned = true;
	o.result = r->result;
	if (p->has_wait)
		add_wait(&o, &p->wait);
	if (!is_poll(r->call)) {
		tell(p, &o);
		return;
	}
	if (t->poll) {
		tell(p, t->poll);
	} else {
		t->poll = must_have(malloc(sizeof *t->poll));
		t->ready = must_have(malloc(OPERATION_READY * sizeof *t->ready));
	}
	o.ready = t->ready;
	*t->poll = o;
}

/* One that is not over goes on as others do.  */
static void see_lock(struct pass *p, struct thread *t, const struct trace_record *r, const struct reader_place *place)
{
	struct operation o = {
		.process = (size_t)(place->file - p->trace->files), .tid = place->tid, .fd = MODEL_NO_FD,
		.direction = DIRECTION_LOCK, .lock = stalls_lock_name(r->way), .address = (uint64_t)r->number, .result = r->fd,
		.returned = r->duration != 0,
		.start_ns = reader_ns(p->trace, r->t), .end_ns = reader_ns(p->trace, r->t + r->duration),
	};

	if (p->has_wait)
		add_wait(&o, &p->wait);
	if (o.returned)
		tell(p, &o);
	else
		*add_open(p, t) = o;
}

/* Its thread is in this call still, or was until the process ended.  */
static void see_enter(struct pass *p, struct thread *t, const struct trace_record *r, const struct reader_place *place, size_t fd)
{
	struct operation *o = add_open(p, t);

	*o = begin(p, r, place, fd);
}

static void see_polled(const struct thread *t, const struct trace_record *r, size_t fd)
{
	if (!t->poll)
		return;
	if (t->poll->ready_count < OPERATION_READY)
		t->ready[t->poll->ready_count++] = (struct operation_ready){fd, r->length};
	else
		t->poll->ready_more++;
}

static struct operation *find_open(struct pass *p, struct thread *t, const struct trace_record *r, const struct reader_place *place,
				   size_t fd)
{
	struct operation *o;

	for (size_t i = t->open_count; i-- > 0;)
		if (t->open[i].number == r->op)
			return &t->open[i];
	o = add_open(p, t);
	*o = begin(p, r, place, fd);
	o->number = r->op;
	if (r->kind == TRACE_WOULD_BLOCK && r->lead <= r->t)
		o->start_ns = reader_ns(p->trace, r->t - r->lead);
	return o;
}

static void add_step(struct operation *o, const struct trace_record *r, uint64_t ns)
{
	const size_t half = OPERATION_STEPS / 2;

	if (o->step_count == OPERATION_STEPS) {
		memmove(&o->steps[half], &o->steps[half + 1], (--o->step_count - half) * sizeof *o->steps);
		o->steps_more++;
	}
	o->steps[o->step_count++] = (struct operation_step){r->kind, r->flags, r->kind == TRACE_READY ? r->length : 0, ns};
	o->end_ns = ns;
}

static void see_step(struct pass *p, struct thread *t, const struct trace_record *r, const struct reader_place *place, size_t fd)
{
	struct operation *o = find_open(p, t, r, place, fd);

	add_step(o, r, reader_ns(p->trace, r->t));
	o->flags |= r->flags;
	if (r->kind == TRACE_WOULD_BLOCK)
		o->length = r->length;
	if (p->has_wait)
		add_wait(o, &p->wait);
	if (r->kind != TRACE_RETURN)
		return;
	o->returned = true;
	o->result = r->result;
	tell(p, o);
	*o = t->open[--t->open_count];
}

/* Of an event loop.  */
static void see_stall(const struct stall *stall, const struct model_process *process, void *arg)
{
	const struct pass *p = arg;
	enum direction d = model_call_direction(stall->call);
	struct operation_stall s = {
		.process = p->process_index, .tid = stall->tid, .start_ns = stall->start_ns, .end_ns = stall->start_ns + stall->ns,
		.cpu_ns = stall->unended ? MODEL_UNKNOWN : stall->part_ns[STALL_COMPUTING],
		.fd = stall->fd, .longest_ns = stall->call_ns, .call = (uint8_t)stall->call,
	};

	if (process != p->process || stall->loop <= TRACE_LOOP_PARK || !p->visitor->stall)
		return;
	s.wait_ns[d == DIRECTION_NONE ? DIRECTION_READ : d] = stall->part_ns[STALL_CALL];
	s.wait_ns[DIRECTION_LOCK] += stall->part_ns[STALL_LOCK];
	s.wait_ns[DIRECTION_SLEEP] += stall->part_ns[STALL_ASLEEP];
	p->visitor->stall(&s, p->visitor->arg);
}

static void see(const struct trace_record *r, const struct reader_place *place, const struct model_process *process, size_t fd,
		void *arg)
{
	struct pass *p = arg;
	struct thread *t;

	if (process != p->process)
		close_process(p);
	p->process = process;
	p->process_index = (size_t)(place->file - p->trace->files);
	if (r->kind == TRACE_REQUEST)
		return;
	t = p->thread = find_thread(p, place->tid);
	t->last_ns = reader_ns(p->trace, r->t);
	switch (r->kind) {
	case TRACE_CALL: see_call(p, t, r, place, fd); break;
	case TRACE_ENTER: see_enter(p, t, r, place, fd); break;
	case TRACE_LOCK: see_lock(p, t, r, place); break;
	case TRACE_WOULD_BLOCK: case TRACE_PARK: case TRACE_READY: case TRACE_RETURN:
		if (r->op)
			see_step(p, t, r, place, fd);
		else
			see_polled(t, r, fd);
		break;
	default: break;
	}
	p->has_wait = false;
}

struct model *operations_each(const struct trace *t, const struct operation_visitor *visitor)
{
	struct pass p = {.trace = t, .visitor = visitor};
	struct model *m = model_build_told(t, see_wait, see, see_stall, &p);

	close_process(&p);
	free(p.threads);
	return m;
}
