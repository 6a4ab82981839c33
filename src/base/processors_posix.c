/* Processors online, for systems without an affinity mask. */
#include "base/executor.h"

#include <string.h>
#include <unistd.h>

int hst_processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

void hst_processor_mask(uint8_t mask[HST_PROCESSOR_BYTES])
{
    memset(mask, 0, HST_PROCESSOR_BYTES);
    for (int i = 0; i < hst_processors() && i < HST_PROCESSOR_BYTES * 8; i++)
        mask[i / 8] |= (uint8_t)(1u << i % 8);
}
