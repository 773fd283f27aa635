/* stdio.c - libc's own reads and writes for a FILE, through its jump tables; and the stdio calls that change what an fd is.  */
#include <fcntl.h>
#include <stdio.h>

#include "calls.h"
#include "shim/fds.h"
#include "shim/flag.h"
#include "shim/init.h"
#include "shim/libc.h"

/* From glibc's libio: set by fopen's mode "c" in _flags2 (not a cancellation point), and by a failed write in _flags.  */
enum { IO_FLAGS2_NOTCANCEL = 2, IO_ERR_SEEN = 0x20 };

/* As _IO_file_read: errno and -1, the bytes, or 0 at the end.  */
ssize_t stdio_read(FILE *stream, void *buffer, ssize_t size)
{
	if (!shim_on || (stream->_flags2 & IO_FLAGS2_NOTCANCEL))
		return libc_file_read(stream, buffer, size);
	return as_libc(do_read(stream->_fileno, buffer, (size_t)size));
}

/* As _IO_file_write: writes all of it, or as much as goes; a failure is remembered in the stream, and the stream's idea of its
 * offset follows.  */
ssize_t stdio_write(FILE *stream, const void *buffer, ssize_t size)
{
	ssize_t left = size;
	const char *at = buffer;

	if (!shim_on || (stream->_flags2 & IO_FLAGS2_NOTCANCEL))
		return libc_file_write(stream, buffer, size);
	while (left > 0) {
		ssize_t n = as_libc(do_write(stream->_fileno, at, (size_t)left));

		if (n < 0) {
			stream->_flags |= IO_ERR_SEEN;
			break;
		}
		left -= n;
		at += n;
	}
	size -= left;
	if (stream->_offset >= 0)
		stream->_offset += size;
	return size;
}

int stdio_close(FILE *stream)
{
	descriptor_closing(stream->_fileno);
	return libc_file_close(stream);
}

/* popen's streams are closed by a slot of their own; freopen puts the new file over the old number inside libc.  */
EXPORT int pclose(FILE *stream)
{
	shim_need_libc();
	descriptor_closing(fileno(stream));
	return libc.pclose(stream);
}

static FILE *reopen(FILE *(*function)(const char *, const char *, FILE *), const char *path, const char *mode, FILE *stream)
{
	int fd = fileno(stream);

	descriptor_closing(fd);
	stream = function(path, mode, stream);
	fds_forget(fd);
	return stream;
}

EXPORT FILE *freopen(const char *restrict path, const char *restrict mode, FILE *restrict stream)
{
	shim_need_libc();
	return reopen(libc.freopen, path, mode, stream);
}

EXPORT FILE *freopen64(const char *restrict path, const char *restrict mode, FILE *restrict stream)
{
	shim_need_libc();
	return reopen(libc.freopen64, path, mode, stream);
}
