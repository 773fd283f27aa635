/* terminal.h - a terminal as one screen and single keys, for the views that stay: eagain timeline -i, eagain top.
 *
 * However the command ends, or is suspended, the terminal is as it was: its settings, its screen, its cursor.  A frame is one
 * write.  No terminal database: what is used of ANSI (ECMA-48) and xterm every terminal has, or ignores.  */
#ifndef EAGAIN_TERMINAL_H
#define EAGAIN_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

enum terminal_key {
	KEY_NONE = -1,                  /* nothing was pressed in time */
	KEY_REDRAW = -2,                /* nor now; but the terminal has another size, or shows something else */
	KEY_GONE = -3,                  /* the terminal is */
	KEY_ESCAPE = 27,
	KEY_BACKSPACE = 127,            /* less than 256: the character itself */
	KEY_UP = 256, KEY_DOWN, KEY_RIGHT, KEY_LEFT, KEY_HOME, KEY_END, KEY_PAGE_UP, KEY_PAGE_DOWN, KEY_SHIFT_RIGHT, KEY_SHIFT_LEFT,
	KEY_OTHER,
};

/* NULL, or why there is none that can show a screen on stdout, and, with keys, gives them on stdin.  */
const char *terminal_missing(bool keys);

/* Takes the terminal; and gives it back, which the end of the process does, too.  */
void terminal_enter(void);
void terminal_leave(void);

void terminal_size(int *rows, int *columns);

/* Shows these lines from the top; what is too wide or too long for the screen is cut.  Its only escapes are SGR (ESC [ ... m).  */
void terminal_show(const char *text, size_t size);

/* Shows a few words in the last line until the next frame: something takes its time.  */
void terminal_note(const char *text);

/* A key, waited for so long; 0: not at all, -1: for ever.  */
int terminal_key(int milliseconds);

#endif
