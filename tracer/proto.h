/* proto.h - writes protocol buffers (protobuf.dev, "Encoding"): fields one after another, messages within messages.
 *
 * A message in a message stands behind its length.  One byte is kept free for it, and what was written moves on where that is too
 * little.  */
#ifndef EAGAIN_PROTO_H
#define EAGAIN_PROTO_H

#include <string.h>

#include "shim/text.h"

enum proto_wire { PROTO_VARINT, PROTO_FIXED64, PROTO_BYTES };

static inline void proto_varint(struct text *t, uint64_t n)
{
	for (; n > 127; n >>= 7)
		text_char(t, (char)(n | 128));
	text_char(t, (char)n);
}

static inline void proto_key(struct text *t, unsigned field, enum proto_wire wire)
{
	proto_varint(t, field << 3 | wire);
}

/* Of an enumeration, a bool, or a number; one below zero takes ten bytes.  */
static inline void proto_number(struct text *t, unsigned field, uint64_t n)
{
	proto_key(t, field, PROTO_VARINT);
	proto_varint(t, n);
}

static inline void proto_fixed64(struct text *t, unsigned field, uint64_t n)
{
	proto_key(t, field, PROTO_FIXED64);
	for (unsigned i = 0; i < 64; i += 8)
		text_char(t, (char)(n >> i));
}

static inline void proto_bytes(struct text *t, unsigned field, const char *bytes, size_t n)
{
	proto_key(t, field, PROTO_BYTES);
	proto_varint(t, n);
	text_bytes(t, bytes, n);
}

static inline void proto_string(struct text *t, unsigned field, const char *s)
{
	proto_bytes(t, field, s, strlen(s));
}

/* Begins a message; what is written from now on is in it until proto_end, which takes what this returns.  */
static inline char *proto_begin(struct text *t, unsigned field)
{
	proto_key(t, field, PROTO_BYTES);
	text_char(t, 0);
	return t->at;
}

static inline void proto_end(struct text *t, char *begin)
{
	size_t n = (size_t)(t->at - begin), more = 0;
	struct text length = {begin - 1, t->end};

	for (size_t rest = n; rest > 127; rest >>= 7)
		more++;
	if (more > (size_t)(t->end - t->at)) {
		t->at = t->end;
		return;
	}
	if (more)
		memmove(begin + more, begin, n);
	proto_varint(&length, n);
	t->at += more;
}

#endif
