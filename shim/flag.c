/* flag.c - sets, hides and restores O_NONBLOCK.  The rules are in flag.h.  */
#include "flag.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <sys/stat.h>

#include "config.h"
#include "init.h"
#include "sys.h"

bool flag_same_description(int a, int b)
{
	long tid = sys(SYS_gettid), result = sys(SYS_kcmp, tid, tid, KCMP_FILE, a, b);
	struct stat sa, sb;

	if (result >= 0)
		return result == 0;
	return sys(SYS_fstat, a, &sa) == 0 && sys(SYS_fstat, b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* A file may have been opened with both.  */
bool flag_is_ours(int fd, long flags)
{
	enum { FILES = 1u << KIND_file | 1u << KIND_directory | 1u << KIND_block | 1u << KIND_device };

	return flags >= 0 && (flags & O_NONBLOCK) && (flags & FLAG_MARK) && !(FILES >> HINT_KIND(fds_hint(fd)) & 1);
}

fd_hint flag_look(int fd, fd_hint hint)
{
	const uint32_t owners = HINT_NONBLOCK | HINT_SWITCHED;
	long flags = sys(SYS_fcntl, fd, F_GETFL);
	uint32_t owner = 0;

	/* In doubt it is the plain call. */
	if (flags < 0)
		return hint | HINT_NONBLOCK;
	if (flags & O_NONBLOCK)
		owner = flag_is_ours(fd, flags) ? HINT_SWITCHED : HINT_NONBLOCK;
	if (owner != (hint & owners))
		fds_mark(fd, owner, owners);
	return (hint & ~owners) | owner;
}

void flag_is_programs(int fd, bool on)
{
	long flags = on && config.switching == SWITCH_FLAG ? sys(SYS_fcntl, fd, F_GETFL) : -EBADF;

	/* FIONBIO leaves the mark. */
	if (flag_is_ours(fd, flags))
		sys(SYS_fcntl, fd, F_SETFL, flags & ~FLAG_MARK);
	fds_mark(fd, on ? HINT_NONBLOCK : 0, HINT_NONBLOCK | HINT_SWITCHED);
	if (!on && (fds_peek(fd) & HINT_UNASKED))
		fds_relook(fd);
}

bool flag_on(int fd)
{
	long flags = sys(SYS_fcntl, fd, F_GETFL);

	if (flags < 0 || (flags & O_NONBLOCK))
		return flag_is_ours(fd, flags);
	fds_mark(fd, HINT_SWITCHED, 0);
	return sys(SYS_fcntl, fd, F_SETFL, flags | O_NONBLOCK | FLAG_MARK) == 0;
}

void flag_off(int fd)
{
	long flags;

	if (config.switching != SWITCH_FLAG || shim_sandboxed)
		return;
	flags = sys(SYS_fcntl, fd, F_GETFL);
	if (!flag_is_ours(fd, flags))
		return;
	sys(SYS_fcntl, fd, F_SETFL, flags & ~(O_NONBLOCK | FLAG_MARK));
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

void flag_child_killed(void)
{
	for (int fd = 0; fd < 3; fd++)
		flag_off(fd);
}

void flag_end(void)
{
	flag_off_everywhere();
	config.switching = SWITCH_AUTO;
}
