/* state.h - what a process or thread is doing.  */
#ifndef EAGAIN_TESTS_STATE_H
#define EAGAIN_TESTS_STATE_H

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The letter of proc(5), "state", of /proc/TASK, as "1" or "self/task/1"; 0: it is not there.  */
static inline char state_of(const char *task)
{
	char path[PATH_MAX], text[512], *state;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%s/stat", task);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	state = strrchr(text, ')');
	return state ? state[2] : 0;
}

#endif
