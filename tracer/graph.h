/* graph.h - who waits for whom: what a thread did in a bucket of time, and whose turn it was when it waited.  */
#ifndef EAGAIN_GRAPH_H
#define EAGAIN_GRAPH_H

#include "waits.h"

/* X(ID, "JSON key", "before", "after", "alone"): what a thread does itself, or waits for where nobody in the trace is to be
 * waited for; and how to say so, with how long, or without.  WAKE: what it waited for must have happened, for nobody else did
 * anything; MUTUAL: it waited for good for others that waited for it.  */
#define ACTIVITIES(X)                                                                                                           \
	X(RUN, "compute_ns", "computed ", "", "computed")                                                                       \
	X(OFF, "off_cpu_ns", "spent ", " off the CPU", "was off the CPU")                                                    \
	X(UNKNOWN, "run_ns", "computed, or waited unseen, for ", "", "computed, or waited unseen")                              \
	X(DISK, "disk_ns", "waited ", " for the disk", "waited for the disk")                                                   \
	X(SLEEP, "sleep_ns", "slept ", "", "slept")                                                                             \
	X(WAKE, "wake_ns", "waited ", " to be woken", "waited to be woken")                                                     \
	X(LOCK, "lock_ns", "waited ", " for a lock", "waited for a lock")                                                       \
	X(CHILD, "child_ns", "waited ", " for a child unseen", "waited for a child unseen")                                     \
	X(CLIENT, "client_ns", "waited ", " for clients", "waited for clients")                                                 \
	X(OUTSIDE, "outside_ns", "waited ", " for somebody unseen", "waited for somebody unseen")                               \
	X(POLL, "poll_ns", "waited ", " in poll, with nothing ready", "waited in poll, with nothing ready")                     \
	X(MUTUAL, "mutual_ns", "waited ", " for others that waited for it", "waited for others that waited for it")

enum activity {
#define X(id, key, before, after, alone) ACTIVITY_##id,
	ACTIVITIES(X)
#undef X
	ACTIVITY_COUNT
};

/* For whom a wait is.  */
enum graph_target {
	TARGET_IMAGE,                   /* who has the other end */
	TARGET_THREADS,                 /* other threads of the process */
	TARGET_HOLDER,                  /* that which held a lock, or, if it is not known, one of them */
	TARGET_CHILDREN,
	TARGET_CLIENTS,                 /* who waits for the process */
};

struct graph_option {
	enum graph_target target;
	size_t image;                   /* TARGET_IMAGE; TARGET_HOLDER: thread, or GRAPH_NONE */
	const struct model_fd *end;     /* and its fd; else what was waited for, or NULL */
	double ended, ns;               /* how many such waits ended in the bucket, and how long they were in it */
	double shared_ns;               /* and with those that may as well have been for others who have that end */
};

/* One thread in one bucket.  */
struct graph_moment {
	double own[ACTIVITY_COUNT];     /* ns */
	double silent_ns;               /* of ACTIVITY_UNKNOWN, behind its last sign */
	double own_ns, wait_ns, ended;  /* in all: of its own, for others, and how many of those waits ended */
	const struct model_fd *outside; /* what most of ACTIVITY_OUTSIDE was for */
	double outside_ns;
	struct graph_option *options;
	size_t count, room;
};

struct graph_thread {
	size_t image;
	uint32_t tid;
	uint64_t start_ns, end_ns;
	uint64_t sign_ns;               /* its last sign */
	const struct waits_cell *left;  /* what it waited for then, without an end in the trace; or NULL */
	uint64_t left_ns;               /* since when */
	const struct waits_cell *cells;
	size_t cell_count;
	bool has_cpu;                   /* its CPU time is known, if only as a part of its process's */
	double cpu;                     /* how much of what looks like running it was on a CPU, 0 to 1 */
	double disk;                    /* how much of its calls on files it was not, and so waited */
	double inside;                  /* how much of its waits it was on a CPU, and so did not wait */
};

/* A program in a process: the model's process of the same index.  */
struct graph_image {
	const struct model_process *process;
	size_t unit, first_thread, thread_count;        /* at least one */
	bool serves;                    /* it accepts connections */
	uint64_t start_ns, end_ns;
	uint32_t *waiters;              /* of each fd: the thread that waited for it most, counted from 1 in the image; 0: none */
};

/* A process, with all programs that it has been.  */
struct graph_unit {
	size_t first, last;             /* images */
	size_t parent;                  /* unit, or GRAPH_NONE */
	size_t child_first, child_count;        /* in graph.children */
	uint64_t start_ns, end_ns;
	uint64_t told_ns;               /* when its parent knew of its end; else the end */
};

#define GRAPH_NONE SIZE_MAX

struct graph {
	const struct model *model;
	uint64_t bucket_ns;
	struct graph_thread *threads;
	size_t thread_count;
	struct graph_image *images;
	size_t image_count;
	struct graph_unit *units;
	size_t unit_count;
	size_t *children;               /* units, those of one parent together, by told_ns */
};

/* waits stays with its caller, and must live as long.  */
void graph_build(struct graph *g, const struct model *m, const struct waits *w);
void graph_free(struct graph *g);

/* What thread did in the bucket; the options stay in place, and are reused, until free(m->options).  */
void graph_look(const struct graph *g, size_t thread, size_t bucket, struct graph_moment *m);

/* A thread that seems to run, but is on a CPU for less than this share of it, waits for something that is not seen.  */
#define GRAPH_HARDLY_RUNS 0.1

/* A process is on a CPU while one of its threads is.  Its threads together ran for run_ns, in a time of room_ns: how much of
 * off_ns, in which one of them was off the CPU, is no more than that others of them had it.  */
double graph_crowded(double off_ns, double run_ns, double room_ns);

/* How long it did something in which others may have had to wait for it.  */
double graph_busy(const struct graph *g, size_t thread, const struct graph_moment *m);

size_t graph_main_thread(const struct graph *g, size_t image);

/* The program that the unit was at that time, or the first if that was later.  */
size_t graph_image_at(const struct graph *g, size_t unit, uint64_t ns);

/* The child of unit that was the last to end just before, by itself rather than by a signal, or else will be the next; GRAPH_NONE
 * if none was there.  */
size_t graph_child_at(const struct graph *g, size_t unit, uint64_t ns);

#endif
