/* line.h - one event as one line of text: `eagain log` and the shim's live log (EAGAIN_LOG) write the same lines.  */
#ifndef EAGAIN_LINE_H
#define EAGAIN_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/text.h"
#include "format.h"

struct line {
	uint64_t t_ns;                  /* from the start of the trace */
	uint32_t pid, tid;
	uint32_t op;                    /* 0: no operation */
	const char *event;              /* "call", "EWOULDBLOCK", "park", ... */
	const char *call;               /* NULL: none */
	int fd;                         /* -1: none */
	const char *name;               /* of the fd, or NULL; name_size bytes */
	size_t name_size;
	bool has_result;
	int64_t result;                 /* >= 0, or -errno */
	bool has_duration;
	uint64_t duration_ns;
	const char *way;                /* NULL: not shown */
	const char *ready;              /* for what it is watched, or became ready; NULL: not shown */
	uint64_t late_ns;               /* it may have become ready so long before; 0: not shown */
	const char *disk;               /* whether it waited for the disk: "waited" or "cache"; NULL: not known */
	bool direct;                    /* O_DIRECT is on the file */
	bool is_keep;                   /* of a set of kept fds */
	unsigned keep;                  /* enum trace_keep */
	unsigned why;                   /* enum trace_why; TRACE_WHY_NONE: not shown */
	bool asked;                     /* the program asked for non-blocking I/O itself */
	bool shielded;                  /* O_NONBLOCK was on the fd, and it waited (--shield) */
	bool ended;                     /* a child, with this wait status (wait(2)) */
	bool is_lock;                   /* `call` waited for the lock at `address`, which the tid `holder` had; -1: not known */
	bool submits;                   /* a request of POSIX AIO, of `length` bytes at `offset` */
	int status;
	int holder;
	uint32_t list;                  /* of one lio_listio(3): its number; 0: of none */
	uint64_t address;
	uint64_t length, offset;
	uint64_t ran_ns;                /* it is over, and the kernel had it for so long; 0: not shown */
	const char *notice;             /* by what the program was told; NULL: not shown */
	const char *loop;               /* of a thread that was away from its polls: its kind; NULL: none */
	uint64_t cpu_ns;                /* meanwhile */
	struct trace_away away;
};

/* What the upper bits of a record's flags say; polls: its call is a poll or select.  */
void line_flags(struct line *l, const struct trace_record *r, bool polls);

/* What a REQUEST record says but for times; `more` is what its TEXT says.  Returns the event's name.  */
const char *line_request(struct line *l, const struct trace_record *r, const struct trace_request_more *more);

/* Enough for any line with a name of 256 bytes, all of them escaped.  */
#define LINE_MAX_SIZE 1536

/* Writes the line with its newline into buffer and returns its length, cut to `size`.  Neither allocates nor uses stdio or the
 * locale; signal-safe; errno is untouched.  */
size_t line_format(char *buffer, size_t size, const struct line *l);

/* A value of n bytes, quoted where it must be.  Signal-safe.  */
void line_value(struct text *t, const char *s, size_t n);

/* How many of n bytes the character has that s begins with; *good: it is valid UTF-8 (RFC 3629), and no control character.
 * Signal-safe.  */
size_t line_character(const char *s, size_t n, bool *good);

/* How many of n bytes, from s on, stand for themselves in all formats: printable ASCII, no space or quote, nothing that divides.  */
size_t line_plain(const char *s, size_t n);

/* Appends the character that s begins with as the log shows it: \\ for a backslash, \n, \xNN for other control characters, ? for
 * what is no UTF-8.  Returns its size in s.  */
struct text;
size_t line_escape(struct text *t, const char *s, size_t n);

const char *line_keep_name(unsigned keep);
const char *line_why_name(unsigned why);

/* "EAGAIN" for EAGAIN; NULL for a number without a name.  */
const char *line_errno_name(uint64_t number);

#endif
