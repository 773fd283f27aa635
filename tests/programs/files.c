/* files.c - calls on files whose pages are, or are not, in the page cache: files WHAT [FILE...] says what came of each.
 *
 * Exit status 77: the file system does not let go of its pages (tmpfs), or knows no O_DIRECT.  */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PIECE = 16 * PAGE, PIECES = 8, SIZE = PIECE * PIECES, SKIPPED = 77, TRIES = 100 };

static char buffer[SIZE] __attribute__((aligned(PAGE)));
static volatile size_t huge = (size_t)1 << 40;
static char *volatile nowhere = (char *)16;

static void fail(const char *what)
{
	perror(what);
	exit(9);
}

static void tell(const char *what, long result)
{
	printf("%s: %ld%s%s\n", what, result, result < 0 ? " " : "", result < 0 ? strerrorname_np(errno) : "");
}

/* How many pages of fd are in the cache, from `from` for `size` bytes.  */
static size_t count_cached(int fd, off_t from, size_t size)
{
	unsigned char cached[SIZE / PAGE] = {0};
	void *pages = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, from);
	size_t count = 0;

	if (pages == MAP_FAILED || mincore(pages, size, cached) < 0)
		fail("mincore");
	munmap(pages, size);
	for (size_t i = 0; i < size / PAGE; i++)
		count += cached[i] & 1;
	return count;
}

/* Pages that somebody holds just now stay: then once more.  */
static void drop(int fd, off_t from, size_t size)
{
	for (int i = 0; i < TRIES; i++) {
		if (fsync(fd) < 0 || posix_fadvise(fd, from, (off_t)size, POSIX_FADV_DONTNEED) != 0)
			fail("fsync");
		if (!count_cached(fd, from, size))
			return;
	}
	exit(SKIPPED);
}

/* A file whose pages are in the cache, or, if it is cold, are not; what is read does not bring in what comes after it.  */
static int make(bool cold)
{
	int fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0600);

	memset(buffer, 'x', SIZE);
	if (fd < 0 || write(fd, buffer, SIZE) != SIZE || lseek(fd, 0, SEEK_SET) < 0)
		fail("data");
	if (posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM) != 0)
		fail("posix_fadvise");
	if (cold)
		drop(fd, 0, SIZE);
	return fd;
}

/* Each call that reads, of a piece of its own.  */
static void read_all(int fd)
{
	struct iovec two[2] = {{buffer, PAGE}, {buffer + PAGE, PIECE - PAGE}};

	tell("read", read(fd, buffer, PIECE));
	tell("readv", readv(fd, two, 2));
	tell("pread", pread(fd, buffer, PIECE, 2 * PIECE));
	tell("preadv", preadv(fd, two, 2, 3 * PIECE));
	tell("preadv2", preadv2(fd, two, 2, 4 * PIECE, 0));
	tell("position", lseek(fd, 0, SEEK_CUR));
}

static void cached(char **unused)
{
	(void)unused;
	read_all(make(false));
}

static void cold(char **unused)
{
	(void)unused;
	read_all(make(true));
}

static void half(char **unused)
{
	int fd = make(true);

	(void)unused;
	tell("first half", pread(fd, buffer, SIZE / 2, 0));
	tell("in the cache", (long)count_cached(fd, 0, SIZE));
	tell("all", pread(fd, buffer, SIZE, 0));
	tell("again", pread(fd, buffer, SIZE, 0));
}

/* Nothing of it waits.  */
static void edges(char **unused)
{
	int fd = make(false), sparse = open("sparse", O_RDWR | O_CREAT | O_TRUNC, 0600), fds[2];

	(void)unused;
	tell("nothing", read(fd, buffer, 0));
	tell("past the end", pread(fd, buffer, SIZE, SIZE - PAGE));
	tell("a huge length", pread(fd, buffer, huge, SIZE - 10));
	tell("far behind the end", pread(fd, buffer, SIZE, (off_t)huge));
	tell("a bad offset", pread(fd, buffer, SIZE, -1));
	tell("a bad buffer", pread(fd, nowhere, SIZE, 0));
	tell("a bad number", pread(1000, buffer, SIZE, 0));
	tell("at the end", lseek(fd, 0, SEEK_END));
	tell("end of file", read(fd, buffer, SIZE));
	if (sparse < 0 || ftruncate(sparse, SIZE) < 0 || pipe(fds) < 0)
		fail("sparse");
	tell("a hole", read(sparse, buffer, SIZE));
	tell("of which there is", buffer[0]);
	tell("a pipe", write(fds[1], "x", 1) + read(fds[0], buffer, SIZE));
	tell("a directory", read(open(".", O_RDONLY), buffer, SIZE));
}

static void *read_cold(void *fd)
{
	return (void *)pread(*(int *)fd, buffer, PIECE, PIECE);
}

/* From a thread, and from a child.  */
static void elsewhere(char **unused)
{
	int fd = make(true), status;
	pthread_t thread;
	void *result = NULL;

	(void)unused;
	if (pthread_create(&thread, NULL, read_cold, &fd) != 0 || pthread_join(thread, &result) != 0)
		fail("pthread_create");
	tell("in a thread", (long)result);
	if (fork() == 0)
		_exit(pread(fd, buffer, PIECE, 2L * PIECE) != PIECE);
	tell("in a child", wait(&status) < 0 ? -1 : status);
}

/* O_DIRECT from the open, by fcntl, taken back, in a copy, and found in a child's program.  */
static void direct(char **argv)
{
	int fd = make(true), made = open("data", O_RDWR | O_DIRECT), status;

	if (made < 0)
		exit(SKIPPED);
	tell("opened so", pread(made, buffer, PIECE, 0));
	tell("written so", pwrite(made, buffer, PIECE, 0));
	tell("to where it may not", pread(made, buffer + 1, PAGE, 0));
	tell("in a copy", pread(dup(made), buffer, PIECE, PIECE));
	tell("plain", pread(fd, buffer, PAGE, 0));
	if (fcntl(fd, F_SETFL, O_DIRECT) < 0)
		fail("fcntl");
	tell("by fcntl", pread(fd, buffer, PIECE, 0));
	if (fcntl(fd, F_SETFL, 0) < 0)
		fail("fcntl");
	tell("no more", pread(fd, buffer, PIECE, 0));
	if (fork() == 0) {
		dup2(made, 0);
		execl(argv[0], argv[0], "stdin", (char *)NULL);
		_exit(8);
	}
	tell("in a child's program", wait(&status) < 0 ? -1 : status);
}

static void from_stdin(char **unused)
{
	(void)unused;
	tell("from stdin", pread(0, buffer, PIECE, 0));
	fflush(stdout);
}

/* What cannot be made non-blocking.  */
static void syncs(char **unused)
{
	int fd = make(true);
	struct stat st;
	struct stat64 st64;
	struct statx sx;
	char *page;

	(void)unused;
	tell("pwrite", pwrite(fd, buffer, PAGE, 0));
	tell("fsync", fsync(fd));
	buffer[0] = 'y';
	tell("pwrite", pwrite(fd, buffer, PAGE, 0));
	tell("fdatasync", fdatasync(fd));
	tell("pwrite", pwrite(fd, buffer, PAGE, PAGE));
	tell("sync_file_range", sync_file_range(fd, 0, SIZE, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
	tell("sync_file_range, wrong", sync_file_range(fd, 0, SIZE, 1000));
	tell("syncfs", syncfs(fd));
	tell("syncfs of none", syncfs(-1));
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		fail("mmap");
	*page = 'z';
	tell("msync", msync(page, PAGE, MS_SYNC));
	tell("msync, wrong", msync(page + 1, PAGE, MS_SYNC));
	tell("stat", stat("data", &st) + (st.st_size != SIZE));
	tell("stat of none", stat("none", &st));
	tell("lstat", lstat("data", &st) + (st.st_size != SIZE));
	tell("fstatat", fstatat(AT_FDCWD, "data", &st, 0) + (st.st_size != SIZE));
	tell("fstatat of an fd", fstatat(fd, "", &st, AT_EMPTY_PATH) + (st.st_size != SIZE));
	tell("stat64", stat64("data", &st64) + (st64.st_size != SIZE));
	tell("lstat64", lstat64("data", &st64) + (st64.st_size != SIZE));
	tell("fstatat64", fstatat64(AT_FDCWD, "data", &st64, 0) + (st64.st_size != SIZE));
	tell("statx", statx(AT_FDCWD, "data", 0, STATX_SIZE, &sx) + (sx.stx_size != SIZE));
	tell("statx, wrong", statx(AT_FDCWD, "data", 1 << 30, STATX_SIZE, &sx));
	tell("stat of a bad pointer", stat(nowhere, &st));
	tell("close", close(fd));
	tell("close again", close(fd));
}

static void sync_all(char **unused)
{
	(void)unused;
	sync();
}

/* Page faults that wait for the disk, a page each.  */
static void faults(char **unused)
{
	int fd = make(true), sum = 0;
	char *pages = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, fd, 0);

	(void)unused;
	if (pages == MAP_FAILED || madvise(pages, SIZE, MADV_RANDOM) < 0)
		fail("mmap");
	for (int i = 0; i < SIZE; i += PAGE)
		sum += pages[i];
	tell("sum", sum);
}

static volatile bool closing;

static void *close_it(void *fd)
{
	closing = true;
	tell("close", close(*(int *)fd));
	return NULL;
}

/* What this call is from now on: a death, or an error; for all threads.  */
static void forbid(unsigned call, unsigned how)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, how),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof code / sizeof *code, code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) < 0)
		exit(SKIPPED);
}

static void sandbox(char **unused)
{
	int fd = make(true);

	(void)unused;
	tell("before", pread(fd, buffer, PIECE, 0));
	forbid(SYS_getrusage, SECCOMP_RET_KILL_PROCESS);
	tell("cold", pread(fd, buffer, PIECE, PIECE));
	tell("cached", pread(fd, buffer, PIECE, 0));
}

/* CMD... in such a sandbox.  */
static void jail(char **argv)
{
	forbid(SYS_getrusage, SECCOMP_RET_ERRNO | EPERM);
	execvp(argv[2], argv + 2);
	fail(argv[2]);
}

/* Another thread enters the sandbox for this one, too, which is in a call that takes long.  */
static void sealed(char **unused)
{
	enum { LARGE = 128 << 20, SOON_US = 1000 };
	pthread_t thread;
	int fd = memfd_create("large", 0);

	(void)unused;
	if (fallocate(fd, 0, 0, LARGE) < 0)
		exit(SKIPPED);
	tell("pread", pread(fd, buffer, 1, 0));
	if (pthread_create(&thread, NULL, close_it, &fd) != 0)
		fail("pthread_create");
	while (!closing)
		;
	usleep(SOON_US);
	forbid(SYS_getrusage, SECCOMP_RET_KILL_PROCESS);
	pthread_join(thread, NULL);
}

/* As in a container whose sandbox is older than the call.  */
static void unknown(char **unused)
{
	struct iovec part = {buffer, 4};
	int fd = make(true), pair[2];
	struct statx sx;

	(void)unused;
	if (pipe(pair) < 0)
		fail("pipe");
	forbid(SYS_statx, SECCOMP_RET_ERRNO | ENOSYS);
	forbid(SYS_preadv2, SECCOMP_RET_ERRNO | ENOSYS);
	forbid(SYS_pwritev2, SECCOMP_RET_ERRNO | ENOSYS);
	tell("preadv2", preadv2(fd, &part, 1, 0, 0));
	tell("preadv2 with a flag", preadv2(fd, &part, 1, 0, RWF_NOWAIT));
	tell("pwritev2 to a pipe", pwritev2(pair[1], &part, 1, -1, 0));
	tell("preadv2 from a pipe", preadv2(pair[0], &part, 1, -1, 0));
	tell("statx", statx(AT_FDCWD, "data", 0, STATX_SIZE, &sx));
	tell("statx of an fd", statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &sx));
	tell("statx of none", statx(AT_FDCWD, "none", 0, STATX_SIZE, &sx));
}

static void look_at_it(int unused)
{
	struct stat st;

	(void)unused;
	stat("data", &st);
}

/* The opening of a FIFO is interrupted, and an fsync by a handler that looks at a file.  */
static void interrupted(char **unused)
{
	struct sigaction action = {.sa_handler = look_at_it};
	/* Again and again, for the first may come before the call. */
	struct itimerval soon = {{0, 20000}, {0, 20000}}, sooner = {.it_value.tv_usec = 200}, never = {{0, 0}, {0, 0}};
	int fd;

	(void)unused;
	closefrom(3);
	fd = make(true);
	sigaction(SIGALRM, &action, NULL);
	if (mkfifo("fifo", 0600) < 0)
		fail("mkfifo");
	setitimer(ITIMER_REAL, &soon, NULL);
	tell("open", open("fifo", O_RDONLY));
	setitimer(ITIMER_REAL, &never, NULL);
	unlink("fifo");
	pwrite(fd, buffer, SIZE, 0);
	setitimer(ITIMER_REAL, &sooner, NULL);
	tell("fsync", fsync(fd));
}

/* FILE... are not in the cache any more.  */
static void forget(char **argv)
{
	struct stat st;

	for (char **path = argv + 2; *path; path++) {
		int fd = open(*path, O_RDONLY);

		if (fd < 0 || fstat(fd, &st) < 0)
			fail(*path);
		drop(fd, 0, st.st_size < SIZE ? (size_t)(st.st_size + PAGE - 1) / PAGE * PAGE : SIZE);
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*function)(char **argv);
	} all[] = {
		{"cached", cached}, {"cold", cold}, {"half", half}, {"edges", edges}, {"elsewhere", elsewhere}, {"direct", direct},
		{"stdin", from_stdin}, {"syncs", syncs}, {"sync", sync_all}, {"faults", faults}, {"sandbox", sandbox}, {"jail", jail},
		{"forget", forget}, {"sealed", sealed}, {"unknown", unknown}, {"interrupted", interrupted},
	};

	for (size_t i = 0; argc > 1 && i < sizeof all / sizeof *all; i++)
		if (!strcmp(argv[1], all[i].name)) {
			all[i].function(argv);
			unlink("data");
			unlink("sparse");
			return 0;
		}
	fputs("usage: files WHAT [FILE...]\n", stderr);
	return 2;
}
