/* terminal.c - job control, and what a terminal does with reads and writes.  */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "traps.h"

static const char *status_text(int status)
{
	static char text[64];

	if (WIFSTOPPED(status))
		snprintf(text, sizeof text, "stopped by SIG%s", sigabbrev_np(WSTOPSIG(status)));
	else if (WIFSIGNALED(status))
		snprintf(text, sizeof text, "killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(text, sizeof text, "exit %d", WEXITSTATUS(status));
	return text;
}

/* In a session of its own, with the slave as its terminal: body runs in a background process group.  */
static void in_background(int (*body)(int tty))
{
	int fds[2], status;
	pid_t leader, job;

	make_terminal(fds, false);
	leader = fork();
	if (leader == 0) {
		setsid();
		need(ioctl(fds[1], TIOCSCTTY, 0) == 0, "TIOCSCTTY");
		signal(SIGTTOU, SIG_IGN);
		job = fork();
		if (job == 0) {
			signal(SIGTTOU, SIG_DFL);
			setpgid(0, 0);
			_exit(body(fds[1]));
		}
		setpgid(job, job);
		waitpid(job, &status, WUNTRACED);
		tell("in the background: %s", status_text(status));
		if (WIFSTOPPED(status)) {
			tcsetpgrp(fds[1], job);
			need(write(fds[0], "line\n", 5) == 5, "master");
			kill(job, SIGCONT);
			waitpid(job, &status, 0);
			tell("in the foreground: %s", status_text(status));
		}
		_exit(0);
	}
	waitpid(leader, &status, 0);
}

static int read_line(int tty)
{
	char line[16];

	return read(tty, line, sizeof line) == 5 ? 7 : 8;
}

static int read_line_ignoring(int tty)
{
	char line[16];

	signal(SIGTTIN, SIG_IGN);
	return read(tty, line, sizeof line) < 0 ? errno : 0;
}

static int write_line(int tty)
{
	return write(tty, "text\n", 5) == 5 ? 7 : 8;
}

static int write_line_tostop(int tty)
{
	struct termios t;
	sigset_t set;

	/* Blocked while it is set, for tcsetattr itself would stop a background process. */
	sigemptyset(&set);
	sigaddset(&set, SIGTTOU);
	sigprocmask(SIG_BLOCK, &set, NULL);
	tcgetattr(tty, &t);
	t.c_lflag |= TOSTOP;
	tcsetattr(tty, TCSANOW, &t);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return write_line(tty);
}

static void background_read(char **argv)
{
	(void)argv;
	in_background(read_line);
}

static void background_read_ignored(char **argv)
{
	(void)argv;
	in_background(read_line_ignoring);
}

static void background_write(char **argv)
{
	(void)argv;
	in_background(write_line);
	in_background(write_line_tostop);
}

/* VMIN and VTIME: what poll says is not what read does.  */
static void vmin_vtime(char **argv)
{
	static const unsigned char settings[][2] = {{0, 0}, {0, 1}, {1, 0}, {3, 0}, {3, 1}};
	struct termios t;
	char text[16];
	int fds[2];

	(void)argv;
	make_terminal(fds, true);
	tcgetattr(fds[1], &t);
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		unsigned vmin = settings[i][0], vtime = settings[i][1];
		pid_t parent = getpid();
		int there = 0;

		t.c_cc[VMIN] = (cc_t)vmin;
		t.c_cc[VTIME] = (cc_t)vtime;
		tcsetattr(fds[1], TCSANOW, &t);
		if (vmin == 0)
			tell("%u %u: %s", vmin, vtime, result_text(read(fds[1], text, sizeof text)));
		if (fork() == 0) {
			if (vmin)
				wait_asleep(parent);
			_exit(write(fds[0], "abcd", 4) != 4);
		}
		/* It has yet to go through the terminal. */
		while (vmin == 0 && there < 4)
			need(ioctl(fds[1], FIONREAD, &there) == 0, "FIONREAD");
		if (vmin == 0)
			wait(NULL);
		memset(text, 0, sizeof text);
		need(read(fds[1], text, 3) > 0, "read");
		tell("%u %u: %s", vmin, vtime, text);
		if (vmin)
			wait(NULL);
		tcflush(fds[1], TCIFLUSH);
	}
}

/* Large writes of two processes to one terminal: each arrives in one piece.  */
static void writes_in_one_piece(char **argv)
{
	enum { SIZE = 3000, TIMES = 20 };
	static char block[SIZE], seen[2 * SIZE * TIMES];
	size_t n = 0, changes = 0;
	int fds[2];

	(void)argv;
	make_terminal(fds, true);
	for (char who = 'a'; who <= 'b'; who++)
		if (fork() == 0) {
			memset(block, who, SIZE);
			for (int i = 0; i < TIMES; i++)
				need(write(fds[1], block, SIZE) == SIZE, "write");
			_exit(0);
		}
	while (n < sizeof seen) {
		long got = read(fds[0], seen + n, sizeof seen - n);

		need(got > 0, "master");
		n += (size_t)got;
	}
	for (size_t i = 1; i < n; i++)
		changes += seen[i] != seen[i - 1] && i % SIZE != 0;
	tell("cut into pieces: %zu", changes);
	while (wait(NULL) > 0)
		;
}

static void hangup(char **argv)
{
	int fds[2];
	char c;
	pid_t parent = getpid();

	(void)argv;
	make_terminal(fds, false);
	signal(SIGHUP, SIG_IGN);
	if (fork() == 0) {
		wait_asleep(parent);
		_exit(0);
	}
	close(fds[0]);
	tell("read: %s", result_text(read(fds[1], &c, 1)));
	tell("again: %s", result_text(read(fds[1], &c, 1)));
	tell("write: %s", result_text(write(fds[1], "x", 1)));
	wait(NULL);
}

/* As a shell with job control would: argv, which prints its pid and then reads a line, is stopped and continued.  */
static void stop_and_continue(char **argv)
{
	static const int signals[] = {SIGTSTP, SIGSTOP, SIGTTIN};
	int out[2], in[2], status;
	char text[32] = "";
	pid_t job, program;

	make_pipe(out);
	make_pipe(in);
	job = fork();
	if (job == 0) {
		setpgid(0, 0);
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		execvp(argv[0], argv);
		_exit(127);
	}
	setpgid(job, job);
	need(read(out[0], text, sizeof text - 1) > 0, "pid");
	program = atoi(text);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
		wait_asleep(program);
		kill(program, signals[i]);
		need(waitpid(job, &status, WUNTRACED) == job, "waitpid");
		tell("%s; the program: %c", status_text(status), thread_state(program));
		kill(job, SIGCONT);
		need(waitpid(job, &status, WCONTINUED) == job, "waitpid");
		tell("continued: %d", WIFCONTINUED(status));
	}
	wait_asleep(program);
	need(write(in[1], "line\n", 5) == 5, "write");
	waitpid(job, &status, 0);
	tell("%s", status_text(status));
}

/* As a shell's bg would: the whole group is continued, and the program stops again at once, as often as it likes.  */
static void stop_again(char **argv)
{
	int status = 0, stops = 0;
	pid_t job = fork();

	if (job == 0) {
		setpgid(0, 0);
		execvp(argv[0], argv);
		_exit(127);
	}
	while (waitpid(job, &status, WUNTRACED) == job && WIFSTOPPED(status)) {
		stops++;
		kill(-job, SIGCONT);
	}
	tell("stopped %d times, then %s", stops, status_text(status));
}

const struct trap terminal_traps[] = {
	{"background-read", background_read}, {"background-read-ignored", background_read_ignored},
	{"background-write", background_write}, {"vmin-vtime", vmin_vtime}, {"writes-in-one-piece", writes_in_one_piece},
	{"hangup", hangup}, {"stop-and-continue", stop_and_continue}, {"stop-again", stop_again}, {NULL, NULL},
};
