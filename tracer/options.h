/* options.h - the settings as options of the command line, from shim/settings.def.  */
#ifndef EAGAIN_OPTIONS_H
#define EAGAIN_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

enum setting_id {
#define SETTING(id, type, environment, option, argument, fallback, help) SETTING_##id,
#include "shim/settings.def"
#undef SETTING
	SETTING_COUNT
};

/* What the command line gave; NULL: not given.  */
struct options {
	const char *value[SETTING_COUNT];
	bool json, help, version;
};

/* Reads the options up to the first argument that is none, or behind "--".  Returns the index of the first argument behind them.
 * Dies on what is unknown, incomplete or out of range.  */
int options_read(struct options *o, int argc, char **argv);

/* Writes the options as lines for --help.  */
void options_help(FILE *to);

/* Puts the given settings into the environment, as the shim reads them, and removes EAGAIN_TRACE and EAGAIN_LOG if not given.  */
void options_to_environment(const struct options *o);

#endif
