/* onnx_compute.c - what the operators of ONNX compute. Source: https://onnx.ai/onnx/operators */
#include "onnx_compute.h"

#include <math.h>
#include <string.h>

/* ---- element by element ---- */

static void say_act(onnx_run *r, const char *act)
{
    r->act = r->act ? r->act : act;
}

/* x sigmoid(1.702 x) begins with such a product. */
static int is_quick(const onnx_run *r)
{
    for (int i = 0; i < 2; i++)
        if (ev_count(&r->in[i]) == 1 && fabsf(r->in[i].x[0] - 1.702F) < 1e-4F)
            return 1;
    return 0;
}

static int binary(onnx_run *r, int how, hst_err *err)
{
    if (how == '*' && is_quick(r))
        say_act(r, "gelu_quick");
    return ev_binary(&r->e, (char)how, &r->in[0], &r->in[1], &r->out[0], err);
}

/* a > b as b < a. */
static int greater(onnx_run *r, int how, hst_err *err)
{
    return ev_binary(&r->e, (char)how, &r->in[1], &r->in[0], &r->out[0], err);
}

static int unary(onnx_run *r, int how, hst_err *err)
{
    if (how == EV_ERF || how == EV_TANH)
        say_act(r, how == EV_ERF ? "gelu" : "gelu_tanh");
    return ev_unary(&r->e, (enum ev_function)how, &r->in[0], &r->out[0], err);
}

static int gelu_of(onnx_run *r, int how, hst_err *err)
{
    const onnx_attribute *a = onnx_find_attribute(&r->o->node, "approximate");
    const int by_tanh = a && pb_is(&a->s, "tanh");
    (void)how;
    say_act(r, by_tanh ? "gelu_tanh" : "gelu");
    return ev_unary(&r->e, by_tanh ? EV_GELU_TANH : EV_GELU, &r->in[0], &r->out[0], err);
}

/* TensorProto.DataType */
static int cast(onnx_run *r, int how, hst_err *err)
{
    enum { INT32 = 6, INT64 = 7, BOOL = 9 };
    const int64_t to = onnx_integer(r, "to", 0);
    const int whole = to == INT32 || to == INT64 || to == BOOL;
    (void)how;
    const int rc = ev_unary(&r->e,
                            to == BOOL ? EV_IS_NOT_ZERO
                            : whole    ? EV_TRUNC
                                       : EV_ITSELF,
                            &r->in[0], &r->out[0], err);
    r->out[0].whole = whole;
    return rc;
}

static int number(onnx_run *r, double v, ev_array *out, hst_err *err)
{
    const int rc = ev_new(&r->e, 0, NULL, out, err);
    if (rc == 0)
        out->own[0] = (float)v;
    return rc;
}

static int bounded(onnx_run *r, double low, double high, hst_err *err)
{
    ev_array least = {0}, most = {0}, above = {0};
    int rc = number(r, low, &least, err);
    rc = rc ? rc : number(r, high, &most, err);
    rc = rc ? rc : ev_binary(&r->e, 'M', &r->in[0], &least, &above, err);
    rc = rc ? rc : ev_binary(&r->e, 'm', &above, &most, &r->out[0], err);
    r->out[0].whole = r->in[0].whole;
    ev_free(&least);
    ev_free(&most);
    ev_free(&above);
    return rc;
}

static int clip(onnx_run *r, int how, hst_err *err)
{
    double low = onnx_real(r, "min", -INFINITY), high = onnx_real(r, "max", INFINITY);
    (void)how;
    if (onnx_has(r, 1) && ev_count(&r->in[1]) == 1)
        low = (double)r->in[1].x[0];
    if (onnx_has(r, 2) && ev_count(&r->in[2]) == 1)
        high = (double)r->in[2].x[0];
    return bounded(r, low, high, err);
}

static int hard_sigmoid(onnx_run *r, int how, hst_err *err)
{
    const float alpha = (float)onnx_real(r, "alpha", 0.2), beta = (float)onnx_real(r, "beta", 0.5);
    (void)how;
    const int rc = onnx_copy(r, &r->in[0], &r->out[0], err);
    for (size_t i = 0; rc == 0 && i < ev_count(&r->out[0]); i++)
        r->out[0].own[i] = fmaxf(0, fminf(1, alpha * r->out[0].own[i] + beta));
    return rc;
}

static int where(onnx_run *r, int how, hst_err *err)
{
    (void)how;
    return ev_where(&r->e, &r->in[0], &r->in[1], &r->in[2], &r->out[0], err);
}

/* ---- sums ---- */

static int reduce(onnx_run *r, int how, hst_err *err)
{
    int64_t axes[ONNX_MOST_WHOLE];
    const int n = onnx_whole_numbers(r, 1, "axes", axes);
    unsigned over = n ? 0 : (1u << r->in[0].n_dims) - 1;
    (void)how;
    for (int i = 0; i < n; i++)
        if (onnx_axis(axes[i], r->in[0].n_dims) >= 0)
            over |= 1u << onnx_axis(axes[i], r->in[0].n_dims);
    return ev_reduce(&r->e, (char)how, &r->in[0], over, onnx_integer(r, "keepdims", 1) != 0,
                     &r->out[0], err);
}

static int global_average(onnx_run *r, int how, hst_err *err)
{
    (void)how;
    return ev_reduce(&r->e, 'm', &r->in[0], ((1u << r->in[0].n_dims) - 1) & ~3u, 1, &r->out[0],
                     err);
}

/* Of attention: [batch][heads][queries][keys], or without the batch. */
static int softmax(onnx_run *r, int how, hst_err *err)
{
    const ev_array *x = &r->in[0];
    (void)how;
    if (x->n_dims >= 3 && !r->heads)
        r->heads = (int)x->dim[x->n_dims - 3];
    return ev_softmax(&r->e, x, onnx_axis(onnx_integer(r, "axis", -1), x->n_dims), &r->out[0], err);
}

/* y = x by + plus, in r->out[0], which is x. */
static int scaled(onnx_run *r, const ev_array *by, const ev_array *plus, hst_err *err)
{
    ev_array x = r->out[0], product = {0};
    r->out[0] = (ev_array){0};
    int rc = ev_binary(&r->e, '*', &x, by, plus ? &product : &r->out[0], err);
    rc = rc || !plus ? rc : ev_binary(&r->e, '+', &product, plus, &r->out[0], err);
    ev_free(&x);
    ev_free(&product);
    return rc;
}

static int layer_norm(onnx_run *r, int how, hst_err *err)
{
    const int n = r->in[0].n_dims, axis = onnx_axis(onnx_integer(r, "axis", -1), n);
    const double epsilon = onnx_real(r, "epsilon", 1e-5);
    size_t run = 1;
    (void)how;
    if (axis < 0)
        return onnx_odd(r, "is over no axis", err);
    for (int i = axis; i < n; i++)
        run *= (size_t)r->in[0].dim[i];
    r->epsilon = r->epsilon > 0 ? r->epsilon : epsilon;
    const int rc = ev_normalise(&r->e, &r->in[0], run, epsilon, &r->out[0], err);
    return rc ? rc : scaled(r, &r->in[1], onnx_has(r, 2) ? &r->in[2] : NULL, err);
}

/* What two vectors do to the channels of r->in[0]. */
static int to_channels(onnx_run *r, const ev_array *x, const ev_array *by, const ev_array *plus,
                       hst_err *err)
{
    const size_t c = x->n_dims > 1 ? (size_t)x->dim[1] : 0;
    if (!c || ev_count(by) != c || ev_count(plus) != c)
        return onnx_odd(r, "has not a number for a channel", err);
    return ev_channels(&r->e, x, by->x, plus->x, &r->out[0], err);
}

static int batch_norm(onnx_run *r, int how, hst_err *err)
{
    const double epsilon = onnx_real(r, "epsilon", 1e-5);
    ev_array by = {0}, plus = {0};
    const size_t c = ev_count(&r->in[1]);
    (void)how;
    for (int i = 2; i < 5; i++)
        if (ev_count(&r->in[i]) != c)
            return onnx_odd(r, "has not a number for a channel", err);
    int rc = onnx_copy(r, &r->in[1], &by, err);
    rc = rc ? rc : onnx_copy(r, &r->in[2], &plus, err);
    for (size_t i = 0; rc == 0 && i < c; i++) {
        const double scale = (double)by.x[i] / sqrt((double)r->in[4].x[i] + epsilon);
        by.own[i] = (float)scale;
        plus.own[i] = (float)((double)plus.x[i] - (double)r->in[3].x[i] * scale);
    }
    rc = rc ? rc : to_channels(r, &r->in[0], &by, &plus, err);
    ev_free(&by);
    ev_free(&plus);
    return rc;
}

/* Of one channel, or of groups of them. */
static int group_norm(onnx_run *r, int how, hst_err *err)
{
    const ev_array *x = &r->in[0];
    const int64_t c = x->n_dims > 1 ? x->dim[1] : 0, groups = onnx_integer(r, "num_groups", c);
    ev_array normal = {0};
    (void)how;
    if (c < 1 || x->dim[0] < 1 || groups < 1 || c % groups)
        return onnx_odd(r, "has no channels", err);
    const size_t run = ev_count(x) / (size_t)(x->dim[0] * groups);
    int rc = ev_normalise(&r->e, x, run, onnx_real(r, "epsilon", 1e-5), &normal, err);
    rc = rc ? rc : to_channels(r, &normal, &r->in[1], &r->in[2], err);
    ev_free(&normal);
    return rc;
}

static int matmul(onnx_run *r, int how, hst_err *err)
{
    (void)how;
    return ev_matmul(&r->e, &r->in[0], &r->in[1], &r->out[0], err);
}

static int turned(onnx_run *r, int i, const char *attribute, ev_array *out, hst_err *err)
{
    return onnx_integer(r, attribute, 0) && r->in[i].n_dims == 2
               ? ev_transpose(&r->e, &r->in[i], (const int[]){1, 0}, out, err)
               : onnx_copy(r, &r->in[i], out, err);
}

static int gemm(onnx_run *r, int how, hst_err *err)
{
    const float alpha = (float)onnx_real(r, "alpha", 1), beta = (float)onnx_real(r, "beta", 1);
    ev_array a = {0}, b = {0}, c = {0}, product = {0};
    (void)how;
    int rc = turned(r, 0, "transA", &a, err);
    rc = rc ? rc : turned(r, 1, "transB", &b, err);
    rc = rc ? rc : ev_matmul(&r->e, &a, &b, &product, err);
    for (size_t i = 0; rc == 0 && i < ev_count(&product); i++)
        product.own[i] *= alpha;
    rc = rc ? rc : onnx_has(r, 2) ? onnx_copy(r, &r->in[2], &c, err) : number(r, 0, &c, err);
    for (size_t i = 0; rc == 0 && i < ev_count(&c); i++)
        c.own[i] *= beta;
    rc = rc ? rc : ev_binary(&r->e, '+', &product, &c, &r->out[0], err);
    ev_free(&a);
    ev_free(&b);
    ev_free(&c);
    ev_free(&product);
    return rc;
}

/* ---- windows ---- */

static int window_of(onnx_run *r, const int64_t kernel[2], ev_window *w, hst_err *err)
{
    const onnx_attribute *strides = onnx_find_attribute(&r->o->node, "strides"),
                         *pads = onnx_find_attribute(&r->o->node, "pads"),
                         *dilations = onnx_find_attribute(&r->o->node, "dilations"),
                         *how = onnx_find_attribute(&r->o->node, "auto_pad");
    const int same = how && pb_is(&how->s, "SAME_UPPER"), set = how && !pb_is(&how->s, "NOTSET");
    *w = (ev_window){.stride = {1, 1}, .groups = onnx_integer(r, "group", 1)};
    for (int i = 0; i < 2; i++) {
        w->kernel[i] = kernel[i];
        if (dilations && dilations->ints[i] != 1)
            return onnx_odd(r, "is dilated", err);
        if (strides)
            w->stride[i] = strides->ints[i];
        if (w->stride[i] < 1 || r->in[0].n_dims != 4 || (set && !same && !pb_is(&how->s, "VALID")))
            return onnx_odd(r, "is of an unknown kind", err);
        const int64_t size = r->in[0].dim[2 + i], s = w->stride[i];
        const int64_t total = ((size + s - 1) / s - 1) * s + kernel[i] - size;
        w->pad[i] = same && total > 0 ? total / 2 : 0;
        w->pad[2 + i] = same && total > 0 ? total - total / 2 : 0;
    }
    if (pads && pads->n_ints != 4)
        return onnx_odd(r, "is of an unknown kind", err);
    if (pads && !set)
        memcpy(w->pad, pads->ints, sizeof w->pad);
    return 0;
}

static int conv(onnx_run *r, int how, hst_err *err)
{
    ev_window w;
    (void)how;
    if (r->in[1].n_dims != 4)
        return onnx_odd(r, "is not of pictures", err);
    const int rc = window_of(r, r->in[1].dim + 2, &w, err);
    return rc ? rc
              : ev_conv(&r->e, &r->in[0], &r->in[1], onnx_has(r, 2) ? &r->in[2] : NULL, &w,
                        &r->out[0], err);
}

static int pool(onnx_run *r, int largest, hst_err *err)
{
    const onnx_attribute *kernel = onnx_find_attribute(&r->o->node, "kernel_shape");
    ev_window w;
    int rc = kernel && kernel->n_ints == 2 ? window_of(r, kernel->ints, &w, err)
                                           : onnx_odd(r, "is not of pictures", err);
    if (rc)
        return rc;
    w.rounds_up = onnx_integer(r, "ceil_mode", 0) != 0;
    w.counts_zeros = onnx_integer(r, "count_include_pad", 0) != 0;
    return ev_pool(&r->e, &r->in[0], &w, largest, &r->out[0], err);
}

static const struct {
    const char *name;
    int (*compute)(onnx_run *r, int how, hst_err *err);
    int how;   /* which operation or function */
    int least; /* inputs that it must have */
} operators[] = {
    {"Abs", unary, EV_ABS, 1},
    {"Add", binary, '+', 2},
    {"And", binary, '&', 2},
    {"AveragePool", pool, 0, 1},
    {"BatchNormalization", batch_norm, 0, 5},
    {"Cast", cast, 0, 1},
    {"Ceil", unary, EV_CEIL, 1},
    {"Clip", clip, 0, 1},
    {"Concat", onnx_concat, 0, 1},
    {"Constant", onnx_constant, 0, 0},
    {"ConstantOfShape", onnx_constant_of_shape, 0, 1},
    {"Conv", conv, 0, 2},
    {"Cos", unary, EV_COS, 1},
    {"Div", binary, '/', 2},
    {"Dropout", unary, EV_ITSELF, 1},
    {"Equal", binary, '=', 2},
    {"Erf", unary, EV_ERF, 1},
    {"Exp", unary, EV_EXP, 1},
    {"Expand", onnx_expand, 0, 2},
    {"Flatten", onnx_flatten, 0, 1},
    {"Floor", unary, EV_FLOOR, 1},
    {"Gather", onnx_gather, 0, 2},
    {"Gelu", gelu_of, 0, 1},
    {"Gemm", gemm, 0, 2},
    {"GlobalAveragePool", global_average, 0, 1},
    {"Greater", greater, '<', 2},
    {"GroupNormalization", group_norm, 0, 3},
    {"HardSigmoid", hard_sigmoid, 0, 1},
    {"HardSwish", unary, EV_HARD_SWISH, 1},
    {"Identity", unary, EV_ITSELF, 1},
    {"InstanceNormalization", group_norm, 0, 3},
    {"LayerNormalization", layer_norm, 0, 2},
    {"IsNaN", unary, EV_IS_NAN, 1},
    {"Less", binary, '<', 2},
    {"MatMul", matmul, 0, 2},
    {"Max", binary, 'M', 2},
    {"MaxPool", pool, 1, 1},
    {"Min", binary, 'm', 2},
    {"Mod", binary, '%', 2},
    {"Mul", binary, '*', 2},
    {"Neg", unary, EV_NEGATIVE, 1},
    {"Not", unary, EV_NOT, 1},
    {"Pad", onnx_pad, 0, 1},
    {"Pow", binary, '^', 2},
    {"Range", onnx_range, 0, 3},
    {"Reciprocal", unary, EV_RECIPROCAL, 1},
    {"ReduceMean", reduce, 'm', 1},
    {"ReduceSum", reduce, '+', 1},
    {"Relu", unary, EV_RELU, 1},
    {"Reshape", onnx_reshape, 0, 2},
    {"Resize", onnx_resize, 0, 1},
    {"Shape", onnx_shape, 0, 1},
    {"Sigmoid", unary, EV_SIGMOID, 1},
    {"Sin", unary, EV_SIN, 1},
    {"Slice", onnx_slice, 0, 1},
    {"Softmax", softmax, 0, 1},
    {"Split", onnx_split, 0, 1},
    {"Sqrt", unary, EV_SQRT, 1},
    {"Squeeze", onnx_squeeze, 0, 1},
    {"Sub", binary, '-', 2},
    {"Swish", unary, EV_SWISH, 1},
    {"Tanh", unary, EV_TANH, 1},
    {"Tile", onnx_tile, 0, 2},
    {"Transpose", onnx_transpose, 0, 1},
    {"Unsqueeze", onnx_unsqueeze, 0, 1},
    {"Where", where, 0, 3},
};

int onnx_compute(onnx_run *r, hst_err *err)
{
    const onnx_node *n = &r->o->node;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (!pb_is(&n->op, operators[i].name))
            continue;
        for (int k = 0; k < operators[i].least; k++)
            if (!onnx_has(r, k))
                return onnx_odd(r, "lacks an input", err);
        return operators[i].compute(r, operators[i].how, err);
    }
    return hst_fail(err, HST_EMODEL,
                    "its graph cannot be computed: the ONNX operator '%.*s' is not known",
                    n->op.b.n < 100 ? (int)n->op.b.n : 100, (const char *)n->op.b.p);
}
