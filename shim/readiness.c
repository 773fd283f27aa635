/* readiness.c - what is registered in the instance that the observer waits on, and how it gets there.
 *
 * Registrations are numbered: an edge tells of which one it is, so that what is reported of a description that lives on elsewhere
 * (in a child, say) is not taken for what has its fd by now.  */
#include "readiness.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "config.h"
#include "hidden.h"
#include "init.h"
#include "record.h"
#include "sys.h"
#include "text.h"
#include "tracefile.h"

HOT_DATA bool readiness_on;

static struct {
	struct hidden *hidden;          /* NULL: there is none */
	uint32_t generation;            /* of which process it is (tracefile_alive) */
	uint32_t registrations;         /* so far */
	bool refused;                   /* nobody takes it, or it cannot be hidden */
	bool busy;                      /* a thread opens it, with signals blocked */
} instance;

static void unwatch(int fd, fd_hint hint, void *arg)
{
	(void)arg;
	if (hint & HINT_WATCHED)
		fds_mark(fd, 0, HINT_WATCHED | HINT_WATCHED_WRITE | HINT_NAMED);
}

/* There is no instance any more.  What was in it is named anew when it is used, and so gets into the next; until then the observer,
 * which has it, too, tells of it.  */
static void lose(void)
{
	instance.hidden = NULL;
	fds_each(unwatch, NULL);
}

/* Whether this is a process that can have an instance.  After a fork that was not seen it still has its parent's.  */
static bool is_own(void)
{
	if (!readiness_on || shim_sandboxed || !tracefile_is_own())
		return false;
	if (instance.generation != *tracefile_alive) {
		lose();
		instance.generation = *tracefile_alive;
		instance.refused = instance.busy = false;
	}
	return true;
}

/* With signals blocked; false where another thread has it.  */
static bool lock(uint64_t *mask)
{
	uint64_t all = ~(uint64_t)0;

	sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, mask, sizeof *mask);
	if (!__atomic_exchange_n(&instance.busy, true, __ATOMIC_ACQUIRE))
		return true;
	sys(SYS_rt_sigprocmask, SIG_SETMASK, mask, NULL, sizeof *mask);
	return false;
}

static void unlock(const uint64_t *mask)
{
	__atomic_store_n(&instance.busy, false, __ATOMIC_RELEASE);
	sys(SYS_rt_sigprocmask, SIG_SETMASK, mask, NULL, sizeof *mask);
}

/* By way of the directory's fd: its own name may be longer than an address can be (unix(7), 108 bytes).  */
static bool find_observer(int dir, struct sockaddr_un *address)
{
	struct text t = {address->sun_path, address->sun_path + sizeof address->sun_path - 1};

	if (dir < 0)
		return false;
	address->sun_family = AF_UNIX;
	text_string(&t, "/proc/self/fd/");
	text_number(&t, (unsigned)dir, 10);
	text_string(&t, "/" TRACE_OBSERVER_NAME);
	*t.at = 0;
	return true;
}

/* The instance goes along with the name of the process's file.  */
static bool send_it(int to, int epoll)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	const char *name = tracefile_name();
	struct iovec part = {(void *)(uintptr_t)name, strlen(name)};
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes,
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &epoll, sizeof epoll);
	return sys(SYS_sendmsg, to, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (long)part.iov_len;
}

/* Never waits: where nobody listens, or somebody does not get round to it, readiness is not recorded.  */
static bool hand_over(int epoll)
{
	struct sockaddr_un address = {0};
	long dir = sys(SYS_openat, AT_FDCWD, config.trace, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), s = -1;
	bool done = find_observer((int)dir, &address);

	if (done) {
		s = sys(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		done = s >= 0 && sys(SYS_connect, s, &address, sizeof address) == 0 && send_it((int)s, epoll);
	}
	if (s >= 0)
		sys(SYS_close, s);
	if (dir >= 0)
		sys(SYS_close, dir);
	return done;
}

/* `top`: an fd that the program has.  */
static void open_instance(int top)
{
	uint64_t mask;

	while (!lock(&mask))
		sys(SYS_sched_yield);
	if (!instance.hidden && !instance.refused) {
		struct hidden *h = hidden_start() && hidden_is_own() ? hidden_take(top, true) : NULL;

		if (h && !hand_over(hidden_number(h))) {
			hidden_put(h, true);
			h = NULL;
		}
		instance.refused = !h;
		__atomic_store_n(&instance.hidden, h, __ATOMIC_RELEASE);
	}
	unlock(&mask);
}

/* The number of the instance; -1: there is none, it has been closed, or nobody but its own process may ask.  */
static int number(void)
{
	struct hidden *h = is_own() ? __atomic_load_n(&instance.hidden, __ATOMIC_ACQUIRE) : NULL;

	return h ? hidden_number(h) : -1;
}

static bool has_instance(int top)
{
	struct hidden *h;

	if (!is_own())
		return false;
	h = __atomic_load_n(&instance.hidden, __ATOMIC_ACQUIRE);
	if (h && hidden_number(h) < 0 && __atomic_compare_exchange_n(&instance.hidden, &h, NULL, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
		lose();
		hidden_put(h, false);
	}
	if (!instance.hidden && !instance.refused)
		open_instance(top);
	return number() >= 0;
}

void readiness_provide(void)
{
	has_instance(0);
}

static long control(int operation, int fd, uint32_t events, uint32_t registration)
{
	struct epoll_event e = {.events = events | EPOLLET, .data.u64 = (uint64_t)registration << 32 | (unsigned)fd};

	return sys(SYS_epoll_ctl, number(), operation, fd, &e);
}

/* epoll looks at once whether it is ready.  False where the kernel does not take it.  */
static bool enlist(int fd, uint32_t events)
{
	uint32_t registration = __atomic_add_fetch(&instance.registrations, 1, __ATOMIC_RELAXED);
	long result;

	record_watch(fd, registration, events);
	result = control(EPOLL_CTL_ADD, fd, events, registration);
	if (result == -EEXIST)
		result = control(EPOLL_CTL_MOD, fd, events, registration);
	return result == 0;
}

enum { BOTH = HINT_WATCHED | HINT_WATCHED_WRITE };

void readiness_closing(int fd)
{
	if (is_own() && (fds_mark(fd, BOTH, ~(uint32_t)HINT_OWNED) & HINT_WATCHED))
		control(EPOLL_CTL_DEL, fd, 0, 0);
}

/* Not what another has made of the number.  */
void readiness_closed(int fd)
{
	if (is_own())
		fds_drop(fd, BOTH);
}

/* Whether fd, which was marked before, is in the instance.  Not if it has been forgotten since: then it was taken out before it was
 * in.  */
static bool register_used(int fd)
{
	if (!enlist(fd, EPOLLIN | EPOLLRDHUP))
		return false;
	if (HINT_KIND(fds_peek(fd)) != KIND_unknown)
		return true;
	control(EPOLL_CTL_DEL, fd, 0, 0);
	return false;
}

fd_hint readiness_watch(int fd, enum fd_kind kind, bool write_only)
{
	if (kind == KIND_socket)
		kind = fds_socket_kind(fd);
	if (!readiness_may_watch(kind) || kind == KIND_socket || !wants_number(&config.wants.fds, (unsigned)fd) || !(write_only ? is_own() : has_instance(fd)) ||
	    (fds_mark(fd, HINT_WATCHED, 0) & HINT_WATCHED))
		return 0;
	if (write_only || register_used(fd))
		return HINT_WATCHED;
	/* But not who closes it meanwhile, and has marked it for both. */
	if (HINT_KIND(fds_peek(fd)) == KIND_unknown)
		fds_drop(fd, HINT_WATCHED);
	else
		fds_mark(fd, 0, HINT_WATCHED);
	return 0;
}

/* Not before a write would block: until then it is always ready.  */
void readiness_watch_write(int fd)
{
	if (!has_instance(fd) || (fds_mark(fd, HINT_WATCHED_WRITE, 0) & HINT_WATCHED_WRITE))
		return;
	enlist(fd, EPOLLIN | EPOLLRDHUP | EPOLLOUT);
}

bool readiness_forget(int fd)
{
	if (!is_own())
		return !readiness_on || shim_sandboxed;
	control(EPOLL_CTL_DEL, fd, 0, 0);
	return true;
}

static void delist(int fd, fd_hint hint, void *arg)
{
	(void)arg;
	if (hint & HINT_WATCHED)
		control(EPOLL_CTL_DEL, fd, 0, 0);
}

/* The observer has the instance, too, so that its registrations would stay.  */
bool readiness_give_back(void)
{
	struct hidden *h = number() < 0 ? NULL : instance.hidden;

	if (!h)
		return false;
	fds_each(delist, NULL);
	instance.refused = true;
	lose();
	hidden_put(h, false);
	return true;
}

void readiness_forked(void)
{
	if (!readiness_on || shim_sandboxed)
		return;
	instance.busy = instance.refused = false;
	lose();
}
