/* cache_usual.c - a usual cache size, where the system does not tell. */
#include "nn/plan/step.h"

size_t hst_cache_bytes(void)
{
    return 512 * 1024;
}
