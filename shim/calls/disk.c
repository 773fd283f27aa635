/* disk.c - what may wait for a disk and moves no data: the syncs, which are timed, and what looks at a file by its name, which is
 * timed with --files.
 *
 * fstat is not: it asks for what is in memory since the file was opened.  But its answer is worth to know.  */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls.h"
#include "shim/files.h"

/* Not a cancellation point (pthreads(7)).  */
static int call_by_name(enum call_id call, long nr, long a, long b, long c, long d, long e)
{
	uint64_t enter;
	uint32_t waits;
	long result;
	struct op op;

	if (likely(!files_on) || !record_on)
		return (int)as_libc(sys(nr, a, b, c, d, e));
	if (likely(record_passes(record_simply_files, record_lap() << HINT_NAMED_SHIFT))) {
		enter = files_begin(clock_ticks(), &waits);
		result = sys(nr, a, b, c, d, e);
		record_passed_file(call, -1, KIND_unknown, 0, enter, waits, result);
		return (int)as_libc(result);
	}
	op = op_of(call, nr, a, b, c, d, e, 0);
	op.not_cancellable = true;
	return (int)as_libc(op_run(&op));
}

EXPORT int stat(const char *restrict path, struct stat *restrict to)
{
	return call_by_name(CALL_stat, SYS_newfstatat, AT_FDCWD, (long)path, (long)to, 0, 0);
}

EXPORT int lstat(const char *restrict path, struct stat *restrict to)
{
	return call_by_name(CALL_lstat, SYS_newfstatat, AT_FDCWD, (long)path, (long)to, AT_SYMLINK_NOFOLLOW, 0);
}

EXPORT int fstatat(int dir, const char *restrict path, struct stat *restrict to, int flags)
{
	return call_by_name(CALL_fstatat, SYS_newfstatat, dir, (long)path, (long)to, flags, 0);
}

/* On both architectures they fill the same structure.  */
EXPORT int stat64(const char *restrict path, struct stat64 *restrict to)
{
	return stat(path, (struct stat *)to);
}

EXPORT int lstat64(const char *restrict path, struct stat64 *restrict to)
{
	return lstat(path, (struct stat *)to);
}

EXPORT int fstatat64(int dir, const char *restrict path, struct stat64 *restrict to, int flags)
{
	return fstatat(dir, path, (struct stat *)to, flags);
}

/* By which system call depends on libc's version.  */
EXPORT int fstat64(int fd, struct stat64 *to)
{
	int result;

	if (!shim_is_relocated())
		return (int)as_libc(sys(SYS_newfstatat, fd, "", to, AT_EMPTY_PATH));
	shim_need_libc();
	result = libc.fstat64(fd, to);
	if (record_on && result == 0)
		fds_learn(fd, (struct stat *)to);
	return result;
}

EXPORT int fstat(int fd, struct stat *to)
{
	return fstat64(fd, (struct stat64 *)to);
}

EXPORT int statx(int dir, const char *restrict path, int flags, unsigned mask, struct statx *restrict to)
{
	int result = call_by_name(CALL_statx, SYS_statx, dir, (long)path, flags, mask, (long)to);

	/* The sandboxes of containers may not know it: libc does without. */
	if (likely(result == 0) || !shim_is_relocated() || errno != ENOSYS)
		return result;
	shim_need_libc();
	return libc.statx(dir, path, flags, mask, to);
}

EXPORT int sync_file_range(int fd, off64_t offset, off64_t size, unsigned flags)
{
	return (int)serve(CALL_sync_file_range, SYS_sync_file_range, fd, offset, size, flags, 0, 0);
}

EXPORT int syncfs(int fd)
{
	struct op op = op_of(CALL_syncfs, SYS_syncfs, fd, 0, 0, 0, 0, 0);

	op.not_cancellable = true;
	return (int)as_libc(op_run(&op));
}

EXPORT void sync(void)
{
	struct op op = op_of(CALL_sync, SYS_sync, 0, 0, 0, 0, 0, 0);

	op.not_cancellable = true;
	op_run(&op);
}

EXPORT int msync(void *address, size_t size, int flags)
{
	return (int)serve(CALL_msync, SYS_msync, (long)address, (long)size, flags, 0, 0, 0);
}
