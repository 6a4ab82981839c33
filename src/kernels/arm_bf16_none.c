/* arm_bf16_none.c - systems that are not asked. */
#include "kernels/tables.h"

int hst_arm_has_bf16(void)
{
    return 0;
}

int hst_arm_has_dot(void)
{
    return 0;
}
