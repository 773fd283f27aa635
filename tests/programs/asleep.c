/* asleep [PID] - waits until the process sleeps: it has come to where it waits.  Without PID, until all do that read from the
 * pipe that is stdout, and those that read from theirs: what is written now, or the end, is what they wait for.  Ends with 1 where
 * there is none.  */
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "state.h"

enum { LOOKS = 3 };

enum found { NONE, AWAKE, ASLEEP };

static enum found look_at(const char *pid)
{
	char state = state_of(pid);

	return !state || strchr("ZX", state) ? NONE : state == 'S' ? ASLEEP : AWAKE;
}

/* The pipe that it is, if it is one.  */
static bool get_pipe(const char *pid, int fd, char *name, size_t size)
{
	char path[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%s/fd/%d", pid, fd);
	n = readlink(path, name, size - 1);
	name[n > 0 ? n : 0] = 0;
	return n > 0 && !strncmp(name, "pipe:", 5);
}

/* All that read from the pipe on stdin, and from those on their stdouts.  */
static enum found look_behind(const char *pipe_name)
{
	enum found all = NONE;
	DIR *dir = opendir("/proc");

	for (struct dirent *e; dir && all != AWAKE && (e = readdir(dir));) {
		char in[64], out[64];
		enum found one;

		if (e->d_name[0] < '1' || e->d_name[0] > '9' || !get_pipe(e->d_name, 0, in, sizeof in))
			continue;
		if (strcmp(in, pipe_name) != 0)
			continue;
		one = look_at(e->d_name);
		if (one == ASLEEP && get_pipe(e->d_name, 1, out, sizeof out) && strcmp(in, out) != 0 && look_behind(out) == AWAKE)
			one = AWAKE;
		if (one != NONE)
			all = one;
	}
	if (dir)
		closedir(dir);
	return all;
}

int main(int argc, char **argv)
{
	char out[64] = "";
	int looks = 0;

	if (argc < 2 && !get_pipe("self", 1, out, sizeof out))
		return 1;
	/* Its reader may have yet to begin. */
	for (int none = 0; looks < LOOKS && none < 10000;) {
		enum found found = argc > 1 ? look_at(argv[1]) : look_behind(out);

		if (found == NONE && argc > 1)
			return 1;
		none = found == NONE ? none + 1 : 0;
		looks = found == ASLEEP ? looks + 1 : 0;
		nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
	}
	return looks < LOOKS;
}
