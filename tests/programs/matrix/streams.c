/* streams.c - stdio on the fd: what libc itself reads and writes, by bytes, lines and wide characters.  */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "matrix.h"

static FILE *open_stream(int fd, const char *mode)
{
	FILE *f = fdopen(dup(fd), mode);

	errno = 0;
	return f;
}

static long tell_stream(FILE *f, long result)
{
	int saved = errno;

	tell("eof", feof(f) != 0);
	tell("failed", ferror(f) != 0);
	fclose(f);
	errno = saved;
	return result;
}

static long stream_fgetc(int fd)
{
	FILE *f = open_stream(fd, "r");

	return f ? tell_stream(f, fgetc(f)) : -1;
}

static long stream_getwc(int fd)
{
	FILE *f = open_stream(fd, "r");

	return f ? tell_stream(f, (long)(int)getwc(f)) : -1;
}

static long stream_fgets(int fd)
{
	FILE *f = open_stream(fd, "r");

	memset(buffer, 0, 64);
	return f ? tell_stream(f, fgets(buffer, 64, f) ? (long)strlen(buffer) : -1) : -1;
}

static long stream_fgetws(int fd)
{
	FILE *f = open_stream(fd, "r");
	wchar_t line[64] = {0};

	if (!f)
		return -1;
	tell("line", fgetws(line, 64, f) ? (long)wcslen(line) : -1);
	return tell_stream(f, line[0] ? (long)line[0] : -1);
}

static long read_stream(int fd, size_t size, int buffering)
{
	FILE *f = open_stream(fd, "r");

	if (!f)
		return -1;
	setvbuf(f, NULL, buffering, BUFSIZ);
	return tell_stream(f, (long)fread(buffer, 1, size, f));
}

static long stream_fread(int fd) { return read_stream(fd, 10, _IOFBF); }
static long stream_fread_unbuffered(int fd) { return read_stream(fd, 10, _IONBF); }
static long stream_fread_large(int fd) { return read_stream(fd, LARGE, _IOFBF); }

static long stream_getline(int fd)
{
	FILE *f = open_stream(fd, "r");
	char *line = NULL;
	size_t room = 0;
	long result;

	if (!f)
		return -1;
	result = tell_stream(f, getline(&line, &room, f));
	free(line);
	return result;
}

/* A second try after the first met the end, or an error.  */
static long stream_fgetc_again(int fd)
{
	FILE *f = open_stream(fd, "r");

	if (!f)
		return -1;
	tell("first", fgetc(f));
	clearerr(f);
	return tell_stream(f, fgetc(f));
}

/* What went into the stream, and whether all of it went on.  */
static long flushed(FILE *f, long result)
{
	tell("flushed", fflush(f));
	return tell_stream(f, result);
}

static long stream_fputs(int fd)
{
	FILE *f = open_stream(fd, "w");

	return f ? flushed(f, fputs("hello\n", f) < 0 ? -1 : 6) : -1;
}

static long stream_fputws(int fd)
{
	FILE *f = open_stream(fd, "w");

	return f ? flushed(f, fputws(L"hello\n", f) < 0 ? -1 : 6) : -1;
}

static long write_stream(int fd, size_t size, int buffering)
{
	FILE *f = open_stream(fd, "w");

	if (!f)
		return -1;
	setvbuf(f, NULL, buffering, BUFSIZ);
	return flushed(f, (long)fwrite(buffer, 1, size, f));
}

static long stream_fwrite(int fd) { return write_stream(fd, 10, _IOFBF); }
static long stream_fwrite_large(int fd) { return write_stream(fd, LARGE, _IOFBF); }
static long stream_fwrite_unbuffered(int fd) { return write_stream(fd, LARGE, _IONBF); }

static long stream_fprintf(int fd)
{
	FILE *f = open_stream(fd, "w");

	return f ? flushed(f, fprintf(f, "%s-%d\n", "hello", 17)) : -1;
}

/* As the program's standard output.  */
static long stream_printf(int fd)
{
	long result;

	if (dup2(fd, STDOUT_FILENO) < 0)
		return -1;
	result = printf("%s-%d\n", "hello", 17);
	tell("flushed", fflush(stdout));
	return result;
}

static long stream_dprintf(int fd) { return dprintf(fd, "%s-%d\n", "hello", 17); }
static long stream_dprintf_large(int fd) { return dprintf(fd, "%1000000d\n", 17); }

#define R(name) {#name, READS, COUNTS, name}
#define RS(name) {#name, READS, SIMPLE | COUNTS, name}
#define W(name) {#name, WRITES, 0, name}
#define WL(name) {#name, WRITES, NOT_FITTING | COUNTS, name}
#define WSL(name) {#name, WRITES, SIMPLE | NOT_FITTING | COUNTS, name}

const struct call stream_calls[] = {
	RS(stream_fgetc), R(stream_getwc), R(stream_fgets), R(stream_fgetws), R(stream_getline),
	{"stream_fgetc_again", READS, GREEDY | COUNTS, stream_fgetc_again}, {"stream_fread", READS, SIMPLE | GREEDY, stream_fread},
	{"stream_fread_unbuffered", READS, GREEDY, stream_fread_unbuffered}, {"stream_fread_large", READS, GREEDY, stream_fread_large},
	W(stream_fputs), W(stream_fputws), W(stream_fwrite), WSL(stream_fwrite_large), WL(stream_fwrite_unbuffered), W(stream_fprintf),
	W(stream_printf), W(stream_dprintf), WSL(stream_dprintf_large),
};

const size_t stream_call_count = sizeof stream_calls / sizeof *stream_calls;
