/* old_condition.c - a program that was linked when conditions were those of LinuxThreads, where there are such: x86-64.  */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#ifdef __x86_64__
__asm__(".symver pthread_cond_wait, pthread_cond_wait@GLIBC_2.2.5");
__asm__(".symver pthread_cond_signal, pthread_cond_signal@GLIBC_2.2.5");
#endif

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int told;

static void *tell(void *unused)
{
	usleep(20000);
	pthread_mutex_lock(&mutex);
	told = 1;
	pthread_cond_signal(&condition);
	pthread_mutex_unlock(&mutex);
	return unused;
}

int main(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, tell, NULL);
	pthread_mutex_lock(&mutex);
	while (!told)
		pthread_cond_wait(&condition, &mutex);
	pthread_mutex_unlock(&mutex);
	pthread_join(thread, NULL);
	puts("told");
	return 0;
}
