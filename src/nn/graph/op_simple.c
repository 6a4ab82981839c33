/* op_simple.c - the ops around convolutions that have no parameters: input, addition, global
 * average pooling. */
#include "nn/infer/unit.h"

#include <stddef.h>
#include <string.h>

static const hst_attr input_attrs[] = {
    {"height", HST_ATTR_INT, offsetof(hst_shape, h), NULL},
    {"width", HST_ATTR_INT, offsetof(hst_shape, w), NULL},
    {"channels", HST_ATTR_INT, offsetof(hst_shape, c), NULL},
};

static int input_type(hst_node *n, const hst_type *in, hst_err *err)
{
    hst_shape shape;
    (void)in;
    (void)err;
    memcpy(&shape, n->attrs, sizeof shape);
    n->type = hst_image_type(shape);
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
    (void)n;
    return (double)in->h * in->w * in->c;
}

static int sum_type(hst_node *n, const hst_type *in, hst_err *err)
{
    const hst_shape x = hst_type_shape(&in[0]), y = hst_type_shape(&in[1]);
    if (x.h != y.h || x.w != y.w || x.c != y.c)
        return hst_fail(err, HST_EMODEL, "cannot add %d x %d x %d to %d x %d x %d", x.h, x.w, x.c,
                        y.h, y.w, y.c);
    n->type = in[0];
    return 0;
}

/* x, z, y [h][w][c] */
static void add_forward(const hst_op_args *a)
{
    const size_t n = hst_shape_floats(a->in[0]);
    for (size_t i = 0; i < n; i++)
        a->y[i] = a->x[0][i] + a->x[1][i];
}

static void add_backward(const hst_op_args *a)
{
    const size_t n = hst_shape_floats(a->in[0]);
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; a->dx[k] && i < n; i++)
            a->dx[k][i] += a->dy[i];
}

static int average_type(hst_node *n, const hst_type *in, hst_err *err)
{
    (void)err;
    n->type = hst_vector_type(in->dim[in->n_dims - 1]);
    return 0;
}

static int average_from(const hst_node *n)
{
    (void)n;
    return 0;
}

/* x [h][w][c], y [c] */
static void average_forward(const hst_op_args *a)
{
    a->kernels->average(a->x[0], hst_shape_pixels(a->in[0]), a->in[0].c, a->y);
}

static void average_backward(const hst_op_args *a)
{
    const size_t c = (size_t)a->in[0].c, pixels = hst_shape_pixels(a->in[0]);
    const float share = 1.0f / (float)pixels;
    for (size_t i = 0; i < pixels; i++)
        for (size_t k = 0; k < c; k++)
            a->dx[0][i * c + k] += a->dy[k] * share;
}

const hst_op hst_op_input = {.name = "input",
                             .attrs = input_attrs,
                             .n_attrs = 3,
                             .attr_bytes = sizeof(hst_shape),
                             .infer_type = input_type,
                             .flops = no_flops};
const hst_op hst_op_add = {.name = "add",
                           .n_inputs = 2,
                           .infer_type = sum_type,
                           .flops = one_flop,
                           .needs = hst_needs_same,
                           .infer = hst_infer_elementwise,
                           .forward = add_forward,
                           .backward = add_backward};
const hst_op hst_op_global_average = {.name = "global_average",
                                      .n_inputs = 1,
                                      .infer_type = average_type,
                                      .flops = one_flop,
                                      .mean_from = average_from,
                                      .infer = hst_infer_average,
                                      .forward = average_forward,
                                      .backward = average_backward};
