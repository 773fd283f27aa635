/* echo.c - the talk's first program, as tests/talk/blocking.py: nothing but its reads and writes is in the log.  */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 4, LINE_SIZE = 256 };

/* The next line without its end, cut to what fits; false at the end of the input.  */
static bool read_line(char line[LINE_SIZE])
{
	size_t size = 0;

	for (;;) {
		char part[READ_SIZE];
		ssize_t n = read(0, part, sizeof part);

		if (n <= 0)
			return false;
		if (size + (size_t)n < LINE_SIZE) {
			memcpy(line + size, part, (size_t)n);
			size += (size_t)n;
		}
		if (part[n - 1] == '\n')
			break;
	}
	line[size - 1] = 0;
	return true;
}

static bool say(const char *text)
{
	return write(1, text, strlen(text)) == (ssize_t)strlen(text);
}

int main(void)
{
	char line[LINE_SIZE], answer[LINE_SIZE + 16];

	while (say(":") && read_line(line)) {
		if (!strcmp(line, "exit"))
			return !say("Goodbye\n");
		snprintf(answer, sizeof answer, "Hello [%s]\n", line);
		if (*line && !say(answer))
			return 1;
	}
	return 0;
}
