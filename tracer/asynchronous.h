/* asynchronous.h - `eagain timeline --op N` of a request of POSIX AIO: the kernel has it while the program goes on.  */
#ifndef EAGAIN_ASYNCHRONOUS_H
#define EAGAIN_ASYNCHRONOUS_H

#include <stdint.h>
#include <stdio.h>

#include "reader.h"

/* In lines of this width.  False: the trace has no such request.  */
bool asynchronous_print(struct trace *t, uint32_t op, int width, FILE *to);

#endif
