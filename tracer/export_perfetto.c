/* export_perfetto.c - Perfetto's own format: a stream of packets in protocol buffers (perfetto.dev, "Synthetic TrackEvents").
 *
 * Times are CLOCK_MONOTONIC, so that the trace can lie beside others of the same machine.  Begin and end of a slice are packets of
 * their own, in the order of time; what never ended has none.  The names of slices and of their arguments are few: each is written
 * once, with a number, where it is needed first.  */
#include <string.h>
#include <unistd.h>

#include "export.h"
#include "proto.h"
#include "say.h"
#include "tracks.h"

/* Field numbers: protos/perfetto/trace/.  */
enum {
	TRACE_packet = 1,

	PACKET_clock_snapshot = 6, PACKET_timestamp = 8, PACKET_sequence_id = 10, PACKET_track_event = 11,
	PACKET_interned_data = 12, PACKET_sequence_flags = 13, PACKET_clock_id = 58, PACKET_track_descriptor = 60,

	SNAPSHOT_clocks = 1, SNAPSHOT_primary = 2,
	CLOCK_id = 1, CLOCK_timestamp = 2,

	TRACK_uuid = 1, TRACK_name = 2, TRACK_process = 3, TRACK_thread = 4, TRACK_parent_uuid = 5, TRACK_counter = 8,
	TRACK_child_ordering = 11, TRACK_sibling_order_rank = 12, TRACK_sibling_merge_behavior = 15,
	PROCESS_pid = 1, PROCESS_cmdline = 2, PROCESS_process_name = 6,
	THREAD_pid = 1, THREAD_tid = 2, THREAD_thread_name = 5,
	COUNTER_unit = 3,

	EVENT_debug_annotations = 4, EVENT_type = 9, EVENT_name_iid = 10, EVENT_track_uuid = 11, EVENT_categories = 22,
	EVENT_counter_value = 30, EVENT_flow_ids = 47, EVENT_terminating_flow_ids = 48,
	ANNOTATION_name_iid = 1, ANNOTATION_int = 4, ANNOTATION_string = 6,

	INTERNED_event_names = 2, INTERNED_annotation_names = 3,
	NAME_iid = 1, NAME_name = 2,
};

enum { CLOCK_REALTIME_ID = 1, CLOCK_MONOTONIC_ID = 3 };
enum { SEQUENCE = 1, SEQUENCE_CLEARED = 1, SEQUENCE_NEEDED = 2 };
enum { ORDERING_EXPLICIT = 3, MERGE_NONE = 2, UNIT_BYTES = 3 };
enum event_type { BEGIN = 1, END, INSTANT, COUNTER };

/* Ten strings of 512 bytes, a command, and what is around them.  */
enum { PACKET_MAX = 1 << 14, NAMES_MAX = 256 };

/* Names that have a number: their place, from 1.  */
struct names {
	unsigned field;
	const char *name[NAMES_MAX];
	size_t count;
};

struct perfetto {
	FILE *to;
	uint64_t base_ns;
	char packet[PACKET_MAX];
	struct text text;
	char *begin;
	struct names events, annotations;
};

static struct text *begin_packet(struct perfetto *p, unsigned flags)
{
	struct text *t = &p->text;

	*t = (struct text){p->packet, p->packet + sizeof p->packet};
	p->begin = proto_begin(t, TRACE_packet);
	proto_number(t, PACKET_sequence_id, SEQUENCE);
	proto_number(t, PACKET_sequence_flags, flags);
	return t;
}

static void end_packet(struct perfetto *p)
{
	proto_end(&p->text, p->begin);
	/* One that was cut would be the end of all. */
	if (p->text.at < p->text.end)
		fwrite_unlocked(p->packet, 1, (size_t)(p->text.at - p->packet), p->to);
}

static void stamp(struct perfetto *p, struct text *t, uint64_t ns)
{
	proto_number(t, PACKET_timestamp, p->base_ns + ns);
	proto_number(t, PACKET_clock_id, CLOCK_MONOTONIC_ID);
}

static void print_clock(struct text *t, unsigned id, uint64_t ns)
{
	char *clock = proto_begin(t, SNAPSHOT_clocks);

	proto_number(t, CLOCK_id, id);
	proto_number(t, CLOCK_timestamp, ns);
	proto_end(t, clock);
}

/* The same moment in two clocks; the first packet of all.  */
static void print_clocks(struct perfetto *p, uint64_t realtime_ns)
{
	struct text *t = begin_packet(p, SEQUENCE_CLEARED);
	char *snapshot = proto_begin(t, PACKET_clock_snapshot);

	print_clock(t, CLOCK_MONOTONIC_ID, p->base_ns);
	print_clock(t, CLOCK_REALTIME_ID, realtime_ns);
	proto_number(t, SNAPSHOT_primary, CLOCK_MONOTONIC_ID);
	proto_end(t, snapshot);
	end_packet(p);
}

static void describe_process(struct text *t, const struct track *track)
{
	char *process;

	proto_number(t, TRACK_child_ordering, ORDERING_EXPLICIT);
	process = proto_begin(t, TRACK_process);
	proto_number(t, PROCESS_pid, track->pid);
	proto_string(t, PROCESS_cmdline, track->command);
	proto_string(t, PROCESS_process_name, track->name);
	proto_end(t, process);
}

static void describe_thread(struct text *t, const struct track *track)
{
	char *thread = proto_begin(t, TRACK_thread);

	proto_number(t, THREAD_pid, track->pid);
	proto_number(t, THREAD_tid, track->tid);
	proto_string(t, THREAD_thread_name, track->name);
	proto_end(t, thread);
}

static void describe_counter(struct text *t)
{
	char *counter = proto_begin(t, TRACK_counter);

	proto_number(t, COUNTER_unit, UNIT_BYTES);
	proto_end(t, counter);
}

static void print_track(const struct track *track, void *arg)
{
	struct perfetto *p = arg;
	struct text *t = begin_packet(p, SEQUENCE_NEEDED);
	char *descriptor = proto_begin(t, PACKET_track_descriptor);

	proto_number(t, TRACK_uuid, track->id);
	if (track->type != TRACK_PROCESS) {
		proto_number(t, TRACK_parent_uuid, track->process->id);
		proto_number(t, TRACK_sibling_order_rank, track->rank);
	}
	switch (track->type) {
	case TRACK_PROCESS:
		describe_process(t, track);
		break;
	case TRACK_THREAD:
		describe_thread(t, track);
		break;
	case TRACK_REQUESTS:
		/* Those of one name are shown as one. */
		proto_string(t, TRACK_name, track->name);
		break;
	case TRACK_COUNTER:
		describe_counter(t);
		/* fall through */
	case TRACK_FD:
		proto_string(t, TRACK_name, track->name);
		proto_number(t, TRACK_sibling_merge_behavior, MERGE_NONE);
		break;
	}
	proto_end(t, descriptor);
	end_packet(p);
}

/* The name's number; *is_new: it has none yet, and gets this one.  The names are the program's own, and stay.  */
static size_t number_of(struct names *names, const char *name, bool *is_new)
{
	size_t i = 0;

	while (i < names->count && names->name[i] != name)
		i++;
	*is_new = i == names->count && i < NAMES_MAX;
	if (*is_new)
		names->name[names->count++] = name;
	return i + 1;
}

/* Into the interned data of the packet, which it begins, the name if it is new.  */
static size_t intern(struct text *t, char **interned, struct names *names, const char *name)
{
	bool is_new;
	size_t number = number_of(names, name, &is_new);
	char *entry;

	if (!is_new)
		return number;
	if (!*interned)
		*interned = proto_begin(t, PACKET_interned_data);
	entry = proto_begin(t, names->field);
	proto_number(t, NAME_iid, number);
	proto_string(t, NAME_name, name);
	proto_end(t, entry);
	return number;
}

static void print_annotation(struct text *t, const struct track_arg *a, size_t name)
{
	char *annotation = proto_begin(t, EVENT_debug_annotations);

	proto_number(t, ANNOTATION_name_iid, name);
	if (a->text)
		proto_string(t, ANNOTATION_string, a->text);
	else
		proto_number(t, ANNOTATION_int, (uint64_t)a->number);
	proto_end(t, annotation);
}

static void print_flows(struct text *t, const struct track_slice *s)
{
	for (size_t i = 0; i < s->flow_count; i++)
		proto_fixed64(t, s->flows[i].is_last ? EVENT_terminating_flow_ids : EVENT_flow_ids, s->flows[i].from.id);
}

static void print_event(struct perfetto *p, enum event_type type, const struct track *track, const struct track_slice *s,
			uint64_t ns)
{
	struct text *t = begin_packet(p, SEQUENCE_NEEDED);
	char *interned = NULL, *event;
	size_t name = s->name ? intern(t, &interned, &p->events, s->name) : 0, args[TRACK_ARGS];

	for (size_t i = 0; i < s->arg_count; i++)
		args[i] = intern(t, &interned, &p->annotations, s->args[i].key);
	if (interned)
		proto_end(t, interned);
	stamp(p, t, ns);
	event = proto_begin(t, PACKET_track_event);
	proto_number(t, EVENT_type, type);
	proto_number(t, EVENT_track_uuid, track->id);
	if (name)
		proto_number(t, EVENT_name_iid, name);
	if (s->category)
		proto_string(t, EVENT_categories, s->category);
	for (size_t i = 0; i < s->arg_count; i++)
		print_annotation(t, &s->args[i], args[i]);
	if (s->id && type == BEGIN)
		proto_fixed64(t, EVENT_flow_ids, s->id);
	print_flows(t, s);
	proto_end(t, event);
	end_packet(p);
}

static void print_begin(const struct track *track, const struct track_slice *s, void *arg)
{
	print_event(arg, BEGIN, track, s, s->start_ns);
}

static void print_end(const struct track *track, const struct track_slice *s, void *arg)
{
	print_event(arg, END, track, s, s->end_ns);
}

static void print_instant(const struct track *track, const struct track_slice *s, void *arg)
{
	print_event(arg, INSTANT, track, s, s->start_ns);
}

static void print_counter(const struct track *track, uint64_t ns, uint64_t value, void *arg)
{
	struct perfetto *p = arg;
	struct text *t = begin_packet(p, SEQUENCE_NEEDED);
	char *event;

	stamp(p, t, ns);
	event = proto_begin(t, PACKET_track_event);
	proto_number(t, EVENT_type, COUNTER);
	proto_number(t, EVENT_track_uuid, track->id);
	proto_number(t, EVENT_counter_value, value);
	proto_end(t, event);
	end_packet(p);
}

void perfetto_print(struct trace *t, FILE *to)
{
	static const struct tracks_sink sink = {print_track, print_begin, print_end, print_instant, print_counter};
	static struct perfetto p = {.events = {.field = INTERNED_event_names}, .annotations = {.field = INTERNED_annotation_names}};

	if (isatty(fileno(to)))
		die(STATUS_USAGE, "perfetto: is not for a terminal: name a file with -o");
	p.to = to;
	p.base_ns = t->base_ns;
	print_clocks(&p, t->control.start_realtime_ns);
	tracks_walk(t, &sink, &p);
}
