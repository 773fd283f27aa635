/* verdict.h - what held the run up: the sentence that a person came for.  */
#ifndef EAGAIN_VERDICT_H
#define EAGAIN_VERDICT_H

#include <stdio.h>

#include "model.h"

struct verdict;

/* Builds the model of t, and with it the verdict, which refers to it.  */
struct model *verdict_build(const struct trace *t, struct verdict **v);
void verdict_free(struct verdict *v);

/* The sentence, without the dot at its end.  */
void verdict_print(const struct verdict *v, FILE *to);

/* The critical path, from the beginning, and what each process had of it.  */
void verdict_print_path(const struct verdict *v, FILE *to);

/* The same for programs, as one JSON object.  */
void verdict_json(const struct verdict *v, FILE *to);

#endif
