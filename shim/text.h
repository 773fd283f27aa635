/* text.h - appending to a fixed buffer, for code that may not use stdio.  What does not fit is cut.  */
#ifndef EAGAIN_TEXT_H
#define EAGAIN_TEXT_H

#include <string.h>

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

/* n bytes.  */
static inline void text_bytes(struct text *t, const char *s, size_t n)
{
	size_t room = (size_t)(t->end - t->at);

	/* Twice, for a compiler that knows n. */
	if (likely(n <= room)) {
		memcpy(t->at, s, n);
		t->at += n;
	} else {
		memcpy(t->at, s, room);
		t->at += room;
	}
}

/* A string in quotes.  */
#define text_literal(t, s) text_bytes((t), "" s, sizeof(s) - 1)

static inline void text_string(struct text *t, const char *s)
{
	text_bytes(t, s, strlen(s));
}

static inline void text_number(struct text *t, uint64_t n, unsigned base)
{
	char digits[20];
	size_t i = sizeof digits;

	/* Divided by what the compiler knows, it takes a fraction of the time. */
	if (likely(base == 10))
		do
			digits[--i] = (char)('0' + n % 10);
		while (n /= 10);
	else
		do
			digits[--i] = "0123456789abcdef"[n % base];
		while (n /= base);
	text_bytes(t, digits + i, sizeof digits - i);
}

/* Nanoseconds as units of a number of decimals: 9 for seconds, 3 for microseconds.  */
static inline void text_decimals(struct text *t, uint64_t ns, unsigned decimals)
{
	uint32_t unit = decimals == 9 ? 1000000000 : 1000, rest = (uint32_t)(ns % unit);
	char digits[9];

	text_number(t, ns / unit, 10);
	text_char(t, '.');
	for (unsigned i = decimals; i-- > 0; rest /= 10)
		digits[i] = (char)('0' + rest % 10);
	text_bytes(t, digits, decimals);
}

#endif
