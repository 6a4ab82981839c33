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

/* Two rows, `first` and `second`, of 16 numbers as 16 pairs. */
static inline __m512i hst_pairs_of_avx512(__m512 first, __m512 second)
{
    static const uint16_t place[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                       21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                       11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return _mm512_permutexvar_epi16(_mm512_loadu_si512(place),
                                    (__m512i)_mm512_cvtne2ps_pbh(second, first));
}

/* Pairs [16][16] transposed: blocks of 1, 2, 4 and 8 change places. */
static inline void hst_transpose_avx512(__m512i r[16])
{
    __m512i t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 2; j++) {
            r[i + 2 * j] = _mm512_unpacklo_epi64(t[i + j], t[i + j + 2]);
            r[i + 2 * j + 1] = _mm512_unpackhi_epi64(t[i + j], t[i + j + 2]);
        }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 8; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    }
}

/* Row `i` of x, of which there are n, columns by the mask; 0 where there is none. */
static inline __m512 hst_row_avx512(const float *x, size_t ld, size_t i, size_t n,
                                    __mmask16 columns)
{
    return i < n ? _mm512_maskz_loadu_ps(columns, x + i * ld) : _mm512_setzero_ps();
}

/* As hst_products.convert_columns; rows are a multiple of `step` (2 or 32) numbers. */
static inline void hst_columns_avx512(const hst_low_rows *r, size_t step)
{
    const size_t pairs = (r->rows + step - 1) / step * (step / 2), k = (size_t)r->k;
    __m512i block[16];
    for (size_t c = 0; c < k; c += 16) {
        const size_t columns = k - c < 16 ? k - c : 16;
        const __mmask16 there = hst_first_columns((int)columns);
        for (size_t p = 0; p < pairs; p += 16) {
            const __mmask16 stored = hst_first_columns((int)(pairs - p < 16 ? pairs - p : 16));
            for (size_t i = 0; i < 16; i++) {
                const size_t row = 2 * (p + i);
                block[i] =
                    hst_pairs_of_avx512(hst_row_avx512(r->x + c, r->ldx, row, r->rows, there),
                                        hst_row_avx512(r->x + c, r->ldx, row + 1, r->rows, there));
            }
            hst_transpose_avx512(block);
            for (size_t i = 0; i < columns; i++)
                _mm512_mask_storeu_epi32((char *)r->out + (c + i) * r->ld_out + 4 * p, stored,
                                         block[i]);
        }
    }
}

/* 16 columns of w from the c-th on into the half of a panel at out; m is not transposed. */
static inline void hst_half_panel_avx512(const hst_low_matrix *m, size_t c, size_t pairs, char *out)
{
    const size_t k = (size_t)m->k;
    const __mmask16 there = hst_first_columns(m->n - (int)c);
    for (size_t p = 0; p < pairs; p++, out += 128)
        _mm512_storeu_si512(
            out, hst_pairs_of_avx512(hst_row_avx512(m->w + c, m->ld, 2 * p, k, there),
                                     hst_row_avx512(m->w + c, m->ld, 2 * p + 1, k, there)));
}

/* The same of w[n][k]: numbers 32 at a time, whose pairs and columns change places. */
static inline void hst_half_panel_across_avx512(const hst_low_matrix *m, size_t c, size_t pairs,
                                                char *out)
{
    const size_t n = (size_t)m->n;
    __m512i block[16];
    for (size_t p = 0; p < pairs; p += 16) {
        const int left = m->k - (int)(2 * p);
        const __mmask16 low = hst_first_columns(left), high = hst_first_columns(left - 16);
        for (size_t i = 0; i < 16; i++) {
            const float *w = m->w + 2 * p;
            block[i] = (__m512i)_mm512_cvtne2ps_pbh(hst_row_avx512(w + 16, m->ld, c + i, n, high),
                                                    hst_row_avx512(w, m->ld, c + i, n, low));
        }
        hst_transpose_avx512(block);
        for (size_t i = 0; i < 16 && p + i < pairs; i++, out += 128)
            _mm512_storeu_si512(out, block[i]);
    }
}

/* As hst_products.pack_matrix: panels of 32 columns. */
static inline void hst_matrix_avx512(const hst_low_matrix *m, size_t step)
{
    const size_t pairs = ((size_t)m->k + step - 1) / step * (step / 2);
    char *out = m->out;
    for (size_t c = 0; c < (size_t)m->n; c += 32, out += m->panel_bytes)
        for (size_t half = 0; half < 2; half++)
            if (m->transposed)
                hst_half_panel_across_avx512(m, c + 16 * half, pairs, out + 64 * half);
            else
                hst_half_panel_avx512(m, c + 16 * half, pairs, out + 64 * half);
}
#endif
