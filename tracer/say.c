/* say.c - messages and the end.  */
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void print(const char *format, va_list arguments)
{
	fflush(stdout);
	fputs("eagain: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
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
