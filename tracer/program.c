/* program.c - looks at an executable before it is started.  The loader ignores LD_PRELOAD where it does not trust or does not
 * exist (ld.so(8), secure-execution mode; static programs), and a person should hear that before, not wonder after.  */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "say.h"
#include "shim/executable.h"

/* Writes where execvp would find it; false with errno.  */
static bool find(const char *name, char path[PATH_MAX])
{
	const char *dirs = getenv("PATH");
	int error = ENOENT;

	if (strchr(name, '/')) {
		if (strlen(name) >= PATH_MAX) {
			errno = ENAMETOOLONG;
			return false;
		}
		strcpy(path, name);
		return access(path, X_OK) == 0;
	}
	for (dirs = dirs ? dirs : "/bin:/usr/bin"; *name && dirs; dirs = strchr(dirs, ':') ? strchr(dirs, ':') + 1 : NULL) {
		int n = (int)strcspn(dirs, ":");
		struct stat st;

		if ((size_t)snprintf(path, PATH_MAX, "%.*s%s%s", n, dirs, n ? "/" : "", name) >= PATH_MAX)
			continue;
		if (access(path, X_OK) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode))
			return true;
		if (errno == EACCES)
			error = EACCES;
	}
	errno = error;
	return false;
}

static void check_privileges(const char *name, const char *path, const struct stat *st)
{
	if (((st->st_mode & S_ISUID) && st->st_uid != geteuid()) || ((st->st_mode & S_ISGID) && st->st_gid != getegid()))
		die(STATUS_NOT_EXECUTABLE, "%s: setuid or setgid: the loader ignores LD_PRELOAD for it; run it as its owner, or without eagain",
		    name);
	if (geteuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
		die(STATUS_NOT_EXECUTABLE, "%s: has file capabilities: the loader ignores LD_PRELOAD for it; run it as root, or without eagain",
		    name);
}

/* What it says of its libraries, as far as it fits; how many entries.  */
static size_t read_dynamic(int fd, const Elf64_Ehdr *header, Elf64_Dyn *entries, size_t max)
{
	Elf64_Phdr dynamic;
	size_t n, used = 0;

	if (!elf_find_header(fd, header, PT_DYNAMIC, 0, &dynamic))
		return 0;
	n = dynamic.p_filesz / sizeof *entries < max ? dynamic.p_filesz / sizeof *entries : max;
	if (!elf_read_at(fd, entries, n * sizeof *entries, dynamic.p_offset))
		return 0;
	while (used < n && entries[used].d_tag != DT_NULL)
		used++;
	return used;
}

enum sanitizer { NO_SANITIZER, ASAN, TSAN };

/* The sanitizer whose runtime a library is, gcc's or clang's.  */
static enum sanitizer sanitizer_of(const char *library)
{
	if (strncmp(library, "lib", 3) != 0)
		return NO_SANITIZER;
	library += strncmp(library, "libclang_rt.", 12) ? 3 : 12;
	return !strncmp(library, "asan", 4) ? ASAN : !strncmp(library, "tsan", 4) ? TSAN : NO_SANITIZER;
}

/* Of a library that it needs.  */
static enum sanitizer needs_sanitizer(int fd, const Elf64_Ehdr *header)
{
	Elf64_Dyn entries[512];
	Elf64_Phdr p;
	uint64_t strings = 0;
	size_t n = read_dynamic(fd, header, entries, sizeof entries / sizeof *entries);

	for (size_t i = 0; i < n; i++)
		if (entries[i].d_tag == DT_STRTAB && elf_find_header(fd, header, PT_LOAD, entries[i].d_un.d_ptr, &p))
			strings = entries[i].d_un.d_ptr - p.p_vaddr + p.p_offset;
	for (size_t i = 0; i < n; i++) {
		char name[24] = "";

		if (entries[i].d_tag == DT_NEEDED &&
		    pread(fd, name, sizeof name - 1, (off_t)(strings + entries[i].d_un.d_val)) > 0 && sanitizer_of(name))
			return sanitizer_of(name);
	}
	return NO_SANITIZER;
}

/* The loader that the program asks for is there, and glibc's.  */
static void check_loader(const char *name, int fd, const Elf64_Phdr *p)
{
	char loader[PATH_MAX];

	if (p->p_filesz >= sizeof loader || !elf_read_loader(fd, p, loader, sizeof loader))
		die(STATUS_NOT_EXECUTABLE, "%s: the name of its loader cannot be read: the file is damaged", name);
	if (!strncmp(elf_last_part(loader), "ld-musl", 7))
		die(STATUS_NOT_EXECUTABLE, "%s: built for musl: libeagain.so needs glibc; use a build for glibc", name);
	if (access(loader, F_OK) < 0)
		die(STATUS_NOT_FOUND, "%s: its loader %s: %s", name, loader, strerror(errno));
}

static void check_elf(const char *name, int fd, const Elf64_Ehdr *header, ssize_t size)
{
	Elf64_Phdr p;
	const char *options = getenv("ASAN_OPTIONS"), *preload = getenv("LD_PRELOAD");
	enum sanitizer sanitizer;

	if (header->e_ident[EI_CLASS] == ELFCLASS32)
		die(STATUS_NOT_EXECUTABLE, "%s: a 32-bit program: libeagain.so is 64-bit; use a 64-bit build", name);
	if (size < (ssize_t)sizeof *header || !elf_is_for_us(header))
		die(STATUS_NOT_EXECUTABLE, "%s: built for another processor: it needs a libeagain.so of its own kind", name);
	if (!elf_find_header(fd, header, PT_INTERP, 0, &p))
		die(STATUS_NOT_EXECUTABLE, "%s: statically linked: nothing can be preloaded into it; use a dynamically linked build",
		    name);
	check_loader(name, fd, &p);
	sanitizer = needs_sanitizer(fd, header);
	if (sanitizer == ASAN && !(options && strstr(options, "verify_asan_link_order=0")) &&
	    !(preload && strstr(preload, "asan")))
		say("%s: AddressSanitizer insists on being preloaded first: set ASAN_OPTIONS=verify_asan_link_order=0", name);
	if (sanitizer == TSAN && !(preload && strstr(preload, "tsan")))
		say("%s: ThreadSanitizer must see its I/O before libeagain.so: set LD_PRELOAD=libtsan.so, as gcc -print-file-name names it", name);
}

/* Looks at `path`, and, for a script, at its interpreter.  `depth` bounds scripts run by scripts (execve(2)).  */
static void check_file(const char *name, const char *path, int depth, struct program *program)
{
	char start[ELF_START_SIZE] = "";
	struct stat st;
	int fd;
	ssize_t n;

	if (depth && access(path, X_OK) < 0)
		die(errno == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE, "%s: its interpreter %s: %s", name, path, strerror(errno));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	program->readable = fd >= 0 && fstat(fd, &st) == 0;
	if (!program->readable) {               /* the kernel will tell */
		if (fd >= 0)
			close(fd);
		return;
	}
	check_privileges(name, path, &st);
	n = pread(fd, start, sizeof start - 1, 0);
	if (n >= 4 && !memcmp(start, ELFMAG, SELFMAG)) {
		Elf64_Ehdr header;

		memcpy(&header, start, sizeof header);
		check_elf(name, fd, &header, n);
	} else if (depth < 4) {
		strcpy(program->interpreter, elf_interpreter_of(start));
		check_file(name, program->interpreter, depth + 1, program);
	}
	close(fd);
}

void program_check(const char *name, struct program *p)
{
	struct stat st;

	memset(p, 0, sizeof *p);
	if (!find(name, p->path)) {
		if (errno == ENOENT || errno == ENOTDIR)
			die(STATUS_NOT_FOUND, "%s: not found%s", name, strchr(name, '/') ? "" : " in PATH; see eagain --help");
		die(STATUS_NOT_EXECUTABLE, "%s: cannot be executed: %s", name, strerror(errno));
	}
	if (stat(p->path, &st) == 0 && S_ISDIR(st.st_mode))
		die(STATUS_NOT_EXECUTABLE, "%s: is a directory", name);
	check_file(name, p->path, 0, p);
}
