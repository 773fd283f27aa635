/* audit.c - an auditing library (rtld-audit(7)): it is there before anything else is, and does I/O whenever it is asked.  */
#include <link.h>
#include <unistd.h>

static unsigned asked;

static void talk(void)
{
	int fds[2];
	char c = 'a';

	if (pipe(fds) == 0 && write(fds[1], &c, 1) == 1 && read(fds[0], &c, 1) == 1)
		asked++, close(fds[0]), close(fds[1]);
}

unsigned la_version(unsigned version)
{
	talk();
	return version < LAV_CURRENT ? version : LAV_CURRENT;
}

unsigned la_objopen(struct link_map *map, Lmid_t list, uintptr_t *cookie)
{
	(void)map;
	(void)list;
	(void)cookie;
	talk();
	return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

void la_preinit(uintptr_t *cookie)
{
	(void)cookie;
	talk();
	if (!asked || write(2, "audited\n", 8) != 8)
		_exit(96);
}
