/* rows.c - from live.c's processes, threads and fds to rows.  */
#include "rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "screen.h"
#include "shim/shim.h"
#include "shim/sys.h"
#include "stalls.h"

enum { TEXT_SIZE = 256 };

const char *rows_by_name(enum rows_by by)
{
	static const char *const names[] = {[BY_PROCESS] = "process", [BY_THREAD] = "thread", [BY_FD] = "fd"};

	return names[by];
}

const char *rows_order_name(enum rows_order order)
{
	static const char *const names[] = {
		[ORDER_WAIT] = "wait", [ORDER_CALLS] = "calls", [ORDER_BYTES] = "bytes", [ORDER_WOULD_BLOCK] = "would block",
		[ORDER_STALL] = "stalled", [ORDER_CPU] = "CPU", [ORDER_NUMBER] = "number",
	};

	return names[order];
}

static struct row *add_row(struct rows *t, const struct live_process *p)
{
	if (t->count == t->room) {
		t->room = t->room ? t->room * 2 : 64;
		t->rows = must_have(realloc(t->rows, t->room * sizeof *t->rows));
	}
	t->rows[t->count] = (struct row){.process = p, .cpu = -1, .wait.fd = -1};
	return &t->rows[t->count++];
}

/* Whether it says more of its process than the other: the longest, but a thread that waits for a thread is seldom the reason.  */
static bool is_rather(const struct live_wait *w, const struct live_wait *than)
{
	if ((w->call == CALL_none) != (than->call == CALL_none))
		return w->call != CALL_none;
	return w->ns > than->ns;
}

static void add_thread(const struct rows *t, struct row *r, const struct live_thread *thread, const struct live_wait *w)
{
	uint64_t away_ns = live_away(t->live, r->process, thread);

	if (away_ns > r->away_ns)
		r->away_ns = away_ns;
	if (w->waits && (!r->wait.waits || is_rather(w, &r->wait)))
		r->wait = *w;
	r->waiting += w->waits;
	r->runs |= thread->runs;
	r->stopped |= thread->state == 'T' || thread->state == 't';
}

static void add_process(struct rows *t, const struct live_process *p)
{
	struct row *r = add_row(t, p);

	r->use = p->use;
	r->cpu = p->cpu;
	for (size_t i = 0; i < p->thread_count; i++) {
		struct live_wait w = live_wait(t->live, &p->threads[i]);

		add_thread(t, r, &p->threads[i], &w);
	}
}

static void add_threads(struct rows *t, const struct live_process *p)
{
	for (size_t i = 0; p->runs && i < p->thread_count; i++) {
		struct live_wait w = live_wait(t->live, &p->threads[i]);
		struct row *r = add_row(t, p);

		r->thread = &p->threads[i];
		r->use = r->thread->use;
		r->cpu = r->thread->cpu;
		add_thread(t, r, r->thread, &w);
	}
}

/* Those that were ever used, or are waited for.  */
static void add_fds(struct rows *t, const struct live_process *p)
{
	size_t *rows = must_have(calloc(p->fds.room + 1, sizeof *rows));        /* of each fd: index + 1 */

	for (size_t i = 0; p->runs && i < p->fds.room; i++) {
		const struct live_fd *f = p->fds.slots[i];
		struct row *r;

		if (!f || (!f->open && !f->use.calls) || (!f->fd.calls && !f->use.waited_ns))
			continue;
		r = add_row(t, p);
		r->fd = f;
		r->use = f->use;
		rows[i] = t->count;
	}
	for (size_t i = 0; i < p->thread_count; i++) {
		struct live_wait w = live_wait(t->live, &p->threads[i]);

		if (w.fd >= 0 && (size_t)w.fd < p->fds.room && rows[w.fd])
			add_thread(t, &t->rows[rows[w.fd] - 1], &p->threads[i], &w);
	}
	free(rows);
}

uint32_t rows_number(const struct row *row)
{
	return row->thread ? row->thread->tid : row->process->pid;
}

static uint64_t rank(const struct row *row, enum rows_order order)
{
	switch (order) {
	case ORDER_WAIT: return row->wait.waits ? row->wait.ns : 0;
	case ORDER_CALLS: return row->use.calls;
	case ORDER_BYTES: return row->use.bytes;
	case ORDER_WOULD_BLOCK: return row->use.would_block;
	case ORDER_STALL: return row->use.stalled_ns + row->away_ns;
	case ORDER_CPU: return row->cpu > 0 ? (uint64_t)(row->cpu * 1e6) : 0;
	default: return 0;
	}
}

static int by_rank(const void *a, const void *b, void *rows)
{
	const struct row *x = a, *y = b;
	const struct rows *t = rows;
	uint64_t m = rank(x, t->order), n = rank(y, t->order);

	if (x->process->runs != y->process->runs)
		return x->process->runs ? -1 : 1;
	if (m != n)
		return m > n ? -1 : 1;
	if (rows_number(x) != rows_number(y))
		return rows_number(x) < rows_number(y) ? -1 : 1;
	return x->fd && y->fd ? x->fd->fd.fd - y->fd->fd.fd : 0;
}

void rows_make(struct rows *t)
{
	t->count = 0;
	for (size_t i = 0; i < t->live->count; i++) {
		const struct live_process *p = t->live->processes[i];

		switch (t->by) {
		case BY_PROCESS: add_process(t, p); break;
		case BY_THREAD: add_threads(t, p); break;
		case BY_FD: add_fds(t, p); break;
		}
	}
	if (t->count)
		qsort_r(t->rows, t->count, sizeof *t->rows, by_rank, t);
}

/* Words.  */

static const char *command_of(const struct live_process *p)
{
	return model_short_command(&(struct model_process){.command = p->command});
}

const char *rows_name(const struct row *row)
{
	return row->thread && *row->thread->name ? row->thread->name : command_of(row->process);
}

const struct live_fd *rows_fd(const struct row *row)
{
	return row->fd ? row->fd : live_fd(row->process, row->wait.fd);
}

const struct live_process *rows_peer(const struct rows *r, const struct row *row)
{
	const struct live_fd *f = rows_fd(row);

	return f ? live_peer(r->live, row->process, f) : NULL;
}

/* Who, or what, is at the other end: "1863 gzip", "127.0.0.1:80"; "" where it is not known.  */
static void describe_peer(const struct rows *r, const struct row *row, char *text, size_t size)
{
	const struct live_process *peer = rows_peer(r, row);
	const struct live_fd *f = rows_fd(row);
	const char *arrow = f && f->fd.name ? strstr(f->fd.name, "->") : NULL;
	char program[TEXT_SIZE / 4];

	screen_text(program, sizeof program, peer ? command_of(peer) : !row->fd && arrow ? arrow + 2 : "");
	/* What else the program has been told is in its own row. */
	program[strcspn(program, " ")] = 0;
	if (peer)
		snprintf(text, size, "%" PRIu32 " %s", peer->pid, program);
	else
		snprintf(text, size, "%s", program);
}

/* Of a path that is too long, its end.  */
static void cut_path(char *name, size_t room)
{
	size_t n = strlen(name);

	if (*name == '/' && n > room && room > 3) {
		memmove(name, name + n - room, room + 1);
		name[0] = name[1] = name[2] = '.';
	}
}

/* "fd 0 <- 1863 gzip", or "fd 0 pipe:[8123]"; in its own row an fd has both.  */
static void describe_fd(const struct rows *r, const struct row *row, char *text, size_t size)
{
	const struct live_fd *f = rows_fd(row);
	char name[TEXT_SIZE / 2], peer[TEXT_SIZE / 2], number[32] = "";
	bool writes = row->wait.waits ? model_call_direction(row->wait.call) == DIRECTION_WRITE :
				      f && f->fd.bytes[DIRECTION_WRITE] > f->fd.bytes[DIRECTION_READ];
	const char *arrow = writes ? "-> " : "<- ";

	describe_peer(r, row, peer, sizeof peer);
	screen_text(name, sizeof name, f && f->fd.name ? f->fd.name : "?");
	if (!row->fd)
		snprintf(number, sizeof number, "fd %d ", row->wait.fd);
	if (size > strlen(number) + 1)
		cut_path(name, size - 1 - strlen(number));
	if (row->fd && *peer)
		snprintf(text, size, "%s %s%s", name, arrow, peer);
	else
		snprintf(text, size, "%s%s%s", number, *peer ? arrow : "", *peer ? peer : name);
}

const char *rows_call(const struct row *row)
{
	const struct live_wait *w = &row->wait;

	if (!w->waits)
		return "";
	if (w->locked || w->call != CALL_none)
		return w->locked ? stalls_lock_name(w->lock) : model_call_name(w->call);
	return w->in->name ? w->in->name : w->in->place;
}

static void describe_lock(const struct live_wait *w, char *text, size_t size)
{
	static const char *const words[] = {
#define X(id, name, what) what,
		TRACE_LOCKS(X)
#undef X
	};
	const char *lock = w->lock < TRACE_LOCK_COUNT ? words[w->lock] : "a lock";

	if (w->holder > 0)
		snprintf(text, size, "waits for %s: tid %d", lock, w->holder);
	else
		snprintf(text, size, "waits for %s", lock);
}

/* The call, and what it is for.  */
static void describe_wait(const struct rows *r, const struct row *row, char *text, size_t size)
{
	const struct live_wait *w = &row->wait;
	const char *name = model_call_name(w->call);
	char what[TEXT_SIZE] = "";

	if (w->locked) {
		describe_lock(w, text, size);
		return;
	}
	if (w->fd >= 0 && size > strlen(name) + 1)
		describe_fd(r, row, what, size - strlen(name) - 1);
	switch (w->call == CALL_none ? OP_COLUMNS : model_call_class(w->call)) {
	case OP_POLL:
		if (w->in->number == SYS_poll || w->in->number == SYS_ppoll)
			snprintf(text, size, "%s of %ld fd%s", name, w->in->arg[1], w->in->arg[1] == 1 ? "" : "s");
		else
			snprintf(text, size, "%s", name);
		break;
	case OP_WAIT:
		if (w->in->number == SYS_wait4 && w->in->arg[0] > 0 && w->in->arg[0] <= INT32_MAX)
			snprintf(text, size, "%s for %ld", name, w->in->arg[0]);
		else
			snprintf(text, size, "%s for a child", name);
		break;
	case OP_TIME:
		snprintf(text, size, "sleeps");
		break;
	default:
		if (w->call != CALL_none)
			snprintf(text, size, "%s%s%s", name, *what ? " " : "", what);
		else if (w->in->name)
			snprintf(text, size, "%s", w->in->name);
		else if (w->in->known)
			snprintf(text, size, "system call %ld", w->in->number);
		else
			snprintf(text, size, "in the kernel: %s", w->in->place);
	}
}

const char *rows_state(const struct row *row)
{
	if (!row->process->runs)
		return "ended";
	if (row->stopped)
		return "stopped";
	return row->wait.waits ? "waits" : row->runs ? "runs" : "unknown";
}

void rows_describe(const struct rows *r, const struct row *row, char *text, size_t size)
{
	size_t n;

	if (!row->process->runs && row->process->exit_status >= 0)
		snprintf(text, size, "ended with status %d", row->process->exit_status);
	else if (!row->process->runs || row->stopped)
		snprintf(text, size, "%s", rows_state(row));
	else if (row->process->became)
		snprintf(text, size, "is another program, not seen");
	else if (row->fd && !row->wait.waits)
		describe_fd(r, row, text, size);
	else if (row->wait.waits)
		describe_wait(r, row, text, size);
	else if (row->away_ns)
		snprintf(text, size, "runs, no poll for %.*f %s", row->away_ns < 1000000000 ? 0 : 1,
			 (double)row->away_ns / (row->away_ns < 1000000000 ? 1e6 : 1e9), row->away_ns < 1000000000 ? "ms" : "s");
	else
		snprintf(text, size, "%s", row->runs ? "runs" : "not known");
	n = strlen(text);
	if (row->waiting > 1 && n < size)
		snprintf(text + n, size - n, ", and %zu more", row->waiting - 1);
}
