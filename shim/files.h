/* files.h - --files: whether a call on a file has waited for the disk.
 *
 * O_NONBLOCK changes nothing for a file, and poll(2) says that it is always ready.  But a thread that waits sleeps, and the kernel
 * counts how often a thread did (getrusage(2), ru_nvcsw).  That is asked for only where there was time for a sleep: before a call,
 * if the thread has not been seen for FILES_SLEEP_NS; after it, if it took so long.  (cachestat(2) is no substitute: it costs as
 * much as five reads of a cached page, is refused for other users' files, and counts what is still on its way from the disk.)
 *
 * Call these only while files_on; they are async-signal-safe, and leave errno alone.  */
#ifndef EAGAIN_FILES_H
#define EAGAIN_FILES_H

#include <errno.h>

#include "clock.h"
#include "fds.h"
#include "shim.h"
#include "tracer/format.h"

/* No thread sleeps, is woken and runs again in less: two switches, and what a device takes.  */
enum { FILES_SLEEP_NS = 5000 };

struct files_thread {
	uint64_t known;         /* ticks: since then it has not slept; 0: not counted yet */
	/* By then: how often it had slept, had been switched out otherwise, and blocks that it had asked a disk for.  */
	long sleeps, switches, blocks;
	uint32_t waits;         /* and how often it was found to have waited, by whatever call */
};

extern bool files_on;
extern uint64_t files_limit;            /* FILES_SLEEP_NS in ticks */
extern __thread struct files_thread files_thread;

/* At start-up of a process that is recorded.  */
void files_start(void);

/* Page faults of this process so far that waited for a disk.  */
uint64_t files_faults(void);

/* Counts whether the thread has waited for a disk since the last time, in files_thread.waits.  */
void files_count(void);

/* A call on what has this hint is about to be made, now; returns when it begins, and *waits, for its end.  */
static inline uint64_t files_begin(uint64_t now, uint32_t *waits)
{
	bool is_known = likely(now - files_thread.known <= files_limit);

	if (!is_known)
		files_count();
	*waits = files_thread.waits;
	return is_known ? now : clock_ticks();
}

/* Whether it may be classified: it has to do with a file system.  */
static inline bool files_knows(fd_hint hint)
{
	enum { KINDS = 1u << KIND_file | 1u << KIND_directory | 1u << KIND_block };

	return KINDS >> HINT_KIND(hint) & 1;
}

static inline uint8_t files_direct(fd_hint hint)
{
	return files_knows(hint) && (hint & HINT_DIRECT) ? TRACE_DIRECT : 0;
}

/* It was made from `enter` to `end`, and returned that: bits of enum trace_flag.  A handler that came at its end may have counted
 * already; and what a signal ends has not waited for a disk: the opening of a FIFO.  */
static inline uint8_t files_end(fd_hint hint, uint64_t enter, uint32_t waits, uint64_t end, long result)
{
	if (end - enter <= files_limit)
		files_thread.known = end;
	else
		files_count();
	if (unlikely(files_thread.waits != waits) && end - enter > files_limit)
		return result == -EINTR ? 0 : TRACE_SLEPT | files_direct(hint);
	return result > 0 ? TRACE_STAYED | files_direct(hint) : 0;
}

#endif
