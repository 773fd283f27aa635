/* flag.c - sets, hides and restores O_NONBLOCK.  The rules are in flag.h.  */
#include "flag.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "config.h"
#include "init.h"
#include "sys.h"
#include "text.h"

enum {
	OWNERS = HINT_NONBLOCK | HINT_SWITCHED,
	INHERITED_MAX = 1024,   /* fds that are looked at when the program starts */
};

/* What children find in their environment.  */
static char setting[512] = "EAGAIN_SWITCH=flag:";

static void note_inherited(int fd, bool first)
{
	fds_mark(fd, HINT_INHERITED, 0);
	if (first && (sys(SYS_fcntl, fd, F_GETFL) & O_NONBLOCK))
		fds_mark(fd, HINT_NONBLOCK, 0);
}

void flag_start(char **entry)
{
	static struct pollfd p[INHERITED_MAX];
	const struct timespec none = {0};
	const char *list = strchr(*entry, ':');

	for (int i = 0; i < INHERITED_MAX; i++)
		p[i].fd = i;
	/* One system call tells which are open; it refuses an array above RLIMIT_NOFILE (poll(2)). */
	if (sys(SYS_ppoll, p, INHERITED_MAX, &none, NULL, 8) < 0)
		for (int i = 0; i < INHERITED_MAX; i++)
			p[i].revents = sys(SYS_fcntl, i, F_GETFD) < 0 ? POLLNVAL : 0;
	for (int i = 0; i < INHERITED_MAX; i++)
		if (!(p[i].revents & POLLNVAL))
			note_inherited(i, !list);
	while (list && *list) {
		int fd = 0;

		for (list++; *list >= '0' && *list <= '9'; list++)
			fd = fd * 10 + (*list - '0');
		if (fds_peek(fd) & HINT_INHERITED)
			fds_mark(fd, HINT_NONBLOCK, 0);
	}
	*entry = (char *)(uintptr_t)flag_setting();
}

static void append_program_fd(int fd, fd_hint hint, void *arg)
{
	struct text *list = arg;

	if (!(hint & HINT_NONBLOCK) || list->end - list->at < 12)
		return;
	text_number(list, (unsigned)fd, 10);
	text_char(list, ',');
}

const char *flag_setting(void)
{
	struct text list = {strchr(setting, ':') + 1, setting + sizeof setting - 1};

	fds_each(append_program_fd, &list);
	*list.at = 0;
	return setting;
}

bool flag_same_description(int a, int b)
{
	long pid = sys(SYS_getpid), result = sys(SYS_kcmp, pid, pid, KCMP_FILE, a, b);
	struct stat sa, sb;

	if (result >= 0)
		return result == 0;
	return sys(SYS_fstat, a, &sa) == 0 && sys(SYS_fstat, b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

struct search {
	int fd;
	uint32_t owner;
};

static void ask_relative(int fd, fd_hint hint, void *arg)
{
	struct search *s = arg;

	if (!s->owner && fd != s->fd && (hint & OWNERS) && flag_same_description(fd, s->fd))
		s->owner = hint & OWNERS;
}

/* O_NONBLOCK is set and nobody is known to have done it: perhaps through another fd of the same description; perhaps, on an
 * inherited fd, an eagain in another process; else the program, in a way that we did not see.  */
static uint32_t find_owner(int fd, fd_hint hint)
{
	struct search s = {fd, 0};

	fds_each(ask_relative, &s);
	if (s.owner)
		return s.owner;
	return hint & HINT_INHERITED ? HINT_SWITCHED : HINT_NONBLOCK;
}

fd_hint flag_look(int fd, fd_hint hint)
{
	long flags = sys(SYS_fcntl, fd, F_GETFL);
	uint32_t owner = 0;

	if (flags >= 0 && (flags & O_NONBLOCK))
		owner = hint & OWNERS ? hint & OWNERS : find_owner(fd, hint);
	if (owner != (hint & OWNERS))
		fds_mark(fd, owner, OWNERS);
	return (hint & ~(uint32_t)OWNERS) | owner;
}

struct change {
	int fd;
	uint32_t owner;
};

static void change_relative(int fd, fd_hint hint, void *arg)
{
	const struct change *c = arg;

	if (fd != c->fd && (hint & OWNERS) && flag_same_description(fd, c->fd))
		fds_mark(fd, c->owner, OWNERS);
}

void flag_is_programs(int fd, bool on)
{
	struct change c = {fd, on ? HINT_NONBLOCK : 0};

	if (config.switching == SWITCH_FLAG)
		fds_each(change_relative, &c);
	fds_mark(fd, c.owner, OWNERS);
}

static void set_flags(int fd, bool on)
{
	long flags = sys(SYS_fcntl, fd, F_GETFL);

	if (flags >= 0 && !(flags & O_NONBLOCK) == on)
		sys(SYS_fcntl, fd, F_SETFL, flags ^ O_NONBLOCK);
}

void flag_on(int fd)
{
	fds_mark(fd, HINT_SWITCHED, 0);
	set_flags(fd, true);
}

void flag_off(int fd)
{
	if (config.switching != SWITCH_FLAG || shim_sandboxed)
		return;
	if (flag_look(fd, fds_peek(fd)) & HINT_SWITCHED) {
		set_flags(fd, false);
		fds_mark(fd, 0, HINT_SWITCHED);
	}
}

static void off_if_ours(int fd, fd_hint hint, void *arg)
{
	(void)arg;
	if (hint & HINT_SWITCHED)
		flag_off(fd);
}

void flag_off_everywhere(void)
{
	if (config.switching == SWITCH_FLAG)
		fds_each(off_if_ours, NULL);
}

void flag_end(void)
{
	flag_off_everywhere();
	config.switching = SWITCH_AUTO;
}
