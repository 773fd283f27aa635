/* line.c - one event as one line: key=value, quoted as logfmt does, made for grep and awk.  */
#include "line.h"

#include <errno.h>

#include "fields.h"

const char *line_errno_name(uint64_t number)
{
	static const struct {
		uint64_t number;
		const char *name;
	} names[] = {
#define E(name) {name, #name}
		E(EPERM), E(ENOENT), E(ESRCH), E(EINTR), E(EIO), E(ENXIO), E(E2BIG), E(ENOEXEC), E(EBADF), E(ECHILD), E(EAGAIN),
		E(ENOMEM), E(EACCES), E(EFAULT), E(EBUSY), E(EEXIST), E(ENODEV), E(ENOTDIR), E(EISDIR), E(EINVAL), E(ENFILE),
		E(EMFILE), E(ENOTTY), E(EFBIG), E(ENOSPC), E(ESPIPE), E(EROFS), E(EPIPE), E(ENOSYS), E(EPROTO), E(EOVERFLOW),
		E(ENOTSOCK), E(EDESTADDRREQ), E(EMSGSIZE), E(EPROTOTYPE), E(ENOPROTOOPT), E(EPROTONOSUPPORT), E(EOPNOTSUPP),
		E(EAFNOSUPPORT), E(EADDRINUSE), E(EADDRNOTAVAIL), E(ENETDOWN), E(ENETUNREACH), E(ENETRESET), E(ECONNABORTED),
		E(ECONNRESET), E(ENOBUFS), E(EISCONN), E(ENOTCONN), E(ESHUTDOWN), E(ETIMEDOUT), E(ECONNREFUSED), E(EHOSTDOWN),
		E(EHOSTUNREACH), E(EALREADY), E(EINPROGRESS), E(ECANCELED), E(EDQUOT), E(ENODATA), E(ETIME), E(ESTALE),
#undef E
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].number == number)
			return names[i].name;
	return NULL;
}

/* Whether the second byte makes it overlong, a surrogate, too large, or one of U+0080..U+009F.  */
static bool is_excluded(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xc2: case 0xe0: return second < 0xa0;
	case 0xed: return second > 0x9f;
	case 0xf0: return second < 0x90;
	case 0xf4: return second > 0x8f;
	default: return false;
	}
}

size_t line_character(const char *s, size_t n, bool *good)
{
	const unsigned char *c = (const unsigned char *)s;
	size_t size = *c < 0x80 ? 1 : *c < 0xc2 ? 0 : *c < 0xe0 ? 2 : *c < 0xf0 ? 3 : *c < 0xf5 ? 4 : 0, have = 1;

	if (size == 1) {
		*good = *c >= ' ' && *c != 127;
		return 1;
	}
	while (have < n && (!size || have < size) && (c[have] & 0xc0) == 0x80)
		have++;
	*good = size && have == size && !is_excluded(c[0], c[1]);
	return have;
}

void line_flags(struct line *l, const struct trace_record *r, bool polls)
{
	if (r->kind == TRACE_KEEP || (r->kind == TRACE_CALL && polls)) {
		l->why = r->flags >> TRACE_WHY_SHIFT;
		return;
	}
	l->direct = r->flags & TRACE_DIRECT;
	if (r->kind == TRACE_CALL || r->kind == TRACE_RETURN)
		l->disk = r->flags & TRACE_SLEPT ? "waited" : (r->flags & (TRACE_STAYED | TRACE_DIRECT)) == TRACE_STAYED ? "cache" : NULL;
}

static const char *const request_names[] = {
#define X(id, name) name,
	TRACE_REQUESTS(X)
#undef X
};

const char *line_request(struct line *l, const struct trace_record *r, const struct trace_request_more *more)
{
	l->op = r->op;
	l->way = NULL;
	l->shielded = l->asked = l->direct = false;
	switch (r->way) {
	case TRACE_REQUEST_SUBMITTED:
		l->submits = true;
		l->length = r->length;
		l->offset = (uint64_t)more->offset;
		l->list = more->list;
		l->direct = r->flags & TRACE_DIRECT;
		break;
	case TRACE_REQUEST_NOTIFIED:
		l->notice = r->flags & TRACE_REQUEST_THREAD ? "thread" : "signal";
		break;
	case TRACE_REQUEST_READY:
		break;
	default:
		l->has_result = true;
		l->result = r->result;
		break;
	}
	return r->way < TRACE_REQUEST_COUNT ? request_names[r->way] : "request";
}

static const char *const keep_names[] = {
#define X(id, name) name,
	TRACE_KEEPS(X)
#undef X
};

const char *line_keep_name(unsigned keep)
{
	return keep < TRACE_KEEP_COUNT ? keep_names[keep] : "unknown";
}

static const char *const why_names[] = {
#define X(id, name, words) name,
	TRACE_WHYS(X)
#undef X
};

const char *line_why_name(unsigned why)
{
	return why < TRACE_WHY_COUNT ? why_names[why] : "unknown";
}

/* Stands for itself in all formats.  */
#define PLAIN(c) ((c) > ' ' && (c) < 127 && (c) != '"' && (c) != '\\' && (c) != '=' && (c) != ',' && (c) != ';' && (c) != '<')

size_t line_plain(const char *s, size_t n)
{
	static const bool plain[256] = {
#define ROW(c) PLAIN(c), PLAIN((c) + 1), PLAIN((c) + 2), PLAIN((c) + 3)
		ROW(0), ROW(4), ROW(8), ROW(12), ROW(16), ROW(20), ROW(24), ROW(28), ROW(32), ROW(36), ROW(40), ROW(44), ROW(48),
		ROW(52), ROW(56), ROW(60), ROW(64), ROW(68), ROW(72), ROW(76), ROW(80), ROW(84), ROW(88), ROW(92), ROW(96), ROW(100),
		ROW(104), ROW(108), ROW(112), ROW(116), ROW(120), ROW(124),
#undef ROW
	};
	size_t i = 0;

	while (i < n && plain[(unsigned char)s[i]])
		i++;
	return i;
}

size_t line_escape(struct text *t, const char *s, size_t n)
{
	unsigned char c = (unsigned char)*s;
	bool good;
	size_t size = line_character(s, n, &good);

	if (c == '\\') {
		text_literal(t, "\\\\");
	} else if (c == '\n') {
		text_literal(t, "\\n");
	} else if (c < ' ' || c == 127) {
		text_literal(t, "\\x");
		text_char(t, "0123456789abcdef"[c >> 4]);
		text_char(t, "0123456789abcdef"[c & 15]);
	} else if (!good) {
		text_char(t, '?');
	} else {
		text_bytes(t, s, size);
	}
	return size;
}

static bool needs_quotes(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] <= ' ' || s[i] == '=' || s[i] == '"' || s[i] == '\\' || s[i] == 127)
			return true;
	return false;
}

void line_value(struct text *t, const char *s, size_t n)
{
	size_t i = line_plain(s, n);
	bool quotes = i < n && needs_quotes(s + i, n - i);

	if (quotes)
		text_char(t, '"');
	text_bytes(t, s, i);
	while (i < n) {
		if (s[i] == '"')
			text_char(t, '\\');
		i += line_escape(t, s + i, n - i);
	}
	if (quotes)
		text_char(t, '"');
}

static void field_NAME(struct text *t, const struct line *l)
{
	line_value(t, l->name, l->name_size);
}

size_t line_format(char *buffer, size_t size, const struct line *l)
{
	enum { ALWAYS, SELDOM };
	struct text t = {buffer, buffer + size};

#define FIELD(key, type, when, have, value)                     \
	if (have) {                                             \
		text_literal(&t, key "=");                      \
		field_##type(&t, value);                          \
		text_char(&t, ' ');                             \
	} else if ((when) == ALWAYS) {                          \
		text_literal(&t, key "=- ");                    \
	}
#include "fields.def"
#undef FIELD
	t.at[-1] = '\n';
	return (size_t)(t.at - buffer);
}
