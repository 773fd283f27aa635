/* say.c - messages and the end.  */
#include "say.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "screen.h"

/* Names are a stranger's: what a terminal could obey, or makes a second line, is shown as a question mark.  */
static void print(const char *format, va_list arguments)
{
	char line[2 * PATH_MAX];

	fflush(stdout);
	vsnprintf(line, sizeof line, format, arguments);
	screen_clean(line);
	fprintf(stderr, "eagain: %s\n", line);
}

void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print(format, arguments);
	va_end(arguments);
}

void die(int status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print(format, arguments);
	va_end(arguments);
	exit(status);
}

void *must_have(void *memory)
{
	if (!memory)
		die(STATUS_FAILED, "memory: none left");
	return memory;
}
