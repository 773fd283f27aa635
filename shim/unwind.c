/* unwind.c - walks a stack by call frame information (DWARF 4, section 6.4; LSB Core, "Exception Frames").
 *
 * All that is read, is read by unwind_read(): a table that is wrong leads anywhere, and an object that a sample was in may be
 * unloaded, by another thread, at any moment, unless it was there at start-up.  */
#include "unwind.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

enum {
	STEPS_MAX = 96,
	REMEMBERED = 3,                 /* compilers nest them once */
	WINDOW = 128,
	/* Encodings of pointers: "DWARF Exception Header Encoding".  */
	ENCODED_UDATA4 = 0x03,
	ENCODED_PCREL_SDATA4 = 0x1b,
	ENCODED_DATAREL_SDATA4 = 0x3b,
};

/* <dlfcn.h> of glibc 2.35, struct dl_find_object.  */
struct object {
	unsigned long long flags;
	const char *start, *end;
	const struct link_map *map;
	const unsigned char *eh_frame;  /* its PT_GNU_EH_FRAME */
	unsigned long long reserved[8];
};

static int (*find_object)(const void *, struct object *);
static const struct link_map *own;

/* What was loaded at start-up is never unloaded, and those after it follow it in libc's list.  */
static const struct link_map *first, *last;

static bool stays(const struct link_map *map)
{
	for (const struct link_map *m = first; m != map; m = m->l_next)
		if (m == last)
			return false;
	return true;
}

bool unwind_start(void)
{
	struct object o;

	*(void **)&find_object = dlsym(RTLD_NEXT, "_dl_find_object");
	if (!find_object || find_object((const void *)(uintptr_t)unwind, &o) != 0)
		return false;
	own = first = last = o.map;
	while (first->l_prev)
		first = first->l_prev;
	while (last->l_next)
		last = last->l_next;
	return true;
}

/* The kernel reads the set of signals before it sees that it is not told what to do with it (Linux, sys_rt_sigprocmask).  */
static bool is_readable(struct unwind_place *p, uint64_t address)
{
	enum { PAGE = 4096 };           /* or a part of one */

	if (p->readable == address / PAGE)
		return true;
	if (sys(SYS_rt_sigprocmask, -1, address & ~(uint64_t)7, NULL, 8) != -EINVAL)
		return false;
	p->readable = address / PAGE;
	return true;
}

static bool copy(uint64_t address, void *to, size_t size)
{
	struct iovec here = {.iov_len = size}, there = {(void *)(uintptr_t)address, size};

	here.iov_base = to;
	return sys(SYS_process_vm_readv, sys(SYS_getpid), &here, 1, &there, 1, 0) == (long)size;
}

/* Filters of system calls know rt_sigprocmask(2); where there are samples, there is none.  */
bool unwind_read(struct unwind_place *p, uint64_t address, void *to, size_t size)
{
	if (p->ring && !p->stays)
		return copy(address, to, size);
	if (!is_readable(p, address) || !is_readable(p, address + size - 1))
		return false;
	memcpy(to, (const void *)(uintptr_t)address, size);
	return true;
}

static bool read_object(struct unwind_place *p, const struct object *o, uint64_t address, void *to, size_t size)
{
	uint64_t start = (uint64_t)(uintptr_t)o->start, end = (uint64_t)(uintptr_t)o->end;

	return address >= start && address < end && size <= end - address && unwind_read(p, address, to, size);
}

/* Reading a table, through a window that moves.  Beyond its end there are zeros.  */
struct cursor {
	struct unwind_place *place;
	uint64_t next, rest;            /* behind the window */
	unsigned at, end;               /* in the window */
	bool lost;                      /* the rest could not be read */
	unsigned char window[WINDOW];
};

static void move(struct cursor *c)
{
	unsigned left = c->end - c->at, n = c->rest < WINDOW - left ? (unsigned)c->rest : WINDOW - left;

	for (unsigned i = 0; i < left; i++)
		c->window[i] = c->window[c->at + i];
	c->at = 0;
	c->end = left;
	if (!n)
		return;
	c->lost = !unwind_read(c->place, c->next, c->window + left, n);
	c->next += n;
	c->rest = c->lost ? 0 : c->rest - n;
	c->end += c->lost ? 0 : n;
}

static bool is_at_end(const struct cursor *c)
{
	return c->at == c->end && !c->rest;
}

static uint64_t take(struct cursor *c, size_t size)
{
	uint64_t n = 0;

	if (c->end - c->at < size)
		move(c);
	if (c->end - c->at < size) {
		c->at = c->end;
		return 0;
	}
	memcpy(&n, c->window + c->at, size);
	c->at += (unsigned)size;
	return n;
}

/* LEB128, and how many bits of it there were.  */
static uint64_t take_bits(struct cursor *c, unsigned *bits)
{
	uint64_t n = 0, byte;

	*bits = 0;
	do {
		byte = take(c, 1);
		n |= *bits < 64 ? (byte & 0x7f) << *bits : 0;
		*bits += 7;
	} while (byte & 0x80);
	return n;
}

static uint64_t take_unsigned(struct cursor *c)
{
	unsigned bits;

	return take_bits(c, &bits);
}

static int64_t take_signed(struct cursor *c)
{
	unsigned bits;
	uint64_t n = take_bits(c, &bits);

	return (int64_t)(bits < 64 && n >> (bits - 1) & 1 ? n | ~(uint64_t)0 << bits : n);
}

static void skip(struct cursor *c, uint64_t size)
{
	uint64_t left = c->end - c->at, n;

	if (size <= left) {
		c->at += (unsigned)size;
		return;
	}
	n = size - left < c->rest ? size - left : c->rest;
	c->at = c->end;
	c->next += n;
	c->rest -= n;
}

/* One function's description, and what all of its kind have in common.  */
struct description {
	struct cursor common, own;      /* in the end: at the instructions */
	uint64_t start;                 /* of the function */
	uint64_t code_unit;
	uint64_t data_unit;             /* a negative number, mostly */
	uint64_t return_register;
	bool signal;
};

/* Behind its length.  */
static bool open_entry(struct unwind_place *p, const struct object *o, uint64_t at, struct cursor *c)
{
	uint32_t length;

	if (!read_object(p, o, at, &length, sizeof length) || length == 0 ||
	    length > (uint64_t)(uintptr_t)o->end - at - sizeof length)
		return false;
	c->place = p;
	c->next = at + sizeof length;
	c->rest = length;
	move(c);
	return !c->lost;
}

/* How many bytes an encoded pointer takes; 0: not known.  */
static size_t size_of(uint64_t encoding)
{
	switch (encoding & 0x0f) {
	case 0x00: case 0x04: case 0x0c: return 8;
	case 0x02: case 0x0a: return 2;
	case 0x03: case 0x0b: return 4;
	default: return 0;
	}
}

/* The common entry (CIE), which is short; *size: of the pointers in those of functions.  */
static bool read_common(struct unwind_place *p, const struct object *o, uint64_t at, struct description *d, size_t *size)
{
	struct cursor *c = &d->common;
	unsigned augmentation, instructions;
	uint64_t version, length;

	if (!open_entry(p, o, at, c) || c->rest || take(c, 4) != 0)
		return false;
	version = take(c, 1);
	augmentation = c->at;
	while (take(c, 1))
		;
	if (is_at_end(c) || c->window[augmentation] != 'z' || (version != 1 && version != 3))
		return false;
	d->code_unit = take_unsigned(c);
	d->data_unit = (uint64_t)take_signed(c);
	d->return_register = version == 1 ? take(c, 1) : take_unsigned(c);
	length = take_unsigned(c);
	if (length > c->end - c->at)
		return false;
	instructions = c->at + (unsigned)length;
	*size = 8;
	while (c->window[++augmentation])
		switch (c->window[augmentation]) {
		case 'R': *size = size_of(take(c, 1)); break;
		case 'L': take(c, 1); break;
		case 'P': take(c, size_of(take(c, 1))); break;
		case 'S': d->signal = true; break;
		case 'B': break;        /* aarch64: signs its return addresses with the other key */
		default: return false;
		}
	c->at = instructions;
	return *size != 0;
}

/* The entry of the function (FDE), of which the table says that it begins at `start`.  */
static bool read_own(struct unwind_place *p, const struct object *o, uint64_t at, uint64_t start, uint64_t pc,
		     struct description *d)
{
	struct cursor *c = &d->own;
	uint64_t back;
	size_t size;

	if (!open_entry(p, o, at, c))
		return false;
	back = take(c, 4);
	if (back == 0 || !read_common(p, o, at + 4 - back, d, &size))
		return false;
	take(c, size);
	if (pc - start >= take(c, size))
		return false;
	skip(c, take_unsigned(c));
	d->start = start;
	return true;
}

/* By the sorted table that linkers make (.eh_frame_hdr): pairs of a function's beginning and its entry's, from the table on.  */
static bool find_description(struct unwind_place *p, const struct object *o, uint64_t pc, struct description *d)
{
	uint64_t base = (uint64_t)(uintptr_t)o->eh_frame, low = 0, high;
	struct {
		uint8_t version, of_frames, of_count, of_table;
		uint32_t frames, count;
	} header = {0};
	struct {
		int32_t start, own;
	} entry = {0}, best = {0};

	if (!read_object(p, o, base, &header, sizeof header) || header.version != 1 || header.of_frames != ENCODED_PCREL_SDATA4 ||
	    header.of_count != ENCODED_UDATA4 || header.of_table != ENCODED_DATAREL_SDATA4)
		return false;
	for (high = header.count; low < high;) {
		uint64_t middle = (low + high) / 2;

		if (!read_object(p, o, base + sizeof header + middle * sizeof entry, &entry, sizeof entry))
			return false;
		if (base + (uint64_t)entry.start <= pc) {
			low = middle + 1;
			best = entry;
		} else {
			high = middle;
		}
	}
	memset(d, 0, sizeof *d);
	return low && read_own(p, o, base + (uint64_t)best.own, base + (uint64_t)best.start, pc, d);
}

/* Where the caller's registers are.  */
struct rules {
	uint64_t cfa_register;
	int64_t cfa_offset;
	int16_t offset[ARCH_REGISTERS]; /* from the CFA, in data units */
	uint8_t how[ARCH_REGISTERS];    /* enum rule */
};

enum rule { RULE_SAME, RULE_SAVED, RULE_UNDEFINED, RULE_OTHER };

static void set(struct rules *r, uint64_t number, enum rule how, int64_t offset)
{
	if (number >= ARCH_REGISTERS)
		return;
	r->how[number] = (uint8_t)(offset == (int16_t)offset ? how : RULE_OTHER);
	r->offset[number] = (int16_t)offset;
}

static void restore(struct rules *r, const struct rules *initial, uint64_t number)
{
	if (number >= ARCH_REGISTERS)
		return;
	r->how[number] = initial->how[number];
	r->offset[number] = initial->offset[number];
}

struct machine {
	struct rules now, initial, remembered[REMEMBERED];
	unsigned depth;
	uint64_t location;
};

static int64_t take_units(struct cursor *c, const struct description *d)
{
	return (int64_t)((uint64_t)take_signed(c) * d->data_unit);
}

/* An instruction whose operands are in its lower bits, or none of those that advance.  False: it is not known.  */
static bool execute_extended(struct machine *m, const struct description *d, struct cursor *c, unsigned instruction)
{
	uint64_t number;

	switch (instruction) {
	case 0x00: return true;                                                         /* nop */
	case 0x05: number = take_unsigned(c); set(&m->now, number, RULE_SAVED, (int64_t)take_unsigned(c)); return true;
	case 0x06: restore(&m->now, &m->initial, take_unsigned(c)); return true;
	case 0x07: set(&m->now, take_unsigned(c), RULE_UNDEFINED, 0); return true;
	case 0x08: set(&m->now, take_unsigned(c), RULE_SAME, 0); return true;
	case 0x09: number = take_unsigned(c); take_unsigned(c); set(&m->now, number, RULE_OTHER, 0); return true;
	case 0x0a:                                                                      /* remember_state */
		if (m->depth == REMEMBERED)
			return false;
		m->remembered[m->depth++] = m->now;
		return true;
	case 0x0b:                                                                      /* restore_state */
		if (m->depth == 0)
			return false;
		m->now = m->remembered[--m->depth];
		return true;
	case 0x0c: m->now.cfa_register = take_unsigned(c); m->now.cfa_offset = (int64_t)take_unsigned(c); return true;
	case 0x0d: m->now.cfa_register = take_unsigned(c); return true;
	case 0x0e: m->now.cfa_offset = (int64_t)take_unsigned(c); return true;
	case 0x10: case 0x16: number = take_unsigned(c); skip(c, take_unsigned(c)); set(&m->now, number, RULE_OTHER, 0); return true;
	case 0x11: number = take_unsigned(c); set(&m->now, number, RULE_SAVED, take_signed(c)); return true;
	case 0x12: m->now.cfa_register = take_unsigned(c); m->now.cfa_offset = take_units(c, d); return true;
	case 0x13: m->now.cfa_offset = take_units(c, d); return true;
	case 0x2d: return true;                                                         /* aarch64: return addresses are signed */
	case 0x2e: take_unsigned(c); return true;                                       /* GNU_args_size */
	default: return false;
	}
}

/* To the row of the table that holds at pc.  */
static bool execute(struct machine *m, const struct description *d, struct cursor *c, uint64_t pc)
{
	while (!is_at_end(c)) {
		unsigned instruction = (unsigned)take(c, 1), low = instruction & 0x3f;
		uint64_t advance = 0;

		switch (instruction & 0xc0) {
		case 0x40: advance = low; break;
		case 0x80: set(&m->now, low, RULE_SAVED, (int64_t)take_unsigned(c)); continue;
		case 0xc0: restore(&m->now, &m->initial, low); continue;
		default:
			if (instruction < 0x02 || instruction > 0x04) {
				if (!execute_extended(m, d, c, instruction))
					return false;
				continue;
			}
			advance = take(c, (size_t)1 << (instruction - 0x02));
		}
		m->location += advance * d->code_unit;
		if (m->location > pc)
			return true;
	}
	return !c->lost;
}

static __attribute__((noinline)) bool find_rules(struct description *d, uint64_t pc, struct rules *rules)
{
	struct machine m = {.location = d->start};

	if (!execute(&m, d, &d->common, UINT64_MAX))
		return false;
	m.initial = m.now;
	if (!execute(&m, d, &d->own, pc))
		return false;
	*rules = m.now;
	return true;
}

static bool read_sample(const struct unwind_place *p, uint64_t address, uint64_t *value)
{
	uint64_t offset = address - p->base;
	char bytes[sizeof *value];

	if (offset >= p->size || p->size - offset < sizeof bytes)
		return false;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = p->ring[(p->at + offset + i) & p->mask];
	memcpy(value, bytes, sizeof *value);
	return true;
}

/* Of the stack.  */
static bool read_word(struct unwind_place *p, uint64_t address, uint64_t *value)
{
	return p->ring ? read_sample(p, address, value) : unwind_read(p, address, value, sizeof *value);
}

/* To the caller, whose registers the frame in between has.  False: there is none, or it is not known.  */
static __attribute__((noinline)) bool step(struct unwind_place *p, const struct description *d, const struct rules *r)
{
	uint64_t caller[ARCH_REGISTERS], cfa, stack = p->registers[ARCH_STACK_REGISTER];

	if (d->signal || r->cfa_register >= ARCH_REGISTERS || d->return_register >= ARCH_REGISTERS ||
	    r->how[d->return_register] > RULE_SAVED)
		return false;
	cfa = p->registers[r->cfa_register] + (uint64_t)r->cfa_offset;
	if (cfa < stack)
		return false;
	memcpy(caller, p->registers, sizeof caller);
	for (unsigned i = 0; i < ARCH_REGISTERS; i++) {
		uint64_t at = cfa + (uint64_t)r->offset[i] * d->data_unit;

		if (r->how[i] == RULE_SAVED && (at < stack || at >= cfa || !read_word(p, at, &caller[i])))
			return false;
	}
	caller[ARCH_STACK_REGISTER] = cfa;
	memcpy(p->registers, caller, sizeof caller);
	p->pc = arch_return_address(caller[d->return_register]);
	return p->pc != 0;
}

static __attribute__((noinline)) bool leave(struct unwind_place *p, const struct object *o, uint64_t pc)
{
	struct description d;
	struct rules r;

	return find_description(p, o, pc, &d) && find_rules(&d, pc, &r) && step(p, &d, &r);
}

bool unwind(struct unwind_place *p, struct unwind_frame *f)
{
	struct object o;

	while (!p->ended && p->steps < STEPS_MAX) {
		/* A return address may be the next function's beginning. */
		uint64_t pc = p->pc - (p->steps++ > 0);
		bool known = find_object((const void *)(uintptr_t)pc, &o) == 0;

		p->stays = known && stays(o.map);
		known = known && unwind_read(p, (uint64_t)(uintptr_t)o.map, &f->map, sizeof f->map);
		f->object = known ? o.map : NULL;
		f->start = known ? (uint64_t)(uintptr_t)o.start : 0;
		f->address = known ? pc - f->map.l_addr : pc;
		p->ended = !known || !leave(p, &o, pc);
		p->outside |= f->object != own;
		if (p->outside)
			return true;
	}
	return false;
}
