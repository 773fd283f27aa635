/* interest.c - what is registered in a kept epoll instance.
 *
 * Limits of epoll's own, which make an entry direct, or the set useless: /proc/sys/fs/epoll/max_user_watches for all of a user's
 * registrations together (ENOSPC), and the depth and breadth to which epoll instances may watch each other (ELOOP, EINVAL).  */
#include "interest.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "shim/fds.h"
#include "shim/hidden.h"
#include "shim/libc.h"
#include "shim/sys.h"
#include "tracer/format.h"

enum {
	ROOM_MIN = 4096,
	ROOM_MAX = 1 << 20,             /* fds beyond have no hints */
	EVENTS = POLLIN | POLLPRI | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND | POLLRDHUP,
};

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
	STORE(in->watches, (struct watched *)at[1]);
	in->scratch = at[2];
	in->asked = (struct pollfd *)at[3];
	in->where = (uint32_t *)at[4];
	/* Last: who closes an fd goes by it (watch_of). */
	__atomic_store_n(&in->room, room, __ATOMIC_RELEASE);
	return true;
}

bool interest_is_open(const struct interest *in)
{
	struct hidden *h = LOAD(in->hidden);

	return h && hidden_number(h) >= 0;
}

static long control(const struct interest *in, int operation, int fd, unsigned events, uint64_t data)
{
	struct epoll_event e = {.events = events, .data.u64 = data};

	return sys(SYS_epoll_ctl, hidden_number(in->hidden), operation, fd, &e);
}

static uint64_t data_of(int fd, uint32_t generation)
{
	return (uint64_t)generation << 32 | (unsigned)fd;
}

/* Registers fd, for a new generation.  Who closes it meanwhile finds it marked and registered, or has closed it before: so what it
 * undoes too early (interest_forget), or cannot undo, is in its list.  */
static long add(struct interest *in, int fd, struct watched *w, unsigned events)
{
	uint64_t data = data_of(fd, ++in->generation);
	long result;

	w->generation = in->generation;
	w->events = (uint16_t)events;
	fds_mark(fd, HINT_KEPT, 0);
	__atomic_store_n(&w->registered, true, __ATOMIC_SEQ_CST);
	result = control(in, EPOLL_CTL_ADD, fd, events, data);
	if (result == -EEXIST)
		result = control(in, EPOLL_CTL_MOD, fd, events, data);
	if (result < 0)
		STORE(w->registered, false);
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
	in->where[in->directs++] = at;
	return true;
}

static void remove_direct(struct interest *in, uint32_t at)
{
	for (unsigned i = 0; i < in->directs; i++)
		if (in->where[i] == at) {
			in->where[i] = in->where[--in->directs];
			return;
		}
}

static bool is_direct(const struct interest *in, uint32_t at)
{
	for (unsigned i = 0; i < in->directs; i++)
		if (in->where[i] == at)
			return true;
	return false;
}

static struct watched *watch_of(const struct interest *in, int fd)
{
	return (unsigned)fd < __atomic_load_n(&in->room, __ATOMIC_ACQUIRE) ? &LOAD(in->watches)[fd] : NULL;
}

/* Whether epoll is to tell of it.  */
static bool is_watched(const struct interest *in, uint32_t at)
{
	const struct watched *w = in->entries[at].fd < 0 ? NULL : watch_of(in, in->entries[at].fd);

	return w && w->place == at + 1 && !is_direct(in, at);
}

/* The entry's fd is to be watched, for its events.  */
static bool place(struct interest *in, uint32_t at)
{
	int fd = in->entries[at].fd;
	unsigned events = (unsigned short)in->entries[at].events;
	struct watched *w = watch_of(in, fd);

	if (fd < 0)
		return true;
	/* A second entry for the same fd. */
	if (!w || (w->place && w->place != at + 1))
		return make_direct(in, at);
	STORE(w->place, at + 1);
	if (LOAD(w->registered)) {
		if (w->events == events)
			return true;
		if (!(events & ~EVENTS) && control(in, EPOLL_CTL_MOD, fd, events, data_of(fd, w->generation)) == 0) {
			w->events = (uint16_t)events;
			return true;
		}
		control(in, EPOLL_CTL_DEL, fd, 0, 0);
		STORE(w->registered, false);
	}
	if (is_keepable(fd, events) && add(in, fd, w, events) == 0)
		return true;
	return make_direct(in, at);
}

static void remove_watch(struct interest *in, int fd)
{
	struct watched *w = watch_of(in, fd);

	/* Another entry asks for it now, perhaps. */
	if (!w || w->place || !LOAD(w->registered))
		return;
	control(in, EPOLL_CTL_DEL, fd, 0, 0);
	STORE(w->registered, false);
}

bool interest_open(struct interest *in, unsigned count, int top)
{
	if (!make_room(in, count > (unsigned)top ? count : (unsigned)top + 1))
		return false;
	in->count = in->live = in->directs = in->found = in->verified = 0;
	STORE(in->forgotten, 0);
	in->is_stale = false;
	__atomic_store_n(&in->hidden, hidden_take(top, false), __ATOMIC_RELEASE);
	return in->hidden;
}

/* No watch is left.  False where something may be registered still.  */
static bool empty(struct interest *in, bool for_another)
{
	bool is_empty = !in->is_stale;

	for (uint32_t at = 0; at < in->count; at++) {
		int fd = in->entries[at].fd;
		struct watched *w = fd < 0 ? NULL : watch_of(in, fd);

		if (!w)
			continue;
		if (LOAD(w->registered) && for_another)
			is_empty &= control(in, EPOLL_CTL_DEL, fd, 0, 0) == 0;
		STORE(w->place, 0);
		STORE(w->registered, false);
	}
	return is_empty;
}

void interest_close(struct interest *in)
{
	struct hidden *h = in->hidden;
	bool is_empty;

	if (!h)
		return;
	is_empty = empty(in, !libc_single_threaded());
	STORE(in->hidden, NULL);
	in->count = 0;
	hidden_put(h, is_empty);
}

void interest_disown(struct interest *in)
{
	empty(in, false);
	STORE(in->hidden, NULL);
	in->count = 0;
}

static void set_entry(struct interest *in, struct change *c)
{
	struct pollfd old = in->entries[c->at];
	struct watched *w = old.fd < 0 ? NULL : watch_of(in, old.fd);

	remove_direct(in, c->at);
	if (w && w->place == c->at + 1)
		STORE(w->place, 0);
	in->live += (c->value.fd >= 0) - (old.fd >= 0);
	in->entries[c->at] = c->value;
	c->value = old;
}

/* Registers anew what was forgotten, where an entry still asks for it.  More than there was room for: all are looked at.  */
static bool remember(struct interest *in)
{
	unsigned n = __atomic_load_n(&in->forgotten, __ATOMIC_RELAXED) ? __atomic_exchange_n(&in->forgotten, 0, __ATOMIC_SEQ_CST) : 0;
	bool all = n > INTEREST_FORGOTTEN_MAX;

	for (unsigned i = 0; n > 0 && i < INTEREST_FORGOTTEN_MAX; i++) {
		int fd = (int)__atomic_exchange_n(&in->forgot[i], 0, __ATOMIC_ACQUIRE) - 1;

		if (fd < 0 || all || !in->watches[fd].place)
			continue;
		if (!is_direct(in, in->watches[fd].place - 1) && !place(in, in->watches[fd].place - 1))
			return false;
	}
	for (uint32_t at = 0; all && at < in->count; at++)
		if (is_watched(in, at) && !LOAD(in->watches[in->entries[at].fd].registered) && !place(in, at))
			return false;
	return true;
}

/* Where entries only change places, as when the last takes the place of one that is gone, nothing is told to the kernel.  */
bool interest_change(struct interest *in, struct change *changes, unsigned n, unsigned count)
{
	bool ok = true;

	if (count > in->room)
		return false;
	for (unsigned at = in->count; at < count; at++)
		in->entries[at] = (struct pollfd){.fd = -1};
	for (unsigned i = 0; i < n; i++)
		set_entry(in, &changes[i]);
	/* Those that have gone are among the changes. */
	in->count = count;
	for (unsigned i = 0; i < n && ok; i++)
		ok = changes[i].at >= count || place(in, changes[i].at);
	for (unsigned i = 0; i < n; i++)
		if (changes[i].value.fd >= 0)
			remove_watch(in, changes[i].value.fd);
	return ok && remember(in);
}

/* A new instance for the same entries.  */
static bool begin_anew(struct interest *in)
{
	int top = 0;

	empty(in, false);
	hidden_put(in->hidden, false);
	for (uint32_t at = 0; at < in->count; at++)
		if (in->entries[at].fd > top && watch_of(in, in->entries[at].fd))
			top = in->entries[at].fd;
	__atomic_store_n(&in->hidden, hidden_take(top, false), __ATOMIC_RELEASE);
	in->is_stale = false;
	in->directs = 0;
	for (uint32_t at = 0; at < in->count; at++)
		if (!in->hidden || !place(in, at))
			return false;
	return true;
}

enum interest_found interest_collect(struct interest *in, unsigned max)
{
	struct epoll_event *ready = in->scratch;
	long n = sys(SYS_epoll_pwait, hidden_number(in->hidden), ready, max, 0, NULL, 8);

	in->found = 0;
	/* The number is another's by now. */
	if (n < 0)
		return INTEREST_BROKEN;
	if ((unsigned)n == max)
		return INTEREST_TOO_MANY;
	for (long i = 0; i < n; i++) {
		int fd = (int)(uint32_t)ready[i].data.u64;
		const struct watched *w = watch_of(in, fd);

		if (ready[i].data.u64 == HIDDEN_WAKE)
			continue;
		if (!w)
			return INTEREST_BROKEN;
		if (LOAD(w->registered) && w->place && w->generation == ready[i].data.u64 >> 32)
			in->where[in->directs + in->found++] = w->place - 1;
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
	struct watched *w = &in->watches[fd];

	if (LOAD(w->registered) && control(in, EPOLL_CTL_MOD, fd, w->events, data_of(fd, w->generation)) == 0)
		return 0;
	STORE(w->registered, false);
	/* What the number meant may not be what it means. */
	fds_relook(fd);
	return place(in, at) ? 1 : -1;
}

int interest_verify_found(struct interest *in)
{
	unsigned first = in->directs;
	int corrected = 0, one;

	/* One that becomes direct takes a place that has been read. */
	for (unsigned i = 0; i < in->found; i++) {
		one = verify(in, in->where[first + i]);
		if (one < 0)
			return -1;
		corrected += one;
	}
	in->found = 0;
	if (in->is_stale)
		return begin_anew(in) ? corrected + 1 : -1;
	return corrected;
}

int interest_verify_slice(struct interest *in, unsigned n, bool only_ready)
{
	struct pollfd *slice = in->scratch;
	struct timespec at_once = {0};
	unsigned size = 0;
	int corrected = 0, one;
	long result;

	in->found = 0;
	for (unsigned i = 0; i < in->count && size < n; i++) {
		uint32_t at = in->verified < in->count ? in->verified : 0;

		in->verified = at + 1;
		if (is_watched(in, at))
			slice[size++] = in->entries[at];
	}
	/* A signal that comes meanwhile is the wait's concern. */
	do
		result = only_ready ? sys(SYS_ppoll, slice, size, &at_once, NULL, 8) : (long)size;
	while (result == -EINTR);
	if (result < 0)
		return -1;
	for (unsigned i = 0; i < size && result > 0; i++) {
		if (only_ready && !slice[i].revents)
			continue;
		one = verify(in, in->watches[slice[i].fd].place - 1);
		if (one < 0)
			return -1;
		corrected += one;
	}
	return corrected;
}

bool interest_forget(struct interest *in, int fd)
{
	struct hidden *h = __atomic_load_n(&in->hidden, __ATOMIC_ACQUIRE);
	struct watched *w = h ? watch_of(in, fd) : NULL;
	struct epoll_event unused = {0};
	uint32_t i;

	if (!w || !__atomic_load_n(&w->registered, __ATOMIC_SEQ_CST))
		return false;
	sys(SYS_epoll_ctl, hidden_number(h), EPOLL_CTL_DEL, fd, &unused);
	__atomic_store_n(&w->registered, false, __ATOMIC_RELEASE);
	for (i = 0; i < INTEREST_FORGOTTEN_MAX; i++) {
		uint32_t none = 0;

		if (__atomic_compare_exchange_n(&in->forgot[i], &none, (uint32_t)fd + 1, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
			break;
	}
	/* Behind the number: whoever finds that there is one finds it. */
	__atomic_fetch_add(&in->forgotten, i < INTEREST_FORGOTTEN_MAX ? 1 : INTEREST_FORGOTTEN_MAX + 1, __ATOMIC_SEQ_CST);
	return true;
}

bool interest_asks_for(const struct interest *in, int fd)
{
	const struct watched *w = interest_is_open(in) ? watch_of(in, fd) : NULL;

	return w && LOAD(w->place);
}

bool interest_has(const struct interest *in, const struct pollfd *p)
{
	const struct watched *w = p->fd < 0 ? NULL : watch_of(in, p->fd);

	return p->fd < 0 || (w && LOAD(w->registered) && w->events == (unsigned short)p->events);
}
