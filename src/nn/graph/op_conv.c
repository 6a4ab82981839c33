/* op_conv.c - convolutions: every output channel sums over a k x k window of all input channels
 * (conv2d), or of its own channel alone (depthwise). */
#include "nn/infer/unit.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

/* k: the kernel along the axis. */
static hst_span span_of(const hst_conv *c, int k, int in)
{
    int s = c->stride;
    if (c->padding != HST_PAD_TF && c->padding != HST_PAD_ZEROS) {
        int before = c->padding == HST_PAD_VALID ? 0 : (k - 1) / 2, room = in + 2 * before - k;
        return (hst_span){room < 0 ? 0 : room / s + 1, before};
    }
    int out = (in + s - 1) / s;
    int total = (out - 1) * s + k - in;
    return (hst_span){out, total > 0 ? total / 2 : 0};
}

hst_span hst_conv_span(const hst_conv *c, int in)
{
    return span_of(c, c->kernel, in);
}

hst_span hst_conv_span_across(const hst_conv *c, int in)
{
    return span_of(c, hst_conv_wide(c), in);
}

hst_window hst_window_at(const hst_conv *c, hst_shape in, int oy, int ox)
{
    const int y = oy * c->stride - hst_conv_span(c, in.h).before;
    const int x = ox * c->stride - hst_conv_span_across(c, in.w).before;
    const int k = c->kernel, wide = hst_conv_wide(c);
    hst_window w = {y < 0 ? 0 : y, y + k < in.h ? y + k : in.h, x < 0 ? 0 : x,
                    x + wide < in.w ? x + wide : in.w, 0};
    w.has_zeros = (c->padding == HST_PAD_ZEROS || c->padding == HST_PAD_SYMMETRIC_ZEROS) &&
                  (w.bottom - w.top < k || w.right - w.left < wide);
    return w;
}

const char *const hst_padding_words[] = {[HST_PAD_TF] = "same",
                                         [HST_PAD_SYMMETRIC] = "symmetric",
                                         [HST_PAD_VALID] = "valid",
                                         [HST_PAD_ZEROS] = "zeros",
                                         [HST_PAD_SYMMETRIC_ZEROS] = "symmetric zeros"};

const hst_attr hst_conv_attrs[] = {
    {"kernel", HST_ATTR_INT, offsetof(hst_conv, kernel), NULL},
    {"stride", HST_ATTR_INT, offsetof(hst_conv, stride), NULL},
    {"padding", HST_ATTR_WORD, offsetof(hst_conv, padding), hst_padding_words},
    {"channels", HST_ATTR_INT, offsetof(hst_conv, channels), NULL},
    {"bias", HST_ATTR_INT, offsetof(hst_conv, bias), NULL},
    {"kernel_width", HST_ATTR_INT, offsetof(hst_conv, wide), NULL}, /* 0: kernel */
};

static const hst_attr standardised_attrs[] = {
    {"kernel", HST_ATTR_INT, offsetof(hst_conv, kernel), NULL},
    {"stride", HST_ATTR_INT, offsetof(hst_conv, stride), NULL},
    {"padding", HST_ATTR_WORD, offsetof(hst_conv, padding), hst_padding_words},
    {"channels", HST_ATTR_INT, offsetof(hst_conv, channels), NULL},
    {"bias", HST_ATTR_INT, offsetof(hst_conv, bias), NULL},
    {"kernel_width", HST_ATTR_INT, offsetof(hst_conv, wide), NULL},
    {"epsilon", HST_ATTR_REAL, offsetof(hst_conv, epsilon), NULL},
};

int hst_conv_shape(const hst_node *n, hst_shape in, int channels, int most, hst_type *out,
                   hst_err *err)
{
    const hst_conv *c = hst_node_conv(n);
    const int wide = hst_conv_wide(c);
    if (c->kernel < 1 || c->kernel > most || c->stride < 1 || c->stride > most)
        return hst_fail(err, HST_EMODEL, "%s %s: kernel %d with stride %d is not supported",
                        n->op->name, n->name, c->kernel, c->stride);
    if (wide < 1 || wide > most || (wide != c->kernel && n->op->n_attrs < HST_CONV_ATTRS))
        return hst_fail(err, HST_EMODEL, "%s %s: a %d x %d kernel is not supported", n->op->name,
                        n->name, c->kernel, wide);
    hst_span h = hst_conv_span(c, in.h), w = hst_conv_span_across(c, in.w);
    if (h.out < 1 || w.out < 1)
        return hst_fail(err, HST_EMODEL, "%s %s: a %d x %d kernel does not fit %d x %d inputs",
                        n->op->name, n->name, c->kernel, wide, in.h, in.w);
    *out = hst_image_type((hst_shape){h.out, w.out, channels});
    return 0;
}

int hst_pool_type(hst_node *n, const hst_type *in, hst_err *err)
{
    const hst_conv *c = hst_node_conv(n);
    const hst_shape x = hst_type_shape(in);
    if (c->stride > c->kernel && c->kernel > 1) /* of one pixel: some pixels alone */
        return hst_fail(err, HST_EMODEL, "pooling %d x %d with stride %d is not supported",
                        c->kernel, c->kernel, c->stride);
    return hst_conv_shape(n, x, x.c, HST_MAX_KERNEL, &n->type, err);
}

_Static_assert(sizeof(hst_conv) <= HST_ATTR_BYTES, "a node has no room for it");

enum { KERNEL, BIAS }; /* slots */

static int conv_type(hst_node *n, hst_shape in, const hst_slot *kernel, int channels, int most,
                     hst_err *err)
{
    int rc = hst_conv_shape(n, in, channels, most, &n->type, err);
    n->slot[n->n_slots++] = *kernel;
    if (hst_node_conv(n)->bias)
        n->slot[n->n_slots++] = (hst_slot){"bias", 0, {channels}, 1};
    return rc;
}

static int conv2d_type(hst_node *n, const hst_type *in, hst_err *err)
{
    const hst_shape x = hst_type_shape(in);
    const hst_conv *c = hst_node_conv(n);
    const hst_slot kernel = {"kernel", 0, {c->kernel, hst_conv_wide(c), x.c, c->channels}, 4};
    return conv_type(n, x, &kernel, c->channels, HST_MAX_PATCH, err);
}

static int standardised_type(hst_node *n, const hst_type *in, hst_err *err)
{
    const double epsilon = hst_node_conv(n)->epsilon;
    const int rc = conv2d_type(n, in, err);
    n->slot[KERNEL].standardise = epsilon;
    return rc || (epsilon > 0 && epsilon < 1)
               ? rc
               : hst_fail(err, HST_EMODEL, "layer %s: epsilon %g is not between 0 and 1", n->name,
                          epsilon);
}

static int depthwise_type(hst_node *n, const hst_type *in, hst_err *err)
{
    const hst_shape x = hst_type_shape(in);
    const int k = hst_node_conv(n)->kernel;
    return conv_type(n, x, &(hst_slot){"depthwise_kernel", 0, {k, k, x.c, 1}, 4}, x.c,
                     HST_MAX_KERNEL, err);
}

/* Taps that fall on padding are counted: the count is the layer's, not the loop's. */
static double window(const hst_node *n)
{
    const hst_shape out = hst_node_shape(n);
    return 2.0 * out.h * out.w * out.c * hst_conv_taps(hst_node_conv(n));
}

static double conv2d_flops(const hst_node *n, const hst_shape *in)
{
    return window(n) * in->c;
}

static int conv2d_needs(const hst_node *n, int pixels)
{
    return hst_conv_is_pointwise(hst_node_conv(n)) ? pixels : INT_MAX;
}

static double depthwise_flops(const hst_node *n, const hst_shape *in)
{
    (void)in;
    return window(n);
}

/* ---- packed weights ---- */

/* Rows of the kernel as a matrix whose columns are the output channels. */
static size_t matrix_rows(const hst_node *n)
{
    return hst_slot_count(&n->slot[KERNEL]) / (size_t)hst_node_shape(n).c;
}

static size_t conv2d_packed(const hst_node *n, const hst_kernels *k, const hst_products *products)
{
    const int rows = (int)matrix_rows(n), columns = hst_node_shape(n).c;
    return products ? products->packed_bytes(rows, columns)
                    : hst_gemm_packed(k, rows, columns) * sizeof(float);
}

static size_t depthwise_packed(const hst_node *n, const hst_kernels *k,
                               const hst_products *products)
{
    (void)k;
    const size_t floats = (matrix_rows(n) + 1) * (size_t)hst_node_shape(n).c;
    return products ? 0 : floats * sizeof(float);
}

/* w[rows][stride]: columns c < n times scale[c]. */
static void scale_columns(float *w, size_t rows, size_t stride, size_t n, const double *scale)
{
    for (size_t r = 0; r < rows; r++, w += stride)
        for (size_t c = 0; c < n; c++)
            w[c] = (float)(w[c] * scale[c]);
}

static const float *set_bias(const hst_packing *p, float *bias)
{
    for (int c = 0; c < hst_node_shape(p->node).c; c++)
        bias[c] = (float)p->shift[c];
    return bias;
}

/* The kernel in panels, scaled panel by panel, the shift as bias behind. */
static const float *conv2d_pack(const hst_packing *p)
{
    const size_t rows = matrix_rows(p->node);
    const int n = hst_node_shape(p->node).c, panel = p->kernels->panel;
    float *out = p->out;
    if (p->products)
        return p->products->pack(&(hst_low_weights){.w = p->param[KERNEL],
                                                    .scale = p->scale,
                                                    .shift = p->shift,
                                                    .k = (int)rows,
                                                    .n = n,
                                                    .out = out,
                                                    .quanta = p->quanta});
    float *bias = (float *)hst_gemm_pack(p->kernels, p->param[KERNEL], NULL, (int)rows, n, out);
    for (int c = 0; c < n; c += panel)
        scale_columns(out + (size_t)c * rows, rows, (size_t)panel,
                      (size_t)(n - c < panel ? n - c : panel), p->scale + c);
    return set_bias(p, bias);
}

/* [kernel][kernel][channels], then the shift. */
static const float *depthwise_pack(const hst_packing *p)
{
    const size_t rows = matrix_rows(p->node), n = (size_t)hst_node_shape(p->node).c;
    float *out = p->out;
    memcpy(out, p->param[KERNEL], rows * n * sizeof *out);
    scale_columns(out, rows, n, n, p->scale);
    return set_bias(p, out + rows * n);
}

/* ---- plain loops, x [h][w][m], kernel [k][wide][m][n], y [out h][out w][n] ---- */

/* One tap of the window at one output pixel. */
typedef struct tap {
    size_t x, y, k; /* pixel of the input, of the output, place in the kernel */
} tap;

/* fn for every tap that lies inside the input, in order of output pixel, then ky, then kx. */
static void each_tap(const hst_op_args *a, void (*fn)(const hst_op_args *a, const tap *t))
{
    const hst_conv *c = hst_node_conv(a->node);
    hst_shape in = a->in[0], out = hst_node_shape(a->node);
    hst_span h = hst_conv_span(c, in.h), w = hst_conv_span_across(c, in.w);
    int wide = hst_conv_wide(c), pixels = out.h * out.w;
    for (int at = 0; at < pixels; at++) {
        int y0 = at / out.w * c->stride - h.before, x0 = at % out.w * c->stride - w.before;
        for (int i = 0; i < hst_conv_taps(c); i++) {
            int y = y0 + i / wide, x = x0 + i % wide;
            if (y >= 0 && y < in.h && x >= 0 && x < in.w)
                fn(a, &(tap){(size_t)(y * in.w + x), (size_t)at, (size_t)i});
        }
    }
}

static void begin_with_bias(const hst_op_args *a)
{
    const hst_shape out = hst_node_shape(a->node);
    size_t n = (size_t)out.c, pixels = hst_shape_pixels(out);
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < n; c++)
            a->y[i * n + c] = a->param[BIAS] ? a->param[BIAS][c] : 0;
}

static void bias_backward(const hst_op_args *a)
{
    const hst_shape out = hst_node_shape(a->node);
    size_t n = (size_t)out.c, pixels = hst_shape_pixels(out);
    for (size_t i = 0; a->dparam[BIAS] && i < pixels; i++)
        for (size_t c = 0; c < n; c++)
            a->dparam[BIAS][c] += a->dy[i * n + c];
}

/* y[n] += sum_m x[m] w[m][n] */
static void conv2d_tap(const hst_op_args *a, const tap *t)
{
    size_t m = (size_t)a->in[0].c, n = (size_t)hst_node_shape(a->node).c;
    const float *x = a->x[0] + t->x * m, *w = a->param[KERNEL] + t->k * m * n;
    float *y = a->y + t->y * n;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            y[j] += x[i] * w[i * n + j];
}

/* dw[m][n] += x[m] dy[n];  dx[m] += sum_n w[m][n] dy[n] */
static void conv2d_tap_backward(const hst_op_args *a, const tap *t)
{
    size_t m = (size_t)a->in[0].c, n = (size_t)hst_node_shape(a->node).c;
    const float *x = a->x[0] + t->x * m, *w = a->param[KERNEL] + t->k * m * n,
                *dy = a->dy + t->y * n;
    float *dw = a->dparam[KERNEL] ? a->dparam[KERNEL] + t->k * m * n : NULL;
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
    size_t n = (size_t)hst_node_shape(a->node).c;
    for (size_t c = 0; c < n; c++)
        a->y[t->y * n + c] += a->x[0][t->x * n + c] * a->param[KERNEL][t->k * n + c];
}

static void depthwise_tap_backward(const hst_op_args *a, const tap *t)
{
    size_t n = (size_t)hst_node_shape(a->node).c;
    const float *dy = a->dy + t->y * n;
    for (size_t c = 0; a->dparam[KERNEL] && c < n; c++)
        a->dparam[KERNEL][t->k * n + c] += a->x[0][t->x * n + c] * dy[c];
    for (size_t c = 0; a->dx[0] && c < n; c++)
        a->dx[0][t->x * n + c] += a->param[KERNEL][t->k * n + c] * dy[c];
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

#define CONV2D(name_, attrs_, n_attrs_, type)                                                      \
    {                                                                                              \
        .name = (name_), .n_inputs = 1, .attrs = (attrs_), .n_attrs = (n_attrs_),                  \
        .attr_bytes = sizeof(hst_conv), .infer_type = (type), .flops = conv2d_flops,               \
        .needs = conv2d_needs, .packed_bytes = conv2d_packed, .pack = conv2d_pack,                 \
        .forward = conv2d_forward, .backward = conv2d_backward, .reads = HST_READS_INPUT           \
    }
const hst_op hst_op_conv2d = CONV2D("conv2d", hst_conv_attrs, HST_CONV_ATTRS, conv2d_type);
const hst_op hst_op_standardised =
    CONV2D("standardised", standardised_attrs,
           sizeof standardised_attrs / sizeof *standardised_attrs, standardised_type);
const hst_op hst_op_depthwise = {.name = "depthwise",
                                 .n_inputs = 1,
                                 .attrs = hst_conv_attrs,
                                 .n_attrs = HST_DEPTHWISE_ATTRS,
                                 .attr_bytes = sizeof(hst_conv),
                                 .infer_type = depthwise_type,
                                 .flops = depthwise_flops,
                                 .packed_bytes = depthwise_packed,
                                 .pack = depthwise_pack,
                                 .infer = hst_infer_depthwise,
                                 .forward = depthwise_forward,
                                 .backward = depthwise_backward,
                                 .reads = HST_READS_INPUT};
