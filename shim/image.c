/* image.c - looks at an executable before it is started.  As tracer/program.c does, but for one answer, and in the program: without
 * opening anything but a regular file, which might wait or wake somebody.  */
#include "image.h"

#include <alloca.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "executable.h"
#include "sys.h"

enum { SCRIPTS_MAX = 5 };       /* that run each other (execve(2)) */

static bool is_glibc(const char *loader)
{
	return !strncmp(loader, "ld-linux", 8) || !strncmp(loader, "ld-lsb", 6);
}

/* A static program has no loader; a loader that is run as a program, none but itself.  */
static bool elf_loads_us(int fd, const Elf64_Ehdr *header, const char *path)
{
	Elf64_Phdr p;
	char loader[64];

	if (!elf_is_for_us(header))
		return false;
	if (!elf_find_header(fd, header, PT_INTERP, 0, &p))
		return strncmp(elf_last_part(path), "ld-musl", 7) != 0;
	return !elf_read_loader(fd, &p, loader, sizeof loader) || is_glibc(elf_last_part(loader));
}

/* Reads the first bytes of a regular file; false where it is none, or cannot be read.  */
static bool read_start(const char *path, int *fd, char start[ELF_START_SIZE])
{
	struct stat st;

	if (sys(SYS_newfstatat, AT_FDCWD, path, &st, 0) < 0 || !S_ISREG(st.st_mode))
		return false;
	*fd = (int)sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0)
		return false;
	memset(start, 0, ELF_START_SIZE);
	sys(SYS_pread64, *fd, start, ELF_START_SIZE - 1, 0);
	return true;
}

bool image_loads_us(const char *path)
{
	char starts[2][ELF_START_SIZE]; /* path may lie in the other one */

	for (int depth = 0; depth <= SCRIPTS_MAX; depth++) {
		char *start = starts[depth % 2];
		bool is_elf, loads = true;
		int fd;

		if (!read_start(path, &fd, start))
			return true;
		is_elf = !memcmp(start, ELFMAG, SELFMAG);
		if (is_elf) {
			Elf64_Ehdr header;

			memcpy(&header, start, sizeof header);
			loads = elf_loads_us(fd, &header, path);
		}
		sys(SYS_close, fd);
		if (is_elf)
			return loads;
		path = elf_interpreter_of(start);
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
