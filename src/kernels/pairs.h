/* pairs.h - weights in bf16 as the instructions that multiply pairs want them: panels
 * [pairs][columns][2], and the bias behind. Rows are bf16 numbers one behind the other. */
#ifndef HST_KERNELS_PAIRS_H
#define HST_KERNELS_PAIRS_H
#include "base/mem.h"
#include "kernels/bf16.h"
#include "kernels/products.h"

#include <math.h>

/* The panels and the bias at w->out; rows are a multiple of `step` numbers, with zeros behind. As
 * hst_products.pack. */
static inline const float *hst_pairs_pack(const hst_low_weights *w, size_t step, size_t panel)
{
    const size_t n = (size_t)w->n, k = (size_t)w->k, end = hst_round_up(n, panel);
    uint16_t *out = w->out;
    int finite = 1;
    for (size_t at = 0; at < end; at += panel)
        for (size_t pair = 0; pair < hst_round_up(k, step); pair += 2)
            for (size_t i = 0; i < 2 * panel; i++) {
                const size_t c = at + i / 2, row = pair + i % 2;
                const int is_there = c < n && row < k;
                const uint16_t v =
                    is_there ? hst_bf16_of((float)(w->w[row * n + c] * w->scale[c])) : 0;
                finite &= (v & 0x7f80) != 0x7f80;
                *out++ = v;
            }
    float *bias = (float *)(void *)out;
    for (size_t c = 0; c < end; c++) {
        bias[c] = c < n ? (float)w->shift[c] : 0;
        finite &= isfinite(bias[c]) != 0;
    }
    return finite ? bias : NULL;
}

/* As hst_products.pack_matrix. */
static inline void hst_pairs_matrix(const hst_low_matrix *m, size_t step, size_t panel)
{
    const size_t n = (size_t)m->n, k = (size_t)m->k;
    const size_t to_row = m->transposed ? 1 : m->ld, to_column = m->transposed ? m->ld : 1;
    char *out = m->out;
    for (size_t at = 0; at < n; at += panel, out += m->panel_bytes) {
        uint16_t *to = (uint16_t *)(void *)out;
        for (size_t pair = 0; pair < hst_round_up(k, step); pair += 2)
            for (size_t i = 0; i < 2 * panel; i++) {
                const size_t c = at + i / 2, row = pair + i % 2;
                const float *w = m->w + row * to_row + c * to_column;
                *to++ = c < n && row < k ? hst_bf16_of(*w) : 0;
            }
    }
}

/* As hst_products.convert_columns; rows of `step` numbers. */
static inline void hst_pairs_columns(const hst_low_rows *r, size_t step)
{
    for (size_t c = 0; c < (size_t)r->k; c++) {
        uint16_t *y = (uint16_t *)(void *)((char *)r->out + c * r->ld_out);
        for (size_t i = 0; i < hst_round_up(r->rows, step); i++)
            y[i] = i < r->rows ? hst_bf16_of(r->x[i * r->ldx + c]) : 0;
    }
}
#endif
