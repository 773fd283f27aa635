/* clock.c - which clock the recording may trust.  */
#include "clock.h"

#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

enum clock_source clock_source;

/* The kernel's own function (vdso(7)).  libc's name for it may be another shim's, which is not ready when we start, and tells
 * another time (libfaketime).  NULL: the system call is asked.  */
static int (*kernel_clock)(clockid_t, struct timespec *);

/* The address of a function of the object that is mapped at `base`; 0 where it has none.  Its symbols end where their names
 * begin.  */
static uintptr_t find_symbol(uintptr_t base, const char *name)
{
	const ElfW(Phdr) *p = (const ElfW(Phdr) *)(base + ((const ElfW(Ehdr) *)base)->e_phoff);
	const ElfW(Dyn) *dynamic = NULL;
	const ElfW(Sym) *symbol = NULL;
	const char *names = NULL;

	for (int i = 0; i < ((const ElfW(Ehdr) *)base)->e_phnum; i++)
		if (p[i].p_type == PT_DYNAMIC)
			dynamic = (const ElfW(Dyn) *)(base + p[i].p_offset);
	for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
		if (dynamic->d_tag == DT_SYMTAB)
			symbol = (const ElfW(Sym) *)(base + dynamic->d_un.d_ptr);
		else if (dynamic->d_tag == DT_STRTAB)
			names = (const char *)(base + dynamic->d_un.d_ptr);
	}
	for (; symbol && (const char *)(symbol + 1) <= names; symbol++)
		if (symbol->st_shndx != SHN_UNDEF && !strcmp(names + symbol->st_name, name))
			return base + symbol->st_value;
	return 0;
}

void clock_start(void)
{
	uintptr_t vdso = getauxval(AT_SYSINFO_EHDR), found = vdso ? find_symbol(vdso, ARCH_VDSO_CLOCK) : 0;

	if (found)
		kernel_clock = (int (*)(clockid_t, struct timespec *))found;
}

/* For CLOCK_SCALED: ticks = base_ticks + (ns - base_ns) * ticks_per_ns, the factor with 32 bits behind the point.  */
static uint64_t base_ticks, base_ns, ticks_per_ns;

static uint64_t as_ns(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec;
}

uint64_t clock_ns(void)
{
	struct timespec t = {0};

	if (kernel_clock)
		kernel_clock(CLOCK_MONOTONIC, &t);
	else
		sys(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
	return as_ns(&t);
}

uint64_t clock_cpu_ns(clockid_t whose)
{
	struct timespec t = {0};

	sys(SYS_clock_gettime, whose, &t);
	return as_ns(&t);
}

uint64_t clock_ticks_slowly(void)
{
	uint64_t ns = clock_ns();

	if (clock_source == CLOCK_SCALED)
		return base_ticks + (uint64_t)((unsigned __int128)(ns - base_ns) * ticks_per_ns >> 32);
	return ns;
}

bool clock_tsc_is_trusted(void)
{
	static const char path[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
	char name[32];
	long fd, n;

	if (!ARCH_HAS_TSC)
		return false;
	fd = sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = sys(SYS_read, fd, name, sizeof name - 1);
	sys(SYS_close, fd);
	if (n <= 0)
		return false;
	name[n] = 0;
	return !strcmp(name, "tsc\n") || !strcmp(name, "kvm-clock\n");
}

/* 0 where there is no telling.  */
static uint64_t tsc_ticks_per_ns(uint64_t start_ticks, uint64_t start_ns)
{
	uint64_t ticks = arch_ticks(), ns = clock_ns();

	if (ns <= start_ns || ticks <= start_ticks)
		return 0;
	return (uint64_t)(((unsigned __int128)(ticks - start_ticks) << 32) / (ns - start_ns));
}

uint64_t clock_ticks_of(uint64_t ns, uint64_t start_ticks, uint64_t start_ns)
{
	uint64_t factor = ticks_per_ns;

	if (clock_source == CLOCK_NANOSECONDS)
		return ns;
	if (clock_source == CLOCK_TSC)
		factor = tsc_ticks_per_ns(start_ticks, start_ns);
	return (uint64_t)((unsigned __int128)ns * factor >> 32);
}

void clock_leave_tsc(uint64_t start_ticks, uint64_t start_ns)
{
	uint64_t factor;

	kernel_clock = NULL;
	if (clock_source != CLOCK_TSC)
		return;
	/* Where there is no telling, the times are wrong; but reading the TSC would kill the program. */
	factor = tsc_ticks_per_ns(start_ticks, start_ns);
	base_ticks = start_ticks;
	base_ns = start_ns;
	ticks_per_ns = factor ? factor : (uint64_t)1 << 32;
	clock_source = CLOCK_SCALED;
}
