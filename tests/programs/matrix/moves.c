/* moves.c - bytes from one fd to another: sendfile, splice, tee, vmsplice, copy_file_range.  The other fd is the call's own: a
 * file of LARGE bytes, or a pipe.  */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include "matrix.h"

enum { PIPE_ROOM = 65536 };

static int new_file(void)
{
	int fd = memfd_create("matrix", 0);

	if (pwrite(fd, buffer, LARGE, 0) != LARGE)
		abort();
	return fd;
}

static long done(int fd, long result)
{
	int saved = errno;

	close(fd);
	errno = saved;
	return result;
}

static long send_file(int fd, size_t size)
{
	int file = new_file();
	long result = sendfile(fd, file, NULL, size);

	/* How far a stream was sent depends on the kernel's accounting, so only that the file's position followed is compared. */
	if (result > 0)
		tell("followed", lseek(file, 0, SEEK_CUR) == result);
	return done(file, result);
}

static long send_file_at(int fd, off_t *offset, size_t size)
{
	int file = new_file();
	off_t before = *offset;
	long result = sendfile(fd, file, offset, size);

	tell("moved", result > 0 ? *offset - before == result : *offset == before);
	tell("position", lseek(file, 0, SEEK_CUR));
	return done(file, result);
}

static long sendfile_0(int fd) { return send_file(fd, 0); }
static long sendfile_10(int fd) { return send_file(fd, 10); }
static long sendfile_large(int fd) { return send_file(fd, LARGE); }
static long sendfile_at_100(int fd) { return send_file_at(fd, &(off_t){100}, 10); }
static long sendfile_at_end(int fd) { return send_file_at(fd, &(off_t){LARGE}, 10); }
static long sendfile_at_minus(int fd) { return send_file_at(fd, &(off_t){-1}, 10); }
static long sendfile_at_large(int fd) { return send_file_at(fd, &(off_t){0}, LARGE); }
static long sendfile_bad_in(int fd) { return sendfile(fd, -1, NULL, 10); }

static long sendfile_bad_at(int fd)
{
	int file = new_file();

	return done(file, sendfile(fd, file, (off_t *)nowhere, 10));
}

/* From the fd to a file.  */
static long sendfile_from(int fd)
{
	int file = new_file();

	return done(file, sendfile(file, fd, NULL, 10));
}

/* From the fd to a pipe, and from there to the buffer.  */
static long splice_from(int fd, size_t size, unsigned flags)
{
	int fds[2], saved;
	long result;

	if (pipe(fds) < 0)
		abort();
	result = splice(fd, NULL, fds[1], NULL, size, flags);
	saved = errno;
	if (result > 0)
		tell("read", read(fds[0], buffer, LARGE));
	close(fds[1]);
	errno = saved;
	return done(fds[0], result);
}

static long splice_in_0(int fd) { return splice_from(fd, 0, 0); }
static long splice_in_10(int fd) { return splice_from(fd, 10, 0); }
static long splice_in_large(int fd) { return splice_from(fd, LARGE, SPLICE_F_MOVE); }
static long splice_in_nonblock(int fd) { return splice_from(fd, 10, SPLICE_F_NONBLOCK); }
static long splice_in_unknown(int fd) { return splice_from(fd, 10, 1 << 20); }

static long splice_in_at(int fd)
{
	off64_t offset = 5;
	int fds[2];
	long result;

	if (pipe(fds) < 0)
		abort();
	result = splice(fd, &offset, fds[1], NULL, 10, 0);
	tell("offset", offset);
	close(fds[1]);
	return done(fds[0], result);
}

static long tee_from(int fd, unsigned flags)
{
	int fds[2];
	long result;

	if (pipe(fds) < 0)
		abort();
	result = tee(fd, fds[1], 10, flags);
	if (result > 0)
		tell("read", read(fds[0], buffer, LARGE));
	close(fds[1]);
	return done(fds[0], result);
}

static long tee_in(int fd) { return tee_from(fd, 0); }
static long tee_in_nonblock(int fd) { return tee_from(fd, SPLICE_F_NONBLOCK); }

/* From a pipe, that is full but for `missing` bytes, to the fd.  What is left in it is told.  */
static long splice_to(int fd, size_t filled, size_t size, unsigned flags)
{
	int fds[2], saved;
	long result;
	bool all;

	if (pipe(fds) < 0 || write(fds[1], buffer, filled) != (ssize_t)filled)
		abort();
	result = splice(fds[0], NULL, fd, NULL, size, flags);
	saved = errno;
	close(fds[1]);
	all = result < 0 ? read(fds[0], buffer + PIPE_ROOM, PIPE_ROOM) == (ssize_t)filled
			 : read(fds[0], buffer + PIPE_ROOM, PIPE_ROOM) == (ssize_t)filled - result;
	tell("rest", all);
	errno = saved;
	return done(fds[0], result);
}

static long splice_out_10(int fd) { return splice_to(fd, 10, 10, 0); }
static long splice_out_some(int fd) { return splice_to(fd, 10, 5, SPLICE_F_MORE); }
static long splice_out_full(int fd) { return splice_to(fd, PIPE_ROOM, PIPE_ROOM, 0); }
static long splice_out_nonblock(int fd) { return splice_to(fd, 10, 10, SPLICE_F_NONBLOCK); }

static long tee_out(int fd)
{
	int fds[2];
	long result;

	if (pipe(fds) < 0 || write(fds[1], buffer, 10) != 10)
		abort();
	result = tee(fds[0], fd, 10, 0);
	close(fds[1]);
	return done(fds[0], result);
}

static long vmsplice_in(int fd) { return vmsplice(fd, vectors(1, 10), 1, 0); }
static long vmsplice_in_nonblock(int fd) { return vmsplice(fd, vectors(1, 10), 1, SPLICE_F_NONBLOCK); }
static long vmsplice_out_10(int fd) { return vmsplice(fd, vectors(1, 10), 1, 0); }
static long vmsplice_out_large(int fd) { return vmsplice(fd, vectors(1, LARGE), 1, 0); }
static long vmsplice_out_nonblock(int fd) { return vmsplice(fd, vectors(1, LARGE), 1, SPLICE_F_NONBLOCK); }
static long vmsplice_bad(int fd) { return vmsplice(fd, (struct iovec *)nowhere, 1, 0); }

static long copy_in(int fd)
{
	int file = new_file();

	return done(file, copy_file_range(fd, NULL, file, NULL, 10, 0));
}

static long copy_out(int fd)
{
	int file = new_file();

	return done(file, copy_file_range(file, NULL, fd, NULL, 10, 0));
}

#define R(name) {#name, READS, 0, name}
#define RX(name) {#name, READS, REFUSED, name}
#define RS(name) {#name, READS, SIMPLE, name}
#define W(name) {#name, WRITES, 0, name}
#define WX(name) {#name, WRITES, REFUSED, name}
#define WL(name) {#name, WRITES, NOT_FITTING, name}
#define WSL(name) {#name, WRITES, SIMPLE | NOT_FITTING, name}

const struct call move_calls[] = {
	RX(sendfile_from), RX(splice_in_0), RS(splice_in_10), R(splice_in_large), R(splice_in_nonblock), RX(splice_in_unknown),
	RX(splice_in_at), R(tee_in), R(tee_in_nonblock), R(vmsplice_in), R(vmsplice_in_nonblock), RX(copy_in),
	WX(sendfile_0), W(sendfile_10), WSL(sendfile_large), W(sendfile_at_100), WX(sendfile_at_end), WX(sendfile_at_minus),
	WL(sendfile_at_large), WX(sendfile_bad_in), WX(sendfile_bad_at), W(splice_out_10), W(splice_out_some), WSL(splice_out_full),
	W(splice_out_nonblock), W(tee_out), W(vmsplice_out_10), WL(vmsplice_out_large), WL(vmsplice_out_nonblock), WX(vmsplice_bad),
	WX(copy_out),
};

const size_t move_call_count = sizeof move_calls / sizeof *move_calls;
