/* model.h - what the records mean: processes, their fds, and how long each was waited for.  */
#ifndef EAGAIN_MODEL_H
#define EAGAIN_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "reader.h"

enum direction { DIRECTION_NONE, DIRECTION_READ, DIRECTION_WRITE, DIRECTION_COUNT };

/* One meaning of an fd number: from its NAME record to its close, or to the next NAME.  */
struct model_fd {
	int fd;
	unsigned kind;                  /* enum fd_kind */
	unsigned access;                /* O_RDONLY, O_WRONLY, O_RDWR; of those it was used for if unknown */
	uint64_t inode;
	char *name;
	unsigned way;                   /* enum trace_way of its first attempt */
	uint64_t calls, would_block;
	uint64_t bytes[DIRECTION_COUNT];
	uint64_t wait_ns[DIRECTION_COUNT];
	uint64_t longest_ns;
	bool waiting;                   /* an operation had not returned when the trace ended */
};

struct model_process {
	uint32_t pid, ppid;
	char *command;
	uint64_t start_ns, end_ns;      /* first and last sign of it, from the start of the trace */
	uint64_t wait_ns[DIRECTION_COUNT];
	uint64_t events, lost, dropped;
	unsigned stop;                  /* enum trace_stop */
	int exit_status;                /* -1: not known */
	struct model_fd *fds;
	size_t fd_count, fd_room;
};

struct model {
	struct model_process *processes;
	size_t process_count;
	uint64_t wall_ns, events, lost, dropped;
};

struct model *model_build(const struct trace *t);
void model_free(struct model *m);

const char *model_kind_name(unsigned kind);
const char *model_call_name(unsigned call);
enum direction model_call_direction(unsigned call);

/* Who is at the other end of a pipe or TCP connection: the process that used it most, NULL where none is known; *others is how
 * many more used it.  A fork that only holds the end without using it does not count.  */
const struct model_process *model_peer(const struct model *m, const struct model_process *p, const struct model_fd *fd,
				       unsigned *others);

#endif
