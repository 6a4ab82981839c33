/* op_batchnorm.c - y = gamma (x - moving_mean) / sqrt(moving_variance + epsilon) + beta, for each
 * channel (Ioffe, Szegedy 2015). Learning looks at all images of a batch: learn/norm.c. */
#include "nn/infer/unit.h"

#include <math.h>
#include <string.h>

static const hst_attr attrs[] = {{"epsilon", HST_ATTR_REAL, 0, NULL}};
enum { GAMMA, BETA, MEAN, VARIANCE }; /* slots */

double hst_node_epsilon(const hst_node *n)
{
    double epsilon;
    memcpy(&epsilon, n->attrs, sizeof epsilon);
    return epsilon;
}

static int normalised_type(hst_node *n, const hst_type *in, hst_err *err)
{
    static const char *const endings[] = {"gamma", "beta", "moving_mean", "moving_variance"};
    const double epsilon = hst_node_epsilon(n);
    if (!(epsilon > 0 && epsilon < 1))
        return hst_fail(err, HST_EMODEL, "layer %s: epsilon %g is not between 0 and 1", n->name,
                        epsilon);
    for (int i = 0; i < 4; i++)
        n->slot[n->n_slots++] = (hst_slot){endings[i], i >= 2, {in->dim[in->n_dims - 1]}, 1};
    n->type = *in;
    return 0;
}

static double two_flops(const hst_node *n, const hst_shape *in)
{
    (void)n;
    return 2.0 * in->h * in->w * in->c;
}

static void fold(const hst_node *n, const float *const *param, double *scale, double *shift)
{
    for (int c = 0; c < hst_node_shape(n).c; c++) {
        const double g = param[GAMMA][c] / sqrt(param[VARIANCE][c] + hst_node_epsilon(n));
        scale[c] *= g;
        shift[c] = param[BETA][c] + (shift[c] - param[MEAN][c]) * g;
    }
}

const hst_op hst_op_batchnorm = {.name = "batchnorm",
                                 .n_inputs = 1,
                                 .attrs = attrs,
                                 .n_attrs = 1,
                                 .attr_bytes = sizeof(double),
                                 .infer_type = normalised_type,
                                 .flops = two_flops,
                                 .needs = hst_needs_same,
                                 .fold = fold,
                                 .norm = HST_NORM_BATCH,
                                 .infer = hst_infer_elementwise};
