/* lttng.c - a library to preload that puts an LTTng tracepoint before and one after each of the calls that calls.c makes: what
 * somebody would write who wants of LTTng what eagain records of a call that does not wait.  */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "points.h"

#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ, WRITE, PREAD, SEND, RECV };

/* name, number, parameters, arguments */
#define CALLS(X)                                                                                                                   \
	X(read, READ, (int fd, void *data, size_t size), (fd, data, size))                                                         \
	X(write, WRITE, (int fd, const void *data, size_t size), (fd, data, size))                                                 \
	X(pread, PREAD, (int fd, void *data, size_t size, off_t at), (fd, data, size, at))                                         \
	X(send, SEND, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags))                                 \
	X(recv, RECV, (int fd, void *data, size_t size, int flags), (fd, data, size, flags))

#define POINTER(name, number, parameters, arguments) static ssize_t(*real_##name) parameters;
CALLS(POINTER)

__attribute__((constructor)) static void find(void)
{
#define FIND(name, number, parameters, arguments) *(void **)&real_##name = dlsym(RTLD_NEXT, #name);
	CALLS(FIND)
}

/* LTTng's own constructors make calls before that. */
#define WRAP(name, number, parameters, arguments)                                                                                  \
	ssize_t name parameters                                                                                                    \
	{                                                                                                                          \
		ssize_t result;                                                                                                    \
                                                                                                                                   \
		if (!real_##name)                                                                                                  \
			find();                                                                                                    \
		lttng_ust_tracepoint(bench, enter, number, fd, size);                                                              \
		result = real_##name arguments;                                                                                    \
		lttng_ust_tracepoint(bench, leave, number, result);                                                                \
		return result;                                                                                                     \
	}
CALLS(WRAP)
