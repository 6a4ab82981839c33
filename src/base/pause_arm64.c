#include "base/executor.h"

void hst_pause(void)
{
    __asm__ volatile("yield");
}
