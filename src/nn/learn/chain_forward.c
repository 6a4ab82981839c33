/* chain_forward.c - the loops of a chain, link by link. */
#include "nn/learn/chain.h"

#include <string.h>

/* ---- inputs ---- */

void hst_link_input(const hst_learn_task *t, const float *z, size_t rows, float *out)
{
    const hst_link *before = hst_link_of(t) - 1;
    hst_bn_state n = hst_link_norm(t->step, before);
    t->learn->plan.kernels->norm_map(&(hst_norm_map){.x = z,
                                                     .scale = n.scale,
                                                     .shift = n.shift,
                                                     .y = out,
                                                     .rows = rows,
                                                     .c = before->geometry.out.c,
                                                     .act = before->act});
}

void hst_link_make_rows(const hst_learn_task *t, hst_link_rows *r, int end)
{
    const hst_link *u = hst_link_of(t);
    size_t row = hst_shape_row_floats(u->geometry.in);
    for (; u->lazy && r->made < end; r->made++)
        hst_link_input(t, r->x + (size_t)r->made * row, (size_t)u->geometry.in.w,
                       r->ring + (size_t)(r->made % hst_link_ring(u)) * row);
}

const float *hst_link_row(const hst_learn_task *t, const hst_link_rows *r, int row)
{
    const hst_link *u = hst_link_of(t);
    if (row < 0 || row >= u->geometry.in.h)
        return NULL;
    const float *from = u->lazy ? r->ring : r->x;
    size_t place = u->lazy ? (size_t)(row % hst_link_ring(u)) : (size_t)row;
    return from + place * hst_shape_row_floats(u->geometry.in);
}

/* The image that the link reads: x of the chain, or the z before, from which it is made. */
static const float *source(const hst_learn_task *t)
{
    const hst_link *u = hst_link_of(t);
    if (!u->lazy)
        return hst_learn_value(t->learn, t->step->input[HST_CHAIN_X], t->first);
    return hst_learn_saved(t->learn, t->step, t->first) + (u - 1)->z;
}

/* ---- statistics ---- */

/* Takes the moments of `rows` pixels of z into those of the image so far, `count` pixels. */
static void take_moments(const hst_learn_task *t, const float *z, size_t rows, size_t count,
                         float *scratch)
{
    const hst_link *u = hst_link_of(t);
    size_t c = (size_t)u->geometry.out.c;
    float *first = scratch, *second = scratch + c;
    double *mean = hst_learn_sums(t->learn, t->step, t->first), *squares = mean + c;
    if (!hst_plan_is_batch(&t->learn->plan, u->norm))
        return;
    t->learn->plan.kernels->norm_moments(
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

/* The norm's state from the images' moments. */
static void use_batch(hst_learn *l, hst_step *s, const hst_link *u)
{
    size_t c = (size_t)u->geometry.out.c;
    double *mean = s->state_d + u->sums, *variance = mean + c;
    double n = (double)u->geometry.out.h * u->geometry.out.w;
    hst_bn_state state = hst_link_norm(s, u);
    hst_bn_moments(l, s, c, n, mean);
    hst_bn_move(l, u->norm, n * l->all, mean, variance);
    hst_bn_fix(&l->plan, u->norm, mean, variance, &state);
}

/* ---- convolutions of one image ---- */

static void product(const hst_learn_task *t, const float *x, size_t rows, float *z)
{
    const hst_link *u = hst_link_of(t);
    const float *w = t->step->state + u->w;
    size_t c = (size_t)u->geometry.out.c;
    hst_multiply(u->by,
                 &(hst_gemm){.x = x,
                             .ldx = (size_t)u->k,
                             .w = w,
                             .bias = hst_matrix_bias(u->by, w, u->k, (int)c),
                             .y = z,
                             .ldy = c,
                             .rows = rows,
                             .k = u->k,
                             .n = (int)c},
                 t->scratch + u->rounded);
}

static void forward_tiles(const hst_learn_task *t, float *z)
{
    const hst_link *u = hst_link_of(t);
    const float *x = source(t);
    size_t n = hst_shape_pixels(u->geometry.out), tile = (size_t)hst_link_tile(u);
    size_t k = (size_t)u->k, c = (size_t)u->geometry.out.c;
    for (size_t from = 0; from < n; from += tile) {
        size_t rows = n - from < tile ? n - from : tile;
        const float *in = x + from * k;
        if (u->lazy) {
            hst_link_input(t, in, rows, t->scratch);
            in = t->scratch;
        }
        product(t, in, rows, z + from * c);
        take_moments(t, z + from * c, rows, from, t->scratch + tile * k);
    }
}

static void forward_im2col(const hst_learn_task *t, float *z)
{
    const hst_link *u = hst_link_of(t);
    const float *x = source(t);
    const int at_once = hst_link_rows_at_once(u), h = u->geometry.out.h;
    size_t w = (size_t)u->geometry.out.w, c = (size_t)u->geometry.out.c, k = (size_t)u->k;
    for (int row = 0, n; row < h; row += n) {
        n = h - row < at_once ? h - row : at_once;
        float *out = z + (size_t)row * w * c;
        for (int i = 0; i < n; i++)
            hst_im2col(&u->geometry, x, row + i, t->scratch + (size_t)i * w * k);
        product(t, t->scratch, (size_t)n * w, out);
        take_moments(t, out, (size_t)n * w, (size_t)row * w, t->scratch + (size_t)at_once * w * k);
    }
}

static void forward_depthwise_row(const hst_learn_task *t, const hst_link_rows *r, int row,
                                  float *z)
{
    const hst_link *at = hst_link_of(t);
    const hst_conv *c = &at->geometry.conv;
    size_t channels = (size_t)at->geometry.in.c;
    hst_depthwise d = {.w = hst_plan_param(&t->learn->plan, at->conv, 0),
                       .bias = t->step->state + at->bias,
                       .y = z,
                       .x_step = channels,
                       .w_step = channels,
                       .y_step = channels,
                       .width = at->geometry.in.w,
                       .out = at->geometry.out.w,
                       .channels = at->geometry.in.c,
                       .kernel = c->kernel,
                       .stride = c->stride,
                       .before = hst_conv_span(c, at->geometry.in.w).before};
    int first = row * c->stride - hst_conv_span(c, at->geometry.in.h).before;
    for (int ky = 0; ky < c->kernel; ky++)
        d.row[ky] = hst_link_row(t, r, first + ky);
    t->learn->plan.kernels->depthwise(&d);
}

static void forward_depthwise(const hst_learn_task *t, float *z)
{
    const hst_link *at = hst_link_of(t);
    const hst_conv *c = &at->geometry.conv;
    hst_link_rows r = {.x = source(t), .ring = t->scratch};
    int band = hst_link_band(at), before = hst_conv_span(c, at->geometry.in.h).before;
    size_t row = hst_shape_row_floats(at->geometry.out), w = (size_t)at->geometry.out.w;
    float *sums = t->scratch + (size_t)hst_link_ring(at) * hst_shape_row_floats(at->geometry.in);
    for (int from = 0; from < at->geometry.out.h; from += band) {
        int end = from + band < at->geometry.out.h ? from + band : at->geometry.out.h;
        int last = (end - 1) * c->stride - before + c->kernel;
        hst_link_make_rows(t, &r, last < at->geometry.in.h ? last : at->geometry.in.h);
        for (int i = from; i < end; i++)
            forward_depthwise_row(t, &r, i, z + (size_t)i * row);
        take_moments(t, z + (size_t)from * row, (size_t)(end - from) * w, (size_t)from * w, sums);
    }
}

static void forward_link(const hst_learn_task *t)
{
    const hst_link *u = hst_link_of(t);
    float *z = hst_learn_saved(t->learn, t->step, t->first) + u->z;
    if (u->depthwise)
        forward_depthwise(t, z);
    else if (u->im2col)
        forward_im2col(t, z);
    else
        forward_tiles(t, z);
}

/* The chain's output of one image. */
static void forward_output(const hst_learn_task *t)
{
    const hst_learn *l = t->learn;
    const hst_link *u = hst_link_of(t);
    hst_bn_state n = hst_link_norm(t->step, u);
    int added = t->step->input[HST_CHAIN_ADDED];
    float *y = hst_learn_value_mut(l, t->step->output, t->first);
    l->plan.kernels->norm_map(
        &(hst_norm_map){.x = hst_learn_saved(l, t->step, t->first) + u->z,
                        .scale = n.scale,
                        .shift = n.shift,
                        .z = added < 0 ? NULL : hst_learn_value(l, added, t->first),
                        .y = y,
                        .rows = hst_shape_pixels(u->geometry.out),
                        .c = u->geometry.out.c,
                        .act = u->act_after_add ? HST_ACT_NONE : u->act});
    if (u->act_after_add)
        l->plan.kernels->activate(u->act, y, y, hst_shape_floats(u->geometry.out));
}

void hst_chain_forward(hst_learn *l, hst_step *s)
{
    const hst_chain *c = s->own;
    for (int i = 0; i < c->n; i++) {
        hst_learn_images(l, s, i, forward_link);
        if (hst_plan_is_batch(&l->plan, c->link[i].norm))
            use_batch(l, s, &c->link[i]);
    }
    hst_learn_images(l, s, c->n - 1, forward_output);
}
