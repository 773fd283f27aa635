/* init.c - start-up, in the order in which things depend on each other.
 *
 * The object is linked with -z initfirst, so this is the first constructor; what runs before it goes straight to the kernel.
 * There is no destructor that disables anything: a program may do I/O to its last instruction.  */
#include "init.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "calls/calls.h"
#include "clock.h"
#include "config.h"
#include "flag.h"
#include "libc.h"
#include "record.h"
#include "shield.h"
#include "tracefile.h"

HOT_DATA bool shim_on;
HOT_DATA bool shim_passes;
HOT_DATA bool shim_sandboxed;
HOT_DATA bool shim_vforks;

void *const volatile shim_self = (void *)(uintptr_t)&shim_self;

void shim_need_libc(void)
{
	static bool found;

	if (LOAD(found))
		return;
	libc_find();
	STORE(found, true);
}

__attribute__((noinline, cold)) bool shim_has_libc(void)
{
	if (!shim_is_relocated())
		return false;
	shim_need_libc();
	return true;
}

/* exit(3) with its status.  Registered first, so called last, after the program's own handlers and destructors.  */
static void at_exit(int status, void *unused)
{
	(void)unused;
	if (record_on)
		record_fd_event(TRACE_EXIT, -1, status & 0xff, 0);
	flag_end();
}

__attribute__((constructor)) static void start(int argc, char **argv, char **envp)
{
	int saved = errno;

	shim_need_libc();
	clock_start();
	/* What a setuid program finds in its environment is its caller's (ld.so(8), secure-execution mode): it is let alone. */
	if (getauxval(AT_SECURE))
		config.active = false;
	else
		config_read(envp);
	shim_sandboxed = config.sandboxed;
	if (shim_sandboxed)
		config.switching = SWITCH_AUTO;
	if (config.active) {
		libc_serve_stdio(stdio_read, stdio_write, stdio_close);
		if (!shim_sandboxed)
			record_start(argc > 0 ? argv[0] : "");
		if (record_on)
			record_stdio();
		shield_start();
		if (record_on || config.switching == SWITCH_FLAG)
			libc.on_exit(at_exit, NULL);
		shim_on = true;
		shim_passes = config.switching == SWITCH_AUTO;
	}
	errno = saved;
}
