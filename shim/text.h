/* text.h - appending to a fixed buffer, for code that may not use stdio.  What does not fit is cut.  */
#ifndef EAGAIN_TEXT_H
#define EAGAIN_TEXT_H

#include "shim/shim.h"

struct text {
	char *at;
	char *end;
};

static inline void text_char(struct text *t, char c)
{
	if (t->at < t->end)
		*t->at++ = c;
}

static inline void text_string(struct text *t, const char *s)
{
	while (*s)
		text_char(t, *s++);
}

static inline void text_number(struct text *t, uint64_t n, unsigned base)
{
	char digits[20];
	size_t i = 0;

	do
		digits[i++] = "0123456789abcdef"[n % base];
	while (n /= base);
	while (i)
		text_char(t, digits[--i]);
}

#endif
