/* op_affine.c - y = scale x + shift, two numbers for the whole picture: the learnable affine block
 * of HGNetV2. */
#include "nn/infer/unit.h"

enum { SCALE, SHIFT }; /* slots */

static int same_type(hst_node *n, const hst_type *in, hst_err *err)
{
    (void)err;
    n->slot[n->n_slots++] = (hst_slot){"scale", 0, {1}, 1};
    n->slot[n->n_slots++] = (hst_slot){"shift", 0, {1}, 1};
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
        scale[c] *= (double)param[SCALE][0];
        shift[c] = (double)param[SHIFT][0] + shift[c] * (double)param[SCALE][0];
    }
}

/* x, y [h][w][c] */
static void forward(const hst_op_args *a)
{
    const float scale = a->param[SCALE][0], shift = a->param[SHIFT][0];
    const size_t n = hst_shape_floats(a->in[0]);
    for (size_t i = 0; i < n; i++)
        a->y[i] = a->x[0][i] * scale + shift;
}

/* Pixels one by one in float, all of them in double: they may be very many. */
static void backward(const hst_op_args *a)
{
    const size_t pixels = hst_shape_pixels(a->in[0]), c = (size_t)a->in[0].c;
    double dscale = 0, dshift = 0;
    for (size_t i = 0; i < pixels; i++) {
        const float *x = a->x[0] + i * c, *dy = a->dy + i * c;
        float product = 0, sum = 0;
        for (size_t k = 0; k < c; k++) {
            product += dy[k] * x[k];
            sum += dy[k];
        }
        dscale += (double)product;
        dshift += (double)sum;
    }
    if (a->dparam[SCALE])
        a->dparam[SCALE][0] += (float)dscale;
    if (a->dparam[SHIFT])
        a->dparam[SHIFT][0] += (float)dshift;
    for (size_t i = 0; a->dx[0] && i < pixels * c; i++)
        a->dx[0][i] += a->dy[i] * a->param[SCALE][0];
}

const hst_op hst_op_affine = {.name = "affine",
                              .n_inputs = 1,
                              .infer_type = same_type,
                              .flops = two_flops,
                              .fold = fold,
                              .infer = hst_infer_elementwise,
                              .forward = forward,
                              .backward = backward,
                              .reads = HST_READS_INPUT};
