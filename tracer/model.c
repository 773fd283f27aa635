/* model.c - from records to processes and fds.  One pass over each process file; operations are put together by their number.  */
#include "model.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "shim/shim.h"

static const struct {
	const char *name;
	enum direction direction;
} calls[] = {
#define CALL(id, name, direction) {name, DIRECTION_##direction},
#include "shim/calls.def"
#undef CALL
};

static const char *const kinds[] = {
#define KIND(id, name) name,
#include "shim/kinds.def"
#undef KIND
};

const char *model_kind_name(unsigned kind)
{
	return kind < KIND_COUNT ? kinds[kind] : "unknown";
}

const char *model_call_name(unsigned call)
{
	return call < sizeof calls / sizeof *calls ? calls[call].name : "unknown";
}

enum direction model_call_direction(unsigned call)
{
	return call < sizeof calls / sizeof *calls ? calls[call].direction : DIRECTION_NONE;
}

/* An operation that would block, on its way from WOULD_BLOCK to RETURN.  */
struct open_op {
	uint32_t number;                /* 0: free */
	uint64_t parked;                /* ticks */
	size_t fd;                      /* index */
	enum direction direction;
};

struct build {
	const struct trace *trace;
	struct model_process *process;
	struct open_op *ops;
	size_t op_count;
	uint64_t first, last;           /* ticks */
};

static struct model_fd *new_fd(struct model_process *p, int fd)
{
	if (p->fd_count == p->fd_room) {
		p->fd_room = p->fd_room ? p->fd_room * 2 : 8;
		p->fds = must_have(realloc(p->fds, p->fd_room * sizeof *p->fds));
	}
	memset(&p->fds[p->fd_count], 0, sizeof *p->fds);
	p->fds[p->fd_count].fd = fd;
	p->fds[p->fd_count].access = O_ACCMODE;
	return &p->fds[p->fd_count++];
}

/* What fd means now; the number is all that is known where its NAME was lost.  */
static struct model_fd *find_fd(struct model_process *p, int fd)
{
	for (size_t i = p->fd_count; i-- > 0;)
		if (p->fds[i].fd == fd)
			return &p->fds[i];
	return new_fd(p, fd);
}

static void name_fd(struct build *b, const struct trace_record *r, size_t rest)
{
	char text[512];
	struct model_fd *f = NULL;

	reader_text(r, rest, text, sizeof text);
	for (size_t i = b->process->fd_count; i-- > 0 && !f;)
		if (b->process->fds[i].fd == r->fd)
			f = &b->process->fds[i];
	/* The recording repeats names where its ring has come round. */
	if (f && f->name && !strcmp(f->name, text) && f->inode == r->inode)
		return;
	if (!f || f->name)
		f = new_fd(b->process, r->fd);
	f->name = must_have(strdup(text));
	f->kind = r->fd_kind;
	f->access = r->access;
	f->inode = r->inode;
}

static struct open_op *find_op(struct build *b, uint32_t number)
{
	for (size_t i = b->op_count; i-- > 0;)
		if (b->ops[i].number == number)
			return &b->ops[i];
	return NULL;
}

static struct open_op *new_op(struct build *b, uint32_t number)
{
	struct open_op *op = find_op(b, 0);

	if (!op) {
		b->ops = must_have(realloc(b->ops, (b->op_count + 1) * sizeof *b->ops));
		op = &b->ops[b->op_count++];
	}
	memset(op, 0, sizeof *op);
	op->number = number;
	return op;
}

static void count_result(struct model_fd *f, enum direction d, int64_t result)
{
	if (result > 0 && d != DIRECTION_NONE)
		f->bytes[d] += (uint64_t)result;
}

static void add_wait(struct build *b, struct model_fd *f, enum direction d, uint64_t ticks)
{
	uint64_t ns = reader_duration(b->trace, ticks);

	f->wait_ns[d] += ns;
	b->process->wait_ns[d] += ns;
	if (ns > f->longest_ns)
		f->longest_ns = ns;
}

/* A plain call on something that can make one wait (accept, connect, a message call) waits for as long as it takes.  */
static bool can_wait(unsigned kind)
{
	return kind != KIND_unknown && kind != KIND_file && kind != KIND_directory && kind != KIND_block && kind != KIND_device;
}

static void see_call(struct build *b, const struct trace_record *r)
{
	struct model_fd *f = find_fd(b->process, r->fd);
	enum direction d = model_call_direction(r->call);

	f->calls++;
	if (!f->way)
		f->way = r->way;
	if (r->flags & TRACE_ASKED)
		f->would_block++;
	if (r->call != CALL_accept && r->call != CALL_accept4 && r->call != CALL_connect)
		count_result(f, d, r->result);
	if (r->way == TRACE_WAY_NONE && d != DIRECTION_NONE && can_wait(f->kind) && !(r->flags & TRACE_ASKED))
		add_wait(b, f, d, r->duration);
}

static void see_operation(struct build *b, const struct trace_record *r)
{
	struct open_op *op = find_op(b, r->op);
	struct model_fd *f;

	if (!r->op)
		return;
	if (!op) {
		op = new_op(b, r->op);
		op->fd = (size_t)(find_fd(b->process, r->fd) - b->process->fds);
		op->direction = model_call_direction(r->call);
		b->process->fds[op->fd].calls++;
	}
	f = &b->process->fds[op->fd];
	switch (r->kind) {
	case TRACE_WOULD_BLOCK:
		f->would_block++;
		if (!f->way)
			f->way = r->way;
		break;
	case TRACE_PARK:
		op->parked = r->t;
		break;
	case TRACE_READY:
	case TRACE_RETURN:
		if (op->parked && r->t > op->parked)
			add_wait(b, f, op->direction, r->t - op->parked);
		op->parked = 0;
		if (r->kind == TRACE_RETURN) {
			count_result(f, op->direction, r->result);
			op->number = 0;
		}
		break;
	default:
		break;
	}
}

static void see(const struct trace_record *r, uint32_t tid, size_t rest, void *arg)
{
	struct build *b = arg;
	uint64_t end = r->t + (r->kind == TRACE_CALL ? r->duration : 0);

	(void)tid;
	b->process->events++;
	if (!b->first || r->t < b->first)
		b->first = r->t;
	if (end > b->last)
		b->last = end;
	switch (r->kind) {
	case TRACE_NAME: name_fd(b, r, rest); break;
	case TRACE_CALL: see_call(b, r); break;
	case TRACE_WOULD_BLOCK: case TRACE_PARK: case TRACE_READY: case TRACE_RETURN: see_operation(b, r); break;
	case TRACE_EXIT: b->process->exit_status = (int)r->number; break;
	default: break;
	}
}

/* An operation without an end waited until its process, or the trace, ended.  */
static void close_operations(struct build *b)
{
	for (size_t i = 0; i < b->op_count; i++) {
		struct open_op *op = &b->ops[i];

		if (!op->number || !op->parked)
			continue;
		b->process->fds[op->fd].waiting = true;
		if (b->last > op->parked)
			add_wait(b, &b->process->fds[op->fd], op->direction, b->last - op->parked);
	}
	free(b->ops);
}

/* The arguments with spaces between them.  */
static char *command_of(const struct trace_process *h)
{
	size_t n = h->command_size < TRACE_COMMAND_SIZE ? h->command_size : TRACE_COMMAND_SIZE;
	char *s = must_have(malloc(n + 1));

	while (n && !h->command[n - 1])
		n--;
	for (size_t i = 0; i < n; i++)
		s[i] = (unsigned char)h->command[i] < ' ' || h->command[i] == 127 ? ' ' : h->command[i];
	s[n] = 0;
	return s;
}

static void build_process(struct model_process *p, const struct trace *t, const struct trace_file *f)
{
	struct build b = {.trace = t, .process = p};

	p->pid = f->header->pid;
	p->ppid = f->header->ppid;
	p->command = command_of(f->header);
	p->lost = f->header->lost_events;
	p->dropped = f->header->dropped_events;
	p->stop = f->header->stop;
	p->exit_status = -1;
	b.first = b.last = f->header->preamble.start_ticks;
	reader_each(f, see, &b);
	close_operations(&b);
	p->start_ns = reader_ns(t, b.first);
	p->end_ns = reader_ns(t, b.last);
}

struct model *model_build(const struct trace *t)
{
	struct model *m = must_have(calloc(1, sizeof *m));

	m->process_count = t->file_count;
	m->processes = must_have(calloc(t->file_count + 1, sizeof *m->processes));
	m->lost = t->control.lost_events;
	for (size_t i = 0; i < t->file_count; i++) {
		struct model_process *p = &m->processes[i];

		build_process(p, t, &t->files[i]);
		m->events += p->events;
		m->lost += p->lost;
		m->dropped += p->dropped;
		if (p->end_ns > m->wall_ns)
			m->wall_ns = p->end_ns;
	}
	return m;
}

void model_free(struct model *m)
{
	for (size_t i = 0; i < m->process_count; i++) {
		struct model_process *p = &m->processes[i];

		for (size_t k = 0; k < p->fd_count; k++)
			free(p->fds[k].name);
		free(p->fds);
		free(p->command);
	}
	free(m->processes);
	free(m);
}

/* "tcp A->B" and "tcp B->A" are the two ends of one connection.  */
static bool is_reverse(const char *a, const char *b)
{
	const char *arrow = strstr(a, "->"), *other = strstr(b, "->");
	size_t from, to;

	if (strncmp(a, "tcp ", 4) != 0 || strncmp(b, "tcp ", 4) != 0 || !arrow || !other)
		return false;
	from = (size_t)(arrow - a) - 4;
	to = strlen(arrow + 2);
	return (size_t)(other - b) - 4 == to && !strncmp(b + 4, arrow + 2, to) && strlen(other + 2) == from &&
	       !strncmp(other + 2, a + 4, from);
}

static bool is_other_end(const struct model_fd *a, const struct model_fd *b)
{
	bool reads = a->bytes[DIRECTION_READ] || a->wait_ns[DIRECTION_READ] || a->access == O_RDONLY;

	if (!a->name || !b->name)
		return false;
	if (a->kind == KIND_pipe || a->kind == KIND_fifo)
		return a->kind == b->kind && a->inode == b->inode && b->calls &&
		       (reads ? b->access == O_WRONLY : b->access == O_RDONLY);
	return a->kind == KIND_stream && is_reverse(a->name, b->name);
}

const struct model_process *model_peer(const struct model *m, const struct model_process *p, const struct model_fd *fd,
				       unsigned *others)
{
	const struct model_process *found = NULL;
	uint64_t most = 0;
	uint32_t last = 0;      /* an exec is another image of the same process */
	unsigned count = 0;

	for (size_t i = 0; i < m->process_count; i++) {
		const struct model_process *q = &m->processes[i];

		for (size_t k = 0; q != p && k < q->fd_count; k++) {
			uint64_t used = q->fds[k].bytes[DIRECTION_READ] + q->fds[k].bytes[DIRECTION_WRITE];

			if (!is_other_end(fd, &q->fds[k]))
				continue;
			count += !count || q->pid != last;
			last = q->pid;
			if (!found || used > most) {
				found = q;
				most = used;
			}
		}
	}
	*others = count ? count - 1 : 0;
	return found;
}
