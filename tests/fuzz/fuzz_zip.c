#include "fuzz.h"

#include "zip.h"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    zip z;
    hst_err err = {0};
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
        __builtin_trap();
    int rc = zip_open(&z, fd, 4, &err);
    rc = rc ? rc : zip_load(&z, &err);
    if (rc && rc != HST_EMODEL)
        __builtin_trap();
    zip_free(&z);
    close(fd);
    return 0;
}
