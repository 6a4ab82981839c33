/* int8_avx512.h - rows to 8 bits, for the instruction sets that have AVX-512. */
#ifndef HST_KERNELS_INT8_AVX512_H
#define HST_KERNELS_INT8_AVX512_H
#include "kernels/columns_avx512.h"
#include "kernels/int8.h"

#include <immintrin.h>

/* 32-bit numbers that saturate to q: what is too large is cut here, since it has no whole number;
 * NaN and what is too small become the least one. */
static inline __m512i hst_int8_sixteen(__m512 x, __m512 per_unit, __m512 most, __m512i zero)
{
    const __m512 t = _mm512_min_ps(most, _mm512_mul_ps(x, per_unit));
    return _mm512_add_epi32(_mm512_cvtps_epi32(t), zero);
}

static inline void hst_int8_convert_avx512(const hst_low_rows *c, int step)
{
    const int n = c->k, whole = n / 64 * 64, filled = (int)hst_round_up((size_t)n, (size_t)step);
    const __m512 per_unit = _mm512_set1_ps(1 / c->quanta.scale);
    const __m512 most = _mm512_set1_ps((float)(HST_INT8_TOP - c->quanta.zero));
    const __m512i zero = _mm512_set1_epi32(c->quanta.zero), none = _mm512_setzero_si512();
    /* Packing leaves the quarters of 16 numbers each in every lane. */
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
#define SIXTEEN(at) hst_int8_sixteen(_mm512_loadu_ps(x + (at)), per_unit, most, zero)
    for (size_t r = 0; r < c->rows; r++) {
        const float *x = c->x + r * c->ldx;
        char *y = (char *)c->out + r * c->ld_out;
        for (int i = 0; i < whole; i += 64) {
            const __m512i low = _mm512_packs_epi32(SIXTEEN(i), SIXTEEN(i + 16));
            const __m512i high = _mm512_packs_epi32(SIXTEEN(i + 32), SIXTEEN(i + 48));
            _mm512_storeu_si512(y + i,
                                _mm512_permutexvar_epi32(order, _mm512_packus_epi16(low, high)));
        }
        for (int i = whole; i < filled; i += 16) {
            const __m512i q = hst_int8_sixteen(
                _mm512_maskz_loadu_ps(hst_first_columns(n - i), x + i), per_unit, most, zero);
            const __m512i there = _mm512_maskz_max_epi32(hst_first_columns(n - i), q, none);
            _mm512_mask_cvtusepi32_storeu_epi8(y + i, hst_first_columns(filled - i), there);
        }
    }
#undef SIXTEEN
}
#endif
