/* isa_int8.c - products in 8 bits for any processor. */
#include "kernels/int8.h"
#include "kernels/tables.h"

#include <assert.h>

enum { STEP = 4, PANEL = 16 };

static size_t row_bytes(int k)
{
    return hst_round_up((size_t)k, STEP);
}

static size_t column_bytes(int k)
{
    return hst_int8_column(k, STEP);
}

static size_t packed_bytes(int k, int n)
{
    return hst_int8_packed(k, n, STEP, PANEL);
}

static const float *pack(const hst_low_weights *w)
{
    return hst_int8_pack(w, STEP, PANEL, PANEL, 0);
}

static void convert(const hst_low_rows *r)
{
    hst_int8_convert(r, STEP, 0);
}

/* The sums of a row and a panel. They may leave the range on their way, and come back. */
static void add_up(const uint8_t *x, const char *panel, size_t bytes, int32_t *sum)
{
    const int8_t *w = (const int8_t *)panel + 8 * PANEL;
    uint32_t s[PANEL];
    memcpy(s, panel, sizeof s);
    for (size_t k = 0; k < bytes; k += STEP, w += STEP * PANEL)
        for (int c = 0; c < PANEL; c++)
            s[c] += (uint32_t)(x[k] * w[4 * c] + x[k + 1] * w[4 * c + 1] + x[k + 2] * w[4 * c + 2] +
                               x[k + 3] * w[4 * c + 3]);
    memcpy(sum, s, sizeof s);
}

static void multiply(const hst_low_gemm *g)
{
    int32_t sum[PANEL];
    float scale[PANEL];
    assert(g->ldx >= row_bytes(g->k) && g->ldy >= (size_t)g->n && g->clamp >= 0);
    for (int c = 0; c < g->n; c += PANEL) {
        const int n = g->n - c < PANEL ? g->n - c : PANEL;
        const char *panel = (const char *)g->w + (size_t)c * column_bytes(g->k);
        memcpy(scale, panel + sizeof sum, sizeof scale);
        for (size_t r = 0; r < g->rows; r++) {
            add_up((const uint8_t *)g->x + r * g->ldx, panel, row_bytes(g->k), sum);
            hst_int8_finish(sum, scale, g, r, c, n);
        }
    }
}

const hst_products hst_products_int8_plain = {.name = "portable",
                                              .precision = HST_PRECISION_INT8,
                                              .panel = PANEL,
                                              .number_bytes = 1,
                                              .row_bytes = row_bytes,
                                              .column_bytes = column_bytes,
                                              .packed_bytes = packed_bytes,
                                              .pack = pack,
                                              .convert = convert,
                                              .multiply = multiply};
