/* options.c - reads, checks and hands on the settings.  The tables are verbs.def and shim/settings.def.  */
#include "options.h"

#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "model.h"
#include "run.h"
#include "say.h"
#include "shim/config.h"
#include "shim/wants.h"

enum takes { PROGRAM, TRACE };

static const struct verb {
	const char *name;
	enum takes takes;
	const char *synopsis, *summary, *text;
} verbs[] = {
#define VERB(id, name, takes, synopsis, summary, text) {name, takes, synopsis, summary, text},
#include "verbs.def"
#undef VERB
};

enum type { PATH, SIZE, NUMBER, LIST, TIME, CALLS, NAMES, SIGNAL, CHOICE, SWITCH };

static const struct setting {
	enum type type;
	const char *environment, *option, *argument, *fallback, *verbs, *help;
} settings[] = {
#define SETTING(id, type, environment, option, argument, fallback, verbs, help) \
	{type, environment, option, argument, fallback, verbs, help},
#include "shim/settings.def"
#undef SETTING
};

/* Whether the n bytes are one of the words of a list, which are divided by | or by a comma and a space.  */
static bool has_word(const char *list, const char *word, size_t n)
{
	for (; *list; list += strspn(list, "|, ")) {
		size_t size = strcspn(list, "|, ");

		if (size == n && !memcmp(list, word, n))
			return true;
		list += size;
	}
	return false;
}

static bool takes(enum verb_id verb, const struct setting *s)
{
	return !*s->verbs || has_word(s->verbs, verbs[verb].name, strlen(verbs[verb].name));
}

static void check_size(const char *name, const char *value)
{
	char *end;
	unsigned long long n = strtoull(value, &end, 10);
	unsigned shift = *end == 'K' || *end == 'k' ? 10 : *end == 'M' || *end == 'm' ? 20 : *end == 'G' || *end == 'g' ? 30 : 0;

	if (*value < '0' || *value > '9' || (shift ? end[1] : end[0]))
		die(STATUS_USAGE, "%s: \"%s\": must be a number of bytes, perhaps with K, M or G", name, value);
	if (n > UINT64_MAX >> 32)
		die(STATUS_USAGE, "%s: \"%s\": is too large", name, value);
	if ((n << shift) < 128 << 10)
		die(STATUS_USAGE, "%s: \"%s\": must be at least 128K", name, value);
}

static void check_number(const char *name, const char *value)
{
	char *end;
	unsigned long long n = strtoull(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || n == 0 || n > UINT32_MAX)
		die(STATUS_USAGE, "%s: \"%s\": must be a number from 1 on", name, value);
}

static void check_list(const char *name, const char *value)
{
	struct wants_ranges ranges;

	if (!wants_read_ranges(value, &ranges))
		die(STATUS_USAGE, "%s: \"%s\": must be numbers or ranges with commas between them, as 0,3-5, at most %d", name, value,
		    WANTS_RANGES);
}

static void check_time(const char *name, const char *value)
{
	uint64_t ns;

	if (!wants_read_time(value, &ns))
		die(STATUS_USAGE, "%s: \"%s\": must be a time: seconds, or a number with s, ms, us or ns", name, value);
}

/* How many characters must be added, taken away or changed (Levenshtein), of words that are shorter than 32.  */
static unsigned distance(const char *a, size_t size, const char *b)
{
	unsigned row[33], n = (unsigned)strlen(b);

	for (unsigned i = 0; i <= n; i++)
		row[i] = i;
	for (unsigned k = 0; k < size; k++) {
		unsigned before = row[0];

		row[0] = k + 1;
		for (unsigned i = 0; i < n; i++) {
			unsigned changed = before + (a[k] != b[i]), least = row[i] < row[i + 1] ? row[i] : row[i + 1];

			before = row[i + 1];
			row[i + 1] = changed <= least ? changed : least + 1;
		}
	}
	return row[n];
}

/* The call that a person may have meant: one that begins so, or is nearest; NULL if none is.  */
static const char *near_call(const char *word, size_t size)
{
	unsigned least = (unsigned)size / 3 + 2, d;
	const char *found = NULL, *name;

	for (unsigned call = CALL_none + 1; size < 32 && (name = model_call_name(call), strcmp(name, "unknown") != 0); call++) {
		d = size && !strncmp(name, word, size) ? 0 : distance(word, size, name);
		if (d >= least)
			continue;
		least = d;
		found = name;
	}
	return found;
}

static void check_names(const char *name, const char *value)
{
	if (strlen(value) >= WANTS_TEXT)
		die(STATUS_USAGE, "%s: a list of %zu bytes is too long", name, strlen(value));
	if (!*value)
		die(STATUS_USAGE, "%s: needs a name, or several with commas between them", name);
}

static void check_calls(const char *name, const char *value)
{
	check_names(name, value);
	for (;; value++) {
		size_t n = strcspn(value, ",");
		const char *meant = near_call(value, n);

		if (!wants_is_call(value, n))
			die(STATUS_USAGE, "%s: \"%.*s\": no such call%s%s%s", name, (int)n, value, meant ? ": did you mean " : "",
			    meant ? meant : "", meant ? "?" : "");
		value += n;
		if (!*value)
			return;
	}
}

uint64_t options_time(const char *value)
{
	uint64_t ns = 0;

	wants_read_time(value, &ns);
	return ns;
}

/* `name` is the option or the variable that the value comes from.  */
static void check(const struct setting *s, const char *name, const char *value)
{
	if (s->type == SIZE)
		check_size(name, value);
	else if (s->type == NUMBER)
		check_number(name, value);
	else if (s->type == LIST)
		check_list(name, value);
	else if (s->type == TIME)
		check_time(name, value);
	else if (s->type == CALLS)
		check_calls(name, value);
	else if (s->type == NAMES)
		check_names(name, value);
	else if (s->type == SIGNAL && !run_signal(value))
		die(STATUS_USAGE, "%s: \"%s\": must be a signal that can be caught, as USR2", name, value);
	else if (s->type == CHOICE && !has_word(s->argument, value, strlen(value)))
		die(STATUS_USAGE, "%s: \"%s\": must be one of %s", name, value, s->argument);
	else if (s->type == PATH && !*value)
		die(STATUS_USAGE, "%s: needs a name", name);
	else if (s->type == PATH && strlen(value) >= CONFIG_PATH)
		die(STATUS_USAGE, "%s: a name of %zu bytes is too long", name, strlen(value));
}

static bool is_option(const char *argument)
{
	return argument && argument[0] == '-' && argument[1];
}

/* The setting whose option this is, and which `verb` takes (VERB_COUNT: any); NULL if there is none.  */
static const struct setting *find(const char *argument, enum verb_id verb)
{
	size_t n;

	if (!strcmp(argument, "-h"))
		argument = "--help";
	n = strcspn(argument, "=");
	for (const struct setting *s = settings; s < settings + SETTING_COUNT; s++)
		if (strlen(s->option) == n && !memcmp(s->option, argument, n) && (verb == VERB_COUNT || takes(verb, s)))
			return s;
	return NULL;
}

/* There is no such option, or not for this verb.  */
static void __attribute__((noreturn)) refuse(const char *argument, enum verb_id verb)
{
	const struct setting *s = find(argument, VERB_COUNT);
	const char *option = s ? s->option : argument;
	char takers[256] = "";

	if (!s)
		die(STATUS_USAGE, "%s: unknown option; see eagain %s%s--help", argument, verb == VERB_show ? "" : verbs[verb].name,
		    verb == VERB_show ? "" : " ");
	for (; s < settings + SETTING_COUNT; s++) {
		size_t n = strlen(takers);

		if (!strcmp(s->option, option))
			snprintf(takers + n, sizeof takers - n, "%s%s", n ? ", " : "", s->verbs);
	}
	die(STATUS_USAGE, "%s: only for eagain %s", option, takers);
}

/* What a SWITCH's option makes of it.  */
static const char *switched(const struct setting *s)
{
	return *s->fallback == '1' ? "0" : "1";
}

/* Takes the option at argv; returns what is behind it.  */
static char **take(struct options *o, enum verb_id verb, char **argv)
{
	const struct setting *s = find(*argv, verb);
	const char *value = strchr(*argv, '=');

	if (!s)
		refuse(*argv, verb);
	if (s->type == SWITCH) {
		if (value)
			die(STATUS_USAGE, "%s: takes no value", s->option);
		o->value[s - settings] = switched(s);
		return argv + 1;
	}
	value = value ? value + 1 : *++argv;
	if (!value)
		die(STATUS_USAGE, "%s: needs a value: %s", s->option, s->argument);
	check(s, s->option, value);
	o->value[s - settings] = value;
	return argv + 1;
}

/* Whether its variable is for a person to set, or else for the shim alone: that of an eagain around this one concerns no other.  */
static bool is_for_persons(const struct setting *s)
{
	return s->type == CHOICE || s->type == SIZE || s->type == NUMBER || (s->type == SWITCH && s != &settings[SETTING_off]);
}

static void read_environment(struct options *o, enum verb_id verb)
{
	for (int id = 0; id < SETTING_COUNT; id++) {
		const struct setting *s = &settings[id];
		const char *value = *s->environment ? getenv(s->environment) : NULL;

		if (o->value[id] || !value || !*value || !takes(verb, s) || !is_for_persons(s))
			continue;
		/* A shim around this command has put which fds it switched behind a colon; that is the next shim's to read. */
		if (strchr(value, ':'))
			continue;
		check(s, s->environment, value);
		if (s->type != SWITCH || !strcmp(value, switched(s)))
			o->value[id] = value;
	}
}

enum verb_id options_verb(char **argv)
{
	for (; is_option(*argv); argv++) {
		const struct setting *s = find(*argv, VERB_COUNT);

		if (!strcmp(*argv, "--"))
			return VERB_show;
		if (s && s->type != SWITCH && !strchr(*argv, '=') && argv[1])
			argv++;
	}
	for (int verb = VERB_show + 1; *argv && verb < VERB_COUNT; verb++) {
		if (strcmp(*argv, verbs[verb].name) != 0)
			continue;
		do
			argv[0] = argv[1];
		while (*argv++);
		return (enum verb_id)verb;
	}
	return VERB_show;
}

char **options_read(struct options *o, enum verb_id verb, char **argv)
{
	char **others = argv, **end = argv;

	while (*argv && (is_option(*argv) || verbs[verb].takes == TRACE)) {
		if (!is_option(*argv)) {
			*end++ = *argv++;
		} else if (!strcmp(*argv, "--")) {
			argv++;
			break;
		} else {
			argv = take(o, verb, argv);
		}
	}
	do
		*end++ = *argv;
	while (*argv++);
	read_environment(o, verb);
	return others;
}

const char *options_name(enum setting_id id)
{
	return settings[id].option;
}

const char *options_default(enum setting_id id)
{
	return settings[id].fallback;
}

static int synopsis(enum verb_id verb, FILE *to)
{
	return fprintf(to, "eagain %s%s%s", verb == VERB_show ? "" : verbs[verb].name, verb == VERB_show ? "" : " ", verbs[verb].synopsis);
}

static void help_option(const struct setting *s, FILE *to)
{
	enum { COLUMN = 29 };
	int n = fprintf(to, "  %s%s%s", s->option, *s->argument ? s->option[1] == '-' ? "=" : " " : "", s->argument);

	if (n >= COLUMN)
		fputc('\n', to);
	fprintf(to, "%*s%s", n < COLUMN ? COLUMN - n : COLUMN, "", s->help);
	if (*s->fallback && s->type != SWITCH)
		fprintf(to, " (default: %s)", s->fallback);
	if (*s->environment)
		fprintf(to, " [%s%s]", s->environment, s->type != SWITCH ? "" : *s->fallback == '1' ? "=0" : "=1");
	fputc('\n', to);
}

static void help_all(FILE *to)
{
	const char *group = "";

	for (int verb = 0; verb < VERB_COUNT; verb++) {
		int n = fprintf(to, "%s", verb ? "       " : "usage: ") + synopsis((enum verb_id)verb, to);

		fprintf(to, "%*s%s\n", n < 44 ? 44 - n : 1, "", verbs[verb].summary);
	}
	for (const struct setting *s = settings; s < settings + SETTING_COUNT; s++) {
		if (strcmp(s->verbs, group) != 0)
			fprintf(to, "\noptions of %s%s:\n", *s->verbs ? "eagain " : "every verb", s->verbs);
		group = s->verbs;
		help_option(s, to);
	}
	fputs("\n"
	      "A program that is called like a verb: eagain -- record.  [NAME] is a variable that does the same, EAGAIN_TRACE and\n"
	      "EAGAIN_LOG, and those that say what is recorded, only without the command: LD_PRELOAD=.../libeagain.so\n"
	      "EAGAIN_TRACE=DIR EAGAIN_CALL=read CMD...\n", to);
}

void options_help(enum verb_id verb, FILE *to)
{
	const char *heading = "\noptions:\n";

	if (verb == VERB_show) {
		help_all(to);
		return;
	}
	fputs("usage: ", to);
	synopsis(verb, to);
	fprintf(to, "\n%s.\n\n%s\n", verbs[verb].summary, verbs[verb].text);
	if (verb == VERB_export) {
		fputs("\nformats:\n", to);
		export_help(to);
	}
	for (const struct setting *s = settings; s < settings + SETTING_COUNT; s++) {
		if (!*s->verbs || !takes(verb, s))
			continue;
		fputs(heading, to);
		heading = "";
		help_option(s, to);
	}
}

void options_to_environment(const struct options *o)
{
	for (int id = 0; id < SETTING_COUNT; id++) {
		const struct setting *s = &settings[id];

		if (!*s->environment)
			continue;
		if (o->value[id] && takes(VERB_record, s))
			setenv(s->environment, o->value[id], 1);
		/* Empty, and not gone: the shim of an eagain around this one would put it back. */
		else if (!is_for_persons(s) && getenv(s->environment))
			setenv(s->environment, "", 1);
	}
}
