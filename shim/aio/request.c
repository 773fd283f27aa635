/* request.c - the table of requests, their end, and the notice of it.  */
#include "request.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "shim/cancel.h"
#include "shim/libc.h"
#include "shim/sys.h"

struct requests *requests;

bool requests_memory(void **at, size_t size)
{
	void *expected = NULL;
	long made;

	if (__atomic_load_n(at, __ATOMIC_ACQUIRE))
		return true;
	made = sys(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (made < 0 && made > -4096)
		return false;
	if (sys(SYS_madvise, made, size, MADV_WIPEONFORK) < 0 ||
	    !__atomic_compare_exchange_n(at, &expected, (void *)made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		sys(SYS_munmap, made, size);
	return __atomic_load_n(at, __ATOMIC_ACQUIRE) != NULL;
}

bool requests_make(void)
{
	return requests_memory((void **)&requests, sizeof *requests);
}

/* The first of the list of free places.  */
static struct request *take_free(void)
{
	uint64_t old = __atomic_load_n(&requests_there()->free, __ATOMIC_ACQUIRE), new;
	struct request *r;

	do {
		r = request_numbered((uint32_t)old);
		if (!r)
			return NULL;
		new = ((old >> 32) + 1) << 32 | __atomic_load_n(&r->next, __ATOMIC_RELAXED);
	} while (!__atomic_compare_exchange_n(&requests_there()->free, &old, new, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	return r;
}

struct request *request_take(void)
{
	struct request *r = take_free();
	uint32_t used = __atomic_load_n(&requests_there()->used, __ATOMIC_RELAXED);

	while (!r && used < REQUESTS)
		if (__atomic_compare_exchange_n(&requests_there()->used, &used, used + 1, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			r = &requests_there()->table[used];
	return r;
}

void request_free(struct request *r)
{
	uint64_t old = __atomic_load_n(&requests_there()->free, __ATOMIC_RELAXED), new;
	uint32_t generation = __atomic_load_n(&r->word, __ATOMIC_RELAXED) / REQUEST_STATES + 1;

	__atomic_store_n(&r->word, generation * REQUEST_STATES + REQUEST_FREE, __ATOMIC_RELEASE);
	do {
		__atomic_store_n(&r->next, (uint32_t)old, __ATOMIC_RELAXED);
		new = ((old >> 32) + 1) << 32 | request_number(r);
	} while (!__atomic_compare_exchange_n(&requests_there()->free, &old, new, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
}

/* Only the request's owner changes it: who submits it, and then the engine.  */
static void set_state(struct request *r, enum request_state to)
{
	__atomic_store_n(&r->word, r->word - r->word % REQUEST_STATES + to, __ATOMIC_RELEASE);
}

struct request *request_of(const struct aiocb *block, enum request_state *state)
{
	struct request *r = (struct request *)(uintptr_t)block->__next_prio;

	if (!requests_there() || r < requests_there()->table || r >= requests_there()->table + REQUESTS ||
	    ((uintptr_t)r - (uintptr_t)requests_there()->table) % sizeof *r != 0)
		return NULL;
	*state = request_state(__atomic_load_n(&r->word, __ATOMIC_ACQUIRE));
	if (*state == REQUEST_FREE || *state == REQUEST_GROUP)
		return NULL;
	return __atomic_load_n(&r->block, __ATOMIC_RELAXED) == block ? r : NULL;
}

/* Its number in the trace, and whether it is known to be over: in two words of the block that libc has for its own requests'
 * priorities, where such a mark is none.  */
enum { NOT_OVER = 0x61696f00, KNOWN_OVER };

_Static_assert(offsetof(struct aiocb, __policy) == offsetof(struct aiocb, __abs_prio) + 4 &&
	       offsetof(struct aiocb, __abs_prio) % 8 == 0, "the two are one word of 64 bits");

static uint64_t *recorded_as(const struct aiocb *block)
{
	return (uint64_t *)(uintptr_t)&block->__abs_prio;
}

static uint64_t record_word(uint32_t number, uint32_t mark)
{
	const union {
		uint32_t half[2];
		uint64_t whole;
	} word = {{number, mark}};

	return word.whole;
}

void request_is_recorded(struct aiocb *block, uint32_t number)
{
	__atomic_store_n(recorded_as(block), number ? record_word(number, NOT_OVER) : 0, __ATOMIC_RELEASE);
}

bool request_has_record(const struct aiocb *block)
{
	int mark = LOAD(block->__policy);

	return mark == NOT_OVER || mark == KNOWN_OVER;
}

void request_learn(const struct aiocb *block, enum call_id call)
{
	bool takes = call == CALL_aio_return;
	uint32_t number = (uint32_t)LOAD(block->__abs_prio), mark = (uint32_t)LOAD(block->__policy);
	uint64_t word = record_word(number, mark);
	const struct record_request q = {.number = number, .call = (uint8_t)call, .fd = block->aio_fildes};
	int error = LOAD(block->__error_code);

	if (!record_on || !number || (mark != NOT_OVER && !(takes && mark == KNOWN_OVER)))
		return;
	/* Others may do the same, and the block be another request's by then. */
	if (__atomic_compare_exchange_n(recorded_as(block), &word, takes ? 0 : record_word(number, KNOWN_OVER), false,
					__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		record_request(&q, takes ? TRACE_REQUEST_COLLECTED : TRACE_REQUEST_SEEN, error ? -error : block->__return_value);
}

long request_futex(const uint32_t *word, int operation, uint32_t value, const struct timespec *end)
{
	return sys(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, end, NULL, FUTEX_BITSET_MATCH_ANY);
}

/* In this order: whoever wakes others for what came before changes `done` after it has seen them watch.  */
uint32_t requests_watch(void)
{
	uint32_t done = __atomic_load_n(&requests_there()->done, __ATOMIC_SEQ_CST);

	__atomic_store_n(&requests_there()->watched, true, __ATOMIC_SEQ_CST);
	return done;
}

void requests_doze(void)
{
	const struct timespec moment = {.tv_nsec = 100000};

	request_futex(&requests_there()->done, FUTEX_WAIT, requests_watch(), &moment);
}

/* As libc waits: a handler with SA_RESTART ends it only where there is an end.  */
long requests_wait(uint32_t done, const struct timespec *end)
{
	int type = cancel_open();
	long result = request_futex(&requests_there()->done, FUTEX_WAIT_BITSET, done, end);

	cancel_close(type);
	return result;
}

long request_wait_group(const struct request *group)
{
	uint32_t left;
	long result = 0;

	while (result != -EINTR && (left = __atomic_load_n(&group->pending, __ATOMIC_ACQUIRE)) > 1)
		result = request_futex(&group->pending, FUTEX_WAIT, left, NULL);
	return result == -EINTR ? result : 0;
}

/* Once, until somebody watches again: whoever is about to run need not be woken for what is done meanwhile.  */
void requests_wake(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&requests_there()->watched, __ATOMIC_SEQ_CST) ||
	    !__atomic_exchange_n(&requests_there()->watched, false, __ATOMIC_SEQ_CST))
		return;
	__atomic_add_fetch(&requests_there()->done, 1, __ATOMIC_SEQ_CST);
	request_futex(&requests_there()->done, FUTEX_WAKE, INT_MAX, NULL);
}

/* A handler that asks after its request may run before the engine is back from telling it.  */
void request_await_notice(const struct aiocb *block)
{
	enum request_state state;

	while (request_of(block, &state) && state == REQUEST_NOTIFYING)
		requests_doze();
}

/* The thread of a SIGEV_THREAD blocks no signal, as libc's.  */
static void *run_notice(void *arg)
{
	struct request *r = arg;
	struct notice n = r->notice;
	uint64_t none = 0;

	request_free(r);
	if (n.of.number)
		record_notified(&n.of, clock_ticks(), true);
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
	n.function(n.value);
	return NULL;
}

static long start_thread(const struct notice *n)
{
	struct request *r = request_take();
	pthread_attr_t detached;
	pthread_t thread;
	int error;

	if (!r)
		return -EAGAIN;
	r->notice = *n;
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	error = libc.pthread_create(&thread, n->attributes ? n->attributes : &detached, run_notice, r);
	if (error)
		request_free(r);
	/* libc takes no notice of it. */
	return 0;
}

static long queue_signal(const struct notice *n)
{
	siginfo_t info;

	memset(&info, 0, sizeof info);
	info.si_signo = n->signal;
	info.si_code = SI_ASYNCIO;
	info.si_pid = (pid_t)sys(SYS_getpid);
	info.si_uid = (uid_t)sys(SYS_getuid);
	info.si_value = n->value;
	/* First, for whoever gets it may end the process. */
	if (n->of.number)
		record_notified(&n->of, clock_ticks(), false);
	return sys(SYS_rt_sigqueueinfo, info.si_pid, n->signal, &info);
}

long notice_give(const struct notice *n)
{
	switch (n->how) {
	case SIGEV_THREAD: return start_thread(n);
	case SIGEV_SIGNAL: return queue_signal(n);
	default: return 0;
	}
}

void request_make_group(struct request *r)
{
	set_state(r, REQUEST_GROUP);
}

void request_leave_group(struct request *group, bool failed)
{
	struct notice notice = group->notice;
	bool waits = group->waits;
	uint32_t left;

	if (failed)
		__atomic_store_n(&group->failed, true, __ATOMIC_RELAXED);
	left = __atomic_sub_fetch(&group->pending, 1, __ATOMIC_ACQ_REL);
	if (left == 1 && waits)
		request_futex(&group->pending, FUTEX_WAKE, INT_MAX, NULL);
	if (left == 0) {
		request_free(group);
		notice_give(&notice);
	}
}

/* The error last: from then on the block is the program's.  */
static void tell(struct aiocb *block, long result)
{
	block->__return_value = result < 0 ? -1 : result;
	__atomic_store_n(&block->__error_code, result < 0 ? (int)-result : 0, __ATOMIC_SEQ_CST);
}

/* Whom nobody can tell finds that in the block, as with libc.  */
static void give_notice(struct aiocb *block, const struct notice *notice)
{
	long error = notice_give(notice);

	if (error < 0)
		tell(block, error);
}

static bool is_active_write(const struct request *r)
{
	return r->operation != LIO_READ && !r->on_stream;
}

void request_submit(struct request *r)
{
	if (is_active_write(r))
		__atomic_add_fetch(&requests_there()->active_writes, 1, __ATOMIC_SEQ_CST);
	set_state(r, REQUEST_QUEUED);
}

static void count_out(const struct request *r)
{
	if (is_active_write(r))
		__atomic_sub_fetch(&requests_there()->active_writes, 1, __ATOMIC_SEQ_CST);
}

/* Before anybody can know.  */
static void record_end(const struct request *r, long result)
{
	if (r->notice.of.number)
		record_completed(&r->notice.of, r->since, result);
}

/* It is recorded as having failed so.  */
void request_withdraw(struct request *r)
{
	count_out(r);
	record_end(r, -EAGAIN);
	request_free(r);
}

void request_begin(struct request *r)
{
	set_state(r, REQUEST_RUNNING);
	if (r->notice.of.number)
		r->since = clock_ticks();
}

/* Where nobody is to be told, the block may be in use again before this returns.  */
void request_tell(struct request *r, long result)
{
	struct aiocb *block = r->block;

	count_out(r);
	record_end(r, result);
	if (r->notice.how != SIGEV_NONE)
		set_state(r, REQUEST_NOTIFYING);
	tell(block, result);
	give_notice(block, &r->notice);
	if (r->group)
		request_leave_group(r->group, result < 0);
}

void request_would_block(const struct request *r)
{
	if (r->notice.of.number)
		record_request(&r->notice.of, TRACE_REQUEST_WOULD_BLOCK, -EAGAIN);
}

void request_ready(const struct request *r)
{
	if (r->notice.of.number)
		record_request(&r->notice.of, TRACE_REQUEST_READY, 0);
}
