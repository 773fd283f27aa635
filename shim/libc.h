/* libc.h - the libc functions that stand behind ours, looked up once at start-up.
 *
 * Most wrappers need none: they speak to the kernel (sys.h).  Here are those whose work in libc is more than one system call.  */
#ifndef EAGAIN_LIBC_H
#define EAGAIN_LIBC_H

#include <aio.h>
#include <link.h>
#include <mqueue.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <threads.h>

#include "shim.h"
#include "sys.h"

/* LIBC(return type, name, parameters) */
#define LIBC_FUNCTIONS(LIBC)                                                                                           \
	LIBC(pid_t, vfork, (void))                                                                                     \
	LIBC(int, clone, (int (*)(void *), void *, int, void *, ...))                                                  \
	LIBC(pid_t, fork, (void))                                                                                      \
	LIBC(int, fcntl, (int, int, ...))                                                                              \
	LIBC(int, execvpe, (const char *, char *const *, char *const *))                                               \
	LIBC(int, posix_spawn, (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,  \
		char *const *, char *const *))                                                                         \
	LIBC(int, posix_spawnp, (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, \
		char *const *, char *const *))                                                                         \
	LIBC(int, fexecve, (int, char *const *, char *const *))                                                        \
	LIBC(void, _exit, (int))                                                                                       \
	LIBC(FILE *, popen, (const char *, const char *))                                                              \
	LIBC(int, pclose, (FILE *))                                                                                    \
	LIBC(int, vdprintf, (int, const char *, va_list))                                                              \
	LIBC(int, __vdprintf_chk, (int, int, const char *, va_list))                                                   \
	LIBC(FILE *, freopen, (const char *, const char *, FILE *))                                                    \
	LIBC(FILE *, freopen64, (const char *, const char *, FILE *))                                                  \
	LIBC(int, __open_2, (const char *, int))                                                                       \
	LIBC(int, __open64_2, (const char *, int))                                                                     \
	LIBC(int, __openat_2, (int, const char *, int))                                                                \
	LIBC(int, __openat64_2, (int, const char *, int))                                                              \
	LIBC(int, setuid, (uid_t))                                                                                     \
	LIBC(int, setreuid, (uid_t, uid_t))                                                                            \
	LIBC(int, setresuid, (uid_t, uid_t, uid_t))                                                                    \
	LIBC(int, seteuid, (uid_t))                                                                                    \
	LIBC(int, chroot, (const char *))                                                                              \
	LIBC(void, closefrom, (int))                                                                                   \
	LIBC(int, daemon, (int, int))                                                                                  \
	LIBC(int, sigaction, (int, const struct sigaction *, struct sigaction *))                                      \
	LIBC(sighandler_t, signal, (int, sighandler_t))                                                                \
	LIBC(sighandler_t, bsd_signal, (int, sighandler_t))                                                            \
	LIBC(sighandler_t, ssignal, (int, sighandler_t))                                                               \
	LIBC(sighandler_t, sysv_signal, (int, sighandler_t))                                                           \
	LIBC(sighandler_t, __sysv_signal, (int, sighandler_t))                                                         \
	LIBC(sighandler_t, sigset, (int, sighandler_t))                                                                \
	LIBC(int, siginterrupt, (int, int))                                                                            \
	LIBC(int, pthread_create, (pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))                    \
	LIBC(int, thrd_create, (thrd_t *, thrd_start_t, void *))                                                       \
	LIBC(int, pthread_cancel, (pthread_t))                                                                         \
	LIBC(int, close, (int))                                                                                        \
	LIBC(int, system, (const char *))                                                                              \
	LIBC(void, quick_exit, (int))                                                                                  \
	LIBC(int, on_exit, (void (*)(int, void *), void *))                                                            \
	LIBC(int, dl_iterate_phdr, (int (*)(struct dl_phdr_info *, size_t, void *), void *))                           \
	LIBC(int, pthread_mutex_lock, (pthread_mutex_t *))                                                             \
	LIBC(int, pthread_mutex_timedlock, (pthread_mutex_t *, const struct timespec *))                               \
	LIBC(int, pthread_mutex_clocklock, (pthread_mutex_t *, clockid_t, const struct timespec *))                    \
	LIBC(int, pthread_mutex_trylock, (pthread_mutex_t *))                                                          \
	LIBC(int, pthread_rwlock_rdlock, (pthread_rwlock_t *))                                                         \
	LIBC(int, pthread_rwlock_timedrdlock, (pthread_rwlock_t *, const struct timespec *))                           \
	LIBC(int, pthread_rwlock_clockrdlock, (pthread_rwlock_t *, clockid_t, const struct timespec *))                \
	LIBC(int, pthread_rwlock_tryrdlock, (pthread_rwlock_t *))                                                      \
	LIBC(int, pthread_rwlock_wrlock, (pthread_rwlock_t *))                                                         \
	LIBC(int, pthread_rwlock_timedwrlock, (pthread_rwlock_t *, const struct timespec *))                           \
	LIBC(int, pthread_rwlock_clockwrlock, (pthread_rwlock_t *, clockid_t, const struct timespec *))                \
	LIBC(int, pthread_rwlock_trywrlock, (pthread_rwlock_t *))                                                      \
	LIBC(int, pthread_cond_wait, (pthread_cond_t *, pthread_mutex_t *))                                            \
	LIBC(int, pthread_cond_timedwait, (pthread_cond_t *, pthread_mutex_t *, const struct timespec *))              \
	LIBC(int, pthread_cond_clockwait, (pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *))   \
	LIBC(int, sem_wait, (sem_t *))                                                                                 \
	LIBC(int, sem_timedwait, (sem_t *, const struct timespec *))                                                   \
	LIBC(int, sem_clockwait, (sem_t *, clockid_t, const struct timespec *))                                        \
	LIBC(int, sem_trywait, (sem_t *))                                                                              \
	LIBC(int, pthread_join, (pthread_t, void **))                                                                  \
	LIBC(int, pthread_timedjoin_np, (pthread_t, void **, const struct timespec *))                                 \
	LIBC(int, pthread_clockjoin_np, (pthread_t, void **, clockid_t, const struct timespec *))                      \
	LIBC(int, pthread_getcpuclockid, (pthread_t, clockid_t *))                                                     \
	LIBC(int, pthread_barrier_wait, (pthread_barrier_t *))                                                         \
	LIBC(int, mtx_lock, (mtx_t *))                                                                                 \
	LIBC(int, mtx_timedlock, (mtx_t *, const struct timespec *))                                                   \
	LIBC(int, mtx_trylock, (mtx_t *))                                                                              \
	LIBC(int, cnd_wait, (cnd_t *, mtx_t *))                                                                        \
	LIBC(int, cnd_timedwait, (cnd_t *, mtx_t *, const struct timespec *))                                          \
	LIBC(int, thrd_join, (thrd_t, int *))                                                                          \
	LIBC(int, fstat64, (int, struct stat64 *))                                                                     \
	LIBC(int, lockf, (int, int, off_t))                                                                            \
	LIBC(int, pause, (void))                                                                                       \
	LIBC(int, sigsuspend, (const sigset_t *))                                                                      \
	LIBC(int, sigwait, (const sigset_t *, int *))                                                                  \
	LIBC(int, sigwaitinfo, (const sigset_t *, siginfo_t *))                                                        \
	LIBC(int, sigtimedwait, (const sigset_t *, siginfo_t *, const struct timespec *))                              \
	LIBC(int, semop, (int, struct sembuf *, size_t))                                                               \
	LIBC(int, semtimedop, (int, struct sembuf *, size_t, const struct timespec *))                                 \
	LIBC(int, msgsnd, (int, const void *, size_t, int))                                                            \
	LIBC(ssize_t, msgrcv, (int, void *, size_t, long, int))                                                        \
	LIBC(ssize_t, mq_receive, (mqd_t, char *, size_t, unsigned *))                                                 \
	LIBC(ssize_t, mq_timedreceive, (mqd_t, char *, size_t, unsigned *, const struct timespec *))                   \
	LIBC(int, mq_send, (mqd_t, const char *, size_t, unsigned))                                                    \
	LIBC(int, mq_timedsend, (mqd_t, const char *, size_t, unsigned, const struct timespec *))                      \
	LIBC(int, mq_close, (mqd_t))                                                                                   \
	LIBC(int, getaddrinfo, (const char *, const char *, const struct addrinfo *, struct addrinfo **))              \
	LIBC(int, getnameinfo, (const struct sockaddr *, socklen_t, char *, socklen_t, char *, socklen_t, int))        \
	LIBC(struct hostent *, gethostbyname, (const char *))                                                          \
	LIBC(struct hostent *, gethostbyname2, (const char *, int))                                                    \
	LIBC(struct hostent *, gethostbyaddr, (const void *, socklen_t, int))                                          \
	LIBC(int, gethostbyname_r, (const char *, struct hostent *, char *, size_t, struct hostent **, int *))         \
	LIBC(int, gethostbyname2_r, (const char *, int, struct hostent *, char *, size_t, struct hostent **, int *))   \
	LIBC(int, gethostbyaddr_r, (const void *, socklen_t, int, struct hostent *, char *, size_t, struct hostent **, \
		int *))                                                                                                \
	LIBC(int, statx, (int, const char *, int, unsigned, struct statx *))                                           \
	LIBC(ssize_t, preadv64v2, (int, const struct iovec *, int, off64_t, int))                                      \
	LIBC(ssize_t, pwritev64v2, (int, const struct iovec *, int, off64_t, int))                                     \
	LIBC(int, aio_read, (struct aiocb *))                                                                          \
	LIBC(int, aio_write, (struct aiocb *))                                                                         \
	LIBC(int, aio_fsync, (int, struct aiocb *))                                                                    \
	LIBC(int, aio_error, (const struct aiocb *))                                                                   \
	LIBC(ssize_t, aio_return, (struct aiocb *))                                                                    \
	LIBC(int, aio_suspend, (const struct aiocb *const *, int, const struct timespec *))                            \
	LIBC(int, aio_cancel, (int, struct aiocb *))                                                                   \
	LIBC(int, lio_listio, (int, struct aiocb *const *, int, struct sigevent *))                                    \
	LIBC(const struct arch_leaf *, __x86_get_cpuid_feature_leaf, (unsigned))

struct libc {
#define LIBC(type, name, parameters) type(*name) parameters;
	LIBC_FUNCTIONS(LIBC)
#undef LIBC
};

extern struct libc libc;

/* Looks them up.  Only at start-up: dlsym(3) may allocate and lock.  */
void libc_find(void);

/* True while the process has certainly never had a second thread (glibc >= 2.32, <sys/single_threaded.h>).  */
static inline bool libc_single_threaded(void)
{
	return __libc_single_threaded;
}

/* In the child of a fork, until it starts a thread: it has none, whatever libc's flag says.  */
extern bool libc_is_child;

/* No other thread uses the process's descriptors.  */
static inline bool libc_is_lone(void)
{
	return libc_single_threaded() || LOAD(libc_is_child);
}

/* Points the read, write and close slots of all of libc's stdio jump tables at these; false where that was refused.  */
typedef ssize_t stdio_read_fn(FILE *, void *, ssize_t);
typedef ssize_t stdio_write_fn(FILE *, const void *, ssize_t);
typedef int stdio_close_fn(FILE *);
bool libc_serve_stdio(stdio_read_fn *, stdio_write_fn *, stdio_close_fn *);

/* What was in those slots.  */
extern stdio_read_fn *libc_file_read;
extern stdio_write_fn *libc_file_write;
extern stdio_close_fn *libc_file_close;

#endif
