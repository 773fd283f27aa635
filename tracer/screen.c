/* screen.c - lines that fit, numbers that can be read, names that do no harm.  */
#include "screen.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "line.h"

enum { WIDTH_OTHERWISE = 100, WIDTH_MIN = 60, WIDTH_MAX = 1000 };

static long wanted_width(FILE *to)
{
	struct winsize size;
	const char *columns = getenv("COLUMNS");

	if (ioctl(fileno(to), TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	return columns && *columns >= '1' && *columns <= '9' ? strtol(columns, NULL, 10) : WIDTH_OTHERWISE;
}

int screen_width(FILE *to)
{
	long width = wanted_width(to);

	return width < WIDTH_MIN ? WIDTH_MIN : width > WIDTH_MAX ? WIDTH_MAX : (int)width;
}

const char *duration(uint64_t ns, char text[16])
{
	double n = (double)ns;

	if (ns == 0)
		snprintf(text, 16, "0");
	else if (n < 1e3)
		snprintf(text, 16, "%.0f ns", n);
	else if (n < 1e4)
		snprintf(text, 16, "%.1f us", n / 1e3);
	else if (n < 1e6)
		snprintf(text, 16, "%.0f us", n / 1e3);
	else if (n < 1e8)
		snprintf(text, 16, "%.1f ms", n / 1e6);
	else
		snprintf(text, 16, "%.3f s", n / 1e9);
	return text;
}

const char *outcome(int64_t result, char text[32])
{
	uint64_t error = -(uint64_t)result;
	const char *name = result < 0 ? line_errno_name(error) : NULL;

	if (result >= 0)
		snprintf(text, 32, "%" PRId64, result);
	else if (name)
		snprintf(text, 32, "-1 %s", name);
	else
		snprintf(text, 32, "-1 errno %" PRIu64, error);
	return text;
}

size_t screen_text(char *to, size_t size, const char *from)
{
	size_t n = 0;

	for (; *from && n + 1 < size; from++) {
		unsigned char c = (unsigned char)*from;

		/* The later bytes of a UTF-8 character. */
		if ((c & 0xc0) == 0x80)
			continue;
		to[n++] = c < ' ' || c > '~' ? '?' : (char)c;
	}
	to[n] = 0;
	return n;
}

void screen_clean(char *text)
{
	char *to = text;
	size_t left = strlen(text), size;
	bool good;

	for (; left; text += size, left -= size) {
		size = line_character(text, left, &good);
		if (good)
			memmove(to, text, size);
		else
			*to = '?';
		to += good ? size : 1;
	}
	*to = 0;
}

int screen_cut(const char *text, int size)
{
	size_t length = strnlen(text, (size_t)size);

	if (length < (size_t)size)
		return (int)length;
	while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
		size--;
	return size;
}

const char *amount(uint64_t n, char text[16])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)n;
	size_t unit = 0;

	while (value >= 1024 && unit < 4) {
		value /= 1024;
		unit++;
	}
	snprintf(text, 16, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return text;
}
