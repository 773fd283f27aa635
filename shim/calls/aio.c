/* aio.c - POSIX AIO: aio_read(3) and its like, with the results, errors and notices of glibc's (its rt/ and sysdeps/pthread/).
 * With --no-aio all is libc's.
 *
 * A read of what is in memory, or waits in a pipe or socket, is done at once.  Other requests are the engine's (aio/engine.h,
 * aio/streams.h).  What is an error before it is enqueued goes to libc, request by request, or, with lio_listio(3), list by list.  Who
 * waits or cancels finds out whose a block is.  */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <time.h>

#include "calls.h"
#include "shim/aio/engine.h"
#include "shim/aio/stream.h"
#include "shim/clock.h"
#include "shim/config.h"
#include "shim/flag.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8
#endif

enum {
	LOOKS = 100,                    /* some microseconds */
	AT_ONCE_MAX = 128 << 10,        /* bytes that are copied in the call itself */
	TRANSFER_MAX = 0x7ffff000,      /* read(2), NOTES: what one call moves */
};

/* Some requests are libc's; some of them are no reads.  */
static bool libc_has_some, libc_writes;

/* Libc has had what could have been ours: in a list with one that could not, an fd of which the kernel would not tell, a request for
 * which there was no engine.  From then on all requests are libc's, so that they stay in order.  */
static bool given_up;

/* Threads may have fds of their own.  Libc's have those of whoever starts them.  */
static bool fds_differ;

static void give_up(void)
{
	STORE(given_up, true);
	engine_finish();
}

/* What is to be known of a request beforehand.  */
struct nature {
	bool appends, buffered;         /* as in a request */
	bool direct;                    /* O_DIRECT */
	bool on_stream;                 /* aio/streams.h */
	bool blocks;                    /* what it asks for is not in memory: the kernel has said so */
	bool is_done;                   /* at once, with this result */
	long result;
};

/* Without waiting, if it is in memory.  Less than that may be all there is in a file, or in memory of it, so it is read again;
 * what has become another fd than its hint says has been read.  */
static bool read_at_once(const struct aiocb *b, long flags, struct nature *n)
{
	struct iovec v = {(void *)(uintptr_t)b->aio_buf, b->aio_nbytes};
	fd_hint hint;
	struct stat st;

	if (b->aio_sigevent.sigev_notify != SIGEV_NONE || (flags & O_DIRECT) || b->aio_nbytes > AT_ONCE_MAX || LOAD(libc_writes) ||
	    !requests_are_quiet())
		return false;
	hint = fds_hint(b->aio_fildes);
	if (HINT_KIND(hint) != KIND_file && HINT_KIND(hint) != KIND_block)
		return false;
	n->result = sys(SYS_preadv2, b->aio_fildes, &v, 1, b->aio_offset, 0, RWF_NOWAIT);
	n->blocks = n->result == -EAGAIN;
	n->is_done = n->result >= 0 && ((size_t)n->result == b->aio_nbytes || (sys(SYS_fstat, b->aio_fildes, &st) == 0 &&
	                                !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)));
	return n->is_done;
}

/* What makes nobody wait for others; of devices those of memory (Linux, Documentation/admin-guide/devices.txt).  */
static bool is_file(const struct stat *st)
{
	return S_ISREG(st->st_mode) || S_ISBLK(st->st_mode) || S_ISDIR(st->st_mode) ||
	       (S_ISCHR(st->st_mode) && major(st->st_rdev) == 1);
}

/* Those that pidfd_getfd(2) duplicates.  */
static bool has_process_fds(void)
{
	return sys(SYS_kcmp, sys(SYS_getpid), sys(SYS_gettid), KCMP_FILES, 0, 0) == 0;
}

/* What is there of a stream, where no read of it is under way.  An error of a socket's is told once.  */
static void read_stream_at_once(const struct aiocb *b, struct nature *n)
{
	if (b->aio_sigevent.sigev_notify != SIGEV_NONE || b->aio_nbytes == 0 || engine_has(b->aio_fildes))
		return;
	n->result = stream_read_now(b->aio_fildes, HINT_KIND(fds_hint(b->aio_fildes)), (void *)(uintptr_t)b->aio_buf,
				     b->aio_nbytes < TRANSFER_MAX ? b->aio_nbytes : TRANSFER_MAX);
	n->is_done = n->result != -EAGAIN && !stream_cannot_tell(n->result);
}

/* Whether it can be ours.  */
static bool look(const struct aiocb *b, int operation, struct nature *n)
{
	bool syncs = operation == REQUEST_SYNC || operation == REQUEST_DSYNC;
	struct stat st;
	long flags, result;

	*n = (struct nature){0};
	if (!syncs && (b->aio_reqprio < 0 || b->aio_reqprio > AIO_PRIO_DELTA_MAX || b->aio_offset < 0 || b->aio_nbytes > SSIZE_MAX))
		return false;
	if (unlikely(config.switching == SWITCH_FLAG))
		flag_off(b->aio_fildes);
	flags = sys(SYS_fcntl, b->aio_fildes, F_GETFL);
	if (flags < 0 && flags != -EBADF)
		give_up();
	if (flags < 0 || (flags & O_PATH) || (flags & O_ACCMODE) == (operation == LIO_READ ? O_WRONLY : O_RDONLY))
		return false;
	if (operation == LIO_READ && read_at_once(b, flags, n))
		return true;
	result = sys(SYS_fstat, b->aio_fildes, &st);
	if (result < 0 && result != -EBADF)
		give_up();
	if (result < 0)
		return false;
	n->on_stream = !is_file(&st);
	if (n->on_stream)
		return !LOAD(fds_differ) || has_process_fds();
	n->appends = flags & O_APPEND;
	n->direct = flags & O_DIRECT;
	/* Not on a file system without a device: behind it may be a server, even this process (fuse(4)). */
	n->buffered = operation == LIO_WRITE && S_ISREG(st.st_mode) && !(flags & (O_DIRECT | O_DSYNC)) && major(st.st_dev);
	return true;
}

/* A call, which may be recorded: a function of libc's, and no operation that could be attempted.  `waits`: for as long as it
 * takes.  */
static struct op begin(enum call_id call, int fd, bool waits)
{
	struct op op = {.fd = fd, .call = (uint8_t)call, .class = (uint8_t)op_class_of(call), .asked = !waits};

	if (!record_on)
		return op;
	op.hint = fd < 0 ? (fd_hint)KIND_unknown : shim_sandboxed ? fds_peek(fd) : fds_named(fd);
	op.enter = record_begin(&op);
	if (record_follows(&op) && waits)
		record_enter(&op);
	return op;
}

static void end(struct op *op, long result)
{
	if (!record_follows(op))
		return;
	if (!op->asked)
		record_leave();
	/* That is no EWOULDBLOCK. */
	op->asked &= result != -EAGAIN;
	record_call(op, result);
}

/* As libc's functions give it to the program.  */
static int end_libc(struct op *op, int result)
{
	end(op, result < 0 ? -errno : result);
	return result;
}

/* How a request is recorded: noted before it is sent, for after that its block may be anything.  */
struct submission {
	struct record_request request;
	uint64_t enter, length;
	struct trace_request_more more;
	uint8_t flags;
};

static struct submission note(const struct aiocb *b, int operation, const struct op *op, const struct nature *n, uint32_t list)
{
	bool syncs = operation != LIO_READ && operation != LIO_WRITE;
	enum call_id call = syncs ? CALL_aio_fsync : operation == LIO_READ ? CALL_aio_read : CALL_aio_write;
	struct submission s = {.enter = op->enter, .more.list = list};

	s.request = (struct record_request){.call = (uint8_t)call, .fd = b->aio_fildes};
	if (!record_follows(op))
		return s;
	s.request.number = record_number();
	s.length = syncs ? 0 : b->aio_nbytes;
	s.more.offset = syncs ? 0 : b->aio_offset;
	s.flags = (n->blocks ? TRACE_REQUEST_BLOCKS : 0) | (n->direct ? TRACE_DIRECT : 0);
	return s;
}

static void record_submission(const struct submission *s)
{
	if (s->request.number)
		record_submitted(&s->request, s->enter, s->length, &s->more, s->flags);
}

static struct notice notice_of(const struct sigevent *e)
{
	return (struct notice){
		e->sigev_notify, e->sigev_signo, e->sigev_value, e->sigev_notify_function, e->sigev_notify_attributes, {0}};
}

static void fill(struct request *r, struct aiocb *b, int operation, const struct nature *n, struct request *group,
		 const struct record_request *recorded)
{
	bool syncs = operation == REQUEST_SYNC || operation == REQUEST_DSYNC;

	if (syncs)
		b->aio_reqprio = 0;
	/* Who has a block that is no longer in use may look at the place. */
	STORE(r->block, b);
	r->fd = b->aio_fildes;
	r->operation = operation;
	r->priority = -b->aio_reqprio;
	r->appends = n->appends;
	r->buffered = n->buffered;
	r->on_stream = n->on_stream;
	r->moved = 0;
	r->stream = (struct stream){.fd = -1};
	r->buffer = (void *)(uintptr_t)b->aio_buf;
	r->size = syncs ? 0 : b->aio_nbytes < TRANSFER_MAX ? b->aio_nbytes : TRANSFER_MAX;
	r->offset = syncs ? 0 : b->aio_offset;
	r->since = 0;
	r->notice = notice_of(&b->aio_sigevent);
	r->notice.of = *recorded;
	r->group = group;
	b->aio_lio_opcode = operation;
	STORE(b->__next_prio, (struct aiocb *)(void *)r);
	request_is_recorded(b, recorded->number);
	b->__return_value = 0;
	__atomic_store_n(&b->__error_code, EINPROGRESS, __ATOMIC_RELAXED);
	request_submit(r);
}

static void end_at_once(struct aiocb *b, long result, const struct submission *s)
{
	b->aio_lio_opcode = LIO_READ;
	b->__next_prio = NULL;
	request_is_recorded(b, s->request.number);
	b->__return_value = result < 0 ? -1 : result;
	if (s->request.number)
		record_completed(&s->request, 0, result);
	__atomic_store_n(&b->__error_code, result < 0 ? (int)-result : 0, __ATOMIC_RELEASE);
}

static bool is_on(void)
{
	shim_need_libc();
	return config.aio;
}

static bool serves(void)
{
	if (unlikely(shim_sandboxed && !LOAD(given_up)))
		give_up();
	return shim_on && !LOAD(given_up) && (likely(!LOAD(fds_differ)) || engine_shares_fds());
}

enum { FOR_LIBC = 1 };

/* One that was submitted has a record of its own.  */
static int end_ours(struct op *op, long result)
{
	if (result < 0)
		end(op, result);
	return (int)as_libc(result);
}

static long hand_to_libc(struct aiocb *b, int operation)
{
	b->__next_prio = NULL;
	request_is_recorded(b, 0);
	STORE(libc_has_some, true);
	if (operation != LIO_READ)
		STORE(libc_writes, true);
	return FOR_LIBC;
}

/* 0, -EAGAIN or FOR_LIBC.  */
static long enqueue(struct aiocb *b, int operation, const struct op *op)
{
	struct submission s;
	struct nature n;
	struct request *r;

	if (!is_on())
		return FOR_LIBC;
	if (!serves() || !look(b, operation, &n))
		return hand_to_libc(b, operation);
	if (n.on_stream && operation == LIO_READ)
		read_stream_at_once(b, &n);
	if (n.is_done) {
		s = note(b, operation, op, &n, 0);
		end_at_once(b, n.result, &s);
		record_submission(&s);
		return 0;
	}
	r = engine_make() ? request_take() : NULL;
	if (!r && requests_there())
		return -EAGAIN;
	if (r) {
		s = note(b, operation, op, &n, 0);
		fill(r, b, operation, &n, NULL, &s.request);
		r->after = NULL;
		if (engine_send(r)) {
			record_submission(&s);
			return 0;
		}
		r->notice.of.number = 0;
		request_withdraw(r);
	}
	give_up();
	return hand_to_libc(b, operation);
}

EXPORT int aio_read(struct aiocb *b)
{
	struct op op = begin(CALL_aio_read, b->aio_fildes, false);
	long result = enqueue(b, LIO_READ, &op);

	return result == FOR_LIBC ? end_libc(&op, libc.aio_read(b)) : end_ours(&op, result);
}

EXPORT int aio_write(struct aiocb *b)
{
	struct op op = begin(CALL_aio_write, b->aio_fildes, false);
	long result = enqueue(b, LIO_WRITE, &op);

	return result == FOR_LIBC ? end_libc(&op, libc.aio_write(b)) : end_ours(&op, result);
}

EXPORT int aio_fsync(int operation, struct aiocb *b)
{
	struct op op = begin(CALL_aio_fsync, b->aio_fildes, false);
	long result = FOR_LIBC;

	shim_need_libc();
	if (operation == O_SYNC || operation == O_DSYNC)
		result = enqueue(b, operation == O_SYNC ? REQUEST_SYNC : REQUEST_DSYNC, &op);
	return result == FOR_LIBC ? end_libc(&op, libc.aio_fsync(operation, b)) : end_ours(&op, result);
}

static int error_of(const struct aiocb *b)
{
	int error = __atomic_load_n(&b->__error_code, __ATOMIC_ACQUIRE);

	if (error == EINPROGRESS)
		return error;
	request_await_notice(b);
	return __atomic_load_n(&b->__error_code, __ATOMIC_ACQUIRE);
}

/* libc's waits until its notice was given.  */
EXPORT int aio_error(const struct aiocb *b)
{
	int error;

	if (!is_on())
		return libc.aio_error(b);
	error = error_of(b);
	if (error != EINPROGRESS)
		request_learn(b, CALL_aio_error);
	return LOAD(libc_has_some) ? libc.aio_error(b) : error;
}

/* What libc's gives is where we have put it, too.  */
EXPORT ssize_t aio_return(struct aiocb *b)
{
	struct op op;
	ssize_t result;

	if (is_on() && request_has_record(b)) {
		request_learn(b, CALL_aio_return);
		return libc.aio_return(b);
	}
	op = begin(CALL_aio_return, b->aio_fildes, false);
	result = libc.aio_return(b);
	end(&op, result < 0 ? -b->__error_code : result);
	return result;
}

static bool any_is_done(const struct aiocb *const *list, int n)
{
	for (int i = 0; i < n; i++)
		if (list[i] && error_of(list[i]) != EINPROGRESS) {
			request_learn(list[i], CALL_aio_suspend);
			return true;
		}
	return false;
}

/* What is in memory is often over sooner than a thread is asleep.  */
static bool any_is_soon_done(const struct aiocb *const *list, int n)
{
	static struct patience patience;

	if (!patience_has(&patience))
		return false;
	for (int i = 0; i < LOOKS; i += 1 + n / 64) {
		if (any_is_done(list, n)) {
			patience_pays(&patience);
			return true;
		}
		relax();
	}
	patience_fails(&patience);
	return false;
}

enum whose { NOBODYS, OURS, BOTH };

/* Whose those of a list are.  */
static enum whose whose_are(const struct aiocb *const *list, int n)
{
	bool ours = false, others = false;
	enum request_state state;

	for (int i = 0; i < n; i++) {
		if (!list[i])
			continue;
		if (request_of(list[i], &state))
			ours = true;
		else
			others = true;
	}
	return !ours ? NOBODYS : others ? BOTH : OURS;
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec >= b->tv_nsec);
}

static struct timespec after(const struct timespec *t)
{
	uint64_t now = clock_ns();
	struct timespec end = {t->tv_sec + (time_t)(now / 1000000000), t->tv_nsec + (long)(now % 1000000000)};

	if (end.tv_nsec >= 1000000000) {
		end.tv_nsec -= 1000000000;
		end.tv_sec++;
	}
	return end;
}

/* Nobody tells us when one of libc's is done: where there are both, they are looked at every millisecond.  0 or -errno.  */
static long wait_for_one(const struct aiocb *const *list, int n, const struct timespec *end, bool both)
{
	const struct timespec slice = {.tv_nsec = 1000000};

	for (;;) {
		struct timespec next = after(&slice);
		uint32_t done = requests_watch();
		bool last = !both || (end && is_later(&next, end));
		long result;

		if (any_is_done(list, n))
			return 0;
		result = requests_wait(done, last ? end : &next);
		if (result == -EINTR || result == -EINVAL)
			return result;
		if (result == -ETIMEDOUT && last)
			return -EAGAIN;
	}
}

/* 0, -errno or FOR_LIBC.  */
static long suspend(const struct aiocb *const *list, int n, const struct timespec *timeout)
{
	enum whose whose;
	struct timespec last;

	if (!is_on() || !requests_there() || n <= 0)
		return FOR_LIBC;
	if (timeout)
		last = after(timeout);
	if (any_is_done(list, n) || any_is_soon_done(list, n))
		return 0;
	whose = whose_are(list, n);
	return whose == NOBODYS ? FOR_LIBC : wait_for_one(list, n, timeout ? &last : NULL, whose == BOTH);
}

EXPORT int aio_suspend(const struct aiocb *const *list, int n, const struct timespec *timeout)
{
	struct op op = begin(CALL_aio_suspend, -1, true);
	long result = suspend(list, n, timeout);

	if (result == FOR_LIBC)
		return end_libc(&op, libc.aio_suspend(list, n, timeout));
	end(&op, result);
	return (int)as_libc(result);
}

/* What has begun is not canceled: nor is it by libc, whose thread is in read(2) or write(2) then.  */
static int cancel_one(const struct aiocb *b)
{
	int result = engine_cancel(b->aio_fildes, b);

	while (result == AIO_ALLDONE && error_of(b) == EINPROGRESS)
		requests_doze();
	return result;
}

static int both(int ours, int others)
{
	if (others < 0 || ours == AIO_NOTCANCELED || others == AIO_NOTCANCELED)
		return others < 0 ? others : AIO_NOTCANCELED;
	return ours == AIO_CANCELED || others == AIO_CANCELED ? AIO_CANCELED : AIO_ALLDONE;
}

static int cancel(int fd, struct aiocb *b)
{
	enum request_state state;
	int result;

	if (!is_on())
		return libc.aio_cancel(fd, b);
	if (!requests_there() || sys(SYS_fcntl, fd, F_GETFL) < 0 || (b && b->aio_fildes != fd))
		return libc.aio_cancel(fd, b);
	if (b && (error_of(b) != EINPROGRESS || !request_of(b, &state)))
		return libc.aio_cancel(fd, b);
	result = b ? cancel_one(b) : engine_cancel(fd, NULL);
	return !b && LOAD(libc_has_some) ? both(result, libc.aio_cancel(fd, b)) : result;
}

EXPORT int aio_cancel(int fd, struct aiocb *b)
{
	struct op op = begin(CALL_aio_cancel, fd, false);

	return end_libc(&op, cancel(fd, b));
}

/* A place for each of a list's, linked by `after`, before anything is done; NULL: not all can be ours.  */
static struct request *take_places(struct aiocb *const *list, int n)
{
	struct request *first = NULL, *r;

	for (int i = 0; i <= n; i++) {
		if (i < n && (!list[i] || list[i]->aio_lio_opcode == LIO_NOP))
			continue;
		r = request_take();
		if (!r)
			break;
		r->after = first;
		first = r;
		if (i == n)
			return first;
	}
	for (; first; first = r) {
		r = first->after;
		request_free(first);
	}
	return NULL;
}

/* Whether all of a list can be ours, and there are some.  */
static bool look_at_list(struct aiocb *const *list, int n)
{
	struct nature nature;
	bool some = false;

	for (int i = 0; i < n; i++) {
		if (!list[i] || list[i]->aio_lio_opcode == LIO_NOP)
			continue;
		if ((list[i]->aio_lio_opcode != LIO_READ && list[i]->aio_lio_opcode != LIO_WRITE) ||
		    !look(list[i], list[i]->aio_lio_opcode, &nature))
			return false;
		some = true;
	}
	return some;
}

/* Submits them; an fd that has changed meanwhile fails.  What is to be sent, linked by `after`.  */
static struct request *submit_list(struct aiocb *const *list, int n, struct request *places, struct request *group,
				   const struct op *op)
{
	struct request *first = NULL, **last = &first, *r;
	struct submission s;
	struct nature nature;

	for (int i = 0; i < n; i++) {
		if (!list[i] || list[i]->aio_lio_opcode == LIO_NOP)
			continue;
		r = places;
		places = r->after;
		look(list[i], list[i]->aio_lio_opcode, &nature);
		s = note(list[i], list[i]->aio_lio_opcode, op, &nature, group->notice.of.number);
		s.enter = s.request.number ? clock_ticks() : 0;
		record_submission(&s);
		if (nature.is_done) {
			end_at_once(list[i], nature.result, &s);
			request_free(r);
			continue;
		}
		group->pending++;
		fill(r, list[i], list[i]->aio_lio_opcode, &nature, group, &s.request);
		r->after = NULL;
		*last = r;
		last = &r->after;
	}
	return first;
}

/* False: there is nobody to serve it, and nothing is done.  */
static bool send_list(struct request *first)
{
	struct request *after;

	if (!first || engine_send(first))
		return true;
	for (; first; first = after) {
		after = first->after;
		request_withdraw(first);
	}
	return false;
}

static void make_group(struct request *group, int mode, const struct sigevent *e, const struct op *op)
{
	group->fd = -1;
	group->pending = 1;
	group->waits = mode == LIO_WAIT;
	group->failed = false;
	group->notice = e && mode == LIO_NOWAIT ? notice_of(e) : (struct notice){.how = SIGEV_NONE};
	group->notice.of = (struct record_request){.call = CALL_lio_listio, .fd = -1};
	if (record_follows(op))
		group->notice.of.number = record_number();
	request_make_group(group);
}

static void hand_list_to_libc(struct aiocb *const *list, int n)
{
	for (int i = 0; i < n; i++) {
		if (!list[i] || list[i]->aio_lio_opcode == LIO_NOP)
			continue;
		hand_to_libc(list[i], list[i]->aio_lio_opcode);
		if (serves() && sys(SYS_fcntl, list[i]->aio_fildes, F_GETFL) >= 0)
			give_up();
	}
}

/* 0, -errno or FOR_LIBC.  */
static long serve_list(int mode, struct aiocb *const *list, int n, const struct sigevent *event, const struct op *op)
{
	struct request *group;
	long result = 0;

	if (!is_on())
		return FOR_LIBC;
	if (!serves() || (mode != LIO_WAIT && mode != LIO_NOWAIT) || !look_at_list(list, n) || !engine_make()) {
		hand_list_to_libc(list, n);
		return FOR_LIBC;
	}
	group = take_places(list, n);
	if (!group)
		return -EAGAIN;
	make_group(group, mode, event, op);
	if (!send_list(submit_list(list, n, group->after, group, op))) {
		request_free(group);
		hand_list_to_libc(list, n);
		return FOR_LIBC;
	}
	if (mode == LIO_WAIT) {
		result = request_wait_group(group);
		if (result == 0 && group->failed)
			result = -EIO;
	}
	request_leave_group(group, false);
	return result;
}

EXPORT int lio_listio(int mode, struct aiocb *const *list, int n, struct sigevent *event)
{
	struct op op = begin(CALL_lio_listio, -1, mode == LIO_WAIT);
	long result = serve_list(mode, list, n, event, &op);

	if (result == FOR_LIBC)
		return end_libc(&op, libc.lio_listio(mode, list, n, event));
	end(&op, result);
	return (int)as_libc(result);
}

void aio_unsharing(void)
{
	STORE(fds_differ, true);
}

EXPORT int unshare(int flags)
{
	if (flags & CLONE_FILES)
		aio_unsharing();
	return (int)as_libc(sys(SYS_unshare, flags));
}

/* The same, where off_t has 64 bits.  */
_Static_assert(sizeof(struct aiocb) == sizeof(struct aiocb64) && sizeof(off_t) == 8, "x86-64 and aarch64");

EXPORT int aio_read64(struct aiocb64 *b)
{
	return aio_read((struct aiocb *)b);
}

EXPORT int aio_write64(struct aiocb64 *b)
{
	return aio_write((struct aiocb *)b);
}

EXPORT int aio_fsync64(int operation, struct aiocb64 *b)
{
	return aio_fsync(operation, (struct aiocb *)b);
}

EXPORT int aio_error64(const struct aiocb64 *b)
{
	return aio_error((const struct aiocb *)b);
}

EXPORT ssize_t aio_return64(struct aiocb64 *b)
{
	return aio_return((struct aiocb *)b);
}

EXPORT int aio_suspend64(const struct aiocb64 *const *list, int n, const struct timespec *timeout)
{
	return aio_suspend((const struct aiocb *const *)list, n, timeout);
}

EXPORT int aio_cancel64(int fd, struct aiocb64 *b)
{
	return aio_cancel(fd, (struct aiocb *)b);
}

EXPORT int lio_listio64(int mode, struct aiocb64 *const *list, int n, struct sigevent *event)
{
	return lio_listio(mode, (struct aiocb *const *)list, n, event);
}
