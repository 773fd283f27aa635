/* top.c - what live.c knows, as rows on a terminal, or as lines in a file or pipe.  */
#include "top.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "color.h"
#include "line.h"
#include "pager.h"
#include "say.h"
#include "screen.h"
#include "terminal.h"

enum {
	AROUND = 4,                     /* lines above and below the rows */
	WIDE = 100,                     /* columns from which on there is room for more */
	TEXT_SIZE = 256,
	END_NS = 50000000,              /* a process that was made by one that has just ended has its file by then */
};

static const char help[] =
	"Who waits for what at this moment, and for how long; and per second since the\n"
	"look before: calls, bytes read and written, operations that would have blocked.\n"
	"\n"
	"  FOR    how long its wait has lasted by now; of several threads, the longest.\n"
	"         With ~ the trace does not tell (calls inside libc, raw system calls):\n"
	"         /proc says where it is, and the time is at most so long.\n"
	"  NOW    the call, its fd, and who is at the other end of it; or the lock, and\n"
	"         the thread that has it\n"
	"  STALL  how much of it an event loop was away from its polls for longer than\n"
	"         --stall at a time (wide terminals); \"no poll for\": it is now\n"
	"  WAIT   how much of the time since the look before it waited (wide terminals)\n"
	"  CPU    how much of one processor it used\n"
	"\n"
	"  p t f      a row for each process, thread, fd\n"
	"  s          sort by wait, calls, bytes, would block, stalled, CPU, number\n"
	"  up down    scroll, as page up and down, g G\n"
	"  space      look now\n"
	"  q          quit, or back\n";

struct top {
	struct live *live;
	struct rows rows;
	const char *dir;
	size_t scrolled;
	int number_width;
	double seconds;                         /* since the look before */
};

/* The rows of the latest look.  */
static void take_rows(struct top *t)
{
	t->seconds = (double)(t->live->now_ns - t->live->before_ns) / 1e9;
	rows_make(&t->rows);
	t->number_width = 5;
	for (size_t i = 0; i < t->rows.count; i++) {
		int n = snprintf(NULL, 0, "%" PRIu32, rows_number(&t->rows.rows[i]));

		t->number_width = n > t->number_width ? n : t->number_width;
	}
}

/* On the terminal.  */

/* 1.2 s, 123 s, 45 min, 12 h.  */
static const char *lasting(uint64_t ns, char text[16])
{
	double s = (double)ns / 1e9;

	if (s < 1)
		snprintf(text, 16, "%.0f ms", s * 1e3);
	else if (s < 600)
		snprintf(text, 16, s < 100 ? "%.1f s" : "%.0f s", s);
	else
		snprintf(text, 16, s < 6000 ? "%.0f min" : "%.0f h", s < 6000 ? s / 60 : s / 3600);
	return text;
}

/* 0.5, 12, 1.2k, 123M a second.  */
static const char *rate(const struct top *t, uint64_t n, char text[16])
{
	static const char units[] = " kMGT";
	double a = t->seconds > 0 ? (double)n / t->seconds : 0;
	size_t unit = 0;

	while (a >= 999.5 && units[unit + 1]) {
		a /= 1000;
		unit++;
	}
	if (n == 0)
		return "-";
	snprintf(text, 16, a < 9.95 ? "%.1f%.*s" : "%.0f%.*s", a, unit ? 1 : 0, units + unit);
	return text;
}

static const char *percent(double share, char text[16])
{
	if (share < 0)
		return "-";
	snprintf(text, 16, "%.0f%%", share * 100);
	return text;
}

static int command_width(int columns)
{
	return columns < WIDE ? 10 : 24;
}

/* Returns how many columns there are before the last, which has what is left.  */
static int print_heading(const struct top *t, int columns, FILE *to)
{
	enum rows_by by = t->rows.by;
	int n = fprintf(to, "%*s %-*s ", t->number_width, by == BY_THREAD ? "TID" : "PID", command_width(columns),
			by == BY_THREAD ? "THREAD" : "COMMAND");

	n += fprintf(to, "%5s %6s %6s %5s ", by == BY_FD ? "FD" : "CPU", "CALL/S", "BYTE/S", "BLK/S");
	if (columns >= WIDE)
		n += fprintf(to, "%4s %5s ", "WAIT", "STALL");
	n += fprintf(to, "%8s  ", "FOR");
	fprintf(to, "%-*s", columns > n ? columns - n : 0, by == BY_FD ? "NAME" : "NOW");
	return n;
}

/* How much of the time since the look before so long was: the mean of its threads.  */
static double share_of(const struct top *t, const struct row *r, uint64_t ns)
{
	size_t threads = t->rows.by == BY_PROCESS && r->process->thread_count ? r->process->thread_count : 1;
	double share = t->seconds > 0 ? (double)ns / 1e9 / t->seconds / (double)threads : 0;

	return share < 1 ? share : 1;
}

/* room: in the last column.  */
static void print_row(const struct top *t, const struct row *r, int columns, int room, FILE *to)
{
	char name[64], text[TEXT_SIZE], a[16], b[16], c[16], first[16], lasted[24];
	bool waits = r->process->runs && r->wait.waits;

	screen_text(name, sizeof name, rows_name(r));
	rows_describe(&t->rows, r, text, room > 8 && room < TEXT_SIZE ? (size_t)room + 1 : sizeof text);
	fprintf(to, "%s%*" PRIu32 " %-*.*s ", r->process->runs ? "" : color(COLOR_DETAIL), t->number_width, rows_number(r),
		command_width(columns), command_width(columns), name);
	snprintf(first, sizeof first, "%d", r->fd ? r->fd->fd.fd : -1);
	fprintf(to, "%5s %6s %6s %5s ", r->fd ? first : percent(r->cpu, first), rate(t, r->use.calls, a), rate(t, r->use.bytes, b),
		rate(t, r->use.would_block, c));
	if (columns >= WIDE)
		fprintf(to, "%4s %5s ", percent(share_of(t, r, r->use.waited_ns), a),
			r->use.stalls ? percent(share_of(t, r, r->use.stalled_ns), b) : "-");
	snprintf(lasted, sizeof lasted, "%s%s", r->wait.told ? "" : "~", lasting(r->wait.ns, a));
	fprintf(to, "%s%8s%s  %s%s\n", waits ? color(COLOR_WAIT) : "", waits ? lasted : "", waits ? color(COLOR_END) : "", text,
		color(COLOR_END));
}

static void print_title(const struct top *t, FILE *to)
{
	const struct live *l = t->live;
	char a[16], b[16], c[16], d[16], name[TEXT_SIZE];

	screen_text(name, sizeof name, t->dir);
	fprintf(to, "%seagain top%s  %s: %zu of %zu process images; by %s, sorted by %s\n", color(COLOR_HEADING), color(COLOR_END),
		lasting(l->now_ns, a), l->running, l->follow->seen_count, rows_by_name(t->rows.by), rows_order_name(t->rows.order));
	fprintf(to, "%s calls/s, %s bytes/s, %s would block/s, %s stalls/s", rate(t, l->use.calls, a), rate(t, l->use.bytes, b),
		rate(t, l->use.would_block, c), rate(t, l->use.stalls, d));
	if (l->unseen)
		fprintf(to, ", %s/s overwritten unseen", rate(t, l->unseen, d));
	fprintf(to, "; %s\n", name);
}

/* All of it but the last line.  */
static void print_frame(struct top *t, int rows, int columns, FILE *to)
{
	size_t page = rows > AROUND ? (size_t)(rows - AROUND) : 1, most = t->rows.count > page ? t->rows.count - page : 0;
	int room;

	if (t->scrolled > most)
		t->scrolled = most;
	print_title(t, to);
	fputs(SCREEN_REVERSE, to);
	room = columns - print_heading(t, columns, to);
	fputs(SCREEN_PLAIN "\n", to);
	for (size_t i = t->scrolled; i < t->rows.count && i < t->scrolled + page; i++)
		print_row(t, &t->rows.rows[i], columns, room, to);
}

static void draw(struct top *t)
{
	size_t size, shown;
	char *frame;
	int rows, columns;
	FILE *f = must_have(open_memstream(&frame, &size));

	terminal_size(&rows, &columns);
	take_rows(t);
	print_frame(t, rows, columns, f);
	for (shown = t->rows.count - t->scrolled; (int)shown < rows - AROUND; shown++)
		fputc('\n', f);
	fputs(SCREEN_REVERSE " p t f: process, thread, fd   s: sort   arrows: scroll   ? help   q quit " SCREEN_PLAIN, f);
	fclose(f);
	terminal_show(frame, size);
	free(frame);
}

/* As lines.  */

static void print_value(const char *key, const char *value, FILE *to)
{
	char buffer[4 * TEXT_SIZE];
	struct text text = {buffer, buffer + sizeof buffer};

	fprintf(to, " %s=", key);
	if (*value)
		line_value(&text, value, strlen(value));
	else
		text_char(&text, '-');
	fwrite(buffer, 1, (size_t)(text.at - buffer), to);
}

static void print_number(const char *key, int64_t number, FILE *to)
{
	if (number < 0)
		fprintf(to, " %s=-", key);
	else
		fprintf(to, " %s=%" PRId64, key, number);
}

static void print_use(const struct top *t, const struct live_use *u, FILE *to)
{
	double s = t->seconds > 0 ? t->seconds : 1;

	fprintf(to, " calls_s=%.1f bytes_s=%.0f block_s=%.1f wait_s=%.3f stalls_s=%.1f stalled_s=%.3f", (double)u->calls / s,
		(double)u->bytes / s, (double)u->would_block / s, (double)u->waited_ns / 1e9 / s, (double)u->stalls / s,
		(double)u->stalled_ns / 1e9 / s);
}

static void print_wait(const struct row *r, FILE *to)
{
	const struct live_wait *w = &r->wait;

	if (w->waits)
		fprintf(to, " for=%.3f told=%s", (double)w->ns / 1e9, w->told ? "trace" : "proc");
	else
		fputs(" for=- told=-", to);
	if (r->away_ns)
		fprintf(to, " away=%.3f", (double)r->away_ns / 1e9);
	else
		fputs(" away=-", to);
}

static void print_line(const struct top *t, const struct row *r, FILE *to)
{
	const struct live_fd *f = rows_fd(r);
	const struct live_process *peer = rows_peer(&t->rows, r);

	fprintf(to, "t=%.6f pid=%" PRIu32, (double)t->live->now_ns / 1e9, r->process->pid);
	print_number("tid", r->thread ? (int64_t)r->thread->tid : -1, to);
	print_value("command", rows_name(r), to);
	print_value("state", rows_state(r), to);
	print_value("call", rows_call(r), to);
	print_number("fd", f ? f->fd.fd : r->wait.fd, to);
	print_value("name", f && f->fd.name ? f->fd.name : "", to);
	print_number("peer", peer ? (int64_t)peer->pid : r->wait.locked ? r->wait.holder : -1, to);
	print_wait(r, to);
	print_use(t, &r->use, to);
	if (r->cpu < 0)
		fputs(" cpu=-\n", to);
	else
		fprintf(to, " cpu=%.2f\n", r->cpu);
}

static void print_block(struct top *t, FILE *to)
{
	const struct live *l = t->live;

	take_rows(t);
	fprintf(to, "t=%.6f by=%s running=%zu of=%zu threads=%zu", (double)l->now_ns / 1e9, rows_by_name(t->rows.by), l->running,
		l->follow->seen_count, l->threads);
	print_use(t, &l->use, to);
	fprintf(to, " unseen_s=%.1f\n", t->seconds > 0 ? (double)l->unseen / t->seconds : 0);
	for (size_t i = 0; i < t->rows.count; i++)
		print_line(t, &t->rows.rows[i], to);
	fputc('\n', to);
	fflush(to);
}

/* Again and again.  */

/* False: that was all.  */
static bool obey(struct top *t, int key)
{
	int rows, columns;
	size_t page;

	terminal_size(&rows, &columns);
	page = rows > AROUND ? (size_t)(rows - AROUND) : 1;
	switch (key) {
	case 'q': case KEY_GONE: return false;
	case 'p': t->rows.by = BY_PROCESS; break;
	case 't': t->rows.by = BY_THREAD; break;
	case 'f': t->rows.by = BY_FD; break;
	case 's': t->rows.order = (t->rows.order + 1) % ORDERS; break;
	case '?': return pager_show(help, sizeof help - 1);
	default: pager_move(key, &t->scrolled, t->rows.count > page ? t->rows.count - page + 1 : 1, page); break;
	}
	return true;
}

/* On the terminal, until the next look is due.  False: it shall end.  */
static bool attend(struct top *t, uint64_t until)
{
	for (;;) {
		uint64_t now = reader_now();
		int key = terminal_key(until > now ? (int)((until - now) / 1000000) + 1 : 0);

		if (key == ' ' || (key == KEY_NONE && reader_now() >= until))
			return true;
		if (key == KEY_NONE)
			continue;
		if (!obey(t, key))
			return false;
		draw(t);
	}
}

static void sleep_until(uint64_t ns)
{
	struct timespec time = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static void show(struct top *t, bool on_terminal)
{
	if (on_terminal)
		draw(t);
	else
		print_block(t, stdout);
}

/* Whether the recording has ended: nothing of it runs, and still does not after a moment, in which the last may be seen.  */
static bool is_over(struct top *t, bool on_terminal)
{
	if (t->live->running || !t->live->follow->seen_count)
		return false;
	sleep_until(reader_now() + END_NS);
	live_look(t->live, 0);
	if (t->live->follow->visited)
		show(t, on_terminal);
	return !t->live->running;
}

/* True: the recording has ended.  */
static bool run(struct top *t, uint64_t delay_ns, uint32_t count, bool on_terminal)
{
	uint64_t next = reader_now();

	for (uint32_t n = 1;; n++) {
		live_look(t->live, delay_ns);
		show(t, on_terminal);
		if (is_over(t, on_terminal))
			return true;
		if (n == count)
			return false;
		next = next + delay_ns > reader_now() ? next + delay_ns : reader_now();
		if (!on_terminal)
			sleep_until(next);
		else if (!attend(t, next))
			return false;
	}
}

/* What was shown last stays on the terminal, above what is said of the end, and the next prompt.  */
static void leave(struct top *t)
{
	int rows, columns;

	terminal_size(&rows, &columns);
	terminal_leave();
	t->rows.by = BY_PROCESS;
	take_rows(t);
	print_frame(t, rows - 2, columns, stdout);
	fflush(stdout);
}

void top(const char *dir, enum rows_by by, uint64_t delay_ns, uint32_t count)
{
	struct top t = {.dir = dir, .rows.by = by};
	bool on_terminal = !terminal_missing(false), ended;
	const char *why;

	t.live = live_open(dir, &why);
	if (!t.live)
		die(STATUS_FAILED, "%s: %s", dir, why);
	t.rows.live = t.live;
	if (on_terminal)
		terminal_enter();
	ended = run(&t, delay_ns, count, on_terminal);
	if (on_terminal && ended)
		leave(&t);
	else if (on_terminal)
		terminal_leave();
	if (ended)
		say("%s: the recording has ended: eagain report says more", dir);
	live_close(t.live);
	free(t.rows.rows);
}
