/* follow.c - reads what is new in a trace.
 *
 * A chunk is read from where the last look ended, up to the first slot behind which nothing is written.  A slot that is still
 * empty before others, because a signal handler records in the midst of it, is looked at again, as is the LOCK of a wait that goes on;
 * some stay so for ever.  */
#include "follow.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hash.h"
#include "say.h"
#include "shim/sys.h"

/* Slots of a chunk: the call that its thread is in now, and what there is to be read once.  */
enum { SLOT_NOW, SLOT_FIRST };

enum {
	FIRST_SLOTS = 64,               /* read at once: at first, then */
	SLOTS = 2048,
	AGAIN = 8,                      /* handlers nest no deeper */
	NAME_SLOTS = 18,                /* that a NAME and its text have, at most, of which anybody wants to know */
};

struct followed_chunk {
	uint64_t offset;
	uint32_t lap, tid;
	bool own;                       /* as in struct reader_place */
	size_t next;                    /* the first slot that was not read */
	size_t again[AGAIN];            /* slots before it that were empty, or may change */
	size_t again_count;
};

/* What is at hand while one looks.  */
struct follow_scan {
	int dir, fd;                    /* the trace; the file in hand */
	uint64_t *known;                /* PID << 32 | N of all files there ever were, hashed; 0: none */
	size_t known_room;
	struct timespec changed;        /* the directory, when it was last read */
	record_visitor *visit;
	void *arg;
	const struct trace_file *file;
	struct trace_record there[SLOTS], slots[SLOTS];
};

struct follow *follow_open(const char *dir, const char **why)
{
	struct follow *f = must_have(calloc(1, sizeof *f));
	struct trace *t = &f->trace;

	f->scan = must_have(calloc(1, sizeof *f->scan));
	*why = reader_control(dir, &t->control);
	f->scan->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!*why && f->scan->dir < 0)
		*why = strerror(errno);
	if (*why) {
		follow_close(f);
		return NULL;
	}
	t->base_ticks = t->last_ticks = t->control.preamble.start_ticks;
	t->base_ns = t->last_ns = t->control.preamble.start_ns;
	t->ns_per_tick = 1;
	return f;
}

static void free_file(struct followed *e)
{
	free((void *)(uintptr_t)e->file.header);
	free(e->chunks);
	free(e);
}

void follow_close(struct follow *f)
{
	for (size_t i = 0; i < f->file_count; i++)
		free_file(f->files[i]);
	if (f->scan->dir >= 0)
		close(f->scan->dir);
	free(f->files);
	free(f->scan->known);
	free(f->scan);
	free(f);
}

void follow_forget(struct follow *f, struct followed *e)
{
	for (size_t i = 0; i < f->file_count; i++)
		if (f->files[i] == e) {
			f->files[i] = f->files[--f->file_count];
			free_file(e);
			return;
		}
}

void follow_clock(struct follow *f)
{
	if (f->trace.control.preamble.clock == TRACE_CLOCK_TSC)
		reader_pair(&f->trace, arch_ticks(), reader_now());
}

/* New files.  */

/* Where the key is in the table, or would be.  */
static uint64_t *find_known(const struct follow_scan *s, uint64_t key)
{
	size_t i = hash_number(key) % s->known_room;

	while (s->known[i] && s->known[i] != key)
		i = (i + 1) % s->known_room;
	return &s->known[i];
}

/* Twice the room, where there are `count` of them.  */
static void grow_known(struct follow_scan *s, size_t count)
{
	uint64_t *old = s->known;
	size_t room = s->known_room;

	if (count * 2 < room)
		return;
	s->known_room = room ? room * 2 : 64;
	s->known = must_have(calloc(s->known_room, sizeof *s->known));
	for (size_t i = 0; i < room; i++)
		if (old[i])
			*find_known(s, old[i]) = old[i];
	free(old);
}

/* "PID.N"; 0: it is not called like that.  */
static uint64_t key_of(const char *name)
{
	char *end;
	uint64_t pid = strtoull(name, &end, 10), n;

	if (*name < '1' || *name > '9' || *end != '.' || end[1] < '0' || end[1] > '9')
		return 0;
	n = strtoull(end + 1, &end, 10);
	return *end || pid > UINT32_MAX || n > UINT32_MAX ? 0 : pid << 32 | n;
}

static bool has_changed(struct follow_scan *s)
{
	struct stat st;
	struct timespec now;
	bool changed;

	if (fstat(s->dir, &st) < 0)
		return false;
	changed = st.st_mtim.tv_sec != s->changed.tv_sec || st.st_mtim.tv_nsec != s->changed.tv_nsec;
	/* The file system's clock may stand still for some milliseconds: a change of just now may not be the last with this time. */
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	s->changed = st.st_mtim;
	if (now.tv_sec - st.st_mtim.tv_sec < 2)
		s->changed.tv_sec = 0;
	return changed;
}

static void add_file(struct follow *f, const char *name)
{
	struct followed *e = must_have(calloc(1, sizeof *e));

	if (f->file_count == f->file_room) {
		f->file_room = f->file_room ? f->file_room * 2 : 16;
		f->files = must_have(realloc(f->files, f->file_room * sizeof(struct followed *)));
	}
	snprintf(e->file.name, sizeof e->file.name, "%s", name);
	f->files[f->file_count++] = e;
	f->seen_count++;
}

static void find_files(struct follow *f)
{
	struct follow_scan *s = f->scan;
	int fd = has_changed(s) ? openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
		uint64_t key = key_of(e->d_name), *known;

		if (!key)
			continue;
		grow_known(s, f->seen_count);
		known = find_known(s, key);
		if (*known)
			continue;
		*known = key;
		add_file(f, e->d_name);
	}
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
}

/* Reads the header of a file that is in hand; false where there is none, yet or at all, or it is no process's.  */
static bool has_header(struct follow *f, struct followed *e)
{
	struct trace_process *header;

	if (e->file.header)
		return true;
	header = must_have(calloc(1, sizeof *header));
	if (pread(f->scan->fd, header, sizeof *header, 0) != (ssize_t)sizeof *header ||
	    reader_check(&header->preamble, TRACE_PROCESS_MAGIC) || header->origin == TRACE_ORIGIN_OBSERVER) {
		free(header);
		return false;
	}
	e->file.header = header;
	e->dropped = header->dropped_events;
	reader_pair(&f->trace, header->preamble.start_ticks, header->preamble.start_ns);
	return true;
}

static void see_dropped(struct follow *f, struct followed *e)
{
	uint64_t dropped;

	if (pread(f->scan->fd, &dropped, sizeof dropped, offsetof(struct trace_process, dropped_events)) != (ssize_t)sizeof dropped)
		return;
	f->dropped += dropped > e->dropped ? dropped - e->dropped : 0;
	e->dropped = dropped;
}

/* Records.  */

/* Reads n slots of a chunk; returns how many there are.  What the first reading finds written, the second reads whole: the kind
 * is stored last, but one copy need not be made in the order of the bytes.  */
static size_t read_slots(struct follow_scan *s, uint64_t chunk, size_t slot, size_t n)
{
	off_t at = (off_t)(chunk + sizeof(struct trace_chunk) + slot * sizeof *s->slots);
	ssize_t first = pread(s->fd, s->there, n * sizeof *s->there, at);
	ssize_t second = first > 0 ? pread(s->fd, s->slots, (size_t)first, at) : 0;

	return second > 0 ? (size_t)second / sizeof *s->slots : 0;
}

/* How many slots the record takes with its text.  */
static size_t slots_of(const struct trace_record *r)
{
	size_t n = r->kind == TRACE_NAME ? (r->text_size + (size_t)TRACE_TEXT_BYTES - 1) / TRACE_TEXT_BYTES + 1 : 1;

	return n < NAME_SLOTS ? n : NAME_SLOTS;
}

/* What the kind alone does not finish.  */
static bool is_open(const struct trace_record *r)
{
	return r->kind == TRACE_NONE || (r->kind == TRACE_LOCK && !r->duration);
}

static void visit_slot(struct follow *f, struct followed_chunk *c, size_t i, size_t n)
{
	const struct follow_scan *s = f->scan;
	const struct trace_record *r = &s->slots[i];
	struct reader_place place = {.file = s->file, .rest = n - i - 1};

	if (r->kind != s->there[i].kind || r->kind == TRACE_NONE || r->kind == TRACE_TEXT || r->kind >= TRACE_KIND_COUNT)
		return;
	if (r->kind == TRACE_THREAD) {
		c->tid = (uint32_t)r->fd;
		c->own = r->flags & TRACE_THREAD_OWN;
	}
	place.tid = c->tid;
	place.own = c->own;
	f->visited += r->kind != TRACE_NAME && r->kind != TRACE_THREAD && !is_open(r);
	s->visit(r, &place, s->arg);
}

/* It comes and goes: it is good if it is the same twice.  */
static void read_now(struct follow *f, const struct followed_chunk *c)
{
	struct follow_scan *s = f->scan;
	struct reader_place place = {.file = s->file};

	if (!read_slots(s, c->offset, SLOT_NOW, 1) || s->slots->kind != TRACE_ENTER || memcmp(s->slots, s->there, sizeof *s->slots) != 0)
		return;
	place.tid = (uint32_t)s->slots->number;
	s->visit(s->slots, &place, s->arg);
}

static void note_again(struct followed_chunk *c, size_t slot)
{
	if (c->again_count == AGAIN)
		memmove(c->again, c->again + 1, --c->again_count * sizeof *c->again);
	c->again[c->again_count++] = slot;
}

/* Those that have been filled or finished meanwhile.  */
static void read_again(struct follow *f, struct followed_chunk *c)
{
	struct follow_scan *s = f->scan;
	size_t left = 0;

	for (size_t i = 0; i < c->again_count; i++) {
		size_t n = read_slots(s, c->offset, c->again[i], NAME_SLOTS);

		if (n)
			visit_slot(f, c, 0, n);
		if (!n || s->there->kind == TRACE_NONE || is_open(s->slots))
			c->again[left++] = c->again[i];
	}
	c->again_count = left;
}

static bool read_header(const struct follow_scan *s, uint64_t offset, struct trace_chunk *c)
{
	return pread(s->fd, c, sizeof *c, (off_t)offset) == (ssize_t)sizeof *c && c->magic == TRACE_CHUNK_MAGIC &&
	       c->size >= TRACE_CHUNK_ALIGN && c->size % TRACE_CHUNK_ALIGN == 0;
}

/* The flight recorder has come round: the chunk begins anew.  */
static void see_lap(struct follow *f, struct followed_chunk *c, const struct trace_chunk *header)
{
	size_t slots = (header->size - sizeof *header) / sizeof(struct trace_record);

	if (header->lap == c->lap)
		return;
	/* The last slots may have been too few for what was to be written. */
	f->missed |= header->lap != c->lap + 1 || c->next + NAME_SLOTS < slots;
	c->lap = header->lap;
	c->next = SLOT_FIRST;
	c->again_count = 0;
}

/* Some slots more, if the chunk is still what it was when they were read; returns how many, 0 where nothing is written yet.  */
static size_t read_some(struct follow *f, struct followed_chunk *c, size_t most)
{
	struct follow_scan *s = f->scan;
	struct trace_chunk header;
	size_t n = read_slots(s, c->offset, c->next, most), end = n, i;

	if (!read_header(s, c->offset, &header))
		return 0;
	if (header.lap != c->lap) {
		see_lap(f, c, &header);
		return 0;
	}
	while (end && s->there[end - 1].kind == TRACE_NONE)
		end--;
	for (i = 0; i < end; i++) {
		/* A name whose text is not all here is read again with what follows. */
		if (i && i + slots_of(&s->slots[i]) > n && n == most)
			break;
		if (s->there[i].kind == TRACE_NONE || is_open(&s->slots[i]))
			note_again(c, c->next + i);
		visit_slot(f, c, i, n);
	}
	c->next += i;
	return end == n ? i : 0;
}

static void read_chunk(struct follow *f, struct followed_chunk *c, const struct trace_chunk *header)
{
	size_t slots = (header->size - sizeof *header) / sizeof(struct trace_record), most = FIRST_SLOTS;

	see_lap(f, c, header);
	read_now(f, c);
	read_again(f, c);
	while (c->next < slots && read_some(f, c, slots - c->next < most ? slots - c->next : most))
		most = SLOTS;
}

/* The chunk at the offset, which is the place-th or a new one.  */
static struct followed_chunk *chunk_at(struct followed *e, size_t place, uint64_t offset, const struct trace_chunk *header)
{
	if (place < e->chunk_count && e->chunks[place].offset == offset)
		return &e->chunks[place];
	if (e->chunk_count == e->chunk_room) {
		e->chunk_room = e->chunk_room ? e->chunk_room * 2 : 4;
		e->chunks = must_have(realloc(e->chunks, e->chunk_room * sizeof *e->chunks));
	}
	memmove(&e->chunks[place + 1], &e->chunks[place], (e->chunk_count++ - place) * sizeof *e->chunks);
	e->chunks[place] = (struct followed_chunk){.offset = offset, .lap = header->lap, .tid = header->tid, .next = SLOT_FIRST};
	return &e->chunks[place];
}

static void read_chunks(struct follow *f, struct followed *e, size_t size)
{
	size_t offset = TRACE_HEADER_SIZE, place = 0;
	struct trace_chunk header;

	while (offset < size) {
		/* Not yet, but another thread's may stand behind it already. */
		if (!read_header(f->scan, offset, &header)) {
			offset = reader_next_data(f->scan->fd, offset + TRACE_CHUNK_ALIGN);
			continue;
		}
		reader_pair(&f->trace, header.ticks, header.ns);
		reader_pair(&f->trace, header.last_ticks, header.last_ns);
		while (place < e->chunk_count && e->chunks[place].offset < offset)
			place++;
		read_chunk(f, chunk_at(e, place, offset, &header), &header);
		offset += header.size;
	}
}

void follow_read(struct follow *f, record_visitor *visit, void *arg)
{
	struct follow_scan *s = f->scan;
	struct stat st;

	s->visit = visit;
	s->arg = arg;
	f->visited = f->dropped = 0;
	f->missed = false;
	find_files(f);
	for (size_t i = 0; i < f->file_count; i++) {
		struct followed *e = f->files[i];

		s->fd = openat(s->dir, e->file.name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (s->fd < 0)
			continue;
		s->file = &e->file;
		if (fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode) && has_header(f, e)) {
			see_dropped(f, e);
			read_chunks(f, e, (size_t)st.st_size);
		}
		close(s->fd);
	}
}
