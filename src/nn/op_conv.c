/* op_conv.c - convolutions: every output channel sums over a k x k window of all input channels
 * (conv2d), or of its own channel alone (depthwise). */
#include "nn/op.h"

hst_span hst_conv_span(const hst_conv *c, int in)
{
    int k = c->kernel, s = c->stride;
    if (c->padding == HST_PAD_SYMMETRIC) {
        int before = (k - 1) / 2, room = in + 2 * before - k;
        return (hst_span){room < 0 ? 0 : room / s + 1, before};
    }
    int out = (in + s - 1) / s;
    int total = (out - 1) * s + k - in;
    return (hst_span){out, total > 0 ? total / 2 : 0};
}

static int conv_shape(hst_node *n, hst_shape in, int channels, hst_err *err)
{
    const hst_conv *c = &n->conv;
    if (c->kernel < 1 || c->kernel > 15 || c->stride < 1 || c->stride > 15)
        return hst_fail(err, HST_EMODEL, "layer %s: kernel %d with stride %d is not supported",
                        n->name, c->kernel, c->stride);
    hst_span h = hst_conv_span(c, in.h), w = hst_conv_span(c, in.w);
    if (h.out < 1 || w.out < 1)
        return hst_fail(err, HST_EMODEL, "layer %s: a %d x %d kernel does not fit %d x %d inputs",
                        n->name, c->kernel, c->kernel, in.h, in.w);
    n->out = (hst_shape){h.out, w.out, channels};
    return 0;
}

static void add_bias(hst_node *n)
{
    if (n->conv.bias)
        n->slot[n->n_slots++] = (hst_slot){"bias", 0, {n->out.c}, 1};
}

static int conv2d_shape(hst_node *n, const hst_shape *in, hst_err *err)
{
    int k = n->conv.kernel;
    n->slot[n->n_slots++] = (hst_slot){"kernel", 0, {k, k, in->c, n->conv.channels}, 4};
    int rc = conv_shape(n, *in, n->conv.channels, err);
    add_bias(n);
    return rc;
}

static int depthwise_shape(hst_node *n, const hst_shape *in, hst_err *err)
{
    int k = n->conv.kernel;
    n->slot[n->n_slots++] = (hst_slot){"depthwise_kernel", 0, {k, k, in->c, 1}, 4};
    int rc = conv_shape(n, *in, in->c, err);
    add_bias(n);
    return rc;
}

/* Taps that fall on padding are counted: the count is the layer's, not the loop's. */
static double window(const hst_node *n)
{
    return 2.0 * n->out.h * n->out.w * n->out.c * n->conv.kernel * n->conv.kernel;
}

static double conv2d_flops(const hst_node *n, const hst_shape *in)
{
    return window(n) * in->c;
}

static double depthwise_flops(const hst_node *n, const hst_shape *in)
{
    (void)in;
    return window(n);
}

const hst_op hst_op_conv2d = {"conv2d", conv2d_shape, conv2d_flops};
const hst_op hst_op_depthwise = {"depthwise", depthwise_shape, depthwise_flops};
