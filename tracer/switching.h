/* switching.h - the recording is switched off and on while the program runs: by a word in the trace's control file, which every process
 * of the program has mapped and looks at before each call.  So nothing is sent to the program.  */
#ifndef EAGAIN_SWITCHING_H
#define EAGAIN_SWITCHING_H

#include "reader.h"

enum switch_to { SWITCH_ON, SWITCH_OFF, SWITCH_OTHER };

/* Switches the recording in dir; to what it is not with SWITCH_OTHER.  NULL, or why not.  Signal-safe.  */
const char *switching_set(const char *dir, enum switch_to to);

/* Calls visit for each time that the recording was switched, as far as it is known, in the order of time.  */
typedef void switch_visitor(const struct trace_switch *s, void *arg);
void switching_each(const struct trace *t, switch_visitor *visit, void *arg);

/* The same for each stretch in which it was off, in ns from the start of the trace; to SWITCHING_END where that is not known.  */
#define SWITCHING_END UINT64_MAX
typedef void gap_visitor(uint64_t from_ns, uint64_t to_ns, void *arg);
void switching_gaps(const struct trace *t, gap_visitor *visit, void *arg);

#endif
