/* symbols.h - the names of functions, from the symbol tables of the files that a trace names.  A file may be another by now, or
 * anything at all.  */
#ifndef EAGAIN_SYMBOLS_H
#define EAGAIN_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

/* The function that an address of the file lies in, as "name"; where that is not known, "file+0x12ab".  Cut to size; harmless on a
 * terminal.  */
void symbols_name(const char *path, uint64_t address, char *text, size_t size);

#endif
