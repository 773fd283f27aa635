/* export_csv.c - a row for each event (RFC 4180).  Numbers as programs like them: seconds, and an empty field for what is not there.  */
#include <inttypes.h>
#include <string.h>

#include "events.h"
#include "export.h"

/* In quotes where it must be.  */
static void text(const char *s, size_t n, FILE *to)
{
	bool quotes = false;

	for (size_t i = 0; i < n && !quotes; i++)
		quotes = s[i] == ',' || s[i] == '"' || s[i] == '\n' || s[i] == '\r';
	if (!quotes) {
		fwrite_unlocked(s, 1, n, to);
		return;
	}
	putc_unlocked('"', to);
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '"')
			putc_unlocked('"', to);
		putc_unlocked(s[i], to);
	}
	putc_unlocked('"', to);
}

static void word(const char *s, FILE *to)
{
	putc_unlocked(',', to);
	if (s)
		text(s, strlen(s), to);
}

static void print_event(const struct line *l, void *arg)
{
	FILE *to = arg;

	fprintf(to, "%" PRIu64 ".%09" PRIu64 ",%" PRIu32 ",%" PRIu32 ",", l->t_ns / 1000000000, l->t_ns % 1000000000, l->pid, l->tid);
	if (l->op)
		fprintf(to, "%" PRIu32, l->op);
	word(l->event, to);
	word(l->call, to);
	fputs(",", to);
	if (l->fd >= 0)
		fprintf(to, "%d", l->fd);
	putc_unlocked(',', to);
	if (l->name)
		text(l->name, l->name_size, to);
	fputs(",", to);
	if (l->has_result)
		fprintf(to, "%" PRId64, l->result < 0 ? -1 : l->result);
	word(l->has_result && l->result < 0 ? line_errno_name(-(uint64_t)l->result) : NULL, to);
	fputs(",", to);
	if (l->has_duration)
		fprintf(to, "%" PRIu64 ".%09" PRIu64, l->duration_ns / 1000000000, l->duration_ns % 1000000000);
	word(l->way, to);
	fputs("\r\n", to);
}

void csv_print(struct trace *t, FILE *to)
{
	fputs("t,pid,tid,op,ev,call,fd,name,ret,errno,dur,way\r\n", to);
	events_each(t, print_event, to);
}
