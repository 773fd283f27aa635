/* keep.c - which arrays are kept, and how a call on one of them waits.  */
#include "keep.h"

#include <errno.h>
#include <limits.h>
#include <sys/mman.h>

#include "mux.h"
#include "request.h"
#include "shim/clock.h"
#include "shim/config.h"
#include "shim/init.h"
#include "shim/libc.h"
#include "shim/record.h"
#include "shim/shield.h"
#include "shim/sys.h"
#include "tracer/format.h"

enum {
	KEEPS = 16,             /* arrays that are known at a time */
	PATIENCE_MIN = 8,       /* plain calls on an array, with little ready, before it is kept */
	PATIENCE_MAX = 4096,    /* twice as many each time that it did not pay */
	STRIKES = 4,            /* calls in a row that did not pay */
	PAID = 64,              /* calls that did, after which patience is as at first */
	LIES = 4,               /* how often in one call something may be reported that poll does not see, before it is the kernel's */
	LOOK_NS = 100000000,    /* a thread looks so often whether another has taken something away from the set that it waits in */
};

/* An array that the program polls.  Whoever changes anything in it but an entry's mark (interest_forget) owns it.  */
static struct keep {
	const void *address;    /* of the array, or of the first set */
	uint64_t last;          /* the call in which it was last used */
	uint64_t slice_ns;      /* when the next slice is due */
	struct request_sets sets;
	struct interest interest;
	uintptr_t frame;        /* where on its owner's stack it is used */
	uint32_t owner;         /* the thread that is using it; 0: free */
	uint32_t ticket;        /* of its owner's use */
	uint32_t fds;           /* that it has, about */
	uint32_t patience, seen, strikes, served;
	uint8_t class;          /* enum op_class; 0: nothing here */
} keeps[KEEPS];

/* 0 in a child that was forked behind our back (MADV_WIPEONFORK): the sets are its parent's.  NULL: nothing has been kept yet.  */
static volatile uint32_t *alive;
static long own_pid;
static uint64_t calls;
static __thread uint32_t own_tid __attribute__((tls_model("initial-exec")));

static bool start(void)
{
	long page = sys(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page < 0 && page > -4096)
		return false;
	if (sys(SYS_madvise, page, 4096, MADV_WIPEONFORK) < 0) {
		sys(SYS_munmap, page, 4096);
		return false;
	}
	for (struct keep *k = keeps; k < keeps + KEEPS; k++)
		k->interest.epoll = k->interest.wake = -1;
	own_pid = sys(SYS_getpid);
	*(volatile uint32_t *)page = 1;
	__atomic_store_n(&alive, (volatile uint32_t *)page, __ATOMIC_RELEASE);
	return true;
}

/* `given_up`: their descriptors may be the program's own by now.  */
static void reset(bool given_up)
{
	for (struct keep *k = keeps; k < keeps + KEEPS; k++) {
		if (given_up)
			k->interest.epoll = k->interest.wake = -1;
		interest_close(&k->interest);
		k->class = 0;
		k->owner = 0;
		k->ticket++;
	}
	own_tid = 0;
	own_pid = sys(SYS_getpid);
	*alive = 1;
}

void keep_forked(void)
{
	if (alive && !shim_sandboxed)
		reset(false);
}

/* Not so in a vfork child, which has our memory but fds of its own; and a sandbox may not be asked.  */
static bool is_own(void)
{
	if (!alive || shim_sandboxed)
		return false;
	if (!*alive)
		reset(true);
	return sys(SYS_getpid) == own_pid;
}

static uint32_t self(void)
{
	if (!own_tid)
		own_tid = (uint32_t)sys(SYS_gettid);
	return own_tid;
}

static bool is_on_signal_stack(void)
{
	stack_t s;

	return sys(SYS_sigaltstack, NULL, &s) == 0 && (s.ss_flags & SS_ONSTACK);
}

/* Where on the stack the caller is.  */
static inline __attribute__((always_inline)) uintptr_t own_frame(void)
{
	return (uintptr_t)__builtin_frame_address(0);
}

/* A thread that left a wait by siglongjmp still seems to own what it used, and is known by a frame that has gone; so does one that
 * was canceled.  */
static bool is_left(const struct keep *k, uint32_t owner, uintptr_t frame)
{
	if (owner == self())
		return frame >= k->frame && !is_on_signal_stack();
	return sys(SYS_tgkill, own_pid, owner, 0) == -ESRCH;
}

/* Takes possession; false while somebody else, or this thread below a signal handler, has it.  */
static bool claim(struct keep *k, uintptr_t frame)
{
	uint32_t owner = 0;

	if (!__atomic_compare_exchange_n(&k->owner, &owner, self(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		if (!is_left(k, owner, frame) ||
		    !__atomic_compare_exchange_n(&k->owner, &owner, self(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return false;
		interest_close(&k->interest);
	}
	k->frame = frame;
	k->ticket++;
	return true;
}

static void release(struct keep *k, uint32_t ticket)
{
	if (k->ticket == ticket && k->owner == self())
		__atomic_store_n(&k->owner, 0, __ATOMIC_RELEASE);
}

static const void *address_of(const struct op *op)
{
	if (op->class == OP_POLL)
		return (const void *)op->arg[0];
	return (const void *)(op->arg[1] ? op->arg[1] : op->arg[2] ? op->arg[2] : op->arg[3]);
}

static struct keep *find(const struct op *op)
{
	for (struct keep *k = keeps; k < keeps + KEEPS; k++)
		if (k->class == op->class && k->address == address_of(op))
			return k;
	return NULL;
}

/* The place for an array that is new: the one that was not used for longest.  */
static struct keep *oldest(void)
{
	struct keep *found = keeps;

	for (struct keep *k = keeps; k < keeps + KEEPS; k++)
		if (!k->owner && (!k->class || (found->class && (found->owner || k->last < found->last))))
			found = k;
	return found;
}

static bool is_open(const struct keep *k)
{
	return k->interest.epoll >= 0;
}

static void note(const struct op *op, const struct keep *k, enum trace_keep what, int corrected)
{
	if (record_on)
		record_keep(op, what, k->fds, corrected);
}

static void give_up(struct keep *k, const struct op *op)
{
	if (is_open(k)) {
		note(op, k, TRACE_KEEP_LEFT, 0);
		interest_close(&k->interest);
	}
	if (k->served >= PAID)
		k->patience = PATIENCE_MIN;
	else if (k->patience < PATIENCE_MAX)
		k->patience *= 2;
	k->seen = k->strikes = k->served = 0;
}

/* The set is of no use any more.  */
static bool end(struct keep *k, struct op *op, enum trace_why why)
{
	op->why = (uint8_t)why;
	give_up(k, op);
	return false;
}

/* It does not pay this time.  */
static bool refuse(struct keep *k, struct op *op, enum trace_why why)
{
	op->why = (uint8_t)why;
	if (++k->strikes >= STRIKES)
		give_up(k, op);
	return false;
}

/* The highest fd that is open.  */
static int top_of(const struct request *r)
{
	int top = 0;

	for (unsigned i = 0; i < r->count; i++) {
		int fd = request_fd(r, i);

		if (fd > top && HINT_KIND(fds_hint(fd)) != KIND_unknown)
			top = fd;
	}
	return top;
}

static unsigned entries_of(const struct request *r)
{
	return r->array ? r->count : REQUEST_BITS;
}

/* Takes over up to `max` changes.  */
static bool change(struct keep *k, struct op *op, struct request *r, unsigned max)
{
	struct interest *in = &k->interest;
	bool all = __atomic_exchange_n(&in->has_forgotten, false, __ATOMIC_ACQUIRE);
	unsigned n = request_changes(r, in, &k->sets, all, in->scratch, max);

	if (n > max) {
		in->has_forgotten |= all;
		return refuse(k, op, TRACE_WHY_CHANGES);
	}
	if (n == 0 && in->count == entries_of(r))
		return true;
	for (unsigned i = 0; i < n; i++)
		shield_polled(((struct change *)in->scratch)[i].value.fd);
	return interest_change(in, in->scratch, n, entries_of(r)) || end(k, op, TRACE_WHY_KINDS);
}

/* Begins to keep it.  */
static bool begin(struct keep *k, struct op *op, struct request *r)
{
	if (!interest_open(&k->interest, entries_of(r), top_of(r)))
		return end(k, op, TRACE_WHY_LIMIT);
	k->sets = (struct request_sets){{{0}}};
	k->strikes = k->served = 0;
	if (!change(k, op, r, entries_of(r)))
		return false;
	note(op, k, TRACE_KEEP_BEGUN, 0);
	return true;
}

/* The set is as the program's array; false where it is not worth it, or cannot be.  */
static bool prepare(struct keep *k, struct op *op, struct request *r)
{
	k->fds = r->asked;
	if (r->asked < KEEP_MIN)
		return refuse(k, op, TRACE_WHY_FEW);
	if (!is_open(k))
		return begin(k, op, r);
	if (r->count > k->interest.room)
		return end(k, op, TRACE_WHY_CHANGES);
	return change(k, op, r, r->asked / 8 + 8);
}

struct wait {
	struct op *op;
	struct keep *keep;
	const struct request *request;
	uint32_t ticket;
	unsigned to_verify;     /* entries, until all have been since the call began */
	unsigned lies;
};

enum outcome { ANSWERED, GO_ON, PLAIN };

/* Looks what is ready now.  */
static enum outcome look(struct wait *w, long *result)
{
	struct interest *in = &w->keep->interest;
	int corrected;

	switch (interest_collect(in, w->request->asked / 4 + 1)) {
	case INTEREST_TOO_MANY:
		refuse(w->keep, w->op, TRACE_WHY_READY);
		return PLAIN;
	case INTEREST_WOKEN:
		interest_calm(in);
		w->op->why = TRACE_WHY_BUSY;
		return PLAIN;
	case INTEREST_BROKEN:
		end(w->keep, w->op, TRACE_WHY_LIMIT);
		return PLAIN;
	case INTEREST_SOME:
		break;
	}
	/* Also where its number could not be told to wake us. */
	if (in->has_forgotten) {
		w->op->why = TRACE_WHY_BUSY;
		return PLAIN;
	}
	if (in->found || in->directs) {
		*result = request_ask(w->request, in);
		if (*result)
			return ANSWERED;
	}
	if (!in->found && !in->is_stale && w->lies <= LIES)
		return GO_ON;
	corrected = interest_verify_found(in);
	if (corrected > 0)
		note(w->op, w->keep, TRACE_KEEP_CORRECTED, corrected);
	if (corrected < 0)
		end(w->keep, w->op, TRACE_WHY_KINDS);
	else if (++w->lies > LIES)
		refuse(w->keep, w->op, TRACE_WHY_KINDS);
	else
		return GO_ON;
	return PLAIN;
}

/* Verifies a slice if one is due.  */
static enum outcome verify(struct wait *w)
{
	struct keep *k = w->keep;
	uint64_t now = clock_ns();
	int corrected;

	if (now < k->slice_ns)
		return GO_ON;
	k->slice_ns = now + KEEP_SLICE_NS;
	w->to_verify = w->to_verify > KEEP_SLICE ? w->to_verify - KEEP_SLICE : 0;
	corrected = interest_verify_slice(&k->interest);
	if (corrected > 0)
		note(w->op, k, TRACE_KEEP_CORRECTED, corrected);
	if (corrected >= 0)
		return GO_ON;
	end(k, w->op, TRACE_WHY_KINDS);
	return PLAIN;
}

static long ppoll_window(const struct op *op, struct pollfd *p, unsigned n, struct timespec *timeout, const void *mask)
{
	struct window w = {
		.nr = SYS_ppoll, .arg = {(long)p, n, (long)timeout, (long)mask, 8}, .counter = &signal_counts.any, .seen = op->seen.any,
	};
	long result = mux_cancellable(op, &w);

	return result == WINDOW_NOT_ENTERED ? -EINTR : result;
}

/* Waits until something may be ready, a slice is due, or time is up.  The wait is the kernel's ppoll, so that signals, stops and
 * masks do to it what they do to the program's own.  */
static enum outcome wait_for(struct wait *w, long *result)
{
	struct interest *in = &w->keep->interest;
	struct timespec left;
	bool in_time = w->request->for_ever || request_left(w->request, &left), is_slice = false;
	long slice = w->to_verify ? KEEP_SLICE_NS : libc_single_threaded() ? 0 : LOOK_NS;

	if (slice && in_time && (w->request->for_ever || left.tv_sec > 0 || left.tv_nsec > slice)) {
		left = (struct timespec){.tv_nsec = slice};
		is_slice = true;
	}
	in->asked[0] = (struct pollfd){.fd = in->epoll, .events = POLLIN};
	for (unsigned i = 0; i < in->directs; i++)
		in->asked[i + 1] = in->entries[in->direct[i]];
	*result = ppoll_window(w->op, in->asked, in->directs + 1, w->request->for_ever && !is_slice ? NULL : &left, w->request->mask);
	if (w->keep->ticket != w->ticket)
		return PLAIN;
	if (*result > 0)
		w->lies++;
	return *result > 0 || (*result == 0 && is_slice) ? GO_ON : ANSWERED;
}

/* What is left of the call, by the kernel alone.  */
static long finish_plainly(const struct op *op, const struct request *r)
{
	struct timespec left;
	struct window w = {.nr = op->nr, .counter = &signal_counts.any, .seen = op->seen.any};
	const struct {
		const void *set;
		size_t size;
	} masked = {r->mask, 8};
	long result;

	/* A handler that has run ends a wait, but not a call that need not wait. */
	result = request_ask_all(r);
	if (result)
		return result;
	if (!r->for_ever)
		request_left(r, &left);
	if (r->array)
		return ppoll_window(op, r->array, r->count, r->for_ever ? NULL : &left, r->mask);
	w.nr = SYS_pselect6;
	w.arg[0] = r->count;
	for (unsigned i = 0; i < REQUEST_SETS; i++)
		w.arg[1 + i] = (long)r->set[i];
	w.arg[4] = (long)(r->for_ever ? NULL : &left);
	w.arg[5] = (long)(r->mask ? &masked : NULL);
	result = mux_cancellable(op, &w);
	return result == WINDOW_NOT_ENTERED ? -EINTR : result;
}

/* With a mask, what it lets through comes first, as it does in the kernel; and so does a mask that cannot be read.  */
static enum outcome serve(struct wait *w, long *result)
{
	bool waits_first = w->request->mask != NULL;
	enum outcome outcome;

	for (;;) {
		outcome = verify(w);
		if (outcome != GO_ON)
			return outcome;
		if (!waits_first) {
			outcome = look(w, result);
			if (outcome != GO_ON)
				return outcome;
			*result = 0;
			if (w->request->at_once)
				return ANSWERED;
		}
		waits_first = false;
		outcome = wait_for(w, result);
		if (outcome != GO_ON)
			return outcome;
	}
}

static void record_found(const struct op *op, const struct interest *in)
{
	unsigned n = 0;

	for (unsigned i = 1; i <= in->directs + in->found && n < RECORD_POLLED_MAX; i++)
		if (in->asked[i].revents) {
			record_polled(op->call, in->asked[i].fd, (unsigned short)in->asked[i].revents);
			n++;
		}
}

static bool run(struct op *op, struct keep *k, long *result)
{
	struct request r;
	struct wait w = {.op = op, .keep = k, .request = &r, .ticket = k->ticket};

	if (!request_read(&r, op)) {
		op->why = TRACE_WHY_LIMIT;
		return false;
	}
	if (!prepare(k, op, &r))
		return false;
	w.to_verify = r.asked;
	if (serve(&w, result) == PLAIN) {
		*result = finish_plainly(op, &r);
		request_note_left(&r);
		return true;
	}
	op->way = TRACE_WAY_KEPT;
	op->why = TRACE_WHY_NONE;
	k->strikes = 0;
	k->served++;
	if (*result == 0)
		*result = request_nothing(&r, &k->interest);
	if (record_on && *result > 0 && r.array)
		record_found(op, &k->interest);
	request_note_left(&r);
	return true;
}

bool keep_serve(struct op *op, long *result)
{
	struct keep *k;
	uint32_t ticket;
	bool served;

	op->why = TRACE_WHY_LIMIT;
	if (!config.keep || shim_sandboxed)
		return false;
	op->why = TRACE_WHY_NEW;
	if (!alive || !(k = find(op)) || k->seen < k->patience)
		return false;
	op->why = TRACE_WHY_BUSY;
	if (!is_own() || !claim(k, own_frame()))
		return false;
	ticket = k->ticket;
	k->last = ++calls;
	served = k->class == op->class && k->address == address_of(op) && run(op, k, result);
	release(k, ticket);
	return served;
}

/* Whether keeping the array would have paid.  */
static bool would_pay(const struct op *op, long result)
{
	return result >= 0 && (unsigned long)result <= (unsigned)op->arg[op->class == OP_SELECT ? 0 : 1] / 4;
}

void keep_learn(const struct op *op, long result)
{
	struct keep *k;
	uint32_t ticket;

	if (op->why != TRACE_WHY_NEW)
		return;
	k = find(op);
	if (!would_pay(op, result) && (!k || !k->seen))
		return;
	if (!alive && !start())
		return;
	/* Without descriptors to mistake for its own, a vfork child may count. */
	if ((!k || is_open(k) || !*alive) && !is_own())
		return;
	if (!k)
		k = oldest();
	if (!claim(k, own_frame()))
		return;
	ticket = k->ticket;
	if (k->class != op->class || k->address != address_of(op)) {
		interest_close(&k->interest);
		k->class = op->class;
		k->address = address_of(op);
		k->seen = k->served = 0;
		k->patience = PATIENCE_MIN;
	}
	k->last = ++calls;
	k->seen = would_pay(op, result) ? k->seen + 1 : 0;
	release(k, ticket);
}

bool keep_forget(int fd)
{
	if (!is_own())
		return !alive || shim_sandboxed;
	for (struct keep *k = keeps; k < keeps + KEEPS; k++) {
		uint32_t owner = __atomic_load_n(&k->owner, __ATOMIC_RELAXED);

		if (k->interest.epoll == fd || k->interest.wake == fd)
			interest_close(&k->interest);
		else
			interest_forget(&k->interest, fd, owner && owner != self());
	}
	return true;
}

/* Without asking who owns it: a thread that waits in a set has the epoll instance, and looks for its number afterwards.  */
bool keep_give_back(void)
{
	bool any = false;

	if (!is_own())
		return false;
	for (struct keep *k = keeps; k < keeps + KEEPS; k++) {
		if (!is_open(k))
			continue;
		any = true;
		interest_close(&k->interest);
		k->patience = PATIENCE_MAX;
		k->seen = 0;
	}
	return any;
}

void keep_make_way(int fd)
{
	if (!is_own())
		return;
	interest_ceiling = INT_MAX;
	for (struct keep *k = keeps; k < keeps + KEEPS; k++)
		interest_make_way(&k->interest, fd);
}
