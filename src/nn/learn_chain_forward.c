/* learn_chain_forward.c - the loops of a chain, unit by unit. */
#include "nn/learn_chain.h"

#include <string.h>

static size_t row_floats(hst_shape s)
{
    return (size_t)s.w * (size_t)s.c;
}

static const hst_link *unit_of(const hst_learn_task *t)
{
    const hst_chain_step *c = t->step->own;
    return &c->unit[c->now];
}

/* ---- inputs ---- */

void hst_link_input(const hst_learn_task *t, int u, const float *z, size_t rows, float *out)
{
    const hst_chain_step *c = t->step->own;
    const hst_link *before = &c->unit[u - 1];
    hst_norm_state n = hst_link_norm(t->step, before);
    t->learn->kernels->norm_map(&(hst_norm_map){.x = z,
                                                .scale = n.scale,
                                                .shift = n.shift,
                                                .y = out,
                                                .rows = rows,
                                                .c = before->view.out.c,
                                                .relu6 = 1});
}

void hst_link_make_rows(const hst_learn_task *t, int u, hst_link_rows *r, int end)
{
    const hst_link *at = &((const hst_chain_step *)t->step->own)->unit[u];
    size_t row = row_floats(at->view.in);
    for (; at->lazy && r->made < end; r->made++)
        hst_link_input(t, u, r->x + (size_t)r->made * row, (size_t)at->view.in.w,
                       r->ring + (size_t)(r->made % hst_link_ring(at)) * row);
}

const float *hst_link_row(const hst_learn_task *t, int u, const hst_link_rows *r, int row)
{
    const hst_link *at = &((const hst_chain_step *)t->step->own)->unit[u];
    if (row < 0 || row >= at->view.in.h)
        return NULL;
    const float *from = at->lazy ? r->ring : r->x;
    size_t place = at->lazy ? (size_t)(row % hst_link_ring(at)) : (size_t)row;
    return from + place * row_floats(at->view.in);
}

/* The image that unit u reads: x of the chain, or the z before, from which it is made. */
static const float *source(const hst_learn_task *t, int u, int image)
{
    const hst_chain_step *c = t->step->own;
    if (!c->unit[u].lazy)
        return hst_learn_value(t->learn, t->step->input[HST_CHAIN_X], image);
    return hst_learn_keep(t->learn, t->step, image) + c->unit[u - 1].z;
}

/* ---- statistics ---- */

/* Takes the moments of `rows` pixels of z into those of the image so far, `count` pixels. */
static void take_moments(const hst_learn_task *t, const float *z, size_t rows, size_t count,
                         float *scratch)
{
    const hst_link *u = unit_of(t);
    size_t c = (size_t)u->view.out.c;
    float *first = scratch, *second = scratch + c;
    double *mean = hst_learn_sums(t->learn, t->step, t->first), *squares = mean + c;
    if (!hst_learn_is_batch(t->learn, u->norm))
        return;
    t->learn->kernels->norm_moments(
        &(hst_norm_sums){.x = z, .first = first, .second = second, .rows = rows, .c = (int)c});
    double n = (double)count, more = (double)rows, share = more / (n + more), cross = n * share;
    if (count == 0)
        memset(mean, 0, 2 * c * sizeof *mean);
    for (size_t k = 0; k < c; k++) {
        double d = (double)first[k] - mean[k];
        mean[k] += d * share;
        squares[k] += (double)second[k] + d * d * cross;
    }
}

/* Joins the images' moments in order; the norm's state follows. */
static void use_batch(hst_learn *l, hst_learn_step *s, const hst_link *u)
{
    size_t c = (size_t)u->view.out.c;
    double *mean = s->state_d + u->sums, *variance = mean + c;
    double n = (double)u->view.out.h * u->view.out.w;
    hst_norm_state state = hst_link_norm(s, u);
    memcpy(mean, hst_learn_sums(l, s, 0), 2 * c * sizeof *mean);
    for (int i = 1; i < l->n; i++) {
        const double *more = hst_learn_sums(l, s, i);
        hst_norm_join(mean, variance, n * i, more, more + c, n, c);
    }
    for (size_t k = 0; k < c; k++)
        variance[k] /= n * l->n;
    hst_norm_move(l, u->norm, n * l->n, mean, variance);
    hst_norm_fix(l, u->norm, mean, variance, &state);
}

/* ---- convolutions of one image ---- */

static void product(const hst_learn_task *t, const float *x, size_t rows, float *z)
{
    const hst_link *u = unit_of(t);
    const float *w = t->step->state + u->w;
    const hst_kernels *k = t->learn->kernels;
    size_t c = (size_t)u->view.out.c;
    k->gemm(
        &(hst_gemm){.x = x,
                    .ldx = (size_t)u->k,
                    .w = w,
                    .bias = w + hst_gemm_packed(k, u->k, (int)c) - hst_gemm_packed(k, 0, (int)c),
                    .y = z,
                    .ldy = c,
                    .rows = rows,
                    .k = u->k,
                    .n = (int)c});
}

static void forward_tiles(const hst_learn_task *t, int u, float *z)
{
    const hst_link *at = unit_of(t);
    const float *x = source(t, u, t->first);
    size_t n = (size_t)at->view.out.h * (size_t)at->view.out.w, tile = (size_t)hst_link_tile(at);
    size_t k = (size_t)at->k, c = (size_t)at->view.out.c;
    for (size_t from = 0; from < n; from += tile) {
        size_t rows = n - from < tile ? n - from : tile;
        const float *in = x + from * k;
        if (at->lazy) {
            hst_link_input(t, u, in, rows, t->scratch);
            in = t->scratch;
        }
        product(t, in, rows, z + from * c);
        take_moments(t, z + from * c, rows, from, t->scratch + tile * k);
    }
}

static void forward_windows(const hst_learn_task *t, int u, float *z)
{
    const hst_link *at = unit_of(t);
    const float *x = source(t, u, t->first);
    size_t w = (size_t)at->view.out.w, c = (size_t)at->view.out.c;
    for (int row = 0; row < at->view.out.h; row++) {
        float *out = z + (size_t)row * w * c;
        hst_step_windows(&at->view, x, row, t->scratch);
        product(t, t->scratch, w, out);
        take_moments(t, out, w, (size_t)row * w, t->scratch + w * (size_t)at->k);
    }
}

static void forward_deep_row(const hst_learn_task *t, int u, const hst_link_rows *r, int row,
                             float *z)
{
    const hst_link *at = unit_of(t);
    const hst_conv *c = &at->view.conv;
    size_t channels = (size_t)at->view.in.c;
    hst_depthwise d = {.w = hst_learn_param(t->learn, at->conv, 0),
                       .bias = t->step->state + at->bias,
                       .y = z,
                       .x_step = channels,
                       .w_step = channels,
                       .y_step = channels,
                       .width = at->view.in.w,
                       .out = at->view.out.w,
                       .channels = at->view.in.c,
                       .kernel = c->kernel,
                       .stride = c->stride,
                       .before = hst_conv_span(c, at->view.in.w).before};
    int first = row * c->stride - hst_conv_span(c, at->view.in.h).before;
    for (int ky = 0; ky < c->kernel; ky++)
        d.row[ky] = hst_link_row(t, u, r, first + ky);
    t->learn->kernels->depthwise(&d);
}

static void forward_deep(const hst_learn_task *t, int u, float *z)
{
    const hst_link *at = unit_of(t);
    const hst_conv *c = &at->view.conv;
    hst_link_rows r = {.x = source(t, u, t->first), .ring = t->scratch};
    int band = hst_link_band(at), before = hst_conv_span(c, at->view.in.h).before;
    size_t row = row_floats(at->view.out), w = (size_t)at->view.out.w;
    float *sums = t->scratch + (size_t)hst_link_ring(at) * row_floats(at->view.in);
    for (int from = 0; from < at->view.out.h; from += band) {
        int end = from + band < at->view.out.h ? from + band : at->view.out.h;
        int last = (end - 1) * c->stride - before + c->kernel;
        hst_link_make_rows(t, u, &r, last < at->view.in.h ? last : at->view.in.h);
        for (int i = from; i < end; i++)
            forward_deep_row(t, u, &r, i, z + (size_t)i * row);
        take_moments(t, z + (size_t)from * row, (size_t)(end - from) * w, (size_t)from * w, sums);
    }
}

static void forward_unit(const hst_learn_task *t)
{
    const hst_chain_step *c = t->step->own;
    const hst_link *u = unit_of(t);
    float *z = hst_learn_keep(t->learn, t->step, t->first) + u->z;
    if (u->deep)
        forward_deep(t, c->now, z);
    else if (u->windows)
        forward_windows(t, c->now, z);
    else
        forward_tiles(t, c->now, z);
}

/* The chain's output of one image. */
static void forward_output(const hst_learn_task *t)
{
    const hst_learn *l = t->learn;
    const hst_chain_step *c = t->step->own;
    const hst_link *u = &c->unit[c->n - 1];
    hst_norm_state n = hst_link_norm(t->step, u);
    int other = t->step->input[HST_CHAIN_ADDED];
    l->kernels->norm_map(
        &(hst_norm_map){.x = hst_learn_keep(l, t->step, t->first) + u->z,
                        .scale = n.scale,
                        .shift = n.shift,
                        .z = other < 0 ? NULL : hst_learn_value(l, other, t->first),
                        .y = hst_learn_place(l, t->step->end - 1, t->first),
                        .rows = (size_t)u->view.out.h * (size_t)u->view.out.w,
                        .c = u->view.out.c,
                        .relu6 = u->relu6});
}

void hst_chain_forward(hst_learn *l, hst_learn_step *s)
{
    hst_chain_step *c = s->own;
    for (c->now = 0; c->now < c->n; c->now++) {
        hst_learn_images(l, s, forward_unit);
        if (hst_learn_is_batch(l, c->unit[c->now].norm))
            use_batch(l, s, &c->unit[c->now]);
    }
    hst_learn_images(l, s, forward_output);
}
