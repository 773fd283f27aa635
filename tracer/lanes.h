/* lanes.h - what the timeline shows: a lane for each thread or fd, and what each was in a stretch of time, column by column.
 *
 * The waits are not kept: each look at another stretch goes through the trace once more, and adds them up in the columns.  */
#ifndef EAGAIN_LANES_H
#define EAGAIN_LANES_H

#include "model.h"

struct lane {
	const struct model_process *first, *last;       /* the programs of its process, before and after exec */
	uint32_t tid;
	size_t fd;                      /* index into the process's fds, or MODEL_NO_FD: a thread */
	uint64_t start_ns, end_ns;
	uint64_t waited_ns;             /* in the stretch that was chosen */
	bool waiting;                   /* its last sign is a wait that nothing ended */
	size_t id;                      /* its number before they were put in order */
};

struct lanes {
	const struct trace *trace;
	struct model *model;
	bool by_fd;
	struct lane *lanes;             /* as they are shown, from the top */
	size_t count, room;
	struct owner *owners;           /* whose waits are whose */
	size_t owner_count, owner_room;
	size_t *place;                  /* of each id: index into lanes, or LANES_NOWHERE */
};

#define LANES_NOWHERE SIZE_MAX

/* A stretch of the trace's time.  */
struct stretch {
	uint64_t from_ns, to_ns;
	uint64_t column_ns;
	int columns;
};

struct cell {
	uint64_t ns[DIRECTION_COUNT];   /* waited; at DIRECTION_NONE: there, and not waiting */
	unsigned ended;                 /* 1 << direction: such a wait ended here */
};

/* The characters of a lane; waits are the first letters of the legend's words, capital where one ended.  */
enum { LANE_NOT_WAITING = '#', LANE_NOT_WAITED_FOR = '-', LANE_ENDED = '+', LANE_EXEC = '>', LANE_NOT_KNOWN = '?' };

/* Makes the lanes of a model that was built from the trace.  */
void lanes_make(struct lanes *l, const struct trace *t, struct model *m, bool by_fd);
void lanes_free(struct lanes *l);

/* Leaves those that were there in the stretch, and of them the `most` that waited longest in it; returns how many more there
 * were.  */
size_t lanes_choose(struct lanes *l, const struct stretch *s, size_t most);

/* The stretch, in so many columns.  */
struct stretch lanes_stretch(uint64_t from_ns, uint64_t to_ns, int columns);

/* Goes through the trace: fills s->columns cells for each of `count` lanes from `first` on.  */
void lanes_fill(const struct lanes *l, const struct stretch *s, size_t first, size_t count, struct cell *cells);

/* The lane that a wait is in: index, or LANES_NOWHERE.  */
size_t lanes_of(const struct lanes *l, const struct model_wait *w);

/* A character for each cell of the lane, and a NUL.  */
void lanes_text(const struct lanes *l, const struct stretch *s, const struct lane *lane, const struct cell *cells, char *text);

/* Whether its process is that of the lane above, and needs no other mention.  */
bool lanes_same_process(const struct lanes *l, size_t lane);

/* "cat (pid 2314)", "  worker, tid 2315", "  fd 0 pipe:[8123]": cut to size, but never the number.  */
void lanes_label(const struct lanes *l, size_t lane, char *label, size_t size);
void lanes_process_label(const struct model_process *process, uint32_t tid, char *label, size_t size);

#endif
