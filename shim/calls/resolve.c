/* resolve.c - names of hosts, looked up while something is recorded: which servers libc asks, and how, is its own.  Inside of the call
 * only the modules of nsswitch.conf(5) are seen that are no part of libc.  */
#include <netdb.h>

#include "calls.h"

/* Its errors are no errno, but mean the same.  */
static long error_of(int result)
{
	switch (result) {
	case 0: return 0;
	case EAI_SYSTEM: return -errno;
	case EAI_AGAIN: return -EAGAIN;
	case EAI_MEMORY: return -ENOMEM;
	case EAI_NONAME: case EAI_NODATA: return -ENOENT;
	case EAI_OVERFLOW: return -ENOSPC;
	default: return -EINVAL;
	}
}

EXPORT int getaddrinfo(const char *restrict name, const char *restrict service, const struct addrinfo *restrict hints,
		       struct addrinfo **restrict found)
{
	UNRECORDED(EAI_FAIL, getaddrinfo, name, service, hints, found);
	return RECORDED(int, CALL_getaddrinfo, -1, libc.getaddrinfo(name, service, hints, found), error_of(value_));
}

EXPORT int getnameinfo(const struct sockaddr *restrict address, socklen_t size, char *restrict host, socklen_t host_size,
		       char *restrict service, socklen_t service_size, int flags)
{
	UNRECORDED(EAI_FAIL, getnameinfo, address, size, host, host_size, service, service_size, flags);
	return RECORDED(int, CALL_getnameinfo, -1, libc.getnameinfo(address, size, host, host_size, service, service_size, flags),
			error_of(value_));
}

/* The older ones: those that return what they have found, and those that put it into the caller's memory and return an errno.  */
#define FINDS(name, call, parameters, ...)                                                                            \
	EXPORT struct hostent *name parameters                                                                        \
	{                                                                                                             \
		UNRECORDED(NULL, name, __VA_ARGS__);                                                                  \
		return RECORDED(struct hostent *, call, -1, libc.name(__VA_ARGS__), value_ ? 0 : -ENOENT);            \
	}

#define STORES(name, call, parameters, ...)                                                                           \
	EXPORT int name parameters                                                                                    \
	{                                                                                                             \
		UNRECORDED(EAGAIN, name, __VA_ARGS__);                                                                \
		return RECORDED(int, call, -1, libc.name(__VA_ARGS__), value_ ? -value_ : *found ? 0 : -ENOENT);      \
	}

FINDS(gethostbyname, CALL_gethostbyname, (const char *host), host)
FINDS(gethostbyname2, CALL_gethostbyname, (const char *host, int family), host, family)
FINDS(gethostbyaddr, CALL_gethostbyaddr, (const void *address, socklen_t size, int family), address, size, family)
STORES(gethostbyname_r, CALL_gethostbyname,
       (const char *restrict host, struct hostent *restrict to, char *restrict buffer, size_t size, struct hostent **restrict found,
	int *restrict error), host, to, buffer, size, found, error)
STORES(gethostbyname2_r, CALL_gethostbyname,
       (const char *restrict host, int family, struct hostent *restrict to, char *restrict buffer, size_t size,
	struct hostent **restrict found, int *restrict error), host, family, to, buffer, size, found, error)
STORES(gethostbyaddr_r, CALL_gethostbyaddr,
       (const void *restrict address, socklen_t length, int family, struct hostent *restrict to, char *restrict buffer, size_t size,
	struct hostent **restrict found, int *restrict error), address, length, family, to, buffer, size, found, error)
