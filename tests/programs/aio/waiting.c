/* waiting.c - requests that wait on streams, and the life of fds, threads and processes meanwhile.  */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../state.h"
#include "aio.h"

enum { PIPE, STREAM, PACKETS, KINDS };

static void make(int kind, int pair[2])
{
	static const int types[] = {[STREAM] = SOCK_STREAM, [PACKETS] = SOCK_SEQPACKET};

	need((kind == PIPE ? pipe(pair) : socketpair(AF_UNIX, types[kind], 0, pair)) == 0, "a pair");
}

/* A read of 10 bytes that waits.  */
static void begin(struct aiocb *b, int fd, char *bytes)
{
	*b = request(fd, bytes, 10, 0);
	need(aio_read(b) == 0, "aio_read");
}

static void put(int fd, const char *text)
{
	need(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write");
}

static void tell_text(const char *what, struct aiocb *b)
{
	const char *bytes = (char *)(uintptr_t)b->aio_buf;
	long n = await(b);

	tell("%s: %s %.*s", what, result_text(n), n > 0 ? (int)n : 0, bytes);
}

/* It stays on the old file, and those behind it are on the new one.  */
static void other_file(char **argv)
{
	(void)argv;
	for (int kind = 0; kind < KINDS; kind++) {
		int old[2], new[2];
		char bytes[4][10];
		struct aiocb b[4];

		make(kind, old);
		begin(&b[0], old[0], bytes[0]);
		moment();
		close(old[0]);
		moment();
		put(old[1], "closed");
		tell_text("closed", &b[0]);
		close(old[1]);
		make(kind, old);
		make(kind, new);
		begin(&b[1], old[0], bytes[1]);
		moment();
		need(dup2(new[0], old[0]) == old[0], "dup2");
		begin(&b[2], old[0], bytes[2]);
		moment();
		put(new[1], "new");
		moment();
		tell("%s %s", strerrorname_np(aio_error(&b[1])), strerrorname_np(aio_error(&b[2])));
		put(old[1], "old");
		tell_text("first", &b[1]);
		tell_text("second", &b[2]);
		begin(&b[3], old[0], bytes[3]);
		put(new[1], "newer");
		tell_text("third", &b[3]);
		close(old[1]);
		begin(&b[0], new[0], bytes[0]);
		moment();
		close(new[0]);
		close(old[0]);
		close(new[1]);
		tell_text("end", &b[0]);
	}
}

/* A write of what a large read of a file reads, on what was the file's number: it comes after that, as nothing else of the stream's
 * begins or ends, for longer than eagain's thread for streams waits in vain.  */
static void was_file(char **argv)
{
	enum { PIECE = 4 << 20, PIECES = 256 };
	int file = open("/dev/zero", O_RDWR), memory = memfd_create("piece", MFD_CLOEXEC), pair[2], other[2];
	char bytes[10], *buffer = mmap(NULL, (size_t)PIECE * PIECES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct aiocb b, large, small;

	(void)argv;
	need(file >= 0 && buffer != MAP_FAILED && ftruncate(memory, PIECE) == 0, "memory");
	for (size_t i = 0; i < PIECES; i++)
		need(mmap(buffer + i * PIECE, PIECE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory, 0) != MAP_FAILED,
		     "mmap");
	make(PIPE, pair);
	make(PIPE, other);
	begin(&b, other[0], bytes);
	for (int i = 0; i < 50; i++)
		moment();
	large = request(file, buffer, (size_t)PIECE * PIECES, 0);
	need(aio_read(&large) == 0, "aio_read");
	settle();
	need(dup2(pair[1], file) == file, "dup2");
	small = request(file, buffer, 8, 0);
	need(aio_write(&small) == 0, "aio_write");
	tell("%s", is_over(&small) ? "over" : "not over");
	tell_end("large", &large);
	tell_end("small", &small);
	put(other[1], "text");
	tell_text("other", &b);
}

/* A write to a file on what was the number of a stream, on which a write waits.  */
static void was_stream(char **argv)
{
	static char full[1 << 16];
	FILE *file = tmpfile();
	int pair[2];
	struct aiocb first, second;

	(void)argv;
	make(PIPE, pair);
	need(file && fcntl(pair[1], F_SETPIPE_SZ, (int)sizeof full) == sizeof full, "pipe");
	need(write(pair[1], full, sizeof full) == sizeof full, "write");
	first = request(pair[1], full, 8, 0);
	need(aio_write(&first) == 0, "aio_write");
	moment();
	need(dup2(fileno(file), pair[1]) == pair[1], "dup2");
	second = request(pair[1], full, 8, 0);
	need(aio_write(&second) == 0, "aio_write");
	moment();
	tell("%s", strerrorname_np(aio_error(&second)));
	need(read(pair[0], full, sizeof full) == sizeof full, "read");
	tell("%s", is_over(&second) ? "over" : "not over");
	tell_end("first", &first);
	tell_end("second", &second);
}

/* Once it is over, nobody has the file any more.  */
static void not_held(char **argv)
{
	int held = 0;

	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 300; i++) {
		int pair[2];
		char bytes[10];
		struct aiocb b;

		make(i % KINDS, pair);
		begin(&b, pair[0], bytes);
		put(pair[1], "text");
		need(await(&b) == 4, "read");
		close(pair[0]);
		held += write(pair[1], "", 1) >= 0 || errno != EPIPE;
		close(pair[1]);
	}
	tell("held: %d", held);
}

/* The numbers of all fds of the program's, as text, as they are in /proc and in the calls.  */
static void list_fds(char *text, size_t size)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	need(dir, "/proc/self/fd");
	for (struct dirent *e; (e = readdir(dir));)
		if (e->d_name[0] != '.' && atoi(e->d_name) != dirfd(dir))
			n += (size_t)snprintf(text + n, size - n, "%s ", e->d_name);
	closedir(dir);
	n += (size_t)snprintf(text + n, size - n, "and ");
	for (int fd = 0; fd < 1000; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			n += (size_t)snprintf(text + n, size - n, "%d ", fd);
}

/* What eagain has of its own where there are threads is gone once the program has asked after each number.  */
static void use_file(void)
{
	static char text[] = "text", all[1000];
	struct aiocb b = request(data_file(0, O_RDWR), text, 4, 0);

	need(aio_write(&b) == 0 && await(&b) == 4, "a file");
	close(b.aio_fildes);
	unlink("data");
	list_fds(all, sizeof all);
}

static void same_fds(char **argv)
{
	static char before[1000], during[1000], after[1000], bytes[KINDS][10];
	int pair[KINDS][2];
	struct aiocb b[KINDS];

	(void)argv;
	use_file();
	for (int i = 0; i < KINDS; i++)
		make(i, pair[i]);
	list_fds(before, sizeof before);
	for (int i = 0; i < KINDS; i++)
		begin(&b[i], pair[i][0], bytes[i]);
	settle();
	list_fds(during, sizeof during);
	for (int i = 0; i < KINDS; i++) {
		put(pair[i][1], "text");
		tell_text("read", &b[i]);
	}
	list_fds(after, sizeof after);
	tell("%d %d", strcmp(before, during), strcmp(before, after));
}

/* What the function of a SIGEV_THREAD does is done in the program.  */
static int results[2], given;

static void act(union sigval value)
{
	char text[100], here[1000];
	int fd = open("made", O_CREAT | O_RDWR, 0600), status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(dprintf(fd, "child\n") == 6 ? 7 : 8);
	need(pid > 0 && waitpid(pid, &status, 0) == pid, "fork");
	list_fds(here, sizeof here);
	snprintf(text, sizeof text, "%d: fd %d, child %d", value.sival_int, fd == given, WEXITSTATUS(status));
	need(write(results[1], text, sizeof text) == sizeof text, "write");
	need(write(results[1], here, sizeof here) == sizeof here, "write");
}

static void act_on_fds(char **argv)
{
	char text[100], here[1000], seen[1000];
	struct aiocb b;
	int pair[2];

	(void)argv;
	use_file();
	need(pipe(results) == 0, "pipe");
	for (int i = 0; i < KINDS; i++) {
		char bytes[10];

		make(i, pair);
		given = open("made", O_CREAT | O_RDWR | O_TRUNC, 0600);
		list_fds(here, sizeof here);
		close(given);
		b = request(pair[0], bytes, sizeof bytes, 0);
		b.aio_sigevent = (struct sigevent){.sigev_notify = SIGEV_THREAD, .sigev_value.sival_int = i};
		b.aio_sigevent.sigev_notify_function = act;
		need(aio_read(&b) == 0, "aio_read");
		settle();
		put(pair[1], "text");
		need(read(results[0], text, sizeof text) == sizeof text && read(results[0], seen, sizeof seen) == sizeof seen, "read");
		tell("%s, %d", text, strcmp(here, seen));
		tell_text("read", &b);
		need(pread(given, text, 6, 0) == 6, "pread");
		tell("%.5s", text);
		close(given);
		close(pair[0]);
		close(pair[1]);
	}
}

/* No number is left.  */
static void no_numbers(char **argv)
{
	enum { PAIRS = 6 };
	static char much[PAIRS][1 << 20];
	struct rlimit limit = {20, 20};
	struct aiocb b[PAIRS], c[PAIRS];
	char bytes[PAIRS][10];
	int pair[PAIRS][2];

	for (int i = 0; i < PAIRS; i++)
		make(STREAM, pair[i]);
	limit.rlim_cur = argv[0] ? (rlim_t)strtoul(argv[0], NULL, 10) : 20;
	need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
	while (dup(0) >= 0)
		;
	for (int i = 0; i < PAIRS; i++) {
		begin(&b[i], pair[i][0], bytes[i]);
		c[i] = request(pair[i][1], much[i], sizeof much[i], 0);
		need(aio_write(&c[i]) == 0, "aio_write");
	}
	for (int i = PAIRS; i-- > 0;) {
		tell_end("read", &b[i]);
		for (size_t n = 10; n < sizeof much[i];) {
			ssize_t got = read(pair[i][0], much[(i + 1) % PAIRS], sizeof much[i] - n);

			need(got > 0, "read");
			n += (size_t)got;
		}
		tell_end("written", &c[i]);
	}
}

/* Of both kinds, in one list.  */
static volatile sig_atomic_t signals;
static int threads_told[2];

static void on_signal(int signal)
{
	(void)signal;
	signals++;
}

static void on_thread(union sigval value)
{
	need(write(threads_told[1], &value.sival_int, sizeof value.sival_int) == sizeof value.sival_int, "write");
}

enum { LISTED = 12 };

static int ends[LISTED][2];

static void *put_into_all(void *arg)
{
	settle();
	for (int i = 0; i < LISTED; i++)
		if (i % 2)
			put(ends[i][1], "text");
	return arg;
}

static void tell_all(struct aiocb *b)
{
	long sum = 0, bad = 0;

	for (int i = 0; i < LISTED; i++) {
		long n = await(&b[i]);

		sum += n;
		bad += n < 0;
	}
	tell("%ld bytes, %ld bad", sum, bad);
	for (int i = 0; i < LISTED; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

static void prepare_list(struct aiocb *b, struct aiocb **list, char (*bytes)[10], int file)
{
	for (int i = 0; i < LISTED; i++) {
		make(i / 2 % KINDS, ends[i]);
		memset(bytes[i], 'a' + i, 10);
		b[i] = request(i % 2 ? ends[i][0] : file, bytes[i], 10, i * 10);
		b[i].aio_lio_opcode = i % 4 ? LIO_READ : LIO_WRITE;
		list[i] = &b[i];
	}
}

static void lists(char **argv)
{
	int file = data_file(1000, O_RDWR), value = 0;
	char bytes[LISTED][10];
	struct aiocb b[LISTED], *list[LISTED];
	struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	pthread_t thread;

	(void)argv;
	signal(SIGUSR1, on_signal);
	need(pipe(threads_told) == 0, "pipe");
	prepare_list(b, list, bytes, file);
	need(pthread_create(&thread, NULL, put_into_all, NULL) == 0, "thread");
	tell("wait: %s", result_text(lio_listio(LIO_WAIT, list, LISTED, NULL)));
	pthread_join(thread, NULL);
	tell_all(b);
	prepare_list(b, list, bytes, file);
	tell("signal: %s", result_text(lio_listio(LIO_NOWAIT, list, LISTED, &e)));
	moment();
	tell("before: %d", (int)signals);
	put_into_all(NULL);
	while (!signals)
		moment();
	tell_all(b);
	e = (struct sigevent){.sigev_notify = SIGEV_THREAD, .sigev_value.sival_int = 5};
	e.sigev_notify_function = on_thread;
	prepare_list(b, list, bytes, file);
	tell("thread: %s", result_text(lio_listio(LIO_NOWAIT, list, LISTED, &e)));
	put_into_all(NULL);
	need(read(threads_told[0], &value, sizeof value) == sizeof value, "read");
	tell("told: %d", value);
	tell_all(b);
	prepare_list(b, list, bytes, file);
	close(ends[1][1]);
	b[1].aio_fildes = ends[1][0];
	ends[1][1] = dup(file);
	need(pthread_create(&thread, NULL, put_into_all, NULL) == 0, "thread");
	tell("one at its end: %s", result_text(lio_listio(LIO_WAIT, list, LISTED, NULL)));
	pthread_join(thread, NULL);
	tell_all(b);
}

static int wait_for(pid_t pid)
{
	int status = 0;

	need(pid >= 0 && waitpid(pid, &status, 0) == pid, "wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* A process that had no AIO before does it with each kind.  */
static int use_all(void)
{
	int wrong = 0;

	for (int kind = 0; kind < KINDS; kind++) {
		int pair[2];
		char bytes[10];
		struct aiocb b, c;

		make(kind, pair);
		begin(&b, pair[0], bytes);
		c = request(pair[1], "text", 4, 0);
		settle();
		wrong += aio_error(&b) != EINPROGRESS || aio_write(&c) != 0 || await(&c) != 4 || await(&b) != 4;
		close(pair[0]);
		close(pair[1]);
	}
	return wrong;
}

/* With reads that wait: a child, and the end of a process.  The parent's go on.  */
static void children(char **argv)
{
	int pair[KINDS][2];
	char bytes[KINDS][10];
	struct aiocb b[KINDS];
	pid_t pid;

	for (int i = 0; i < KINDS; i++) {
		make(i, pair[i]);
		begin(&b[i], pair[i][0], bytes[i]);
	}
	settle();
	for (int how = 0; how < 4; how++) {
		pid = fork();
		if (pid == 0 && how == 0)
			exit(3);
		if (pid == 0 && how == 1)
			_exit(4);
		if (pid == 0 && how == 2)
			_exit(5 + (read(pair[STREAM][0], bytes[STREAM], 0) != 0));
		if (pid == 0) {
			execl("/bin/sh", "sh", "-c", "exit 6", (char *)NULL);
			_exit(99);
		}
		tell("child: %d", wait_for(pid));
	}
	for (int i = 0; i < KINDS; i++) {
		put(pair[i][1], "text");
		tell_text("read", &b[i]);
		begin(&b[i], pair[i][0], bytes[i]);
	}
	tell("here: %d", use_all());
	settle();
	if (argv[0]) {
		execv(argv[0], argv);
		need(false, argv[0]);
	}
	exit(7);
}

/* Children that use it, also while a read of the parent's waits.  Natively this holds only before the parent has used it.  */
static void children_use(char **argv)
{
	int pair[2];
	char bytes[10];
	struct aiocb b;
	pid_t pid = fork();

	(void)argv;
	if (pid == 0)
		_exit(use_all());
	tell("child: %d", wait_for(pid));
	if (!argv[0])
		return;
	make(PIPE, pair);
	begin(&b, pair[0], bytes);
	settle();
	for (int i = 0; i < 3; i++) {
		pid = fork();
		if (pid == 0)
			_exit(use_all());
		tell("child: %d", wait_for(pid));
	}
	put(pair[1], "text");
	tell_text("read", &b);
}

/* Main ends, and another thread goes on.  */
static struct aiocb early;
static int early_pair[2];
static pthread_t main_thread;

static void *go_on(void *arg)
{
	pthread_join(main_thread, NULL);
	settle();
	put(early_pair[1], "text");
	tell_text("early", &early);
	tell("later: %d", use_all());
	return arg;
}

static void without_main(char **argv)
{
	static char bytes[10];
	pthread_t thread;

	(void)argv;
	main_thread = pthread_self();
	make(STREAM, early_pair);
	begin(&early, early_pair[0], bytes);
	settle();
	need(pthread_create(&thread, NULL, go_on, NULL) == 0, "thread");
	pthread_exit(NULL);
}

/* The users of all threads.  */
static int other_users(unsigned user)
{
	DIR *dir = opendir("/proc/self/task");
	int others = 0;

	for (struct dirent *e; (e = readdir(dir));) {
		char path[300], line[200];
		bool found = false;
		FILE *status;
		unsigned uid;

		snprintf(path, sizeof path, "/proc/self/task/%s/status", e->d_name);
		status = e->d_name[0] == '.' ? NULL : fopen(path, "r");
		while (status && fgets(line, sizeof line, status))
			found |= sscanf(line, "Uid: %u", &uid) == 1 && uid == user;
		others += status && !found;
		if (status)
			fclose(status);
	}
	closedir(dir);
	return others;
}

static void other_user(char **argv)
{
	enum { NOBODY_ELSE = 47125 };
	int pair[KINDS][2];
	char bytes[KINDS][10];
	struct aiocb b[KINDS];

	(void)argv;
	for (int i = 0; i < KINDS; i++) {
		make(i, pair[i]);
		begin(&b[i], pair[i][0], bytes[i]);
	}
	settle();
	need(setgid(NOBODY_ELSE) == 0 && setuid(NOBODY_ELSE) == 0, "setuid");
	tell("others: %d", other_users(NOBODY_ELSE));
	for (int i = 0; i < KINDS; i++) {
		put(pair[i][1], "text");
		tell_text("read", &b[i]);
	}
	tell("later: %d", use_all());
}

/* A thread with fds of its own.  */
static void *use_own(void *arg)
{
	int before[2];

	make(PIPE, before);
	need(unshare(CLONE_FILES) == 0, "unshare");
	close(before[0]);
	close(before[1]);
	tell("there: %d", use_all());
	return arg;
}

static void own_table(char **argv)
{
	int pair[2];
	char bytes[10];
	struct aiocb b;
	pthread_t thread;

	if (argv[0]) {
		make(PIPE, pair);
		begin(&b, pair[0], bytes);
		settle();
	}
	need(pthread_create(&thread, NULL, use_own, NULL) == 0, "thread");
	pthread_join(thread, NULL);
	if (argv[0]) {
		put(pair[1], "text");
		tell_text("read", &b);
		tell("here: %d", use_all());
	}
}

/* Calls that are answered otherwise from now on.  */
static void set_filter(const int *calls, size_t n, unsigned answer, unsigned flags)
{
	struct sock_filter code[40] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
	unsigned short length = 1;
	struct sock_fprog program = {0, code};

	for (size_t i = 0; i < n; i++) {
		code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], 0, 1);
		code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer);
	}
	code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = length;
	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
	need(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0, "seccomp");
}

/* What libc's AIO does not do ends the process.  */
static const int unusual[] = {
	SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_pidfd_getfd, SYS_pidfd_open, SYS_close_range, SYS_preadv2, SYS_pwritev2,
	SYS_recvfrom, SYS_sendto, SYS_getsockopt, SYS_kcmp, SYS_eventfd2, SYS_process_vm_readv,
};

enum { WAITING = 40 };

static struct aiocb waiting[WAITING];
static int waiting_pair[WAITING][2];

static void begin_waiting(void)
{
	static char bytes[WAITING][10];

	for (int i = 0; i < WAITING; i++) {
		make(i % KINDS, waiting_pair[i]);
		begin(&waiting[i], waiting_pair[i][0], bytes[i]);
	}
	settle();
}

static void enter_sandbox(unsigned flags)
{
	set_filter(unusual, sizeof unusual / sizeof *unusual, SECCOMP_RET_KILL_PROCESS, flags);
	settle();
	tell("%s", strerrorname_np(aio_error(&waiting[0])));
	for (int i = 0; i < WAITING; i++)
		put(waiting_pair[i][1], "text");
	for (int i = 0; i < WAITING; i++)
		tell_text("read", &waiting[i]);
	tell("later: %d", use_all());
}

/* Reads that wait while the program enters a sandbox.  */
static void enters_sandbox(char **argv)
{
	begin_waiting();
	enter_sandbox(argv[0] ? SECCOMP_FILTER_FLAG_TSYNC : 0);
}

/* Writes that wait while the program enters a sandbox, and some that come after them there: they are not mixed.  */
static void writes_in_sandbox(char **argv)
{
	enum { SIZE = 300000, WRITES = 4 };
	static char bytes[WRITES][SIZE];
	struct aiocb b[PACKETS][WRITES];
	int pair[PACKETS][2], wrong = 0;

	(void)argv;
	for (int i = 0; i < WRITES; i++)
		memset(bytes[i], 'a' + i, SIZE);
	for (int i = 0; i < WRITES; i++) {
		if (i == WRITES / 2)
			set_filter(unusual, sizeof unusual / sizeof *unusual, SECCOMP_RET_KILL_PROCESS, 0);
		for (int kind = 0; kind < PACKETS; kind++) {
			if (i == 0)
				make(kind, pair[kind]);
			b[kind][i] = request(pair[kind][1], bytes[i], SIZE, 0);
			need(aio_write(&b[kind][i]) == 0, "aio_write");
		}
		settle();
	}
	for (int kind = 0; kind < PACKETS; kind++)
		for (int n = 0, got; n < WRITES * SIZE; n += got) {
			static char some[4096];

			got = (int)read(pair[kind][0], some, sizeof some);
			need(got > 0, "read");
			for (int i = 0; i < got; i++)
				wrong += some[i] != 'a' + (n + i) / SIZE;
		}
	tell("%d wrong", wrong);
	for (int i = 0; i < WRITES; i++)
		for (int kind = 0; kind < PACKETS; kind++)
			tell_end("written", &b[kind][i]);
}

/* Waits until so many are in eagain's epoll instance, which is in the table of two threads; others have marks alone.  */
static void await_watched(int n)
{
	int seen;

	do {
		glob_t all;
		char line[200];

		seen = 0;
		need(glob("/proc/self/task/*/fdinfo/*", 0, NULL, &all) == 0, "fdinfo");
		for (size_t i = 0; i < all.gl_pathc; i++) {
			FILE *info = fopen(all.gl_pathv[i], "r");

			while (info && fgets(line, sizeof line, info))
				seen += !strncmp(line, "tfd:", 4) && !strstr(line, " data: ffffffff");
			if (info)
				fclose(info);
		}
		globfree(&all);
		settle();
	} while (seen != 2 * n);
}

static void *enter_alone(void *arg)
{
	while (state_of("self") != 'Z')
		;
	enter_sandbox(0);
	return arg;
}

/* The same after main has ended.  argv: whether it is eagain where they wait.  */
static void enters_alone(char **argv)
{
	pthread_t thread;

	begin_waiting();
	if (argv[0])
		await_watched(WAITING);
	need(pthread_create(&thread, NULL, enter_alone, NULL) == 0, "thread");
	pthread_exit(NULL);
}

/* What waits has lost its fd, which is another's, before the sandbox.  */
static void loses_fd(char **argv)
{
	static char bytes[KINDS][10];
	static struct aiocb b[KINDS];
	int pair[KINDS][2], other[2];
	char others[20];

	(void)argv;
	make(STREAM, other);
	for (int i = 0; i < KINDS; i++) {
		make(i, pair[i]);
		begin(&b[i], pair[i][0], bytes[i]);
	}
	await_watched(KINDS);
	close(pair[0][0]);
	for (int i = 1; i < KINDS; i++)
		need(dup2(other[0], pair[i][0]) == pair[i][0], "dup2");
	put(other[1], "of another");
	set_filter(unusual, sizeof unusual / sizeof *unusual, SECCOMP_RET_KILL_PROCESS, 0);
	for (int i = 0; i < KINDS; i++)
		tell_text("lost", &b[i]);
	tell("%s", result_text(read(other[0], others, sizeof others)));
}

/* argv: the errno with which the kernel refuses a call, its name here, and a program, which becomes this one.  */
static void refused_calls(char **argv)
{
	static const struct {
		const char *name;
		int call;
	} calls[] = {{"getfd", SYS_pidfd_getfd}, {"range", SYS_close_range}, {"open", SYS_pidfd_open}, {"now", SYS_preadv2}};

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (!strcmp(argv[1], calls[i].name))
			set_filter(&calls[i].call, 1, SECCOMP_RET_ERRNO | (unsigned)strtoul(argv[0], NULL, 10), 0);
	execv(argv[2], argv + 2);
	need(false, "exec");
}

/* Only eagain does this: a thousand that wait, and data on all but the first.  */
static void thousand(char **argv)
{
	enum { MANY = 1000, FIRST = 100 };
	static char bytes[MANY][10];
	static struct aiocb b[MANY];
	static int pair[MANY][2];
	struct rlimit limit = {4096, 4096};
	int done = 0, wait = 0;

	(void)argv;
	need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
	for (int i = 0; i < MANY; i++) {
		make(STREAM, pair[i]);
		begin(&b[i], pair[i][0], bytes[i]);
	}
	for (int i = FIRST; i < MANY; i++)
		put(pair[i][1], "text");
	for (int i = FIRST; i < MANY; i++)
		done += is_over(&b[i]) && aio_return(&b[i]) == 4;
	for (int i = 0; i < FIRST; i++)
		wait += aio_error(&b[i]) == EINPROGRESS;
	tell("%d done, %d wait", done, wait);
	for (int i = 0; i < FIRST; i++)
		put(pair[i][1], "text");
	for (int i = 0; i < FIRST; i++)
		done += is_over(&b[i]) && aio_return(&b[i]) == 4;
	tell("%d done", done);
}

/* So is this: a write beside a read that waits.  */
static void beside(char **argv)
{
	(void)argv;
	for (int kind = STREAM; kind < KINDS; kind++) {
		int pair[2];
		char bytes[2][10];
		struct aiocb b, c;

		make(kind, pair);
		begin(&b, pair[0], bytes[0]);
		settle();
		c = request(pair[0], "text", 4, 0);
		need(aio_write(&c) == 0 && is_over(&c), "aio_write");
		tell_end("written", &c);
		tell("%s", strerrorname_np(aio_error(&b)));
		need(read(pair[1], bytes[1], 10) == 4, "read");
		put(pair[1], "answer");
		tell_text("read", &b);
	}
}

const struct behaviour waiting_behaviours[] = {
	{"other-file", other_file}, {"not-held", not_held}, {"same-fds", same_fds}, {"act-on-fds", act_on_fds},
	{"was-file", was_file}, {"was-stream", was_stream},
	{"no-numbers", no_numbers}, {"lists", lists}, {"children", children}, {"children-use", children_use},
	{"without-main", without_main}, {"other-user", other_user}, {"own-table", own_table},
	{"enters-sandbox", enters_sandbox}, {"enters-alone", enters_alone}, {"writes-in-sandbox", writes_in_sandbox},
	{"loses-fd", loses_fd}, {"refused-calls", refused_calls}, {"thousand", thousand}, {"beside", beside}, {NULL, NULL},
};
