/* stdio.c - libc's own reads and writes for a FILE, through its jump tables; and the stdio calls that change what an fd is.  */
#include <fcntl.h>
#include <stdarg.h>
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

/* Returns how much went out.  */
static ssize_t write_all(int fd, const char *text, ssize_t size)
{
	ssize_t left = size;

	while (left > 0) {
		ssize_t n = as_libc(do_write(fd, text, (size_t)left));

		if (n < 0)
			break;
		left -= n;
		text += n;
	}
	return size - left;
}

/* As _IO_file_write: writes all of it, or as much as goes; a failure is remembered in the stream, and the stream's idea of its
 * offset follows.  */
ssize_t stdio_write(FILE *stream, const void *buffer, ssize_t size)
{
	ssize_t done;

	if (!shim_on || (stream->_flags2 & IO_FLAGS2_NOTCANCEL))
		return libc_file_write(stream, buffer, size);
	done = write_all(stream->_fileno, buffer, size);
	if (done < size)
		stream->_flags |= IO_ERR_SEEN;
	if (stream->_offset >= 0)
		stream->_offset += done;
	return done;
}

int stdio_close(FILE *stream)
{
	descriptor_closing(stream->_fileno);
	return libc_file_close(stream);
}

EXPORT FILE *popen(const char *command, const char *type)
{
	char **own;
	FILE *stream;

	shim_need_libc();
	flag_off_everywhere();
	own = environ_lend();
	stream = libc.popen(command, type);
	environ_return(own);
	return stream;
}

/* popen's streams are closed by a slot of their own; freopen puts the new file over the old number inside libc.  */
EXPORT int pclose(FILE *stream)
{
	int status;

	shim_need_libc();
	descriptor_closing(fileno(stream));
	status = record_on ? RECORDED(int, CALL_pclose, -1, libc.pclose(stream), as_kernel(value_)) : libc.pclose(stream);
	wait_ended(status);
	return status;
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

/* From glibc 2.37 on dprintf goes past the jump tables.  What it writes is formatted by libc; what is too long for a small buffer
 * is libc's to write, too.  `flag` is _FORTIFY_SOURCE's.  */
int __vsnprintf_chk(char *, size_t, int, size_t, const char *, va_list);

static int print(int fd, int flag, const char *format, va_list list)
{
	char text[512];
	va_list again;
	int n;

	shim_need_libc();
	va_copy(again, list);
	n = shim_on ? __vsnprintf_chk(text, sizeof text, flag, sizeof text, format, again) : -1;
	va_end(again);
	if (n < 0 || (size_t)n >= sizeof text)
		return flag ? libc.__vdprintf_chk(fd, flag, format, list) : libc.vdprintf(fd, format, list);
	return write_all(fd, text, n) == n ? n : -1;
}

EXPORT int vdprintf(int fd, const char *restrict format, va_list list)
{
	return print(fd, 0, format, list);
}

EXPORT int dprintf(int fd, const char *restrict format, ...)
{
	va_list list;
	int n;

	va_start(list, format);
	n = print(fd, 0, format, list);
	va_end(list);
	return n;
}

EXPORT int __vdprintf_chk(int fd, int flag, const char *format, va_list list);
EXPORT int __vdprintf_chk(int fd, int flag, const char *format, va_list list)
{
	return print(fd, flag, format, list);
}

EXPORT int __dprintf_chk(int fd, int flag, const char *format, ...);
EXPORT int __dprintf_chk(int fd, int flag, const char *format, ...)
{
	va_list list;
	int n;

	va_start(list, format);
	n = print(fd, flag, format, list);
	va_end(list);
	return n;
}
