/* op_grouped.c - grouped convolution: channels in groups side by side, each output channel sums
 * over a k x k window of the input channels of its own group (Xie et al. 2016, arXiv 1611.05431).
 */
#include "nn/infer/grouped.h"

#include <stddef.h>
#include <string.h>

enum { KERNEL, BIAS }; /* slots */

static int grouped_type(hst_node *n, const hst_type *in, hst_err *err)
{
    const hst_shape x = hst_type_shape(in);
    const hst_conv *c = hst_node_conv(n);
    if (c->groups < 1 || x.c % c->groups != 0 || c->channels % c->groups != 0)
        return hst_fail(err, HST_EMODEL, "%s %s: %d and %d channels are not %d groups", n->op->name,
                        n->name, x.c, c->channels, c->groups);
    n->slot[n->n_slots++] =
        (hst_slot){"kernel", 0, {c->kernel, c->kernel, x.c / c->groups, c->channels}, 4};
    if (c->bias)
        n->slot[n->n_slots++] = (hst_slot){"bias", 0, {c->channels}, 1};
    return hst_conv_shape(n, x, c->channels, HST_MAX_KERNEL, &n->type, err);
}

/* As of a whole convolution: taps that fall on padding are counted. */
static double grouped_flops(const hst_node *n, const hst_shape *in)
{
    (void)in;
    return 2.0 * (double)hst_shape_pixels(hst_node_shape(n)) *
           (double)hst_slot_count(&n->slot[KERNEL]);
}

static size_t packed_bytes(const hst_node *n, const hst_kernels *k, const hst_products *products)
{
    (void)k;
    return products ? 0 : hst_groups_floats(n) * sizeof(float);
}

static const float *pack(const hst_packing *p)
{
    float *bias = hst_groups_pack(p->node, p->param[KERNEL], p->scale, p->out);
    for (int c = 0; c < hst_node_conv(p->node)->channels; c++)
        bias[hst_groups_place(p->node, c)] = (float)p->shift[c];
    return bias;
}

/* ---- plain loops, x [h][w][groups][m], kernel [k][k][m][groups][n], y [h][w][groups][n] ---- */

typedef struct tap {
    const float *x, *w;
    size_t m, n, groups, at; /* at: output pixel */
} tap;

static void tap_forward(const hst_op_args *a, const tap *t)
{
    const size_t all = t->groups * t->n;
    for (size_t o = 0; o < all; o++) {
        const float *x = t->x + o / t->n * t->m;
        for (size_t i = 0; i < t->m; i++)
            a->y[t->at * all + o] += x[i] * t->w[i * all + o];
    }
}

/* dw[m][o] += x[m] dy[o];  dx[m] += w[m][o] dy[o], m among the channels of o's group */
static void tap_backward(const hst_op_args *a, const tap *t)
{
    const size_t all = t->groups * t->n;
    const float *dy = a->dy + t->at * all;
    float *dw = a->dparam[KERNEL] ? a->dparam[KERNEL] + (t->w - a->param[KERNEL]) : NULL;
    float *dx = a->dx[0] ? a->dx[0] + (t->x - a->x[0]) : NULL;
    for (size_t o = 0; o < all; o++) {
        const size_t first = o / t->n * t->m;
        for (size_t i = 0; dw && i < t->m; i++)
            dw[i * all + o] += t->x[first + i] * dy[o];
        for (size_t i = 0; dx && i < t->m; i++)
            dx[first + i] += t->w[i * all + o] * dy[o];
    }
}

/* fn for every tap that lies inside the input. */
static void each_tap(const hst_op_args *a, void (*fn)(const hst_op_args *a, const tap *t))
{
    const hst_conv *c = hst_node_conv(a->node);
    const hst_shape in = a->in[0], out = hst_node_shape(a->node);
    const hst_span h = hst_conv_span(c, in.h), w = hst_conv_span(c, in.w);
    tap t = {.groups = (size_t)c->groups};
    t.m = (size_t)in.c / t.groups;
    t.n = (size_t)out.c / t.groups;
    for (int at = 0; at < out.h * out.w; at++)
        for (int i = 0; i < c->kernel * c->kernel; i++) {
            const int y = at / out.w * c->stride - h.before + i / c->kernel;
            const int x = at % out.w * c->stride - w.before + i % c->kernel;
            if (y < 0 || y >= in.h || x < 0 || x >= in.w)
                continue;
            t.at = (size_t)at;
            t.x = a->x[0] + (size_t)(y * in.w + x) * (size_t)in.c;
            t.w = a->param[KERNEL] + (size_t)i * t.m * (size_t)out.c;
            fn(a, &t);
        }
}

static void forward(const hst_op_args *a)
{
    const hst_shape out = hst_node_shape(a->node);
    const size_t n = (size_t)out.c, pixels = hst_shape_pixels(out);
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < n; c++)
            a->y[i * n + c] = a->param[BIAS] ? a->param[BIAS][c] : 0;
    each_tap(a, tap_forward);
}

static void backward(const hst_op_args *a)
{
    const hst_shape out = hst_node_shape(a->node);
    each_tap(a, tap_backward);
    if (a->dparam[BIAS])
        a->kernels->grad_sum(a->dy, (size_t)out.c, hst_shape_pixels(out), out.c, a->dparam[BIAS]);
}

static const hst_attr attrs[] = {
    {"kernel", HST_ATTR_INT, offsetof(hst_conv, kernel), NULL},
    {"stride", HST_ATTR_INT, offsetof(hst_conv, stride), NULL},
    {"padding", HST_ATTR_WORD, offsetof(hst_conv, padding), hst_padding_words},
    {"channels", HST_ATTR_INT, offsetof(hst_conv, channels), NULL},
    {"bias", HST_ATTR_INT, offsetof(hst_conv, bias), NULL},
    {"groups", HST_ATTR_INT, offsetof(hst_conv, groups), NULL},
};

const hst_op hst_op_grouped = {.name = "grouped",
                               .n_inputs = 1,
                               .attrs = attrs,
                               .n_attrs = sizeof attrs / sizeof *attrs,
                               .attr_bytes = sizeof(hst_conv),
                               .infer_type = grouped_type,
                               .flops = grouped_flops,
                               .packed_bytes = packed_bytes,
                               .pack = pack,
                               .infer = hst_infer_grouped,
                               .scratch = hst_groups_scratch,
                               .forward = forward,
                               .backward = backward,
                               .reads = HST_READS_INPUT};
