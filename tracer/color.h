/* color.h - colour on terminals.  */
#ifndef EAGAIN_COLOR_H
#define EAGAIN_COLOR_H

#include <stdio.h>

enum color {
	COLOR_END,                      /* back to the terminal's own */
	COLOR_HEADING,
	COLOR_WAIT,                     /* how long something waited */
	COLOR_NAME,                     /* of an fd */
	COLOR_DETAIL,
	COLOR_WOULD_BLOCK,
	COLOR_READY,
};

/* Decides whether what goes to `to` is coloured: "always", "never", or "auto".  */
void color_choose(const char *when, FILE *to);

/* The escape sequence that begins it, or "" where there is no colour.  */
const char *color(enum color c);

#endif
