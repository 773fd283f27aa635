/* tracefile.c - the files of a trace as the shim writes them: control, PID.N, and their chunks.
 *
 * All of it is slow path: it runs once per process, per thread and per full chunk, with signals blocked.  Room is reserved on
 * disk before it is mapped, because writing to a mapped hole of a full file system is a SIGBUS in the program.  */
#include "tracefile.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "config.h"
#include "fds.h"
#include "init.h"
#include "libc.h"
#include "text.h"

enum {
	CHUNK_MAX = 16 * TRACE_CHUNK_UNIT,      /* chunks double from one unit to this: 1 MiB */
	CHUNK_FIRST = 2 * TRACE_CHUNK_ALIGN,   /* but a process begins with this: many end, or are another program, soon */
	RETRY_AFTER = 4096,                     /* lost events after which room is asked for once more */
	SPARE_CHUNKS = 1024,
};

#define STARTING UINT32_MAX             /* in *tracefile_alive: no generation */
#define CUT 1                           /* as a length: its end is being cut off */

__thread struct tracefile_thread tracefile_thread __attribute__((tls_model("initial-exec")));
HOT_DATA volatile uint32_t *tracefile_alive;
HOT_DATA uint32_t tracefile_lap;
void (*tracefile_thread_ends)(void);
static const uint32_t open_gate = 0, shut_gate = 1;
HOT_DATA const volatile uint32_t *tracefile_gate = &open_gate;

/* What the process knows of its file.  After a fork it still describes the parent's until tracefile_more() starts anew.  */
static struct {
	uint32_t generation;
	uint32_t op;
	bool started;                   /* header is mapped */
	bool forked;                    /* this image is a fork of one that recorded */
	enum trace_origin origin;       /* else: what it is */
	uint64_t first_chunk;           /* the size of the next thread's first */
	char name[32];                  /* "PID.N" */
	bool no_memory;                 /* a chunk could not be mapped */
	uint32_t unsampled;             /* as in the header */
	enum trace_files files;         /* the same */
	uint64_t start_faults;
	uint64_t faults;                /* major ones, to touch header and chunks */
	uint64_t mapped;                /* bytes of chunks */
	uint64_t names, since;          /* bytes of names in this lap; of chunks begun since it began */
	uint64_t mount;                 /* of the file, as it was created */
	struct stat created;            /* and that */
	uint64_t length;                /* of the file, where it has been made as long as it may become; else 0, or CUT */
	uint32_t extending;             /* how many threads do */
	struct trace_process *header;
	struct trace_control *control;
	uint64_t page;
} file;

static pthread_key_t thread_key;
static bool has_thread_key;

/* Rests of chunks whose threads have ended.  */
static struct spare {
	struct trace_chunk *chunk;      /* NULL: free; 1: being filled or emptied */
	uint64_t next, end;
} spare[SPARE_CHUNKS];
static unsigned spare_end;              /* behind the last that was ever used */

static bool is_error(long result)
{
	return result < 0 && result > -4096;
}

static void thread_end(void *thread);

void tracefile_start(enum trace_origin origin)
{
	long page = sys(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	file.page = (uint64_t)getpagesize();
	file.origin = origin;
	if (is_error(page))
		return;
	sys(SYS_madvise, page, 4096, MADV_WIPEONFORK);
	tracefile_alive = (volatile uint32_t *)page;
	has_thread_key = pthread_key_create(&thread_key, thread_end) == 0 && thread_key < 32;
	tracefile_more(0);
}

const char *tracefile_name(void)
{
	return file.name;
}

uint32_t tracefile_next_op(void)
{
	return __atomic_add_fetch(file.control ? &file.control->last_op : &file.op, 1, __ATOMIC_RELAXED);
}

void tracefile_ask(void)
{
	tracefile_gate = &shut_gate;
}

bool tracefile_is_off(void)
{
	return file.control && __atomic_load_n(&file.control->off, __ATOMIC_RELAXED);
}

uint64_t tracefile_ticks(uint64_t ns)
{
	const struct trace_preamble *p = file.control ? &file.control->preamble : NULL;

	return clock_ticks_of(ns, p ? p->start_ticks : 0, p ? p->start_ns : 0);
}

bool tracefile_ticks_are_known(void)
{
	enum { LONG_NS = 1000000000 };

	return clock_ns() - tracefile_start_ns() > LONG_NS;
}

uint64_t tracefile_start_ns(void)
{
	return file.control ? file.control->preamble.start_ns : 0;
}

void tracefile_unsampled(int error)
{
	file.unsampled = (uint32_t)error;
	if (file.started)
		file.header->unsampled = file.unsampled;
}

void tracefile_files(enum trace_files files, uint64_t faults)
{
	file.files = files;
	file.start_faults = faults;
}

uint64_t tracefile_faults(void)
{
	return __atomic_load_n(&file.faults, __ATOMIC_RELAXED);
}

void tracefile_pair(uint64_t now)
{
	enum { SOON = 1 << 20 };        /* ticks: less than a millisecond */
	struct trace_chunk *c = tracefile_thread.chunk;

	if (c && now - c->last_ticks > SOON && clock_source != CLOCK_NANOSECONDS && tracefile_thread.generation == *tracefile_alive) {
		c->last_ticks = clock_ticks();
		c->last_ns = clock_ns();
	}
}

void tracefile_leave_tsc(void)
{
	const struct trace_preamble *p = file.control ? &file.control->preamble : NULL;

	clock_leave_tsc(p ? p->start_ticks : 0, p ? p->start_ns : 0);
}

bool tracefile_is_own(void)
{
	return file.started && *tracefile_alive && (shim_sandboxed || file.header->pid == (uint32_t)sys(SYS_getpid));
}

static void next_lap(void)
{
	uint32_t lap = LOAD(tracefile_lap) + 1;

	STORE(tracefile_lap, lap > HINT_NAMED >> HINT_NAMED_SHIFT ? 1 : lap);
	__atomic_store_n(&file.names, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&file.since, 0, __ATOMIC_RELAXED);
}

/* A chunk of this size has been begun.  Names are repeated, for the first may be overwritten: where they are little of what has been
 * recorded since; or that is so much of the room, of which no more can lose its names.  */
static void repeat_names(uint64_t size, uint64_t room)
{
	enum { LITTLE = 64 };
	uint64_t since = __atomic_add_fetch(&file.since, size, __ATOMIC_RELAXED);

	if (since >= __atomic_load_n(&file.names, __ATOMIC_RELAXED) * LITTLE || since >= room / LITTLE)
		next_lap();
}

void tracefile_named(size_t size)
{
	STORE(file.names, LOAD(file.names) + size);
}

/* Maps `size` bytes of fd at `offset`, which need not be a multiple of the page size.  NULL on failure.  */
static void *map(int fd, uint64_t offset, uint64_t size)
{
	uint64_t skip = offset & (file.page - 1);
	long p = sys(SYS_mmap, NULL, size + skip, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset - skip);

	return is_error(p) ? NULL : (char *)p + skip;
}

/* The mount through which fd was opened; 0 before Linux 5.8.  */
static uint64_t mount_of(int fd)
{
	struct statx s = {0};

	sys(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &s);
	return s.stx_mnt_id;
}

/* A part of the process's own file, without an fd of it: the mapping of its header is duplicated (mremap(2), an old size of 0).  */
static void *map_without_fd(uint64_t offset, uint64_t size)
{
	uint64_t skip = offset & ~(file.page - 1);
	long p = sys(SYS_mremap, file.header, 0, offset + size, MREMAP_MAYMOVE);

	if (is_error(p))
		return NULL;
	sys(SYS_munmap, p, skip);
	/* What is read ahead of a hole are folios larger than this mapping, and to touch a page of one costs what all of it does (ext4,
	 * Linux 6.18: 9 us a page, else 2). */
	sys(SYS_madvise, (char *)p + skip, offset - skip + size, MADV_RANDOM);
	return (char *)p + offset;
}

/* A mapping keeps its mount in use.  In another mount namespace (unshare(2), setns(2)) that is a copy, which the program may unmount,
 * or leave for good; the header's is in use anyway.  */
static void *map_part(int fd, uint64_t offset, uint64_t size)
{
	return mount_of(fd) == file.mount ? map(fd, offset, size) : map_without_fd(offset, size);
}

/* What is written in large pieces lies in large folios, whose pages take half as long to touch (ext4, Linux 6.18).  */
static bool write_zeros(int fd, uint64_t offset, uint64_t size)
{
	enum { PIECES = 32 };
	static const char zeros[4096];
	struct iovec piece[PIECES];
	uint64_t n;

	for (int i = 0; i < PIECES; i++)
		piece[i] = (struct iovec){(void *)zeros, sizeof zeros};
	for (; size; size -= n, offset += n) {
		n = size < PIECES * sizeof zeros ? size : PIECES * sizeof zeros;
		if (sys(SYS_pwritev, fd, piece, n / sizeof zeros, offset, 0) != (long)n)
			return false;
	}
	return true;
}

/* Reserves the range on disk, to be touched now or not; the file grows to it.  An enum trace_stop.  */
static enum trace_stop reserve(int fd, uint64_t offset, uint64_t size, bool touch)
{
	struct rlimit limit;
	long result;

	/* Beyond RLIMIT_FSIZE the kernel would send SIGXFSZ (setrlimit(2)).  */
	if (sys(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) == 0 && offset + size > limit.rlim_cur)
		return TRACE_STOP_FSIZE;
	result = sys(SYS_fallocate, fd, 0, offset, size);
	if (result < 0 && result != -EOPNOTSUPP && result != -ENOSYS)
		return TRACE_STOP_DISK;
	if (result == 0 && !touch)
		return TRACE_STOP_NONE;
	return write_zeros(fd, offset, size) ? TRACE_STOP_NONE : TRACE_STOP_DISK;
}

/* Makes the file as long as it may become: a hole.  In a process with threads it is not opened any more then, for an fd of ours would
 * have the lowest free number for a moment, which another thread may count on.  */
static void lengthen(int fd)
{
	uint64_t length = TRACE_HEADER_SIZE + file.control->budget;
	struct rlimit limit;

	if (sys(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) == 0 && limit.rlim_cur < length)
		length = limit.rlim_cur;
	/* Since Linux 5.14: room in a hole is to be had, or refused, without a SIGBUS. */
	if (length > file.header->next && sys(SYS_madvise, file.header, file.page, MADV_POPULATE_WRITE) == 0 &&
	    sys(SYS_ftruncate, fd, length) == 0)
		file.length = length;
}

/* Takes `size` bytes of the whole tree's budget.  */
static bool take_budget(uint64_t size)
{
	uint64_t used = __atomic_load_n(&file.control->used, __ATOMIC_RELAXED);

	do
		if (used + size > file.control->budget)
			return false;
	while (!__atomic_compare_exchange_n(&file.control->used, &used, used + size, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

static void give_budget_back(uint64_t size)
{
	__atomic_fetch_sub(&file.control->used, size, __ATOMIC_RELAXED);
}

static void fill_preamble(struct trace_preamble *p, const char *magic, enum clock_source source)
{
	p->version = TRACE_VERSION;
	p->byte_order = TRACE_BYTE_ORDER;
	p->record_size = sizeof(struct trace_record);
	p->page_size = (uint32_t)file.page;
	p->clock = source == CLOCK_NANOSECONDS ? TRACE_CLOCK_MONOTONIC : TRACE_CLOCK_TSC;
	p->start_ns = clock_ns();
	p->start_ticks = source == CLOCK_TSC ? arch_ticks() : source == CLOCK_SCALED ? clock_ticks() : p->start_ns;
	/* Last: whoever is killed before leaves a file that says so. */
	__asm__ volatile("" ::: "memory");
	memcpy(p->magic, magic, sizeof p->magic);
}

/* A file that is not there under its name for long.  */
static long create_temporary(int dir, char name[32])
{
	struct text t = {name, name + 31};

	text_string(&t, TRACE_CONTROL_NAME ".");
	text_number(&t, (uint64_t)sys(SYS_getpid), 10);
	*t.at = 0;
	return sys(SYS_openat, dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Makes the control file under another name and links it into place: whoever comes first wins, and nobody sees half a file.  */
static void create_control(int dir)
{
	char temporary[32];
	struct trace_control *c;
	struct timespec now;
	long fd = create_temporary(dir, temporary);

	if (fd < 0)
		return;
	c = reserve((int)fd, 0, TRACE_HEADER_SIZE, false) == TRACE_STOP_NONE ? map((int)fd, 0, TRACE_HEADER_SIZE) : NULL;
	if (c) {
		fill_preamble(&c->preamble, TRACE_CONTROL_MAGIC, clock_tsc_is_trusted() ? CLOCK_TSC : CLOCK_NANOSECONDS);
		sys(SYS_clock_gettime, CLOCK_REALTIME, &now);
		c->start_realtime_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
		c->budget = config.max_size;
		memcpy(c->filter, config.filter, sizeof c->filter);
		if (config.off) {
			c->switched[0] = (struct trace_switch){c->preamble.start_ns, (uint32_t)sys(SYS_getpid), 1};
			c->switches = c->off = 1;
		}
		c->used = TRACE_HEADER_SIZE;
		sys(SYS_munmap, c, TRACE_HEADER_SIZE);
		sys(SYS_linkat, dir, temporary, dir, TRACE_CONTROL_NAME, 0);
	}
	sys(SYS_unlinkat, dir, temporary, 0);
	sys(SYS_close, fd);
}

/* Whether a file there belongs to whom our own would belong: on some file systems (NFS, FAT) that is not the process's user.  */
static bool is_ours(int dir, uid_t owner)
{
	char temporary[32];
	struct stat made = {.st_uid = ~owner};
	long fd;

	if (owner == (uid_t)sys(SYS_geteuid))
		return true;
	fd = create_temporary(dir, temporary);
	if (fd < 0)
		return false;
	sys(SYS_fstat, fd, &made);
	sys(SYS_unlinkat, dir, temporary, 0);
	sys(SYS_close, fd);
	return made.st_uid == owner;
}

/* Another user could cut a file of his own short while it is mapped, which is a SIGBUS; and one that is too short is one already.  */
static bool is_control(int dir, int fd)
{
	struct stat st;

	return sys(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= (off_t)TRACE_HEADER_SIZE &&
	       is_ours(dir, st.st_uid);
}

static bool is_known(const struct trace_preamble *p)
{
	return !memcmp(p->magic, TRACE_CONTROL_MAGIC, sizeof p->magic) && p->version == TRACE_VERSION &&
	       p->byte_order == TRACE_BYTE_ORDER && p->record_size == sizeof(struct trace_record) && !p->features;
}

/* Maps the control file, making it where there is none.  */
static bool open_control(int dir)
{
	struct trace_control *c;
	long fd;

	for (int tries = 0; tries < 2; tries++) {
		fd = sys(SYS_openat, dir, TRACE_CONTROL_NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (fd != -ENOENT)
			break;
		create_control(dir);
	}
	if (fd < 0)
		return false;
	c = is_control(dir, (int)fd) ? map((int)fd, 0, TRACE_HEADER_SIZE) : NULL;
	sys(SYS_close, fd);
	if (!c)
		return false;
	if (!is_known(&c->preamble)) {
		sys(SYS_munmap, c, TRACE_HEADER_SIZE);
		return false;
	}
	if (c->preamble.clock == TRACE_CLOCK_TSC && clock_source == CLOCK_NANOSECONDS)
		clock_source = CLOCK_TSC;
	file.control = c;
	if (tracefile_gate == &open_gate)
		tracefile_gate = &c->off;
	return true;
}

/* Opens the trace directory; makes it where EAGAIN_TRACE named one that is not there.  (The command makes it itself, and names it
 * as DIR/., which cannot be made: nobody brings a directory back that has been removed.)  */
static long open_directory(void)
{
	long dir = sys(SYS_openat, AT_FDCWD, config.trace, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (dir != -ENOENT || file.forked)
		return dir;
	sys(SYS_mkdirat, AT_FDCWD, config.trace, 0700);
	return sys(SYS_openat, AT_FDCWD, config.trace, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

void tracefile_make(void)
{
	long dir = open_directory();

	if (dir < 0)
		return;
	/* A mapping would keep the mount in use. */
	if (open_control((int)dir))
		sys(SYS_munmap, file.control, TRACE_HEADER_SIZE);
	file.control = NULL;
	tracefile_gate = &open_gate;
	sys(SYS_close, dir);
}

static void read_command(struct trace_process *p)
{
	long fd = sys(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC), n;

	if (fd < 0)
		return;
	n = sys(SYS_read, fd, p->command, sizeof p->command);
	if (n > 0)
		p->command_size = (uint32_t)n;
	sys(SYS_close, fd);
}

/* Creates PID.N, the first N that is free: a pid may come back, and an exec keeps it.  */
static long create_file(int dir)
{
	long fd = -EEXIST;
	uint64_t pid = (uint64_t)sys(SYS_getpid);

	for (unsigned n = 0; fd == -EEXIST && n < 1u << 20; n++) {
		struct text t = {file.name, file.name + sizeof file.name - 1};

		text_number(&t, pid, 10);
		text_char(&t, '.');
		text_number(&t, n, 10);
		*t.at = 0;
		fd = sys(SYS_openat, dir, file.name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	}
	return fd;
}

static void count_lost(uint64_t n)
{
	if (file.started)
		__atomic_fetch_add(&file.header->lost_events, n, __ATOMIC_RELAXED);
	else if (file.control)
		__atomic_fetch_add(&file.control->lost_events, n, __ATOMIC_RELAXED);
}

static void note_stop(enum trace_stop why)
{
	if (file.started)
		STORE(file.header->stop, why);
}

/* Of the calling thread, where somebody wants to know.  */
static uint64_t major_faults(void)
{
	struct rusage r = {0};

	if (file.files == TRACE_FILES_ON)
		sys(SYS_getrusage, RUSAGE_THREAD, &r);
	return (uint64_t)r.ru_majflt;
}

/* This process's own file, with its header.  The caller has blocked signals.  The file's fd, or -1.  */
static long start_process(void)
{
	uint64_t before = major_faults();
	struct trace_process *p = NULL;
	long dir = shim_sandboxed ? -EPERM : open_directory(), fd = -1;

	file.started = false;
	file.length = 0;
	file.extending = 0;
	next_lap();
	if (dir >= 0 && !file.control)
		open_control((int)dir);
	if (file.control) {
		if (dir >= 0 && take_budget(TRACE_HEADER_SIZE)) {
			fd = create_file((int)dir);
			if (fd >= 0 && sys(SYS_fstat, fd, &file.created) == 0 &&
			    reserve((int)fd, 0, TRACE_HEADER_SIZE, false) == TRACE_STOP_NONE)
				p = map((int)fd, 0, TRACE_HEADER_SIZE);
			if (!p) {
				give_budget_back(TRACE_HEADER_SIZE);
				if (fd >= 0)
					sys(SYS_unlinkat, dir, file.name, 0);
			}
		}
		if (!p)
			__atomic_fetch_add(&file.control->lost_processes, 1, __ATOMIC_RELAXED);
	}
	if (p) {
		p->pid = (uint32_t)sys(SYS_getpid);
		p->ppid = (uint32_t)sys(SYS_getppid);
		p->origin = file.forked ? TRACE_ORIGIN_FORK : file.origin;
		p->mode = config.switching == SWITCH_FLAG;
		p->start_cpu_ns = file.forked ? 0 : clock_cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
		p->stall_ns = config.stall_ns;
		p->stacks = config.stacks;
		p->files = file.files;
		p->start_faults = file.forked ? 0 : file.start_faults;
		p->unsampled = file.unsampled;
		p->next = TRACE_HEADER_SIZE;
		read_command(p);
		fill_preamble(&p->preamble, TRACE_PROCESS_MAGIC, clock_source);
		file.mount = mount_of((int)fd);
		file.header = p;
		file.op = 0;
		file.faults = major_faults() - before;
		file.started = true;
		if (!libc_is_lone())
			lengthen((int)fd);
	}
	if (fd >= 0 && !p) {
		sys(SYS_close, fd);
		fd = -1;
	}
	if (dir >= 0)
		sys(SYS_close, dir);
	file.first_chunk = CHUNK_FIRST;
	file.forked = true;
	while (spare_end)
		spare[--spare_end].chunk = NULL;
	__atomic_store_n(tracefile_alive, ++file.generation, __ATOMIC_RELEASE);
	return fd;
}

/* The file again, for one chunk more; not another that has its name by now.  */
static long reopen(void)
{
	long dir = sys(SYS_openat, AT_FDCWD, config.trace, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), fd;
	struct stat st;

	if (dir < 0)
		return dir;
	fd = sys(SYS_openat, dir, file.name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	sys(SYS_close, dir);
	if (fd < 0 || (sys(SYS_fstat, fd, &st) == 0 && st.st_ino == file.created.st_ino && st.st_dev == file.created.st_dev))
		return fd;
	sys(SYS_close, fd);
	return -ESTALE;
}

/* A program with a limit on its address space (setrlimit(2), RLIMIT_AS) keeps nearly all of it.  */
static bool fits_address_space(uint64_t size)
{
	struct rlimit limit;

	return !LOAD(file.no_memory) && (sys(SYS_prlimit64, 0, RLIMIT_AS, NULL, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ||
				   LOAD(file.mapped) + size <= limit.rlim_cur / 32);
}

/* A record of this thread's own, where there is still room for it.  */
static void put_own(struct tracefile_thread *t, const struct trace_record *own)
{
	struct trace_record *r = (struct trace_record *)(uintptr_t)t->next;

	if (t->next + sizeof *r > t->end)
		return;
	t->next += sizeof *r;
	memcpy((char *)r + 1, (const char *)own + 1, sizeof *r - 1);
	__atomic_store_n(&r->kind, own->kind, __ATOMIC_RELEASE);
}

static void put_thread(struct tracefile_thread *t)
{
	struct trace_record r = {
		.kind = TRACE_THREAD, .flags = t->own ? TRACE_THREAD_OWN : 0, .fd = (int32_t)t->tid, .t = clock_ticks(),
	};

	if (!shim_sandboxed)
		sys(SYS_prctl, PR_GET_NAME, (char *)&r + TRACE_NAME_AT);
	put_own(t, &r);
}

/* The thread's next chunk is twice as large; the process's first may be small.  */
static uint64_t next_size(const struct tracefile_thread *t)
{
	uint64_t size = t->chunk ? t->chunk->size * 2ull : __atomic_exchange_n(&file.first_chunk, TRACE_CHUNK_UNIT, __ATOMIC_RELAXED);

	if (t->chunk && size < TRACE_CHUNK_UNIT)
		return TRACE_CHUNK_UNIT;
	return size < CHUNK_MAX ? size : CHUNK_MAX;
}

/* The thread's records go there from now on, behind the slot for the call that it is in; which moves along, for whoever takes a chunk
 * may be a handler.  */
static void use_chunk(struct tracefile_thread *t, struct trace_chunk *c)
{
	struct trace_record *now = t->chunk ? (struct trace_record *)(t->chunk + 1) : NULL, *next = (struct trace_record *)(c + 1);

	if (now && now != next) {
		*next = *now;
		__atomic_store_n(&now->kind, TRACE_NONE, __ATOMIC_RELAXED);
	}
	t->chunk = c;
	t->next = (uintptr_t)(next + 1);
	t->end = (uintptr_t)c + c->size;
}

/* Touches the pages all at once, which costs a third of one by one.  False: there is no room for them, or (before Linux 5.14) no way;
 * what they were needed for goes.  */
static bool populate(void *p, uint64_t size, bool needed)
{
	uint64_t skip = (uintptr_t)p & (file.page - 1);
	struct rusage before = {0}, after = {0};
	bool done;

	sys(SYS_getrusage, RUSAGE_THREAD, &before);
	done = sys(SYS_madvise, (char *)p - skip, size + skip, MADV_POPULATE_WRITE) == 0;
	sys(SYS_getrusage, RUSAGE_THREAD, &after);
	/* Those of a vfork child are its own. */
	if (tracefile_is_own()) {
		tracefile_thread.minor += (uint32_t)(after.ru_minflt - before.ru_minflt);
		tracefile_thread.major += (uint32_t)(after.ru_majflt - before.ru_majflt);
		__atomic_fetch_add(&file.faults, (uint64_t)(after.ru_majflt - before.ru_majflt), __ATOMIC_RELAXED);
	}
	if (!done && needed)
		sys(SYS_munmap, (char *)p - skip, size + skip);
	return done;
}

static uint64_t take_offset(uint64_t size)
{
	return __atomic_fetch_add(&file.header->next, size, __ATOMIC_RELAXED);
}

/* Room in the file, which is opened unless fd is it.  *c, and where that is in the file; or why not.  */
static enum trace_stop append(struct trace_chunk **c, uint64_t *offset, uint64_t size, long fd, bool touch)
{
	bool opened = fd < 0;
	enum trace_stop stop;

	if (opened)
		fd = reopen();
	if (fd < 0)
		return TRACE_STOP_OPEN;
	*offset = take_offset(size);
	stop = reserve((int)fd, *offset, size, touch);
	if (stop == TRACE_STOP_NONE && !(*c = map_part((int)fd, *offset, size)))
		stop = TRACE_STOP_MEMORY;
	if (stop == TRACE_STOP_NONE && touch)
		populate(*c, size, false);
	if (opened)
		sys(SYS_close, fd);
	return stop;
}

/* The same in a file that is long enough already.  */
static enum trace_stop fill(struct trace_chunk **c, uint64_t *offset, uint64_t size)
{
	void *p;

	*offset = take_offset(size);
	p = map_without_fd(*offset, size);
	if (!p)
		return TRACE_STOP_MEMORY;
	if (!populate(p, size, true))
		return TRACE_STOP_DISK;
	*c = p;
	return TRACE_STOP_NONE;
}

/* Not while its end is being cut off: that is one system call of a thread which has signals blocked, as we have.  */
static enum trace_stop extend(struct trace_chunk **c, uint64_t *offset, uint64_t size, long fd, bool touch)
{
	enum trace_stop stop;
	uint64_t length;

	while (__atomic_add_fetch(&file.extending, 1, __ATOMIC_SEQ_CST),
	       (length = __atomic_load_n(&file.length, __ATOMIC_SEQ_CST)) == CUT) {
		__atomic_sub_fetch(&file.extending, 1, __ATOMIC_SEQ_CST);
		sys(SYS_sched_yield);
	}
	stop = fd < 0 && LOAD(file.header->next) + size <= length ? fill(c, offset, size) : append(c, offset, size, fd, touch);
	__atomic_sub_fetch(&file.extending, 1, __ATOMIC_SEQ_CST);
	return stop;
}

/* A new chunk of the file, of about this size, for this thread.  fd: the file, or -1.  */
static enum trace_stop take_chunk(struct tracefile_thread *t, uint64_t size, long fd)
{
	uint64_t offset;
	struct trace_chunk *c = NULL;
	enum trace_stop stop;

	if (shim_sandboxed)
		return TRACE_STOP_SANDBOX;
	if (!fits_address_space(size))
		return TRACE_STOP_MEMORY;
	while (!take_budget(size))
		if ((size /= 2) < TRACE_CHUNK_UNIT)
			return TRACE_STOP_BUDGET;
	/* A short-lived process writes few pages; but where page faults are counted, ours are to be told from the program's. */
	stop = extend(&c, &offset, size, fd, t->chunk != NULL || file.files == TRACE_FILES_ON);
	/* Where it could not be mapped the file has grown all the same: that part of the budget is gone. */
	if (stop == TRACE_STOP_MEMORY)
		STORE(file.no_memory, true);
	else if (stop != TRACE_STOP_NONE)
		give_budget_back(size);
	if (stop != TRACE_STOP_NONE)
		return stop;
	__atomic_fetch_add(&file.mapped, size, __ATOMIC_RELAXED);
	t->ring = (t->chunk ? t->ring : 0) + size;
	if (t->chunk)
		repeat_names(size, file.control->budget);
	c->size = (uint32_t)size;
	c->offset = offset;
	c->tid = t->tid;
	c->ns = clock_ns();
	c->ticks = clock_ticks();
	if (t->chunk) {
		c->link = t->chunk->link;
		t->chunk->link = (uintptr_t)c;
	} else {
		c->link = (uintptr_t)c;
	}
	use_chunk(t, c);
	put_thread(t);
	__atomic_store_n(&c->magic, TRACE_CHUNK_MAGIC, __ATOMIC_RELEASE);
	return TRACE_STOP_NONE;
}

/* Empties a chunk, and counts the events that were in it.  */
static void drop_records(struct trace_chunk *c)
{
	struct trace_record *r = (struct trace_record *)(c + 1);
	uint64_t events = 0;

	for (size_t n = (c->size - sizeof *c) / sizeof *r; n; n--, r++) {
		events += r->kind != TRACE_NONE && r->kind != TRACE_TEXT && r->kind != TRACE_NAME && r->kind != TRACE_THREAD;
		memset(r, 0, sizeof *r);
	}
	__atomic_fetch_add(&file.header->dropped_events, events, __ATOMIC_RELAXED);
}

/* The flight recorder: no more chunks are to be had, so the thread's oldest one is written over.  */
static bool come_round(struct tracefile_thread *t)
{
	struct trace_chunk *c;

	if (!t->chunk)
		return false;
	c = (struct trace_chunk *)(uintptr_t)t->chunk->link;
	drop_records(c);
	c->lap++;
	c->tid = t->tid;
	use_chunk(t, c);
	put_thread(t);
	repeat_names(c->size, t->ring);
	return true;
}

/* A chunk that an ended thread left.  */
static bool take_spare(struct tracefile_thread *t)
{
	for (unsigned i = 0; i < __atomic_load_n(&spare_end, __ATOMIC_RELAXED); i++) {
		struct trace_chunk *c = __atomic_load_n(&spare[i].chunk, __ATOMIC_RELAXED);

		/* `next` and `end` belong to whoever has set `chunk` to the mark 1.  */
		if ((uintptr_t)c <= 1 || !__atomic_compare_exchange_n(&spare[i].chunk, &c, (struct trace_chunk *)1, false,
								      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		t->chunk = c;
		t->ring = c->size;
		t->next = spare[i].next;
		t->end = spare[i].end;
		__atomic_store_n(&spare[i].chunk, NULL, __ATOMIC_RELEASE);
		put_thread(t);
		return true;
	}
	return false;
}

/* The thread ends: its chunk's rest goes to the next thread that needs one.  */
static void give_spare(struct tracefile_thread *t)
{
	if (t->generation != *tracefile_alive || !t->chunk || t->end < t->next + 64 * sizeof(struct trace_record))
		return;
	for (unsigned i = 0; i < SPARE_CHUNKS; i++) {
		struct trace_chunk *none = NULL;
		unsigned end = __atomic_load_n(&spare_end, __ATOMIC_RELAXED);

		if (!__atomic_compare_exchange_n(&spare[i].chunk, &none, (struct trace_chunk *)1, false, __ATOMIC_ACQUIRE,
						 __ATOMIC_RELAXED))
			continue;
		while (end <= i && !__atomic_compare_exchange_n(&spare_end, &end, i + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			;
		t->chunk->link = (uintptr_t)t->chunk;
		spare[i].next = t->next;
		spare[i].end = t->end;
		__atomic_store_n(&spare[i].chunk, t->chunk, __ATOMIC_RELEASE);
		t->chunk = NULL;
		t->next = t->end = 0;
		return;
	}
}

/* Has tracefile_thread_end() called when the thread ends.  The key is among the process's first 32, for which
 * pthread_setspecific needs no allocation.  */
static void watch_thread_end(struct tracefile_thread *t)
{
	if (has_thread_key)
		pthread_setspecific(thread_key, t);
}

/* What is known of a thread only at its end: what it was called last, and its CPU time.  */
static void put_end(struct tracefile_thread *t)
{
	struct trace_record r = {.kind = TRACE_USAGE, .fd = (int32_t)t->tid, .t = clock_ticks()};

	if (t->generation != *tracefile_alive || !t->chunk || shim_sandboxed)
		return;
	r.number = (int64_t)clock_cpu_ns(CLOCK_THREAD_CPUTIME_ID);
	put_thread(t);
	put_own(t, &r);
}

static void thread_end(void *thread)
{
	uint64_t all = ~(uint64_t)0, old;

	sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof old);
	if (tracefile_thread_ends)
		tracefile_thread_ends();
	put_end(thread);
	give_spare(thread);
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old);
}

/* The first thread that records after a fork starts the process's file; others wait for it, with signals blocked like it.  True:
 * it had none; then *fd is the file, or -1.  */
static bool start_once(long *fd)
{
	uint32_t none = 0;

	if (__atomic_load_n(tracefile_alive, __ATOMIC_ACQUIRE) == 0 &&
	    __atomic_compare_exchange_n(tracefile_alive, &none, STARTING, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		*fd = start_process();
		return true;
	}
	*fd = -1;
	while (__atomic_load_n(tracefile_alive, __ATOMIC_ACQUIRE) == STARTING)
		sys(SYS_sched_yield);
	return false;
}

/* Sees to it that the process has a file, and the thread knows that it is one of this process.  As start_once().  */
static bool enter_process(struct tracefile_thread *t, long *fd)
{
	bool first = start_once(fd);

	if (t->generation != *tracefile_alive)
		*t = (struct tracefile_thread){.generation = *tracefile_alive, .tid = (uint32_t)sys(SYS_gettid), .own = t->own};
	return first;
}

/* Whether room was refused so lately that it is not asked for again.  */
static bool is_refused(uint32_t *ago)
{
	uint32_t events = LOAD(*ago);

	if (events)
		STORE(*ago, ++events);
	return events % RETRY_AFTER != 0;
}

/* With signals blocked: finds room.  */
static bool find_room(struct tracefile_thread *t, unsigned n)
{
	static uint32_t refused;        /* a hint how long ago room was refused; threads may miscount */
	enum trace_stop stop;
	long fd;

	if (enter_process(t, &fd))
		STORE(refused, 0);
	/* A new thread; or one that had ended, and whose last destructors do I/O. */
	if (file.started && !t->chunk) {
		watch_thread_end(t);
		if (fd < 0 && take_spare(t))
			return true;
	}
	if (!file.started || is_refused(&refused))
		goto lost;
	stop = take_chunk(t, next_size(t), fd);
	if (fd >= 0)
		sys(SYS_close, fd);
	if (stop == TRACE_STOP_NONE) {
		STORE(refused, 0);
		return true;
	}
	note_stop(stop);
	if (come_round(t))
		return true;
	STORE(refused, 1);
lost:
	count_lost(n);
	return false;
}

/* What a lone thread has not used of its chunk at the end of the file; 0 where to cut it off costs more than it is worth.  */
static uint64_t unused_of(const struct tracefile_thread *t)
{
	uint64_t cut = (t->next + file.page - 1) & ~(file.page - 1);

	if (!libc_is_lone() || t->generation != *tracefile_alive || !t->chunk || cut + CHUNK_FIRST >= t->end ||
	    (t->end & (file.page - 1)) != 0 || t->chunk->offset + t->chunk->size != file.header->next)
		return 0;
	return t->end - cut;
}

static void cut(struct tracefile_thread *t, uint64_t unused)
{
	uint64_t end = file.header->next - unused;
	long fd = reopen();

	if (fd < 0)
		return;
	if (sys(SYS_ftruncate, fd, end) == 0 && unused) {
		file.header->next = end;
		t->chunk->size -= (uint32_t)unused;
		t->end -= unused;
		give_budget_back(unused);
	}
	sys(SYS_close, fd);
}

/* Cuts off what will not be used of the file.  */
static void trim(void)
{
	struct tracefile_thread *t = &tracefile_thread;
	uint64_t unused, length, all = ~(uint64_t)0, old;

	sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof old);
	unused = unused_of(t);
	length = unused || file.length > CUT ? __atomic_exchange_n(&file.length, CUT, __ATOMIC_SEQ_CST) : CUT;
	if (length != CUT) {
		bool busy = __atomic_load_n(&file.extending, __ATOMIC_SEQ_CST) != 0;

		if (!busy)
			cut(t, unused);
		__atomic_store_n(&file.length, busy ? length : 0, __ATOMIC_SEQ_CST);
	}
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old);
}

void tracefile_end(void)
{
	if (!tracefile_alive || !tracefile_is_own() || shim_sandboxed)
		return;
	read_command(file.header);
	trim();
}

void tracefile_lengthen(void)
{
	struct tracefile_thread *t = &tracefile_thread;
	uint64_t all = ~(uint64_t)0, old;
	long fd;

	if (!tracefile_alive || shim_sandboxed || (*tracefile_alive && file.length) || !libc_is_lone())
		return;
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof old);
	enter_process(t, &fd);
	if (file.started && fd < 0)
		fd = reopen();
	if (fd >= 0) {
		lengthen((int)fd);
		sys(SYS_close, fd);
	}
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old);
}

void tracefile_provide(bool for_sandbox)
{
	struct tracefile_thread *t = &tracefile_thread;
	uint64_t all = ~(uint64_t)0, old;
	long fd;

	tracefile_lengthen();
	if (file.length && !for_sandbox)
		return;
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof old);
	enter_process(t, &fd);
	if (file.started && (!t->chunk || t->chunk->size < CHUNK_MAX))
		take_chunk(t, CHUNK_MAX, fd);
	if (fd >= 0)
		sys(SYS_close, fd);
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old);
}

bool tracefile_more(unsigned n)
{
	uint64_t all = ~(uint64_t)0, old;
	bool room;

	/* A sandbox need not even allow to block signals. */
	if (shim_sandboxed) {
		count_lost(n);
		note_stop(TRACE_STOP_SANDBOX);
		return false;
	}

	sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof old);
	room = find_room(&tracefile_thread, n);
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old);
	return room;
}
