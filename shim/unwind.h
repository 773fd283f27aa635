/* unwind.h - who called whom, from the tables that exceptions are thrown by (.eh_frame; LSB, DWARF).
 *
 * No lock, no allocation: the object that an address lies in is told by _dl_find_object (glibc 2.35); of a stack nothing is read
 * that the kernel does not find readable.  What the tables of compilers do not have (expressions, signal frames) ends it.  */
#ifndef EAGAIN_UNWIND_H
#define EAGAIN_UNWIND_H

#include <link.h>

#include "shim.h"
#include "sys.h"

/* Where it is: to begin with, the registers and pc.  */
struct unwind_place {
	uint64_t registers[ARCH_REGISTERS];
	uint64_t pc;
	/* The stack from the address `base` on, as a sample has it, at `at` of a ring of mask + 1 bytes; NULL: the thread's own.  */
	const char *ring;
	uint64_t mask, at, base, size;
	uint64_t readable;              /* the latest page that was found so; 0: none */
	unsigned steps;
	bool stays;                     /* the object that it is in cannot be unloaded */
	bool outside, ended;            /* of the shim; the stack */
};

struct unwind_frame {
	const struct link_map *object;  /* NULL: of none */
	struct link_map map;            /* as it was; sizeof is of what <link.h> tells */
	uint64_t start;                 /* of its memory */
	uint64_t address;               /* in it */
};

/* At start-up; false where libc does not tell enough.  */
bool unwind_start(void);

/* The next frame outwards, but for the innermost that are the shim's own.  False: there is none.  */
bool unwind(struct unwind_place *place, struct unwind_frame *frame);

/* Memory that may not be there.  */
bool unwind_read(struct unwind_place *place, uint64_t address, void *to, size_t size);

#endif
