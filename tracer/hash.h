/* hash.h - in which slot of a table something is.
 *
 * What a trace is made of may be made to lie in one slot.  So the hash is a polynomial, modulo the prime 2^61 - 1, at a point that
 * nobody knows beforehand: whatever the two are, the hashes of n numbers each are the same once in 2^61 / n times.  */
#ifndef EAGAIN_HASH_H
#define EAGAIN_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Of so many numbers, of 60 bits each: of others what is above is lost, which costs time.  */
uint64_t hash_numbers(const uint64_t *numbers, size_t count);

static inline uint64_t hash_number(uint64_t n)
{
	return hash_numbers(&n, 1);
}

uint64_t hash_text(const char *text);

#endif
