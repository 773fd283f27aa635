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
	CALL_COUNT
};

/* Calls that are attempted in the same way, and have their arguments in the same places.  */
enum op_class {
	/* Columns of the whitelist. */
	OP_READ,        /* fd, buffer, size */
	OP_READV,       /* fd, vectors, count */
	OP_RECV,        /* fd, buffer, size, flags, address, its size: recv, recvfrom */
	OP_RECVMSG,     /* fd, message, flags */
	OP_RECVMMSG,    /* fd, messages, count, flags */
	OP_ACCEPT,      /* fd, address, its size */
	OP_WRITE,
	OP_WRITEV,
	OP_SEND,
	OP_SENDMSG,
	OP_SENDMMSG,
	OP_CONNECT,     /* fd, address, its size */
	OP_COLUMNS,
	/* The plain call, timed. */
	OP_PLAIN = OP_COLUMNS,  /* fd, ... */
	OP_POLL,        /* array, count, ...: poll, ppoll */
	OP_SELECT,      /* number, three sets, ... */
	OP_EPOLL,       /* fd, events, count, ... */
	OP_TIME,        /* sleeps */
	OP_WAIT,        /* waits for children */
	OP_DISK,        /* what is on a disk, but no fd's */
	OP_OTHER,       /* waits for something else that is no fd's; or libc makes the call, and what it uses is its own */
	OP_OPEN,        /* what returns a new fd */
	OP_OPEN_PAIR,   /* pipe, socketpair */
};

enum fd_kind {
#define KIND(id, name) KIND_##id,
#include "kinds.def"
#undef KIND
	KIND_COUNT
};

/* A word that threads share and none depends on: what is read may be old by now, and of two changes one may be lost.  */
#define LOAD(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)
#define STORE(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELAXED)

/* The largest number of bytes that one read or write moves (Linux: MAX_RW_COUNT, read(2)). */
#define RW_MAX ((size_t)0x7ffff000)

#endif
