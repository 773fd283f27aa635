/* histogram.h - how many durations there were of each length, to within a tenth: for percentiles, whatever their number.  */
#ifndef EAGAIN_HISTOGRAM_H
#define EAGAIN_HISTOGRAM_H

#include <stdint.h>

/* Counts one; the buckets are made where *buckets is NULL, and freed by free(3).  */
void histogram_add(uint32_t **buckets, uint64_t ns);

/* Below which `percent` of `count` durations are, of which max_ns is the longest.  */
uint64_t histogram_percentile(const uint32_t *buckets, uint64_t count, uint64_t max_ns, unsigned percent);

#endif
