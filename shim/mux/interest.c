/* interest.c - what is registered in a kept epoll instance.
 *
 * Limits of epoll's own, which make an entry direct, or the set useless: /proc/sys/fs/epoll/max_user_watches for all of a user's
 * registrations together (ENOSPC), and the depth and breadth to which epoll instances may watch each other (ELOOP, EINVAL).  */
#include "interest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "shim/fds.h"
#include "shim/sys.h"
#include "tracer/format.h"

enum {
	ROOM_MIN = 4096,
	ROOM_MAX = 1 << 20,             /* fds beyond have no hints */
	NUMBERS = 32,                   /* at the end of the descriptor table, for us */
	MARGIN = 4,                     /* below each, left to what opens fds without our hearing of it */
	EVENTS = POLLIN | POLLPRI | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND | POLLRDHUP,
};

#define WAKE (~0ull)

int interest_ceiling = INT_MAX;

/* A process with a limit on its address space keeps it for itself.  */
static bool may_map(void)
{
	struct rlimit limit;

	return sys(SYS_prlimit64, 0, RLIMIT_AS, NULL, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY;
}

static bool make_room(struct interest *in, unsigned need)
{
	unsigned room = ROOM_MIN;
	size_t each[] = {sizeof *in->entries, sizeof *in->watches, sizeof(struct change), sizeof *in->asked, sizeof *in->where}, all = 0;
	char *at[sizeof each / sizeof *each];
	long address;

	while (room < need && room < ROOM_MAX)
		room *= 2;
	if (room <= in->room)
		return true;
	if (room < need || !may_map())
		return false;
	for (unsigned i = 0; i < sizeof each / sizeof *each; i++)
		all += each[i] * (room + 64);
	address = sys(SYS_mmap, NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (address < 0 && address > -4096)
		return false;
	/* The old memory stays mapped, but empty. */
	if (in->room)
		sys(SYS_madvise, in->entries, (char *)(in->where + in->room) - (char *)in->entries, MADV_DONTNEED);
	for (unsigned i = 0; i < sizeof each / sizeof *each; i++) {
		at[i] = (char *)address;
		address += (long)(each[i] * (room + 64));
	}
	in->entries = (struct pollfd *)at[0];
	in->watches = (struct watched *)at[1];
	in->scratch = at[2];
	in->asked = (struct pollfd *)at[3];
	in->where = (uint32_t *)at[4];
	in->room = room;
	return true;
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

/* The highest number below `size` that is free, and the MARGIN before it, too; -1: there is none.  */
static long free_below(long size)
{
	long run = 0;

	for (long at = size - 1; at >= 0 && at >= size - NUMBERS; at--) {
		run = sys(SYS_fcntl, at, F_GETFD) == -EBADF ? run + 1 : 0;
		if (run > MARGIN)
			return at + MARGIN;
	}
	return -1;
}

/* Moves fd to a number where the program does not meet it: at the end of the descriptor table as it is, for a larger one would show
 * in what select(2) reads of the program's memory.  -1: there is no such number.  */
static int hide(int fd)
{
	struct rlimit limit;
	long size = table_size(), at, up;

	if (fd < 0)
		return -1;
	if (sys(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) < 0)
		limit.rlim_cur = 0;
	if ((rlim_t)size > limit.rlim_cur)
		size = (long)limit.rlim_cur;
	at = free_below(size);
	up = at < 0 ? -1 : sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, at);
	sys(SYS_close, fd);
	/* Another thread was faster. */
	if (up >= size) {
		sys(SYS_close, up);
		up = -1;
	}
	if (up < 0)
		return -1;
	if (up - MARGIN < interest_ceiling)
		interest_ceiling = (int)up - MARGIN;
	/* So that we hear of it if the program closes it. */
	fds_mark((int)up, HINT_KEPT, 0);
	return (int)up;
}

void interest_make_way(struct interest *in, int fd)
{
	int lowest = in->epoll, wake = in->wake;

	if (lowest < 0)
		return;
	if (wake >= 0 && wake < lowest)
		lowest = wake;
	if (fd >= lowest - MARGIN)
		interest_close(in);
	else if (lowest - MARGIN < interest_ceiling)
		interest_ceiling = lowest - MARGIN;
}

bool interest_open(struct interest *in, unsigned count, int top)
{
	if (!make_room(in, count > (unsigned)top ? count : (unsigned)top + 1))
		return false;
	in->epoll = hide((int)sys(SYS_epoll_create1, EPOLL_CLOEXEC));
	if (in->epoll < 0)
		return false;
	in->wake = -1;
	in->count = in->directs = in->found = in->verified = 0;
	in->is_stale = in->has_forgotten = false;
	for (unsigned i = 0; i < in->room; i++)
		in->watches[i] = (struct watched){.at = -1};
	return true;
}

void interest_calm(struct interest *in)
{
	int fd = __atomic_exchange_n(&in->wake, -1, __ATOMIC_RELAXED);

	if (fd >= 0) {
		fds_mark(fd, 0, HINT_KEPT);
		sys(SYS_close, fd);
	}
}

void interest_close(struct interest *in)
{
	int fd = __atomic_exchange_n(&in->epoll, -1, __ATOMIC_RELAXED);

	if (fd < 0)
		return;
	interest_calm(in);
	fds_mark(fd, 0, HINT_KEPT);
	sys(SYS_close, fd);
}

static long control(const struct interest *in, int operation, int fd, unsigned events, uint64_t data)
{
	struct epoll_event e = {.events = events, .data.u64 = data};

	return sys(SYS_epoll_ctl, in->epoll, operation, fd, &e);
}

static uint64_t data_of(int fd, uint32_t generation)
{
	return (uint64_t)generation << 32 | (unsigned)fd;
}

/* Registers fd, for a new generation.  0: it was not registered before.  */
static long add(struct interest *in, int fd, struct watched *w, unsigned events)
{
	long result = control(in, EPOLL_CTL_ADD, fd, events, data_of(fd, in->generation + 1));

	if (result == 0) {
		w->generation = ++in->generation;
		w->events = (uint16_t)events;
		__atomic_store_n(&w->registered, true, __ATOMIC_RELEASE);
		fds_mark(fd, HINT_KEPT, 0);
	}
	return result;
}

/* Whether poll and epoll are known to say the same of it, and looking changes nothing.  Not signalfds, whose answer depends on who
 * asks, and no files in /proc.  */
static bool is_keepable(int fd, unsigned events)
{
	enum { KINDS = 1u << KIND_stream | 1u << KIND_dgram | 1u << KIND_seqpacket | 1u << KIND_pipe | 1u << KIND_fifo |
		       1u << KIND_eventfd | 1u << KIND_timerfd | 1u << KIND_tty | 1u << KIND_ptmx };

	enum fd_kind kind = events & ~EVENTS ? KIND_unknown : HINT_KIND(fds_hint(fd));

	return KINDS >> (kind == KIND_socket ? fds_socket_kind(fd) : kind) & 1;
}

static bool make_direct(struct interest *in, uint32_t at)
{
	if (in->directs == INTEREST_DIRECT_MAX)
		return false;
	in->direct[in->directs++] = at;
	return true;
}

/* The entry's fd is to be watched, for its events.  */
static bool place(struct interest *in, uint32_t at)
{
	int fd = in->entries[at].fd;
	unsigned events = (unsigned short)in->entries[at].events;
	struct watched *w;

	if (fd < 0)
		return true;
	if ((unsigned)fd >= in->room)
		return make_direct(in, at);
	w = &in->watches[fd];
	/* A second entry for the same fd. */
	if (w->at >= 0 && w->at != (int)at)
		return make_direct(in, at);
	w->at = (int)at;
	if (w->registered) {
		if (w->events == events)
			return true;
		if (!(events & ~EVENTS) && control(in, EPOLL_CTL_MOD, fd, events, data_of(fd, w->generation)) == 0) {
			w->events = (uint16_t)events;
			return true;
		}
		control(in, EPOLL_CTL_DEL, fd, 0, 0);
		w->registered = false;
	}
	if (is_keepable(fd, events) && add(in, fd, w, events) == 0)
		return true;
	return make_direct(in, at);
}

static void remove_direct(struct interest *in, uint32_t at)
{
	for (unsigned i = 0; i < in->directs; i++)
		if (in->direct[i] == at) {
			in->direct[i] = in->direct[--in->directs];
			return;
		}
}

static void remove_watch(struct interest *in, int fd)
{
	struct watched *w;

	if (fd < 0 || (unsigned)fd >= in->room)
		return;
	w = &in->watches[fd];
	/* Another entry asks for it now, perhaps. */
	if (w->at >= 0 || !w->registered)
		return;
	control(in, EPOLL_CTL_DEL, fd, 0, 0);
	w->registered = false;
}

/* Where entries only change places, as when the last takes the place of one that is gone, nothing is told to the kernel.  */
bool interest_change(struct interest *in, struct change *changes, unsigned n, unsigned count)
{
	bool ok = true;

	if (count > in->room)
		return false;
	for (unsigned at = in->count; at < count; at++)
		in->entries[at] = (struct pollfd){.fd = -1};
	for (unsigned i = 0; i < n; i++) {
		uint32_t at = changes[i].at;
		struct pollfd old = in->entries[at];

		remove_direct(in, at);
		if (old.fd >= 0 && (unsigned)old.fd < in->room && in->watches[old.fd].at == (int)at)
			in->watches[old.fd].at = -1;
		in->entries[at] = changes[i].value;
		changes[i].value = old;
	}
	in->count = count;
	for (unsigned i = 0; i < n && ok; i++)
		ok = changes[i].at >= count || place(in, changes[i].at);
	for (unsigned i = 0; i < n; i++)
		remove_watch(in, changes[i].value.fd);
	return ok;
}

/* A new instance for the same entries.  */
static bool begin_anew(struct interest *in)
{
	interest_close(in);
	in->epoll = hide((int)sys(SYS_epoll_create1, EPOLL_CLOEXEC));
	if (in->epoll < 0)
		return false;
	in->is_stale = false;
	in->directs = 0;
	for (unsigned i = 0; i < in->room; i++) {
		in->watches[i].at = -1;
		in->watches[i].registered = false;
	}
	for (uint32_t at = 0; at < in->count; at++)
		if (!place(in, at))
			return false;
	return true;
}

enum interest_found interest_collect(struct interest *in, unsigned max)
{
	struct epoll_event *ready = in->scratch;
	long n = sys(SYS_epoll_pwait, in->epoll, ready, max, 0, NULL, 8);

	in->found = 0;
	/* The number is another's by now. */
	if (n < 0) {
		in->epoll = in->wake = -1;
		return INTEREST_BROKEN;
	}
	if ((unsigned)n == max)
		return INTEREST_TOO_MANY;
	for (long i = 0; i < n; i++) {
		unsigned fd = (unsigned)ready[i].data.u64;
		const struct watched *w;

		if (ready[i].data.u64 == WAKE)
			return INTEREST_WOKEN;
		if (fd >= in->room)
			return INTEREST_BROKEN;
		w = &in->watches[fd];
		if (w->registered && w->at >= 0 && w->generation == ready[i].data.u64 >> 32)
			in->where[in->found++] = (uint32_t)w->at;
		else
			in->is_stale = true;
	}
	return INTEREST_SOME;
}

/* To change nothing of what is registered is refused if it is not (1), and has epoll look whether it is ready: there are changes
 * that wake nobody, as that of SO_OOBINLINE.  */
static int verify(struct interest *in, uint32_t at)
{
	int fd = in->entries[at].fd;
	struct watched *w;
	long result;

	if (fd < 0 || (unsigned)fd >= in->room)
		return 0;
	w = &in->watches[fd];
	if (w->at != (int)at || !w->registered)
		return 0;
	if (control(in, EPOLL_CTL_MOD, fd, w->events, data_of(fd, w->generation)) == 0)
		return 0;
	result = add(in, fd, w, w->events);
	if (result < 0) {
		w->registered = false;
		if (!make_direct(in, at))
			return -1;
	}
	return 1;
}

int interest_verify_found(struct interest *in)
{
	int corrected = 0, one;

	for (unsigned i = 0; i < in->found; i++) {
		one = verify(in, in->where[i]);
		if (one < 0)
			return -1;
		corrected += one;
	}
	if (in->is_stale)
		return begin_anew(in) ? corrected + 1 : -1;
	return corrected;
}

int interest_verify_slice(struct interest *in)
{
	int corrected = 0, one;

	for (unsigned i = 0, n = 0; i < in->count && n < KEEP_SLICE; i++) {
		if (in->verified >= in->count)
			in->verified = 0;
		if (in->entries[in->verified].fd >= 0)
			n++;
		one = verify(in, in->verified++);
		if (one < 0)
			return -1;
		corrected += one;
	}
	return corrected;
}

void interest_forget(struct interest *in, int fd, bool wake)
{
	struct watched *w;
	int32_t at;

	if (in->epoll < 0 || (unsigned)fd >= in->room)
		return;
	w = &in->watches[fd];
	if (!__atomic_load_n(&w->registered, __ATOMIC_ACQUIRE))
		return;
	control(in, EPOLL_CTL_DEL, fd, 0, 0);
	__atomic_store_n(&w->registered, false, __ATOMIC_RELEASE);
	at = __atomic_load_n(&w->at, __ATOMIC_RELAXED);
	if (at >= 0 && (unsigned)at < in->room)
		__atomic_store_n(&in->entries[at].fd, INTEREST_FORGOTTEN, __ATOMIC_RELAXED);
	__atomic_store_n(&w->at, -1, __ATOMIC_RELAXED);
	__atomic_store_n(&in->has_forgotten, true, __ATOMIC_RELEASE);
	/* The waiter does not hear of a removal. */
	if (wake && __atomic_load_n(&in->wake, __ATOMIC_RELAXED) < 0) {
		int event = hide((int)sys(SYS_eventfd2, 1, EFD_CLOEXEC)), none = -1;

		if (event >= 0 && !__atomic_compare_exchange_n(&in->wake, &none, event, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
			fds_mark(event, 0, HINT_KEPT);
			sys(SYS_close, event);
		} else if (event >= 0) {
			control(in, EPOLL_CTL_ADD, event, POLLIN, WAKE);
		}
	}
}
