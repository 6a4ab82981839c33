/* convert_avx512.h - rows to bf16 with VCVTNE2PS2BF16, for the instruction sets that have it. */
#ifndef HST_KERNELS_CONVERT_AVX512_H
#define HST_KERNELS_CONVERT_AVX512_H
#include "kernels/columns_avx512.h"
#include "kernels/products.h"

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

/* As hst_products.convert; rows are made a multiple of `step` (2 or 32) numbers by zeros. */
static inline void hst_convert_avx512(const hst_low_rows *c, int step)
{
    const int whole = c->k / 32 * 32, left = c->k - whole, filled = (left + step - 1) / step * step;
    const float *x = c->x;
    const __mmask16 low = hst_first_columns(left), high = hst_first_columns(left - 16);
    const __mmask32 stored = (__mmask32)(((uint64_t)1 << filled) - 1);
    for (size_t r = 0; r < c->rows; r++, x += c->ldx) {
        uint16_t *y = (uint16_t *)((char *)c->out + r * c->ld_out);
        for (int i = 0; i < whole; i += 32)
            _mm512_storeu_si512(y + i, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + i + 16),
                                                                    _mm512_loadu_ps(x + i)));
        if (left)
            _mm512_mask_storeu_epi16(
                y + whole, stored,
                (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(high, x + whole + 16),
                                             _mm512_maskz_loadu_ps(low, x + whole)));
    }
}
#endif
