/* progress.c - the one line that tells how far a walk is.  */
#include "progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 1000 };

static struct {
	uint64_t total, done;
	int64_t begun_ms;
	int shown;                      /* per cent; -1: nothing */
} progress = {.shown = -1};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_ours(int terminal)
{
	struct termios mode;

	return tcgetattr(terminal, &mode) == 0 && (mode.c_lflag & ICANON) && tcgetpgrp(terminal) == getpgrp();
}

void progress_begin(uint64_t total)
{
	progress.total = total ? total : 1;
	progress.done = 0;
	progress.begun_ms = now_ms();
}

void progress_step(uint64_t steps)
{
	int percent;

	progress.done += steps;
	if (progress.done > progress.total)
		progress.done -= progress.total;
	percent = (int)(progress.done * 100 / progress.total);
	if (percent == progress.shown || now_ms() - progress.begun_ms < PATIENCE_MS || !is_ours(STDERR_FILENO))
		return;
	dprintf(STDERR_FILENO, "eagain: %d %% \r", percent);
	progress.shown = percent;
}

void progress_end(void)
{
	if (progress.shown >= 0 && is_ours(STDERR_FILENO))
		dprintf(STDERR_FILENO, "%15s\r", "");
	progress.shown = -1;
}
