/* packing.h - numbers and texts in few bytes, for the script in the HTML page: LEB128, of at most 53 bits, which is what a
 * JavaScript number holds.  */
#ifndef EAGAIN_PACKING_H
#define EAGAIN_PACKING_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct packing {
	unsigned char *bytes;
	size_t size, room;
};

#define PACKING_MAX ((UINT64_C(1) << 53) - 1)

/* Larger ones as PACKING_MAX.  */
void pack_number(struct packing *p, uint64_t n);

/* 0, -1, 1, -2, ... as 0, 1, 2, 3, ...  */
void pack_signed(struct packing *p, int64_t n);

/* 0 for none, else one more.  */
void pack_optional(struct packing *p, uint64_t n, uint64_t none);

/* Its size and then its bytes; at most `most`, whole characters.  */
void pack_text(struct packing *p, const char *text, size_t most);

void pack_bytes(struct packing *p, const void *bytes, size_t size);

/* In base64 (RFC 4648), in lines.  */
void packing_print(const struct packing *p, FILE *to);
void packing_free(struct packing *p);

#endif
