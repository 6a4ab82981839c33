#include "base/crew.h"

void hst_pause(void)
{
    __asm__ volatile("yield");
}
