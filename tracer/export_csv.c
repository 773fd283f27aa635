/* export_csv.c - a row for each event (RFC 4180): what is in fields.def, and an empty field for what is not there.  */
#include "events.h"
#include "export.h"
#include "fields.h"

/* Enough for a name of 512 bytes, all of them escaped.  */
enum { ROW_MAX = 4096 };

/* What a name says is escaped as in the log, so that a row is a line, and does nothing to a terminal.  */
static void field_NAME(struct text *t, const struct line *l)
{
	const char *s = l->name;
	size_t n = l->name_size, i = line_plain(s, n);

	if (i == n) {
		text_bytes(t, s, n);
		return;
	}
	text_char(t, '"');
	text_bytes(t, s, i);
	while (i < n) {
		if (s[i] == '"')
			text_char(t, '"');
		i += line_escape(t, s + i, n - i);
	}
	text_char(t, '"');
}

static void print_row(const struct line *l, void *to)
{
	char row[ROW_MAX];
	struct text t = {row, row + sizeof row};

#define FIELD(key, type, when, have, value)             \
	if (have)                                       \
		field_##type(&t, value);                \
	text_char(&t, ',');
#include "fields.def"
#undef FIELD
	t.at--;
	text_literal(&t, "\r\n");
	fwrite_unlocked(row, 1, (size_t)(t.at - row), to);
}

void csv_print(struct trace *t, FILE *to)
{
	static const char header[] =
#define FIELD(key, type, when, have, value) key ","
#include "fields.def"
#undef FIELD
		;

	fwrite_unlocked(header, 1, sizeof header - 2, to);
	fputs("\r\n", to);
	events_each(t, print_row, to);
}
