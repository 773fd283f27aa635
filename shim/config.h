/* config.h - the settings, as the environment gave them.  The table is settings.def.  */
#ifndef EAGAIN_CONFIG_H
#define EAGAIN_CONFIG_H

#include "shim.h"
#include "tracer/format.h"
#include "wants.h"

/* Put into the environment of what a sandboxed program executes: seccomp outlives an exec.  */
#define CONFIG_SANDBOX "EAGAIN_SANDBOX=1"

enum switching { SWITCH_AUTO, SWITCH_FLAG };

enum shield { SHIELD_STDIO, SHIELD_OFF, SHIELD_INHERITED, SHIELD_ALL };

#define CONFIG_PATH 1024        /* longest EAGAIN_TRACE and EAGAIN_LOG; longer ones are ignored */

struct config {
	char trace[CONFIG_PATH];        /* absolute directory, or "" */
	char log[CONFIG_PATH];          /* absolute file, "-" for stderr, or "" */
	uint64_t log_start_ns;          /* where the log's time begins, CLOCK_MONOTONIC */
	enum switching switching;
	enum shield shield;
	bool keep;
	bool aio;
	bool stacks;
	uint64_t stall_ns;              /* an event loop that is away from its polls for longer stalls */
	bool readiness;
	bool files;
	uint64_t max_size;              /* bytes */
	bool active;                    /* false in a child of a program that runs with EAGAIN_FOLLOW=0 */
	bool follow;
	bool sandboxed;                 /* CONFIG_SANDBOX was there */
	bool off;                       /* the recording begins switched off */
	struct wants wants;             /* what is to be recorded */
	char filter[TRACE_FILTER_SIZE]; /* the same, as options */
	char library[CONFIG_PATH];      /* our own path as LD_PRELOAD named it, or "" */
	/* "EAGAIN_...=value" strings for children, one after the other */
	char kept[2 * CONFIG_PATH + WANTS_SETTINGS * WANTS_TEXT + 512];
	size_t kept_size;
};

extern struct config config;

/* Reads the settings from the environment, once, at start-up.  Relative paths are made absolute, in the environment too, so
 * that children which start in another directory find the same files.  No allocation, no stdio.  */
void config_read(char **envp);

#endif
