/* record.c - puts events into slots, and, for the live log, into lines.  */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "config.h"
#include "fdname.h"
#include "init.h"
#include "libc.h"
#include "livelog.h"
#include "readiness.h"
#include "stall.h"
#include "tracefile.h"

HOT_DATA bool record_on, record_simply, record_simply_files;

static bool to_trace, to_log;
static bool to_more;            /* to the log, or with stacks */
static bool chooses;            /* not all is wanted (wants.h) */

/* What becomes of a poll that has no fd of its own that is wanted: it is told if one is that it returned.  */
enum record_told {
	TOLD_NOTHING,
	TOLD_READY,             /* such an fd, before the poll */
	TOLD_NO_CALL,           /* it has returned, and waits for such an fd */
};

void record_start(const char *program)
{
	bool wanted = wants_program(&config.wants, program, strlen(program));

	if (config.trace[0] && !wanted)
		tracefile_make();
	if (wanted)
		files_start();
	chooses = config.wants.some;
	if (chooses)
		tracefile_ask();
	if (config.trace[0] && wanted) {
		tracefile_start(TRACE_ORIGIN_EXEC);
		to_trace = tracefile_alive != NULL;
	}
	if (to_trace && !chooses)
		stack_start();
	to_log = config.log[0] && wanted;
	to_more = to_log || stack_on;
	record_on = to_trace || to_log;
	record_simply = to_trace && !to_more;
	readiness_on = config.readiness && to_trace;
	files_on &= record_on;
	record_simply_files = record_simply && files_on;
	record_simply &= !files_on;
}

static bool wants_hint(fd_hint hint)
{
	return hint & HINT_NAMED ? !(hint & HINT_UNWANTED) : wants_nameless(&config.wants);
}

/* Whether what happens on fd is wanted.  */
static bool wants_fd(int fd, fd_hint hint)
{
	if (fd < 0)
		return wants_without_fd(&config.wants);
	return wants_number(&config.wants.fds, (unsigned)fd) && wants_hint(hint);
}

static bool polls(const struct op *op)
{
	return op->class == OP_POLL || op->class == OP_SELECT || op->class == OP_EPOLL;
}

/* What a poll returns, and an open opens, is known when it returns.  */
bool record_wants(const struct op *op)
{
	if (tracefile_is_off()) {
		stall_thread.since = 0;
		return false;
	}
	if (!wants_call(&config.wants, op->call))
		return false;
	return polls(op) || op->class >= OP_OPEN || wants_fd(op->fd, op->hint);
}

static bool took_long(uint64_t duration)
{
	static uint64_t least;
	static bool known;

	if (!config.wants.longer_ns)
		return true;
	if (!known) {
		least = tracefile_ticks(config.wants.longer_ns);
		known = tracefile_ticks_are_known();
	}
	return duration >= least;
}

/* The rest of record_wants(), at the return.  */
static bool wants_returned(struct op *op, uint64_t duration)
{
	if (!took_long(duration)) {
		op->enter = 0;  /* nor what it returned */
		return false;
	}
	if (op->class >= OP_OPEN)
		return wants_fd(op->fd, fds_peek(op->fd));
	if (!polls(op) || op->told == TOLD_READY || wants_fd(op->fd, op->hint))
		return true;
	op->told = TOLD_NO_CALL;
	return false;
}

static __attribute__((noinline)) void put_more(const struct trace_record *event)
{
	if (to_log)
		livelog_event(event);
	if (event->kind == TRACE_CALL && stall_is_long(event->duration))
		stack_record();
}

/* Stores one event: the kind last, so that a reader sees it whole or not at all.  */
static inline void put(const struct trace_record *event)
{
	if (likely(to_trace))
		tracefile_put(event);
	if (unlikely(to_more))
		put_more(event);
}

static uint8_t flags_of(const struct op *op)
{
	return (op->moved ? TRACE_PARTIAL : 0) | (op->shielded ? TRACE_SHIELD : 0);
}

/* A call on a file, and what is known of it: bits of enum trace_flag.  Whoever waits for a disk has no attempt that would say so:
 * EWOULDBLOCK and park are told afterwards, and where in the call it slept is not known.  What moves no bytes stays one call.  */
static __attribute__((noinline)) void put_disk(struct trace_record *call, uint64_t length, uint8_t disk)
{
	struct trace_record e;

	call->flags |= disk;
	if (!(disk & TRACE_SLEPT) || !op_transfers(call->call)) {
		put(call);
		return;
	}
	e = *call;
	e.flags = disk;
	e.kind = TRACE_WOULD_BLOCK;
	e.t++;
	e.length = length;
	e.op = tracefile_next_op();
	e.lead = 1;
	put(&e);
	e.kind = TRACE_PARK;
	e.length = 0;
	e.lead = 0;
	put(&e);
	e.kind = TRACE_RETURN;
	e.t = call->t + (call->duration ? call->duration : 1);
	e.result = call->result;
	put(&e);
	if (unlikely(stall_is_long(call->duration)))
		stack_record();
}

void record_passed_file(enum call_id call, int fd, fd_hint hint, uint64_t length, uint64_t enter, uint32_t waits, long result)
{
	struct trace_record e = {.kind = TRACE_CALL, .call = (uint8_t)call, .way = TRACE_WAY_NONE, .fd = fd, .t = enter, .result = result};
	uint64_t end = clock_ticks();

	e.duration = end - enter;
	e.flags = files_end(hint, enter, waits, end, result);
	if (unlikely(e.flags & TRACE_SLEPT))
		record_passed_disk(call, fd, length, enter, end, e.flags, result);
	else
		tracefile_put(&e);
}

void record_passed_disk(enum call_id call, int fd, uint64_t length, uint64_t enter, uint64_t end, uint8_t disk, long result)
{
	struct trace_record e = {.kind = TRACE_CALL, .call = (uint8_t)call, .way = TRACE_WAY_NONE, .fd = fd, .t = enter, .result = result};

	e.duration = end - enter;
	put_disk(&e, length, disk);
}

static inline void put_call(const struct op *op, long result, uint64_t duration)
{
	struct trace_record e = {
		.kind = TRACE_CALL, .call = op->call, .way = op->way, .fd = op->fd, .t = op->enter, .result = result,
	};

	if (op->shielded)
		e.flags = TRACE_SHIELD;
	else if (op->asked || (op->hint & HINT_NONBLOCK))
		e.flags = result == -EAGAIN ? TRACE_NONBLOCK | TRACE_ASKED : TRACE_NONBLOCK;
	e.flags |= (uint8_t)(op->why << TRACE_WHY_SHIFT);
	if (op->class == OP_POLL || op->class == OP_SELECT)
		e.flags |= stall_loop(op) == TRACE_LOOP_NONE ? TRACE_NO_FDS : 0;
	e.duration = duration;
	if (likely(!op->disk))
		put(&e);
	else
		put_disk(&e, op->length, op->disk);
	stall_called(op, op->enter + e.duration);
	if (unlikely(result == -EAGAIN || result == -EINPROGRESS) && op_writes(op))
		readiness_blocked(op->fd, op->hint);
}

void record_call(struct op *op, long result)
{
	uint64_t duration = (op->left ? op->left : clock_ticks()) - op->enter;

	if (likely(!chooses) || wants_returned(op, duration))
		put_call(op, result, duration);
}

/* The slot is a hint: where a handler has done the same meanwhile, or a jump has left the call, it says less, or too much until the
 * thread's next call.  */
void record_enter(const struct op *op)
{
	struct trace_record *r = to_trace ? tracefile_now() : NULL;

	if (!r || (unlikely(chooses) && !wants_fd(op->fd, op->hint)))
		return;
	__atomic_store_n(&r->kind, TRACE_NONE, __ATOMIC_RELAXED);
	r->call = op->call;
	r->way = op->way;
	r->flags = 0;
	r->fd = op->fd;
	r->t = op->enter;
	r->number = tracefile_thread.tid;
	r->duration = 0;
	__atomic_store_n(&r->kind, TRACE_ENTER, __ATOMIC_RELEASE);
}

void record_leave(void)
{
	struct trace_record *r = to_trace ? tracefile_now() : NULL;

	if (r)
		__atomic_store_n(&r->kind, TRACE_NONE, __ATOMIC_RELAXED);
}

void record_would_block(struct op *op)
{
	struct trace_record e = {
		.kind = TRACE_WOULD_BLOCK, .call = op->call, .way = op->way, .fd = op->fd, .t = clock_ticks(),
	};
	uint64_t lead = e.t - op->enter;

	op->tried = e.t;
	if (!op->number) {
		op->number = tracefile_next_op();
		e.lead = lead > UINT32_MAX ? UINT32_MAX : lead ? (uint32_t)lead : 1;
	}
	e.length = op->length;
	e.flags = flags_of(op);
	e.op = op->number;
	put(&e);
	if (op_writes(op))
		readiness_blocked(op->fd, op->hint);
}

void record_park(const struct op *op, bool direct)
{
	struct trace_record e = {
		.kind = TRACE_PARK, .call = op->call, .way = op->way, .fd = op->fd, .t = op->tried, .op = op->number,
	};

	stall_arrive(op, op->enter);
	e.flags = flags_of(op) | (direct ? TRACE_WAIT_DIRECT : 0);
	put(&e);
}

void record_ready(const struct op *op, unsigned revents)
{
	struct trace_record e = {
		.kind = TRACE_READY, .call = op->call, .way = op->way, .fd = op->fd, .t = clock_ticks(), .op = op->number,
	};

	e.flags = flags_of(op);
	e.length = revents;
	put(&e);
}

bool record_polled(struct op *op, long result, int fd, unsigned revents)
{
	struct trace_record e = {.kind = TRACE_READY, .call = op->call, .way = op->way, .fd = fd};
	fd_hint hint = fds_named(fd);

	e.t = clock_ticks();
	if (unlikely(chooses)) {
		if (!wants_fd(fd, hint) || !took_long(e.t - op->enter))
			return false;
		if (op->told == TOLD_NO_CALL)
			put_call(op, result, e.t - op->enter);
		op->told = TOLD_READY;
	}
	e.length = revents;
	put(&e);
	return true;
}

void record_keep(const struct op *op, enum trace_keep what, unsigned fds, int corrected)
{
	struct trace_record e = {
		.kind = TRACE_KEEP, .call = op->call, .fd = -1, .t = clock_ticks(),
		.number = what == TRACE_KEEP_CORRECTED ? corrected : (int64_t)fds, .op = what, .lead = fds,
	};

	if (unlikely(chooses) && !(wants_without_fd(&config.wants) && !config.wants.longer_ns))
		return;
	if (what == TRACE_KEEP_LEFT)
		e.flags = (uint8_t)(op->why << TRACE_WHY_SHIFT);
	put(&e);
}

/* The record is there while the wait lasts: a deadlock never ends.  */
void record_lock(struct record_lock *wait, enum trace_lock which, const void *lock, int holder)
{
	wait->event = (struct trace_record){
		.kind = TRACE_LOCK, .way = (uint8_t)which, .fd = holder ? holder : -1, .t = clock_ticks(),
		.number = (int64_t)(uintptr_t)lock,
	};
	wait->slot = to_trace && !chooses && !tracefile_is_off() ? tracefile_reserve(1) : NULL;
	if (!wait->slot)
		return;
	wait->generation = *tracefile_alive;
	tracefile_fill(wait->slot, &wait->event);
}

/* A handler may have forked meanwhile, or filled a ring: then it is another's.  */
static bool is_still_its(const struct record_lock *wait)
{
	const struct trace_record *r = wait->slot, *e = &wait->event;

	return r && *tracefile_alive == wait->generation && r->kind == e->kind && r->t == e->t && r->number == e->number;
}

void record_locked(struct record_lock *wait)
{
	uint64_t duration = clock_ticks() - wait->event.t;

	wait->event.duration = duration ? duration : 1;
	if (is_still_its(wait))
		__atomic_store_n(&wait->slot->duration, wait->event.duration, __ATOMIC_RELAXED);
	if (unlikely(stall_is_long(wait->event.duration)))
		stack_record();
	if (unlikely(to_log && !chooses))
		livelog_event(&wait->event);
}

void record_away(enum call_id call, enum trace_loop loop, uint64_t since, uint64_t now, uint64_t cpu_ns,
		 const struct trace_away *away)
{
	struct trace_record e[2] = {
		{.kind = TRACE_AWAY, .call = (uint8_t)call, .way = (uint8_t)loop, .fd = -1, .t = since, .number = (int64_t)cpu_ns},
		{.kind = TRACE_TEXT},
	}, *r;

	if (unlikely(chooses))
		return;
	e[0].duration = now - since;
	memcpy((char *)&e[1] + 1, away, sizeof *away);
	if (to_trace && (r = tracefile_reserve(2)) != NULL) {
		tracefile_fill(&r[1], &e[1]);
		tracefile_fill(&r[0], &e[0]);
	}
	if (to_log)
		livelog_event(e);
}

uint32_t record_number(void)
{
	return tracefile_next_op();
}

static struct trace_record request_record(const struct record_request *q, enum trace_request how, uint64_t t)
{
	return (struct trace_record){
		.kind = TRACE_REQUEST, .call = q->call, .way = (uint8_t)how, .fd = q->fd, .t = t, .op = q->number,
	};
}

void record_submitted(const struct record_request *q, uint64_t enter, uint64_t length, const struct trace_request_more *more,
		      uint8_t flags)
{
	struct trace_record e[2] = {request_record(q, TRACE_REQUEST_SUBMITTED, enter), {.kind = TRACE_TEXT}}, *r;
	uint64_t lead = clock_ticks() - enter;

	e[0].flags = flags;
	e[0].length = length;
	e[0].lead = lead > UINT32_MAX ? UINT32_MAX : (uint32_t)lead;
	memcpy((char *)&e[1] + 1, more, sizeof *more);
	if (to_trace && (r = tracefile_reserve(2)) != NULL) {
		tracefile_fill(&r[1], &e[1]);
		tracefile_fill(&r[0], &e[0]);
	}
	if (to_log)
		livelog_event(e);
}

void record_completed(const struct record_request *q, uint64_t since, int64_t result)
{
	struct trace_record e = request_record(q, TRACE_REQUEST_COMPLETED, clock_ticks());
	uint64_t lead = since && since < e.t ? e.t - since : 0;

	e.result = result;
	e.lead = lead > UINT32_MAX ? UINT32_MAX : (uint32_t)lead;
	put(&e);
}

void record_notified(const struct record_request *q, uint64_t t, bool by_thread)
{
	struct trace_record e = request_record(q, TRACE_REQUEST_NOTIFIED, t);

	e.flags = by_thread ? TRACE_REQUEST_THREAD : 0;
	put(&e);
}

void record_request(const struct record_request *q, enum trace_request how, int64_t result)
{
	struct trace_record e = request_record(q, how, clock_ticks());

	e.result = result;
	put(&e);
}

void record_own_thread(bool has_own_fds)
{
	tracefile_thread.own = true;
	tracefile_thread.has_own_fds = has_own_fds;
}

void record_return(const struct op *op, long result)
{
	struct trace_record e = {
		.kind = TRACE_RETURN, .call = op->call, .way = op->way, .fd = op->fd, .t = op->left, .op = op->number,
	};

	e.flags = flags_of(op) | (result == -EAGAIN && op->asked ? TRACE_ASKED : 0);
	e.result = result;
	put(&e);
	if (unlikely(stall_is_long(e.t - op->enter)))
		stack_record();
	stall_leave(op, e.t);
	if (to_trace)
		tracefile_pair(e.t);
}

/* A socket has but one.  */
static int access_of(int fd, enum fd_kind kind, struct fd_facts *facts)
{
	return fds_is_socket(kind) || !fd_flags(fd, facts) ? O_RDWR : (int)(facts->flags & O_ACCMODE);
}

/* An event with a text behind it.  A name is looked for right before the call that has opened what has it.  */
static void put_with_text(const struct trace_record *event, const void *text, size_t size)
{
	size_t slots = (size + TRACE_TEXT_BYTES - 1) / TRACE_TEXT_BYTES;
	struct trace_record *r = tracefile_reserve_before((unsigned)slots + 1, event->kind == TRACE_NAME);

	if (!r)
		return;
	for (size_t i = 0; i < slots; i++) {
		size_t at = i * TRACE_TEXT_BYTES, n = size - at;

		memcpy((char *)&r[i + 1] + 1, (const char *)text + at, n < TRACE_TEXT_BYTES ? n : TRACE_TEXT_BYTES);
		__atomic_store_n(&r[i + 1].kind, TRACE_TEXT, __ATOMIC_RELEASE);
	}
	/* As tracefile_fill(), but for the last eight bytes, which are stored one by one: to load them together would wait for the text. */
	r->call = event->call;
	r->way = event->way;
	r->flags = event->flags;
	r->fd = event->fd;
	r->t = event->t;
	r->number = event->number;
	r->access = event->access;
	r->fd_kind = event->fd_kind;
	r->text_size = (uint32_t)size;
	__atomic_store_n(&r->kind, event->kind, __ATOMIC_RELEASE);
}

static void put_name(int fd, enum fd_kind kind, struct fd_facts *facts, const char *text, size_t size)
{
	struct trace_record e = {.kind = TRACE_NAME, .fd = fd, .fd_kind = (uint16_t)kind};

	e.access = (uint16_t)access_of(fd, kind, facts);
	/* What a path has just opened goes by that; later its name may be another. */
	e.inode = (facts->has_stat || !facts->path) && fd_stat(fd, facts) ? facts->stat.st_ino : 0;
	e.t = facts->t ? facts->t : clock_ticks();
	put_with_text(&e, text, size);
	tracefile_named(sizeof e + size);
}

void record_stack(enum trace_stack what, uint64_t t, const uint64_t *frames, unsigned count)
{
	struct trace_record e = {.kind = TRACE_STACK, .way = (uint8_t)what, .fd = -1, .t = t};

	if (!tracefile_is_off())
		put_with_text(&e, frames, count * sizeof *frames);
}

void record_object(unsigned number, const char *text, size_t size)
{
	struct trace_record e = {.kind = TRACE_OBJECT, .fd = (int)number, .t = clock_ticks()};

	put_with_text(&e, text, size);
}

fd_hint record_fd(int fd, enum fd_kind kind, struct fd_facts *facts)
{
	enum { TEXT_MAX = 8 * TRACE_TEXT_BYTES };
	/* Who holds the ends of a pipeline is to be known, and what returns others. */
	bool anyway = (fd <= 2 && kind == KIND_pipe) || kind == KIND_epoll;
	bool by_number = anyway || wants_number(&config.wants.fds, (unsigned)fd), by_name = true;
	char text[TEXT_MAX];
	size_t size;
	uint32_t lap;

	if (tracefile_is_off())
		return 0;
	/* Before the name is put down: another thread may begin the next meanwhile, in which it has to stand, too. */
	lap = record_lap();
	if (by_number || wants_by_name(&config.wants)) {
		size = fd_name(fd, kind, facts, text, sizeof text);
		by_name = wants_name(&config.wants, text, size);
		if (to_trace && by_number && (by_name || anyway))
			put_name(fd, kind, facts, text, size);
	}
	return lap << HINT_NAMED_SHIFT | (by_name ? 0 : HINT_UNWANTED);
}

/* It shares our memory, and so our file.  */
static bool in_vfork_child(void)
{
	return to_trace && *tracefile_alive && !tracefile_is_own();
}

static void record_usage(uint64_t t)
{
	struct trace_record e = {.kind = TRACE_USAGE, .t = t};

	if (!libc_single_threaded()) {
		e.fd = (int32_t)sys(SYS_gettid);
		e.number = (int64_t)clock_cpu_ns(CLOCK_THREAD_CPUTIME_ID);
		put(&e);
	}
	e.fd = -1;
	e.number = (int64_t)clock_cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
	e.duration = files_on ? files_faults() : 0;
	put(&e);
}

void record_exec(pid_t child, long error)
{
	struct trace_record e = {.kind = TRACE_EXEC, .fd = -1, .t = clock_ticks(), .number = error};

	if (in_vfork_child())
		child = (pid_t)sys(SYS_getpid);
	if (!child && !error && !shim_sandboxed)
		record_usage(e.t);
	e.op = (uint32_t)child;
	put(&e);
}

/* What becomes of processes is always told.  */
static bool wants_event(enum trace_kind kind, int fd, int64_t number)
{
	const struct wants_ranges *fds = &config.wants.fds;

	if (likely(!*tracefile_gate) || (kind != TRACE_CLOSE && kind != TRACE_DUP))
		return true;
	if (tracefile_is_off() || !wants_more_than_calls(&config.wants) || !wants_hint(fds_peek(fd)))
		return false;
	return wants_number(fds, (unsigned)fd) || (kind == TRACE_DUP && wants_number(fds, (uint64_t)number));
}

void record_fd_event(enum trace_kind kind, int fd, int64_t number, uint64_t t)
{
	struct trace_record e = {.kind = (uint8_t)kind, .fd = fd, .t = t ? t : clock_ticks(), .number = number};
	bool is_frequent = kind == TRACE_CLOSE || kind == TRACE_DUP;

	if (!wants_event(kind, fd, number))
		return;
	/* What a vfork child does to its fds, and its exit, are not ours.  To ask costs as much as a third of a close. */
	if (kind != TRACE_FORK && (!is_frequent || LOAD(shim_vforks)) && in_vfork_child())
		return;
	if (kind == TRACE_EXIT && !shim_sandboxed) {
		record_usage(e.t);
		e.duration = clock_ns();
	}
	put(&e);
	if (kind == TRACE_EXIT && to_trace)
		tracefile_end();
}

void record_stdio(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		enum fd_kind kind = HINT_KIND(fds_hint(fd));

		if (kind == KIND_pipe || (readiness_on && readiness_may_watch(kind)))
			fds_named(fd);
	}
}

void record_forked(void)
{
	stall_forked();
	if (to_trace)
		tracefile_more(0);
}

void record_provide(bool for_sandbox)
{
	if (to_trace)
		tracefile_provide(for_sandbox);
	readiness_provide();
}

void record_reap(pid_t pid, int status)
{
	struct trace_record e = {.kind = TRACE_REAP, .fd = -1, .t = clock_ticks(), .number = pid};

	e.duration = (unsigned)status;
	put(&e);
}

void record_watch(int fd, uint32_t registration, uint32_t events)
{
	struct trace_record e = {.kind = TRACE_WATCH, .fd = fd, .t = clock_ticks(), .op = registration, .lead = events};

	put(&e);
}

uint32_t record_lap(void)
{
	/* For a live log alone a name is looked at where it is asked for, and nowhere kept.  */
	if (!to_trace)
		return wants_by_name(&config.wants);
	/* A fork's first record is this one: the lap must be that of the new file.  */
	if (unlikely(*tracefile_alive == 0))
		tracefile_more(0);
	return LOAD(tracefile_lap);
}

