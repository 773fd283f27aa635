/* symbols.h - the names of functions, from the symbol tables of the files that a trace names.  A file may be
 * another by now, which its build ID tells, or anything at all.  */
#ifndef EAGAIN_SYMBOLS_H
#define EAGAIN_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

#include "format.h"

struct symbols_object {
	char *path;
	unsigned char id[TRACE_BUILD_ID];       /* zeros: not known */
};

/* The function that an address of the file lies in, as "name"; where that is not known, "file+0x12ab", and "?" where there is no
 * object.  Cut to size; harmless on a terminal.  */
void symbols_name(const struct symbols_object *object, uint64_t address, char *text, size_t size);

#endif
