/* flag.c - sets, hides and restores O_NONBLOCK.  The rules are in flag.h.  */
#include "flag.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/stat.h>

#include "config.h"
#include "init.h"
#include "sys.h"

bool flag_same_description(int a, int b)
{
	long pid = sys(SYS_getpid), result = sys(SYS_kcmp, pid, pid, KCMP_FILE, a, b);
	struct stat sa, sb;

	if (result >= 0)
		return result == 0;
	return sys(SYS_fstat, a, &sa) == 0 && sys(SYS_fstat, b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* Of an O_NONBLOCK that was there a moment ago.  With O_ASYNC the signal is the program's.  */
static uint32_t find_owner(int fd, long flags)
{
	if (!(flags & O_ASYNC) && sys(SYS_fcntl, fd, F_GETSIG) == FLAG_MARK)
		return HINT_SWITCHED;
	/* Perhaps it has just been cleared, and the mark with it. */
	return sys(SYS_fcntl, fd, F_GETFL) & O_NONBLOCK ? HINT_NONBLOCK : 0;
}

fd_hint flag_look(int fd, fd_hint hint)
{
	const uint32_t owners = HINT_NONBLOCK | HINT_SWITCHED;
	long flags = sys(SYS_fcntl, fd, F_GETFL);
	uint32_t owner = 0;

	if (flags >= 0 && (flags & O_NONBLOCK))
		owner = find_owner(fd, flags);
	if (owner != (hint & owners))
		fds_mark(fd, owner, owners);
	return (hint & ~owners) | owner;
}

void flag_is_programs(int fd, bool on)
{
	fds_mark(fd, on ? HINT_NONBLOCK : 0, HINT_NONBLOCK | HINT_SWITCHED);
}

bool flag_on(int fd)
{
	long flags = sys(SYS_fcntl, fd, F_GETFL);

	if (flags < 0 || (flags & O_ASYNC))
		return false;
	if (flags & O_NONBLOCK)
		return find_owner(fd, flags) == HINT_SWITCHED;
	/* A signal of the program's own; or the mark of somebody who is just setting or clearing the two, or was killed in between. */
	if (sys(SYS_fcntl, fd, F_GETSIG) != 0 || sys(SYS_fcntl, fd, F_SETSIG, FLAG_MARK) < 0)
		return false;
	fds_mark(fd, HINT_SWITCHED, 0);
	return sys(SYS_fcntl, fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

void flag_off(int fd)
{
	if (config.switching != SWITCH_FLAG || shim_sandboxed || !(flag_look(fd, fds_peek(fd)) & HINT_SWITCHED))
		return;
	sys(SYS_fcntl, fd, F_SETFL, sys(SYS_fcntl, fd, F_GETFL) & ~O_NONBLOCK);
	sys(SYS_fcntl, fd, F_SETSIG, 0);
	fds_mark(fd, 0, HINT_SWITCHED);
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
