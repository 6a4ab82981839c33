#include "onnx_operators.h"

#include <math.h>
#include <string.h>

/* ---- inputs and attributes ---- */

static int64_t attribute_int(const onnx_node *n, const char *name, int64_t absent)
{
    const onnx_attribute *a = onnx_find_attribute(n, name);
    return a ? a->i : absent;
}

/* A tensor of one number. */
static int scalar(const onnx *o, int i, double *v)
{
    float f;
    const hst_tensor *t = onnx_input_tensor(o, i);
    if (!t || hst_tensor_count(t) != 1 || hst_tensor_floats(t, &f, NULL))
        return 0;
    *v = (double)f;
    return 1;
}

/* ---- operators: each returns the number of its result or an error ---- */

static int conv_window(const onnx_node *n, net_conv *c, hst_err *err)
{
    const onnx_attribute *strides = onnx_find_attribute(n, "strides");
    const onnx_attribute *pads = onnx_find_attribute(n, "pads");
    const onnx_attribute *dilations = onnx_find_attribute(n, "dilations");
    const onnx_attribute *how = onnx_find_attribute(n, "auto_pad");
    if (dilations && (dilations->n_ints != 2 || dilations->ints[0] != 1 || dilations->ints[1] != 1))
        return onnx_refuse(err, "a convolution is dilated");
    if (strides && (strides->n_ints != 2 || strides->ints[0] != strides->ints[1]))
        return onnx_refuse(err, "a convolution has two strides");
    c->stride = strides ? strides->ints[0] : 1;
    if (how && pb_is(&how->s, "SAME_UPPER"))
        c->same = 1;
    else if (how && !pb_is(&how->s, "NOTSET") && !pb_is(&how->s, "VALID"))
        return onnx_refuse(err, "a convolution pads in an unknown way");
    else if (pads && !(how && pb_is(&how->s, "VALID"))) {
        if (pads->n_ints != 4)
            return onnx_refuse(err, "a convolution has no four pads");
        memcpy(c->pad, pads->ints, sizeof c->pad);
    }
    return 0;
}

static int conv(onnx *o, int x, int how, hst_err *err)
{
    (void)how;
    net_conv c = {.kernel = onnx_input_tensor(o, 1), .layout = NET_OIHW};
    int64_t group = attribute_int(&o->node, "group", 1);
    int has_bias = o->node.n_in > 2 && o->node.in[2].n;
    if (!c.kernel || c.kernel->n_dims != 4 || (has_bias && !onnx_input_tensor(o, 2)))
        return onnx_refuse(err, "a convolution has no constant kernel and bias");
    if (group != 1 && (group != c.kernel->dim[0] || c.kernel->dim[1] != 1))
        return onnx_refuse(err, "a convolution is neither whole nor depthwise");
    c.depthwise = group != 1;
    int rc = conv_window(&o->node, &c, err);
    if (rc)
        return rc;
    x = net_conv2d(&o->net, x, &c, err);
    return x >= 0 && has_bias ? net_bias(&o->net, x, onnx_input_tensor(o, 2), err) : x;
}

static int activate(onnx *o, int x, int how, hst_err *err)
{
    return net_activate(&o->net, x, (enum net_act)how, err);
}

static int batchnorm(onnx *o, int x, int how, hst_err *err)
{
    (void)how;
    const hst_tensor *of[4] = {onnx_input_tensor(o, 1), onnx_input_tensor(o, 2),
                               onnx_input_tensor(o, 3), onnx_input_tensor(o, 4)};
    const onnx_attribute *epsilon = onnx_find_attribute(&o->node, "epsilon");
    if (!of[0] || !of[1] || !of[2] || !of[3])
        return onnx_refuse(err, "batch norm has no constant statistics");
    return net_batchnorm(&o->net, x, of, epsilon ? (double)epsilon->f : 1e-5, err);
}

static int clip(onnx *o, int x, int how, hst_err *err)
{
    (void)how;
    const onnx_attribute *low_a = onnx_find_attribute(&o->node, "min");
    const onnx_attribute *high_a = onnx_find_attribute(&o->node, "max");
    double low = low_a ? (double)low_a->f : -1, high = high_a ? (double)high_a->f : -1;
    if (o->node.n_in == 3 && !(scalar(o, 1, &low) && scalar(o, 2, &high)))
        low = high = -1;
    if (low != 0 || high != 6)
        return onnx_refuse(err, "a Clip is not from 0 to 6");
    return net_activate(&o->net, x, NET_RELU6, err);
}

/* max(0, min(1, alpha x + beta)); absent: .2 and .5. */
static int hard_sigmoid(onnx *o, int x, int how, hst_err *err)
{
    (void)how;
    const onnx_attribute *alpha = onnx_find_attribute(&o->node, "alpha");
    const onnx_attribute *beta = onnx_find_attribute(&o->node, "beta");
    if (!alpha || fabsf(alpha->f - 1.0f / 6) > 1e-6f || (beta && beta->f != 0.5f))
        return onnx_refuse(err, "a HardSigmoid is not relu6(x + 3) / 6");
    return net_activate(&o->net, x, NET_HSIGMOID, err);
}

/* An operator on two values, or on one and a constant: + - * /. */
static int binary(onnx *o, int x, int how, hst_err *err)
{
    const char op = (char)how;
    const int a = onnx_input_value(o, 0), b = onnx_input_value(o, 1);
    const hst_tensor *c = onnx_input_tensor(o, a < 0 ? 0 : 1);
    const int commutes = op == '+' || op == '*';
    if (a >= 0 && b >= 0 && commutes)
        return op == '+' ? net_add(&o->net, a, b, err) : net_multiply(&o->net, a, b, err);
    if (!c || (a < 0 && !commutes))
        return onnx_refuse(err, "an Add, Sub, Mul or Div is of values that are not known");
    return net_constant(&o->net, x, op, c, err);
}

/* pads: begin of every dimension, then end. */
static int pad(onnx *o, int x, int how, hst_err *err)
{
    (void)how;
    const onnx_attribute *mode = onnx_find_attribute(&o->node, "mode"),
                         *a = onnx_find_attribute(&o->node, "pads");
    const hst_tensor *t = onnx_input_tensor(o, 1);
    int64_t p[8] = {0};
    double with = 0;
    if (t && t->dtype == HST_I64 && hst_tensor_count(t) == 8)
        memcpy(p, t->data, sizeof p);
    else if (a && a->n_ints == 8)
        memcpy(p, a->ints, sizeof p);
    else
        return onnx_refuse(err, "a Pad works out its widths from something unknown: export the "
                                "network for pictures of a fixed size");
    if ((mode && !pb_is(&mode->s, "constant")) ||
        (onnx_input_tensor(o, 2) && !scalar(o, 2, &with)) || with != 0 || p[0] || p[1] || p[4] ||
        p[5])
        return onnx_refuse(err, "a Pad adds something else than zeros around the picture");
    return net_pad(&o->net, x, (int64_t[4]){p[2], p[3], p[6], p[7]}, err);
}

static int max_pool(onnx *o, int x, int how, hst_err *err)
{
    (void)how;
    const onnx_attribute *kernel = onnx_find_attribute(&o->node, "kernel_shape");
    net_conv c = {0};
    int rc = conv_window(&o->node, &c, err);
    if (rc)
        return rc;
    if (attribute_int(&o->node, "ceil_mode", 0) || !kernel || kernel->n_ints != 2 ||
        kernel->ints[0] != kernel->ints[1])
        return onnx_refuse(err, "a MaxPool is of an unknown kind");
    return net_max_pool(&o->net, x, &c, kernel->ints[0], err);
}

/* Over everything, or it is none that the networks here have. A window larger than the map is cut
 * to it where the output's size is rounded up. */
static int average_pool(onnx *o, int x, int how, hst_err *err)
{
    (void)how;
    const onnx_attribute *kernel = onnx_find_attribute(&o->node, "kernel_shape");
    const onnx_attribute *pads = onnx_find_attribute(&o->node, "pads");
    const net_value *v = &o->net.value[x];
    const int cut = attribute_int(&o->node, "ceil_mode", 0) != 0;
    for (int i = 0; pads && i < pads->n_ints; i++)
        if (pads->ints[i])
            return onnx_refuse(err, "an AveragePool pads");
    for (int i = 0; i < 2; i++) {
        const int64_t size = i ? v->w : v->h;
        if (!kernel || kernel->n_ints != 2 || size < 1 || kernel->ints[i] < size ||
            (kernel->ints[i] > size && !cut))
            return onnx_refuse(err, "an AveragePool is not over the whole picture");
    }
    return net_average(&o->net, x, err);
}

static int average(onnx *o, int x, int how, hst_err *err)
{
    (void)how;
    const onnx_attribute *a = onnx_find_attribute(&o->node, "axes");
    const hst_tensor *t = onnx_input_tensor(o, 1);
    int64_t axes[2] = {2, 3};
    if (pb_is(&o->node.op, "ReduceMean")) {
        if (t && t->dtype == HST_I64 && hst_tensor_count(t) == 2)
            memcpy(axes, t->data, sizeof axes);
        else if (a && a->n_ints == 2)
            memcpy(axes, a->ints, sizeof axes);
        else
            return onnx_refuse(err, "a ReduceMean is not over height and width");
    }
    int64_t a0 = axes[0] < 0 ? axes[0] + 4 : axes[0], a1 = axes[1] < 0 ? axes[1] + 4 : axes[1];
    if (!(a0 > 0 && a0 < 4 && a1 > 0 && a1 < 4 && (a1 == a0 + 1 || a1 == a0 - 1)))
        return onnx_refuse(err, "a ReduceMean is not over height and width");
    return net_average(&o->net, x, err);
}

static int same(onnx *o, int x, int how, hst_err *err)
{
    (void)how;
    (void)o;
    (void)err;
    return x;
}

/* Between picture layouts; the convolutions' sizes say if it is not. */
static int transpose(onnx *o, int x, int how, hst_err *err)
{
    (void)how;
    (void)err;
    o->channels_first = 0;
    return x;
}

static int reshape(onnx *o, int x, int how, hst_err *err)
{
    (void)how;
    return net_reshape(&o->net, x, err);
}

/* x kernel + bias, of a classifier. */
static int gemm(onnx *o, int x, int how, hst_err *err)
{
    (void)how;
    const onnx_attribute *alpha = onnx_find_attribute(&o->node, "alpha"),
                         *beta = onnx_find_attribute(&o->node, "beta");
    const struct net_head head = {.transposed = attribute_int(&o->node, "transB", 0) != 0,
                                  .kernel = onnx_input_tensor(o, 1),
                                  .bias = onnx_input_tensor(o, 2)};
    if (o->ours && head.kernel && head.bias)
        return net_head(&o->net, x, &head, err);
    if (attribute_int(&o->node, "transA", 0) || (alpha && alpha->f != 1) ||
        (beta && beta->f != 1) || (o->node.n_in > 2 && o->node.in[2].n && !head.bias))
        return onnx_refuse(err, "a Gemm is of an unknown kind");
    return net_dense(
        &o->net, x,
        &(net_step){.kernel = head.kernel, .bias = head.bias, .transposed = head.transposed}, err);
}

static int matmul(onnx *o, int x, int how, hst_err *err)
{
    (void)how;
    return net_dense(&o->net, x, &(net_step){.kernel = onnx_input_tensor(o, 1)}, err);
}

static int softmax(onnx *o, int x, int how, hst_err *err)
{
    (void)how;
    return net_softmax(&o->net, x, err);
}

static const struct {
    const char *name;
    int (*read)(onnx *o, int x, int how, hst_err *err);
    int how; /* an activation, or which of + - * / */
} operators[] = {
    {"Conv", conv, 0},
    {"BatchNormalization", batchnorm, 0},
    {"Clip", clip, 0},
    {"Relu", activate, NET_RELU},
    {"Sigmoid", activate, NET_SIGMOID},
    {"HardSigmoid", hard_sigmoid, 0},
    {"HardSwish", activate, NET_HSWISH},
    {"Add", binary, '+'},
    {"Sub", binary, '-'},
    {"Mul", binary, '*'},
    {"Div", binary, '/'},
    {"Pad", pad, 0},
    {"MaxPool", max_pool, 0},
    {"AveragePool", average_pool, 0},
    {"GlobalAveragePool", average, 0},
    {"ReduceMean", average, 0},
    {"Flatten", reshape, 0},
    {"Reshape", reshape, 0},
    {"Squeeze", reshape, 0},
    {"Unsqueeze", reshape, 0},
    {"Gemm", gemm, 0},
    {"MatMul", matmul, 0},
    {"Softmax", softmax, 0},
    {"Cast", same, 0},
    {"Identity", same, 0},
    {"Dropout", same, 0},
    {"Transpose", transpose, 0},
};
enum { N_OPERATORS = sizeof operators / sizeof *operators };

int onnx_operator(onnx *o, int x, hst_err *err)
{
    for (int i = 0; i < N_OPERATORS; i++)
        if (pb_is(&o->node.op, operators[i].name))
            return operators[i].read(o, x, operators[i].how, err);
    return hst_fail(err, HST_EMODEL,
                    "the ONNX operator '%.*s' is none that the networks known here have",
                    o->node.op.b.n < 100 ? (int)o->node.op.b.n : 100, (const char *)o->node.op.b.p);
}
