/* drawing.h - `eagain timeline --op N`: one operation on its way between user space and the kernel.  */
#ifndef EAGAIN_DRAWING_H
#define EAGAIN_DRAWING_H

#include <stdint.h>
#include <stdio.h>

#include "reader.h"

/* In lines of this width.  Dies with one line where the trace has no such operation.  */
void drawing_print(struct trace *t, uint32_t op, int width, FILE *to);

#endif
