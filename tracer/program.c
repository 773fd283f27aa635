/* program.c - looks at an executable before it is started.  The loader ignores LD_PRELOAD where it does not trust or does not
 * exist (ld.so(8), secure-execution mode; static programs), and a person should hear that before, not wonder after.  */
#include "program.h"

#include <elf.h>
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

/* Writes where execvp would find it; false with errno.  */
static bool find(const char *name, char path[PATH_MAX])
{
	const char *dirs = getenv("PATH");
	int error = ENOENT;

	if (strchr(name, '/')) {
		if (strlen(name) >= PATH_MAX)
			return false;
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

static void check_elf(const char *name, int fd, const Elf64_Ehdr *header, ssize_t size)
{
	Elf64_Phdr p;
	Elf64_Ehdr self;
	int own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	bool known = own >= 0 && read(own, &self, sizeof self) == sizeof self;

	if (own >= 0)
		close(own);
	if (size < (ssize_t)sizeof *header || (known && (header->e_machine != self.e_machine || header->e_ident[EI_CLASS] != self.e_ident[EI_CLASS])))
		die(STATUS_NOT_EXECUTABLE, "%s: built for another processor: it needs a libeagain.so of its own kind", name);
	for (int i = 0; i < header->e_phnum; i++)
		if (pread(fd, &p, sizeof p, (off_t)(header->e_phoff + (Elf64_Off)i * header->e_phentsize)) == sizeof p &&
		    p.p_type == PT_INTERP)
			return;
	die(STATUS_NOT_EXECUTABLE, "%s: statically linked: nothing can be preloaded into it; use a dynamically linked build", name);
}

/* Looks at `path`, and, for a script, at its interpreter.  `depth` bounds scripts run by scripts (execve(2)).  */
static void check_file(const char *name, const char *path, int depth)
{
	char start[256] = "", *interpreter;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0) {     /* executable but not readable: the kernel will tell */
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
	} else if (n > 2 && start[0] == '#' && start[1] == '!' && depth < 4) {
		interpreter = start + 2 + strspn(start + 2, " \t");
		interpreter[strcspn(interpreter, " \t\n")] = 0;
		check_file(name, interpreter, depth + 1);
	}
	close(fd);
}

void program_check(const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	if (!find(name, path)) {
		if (errno == ENOENT || errno == ENOTDIR)
			die(STATUS_NOT_FOUND, "%s: not found", name);
		die(STATUS_NOT_EXECUTABLE, "%s: cannot be executed: %s", name, strerror(errno));
	}
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		die(STATUS_NOT_EXECUTABLE, "%s: is a directory", name);
	check_file(name, path, 0);
}
