/* proc.c - reads /proc/PID/stat, /proc/PID/task/TID/stat, syscall, and where that is only for those who may trace the
 * process, wchan.  */
#include "proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shim/shim.h"
#include "shim/sys.h"

/* Reads a small file; returns its size, 0 if it cannot be read.  */
static size_t read_file(const char *name, char *text, size_t size)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	return n > 0 ? (size_t)n : 0;
}

static size_t read_of(uint32_t pid, uint32_t tid, const char *what, char *text, size_t size)
{
	char name[64];

	if (tid)
		snprintf(name, sizeof name, "/proc/%" PRIu32 "/task/%" PRIu32 "/%s", pid, tid, what);
	else
		snprintf(name, sizeof name, "/proc/%" PRIu32 "/%s", pid, what);
	return read_file(name, text, size);
}

/* Processes are dated by a clock that goes on while the machine is suspended.  */
static uint64_t suspended_ns(void)
{
	struct timespec boot, now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	return (uint64_t)(boot.tv_sec - now.tv_sec) * 1000000000 + (uint64_t)boot.tv_nsec - (uint64_t)now.tv_nsec;
}

bool proc_look(uint32_t pid, uint32_t tid, struct proc *p)
{
	char text[1024];
	const char *rest = read_of(pid, tid, "stat", text, sizeof text) ? strrchr(text, ')') : NULL, *name = strchr(text, '(');
	unsigned long long user, system, threads, start;
	uint64_t tick_ns = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK), boot_ns;

	/* The name may hold whatever it likes; fields 3, 14, 15, 20 and 22 stand behind it. */
	if (!rest || sscanf(rest, ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu %*s %*s %*s %*s %llu %*s %llu",
			    &p->state, &user, &system, &threads, &start) != 5)
		return false;
	/* A process's first thread may have ended before others. */
	if (p->state == 'Z' && (tid || threads <= 1))
		return false;
	snprintf(p->name, sizeof p->name, "%.*s", name && name < rest ? (int)(rest - name) - 1 : 0, name ? name + 1 : "");
	p->cpu_ns = (user + system) * tick_ns;
	boot_ns = start * tick_ns;
	p->start_ns = boot_ns > suspended_ns() ? boot_ns - suspended_ns() : 0;
	return true;
}

void proc_threads(uint32_t pid, void (*visit)(uint32_t tid, void *arg), void *arg)
{
	char name[64];
	DIR *d;

	snprintf(name, sizeof name, "/proc/%" PRIu32 "/task", pid);
	d = opendir(name);
	for (struct dirent *e; d && (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.')
			visit((uint32_t)strtoul(e->d_name, NULL, 10), arg);
	if (d)
		closedir(d);
}

/* Those of calls.def by their numbers, and some others in which threads wait; some serve several.  */
static void name_call(struct proc_call *c)
{
	static const struct {
		long number;
		unsigned call;
		const char *name;
	} calls[] = {
#define CALL(id, name, wait, class, number) {number, CALL_##id, name},
#include "shim/calls.def"
#undef CALL
		{SYS_futex, CALL_none, "futex"}, {SYS_restart_syscall, CALL_none, "restart_syscall"}, {SYS_fcntl, CALL_none, "fcntl"},
		{SYS_msgrcv, CALL_none, "msgrcv"}, {SYS_msgsnd, CALL_none, "msgsnd"}, {SYS_semop, CALL_none, "semop"},
		{SYS_semtimedop, CALL_none, "semtimedop"},
	};

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (calls[i].number == c->number) {
			c->call = calls[i].call;
			c->name = calls[i].name;
			return;
		}
}

bool proc_call(uint32_t pid, uint32_t tid, struct proc_call *c)
{
	char text[256];
	size_t n = read_of(pid, tid, "syscall", text, sizeof text);

	*c = (struct proc_call){.number = -1};
	if (!strncmp(text, "running", 7))
		return false;
	/* Blocked outside of a call, in a page fault perhaps, it is -1. */
	if (n && sscanf(text, "%ld %lx %lx %lx", &c->number, (unsigned long *)&c->arg[0], (unsigned long *)&c->arg[1],
			(unsigned long *)&c->arg[2]) == 4 && c->number >= 0) {
		c->known = true;
		name_call(c);
	}
	if (!n && (!read_of(pid, tid, "wchan", c->place, sizeof c->place) || !strcmp(c->place, "0")))
		c->place[0] = 0;
	return true;
}
