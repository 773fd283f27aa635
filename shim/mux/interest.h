/* interest.h - an interest set: the entries of a poll or select, registered in an epoll instance, which tells which may be ready.
 *
 * epoll's registrations belong to open file descriptions and not to numbers (epoll(7)), so each is a hint: a number may mean another
 * file by now.  What epoll reports is asked of poll(2) again before anybody believes it, and interest_verify_slice() finds what epoll
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
	INTEREST_FORGOTTEN_MAX = 16,
};

/* What is known of an fd.  */
struct watched {
	uint32_t place;                 /* of the entry that asks for it, from 1 on; 0: none */
	uint32_t generation;            /* of its registration: what an older one reports is stale */
	uint16_t events;
	bool registered;
};

struct change {
	uint32_t at;
	struct pollfd value;
};

struct interest {
	struct hidden *hidden;          /* NULL: the set is not open */
	unsigned room;                  /* entries, and fd numbers, that there is memory for */
	unsigned count;                 /* entries */
	unsigned live;                  /* of these, how many ask for an fd */
	unsigned directs, found;        /* entries in `where` */
	unsigned verified;              /* where the next slice begins */
	uint32_t generation;
	bool is_stale;                  /* something in it cannot be removed: begin anew */
	struct pollfd *entries;         /* as the program gave them, without revents */
	struct watched *watches;        /* by fd */
	void *scratch;                  /* struct change or struct epoll_event, for all entries */
	struct pollfd *asked;           /* for poll(2): [0] is the epoll instance, [1 + i] the entry where[i] */
	uint32_t *where;                /* the direct entries, then those found */
	uint32_t forgotten;             /* how many fds are to be registered anew; their numbers, + 1, as far as there is room */
	uint32_t forgot[INTEREST_FORGOTTEN_MAX];
};

/* Opens a set with room for this many entries and for fds up to `top`; false where memory, descriptors or limits forbid.  */
bool interest_open(struct interest *in, unsigned count, int top);
void interest_close(struct interest *in);

/* In a child, whose fds are its own: the set is its parent's.  */
void interest_disown(struct interest *in);

/* Whether it is open, and has not been taken away.  */
bool interest_is_open(const struct interest *in);

/* Takes over what has changed in the program's array, of `count` entries now, and registers anew what was forgotten.  False: the
 * set cannot serve it.  */
bool interest_change(struct interest *in, struct change *changes, unsigned n, unsigned count);

enum interest_found { INTEREST_SOME, INTEREST_TOO_MANY, INTEREST_BROKEN };

/* Which entries may be ready, without waiting: into where[directs .. directs + found).  TOO_MANY: `max` or more.  */
enum interest_found interest_collect(struct interest *in, unsigned max);

/* Looks whether the entries found, or `n` others that come next, are still registered for what their numbers mean now, and corrects
 * it: the number of corrections; -1 where the set is of no use any more.  `only_ready`: of the others, only those that poll(2)
 * finds ready, for the rest there is nothing to miss: that spares epoll's search for each.  */
int interest_verify_found(struct interest *in);
int interest_verify_slice(struct interest *in, unsigned n, bool only_ready);

/* fd is about to be closed, or has got a new meaning: it must be registered anew.  False where it was not registered.  Signal- and
 * thread-safe.  */
bool interest_forget(struct interest *in, int fd);

/* Whether an entry asks for fd; whether the kernel need not be told to watch what p asks for.  */
bool interest_asks_for(const struct interest *in, int fd);
bool interest_has(const struct interest *in, const struct pollfd *p);

#endif
