/* stacks.c - stacks HOW: stalls an event loop, again and again, where its stack cannot be walked, or is about to go.  What it does
 * meanwhile, and says, is the same whoever looks.  Exits with 77 where this machine has no such thing.  */
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { LONG_US = 15000, SKIPPED = 77 };

static void fail(const char *what)
{
	perror(what);
	_exit(99);
}

static int epoll;

static void begin(void)
{
	struct epoll_event e = {.events = EPOLLIN};
	int ready[2];

	epoll = epoll_create1(0);
	if (pipe(ready) < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, ready[0], &e) < 0 || write(ready[1], "x", 1) != 1)
		fail("epoll_ctl");
}

static void poll_once(void)
{
	struct epoll_event e;

	if (epoll_wait(epoll, &e, 1, 0) != 1)
		fail("epoll_wait");
}

static void compute(void)
{
	struct timespec from, now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	do {
		for (volatile int i = 0; i < 20000; i++)
			;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	} while ((now.tv_sec - from.tv_sec) * 1000000 + (now.tv_nsec - from.tv_nsec) / 1000 < LONG_US);
}

static void wait_long(void)
{
	usleep(LONG_US);
}

static void stall_both(void)
{
	poll_once();
	wait_long();
	poll_once();
	compute();
	poll_once();
}

/* A function whose table says that its frame begins, and r12 was saved, wherever the caller wants.  */
#ifdef __x86_64__
void call_with_table(void (*f)(void), uint64_t frame);
__asm__(".text\n.type call_with_table, @function\ncall_with_table:\n.cfi_startproc\n\t"
	"push %rbx\n\t.cfi_adjust_cfa_offset 8\n\t.cfi_offset rbx, -16\n\t"
	"mov %rsi, %rbx\n\t.cfi_def_cfa rbx, 16\n\t.cfi_offset r12, -24\n\t"
	"call *%rdi\n\t.cfi_def_cfa rsp, 16\n\t"
	"pop %rbx\n\tret\n.cfi_endproc\n.size call_with_table, . - call_with_table");

static void lie(void)
{
	char here, *page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t edge = (uint64_t)(uintptr_t)page + 4096, stack = (uint64_t)(uintptr_t)&here & ~(uint64_t)15;
	const uint64_t frames[] = {
		0, 1, 8, UINT64_MAX, UINT64_MAX - 15, 0x7fffffffe000, 0x800000000000, 0xffff800000000000, 0xffffffffff600000,
		edge - 16, edge - 8, edge, edge + 4, stack, stack + 1, stack - 4096, stack + (1 << 20), stack + (1 << 30),
	};

	munmap(page + 4096, 4096);
	for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
		call_with_table(stall_both, frames[i]);
}

/* Code that nobody has a table for.  */
static void generate(void)
{
	static const unsigned char code[] = {0x48, 0x83, 0xec, 0x08, 0xff, 0xd7, 0x48, 0x83, 0xc4, 0x08, 0xc3};
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void (*call)(void (*)(void));

	if (page == MAP_FAILED)
		_exit(SKIPPED);
	memcpy(page, code, sizeof code);
	memcpy(&call, &page, sizeof call);
	call(stall_both);
	munmap(page, 4096);
}
#else
static void lie(void)
{
	_exit(SKIPPED);
}

static void generate(void)
{
	_exit(SKIPPED);
}
#endif

static volatile int stopped;

static void *load_and_unload(void *name)
{
	while (!stopped) {
		void *library = dlopen(name, RTLD_NOW);

		if (library)
			dlclose(library);
	}
	return NULL;
}

/* A library that computed, and is unloaded before the poll, while another thread loads and unloads it.  */
static void unload(void)
{
	static char name[] = "libm.so.6";
	pthread_t other;

	if (dlsym(RTLD_DEFAULT, "tgamma"))
		fail("libm is there without dlopen");
	pthread_create(&other, NULL, load_and_unload, name);
	for (int i = 0; i < 40; i++) {
		void *library = dlopen(name, RTLD_NOW);
		double (*f)(double) = library ? (double (*)(double))dlsym(library, "tgamma") : NULL;
		clock_t end = clock() + 2 * CLOCKS_PER_SEC * LONG_US / 1000000;

		if (!f)
			_exit(SKIPPED);
		poll_once();
		while (clock() < end)
			for (int n = 0; n < 20000; n++)
				f(3.3 + n % 50);
		dlclose(library);
		poll_once();
	}
	stopped = 1;
	pthread_join(other, NULL);
}

static void *in_thread(void *unused)
{
	stall_both();
	return unused;
}

/* Of 16 KiB, which is the least, and of which libc takes some.  */
static void be_small(void)
{
	pthread_attr_t small;
	pthread_t thread;

	pthread_attr_init(&small);
	if (pthread_attr_setstacksize(&small, 16384) != 0)
		_exit(SKIPPED);
	for (int i = 0; i < 5; i++) {
		if (pthread_create(&thread, &small, in_thread, NULL) != 0)
			fail("pthread_create");
		pthread_join(thread, NULL);
	}
}

static void *count_numbers(void *unused)
{
	long first = syscall(SYS_dup, 0), n;
	int others = 0;

	syscall(SYS_close, first);
	while (!stopped) {
		n = syscall(SYS_dup, 0);
		others += n != first;
		syscall(SYS_close, n);
	}
	printf("%d other numbers\n", others);
	return unused;
}

static void *compute_in_thread(void *unused)
{
	poll_once();
	compute();
	poll_once();
	return unused;
}

/* Threads that begin to poll, while the only one that makes descriptors gets the same number again and again.  */
static void begin_threads(void)
{
	pthread_t counting, thread;

	pthread_create(&counting, NULL, count_numbers, NULL);
	for (int i = 0; i < 20; i++) {
		if (pthread_create(&thread, NULL, compute_in_thread, NULL) != 0)
			fail("pthread_create");
		pthread_join(thread, NULL);
	}
	poll_once();
	compute();
	poll_once();
	stopped = 1;
	pthread_join(counting, NULL);
}

static void handle(int signal)
{
	(void)signal;
	stall_both();
}

static void be_in_handler(void)
{
	static char memory[16384];
	stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory};
	struct sigaction a = {.sa_handler = handle, .sa_flags = SA_ONSTACK};

	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &a, NULL);
	poll_once();
	raise(SIGUSR1);
	raise(SIGUSR1);
}

/* One that kills who asks what is readable.  */
static void be_sandboxed(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigprocmask, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL),
	};
	struct sock_fprog filter = {sizeof code / sizeof *code, code};

	poll_once();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
		_exit(SKIPPED);
	wait_long();
	stall_both();
}

static void keep_errno(void)
{
	errno = 12345;
	stall_both();
	printf("errno %d\n", errno);
}

static const struct {
	const char *name;
	void (*act)(void);
} ways[] = {
	{"lie", lie}, {"generate", generate}, {"unload", unload}, {"small", be_small}, {"handler", be_in_handler},
	{"threads", begin_threads},
	{"sandbox", be_sandboxed}, {"errno", keep_errno},
};

int main(int count, char **arguments)
{
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		if (count == 2 && !strcmp(arguments[1], ways[i].name)) {
			begin();
			ways[i].act();
			puts("done");
			return 0;
		}
	return 64;
}
