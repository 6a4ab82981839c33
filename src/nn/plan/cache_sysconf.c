/* cache_sysconf.c - the cache size where sysconf knows it (Linux with glibc). */
#include "nn/plan/step.h"

#include <unistd.h>

size_t hst_cache_bytes(void)
{
    const long least = 128 * 1024, most = 8 * 1024 * 1024, usual = 512 * 1024;
    long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
    if (bytes <= 0)
        bytes = usual;
    return (size_t)(bytes < least ? least : bytes > most ? most : bytes);
}
