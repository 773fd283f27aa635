/* main.c - the `eagain` command: which verb, and what it needs.  */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "log.h"
#include "options.h"
#include "program.h"
#include "reader.h"
#include "report.h"
#include "run.h"
#include "say.h"
#include "shim/config.h"

#define DEFAULT_TRACE "eagain.trace"

static int usage(void)
{
	puts("usage: eagain [OPTIONS] [--] CMD...         run CMD, and show on stderr at the end where it waited\n"
	     "       eagain record [OPTIONS] [--] CMD...  run CMD, and keep the trace (-o DIR; default: " DEFAULT_TRACE ")\n"
	     "       eagain run [OPTIONS] [--] CMD...     run CMD, service only, nothing recorded\n"
	     "       eagain report [--json] [DIR]         where the time went: per process and fd\n"
	     "       eagain log [DIR]                     one line per event, key=value, made for grep and awk\n"
	     "\n"
	     "options (before CMD; a program that is called like a verb: eagain -- record):");
	options_help(stdout);
	puts("  --help, --version\n"
	     "\n"
	     "For eagain CMD, report and log, -o FILE is where the text goes.\n"
	     "Without the command: LD_PRELOAD=.../libeagain.so EAGAIN_TRACE=DIR CMD...");
	return 0;
}

/* Where text goes: -o FILE, or the given stream.  */
static FILE *open_output(const struct options *o, FILE *otherwise)
{
	const char *name = o->value[SETTING_trace];
	FILE *f = name ? fopen(name, "we") : otherwise;

	if (!f)
		die(STATUS_FAILED, "%s: %s", name, strerror(errno));
	return f;
}

static int close_output(FILE *f)
{
	if (fflush(f) || ferror(f)) {
		say("output: %s", strerror(errno));
		return STATUS_FAILED;
	}
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_trace(const char *dir)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The directory for `record`: a trace that is there already is kept as DIR.old, as perf keeps perf.data.old.  */
static void make_trace_directory(const char *dir)
{
	char old[PATH_MAX];
	struct stat st;

	if (lstat(dir, &st) == 0) {
		if (rmdir(dir) < 0) {
			if (!S_ISDIR(st.st_mode) || !reader_is_trace(dir))
				die(STATUS_FAILED, "%s: exists and is not a trace: name another directory with -o", dir);
			if ((size_t)snprintf(old, sizeof old, "%s.old", dir) >= sizeof old)
				die(STATUS_FAILED, "%s: %s", dir, strerror(ENAMETOOLONG));
			if (lstat(old, &st) == 0 && !reader_is_trace(old))
				die(STATUS_FAILED, "%s: exists and is not a trace: move it away, or name another directory with -o", old);
			remove_trace(old);
			if (rename(dir, old) < 0)
				die(STATUS_FAILED, "%s: %s", dir, strerror(errno));
		}
	}
	if (mkdir(dir, 0700) < 0)
		die(STATUS_FAILED, "%s: %s", dir, strerror(errno));
}

/* The trace directory's absolute name, for the program may change its own.  As DIR/. it cannot be made anew by the shim.  */
static char *absolute(const char *dir)
{
	char *path = realpath(dir, NULL);
	size_t n;

	if (!path)
		die(STATUS_FAILED, "%s: %s", dir, strerror(errno));
	n = strlen(path);
	if (n + 3 > CONFIG_PATH)
		die(STATUS_FAILED, "%s: a name of %zu bytes is too long for a trace: name a directory with -o", path, n);
	path = must_have(realloc(path, n + 3));
	strcpy(path + n, "/.");
	return path;
}

static void need_program(char **argv)
{
	if (!*argv)
		die(STATUS_USAGE, "nothing to run: name a program; see eagain --help");
	program_check(argv[0]);
}

static int run_verb(struct options *o, char **argv)
{
	need_program(argv);
	o->value[SETTING_trace] = NULL;
	options_to_environment(o);
	return run_program(argv, false);
}

static char *without_slashes(const char *dir)
{
	char *copy = must_have(strdup(dir));

	for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
		copy[n - 1] = 0;
	return copy;
}

static int record_verb(struct options *o, char **argv)
{
	const char *dir = o->value[SETTING_trace] ? o->value[SETTING_trace] : DEFAULT_TRACE;

	need_program(argv);
	dir = without_slashes(dir);
	make_trace_directory(dir);
	o->value[SETTING_trace] = absolute(dir);
	options_to_environment(o);
	return run_program(argv, false);
}

/* `eagain CMD`: record into a directory of our own, run, report, remove.  */
static int show_verb(struct options *o, char **argv)
{
	const char *tmp = getenv("TMPDIR"), *output_name = o->value[SETTING_trace];
	char dir[PATH_MAX];
	FILE *output;
	int status;

	need_program(argv);
	output = open_output(o, stderr);
	snprintf(dir, sizeof dir, "%s/eagain.XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp");
	if (!mkdtemp(dir))
		die(STATUS_FAILED, "%s: %s: set TMPDIR to a directory that can be written", dir, strerror(errno));
	o->value[SETTING_trace] = absolute(dir);
	options_to_environment(o);
	status = run_program(argv, true);
	signal(SIGPIPE, SIG_IGN);       /* a report that nobody reads shall not cost the program its status */
	if (!output_name)
		fputc('\n', output);
	report_try(dir, output);
	remove_trace(dir);
	o->value[SETTING_trace] = NULL;
	close_output(output);
	return run_mirror(status);
}

static int view_verb(struct options *o, char **argv, void (*view)(struct trace *, FILE *))
{
	const char *dir = *argv ? *argv : DEFAULT_TRACE;
	FILE *output;
	struct trace *t;

	if (*argv && argv[1])
		die(STATUS_USAGE, "%s: one directory at a time", argv[1]);
	t = reader_open(dir);
	output = open_output(o, stdout);
	view(t, output);
	reader_close(t);
	return close_output(output);
}

int main(int argc, char **argv)
{
	struct options o = {0};
	const char *verb = NULL;
	int i = 1;

	if (argc > 1 && argv[1][0] != '-') {
		static const char *const verbs[] = {"record", "run", "report", "log"};

		for (size_t v = 0; v < sizeof verbs / sizeof *verbs; v++)
			if (!strcmp(argv[1], verbs[v]))
				verb = argv[i++];
	}
	i += options_read(&o, argc - i, argv + i);
	if (o.help)
		return usage();
	if (o.version) {
		puts("eagain " EAGAIN_VERSION);
		return 0;
	}
	if (o.json && (!verb || strcmp(verb, "report") != 0))
		die(STATUS_USAGE, "--json: only for eagain report");
	if (!verb && i == argc && argc == 1) {
		usage();
		return STATUS_USAGE;
	}
	if (!verb)
		return show_verb(&o, argv + i);
	if (!strcmp(verb, "record"))
		return record_verb(&o, argv + i);
	if (!strcmp(verb, "run"))
		return run_verb(&o, argv + i);
	if (!strcmp(verb, "log"))
		return view_verb(&o, argv + i, log_print);
	return view_verb(&o, argv + i, o.json ? json_print : report_print);
}
