/* rounded_body.h - products in bf16 on instruction sets without such: numbers are rounded to bf16
 * and stay in float32, and the product is that of gemm_body.h, behind which this is included by
 * isa_<isa>.c. The products of two such numbers are exact, so it makes no difference whether a
 * multiply-add rounds once or twice.
 *
 * The numbers of a pair change places, in rows and in weights, as bf16's sums begin with the second
 * (products.h). Where k is odd, a zero is the last pair's second. */
#include "kernels/bf16.h"

#include <math.h>

static size_t rounded_pairs(int k)
{
    return ((size_t)k + 1) / 2;
}

static size_t rounded_row_bytes(int k)
{
    return 2 * rounded_pairs(k) * sizeof(float);
}

static size_t rounded_columns(int n)
{
    return ((size_t)n + 2 * V_N - 1) / (2 * V_N) * (2 * V_N);
}

static size_t rounded_packed_bytes(int k, int n)
{
    return rounded_columns(n) * (rounded_row_bytes(k) + sizeof(float));
}

static const float *rounded_pack(const hst_low_weights *w)
{
    const size_t panel = 2 * V_N, n = (size_t)w->n, end = rounded_columns(w->n);
    const size_t k = (size_t)w->k, rows = 2 * rounded_pairs(w->k);
    float *out = w->out;
    int finite = 1;
    for (size_t at = 0; at < end; at += panel)
        for (size_t r = 0; r < rows; r++)
            for (size_t c = at; c < at + panel; c++) {
                const size_t row = r ^ 1;
                const int is_there = c < n && row < k;
                *out = is_there ? hst_bf16_rounded((float)(w->w[row * n + c] * w->scale[c])) : 0;
                finite &= isfinite(*out++) != 0;
            }
    for (size_t c = 0; c < end; c++) {
        out[c] = c < n ? (float)w->shift[c] : 0;
        finite &= isfinite(out[c]) != 0;
    }
    return finite ? out : NULL;
}

static void rounded_convert(const hst_low_rows *c)
{
    const size_t n = (size_t)c->k;
    const float *x = c->x;
    float *y = c->out;
    for (size_t r = 0; r < c->rows; r++, x += c->ldx, y += c->ld_out / sizeof *y) {
        for (size_t i = 0; i < n / 2; i++) {
            const float first = x[2 * i], second = x[2 * i + 1];
            y[2 * i] = hst_bf16_rounded(second);
            y[2 * i + 1] = hst_bf16_rounded(first);
        }
        if (n % 2) {
            y[n - 1] = 0;
            y[n] = hst_bf16_rounded(x[n - 1]);
        }
    }
}

static void rounded_multiply(const hst_low_gemm *p)
{
    gemm(&(hst_gemm){.x = p->x,
                     .ldx = p->ldx / sizeof(float),
                     .w = p->w,
                     .bias = p->bias,
                     .y = p->y,
                     .ldy = p->ldy,
                     .residual = p->residual,
                     .rows = p->rows,
                     .k = (int)(2 * rounded_pairs(p->k)),
                     .n = p->n,
                     .clamp = p->clamp});
}

/* Numbers of a pair change places, as above. */
static void rounded_columns_as_rows(const hst_low_rows *c)
{
    const size_t end = 2 * rounded_pairs((int)c->rows), ld = c->ld_out / sizeof(float);
    for (size_t i = 0; i < end; i++) {
        const float *x = c->x + (i ^ 1) * c->ldx;
        float *y = (float *)c->out + i;
        for (size_t k = 0; k < (size_t)c->k; k++)
            y[k * ld] = (i ^ 1) < c->rows ? hst_bf16_rounded(x[k]) : 0;
    }
}

static void rounded_matrix(const hst_low_matrix *m)
{
    const size_t panel = 2 * V_N, n = (size_t)m->n, k = (size_t)m->k;
    const size_t to_row = m->transposed ? 1 : m->ld, to_column = m->transposed ? m->ld : 1;
    char *out = m->out;
    for (size_t at = 0; at < n; at += panel, out += m->panel_bytes) {
        float *to = (float *)(void *)out;
        for (size_t r = 0; r < 2 * rounded_pairs(m->k); r++)
            for (size_t c = at; c < at + panel; c++) {
                const float *w = m->w + (r ^ 1) * to_row + c * to_column;
                *to++ = c < n && (r ^ 1) < k ? hst_bf16_rounded(*w) : 0;
            }
    }
}

static const hst_products rounded_bf16 = {.name = V_NAME,
                                          .precision = HST_PRECISION_BF16,
                                          .winograd = 1,
                                          .panel = 2 * V_N,
                                          .row_bytes = rounded_row_bytes,
                                          .column_bytes = rounded_row_bytes,
                                          .packed_bytes = rounded_packed_bytes,
                                          .pack = rounded_pack,
                                          .convert = rounded_convert,
                                          .multiply = rounded_multiply,
                                          .pair_bytes = 2 * sizeof(float),
                                          .convert_columns = rounded_columns_as_rows,
                                          .pack_matrix = rounded_matrix};
