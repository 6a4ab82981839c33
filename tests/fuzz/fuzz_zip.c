#include "fuzz.h"

#include "zip.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    zip z;
    hst_err err = {0};
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy)
        __builtin_trap();
    if (n)
        memcpy(copy, bytes, n);
    hst_source_file file = {.name = "fuzz", .fd = -1, .n_bytes = n, .data = copy};
    int rc = zip_open(&z, &file, 4, &err);
    rc = rc ? rc : zip_load(&z, &err);
    if (rc && rc != HST_EMODEL)
        __builtin_trap();
    zip_free(&z);
    free(copy);
    return 0;
}
