/* shield.h - O_NONBLOCK that the program did not ask for (--shield).
 *
 * The flag belongs to the open file description.  What a program finds on its stdin, stdout and stderr may be the doing of
 * whoever started it, or of a process beside it: then it meets an EAGAIN that it was not written for ("write error: Resource
 * temporarily unavailable").  Where it has not set the flag, not seen it (F_GETFL), and not polled the fd, the shim waits.  Who has
 * seen it only to write back what was there, with another flag (GNU make sets O_APPEND), has not asked for it.  */
#ifndef EAGAIN_SHIELD_H
#define EAGAIN_SHIELD_H

#include "op.h"
#include "shim.h"

/* At start-up: remembers which fds were inherited, as far as the setting asks.  */
void shield_start(void);

/* Whether EAGAIN is not for the program: O_NONBLOCK is on the op's fd, and is not the program's own.  Asks the kernel.  */
bool shield_serves(const struct op *op);

/* Whether fd, since shield_serves() said yes, is still the same file.  */
bool shield_holds(const struct op *op);

/* The program has set O_NONBLOCK on fd.  */
void shield_known(int fd);

/* It has seen it there; and has left it, when it changed another flag.  */
void shield_seen(int fd);
void shield_left(int fd);

/* Fds below this are those that matter; 0 with --shield=off.  */
extern unsigned shield_end;

/* The program lets the kernel tell when fd is ready.  */
void shield_note_polled(int fd);
static inline void shield_polled(int fd)
{
	if (unlikely((unsigned)fd < shield_end))
		shield_note_polled(fd);
}

/* Whether this process's fds are those that are remembered: not those of a vfork child, which shares our memory.  */
bool shield_is_own(void);

/* The program has put something of its own under this number.  A vfork child has not.  */
void shield_replaced(int fd);

/* In the child of a fork.  */
void shield_forked(void);

#endif
