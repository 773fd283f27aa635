/* request.h - what a poll or select asks: an array, or three sets, and until when.  */
#ifndef EAGAIN_REQUEST_H
#define EAGAIN_REQUEST_H

#include <time.h>

#include "interest.h"
#include "shim/op.h"

enum {
	REQUEST_SETS = 3,               /* in, out, urgent */
	REQUEST_WORDS = 16,             /* of a set: FD_SETSIZE bits; what lies beyond is left to the kernel, which may read less */
	REQUEST_BITS = REQUEST_WORDS * 8 * (int)sizeof(long),
};

/* The sets of a select as they were when the interest set last saw them.  */
struct request_sets {
	unsigned long word[REQUEST_SETS][REQUEST_WORDS];
};

struct request {
	struct pollfd *array;           /* of poll and ppoll; NULL: a select */
	unsigned long *set[REQUEST_SETS];
	unsigned count;                 /* entries of the array, or bits of the sets */
	unsigned long limit;            /* RLIMIT_NOFILE */
	const void *mask;               /* the kernel's sigset_t, or NULL */
	struct timespec *timeout;       /* where the kernel writes the time left, or NULL */
	bool at_once, for_ever;
	uint64_t deadline_ns;           /* on CLOCK_MONOTONIC */
};

/* Reads the call's arguments; false where they are not all as usual, and are for the kernel to judge.  The array and the sets have
 * been found to be memory that can be written.  */
bool request_read(struct request *r, const struct op *op);

/* Whether they still are.  */
bool request_is_writable(const struct request *r);

/* The fd of an entry, or the number of a bit that is set; -1 for others.  */
int request_fd(const struct request *r, unsigned at);

/* What the program asks otherwise than the set has it, into `changes`, of at most `max`; more: max + 1.  Clears the array's revents,
 * as the kernel will.  The sets as they are now: into `sets`, which has them as they were, if it is all that has changed.  */
unsigned request_changes(const struct request *r, const struct interest *in, struct request_sets *sets, struct change *changes,
			 unsigned max);

/* The answer: of the i-th of `n` asked, the entry where[i], or i itself without `where`, has its revents.  Filled into the program's
 * array or sets, of which nothing else than `sets` is asked: the number that the call returns.  */
long request_answer(const struct request *r, const struct request_sets *sets, const struct pollfd *asked, const uint32_t *where,
		    unsigned n);

/* The time left until the deadline; false where there is none.  */
bool request_left(const struct request *r, struct timespec *left);

/* Writes it where the kernel does.  */
void request_note_left(const struct request *r);

#endif
