/* terminal.c - raw mode, keys, frames, and the way back.
 *
 * Signals that end or stop the process are caught to give the terminal back first.  Those that only change what is shown, and the
 * one that stops, are blocked but while a key is waited for, so that none is missed and no frame is cut in two.  */
#include "terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "say.h"
#include "screen.h"

enum {
	ESCAPE_MS = 50,                 /* after which an ESC is a key, not the beginning of one; ssh delivers a key in one piece */
	SEQUENCE_MAX = 16,
	ROWS_OTHERWISE = 24, COLUMNS_OTHERWISE = 80,
};

/* The other screen, no cursor, no wrapping at the right edge; and back.  */
static const char enter_screen[] = "\033[?1049h\033[?25l\033[?7l";
static const char leave_screen[] = "\033[0m\033[H\033[J\033[?7h\033[?25h\033[?1049l";

static struct {
	struct termios before, raw;
	bool has_settings;              /* stdin is a terminal; else there are no keys */
	volatile sig_atomic_t entered, redraw, gone;
	sigset_t blocked, open;         /* while the process works; while it waits for a key */
	char *frame;
	size_t frame_room;
} terminal;

const char *terminal_missing(bool keys)
{
	const char *term = getenv("TERM");

	if (!isatty(STDOUT_FILENO))
		return "stdout is no terminal";
	if (keys && !isatty(STDIN_FILENO))
		return "stdin is no terminal";
	return !term || !*term || !strcmp(term, "dumb") ? "TERM says that the terminal has no screen" : NULL;
}

/* Writes all of it, or as much as there is a terminal for.  */
static void put(const char *text, size_t size)
{
	while (size) {
		ssize_t n = write(STDOUT_FILENO, text, size);

		if (n > 0) {
			text += n;
			size -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, -1);
		} else if (n == 0 || errno != EINTR) {
			terminal.gone = true;
			return;
		}
	}
}

/* Whoever is in the foreground by now has set the terminal as it wants it.  */
static bool is_ours(void)
{
	return tcgetpgrp(STDOUT_FILENO) == getpgrp();
}

/* In a background process, stops in tcsetattr() (SIGTTOU) until it is in the foreground.  Signal-safe, as is its reverse.  */
static void take(void)
{
	if (terminal.has_settings)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal.raw);
	put(enter_screen, sizeof enter_screen - 1);
	terminal.entered = true;
	terminal.redraw = true;
}

static void give_back(void)
{
	if (!terminal.entered)
		return;
	terminal.entered = false;
	if (!is_ours())
		return;
	put(leave_screen, sizeof leave_screen - 1);
	if (terminal.has_settings)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal.before);
}

/* Does what the signal does by default; returns if the process was stopped and goes on.  */
static void obey(int number)
{
	struct sigaction by_default = {.sa_handler = SIG_DFL}, old;
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, number);
	sigaction(number, &by_default, &old);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	sigprocmask(SIG_BLOCK, &one, NULL);
	sigaction(number, &old, NULL);
}

static void end(int number)
{
	give_back();
	obey(number);
}

static void stop(int number)
{
	int error = errno;

	give_back();
	obey(number);
	take();
	errno = error;
}

/* After a SIGSTOP, which nobody can catch.  */
static void go_on(int number)
{
	int error = errno;

	(void)number;
	take();
	errno = error;
}

static void note_size(int number)
{
	(void)number;
	terminal.redraw = true;
}

static void catch_signals(void)
{
	static const struct {
		void (*handler)(int);
		int number;
		bool waits;             /* until a key is waited for */
	} signals[] = {
		{end, SIGHUP, false}, {end, SIGINT, false}, {end, SIGQUIT, false}, {end, SIGTERM, false}, {end, SIGPIPE, false},
		{end, SIGSEGV, false}, {end, SIGBUS, false}, {end, SIGFPE, false}, {end, SIGABRT, false},
		{stop, SIGTSTP, true}, {go_on, SIGCONT, true}, {note_size, SIGWINCH, true},
	};
	struct sigaction action = {0}, old;

	/* But the one by which take() stops in the background.  */
	sigfillset(&action.sa_mask);
	sigdelset(&action.sa_mask, SIGTTOU);
	sigemptyset(&terminal.blocked);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
		sigaction(signals[i].number, NULL, &old);
		if (old.sa_handler == SIG_IGN)
			continue;
		action.sa_handler = signals[i].handler;
		sigaction(signals[i].number, &action, NULL);
		if (signals[i].waits)
			sigaddset(&terminal.blocked, signals[i].number);
	}
	sigprocmask(SIG_BLOCK, &terminal.blocked, &terminal.open);
}

void terminal_enter(void)
{
	terminal.has_settings = tcgetattr(STDIN_FILENO, &terminal.before) == 0;
	terminal.raw = terminal.before;
	terminal.raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	terminal.raw.c_cc[VMIN] = 1;
	terminal.raw.c_cc[VTIME] = 0;
	catch_signals();
	atexit(terminal_leave);
	take();
}

void terminal_leave(void)
{
	give_back();
	free(terminal.frame);
	terminal.frame = NULL;
	terminal.frame_room = 0;
}

static int positive(const char *text, int otherwise)
{
	long n = text ? strtol(text, NULL, 10) : 0;

	return n > 0 && n < 10000 ? (int)n : otherwise;
}

void terminal_size(int *rows, int *columns)
{
	struct winsize size = {0};

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*rows = size.ws_row ? size.ws_row : positive(getenv("LINES"), ROWS_OTHERWISE);
	*columns = size.ws_col ? size.ws_col : positive(getenv("COLUMNS"), COLUMNS_OTHERWISE);
}

static void append(size_t *at, const char *text, size_t size)
{
	if (*at + size > terminal.frame_room) {
		terminal.frame_room = (*at + size) * 2;
		terminal.frame = must_have(realloc(terminal.frame, terminal.frame_room));
	}
	memcpy(terminal.frame + *at, text, size);
	*at += size;
}

/* A line without its newline, so much of it as fits.  */
static void append_line(size_t *at, const char *line, size_t size, int columns)
{
	for (size_t i = 0, n; i < size; i += n) {
		const char *end = line[i] == '\033' ? memchr(line + i, 'm', size - i) : NULL;

		n = end ? (size_t)(end - (line + i)) + 1 : 1;
		if (end || columns-- > 0)
			append(at, line + i, n);
	}
	append(at, SCREEN_PLAIN, sizeof SCREEN_PLAIN - 1);
	/* Behind a full line the cursor stands on its last character.  */
	if (columns > 0)
		append(at, "\033[K", 3);
}

void terminal_show(const char *text, size_t size)
{
	const char *end = text + size;
	int rows, columns;
	size_t at = 0;
	int row = 0;

	terminal_size(&rows, &columns);
	append(&at, "\033[H", 3);
	for (; row < rows && text < end; row++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((newline ? newline : end) - text);

		if (row)
			append(&at, "\r\n", 2);
		append_line(&at, text, n, columns);
		text += n + 1;
	}
	if (row < rows)
		append(&at, "\r\n\033[J", 5);
	put(terminal.frame, at);
}

void terminal_note(const char *text)
{
	char line[128];
	int rows, columns;

	terminal_size(&rows, &columns);
	snprintf(line, sizeof line, "\033[%d;1H" SCREEN_REVERSE "%.*s" SCREEN_PLAIN, rows, columns < 80 ? columns : 80, text);
	put(line, strlen(line));
}

/* A byte: waited for so long, or until a signal that is for us.  */
static int get(int milliseconds)
{
	struct pollfd input = {.fd = terminal.has_settings ? STDIN_FILENO : -1, .events = POLLIN};
	struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
	unsigned char byte;
	int ready = ppoll(&input, 1, milliseconds < 0 ? NULL : &time, &terminal.open);

	if (terminal.gone)
		return KEY_GONE;
	if (terminal.redraw) {
		terminal.redraw = false;
		return KEY_REDRAW;
	}
	if (ready <= 0)
		return KEY_NONE;
	ready = (int)read(STDIN_FILENO, &byte, 1);
	return ready == 1 ? byte : ready < 0 && (errno == EAGAIN || errno == EINTR) ? KEY_NONE : KEY_GONE;
}

/* What ESC [ or ESC O and these bytes stand for (ECMA-48, xterm).  */
static int meaning(const char *sequence, size_t size)
{
	static const struct {
		const char *sequence;
		int key;
	} keys[] = {
		{"A", KEY_UP}, {"B", KEY_DOWN}, {"C", KEY_RIGHT}, {"D", KEY_LEFT}, {"H", KEY_HOME}, {"F", KEY_END},
		{"1~", KEY_HOME}, {"7~", KEY_HOME}, {"4~", KEY_END}, {"8~", KEY_END}, {"5~", KEY_PAGE_UP}, {"6~", KEY_PAGE_DOWN},
		{"1;2C", KEY_SHIFT_RIGHT}, {"1;2D", KEY_SHIFT_LEFT}, {"1;5C", KEY_SHIFT_RIGHT}, {"1;5D", KEY_SHIFT_LEFT},
	};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (strlen(keys[i].sequence) == size && !memcmp(keys[i].sequence, sequence, size))
			return keys[i].key;
	return KEY_OTHER;
}

/* The rest of a key that began with ESC.  */
static int escape(void)
{
	char sequence[SEQUENCE_MAX];
	size_t n = 0;
	int c = get(ESCAPE_MS);

	if (c != '[' && c != 'O')
		return c == KEY_GONE ? KEY_GONE : c < 0 ? KEY_ESCAPE : KEY_OTHER;
	while ((c = get(ESCAPE_MS)) >= 0 && n < sizeof sequence) {
		sequence[n++] = (char)c;
		if (c >= '@' && c <= '~')
			break;
	}
	return meaning(sequence, n);
}

int terminal_key(int milliseconds)
{
	int c = get(milliseconds);

	return c == KEY_ESCAPE ? escape() : c == '\b' ? KEY_BACKSPACE : c == '\r' ? '\n' : c;
}
