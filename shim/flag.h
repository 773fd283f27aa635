/* flag.h - --switch=flag: O_NONBLOCK on the fds themselves, and whose it is.
 *
 * O_NONBLOCK belongs to the open file description, which other processes share; so does the mark that an eagain puts beside it
 * (FLAG_MARK).  The kernel is asked at every operation: with the mark O_NONBLOCK is an eagain's, here or in another process
 * (HINT_SWITCHED: the program neither sees the flag nor EAGAIN), without it the program's (HINT_NONBLOCK: it sees EAGAIN).  To
 * restore means to clear: eagain only sets it where the program had not.  Whoever clears it under another's feet turns that one's
 * next attempt into a plain blocking call, which is right, too.  */
#ifndef EAGAIN_FLAG_H
#define EAGAIN_FLAG_H

#include <fcntl.h>

#include "fds.h"
#include "shim.h"

/* The mark: means nothing to what is switched (pipes, FIFOs, sockets), goes wherever the description goes (fork, exec,
 * SCM_RIGHTS), and is set and cleared in one call with O_NONBLOCK.  Only the owner of the pipe or socket may (fcntl(2)).  */
enum { FLAG_MARK = O_NOATIME };

/* Whether O_NONBLOCK among fd's flags (F_GETFL) is an eagain's.  */
bool flag_is_ours(int fd, long flags);

/* The hint of fd with HINT_NONBLOCK and HINT_SWITCHED as the kernel says.  */
fd_hint flag_look(int fd, fd_hint hint);

/* The program has said what O_NONBLOCK of fd's description shall be: from now on it is its own.  In both modes.  */
void flag_is_programs(int fd, bool on);

/* Whether two fds of this thread's are one description (kcmp(2); where a sandbox refuses it, the same inode is taken for it).  */
bool flag_same_description(int a, int b);

/* Sets O_NONBLOCK on fd, with the mark.  False where that is refused, or it is the program's.  */
bool flag_on(int fd);

/* Clears O_NONBLOCK on fd if it is an eagain's: for a plain call, and before fd is closed.  Nothing in auto mode.  */
void flag_off(int fd);

/* Clears it wherever this process has set it: before exec, spawn and exit.  */
void flag_off_everywhere(void);

/* A child was killed, and may have left it on fds 0-2: clears it there.  */
void flag_child_killed(void);

/* The program exits: clears it everywhere, and from now on works as --switch=auto.  */
void flag_end(void);

#endif
