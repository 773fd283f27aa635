/* json.h - the report for programs.  */
#ifndef EAGAIN_JSON_H
#define EAGAIN_JSON_H

#include <stdio.h>

#include "reader.h"

/* Writes the whole report as one JSON object and a newline.  What cannot be known is null; times are in nanoseconds.  */
void json_report(struct trace *t, FILE *to);

#endif
