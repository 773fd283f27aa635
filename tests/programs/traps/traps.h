/* traps.h - known traps, one named function each: run natively and under eagain, what they print must be the same.  */
#ifndef TRAPS_H
#define TRAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct trap {
	const char *name;
	void (*spring)(char **argv);    /* argv: what follows the name */
};

/* One table per file, ended by a NULL name.  */
extern const struct trap cancel_traps[], edge_traps[], fd_traps[], field_traps[], flag_traps[], handler_traps[], ipc_traps[],
	kept_traps[], life_traps[], loom_traps[], plain_traps[], process_traps[], shield_traps[], signal_traps[], step_traps[], stdio_traps[],
	terminal_traps[], thread_traps[], tree_traps[], wait_traps[], whole_traps[];

/* ---- main.c.  */

/* A line on stdout, at once.  */
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "5" or "-1 EAGAIN".  The text is good until the next call.  */
const char *result_text(long result);

/* Reads at most 63 bytes; a line with the result and the text.  */
void tell_read(const char *what, int fd, size_t size);

/* Ends the program with a complaint if `ok` is false: the situation could not be built.  */
void need(bool ok, const char *what);

/* Looks at /proc until the thread sleeps in the kernel.  Returns false if it, or its process, has ended.  */
bool wait_asleep(pid_t tid);
bool wait_state(pid_t tid, char wanted);        /* the same for another letter of proc(5), "state" */
char thread_state(pid_t tid);                   /* 0: it has ended */

/* Without going through libc's wrappers, so that no shim can see it.  */
long hidden_syscall(long nr, long a, long b, long c);

void make_pipe(int fds[2]);
void make_sockets(int type, int fds[2]);
void make_tcp(int fds[2]);              /* a connection on 127.0.0.1 */
void make_terminal(int fds[2], bool raw);       /* [0] master, [1] slave */
void no_handler(int signal);            /* does nothing */
void handle(int signal, void (*handler)(int), int flags);

#endif
