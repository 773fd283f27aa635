/* handlers.c - every way to install a handler, and what a handler may do.  */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "traps.h"

static int fds[2];

/* ---- Installing.  */

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
extern sighandler_t bsd_signal(int, sighandler_t);

static void by_sigaction(void) { handle(SIGUSR1, no_handler, 0); }
static void by_sigaction_once(void) { handle(SIGUSR1, no_handler, SA_RESTART | SA_RESETHAND); }
static void by_signal(void) { signal(SIGUSR1, no_handler); }
static void by_bsd_signal(void) { bsd_signal(SIGUSR1, no_handler); }
static void by_ssignal(void) { ssignal(SIGUSR1, no_handler); }
static void by_sysv_signal(void) { sysv_signal(SIGUSR1, no_handler); }
static void by_sigset(void) { sigset(SIGUSR1, no_handler); }
static void by_siginterrupt(void) { signal(SIGUSR1, no_handler); siginterrupt(SIGUSR1, 1); }
static void by_siginterrupt_first(void) { siginterrupt(SIGUSR1, 1); signal(SIGUSR1, no_handler); }
static void by_siginterrupt_off(void) { handle(SIGUSR1, no_handler, 0); siginterrupt(SIGUSR1, 0); }
static void by_hold_and_release(void) { sigset(SIGUSR1, no_handler); sighold(SIGUSR1); sigrelse(SIGUSR1); }
static void by_hold(void) { sigset(SIGUSR1, no_handler); tell("held: %d", sigset(SIGUSR1, SIG_HOLD) == no_handler); }
static void by_ignore(void) { sigset(SIGUSR1, no_handler); sigignore(SIGUSR1); }
#pragma GCC diagnostic pop

static const struct {
	const char *name;
	void (*install)(void);
} ways[] = {
	{"sigaction", by_sigaction}, {"sigaction, once", by_sigaction_once}, {"signal", by_signal}, {"bsd_signal", by_bsd_signal},
	{"ssignal", by_ssignal}, {"sysv_signal", by_sysv_signal}, {"sigset", by_sigset}, {"siginterrupt", by_siginterrupt},
	{"siginterrupt before signal", by_siginterrupt_first}, {"siginterrupt, off", by_siginterrupt_off},
	{"sighold and sigrelse", by_hold_and_release}, {"SIG_HOLD", by_hold}, {"sigignore", by_ignore},
};

static void read_back(const char *name)
{
	struct sigaction a;
	unsigned long mask;

	sigaction(SIGUSR1, NULL, &a);
	memcpy(&mask, &a.sa_mask, sizeof mask);
	tell("%s: handler %d, ignored %d, flags %x, mask %lx", name, a.sa_handler == no_handler, a.sa_handler == SIG_IGN,
	     (unsigned)a.sa_flags, mask);
}

/* In a child of its own: what sigaction reads back, before and after two signals; and what they do to a read and a recv.  */
static void installers(char **argv)
{
	(void)argv;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		for (int n = 0; n < 2; n++) {
			pid_t pid;
			char c;

			if (n)
				make_sockets(SOCK_STREAM, fds);
			else
				make_pipe(fds);
			pid = fork();
			if (pid == 0) {
				ways[i].install();
				read_back(ways[i].name);
				tell("%s", result_text(n ? recv(fds[0], &c, 1, 0) : read(fds[0], &c, 1)));
				read_back("afterwards");
				tell("%s", result_text(n ? recv(fds[0], &c, 1, 0) : read(fds[0], &c, 1)));
				_exit(0);
			}
			for (int sent = 0; sent < 2 && wait_asleep(pid); sent++)
				kill(pid, SIGUSR1);
			if (wait_asleep(pid))
				tell("waits on");
			kill(pid, SIGKILL);
			wait(NULL);
			close(fds[0]);
			close(fds[1]);
		}
}

/* ---- What a handler is told.  */

/* The timer comes again and again, for the first time may be before the read: what counts is the first.  */
static volatile sig_atomic_t alarms;

static void show(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	sigset_t now;

	if (signal == SIGALRM && alarms++)
		return;
	sigprocmask(SIG_BLOCK, NULL, &now);
	tell("signal %d: code %d, error %d", signal, info->si_code, info->si_errno);
	if (signal == SIGALRM)
		tell("value %d", info->si_value.sival_int);
	if (signal == SIGIO)
		tell("fd %d, band %lx", info->si_fd == fds[0], info->si_band);
	if (signal == SIGCHLD)
		tell("status %d", info->si_status);
	tell("blocked inside: %d %d, outside: %d %d", sigismember(&now, signal), sigismember(&now, SIGUSR2),
	     sigismember(&uc->uc_sigmask, signal), sigismember(&uc->uc_sigmask, SIGUSR2));
}

static void install_show(int signal, int flags)
{
	struct sigaction a = {.sa_sigaction = show, .sa_flags = SA_SIGINFO | flags};

	sigaddset(&a.sa_mask, SIGUSR2);
	need(sigaction(signal, &a, NULL) == 0, "sigaction");
}

/* Each in the middle of a read: from kill, a timer, a child, the fd itself, another thread.  */
static void handler_is_told(char **argv)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM, .sigev_value.sival_int = 4711};
	struct itimerspec soon = {.it_interval.tv_nsec = 100000000, .it_value.tv_nsec = 100000000};
	timer_t timer;
	char c;

	(void)argv;
	make_pipe(fds);
	for (int flags = 0; flags < 2; flags++) {
		alarms = 0;
		install_show(SIGALRM, flags ? SA_NODEFER : 0);
		install_show(SIGCHLD, 0);
		install_show(SIGIO, SA_RESTART);
		need(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &soon, NULL) == 0, "timer");
		tell("read: %s", result_text(read(fds[0], &c, 1)));
		timer_delete(timer);
		if (fork() == 0) {
			wait_asleep(getppid());
			_exit(flags + 3);
		}
		tell("read: %s", result_text(read(fds[0], &c, 1)));
		wait(NULL);
		fcntl(fds[0], F_SETOWN, getpid());
		fcntl(fds[0], F_SETSIG, SIGIO);
		fcntl(fds[0], F_SETFL, O_ASYNC);
		if (fork() == 0) {
			signal(SIGIO, SIG_IGN);
			wait_asleep(getppid());
			_exit(write(fds[1], "x", 1) != 1);
		}
		signal(SIGCHLD, SIG_DFL);
		tell("read: %s", result_text(read(fds[0], &c, 1)));
		fcntl(fds[0], F_SETFL, 0);
		wait(NULL);
	}
}

/* ---- What a handler does to the fd that is waited on.  */

static volatile int inside;
static char act;

static void act_on_it(int signal)
{
	int saved = errno;
	char c;

	(void)signal;
	switch (act) {
	case 'r': inside = (int)read(fds[0], &c, 1); break;
	case 'w': inside = (int)write(fds[1], "y", 1); break;
	case 'c': inside = close(fds[0]); break;
	case 'd': inside = dup2(open("/dev/null", O_RDONLY), fds[0]) == fds[0]; break;
	case 'n': inside = fcntl(fds[0], F_SETFL, O_NONBLOCK); break;
	}
	errno = saved;
}

/* There is a byte when the handler runs, and the read has not seen it yet: the process is stopped meanwhile.  */
static void handler_on_the_same_fd(char **argv)
{
	(void)argv;
	for (const char *kind = "ps"; *kind; kind++)
		for (const char *what = "rwcdn"; *what; what++)
			for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
				pid_t pid;
				char c = 0;

				if (*kind == 'p')
					make_pipe(fds);
				else
					make_sockets(SOCK_STREAM, fds);
				act = *what;
				handle(SIGUSR1, act_on_it, flags);
				pid = fork();
				if (pid == 0) {
					long n = read(fds[0], &c, 1);

					tell("%c %c %s: %s %d, inside %d", *kind, *what, flags ? "SA_RESTART" : "", result_text(n), c, inside);
					_exit(0);
				}
				wait_asleep(pid);
				kill(pid, SIGSTOP);
				wait_state(pid, 'T');
				if (*what == 'r')
					need(write(fds[1], "x", 1) == 1, "write");
				kill(pid, SIGUSR1);
				kill(pid, SIGCONT);
				if (wait_asleep(pid))
					tell("%c %c %s: waits on", *kind, *what, flags ? "SA_RESTART" : "");
				kill(pid, SIGKILL);
				wait(NULL);
				close(fds[0]);
				close(fds[1]);
			}
}

/* ---- 10,000 signals a second.  */

static volatile long ticks, lost;
static int inner[2];

/* Does I/O of its own, and lets the next one interrupt it.  */
static void tick(int signal)
{
	int saved = errno;
	char c = 0, sent = (char)ticks++;

	(void)signal;
	lost += write(inner[1], &sent, 1) != 1 || read(inner[0], &c, 1) != 1;
	errno = saved;
}

enum { BYTES = 4000000 };

/* The child writes numbers in pieces of every size; the parent reads them: all are there, in order, whatever the pieces.  */
static void pass_numbers(const char *name, int flags)
{
	static unsigned char block[70000];
	const struct itimerval often = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};
	long done = 0, wrong = 0, interrupted = 0;
	int status;
	pid_t pid;

	handle(SIGALRM, tick, flags | SA_NODEFER);
	pid = fork();
	make_pipe(inner);
	setitimer(ITIMER_REAL, &often, NULL);
	for (unsigned size = 1; done < BYTES; size = size * 5 % 65537 + 1) {
		long n;

		for (unsigned i = 0; pid == 0 && i < size; i++)
			block[i] = (unsigned char)((done + i) % 251);
		n = pid ? read(fds[0], block, size) : write(fds[1], block, size);
		for (long i = 0; pid && i < n; i++)
			wrong += block[i] != (done + i) % 251;
		if (n == 0)
			break;
		done += n > 0 ? n : 0;
		interrupted += n < 0;
		wrong += n < 0 && errno != EINTR;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	if (pid == 0)
		_exit(wrong || lost || (flags && interrupted));
	while (waitpid(pid, &status, 0) < 0)
		;
	tell("%s: wrong %ld, lost %ld, interrupted %d, all there %d, the writer: %x", name, wrong, lost, flags && interrupted, done >= BYTES,
	     (unsigned)status);
}

static void ten_kilohertz(char **argv)
{
	(void)argv;
	for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
		make_pipe(fds);
		pass_numbers("pipe", flags);
		make_sockets(SOCK_STREAM, fds);
		pass_numbers("unix", flags);
		make_tcp(fds);
		pass_numbers("TCP", flags);
	}
	tell("ticks: %d", ticks > 0);
}

const struct trap handler_traps[] = {
	{"installers", installers}, {"handler-is-told", handler_is_told}, {"handler-on-the-same-fd", handler_on_the_same_fd},
	{"ten-kilohertz", ten_kilohertz}, {NULL, NULL},
};
