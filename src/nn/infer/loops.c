/* loops.c - the loops of units over one image; the arithmetic is the kernels'. */
#include "nn/infer/unit.h"

#include <string.h>

/* Rows of a product that keep the registers of any instruction set full; a thread gets at least so
 * many. */
enum { TILE_ROWS = 14 };

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

int hst_infer_shares_panels(size_t rows, int threads)
{
    return rows < (size_t)(4 * TILE_ROWS * threads);
}

void hst_infer_product(const hst_run_args *a, const hst_gemm *g)
{
    if (a->threads == 1) {
        a->kernels->gemm(g);
    } else if (hst_infer_shares_panels(g->rows, a->threads)) {
        panels_part(a, g);
    } else {
        const hst_share s = hst_share_of(a, (int)g->rows);
        const hst_gemm part = product_rows(g, (size_t)s.first, (size_t)(s.end - s.first));
        a->kernels->gemm(&part);
    }
}

/* A 1x1 convolution is one matrix product over all pixels. */
static hst_gemm product_of(const hst_infer_unit *u, const hst_run_args *a)
{
    return (hst_gemm){.x = a->x[0],
                      .ldx = (size_t)u->in.c,
                      .w = u->weights,
                      .bias = u->bias,
                      .y = a->y,
                      .ldy = (size_t)u->out.c,
                      .residual = a->x[1],
                      .rows = hst_shape_pixels(u->in),
                      .k = u->in.c,
                      .n = hst_node_conv(&u->node)->channels,
                      .clamp = hst_act_clamp(u->act)};
}

void hst_infer_activate(const hst_infer_unit *u, const hst_run_args *a, float *y, size_t n)
{
    if (hst_act_late(u->act) != HST_ACT_NONE)
        a->kernels->activate(u->act, y, y, n);
}

void hst_infer_pooled(const hst_infer_unit *u, const hst_run_args *a)
{
    const int panel = a->kernels->panel, n = hst_node_conv(&u->node)->channels;
    const hst_share share = hst_share_of(a, (n + panel - 1) / panel);
    const size_t pixels = hst_shape_pixels(u->in), images = (size_t)a->images;
    hst_gemm all = product_of(u, a);
    all.rows = pixels * images;
    for (int p = share.first; p < share.end; p++) {
        const int c = p * panel, count = n - c < panel ? n - c : panel;
        hst_gemm g = product_columns(&all, c, count);
        g.y = a->scratch;
        g.ldy = (size_t)count;
        a->kernels->gemm(&g);
        hst_infer_activate(u, a, a->scratch, g.rows * (size_t)count);
        for (size_t i = 0; i < images; i++)
            a->kernels->average(a->scratch + i * pixels * g.ldy, pixels, count,
                                a->y + i * (size_t)u->out.c + (size_t)c);
    }
}

/* Copies one window's part of input row x (NULL: a row of padding), columns from x0 on. */
static void window_row(const hst_geometry *g, const float *x, int x0, float *out)
{
    int k = hst_conv_wide(&g->conv), c = g->in.c;
    int first = x0 < 0 ? -x0 : 0, end = g->in.w - x0 < k ? g->in.w - x0 : k;
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

void hst_im2col(const hst_geometry *g, const float *x, int oy, float *out)
{
    const hst_conv *c = &g->conv;
    hst_span h = hst_conv_span(c, g->in.h), w = hst_conv_span_across(c, g->in.w);
    const int wide = hst_conv_wide(c);
    size_t run = (size_t)(wide * g->in.c);
    const size_t size = g->ld > 0 ? g->ld : run * (size_t)c->kernel;
    int left = (w.before + c->stride - 1) / c->stride, room = g->in.w + w.before - wide;
    int right = room < 0 ? 0 : room / c->stride + 1; /* windows left .. right-1 are inside */
    right = right > g->out.w ? g->out.w : right;
    left = left > right ? right : left;
    for (int ky = 0; ky < c->kernel; ky++, out += run) {
        int y = oy * c->stride - h.before + ky;
        const float *row =
            y < 0 || y >= g->in.h ? NULL : x + (size_t)y * hst_shape_row_floats(g->in);
        for (int ox = 0; ox < g->out.w; ox++) {
            if (row && ox == left && right > left) {
                window_runs(row + (size_t)(ox * c->stride - w.before) * (size_t)g->in.c,
                            (size_t)(c->stride * g->in.c), out + (size_t)ox * size, size,
                            (size_t)(right - left), run);
                ox = right - 1;
                continue;
            }
            window_row(g, row, ox * c->stride - w.before, out + (size_t)ox * size);
        }
    }
}

size_t hst_infer_conv2d_scratch(const hst_node *n, hst_shape in)
{
    const hst_conv *c = hst_node_conv(n);
    const size_t taps = (size_t)hst_conv_taps(c), w = (size_t)hst_node_shape(n).w;
    return hst_conv_is_pointwise(c) ? 0 : w * taps * (size_t)in.c;
}

void hst_infer_depthwise(const hst_infer_unit *u, const hst_run_args *a)
{
    const hst_conv *c = hst_node_conv(&u->node);
    hst_span h = hst_conv_span(c, u->in.h), w = hst_conv_span(c, u->in.w);
    const hst_share rows = hst_share_of(a, u->out.h);
    for (int oy = rows.first; oy < rows.end; oy++) {
        hst_depthwise d = {.w = u->weights,
                           .bias = u->bias,
                           .y = a->y + (size_t)oy * hst_shape_row_floats(u->out),
                           .x_step = (size_t)u->in.c,
                           .w_step = (size_t)u->in.c,
                           .y_step = (size_t)u->in.c,
                           .width = u->in.w,
                           .out = u->out.w,
                           .channels = u->in.c,
                           .kernel = c->kernel,
                           .stride = c->stride,
                           .before = w.before,
                           .clamp = hst_act_clamp(u->act)};
        for (int ky = 0; ky < c->kernel; ky++) {
            int y = oy * c->stride - h.before + ky;
            d.row[ky] =
                y < 0 || y >= u->in.h ? NULL : a->x[0] + (size_t)y * hst_shape_row_floats(u->in);
        }
        a->kernels->depthwise(&d);
        hst_infer_activate(u, a, d.y, hst_shape_row_floats(u->out));
    }
}

void hst_infer_average(const hst_infer_unit *u, const hst_run_args *a)
{
    if (a->thread == 0)
        a->kernels->average(a->x[0], hst_shape_pixels(u->in), u->in.c, a->y);
}

/* What could not be done behind a convolution: y = act(x scale + shift + z), [h][w][c]. */
void hst_infer_elementwise(const hst_infer_unit *u, const hst_run_args *a)
{
    const hst_share share = hst_share_of(a, (int)hst_shape_pixels(u->out));
    const size_t c = (size_t)u->out.c, from = (size_t)share.first * c, end = (size_t)share.end * c;
    const float *x = a->x[0];
    for (size_t at = from; u->weights && at < end; at += c)
        for (size_t i = 0; i < c; i++)
            a->y[at + i] = x[at + i] * u->weights[i] + u->bias[i];
    x = u->weights ? a->y : x;
    for (size_t i = from; a->x[1] && i < end; i++)
        a->y[i] = x[i] + a->x[1][i];
    const float *done = u->weights || a->x[1] ? a->y : a->x[0];
    a->kernels->activate(u->act, done + from, a->y + from, end - from);
}
