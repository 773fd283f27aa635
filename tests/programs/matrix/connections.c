/* connections.c - accept and connect.  */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "matrix.h"

static struct sockaddr_storage name;

/* What the new fd is, and that it works.  */
static long accepted(int fd)
{
	if (fd < 0)
		return fd;
	tell("flags", fcntl(fd, F_GETFL) & O_NONBLOCK);
	tell("cloexec", fcntl(fd, F_GETFD));
	tell("sent", send(fd, "x", 1, MSG_NOSIGNAL));
	close(fd);
	return fd;
}

static long accept_plain(int fd) { return accepted(accept(fd, NULL, NULL)); }
static long accept4_plain(int fd) { return accepted(accept4(fd, NULL, NULL, 0)); }
static long accept4_flags(int fd) { return accepted(accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)); }
static long accept4_unknown(int fd) { return accepted(accept4(fd, NULL, NULL, 1 << 20)); }

static long accept_named(int fd, socklen_t size)
{
	long new;

	memset(&name, 0, sizeof name);
	new = accepted(accept(fd, (struct sockaddr *)&name, &size));
	tell("namelen", size);
	tell("family", name.ss_family);
	return new;
}

static long accept_name(int fd) { return accept_named(fd, sizeof name); }
static long accept_short_name(int fd) { return accept_named(fd, 3); }
static long accept_minus_name(int fd) { return accept_named(fd, (socklen_t)-1); }
static long accept_no_size(int fd) { return accepted(accept(fd, (struct sockaddr *)&name, (socklen_t *)nowhere)); }

static long accept_bad_name(int fd)
{
	socklen_t size = 100;

	return accepted(accept(fd, (struct sockaddr *)nowhere, &size));
}

static long accept_twice(int fd)
{
	int first = accept(fd, NULL, NULL), second = accept(fd, NULL, NULL);

	tell("first", first);
	close(first);
	return accepted(second);
}

/* The number that the new fd gets was a pipe's before.  */
static long accept_reused(int fd)
{
	int fds[2], new;
	char byte = 'x';

	if (pipe(fds) == 0 && write(fds[1], &byte, 1) == 1 && read(fds[0], &byte, 1) == 1)
		close(fds[0]);
	new = accept(fd, NULL, NULL);
	tell("same", new == fds[0]);
	close(fds[1]);
	return accepted(new);
}

/* What the fd is afterwards.  */
static long connected(int fd, long result)
{
	socklen_t size = sizeof name;

	tell("peer", getpeername(fd, (struct sockaddr *)&name, &size));
	return result;
}

static const struct sockaddr *to(void) { return (const struct sockaddr *)&target; }
static long connect_plain(int fd) { return connected(fd, connect(fd, to(), target_size)); }
static long connect_short(int fd) { return connected(fd, connect(fd, to(), 1)); }
static long connect_minus(int fd) { return connected(fd, connect(fd, to(), (socklen_t)-1)); }
static long connect_long(int fd) { return connected(fd, connect(fd, to(), sizeof target + 1)); }
static long connect_bad(int fd) { return connected(fd, connect(fd, (const struct sockaddr *)nowhere, 16)); }

static long connect_family(int fd, sa_family_t family)
{
	name = target;
	name.ss_family = family;
	return connected(fd, connect(fd, (const struct sockaddr *)&name, target_size));
}

static long connect_unspecified(int fd) { return connect_family(fd, AF_UNSPEC); }
static long connect_wrong(int fd) { return connect_family(fd, AF_INET6); }

/* What a program does after EINTR or a timeout.  */
static long connect_again(int fd)
{
	tell("first", connect(fd, to(), target_size));
	return connect_plain(fd);
}

static long connect_send(int fd)
{
	long result = connect_plain(fd);

	tell("sent", send(fd, "hello", 5, MSG_NOSIGNAL));
	return result;
}

/* A connection is taken back, and tried anew.  */
static long connect_undone(int fd)
{
	tell("first", connect(fd, to(), target_size));
	connect_unspecified(fd);
	return connect_plain(fd);
}

#define R(function) {#function, READS, COUNTS, function}
#define RS(function) {#function, READS, SIMPLE | COUNTS, function}
#define W(function) {#function, WRITES, COUNTS, function}
#define WS(function) {#function, WRITES, SIMPLE | COUNTS, function}

const struct call connection_calls[] = {
	RS(accept_plain), R(accept4_plain), RS(accept4_flags), R(accept4_unknown), R(accept_name), R(accept_short_name),
	R(accept_minus_name), R(accept_no_size), R(accept_bad_name), R(accept_twice), R(accept_reused),
	WS(connect_plain), W(connect_short), W(connect_minus), W(connect_long), W(connect_bad), W(connect_unspecified), W(connect_wrong),
	WS(connect_again), W(connect_send), W(connect_undone),
};

const size_t connection_call_count = sizeof connection_calls / sizeof *connection_calls;
