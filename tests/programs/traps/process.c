/* process.c - fork, vfork, exec, spawn and exit in every form.  */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traps.h"

static void show_status(const char *what, int status)
{
	if (WIFSIGNALED(status))
		tell("%s: SIG%s", what, sigabbrev_np(WTERMSIG(status)));
	else
		tell("%s: exit %d", what, WEXITSTATUS(status));
}

/* Runs `body` in a child.  */
static void in_child(const char *what, void (*body)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		body();
		_exit(98);
	}
	need(waitpid(pid, &status, 0) == pid, "waitpid");
	show_status(what, status);
}

static char *const command[] = {"sh", "-c", "echo \"$0 $# $WORD\"", "a b", "c", NULL};
static char *const environment[] = {"WORD=word", "PATH=/usr/bin:/bin", NULL};

static void by_execve(void) { execve("/bin/sh", command, environment); }
static void by_execv(void) { setenv("WORD", "mine", 1); execv("/bin/sh", command); }
static void by_execvp(void) { execvp("sh", command); }
static void by_execvpe(void) { execvpe("sh", command, environment); }
static void by_execl(void) { execl("/bin/sh", "sh", "-c", "echo execl $0 $1", "x", "y", (char *)NULL); }
static void by_execlp(void) { execlp("sh", "sh", "-c", "echo execlp", (char *)NULL); }
static void by_execle(void) { execle("/bin/sh", "sh", "-c", "echo $WORD", (char *)NULL, environment); }
static void by_fexecve(void) { fexecve(open("/bin/sh", O_RDONLY), command, environment); }
static void no_environment(void) { execve("/bin/sh", command, NULL); }
static void empty_environment(void) { execve("/bin/sh", command, (char *const[]){NULL}); }
static void failing(void) { tell("%s", result_text(execlp("no-such-program", "no", (char *)NULL))); _exit(1); }
static void not_executable(void) { tell("%s", result_text(execl("/etc/passwd", "x", (char *)NULL))); _exit(1); }
static void a_script(void) { execlp("./script", "script", (char *)NULL); tell("%s", result_text(-1)); }

static void exec_forms(char **argv)
{
	FILE *f = fopen("script", "w");

	(void)argv;
	need(f && fputs("echo no interpreter line\n", f) >= 0 && fclose(f) == 0 && chmod("script", 0700) == 0, "script");
	in_child("execve", by_execve);
	in_child("execv", by_execv);
	in_child("execvp", by_execvp);
	in_child("execvpe", by_execvpe);
	in_child("execl", by_execl);
	in_child("execlp", by_execlp);
	in_child("execle", by_execle);
	in_child("fexecve", by_fexecve);
	in_child("NULL environment", no_environment);
	in_child("empty environment", empty_environment);
	in_child("missing", failing);
	in_child("not executable", not_executable);
	in_child("without an interpreter", a_script);
	unlink("script");
}

static void spawn_forms(char **argv)
{
	posix_spawn_file_actions_t actions;
	char text[64] = "";
	int status, fds[2];
	pid_t pid;
	FILE *f;

	(void)argv;
	make_pipe(fds);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	tell("posix_spawn: %d", posix_spawn(&pid, "/bin/sh", &actions, NULL, command, environment));
	tell("read: %s", result_text(read(fds[0], text, sizeof text)));
	tell("%s", text);
	waitpid(pid, &status, 0);
	show_status("posix_spawn", status);
	need(posix_spawnp(&pid, "sh", NULL, NULL, command, environment) == 0, "posix_spawnp");
	waitpid(pid, &status, 0);
	show_status("posix_spawnp", status);
	tell("missing: %d", posix_spawnp(&pid, "no-such-program", NULL, NULL, command, environment) == ENOENT);
	show_status("system", system("exit 3"));
	show_status("system, killed", system("kill -9 $$"));
	tell("system(NULL): %d", system(NULL) != 0);
	f = popen("echo one; echo two; exit 4", "r");
	while (fgets(text, sizeof text, f))
		printf("popen: %s", text);
	show_status("pclose", pclose(f));
	f = popen("cat; exit 5", "w");
	fputs("to a child\n", f);
	show_status("pclose", pclose(f));
}

/* The vfork child does I/O, changes fds, and goes; the parent's view is as if it had never been.  */
static void vfork_child(char **argv)
{
	int fds[2], status;
	pid_t pid;

	(void)argv;
	make_pipe(fds);
	for (int i = 0; i < 3; i++) {
		pid = vfork();
		if (pid == 0) {
			if (i == 0) {
				close(fds[0]);
				dup2(fds[1], fds[0]);
				fcntl(fds[1], F_SETFL, O_NONBLOCK);
				_exit(write(fds[0], "v", 1) == 1 ? 0 : 1);
			}
			if (i == 1) {
				close(fds[0]);
				execl("/bin/true", "true", (char *)NULL);
			}
			execl("/no/such/program", "no", (char *)NULL);
			_exit(5);
		}
		waitpid(pid, &status, 0);
		show_status("vfork", status);
		if (i > 0)
			need(write(fds[1], "p", 1) == 1, "write");
		tell_read("read", fds[0], 1);
	}
	tell("flags: %d", !!(fcntl(fds[1], F_GETFL) & O_NONBLOCK));
}

static void say_atexit(void)
{
	int fds[2];
	char c = 0;

	make_pipe(fds);
	need(write(fds[1], "x", 1) == 1 && read(fds[0], &c, 1) == 1, "atexit");
	printf("atexit: %c\n", c);
}

static void by_exit(void) { atexit(say_atexit); printf("buffered "); exit(3); }
static void by_underscore_exit(void) { printf("lost"); _exit(4); }
static void by_quick_exit(void) { at_quick_exit(say_atexit); quick_exit(5); }
static void by_abort(void) { abort(); }
static void by_raw_exit(void) { hidden_syscall(SYS_exit_group, 6, 0, 0); }
static void by_signal(void) { raise(SIGTERM); }
static void by_kill(void) { kill(getpid(), SIGKILL); }
static void by_fault(void) { raise(SIGSEGV); }

static void exit_forms(char **argv)
{
	struct rlimit none = {0, 0};

	(void)argv;
	setrlimit(RLIMIT_CORE, &none);
	in_child("exit", by_exit);
	in_child("_exit", by_underscore_exit);
	in_child("quick_exit", by_quick_exit);
	in_child("abort", by_abort);
	in_child("exit_group", by_raw_exit);
	in_child("SIGTERM", by_signal);
	in_child("SIGKILL", by_kill);
	in_child("SIGSEGV", by_fault);
	atexit(say_atexit);
}

/* Ends in the way that argv names: for the command's own exit status.  */
static void end(char **argv)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	if (argv[0] && argv[0][0] == '-')
		raise(atoi(argv[0] + 1));
	else if (argv[0])
		exit(atoi(argv[0]));
}

/* Forks without end, in a line; each does I/O.  */
static void fork_chain(char **argv)
{
	int fds[2];
	char c;

	(void)argv;
	for (int depth = 0; depth < 20; depth++) {
		int status;
		pid_t pid;

		make_pipe(fds);
		pid = fork();
		if (pid > 0) {
			need(write(fds[1], "x", 1) == 1, "write");
			waitpid(pid, &status, 0);
			tell("depth %d: exit %d", depth, WEXITSTATUS(status));
			_exit(depth);
		}
		need(read(fds[0], &c, 1) == 1, "read");
	}
}

static char *const *volatile nowhere = (char *const *)1;
static void *unreadable;
static char *const bad_string[] = {(char *)8, NULL};

static void bad_list(void) { execve("/bin/true", command, (char *const *)nowhere); tell("%s", result_text(-1)); _exit(1); }
static void bad_entry(void) { execve("/bin/true", command, bad_string); tell("%s", result_text(-1)); _exit(1); }
static void unreadable_list(void) { execve("/bin/true", command, unreadable); tell("%s", result_text(-1)); _exit(1); }
static void unreadable_entry(void) { execve("/bin/true", command, (char *[]){unreadable, NULL}); tell("%s", result_text(-1)); _exit(1); }
static void no_list(void) { fexecve(open("/bin/true", O_RDONLY), command, NULL); tell("%s", result_text(-1)); _exit(1); }

static void too_long(void)
{
	enum { ENTRIES = 3000000 };
	char **list = malloc((ENTRIES + 1) * sizeof *list);

	for (int i = 0; i < ENTRIES; i++)
		list[i] = (char *)"A=B";
	list[ENTRIES] = NULL;
	execve("/bin/true", command, list);
	tell("%s", result_text(-1));
	_exit(1);
}

/* Environments that the kernel refuses are refused.  */
static void bad_environments(char **argv)
{
	pid_t pid;

	(void)argv;
	in_child("bad list", bad_list);
	in_child("bad entry", bad_entry);
	unreadable = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	in_child("unreadable list", unreadable_list);
	in_child("unreadable entry", unreadable_entry);
	in_child("fexecve without", no_list);
	in_child("too long", too_long);
	tell("posix_spawn: %d", posix_spawn(&pid, "/bin/true", NULL, NULL, command, (char *const *)nowhere) == EFAULT);
}

static int sandbox_fds[2];

static void use_pipe(void)
{
	char c = 0;

	for (int i = 0; i < 5000; i++)
		if (write(sandbox_fds[1], "x", 1) != 1 || read(sandbox_fds[0], &c, 1) != 1)
			hidden_syscall(SYS_exit, 9, 0, 0);
}

static void strict(void)
{
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
	use_pipe();
	hidden_syscall(SYS_exit, 0, 0, 0);
}

static void strict_by_syscall(void)
{
	syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
	use_pipe();
	hidden_syscall(SYS_exit, 0, 0, 0);
}

/* A filter that kills for what the program does not do itself.  */
static void enter_filter(void)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_preadv2, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pwritev2, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ppoll, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {sizeof code / sizeof *code, code};

	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0, "seccomp");
}

static void filtered(void)
{
	enter_filter();
	use_pipe();
	_exit(0);
}

static void filtered_fork(void)
{
	enter_filter();
	if (fork() == 0) {
		use_pipe();
		_exit(0);
	}
	wait(NULL);
	_exit(0);
}

static void filtered_exec(void)
{
	enter_filter();
	execlp("cat", "cat", "/proc/self/comm", (char *)NULL);
}

/* Programs also ask in this way whether there is seccomp: nothing has happened then.  */
static void refused(void)
{
	tell("asked: %s", result_text(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0)));
	use_pipe();
	_exit(0);
}

static void sandboxes(char **argv)
{
	(void)argv;
	make_pipe(sandbox_fds);
	use_pipe();
	in_child("strict", strict);
	in_child("strict by syscall", strict_by_syscall);
	in_child("filter", filtered);
	in_child("filter, fork", filtered_fork);
	in_child("filter, exec", filtered_exec);
	in_child("refused", refused);
}

/* A FIFO that is opened by its path, and first used in the sandbox.  */
static void sandboxed_fifo(char **argv)
{
	int fd = mkfifo("fifo", 0600) == 0 ? open("fifo", O_RDWR) : -1;
	char c = 0;

	(void)argv;
	need(fd >= 0, "a FIFO");
	if (fork() == 0) {
		wait_asleep(getppid());
		usleep(100000);
		_exit(write(fd, "x", 1) != 1);
	}
	enter_filter();
	tell("read: %s", result_text(read(fd, &c, 1)));
	wait(NULL);
}

/* A program that forbids itself the TSC does not feel that somebody else reads the clock.  */
static void no_tsc(char **argv)
{
	int fds[2];
	char c;

	(void)argv;
	make_pipe(fds);
	for (int i = 0; i < 2; i++) {
		tell("PR_SET_TSC: %s", result_text(prctl(PR_SET_TSC, PR_TSC_SIGSEGV)));
		need(write(fds[1], "x", 1) == 1 && read(fds[0], &c, 1) == 1, "a pipe");
	}
	_exit(0);
}

const struct trap process_traps[] = {
	{"exec-forms", exec_forms}, {"spawn-forms", spawn_forms}, {"vfork-child", vfork_child}, {"exit-forms", exit_forms},
	{"end", end}, {"fork-chain", fork_chain}, {"bad-environments", bad_environments}, {"sandboxes", sandboxes},
	{"sandboxed-fifo", sandboxed_fifo}, {"no-tsc", no_tsc},
	{NULL, NULL},
};
