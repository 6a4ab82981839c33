/* squeezed_residual.c - inverted residuals with squeeze-and-excitation (Hu et al. 2018, arXiv
 * 1709.01507) in front of their projection, as one step. The gate of a channel depends on all of
 * its pixels, so the depthwise convolution's output is made whole; around it nothing is written:
 *
 *             some channels at a time, all rows          all channels, some rows at a time
 *      x ->  expand -> ring -> depthwise, activation -> dw ->  times gate -> project (+ x) -> y
 *                                         |                      ^
 *                                    sum of pixels -> two layers, a number a channel
 *
 *      dw     [pixels][hidden]  shared by the threads, which share out channels, then rows
 *      sum    [hidden]          each channel's pixels added in their order, then the average
 *      small  [squeezed]        the first layer's output
 *      gate   [hidden]
 *
 * Where products are of lower precision (low.h), what the expansion reads is rounded once for all
 * channels, and what the projection reads behind the gate. */
#include "nn/infer/hidden.h"

#include "base/mem.h"

#include <stdlib.h>

enum { AVERAGE = 1, REDUCE, EXCITE, SCALE, PROJECT }; /* units behind the depthwise convolution */

typedef struct squeezed {
    hst_hidden hidden;
    hst_infer_unit reduce, excite, project;
    int group; /* hidden channels at a time */
    int band;  /* rows of the depthwise convolution at a time */
} squeezed;

/* What all threads write, in floats of hst_run_args.shared. */
typedef struct places {
    size_t sum, small, gate, dw;
    size_t low, rounded; /* rows that the expansion reads, and the projection */
    size_t all;
} places;

/* Bytes between rounded rows that the projection reads. */
static size_t rounded_ld(const squeezed *f)
{
    return f->project.products ? hst_low_ld(f->project.products, f->hidden.channels) : 0;
}

static places lay_out(const squeezed *f)
{
    const size_t hidden = (size_t)f->hidden.channels;
    places at = {.small = hst_whole_lines(hidden)};
    at.gate = at.small + hst_whole_lines((size_t)f->reduce.out.c);
    at.dw = at.gate + hst_whole_lines(hidden);
    at.low = at.dw + hst_whole_lines(hst_shape_floats(f->hidden.depthwise.out));
    at.rounded = at.low + hst_whole_lines(hst_hidden_low(&f->hidden, f->hidden.depthwise.in.h));
    at.all = at.rounded + hst_shape_pixels(f->project.in) * rounded_ld(f) / sizeof(float);
    return at;
}

/* ---- running ---- */

/* This thread's channels: halves of panels of float32, for there may be few panels. Each channel's
 * sum is one thread's, which adds its pixels in order. */
static void make_hidden(const squeezed *f, const hst_run_args *a, const places *at)
{
    const hst_hidden *h = &f->hidden;
    const int rounds = hst_hidden_rounds(h), rows = h->rows.out;
    const int panel = rounds ? h->expand.products->panel : a->kernels->panel;
    const int unit = rounds ? panel : panel / 2;
    const hst_share share = hst_share_of(a, (h->channels + unit - 1) / unit);
    const int last = share.end * unit < h->channels ? share.end * unit : h->channels;
    hst_hidden_run r = {.h = h, .a = a, .y = a->shared + at->dw, .sum = a->shared + at->sum};
    r.low = (char *)(a->shared + at->low);
    r.ring_rows = hst_hidden_ring_rows(h, f->band);
    r.row = a->scratch;
    r.windows = r.row + hst_hidden_row(h, f->group);
    r.ring = r.windows + hst_hidden_windows(h);
    if (rounds) {
        const hst_share part = hst_share_of(a, h->depthwise.in.h);
        hst_hidden_round(&(hst_hidden_run){.h = h, .a = a, .windows = r.windows, .low = r.low},
                         part.first, part.end);
        hst_barrier_wait(a->barrier);
    }
    for (hst_channels s = {share.first * unit, 0}; s.c < last; s.c += s.n) {
        s.n = s.c % panel ? unit : f->group;
        s.n = last - s.c < s.n ? last - s.c : s.n;
        for (int c = s.c; c < s.c + s.n; c++)
            r.sum[c] = 0;
        for (int y = 0, made = 0, n, end; y < rows; y += n, made = end) {
            n = rows - y < f->band ? rows - y : f->band;
            const int first = hst_hidden_rows_under(h, y, n, &end);
            end = end > made ? end : made;
            if (h->expands)
                hst_hidden_expand(&r, s, first > made ? first : made, end);
            hst_hidden_depthwise(&r, s, y, n);
        }
    }
}

/* y = act(x w + bias), a row: this thread's panels. */
static void layer(const hst_infer_unit *u, const hst_run_args *a, const float *x, float *y)
{
    const int panel = a->kernels->panel, n = u->out.c;
    const hst_share s = hst_share_of(a, (n + panel - 1) / panel);
    const int c = s.first * panel, end = s.end * panel < n ? s.end * panel : n;
    if (c >= end)
        return;
    const hst_gemm g = {.x = x,
                        .ldx = (size_t)u->in.c,
                        .w = u->weights + (size_t)c * (size_t)u->in.c,
                        .bias = u->bias + c,
                        .y = y + c,
                        .ldy = (size_t)n,
                        .rows = 1,
                        .k = u->in.c,
                        .n = end - c,
                        .clamp = hst_act_clamp(u->act)};
    a->kernels->gemm(&g);
    hst_infer_activate(u, a, g.y, (size_t)g.n);
}

static void make_gate(const squeezed *f, const hst_run_args *a, const places *at)
{
    float *sum = a->shared + at->sum;
    const float scale = 1.0f / (float)hst_shape_pixels(f->hidden.depthwise.out);
    if (a->thread == 0)
        for (int c = 0; c < f->hidden.channels; c++)
            sum[c] *= scale;
    hst_barrier_wait(a->barrier);
    layer(&f->reduce, a, sum, a->shared + at->small);
    hst_barrier_wait(a->barrier);
    layer(&f->excite, a, a->shared + at->small, a->shared + at->gate);
    hst_barrier_wait(a->barrier);
}

/* The product of pixels first .. first+n, or where they are all, this thread's part of it. */
static void multiply(const squeezed *f, const hst_run_args *a, const places *at, hst_share px)
{
    const hst_infer_unit *u = &f->project;
    const size_t first = (size_t)px.first, y = first * (size_t)u->out.c, k = (size_t)u->in.c;
    const hst_gemm g = {.x = a->shared + at->dw + first * k,
                        .ldx = k,
                        .w = u->weights,
                        .bias = u->bias,
                        .y = a->y + y,
                        .ldy = (size_t)u->out.c,
                        .residual = a->x[1] ? a->x[1] + y : NULL,
                        .rows = (size_t)(px.end - px.first),
                        .k = u->in.c,
                        .n = u->out.c,
                        .clamp = hst_act_clamp(u->act)};
    const size_t ld = rounded_ld(f);
    const hst_low_gemm low = hst_low_of(&g, (char *)(a->shared + at->rounded) + first * ld, ld);
    if (u->products)
        hst_low_product(u->products, a, &low);
    else
        hst_infer_product(a, &g);
}

/* Rows of pixels that stay in the second-level cache between their scaling and the product. */
static void project(const squeezed *f, const hst_run_args *a, const places *at)
{
    enum { CACHE_FLOATS = 32 * 1024, TILE_ROWS = 42 }; /* a multiple of every kernel's rows */
    const hst_products *p = f->project.products;
    const int k = f->project.in.c, pixels = (int)hst_shape_pixels(f->project.in);
    const hst_share s = hst_share_of(a, pixels);
    const int most = CACHE_FLOATS / k / TILE_ROWS * TILE_ROWS;
    const int rows = a->threads > 1 ? pixels : most > TILE_ROWS ? most : TILE_ROWS;
    const size_t ld = rounded_ld(f);
    for (int i = s.first, n; i < s.end; i += n) {
        n = s.end - i < rows ? s.end - i : rows;
        float *x = a->shared + at->dw + (size_t)i * (size_t)k;
        a->kernels->scale_rows(x, a->shared + at->gate, x, (size_t)n, k);
        if (p)
            p->convert(&(hst_low_rows){x, (size_t)k, (size_t)n, k,
                                       (char *)(a->shared + at->rounded) + (size_t)i * ld, ld,
                                       f->project.quanta});
        if (a->threads == 1)
            multiply(f, a, at, (hst_share){i, i + n});
    }
    if (a->threads == 1)
        return;
    hst_barrier_wait(a->barrier);
    multiply(f, a, at, (hst_share){0, pixels});
}

static void infer(const hst_step *step, const hst_run_args *a)
{
    const squeezed *f = step->own;
    const places at = lay_out(f);
    make_hidden(f, a, &at);
    hst_barrier_wait(a->barrier);
    make_gate(f, a, &at);
    project(f, a, &at);
}

static hst_step_memory memory(const hst_step *step, int threads, int images)
{
    const squeezed *f = step->own;
    const hst_hidden *h = &f->hidden;
    const size_t row = (size_t)h->depthwise.in.w * (size_t)f->group;
    const size_t ring = h->expands ? (size_t)hst_hidden_ring_rows(h, f->band) * row : 0;
    (void)threads;
    (void)images;
    return (hst_step_memory){.own = ring + hst_hidden_windows(h) + hst_hidden_row(h, f->group),
                             .shared = lay_out(f).all};
}

/* ---- planning ---- */

/* Rows of the depthwise convolution that are expanded for at a time, and channels: the more the
 * fuller the tiles of the product and the fewer the calls, while the ring stays in the cache.
 * Windows are laid out once for all channels. */
static void choose_tiling(squeezed *f, const hst_plan *p, int in_groups)
{
    const hst_hidden *h = &f->hidden;
    const size_t most = p->request.cache_bytes / 16 / sizeof(float), w = (size_t)h->depthwise.in.w;
    const hst_products *products = h->expand.products;
    const int panel = products ? products->panel : p->kernels->panel;
    f->group = in_groups && panel < h->channels ? panel : h->channels;
    f->band = h->rows.out;
    while (f->band > 1 && (size_t)hst_hidden_ring_rows(h, f->band) * w * (size_t)f->group > most)
        f->band--;
    const size_t pixels = (size_t)hst_hidden_ring_rows(h, f->band) * w;
    while (f->group + panel <= h->channels && pixels * (size_t)(f->group + panel) <= most / 2)
        f->group += panel;
}

static int prepare(const hst_plan *p, hst_step *s, hst_err *err)
{
    const hst_group *g = &s->group;
    const hst_unit *dw = &g->unit[g->n_units - 1 - PROJECT];
    const hst_unit *expand = dw > g->unit ? &g->unit[0] : NULL;
    if (hst_act_late(hst_unit_act(p->graph, &dw[PROJECT])) != HST_ACT_NONE)
        return 0;
    squeezed *f = hst_alloc(1, sizeof *f, err);
    s->own = f;
    if (!f)
        return HST_EMEM;
    hst_hidden_describe(p, expand, dw, &f->hidden);
    hst_infer_unit_describe(p, &dw[REDUCE], &f->reduce);
    hst_infer_unit_describe(p, &dw[EXCITE], &f->excite);
    hst_infer_unit_describe(p, &dw[PROJECT], &f->project);
    choose_tiling(f, p, !expand || hst_unit_is_pointwise(p->graph, expand));
    s->input[0] = g->unit[0].x;
    s->input[1] = dw[PROJECT].added;
    s->scratch_floats = memory(s, 1, 1).own;
    for (int i = 0; i < g->n_units; i++)
        s->state_floats += hst_whole_lines(hst_infer_unit_floats(p, &g->unit[i]));
    return 1;
}

static int pack(const hst_plan *p, hst_step *s, float *scratch, hst_err *err)
{
    squeezed *f = s->own;
    hst_infer_unit none,
        *out[] = {&f->hidden.expand, &f->hidden.depthwise, &none, &f->reduce, &f->excite, &none,
                  &f->project};
    float *state = s->state;
    int rc = 0;
    (void)scratch;
    for (int i = 0; rc == 0 && i < s->group.n_units; i++) {
        const hst_unit *u = &s->group.unit[i];
        rc = hst_infer_unit_pack(p, u, state, out[HST_MAX_UNITS - s->group.n_units + i], err);
        state += hst_whole_lines(hst_infer_unit_floats(p, u));
    }
    return rc;
}

static void clear(hst_step *s)
{
    free(s->own);
}

const hst_runner hst_infer_squeezed_residual_runner = {.name = "squeezed residual",
                                                       .prepare = prepare,
                                                       .pack = pack,
                                                       .infer = infer,
                                                       .memory = memory,
                                                       .clear = clear};
