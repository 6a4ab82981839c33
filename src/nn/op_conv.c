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

/* One tap of the window at one output pixel. */
typedef struct tap {
    size_t x, y, k; /* pixel of the input, of the output, place in the kernel */
} tap;

/* fn for every tap that lies inside the input, in order of output pixel, then ky, then kx. */
static void each_tap(const hst_op_args *a, void (*fn)(const hst_op_args *a, const tap *t))
{
    const hst_conv *c = &a->node->conv;
    hst_shape in = a->in[0], out = a->node->out;
    hst_span h = hst_conv_span(c, in.h), w = hst_conv_span(c, in.w);
    int k = c->kernel, pixels = out.h * out.w;
    for (int at = 0; at < pixels; at++) {
        int y0 = at / out.w * c->stride - h.before, x0 = at % out.w * c->stride - w.before;
        for (int i = 0; i < k * k; i++) {
            int y = y0 + i / k, x = x0 + i % k;
            if (y >= 0 && y < in.h && x >= 0 && x < in.w)
                fn(a, &(tap){(size_t)(y * in.w + x), (size_t)at, (size_t)i});
        }
    }
}

static void begin_with_bias(const hst_op_args *a)
{
    size_t n = (size_t)a->node->out.c, pixels = (size_t)a->node->out.h * (size_t)a->node->out.w;
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < n; c++)
            a->y[i * n + c] = a->param[1] ? a->param[1][c] : 0;
}

static void bias_backward(const hst_op_args *a)
{
    size_t n = (size_t)a->node->out.c, pixels = (size_t)a->node->out.h * (size_t)a->node->out.w;
    for (size_t i = 0; a->dparam[1] && i < pixels; i++)
        for (size_t c = 0; c < n; c++)
            a->dparam[1][c] += a->dy[i * n + c];
}

/* y[n] += sum_m x[m] w[m][n] */
static void conv2d_tap(const hst_op_args *a, const tap *t)
{
    size_t m = (size_t)a->in[0].c, n = (size_t)a->node->out.c;
    const float *x = a->x[0] + t->x * m, *w = a->param[0] + t->k * m * n;
    float *y = a->y + t->y * n;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            y[j] += x[i] * w[i * n + j];
}

/* dw[m][n] += x[m] dy[n];  dx[m] += sum_n w[m][n] dy[n] */
static void conv2d_tap_backward(const hst_op_args *a, const tap *t)
{
    size_t m = (size_t)a->in[0].c, n = (size_t)a->node->out.c;
    const float *x = a->x[0] + t->x * m, *w = a->param[0] + t->k * m * n, *dy = a->dy + t->y * n;
    float *dw = a->dparam[0] ? a->dparam[0] + t->k * m * n : NULL;
    float *dx = a->dx[0] ? a->dx[0] + t->x * m : NULL;
    for (size_t i = 0; dw && i < m; i++)
        for (size_t j = 0; j < n; j++)
            dw[i * n + j] += x[i] * dy[j];
    for (size_t i = 0; dx && i < m; i++) {
        float sum = 0;
        for (size_t j = 0; j < n; j++)
            sum += w[i * n + j] * dy[j];
        dx[i] += sum;
    }
}

static void conv2d_forward(const hst_op_args *a)
{
    begin_with_bias(a);
    each_tap(a, conv2d_tap);
}

static void conv2d_backward(const hst_op_args *a)
{
    each_tap(a, conv2d_tap_backward);
    bias_backward(a);
}

static void depthwise_tap(const hst_op_args *a, const tap *t)
{
    size_t n = (size_t)a->node->out.c;
    for (size_t c = 0; c < n; c++)
        a->y[t->y * n + c] += a->x[0][t->x * n + c] * a->param[0][t->k * n + c];
}

static void depthwise_tap_backward(const hst_op_args *a, const tap *t)
{
    size_t n = (size_t)a->node->out.c;
    const float *dy = a->dy + t->y * n;
    for (size_t c = 0; a->dparam[0] && c < n; c++)
        a->dparam[0][t->k * n + c] += a->x[0][t->x * n + c] * dy[c];
    for (size_t c = 0; a->dx[0] && c < n; c++)
        a->dx[0][t->x * n + c] += a->param[0][t->k * n + c] * dy[c];
}

static void depthwise_forward(const hst_op_args *a)
{
    begin_with_bias(a);
    each_tap(a, depthwise_tap);
}

static void depthwise_backward(const hst_op_args *a)
{
    each_tap(a, depthwise_tap_backward);
    bias_backward(a);
}

const hst_op hst_op_conv2d = {.name = "conv2d",
                              .shape = conv2d_shape,
                              .flops = conv2d_flops,
                              .forward = conv2d_forward,
                              .backward = conv2d_backward,
                              .reads = HST_READS_INPUT};
const hst_op hst_op_depthwise = {.name = "depthwise",
                                 .shape = depthwise_shape,
                                 .flops = depthwise_flops,
                                 .forward = depthwise_forward,
                                 .backward = depthwise_backward,
                                 .reads = HST_READS_INPUT};
