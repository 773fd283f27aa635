/* livelog.c - stands in until there is a formatter.  */
#include "livelog.h"
void livelog_start(void)
{
}
void livelog_event(const struct trace_record *event)
{
	(void)event;
}
