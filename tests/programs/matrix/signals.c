/* signals.c - handlers, and what they do.  */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "matrix.h"

static void plain_handler(int signal)
{
	note(signal == SIGUSR1 ? 'h' : signal == SIGUSR2 ? 'r' : signal == SIGPIPE ? 'p' : '?');
}

static void jumping_handler(int signal)
{
	(void)signal;
	note('j');
	siglongjmp(escape, 1);
}

/* Reads and writes a pipe of its own.  */
static void busy_handler(int signal)
{
	int saved = errno, fds[2];
	char c = 'b';

	(void)signal;
	if (pipe(fds) == 0 && write(fds[1], &c, 1) == 1 && read(fds[0], &c, 1) == 1)
		note(c);
	close(fds[0]);
	close(fds[1]);
	errno = saved;
}

static bool handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction a = {.sa_handler = handler, .sa_flags = flags};

	return sigaction(signal, &a, NULL) == 0;
}

static bool nothing(void) { return true; }
static bool interrupting(void) { return handle(SIGUSR1, plain_handler, 0); }
static bool restarting(void) { return handle(SIGUSR1, plain_handler, SA_RESTART); }
static bool both(void) { return handle(SIGUSR1, plain_handler, SA_RESTART) && handle(SIGUSR2, plain_handler, 0); }
static bool jumping(void) { return handle(SIGUSR1, jumping_handler, SA_RESTART); }
static bool busy(void) { return handle(SIGUSR1, busy_handler, SA_RESTART); }
static bool busy_interrupting(void) { return handle(SIGUSR1, busy_handler, 0); }
static bool by_signal(void) { return signal(SIGUSR1, plain_handler) != SIG_ERR; }
static bool ignored(void) { return signal(SIGUSR1, SIG_IGN) != SIG_ERR; }
static bool pipe_ignored(void) { return signal(SIGPIPE, SIG_IGN) != SIG_ERR; }
static bool pipe_handled(void) { return handle(SIGPIPE, plain_handler, 0); }

/* Only a call that waits with a mask of its own lets it in.  */
static bool blocked(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return interrupting() && sigprocmask(SIG_BLOCK, &set, NULL) == 0;
}

static bool pending(void) { return blocked() && raise(SIGUSR1) == 0; }

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static bool by_siginterrupt(void) { return by_signal() && siginterrupt(SIGUSR1, 1) == 0; }
#pragma GCC diagnostic pop

const struct signal_case signal_cases[] = {
	{"none", nothing, {NOTHING}},
	{"interrupting", interrupting, {SIGNAL}},
	{"restarting", restarting, {SIGNAL}},
	{"restarting-twice", restarting, {SIGNAL, SIGNAL}},
	{"restarting-then-interrupting", both, {SIGNAL, SIGNAL_2}},
	{"longjmp", jumping, {SIGNAL}},
	{"busy", busy, {SIGNAL}},
	{"busy-interrupting", busy_interrupting, {SIGNAL}},
	{"signal()", by_signal, {SIGNAL}},
	{"siginterrupt()", by_siginterrupt, {SIGNAL}},
	{"ignored", ignored, {SIGNAL}},
	{"default", nothing, {SIGNAL}},
	{"stop-continue", nothing, {STOP_CONTINUE}},
	{"blocked", blocked, {SIGNAL}},
	{"pending", pending, {NOTHING}},
	{"sigpipe-ignored", pipe_ignored, {NOTHING}},
	{"sigpipe-handled", pipe_handled, {NOTHING}},
};

const size_t signal_case_count = sizeof signal_cases / sizeof *signal_cases;
