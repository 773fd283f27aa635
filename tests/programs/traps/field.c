/* field.c - how preloaded shims are known to break: the conditions, and what the program then sees.  */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "traps.h"

/* Writes to fd when `reader` sleeps.  */
static pid_t give(pid_t reader, int fd, const char *text)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	wait_asleep(reader);
	_exit(write(fd, text, strlen(text)) != (ssize_t)strlen(text));
}

static int stack_fds[2], wait_fds[2];

/* Of each call of ours a little, on what stack there is.  */
static void use_stack(void)
{
	static char *const argv[] = {(char *)"true", NULL}, *const environment[] = {(char *)"A=B", NULL};
	struct pollfd p = {.fd = stack_fds[0], .events = POLLIN};
	struct iovec v = {stack_fds, 4};
	struct msghdr message = {.msg_iov = &v, .msg_iovlen = 1};
	int status = -1;
	pid_t pid;

	for (int i = 0; i < 300; i++) {
		char c = 0;

		need(send(stack_fds[1], "x", 1, 0) == 1 && poll(&p, 1, -1) == 1 && recv(stack_fds[0], &c, 1, 0) == 1, "socket");
		need(write(stack_fds[1], "y", 1) == 1 && read(stack_fds[0], &c, 1) == 1 && c == 'y', "socket");
	}
	need(recvmsg(stack_fds[0], &message, MSG_DONTWAIT) < 0 && errno == EAGAIN, "recvmsg");
	close(open("/dev/null", O_RDONLY));
	need(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environment) == 0, "posix_spawn");
	need(waitpid(pid, &status, 0) == pid && status == 0, "posix_spawn");
	pid = vfork();
	if (pid == 0) {
		execve("/bin/true", argv, environment);
		_exit(1);
	}
	need(waitpid(pid, &status, 0) == pid && status == 0, "vfork");
}

static void *on_small_stack(void *unused)
{
	char c = 0;

	use_stack();
	need(read(wait_fds[0], &c, 1) == 1, "wait");
	return unused;
}

static void on_signal(int signal)
{
	(void)signal;
	use_stack();
}

/* The smallest stack of a thread, and one of 8 KiB, besides what the kernel puts there, for a handler.  */
static void small_stacks(char **argv)
{
	size_t size = (size_t)sysconf(_SC_MINSIGSTKSZ) + 8192;
	stack_t s = {.ss_size = size, .ss_sp = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)};
	pthread_attr_t attributes;
	pthread_t t;
	pid_t pid;

	(void)argv;
	make_sockets(SOCK_STREAM, stack_fds);
	need(sigaltstack(&s, NULL) == 0, "sigaltstack");
	handle(SIGUSR1, on_signal, SA_ONSTACK);
	raise(SIGUSR1);
	tell("a handler's stack");
	pthread_attr_init(&attributes);
	need(pthread_attr_setstacksize(&attributes, (size_t)sysconf(_SC_THREAD_STACK_MIN)) == 0, "stack size");
	make_pipe(wait_fds);
	pid = give(getpid(), wait_fds[1], "z");
	need(pthread_create(&t, &attributes, on_small_stack, NULL) == 0, "pthread_create");
	pthread_join(t, NULL);
	waitpid(pid, NULL, 0);
	tell("a thread's stack");
}

static int by_fcntl(int fd, bool on) { return (int)hidden_syscall(SYS_fcntl, fd, F_SETFL, on ? O_NONBLOCK : 0); }
static int by_fcntl64(int fd, bool on) { return fcntl64(fd, F_SETFL, on ? O_NONBLOCK : 0); }

static int by_ioctl(int fd, bool on)
{
	int value = on;

	return (int)hidden_syscall(SYS_ioctl, fd, FIONBIO, (long)&value);
}

static int by_another(int fd, bool on)
{
	int status;

	if (fork() == 0)
		_exit(by_fcntl(fd, on));
	return wait(&status) < 0 ? -1 : status;
}

static int by_a_copy(int fd, bool on)
{
	int copy = dup(fd), result = by_fcntl(copy, on);

	close(copy);
	return result;
}

/* O_NONBLOCK comes and goes in ways that cannot be seen: on fds that are new, and on those that were used before.  */
static void nonblock_unseen(char **argv)
{
	static int (*const ways[])(int, bool) = {by_fcntl, by_fcntl64, by_ioctl, by_another, by_a_copy};
	bool used = argv[0] && !strcmp(argv[0], "used");
	int fds[2];
	char c;

	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		for (int sockets = 0; sockets < 2; sockets++) {
			if (sockets)
				make_sockets(SOCK_STREAM, fds);
			else
				make_pipe(fds);
			if (used)
				need(write(fds[1], "x", 1) == 1 && read(fds[0], &c, 1) == 1, "use");
			need(ways[i](fds[0], true) == 0, "set");
			tell("%zu: set: %s", i, result_text(read(fds[0], &c, 1)));
			need(ways[i](fds[0], false) == 0, "clear");
			give(getpid(), fds[1], "later");
			tell_read("cleared", fds[0], 5);
			wait(NULL);
			close(fds[0]);
			close(fds[1]);
		}
}

ssize_t __read_chk(int, void *, size_t, size_t);
ssize_t __recv_chk(int, void *, size_t, size_t, int);
ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);
ssize_t __pread_chk(int, void *, size_t, off_t, size_t);
int __poll_chk(struct pollfd *, nfds_t, int, size_t);
int __open_2(const char *, int);
ssize_t __read(int, void *, size_t);
ssize_t __write(int, const void *, size_t);
ssize_t __send(int, const void *, size_t, int) __attribute__((weak));   /* not on every architecture */
int __poll(struct pollfd *, nfds_t, int);
int __select(int, fd_set *, fd_set *, fd_set *, struct timeval *);
int __connect(int, const struct sockaddr *, socklen_t);
int __close(int);

/* The names by which fortified programs, and old ones, call.  */
static void other_names(char **argv)
{
	struct pollfd p = {.events = POLLIN};
	char text[8] = "";
	int fds[2], pipes[2];
	fd_set set;

	(void)argv;
	make_sockets(SOCK_STREAM, fds);
	make_pipe(pipes);
	p.fd = fds[0];
	for (int i = 0; i < 4; i++)
		tell("__send: %s", result_text((__send ? __send : send)(fds[1], "ab", 2, 0)));
	tell("__read_chk: %s", result_text(__read_chk(fds[0], text, 1, sizeof text)));
	tell("__recv_chk: %s", result_text(__recv_chk(fds[0], text, 1, sizeof text, 0)));
	tell("__recvfrom_chk: %s", result_text(__recvfrom_chk(fds[0], text, 1, sizeof text, 0, NULL, NULL)));
	tell("__poll_chk: %s", result_text(__poll_chk(&p, 1, -1, sizeof p)));
	tell("__poll: %s", result_text(__poll(&p, 1, -1)));
	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	tell("__select: %s", result_text(__select(fds[0] + 1, &set, NULL, NULL, NULL)));
	tell("__write: %s", result_text(__write(pipes[1], "c", 1)));
	tell("__read: %s", result_text(__read(pipes[0], text, 1)));
	tell("__open_2: %s", result_text(__open_2("/dev/null", O_RDONLY)));
	tell("__pread_chk: %s", result_text(__pread_chk(pipes[0], text, 1, 0, sizeof text)));
	tell("__connect: %s", result_text(__connect(pipes[0], (struct sockaddr *)text, sizeof text)));
	tell("__close: %s", result_text(__close(pipes[0])));
}

/* What libc reads and writes inside.  */
static void inside_libc(char **argv)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
	char line[64] = "";
	FILE *f = tmpfile();

	(void)argv;
	tell("getaddrinfo: %d", getaddrinfo("localhost", "80", &hints, &found));
	tell("address: %s", found ? inet_ntoa(((struct sockaddr_in *)(void *)found->ai_addr)->sin_addr) : "-");
	tell("getpwnam: %u", getpwnam("root")->pw_uid);
	tell("getgrgid: %s", getgrgid(0)->gr_name);
	need(f && fprintf(f, "%s %d\n", "text", 7) > 0, "tmpfile");
	rewind(f);
	tell("fgets: %s", fgets(line, sizeof line, f) ? line : "-");
	tell("dprintf: %d", dprintf(1, "%s\n", "by dprintf"));
	tell("system: %d", system("exit 3"));
	f = popen("cat; exit 4", "w");
	need(f && fputs("to cat\n", f) >= 0, "popen");
	tell("pclose: %d", pclose(f));
}

/* Every system call in `refused`, which the program does not make itself, fails with `error`; set so that no shim can see it.  */
static void refuse(unsigned error)
{
	static const int refused[] = {
		SYS_preadv2, SYS_pwritev2, SYS_ppoll, SYS_mincore, SYS_faccessat2, SYS_kcmp, SYS_fallocate, SYS_madvise, SYS_linkat,
	};
	enum { N = sizeof refused / sizeof *refused };
	struct sock_filter code[N + 3] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
	struct sock_fprog program = {N + 3, code};

	for (unsigned i = 0; i < N; i++)
		code[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)refused[i], N - i, 0);
	code[N + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[N + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error);
	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS");
	need(hidden_syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (long)&program) == 0, "PR_SET_SECCOMP");
}

/* A container's filter, which was there before, and refuses what old kernels do not know: argv runs in it.  */
static void refused_calls(char **argv)
{
	static const unsigned errors[] = {EPERM, ENOSYS};

	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		int fds[2], status;

		make_pipe(fds);
		if (fork() == 0) {
			refuse(errors[i]);
			give(getpid(), fds[1], "later");
			tell_read("read", fds[0], 5);
			wait(NULL);
			execvp(argv[0], argv);
			_exit(127);
		}
		wait(&status);
		tell("%s: status %x", strerrorname_np((int)errors[i]), (unsigned)status);
	}
}

/* Memory that was writable never becomes executable (systemd's MemoryDenyWriteExecute): argv runs so.  */
static void no_new_code(char **argv)
{
	enum { SET_MDWE = 65, REFUSE_EXEC_GAIN = 1 };   /* linux/prctl.h, from Linux 6.3 on */
	void *page;

	tell("PR_SET_MDWE: %s", result_text(prctl(SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0)));
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	tell("mprotect: %s", result_text(mprotect(page, 4096, PROT_READ | PROT_EXEC)));
	execvp(argv[0], argv);
}

/* A blocking connect that a handler ends goes on without the program, as connect(2) says.  */
static void interrupted_connect(char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	/* Again and again, for the first may come before the call. */
	const struct itimerval timer = {{0, 20000}, {0, 20000}};
	socklen_t size = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM, 0), waiting = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	(void)argv;
	need(bind(listener, (struct sockaddr *)&a, size) == 0 && listen(listener, 0) == 0, "listen");
	getsockname(listener, (struct sockaddr *)&a, &size);
	need(connect(waiting, (struct sockaddr *)&a, size) == 0, "the one that fits");
	handle(SIGALRM, no_handler, 0);
	setitimer(ITIMER_REAL, &timer, NULL);
	tell("connect: %s", result_text(connect(fd, (struct sockaddr *)&a, size)));
	tell("again: %s", result_text(connect(fd, (struct sockaddr *)&a, size)));
	signal(SIGALRM, SIG_IGN);
	tell("flags: %d", fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(accept(listener, NULL, NULL));
	tell("poll: %d", poll(&p, 1, -1));
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &p.fd, &size);
	tell("SO_ERROR: %d", p.fd);
	tell("connected: %s", result_text(connect(fd, (struct sockaddr *)&a, sizeof a)));
	tell("and now: %s", result_text(connect(fd, (struct sockaddr *)&a, sizeof a)));
}

/* No call gives up by itself: not in a while, nor by an option that the program did not set.  */
static void no_timeouts(char **argv)
{
	struct timeval t = {9, 9};
	socklen_t size = sizeof t;
	pid_t parent = getpid();
	int fds[2], pipes[2];

	(void)argv;
	make_tcp(fds);
	make_pipe(pipes);
	if (fork() == 0) {
		wait_asleep(parent);
		usleep(350000);
		need(write(fds[1], "late", 4) == 4, "write");
		wait_asleep(parent);
		usleep(350000);
		_exit(write(pipes[1], "later", 5) != 5);
	}
	tell_read("socket", fds[0], 4);
	tell_read("pipe", pipes[0], 5);
	for (int option = SO_RCVTIMEO; option <= SO_SNDTIMEO; option++) {
		need(getsockopt(fds[0], SOL_SOCKET, option, &t, &size) == 0, "getsockopt");
		tell("timeout: %ld", (long)(t.tv_sec + t.tv_usec));
	}
	wait(NULL);
}

static void send_fd(int socket, int fd)
{
	char data = 'f', control[CMSG_SPACE(sizeof fd)] = "";
	struct iovec v = {&data, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	need(sendmsg(socket, &m, 0) == 1, "sendmsg");
}

static int receive_fd(int socket)
{
	char data, control[CMSG_SPACE(sizeof(int))];
	struct iovec v = {&data, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	int fd;

	need(recvmsg(socket, &m, 0) == 1 && CMSG_FIRSTHDR(&m), "recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
	return fd;
}

/* O_NONBLOCK belongs to the description: all copies have it, what was opened anew has not.  */
static void flag_of_copies(char **argv)
{
	char path[32], c;
	int fds[2], sockets[2], copies[4];

	(void)argv;
	make_pipe(fds);
	make_sockets(SOCK_STREAM, sockets);
	need(write(fds[1], "x", 1) == 1 && read(fds[0], &c, 1) == 1, "use");
	snprintf(path, sizeof path, "/proc/self/fd/%d", fds[0]);
	copies[0] = dup(fds[0]);
	copies[1] = fcntl(fds[0], F_DUPFD_CLOEXEC, 100);
	copies[2] = open(path, O_RDONLY);
	send_fd(sockets[0], fds[0]);
	copies[3] = receive_fd(sockets[1]);
	for (int on = 1; on >= 0; on--) {
		need(fcntl(copies[3], F_SETFL, on ? O_NONBLOCK : 0) == 0, "F_SETFL");
		for (int i = 0; i < 4; i++) {
			tell("%d, %d: %d", on, i, !!(fcntl(copies[i], F_GETFL) & O_NONBLOCK));
			if (on && i != 2) {
				tell("read: %s", result_text(read(copies[i], &c, 1)));
				continue;
			}
			give(getpid(), fds[1], "w");
			tell("read: %s", result_text(read(copies[i], &c, 1)));
			wait(NULL);
		}
	}
}

/* More vectors than the kernel takes, as many as it takes, and more bytes than the pipe does.  */
static void many_vectors(void)
{
	enum { N = 1025, SIZE = 600 };
	static char block[N * SIZE], seen[N * SIZE];
	struct iovec v[N];
	int fds[2];
	size_t n = 0;

	make_pipe(fds);
	for (int i = 0; i < N; i++)
		v[i] = (struct iovec){block + i * SIZE, SIZE};
	for (size_t i = 0; i < sizeof block; i++)
		block[i] = (char)(i * 11 + i / 255);
	tell("too many: %s", result_text(writev(fds[1], v, N)));
	if (fork() == 0) {
		close(fds[0]);
		tell("writev: %s", result_text(writev(fds[1], v, N - 1)));
		_exit(0);
	}
	close(fds[1]);
	for (long got = 1; got > 0; n += (size_t)got)
		got = read(fds[0], seen + n, sizeof seen - n);
	tell("read: %zu, same %d", n, !memcmp(block, seen, n));
	wait(NULL);
	close(fds[0]);
}

/* Data with an fd, and more of it than there is room for: it comes once, with the first bytes.  */
static void large_with_control(void)
{
	enum { SIZE = 1 << 20 };
	char *data = calloc(1, SIZE), control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec v = {data, SIZE};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int fds[2], fd = 1, received;
	long n = 1, got;

	make_sockets(SOCK_STREAM, fds);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	if (fork() == 0) {
		close(fds[1]);
		tell("sendmsg: %s", result_text(sendmsg(fds[0], &m, 0)));
		_exit(0);
	}
	close(fds[0]);
	received = receive_fd(fds[1]);
	for (; (got = read(fds[1], data, SIZE)) > 0; n += got)
		;
	wait(NULL);
	tell("received: %d, %ld bytes", fcntl(received, F_GETFD) >= 0, n);
	close(received);
	free(data);
}

static void urgent(void)
{
	char text[8] = "";
	int fds[2];

	make_tcp(fds);
	tell("nothing urgent: %s", result_text(recv(fds[0], text, 1, MSG_OOB)));
	need(send(fds[1], "ab", 2, 0) == 2 && send(fds[1], "!", 1, MSG_OOB) == 1 && send(fds[1], "cd", 2, 0) == 2, "send");
	tell_read("before the mark", fds[0], 8);
	tell("at the mark: %d", sockatmark(fds[0]));
	tell("urgent: %s", result_text(recv(fds[0], text, 1, MSG_OOB)));
	tell("%s", text);
	tell_read("behind the mark", fds[0], 8);
}

static void zero_copy(void)
{
	enum { SIZE = 100000 };
	static char block[SIZE], control[128];
	struct msghdr m = {.msg_control = control, .msg_controllen = sizeof control};
	struct pollfd p;
	int fds[2], on = 1;
	size_t n = 0;

	make_tcp(fds);
	if (setsockopt(fds[1], SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) < 0) {
		tell("SO_ZEROCOPY: %s", result_text(-1));
		return;
	}
	tell("send: %s", result_text(send(fds[1], block, SIZE, MSG_ZEROCOPY)));
	while (n < SIZE) {
		long got = read(fds[0], block, SIZE);

		need(got > 0, "read");
		n += (size_t)got;
	}
	p = (struct pollfd){.fd = fds[1]};
	tell("poll: %d", poll(&p, 1, -1));
	tell("revents: %x", (unsigned)p.revents);
	tell("completed: %s", result_text(recvmsg(fds[1], &m, MSG_ERRQUEUE)));
}

static void large_messages(char **argv)
{
	(void)argv;
	many_vectors();
	large_with_control();
	urgent();
	zero_copy();
}

static int handler_fds[2];
static volatile unsigned handled;

static void work(int signal)
{
	struct pollfd p = {.fd = handler_fds[0], .events = POLLIN};
	char c = 0;
	int saved = errno;

	(void)signal;
	need(write(handler_fds[1], "h", 1) == 1 && poll(&p, 1, -1) == 1 && read(handler_fds[0], &c, 1) == 1 && c == 'h', "handler");
	handled++;
	errno = saved;
}

/* A handler does I/O while the program is in the middle of its own, which waits and which does not.  */
static void handler_does_io(char **argv)
{
	enum { TIMES = 20000 };
	struct itimerval timer = {{0, 200}, {0, 200}}, none = {{0, 0}, {0, 0}};
	unsigned wrong = 0;
	int fds[2], sockets[2];

	(void)argv;
	make_pipe(handler_fds);
	make_pipe(fds);
	make_sockets(SOCK_STREAM, sockets);
	if (fork() == 0) {
		close(fds[0]);
		for (int i = 0; i < TIMES; i++)
			need(write(fds[1], &(char){(char)i}, 1) == 1, "write");
		_exit(0);
	}
	close(fds[1]);
	handle(SIGALRM, work, SA_RESTART);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (int i = 0; i < TIMES || handled < 20; i++) {
		char c = 0;

		if (i < TIMES)
			wrong += read(fds[0], &c, 1) != 1 || c != (char)i;
		wrong += send(sockets[1], "s", 1, 0) != 1 || recv(sockets[0], &c, 1, 0) != 1 || c != 's';
	}
	setitimer(ITIMER_REAL, &none, NULL);
	wait(NULL);
	tell("wrong: %u", wrong);
}

/* Ctrl-C ends a program that waits, on its terminal.  */
static void ctrl_c(char **argv)
{
	int fds[2], pipes[2], status;
	pid_t pid;
	char c;

	(void)argv;
	for (int catches = 0; catches < 2; catches++) {
		make_pipe(pipes);
		make_terminal(fds, false);
		pid = fork();
		if (pid == 0) {
			setsid();
			need(ioctl(fds[1], TIOCSCTTY, 0) == 0, "TIOCSCTTY");
			if (catches)
				handle(SIGINT, no_handler, 0);
			_exit(read(pipes[0], &c, 1) < 0 ? errno : 99);
		}
		wait_asleep(pid);
		need(write(fds[0], "\003", 1) == 1, "Ctrl-C");
		waitpid(pid, &status, 0);
		tell("%d: signal %d, EINTR %d", catches, WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		     WIFEXITED(status) && WEXITSTATUS(status) == EINTR);
		close(fds[0]);
		close(fds[1]);
	}
}

static void *wait_for_byte(void *fd)
{
	char c;

	return read(*(int *)fd, &c, 1) == 1 ? fd : NULL;
}

/* One thread, no timer, the signals that the program has set: what a user namespace asks for; and then with a thread of its own,
 * where the kernel refuses.  */
static void nothing_of_its_own(char **argv)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");
	int fds[2];
	pthread_t t;
	void *result;

	(void)argv;
	while (fgets(line, sizeof line, f))
		if (!strncmp(line, "Threads", 7) || (!strncmp(line, "Sig", 3) && line[3] != 'Q'))
			printf("%s", line);
	fclose(f);
	f = fopen("/proc/self/timers", "r");
	tell("timers: %s", f && fgets(line, sizeof line, f) ? line : "none");
	if (fork() == 0) {
		tell("unshare: %s", result_text(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET)));
		make_pipe(fds);
		give(getpid(), fds[1], "x");
		tell_read("read", fds[0], 1);
		_exit(0);
	}
	wait(NULL);
	make_pipe(fds);
	pthread_create(&t, NULL, wait_for_byte, &fds[0]);
	tell("unshare, with a thread: %s", result_text(unshare(CLONE_NEWUSER)));
	tell("setuid, with a thread: %s", result_text(setuid(getuid())));
	need(write(fds[1], "x", 1) == 1, "write");
	pthread_join(t, &result);
	tell("the thread has read: %d", result != NULL);
}

/* A library that prefers its own write, and functions looked up by hand: argv[0] is the library.  */
static void by_hand(char **argv)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD), *library = dlopen(argv[0], RTLD_NOW | RTLD_DEEPBIND);
	ssize_t (*found_read)(int, void *, size_t);
	long (*transfer)(char *, size_t);
	char text[16] = "";
	int fds[2];

	need(libc && library, "dlopen");
	*(void **)&transfer = dlsym(library, "deep_transfer");
	for (int i = 0; i < 3; i++)
		tell("deep: %ld", transfer(text, sizeof text));
	tell("%s", text);
	dlclose(library);
	make_pipe(fds);
	*(void **)&found_read = dlsym(libc, "read");
	for (int way = 0; way < 3; way++) {
		give(getpid(), fds[1], "later");
		memset(text, 0, sizeof text);
		/* The one that cannot be seen comes first: with --switch=flag it meets O_NONBLOCK once the fd has been used. */
		switch (way) {
		case 0: tell("hidden: %ld", hidden_syscall(SYS_read, fds[0], (long)text, 5)); break;
		case 1: tell("found: %s", result_text(found_read(fds[0], text, 5))); break;
		case 2: tell("raw: %s", result_text(syscall(SYS_read, fds[0], text, 5))); break;
		}
		tell("%s", text);
		wait(NULL);
	}
}

const struct trap field_traps[] = {
	{"small-stacks", small_stacks}, {"nonblock-unseen", nonblock_unseen}, {"other-names", other_names}, {"inside-libc", inside_libc},
	{"refused-calls", refused_calls}, {"no-new-code", no_new_code}, {"interrupted-connect", interrupted_connect},
	{"no-timeouts", no_timeouts}, {"flag-of-copies", flag_of_copies}, {"large-messages", large_messages},
	{"handler-does-io", handler_does_io}, {"ctrl-c", ctrl_c}, {"nothing-of-its-own", nothing_of_its_own},
	{"by-hand", by_hand}, {NULL, NULL},
};
