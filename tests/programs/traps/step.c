/* step.c - a signal at each single instruction of a call.
 *
 * A child makes the call while its parent steps it (ptrace(2)): n instructions from the call's beginning, then a signal.  For
 * each n, until the call sleeps in the kernel.  What must hold: a handler without SA_RESTART ends the call from some n on, and
 * from there at every n; before that n it came before the call, as it does natively until the kernel is entered.  */
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
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "traps.h"

static struct outcome {
	volatile int done, error;
	volatile long result;
} *outcome;

static sigset_t child_signal;

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

enum step { STEPPED, SLEEPS, ENDED };

/* SIGCHLD, which is blocked, tells of the stop.  None comes while the child sleeps in the kernel.  */
static enum step step(pid_t pid)
{
	static const struct timespec pause = {.tv_nsec = 1000000};
	bool told;
	int status;

	ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL);
	for (int asleep = 0; asleep < 10; asleep = !told && thread_state(pid) == 'S' ? asleep + 1 : 0) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFSTOPPED(status) && !outcome->done ? STEPPED : ENDED;
		told = sigtimedwait(&child_signal, NULL, &pause) > 0;
	}
	return SLEEPS;
}

/* The signal after n instructions.  Returns 'b' if the call then waits, 'i' if it was interrupted, 'd' if it returned data,
 * '?' otherwise, 0 if it is over before n.  *last: it is over, or sleeps in the kernel.  */
static char try_at(const struct situation *s, unsigned n, bool *last)
{
	enum step at = STEPPED;
	int fds[2], status;
	char found = '?';
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
	for (unsigned i = 0; i < n && at == STEPPED; i++)
		at = step(pid);
	if (at == SLEEPS) {
		/* The last try: the signal finds it in the kernel. */
		kill(pid, SIGUSR1);
		waitpid(pid, &status, 0);
	}
	if (at == ENDED) {
		found = 0;
	} else {
		ptrace(PTRACE_DETACH, pid, NULL, (void *)(long)SIGUSR1);
		if (wait_asleep(pid) && !outcome->done)
			found = 'b';
		else if (outcome->done)
			found = outcome->result < 0 && outcome->error == EINTR ? 'i' : outcome->result == 5 ? 'd' : '?';
	}
	/* A restarted call goes on to wait, and gets what comes. */
	if (found == 'b' && (s->flags & SA_RESTART)) {
		need(write(fds[1], "hello", 5) == 5, "write");
		waitpid(pid, &status, 0);
		found = outcome->done && outcome->result == 5 ? 'b' : '?';
	} else {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	close(fds[0]);
	close(fds[1]);
	*last = at != STEPPED;
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
	signal(SIGUSR1, SIG_IGN);
	sigaddset(&child_signal, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child_signal, NULL);
	outcome = mmap(NULL, sizeof *outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < sizeof situations / sizeof *situations; i++) {
		unsigned count[256] = {0}, lost = 0;
		bool interrupted = false, last = false;

		for (unsigned n = 0; !last; n++) {
			char found = try_at(&situations[i].situation, n, &last);

			count[(unsigned char)found]++;
			lost += found == 'b' && interrupted;
			interrupted |= found == 'i';
			tries += found != 0;
		}
		tell("%s: lost %u, odd %u, interrupted %s, waited %s, got data %s", situations[i].name, lost, count['?'],
		     count['i'] ? "yes" : "no", count['b'] ? "yes" : "no", count['d'] ? "yes" : "no");
		fprintf(stderr, "%s: before the call %u, interrupted %u, data %u\n", situations[i].name, count['b'], count['i'], count['d']);
	}
	fprintf(stderr, "%lu tries\n", tries);
}

#ifdef __x86_64__
/* Stopped in a sleep or a poll, which the kernel goes on with by restart_syscall(2): a signal comes before that is entered.  What the
 * kernel does on its way back from the stop is done here to the registers.  */
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
