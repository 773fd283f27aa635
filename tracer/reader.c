/* reader.c - opens a trace and walks its records.  Nothing in a file is trusted: every offset is checked against its size, and
 * what makes no sense is skipped.  */
#include "reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"
#include "shim/shim.h"

static const char *check_preamble(const struct trace_preamble *p, const char *magic)
{
	static char newer[120];

	if (memcmp(p->magic, magic, sizeof p->magic) != 0)
		return "not a trace of eagain";
	if (p->byte_order != TRACE_BYTE_ORDER)
		return "written on a machine of the other byte order: read it there";
	if (p->version > TRACE_VERSION) {
		snprintf(newer, sizeof newer, "written by a newer eagain (format %u, this one reads %u): read it with that one",
			 p->version, TRACE_VERSION);
		return newer;
	}
	if (p->record_size != sizeof(struct trace_record) || p->features)
		return "has records that this eagain does not know: read it with the one that wrote it";
	return NULL;
}

/* Reads the control file; NULL or why not.  */
static const char *read_control(const char *dir, struct trace_control *control)
{
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
	ssize_t n;

	if (dir_fd < 0)
		return strerror(errno);
	fd = openat(dir_fd, TRACE_CONTROL_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	close(dir_fd);
	if (fd < 0)
		return errno == ENOENT ? "not a trace: there is no control file in it" : strerror(errno);
	n = read(fd, control, sizeof *control);
	close(fd);
	if (n != (ssize_t)sizeof *control)
		return "not a trace: its control file is cut short";
	return check_preamble(&control->preamble, TRACE_CONTROL_MAGIC);
}

bool reader_is_trace(const char *dir)
{
	struct trace_control control = {0};
	const char *why = read_control(dir, &control);

	return !why || !memcmp(control.preamble.magic, TRACE_CONTROL_MAGIC, sizeof control.preamble.magic);
}

/* Where a chunk may begin, from offset on: not in a hole.  */
static size_t next_data(int fd, size_t offset)
{
	off_t next = lseek(fd, (off_t)offset, SEEK_DATA);

	if (next < 0)
		return errno == ENXIO ? SIZE_MAX : offset;
	return (size_t)next / TRACE_CHUNK_ALIGN * TRACE_CHUNK_ALIGN;
}

/* Looks for the chunks by reading: in a mapping, a hole of a full tmpfs is a SIGBUS.  */
static void find_chunks(struct trace_file *f, int fd)
{
	size_t offset = TRACE_HEADER_SIZE, room = 0;
	struct trace_chunk c;

	while (offset < f->size && pread(fd, &c, sizeof c, (off_t)offset) == (ssize_t)sizeof c) {
		if (c.magic != TRACE_CHUNK_MAGIC || !c.size || c.size % TRACE_CHUNK_ALIGN != 0) {
			offset = next_data(fd, offset + TRACE_CHUNK_ALIGN);
			continue;
		}
		if (f->chunk_count == room) {
			room = room ? room * 2 : 4;
			f->chunks = must_have(realloc(f->chunks, room * sizeof *f->chunks));
		}
		f->chunks[f->chunk_count++] = offset;
		offset += c.size;
	}
}

static void close_file(struct trace_file *f)
{
	munmap((void *)(uintptr_t)f->bytes, f->size);
	free(f->chunks);
}

/* Why there is nothing in a file yet.  */
static const char unbegun[] = "its process was killed as it began";

/* Maps a file that is large enough to be one of a process; NULL or why not.  */
static const char *map_file(int fd, struct stat *st, void **p)
{
	if (fd < 0 || fstat(fd, st) < 0)
		return strerror(errno);
	if (!S_ISREG(st->st_mode))
		return "not a file";
	if (st->st_size == 0)
		return unbegun;
	if (st->st_size < (off_t)TRACE_HEADER_SIZE)
		return "cut short";
	*p = mmap(NULL, (size_t)st->st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	return *p == MAP_FAILED ? strerror(errno) : NULL;
}

/* Maps one process file; NULL or why not.  */
static const char *open_file(struct trace_file *f, int dir, const char *name)
{
	struct stat st;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	void *p = NULL;
	const char *why = map_file(fd, &st, &p);

	if (why) {
		if (fd >= 0)
			close(fd);
		return why;
	}
	memset(f, 0, sizeof *f);
	f->bytes = p;
	f->size = (size_t)st.st_size;
	f->header = p;
	snprintf(f->name, sizeof f->name, "%s", name);
	find_chunks(f, fd);
	close(fd);
	/* The magic is written last. */
	why = f->header->preamble.magic[0] ? check_preamble(&f->header->preamble, TRACE_PROCESS_MAGIC) : unbegun;
	if (why)
		close_file(f);
	return why;
}

static int by_start(const void *a, const void *b)
{
	const struct trace_file *x = a, *y = b;
	uint64_t s = x->header->preamble.start_ns, t = y->header->preamble.start_ns;

	return s < t ? -1 : s > t ? 1 : strcmp(x->name, y->name);
}

static void open_files(struct trace *t, const char *dir)
{
	DIR *d = opendir(dir);
	const char *why;
	size_t room = 0;

	for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		if (t->file_count == room) {
			room = room ? room * 2 : 16;
			t->files = must_have(realloc(t->files, room * sizeof *t->files));
		}
		why = open_file(&t->files[t->file_count], dirfd(d), e->d_name);
		if (!why)
			t->file_count++;
		else if (!t->unread_count++)
			t->unread_why = why;
	}
	if (d)
		closedir(d);
	if (t->file_count)
		qsort(t->files, t->file_count, sizeof *t->files, by_start);
}

struct pairs {
	uint64_t first_ticks, first_ns, last_ticks, last_ns;
};

static void add_pair(struct pairs *p, uint64_t ticks, uint64_t ns)
{
	if (ns < p->first_ns || ticks < p->first_ticks || ns <= p->last_ns || ticks <= p->last_ticks)
		return;
	p->last_ticks = ticks;
	p->last_ns = ns;
}

static void exit_pair(const struct trace_record *r, uint32_t tid, size_t rest, void *arg)
{
	(void)tid;
	(void)rest;
	if (r->kind == TRACE_EXIT)
		add_pair(arg, r->t, r->duration);
}

/* One fit for the whole trace: through its start and the latest pair of all, which is the longest base there is.  */
static void fit_clock(struct trace *t)
{
	const struct trace_preamble *start = &t->control.preamble;
	struct pairs p = {start->start_ticks, start->start_ns, start->start_ticks, start->start_ns};

	t->base_ticks = start->start_ticks;
	t->base_ns = start->start_ns;
	t->ns_per_tick = 1;
	if (start->clock != TRACE_CLOCK_TSC)
		return;
	for (size_t i = 0; i < t->file_count; i++) {
		const struct trace_file *f = &t->files[i];

		add_pair(&p, f->header->preamble.start_ticks, f->header->preamble.start_ns);
		for (size_t k = 0; k < f->chunk_count; k++) {
			const struct trace_chunk *c = (const void *)(f->bytes + f->chunks[k]);

			add_pair(&p, c->ticks, c->ns);
			add_pair(&p, c->last_ticks, c->last_ns);
		}
		reader_each(f, exit_pair, &p);
	}
	if (p.last_ticks > p.first_ticks)
		t->ns_per_tick = (double)(p.last_ns - p.first_ns) / (double)(p.last_ticks - p.first_ticks);
}

struct trace *reader_try(const char *dir, const char **why)
{
	static char none[200];
	struct trace *t = must_have(calloc(1, sizeof *t));

	*why = read_control(dir, &t->control);
	if (*why) {
		free(t);
		return NULL;
	}
	open_files(t, dir);
	if (t->unread_count && !t->file_count) {
		snprintf(none, sizeof none, "none of its %zu process file%s can be read: %s", t->unread_count,
			 t->unread_count == 1 ? "" : "s", t->unread_why);
		*why = none;
		reader_close(t);
		return NULL;
	}
	fit_clock(t);
	return t;
}

struct trace *reader_open(const char *dir)
{
	const char *why;
	struct trace *t = reader_try(dir, &why);

	if (!t)
		die(STATUS_FAILED, "%s: %s", dir, why);
	return t;
}

void reader_close(struct trace *t)
{
	for (size_t i = 0; i < t->file_count; i++)
		close_file(&t->files[i]);
	free(t->files);
	free(t);
}

uint64_t reader_duration(const struct trace *t, uint64_t ticks)
{
	double ns = (double)ticks * t->ns_per_tick;

	return ns < 1e18 ? (uint64_t)(ns + 0.5) : 0;
}

uint64_t reader_ns(const struct trace *t, uint64_t ticks)
{
	return ticks > t->base_ticks ? reader_duration(t, ticks - t->base_ticks) : 0;
}

uint64_t reader_ticks(const struct trace *t, uint64_t ns)
{
	double ticks = ns > t->base_ns ? (double)(ns - t->base_ns) / t->ns_per_tick : 0;

	return t->base_ticks + (ticks < 1e18 ? (uint64_t)ticks : 0);
}

/* A call stands at its beginning; but one that opened an fd, behind the NAME of what it opened.  */
static uint64_t place(const struct trace_record *r)
{
	static const bool opens[] = {
#define CALL(id, name, wait, class, number) OP_##class == OP_OPEN || OP_##class == OP_OPEN_PAIR,
#include "shim/calls.def"
#undef CALL
	};

	return r->kind == TRACE_CALL && r->call < sizeof opens && opens[r->call] ? r->t + r->duration : r->t;
}

struct found {
	const struct trace_record *record;
	size_t rest;
	uint32_t tid;
};

struct found_list {
	struct found *all;
	size_t count, room;
	bool sorted;                    /* as they were found: so it is in most files of one thread */
};

static void found(struct found_list *list, const struct trace_record *r, uint32_t tid, size_t rest)
{
	if (list->count == list->room) {
		list->room = list->room ? list->room * 2 : 2048;
		list->all = must_have(realloc(list->all, list->room * sizeof *list->all));
	}
	if (list->count && place(list->all[list->count - 1].record) > place(r))
		list->sorted = false;
	list->all[list->count++] = (struct found){r, rest, tid};
}

static void find_in_chunk(struct found_list *list, const struct trace_chunk *c, size_t size)
{
	const struct trace_record *r = (const void *)(c + 1);
	size_t n = (size - sizeof *c) / sizeof *r;
	uint32_t tid = c->tid;

	for (size_t i = 0; i < n; i++) {
		uint8_t kind = __atomic_load_n(&r[i].kind, __ATOMIC_ACQUIRE);

		if (kind == TRACE_NONE || kind == TRACE_TEXT || kind >= TRACE_KIND_COUNT)
			continue;
		if (kind == TRACE_THREAD)
			tid = (uint32_t)r[i].fd;
		found(list, &r[i], tid, n - i - 1);
	}
}

static int by_time(const void *a, const void *b)
{
	const struct trace_record *x = ((const struct found *)a)->record, *y = ((const struct found *)b)->record;

	if (place(x) != place(y))
		return place(x) < place(y) ? -1 : 1;
	return x < y ? -1 : x > y;
}

void reader_each(const struct trace_file *file, record_visitor *visit, void *arg)
{
	struct found_list list = {.sorted = true};

	for (size_t k = 0; k < file->chunk_count; k++) {
		const struct trace_chunk *c = (const void *)(file->bytes + file->chunks[k]);
		size_t left = file->size - file->chunks[k];

		find_in_chunk(&list, c, c->size < left ? c->size : left);
	}
	if (!list.sorted)
		qsort(list.all, list.count, sizeof *list.all, by_time);
	for (size_t i = 0; i < list.count; i++)
		visit(list.all[i].record, list.all[i].tid, list.all[i].rest, arg);
	free(list.all);
}

size_t reader_text(const struct trace_record *name, size_t rest, char *text, size_t size)
{
	size_t n = name->text_size, done = 0;

	if (n > size - 1)
		n = size - 1;
	for (size_t slot = 1; done < n && slot <= rest && name[slot].kind == TRACE_TEXT; slot++) {
		size_t part = n - done < TRACE_TEXT_BYTES ? n - done : TRACE_TEXT_BYTES;

		memcpy(text + done, (const char *)&name[slot] + 1, part);
		done += part;
	}
	text[done] = 0;
	return done;
}
