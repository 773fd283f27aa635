/* flag.c - O_NONBLOCK, as the program sees it.  */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "traps.h"

static void show(const char *when, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		tell("%s: %s", when, result_text(flags));
	else
		tell("%s: %d", when, !!(flags & O_NONBLOCK));
}

static void use(const int fds[2])
{
	char c;

	need(write(fds[1], "x", 1) == 1 && read(fds[0], &c, 1) == 1, "use");
}

/* F_GETFL, F_SETFL, FIONBIO, dup and fork, before and after use.  */
static void own_view(char **argv)
{
	char c;

	(void)argv;
	for (int sockets = 0; sockets < 2; sockets++) {
		int fds[2], copy, on = 1, off = 0;

		if (sockets)
			make_sockets(SOCK_STREAM, fds);
		else
			make_pipe(fds);
		show("new", fds[0]);
		use(fds);
		show("used", fds[0]);
		copy = dup(fds[0]);
		show("copy", copy);
		fcntl(copy, F_SETFL, fcntl(copy, F_GETFL) | O_NONBLOCK);
		show("set through the copy", fds[0]);
		tell("read: %s", result_text(read(fds[0], &c, 1)));
		tell("read of the copy: %s", result_text(read(copy, &c, 1)));
		ioctl(fds[0], FIONBIO, &off);
		show("cleared by FIONBIO", copy);
		use(fds);
		ioctl(copy, FIONBIO, &on);
		show("set by FIONBIO", fds[0]);
		tell("read: %s", result_text(read(fds[0], &c, 1)));
		fcntl(fds[0], F_SETFL, 0);
		use(fds);
		if (fork() == 0) {
			show("in a child", fds[0]);
			fcntl(fds[0], F_SETFL, O_NONBLOCK);
			tell("read there: %s", result_text(read(fds[0], &c, 1)));
			_exit(0);
		}
		wait(NULL);
		close(copy);
		close(fds[0]);
		close(fds[1]);
	}
	tell("bad fd: %s", result_text(fcntl(-1, F_GETFL)));
	show("O_NONBLOCK from the start", (int)syscall(SYS_eventfd2, 0, O_NONBLOCK));
}

/* What the kernel says, after use; then what an unseen look through the kernel finds when everything is closed but a copy that
 * another process holds.  For --switch=flag: "flags while in use: 1".  */
static void kernel_view(char **argv)
{
	char path[64], line[64];
	unsigned flags = 0;
	int fds[2];
	FILE *f;

	(void)argv;
	make_pipe(fds);
	use(fds);
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fds[0]);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "flags: %o", &flags) == 1)
			tell("flags while in use: %d", !!(flags & O_NONBLOCK));
	if (f)
		fclose(f);
}

/* stdin's flag, read through the kernel by a process that does nothing else: for use before and after.  */
static void stdin_flag(char **argv)
{
	(void)argv;
	tell("stdin: %d", !!(hidden_syscall(SYS_fcntl, 0, F_GETFL, 0) & O_NONBLOCK));
}

static void kill_from_outside(int number)
{
	pid_t self = getpid();

	need(number > 0, "signal");
	signal(number, SIG_DFL);
	if (fork() == 0)
		_exit(kill(self, number) != 0);
	for (;;)
		pause();
}

/* Uses stdin, then ends in the way that argv names, or by the signal of that number.  */
static void use_stdin_and_end(char **argv)
{
	int *volatile nowhere = (int *)8;
	char c;

	need(argv[0] && read(0, &c, 1) == 1, "stdin");
	switch (argv[0][0]) {
	case 'e': exit(0);
	case '_': _exit(0);
	case 'q': quick_exit(0);
	case 'x': execlp("true", "true", (char *)NULL); break;
	case 'c': close(0); _exit(0);
	case 'k': raise(SIGKILL); break;
	case 'f': *nowhere = 0; break;
	case 'a': abort();
	default: kill_from_outside(atoi(argv[0]));
	}
}

/* Becomes a daemon: libc moves stdin inside.  */
static void use_stdin_and_leave(char **argv)
{
	char c;

	(void)argv;
	need(read(0, &c, 1) == 1 && daemon(0, 0) == 0, "stdin");
}

/* A child becomes the program that argv names, and ends; its status is not asked for.  */
static void abandon(char **argv)
{
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	need(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0 && info.si_code == CLD_KILLED, "waitid");
}

/* libc itself waits for the child, which becomes the named program, and is killed.  */
static void use_stdin_in_a_child(char **argv)
{
	FILE *f;

	need(argv[0] && argv[1], "arguments");
	if (!strcmp(argv[0], "system")) {
		tell("%d", system(argv[1]));
		return;
	}
	f = popen(argv[1], "r");
	need(f != NULL, "popen");
	tell("%d", pclose(f));
}

/* The other fd of splice and tee has been used before.  */
static void used_by_splice(char **argv)
{
	int in[2], out[2];
	pid_t parent = getpid();

	(void)argv;
	for (int tees = 0; tees < 2; tees++) {
		make_pipe(in);
		make_pipe(out);
		use(in);
		use(out);
		need(write(in[1], "hello", 5) == 5, "write");
		/* Full, but for what a child takes. */
		need(fcntl(out[1], F_SETPIPE_SZ, 4096) == 4096, "F_SETPIPE_SZ");
		for (int i = 0; i < 4096; i++)
			need(write(out[1], "x", 1) == 1, "write");
		if (fork() == 0) {
			char room[4096];

			wait_asleep(parent);
			_exit(read(out[0], room, sizeof room) != sizeof room);
		}
		tell("%s: %s", tees ? "tee" : "splice",
		     result_text(tees ? tee(in[0], out[1], 5, 0) : splice(in[0], NULL, out[1], NULL, 5, 0)));
		wait(NULL);
	}
}

/* Uses stdin, sets O_NONBLOCK there, and ends.  */
static void leave_nonblocking(char **argv)
{
	char c;

	need(argv[0] && read(0, &c, 1) == 1 && fcntl(0, F_SETFL, O_NONBLOCK) == 0, "stdin");
	if (argv[0][0] == 'k')
		raise(SIGKILL);
}

static void read_and_exit(int fd)
{
	char c;

	_exit(read(fd, &c, 1) == 1 ? 0 : errno);
}

static void tell_end(const char *what, pid_t pid)
{
	int status;

	need(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "waitpid");
	tell("%s: %s", what, WEXITSTATUS(status) ? strerrorname_np(WEXITSTATUS(status)) : "1");
}

/* Of two processes that read one description the second finds O_NONBLOCK there, which no program has set.  */
static void two_readers(const char *what, const int fds[2])
{
	pid_t first, second;
	int start[2];
	char c;

	make_pipe(start);
	second = fork();
	if (second == 0) {
		need(read(start[0], &c, 1) == 1, "start");
		read_and_exit(fds[0]);
	}
	first = fork();
	if (first == 0)
		read_and_exit(fds[0]);
	need(wait_asleep(first) && wait_asleep(second) && write(start[1], "x", 1) == 1, "readers");
	wait_asleep(second);
	need(write(fds[1], "xx", 2) == 2, "write");
	tell("%s:", what);
	tell_end("first", first);
	tell_end("second", second);
}

static void shared_by_fork(char **argv)
{
	int fds[2];

	(void)argv;
	make_pipe(fds);
	two_readers("a pipe", fds);
	make_sockets(SOCK_STREAM, fds);
	two_readers("sockets", fds);
}

static void *wait_for_ever(void *unused)
{
	pause();
	return unused;
}

/* Reads until the end: as one of two threads, or saying each time that O_NONBLOCK shall be off.  */
static void read_all_and_exit(int fd, bool threads, bool clears)
{
	pthread_t thread;
	char c;
	long n;

	if (threads)
		need(pthread_create(&thread, NULL, wait_for_ever, NULL) == 0, "thread");
	do {
		if (clears)
			fcntl(fd, F_SETFL, 0);
		n = read(fd, &c, 1);
	} while (n > 0);
	_exit(n < 0);
}

/* Processes that read one pipe, a byte at a time.  */
static void read_by_many(const char *what, bool threads, bool clear)
{
	enum { PROCESSES = 12, BYTES = 6000 };
	pid_t pid[PROCESSES];
	int fds[2], status, left, bad = 0;

	make_pipe(fds);
	for (int i = 0; i < PROCESSES; i++) {
		pid[i] = fork();
		if (pid[i])
			continue;
		close(fds[1]);
		read_all_and_exit(fds[0], threads && i % 2, clear);
	}
	for (int i = 0; i < BYTES; i++) {
		need(write(fds[1], "x", 1) == 1, "write");
		while (ioctl(fds[0], FIONREAD, &left) == 0 && left)
			sched_yield();
	}
	close(fds[1]);
	close(fds[0]);
	for (int i = 0; i < PROCESSES; i++)
		bad += waitpid(pid[i], &status, 0) != pid[i] || status != 0;
	tell("%s: %d bad", what, bad);
}

/* Those with threads wait in the plain call; one without sets O_NONBLOCK meanwhile, and takes the byte that has woken them up.
 * And of two that clear it at once, the slower one must not spoil what a third has set meanwhile.  */
static void many_processes(char **argv)
{
	(void)argv;
	read_by_many("some with threads", true, false);
	read_by_many("all clear it", false, true);
}

static void set_in_a_child(int fd, int flags)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(fcntl(fd, F_SETFL, flags));
	tell_end("F_SETFL", pid);
	show("afterwards", fd);
}

/* O_NONBLOCK is the program's from the moment on in which one of its processes sets it.  */
static void set_by_a_child(char **argv)
{
	int fds[2];
	char c;

	(void)argv;
	make_pipe(fds);
	use(fds);
	set_in_a_child(fds[0], O_NONBLOCK);
	tell("read: %s", result_text(read(fds[0], &c, 1)));
	set_in_a_child(fds[0], 0);
	use(fds);
}

static union {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
} control;

static void send_fd(int to, int fd)
{
	struct iovec v = {"x", 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};

	control.header = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
	need(sendmsg(to, &m, 0) == 1, "sendmsg");
}

static int receive_fd(int from)
{
	char c;
	struct iovec v = {&c, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	int fd;

	need(recvmsg(from, &m, 0) == 1, "recvmsg");
	memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
	return fd;
}

/* An fd that was used before another process gets it; and one on which the program has set O_NONBLOCK.  */
static void passed_on(char **argv)
{
	int sockets[2], fds[2];
	pid_t pid;

	(void)argv;
	make_sockets(SOCK_STREAM, sockets);
	for (int nonblocking = 0; nonblocking < 2; nonblocking++) {
		pid = fork();
		if (pid == 0)
			read_and_exit(receive_fd(sockets[0]));
		make_pipe(fds);
		use(fds);
		if (nonblocking)
			fcntl(fds[0], F_SETFL, O_NONBLOCK);
		send_fd(sockets[1], fds[0]);
		wait_asleep(pid);
		if (!nonblocking)
			need(write(fds[1], "x", 1) == 1, "write");
		tell_end(nonblocking ? "with O_NONBLOCK" : "without", pid);
		show("afterwards", fds[0]);
	}
}

/* Waits a moment for a byte on a terminal, where O_NONBLOCK would change the answer, before and after a vfork child has put a
 * pipe under the same number.  */
static void vfork_child_duplicates(char **argv)
{
	struct termios t;
	int terminal[2], fds[2];
	pid_t pid;
	char c;

	(void)argv;
	make_terminal(terminal, true);
	need(tcgetattr(terminal[1], &t) == 0, "tcgetattr");
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 1;
	need(tcsetattr(terminal[1], TCSANOW, &t) == 0, "tcsetattr");
	make_pipe(fds);
	use(fds);
	tell("read: %s", result_text(read(terminal[1], &c, 1)));
	pid = vfork();
	if (pid == 0) {
		dup2(fds[0], terminal[1]);
		execlp("true", "true", (char *)NULL);
		_exit(127);
	}
	tell_end("child", pid);
	alarm(20);
	tell("read: %s", result_text(read(terminal[1], &c, 1)));
}

static volatile sig_atomic_t signals;

static void count_signal(int signal)
{
	(void)signal;
	signals++;
}

/* O_ASYNC and its signal, on an fd that is in use.  */
static void asynchronous(char **argv)
{
	int fds[2];
	char c;

	(void)argv;
	handle(SIGIO, count_signal, SA_RESTART);
	handle(SIGUSR1, count_signal, SA_RESTART);
	make_sockets(SOCK_STREAM, fds);
	use(fds);
	tell("signal: %d", fcntl(fds[0], F_GETSIG));
	for (int chosen = 0; chosen < 2; chosen++) {
		tell("F_SETSIG: %s", result_text(fcntl(fds[0], F_SETSIG, chosen ? SIGUSR1 : 0)));
		use(fds);
		need(fcntl(fds[0], F_SETOWN, getpid()) == 0 && fcntl(fds[0], F_SETFL, O_ASYNC) == 0, "O_ASYNC");
		signals = 0;
		use(fds);
		tell("signals: %d, flags: %x, signal: %d", !!signals, (unsigned)fcntl(fds[0], F_GETFL), fcntl(fds[0], F_GETSIG));
		fcntl(fds[0], F_SETFL, O_ASYNC | O_NONBLOCK);
		tell("read: %s", result_text(read(fds[0], &c, 1)));
		fcntl(fds[0], F_SETFL, 0);
	}
	/* The signal stays chosen when O_ASYNC is off. */
	fcntl(fds[0], F_SETSIG, SIGIO);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	tell("read: %s, flags: %x", result_text(read(fds[0], &c, 1)), (unsigned)fcntl(fds[0], F_GETFL));
	tell("signal: %d", fcntl(fds[0], F_GETSIG));
}

const struct trap flag_traps[] = {
	{"own-view", own_view}, {"kernel-view", kernel_view}, {"stdin-flag", stdin_flag}, {"use-stdin-and-end", use_stdin_and_end},
	{"used-by-splice", used_by_splice}, {"leave-nonblocking", leave_nonblocking},
	{"abandon", abandon}, {"use-stdin-and-leave", use_stdin_and_leave}, {"use-stdin-in-a-child", use_stdin_in_a_child},
	{"shared-by-fork", shared_by_fork}, {"many-processes", many_processes}, {"set-by-a-child", set_by_a_child},
	{"passed-on", passed_on}, {"vfork-child-duplicates", vfork_child_duplicates}, {"asynchronous", asynchronous},
	{NULL, NULL},
};
