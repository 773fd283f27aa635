/* export_lanes.h - the threads of a trace in the order in which pictures show them; a main thread goes on over an exec in one lane.  */
#ifndef EAGAIN_EXPORT_LANES_H
#define EAGAIN_EXPORT_LANES_H

#include "model.h"

struct export_lane {
	const struct model_process *first, *last;       /* the programs of its process, before and after exec */
	uint32_t tid;
	const char *name;               /* of the thread; "" where it is not known */
	uint64_t start_ns, end_ns;
	uint64_t wait_ns[DIRECTION_COUNT], waited_ns;
	uint64_t cpu_ns;                /* or MODEL_UNKNOWN */
	bool waiting;                   /* its last sign is a wait that nothing ended */
	size_t id;                      /* while lanes are put in order */
};

struct export_lanes {
	struct export_lane *lane;              /* a process's stand together, its main thread first */
	size_t count, left_out;         /* left_out: those that waited less than these */
	const struct model *model;
	size_t **of;                    /* by process and thread: index, or EXPORT_LANES_NONE */
};

#define EXPORT_LANES_NONE SIZE_MAX

/* Those that waited most, if there are more than `most`.  */
struct export_lanes *export_lanes_make(const struct model *m, size_t most);
void export_lanes_free(struct export_lanes *l);

/* The lane of a thread; the process is an index into the model's.  */
size_t export_lanes_find(const struct export_lanes *l, size_t process, uint32_t tid);

/* Whether the lane is another thread of the same process as the lane before.  */
bool export_lanes_is_thread(const struct export_lanes *l, size_t lane);

#endif
