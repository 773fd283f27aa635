/* attempt.h - one non-blocking try: which calls may be tried how (the whitelist), and the try itself.  */
#ifndef EAGAIN_ATTEMPT_H
#define EAGAIN_ATTEMPT_H

#include "op.h"

/* The result of an attempt on an fd that is not what its hint says: nothing has happened; take the plain call.  */
#define ATTEMPT_HINT_WRONG (-4096L)

/* How this operation may be attempted: an enum trace_way.  NONE and GUARD mean the plain call.  */
unsigned attempt_way(const struct op *op);

/* The attempt would have blocked.  Where nobody is told, all that the next one on this fd could bring is the plain call behind it: they
 * go there at once, for an attempt more is 1.3 times a native round trip.  */
void attempt_learn(const struct op *op);

/* Whether it is one that waits for no other reason than O_NONBLOCK's absence: so that EAGAIN means O_NONBLOCK or a timeout.  */
bool attempt_waits(const struct op *op);

/* One try.  Bytes moved, 0 at the end of file, -EAGAIN, another -errno, or ATTEMPT_HINT_WRONG.  Does not advance the op.  */
long attempt(const struct op *op);

/* A hint that said "pipe" may have outlived the pipe.  On a regular file RWF_NOWAIT returns short, without end of file, where
 * the next block is not in memory.  So after a short read the fd is asked for its position, which a pipe has not.  If it is a
 * file: reads the rest natively.  Returns the bytes read.  */
long attempt_finish_file(struct op *op, long result);

/* Whether an operation that moved `result` bytes got less than it asked for.  Only then may the vectors be looked at.  */
bool attempt_is_short(const struct op *op, size_t result);

/* What is left after a part has moved, as much as fits: the cut vector and those behind it together, for the kernel does not
 * deliver all bytes before a bad address.  No more than one call moves.  Returns how many vectors, with *size bytes in all.  */
enum { ATTEMPT_REST = 8 };
unsigned attempt_rest(const struct op *op, struct iovec rest[ATTEMPT_REST], size_t *size);

/* Takes `n` moved bytes off what is to be moved.  */
void attempt_advance(struct op *op, size_t n);

/* Whether a write has moved all its bytes.  */
bool attempt_is_complete(const struct op *op);

#endif
