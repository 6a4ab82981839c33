/* Both layouts of a PyTorch file, told apart as the helper does. */
#include "fuzz.h"

#include "pth.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char digest[65];
    pth p = {0};
    hst_err err = {0};
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
        __builtin_trap();
    int zipped = n >= 2 && memcmp(bytes, "PK", 2) == 0;
    int rc = zipped ? pth_read_zip(&p, fd, &err) : pth_read_legacy(&p, fd, &err);
    if (rc == 0 && hst_tensors_digest(p.t, p.n, NULL, 0, NULL, digest, &err))
        __builtin_trap();
    if (rc && rc != HST_EMODEL)
        __builtin_trap();
    pth_free(&p);
    close(fd);
    return 0;
}
