/* fdname.h - what a person would call an fd.  */
#ifndef EAGAIN_FDNAME_H
#define EAGAIN_FDNAME_H

#include "fds.h"
#include "shim.h"

/* The target of /proc/self/fd/FD: writes at most `size` bytes without NUL, returns how many; 0 where /proc is not there.  */
size_t fd_link(int fd, char *text, size_t size);

/* Whether fd lives on the kernel's own file system for anonymous pipes.  */
bool fd_is_on_pipefs(int fd);

/* The target of that link where it is the same for all fds of a kind; else NULL.  */
const char *fd_fixed_name(enum fd_kind kind);

/* Asks for what the facts do not have yet.  False for a bad fd.  */
bool fd_flags(int fd, struct fd_facts *facts);
bool fd_stat(int fd, struct fd_facts *facts);

/* "pipe:[8123]", "tcp 127.0.0.1:41234->127.0.0.1:80", "/dev/pts/3", a path, "unix:/run/x.sock".  Writes at most `size` bytes
 * without NUL and returns how many.  */
size_t fd_name(int fd, enum fd_kind kind, struct fd_facts *facts, char *text, size_t size);

#endif
