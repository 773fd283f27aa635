/* wires.c - counts the bytes that go in and come out.  */
#include "wires.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "say.h"

enum { WIRES_MAX = 4096, TABLE = 1024, SEGMENTS_MAX = 256 };

/* What one write has put in, up to byte `end`; id 0: it is not certain whose it is.  */
struct wire_segment {
	uint64_t end;
	struct wire_source from;
};

static size_t hash(const char *key)
{
	return hash_text(key) % TABLE;
}

static void forget(struct wires *ws, struct wire **at)
{
	struct wire *w = *at;

	*at = w->next;
	ws->count--;
	if (ws->forget)
		ws->forget(w, ws->arg);
	free(w->segments);
	free(w->key);
	free(w);
}

static bool is_connection(const struct wire *w)
{
	return w->inodes[0] || w->inodes[1];
}

/* A pipe that holds bytes may come back, in a process that has not used it yet.  */
static bool may_come_back(const struct wire *w)
{
	return !is_connection(w) && w->written != w->read;
}

/* Those that nobody has now.  */
static void sweep(struct wires *ws, bool (*is_kept)(const struct wire *w))
{
	for (size_t i = 0; i < TABLE; i++) {
		for (struct wire **at = &ws->table[i]; *at;) {
			if ((*at)->refs || (is_kept && is_kept(*at)))
				at = &(*at)->next;
			else
				forget(ws, at);
		}
	}
}

/* When one of those has to go that may come back, it is not known any more of any pipe that is met whether it is new.  */
static void make_room(struct wires *ws)
{
	size_t count;

	sweep(ws, may_come_back);
	count = ws->count;
	if (count < WIRES_MAX)
		return;
	sweep(ws, NULL);
	if (ws->count < count)
		ws->is_complete = false;
}

struct wire *wires_get(struct wires *ws, const char *key)
{
	struct wire *w;

	if (!ws->table)
		ws->table = must_have(calloc(TABLE, sizeof(struct wire *)));
	for (w = ws->table[hash(key)]; w; w = w->next) {
		if (!strcmp(w->key, key)) {
			w->refs++;
			return w;
		}
	}
	if (ws->count == WIRES_MAX)
		make_room(ws);
	if (ws->count == WIRES_MAX)
		return NULL;
	w = must_have(calloc(1, sizeof *w));
	w->key = must_have(strdup(key));
	w->refs = 1;
	w->is_synced = ws->is_complete;
	w->next = ws->table[hash(key)];
	ws->table[hash(key)] = w;
	ws->count++;
	return w;
}

void wires_put(struct wires *ws, struct wire *w)
{
	struct wire **at = &ws->table[hash(w->key)];

	if (--w->refs || w->user || may_come_back(w))
		return;
	while (*at != w)
		at = &(*at)->next;
	forget(ws, at);
}

void wires_free(struct wires *ws)
{
	if (!ws->table)
		return;
	for (size_t i = 0; i < TABLE; i++)
		while (ws->table[i])
			forget(ws, &ws->table[i]);
	free(ws->table);
	ws->table = NULL;
}

static void restart(struct wire *w, bool is_synced)
{
	w->written = w->read = 0;
	w->count = 0;
	w->op.id = 0;
	w->is_mixed = w->writing > 0;
	w->is_synced = is_synced;
}

void wire_end_is(struct wires *ws, struct wire *w, bool writes, uint64_t inode)
{
	if (w->inodes[writes] && w->inodes[writes] != inode) {
		restart(w, ws->is_complete);
		w->is_spoiled = w->is_used[0] = w->is_used[1] = false;
		w->inodes[!writes] = 0;
	}
	w->inodes[writes] = inode;
}

static struct wire_segment *segment(struct wire *w, size_t i)
{
	return &w->segments[(w->first + i) % w->room];
}

static void grow(struct wire *w)
{
	size_t room = w->room ? w->room * 2 : 8;
	struct wire_segment *more = must_have(malloc(room * sizeof *more));

	for (size_t i = 0; i < w->count; i++)
		more[i] = *segment(w, i);
	free(w->segments);
	w->segments = more;
	w->first = 0;
	w->room = room;
}

static void push(struct wire *w, const struct wire_source *from, uint64_t n)
{
	w->written += n;
	if (w->written <= w->read || w->is_spoiled)
		return;
	if (w->count == SEGMENTS_MAX) {
		segment(w, w->count - 1)->end = w->written;
		segment(w, w->count - 1)->from.id = 0;
		return;
	}
	if (w->count == w->room)
		grow(w);
	*segment(w, w->count++) = (struct wire_segment){w->written, *from};
}

void wire_write(struct wire *w, const struct wire_source *from, int64_t n)
{
	static const struct wire_source unknown;

	w->is_used[1] = true;
	if (w->writing++ && !w->is_mixed) {
		w->is_mixed = true;
		/* The other one's, as far as nobody has read it. */
		if (!w->op.id && w->count)
			segment(w, w->count - 1)->from.id = 0;
		w->op.id = 0;
	}
	if (n >= 0)
		push(w, w->is_mixed ? &unknown : from, (uint64_t)n);
	else if (!w->is_mixed)
		w->op = *from;
}

void wire_written(struct wire *w, uint64_t id, int64_t n, uint64_t now)
{
	static const struct wire_source unknown;

	if (n >= 0)
		push(w, w->op.id == id ? &w->op : &unknown, (uint64_t)n);
	if (w->op.id == id)
		w->op.id = 0;
	if (w->writing && --w->writing == 0)
		w->is_mixed = false;
	w->last_write = now;
}

static bool is_sure(const struct wire *w)
{
	return w->is_synced && !w->is_spoiled;
}

size_t wire_read(struct wire *w, uint32_t tid, uint64_t n, struct wire_flow flows[WIRE_FLOWS])
{
	size_t found = 0;

	w->is_used[0] = true;
	w->reader = !w->reader || w->reader == tid ? tid : UINT32_MAX;
	w->read += n;
	if (w->read > w->written && !w->writing && w->is_synced)
		wire_spoil(w);
	while (w->count) {
		const struct wire_segment *s = segment(w, 0);
		uint64_t end = s->end;

		if (s->from.id && is_sure(w) && found < WIRE_FLOWS)
			flows[found++] = (struct wire_flow){s->from, w->read >= end};
		if (w->read < end)
			return found;
		w->first = (w->first + 1) % w->room;
		w->count--;
		if (w->read == end)
			return found;
	}
	if (w->read > w->written && w->op.id && is_sure(w) && found < WIRE_FLOWS)
		flows[found++] = (struct wire_flow){w->op, false};
	return found;
}

void wire_is_empty(struct wire *w, uint32_t tid, uint64_t since)
{
	if (w->writing || w->last_write >= since || (w->reader && w->reader != tid))
		return;
	if (!w->is_synced)
		restart(w, true);
	else if (w->read != w->written)
		wire_spoil(w);
}

void wire_spoil(struct wire *w)
{
	w->is_spoiled = true;
	w->count = 0;
}

bool wire_queue(const struct wire *w, uint64_t *bytes)
{
	*bytes = w->written - w->read;
	return is_sure(w) && w->is_used[0] && w->is_used[1] && !w->op.id && !w->is_mixed && w->written >= w->read;
}
