/* say.h - what the command has to say, always in one line on stderr: "eagain: what: why".  */
#ifndef EAGAIN_SAY_H
#define EAGAIN_SAY_H

enum {
	STATUS_FAILED = 1,              /* the trace could not be read, the report not be written, ... */
	STATUS_USAGE = 2,               /* the command line makes no sense */
	STATUS_NOT_EXECUTABLE = 126,    /* as shells say of a program that cannot be run */
	STATUS_NOT_FOUND = 127,
};

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void die(int status, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

/* malloc and realloc that do not return NULL.  */
void *must_have(void *memory) __attribute__((returns_nonnull));

#endif
