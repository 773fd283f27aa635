/* ipc.c - semaphores and messages between processes, while something is recorded.
 *
 * Those of System V are recorded as locks are (lock.c): what is to be had at once is had without waiting, and only what is not is
 * timed; the number is the id.  POSIX message queues are fds, and their calls are calls.  */
#include <mqueue.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/vfs.h>

#include "calls.h"
#include "shim/record.h"

#define WAIT(type, which, id, call) RECORDED_LOCK(type, which, (const void *)(intptr_t)(id), 0, call)

enum { OPERATIONS = 16 };

/* Copies operations with IPC_NOWAIT; false where there are too many, or none to be read.  */
static bool copy_at_once(struct sembuf to[OPERATIONS], const struct sembuf *operations, size_t count)
{
	if (!count || count > OPERATIONS || shim_sandboxed || !is_readable(operations) ||
	    !is_readable((const char *)(operations + count) - 1))
		return false;
	for (size_t i = 0; i < count; i++) {
		to[i] = operations[i];
		to[i].sem_flg |= IPC_NOWAIT;
	}
	return true;
}

/* Whether such an attempt has settled it: who did not ask for that waits.  */
static bool is_settled(int result, const struct sembuf *at_once, const struct sembuf *operations, size_t count, int saved)
{
	if (result == 0 || errno != EAGAIN || !memcmp(at_once, operations, count * sizeof *operations))
		return true;
	errno = saved;
	return false;
}

EXPORT int semop(int id, struct sembuf *operations, size_t count)
{
	struct sembuf at_once[OPERATIONS];
	int saved = errno, result;

	UNRECORDED(-1, semop, id, operations, count);
	if (copy_at_once(at_once, operations, count)) {
		result = libc.semop(id, at_once, count);
		if (is_settled(result, at_once, operations, count, saved))
			return result;
	}
	return WAIT(int, TRACE_LOCK_SEMOP, id, libc.semop(id, operations, count));
}

EXPORT int semtimedop(int id, struct sembuf *operations, size_t count, const struct timespec *time)
{
	struct sembuf at_once[OPERATIONS];
	int saved = errno, result;

	UNRECORDED(-1, semtimedop, id, operations, count, time);
	if (copy_at_once(at_once, operations, count)) {
		result = libc.semtimedop(id, at_once, count, time);
		if (is_settled(result, at_once, operations, count, saved))
			return result;
	}
	return WAIT(int, TRACE_LOCK_SEMTIMEDOP, id, libc.semtimedop(id, operations, count, time));
}

EXPORT int msgsnd(int id, const void *message, size_t size, int flags)
{
	int saved = errno, result;

	UNRECORDED(-1, msgsnd, id, message, size, flags);
	result = libc.msgsnd(id, message, size, flags | IPC_NOWAIT);
	if (result == 0 || errno != EAGAIN || (flags & IPC_NOWAIT))
		return result;
	errno = saved;
	return WAIT(int, TRACE_LOCK_MSGSND, id, libc.msgsnd(id, message, size, flags));
}

EXPORT ssize_t msgrcv(int id, void *message, size_t size, long type, int flags)
{
	int saved = errno;
	ssize_t result;

	UNRECORDED(-1, msgrcv, id, message, size, type, flags);
	result = libc.msgrcv(id, message, size, type, flags | IPC_NOWAIT);
	if (result >= 0 || errno != ENOMSG || (flags & IPC_NOWAIT))
		return result;
	errno = saved;
	return WAIT(ssize_t, TRACE_LOCK_MSGRCV, id, libc.msgrcv(id, message, size, type, flags));
}

/* Nothing but its file system tells a queue from a file, and nobody asks for that where it is opened.  */
static mqd_t known(mqd_t queue)
{
	enum { MQUEUE_MAGIC = 0x19800202 };     /* Linux, ipc/mqueue.c */
	struct statfs system;

	if (HINT_KIND(fds_peek(queue)) != KIND_mqueue && !shim_sandboxed && sys(SYS_fstatfs, queue, &system) == 0 &&
	    system.f_type == MQUEUE_MAGIC)
		fds_made(queue, &(struct fd_facts){.kind = KIND_mqueue});
	return queue;
}

EXPORT ssize_t mq_receive(mqd_t queue, char *message, size_t size, unsigned *priority)
{
	UNRECORDED(-1, mq_receive, queue, message, size, priority);
	return RECORDED(ssize_t, CALL_mq_receive, known(queue), libc.mq_receive(queue, message, size, priority), as_kernel(value_));
}

EXPORT ssize_t mq_timedreceive(mqd_t queue, char *restrict message, size_t size, unsigned *restrict priority,
			       const struct timespec *restrict time)
{
	UNRECORDED(-1, mq_timedreceive, queue, message, size, priority, time);
	return RECORDED(ssize_t, CALL_mq_timedreceive, known(queue), libc.mq_timedreceive(queue, message, size, priority, time),
			as_kernel(value_));
}

EXPORT int mq_send(mqd_t queue, const char *message, size_t size, unsigned priority)
{
	UNRECORDED(-1, mq_send, queue, message, size, priority);
	return RECORDED(int, CALL_mq_send, known(queue), libc.mq_send(queue, message, size, priority), as_kernel(value_));
}

EXPORT int mq_timedsend(mqd_t queue, const char *message, size_t size, unsigned priority, const struct timespec *time)
{
	UNRECORDED(-1, mq_timedsend, queue, message, size, priority, time);
	return RECORDED(int, CALL_mq_timedsend, known(queue), libc.mq_timedsend(queue, message, size, priority, time), as_kernel(value_));
}

EXPORT int mq_close(mqd_t queue)
{
	if (!shim_has_libc())
		return -1;
	descriptor_closing(queue);
	return libc.mq_close(queue);
}
