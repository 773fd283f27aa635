/* load.c - a known number of calls, for counting what was recorded.
 *
 *     load calls N              N writes of one byte into a pipe, and N reads
 *     load threads T N          T threads, each with a pipe: N writes and N reads
 *     load children C N         C children one after another, the same each
 *     load forks C T N        C children one after another, each with T threads that start at once
 *     load files N FILE         N times open, read, close; "relative": by its name in its directory; "at": by an fd of that
 *     load connections N [nonblock]     N times socket, connect, accept, write, read and close of both ends, over TCP
 *     load opened WHAT N        N times a pipe, an eventfd, a dup or a dup of that, or a file that is stat'ed (stated); and close
 *     load moved N              a file that is opened by the link "link", and one that is removed, "gone"; a thread reads both
 *                               N times, among 100 times as many other calls
 *     load turns N              N times a byte there and back again, between two processes
 *     load until-killed         one line on stdout after 1000 such calls, then calls without end  */
#include <arpa/inet.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static long count;

static void calls(long n)
{
	int fds[2];
	char c = 'x';

	if (pipe(fds) < 0)
		exit(3);
	for (long i = 0; i < n; i++)
		if (write(fds[1], &c, 1) != 1 || read(fds[0], &c, 1) != 1)
			exit(4);
	close(fds[0]);
	close(fds[1]);
}

static void *thread(void *unused)
{
	calls(count);
	return unused;
}

static void threads(int n)
{
	pthread_t *all = calloc((size_t)n, sizeof *all);

	for (int i = 0; i < n; i++)
		if (pthread_create(&all[i], NULL, thread, NULL) != 0)
			exit(5);
	for (int i = 0; i < n; i++)
		pthread_join(all[i], NULL);
	free(all);
}

static void children(int n)
{
	for (int i = 0; i < n; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			calls(count);
			_exit(0);
		}
		if (waitpid(pid, &status, 0) != pid || status != 0)
			exit(6);
	}
}

/* Each child's threads record at once, before anybody else of it has.  */
static void forks(int n, int threads_each)
{
	for (int i = 0; i < n; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			threads(threads_each);
			_exit(0);
		}
		if (waitpid(pid, &status, 0) != pid || status != 0)
			exit(7);
	}
}

static void must(int condition)
{
	if (!condition)
		exit(8);
}

static void files(int n, char *path, const char *how)
{
	char *name = strdup(path);
	int dir = AT_FDCWD;

	if (!strcmp(how, "relative"))
		must(chdir(dirname(path)) == 0);
	else if (!strcmp(how, "at"))
		must((dir = open(dirname(path), O_RDONLY | O_DIRECTORY)) >= 0);
	if (*how)
		name = basename(name);
	for (int i = 0; i < n; i++) {
		char buffer[512];
		int fd = openat(dir, name, O_RDONLY);

		must(fd >= 0 && read(fd, buffer, sizeof buffer) >= 0 && close(fd) == 0);
	}
}

static void connections(int n, int flags)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	char c = 'x';

	must(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 16) == 0);
	must(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
	for (int i = 0; i < n; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0), served;

		must(connect(fd, (struct sockaddr *)&address, size) == 0);
		served = accept4(listener, NULL, NULL, flags);
		must(served >= 0 && write(fd, &c, 1) == 1 && read(served, &c, 1) == 1 && close(fd) == 0 && close(served) == 0);
	}
}

static void opened(const char *what, int n)
{
	for (int i = 0; i < n; i++) {
		int fds[2] = {-1, -1};
		struct stat st;

		if (!strcmp(what, "pipe"))
			must(pipe(fds) == 0);
		else if (!strcmp(what, "stated"))
			must((fds[0] = open("/etc/passwd", O_RDONLY)) >= 0 && fstat(fds[0], &st) == 0);
		else
			fds[0] = !strcmp(what, "eventfd") ? eventfd(0, 0) : dup(0);
		if (!strcmp(what, "copies"))
			fds[1] = dup(fds[0]);
		must(close(fds[0]) == 0);
		if (fds[1] >= 0)
			must(close(fds[1]) == 0);
	}
}

static int link_and_gone[2];

static void *read_both(void *n)
{
	for (int i = 0; i < (int)(intptr_t)n; i++) {
		char c;

		must(pread(link_and_gone[0], &c, 1, 0) == 1 && pread(link_and_gone[1], &c, 1, 0) == 1);
		calls(50);
	}
	return NULL;
}

static void moved(int n)
{
	pthread_t t;
	char c;

	must((link_and_gone[0] = open("link", O_RDONLY)) >= 0 && read(link_and_gone[0], &c, 1) == 1);
	must((link_and_gone[1] = open("gone", O_RDWR | O_CREAT, 0600)) >= 0 && write(link_and_gone[1], "x", 1) == 1);
	must(unlink("gone") == 0);
	must(pthread_create(&t, NULL, read_both, (void *)(intptr_t)n) == 0 && pthread_join(t, NULL) == 0);
}

static void turns(int n)
{
	int there[2], back[2];
	char c = 'x';

	must(pipe(there) == 0 && pipe(back) == 0);
	if (fork() == 0) {
		close(there[1]);
		while (read(there[0], &c, 1) == 1)
			must(write(back[1], &c, 1) == 1);
		_exit(0);
	}
	close(there[0]);
	while (n--)
		must(write(there[1], &c, 1) == 1 && read(back[0], &c, 1) == 1);
	close(there[1]);
	must(wait(NULL) > 0);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int n = argc > 2 ? atoi(argv[2]) : 0;

	count = argc > 3 ? atol(argv[3]) : 0;
	if (!strcmp(what, "calls")) {
		calls(n);
	} else if (!strcmp(what, "threads")) {
		threads(n);
	} else if (!strcmp(what, "children")) {
		children(n);
	} else if (!strcmp(what, "forks") && argc > 4) {
		count = atol(argv[4]);
		forks(n, atoi(argv[3]));
	} else if (!strcmp(what, "files") && argc > 3) {
		files(n, argv[3], argc > 4 ? argv[4] : "");
	} else if (!strcmp(what, "connections")) {
		connections(n, argc > 3 ? SOCK_NONBLOCK : 0);
	} else if (!strcmp(what, "opened") && argc > 3) {
		opened(argv[2], atoi(argv[3]));
	} else if (!strcmp(what, "moved")) {
		moved(n);
	} else if (!strcmp(what, "turns")) {
		turns(n);
	} else if (!strcmp(what, "until-killed")) {
		calls(500);
		puts("started");
		fflush(stdout);
		for (;;)
			calls(1000);
	} else {
		fprintf(stderr, "usage: load calls|threads|children|forks|files|connections|opened|moved|turns|until-killed ...\n");
		return 2;
	}
	puts("done");
	return 0;
}
