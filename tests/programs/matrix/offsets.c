/* offsets.c - reads and writes at an offset; -1 is the current position to preadv2 and pwritev2, which wait there.  */
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "matrix.h"

#ifndef RWF_APPEND
#define RWF_APPEND 0x10
#endif

/* Where a file has been left.  */
static long at(int fd, long result)
{
	int saved = errno;
	off_t position = lseek(fd, 0, SEEK_CUR);

	if (position >= 0)
		tell("position", position);
	errno = saved;
	return result;
}

#define PREADV2(name, count, size, offset, flags) \
	static long name(int fd) { return at(fd, preadv2(fd, vectors(count, size), count, offset, flags)); }
#define PWRITEV2(name, count, size, offset, flags) \
	static long name(int fd) { return at(fd, pwritev2(fd, vectors(count, size), count, offset, flags)); }

PREADV2(preadv2_now, 1, 10, -1, 0)
PREADV2(preadv2_now_vectors, 5, 2, -1, 0)
PREADV2(preadv2_now_large, 7, LARGE / 7, -1, 0)
PREADV2(preadv2_now_empty, 1, 0, -1, 0)
PREADV2(preadv2_nowait, 1, 10, -1, RWF_NOWAIT)
PREADV2(preadv2_nowait_vectors, 5, 2, -1, RWF_NOWAIT)
PREADV2(preadv2_high, 1, 10, -1, RWF_HIPRI)
PREADV2(preadv2_sync, 1, 10, -1, RWF_SYNC)
PREADV2(preadv2_unknown, 1, 10, -1, 1 << 30)
PREADV2(preadv2_0, 1, 10, 0, 0)
PREADV2(preadv2_0_nowait, 1, 10, 0, RWF_NOWAIT)
PREADV2(preadv2_minus_2, 1, 10, -2, 0)
PREADV2(preadv2_too_many, 1025, 2, -1, 0)
static long preadv_0(int fd) { return at(fd, preadv(fd, vectors(5, 2), 5, 0)); }
static long preadv_now(int fd) { return at(fd, preadv(fd, vectors(5, 2), 5, -1)); }
static long pread_0(int fd) { return at(fd, pread(fd, buffer, 10, 0)); }
static long pread_behind(int fd) { return at(fd, pread(fd, buffer, 10, 1000)); }
static long pread_now(int fd) { return at(fd, pread(fd, buffer, 10, -1)); }
static long pread_bad(int fd) { return at(fd, pread(fd, nowhere, 10, 0)); }
static long preadv2_bad(int fd) { return at(fd, preadv2(fd, (struct iovec *)nowhere, 1, -1, 0)); }

PWRITEV2(pwritev2_now, 1, 10, -1, 0)
PWRITEV2(pwritev2_now_vectors, 5, 2, -1, 0)
PWRITEV2(pwritev2_now_large, 1, LARGE, -1, 0)
PWRITEV2(pwritev2_now_large_vectors, 7, LARGE / 7, -1, 0)
PWRITEV2(pwritev2_now_empty, 1, 0, -1, 0)
PWRITEV2(pwritev2_nowait, 1, 10, -1, RWF_NOWAIT)
PWRITEV2(pwritev2_nowait_large, 1, LARGE, -1, RWF_NOWAIT)
PWRITEV2(pwritev2_append, 1, 10, -1, RWF_APPEND)
PWRITEV2(pwritev2_sync_large, 1, LARGE, -1, RWF_DSYNC)
PWRITEV2(pwritev2_unknown, 1, 10, -1, 1 << 30)
PWRITEV2(pwritev2_0, 1, 10, 0, 0)
PWRITEV2(pwritev2_minus_2, 1, 10, -2, 0)
static long pwritev_0(int fd) { return at(fd, pwritev(fd, vectors(5, 2), 5, 0)); }
static long pwritev_now(int fd) { return at(fd, pwritev(fd, vectors(5, 2), 5, -1)); }
static long pwrite_0(int fd) { return at(fd, pwrite(fd, buffer, 10, 0)); }
static long pwrite_now(int fd) { return at(fd, pwrite(fd, buffer, 10, -1)); }
static long pwrite_bad(int fd) { return at(fd, pwrite(fd, nowhere, 10, 0)); }
static long pwritev2_bad(int fd) { return at(fd, pwritev2(fd, (struct iovec *)nowhere, 1, -1, 0)); }

static long pwritev2_bad_base(int fd)
{
	struct iovec v[2] = {{buffer, 3}, {nowhere, 10}};

	return at(fd, pwritev2(fd, v, 2, -1, 0));
}

#define R(name) {#name, READS, 0, name}
#define RX(name) {#name, READS, REFUSED, name}
#define RS(name) {#name, READS, SIMPLE, name}
#define W(name) {#name, WRITES, 0, name}
#define WX(name) {#name, WRITES, REFUSED, name}
#define WL(name) {#name, WRITES, NOT_FITTING, name}
#define WSL(name) {#name, WRITES, SIMPLE | NOT_FITTING, name}

const struct call offset_calls[] = {
	RS(preadv2_now), R(preadv2_now_vectors), R(preadv2_now_large), RX(preadv2_now_empty), R(preadv2_nowait),
	R(preadv2_nowait_vectors), RX(preadv2_high), R(preadv2_sync), RX(preadv2_unknown), RX(preadv2_0), RX(preadv2_0_nowait),
	RX(preadv2_minus_2), RX(preadv2_too_many), RX(preadv2_bad), RX(preadv_0), RX(preadv_now), RX(pread_0), RX(pread_behind), RX(pread_now),
	RX(pread_bad),
	W(pwritev2_now), W(pwritev2_now_vectors), WSL(pwritev2_now_large), WSL(pwritev2_now_large_vectors), WX(pwritev2_now_empty),
	W(pwritev2_nowait), WL(pwritev2_nowait_large), W(pwritev2_append), WL(pwritev2_sync_large), WX(pwritev2_unknown), WX(pwritev2_0),
	WX(pwritev2_minus_2), WX(pwritev2_bad), W(pwritev2_bad_base), WX(pwritev_0), WX(pwritev_now), WX(pwrite_0), WX(pwrite_now),
	WX(pwrite_bad),
};

const size_t offset_call_count = sizeof offset_calls / sizeof *offset_calls;
