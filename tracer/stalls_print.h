/* stalls_print.h - a process's stalls in the report, and in its JSON.  */
#ifndef EAGAIN_STALLS_PRINT_H
#define EAGAIN_STALLS_PRINT_H

#include <stdio.h>

#include "model.h"

/* Nothing where none of its threads polls, or none was away too long.  */
void stalls_print(const struct model_process *p, FILE *to);

/* ,"stalls":{...}  */
void stalls_print_json(const struct model_process *p, FILE *to);

#endif
