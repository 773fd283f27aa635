/* socket.c - recv and send, which are attempted, and the socket calls that are plain: accept, connect, the message calls.  */
#include <sys/socket.h>

#ifndef SO_RCVTIMEO_NEW
#define SO_RCVTIMEO_NEW 66
#define SO_SNDTIMEO_NEW 67
#endif

#include "calls.h"
#include "shim/fds.h"

static long receive(enum call_id call, int fd, void *buffer, size_t size, int flags, void *address, socklen_t *address_size)
{
	struct op op = {
		.nr = SYS_recvfrom, .arg = {fd, (long)buffer, (long)size, flags, (long)address, (long)address_size}, .fd = fd,
		.call = (uint8_t)call, .class = OP_RECV, .head = {buffer, size}, .length = size,
		.asked = flags & MSG_DONTWAIT,
	};

	return as_libc(op_run(&op));
}

static long transmit(enum call_id call, int fd, const void *buffer, size_t size, int flags, const void *address,
		     socklen_t address_size)
{
	struct op op = {
		.nr = SYS_sendto, .arg = {fd, (long)buffer, (long)size, flags, (long)address, address_size}, .fd = fd,
		.call = (uint8_t)call, .class = OP_SEND, .head = {(void *)(uintptr_t)buffer, size}, .length = size,
		.asked = flags & MSG_DONTWAIT,
	};

	return as_libc(op_run(&op));
}

EXPORT ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
	return receive(CALL_recv, fd, buffer, size, flags, NULL, NULL);
}

EXPORT ssize_t send(int fd, const void *buffer, size_t size, int flags)
{
	return transmit(CALL_send, fd, buffer, size, flags, NULL, 0);
}

EXPORT ssize_t recvfrom(int fd, void *buffer, size_t size, int flags, __SOCKADDR_ARG address, socklen_t *address_size)
{
	return receive(CALL_recvfrom, fd, buffer, size, flags, address.__sockaddr__, address_size);
}

EXPORT ssize_t sendto(int fd, const void *buffer, size_t size, int flags, __CONST_SOCKADDR_ARG address, socklen_t address_size)
{
	return transmit(CALL_sendto, fd, buffer, size, flags, address.__sockaddr__, address_size);
}

static long message_call(enum call_id call, long nr, int fd, const void *messages, long c, long d, const void *timeout, int flags)
{
	struct op op = {
		.nr = nr, .arg = {fd, (long)messages, c, d, (long)timeout}, .fd = fd, .call = (uint8_t)call, .class = OP_PLAIN,
		.asked = flags & MSG_DONTWAIT,
	};

	return as_libc(op_run(&op));
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	return message_call(CALL_recvmsg, SYS_recvmsg, fd, message, flags, 0, NULL, flags);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	return message_call(CALL_sendmsg, SYS_sendmsg, fd, message, flags, 0, NULL, flags);
}

EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
	return (int)message_call(CALL_recvmmsg, SYS_recvmmsg, fd, messages, count, flags, timeout, flags);
}

EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	return (int)message_call(CALL_sendmmsg, SYS_sendmmsg, fd, messages, count, flags, NULL, flags);
}

EXPORT int accept(int fd, __SOCKADDR_ARG address, socklen_t *address_size)
{
	int new = (int)plain_call(CALL_accept, SYS_accept, fd, (long)address.__sockaddr__, (long)address_size, 0, 0, 0);

	fds_forget(new);
	return new;
}

EXPORT int accept4(int fd, __SOCKADDR_ARG address, socklen_t *address_size, int flags)
{
	int new = (int)plain_call(CALL_accept4, SYS_accept4, fd, (long)address.__sockaddr__, (long)address_size, flags, 0, 0);

	fds_forget(new);
	return new;
}

/* A connection changes the fd's name, and, where it was a listening or fresh socket, what may be done with it.  */
EXPORT int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t address_size)
{
	int result = (int)plain_call(CALL_connect, SYS_connect, fd, (long)address.__sockaddr__, address_size, 0, 0, 0);

	fds_relook(fd);
	return result;
}

EXPORT int socket(int domain, int type, int protocol)
{
	int fd = (int)as_libc(sys(SYS_socket, domain, type, protocol));

	fds_forget(fd);
	return fd;
}

EXPORT int socketpair(int domain, int type, int protocol, int fds[2])
{
	int result = (int)as_libc(sys(SYS_socketpair, domain, type, protocol, fds));

	if (result == 0) {
		fds_forget(fds[0]);
		fds_forget(fds[1]);
	}
	return result;
}

/* SO_RCVLOWAT and the timeouts belong to the socket, which other fds may share.  */
EXPORT int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
	int result = (int)as_libc(sys(SYS_setsockopt, fd, level, option, value, size));

	if (result == 0 && level == SOL_SOCKET && (option == SO_RCVLOWAT || option == SO_RCVTIMEO || option == SO_SNDTIMEO ||
						   option == SO_RCVTIMEO_NEW || option == SO_SNDTIMEO_NEW))
		fds_relook_all();
	return result;
}

EXPORT ssize_t __send(int, const void *, size_t, int) __attribute__((alias("send")));
EXPORT int __connect(int, __CONST_SOCKADDR_ARG, socklen_t) __attribute__((alias("connect")));

extern void __chk_fail(void) __attribute__((noreturn));
EXPORT ssize_t __recv_chk(int fd, void *buffer, size_t size, size_t room, int flags);
EXPORT ssize_t __recv_chk(int fd, void *buffer, size_t size, size_t room, int flags)
{
	if (size > room)
		__chk_fail();
	return recv(fd, buffer, size, flags);
}

EXPORT ssize_t __recvfrom_chk(int fd, void *buffer, size_t size, size_t room, int flags, __SOCKADDR_ARG address,
			      socklen_t *address_size);
EXPORT ssize_t __recvfrom_chk(int fd, void *buffer, size_t size, size_t room, int flags, __SOCKADDR_ARG address,
			      socklen_t *address_size)
{
	if (size > room)
		__chk_fail();
	return recvfrom(fd, buffer, size, flags, address, address_size);
}
