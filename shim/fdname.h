/* fdname.h - what a person would call an fd.  */
#ifndef EAGAIN_FDNAME_H
#define EAGAIN_FDNAME_H

#include "shim.h"

/* The target of /proc/self/fd/FD: writes at most `size` bytes without NUL, returns how many; 0 where /proc is not there.  */
size_t fd_link(int fd, char *text, size_t size);

/* Whether fd lives on the kernel's own file system for anonymous pipes.  */
bool fd_is_on_pipefs(int fd);

/* "pipe:[8123]", "tcp 127.0.0.1:41234->127.0.0.1:80", "/dev/pts/3", a path, "unix:/run/x.sock".  Writes at most `size` bytes
 * without NUL and returns how many.  *inode and *access are those of the fd (access: O_RDONLY, O_WRONLY or O_RDWR).  */
size_t fd_name(int fd, enum fd_kind kind, char *text, size_t size, uint64_t *inode, int *access);

#endif
