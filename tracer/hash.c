/* hash.c - a polynomial at a random point.  */
#include "hash.h"

#include <stdbool.h>
#include <sys/random.h>
#include <time.h>

#define PRIME ((UINT64_C(1) << 61) - 1)

__extension__ typedef unsigned __int128 wide;

static uint64_t point(void)
{
	static uint64_t chosen;
	struct timespec now;

	if (chosen)
		return chosen;
	if (getrandom(&chosen, sizeof chosen, GRND_NONBLOCK) != sizeof chosen) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		chosen = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u ^ (uintptr_t)&now;
	}
	chosen = chosen % (PRIME - 2) + 2;
	return chosen;
}

/* One more coefficient.  */
static uint64_t step(uint64_t h, uint64_t n, uint64_t x)
{
	wide product = (wide)(h + (n & (PRIME >> 1))) * x;
	uint64_t sum = (uint64_t)(product & PRIME) + (uint64_t)(product >> 61);

	return sum >= PRIME ? sum - PRIME : sum;
}

uint64_t hash_numbers(const uint64_t *numbers, size_t count)
{
	uint64_t h = 0, x = point();

	for (size_t i = 0; i < count; i++)
		h = step(h, numbers[i], x);
	return h;
}

/* Seven bytes are a number, and the last are one behind a 1, so that none are not as a NUL is.  */
uint64_t hash_text(const char *text)
{
	uint64_t h = 0, x = point(), n = 1;
	unsigned bytes = 0;

	for (; *text; text++) {
		n = n << 8 | (unsigned char)*text;
		if (++bytes < 7)
			continue;
		h = step(h, n & ((UINT64_C(1) << 56) - 1), x);
		n = 1;
		bytes = 0;
	}
	return step(h, n, x);
}
