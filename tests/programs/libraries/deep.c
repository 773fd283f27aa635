/* deep.c - a library with a write of its own, which it prefers to everybody else's (-Bsymbolic, RTLD_DEEPBIND), and which goes to
 * libc's by dlsym(3).  */
#include <dlfcn.h>
#include <unistd.h>

static unsigned written;

ssize_t write(int fd, const void *data, size_t size)
{
	ssize_t (*next)(int, const void *, size_t);

	written++;
	*(void **)&next = dlsym(dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), "write");
	return next(fd, data, size);
}

/* Through a pipe: what was written, and how often its own write was called.  */
long deep_transfer(char *to, size_t size);

long deep_transfer(char *to, size_t size)
{
	int fds[2];
	long n;

	if (pipe(fds) < 0 || write(fds[1], "deep", 4) != 4)
		return -1;
	n = read(fds[0], to, size);
	close(fds[0]);
	close(fds[1]);
	return n * 10 + written;
}
