/* image.h - looks at an executable before it is started: whether its loader can load this library.  */
#ifndef EAGAIN_IMAGE_H
#define EAGAIN_IMAGE_H

#include "shim.h"

/* False where it is for another processor, class or libc, whose loader would complain of us, or refuse to start it.  True for
 * static programs, which have no loader, and for what cannot be read or known.  */
bool image_loads_us(const char *path);

/* The same for the file that execvp(3) would find.  */
bool image_found_loads_us(const char *file);

#endif
