/* shield.c - which fds are behind the shield, and what the program knows of them.  The rules are in shield.h.  */
#include "shield.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "config.h"
#include "fds.h"
#include "flag.h"
#include "init.h"
#include "sys.h"

enum { INHERITED_MAX = 1024 };

/* What an inherited fd was, so that another file under its number is not taken for it; whether the program knows: that is never
 * forgotten, whatever becomes of the number; and whether it has seen.  */
static struct inherited {
	dev_t device;
	ino_t inode;
	bool is_open, is_known, is_seen;
} inherited[INHERITED_MAX];

static long own_pid;

HOT_DATA unsigned shield_end;

static int limit(void)
{
	return config.shield == SHIELD_STDIO ? 3 : config.shield == SHIELD_INHERITED ? INHERITED_MAX : 0;
}

void shield_start(void)
{
	struct stat st;

	own_pid = sys(SYS_getpid);
	shield_end = config.shield == SHIELD_ALL ? (unsigned)INT_MAX + 1 : (unsigned)limit();
	for (int fd = 0; fd < limit(); fd++)
		if (sys(SYS_fstat, fd, &st) == 0)
			inherited[fd] = (struct inherited){st.st_dev, st.st_ino, true, false, false};
}

static bool was(int fd, const struct stat *st)
{
	return inherited[fd].is_open && st->st_dev == inherited[fd].device && st->st_ino == inherited[fd].inode;
}

static bool is_inherited(int fd)
{
	struct stat st;

	return fd < limit() && inherited[fd].is_open && sys(SYS_fstat, fd, &st) == 0 && was(fd, &st);
}

bool shield_serves(const struct op *op)
{
	long flags;

	if (config.shield == SHIELD_OFF || shim_sandboxed || op->fd < 0 || op->class >= OP_COLUMNS || op->class == OP_CONNECT ||
	    (op->hint & HINT_TIMEOUT) || (op_flags(op) & MSG_DONTWAIT))
		return false;
	if (config.shield == SHIELD_ALL ? fds_peek(op->fd) & (HINT_POLLED | HINT_POLLED_YET) : !is_inherited(op->fd) || LOAD(inherited[op->fd].is_known) ||
	    LOAD(inherited[op->fd].is_seen))
		return false;
	flags = sys(SYS_fcntl, op->fd, F_GETFL);
	return flags >= 0 && (flags & O_NONBLOCK);
}

bool shield_holds(const struct op *op)
{
	return config.shield == SHIELD_ALL || is_inherited(op->fd);
}

static void know(struct inherited *f)
{
	STORE(f->is_known, true);
}

static void see(struct inherited *f)
{
	STORE(f->is_seen, true);
}

static void unsee(struct inherited *f)
{
	STORE(f->is_seen, false);
}

/* It, and its copies: few fds are what one of the inherited was.  */
static void for_each_copy(int fd, void (*change)(struct inherited *))
{
	struct stat st;

	if (!limit() || shim_sandboxed)
		return;
	if ((unsigned)fd < (unsigned)limit())
		change(&inherited[fd]);
	if (sys(SYS_fstat, fd, &st) < 0)
		return;
	for (int other = 0; other < limit(); other++)
		if (other != fd && was(other, &st) && flag_same_description(fd, other))
			change(&inherited[other]);
}

void shield_known(int fd)
{
	for_each_copy(fd, know);
}

void shield_seen(int fd)
{
	for_each_copy(fd, see);
}

void shield_left(int fd)
{
	for_each_copy(fd, unsee);
}

void shield_note_polled(int fd)
{
	if ((unsigned)fd < (unsigned)limit())
		STORE(inherited[fd].is_known, true);
	else if (config.shield == SHIELD_ALL && !(fds_peek(fd) & HINT_POLLED))
		fds_mark(fd, HINT_POLLED, 0);
}

bool shield_is_own(void)
{
	return shim_sandboxed || sys(SYS_getpid) == own_pid;
}

void shield_replaced(int fd)
{
	if ((unsigned)fd < (unsigned)limit() && !shim_sandboxed && shield_is_own())
		STORE(inherited[fd].is_known, true);
}

void shield_forked(void)
{
	own_pid = sys(SYS_getpid);
}
