/* executable.h - what an executable says of itself: for the shim, inside a program, and for the command, before it.  Without
 * allocation, also in a vfork child.  */
#ifndef EAGAIN_EXECUTABLE_H
#define EAGAIN_EXECUTABLE_H

#include <elf.h>

#include "shim.h"

enum { ELF_START_SIZE = 256 };  /* as much of a script as the kernel looks at, and a NUL */

/* True where all of it was read.  */
bool elf_read_at(int fd, void *to, size_t size, uint64_t offset);

/* Whether it is 64-bit, and for this processor.  */
bool elf_is_for_us(const Elf64_Ehdr *header);

/* The first program header of this type that holds `address`, if that is not 0.  */
bool elf_find_header(int fd, const Elf64_Ehdr *header, uint32_t type, uint64_t address, Elf64_Phdr *p);

/* The name of the loader that a PT_INTERP header asks for, or as much of its end as fits.  False where it cannot be read.  */
bool elf_read_loader(int fd, const Elf64_Phdr *interp, char *name, size_t size);

/* What follows the last slash.  */
const char *elf_last_part(const char *path);

/* What runs a file that is no ELF file and starts so: the interpreter that it names, or the shell, to which execvp(3) gives what
 * the kernel does not know.  Writes a NUL behind the name.  */
const char *elf_interpreter_of(char start[ELF_START_SIZE]);

#endif
