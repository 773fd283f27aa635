/* queue.c - lists by fd, of what has not ended; one of what can begin; and for each request, of those that it holds up.  */
#include "queue.h"

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

/* Whether r, which arrived after q, must not begin before q is over.  */
static bool are_ordered(const struct request *q, const struct request *r)
{
	if (request_syncs(q) || q->fd != r->fd)
		return false;
	if (request_syncs(r))
		return true;
	if (q->operation != r->operation && overlap((uintptr_t)q->buffer, q->size, (uintptr_t)r->buffer, r->size))
		return true;
	if (q->on_stream)
		return q->operation == r->operation;
	if (q->operation == LIO_READ && r->operation == LIO_READ)
		return false;
	if (q->appends || r->appends || (q->buffered && r->buffered))
		return true;
	return overlap((uint64_t)q->offset, q->size, (uint64_t)r->offset, r->size);
}

/* Whether q is to be over before r begins; `later`: q arrived after r.  */
static bool goes_first(const struct request *q, const struct request *r, bool later)
{
	if (!(later ? are_ordered(r, q) : are_ordered(q, r)))
		return false;
	if (q->ready)
		return true;
	return later ? !request_syncs(q) && q->priority > r->priority : request_syncs(r) || q->priority >= r->priority;
}

static unsigned list_of(int fd)
{
	return (unsigned)fd % QUEUE_LISTS;
}

/* One that has to be over before r begins, the newest; NULL: there is none.  Later ones come into question only where priorities
 * were used.  */
static struct request *blocker_of(const struct queue *q, const struct request *r)
{
	struct request *other;

	if (r->operation == LIO_READ && !r->on_stream && requests_are_quiet())
		return NULL;
	for (other = q->has_priorities ? q->list[list_of(r->fd)].last : NULL; other && other != r; other = other->before)
		if (goes_first(other, r, true))
			return other;
	for (other = r->before; other; other = other->before)
		if (goes_first(other, r, false))
			return other;
	return NULL;
}

static struct queue_ready *ready_of(struct queue *q, const struct request *r)
{
	return r->on_stream ? &q->ready_streams : &q->ready;
}

static void make_ready(struct queue *q, struct request *r)
{
	struct queue_ready *ready = ready_of(q, r);

	r->ready = true;
	r->next_ready = NULL;
	STORE(*(ready->first ? &ready->last->next_ready : &ready->first), r);
	ready->last = r;
	ready->count++;
}

static void hold(struct request *r, struct request *blocker)
{
	r->blocker = blocker;
	r->next_ready = blocker->held;
	blocker->held = r;
}

static void hold_or_make_ready(struct queue *q, struct request *r)
{
	struct request *blocker = blocker_of(q, r);

	if (blocker)
		hold(r, blocker);
	else
		make_ready(q, r);
}

static void count(struct queue *q, const struct request *r, unsigned change)
{
	unsigned *number = r->on_stream ? &q->streams : &q->files;

	__atomic_store_n(number, *number + change, __ATOMIC_RELEASE);
}

void queue_add(struct queue *q, struct request *r)
{
	unsigned i = list_of(r->fd);

	r->ready = r->over = false;
	r->held = NULL;
	r->after = NULL;
	r->before = q->list[i].last;
	*(r->before ? &r->before->after : &q->list[i].first) = r;
	q->list[i].last = r;
	count(q, r, 1);
	q->has_priorities |= r->priority != 0;
	hold_or_make_ready(q, r);
}

bool queue_add_behind(struct queue *q, struct request *r)
{
	r->before = q->list[list_of(r->fd)].last;
	if (!blocker_of(q, r))
		return false;
	queue_add(q, r);
	return true;
}

void queue_leave(struct request *r)
{
	r->over = true;
}

/* Those that it held look for another that holds them.  */
void queue_release(struct queue *q, struct request *r)
{
	unsigned i = list_of(r->fd);
	struct request *next;

	*(r->before ? &r->before->after : &q->list[i].first) = r->after;
	*(r->after ? &r->after->before : &q->list[i].last) = r->before;
	count(q, r, -1u);
	for (struct request *held = r->held; held; held = next) {
		next = held->next_ready;
		hold_or_make_ready(q, held);
	}
	r->held = NULL;
}

void queue_end(struct queue *q, struct request *r)
{
	queue_leave(r);
	queue_release(q, r);
}

static struct request *pop(struct queue_ready *ready)
{
	struct request *r = ready->first;

	STORE(ready->first, r->next_ready);
	ready->count--;
	return r;
}

struct request *queue_take(struct queue_ready *ready)
{
	struct request *r;

	if (!ready->first)
		return NULL;
	r = pop(ready);
	request_begin(r);
	return r;
}

bool queue_has(const struct queue *q, int fd)
{
	const struct request *r = q->list[list_of(fd)].first;

	while (r && r->fd != fd)
		r = r->after;
	return r;
}

static void take_out_ready(struct queue *q, const struct request *r)
{
	struct queue_ready *ready = ready_of(q, r);

	for (unsigned n = ready->count; n; n--) {
		struct request *other = pop(ready);

		if (other != r)
			make_ready(q, other);
	}
}

static void take_out_held(const struct request *r)
{
	struct request **held = &r->blocker->held;

	while (*held != r)
		held = &(*held)->next_ready;
	*held = r->next_ready;
}

struct request *queue_withdraw(struct queue *q, int fd, const struct aiocb *block, bool *begun)
{
	struct request *first = NULL, **last = &first;

	*begun = false;
	for (struct request *r = q->list[list_of(fd)].first; r; r = r->after) {
		if (r->fd != fd || r->over || (block && r->block != block))
			continue;
		if (request_state(r->word) != REQUEST_QUEUED) {
			*begun = true;
			continue;
		}
		if (r->ready)
			take_out_ready(q, r);
		else
			take_out_held(r);
		queue_leave(r);
		r->next_ready = NULL;
		*last = r;
		last = &r->next_ready;
	}
	return first;
}
