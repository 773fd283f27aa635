/* executable.c - reads ELF headers and the first line of scripts.  What follows from them, image.c and the command know.  */
#include "executable.h"

#include <string.h>

#include "sys.h"

#ifdef __x86_64__
enum { OWN_MACHINE = EM_X86_64 };
#else
enum { OWN_MACHINE = EM_AARCH64 };
#endif

enum { SOME_HEADERS = 16 };     /* read at once: most files have no more */

bool elf_read_at(int fd, void *to, size_t size, uint64_t offset)
{
	return sys(SYS_pread64, fd, to, size, offset) == (long)size;
}

bool elf_is_for_us(const Elf64_Ehdr *header)
{
	return header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_machine == OWN_MACHINE;
}

/* The kernel takes no other size of entries (execve(2), ENOEXEC).  */
bool elf_find_header(int fd, const Elf64_Ehdr *header, uint32_t type, uint64_t address, Elf64_Phdr *p)
{
	Elf64_Phdr some[SOME_HEADERS];

	for (unsigned i = 0; i < header->e_phnum && header->e_phentsize == sizeof *p; i++) {
		unsigned at = i % SOME_HEADERS, left = header->e_phnum - i;

		if (at == 0 &&
		    !elf_read_at(fd, some, (left < SOME_HEADERS ? left : SOME_HEADERS) * sizeof *p, header->e_phoff + i * sizeof *p))
			return false;
		*p = some[at];
		if (p->p_type == type && (!address || address - p->p_vaddr < p->p_filesz))
			return true;
	}
	return false;
}

bool elf_read_loader(int fd, const Elf64_Phdr *interp, char *name, size_t size)
{
	size_t n = interp->p_filesz < size ? interp->p_filesz : size - 1;

	name[n] = 0;
	return elf_read_at(fd, name, n, interp->p_offset + interp->p_filesz - n);
}

const char *elf_last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

const char *elf_interpreter_of(char start[ELF_START_SIZE])
{
	char *name = start + 2 + strspn(start + 2, " \t"), *end = name + strcspn(name, " \t\n");

	if (start[0] != '#' || start[1] != '!' || end == name || end == start + ELF_START_SIZE - 1)
		return "/bin/sh";
	*end = 0;
	return name;
}
