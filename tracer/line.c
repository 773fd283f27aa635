/* line.c - one event as one line: key=value, quoted as logfmt does, made for grep and awk.  */
#include "line.h"

#include <errno.h>
#include <sys/wait.h>

#include "format.h"
#include "shim/text.h"

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

static void key(struct text *t, const char *name)
{
	if (name[0] != 't' || name[1])
		text_char(t, ' ');
	text_string(t, name);
	text_char(t, '=');
}

/* Seconds with nine decimals.  */
static void seconds(struct text *t, uint64_t ns)
{
	uint64_t unit = 100000000;

	text_number(t, ns / 1000000000, 10);
	text_char(t, '.');
	for (ns %= 1000000000; unit; unit /= 10)
		text_char(t, (char)('0' + ns / unit % 10));
}

static const char *const keep_names[] = {
#define X(id, name) name,
	TRACE_KEEPS(X)
#undef X
};

static const char *const why_names[] = {
#define X(id, name, words) name,
	TRACE_WHYS(X)
#undef X
};

static bool needs_quotes(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] <= ' ' || s[i] == '=' || s[i] == '"' || s[i] == '\\' || s[i] == 127)
			return true;
	return n == 0;
}

static void value(struct text *t, const char *s, size_t n)
{
	bool quotes = needs_quotes(s, n), good;

	if (quotes)
		text_char(t, '"');
	for (size_t i = 0, size; i < n; i += size) {
		unsigned char c = (unsigned char)s[i];

		size = line_character(s + i, n - i, &good);
		if (c == '"' || c == '\\') {
			text_char(t, '\\');
			text_char(t, (char)c);
		} else if (c == '\n') {
			text_string(t, "\\n");
		} else if (c < ' ' || c == 127) {
			text_string(t, "\\x");
			text_char(t, "0123456789abcdef"[c >> 4]);
			text_char(t, "0123456789abcdef"[c & 15]);
		} else if (!good) {
			text_char(t, '?');
		} else {
			for (size_t k = 0; k < size; k++)
				text_char(t, s[i + k]);
		}
	}
	if (quotes)
		text_char(t, '"');
}

static void word(struct text *t, const char *name, const char *s)
{
	size_t n = 0;

	while (s && s[n])
		n++;
	key(t, name);
	if (n)
		value(t, s, n);
	else
		text_char(t, '-');
}

static void count(struct text *t, const char *name, uint64_t n)
{
	key(t, name);
	text_number(t, n, 10);
}

static void lock(struct text *t, const struct line *l)
{
	key(t, "addr");
	text_string(t, "0x");
	text_number(t, l->address, 16);
	key(t, "held_by");
	if (l->holder < 0)
		text_char(t, '-');
	else
		text_number(t, (unsigned)l->holder, 10);
}

/* What a thread did that was away from its polls.  */
static void away(struct text *t, const struct line *l)
{
	word(t, "loop", l->loop);
	key(t, "cpu");
	seconds(t, l->cpu_ns);
	key(t, "system");
	seconds(t, l->away.system_ns);
	count(t, "involuntary", l->away.involuntary);
	count(t, "voluntary", l->away.voluntary);
	count(t, "minor", l->away.minor);
	count(t, "major", l->away.major);
}

static void result(struct text *t, const struct line *l)
{
	uint64_t error = l->result < 0 ? -(uint64_t)l->result : 0;

	key(t, "ret");
	if (!l->has_result)
		text_char(t, '-');
	else if (l->result < 0)
		text_string(t, "-1");
	else
		text_number(t, (uint64_t)l->result, 10);
	key(t, "errno");
	if (!l->has_result || !error)
		text_char(t, '-');
	else if (line_errno_name(error))
		text_string(t, line_errno_name(error));
	else
		text_number(t, error, 10);
}

size_t line_format(char *buffer, size_t size, const struct line *l)
{
	struct text t = {buffer, buffer + size - 1};

	key(&t, "t");
	seconds(&t, l->t_ns);
	key(&t, "pid");
	text_number(&t, l->pid, 10);
	key(&t, "tid");
	text_number(&t, l->tid, 10);
	key(&t, "op");
	if (l->op)
		text_number(&t, l->op, 10);
	else
		text_char(&t, '-');
	word(&t, "ev", l->event);
	word(&t, "call", l->call);
	key(&t, "fd");
	if (l->fd < 0)
		text_char(&t, '-');
	else
		text_number(&t, (unsigned)l->fd, 10);
	key(&t, "name");
	if (l->name && l->name_size)
		value(&t, l->name, l->name_size);
	else
		text_char(&t, '-');
	result(&t, l);
	if (l->has_duration) {
		key(&t, "dur");
		seconds(&t, l->duration_ns);
	}
	if (l->is_lock)
		lock(&t, l);
	if (l->loop)
		away(&t, l);
	if (l->way)
		word(&t, "way", l->way);
	if (l->is_keep)
		word(&t, "keep", l->keep < TRACE_KEEP_COUNT ? keep_names[l->keep] : "unknown");
	if (l->why != TRACE_WHY_NONE && l->why < TRACE_WHY_COUNT)
		word(&t, "why", why_names[l->why]);
	if (l->asked)
		word(&t, "asked", "program");
	if (l->shielded)
		word(&t, "shield", "yes");
	if (l->ended) {
		key(&t, WIFSIGNALED(l->status) ? "signal" : "status");
		text_number(&t, (unsigned)(WIFSIGNALED(l->status) ? WTERMSIG(l->status) : WEXITSTATUS(l->status)), 10);
	}
	*t.at++ = '\n';
	return (size_t)(t.at - buffer);
}
