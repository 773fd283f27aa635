/* observe.h - --readiness: the process that waits for the program's fds in the program's stead.  */
#ifndef EAGAIN_OBSERVE_H
#define EAGAIN_OBSERVE_H

#include <stdbool.h>

/* Starts the observer for the trace in `dir`, an absolute name: from then on the program's processes can hand over what is to be
 * watched (shim/readiness.h).  0, or why it cannot be: errno.  */
int observe_start(const char *dir);

/* The program has ended.  Returns when all that came before is in the trace.  `all`: the observer ends, whatever it still watches;
 * else it goes on as long as a process lives that the program has left behind.  */
void observe_end(bool all);

#endif
