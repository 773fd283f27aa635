/* stack.c - takes stacks, and says which objects their addresses are in.
 *
 * Samples are the kernel's (perf_event_open(2)): every few milliseconds of the thread's CPU time, a copy of its registers and of
 * the top of its stack goes to a ring that only this process maps.  No signal is involved, and no fd is kept: the mapping holds
 * the event.  */
#include "stack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "config.h"
#include "record.h"
#include "tracefile.h"
#include "unwind.h"

enum {
	FRAMES = 16,                    /* of a stack */
	OBJECTS = 256,                  /* of a process; those beyond have no name */
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
	uint32_t lap;
} objects[OBJECTS];

static void name_object(unsigned number, const struct link_map *map)
{
	char path[256];
	const char *name = map->l_name;
	long n;

	if (!*name) {
		n = sys(SYS_readlinkat, -1, "/proc/self/exe", path, sizeof path);
		record_object(number, path, n > 0 ? (size_t)n : 0);
		return;
	}
	record_object(number, name, strlen(name));
}

/* Its number; OBJECTS where there is none left.  Entries are taken once; dlclose(3) may give an object's place to another.  */
static unsigned number_of(const struct link_map *map)
{
	uint32_t lap = record_lap();

	for (unsigned i = 0; i < OBJECTS; i++) {
		const struct link_map *none = NULL;

		if (__atomic_compare_exchange_n(&objects[i].map, &none, map, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			objects[i].base = map->l_addr;
		else if (none != map || objects[i].base != map->l_addr)
			continue;
		if (objects[i].lap != lap)
			name_object(i, map);
		objects[i].lap = lap;
		return i;
	}
	return OBJECTS;
}

static void tell(struct unwind_place *place, enum trace_stack what, uint64_t t)
{
	struct unwind_frame frames[FRAMES];
	uint64_t told[FRAMES];
	unsigned count = unwind(place, frames, FRAMES);

	for (unsigned i = 0; i < count; i++) {
		uint64_t number = frames[i].object ? number_of(frames[i].object) : OBJECTS;

		told[i] = number << TRACE_FRAME_SHIFT | (frames[i].address & (((uint64_t)1 << TRACE_FRAME_SHIFT) - 1));
	}
	if (count)
		record_stack(what, t, told, count);
}

void stack_record(void)
{
	struct unwind_place place = {0};

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
	if (has_samples())
		sys(SYS_munmap, samples.ring, getpagesize() + RING_SIZE);
	samples.ring = NULL;
}

void stack_sample(void)
{
	static bool refused;
	long fd, ring;

	if (has_samples())
		read_to(samples.ring, head_of(samples.ring));
	if (has_samples() || refused)
		return;
	fd = ring = has_limit() ? -ENOMEM : is_filtered() ? -EPERM : open_event();
	if (fd >= 0) {
		ring = sys(SYS_mmap, NULL, getpagesize() + RING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		sys(SYS_close, fd);
	}
	refused = ring < 0 && ring > -4096;
	if (refused) {
		tracefile_unsampled((int)-ring);
		return;
	}
	tracefile_thread_ends = end_samples;
	samples.ring = (struct perf_event_mmap_page *)ring;
	samples.generation = *tracefile_alive;
}

/* Records begin, and are as long, as multiples of 8.  */
static uint64_t word_at(const struct perf_event_mmap_page *ring, uint64_t position)
{
	uint64_t word;

	memcpy(&word, (const char *)ring + getpagesize() + (position & (RING_SIZE - 1)), sizeof word);
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
