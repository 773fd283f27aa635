/* files.c - adds up calls on files, by their names.  */
#include "files.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "color.h"
#include "fdtable.h"
#include "hash.h"
#include "jsontext.h"
#include "ops.h"
#include "say.h"
#include "screen.h"
#include "shim/shim.h"

enum {
	FILES_MAX = 1 << 16,            /* names that are told apart; later ones are put together */
	FILES_SHOWN = 10,
	NAME_SIZE = 512,
};

/* One pass over the files of a trace.  */
struct pass {
	const struct trace *trace;
	struct files *result;
	uint32_t *slots;                /* of names, by their hash: index + 1 */
	size_t slot_count;
	struct fdtable fds;             /* of the process in hand: index + 1 of each fd's file */
	bool classified;                /* it classifies */
	struct open_ops ops;            /* and its operations that have not returned */
};

/* The slot in which the name is, or is to be.  */
static uint32_t *find_slot(const struct pass *p, const char *name)
{
	size_t at = hash_text(name) & (p->slot_count - 1);

	while (p->slots[at] && strcmp(p->result->files[p->slots[at] - 1].name, name) != 0)
		at = (at + 1) & (p->slot_count - 1);
	return &p->slots[at];
}

static void widen(struct pass *p)
{
	struct files *f = p->result;

	f->room = f->room ? f->room * 2 : 64;
	f->files = must_have(realloc(f->files, f->room * sizeof *f->files));
	free(p->slots);
	p->slot_count = f->room * 2;
	p->slots = must_have(calloc(p->slot_count, sizeof *p->slots));
	for (size_t i = 0; i < f->count; i++)
		*find_slot(p, f->files[i].name) = (uint32_t)i + 1;
}

/* The index of the file with this name.  */
static size_t find_file(struct pass *p, const char *name)
{
	struct files *f = p->result;
	uint32_t *slot;

	if (f->count == f->room)
		widen(p);
	slot = find_slot(p, name);
	if (!*slot && f->count == FILES_MAX - 1) {
		name = "more files";
		slot = find_slot(p, name);
	}
	if (!*slot && f->count == FILES_MAX)
		return f->count - 1;
	if (!*slot) {
		f->files[f->count] = (struct files_file){.name = must_have(strdup(name))};
		*slot = (uint32_t)++f->count;
	}
	return *slot - 1;
}

static void name_fd(struct pass *p, const struct trace_record *r, const struct reader_place *place)
{
	bool is_file = r->fd_kind == KIND_file || r->fd_kind == KIND_directory || r->fd_kind == KIND_block;
	void **slot = is_file || fdtable_get(&p->fds, r->fd) ? fdtable_place(&p->fds, r->fd) : NULL;
	char name[NAME_SIZE];

	if (!slot)
		return;
	*slot = NULL;
	if (!is_file)
		return;
	reader_text(r, place, name, sizeof name);
	screen_clean(name);
	*slot = (void *)(uintptr_t)(find_file(p, name) + 1);
}

/* A copy is named by itself only when it is used.  */
static void put_file(struct pass *p, int64_t fd, void *file)
{
	void **slot = file || fdtable_get(&p->fds, fd) ? fdtable_place(&p->fds, fd) : NULL;

	if (slot)
		*slot = file;
}

static void add(struct files_calls *c, uint64_t ns, bool waited)
{
	c->calls++;
	c->ns += ns;
	if (!waited)
		return;
	c->waits++;
	c->wait_ns += ns;
	if (ns > c->longest_ns)
		c->longest_ns = ns;
}

static void add_bytes(struct files_bytes *b, const struct trace_record *r, uint64_t ns)
{
	uint64_t n = model_moved(r);

	add(&b->calls, ns, r->flags & TRACE_SLEPT);
	b->all += n;
	if (r->flags & TRACE_DIRECT)
		b->direct += n;
	else if (r->flags & TRACE_STAYED)
		b->cached += n;
}

/* What counts by its bytes, as a transfer between a file and the program, and what only by its time.  */
static bool is_transfer(unsigned call)
{
	switch (call) {
	case CALL_open: case CALL_openat: case CALL_creat: case CALL_copy_file_range: return false;
	default: return model_moves_bytes(call);
	}
}

static void see_return(struct pass *p, const struct trace_record *r, uint64_t ns)
{
	uintptr_t index = (uintptr_t)fdtable_get(&p->fds, r->fd);
	struct files *f = p->result;
	struct files_file *file = index ? &f->files[index - 1] : NULL;
	enum files_direction d = model_call_direction(r->call) == DIRECTION_WRITE ? FILES_WRITE : FILES_READ;

	if (r->call == CALL_flock || r->call == CALL_fcntl)
		return;
	if (!is_transfer(r->call)) {
		bool waited = r->flags & TRACE_SLEPT;

		if (!file && model_call_class(r->call) != OP_DISK && !waited)
			return;
		add(&f->calls[r->call], ns, waited);
		add(&f->total.other, ns, waited);
		if (file)
			add(&file->other, ns, waited);
	} else if (r->flags & (TRACE_STAYED | TRACE_SLEPT)) {
		add_bytes(&f->total.moved[d], r, ns);
		if (file)
			add_bytes(&file->moved[d], r, ns);
	} else if (p->classified && file && r->result > 0 && r->call != CALL_sendfile && r->call != CALL_splice) {
		f->unclassified++;
	}
}

static void see(const struct trace_record *r, const struct reader_place *place, void *arg)
{
	struct pass *p = arg;
	struct open_op *op;

	if (place->enter || (place->hidden && r->kind != TRACE_NAME && r->kind != TRACE_CLOSE && r->kind != TRACE_DUP))
		return;
	switch (r->kind) {
	case TRACE_NAME: name_fd(p, r, place); break;
	case TRACE_CLOSE: put_file(p, r->fd, NULL); break;
	case TRACE_DUP: put_file(p, r->number, fdtable_get(&p->fds, r->fd)); break;
	case TRACE_CALL:
		if (!model_is_poll(r->call) && r->call < CALL_COUNT)
			see_return(p, r, reader_duration(p->trace, r->duration));
		break;
	case TRACE_PARK:
		if (r->flags & TRACE_SLEPT)
			ops_find(&p->ops, r->op, r->t);
		break;
	case TRACE_RETURN:
		if (!(r->flags & TRACE_SLEPT) || r->call >= CALL_COUNT)
			break;
		op = ops_find(&p->ops, r->op, r->t);
		see_return(p, r, reader_duration(p->trace, r->t - op->enter));
		ops_remove(&p->ops, op);
		break;
	default: break;
	}
}

static uint64_t wait_ns(const struct files_file *f)
{
	return f->moved[FILES_READ].calls.wait_ns + f->moved[FILES_WRITE].calls.wait_ns + f->other.wait_ns;
}

static int by_wait(const void *a, const void *b)
{
	const struct files_file *x = a, *y = b;
	uint64_t s = wait_ns(x), t = wait_ns(y);

	return s != t ? (s > t ? -1 : 1) : strcmp(x->name, y->name);
}

struct files *files_read(const struct trace *t)
{
	struct pass p = {.trace = t};

	for (size_t i = 0; i < t->file_count; i++) {
		uint32_t how = t->files[i].header->files;

		if (how != TRACE_FILES_ON && how != TRACE_FILES_REFUSED)
			continue;
		if (!p.result) {
			p.result = must_have(calloc(1, sizeof *p.result));
			p.result->calls = must_have(calloc(CALL_COUNT, sizeof *p.result->calls));
		}
		p.classified = how == TRACE_FILES_ON;
		p.result->refused |= how == TRACE_FILES_REFUSED;
		reader_each(t, &t->files[i], see, &p);
		free(p.fds.slots);
		p.fds = (struct fdtable){0};
		ops_free(&p.ops);
		p.ops = (struct open_ops){0};
	}
	free(p.slots);
	if (p.result && p.result->count)
		qsort(p.result->files, p.result->count, sizeof *p.result->files, by_wait);
	return p.result;
}

void files_free(struct files *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->count; i++)
		free(f->files[i].name);
	free(f->files);
	free(f->calls);
	free(f);
}

/* The report.  */

#define INDENT "             "

static const char *times(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* "40 reads of 1.2 MiB, 97.5 % of that from the cache; 3 waited 12 ms, longest 8.0 ms".  */
static const char *print_bytes(const struct files_bytes *b, enum files_direction d, const char *divider, FILE *to)
{
	static const char *const words[FILES_DIRECTIONS][2] = {{"read", "from the cache"}, {"write", "into the cache"}};
	char a[16], c[16];

	if (!b->calls.calls)
		return divider;
	fprintf(to, "%s%" PRIu64 " %s%s of %s", divider, b->calls.calls, words[d][0], times(b->calls.calls), amount(b->all, a));
	if (b->all && b->direct == b->all)
		fputs(" by O_DIRECT", to);
	else if (b->all)
		fprintf(to, ", %.1f %% %s", (double)b->cached * 100 / (double)b->all, words[d][1]);
	if (b->direct && b->direct != b->all)
		fprintf(to, ", %s by O_DIRECT", amount(b->direct, a));
	if (b->calls.waits)
		fprintf(to, "; %" PRIu64 " waited %s, longest %s", b->calls.waits, duration(b->calls.wait_ns, a),
			duration(b->calls.longest_ns, c));
	return "; ";
}

static void print_file(const struct files_file *f, FILE *to)
{
	const char *divider = INDENT;
	char a[16];

	fprintf(to, "  %s%9s%s  %s%s%s\n%s", color(COLOR_WAIT), duration(wait_ns(f), a), color(COLOR_END), color(COLOR_NAME),
		f->name, color(COLOR_END), color(COLOR_DETAIL));
	divider = print_bytes(&f->moved[FILES_READ], FILES_READ, divider, to);
	divider = print_bytes(&f->moved[FILES_WRITE], FILES_WRITE, divider, to);
	if (f->other.waits)
		fprintf(to, "%s%" PRIu64 " other call%s waited %s", divider, f->other.waits, times(f->other.waits),
			duration(f->other.wait_ns, a));
	fprintf(to, "%s\n", color(COLOR_END));
}

/* What cannot be made non-blocking, and what it took.  */
static void print_calls(const struct files *f, FILE *to)
{
	char a[16], b[16], c[16];

	for (unsigned call = 0; call < CALL_COUNT; call++) {
		const struct files_calls *n = &f->calls[call];

		if (!n->calls)
			continue;
		fprintf(to, "  %s: %" PRIu64 " call%s, %s", model_call_name(call), n->calls, times(n->calls), duration(n->ns, a));
		if (n->waits)
			fprintf(to, "; %" PRIu64 " waited %s, longest %s", n->waits, duration(n->wait_ns, b), duration(n->longest_ns, c));
		fputc('\n', to);
	}
}

static void print_rest(const struct files *f, FILE *to)
{
	if (f->unclassified)
		fprintf(to, "  not classified: %" PRIu64 " call%s, made in a sandbox\n", f->unclassified, times(f->unclassified));
	if (f->refused)
		fputs("  not classified: the kernel does not tell how often a thread has slept (getrusage(2))\n", to);
	fputc('\n', to);
}

void files_print(const struct files *f, FILE *to)
{
	const char *divider = "";
	size_t more = 0;

	fprintf(to, "%sFiles%s: ", color(COLOR_HEADING), color(COLOR_END));
	divider = print_bytes(&f->total.moved[FILES_READ], FILES_READ, divider, to);
	divider = print_bytes(&f->total.moved[FILES_WRITE], FILES_WRITE, divider, to);
	fputs(*divider ? "\n" : "none was read or written\n", to);
	for (size_t i = 0; i < f->count && wait_ns(&f->files[i]); i++) {
		if (i < FILES_SHOWN)
			print_file(&f->files[i], to);
		else
			more++;
	}
	if (more)
		fprintf(to, INDENT "and %zu more file%s that were waited for\n", more, times(more));
	print_calls(f, to);
	print_rest(f, to);
}

static void json_calls(const struct files_calls *c, FILE *to)
{
	fprintf(to, "\"calls\":%" PRIu64 ",\"ns\":%" PRIu64 ",\"waits\":%" PRIu64 ",\"wait_ns\":%" PRIu64
		",\"longest_wait_ns\":%" PRIu64, c->calls, c->ns, c->waits, c->wait_ns, c->longest_ns);
}

static void json_file(const struct files_file *f, FILE *to)
{
	static const char *const names[FILES_DIRECTIONS] = {"read", "write"};

	for (int d = 0; d < FILES_DIRECTIONS; d++) {
		const struct files_bytes *b = &f->moved[d];

		fprintf(to, "\"%s\":{", names[d]);
		json_calls(&b->calls, to);
		fprintf(to, ",\"bytes\":%" PRIu64 ",\"cached_bytes\":%" PRIu64 ",\"direct_bytes\":%" PRIu64 "},", b->all, b->cached, b->direct);
	}
	fputs("\"other\":{", to);
	json_calls(&f->other, to);
	fputc('}', to);
}

/* Null where nothing was recorded with --files.  */
void files_print_json(const struct files *f, FILE *to)
{
	const char *divider = "";

	if (!f) {
		fputs("null", to);
		return;
	}
	fprintf(to, "{\"classified\":%s,\"unclassified_calls\":%" PRIu64 ",\"total\":{", f->refused ? "false" : "true", f->unclassified);
	json_file(&f->total, to);
	fputs("},\"calls\":{", to);
	for (unsigned call = 0; call < CALL_COUNT; call++) {
		if (!f->calls[call].calls)
			continue;
		fprintf(to, "%s\"%s\":{", divider, model_call_name(call));
		json_calls(&f->calls[call], to);
		fputc('}', to);
		divider = ",";
	}
	fputs("},\"files\":[", to);
	for (size_t i = 0; i < f->count; i++) {
		fputs(i ? ",\n{\"name\":" : "{\"name\":", to);
		jsontext_print(f->files[i].name, to);
		fputc(',', to);
		json_file(&f->files[i], to);
		fputc('}', to);
	}
	fputs("]}", to);
}
