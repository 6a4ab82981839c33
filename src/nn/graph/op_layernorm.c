/* op_layernorm.c - y = gamma (x - mean) / sqrt(variance + epsilon) + beta, mean and variance those
 * of the channels of each pixel or token (Ba et al. 2016, arXiv 1607.06450). */
#include "nn/infer/unit.h"

static const hst_attr attrs[] = {{"epsilon", HST_ATTR_REAL, 0, NULL}};
enum { GAMMA, BETA }; /* slots */

static int normalised_type(hst_node *n, const hst_type *in, hst_err *err)
{
    static const char *const endings[] = {"gamma", "beta"};
    const double epsilon = hst_node_epsilon(n);
    if (!(epsilon > 0 && epsilon < 1))
        return hst_fail(err, HST_EMODEL, "layer %s: epsilon %g is not between 0 and 1", n->name,
                        epsilon);
    for (int i = 0; i < 2; i++)
        n->slot[n->n_slots++] = (hst_slot){endings[i], 0, {in->dim[in->n_dims - 1]}, 1};
    n->type = *in;
    return 0;
}

/* Two for each of the sums, three for what is made of them. */
static double seven_flops(const hst_node *n, const hst_shape *in)
{
    (void)n;
    return 7.0 * (double)hst_shape_floats(*in);
}

/* x, y [h][w][c] */
static void infer(const hst_infer_unit *u, const hst_run_args *a)
{
    const hst_share rows = hst_share_of(a, (int)hst_shape_pixels(u->out));
    const size_t c = (size_t)u->out.c, at = (size_t)rows.first * c;
    a->kernels->layer_norm(&(hst_layer_norm){.x = a->x[0] + at,
                                             .gamma = u->param[GAMMA],
                                             .beta = u->param[BETA],
                                             .y = a->y + at,
                                             .ldx = c,
                                             .ldy = c,
                                             .rows = (size_t)(rows.end - rows.first),
                                             .c = (int)c,
                                             .epsilon = (float)hst_node_epsilon(&u->node)});
}

static void backward(const hst_op_args *a)
{
    a->kernels->layer_norm_back(
        &(hst_layer_norm_back){.x = a->x[0],
                               .gamma = a->param[GAMMA],
                               .dy = a->dy,
                               .dx = a->dx[0],
                               .dgamma = a->dparam[GAMMA],
                               .dbeta = a->dparam[BETA],
                               .rows = hst_shape_pixels(a->in[0]),
                               .c = a->in[0].c,
                               .epsilon = (float)hst_node_epsilon(a->node)});
}

const hst_op hst_op_layernorm = {.name = "layernorm",
                                 .n_inputs = 1,
                                 .attrs = attrs,
                                 .n_attrs = 1,
                                 .attr_bytes = sizeof(double),
                                 .infer_type = normalised_type,
                                 .flops = seven_flops,
                                 .needs = hst_needs_same,
                                 .infer = infer,
                                 .backward = backward,
                                 .reads = HST_READS_INPUT};
