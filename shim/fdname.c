/* fdname.c - what a person would call an fd: from the inode, the socket's addresses, or the link in /proc.  */
#include "fdname.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/un.h>

#include "sys.h"
#include "text.h"

#define PIPEFS_MAGIC 0x50495045         /* linux/magic.h */

size_t fd_link(int fd, char *text, size_t size)
{
	char path[32];
	struct text t = {path, path + sizeof path - 1};
	long n;

	text_string(&t, "/proc/self/fd/");
	text_number(&t, (unsigned)fd, 10);
	*t.at = 0;
	n = sys(SYS_readlinkat, AT_FDCWD, path, text, size);
	return n < 0 ? 0 : (size_t)n;
}

bool fd_is_on_pipefs(int fd)
{
	struct statfs s;

	return sys(SYS_fstatfs, fd, &s) == 0 && s.f_type == PIPEFS_MAGIC;
}

static void ipv4(struct text *t, const uint8_t *byte)
{
	for (int i = 0; i < 4; i++) {
		if (i)
			text_char(t, '.');
		text_number(t, byte[i], 10);
	}
}

/* RFC 5952 in the main: the longest run of zero groups is "::".  */
static void ipv6(struct text *t, const uint8_t *byte)
{
	unsigned group[8];
	int best = -1, best_length = 1;

	for (size_t i = 0; i < 8; i++)
		group[i] = (unsigned)byte[2 * i] << 8 | byte[2 * i + 1];
	for (int i = 0; i < 8; i++) {
		int n = 0;

		while (i + n < 8 && !group[i + n])
			n++;
		if (n > best_length) {
			best = i;
			best_length = n;
		}
	}
	for (int i = 0; i < 8; i++) {
		if (i == best) {
			text_string(t, "::");
			i += best_length - 1;
			continue;
		}
		if (i && i != best + best_length)
			text_char(t, ':');
		text_number(t, group[i], 16);
	}
}

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

/* Appends an address; false where there is none to speak of.  */
static bool append_address(struct text *t, const union address *a, socklen_t size)
{
	if (a->any.sa_family == AF_INET && size >= sizeof a->in) {
		ipv4(t, (const uint8_t *)&a->in.sin_addr);
		text_char(t, ':');
		text_number(t, ntohs(a->in.sin_port), 10);
		return true;
	}
	if (a->any.sa_family == AF_INET6 && size >= sizeof a->in6) {
		/* The peer, on a socket of its own family, knows it so. */
		if (IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr)) {
			ipv4(t, &a->in6.sin6_addr.s6_addr[12]);
		} else {
			text_char(t, '[');
			ipv6(t, a->in6.sin6_addr.s6_addr);
			text_char(t, ']');
		}
		text_char(t, ':');
		text_number(t, ntohs(a->in6.sin6_port), 10);
		return true;
	}
	if (a->any.sa_family == AF_UNIX && size > offsetof(struct sockaddr_un, sun_path)) {
		size_t n = size - offsetof(struct sockaddr_un, sun_path);

		for (size_t i = 0; i < n && (a->un.sun_path[i] || !i); i++)
			text_char(t, a->un.sun_path[i] ? a->un.sun_path[i] : '@');      /* an abstract name */
		return true;
	}
	return false;
}

static bool append_own_address(struct text *t, int fd, long nr)
{
	union address a;
	socklen_t size = sizeof a;

	memset(&a, 0, sizeof a.any);
	return sys(nr, fd, &a, &size) == 0 && append_address(t, &a, size < sizeof a ? size : (socklen_t)sizeof a);
}

static bool name_socket(struct text *t, int fd, enum fd_kind kind)
{
	int domain = 0;
	socklen_t size = sizeof domain;
	char *start = t->at;

	if (sys(SYS_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0)
		return false;
	if (domain == AF_UNIX) {
		text_string(t, "unix:");
		if (append_own_address(t, fd, SYS_getsockname) || append_own_address(t, fd, SYS_getpeername))
			return true;
	} else if (domain == AF_INET || domain == AF_INET6) {
		text_string(t, kind == KIND_dgram ? "udp " : kind == KIND_stream ? "tcp " : "ip ");
		if (append_own_address(t, fd, SYS_getsockname)) {
			char *end = t->at;

			text_string(t, "->");
			if (!append_own_address(t, fd, SYS_getpeername))
				t->at = end;
			return true;
		}
	}
	t->at = start;
	return false;
}

size_t fd_name(int fd, enum fd_kind kind, char *text, size_t size, uint64_t *inode, int *access)
{
	struct stat st;
	struct text t = {text, text + size};
	long flags = sys(SYS_fcntl, fd, F_GETFL);

	*access = flags < 0 ? O_RDWR : (int)(flags & O_ACCMODE);
	*inode = sys(SYS_fstat, fd, &st) < 0 ? 0 : st.st_ino;
	switch (kind) {
	case KIND_stream: case KIND_dgram: case KIND_seqpacket: case KIND_socket:
		if (name_socket(&t, fd, kind))
			break;
		text_string(&t, "socket:[");
		text_number(&t, *inode, 10);
		text_char(&t, ']');
		break;
	case KIND_pipe:
		text_string(&t, "pipe:[");
		text_number(&t, *inode, 10);
		text_char(&t, ']');
		break;
	default:
		t.at += fd_link(fd, text, size);
	}
	return (size_t)(t.at - text);
}
