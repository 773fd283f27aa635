/* top.h - `eagain top`: a recording that is going on, looked at again and again.  */
#ifndef EAGAIN_TOP_H
#define EAGAIN_TOP_H


#include "rows.h"

/* Until the recording ends, or for `count` looks (0: no matter how many).  Dies with one line where dir is no trace.  */
void top(const char *dir, enum rows_by by, uint64_t delay_ns, uint32_t count);

#endif
