/* libc.c - finds what we need of libc: functions by name, stdio's jump tables by looking for them.
 *
 * libc's own reads and writes for a FILE do not go through the symbol table but through jump tables in its RELRO segment.
 * libc checks where a table lies, not what its slots hold, so the slots can be changed.  They are found by their values,
 * the exported _IO_file_read, _IO_file_write and _IO_file_close: narrow, wide, mmap'ed and popen streams have a table each
 * (seven in glibc 2.36 to 2.43).  */
#include "libc.h"

#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sys.h"

struct libc libc;
bool libc_is_child;
stdio_read_fn *libc_file_read;
stdio_write_fn *libc_file_write;
stdio_close_fn *libc_file_close;

void libc_find(void)
{
#define LIBC(type, name, parameters) *(void **)&libc.name = dlsym(RTLD_NEXT, #name);
	LIBC_FUNCTIONS(LIBC)
#undef LIBC
}

struct relro {
	const void *inside;     /* an address of the library that is looked for */
	uintptr_t start, end;
};

static bool segment_holds(const struct dl_phdr_info *info, const ElfW(Phdr) *p, const void *address)
{
	uintptr_t start = info->dlpi_addr + p->p_vaddr;

	return (uintptr_t)address >= start && (uintptr_t)address - start < p->p_memsz;
}

static int find_relro(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct relro *r = arg;
	bool ours = false;
	const ElfW(Phdr) *relro = NULL;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_LOAD && segment_holds(info, p, r->inside))
			ours = true;
		if (p->p_type == PT_GNU_RELRO)
			relro = p;
	}
	if (!ours || !relro)
		return 0;
	r->start = info->dlpi_addr + relro->p_vaddr;
	r->end = r->start + relro->p_memsz;
	return 1;
}

bool libc_serve_stdio(stdio_read_fn *read_fn, stdio_write_fn *write_fn, stdio_close_fn *close_fn)
{
	struct relro r = {0};
	uintptr_t page = (uintptr_t)getpagesize(), first, last, file_read, file_write, file_close;

	*(void **)&libc_file_read = dlsym(RTLD_NEXT, "_IO_file_read");
	*(void **)&libc_file_write = dlsym(RTLD_NEXT, "_IO_file_write");
	*(void **)&libc_file_close = dlsym(RTLD_NEXT, "_IO_file_close");
	r.inside = (const void *)(uintptr_t)libc_file_read;
	if (!libc_file_read || !libc_file_write || !libc_file_close || !libc.dl_iterate_phdr(find_relro, &r))
		return false;
	first = r.start & ~(page - 1);
	last = r.end & ~(page - 1);     /* the loader protects whole pages only */
	if (first == last || sys(SYS_mprotect, first, last - first, PROT_READ | PROT_WRITE) < 0)
		return false;
	file_read = (uintptr_t)libc_file_read;
	file_write = (uintptr_t)libc_file_write;
	file_close = (uintptr_t)libc_file_close;
	for (uintptr_t *slot = (uintptr_t *)first; (uintptr_t)slot < last; slot++) {
		if (*slot == file_read)
			*slot = (uintptr_t)read_fn;
		else if (*slot == file_write)
			*slot = (uintptr_t)write_fn;
		else if (*slot == file_close)
			*slot = (uintptr_t)close_fn;
	}
	sys(SYS_mprotect, first, last - first, PROT_READ);
	return true;
}
