/* op_max_pool.c - the largest value of a window, channel by channel; padding does not count. For
 * inference. */
#include "nn/step.h"

#include <string.h>

static int shape(hst_node *n, const hst_shape *in, hst_err *err)
{
    const hst_conv *c = &n->conv;
    if (c->kernel < 1 || c->kernel > 15 || c->stride < 1 || c->stride > c->kernel)
        return hst_fail(err, HST_EMODEL, "pooling %d x %d with stride %d is not supported",
                        c->kernel, c->kernel, c->stride);
    hst_span h = hst_conv_span(c, in->h), w = hst_conv_span(c, in->w);
    if (h.out < 1 || w.out < 1)
        return hst_fail(err, HST_EMODEL, "pooling %d x %d does not fit %d x %d inputs", c->kernel,
                        c->kernel, in->h, in->w);
    n->out = (hst_shape){h.out, w.out, in->c};
    return 0;
}

/* Comparisons are no multiply-adds. */
static double no_flops(const hst_node *n, const hst_shape *in)
{
    (void)n;
    (void)in;
    return 0;
}

/* The window whose corner is at row y, column x, of which at least one pixel is inside. */
static void window(const hst_step *s, const float *in, int y, int x, float *out)
{
    const int k = s->conv.kernel;
    const size_t c = (size_t)s->in.c;
    int first = 1;
    for (int i = y < 0 ? 0 : y; i < y + k && i < s->in.h; i++)
        for (int j = x < 0 ? 0 : x; j < x + k && j < s->in.w; j++) {
            const float *p = in + ((size_t)i * (size_t)s->in.w + (size_t)j) * c;
            if (first)
                memcpy(out, p, c * sizeof *out);
            for (size_t q = 0; !first && q < c; q++)
                out[q] = p[q] > out[q] ? p[q] : out[q];
            first = 0;
        }
}

static void step(const hst_step *s, const hst_run_args *a)
{
    const hst_span h = hst_conv_span(&s->conv, s->in.h), w = hst_conv_span(&s->conv, s->in.w);
    const hst_share rows = hst_share_of(a, s->out.h);
    float *out = a->y + (size_t)rows.first * (size_t)s->out.w * (size_t)s->out.c;
    for (int y = rows.first; y < rows.end; y++)
        for (int x = 0; x < s->out.w; x++, out += s->out.c)
            window(s, a->x, y * s->conv.stride - h.before, x * s->conv.stride - w.before, out);
}

const hst_op hst_op_max_pool = {
    .name = "max_pool", .shape = shape, .flops = no_flops, .step = step};
