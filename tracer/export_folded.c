/* export_folded.c - where it waited, as the stacks that flame graphs are drawn from: "command;thread;call;fd N", N in microseconds.
 *
 * Waits alone: what a program computes, others tell better.  The time of a poll is that of the fd that ended it, if it was one;
 * so the sum of all lines is the time that all threads together waited.  */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "hash.h"
#include "line.h"
#include "model.h"
#include "say.h"
#include "shim/text.h"

#define SEVERAL (MODEL_NO_FD - 1)       /* fds, at once */
#define LOCK 256u                       /* in place of a call, whatever function waited for it */

/* What one thread waited for in one kind of call on one fd.  */
struct wait {
	const struct model_process *process;
	uint32_t tid;
	unsigned call;
	size_t fd;
	uint64_t ns;
	struct wait *next;              /* with the same hash */
};

/* A thread's last poll: for whom it was is told after it.  */
struct poll {
	const struct model_process *process;
	uint32_t tid;
	unsigned call;
	size_t fd;
	uint64_t start_ns, end_ns;
	struct poll *next;
};

enum { TABLE = 4096 };

struct folded {
	struct wait *waits[TABLE];
	struct poll *polls[TABLE];
	size_t count;
};

struct stack {
	char *text;
	uint64_t ns;
};

static size_t hash(const struct model_process *p, uint32_t tid, unsigned call, size_t fd)
{
	return hash_numbers((const uint64_t[]){(uintptr_t)p, tid, call, fd}, 4) % TABLE;
}

static void add(struct folded *f, const struct model_process *p, uint32_t tid, unsigned call, size_t fd, uint64_t ns)
{
	struct wait **first = &f->waits[hash(p, tid, call, fd)], *w;

	for (w = *first; w; w = w->next) {
		if (w->process == p && w->tid == tid && w->call == call && w->fd == fd) {
			w->ns += ns;
			return;
		}
	}
	w = must_have(malloc(sizeof *w));
	*w = (struct wait){p, tid, call, fd, ns, *first};
	*first = w;
	f->count++;
}

static struct poll *find_poll(struct folded *f, const struct model_process *process, uint32_t tid)
{
	struct poll **first = &f->polls[hash(process, tid, 0, 0)], *p;

	for (p = *first; p; p = p->next)
		if (p->process == process && p->tid == tid)
			return p;
	p = must_have(calloc(1, sizeof *p));
	*p = (struct poll){.process = process, .tid = tid, .next = *first};
	*first = p;
	return p;
}

static void add_poll(struct folded *f, const struct poll *p)
{
	if (p->end_ns > p->start_ns)
		add(f, p->process, p->tid, p->call, p->fd, p->end_ns - p->start_ns);
}

static void see(const struct model_wait *wait, void *arg)
{
	struct folded *f = arg;
	struct poll *p;

	if (wait->direction != DIRECTION_POLL || wait->left) {
		add(f, wait->process, wait->tid, wait->direction == DIRECTION_LOCK && wait->call == CALL_none ? LOCK : wait->call, wait->fd,
		    wait->end_ns - wait->start_ns);
		return;
	}
	p = find_poll(f, wait->process, wait->tid);
	if (!wait->polled) {
		add_poll(f, p);
		p->call = wait->call;
		p->start_ns = wait->start_ns;
		p->end_ns = wait->end_ns;
		/* Of an epoll fd, what it waited for is more to the point. */
		p->fd = MODEL_NO_FD;
	} else if (wait->start_ns == p->start_ns) {
		p->fd = p->fd == MODEL_NO_FD ? wait->fd : SEVERAL;
	}
}

/* One frame, and what divides it from the next.  */
static void frame(struct text *t, const char *s, char divider)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n;) {
		if (s[i] == ';') {
			text_literal(t, "\\x3b");
			i++;
		} else {
			i += line_escape(t, s + i, n - i);
		}
	}
	text_char(t, divider);
}

static int by_tid(const void *tid, const void *thread)
{
	uint32_t x = *(const uint32_t *)tid, y = ((const struct model_thread *)thread)->tid;

	return x < y ? -1 : x > y;
}

static const char *thread_name(const struct model_process *p, uint32_t tid)
{
	const struct model_thread *t = bsearch(&tid, p->threads, p->thread_count, sizeof *t, by_tid);

	return t && *t->name ? t->name : "thread";
}

static void fd_frame(struct text *t, const struct wait *w)
{
	const struct model_fd *f = w->fd >= w->process->fd_count ? NULL : &w->process->fds[w->fd];
	char name[600];

	if (!f && w->fd != SEVERAL)
		return;
	t->at[-1] = ';';
	if (!f)
		snprintf(name, sizeof name, "several fds");
	else if (f->many)
		snprintf(name, sizeof name, "more fds %s", f->name);
	else
		snprintf(name, sizeof name, "fd %d %s", f->fd, f->name ? f->name : "?");
	frame(t, name, ' ');
}

static char *text_of(const struct wait *w)
{
	char text[4 * (TRACE_COMMAND_SIZE + 800)];
	struct text t = {text, text + sizeof text - 1};

	frame(&t, model_short_command(w->process), ';');
	frame(&t, thread_name(w->process, w->tid), ';');
	frame(&t, w->call == LOCK ? "lock" : model_call_name(w->call), ' ');
	fd_frame(&t, w);
	*t.at = 0;
	return must_have(strdup(text));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct stack *)a)->text, ((const struct stack *)b)->text);
}

/* What looks alike is one line.  */
static void print_stacks(struct stack *stacks, size_t count, FILE *to)
{
	uint64_t ns = 0;

	if (count)
		qsort(stacks, count, sizeof *stacks, by_text);
	for (size_t i = 0; i < count; i++) {
		ns += stacks[i].ns;
		if (i + 1 < count && !strcmp(stacks[i].text, stacks[i + 1].text))
			continue;
		if (ns >= 500)
			fprintf(to, "%s%" PRIu64 "\n", stacks[i].text, (ns + 500) / 1000);
		ns = 0;
	}
}

static void free_all(struct folded *f, struct stack *stacks)
{
	for (size_t i = 0; i < TABLE; i++) {
		for (struct wait *w = f->waits[i], *next; w; w = next) {
			next = w->next;
			free(w);
		}
		for (struct poll *p = f->polls[i], *next; p; p = next) {
			next = p->next;
			free(p);
		}
	}
	for (size_t i = 0; i < f->count; i++)
		free(stacks[i].text);
	free(stacks);
	free(f);
}

void folded_print(struct trace *t, FILE *to)
{
	struct folded *f = must_have(calloc(1, sizeof *f));
	struct model *m = model_build(t, see, f);
	struct stack *stacks;
	size_t count = 0;

	for (size_t i = 0; i < TABLE; i++)
		for (const struct poll *p = f->polls[i]; p; p = p->next)
			add_poll(f, p);
	stacks = must_have(calloc(f->count + 1, sizeof *stacks));
	for (size_t i = 0; i < TABLE; i++)
		for (const struct wait *w = f->waits[i]; w; w = w->next)
			stacks[count++] = (struct stack){text_of(w), w->ns};
	print_stacks(stacks, count, to);
	free_all(f, stacks);
	model_free(m);
}
