/* program.h - can this program be preloaded?  */
#ifndef EAGAIN_PROGRAM_H
#define EAGAIN_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

struct program {
	char path[PATH_MAX];            /* as execvp(3) finds it */
	char interpreter[PATH_MAX];     /* of a script, or "" */
	bool readable;                  /* false: it may be executed only, and nothing was looked at */
};

/* Finds the program and dies with 127 or 126 and one line if it is not there, cannot be executed, or would silently run without
 * the shim: statically linked, setuid, setgid, with capabilities, for another processor or another libc.  */
void program_check(const char *name, struct program *p);

#endif
