/* own.c - a program that defines functions of libc itself, and makes its calls before any library is ready (.preinit_array).  */
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned closed, reads;

int close(int fd)
{
	closed++;
	return (int)syscall(SYS_close, fd);
}

ssize_t read(int fd, void *to, size_t n)
{
	reads++;
	return syscall(SYS_read, fd, to, n);
}

static char transfer(void)
{
	int fds[2];
	char c = 0;

	if (pipe(fds) < 0 || write(fds[1], "x", 1) != 1 || read(fds[0], &c, 1) != 1 || close(fds[0]) < 0 || close(fds[1]) < 0)
		return '-';
	return c;
}

static char early;

static void before_everything(int argc, char **argv, char **environment)
{
	(void)argc;
	(void)argv;
	(void)environment;
	early = transfer();
}

__attribute__((section(".preinit_array"), used)) static void (*const preinit)(int, char **, char **) = before_everything;

/* The number of a pipe that its own close has taken means a file next, and then a pipe again.  */
int main(void)
{
	int fds[2], status;
	char c = 0;

	printf("before everything: %c\n", early);
	for (int i = 0; i < 3; i++)
		printf("transfer: %c\n", transfer());
	if (pipe(fds) < 0 || fflush(stdout))
		return 1;
	if (fork() == 0) {
		usleep(20000);
		_exit(write(fds[1], "y", 1) != 1);
	}
	close(fds[1]);
	if (read(fds[0], &c, 1) == 1)
		printf("read: %c\n", c);
	printf("end: %d\n", (int)read(fds[0], &c, 1));
	wait(&status);
	close(fds[0]);
	if (close(fds[0]) < 0)
		printf("closed twice: %d\n", errno == EBADF);
	printf("own: %u %u\n", closed, reads);
	return 0;
}
