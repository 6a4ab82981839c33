#include "base/executor.h"

void hst_pause(void)
{
    __builtin_ia32_pause();
}
