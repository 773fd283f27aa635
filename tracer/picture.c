/* picture.c - puts stretches side by side, and draws them.  */
#include "picture.h"

#include <string.h>

#include "color.h"
#include "screen.h"

enum { GAP = 3 };                       /* columns between neighbouring texts */

void picture_begin(struct picture *p, int width)
{
	p->width = width < PICTURE_MAX ? width : PICTURE_MAX;
	for (int row = 0; row < ROWS; row++)
		memset(p->rows[row], row == BORDER ? '=' : ' ', (size_t)p->width);
}

struct stretch *picture_stretch(struct picture *p, enum level level, int width, const char *text)
{
	struct stretch *s = &p->stretches[p->count < PICTURE_STRETCHES ? p->count++ : PICTURE_STRETCHES - 1];

	*s = (struct stretch){.level = level, .width = width, .step = PICTURE_NO_STEP};
	snprintf(s->text, sizeof s->text, "%s", text);
	return s;
}

bool picture_in_kernel(const struct picture *p)
{
	return p->count && p->stretches[p->count - 1].level == KERNEL;
}

/* The time that passes is in the waits: they get the room that is left.  */
static void place(struct picture *p)
{
	struct stretch *widest = &p->stretches[p->count - 1];
	int at = 0, left = p->width;

	for (size_t i = p->count; i-- > 0;) {
		left -= p->stretches[i].width;
		if (p->stretches[i].grows || (p->stretches[i].waiting && !widest->grows))
			widest = &p->stretches[i];
	}
	if (left > 0)
		widest->width += left;
	for (size_t i = 0; i < p->count; i++) {
		p->stretches[i].at = at;
		at += p->stretches[i].width;
	}
}

void picture_put(struct picture *p, int row, int at, char c)
{
	if (at >= 0 && at < p->width)
		p->rows[row][at] = c;
}

static void put_text(struct picture *p, int row, int at, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		picture_put(p, row, at + (int)i, text[i]);
}

/* How much of the text goes on one line: whole words, if one fits.  */
static size_t line_of(const char *text, int width)
{
	size_t n = strlen(text), room = width > 1 ? (size_t)width : 1, cut = room;

	if (n <= room)
		return n;
	while (cut && text[cut] != ' ')
		cut--;
	return cut ? cut : room;
}

/* Returns how many lines it took.  */
int picture_lines(struct picture *p, int row, int rows, int at, int width, const char *text)
{
	int i;

	for (i = 0; i < rows && *text; i++) {
		size_t n = line_of(text, width);

		put_text(p, row + i, at, text, n);
		text += n;
		text += *text == ' ';
	}
	return i;
}

/* Where the next stretch on the same level begins: so far a text may go.  */
static int room_of(const struct picture *p, size_t i)
{
	if (p->stretches[i].narrow)
		return p->stretches[i].width - 1;
	for (size_t k = i + 1; k < p->count; k++)
		if (p->stretches[k].level == p->stretches[i].level && (*p->stretches[k].text || p->stretches[k].waiting))
			return p->stretches[k].at - p->stretches[i].at - GAP;
	return p->width - p->stretches[i].at;
}

static void draw_stretch(struct picture *p, size_t i)
{
	struct stretch *s = &p->stretches[i];
	int row = s->level == USER ? USER_LINE : KERNEL_LINE, last = i + 1 < p->count ? s->at + s->width : p->width - 1;

	for (int x = s->at; x <= last; x++)
		picture_put(p, row, x, s->waiting ? '.' : '-');
	if (s->level == USER)
		picture_lines(p, USER_TEXT, 3, s->at, room_of(p, i), s->text);
	else
		s->lines = picture_lines(p, KERNEL_TEXT, 3, s->at, room_of(p, i), s->text);
}

/* What ended a wait stands at its end: two lines, under what it waited in.  */
static void draw_end(struct picture *p, const struct stretch *s)
{
	const char *text = s->end;

	for (int row = KERNEL_TEXT + (s->lines ? s->lines : 1), last = row + 1; row <= last && row < KERNEL_NAME && *text; row++) {
		size_t n = line_of(text, s->width);
		int at = s->at + s->width - (int)n + 1;

		put_text(p, row, at, text, n);
		text += n;
		text += *text == ' ';
	}
}

static void draw_edge(struct picture *p, const struct stretch *before, const struct stretch *s)
{
	if (before->level == s->level)
		return;
	picture_put(p, USER_LINE, s->at, '+');
	picture_put(p, KERNEL_LINE, s->at, '+');
	picture_put(p, UP, s->at, s->level == USER ? '^' : '|');
	picture_put(p, BORDER, s->at, '|');
	picture_put(p, DOWN, s->at, s->level == USER ? '|' : 'v');
}

void picture_text(struct picture *p, int row, int at, const char *text)
{
	put_text(p, row, at, text, strlen(text));
}

/* Between two words there is no room for the line either.  */
static bool is_blank(const struct picture *p, int row, int at)
{
	const char *c = &p->rows[row][at];

	return *c == ' ' && (at == 0 || at + 1 == p->width || c[-1] == ' ' || c[1] == ' ');
}

void picture_data(struct picture *p, int row, int at, bool writes)
{
	static const char buffer[] = "[buffer]";

	if (at < 0 || at >= p->width)
		return;
	for (int i = UP; i < row; i++)
		if (i < KERNEL_TEXT || is_blank(p, i, at))
			picture_put(p, i, at, '#');
	picture_put(p, writes ? row - 1 : UP, at, writes ? 'v' : '^');
	picture_text(p, USER_LINE, at - (int)sizeof buffer / 2 + 1, buffer);
}

static void draw_axis(struct picture *p)
{
	const struct stretch *before = NULL;
	char text[32];

	for (size_t i = 0; i < p->count; i++) {
		const struct stretch *s = &p->stretches[i];
		int n;

		if (s->step == PICTURE_NO_STEP)
			continue;
		n = s->is_end ? snprintf(text, sizeof text, "end") : snprintf(text, sizeof text, "t%zu", s->step);
		put_text(p, AXIS, s->at, text, (size_t)n);
		if (before) {
			duration(s->ns - before->ns, text);
			n = (int)strlen(text);
			if (n < s->at - before->at)
				put_text(p, DURATIONS, before->at + (s->at - before->at - n + 1) / 2, text, (size_t)n);
		}
		before = s;
	}
}

void picture_draw(struct picture *p)
{
	place(p);
	for (size_t i = 0; i < p->count; i++)
		draw_stretch(p, i);
	for (size_t i = 0; i < p->count; i++) {
		draw_end(p, &p->stretches[i]);
		if (i)
			draw_edge(p, &p->stretches[i - 1], &p->stretches[i]);
	}
	picture_text(p, KERNEL_NAME, 0, "Kernel space");
	draw_axis(p);
}

/* A row without the blanks at its end; the dots of a wait have its colour.  */
static void print_row(const char *row, FILE *to)
{
	size_t n = strlen(row), dots = strcspn(row, ".");

	while (n && row[n - 1] == ' ')
		n--;
	if (dots >= n || row[dots + 1] != '.') {
		fprintf(to, "%.*s\n", (int)n, row);
		return;
	}
	fprintf(to, "%.*s%s", (int)dots, row, color(COLOR_WAIT));
	fprintf(to, "%.*s%s", (int)strspn(row + dots, "."), row + dots, color(COLOR_END));
	dots += strspn(row + dots, ".");
	fprintf(to, "%.*s\n", (int)(n - dots), row + dots);
}

/* Where no request is told of, what goes past there does not make the picture higher.  */
static bool is_empty(const struct picture *p, int row)
{
	return !p->rows[row][strspn(p->rows[row], row >= REQUEST_TEXT && row < KERNEL_NAME ? " #" : " ")];
}

void picture_print(struct picture *p, FILE *to)
{
	fprintf(to, "%-*s%s\n", p->width - 14, "User space", "(not to scale)");
	for (int row = 0; row < AXIS; row++)
		if (!is_empty(p, row))
			print_row(p->rows[row], to);
	fputc('\n', to);
	print_row(p->rows[AXIS], to);
	print_row(p->rows[DURATIONS], to);
	fputc('\n', to);
}
