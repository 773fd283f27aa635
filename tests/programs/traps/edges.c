/* edges.c - where what one remembers, or adds, can be seen after all: each of these was once different.  */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "traps.h"

static int fds[2];

/* The kernel looks at half of poll's count, and at no more of select's sets than there can be fds.  */
static void poll_bounds(char **argv)
{
	struct timeval second = {1, 0};
	struct pollfd p;
	char *end = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fd_set *set = (fd_set *)(void *)(end + 4096 - sizeof *set);
	volatile nfds_t one = (1ul << 32) | 1;

	(void)argv;
	make_pipe(fds);
	need(write(fds[1], "x", 1) == 1 && munmap(end + 4096, 4096) == 0, "memory");
	p = (struct pollfd){.fd = fds[0], .events = POLLIN};
	tell("poll: %d", poll(&p, one, 0));
	tell("revents: %x", (unsigned)p.revents);
	FD_SET(fds[0], set);
	tell("select: %d %d", select(20000, set, NULL, NULL, &second), !!FD_ISSET(fds[0], set));
	tell("select for writing: %d", select(20000, NULL, set, NULL, &second));
}

static int self_pipe;

static void make_ready(int signal)
{
	(void)signal;
	need(write(self_pipe, "x", 1) == 1, "write");
}

/* A child that sends SIGALRM once this process sleeps.  */
static pid_t alarm_asleep(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		wait_asleep(parent);
		_exit(kill(parent, SIGALRM) != 0);
	}
	return pid;
}

/* The handler makes the call ready that it interrupts: EINTR all the same.  */
static void interrupted_and_ready(char **argv)
{
	struct rlimit none = {0, 0};
	char c;

	(void)argv;
	need(mkfifo("fifo", 0600) == 0, "mkfifo");
	self_pipe = open("fifo", O_RDWR);
	unlink("fifo");
	handle(SIGALRM, make_ready, 0);
	alarm_asleep();
	tell("read: %s", result_text(read(self_pipe, &c, 1)));
	tell_read("afterwards", self_pipe, 1);
	handle(SIGALRM, no_handler, 0);
	alarm_asleep();
	need(setrlimit(RLIMIT_NOFILE, &none) == 0, "setrlimit");
	tell("read, where no fd may be opened: %s", result_text(read(self_pipe, &c, 1)));
}

/* What opens fds, each way.  */
static void openings(char **argv)
{
	struct stat st;
	sigset_t set;
	int fd;

	(void)argv;
	sigemptyset(&set);
	umask(022);
	tell("open: %s", result_text(open("file", O_RDWR | O_CREAT, 0666)));
	tell("mode: %o", stat("file", &st) == 0 ? st.st_mode : 0);
	tell("openat: %s", result_text(openat(AT_FDCWD, "file", O_RDONLY)));
	tell("creat: %s", result_text(creat("another", 0600)));
	tell("open, none: %s", result_text(open("none", O_RDONLY)));
	tell("open, bad address: %s", result_text(syscall(SYS_openat, AT_FDCWD, 8L, O_RDONLY, 0)));
	tell("openat, bad directory: %s", result_text(openat(99, "file", O_RDONLY)));
	tell("pipe: %s", result_text(pipe(fds)));
	tell("pipe2: %s", result_text(pipe2(fds, O_CLOEXEC | O_NONBLOCK)));
	tell("pipe, bad address: %s", result_text(syscall(SYS_pipe2, 8L, 0)));
	tell("socket: %s", result_text(socket(AF_UNIX, SOCK_STREAM, 0)));
	tell("socket, no such kind: %s", result_text(socket(AF_UNIX, 99, 0)));
	tell("socketpair: %s", result_text(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds)));
	tell("eventfd: %s", result_text(eventfd(1, 0)));
	tell("timerfd_create: %s", result_text(timerfd_create(CLOCK_MONOTONIC, 0)));
	fd = signalfd(-1, &set, 0);
	tell("signalfd: %s", result_text(fd));
	tell("signalfd, again: %d, O_NONBLOCK: %d", signalfd(fd, &set, 0) == fd, !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
	tell("inotify_init: %s", result_text(inotify_init()));
	tell("epoll_create: %s", result_text(epoll_create(1)));
	tell("epoll_create, no size: %s", result_text(epoll_create(0)));
	tell("memfd_create: %s", result_text(memfd_create("memory", 0)));
	tell("by number: %s", result_text(syscall(SYS_openat, AT_FDCWD, "file", O_RDONLY, 0)));
	errno = 0;
	tell("a result that is no error: %d", syscall(SYS_lseek, open("/proc/self/mem", O_RDONLY), 0x7fff80000000L, 0) == 0x7fff80000000L && !errno);
}

/* The kernel's name for what was opened.  */
static int tell_name(int fd)
{
	char link[32], path[512];
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	need(fd >= 0 && n > 0, "open");
	path[n] = 0;
	tell("%s", path);
	return fd;
}

/* The same; it is closed.  */
static void tell_path(int fd)
{
	close(tell_name(fd));
}

static void make_file(const char *path)
{
	FILE *stream = fopen(path, "w");

	need(stream && fclose(stream) == 0, path);
}

/* Opens "x" in the directory of that name, which libc opens by itself, and forgets.  */
static void tell_within(const char *directory)
{
	DIR *d = opendir(directory);

	need(d != NULL, "opendir");
	tell_path(openat(dirfd(d), "x", O_RDONLY));
	closedir(d);
}

/* Opens "x" in a directory that was opened without a word on what it is.  */
static void tell_in(int dir)
{
	tell_path(openat(dir, "x", O_RDONLY));
	tell_path(openat(dir, "x", O_RDONLY));
	close(dir);
}

/* What such a directory was opened by, and what has become of that before it is used.  */
static void entries(void)
{
	DIR *other = opendir("b");
	char whole[512];
	int dir;

	need(other != NULL && mkdir("b/i", 0700) == 0 && mkdir("b/k", 0700) == 0, "opendir");
	make_file("b/i/x");
	make_file("b/k/x");
	tell_in(tell_name(open("b", O_RDONLY)));
	tell_in(tell_name(openat(dirfd(other), "i", O_RDONLY | O_NOFOLLOW)));
	dir = tell_name(openat(dirfd(other), "i", O_RDONLY | O_NOFOLLOW));
	need(rename("b/i", "b/j") == 0, "rename");
	tell_in(dir);
	dir = tell_name(openat(dirfd(other), "k", O_RDONLY));
	need(rename("b", "g") == 0, "rename");
	tell_in(dir);
	/* Its number is another's, and nobody has heard of that. */
	dir = tell_name(open("a", O_RDONLY));
	need(hidden_syscall(SYS_dup3, dirfd(other), dir, 0) == dir, "dup3");
	tell_in(dir);
	/* It has the name of the link that led to it; what is in it has not. */
	need(mkdir("n", 0700) == 0 && symlink("n", "l") == 0 && getcwd(whole, sizeof whole) != NULL, "symlink");
	make_file("n/x");
	dir = open("l", O_RDONLY);
	tell("%s/l", whole);
	tell_in(dir);
	closedir(other);
}

/* Ways to say which file is meant.  */
static void paths(char **argv)
{
	char whole[512], link[32];
	int dir;

	(void)argv;
	need(mkdir("a", 0700) == 0 && mkdir("b", 0700) == 0 && mkdir("a/c", 0700) == 0, "mkdir");
	make_file("x");
	make_file("a/x");
	make_file("b/x");
	make_file("a/c/x");
	need(realpath("a/x", whole) != NULL, "realpath");
	tell_path(open(whole, O_RDONLY));
	tell_path(open("x", O_RDONLY));
	tell_path(open("./x", O_RDONLY));
	tell_path(open("a//x", O_RDONLY));
	tell_path(open("b/../a/x", O_RDONLY));
	tell_path(open(".", O_RDONLY));
	tell_path(open("a/", O_RDONLY));
	dir = open("b", O_TMPFILE | O_RDWR, 0600);
	if (dir >= 0)   /* not on every file system */
		tell_path(dir);
	tell_path(open("/", O_RDONLY));
	tell_path(creat("y", 0600));
	tell_path((int)syscall(SYS_openat, AT_FDCWD, "y", O_RDONLY));
	dir = open("a/x", O_RDONLY);
	snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
	tell_path(open(link, O_RDONLY));
	snprintf(link, sizeof link, "/dev/fd/%d", dir);
	tell_path(open(link, O_RDONLY));
	tell_path(dir);
	tell_path(open("/proc/self/cwd/x", O_RDONLY));
	/* One number for several directories, and one directory with several names. */
	tell_within("a");
	tell_within("b");
	tell_within("a/c");
	need(rename("a/c", "d") == 0, "rename");
	tell_within("d");
	need(unlink("d/x") == 0 && rmdir("d") == 0 && mkdir("e", 0700) == 0, "mkdir");
	make_file("e/x");
	tell_within("e");
	tell_within("/proc/self/cwd");
	entries();
	need(chdir("a") == 0, "chdir");
	tell_path(open("x", O_RDONLY));
	tell_path(open("../x", O_RDONLY));
	need(chdir("/proc/self") == 0, "chdir");
	tell_path(open("cwd/status", O_RDONLY));
}

/* The first write on such a socket connects.  */
static void fastopen_connect(char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof a;
	int bound = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	need(bind(bound, (struct sockaddr *)&a, size) == 0 && getsockname(bound, (struct sockaddr *)&a, &size) == 0, "bind");
	setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, &on, sizeof on);
	tell("connect: %s", result_text(connect(fd, (struct sockaddr *)&a, size)));
	tell("write: %s", result_text(write(fd, "hello", 5)));
	tell("write: %s", result_text(write(fd, "hello", 5)));
}

static int epoll;

static void act_fcntl(void) { fcntl(fds[0], F_SETFL, O_NONBLOCK); }
static void act_dup2(void) { dup2(fds[0], 9); }
static void act_usleep(void) { usleep(1000); }
static void act_close(void) { close(fds[0]); }
static void act_open(void) { open("/dev/null", O_RDONLY); }
static void act_nothing(void) { }

static void act_epoll(void)
{
	struct epoll_event event;

	epoll_wait(epoll, &event, 1, 0);
}

static void act_many(void)
{
	char c;

	for (int i = 0; i < 5000; i++)
		need(write(fds[1], "x", 1) == 1 && read(fds[0], &c, 1) == 1, "transfer");
}

/* A filter that kills at any system call but write, exit_group, and those that the act makes natively.  */
static void narrow_sandbox(char **argv)
{
	static const struct {
		const char *name;
		void (*act)(void);
		int allowed[2];
	} acts[] = {
		{"fcntl", act_fcntl, {SYS_fcntl, SYS_fcntl}}, {"usleep", act_usleep, {SYS_clock_nanosleep, SYS_clock_nanosleep}},
		{"close", act_close, {SYS_close, SYS_close}}, {"open", act_open, {SYS_openat, SYS_openat}},
		{"many", act_many, {SYS_read, SYS_read}}, {"nothing", act_nothing, {SYS_write, SYS_write}},
#ifdef SYS_dup2
		{"dup2", act_dup2, {SYS_dup2, SYS_dup2}}, {"epoll_wait", act_epoll, {SYS_epoll_wait, SYS_epoll_wait}},
#else
		{"dup2", act_dup2, {SYS_dup3, SYS_dup3}}, {"epoll_wait", act_epoll, {SYS_epoll_pwait, SYS_epoll_pwait}},
#endif
	};
	int status;

	(void)argv;
	make_pipe(fds);
	epoll = epoll_create1(0);
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
		unsigned allowed[] = {SYS_write, SYS_exit_group, (unsigned)acts[i].allowed[0], (unsigned)acts[i].allowed[1]};
		struct sock_filter f[] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[0], 4, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[1], 3, 0),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[2], 2, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[3], 1, 0),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		};
		struct sock_fprog program = {sizeof f / sizeof *f, f};

		if (fork() == 0) {
			need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "seccomp");
			acts[i].act();
			_exit(3);
		}
		wait(&status);
		tell("%s: %s %d", acts[i].name, WIFEXITED(status) ? "exit" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	}
}

const struct trap edge_traps[] = {
	{"poll-bounds", poll_bounds}, {"interrupted-and-ready", interrupted_and_ready}, {"openings", openings}, {"paths", paths},
	{"fastopen-connect", fastopen_connect}, {"narrow-sandbox", narrow_sandbox}, {NULL, NULL},
};
