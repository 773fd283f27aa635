/* rows.h - what `eagain top` shows of a live recording: a row for each process, thread or fd, in an order, and in words.  */
#ifndef EAGAIN_ROWS_H
#define EAGAIN_ROWS_H

#include "live.h"

enum rows_by { BY_PROCESS, BY_THREAD, BY_FD };
enum rows_order { ORDER_WAIT, ORDER_CALLS, ORDER_BYTES, ORDER_WOULD_BLOCK, ORDER_STALL, ORDER_CPU, ORDER_NUMBER, ORDERS };

struct row {
	const struct live_process *process;
	const struct live_thread *thread;       /* by thread */
	const struct live_fd *fd;               /* by fd */
	struct live_use use;
	double cpu;                             /* < 0: not known */
	struct live_wait wait;                  /* the longest */
	size_t waiting;                         /* how many threads wait */
	uint64_t away_ns;                       /* the longest that one is away from its polls now; 0: none is */
	bool runs, stopped;
};

struct rows {
	const struct live *live;
	enum rows_by by;
	enum rows_order order;
	struct row *rows;
	size_t count, room;
};

/* The rows of the latest look; they are good until the next.  */
void rows_make(struct rows *r);

/* "process", ...; "wait", ...  */
const char *rows_by_name(enum rows_by by);
const char *rows_order_name(enum rows_order order);

/* One word: runs, waits, stopped, ended, or unknown.  What it does now, as a person would say it, cut to size (256 at most).  */
const char *rows_state(const struct row *row);
void rows_describe(const struct rows *r, const struct row *row, char *text, size_t size);

/* The call that it waits in; "" if it does not.  */
const char *rows_call(const struct row *row);

/* The number that it is known by, and its name: of a thread, if it has one of its own.  */
uint32_t rows_number(const struct row *row);
const char *rows_name(const struct row *row);

/* Who is at the other end of what it waits for, or of the fd; NULL: not known.  */
const struct live_process *rows_peer(const struct rows *r, const struct row *row);
const struct live_fd *rows_fd(const struct row *row);

#endif
