/* hidden.c - where our descriptors are, and whose they are.  */
#include "hidden.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "config.h"
#include "fds.h"
#include "init.h"
#include "libc.h"
#include "lock.h"
#include "mux/keep.h"
#include "readiness.h"
#include "sys.h"

enum {
	INSTANCES = 16,
	STOCK = 8,              /* for a process with threads */
	NUMBERS = 40,           /* at the end of the descriptor table, for ours */
	MARGIN = 8,             /* before them, left to what opens fds without our hearing of it */
	LIMIT = 1024,           /* what a process usually may have: who asks for more means to use many */
	RESERVE = 256,          /* before RLIMIT_NOFILE, likewise: one message may bring 253 (unix(7), SCM_MAX_FD) */
	TABLE_STEP = 128,       /* a descriptor table has as many numbers, or twice, four times as many (fs/file.c, alloc_fdtable) */
};

static struct hidden {
	uint64_t numbers;       /* of the instance, and of its mark; GONE */
	bool taken;
	bool stays;
} pool[INSTANCES];

#define GONE (~0ull)

int hidden_ceiling = INT_MAX;

/* 0 in a child that was forked behind our back (MADV_WIPEONFORK).  NULL: nothing has been hidden yet.  */
static volatile uint32_t *alive;
static long own_pid;
static bool is_over;            /* see hidden_end() */

/* Held by who makes, moves or closes ours: a number that it closes is not yet another thread's, which has to wait for it in
 * hidden_make_way() before it names one as high.  */
static lock_word numbers_lock;

bool hidden_start(void)
{
	long page;

	if (alive)
		return true;
	page = sys(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page < 0 && page > -4096)
		return false;
	if (sys(SYS_madvise, page, 4096, MADV_WIPEONFORK) < 0) {
		sys(SYS_munmap, page, 4096);
		return false;
	}
	for (struct hidden *h = pool; h < pool + INSTANCES; h++)
		h->numbers = GONE;
	own_pid = sys(SYS_getpid);
	*(volatile uint32_t *)page = 1;
	__atomic_store_n(&alive, (volatile uint32_t *)page, __ATOMIC_RELEASE);
	return true;
}

static bool is_parents(void)
{
	return !alive || !*alive || sys(SYS_getpid) != own_pid;
}

bool hidden_is_own(void)
{
	if (!alive || shim_sandboxed)
		return false;
	if (!*alive)
		hidden_forked();
	return sys(SYS_getpid) == own_pid;
}

static int instance_of(uint64_t numbers)
{
	return (int)(uint32_t)numbers;
}

static int mark_of(uint64_t numbers)
{
	return (int)(uint32_t)(numbers >> 32);
}

static uint64_t numbers_of(const struct hidden *h)
{
	return __atomic_load_n(&h->numbers, __ATOMIC_ACQUIRE);
}

int hidden_number(const struct hidden *h)
{
	return instance_of(numbers_of(h));
}

/* Of the mark, which is always readable: `events` 0 for silence; EPOLLIN for one event.  */
static bool set_mark(uint64_t numbers, int operation, unsigned events)
{
	struct epoll_event e = {.events = events | EPOLLET, .data.u64 = HIDDEN_WAKE};

	return numbers != GONE && sys(SYS_epoll_ctl, instance_of(numbers), operation, mark_of(numbers), &e) == 0;
}

/* No other instance has this mark, so that both are still ours.  Who waits is woken.  */
static bool is_ours(uint64_t numbers)
{
	return set_mark(numbers, EPOLL_CTL_MOD, EPOLLIN);
}

void hidden_wake(struct hidden *h)
{
	is_ours(numbers_of(h));
}

static void close_both(uint64_t numbers)
{
	fds_mark(instance_of(numbers), 0, HINT_KEPT);
	fds_mark(mark_of(numbers), 0, HINT_KEPT);
	sys(SYS_close, instance_of(numbers));
	sys(SYS_close, mark_of(numbers));
}

/* With the lock.  False where there was nothing.  */
static bool drop(struct hidden *h)
{
	uint64_t numbers = __atomic_exchange_n(&h->numbers, GONE, __ATOMIC_ACQ_REL);

	if (!is_ours(numbers))
		return false;
	close_both(numbers);
	return true;
}

/* Takes the lock.  False where there was nothing.  */
static bool drop_all(void)
{
	uint64_t mask = lock_enter(&numbers_lock);
	bool any = false;

	for (struct hidden *h = pool; h < pool + INSTANCES; h++)
		any |= drop(h);
	lock_leave(&numbers_lock, mask);
	return any;
}

static long soft_limit(void)
{
	struct rlimit limit;

	if (sys(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) < 0)
		return 0;
	return limit.rlim_cur < INT_MAX ? (long)limit.rlim_cur : INT_MAX;
}

/* How many fds the descriptor table has room for (proc(5), FDSize); 0 where that cannot be known.  */
static long table_size(void)
{
	static const char key[] = "\nFDSize:\t";
	char text[512];
	long fd = sys(SYS_openat, AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC), n, size = 0;
	const char *at;

	if (fd < 0)
		return 0;
	n = sys(SYS_read, fd, text, sizeof text - 1);
	sys(SYS_close, fd);
	text[n < 0 ? 0 : n] = 0;
	at = strstr(text, key);
	for (at = at ? at + sizeof key - 1 : ""; *at >= '0' && *at <= '9'; at++)
		size = size * 10 + (*at - '0');
	return size;
}

/* Whether the program has not got the number, nor an array of it that is kept asks for it.  */
static bool is_free(long at)
{
	return at >= 0 && sys(SYS_fcntl, at, F_GETFD) == -EBADF && !keep_asks_for((int)at);
}

/* A duplicate of fd below `end`, where the program is not near; -1: there is no such number.  */
static int copy_below(int fd, long end)
{
	for (long at = end - 1, copy; at >= end - NUMBERS; at--) {
		if (!is_free(at) || !(is_free(at - MARGIN) || hidden_has((int)at - MARGIN)))
			continue;
		copy = sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, at);
		/* So that we hear of it if the program closes it. */
		if (copy == at)
			fds_mark((int)copy, HINT_KEPT, 0);
		if (copy == at || copy < 0)
			return (int)copy;
		/* The program was faster. */
		sys(SYS_close, copy);
	}
	return -1;
}

/* The same pair below `end`.  GONE: it cannot be.  */
static uint64_t copy_both(int instance, int mark, long end)
{
	int first = copy_below(instance, end), second = first < 0 ? -1 : copy_below(mark, end);

	if (second >= 0)
		return (uint64_t)(uint32_t)second << 32 | (uint32_t)first;
	if (first >= 0) {
		fds_mark(first, 0, HINT_KEPT);
		sys(SYS_close, first);
	}
	return GONE;
}

/* From where on the program is near.  */
static void set_ceiling(long limit)
{
	int ceiling = INT_MAX;

	for (struct hidden *h = pool; h < pool + INSTANCES; h++) {
		uint64_t numbers = numbers_of(h);

		if (numbers == GONE)
			continue;
		if (limit - RESERVE < ceiling)
			ceiling = (int)limit - RESERVE;
		if (instance_of(numbers) - MARGIN < ceiling)
			ceiling = instance_of(numbers) - MARGIN;
		if (mark_of(numbers) - MARGIN < ceiling)
			ceiling = mark_of(numbers) - MARGIN;
	}
	STORE(hidden_ceiling, ceiling);
}

/* Where a table ends in which the program, at fd, is not near.  */
static long end_beyond(int fd, long limit)
{
	long end = TABLE_STEP;

	while (end <= fd + NUMBERS + MARGIN)
		end *= 2;
	return end < limit ? end : limit;
}

/* With the lock.  At the end of the table as it is, for a larger one would show in what select(2) reads of the program's memory.  */
static bool make(struct hidden *h, int top)
{
	long limit = soft_limit(), size = top < limit - RESERVE ? table_size() : 0, instance, mark;
	uint64_t numbers = GONE;

	if (!size)
		return false;
	instance = sys(SYS_epoll_create1, EPOLL_CLOEXEC);
	mark = sys(SYS_eventfd2, 1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (instance >= 0 && mark >= 0)
		numbers = copy_both((int)instance, (int)mark, size < limit ? size : limit);
	if (numbers == GONE && h->stays && instance >= 0 && mark >= 0)
		numbers = copy_both((int)instance, (int)mark, end_beyond(top, limit));
	if (instance >= 0)
		sys(SYS_close, instance);
	if (mark >= 0)
		sys(SYS_close, mark);
	if (numbers == GONE)
		return false;
	if (!set_mark(numbers, EPOLL_CTL_ADD, 0)) {
		close_both(numbers);
		return false;
	}
	__atomic_store_n(&h->numbers, numbers, __ATOMIC_RELEASE);
	set_ceiling(limit);
	return true;
}

static bool lock_and_make(struct hidden *h, int top)
{
	uint64_t mask = lock_enter(&numbers_lock);
	bool made = make(h, top);

	lock_leave(&numbers_lock, mask);
	return made;
}

static bool try_taking(struct hidden *h)
{
	return !__atomic_exchange_n(&h->taken, true, __ATOMIC_ACQUIRE);
}

static void untake(struct hidden *h)
{
	h->stays = false;
	__atomic_store_n(&h->taken, false, __ATOMIC_RELEASE);
}

struct hidden *hidden_take(int top, bool stays)
{
	for (struct hidden *h = pool; h < pool + INSTANCES && !is_over; h++) {
		if (!try_taking(h))
			continue;
		h->stays = stays;
		if (numbers_of(h) != GONE || (libc_is_lone() && lock_and_make(h, top)))
			return h;
		untake(h);
	}
	return NULL;
}

void hidden_put(struct hidden *h, bool empty)
{
	if (libc_is_lone() || !empty) {
		uint64_t mask = lock_enter(&numbers_lock);

		drop(h);
		lock_leave(&numbers_lock, mask);
	}
	untake(h);
}

static void stock(void)
{
	bool any = false;

	if (!config.keep || shim_sandboxed || is_over)
		return;
	for (struct hidden *h = pool; alive && h < pool + INSTANCES; h++)
		any |= numbers_of(h) != GONE && !h->stays;
	if ((!any && soft_limit() <= LIMIT) || !hidden_start() || !hidden_is_own())
		return;
	for (struct hidden *h = pool, *end = pool + STOCK; h < end && end <= pool + INSTANCES; h++) {
		if (!try_taking(h)) {
			end++;
			continue;
		}
		if (numbers_of(h) == GONE)
			lock_and_make(h, 0);
		untake(h);
	}
}

void hidden_stock(void)
{
	if (libc_is_lone())
		stock();
}

bool hidden_has(int fd)
{
	if (fd < LOAD(hidden_ceiling) || !alive)
		return false;
	for (struct hidden *h = pool; h < pool + INSTANCES; h++) {
		uint64_t numbers = numbers_of(h);

		if (numbers != GONE && (instance_of(numbers) == fd || mark_of(numbers) == fd))
			return true;
	}
	return false;
}

void hidden_give_up(int fd)
{
	uint64_t mask;

	if (!hidden_has(fd) || !hidden_is_own())
		return;
	mask = lock_enter(&numbers_lock);
	for (struct hidden *h = pool; h < pool + INSTANCES; h++)
		if (hidden_number(h) == fd || mark_of(numbers_of(h)) == fd)
			drop(h);
	lock_leave(&numbers_lock, mask);
}

bool hidden_give_back(void)
{
	bool any = readiness_give_back();

	return hidden_is_own() && (drop_all() || any);
}

void hidden_end(void)
{
	is_over = true;
	hidden_give_back();
}

void hidden_leave(void)
{
	if (is_parents())
		return;
	drop_all();
	keep_wait_left();
}

/* With the lock.  Registrations stay with the instance, whatever its number; the mark's is for the number that it was registered
 * under.  */
static void move(struct hidden *h, long end)
{
	uint64_t old = numbers_of(h), new = GONE;

	if (is_ours(old))
		new = copy_both(instance_of(old), mark_of(old), end);
	if (new == GONE) {
		drop(h);
		return;
	}
	if (set_mark(new, EPOLL_CTL_ADD, 0))
		__atomic_store_n(&h->numbers, new, __ATOMIC_RELEASE);
	else
		old = new;
	set_mark(old, EPOLL_CTL_DEL, 0);
	close_both(old);
}

/* A lone thread can have others when it needs them.  */
void hidden_make_way(int fd)
{
	uint64_t mask;
	long limit;

	if (!hidden_is_own())
		return;
	limit = soft_limit();
	mask = lock_enter(&numbers_lock);
	for (struct hidden *h = pool; h < pool + INSTANCES; h++) {
		if (fd >= limit - RESERVE || (libc_is_lone() && !h->stays))
			drop(h);
		else if (numbers_of(h) != GONE)
			move(h, end_beyond(fd, limit));
	}
	set_ceiling(limit);
	lock_leave(&numbers_lock, mask);
}

void hidden_forked(void)
{
	if (!alive || shim_sandboxed)
		return;
	*alive = 1;
	own_pid = sys(SYS_getpid);
	numbers_lock = 0;
	drop_all();
	for (struct hidden *h = pool; h < pool + INSTANCES; h++)
		untake(h);
	keep_forked();
}
