/* transfer.c - reads and writes at an offset, and the calls that move bytes from one fd to another, or to the disk: plain, timed.  */
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include "calls.h"

/* There is nothing to wait for but a disk: what fd is need not be known where nothing is recorded.  */
static ssize_t on_disk(enum call_id call, long nr, int fd, long what, long count, long offset)
{
	if (likely(shim_passes && !record_on && libc_single_threaded()))
		return as_libc(sys(nr, fd, what, count, offset, 0));
	return as_libc(transfer(call, nr, fd, what, count, offset, 0, 0));
}

EXPORT ssize_t pread64(int fd, void *buffer, size_t size, off64_t offset)
{
	return on_disk(CALL_pread64, SYS_pread64, fd, (long)buffer, (long)size, offset);
}

EXPORT ssize_t pwrite64(int fd, const void *buffer, size_t size, off64_t offset)
{
	return on_disk(CALL_pwrite64, SYS_pwrite64, fd, (long)buffer, (long)size, offset);
}

EXPORT ssize_t preadv64(int fd, const struct iovec *vector, int count, off64_t offset)
{
	return on_disk(CALL_preadv, SYS_preadv, fd, (long)vector, count, offset);
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *vector, int count, off64_t offset)
{
	return on_disk(CALL_pwritev, SYS_pwritev, fd, (long)vector, count, offset);
}

/* Where the kernel, or a sandbox, does not know them, libc does without.  */
static bool is_unknown(ssize_t result)
{
	return unlikely(result < 0) && shim_is_relocated() && errno == ENOSYS;
}

EXPORT ssize_t preadv64v2(int fd, const struct iovec *vector, int count, off64_t offset, int flags)
{
	ssize_t result = serve(CALL_preadv2, SYS_preadv2, fd, (long)vector, count, offset, 0, flags);

	if (!is_unknown(result))
		return result;
	shim_need_libc();
	return libc.preadv64v2(fd, vector, count, offset, flags);
}

EXPORT ssize_t pwritev64v2(int fd, const struct iovec *vector, int count, off64_t offset, int flags)
{
	ssize_t result = serve(CALL_pwritev2, SYS_pwritev2, fd, (long)vector, count, offset, 0, flags);

	if (!is_unknown(result))
		return result;
	shim_need_libc();
	return libc.pwritev64v2(fd, vector, count, offset, flags);
}

/* Not a cancellation point, unlike its relatives.  */
EXPORT ssize_t sendfile64(int out, int in, off64_t *offset, size_t count)
{
	struct op op;

	if (passes(out) && libc_single_threaded() && !files_on)
		return as_libc(op_pass(CALL_sendfile, SYS_sendfile, out, in, (long)offset, (long)count, 0, 0));
	op = op_of(CALL_sendfile, SYS_sendfile, out, in, (long)offset, (long)count, 0, 0);
	op.not_cancellable = true;
	return as_libc(op_run(&op));
}

EXPORT ssize_t splice(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t size, unsigned flags)
{
	return serve(CALL_splice, SYS_splice, in, (long)in_offset, out, (long)out_offset, (long)size, flags);
}

EXPORT ssize_t tee(int in, int out, size_t size, unsigned flags)
{
	return serve(CALL_tee, SYS_tee, in, out, (long)size, flags, 0, 0);
}

EXPORT ssize_t vmsplice(int fd, const struct iovec *vector, size_t count, unsigned flags)
{
	return serve(CALL_vmsplice, SYS_vmsplice, fd, (long)vector, (long)count, flags, 0, 0);
}

EXPORT ssize_t copy_file_range(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t size, unsigned flags)
{
	return serve(CALL_copy_file_range, SYS_copy_file_range, in, (long)in_offset, out, (long)out_offset, (long)size, flags);
}

EXPORT int fsync(int fd)
{
	return (int)on_disk(CALL_fsync, SYS_fsync, fd, 0, 0, 0);
}

EXPORT int fdatasync(int fd)
{
	return (int)on_disk(CALL_fdatasync, SYS_fdatasync, fd, 0, 0, 0);
}

/* off_t has 64 bits on both architectures.  */
EXPORT ssize_t pread(int, void *, size_t, off_t) __attribute__((alias("pread64")));
EXPORT ssize_t __pread64(int, void *, size_t, off64_t) __attribute__((alias("pread64")));
EXPORT ssize_t pwrite(int, const void *, size_t, off_t) __attribute__((alias("pwrite64")));
EXPORT ssize_t __pwrite64(int, const void *, size_t, off64_t) __attribute__((alias("pwrite64")));
EXPORT ssize_t preadv(int, const struct iovec *, int, off_t) __attribute__((alias("preadv64")));
EXPORT ssize_t pwritev(int, const struct iovec *, int, off_t) __attribute__((alias("pwritev64")));
EXPORT ssize_t preadv2(int, const struct iovec *, int, off_t, int) __attribute__((alias("preadv64v2")));
EXPORT ssize_t pwritev2(int, const struct iovec *, int, off_t, int) __attribute__((alias("pwritev64v2")));
EXPORT ssize_t sendfile(int, int, off_t *, size_t) __attribute__((alias("sendfile64"), nothrow, leaf));

extern void __chk_fail(void) __attribute__((noreturn));
EXPORT ssize_t __pread64_chk(int fd, void *buffer, size_t size, off64_t offset, size_t room);
EXPORT ssize_t __pread64_chk(int fd, void *buffer, size_t size, off64_t offset, size_t room)
{
	if (size > room)
		__chk_fail();
	return pread64(fd, buffer, size, offset);
}

EXPORT ssize_t __pread_chk(int, void *, size_t, off_t, size_t) __attribute__((alias("__pread64_chk")));
