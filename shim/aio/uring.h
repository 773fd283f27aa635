/* uring.h - an io_uring of one thread, by raw system calls (io_uring_setup(2), io_uring_enter(2)).
 *
 * It has no descriptor that a program could meet: its memory is ours (IORING_SETUP_NO_MMAP), and the thread that opens it, the
 * only one that may use it, knows it by an index (IORING_SETUP_REGISTERED_FD_ONLY, Linux 6.5).  Results are delivered while that
 * thread waits for them (IORING_SETUP_DEFER_TASKRUN), so that no call of the program's is interrupted.
 *
 * What is named here is from <linux/io_uring.h> of Linux 6.7, for older headers lack half of it.  */
#ifndef EAGAIN_AIO_URING_H
#define EAGAIN_AIO_URING_H

#include "shim/shim.h"

enum uring_opcode {
	URING_FSYNC = 3,
	URING_READ = 22,
	URING_WRITE = 23,
	URING_FUTEX_WAIT = 51,          /* Linux 6.7 */
};

enum { URING_FSYNC_DATASYNC = 1 };

struct uring_sqe {
	uint8_t opcode, flags;
	uint16_t priority;
	int32_t fd;
	uint64_t offset;
	uint64_t address;
	uint32_t size;
	uint32_t op_flags;
	uint64_t data;                  /* comes back in the result */
	uint64_t unused;
	uint64_t address3;
	uint64_t unused2;
};

struct uring_cqe {
	uint64_t data;
	int32_t result;
	uint32_t flags;
};

/* That of a ring is left to its thread to unmap, when it ends.  */
struct uring_memory {
	void *rings, *sqes;
	size_t rings_size, sqes_size;
};

struct uring {
	unsigned index;
	struct uring_memory memory;
	unsigned room;                  /* how many may be in the kernel's hands, so that no result finds the queue full */
	unsigned unsent;
	uint32_t *sq_head, *sq_tail, *cq_head, *cq_tail;
	uint32_t sq_mask, cq_mask;
	struct uring_sqe *sqes;
	struct uring_cqe *cqes;
};

/* False where the kernel has none, or forbids it (sysctl kernel.io_uring_disabled, seccomp), or is too old.  */
bool uring_open(struct uring *u);

/* The thread makes no more use of it, and ends.  */
void uring_close(const struct uring_memory *m);

/* A cleared place for a request, if the ring is not full, which is sent by the next uring_enter().  */
bool uring_is_full(const struct uring *u);
struct uring_sqe *uring_sqe(struct uring *u);

/* Sends what is to be sent; with `wait`, waits for a result.  False: the kernel has refused it, for want of memory.  */
bool uring_enter(struct uring *u, bool wait);

/* The oldest request that could not be sent; NULL: these were all.  */
struct uring_sqe *uring_take_back(struct uring *u);
void uring_all_taken_back(struct uring *u);

/* The oldest result, which uring_pop() takes away; NULL: there is none.  */
const struct uring_cqe *uring_peek(const struct uring *u);
void uring_pop(struct uring *u);

/* A word that the kernel waits for: its result comes once *word is not `value`, and futex(2) was told.  */
void uring_wait_word(struct uring *u, const uint32_t *word, uint32_t value, uint64_t data);

#endif
