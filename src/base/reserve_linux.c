#include "base/spill.h"

#include <errno.h>
#include <fcntl.h>

int hst_file_reserve(int fd, size_t n)
{
    errno = posix_fallocate(fd, 0, (off_t)n);
    return errno == 0;
}
