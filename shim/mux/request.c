/* request.c - reads what a poll or select asks, and writes its answer, as the kernel does (Linux, fs/select.c).  */
#include "request.h"

#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>

#include "shim/clock.h"
#include "shim/libc.h"
#include "shim/sys.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum {
	BITS = 8 * sizeof(unsigned long),
	BLOCK = 64,                     /* entries that are compared at once */
	READS = POLLIN | POLLRDNORM | POLLRDBAND,
	WRITES = POLLOUT | POLLWRNORM | POLLWRBAND,
};

/* What a set asks for, and what makes its fds ready (fs/select.c, POLLIN_SET and so on).  */
static const short events_of[REQUEST_SETS] = {READS, WRITES, POLLPRI};
static const short ready_of[REQUEST_SETS] = {READS | POLLHUP | POLLERR | POLLNVAL, WRITES | POLLERR | POLLNVAL, POLLPRI | POLLNVAL};

/* A bad address is EFAULT for the kernel and SIGSEGV for us, so the kernel is asked (madvise(2), Linux 5.14).  */
static bool is_writable(const void *memory, size_t size)
{
	uintptr_t from = (uintptr_t)memory & ~(getauxval(AT_PAGESZ) - 1);

	return sys(SYS_madvise, from, (uintptr_t)memory + size - from, MADV_POPULATE_WRITE) == 0;
}

/* A time that the kernel would refuse, or of ages, is the kernel's to judge.  */
static bool set_time(struct request *r, const struct timespec *t)
{
	uint64_t now = clock_ns();

	if (t->tv_sec < 0 || t->tv_sec > INT32_MAX || t->tv_nsec < 0 || t->tv_nsec >= 1000000000)
		return false;
	r->at_once = t->tv_sec == 0 && t->tv_nsec == 0;
	r->deadline_ns = now + (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec;
	return true;
}

static bool read_timeout(struct request *r, const struct op *op)
{
	long argument = op->arg[op->class == OP_SELECT ? 4 : 2];
	struct timespec t;

	if (op->nr == SYS_poll) {
		r->for_ever = (int)argument < 0;
		t = (struct timespec){(int)argument / 1000, (int)argument % 1000 * 1000000L};
		return r->for_ever || set_time(r, &t);
	}
	/* Behind syscall(2) these are the program's own pointers, good or not. */
	if (op->not_cancellable && (argument || op->arg[op->class == OP_SELECT ? 5 : 3]))
		return false;
	r->timeout = (struct timespec *)argument;
	r->for_ever = !argument;
	return r->for_ever || set_time(r, r->timeout);
}

/* select's mask comes with its size (pselect6); poll.c has put both there.  */
static const void *mask_of(const struct op *op)
{
	if (op->class == OP_SELECT)
		return op->arg[5] ? *(const void *const *)op->arg[5] : NULL;
	return op->nr == SYS_ppoll ? (const void *)op->arg[3] : NULL;
}

/* A mask that blocks what the program itself does not is the kernel's alone: one wait of the program's is several here, and between
 * two of them such a signal would be delivered.  */
static bool blocks_more(const void *mask)
{
	uint64_t before, both;

	if (sys(SYS_rt_sigprocmask, SIG_BLOCK, mask, &before, 8) < 0)
		return true;
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &before, &both, 8);
	return both != before;
}

static unsigned words(const struct request *r)
{
	return (r->count + BITS - 1) / BITS;
}

static unsigned long word_of(const struct request *r, unsigned set, unsigned at)
{
	unsigned long word = r->set[set] && at < words(r) ? r->set[set][at] : 0;

	return at == r->count / BITS ? word & ((1ul << r->count % BITS) - 1) : word;
}

static bool read_sets(struct request *r, const struct op *op)
{
	if (op->arg[0] < 0 || op->arg[0] > REQUEST_BITS)
		return false;
	r->count = (unsigned)op->arg[0];
	for (unsigned i = 0; i < REQUEST_SETS; i++)
		r->set[i] = (unsigned long *)op->arg[1 + i];
	return true;
}

/* The kernel refuses more entries than there may be fds, as the limit is now.  */
static bool read_array(struct request *r, const struct op *op)
{
	r->array = (struct pollfd *)op->arg[0];
	r->count = (unsigned)op->arg[1];
	return r->count <= r->limit;
}

bool request_is_writable(const struct request *r)
{
	if (r->array)
		return is_writable(r->array, r->count * sizeof *r->array);
	for (unsigned i = 0; i < REQUEST_SETS; i++)
		if (r->set[i] && !is_writable(r->set[i], words(r) * sizeof(long)))
			return false;
	return true;
}

bool request_read(struct request *r, const struct op *op)
{
	struct rlimit limit;

	*r = (struct request){.mask = NULL};
	if (!read_timeout(r, op) || sys(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) < 0)
		return false;
	r->limit = limit.rlim_cur;
	r->mask = mask_of(op);
	if (r->mask && blocks_more(r->mask))
		return false;
	return (op->class == OP_SELECT ? read_sets(r, op) : read_array(r, op)) && request_is_writable(r);
}

/* Whether one of BLOCK entries differs; a kept one has no revents.  */
static inline __attribute__((always_inline)) bool differs(const struct pollfd *a, const struct pollfd *b)
{
	uint64_t all = 0;

#pragma GCC unroll 16
	for (unsigned i = 0; i < BLOCK; i++) {
		uint64_t x, y;

		memcpy(&x, &a[i], sizeof x);
		memcpy(&y, &b[i], sizeof y);
		all |= x ^ y;
	}
	return all != 0;
}

/* How many of the first `count` entries are the same, in whole blocks.  */
static inline __attribute__((always_inline)) unsigned same(const struct pollfd *a, const struct pollfd *b, unsigned count)
{
	unsigned at = 0;

	while (at + BLOCK <= count && !differs(&a[at], &b[at]))
		at += BLOCK;
	return at;
}

static unsigned same_narrow(const struct pollfd *a, const struct pollfd *b, unsigned count)
{
	return same(a, b, count);
}

/* To compare is half of a wait on thousands of entries.  */
static ARCH_WIDE unsigned same_wide(const struct pollfd *a, const struct pollfd *b, unsigned count)
{
	return same(a, b, count);
}

/* What the last answer has filled in.  */
static void clear_answer(struct pollfd *array, unsigned count, const struct interest *in)
{
	for (unsigned i = 0; i < in->directs + in->found; i++)
		if (in->where[i] < count)
			array[in->where[i]].revents = 0;
}

static unsigned array_changes(struct pollfd *array, unsigned count, const struct interest *in, struct change *changes)
{
	bool wide = arch_is_wide(libc.__x86_get_cpuid_feature_leaf);
	unsigned (*leading)(const struct pollfd *, const struct pollfd *, unsigned) = wide ? same_wide : same_narrow;
	unsigned n = 0, both = count < in->count ? count : in->count;

	clear_answer(array, count, in);
	for (unsigned at = 0; at < count; at++) {
		struct pollfd now, kept = {.fd = -1};

		if (at % BLOCK == 0 && at < both)
			at += leading(&array[at], &in->entries[at], both - at);
		if (at == count)
			break;
		now = array[at];
		if (now.revents)
			array[at].revents = now.revents = 0;
		if (at < in->count)
			kept = in->entries[at];
		if (now.fd == kept.fd && now.events == kept.events)
			continue;
		changes[n++] = (struct change){at, now};
	}
	for (unsigned at = count; at < in->count; at++)
		if (in->entries[at].fd >= 0)
			changes[n++] = (struct change){at, {.fd = -1}};
	return n;
}

static struct pollfd bit_of(const struct request *r, int fd)
{
	struct pollfd p = {.fd = -1};

	for (unsigned i = 0; i < REQUEST_SETS; i++)
		if (word_of(r, i, (unsigned)fd / BITS) >> fd % BITS & 1) {
			p.fd = fd;
			p.events |= events_of[i];
		}
	return p;
}

static unsigned set_changes(const struct request *r, const struct interest *in, struct request_sets *sets, struct change *changes)
{
	unsigned n = 0;

	for (unsigned w = 0; w < REQUEST_WORDS; w++) {
		unsigned long bits = 0;

		for (unsigned i = 0; i < REQUEST_SETS; i++)
			bits |= word_of(r, i, w) ^ sets->word[i][w];
		for (; bits; bits &= bits - 1) {
			int fd = (int)w * BITS + __builtin_ctzl(bits);
			struct pollfd now = bit_of(r, fd), kept = {.fd = -1};

			if ((unsigned)fd < in->count)
				kept = in->entries[fd];
			if (now.fd == kept.fd && now.events == kept.events)
				continue;
			changes[n++] = (struct change){(uint32_t)fd, now};
		}
	}
	for (unsigned i = 0; i < REQUEST_SETS; i++)
		for (unsigned w = 0; w < REQUEST_WORDS; w++)
			sets->word[i][w] = word_of(r, i, w);
	return n;
}

unsigned request_changes(const struct request *r, const struct interest *in, struct request_sets *sets, struct change *changes)
{
	return r->array ? array_changes(r->array, r->count, in, changes) : set_changes(r, in, sets, changes);
}

/* In the kernel's order, for two sets may be the same memory.  Of words in which the program has no bit, only the last can differ
 * from what the kernel writes: there may be others behind its bits.  */
static void write_sets(const struct request *r, const struct request_sets *asked, const struct request_sets *answer)
{
	for (unsigned i = 0; i < REQUEST_SETS; i++)
		for (unsigned w = 0; r->set[i] && w < words(r); w++)
			if (asked->word[i][w] || w == r->count / BITS)
				r->set[i][w] = answer->word[i][w];
}

static long answer_sets(const struct request *r, const struct request_sets *sets, const struct pollfd *asked, const uint32_t *where,
			unsigned n)
{
	struct request_sets answer = {{{0}}};
	long ready = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned fd = where ? where[i] : i;

		for (unsigned s = 0; s < REQUEST_SETS; s++) {
			unsigned long bit = asked[i].revents & ready_of[s] ? sets->word[s][fd / BITS] & 1ul << fd % BITS : 0;

			answer.word[s][fd / BITS] |= bit;
			ready += bit != 0;
		}
	}
	write_sets(r, sets, &answer);
	return ready;
}

long request_answer(const struct request *r, const struct request_sets *sets, const struct pollfd *asked, const uint32_t *where,
		    unsigned n)
{
	long ready = 0;

	if (!r->array)
		return answer_sets(r, sets, asked, where, n);
	for (unsigned i = 0; i < n; i++)
		if (asked[i].revents) {
			r->array[where ? where[i] : i].revents = asked[i].revents;
			ready++;
		}
	return ready;
}

int request_fd(const struct request *r, unsigned at)
{
	return r->array ? r->array[at].fd : bit_of(r, (int)at).fd;
}

bool request_left(const struct request *r, struct timespec *left)
{
	uint64_t now = clock_ns(), ns;

	if (r->at_once || r->deadline_ns <= now) {
		*left = (struct timespec){0};
		return false;
	}
	ns = r->deadline_ns - now;
	*left = (struct timespec){(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
	return true;
}

void request_note_left(const struct request *r)
{
	if (r->timeout && !r->at_once && !(sys(SYS_personality, 0xffffffff) & STICKY_TIMEOUTS))
		request_left(r, r->timeout);
}
