/* main.c - the cells, the actor, and what is printed.
 *
 *     matrix run [FILTER]     runs each cell whose name, with a / before it, contains FILTER: a line each
 *     matrix list [FILTER]    their names
 *     matrix left-out         what is not combined, and why  */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "matrix.h"

struct report *report;
sigjmp_buf escape;

void note(char event)
{
	unsigned i = __atomic_fetch_add(&report->event_count, 1, __ATOMIC_RELAXED);

	if (i < sizeof report->events)
		report->events[i] = event;
}

struct cell {
	const struct kind *kind;
	unsigned direction;
	const struct call *call;
	const struct state *state;
	const struct signal_case *signal;
	const struct context *context;
};

/* How many looks at a subject that sleeps although the actor has done its part, before it is taken to block for good. */
enum { PATIENCE = 20000 };

/* What is left out, with the reason.  */
static const char *const left_out[] = {
	"signals with calls that are not `simple`: the wait is the same for all lengths, vectors and flags of a call",
	"signals in states in which the call does not wait: a signal before the call has nothing to interrupt",
	"contexts with signals: a handler interrupts a wait alike in each; threads and signals meet in traps",
	"contexts other than main with kinds other than pipe, unix-stream and tty-1-0: the context changes the path, not the fd",
	"recv and send flags with kinds that are no sockets, beyond the plain call: ENOTSOCK comes before the flags",
	"sizes of partial writes on sockets: they depend on the kernel's accounting; that the peer got as many bytes is checked",
	"background readers and writers of a terminal, constructors, cancellation, exec and exit: named tests (traps)",
	NULL,
};

static bool is(const char *name, const char *one)
{
	return !strcmp(name, one);
}

static bool wanted(const struct cell *c)
{
	const struct state *s = c->state;
	unsigned traits = c->kind->traits;
	bool main_context = is(c->context->name, "main"), no_signal = is(c->signal->name, "none");
	bool sigpipe = !strncmp(c->signal->name, "sigpipe", 7);

	if (!(c->kind->directions & c->direction) || c->call->direction != c->direction || s->direction != c->direction)
		return false;
	if ((traits & s->needs) != s->needs || (traits & s->refuses))
		return false;
	if (c->call->socket_only && !(traits & SOCKET) && !c->call->simple)
		return false;
	if (!no_signal && !c->call->simple)
		return false;
	if (sigpipe && s->script[0] != CLOSE && s->script[1] != CLOSE && s->script[1] != RESET && !is(s->name, "peer-closed"))
		return false;
	if (!no_signal && !sigpipe && !s->waits)
		return false;
	if (!main_context && (!no_signal || !c->call->simple))
		return false;
	if (!main_context && !is(c->kind->name, "pipe") && !is(c->kind->name, "unix-stream") && !is(c->kind->name, "tty-1-0"))
		return false;
	return true;
}

/* ---- The subject.  */

static struct cell running;
static struct ends ends;

static void perform(void *arg)
{
	(void)arg;
	errno = 0;
	report->tid = (pid_t)syscall(SYS_gettid);
	if (sigsetjmp(escape, 1) == 0) {
		report->result = running.call->perform(ends.subject);
		report->error = errno;
	} else {
		report->result = -2;
	}
	if (running.direction == READS && report->result > 0)
		report->hash = calls_data_hash(report->result);
	report->done = 1;
}

static void subject(void)
{
	if (ends.peer >= 0 && strcmp(running.kind->name, "eventfd") != 0)
		close(ends.peer);
	if (running.state->in_subject && !running.state->in_subject(&ends))
		_exit(99);
	running.signal->install();
	running.context->run(perform, NULL);
	_exit(0);
}

/* ---- The actor.  */

static void look_again(void)
{
	struct timespec t = {.tv_nsec = 50000};

	syscall(SYS_nanosleep, &t, NULL);
}

/* Voluntary context switches of a thread that sleeps; -1 if it does not, -2 if it is stopped.  */
static long sleeping(pid_t tid)
{
	char path[64], text[4096], *at;
	long n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/status", (int)tid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	n = syscall(SYS_read, fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return -1;
	text[n] = 0;
	at = strstr(text, "State:\t");
	if (!at || at[7] == 'T')
		return at ? -2 : -1;
	if (at[7] != 'S')
		return -1;
	at = strstr(text, "voluntary_ctxt_switches:\t");
	return at ? atol(at + 25) : -1;
}

static bool ended(pid_t pid)
{
	siginfo_t info = {0};

	return report->done || (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid);
}

enum look { ENDED, ASLEEP };

/* Waits until the subject's call has ended, or sleeps in the kernel.  */
static enum look watch(pid_t pid)
{
	for (;;) {
		long first, second;

		if (ended(pid))
			return ENDED;
		if (report->tid) {
			first = sleeping(report->tid);
			look_again();
			second = sleeping(report->tid);
			if (first >= 0 && first == second && !report->done)
				return ASLEEP;
		} else {
			look_again();
		}
	}
}

static uint64_t drained;
static unsigned fruitless;              /* drains in a row that brought nothing */

/* Takes what is there, at most `most` bytes.  */
static void drain(size_t most)
{
	uint64_t before = drained;
	static char block[65536];
	struct pollfd p = {.fd = ends.peer, .events = POLLIN};

	while (most && poll(&p, 1, 0) == 1 && (p.revents & POLLIN)) {
		size_t size = most < sizeof block ? most : sizeof block;
		/* poll speaks of urgent data, too, for which a read would wait. */
		long n = running.kind->traits & SOCKET ? syscall(SYS_recvfrom, ends.peer, block, size, MSG_DONTWAIT, NULL, NULL)
						       : syscall(SYS_read, ends.peer, block, size);

		if (n <= 0)
			break;
		drained += (uint64_t)n;
		most -= (size_t)n;
	}
	fruitless = drained == before ? fruitless + 1 : 0;
}

static void reset_peer(void)
{
	struct linger l = {1, 0};

	setsockopt(ends.peer, SOL_SOCKET, SO_LINGER, &l, sizeof l);
	close(ends.peer);
	ends.peer = -1;
}

static void give(const char *text)
{
	uint64_t one = 1;

	if (is(running.kind->name, "eventfd"))
		syscall(SYS_write, ends.peer, &one, sizeof one);
	else
		syscall(SYS_write, ends.peer, text, strlen(text));
}

static void stop_and_continue(pid_t pid)
{
	kill(pid, SIGSTOP);
	while (sleeping(report->tid) != -2 && !ended(pid))
		look_again();
	kill(pid, SIGCONT);
	while (sleeping(report->tid) == -2)
		look_again();
}

static void act(enum action a, pid_t pid)
{
	switch (a) {
	case NOTHING: break;
	case GIVE5: give("hello"); break;
	case GIVE_LINE: give("hello\n"); break;
	case GIVE0: syscall(SYS_sendto, ends.peer, "", 0, 0, NULL, 0); break;
	case DRAIN: drain((size_t)-1); break;
	case DRAIN_SOME: drain(8192); break;
	case CLOSE: close(ends.peer); ends.peer = -1; break;
	case SHUT_WRITE: shutdown(ends.peer, SHUT_WR); break;
	case RESET: reset_peer(); break;
	case NONBLOCK_ON: fcntl(ends.subject, F_SETFL, fcntl(ends.subject, F_GETFL) | O_NONBLOCK); break;
	case SIGNAL: syscall(SYS_tkill, report->tid, SIGUSR1); break;
	case SIGNAL_2: syscall(SYS_tkill, report->tid, SIGUSR2); break;
	case STOP_CONTINUE: stop_and_continue(pid); break;
	}
}

/* The signal's actions, then the state's; the last DRAIN is repeated as long as it is needed.  */
static enum action next_action(unsigned *step)
{
	enum action all[SCRIPT_MAX + 2], last = NOTHING;
	unsigned n = 0;

	for (int i = 0; i < 2; i++)
		if (running.signal->script[i] != NOTHING)
			all[n++] = running.signal->script[i];
	for (int i = 0; i < SCRIPT_MAX; i++)
		if (running.state->script[i] != NOTHING)
			all[n++] = last = running.state->script[i];
	if (*step < n)
		return all[(*step)++];
	return last == DRAIN && fruitless < PATIENCE ? DRAIN : NOTHING;
}

static const char *outcome(int status, char text[160])
{
	const char *error = report->error ? strerrorname_np(report->error) : "0";
	bool stream_part = running.call->large && (running.kind->traits & (SOCKET | TERMINAL)) && report->result > 0 &&
			   report->result < 1 << 20;
	char result[32];

	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		snprintf(text, 160, "killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
	else if (WIFEXITED(status) && WEXITSTATUS(status))
		snprintf(text, 160, "exit %d", WEXITSTATUS(status));
	else if (!report->done)
		snprintf(text, 160, "blocks");
	else {
		snprintf(result, sizeof result, "%ld", report->result);
		snprintf(text, 160, "ret=%s errno=%s data=%08x", report->result == -2 ? "jumped" : stream_part ? "part" : result,
			 report->result < 0 && report->result != -2 ? error : "0", report->hash);
	}
	return text;
}

/* Whether the peer got what the subject was told; an urgent byte does not come with the others.  */
static const char *balance(void)
{
	if (running.direction != WRITES || ends.peer < 0 || !report->done || report->result <= 0 ||
	    !(running.kind->traits & STREAM) || !strncmp(running.state->name, "full", 4) || strstr(running.state->name, "-full") ||
	    is(running.state->name, "nonblock-later") || is(running.call->name, "send_oob"))
		return "";
	for (int idle = 0; idle < 200 && drained < (uint64_t)report->result; idle++) {
		drain((size_t)-1);
		look_again();
	}
	return drained == (uint64_t)report->result ? " peer=same" : " peer=DIFFERS";
}

static void print_cell(const struct cell *c, const char *rest)
{
	printf("%s/%s/%s/%s/%s/%s%s%s\n", c->kind->name, c->direction == READS ? "in" : "out", c->call->name, c->state->name,
	       c->signal->name, c->context->name, *rest ? ": " : "", rest);
}

static void run_cell(const struct cell *c)
{
	char text[160], line[320];
	bool wakes = c->state->wakes || (c->kind->traits & WAKES);
	/* What is written to a terminal reaches its other end by a kernel thread, later. */
	unsigned step = 0, patience = (c->kind->traits & TERMINAL) && c->state->waits ? PATIENCE : 0;
	int status = 0;
	pid_t pid;

	running = *c;
	memset(report, 0, sizeof *report);
	ends = (struct ends){-1, -1};
	drained = 0;
	fruitless = 0;
	fflush(stdout);
	if (!c->kind->make(&ends, c->direction) || (c->state->before && !c->state->before(&ends))) {
		print_cell(c, "could not be set up");
		return;
	}
	pid = fork();
	if (pid == 0)
		subject();
	if (c->direction == WRITES && ends.subject >= 0 && !is(c->state->name, "nonblock-later"))
		close(ends.subject);
	while (watch(pid) == ASLEEP) {
		enum action a = next_action(&step);

		if (a == NOTHING && !wakes && !patience--)
			break;
		act(a, pid);
		if (a == NOTHING)
			look_again();
	}
	if (!ended(pid) || running.context == &contexts[4])
		kill(pid, SIGKILL);
	if (report->tid && report->tid != pid && !report->done)
		kill(report->tid, SIGKILL);
	waitpid(pid, &status, 0);
	snprintf(line, sizeof line, "%s events=%.*s%s", outcome(status, text), (int)report->event_count, report->events, balance());
	print_cell(c, line);
	if (c->direction == READS || is(c->state->name, "nonblock-later"))
		close(ends.subject);
	close(ends.peer);
}

static unsigned long each_cell(const char *filter, void (*visit)(const struct cell *))
{
	unsigned long n = 0;
	char name[256];

	for (size_t k = 0; k < kind_count; k++)
		for (unsigned d = READS; d <= WRITES; d++)
			for (size_t a = 0; a < call_count; a++)
				for (size_t s = 0; s < state_count; s++)
					for (size_t g = 0; g < signal_case_count; g++)
						for (size_t x = 0; x < context_count; x++) {
							struct cell c = {&kinds[k], d, &calls[a], &states[s], &signal_cases[g], &contexts[x]};

							if (!wanted(&c))
								continue;
							snprintf(name, sizeof name, "/%s/%s/%s/%s/%s/%s", c.kind->name, d == READS ? "in" : "out",
								 c.call->name, c.state->name, c.signal->name, c.context->name);
							if (!strstr(name, filter))
								continue;
							n++;
							visit(&c);
						}
	return n;
}

static void list_cell(const struct cell *c)
{
	print_cell(c, "");
}

int main(int argc, char **argv)
{
	const char *filter = argc > 2 ? argv[2] : "";

	report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	calls_prepare();
	signal(SIGPIPE, SIG_DFL);
	signal(SIGHUP, SIG_IGN);
	if (argc > 1 && is(argv[1], "run")) {
		fprintf(stderr, "%lu cells\n", each_cell(filter, run_cell));
	} else if (argc > 1 && is(argv[1], "list")) {
		fprintf(stderr, "%lu cells\n", each_cell(filter, list_cell));
	} else if (argc > 1 && is(argv[1], "left-out")) {
		for (const char *const *reason = left_out; *reason; reason++)
			puts(*reason);
	} else {
		fprintf(stderr, "usage: matrix run|list [FILTER], matrix left-out\n");
		return 2;
	}
	return 0;
}
