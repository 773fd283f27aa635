/* trackrequests.h - the part of the walk (tracks.h) that shows requests of POSIX AIO, each from its submission until it is
 * completed; shared by tracks.c, trackfds.c and trackrequests.c alone.  */
#ifndef EAGAIN_TRACKREQUESTS_H
#define EAGAIN_TRACKREQUESTS_H

#include "trackfds.h"

/* Takes a REQUEST record of this image, and shows what became of it.  Returns the request, or NULL; *flow is the arrow from its
 * submission, where *flow_count is 1.  `f` is what its fd means now.  */
struct request *track_request(struct walk *w, struct image *image, const struct trace_record *r, const struct reader_place *place,
			      struct fd *f, struct wire_flow *flow, size_t *flow_count);

/* Its records are over: what is in flight stays open.  */
void track_requests_end(struct walk *w, struct image *image);

#endif
