/* init.h - start-up, and what the whole shim goes by.  */
#ifndef EAGAIN_INIT_H
#define EAGAIN_INIT_H

#include "shim.h"

/* Set once start-up is done.  Until then (another library's constructor, an IFUNC resolver, LD_AUDIT) every wrapper passes
 * straight to the kernel; also set never where the shim is not to serve this process (EAGAIN_FOLLOW=0).  */
extern bool shim_on;

/* Whether a call that does not wait may go straight to the kernel: no flag is switched.  */
extern bool shim_passes;

/* The program has entered, or is about to enter, seccomp: from now on only plain calls, and no file is opened.  */
extern bool shim_sandboxed;

/* There may be a child that shares our memory: the program has called vfork(2) or clone(2).  Who does so by an instruction of its own
 * is not seen: what such a child closes, or duplicates, is then recorded as the program's.  */
extern bool shim_vforks;

/* False while the loader has not yet come to this object: an IFUNC resolver of a library after it in the loader's list runs
 * before.  Then nothing outside of this object can be reached, errno included.  */
static inline bool shim_is_relocated(void)
{
	extern void *const volatile shim_self;

	return shim_self == (const void *)&shim_self;
}

/* Looks up libc's functions if that has not been done: for the wrappers that need them even before start-up.  */
void shim_need_libc(void);

/* The same; false where not even the loader has come to this object: then there is one thread, and nothing can be asked of libc.  */
bool shim_has_libc(void);

#endif
