/* unwind.c - walks a stack by call frame information (DWARF 4, section 6.4; LSB Core, "Exception Frames").  */
#include "unwind.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

enum {
	STEPS_MAX = 96,
	REMEMBERED = 4,                 /* compilers nest them once */
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

bool unwind_start(void)
{
	struct object o;

	*(void **)&find_object = dlsym(RTLD_NEXT, "_dl_find_object");
	if (!find_object || find_object((const void *)(uintptr_t)unwind, &o) != 0)
		return false;
	own = o.map;
	return true;
}

/* Reading a table.  Beyond its end there are zeros.  */
struct cursor {
	const unsigned char *at, *end;
};

static uint64_t take(struct cursor *c, size_t size)
{
	uint64_t n = 0;

	if ((size_t)(c->end - c->at) < size) {
		c->at = c->end;
		return 0;
	}
	memcpy(&n, c->at, size);
	c->at += size;
	return n;
}

static uint64_t take_unsigned(struct cursor *c)
{
	uint64_t n = 0, byte;
	unsigned shift = 0;

	do {
		byte = take(c, 1);
		n |= shift < 64 ? (byte & 0x7f) << shift : 0;
		shift += 7;
	} while (byte & 0x80);
	return n;
}

static int64_t take_signed(struct cursor *c)
{
	const unsigned char *from = c->at;
	uint64_t n = take_unsigned(c);
	unsigned bits = 7 * (unsigned)(c->at - from);

	return bits && bits < 64 && n >> (bits - 1) & 1 ? (int64_t)(n | ~(uint64_t)0 << bits) : (int64_t)n;
}

/* One function's description, and what all of its kind have in common.  */
struct description {
	struct cursor common, own;      /* instructions */
	uint64_t start;                 /* of the function */
	uint64_t code_unit;
	int64_t data_unit;
	uint64_t return_register;
	bool signal;
};

static bool lies_in(const struct object *o, const unsigned char *at)
{
	return (const char *)at >= o->start && (const char *)at + 8 <= o->end;
}

/* From its length on, which is taken.  */
static bool open_entry(const struct object *o, const unsigned char *at, struct cursor *c)
{
	uint64_t length;

	if (!lies_in(o, at))
		return false;
	*c = (struct cursor){at, (const unsigned char *)o->end};
	length = take(c, 4);
	if (length == 0 || length > (uint64_t)(c->end - c->at))
		return false;
	c->end = c->at + length;
	return true;
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

/* The common entry (CIE); *size: of the pointers in those of functions.  */
static bool read_common(const struct object *o, const unsigned char *at, struct description *d, size_t *size)
{
	struct cursor c;
	const char *augmentation;
	uint64_t version, length;

	if (!open_entry(o, at, &c) || take(&c, 4) != 0)
		return false;
	version = take(&c, 1);
	augmentation = (const char *)c.at;
	while (take(&c, 1))
		;
	d->code_unit = take_unsigned(&c);
	d->data_unit = take_signed(&c);
	d->return_register = version == 1 ? take(&c, 1) : take_unsigned(&c);
	if (*augmentation != 'z' || (version != 1 && version != 3))
		return false;
	length = take_unsigned(&c);
	if (length > (uint64_t)(c.end - c.at))
		return false;
	d->common = (struct cursor){c.at + length, c.end};
	*size = 8;
	for (augmentation++; *augmentation; augmentation++)
		switch (*augmentation) {
		case 'R': *size = size_of(take(&c, 1)); break;
		case 'L': take(&c, 1); break;
		case 'P': take(&c, size_of(take(&c, 1))); break;
		case 'S': d->signal = true; break;
		case 'B': break;        /* aarch64: signs its return addresses with the other key */
		default: return false;
		}
	return *size != 0;
}

/* The entry of the function (FDE), of which the table says that it begins at `start`.  */
static bool read_own(const struct object *o, const unsigned char *at, uint64_t start, uint64_t pc, struct description *d)
{
	struct cursor c;
	const unsigned char *common;
	uint64_t length;
	size_t size;

	if (!open_entry(o, at, &c))
		return false;
	common = c.at;
	common -= take(&c, 4);
	if (common == at + 4 || !read_common(o, common, d, &size))
		return false;
	take(&c, size);
	if (pc - start >= take(&c, size))
		return false;
	length = take_unsigned(&c);
	if (length > (uint64_t)(c.end - c.at))
		return false;
	d->own = (struct cursor){c.at + length, c.end};
	d->start = start;
	return true;
}

static int32_t entry_of(const unsigned char *table, size_t i)
{
	int32_t n;

	memcpy(&n, table + 4 * i, sizeof n);
	return n;
}

/* By the sorted table that linkers make (.eh_frame_hdr): pairs of a function's beginning and its entry's, from the table on.  */
static bool find_description(const struct object *o, uint64_t pc, struct description *d)
{
	const unsigned char *header = o->eh_frame, *table;
	struct cursor c = {header, (const unsigned char *)o->end};
	uint64_t base = (uint64_t)(uintptr_t)header, low = 0, high;

	if (!header || !lies_in(o, header) || take(&c, 1) != 1 || take(&c, 1) != ENCODED_PCREL_SDATA4 ||
	    take(&c, 1) != ENCODED_UDATA4 || take(&c, 1) != ENCODED_DATAREL_SDATA4)
		return false;
	take(&c, 4);
	high = take(&c, 4);
	table = c.at;
	if (high > (uint64_t)(c.end - c.at) / 8)
		return false;
	while (low < high) {
		uint64_t middle = (low + high) / 2;

		if (base + (uint64_t)entry_of(table, 2 * middle) <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return false;
	*d = (struct description){0};
	return read_own(o, header + entry_of(table, 2 * low - 1), base + (uint64_t)entry_of(table, 2 * low - 2), pc, d);
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

static void skip_block(struct cursor *c)
{
	uint64_t size = take_unsigned(c);

	c->at = size < (uint64_t)(c->end - c->at) ? c->at + size : c->end;
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
	case 0x10: case 0x16: number = take_unsigned(c); skip_block(c); set(&m->now, number, RULE_OTHER, 0); return true;
	case 0x11: number = take_unsigned(c); set(&m->now, number, RULE_SAVED, take_signed(c)); return true;
	case 0x12: m->now.cfa_register = take_unsigned(c); m->now.cfa_offset = take_signed(c) * d->data_unit; return true;
	case 0x13: m->now.cfa_offset = take_signed(c) * d->data_unit; return true;
	case 0x2d: return true;                                                         /* aarch64: return addresses are signed */
	case 0x2e: take_unsigned(c); return true;                                       /* GNU_args_size */
	default: return false;
	}
}

/* To the row of the table that holds at pc.  */
static bool execute(struct machine *m, const struct description *d, struct cursor c, uint64_t pc)
{
	while (c.at < c.end) {
		unsigned instruction = (unsigned)take(&c, 1), low = instruction & 0x3f;
		uint64_t advance = 0;

		switch (instruction & 0xc0) {
		case 0x40: advance = low; break;
		case 0x80: set(&m->now, low, RULE_SAVED, (int64_t)take_unsigned(&c)); continue;
		case 0xc0: restore(&m->now, &m->initial, low); continue;
		default:
			if (instruction < 0x02 || instruction > 0x04) {
				if (!execute_extended(m, d, &c, instruction))
					return false;
				continue;
			}
			advance = take(&c, (size_t)1 << (instruction - 0x02));
		}
		m->location += advance * d->code_unit;
		if (m->location > pc)
			return true;
	}
	return true;
}

static __attribute__((noinline)) bool find_rules(const struct description *d, uint64_t pc, struct rules *rules)
{
	struct machine m = {.location = d->start};

	if (!execute(&m, d, d->common, UINT64_MAX))
		return false;
	m.initial = m.now;
	if (!execute(&m, d, d->own, pc))
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

/* A table that is wrong leads anywhere.  The kernel reads the set of signals before it sees that it is not told what to do with
 * it (Linux, sys_rt_sigprocmask).  */
static bool read_word(const struct unwind_place *p, uint64_t address, uint64_t *value)
{
	if (p->ring)
		return read_sample(p, address, value);
	if (address % sizeof *value || sys(SYS_rt_sigprocmask, -1, address, NULL, sizeof *value) != -EINVAL)
		return false;
	memcpy(value, (const void *)(uintptr_t)address, sizeof *value);
	return true;
}

/* To the caller.  False: there is none, or it is not known.  */
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
	for (unsigned i = 0; i < ARCH_REGISTERS; i++)
		if (r->how[i] == RULE_SAVED && !read_word(p, cfa + (uint64_t)(r->offset[i] * d->data_unit), &caller[i]))
			return false;
	caller[ARCH_STACK_REGISTER] = cfa;
	memcpy(p->registers, caller, sizeof caller);
	p->pc = arch_return_address(caller[d->return_register]);
	return p->pc != 0;
}

unsigned unwind(struct unwind_place *p, struct unwind_frame *frames, unsigned most)
{
	struct description d;
	struct object o;
	struct rules r;
	unsigned count = 0;

	/* A return address may be the next function's beginning. */
	for (unsigned steps = 0; steps < STEPS_MAX && count < most; steps++) {
		uint64_t pc = p->pc - (steps > 0);

		if (find_object((const void *)(uintptr_t)pc, &o) != 0) {
			frames[count++] = (struct unwind_frame){NULL, pc};
			break;
		}
		if (o.map != own || count)
			frames[count++] = (struct unwind_frame){o.map, pc - o.map->l_addr};
		if (!find_description(&o, pc, &d) || !find_rules(&d, pc, &r) || !step(p, &d, &r))
			break;
	}
	return count;
}
