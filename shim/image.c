/* image.c - looks at an executable before it is started.  As tracer/program.c does, but for one answer, and in the program:
 * without allocation, also in a vfork child, and without opening anything but a regular file,
 * which might wait or wake somebody.  */
#include "image.h"

#include <alloca.h>
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys.h"

#ifdef __x86_64__
enum { OWN_MACHINE = EM_X86_64 };
#else
enum { OWN_MACHINE = EM_AARCH64 };
#endif

enum {
	START_SIZE = 256,       /* as much of a script as the kernel looks at */
	SCRIPTS_MAX = 5,        /* that run each other (execve(2)) */
};

static bool read_at(int fd, void *to, size_t size, uint64_t offset)
{
	return sys(SYS_pread64, fd, to, size, offset) == (long)size;
}

static bool is_glibc(const char *loader)
{
	return !strncmp(loader, "ld-linux", 8) || !strncmp(loader, "ld-lsb", 6);
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A static program has no loader; a loader that is run as a program, none but itself.  */
static bool elf_loads_us(int fd, const ElfW(Ehdr) *header, const char *path)
{
	ElfW(Phdr) p;
	char loader[64] = "";

	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != OWN_MACHINE)
		return false;
	for (int i = 0; i < header->e_phnum; i++) {
		size_t n;

		if (!read_at(fd, &p, sizeof p, header->e_phoff + (uint64_t)i * header->e_phentsize))
			return true;
		if (p.p_type != PT_INTERP)
			continue;
		n = p.p_filesz < sizeof loader ? p.p_filesz : sizeof loader - 1;
		return !read_at(fd, loader, n, p.p_offset + p.p_filesz - n) || is_glibc(last_part(loader));
	}
	return strncmp(last_part(path), "ld-musl", 7) != 0;
}

/* Reads the first bytes of a regular file; false where it is none, or cannot be read.  */
static bool read_start(const char *path, int *fd, char start[START_SIZE])
{
	struct stat st;

	if (sys(SYS_newfstatat, AT_FDCWD, path, &st, 0) < 0 || !S_ISREG(st.st_mode))
		return false;
	*fd = (int)sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0)
		return false;
	memset(start, 0, START_SIZE);
	sys(SYS_pread64, *fd, start, START_SIZE - 1, 0);
	return true;
}

/* What runs a file that is no ELF file: the interpreter that it names, or the shell (execvp(3)).  */
static const char *interpreter_of(char start[START_SIZE])
{
	char *name = start + 2 + strspn(start + 2, " \t"), *end = name + strcspn(name, " \t\n");

	if (start[0] != '#' || start[1] != '!' || end == name || end == start + START_SIZE - 1)
		return "/bin/sh";
	*end = 0;
	return name;
}

bool image_loads_us(const char *path)
{
	char starts[2][START_SIZE];     /* path may lie in the other one */

	for (int depth = 0; depth <= SCRIPTS_MAX; depth++) {
		char *start = starts[depth % 2];
		bool is_elf, loads = true;
		int fd;

		if (!read_start(path, &fd, start))
			return true;
		is_elf = !memcmp(start, ELFMAG, SELFMAG);
		if (is_elf) {
			ElfW(Ehdr) header;

			memcpy(&header, start, sizeof header);
			loads = elf_loads_us(fd, &header, path);
		}
		sys(SYS_close, fd);
		if (is_elf)
			return loads;
		path = interpreter_of(start);
	}
	return true;
}

static bool is_executable(const char *path)
{
	struct stat st;

	return sys(SYS_faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS) == 0 && sys(SYS_newfstatat, AT_FDCWD, path, &st, 0) == 0 &&
	       S_ISREG(st.st_mode);
}

bool image_found_loads_us(const char *file)
{
	const char *dirs = getenv("PATH");
	char *path;

	if (strchr(file, '/'))
		return image_loads_us(file);
	if (!dirs)
		dirs = "/bin:/usr/bin";
	if (!*file || strlen(file) > NAME_MAX || strlen(dirs) >= PATH_MAX)
		return true;
	path = alloca(strlen(dirs) + strlen(file) + 2);
	for (;; dirs++) {
		size_t n = strcspn(dirs, ":");
		char *end = mempcpy(path, dirs, n);

		if (n)
			*end++ = '/';
		strcpy(end, file);
		if (is_executable(path))
			return image_loads_us(path);
		dirs += n;
		if (!*dirs)
			return true;
	}
}
