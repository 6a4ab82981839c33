/* present_arm64.c - AArch64: Advanced SIMD is part of the base architecture. */
#include "kernels/tables.h"

static int always(void)
{
    return 1;
}

static int bf16(void)
{
    return hst_arm_has_dot() && hst_arm_has_bf16();
}

const hst_kernels_choice hst_kernels_present[] = {{&hst_kernels_portable, always},
                                                  {&hst_kernels_neon, always},
                                                  {&hst_kernels_neondot, hst_arm_has_dot},
                                                  {&hst_kernels_neonbf16, bf16},
                                                  {NULL, NULL}};
