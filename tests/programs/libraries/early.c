/* early.c - a library with a constructor that does I/O before the shim's own has run, and a destructor that does it after.  */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void handler(int signal)
{
	(void)signal;
}

/* Whether each is taken, and given back.  */
static int locks(void)
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER;
	sem_t s;

	return sem_init(&s, 0, 1) == 0 && pthread_mutex_lock(&m) == 0 && pthread_mutex_trylock(&m) == EBUSY && pthread_mutex_unlock(&m) == 0 &&
	       pthread_rwlock_wrlock(&l) == 0 && pthread_rwlock_tryrdlock(&l) == EBUSY && pthread_rwlock_unlock(&l) == 0 &&
	       sem_wait(&s) == 0 && sem_trywait(&s) < 0 && sem_destroy(&s) == 0;
}

static void talk(const char *when)
{
	struct sigaction a = {.sa_handler = handler}, b;
	char text[64], c = 0;
	int fds[2], n;

	if (pipe(fds) == 0 && write(fds[1], "p", 1) == 1 && read(fds[0], &c, 1) == 1)
		close(fds[0]), close(fds[1]);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 && send(fds[1], "s", 1, 0) == 1 && recv(fds[0], &c, 1, 0) == 1)
		close(fds[0]), close(fds[1]);
	sigaction(SIGUSR2, &a, &b);
	sigaction(SIGUSR2, &b, NULL);
	n = snprintf(text, sizeof text, "%s: %c %d %d\n", when, c, b.sa_handler == SIG_DFL, locks());
	if (write(2, text, (size_t)n) != n)
		_exit(97);
}

__attribute__((constructor)) static void first(void)
{
	talk("constructor");
}

__attribute__((destructor)) static void last(void)
{
	talk("destructor");
}
