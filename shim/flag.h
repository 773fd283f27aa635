/* flag.h - --switch=flag: O_NONBLOCK on the fds themselves, and whose it is.
 *
 * O_NONBLOCK belongs to the open file description, which other processes share.  The kernel is asked at every operation; the
 * hint only says who set it: the program (HINT_NONBLOCK: it sees EAGAIN) or an eagain (HINT_SWITCHED: the program neither sees
 * the flag nor EAGAIN).  To restore means to clear: eagain only sets it where the program had not.  Whoever clears it under
 * another's feet turns that one's next attempt into a plain blocking call, which is right, too.  */
#ifndef EAGAIN_FLAG_H
#define EAGAIN_FLAG_H

#include "fds.h"
#include "shim.h"

/* At start-up, in flag mode: notes which fds were inherited, and on which of them O_NONBLOCK is the program's.  `entry` is the
 * environment's EAGAIN_SWITCH: "flag" in the first of a tree, "flag:FD,FD,..." from a parent that knew.  It is changed in
 * place to what children should know.  */
void flag_start(char **entry);

/* Brings the environment entry for children up to date, and returns it: before exec and spawn.  */
const char *flag_setting(void);

/* The hint of fd with HINT_NONBLOCK and HINT_SWITCHED as the kernel and our knowledge say.  */
fd_hint flag_look(int fd, fd_hint hint);

/* The program has said what O_NONBLOCK of fd's description shall be: from now on it is its own.  In both modes.  */
void flag_is_programs(int fd, bool on);

/* Whether two fds of this process are one description (kcmp(2); refused in some sandboxes: then the same inode is taken for it).  */
bool flag_same_description(int a, int b);

/* Sets O_NONBLOCK on fd.  */
void flag_on(int fd);

/* Clears O_NONBLOCK on fd if it is ours: for a plain call, and before fd is closed.  Nothing in auto mode.  */
void flag_off(int fd);

/* Clears it wherever it is ours: before exec, spawn and exit.  */
void flag_off_everywhere(void);

/* The program exits: clears it everywhere, and from now on works as --switch=auto.  */
void flag_end(void);

#endif
