/* tree.c - how processes come about, and what they may do to themselves: namespaces, rights, limits, roots.  */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traps.h"

/* A wait and what ends it, in this process alone.  */
static void transfer(const char *what)
{
	int fds[2];
	pid_t pid, self = (pid_t)hidden_syscall(SYS_gettid, 0, 0, 0);

	make_pipe(fds);
	pid = fork();
	if (pid == 0) {
		/* Where /proc cannot tell, at once. */
		wait_asleep(self);
		_exit(write(fds[1], "x", 1) != 1);
	}
	tell_read(what, fds[0], 1);
	waitpid(pid, NULL, 0);
	close(fds[0]);
	close(fds[1]);
}

static void reap(const char *what, pid_t pid)
{
	int status = 0;

	need(pid > 0 && waitpid(pid, &status, __WALL) == pid, what);
	if (WIFSIGNALED(status))
		tell("%s: SIG%s", what, sigabbrev_np(WTERMSIG(status)));
	else
		tell("%s: exit %d", what, WEXITSTATUS(status));
}

/* What a child has been given.  */
static void show_self(char **argv)
{
	char cwd[256] = "";
	sigset_t set;

	need(getcwd(cwd, sizeof cwd) && strrchr(cwd, '/'), "getcwd");
	tell("%s: cwd %s, group %d, session %d", argv[0] ? argv[0] : "-", strrchr(cwd, '/'), getpgrp() == getpid(), getsid(0) == getpid());
	for (int fd = 0; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			tell("fd %d: access %d, nonblock %d", fd, fcntl(fd, F_GETFL) & O_ACCMODE, !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
	sigprocmask(SIG_BLOCK, NULL, &set);
	for (int signal = 1; signal < 65; signal++) {
		struct sigaction a;

		if (sigismember(&set, signal))
			tell("blocked: %d", signal);
		if (sigaction(signal, NULL, &a) == 0 && a.sa_handler != SIG_DFL)
			tell("%s: %d", a.sa_handler == SIG_IGN ? "ignored" : "caught", signal);
	}
	tell("scheduler %d, nice %d, ids %d %d", sched_getscheduler(0), getpriority(PRIO_PROCESS, 0), getuid() == geteuid(),
	     getgid() == getegid());
	transfer("read");
}

static char *self_argv[] = {(char *)"/proc/self/exe", (char *)"show-self", (char *)"spawned", NULL};
static char *own_environment[] = {(char *)"OWN=1", NULL};

static void spawn_self(const char *what, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes)
{
	pid_t pid;
	int error;

	self_argv[2] = (char *)(uintptr_t)what;
	error = posix_spawn(&pid, "/proc/self/exe", actions, attributes, self_argv, own_environment);
	if (error)
		tell("%s: %s", what, strerrorname_np(error));
	else
		reap(what, pid);
}

/* Every file action of posix_spawn, alone and with others.  */
static void spawn_actions(char **argv)
{
	posix_spawn_file_actions_t a;
	int fds[2], directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)argv;
	make_pipe(fds);
	fcntl(fds[0], F_SETFD, FD_CLOEXEC);
	posix_spawn_file_actions_init(&a);
	spawn_self("none", &a, NULL);
	posix_spawn_file_actions_addopen(&a, 20, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&a, fds[1], 21);
	posix_spawn_file_actions_adddup2(&a, fds[0], fds[0]);
	spawn_self("open, dup2", &a, NULL);
	posix_spawn_file_actions_addclose(&a, fds[1]);
	posix_spawn_file_actions_addchdir_np(&a, "/usr/bin");
	spawn_self("close, chdir", &a, NULL);
	posix_spawn_file_actions_addfchdir_np(&a, directory);
	posix_spawn_file_actions_addclosefrom_np(&a, 3);
	spawn_self("fchdir, closefrom", &a, NULL);
	posix_spawn_file_actions_adddup2(&a, 77, 78);
	spawn_self("of a bad fd", &a, NULL);
	posix_spawn_file_actions_destroy(&a);
}

static void spawn_attributes(char **argv)
{
	static const short flags[] = {
		POSIX_SPAWN_RESETIDS, POSIX_SPAWN_SETPGROUP, POSIX_SPAWN_SETSIGDEF, POSIX_SPAWN_SETSIGMASK, POSIX_SPAWN_SETSCHEDPARAM,
		POSIX_SPAWN_SETSCHEDULER, POSIX_SPAWN_USEVFORK, POSIX_SPAWN_SETSID, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK,
	};
	struct sched_param parameter = {0};
	posix_spawnattr_t a;
	sigset_t set;

	(void)argv;
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGALRM, no_handler);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGHUP);
	posix_spawnattr_init(&a);
	posix_spawnattr_setsigdefault(&a, &set);
	posix_spawnattr_setsigmask(&a, &set);
	posix_spawnattr_setpgroup(&a, 0);
	posix_spawnattr_setschedparam(&a, &parameter);
	posix_spawnattr_setschedpolicy(&a, SCHED_BATCH);
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		char what[16];

		snprintf(what, sizeof what, "%x", (unsigned)flags[i]);
		posix_spawnattr_setflags(&a, flags[i]);
		spawn_self(what, NULL, &a);
	}
	posix_spawnattr_destroy(&a);
}

static int cloned(void *fd)
{
	return write(*(int *)fd, "c", 1) == 1 ? 7 : 8;
}

static long by_clone3(unsigned long flags)
{
	struct clone_args a = {.flags = flags, .exit_signal = SIGCHLD};

	return syscall(SYS_clone3, &a, sizeof a);
}

/* Children that no wrapper has seen: they do I/O, wait, fork and exec.  */
static void raw_clones(char **argv)
{
	static char stack[65536] __attribute__((aligned(16)));
	int fds[2];
	pid_t pid;

	(void)argv;
	make_pipe(fds);
	for (int way = 0; way < 3; way++) {
		/* What is the same for every architecture: no stack, no addresses. */
		pid = (pid_t)(way == 0 ? syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : way == 1 ? hidden_syscall(SYS_clone, SIGCHLD, 0, 0) :
			      by_clone3(0));
		if (pid == 0) {
			transfer("in the child");
			tell_read("from the parent", fds[0], 1);
			if (way == 1) {
				execl("/proc/self/exe", "traps", "end", "9", (char *)NULL);
				_exit(1);
			}
			_exit(way);
		}
		need(write(fds[1], "p", 1) == 1, "write");
		reap("clone", pid);
	}
	reap("with its memory", clone(cloned, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &fds[1]));
	tell_read("read", fds[0], 1);
	reap("with its fds", clone(cloned, stack + sizeof stack, CLONE_FILES | SIGCHLD, &fds[1]));
	tell_read("read", fds[0], 1);
	pid = (pid_t)by_clone3(CLONE_FILES);
	if (pid == 0) {
		close(fds[0]);
		_exit(dup2(fds[1], 50) != 50);
	}
	reap("which closes one", pid);
	tell("read: %s", result_text(read(fds[0], stack, 1)));
	tell("write: %s", (signal(SIGPIPE, SIG_IGN), result_text(write(50, "x", 1))));
	transfer("afterwards");
}

/* Twice forked, in a session of its own, without the fds it came with: it tells by a FIFO.  */
static void daemons(char **argv)
{
	char path[256];
	int fd;

	(void)argv;
	need(mkfifo("fifo", 0600) == 0 && getcwd(path, sizeof path - 5), "mkfifo");
	strcat(path, "/fifo");
	for (int by_libc = 0; by_libc < 2; by_libc++) {
		pid_t pid = fork();

		if (pid == 0) {
			if (by_libc) {
				need(daemon(0, 0) == 0, "daemon");
			} else {
				setsid();
				if (fork() != 0)
					_exit(4);
				need(chdir("/") == 0, "chdir");
				for (int i = 0; i < 100; i++)
					close(i);
				open("/dev/null", O_RDWR);
				need(dup(0) == 1 && dup(0) == 2, "dup");
			}
			fd = open(path, O_WRONLY);
			dup2(fd, 1);
			transfer("daemon");
			tell("fd %d, session %d", fd, getsid(0) != getpid());
			_exit(0);
		}
		reap("its parent", pid);
		fd = open("fifo", O_RDONLY);
		for (char text[64] = ""; read(fd, text, sizeof text - 1) > 0; memset(text, 0, sizeof text))
			printf("%s", text);
		fflush(stdout);
		close(fd);
	}
	unlink("fifo");
}

/* As many programs start others: fds are moved in a vfork child, then it becomes the program; here from a thread, too.  */
static void *vfork_after_dup2(void *unused)
{
	int fds[2], status;
	char text[16] = "";
	pid_t pid;

	make_pipe(fds);
	pid = vfork();
	if (pid == 0) {
		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		execlp("no-such-program", "no", (char *)NULL);
		execlp("echo", "echo", "from echo", (char *)NULL);
		_exit(1);
	}
	close(fds[1]);
	for (ssize_t n = 1, got = 0; n > 0 && got < 15; got += n)
		n = read(fds[0], text + got, sizeof text - 1 - (size_t)got);
	waitpid(pid, &status, 0);
	tell("status %d: %s", status, text);
	close(fds[0]);
	transfer("then");
	return unused;
}

static void vfork_and_dup2(char **argv)
{
	pthread_t t;

	(void)argv;
	vfork_after_dup2(NULL);
	pthread_create(&t, NULL, vfork_after_dup2, NULL);
	pthread_join(t, NULL);
}

/* A program that is no file any more; and a script that is one, or is not.  */
static void exec_from_memory(char **argv)
{
	static const char script[] = "#!/bin/sh\necho \"script $1\"; read -r x; echo \"$x\"\n";
	char buffer[65536], *args[] = {(char *)"in memory", (char *)"show-self", (char *)"memory", NULL};
	char *script_args[] = {(char *)"script", (char *)"argument", NULL};
	int fd = memfd_create("program", MFD_CLOEXEC), self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), text;
	ssize_t n;
	pid_t pid;

	(void)argv;
	while ((n = read(self, buffer, sizeof buffer)) > 0)
		need(write(fd, buffer, (size_t)n) == n, "copy");
	for (int empty = 0; empty < 2; empty++) {
		pid = fork();
		if (pid == 0) {
			fexecve(fd, args, empty ? &own_environment[1] : own_environment);
			_exit(1);
		}
		reap("fexecve", pid);
	}
	text = open("script", O_RDWR | O_CREAT | O_TRUNC, 0700);
	need(write(text, script, sizeof script - 1) == (ssize_t)sizeof script - 1 && close(text) == 0, "script");
	text = open("script", O_RDONLY);
	for (int way = 0; way < 3; way++) {
		pid = fork();
		if (pid == 0) {
			if (way == 0)
				execv("./script", script_args);
			else if (way == 1)
				fexecve(text, script_args, own_environment);
			else
				syscall(SYS_execveat, text, "", script_args, own_environment, AT_EMPTY_PATH);
			_exit(1);
		}
		reap("script", pid);
	}
	unlink("script");
}

/* The grandchild comes to whom it was not born.  */
static void subreaper(char **argv)
{
	int status, n = 0;
	pid_t pid;

	(void)argv;
	need(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "PR_SET_CHILD_SUBREAPER");
	if (fork() == 0) {
		if (fork() == 0) {
			while (getppid() == (pid_t)1)
				;
			transfer("grandchild");
			_exit(6);
		}
		_exit(5);
	}
	while ((pid = wait(&status)) > 0)
		n += WEXITSTATUS(status);
	tell("sum: %d", n);
}

/* What a process may ask of the kernel for itself; then it does I/O, forks, and becomes another program.  */
static void odd_states(char **argv)
{
	(void)argv;
	for (int state = 0; state < 5; state++) {
		pid_t pid = fork();

		if (pid == 0) {
			switch (state) {
			case 0: need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS"); break;
			case 1: need(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, "PR_SET_DUMPABLE"); break;
			case 2: need(personality(ADDR_NO_RANDOMIZE) >= 0, "personality"); break;
			case 3: need(prctl(PR_SET_PDEATHSIG, SIGTERM) == 0, "PR_SET_PDEATHSIG"); break;
			case 4: need(prctl(PR_SET_NAME, "a\xff \n\"b") == 0 && prctl(PR_SET_TIMERSLACK, 1) == 0, "PR_SET_NAME"); break;
			}
			transfer("read");
			execl("/proc/self/exe", "traps", "show-self", "after exec", (char *)NULL);
			_exit(1);
		}
		reap("state", pid);
	}
}

static void with_limits(const char *what)
{
	enum { SIZE = 200000 };
	static char block[SIZE];
	int fds[2], copies[4], n = 0;
	size_t got = 0;
	pid_t pid;

	tell("%s", what);
	if (pipe(fds) < 0) {
		tell("pipe: %s", result_text(-1));
		while (n < 4 && (copies[n] = dup(0)) >= 0)
			n++;
		tell("fds left: %d", n);
		return;
	}
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		_exit(write(fds[1], block, SIZE) != SIZE);
	}
	tell("fork: %s", pid > 0 ? "yes" : result_text(pid));
	if (pid < 0)
		pid = 0;
	close(fds[1]);
	for (long part = 1; part > 0; got += (size_t)part)
		part = read(fds[0], block, SIZE);
	tell("read: %zu", got);
	if (pid)
		reap("writer", pid);
}

/* Limits that are just enough, or not, for the program; it has no fewer of anything for us.  */
static void limits(char **argv)
{
	static const struct {
		const char *name;
		__rlimit_resource_t resource;
		rlim_t value;
	} all[] = {
		{"3 fds", RLIMIT_NOFILE, 3}, {"4 fds", RLIMIT_NOFILE, 4}, {"5 fds", RLIMIT_NOFILE, 5}, {"16 fds", RLIMIT_NOFILE, 16},
		{"a million fds", RLIMIT_NOFILE, 1000000}, {"200 MB of addresses", RLIMIT_AS, 200 << 20}, {"no more addresses", RLIMIT_AS, 1},
		{"no more data", RLIMIT_DATA, 0}, {"64 KiB of stack", RLIMIT_STACK, 64 << 10}, {"no files", RLIMIT_FSIZE, 0},
		{"no core", RLIMIT_CORE, 0}, {"no locked memory", RLIMIT_MEMLOCK, 0}, {"no pending signals", RLIMIT_SIGPENDING, 0},
	};

	(void)argv;
	signal(SIGXFSZ, SIG_IGN);
	for (int by_another = 0; by_another < 2; by_another++)
		for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
			struct rlimit r;
			int fds[2];
			char c;
			pid_t pid;

			getrlimit(all[i].resource, &r);
			r.rlim_cur = r.rlim_max = all[i].value < r.rlim_max ? all[i].value : r.rlim_max;
			make_pipe(fds);
			pid = fork();
			if (pid == 0) {
				/* From outside, while it waits. */
				if (by_another)
					need(read(fds[0], &c, 1) == 1, "read");
				close(fds[0]);
				close(fds[1]);
				if (!by_another)
					need(setrlimit(all[i].resource, &r) == 0, "setrlimit");
				with_limits(all[i].name);
				if (all[i].resource != RLIMIT_AS && all[i].resource != RLIMIT_NOFILE && all[i].resource != RLIMIT_DATA)
					execl("/proc/self/exe", "traps", "end", "5", (char *)NULL);
				_exit(0);
			}
			if (by_another) {
				wait_asleep(pid);
				need(prlimit(pid, all[i].resource, &r, NULL) == 0 && write(fds[1], "x", 1) == 1, "prlimit");
			}
			close(fds[0]);
			close(fds[1]);
			reap("limited", pid);
		}
}

enum { NOBODY = 65534 };

static void to_nobody(void) { need(setresuid(NOBODY, NOBODY, NOBODY) == 0, "setresuid"); }
static void effective_nobody(void) { need(seteuid(NOBODY) == 0, "seteuid"); }
static void by_syscall(void) { need(syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) == 0, "setresuid"); }
static void no_processes(void) { struct rlimit r = {0, 0}; to_nobody(); need(setrlimit(RLIMIT_NPROC, &r) == 0, "setrlimit"); }
static void into_empty(void) { need(chroot("empty") == 0 && chdir("/") == 0, "chroot"); }

static void into_empty_mount(void)
{
	need(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "unshare");
	need(mount("none", "empty", "tmpfs", 0, NULL) == 0 && chdir("empty") == 0, "mount");
	need(syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0, "pivot_root");
}

static void into_namespaces(void)
{
	int own = CLONE_FS | CLONE_FILES | CLONE_SYSVSEM;

	need(unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID | own) == 0, "unshare");
}

static void into_own_namespaces(void)
{
	static const char *const names[] = {"mnt", "uts", "ipc", "net"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char path[40];
		int fd;

		snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
		fd = open(path, O_RDONLY);
		need(setns(fd, 0) == 0, "setns");
		close(fd);
	}
}

static void into_user_namespace(void) { need(unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0, "unshare"); }

/* The environment is the program's, also for those that libc starts in it: it sees no other, before and afterwards.  */
static void cleared_environment(char **argv)
{
	FILE *f;

	(void)argv;
	for (int cleared = 0; cleared < 2; cleared++) {
		char **before = environ;

		tell("system: %d", system("echo \"$OWN\" | /bin/cat; exit 3"));
		f = popen("read -r x; echo \"$x $OWN\"; exit 4", "w");
		need(f && fputs("line\n", f) >= 0, "popen");
		tell("pclose: %d", pclose(f));
		tell("the same: %d, getenv: %s", environ == before, getenv("OWN") ? getenv("OWN") : "none");
		need(clearenv() == 0 && (!cleared || setenv("OWN", "2", 1) == 0), "clearenv");
	}
	environ = own_environment;
	tell("system: %d", system("echo \"$OWN\" | /bin/cat"));
	tell("the same: %d", environ == own_environment);
}

/* Needs root.  Each is done by a child that has done I/O before, and by one that has not; then by one with a thread.  */
static void other_worlds(char **argv)
{
	static const struct {
		const char *name;
		void (*enter)(void);
	} all[] = {
		{"setresuid", to_nobody}, {"seteuid", effective_nobody}, {"setresuid by number", by_syscall}, {"RLIMIT_NPROC", no_processes},
		{"chroot", into_empty}, {"pivot_root", into_empty_mount}, {"unshare", into_namespaces}, {"setns", into_own_namespaces},
		{"user namespace", into_user_namespace},
	};

	(void)argv;
	need(mkdir("empty", 0755) == 0, "mkdir");
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		for (int before = 0; before < 2; before++) {
			pid_t pid = fork();

			if (pid == 0) {
				if (before)
					transfer("before");
				all[i].enter();
				tell("%s", all[i].name);
				with_limits("there");
				with_limits("again");
				execl("/bin/true", "true", (char *)NULL);
				_exit(errno);
			}
			reap(all[i].name, pid);
		}
	rmdir("empty");
}

/* Needs a mount at argv[0], and the right to unshare.  A recording wants room meanwhile.  */
static void unmount_elsewhere(char **argv)
{
	int fds[2];
	char byte = 0;

	make_pipe(fds);
	need(unshare(CLONE_NEWNS) == 0, "unshare");
	for (int i = 0; i < 10000; i++)
		need(write(fds[1], &byte, 1) == 1 && read(fds[0], &byte, 1) == 1, "pipe");
	tell("umount: %s", result_text(umount(argv[0])));
}

const struct trap tree_traps[] = {
	{"show-self", show_self}, {"spawn-actions", spawn_actions}, {"spawn-attributes", spawn_attributes}, {"raw-clones", raw_clones},
	{"daemons", daemons}, {"vfork-and-dup2", vfork_and_dup2}, {"exec-from-memory", exec_from_memory}, {"subreaper", subreaper},
	{"odd-states", odd_states}, {"limits", limits}, {"cleared-environment", cleared_environment},
	{"other-worlds", other_worlds}, {"unmount-elsewhere", unmount_elsewhere}, {NULL, NULL},
};
