/* op_simple.c - the ops around convolutions: input, batch norm, ReLU6, addition, global average
 * pooling. */
#include "nn/op.h"

static double per_element(const hst_node *n)
{
    return (double)n->out.h * n->out.w * n->out.c;
}

static int same_shape(hst_node *n, const hst_shape *in, hst_err *err)
{
    (void)err;
    n->out = *in;
    return 0;
}

static int input_shape(hst_node *n, const hst_shape *in, hst_err *err)
{
    (void)n; /* the shape was given */
    (void)in;
    (void)err;
    return 0;
}

static double no_flops(const hst_node *n, const hst_shape *in)
{
    (void)n;
    (void)in;
    return 0;
}

static double one_flop(const hst_node *n, const hst_shape *in)
{
    (void)in;
    return per_element(n);
}

/* y = gamma (x - moving_mean) / sqrt(moving_variance + epsilon) + beta, per channel (Ioffe, Szegedy
 * 2015). */
static int batchnorm_shape(hst_node *n, const hst_shape *in, hst_err *err)
{
    static const char *const endings[] = {"gamma", "beta", "moving_mean", "moving_variance"};
    if (!(n->epsilon > 0 && n->epsilon < 1))
        return hst_fail(err, HST_EMODEL, "layer %s: epsilon %g is not between 0 and 1", n->name,
                        n->epsilon);
    for (int i = 0; i < 4; i++)
        n->slot[n->n_slots++] = (hst_slot){endings[i], i >= 2, {in->c}, 1};
    return same_shape(n, in, err);
}

static double batchnorm_flops(const hst_node *n, const hst_shape *in)
{
    (void)in;
    return 2 * per_element(n);
}

static int add_shape(hst_node *n, const hst_shape *in, hst_err *err)
{
    if (in[0].h != in[1].h || in[0].w != in[1].w || in[0].c != in[1].c)
        return hst_fail(err, HST_EMODEL, "cannot add %d x %d x %d to %d x %d x %d", in[0].h,
                        in[0].w, in[0].c, in[1].h, in[1].w, in[1].c);
    return same_shape(n, in, err);
}

static int average_shape(hst_node *n, const hst_shape *in, hst_err *err)
{
    (void)err;
    n->out = (hst_shape){1, 1, in->c};
    return 0;
}

static double average_flops(const hst_node *n, const hst_shape *in)
{
    (void)n;
    return (double)in->h * in->w * in->c;
}

static size_t floats(hst_shape s)
{
    return (size_t)s.h * (size_t)s.w * (size_t)s.c;
}

/* NaN is kept, as in the kernels. */
static void relu6_forward(const hst_op_args *a)
{
    size_t n = floats(a->node->out);
    for (size_t i = 0; i < n; i++)
        a->y[i] = a->x[0][i] < 0 ? 0 : a->x[0][i] > 6 ? 6 : a->x[0][i];
}

/* The gradient at 0 and at 6 themselves is 0, as TensorFlow and PyTorch have it. */
static void relu6_backward(const hst_op_args *a)
{
    size_t n = floats(a->node->out);
    for (size_t i = 0; i < n; i++)
        if (!(a->y[i] <= 0 || a->y[i] >= 6))
            a->dx[0][i] += a->dy[i];
}

static void add_forward(const hst_op_args *a)
{
    size_t n = floats(a->node->out);
    for (size_t i = 0; i < n; i++)
        a->y[i] = a->x[0][i] + a->x[1][i];
}

static void add_backward(const hst_op_args *a)
{
    size_t n = floats(a->node->out);
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; a->dx[k] && i < n; i++)
            a->dx[k][i] += a->dy[i];
}

static void average_forward(const hst_op_args *a)
{
    a->kernels->average(a->x[0], (size_t)a->in[0].h * (size_t)a->in[0].w, a->in[0].c, a->y);
}

static void average_backward(const hst_op_args *a)
{
    size_t c = (size_t)a->node->out.c, pixels = floats(a->in[0]) / c;
    float scale = 1.0f / (float)pixels;
    for (size_t i = 0; i < pixels; i++)
        for (size_t k = 0; k < c; k++)
            a->dx[0][i * c + k] += a->dy[k] * scale;
}

const hst_op hst_op_input = {.name = "input", .shape = input_shape, .flops = no_flops};
const hst_op hst_op_batchnorm = {
    .name = "batchnorm", .shape = batchnorm_shape, .flops = batchnorm_flops};
const hst_op hst_op_relu6 = {.name = "relu6",
                             .shape = same_shape,
                             .flops = one_flop,
                             .forward = relu6_forward,
                             .backward = relu6_backward,
                             .reads = HST_READS_OUTPUT};
const hst_op hst_op_add = {.name = "add",
                           .shape = add_shape,
                           .flops = one_flop,
                           .forward = add_forward,
                           .backward = add_backward};
const hst_op hst_op_global_average = {.name = "global_average",
                                      .shape = average_shape,
                                      .flops = average_flops,
                                      .forward = average_forward,
                                      .backward = average_backward};
