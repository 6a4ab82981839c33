#include "nn/learn/matrix.h"

#include "nn/infer/low.h"

#include <assert.h>
#include <string.h>

enum {
    ROWS = 112,     /* converted at a time: whole tiles of 14 and of 16 */
    GATHERED = 256, /* rows of a gradient, at most */
    ROOM = 64,      /* numbers that converting may write behind those */
    BLOCK = 448,    /* rows of dw at a time, so that their numbers stay in the cache */
    MOST_PANEL = 64
};

hst_multiplier hst_multiplier_of(const hst_plan *p, const hst_unit *u)
{
    return (hst_multiplier){p->kernels, hst_infer_unit_products(p, u)};
}

/* ---- packed matrices ---- */

/* Bytes of the panels of [k][n]. */
static size_t panels_bytes(const hst_products *low, int k, int n)
{
    return hst_round_up((size_t)n, (size_t)low->panel) * low->column_bytes(k);
}

size_t hst_matrix_floats(hst_multiplier m, int k, int n)
{
    return m.low ? m.low->packed_bytes(k, n) / sizeof(float) : hst_gemm_packed(m.kernels, k, n);
}

const float *hst_matrix_bias(hst_multiplier m, const float *packed, int k, int n)
{
    return m.low ? packed + panels_bytes(m.low, k, n) / sizeof(float)
                 : hst_gemm_bias(m.kernels, packed, k, n);
}

const float *hst_matrix_columns(hst_multiplier m, const float *packed, int k, int c)
{
    return packed + (size_t)c * (m.low ? m.low->column_bytes(k) / sizeof(float) : (size_t)k);
}

/* [k][n], or its transpose, rows ld floats apart. */
static const float *pack_low(const hst_products *low, const hst_low_matrix *what, const float *bias,
                             float *out)
{
    hst_low_matrix m = *what;
    const size_t n = (size_t)m.n, end = hst_round_up(n, (size_t)low->panel);
    float *at = out + panels_bytes(low, m.k, m.n) / sizeof(float);
    m.out = out;
    m.panel_bytes = (size_t)low->panel * low->column_bytes(m.k);
    low->pack_matrix(&m);
    for (size_t c = 0; c < end; c++)
        at[c] = bias && c < n ? bias[c] : 0;
    return at;
}

const float *hst_matrix_pack(hst_multiplier m, const float *w, const float *bias, int k, int n,
                             float *out)
{
    if (!m.low)
        return hst_gemm_pack(m.kernels, w, bias, k, n, out);
    return pack_low(m.low, &(hst_low_matrix){.w = w, .ld = (size_t)n, .k = k, .n = n}, bias, out);
}

const float *hst_matrix_pack_transposed(hst_multiplier m, const float *w, int k, int n, float *out)
{
    if (!m.low)
        return hst_gemm_pack_transposed(m.kernels, w, k, n, out);
    return pack_low(m.low,
                    &(hst_low_matrix){.w = w, .ld = (size_t)n, .k = n, .n = k, .transposed = 1},
                    NULL, out);
}

/* ---- products ---- */

size_t hst_multiply_floats(hst_multiplier m, int k)
{
    return m.low ? hst_whole_lines(ROWS * hst_low_ld(m.low, k) / sizeof(float)) : 0;
}

/* y where 0 < gate < top, else 0. */
static void pass_gate(const hst_kernels *k, const hst_gemm *g, size_t from, size_t rows)
{
    const size_t at = from * g->ldy;
    assert(g->ldy == (size_t)g->n && g->ld_gate == g->ldy);
    k->norm_gate(&(hst_norm_gate){
        .x = g->gate + at,
        .dy = g->y + at,
        .dx = g->y + at,
        .rows = rows,
        .c = g->n,
        .act = g->gate_top == hst_act_clamp(HST_ACT_RELU6) ? HST_ACT_RELU6 : HST_ACT_RELU});
}

void hst_multiply(hst_multiplier m, const hst_gemm *g, float *scratch)
{
    if (!m.low) {
        m.kernels->gemm(g);
        return;
    }
    const size_t ld = hst_low_ld(m.low, g->k);
    const hst_low_gemm all = hst_low_of(g, scratch, ld);
    for (size_t at = 0, n; at < g->rows; at += n) {
        n = g->rows - at < ROWS ? g->rows - at : ROWS;
        hst_low_gemm part = hst_low_gemm_rows(&all, at, n);
        part.x = scratch;
        m.low->convert(&(hst_low_rows){g->x + at * g->ldx, g->ldx, n, g->k, scratch, ld, {1, 0}});
        m.low->multiply(&part);
        if (g->gate)
            pass_gate(m.kernels, g, at, n);
    }
}

/* ---- gradients ---- */

/* Of the gathered rows: one row of a and of b that waits, with place for another, then b in panels
 * and columns of a as rows. In floats from the scratch; bytes between panels and rows. */
typedef struct places {
    size_t b, panels, rows, all;
    size_t panel_bytes, row_bytes;
} places;

static places places_of(const hst_products *low, int k, int n)
{
    const size_t panel = (size_t)low->panel, panels = ((size_t)n + panel - 1) / panel;
    places p = {.panel_bytes = panel * low->column_bytes(GATHERED + ROOM),
                .row_bytes = hst_low_ld(low, GATHERED + ROOM)};
    p.b = hst_whole_lines(2 * (size_t)k);
    p.panels = p.b + hst_whole_lines(2 * (size_t)n);
    p.rows = p.panels + hst_whole_lines(panels * p.panel_bytes / sizeof(float));
    p.all = p.rows + hst_whole_lines((size_t)k * p.row_bytes / sizeof(float));
    return p;
}

size_t hst_gradient_floats(hst_multiplier m, int k, int n)
{
    return m.low ? places_of(m.low, k, n).all : 0;
}

hst_gradient hst_gradient_begin(hst_multiplier m, int k, int n, size_t rows, float *scratch)
{
    const size_t chunks = (rows + GATHERED - 1) / GATHERED;
    return (hst_gradient){.by = m,
                          .k = k,
                          .n = n,
                          .scratch = scratch,
                          .most = chunks ? hst_round_up((rows + chunks - 1) / chunks, 2) : 2};
}

/* Puts so many rows of a and b behind those that are there. */
static void convert(hst_gradient *g, const hst_low_rows *a, const hst_low_matrix *b)
{
    const hst_products *low = g->by.low;
    const places p = places_of(low, g->k, g->n);
    hst_low_rows rows = *a;
    hst_low_matrix panels = *b;
    rows.k = g->k;
    rows.out = (char *)(g->scratch + p.rows) + g->taken / 2 * low->pair_bytes;
    rows.ld_out = p.row_bytes;
    low->convert_columns(&rows);
    panels.n = g->n;
    panels.out =
        (char *)(g->scratch + p.panels) + g->taken / 2 * low->pair_bytes * (size_t)low->panel;
    panels.panel_bytes = p.panel_bytes;
    low->pack_matrix(&panels);
    g->taken += hst_round_up(rows.rows, 2);
}

/* Zeros behind the last pair, to where products read. */
static void fill_up(const hst_gradient *g, const places *p)
{
    const hst_products *low = g->by.low;
    const size_t from = g->taken / 2 * low->pair_bytes;
    const size_t panel = (size_t)low->panel, end = low->row_bytes((int)g->taken);
    const size_t from_w = from * panel, end_w = low->column_bytes((int)g->taken) * panel;
    for (size_t i = 0; from < end && i < (size_t)g->k; i++)
        memset((char *)(g->scratch + p->rows) + i * p->row_bytes + from, 0, end - from);
    for (size_t c = 0; from_w < end_w && c < (size_t)g->n; c += panel)
        memset((char *)(g->scratch + p->panels) + c / panel * p->panel_bytes + from_w, 0,
               end_w - from_w);
}

/* Adds what is gathered to dw. */
static void flush(hst_gradient *g)
{
    static const float zeros[MOST_PANEL];
    const hst_products *low = g->by.low;
    const places p = places_of(low, g->k, g->n);
    const char *rows = (const char *)(g->scratch + p.rows);
    const char *panels = (const char *)(g->scratch + p.panels);
    assert(low->panel <= MOST_PANEL);
    fill_up(g, &p);
    for (int k = 0; k < g->k && g->taken; k += BLOCK)
        for (int c = 0; c < g->n; c += low->panel) {
            float *dw = g->dw + (size_t)k * g->ldw + c;
            low->multiply(&(hst_low_gemm){.x = rows + (size_t)k * p.row_bytes,
                                          .ldx = p.row_bytes,
                                          .w = panels + (size_t)(c / low->panel) * p.panel_bytes,
                                          .bias = zeros,
                                          .y = dw,
                                          .ldy = g->ldw,
                                          .residual = dw,
                                          .rows = (size_t)(g->k - k < BLOCK ? g->k - k : BLOCK),
                                          .k = (int)g->taken,
                                          .n = g->n - c < low->panel ? g->n - c : low->panel});
        }
    g->taken = 0;
}

/* The odd row, with the one at a and b where there is one. */
static void convert_odd(hst_gradient *g, const float *a, const float *b)
{
    const size_t k = (size_t)g->k, n = (size_t)g->n, rows = a ? 2 : 1;
    float *first_b = g->scratch + places_of(g->by.low, g->k, g->n).b;
    if (a) {
        memcpy(g->scratch + k, a, k * sizeof *a);
        memcpy(first_b + n, b, n * sizeof *b);
    }
    convert(g, &(hst_low_rows){.x = g->scratch, .ldx = k, .rows = rows},
            &(hst_low_matrix){.w = first_b, .ld = n, .k = (int)rows});
    g->has_odd = 0;
}

static void keep_odd(hst_gradient *g, const float *a, const float *b)
{
    memcpy(g->scratch, a, (size_t)g->k * sizeof *a);
    memcpy(g->scratch + places_of(g->by.low, g->k, g->n).b, b, (size_t)g->n * sizeof *b);
    g->has_odd = 1;
}

static void gather(hst_gradient *g, const float *a, size_t lda, const float *b, size_t ldb,
                   size_t rows)
{
    for (size_t n; rows > 0; rows -= n, a += n * lda, b += n * ldb) {
        n = g->most - g->taken < rows ? g->most - g->taken : rows & ~(size_t)1;
        if (g->has_odd || rows == 1)
            n = 1;
        if (g->has_odd)
            convert_odd(g, a, b);
        else if (n == 1)
            keep_odd(g, a, b);
        else
            convert(g, &(hst_low_rows){.x = a, .ldx = lda, .rows = n},
                    &(hst_low_matrix){.w = b, .ld = ldb, .k = (int)n});
        if (g->taken == g->most)
            flush(g);
    }
}

void hst_gradient_add(hst_gradient *g, const float *a, size_t lda, const float *b, size_t ldb,
                      size_t rows)
{
    if (g->by.low)
        gather(g, a, lda, b, ldb, rows);
    else
        g->by.kernels->grad_gemm(&(hst_grad_gemm){.a = a,
                                                  .b = b,
                                                  .lda = lda,
                                                  .ldb = ldb,
                                                  .dw = g->dw,
                                                  .ldw = g->ldw,
                                                  .rows = rows,
                                                  .m = g->k,
                                                  .n = g->n});
}

void hst_gradient_end(hst_gradient *g)
{
    if (g->has_odd)
        convert_odd(g, NULL, NULL);
    if (g->by.low)
        flush(g);
}
