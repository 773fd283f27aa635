/* overlap.h - requests of POSIX AIO in numbers: how long they took, how many were in flight at once, and what the program did
 * meanwhile.
 *
 * While a request is in flight, a process computes as long as one of its threads does not wait, and waits for its requests if
 * none computes and one is in aio_suspend(3) or lio_listio(3).  */
#ifndef EAGAIN_OVERLAP_H
#define EAGAIN_OVERLAP_H

#include <stdio.h>

#include "model.h"

enum overlap_what { OVERLAP_READ, OVERLAP_WRITE, OVERLAP_SYNC, OVERLAP_WHATS };

struct overlap_times {
	uint64_t requests[OVERLAP_WHATS], bytes[OVERLAP_WHATS];
	uint64_t failed, canceled, open;        /* of these; open: not over at the end of their process, as far as it is known */
	uint64_t completed, sum_ns, max_ns;     /* how long those took that were */
	uint32_t *buckets;                      /* histogram.h */
	uint64_t most;                          /* in flight at once */
	uint64_t flight_ns;                     /* some were in flight, */
	uint64_t computed_ns, waited_ns;        /* and of that time the process computed, or waited for them */
};

struct overlap_file {
	char *name;
	struct overlap_times times;
};

struct overlap {
	struct overlap_times all;
	struct overlap_file *files;     /* those first of which some were in flight longest */
	size_t count;
};

/* Of a model that was built from t; NULL where there are no requests.  Takes memory for files and threads, and for what is in
 * flight.  */
struct overlap *overlap_read(const struct trace *t, const struct model *m);
void overlap_free(struct overlap *o);

/* The section of the report; and a JSON object, or null.  */
void overlap_print(const struct overlap *o, FILE *to);
void overlap_print_json(const struct overlap *o, FILE *to);

#endif
