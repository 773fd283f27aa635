/* run.h - starting the program, and being its parent where something remains to be done after it.  */
#ifndef EAGAIN_RUN_H
#define EAGAIN_RUN_H

#include <stdbool.h>
#include <sys/types.h>

/* Runs argv with the shim preloaded.  Where nothing remains to be done afterwards, becomes the program (execvp) and does not
 * return.  As a parent (because `stay`, or because O_NONBLOCK on fds 0-2 is to be restored): returns its wait status, after
 * passing on signals and job control meanwhile; with `stay` *pid is the program's, and signals that would end us do not from then
 * on, for what remains to be done.  */
int run_program(char **argv, bool stay, pid_t *pid);

/* Ends as the program ended: returns its exit status, or dies by the signal that killed it.  */
int run_mirror(int status);

#endif
