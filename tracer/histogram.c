/* histogram.c - buckets, eight of them to twice the length.  */
#include "histogram.h"

#include <stdlib.h>

#include "say.h"

enum {
	FINE = 8,                       /* buckets in which twice as long becomes */
	SHORTEST = 7,                   /* the first: up to 2^7 ns */
	BUCKETS = FINE * 32,
};

static unsigned bucket_of(uint64_t ns)
{
	unsigned log, bucket;

	if (ns < 1u << SHORTEST)
		return 0;
	log = 63 - (unsigned)__builtin_clzll(ns);
	bucket = (log - SHORTEST) * FINE + (unsigned)((ns >> (log - 3)) & (FINE - 1)) + 1;
	return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static uint64_t bucket_end(unsigned bucket)
{
	unsigned log = SHORTEST + (bucket ? bucket - 1 : 0) / FINE;

	return bucket ? (UINT64_C(1) << log) + ((uint64_t)((bucket - 1) % FINE + 1) << (log - 3)) : 1u << SHORTEST;
}

void histogram_add(uint32_t **buckets, uint64_t ns)
{
	if (!*buckets)
		*buckets = must_have(calloc(BUCKETS, sizeof **buckets));
	(*buckets)[bucket_of(ns)]++;
}

uint64_t histogram_percentile(const uint32_t *buckets, uint64_t count, uint64_t max_ns, unsigned percent)
{
	uint64_t below = 0, wanted = (count * percent + 99) / 100;

	for (unsigned i = 0; buckets && i < BUCKETS; i++) {
		below += buckets[i];
		if (below >= wanted)
			return bucket_end(i) < max_ns ? bucket_end(i) : max_ns;
	}
	return max_ns;
}
