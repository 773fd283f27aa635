/* readwrite.c - read, write, readv, writev.  */
#include <sys/uio.h>
#include <unistd.h>

#include "calls.h"

long do_read(int fd, void *buffer, size_t size)
{
	return transfer(CALL_read, SYS_read, fd, (long)buffer, (long)size, 0, 0, 0);
}

long do_write(int fd, const void *buffer, size_t size)
{
	return transfer(CALL_write, SYS_write, fd, (long)buffer, (long)size, 0, 0, 0);
}

EXPORT ssize_t read(int fd, void *buffer, size_t size)
{
	return as_libc(do_read(fd, buffer, size));
}

EXPORT ssize_t write(int fd, const void *buffer, size_t size)
{
	return as_libc(do_write(fd, buffer, size));
}

EXPORT ssize_t readv(int fd, const struct iovec *vector, int count)
{
	return as_libc(transfer(CALL_readv, SYS_readv, fd, (long)vector, count, 0, 0, 0));
}

EXPORT ssize_t writev(int fd, const struct iovec *vector, int count)
{
	return as_libc(transfer(CALL_writev, SYS_writev, fd, (long)vector, count, 0, 0, 0));
}

/* glibc's public aliases, and what _FORTIFY_SOURCE makes of read (the check is libc's: __chk_fail does not return).  */
EXPORT ssize_t __read(int, void *, size_t) __attribute__((alias("read")));
EXPORT ssize_t __write(int, const void *, size_t) __attribute__((alias("write")));

extern void __chk_fail(void) __attribute__((noreturn));
EXPORT ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room);
EXPORT ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room)
{
	if (size > room)
		__chk_fail();
	return read(fd, buffer, size);
}
