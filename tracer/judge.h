/* judge.h - who held the run up, and how much: what verdict.c puts into words.  */
#ifndef EAGAIN_JUDGE_H
#define EAGAIN_JUDGE_H

#include "path.h"

/* X(ID, "JSON word").  */
#define VERDICTS(X)                                                                                                             \
	X(NOTHING, "nothing")           /* there is no path */                                                                  \
	X(ALONE, "alone")               /* most of the path is one process's, and hardly anybody waited for it */               \
	X(BOTTLENECK, "bottleneck")     /* others waited for the members */                                                     \
	X(BALANCED, "balanced")         /* the members are as busy as each other */                                             \
	X(SHARED, "shared")             /* nobody has most of the path */

enum verdict_kind {
#define X(id, word) VERDICT_##id,
	VERDICTS(X)
#undef X
};

/* One process, as a unit of the graph.  */
struct part {
	uint64_t path_ns, path_all_ns;  /* on the critical path: itself, and with its descendants */
	double busy_ns, busy_all_ns;    /* it did something in which others may have to wait for it */
	double waited_ns;               /* for others in the trace, though no member */
	bool connected;                 /* it waited at another's end of an fd, or was waited for at its own */
	bool is_above;                  /* the top descends from it */
	size_t member;                  /* with which it is counted, from 1; 0: with none */
};

struct verdict {
	struct waits waits;
	struct graph graph;
	struct path path;
	struct part *parts;             /* of each unit of the graph */
	size_t *order;                  /* units, parents before their children */
	uint64_t total_ns;
	enum verdict_kind kind;
	size_t top;                     /* the unit that has most of the path, perhaps only with its children; or GRAPH_NONE */
	size_t *members;                /* units: of whom the verdict speaks */
	size_t member_count;
	double held_ns;                 /* a member did something, and others waited */
	double held_at_fd_ns;           /* at its end of an fd */
	double did[ACTIVITY_COUNT];     /* what the members did in that time */
	double did_below[ACTIVITY_COUNT];       /* and what their descendants did that are counted with them */
	double locked_ns;               /* while one thread of a member did something, another waited for its lock */
	bool linked;                    /* members waited for each other */
	size_t waiter;                  /* the unit that waited, if it was but one; else GRAPH_NONE */
};

#define JUDGE_HARDLY 0.05               /* of the run: worth no word */
#define JUDGE_MOST 0.55                 /* of the path, makes a bottleneck */

/* From graph to waiter.  */
void judge(struct verdict *v);

/* Whether the top has most of the path without those below it.  */
bool judge_has_most(const struct verdict *v);

double judge_sum(const double ns[ACTIVITY_COUNT]);
double judge_share(double part, uint64_t whole);

#endif
