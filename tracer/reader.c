/* reader.c - opens a trace and walks its records.  Nothing in a file is trusted: every offset is checked against its size, and
 * what makes no sense is skipped.  */
#include "reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "filter.h"
#include "progress.h"
#include "say.h"
#include "shim/shim.h"

const char *reader_check(const struct trace_preamble *p, const char *magic)
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

const char *reader_control(const char *dir, struct trace_control *control)
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
	return reader_check(&control->preamble, TRACE_CONTROL_MAGIC);
}

bool reader_is_trace(const char *dir)
{
	struct trace_control control = {0};
	const char *why = reader_control(dir, &control);

	return !why || !memcmp(control.preamble.magic, TRACE_CONTROL_MAGIC, sizeof control.preamble.magic);
}

size_t reader_next_data(int fd, size_t offset)
{
	off_t next = lseek(fd, (off_t)offset, SEEK_DATA);

	if (next < 0)
		return errno == ENXIO ? SIZE_MAX : offset;
	return (size_t)next / TRACE_CHUNK_ALIGN * TRACE_CHUNK_ALIGN;
}

static void add_pair(struct trace *t, uint64_t ticks, uint64_t ns)
{
	if (ns <= t->last_ns || ticks <= t->last_ticks)
		return;
	t->last_ticks = ticks;
	t->last_ns = ns;
}

static bool is_event(uint8_t kind)
{
	return kind != TRACE_NONE && kind != TRACE_TEXT && kind < TRACE_KIND_COUNT;
}

static bool is_opening(const struct trace_record *r)
{
	static const bool opens[] = {
#define CALL(id, name, wait, class, number) OP_##class == OP_OPEN || OP_##class == OP_OPEN_PAIR,
#include "shim/calls.def"
#undef CALL
	};

	return r->kind == TRACE_CALL && r->call < sizeof opens && opens[r->call];
}

static uint64_t time_of(const struct trace_record *r)
{
	return is_opening(r) ? r->t + r->duration : r->t;
}

/* Whether it is visited as it is entered, too.  */
static bool has_enter(const struct trace_record *r)
{
	return is_opening(r) || (r->kind == TRACE_WOULD_BLOCK && r->lead && r->lead <= r->t);
}

static uint64_t time_entered(const struct trace_record *r)
{
	return r->kind == TRACE_CALL ? r->t : r->t - r->lead;
}

static struct trace_run *new_run(struct trace_file *f, const struct trace_record *first, uint32_t tid)
{
	if (f->run_count == f->run_room) {
		f->run_room = f->run_room ? f->run_room * 2 : 4;
		f->runs = must_have(realloc(f->runs, f->run_room * sizeof *f->runs));
	}
	f->runs[f->run_count] = (struct trace_run){.first = first, .tid = tid, .in_order = true, .earliest = UINT64_MAX};
	return &f->runs[f->run_count++];
}

/* Looks once at each record of a chunk: where runs begin, and whether they are in order.  */
static void scan_chunk(struct trace *t, struct trace_file *f, const struct trace_chunk *c, size_t size)
{
	const struct trace_record *r = (const void *)(c + 1), *end = r + (size - sizeof *c) / sizeof *r;
	struct trace_run *run;
	uint64_t before = 0;

	add_pair(t, c->ticks, c->ns);
	add_pair(t, c->last_ticks, c->last_ns);
	if (r >= end)
		return;
	if (r->kind == TRACE_ENTER) {
		run = new_run(f, r, (uint32_t)r->number);
		run->count = 1;
		run->earliest = r->t;
	}
	run = new_run(f, ++r, c->tid);
	for (; r < end; r++) {
		uint8_t kind = __atomic_load_n(&r->kind, __ATOMIC_ACQUIRE);
		uint64_t at;

		if (!is_event(kind))
			continue;
		if (kind == TRACE_THREAD && r > run->first) {
			run->count = (uint32_t)(r - run->first);
			run->rest = (uint32_t)(end - r);
			run = new_run(f, r, 0);
			before = 0;
		}
		if (kind == TRACE_THREAD) {
			run->tid = (uint32_t)r->fd;
			run->own = r->flags & TRACE_THREAD_OWN;
		}
		if (kind == TRACE_EXIT)
			add_pair(t, r->t, r->duration);
		at = time_of(r);
		if (at < before || has_enter(r))
			run->in_order = false;
		if (has_enter(r))
			at = time_entered(r);
		if (at < run->earliest)
			run->earliest = at;
		before = time_of(r);
	}
	run->count = (uint32_t)(end - run->first);
}

/* Gives the memory back that the file's pages take while they are mapped: also the page where a chunk begins.  */
static void leave(const void *from, const void *to)
{
	uintptr_t first = (uintptr_t)from & ~(uintptr_t)4095, last = (uintptr_t)to & ~(uintptr_t)4095;

	if (last > first)
		madvise((void *)first, last - first, MADV_DONTNEED);
}

/* Looks for the chunks by reading: in a mapping, a hole of a full tmpfs is a SIGBUS.  */
static void scan(struct trace *t, struct trace_file *f, int fd)
{
	size_t offset = TRACE_HEADER_SIZE, left;
	struct trace_chunk c;

	add_pair(t, f->header->preamble.start_ticks, f->header->preamble.start_ns);
	while (offset < f->size && pread(fd, &c, sizeof c, (off_t)offset) == (ssize_t)sizeof c) {
		if (c.magic != TRACE_CHUNK_MAGIC || !c.size || c.size % TRACE_CHUNK_ALIGN != 0) {
			offset = reader_next_data(fd, offset + TRACE_CHUNK_ALIGN);
			continue;
		}
		left = f->size - offset;
		scan_chunk(t, f, (const void *)(f->bytes + offset), c.size < left ? c.size : left);
		leave(f->bytes + offset, f->bytes + offset + (c.size < left ? c.size : left));
		offset += c.size;
	}
}

static void close_file(struct trace_file *f)
{
	munmap((void *)(uintptr_t)f->bytes, f->size);
	free(f->runs);
	memset(f, 0, sizeof *f);
}

/* A process that exits cuts off what it has not used of its file (tracefile.c), and whoever likes may cut more: what was mapped there
 * is a SIGBUS then.  It reads as zeros instead, which are no records.  */
static const struct trace *read_now;

static void read_zeros(int signal_number, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr, page = (uintptr_t)getpagesize();

	(void)context;
	for (size_t i = 0; read_now && i < read_now->file_room + read_now->observed_count; i++) {
		const struct trace_file *f = i < read_now->file_room ? &read_now->files[i] : &read_now->observed[i - read_now->file_room];

		if (at >= (uintptr_t)f->bytes && at < (uintptr_t)f->bytes + f->size &&
		    mmap((void *)(at & ~(page - 1)), page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
			return;
	}
	signal(signal_number, SIG_DFL);
}

static void survive_cuts(const struct trace *t)
{
	const struct sigaction action = {.sa_sigaction = read_zeros, .sa_flags = SA_SIGINFO};

	read_now = t;
	sigaction(SIGBUS, &action, NULL);
}

/* PID.N as one number.  */
static uint64_t key_of(uint64_t pid, uint64_t n)
{
	return n << 32 | (pid & UINT32_MAX);
}

static uint64_t key_of_name(const char *name)
{
	char *end;
	uint64_t pid = strtoul(name, &end, 10);

	return key_of(pid, *end == '.' ? strtoul(end + 1, NULL, 10) : 0);
}

/* Why there is nothing in a file yet.  */
static const char unbegun[] = "its process was killed as it began";

/* Maps a file that is large enough to be one of a process; NULL or why not.  */
static const char *map_file(int fd, struct stat *st, void **p)
{
	uint64_t next;

	if (fd < 0 || fstat(fd, st) < 0)
		return strerror(errno);
	if (!S_ISREG(st->st_mode))
		return "not a file";
	if (st->st_size == 0)
		return unbegun;
	if (st->st_size < (off_t)TRACE_HEADER_SIZE)
		return "cut short";
	/* Behind that, there is but the hole of a process with threads. */
	if (pread(fd, &next, sizeof next, offsetof(struct trace_process, next)) == (ssize_t)sizeof next && next >= TRACE_HEADER_SIZE &&
	    next < (uint64_t)st->st_size)
		st->st_size = (off_t)next;
	*p = mmap(NULL, (size_t)st->st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	return *p == MAP_FAILED ? strerror(errno) : NULL;
}

/* Maps one process file; NULL or why not.  */
static const char *open_file(struct trace *t, struct trace_file *f, int dir, const char *name)
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
	f->key = key_of_name(name);
	/* The magic is written last. */
	why = f->header->preamble.magic[0] ? reader_check(&f->header->preamble, TRACE_PROCESS_MAGIC) : unbegun;
	if (why)
		close_file(f);
	else
		scan(t, f, fd);
	close(fd);
	return why;
}

static int by_start(const void *a, const void *b)
{
	const struct trace_file *x = a, *y = b;
	uint64_t s = x->header->preamble.start_ns, t = y->header->preamble.start_ns;

	return s < t ? -1 : s > t ? 1 : strcmp(x->name, y->name);
}

static int by_earliest(const void *a, const void *b)
{
	const struct trace_run *x = a, *y = b;

	if (x->earliest != y->earliest)
		return x->earliest < y->earliest ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

static int by_key(const void *a, const void *b)
{
	const struct trace_file *x = *(const struct trace_file *const *)a, *y = *(const struct trace_file *const *)b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static void find_keys(struct trace *t)
{
	t->by_key = must_have(realloc(t->by_key, (t->file_count + 1) * sizeof *t->by_key));
	for (size_t i = 0; i < t->file_count; i++)
		t->by_key[i] = &t->files[i];
	if (t->file_count)
		qsort(t->by_key, t->file_count, sizeof *t->by_key, by_key);
}

/* The observers' files apart from those of processes.  */
static void put_in_place(struct trace *t)
{
	size_t count = 0;

	t->observed = must_have(malloc((t->file_count + 1) * sizeof *t->observed));
	for (size_t i = 0; i < t->file_count; i++) {
		if (t->files[i].header->origin == TRACE_ORIGIN_OBSERVER)
			t->observed[t->observed_count++] = t->files[i];
		else
			t->files[count++] = t->files[i];
	}
	if (count < t->file_count)
		memset(t->files + count, 0, (t->file_count - count) * sizeof *t->files);
	t->file_count = count;
	if (count)
		qsort(t->files, count, sizeof *t->files, by_start);
	find_keys(t);
}

/* Its runs say where the file is.  */
static void find_place(struct trace_file *f)
{
	for (size_t i = 0; i < f->run_count; i++)
		f->runs[i].file = f;
}

static void link_runs(struct trace_file *files, size_t count)
{
	for (struct trace_file *f = files; f < files + count; f++) {
		find_place(f);
		if (f->run_count)
			qsort(f->runs, f->run_count, sizeof *f->runs, by_earliest);
	}
}

static void open_files(struct trace *t, const char *dir)
{
	DIR *d = opendir(dir);
	const char *why;
	size_t room;

	survive_cuts(t);
	for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		if (t->file_count == t->file_room) {
			room = t->file_room ? t->file_room * 2 : 16;
			t->files = must_have(realloc(t->files, room * sizeof *t->files));
			memset(t->files + t->file_room, 0, (room - t->file_room) * sizeof *t->files);
			t->file_room = room;
		}
		why = open_file(t, &t->files[t->file_count], dirfd(d), e->d_name);
		if (!why)
			t->file_count++;
		else if (!t->unread_count++)
			t->unread_why = why;
	}
	if (d)
		closedir(d);
	put_in_place(t);
	link_runs(t->files, t->file_count);
	link_runs(t->observed, t->observed_count);
}

void reader_keep(struct trace *t, bool (*wants)(const struct trace_file *, const void *), const void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->file_count; i++) {
		if (!wants(&t->files[i], arg)) {
			close_file(&t->files[i]);
			continue;
		}
		t->files[kept] = t->files[i];
		find_place(&t->files[kept++]);
	}
	if (kept < t->file_count)
		memset(t->files + kept, 0, (t->file_count - kept) * sizeof *t->files);
	t->file_count = kept;
	find_keys(t);
}

/* One fit for the whole trace: through its start and the latest pair of all, which is the longest base there is.  */
static void fit_clock(struct trace *t)
{
	t->ns_per_tick = 1;
	if (t->control.preamble.clock == TRACE_CLOCK_TSC && t->last_ticks > t->base_ticks)
		t->ns_per_tick = (double)(t->last_ns - t->base_ns) / (double)(t->last_ticks - t->base_ticks);
}

void reader_pair(struct trace *t, uint64_t ticks, uint64_t ns)
{
	add_pair(t, ticks, ns);
	fit_clock(t);
}

static uint64_t count_slots(const struct trace_file *files, size_t file_count)
{
	uint64_t count = 0;

	for (size_t i = 0; i < file_count; i++)
		for (size_t k = 0; k < files[i].run_count; k++)
			count += files[i].runs[k].count;
	return count;
}

struct trace *reader_try(const char *dir, const char **why)
{
	static char none[200];
	struct trace *t = must_have(calloc(1, sizeof *t));

	*why = reader_control(dir, &t->control);
	if (*why) {
		free(t);
		return NULL;
	}
	t->base_ticks = t->last_ticks = t->control.preamble.start_ticks;
	t->base_ns = t->last_ns = t->control.preamble.start_ns;
	open_files(t, dir);
	if (t->unread_count && !t->file_count) {
		snprintf(none, sizeof none, "none of its %zu process file%s can be read: %s", t->unread_count,
			 t->unread_count == 1 ? "" : "s", t->unread_why);
		*why = none;
		reader_close(t);
		return NULL;
	}
	fit_clock(t);
	progress_begin(count_slots(t->files, t->file_count) + count_slots(t->observed, t->observed_count));
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
	read_now = NULL;
	for (size_t i = 0; i < t->file_count; i++)
		close_file(&t->files[i]);
	filter_free(t->filter);
	for (size_t i = 0; i < t->observed_count; i++)
		close_file(&t->observed[i]);
	free(t->by_key);
	free(t->observed);
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

uint64_t reader_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t reader_ticks(const struct trace *t, uint64_t ns)
{
	double ticks = ns > t->base_ns ? (double)(ns - t->base_ns) / t->ns_per_tick : 0;

	return t->base_ticks + (ticks < 1e18 ? (uint64_t)ticks : 0);
}

/* A run that is being read.  */
struct cursor {
	const struct trace_run *run;
	uint32_t *order;                /* slot * 2 + 1 as it is entered, or * 2; NULL: as they lie */
	uint32_t at, count;             /* of `order`, or slots */
	uint64_t time;                  /* of the record in hand */
};

static const struct trace_record *record_of(const struct cursor *c)
{
	return &c->run->first[c->order ? c->order[c->at] >> 1 : c->at];
}

static uint64_t time_in(const struct trace_run *run, uint32_t entry)
{
	const struct trace_record *r = &run->first[entry >> 1];

	return entry & 1 ? time_entered(r) : time_of(r);
}

static bool comes_before(const struct trace_run *run, uint32_t a, uint32_t b)
{
	uint64_t x = time_in(run, a), y = time_in(run, b);

	return x != y ? x < y : (a >> 1) != (b >> 1) ? a >> 1 < b >> 1 : a > b;
}

static int by_time(const void *a, const void *b, void *run)
{
	return comes_before(run, *(const uint32_t *)a, *(const uint32_t *)b) ? -1 : 1;
}

/* They are nearly in order, but for a trace that somebody has made up.  */
static void put_in_order(const struct trace_run *run, uint32_t *order, uint32_t count)
{
	uint64_t patience = 64ull * count;

	for (uint32_t i = 1; i < count; i++) {
		uint32_t entry = order[i], k = i;

		for (; k && comes_before(run, entry, order[k - 1]); k--) {
			order[k] = order[k - 1];
			if (patience-- == 0) {
				order[k - 1] = entry;
				qsort_r(order, count, sizeof *order, by_time, (void *)(uintptr_t)run);
				return;
			}
		}
		order[k] = entry;
	}
}

/* Goes on to the next that is an event; false at the end.  */
static bool settle(struct cursor *c)
{
	if (!c->order)
		while (c->at < c->count && !is_event(__atomic_load_n(&c->run->first[c->at].kind, __ATOMIC_ACQUIRE)))
			c->at++;
	if (c->at == c->count)
		return false;
	c->time = c->order ? time_in(c->run, c->order[c->at]) : time_of(&c->run->first[c->at]);
	return true;
}

static bool open_run(struct cursor *c, const struct trace_run *run)
{
	*c = (struct cursor){.run = run, .count = run->count};
	if (run->in_order)
		return settle(c);
	c->order = must_have(malloc(2 * (size_t)run->count * sizeof *c->order));
	c->count = 0;
	for (uint32_t i = 0; i < run->count; i++) {
		if (!is_event(__atomic_load_n(&run->first[i].kind, __ATOMIC_ACQUIRE)))
			continue;
		if (has_enter(&run->first[i]))
			c->order[c->count++] = i << 1 | 1;
		c->order[c->count++] = i << 1;
	}
	put_in_order(run, c->order, c->count);
	return settle(c);
}

static void close_run(struct cursor *c)
{
	free(c->order);
	leave(c->run->first, c->run->first + c->run->count);
}

/* What is read at the same time: a heap, the earliest first.  */
struct merge {
	struct cursor *open;
	size_t count, room;
};

static bool is_earlier(const struct cursor *a, const struct cursor *b)
{
	if (a->time != b->time)
		return a->time < b->time;
	return a->run->file != b->run->file ? a->run->file < b->run->file : record_of(a) < record_of(b);
}

static void swap(struct cursor *a, struct cursor *b)
{
	struct cursor c = *a;

	*a = *b;
	*b = c;
}

static void add_run(struct merge *m, const struct trace_run *run)
{
	size_t i = m->count;

	if (m->count == m->room) {
		m->room = m->room ? m->room * 2 : 16;
		m->open = must_have(realloc(m->open, m->room * sizeof *m->open));
	}
	if (!open_run(&m->open[i], run)) {
		close_run(&m->open[i]);
		return;
	}
	m->count++;
	for (; i && is_earlier(&m->open[i], &m->open[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&m->open[i], &m->open[(i - 1) / 2]);
}

static void sink(struct merge *m)
{
	for (size_t i = 0, child; (child = 2 * i + 1) < m->count; i = child) {
		if (child + 1 < m->count && is_earlier(&m->open[child + 1], &m->open[child]))
			child++;
		if (!is_earlier(&m->open[child], &m->open[i]))
			break;
		swap(&m->open[child], &m->open[i]);
	}
}

/* The process that an EDGE is about; NULL where it has no file that could be read.  */
static const struct trace_file *find_process(const struct trace *t, uint64_t key)
{
	struct trace_file wanted = {.key = key}, *w = &wanted;
	struct trace_file **found = bsearch(&w, t->by_key, t->file_count, sizeof *t->by_key, by_key);

	return found ? *found : NULL;
}

/* What an observer recorded of others.  */
static void visit_observed(const struct trace *t, const struct trace_record *r, record_visitor *visit, void *arg)
{
	struct reader_place place = {.file = r->kind == TRACE_EDGE ? find_process(t, key_of(r->pid, r->n)) : NULL};

	if (!place.file)
		return;
	place.tid = place.file->header->pid;
	visit(r, &place, arg);
}

static void visit_one(const struct trace *t, const struct cursor *c, record_visitor *visit, void *arg)
{
	const struct trace_run *run = c->run;
	const struct trace_record *r = record_of(c);
	size_t before = (size_t)(r - run->first);
	struct reader_place place = {
		.file = run->file, .tid = run->tid, .enter = c->order && (c->order[c->at] & 1), .entered = has_enter(r),
		.own = run->own, .before = before, .rest = run->count - before - 1 + run->rest,
	};

	place.entered &= !place.enter;
	if (run->file->header->origin == TRACE_ORIGIN_OBSERVER)
		visit_observed(t, r, visit, arg);
	else
		visit(r, &place, arg);
}

static void merge(const struct trace *t, const struct trace_run *const *runs, size_t count, record_visitor *visit, void *arg)
{
	struct merge m = {0};
	struct cursor *first;

	for (size_t next = 0; next < count || m.count;) {
		if (next < count && (!m.count || runs[next]->earliest <= m.open->time)) {
			add_run(&m, runs[next++]);
			continue;
		}
		first = m.open;
		visit_one(t, first, visit, arg);
		first->at++;
		if (!settle(first)) {
			close_run(first);
			progress_step(first->run->count);
			*first = m.open[--m.count];
		}
		sink(&m);
	}
	free(m.open);
}

static int by_earliest_of_all(const void *a, const void *b)
{
	const struct trace_run *x = *(const struct trace_run *const *)a, *y = *(const struct trace_run *const *)b;

	if (x->earliest != y->earliest)
		return x->earliest < y->earliest ? -1 : 1;
	return x->file != y->file ? (x->file < y->file ? -1 : 1) : x->first < y->first ? -1 : x->first > y->first;
}

static size_t add_runs(const struct trace_run **runs, size_t count, const struct trace_file *files, size_t file_count)
{
	for (size_t i = 0; i < file_count; i++)
		for (size_t k = 0; k < files[i].run_count; k++)
			runs[count++] = &files[i].runs[k];
	return count;
}

static size_t count_runs(const struct trace_file *files, size_t file_count)
{
	size_t count = 0;

	for (size_t i = 0; i < file_count; i++)
		count += files[i].run_count;
	return count;
}

void reader_walk(const struct trace *t, const struct trace_file *file, record_visitor *visit, void *arg)
{
	const struct trace_run **runs;
	size_t count = 0, room = count_runs(t->files, t->file_count) + count_runs(t->observed, t->observed_count);

	runs = must_have(malloc((room + 1) * sizeof(const struct trace_run *)));
	if (file) {
		count = add_runs(runs, 0, file, 1);
	} else {
		count = add_runs(runs, 0, t->files, t->file_count);
		count = add_runs(runs, count, t->observed, t->observed_count);
		qsort(runs, count, sizeof(const struct trace_run *), by_earliest_of_all);
	}
	merge(t, runs, count, visit, arg);
	progress_end();
	free(runs);
}

void reader_each(const struct trace *t, const struct trace_file *file, record_visitor *visit, void *arg)
{
	if (t->filter)
		filter_each(t, file, visit, arg);
	else
		reader_walk(t, file, visit, arg);
}

const struct trace_record *reader_name_before(const struct trace_record *call, struct reader_place *place)
{
	for (; place->before; place->before--) {
		call--;
		place->rest++;
		if (call->kind == TRACE_NAME)
			return call;
		if (call->kind != TRACE_TEXT)
			return NULL;
	}
	return NULL;
}

size_t reader_text(const struct trace_record *name, const struct reader_place *place, char *text, size_t size)
{
	size_t n = name->text_size, done = 0;

	if (n > size - 1)
		n = size - 1;
	for (size_t slot = 1; done < n && slot <= place->rest && name[slot].kind == TRACE_TEXT; slot++) {
		size_t part = n - done < TRACE_TEXT_BYTES ? n - done : TRACE_TEXT_BYTES;

		memcpy(text + done, (const char *)&name[slot] + 1, part);
		done += part;
	}
	text[done] = 0;
	return done;
}
