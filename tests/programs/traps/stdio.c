/* stdio.c - streams, in every form that reaches the kernel.  */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#include "traps.h"

static FILE *stream(int fds[2])
{
	make_pipe(fds);
	return fdopen(fds[0], "r");
}

static void feed(int fd, const char *const *pieces)
{
	pid_t parent = getpid();

	if (fork())
		return;
	for (; *pieces; pieces++) {
		wait_asleep(parent);
		need(write(fd, *pieces, strlen(*pieces)) > 0, "write");
	}
	_exit(0);
}

/* Lines, words, characters and blocks that come in pieces.  */
static void reading(char **argv)
{
	char line[64], *longer = NULL;
	size_t size = 0;
	ssize_t length;
	int fds[2], number = 0, end;
	FILE *f = stream(fds);

	(void)argv;
	feed(fds[1], (const char *const[]){"first li", "ne\nsecond\n", "12", "3 word\n", "0123456789", NULL});
	close(fds[1]);
	need(fgets(line, sizeof line, f) != NULL, "fgets");
	tell("fgets: %s", line);
	length = getline(&longer, &size, f);
	tell("getline: %zd %s", length, longer);
	tell("fscanf: %d", fscanf(f, "%d %63s\n", &number, line));
	tell("got: %d %s", number, line);
	end = fgetc(f);
	tell("fgetc: %c, ungetc: %d", end, ungetc(end, f) == end);
	tell("fread: %zu", fread(line, 1, 32, f));
	tell("eof %d, error %d", feof(f), ferror(f));
	clearerr(f);
	tell("after clearerr: %d", fgetc(f));
	tell("fclose: %d", fclose(f));
	wait(NULL);
}

/* More than the pipe takes; then a reader that goes.  */
static void writing(char **argv)
{
	int fds[2];
	char block[4096];
	long total = 0, n;
	FILE *f;

	(void)argv;
	make_pipe(fds);
	if (fork() == 0) {
		close(fds[0]);
		f = fdopen(fds[1], "w");
		for (int i = 0; i < 50000; i++)
			fprintf(f, "line %d\n", i);
		_exit(fclose(f) != 0);
	}
	close(fds[1]);
	while ((n = read(fds[0], block, sizeof block)) > 0)
		total += n;
	wait(NULL);
	tell("bytes: %ld", total);
	signal(SIGPIPE, SIG_IGN);
	make_pipe(fds);
	close(fds[0]);
	f = fdopen(fds[1], "w");
	setvbuf(f, NULL, _IOFBF, 16);
	n = fprintf(f, "%s", "a long line, longer than the buffer");
	tell("fprintf: %s, error %d", result_text(n), ferror(f));
	tell("fclose: %s", result_text(fclose(f)));
}

static void wide(char **argv)
{
	wchar_t line[32];
	int fds[2];
	FILE *f = stream(fds);

	(void)argv;
	setlocale(LC_ALL, "C.UTF-8");
	feed(fds[1], (const char *const[]){"gr\xc3", "\xbc\xc3\x9f", "e\n", NULL});
	close(fds[1]);
	need(fgetws(line, 32, f) != NULL, "fgetws");
	tell("fgetws: %zu %ls", wcslen(line), line);
	tell("fgetwc: %d", fgetwc(f) == WEOF);
	wait(NULL);
}

/* A handler without SA_RESTART ends a stream's read with an error, which can be cleared.  */
static void interrupted(char **argv)
{
	char line[16];
	int fds[2];
	FILE *f = stream(fds);
	pid_t parent = getpid(), pid;

	(void)argv;
	handle(SIGUSR1, no_handler, 0);
	pid = fork();
	if (pid == 0) {
		wait_asleep(parent);
		kill(parent, SIGUSR1);
		_exit(0);
	}
	tell("fgets: %d", fgets(line, sizeof line, f) != NULL);
	tell("errno: %s, error %d", strerrorname_np(errno), ferror(f));
	waitpid(pid, NULL, 0);
	clearerr(f);
	need(write(fds[1], "line\n", 5) == 5, "write");
	tell("fgets: %s", fgets(line, sizeof line, f) ? line : "none");
}

static void reopened(char **argv)
{
	char line[16];
	int fds[2];
	FILE *f = stream(fds);

	(void)argv;
	need(write(fds[1], "line\n", 5) == 5 && fgets(line, sizeof line, f), "first");
	f = freopen("/proc/self/cmdline", "r", f);
	tell("freopen: %d", f && fread(line, 1, 4, f) == 4);
	f = freopen("/dev/null", "r", f);
	tell("at its end: %d", fgetc(f));
	tell("fclose: %d", fclose(f));
	tell("closed: %s", result_text(fcntl(fds[0], F_GETFD)));
}

static void dprintf_and_puts(char **argv)
{
	int fds[2];

	(void)argv;
	make_pipe(fds);
	tell("dprintf: %s", result_text(dprintf(fds[1], "number %d", 42)));
	tell_read("read", fds[0], 63);
	setvbuf(stdout, NULL, _IONBF, 0);
	puts("unbuffered");
	printf("%s %d\n", "printf", 1);
	fwrite("fwrite\n", 1, 7, stdout);
	perror("perror");
}

/* Files: seeking, appending, reading and writing in turn.  */
static void files(char **argv)
{
	char line[32] = "";
	FILE *f = fopen("file", "w+");

	(void)argv;
	fputs("one\ntwo\n", f);
	rewind(f);
	need(fgets(line, sizeof line, f) != NULL, "fgets");
	tell("fgets: %s", line);
	fseek(f, 0, SEEK_END);
	fputs("three\n", f);
	fclose(f);
	f = fopen("file", "a+");
	fputs("four\n", f);
	rewind(f);
	tell("fread: %zu", fread(line, 1, sizeof line, f));
	fclose(f);
	f = fopen("file", "rm");
	tell("mmap'ed: %zu", fread(line, 1, sizeof line, f));
	fclose(f);
}

const struct trap stdio_traps[] = {
	{"stdio-reading", reading}, {"stdio-writing", writing}, {"stdio-wide", wide}, {"stdio-interrupted", interrupted},
	{"stdio-reopened", reopened}, {"stdio-dprintf-and-puts", dprintf_and_puts}, {"stdio-files", files}, {NULL, NULL},
};
