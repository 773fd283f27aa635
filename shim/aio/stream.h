/* stream.h - one request on a stream: its attempts, and when they are to end.  Of a thread that owns the request; errno untouched.
 */
#ifndef EAGAIN_AIO_STREAM_H
#define EAGAIN_AIO_STREAM_H

#include "request.h"

/* How one is attempted; the plain call waits.  */
enum { STREAM_PLAIN, STREAM_NOWAIT, STREAM_DONTWAIT, STREAM_RECORD };

/* What r->stream.fd is on: false if nothing but the plain call does it.  */
bool stream_choose_way(struct request *r);

/* Does as much as can be done without waiting; `events`: epoll's, by which it has been woken.  Bytes moved in all, 0 at the end of
 * file, -EAGAIN if it has to wait, or another -errno.  */
long stream_attempt(struct request *r, uint32_t events);

/* Whether an attempt with this result was none: the kernel has no such, not for this file, or a sandbox refuses it (seccomp(2)). */
bool stream_cannot_tell(long result);

/* SO_RCVTIMEO, SO_SNDTIMEO: from the first wait on; a writer of a unix stream begins anew with each piece (Linux,
 * sock_alloc_send_pskb).  `now` in ns.  */
void stream_set_end(struct request *r, uint64_t now);

/* Whether it has to wait, though it is to wait no longer: a pipe asks for O_NONBLOCK each time, a socket when it begins.  */
bool stream_is_over(const struct request *r, uint64_t now);

/* Reads what is there without waiting.  -EAGAIN: nothing; another -errno: an error, or it cannot be attempted.  */
long stream_read_now(int fd, enum fd_kind kind, void *buffer, size_t size);

#endif
