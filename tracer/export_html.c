/* export_html.c - one page for a browser.  It is put together from tracer/page/ when eagain is built; what it shows is one block of
 * base64 in it, which page.js reads in the order in which it is packed here.  So no name is ever part of the page's own text.
 *
 * The trace is gone through twice: to learn how many operations there are of which duration, and to pack them.  Where they are more
 * than a page should hold, the longest are packed one by one, and the others added up by lane and stretch of time.  */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "lanes.h"
#include "line.h"
#include "operations.h"
#include "packing.h"
#include "say.h"
#include "shim/shim.h"

enum {
	FORMAT_VERSION = 1,
	OPERATION_BYTES = 6 << 20,      /* of all that are packed one by one */
	LANES_MOST = 20000,
	FDS_MOST = 20000,
	STALLS_MOST = 2000,
	READY_MOST = 2000,
	FLIGHTS_MOST = 2000,            /* requests of POSIX AIO that are packed one by one; */
	FLIGHT_ROWS = 500, FLIGHT_BINS = 2048,  /* processes that have some, and stretches in which theirs are counted */
	NAME_BYTES = 2 << 20,           /* of all fds, and of all commands */
	NAME_LEAST = 24,
	BINS_MOST = 4096, BINS_LEAST = 32, BINS_TOGETHER = 400000,
	ERRNO_MOST = 133,
};

/* Durations in ns, in buckets that are at most 1/64 wide: by their highest bit, and the six behind it.  */
enum { BUCKET_BITS = 6, BUCKETS = (64 - BUCKET_BITS + 1) << BUCKET_BITS };

/* The page as it is built, and where the data goes.  */
extern const char page_html[];
extern const uint32_t page_html_size;
static const char mark[] = "@DATA@";

struct kept {
	size_t lane;
	uint64_t start_ns;
	size_t offset, size;            /* in `packed` */
};

/* What was too short to be packed, in a stretch of a lane.  */
struct bin {
	uint64_t count, ns[DIRECTION_COUNT];    /* waited; at DIRECTION_NONE: in calls that did not wait */
};

/* A request of POSIX AIO.  */
struct flight {
	size_t row;
	struct request_span span;
	struct request request;
};

/* All of a process.  */
struct flight_row {
	size_t process;
	uint64_t count;
	uint64_t ns[FLIGHT_BINS];       /* in flight, together */
};

struct page {
	const struct trace *trace;
	struct model *model;
	struct lanes lanes;
	size_t lanes_more;
	uint64_t bytes_of[BUCKETS], operations;
	uint64_t shortest_ns;           /* that is packed by itself */
	struct packing packed;
	struct kept *kept;
	size_t kept_count, kept_room;
	uint32_t **fd_row;              /* by process and fd: in the page's table from 1, or 0 */
	size_t fd_count, fd_rows;
	struct bin *bins;               /* of each lane `bin_count` */
	size_t bin_count;
	uint64_t bin_ns, short_count;
	struct operation_stall *stalls;
	size_t stall_count, stalls_all;
	struct readiness_stretch *ready;
	size_t ready_count, ready_all;
	struct flight *flights;
	size_t flight_count, flights_all;
	struct flight_row **flight_rows;
	size_t flight_row_count;
	uint64_t flight_bin_ns;
};

static size_t bucket(uint64_t ns)
{
	unsigned high = ns >> BUCKET_BITS ? 63 - (unsigned)__builtin_clzll(ns) - BUCKET_BITS : 0;

	return ns >> BUCKET_BITS ? ((size_t)high << BUCKET_BITS) + (size_t)(ns >> high) : (size_t)ns;
}

static uint64_t bucket_start(size_t bucket)
{
	size_t high = bucket >> BUCKET_BITS;

	return high < 2 ? bucket : ((uint64_t)(bucket & ((1 << BUCKET_BITS) - 1)) + (1 << BUCKET_BITS)) << (high - 1);
}

enum {
#define CALL(id, name, wait, class, number) + 1
	CALLS = 0
#include "shim/calls.def"
#undef CALL
};

/* Behind the calls come the functions that wait for locks.  */
static const char *const locks[] = {
#define X(id, name, words) name,
	TRACE_LOCKS(X)
#undef X
	"unknown",
};

enum { LOCKS = sizeof locks / sizeof *locks - 1 };

static unsigned lock_number(const char *name)
{
	unsigned i = 0;

	while (i < LOCKS && strcmp(locks[i], name) != 0)
		i++;
	return CALLS + 1 + i;
}

/* What a trace may hold beyond its table is the last of each.  */
static unsigned known(unsigned id, unsigned count)
{
	return id < count ? id : count;
}

/* One operation: all but when it began.  */

enum packed_flag {
	PACKED_WAITED = 1, PACKED_STEPS = 2, PACKED_RETURNED = 4, PACKED_READY = 8, PACKED_ASKED = 16, PACKED_NONBLOCK = 32,
	PACKED_SHIELD = 64, PACKED_DIRECTION_SHIFT = 7, PACKED_WHY_SHIFT = 11, PACKED_LOCK = 1 << 14,
};

static unsigned flags_of(const struct operation *o)
{
	unsigned flags = 0;

	flags |= o->waited_ns || o->lock ? (unsigned)o->direction << PACKED_DIRECTION_SHIFT : 0;
	flags |= o->lock ? PACKED_LOCK : 0;
	flags |= o->waited_ns ? PACKED_WAITED : 0;
	if (o->number)
		flags |= PACKED_STEPS;
	else if (model_is_poll(o->call))
		flags |= (unsigned)o->flags >> TRACE_WHY_SHIFT << PACKED_WHY_SHIFT;
	flags |= o->returned ? PACKED_RETURNED : 0;
	flags |= o->ready_count ? PACKED_READY : 0;
	flags |= o->flags & TRACE_ASKED ? PACKED_ASKED : 0;
	flags |= o->flags & TRACE_NONBLOCK ? PACKED_NONBLOCK : 0;
	return flags | (o->flags & TRACE_SHIELD ? PACKED_SHIELD : 0);
}

static void pack_steps(struct packing *to, const struct operation *o)
{
	uint64_t before = o->start_ns;

	pack_number(to, o->number);
	pack_number(to, o->length);
	pack_number(to, o->step_count);
	pack_number(to, o->steps_more);
	for (size_t i = 0; i < o->step_count; i++) {
		const struct operation_step *s = &o->steps[i];
		bool direct = s->kind == TRACE_READY ? s->events & (POLLIN | POLLOUT) : s->flags & TRACE_WAIT_DIRECT;

		pack_number(to, (uint64_t)s->kind << 2 | (direct ? 2 : 0) | (s->flags & TRACE_PARTIAL ? 1 : 0));
		pack_number(to, s->ns > before ? s->ns - before : 0);
		before = s->ns;
	}
}

static size_t row_of(const struct page *p, size_t process, size_t fd)
{
	return p->fd_row && fd != MODEL_NO_FD && fd < p->model->processes[process].fd_count ? p->fd_row[process][fd] : 0;
}

static void pack_ready(const struct page *p, struct packing *to, const struct operation *o)
{
	pack_number(to, o->ready_count);
	pack_number(to, o->ready_more);
	for (size_t i = 0; i < o->ready_count; i++) {
		pack_number(to, row_of(p, o->process, o->ready[i].fd));
		pack_number(to, o->ready[i].events);
	}
}

static void pack_operation(const struct page *p, struct packing *to, const struct operation *o)
{
	pack_number(to, o->end_ns > o->start_ns ? o->end_ns - o->start_ns : 0);
	pack_number(to, o->lock ? lock_number(o->lock) : known(o->call, CALLS));
	pack_number(to, known(o->way, TRACE_WAY_COUNT));
	pack_number(to, flags_of(o));
	pack_number(to, row_of(p, o->process, o->fd));
	if (o->returned || o->lock)
		pack_signed(to, o->result);
	if (o->waited_ns && o->number) {
		pack_number(to, o->wait_start_ns > o->start_ns ? o->wait_start_ns - o->start_ns : 0);
		pack_number(to, o->wait_end_ns - o->wait_start_ns);
		pack_number(to, o->waited_ns);
	}
	if (o->lock)
		pack_number(to, o->address);
	if (o->number)
		pack_steps(to, o);
	if (o->ready_count)
		pack_ready(p, to, o);
}

static uint64_t duration_of(const struct operation *o)
{
	return o->end_ns > o->start_ns ? o->end_ns - o->start_ns : 0;
}

/* The first pass.  */

static void measure(const struct operation *o, void *arg)
{
	struct page *p = arg;

	p->packed.size = 0;
	pack_operation(p, &p->packed, o);
	p->bytes_of[bucket(duration_of(o))] += p->packed.size;
	p->operations++;
}

static void choose_shortest(struct page *p)
{
	uint64_t bytes = 0;
	size_t shortest = BUCKETS;

	while (shortest && bytes + p->bytes_of[shortest - 1] <= OPERATION_BYTES)
		bytes += p->bytes_of[--shortest];
	p->shortest_ns = bucket_start(shortest);
}

struct fd_place {
	size_t process, fd;
	uint64_t waited, moved, calls;
};

static uint64_t sum(const uint64_t *ns)
{
	return ns[DIRECTION_READ] + ns[DIRECTION_WRITE] + ns[DIRECTION_POLL];
}

static int by_importance(const void *a, const void *b)
{
	const struct fd_place *x = a, *y = b;

	if (x->waited != y->waited)
		return x->waited > y->waited ? -1 : 1;
	if (x->moved != y->moved)
		return x->moved > y->moved ? -1 : 1;
	if (x->calls != y->calls)
		return x->calls > y->calls ? -1 : 1;
	return x->process != y->process ? (x->process < y->process ? -1 : 1) : x->fd < y->fd ? -1 : x->fd > y->fd;
}

/* The fds that were used; the table has those that were waited for longest, or moved most.  */
static void choose_fds(struct page *p)
{
	const struct model *m = p->model;
	struct fd_place *places = NULL;
	size_t room = 0;

	p->fd_row = must_have(calloc(m->process_count + 1, sizeof *p->fd_row));
	for (size_t i = 0; i < m->process_count; i++) {
		p->fd_row[i] = must_have(calloc(m->processes[i].fd_count + 1, sizeof **p->fd_row));
		room += m->processes[i].fd_count;
	}
	places = must_have(malloc((room + 1) * sizeof *places));
	for (size_t i = 0; i < m->process_count; i++)
		for (size_t k = 0; k < m->processes[i].fd_count; k++) {
			const struct model_fd *f = &m->processes[i].fds[k];

			if (f->calls || f->waiting || sum(f->wait_ns))
				places[p->fd_count++] = (struct fd_place){
					i, k, sum(f->wait_ns), f->bytes[DIRECTION_READ] + f->bytes[DIRECTION_WRITE], f->calls};
		}
	qsort(places, p->fd_count, sizeof *places, by_importance);
	for (size_t i = 0; i < p->fd_count && i < FDS_MOST; i++)
		p->fd_row[places[i].process][places[i].fd] = 1;
	free(places);
	for (size_t i = 0; i < m->process_count; i++)
		for (size_t k = 0; k < m->processes[i].fd_count; k++)
			if (p->fd_row[i][k])
				p->fd_row[i][k] = (uint32_t)++p->fd_rows;
}

static void make_bins(struct page *p)
{
	size_t lanes = p->lanes.count + 1, count = BINS_TOGETHER / lanes;

	p->bin_count = count < BINS_LEAST ? BINS_LEAST : count > BINS_MOST ? BINS_MOST : count;
	p->bin_ns = p->model->wall_ns / p->bin_count + 1;
	p->bins = must_have(calloc(lanes * p->bin_count, sizeof *p->bins));
}

/* The second pass.  */

static void add_short(struct page *p, size_t lane, const struct operation *o)
{
	uint64_t waited = o->waited_ns, ns = duration_of(o), at = o->start_ns / p->bin_ns;
	struct bin *b = &p->bins[lane * p->bin_count + (at < p->bin_count ? at : p->bin_count - 1)];

	p->short_count++;
	b->count++;
	b->ns[o->waited_ns ? o->direction : DIRECTION_NONE] += waited;
	b->ns[DIRECTION_NONE] += ns > waited ? ns - waited : 0;
}

static void keep(const struct operation *o, void *arg)
{
	struct page *p = arg;
	size_t lane = lanes_of_thread(&p->lanes, o->process, o->tid), offset = p->packed.size;

	if (lane == LANES_NOWHERE)
		return;
	if (duration_of(o) < p->shortest_ns) {
		add_short(p, lane, o);
		return;
	}
	if (p->kept_count == p->kept_room) {
		p->kept_room = p->kept_room ? p->kept_room * 2 : 4096;
		p->kept = must_have(realloc(p->kept, p->kept_room * sizeof *p->kept));
	}
	pack_operation(p, &p->packed, o);
	p->kept[p->kept_count++] = (struct kept){lane, o->start_ns, offset, p->packed.size - offset};
}

static int by_length(const void *a, const void *b)
{
	const struct operation_stall *x = a, *y = b;
	uint64_t m = x->end_ns - x->start_ns, n = y->end_ns - y->start_ns;

	return m != n ? (m > n ? -1 : 1) : x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

static void keep_stall(const struct operation_stall *s, void *arg)
{
	struct page *p = arg;

	if (lanes_of_thread(&p->lanes, s->process, s->tid) == LANES_NOWHERE)
		return;
	p->stalls_all++;
	if (!p->stalls)
		p->stalls = must_have(calloc(STALLS_MOST, 2 * sizeof *p->stalls));
	if (p->stall_count / 2 == STALLS_MOST) {
		qsort(p->stalls, p->stall_count, sizeof *p->stalls, by_length);
		p->stall_count = STALLS_MOST;
	}
	p->stalls[p->stall_count++] = *s;
}

static int by_distance(const void *a, const void *b)
{
	const struct readiness_stretch *x = a, *y = b;
	uint64_t m = x->end_ns - x->start_ns, n = y->end_ns - y->start_ns;

	return m != n ? (m > n ? -1 : 1) : x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

static void keep_ready(const struct readiness_stretch *r, void *arg)
{
	struct page *p = arg;

	if (lanes_of_ready(&p->lanes, r) == LANES_NOWHERE)
		return;
	p->ready_all++;
	if (!p->ready)
		p->ready = must_have(calloc(READY_MOST, 2 * sizeof *p->ready));
	if (p->ready_count / 2 == READY_MOST) {
		qsort(p->ready, p->ready_count, sizeof *p->ready, by_distance);
		p->ready_count = READY_MOST;
	}
	p->ready[p->ready_count++] = *r;
}

static int by_flight(const void *a, const void *b)
{
	const struct flight *x = a, *y = b;
	uint64_t m = x->span.end_ns - x->span.start_ns, n = y->span.end_ns - y->span.start_ns;

	return m != n ? (m > n ? -1 : 1) : x->span.start_ns < y->span.start_ns ? -1 : x->span.start_ns > y->span.start_ns;
}

/* Requests come process by process.  */
static struct flight_row *row_of_flight(struct page *p, const struct request_span *s)
{
	size_t process = (size_t)(s->process - p->model->processes);
	struct flight_row *row = p->flight_rows && p->flight_row_count ? p->flight_rows[p->flight_row_count - 1] : NULL;

	if (row && row->process == process)
		return row;
	if (p->flight_row_count == FLIGHT_ROWS)
		return NULL;
	if (!p->flight_rows)
		p->flight_rows = must_have(calloc(FLIGHT_ROWS, sizeof(struct flight_row *)));
	row = must_have(calloc(1, sizeof *row));
	row->process = process;
	return p->flight_rows[p->flight_row_count++] = row;
}

static void spread_flight(const struct page *p, struct flight_row *row, uint64_t start, uint64_t end)
{
	while (start < end) {
		uint64_t bin = start / p->flight_bin_ns, next = (bin + 1) * p->flight_bin_ns;

		if (bin >= FLIGHT_BINS)
			return;
		next = next < end ? next : end;
		row->ns[bin] += next - start;
		start = next;
	}
}

static void keep_flight(const struct request_span *s, void *arg)
{
	struct page *p = arg;
	struct flight_row *row = row_of_flight(p, s);

	p->flights_all++;
	if (!row)
		return;
	row->count++;
	spread_flight(p, row, s->start_ns, s->end_ns);
	if (!p->flights)
		p->flights = must_have(calloc(FLIGHTS_MOST, 2 * sizeof *p->flights));
	if (p->flight_count / 2 == FLIGHTS_MOST) {
		qsort(p->flights, p->flight_count, sizeof *p->flights, by_flight);
		p->flight_count = FLIGHTS_MOST;
	}
	p->flights[p->flight_count++] = (struct flight){p->flight_row_count - 1, *s, *s->request};
}

static int by_lane(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	if (x->lane != y->lane)
		return x->lane < y->lane ? -1 : 1;
	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* What the page is told, in the order in which page.js reads it.  */

static void pack_names(struct packing *to)
{
	static const unsigned char classes[CALLS + 1] = {
#define CALL(id, name, wait, class, number) OP_##class,
#include "shim/calls.def"
#undef CALL
	};

	pack_number(to, CALLS + 1 + LOCKS + 1);
	for (unsigned i = 0; i <= CALLS; i++) {
		pack_text(to, model_call_name(i), SIZE_MAX);
		pack_number(to, model_call_direction(i));
		pack_number(to, classes[i] == OP_ACCEPT ? 1 : classes[i] == OP_CONNECT ? 2 : classes[i] == OP_OTHER ? 3 : 0);
	}
	for (unsigned i = 0; i <= LOCKS; i++) {
		pack_text(to, locks[i], SIZE_MAX);
		pack_number(to, DIRECTION_LOCK);
		pack_number(to, 0);
	}
	pack_number(to, TRACE_WAY_COUNT + 1);
	for (unsigned i = 0; i <= TRACE_WAY_COUNT; i++)
		pack_text(to, model_way_name(i), SIZE_MAX);
	pack_number(to, TRACE_WHY_COUNT + 1);
	for (unsigned i = 0; i <= TRACE_WHY_COUNT; i++)
		pack_text(to, model_why_words(i), SIZE_MAX);
	pack_number(to, KIND_COUNT + 1);
	for (unsigned i = 0; i <= KIND_COUNT; i++)
		pack_text(to, model_kind_name(i), SIZE_MAX);
	pack_number(to, ERRNO_MOST);
	for (unsigned i = 0; i < ERRNO_MOST; i++)
		pack_text(to, line_errno_name(i) ? line_errno_name(i) : "", SIZE_MAX);
}

static void pack_trace(struct packing *to, const struct page *p)
{
	const struct model *m = p->model;

	pack_number(to, FORMAT_VERSION);
	pack_number(to, m->wall_ns);
	pack_number(to, p->trace->control.start_realtime_ns / 1000000);
	pack_number(to, m->events);
	pack_number(to, m->lost);
	pack_number(to, m->dropped);
	pack_number(to, p->trace->control.lost_processes);
	pack_number(to, p->trace->unread_count);
	pack_number(to, m->vanished);
	pack_number(to, p->operations);
	pack_number(to, p->short_count);
	pack_number(to, p->shortest_ns);
	pack_number(to, p->lanes_more);
	pack_number(to, p->fd_count - p->fd_rows);
	pack_number(to, p->stalls_all);
	pack_number(to, DIRECTION_COUNT);
}

static size_t name_most(size_t count)
{
	size_t most = NAME_BYTES / (count + 1);

	return most < NAME_LEAST ? NAME_LEAST : most;
}

static void pack_process(struct packing *to, const struct page *p, const struct model_process *process)
{
	const struct model *m = p->model;

	pack_number(to, process->pid);
	pack_number(to, process->ppid);
	pack_text(to, process->command, name_most(m->process_count));
	pack_number(to, process->previous ? (size_t)(process->previous - m->processes) + 1 : 0);
	pack_number(to, process->start_ns);
	pack_number(to, process->end_ns);
	pack_optional(to, process->cpu_ns, MODEL_UNKNOWN);
	pack_optional(to, process->exit_status < 0 ? UINT64_MAX : (uint64_t)process->exit_status, UINT64_MAX);
	pack_optional(to, process->signal < 0 ? UINT64_MAX : (uint64_t)process->signal, UINT64_MAX);
	pack_number(to, process->thread_count);
	for (size_t d = DIRECTION_NONE + 1; d < DIRECTION_COUNT; d++)
		pack_number(to, process->wait_ns[d]);
}

static void pack_lane(struct packing *to, const struct page *p, const struct lane *lane)
{
	pack_number(to, (size_t)(lane->last - p->model->processes));
	pack_number(to, lane->tid);
	pack_text(to, lane->name, SIZE_MAX);
	pack_number(to, lane->start_ns);
	pack_number(to, lane->end_ns > lane->start_ns ? lane->end_ns - lane->start_ns : 0);
	pack_optional(to, lane->cpu_ns, MODEL_UNKNOWN);
	pack_number(to, lanes_is_lost(lane));
	for (size_t d = DIRECTION_NONE + 1; d < DIRECTION_COUNT; d++)
		pack_number(to, lane->wait_ns[d]);
}

static void pack_fd(struct packing *to, const struct page *p, size_t process, const struct model_fd *f)
{
	unsigned others;
	const struct model_process *peer = model_peer(p->model, &p->model->processes[process], f, &others);

	pack_number(to, process);
	pack_optional(to, f->many ? UINT64_MAX : (unsigned)f->fd, UINT64_MAX);
	pack_number(to, known(f->kind, KIND_COUNT));
	pack_number(to, known(f->way, TRACE_WAY_COUNT));
	pack_text(to, f->name ? f->name : "?", name_most(p->fd_rows));
	pack_number(to, peer ? (size_t)(peer - p->model->processes) + 1 : 0);
	pack_number(to, peer ? others : 0);
	pack_number(to, f->calls);
	pack_number(to, f->would_block);
	pack_number(to, f->bytes[DIRECTION_READ]);
	pack_number(to, f->bytes[DIRECTION_WRITE]);
	pack_number(to, f->wait_ns[DIRECTION_READ]);
	pack_number(to, f->wait_ns[DIRECTION_WRITE]);
	pack_number(to, f->wait_ns[DIRECTION_POLL]);
	pack_number(to, f->longest_ns);
	pack_number(to, (f->waiting ? 1 : 0) | (f->listens ? 2 : 0));
}

static void pack_fds(struct packing *to, const struct page *p)
{
	pack_number(to, p->fd_rows);
	for (size_t i = 0; i < p->model->process_count; i++)
		for (size_t k = 0; k < p->model->processes[i].fd_count; k++)
			if (p->fd_row[i][k])
				pack_fd(to, p, i, &p->model->processes[i].fds[k]);
}

/* By lane: how many, and each with the time since the one before began.  */
static void pack_operations(struct packing *to, const struct page *p)
{
	size_t at = 0;

	for (size_t lane = 0; lane < p->lanes.count; lane++) {
		size_t end = at;
		uint64_t before = 0;

		while (end < p->kept_count && p->kept[end].lane == lane)
			end++;
		pack_number(to, end - at);
		for (; at < end; at++) {
			pack_number(to, p->kept[at].start_ns - before);
			pack_bytes(to, p->packed.bytes + p->kept[at].offset, p->kept[at].size);
			before = p->kept[at].start_ns;
		}
	}
}

static void pack_bins(struct packing *to, const struct page *p, size_t lane)
{
	const struct bin *bins = p->bins + lane * p->bin_count;
	size_t count = 0, before = 0;

	for (size_t i = 0; i < p->bin_count; i++)
		count += bins[i].count != 0;
	pack_number(to, count);
	for (size_t i = 0; i < p->bin_count; i++) {
		unsigned used = 0;

		if (!bins[i].count)
			continue;
		for (unsigned d = 0; d < DIRECTION_COUNT; d++)
			used |= bins[i].ns[d] ? 1u << d : 0;
		pack_number(to, i - before);
		pack_number(to, bins[i].count);
		pack_number(to, used);
		for (unsigned d = 0; d < DIRECTION_COUNT; d++)
			if (bins[i].ns[d])
				pack_number(to, bins[i].ns[d]);
		before = i;
	}
}

static void pack_stall(struct packing *to, const struct page *p, const struct operation_stall *s)
{
	pack_number(to, lanes_of_thread(&p->lanes, s->process, s->tid));
	pack_number(to, s->start_ns);
	pack_number(to, s->end_ns - s->start_ns);
	pack_optional(to, s->cpu_ns, MODEL_UNKNOWN);
	for (size_t d = DIRECTION_NONE + 1; d < DIRECTION_COUNT; d++)
		pack_number(to, s->wait_ns[d]);
	pack_number(to, s->longest_ns);
	pack_number(to, known(s->call, CALLS));
	pack_number(to, row_of(p, s->process, s->fd));
}

static void pack_readiness(struct packing *to, const struct page *p, const struct readiness_stretch *r)
{
	pack_number(to, lanes_of_ready(&p->lanes, r));
	pack_number(to, row_of(p, (size_t)(r->process - p->model->processes), r->fd));
	pack_number(to, r->start_ns);
	pack_number(to, r->end_ns - r->start_ns);
	pack_number(to, (r->direction == READINESS_WRITE ? 1 : 0) | (r->late ? 2 : 0) | (r->tid ? 4 : 0));
}

enum { FLIGHT_OPEN = 1, FLIGHT_BLOCKS = 2, FLIGHT_DIRECT = 4, FLIGHT_LIST = 8 };

static void pack_flight(struct packing *to, const struct page *p, const struct flight *f)
{
	const struct request *q = &f->request;

	pack_number(to, f->row);
	pack_number(to, row_of(p, (size_t)(f->span.process - p->model->processes), f->span.fd));
	pack_number(to, q->op);
	pack_number(to, known(q->call, CALLS));
	pack_number(to, f->span.start_ns);
	pack_number(to, f->span.end_ns - f->span.start_ns);
	pack_number(to, (f->span.open ? FLIGHT_OPEN : 0) | (q->blocked || (q->flags & TRACE_REQUEST_BLOCKS) ? FLIGHT_BLOCKS : 0) |
			(q->flags & TRACE_DIRECT ? FLIGHT_DIRECT : 0) | (q->list ? FLIGHT_LIST : 0));
	pack_number(to, q->length);
	pack_signed(to, q->offset);
	pack_signed(to, q->result);
	pack_number(to, q->ran ? reader_duration(p->trace, q->completed - q->ran) : 0);
}

static void pack_flight_row(struct packing *to, const struct flight_row *row)
{
	size_t count = 0, before = 0;

	pack_number(to, row->process);
	pack_number(to, row->count);
	for (size_t i = 0; i < FLIGHT_BINS; i++)
		count += row->ns[i] != 0;
	pack_number(to, count);
	for (size_t i = 0; i < FLIGHT_BINS; i++) {
		if (!row->ns[i])
			continue;
		pack_number(to, i - before);
		pack_number(to, row->ns[i]);
		before = i;
	}
}

static void pack_flights(struct packing *to, const struct page *p)
{
	pack_number(to, p->flight_bin_ns);
	pack_number(to, p->flight_row_count);
	for (size_t i = 0; i < p->flight_row_count; i++)
		pack_flight_row(to, p->flight_rows[i]);
	pack_number(to, p->flights_all);
	pack_number(to, p->flight_count);
	for (size_t i = 0; i < p->flight_count; i++)
		pack_flight(to, p, &p->flights[i]);
}

static void pack_all(struct packing *to, const struct page *p)
{
	pack_trace(to, p);
	pack_names(to);
	pack_number(to, p->model->process_count);
	for (size_t i = 0; i < p->model->process_count; i++)
		pack_process(to, p, &p->model->processes[i]);
	pack_number(to, p->lanes.count);
	for (size_t i = 0; i < p->lanes.count; i++)
		pack_lane(to, p, &p->lanes.lanes[i]);
	pack_fds(to, p);
	pack_number(to, p->kept_count);
	pack_operations(to, p);
	pack_number(to, p->bin_ns);
	for (size_t i = 0; i < p->lanes.count; i++)
		pack_bins(to, p, i);
	pack_number(to, p->stall_count);
	for (size_t i = 0; i < p->stall_count; i++)
		pack_stall(to, p, &p->stalls[i]);
	/* Where nobody looked (--readiness), it is not known that there was none. */
	pack_optional(to, p->trace->observed_count ? p->ready_all : UINT64_MAX, UINT64_MAX);
	pack_number(to, p->ready_count);
	for (size_t i = 0; i < p->ready_count; i++)
		pack_readiness(to, p, &p->ready[i]);
	pack_flights(to, p);
}

static void print_page(const struct page *p, FILE *to)
{
	const char *at = memmem(page_html, page_html_size, mark, sizeof mark - 1);
	size_t before = (size_t)(at - page_html), after = before + sizeof mark - 1;
	struct packing all = {0};

	pack_all(&all, p);
	fwrite(page_html, 1, before, to);
	packing_print(&all, to);
	fwrite(page_html + after, 1, page_html_size - after, to);
	packing_free(&all);
}

static void free_page(struct page *p)
{
	for (size_t i = 0; i < p->model->process_count; i++)
		free(p->fd_row[i]);
	free(p->fd_row);
	free(p->bins);
	free(p->kept);
	free(p->stalls);
	free(p->ready);
	free(p->flights);
	for (size_t i = 0; i < p->flight_row_count; i++)
		free(p->flight_rows[i]);
	free(p->flight_rows);
	packing_free(&p->packed);
	lanes_free(&p->lanes);
	model_free(p->model);
}

void html_print(struct trace *t, FILE *to)
{
	struct page p = {.trace = t};

	p.model = operations_each(t, &(struct operation_visitor){measure, NULL, &p});
	choose_shortest(&p);
	lanes_make(&p.lanes, t, p.model, false);
	lanes_leave_threads(&p.lanes);
	p.lanes_more = lanes_choose(&p.lanes, &(struct stretch){.to_ns = p.model->wall_ns}, LANES_MOST);
	choose_fds(&p);
	make_bins(&p);
	p.packed.size = 0;
	model_free(operations_each(t, &(struct operation_visitor){keep, keep_stall, &p}));
	if (p.kept_count)
		qsort(p.kept, p.kept_count, sizeof *p.kept, by_lane);
	if (p.stall_count)
		qsort(p.stalls, p.stall_count, sizeof *p.stalls, by_length);
	if (p.stall_count > STALLS_MOST)
		p.stall_count = STALLS_MOST;
	readiness_each(t, p.model, keep_ready, &p);
	if (p.ready_count)
		qsort(p.ready, p.ready_count, sizeof *p.ready, by_distance);
	if (p.ready_count > READY_MOST)
		p.ready_count = READY_MOST;
	p.flight_bin_ns = p.model->wall_ns / FLIGHT_BINS + 1;
	requests_each(t, p.model, keep_flight, &p);
	if (p.flight_count)
		qsort(p.flights, p.flight_count, sizeof *p.flights, by_flight);
	if (p.flight_count > FLIGHTS_MOST)
		p.flight_count = FLIGHTS_MOST;
	print_page(&p, to);
	free_page(&p);
}
