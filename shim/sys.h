/* sys.h - system calls as the kernel knows them.  Nothing here touches errno, is a cancellation point, or can be intercepted.  */
#ifndef EAGAIN_SYS_H
#define EAGAIN_SYS_H

#include <sys/syscall.h>

#if defined(__x86_64__)
#include "arch/x86_64.h"
#elif defined(__aarch64__)
#include "arch/aarch64.h"
#else
#error "eagain knows x86-64 and aarch64"
#endif

/* System calls that newer architectures do without.  */
#ifndef SYS_poll
#define SYS_poll -1
#define SYS_select -1
#define SYS_epoll_wait -1
#define SYS_open -1
#define SYS_creat -1
#define SYS_pipe -1
#define SYS_dup2 -1
#define SYS_inotify_init -1
#define SYS_epoll_create -1
#define SYS_pause -1
#endif

/* sys(nr, ...): up to six arguments of any integer or pointer type. */
#define SYS_ARG(x) ((long)(x))
#define SYS_0(nr) sys6(nr, 0, 0, 0, 0, 0, 0)
#define SYS_1(nr, a) sys6(nr, SYS_ARG(a), 0, 0, 0, 0, 0)
#define SYS_2(nr, a, b) sys6(nr, SYS_ARG(a), SYS_ARG(b), 0, 0, 0, 0)
#define SYS_3(nr, a, b, c) sys6(nr, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), 0, 0, 0)
#define SYS_4(nr, a, b, c, d) sys6(nr, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), 0, 0)
#define SYS_5(nr, a, b, c, d, e) sys6(nr, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), SYS_ARG(e), 0)
#define SYS_6(nr, a, b, c, d, e, f) sys6(nr, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), SYS_ARG(e), SYS_ARG(f))
#define SYS_PICK(_0, _1, _2, _3, _4, _5, _6, NAME, ...) NAME
#define sys(...) SYS_PICK(__VA_ARGS__, SYS_6, SYS_5, SYS_4, SYS_3, SYS_2, SYS_1, SYS_0)(__VA_ARGS__)

#endif
