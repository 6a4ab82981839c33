/* int8.h - products in 8 bits: packed weights, and what instruction sets without vectors for it do.
 *
 * A panel is  start[panel]  int32, where sums begin
 *             scale[panel]  float32, what a sum is multiplied by
 *             w[k / 4][panel][4]  int8, as the instructions want it that multiply four numbers of a
 *                                 column at a time; zeros behind k
 * and behind all panels is the bias. Of x = sx (q - zero) and w = sw v the sum is
 *
 *   sum x w = sx sw (sum q v - zero sum v)
 *
 * whose second part is where sums begin, and sx sw the scale. 255 x 127 x 65536 is below 2^31. */
#ifndef HST_KERNELS_INT8_H
#define HST_KERNELS_INT8_H
#include "base/mem.h"
#include "kernels/products.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { HST_INT8_TOP = 255, HST_INT8_WEIGHT = 127, HST_INT8_MOST = 65536 };

/* Bytes of a column of a panel, whose rows are a multiple of `step` numbers. */
static inline size_t hst_int8_column(int k, size_t step)
{
    return hst_round_up((size_t)k, step) + sizeof(int32_t) + sizeof(float);
}

static inline size_t hst_int8_packed(int k, int n, size_t step, size_t panel)
{
    if (k > HST_INT8_MOST)
        return 0;
    return hst_round_up((size_t)n, panel) * (hst_int8_column(k, step) + sizeof(float));
}

enum { HST_INT8_WIDEST = 32 }; /* columns of a panel */

/* What the weights of n columns from c on are divided by. */
static inline void hst_int8_factors(const hst_low_weights *w, size_t c, size_t n, double *factor)
{
    for (size_t i = 0; i < n; i++)
        factor[i] = 0;
    for (size_t r = 0; r < (size_t)w->k; r++)
        for (size_t i = 0; i < n; i++) {
            const double size = fabs(w->w[r * (size_t)w->n + c + i] * w->scale[c + i]);
            factor[i] = size > factor[i] ? size : factor[i];
        }
    for (size_t i = 0; i < n; i++)
        factor[i] = factor[i] > 0 ? factor[i] / HST_INT8_WEIGHT : 1;
}

/* Columns from c on into a panel, which is zeros. Returns whether all is finite. */
static inline int hst_int8_pack_panel(const hst_low_weights *w, size_t c, char *panel, size_t width,
                                      int offset)
{
    const size_t behind = c < (size_t)w->n ? (size_t)w->n - c : 0,
                 n = behind < width ? behind : width;
    int8_t *v = (int8_t *)panel + 8 * width;
    double factor[HST_INT8_WIDEST];
    int32_t sum[HST_INT8_WIDEST] = {0};
    int finite = 1;
    hst_int8_factors(w, c, n, factor);
    for (size_t r = 0; r < (size_t)w->k; r++)
        for (size_t i = 0; i < n; i++) {
            const double exact = w->w[r * (size_t)w->n + c + i] * w->scale[c + i] / factor[i];
            const int is_number = isfinite(exact) != 0;
            const int8_t rounded = (int8_t)(is_number ? rint(exact) : 0);
            v[r / 4 * 4 * width + 4 * i + r % 4] = rounded;
            sum[i] += rounded;
            finite &= is_number;
        }
    for (size_t i = 0; i < n; i++) {
        const int32_t start = (offset - w->quanta.zero) * sum[i];
        const float scale = (float)(factor[i] * (double)w->quanta.scale);
        memcpy(panel + 4 * i, &start, sizeof start);
        memcpy(panel + 4 * (width + i), &scale, sizeof scale);
        finite &= isfinite(scale) && isfinite(factor[i]);
    }
    return finite;
}

/* As hst_products.pack, columns filled up to a multiple of `whole`. offset: what is taken from the
 * q of rows, 0 or 128. */
static inline const float *hst_int8_pack(const hst_low_weights *w, size_t step, size_t panel,
                                         size_t whole, int offset)
{
    const size_t n = (size_t)w->n, end = hst_round_up(n, whole);
    const size_t bytes = hst_int8_column(w->k, step);
    char *out = w->out;
    int finite = 1;
    memset(out, 0, end * bytes);
    for (size_t c = 0; c < end; c += panel)
        finite &= hst_int8_pack_panel(w, c, out + c * bytes, panel, offset);
    float *bias = (float *)(void *)(out + end * bytes);
    for (size_t c = 0; c < end; c++) {
        bias[c] = c < n ? (float)w->shift[c] : 0;
        finite &= isfinite(bias[c]) != 0;
    }
    return finite ? bias : NULL;
}

/* To the nearest, ties to even: numbers of this size have no digits behind the point. */
static inline uint8_t hst_int8_of(float x, float per_unit, int zero)
{
    const float least = (float)-zero, most = (float)(HST_INT8_TOP - zero), whole = 0x1.8p23f;
    float t = x * per_unit;
    t = t > least ? t : least; /* NaN too */
    t = (t < most ? t : most) + whole;
    int32_t bits;
    memcpy(&bits, &t, sizeof bits);
    return (uint8_t)(bits - 0x4b400000 + zero);
}

/* As hst_products.convert, to q - offset. */
static inline void hst_int8_convert(const hst_low_rows *c, size_t step, int offset)
{
    const size_t n = (size_t)c->k, filled = hst_round_up(n, step);
    const float per_unit = 1 / c->quanta.scale;
    for (size_t r = 0; r < c->rows; r++) {
        uint8_t *y = (uint8_t *)c->out + r * c->ld_out;
        for (size_t i = 0; i < n; i++)
            y[i] = (uint8_t)(hst_int8_of(c->x[r * c->ldx + i], per_unit, c->quanta.zero) - offset);
        memset(y + n, 0, filled - n);
    }
}

/* What follows the sums of a row. The clamp lets NaN through. */
static inline void hst_int8_finish(const int32_t *sum, const float *scale, const hst_low_gemm *g,
                                   size_t row, int c, int n)
{
    float *y = g->y + row * g->ldy + c;
    const float *residual = g->residual ? g->residual + row * g->ldy + c : NULL;
    for (int i = 0; i < n; i++) {
        float v = (float)sum[i] * scale[i];
        v += g->bias[c + i];
        v += residual ? residual[i] : 0;
        if (g->clamp > 0)
            v = v < 0 ? 0 : v > g->clamp ? g->clamp : v;
        y[i] = v;
    }
}
#endif
