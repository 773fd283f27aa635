/* trace.c - a libFuzzer target: an input is a trace, one view of it, and one filter.  No input may crash the view, keep it busy,
 * fill the memory, or bring a control character into what it writes.
 *
 * An input is a byte for the view, one for the filter, and pieces: the file (0 is control; +128: written while `top` looks), how
 * many slots of zeros or of what is there, how many slots, and those.  Slots have 32 bytes, as records do, so that mutations stay
 * in place. pack.pl makes one of a trace.  */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "drawing.h"
#include "export.h"
#include "filter.h"
#include "json.h"
#include "log.h"
#include "report.h"
#include "say.h"
#include "timeline.h"
#include "top.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
void __wrap_die(int status, const char *format, ...);
void __wrap_say(const char *format, ...);
int __wrap_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left);

enum { SLOT = 32, FILES = 6, PIECE = 5, HEAD = 2, LATER = 128, FILE_MAX = 4 << 20 };

static char directory[] = "/tmp/eagain.fuzz.XXXXXX";
static char shared[] = "/dev/shm/eagain.fuzz.XXXXXX";
static const char *dir;
static jmp_buf gave_up;
static struct trace *opened;
static const uint8_t *later, *later_end; /* pieces */
static char names[FILES][32];

/* The views.  */

static void view_timeline(struct trace *t, FILE *to)
{
	timeline_print(t, &(struct view){.to_ns = UINT64_MAX}, to);
}

static void view_fds(struct trace *t, FILE *to)
{
	timeline_print(t, &(struct view){.by_fd = true, .to_ns = UINT64_MAX}, to);
}

static void view_stretch(struct trace *t, FILE *to)
{
	timeline_print(t, &(struct view){.from_ns = 1000, .to_ns = 10000000}, to);
}

static void view_op(struct trace *t, FILE *to)
{
	drawing_print(t, 1, 80, to);
}

static void view_top(enum rows_by by, FILE *to)
{
	FILE *out = stdout;

	stdout = to;
	top(dir, by, 1, 3);
	stdout = out;
}

static const struct fuzz_view {
	const char *name;
	void (*print)(struct trace *t, FILE *to);
	enum rows_by by; /* without `print`: top */
} views[] = {
	{"report", report_print, 0},	{"json", json_report, 0}, {"path", report_path, 0},	{"log", log_print, 0},
	{"timeline", view_timeline, 0}, {"fds", view_fds, 0},	  {"stretch", view_stretch, 0}, {"op", view_op, 0},
#define FORMAT(name, summary) {"export " #name, name##_print, 0},
#include "formats.def"
#undef FORMAT
	{"top", NULL, BY_PROCESS},	{"top", NULL, BY_THREAD}, {"top", NULL, BY_FD},
};

static const struct options filters[] = {
	{{0}},
	{.value[SETTING_call] = "read,*poll*"},
	{.value[SETTING_exclude] = "write"},
	{.value[SETTING_fd] = "0,3-5"},
	{.value[SETTING_path] = "pipe*,*x*"},
	{.value[SETTING_exclude_path] = "*:*"},
	{.value[SETTING_longer_than] = "1ms"},
	{.value[SETTING_program] = "sh,c*"},
	{.value[SETTING_pid] = "2-100000"},
	{.value[SETTING_call] = "read", .value[SETTING_fd] = "0-9", .value[SETTING_longer_than] = "1us"},
};

enum { VIEWS = sizeof views / sizeof *views, FILTERS = sizeof filters / sizeof *filters };

/* The trace.  */

static size_t number_at(const uint8_t *p)
{
	return (size_t)p[0] | (size_t)p[1] << 8;
}

/* Writes the pieces; those that are for later, or the others.  */
static void write_pieces(const uint8_t *p, const uint8_t *end, bool is_later, const int fds[FILES])
{
	size_t at[FILES] = {0};

	while (end - p > PIECE) {
		unsigned file = *p % LATER % FILES;
		size_t room = (size_t)(end - p) - PIECE, size = number_at(p + 3) * SLOT;

		size = size < room ? size : room;
		if ((*p >= LATER) == is_later) {
			at[file] += number_at(p + 1) * SLOT;
			if (at[file] + size <= FILE_MAX && fds[file] >= 0 &&
			    pwrite(fds[file], p + PIECE, size, (off_t)at[file]) < 0)
				abort();
			at[file] += size;
		}
		p += PIECE + size;
	}
}

/* A process file is called by the pid that is in it.  */
static void name_file(int at, unsigned file, int fd)
{
	uint32_t pid = 0;
	char old[32];

	if (pread(fd, &pid, sizeof pid, offsetof(struct trace_process, pid)) != (ssize_t)sizeof pid)
		return;
	memcpy(old, names[file], sizeof old);
	for (unsigned n = 0; n < FILES; n++) {
		snprintf(names[file], sizeof names[file], "%u.%u", pid, n);
		if (faccessat(at, names[file], F_OK, 0) < 0)
			break;
	}
	renameat(at, old, at, names[file]);
}

static void make_trace(const uint8_t *data, const uint8_t *end)
{
	int at = open(dir, O_RDONLY | O_DIRECTORY), fds[FILES];

	for (unsigned file = 0; file < FILES; file++) {
		snprintf(names[file], sizeof names[file], file ? "x%u" : TRACE_CONTROL_NAME, file);
		fds[file] = openat(at, names[file], O_RDWR | O_CREAT | O_TRUNC, 0600);
	}
	write_pieces(data, end, false, fds);
	for (unsigned file = 0; file < FILES; file++) {
		if (file)
			name_file(at, file, fds[file]);
		close(fds[file]);
	}
	close(at);
}

static void remove_files(void)
{
	int at = open(dir, O_RDONLY | O_DIRECTORY);

	for (unsigned file = 0; file < FILES; file++)
		unlinkat(at, names[file], 0);
	close(at);
}

/* `top` sleeps between two looks: what is for later is written then.  */
int __wrap_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left)
{
	int at = open(dir, O_RDONLY | O_DIRECTORY), fds[FILES];

	(void)clock, (void)flags, (void)time, (void)left;
	for (unsigned file = 0; file < FILES; file++)
		fds[file] = openat(at, names[file], O_RDWR);
	if (later)
		write_pieces(later, later_end, true, fds);
	later = NULL;
	for (unsigned file = 0; file < FILES; file++)
		close(fds[file]);
	close(at);
	return 0;
}

/* One input.  */

void __wrap_die(int status, const char *format, ...)
{
	(void)status, (void)format;
	longjmp(gave_up, 1);
}

void __wrap_say(const char *format, ...)
{
	(void)format;
}

/* Nothing that a terminal would obey.  */
static void must_be_clean(const struct fuzz_view *v, const uint8_t *text, size_t size)
{
	if (v->print == perfetto_print)
		return;
	for (size_t i = 0; i < size; i++)
		if ((text[i] < ' ' && !strchr("\n\r\t", text[i])) || !text[i] || text[i] == 127 ||
		    (text[i] == 0xc2 && i + 1 < size && text[i + 1] >= 0x80 && text[i + 1] < 0xa0)) {
			fprintf(stderr, "%s: a control character at %zu: %.*s\n", v->name, i, (int)(i < 60 ? i : 60),
				(const char *)text + i - (i < 60 ? i : 60));
			abort();
		}
}

static void look(const struct fuzz_view *v, const struct options *o, FILE *to)
{
	const char *why;

	if (!v->print) {
		view_top(v->by, to);
		return;
	}
	opened = reader_try(dir, &why);
	if (!opened)
		return;
	filter_apply(opened, o);
	v->print(opened, to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FILE *out = stdout, *to;
	char *text;
	size_t length;

	if (size < HEAD + PIECE)
		return 0;
	make_trace(data + HEAD, data + size);
	later = data + HEAD;
	later_end = data + size;
	to = open_memstream(&text, &length);
	if (!setjmp(gave_up))
		look(&views[data[0] % VIEWS], &filters[data[1] % FILTERS], to);
	stdout = out;
	if (opened)
		reader_close(opened);
	opened = NULL;
	fclose(to);
	must_be_clean(&views[data[0] % VIEWS], (const uint8_t *)text, length);
	free(text);
	remove_files();
	return 0;
}

static void remove_directory(void)
{
	rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	dir = mkdtemp(shared);
	if (!dir)
		dir = mkdtemp(directory);
	return dir ? atexit(remove_directory) : -1;
}

/* Mutations that keep to the slots.  */

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 8;
}

/* A slot of any piece.  */
static uint8_t *any_slot(uint8_t *data, size_t size, unsigned *seed)
{
	uint8_t *found = NULL;
	unsigned seen = 0;

	for (uint8_t *p = data + HEAD, *end = data + size; end - p > PIECE + SLOT;) {
		size_t slots = number_at(p + 3), room = ((size_t)(end - p) - PIECE) / SLOT;

		slots = slots < room ? slots : room;
		seen += (unsigned)slots;
		if (slots && next_random(seed) % seen < slots)
			found = p + PIECE + next_random(seed) % slots * SLOT;
		p += PIECE + slots * SLOT;
	}
	return found;
}

static uint64_t odd_number(unsigned *seed)
{
	static const uint64_t numbers[] = {0,
					   1,
					   2,
					   7,
					   0x7f,
					   0xff,
					   4096,
					   65535,
					   INT32_MAX,
					   UINT32_MAX,
					   1ull << 32,
					   1000000000,
					   INT64_MAX,
					   1ull << 63,
					   UINT64_MAX,
					   UINT64_MAX - 1,
					   (uint64_t)-11,
					   (uint64_t)-4095};

	return numbers[next_random(seed) % (sizeof numbers / sizeof *numbers)];
}

static void change_record(struct trace_record *r, unsigned *seed)
{
	switch (next_random(seed) % 8) {
	case 0:
		r->kind = (uint8_t)(next_random(seed) % (TRACE_KIND_COUNT + 1));
		break;
	case 1:
		r->call = (uint8_t)(next_random(seed) % 128);
		break;
	case 2:
		r->way = (uint8_t)(next_random(seed) % 24);
		break;
	case 3:
		r->flags = (uint8_t)next_random(seed);
		break;
	case 4:
		r->fd = next_random(seed) % 4 ? (int32_t)(next_random(seed) % 8) : (int32_t)odd_number(seed);
		break;
	case 5:
		r->t = next_random(seed) % 2 ? r->t + odd_number(seed) : odd_number(seed);
		break;
	case 6:
		r->length = next_random(seed) % 2 ? r->length + odd_number(seed) : odd_number(seed);
		break;
	default:
		r->duration = next_random(seed) % 2 ? r->duration + odd_number(seed) : odd_number(seed);
		break;
	}
}

static void change_slots(uint8_t *data, size_t size, unsigned *seed)
{
	uint8_t *a = any_slot(data, size, seed), *b = any_slot(data, size, seed), kept[SLOT];
	struct trace_record r;

	if (!a || !b)
		return;
	memcpy(kept, a, SLOT);
	switch (next_random(seed) % 4) {
	case 0:
		memcpy(a, b, SLOT);
		memcpy(b, kept, SLOT);
		break;
	case 1:
		memcpy(a, b, SLOT);
		break;
	default:
		memcpy(&r, a, SLOT);
		change_record(&r, seed);
		memcpy(a, &r, SLOT);
		break;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
	if (size < HEAD + PIECE || next_random(&seed) % 3 == 0)
		return LLVMFuzzerMutate(data, size, most);
	if (next_random(&seed) % 4 == 0)
		data[next_random(&seed) % HEAD] = (uint8_t)next_random(&seed);
	for (unsigned n = 1 + next_random(&seed) % 4; n; n--)
		change_slots(data, size, &seed);
	return size;
}
