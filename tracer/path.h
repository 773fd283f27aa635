/* path.h - the critical path: from the end of the run back to its beginning, always with whoever it was waited for.  */
#ifndef EAGAIN_PATH_H
#define EAGAIN_PATH_H

#include "graph.h"

/* What an image had of the path in one bucket.  */
struct path_step {
	uint32_t bucket;
	uint32_t image;
	uint64_t ns[ACTIVITY_COUNT];
};

/* And in all.  */
struct path_share {
	uint64_t ns[ACTIVITY_COUNT];
	const struct model_fd *outside; /* what most of ACTIVITY_OUTSIDE was for; NULL: several */
	uint64_t outside_ns;            /* by how much it is the most */
};

struct path {
	size_t end;                     /* the image with whose end it begins */
	uint64_t start_ns, end_ns;
	struct path_share *shares;      /* of each image */
	struct path_step *steps;        /* backward in time */
	size_t step_count, step_room;
};

void path_find(struct path *p, const struct graph *g);
void path_free(struct path *p);

uint64_t path_sum(const uint64_t ns[ACTIVITY_COUNT]);

#endif
