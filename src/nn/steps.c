/* steps.c - the loops of a plan over one image; the arithmetic is the kernels'. */
#include "nn/step.h"

#include <string.h>

/* Rows of a product that keep the registers of any instruction set full; a thread gets at least so
 * many. */
enum { TILE_ROWS = 14 };

static size_t row_floats(hst_shape s)
{
    return (size_t)s.w * (size_t)s.c;
}

/* Rows at .. at+n of the product g. */
static hst_gemm product_rows(const hst_gemm *g, size_t at, size_t n)
{
    hst_gemm part = *g;
    part.x += at * g->ldx;
    part.y += at * g->ldy;
    if (g->residual)
        part.residual += at * g->ldy;
    part.rows = n;
    return part;
}

/* Columns c .. c+n, c at the beginning of a panel. */
static hst_gemm product_columns(const hst_gemm *g, int c, int n)
{
    hst_gemm part = *g;
    part.w += (size_t)c * (size_t)g->k;
    part.bias += c;
    part.y += c;
    if (g->residual)
        part.residual += c;
    part.n = n;
    return part;
}

/* Panel after panel, each cut into chunks of rows: every thread takes as many chunks, one after
 * another. */
static void panels_part(const hst_run_args *a, const hst_gemm *g)
{
    const int panel = a->kernels->panel, panels = (g->n + panel - 1) / panel, rows = (int)g->rows;
    const int chunks = (rows + TILE_ROWS - 1) / TILE_ROWS;
    const hst_share s = hst_share_of(a, panels * chunks);
    for (int i = s.first, end; i < s.end; i = end) {
        const int p = i / chunks, c = p * panel;
        end = (p + 1) * chunks < s.end ? (p + 1) * chunks : s.end;
        const int from = i % chunks * rows / chunks, to = (end - p * chunks) * rows / chunks;
        hst_gemm part = product_columns(g, c, g->n - c < panel ? g->n - c : panel);
        part = product_rows(&part, (size_t)from, (size_t)(to - from));
        a->kernels->gemm(&part);
    }
}

void hst_step_product(const hst_run_args *a, const hst_gemm *g)
{
    if (a->threads == 1) {
        a->kernels->gemm(g);
    } else if (g->rows < (size_t)(4 * TILE_ROWS * a->threads)) {
        panels_part(a, g);
    } else {
        const hst_share s = hst_share_of(a, (int)g->rows);
        const hst_gemm part = product_rows(g, (size_t)s.first, (size_t)(s.end - s.first));
        a->kernels->gemm(&part);
    }
}

/* A 1x1 convolution is one matrix product over all pixels. */
static hst_gemm product_of(const hst_step *s, const hst_run_args *a)
{
    return (hst_gemm){.x = a->x,
                      .ldx = (size_t)s->in.c,
                      .w = s->weights,
                      .bias = s->bias,
                      .y = a->y,
                      .ldy = (size_t)s->out.c,
                      .residual = a->z,
                      .rows = (size_t)s->in.h * (size_t)s->in.w,
                      .k = s->in.c,
                      .n = s->conv.channels,
                      .relu6 = s->relu6};
}

void hst_step_activate(const hst_step *s, const hst_run_args *a, float *y, size_t n)
{
    if (s->acts)
        a->kernels->activate(s->act, y, y, n);
}

/* A 1x1 convolution and its activation: alone, as many rows at a time as stay in the first-level
 * cache between the two; together, each thread's rows when all are there. */
static void pointwise(const hst_step *s, const hst_run_args *a)
{
    enum { CACHE_FLOATS = 4096 };
    const hst_gemm g = product_of(s, a);
    const size_t n = (size_t)g.n, most = CACHE_FLOATS / n / TILE_ROWS * TILE_ROWS;
    const size_t rows = !s->acts ? g.rows : most < TILE_ROWS ? TILE_ROWS : most;
    if (a->threads > 1) {
        hst_step_product(a, &g);
        if (s->acts)
            hst_barrier_wait(a->barrier);
        const hst_share share = hst_share_of(a, (int)g.rows);
        hst_step_activate(s, a, g.y + (size_t)share.first * n,
                          (size_t)(share.end - share.first) * n);
        return;
    }
    for (size_t at = 0; at < g.rows; at += rows) {
        const hst_gemm part = product_rows(&g, at, g.rows - at < rows ? g.rows - at : rows);
        a->kernels->gemm(&part);
        hst_step_activate(s, a, part.y, part.rows * n);
    }
}

/* A 1x1 convolution of which only the averages are wanted, one panel of channels at a time. */
void hst_step_pooled(const hst_step *s, const hst_run_args *a)
{
    const int panel = a->kernels->panel, n = s->conv.channels;
    const hst_share share = hst_share_of(a, (n + panel - 1) / panel);
    const hst_gemm all = product_of(s, a);
    for (int p = share.first; p < share.end; p++) {
        const int c = p * panel, count = n - c < panel ? n - c : panel;
        hst_gemm g = product_columns(&all, c, count);
        g.y = a->scratch;
        g.ldy = (size_t)count;
        a->kernels->gemm(&g);
        hst_step_activate(s, a, a->scratch, g.rows * (size_t)count);
        a->kernels->average(a->scratch, g.rows, count, a->y + c);
    }
}

/* Copies one window's part of input row x (NULL: a row of padding), columns x0 .. x0+kernel. */
static void window_row(const hst_step *s, const float *x, int x0, float *out)
{
    int k = s->conv.kernel, c = s->in.c;
    int first = x0 < 0 ? -x0 : 0, end = s->in.w - x0 < k ? s->in.w - x0 : k;
    if (!x || end <= first) {
        memset(out, 0, (size_t)(k * c) * sizeof *out);
        return;
    }
    memset(out, 0, (size_t)(first * c) * sizeof *out);
    memcpy(out + (size_t)first * (size_t)c, x + (size_t)(x0 + first) * (size_t)c,
           (size_t)((end - first) * c) * sizeof *out);
    memset(out + (size_t)end * (size_t)c, 0, (size_t)((k - end) * c) * sizeof *out);
}

/* n windows side by side that lie inside row x: as many copies of `run` floats. The run of a 3x3
 * kernel over 3 colours is a constant, so that its copy is two moves, not a call. */
static void window_runs(const float *x, size_t x_step, float *out, size_t out_step, size_t n,
                        size_t run)
{
    enum { COLOURS3X3 = 9 };
    for (size_t i = 0; i < n; i++, x += x_step, out += out_step)
        if (run == COLOURS3X3)
            memcpy(out, x, COLOURS3X3 * sizeof *out);
        else
            memcpy(out, x, run * sizeof *out);
}

/* The windows under output row oy as rows [kernel][kernel][c], padding as zeros. */
void hst_step_windows(const hst_step *s, const float *x, int oy, float *out)
{
    const hst_conv *c = &s->conv;
    hst_span h = hst_conv_span(c, s->in.h), w = hst_conv_span(c, s->in.w);
    size_t run = (size_t)(c->kernel * s->in.c), size = run * (size_t)c->kernel;
    int left = (w.before + c->stride - 1) / c->stride, room = s->in.w + w.before - c->kernel;
    int right = room < 0 ? 0 : room / c->stride + 1; /* windows left .. right-1 are inside */
    right = right > s->out.w ? s->out.w : right;
    left = left > right ? right : left;
    for (int ky = 0; ky < c->kernel; ky++, out += run) {
        int y = oy * c->stride - h.before + ky;
        const float *row = y < 0 || y >= s->in.h ? NULL : x + (size_t)y * row_floats(s->in);
        for (int ox = 0; ox < s->out.w; ox++) {
            if (row && ox == left && right > left) {
                window_runs(row + (size_t)(ox * c->stride - w.before) * (size_t)s->in.c,
                            (size_t)(c->stride * s->in.c), out + (size_t)ox * size, size,
                            (size_t)(right - left), run);
                ox = right - 1;
                continue;
            }
            window_row(s, row, ox * c->stride - w.before, out + (size_t)ox * size);
        }
    }
}

void hst_step_conv2d(const hst_step *s, const hst_run_args *a)
{
    const hst_conv *c = &s->conv;
    int k = c->kernel * c->kernel * s->in.c;
    if (c->kernel == 1 && c->stride == 1) {
        pointwise(s, a);
        return;
    }
    const hst_share rows = hst_share_of(a, s->out.h);
    for (int oy = rows.first; oy < rows.end; oy++) {
        size_t at = (size_t)oy * row_floats(s->out);
        hst_step_windows(s, a->x, oy, a->scratch);
        a->kernels->gemm(&(hst_gemm){.x = a->scratch,
                                     .ldx = (size_t)k,
                                     .w = s->weights,
                                     .bias = s->bias,
                                     .y = a->y + at,
                                     .ldy = (size_t)s->out.c,
                                     .residual = a->z ? a->z + at : NULL,
                                     .rows = (size_t)s->out.w,
                                     .k = k,
                                     .n = s->out.c,
                                     .relu6 = s->relu6});
        hst_step_activate(s, a, a->y + at, row_floats(s->out));
    }
}

void hst_step_depthwise(const hst_step *s, const hst_run_args *a)
{
    const hst_conv *c = &s->conv;
    hst_span h = hst_conv_span(c, s->in.h), w = hst_conv_span(c, s->in.w);
    const hst_share rows = hst_share_of(a, s->out.h);
    for (int oy = rows.first; oy < rows.end; oy++) {
        hst_depthwise d = {.w = s->weights,
                           .bias = s->bias,
                           .y = a->y + (size_t)oy * row_floats(s->out),
                           .x_step = (size_t)s->in.c,
                           .w_step = (size_t)s->in.c,
                           .y_step = (size_t)s->in.c,
                           .width = s->in.w,
                           .out = s->out.w,
                           .channels = s->in.c,
                           .kernel = c->kernel,
                           .stride = c->stride,
                           .before = w.before,
                           .relu6 = s->relu6};
        for (int ky = 0; ky < c->kernel; ky++) {
            int y = oy * c->stride - h.before + ky;
            d.row[ky] = y < 0 || y >= s->in.h ? NULL : a->x + (size_t)y * row_floats(s->in);
        }
        a->kernels->depthwise(&d);
        hst_step_activate(s, a, d.y, row_floats(s->out));
    }
}

void hst_step_average(const hst_step *s, const hst_run_args *a)
{
    if (a->thread == 0)
        a->kernels->average(a->x, (size_t)s->in.h * (size_t)s->in.w, s->in.c, a->y);
}

/* What could not be fused into a convolution. NaN is let through, as in the kernels. */
void hst_step_pointwise(const hst_step *s, const hst_run_args *a)
{
    const hst_share share = hst_share_of(a, s->out.h);
    const size_t row = row_floats(s->out), c = (size_t)s->out.c;
    for (size_t i = (size_t)share.first * row; i < (size_t)share.end * row; i++) {
        float v = a->x[i];
        if (s->weights)
            v = v * s->weights[i % c] + s->bias[i % c];
        if (a->z)
            v += a->z[i];
        if (s->relu6)
            v = v < 0 ? 0 : v > 6 ? 6 : v;
        a->y[i] = v;
    }
    hst_step_activate(s, a, a->y + (size_t)share.first * row,
                      (size_t)(share.end - share.first) * row);
}
