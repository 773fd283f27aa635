/* wants.h - what is wanted of all that happens: the settings --call, --exclude, --fd, --path, --exclude-path, --longer-than and
 * --program.  The shim records no more than that, and the tracer shows no more: both read and ask it here.
 *
 * What is not given wants everything.  In a glob * stands for any text and ? for one character; [ is itself, for names have
 * brackets.  Globs and numbers in lists are divided by commas.  Nothing here allocates; signal-safe.  */
#ifndef EAGAIN_WANTS_H
#define EAGAIN_WANTS_H

#include "settings.h"
#include "shim.h"

enum {
	WANTS_TEXT = 512,       /* longest list, with its NUL */
	WANTS_RANGES = 32,
};

struct wants_ranges {
	unsigned count;         /* 0: all numbers */
	struct {
		uint32_t first, last;
	} range[WANTS_RANGES];
};

struct wants {
	bool some;              /* something was given; else all is wanted */
	bool calls_only;        /* --call: what is no call is not wanted */
	uint64_t calls[4], excluded[4];         /* a bit for each enum call_id */
	struct wants_ranges fds;
	char path[WANTS_TEXT], no_path[WANTS_TEXT], program[WANTS_TEXT];
	uint64_t longer_ns;
};

/* The settings, and takes the value of one: false where it makes no sense.  */
enum { WANTS_SETTINGS = 7 };
extern const enum setting_id wants_settings[WANTS_SETTINGS];
bool wants_set(struct wants *w, enum setting_id setting, const char *value);

/* Values: false where one makes no sense.  A time is in seconds, or with ns, us, ms or s behind it; ranges are as 0,3-5; a
 * list of calls has their names, or globs, each of which fits one at least.  */
bool wants_read_time(const char *value, uint64_t *ns);
bool wants_read_ranges(const char *value, struct wants_ranges *ranges);
bool wants_read_calls(const char *value, uint64_t calls[4]);

/* Whether the item of a list of n bytes fits a call.  */
bool wants_is_call(const char *item, size_t n);

bool wants_number(const struct wants_ranges *ranges, uint64_t number);
bool wants_call(const struct wants *w, unsigned call);

/* Whether what has no fd of its own is wanted: sleeping, and waiting for children.  */
bool wants_without_fd(const struct wants *w);

/* Whether fds are chosen by their names; whether one of this name is wanted; and one whose name is not known.  */
bool wants_by_name(const struct wants *w);
bool wants_name(const struct wants *w, const char *name, size_t size);
bool wants_nameless(const struct wants *w);

/* Whether events that are no calls are wanted, of a wanted fd: that it was named, duplicated, closed.  */
bool wants_more_than_calls(const struct wants *w);

/* Whether all calls are wanted, of a wanted fd: only then is it known when what was ready was served.  */
bool wants_services(const struct wants *w);

/* Whether a process is wanted that was called by this name, which may be a path.  */
bool wants_program(const struct wants *w, const char *name, size_t size);

#endif
