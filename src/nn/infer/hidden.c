#include "nn/infer/hidden.h"

void hst_hidden_describe(const hst_plan *p, const hst_unit *expand, const hst_unit *depthwise,
                         hst_hidden *h)
{
    h->expands = expand != NULL;
    if (expand)
        hst_infer_unit_describe(p, expand, &h->expand);
    hst_infer_unit_describe(p, depthwise, &h->depthwise);
    h->conv = *hst_node_conv(&h->depthwise.node);
    h->rows = hst_conv_span(&h->conv, h->depthwise.in.h);
    h->channels = h->depthwise.in.c;
}

int hst_hidden_rows_under(const hst_hidden *h, int y, int n, int *end)
{
    const int first = y * h->conv.stride - h->rows.before;
    *end = first + (n - 1) * h->conv.stride + h->conv.kernel;
    *end = *end > h->depthwise.in.h ? h->depthwise.in.h : *end;
    return first < 0 ? 0 : first;
}

int hst_hidden_ring_rows(const hst_hidden *h, int n)
{
    const int rows = (n - 1) * h->conv.stride + h->conv.kernel;
    return rows > h->depthwise.in.h ? h->depthwise.in.h : rows;
}

size_t hst_hidden_windows(const hst_hidden *h)
{
    return h->expands ? hst_whole_lines(hst_infer_conv2d_scratch(&h->expand.node, h->expand.in))
                      : 0;
}

size_t hst_hidden_row(const hst_hidden *h, int n)
{
    return hst_whole_lines((size_t)h->depthwise.out.w * (size_t)n);
}

size_t hst_hidden_ld(const hst_hidden *h)
{
    return hst_low_ld(h->reader, h->channels);
}

size_t hst_hidden_step(const hst_hidden *h)
{
    return h->reader ? hst_hidden_ld(h) / sizeof(float) : (size_t)h->channels;
}

int hst_hidden_rounds(const hst_hidden *h)
{
    return h->expands && h->expand.products;
}

/* Of the expansion: its inputs a pixel, and bytes between rounded rows. */
static int expand_depth(const hst_hidden *h)
{
    const hst_conv *c = hst_node_conv(&h->expand.node);
    return hst_conv_taps(c) * h->expand.in.c;
}

static size_t expand_ld(const hst_hidden *h)
{
    return hst_low_ld(h->expand.products, expand_depth(h));
}

size_t hst_hidden_low(const hst_hidden *h, int rows)
{
    if (!hst_hidden_rounds(h))
        return 0;
    return (size_t)rows * (size_t)h->depthwise.in.w * expand_ld(h) / sizeof(float);
}

void hst_hidden_round(const hst_hidden_run *r, int first, int end)
{
    const hst_infer_unit *u = &r->h->expand;
    const hst_geometry front = {*hst_node_conv(&u->node), u->in, u->out};
    const int windows = !hst_conv_is_pointwise(&front.conv), k = expand_depth(r->h);
    const size_t w = (size_t)u->out.w, ldx = (size_t)k, ld = expand_ld(r->h);
    for (int y = first; y < end; y++) {
        const float *x = windows ? r->windows : r->a->x[0] + (size_t)y * w * ldx;
        if (windows)
            hst_im2col(&front, r->a->x[0], y, r->windows);
        u->products->convert(&(hst_low_rows){
            x, ldx, w, k, r->low + (size_t)(y - r->low_first) * w * ld, ld, u->quanta});
    }
}

static float *ring_row(const hst_hidden_run *r, int n, int y)
{
    return r->ring + (size_t)(y % r->ring_rows) * (size_t)r->h->depthwise.in.w * (size_t)n;
}

/* The product of some rows and their activation, as many rows at a time as stay in the first-level
 * cache between the two. */
static void product_and_activation(const hst_infer_unit *u, const hst_run_args *a, hst_gemm g)
{
    enum { CACHE_FLOATS = 4096, TILE_ROWS = 42 }; /* a multiple of every kernel's rows */
    const size_t all = g.rows, n = (size_t)g.n, most = CACHE_FLOATS / n / TILE_ROWS * TILE_ROWS;
    const int late = hst_act_late(u->act) != HST_ACT_NONE;
    const size_t rows = !late ? all : most < TILE_ROWS ? TILE_ROWS : most;
    for (size_t at = 0; at < all; at += rows, g.x += rows * g.ldx, g.y += rows * g.ldy) {
        g.rows = all - at < rows ? all - at : rows;
        a->kernels->gemm(&g);
        hst_infer_activate(u, a, g.y, g.rows * n);
    }
}

/* As expand, from rounded rows. */
static void expand_low(const hst_hidden_run *r, hst_channels s, int first, int end)
{
    const hst_infer_unit *u = &r->h->expand;
    const size_t w = (size_t)u->out.w, ld = expand_ld(r->h);
    for (int y = first, n; y < end; y += n) {
        const int wrap = r->ring_rows - y % r->ring_rows, k = expand_depth(r->h);
        n = end - y < wrap ? end - y : wrap;
        const hst_low_gemm p = {.x = r->low + (size_t)(y - r->low_first) * w * ld,
                                .ldx = ld,
                                .w = (const char *)u->weights +
                                     (size_t)s.c * u->products->column_bytes(k),
                                .bias = u->bias + s.c,
                                .y = ring_row(r, s.n, y),
                                .ldy = (size_t)s.n,
                                .rows = (size_t)n * w,
                                .k = k,
                                .n = s.n,
                                .clamp = hst_act_clamp(u->act)};
        u->products->multiply(&p);
        hst_infer_activate(u, r->a, p.y, p.rows * p.ldy);
    }
}

void hst_hidden_expand(const hst_hidden_run *r, hst_channels s, int first, int end)
{
    if (hst_hidden_rounds(r->h)) {
        expand_low(r, s, first, end);
        return;
    }
    const hst_infer_unit *u = &r->h->expand;
    const hst_geometry front = {*hst_node_conv(&u->node), u->in, u->out};
    const int windows = !hst_conv_is_pointwise(&front.conv);
    const int in_panel = s.c % r->a->kernels->panel;
    hst_gemm g = {.bias = u->bias + s.c,
                  .ldy = (size_t)s.n,
                  .k = hst_conv_taps(&front.conv) * u->in.c,
                  .n = s.n,
                  .clamp = hst_act_clamp(u->act)};
    g.w = u->weights + (size_t)(s.c - in_panel) * (size_t)g.k + in_panel;
    g.ldx = (size_t)g.k;
    for (int y = first, n; y < end; y += n) {
        const int wrap = r->ring_rows - y % r->ring_rows;
        n = windows ? 1 : end - y < wrap ? end - y : wrap;
        g.rows = (size_t)n * (size_t)u->out.w;
        g.x = windows ? r->windows : r->a->x[0] + (size_t)y * (size_t)u->in.w * g.ldx;
        g.y = ring_row(r, s.n, y);
        if (windows)
            hst_im2col(&front, r->a->x[0], y, r->windows);
        product_and_activation(u, r->a, g);
    }
}

/* A row of the depthwise convolution, as it is in r->row, to its place: activated, added up,
 * rounded. at: the row's first pixel in r->y. */
static void finish_row(const hst_hidden_run *r, hst_channels s, float *at)
{
    const hst_infer_unit *u = &r->h->depthwise;
    const hst_products *p = r->h->reader;
    const size_t n = (size_t)s.n, w = (size_t)u->out.w;
    r->a->kernels->activate_rows(&(hst_act_rows){.act = hst_act_late(u->act),
                                                 .x = r->row,
                                                 .ldx = n,
                                                 .y = p ? r->row : at + s.c,
                                                 .ldy = p ? n : (size_t)r->h->channels,
                                                 .sum = r->sum ? r->sum + s.c : NULL,
                                                 .rows = w,
                                                 .n = s.n});
    if (p)
        p->convert(&(hst_low_rows){r->row, n, w, s.n, (char *)at + p->row_bytes(s.c),
                                   hst_hidden_ld(r->h), r->h->quanta});
}

void hst_hidden_depthwise(const hst_hidden_run *r, hst_channels s, int first, int n)
{
    const hst_hidden *h = r->h;
    const hst_infer_unit *u = &h->depthwise;
    /* Its numbers are read once more. */
    const int apart = hst_act_late(u->act) != HST_ACT_NONE || r->sum || h->reader;
    const size_t all = (size_t)h->channels, row = (size_t)u->out.w * hst_hidden_step(h);
    hst_depthwise d = {.w = u->weights + s.c,
                       .bias = u->bias + s.c,
                       .x_step = h->expands ? (size_t)s.n : all,
                       .w_step = all,
                       .y_step = apart ? (size_t)s.n : all,
                       .width = u->in.w,
                       .out = u->out.w,
                       .channels = s.n,
                       .kernel = h->conv.kernel,
                       .stride = h->conv.stride,
                       .before = hst_conv_span(&h->conv, u->in.w).before,
                       .clamp = hst_act_clamp(u->act)};
    for (int i = 0; i < n; i++) {
        float *at = r->y + (size_t)(first + i - r->y_first) * row;
        d.y = apart ? r->row : at + s.c;
        for (int ky = 0; ky < d.kernel; ky++) {
            const int x = (first + i) * d.stride - h->rows.before + ky;
            d.row[ky] = x < 0 || x >= u->in.h ? NULL
                        : h->expands          ? ring_row(r, s.n, x)
                                     : r->a->x[0] + (size_t)x * (size_t)u->in.w * all + s.c;
        }
        r->a->kernels->depthwise(&d);
        if (apart)
            finish_row(r, s, at);
    }
}
