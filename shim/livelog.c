/* livelog.c - EAGAIN_LOG: formats events as lines and appends them to the log.
 *
 * No fd is kept that the program could close or cover: the file is opened for each line.  That costs some microseconds, and
 * the live log is for people who look; a trace is for measuring.  The clock is CLOCK_MONOTONIC unless a trace is written, too;
 * an operation's lines come as they happen, its `enter` together with its EWOULDBLOCK.  */
#include "livelog.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "config.h"
#include "fdname.h"
#include "fds.h"
#include "init.h"
#include "op.h"
#include "sys.h"
#include "tracefile.h"
#include "tracer/line.h"

static const char *const call_names[] = {
#define CALL(id, name, wait, class, number) name,
#include "calls.def"
#undef CALL
};

static const char *const kind_names[] = {
#define X(id, name) name,
	TRACE_KINDS(X)
#undef X
};

static const char *const lock_names[] = {
#define X(id, name, words) name,
	TRACE_LOCKS(X)
#undef X
};

static const char *const loop_names[] = {
#define X(id, name) name,
	TRACE_LOOPS(X)
#undef X
};

static const char *const way_names[] = {
#define X(id, name) name,
	TRACE_WAYS(X)
#undef X
};

/* A closed pipe and RLIMIT_FSIZE raise signals, which the program has done nothing to deserve.  */
static void write_quietly(long fd, const char *text, size_t size)
{
	const struct timespec none = {0};
	const uint64_t ours = 1ull << (SIGPIPE - 1) | 1ull << (SIGXFSZ - 1);
	uint64_t old, pending = 0, raised;
	long result;

	sys(SYS_rt_sigprocmask, SIG_BLOCK, &ours, &old, sizeof old);
	sys(SYS_rt_sigpending, &pending, sizeof pending);
	result = sys(SYS_write, fd, text, size);
	raised = result == -EPIPE ? 1ull << (SIGPIPE - 1) : result == -EFBIG ? 1ull << (SIGXFSZ - 1) : 0;
	if (raised & ~pending)
		sys(SYS_rt_sigtimedwait, &raised, NULL, &none, sizeof raised);
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old);
}

static void append(const char *text, size_t size)
{
	bool to_stderr = config.log[0] == '-' && !config.log[1];
	long fd = 2;

	if (!to_stderr)
		fd = sys(SYS_openat, AT_FDCWD, config.log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0)
		return;
	write_quietly(fd, text, size);
	if (!to_stderr)
		sys(SYS_close, fd);
}

/* The name stands for the fd as it is now; not after it was closed.  */
static size_t name_of(const struct trace_record *e, char *name, size_t size)
{
	struct fd_facts facts = {0};

	if (e->fd < 0 || e->kind == TRACE_CLOSE || e->kind == TRACE_LOCK || tracefile_thread.has_own_fds)
		return 0;
	return fd_name(e->fd, HINT_KIND(fds_peek(e->fd)), &facts, name, size);
}

static void write_line(struct line *l, const char *event, uint64_t t)
{
	char buffer[640];

	l->event = event;
	l->t_ns = t;
	append(buffer, line_format(buffer, sizeof buffer, l));
}

static void tell_lock(struct line *l, const struct trace_record *e)
{
	l->is_lock = true;
	l->call = lock_names[e->way];
	l->address = (uint64_t)e->number;
	l->holder = e->fd;
	l->fd = -1;
}

static void tell_away(struct line *l, const struct trace_record *e)
{
	l->loop = loop_names[e->way];
	l->cpu_ns = (uint64_t)e->number;
	memcpy(&l->away, (const char *)&e[1] + 1, sizeof l->away);
	l->way = NULL;
}

static void tell_request(struct line *l, const struct trace_record *e, uint64_t now)
{
	struct trace_request_more more = {0};

	if (e->way == TRACE_REQUEST_SUBMITTED)
		memcpy(&more, (const char *)&e[1] + 1, sizeof more);
	l->has_duration = clock_source == CLOCK_NANOSECONDS && e->way == TRACE_REQUEST_SUBMITTED;
	l->duration_ns = e->lead;
	l->ran_ns = clock_source == CLOCK_NANOSECONDS && e->way == TRACE_REQUEST_COMPLETED ? e->lead : 0;
	write_line(l, line_request(l, e, &more), now);
	if (e->way != TRACE_REQUEST_SUBMITTED || !(e->flags & TRACE_REQUEST_BLOCKS))
		return;
	l->submits = l->has_duration = false;
	l->has_result = true;
	l->result = -EAGAIN;
	write_line(l, kind_names[TRACE_WOULD_BLOCK], now);
}

void livelog_event(const struct trace_record *e)
{
	char name[120];
	uint64_t now = clock_ns() - config.log_start_ns;
	bool result = e->kind == TRACE_CALL || e->kind == TRACE_RETURN;
	struct line l = {
		.pid = (uint32_t)sys(SYS_getpid), .tid = (uint32_t)sys(SYS_gettid),
		.call = e->call ? call_names[e->call] : NULL, .fd = e->fd, .name = name,
		.has_result = result, .result = result ? e->result : 0,
		.is_keep = e->kind == TRACE_KEEP, .keep = e->op,
		.way = e->call && e->kind != TRACE_KEEP ? way_names[e->way] : NULL, .asked = e->flags & TRACE_ASKED, .shielded = e->flags & TRACE_SHIELD,
	};

	if (shim_sandboxed || e->kind == TRACE_USAGE)
		return;
	line_flags(&l, e, op_class_of(e->call) == OP_POLL || op_class_of(e->call) == OP_SELECT);
	if (e->kind == TRACE_WATCH)
		l.ready = e->lead & EPOLLOUT ? "read,write" : "read";
	l.name_size = name_of(e, name, sizeof name);
	if (e->kind == TRACE_REQUEST) {
		tell_request(&l, e, now);
		return;
	}
	if (e->kind == TRACE_WOULD_BLOCK || e->kind == TRACE_PARK || e->kind == TRACE_READY || e->kind == TRACE_RETURN)
		l.op = e->op;
	if (e->kind == TRACE_WOULD_BLOCK) {
		write_line(&l, "enter", now);
		l.has_result = true;
		l.result = -EAGAIN;
	}
	l.ended = e->kind == TRACE_REAP;
	l.status = l.ended ? (int)e->duration : 0;
	if (e->kind == TRACE_FORK || e->kind == TRACE_REAP || e->kind == TRACE_EXIT || e->kind == TRACE_DUP ||
	    e->kind == TRACE_KEEP) {
		l.has_result = true;
		l.result = e->number;
	}
	if (e->kind == TRACE_EXEC && (e->number || e->op)) {
		l.has_result = true;
		l.result = e->number ? e->number : e->op;
	}
	if (e->kind == TRACE_LOCK)
		tell_lock(&l, e);
	else if (e->kind == TRACE_AWAY)
		tell_away(&l, e);
	if (e->kind == TRACE_CALL || e->kind == TRACE_LOCK || e->kind == TRACE_AWAY) {
		/* Without a trace the clock counts nanoseconds. */
		l.has_duration = clock_source == CLOCK_NANOSECONDS;
		l.duration_ns = e->duration;
	}
	write_line(&l, kind_names[e->kind], now);
}
