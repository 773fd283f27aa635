/* options.c - reads, checks and hands on the settings.  The table is shim/settings.def.  */
#include "options.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "shim/config.h"

enum type { PATH, SIZE, CHOICE, SWITCH };

static const struct setting {
	enum type type;
	const char *environment, *option, *argument, *fallback, *help;
} settings[] = {
#define SETTING(id, type, environment, option, argument, fallback, help) {type, environment, option, argument, fallback, help},
#include "shim/settings.def"
#undef SETTING
};

static void check_size(const struct setting *s, const char *value)
{
	char *end;
	unsigned long long n = strtoull(value, &end, 10);
	unsigned shift = *end == 'K' || *end == 'k' ? 10 : *end == 'M' || *end == 'm' ? 20 : *end == 'G' || *end == 'g' ? 30 : 0;

	if (*value < '0' || *value > '9' || (shift ? end[1] : end[0]))
		die(STATUS_USAGE, "%s: \"%s\": must be a number of bytes, perhaps with K, M or G", s->option, value);
	if (n > UINT64_MAX >> 32 || (n << shift) < 128 << 10)
		die(STATUS_USAGE, "%s: \"%s\": must be at least 128K", s->option, value);
}

static void check_choice(const struct setting *s, const char *value)
{
	size_t n = strlen(value);

	for (const char *word = s->argument; word; word = strchr(word, '|') ? strchr(word, '|') + 1 : NULL)
		if (n && !strncmp(word, value, n) && (word[n] == '|' || !word[n]))
			return;
	die(STATUS_USAGE, "%s: \"%s\": must be one of %s", s->option, value, s->argument);
}

static void check(const struct setting *s, const char *value)
{
	if (s->type == SIZE)
		check_size(s, value);
	else if (s->type == CHOICE)
		check_choice(s, value);
	else if (s->type == PATH && !*value)
		die(STATUS_USAGE, "%s: needs a name", s->option);
	else if (s->type == PATH && strlen(value) >= CONFIG_PATH)
		die(STATUS_USAGE, "%s: a name of %zu bytes is too long", s->option, strlen(value));
}

/* Takes argv[i] if it is setting `id`; returns how many arguments it took, 0 if it is another.  */
static int take(struct options *o, int id, char **argv, int i)
{
	const struct setting *s = &settings[id];
	size_t n = strlen(s->option);

	if (strncmp(argv[i], s->option, n) != 0)
		return 0;
	if (s->type == SWITCH) {
		if (argv[i][n])
			return 0;
		o->value[id] = *s->fallback == '1' ? "0" : "1";
		return 1;
	}
	if (argv[i][n] == '=') {
		o->value[id] = argv[i] + n + 1;
		check(s, o->value[id]);
		return 1;
	}
	if (argv[i][n])
		return 0;
	if (!argv[i + 1])
		die(STATUS_USAGE, "%s: needs a value: %s", s->option, s->argument);
	o->value[id] = argv[i + 1];
	check(s, o->value[id]);
	return 2;
}

int options_read(struct options *o, int argc, char **argv)
{
	int i = 0;

	while (i < argc && argv[i][0] == '-' && argv[i][1]) {
		int taken = 0;

		if (!strcmp(argv[i], "--"))
			return i + 1;
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			taken = 1, o->help = true;
		else if (!strcmp(argv[i], "--version"))
			taken = 1, o->version = true;
		else if (!strcmp(argv[i], "--json"))
			taken = 1, o->json = true;
		for (int id = 0; !taken && id < SETTING_COUNT; id++)
			taken = take(o, id, argv, i);
		if (!taken)
			die(STATUS_USAGE, "%s: unknown option; see eagain --help", argv[i]);
		i += taken;
	}
	return i;
}

void options_help(FILE *to)
{
	for (int id = 0; id < SETTING_COUNT; id++) {
		const struct setting *s = &settings[id];
		char name[40];

		snprintf(name, sizeof name, "%s%s%s", s->option, *s->argument ? s->option[1] == '-' ? "=" : " " : "", s->argument);
		fprintf(to, "  %-22s %s", name, s->help);
		if (*s->fallback && s->type != SWITCH)
			fprintf(to, " (default: %s)", s->fallback);
		fprintf(to, " [%s]\n", s->environment);
	}
}

void options_to_environment(const struct options *o)
{
	unsetenv("EAGAIN_TRACE");
	unsetenv("EAGAIN_LOG");
	for (int id = 0; id < SETTING_COUNT; id++)
		if (o->value[id])
			setenv(settings[id].environment, o->value[id], 1);
}
