/* Processors this process may use, asked of Linux: the affinity mask knows about taskset and
 * cpusets. */
#include "base/executor.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

int hst_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

void hst_processor_mask(uint8_t mask[HST_PROCESSOR_BYTES])
{
    cpu_set_t set;
    memset(mask, 0, HST_PROCESSOR_BYTES);
    if (sched_getaffinity(0, sizeof set, &set))
        CPU_ZERO(&set);
    for (int i = 0; i < HST_PROCESSOR_BYTES * 8; i++)
        if (CPU_ISSET(i, &set))
            mask[i / 8] |= (uint8_t)(1u << i % 8);
}
