/* readiness.h - --readiness: the moments in which the program's sockets and pipes become ready, though nobody asks.
 *
 * The process keeps one epoll instance with them, edge-triggered, and hands it to the observer, a process of the command's
 * (tracer/observe.c) that waits in its stead and records what comes.  A registration holds no reference to the open file
 * description, so that an end of file comes as it would; and nothing in the program waits for it, or wakes up by it.  */
#ifndef EAGAIN_READINESS_H
#define EAGAIN_READINESS_H

#include "fds.h"
#include "shim.h"

/* Whether readiness is to be recorded, and so is the rest.  */
extern bool readiness_on;

/* Whether looking at such a one is known to be free of side effects; KIND_socket: perhaps.  */
static inline bool readiness_may_watch(enum fd_kind kind)
{
	return fds_is_socket(kind) || kind == KIND_pipe || kind == KIND_fifo;
}

/* fd, which is used or was made, is watched from now on, for reading, if it is of a kind that may be: then returns HINT_WATCHED.
 * One that is only written to is left alone until that would block.  Signal- and thread-safe, as the others.  */
fd_hint readiness_watch(int fd, enum fd_kind kind, bool write_only);

/* The same for writing.  */
void readiness_watch_write(int fd);

/* A write on fd, with this hint, would have blocked.  */
static inline void readiness_blocked(int fd, fd_hint hint)
{
	if (unlikely((hint & (HINT_WATCHED | HINT_WATCHED_WRITE)) == HINT_WATCHED))
		readiness_watch_write(fd);
}

/* fd is about to be closed, or has become another.  For fds with HINT_WATCHED.  False in a vfork child, which has fds of its
 * own.  */
bool readiness_forget(int fd);

/* fd is about to be closed, or to become another; and is.  Between the two it counts as watched: another thread that uses it would
 * have what is closed watched for as long as somebody else has it, and nobody could take it out.  */
void readiness_closing(int fd);
void readiness_closed(int fd);

/* The program is about to give up the rights by which the observer is reached.  */
void readiness_provide(void);

/* Of hidden.h: see hidden_give_back().  In the child of a fork: the instance is its parent's.  */
bool readiness_give_back(void);
void readiness_forked(void);

#endif
