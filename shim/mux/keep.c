/* keep.c - which arrays are kept, and how a call on one of them waits.  */
#include "keep.h"

#include <errno.h>
#include <fcntl.h>

#include "mux.h"
#include "request.h"
#include "shim/clock.h"
#include "shim/config.h"
#include "shim/hidden.h"
#include "shim/init.h"
#include "shim/libc.h"
#include "shim/record.h"
#include "shim/shield.h"
#include "shim/sys.h"
#include "tracer/format.h"

enum {
	KEEPS = 16,             /* arrays that are known at a time */
	IDLE = 4096,            /* calls after which a set that was not used is closed */
	PATIENCE = 8,           /* plain calls on an array, with little ready, before it is kept */
	DOUBT_MIN = 4,          /* a loss must be so small a part of what the kernel does next, before another is risked; */
	DOUBT_MAX = 32,         /* twice as small each time */
	SKIPS = 2048,           /* entries are not looked at, after a call that has taught nothing new */
	LIES = 4,               /* how often in one call something may be reported that poll does not see, before it is the kernel's */
	LOOK_NS = 100000000,    /* when all have been verified: other threads, or processes with the same fds, change them all the same */
	LEAVE_MS = 100,
};

/* What is saved, and what it costs, in what the kernel needs to look at one entry (25 to 45 ns, measured on pipes and sockets).  */
enum {
	COST_CALL = 30,
	COST_COMPARED = 48,     /* entries that are compared for one */
	COST_READY = 4,
	COST_MOVED = 2,         /* within the array, as when all that follow take the place of one that is gone */
	COST_EVENTS = 8,        /* EPOLL_CTL_MOD */
	COST_FD = 60,           /* EPOLL_CTL_ADD, and EPOLL_CTL_DEL at last */
	COST_WAKE = 80,
	COST_BEGIN = 3000,      /* to make an instance, and /proc tell where */
	WAIT_SAVES = 2,         /* entries more for each: the kernel queues for all, and looks twice */
	CREDIT = 8,             /* calls for nothing that a set may make */
};

/* An array that the program polls.  Whoever changes anything in it but what interest_forget() does owns it.  */
static struct keep {
	uint64_t last;          /* the call in which it was last used */
	uint64_t slice_ns;      /* when the next slice is due */
	int64_t credit;         /* what it may lose */
	int64_t gain;           /* since it was begun */
	struct request_sets sets;
	struct interest interest;
	uintptr_t frame;        /* where on its owner's stack it is used; 0: that is not yet known */
	uint32_t owner;         /* the thread that is using it; 0: free */
	uint32_t ticket;        /* of its owner's use */
	uint32_t seen;          /* calls, since it was known, or not worth it */
	uint32_t peak;          /* of how many fds it has asked for */
	uint8_t class;          /* enum op_class; 0: nothing here */
} keeps[KEEPS];

/* Of the array, or of the first set; and of those that are kept.  */
static uintptr_t addresses[KEEPS], kept[KEEPS];
HOT_DATA uint32_t keep_skips;

static uint64_t calls;
static bool in_vain;                    /* no place is left but those of others that have not come often, either */
static int64_t debt;                    /* what the kernel has to look at before another set is begun */
static uint32_t doubt = DOUBT_MIN;      /* for one that was lost */
static bool autodisarmed;
static __thread uint32_t own_tid __attribute__((tls_model("initial-exec")));

void keep_forked(void)
{
	for (struct keep *k = keeps; k < keeps + KEEPS; k++) {
		interest_disown(&k->interest);
		STORE(kept[k - keeps], 0);
		STORE(k->class, 0);
		STORE(k->owner, 0);
		STORE(k->ticket, k->ticket + 1);
	}
	own_tid = 0;
}

void keep_autodisarm(void)
{
	STORE(autodisarmed, true);
}

/* Not in a vfork child, which has its parent's memory: after hidden_is_own().  */
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
		return k->frame && frame >= k->frame && !LOAD(autodisarmed) && !is_on_signal_stack();
	return sys(SYS_tgkill, sys(SYS_getpid), owner, 0) == -ESRCH;
}

/* Takes possession; false while somebody else, or this thread below a signal handler, has it.  */
static bool claim(struct keep *k, uintptr_t frame)
{
	uint32_t owner = 0;

	if (!__atomic_compare_exchange_n(&k->owner, &owner, self(), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
		if (!is_left(k, owner, frame) ||
		    !__atomic_compare_exchange_n(&k->owner, &owner, self(), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			return false;
		interest_close(&k->interest);
	}
	k->frame = frame;
	STORE(k->ticket, k->ticket + 1);
	return true;
}

static void release(struct keep *k, uint32_t ticket)
{
	if (LOAD(k->ticket) != ticket || LOAD(k->owner) != self())
		return;
	k->frame = 0;
	__atomic_store_n(&k->owner, 0, __ATOMIC_RELEASE);
}

static uintptr_t address_of(const struct op *op)
{
	if (op->class == OP_POLL)
		return (uintptr_t)op->arg[0];
	return (uintptr_t)(op->arg[1] ? op->arg[1] : op->arg[2] ? op->arg[2] : op->arg[3]);
}

static bool is_of(const struct keep *k, const struct op *op)
{
	return LOAD(k->class) == op->class && LOAD(addresses[k - keeps]) == address_of(op);
}

static struct keep *find(const struct op *op)
{
	uintptr_t address = address_of(op);

	for (unsigned i = 0; i < KEEPS; i++)
		if (LOAD(addresses[i]) == address && LOAD(keeps[i].class) == op->class)
			return &keeps[i];
	return NULL;
}

bool keep_has(uintptr_t address)
{
	for (unsigned i = 0; i < KEEPS; i++)
		if (LOAD(kept[i]) == address)
			return true;
	return false;
}

static bool is_open(const struct keep *k)
{
	return interest_is_open(&k->interest);
}

/* Another call, on k, if it is known.  */
static void count_call(struct keep *k)
{
	uint64_t now = LOAD(calls) + 1;

	STORE(calls, now);
	if (k)
		STORE(k->last, now);
}

static bool is_in_use(const struct keep *k)
{
	return LOAD(calls) - LOAD(k->last) < IDLE;
}

/* What the program does not poll any more, as the array that a larger one has taken the place of, burdens what happens to its fds.  */
static void close_idle(struct keep *k)
{
	uint32_t ticket;

	if (!is_open(k) || LOAD(k->owner) || is_in_use(k) || !claim(k, own_frame()))
		return;
	ticket = k->ticket;
	interest_close(&k->interest);
	STORE(kept[k - keeps], 0);
	release(k, ticket);
}

/* The place for an array that is new: the one that was not used for longest, but none that is kept and in use.  */
static struct keep *oldest(void)
{
	struct keep *found = NULL;

	for (struct keep *k = keeps; k < keeps + KEEPS; k++) {
		if (LOAD(k->owner) || (is_open(k) && is_in_use(k)))
			continue;
		if (!LOAD(k->class))
			return k;
		if (!found || LOAD(k->last) < LOAD(found->last))
			found = k;
	}
	STORE(in_vain, !found || LOAD(found->seen) < PATIENCE);
	return found;
}

static void note(const struct op *op, const struct keep *k, enum trace_keep what, int corrected)
{
	if (record_follows(op))
		record_keep(op, what, k->interest.live, corrected);
}

static void settle_debt(int64_t gain)
{
	uint32_t more = LOAD(doubt);

	if (gain >= 0) {
		STORE(doubt, DOUBT_MIN);
		return;
	}
	STORE(debt, -gain * more);
	if (more < DOUBT_MAX)
		STORE(doubt, more * 2);
}

static void give_up(struct keep *k, const struct op *op)
{
	if (k->interest.hidden)
		note(op, k, TRACE_KEEP_LEFT, 0);
	settle_debt(k->gain);
	interest_close(&k->interest);
	STORE(kept[k - keeps], 0);
	STORE(k->seen, 0);
}

/* The set is of no use any more.  */
static bool end(struct keep *k, struct op *op, enum trace_why why)
{
	op->why = (uint8_t)why;
	give_up(k, op);
	return false;
}

/* A call has cost, or gained, so much.  */
static void account(struct keep *k, int64_t gain)
{
	int64_t most = (int64_t)k->interest.live * CREDIT;

	k->gain += gain;
	k->credit += gain;
	if (k->credit > most)
		k->credit = most;
}

/* It does not pay this time.  */
static bool refuse(struct keep *k, struct op *op, enum trace_why why)
{
	op->why = (uint8_t)why;
	account(k, -(COST_CALL + (int64_t)k->interest.count / COST_COMPARED));
	if (k->credit < 0)
		give_up(k, op);
	return false;
}

/* Whether so many are ready that epoll cannot win.  */
static unsigned ready_max(unsigned asked)
{
	return asked / (asked < 256 ? 8 : 4);
}

static unsigned entries_of(const struct request *r)
{
	return r->array ? r->count : REQUEST_BITS;
}

/* How many fds it asks for, and the highest of those that are open.  */
static unsigned look_through(const struct request *r, int *top)
{
	unsigned asked = 0;

	*top = 0;
	for (unsigned i = 0; i < r->count; i++) {
		int fd = request_fd(r, i);

		asked += fd >= 0;
		if (fd > *top && HINT_KIND(fds_hint(fd)) != KIND_unknown)
			*top = fd;
	}
	return asked;
}

/* A number of ours in the program's array: it must be what it is natively, not open.  */
static bool asks_for_ours(const struct change *changes, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (hidden_has(changes[i].value.fd))
			return true;
	return false;
}

/* What it costs to take them over; and how many fds it asks for then.  */
static int64_t cost_of(const struct interest *in, const struct change *changes, unsigned n, unsigned *live)
{
	int64_t cost = 0;

	*live = in->live;
	for (unsigned i = 0; i < n; i++) {
		bool asked = changes[i].at < in->count && in->entries[changes[i].at].fd >= 0, asks = changes[i].value.fd >= 0;

		*live += asks - asked;
		if (!asks && !asked)
			continue;
		if (interest_has(in, &changes[i].value))
			cost += COST_MOVED;
		else
			cost += interest_asks_for(in, changes[i].value.fd) ? COST_EVENTS : COST_FD;
	}
	return cost;
}

/* Takes over what has changed, as far as the account allows.  To become larger than it was is no loss yet.  */
static bool change(struct keep *k, struct op *op, struct request *r)
{
	struct interest *in = &k->interest;
	struct request_sets before = k->sets;
	unsigned live, n = request_changes(r, in, &k->sets, in->scratch);
	int64_t cost = cost_of(in, in->scratch, n, &live), grown = live > k->peak ? (int64_t)(live - k->peak) * COST_FD : 0;

	if (cost - grown > k->credit + in->live) {
		k->sets = before;
		return refuse(k, op, TRACE_WHY_CHANGES);
	}
	if (asks_for_ours(in->scratch, n)) {
		hidden_end();
		return end(k, op, TRACE_WHY_LIMIT);
	}
	account(k, grown - cost);
	k->gain -= grown;
	if (live > k->peak)
		k->peak = live;
	for (unsigned i = 0; i < n; i++)
		shield_polled(((struct change *)in->scratch)[i].value.fd);
	return interest_change(in, in->scratch, n, entries_of(r)) || end(k, op, TRACE_WHY_KINDS);
}

/* Begins to keep it.  */
static bool begin(struct keep *k, struct op *op, struct request *r)
{
	int top;
	unsigned asked = look_through(r, &top);

	k->credit = 0;
	k->gain = -COST_BEGIN - (int64_t)r->count;
	k->peak = 0;
	if (asked < KEEP_MIN)
		return end(k, op, TRACE_WHY_FEW);
	if (!interest_open(&k->interest, entries_of(r), top))
		return end(k, op, TRACE_WHY_LIMIT);
	k->sets = (struct request_sets){{{0}}};
	if (!change(k, op, r))
		return false;
	k->credit = (int64_t)k->interest.live * CREDIT / 2;
	note(op, k, TRACE_KEEP_BEGUN, 0);
	return true;
}

/* Behind a mask, where waiting comes before asking: a bit of a set whose fd is not open is EBADF at once.  */
static bool has_closed(const struct request *r, const struct interest *in)
{
	for (unsigned i = 0; r->mask && !r->array && i < in->directs; i++)
		if (sys(SYS_fcntl, in->entries[in->where[i]].fd, F_GETFD) < 0)
			return true;
	return false;
}

/* The set is as the program's array; false where it is not worth it, or cannot be.  */
static bool prepare(struct keep *k, struct op *op, struct request *r)
{
	if (!k->interest.hidden)
		return begin(k, op, r) && !has_closed(r, &k->interest);
	/* It has been taken away, or could not have been made as the limit is now. */
	if (!is_open(k) || (unsigned long)hidden_number(k->interest.hidden) >= r->limit)
		return end(k, op, TRACE_WHY_LIMIT);
	if (r->count > k->interest.room)
		return end(k, op, TRACE_WHY_CHANGES);
	if (!change(k, op, r))
		return false;
	if (k->interest.live < KEEP_MIN)
		return end(k, op, TRACE_WHY_FEW);
	return !has_closed(r, &k->interest);
}

struct wait {
	struct op *op;
	struct keep *keep;
	const struct request *request;
	uint32_t ticket;
	bool has_waited;
	bool is_idle;           /* the wait has ended for a slice */
	unsigned asked;         /* direct entries, by the wait: their answer must not be lost, for looking may have changed it */
	unsigned to_verify;     /* entries, until all have been since the call began */
	unsigned lies;
	int64_t cost;
	uint64_t now_ns;        /* when it was last looked whether a slice is due */
};

/* PLAIN: the kernel is to be asked for all that is in the set; NATIVE: the program's own call is to be made.  */
enum outcome { ANSWERED, GO_ON, PLAIN, NATIVE };

static enum outcome leave(struct wait *w, enum trace_why why)
{
	w->op->why = (uint8_t)why;
	return PLAIN;
}

/* Whether the array, or the sets, can still be written: while it waits, another thread or a handler may take the memory away.  */
static bool can_answer(const struct wait *w)
{
	bool is_alone = libc_single_threaded() && signal_counts.any == w->op->seen.any;

	return !w->has_waited || is_alone || request_is_writable(w->request);
}

/* Asks the kernel about those found, and the direct ones where the wait has not done so.  A bit of a set whose fd is not open at the
 * beginning is EBADF, or beyond the descriptor table and not looked at.  */
static enum outcome ask(struct wait *w, long *result)
{
	struct interest *in = &w->keep->interest;
	unsigned n = in->directs + in->found, from = w->asked;
	struct timespec at_once = {0};

	for (unsigned i = from; i < n; i++)
		in->asked[1 + i] = in->entries[in->where[i]];
	if (n > from && sys(SYS_ppoll, &in->asked[1 + from], n - from, &at_once, NULL, 8) < 0)
		return leave(w, TRACE_WHY_LIMIT);
	for (unsigned i = 0; !w->has_waited && !w->request->array && i < n; i++)
		if (in->asked[1 + i].revents & POLLNVAL) {
			w->op->why = TRACE_WHY_KINDS;
			return NATIVE;
		}
	if (!can_answer(w)) {
		*result = -EFAULT;
		return ANSWERED;
	}
	*result = request_answer(w->request, &w->keep->sets, in->asked + 1, in->where, n);
	return *result ? ANSWERED : GO_ON;
}

/* Looks what is ready now.  */
static enum outcome look(struct wait *w, long *result)
{
	struct interest *in = &w->keep->interest;
	enum outcome outcome = GO_ON;
	int corrected;

	switch (interest_collect(in, ready_max(in->live) + 1)) {
	case INTEREST_TOO_MANY:
		w->cost += (int64_t)ready_max(in->live) * COST_READY;
		return leave(w, TRACE_WHY_READY);
	case INTEREST_BROKEN:
		return leave(w, TRACE_WHY_LIMIT);
	case INTEREST_SOME:
		break;
	}
	/* Also where the wait could not be ended. */
	if (__atomic_load_n(&in->forgotten, __ATOMIC_SEQ_CST))
		return leave(w, TRACE_WHY_BUSY);
	if (in->found || in->directs) {
		w->cost += (int64_t)in->found * COST_READY;
		outcome = ask(w, result);
	}
	if (outcome != GO_ON || (!in->found && !in->is_stale && w->lies <= LIES))
		return outcome;
	corrected = interest_verify_found(in);
	w->asked = 0;
	if (corrected > 0)
		note(w->op, w->keep, TRACE_KEEP_CORRECTED, corrected);
	return corrected < 0 || ++w->lies > LIES ? leave(w, TRACE_WHY_KINDS) : GO_ON;
}

static bool verify(struct wait *w)
{
	struct keep *k = w->keep;
	unsigned slice = k->interest.live < KEEP_SLICE ? k->interest.live : KEEP_SLICE;
	int corrected;

	w->now_ns = clock_ns();
	if (w->now_ns < k->slice_ns)
		return true;
	k->slice_ns = w->now_ns + keep_round_ns(k->interest.live) / keep_slices(k->interest.live);
	close_idle(&keeps[LOAD(calls) % KEEPS]);
	if (w->is_idle)
		w->to_verify = w->to_verify > slice ? w->to_verify - slice : 0;
	w->cost += (int64_t)slice * (w->is_idle ? COST_EVENTS : 1);
	corrected = interest_verify_slice(&k->interest, slice, !w->is_idle);
	if (corrected > 0)
		note(w->op, k, TRACE_KEEP_CORRECTED, corrected);
	return corrected >= 0;
}

static long ppoll_window(const struct op *op, struct pollfd *p, unsigned n, struct timespec *timeout, const void *mask)
{
	struct window w = {
		.nr = SYS_ppoll, .arg = {(long)p, n, (long)timeout, (long)mask, 8}, .counter = &signal_counts.any, .seen = op->seen.any,
	};
	long result = mux_cancellable(op, &w);

	return result == WINDOW_NOT_ENTERED ? -EINTR : result;
}

/* How long to wait for the next slice: that it comes somewhat late is better than to wake up twice.  */
static long wait_slice(const struct wait *w)
{
	uint64_t due = w->keep->slice_ns, soon = w->now_ns + KEEP_SLICE_NS;

	return (long)((due > soon ? due : soon) - w->now_ns);
}

/* Waits until something may be ready, a slice is due, or time is up.  The wait is the kernel's ppoll, so that signals, stops and
 * masks do to it what they do to the program's own.  */
static enum outcome wait_for(struct wait *w, long *result)
{
	struct interest *in = &w->keep->interest;
	struct timespec left;
	bool in_time = w->request->for_ever || request_left(w->request, &left), is_slice = false;
	long slice = w->to_verify ? wait_slice(w) : LOOK_NS;

	if (in_time && (w->request->for_ever || left.tv_sec > 0 || left.tv_nsec > slice)) {
		left = (struct timespec){.tv_nsec = slice};
		is_slice = true;
	}
	in->found = 0;
	in->asked[0] = (struct pollfd){.fd = hidden_number(in->hidden), .events = POLLIN};
	for (unsigned i = 0; i < in->directs; i++)
		in->asked[i + 1] = in->entries[in->where[i]];
	*result = ppoll_window(w->op, in->asked, in->directs + 1, w->request->for_ever && !is_slice ? NULL : &left, w->request->mask);
	w->has_waited = true;
	if (LOAD(w->keep->ticket) != w->ticket || shim_sandboxed)
		return NATIVE;
	w->asked = in->directs;
	/* What it finds is reported, or the program's fds are not what they were. */
	if (*result > 0) {
		w->lies++;
		w->to_verify = in->live;
	}
	w->is_idle = *result == 0 && is_slice;
	if (w->is_idle)
		w->cost += COST_WAKE;
	return *result > 0 || w->is_idle ? GO_ON : ANSWERED;
}

/* What is left of the call, by the kernel, for what the program asked when it made it.  What a wait has said of the direct entries is
 * part of the answer.  */
static long finish(struct wait *w)
{
	const struct request *r = w->request;
	struct interest *in = &w->keep->interest;
	struct timespec left = {0};
	unsigned n = in->count;
	long result;

	while (n > 0 && in->entries[n - 1].fd < 0)
		n--;
	/* A handler that has run ends a wait, but not a call that need not wait. */
	result = sys(SYS_ppoll, in->entries, n, &left, NULL, 8);
	for (unsigned i = 0; i < w->asked; i++)
		if (in->asked[1 + i].revents) {
			in->entries[in->where[i]].revents |= in->asked[1 + i].revents;
			result = 1;
		}
	/* A look that failed says nothing: the wait does. */
	if (result <= 0) {
		if (!r->for_ever)
			request_left(r, &left);
		result = ppoll_window(w->op, in->entries, n, r->for_ever ? NULL : &left, r->mask);
	}
	if (result >= 0)
		result = can_answer(w) ? request_answer(r, &w->keep->sets, in->entries, NULL, n) : -EFAULT;
	for (unsigned i = 0; i < n; i++)
		in->entries[i].revents = 0;
	return result;
}

/* The same by the program's own call, on its own memory: nothing else may be done, or is known.  */
static long finish_natively(const struct op *op, const struct request *r)
{
	struct timespec left = {0};
	struct window w = {.nr = op->nr, .counter = &signal_counts.any, .seen = op->seen.any};
	long result;

	for (unsigned i = 0; i < 6; i++)
		w.arg[i] = op->arg[i];
	if (!r->for_ever)
		request_left(r, &left);
	if (r->timeout)
		*r->timeout = left;
	else if (!r->for_ever)
		w.arg[2] = left.tv_sec * 1000 + (left.tv_nsec + 999999) / 1000000;
	result = mux_cancellable(op, &w);
	return result == WINDOW_NOT_ENTERED ? -EINTR : result;
}

/* With a mask, what it lets through comes first, as it does in the kernel; and so does a mask that cannot be read.  */
static enum outcome serve(struct wait *w, long *result)
{
	bool waits_first = w->request->mask != NULL;
	enum outcome outcome;

	for (;;) {
		if (!verify(w))
			return leave(w, TRACE_WHY_KINDS);
		if (!waits_first) {
			outcome = look(w, result);
			if (outcome != GO_ON)
				return outcome;
			*result = 0;
			if (w->request->at_once)
				break;
		}
		waits_first = false;
		outcome = wait_for(w, result);
		if (outcome == ANSWERED && *result == 0)
			break;
		if (outcome != GO_ON)
			return outcome;
	}
	if (!can_answer(w))
		*result = -EFAULT;
	else
		request_answer(w->request, &w->keep->sets, NULL, NULL, 0);
	return ANSWERED;
}

static void record_found(struct op *op, long result, const struct interest *in)
{
	unsigned n = 0;

	for (unsigned i = 1; i <= in->directs + in->found && n < RECORD_POLLED_MAX; i++)
		if (in->asked[i].revents)
			n += record_polled(op, result, in->asked[i].fd, (unsigned short)in->asked[i].revents);
}

static void settle(struct keep *k, struct op *op, const struct wait *w, bool is_kept)
{
	int64_t saved = is_kept ? (int64_t)k->interest.live * (w->has_waited ? 1 + WAIT_SAVES : 1) : 0;

	account(k, saved - w->cost - COST_CALL - (int64_t)k->interest.count / COST_COMPARED);
	if (k->credit < 0 || op->why == TRACE_WHY_KINDS || op->why == TRACE_WHY_LIMIT)
		give_up(k, op);
}

/* Everything but the program's own call, which may last: NATIVE, PLAIN.  */
static enum outcome run(struct op *op, struct keep *k, struct request *r, bool *has_waited, long *result)
{
	struct wait w = {.op = op, .keep = k, .request = r, .ticket = k->ticket};
	enum outcome outcome;

	op->why = TRACE_WHY_LIMIT;
	if (!request_read(r, op) || !prepare(k, op, r))
		return NATIVE;
	op->why = TRACE_WHY_NONE;
	w.to_verify = k->interest.live;
	outcome = serve(&w, result);
	*has_waited = w.has_waited;
	if (LOAD(k->ticket) != w.ticket || shim_sandboxed)
		return outcome == ANSWERED ? ANSWERED : NATIVE;
	if (outcome == ANSWERED) {
		op->way = TRACE_WAY_KEPT;
		if (record_follows(op) && *result > 0 && r->array)
			record_found(op, *result, &k->interest);
	} else if (outcome == PLAIN && w.has_waited) {
		*result = finish(&w);
		outcome = ANSWERED;
	}
	settle(k, op, &w, op->way == TRACE_WAY_KEPT);
	return outcome;
}

/* Whether a call on it need not be the kernel's.  */
static bool is_due(const struct keep *k)
{
	return LOAD(k->interest.hidden) || (LOAD(k->seen) >= PATIENCE && LOAD(debt) <= 0);
}

bool keep_serve(struct op *op, long *result)
{
	struct request r;
	struct keep *k;
	uint32_t ticket;
	bool has_waited = false;
	enum outcome outcome;

	op->why = TRACE_WHY_LIMIT;
	if (!config.keep || shim_sandboxed)
		return false;
	op->why = TRACE_WHY_NEW;
	k = find(op);
	if (!k || !is_due(k))
		return false;
	op->why = TRACE_WHY_BUSY;
	if (!hidden_is_own() || !claim(k, own_frame()))
		return false;
	ticket = k->ticket;
	count_call(k);
	outcome = is_of(k, op) ? run(op, k, &r, &has_waited, result) : NATIVE;
	release(k, ticket);
	if (outcome != ANSWERED && !has_waited)
		return false;
	if (outcome != ANSWERED)
		*result = finish_natively(op, &r);
	request_note_left(&r);
	return true;
}

static unsigned asked_by(const struct op *op)
{
	return (unsigned)op->arg[op->class == OP_SELECT ? 0 : 1];
}

/* Whether keeping the array would have paid.  */
static bool would_pay(const struct op *op, long result)
{
	return result >= 0 && (unsigned long)result <= ready_max(asked_by(op));
}

/* Takes a place for an array that is new; NULL where there is none.  */
static struct keep *know(const struct op *op)
{
	struct keep *k = hidden_start() && hidden_is_own() ? oldest() : NULL;
	uint32_t ticket;

	if (!k || !claim(k, own_frame()))
		return NULL;
	ticket = k->ticket;
	interest_close(&k->interest);
	STORE(addresses[k - keeps], address_of(op));
	STORE(kept[k - keeps], 0);
	STORE(k->class, op->class);
	STORE(k->seen, 0);
	release(k, ticket);
	return k;
}

/* Hints, that need not be owned.  */
void keep_learn(const struct op *op, long result)
{
	struct keep *k = op->why == TRACE_WHY_NEW ? find(op) : NULL;
	bool pays = would_pay(op, result);
	int64_t owed;

	count_call(k);
	if (!k && pays && op->why == TRACE_WHY_NEW)
		k = know(op);
	owed = LOAD(debt);
	if (!pays || LOAD(in_vain) || owed > 0)
		STORE(keep_skips, SKIPS);
	if (owed > 0)
		STORE(debt, owed - (asked_by(op) > SKIPS ? asked_by(op) : SKIPS));
	if (!k)
		return;
	STORE(k->last, LOAD(calls));
	STORE(k->seen, pays ? LOAD(k->seen) + 1 : 0);
	if (is_due(k))
		STORE(kept[k - keeps], LOAD(addresses[k - keeps]));
}

/* Who waits in it is woken: he does not hear of a removal.  */
void keep_forget(int fd)
{
	bool is_own = hidden_is_own();

	/* The mark first: a thread that registers it anew meanwhile sets it again, and so will be told what becomes of fd then. */
	if (is_own || shim_sandboxed)
		fds_mark(fd, 0, HINT_KEPT);
	if (!is_own)
		return;
	hidden_give_up(fd);
	for (struct keep *k = keeps; k < keeps + KEEPS; k++) {
		struct hidden *h = LOAD(k->interest.hidden);
		uint32_t owner;

		if (!h || !interest_forget(&k->interest, fd))
			continue;
		owner = __atomic_load_n(&k->owner, __ATOMIC_SEQ_CST);
		if (owner && owner != self())
			hidden_wake(h);
	}
}

bool keep_asks_for(int fd)
{
	for (const struct keep *k = keeps; k < keeps + KEEPS; k++)
		if (interest_asks_for(&k->interest, fd))
			return true;
	return false;
}

/* They have been woken, and find that there is nothing left.  */
void keep_wait_left(void)
{
	struct timespec a_while = {.tv_nsec = 1000000};

	for (unsigned i = 0, tries = 0; i < KEEPS && tries < LEAVE_MS; tries++) {
		uint32_t owner = __atomic_load_n(&keeps[i].owner, __ATOMIC_SEQ_CST);

		if (!owner || owner == self() || is_left(&keeps[i], owner, 0))
			i++;
		else
			sys(SYS_nanosleep, &a_while, NULL);
	}
}
