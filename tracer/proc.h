/* proc.h - what the kernel says of a process or thread at this moment (proc(5)): a hint, for what no record tells yet.  */
#ifndef EAGAIN_PROC_H
#define EAGAIN_PROC_H

#include <stdbool.h>
#include <stdint.h>

struct proc {
	char state;                     /* R, S, D, T, ... */
	uint64_t cpu_ns;
	uint64_t start_ns;              /* CLOCK_MONOTONIC */
	char name[16];
};

/* Of a process, or with a tid of one of its threads; false if there is none, or it has ended
 * and is only not waited for.  */
bool proc_look(uint32_t pid, uint32_t tid, struct proc *p);

/* Calls visit for each of its threads.  */
void proc_threads(uint32_t pid, void (*visit)(uint32_t tid, void *arg), void *arg);

/* In which call a thread is.  */
struct proc_call {
	bool known;                     /* somebody may see it, and it is in one */
	unsigned call;                  /* enum call_id; CALL_none: another */
	const char *name;               /* NULL: not known by name */
	long number, arg[3];
	char place[32];                 /* where that is kept from us: the kernel's function in which it waits; or "" */
};

/* False where it runs in no call.  */
bool proc_call(uint32_t pid, uint32_t tid, struct proc_call *c);

#endif
