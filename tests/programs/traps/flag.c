/* flag.c - O_NONBLOCK, as the program sees it.  */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traps.h"

static void show(const char *when, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		tell("%s: %s", when, result_text(flags));
	else
		tell("%s: %d", when, !!(flags & O_NONBLOCK));
}

static void use(const int fds[2])
{
	char c;

	need(write(fds[1], "x", 1) == 1 && read(fds[0], &c, 1) == 1, "use");
}

/* F_GETFL, F_SETFL, FIONBIO, dup and fork, before and after use.  */
static void own_view(char **argv)
{
	char c;

	(void)argv;
	for (int sockets = 0; sockets < 2; sockets++) {
		int fds[2], copy, on = 1, off = 0;

		if (sockets)
			make_sockets(SOCK_STREAM, fds);
		else
			make_pipe(fds);
		show("new", fds[0]);
		use(fds);
		show("used", fds[0]);
		copy = dup(fds[0]);
		show("copy", copy);
		fcntl(copy, F_SETFL, fcntl(copy, F_GETFL) | O_NONBLOCK);
		show("set through the copy", fds[0]);
		tell("read: %s", result_text(read(fds[0], &c, 1)));
		tell("read of the copy: %s", result_text(read(copy, &c, 1)));
		ioctl(fds[0], FIONBIO, &off);
		show("cleared by FIONBIO", copy);
		use(fds);
		ioctl(copy, FIONBIO, &on);
		show("set by FIONBIO", fds[0]);
		tell("read: %s", result_text(read(fds[0], &c, 1)));
		fcntl(fds[0], F_SETFL, 0);
		use(fds);
		if (fork() == 0) {
			show("in a child", fds[0]);
			fcntl(fds[0], F_SETFL, O_NONBLOCK);
			tell("read there: %s", result_text(read(fds[0], &c, 1)));
			_exit(0);
		}
		wait(NULL);
		close(copy);
		close(fds[0]);
		close(fds[1]);
	}
	tell("bad fd: %s", result_text(fcntl(-1, F_GETFL)));
	show("O_NONBLOCK from the start", (int)syscall(SYS_eventfd2, 0, O_NONBLOCK));
}

/* What the kernel says, after use; then what an unseen look through the kernel finds when everything is closed but a copy that
 * another process holds.  For --switch=flag: "flags while in use: 1".  */
static void kernel_view(char **argv)
{
	char path[64], line[64];
	unsigned flags = 0;
	int fds[2];
	FILE *f;

	(void)argv;
	make_pipe(fds);
	use(fds);
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fds[0]);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "flags: %o", &flags) == 1)
			tell("flags while in use: %d", !!(flags & O_NONBLOCK));
	if (f)
		fclose(f);
}

/* stdin's flag, read through the kernel by a process that does nothing else: for use before and after.  */
static void stdin_flag(char **argv)
{
	(void)argv;
	tell("stdin: %d", !!(hidden_syscall(SYS_fcntl, 0, F_GETFL, 0) & O_NONBLOCK));
}

/* Uses stdin, then ends in the way that argv names.  */
static void use_stdin_and_end(char **argv)
{
	char c;

	need(argv[0] && read(0, &c, 1) == 1, "stdin");
	switch (argv[0][0]) {
	case 'e': exit(0);
	case '_': _exit(0);
	case 'q': quick_exit(0);
	case 'x': execlp("true", "true", (char *)NULL); break;
	case 'c': close(0); _exit(0);
	case 'k': raise(SIGKILL); break;
	case 'a': abort();
	}
}

const struct trap flag_traps[] = {
	{"own-view", own_view}, {"kernel-view", kernel_view}, {"stdin-flag", stdin_flag}, {"use-stdin-and-end", use_stdin_and_end},
	{NULL, NULL},
};
