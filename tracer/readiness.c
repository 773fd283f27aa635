/* readiness.c - matches what became ready with who took it: one pass over the trace, in the order of time.  */
#include "readiness.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "color.h"
#include "filter.h"
#include "hash.h"
#include "histogram.h"
#include "say.h"
#include "screen.h"
#include "shim/shim.h"

enum {
	FDS_MAX = 1 << 20,
	MEANINGS = 4,                   /* of one number, that are told apart */
	SLOTS = 1 << 16,
	AT_ONCE_NS = 1000000,           /* what is seen as soon after it is watched may have been ready before; and what was ready
					 * for no longer at the end is nothing to tell */
	FDS_SHOWN = 10,
	COMMAND_WIDTH = 44,
};

#define NO_ROW SIZE_MAX

/* A pipe or a socket, whoever has it.  */
struct object {
	uint64_t key;
	size_t users;
	struct object *next;
	struct side {
		uint64_t ready;         /* ticks: it was seen to be, and not taken since; 0: it was not */
		bool late;
		size_t row;             /* whose fd it was seen by */
		uint64_t taken;         /* ticks: somebody took something, or found nothing, up to then */
		bool wanted;            /* for writing: a write would have blocked */
		bool parked;            /* somebody waits in it */
		uint64_t waits_until;   /* a call without records of its wait is in it until then, on behalf of */
		size_t waiter, waiter_fd;
		uint32_t waiter_tid;
		uint32_t owner;         /* in the end: the pid of who had it last, which ended then, in ticks */
		uint64_t owner_end;
	} sides[READINESS_DIRECTIONS];
};

/* One fd number of one process.  */
struct number {
	uint64_t key;
	struct number *next;
	struct readiness_number seen;
	struct object *object;
	char *name;
	unsigned kind, access;
	uint64_t inode;
	size_t row, rows[MEANINGS];     /* of its meaning now, NO_ROW: none yet; of all so far */
	unsigned row_count;
	size_t fd;                      /* of its meaning now, where it is looked for: index into the model's, or MODEL_NO_FD */
	bool is_found, is_beyond;       /* it has been looked for; the model tells no more of this number's meanings apart */
};

struct pass {
	const struct trace *trace;
	struct readiness *result;
	const struct model *model;      /* with visit, which may be NULL: whom to tell of each distance */
	readiness_visitor *visit;
	void *visit_arg;
	size_t room;
	uint64_t *ends;                 /* ticks, of each process file */
	uint64_t switched[TRACE_SWITCHES];      /* ticks: the recording was switched off, or on; */
	size_t switch_count, switches;          /* so often in all, so often by now */
	struct number *numbers[SLOTS];
	struct object *objects[SLOTS];
};

static void find_switches(struct pass *p)
{
	const struct trace_control *c = &p->trace->control;
	uint32_t first = c->switches > TRACE_SWITCHES ? c->switches - TRACE_SWITCHES : 0;

	for (uint32_t i = first; i < c->switches; i++)
		p->switched[p->switch_count++] = reader_ticks(p->trace, c->switched[i % TRACE_SWITCHES].ns);
}

/* Whether nothing has been left out since then.  */
static bool is_recorded_since(struct pass *p, uint64_t t)
{
	return !p->switches || t > p->switched[p->switches - 1];
}

static size_t slot_of(uint64_t key)
{
	return hash_number(key) % SLOTS;
}

static struct number *find_number(struct pass *p, size_t process, int fd, bool make)
{
	uint64_t key = (uint64_t)process << 32 | (unsigned)fd;
	struct number **at = &p->numbers[slot_of(key)], *n;

	if (fd < 0 || fd >= FDS_MAX)
		return NULL;
	while (*at && (*at)->key != key)
		at = &(*at)->next;
	if (*at || !make)
		return *at;
	n = must_have(calloc(1, sizeof *n));
	n->key = key;
	n->row = NO_ROW;
	return *at = n;
}

static struct object *use_object(struct pass *p, uint64_t key)
{
	struct object **at = &p->objects[slot_of(key)];

	while (*at && (*at)->key != key)
		at = &(*at)->next;
	if (!*at) {
		*at = must_have(calloc(1, sizeof **at));
		(*at)->key = key;
	}
	(*at)->users++;
	return *at;
}

static void leave_object(struct pass *p, struct number *n)
{
	struct object **at, *o = n->object;

	n->object = NULL;
	if (!o || --o->users)
		return;
	for (at = &p->objects[slot_of(o->key)]; *at != o; at = &(*at)->next)
		;
	*at = o->next;
	free(o);
}

static bool is_pipe(unsigned kind)
{
	return kind == KIND_pipe || kind == KIND_fifo;
}

/* Pipes and sockets by their inodes; what has none, by its name.  */
static uint64_t key_of(const struct trace_record *r, const char *name)
{
	uint64_t key = 14695981039346656037u;   /* FNV-1a */

	if (r->inode)
		return r->inode << 1 | is_pipe(r->fd_kind);
	for (; *name; name++)
		key = (key ^ (unsigned char)*name) * 1099511628211u;
	return key;
}

/* Distances.  */

uint64_t readiness_percentile(const struct readiness_times *t, unsigned percent)
{
	return histogram_percentile(t->buckets, t->seen, t->max_ns, percent);
}

static void add_worst(struct readiness_times *t, const struct readiness_service *s)
{
	size_t i = READINESS_WORST - 1;

	if (s->distance_ns <= t->worst[i].distance_ns)
		return;
	for (; i && t->worst[i - 1].distance_ns < s->distance_ns; i--)
		t->worst[i] = t->worst[i - 1];
	t->worst[i] = *s;
}

static void tell(struct pass *p, size_t process, struct readiness_stretch *s)
{
	if (!p->visit || s->start_ns >= s->end_ns)
		return;
	s->process = &p->model->processes[process];
	p->visit(s, p->visit_arg);
}

/* The model tells apart more meanings of a number than are rows here; they come in the same order.  */
static size_t fd_of(const struct pass *p, struct number *n)
{
	const struct model_process *process = p->visit ? &p->model->processes[n->key >> 32] : NULL;
	size_t count = process ? process->fd_count : 0, from = n->fd < count ? n->fd : 0;

	if (n->is_found)
		return n->fd;
	n->is_found = true;
	n->fd = MODEL_NO_FD;
	for (size_t i = 0; i < count && n->fd == MODEL_NO_FD && !n->is_beyond; i++) {
		const struct model_fd *f = &process->fds[(from + i) % count];

		if (f->fd == (int)(uint32_t)n->key && f->inode == n->inode)
			n->fd = (from + i) % count;
	}
	n->is_beyond |= n->fd == MODEL_NO_FD && count >= MODEL_FDS_MAX;
	return n->fd;
}

static void add_distance(struct pass *p, size_t row, size_t fd, enum readiness_direction d, uint64_t ready, uint64_t served,
			 bool late, uint32_t tid)
{
	struct readiness_times *t = &p->result->fds[row].times[d];
	struct readiness_service s = {reader_ns(p->trace, served), reader_duration(p->trace, served - ready), tid};

	histogram_add(&t->buckets, s.distance_ns);
	t->seen++;
	t->late += late;
	t->sum_ns += s.distance_ns;
	if (s.distance_ns > t->max_ns)
		t->max_ns = s.distance_ns;
	add_worst(t, &s);
	tell(p, p->result->fds[row].process, &(struct readiness_stretch){
		.fd = fd, .direction = d, .tid = tid, .start_ns = reader_ns(p->trace, ready), .end_ns = s.at_ns, .late = late});
}

/* The row of what the number means now; the last one takes all that are too many.  */
static size_t row_of(struct pass *p, struct number *n)
{
	struct readiness *r = p->result;

	if (n->row != NO_ROW)
		return n->row;
	if (n->row_count == MEANINGS) {
		n->row = n->rows[MEANINGS - 1];
		r->fds[n->row].more++;
		return n->row;
	}
	if (r->count == p->room) {
		p->room = p->room ? p->room * 2 : 16;
		r->fds = must_have(realloc(r->fds, p->room * sizeof *r->fds));
	}
	r->fds[r->count] = (struct readiness_fd){
		.process = n->key >> 32, .fd = (int)(uint32_t)n->key, .kind = n->kind,
		.name = must_have(strdup(n->name ? n->name : "?")),
	};
	n->row = n->rows[n->row_count++] = r->count;
	return r->count++;
}

/* What the records say of fds.  */

bool readiness_sees(struct readiness_number *n, const struct trace_record *r)
{
	switch (r->kind) {
	case TRACE_WATCH:
		*n = (struct readiness_number){.registration = r->op, .watched = r->t};
		return true;
	case TRACE_CLOSE:
		*n = (struct readiness_number){.closed = true};
		return true;
	case TRACE_NAME:
		n->closed = false;
		return true;
	case TRACE_EDGE:
		/* Of one that was overwritten in the trace the number is learned now. */
		if (!n->registration && !n->closed)
			n->registration = r->op;
		return n->registration == r->op && !n->closed;
	default:
		return true;
	}
}

const char *readiness_words(const struct trace_record *r)
{
	static const char *const words[] = {NULL, "read", "write", "read,write"};
	unsigned in, out;

	if (r->kind == TRACE_WATCH) {
		in = r->lead & EPOLLIN;
		out = r->lead & EPOLLOUT;
	} else {
		in = r->way & (TRACE_EDGE_READ | TRACE_EDGE_HANGUP);
		out = r->way & TRACE_EDGE_WRITE;
	}
	return words[!!in + 2 * !!out];
}

static void see_name(struct pass *p, struct number *n, const struct trace_record *r, const struct reader_place *place)
{
	char text[512];
	struct object *o;

	reader_text(r, place, text, sizeof text);
	screen_clean(text);
	o = use_object(p, key_of(r, text));
	if (n->object == o) {
		/* Named again; a socket perhaps by another name, since it was connected. */
		o->users--;
	} else {
		leave_object(p, n);
		n->object = o;
		n->row = NO_ROW;
		n->is_found = false;
	}
	free(n->name);
	n->name = must_have(strdup(text));
	n->kind = r->fd_kind;
	n->access = r->access;
	n->inode = r->inode;
	if (n->row == NO_ROW || p->result->fds[n->row].more)
		return;
	free(p->result->fds[n->row].name);
	p->result->fds[n->row].name = must_have(strdup(text));
}

static void see_close(struct pass *p, struct number *n)
{
	leave_object(p, n);
	n->row = NO_ROW;
	n->is_found = false;
}

/* Its number is closed without a record of that.  */
static void see_duplicate(struct pass *p, size_t process, const struct trace_record *r)
{
	struct number *n = r->number >= 0 && r->number < FDS_MAX ? find_number(p, process, (int)r->number, false) : NULL;

	if (!n)
		return;
	readiness_sees(&n->seen, &(struct trace_record){.kind = TRACE_CLOSE});
	see_close(p, n);
}

/* The order of what was seen and of what was done last is not certain where the look had begun before.  */
static bool is_certain(const struct side *s, const struct trace_record *edge)
{
	return edge->t - s->taken > ((uint64_t)edge->look << TRACE_LOOK_SHIFT) && edge->t > s->taken;
}

static void see_ready(struct pass *p, struct number *n, const struct trace_record *r, enum readiness_direction d)
{
	struct side *s = &n->object->sides[d];
	bool late = (r->lead && r->lead >> TRACE_LOOK_SHIFT > r->look) ||
		    (r->t > n->seen.watched && reader_duration(p->trace, r->t - n->seen.watched) < AT_ONCE_NS);

	if (s->waits_until) {
		if (r->t <= s->waits_until) {
			add_distance(p, s->waiter, s->waiter_fd, d, r->t, s->waits_until, late, s->waiter_tid);
			s->taken = s->waits_until;
		}
		s->waits_until = 0;
	}
	if (!is_certain(s, r) || (d == READINESS_WRITE && !s->wanted))
		return;
	/* A write that waits in the kernel goes on each time; what is ready longer is not its doing. */
	if (s->ready && !(d == READINESS_WRITE && s->parked))
		return;
	s->ready = r->t;
	s->late = late;
	s->row = row_of(p, n);
}

static void see_edge(struct pass *p, struct number *n, const struct trace_record *r)
{
	/* Of a socket's hang-up without more nothing can be read: it was never connected. */
	bool reads = r->way & (is_pipe(n->kind) ? TRACE_EDGE_READ | TRACE_EDGE_HANGUP : TRACE_EDGE_READ);

	if (!n->object)
		return;
	if (reads && n->access != O_WRONLY)
		see_ready(p, n, r, READINESS_READ);
	if (r->way & TRACE_EDGE_WRITE && n->access != O_RDONLY)
		see_ready(p, n, r, READINESS_WRITE);
}

/* Nothing was there, from `from` to `to`.  */
static void see_nothing(struct side *s, uint64_t to)
{
	s->ready = 0;
	s->taken = to;
	s->wanted = true;
}

/* Somebody came for it at `from`, and had it at `to`.  */
static void see_service(struct pass *p, struct number *n, enum readiness_direction d, uint64_t from, uint64_t to, uint32_t tid)
{
	struct side *s = &n->object->sides[d];
	size_t row;

	if (!n->seen.registration && !s->ready)
		return;
	/* A write finds room, as a rule; that is no service. */
	if (d == READINESS_WRITE && !s->wanted)
		return;
	row = row_of(p, n);
	p->result->fds[row].times[d].services++;
	if (s->ready && s->ready <= from && is_recorded_since(p, s->ready))
		add_distance(p, row, fd_of(p, n), d, s->ready, from, s->late, tid);
	s->ready = 0;
	s->taken = to;
	s->wanted = false;
}

/* A call that is one record: it took what was there, or was told that there is nothing; or it waited, and nobody knows when.  */
static void see_call(struct pass *p, struct number *n, const struct trace_record *r, enum readiness_direction d, uint32_t tid)
{
	struct side *s = &n->object->sides[d];
	bool waits = r->way == TRACE_WAY_NONE && !(r->flags & TRACE_NONBLOCK);
	uint64_t end = r->t + r->duration;

	if (r->result == -EAGAIN || r->result == -EINPROGRESS) {
		see_nothing(s, end);
	} else if (r->result < 0) {
		return;
	} else if (waits && !s->ready && d == READINESS_READ) {
		see_service(p, n, d, r->t, r->t, tid);
		if (n->row != NO_ROW) {
			s->waits_until = end;
			s->waiter = n->row;
			s->waiter_fd = fd_of(p, n);
			s->waiter_tid = tid;
		}
	} else {
		see_service(p, n, d, r->t, end, tid);
	}
}

static void see_operation(struct pass *p, struct number *n, const struct trace_record *r, enum readiness_direction d, uint32_t tid)
{
	struct side *s = &n->object->sides[d];

	switch (r->kind) {
	case TRACE_WOULD_BLOCK:
		see_nothing(s, r->t);
		break;
	case TRACE_PARK:
		s->parked = true;
		break;
	case TRACE_RETURN:
		s->parked = false;
		if (r->result >= 0)
			see_service(p, n, d, r->t, r->t, tid);
		break;
	default:
		break;
	}
}

static bool may_be_ready(const struct trace_record *r)
{
	return r->kind == TRACE_NAME && (is_pipe(r->fd_kind) || r->fd_kind == KIND_stream || r->fd_kind == KIND_dgram ||
					 r->fd_kind == KIND_seqpacket || r->fd_kind == KIND_socket);
}

/* To open a FIFO takes nothing of it.  */
static bool transfers(const struct trace_record *r)
{
	enum direction d = model_call_direction(r->call);

	return (d == DIRECTION_READ || d == DIRECTION_WRITE) && r->call != CALL_open && r->call != CALL_openat &&
	       r->call != CALL_creat;
}

static void see_fd(struct pass *p, struct number *n, const struct trace_record *r, const struct reader_place *place)
{
	enum readiness_direction d = model_call_direction(r->call) == DIRECTION_WRITE ? READINESS_WRITE : READINESS_READ;

	if (!readiness_sees(&n->seen, r))
		return;
	switch (r->kind) {
	case TRACE_NAME:
		if (may_be_ready(r))
			see_name(p, n, r, place);
		else
			see_close(p, n);
		break;
	case TRACE_CLOSE: see_close(p, n); break;
	case TRACE_EDGE: see_edge(p, n, r); break;
	case TRACE_CALL:
		if (n->object && transfers(r))
			see_call(p, n, r, d, place->tid);
		break;
	case TRACE_WOULD_BLOCK: case TRACE_PARK: case TRACE_RETURN:
		if (n->object && transfers(r))
			see_operation(p, n, r, d, place->tid);
		break;
	default: break;
	}
}

static void see(const struct trace_record *r, const struct reader_place *place, void *arg)
{
	struct pass *p = arg;
	size_t process = (size_t)(place->file - p->trace->files);
	uint64_t end = r->t + (r->kind == TRACE_CALL ? r->duration : 0);
	struct number *n;

	if (place->enter)
		return;
	while (p->switches < p->switch_count && p->switched[p->switches] <= r->t)
		p->switches++;
	if (r->kind != TRACE_EDGE && end > p->ends[process])
		p->ends[process] = end;
	if (r->kind == TRACE_DUP)
		see_duplicate(p, process, r);
	else if ((n = find_number(p, process, r->fd, may_be_ready(r))) != NULL)
		see_fd(p, n, r, place);
}

static bool may_take(const struct number *n, int d)
{
	return n->object && n->access != (d == READINESS_WRITE ? O_RDONLY : O_WRONLY);
}

static const struct trace_process *header_of(const struct pass *p, const struct number *n)
{
	return p->trace->files[n->key >> 32].header;
}

/* Of all that have what nobody took, who saw it first may be a child that only had it by inheritance.  */
static void find_owner(const struct pass *p, const struct number *n)
{
	uint64_t end = p->ends[n->key >> 32];

	for (int d = 0; d < READINESS_DIRECTIONS; d++) {
		struct side *s = may_take(n, d) ? &n->object->sides[d] : NULL;

		if (!s || !s->ready || end <= s->owner_end)
			continue;
		s->owner = header_of(p, n)->pid;
		s->owner_end = end;
	}
}

/* In each program that its owner was meanwhile.  Of several numbers it was seen by one.  */
static void see_unserved(struct pass *p, struct number *n)
{
	size_t process = n->key >> 32;
	uint64_t start = header_of(p, n)->preamble.start_ticks, end = p->ends[process], from;

	for (int d = 0; d < READINESS_DIRECTIONS; d++) {
		const struct side *s = may_take(n, d) ? &n->object->sides[d] : NULL;
		size_t row;

		if (!s || !s->ready || s->owner != header_of(p, n)->pid)
			continue;
		from = s->ready > start ? s->ready : start;
		if (from >= end || (p->result->fds[s->row].process == process && n->row != s->row))
			continue;
		row = row_of(p, n);
		p->result->fds[row].times[d].unserved_ns += reader_duration(p->trace, end - from);
		tell(p, process, &(struct readiness_stretch){
			.fd = fd_of(p, n), .direction = (enum readiness_direction)d, .start_ns = reader_ns(p->trace, from),
			.end_ns = reader_ns(p->trace, end), .late = s->late});
	}
}

static int by_key(const void *a, const void *b)
{
	uint64_t x = (*(struct number *const *)a)->key, y = (*(struct number *const *)b)->key;

	return x < y ? -1 : x > y;
}

/* All of them, in an order that is always the same.  */
static struct number **list_numbers(const struct pass *p, size_t *count)
{
	struct number **list;
	size_t n = 0;

	*count = 0;
	for (size_t i = 0; i < SLOTS; i++)
		for (const struct number *at = p->numbers[i]; at; at = at->next)
			++*count;
	list = must_have(calloc(*count + 1, sizeof(struct number *)));
	for (size_t i = 0; i < SLOTS; i++)
		for (struct number *at = p->numbers[i]; at; at = at->next)
			list[n++] = at;
	qsort(list, n, sizeof(struct number *), by_key);
	return list;
}

static void end_pass(struct pass *p)
{
	size_t count;
	struct number **numbers = list_numbers(p, &count);

	for (size_t i = 0; i < count; i++)
		find_owner(p, numbers[i]);
	for (size_t i = 0; i < count; i++)
		see_unserved(p, numbers[i]);
	for (size_t i = 0; i < count; i++) {
		leave_object(p, numbers[i]);
		free(numbers[i]->name);
		free(numbers[i]);
	}
	free(numbers);
	free(p->ends);
}

static int by_number(const void *a, const void *b)
{
	const struct readiness_fd *x = a, *y = b;

	if (x->process != y->process)
		return x->process < y->process ? -1 : 1;
	return x->fd < y->fd ? -1 : x->fd > y->fd;
}

static struct readiness *read_all(const struct trace *t, const struct model *m, readiness_visitor *visit, void *arg)
{
	struct pass *p;
	struct readiness *r;

	if (!t->observed_count || !filter_passes_services(t))
		return NULL;
	p = must_have(calloc(1, sizeof *p));
	r = p->result = must_have(calloc(1, sizeof *r));
	p->trace = t;
	p->model = m;
	p->visit = visit;
	p->visit_arg = arg;
	p->ends = must_have(calloc(t->file_count + 1, sizeof *p->ends));
	find_switches(p);
	reader_each(t, NULL, see, p);
	end_pass(p);
	free(p);
	for (size_t i = 0; i < t->observed_count; i++)
		r->lost += t->observed[i].header->lost_events + t->observed[i].header->dropped_events;
	if (r->count)
		qsort(r->fds, r->count, sizeof *r->fds, by_number);
	return r;
}

struct readiness *readiness_read(const struct trace *t)
{
	return read_all(t, NULL, NULL, NULL);
}

void readiness_each(const struct trace *t, const struct model *m, readiness_visitor *visit, void *arg)
{
	readiness_free(read_all(t, m, visit, arg));
}

void readiness_free(struct readiness *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->count; i++) {
		for (int d = 0; d < READINESS_DIRECTIONS; d++)
			free(r->fds[i].times[d].buckets);
		free(r->fds[i].name);
	}
	free(r->fds);
	free(r);
}

/* The report.  */

#define INDENT "\n             "

static const char *const verbs[READINESS_DIRECTIONS] = {"read", "written"};

/* One line of the section.  */
struct entry {
	const struct readiness_fd *fd;
	enum readiness_direction direction;
};

static const struct readiness_times *times_of(const struct entry *e)
{
	return &e->fd->times[e->direction];
}

static int by_sum(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	uint64_t s = times_of(x)->sum_ns + times_of(x)->unserved_ns, t = times_of(y)->sum_ns + times_of(y)->unserved_ns;

	if (s != t)
		return s > t ? -1 : 1;
	return x->fd != y->fd ? (x->fd < y->fd ? -1 : 1) : (int)x->direction - (int)y->direction;
}

static void print_entry(const struct entry *e, const struct model_process *process, FILE *to)
{
	const struct readiness_times *t = times_of(e);
	const char *command = model_short_command(process);
	char a[16], b[16], c[16];

	fprintf(to, "  %s%9s%s  %.*s (pid %" PRIu32 "), fd %d, %s%s%s", color(COLOR_WAIT), duration(t->max_ns, a),
		color(COLOR_END), screen_cut(command, COMMAND_WIDTH), command, process->pid, e->fd->fd, color(COLOR_NAME),
		e->fd->name, color(COLOR_END));
	if (e->fd->more)
		fprintf(to, " and %u later", e->fd->more);
	fprintf(to, "%s%s%s %" PRIu64 " time%s, known of %" PRIu64, INDENT, color(COLOR_DETAIL), verbs[e->direction],
		t->services, t->services == 1 ? "" : "s", t->seen);
	if (t->seen)
		fprintf(to, ": 50%% within %s, 90%% %s, 99%% %s", duration(readiness_percentile(t, 50), a),
			duration(readiness_percentile(t, 90), b), duration(readiness_percentile(t, 99), c));
	for (size_t i = 0; i < READINESS_WORST && t->worst[i].distance_ns; i++)
		fprintf(to, "%s%s at %s (thread %" PRIu32 ")", i ? ", " : INDENT "longest: ",
			duration(t->worst[i].distance_ns, a), duration(t->worst[i].at_ns, b), t->worst[i].tid);
	if (t->unserved_ns >= AT_ONCE_NS)
		fprintf(to, INDENT "ready for %s at the end, and not %s", duration(t->unserved_ns, a), verbs[e->direction]);
	fprintf(to, "%s\n", color(COLOR_END));
}

static void print_rest(const struct readiness *r, uint64_t services, uint64_t seen, size_t more, FILE *to)
{
	if (more)
		fprintf(to, "           and %zu more fd%s\n", more, more == 1 ? "" : "s");
	if (services > seen)
		fprintf(to, "  of %" PRIu64 " more times it is not known: most were served before the observer looked\n",
			services - seen);
	if (r->lost)
		fprintf(to, "  %" PRIu64 " moments of readiness had no room in the trace\n", r->lost);
	fputc('\n', to);
}

void readiness_print(const struct readiness *r, const struct model *m, FILE *to)
{
	struct entry *entries = must_have(calloc(READINESS_DIRECTIONS * r->count + 1, sizeof *entries));
	uint64_t services = 0, seen = 0;
	size_t count = 0;

	for (size_t i = 0; i < r->count; i++)
		for (int d = 0; d < READINESS_DIRECTIONS; d++) {
			const struct readiness_times *t = &r->fds[i].times[d];

			services += t->services;
			seen += t->seen;
			if (t->seen || t->unserved_ns >= AT_ONCE_NS)
				entries[count++] = (struct entry){&r->fds[i], (enum readiness_direction)d};
		}
	if (count)
		qsort(entries, count, sizeof *entries, by_sum);
	if (!count && !services && !r->lost)
		fputs("Nothing that was watched became ready.\n", to);
	else
		fprintf(to, "%sHow long what was ready waited to be taken%s\n", color(COLOR_HEADING), color(COLOR_END));
	for (size_t i = 0; i < count && i < FDS_SHOWN; i++)
		print_entry(&entries[i], &m->processes[entries[i].fd->process], to);
	print_rest(r, services, seen, count > FDS_SHOWN ? count - FDS_SHOWN : 0, to);
	free(entries);
}
