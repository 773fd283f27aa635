/* process.c - fork, exec, spawn, exit, and the calls that enter a sandbox.
 *
 * A child is followed by the environment.  A program that cleared it, or set its own LD_PRELOAD, gets ours put behind theirs
 * for the call; the program's own copy stays as it was.  Nothing here is spoilt by a child that shares our memory; but that there
 * may be one is noted.  */
#include <alloca.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include "calls.h"
#include "shim/aio/engine.h"
#include "shim/cancel.h"
#include "shim/config.h"
#include "shim/flag.h"
#include "shim/hidden.h"
#include "shim/image.h"
#include "shim/init.h"
#include "shim/libc.h"
#include "shim/readiness.h"
#include "shim/record.h"
#include "shim/settings.h"
#include "shim/shield.h"
#include "shim/stack.h"
#include "shim/text.h"
#include "shim/tracefile.h"

static const char preload[] = "LD_PRELOAD=";

enum {
	ENTRIES_MAX = SETTING_COUNT + 2,        /* what config.kept may hold, LD_PRELOAD and CONFIG_SANDBOX */
	LONGEST_ENVIRONMENT = 1 << 16,  /* one with more entries is passed on as it is */
};

/* Whether p can be read, and with it all of its page, of 4 KiB at least: a bad pointer in an environment is the kernel's to refuse.  */
static bool is_there(const void *p, uintptr_t *known)
{
	uintptr_t page = (uintptr_t)p & ~(uintptr_t)4095;

	if (page == *known)
		return true;
	if (!is_readable(p))
		return false;
	*known = page;
	return true;
}

/* Whether it can be walked through, and is of a length that fits a stack.  */
static bool is_sound(char *const *env)
{
	uintptr_t list = 1, strings = 1;        /* no page begins there */
	size_t n = 0;

	for (; env && is_there(env, &list) && n < LONGEST_ENVIRONMENT; env++, n++) {
		if (!*env)
			return true;
		if (!is_there(*env, &strings))
			return false;
	}
	return !env;
}

/* The value of `entry`, "NAME=value", in env; NULL where NAME is not there.  */
static const char *find(char *const *env, const char *entry)
{
	size_t n = strcspn(entry, "=") + 1;

	for (; env && *env; env++)
		if (!strncmp(*env, entry, n))
			return *env + n;
	return NULL;
}

/* Whether a child's loader will find the library (chroot, other rights): where not, it would say so on the child's stderr.  */
static bool is_reachable(void)
{
	long result;

	/* ld.so(8) knows places of its own, and $LIB. */
	if (shim_sandboxed || !strchr(config.library, '/') || strchr(config.library, '$'))
		return true;
	/* With the real ids, and without the capabilities that an exec by another than root drops; with other effective ids the
	 * loader ignores LD_PRELOAD. */
	result = sys(SYS_faccessat, AT_FDCWD, config.library, R_OK);
	return result != -ENOENT && result != -ENOTDIR && result != -EACCES;
}

/* Whether `theirs` names our library last, or, where it is not reachable, nowhere.  */
static bool is_right(const char *theirs, bool reachable)
{
	size_t n, own = strlen(config.library);
	bool last = false, anywhere = false;

	for (; theirs && *theirs; theirs += n + strspn(theirs + n, ": ")) {
		n = strcspn(theirs, ": ");
		last = n == own && !memcmp(theirs, config.library, n);
		anywhere |= last;
	}
	return reachable ? last : !anywhere;
}

/* LD_PRELOAD with all of theirs but ours, and, where it is wanted, ours behind them: what else is preloaded is nearer to the
 * program, and may change what its calls do (libfaketime's poll); we are nearer to the kernel.  */
static const char *preload_entry(char *to, const char *theirs, bool with_ours)
{
	size_t n, own = strlen(config.library);
	char *end = stpcpy(to, preload);

	for (; theirs && *theirs; theirs += n + strspn(theirs + n, ": ")) {
		n = strcspn(theirs, ": ");
		if (n == 0 || (n == own && !memcmp(theirs, config.library, n)))
			continue;
		if (end[-1] != '=')
			*end++ = ':';
		end = mempcpy(end, theirs, n);
	}
	if (with_ours && end[-1] != '=')
		*end++ = ':';
	strcpy(end, with_ours ? config.library : "");
	return to;
}

/* What else `env` lacks, as entries that outlive the call; returns how many.  */
static unsigned missing(char *const *env, const char *entries[ENTRIES_MAX])
{
	unsigned n = 0;

	if (shim_sandboxed)
		entries[n++] = CONFIG_SANDBOX;
	for (size_t at = 0; at < config.kept_size && n < ENTRIES_MAX - 2; at += strlen(config.kept + at) + 1)
		if (!find(env, config.kept + at))
			entries[n++] = config.kept + at;
	return n;
}

/* Writes the environment for a child into `to`, which has room for all of env, ENTRIES_MAX and NULL.  */
static void merge(char **to, char *const *env, const char *const *entries, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		*to++ = (char *)(uintptr_t)entries[i];
	for (; env && *env; env++) {
		bool replaced = false;

		for (unsigned i = 0; i < n; i++)
			replaced |= find((char *const[]){*env, NULL}, entries[i]) != NULL;
		if (!replaced)
			*to++ = *env;
	}
	*to = NULL;
}

static size_t count(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

/* Declares `env` as the environment that a child of this call shall have, which runs what `looks`
 * (image_loads_us or image_found_loads_us) finds at `path`: where its loader cannot load us, we are left out.  A macro, for the
 * space must be on the caller's stack: a vfork child may not allocate.  */
#define CHILD_ENVIRONMENT(env, looks, path)                                                                           \
	do {                                                                                                          \
		const char *entries_[ENTRIES_MAX];                                                                    \
		const char *theirs_;                                                                                  \
		bool reachable_;                                                                                      \
		unsigned n_;                                                                                          \
                                                                                                                      \
		if (!shim_on || !config.library[0] || (!shim_sandboxed && !is_sound(env)))                            \
			break;                                                                                        \
		theirs_ = find(env, preload);                                                                         \
		n_ = missing(env, entries_);                                                                          \
		reachable_ = is_reachable() && (shim_sandboxed || !is_readable(path) || looks(path));               \
		if (!is_right(theirs_, reachable_)) {                                                                 \
			char *entry_ = alloca(sizeof preload + CONFIG_PATH + (theirs_ ? strlen(theirs_) : 0) + 1);    \
                                                                                                                      \
			entries_[n_++] = preload_entry(entry_, theirs_, reachable_);                                  \
		}                                                                                                     \
		if (n_) {                                                                                             \
			char **merged_ = alloca((count(env) + ENTRIES_MAX + 1) * sizeof *merged_);                    \
                                                                                                                      \
			merge(merged_, env, entries_, n_);                                                            \
			(env) = merged_;                                                                              \
		}                                                                                                     \
	} while (0)

/* system(3) and popen(3) hand on environ itself.  Where it lacks something, and no other thread can look, one that has it all is
 * lent for the call: a static one, for a handler may leave the call by siglongjmp.  */
static char *lent[512];

char **environ_lend(void)
{
	static char text[sizeof preload + 2ul * CONFIG_PATH];
	char **own = environ;
	char *const *env = own;
	size_t n;

	if (!libc_single_threaded() || own == lent)
		return own;
	CHILD_ENVIRONMENT(env, image_loads_us, "/bin/sh");
	n = count(env);
	if (env == own || n >= sizeof lent / sizeof *lent)
		return own;
	memcpy(lent, env, (n + 1) * sizeof *lent);
	for (char **entry = lent; *entry; entry++) {
		if (strncmp(*entry, preload, sizeof preload - 1) != 0)
			continue;
		if (strlen(*entry) >= sizeof text)
			return own;
		*entry = strcpy(text, *entry);
	}
	environ = lent;
	return own;
}

void environ_return(char **own)
{
	if (environ == lent)
		environ = own;
}

static void before_exec(void)
{
	if (!shim_on)
		return;
	if (record_on)
		record_exec(0, 0);
	flag_off_everywhere();
}

static int exec_failed(int result)
{
	if (record_on)
		record_exec(0, -errno);
	return result;
}

EXPORT int execve(const char *path, char *const argv[], char *const env[])
{
	before_exec();
	CHILD_ENVIRONMENT(env, image_loads_us, path);
	return exec_failed((int)as_libc(sys(SYS_execve, path, argv, env)));
}

EXPORT int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

EXPORT int execvpe(const char *file, char *const argv[], char *const env[])
{
	shim_need_libc();
	before_exec();
	CHILD_ENVIRONMENT(env, image_found_loads_us, file);
	return exec_failed(libc.execvpe(file, argv, env));
}

EXPORT int execvp(const char *file, char *const argv[])
{
	return execvpe(file, argv, environ);
}

EXPORT int fexecve(int fd, char *const argv[], char *const env[])
{
	char path[40];
	struct text t = {path, path + sizeof path - 1};

	text_string(&t, "/proc/self/fd/");
	text_number(&t, (unsigned)fd, 10);
	*t.at = 0;
	shim_need_libc();
	before_exec();
	if (env)        /* which fexecve refuses to be without */
		CHILD_ENVIRONMENT(env, image_loads_us, path);
	return exec_failed(libc.fexecve(fd, argv, env));
}

/* The arguments of execl and its like, up to and with the NULL, as an array on the caller's stack.  */
#define ARGUMENTS(argv, first, list)                                                                                  \
	char **argv;                                                                                                  \
	do {                                                                                                          \
		va_list count_;                                                                                       \
		size_t n_ = 1;                                                                                        \
                                                                                                                      \
		va_copy(count_, list);                                                                                \
		for (const char *a_ = first; a_; a_ = va_arg(count_, const char *))                                   \
			n_++;                                                                                         \
		va_end(count_);                                                                                       \
		argv = alloca(n_ * sizeof *argv);                                                                     \
		argv[0] = (char *)(uintptr_t)(first);                                                                 \
		for (size_t i_ = 1; i_ < n_; i_++)                                                                    \
			argv[i_] = va_arg(list, char *);                                                              \
	} while (0)

EXPORT int execl(const char *path, const char *first, ...)
{
	va_list list;

	va_start(list, first);
	ARGUMENTS(argv, first, list);
	va_end(list);
	return execve(path, argv, environ);
}

EXPORT int execlp(const char *file, const char *first, ...)
{
	va_list list;

	va_start(list, first);
	ARGUMENTS(argv, first, list);
	va_end(list);
	return execvpe(file, argv, environ);
}

EXPORT int execle(const char *path, const char *first, ...)
{
	va_list list;
	char *const *env;

	va_start(list, first);
	ARGUMENTS(argv, first, list);
	env = va_arg(list, char *const *);
	va_end(list);
	return execve(path, argv, env);
}

static void note_spawned(pid_t child)
{
	if (!record_on)
		return;
	record_fd_event(TRACE_FORK, -1, child, 0);
	record_exec(child, 0);
}

EXPORT int posix_spawn(pid_t *restrict pid, const char *restrict path, const posix_spawn_file_actions_t *restrict actions,
		       const posix_spawnattr_t *restrict attributes, char *const argv[restrict], char *const env[restrict])
{
	char *const *merged = env;
	int result;
	pid_t child;

	shim_need_libc();
	flag_off_everywhere();
	CHILD_ENVIRONMENT(merged, image_loads_us, path);
	result = libc.posix_spawn(&child, path, actions, attributes, argv, merged);
	if (result == 0 && pid)
		*pid = child;
	if (result == 0)
		note_spawned(child);
	return result;
}

EXPORT int posix_spawnp(pid_t *restrict pid, const char *restrict file, const posix_spawn_file_actions_t *restrict actions,
			const posix_spawnattr_t *restrict attributes, char *const argv[restrict], char *const env[restrict])
{
	char *const *merged = env;
	int result;
	pid_t child;

	shim_need_libc();
	flag_off_everywhere();
	CHILD_ENVIRONMENT(merged, image_found_loads_us, file);
	result = libc.posix_spawnp(&child, file, actions, attributes, argv, merged);
	if (result == 0 && pid)
		*pid = child;
	if (result == 0)
		note_spawned(child);
	return result;
}

/* What there is instead where libc cannot be reached.  */
static int makes_nothing(void)
{
	return -1;
}

/* Called by vfork and clone (arch/), which go on to what these return.  */
void *process_vforks(void);
void *process_clones(void);

void *process_vforks(void)
{
	STORE(shim_vforks, true);
	return shim_has_libc() ? (void *)libc.vfork : (void *)makes_nothing;
}

void *process_clones(void)
{
	STORE(shim_vforks, true);
	return shim_has_libc() ? (void *)libc.clone : (void *)makes_nothing;
}

EXPORT pid_t fork(void)
{
	pid_t pid;

	shim_need_libc();
	pid = libc.fork();
	if (pid == 0 && !config.follow) {
		shim_on = false;
		record_on = false;
	}
	if (pid == 0) {
		STORE(libc_is_child, true);
		shield_forked();
		hidden_forked();
		readiness_forked();
	}
	if (pid == 0 && record_on)
		record_forked();
	if (pid > 0 && record_on)
		record_fd_event(TRACE_FORK, -1, pid, 0);
	return pid;
}

/* exit(3) is noticed by a handler (init.c).  */
EXPORT void _exit(int status)
{
	shim_need_libc();
	if (record_on)
		record_fd_event(TRACE_EXIT, -1, status & 0xff, 0);
	flag_off_everywhere();
	libc._exit(status);
	__builtin_unreachable();
}

EXPORT void _Exit(int status) __attribute__((alias("_exit"), noreturn));

/* What at_quick_exit handlers do is served as in --switch=auto.  */
EXPORT void quick_exit(int status)
{
	shim_need_libc();
	if (record_on)
		record_fd_event(TRACE_EXIT, -1, status & 0xff, 0);
	flag_end();
	libc.quick_exit(status);
	__builtin_unreachable();
}

/* libc moves fds 0-2 inside.  */
EXPORT int daemon(int nochdir, int noclose)
{
	int result;

	shim_need_libc();
	flag_off_everywhere();
	result = libc.daemon(nochdir, noclose);
	if (result == 0) {
		STORE(libc_is_child, true);
		shield_forked();
		hidden_forked();
		readiness_forked();
	}
	for (int fd = 0; fd <= 2; fd++)
		fds_relook(fd);
	return result;
}

/* A server gives up root, or the file system, and can then no longer open the trace.  */
#define GIVES_UP_RIGHTS(name, parameters, arguments)                                                                  \
	EXPORT int name parameters                                                                                    \
	{                                                                                                             \
		shim_need_libc();                                                                                     \
		if (record_on)                                                                                        \
			record_provide(false);                                                                        \
		return libc.name arguments;                                                                           \
	}

GIVES_UP_RIGHTS(setuid, (uid_t uid), (uid))
GIVES_UP_RIGHTS(setreuid, (uid_t real, uid_t effective), (real, effective))
GIVES_UP_RIGHTS(setresuid, (uid_t real, uid_t effective, uid_t saved), (real, effective, saved))
GIVES_UP_RIGHTS(seteuid, (uid_t effective), (effective))
GIVES_UP_RIGHTS(chroot, (const char *path), (path))

/* Programs also ask in this way whether the kernel has seccomp at all; then nothing changes.  Strict mode forbids even the
 * clock, so nothing is recorded in it; and no filter need allow what O_NONBLOCK asks for.  */
long enter_sandbox(bool strict, long nr, long a, long b, long c)
{
	bool sandboxed = shim_sandboxed, recorded = record_on;
	enum switching switching = config.switching;
	long result;

	if (record_on && !strict && !shim_sandboxed) {
		fds_look_at_named();
		record_provide(true);
	}
	flag_end();
	shim_sandboxed = true;
	if (!sandboxed) {
		hidden_leave();
		engine_leave();
	}
	record_on = recorded && !strict;
	result = sys(nr, a, b, c, 0, 0);
	if (result < 0) {
		shim_sandboxed = sandboxed;
		record_on = recorded;
		config.switching = switching;
	}
	return result;
}

EXPORT int prctl(int option, ...)
{
	va_list list;
	long a[4];

	va_start(list, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (option == PR_SET_SECCOMP)
		return (int)as_libc(enter_sandbox(a[0] == SECCOMP_MODE_STRICT, SYS_prctl, option, a[0], a[1]));
	if (option == PR_SET_TSC)
		tracefile_leave_tsc();
	return (int)as_libc(sys(SYS_prctl, option, a[0], a[1], a[2], a[3]));
}

/* A process with threads cannot make descriptors of its own any more.  */
void prepare_for_threads(void)
{
	shim_need_libc();
	if (shim_on) {
		readiness_provide();
		hidden_stock();
		tracefile_lengthen();
		stack_provide();
	}
	STORE(libc_is_child, false);
}

EXPORT int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*begin)(void *),
			  void *restrict arg)
{
	prepare_for_threads();
	return libc.pthread_create(thread, attributes, begin, arg);
}

EXPORT int thrd_create(thrd_t *thread, thrd_start_t begin, void *arg)
{
	prepare_for_threads();
	return libc.thrd_create(thread, begin, arg);
}

EXPORT int pthread_cancel(pthread_t thread)
{
	shim_need_libc();
	cancel_begins();
	return libc.pthread_cancel(thread);
}

EXPORT pid_t __fork(void) __attribute__((alias("fork"), nothrow));
