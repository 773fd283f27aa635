/* color.c - colour on terminals: not where NO_COLOR asks for none, or TERM cannot.  */
#include "color.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool on;

static bool wanted(FILE *to)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no_color && *no_color) && term && *term && strcmp(term, "dumb") != 0 && isatty(fileno(to));
}

void color_choose(const char *when, FILE *to)
{
	on = !strcmp(when, "always") || (!strcmp(when, "auto") && wanted(to));
}

const char *color(enum color c)
{
	static const char *const escapes[] = {
		[COLOR_END] = "\033[0m", [COLOR_HEADING] = "\033[1m", [COLOR_WAIT] = "\033[33m", [COLOR_NAME] = "\033[36m",
		[COLOR_DETAIL] = "\033[2m", [COLOR_WOULD_BLOCK] = "\033[31m", [COLOR_READY] = "\033[32m",
	};

	return on ? escapes[c] : "";
}
