/* stack.h - where an event loop was when it stalled (--stacks): in a wait, once it was long; computing, by samples.
 *
 * What is recorded of a stack is addresses; what lies on it never leaves the process.  */
#ifndef EAGAIN_STACK_H
#define EAGAIN_STACK_H

#include "shim.h"

/* Whether stacks are recorded.  */
extern bool stack_on;

/* At start-up, while a trace is recorded.  */
void stack_start(void);

/* The wait that has just ended was here.  */
void stack_record(void);

/* The calling thread is an event loop: it is sampled from now on while it computes, if it can be, and what was sampled before is
 * forgotten.  */
void stack_sample(void);

/* The calling thread is about to start the process's first other: after that, no thread begins to be sampled.  */
void stack_provide(void);

/* The samples are of a stall since then.  */
void stack_tell_samples(uint64_t since);

#endif
