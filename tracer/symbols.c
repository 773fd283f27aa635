/* symbols.c - reads the symbol tables of ELF files (elf(5)), as far as they make sense.  Those that were read are kept.  */
#include "symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"
#include "screen.h"

enum { TABLE_MAX = 1 << 28, KEPT_MAX = 1 << 29, BUILD_ID = TRACE_BUILD_ID };

struct function {
	uint64_t start, size;
	uint32_t name;                  /* in names */
};

struct table {
	char *path;
	unsigned char id[BUILD_ID];     /* of the file that it is to be of; zeros: of any */
	struct function *functions;     /* by start */
	size_t count;
	char *names;
	uint64_t names_size;
	struct table *next;
};

/* So many bytes from there, and a NUL; NULL where the file has fewer.  */
static void *read_part(int fd, uint64_t offset, uint64_t size)
{
	char *part;

	if (!size || size > TABLE_MAX || offset > INT64_MAX - TABLE_MAX)
		return NULL;
	part = must_have(malloc(size + 1));
	part[size] = 0;
	if (pread(fd, part, size, (off_t)offset) == (ssize_t)size)
		return part;
	free(part);
	return NULL;
}

static Elf64_Shdr *read_sections(int fd, size_t *count)
{
	Elf64_Ehdr *h = read_part(fd, 0, sizeof *h);
	Elf64_Shdr *sections = NULL;
	const uint16_t one = 1;
	bool little = *(const unsigned char *)&one;

	if (h && !memcmp(h->e_ident, ELFMAG, SELFMAG) && h->e_ident[EI_CLASS] == ELFCLASS64 &&
	    h->e_ident[EI_DATA] == (little ? ELFDATA2LSB : ELFDATA2MSB) && h->e_shentsize == sizeof *sections) {
		*count = h->e_shnum;
		sections = read_part(fd, h->e_shoff, *count * sizeof *sections);
	}
	free(h);
	return sections;
}

/* The table that has all functions, or, of a stripped file, those that others may call.  */
static const Elf64_Shdr *choose(const Elf64_Shdr *sections, size_t count)
{
	const Elf64_Shdr *best = NULL;

	for (size_t i = 0; i < count; i++)
		if ((sections[i].sh_type == SHT_SYMTAB || (sections[i].sh_type == SHT_DYNSYM && !best)) &&
		    sections[i].sh_entsize == sizeof(Elf64_Sym) && sections[i].sh_link < count)
			best = &sections[i];
	return best;
}

static int by_start(const void *a, const void *b)
{
	const struct function *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->size < y->size ? -1 : x->size > y->size;
}

static void take_functions(struct table *t, const Elf64_Sym *symbols, size_t count)
{
	t->functions = must_have(calloc(count + 1, sizeof *t->functions));
	for (size_t i = 0; i < count; i++) {
		const Elf64_Sym *s = &symbols[i];
		unsigned type = ELF64_ST_TYPE(s->st_info);

		if ((type == STT_FUNC || type == STT_GNU_IFUNC) && s->st_shndx != SHN_UNDEF && s->st_name < t->names_size &&
		    s->st_value)
			t->functions[t->count++] = (struct function){s->st_value, s->st_size, s->st_name};
	}
	qsort(t->functions, t->count, sizeof *t->functions, by_start);
}

/* By which a file and its debugging symbols are told to belong together: a note of 20 bytes, named "GNU".  */
static bool read_build_id(int fd, const Elf64_Shdr *sections, size_t count, unsigned char id[BUILD_ID])
{
	bool found = false;

	for (size_t i = 0; i < count && !found; i++) {
		unsigned char *note = sections[i].sh_type == SHT_NOTE && sections[i].sh_size == sizeof(Elf64_Nhdr) + 4 + BUILD_ID ?
			read_part(fd, sections[i].sh_offset, sections[i].sh_size) : NULL;
		Elf64_Nhdr h;

		if (!note)
			continue;
		memcpy(&h, note, sizeof h);
		found = h.n_type == NT_GNU_BUILD_ID && h.n_namesz == 4 && h.n_descsz == BUILD_ID &&
			!memcmp(note + sizeof h, "GNU", 4);
		memcpy(id, note + sizeof h + 4, BUILD_ID);
		free(note);
	}
	return found;
}

/* Nor one of proc(5), whose sizes are 0.  */
static bool is_file(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_size >= (off_t)sizeof(Elf64_Ehdr);
}

/* Of a device, to open it may already do something.  */
static int open_file(const char *path)
{
	struct stat st;
	int fd = stat(path, &st) == 0 && is_file(&st) ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;

	if (fd < 0 || (fstat(fd, &st) == 0 && is_file(&st)))
		return fd;
	close(fd);
	return -1;
}

/* Where distributions put them (GDB's manual, "Debugging Information in Separate Files").  */
static int open_debug_file(const unsigned char id[BUILD_ID])
{
	char path[sizeof "/usr/lib/debug/.build-id/xx/.debug" + 2UL * BUILD_ID];
	int n = snprintf(path, sizeof path, "/usr/lib/debug/.build-id/%02x/", id[0]);

	for (size_t i = 1; i < BUILD_ID; i++)
		n += snprintf(path + n, sizeof path - (size_t)n, "%02x", id[i]);
	snprintf(path + n, sizeof path - (size_t)n, ".debug");
	return open_file(path);
}

/* Whether it is the file that was there as the trace was recorded.  */
static bool is_it(const struct table *t, bool has_id, const unsigned char id[BUILD_ID])
{
	static const unsigned char none[BUILD_ID];

	return !memcmp(t->id, none, BUILD_ID) || (has_id && !memcmp(t->id, id, BUILD_ID));
}

/* Of a file, or, where it is stripped, of its debugging symbols.  */
static void read_table(struct table *t, int fd, bool may_be_elsewhere)
{
	unsigned char id[BUILD_ID];
	size_t count = 0;
	Elf64_Shdr *sections = read_sections(fd, &count);
	bool has_id = sections && read_build_id(fd, sections, count, id);
	const Elf64_Shdr *s = sections && is_it(t, has_id, id) ? choose(sections, count) : NULL;
	bool stripped = s && s->sh_type != SHT_SYMTAB;
	int debug = may_be_elsewhere && stripped && has_id ? open_debug_file(id) : -1;
	Elf64_Sym *symbols = s && debug < 0 ? read_part(fd, s->sh_offset, s->sh_size) : NULL;

	if (debug >= 0) {
		read_table(t, debug, false);
		close(debug);
	}
	if (symbols) {
		t->names_size = sections[s->sh_link].sh_size;
		t->names = read_part(fd, sections[s->sh_link].sh_offset, t->names_size);
	}
	if (symbols && t->names)
		take_functions(t, symbols, s->sh_size / sizeof *symbols);
	free(symbols);
	free(sections);
}

/* A path that is not absolute names no file here.  */
static const struct table *table_of(const char *path, const unsigned char id[BUILD_ID])
{
	static struct table *tables;
	static uint64_t kept;           /* bytes */
	struct table *t;
	int fd;

	for (t = tables; t; t = t->next)
		if (!strcmp(t->path, path) && !memcmp(t->id, id, BUILD_ID))
			return t;
	t = must_have(calloc(1, sizeof *t));
	t->path = must_have(strdup(path));
	memcpy(t->id, id, BUILD_ID);
	t->next = tables;
	tables = t;
	fd = *path == '/' && kept < KEPT_MAX ? open_file(path) : -1;
	if (fd >= 0) {
		read_table(t, fd, true);
		kept += t->count * sizeof *t->functions + t->names_size;
		close(fd);
	}
	return t;
}

/* Some, written by hand, have no size.  */
static const char *find(const struct table *t, uint64_t address)
{
	size_t low = 0, high = t->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (t->functions[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || (t->functions[low - 1].size && address - t->functions[low - 1].start >= t->functions[low - 1].size))
		return NULL;
	return t->names + t->functions[low - 1].name;
}

void symbols_name(const struct symbols_object *object, uint64_t address, char *text, size_t size)
{
	const char *path = object ? object->path : "?", *slash = strrchr(path, '/');
	const char *name = object ? find(table_of(path, object->id), address) : NULL;

	if (name && *name)
		snprintf(text, size, "%.*s", (int)strcspn(name, "@"), name);
	else
		snprintf(text, size, "%.60s+0x%" PRIx64, slash ? slash + 1 : path, address);
	screen_clean(text);
}
