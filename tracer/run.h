/* run.h - starting the program, and being its parent where something remains to be done after it.  */
#ifndef EAGAIN_RUN_H
#define EAGAIN_RUN_H

#include <stdbool.h>
#include <sys/types.h>

/* Runs argv, found as `path`, with the shim preloaded.  Where nothing remains to be done afterwards, becomes the program (execvp)
 * and does not return.  As a parent (because `stay`, or because O_NONBLOCK on fds 0-2 is to be restored): returns its wait status, after
 * passing on signals and job control meanwhile; with `stay` *pid is the program's, and signals that would end us do not from then
 * on, for what remains to be done.  */
int run_program(const char *path, char **argv, bool stay, pid_t *pid);

/* The number of a signal that can be switched by, as USR2, SIGUSR2 or 12; 0: there is none such.  */
int run_signal(const char *name);

/* Before run_program(), which then stays as the parent: this signal, sent to us, is not passed on, but switches the recording in `trace`
 * off or on.  */
void run_switch_by(int signal, const char *trace);

/* Ends as the program ended: returns its exit status, or dies by the signal that killed it.  */
int run_mirror(int status);

#endif
