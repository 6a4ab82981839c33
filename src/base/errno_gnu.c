/* strerror_r of the GNU C library returns the text and may leave the buffer alone. */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

void hst_errno_text(int e, char *out, size_t cap)
{
    char own[128];
    snprintf(out, cap, "%s", strerror_r(e, own, sizeof own));
}
