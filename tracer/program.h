/* program.h - can this program be preloaded?  */
#ifndef EAGAIN_PROGRAM_H
#define EAGAIN_PROGRAM_H

/* Finds the program as execvp(3) does and dies with 127 or 126 and one line if it is not there, cannot be executed, or would
 * silently run without the shim: statically linked, setuid, setgid, with capabilities, or for another processor.  */
void program_check(const char *name);

#endif
