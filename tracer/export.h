/* export.h - the formats that a trace can be exported to, from formats.def.  */
#ifndef EAGAIN_EXPORT_H
#define EAGAIN_EXPORT_H

#include <stdio.h>

#include "reader.h"

struct export_format {
	const char *name, *summary;
	void (*print)(struct trace *t, FILE *to);
};

#define FORMAT(name, summary) void name##_print(struct trace *t, FILE *to);
#include "formats.def"
#undef FORMAT

/* The format with this name, which may be NULL; dies where there is none, and names those that there are.  */
const struct export_format *export_find(const char *name);

/* A line for each format, for the help.  */
void export_help(FILE *to);

#endif
