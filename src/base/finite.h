/* finite.h - whether numbers are numbers. */
#ifndef HST_BASE_FINITE_H
#define HST_BASE_FINITE_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* None of x[n] is NaN or infinite: their exponents are all ones. Without a branch, so that the
 * compiler makes vectors of it. */
static inline int hst_all_finite(const float *x, size_t n)
{
    const int32_t exponent = 0x7f800000;
    int32_t most = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= exponent;
        most = bits > most ? bits : most;
    }
    return most < exponent;
}
#endif
