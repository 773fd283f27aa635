/* faults.c - faults LIBRARY list FILE CMD...: which system calls LIBRARY makes in CMD and its children, to FILE, one line each:
 * where in LIBRARY, which call, how often, and whether it can fail.  faults LIBRARY WHERE N ERRNO CMD...: CMD with the N-th (0:
 * each) of those at WHERE failing so.  Ends as CMD does.
 *
 * A tracer (ptrace(2)) of all system calls: those whose instruction lies in LIBRARY's mapping are its own.  What fails is not made,
 * but close(), which closes even if it fails.  */
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TASKS = 4096, SITES = 1024, NOT_TRACED = 98 };

static struct task {
	pid_t tid;	     /* 0: free */
	uint64_t start, end; /* where LIBRARY is mapped; 0: not known */
	long fails;	     /* the call that it is in shall return this; 0: what it does */
} tasks[TASKS];

static struct site {
	uint64_t where;
	uint64_t nr, count;
} sites[SITES];
static size_t site_count;

static char library[PATH_MAX];
static bool is_list;
static uint64_t where, nth;
static long error;

static void fail(const char *what)
{
	perror(what);
	_exit(99);
}

static struct task *find_task(pid_t tid)
{
	struct task *free_one = NULL;

	for (struct task *t = tasks; t < tasks + TASKS; t++) {
		if (t->tid == tid)
			return t;
		if (!t->tid && !free_one)
			free_one = t;
	}
	if (!free_one)
		fail("tasks");
	*free_one = (struct task){.tid = tid};
	return free_one;
}

/* Where the library is in this task.  */
static void find_library(struct task *t)
{
	char path[64], line[PATH_MAX + 100];
	unsigned long start, end;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/maps", (int)t->tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f)) {
		char *name = strchr(line, '/');

		if (!name || sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		name[strcspn(name, "\n")] = 0;
		if (strcmp(name, library) != 0)
			continue;
		if (!t->start)
			t->start = start;
		t->end = end;
	}
	if (f)
		fclose(f);
}

static struct site *find_site(uint64_t at, uint64_t nr)
{
	for (size_t i = 0; i < site_count; i++)
		if (sites[i].where == at && sites[i].nr == nr)
			return &sites[i];
	if (site_count == SITES)
		fail("sites");
	sites[site_count] = (struct site){at, nr, 0};
	return &sites[site_count++];
}

#if defined(__x86_64__)
static void set_word(pid_t tid, size_t offset, long value)
{
	ptrace(PTRACE_POKEUSER, tid, (void *)offset, (void *)value);
}

static void skip_call(pid_t tid)
{
	set_word(tid, offsetof(struct user, regs.orig_rax), -1);
}

static void set_result(pid_t tid, long result)
{
	set_word(tid, offsetof(struct user, regs.rax), result);
}
#else
static void skip_call(pid_t tid)
{
	int nr = -1;

	ptrace(PTRACE_SETREGSET, tid, (void *)(uintptr_t)NT_ARM_SYSTEM_CALL, &(struct iovec){&nr, sizeof nr});
}

static void set_result(pid_t tid, long result)
{
	struct user_regs_struct regs;
	struct iovec all = {&regs, sizeof regs};

	ptrace(PTRACE_GETREGSET, tid, (void *)(uintptr_t)NT_PRSTATUS, &all);
	regs.regs[0] = (unsigned long long)result;
	ptrace(PTRACE_SETREGSET, tid, (void *)(uintptr_t)NT_PRSTATUS, &all);
}
#endif

/* getpid(2), gettid(2), getuid(2): "always successful"; sigprocmask(2), futex(2): but for arguments that are not valid.  */
static bool always_succeeds(uint64_t nr)
{
	return nr == SYS_getpid || nr == SYS_getppid || nr == SYS_gettid || nr == SYS_getuid || nr == SYS_rt_sigprocmask ||
	       nr == SYS_futex || nr == SYS_sched_yield;
}

/* The task enters a system call.  */
static void enter(struct task *t, uint64_t from, uint64_t nr)
{
	struct site *s;

	if (!t->start)
		find_library(t);
	if (!t->start || from < t->start || from >= t->end)
		return;
	s = find_site(from - t->start, nr);
	s->count++;
	if (is_list || s->where != where || always_succeeds(nr) || (nth && s->count != nth))
		return;
	t->fails = -error;
	if (nr != SYS_close)
		skip_call(t->tid);
}

static void see_call(struct task *t)
{
	struct __ptrace_syscall_info info = {0};

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, (void *)sizeof info, &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		enter(t, info.instruction_pointer, info.entry.nr);
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT && t->fails) {
		set_result(t->tid, t->fails);
		t->fails = 0;
	}
}

/* Returns the signal that the task goes on with.  */
static int see_stop(struct task *t, int status)
{
	int signal_number = WSTOPSIG(status), event = status >> 16;

	if (signal_number == (SIGTRAP | 0x80)) {
		see_call(t);
		return 0;
	}
	if (event == PTRACE_EVENT_EXEC)
		t->start = t->end = 0;
	/* A new task begins with a stop. */
	return event || signal_number == SIGSTOP ? 0 : signal_number;
}

static int trace_all(pid_t first)
{
	int status, result = 0;
	pid_t tid;

	while ((tid = waitpid(-1, &status, __WALL)) > 0) {
		struct task *t = find_task(tid);

		if (!WIFSTOPPED(status)) {
			if (tid == first)
				result = status;
			t->tid = 0;
			continue;
		}
		ptrace(PTRACE_SYSCALL, tid, NULL, (void *)(intptr_t)see_stop(t, status));
	}
	return result;
}

static pid_t start(char **argv)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
			     PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(NOT_TRACED);
		raise(SIGSTOP);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) || ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)options) < 0)
		_exit(NOT_TRACED);
	ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	return pid;
}

int main(int argc, char **argv)
{
	FILE *list = NULL;
	int status;

	if (argc < 5 || !realpath(argv[1], library))
		return 2;
	is_list = !strcmp(argv[2], "list");
	if (is_list) {
		list = fopen(argv[3], "we");
		if (!list)
			fail(argv[3]);
	} else if (argc < 6) {
		return 2;
	} else {
		where = strtoull(argv[2], NULL, 0);
		nth = strtoull(argv[3], NULL, 10);
		error = strtol(argv[4], NULL, 10);
	}
	status = trace_all(start(argv + (is_list ? 4 : 5)));
	for (size_t i = 0; list && i < site_count; i++)
		fprintf(list, "%#llx %llu %llu %s\n", (unsigned long long)sites[i].where, (unsigned long long)sites[i].nr,
			(unsigned long long)sites[i].count, always_succeeds(sites[i].nr) ? "succeeds" : "fails");
	if (list)
		fclose(list);
	if (WIFSIGNALED(status))
		raise(WTERMSIG(status));
	return WEXITSTATUS(status);
}
