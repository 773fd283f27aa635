/* step.c - a signal at each single instruction of a call.
 *
 * A child makes the call while its parent steps it (ptrace(2)), from the call's beginning until it sleeps in the kernel or is
 * over.  Then, for each instruction that it came by, another child runs until there (a breakpoint), and gets a signal.  What must
 * hold: a handler without SA_RESTART ends the call from some instruction on, and from there at each; before that one it came
 * before the call, as it does natively until the kernel is entered.  */
#include <elf.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "traps.h"

static struct outcome {
	volatile int done, error;
	volatile long result;
} *outcome;

struct situation {
	int type;               /* SOCK_STREAM; 0: a pipe */
	int flags;              /* of the handler */
	bool data;              /* there is something to read */
};

static void subject(const struct situation *s, const int fds[2])
{
	char c[8];

	handle(SIGUSR1, no_handler, s->flags);
	/* Once before, so that what is done at the first call is not among the steps. */
	need(write(fds[1], "x", 1) == 1 && read(fds[0], c, 8) == 1, "first");
	if (s->data)
		need(write(fds[1], "hello", 5) == 5, "data");
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	kill(getpid(), SIGTRAP);
	outcome->result = read(fds[0], c, 8);
	outcome->error = errno;
	outcome->done = 1;
	_exit(0);
}

/* The instruction that stops the program, and where that leaves the program counter.  */
#ifdef __x86_64__
enum { BREAK = 0xcc, BREAK_MASK = 0xff, BREAK_LEAVES = 1 };
#define PC(regs) ((regs).rip)
#else
enum { BREAK = 0xd4200000, BREAK_MASK = 0xffffffff, BREAK_LEAVES = 0 };
#define PC(regs) ((regs).pc)
#endif

enum { MANY = 10000 };

/* What a call came by: the program counter before each instruction.  */
static unsigned long way[MANY];
static unsigned length;

static sigset_t stops;         /* SIGCHLD, which is blocked */

static struct user_regs_struct registers(pid_t pid)
{
	struct user_regs_struct regs;
	struct iovec v = {&regs, sizeof regs};

	need(ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &v) == 0, "registers");
	return regs;
}

static void set_registers(pid_t pid, struct user_regs_struct regs)
{
	struct iovec v = {&regs, sizeof regs};

	need(ptrace(PTRACE_SETREGSET, pid, (void *)NT_PRSTATUS, &v) == 0, "registers");
}

enum stop { STOPPED, SLEEPS, ENDED };

/* Lets it go on, by one instruction or to the next breakpoint.  */
static enum stop go(pid_t pid, int request)
{
	const struct timespec a_while = {.tv_nsec = 500000};
	int status;

	ptrace(request, pid, NULL, NULL);
	for (int asleep = 0; asleep < 3; asleep = thread_state(pid) == 'S' ? asleep + 1 : 0) {
		sigtimedwait(&stops, NULL, &a_while);
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFSTOPPED(status) && !outcome->done ? STOPPED : ENDED;
	}
	return SLEEPS;
}

static enum stop go_to_breakpoint(pid_t pid, unsigned long at)
{
	long text = ptrace(PTRACE_PEEKTEXT, pid, (void *)at, NULL);
	struct user_regs_struct regs;
	enum stop end;

	need(ptrace(PTRACE_POKETEXT, pid, (void *)at, (void *)((text & ~(long)BREAK_MASK) | BREAK)) == 0, "breakpoint");
	end = go(pid, PTRACE_CONT);
	if (end != STOPPED)
		return end;
	need(ptrace(PTRACE_POKETEXT, pid, (void *)at, (void *)text) == 0, "breakpoint");
	regs = registers(pid);
	PC(regs) -= BREAK_LEAVES;
	set_registers(pid, regs);
	return end;
}

/* To the nth instruction of the way: past the same one as often as the way has it.  */
static enum stop go_to(pid_t pid, unsigned n)
{
	enum stop end = STOPPED;

	for (unsigned i = 1; i <= n && end == STOPPED; i++) {
		if (way[i] != way[n])
			continue;
		end = go(pid, PTRACE_SINGLESTEP);
		if (end == STOPPED && PC(registers(pid)) != way[n])
			end = go_to_breakpoint(pid, way[n]);
	}
	return end;
}

/* The whole way, which it makes.  */
static enum stop go_along(pid_t pid)
{
	enum stop end = STOPPED;

	for (length = 0; end == STOPPED; end = go(pid, PTRACE_SINGLESTEP)) {
		need(length < MANY, "too many instructions");
		way[length++] = PC(registers(pid));
	}
	return end;
}

static pid_t start(const struct situation *s, int fds[2])
{
	int status;
	pid_t pid;

	memset(outcome, 0, sizeof *outcome);
	if (s->type)
		make_sockets(s->type, fds);
	else
		make_pipe(fds);
	pid = fork();
	if (pid == 0)
		subject(s, fds);
	need(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status), "stop");
	return pid;
}

/* The signal comes, and the child goes on by itself.  Returns 'b' if the call then waits, 'i' if it was interrupted, 'd' if it
 * returned data, '?' otherwise.  */
static char end_with_signal(const struct situation *s, pid_t pid, int fd)
{
	int status;

	ptrace(PTRACE_DETACH, pid, NULL, (void *)(long)SIGUSR1);
	if (wait_asleep(pid) && !outcome->done) {
		if (!(s->flags & SA_RESTART))
			return 'b';
		/* A restarted call goes on to wait, and gets what comes. */
		need(write(fd, "hello", 5) == 5, "write");
		waitpid(pid, &status, 0);
		return outcome->done && outcome->result == 5 ? 'b' : '?';
	}
	if (!outcome->done)
		return '?';
	return outcome->result < 0 && outcome->error == EINTR ? 'i' : outcome->result == 5 ? 'd' : '?';
}

static void forget(pid_t pid, const int fds[2])
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fds[0]);
	close(fds[1]);
}

enum { TIMES = 100 };

/* The signal before the nth instruction; anew where the call went another way, and did not come there.  0: it never does, but did once. */
static char try_at(const struct situation *s, unsigned n)
{
	char found = 0;

	for (int i = 0; i < TIMES && !found; i++) {
		int fds[2];
		pid_t pid = start(s, fds);

		if (go_to(pid, n) == STOPPED)
			found = end_with_signal(s, pid, fds[1]);
		forget(pid, fds);
	}
	return found;
}

/* The signal finds it in the kernel, where the way ends.  Returns 0 if the call is over.  */
static char try_at_the_end(const struct situation *s)
{
	int fds[2], status;
	pid_t pid = start(s, fds);
	char found = 0;

	if (go_along(pid) == SLEEPS) {
		kill(pid, SIGUSR1);
		waitpid(pid, &status, 0);
		found = end_with_signal(s, pid, fds[1]);
	}
	forget(pid, fds);
	return found;
}

static const struct {
	const char *name;
	struct situation situation;
} situations[] = {
	{"pipe", {0, 0, false}}, {"socket", {SOCK_STREAM, 0, false}},
	{"pipe, SA_RESTART", {0, SA_RESTART, false}}, {"socket, SA_RESTART", {SOCK_STREAM, SA_RESTART, false}},
	{"pipe, data", {0, 0, true}}, {"socket, data", {SOCK_STREAM, 0, true}},
};

/* Tells the number of tries on stderr: it differs.  */
static void signal_at_each_instruction(char **argv)
{
	unsigned long tries = 0;

	(void)argv;
	sigemptyset(&stops);
	sigaddset(&stops, SIGCHLD);
	sigprocmask(SIG_BLOCK, &stops, NULL);
	signal(SIGUSR1, SIG_IGN);
	outcome = mmap(NULL, sizeof *outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < sizeof situations / sizeof *situations; i++) {
		const struct situation *s = &situations[i].situation;
		unsigned count[256] = {0}, lost = 0;
		char last = try_at_the_end(s);

		for (unsigned n = 0; n <= length; n++) {
			char found = n < length ? try_at(s, n) : last;

			lost += found == 'b' && count['i'];
			count[(unsigned char)found]++;
			tries += found != 0;
		}
		need(count[0] <= length / 4, "the way that the call went");
		tell("%s: lost %u, odd %u, interrupted %s, waited %s, got data %s", situations[i].name, lost, count['?'],
		     count['i'] ? "yes" : "no", count['b'] ? "yes" : "no", count['d'] ? "yes" : "no");
		fprintf(stderr, "%s: before the call %u, interrupted %u, data %u\n", situations[i].name, count['b'], count['i'], count['d']);
	}
	fprintf(stderr, "%lu tries\n", tries);
}

#ifdef __x86_64__
/* Stopped in a sleep or a poll, which the kernel goes on with by restart_syscall(2): a signal comes before that is entered.  What
 * the kernel does on its way back from the stop is done here to the registers.  */
static void signal_before_a_restart(char **argv)
{
	static const char *const names[] = {"nanosleep", "poll"};

	(void)argv;
	for (int i = 0; i < 2; i++) {
		struct timespec long_time = {.tv_sec = 1000};
		struct user_regs_struct regs;
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			handle(SIGUSR1, no_handler, 0);
			tell("%s: %s", names[i], result_text(i ? poll(NULL, 0, 1000000) : nanosleep(&long_time, NULL)));
			_exit(0);
		}
		wait_asleep(pid);
		need(ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0 && ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0, "ptrace");
		waitpid(pid, &status, 0);
		ptrace(PTRACE_GETREGS, pid, NULL, &regs);
		regs.orig_rax = ~0ull;
		regs.rax = SYS_restart_syscall;
		regs.rip -= 2;
		ptrace(PTRACE_SETREGS, pid, NULL, &regs);
		kill(pid, SIGUSR1);
		ptrace(PTRACE_CONT, pid, NULL, NULL);
		waitpid(pid, &status, 0);
		ptrace(PTRACE_DETACH, pid, NULL, (void *)(long)WSTOPSIG(status));
		if (wait_asleep(pid))
			tell("%s waits on", names[i]);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
}
#else
static void signal_before_a_restart(char **argv)
{
	(void)argv;
}
#endif

const struct trap step_traps[] = {
	{"signal-at-each-instruction", signal_at_each_instruction}, {"signal-before-a-restart", signal_before_a_restart}, {NULL, NULL},
};
