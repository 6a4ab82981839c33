/* Processors without such an instruction. */
#include "base/executor.h"

void hst_pause(void)
{
}
