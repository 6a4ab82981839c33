#include "base/crew.h"

void hst_pause(void)
{
    __builtin_ia32_pause();
}
