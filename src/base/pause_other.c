/* Processors without such an instruction. */
#include "base/crew.h"

void hst_pause(void)
{
}
