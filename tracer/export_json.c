/* export_json.c - an object for each event, one a line: what is in fields.def, and null for what is not there.  */
#include <string.h>

#include "events.h"
#include "export.h"
#include "fields.h"
#include "jsontext.h"

/* Enough for a name of 512 bytes, all of them escaped.  */
enum { OBJECT_MAX = 4096 };

#define json_SECONDS field_SECONDS
#define json_NUMBER field_NUMBER
#define json_RESULT field_RESULT

static void json_WORD(struct text *t, const char *word)
{
	text_char(t, '"');
	text_string(t, word);
	text_char(t, '"');
}

static void json_ERRNO(struct text *t, int64_t result)
{
	const char *name = line_errno_name(-(uint64_t)result);

	if (name)
		json_WORD(t, name);
	else
		field_ERRNO(t, result);
}

static void json_ADDRESS(struct text *t, uint64_t address)
{
	text_char(t, '"');
	field_ADDRESS(t, address);
	text_char(t, '"');
}

static void json_NAME(struct text *t, const struct line *l)
{
	jsontext(t, l->name, l->name_size);
}

static void print_object(const struct line *l, void *to)
{
	char object[OBJECT_MAX];
	struct text t = {object, object + sizeof object};

#define FIELD(key, type, when, have, value)                     \
	if (have) {                                             \
		text_literal(&t, ",\"" key "\":");              \
		json_##type(&t, value);                         \
	} else {                                                \
		text_literal(&t, ",\"" key "\":null");          \
	}
#include "fields.def"
#undef FIELD
	*object = '{';
	text_literal(&t, "}\n");
	fwrite_unlocked(object, 1, (size_t)(t.at - object), to);
}

void json_print(struct trace *t, FILE *to)
{
	events_each(t, print_object, to);
}
