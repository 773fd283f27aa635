/* main.c - the `eagain` command: which verb, and what it needs.  */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "browse.h"
#include "color.h"
#include "drawing.h"
#include "export.h"
#include "filter.h"
#include "json.h"
#include "log.h"
#include "observe.h"
#include "options.h"
#include "program.h"
#include "reader.h"
#include "report.h"
#include "run.h"
#include "say.h"
#include "screen.h"
#include "shim/config.h"
#include "switching.h"
#include "timeline.h"
#include "top.h"

enum { TRIES = 20 };     /* where others use the same names at the same time */

/* Where text goes: -o FILE, or the given stream.  */
static FILE *open_output(const struct options *o, FILE *otherwise)
{
	const char *name = o->value[SETTING_output];
	FILE *f = name ? fopen(name, "we") : otherwise;

	if (!f)
		die(STATUS_FAILED, "%s: %s", name, strerror(errno));
	color_choose(o->value[SETTING_color] ? o->value[SETTING_color] : options_default(SETTING_color), f);
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

static int remove_data(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	if (ftw->level != 1 || strcmp(path + ftw->base, TRACE_CONTROL_NAME) != 0)
		remove(path);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

/* The control file goes last: what is left by whoever is killed meanwhile is still a trace.  Who records there may make files until
 * it finds that there is none.  */
static void remove_trace(const char *dir)
{
	for (int tries = 0; tries < TRIES; tries++) {
		nftw(dir, remove_data, 8, FTW_DEPTH | FTW_PHYS);
		nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
		if (access(dir, F_OK) < 0)
			return;
	}
}

/* What a recording has in its directory before there is a control file: that file's name as it is made is control.PID.  What is in
 * a directory is somebody's data.  */
static bool is_begun(int dir, const char *name)
{
	static const char temporary[] = TRACE_CONTROL_NAME ".";
	size_t n = sizeof temporary - 1;
	struct stat st;

	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return true;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
		return false;
	if (!strncmp(name, temporary, n))
		return name[n] && !name[n + strspn(name + n, "0123456789")];
	return !strcmp(name, TRACE_OBSERVER_NAME);
}

/* Whether the directory may be taken away: a trace, or what a recording leaves that is killed before it has one.  */
static bool is_removable(const char *dir)
{
	const struct dirent *e;
	bool only_begun = true;
	DIR *d;

	if (reader_is_trace(dir))
		return true;
	d = opendir(dir);
	if (!d)
		return errno == ENOENT;
	while (only_begun && (e = readdir(d)))
		only_begun = is_begun(dirfd(d), e->d_name);
	closedir(d);
	return only_begun;
}

/* Takes away what is there: a trace is kept as DIR.old, as perf keeps perf.data.old.  Or tells what is in the way.  */
static const char *take_away(const char *dir, const char *old)
{
	struct stat st;

	if (lstat(dir, &st) < 0 || rmdir(dir) == 0)
		return NULL;
	if (!S_ISDIR(st.st_mode) || !is_removable(dir))
		return "exists and is not a trace";
	if (lstat(old, &st) == 0 && !(S_ISDIR(st.st_mode) && is_removable(old)))
		return "cannot be kept as .old, which exists and is not a trace";
	remove_trace(old);
	return rename(dir, old) == 0 || errno == ENOENT ? NULL : strerror(errno);
}

/* The directory for `record`: its absolute name.  In a pipeline others make theirs there at the same time: then it begins anew.  */
static char *make_trace_directory(const char *dir)
{
	char old[PATH_MAX], *path;
	const char *why = NULL;

	if ((size_t)snprintf(old, sizeof old, "%s.old", dir) >= sizeof old)
		die(STATUS_FAILED, "%s: %s", dir, strerror(ENAMETOOLONG));
	for (int tries = 0; tries < TRIES; tries++) {
		why = take_away(dir, old);
		if (!why && mkdir(dir, 0700) == 0) {
			path = realpath(dir, NULL);
			if (path)
				return path;
		}
		if (!why)
			why = strerror(errno);
		usleep(1000);
	}
	die(STATUS_FAILED, "%s: %s: move it away, or name another directory with -o", dir, why);
}

/* As the trace's name: the program may change its directory, and as DIR/. it cannot be made anew by the shim.  */
static char *directory_name(char *path)
{
	size_t n = strlen(path);

	if (n + 3 > CONFIG_PATH)
		die(STATUS_FAILED, "%s: a name of %zu bytes is too long for a trace: name a directory with -o", path, n);
	path = must_have(realloc(path, n + 3));
	strcpy(path + n, "/.");
	return path;
}

static void need_program(char **argv, struct program *p)
{
	if (!*argv)
		die(STATUS_USAGE, "nothing to run: name a program; see eagain --help");
	program_check(argv[0], p);
}

static bool may_make(const char *name)
{
	char *copy = must_have(strdup(name));
	bool may = faccessat(AT_FDCWD, dirname(copy), W_OK | X_OK, AT_EACCESS) == 0;

	free(copy);
	return may;
}

/* Whether the log can be written: in the program there is nobody to say so.  It is made by the first line of it.  A FIFO may have to
 * wait for its reader.  */
static void need_log(const struct options *o)
{
	const char *name = o->value[SETTING_log];
	struct stat st;
	int fd;

	if (!name || !strcmp(name, "-") || (stat(name, &st) == 0 && S_ISFIFO(st.st_mode)))
		return;
	fd = open(name, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && (errno != ENOENT || !may_make(name)))
		die(STATUS_FAILED, "--log: %s: %s", name, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static int run_verb(struct options *o, char **argv)
{
	struct program p;

	need_program(argv, &p);
	need_log(o);
	options_to_environment(o);
	return run_program(p.path, argv, false, NULL);
}

static void set_switching(const struct options *o)
{
	if (o->value[SETTING_signal])
		run_switch_by(run_signal(o->value[SETTING_signal]), o->value[SETTING_trace]);
}

static char *without_slashes(const char *dir)
{
	char *copy = must_have(strdup(dir));

	for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
		copy[n - 1] = 0;
	return copy;
}

static void start_observer(const char *dir, const struct options *o)
{
	int error = observe_start(o->value[SETTING_trace]);

	if (!error)
		return;
	remove_trace(dir);
	die(STATUS_FAILED, "%s: readiness cannot be recorded: %s", dir, strerror(error));
}

static int record_verb(struct options *o, char **argv)
{
	const char *dir = o->value[SETTING_trace] ? o->value[SETTING_trace] : options_default(SETTING_trace);
	struct program p;
	int status;

	need_program(argv, &p);
	need_log(o);
	dir = without_slashes(dir);
	o->value[SETTING_trace] = directory_name(make_trace_directory(dir));
	options_to_environment(o);
	set_switching(o);
	if (!o->value[SETTING_readiness])
		return run_program(p.path, argv, false, NULL);
	start_observer(dir, o);
	status = run_program(p.path, argv, true, NULL);
	observe_end(false);
	return run_mirror(status);
}

/* `eagain CMD`: record into a directory of our own, run, report, remove.  */
static int show_verb(struct options *o, char **argv)
{
	const char *tmp = getenv("TMPDIR"), *output_name = o->value[SETTING_output];
	char dir[PATH_MAX];
	struct program p;
	struct timespec now;
	FILE *output;
	int status;
	pid_t pid;

	need_program(argv, &p);
	need_log(o);
	output = open_output(o, stderr);
	snprintf(dir, sizeof dir, "%s/eagain.XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp");
	if (!mkdtemp(dir))
		die(STATUS_FAILED, "%s: %s: set TMPDIR to a directory that can be written", dir, strerror(errno));
	o->value[SETTING_trace] = directory_name(must_have(realpath(dir, NULL)));
	options_to_environment(o);
	set_switching(o);
	if (o->value[SETTING_readiness])
		start_observer(dir, o);
	status = run_program(p.path, argv, true, &pid);
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (o->value[SETTING_readiness])
		observe_end(true);
	signal(SIGPIPE, SIG_IGN);       /* a report that nobody reads shall not cost the program its status */
	if (!output_name)
		fputc('\n', output);
	report_try(dir, &(struct trace_end){(uint32_t)pid, status, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec}, output);
	remove_trace(dir);
	close_output(output);
	return run_mirror(status);
}

static const char *trace_directory(char **argv)
{
	const char *dir = *argv ? *argv : options_default(SETTING_trace);

	if (*argv && argv[1])
		die(STATUS_USAGE, "%s: one directory at a time", argv[1]);
	if (!*argv && access(dir, F_OK) < 0)
		die(STATUS_FAILED, "%s: %s: record one with eagain record CMD..., or name another", dir, strerror(errno));
	return dir;
}

static struct trace *open_trace(const struct options *o, char **argv)
{
	struct trace *t = reader_open(trace_directory(argv));

	filter_apply(t, o);
	return t;
}

static int view_verb(struct options *o, char **argv, void (*view)(struct trace *, FILE *))
{
	struct trace *t = open_trace(o, argv);
	FILE *output = open_output(o, stdout);

	view(t, output);
	reader_close(t);
	return close_output(output);
}

static int report_verb(struct options *o, char **argv)
{
	return view_verb(o, argv, o->value[SETTING_json] ? json_report : o->value[SETTING_critical_path] ? report_path : report_print);
}

static int log_verb(struct options *o, char **argv)
{
	return view_verb(o, argv, log_print);
}

static struct view view_of(const struct options *o)
{
	const char *by = o->value[SETTING_by];
	struct view v = {.by_fd = by ? !strcmp(by, "fd") : o->value[SETTING_fd] != NULL, .to_ns = UINT64_MAX};

	if (o->value[SETTING_from])
		v.from_ns = options_time(o->value[SETTING_from]);
	if (o->value[SETTING_to])
		v.to_ns = options_time(o->value[SETTING_to]);
	if (v.to_ns <= v.from_ns)
		die(STATUS_USAGE, "--to: \"%s\": must be later than --from", o->value[SETTING_to]);
	return v;
}

static int timeline_verb(struct options *o, char **argv)
{
	const char *op = o->value[SETTING_op], *browsing = o->value[SETTING_browse];
	struct view v = view_of(o);
	struct trace *t;
	FILE *output;

	if (browsing && (op || o->value[SETTING_output]))
		die(STATUS_USAGE, "-i: not together with %s", op ? "--op" : "-o");
	t = open_trace(o, argv);
	output = open_output(o, stdout);
	if (op)
		drawing_print(t, (uint32_t)strtoul(op, NULL, 10), screen_width(output), output);
	else if (browsing)
		browse(t, &v);
	else
		timeline_print(t, &v, output);
	reader_close(t);
	return close_output(output);
}

static int top_verb(struct options *o, char **argv)
{
	const char *by = o->value[SETTING_top_by], *count = o->value[SETTING_count], *delay = o->value[SETTING_delay];
	uint64_t delay_ns = options_time(delay ? delay : options_default(SETTING_delay));

	if (delay_ns < 10000000)
		die(STATUS_USAGE, "-d: \"%s\": must be at least 10ms", delay);
	color_choose(o->value[SETTING_color] ? o->value[SETTING_color] : options_default(SETTING_color), stdout);
	top(trace_directory(argv), !by || !strcmp(by, "process") ? BY_PROCESS : !strcmp(by, "thread") ? BY_THREAD : BY_FD,
	    delay_ns, count ? (uint32_t)strtoul(count, NULL, 10) : 0);
	return close_output(stdout);
}

static int export_verb(struct options *o, char **argv)
{
	const struct export_format *format = export_find(*argv);

	return view_verb(o, argv + 1, format->print);
}

static int switch_verb(struct options *o, char **argv)
{
	const char *to = *argv, *dir, *why;

	(void)o;
	if (!to)
		die(STATUS_USAGE, "switch: on or off?");
	if (strcmp(to, "on") != 0 && strcmp(to, "off") != 0)
		die(STATUS_USAGE, "switch: \"%s\": must be on or off", to);
	dir = trace_directory(argv + 1);
	why = switching_set(dir, strcmp(to, "on") ? SWITCH_OFF : SWITCH_ON);
	if (why)
		die(STATUS_FAILED, "%s: %s", dir, why);
	return 0;
}

static int check_verb(struct options *o, char **argv)
{
	struct program p;

	(void)o;
	need_program(argv, &p);
	if (!p.readable)
		die(STATUS_FAILED, "%s: cannot be read: whether it can be preloaded is not known", p.path);
	printf("%s%s%s: can be preloaded\n", p.path, *p.interpreter ? ", run by " : "", p.interpreter);
	return close_output(stdout);
}

int main(int argc, char **argv)
{
	static int (*const verbs[])(struct options *, char **) = {
#define VERB(id, name, takes, synopsis, summary, text) id##_verb,
#include "verbs.def"
#undef VERB
	};
	struct options o = {0};
	enum verb_id verb;

	if (argc < 2) {
		options_help(VERB_show, stderr);
		return STATUS_USAGE;
	}
	verb = options_verb(argv + 1);
	argv = options_read(&o, verb, argv + 1);
	if (o.value[SETTING_help]) {
		options_help(verb, stdout);
		return close_output(stdout);
	}
	if (o.value[SETTING_version]) {
		puts("eagain " EAGAIN_VERSION);
		return close_output(stdout);
	}
	return verbs[verb](&o, argv);
}
