/* op_times.c - y = by x, one number that does not learn: how much of a block's result is added to
 * what went in (Szegedy et al. 2016, arXiv 1602.07261, section 3.3). */
#include "nn/infer/unit.h"

#include <stddef.h>
#include <string.h>

typedef struct times {
    double by;
} times;

static const hst_attr times_attrs[] = {{"by", HST_ATTR_REAL, offsetof(times, by), NULL}};

double hst_node_factor(const hst_node *n)
{
    times t;
    memcpy(&t, n->attrs, sizeof t);
    return t.by;
}

static int same_type(hst_node *n, const hst_type *in, hst_err *err)
{
    (void)err;
    n->type = *in;
    return 0;
}

static double one_flop(const hst_node *n, const hst_shape *in)
{
    (void)n;
    return (double)hst_shape_floats(*in);
}

static void fold(const hst_node *n, const float *const *param, double *scale, double *shift)
{
    (void)param;
    for (int c = 0; c < hst_node_shape(n).c; c++) {
        scale[c] *= hst_node_factor(n);
        shift[c] *= hst_node_factor(n);
    }
}

/* x, y [h][w][c] */
static void forward(const hst_op_args *a)
{
    const float by = (float)hst_node_factor(a->node);
    const size_t n = hst_shape_floats(a->in[0]);
    for (size_t i = 0; i < n; i++)
        a->y[i] = a->x[0][i] * by;
}

static void backward(const hst_op_args *a)
{
    const float by = (float)hst_node_factor(a->node);
    const size_t n = hst_shape_floats(a->in[0]);
    for (size_t i = 0; i < n; i++)
        a->dx[0][i] += a->dy[i] * by;
}

const hst_op hst_op_times = {.name = "times",
                             .n_inputs = 1,
                             .attrs = times_attrs,
                             .n_attrs = 1,
                             .attr_bytes = sizeof(times),
                             .infer_type = same_type,
                             .flops = one_flop,
                             .needs = hst_needs_same,
                             .fold = fold,
                             .norm = HST_NORM_FACTOR,
                             .infer = hst_infer_elementwise,
                             .forward = forward,
                             .backward = backward};
