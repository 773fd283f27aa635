/* given.c - given pipe|socket|terminal blocking|nonblock CMD...: becomes CMD, which is given two new pairs of fds:
 * 0 is to be read, 3 is its other end; 2 is to be written, 4 is its other end.  O_NONBLOCK is on 0 and 2, or is not.  */
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

static int make(const char *kind, int pair[2])
{
	struct termios t;

	if (!strcmp(kind, "pipe"))
		return pipe(pair);
	if (!strcmp(kind, "socket"))
		return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	if (openpty(&pair[1], &pair[0], NULL, NULL, NULL) < 0 || tcgetattr(pair[0], &t) < 0)
		return -1;
	cfmakeraw(&t);
	return tcsetattr(pair[0], TCSANOW, &t);
}

static int set_up(const char *kind, int flag)
{
	int in[2], out[2];

	if (make(kind, in) < 0 || make(kind, out) < 0)
		return -1;
	/* Of a pipe the second is for writing; of the others both are. */
	if (strcmp(kind, "pipe") != 0) {
		int own = out[0];

		out[0] = out[1];
		out[1] = own;
	}
	if (fcntl(in[0], F_SETFL, fcntl(in[0], F_GETFL) | flag) < 0 || fcntl(out[1], F_SETFL, fcntl(out[1], F_GETFL) | flag) < 0)
		return -1;
	for (int *fd = in; fd; fd = fd == in ? out : NULL)
		for (int i = 0; i < 2; i++) {
			int high = fcntl(fd[i], F_DUPFD_CLOEXEC, 10);

			close(fd[i]);
			fd[i] = high;
		}
	return dup2(in[0], 0) < 0 || dup2(in[1], 3) < 0 || dup2(out[1], 2) < 0 || dup2(out[0], 4) < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	if (argc < 4 || set_up(argv[1], strcmp(argv[2], "nonblock") ? 0 : O_NONBLOCK) < 0) {
		fputs("usage: given pipe|socket|terminal blocking|nonblock CMD...\n", stderr);
		return 2;
	}
	execvp(argv[3], argv + 3);
	return 127;
}
