/* json.c - the report for programs: what model.h knows, as one JSON object.  */
#include "json.h"

#include <inttypes.h>

#include "files.h"
#include "filter.h"
#include "jsontext.h"
#include "model.h"
#include "overlap.h"
#include "readiness.h"
#include "stalls_print.h"
#include "switching.h"
#include "verdict.h"

static void number(const char *key, uint64_t n, FILE *to)
{
	if (n == MODEL_UNKNOWN)
		fprintf(to, "\"%s\":null", key);
	else
		fprintf(to, "\"%s\":%" PRIu64, key, n);
}

static void waits(const uint64_t wait_ns[DIRECTION_COUNT], FILE *to)
{
	fprintf(to, "\"wait_read_ns\":%" PRIu64 ",\"wait_write_ns\":%" PRIu64 ",\"wait_poll_ns\":%" PRIu64 ",\"wait_child_ns\":%" PRIu64
		",\"wait_lock_ns\":%" PRIu64 ",\"wait_signal_ns\":%" PRIu64 ",\"wait_aio_ns\":%" PRIu64 ",\"sleep_ns\":%" PRIu64,
		wait_ns[DIRECTION_READ], wait_ns[DIRECTION_WRITE], wait_ns[DIRECTION_POLL], wait_ns[DIRECTION_CHILD],
		wait_ns[DIRECTION_LOCK], wait_ns[DIRECTION_SIGNAL], wait_ns[DIRECTION_REQUEST], wait_ns[DIRECTION_SLEEP]);
}

/* What is left of its time beside its waits and its computing.  */
static uint64_t rest_of(const struct model_thread *thread, uint64_t wall_ns, uint64_t cpu_ns, uint64_t in_waits)
{
	uint64_t rest = wall_ns;

	for (size_t d = 0; d < DIRECTION_COUNT; d++)
		rest -= thread->wait_ns[d] < rest ? thread->wait_ns[d] : rest;
	return cpu_ns == MODEL_UNKNOWN ? MODEL_UNKNOWN : rest - (cpu_ns - in_waits);
}

/* The time of a lone thread is its process's.  */
static void print_thread(const struct model_process *p, const struct model_thread *thread, FILE *to)
{
	bool alone = p->thread_count == 1;
	uint64_t cpu_ns = alone ? p->cpu_ns : thread->cpu_ns, wall_ns = alone ? p->end_ns - p->start_ns : thread->end_ns - thread->start_ns;
	uint64_t in_waits = model_cpu_in_waits(thread->wait_ns, cpu_ns, wall_ns);

	fprintf(to, "{\"tid\":%" PRIu32 ",\"name\":", thread->tid);
	jsontext_print(*thread->name ? thread->name : NULL, to);
	fputc(',', to);
	number("wall_ns", wall_ns, to);
	fputc(',', to);
	number("cpu_ns", cpu_ns, to);
	fputc(',', to);
	waits(thread->wait_ns, to);
	fputc(',', to);
	number("cpu_in_waits_ns", cpu_ns == MODEL_UNKNOWN ? MODEL_UNKNOWN : in_waits, to);
	fputc(',', to);
	number("else_ns", rest_of(thread, wall_ns, cpu_ns, in_waits), to);
	fputc('}', to);
}

static void print_fd(const struct model *m, const struct model_process *p, const struct model_fd *f, FILE *to)
{
	unsigned others;
	const struct model_process *peer = model_peer(m, p, f, &others);
	char text[2200];

	fputc('{', to);
	number("fd", f->many ? MODEL_UNKNOWN : (uint64_t)f->fd, to);
	fputs(",\"kind\":", to);
	jsontext_print(model_kind_name(f->kind), to);
	fputs(",\"name\":", to);
	jsontext_print(f->name, to);
	fputs(",\"peer\":", to);
	if (peer)
		snprintf(text, sizeof text, "%s (pid %" PRIu32 ")", peer->command, peer->pid);
	jsontext_print(peer ? text : NULL, to);
	fprintf(to, ",\"peers_more\":%u,\"switched_by\":", peer ? others : 0);
	jsontext_print(model_way_name(f->way), to);
	fprintf(to, ",\"calls\":%" PRIu64 ",\"would_block\":%" PRIu64 ",\"bytes_read\":%" PRIu64 ",\"bytes_written\":%" PRIu64
		",\"wait_read_ns\":%" PRIu64 ",\"wait_write_ns\":%" PRIu64 ",\"wait_poll_ns\":%" PRIu64
		",\"longest_wait_ns\":%" PRIu64 ",\"waiting\":%s}",
		f->calls, f->would_block, f->bytes[DIRECTION_READ], f->bytes[DIRECTION_WRITE], f->wait_ns[DIRECTION_READ],
		f->wait_ns[DIRECTION_WRITE], f->wait_ns[DIRECTION_POLL], f->longest_ns, f->waiting ? "true" : "false");
}

static void print_polls(const struct model_polls *polls, FILE *to)
{
	fprintf(to, ",\"polls\":{\"kept\":%" PRIu64 ",\"corrected\":%" PRIu64 ",\"bound_ns\":%" PRIu64 ",\"vain\":%" PRIu64
		    ",\"vain_ns\":%" PRIu64 ",\"left\":{\"small\":%" PRIu64,
		polls->kept, polls->corrected, polls->bound_ns, polls->vain, polls->vain_ns, polls->left[TRACE_WHY_NONE]);
	for (unsigned why = TRACE_WHY_NONE + 1; why < TRACE_WHY_COUNT; why++)
		fprintf(to, ",\"%s\":%" PRIu64, model_why_name(why), polls->left[why]);
	fputs("}}", to);
}

static void print_times(const struct readiness_fd *f, const char *direction, const struct readiness_times *t, FILE *to)
{
	fprintf(to, "{\"fd\":%d,\"kind\":", f->fd);
	jsontext_print(model_kind_name(f->kind), to);
	fputs(",\"name\":", to);
	jsontext_print(f->name, to);
	fprintf(to, ",\"later_fds\":%u,\"for\":\"%s\",\"services\":%" PRIu64 ",\"known\":%" PRIu64 ",\"found_late\":%" PRIu64, f->more,
		direction, t->services, t->seen, t->late);
	for (unsigned i = 0; i < 3; i++) {
		static const unsigned percents[] = {50, 90, 99};

		fprintf(to, ",\"p%u_ns\":", percents[i]);
		fprintf(to, t->seen ? "%" PRIu64 : "null", readiness_percentile(t, percents[i]));
	}
	fprintf(to, ",\"max_ns\":%" PRIu64 ",\"sum_ns\":%" PRIu64 ",\"unserved_ns\":%" PRIu64 ",\"worst\":[", t->max_ns, t->sum_ns,
		t->unserved_ns);
	for (size_t i = 0; i < READINESS_WORST && t->worst[i].distance_ns; i++)
		fprintf(to, "%s{\"t_ns\":%" PRIu64 ",\"ns\":%" PRIu64 ",\"tid\":%" PRIu32 "}", i ? "," : "", t->worst[i].at_ns,
			t->worst[i].distance_ns, t->worst[i].tid);
	fputs("]}", to);
}

/* Null where nothing was observed.  */
static void print_readiness(const struct readiness *r, size_t process, FILE *to)
{
	static const char *const directions[READINESS_DIRECTIONS] = {"read", "write"};
	const char *divider = "";

	fputs(r ? ",\"readiness\":[" : ",\"readiness\":null", to);
	for (size_t i = 0; r && i < r->count; i++)
		for (int d = 0; d < READINESS_DIRECTIONS; d++) {
			const struct readiness_times *t = &r->fds[i].times[d];

			if (r->fds[i].process != process || (!t->services && !t->unserved_ns))
				continue;
			fputs(divider, to);
			print_times(&r->fds[i], directions[d], t, to);
			divider = ",\n";
		}
	fputs(r ? "]" : "", to);
}

static void print_process(const struct model *m, const struct model_process *p, const struct readiness *r, FILE *to)
{
	const char *divider = "";

	fprintf(to, "{\"pid\":%" PRIu32 ",\"ppid\":%" PRIu32 ",\"command\":", p->pid, p->ppid);
	jsontext_print(p->command, to);
	fputc(',', to);
	number("exit_status", p->exit_status < 0 ? MODEL_UNKNOWN : (uint64_t)p->exit_status, to);
	fputc(',', to);
	number("signal", p->signal < 0 ? MODEL_UNKNOWN : (uint64_t)p->signal, to);
	fputc(',', to);
	number("start_ns", p->start_ns, to);
	fputc(',', to);
	number("wall_ns", p->end_ns - p->start_ns, to);
	fputc(',', to);
	number("cpu_ns", p->cpu_ns, to);
	fputc(',', to);
	number("major_faults", p->faults, to);
	print_polls(&p->polls, to);
	stalls_print_json(p, to);
	fputs(",\"threads\":[", to);
	for (size_t i = 0; i < p->thread_count; i++) {
		fputs(i ? ",\n" : "", to);
		print_thread(p, &p->threads[i], to);
	}
	fputs("],\"fds\":[", to);
	for (size_t i = 0; i < p->fd_count; i++) {
		if (!p->fds[i].shown)
			continue;
		fputs(divider, to);
		print_fd(m, p, &p->fds[i], to);
		divider = ",\n";
	}
	fputs("]", to);
	print_readiness(r, (size_t)(p - m->processes), to);
	fputs("}", to);
}

struct gap_list {
	FILE *to;
	const char *divider;
};

static void print_gap(uint64_t from_ns, uint64_t to_ns, void *arg)
{
	struct gap_list *l = arg;

	fprintf(l->to, "%s{", l->divider);
	number("from_ns", from_ns, l->to);
	fputc(',', l->to);
	number("to_ns", to_ns == SWITCHING_END ? MODEL_UNKNOWN : to_ns, l->to);
	fputc('}', l->to);
	l->divider = ",";
}

static void print_scope(const struct trace *t, FILE *to)
{
	struct gap_list l = {to, ""};

	fputs(",\"filter\":", to);
	jsontext_print(filter_text(t), to);
	fputs(",\"recorded_filter\":", to);
	jsontext_print(filter_recorded_text(t), to);
	fputs(",\"switched_off\":[", to);
	switching_gaps(t, print_gap, &l);
	fputc(']', to);
}

void json_report(struct trace *t, FILE *to)
{
	struct verdict *v;
	struct model *m = verdict_build(t, &v);
	struct readiness *readiness = readiness_read(t);
	struct files *files = files_read(t);
	struct overlap *overlap = overlap_read(t, m);

	fprintf(to, "{\"version\":1,\"wall_ns\":%" PRIu64 ",\"events\":%" PRIu64 ",\"lost_events\":%" PRIu64
		",\"overwritten_events\":%" PRIu64, m->wall_ns, m->events, m->lost, m->dropped);
	print_scope(t, to);
	fputs(",\"verdict\":", to);
	verdict_json(v, to);
	fputs(",\"processes\":[", to);
	for (size_t i = 0; i < m->process_count; i++) {
		fputs(i ? ",\n" : "\n", to);
		print_process(m, &m->processes[i], readiness, to);
	}
	fputs("],\"aio\":", to);
	overlap_print_json(overlap, to);
	fputs(",\"files\":", to);
	files_print_json(files, to);
	fputs("}\n", to);
	overlap_free(overlap);
	files_free(files);
	verdict_free(v);
	readiness_free(readiness);
	model_free(m);
}
