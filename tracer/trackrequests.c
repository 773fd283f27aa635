/* trackrequests.c - rows of requests in flight.  Those of one fd overlap: each has a row for itself while it is in flight, and all
 * rows of an fd have one name, by which viewers put them together.  */
#include "trackrequests.h"

#include <stdio.h>
#include <stdlib.h>

#include "line.h"
#include "model.h"
#include "say.h"

enum { FLIGHTS_MAX = 4096 };            /* rows of a process; what would be on more is not shown */

struct flight {
	struct lane *lane;              /* or NULL */
	struct fd *fd;                  /* or NULL */
	struct wire_source from;        /* its submission */
	bool over;
};

static struct lane *make_row(struct walk *w, struct process *p, const struct fd *f)
{
	struct lane *l;

	if (p->flight_count == FLIGHTS_MAX)
		return NULL;
	p->flight_count++;
	l = must_have(calloc(1, sizeof *l));
	if (f && asprintf(&l->name, "fd %d %s: requests", f->number, f->name) < 0)
		must_have(NULL);
	l->track = (struct track){
		.id = walk_track_id(w, p), .type = TRACK_REQUESTS, .process = &p->track, .pid = p->track.pid, .tid = p->track.pid,
		.rank = p->flight_count, .name = l->name ? l->name : "requests",
	};
	w->sink->track(&l->track, w->arg);
	return l;
}

static struct lane *find_row(struct walk *w, struct process *p, struct fd *f)
{
	struct lane **at = f ? &f->flights : &p->flights;

	while (*at && (*at)->is_busy)
		at = &(*at)->next;
	if (!*at)
		*at = make_row(w, p, f);
	return *at;
}

static void add_number(struct track_slice *s, const char *key, int64_t n)
{
	s->args[s->arg_count++] = (struct track_arg){.key = key, .number = n};
}

static void take_off(struct walk *w, struct image *image, struct request *q, const struct reader_place *place, struct fd *f)
{
	struct flight *flight = must_have(calloc(1, sizeof *flight));
	struct track_slice s = {
		.category = "request", .name = model_call_name(q->call), .start_ns = w->now, .told_ns = TRACKS_OPEN,
	};

	q->user = flight;
	flight->from = (struct wire_source){
		.id = walk_flow_id(w), .pid = image->process->track.pid, .tid = place->tid, .ns = w->now,
	};
	flight->lane = find_row(w, image->process, f);
	if (f) {
		flight->fd = f;
		f->refs++;
	}
	if (!flight->lane)
		return;
	add_number(&s, "op", q->op);
	if (q->fd >= 0)
		add_number(&s, "fd", q->fd);
	if (f)
		s.args[s.arg_count++] = (struct track_arg){.key = "name", .text = f->name};
	add_number(&s, "asked_bytes", (int64_t)q->length);
	add_number(&s, "offset", q->offset);
	if (q->list)
		add_number(&s, "list", q->list);
	if (q->flags & TRACE_REQUEST_BLOCKS)
		s.args[s.arg_count++] = (struct track_arg){.key = "would_block", .text = "yes"};
	flight->lane->is_busy = true;
	flight->lane->start_ns = w->now;
	w->sink->begin(&flight->lane->track, &s, w->arg);
}

static void land(struct walk *w, struct flight *flight, const struct request *q)
{
	struct track_slice s = {
		.category = "request", .name = model_call_name(q->call), .told_ns = TRACKS_OPEN, .end_ns = w->now,
	};
	const char *error = q->result < 0 ? line_errno_name(-(uint64_t)q->result) : NULL;

	if (flight->over)
		return;
	flight->over = true;
	if (!flight->lane)
		return;
	s.start_ns = flight->lane->start_ns;
	if (q->completed)
		add_number(&s, "ret", q->result < 0 ? -1 : q->result);
	else
		s.args[s.arg_count++] = (struct track_arg){.key = "returned", .text = "never"};
	if (error)
		s.args[s.arg_count++] = (struct track_arg){.key = "errno", .text = error};
	if (q->ran)
		add_number(&s, "ran_ns", (int64_t)reader_duration(w->trace, q->completed - q->ran));
	w->sink->end(&flight->lane->track, &s, w->arg);
	flight->lane->is_busy = false;
}

/* What its fd let it do.  */
static void mark(struct walk *w, const struct flight *flight, const struct trace_record *r)
{
	struct track_slice s = {
		.category = "request", .name = r->way == TRACE_REQUEST_READY ? "ready" : "EWOULDBLOCK",
		.start_ns = w->now, .told_ns = w->now, .end_ns = w->now,
	};

	if (flight->over || !flight->lane)
		return;
	add_number(&s, "op", r->op);
	w->sink->instant(&flight->lane->track, &s, w->arg);
}

static void free_flight(struct walk *w, struct request *q)
{
	struct flight *flight = q->user;

	q->user = NULL;
	if (flight && flight->fd)
		fd_put(w, flight->fd);
	free(flight);
}

/* Its number is another's, or it is one too many.  */
static void forget(struct request *q, void *arg)
{
	struct image *image = arg;

	if (q->user && !image->is_over)
		land(image->walk, q->user, q);
	free_flight(image->walk, q);
}

struct request *track_request(struct walk *w, struct image *image, const struct trace_record *r, const struct reader_place *place,
			      struct fd *f, struct wire_flow *flow, size_t *flow_count)
{
	struct request *q;
	struct flight *flight;
	enum direction d;

	image->walk = w;
	image->requests.forgets = forget;
	image->requests.arg = image;
	*flow_count = 0;
	q = requests_see(&image->requests, r, place);
	if (!q)
		return NULL;
	if (r->way == TRACE_REQUEST_SUBMITTED)
		take_off(w, image, q, place, f);
	flight = q->user;
	if (!flight)
		return q;
	*flow = (struct wire_flow){.from = flight->from, .is_last = r->way == TRACE_REQUEST_COLLECTED};
	*flow_count = 1;
	d = model_request_direction(q->call);
	if (r->way == TRACE_REQUEST_COMPLETED && q->result > 0 && d != DIRECTION_NONE)
		count_bytes(w, image->process, d == DIRECTION_WRITE, (uint64_t)q->result);
	if (r->way == TRACE_REQUEST_WOULD_BLOCK || r->way == TRACE_REQUEST_READY)
		mark(w, flight, r);
	if (r->way == TRACE_REQUEST_COMPLETED)
		land(w, flight, q);
	return q;
}

void track_requests_end(struct walk *w, struct image *image)
{
	image->walk = w;
	image->is_over = true;
	requests_end(&image->requests);
}
