/* unwind.h - who called whom, from the tables that exceptions are thrown by (.eh_frame; LSB, DWARF).
 *
 * No lock, no allocation: the object that an address lies in is told by _dl_find_object (glibc 2.35); of a stack nothing is read
 * that the kernel has not found readable.  What the tables of compilers do not have (expressions, signal frames) ends it.  */
#ifndef EAGAIN_UNWIND_H
#define EAGAIN_UNWIND_H

#include <link.h>

#include "shim.h"
#include "sys.h"

/* Where it begins.  */
struct unwind_place {
	uint64_t registers[ARCH_REGISTERS];
	uint64_t pc;
	/* The stack from the address `base` on, as a sample has it, at `at` of a ring of mask + 1 bytes; NULL: the thread's own.  */
	const char *ring;
	uint64_t mask, at, base, size;
};

struct unwind_frame {
	const struct link_map *object;  /* NULL: of none */
	uint64_t address;               /* in it */
};

/* At start-up; false where libc does not tell enough.  */
bool unwind_start(void);

/* From `place`, which it changes, outwards: at most `most` frames, and none of the shim's own.  Returns how many.  */
unsigned unwind(struct unwind_place *place, struct unwind_frame *frames, unsigned most);

#endif
