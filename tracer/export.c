/* export.c - which formats there are.  */
#include "export.h"

#include <string.h>

#include "say.h"

static const struct export_format formats[] = {
#define FORMAT(name, summary) {#name, summary, name##_print},
#include "formats.def"
#undef FORMAT
};

enum { FORMAT_COUNT = sizeof formats / sizeof *formats };

const struct export_format *export_find(const char *name)
{
	char names[256] = "";

	for (size_t i = 0; i < FORMAT_COUNT; i++) {
		if (name && !strcmp(name, formats[i].name))
			return &formats[i];
		snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", formats[i].name);
	}
	if (!name)
		die(STATUS_USAGE, "export: which format? One of %s", names);
	die(STATUS_USAGE, "export: \"%s\": must be one of %s", name, names);
}

void export_help(FILE *to)
{
	for (size_t i = 0; i < FORMAT_COUNT; i++)
		fprintf(to, "  %-29s%s\n", formats[i].name, formats[i].summary);
}
