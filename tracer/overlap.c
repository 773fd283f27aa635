/* overlap.c - goes through each process's time once, from moment to moment at which something changes: a thread begins, waits, goes
 * on, or ends; a request is submitted, or over.
 *
 * What a process did is added up from its beginning on.  How much of it lies in a stretch in which something was in flight is the
 * difference between its ends.  */
#include "overlap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "color.h"
#include "histogram.h"
#include "jsontext.h"
#include "requests.h"
#include "say.h"
#include "screen.h"
#include "shim/shim.h"
#include "timers.h"

enum {
	FILES_MAX = 1024,               /* names that are told apart; later ones are put together */
	FILES_SHOWN = 10,
};

enum timer_type { BEGINS, GOES_ON, ENDS };

struct thread {
	const struct model_thread *of;
	struct timer life, wait;
	bool alive;
	enum direction waits;           /* for that, or DIRECTION_NONE */
};

/* What the process did, up to a moment.  */
struct doing {
	uint64_t ns, computed_ns, waited_ns;
};

/* Those of one file, or of all, that are in flight.  */
struct flight {
	uint64_t count;
	struct doing since;
};

struct pass {
	const struct trace *trace;
	const struct model *model;
	struct overlap *result;
	/* The process in hand.  */
	size_t index;
	const struct model_process *process;    /* NULL: none */
	struct thread *threads;                 /* by tid */
	size_t thread_count;
	struct timers timers;
	uint64_t computing, waiting;            /* threads that do */
	struct doing now;
	struct requests requests;
	size_t *rows;                           /* of its fds: index of the file + 1, or 0 */
	struct flight all, files[FILES_MAX];
	struct model_wait wait;                 /* of the record in hand */
};

/* A process's time.  */

static void account(struct pass *p, uint64_t ns)
{
	if (ns <= p->now.ns)
		return;
	if (p->computing)
		p->now.computed_ns += ns - p->now.ns;
	else if (p->waiting)
		p->now.waited_ns += ns - p->now.ns;
	p->now.ns = ns;
}

static void count(struct pass *p, const struct thread *t, int by)
{
	if (t->alive && t->waits == DIRECTION_NONE)
		p->computing += (uint64_t)by;
	else if (t->alive && t->waits == DIRECTION_REQUEST)
		p->waiting += (uint64_t)by;
}

static void set(struct pass *p, struct thread *t, bool alive, enum direction waits)
{
	count(p, t, -1);
	t->alive = alive;
	t->waits = waits;
	count(p, t, 1);
}

static void fire(struct pass *p, struct timer *timer)
{
	struct thread *t = timer->type == GOES_ON ? (struct thread *)((char *)timer - offsetof(struct thread, wait)) :
						    (struct thread *)((char *)timer - offsetof(struct thread, life));

	switch (timer->type) {
	case BEGINS:
		set(p, t, true, t->waits);
		t->life.type = ENDS;
		timers_set(&p->timers, &t->life, t->of->tid == p->process->pid ? p->process->end_ns : t->of->end_ns);
		break;
	case ENDS:
		set(p, t, false, t->waits);
		timers_clear(&p->timers, timer);
		break;
	default:
		set(p, t, t->alive, DIRECTION_NONE);
		timers_clear(&p->timers, timer);
		break;
	}
}

static void advance(struct pass *p, uint64_t ns)
{
	struct timer *first;

	while ((first = timers_first(&p->timers)) && first->at <= ns) {
		account(p, first->at);
		fire(p, first);
	}
	account(p, ns);
}

static struct thread *find_thread(const struct pass *p, uint32_t tid)
{
	size_t low = 0, high = p->thread_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (p->threads[middle].of->tid < tid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < p->thread_count && p->threads[low].of->tid == tid ? &p->threads[low] : NULL;
}

static void begin_wait(struct pass *p, struct thread *t, enum direction waits, uint64_t end_ns)
{
	set(p, t, t->alive, waits);
	if (end_ns)
		timers_set(&p->timers, &t->wait, end_ns > p->now.ns ? end_ns : p->now.ns);
	else
		timers_clear(&p->timers, &t->wait);
}

/* Of those that have records of their beginning and of their end, all that its thread does ends it.  */
static void see_thread(struct pass *p, struct thread *t, const struct trace_record *r)
{
	enum direction d = model_call_direction(r->call);
	bool has_wait = p->wait.end_ns && p->wait.start_ns == reader_ns(p->trace, r->t);

	if (t->waits != DIRECTION_NONE && !t->wait.place)
		set(p, t, t->alive, DIRECTION_NONE);
	if (r->kind == TRACE_PARK || (r->kind == TRACE_ENTER && d != DIRECTION_NONE))
		begin_wait(p, t, d, 0);
	else if (r->kind == TRACE_LOCK && !r->duration)
		begin_wait(p, t, DIRECTION_LOCK, 0);
	else if ((r->kind == TRACE_CALL || r->kind == TRACE_LOCK) && has_wait)
		begin_wait(p, t, p->wait.direction, p->wait.end_ns);
}

/* Requests.  */

static size_t find_row(struct pass *p, const char *name)
{
	struct overlap *o = p->result;

	for (size_t i = 0; i < o->count; i++)
		if (!strcmp(o->files[i].name, name))
			return i;
	if (o->count == FILES_MAX)
		return FILES_MAX - 1;
	o->files[o->count].name = must_have(strdup(o->count == FILES_MAX - 1 ? "more files" : name));
	return o->count++;
}

static size_t row_of(struct pass *p, size_t fd)
{
	const struct model_fd *f = &p->process->fds[fd];

	if (!p->rows[fd])
		p->rows[fd] = find_row(p, f->name ? f->name : "?") + 1;
	return p->rows[fd] - 1;
}

static enum overlap_what what_of(const struct request *q)
{
	return q->call == CALL_aio_read ? OVERLAP_READ : q->call == CALL_aio_write ? OVERLAP_WRITE : OVERLAP_SYNC;
}

static void take_off(const struct pass *p, struct flight *f, struct overlap_times *t, const struct request *q)
{
	t->requests[what_of(q)]++;
	if (!f->count++)
		f->since = p->now;
	if (f->count > t->most)
		t->most = f->count;
}

static void land(const struct pass *p, struct flight *f, struct overlap_times *t, const struct request *q)
{
	uint64_t ns = q->completed > q->submitted ? reader_duration(p->trace, q->completed - q->submitted) : 0;

	if (!--f->count) {
		t->flight_ns += p->now.ns - f->since.ns;
		t->computed_ns += p->now.computed_ns - f->since.computed_ns;
		t->waited_ns += p->now.waited_ns - f->since.waited_ns;
	}
	if (!q->completed) {
		t->open++;
		return;
	}
	t->completed++;
	t->sum_ns += ns;
	if (ns > t->max_ns)
		t->max_ns = ns;
	histogram_add(&t->buckets, ns);
	if (q->result > 0 && what_of(q) != OVERLAP_SYNC)
		t->bytes[what_of(q)] += (uint64_t)q->result;
	t->canceled += q->result == -ECANCELED;
	t->failed += q->result < 0 && q->result != -ECANCELED;
}

/* Its fd, where that is not known, has no row.  */
static void land_all(struct pass *p, const struct request *q)
{
	if (q->index == SIZE_MAX)
		return;
	land(p, &p->all, &p->result->all, q);
	land(p, &p->files[q->index], &p->result->files[q->index].times, q);
}

static void forget(struct request *q, void *arg)
{
	if (!q->completed)
		land_all(arg, q);
}

static void see_request(struct pass *p, const struct trace_record *r, const struct reader_place *place, size_t fd)
{
	struct request *q = requests_see(&p->requests, r, place);

	if (!q)
		return;
	if (r->way == TRACE_REQUEST_SUBMITTED && fd < p->process->fd_count) {
		q->index = row_of(p, fd);
		take_off(p, &p->all, &p->result->all, q);
		take_off(p, &p->files[q->index], &p->result->files[q->index].times, q);
	} else if (r->way == TRACE_REQUEST_COMPLETED) {
		land_all(p, q);
	} else if (r->way == TRACE_REQUEST_COLLECTED) {
		forget(q, p);
		requests_forget(&p->requests, q);
	}
}

/* The pass.  */

static void end_process(struct pass *p)
{
	if (!p->process)
		return;
	advance(p, p->process->end_ns);
	requests_end(&p->requests);
	free(p->timers.heap);
	free(p->threads);
	free(p->rows);
	p->process = NULL;
}

static void begin_process(struct pass *p, size_t index)
{
	const struct model_process *process = &p->model->processes[index];

	end_process(p);
	p->index = index;
	p->process = process;
	p->timers = (struct timers){0};
	p->computing = p->waiting = 0;
	p->now = (struct doing){.ns = process->start_ns};
	p->rows = must_have(calloc(process->fd_count + 1, sizeof *p->rows));
	p->thread_count = process->thread_count;
	p->threads = must_have(calloc(p->thread_count + 1, sizeof *p->threads));
	for (size_t i = 0; i < p->thread_count; i++) {
		struct thread *t = &p->threads[i];

		t->of = &process->threads[i];
		t->life.type = BEGINS;
		t->wait.type = GOES_ON;
		timers_set(&p->timers, &t->life, t->of->tid == process->pid ? process->start_ns : t->of->start_ns);
	}
}

static void see_wait(const struct model_wait *w, void *arg)
{
	struct pass *p = arg;

	if (!w->polled && !w->left)
		p->wait = *w;
}

static void see(const struct trace_record *r, const struct reader_place *place, const struct model_process *process, size_t fd,
		void *arg)
{
	struct pass *p = arg;
	size_t index = (size_t)(place->file - p->trace->files);
	struct thread *t;

	(void)process;
	if (!p->process || p->index != index)
		begin_process(p, index);
	if (!p->process->requests)
		return;
	advance(p, reader_ns(p->trace, r->t));
	t = place->own ? NULL : find_thread(p, place->tid);
	if (t)
		see_thread(p, t, r);
	p->wait.end_ns = 0;
	if (r->kind == TRACE_REQUEST && !place->hidden)
		see_request(p, r, place, fd);
}

static int by_flight(const void *a, const void *b)
{
	const struct overlap_file *x = a, *y = b;

	if (x->times.flight_ns != y->times.flight_ns)
		return x->times.flight_ns > y->times.flight_ns ? -1 : 1;
	return strcmp(x->name, y->name);
}

static bool has_requests(const struct model *m)
{
	for (size_t i = 0; i < m->process_count; i++)
		if (m->processes[i].requests)
			return true;
	return false;
}

struct overlap *overlap_read(const struct trace *t, const struct model *m)
{
	struct overlap *o;
	struct pass *p;

	if (!has_requests(m))
		return NULL;
	o = must_have(calloc(1, sizeof *o));
	o->files = must_have(calloc(FILES_MAX, sizeof *o->files));
	p = must_have(calloc(1, sizeof *p));
	p->trace = t;
	p->model = m;
	p->result = o;
	p->requests.forgets = forget;
	p->requests.arg = p;
	model_free(model_build_seen(t, see_wait, see, p));
	end_process(p);
	free(p);
	qsort(o->files, o->count, sizeof *o->files, by_flight);
	return o;
}

void overlap_free(struct overlap *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->count; i++) {
		free(o->files[i].name);
		free(o->files[i].times.buckets);
	}
	free(o->all.buckets);
	free(o->files);
	free(o);
}

/* The report.  */

#define INDENT "             "

/* "12 reads of 48.0 KiB, 1 sync".  */
static void print_counts(const struct overlap_times *t, FILE *to)
{
	static const char *const words[OVERLAP_WHATS] = {"read", "write", "sync"};
	const char *divider = "";
	char text[16];

	for (int i = 0; i < OVERLAP_WHATS; i++) {
		if (!t->requests[i])
			continue;
		fprintf(to, "%s%" PRIu64 " %s%s", divider, t->requests[i], words[i], t->requests[i] == 1 ? "" : "s");
		if (i != OVERLAP_SYNC)
			fprintf(to, " of %s", amount(t->bytes[i], text));
		divider = ", ";
	}
	if (t->failed)
		fprintf(to, ", %" PRIu64 " failed", t->failed);
	if (t->canceled)
		fprintf(to, ", %" PRIu64 " canceled", t->canceled);
	if (t->open)
		fprintf(to, ", %" PRIu64 " not over at the end", t->open);
}

static double share(uint64_t part, uint64_t all)
{
	return all ? (double)part * 100 / (double)all : 0;
}

/* "50% within 1.2 ms, 99% 3.4 ms, longest 3.5 ms; at most 32 in flight, 14.2 on average".  */
static void print_lengths(const struct overlap_times *t, FILE *to)
{
	char a[16], b[16], c[16];

	if (t->completed)
		fprintf(to, "50%% within %s, 99%% %s, longest %s; ",
			duration(histogram_percentile(t->buckets, t->completed, t->max_ns, 50), a),
			duration(histogram_percentile(t->buckets, t->completed, t->max_ns, 99), b), duration(t->max_ns, c));
	fprintf(to, "at most %" PRIu64 " in flight", t->most);
	if (t->completed && t->flight_ns)
		fprintf(to, ", %.1f on average", (double)t->sum_ns / (double)t->flight_ns);
}

/* "in flight for 5.6 ms: meanwhile computed 1.2 ms (21 %), waited for it 4.4 ms".  */
static void print_overlap(const struct overlap_times *t, FILE *to)
{
	char text[16];

	fprintf(to, "%.0f %% of that time overlapped by computing", share(t->computed_ns, t->flight_ns));
	fprintf(to, " (%s)", duration(t->computed_ns, text));
	if (t->waited_ns)
		fprintf(to, ", %.0f %% spent waiting for it (%s)", share(t->waited_ns, t->flight_ns), duration(t->waited_ns, text));
}

static void print_file(const struct overlap_file *f, FILE *to)
{
	char text[16];

	fprintf(to, "  %s%9s%s  %s%s%s\n%s" INDENT, color(COLOR_WAIT), duration(f->times.flight_ns, text), color(COLOR_END),
		color(COLOR_NAME), f->name, color(COLOR_END), color(COLOR_DETAIL));
	print_counts(&f->times, to);
	fputs("\n" INDENT, to);
	print_lengths(&f->times, to);
	fputs("\n" INDENT, to);
	print_overlap(&f->times, to);
	fprintf(to, "%s\n", color(COLOR_END));
}

void overlap_print(const struct overlap *o, FILE *to)
{
	char text[16];

	fprintf(to, "%sAsynchronous I/O%s: ", color(COLOR_HEADING), color(COLOR_END));
	print_counts(&o->all, to);
	fputs("\n  ", to);
	print_lengths(&o->all, to);
	fprintf(to, "\n  in flight for %s, ", duration(o->all.flight_ns, text));
	print_overlap(&o->all, to);
	fputc('\n', to);
	for (size_t i = 0; i < o->count && i < FILES_SHOWN && o->count > 1; i++)
		print_file(&o->files[i], to);
	if (o->count == 1)
		fprintf(to, "  all on %s%s%s\n", color(COLOR_NAME), o->files->name, color(COLOR_END));
	else if (o->count > FILES_SHOWN)
		fprintf(to, INDENT "and %zu more file%s\n", o->count - FILES_SHOWN, o->count - FILES_SHOWN == 1 ? "" : "s");
	fputc('\n', to);
}

static void json_percentile(const struct overlap_times *t, unsigned percent, FILE *to)
{
	fprintf(to, ",\"p%u_ns\":", percent);
	if (t->completed)
		fprintf(to, "%" PRIu64, histogram_percentile(t->buckets, t->completed, t->max_ns, percent));
	else
		fputs("null", to);
}

static void json_times(const struct overlap_times *t, FILE *to)
{
	static const char *const names[OVERLAP_WHATS] = {"reads", "writes", "syncs"};

	for (int i = 0; i < OVERLAP_WHATS; i++)
		fprintf(to, "\"%s\":%" PRIu64 ",", names[i], t->requests[i]);
	fprintf(to, "\"bytes_read\":%" PRIu64 ",\"bytes_written\":%" PRIu64 ",\"completed\":%" PRIu64 ",\"failed\":%" PRIu64
		",\"canceled\":%" PRIu64 ",\"open\":%" PRIu64, t->bytes[OVERLAP_READ], t->bytes[OVERLAP_WRITE], t->completed,
		t->failed, t->canceled, t->open);
	json_percentile(t, 50, to);
	json_percentile(t, 90, to);
	json_percentile(t, 99, to);
	fprintf(to, ",\"max_ns\":%" PRIu64 ",\"sum_ns\":%" PRIu64 ",\"most_in_flight\":%" PRIu64 ",\"in_flight_ns\":%" PRIu64
		",\"computed_ns\":%" PRIu64 ",\"waited_ns\":%" PRIu64, t->max_ns, t->sum_ns, t->most, t->flight_ns, t->computed_ns,
		t->waited_ns);
}

void overlap_print_json(const struct overlap *o, FILE *to)
{
	if (!o) {
		fputs("null", to);
		return;
	}
	fputs("{\"total\":{", to);
	json_times(&o->all, to);
	fputs("},\"files\":[", to);
	for (size_t i = 0; i < o->count; i++) {
		fputs(i ? ",\n{\"name\":" : "{\"name\":", to);
		jsontext_print(o->files[i].name, to);
		fputc(',', to);
		json_times(&o->files[i].times, to);
		fputc('}', to);
	}
	fputs("]}", to);
}
