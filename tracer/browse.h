/* browse.h - `eagain timeline -i`: the timeline on the whole terminal, to zoom and pan with keys.  */
#ifndef EAGAIN_BROWSE_H
#define EAGAIN_BROWSE_H

#include "timeline.h"

/* Begins with the view.  Dies with one line where there is no terminal, or nothing to be seen.  */
void browse(struct trace *t, const struct view *v);

#endif
