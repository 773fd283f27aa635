/* config.c - reads the settings from the environment.  A value that makes no sense is as if it were not there: the shim never
 * prints in the program's name; the `eagain` command checks values before it sets them.  */
#include "config.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "sys.h"
#include "text.h"

struct config config = {.max_size = (uint64_t)1 << 30, .active = true, .follow = true, .keep = true, .aio = true, .stall_ns = 10000000};

/* Bytes: a number, perhaps with K, M or G.  Returns `otherwise` for anything else.  */
static uint64_t parse_size(const char *s, uint64_t otherwise)
{
	uint64_t n = 0;

	if (*s < '0' || *s > '9')
		return otherwise;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (n > (UINT64_MAX >> 31) / 10)
			return otherwise;
		n = n * 10 + (uint64_t)(*s - '0');
	}
	switch (*s) {
	case 'K': case 'k': return s[1] ? otherwise : n << 10;
	case 'M': case 'm': return s[1] ? otherwise : n << 20;
	case 'G': case 'g': return s[1] ? otherwise : n << 30;
	case 0: return n;
	default: return otherwise;
	}
}

/* From 1 on; returns `otherwise`, nanoseconds, for anything else.  */
static uint64_t parse_milliseconds(const char *s, uint64_t otherwise)
{
	uint64_t n = parse_size(s, 0);

	return n && n <= UINT32_MAX && s[strlen(s) - 1] <= '9' ? n * 1000000 : otherwise;
}

/* Replaces *entry, which is "NAME=relative", by an absolute one, held in `storage`; returns its value.  The pointer in the
 * environment is changed in place: that needs no allocation, and only concerns a variable that is ours.  */
static const char *make_absolute(char **entry, size_t name_size, char *storage, size_t size)
{
	const char *value = *entry + name_size;
	char cwd[512];
	long n;
	size_t length = strlen(value);

	if (!*value || *value == '/' || !strcmp(value, "-"))
		return value;
	n = sys(SYS_getcwd, cwd, sizeof cwd);   /* counts the NUL */
	if (n <= 1 || cwd[0] != '/' || name_size + (size_t)n + length + 1 > size)
		return "";
	memcpy(storage, *entry, name_size);
	memcpy(storage + name_size, cwd, (size_t)n - 1);
	storage[name_size + (size_t)n - 1] = '/';
	memcpy(storage + name_size + (size_t)n, value, length + 1);
	*entry = storage;
	return storage + name_size;
}

static void copy_path(char to[CONFIG_PATH], const char *from)
{
	size_t n = strlen(from);

	if (n < CONFIG_PATH)
		memcpy(to, from, n + 1);
}

/* EAGAIN_FOLLOW=0: the first process that sees it writes its pid there, so that its children know they are not it.  */
static bool follow_from(char **entry, size_t name_size)
{
	static char storage[40];
	const char *value = *entry + name_size;
	long pid = sys(SYS_getpid), owner = 0;
	char digits[24];
	size_t n = 0, at;

	if (strcmp(value, "0") == 0) {
		memcpy(storage, *entry, name_size);
		at = name_size;
		memcpy(storage + at, "0:", 2);
		at += 2;
		for (owner = pid; owner; owner /= 10)
			digits[n++] = (char)('0' + owner % 10);
		while (n)
			storage[at++] = digits[--n];
		storage[at] = 0;
		*entry = storage;
		config.follow = false;
		return true;
	}
	if (strncmp(value, "0:", 2) != 0)
		return true;
	for (value += 2; *value >= '0' && *value <= '9'; value++)
		owner = owner * 10 + (*value - '0');
	config.follow = false;
	return owner == pid;
}

/* The element of LD_PRELOAD that names us: the one whose last part is libeagain.so.  */
static void find_library(const char *preload)
{
	static const char name[] = "libeagain.so";

	while (*preload) {
		size_t n = strcspn(preload, ": ");

		if (n >= sizeof name - 1 && n < CONFIG_PATH && !memcmp(preload + n - (sizeof name - 1), name, sizeof name - 1)) {
			memcpy(config.library, preload, n);
			config.library[n] = 0;
			return;
		}
		preload += n;
		preload += strspn(preload, ": ");
	}
}

/* EAGAIN_LOG=FILE: the first process that sees it makes it EAGAIN_LOG=@NANOSECONDS:FILE, so that the whole tree counts its time
 * from the same moment.  */
static void read_log(char **entry, size_t name_size)
{
	static char absolute[CONFIG_PATH + 32], stamped[CONFIG_PATH + 64];
	const char *value = *entry + name_size;
	struct text t = {stamped, stamped + sizeof stamped - 1};

	if (*value == '@' && strchr(value, ':')) {
		for (value++; *value >= '0' && *value <= '9'; value++)
			config.log_start_ns = config.log_start_ns * 10 + (uint64_t)(*value - '0');
		copy_path(config.log, value + 1);
		return;
	}
	copy_path(config.log, make_absolute(entry, name_size, absolute, sizeof absolute));
	config.log_start_ns = clock_ns();
	if (!config.log[0])
		return;
	text_string(&t, "EAGAIN_LOG=@");
	text_number(&t, config.log_start_ns, 10);
	text_char(&t, ':');
	text_string(&t, config.log);
	*t.at = 0;
	*entry = stamped;
}

/* Keeps a copy of "NAME=value" for children whose environment lacks it.  */
static void keep(const char *entry)
{
	size_t n = strlen(entry) + 1;

	if (n > sizeof config.kept - config.kept_size)
		return;
	memcpy(config.kept + config.kept_size, entry, n);
	config.kept_size += n;
}

static enum shield parse_shield(const char *s)
{
	return !strcmp(s, "off") ? SHIELD_OFF : !strcmp(s, "inherited") ? SHIELD_INHERITED : !strcmp(s, "all") ? SHIELD_ALL : SHIELD_STDIO;
}

/* One of those that say what is to be recorded; also as the option that does the same.  */
static void read_wanted(const char *entry)
{
	static const struct {
		const char *variable, *option;
	} names[] = {
#define SETTING(id, type, environment, option, argument, fallback, verbs, help) {environment "=", option},
#include "settings.def"
#undef SETTING
	};
	size_t used = strlen(config.filter);
	struct text t = {config.filter + used, config.filter + sizeof config.filter - 1};

	for (unsigned i = 0; i < WANTS_SETTINGS; i++) {
		enum setting_id id = wants_settings[i];
		size_t n = strlen(names[id].variable);

		if (strncmp(entry, names[id].variable, n) != 0)
			continue;
		if (!wants_set(&config.wants, id, entry + n))
			return;
		text_string(&t, used ? " " : "");
		text_string(&t, names[id].option);
		text_char(&t, '=');
		text_string(&t, entry + n);
		*t.at = 0;
		return;
	}
}

void config_read(char **envp)
{
	static char trace[CONFIG_PATH + 32];
	enum { TRACE = sizeof "EAGAIN_TRACE=" - 1, LOG = sizeof "EAGAIN_LOG=" - 1,
	       STALL = sizeof "EAGAIN_STALL=" - 1, MAX_SIZE = sizeof "EAGAIN_MAX_SIZE=" - 1, FOLLOW = sizeof "EAGAIN_FOLLOW=" - 1, SHIELD = sizeof "EAGAIN_SHIELD=" - 1,
	       PRELOAD = sizeof "LD_PRELOAD=" - 1 };

	for (; envp && *envp; envp++) {
		const char *e = *envp;

		if (!strncmp(e, "LD_PRELOAD=", PRELOAD))
			find_library(e + PRELOAD);
		if (strncmp(e, "EAGAIN_", 7) != 0)
			continue;
		if (!strncmp(e, "EAGAIN_TRACE=", TRACE))
			copy_path(config.trace, make_absolute(envp, TRACE, trace, sizeof trace));
		else if (!strncmp(e, "EAGAIN_LOG=", LOG))
			read_log(envp, LOG);
		else if (!strcmp(e, "EAGAIN_SWITCH=flag"))
			config.switching = SWITCH_FLAG;
		else if (!strncmp(e, "EAGAIN_SHIELD=", SHIELD))
			config.shield = parse_shield(e + SHIELD);
		else if (!strcmp(e, "EAGAIN_KEEP=0"))
			config.keep = false;
		else if (!strcmp(e, "EAGAIN_AIO=0"))
			config.aio = false;
		else if (!strncmp(e, "EAGAIN_STALL=", STALL))
			config.stall_ns = parse_milliseconds(e + STALL, config.stall_ns);
		else if (!strcmp(e, "EAGAIN_READINESS=1"))
			config.readiness = true;
		else if (!strcmp(e, "EAGAIN_FILES=1"))
			config.files = true;
		else if (!strcmp(e, "EAGAIN_STACKS=1"))
			config.stacks = true;
		else if (!strncmp(e, "EAGAIN_MAX_SIZE=", MAX_SIZE))
			config.max_size = parse_size(e + MAX_SIZE, config.max_size);
		else if (!strncmp(e, "EAGAIN_FOLLOW=", FOLLOW))
			config.active = follow_from(envp, FOLLOW);
		else if (!strcmp(e, "EAGAIN_OFF=1"))
			config.off = true;
		else if (!strcmp(e, CONFIG_SANDBOX)) {
			config.sandboxed = true;
			continue;
		}
		read_wanted(e);
		keep(*envp);
	}
}
