/* layer.c - a library that, preloaded, changes what a call does, as libfaketime and torsocks do: what is read is in capitals.  */
#include <ctype.h>
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>

ssize_t read(int fd, void *buffer, size_t size)
{
	ssize_t (*next)(int, void *, size_t);
	ssize_t n;
	char *c = buffer;

	*(void **)&next = dlsym(RTLD_NEXT, "read");
	n = next(fd, buffer, size);
	for (ssize_t i = 0; i < n; i++)
		c[i] = (char)toupper((unsigned char)c[i]);
	return n;
}

/* Its clock is not made for the shim.  */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	(void)now;
	_exit(96);
}
