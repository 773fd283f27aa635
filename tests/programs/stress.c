/* stress.c - stress SECONDS [SEED [quiet]]: threads that do at random, all at once, what upsets whoever remembers something about
 * an fd.
 *
 * Each worker plays one round after the other: bytes through pipes and sockets, numbers that get another meaning while somebody
 * waits on them, polls of many fds, forks, execs, cancellations, requests of POSIX AIO; and all the while signals come.  A round
 * checks what must hold in whatever order things happen: each byte is read once and in order, EINTR comes only where a handler ran
 * that may end a call, and EAGAIN where it was asked for.  At the end the same fds are open as at the beginning.  What hangs is
 * told by an alarm.
 *
 * The seed chooses what is played, not who is faster: it replays a run as far as that can be had.  quiet: without signals, but for
 * those of requests, in the first thread.  */
#include <aio.h>
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	WORKERS = 6,
	NUMBERS = 4096, /* fds that the process may have */
	HIGH = 512,	/* numbers that no open() returns: 128 for each worker */
	TARGETS = 64,
	GRACE = 90, /* seconds after which it hangs */
};

static unsigned long seed;
static _Atomic bool is_over;
static _Atomic pid_t targets[TARGETS];			 /* threads that get signals; some have ended */
static __thread int worker;				 /* whose round this thread plays in */
static __thread volatile unsigned handled, interrupting; /* handlers that ran here; those without SA_RESTART */
static __thread uint64_t chance;

static struct {
	const char *_Atomic round;
	_Atomic unsigned long rounds;
	const char *_Atomic call; /* what one of its threads did last */
} state[WORKERS];

/* ---- Chance, and complaints.  */

static unsigned any(unsigned n) /* splitmix64 */
{
	uint64_t z = chance += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (unsigned)((z ^ z >> 31) % n);
}

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *format, ...)
{
	int error = errno;
	char text[256];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	dprintf(2, "stress: seed %lu, %s: %s (errno %s)\n", seed, state[worker].round, text, strerrorname_np(error));
	_exit(1);
}

static void need(bool ok, const char *what)
{
	if (!ok)
		fail("%s", what);
}

static void hangs(int signal)
{
	(void)signal;
	for (int i = 0; i < WORKERS; i++)
		dprintf(2, "stress: seed %lu hangs: worker %d, round %lu: %s, last in %s\n", seed, i, state[i].rounds,
			state[i].round, state[i].call);
	abort();
}

static void restarts(int signal)
{
	(void)signal;
	handled++;
}

static void interrupts(int signal)
{
	(void)signal;
	handled++;
	interrupting++;
}

/* A call that may be ended by a handler without SA_RESTART, and by nothing else; again until it is done.  */
#define RETRY(call) RETRY_WHERE(call, interrupting)
/* One that any handler ends (signal(7)).  */
#define RETRY_ANY(call) RETRY_WHERE(call, handled)
#define RETRY_WHERE(call_, count)                                                                                                  \
	({                                                                                                                         \
		long result_;                                                                                                      \
		unsigned before_;                                                                                                  \
                                                                                                                                   \
		state[worker].call = #call_;                                                                                       \
		while (before_ = (count), result_ = (call_), result_ < 0 && errno == EINTR)                                        \
			if (before_ == (count))                                                                                    \
				fail("%s: EINTR, and no handler", #call_);                                                         \
		result_;                                                                                                           \
	})

/* ---- Threads.  */

struct start {
	void *(*run)(void *);
	void *arg;
	uint64_t chance;
	int worker;
};

static void *begin(void *start)
{
	struct start s = *(struct start *)start;

	free(start);
	worker = s.worker;
	chance = s.chance;
	targets[any(TARGETS)] = (pid_t)syscall(SYS_gettid);
	return s.run(s.arg);
}

static pthread_t start(void *(*run)(void *), void *arg)
{
	struct start *s = malloc(sizeof *s);
	pthread_t thread;

	*s = (struct start){run, arg, chance + any(1u << 30), worker};
	need((errno = pthread_create(&thread, NULL, begin, s)) == 0, "pthread_create");
	return thread;
}

static void *join(pthread_t thread)
{
	void *result;

	state[worker].call = "pthread_join";
	need((errno = pthread_join(thread, &result)) == 0, "pthread_join");
	return result;
}

/* Lets others go first, or not.  */
static void dawdle(void)
{
	struct timespec t = {.tv_nsec = any(200000)};

	switch (any(4)) {
	case 0:
		sched_yield();
		break;
	case 1:
		nanosleep(&t, NULL);
		break;
	default:
		break;
	}
}

/* ---- Channels: what bytes go through.  */

struct channel {
	int in, out; /* to read from, to write to */
	bool is_socket;
};

static void connect_both(int fds[2])
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct linger at_once = {.l_onoff = 1};
	socklen_t size = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	need(listener >= 0 && bind(listener, (struct sockaddr *)&a, size) == 0 && listen(listener, 1) == 0, "listen");
	getsockname(listener, (struct sockaddr *)&a, &size);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	/* A connect that was ended goes on by itself: here it does not wait long enough to be. */
	need(connect(fds[0], (struct sockaddr *)&a, size) == 0 || errno == EINTR, "connect");
	fds[1] = (int)RETRY(accept4(listener, NULL, NULL, any(2) ? SOCK_CLOEXEC : 0));
	need(fds[1] >= 0, "accept");
	setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close(listener);
}

static struct channel make_channel(void)
{
	unsigned kind = any(16);
	int fds[2];

	if (kind == 0)
		connect_both(fds);
	else if (kind < 6)
		need(socketpair(AF_UNIX, SOCK_STREAM | (any(2) ? SOCK_CLOEXEC : 0), 0, fds) == 0, "socketpair");
	else
		need((any(2) ? pipe(fds) : pipe2(fds, O_CLOEXEC)) == 0, "pipe");
	return (struct channel){fds[0], fds[1], kind < 6};
}

static void close_channel(const struct channel *c)
{
	need(close(c->in) == 0 && close(c->out) == 0, "close");
}

/* close() is a cancellation point, and then closes nothing.  */
static void close_epoll(void *epoll)
{
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	close(*(int *)epoll);
	pthread_setcancelstate(old, NULL);
}

static void wait_epoll(int fd)
{
	struct epoll_event e = {.events = EPOLLIN};
	int epoll = epoll_create1(any(2) ? EPOLL_CLOEXEC : 0);

	need(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) == 0, "epoll");
	pthread_cleanup_push(close_epoll, &epoll);
	/* The kernel's own EINTR needs no handler: a signal that another thread has taken is enough (fs/eventpoll.c). */
	state[worker].call = "epoll_wait";
	while (epoll_wait(epoll, &e, 1, -1) < 0)
		need(errno == EINTR, "epoll_wait");
	pthread_cleanup_pop(1);
}

/* Waits in another call before it reads, or does not.  */
static void wait_first(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	fd_set set;

	switch (any(8)) {
	case 0:
		need(RETRY_ANY(poll(&p, 1, -1)) == 1, "poll");
		break;
	case 1:
		need(RETRY_ANY(ppoll(&p, 1, NULL, NULL)) == 1, "ppoll");
		break;
	case 2:
		if (fd >= FD_SETSIZE)
			break;
		FD_ZERO(&set);
		FD_SET(fd, &set);
		need(RETRY_ANY(select(fd + 1, &set, NULL, NULL, NULL)) == 1, "select");
		break;
	case 3:
		wait_epoll(fd);
		break;
	default:
		break;
	}
}

/* Up to n bytes, by one of the calls that there are.  */
static long get_some(const struct channel *c, char *at, size_t n)
{
	struct iovec parts[2] = {{at, n / 2}, {at + n / 2, n - n / 2}};
	struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
	long result;

	wait_first(c->in);
	switch (any(c->is_socket ? 5 : 2)) {
	case 0:
		return RETRY(read(c->in, at, n));
	case 1:
		return RETRY(readv(c->in, parts, 2));
	case 2:
		return RETRY(recv(c->in, at, n, 0));
	case 3:
		return RETRY(recvmsg(c->in, &m, 0));
	default:
		while ((result = recv(c->in, at, n, MSG_DONTWAIT)) < 0 && errno == EAGAIN)
			sched_yield();
		return result;
	}
}

static long put_some(const struct channel *c, const char *at, size_t n)
{
	struct iovec parts[2] = {{(char *)(uintptr_t)at, n / 2}, {(char *)(uintptr_t)at + n / 2, n - n / 2}};
	struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};

	switch (any(c->is_socket ? 4 : 2)) {
	case 0:
		return RETRY(write(c->out, at, n));
	case 1:
		return RETRY(writev(c->out, parts, 2));
	case 2:
		return RETRY(send(c->out, at, n, 0));
	default:
		return RETRY(sendmsg(c->out, &m, 0));
	}
}

static void put(const struct channel *c, const void *data, size_t n)
{
	for (size_t done = 0; done < n;) {
		long result = put_some(c, (const char *)data + done, n - done);

		need(result > 0 && (size_t)result <= n - done, "what was written");
		done += (size_t)result;
	}
}

static void get(const struct channel *c, void *data, size_t n)
{
	for (size_t done = 0; done < n;) {
		long result = get_some(c, (char *)data + done, n - done);

		need(result > 0 && (size_t)result <= n - done, "what was read");
		done += (size_t)result;
	}
}

/* ---- stream: one thread writes, one reads, and the bytes are those, in order.  */

struct stream {
	struct channel c;
	size_t length;
	unsigned key;
};

static char byte_at(const struct stream *s, size_t i)
{
	return (char)((i * 2654435761u + s->key) >> 13);
}

static void *write_stream(void *arg)
{
	struct stream *s = arg;
	char buffer[20000];

	for (size_t done = 0, n; done < s->length; done += n) {
		n = 1 + any(any(2) ? 64 : sizeof buffer);
		if (n > s->length - done)
			n = s->length - done;
		for (size_t i = 0; i < n; i++)
			buffer[i] = byte_at(s, done + i);
		put(&s->c, buffer, n);
		dawdle();
	}
	need(close(s->c.out) == 0, "close");
	return NULL;
}

static void play_stream(void)
{
	struct stream s = {make_channel(), 1 + any(any(2) ? 500 : 300000), any(1u << 30)};
	pthread_t writer = start(write_stream, &s);
	char buffer[30000];

	for (size_t done = 0; done < s.length;) {
		long n = get_some(&s.c, buffer, 1 + any(any(2) ? 64 : sizeof buffer));

		need(n > 0 && (size_t)n <= s.length - done, "what was read");
		for (long i = 0; i < n; i++)
			if (buffer[i] != byte_at(&s, done + (size_t)i))
				fail("byte %zu of %zu is another", done + (size_t)i, s.length);
		done += (size_t)n;
	}
	/* A child of another round may have the other end for a while. */
	need(get_some(&s.c, buffer, sizeof buffer) == 0, "the end");
	join(writer);
	need(close(s.c.in) == 0, "close");
}

/* ---- replaced: two channels take turns under one number, while one or two threads read from it.  */

enum { ROUND_TOKENS = 100, READERS_MAX = 2 };

struct token {
	uint16_t from, number;
	uint32_t key;
};

struct replaced {
	struct channel c[2];
	int number; /* what is read from: one of them, or nothing */
	int readers;
	uint32_t key;
	unsigned seen[2][ROUND_TOKENS + READERS_MAX];
	_Atomic bool done;
};

/* The last tokens, one for each reader, end it: whichever of the two it waits on.  */
static bool is_last(const struct token *t)
{
	return t->number >= ROUND_TOKENS;
}

static void take(struct replaced *r, const struct token *t, int newest[2])
{
	if (t->from > 1 || t->number >= ROUND_TOKENS + r->readers || t->key != r->key)
		fail("a token that nobody wrote");
	if (t->number <= newest[t->from])
		fail("token %u after %d", t->number, newest[t->from]);
	newest[t->from] = t->number;
	if (__atomic_fetch_add(&r->seen[t->from][t->number], 1, __ATOMIC_RELAXED))
		fail("token %u is read twice", t->number);
}

static void *read_replaced(void *arg)
{
	struct replaced *r = arg;
	struct pollfd p = {.fd = r->number, .events = POLLIN};
	struct token t = {0};
	int newest[2] = {-1, -1};

	while (!is_last(&t)) {
		long n;

		if (any(4) == 0)
			need(RETRY_ANY(poll(&p, 1, (int)any(3))) >= 0, "poll");
		n = RETRY(read(r->number, &t, sizeof t));
		if (n < 0 && errno == EBADF) {
			sched_yield();
			continue;
		}
		need(n == sizeof t, "a token");
		take(r, &t, newest);
	}
	return NULL;
}

static void *replace(void *arg)
{
	struct replaced *r = arg;

	while (!r->done) {
		int from = r->c[any(2)].in;

		switch (any(4)) {
		case 0:
			need(RETRY(dup3(from, r->number, O_CLOEXEC)) == r->number, "dup3");
			break;
		case 1:
			need(close(r->number) == 0, "close");
			dawdle();
			need(fcntl(from, F_DUPFD, r->number) == r->number, "F_DUPFD");
			break;
		case 2:
			need(close_range((unsigned)r->number, (unsigned)r->number, 0) == 0, "close_range");
			/* fall through */
		default:
			need(RETRY(dup2(from, r->number)) == r->number, "dup2");
			break;
		}
		dawdle();
	}
	return NULL;
}

static void play_replaced(void)
{
	struct replaced r = {.number = HIGH + 128 * worker, .readers = 1 + (int)any(READERS_MAX), .key = any(1u << 30)};
	pthread_t readers[READERS_MAX], replacer;
	int newest[2] = {-1, -1};
	struct token t;

	r.c[0] = make_channel();
	r.c[1] = make_channel();
	need(dup2(r.c[0].in, r.number) == r.number, "dup2");
	for (int i = 0; i < r.readers; i++)
		readers[i] = start(read_replaced, &r);
	replacer = start(replace, &r);
	for (unsigned next[2] = {0, 0}, last = ROUND_TOKENS + (unsigned)r.readers; next[0] < last || next[1] < last;) {
		unsigned from = any(2);

		if (next[from] == last)
			continue;
		t = (struct token){(uint16_t)from, (uint16_t)next[from]++, r.key};
		need(RETRY(write(r.c[from].out, &t, sizeof t)) == sizeof t, "write");
		if (any(2))
			dawdle();
	}
	for (int i = 0; i < r.readers; i++)
		join(readers[i]);
	r.done = true;
	join(replacer);
	close(r.number);
	/* What nobody came to read is still there. */
	for (int i = 0; i < 2; i++) {
		unsigned left = 0;

		for (unsigned j = 0; j < ROUND_TOKENS + (unsigned)r.readers; j++)
			left += !r.seen[i][j];
		for (; left; left--) {
			need(RETRY(read(r.c[i].in, &t, sizeof t)) == sizeof t, "a token that was left");
			take(&r, &t, newest);
		}
		close_channel(&r.c[i]);
	}
}

/* ---- many: a loop polls many numbers, most of them silent, and some of which mean another channel from time to time.  */

enum { BUSY = 6, MANY_MAX = 120, MANY_TOKENS = 60 };

struct many {
	struct channel busy[BUSY], silent;
	int count;
	int number[MANY_MAX];
	bool swaps; /* then a wait may miss a channel that has taken another's number: natively, too */
	_Atomic bool done;
};

static void *feed_many(void *arg)
{
	struct many *m = arg;

	for (unsigned n = 0; n < MANY_TOKENS * BUSY; n++) {
		struct token t = {(uint16_t)(n % BUSY), (uint16_t)(n / BUSY), 0};

		need(RETRY(write(m->busy[t.from].out, &t, sizeof t)) == sizeof t, "write");
		if (any(2))
			dawdle();
	}
	return NULL;
}

static void *churn_many(void *arg)
{
	struct many *m = arg;

	while (!m->done) {
		int i = m->swaps ? (int)any((unsigned)m->count) : BUSY + (int)any((unsigned)m->count - BUSY);
		int from = i < BUSY ? m->busy[any(BUSY)].in : m->silent.in;

		if (any(2))
			close(m->number[i]);
		need(RETRY(dup2(from, m->number[i])) == m->number[i], "dup2");
		dawdle();
	}
	for (int i = 0; i < BUSY; i++)
		need(RETRY(dup2(m->busy[i].in, m->number[i])) == m->number[i], "dup2");
	return NULL;
}

static unsigned read_ready(int fd, int newest[BUSY])
{
	struct token t;
	long n = RETRY(read(fd, &t, sizeof t));

	/* Another is there by now: it is O_NONBLOCK. */
	if (n < 0 && (errno == EAGAIN || errno == EBADF))
		return 0;
	need(n == sizeof t && t.from < BUSY, "a token");
	if (t.number != newest[t.from] + 1)
		fail("token %u after %d", t.number, newest[t.from]);
	newest[t.from] = t.number;
	return 1;
}

static unsigned poll_many(struct many *m, struct pollfd *p, int newest[BUSY])
{
	unsigned taken = 0;

	need(RETRY_ANY(poll(p, (nfds_t)m->count, m->swaps ? (int)any(20) : -1)) >= 0, "poll");
	for (int i = 0; i < m->count; i++)
		if (p[i].revents & POLLIN)
			taken += read_ready(p[i].fd, newest);
	return taken;
}

static unsigned select_many(struct many *m, fd_set *set, int newest[BUSY])
{
	unsigned taken = 0;
	struct timeval timeout = {.tv_usec = any(20000)};
	long n;

	FD_ZERO(set);
	for (int i = 0; i < m->count; i++)
		FD_SET(m->number[i], set);
	state[worker].call = "select";
	n = select(m->number[m->count - 1] + 1, set, NULL, NULL, m->swaps ? &timeout : NULL);
	/* A number that was closed is an error. */
	if (n < 0 && (errno == EINTR || errno == EBADF))
		return 0;
	need(n >= 0, "select");
	for (int i = 0; i < m->count; i++)
		if (FD_ISSET(m->number[i], set))
			taken += read_ready(m->number[i], newest);
	return taken;
}

static void play_many(void)
{
	struct many m = {.silent = make_channel(), .count = 64 + (int)any(MANY_MAX - 64 + 1), .swaps = any(2)};
	bool by_select = any(2) && HIGH + 128 * worker + 128 <= FD_SETSIZE;
	struct pollfd p[MANY_MAX];
	fd_set set;
	int newest[BUSY];
	pthread_t feeder, churner;

	/* A number that is closed while it is selected may be reported as readable (fs/select.c), and be open again by then. */
	fcntl(m.silent.in, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < m.count; i++) {
		if (i < BUSY) {
			m.busy[i] = make_channel();
			fcntl(m.busy[i].in, F_SETFL, O_NONBLOCK);
			newest[i] = -1;
		}
		m.number[i] = HIGH + 128 * worker + i;
		need(dup2(i < BUSY ? m.busy[i].in : m.silent.in, m.number[i]) == m.number[i], "dup2");
		p[i] = (struct pollfd){.fd = m.number[i], .events = POLLIN};
	}
	feeder = start(feed_many, &m);
	churner = start(churn_many, &m);
	for (unsigned taken = 0; taken < BUSY * MANY_TOKENS;) {
		taken += by_select ? select_many(&m, &set, newest) : poll_many(&m, p, newest);
		/* A channel that has no number is not heard of any more. */
		if (m.swaps && !m.done && any(100) == 0) {
			m.done = true;
			join(churner);
		}
	}
	if (!m.done) {
		m.done = true;
		join(churner);
	}
	join(feeder);
	for (int i = 0; i < m.count; i++)
		close(m.number[i]);
	for (int i = 0; i < BUSY; i++)
		close_channel(&m.busy[i]);
	close_channel(&m.silent);
}

/* ---- counted: threads add to an eventfd, one takes from it.  */

enum { ADDERS = 3, ADDS = 40 };

struct counted {
	int fd;
	uint64_t sum;
};

static void *add(void *arg)
{
	struct counted *c = arg;

	for (int i = 0; i < ADDS; i++) {
		uint64_t n = 1 + any(any(4) ? 3 : 1000);

		__atomic_fetch_add(&c->sum, n, __ATOMIC_SEQ_CST);
		need(RETRY(write(c->fd, &n, sizeof n)) == sizeof n, "write");
		dawdle();
	}
	return c;
}

static void play_counted(void)
{
	struct counted c = {.fd = eventfd(0, any(2) ? EFD_CLOEXEC : 0)};
	pthread_t adders[ADDERS];
	uint64_t sum = 0, n = 0;

	need(c.fd >= 0, "eventfd");
	for (int i = 0; i < ADDERS; i++)
		adders[i] = start(add, &c);
	/* Somebody still has to add, or what was added is to be read. */
	for (int left = ADDERS; left || sum != __atomic_load_n(&c.sum, __ATOMIC_SEQ_CST);) {
		if (left && any(4) == 0)
			join(adders[--left]);
		if (sum != __atomic_load_n(&c.sum, __ATOMIC_SEQ_CST)) {
			wait_first(c.fd);
			need(RETRY(read(c.fd, &n, sizeof n)) == sizeof n, "read");
			sum += n;
		}
		if (sum > __atomic_load_n(&c.sum, __ATOMIC_SEQ_CST))
			fail("more than was added");
	}
	close(c.fd);
}

/* ---- forked: a child and a thread write tokens into one channel.  */

enum { FORK_TOKENS = 50 };

struct forked {
	struct channel c;
	unsigned from;
};

static void *write_tokens(void *arg)
{
	const struct forked *f = arg;

	for (unsigned n = 0; n < FORK_TOKENS; n++) {
		struct token t = {(uint16_t)f->from, (uint16_t)n, 0};

		need(RETRY(write(f->c.out, &t, sizeof t)) == sizeof t, "write");
		if (any(4) == 0)
			dawdle();
	}
	return NULL;
}

static void wait_child(pid_t pid, int status)
{
	int found;

	need(RETRY(waitpid(pid, &found, 0)) == pid, "waitpid");
	if (!WIFEXITED(found) || WEXITSTATUS(found) != status)
		fail("a child's status is %#x instead of %d", (unsigned)found, status);
}

static void play_forked(void)
{
	struct forked f = {make_channel(), 1}, childs = {f.c, 0};
	int newest[2] = {-1, -1}, status = (int)any(90);
	pthread_t writer = start(write_tokens, &f);
	pid_t pid = fork();

	need(pid >= 0, "fork");
	if (pid == 0) {
		write_tokens(&childs);
		_exit(status);
	}
	for (int n = 0; n < 2 * FORK_TOKENS; n++) {
		struct token t;

		get(&f.c, &t, sizeof t);
		if (t.from > 1 || t.number != newest[t.from] + 1)
			fail("token %u of %u after %d", t.number, t.from, newest[t.from]);
		newest[t.from] = t.number;
	}
	join(writer);
	wait_child(pid, status);
	close_channel(&f.c);
}

/* ---- spawned: another program gives back what it is given.  */

static int be_child(size_t length, int status)
{
	struct channel c = {0, 1, false};
	char buffer[4096];

	for (size_t n; length; length -= n) {
		n = 1 + any(sizeof buffer);
		n = n < length ? n : length;
		get(&c, buffer, n);
		put(&c, buffer, n);
	}
	return status;
}

static pid_t spawn(const struct channel *to, const struct channel *from, char **argv)
{
	unsigned how = any(3);
	posix_spawn_file_actions_t actions;
	pid_t pid;

	if (how == 0) {
		posix_spawn_file_actions_init(&actions);
		posix_spawn_file_actions_adddup2(&actions, to->in, 0);
		posix_spawn_file_actions_adddup2(&actions, from->out, 1);
		need((errno = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ)) == 0, "posix_spawn");
		posix_spawn_file_actions_destroy(&actions);
		return pid;
	}
	pid = how == 1 ? vfork() : fork();
	if (pid == 0) {
		if (dup2(to->in, 0) == 0 && dup2(from->out, 1) == 1)
			execv("/proc/self/exe", argv);
		_exit(96);
	}
	need(pid > 0, "fork");
	return pid;
}

static void play_spawned(void)
{
	struct channel to = make_channel(), from = make_channel();
	char data[4096], back[4096], length[16], status[16], chances[16];
	char *argv[] = {"stress", "child", length, status, chances, NULL};
	size_t n = 1 + any(sizeof data);
	pid_t pid;

	snprintf(length, sizeof length, "%zu", n);
	snprintf(status, sizeof status, "%u", any(90));
	snprintf(chances, sizeof chances, "%u", any(1u << 30));
	for (size_t i = 0; i < n; i++)
		data[i] = (char)any(256);
	pid = spawn(&to, &from, argv);
	put(&to, data, n);
	get(&from, back, n);
	need(memcmp(data, back, n) == 0, "what came back");
	wait_child(pid, atoi(status));
	close_channel(&to);
	close_channel(&from);
}

/* ---- requested: places of a file are written and read by requests, of which some are canceled while others wait for them.  In the
 * end each has done what it would have done in the order in which they were made.  */

enum { PLACES = 4, REQUESTS = 12 };

struct requested {
	int fd;
	size_t size; /* of a place */
	struct aiocb block[REQUESTS];
	char data[REQUESTS][3000];
	unsigned char key[REQUESTS]; /* what is written */
	int canceled[REQUESTS];	     /* what aio_cancel() said of it */
	_Atomic int submitted;
	_Atomic unsigned told; /* notices that came */
	unsigned to_tell;
};

/* The kernel orders what comes before a signal and its handler: for ThreadSanitizer, which does not see it, this does.  */
static _Atomic unsigned notices;

static void count_notice(union sigval told)
{
	notices++;
	__atomic_fetch_add((unsigned *)told.sival_ptr, 1, __ATOMIC_SEQ_CST);
}

static void mask_notices(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	pthread_sigmask(how, &set, NULL);
}

/* ThreadSanitizer has no handlers in a thread that ends.  */
static void run_notice(union sigval told)
{
	mask_notices(SIG_BLOCK);
	count_notice(told);
}

static void take_notice(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	handled++;
	count_notice(info->si_value);
}

static int open_file(off_t size)
{
	const char *directory = getenv("TMPDIR");
	char path[4096];
	int fd;

	snprintf(path, sizeof path, "%s/stress-XXXXXX", directory ? directory : "/tmp");
	fd = mkostemp(path, any(2) ? O_CLOEXEC : 0);
	need(fd >= 0 && unlink(path) == 0 && ftruncate(fd, size) == 0, "a file");
	return fd;
}

static struct sigevent choose_notice(_Atomic unsigned *told, unsigned *to_tell)
{
	struct sigevent e = {.sigev_notify = SIGEV_NONE, .sigev_value.sival_ptr = (void *)told};

	switch (any(8)) {
	case 0:
		e.sigev_notify = SIGEV_THREAD;
		e.sigev_notify_function = run_notice;
		(*to_tell)++;
		break;
	case 1:
		e.sigev_notify = SIGEV_SIGNAL;
		e.sigev_signo = SIGRTMIN;
		(*to_tell)++;
		break;
	default:
		break;
	}
	return e;
}

static void await_notices(_Atomic unsigned *told, unsigned to_tell)
{
	state[worker].call = "notices";
	while (*told != to_tell) {
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
		if (*told > to_tell)
			fail("%u notices, of %u", *told, to_tell);
	}
}

static void fill_block(struct requested *r, int i)
{
	r->key[i] = (unsigned char)any(256);
	r->block[i] = (struct aiocb){
		.aio_fildes = r->fd,
		.aio_lio_opcode = any(2) ? LIO_READ : LIO_WRITE,
		.aio_buf = r->data[i],
		.aio_nbytes = r->size,
		.aio_offset = (off_t)(any(PLACES) * r->size),
		.aio_sigevent = choose_notice(&r->told, &r->to_tell),
	};
	r->canceled[i] = AIO_ALLDONE;
	memset(r->data[i], r->key[i], r->size);
}

static bool is_canceled(const struct aiocb *b)
{
	return aio_error(b) == ECANCELED;
}

static void request_list(struct requested *r, int first, int n)
{
	int mode = any(2) ? LIO_WAIT : LIO_NOWAIT;
	struct sigevent e = {.sigev_notify = SIGEV_NONE};
	struct aiocb *list[REQUESTS];
	sigset_t second, old;
	long result;
	bool some = false;

	for (int i = 0; i < n; i++)
		list[i] = &r->block[first + i];
	if (mode == LIO_NOWAIT)
		e = choose_notice(&r->told, &r->to_tell);
	/* libc's requests go on with what was on the stack of a wait that was ended. */
	sigemptyset(&second);
	sigaddset(&second, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &second, &old);
	state[worker].call = "lio_listio";
	result = lio_listio(mode, list, n, &e);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (mode == LIO_NOWAIT) {
		need(result == 0, "lio_listio");
		return;
	}
	for (int i = 0; i < n; i++)
		some |= is_canceled(list[i]);
	need(some ? result < 0 && errno == EIO : result == 0, "a list that was waited for");
}

static void request_one(struct aiocb *b)
{
	state[worker].call = "a request";
	if (any(16) == 0)
		need(aio_fsync(b->aio_lio_opcode == LIO_READ ? O_SYNC : O_DSYNC, b) == 0, "aio_fsync");
	else
		need((b->aio_lio_opcode == LIO_READ ? aio_read(b) : aio_write(b)) == 0, "a request");
}

/* libc (2.36, __aio_remove_request()) forgets the requests behind one that it cancels by itself.  */
static bool can_cancel_one(void)
{
	Dl_info who;

	return dladdr((void *)(uintptr_t)aio_cancel, &who) == 0 || !strstr(who.dli_fname, "/libc.so");
}

static void *cancel_some(void *arg)
{
	struct requested *r = arg;
	bool by_one = can_cancel_one();
	int n;

	do {
		dawdle();
		n = r->submitted;
		if (n == 0 || !by_one || any(8) == 0) {
			need(aio_cancel(r->fd, NULL) >= 0, "aio_cancel");
			continue;
		}
		n = (int)any((unsigned)n);
		if (r->canceled[n] != AIO_CANCELED)
			r->canceled[n] = aio_cancel(r->fd, &r->block[n]);
		need(r->canceled[n] >= 0, "aio_cancel");
	} while (r->submitted < REQUESTS || any(4));
	return NULL;
}

static void wait_some(struct requested *r, int n)
{
	const struct aiocb *list[REQUESTS];
	struct timespec a_while = {.tv_nsec = any(1000000)}, *timeout = any(2) ? &a_while : NULL;
	bool some = false;
	long result;

	for (int i = 0; i < n; i++)
		list[i] = any(4) ? &r->block[i] : NULL;
	if (!list[0])
		list[0] = &r->block[0];
	result = RETRY_ANY(aio_suspend(list, n, timeout));
	for (int i = 0; i < n; i++)
		some |= list[i] && aio_error(list[i]) != EINPROGRESS;
	need(result == 0 ? some : timeout && errno == EAGAIN, "aio_suspend");
}

static void *suspend_some(void *arg)
{
	struct requested *r = arg;
	int n;

	do {
		dawdle();
		n = r->submitted;
		if (n)
			wait_some(r, n);
	} while (n < REQUESTS);
	return NULL;
}

static bool holds(const char *at, size_t size, unsigned char key)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)at[i] != key)
			return false;
	return true;
}

/* What came of the requests, against what the places hold by then.  */
static void check_request(struct requested *r, int i, unsigned char places[PLACES])
{
	struct aiocb *b = &r->block[i];
	const struct aiocb *list[] = {b};
	unsigned place = (unsigned)((size_t)b->aio_offset / r->size);
	ssize_t wanted = b->aio_lio_opcode == LIO_READ || b->aio_lio_opcode == LIO_WRITE ? (ssize_t)r->size : 0;
	int error;

	while ((error = aio_error(b)) == EINPROGRESS)
		need(RETRY_ANY(aio_suspend(list, 1, NULL)) == 0, "aio_suspend");
	if (r->canceled[i] == AIO_CANCELED ? error != ECANCELED : error != 0 && error != ECANCELED)
		fail("request %d: error %d, and aio_cancel said %d", i, error, r->canceled[i]);
	if (aio_return(b) != (error ? -1 : wanted))
		fail("request %d: what was returned", i);
	if (error || !wanted)
		return;
	if (b->aio_lio_opcode == LIO_WRITE)
		places[place] = r->key[i];
	if (!holds(r->data[i], r->size, places[place]))
		fail("request %d: not what was written to %u", i, place);
}

static void play_requested(void)
{
	struct requested r = {.size = 1 + any(sizeof r.data[0])};
	unsigned char places[PLACES] = {0};
	bool cancels = any(2);
	pthread_t canceler, suspender;
	char back[sizeof r.data[0]];

	r.fd = open_file((off_t)(PLACES * r.size));
	for (int i = 0; i < REQUESTS; i++)
		fill_block(&r, i);
	notices++;
	canceler = cancels ? start(cancel_some, &r) : 0;
	suspender = start(suspend_some, &r);
	for (int i = 0, n; i < REQUESTS; i += n) {
		n = any(3) ? 1 : 1 + (int)any((unsigned)(REQUESTS - i));
		if (n == 1)
			request_one(&r.block[i]);
		else
			request_list(&r, i, n);
		r.submitted = i + n;
	}
	join(suspender);
	if (cancels)
		join(canceler);
	for (int i = 0; i < REQUESTS; i++)
		check_request(&r, i, places);
	for (unsigned i = 0; i < PLACES; i++)
		if (RETRY(pread(r.fd, back, r.size, (off_t)(i * r.size))) != (ssize_t)r.size || !holds(back, r.size, places[i]))
			fail("what is left in %u", i);
	await_notices(&r.told, r.to_tell);
	need(close(r.fd) == 0, "close");
}

/* ---- flowing: bytes that are written by requests, or read by requests, or both, several at a time.  */

enum { FLOWING = 4, FLOW_SIZE = 200000, FLOW_PART = 70000 };

struct flow {
	struct channel c;
	char *data, *back;
	size_t size, part;
	_Atomic unsigned told;
	unsigned to_tell;
	struct aiocb block[FLOWING];
};

static void make_flow_block(struct flow *f, unsigned i, int fd, char *at, size_t n)
{
	f->block[i] = (struct aiocb){
		.aio_fildes = fd, .aio_buf = at, .aio_nbytes = n, .aio_sigevent = choose_notice(&f->told, &f->to_tell),
	};
}

static long await_flow_block(struct flow *f, unsigned i)
{
	const struct aiocb *list[] = {&f->block[i]};

	state[worker].call = "a request on a stream";
	while (aio_error(list[0]) == EINPROGRESS)
		need(RETRY_ANY(aio_suspend(list, 1, NULL)) == 0, "aio_suspend");
	need(aio_error(list[0]) == 0, "a request on a stream");
	return aio_return(&f->block[i]);
}

/* As a thread of its own; it ends what is read.  */
static void *put_flow(void *arg)
{
	struct flow *f = arg;
	size_t sent = 0, size[FLOWING];
	unsigned first = 0, next = 0;

	while (sent < f->size || first != next) {
		while (sent < f->size && next - first < FLOWING) {
			unsigned i = next++ % FLOWING;

			size[i] = 1 + any((unsigned)(f->size - sent < f->part ? f->size - sent : f->part));
			make_flow_block(f, i, f->c.out, f->data + sent, size[i]);
			need(aio_write(&f->block[i]) == 0, "aio_write");
			sent += size[i];
			dawdle();
		}
		need(await_flow_block(f, first % FLOWING) == (long)size[first % FLOWING], "what was written by a request");
		first++;
	}
	await_notices(&f->told, f->to_tell);
	need(close(f->c.out) == 0, "close");
	return NULL;
}

static void *put_plainly(void *arg)
{
	struct flow *f = arg;

	put(&f->c, f->data, f->size);
	need(close(f->c.out) == 0, "close");
	return NULL;
}

/* What comes is in the order of the requests; those that are left over get nothing.  */
static void get_flow(struct flow *f)
{
	char *space = malloc(FLOWING * f->part);
	unsigned first = 0, next = 0;
	size_t got = 0;
	long n = 1;

	while (n > 0 || first != next) {
		unsigned i;

		for (; n > 0 && next - first < FLOWING; next++) {
			i = next % FLOWING;
			make_flow_block(f, i, f->c.in, space + i * f->part, 1 + any((unsigned)f->part));
			need(aio_read(&f->block[i]) == 0, "aio_read");
			dawdle();
		}
		i = first++ % FLOWING;
		n = await_flow_block(f, i);
		need(got + (size_t)n <= f->size, "what was read by a request");
		memcpy(f->back + got, space + i * f->part, (size_t)n);
		got += (size_t)n;
	}
	need(got == f->size, "all that was read");
	await_notices(&f->told, f->to_tell);
	free(space);
}

static void play_flowing(void)
{
	struct flow to = {.c = make_channel(), .size = 1 + any(FLOW_SIZE), .part = 1 + any(FLOW_PART)}, from;
	bool put_by_requests = any(4), get_by_requests = any(4);
	pthread_t thread;

	to.part = to.part < to.size / 64 ? to.size / 64 : to.part;
	to.data = malloc(to.size);
	to.back = malloc(to.size);
	for (size_t i = 0; i < to.size; i++)
		to.data[i] = (char)(i * 7 + i / 256);
	from = to;
	notices++;
	thread = start(put_by_requests ? put_flow : put_plainly, &to);
	if (get_by_requests)
		get_flow(&from);
	else
		get(&from.c, from.back, from.size);
	join(thread);
	need(memcmp(to.data, to.back, to.size) == 0, "what came through");
	need(close(to.c.in) == 0, "close");
	free(to.data);
	free(to.back);
}

/* ---- canceled: a thread is canceled while it waits, or before, or behind.  */

struct canceled {
	struct channel c;
	unsigned how;
	volatile int cleaned;
};

static void note_cleaned(void *arg)
{
	struct canceled *v = arg;

	v->cleaned++;
}

static void *wait_canceled(void *arg)
{
	struct canceled *v = arg;
	struct pollfd p = {.fd = v->c.in, .events = POLLIN};
	char byte = 0, full[70000];

	memset(full, 'f', sizeof full);
	pthread_cleanup_push(note_cleaned, v);
	switch (v->how) {
	case 0:
		RETRY_ANY(poll(&p, 1, -1));
		break;
	case 1:
		RETRY_ANY(select(0, NULL, NULL, NULL, &(struct timeval){.tv_sec = 1000}));
		break;
	case 2:
		for (;;)
			put(&v->c, full, sizeof full);
	case 3:
		RETRY_ANY(nanosleep(&(struct timespec){.tv_sec = 1000}, NULL));
		break;
	default:
		get(&v->c, &byte, 1);
		break;
	}
	pthread_cleanup_pop(0);
	return v;
}

static void play_canceled(void)
{
	struct canceled v = {.c = make_channel(), .how = any(8)};
	pthread_t thread = start(wait_canceled, &v);
	bool gives = v.how > 3 && any(2);
	void *result;

	if (gives)
		put(&v.c, "x", 1);
	dawdle();
	need((errno = pthread_cancel(thread)) == 0, "pthread_cancel");
	result = join(thread);
	if (result != (result == PTHREAD_CANCELED ? PTHREAD_CANCELED : &v) || v.cleaned != (result == PTHREAD_CANCELED))
		fail("canceled in %u: %p, cleaned %d", v.how, result, v.cleaned);
	if (result != PTHREAD_CANCELED && !gives)
		fail("canceled in %u, and went on", v.how);
	close_channel(&v.c);
}

/* ---- The whole.  */

static const struct {
	const char *name;
	void (*play)(void);
	unsigned often;
} games[] = {
	{"stream", play_stream, 5},	{"replaced", play_replaced, 3},	  {"many", play_many, 2},
	{"counted", play_counted, 2},	{"forked", play_forked, 2},	  {"spawned", play_spawned, 1},
	{"canceled", play_canceled, 3}, {"requested", play_requested, 1}, {"flowing", play_flowing, 1},
};

enum { GAMES = sizeof games / sizeof *games };

static void *work(void *arg)
{
	sigset_t second;

	(void)arg;
	sigemptyset(&second);
	sigaddset(&second, SIGUSR2);
	while (!is_over) {
		unsigned i = any(GAMES);

		if (any(5) >= games[i].often)
			continue;
		pthread_sigmask(any(2) ? SIG_BLOCK : SIG_UNBLOCK, &second, NULL);
		state[worker].round = games[i].name;
		games[i].play();
		state[worker].rounds++;
	}
	state[worker].round = "over";
	return NULL;
}

/* Signals to single threads, from outside of what they do.  */
static void *shoot(void *arg)
{
	(void)arg;
	while (!is_over) {
		struct timespec t = {.tv_nsec = any(2000000)};
		pid_t tid = targets[any(TARGETS)];

		nanosleep(&t, NULL);
		if (tid)
			syscall(SYS_tgkill, getpid(), tid, any(2) ? SIGUSR1 : SIGUSR2);
	}
	return NULL;
}

struct fd_id {
	dev_t device;
	ino_t inode;
};

static void look_at_fds(struct fd_id *ids)
{
	struct stat st;

	for (int fd = 0; fd < NUMBERS; fd++) {
		ids[fd] = (struct fd_id){0};
		if (fcntl(fd, F_GETFD) >= 0 && fstat(fd, &st) == 0)
			ids[fd] = (struct fd_id){st.st_dev, st.st_ino};
	}
}

static void handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction a = {.sa_handler = handler, .sa_flags = flags};

	need(sigaction(signal, &a, NULL) == 0, "sigaction");
}

static void begin_signals(timer_t *timer)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct sigaction notice = {.sa_sigaction = take_notice, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct itimerspec often = {{0, 700000}, {0, 700000}};
	sigset_t second;

	handle(SIGALRM, hangs, 0);
	handle(SIGUSR1, restarts, SA_RESTART);
	handle(SIGUSR2, interrupts, 0);
	need(sigaction(SIGRTMIN, &notice, NULL) == 0, "sigaction");
	sigemptyset(&second);
	sigaddset(&second, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &second, NULL);
	if (timer)
		need(timer_create(CLOCK_MONOTONIC, &event, timer) == 0 && timer_settime(*timer, 0, &often, NULL) == 0, "timer");
}

static void play_all(long seconds, bool quiet)
{
	struct timespec end;
	pthread_t workers[WORKERS], shooter = 0;
	timer_t timer;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	alarm((unsigned)seconds + GRACE);
	begin_signals(quiet ? NULL : &timer);
	if (quiet)
		mask_notices(SIG_BLOCK);
	for (worker = 0; worker < WORKERS; worker++)
		workers[worker] = start(work, NULL);
	worker = 0;
	mask_notices(SIG_UNBLOCK);
	if (!quiet)
		shooter = start(shoot, NULL);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
		;
	is_over = true;
	for (int i = 0; i < WORKERS; i++)
		pthread_join(workers[i], NULL);
	if (quiet)
		return;
	pthread_join(shooter, NULL);
	timer_delete(timer);
}

int main(int argc, char **argv)
{
	static struct fd_id before[NUMBERS], after[NUMBERS];
	struct rlimit limit;
	unsigned long rounds = 0;

	if (argc == 5 && !strcmp(argv[1], "child")) {
		chance = strtoul(argv[4], NULL, 10);
		state[0].round = "child";
		return be_child(strtoul(argv[2], NULL, 10), atoi(argv[3]));
	}
	if (argc < 2) {
		fprintf(stderr, "usage: stress SECONDS [SEED [quiet]]\n");
		return 2;
	}
	chance = seed = argc > 2 ? strtoul(argv[2], NULL, 10) : (unsigned long)time(NULL) ^ (unsigned long)getpid() << 16;
	fprintf(stderr, "stress: seed %lu\n", seed);
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max < NUMBERS ? limit.rlim_max : NUMBERS;
	setrlimit(RLIMIT_NOFILE, &limit);
	look_at_fds(before);
	play_all(strtol(argv[1], NULL, 10), argc > 3);
	look_at_fds(after);
	for (int fd = 0; fd < NUMBERS; fd++)
		if (before[fd].device != after[fd].device || before[fd].inode != after[fd].inode)
			fail("fd %d was inode %lu, and is %lu", fd, (unsigned long)before[fd].inode,
			     (unsigned long)after[fd].inode);
	for (int i = 0; i < WORKERS; i++)
		rounds += state[i].rounds;
	fprintf(stderr, "stress: %lu rounds\n", rounds);
	puts("stress: all as it should be");
	return 0;
}
