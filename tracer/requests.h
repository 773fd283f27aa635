/* requests.h - requests of POSIX AIO: each from its submission to its end, while the records of its process go by.
 *
 * Several are in flight at once, and whoever submits one goes on; so they are no operations of a thread (operations.h).  A trace
 * may be made up: what is in flight, and what is over and not collected, is kept up to a number of each, the latest.  */
#ifndef EAGAIN_REQUESTS_H
#define EAGAIN_REQUESTS_H

#include "model.h"

/* In ticks; 0: not seen.  */
struct request {
	uint32_t op;                    /* its number in the trace */
	uint32_t list;                  /* and that of its lio_listio(3), or 0 */
	uint32_t tid;                   /* of who submitted it */
	uint8_t call;                   /* enum call_id: what it does */
	uint8_t flags;                  /* of its submission */
	int fd;
	uint64_t submitted, returned;   /* from when to when it was; returned 0: the submission was not recorded */
	uint64_t completed, ran;        /* when it was over; the kernel had it from `ran` on, or 0 */
	uint64_t blocked, ready;        /* an attempt said that it would block; its fd was ready, the last time */
	uint64_t notified, seen, collected;
	uint64_t length;
	int64_t offset, result;
	bool by_thread;                 /* notified so, else by a signal */
	uint8_t seen_by;                /* enum call_id */
	/* Of who walks through the trace.  */
	size_t index;                   /* of its fd, or of what shows it */
	bool passes;                    /* (filter.c) */
	void *user;
	/* Of the table.  */
	uint32_t slot, before, after;
};

/* Those of one process.  All zero: there are none.  */
struct requests {
	struct request *all;            /* from 1: so `all` has one more */
	uint32_t *slots;                /* by number, through a hash: index, or 0 */
	uint32_t slot_count, room, used, free;
	struct requests_line {
		uint32_t first, last, count;
	} open, over;
	/* Told of one that is about to be forgotten though it was not collected; or NULL.  */
	void (*forgets)(struct request *q, void *arg);
	void *arg;
};

/* Takes a REQUEST record.  Returns the request that it is about, in its state after it; NULL where it tells of none, or nothing
 * new.  One that is collected is to be forgotten by requests_forget() when it has been looked at.  */
struct request *requests_see(struct requests *t, const struct trace_record *r, const struct reader_place *place);
void requests_forget(struct requests *t, struct request *q);

/* Forgets all, in the order of their submission, those in flight last.  */
void requests_end(struct requests *t);

/* What a submission has in its TEXT; all 0 where that is missing.  */
struct trace_request_more requests_more(const struct trace_record *r, const struct reader_place *place);

/* One request that was submitted, as a stretch of time.  Times are from the start of the trace.  */
struct request_span {
	const struct model_process *process;
	size_t fd;                      /* index into the process's, or MODEL_NO_FD */
	const struct request *request;
	uint64_t start_ns, end_ns;      /* until it was completed, or its process ended */
	bool open;                      /* it was not completed, as far as the trace tells */
};

/* Calls visit for each, of a model that was built from t, process by process, in the order of their ends.  */
typedef void request_visitor(const struct request_span *s, void *arg);
void requests_each(const struct trace *t, const struct model *m, request_visitor *visit, void *arg);

#endif
