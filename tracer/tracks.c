/* tracks.c - from records to the slices of threads: what begins and ends on each, and whose bytes a read got.  The rows of fds are
 * in trackfds.c.
 *
 * Each thread has a stack of slices that have not ended.  Where an end is known, a timer stands for it, so that all ends come in
 * their order among the records.  */
#include "tracks.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "hash.h"
#include "line.h"
#include "model.h"
#include "say.h"
#include "screen.h"
#include "shim/shim.h"
#include "trackfds.h"
#include "trackrequests.h"

/* Handlers nest; deeper than this only in a trace that somebody has made up.  */
enum { STACK_MAX = 24 };

enum what {
	CALL,                           /* that was done at once, or was over when it was recorded: its end is known */
	OPERATION, PHASE,               /* of the operation below it */
	LAST_CALL,                      /* that the thread was in when it was last seen */
};

/* A slice that has not ended.  */
struct open {
	enum what what;
	uint64_t start_ns, end_ns;
	uint32_t op;                    /* of an operation or its phase; else 0 */
	bool comes_back;                /* of an operation, though its thread does something else meanwhile: in a handler */
	uint8_t call;
	uint64_t bytes;                 /* that a call has moved */
	uint64_t id;                    /* of a write whose bytes are counted */
	struct fd *fd;                  /* or NULL */
	struct lane *lane;              /* where it is shown, too */
};

struct thread {
	struct track track;
	struct timer timer;             /* the end of the innermost slice that has one */
	struct process *process;
	struct open *stack;
	size_t depth, room;
	char name[16];
};

static void tell_thread(struct walk *w, struct thread *t)
{
	if (t->track.id)
		return;
	t->track.id = walk_track_id(w, t->process);
	w->sink->track(&t->track, w->arg);
}

static struct thread **slot_of(struct walk *w, uint32_t pid, uint32_t tid)
{
	size_t i = hash_numbers((const uint64_t[]){pid, tid}, 2) & (w->thread_room - 1);

	while (w->threads[i] && (w->threads[i]->track.pid != pid || w->threads[i]->track.tid != tid))
		i = (i + 1) & (w->thread_room - 1);
	return &w->threads[i];
}

static void more_threads(struct walk *w)
{
	struct thread **old = w->threads;
	size_t count = w->thread_room;

	w->thread_room = count ? count * 2 : 64;
	w->threads = must_have(calloc(w->thread_room, sizeof(struct thread *)));
	for (size_t i = 0; i < count; i++)
		if (old[i])
			*slot_of(w, old[i]->track.pid, old[i]->track.tid) = old[i];
	free(old);
}

static struct thread *find_thread(struct walk *w, struct process *p, uint32_t tid)
{
	struct thread **slot, *t = w->last_thread;

	if (t && t->process == p && t->track.tid == tid)
		return t;
	if (w->thread_count * 2 >= w->thread_room)
		more_threads(w);
	slot = slot_of(w, p->track.pid, tid);
	if (!*slot) {
		*slot = t = must_have(calloc(1, sizeof *t));
		t->process = p;
		t->track = (struct track){
			.type = TRACK_THREAD, .process = &p->track, .pid = p->track.pid, .tid = tid,
			.rank = tid == p->track.pid ? 0 : ++p->thread_count, .name = "thread",
		};
		w->thread_count++;
	}
	return w->last_thread = *slot;
}

static void name_thread(struct walk *w, struct thread *t, const struct trace_record *r)
{
	char name[sizeof t->name] = "";

	memcpy(name, (const char *)r + TRACE_NAME_AT, sizeof name - 1);
	screen_clean(name);
	if (!*name || !strcmp(name, t->name))
		return;
	memcpy(t->name, name, sizeof name);
	t->track.name = t->name;
	if (t->track.id)
		w->sink->track(&t->track, w->arg);
}

static void add_number(struct track_slice *s, const char *key, int64_t n)
{
	if (s->arg_count < TRACK_ARGS)
		s->args[s->arg_count++] = (struct track_arg){.key = key, .number = n};
}

static void add_text(struct track_slice *s, const char *key, const char *text)
{
	if (s->arg_count < TRACK_ARGS && text)
		s->args[s->arg_count++] = (struct track_arg){.key = key, .text = text};
}

static void add_result(struct track_slice *s, int64_t result)
{
	const char *name = result < 0 ? line_errno_name(-(uint64_t)result) : NULL;

	add_number(s, "ret", result < 0 ? -1 : result);
	if (name)
		add_text(s, "errno", name);
	else if (result < 0)
		add_number(s, "errno", result == INT64_MIN ? INT64_MAX : -result);
}

static void set_timer(struct walk *w, struct thread *t)
{
	for (size_t i = t->depth; i-- > 0;) {
		if (t->stack[i].end_ns != TRACKS_OPEN) {
			timers_set(&w->timers, &t->timer, t->stack[i].end_ns);
			return;
		}
	}
	timers_clear(&w->timers, &t->timer);
}

/* Within the others that are open.  */
static void nest(const struct thread *t, struct track_slice *s)
{
	for (size_t i = 0; i < t->depth; i++)
		if (t->stack[i].end_ns != TRACKS_OPEN && s->told_ns != TRACKS_OPEN && s->told_ns > t->stack[i].end_ns)
			s->told_ns = t->stack[i].end_ns;
}

static struct open *begin(struct walk *w, struct thread *t, struct track_slice *s, const struct open *what)
{
	struct open *o;

	if (t->depth == STACK_MAX)
		return NULL;
	if (t->depth == t->room) {
		t->room = t->room ? STACK_MAX : 4;
		t->stack = must_have(realloc(t->stack, t->room * sizeof *t->stack));
	}
	nest(t, s);
	tell_thread(w, t);
	w->sink->begin(&t->track, s, w->arg);
	o = &t->stack[t->depth++];
	*o = *what;
	o->start_ns = s->start_ns;
	o->end_ns = s->told_ns;
	if (o->fd) {
		o->fd->refs++;
		add_number(s, "tid", t->track.tid);
		s->id = 0;
		s->flow_count = 0;
		o->lane = lane_begin(w, o->fd, s);
	}
	if (s->told_ns != TRACKS_OPEN)
		set_timer(w, t);
	return o;
}

/* The innermost slice ends now, with what has become known of it.  */
static void end(struct walk *w, struct thread *t, struct track_slice *s)
{
	struct open o = t->stack[--t->depth];

	s->start_ns = o.start_ns;
	s->told_ns = o.end_ns;
	s->end_ns = w->now;
	w->sink->end(&t->track, s, w->arg);
	if (o.lane)
		lane_end(w, o.lane);
	if (o.fd)
		fd_put(w, o.fd);
	if (o.end_ns != TRACKS_OPEN)
		set_timer(w, t);
}

/* The moment in which a read got what others had written, or had become ready for: where the slice itself began before that.  */
static void tell_served(struct walk *w, struct thread *t, const struct wire_flow *flows, size_t count)
{
	struct track_slice s;

	if (!count)
		return;
	s = (struct track_slice){
		.category = "phase", .name = "served", .start_ns = w->now, .told_ns = w->now, .end_ns = w->now,
		.flows = flows, .flow_count = count,
	};
	w->sink->begin(&t->track, &s, w->arg);
	s.flow_count = 0;
	w->sink->end(&t->track, &s, w->arg);
}

/* Bytes go through the wire, and the call does not say how many: it returns messages, or leaves what it reads.  */
static bool spoils(unsigned call)
{
	return model_call_class(call) == OP_RECVMMSG || model_call_class(call) == OP_SENDMMSG || call == CALL_tee;
}

/* A call or operation is over, and has moved so many bytes.  Finds whose they were.  */
static size_t settle_bytes(struct walk *w, struct thread *t, const struct open *o, uint64_t bytes,
			   struct wire_flow flows[WIRE_FLOWS])
{
	enum direction d = model_call_direction(o->call);
	struct wire *wire = !o->fd ? NULL : d == DIRECTION_READ ? o->fd->in : d == DIRECTION_WRITE ? o->fd->out : NULL;
	size_t count = 0;

	if (o->id && wire)
		wire_written(wire, o->id, o->what == CALL ? -1 : (int64_t)bytes, w->now);
	if (wire && spoils(o->call))
		wire_spoil(wire);
	if (!bytes)
		return 0;
	count_bytes(w, t->process, d == DIRECTION_WRITE, bytes);
	if (wire && d == DIRECTION_READ)
		count = wire_read(wire, t->track.tid, bytes, flows);
	if (wire)
		count_queue(w, t->process, o->fd, wire, d == DIRECTION_READ);
	return count;
}

/* A call that was done at once ends.  Viewers take the slice that began later for an arrow's head.  */
static void end_call(struct walk *w, struct thread *t)
{
	struct open *o = &t->stack[t->depth - 1];
	struct wire_flow flows[WIRE_FLOWS], later[WIRE_FLOWS];
	size_t count = settle_bytes(w, t, o, o->bytes, flows), before = 0, after = 0;
	struct track_slice s = {0};

	for (size_t i = 0; i < count; i++) {
		if (flows[i].from.ns <= o->start_ns)
			flows[before++] = flows[i];
		else
			later[after++] = flows[i];
	}
	tell_served(w, t, later, after);
	s.flows = flows;
	s.flow_count = before;
	end(w, t, &s);
}

/* An operation that never returned: it was left by siglongjmp.  */
static void end_left(struct walk *w, struct thread *t)
{
	struct open *o = &t->stack[t->depth - 1];
	struct track_slice s = {0};

	if (o->what != PHASE)
		add_text(&s, "returned", "never");
	if (o->id && o->fd && o->fd->out) {
		wire_spoil(o->fd->out);
		wire_written(o->fd->out, o->id, -1, w->now);
	}
	end(w, t, &s);
}

static void end_any(struct walk *w, struct thread *t)
{
	if (t->stack[t->depth - 1].what == CALL)
		end_call(w, t);
	else
		end_left(w, t);
}

static void end_down_to(struct walk *w, struct thread *t, size_t depth)
{
	while (t->depth > depth)
		end_any(w, t);
}

/* The innermost slice with an end has come to it.  */
static void fire(struct walk *w, struct thread *t)
{
	size_t i = t->depth;

	while (i && t->stack[i - 1].end_ns == TRACKS_OPEN)
		i--;
	if (i)
		end_down_to(w, t, i - 1);
	else
		timers_clear(&w->timers, &t->timer);
}

static struct counter *counter_of(struct timer *timer)
{
	return (struct counter *)((char *)timer - offsetof(struct counter, timer));
}

static void advance(struct walk *w, uint64_t ns)
{
	struct timer *first;

	while ((first = timers_first(&w->timers)) && first->at <= ns) {
		if (first->at > w->now)
			w->now = first->at;
		if (first->type == TIMER_COUNTER)
			counter_fire(w, counter_of(first));
		else
			fire(w, (struct thread *)((char *)first - offsetof(struct thread, timer)));
	}
	if (ns > w->now)
		w->now = ns;
}

static bool is_operation(uint8_t kind)
{
	return kind == TRACE_WOULD_BLOCK || kind == TRACE_PARK || kind == TRACE_READY || kind == TRACE_RETURN;
}

/* Whether the operation goes on behind r, in its chunk.  */
static bool goes_on(uint32_t op, const struct trace_record *r, const struct reader_place *place)
{
	for (size_t i = 1; i <= place->rest; i++) {
		uint8_t kind = __atomic_load_n(&r[i].kind, __ATOMIC_ACQUIRE);

		if (kind == TRACE_THREAD)
			return false;
		if (is_operation(kind) && r[i].op == op)
			return true;
	}
	return false;
}

/* The thread does something else while operations of its are open: in a handler, or they were left.  */
static void leave_operations(struct walk *w, struct thread *t, const struct trace_record *r, const struct reader_place *place)
{
	while (t->depth && t->stack[t->depth - 1].what != CALL) {
		size_t i = t->depth - 1;

		while (i && t->stack[i].what == PHASE)
			i--;
		if (t->stack[i].comes_back)
			return;
		t->stack[i].comes_back = t->stack[i].what == OPERATION && goes_on(t->stack[i].op, r, place);
		if (t->stack[i].comes_back)
			return;
		end_down_to(w, t, i);
	}
}

/* What readiness this call serves.  */
static size_t take_ready(struct walk *w, struct fd *f, enum direction d, struct wire_flow *flow)
{
	return f && (d == DIRECTION_READ || d == DIRECTION_WRITE) ? fd_take_ready(w, f, d == DIRECTION_WRITE, flow) : 0;
}

/* It took what there was, until then.  */
static void note_served(struct fd *f, unsigned call, int64_t result, uint64_t ns)
{
	enum direction d = model_call_direction(call);

	if (f && result != -EAGAIN && (d == DIRECTION_READ || d == DIRECTION_WRITE))
		f->served_ns[d == DIRECTION_WRITE] = ns;
}

/* The name of what an opening call is about to open.  */
static const char *name_opened(const struct trace_record *r, const struct reader_place *place, char *text, size_t size)
{
	struct reader_place at = *place;
	const struct trace_record *name = r->fd < 0 ? NULL : reader_name_before(r, &at);

	if (!name || name->fd != r->fd)
		return NULL;
	reader_text(name, &at, text, size);
	screen_clean(text);
	return text;
}

static void add_call(struct track_slice *s, const struct trace_record *r, const struct fd *f)
{
	if (r->fd >= 0)
		add_number(s, "fd", r->fd);
	if (f)
		add_text(s, "name", f->name);
	if (r->way != TRACE_WAY_NONE)
		add_text(s, "way", model_way_name(r->way));
	if (r->flags & TRACE_SHIELD)
		add_text(s, "shield", "yes");
}

/* A write whose bytes are counted; n < 0: of how many is not known yet.  */
static uint64_t begin_write(struct walk *w, struct thread *t, unsigned call, struct fd *f, int64_t n)
{
	struct wire_source from = {.pid = t->track.pid, .tid = t->track.tid, .ns = w->now};

	if (!f || !f->out || n == 0 || model_call_direction(call) != DIRECTION_WRITE || !model_moves_bytes(call))
		return 0;
	from.id = walk_flow_id(w);
	wire_write(f->out, &from, n);
	return from.id;
}

static void see_call(struct walk *w, struct image *image, const struct trace_record *r, const struct reader_place *place)
{
	struct thread *t = find_thread(w, image->process, place->tid);
	struct fd *f = place->enter ? NULL : image_fd(image, r->fd);
	uint64_t end_ns = reader_ns(w->trace, r->t + r->duration);
	struct open o = {.call = r->call, .bytes = model_moved(r), .fd = f};
	struct track_slice s = {
		.category = "call", .name = model_call_name(r->call), .start_ns = w->now,
		.told_ns = end_ns > w->now ? end_ns : w->now + 1,
	};
	struct wire_flow flow;
	char text[512];

	leave_operations(w, t, r, place);
	add_call(&s, r, f);
	if (place->enter)
		add_text(&s, "name", name_opened(r, place, text, sizeof text));
	if (r->flags & TRACE_ASKED)
		add_text(&s, "asked", "program");
	add_result(&s, r->result);
	s.flows = &flow;
	s.flow_count = take_ready(w, f, model_call_direction(r->call), &flow);
	s.id = o.id = begin_write(w, t, r->call, f, (int64_t)o.bytes);
	note_served(f, r->call, r->result, s.told_ns);
	if (!begin(w, t, &s, &o) && o.id)
		wire_written(f->out, o.id, -1, w->now);
	if (f)
		fd_end_ready(w, f);
}

/* A call that was not over when the trace ended.  */
static void see_last_call(struct walk *w, struct image *image, const struct trace_record *r, const struct reader_place *place)
{
	struct thread *t = find_thread(w, image->process, place->tid);
	struct fd *f = image_fd(image, r->fd);
	struct track_slice s = {.category = "call", .name = model_call_name(r->call), .start_ns = w->now, .told_ns = TRACKS_OPEN};

	leave_operations(w, t, r, place);
	add_call(&s, r, f);
	begin(w, t, &s, &(struct open){.what = LAST_CALL, .call = r->call, .fd = f});
}

static void begin_phase(struct walk *w, struct thread *t, const char *name, uint32_t op)
{
	begin(w, t, &(struct track_slice){.category = "phase", .name = name, .start_ns = w->now, .told_ns = TRACKS_OPEN},
	      &(struct open){.what = PHASE, .op = op});
}

static struct open *begin_operation(struct walk *w, struct image *image, struct thread *t, const struct trace_record *r)
{
	struct fd *f = image_fd(image, r->fd);
	struct open o = {.what = OPERATION, .call = r->call, .op = r->op, .fd = f}, *begun;
	struct track_slice s = {
		.category = "operation", .name = model_call_name(r->call), .start_ns = w->now, .told_ns = TRACKS_OPEN,
	};
	struct wire_flow flow;

	add_call(&s, r, f);
	add_number(&s, "op", r->op);
	if (r->kind == TRACE_WOULD_BLOCK && r->length)
		add_number(&s, "asked_bytes", (int64_t)r->length);
	s.flows = &flow;
	s.flow_count = take_ready(w, f, model_call_direction(r->call), &flow);
	s.id = o.id = begin_write(w, t, r->call, f, -1);
	begun = begin(w, t, &s, &o);
	if (!begun && o.id)
		wire_written(f->out, o.id, 0, w->now);
	if (f)
		fd_end_ready(w, f);
	return begun;
}

static void end_operation(struct walk *w, struct thread *t, const struct trace_record *r)
{
	struct open *o = &t->stack[t->depth - 1];
	struct wire_flow flows[WIRE_FLOWS + 1];
	size_t count = settle_bytes(w, t, o, model_moved(r), flows);
	struct track_slice s = {0};

	count += take_ready(w, o->fd, model_call_direction(r->call), &flows[count]);
	note_served(o->fd, r->call, r->result, w->now);
	tell_served(w, t, flows, count);
	if (o->fd)
		fd_end_ready(w, o->fd);
	add_result(&s, r->result);
	end(w, t, &s);
}

/* An attempt found a pipe empty.  */
static void see_empty(const struct thread *t, const struct open *attempt, const struct open *o)
{
	if (attempt->what == PHASE && o->fd && o->fd->in && fd_is_pipe(o->fd) && model_call_direction(o->call) == DIRECTION_READ)
		wire_is_empty(o->fd->in, t->track.tid, attempt->start_ns);
}

static void see_operation(struct walk *w, struct image *image, const struct trace_record *r, const struct reader_place *place)
{
	struct thread *t = find_thread(w, image->process, place->tid);
	size_t i = t->depth;

	while (i && (t->stack[i - 1].op != r->op || t->stack[i - 1].what != OPERATION))
		i--;
	if (!i) {
		leave_operations(w, t, r, place);
		if (!begin_operation(w, image, t, r))
			return;
		i = t->depth;
	}
	if (r->kind == TRACE_WOULD_BLOCK && !place->enter)
		see_empty(t, &t->stack[t->depth - 1], &t->stack[i - 1]);
	end_down_to(w, t, i);
	/* A nanosecond later: what begins with the attempt would be taken for the attempt's. */
	if (place->enter)
		w->now++;
	if (place->enter || r->kind == TRACE_READY)
		begin_phase(w, t, "attempt", r->op);
	else if (r->kind == TRACE_PARK)
		begin_phase(w, t, "park", r->op);
	else if (r->kind == TRACE_RETURN)
		end_operation(w, t, r);
}

static void tell_instant(struct walk *w, struct image *image, const struct reader_place *place, struct track_slice *s)
{
	struct thread *t = find_thread(w, image->process, place->tid);

	s->start_ns = s->end_ns = w->now;
	tell_thread(w, t);
	w->sink->instant(&t->track, s, w->arg);
}

static void see_process(struct walk *w, struct image *image, const struct trace_record *r, const struct reader_place *place)
{
	struct track_slice s = {.category = "process"};
	int status = (int)r->duration;

	switch (r->kind) {
	case TRACE_FORK:
		s.name = "fork";
		add_number(&s, "child", r->number);
		break;
	case TRACE_EXEC:
		s.name = r->number ? "exec failed" : "exec";
		if (r->op)
			add_number(&s, "child", r->op);
		if (r->number)
			add_text(&s, "errno", line_errno_name(-(uint64_t)r->number));
		break;
	case TRACE_REAP:
		s.name = "reap";
		add_number(&s, "child", r->number);
		if (WIFSIGNALED(status))
			add_number(&s, "signal", WTERMSIG(status));
		else
			add_number(&s, "status", WEXITSTATUS(status));
		break;
	default:
		s.name = "exit";
		add_number(&s, "status", r->number);
		break;
	}
	tell_instant(w, image, place, &s);
}

static void see_keep(struct walk *w, struct image *image, const struct trace_record *r, const struct reader_place *place)
{
	struct track_slice s = {.category = "kept set", .name = "kept set"};

	add_text(&s, "keep", line_keep_name(r->op));
	add_number(&s, "fds", r->number);
	tell_instant(w, image, place, &s);
}

/* A wait for a lock, or a stretch away from the polls; one without a duration was not over.  */
static void begin_stall(struct walk *w, struct image *image, const struct trace_record *r, const struct reader_place *place,
			struct track_slice *s)
{
	uint64_t end_ns = reader_ns(w->trace, r->t + r->duration);

	s->category = "stall";
	s->start_ns = w->now;
	s->told_ns = !r->duration ? TRACKS_OPEN : end_ns > w->now ? end_ns : w->now + 1;
	begin(w, find_thread(w, image->process, place->tid), s, &(struct open){.what = r->duration ? CALL : LAST_CALL});
}

static void see_lock(struct walk *w, struct image *image, const struct trace_record *r, const struct reader_place *place)
{
	struct track_slice s = {.name = stalls_lock_name(r->way)};
	char address[20];

	snprintf(address, sizeof address, "0x%" PRIx64, (uint64_t)r->number);
	add_text(&s, "addr", address);
	if (r->fd >= 0)
		add_number(&s, "held_by", r->fd);
	begin_stall(w, image, r, place, &s);
}

static void see_away(struct walk *w, struct image *image, const struct trace_record *r, const struct reader_place *place)
{
	struct track_slice s = {.name = "away"};
	struct trace_away used = {0};

	if (place->rest && r[1].kind == TRACE_TEXT)
		memcpy(&used, (const char *)&r[1] + 1, sizeof used);
	add_text(&s, "loop", stalls_loop_name(r->way));
	add_number(&s, "cpu_ns", r->number);
	add_number(&s, "system_ns", (int64_t)used.system_ns);
	add_number(&s, "involuntary", used.involuntary);
	add_number(&s, "voluntary", used.voluntary);
	add_number(&s, "minor", used.minor);
	add_number(&s, "major", used.major);
	begin_stall(w, image, r, place, &s);
}

static void see_polled(struct walk *w, struct image *image, const struct trace_record *r)
{
	struct fd *f = image_fd(image, r->fd);

	if (f && (r->length & ~(uint64_t)POLLOUT))
		fd_ready(w, f, false);
	if (f && (r->length & POLLOUT))
		fd_ready(w, f, true);
}

static void see_watch(struct image *image, const struct trace_record *r)
{
	struct fd *f = image_fd(image, r->fd);

	if (f)
		f->watched_as = r->op;
}

static void see_edge(struct walk *w, struct image *image, const struct trace_record *r)
{
	struct fd *f = image_fd(image, r->fd);
	uint64_t since = reader_ns(w->trace, r->t - (r->lead ? r->lead : (uint64_t)r->look << TRACE_LOOK_SHIFT));

	/* The number may be another fd's by now; and what was served within that time may be what had become ready. */
	if (!f || f->watched_as != r->op)
		return;
	if ((r->way & (TRACE_EDGE_READ | TRACE_EDGE_HANGUP)) && f->served_ns[0] < since)
		fd_ready(w, f, false);
	if ((r->way & TRACE_EDGE_WRITE) && f->served_ns[1] < since)
		fd_ready(w, f, true);
}

/* That its submitter was told so, whoever did, or that somebody has learned that it is over, or has taken its result.  */
static void tell_request(struct walk *w, struct image *image, const struct trace_record *r, const struct reader_place *place,
			 const struct wire_flow *flow)
{
	bool notified = r->way == TRACE_REQUEST_NOTIFIED;
	struct thread *t = find_thread(w, image->process, notified ? flow->from.tid : place->tid);
	struct track_slice s = {
		.category = "request", .name = notified ? "notified" : r->way == TRACE_REQUEST_COLLECTED ? "collected" : "seen",
		.start_ns = w->now, .told_ns = w->now, .end_ns = w->now, .flows = flow, .flow_count = 1,
	};

	add_number(&s, "op", r->op);
	tell_thread(w, t);
	if (notified) {
		add_text(&s, "by", r->flags & TRACE_REQUEST_THREAD ? "thread" : "signal");
		s.flow_count = 0;
		w->sink->instant(&t->track, &s, w->arg);
		return;
	}
	add_text(&s, "call", model_call_name(r->call));
	add_result(&s, r->result);
	w->sink->begin(&t->track, &s, w->arg);
	s.flow_count = s.arg_count = 0;
	w->sink->end(&t->track, &s, w->arg);
}

/* The call that submits it, from which an arrow goes to whoever learns of its end.  */
static void begin_request(struct walk *w, struct image *image, const struct trace_record *r, const struct reader_place *place,
			  const struct wire_flow *flow)
{
	struct thread *t = find_thread(w, image->process, place->tid);
	struct track_slice s = {
		.category = "call", .name = model_call_name(r->call), .start_ns = w->now,
		.told_ns = reader_ns(w->trace, r->t + r->lead), .id = flow->from.id,
	};

	leave_operations(w, t, r, place);
	s.told_ns = s.told_ns > w->now ? s.told_ns : w->now + 1;
	add_number(&s, "op", r->op);
	begin(w, t, &s, &(struct open){.what = CALL, .call = r->call});
}

static void see_request(struct walk *w, struct image *image, const struct trace_record *r, const struct reader_place *place)
{
	struct wire_flow flow;
	size_t has_flow;
	struct request *q = track_request(w, image, r, place, image_fd(image, r->fd), &flow, &has_flow);

	if (!q)
		return;
	if (r->way == TRACE_REQUEST_SUBMITTED)
		begin_request(w, image, r, place, &flow);
	else if (has_flow && (r->way == TRACE_REQUEST_NOTIFIED || r->way == TRACE_REQUEST_SEEN || r->way == TRACE_REQUEST_COLLECTED))
		tell_request(w, image, r, place, &flow);
	if (r->way == TRACE_REQUEST_COLLECTED)
		requests_forget(&image->requests, q);
}

static uint64_t ticks_of(const struct trace_record *r, const struct reader_place *place)
{
	return r->kind == TRACE_WOULD_BLOCK && place->enter ? r->t - r->lead : r->t;
}

static void see(const struct trace_record *r, const struct reader_place *place, void *arg)
{
	struct walk *w = arg;
	struct image *image = &w->images[place->file - w->trace->files];
	struct process *child;

	/* At its beginning it was all told. */
	if (r->kind == TRACE_CALL && place->entered)
		return;
	advance(w, reader_ns(w->trace, ticks_of(r, place)));
	image_begin(w, image);
	switch (r->kind) {
	case TRACE_CALL: see_call(w, image, r, place); break;
	case TRACE_WOULD_BLOCK: case TRACE_PARK: case TRACE_RETURN: see_operation(w, image, r, place); break;
	case TRACE_READY:
		if (r->op)
			see_operation(w, image, r, place);
		else
			see_polled(w, image, r);
		break;
	case TRACE_ENTER: see_last_call(w, image, r, place); break;
	case TRACE_NAME: fd_name_is(w, image, r, place); break;
	case TRACE_CLOSE: fd_close(w, image, r->fd); break;
	case TRACE_DUP: fd_copy(w, image, r->fd, r->number); break;
	case TRACE_THREAD:
		if (!place->own)
			name_thread(w, find_thread(w, image->process, place->tid), r);
		break;
	case TRACE_EXIT:
		see_process(w, image, r, place);
		image_end(w, image);
		break;
	case TRACE_REAP:
		see_process(w, image, r, place);
		child = walk_process(w, (uint32_t)r->number);
		if (child && child->image)
			image_end(w, child->image);
		break;
	case TRACE_FORK: case TRACE_EXEC: see_process(w, image, r, place); break;
	case TRACE_KEEP: see_keep(w, image, r, place); break;
	case TRACE_LOCK: see_lock(w, image, r, place); break;
	case TRACE_AWAY: see_away(w, image, r, place); break;
	case TRACE_EDGE: see_edge(w, image, r); break;
	case TRACE_REQUEST: see_request(w, image, r, place); break;
	case TRACE_WATCH: see_watch(image, r); break;
	default: break;
	}
}

/* What still has an end comes to it; operations that did not return stay open.  */
static void finish(struct walk *w)
{
	struct timer *first;

	while ((first = timers_first(&w->timers))) {
		if (first->type == TIMER_COUNTER)
			counter_fire(w, counter_of(first));
		else
			advance(w, first->at);
	}
}

static void free_threads(struct walk *w)
{
	for (size_t i = 0; i < w->thread_room; i++) {
		struct thread *t = w->threads[i];

		for (size_t k = 0; t && k < t->depth; k++)
			if (t->stack[k].fd)
				fd_put(w, t->stack[k].fd);
		if (t)
			free(t->stack);
		free(t);
	}
	free(w->threads);
}

void tracks_walk(const struct trace *t, const struct tracks_sink *sink, void *arg)
{
	struct walk w = {.trace = t, .sink = sink, .arg = arg};

	walk_begin(&w);
	reader_each(t, NULL, see, &w);
	finish(&w);
	free_threads(&w);
	walk_end(&w);
}
