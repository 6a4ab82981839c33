/* op_layer_scale.c - y = gamma x, a number for each channel that is learned: how much of a block's
 * result is added to what went in (Touvron et al. 2021, arXiv 2103.17239). */
#include "nn/infer/unit.h"

static int scaled_type(hst_node *n, const hst_type *in, hst_err *err)
{
    (void)err;
    n->slot[n->n_slots++] = (hst_slot){"gamma", 0, {in->dim[in->n_dims - 1]}, 1};
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
    for (int c = 0; c < hst_node_shape(n).c; c++) {
        scale[c] *= (double)param[0][c];
        shift[c] *= (double)param[0][c];
    }
}

/* x, y [h][w][c] */
static void forward(const hst_op_args *a)
{
    a->kernels->scale_rows(a->x[0], a->param[0], a->y, hst_shape_pixels(a->in[0]), a->in[0].c);
}

/* dx += gamma dy;  dgamma += sum over pixels of  dy x */
static void backward(const hst_op_args *a)
{
    const size_t c = (size_t)a->in[0].c, n = hst_shape_pixels(a->in[0]);
    for (size_t i = 0; a->dx[0] && i < n; i++)
        for (size_t k = 0; k < c; k++)
            a->dx[0][i * c + k] += a->param[0][k] * a->dy[i * c + k];
    for (size_t i = 0; a->dparam[0] && i < n; i++)
        for (size_t k = 0; k < c; k++)
            a->dparam[0][k] += a->dy[i * c + k] * a->x[0][i * c + k];
}

const hst_op hst_op_layer_scale = {.name = "layer_scale",
                                   .n_inputs = 1,
                                   .infer_type = scaled_type,
                                   .flops = one_flop,
                                   .needs = hst_needs_same,
                                   .fold = fold,
                                   .norm = HST_NORM_GAMMA,
                                   .infer = hst_infer_elementwise,
                                   .forward = forward,
                                   .backward = backward,
                                   .reads = HST_READS_INPUT};
