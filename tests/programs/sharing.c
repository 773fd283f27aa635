/* sharing HOW - a child that shares its parent's memory closes fd 10, and duplicates another to 11, and ends; its parent, who has
 * both, then closes 12.  HOW the child is made: vfork, __vfork, clone or __clone.  */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern pid_t __vfork(void);
extern int __clone(int (*)(void *), void *, int, void *, ...);

static _Alignas(16) char stack[65536];

static int child(void *unused)
{
	(void)unused;
	close(10);
	dup2(12, 11);
	_exit(0);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	int status;
	pid_t pid;

	for (int fd = 10; fd <= 12; fd++)
		if (dup2(0, fd) != fd || read(fd, &status, 1) < 0)
			return 1;
	if (!strcmp(how, "vfork")) {
		if ((pid = vfork()) == 0)
			child(NULL);
	} else if (!strcmp(how, "__vfork")) {
		if ((pid = __vfork()) == 0)
			child(NULL);
	} else if (!strcmp(how, "clone")) {
		pid = clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
	} else {
		pid = __clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		return 2;
	close(12);
	return 0;
}
