/* int8_body.h - products in 8 bits with instructions that multiply four numbers of every column at
 * a time. Included where these are defined:
 *
 *   Q_ROWS, EACH_ROW(X)     rows of a tile; X(row, pointer, rows behind it) for each
 *   Q_N                     columns of a vector; a panel is two
 *   qints, qfloats, qmask   32-bit numbers of Q_N columns; which columns exist
 *   Q_LOAD(p), Q_EACH(p)    64 or 32 bytes; the four bytes at p for every column
 *   Q_DOT(s, x, w)          s + the four products, x unsigned, w signed, nothing saturates
 *   Q_FLOAT, Q_MUL, Q_ADD, Q_LOAD_F, Q_PART, Q_STORE, Q_MASK, Q_ALL, Q_RAISE, Q_CUT
 *
 *             w0   w1
 *      x[0]   a0   b0
 *      ...                   per four numbers: the weights, and a broadcast and two products a row
 *
 * Accumulators are named, since clang keeps only named ones in registers; `rows` and `two` are
 * constants at every call of the body. */
#include "kernels/int8.h"

#include <assert.h>

enum { Q_STEP = 4, Q_PANEL = 2 * Q_N };

typedef struct qtile {
    const char *x; /* rows ldx bytes apart */
    size_t ldx;
    const char *panel;
    const float *bias; /* [Q_PANEL] */
    float *y;
    const float *residual;
    size_t ldy, bytes; /* of a row of x */
    size_t ahead;      /* bytes from weights to those to ask for */
    float clamp;
    qmask mask0, mask1; /* columns that exist, of each vector */
} qtile;

/* What follows the sums of a row's vector. */
static inline __attribute__((always_inline)) void q_finish(const qtile *t, qints s, const int at,
                                                           const size_t row, const qmask mask)
{
    const float *scale = (const float *)(const void *)(t->panel + 4 * Q_PANEL) + at;
    qfloats v = Q_ADD(Q_MUL(Q_FLOAT(s), Q_LOAD_F(scale)), Q_LOAD_F(t->bias + at));
    if (t->residual)
        v = Q_ADD(v, Q_PART(mask, t->residual + row * t->ldy + at));
    if (t->clamp > 0)
        v = Q_RAISE(v);
    if (t->clamp > 0 && t->clamp < INFINITY)
        v = Q_CUT(Q_ALL(t->clamp), v);
    Q_STORE(t->y + row * t->ldy + at, mask, v);
}

static inline __attribute__((always_inline)) void q_body(const qtile *t, const int rows,
                                                         const int two, const int asks)
{
    enum { LINE = 64 };
    const size_t ld = t->ldx;
    const char *w = t->panel + 8 * Q_PANEL;
    const char *p0 = t->x, *p3 = p0 + 3 * ld, *p6 = p3 + 3 * ld, *p9 = p6 + 3 * ld,
               *p12 = p9 + 3 * ld;
    (void)p12; /* narrow tiles have fewer rows */
    const qints start0 = Q_LOAD(t->panel), start1 = Q_LOAD(t->panel + 4 * Q_N);
#define DECLARE(i, p, o) qints a##i = start0, b##i = start1;
    EACH_ROW(DECLARE)
#undef DECLARE
    for (size_t k = 0; k < t->bytes; k += Q_STEP, w += Q_STEP * Q_PANEL) {
        const qints w0 = Q_LOAD(w), w1 = two ? Q_LOAD(w + 4 * Q_N) : w0;
        for (size_t line = 0; asks && line < Q_STEP * Q_PANEL; line += LINE)
            __builtin_prefetch(w + t->ahead + line, 0, 2);
#define STEP(i, p, o)                                                                              \
    if (rows > i) {                                                                                \
        const qints x = Q_EACH(p + o * ld);                                                        \
        a##i = Q_DOT(a##i, x, w0);                                                                 \
        if (two)                                                                                   \
            b##i = Q_DOT(b##i, x, w1);                                                             \
    }
        EACH_ROW(STEP)
#undef STEP
        p0 += Q_STEP;
        p3 += Q_STEP;
        p6 += Q_STEP;
        p9 += Q_STEP;
        p12 += Q_STEP;
    }
#define FINISH(i, p, o)                                                                            \
    if (rows > i) {                                                                                \
        q_finish(t, a##i, 0, i, t->mask0);                                                         \
        if (two)                                                                                   \
            q_finish(t, b##i, Q_N, i, t->mask1);                                                   \
    }
    EACH_ROW(FINISH)
#undef FINISH
}

/* One kernel a row count. */
#define CASE_ONE(i, p, o)                                                                          \
    case i + 1:                                                                                    \
        q_body(t, i + 1, 0, 0);                                                                    \
        break;
#define CASE_TWO(i, p, o)                                                                          \
    case i + 1:                                                                                    \
        q_body(t, i + 1, 1, 0);                                                                    \
        break;
#define CASE_AHEAD(i, p, o)                                                                        \
    case i + 1:                                                                                    \
        q_body(t, i + 1, 1, 1);                                                                    \
        break;
static __attribute__((noinline)) void q_tile_one(const qtile *t, size_t rows)
{
    switch (rows) {
        EACH_ROW(CASE_ONE)
    }
}

static __attribute__((noinline)) void q_tile_two(const qtile *t, size_t rows)
{
    switch (rows) {
        EACH_ROW(CASE_TWO)
    }
}
static __attribute__((noinline)) void q_tile_ahead(const qtile *t, size_t rows)
{
    switch (rows) {
        EACH_ROW(CASE_AHEAD)
    }
}
#undef CASE_AHEAD
#undef CASE_ONE
#undef CASE_TWO

static size_t q_row_bytes(int k)
{
    return hst_round_up((size_t)k, Q_STEP);
}

static size_t q_column_bytes(int k)
{
    return hst_int8_column(k, Q_STEP);
}

static size_t q_packed_bytes(int k, int n)
{
    return hst_int8_packed(k, n, Q_STEP, Q_PANEL);
}

static const float *q_pack(const hst_low_weights *w)
{
    return hst_int8_pack(w, Q_STEP, Q_PANEL, Q_PANEL, 0);
}

/* Panel after panel over all rows, which are shared out evenly over tiles. */
static void q_multiply(const hst_low_gemm *g)
{
    assert(g->ldx >= q_row_bytes(g->k) && g->ldy >= (size_t)g->n && g->clamp >= 0);
    const size_t tiles = (g->rows + Q_ROWS - 1) / Q_ROWS;
    const size_t base = tiles ? g->rows / tiles : 0, more = tiles ? g->rows % tiles : 0;
    for (int n = 0; n < g->n; n += Q_PANEL) {
        const int columns = g->n - n < Q_PANEL ? g->n - n : Q_PANEL;
        qtile t = {.x = g->x,
                   .ldx = g->ldx,
                   .panel = (const char *)g->w + (size_t)n * q_column_bytes(g->k),
                   .bias = g->bias + n,
                   .y = g->y + n,
                   .residual = g->residual ? g->residual + n : NULL,
                   .ldy = g->ldy,
                   .bytes = q_row_bytes(g->k),
                   .ahead = q_column_bytes(g->k) * Q_PANEL,
                   .clamp = g->clamp,
                   .mask0 = Q_MASK(columns),
                   .mask1 = Q_MASK(columns - Q_N)};
        for (size_t i = 0; i < tiles; i++) {
            const size_t rows = base + (i < more);
            if (columns == Q_PANEL && i == 0)
                q_tile_ahead(&t, rows);
            else if (columns > Q_N)
                q_tile_two(&t, rows);
            else
                q_tile_one(&t, rows);
            t.x += rows * t.ldx;
            t.y += rows * t.ldy;
            if (t.residual)
                t.residual += rows * t.ldy;
        }
    }
}

/* The table; `convert` stands beside the definitions above. */
#define Q_PRODUCTS(called, fast)                                                                   \
    {                                                                                              \
        .name = (called), .precision = HST_PRECISION_INT8, .is_fast = (fast), .panel = Q_PANEL,    \
        .number_bytes = 1, .row_bytes = q_row_bytes, .column_bytes = q_column_bytes,               \
        .packed_bytes = q_packed_bytes, .pack = q_pack, .convert = convert, .multiply = q_multiply \
    }
