#include "base/process.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

char *hst_own_file(void)
{
    Dl_info found;
    if (!dladdr((void *)(uintptr_t)hst_own_file, &found) || !found.dli_fname)
        return NULL;
    return realpath(found.dli_fname, NULL);
}
