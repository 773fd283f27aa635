/* peak.c - peak PID: the most memory that a process and its descendants have had together, in KiB (PSS: what is shared counts
 * once). Looks ten times a second until it has ended.  */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX = 65536 };

static struct process {
	int pid, parent;
} all[MAX];

static int count;

/* PID (name) state parent: the name may hold anything.  */
static int parent_of(int pid)
{
	char name[64], text[512], *end;
	FILE *f;
	size_t n;

	snprintf(name, sizeof name, "/proc/%d/stat", pid);
	f = fopen(name, "r");
	if (!f)
		return 0;
	n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = '\0';
	end = strrchr(text, ')');
	return end && strlen(end) > 4 ? atoi(end + 4) : 0;
}

static void list_all(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	int pid;

	count = 0;
	while (dir && count < MAX && (e = readdir(dir)))
		if ((pid = atoi(e->d_name)) > 0)
			all[count++] = (struct process){pid, parent_of(pid)};
	if (dir)
		closedir(dir);
}

static long memory_of(int pid)
{
	char name[64], line[256];
	long kib = 0;
	FILE *f;

	snprintf(name, sizeof name, "/proc/%d/smaps_rollup", pid);
	f = fopen(name, "r");
	while (f && fgets(line, sizeof line, f) && sscanf(line, "Pss: %ld", &kib) != 1)
		;
	if (f)
		fclose(f);
	return kib;
}

static long memory_of_tree(int root)
{
	long kib = memory_of(root);

	for (int i = 0; i < count; i++)
		if (all[i].parent == root)
			kib += memory_of_tree(all[i].pid);
	return kib;
}

int main(int argc, char **argv)
{
	int root = argc == 2 ? atoi(argv[1]) : 0;
	long most = 0, kib = 1;

	if (root <= 0) {
		fprintf(stderr, "usage: peak PID\n");
		return 2;
	}
	while (kib > 0) {
		list_all();
		kib = memory_of_tree(root);
		most = kib > most ? kib : most;
		nanosleep(&(struct timespec){0, 100000000}, NULL);
	}
	printf("%ld\n", most);
	return 0;
}
