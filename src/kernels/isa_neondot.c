/* isa_neondot.c - products in 8 bits with SDOT (Armv8.2's dot product): 4 columns a vector, four
 * numbers of each at a time. Both sides are signed: rows hold q - 128.
 *
 * A tile is up to 4 rows by 16 columns; a vector of a row has the numbers of four steps. */
#include "kernels/int8.h"
#include "kernels/tables.h"

#include <arm_neon.h>
#include <assert.h>

enum { ROWS = 4, STEP = 16, PANEL = 16, OFFSET = 128 };

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
    return hst_int8_pack(w, STEP, PANEL, PANEL, OFFSET);
}

/* Four numbers that saturate to q - 128; NaN becomes the least one. */
static inline int32x4_t four(const float *x, float per_unit, int zero)
{
    const float32x4_t t = vmaxnmq_f32(vmulq_n_f32(vld1q_f32(x), per_unit), vdupq_n_f32(-512));
    return vaddq_s32(vcvtnq_s32_f32(vminq_f32(t, vdupq_n_f32(512))), vdupq_n_s32(zero - OFFSET));
}

static void convert(const hst_low_rows *c)
{
    const size_t n = (size_t)c->k, filled = hst_round_up(n, STEP);
    const float per_unit = 1 / c->quanta.scale;
    const int zero = c->quanta.zero;
    for (size_t r = 0; r < c->rows; r++) {
        const float *x = c->x + r * c->ldx;
        int8_t *y = (int8_t *)c->out + r * c->ld_out;
        size_t i = 0;
        for (; i + 8 <= n; i += 8)
            vst1_s8(y + i, vqmovn_s16(vcombine_s16(vqmovn_s32(four(x + i, per_unit, zero)),
                                                   vqmovn_s32(four(x + i + 4, per_unit, zero)))));
        for (; i < n; i++)
            y[i] = (int8_t)(hst_int8_of(x[i], per_unit, zero) - OFFSET);
        memset(y + n, 0, filled - n);
    }
}

typedef int32x4_t sums;
typedef int32_t sum_number;
typedef int8x16_t bytes;
#define T_BEGIN(p)           vld1q_s32(p)
#define T_SUMS(p, s)         vst1q_s32(p, s)
#define T_LOAD(p)            vld1q_s8((const int8_t *)(p))
#define T_DOT(s, w, x, lane) vdotq_laneq_s32(s, w, x, lane)
#include "kernels/neon_tile_body.h"

static void multiply(const hst_low_gemm *g)
{
    int32_t sum[ROWS][PANEL];
    assert(g->ldx >= row_bytes(g->k) && g->ldy >= (size_t)g->n && g->clamp >= 0);
    for (int c = 0; c < g->n; c += PANEL) {
        const int columns = g->n - c < PANEL ? g->n - c : PANEL;
        const char *panel = (const char *)g->w + (size_t)c * column_bytes(g->k);
        const float *scale = (const float *)(const void *)(panel + 4 * PANEL);
        for (size_t at = 0; at < g->rows; at += ROWS) {
            const size_t rows = g->rows - at < ROWS ? g->rows - at : ROWS;
            tile(g, (const char *)g->x + at * g->ldx, panel + 8 * PANEL,
                 (const int32_t *)(const void *)panel, sum[0], rows);
            for (size_t r = 0; r < rows; r++)
                hst_int8_finish(sum[r], scale, g, at + r, c, columns);
        }
    }
}

const hst_products hst_products_neondot = {.name = "neondot",
                                           .precision = HST_PRECISION_INT8,
                                           .is_fast = 1,
                                           .panel = PANEL,
                                           .number_bytes = 1,
                                           .row_bytes = row_bytes,
                                           .column_bytes = column_bytes,
                                           .packed_bytes = packed_bytes,
                                           .pack = pack,
                                           .convert = convert,
                                           .multiply = multiply};
