/* version.c - says that libc is of the version $LIBC_VERSION.  */
#include <gnu/libc-version.h>
#include <stdlib.h>

const char *gnu_get_libc_version(void)
{
	return getenv("LIBC_VERSION");
}
