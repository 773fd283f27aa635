/* alloc.c - a malloc of its own, as other allocators are: at each call it holds a lock, at the first ones it asks dlsym(3), reads
 * a file and writes to a pipe, all of which may come back to it.  */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AREA = 64 << 20 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread int inside;
static char *area;
static size_t used;
static int asked;

/* What a malloc finds out about the machine when it is first called.  */
static void ask(void)
{
	struct stat st;
	char c = 0;
	int fd = open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC), fds[2];

	if (fd >= 0 && fstat(fd, &st) == 0 && read(fd, &c, 1) == 1)
		close(fd);
	if (pipe(fds) == 0 && write(fds[1], &c, 1) == 1 && read(fds[0], &c, 1) == 1)
		close(fds[0]), close(fds[1]);
	asked += dlsym(RTLD_NEXT, "malloc") != NULL && dlsym(RTLD_DEFAULT, "read") != NULL;
}

static void *take(size_t alignment, size_t size)
{
	int saved = errno;
	char *p = NULL;

	if (alignment < 16)
		alignment = 16;
	if (!inside)
		pthread_mutex_lock(&lock);
	inside++;
	if (!area)
		area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (inside == 1 && asked < 3)
		ask();
	used = (used + 16 + alignment - 1) & ~(alignment - 1);
	if (size <= AREA - used) {
		p = area + used;
		memcpy(p - sizeof size, &size, sizeof size);
		used += size;
	}
	inside--;
	if (!inside)
		pthread_mutex_unlock(&lock);
	errno = p ? saved : ENOMEM;
	return p;
}

void *malloc(size_t size)
{
	return take(16, size);
}

void free(void *p)
{
	(void)p;
}

/* The area is zero, and nothing is used twice.  */
void *calloc(size_t n, size_t size)
{
	return size && n > SIZE_MAX / size ? NULL : take(16, n * size);
}

void *realloc(void *old, size_t size)
{
	size_t had;
	void *p = take(16, size);

	if (!old || !p)
		return p;
	memcpy(&had, (char *)old - sizeof had, sizeof had);
	return memcpy(p, old, had < size ? had : size);
}

void *memalign(size_t alignment, size_t size)
{
	return take(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return take(alignment, size);
}

int posix_memalign(void **p, size_t alignment, size_t size)
{
	*p = take(alignment, size);
	return *p ? 0 : ENOMEM;
}
