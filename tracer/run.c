/* run.c - starting the program, and being a parent that nobody notices.
 *
 * The program stays in our process group, so that the terminal's signals reach it as if we were not there.  What another
 * process sends to us alone is passed on; when the program stops, we stop; when we are continued, so is it.  */
#include "run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"
#include "shim/flag.h"
#include "switching.h"

/* The library: next to this command (as built), or in ../lib/eagain (as installed).  */
static void find_library(char path[PATH_MAX])
{
	static const char *const places[] = {"libeagain.so", "../lib/eagain/libeagain.so"};
	char self[PATH_MAX], name[2 * PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self);
	int dir = n > 0 && n < (ssize_t)sizeof self ? (int)n : 0;

	while (dir && self[dir - 1] != '/')
		dir--;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		snprintf(name, sizeof name, "%.*s%s", dir, self, places[i]);
		if (!realpath(name, path))
			continue;
		if (strpbrk(path, ": "))
			die(STATUS_FAILED, "%s: LD_PRELOAD cannot name a path with a space or a colon: install it elsewhere", path);
		return;
	}
	die(STATUS_FAILED, "libeagain.so: neither next to this command nor in ../lib/eagain: run make, or make install");
}

static void set_preload(void)
{
	char path[PATH_MAX];
	const char *theirs = getenv("LD_PRELOAD");
	char *both;

	find_library(path);
	both = must_have(malloc(strlen(path) + (theirs ? strlen(theirs) : 0) + 2));
	/* The last one, behind what other shims serve: they look for the next function, and find ours. */
	*both = 0;
	if (theirs && *theirs)
		strcat(strcpy(both, theirs), ":");
	strcat(both, path);
	setenv("LD_PRELOAD", both, 1);
	free(both);
}

/* What lasts over an exec, but does not come along to a fork's child: the timers of alarm(2) and setitimer(2), and the signal for
 * the death of the parent, which is ours to hand down.  */
enum { TIMERS = 3 };

struct heritage {
	struct itimerval timers[TIMERS];
	int death_signal;
};

static void take_heritage(struct heritage *h)
{
	static const struct itimerval none;

	for (int which = 0; which < TIMERS; which++)
		setitimer(which, &none, &h->timers[which]);
	if (prctl(PR_GET_PDEATHSIG, &h->death_signal) < 0)
		h->death_signal = 0;
}

static void hand_down(const struct heritage *h)
{
	for (int which = 0; which < TIMERS; which++)
		setitimer(which, &h->timers[which], NULL);
	prctl(PR_SET_PDEATHSIG, h->death_signal);
}

static void __attribute__((noreturn)) become(const char *path, char **argv)
{
	execvp(path, argv);
	die(errno == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE, "%s: %s", argv[0], strerror(errno));
}

/* What another process may send to us and means the program.  Not among them: what cannot be caught, what tells of a fault of our
 * own, what we act on ourselves, and the two that belong to libc.  */
static bool is_passed_on(int signal)
{
	switch (signal) {
	case SIGKILL: case SIGSTOP: case SIGSEGV: case SIGBUS: case SIGFPE: case SIGILL: case SIGCHLD: case SIGCONT: case 32: case 33:
		return false;
	default:
		return true;
	}
}

static bool is_end(int signal)
{
	return signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT;
}

int run_signal(const char *name)
{
	char *end;
	long number = strtol(name, &end, 10);

	if (*name >= '0' && *name <= '9' && !*end)
		return number > 0 && number <= 64 && is_passed_on((int)number) ? (int)number : 0;
	if (!strncmp(name, "SIG", 3))
		name += 3;
	for (int signal = 1; signal <= 64; signal++)
		if (is_passed_on(signal) && sigabbrev_np(signal) && !strcmp(sigabbrev_np(signal), name))
			return signal;
	return 0;
}

static int switch_signal;
static const char *switched_trace;

void run_switch_by(int signal, const char *trace)
{
	switch_signal = signal;
	switched_trace = trace;
}

static volatile sig_atomic_t child;

static void pass_on(int signal, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	if (signal == switch_signal) {
		switching_set(switched_trace, SWITCH_OTHER);
		errno = saved;
		return;
	}
	/* What the kernel sends for the terminal goes to the whole group: the program has it already.  But that the terminal has
	 * hung up is told to the leader of the session alone. */
	if (child > 0 && info->si_pid != (pid_t)child) {
		if (info->si_code == SI_QUEUE)
			sigqueue((pid_t)child, signal, info->si_value);
		else if (info->si_code == SI_USER || info->si_code == SI_TKILL ||
			 (signal == SIGHUP && info->si_code == SI_KERNEL && getsid(0) == getpid()))
			kill((pid_t)child, signal);
	}
	errno = saved;
}

struct dispositions {
	struct sigaction action[65];
	sigset_t mask, passed_on;
};

static void watch_signals(struct dispositions *old)
{
	struct sigaction action = {.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct sigaction fallback = {.sa_handler = SIG_DFL};

	*old = (struct dispositions){0};        /* the default for what cannot be read: valgrind keeps a signal for itself */
	sigfillset(&action.sa_mask);
	sigemptyset(&old->passed_on);
	for (int signal = 1; signal <= 64; signal++)
		if (is_passed_on(signal))
			sigaddset(&old->passed_on, signal);
	sigprocmask(SIG_BLOCK, &old->passed_on, &old->mask);    /* until the child has its dispositions back */
	for (int signal = 1; signal <= 64; signal++)
		if (is_passed_on(signal))
			sigaction(signal, &action, &old->action[signal]);
	sigaction(SIGCHLD, &fallback, &old->action[SIGCHLD]);   /* ignored, it would take the status away */
}

/* With `stay`, those by which somebody ends us go on being caught, and go nowhere.  */
static void unwatch_signals(const struct dispositions *old, bool stay)
{
	for (int signal = 1; signal <= 64; signal++)
		if ((is_passed_on(signal) && !(stay && (is_end(signal) || signal == switch_signal))) || signal == SIGCHLD)
			sigaction(signal, &old->action[signal], NULL);
	sigprocmask(SIG_SETMASK, &old->mask, NULL);
}

/* The program has stopped: so do we, by the same signal, until somebody continues us.  */
static void stop_too(int signal)
{
	struct sigaction action = {.sa_handler = SIG_DFL}, old;
	sigset_t set, mask;

	if (signal == SIGSTOP) {
		raise(SIGSTOP);
		return;
	}
	sigemptyset(&set);
	sigaddset(&set, signal);
	sigaction(signal, &action, &old);
	sigprocmask(SIG_UNBLOCK, &set, &mask);
	raise(signal);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sigaction(signal, &old, NULL);
}

/* Whoever continued us may have continued the whole group (a shell's fg), or us alone.  */
static bool is_stopped(pid_t pid)
{
	char path[40], text[256];
	const char *state;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n < 0 ? 0 : n] = 0;
	state = strrchr(text, ')');
	return !state || state[1] != ' ' || state[2] == 'T';
}

/* Continued with the group, the program may have stopped again already: then waitpid tells, and that stop is one of its own.  */
static int wait_for(pid_t pid)
{
	int status, options = WUNTRACED;

	for (;;) {
		pid_t got = waitpid(pid, &status, options);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			die(STATUS_FAILED, "wait: %s", strerror(errno));
		if (got && !WIFSTOPPED(status))
			return status;
		if (got)
			stop_too(WSTOPSIG(status));
		else
			kill(pid, SIGCONT);
		options = got && is_stopped(pid) ? WUNTRACED | WNOHANG : WUNTRACED;
	}
}

/* O_NONBLOCK of fds 0-2, which --switch=flag leaves on where the program, or a child that nobody waited for, is killed.  */
static void restore_flags(void)
{
	for (int fd = 0; fd < 3; fd++) {
		int now = fcntl(fd, F_GETFL);

		if (now >= 0 && (now & O_NONBLOCK) && (now & FLAG_MARK))
			fcntl(fd, F_SETFL, now & ~(O_NONBLOCK | FLAG_MARK));
	}
}

/* Nobody shall miss an end of file because we have an end of the program's pipe, too.  Those that we were given are all without
 * FD_CLOEXEC.  `stdio`: stdin and stdout as well; stderr is for what we have to say.  */
static void let_go(bool stdio)
{
	DIR *dir = opendir("/proc/self/fd");
	int null = stdio ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;

	for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
		int fd = atoi(e->d_name), flags = fd > STDERR_FILENO ? fcntl(fd, F_GETFD) : -1;

		if (flags >= 0 && !(flags & FD_CLOEXEC))
			close(fd);
	}
	if (dir)
		closedir(dir);
	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	close(null);
}

int run_program(const char *path, char **argv, bool stay, pid_t *program)
{
	const char *switching = getenv("EAGAIN_SWITCH");
	bool flag = switching && !strcmp(switching, "flag");
	struct heritage heritage;
	struct dispositions old;
	int status;
	pid_t pid;

	set_preload();
	if (!stay && !flag && !switch_signal)
		become(path, argv);
	take_heritage(&heritage);
	watch_signals(&old);
	pid = fork();
	if (pid < 0)
		die(STATUS_FAILED, "fork: %s", strerror(errno));
	if (pid == 0) {
		unwatch_signals(&old, false);
		hand_down(&heritage);
		become(path, argv);
	}
	child = pid;
	let_go(!flag);
	/* Also those that we were started with blocked: the program may unblock them. */
	sigprocmask(SIG_UNBLOCK, &old.passed_on, NULL);
	status = wait_for(pid);
	child = 0;
	if (program)
		*program = pid;
	if (flag)
		restore_flags();
	unwatch_signals(&old, stay || switch_signal);
	return stay ? status : run_mirror(status);
}

int run_mirror(int status)
{
	struct rlimit no_core = {0, 0};
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t set;

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	fflush(NULL);
	setrlimit(RLIMIT_CORE, &no_core);       /* the program has left its own */
	sigaction(WTERMSIG(status), &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, WTERMSIG(status));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}
