/* arm_bf16_linux.c - what Linux says of the processor. */
#include "kernels/tables.h"

#include <sys/auxv.h>

int hst_arm_has_bf16(void)
{
    const unsigned long hwcap2_bf16 = 1 << 14; /* asm/hwcap.h */
    return (getauxval(AT_HWCAP2) & hwcap2_bf16) != 0;
}

int hst_arm_has_dot(void)
{
    const unsigned long hwcap_asimddp = 1 << 20;
    return (getauxval(AT_HWCAP) & hwcap_asimddp) != 0;
}
