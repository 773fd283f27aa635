/* wants.c - reads what is wanted, and tells whether something is.  */
#include "wants.h"

#include <string.h>

static const char *const call_names[] = {
#define CALL(id, name, wait, class, number) name,
#include "calls.def"
#undef CALL
};

enum { CALLS = sizeof call_names / sizeof *call_names };

_Static_assert(CALLS <= 256, "a bit for each call");

/* Whether the glob fits all of the text.  Where a * has taken too little, it takes one character more.  */
static bool fits(const char *glob, size_t glob_size, const char *text, size_t size)
{
	size_t g = 0, t = 0, star = SIZE_MAX, taken = 0;

	while (t < size) {
		if (g < glob_size && glob[g] == '*') {
			star = g++;
			taken = t;
		} else if (g < glob_size && (glob[g] == '?' || glob[g] == text[t])) {
			g++;
			t++;
		} else if (star != SIZE_MAX) {
			g = star + 1;
			t = ++taken;
		} else {
			return false;
		}
	}
	while (g < glob_size && glob[g] == '*')
		g++;
	return g == glob_size;
}

/* Whether one of the globs of a list fits the text.  */
static bool fits_one(const char *list, const char *text, size_t size)
{
	for (;; list++) {
		size_t n = strcspn(list, ",");

		if (fits(list, n, text, size))
			return true;
		list += n;
		if (!*list)
			return false;
	}
}

static void add_call(uint64_t calls[4], unsigned call)
{
	calls[call / 64] |= (uint64_t)1 << call % 64;
}

static bool has_call(const uint64_t calls[4], unsigned call)
{
	return call < 256 && (calls[call / 64] >> call % 64 & 1);
}

/* Adds what the item of a list fits; false where that is nothing.  */
static bool add_calls(uint64_t calls[4], const char *item, size_t n)
{
	bool any = false;

	for (unsigned call = CALL_none + 1; call < CALLS; call++) {
		if (!fits(item, n, call_names[call], strlen(call_names[call])))
			continue;
		add_call(calls, call);
		any = true;
	}
	return any;
}

bool wants_is_call(const char *item, size_t n)
{
	uint64_t calls[4] = {0};

	return add_calls(calls, item, n);
}

bool wants_read_calls(const char *value, uint64_t calls[4])
{
	memset(calls, 0, 4 * sizeof *calls);
	for (;; value++) {
		size_t n = strcspn(value, ",");

		if (!add_calls(calls, value, n)) {
			memset(calls, 0, 4 * sizeof *calls);
			return false;
		}
		value += n;
		if (!*value)
			return true;
	}
}

/* A number at *s, which is put behind it.  */
static bool read_number(const char **s, uint64_t most, uint64_t *n)
{
	if (**s < '0' || **s > '9')
		return false;
	for (*n = 0; **s >= '0' && **s <= '9'; ++*s) {
		*n = *n * 10 + (uint64_t)(**s - '0');
		if (*n > most)
			return false;
	}
	return true;
}

/* A number, or two with a - between them.  */
static bool read_range(const char **s, uint64_t *first, uint64_t *last)
{
	if (!read_number(s, UINT32_MAX, first))
		return false;
	*last = *first;
	if (**s != '-')
		return true;
	++*s;
	return read_number(s, UINT32_MAX, last) && *last >= *first;
}

bool wants_read_ranges(const char *value, struct wants_ranges *ranges)
{
	uint64_t first, last;
	unsigned n = 0;

	ranges->count = 0;
	for (; n < WANTS_RANGES && read_range(&value, &first, &last); value++) {
		ranges->range[n].first = (uint32_t)first;
		ranges->range[n++].last = (uint32_t)last;
		if (*value == ',')
			continue;
		if (!*value)
			ranges->count = n;
		return !*value;
	}
	return false;
}

bool wants_read_time(const char *value, uint64_t *ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"", 1000000000}, {"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1}};
	uint64_t whole, part = 0, parts = 1;

	if (!read_number(&value, 1000000000, &whole))
		return false;
	if (*value == '.')
		for (value++; *value >= '0' && *value <= '9'; value++) {
			if (parts >= 1000000000)
				continue;
			part = part * 10 + (uint64_t)(*value - '0');
			parts *= 10;
		}
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (!strcmp(value, units[i].name)) {
			*ns = whole * units[i].ns + part * units[i].ns / parts;
			return true;
		}
	return false;
}

static bool set_globs(char to[WANTS_TEXT], const char *value)
{
	size_t n = strlen(value);

	if (!n || n >= WANTS_TEXT)
		return false;
	memcpy(to, value, n + 1);
	return true;
}

static bool set_call(struct wants *w, const char *value)
{
	w->calls_only = wants_read_calls(value, w->calls);
	return w->calls_only;
}

const enum setting_id wants_settings[WANTS_SETTINGS] = {
	SETTING_call, SETTING_exclude, SETTING_fd, SETTING_path, SETTING_exclude_path, SETTING_longer_than, SETTING_program,
};

static bool set(struct wants *w, enum setting_id setting, const char *value)
{
	switch (setting) {
	case SETTING_call: return set_call(w, value);
	case SETTING_exclude: return wants_read_calls(value, w->excluded);
	case SETTING_fd: return wants_read_ranges(value, &w->fds);
	case SETTING_path: return set_globs(w->path, value);
	case SETTING_exclude_path: return set_globs(w->no_path, value);
	case SETTING_longer_than: return wants_read_time(value, &w->longer_ns);
	case SETTING_program: return set_globs(w->program, value);
	default: return false;
	}
}

bool wants_set(struct wants *w, enum setting_id setting, const char *value)
{
	if (!set(w, setting, value))
		return false;
	w->some = true;
	return true;
}

bool wants_number(const struct wants_ranges *ranges, uint64_t number)
{
	for (unsigned i = 0; i < ranges->count; i++)
		if (number >= ranges->range[i].first && number <= ranges->range[i].last)
			return true;
	return !ranges->count;
}

bool wants_call(const struct wants *w, unsigned call)
{
	return (!w->calls_only || has_call(w->calls, call)) && !has_call(w->excluded, call);
}

bool wants_without_fd(const struct wants *w)
{
	return !w->fds.count && !w->path[0];
}

bool wants_by_name(const struct wants *w)
{
	return w->path[0] || w->no_path[0];
}

bool wants_name(const struct wants *w, const char *name, size_t size)
{
	return (!w->path[0] || fits_one(w->path, name, size)) && !(w->no_path[0] && fits_one(w->no_path, name, size));
}

bool wants_nameless(const struct wants *w)
{
	return !w->path[0];
}

bool wants_more_than_calls(const struct wants *w)
{
	return !w->calls_only && !w->longer_ns;
}

bool wants_services(const struct wants *w)
{
	uint64_t excluded = 0;

	for (unsigned i = 0; i < sizeof w->excluded / sizeof *w->excluded; i++)
		excluded |= w->excluded[i];
	return wants_more_than_calls(w) && !excluded;
}

bool wants_program(const struct wants *w, const char *name, size_t size)
{
	size_t start = size;

	while (start && name[start - 1] != '/')
		start--;
	return !w->program[0] || fits_one(w->program, name + start, size - start);
}
