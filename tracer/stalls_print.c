/* stalls_print.c - stalls for a person: how often, what it was in all, and the worst; and all that are kept for a program.  */
#include "stalls_print.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "color.h"
#include "jsontext.h"
#include "say.h"
#include "screen.h"
#include "symbols.h"

enum { SHOWN = 5, FRAMES_SHOWN = 6, NAME_SIZE = 120 };

static int by_length(const void *a, const void *b)
{
	const struct stall *x = *(const struct stall *const *)a, *y = *(const struct stall *const *)b;

	if (x->ns != y->ns)
		return x->ns > y->ns ? -1 : 1;
	return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

/* Which lock, which call, how many faults.  */
static void print_what(const struct model_process *p, const struct stall *s, enum stall_class class, FILE *to)
{
	const struct model_fd *f = s->fd == STALL_NO_FD ? NULL : &p->fds[s->fd];

	if (class == STALL_LOCK) {
		fprintf(to, " (%s 0x%" PRIx64, stalls_lock_name(s->lock), s->address);
		if (s->holder >= 0)
			fprintf(to, ", held by tid %d", s->holder);
		fputc(')', to);
	} else if (class == STALL_CALL) {
		fprintf(to, " (%s", model_call_name(s->call));
		if (f)
			fprintf(to, ", fd %d, %s%s%s", f->fd, color(COLOR_NAME), f->name ? f->name : "?", color(COLOR_END));
		fputc(')', to);
	} else if (class == STALL_FAULTS) {
		fprintf(to, " (%" PRIu32 " major, %" PRIu32 " minor)", s->used.major, s->used.minor);
	} else if (class == STALL_SWITCHED) {
		fprintf(to, " (%" PRIu32 " time%s)", s->used.involuntary, s->used.involuntary == 1 ? "" : "s");
	}
}

/* "302 ms computing, 104 ms waiting for locks": the largest first, what is more than a hundredth; of one stall with details.  */
static void print_parts(const struct model_process *p, const struct stall *one, const uint64_t part_ns[STALL_CLASS_COUNT],
			uint64_t all, FILE *to)
{
	uint64_t left[STALL_CLASS_COUNT];
	const char *divider = "";
	char text[16];

	memcpy(left, part_ns, sizeof left);
	for (;;) {
		size_t most = 0;

		for (size_t c = 0; c < STALL_CLASS_COUNT; c++)
			if (left[c] > left[most])
				most = c;
		if (left[most] <= all / 100)
			return;
		fprintf(to, "%s%s %s", divider, duration(left[most], text), stalls_class_words((enum stall_class)most));
		if (one)
			print_what(p, one, (enum stall_class)most, to);
		left[most] = 0;
		divider = ", ";
	}
}

static uint64_t address_of(uint64_t frame)
{
	return frame & (((uint64_t)1 << TRACE_FRAME_SHIFT) - 1);
}

static const struct symbols_object *object_of(const struct model_process *p, uint64_t frame)
{
	uint64_t number = frame >> TRACE_FRAME_SHIFT;

	return p->objects && number < TRACE_OBJECTS && p->objects[number].path ? &p->objects[number] : NULL;
}

static void name_frame(const struct model_process *p, uint64_t frame, char *name, size_t size)
{
	symbols_name(object_of(p, frame), address_of(frame), name, size);
}

/* "inflate < read_block < main": the innermost first; what calls itself is told once.  */
static void print_frames(const struct model_process *p, const struct stall_stack *s, FILE *to)
{
	char name[NAME_SIZE], before[NAME_SIZE] = "";
	size_t shown = 0, i;

	for (i = 0; i < s->count && shown < FRAMES_SHOWN; i++) {
		name_frame(p, s->frames[i], name, sizeof name);
		if (!strcmp(name, before))
			continue;
		fprintf(to, "%s%s", shown++ ? " < " : "", name);
		strcpy(before, name);
	}
	fputs(i < s->count ? " < ...\n" : "\n", to);
}

/* How many of the samples were in the same function as this one.  */
static size_t count_alike(const struct model_process *p, const struct stall_stacks *s, const struct stall_stack *one)
{
	char name[NAME_SIZE], other[NAME_SIZE];
	size_t n = 0;

	name_frame(p, one->frames[0], name, sizeof name);
	for (size_t i = 0; i < s->sample_count; i++) {
		name_frame(p, s->samples[i].frames[0], other, sizeof other);
		n += !strcmp(name, other);
	}
	return n;
}

static void print_samples(const struct model_process *p, const struct stall_stacks *s, FILE *to)
{
	size_t best = 0, most = 0, n;

	for (size_t i = 0; i < s->sample_count; i++) {
		n = count_alike(p, s, &s->samples[i]);
		if (n <= most)
			continue;
		most = n;
		best = i;
	}
	fprintf(to, "             computed in (%zu of %zu samples) ", most, s->sample_count);
	print_frames(p, &s->samples[best], to);
}

static void print_stacks(const struct model_process *p, const struct stall *s, FILE *to)
{
	uint64_t waited = s->part_ns[STALL_LOCK] + s->part_ns[STALL_CALL] + s->part_ns[STALL_ASLEEP];

	if (s->stacks->wait.count && waited > s->ns / 10) {
		fputs("             waited in ", to);
		print_frames(p, &s->stacks->wait, to);
	}
	if (s->stacks->sample_count && s->part_ns[STALL_COMPUTING] > s->ns / 10)
		print_samples(p, s->stacks, to);
}

static void print_stall(const struct model_process *p, const struct stall *s, FILE *to)
{
	char length[16];

	fprintf(to, "  %s%9s%s  at %.6f s", color(COLOR_WAIT), duration(s->ns, length), color(COLOR_END),
		(double)s->start_ns / 1e9);
	if (p->thread_count > 1)
		fprintf(to, ", tid %" PRIu32, s->tid);
	fputs(": ", to);
	print_parts(p, s, s->part_ns, s->ns, to);
	fputs(s->unended ? "; still at the end\n" : "\n", to);
	if (s->stacks)
		print_stacks(p, s, to);
}

static void print_unsampled(const struct model_process *p, FILE *to)
{
	fputs("             where it computed is not known", to);
	if (p->unsampled == TRACE_UNSAMPLED_THREAD)
		fputs(" of threads but the first, which alone can be sampled\n", to);
	else
		fprintf(to, ": it could not be sampled: %s\n", strerror((int)p->unsampled));
}

void stalls_print(const struct model_process *p, FILE *to)
{
	const struct stall **order;
	char all[16], limit[16];
	size_t count = 0;

	if (!p->stalls.count)
		return;
	fprintf(to, "  stalled %" PRIu64 " time%s for more than %s, %s%s%s in all: ", p->stalls.count,
		p->stalls.count == 1 ? "" : "s", duration(p->stalls.limit_ns, limit), color(COLOR_WAIT),
		duration(p->stalls.ns, all), color(COLOR_END));
	print_parts(p, NULL, p->stalls.part_ns, p->stalls.ns, to);
	fputc('\n', to);
	order = must_have(calloc(p->stalls.kept_count + 1, sizeof *order));
	for (size_t i = 0; i < p->stalls.kept_count; i++)
		if (p->stalls.kept[i].loop > TRACE_LOOP_PARK)
			order[count++] = &p->stalls.kept[i];
	qsort(order, count, sizeof *order, by_length);
	for (size_t i = 0; i < count && i < SHOWN; i++)
		print_stall(p, order[i], to);
	if (p->unsampled && p->stalls.part_ns[STALL_COMPUTING] > p->stalls.ns / 10)
		print_unsampled(p, to);
	free(order);
}

static void print_parts_json(const uint64_t part_ns[STALL_CLASS_COUNT], FILE *to)
{
	for (size_t c = 0; c < STALL_CLASS_COUNT; c++)
		fprintf(to, ",\"%s_ns\":%" PRIu64, stalls_class_name((enum stall_class)c), part_ns[c]);
}

static void print_lock_json(const struct stall *s, FILE *to)
{
	fprintf(to, ",\"longest_lock\":{\"call\":\"%s\",\"address\":\"0x%" PRIx64 "\",\"held_by\":",
		stalls_lock_name(s->lock), s->address);
	if (s->holder >= 0)
		fprintf(to, "%d", s->holder);
	else
		fputs("null", to);
	fprintf(to, ",\"ns\":%" PRIu64 "}", s->lock_ns);
}

static void print_call_json(const struct model_process *p, const struct stall *s, FILE *to)
{
	fprintf(to, ",\"longest_call\":{\"call\":\"%s\",\"fd\":", model_call_name(s->call));
	if (s->fd == STALL_NO_FD)
		fputs("null", to);
	else
		fprintf(to, "%d", p->fds[s->fd].fd);
	fprintf(to, ",\"ns\":%" PRIu64 "}", s->call_ns);
}

static void print_stack_json(const struct model_process *p, const struct stall_stack *s, FILE *to)
{
	char name[NAME_SIZE];

	fputc('[', to);
	for (size_t i = 0; i < s->count; i++) {
		const struct symbols_object *object = object_of(p, s->frames[i]);

		name_frame(p, s->frames[i], name, sizeof name);
		fprintf(to, "%s{\"function\":", i ? "," : "");
		jsontext_print(name, to);
		fputs(",\"object\":", to);
		jsontext_print(object ? object->path : NULL, to);
		fprintf(to, ",\"address\":\"0x%" PRIx64 "\"}", address_of(s->frames[i]));
	}
	fputc(']', to);
}

static void print_stacks_json(const struct model_process *p, const struct stall_stacks *s, FILE *to)
{
	if (s->wait.count) {
		fputs(",\"stack\":", to);
		print_stack_json(p, &s->wait, to);
	}
	fputs(",\"samples\":[", to);
	for (size_t i = 0; i < s->sample_count; i++) {
		fputs(i ? "," : "", to);
		print_stack_json(p, &s->samples[i], to);
	}
	fputc(']', to);
}

static void print_stall_json(const struct model_process *p, const struct stall *s, FILE *to)
{
	fprintf(to, "{\"tid\":%" PRIu32 ",\"loop\":\"%s\",\"start_ns\":%" PRIu64 ",\"ns\":%" PRIu64 ",\"class\":\"%s\",\"ended\":%s",
		s->tid, stalls_loop_name(s->loop), s->start_ns, s->ns, stalls_class_name(s->class), s->unended ? "false" : "true");
	print_parts_json(s->part_ns, to);
	fprintf(to, ",\"involuntary\":%" PRIu32 ",\"voluntary\":%" PRIu32 ",\"minor_faults\":%" PRIu32 ",\"major_faults\":%" PRIu32,
		s->used.involuntary, s->used.voluntary, s->used.minor, s->used.major);
	if (s->lock_ns)
		print_lock_json(s, to);
	if (s->call_ns)
		print_call_json(p, s, to);
	if (s->stacks)
		print_stacks_json(p, s->stacks, to);
	fputc('}', to);
}

void stalls_print_json(const struct model_process *p, FILE *to)
{
	const struct stalls *s = &p->stalls;

	fprintf(to, ",\"stalls\":{\"limit_ns\":%" PRIu64 ",\"count\":%" PRIu64 ",\"ns\":%" PRIu64 ",\"longest_ns\":%" PRIu64,
		s->limit_ns, s->count, s->ns, s->longest_ns);
	print_parts_json(s->part_ns, to);
	fputs(",\"list\":[", to);
	for (size_t i = 0; i < s->kept_count; i++) {
		fputs(i ? ",\n" : "", to);
		print_stall_json(p, &s->kept[i], to);
	}
	fputs("]}", to);
}
