/* options.h - the command line: the verbs, from verbs.def, and the settings as options, from shim/settings.def.  */
#ifndef EAGAIN_OPTIONS_H
#define EAGAIN_OPTIONS_H

#include <stdint.h>
#include <stdio.h>

#include "shim/settings.h"

enum verb_id {
#define VERB(id, name, takes, synopsis, summary, text) VERB_##id,
#include "verbs.def"
#undef VERB
	VERB_COUNT
};

/* What was given; NULL: not given.  */
struct options {
	const char *value[SETTING_COUNT];
};

/* Takes the verb out of argv, and returns it: the first word that is no option, unless it stands behind "--".  */
enum verb_id options_verb(char **argv);

/* Reads the options that `verb` takes and returns the other arguments, NULL at their end.  What a person has set in the
 * environment counts as given, except names of files: those are of an eagain around this one.  Dies on what is unknown,
 * incomplete, out of range or for another verb.  */
char **options_read(struct options *o, enum verb_id verb, char **argv);

/* A TIME in nanoseconds.  */
uint64_t options_time(const char *value);

/* "--color" for SETTING_color.  */
const char *options_name(enum setting_id id);

/* What is used where nothing is given.  */
const char *options_default(enum setting_id id);

/* Writes the help of `verb`; for VERB_show, of everything.  */
void options_help(enum verb_id verb, FILE *to);

/* Puts what concerns the shim into the environment, and empties there what is for the shim alone if it was not given.  */
void options_to_environment(const struct options *o);

#endif
