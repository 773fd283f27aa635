/* jsontext.h - strings in JSON.  What is no UTF-8 becomes a question mark; control characters, and what could end a script that a
 * page holds, are written as \uNNNN.  */
#ifndef EAGAIN_JSONTEXT_H
#define EAGAIN_JSONTEXT_H

#include <stdio.h>

#include "shim/text.h"

/* Appends n bytes as a string; each may take 6.  */
void jsontext(struct text *t, const char *s, size_t n);

/* Writes the string, or null.  */
void jsontext_print(const char *s, FILE *to);

#endif
