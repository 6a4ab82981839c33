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
    return hst_pairs_up((size_t)k, STEP) * sizeof(uint16_t);
}

static size_t packed_bytes(int k, int n)
{
    return hst_pairs_up((size_t)n, PANEL) * (row_bytes(k) + sizeof(float));
}

static const float *pack(const hst_low_weights *w)
{
    return hst_pairs_pack(w, STEP, PANEL);
}

static void convert(const hst_low_rows *c)
{
    const size_t n = (size_t)c->k, filled = hst_pairs_up(n, STEP);
    const float *x = c->x;
    for (size_t r = 0; r < c->rows; r++, x += c->ldx) {
        uint16_t *y = (uint16_t *)(void *)((char *)c->out + r * c->ld_out);
        for (size_t i = 0; i < n; i++)
            y[i] = hst_bf16_of(x[i]);
        for (size_t i = n; i < filled; i++)
            y[i] = 0;
    }
}

static inline bfloat16x8_t numbers(const void *p)
{
    return vreinterpretq_bf16_u16(vld1q_u16(p));
}

#define EACH_ROW(X) X(0) X(1) X(2) X(3)

/* The sums of `rows` rows and a panel, sum[rows][PANEL]. */
static inline __attribute__((always_inline)) void tile_body(const hst_low_gemm *g, const char *x,
                                                            const uint16_t *w, const float *bias,
                                                            float *sum, const int rows)
{
    const float32x4_t b0 = vld1q_f32(bias), b1 = vld1q_f32(bias + 4), b2 = vld1q_f32(bias + 8),
                      b3 = vld1q_f32(bias + 12);
    const size_t bytes = row_bytes(g->k);
#define DECLARE(i) float32x4_t p##i = b0, q##i = b1, r##i = b2, s##i = b3;
    EACH_ROW(DECLARE)
#undef DECLARE
    for (size_t k = 0; k < bytes; k += 2 * STEP) {
#define LOAD(i) const bfloat16x8_t x##i = numbers(x + (rows > i ? i * g->ldx : 0) + k);
        EACH_ROW(LOAD)
#undef LOAD
#define ROW(i, lane)                                                                               \
    if (rows > i) {                                                                                \
        p##i = vbfdotq_laneq_f32(p##i, w0, x##i, lane);                                            \
        q##i = vbfdotq_laneq_f32(q##i, w1, x##i, lane);                                            \
        r##i = vbfdotq_laneq_f32(r##i, w2, x##i, lane);                                            \
        s##i = vbfdotq_laneq_f32(s##i, w3, x##i, lane);                                            \
    }
#define PAIR(lane)                                                                                 \
    {                                                                                              \
        const bfloat16x8_t w0 = numbers(w), w1 = numbers(w + 8), w2 = numbers(w + 16),             \
                           w3 = numbers(w + 24);                                                   \
        ROW(0, lane) ROW(1, lane) ROW(2, lane) ROW(3, lane) w += 2 * PANEL;                        \
    }
        PAIR(0)
        PAIR(1)
        PAIR(2)
        PAIR(3)
#undef PAIR
#undef ROW
    }
#define STORE(i)                                                                                   \
    if (rows > i) {                                                                                \
        vst1q_f32(sum + i * PANEL, p##i);                                                          \
        vst1q_f32(sum + i * PANEL + 4, q##i);                                                      \
        vst1q_f32(sum + i * PANEL + 8, r##i);                                                      \
        vst1q_f32(sum + i * PANEL + 12, s##i);                                                     \
    }
    EACH_ROW(STORE)
#undef STORE
}

static void tile(const hst_low_gemm *g, const char *x, const uint16_t *w, const float *bias,
                 float *sum, size_t rows)
{
    if (rows == 4)
        tile_body(g, x, w, bias, sum, 4);
    else if (rows == 3)
        tile_body(g, x, w, bias, sum, 3);
    else if (rows == 2)
        tile_body(g, x, w, bias, sum, 2);
    else
        tile_body(g, x, w, bias, sum, 1);
}

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
        const uint16_t *w = (const uint16_t *)g->w + (size_t)c * row_bytes(g->k) / sizeof *w;
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
                                            .multiply = multiply};
