/* model.c - from records to processes and fds.  One pass over each process file; operations are put together by their number.  */
#include "model.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "fdtable.h"
#include "filter.h"
#include "say.h"
#include "screen.h"
#include "shim/shim.h"

static const struct {
	const char *name;
	enum direction direction;
	enum op_class class;
} calls[] = {
#define CALL(id, name, wait, class, number) {name, DIRECTION_##wait, OP_##class},
#include "shim/calls.def"
#undef CALL
};

static const char *const kinds[] = {
#define KIND(id, name) name,
#include "shim/kinds.def"
#undef KIND
};

const char *model_kind_name(unsigned kind)
{
	return kind < KIND_COUNT ? kinds[kind] : "unknown";
}

static const char *const ways[] = {
#define X(id, name) name,
	TRACE_WAYS(X)
#undef X
};

const char *model_way_name(unsigned way)
{
	return way < TRACE_WAY_COUNT ? ways[way] : "unknown";
}

static const struct {
	const char *name, *words;
} whys[] = {
#define X(id, name, words) {name, words},
	TRACE_WHYS(X)
#undef X
};

const char *model_why_name(unsigned why)
{
	return why < TRACE_WHY_COUNT ? whys[why].name : "unknown";
}

const char *model_why_words(unsigned why)
{
	return why < TRACE_WHY_COUNT ? whys[why].words : "unknown";
}

const char *model_call_name(unsigned call)
{
	return call < sizeof calls / sizeof *calls ? calls[call].name : "unknown";
}

enum direction model_call_direction(unsigned call)
{
	return call < sizeof calls / sizeof *calls ? calls[call].direction : DIRECTION_NONE;
}

unsigned model_call_class(unsigned call)
{
	return call < sizeof calls / sizeof *calls ? calls[call].class : OP_PLAIN;
}

bool model_is_poll(unsigned call)
{
	return model_call_class(call) == OP_POLL || model_call_class(call) == OP_SELECT;
}

/* An operation that would block, on its way from WOULD_BLOCK to RETURN.  */
struct open_op {
	uint32_t number;
	uint64_t parked;                /* ticks; 0: not parked */
	uint64_t left;                  /* when its thread did something else meanwhile: in a handler, or it never came back */
	size_t fd;                      /* index */
	unsigned call;
	enum direction direction;
};

/* Handlers nest; beyond this depth the oldest was left by siglongjmp.  */
enum { OPS_MAX = 8 };

/* Names of fds that are put together.  */
enum { COMMON_MAX = 256, FD_NAME_MAX = 512 };

/* A guarded write that takes longer than this has blocked.  */
enum { GUARDED_WRITE_NS = 1000000 };

/* What a parent tells of a child: that it made it, or how it ended.  */
struct child {
	uint32_t pid;
	uint64_t t;                     /* ticks */
	bool ended;
	bool image;                     /* made with its program at once: vfork, posix_spawn */
	int status;                     /* of one that has ended: wait(2) */
};

/* What a process knows of a socket's inode, whoever else has it: it was accepted, or, with a peer, is half of a socketpair.  */
struct socket {
	uint64_t inode, peer;
};

struct build {
	const struct trace *trace;
	model_wait_visitor *visit;
	model_record_visitor *see;
	model_stall_visitor *stall;
	void *visit_arg;
	struct model_process *process;
	size_t fd;                      /* of the record in hand: index, or MODEL_NO_FD */
	const struct model_process *told;       /* as which the visitor knows it */
	struct fdtable indices;         /* index + 1 of each fd's latest meaning */
	struct model_thread *thread;    /* of the record in hand */
	unsigned call;                  /* whose wait is counted */
	const struct trace_process *header;
	uint64_t start_cpu_ns;
	uint64_t first, last;           /* ticks */
	struct child *children;
	size_t child_count, child_room;
	struct socket *sockets;
	size_t socket_count, socket_room;
	struct { uint32_t tid; uint64_t inode; } named[2];      /* the latest NAMEs: those of a socketpair lie before it */
	uint32_t *execs;                /* pids of children that became programs without a file of theirs before */
	size_t exec_count, exec_room;
};

/* Of what fd means now; MODEL_NO_FD where that is not known.  */
static size_t index_of(const struct build *b, int fd)
{
	return (size_t)(uintptr_t)fdtable_get(&b->indices, fd) - 1;
}

static void set_index(struct build *b, int fd, size_t index)
{
	void **place = index != MODEL_NO_FD || fdtable_get(&b->indices, fd) ? fdtable_place(&b->indices, fd) : NULL;

	if (place)
		*place = (void *)(uintptr_t)(index + 1);
}

static struct model_fd *add_fd(struct model_process *p)
{
	if (p->fd_count == p->fd_room) {
		p->fd_room = p->fd_room ? p->fd_room * 2 : 8;
		p->fds = must_have(realloc(p->fds, p->fd_room * sizeof *p->fds));
	}
	memset(&p->fds[p->fd_count], 0, sizeof *p->fds);
	p->fds[p->fd_count].access = O_ACCMODE;
	return &p->fds[p->fd_count++];
}

/* What the names of many fds have in common, in place: a directory, an address.  */
static void make_common(char *name)
{
	char *last = strrchr(name, name[0] == '/' ? '/' : ':');

	if (last)
		strcpy(last + 1, "*");
}

/* Of the near end of a connection.  */
static void make_near_common(char *name)
{
	char *arrow = strstr(name, "->"), *colon = arrow;

	while (colon && colon > name && *colon != ':')
		colon--;
	if (!colon || colon == name || arrow - colon < 2)
		return;
	colon[1] = '*';
	memmove(colon + 2, arrow, strlen(arrow) + 1);
}

static struct model_fd *find_common(struct model_process *p, const char *name, unsigned kind)
{
	for (size_t i = MODEL_FDS_MAX; i < p->fd_count; i++)
		if (p->fds[i].kind == kind && !strcmp(p->fds[i].name, name))
			return &p->fds[i];
	return NULL;
}

/* The fd of `many` under a name.  When there are too many of these, too, the last one takes what is left.  */
static struct model_fd *make_common_fd(struct model_process *p, const char *name, unsigned kind)
{
	struct model_fd *f;

	if (p->fd_count == MODEL_FDS_MAX + COMMON_MAX)
		return &p->fds[p->fd_count - 1];
	f = add_fd(p);
	f->fd = -1;
	f->many = true;
	f->kind = kind;
	f->name = must_have(strdup(p->fd_count == MODEL_FDS_MAX + COMMON_MAX ? "other fds" : name));
	return f;
}

/* A server's connections have the near end in common, a client's the far one: whichever has been met, or else that with the smaller
 * port, which is the service's.  */
static struct model_fd *common_fd(struct model_process *p, const char *name, unsigned kind)
{
	char far[FD_NAME_MAX], near[FD_NAME_MAX];
	const char *arrow = strstr(name, "->"), *colon = arrow;
	struct model_fd *f;

	make_common(strcpy(far, name));
	make_near_common(strcpy(near, name));
	f = find_common(p, far, kind);
	if (!f)
		f = find_common(p, near, kind);
	if (f)
		return f;
	while (colon && colon > name && *colon != ':')
		colon--;
	return make_common_fd(p, colon && strtoul(colon + 1, NULL, 10) > strtoul(strrchr(name, ':') + 1, NULL, 10) ? near : far, kind);
}

static struct model_fd *new_fd(struct build *b, int fd)
{
	struct model_process *p = b->process;
	struct model_fd *f = p->fd_count < MODEL_FDS_MAX ? add_fd(p) : common_fd(p, "fds without a name", KIND_unknown);

	if (!f->many)
		f->fd = fd;
	set_index(b, fd, (size_t)(f - p->fds));
	return f;
}

/* What fd means now; the number is all that is known where its NAME was lost.  */
static struct model_fd *find_fd(struct build *b, int fd)
{
	size_t index = index_of(b, fd);

	return index != MODEL_NO_FD ? &b->process->fds[index] : new_fd(b, fd);
}

static void note_socket(struct build *b, uint64_t inode, uint64_t peer)
{
	if (b->socket_count == b->socket_room) {
		b->socket_room = b->socket_room ? b->socket_room * 2 : 64;
		b->sockets = must_have(realloc(b->sockets, b->socket_room * sizeof *b->sockets));
	}
	b->sockets[b->socket_count++] = (struct socket){inode, peer};
}

bool model_is_inode(unsigned kind, uint64_t inode, const struct trace_record *r)
{
	return kind == r->fd_kind && (inode == r->inode || (!inode && kind == KIND_file));
}

/* Whether a NAME says again what f is: the recording repeats names from time to time, a socket's changes when it is bound or connected,
 * and what a path has opened is called a file until it is looked at.  */
static bool is_same(const struct model_fd *f, const struct trace_record *r, const char *text)
{
	bool known = model_is_inode(f->kind, f->inode, r);

	return f->name && !f->many && ((known && r->inode) || ((known || f->kind == KIND_file) && !strcmp(f->name, text)));
}

static void name_fd(struct build *b, const struct trace_record *r, const struct reader_place *place)
{
	char text[FD_NAME_MAX];
	struct model_fd *f = find_fd(b, r->fd);

	reader_text(r, place, text, sizeof text);
	screen_clean(text);
	if (is_same(f, r, text)) {
		free(f->name);
	} else if (f->name && b->process->fd_count >= MODEL_FDS_MAX) {
		set_index(b, r->fd, (size_t)(common_fd(b->process, text, r->fd_kind) - b->process->fds));
		return;
	} else if (f->name) {
		f = new_fd(b, r->fd);
	}
	if (f->accepted && !f->name)
		note_socket(b, r->inode, 0);
	f->name = must_have(strdup(text));
	f->kind = r->fd_kind;
	f->access = r->access;
	f->inode = r->inode;
	b->named[0] = b->named[1];
	b->named[1].tid = b->thread->tid;
	b->named[1].inode = f->inode;
}

static struct model_thread *find_thread(struct build *b, uint32_t tid)
{
	struct model_process *p = b->process;
	size_t low;

	if (b->thread && b->thread->tid == tid)
		return b->thread;
	low = model_thread_place(p->threads, p->thread_count, sizeof *p->threads, tid);
	if (low < p->thread_count && p->threads[low].tid == tid)
		return &p->threads[low];
	/* All later ones are the last. */
	if (p->thread_count == MODEL_THREADS_MAX)
		return &p->threads[p->thread_count - 1];
	p->threads = must_have(realloc(p->threads, (p->thread_count + 1) * sizeof *p->threads));
	memmove(&p->threads[low + 1], &p->threads[low], (p->thread_count - low) * sizeof *p->threads);
	memset(&p->threads[low], 0, sizeof *p->threads);
	p->threads[low].tid = tid;
	p->threads[low].cpu_ns = MODEL_UNKNOWN;
	p->thread_count++;
	return &p->threads[low];
}

bool model_moves_bytes(unsigned call)
{
	enum direction d = model_call_direction(call);

	switch (model_call_class(call)) {
	/* An fd, nothing, or a number of something else.  */
	case OP_ACCEPT: case OP_CONNECT: case OP_OPEN: case OP_OPEN_PAIR: case OP_RECVMMSG: case OP_SENDMMSG: case OP_OTHER: return false;
	default: return d == DIRECTION_READ || d == DIRECTION_WRITE;
	}
}

uint64_t model_moved(const struct trace_record *r)
{
	return r->result > 0 && model_moves_bytes(r->call) ? (uint64_t)r->result : 0;
}

enum direction model_request_direction(unsigned call)
{
	return call == CALL_aio_read ? DIRECTION_READ : call == CALL_aio_write ? DIRECTION_WRITE : DIRECTION_NONE;
}

static void count_result(struct model_fd *f, const struct trace_record *r)
{
	f->bytes[model_call_direction(r->call)] += model_moved(r);
}

/* A connection is another meaning of its number, whether the old one's close was seen or not.  */
static void see_accepted(struct build *b, const struct trace_record *r)
{
	if (model_call_class(r->call) == OP_ACCEPT && r->result >= 0 && r->result <= INT32_MAX && b->process->fd_count < MODEL_FDS_MAX)
		new_fd(b, (int)r->result)->accepted = true;
}

static void see_pair(struct build *b, const struct trace_record *r)
{
	if (r->call != CALL_socketpair || r->result != 0 || b->process->fd_count >= MODEL_FDS_MAX ||
	    b->named[0].tid != b->thread->tid || b->named[1].tid != b->thread->tid)
		return;
	note_socket(b, b->named[0].inode, b->named[1].inode);
	note_socket(b, b->named[1].inode, b->named[0].inode);
}

static void add_fd_wait(struct model_fd *f, enum direction d, uint64_t ns)
{
	f->wait_ns[d] += ns;
	if (ns > f->longest_ns)
		f->longest_ns = ns;
}

static void tell_wait(struct build *b, const struct model_thread *t, const struct model_fd *f, enum direction d, uint64_t start,
		      uint64_t end, bool left, bool polled)
{
	struct model_wait w = {
		.process = b->told, .tid = t->tid, .fd = f ? (size_t)(f - b->process->fds) : MODEL_NO_FD, .direction = d, .call = b->call,
		.start_ns = reader_ns(b->trace, start), .end_ns = reader_ns(b->trace, end), .left = left,
		.polled = polled,
	};

	b->visit(&w, b->visit_arg);
}

/* Waits lie in others: a handler waits in the wait that it came into, and so do modules that libc loads.  Each moment counts once, as what
 * is innermost, whichever of them is told first.  Beyond so many waits back, they may count twice.  */
enum { SPANS = 16 };

static void take_back(struct build *b, struct model_thread *t, enum direction d, uint64_t ns)
{
	uint64_t *all = &b->process->wait_ns[d], *own = &t->wait_ns[d];

	*all -= ns < *all ? ns : *all;
	*own -= ns < *own ? ns : *own;
}

static void push_span(struct model_thread *t, struct model_span new)
{
	if (!t->spans)
		t->spans = must_have(malloc(SPANS * sizeof *t->spans));
	if (t->span_count == SPANS)
		memmove(t->spans, t->spans + 1, --t->span_count * sizeof *t->spans);
	t->spans[t->span_count++] = new;
	if (new.end > t->spans_end)
		t->spans_end = new.end;
}

/* How much of a wait others in it are not; what it lies in is that much less.  */
static uint64_t uncounted(struct build *b, struct model_thread *t, struct model_span new)
{
	uint64_t left = new.end - new.start;
	size_t i, kept = 0;

	if (new.start >= t->spans_end) {
		push_span(t, new);
		return left;
	}
	for (i = 0; i < t->span_count; i++) {
		struct model_span s = t->spans[i];

		if (s.start >= new.start && s.end <= new.end)
			left -= s.end - s.start < left ? s.end - s.start : left;
		else
			t->spans[kept++] = s;
	}
	t->span_count = kept;
	for (i = kept; i-- > 0;)
		if (t->spans[i].start <= new.start && t->spans[i].end >= new.end) {
			take_back(b, t, t->spans[i].direction, reader_duration(b->trace, left));
			break;
		}
	push_span(t, new);
	return left;
}

/* The one place where waits are counted; start and end in ticks.  */
static void add_wait(struct build *b, struct model_thread *t, struct model_fd *f, enum direction d, uint64_t start, uint64_t end,
		     bool left)
{
	uint64_t ns = reader_duration(b->trace, end - start), own = reader_duration(b->trace, uncounted(b, t, (struct model_span){start, end, d}));

	if (b->visit)
		tell_wait(b, t, f, d, start, end, left, false);
	b->process->wait_ns[d] += own;
	t->wait_ns[d] += own;
	if (f)
		add_fd_wait(f, d, ns);
}

/* It was there until then, without a record.  */
static void extend(const struct build *b, struct model_thread *t, uint64_t end)
{
	uint64_t ns = reader_ns(b->trace, end);

	if (ns > t->end_ns)
		t->end_ns = ns;
}

/* It has waited until it was left for good.  */
static void abandon(struct build *b, struct model_thread *t, const struct open_op *op, uint64_t end)
{
	struct model_fd *f = op->fd == MODEL_NO_FD ? NULL : &b->process->fds[op->fd];

	if (op->parked && !op->left)
		t->waiting = true;
	if (f && op->parked && !op->left)
		f->waiting = true;
	if (op->left)
		end = op->left;
	b->call = op->call;
	if (op->parked && end >= op->parked)
		add_wait(b, t, f, op->direction, op->parked, end, true);
	if (op->parked)
		extend(b, t, end);
}

/* The same of the lock that it waits for.  */
static void abandon_lock(struct build *b, struct model_thread *t, uint64_t end)
{
	b->call = CALL_none;
	if (end > t->lock->t) {
		add_wait(b, t, NULL, DIRECTION_LOCK, t->lock->t, end, true);
		extend(b, t, end);
	}
	t->lock = NULL;
}

static struct open_op *find_op(struct model_thread *t, uint32_t number)
{
	for (size_t i = t->op_count; i-- > 0;)
		if (t->ops[i].number == number)
			return &t->ops[i];
	return NULL;
}

static struct open_op *new_op(struct build *b, struct model_thread *t, uint32_t number)
{
	if (t->op_count == OPS_MAX) {
		abandon(b, t, &t->ops[0], b->last);
		memmove(t->ops, t->ops + 1, --t->op_count * sizeof *t->ops);
	}
	t->ops = must_have(realloc(t->ops, OPS_MAX * sizeof *t->ops));
	memset(&t->ops[t->op_count], 0, sizeof *t->ops);
	t->ops[t->op_count].number = number;
	return &t->ops[t->op_count++];
}

static void remove_op(struct model_thread *t, struct open_op *op)
{
	*op = t->ops[--t->op_count];
}

/* A plain call on something that can make one wait (accept, connect, a message call) waits for as long as it takes.  */
bool model_can_wait(unsigned kind)
{
	return kind != KIND_unknown && kind != KIND_file && kind != KIND_directory && kind != KIND_block && kind != KIND_device;
}

/* Opening is no transfer; but a FIFO or a terminal can make one wait for it.  */
static void see_opening(struct build *b, const struct trace_record *r, struct model_fd *f)
{
	enum direction d = model_call_direction(r->call);

	b->fd = f ? (size_t)(f - b->process->fds) : MODEL_NO_FD;
	if (f && d != DIRECTION_NONE && (f->kind == KIND_fifo || f->kind == KIND_tty))
		add_wait(b, b->thread, f, f->access == O_WRONLY ? DIRECTION_WRITE : d, r->t, r->t + r->duration, false);
}

/* A wait that has no records of its own: the call may have waited for as long as it took.  Behind a poll that said ready, only
 * a write may block, half-way: it did if it took long.  */
bool model_call_waits(const struct trace_record *r, unsigned kind, uint64_t ns)
{
	enum direction d = model_call_direction(r->call);

	if (d == DIRECTION_LOCK)
		return true;
	if (d == DIRECTION_NONE || (r->flags & TRACE_NONBLOCK) || (r->fd >= 0 && !model_can_wait(kind)))
		return false;
	if (r->way == TRACE_WAY_GUARD)
		return d == DIRECTION_WRITE && ns > GUARDED_WRITE_NS;
	return r->way == TRACE_WAY_NONE || r->way == TRACE_WAY_KEPT;
}

static void count_poll(struct model_polls *polls, const struct trace_record *r)
{
	unsigned why = r->flags >> TRACE_WHY_SHIFT;

	if (r->way == TRACE_WAY_KEPT)
		polls->kept++;
	else if (why < TRACE_WHY_COUNT)
		polls->left[why]++;
}

static void see_keep(struct model_polls *polls, const struct trace_record *r)
{
	if (r->op != TRACE_KEEP_CORRECTED)
		return;
	polls->corrected += (uint64_t)r->number;
	if (keep_round_ns(r->lead) > polls->bound_ns)
		polls->bound_ns = keep_round_ns(r->lead);
}

/* What kind of loop makes such a call.  */
static enum trace_loop loop_of(unsigned call, unsigned flags)
{
	switch (model_call_class(call)) {
	case OP_EPOLL: return TRACE_LOOP_EPOLL;
	case OP_POLL: case OP_SELECT: return flags & TRACE_NO_FDS ? TRACE_LOOP_NONE : TRACE_LOOP_POLL;
	default: return TRACE_LOOP_NONE;
	}
}

static void note_poll(struct model_thread *t, const struct trace_record *r)
{
	enum trace_loop loop = loop_of(r->call, r->flags);

	t->polled_from = r->t;
	t->polled_to = loop ? r->t + r->duration : r->t;
	if (loop && loop >= t->loop) {
		t->loop = loop;
		t->away_since = t->polled_to;
	}
}

/* A call while its thread should be at its polls.  */
static void note_stalling(const struct build *b, const struct trace_record *r, enum direction d, const struct model_fd *f, bool waits)
{
	struct stall_open *stall = b->thread->stall;

	if (stall && d == DIRECTION_SLEEP)
		stalls_sleep(stall, r->t, r->t + r->duration);
	else if (stall)
		stalls_call(stall, r->call, f ? (size_t)(f - b->process->fds) : STALL_NO_FD, waits, r->t, r->t + r->duration);
}

static void see_call(struct build *b, const struct trace_record *r)
{
	unsigned class = model_call_class(r->call);
	enum direction d = r->flags & TRACE_NO_FDS ? DIRECTION_SLEEP : model_call_direction(r->call);
	struct model_fd *f;
	bool waits;

	f = r->fd < 0 ? NULL : find_fd(b, r->fd);
	if (class == OP_OPEN || class == OP_OPEN_PAIR) {
		see_opening(b, r, f);
		see_pair(b, r);
		note_stalling(b, r, d, f, false);
		return;
	}
	if (f) {
		b->fd = (size_t)(f - b->process->fds);
		f->calls++;
		if (!f->way)
			f->way = r->way;
		if (r->flags & TRACE_ASKED)
			f->would_block++;
		count_result(f, r);
	}
	if (class == OP_ACCEPT && f)
		f->listens = true;
	note_poll(b->thread, r);
	if (model_is_poll(r->call))
		count_poll(&b->process->polls, r);
	waits = model_call_waits(r, f ? f->kind : KIND_unknown, reader_duration(b->trace, r->duration));
	if (waits)
		add_wait(b, b->thread, f, d, r->t, r->t + r->duration, false);
	if (waits && (model_is_poll(r->call) || class == OP_EPOLL) && d == DIRECTION_POLL && r->result <= 0) {
		b->process->polls.vain++;
		b->process->polls.vain_ns += reader_duration(b->trace, r->duration);
	}
	note_stalling(b, r, d, f, waits);
	see_accepted(b, r);
}

/* Who is joined is there, though it may have no record of its own: it computes.  */
static void see_joined(struct build *b, const struct trace_record *r)
{
	uint32_t by = b->thread->tid, tid = (uint32_t)r->fd;
	struct model_thread *t;

	if (r->fd <= 0 || (r->way != TRACE_LOCK_JOIN && r->way != TRACE_LOCK_THRD))
		return;
	t = find_thread(b, tid);
	if (t->tid == tid && !t->start_ns) {
		t->start_ns = reader_ns(b->trace, r->t);
		t->end_ns = reader_ns(b->trace, r->t + r->duration);
		t->joined = r->duration != 0;
	}
	/* That may have moved them all. */
	b->thread = NULL;
	b->thread = find_thread(b, by);
}

static void see_lock(struct build *b, const struct trace_record *r)
{
	uint64_t end = r->t + r->duration;

	see_joined(b, r);
	if (!r->duration) {
		b->thread->lock = r;
		return;
	}
	add_wait(b, b->thread, NULL, DIRECTION_LOCK, r->t, end, false);
	if (b->thread->stall)
		stalls_lock(b->thread->stall, r, r->t, end);
}

static void end_stall(struct build *b, struct model_thread *t)
{
	const struct stall *stall = stalls_end(t->stall);

	if (b->stall)
		b->stall(stall, b->process, b->visit_arg);
	stalls_add(&b->process->stalls, t->stall);
	t->stall = NULL;
}

static void see_object(struct model_process *p, const struct trace_record *r, const struct reader_place *place)
{
	char text[512];
	struct symbols_object *o;

	if (r->fd < 0 || r->fd >= TRACE_OBJECTS || reader_text(r, place, text, sizeof text) < TRACE_BUILD_ID)
		return;
	if (!p->objects)
		p->objects = must_have(calloc(TRACE_OBJECTS, sizeof *p->objects));
	o = &p->objects[r->fd];
	memcpy(o->id, text, TRACE_BUILD_ID);
	free(o->path);
	o->path = must_have(strdup(text + TRACE_BUILD_ID));
}

static void see_away(struct build *b, const struct trace_record *r, const struct reader_place *place)
{
	if (b->thread->stall)
		end_stall(b, b->thread);
	b->thread->stall = stalls_begin(b->trace, r, place);
}

/* A poll returned because of this fd: it was waited for all that time.  The thread's own time has been counted.  */
static void see_polled(struct build *b, const struct trace_record *r)
{
	const struct model_thread *t = b->thread;
	struct model_fd *f = find_fd(b, r->fd);

	b->fd = (size_t)(f - b->process->fds);
	if (t->stall)
		stalls_polled(t->stall, b->fd);
	if (b->visit && t->polled_to > t->polled_from)
		tell_wait(b, t, f, DIRECTION_POLL, t->polled_from, t->polled_to, false, true);
	add_fd_wait(f, DIRECTION_POLL, reader_duration(b->trace, t->polled_to - t->polled_from));
}

static void see_operation(struct build *b, const struct trace_record *r)
{
	struct open_op *op = find_op(b->thread, r->op);
	struct model_fd *f;

	if (!r->op) {
		see_polled(b, r);
		return;
	}
	if (!op) {
		f = find_fd(b, r->fd);
		f->calls++;
		op = new_op(b, b->thread, r->op);
		f->listens |= model_call_class(r->call) == OP_ACCEPT;
		op->fd = (size_t)(f - b->process->fds);
		op->call = r->call;
		op->direction = model_call_direction(r->call);
	}
	f = &b->process->fds[op->fd];
	b->fd = op->fd;
	op->left = 0;
	switch (r->kind) {
	case TRACE_WOULD_BLOCK:
		f->would_block++;
		if (!f->way)
			f->way = r->way;
		break;
	case TRACE_PARK:
		op->parked = r->t;
		break;
	case TRACE_READY:
	case TRACE_RETURN:
		if (op->parked && r->t > op->parked) {
			add_wait(b, b->thread, f, op->direction, op->parked, r->t, false);
			if (b->thread->stall)
				stalls_call(b->thread->stall, op->call, op->fd, true, op->parked, r->t);
		}
		op->parked = 0;
		if (r->kind == TRACE_RETURN) {
			count_result(f, r);
			remove_op(b->thread, op);
			see_accepted(b, r);
		}
		break;
	default:
		break;
	}
}

static bool is_operation(const struct trace_record *r)
{
	return r->kind == TRACE_WOULD_BLOCK || r->kind == TRACE_PARK || r->kind == TRACE_READY || r->kind == TRACE_RETURN;
}

static void note_child(struct build *b, struct child c)
{
	if (b->child_count == b->child_room) {
		b->child_room = b->child_room ? b->child_room * 2 : 64;
		b->children = must_have(realloc(b->children, b->child_room * sizeof *b->children));
	}
	b->children[b->child_count++] = c;
}

static void note_exec(struct build *b, const struct trace_record *r)
{
	if (!r->op)
		return;
	if (r->number) {
		b->exec_count -= b->exec_count && b->execs[b->exec_count - 1] == r->op;
		b->child_count -= b->child_count && b->children[b->child_count - 1].pid == r->op;
		return;
	}
	note_child(b, (struct child){.pid = r->op, .t = r->t, .image = true});
	if (b->exec_count == b->exec_room) {
		b->exec_room = b->exec_room ? b->exec_room * 2 : 64;
		b->execs = must_have(realloc(b->execs, b->exec_room * sizeof *b->execs));
	}
	b->execs[b->exec_count++] = r->op;
}

/* What was told outside of the trace, whose clock is only as good as its fit.  */
static struct child outer_end(const struct build *b)
{
	const struct trace_end *end = &b->trace->end;
	uint64_t t = reader_ticks(b->trace, end->ns);

	return (struct child){.pid = end->pid, .t = t > b->last ? t : b->last, .ended = true, .status = end->status};
}

/* A killed process records no end, but its parent, whose file comes before, may have been told.  Pids come again.  */
static void find_end(struct build *b)
{
	struct model_process *p = b->process;
	const struct child outer = outer_end(b), *first = outer.pid == p->pid ? &outer : NULL;

	for (size_t i = 0; i < b->child_count; i++) {
		const struct child *c = &b->children[i];

		if (c->ended && c->pid == p->pid && c->t >= b->last && (!first || c->t < first->t))
			first = c;
	}
	if (!first)
		return;
	b->last = first->t;
	p->reaped = true;
	if (WIFEXITED(first->status))
		p->exit_status = WEXITSTATUS(first->status);
	else if (WIFSIGNALED(first->status))
		p->signal = WTERMSIG(first->status);
}

/* It is in this call still, or was until the process ended.  Whatever its thread does after that says that it is not.  */
static void see_enter(struct build *b, const struct trace_record *r)
{
	struct open_op *op;

	b->thread->in_call = r->call;
	if (model_call_direction(r->call) == DIRECTION_NONE)
		return;
	op = new_op(b, b->thread, 0);
	op->call = r->call;
	op->fd = b->fd = r->fd < 0 ? MODEL_NO_FD : (size_t)(find_fd(b, r->fd) - b->process->fds);
	op->direction = model_call_direction(r->call);
	op->parked = r->t;
}

static void see_usage(struct build *b, const struct trace_record *r)
{
	/* What its main thread has used before it was this image, the process has. */
	uint64_t ns = (uint64_t)r->number, before = r->fd < 0 || b->thread->tid == b->process->pid ? b->start_cpu_ns : 0;

	ns = ns > before ? ns - before : 0;
	if (r->fd >= 0) {
		b->thread->cpu_ns = ns;
		return;
	}
	b->process->cpu_ns = ns;
	if (b->header->files == TRACE_FILES_ON)
		b->process->faults = r->duration > b->header->start_faults ? r->duration - b->header->start_faults : 0;
}

static void see_thread(struct model_thread *t, const struct trace_record *r)
{
	memcpy(t->name, (const char *)r + TRACE_NAME_AT, sizeof t->name - 1);
	screen_clean(t->name);
}

/* Its bytes are moved, and its fd used, when it is submitted and completed, whoever tells.  */
static void see_request(struct build *b, const struct trace_record *r)
{
	enum direction d = model_request_direction(r->call);
	struct model_fd *f;

	bool moves = r->way == TRACE_REQUEST_SUBMITTED || r->way == TRACE_REQUEST_COMPLETED;

	if (r->fd < 0 || (!moves && r->way != TRACE_REQUEST_WOULD_BLOCK))
		return;
	f = find_fd(b, r->fd);
	b->fd = (size_t)(f - b->process->fds);
	if (r->way == TRACE_REQUEST_SUBMITTED) {
		b->process->requests++;
		f->calls++;
		f->would_block += r->flags & TRACE_REQUEST_BLOCKS ? 1 : 0;
	} else if (r->way == TRACE_REQUEST_WOULD_BLOCK) {
		f->would_block++;
		f->request_waits++;
	} else if (r->result > 0 && d != DIRECTION_NONE) {
		f->bytes[d] += (uint64_t)r->result;
	}
}

static void show_fd(struct build *b, const struct trace_record *r)
{
	size_t fd = r->kind == TRACE_NAME ? index_of(b, r->fd) : b->fd;

	if (fd != MODEL_NO_FD)
		b->process->fds[fd].shown = true;
}

static void note_time(struct build *b, uint64_t start, uint64_t end)
{
	if (!b->first || start < b->first)
		b->first = start;
	if (end > b->last)
		b->last = end;
}

/* By a thread that is none of the program's.  */
static void see_own(struct build *b, const struct trace_record *r, const struct reader_place *place)
{
	if (r->kind != TRACE_REQUEST)
		return;
	b->fd = MODEL_NO_FD;
	b->process->events += !place->hidden;
	note_time(b, r->t, r->t);
	see_request(b, r);
	if (!place->hidden)
		show_fd(b, r);
	if (b->see)
		b->see(r, place, b->process, b->fd, b->visit_arg);
}

static void see(const struct trace_record *r, const struct reader_place *place, void *arg)
{
	struct build *b = arg;
	uint64_t end = r->t + (r->kind == TRACE_CALL || r->kind == TRACE_LOCK ? r->duration : 0);

	if (place->enter)
		return;
	if (place->own) {
		see_own(b, r, place);
		return;
	}
	b->thread = find_thread(b, place->tid);
	if (r->kind == TRACE_THREAD) {
		see_thread(b->thread, r);
		return;
	}
	for (size_t i = 0; i < b->thread->op_count; i++) {
		struct open_op *op = &b->thread->ops[i];

		if (!op->left && !(is_operation(r) && r->op == op->number))
			op->left = r->t;
	}
	b->thread->in_call = 0;
	if (b->thread->lock)
		abandon_lock(b, b->thread, r->t);
	b->call = r->call;
	if (b->thread->stall && stalls_is_over(b->thread->stall, r->t))
		end_stall(b, b->thread);
	b->process->events += !place->hidden;
	b->process->vanished = r->kind == TRACE_EXEC && !r->op && !r->number;
	note_time(b, r->t, end);
	if (!b->thread->start_ns)
		b->thread->start_ns = reader_ns(b->trace, r->t);
	b->thread->end_ns = reader_ns(b->trace, end);
	b->fd = MODEL_NO_FD;
	switch (r->kind) {
	case TRACE_NAME: name_fd(b, r, place); break;
	case TRACE_CLOSE: set_index(b, r->fd, MODEL_NO_FD); break;
	case TRACE_CALL: see_call(b, r); break;
	case TRACE_WOULD_BLOCK: case TRACE_PARK: case TRACE_READY: case TRACE_RETURN: see_operation(b, r); break;
	case TRACE_FORK: note_child(b, (struct child){.pid = (uint32_t)r->number, .t = r->t}); break;
	case TRACE_REAP:
		note_child(b, (struct child){.pid = (uint32_t)r->number, .t = r->t, .ended = true, .status = (int)r->duration});
		break;
	case TRACE_EXEC: note_exec(b, r); break;
	case TRACE_USAGE: see_usage(b, r); break;
	case TRACE_KEEP: see_keep(&b->process->polls, r); break;
	case TRACE_ENTER: see_enter(b, r); break;
	case TRACE_LOCK: see_lock(b, r); break;
	case TRACE_AWAY: see_away(b, r, place); break;
	case TRACE_OBJECT: see_object(b->process, r, place); break;
	case TRACE_STACK:
		if (b->thread->stall)
			stalls_stack(b->thread->stall, r, place);
		break;
	case TRACE_REQUEST: see_request(b, r); break;
	case TRACE_EXIT: b->process->exit_status = (int)r->number; break;
	default: break;
	}
	if (!place->hidden)
		show_fd(b, r);
	if (b->see)
		b->see(r, place, b->process, b->fd, b->visit_arg);
}

/* An event loop waits for a lock, or in a call that is not its poll, and came back from neither.  */
static void note_unended(struct build *b, struct model_thread *t)
{
	const struct open_op *op = t->op_count && !t->ops[t->op_count - 1].left ? &t->ops[t->op_count - 1] : NULL;
	uint64_t since = t->lock ? t->lock->t : op && loop_of(op->call, 0) < t->loop ? op->parked : 0;

	if (!since || since < t->away_since || !t->loop ||
	    b->last < t->away_since || reader_duration(b->trace, b->last - t->away_since) <= b->process->stalls.limit_ns)
		return;
	t->stall = stalls_unended(b->trace, t->tid, t->loop, t->away_since, b->last);
	if (t->lock)
		stalls_lock(t->stall, t->lock, since, b->last);
	else if (op)
		stalls_call(t->stall, op->call, op->fd, true, since, b->last);
	end_stall(b, t);
}

/* A thread that computes has no record before its first call: it began at least so long before its end as it had a CPU, or slept.  */
static void date_threads(struct model_process *p)
{
	for (size_t i = 0; i < p->thread_count; i++) {
		struct model_thread *t = &p->threads[i];
		uint64_t life = t->wait_ns[DIRECTION_LOCK] + t->wait_ns[DIRECTION_SLEEP] + t->wait_ns[DIRECTION_CHILD];

		if (t->tid == p->pid || t->cpu_ns == MODEL_UNKNOWN)
			continue;
		life += t->cpu_ns;
		if (t->end_ns <= p->start_ns || t->end_ns - p->start_ns < life)
			t->start_ns = p->start_ns;
		else if (t->end_ns - t->start_ns < life)
			t->start_ns = t->end_ns - life;
	}
}

/* An operation without an end waited until its thread did something else, its process ended, or the trace.  */
static void close_operations(struct build *b)
{
	for (size_t i = 0; i < b->process->thread_count; i++) {
		struct model_thread *t = &b->process->threads[i];

		if (t->stall)
			end_stall(b, t);
		note_unended(b, t);
		if (t->lock) {
			t->waiting = true;
			abandon_lock(b, t, b->last);
		}
		for (size_t k = 0; k < t->op_count; k++)
			abandon(b, t, &t->ops[k], b->last);
		free(t->ops);
		free(t->spans);
		t->ops = NULL;
		t->spans = NULL;
		t->op_count = 0;
	}
}

/* The arguments with spaces between them.  */
char *model_command(const struct trace_process *h)
{
	size_t n = h->command_size < TRACE_COMMAND_SIZE ? h->command_size : TRACE_COMMAND_SIZE;
	char *s = must_have(malloc(n + 1));

	while (n && !h->command[n - 1])
		n--;
	for (size_t i = 0; i < n; i++)
		s[i] = (unsigned char)h->command[i] < ' ' || h->command[i] == 127 ? ' ' : h->command[i];
	s[n] = 0;
	screen_clean(s);
	return s;
}

static void build_process(struct build *b, struct model_process *p, const struct model_process *told, const struct trace_file *f)
{
	const struct trace *t = b->trace;

	b->process = p;
	b->told = told;
	b->thread = NULL;
	free(b->indices.slots);
	b->indices = (struct fdtable){0};
	p->pid = f->header->pid;
	p->ppid = f->header->ppid;
	p->command = model_command(f->header);
	p->lost = f->header->lost_events;
	p->dropped = f->header->dropped_events;
	p->exit_status = p->signal = -1;
	p->stalls.limit_ns = f->header->stall_ns;
	p->unsampled = f->header->unsampled;
	b->header = f->header;
	b->start_cpu_ns = f->header->start_cpu_ns;
	p->cpu_ns = p->faults = MODEL_UNKNOWN;
	p->forked = f->header->origin == TRACE_ORIGIN_FORK;
	b->first = b->last = f->header->preamble.start_ticks;
	reader_each(t, f, see, b);
	if (p->exit_status < 0 && !p->vanished)
		find_end(b);
	close_operations(b);
	stalls_close(&p->stalls);
	p->start_ns = reader_ns(t, b->first);
	p->end_ns = reader_ns(t, b->last);
	date_threads(p);
}

static int by_child(const void *a, const void *b)
{
	const struct child *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->t < y->t ? -1 : x->t > y->t;
}

/* The first of what was told of this pid at that time or later; or one of another pid, or none.  */
static size_t find_child(const struct build *b, uint32_t pid, uint64_t ns)
{
	size_t low = 0, high = b->child_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct child *c = &b->children[middle];

		if (c->pid < pid || (c->pid == pid && reader_ns(b->trace, c->t) < ns))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A child's file begins with its first event; the process began when its parent made it.  And it is over when that is told so.  */
static void date_children(struct model *m, struct build *b)
{
	if (!b->children)
		return;
	qsort(b->children, b->child_count, sizeof *b->children, by_child);
	for (size_t i = 0; i < m->process_count; i++) {
		struct model_process *p = &m->processes[i];
		size_t born = find_child(b, p->pid, p->start_ns + 1), over = find_child(b, p->pid, p->end_ns);
		const struct child *c = born ? &b->children[born - 1] : NULL;

		if (c && !p->previous && c->pid == p->pid && !c->ended && p->forked != c->image)
			p->start_ns = reader_ns(b->trace, c->t);
		c = over < b->child_count ? &b->children[over] : NULL;
		if (c && c->pid == p->pid && c->ended)
			p->told_ns = reader_ns(b->trace, c->t);
	}
}

static int by_pid_and_time(const void *a, const void *b)
{
	const struct model_process *x = *(const struct model_process *const *)a, *y = *(const struct model_process *const *)b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

static struct model_process **order_processes(struct model *m)
{
	struct model_process **order = must_have(calloc(m->process_count + 1, sizeof *order));

	for (size_t i = 0; i < m->process_count; i++)
		order[i] = &m->processes[i];
	if (m->process_count)
		qsort(order, m->process_count, sizeof *order, by_pid_and_time);
	return order;
}

/* An exec after which a new image is seen has not vanished.  A pid that is used again begins with a fork, or after an exit.  */
static void find_images(struct model *m, struct model_process *const *order)
{
	for (size_t i = 0; i + 1 < m->process_count; i++) {
		if (order[i]->pid != order[i + 1]->pid)
			continue;
		order[i]->vanished = false;
		if (!order[i + 1]->forked && order[i]->exit_status < 0 && !order[i]->reaped)
			order[i + 1]->previous = order[i];
	}
	for (size_t i = 0; i < m->process_count; i++)
		m->vanished += m->processes[i].vanished;
}

static bool has_image(const struct model *m, struct model_process *const *order, uint32_t pid)
{
	size_t low = 0, high = m->process_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (order[middle]->pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < m->process_count && order[low]->pid == pid; low++)
		if (!order[low]->forked)
			return true;
	return false;
}

/* Children that became programs of which there is no image.  */
static void find_vanished(struct model *m, const struct build *b, struct model_process *const *order)
{
	for (size_t i = 0; i < b->exec_count; i++)
		m->vanished += !has_image(m, order, b->execs[i]);
}

static uint64_t hash(const char *text, size_t size)
{
	uint64_t h = 14695981039346656037u;     /* FNV-1a */

	for (size_t i = 0; i < size; i++)
		h = (h ^ (unsigned char)text[i]) * 1099511628211u;
	return h;
}

static int by_inode(const void *a, const void *b)
{
	const struct socket *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return x->peer < y->peer ? -1 : x->peer > y->peer;
}

static bool is_socket(const struct model_fd *f)
{
	return f->kind == KIND_stream || f->kind == KIND_dgram || f->kind == KIND_seqpacket || f->kind == KIND_socket;
}

/* Each end of a connection learns what one of those who have it knows.  */
static void find_sockets(struct model *m, struct build *b)
{
	if (!b->socket_count)
		return;
	qsort(b->sockets, b->socket_count, sizeof *b->sockets, by_inode);
	for (size_t i = 0; i < m->process_count; i++)
		for (size_t k = 0; k < m->processes[i].fd_count; k++) {
			struct model_fd *f = &m->processes[i].fds[k];
			const struct socket key = {f->inode, UINT64_MAX};
			size_t low = 0, high = b->socket_count;

			while (low < high) {
				size_t middle = (low + high) / 2;

				if (by_inode(&b->sockets[middle], &key) < 0)
					low = middle + 1;
				else
					high = middle;
			}
			if (!low || b->sockets[low - 1].inode != f->inode || !is_socket(f))
				continue;
			f->pair = b->sockets[low - 1].peer;
			f->accepted |= !f->pair;
		}
}

enum { UNIX_ENDS_MAX = 512 };

/* Ends of a unix connection have one name, that of who listens.  */
static bool is_unix(const struct model_fd *f)
{
	return f->name && !strncmp(f->name, "unix:", 5) && !f->listens && (f->kind == KIND_stream || f->kind == KIND_seqpacket);
}

bool model_has_end(const struct model_fd *f, uint64_t *key)
{
	const char *arrow = f->name && f->kind == KIND_stream ? strstr(f->name, "->") : NULL;

	if (f->many)
		return false;
	if (arrow) {
		*key = hash(f->name + 4, (size_t)(arrow - f->name) - 4) + hash(arrow + 2, strlen(arrow + 2));
		return !strncmp(f->name, "tcp ", 4);
	}
	if (is_unix(f)) {
		*key = hash(f->name, strlen(f->name));
		return true;
	}
	if (f->pair) {
		*key = f->inode < f->pair ? f->inode : f->pair;
		return f->name;
	}
	*key = f->inode;
	return f->name && (f->kind == KIND_pipe || f->kind == KIND_fifo);
}

/* By key, and then in the trace's order.  */
static int by_key(const void *a, const void *b)
{
	const struct model_end *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	if (x->process != y->process)
		return x->process < y->process ? -1 : 1;
	return x->fd < y->fd ? -1 : x->fd > y->fd;
}

static void find_ends(struct model *m)
{
	size_t room = 0;
	uint64_t key;

	for (size_t i = 0; i < m->process_count; i++)
		room += m->processes[i].fd_count;
	m->ends = must_have(calloc(room + 1, sizeof *m->ends));
	for (size_t i = 0; i < m->process_count; i++) {
		const struct model_process *p = &m->processes[i];

		for (size_t k = 0; k < p->fd_count; k++)
			if (model_has_end(&p->fds[k], &key))
				m->ends[m->end_count++] = (struct model_end){key, p, &p->fds[k]};
	}
	qsort(m->ends, m->end_count, sizeof *m->ends, by_key);
}

struct model *model_build(const struct trace *t, model_wait_visitor *visit, void *arg)
{
	return model_build_seen(t, visit, NULL, arg);
}

struct model *model_build_seen(const struct trace *t, model_wait_visitor *visit, model_record_visitor *see_record, void *arg)
{
	return model_build_told(t, visit, see_record, NULL, arg);
}

struct model *model_build_told(const struct trace *t, model_wait_visitor *visit, model_record_visitor *see_record,
			       model_stall_visitor *stall, void *arg)
{
	struct model *m = must_have(calloc(1, sizeof *m));
	struct build b = {.trace = t, .visit = visit, .see = see_record, .stall = stall, .visit_arg = arg};
	struct model_process **order;

	m->process_count = t->file_count;
	m->processes = must_have(calloc(t->file_count + 1, sizeof *m->processes));
	m->lost = t->control.lost_events;
	for (size_t i = 0; i < t->file_count; i++) {
		struct model_process *p = &m->processes[i];

		build_process(&b, p, p, &t->files[i]);
		m->events += p->events;
		m->lost += p->lost;
		m->dropped += p->dropped;
		if (t->files[i].header->stop < 32)
			m->stops |= 1u << t->files[i].header->stop;
		if (p->end_ns > m->wall_ns)
			m->wall_ns = p->end_ns;
	}
	order = order_processes(m);
	find_images(m, order);
	date_children(m, &b);
	if (filter_lacks_processes(t))
		m->vanished = 0;
	else
		find_vanished(m, &b, order);
	find_sockets(m, &b);
	find_ends(m);
	free(order);
	free(b.children);
	free(b.execs);
	free(b.sockets);
	free(b.indices.slots);
	return m;
}

static void free_process(struct model_process *p)
{
	for (size_t i = 0; i < p->fd_count; i++)
		free(p->fds[i].name);
	free(p->fds);
	free(p->threads);
	stalls_free(&p->stalls);
	for (size_t i = 0; p->objects && i < TRACE_OBJECTS; i++)
		free(p->objects[i].path);
	free(p->objects);
	free(p->command);
}

void model_waits(const struct trace *t, const struct model *m, model_wait_visitor *visit, void *arg)
{
	struct build b = {.trace = t, .visit = visit, .visit_arg = arg};

	for (size_t i = 0; i < t->file_count; i++) {
		struct model_process p = {0};

		build_process(&b, &p, &m->processes[i], &t->files[i]);
		free_process(&p);
	}
	free(b.children);
	free(b.execs);
	free(b.indices.slots);
	free(b.sockets);
}

void model_free(struct model *m)
{
	for (size_t i = 0; i < m->process_count; i++)
		free_process(&m->processes[i]);
	free(m->processes);
	free(m->ends);
	free(m);
}

uint64_t model_cpu_in_waits(const uint64_t wait_ns[DIRECTION_COUNT], uint64_t cpu_ns, uint64_t wall_ns)
{
	uint64_t left = wall_ns;

	if (cpu_ns == MODEL_UNKNOWN)
		return 0;
	for (size_t d = 0; d < DIRECTION_COUNT; d++)
		left -= wait_ns[d] < left ? wait_ns[d] : left;
	return cpu_ns > left ? cpu_ns - left : 0;
}

const char *model_short_command(const struct model_process *p)
{
	const char *command = p->command, *space = strchr(command, ' ');

	for (const char *c = command; *c && c != space; c++)
		if (*c == '/' && c[1] && c + 1 != space)
			command = c + 1;
	return *command ? command : "?";
}

/* "tcp A->B" and "tcp B->A" are the two ends of one connection.  */
static bool is_reverse(const char *a, const char *b)
{
	const char *arrow = strstr(a, "->"), *other = strstr(b, "->");
	size_t from, to;

	if (strncmp(a, "tcp ", 4) != 0 || strncmp(b, "tcp ", 4) != 0 || !arrow || !other)
		return false;
	from = (size_t)(arrow - a) - 4;
	to = strlen(arrow + 2);
	return (size_t)(other - b) - 4 == to && !strncmp(b + 4, arrow + 2, to) && strlen(other + 2) == from &&
	       !strncmp(other + 2, a + 4, from);
}

bool model_is_other_end(const struct model_fd *a, const struct model_fd *b)
{
	bool reads = a->bytes[DIRECTION_READ] || a->wait_ns[DIRECTION_READ] || a->access == O_RDONLY;

	if (!a->name || !b->name)
		return false;
	if (a->pair)
		return a->pair == b->inode && b->pair == a->inode;
	if (is_unix(a))
		return is_unix(b) && a->accepted != b->accepted && !strcmp(a->name, b->name);
	if (a->kind == KIND_pipe || a->kind == KIND_fifo)
		return a->kind == b->kind && a->inode == b->inode && (reads ? b->access == O_WRONLY : b->access == O_RDONLY);
	return a->kind == KIND_stream && is_reverse(a->name, b->name);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

const struct model_end *model_ends(const struct model *m, const struct model_fd *fd, size_t *count)
{
	size_t low = 0, high = m->end_count, end;
	uint64_t key;

	*count = 0;
	if (!model_has_end(fd, &key))
		return NULL;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (m->ends[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < m->end_count && m->ends[end].key == key; end++)
		;
	/* Too many connections of one name to tell who is whose. */
	*count = is_unix(fd) && end - low > UNIX_ENDS_MAX ? 0 : end - low;
	return &m->ends[low];
}

/* Of those who use the other end of fd, or only hold it, the one that moved most; their pids, one for each image, into pids.  */
static const struct model_process *find_peer(const struct model_end *ends, size_t end_count, const struct model_process *p,
					     const struct model_fd *fd, bool used, uint32_t *pids, size_t *count)
{
	const struct model_process *found = NULL;
	uint64_t most = 0;

	for (size_t i = 0; i < end_count; i++) {
		const struct model_process *q = ends[i].process;
		const struct model_fd *f = ends[i].fd;
		uint64_t moved = f->bytes[DIRECTION_READ] + f->bytes[DIRECTION_WRITE];

		if (q == p || (used ? !f->calls : q->forked || f->calls || f->fd > 2) || !model_is_other_end(fd, f))
			continue;
		if (!*count || pids[*count - 1] != q->pid)
			pids[(*count)++] = q->pid;
		if (!found || moved > most) {
			found = q;
			most = moved;
		}
	}
	return found;
}

const struct model_process *model_peer(const struct model *m, const struct model_process *p, const struct model_fd *fd,
				       unsigned *others)
{
	size_t count = 0, end_count;
	const struct model_end *ends = model_ends(m, fd, &end_count);
	uint32_t *pids = must_have(calloc(end_count + 1, sizeof *pids));
	const struct model_process *found = find_peer(ends, end_count, p, fd, true, pids, &count);

	if (!found)
		found = find_peer(ends, end_count, p, fd, false, pids, &count);
	/* An exec is another image of the same process. */
	qsort(pids, count, sizeof *pids, by_number);
	*others = 0;
	for (size_t i = 1; i < count; i++)
		*others += pids[i] != pids[i - 1];
	free(pids);
	return found;
}

const struct model_fd *model_own_end(const struct model *m, const struct model_process *p, const struct model_fd *fd)
{
	size_t count;
	const struct model_end *ends = model_ends(m, fd, &count);

	for (size_t i = 0; i < count; i++)
		if (ends[i].process == p && ends[i].fd->calls && model_is_other_end(fd, ends[i].fd))
			return ends[i].fd;
	return NULL;
}
