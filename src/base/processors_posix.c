/* Processors online, for systems without an affinity mask. */
#include "base/executor.h"

#include <unistd.h>

int hst_processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}
