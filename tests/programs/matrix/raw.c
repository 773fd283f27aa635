/* raw.c - the same calls by their numbers, through libc's syscall().  */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "matrix.h"

static struct msghdr message;

static struct msghdr *one_message(size_t size)
{
	message = (struct msghdr){.msg_iov = vectors(1, size), .msg_iovlen = 1};
	return &message;
}

static long raw_read(int fd) { return syscall(SYS_read, fd, buffer, 10); }
static long raw_read_bad(int fd) { return syscall(SYS_read, fd, nowhere, 10); }
static long raw_readv(int fd) { return syscall(SYS_readv, fd, vectors(5, 2), 5); }
static long raw_preadv2(int fd) { return syscall(SYS_preadv2, fd, vectors(5, 2), 5, -1L, -1L, 0); }
static long raw_recvfrom(int fd) { return syscall(SYS_recvfrom, fd, buffer, 10, 0, NULL, NULL); }
static long raw_recvmsg(int fd) { return syscall(SYS_recvmsg, fd, one_message(10), 0); }
static long raw_recvfrom_waitall(int fd) { return syscall(SYS_recvfrom, fd, buffer, 10, MSG_WAITALL, NULL, NULL); }
static long raw_write(int fd) { return syscall(SYS_write, fd, buffer, 10); }
static long raw_write_large(int fd) { return syscall(SYS_write, fd, buffer, LARGE); }
static long raw_writev_large(int fd) { return syscall(SYS_writev, fd, vectors(7, LARGE / 7), 7); }
static long raw_pwritev2_large(int fd) { return syscall(SYS_pwritev2, fd, vectors(1, LARGE), 1, -1L, -1L, 0); }
static long raw_sendto_large(int fd) { return syscall(SYS_sendto, fd, buffer, LARGE, 0, NULL, 0); }
static long raw_sendmsg_large(int fd) { return syscall(SYS_sendmsg, fd, one_message(LARGE), 0); }
static long raw_connect(int fd) { return syscall(SYS_connect, fd, &target, target_size); }

static long accepted(long fd)
{
	if (fd >= 0)
		close((int)fd);
	return fd;
}

static long raw_accept(int fd) { return accepted(syscall(SYS_accept, fd, NULL, NULL)); }
static long raw_accept4(int fd) { return accepted(syscall(SYS_accept4, fd, NULL, NULL, SOCK_CLOEXEC)); }

static long raw_ppoll(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	long result = syscall(SYS_ppoll, &p, 1, NULL, NULL, 8);

	tell("revents", p.revents);
	return result;
}

/* The kernel writes what is left of the time, where libc's ppoll does not let it.  */
static long raw_ppoll_short(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct timespec t = {.tv_nsec = 5000000};
	long result = syscall(SYS_ppoll, &p, 1, &t, NULL, 8);

	tell("revents", p.revents);
	tell("left", t.tv_nsec != 0);
	return result;
}

static long raw_pselect(int fd)
{
	fd_set in;
	struct timespec t = {.tv_sec = 1000};
	long result;

	FD_ZERO(&in);
	if (fd >= 0 && fd < FD_SETSIZE)
		FD_SET(fd, &in);
	result = syscall(SYS_pselect6, fd + 1, &in, NULL, NULL, &t, NULL);
	tell("unchanged", t.tv_sec == 1000);
	return result;
}

static long raw_epoll(int fd)
{
	struct epoll_event e = {.events = EPOLLIN};
	int set = epoll_create1(EPOLL_CLOEXEC);
	long result;

	tell("added", epoll_ctl(set, EPOLL_CTL_ADD, fd, &e));
	result = syscall(SYS_epoll_pwait, set, &e, 1, -1, NULL, 8);
	close(set);
	return result;
}

#ifdef SYS_poll
static long raw_poll(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	long result = syscall(SYS_poll, &p, 1, -1);

	tell("revents", p.revents);
	return result;
}

static long raw_select(int fd)
{
	fd_set in;

	FD_ZERO(&in);
	if (fd >= 0 && fd < FD_SETSIZE)
		FD_SET(fd, &in);
	return syscall(SYS_select, fd + 1, &in, NULL, NULL, NULL);
}
#endif

#define R(name) {#name, READS, 0, name}
#define RS(name) {#name, READS, SIMPLE, name}
#define RSM(name) {#name, READS, SIMPLE | COUNTS, name}
#define RM(name) {#name, READS, COUNTS, name}
#define RT(name) {#name, READS, TIMED | COUNTS, name}
#define W(name) {#name, WRITES, 0, name}
#define WS(name) {#name, WRITES, SIMPLE, name}
#define WL(name) {#name, WRITES, NOT_FITTING, name}
#define WSL(name) {#name, WRITES, SIMPLE | NOT_FITTING, name}

const struct call raw_calls[] = {
	RS(raw_read), R(raw_read_bad), R(raw_readv), R(raw_preadv2), R(raw_recvfrom), RS(raw_recvmsg), R(raw_recvfrom_waitall),
	RSM(raw_accept), RM(raw_accept4), RSM(raw_ppoll), RT(raw_ppoll_short), RM(raw_pselect), RM(raw_epoll),
	W(raw_write), WSL(raw_write_large), WL(raw_writev_large), WL(raw_pwritev2_large), WL(raw_sendto_large), WSL(raw_sendmsg_large),
	WS(raw_connect),
#ifdef SYS_poll
	RM(raw_poll), RM(raw_select),
#endif
};

const size_t raw_call_count = sizeof raw_calls / sizeof *raw_calls;
