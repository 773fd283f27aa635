/* socket.c - the calls on sockets: transfers, accept, connect, and what changes how one waits.  */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#ifndef SO_RCVTIMEO_NEW
#define SO_RCVTIMEO_NEW 66
#define SO_SNDTIMEO_NEW 67
#endif

#include "calls.h"
#include "shim/fds.h"
#include "shim/hidden.h"
#include "shim/record.h"

EXPORT ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
	return as_libc(transfer(CALL_recv, SYS_recvfrom, fd, (long)buffer, (long)size, flags, 0, 0));
}

EXPORT ssize_t send(int fd, const void *buffer, size_t size, int flags)
{
	return as_libc(transfer(CALL_send, SYS_sendto, fd, (long)buffer, (long)size, flags, 0, 0));
}

EXPORT ssize_t recvfrom(int fd, void *buffer, size_t size, int flags, __SOCKADDR_ARG address, socklen_t *address_size)
{
	return as_libc(transfer(CALL_recvfrom, SYS_recvfrom, fd, (long)buffer, (long)size, flags, (long)address.__sockaddr__, (long)address_size));
}

EXPORT ssize_t sendto(int fd, const void *buffer, size_t size, int flags, __CONST_SOCKADDR_ARG address, socklen_t address_size)
{
	return as_libc(transfer(CALL_sendto, SYS_sendto, fd, (long)buffer, (long)size, flags, (long)address.__sockaddr__, address_size));
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	return as_libc(transfer(CALL_recvmsg, SYS_recvmsg, fd, (long)message, flags, 0, 0, 0));
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	return as_libc(transfer(CALL_sendmsg, SYS_sendmsg, fd, (long)message, flags, 0, 0, 0));
}

EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
	return (int)serve(CALL_recvmmsg, SYS_recvmmsg, fd, (long)messages, count, flags, (long)timeout, 0);
}

EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	return (int)serve(CALL_sendmmsg, SYS_sendmmsg, fd, (long)messages, count, flags, 0, 0);
}

void socket_accepted(long fd, long flags)
{
	struct fd_facts facts = {.kind = KIND_socket, .maker = FD_ACCEPTED, .has_flags = true, .flags = flags & O_NONBLOCK};

	if (fd < 0)
		return;
	hidden_notice(fd);
	fds_made((int)fd, &facts);
}

/* An address changes the fd's name; a connection also, with TCP_FASTOPEN_CONNECT, what may be done with it.  */
void socket_named(int fd)
{
	fd_hint hint = fds_peek(fd);

	if (HINT_KIND(hint) == KIND_socket && !(hint & HINT_UNASKED))
		fds_relook(fd);
	else
		fds_renamed(fd);
}

EXPORT int accept(int fd, __SOCKADDR_ARG address, socklen_t *address_size)
{
	int new = (int)serve(CALL_accept, SYS_accept, fd, (long)address.__sockaddr__, (long)address_size, 0, 0, 0);

	socket_accepted(new, 0);
	return new;
}

EXPORT int accept4(int fd, __SOCKADDR_ARG address, socklen_t *address_size, int flags)
{
	int new = (int)serve(CALL_accept4, SYS_accept4, fd, (long)address.__sockaddr__, (long)address_size, flags, 0, 0);

	socket_accepted(new, flags);
	return new;
}

EXPORT int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t address_size)
{
	int result = (int)serve(CALL_connect, SYS_connect, fd, (long)address.__sockaddr__, address_size, 0, 0, 0);

	socket_named(fd);
	return result;
}

EXPORT int bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t address_size)
{
	int result = (int)as_libc(sys(SYS_bind, fd, address.__sockaddr__, address_size));

	socket_named(fd);
	return result;
}

/* SO_RCVLOWAT and the timeouts belong to the socket, which other fds may share.  */
EXPORT int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
	int result = (int)as_libc(sys(SYS_setsockopt, fd, level, option, value, size));

	if (result == 0 && ((level == SOL_SOCKET && (option == SO_RCVLOWAT || option == SO_RCVTIMEO || option == SO_SNDTIMEO ||
						     option == SO_RCVTIMEO_NEW || option == SO_SNDTIMEO_NEW)) ||
			    (level == IPPROTO_TCP && option == TCP_FASTOPEN_CONNECT)))
		fds_relook_sockets();
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
