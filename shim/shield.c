/* shield.c - which fds are behind the shield, and what the program knows of them.  The rules are in shield.h.  */
#include "shield.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "config.h"
#include "fds.h"
#include "flag.h"
#include "sys.h"

enum { INHERITED_MAX = 1024 };

/* What an inherited fd was, so that another file under its number is not taken for it.  */
static struct identity {
	dev_t device;
	ino_t inode;
	bool known;
} inherited[INHERITED_MAX];

static int limit(void)
{
	return config.shield == SHIELD_STDIO ? 3 : config.shield == SHIELD_INHERITED ? INHERITED_MAX : 0;
}

static struct identity identity_of(int fd)
{
	struct stat st;

	if (sys(SYS_fstat, fd, &st) < 0)
		return (struct identity){0};
	return (struct identity){st.st_dev, st.st_ino, true};
}

void shield_start(void)
{
	for (int fd = 0; fd < limit(); fd++)
		inherited[fd] = identity_of(fd);
}

static bool is_inherited(int fd)
{
	struct identity now;

	if (fd >= limit() || !inherited[fd].known)
		return false;
	now = identity_of(fd);
	return now.known && now.device == inherited[fd].device && now.inode == inherited[fd].inode;
}

bool shield_serves(const struct op *op)
{
	long flags;

	if (config.shield == SHIELD_OFF || op->fd < 0 || op->class >= OP_COLUMNS || op->class == OP_CONNECT ||
	    (op->hint & HINT_TIMEOUT) || (op_flags(op) & MSG_DONTWAIT) || (fds_peek(op->fd) & HINT_POLLED))
		return false;
	if (config.shield != SHIELD_ALL && ((fds_peek(op->fd) & HINT_KNOWN) || !is_inherited(op->fd)))
		return false;
	flags = sys(SYS_fcntl, op->fd, F_GETFL);
	return flags >= 0 && (flags & O_NONBLOCK);
}

bool shield_holds(const struct op *op)
{
	return config.shield == SHIELD_ALL || is_inherited(op->fd);
}

void shield_known(int fd)
{
	if (config.shield == SHIELD_OFF || config.shield == SHIELD_ALL)
		return;
	fds_mark(fd, HINT_KNOWN, 0);
	for (int other = 0; other < limit(); other++)
		if (other != fd && inherited[other].known && flag_same_description(fd, other))
			fds_mark(other, HINT_KNOWN, 0);
}

bool shield_watches(int fd)
{
	return config.shield == SHIELD_ALL || (unsigned)fd < (unsigned)limit();
}

void shield_polled(int fd)
{
	if (shield_watches(fd) && !(fds_peek(fd) & HINT_POLLED))
		fds_mark(fd, HINT_POLLED, 0);
}
