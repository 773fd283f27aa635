/* jsontext.c - strings in JSON (RFC 8259).  */
#include "jsontext.h"

#include "line.h"

static void escape(struct text *t, unsigned c)
{
	text_literal(t, "\\u00");
	text_char(t, "0123456789abcdef"[c >> 4]);
	text_char(t, "0123456789abcdef"[c & 15]);
}

static size_t character(struct text *t, const char *s, size_t n)
{
	unsigned char c = (unsigned char)*s;
	bool good;
	size_t size = line_character(s, n, &good);

	if (c == '"' || c == '\\') {
		text_char(t, '\\');
		text_char(t, (char)c);
	} else if (c < ' ' || c == 127 || c == '<') {
		escape(t, c);
	} else if (!good) {
		text_char(t, '?');
	} else {
		text_bytes(t, s, size);
	}
	return size;
}

static void characters(struct text *t, const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t plain = line_plain(s + i, n - i);

		text_bytes(t, s + i, plain);
		i += plain;
		if (i < n)
			i += character(t, s + i, n - i);
	}
}

void jsontext(struct text *t, const char *s, size_t n)
{
	text_char(t, '"');
	characters(t, s, n);
	text_char(t, '"');
}

void jsontext_print(const char *s, FILE *to)
{
	char buffer[6 * 256 + 2];
	size_t left = s ? strlen(s) : 0;

	if (!s) {
		fputs("null", to);
		return;
	}
	putc_unlocked('"', to);
	do {
		struct text t = {buffer, buffer + sizeof buffer};
		size_t n = left < 256 ? left : 256;

		/* Not within a character. */
		while (n < left && n > 252 && ((unsigned char)s[n] & 0xc0) == 0x80)
			n--;
		characters(&t, s, n);
		fwrite_unlocked(buffer, 1, (size_t)(t.at - buffer), to);
		s += n;
		left -= n;
	} while (left);
	putc_unlocked('"', to);
}
