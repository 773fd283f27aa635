/* aio.h - what POSIX AIO does, one named function for each behaviour: natively and under eagain they print the same.  */
#ifndef AIO_H
#define AIO_H

#include <aio.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct behaviour {
	const char *name;
	void (*show)(char **argv);      /* argv: what follows the name */
};

/* One table per file, ended by a NULL name.  */
extern const struct behaviour life_behaviours[], notice_behaviours[], transfer_behaviours[], wait_behaviours[], stream_behaviours[],
	waiting_behaviours[];

/* ---- main.c.  */

/* A line on stdout, at once.  */
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the program with a complaint if `ok` is false: the situation could not be built.  */
void need(bool ok, const char *what);

/* "5", or "-1 EAGAIN" with errno.  The text is good until the next call.  */
const char *result_text(long result);

/* A file "data" of `size` bytes, byte i being pattern(i), opened with these flags.  */
int data_file(size_t size, int flags);
unsigned char pattern(size_t i);

/* A request on fd; SIGEV_NONE.  */
struct aiocb request(int fd, void *buffer, size_t size, off_t offset);

/* Waits until it is over, and takes its result: aio_return's, or -1 and errno.  */
long await(struct aiocb *b);

/* Whether it is over within a few seconds.  */
bool is_over(const struct aiocb *b);

/* What came of it, after a wait: "what: 5", "what: -1 EBADF".  */
void tell_end(const char *what, struct aiocb *b);

/* Sleeps for a moment, and until all other threads do: where something must not happen.  */
void moment(void);

/* For less: so that what was begun waits by now.  */
void settle(void);

#endif
