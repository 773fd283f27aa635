/* switching.c - switches a recording, and tells from its control file when that was done.  */
#include "switching.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void note(struct trace_control *c, uint32_t off)
{
	uint32_t n = __atomic_fetch_add(&c->switches, 1, __ATOMIC_RELAXED);
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	c->switched[n % TRACE_SWITCHES] =
		(struct trace_switch){(uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec, (uint32_t)getpid(), off};
}

/* What becomes of `off`.  Two at once come one after the other.  */
static void switch_word(struct trace_control *c, enum switch_to to)
{
	uint32_t old = __atomic_load_n(&c->off, __ATOMIC_RELAXED), off;

	do {
		off = to == SWITCH_OTHER ? !old : to == SWITCH_OFF;
		if (off == old)
			return;
	} while (!__atomic_compare_exchange_n(&c->off, &old, off, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	note(c, off);
}

/* The open control file, mapped; NULL with *why.  */
static struct trace_control *map_control(int fd, const char **why)
{
	struct stat st;
	struct trace_control *c = MAP_FAILED;

	*why = "its control file cannot be mapped";
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= (off_t)TRACE_HEADER_SIZE)
		c = mmap(NULL, TRACE_HEADER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (c == MAP_FAILED)
		return NULL;
	*why = reader_check(&c->preamble, TRACE_CONTROL_MAGIC);
	if (!*why)
		return c;
	munmap(c, TRACE_HEADER_SIZE);
	return NULL;
}

const char *switching_set(const char *dir, enum switch_to to)
{
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
	struct trace_control *c;
	const char *why;

	if (dir_fd < 0)
		return errno == ENOENT ? "no such directory" : errno == ENOTDIR ? "not a directory" : "cannot be opened";
	fd = openat(dir_fd, TRACE_CONTROL_NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	close(dir_fd);
	if (fd < 0)
		return errno == ENOENT ? "not a trace: there is no control file in it" : "its control file cannot be opened";
	c = map_control(fd, &why);
	close(fd);
	if (!c)
		return why;
	switch_word(c, to);
	munmap(c, TRACE_HEADER_SIZE);
	return NULL;
}

/* Those that make sense: in a trace that is being recorded one may be half written.  */
void switching_each(const struct trace *t, switch_visitor *visit, void *arg)
{
	uint32_t count = t->control.switches, first = count > TRACE_SWITCHES ? count - TRACE_SWITCHES : 0;
	uint64_t before = 0;

	for (uint32_t i = 0; i < TRACE_SWITCHES && i < count; i++) {
		const struct trace_switch *s = &t->control.switched[(first + i) % TRACE_SWITCHES];

		if (s->ns < before || s->off > 1)
			continue;
		before = s->ns;
		visit(s, arg);
	}
}

struct gaps {
	const struct trace *trace;
	gap_visitor *visit;
	void *arg;
	bool off;
	uint64_t from_ns;
};

static void see(const struct trace_switch *s, void *arg)
{
	struct gaps *g = arg;
	uint64_t ns = s->ns > g->trace->base_ns ? s->ns - g->trace->base_ns : 0;

	if (g->off && !s->off)
		g->visit(g->from_ns, ns, g->arg);
	if (!g->off && s->off)
		g->from_ns = ns;
	g->off = s->off;
}

void switching_gaps(const struct trace *t, gap_visitor *visit, void *arg)
{
	struct gaps g = {.trace = t, .visit = visit, .arg = arg};

	switching_each(t, see, &g);
	if (g.off)
		visit(g.from_ns, SWITCHING_END, arg);
}
