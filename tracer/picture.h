/* picture.h - a line between user space and the kernel, in characters, time to the right: drawing.c and asynchronous.c draw with it.
 *
 * The line is made of stretches, each on one level.  Where it is known when a stretch begins, it has a tN under it.  */
#ifndef EAGAIN_PICTURE_H
#define EAGAIN_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	PICTURE_MAX = 110,              /* wider is not clearer */
	PICTURE_TEXT = 96,
	PICTURE_STRETCHES = 16,
};

enum level { USER, KERNEL };

struct stretch {
	enum level level;
	bool waiting;
	bool grows;                     /* it gets the room that is left; else a wait does */
	bool narrow;                    /* its text has no more room than itself */
	int width, at, lines;           /* lines: of its text */
	size_t step;                    /* which its beginning is, or PICTURE_NO_STEP */
	uint64_t ns;                    /* when that was */
	bool is_end;                    /* of all: it has no number */
	char text[PICTURE_TEXT], end[PICTURE_TEXT];
};

#define PICTURE_NO_STEP SIZE_MAX

enum row {
	USER_TEXT, USER_LINE = 3, UP, BORDER, DOWN, KERNEL_LINE, KERNEL_TEXT, REQUEST_LINE = KERNEL_TEXT + 3, REQUEST_TEXT,
	KERNEL_NAME = REQUEST_TEXT + 2, DATA, DEVICE, AXIS, DURATIONS, ROWS,
};

struct picture {
	struct stretch stretches[PICTURE_STRETCHES];
	size_t count;
	int width;
	char rows[ROWS][PICTURE_MAX + 1];
};

/* Begins the picture; and adds a stretch to it, at least so wide.  */
void picture_begin(struct picture *p, int width);
struct stretch *picture_stretch(struct picture *p, enum level level, int width, const char *text);

/* Whether the line is in the kernel.  */
bool picture_in_kernel(const struct picture *p);

/* Draws the stretches; then more can be put upon them.  */
void picture_draw(struct picture *p);
void picture_put(struct picture *p, int row, int at, char c);
void picture_text(struct picture *p, int row, int at, const char *text);

/* A text on lines from `row` on, at most so many.  Returns how many it took.  */
int picture_lines(struct picture *p, int row, int rows, int at, int width, const char *text);

/* What the device, or the kernel, writes into the program's buffer, or takes from there: a line through the kernel down to
 * `row`.  */
void picture_data(struct picture *p, int row, int at, bool writes);

void picture_print(struct picture *p, FILE *to);

#endif
