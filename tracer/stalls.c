/* stalls.c - puts a stall together from what its thread recorded in it, and tells what it was.  */
#include "stalls.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"

enum {
	KEPT_MAX = 1000,                /* of a process */
	SHORT_CALL_NS = 1000000,        /* a call that cannot wait and takes longer is no computing */
	FAULT_NS = 500000,              /* the kernel clears a huge page in it (2 MiB) */
};

static const struct {
	const char *name, *words;
} classes[] = {
#define X(id, name, words) {name, words},
	STALL_CLASSES(X)
#undef X
};

const char *stalls_class_name(enum stall_class class)
{
	return classes[class].name;
}

const char *stalls_class_words(enum stall_class class)
{
	return classes[class].words;
}

static const char *const loops[] = {
#define X(id, name) name,
	TRACE_LOOPS(X)
#undef X
};

const char *stalls_loop_name(unsigned loop)
{
	return loop < TRACE_LOOP_COUNT ? loops[loop] : "unknown";
}

static const char *const locks[] = {
#define X(id, name, words) name,
	TRACE_LOCKS(X)
#undef X
};

const char *stalls_lock_name(unsigned lock)
{
	return lock < TRACE_LOCK_COUNT ? locks[lock] : "unknown";
}

struct stall_open {
	const struct trace *trace;
	struct stall stall;             /* part_ns so far: what has records */
	uint64_t start, end;            /* ticks */
	uint64_t cpu_ns;
	uint64_t short_ns;              /* in short calls, on the CPU or not */
	size_t waits;
	bool last_is_longest;           /* the latest call is the one that is told */
	uint64_t latest_ns, stack_ns;   /* how long the latest wait was, and the one whose stack is kept */
};

static struct stall_open *begin(const struct trace *t, uint32_t tid, unsigned loop, uint64_t start, uint64_t end)
{
	struct stall_open *o = must_have(calloc(1, sizeof *o));

	o->trace = t;
	o->start = start;
	o->end = end;
	o->stall = (struct stall){
		.tid = tid, .loop = loop, .start_ns = reader_ns(t, start), .ns = reader_duration(t, end - start), .holder = -1,
		.fd = STALL_NO_FD,
	};
	return o;
}

struct stall_open *stalls_begin(const struct trace *t, const struct trace_record *away, const struct reader_place *place)
{
	struct stall_open *o = begin(t, place->tid, away->way, away->t, away->t + away->duration);

	o->cpu_ns = (uint64_t)away->number;
	if (place->rest && away[1].kind == TRACE_TEXT)
		memcpy(&o->stall.used, (const char *)&away[1] + 1, sizeof o->stall.used);
	return o;
}

struct stall_open *stalls_unended(const struct trace *t, uint32_t tid, unsigned loop, uint64_t since, uint64_t until)
{
	struct stall_open *o = begin(t, tid, loop, since, until);

	o->stall.unended = true;
	return o;
}

bool stalls_is_over(const struct stall_open *open, uint64_t ticks)
{
	return ticks >= open->end;
}

/* As much of it as lies in the stall.  */
static uint64_t overlap(const struct stall_open *o, uint64_t from, uint64_t to)
{
	if (from < o->start)
		from = o->start;
	if (to > o->end)
		to = o->end;
	return from < to ? reader_duration(o->trace, to - from) : 0;
}

void stalls_lock(struct stall_open *open, const struct trace_record *lock, uint64_t from, uint64_t to)
{
	uint64_t ns = overlap(open, from, to);

	open->stall.part_ns[STALL_LOCK] += ns;
	open->latest_ns = ns;
	open->waits++;
	if (ns <= open->stall.lock_ns)
		return;
	open->stall.lock_ns = ns;
	open->stall.lock = lock->way;
	open->stall.address = (uint64_t)lock->number;
	open->stall.holder = lock->fd;
}

void stalls_call(struct stall_open *open, unsigned call, size_t fd, bool waits, uint64_t from, uint64_t to)
{
	uint64_t ns = overlap(open, from, to);

	if (!waits && ns < SHORT_CALL_NS) {
		open->short_ns += ns;
	} else {
		open->stall.part_ns[STALL_CALL] += ns;
		open->waits++;
	}
	open->latest_ns = ns;
	open->last_is_longest = ns > open->stall.call_ns;
	if (!open->last_is_longest)
		return;
	open->stall.call_ns = ns;
	open->stall.call = call;
	open->stall.fd = fd;
}

void stalls_sleep(struct stall_open *open, uint64_t from, uint64_t to)
{
	open->latest_ns = overlap(open, from, to);
	open->stall.part_ns[STALL_ASLEEP] += open->latest_ns;
	open->waits++;
}

void stalls_polled(struct stall_open *open, size_t fd)
{
	if (open->last_is_longest && open->stall.fd == STALL_NO_FD)
		open->stall.fd = fd;
}

static struct stall_stack read_stack(const struct trace_record *r, const struct reader_place *place)
{
	char text[sizeof(uint64_t) * STALL_FRAMES + 1];
	struct stall_stack s = {.count = reader_text(r, place, text, sizeof text) / sizeof(uint64_t)};

	memcpy(s.frames, text, s.count * sizeof *s.frames);
	return s;
}

void stalls_stack(struct stall_open *open, const struct trace_record *stack, const struct reader_place *place)
{
	struct stall_stacks *s = open->stall.stacks;

	if (!s)
		s = open->stall.stacks = must_have(calloc(1, sizeof *s));
	if (stack->way == TRACE_STACK_SAMPLE) {
		if (s->sample_count < STALL_SAMPLES)
			s->samples[s->sample_count++] = read_stack(stack, place);
	} else if (open->latest_ns > open->stack_ns) {
		open->stack_ns = open->latest_ns;
		s->wait = read_stack(stack, place);
	}
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Time in the kernel that no call explains, where pages were mapped.  */
static uint64_t faults_ns(const struct stall_open *o, uint64_t computing)
{
	uint64_t kernel = least(o->stall.used.system_ns, computing), calls = least(o->short_ns, kernel);

	return least(kernel - calls, ((uint64_t)o->stall.used.minor + o->stall.used.major) * FAULT_NS);
}

/* Off the CPU, and no record says why: as often as it was switched out, waited for a page, or waited otherwise, perhaps in its
 * short calls.  */
static void divide_rest(struct stall_open *o, uint64_t rest)
{
	const struct trace_away *used = &o->stall.used;
	uint64_t known = o->waits + used->major, others = used->voluntary > known ? used->voluntary - known : 0;
	double all = (double)used->involuntary + (double)used->major + (double)others;
	uint64_t *part = o->stall.part_ns, switched = 0, faults = 0, calls;

	if (all > 0) {
		switched = least(rest, (uint64_t)((double)rest * (used->involuntary / all)));
		faults = least(rest - switched, (uint64_t)((double)rest * (used->major / all)));
	}
	calls = least(rest - switched - faults, o->short_ns);
	part[STALL_SWITCHED] += switched;
	part[STALL_FAULTS] += faults;
	part[STALL_CALL] += calls;
	part[STALL_UNSEEN] += rest - switched - faults - calls;
}

/* So that the parts' sum is its length.  Records that overlap (of a handler, in a wait) count up to it.  */
static void divide(struct stall_open *o)
{
	uint64_t *part = o->stall.part_ns, left = o->stall.ns, computing, faults;

	for (size_t c = 0; c < STALL_CLASS_COUNT; c++) {
		part[c] = least(part[c], left);
		left -= part[c];
	}
	computing = least(o->cpu_ns, left);
	faults = faults_ns(o, computing);
	part[STALL_COMPUTING] += computing - faults;
	part[STALL_FAULTS] += faults;
	divide_rest(o, left - computing);
	for (size_t c = 0; c < STALL_CLASS_COUNT; c++)
		if (part[c] > part[o->stall.class])
			o->stall.class = (enum stall_class)c;
}

/* Keeps the longest: a heap, the shortest of them first.  */
static void keep(struct stalls *s, const struct stall *stall)
{
	size_t i = 0, child;

	if (s->kept_count < KEPT_MAX) {
		if ((s->kept_count & (s->kept_count + 1)) == 0)
			s->kept = must_have(realloc(s->kept, 2 * (s->kept_count + 1) * sizeof *s->kept));
		for (i = s->kept_count++; i && s->kept[(i - 1) / 2].ns > stall->ns; i = (i - 1) / 2)
			s->kept[i] = s->kept[(i - 1) / 2];
		s->kept[i] = *stall;
		return;
	}
	if (stall->ns <= s->kept[0].ns) {
		free(stall->stacks);
		return;
	}
	free(s->kept[0].stacks);
	for (; (child = 2 * i + 1) < s->kept_count; i = child) {
		child += child + 1 < s->kept_count && s->kept[child + 1].ns < s->kept[child].ns;
		if (s->kept[child].ns >= stall->ns)
			break;
		s->kept[i] = s->kept[child];
	}
	s->kept[i] = *stall;
}

const struct stall *stalls_end(struct stall_open *open)
{
	divide(open);
	return &open->stall;
}

void stalls_add(struct stalls *s, struct stall_open *open)
{
	const struct stall *stall = &open->stall;

	if (stall->loop > TRACE_LOOP_PARK) {
		s->count++;
		s->ns += stall->ns;
		if (stall->ns > s->longest_ns)
			s->longest_ns = stall->ns;
		for (size_t c = 0; c < STALL_CLASS_COUNT; c++)
			s->part_ns[c] += stall->part_ns[c];
	}
	keep(s, stall);
	free(open);
}

static int by_start(const void *a, const void *b)
{
	const struct stall *x = a, *y = b;

	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

void stalls_close(struct stalls *s)
{
	if (s->kept_count)
		qsort(s->kept, s->kept_count, sizeof *s->kept, by_start);
}

void stalls_free(struct stalls *s)
{
	for (size_t i = 0; i < s->kept_count; i++)
		free(s->kept[i].stacks);
	free(s->kept);
}
