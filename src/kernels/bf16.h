/* bf16.h - float32 to bf16, in plain C that compilers make vectors of. */
#ifndef HST_KERNELS_BF16_H
#define HST_KERNELS_BF16_H
#include <stdint.h>
#include <string.h>

/* The bits of x, the lower half zero: rounded to nearest, ties to even; below 2^-126 zero; NaN
 * stays NaN. As VCVTNE2PS2BF16 does it. */
static inline uint32_t hst_bf16_bits(uint32_t x)
{
    const uint32_t size = x & 0x7fffffffu;
    const uint32_t rounded = x + 0x7fffu + (x >> 16 & 1);
    const uint32_t y = size > 0x7f800000u ? x | 0x400000u : rounded;
    return (size < 0x00800000u ? x & 0x80000000u : y) & 0xffff0000u;
}

static inline float hst_bf16_rounded(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    u = hst_bf16_bits(u);
    memcpy(&x, &u, sizeof x);
    return x;
}

static inline uint16_t hst_bf16_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return (uint16_t)(hst_bf16_bits(u) >> 16);
}
#endif
