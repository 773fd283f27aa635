/* main.c - aio NAME [ARGUMENT...]: shows that behaviour; aio list: all names.  */
#include "aio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../state.h"

static const struct behaviour *const tables[] = {
	life_behaviours, notice_behaviours, transfer_behaviours, wait_behaviours, stream_behaviours,
	waiting_behaviours, NULL,
};

void tell(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	putchar('\n');
	fflush(stdout);
}

void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "aio: %s: %s\n", what, strerror(errno));
	_exit(99);
}

const char *result_text(long result)
{
	static __thread char text[64];

	if (result >= 0)
		snprintf(text, sizeof text, "%ld", result);
	else
		snprintf(text, sizeof text, "%ld %s", result, strerrorname_np(errno));
	return text;
}

unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 7 + i / 256);
}

int data_file(size_t size, int flags)
{
	unsigned char *bytes = malloc(size + 1);
	int fd = open("data", O_CREAT | O_TRUNC | O_RDWR, 0600);

	for (size_t i = 0; i < size; i++)
		bytes[i] = pattern(i);
	need(fd >= 0 && write(fd, bytes, size) == (ssize_t)size, "data");
	close(fd);
	free(bytes);
	fd = open("data", flags);
	need(fd >= 0, "data");
	return fd;
}

struct aiocb request(int fd, void *buffer, size_t size, off_t offset)
{
	return (struct aiocb){
		.aio_fildes = fd, .aio_buf = buffer, .aio_nbytes = size, .aio_offset = offset, .aio_sigevent.sigev_notify = SIGEV_NONE,
	};
}

long await(struct aiocb *b)
{
	const struct aiocb *list[] = {b};
	int error;

	while ((error = aio_error(b)) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	errno = error;
	return aio_return(b);
}

bool is_over(const struct aiocb *b)
{
	struct timespec pause = {.tv_nsec = 1000000};

	for (int i = 0; i < 10000 && aio_error(b) == EINPROGRESS; i++)
		nanosleep(&pause, NULL);
	return aio_error(b) != EINPROGRESS;
}

static bool sleeps(const char *tid)
{
	char task[300];

	snprintf(task, sizeof task, "self/task/%s", tid);
	return strchr("SZX", state_of(task));
}

static bool others_sleep(void)
{
	DIR *dir = opendir("/proc/self/task");
	bool all = true;

	for (struct dirent *e; dir && all && (e = readdir(dir));)
		all = e->d_name[0] == '.' || atoi(e->d_name) == (pid_t)syscall(SYS_gettid) || sleeps(e->d_name);
	if (dir)
		closedir(dir);
	return all;
}

static void pause_for(long us)
{
	struct timespec pause = {.tv_nsec = us * 1000};

	nanosleep(&pause, NULL);
}

/* Who serves may have the processor only now.  */
static void pause_until_others_sleep(long us)
{
	pause_for(us);
	for (int looks = 0; looks < 3; looks = others_sleep() ? looks + 1 : 0)
		pause_for(100);
}

void moment(void)
{
	pause_until_others_sleep(50000);
}

void settle(void)
{
	pause_until_others_sleep(10000);
}

void tell_end(const char *what, struct aiocb *b)
{
	tell("%s: %s", what, result_text(await(b)));
}

int main(int argc, char **argv)
{
	for (const struct behaviour *const *table = tables; *table; table++)
		for (const struct behaviour *b = *table; b->name; b++) {
			if (argc > 1 && !strcmp(argv[1], "list"))
				puts(b->name);
			if (argc < 2 || strcmp(argv[1], b->name) != 0)
				continue;
			b->show(argv + 2);
			return 0;
		}
	return argc > 1 && !strcmp(argv[1], "list") ? 0 : 98;
}
