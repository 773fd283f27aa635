/* messages.c - recvmsg, sendmsg and their relatives: names, control data, flags, several at once.  */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "matrix.h"

static struct sockaddr_storage name;
static union {
	struct cmsghdr header;
	char room[256];
} control;
static struct msghdr message;
static struct mmsghdr messages[3];

static struct msghdr *plain(struct iovec *vector, int count)
{
	message = (struct msghdr){.msg_iov = vector, .msg_iovlen = (size_t)count};
	return &message;
}

static struct msghdr *with_name(struct msghdr *m, socklen_t size)
{
	memset(&name, 0, sizeof name);
	m->msg_name = &name;
	m->msg_namelen = size;
	return m;
}

static struct msghdr *with_control(struct msghdr *m, size_t size)
{
	m->msg_control = &control;
	m->msg_controllen = size;
	return m;
}

/* The fds that came along, and whether they are closed on exec.  */
static void take_fds(struct cmsghdr *c)
{
	for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
		tell("fd", fd);
		tell("cloexec", fcntl(fd, F_GETFD));
		close(fd);
	}
}

static void tell_message(struct msghdr *m)
{
	tell("flags", m->msg_flags);
	if (m->msg_name) {
		tell("namelen", m->msg_namelen);
		tell("family", name.ss_family);
	}
	if (!m->msg_control)
		return;
	tell("controllen", (long)m->msg_controllen);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		tell("type", c->cmsg_type);
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			take_fds(c);
	}
}

static long receive(int fd, struct msghdr *m, int flags)
{
	long result;

	m->msg_flags = 0x5a5a;
	result = recvmsg(fd, m, flags);
	tell_message(m);
	return result;
}

#define RECVMSG(function, size, flags) static long function(int fd) { return receive(fd, plain(vectors(1, size), 1), flags); }
RECVMSG(recvmsg_0, 0, 0)
RECVMSG(recvmsg_10, 10, 0)
RECVMSG(recvmsg_large, LARGE, 0)
RECVMSG(recvmsg_peek, 10, MSG_PEEK)
RECVMSG(recvmsg_waitall, 10, MSG_WAITALL)
RECVMSG(recvmsg_peek_waitall, 10, MSG_PEEK | MSG_WAITALL)
RECVMSG(recvmsg_dontwait, 10, MSG_DONTWAIT)
RECVMSG(recvmsg_short, 2, 0)
RECVMSG(recvmsg_trunc, 2, MSG_TRUNC)
RECVMSG(recvmsg_peek_trunc, 2, MSG_PEEK | MSG_TRUNC)
RECVMSG(recvmsg_oob, 10, MSG_OOB)
RECVMSG(recvmsg_unknown, 10, 1 << 28)
static long recvmsg_none(int fd) { return receive(fd, plain(NULL, 0), 0); }
static long recvmsg_vectors(int fd) { return receive(fd, plain(vectors(5, 2), 5), 0); }
static long recvmsg_vectors_waitall(int fd) { return receive(fd, plain(vectors(5, 2), 5), MSG_WAITALL); }
static long recvmsg_too_many(int fd) { return receive(fd, plain(vectors(1025, 2), 1025), 0); }
static long recvmsg_name(int fd) { return receive(fd, with_name(plain(vectors(1, 10), 1), sizeof name), 0); }
static long recvmsg_short_name(int fd) { return receive(fd, with_name(plain(vectors(1, 10), 1), 4), 0); }
static long recvmsg_minus_name(int fd) { return receive(fd, with_name(plain(vectors(1, 10), 1), (socklen_t)-1), 0); }
static long recvmsg_control(int fd) { return receive(fd, with_control(plain(vectors(1, 10), 1), sizeof control), 0); }
static long recvmsg_control_waitall(int fd) { return receive(fd, with_control(plain(vectors(1, 10), 1), sizeof control), MSG_WAITALL); }
static long recvmsg_control_peek(int fd) { return receive(fd, with_control(plain(vectors(1, 10), 1), sizeof control), MSG_PEEK); }
static long recvmsg_cloexec(int fd) { return receive(fd, with_control(plain(vectors(1, 10), 1), sizeof control), MSG_CMSG_CLOEXEC); }
static long recvmsg_short_control(int fd) { return receive(fd, with_control(plain(vectors(1, 10), 1), 8), 0); }
static long recvmsg_no_fd_fits(int fd) { return receive(fd, with_control(plain(vectors(1, 10), 1), CMSG_LEN(0)), 0); }
static long recvmsg_fd_alone(int fd) { return receive(fd, with_control(plain(vectors(1, 0), 1), sizeof control), 0); }

static long recvmsg_errqueue(int fd)
{
	return receive(fd, with_name(with_control(plain(vectors(1, 10), 1), sizeof control), sizeof name), MSG_ERRQUEUE);
}

static long recvmsg_bad_base(int fd)
{
	struct iovec v[2] = {{buffer, 3}, {nowhere, 10}};

	return receive(fd, plain(v, 2), 0);
}

static long recvmsg_bad_vector(int fd) { return receive(fd, plain((struct iovec *)nowhere, 1), 0); }
static long recvmsg_bad(int fd) { return recvmsg(fd, (struct msghdr *)nowhere, 0); }

static long recvmsg_bad_name(int fd)
{
	plain(vectors(1, 10), 1);
	message.msg_name = nowhere;
	message.msg_namelen = 100;
	return recvmsg(fd, &message, 0);
}

static long recvmsg_bad_control(int fd)
{
	plain(vectors(1, 10), 1);
	message.msg_control = nowhere;
	message.msg_controllen = 100;
	return recvmsg(fd, &message, 0);
}

/* `count` messages of `size` bytes each; their vectors begin at the buffer.  */
static struct mmsghdr *several(int count, size_t size)
{
	static struct iovec v[3];

	for (int i = 0; i < count; i++) {
		v[i] = (struct iovec){buffer + (size_t)i * size, size};
		messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &v[i], .msg_iovlen = 1}, .msg_len = 77};
	}
	return messages;
}

static long receive_several(int fd, int count, size_t size, int flags, struct timespec *timeout)
{
	long result = recvmmsg(fd, several(count, size), (unsigned)count, flags, timeout);

	for (int i = 0; i < count; i++) {
		tell("len", messages[i].msg_len);
		tell("flags", messages[i].msg_hdr.msg_flags);
	}
	if (timeout)
		tell("expired", timeout->tv_sec < 900);
	tell("data", (long)calls_data_hash((long)size * count));
	return result;
}

static long recvmmsg_1(int fd) { return receive_several(fd, 1, 10, 0, NULL); }
static long recvmmsg_2(int fd) { return receive_several(fd, 2, 10, 0, NULL); }
static long recvmmsg_short(int fd) { return receive_several(fd, 2, 2, 0, NULL); }
static long recvmmsg_one(int fd) { return receive_several(fd, 3, 10, MSG_WAITFORONE, NULL); }
static long recvmmsg_dontwait(int fd) { return receive_several(fd, 2, 10, MSG_DONTWAIT, NULL); }
static long recvmmsg_peek(int fd) { return receive_several(fd, 2, 10, MSG_PEEK, NULL); }
static long recvmmsg_waitall(int fd) { return receive_several(fd, 2, 10, MSG_WAITALL, NULL); }
static long recvmmsg_0(int fd) { return recvmmsg(fd, several(1, 10), 0, 0, NULL); }
static long recvmmsg_bad(int fd) { return recvmmsg(fd, (struct mmsghdr *)nowhere, 2, 0, NULL); }
static long recvmmsg_bad_timeout(int fd) { return recvmmsg(fd, several(2, 10), 2, 0, (struct timespec *)nowhere); }

static long recvmmsg_timeout(int fd)
{
	struct timespec t = {.tv_sec = 1000};

	return receive_several(fd, 2, 10, 0, &t);
}

/* It is looked at after each message only.  */
static long recvmmsg_timeout_0(int fd)
{
	struct timespec t = {0};

	return receive_several(fd, 2, 10, 0, &t);
}

static long recvmmsg_wrong_timeout(int fd)
{
	struct timespec t = {.tv_nsec = -1};

	return recvmmsg(fd, several(2, 10), 2, 0, &t);
}

/* The first is received before the second is found to be bad.  */
static long recvmmsg_second_bad(int fd)
{
	struct mmsghdr *m = (struct mmsghdr *)nowhere - 1;

	*m = several(1, 10)[0];
	return recvmmsg(fd, m, 2, 0, NULL);
}

static long receive_from(int fd, size_t size, int flags, socklen_t room)
{
	long result;

	memset(&name, 0, sizeof name);
	result = recvfrom(fd, buffer, size, flags, (struct sockaddr *)&name, &room);
	tell("namelen", room);
	tell("family", name.ss_family);
	return result;
}

static long recvfrom_name(int fd) { return receive_from(fd, 10, 0, sizeof name); }
static long recvfrom_short_name(int fd) { return receive_from(fd, 10, 0, 3); }
static long recvfrom_minus_name(int fd) { return receive_from(fd, 10, 0, (socklen_t)-1); }
static long recvfrom_trunc(int fd) { return receive_from(fd, 2, MSG_TRUNC, sizeof name); }
static long recvfrom_peek(int fd) { return receive_from(fd, 10, MSG_PEEK, sizeof name); }

static long recvfrom_no_size(int fd)
{
	return recvfrom(fd, buffer, 10, 0, (struct sockaddr *)&name, (socklen_t *)nowhere);
}

static long recvfrom_bad_name(int fd)
{
	socklen_t size = 100;

	return recvfrom(fd, buffer, 10, 0, (struct sockaddr *)nowhere, &size);
}

#define SENDMSG(function, size, flags) static long function(int fd) { return sendmsg(fd, plain(vectors(1, size), 1), flags); }
SENDMSG(sendmsg_0, 0, 0)
SENDMSG(sendmsg_10, 10, 0)
SENDMSG(sendmsg_large, LARGE, 0)
SENDMSG(sendmsg_large_nosignal, LARGE, MSG_NOSIGNAL)
SENDMSG(sendmsg_nosignal, 10, MSG_NOSIGNAL)
SENDMSG(sendmsg_dontwait, 10, MSG_DONTWAIT)
SENDMSG(sendmsg_large_dontwait, LARGE, MSG_DONTWAIT)
SENDMSG(sendmsg_oob, 10, MSG_OOB)
SENDMSG(sendmsg_more, 10, MSG_MORE)
SENDMSG(sendmsg_eor, 10, MSG_EOR)
SENDMSG(sendmsg_unknown, 10, 1 << 28)
static long sendmsg_none(int fd) { return sendmsg(fd, plain(NULL, 0), 0); }
static long sendmsg_vectors(int fd) { return sendmsg(fd, plain(vectors(5, 2), 5), 0); }
static long sendmsg_large_vectors(int fd) { return sendmsg(fd, plain(vectors(7, LARGE / 7), 7), 0); }
static long sendmsg_too_many(int fd) { return sendmsg(fd, plain(vectors(1025, 2), 1025), 0); }
static long sendmsg_bad_vector(int fd) { return sendmsg(fd, plain((struct iovec *)nowhere, 1), 0); }
static long sendmsg_bad(int fd) { return sendmsg(fd, (struct msghdr *)nowhere, 0); }
static long sendmsg_wrong_name(int fd) { return sendmsg(fd, with_name(plain(vectors(1, 10), 1), sizeof name), 0); }

static long sendmsg_bad_base(int fd)
{
	struct iovec v[2] = {{buffer, 3}, {nowhere, 10}};

	return sendmsg(fd, plain(v, 2), 0);
}

static long sendmsg_overflow(int fd)
{
	struct iovec v[2] = {{buffer, SSIZE_MAX}, {buffer, SSIZE_MAX}};

	return sendmsg(fd, plain(v, 2), 0);
}

/* A message with the fd `passed`, twice.  */
static struct msghdr *with_fds(struct msghdr *m, int passed)
{
	int fds[2] = {passed, passed};

	control.header = (struct cmsghdr){CMSG_LEN(sizeof fds), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.header), fds, sizeof fds);
	return with_control(m, CMSG_SPACE(sizeof fds));
}

static long sendmsg_fds(int fd) { return sendmsg(fd, with_fds(plain(vectors(1, 10), 1), 0), 0); }
static long sendmsg_fds_0(int fd) { return sendmsg(fd, with_fds(plain(vectors(1, 0), 1), 0), 0); }
static long sendmsg_fds_dontwait(int fd) { return sendmsg(fd, with_fds(plain(vectors(1, 10), 1), 0), MSG_DONTWAIT); }
static long sendmsg_fds_large(int fd) { return sendmsg(fd, with_fds(plain(vectors(1, LARGE), 1), 0), 0); }
static long sendmsg_fds_large_vectors(int fd) { return sendmsg(fd, with_fds(plain(vectors(7, LARGE / 7), 7), 0), 0); }
static long sendmsg_bad_fds(int fd) { return sendmsg(fd, with_fds(plain(vectors(1, 10), 1), -1), 0); }

static long sendmsg_bad_control(int fd)
{
	with_fds(plain(vectors(1, 10), 1), 0);
	control.header.cmsg_len = 3;
	return sendmsg(fd, &message, 0);
}

/* How many bytes of each went: exactly only where they all fit, or none.  */
static long send_several(int fd, unsigned count, size_t size, int flags)
{
	long result = sendmmsg(fd, several((int)count, size), count, flags);

	for (long i = 0; i < result; i++) {
		report->bytes += messages[i].msg_len;
		tell("whole", messages[i].msg_len == size);
	}
	return result;
}

static long sendmmsg_1(int fd) { return send_several(fd, 1, 10, 0); }
static long sendmmsg_2(int fd) { return send_several(fd, 2, 10, 0); }
static long sendmmsg_2_empty(int fd) { return send_several(fd, 2, 0, 0); }
static long sendmmsg_2_dontwait(int fd) { return send_several(fd, 2, 10, MSG_DONTWAIT); }
static long sendmmsg_2_nosignal(int fd) { return send_several(fd, 2, 10, MSG_NOSIGNAL); }
static long sendmmsg_2_large(int fd) { return send_several(fd, 2, LARGE / 2, 0); }
static long sendmmsg_0(int fd) { return sendmmsg(fd, several(1, 10), 0, 0); }
static long sendmmsg_bad(int fd) { return sendmmsg(fd, (struct mmsghdr *)nowhere, 2, 0); }

static long sendmmsg_second_bad(int fd)
{
	struct mmsghdr *m = (struct mmsghdr *)nowhere - 1;

	*m = several(1, 10)[0];
	return sendmmsg(fd, m, 2, 0);
}

static long sendto_null_name(int fd) { return sendto(fd, buffer, 10, 0, NULL, 100); }
static long sendto_bad_name(int fd) { return sendto(fd, buffer, 10, 0, (struct sockaddr *)nowhere, 16); }

static long sendto_wrong_name(int fd)
{
	memset(&name, 0, sizeof name);
	return sendto(fd, buffer, 10, 0, (struct sockaddr *)&name, sizeof name);
}

#define R(function) {#function, READS, 0, function}
#define RX(function) {#function, READS, REFUSED, function}
#define RS(function) {#function, READS, SIMPLE, function}
#define RM(function) {#function, READS, COUNTS, function}
#define RMX(function) {#function, READS, COUNTS | REFUSED, function}
#define W(function) {#function, WRITES, 0, function}
#define WX(function) {#function, WRITES, REFUSED, function}
#define WL(function) {#function, WRITES, NOT_FITTING, function}
#define WSL(function) {#function, WRITES, SIMPLE | NOT_FITTING, function}
#define WM(function) {#function, WRITES, COUNTS, function}
#define WMX(function) {#function, WRITES, COUNTS | REFUSED, function}

const struct call message_calls[] = {
	R(recvmsg_0), RS(recvmsg_10), R(recvmsg_large), R(recvmsg_peek), RS(recvmsg_waitall), R(recvmsg_peek_waitall),
	R(recvmsg_dontwait), R(recvmsg_short), R(recvmsg_trunc), R(recvmsg_peek_trunc), R(recvmsg_oob), RX(recvmsg_unknown),
	R(recvmsg_none), R(recvmsg_vectors), R(recvmsg_vectors_waitall), RX(recvmsg_too_many), R(recvmsg_name), R(recvmsg_short_name),
	RX(recvmsg_minus_name), R(recvmsg_control), R(recvmsg_control_waitall), R(recvmsg_control_peek), R(recvmsg_cloexec),
	R(recvmsg_short_control), R(recvmsg_no_fd_fits), R(recvmsg_fd_alone), R(recvmsg_errqueue), R(recvmsg_bad_base),
	RX(recvmsg_bad_vector), RX(recvmsg_bad), R(recvmsg_bad_name), R(recvmsg_bad_control),
	RM(recvmmsg_1), {"recvmmsg_2", READS, SIMPLE | COUNTS, recvmmsg_2}, RM(recvmmsg_short), RM(recvmmsg_one), RM(recvmmsg_dontwait),
	RM(recvmmsg_peek), RM(recvmmsg_waitall), RMX(recvmmsg_0), RMX(recvmmsg_bad), RMX(recvmmsg_bad_timeout), RM(recvmmsg_timeout),
	RM(recvmmsg_timeout_0), RMX(recvmmsg_wrong_timeout), RM(recvmmsg_second_bad),
	RS(recvfrom_name), R(recvfrom_short_name), RX(recvfrom_minus_name), R(recvfrom_trunc), R(recvfrom_peek), R(recvfrom_no_size),
	R(recvfrom_bad_name),
	W(sendmsg_0), W(sendmsg_10), WSL(sendmsg_large), WL(sendmsg_large_nosignal), W(sendmsg_nosignal), W(sendmsg_dontwait),
	WL(sendmsg_large_dontwait), W(sendmsg_oob), W(sendmsg_more), W(sendmsg_eor), WX(sendmsg_unknown), W(sendmsg_none),
	W(sendmsg_vectors), WSL(sendmsg_large_vectors), WX(sendmsg_too_many), WX(sendmsg_bad_vector), WX(sendmsg_bad),
	WX(sendmsg_wrong_name), W(sendmsg_bad_base), WX(sendmsg_overflow), W(sendmsg_fds), W(sendmsg_fds_0), W(sendmsg_fds_dontwait),
	WSL(sendmsg_fds_large), WL(sendmsg_fds_large_vectors), WX(sendmsg_bad_fds), WX(sendmsg_bad_control),
	WM(sendmmsg_1), WM(sendmmsg_2), WM(sendmmsg_2_empty), WM(sendmmsg_2_dontwait), WM(sendmmsg_2_nosignal),
	{"sendmmsg_2_large", WRITES, SIMPLE | NOT_FITTING | COUNTS, sendmmsg_2_large}, WMX(sendmmsg_0), WMX(sendmmsg_bad),
	WM(sendmmsg_second_bad),
	W(sendto_null_name), WX(sendto_bad_name), WX(sendto_wrong_name),
};

const size_t message_call_count = sizeof message_calls / sizeof *message_calls;
