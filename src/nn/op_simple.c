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

const hst_op hst_op_input = {"input", input_shape, no_flops};
const hst_op hst_op_batchnorm = {"batchnorm", batchnorm_shape, batchnorm_flops};
const hst_op hst_op_relu6 = {"relu6", same_shape, one_flop};
const hst_op hst_op_add = {"add", add_shape, one_flop};
const hst_op hst_op_global_average = {"global_average", average_shape, average_flops};
