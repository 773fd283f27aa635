/* transfers.c - what is read and written, on each kind of fd, and in which order.  */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aio.h"

static void check(const char *what, const unsigned char *bytes, size_t n, size_t from)
{
	size_t wrong = 0;

	for (size_t i = 0; i < n; i++)
		wrong += bytes[i] != pattern(from + i);
	tell("%s: %zu wrong", what, wrong);
}

static void read_and_tell(const char *what, int fd, size_t size, off_t offset)
{
	unsigned char *bytes = calloc(1, size + 1);
	struct aiocb b = request(fd, bytes, size, offset);
	int result = aio_read(&b);
	long n;

	if (result < 0) {
		tell("%s: aio_read: %s", what, result_text(result));
		return;
	}
	n = await(&b);
	tell("%s: %s", what, result_text(n));
	if (n > 0 && fd > 2 && offset >= 0)
		check(what, bytes, (size_t)n, (size_t)offset);
	tell("once more: %ld %d", (long)aio_return(&b), aio_error(&b) != 0);
	free(bytes);
}

static void write_and_tell(const char *what, int fd, const void *bytes, size_t size, off_t offset)
{
	struct aiocb b = request(fd, (void *)(uintptr_t)bytes, size, offset);
	int result = aio_write(&b);

	if (result < 0)
		tell("%s: aio_write: %s", what, result_text(result));
	else
		tell_end(what, &b);
}

static void tell_size(int fd)
{
	struct stat st;

	need(fstat(fd, &st) == 0, "fstat");
	tell("size %ld, position %ld", (long)st.st_size, (long)lseek(fd, 0, SEEK_CUR));
}

static void read_file(char **argv)
{
	int fd = data_file(10000, O_RDONLY);

	(void)argv;
	read_and_tell("all", fd, 10000, 0);
	read_and_tell("a part", fd, 100, 5000);
	read_and_tell("across the end", fd, 4096, 9000);
	read_and_tell("at the end", fd, 100, 10000);
	read_and_tell("beyond", fd, 100, 1000000);
	read_and_tell("nothing", fd, 0, 0);
	tell_size(fd);
	fd = data_file(3 << 20, O_RDONLY);
	read_and_tell("much", fd, 3 << 20, 0);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	read_and_tell("from the disk", fd, 4096, 8192);
	read_and_tell("much from the disk", fd, 3 << 20, 0);
}

static void write_file(char **argv)
{
	unsigned char bytes[5000];
	int fd = data_file(0, O_RDWR);

	(void)argv;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = pattern(i);
	write_and_tell("at the beginning", fd, bytes, 5000, 0);
	tell_size(fd);
	write_and_tell("after a hole", fd, bytes, 10, 20000);
	tell_size(fd);
	write_and_tell("nothing", fd, bytes, 0, 30000);
	tell_size(fd);
	write_and_tell("within", fd, bytes + 100, 50, 100);
	read_and_tell("read", fd, 5000, 0);
}

static void fd_kinds(char **argv)
{
	int pair[2], fd;
	uint64_t count = 7;

	(void)argv;
	fd = open("/dev/null", O_RDWR);
	read_and_tell("null", fd, 10, 0);
	write_and_tell("null", fd, "text", 4, 0);
	fd = open("/dev/zero", O_RDWR);
	read_and_tell("zero", fd, 1, 0);
	fd = open(".", O_RDONLY);
	read_and_tell("directory", fd, 10, 0);
	write_and_tell("directory", fd, "text", 4, 0);
	read_and_tell("bad", -1, 10, 0);
	write_and_tell("closed", 77, "text", 4, 0);
	fd = open("data", O_CREAT | O_PATH, 0600);
	read_and_tell("path", fd, 10, 0);
	fd = eventfd(3, 0);
	write_and_tell("eventfd", fd, &count, 8, 0);
	fd = open("/proc/self/stat", O_RDONLY);
	read_and_tell("proc", fd, 1, 0);
	need(pipe(pair) == 0 && write(pair[1], "text", 4) == 4, "pipe");
	read_and_tell("pipe, write end", pair[1], 10, 0);
	write_and_tell("pipe, read end", pair[0], "text", 4, 0);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	read_and_tell("not connected", fd, 10, 0);
	write_and_tell("not connected", fd, "text", 4, 0);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	write_and_tell("no address", fd, "text", 4, 0);
	fd = memfd_create("memory", 0);
	write_and_tell("memfd", fd, "text", 4, 10);
	read_and_tell("memfd", fd, 4, 5);
}

static void tell_stream(const char *what, int in, int out)
{
	char to[100] = "";
	struct aiocb b = request(out, "some text", 9, 12345), c = request(in, to, sizeof to, 54321);

	aio_write(&b);
	tell_end(what, &b);
	aio_read(&c);
	tell_end(what, &c);
	tell("%s", to);
	b = request(in, to, 0, 0);
	aio_read(&b);
	tell_end("nothing", &b);
	close(out);
	c = request(in, to, sizeof to, 0);
	aio_read(&c);
	tell_end("closed", &c);
	close(in);
}

static void streams(char **argv)
{
	static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET};
	int pair[2];

	(void)argv;
	need(pipe(pair) == 0, "pipe");
	tell_stream("pipe", pair[0], pair[1]);
	for (int i = 0; i < 2; i++) {
		need(socketpair(AF_UNIX, types[i], 0, pair) == 0, "socketpair");
		tell_stream(i ? "packets" : "stream", pair[0], pair[1]);
	}
	need(mkfifo("fifo", 0600) == 0, "fifo");
	pair[0] = open("fifo", O_RDWR);
	pair[1] = open("fifo", O_RDWR);
	unlink("fifo");
	write_and_tell("fifo", pair[1], "text", 4, 0);
	read_and_tell("fifo", pair[0], 1, 0);
	need(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0, "socketpair");
	write_and_tell("datagram", pair[1], "text", 4, 0);
	write_and_tell("datagram", pair[1], "more", 4, 0);
	read_and_tell("datagram", pair[0], 1, 0);
	read_and_tell("datagram", pair[0], 1, 0);
}

static void bad_arguments(char **argv)
{
	char byte[100];
	int fd = data_file(100, O_RDWR), pair[2];
	struct aiocb b = request(fd, byte, 1, 0);

	(void)argv;
	need(pipe(pair) == 0, "pipe");
	for (int priority = -1; priority <= 21; priority += 11) {
		b.aio_reqprio = priority == 21 ? 21 : priority;
		tell("priority %d: %s", b.aio_reqprio, result_text(aio_read(&b)));
		tell_end("then", &b);
	}
	b = request(fd, byte, 1, 0);
	b.aio_reqprio = 20;
	tell("priority 20: %s", result_text(aio_write(&b)));
	tell_end("then", &b);
	read_and_tell("offset", fd, 1, -1);
	read_and_tell("offset, pipe", pair[0], 1, -1);
	write_and_tell("offset", fd, byte, 1, -5);
	read_and_tell("offset, bad fd", -1, 1, -1);
	b = request(fd, (void *)16, 100, 0);
	aio_read(&b);
	tell_end("address", &b);
	b = request(fd, (void *)16, 100, 0);
	aio_write(&b);
	tell_end("address", &b);
	b = request(pair[1], (void *)16, 100, 0);
	aio_write(&b);
	tell_end("address, pipe", &b);
	b = request(fd, byte, 1, 0x7fffffffffffffff);
	aio_write(&b);
	tell_end("far", &b);
	b = request(fd, byte, (size_t)-1, 0);
	aio_read(&b);
	tell_end("size", &b);
	fd = open("data", O_RDONLY);
	write_and_tell("to be read", fd, byte, 1, 0);
	fd = open("data", O_WRONLY);
	read_and_tell("to be written", fd, 1, 0);
}

static void bad_address(char **argv)
{
	char *two = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = data_file(20000, O_RDWR);
	struct aiocb b;

	(void)argv;
	need(two != MAP_FAILED && mprotect(two + 4096, 4096, PROT_NONE) == 0, "mmap");
	b = request(fd, two + 4000, 1000, 0);
	aio_read(&b);
	tell_end("read to the end of what is mapped", &b);
	b = request(fd, two + 4000, 1000, 0);
	aio_write(&b);
	tell_end("written from it", &b);
}

static void sync_file(char **argv)
{
	int fd = data_file(100, O_RDWR), pair[2], i;
	struct aiocb writes[32], b = request(fd, NULL, 0, 0);
	static char bytes[32][4096];

	(void)argv;
	need(pipe(pair) == 0, "pipe");
	for (i = 0; i < 32; i++) {
		writes[i] = request(fd, bytes[i], sizeof bytes[i], i * 4096);
		need(aio_write(&writes[i]) == 0, "aio_write");
	}
	b.aio_reqprio = 5;
	tell("fsync: %s", result_text(aio_fsync(O_SYNC, &b)));
	tell_end("then", &b);
	tell("priority %d, opcode %d", b.aio_reqprio, b.aio_lio_opcode);
	for (i = 0; i < 32 && aio_error(&writes[i]) == 0; i++)
		;
	tell("%d were written before", i);
	tell("fdatasync: %s", result_text(aio_fsync(O_DSYNC, &b)));
	tell_end("then", &b);
	tell("neither: %s", result_text(aio_fsync(O_RDWR, &b)));
	b = request(-1, NULL, 0, 0);
	tell("bad fd: %s", result_text(aio_fsync(O_SYNC, &b)));
	b = request(open("data", O_RDONLY), NULL, 0, 0);
	tell("to be read: %s", result_text(aio_fsync(O_SYNC, &b)));
	b = request(pair[1], NULL, 0, 0);
	tell("pipe: %s", result_text(aio_fsync(O_SYNC, &b)));
	moment();
	tell_end("then", &b);
}

static void direct(char **argv)
{
	unsigned char *bytes = NULL;
	int fd = data_file(8192, O_RDWR), direct_fd = open("data", O_RDWR | O_DIRECT);
	struct aiocb b;

	(void)argv;
	if (direct_fd < 0) {
		tell("no O_DIRECT here");
		return;
	}
	need(fsync(fd) == 0 && posix_memalign((void **)&bytes, 4096, 8192) == 0, "memory");
	b = request(direct_fd, bytes, 4096, 4096);
	aio_read(&b);
	tell_end("aligned", &b);
	check("aligned", bytes, 4096, 4096);
	b = request(direct_fd, bytes, 100, 0);
	aio_read(&b);
	tell_end("size", &b);
	b = request(direct_fd, bytes, 4096, 7);
	aio_read(&b);
	tell_end("offset", &b);
	b = request(direct_fd, bytes, 4096, 8192);
	aio_read(&b);
	tell_end("end", &b);
	b = request(direct_fd, bytes, 4096, 7);
	aio_write(&b);
	tell_end("written", &b);
	memset(bytes, 'x', 4096);
	b = request(direct_fd, bytes, 4096, 0);
	aio_write(&b);
	tell_end("written", &b);
	need(pread(fd, bytes + 4096, 4096, 0) == 4096, "pread");
	tell("%d", memcmp(bytes, bytes + 4096, 4096));
}

static volatile sig_atomic_t signals;

static void count(int signal)
{
	(void)signal;
	signals++;
}

static void file_size(char **argv)
{
	struct rlimit limit = {10000, 10000};
	int fd = data_file(0, O_RDWR);
	static char bytes[200000];

	(void)argv;
	signal(SIGXFSZ, count);
	need(setrlimit(RLIMIT_FSIZE, &limit) == 0, "setrlimit");
	write_and_tell("below", fd, bytes, 1000, 0);
	write_and_tell("across", fd, bytes, 1000, 9500);
	write_and_tell("above", fd, bytes, 1000, 10000);
	write_and_tell("much", fd, bytes, sizeof bytes, 0);
	write_and_tell("much above", fd, bytes, sizeof bytes, 10000);
	tell("%d signals", (int)signals);
}

static void broken_pipe(char **argv)
{
	int pair[2];

	(void)argv;
	signal(SIGPIPE, count);
	need(pipe(pair) == 0, "pipe");
	close(pair[0]);
	write_and_tell("pipe", pair[1], "text", 4, 0);
	need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
	close(pair[0]);
	write_and_tell("socket", pair[1], "text", 4, 0);
	tell("%d signals", (int)signals);
}

static void nonblocking(char **argv)
{
	int pair[2];
	struct timeval timeout = {.tv_usec = 20000};

	(void)argv;
	need(pipe2(pair, O_NONBLOCK) == 0, "pipe");
	read_and_tell("pipe", pair[0], 1, 0);
	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0, "socketpair");
	read_and_tell("socket", pair[0], 1, 0);
	need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 &&
	     setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0, "socketpair");
	read_and_tell("timeout", pair[0], 1, 0);
	read_and_tell("file", data_file(100, O_RDONLY | O_NONBLOCK), 100, 0);
}

enum { MANY = 64 };

/* Writes that append, on a pipe and on a file: in the order in which they were asked for.  */
static void write_in_order(const char *what, int fd)
{
	static char bytes[MANY][2];
	struct aiocb b[MANY];
	int bad = 0;

	for (int i = 0; i < MANY; i++) {
		bytes[i][0] = (char)(' ' + i);
		b[i] = request(fd, bytes[i], 1, 0);
		need(aio_write(&b[i]) == 0, "aio_write");
	}
	for (int i = 0; i < MANY; i++)
		bad += await(&b[i]) != 1;
	tell("%s: %d went wrong", what, bad);
}

static void order(char **argv)
{
	char to[MANY + 1] = "", each[MANY][2];
	struct aiocb b[MANY];
	int fd = data_file(0, O_RDWR | O_APPEND), pair[2];

	(void)argv;
	write_in_order("append", fd);
	need(pread(fd, to, MANY, 0) == MANY, "pread");
	tell("%s", to);
	need(pipe(pair) == 0, "pipe");
	write_in_order("pipe", pair[1]);
	need(read(pair[0], to, MANY) == MANY, "read");
	tell("%s", to);
	need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
	for (int i = 0; i < MANY; i++) {
		b[i] = request(pair[0], each[i], 1, 0);
		need(aio_read(&b[i]) == 0, "aio_read");
	}
	need(write(pair[1], to, MANY) == MANY, "write");
	for (int i = 0; i < MANY; i++)
		to[i] = await(&b[i]) == 1 ? each[i][0] : '!';
	tell("%s", to);
}

/* Where requests overlap, a read sees what was written before, and the last write stays.  */
static void overlaps(char **argv)
{
	static char written[MANY][4096], seen[MANY][4096];
	struct aiocb writes[MANY], reads[MANY];
	int fd = data_file(8192, O_RDWR), wrong = 0;

	(void)argv;
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < MANY; i++) {
			memset(written[i], round + i, sizeof written[i]);
			writes[i] = request(fd, written[i], sizeof written[i], i % 2 * 2048);
			reads[i] = request(fd, seen[i], sizeof seen[i], i % 2 * 2048);
			need(aio_write(&writes[i]) == 0 && aio_read(&reads[i]) == 0, "aio");
		}
		for (int i = 0; i < MANY; i++)
			wrong += await(&writes[i]) != 4096 || await(&reads[i]) != 4096 || memcmp(written[i], seen[i], 4096) != 0;
	}
	tell("%d wrong", wrong);
}

/* What is written before it is read into, in the order of two requests or of a list's; and what is read before it is written.  */
static void same_memory(char **argv)
{
	enum { SIZE = 65536 };
	static char bytes[SIZE], found[SIZE];
	int fd = data_file(2 * SIZE, O_RDWR), pair[2], wrong = 0, echoed = 0;

	(void)argv;
	for (int round = 0; round < MANY; round++) {
		struct aiocb b[2] = {request(fd, bytes, SIZE, 0), request(fd, bytes, SIZE, SIZE)};
		struct aiocb *const list[] = {&b[0], &b[1]};

		b[0].aio_lio_opcode = LIO_WRITE;
		b[1].aio_lio_opcode = LIO_READ;
		memset(bytes, round, SIZE);
		if (round % 2)
			need(aio_write(&b[0]) == 0 && aio_read(&b[1]) == 0, "aio");
		else
			need(lio_listio(LIO_NOWAIT, list, 2, NULL) == 0, "lio_listio");
		wrong += await(&b[0]) != SIZE || await(&b[1]) != SIZE || (unsigned char)bytes[0] != pattern(SIZE);
		need(pread(fd, found, SIZE, 0) == SIZE, "pread");
		for (int i = 0; i < SIZE; i++)
			wrong += found[i] != round;
	}
	tell("%d wrong", wrong);
	need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
	for (int round = 0; round < MANY; round++) {
		char byte = '?', back;
		struct aiocb in = request(pair[0], &byte, 1, 0), out = request(pair[0], &byte, 1, 0);

		need(aio_read(&in) == 0 && aio_write(&out) == 0 && write(pair[1], "a", 1) == 1, "aio");
		echoed += await(&in) == 1 && await(&out) == 1 && read(pair[1], &back, 1) == 1 && back == 'a';
	}
	tell("%d echoed", echoed);
}

static void *submit_bad_list(void *arg)
{
	char byte;
	struct aiocb good = request(*(int *)arg, &byte, 1, 0), bad = request(-1, &byte, 1, 0);
	struct aiocb *const list[] = {&good, &bad};

	good.aio_lio_opcode = bad.aio_lio_opcode = LIO_READ;
	need(lio_listio(LIO_WAIT, list, 2, NULL) == -1 && errno == EIO, "lio_listio");
	return NULL;
}

/* What one thread does to its file is in order, whatever another's list makes of the rest.  */
static void beside_bad_list(char **argv)
{
	enum { SIZE = 128 << 20 };
	int fd = data_file(10, O_RDWR), other = open("/dev/zero", O_RDONLY);
	char last = 0, *bytes = malloc(SIZE);
	struct aiocb all = request(fd, bytes, SIZE, 0), end = request(fd, &last, 1, SIZE - 1);
	pthread_t thread;

	(void)argv;
	need(other >= 0 && bytes, "/dev/zero");
	memset(bytes, 'x', SIZE);
	need(aio_write(&all) == 0, "aio_write");
	need(pthread_create(&thread, NULL, submit_bad_list, &other) == 0, "pthread_create");
	settle();
	need(aio_read(&end) == 0, "aio_read");
	tell_end("the end", &end);
	tell("%c", last);
	tell_end("all", &all);
	pthread_join(thread, NULL);
}

/* Many at once, on several fds of one file.  */
static void many(char **argv)
{
	enum { BLOCKS = 512, SIZE = 1024 };
	static unsigned char written[BLOCKS][SIZE], seen[BLOCKS][SIZE];
	static struct aiocb b[BLOCKS];
	int fds[4], wrong = 0;

	(void)argv;
	fds[0] = data_file(0, O_RDWR);
	for (int i = 1; i < 4; i++)
		fds[i] = open("data", O_RDWR);
	for (size_t i = 0; i < sizeof written; i++)
		written[i / SIZE][i % SIZE] = pattern(i);
	for (int i = 0; i < BLOCKS; i++) {
		b[i] = request(fds[i % 4], written[i], SIZE, (off_t)i * SIZE);
		need(aio_write(&b[i]) == 0, "aio_write");
	}
	for (int i = 0; i < BLOCKS; i++)
		wrong += await(&b[i]) != SIZE;
	posix_fadvise(fds[0], 0, 0, POSIX_FADV_DONTNEED);
	for (int i = 0; i < BLOCKS; i++) {
		b[i] = request(fds[i % 4], seen[i], SIZE, (off_t)i * SIZE);
		need(aio_read(&b[i]) == 0, "aio_read");
	}
	for (int i = BLOCKS; i-- > 0;)
		wrong += await(&b[i]) != SIZE;
	tell("%d wrong, %d", wrong, memcmp(written, seen, sizeof seen));
}

/* A file system, given in the argument, that becomes full.  */
static void full(char **argv)
{
	static char bytes[1 << 20];
	char path[4096];
	int fd;

	snprintf(path, sizeof path, "%s/file", argv[0]);
	fd = open(path, O_CREAT | O_RDWR, 0600);
	need(fd >= 0, path);
	write_and_tell("some", fd, bytes, 4096, 0);
	write_and_tell("too much", fd, bytes, sizeof bytes, 4096);
	write_and_tell("nothing left", fd, bytes, 8192, 1 << 21);
	need(unlink(path) == 0, path);
}

const struct behaviour transfer_behaviours[] = {
	{"read-file", read_file}, {"write-file", write_file}, {"fd-kinds", fd_kinds}, {"streams", streams},
	{"bad-arguments", bad_arguments}, {"bad-address", bad_address}, {"sync-file", sync_file}, {"direct", direct},
	{"file-size", file_size}, {"broken-pipe", broken_pipe}, {"nonblocking", nonblocking}, {"order", order},
	{"overlaps", overlaps}, {"same-memory", same_memory}, {"beside-bad-list", beside_bad_list}, {"many", many}, {"full", full},
	{NULL, NULL},
};
