/* fields.h - how the values of fields.def are written, by type.  A NAME is quoted as the format wants it.  */
#ifndef EAGAIN_FIELDS_H
#define EAGAIN_FIELDS_H

#include <sys/wait.h>

#include "format.h"
#include "line.h"
#include "shim/text.h"

static inline void field_SECONDS(struct text *t, uint64_t ns)
{
	text_decimals(t, ns, 9);
}

static inline void field_NUMBER(struct text *t, uint64_t n)
{
	text_number(t, n, 10);
}

static inline void field_RESULT(struct text *t, int64_t result)
{
	if (result < 0)
		text_literal(t, "-1");
	else
		text_number(t, (uint64_t)result, 10);
}

static inline void field_ERRNO(struct text *t, int64_t result)
{
	const char *name = line_errno_name(-(uint64_t)result);

	if (name)
		text_string(t, name);
	else
		text_number(t, -(uint64_t)result, 10);
}

static inline void field_ADDRESS(struct text *t, uint64_t address)
{
	text_literal(t, "0x");
	text_number(t, address, 16);
}

static inline void field_WORD(struct text *t, const char *word)
{
	text_string(t, word);
}

#endif
