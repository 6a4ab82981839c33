#include "fuzz.h"

#include "pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    pickle p;
    size_t used;
    hst_err err = {0};
    int rc = pickle_load(&p, bytes, n, &used, &err);
    if (rc == 0 && used > n)
        __builtin_trap();
    pickle_free(&p);
    return 0;
}
