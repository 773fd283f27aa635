/* packing.c - numbers and texts in few bytes.  */
#include "packing.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "screen.h"

enum { LINE_BYTES = 96 };               /* 128 characters */

static unsigned char *make_room(struct packing *p, size_t size)
{
	if (p->room - p->size < size) {
		p->room = p->room * 2 + size + 4096;
		p->bytes = must_have(realloc(p->bytes, p->room));
	}
	return p->bytes + p->size;
}

void pack_number(struct packing *p, uint64_t n)
{
	unsigned char *at = make_room(p, 8), *start = at;

	if (n > PACKING_MAX)
		n = PACKING_MAX;
	for (; n >= 128; n >>= 7)
		*at++ = (unsigned char)(n | 128);
	*at++ = (unsigned char)n;
	p->size += (size_t)(at - start);
}

void pack_signed(struct packing *p, int64_t n)
{
	uint64_t size = n < 0 ? -(uint64_t)n - 1 : (uint64_t)n;

	pack_number(p, size > PACKING_MAX / 2 ? PACKING_MAX - (n >= 0) : size << 1 | (n < 0));
}

void pack_optional(struct packing *p, uint64_t n, uint64_t none)
{
	pack_number(p, n == none ? 0 : n < PACKING_MAX ? n + 1 : n);
}

void pack_bytes(struct packing *p, const void *bytes, size_t size)
{
	if (size)
		memcpy(make_room(p, size), bytes, size);
	p->size += size;
}

void pack_text(struct packing *p, const char *text, size_t most)
{
	size_t size = strlen(text);

	if (size > most)
		size = (size_t)screen_cut(text, (int)most);
	pack_number(p, size);
	pack_bytes(p, text, size);
}

void packing_print(const struct packing *p, FILE *to)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < p->size; i += 3) {
		size_t left = p->size - i;
		uint32_t n = (uint32_t)p->bytes[i] << 16;

		if (left > 1)
			n |= (uint32_t)p->bytes[i + 1] << 8;
		if (left > 2)
			n |= p->bytes[i + 2];
		putc_unlocked(digits[n >> 18], to);
		putc_unlocked(digits[n >> 12 & 63], to);
		putc_unlocked(left > 1 ? digits[n >> 6 & 63] : '=', to);
		putc_unlocked(left > 2 ? digits[n & 63] : '=', to);
		if ((i + 3) % LINE_BYTES == 0)
			putc_unlocked('\n', to);
	}
}

void packing_free(struct packing *p)
{
	free(p->bytes);
	*p = (struct packing){0};
}
