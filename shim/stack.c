/* stack.c - takes stacks, and says which objects their addresses are in.
 *
 * Samples are the kernel's (perf_event_open(2)): every few milliseconds of the thread's CPU time, a copy of its registers and of
 * the top of its stack goes to a ring that only this process maps.  No signal is involved, and no fd is kept: the mapping holds
 * the event.  The ring is read when the stall is over, and has room for some thirty: they are of its first CPU time.  */
#include "stack.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "config.h"
#include "init.h"
#include "libc.h"
#include "record.h"
#include "tracefile.h"
#include "unwind.h"

enum {
	FRAMES = 16,                    /* of a stack */
	OBJECTS = TRACE_OBJECTS,        /* of a process; those beyond have no name */
	PATH = 236,                     /* of an object's file, cut */
	PARTS = 32,                     /* of an object, and notes of a part, that are looked at */
	RING_SIZE = 1 << 18,
	SAMPLED_STACK = 8192,
	SAMPLES_TOLD = 8,               /* of a stall */
	SAMPLES_IN_LIMIT = 4,           /* in a time of --stall */
};

HOT_DATA bool stack_on;

void stack_start(void)
{
	stack_on = config.stacks && unwind_start();
}

/* The objects that were named in the trace, by their numbers there.  */
static struct {
	const struct link_map *map;
	uint64_t base;
	const void *dynamic;
	uint32_t lap;
} objects[OBJECTS];

struct build_id {
	unsigned char bytes[TRACE_BUILD_ID];
};

/* Of the notes in so many bytes from there (elf(5)).  */
static bool find_build_id(struct unwind_place *place, uint64_t at, uint64_t size, struct build_id *id)
{
	struct {
		Elf64_Nhdr header;
		char name[4];
		struct build_id id;
	} note;

	for (unsigned i = 0; i < PARTS && size >= sizeof note && unwind_read(place, at, &note, sizeof note); i++) {
		uint64_t whole = sizeof note.header + (((uint64_t)note.header.n_namesz + 3) & ~(uint64_t)3) +
				 (((uint64_t)note.header.n_descsz + 3) & ~(uint64_t)3);

		if (note.header.n_type == NT_GNU_BUILD_ID && note.header.n_descsz == sizeof note.id &&
		    memcmp(note.name, "GNU", sizeof note.name) == 0) {
			*id = note.id;
			return true;
		}
		if (whole > size)
			break;
		at += whole;
		size -= whole;
	}
	return false;
}

/* By which its file is known again: a note that is mapped with it (ld(1), --build-id).  */
static void read_build_id(struct unwind_place *place, const struct unwind_frame *f, struct build_id *id)
{
	Elf64_Ehdr e;
	Elf64_Phdr part;

	if (!unwind_read(place, f->start, &e, sizeof e) || memcmp(e.e_ident, ELFMAG, SELFMAG) != 0)
		return;
	for (unsigned i = 0; i < e.e_phnum && i < PARTS; i++)
		if (!unwind_read(place, f->start + e.e_phoff + i * sizeof part, &part, sizeof part) ||
		    (part.p_type == PT_NOTE && find_build_id(place, f->map.l_addr + part.p_vaddr, part.p_memsz, id)))
			return;
}

/* Pieces that are aligned lie in one page.  */
static size_t read_text(struct unwind_place *place, const char *from, char *text, size_t room)
{
	size_t size = 0;

	while (size < room) {
		size_t n = 16 - ((uintptr_t)from + size) % 16, end = size + (n < room - size ? n : room - size);

		if (!unwind_read(place, (uintptr_t)from + size, text + size, end - size))
			break;
		for (; size < end; size++)
			if (!text[size])
				return size;
	}
	return size;
}

/* Of a name with a slash in it that is no absolute path: from the working directory, where it was found, most likely.  */
static bool is_relative(const char *path, size_t size)
{
	if (size && *path == '/')
		return false;
	for (size_t i = 0; i < size; i++)
		if (path[i] == '/')
			return true;
	return false;
}

/* Its path as libc has it; the program itself has none there.  */
static size_t read_path(struct unwind_place *place, const struct unwind_frame *f, char *path)
{
	size_t size = read_text(place, f->map.l_name, path, PATH);
	long n;

	if (!size) {
		n = sys(SYS_readlinkat, -1, "/proc/self/exe", path, PATH);
		return n > 0 ? (size_t)n : 0;
	}
	n = is_relative(path, size) ? sys(SYS_getcwd, path, PATH) : -1;
	if (n <= 0)
		return size;
	path[n - 1] = '/';
	return (size_t)n + read_text(place, f->map.l_name, path + n, PATH - (size_t)n);
}

static __attribute__((noinline)) void name_object(unsigned number, struct unwind_place *place, const struct unwind_frame *f)
{
	struct {
		struct build_id id;
		char path[PATH];
	} text = {0};
	size_t size = read_path(place, f, text.path);

	read_build_id(place, f, &text.id);
	record_object(number, (const char *)&text, sizeof text.id + size);
}

/* Its number; OBJECTS where there is none left.  Entries are taken once; dlclose(3) may give an object's place to another.  */
static unsigned number_of(struct unwind_place *place, const struct unwind_frame *f)
{
	uint32_t lap = record_lap();

	for (unsigned i = 0; i < OBJECTS && f->object; i++) {
		const struct link_map *none = NULL;

		if (__atomic_compare_exchange_n(&objects[i].map, &none, f->object, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
			objects[i].base = f->map.l_addr;
			objects[i].dynamic = f->map.l_ld;
		} else if (none != f->object || objects[i].base != f->map.l_addr || objects[i].dynamic != f->map.l_ld) {
			continue;
		}
		if (objects[i].lap != lap)
			name_object(i, place, f);
		objects[i].lap = lap;
		return i;
	}
	return OBJECTS;
}

static void tell(struct unwind_place *place, enum trace_stack what, uint64_t t)
{
	struct unwind_frame f;
	uint64_t told[FRAMES];
	unsigned count = 0;

	while (count < FRAMES && unwind(place, &f))
		told[count++] = (uint64_t)number_of(place, &f) << TRACE_FRAME_SHIFT |
				(f.address & (((uint64_t)1 << TRACE_FRAME_SHIFT) - 1));
	if (count)
		record_stack(what, t, told, count);
}

void stack_record(void)
{
	struct unwind_place place = {0};

	if (shim_sandboxed)
		return;
	place.pc = arch_capture(place.registers);
	tell(&place, TRACE_STACK_WAIT, clock_ticks());
}

/* The calling thread's ring, of the process with that generation: a fork does not inherit it.  */
static __thread struct {
	struct perf_event_mmap_page *ring;
	uint32_t generation;
} samples;

static bool has_samples(void)
{
	return samples.ring && samples.generation == *tracefile_alive;
}

#define X(number, sampled) | (uint64_t)1 << (sampled)
static const uint64_t sampled_registers = 0 ARCH_SAMPLED(X);
#undef X

/* The registers of a sample: ARCH_REGISTERS is the program counter.  */
static const uint8_t sampled_as[] = {
#define X(number, sampled) number,
	ARCH_SAMPLED(X)
#undef X
};

static long open_event(void)
{
	struct perf_event_attr a = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof a, .config = PERF_COUNT_SW_TASK_CLOCK,
		.sample_period = config.stall_ns / SAMPLES_IN_LIMIT, .sample_type = PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
		.exclude_kernel = 1, .exclude_hv = 1, .sample_regs_user = sampled_registers, .sample_stack_user = SAMPLED_STACK,
	};

	return sys(SYS_perf_event_open, &a, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* What the kernel has written, and what of it was read.  */
static uint64_t head_of(const struct perf_event_mmap_page *ring)
{
	return __atomic_load_n(&ring->data_head, __ATOMIC_ACQUIRE);
}

static void read_to(struct perf_event_mmap_page *ring, uint64_t position)
{
	__atomic_store_n(&ring->data_tail, position, __ATOMIC_RELEASE);
}

/* Whether a filter of system calls (seccomp(2)) has been inherited, which may kill who makes an unusual one: "Seccomp:" of
 * proc_pid_status(5) is not 0.  */
static bool is_filtered(void)
{
	static const char key[] = "\nSeccomp:\t";
	char part[256];
	long fd = sys(SYS_openat, AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC), n;
	size_t matched = 0;
	char mode = 0;

	if (fd < 0)
		return true;
	while (!mode && (n = sys(SYS_read, fd, part, sizeof part)) > 0)
		for (long i = 0; i < n && !mode; i++) {
			if (matched == sizeof key - 1)
				mode = part[i];
			else
				matched = part[i] == key[matched] ? matched + 1 : part[i] == key[0];
		}
	sys(SYS_close, fd);
	return mode != '0';
}

static bool has_limit(void)
{
	struct rlimit limit;

	return sys(SYS_prlimit64, 0, RLIMIT_AS, NULL, &limit) < 0 || limit.rlim_cur != RLIM_INFINITY;
}

static void end_samples(void)
{
	if (has_samples() && !shim_sandboxed)
		sys(SYS_munmap, samples.ring, getpagesize() + RING_SIZE);
	samples.ring = NULL;
}

/* An fd of ours has the lowest free number for a moment, which another thread may count on.  */
static long map_ring(void)
{
	long fd = has_limit() ? -ENOMEM : is_filtered() ? -EPERM : open_event(), ring = fd;

	if (fd >= 0) {
		ring = sys(SYS_mmap, NULL, getpagesize() + RING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		sys(SYS_close, fd);
	}
	return ring;
}

void stack_sample(void)
{
	static bool refused;
	long ring;

	if (has_samples())
		read_to(samples.ring, head_of(samples.ring));
	if (has_samples() || refused || !tracefile_is_own())
		return;
	if (!libc_is_lone()) {
		tracefile_unsampled(TRACE_UNSAMPLED_THREAD);
		return;
	}
	ring = map_ring();
	refused = ring < 0 && ring > -4096;
	if (refused) {
		tracefile_unsampled((int)-ring);
		return;
	}
	tracefile_thread_ends = end_samples;
	samples.ring = (struct perf_event_mmap_page *)ring;
	samples.generation = *tracefile_alive;
}

void stack_provide(void)
{
	if (stack_on && libc_is_lone() && !shim_sandboxed)
		stack_sample();
}

/* Records begin, and are as long, as multiples of 8.  */
static uint64_t word_at(const struct perf_event_mmap_page *ring, uint64_t position)
{
	uint64_t word;

	memcpy(&word, (const char *)ring + getpagesize() + (position & (RING_SIZE - sizeof word)), sizeof word);
	return word;
}

static struct perf_event_header header_at(const struct perf_event_mmap_page *ring, uint64_t position)
{
	uint64_t word = word_at(ring, position);
	struct perf_event_header h;

	memcpy(&h, &word, sizeof h);
	return h;
}

/* A sample as perf_event_open(2) describes it: the ABI, the registers, the size of the stack, and the stack.  */
static bool read_sample(const struct perf_event_mmap_page *ring, uint64_t position, struct unwind_place *place)
{
	uint64_t at = position + sizeof(struct perf_event_header);

	*place = (struct unwind_place){.ring = (const char *)ring + getpagesize(), .mask = RING_SIZE - 1};
	if (word_at(ring, at) != PERF_SAMPLE_REGS_ABI_64)
		return false;
	at += 8;
	for (size_t i = 0; i < sizeof sampled_as / sizeof *sampled_as; i++, at += 8)
		*(sampled_as[i] == ARCH_REGISTERS ? &place->pc : &place->registers[sampled_as[i]]) = word_at(ring, at);
	place->size = word_at(ring, at);
	place->at = at + 8;
	place->base = place->registers[ARCH_STACK_REGISTER];
	return place->size <= SAMPLED_STACK;
}

static unsigned count_samples(const struct perf_event_mmap_page *ring, uint64_t from, uint64_t to)
{
	unsigned n = 0;

	while (from < to) {
		struct perf_event_header h = header_at(ring, from);

		if (h.size < sizeof h)
			break;
		n += h.type == PERF_RECORD_SAMPLE;
		from += h.size;
	}
	return n;
}

void stack_tell_samples(uint64_t since)
{
	struct perf_event_mmap_page *ring = samples.ring;
	struct unwind_place place;
	uint64_t at, head;
	unsigned count, seen = 0, told = 0;

	if (!has_samples())
		return;
	at = ring->data_tail;
	head = head_of(ring);
	count = count_samples(ring, at, head);
	while (at < head && told < SAMPLES_TOLD) {
		struct perf_event_header h = header_at(ring, at);

		if (h.size < sizeof h)
			break;
		/* Evenly over the stall. */
		if (h.type == PERF_RECORD_SAMPLE && seen++ * SAMPLES_TOLD >= told * count && read_sample(ring, at, &place)) {
			tell(&place, TRACE_STACK_SAMPLE, since);
			told++;
		}
		at += h.size;
	}
	read_to(ring, head);
}
