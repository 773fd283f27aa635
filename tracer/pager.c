/* pager.c - up and down in lines: what browsing and its lists share.  */
#include "pager.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "screen.h"
#include "terminal.h"

bool pager_move(int key, size_t *place, size_t count, size_t page)
{
	size_t last = count ? count - 1 : 0;

	switch (key) {
	case KEY_UP: case 'k': *place -= *place > 0; break;
	case KEY_DOWN: case 'j': *place += *place < last; break;
	case KEY_PAGE_UP: *place -= *place < page ? *place : page; break;
	case KEY_PAGE_DOWN: *place = last - *place < page ? last : *place + page; break;
	case 'g': *place = 0; break;
	case 'G': *place = last; break;
	default: return false;
	}
	return true;
}

static size_t line_count(const char *text, size_t size)
{
	size_t lines = 0;

	for (const char *c = text; size && (c = memchr(c, '\n', (size_t)(text + size - c))) != NULL; c++)
		lines++;
	return lines;
}

static void show_from(const char *text, size_t size, size_t top, int rows)
{
	const char *from = text, *to;
	char *frame;
	size_t frame_size;
	FILE *f = must_have(open_memstream(&frame, &frame_size));

	for (; top; top--)
		from = (const char *)memchr(from, '\n', (size_t)(text + size - from)) + 1;
	to = from;
	for (int row = 0; row < rows - 1; row++) {
		const char *newline = to < text + size ? memchr(to, '\n', (size_t)(text + size - to)) : NULL;

		if (newline)
			to = newline + 1;
		fwrite(from, 1, (size_t)(to - from), f);
		if (!newline)
			fputc('\n', f);
		from = to;
	}
	fputs(SCREEN_REVERSE " up down   q back " SCREEN_PLAIN, f);
	fclose(f);
	terminal_show(frame, frame_size);
	free(frame);
}

bool pager_show(const char *text, size_t size)
{
	size_t lines = line_count(text, size), top = 0, most;
	int rows, columns, key = KEY_NONE;

	while (key != 'q' && key != KEY_ESCAPE && key != '\n') {
		terminal_size(&rows, &columns);
		most = lines > (size_t)rows - 1 ? lines - ((size_t)rows - 1) : 0;
		if (top > most)
			top = most;
		show_from(text, size, top, rows);
		key = terminal_key(-1);
		if (key == KEY_GONE)
			return false;
		pager_move(key == ' ' ? KEY_PAGE_DOWN : key, &top, most + 1, (size_t)rows - 1);
	}
	return true;
}
