/* ipc.c - signals that are waited for, semaphores, messages, and names that are looked up: what they return, with which errno.  */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netdb.h>
#include <pthread.h>
#include <resolv.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traps.h"

static sigjmp_buf before;

static void jump(int signal)
{
	siglongjmp(before, signal);
}

static void write_in_handler(int signal)
{
	(void)signal;
	if (write(1, "handled\n", 8) != 8)
		_exit(97);
}

static void send_soon(int signal)
{
	pid_t parent = getpid(), tid = gettid();

	if (fork() == 0) {
		wait_asleep(tid);
		kill(parent, signal);
		_exit(0);
	}
}

static void signals_waited_for(char **argv)
{
	struct timespec none = {0}, bad = {.tv_nsec = -1};
	sigset_t set, empty;
	siginfo_t info = {0};
	int number = 0;

	(void)argv;
	sigemptyset(&empty);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	handle(SIGUSR1, write_in_handler, SA_RESTART);
	send_soon(SIGUSR1);
	tell("pause: %s", result_text(pause()));
	send_soon(SIGUSR2);
	errno = 77;
	tell("sigwait: %d", sigwait(&set, &number));
	tell("which: %d, errno %d", number == SIGUSR2, errno);
	send_soon(SIGUSR2);
	tell("sigwaitinfo: %d", sigwaitinfo(&set, &info) == SIGUSR2);
	tell("from: %d %d", info.si_code == SI_USER, info.si_pid > 0 && info.si_pid != getpid());
	kill(getpid(), SIGUSR2);
	tell("sigtimedwait: %d", sigtimedwait(&set, &info, &none) == SIGUSR2);
	tell("from: %d %d", info.si_code == SI_USER, info.si_pid == getpid());
	tell("sigtimedwait, none: %s", result_text(sigtimedwait(&set, NULL, &none)));
	tell("sigtimedwait, a bad time: %s", result_text(sigtimedwait(&set, NULL, &bad)));
	tell("sigtimedwait, a time: %s", result_text(sigtimedwait(&set, NULL, &(struct timespec){.tv_nsec = 1000000})));
	handle(SIGUSR2, write_in_handler, SA_RESTART);
	kill(getpid(), SIGUSR2);
	tell("sigsuspend: %s", result_text(sigsuspend(&empty)));
	sigprocmask(SIG_BLOCK, NULL, &empty);
	tell("blocked again: %d", sigismember(&empty, SIGUSR2));
	handle(SIGUSR1, jump, 0);
	if (!sigsetjmp(before, 1)) {
		send_soon(SIGUSR1);
		pause();
	}
	sigemptyset(&empty);
	if (!sigsetjmp(before, 1)) {
		send_soon(SIGUSR1);
		sigsuspend(&empty);
	}
	tell("after the jumps: %s", result_text(sigtimedwait(&set, NULL, &none)));
	while (wait(NULL) > 0)
		;
}

static void semaphores(void)
{
	struct sembuf take = {.sem_op = -1}, give = {.sem_op = 1}, try = {.sem_op = -1, .sem_flg = IPC_NOWAIT}, zero = {0};
	struct sembuf many[20] = {[0 ... 19] = {.sem_op = 1}};
	struct sembuf *volatile nowhere = (struct sembuf *)8;
	struct timespec soon = {.tv_nsec = 1000000}, bad = {.tv_nsec = -1};
	int id = semget(IPC_PRIVATE, 1, 0600);
	pid_t parent = getpid();

	errno = 77;
	tell("give: %d", semop(id, &give, 1));
	tell("take: %d", semop(id, &take, 1));
	tell("errno %d", errno);
	tell("try: %s", result_text(semop(id, &try, 1)));
	tell("zero: %s", result_text(semop(id, &zero, 1)));
	tell("many: %s", result_text(semop(id, many, 20)));
	tell("value: %d", semctl(id, 0, GETVAL));
	tell("none: %s", result_text(semop(id, &take, 0)));
	tell("too many: %s", result_text(semop(id, many, 100000)));
	tell("nowhere: %s", result_text(semop(id, nowhere, 1)));
	tell("a bad time: %s", result_text(semtimedop(id, &take, 1, &bad)));
	semctl(id, 0, SETVAL, 0);
	tell("a time: %s", result_text(semtimedop(id, &take, 1, &soon)));
	errno = 77;
	if (fork() == 0) {
		wait_asleep(parent);
		semop(id, &give, 1);
		_exit(0);
	}
	tell("waited: %d", semop(id, &take, 1));
	tell("errno %d", errno);
	if (fork() == 0) {
		wait_asleep(parent);
		semctl(id, 0, IPC_RMID);
		_exit(0);
	}
	tell("removed: %s", result_text(semop(id, &take, 1)));
	tell("gone: %s", result_text(semop(id, &take, 1)));
}

static struct { long type; char text[8]; } message = {1, "text"};

static void messages(void)
{
	int id = msgget(IPC_PRIVATE, 0600);
	pid_t parent = getpid();

	errno = 77;
	tell("msgsnd: %d", msgsnd(id, &message, 5, 0));
	tell("errno %d", errno);
	tell("msgrcv, too long: %s", result_text(msgrcv(id, &message, 3, 0, 0)));
	tell("msgrcv: %s", result_text(msgrcv(id, &message, 8, 0, 0)));
	tell("%s %ld", message.text, message.type);
	tell("msgrcv, none: %s", result_text(msgrcv(id, &message, 8, 0, IPC_NOWAIT)));
	errno = 77;
	if (fork() == 0) {
		wait_asleep(parent);
		message.type = 5;
		msgsnd(id, &message, 5, 0);
		_exit(0);
	}
	tell("msgrcv, waited: %s", result_text(msgrcv(id, &message, 8, 5, 0)));
	tell("type %ld, errno %d", message.type, errno);
	message.type = 0;
	tell("msgsnd, no type: %s", result_text(msgsnd(id, &message, 5, 0)));
	message.type = 1;
	while (msgsnd(id, &message, 8, IPC_NOWAIT) == 0)
		;
	tell("msgsnd, full: %s", result_text(msgsnd(id, &message, 8, IPC_NOWAIT)));
	if (fork() == 0) {
		wait_asleep(parent);
		msgctl(id, IPC_RMID, NULL);
		_exit(0);
	}
	tell("msgsnd, removed: %s", result_text(msgsnd(id, &message, 8, 0)));
}

static void queues(void)
{
	struct mq_attr small = {.mq_maxmsg = 2, .mq_msgsize = 16};
	struct timespec past = {0};
	unsigned priority = 0;
	char name[32], text[16];
	pid_t parent = getpid();
	mqd_t fd;

	snprintf(name, sizeof name, "/ipc-%d", (int)parent);
	fd = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &small);
	mq_unlink(name);
	tell("mq_send: %s", result_text(mq_send(fd, "text", 5, 3)));
	tell("mq_send, too long: %s", result_text(mq_send(fd, name, 32, 0)));
	tell("mq_receive, too short: %s", result_text(mq_receive(fd, text, 3, NULL)));
	tell("mq_receive: %s", result_text(mq_receive(fd, text, 16, &priority)));
	tell("%s, priority %u", text, priority);
	tell("mq_timedreceive, late: %s", result_text(mq_timedreceive(fd, text, 16, NULL, &past)));
	if (fork() == 0) {
		wait_asleep(parent);
		mq_send(fd, "late", 5, 1);
		_exit(0);
	}
	tell("mq_receive, waited: %s", result_text(mq_receive(fd, text, 16, NULL)));
	tell("full: %d", mq_send(fd, "1", 2, 0) + mq_send(fd, "2", 2, 0));
	tell("mq_timedsend, full: %s", result_text(mq_timedsend(fd, "3", 2, 0, &past)));
	tell("read: %d", read(fd, text, 5) == 5 && !memcmp(text, "QSIZE", 5));
	small.mq_flags = O_NONBLOCK;
	mq_setattr(fd, &small, NULL);
	tell("mq_send, O_NONBLOCK: %s", result_text(mq_send(fd, "3", 2, 0)));
	tell("mq_close: %s", result_text(mq_close(fd)));
	tell("mq_close, again: %s", result_text(mq_close(fd)));
	tell("mq_receive, closed: %s", result_text(mq_receive(fd, text, 16, NULL)));
	tell("mq_receive, a file: %s", result_text(mq_receive(1, text, 16, NULL)));
	fd = open("file", O_RDWR | O_CREAT, 0600);
	tell("a file under its number: %s", result_text(write(fd, "text", 4)));
	tell("lockf: %d", lockf(fd, F_LOCK, 0));
	tell("lockf, nonsense: %s", result_text(lockf(fd, 77, 0)));
	unlink("file");
}

static void semaphores_and_messages(char **argv)
{
	(void)argv;
	semaphores();
	messages();
	queues();
	while (wait(NULL) > 0)
		;
}

/* A name server: takes its time, and then says that there is no such name.  */
static void *serve_names(void *socket)
{
	unsigned char query[512];
	struct sockaddr_in from;
	socklen_t size;
	ssize_t n;

	for (;;) {
		size = sizeof from;
		n = recvfrom(*(int *)socket, query, sizeof query, 0, (struct sockaddr *)&from, &size);
		if (n < 12)
			return NULL;
		usleep(20000);
		query[2] |= 0x80;
		query[3] = 0x83;
		sendto(*(int *)socket, query, (size_t)n, 0, (struct sockaddr *)&from, size);
	}
}

static void names(char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	struct addrinfo *found, hints = {.ai_flags = AI_NUMERICHOST};
	struct hostent host, *h;
	char text[1024], service[32];
	int server = socket(AF_INET, SOCK_DGRAM, 0), error;
	pthread_t thread;

	(void)argv;
	need(bind(server, (struct sockaddr *)&address, size) == 0 && getsockname(server, (struct sockaddr *)&address, &size) == 0, "bind");
	pthread_create(&thread, NULL, serve_names, &server);
	res_init();
	_res.nsaddr_list[0] = address;
	_res.nscount = 1;
	tell("getaddrinfo: %d", getaddrinfo("name.invalid", "80", NULL, &found));
	tell("getaddrinfo, a number: %d", getaddrinfo("127.0.0.1", "80", &hints, &found));
	tell("getnameinfo: %d", getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, service, sizeof service,
					    NI_NUMERICHOST | NI_NUMERICSERV));
	tell("%s %s", text, service);
	freeaddrinfo(found);
	tell("getaddrinfo, nonsense: %d", getaddrinfo(NULL, NULL, NULL, &found));
	h = gethostbyname("name.invalid");
	tell("gethostbyname: %d, h_errno %d", h != NULL, h_errno);
	h = gethostbyname("127.0.0.1");
	tell("a number: %d", h && h->h_length == 4);
	h = gethostbyname2("127.0.0.1", AF_INET);
	tell("gethostbyname2: %d", h != NULL);
	error = 0;
	tell("gethostbyname_r: %d", gethostbyname_r("name.invalid", &host, text, sizeof text, &h, &error));
	tell("%d %d", h != NULL, error);
	tell("gethostbyname_r, too small: %d", gethostbyname_r("127.0.0.1", &host, text, 2, &h, &error));
	tell("gethostbyname2_r: %d", gethostbyname2_r("127.0.0.1", AF_INET, &host, text, sizeof text, &h, &error));
	tell("gethostbyaddr_r: %d", gethostbyaddr_r(&(int){htonl(0xc0000201)}, 4, AF_INET, &host, text, sizeof text, &h, &error));
	h = gethostbyaddr(&(int){htonl(0xc0000201)}, 4, AF_INET);
	tell("gethostbyaddr: %d, h_errno %d", h != NULL, h_errno);
}

const struct trap ipc_traps[] = {
	{"signals-waited-for", signals_waited_for}, {"semaphores-and-messages", semaphores_and_messages}, {"names", names}, {NULL, NULL},
};
