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
#include <sys/ioctl.h>
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

/* Two calls may tell at once: a handler's, or a thread's; they share the room.  */
void tell(const char *name, long value)
{
	size_t used = strlen(report->told), size = strlen(name);
	char digits[24];
	int n = 0;

	if (used + size + sizeof digits + 2 >= sizeof report->told)
		return;
	for (unsigned long v = value < 0 ? -(unsigned long)value : (unsigned long)value; v || !n; v /= 10)
		digits[n++] = (char)('0' + v % 10);
	if (value < 0)
		digits[n++] = '-';
	report->told[used++] = ' ';
	memcpy(report->told + used, name, size);
	used += size;
	report->told[used++] = '=';
	while (n)
		report->told[used++] = digits[--n];
}

static const struct family families[] = {
	{"transfer", calls, &call_count, NULL, NULL, " pipe unix-stream tty-1-0 "},
	{"message", message_calls, &message_call_count,
	 " unix-stream unix-dgram unix-seqpacket tcp udp unconnected file closed ", " unix-stream tcp udp ", " unix-stream "},
	{"connection", connection_calls, &connection_call_count,
	 " tcp-listener unix-listener seqpacket-listener to-udp to-tcp to-tcp-nobody to-tcp-full to-unix to-unix-dgram to-unix-nobody "
	 "to-unix-full to-seqpacket-full unconnected tcp udp unix-stream unix-dgram pipe file closed ",
	 " tcp-listener unix-listener to-tcp-full to-unix-full ", " tcp-listener unix-listener to-tcp-full to-unix-full "},
	{"poll", poll_calls, &poll_call_count, " pipe unix-stream tcp udp tcp-listener tty-1-0 eventfd file closed ",
	 " pipe tcp-listener ", " pipe "},
	{"offset", offset_calls, &offset_call_count,
	 " pipe fifo unix-stream tcp tty-1-0 eventfd timerfd file directory dev-zero wrong-end closed ", " pipe unix-stream ", " pipe "},
	{"move", move_calls, &move_call_count, " pipe fifo unix-stream tcp tty-1-0 file dev-null wrong-end closed ", " pipe tcp ", " pipe "},
	{"stream", stream_calls, &stream_call_count, " pipe fifo unix-stream tcp tty-canonical tty-1-0 file dev-null closed ",
	 " pipe tcp ", " "},
	{"raw", raw_calls, &raw_call_count, " pipe unix-stream tcp tcp-listener to-tcp-full file closed ",
	 " pipe tcp tcp-listener to-tcp-full ", " pipe tcp-listener "},
};

enum { FAMILIES = sizeof families / sizeof *families };

struct cell {
	const struct family *family;
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
	"signals with calls that are not SIMPLE: the wait is the same for all lengths, vectors and flags of a call",
	"signals in states in which the call does not wait: a signal before the call has nothing to interrupt",
	"contexts with signals: a handler interrupts a wait alike in each; threads and signals meet in traps",
	"contexts other than main with kinds other than those listed with the family (pipe, unix-stream, tty-1-0, a listener): the "
	"context changes the path, not the fd",
	"families with kinds that are not listed with them: the call is refused before the kind matters, as on those that are listed",
	"signals with kinds that are not listed with the family: what ends a wait is the same for all calls, and tried in transfer",
	"other contexts with stdio: it takes locks and memory, and more stack than the small one, by itself",
	"a blocked and a pending signal with other families than poll: only its calls have a mask of their own",
	"calls with a short timeout in states in which something is done later: which of them comes first is not determined",
	"a TCP connection that is let in late, with calls that are not SIMPLE and signals but a restarting one: it takes a second, until "
	"the kernel sends its SYN again",
	"calls that fail whatever the state (REFUSED), and accept and connect on what is no fresh socket, in later states: they do not wait",
	"stdio reads of more than a line on terminals in states that bring one: that they go on waiting cannot be told soon",
	"a timer that fires soon with poll, select and epoll without a timeout: which comes first is not determined",
	"SO_RCVTIMEO and SO_SNDTIMEO with poll, select and epoll: they do not end those",
	"poll, select and epoll for a full socket whose peer closes: they wake up before or after the queue has been freed",
	"sendmmsg of what does not fit while O_NONBLOCK is set: how much of which message went is the kernel's accounting",
	"recv and send flags with kinds that are no sockets, beyond the plain call: ENOTSOCK comes before the flags",
	"sizes of partial writes on sockets: they depend on the kernel's accounting; that the peer got as many bytes is checked",
	"background readers and writers of a terminal, constructors, cancellation, exec and exit: named tests (traps)",
	NULL,
};

static bool is(const char *name, const char *one)
{
	return !strcmp(name, one);
}

/* Whether the name is in a list, each in blanks; NULL holds all.  */
static bool listed(const char *list, const char *name)
{
	char blanks[64];

	snprintf(blanks, sizeof blanks, " %s ", name);
	return !list || strstr(list, blanks);
}

static bool in_script(const struct state *s, enum action a)
{
	return s->script[0] == a || s->script[1] == a;
}

static bool has_signal(const struct cell *c)
{
	const struct state *s = c->state;

	if (!(c->call->traits & SIMPLE) || !listed(c->family->signal_kinds, c->kind->name))
		return false;
	if (!strncmp(c->signal->name, "sigpipe", 7))
		return !is(c->family->name, "poll") && c->direction == WRITES && !(c->kind->traits & CONNECTS) &&
		       (in_script(s, CLOSE) || in_script(s, RESET) || in_script(s, SHUT_READ) || is(s->name, "peer-closed"));
	if (is(c->signal->name, "blocked") || is(c->signal->name, "pending"))
		return s->waits && is(c->family->name, "poll");
	if (is(s->name, "accepted-a-second-later"))
		return is(c->signal->name, "restarting");
	return s->waits;
}

static bool has_context(const struct cell *c)
{
	return (c->call->traits & SIMPLE) && is(c->signal->name, "none") && listed(c->family->context_kinds, c->kind->name) &&
	       (c->family == families || c->state->waits);
}

static bool takes_kind(const struct family *f, const struct kind *k)
{
	return f->kinds ? listed(f->kinds, k->name) : !(k->traits & (LISTENS | CONNECTS));
}

static bool fits_kind(const struct cell *c)
{
	const struct state *s = c->state;
	unsigned traits = c->kind->traits, special = traits & (LISTENS | CONNECTS);

	if (!(c->kind->directions & c->direction) || (traits & s->needs) != s->needs || (traits & s->refuses))
		return false;
	if ((c->call->traits & SOCKET_ONLY) && !(traits & SOCKET) && !(c->call->traits & SIMPLE))
		return false;
	return !is(c->family->name, "connection") || special || (c->call->traits & SIMPLE);
}

static bool fits_state(const struct cell *c)
{
	const struct state *s = c->state;
	unsigned traits = c->call->traits;
	bool first = is(s->name, "as-is") || is(s->name, "data") || is(s->name, "room");
	bool polls = is(c->family->name, "poll") ||
		     (is(c->family->name, "raw") && (traits & COUNTS) && strncmp(c->call->name, "raw_accept", 10) != 0);

	if ((traits & REFUSED) || (is(c->family->name, "connection") && !(c->kind->traits & (LISTENS | CONNECTS))))
		return first;
	if (traits & TIMED)
		return s->script[0] == NOTHING;
	/* SO_RCVTIMEO and SO_SNDTIMEO do not end it, and what was written when O_NONBLOCK came is the kernel's accounting. */
	if (polls && (s->wakes || is(s->name, "full-closed-later")))
		return false;
	if ((traits & GREEDY) && (c->kind->traits & TERMINAL) && s->waits)
		return false;
	if (is(s->name, "accepted-a-second-later") && !(traits & SIMPLE))
		return false;
	if (s->script[0] == NONBLOCK_ON && (traits & NOT_FITTING) && (traits & COUNTS))
		return false;
	return c->family != families || (traits & SIMPLE) || !(s->needs & LOCAL);
}

/* The call and the state; most are not combined.  */
static bool fits(const struct cell *c)
{
	return c->call->direction == c->direction && c->state->direction == c->direction && fits_kind(c) && fits_state(c);
}

static bool wanted(const struct cell *c)
{
	if (!is(c->signal->name, "none") && !has_signal(c))
		return false;
	return is(c->context->name, "main") || has_context(c);
}

/* ---- The subject.  */

static struct cell running;
static struct ends ends;

/* What the call has left behind on the fd.  */
static void tell_after(void)
{
	int error = 0, flags = fcntl(ends.subject, F_GETFL);
	socklen_t size = sizeof error;

	if (flags >= 0 && (flags & O_NONBLOCK))
		tell("nonblock", 1);
	if (getsockopt(ends.subject, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error)
		tell("error", error);
}

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
	if (running.direction == READS && report->result > 0 && !(running.call->traits & COUNTS))
		report->hash = calls_data_hash(report->result);
	tell_after();
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

void look_again(void)
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
static unsigned drained_fds;
static unsigned fruitless;              /* drains in a row that brought nothing */

/* recv, counting the fds that come along.  */
static long receive(void *block, size_t size)
{
	union {
		struct cmsghdr header;
		char room[256];
	} control;
	struct iovec v = {block, size};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	long n = syscall(SYS_recvmsg, ends.peer, &m, MSG_DONTWAIT);

	if (n < 0 || m.msg_controllen < sizeof control.header || control.header.cmsg_type != SCM_RIGHTS)
		return n;
	for (size_t i = 0; i < (control.header.cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(&control.header) + i * sizeof fd, sizeof fd);
		close(fd);
		drained_fds++;
	}
	return n;
}

/* Takes what is there, at most `most` bytes.  */
static void drain(size_t most)
{
	uint64_t before = drained;
	static char block[65536];
	struct pollfd p = {.fd = ends.peer, .events = POLLIN};

	while (most && poll(&p, 1, 0) == 1 && (p.revents & POLLIN)) {
		size_t size = most < sizeof block ? most : sizeof block;
		/* poll speaks of urgent data, too, for which a read would wait. */
		long n = running.kind->traits & SOCKET ? receive(block, size) : syscall(SYS_read, ends.peer, block, size);

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
	case GIVE_FD: give_fd(&ends); break;
	case GIVE0: syscall(SYS_sendto, ends.peer, "", 0, 0, NULL, 0); break;
	case DRAIN: drain((size_t)-1); break;
	case DRAIN_SOME: drain(8192); break;
	case CLOSE: close(ends.peer); ends.peer = -1; break;
	case SHUT_READ: shutdown(running.direction == READS ? ends.subject : ends.peer, SHUT_RD); break;
	case SHUT_WRITE: shutdown(ends.peer, SHUT_WR); break;
	case RESET: reset_peer(); break;
	case REFUSE: refuse(&ends); break;
	case CONNECT: ends.other = connect_to(ends.subject); syscall(SYS_sendto, ends.other, "hello", 5, MSG_NOSIGNAL, NULL, 0); break;
	case ACCEPT: close(ends.other); ends.other = accept(ends.peer, NULL, NULL); break;
	case SHUT_SUBJECT: shutdown(ends.subject, SHUT_RDWR); break;
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
	/* Up to 2 it is what sendmmsg counts: messages. */
	bool stream_part = (running.call->traits & NOT_FITTING) && (running.kind->traits & (SOCKET | TERMINAL)) && report->result > 2 &&
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
	long bytes = running.call->traits & COUNTS ? report->bytes : report->result;

	if (running.direction != WRITES || ends.peer < 0 || !report->done || bytes <= 0 ||
	    !(running.kind->traits & STREAM) || !strncmp(running.state->name, "full", 4) || strstr(running.state->name, "-full") ||
	    is(running.state->name, "nonblock-later") || strstr(running.call->name, "_oob"))
		return "";
	for (int idle = 0; idle < 200 && drained < (uint64_t)bytes; idle++) {
		drain((size_t)-1);
		look_again();
	}
	return drained == (uint64_t)bytes ? " peer=same" : " peer=DIFFERS";
}

/* What the subject has left in its queue, and what else came to the peer.  */
static const char *left(bool all_drained, char text[64])
{
	int n;

	text[0] = 0;
	if (all_drained && drained_fds)
		snprintf(text, 64, " fds=%u", drained_fds);
	else if (running.direction == READS && (running.kind->traits & (STREAM | PACKETS)) && ioctl(ends.subject, FIONREAD, &n) == 0 && n)
		snprintf(text, 64, " left=%d", n);
	return text;
}

static void print_cell(const struct cell *c, const char *rest)
{
	printf("%s/%s/%s/%s/%s/%s/%s%s%s\n", c->family->name, c->kind->name, c->direction == READS ? "in" : "out", c->call->name, c->state->name,
	       c->signal->name, c->context->name, *rest ? ": " : "", rest);
}

static void run_cell(const struct cell *c)
{
	char text[160], rest[64], line[640];
	const char *same;
	bool wakes = c->state->wakes || (c->kind->traits & WAKES) || (c->call->traits & TIMED);
	/* The actor keeps what it is going to act on; else the peer shall see the subject's end. */
	bool keeps = c->direction == READS || (c->kind->traits & CONNECTS) || is(c->state->name, "nonblock-later");
	/* What is written to a terminal reaches its other end by a kernel thread, later. */
	unsigned step = 0, patience = wakes || ((c->kind->traits & TERMINAL) && c->state->waits) ? PATIENCE : 0;
	int status = 0;
	pid_t pid;

	running = *c;
	memset(report, 0, sizeof *report);
	ends = (struct ends){-1, -1, -1};
	drained = 0;
	drained_fds = 0;
	fruitless = 0;
	fflush(stdout);
	if (!c->kind->make(&ends, c->direction) || (c->state->before && !c->state->before(&ends))) {
		print_cell(c, "could not be set up");
		return;
	}
	pid = fork();
	if (pid == 0)
		subject();
	if (!keeps)
		close(ends.subject);
	while (watch(pid) == ASLEEP) {
		enum action a = next_action(&step);

		if (a == NOTHING && !patience--)
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
	same = balance();
	snprintf(line, sizeof line, "%s events=%.*s%s%s%s", outcome(status, text), (int)report->event_count, report->events, report->told,
		 same, left(*same, rest));
	print_cell(c, line);
	if (keeps)
		close(ends.subject);
	close(ends.peer);
	close(ends.other);
}

/* With each signal, in each context.  */
static unsigned long each_with(struct cell c, const char *filter, void (*visit)(const struct cell *))
{
	unsigned long n = 0;
	char name[256];

	for (size_t g = 0; g < signal_case_count; g++)
		for (size_t x = 0; x < context_count; x++) {
			c.signal = &signal_cases[g];
			c.context = &contexts[x];
			if (!wanted(&c))
				continue;
			snprintf(name, sizeof name, "/%s/%s/%s/%s/%s/%s/%s", c.family->name, c.kind->name, c.direction == READS ? "in" : "out",
				 c.call->name, c.state->name, c.signal->name, c.context->name);
			if (!strstr(name, filter))
				continue;
			n++;
			visit(&c);
		}
	return n;
}

static unsigned long each_of(const struct family *f, const struct kind *k, const char *filter, void (*visit)(const struct cell *))
{
	unsigned long n = 0;

	for (unsigned d = READS; d <= WRITES; d++)
		for (size_t a = 0; a < *f->count; a++)
			for (size_t s = 0; s < state_count; s++) {
				struct cell c = {f, k, d, &f->calls[a], &states[s], NULL, NULL};

				if (fits(&c))
					n += each_with(c, filter, visit);
			}
	return n;
}

static unsigned long each_cell(const char *filter, void (*visit)(const struct cell *))
{
	unsigned long n = 0;

	for (const struct family *f = families; f < families + FAMILIES; f++)
		for (size_t k = 0; k < kind_count; k++)
			if (takes_kind(f, &kinds[k]))
				n += each_of(f, &kinds[k], filter, visit);
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
