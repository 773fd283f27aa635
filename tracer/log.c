/* log.c - all events of a trace as lines.  */
#include "log.h"

#include <string.h>

#include "color.h"
#include "events.h"
#include "line.h"

/* The line; the word of what a reader looks for in colour, as grep does it.  ev= comes before all that may hold a name.  */
static void print_line(const char *line, size_t size, const char *event, FILE *to)
{
	bool ready = !strcmp(event, "ready"), would_block = !strcmp(event, "EWOULDBLOCK");
	const char *word = ready || would_block ? memmem(line, size, " ev=", 4) : NULL;
	size_t before = word ? (size_t)(word + 4 - line) : 0, length = word ? strlen(event) : 0;

	fwrite_unlocked(line, 1, before, to);
	if (word)
		fprintf(to, "%s%s%s", color(ready ? COLOR_READY : COLOR_WOULD_BLOCK), event, color(COLOR_END));
	fwrite_unlocked(line + before + length, 1, size - before - length, to);
}

static void print_event(const struct line *l, void *to)
{
	char buffer[LINE_MAX_SIZE];

	print_line(buffer, line_format(buffer, sizeof buffer, l), l->event, to);
}

void log_print(struct trace *t, FILE *to)
{
	events_each(t, print_event, to);
}
