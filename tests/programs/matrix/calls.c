/* calls.c - the six calls that move most bytes, with their lengths, vectors, pointers and flags.  */
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "matrix.h"

char *buffer;
char *nowhere;

void calls_prepare(void)
{
	long page = sysconf(_SC_PAGESIZE);

	buffer = mmap(NULL, LARGE + (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	nowhere = buffer + LARGE;
	mprotect(nowhere, (size_t)page, PROT_NONE);
	for (int i = 0; i < LARGE; i++)
		buffer[i] = (char)('a' + i % 23);
}

uint32_t calls_data_hash(long size)
{
	uint32_t hash = 2166136261u;

	for (long i = 0; i < size && i < LARGE; i++)
		hash = (hash ^ (unsigned char)buffer[i]) * 16777619u;
	return hash;
}

#define READ(name, pointer, size) static long name(int fd) { return read(fd, pointer, size); }
#define WRITE(name, pointer, size) static long name(int fd) { return write(fd, pointer, size); }
#define RECV(name, size, flags) static long name(int fd) { return recv(fd, buffer, size, flags); }
#define SEND(name, size, flags) static long name(int fd) { return send(fd, buffer, size, flags); }

#pragma GCC diagnostic push
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wstringop-overread"
#endif
#pragma GCC diagnostic ignored "-Wnonnull"
READ(read_0, buffer, 0)
READ(read_1, buffer, 1)
READ(read_8, buffer, 8)
READ(read_100, buffer, 100)
READ(read_page, buffer, 4096)
READ(read_large, buffer, LARGE)
READ(read_ssize_max, buffer, (size_t)SSIZE_MAX)
READ(read_size_max, buffer, SIZE_MAX)
READ(read_rw_max, buffer, 0x7ffff000)
READ(read_beyond_rw_max, buffer, 0x7ffff001)
READ(read_null, NULL, 10)
READ(read_null_0, NULL, 0)
READ(read_nowhere, nowhere, 10)
READ(read_crossing, nowhere - 3, 10)
WRITE(write_0, buffer, 0)
WRITE(write_1, buffer, 1)
WRITE(write_8, buffer, 8)
WRITE(write_page, buffer, 4096)
WRITE(write_page_1, buffer, 4097)
WRITE(write_large, buffer, LARGE)
WRITE(write_ssize_max, buffer, (size_t)SSIZE_MAX)
WRITE(write_size_max, buffer, SIZE_MAX)
WRITE(write_null, NULL, 10)
WRITE(write_nowhere, nowhere, 10)
WRITE(write_crossing, nowhere - 3, 10)
WRITE(write_crossing_pages, nowhere - 9000, 20000)
RECV(recv_0, 0, 0)
RECV(recv_10, 10, 0)
RECV(recv_peek, 10, MSG_PEEK)
RECV(recv_waitall, 10, MSG_WAITALL)
RECV(recv_peek_waitall, 10, MSG_PEEK | MSG_WAITALL)
RECV(recv_dontwait, 10, MSG_DONTWAIT)
RECV(recv_trunc, 2, MSG_TRUNC)
RECV(recv_oob, 10, MSG_OOB)
RECV(recv_errqueue, 10, MSG_ERRQUEUE)
RECV(recv_nosignal, 10, MSG_NOSIGNAL)
RECV(recv_cmsg_cloexec, 10, MSG_CMSG_CLOEXEC)
RECV(recv_peek_trunc, 2, MSG_PEEK | MSG_TRUNC)
RECV(recv_unknown, 10, 1 << 28)
RECV(recv_dontroute, 10, MSG_DONTROUTE)
RECV(recv_size_max, SIZE_MAX, 0)
SEND(send_0, 0, 0)
SEND(send_10, 10, 0)
SEND(send_large, LARGE, 0)
SEND(send_large_nosignal, LARGE, MSG_NOSIGNAL)
SEND(send_nosignal, 10, MSG_NOSIGNAL)
SEND(send_dontwait, 10, MSG_DONTWAIT)
SEND(send_large_dontwait, LARGE, MSG_DONTWAIT)
SEND(send_more, 10, MSG_MORE)
SEND(send_eor, 10, MSG_EOR)
SEND(send_confirm, 10, MSG_CONFIRM)
SEND(send_dontroute, 10, MSG_DONTROUTE)
SEND(send_oob, 10, MSG_OOB)
SEND(send_unknown, 10, 1 << 28)
SEND(send_size_max, SIZE_MAX, 0)

static struct iovec vector[1025];

/* `count` vectors of `size` bytes each, every third of them empty.  */
struct iovec *vectors(int count, size_t size)
{
	for (int i = 0; i < count; i++)
		vector[i] = (struct iovec){buffer + (size_t)i * size, i % 3 == 2 ? 0 : size};
	return vector;
}

static long readv_0(int fd) { return readv(fd, vectors(1, 0), 0); }
static long readv_empty(int fd) { return readv(fd, vectors(3, 0), 3); }
static long readv_1(int fd) { return readv(fd, vectors(1, 100), 1); }
static long readv_5(int fd) { return readv(fd, vectors(5, 2), 5); }
static long readv_1024(int fd) { return readv(fd, vectors(1024, 2), 1024); }
static long readv_1025(int fd) { return readv(fd, vectors(1025, 2), 1025); }
static long readv_minus(int fd) { return readv(fd, vectors(1, 2), -1); }
static long readv_bad(int fd) { return readv(fd, (struct iovec *)nowhere, 2); }
static long writev_0(int fd) { return writev(fd, vectors(1, 0), 0); }
static long writev_empty(int fd) { return writev(fd, vectors(3, 0), 3); }
static long writev_1(int fd) { return writev(fd, vectors(1, 100), 1); }
static long writev_5(int fd) { return writev(fd, vectors(5, 2), 5); }
static long writev_1024(int fd) { return writev(fd, vectors(1024, 1000), 1024); }
static long writev_1025(int fd) { return writev(fd, vectors(1025, 1), 1025); }
static long writev_minus(int fd) { return writev(fd, vectors(1, 2), -1); }
static long writev_bad(int fd) { return writev(fd, (struct iovec *)nowhere, 2); }
static long writev_large(int fd) { return writev(fd, vectors(7, LARGE / 7), 7); }

static long readv_bad_base(int fd)
{
	struct iovec v[2] = {{buffer, 3}, {nowhere, 10}};

	return readv(fd, v, 2);
}

static long writev_bad_base(int fd)
{
	struct iovec v[2] = {{buffer, 3}, {nowhere, 10}};

	return writev(fd, v, 2);
}

static long readv_overflow(int fd)
{
	struct iovec v[2] = {{buffer, SSIZE_MAX}, {buffer, SSIZE_MAX}};

	return readv(fd, v, 2);
}

static long writev_overflow(int fd)
{
	struct iovec v[2] = {{buffer, SSIZE_MAX}, {buffer, SSIZE_MAX}};

	return writev(fd, v, 2);
}
#pragma GCC diagnostic pop

#define R(name) {#name, READS, 0, name}
#define RS(name) {#name, READS, SIMPLE, name}
#define W(name) {#name, WRITES, 0, name}
#define WS(name) {#name, WRITES, SIMPLE, name}
#define WL(name) {#name, WRITES, NOT_FITTING, name}
#define WSL(name) {#name, WRITES, SIMPLE | NOT_FITTING, name}
#define SR(name) {#name, READS, SOCKET_ONLY, name}
#define SRS(name) {#name, READS, SOCKET_ONLY | SIMPLE, name}
#define SW(name) {#name, WRITES, SOCKET_ONLY, name}
#define SWL(name) {#name, WRITES, SOCKET_ONLY | NOT_FITTING, name}
#define SWSL(name) {#name, WRITES, SOCKET_ONLY | SIMPLE | NOT_FITTING, name}

const struct call calls[] = {
	R(read_0), R(read_1), RS(read_8), R(read_100), R(read_page), R(read_large), R(read_ssize_max), R(read_size_max),
	R(read_rw_max), R(read_beyond_rw_max), R(read_null), R(read_null_0), R(read_nowhere), R(read_crossing),
	W(write_0), W(write_1), WS(write_8), W(write_page), W(write_page_1), WSL(write_large),
	W(write_ssize_max), W(write_size_max), W(write_null), W(write_nowhere), W(write_crossing), W(write_crossing_pages),
	SR(recv_0), SRS(recv_10), SR(recv_peek), SR(recv_waitall), SR(recv_peek_waitall),
	SR(recv_dontwait), SR(recv_trunc), SR(recv_oob), SR(recv_errqueue), SR(recv_nosignal), SR(recv_cmsg_cloexec),
	SR(recv_peek_trunc), SR(recv_unknown), SR(recv_dontroute), SR(recv_size_max),
	SW(send_0), SW(send_10), SWSL(send_large), SWL(send_large_nosignal), SW(send_nosignal),
	SW(send_dontwait), SWL(send_large_dontwait), SW(send_more), SW(send_eor), SW(send_confirm), SW(send_dontroute), SW(send_oob),
	SW(send_unknown), SW(send_size_max),
	R(readv_0), R(readv_empty), R(readv_1), RS(readv_5), R(readv_1024), R(readv_1025), R(readv_minus), R(readv_bad),
	R(readv_bad_base), R(readv_overflow),
	W(writev_0), W(writev_empty), W(writev_1), W(writev_5), WL(writev_1024), W(writev_1025), W(writev_minus), W(writev_bad),
	W(writev_bad_base), W(writev_overflow), WSL(writev_large),
};

const size_t call_count = sizeof calls / sizeof *calls;
