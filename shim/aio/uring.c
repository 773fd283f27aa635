/* uring.c - the rings that are shared with the kernel.  */
#include "uring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "shim/sys.h"

/* Newer than what libc's headers need know; the same on all architectures.  */
#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#define SYS_io_uring_enter 426
#define SYS_io_uring_register 427
#endif

enum {
	SETUP_CQSIZE = 1 << 3,
	SETUP_SINGLE_ISSUER = 1 << 12,
	SETUP_DEFER_TASKRUN = 1 << 13,
	SETUP_NO_MMAP = 1 << 14,
	SETUP_REGISTERED_FD_ONLY = 1 << 15,
	SETUP_NO_SQARRAY = 1 << 16,
	ENTER_GETEVENTS = 1 << 0,
	ENTER_REGISTERED_RING = 1 << 4,
	REGISTER_PROBE = 8,
	OP_SUPPORTED = 1 << 0,
	FUTEX_PRIVATE_WORD = 2 | 128,   /* FUTEX2_SIZE_U32 | FUTEX2_PRIVATE, <linux/futex.h> */
};
#define REGISTER_REGISTERED_RING (1u << 31)

struct offsets {
	uint32_t head, tail, mask, entries, flags_or_overflow, dropped_or_cqes, array_or_flags, unused;
	uint64_t address;
};

struct params {
	uint32_t sq_entries, cq_entries, flags, cpu, idle, features, workers, unused[3];
	struct offsets sq, cq;
};

struct probe {
	uint8_t last, count;
	uint16_t unused;
	uint32_t unused2[3];
	struct {
		uint8_t op, unused;
		uint16_t flags;
		uint32_t unused2;
	} ops[URING_FUTEX_WAIT + 1];
};

_Static_assert(sizeof(struct uring_sqe) == 64 && sizeof(struct uring_cqe) == 16 && sizeof(struct params) == 120 &&
	       sizeof(struct probe) == 16 + 8 * (URING_FUTEX_WAIT + 1), "as the kernel has them");

enum {
	RINGS_HEAD = 512,       /* more than struct io_rings has before its results (io_uring_types.h) */
};

static void *map(size_t size)
{
	long address = sys(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (address < 0 && address > -4096)
		return NULL;
	sys(SYS_madvise, address, size, MADV_DONTFORK);
	return (void *)address;
}

static void unmap(void *p, size_t size)
{
	if (p)
		sys(SYS_munmap, p, size);
}

void uring_close(const struct uring_memory *m)
{
	unmap(m->rings, m->rings_size);
	unmap(m->sqes, m->sqes_size);
}

static bool set_up(struct uring *u, unsigned sent, unsigned results)
{
	struct params p = {
		.cq_entries = results,
		.flags = SETUP_CQSIZE | SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN | SETUP_NO_MMAP | SETUP_REGISTERED_FD_ONLY |
			 SETUP_NO_SQARRAY,
	};
	struct uring_memory m = {
		.rings_size = RINGS_HEAD + results * sizeof(struct uring_cqe), .sqes_size = sent * sizeof(struct uring_sqe),
	};
	long index = -ENOMEM;
	char *rings;

	m.rings = rings = map(m.rings_size);
	m.sqes = map(m.sqes_size);
	p.cq.address = (uintptr_t)m.rings;
	p.sq.address = (uintptr_t)m.sqes;
	if (m.rings && m.sqes)
		index = sys(SYS_io_uring_setup, sent, &p);
	if (index < 0) {
		uring_close(&m);
		return false;
	}
	*u = (struct uring){
		.index = (unsigned)index, .memory = m, .room = results - 1, .sqes = m.sqes, .sq_mask = sent - 1, .cq_mask = results - 1,
		.sq_head = (uint32_t *)(rings + p.sq.head), .sq_tail = (uint32_t *)(rings + p.sq.tail),
		.cq_head = (uint32_t *)(rings + p.cq.head), .cq_tail = (uint32_t *)(rings + p.cq.tail),
		.cqes = (struct uring_cqe *)(rings + p.cq.dropped_or_cqes),
	};
	return true;
}

static bool knows(const struct uring *u, enum uring_opcode opcode)
{
	struct probe probe = {0};

	return sys(SYS_io_uring_register, u->index, REGISTER_PROBE | REGISTER_REGISTERED_RING, &probe, URING_FUTEX_WAIT + 1) == 0 &&
	       probe.last >= opcode && (probe.ops[opcode].flags & OP_SUPPORTED);
}

/* Before Linux 6.10, memory of ours must be one page for each ring.  One that does not know all goes with its thread.  */
bool uring_open(struct uring *u)
{
	return (set_up(u, 128, 1024) || set_up(u, 64, 128)) && knows(u, URING_FUTEX_WAIT);
}

bool uring_is_full(const struct uring *u)
{
	return *u->sq_tail - __atomic_load_n(u->sq_head, __ATOMIC_ACQUIRE) > u->sq_mask;
}

struct uring_sqe *uring_sqe(struct uring *u)
{
	uint32_t tail = *u->sq_tail;
	struct uring_sqe *sqe = &u->sqes[tail & u->sq_mask];

	memset(sqe, 0, sizeof *sqe);
	__atomic_store_n(u->sq_tail, tail + 1, __ATOMIC_RELEASE);
	u->unsent++;
	return sqe;
}

bool uring_enter(struct uring *u, bool wait)
{
	long sent = sys(SYS_io_uring_enter, u->index, u->unsent, wait, ENTER_GETEVENTS | ENTER_REGISTERED_RING, NULL, 0);

	if (sent > 0)
		u->unsent -= (unsigned)sent;
	return sent >= 0 || sent == -EINTR;
}

struct uring_sqe *uring_take_back(struct uring *u)
{
	if (!u->unsent)
		return NULL;
	return &u->sqes[(*u->sq_tail - u->unsent--) & u->sq_mask];
}

void uring_all_taken_back(struct uring *u)
{
	__atomic_store_n(u->sq_tail, __atomic_load_n(u->sq_head, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
}

const struct uring_cqe *uring_peek(const struct uring *u)
{
	uint32_t head = *u->cq_head;

	return head == __atomic_load_n(u->cq_tail, __ATOMIC_ACQUIRE) ? NULL : &u->cqes[head & u->cq_mask];
}

void uring_pop(struct uring *u)
{
	__atomic_store_n(u->cq_head, *u->cq_head + 1, __ATOMIC_RELEASE);
}

void uring_wait_word(struct uring *u, const uint32_t *word, uint32_t value, uint64_t data)
{
	struct uring_sqe *sqe = uring_sqe(u);

	sqe->opcode = URING_FUTEX_WAIT;
	sqe->fd = FUTEX_PRIVATE_WORD;
	sqe->address = (uintptr_t)word;
	sqe->offset = value;
	sqe->address3 = ~0u;            /* FUTEX_BITSET_MATCH_ANY */
	sqe->data = data;
}
