/* budget - how many instructions a call takes in user space: budget WHAT prints it.  A child is stepped from one system call of its
 * own, which marks the beginning, to the next; unlike a time, the number is the same each time.  Of a whole program, budget
 * start CMD... prints the system calls; and budget steps CMD... the instructions, which takes long.  */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>

static void mark(void)
{
#if defined(__x86_64__)
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(SYS_getppid) : "rcx", "r11", "memory");
#else
	register long x8 __asm__("x8") = SYS_getppid;
	register long x0 __asm__("x0");

	__asm__ volatile("svc 0" : "=r"(x0) : "r"(x8) : "memory");
#endif
}

static int fds[2], zero, null, file;
static struct pollfd polled[63];

static void poll_one(void)
{
	struct pollfd p = {.fd = fds[0], .events = POLLIN};

	poll(&p, 1, 0);
}

static void poll_63(void)
{
	poll(polled, 63, 0);
}

static void select_one(void)
{
	fd_set set;
	struct timeval none = {0};

	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	select(fds[0] + 1, &set, NULL, NULL, &none);
}

static void read_zero(void)
{
	char c;

	read(zero, &c, 1);
}

static void pread_file(void)
{
	char c;

	pread(file, &c, 1, 0);
}

static void write_null(void)
{
	write(null, "", 1);
}

static void open_close(void)
{
	close(open("/etc/passwd", O_RDONLY));
}

static void *wait_for_ever(void *unused)
{
	pause();
	return unused;
}

/* The first one makes a thread: the others are what a process with threads pays, in which a call can be canceled.  */
static void read_with_threads(void)
{
	static pthread_t thread;

	if (!thread)
		pthread_create(&thread, NULL, wait_for_ever, NULL);
	read_zero();
}

static const struct {
	const char *name;
	void (*call)(void);
} calls[] = {
	{"poll-1", poll_one},  {"poll-63", poll_63},  {"select-1", select_one},	  {"read", read_zero},
	{"pread", pread_file}, {"write", write_null}, {"open-close", open_close}, {"read-threads", read_with_threads},
};

static void child(void (*call)(void))
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	/* The first ones bind symbols, and look at the fd. */
	for (int i = 0; i < 20; i++)
		call();
	mark();
	call();
	mark();
	_exit(0);
}

static long next_call(pid_t pid)
{
	struct user_regs_struct r;
	struct iovec v = {&r, sizeof r};

	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v) < 0)
		return -1;
#if defined(__x86_64__)
	/* Behind the instruction 0f 05. */
	errno = 0;
	return (ptrace(PTRACE_PEEKTEXT, pid, r.rip, NULL) & 0xffff) == 0x050f && !errno ? (long)r.rax : -1;
#else
	return (ptrace(PTRACE_PEEKTEXT, pid, r.pc, NULL) & 0xffffffff) == 0xd4000001 ? (long)r.regs[8] : -1;
#endif
}

/* Of a program that starts, and ends well.  */
static int count_whole(char **argv, bool steps)
{
	long stops = 0, ends = 0;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execv(*argv, argv);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD);
		stops++;
		ends += WSTOPSIG(status) == (SIGTRAP | 0x80);
		if (ptrace(steps ? PTRACE_SINGLESTEP : PTRACE_SYSCALL, pid, NULL, NULL) < 0)
			return 1;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return 1;
	/* A system call stops at its beginning and at its end; but exit_group. */
	printf("%ld\n", steps ? stops : (ends + 1) / 2);
	return 0;
}

int main(int argc, char **argv)
{
	void (*call)(void) = NULL;
	long n = 0;
	int status, marks = 0;
	pid_t pid;

	for (size_t i = 0; argc == 2 && i < sizeof calls / sizeof *calls; i++)
		if (!strcmp(calls[i].name, argv[1]))
			call = calls[i].call;
	if (argc > 2)
		return count_whole(argv + 2, !strcmp(argv[1], "steps"));
	zero = open("/dev/zero", O_RDONLY);
	null = open("/dev/null", O_WRONLY);
	file = open("/proc/self/exe", O_RDONLY);
	if (!call || zero < 0 || null < 0 || file < 0 || pipe(fds) < 0)
		return 2;
	for (int i = 0; i < 63; i++)
		polled[i] = (struct pollfd){.fd = fds[0], .events = POLLIN};
	pid = fork();
	if (pid == 0)
		child(call);
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		if (next_call(pid) == SYS_getppid)
			marks++;
		if (marks == 1)
			n++;
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0)
			return 1;
	}
	if (marks != 2)
		return 1;
	printf("%ld\n", n);
	return 0;
}
