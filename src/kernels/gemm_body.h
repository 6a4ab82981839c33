/* gemm_body.h - matrix product with the epilogue of a convolution. A body: included by each
 * isa_<isa>.c behind its vec_<isa>.h, of which it uses V_N, V_ROWS and the v_ functions.
 *
 * A tile is up to V_ROWS rows by one or two vectors of columns, all of it in registers:
 *
 *             w0   w1        (V_N channels each, from the packed panel)
 *      x[0]   a0   b0
 *      x[1]   a1   b1        per k: two weight loads, and a broadcast and two multiply-adds a row
 *      ...
 *
 * The last panel of a matrix may end within a vector. Where that is its middle, as with 24 and 40
 * columns in vectors of 16, the halves of two rows share one (halves_body); else zeros are computed
 * with it.
 *
 * The accumulators are named, not an array: clang keeps only named ones in registers. `rows`,
 * `vecs` and `whole` are constants at every call of a body, which makes each call a kernel of its
 * own. */
#include "kernels/rows.h"

#include <string.h>

typedef struct tile {
    const float *x;
    size_t ldx;
    const float *w, *bias; /* of this panel, at this tile's first column */
    float *y;
    const float *residual;
    size_t ldy;
    int k;
    int panel;    /* floats between two k of the packed panel */
    size_t ahead; /* floats from w to weights to ask for; 0: none */
    float clamp;
    const float *gate;
    size_t ld_gate;
    float gate_top;
} tile;

#define EACH_ROW HST_ROWS_14

/* `asks`: for the weights that come next, on the way. */
static inline __attribute__((always_inline)) void tile_body(const tile *t, const int rows,
                                                            const int vecs, const int asks)
{
    enum { LINE = 16 };
    const size_t ahead = t->ahead;
    const size_t ld = t->ldx;
    const float *p0 = t->x, *p3 = p0 + 3 * ld, *p6 = p3 + 3 * ld, *p9 = p6 + 3 * ld,
                *p12 = p9 + 3 * ld, *w = t->w;
    const vf bias0 = v_load(t->bias), bias1 = v_load(t->bias + (vecs > 1 ? V_N : 0));
#define DECLARE(i, p, o) vf a##i = bias0, b##i = bias1;
    EACH_ROW(DECLARE)
#undef DECLARE
    for (int k = 0; k < t->k; k++, w += t->panel) {
        const vf w0 = v_load(w), w1 = v_load(w + (vecs > 1 ? V_N : 0));
        for (size_t line = 0; asks && line < 2 * V_N; line += LINE)
            __builtin_prefetch(w + ahead + line, 0, 2);
#define STEP(i, p, o)                                                                              \
    if (rows > i) {                                                                                \
        const vf x = v_set1(p[o * ld + (size_t)k]);                                                \
        a##i = v_fma(x, w0, a##i);                                                                 \
        if (vecs > 1)                                                                              \
            b##i = v_fma(x, w1, b##i);                                                             \
    }
        EACH_ROW(STEP)
#undef STEP
    }
    /* One branch for all rows: a branch a row would spill. */
#define ADD(i, p, o)                                                                               \
    if (rows > i) {                                                                                \
        a##i = v_add(a##i, v_load(t->residual + i * ldy));                                         \
        if (vecs > 1)                                                                              \
            b##i = v_add(b##i, v_load(t->residual + i * ldy + V_N));                               \
    }
#define CLAMP(i, p, o)                                                                             \
    if (rows > i) {                                                                                \
        a##i = v_relu(a##i, top);                                                                  \
        if (vecs > 1)                                                                              \
            b##i = v_relu(b##i, top);                                                              \
    }
#define GATE(i, p, o)                                                                              \
    if (rows > i) {                                                                                \
        a##i = v_gate(a##i, v_load(t->gate + i * ld_gate), top);                                   \
        if (vecs > 1)                                                                              \
            b##i = v_gate(b##i, v_load(t->gate + i * ld_gate + V_N), top);                         \
    }
#define STORE(i, p, o)                                                                             \
    if (rows > i) {                                                                                \
        v_store(t->y + i * ldy, a##i);                                                             \
        if (vecs > 1)                                                                              \
            v_store(t->y + i * ldy + V_N, b##i);                                                   \
    }
    const size_t ldy = t->ldy, ld_gate = t->ld_gate;
    if (t->residual) {
        EACH_ROW(ADD)
    }
    if (t->clamp > 0) {
        const vf top = v_set1(t->clamp);
        EACH_ROW(CLAMP)
    }
    if (t->gate) {
        const vf top = v_set1(t->gate_top);
        EACH_ROW(GATE)
    }
    EACH_ROW(STORE)
#undef ADD
#undef CLAMP
#undef GATE
#undef STORE
}

/* X(number, row, its pointer and multiple, next row, its pointer and multiple) */
#define EACH_PAIR(X)                                                                               \
    X(0, 0, p0, 0, 1, p0, 1)                                                                       \
    X(1, 2, p0, 2, 3, p3, 0)                                                                       \
    X(2, 4, p3, 1, 5, p3, 2)                                                                       \
    X(3, 6, p6, 0, 7, p6, 1)                                                                       \
    X(4, 8, p6, 2, 9, p9, 0)                                                                       \
    X(5, 10, p9, 1, 11, p9, 2)                                                                     \
    X(6, 12, p12, 0, 13, p12, 1)

/* Half a vector of columns, behind a whole one or alone:
 *
 *             w0            wh: a half, twice
 *      x[0]   a0   \
 *                    c0     first half of row 0, first half of row 1
 *      x[1]   a1   /
 *
 * Behind an odd number of rows the last one stands twice. */
static inline __attribute__((always_inline)) void halves_body(const tile *t, const int rows,
                                                              const int whole)
{
    const size_t ld = t->ldx, at = whole ? V_N : 0;
    const float *p0 = t->x, *p3 = p0 + 3 * ld, *p6 = p3 + 3 * ld, *p9 = p6 + 3 * ld,
                *p12 = p9 + 3 * ld, *w = t->w;
    const vf bias0 = v_load(t->bias), bias1 = v_twice(t->bias + at);
#define DECLARE(j, i, p, o, i1, q, o1) vf a##i = bias0, a##i1 = bias0, c##j = bias1;
    EACH_PAIR(DECLARE)
#undef DECLARE
    for (int k = 0; k < t->k; k++, w += t->panel) {
        const vf w0 = v_load(w), wh = v_twice(w + at);
#define STEP(j, i, p, o, i1, q, o1)                                                                \
    if (rows > i) {                                                                                \
        const vf x = v_set1(p[o * ld + (size_t)k]);                                                \
        const vf x1 = rows > i1 ? v_set1(q[o1 * ld + (size_t)k]) : x;                              \
        if (whole)                                                                                 \
            a##i = v_fma(x, w0, a##i);                                                             \
        if (whole && rows > i1)                                                                    \
            a##i1 = v_fma(x1, w0, a##i1);                                                          \
        c##j = v_fma(v_halves(x, x1), wh, c##j);                                                   \
    }
        EACH_PAIR(STEP)
#undef STEP
    }
#define SECOND(i, i1) (rows > i1 ? i1 : i)
#define ADD(j, i, p, o, i1, q, o1)                                                                 \
    if (rows > i) {                                                                                \
        const float *r = t->residual + i * ldy, *r1 = t->residual + SECOND(i, i1) * ldy;           \
        if (whole) {                                                                               \
            a##i = v_add(a##i, v_load(r));                                                         \
            a##i1 = v_add(a##i1, v_load(r1));                                                      \
        }                                                                                          \
        c##j = v_add(c##j, v_load_halves(r + at, r1 + at));                                        \
    }
#define CLAMP(j, i, p, o, i1, q, o1)                                                               \
    if (rows > i) {                                                                                \
        a##i = v_relu(a##i, top);                                                                  \
        a##i1 = v_relu(a##i1, top);                                                                \
        c##j = v_relu(c##j, top);                                                                  \
    }
#define GATE(j, i, p, o, i1, q, o1)                                                                \
    if (rows > i) {                                                                                \
        const float *g = t->gate + i * ld_gate, *g1 = t->gate + SECOND(i, i1) * ld_gate;           \
        if (whole) {                                                                               \
            a##i = v_gate(a##i, v_load(g), top);                                                   \
            a##i1 = v_gate(a##i1, v_load(g1), top);                                                \
        }                                                                                          \
        c##j = v_gate(c##j, v_load_halves(g + at, g1 + at), top);                                  \
    }
#define STORE(j, i, p, o, i1, q, o1)                                                               \
    if (rows > i) {                                                                                \
        float *y = t->y + i * ldy, *y1 = t->y + SECOND(i, i1) * ldy;                               \
        if (whole)                                                                                 \
            v_store(y, a##i);                                                                      \
        if (whole && rows > i1)                                                                    \
            v_store(y1, a##i1);                                                                    \
        v_store_halves(y + at, y1 + at, c##j);                                                     \
    }
    const size_t ldy = t->ldy, ld_gate = t->ld_gate;
    if (t->residual) {
        EACH_PAIR(ADD)
    }
    if (t->clamp > 0) {
        const vf top = v_set1(t->clamp);
        EACH_PAIR(CLAMP)
    }
    if (t->gate) {
        const vf top = v_set1(t->gate_top);
        EACH_PAIR(GATE)
    }
    EACH_PAIR(STORE)
#undef SECOND
#undef ADD
#undef CLAMP
#undef GATE
#undef STORE
}

/* One kernel a row count; counts over V_ROWS never occur and are not built. */
static __attribute__((noinline)) void tile_two(const tile *t, size_t rows)
{
    switch (rows) {
#define CASE(i, p, o)                                                                              \
    case i + 1:                                                                                    \
        tile_body(t, i < V_ROWS ? i + 1 : 1, 2, 0);                                                \
        break;
        EACH_ROW(CASE)
#undef CASE
    }
}

static __attribute__((noinline)) void tile_two_ahead(const tile *t, size_t rows)
{
    switch (rows) {
#define CASE(i, p, o)                                                                              \
    case i + 1:                                                                                    \
        tile_body(t, i < V_ROWS ? i + 1 : 1, 2, 1);                                                \
        break;
        EACH_ROW(CASE)
#undef CASE
    }
}

static __attribute__((noinline)) void tile_one_and_half(const tile *t, size_t rows)
{
    switch (rows) {
#define CASE(i, p, o)                                                                              \
    case i + 1:                                                                                    \
        halves_body(t, i < V_ROWS ? i + 1 : 1, 1);                                                 \
        break;
        EACH_ROW(CASE)
#undef CASE
    }
}

static __attribute__((noinline)) void tile_one(const tile *t, size_t rows)
{
    switch (rows) {
#define CASE(i, p, o)                                                                              \
    case i + 1:                                                                                    \
        tile_body(t, i < V_ROWS ? i + 1 : 1, 1, 0);                                                \
        break;
        EACH_ROW(CASE)
#undef CASE
    }
}

static __attribute__((noinline)) void tile_half(const tile *t, size_t rows)
{
    switch (rows) {
#define CASE(i, p, o)                                                                              \
    case i + 1:                                                                                    \
        halves_body(t, i < V_ROWS ? i + 1 : 1, 0);                                                 \
        break;
        EACH_ROW(CASE)
#undef CASE
    }
}

/* The last columns, `valid` of them, where they fill no half vectors: the tile is computed beside
 * the matrix and what exists of it copied, so that nothing outside is read or written. */
static __attribute__((noinline)) void tile_part(const tile *t, size_t rows, int valid)
{
    float y[V_ROWS * 2 * V_N], residual[V_ROWS * 2 * V_N], gate[V_ROWS * 2 * V_N];
    const size_t bytes = (size_t)valid * sizeof *y, ld = 2 * V_N;
    tile part = *t;
    part.y = y;
    part.ldy = ld;
    if (t->residual) {
        memset(residual, 0, sizeof residual);
        for (size_t i = 0; i < rows; i++)
            memcpy(residual + i * ld, t->residual + i * t->ldy, bytes);
        part.residual = residual;
    }
    if (t->gate) {
        memset(gate, 0, sizeof gate);
        for (size_t i = 0; i < rows; i++)
            memcpy(gate + i * ld, t->gate + i * t->ld_gate, bytes);
        part.gate = gate;
        part.ld_gate = ld;
    }
    if (valid > V_N)
        tile_two(&part, rows);
    else
        tile_one(&part, rows);
    for (size_t i = 0; i < rows; i++)
        memcpy(t->y + i * t->ldy, y + i * ld, bytes);
}

/* The first `valid` columns of a panel. */
static void tile_of(const tile *t, size_t rows, int valid)
{
    if (valid >= 2 * V_N && t->ahead > 0)
        tile_two_ahead(t, rows);
    else if (valid >= 2 * V_N)
        tile_two(t, rows);
    else if (valid == V_N + V_N / 2)
        tile_one_and_half(t, rows);
    else if (valid == V_N)
        tile_one(t, rows);
    else if (valid == V_N / 2)
        tile_half(t, rows);
    else
        tile_part(t, rows, valid);
}

/* Rows x[at .. at+count) against every panel. Rows are shared out evenly over tiles: 49 rows are 9
 * tiles of 5 or 6, not 8 of 6 and one of 1. A network's weights are larger than its core's caches,
 * so the first tile asks for the next panel, behind the last one for what the next step reads. */
static void block(const hst_gemm *g, size_t at, size_t count)
{
    const size_t tiles = (count + V_ROWS - 1) / V_ROWS, base = count / tiles, more = count % tiles;
    const size_t next = (size_t)g->k * 2 * V_N;
    for (int n = 0; n < g->n; n += 2 * V_N) {
        const int valid = g->n - n;
        tile t = {.x = g->x + at * g->ldx,
                  .ldx = g->ldx,
                  .w = g->w + (size_t)n * (size_t)g->k,
                  .bias = g->bias + n,
                  .y = g->y + at * g->ldy + n,
                  .residual = g->residual ? g->residual + at * g->ldy + n : NULL,
                  .ldy = g->ldy,
                  .k = g->k,
                  .panel = 2 * V_N,
                  .clamp = g->clamp,
                  .gate = g->gate ? g->gate + at * g->ld_gate + n : NULL,
                  .ld_gate = g->ld_gate,
                  .gate_top = g->gate_top};
        for (size_t i = 0; i < tiles; i++) {
            const size_t rows = base + (i < more);
            t.ahead = i == 0 ? next : 0;
            tile_of(&t, rows, valid);
            t.x += rows * t.ldx;
            t.y += rows * t.ldy;
            if (t.residual)
                t.residual += rows * t.ldy;
            if (t.gate)
                t.gate += rows * t.ld_gate;
        }
    }
}

/* Rows are taken in blocks whose inputs and outputs stay in the L2 cache while all panels pass over
 * them. */
static void gemm(const hst_gemm *g)
{
    gemm_contract(g);
    const size_t cache_floats = 48 * 1024, a_row = (size_t)g->k + (size_t)g->n;
    size_t rows = cache_floats / a_row / V_ROWS * V_ROWS;
    if (rows < 4 * V_ROWS)
        rows = 4 * V_ROWS;
    if (g->streams)
        rows = g->rows;
    for (size_t at = 0; at < g->rows; at += rows)
        block(g, at, g->rows - at < rows ? g->rows - at : rows);
}
