/* shim.h - what every file of the shim shares: the call and kind ids, and small words.  */
#ifndef EAGAIN_SHIM_H
#define EAGAIN_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* What every call touches lies together: after a system call the processor may have to look up each page anew.  */
#define HOT_DATA __attribute__((section(".data.hot")))

/* A function that programs see; everything else is hidden.  */
#define EXPORT __attribute__((visibility("default")))

enum call_id {
#define CALL(id, name, wait, class, number) CALL_##id,
#include "calls.def"
#undef CALL
};

enum fd_kind {
#define KIND(id, name) KIND_##id,
#include "kinds.def"
#undef KIND
	KIND_COUNT
};

/* The largest number of bytes that one read or write moves (Linux: MAX_RW_COUNT, read(2)). */
#define RW_MAX ((size_t)0x7ffff000)

#endif
