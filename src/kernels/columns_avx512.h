/* columns_avx512.h - which columns of a vector exist. */
#ifndef HST_KERNELS_COLUMNS_AVX512_H
#define HST_KERNELS_COLUMNS_AVX512_H
#include <immintrin.h>

/* The first n of 16. */
static inline __mmask16 hst_first_columns(int n)
{
    return (__mmask16)(n >= 16 ? 0xffff : n > 0 ? (1 << n) - 1 : 0);
}
#endif
