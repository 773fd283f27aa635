/* files.c - counts how often a thread has slept.  */
#include "files.h"

#include <sys/resource.h>

#include "config.h"
#include "init.h"
#include "sys.h"
#include "tracefile.h"

bool files_on;
HOT_DATA uint64_t files_limit;
__thread struct files_thread files_thread;

/* False where the kernel does not tell: then nothing is classified.  */
static bool ask(int whose, struct rusage *r)
{
	if (sys(SYS_getrusage, whose, r) == 0)
		return true;
	files_on = false;
	return false;
}

uint64_t files_faults(void)
{
	struct rusage r = {0};

	return ask(RUSAGE_SELF, &r) ? (uint64_t)r.ru_majflt - tracefile_faults() : 0;
}

void files_start(void)
{
	struct rusage r = {0};

	if (!config.files)
		return;
	files_on = ask(RUSAGE_THREAD, &r);
	tracefile_files(files_on ? TRACE_FILES_ON : TRACE_FILES_REFUSED, files_on ? files_faults() : 0);
}

/* Others may have had the CPU while the disk was at work, so that there was nothing left to sleep for.  */
void files_count(void)
{
	enum { AGAIN = 20 };            /* times the limit: to look it up takes as long as to count */
	static uint64_t due;            /* when it is looked up again, for it is not known well yet */
	struct files_thread before = files_thread;
	struct rusage r = {0};
	uint64_t now;

	/* Another thread has entered a sandbox for all of them meanwhile. */
	if (unlikely(shim_sandboxed) || !ask(RUSAGE_THREAD, &r))
		return;
	now = clock_ticks();
	if (unlikely(now >= LOAD(due))) {
		files_limit = tracefile_ticks(FILES_SLEEP_NS);
		STORE(due, tracefile_ticks_are_known() ? UINT64_MAX : now + AGAIN * files_limit);
	}
	files_thread = (struct files_thread){now, r.ru_nvcsw, r.ru_nivcsw, r.ru_inblock, files_thread.waits};
	if (r.ru_nvcsw != before.sleeps || (r.ru_nivcsw != before.switches && r.ru_inblock != before.blocks))
		files_thread.waits++;
}
