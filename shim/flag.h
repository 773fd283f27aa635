/* flag.h - --switch=flag: O_NONBLOCK on the fds themselves, and whose it is.
 *
 * O_NONBLOCK belongs to the open file description, which other processes share; so does the mark that an eagain puts beside it
 * (FLAG_MARK).  The kernel is asked at every operation: with the mark O_NONBLOCK is an eagain's, here or in another process
 * (HINT_SWITCHED: the program neither sees the flag nor EAGAIN), without it the program's (HINT_NONBLOCK: it sees EAGAIN).  To
 * restore means to clear: eagain only sets it where the program had not.  Whoever clears it under another's feet turns that one's
 * next attempt into a plain blocking call, which is right, too.  */
#ifndef EAGAIN_FLAG_H
#define EAGAIN_FLAG_H

#include <signal.h>

#include "fds.h"
#include "shim.h"

/* The mark: the signal that O_ASYNC would send (F_SETSIG).  Nobody looks at it as long as O_ASYNC is off, and this one is ignored
 * unless it has a handler; programs choose SIGIO or a realtime signal.  It goes wherever the description goes, through fork,
 * exec and SCM_RIGHTS.  */
enum { FLAG_MARK = SIGURG };

/* The hint of fd with HINT_NONBLOCK and HINT_SWITCHED as the kernel says.  */
fd_hint flag_look(int fd, fd_hint hint);

/* The program has said what O_NONBLOCK of fd's description shall be: from now on it is its own.  In both modes.  */
void flag_is_programs(int fd, bool on);

/* Whether two fds of this process are one description (kcmp(2); refused in some sandboxes: then the same inode is taken for it).  */
bool flag_same_description(int a, int b);

/* Sets O_NONBLOCK on fd, with the mark.  False where the mark's place is taken.  */
bool flag_on(int fd);

/* Clears O_NONBLOCK on fd if it is an eagain's: for a plain call, before fd is closed, and before the program says what it wants.
 * Nothing in auto mode.  */
void flag_off(int fd);

/* Clears it wherever this process has set it: before exec, spawn and exit.  */
void flag_off_everywhere(void);

/* A child was killed, and may have left it on fds 0-2: clears it there.  */
void flag_child_killed(void);

/* The program exits: clears it everywhere, and from now on works as --switch=auto.  */
void flag_end(void);

#endif
