/* interest.h - an interest set: the entries of a poll or select, registered in an epoll instance, which tells which may be ready.
 *
 * epoll's registrations belong to open file descriptions and not to numbers (epoll(7)), so each is a hint: a number may mean another
 * file by now.  What epoll reports is asked of poll(2) again before anybody believes it, and interest_verify() finds what epoll
 * cannot report any more.  Entries that epoll does not take, or whose looking is not known to be free of side effects, are `direct`:
 * they are asked at each call.
 *
 * The memory of a set is never given back, so that a thread which closes an fd may mark it at any time (interest_forget).  */
#ifndef EAGAIN_INTEREST_H
#define EAGAIN_INTEREST_H

#include <poll.h>
#include <sys/epoll.h>

#include "shim/shim.h"

enum {
	INTEREST_DIRECT_MAX = 64,
	INTEREST_FORGOTTEN = -0x7fffffff - 1,   /* as an entry's fd: it must be registered anew */
};

/* What is known of an fd.  */
struct watched {
	int32_t at;                     /* the entry that asks for it; -1: none */
	uint32_t generation;            /* of its registration: what an older one reports is stale */
	uint16_t events;
	bool registered;
};

struct change {
	uint32_t at;
	struct pollfd value;
};

struct interest {
	int epoll;                      /* -1: the set is not open */
	int wake;                       /* an eventfd in it, with which another thread ends the wait; -1: none */
	unsigned room;                  /* entries, and fd numbers, that there is memory for */
	unsigned count;                 /* entries */
	unsigned directs;
	unsigned found;                 /* entries in `where` */
	unsigned verified;              /* where the next slice begins */
	uint32_t generation;
	bool has_forgotten;             /* an entry is INTEREST_FORGOTTEN; for who has seen that */
	bool is_stale;                  /* something in it cannot be removed: begin anew */
	struct pollfd *entries;         /* as the program gave them, without revents */
	struct watched *watches;          /* by fd */
	void *scratch;                  /* struct change or struct epoll_event, for all entries */
	struct pollfd *asked;           /* for poll(2): [0] is the epoll instance, then the direct entries, then those found */
	uint32_t *where;                /* the entries of what was found */
	uint32_t direct[INTEREST_DIRECT_MAX];
};

/* An fd of the program's with this number, or a larger one, is close to one of ours.  */
extern int interest_ceiling;

/* Opens a set with room for this many entries and for fds up to `top`; false where memory, descriptors or limits forbid.  */
bool interest_open(struct interest *in, unsigned count, int top);
void interest_close(struct interest *in);

/* Closes it if the program, which has got fd, would come to its numbers next; else lowers interest_ceiling as it needs.  */
void interest_make_way(struct interest *in, int fd);

/* It has been seen that the wait was ended (INTEREST_WOKEN).  */
void interest_calm(struct interest *in);

/* Takes over what has changed in the program's array, of `count` entries now.  False: the set cannot serve it.  */
bool interest_change(struct interest *in, struct change *changes, unsigned n, unsigned count);

enum interest_found { INTEREST_SOME, INTEREST_TOO_MANY, INTEREST_WOKEN, INTEREST_BROKEN };

/* Which entries may be ready, without waiting: into where[0 .. found).  TOO_MANY: `max` or more.  */
enum interest_found interest_collect(struct interest *in, unsigned max);

/* Looks whether the entries found, or those of the next slice, are still registered for what their numbers mean now, and corrects
 * it: the number of corrections; -1 where the set is of no use any more.  */
int interest_verify_found(struct interest *in);
int interest_verify_slice(struct interest *in);

/* fd is about to be closed, or has got a new meaning: it must be registered anew.  `wake`: another thread is using the set.  Signal-
 * and thread-safe.  */
void interest_forget(struct interest *in, int fd, bool wake);

#endif
