#include "base/file.h"
#include "base/spill.h"

int hst_file_reserve(int fd, size_t n)
{
    static const char zeros[1 << 16];
    for (size_t left = n; left;) {
        const size_t now = left < sizeof zeros ? left : sizeof zeros;
        if (!hst_write_all(fd, zeros, now))
            return 0;
        left -= now;
    }
    return 1;
}
