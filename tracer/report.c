/* report.c - where the time went: the processes by how long they waited, under each its fds by how long they were waited for, and
 * at the end the verdict.  */
#include "report.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "color.h"
#include "files.h"
#include "filter.h"
#include "model.h"
#include "overlap.h"
#include "readiness.h"
#include "say.h"
#include "screen.h"
#include "shim/shim.h"
#include "stalls_print.h"
#include "switching.h"
#include "verdict.h"

enum {
	PROCESSES_SHOWN = 20,
	FDS_SHOWN = 6,
	THREADS_SHOWN = 4,
	COMMAND_WIDTH = 44,
};

/* For what a person can do something about: data that does not come, or does not go.  */
static uint64_t waited(const struct model_process *p)
{
	return p->wait_ns[DIRECTION_READ] + p->wait_ns[DIRECTION_WRITE] + p->wait_ns[DIRECTION_POLL] +
	       p->wait_ns[DIRECTION_REQUEST];
}

static uint64_t fd_waited(const struct model_fd *f)
{
	return f->wait_ns[DIRECTION_READ] + f->wait_ns[DIRECTION_WRITE] + f->wait_ns[DIRECTION_POLL];
}

/* Whether it never got what it waited for.  */
static bool is_waiting(const struct model_process *p)
{
	for (size_t i = 0; i < p->fd_count; i++)
		if (p->fds[i].waiting)
			return true;
	return false;
}

static int by_wait(const void *a, const void *b)
{
	const struct model_process *x = *(const struct model_process *const *)a, *y = *(const struct model_process *const *)b;

	if (waited(x) != waited(y))
		return waited(x) > waited(y) ? -1 : 1;
	return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

static int fd_by_wait(const void *a, const void *b)
{
	const struct model_fd *x = *(const struct model_fd *const *)a, *y = *(const struct model_fd *const *)b;

	if (fd_waited(x) != fd_waited(y))
		return fd_waited(x) > fd_waited(y) ? -1 : 1;
	return x->fd < y->fd ? -1 : x->fd > y->fd;
}

void report_cut(const char *text, int width, FILE *to)
{
	if ((int)strlen(text) <= width)
		fputs(text, to);
	else
		fprintf(to, "%.*s...", screen_cut(text, width - 3), text);
}

void report_command(const struct model_process *p, int width, FILE *to)
{
	report_cut(model_short_command(p), width, to);
	fprintf(to, " (pid %" PRIu32 ")", p->pid);
}

static void print_peer(const struct model_process *peer, unsigned others, int width, FILE *to)
{
	report_command(peer, width, to);
	if (others)
		fprintf(to, " and %u other%s", others, others == 1 ? "" : "s");
}

static void print_fd(const struct model *m, const struct model_process *p, const struct model_fd *f, FILE *to)
{
	unsigned others;
	const struct model_process *peer = model_peer(m, p, f, &others);
	const struct model_fd *own = peer ? NULL : model_own_end(m, p, f);
	bool writes = f->wait_ns[DIRECTION_WRITE] > f->wait_ns[DIRECTION_READ] ||
		      (!fd_waited(f) && f->bytes[DIRECTION_WRITE] > f->bytes[DIRECTION_READ]);
	char wait[16], longest[16], in[16], out[16];

	fprintf(to, "  %s%9s%s  ", color(fd_waited(f) ? COLOR_WAIT : COLOR_DETAIL), duration(fd_waited(f), wait), color(COLOR_END));
	fprintf(to, f->many ? "more fds" : "fd %d", f->fd);
	fprintf(to, ", %s%s%s", color(COLOR_NAME), f->name ? f->name : "?", color(COLOR_END));
	if (peer) {
		fprintf(to, writes ? " -> " : " <- ");
		print_peer(peer, others, COMMAND_WIDTH, to);
	} else if (own) {
		fprintf(to, " %s its own fd %d", writes ? "->" : "<-", own->fd);
	}
	fprintf(to, "\n             %s%" PRIu64 " call%s, %" PRIu64 " would block, longest wait %s", color(COLOR_DETAIL), f->calls,
		f->calls == 1 ? "" : "s", f->would_block, duration(f->longest_ns, longest));
	if (f->bytes[DIRECTION_READ])
		fprintf(to, ", %s read", amount(f->bytes[DIRECTION_READ], in));
	if (f->bytes[DIRECTION_WRITE])
		fprintf(to, ", %s written", amount(f->bytes[DIRECTION_WRITE], out));
	if (f->waiting)
		fprintf(to, "; still waiting at the end");
	fprintf(to, "%s\n", color(COLOR_END));
}

static uint64_t cpu_in_waits(const struct model_process *p, uint64_t wall)
{
	uint64_t ns = 0;

	if (p->cpu_ns == MODEL_UNKNOWN)
		return 0;
	if (p->thread_count <= 1)
		return model_cpu_in_waits(p->wait_ns, p->cpu_ns, wall);
	for (size_t i = 0; i < p->thread_count; i++)
		ns += model_cpu_in_waits(p->threads[i].wait_ns, p->threads[i].cpu_ns, p->threads[i].end_ns - p->threads[i].start_ns);
	return ns < p->cpu_ns ? ns : p->cpu_ns;
}

/* "waited 1.2 s to read, 0.1 s for children; computed 3.1 ms; 20 us else".  Threads wait side by side, so their sum says nothing
 * about the rest.  */
static void print_times(const struct model_process *p, uint64_t wall, FILE *to)
{
	static const struct {
		enum direction direction;
		const char *before, *after;
	} parts[] = {
		{DIRECTION_READ, "waited ", " to read"}, {DIRECTION_WRITE, "waited ", " to write"}, {DIRECTION_POLL, "waited ", " in poll"},
		{DIRECTION_REQUEST, "waited ", " for its asynchronous I/O"},
		{DIRECTION_LOCK, "waited ", " for locks"}, {DIRECTION_CHILD, "waited ", " for children"},
		{DIRECTION_SIGNAL, "waited ", " for signals"}, {DIRECTION_SLEEP, "slept ", ""},
	};
	uint64_t inside = cpu_in_waits(p, wall), known = p->cpu_ns == MODEL_UNKNOWN ? 0 : p->cpu_ns - inside;
	const char *divider = "  ";
	char text[16];

	if (p->thread_count > 1) {
		fprintf(to, "  %zu threads, together:", p->thread_count);
		divider = " ";
	}
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		uint64_t ns = p->wait_ns[parts[i].direction];

		known += ns;
		if (!ns)
			continue;
		fprintf(to, "%s%s%s%s%s%s", divider, parts[i].before, color(COLOR_WAIT), duration(ns, text), color(COLOR_END),
			parts[i].after);
		divider = ", ";
	}
	if (p->cpu_ns != MODEL_UNKNOWN) {
		fprintf(to, "%scomputed %s", divider, duration(p->cpu_ns, text));
		if (inside > wall / 100)
			fprintf(to, ", of it %s in these waits", duration(inside, text));
		divider = ", ";
	}
	if (p->thread_count <= 1 && wall > known)
		fprintf(to, "%s%s %s", divider, duration(wall - known, text),
			p->cpu_ns != MODEL_UNKNOWN ? "else" : "computing, or waiting for something else");
	fputc('\n', to);
}

/* One of several parts, unless it is none.  Returns what divides it from the next.  */
static const char *print_part(const char *divider, uint64_t n, const char *one, const char *many, FILE *to)
{
	if (!n)
		return divider;
	fprintf(to, "%s%" PRIu64 " %s", divider, n, n == 1 ? one : many);
	return ", ";
}

static const char *print_lost(const char *divider, uint64_t lost, uint64_t dropped, FILE *to)
{
	divider = print_part(divider, lost, "event lost", "events lost", to);
	return print_part(divider, dropped, "oldest overwritten", "oldest overwritten", to);
}

/* What no fd can tell: waits in poll that a timeout or a signal ended.  */
static void print_vain_polls(const struct model_process *p, FILE *to)
{
	char text[16];

	if (p->polls.vain_ns && p->polls.vain_ns >= p->wait_ns[DIRECTION_POLL] / 20)
		fprintf(to, "  polls that ended with nothing ready: %" PRIu64 ", %s in all\n", p->polls.vain,
			duration(p->polls.vain_ns, text));
}

/* Where the program polls many fds at a time.  */
static void print_polls(const struct model_polls *polls, FILE *to)
{
	const char *divider = " (";
	uint64_t left = 0;
	char text[16];

	for (unsigned why = TRACE_WHY_NONE + 1; why < TRACE_WHY_COUNT; why++)
		left += polls->left[why];
	if (!polls->kept && !left)
		return;
	fprintf(to, "  polls of many fds: %" PRIu64 " served from kept sets, %" PRIu64 " left to the kernel", polls->kept, left);
	for (unsigned why = TRACE_WHY_NONE + 1; why < TRACE_WHY_COUNT; why++)
		if (polls->left[why]) {
			fprintf(to, "%s%" PRIu64 " %s", divider, polls->left[why], model_why_words(why));
			divider = ", ";
		}
	fprintf(to, "%s\n", left ? ")" : "");
	if (polls->corrected)
		fprintf(to, "  fds that became others unseen: %" PRIu64 ", each noticed within %s of polling\n", polls->corrected,
			duration(polls->bound_ns, text));
}

/* What its threads were in when they were last seen: it was killed, or runs still.  */
static void print_last_calls(const struct model_process *p, FILE *to)
{
	size_t count = 0;

	for (size_t i = 0; i < p->thread_count; i++) {
		const struct model_thread *t = &p->threads[i];

		if (!t->in_call || ++count > THREADS_SHOWN)
			continue;
		if (p->thread_count > 1)
			fprintf(to, "  tid %" PRIu32 " was", t->tid);
		fprintf(to, "%s in %s() when it was last seen\n", p->thread_count > 1 ? "" : "  was", model_call_name(t->in_call));
	}
	if (count > THREADS_SHOWN)
		fprintf(to, "  and so were %zu more threads\n", count - THREADS_SHOWN);
}

static void print_process(const struct model *m, const struct model_process *p, FILE *to)
{
	const struct model_fd **order = must_have(calloc(p->fd_count + 1, sizeof *order));
	uint64_t wall = p->end_ns - p->start_ns;
	char total[16];
	size_t shown = 0, more = 0;

	fputs(color(COLOR_HEADING), to);
	report_command(p, 60, to);
	fprintf(to, "%s: %s in all", color(COLOR_END), duration(wall, total));
	if (p->signal > 0)
		fprintf(to, ", killed by signal %d (%s)", p->signal, strsignal(p->signal));
	else if (p->exit_status > 0)
		fprintf(to, ", exit status %d", p->exit_status);
	fputc('\n', to);
	print_times(p, wall, to);
	print_last_calls(p, to);
	if (p->faults && p->faults != MODEL_UNKNOWN)
		fprintf(to, "  page faults that waited for the disk: %" PRIu64 "\n", p->faults);
	print_vain_polls(p, to);
	print_polls(&p->polls, to);
	stalls_print(p, to);
	for (size_t i = 0; i < p->fd_count; i++)
		order[i] = &p->fds[i];
	if (p->fd_count)
		qsort(order, p->fd_count, sizeof *order, fd_by_wait);
	for (size_t i = 0; i < p->fd_count; i++) {
		bool moved = order[i]->bytes[DIRECTION_READ] || order[i]->bytes[DIRECTION_WRITE];

		if (!order[i]->waiting && !fd_waited(order[i]) && (!moved || order[i]->kind == KIND_file))
			continue;
		if (!order[i]->waiting && shown >= FDS_SHOWN) {
			more++;
			continue;
		}
		print_fd(m, p, order[i], to);
		shown++;
	}
	if (more)
		fprintf(to, "             and %zu more fd%s\n", more, more == 1 ? "" : "s");
	if (p->lost || p->dropped) {
		print_lost("  ", p->lost, p->dropped, to);
		fputc('\n', to);
	}
	fputc('\n', to);
	free(order);
}

static void print_conclusion(const struct trace *t, const struct model *m, const struct verdict *v, FILE *to)
{
	bool whole = !m->lost && !m->dropped && !t->control.lost_processes && !t->unread_count && !t->control.switches &&
		     !filter_text(t) && !filter_recorded_text(t);

	verdict_print(v, to);
	fputs(whole ? ".\n" : filter_text(t) ? ", as far as it was asked for.\n" : ", as far as it was recorded.\n", to);
}

static void print_losses(const struct trace *t, const struct model *m, FILE *to)
{
	static const char *const why[] = {
		[TRACE_STOP_BUDGET] = "the trace had reached its size (--max-size)",
		[TRACE_STOP_DISK] = "the file system was full",
		[TRACE_STOP_FSIZE] = "the file size limit was reached (ulimit -f)",
		[TRACE_STOP_OPEN] = "the trace directory could not be reached any more",
		[TRACE_STOP_SANDBOX] = "the program had entered a sandbox",
		[TRACE_STOP_MEMORY] = "there was no address space for it (ulimit -v)",
	};

	if (m->lost || m->dropped || t->control.lost_processes) {
		const char *divider = print_lost("Not everything was recorded: ", m->lost, m->dropped, to);

		print_part(divider, t->control.lost_processes, "process missing", "processes missing", to);
		fputc('\n', to);
	}
	if (m->vanished)
		fprintf(to, "%zu program%s started that could not be recorded: static, setuid, or without the right to write the trace\n",
			m->vanished, m->vanished == 1 ? " was" : "s were");
	if (t->unread_count)
		fprintf(to, "%zu process file%s could not be read: %s\n", t->unread_count, t->unread_count == 1 ? "" : "s", t->unread_why);
	for (unsigned stop = 1; stop < sizeof why / sizeof *why; stop++)
		if (m->stops >> stop & 1)
			fprintf(to, "  because %s\n", why[stop]);
}

static void print_gap(uint64_t from_ns, uint64_t to_ns, void *to)
{
	char from[16], until[16];

	fprintf(to, "not recorded from %s to %s: switched off\n", duration(from_ns, from),
		to_ns == SWITCHING_END ? "the end" : duration(to_ns, until));
}

/* What of all that happened is not in the report because nobody asked for it.  */
static void print_scope(const struct trace *t, FILE *to)
{
	const char *asked = filter_text(t), *recorded = filter_recorded_text(t);

	if (asked)
		fprintf(to, "only %s\n", asked);
	if (recorded)
		fprintf(to, "recorded with %s\n", recorded);
	switching_gaps(t, print_gap, to);
}

void report_print(struct trace *t, FILE *to)
{
	struct verdict *v;
	struct model *m = verdict_build(t, &v);
	struct readiness *readiness = readiness_read(t);
	struct files *files = files_read(t);
	struct overlap *overlap = overlap_read(t, m);
	const struct model_process **order = must_have(calloc(m->process_count + 1, sizeof *order));
	const struct model_process *first = NULL;
	char text[16];
	size_t quiet = 0;

	fprintf(to, "eagain: %s, %zu process image%s, %" PRIu64 " events\n", duration(m->wall_ns, text), m->process_count,
		m->process_count == 1 ? "" : "s", m->events);
	print_scope(t, to);
	fputc('\n', to);
	for (size_t i = 0; i < m->process_count; i++) {
		order[i] = &m->processes[i];
		if (!first || order[i]->start_ns < first->start_ns)
			first = order[i];
	}
	if (m->process_count)
		qsort(order, m->process_count, sizeof *order, by_wait);
	for (size_t i = 0; i < m->process_count; i++) {
		if (i < PROCESSES_SHOWN && (waited(order[i]) || is_waiting(order[i]) || order[i]->stalls.count || order[i] == first))
			print_process(m, order[i], to);
		else
			quiet++;
	}
	if (quiet)
		fprintf(to, "%zu more process image%s waited for nothing, or for less\n\n", quiet, quiet == 1 ? "" : "s");
	if (readiness)
		readiness_print(readiness, m, to);
	if (overlap)
		overlap_print(overlap, to);
	if (files)
		files_print(files, to);
	print_losses(t, m, to);
	if (m->process_count)
		print_conclusion(t, m, v, to);
	else
		fputs(filter_text(t) ? "Nothing of that is in the trace.\n" : "No process recorded anything.\n", to);
	free(order);
	overlap_free(overlap);
	files_free(files);
	readiness_free(readiness);
	verdict_free(v);
	model_free(m);
}

void report_path(struct trace *t, FILE *to)
{
	struct verdict *v;
	struct model *m = verdict_build(t, &v);

	verdict_print_path(v, to);
	print_losses(t, m, to);
	print_conclusion(t, m, v, to);
	verdict_free(v);
	model_free(m);
}

void report_try(const char *dir, const struct trace_end *end, FILE *to)
{
	const char *why;
	struct trace *t = reader_try(dir, &why);

	if (!t) {
		say("nothing was recorded: no process of the program could write to %s (a full disk, a limit, or a program that "
		    "did not load the shim)", dir);
		return;
	}
	t->end = *end;
	report_print(t, to);
	reader_close(t);
}
