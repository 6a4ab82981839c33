/* isa_neonbf16.c - products in bf16 with Arm's BFDOT: 4 columns a vector, two numbers of each at a
 * time. A tile is up to 4 rows by 16 columns; a vector of a row's numbers holds 4 pairs, each of
 * which is a lane that multiplies the weights. Rows of numbers are padded to 8.
 *
 * BFDOT adds the two products to each other first, and rounds in its own way (Arm Architecture
 * Reference Manual, "BFloat16 dot product"): the bits are not those of x86. */
#include "kernels/pairs.h"
#include "kernels/tables.h"

#include <arm_neon.h>
#include <assert.h>

enum { ROWS = 4, PANEL = 16, STEP = 8 };

static size_t row_bytes(int k)
{
    return hst_round_up((size_t)k, STEP) * sizeof(uint16_t);
}

static size_t packed_bytes(int k, int n)
{
    return hst_round_up((size_t)n, PANEL) * (row_bytes(k) + sizeof(float));
}

static const float *pack(const hst_low_weights *w)
{
    return hst_pairs_pack(w, STEP, PANEL);
}

static void convert(const hst_low_rows *c)
{
    const size_t n = (size_t)c->k, filled = hst_round_up(n, STEP);
    const float *x = c->x;
    for (size_t r = 0; r < c->rows; r++, x += c->ldx) {
        uint16_t *y = (uint16_t *)(void *)((char *)c->out + r * c->ld_out);
        for (size_t i = 0; i < n; i++)
            y[i] = hst_bf16_of(x[i]);
        for (size_t i = n; i < filled; i++)
            y[i] = 0;
    }
}

static void convert_columns(const hst_low_rows *r)
{
    hst_pairs_columns(r, STEP);
}

static void pack_matrix(const hst_low_matrix *m)
{
    hst_pairs_matrix(m, STEP, PANEL);
}

typedef float32x4_t sums;
typedef float sum_number;
typedef bfloat16x8_t bytes;
#define T_BEGIN(p)           vld1q_f32(p)
#define T_SUMS(p, s)         vst1q_f32(p, s)
#define T_LOAD(p)            vreinterpretq_bf16_u16(vld1q_u16((const uint16_t *)(const void *)(p)))
#define T_DOT(s, w, x, lane) vbfdotq_laneq_f32(s, w, x, lane)
#include "kernels/neon_tile_body.h"

/* The clamp lets NaN through. */
static void finish(const float *sum, const float *residual, float clamp, float *y, int n)
{
    for (int c = 0; c < n; c++) {
        float v = sum[c] + (residual ? residual[c] : 0);
        if (clamp > 0)
            v = v < 0 ? 0 : v > clamp ? clamp : v;
        y[c] = v;
    }
}

static void multiply(const hst_low_gemm *g)
{
    float sum[ROWS][PANEL];
    assert(g->ldx >= row_bytes(g->k) && g->ldy >= (size_t)g->n && g->clamp >= 0);
    for (int c = 0; c < g->n; c += PANEL) {
        const int columns = g->n - c < PANEL ? g->n - c : PANEL;
        const char *w = (const char *)g->w + (size_t)c * row_bytes(g->k);
        for (size_t at = 0; at < g->rows; at += ROWS) {
            const size_t rows = g->rows - at < ROWS ? g->rows - at : ROWS;
            tile(g, (const char *)g->x + at * g->ldx, w, g->bias + c, sum[0], rows);
            for (size_t r = 0; r < rows; r++)
                finish(sum[r], g->residual ? g->residual + (at + r) * g->ldy + c : NULL, g->clamp,
                       g->y + (at + r) * g->ldy + c, columns);
        }
    }
}

const hst_products hst_products_neonbf16 = {.name = "neonbf16",
                                            .precision = HST_PRECISION_BF16,
                                            .is_fast = 1,
                                            .panel = PANEL,
                                            .row_bytes = row_bytes,
                                            .column_bytes = row_bytes,
                                            .packed_bytes = packed_bytes,
                                            .pack = pack,
                                            .convert = convert,
                                            .multiply = multiply,
                                            .pair_bytes = 4,
                                            .convert_columns = convert_columns,
                                            .pack_matrix = pack_matrix};
