/* screen.h - what is written for a person's eyes: how wide, durations, and names that anybody may have made up.  */
#ifndef EAGAIN_SCREEN_H
#define EAGAIN_SCREEN_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* How many characters a line may have: of the terminal that is written to, else $COLUMNS, else 100;
 * at least 60.  */
int screen_width(FILE *to);

/* Around what stands out, where there is no colour either.  */
#define SCREEN_REVERSE "\033[7m"
#define SCREEN_PLAIN "\033[0m"

/* 1.234 s, 12.3 ms, 456 us, 1.2 us, 260 ns, 0.  */
const char *duration(uint64_t ns, char text[16]);

/* A number of bytes: 12 B, 1.2 KiB, 3.4 GiB.  */
const char *amount(uint64_t n, char text[16]);

/* What a call returned: 6, -1 EPIPE, -1 errno 4711.  */
const char *outcome(int64_t result, char text[32]);

/* Copies text so that each character takes one column and none does anything to a terminal: what is not ASCII becomes '?', one
 * for each character.  Cut to size.  Returns its length.  */
size_t screen_text(char *to, size_t size, const char *from);

/* In place: what is no valid UTF-8, or a control character, becomes '?'.  */
void screen_clean(char *text);

/* How much of the text, at most `size` bytes (0 and up), ends where a character ends.  */
int screen_cut(const char *text, int size);

#endif
