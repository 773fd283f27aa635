/* progress.h - how far a long walk through a trace is: one line on the terminal, gone at the end.
 *
 * Only where nobody else draws on it: not in the background, nor beside a pager (which reads keys as they come).  The cursor is
 * left at the line's beginning, so that whatever else is written covers it.  */
#ifndef EAGAIN_PROGRESS_H
#define EAGAIN_PROGRESS_H

#include <stdint.h>

/* So many steps make a walk; walks may follow each other.  */
void progress_begin(uint64_t total);

/* So many more were done.  */
void progress_step(uint64_t steps);

/* Erases the line.  */
void progress_end(void);

#endif
