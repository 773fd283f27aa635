/* string.c - the functions of <string.h> that the shim uses, its own: those that the loader would find may be a sanitizer's or
 * another shim's, and not work before that has started, which is after us.  STEP, and -fno-builtin, keep a compiler from making
 * one of another.  */
#include <stddef.h>
#include <string.h>

#define STEP __asm__ volatile("")

/* Of whatever is at any address.  */
typedef unsigned long word __attribute__((may_alias, aligned(1)));

void *mempcpy(void *restrict to, const void *restrict from, size_t n)
{
	const char *f = from;
	char *t = to;

	/* The last word overlaps the one before. */
	if (n > sizeof(word)) {
		char *end = t + n;
		word last = *(const word *)(f + n - sizeof(word));

		for (; end - t > (ptrdiff_t)sizeof(word); t += sizeof(word), f += sizeof(word)) {
			*(word *)t = *(const word *)f;
			STEP;
		}
		*(word *)(end - sizeof(word)) = last;
		return end;
	}
	for (; n >= sizeof(word); n -= sizeof(word), t += sizeof(word), f += sizeof(word)) {
		*(word *)t = *(const word *)f;
		STEP;
	}
	for (; n; n--) {
		*t++ = *f++;
		STEP;
	}
	return t;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	mempcpy(to, from, n);
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	for (char *t = to; n; n--) {
		*t++ = (char)byte;
		STEP;
	}
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n && *x == *y; x++, y++, n--)
		STEP;
	return n ? *x - *y : 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	for (; s[n]; n++)
		STEP;
	return n;
}

char *stpcpy(char *restrict to, const char *restrict from)
{
	return (char *)mempcpy(to, from, strlen(from) + 1) - 1;
}

char *strcpy(char *restrict to, const char *restrict from)
{
	stpcpy(to, from);
	return to;
}

char *strcat(char *restrict to, const char *restrict from)
{
	stpcpy(to + strlen(to), from);
	return to;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n && *a && *a == *b; a++, b++, n--)
		STEP;
	return n ? (unsigned char)*a - (unsigned char)*b : 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, (size_t)-1);
}

char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++)
		if (!*s)
			return NULL;
	return (char *)(size_t)s;
}

size_t strcspn(const char *s, const char *ends)
{
	size_t n = 0;

	while (!strchr(ends, s[n]))
		n++;
	return n;
}

size_t strspn(const char *s, const char *of)
{
	size_t n = 0;

	while (s[n] && strchr(of, s[n]))
		n++;
	return n;
}

char *strstr(const char *s, const char *what)
{
	size_t n = strlen(what);

	for (; strncmp(s, what, n) != 0; s++)
		if (!*s)
			return NULL;
	return (char *)(size_t)s;
}

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	do {
		if (*s == (char)c)
			last = s;
	} while (*s++);
	return (char *)(size_t)last;
}
