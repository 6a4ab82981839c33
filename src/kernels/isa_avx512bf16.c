/* isa_avx512bf16.c - products in bf16 with VDPBF16PS: 16 columns a vector, two numbers of each at a
 * time, twice as many multiplications as in float32.
 *
 * A tile is up to 14 rows by up to 32 columns, as in gemm_body.h; columns come in units of 8, of
 * which a tile has 1 to 4:
 *
 *             w0   w1        w0: 16 columns, or 8; w1: none, 8 or 16
 *      x[0]   a0   b0
 *      ...                   per pair: the weights, and a broadcast and two products a row
 *
 * Accumulators are named, since clang keeps only named ones in registers; `rows` and `units` are
 * constants at every call of the body. */
#include "kernels/convert_avx512.h"
#include "kernels/pairs.h"
#include "kernels/rows.h"
#include "kernels/tables.h"

#include <assert.h>

enum { ROWS = 14, PANEL = 32, UNIT = 8 };

typedef struct tile {
    const char *x; /* rows ldx bytes apart */
    size_t ldx;
    const uint16_t *w; /* the panel */
    const float *bias;
    float *y;
    const float *residual;
    size_t ldy;
    size_t pairs;
    size_t ahead; /* numbers from w to weights to ask for */
    float clamp;
    __mmask16 mask0, mask1; /* columns that exist, of each vector */
} tile;

#define EACH_ROW HST_ROWS_14

static inline __m512i pair_at(const char *p)
{
    int pair;
    memcpy(&pair, p, sizeof pair);
    return _mm512_set1_epi32(pair);
}

/* s + x w for 16 columns, or for the first 8. */
static inline __attribute__((always_inline)) __m512 dot(__m512 s, __m512i x, __m512i w,
                                                        const int half)
{
    if (!half)
        return _mm512_dpbf16_ps(s, (__m512bh)x, (__m512bh)w);
    return _mm512_castps256_ps512(_mm256_dpbf16_ps(_mm512_castps512_ps256(s),
                                                   (__m256bh)_mm512_castsi512_si256(x),
                                                   (__m256bh)_mm512_castsi512_si256(w)));
}

static inline __attribute__((always_inline)) __m512i weights_at(const uint16_t *w, const int half)
{
    return half ? _mm512_castsi256_si512(_mm256_loadu_si256((const void *)w))
                : _mm512_loadu_si512(w);
}

static inline __attribute__((always_inline)) void tile_body(const tile *t, const int rows,
                                                            const int units, const int asks)
{
    enum { LINE = 32 };
    const int half0 = units == 1, half1 = units == 3, two = units > 2;
    const size_t ld = t->ldx;
    const char *p0 = t->x, *p3 = p0 + 3 * ld, *p6 = p3 + 3 * ld, *p9 = p6 + 3 * ld,
               *p12 = p9 + 3 * ld;
    const uint16_t *w = t->w;
    const __m512 bias0 = _mm512_maskz_loadu_ps(t->mask0, t->bias);
    const __m512 bias1 = two ? _mm512_maskz_loadu_ps(t->mask1, t->bias + 16) : bias0;
#define DECLARE(i, p, o) __m512 a##i = bias0, b##i = bias1;
    EACH_ROW(DECLARE)
#undef DECLARE
    for (size_t k = 0; k < t->pairs; k++, w += 2 * PANEL) {
        const __m512i w0 = weights_at(w, half0), w1 = two ? weights_at(w + PANEL, half1) : w0;
        for (size_t line = 0; asks && line < 2 * PANEL; line += LINE)
            __builtin_prefetch(w + t->ahead + line, 0, 2);
#define STEP(i, p, o)                                                                              \
    if (rows > i) {                                                                                \
        const __m512i x = pair_at(p + o * ld);                                                     \
        a##i = dot(a##i, x, w0, half0);                                                            \
        if (two)                                                                                   \
            b##i = dot(b##i, x, w1, half1);                                                        \
    }
        EACH_ROW(STEP)
#undef STEP
        p0 += 4;
        p3 += 4;
        p6 += 4;
        p9 += 4;
        p12 += 4;
    }
    const size_t ldy = t->ldy;
#define ADD(i, p, o)                                                                               \
    if (rows > i) {                                                                                \
        a##i = _mm512_add_ps(a##i, _mm512_maskz_loadu_ps(t->mask0, t->residual + i * ldy));        \
        if (two)                                                                                   \
            b##i =                                                                                 \
                _mm512_add_ps(b##i, _mm512_maskz_loadu_ps(t->mask1, t->residual + i * ldy + 16));  \
    }
/* The second operand is given when either is NaN. These two need the units that multiply. */
#define RAISE(i, p, o)                                                                             \
    if (rows > i) {                                                                                \
        a##i = _mm512_max_ps(zero, a##i);                                                          \
        if (two)                                                                                   \
            b##i = _mm512_max_ps(zero, b##i);                                                      \
    }
#define CUT(i, p, o)                                                                               \
    if (rows > i) {                                                                                \
        a##i = _mm512_min_ps(top, a##i);                                                           \
        if (two)                                                                                   \
            b##i = _mm512_min_ps(top, b##i);                                                       \
    }
#define STORE(i, p, o)                                                                             \
    if (rows > i) {                                                                                \
        _mm512_mask_storeu_ps(t->y + i * ldy, t->mask0, a##i);                                     \
        if (two)                                                                                   \
            _mm512_mask_storeu_ps(t->y + i * ldy + 16, t->mask1, b##i);                            \
    }
    if (t->residual) {
        EACH_ROW(ADD)
    }
    if (t->clamp > 0) {
        const __m512 zero = _mm512_setzero_ps();
        EACH_ROW(RAISE)
    }
    if (t->clamp > 0 && t->clamp < INFINITY) {
        const __m512 top = _mm512_set1_ps(t->clamp);
        EACH_ROW(CUT)
    }
    EACH_ROW(STORE)
#undef ADD
#undef RAISE
#undef CUT
#undef STORE
}

/* One kernel a row count. */
#define TILE(units)                                                                                \
    static __attribute__((noinline)) void tile_##units(const tile *t, size_t rows)                 \
    {                                                                                              \
        switch (rows) {                                                                            \
            EACH_ROW(CASE_##units)                                                                 \
        }                                                                                          \
    }
#define CASE(i, units, asks)                                                                       \
    case i + 1:                                                                                    \
        tile_body(t, i + 1, units, asks);                                                          \
        break;
#define CASE_1(i, p, o)     CASE(i, 1, 0)
#define CASE_2(i, p, o)     CASE(i, 2, 0)
#define CASE_3(i, p, o)     CASE(i, 3, 0)
#define CASE_4(i, p, o)     CASE(i, 4, 0)
#define CASE_ahead(i, p, o) CASE(i, 4, 1)
TILE(1)
TILE(2)
TILE(3)
TILE(4)
TILE(ahead)

static size_t pairs_of(int k)
{
    return ((size_t)k + 1) / 2;
}

/* Panel after panel over all rows, which are shared out evenly over tiles; the first of them asks
 * for the next panel (gemm_body.h). */
static void multiply(const hst_low_gemm *g)
{
    static void (*const tiles_of[])(const tile *, size_t) = {tile_1, tile_2, tile_3, tile_4};
    assert(g->ldx >= 4 * pairs_of(g->k) && g->ldy >= (size_t)g->n && g->clamp >= 0);
    const size_t tiles = (g->rows + ROWS - 1) / ROWS;
    const size_t base = tiles ? g->rows / tiles : 0, more = tiles ? g->rows % tiles : 0;
    for (int n = 0; n < g->n; n += PANEL) {
        const int columns = g->n - n < PANEL ? g->n - n : PANEL;
        tile t = {.x = g->x,
                  .ldx = g->ldx,
                  .w = (const uint16_t *)g->w + (size_t)n * 2 * pairs_of(g->k),
                  .bias = g->bias + n,
                  .y = g->y + n,
                  .residual = g->residual ? g->residual + n : NULL,
                  .ldy = g->ldy,
                  .pairs = pairs_of(g->k),
                  .ahead = 2 * PANEL * pairs_of(g->k),
                  .clamp = g->clamp,
                  .mask0 = hst_first_columns(columns),
                  .mask1 = hst_first_columns(columns - 16)};
        for (size_t i = 0; i < tiles; i++) {
            const size_t rows = base + (i < more);
            if (i == 0 && columns == PANEL)
                tile_ahead(&t, rows);
            else
                tiles_of[(columns - 1) / UNIT](&t, rows);
            t.x += rows * t.ldx;
            t.y += rows * t.ldy;
            if (t.residual)
                t.residual += rows * t.ldy;
        }
    }
}

static void convert(const hst_low_rows *r)
{
    hst_convert_avx512(r, 2);
}

static size_t row_bytes(int k)
{
    return 4 * pairs_of(k);
}

static size_t packed_bytes(int k, int n)
{
    return hst_round_up((size_t)n, PANEL) * (row_bytes(k) + sizeof(float));
}

static const float *pack(const hst_low_weights *w)
{
    return hst_pairs_pack(w, 2, PANEL);
}

static void convert_columns(const hst_low_rows *r)
{
    hst_columns_avx512(r, 2);
}

static void pack_matrix(const hst_low_matrix *m)
{
    hst_matrix_avx512(m, 2);
}

const hst_products hst_products_avx512bf16 = {.name = "avx512bf16",
                                              .precision = HST_PRECISION_BF16,
                                              .is_fast = 1,
                                              .winograd = 1,
                                              .panel = PANEL,
                                              .number_bytes = 2,
                                              .row_bytes = row_bytes,
                                              .column_bytes = row_bytes,
                                              .packed_bytes = packed_bytes,
                                              .pack = pack,
                                              .convert = convert,
                                              .multiply = multiply,
                                              .pair_bytes = 4,
                                              .convert_columns = convert_columns,
                                              .pack_matrix = pack_matrix};
