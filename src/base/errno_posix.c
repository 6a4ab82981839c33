/* strerror_r of POSIX fills the buffer. */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

void hst_errno_text(int e, char *out, size_t cap)
{
    if (strerror_r(e, out, cap) != 0)
        snprintf(out, cap, "error %d", e);
}
