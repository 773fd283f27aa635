/* killed.c - killed FILE: two threads and a child, each of which writes a byte to a pipe and reads it, again and again, until
 * somebody kills them.  FILE tells of each how far it had come: its tid, and how often it has done so.  */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct progress {
	uint64_t tid, rounds;
} * progress;

static void fail(const char *what)
{
	perror(what);
	_exit(99);
}

static void *work(void *at)
{
	struct progress *p = at;
	struct timespec moment = {.tv_nsec = 1000};
	int fds[2];
	char c;

	if (pipe(fds) < 0)
		fail("pipe");
	__atomic_store_n(&p->tid, (uint64_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	for (uint64_t round = 1;; round++) {
		if (write(fds[1], "x", 1) != 1 || read(fds[0], &c, 1) != 1)
			fail("pipe");
		__atomic_store_n(&p->rounds, round, __ATOMIC_RELEASE);
		nanosleep(&moment, NULL);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int fd = argc > 1 ? open(argv[1], O_RDWR | O_CREAT, 0600) : -1;
	pthread_t thread;

	if (fd < 0 || ftruncate(fd, 4096) < 0)
		fail("file");
	progress = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (progress == MAP_FAILED)
		fail("mmap");
	if (fork() == 0)
		work(&progress[0]);
	if (pthread_create(&thread, NULL, work, &progress[1]) != 0)
		fail("pthread_create");
	work(&progress[2]);
}
