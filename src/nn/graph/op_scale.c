/* op_scale.c - every channel of the first input times its number in the second, a vector: what
 * squeeze-and-excitation ends with (Hu et al. 2018, arXiv 1709.01507). */
#include "nn/infer/unit.h"

static int scaled_type(hst_node *n, const hst_type *in, hst_err *err)
{
    const hst_shape x = hst_type_shape(&in[0]), y = hst_type_shape(&in[1]);
    if (y.h != 1 || y.w != 1 || y.c != x.c)
        return hst_fail(err, HST_EMODEL, "cannot scale %d channels by %d x %d x %d numbers", x.c,
                        y.h, y.w, y.c);
    n->type = in[0];
    return 0;
}

static double flops(const hst_node *n, const hst_shape *in)
{
    (void)n;
    return (double)in->h * in->w * in->c;
}

/* x [h][w][c], z [c], y as x */
static void infer(const hst_infer_unit *u, const hst_run_args *a)
{
    const hst_share rows = hst_share_of(a, u->out.h);
    const size_t at = (size_t)rows.first * hst_shape_row_floats(u->out);
    const size_t pixels = (size_t)(rows.end - rows.first) * (size_t)u->out.w;
    a->kernels->scale_rows(a->x[0] + at, a->x[1], a->y + at, pixels, u->out.c);
}

/* dx = dy z;  dz = sum over pixels of  dy x */
static void backward(const hst_op_args *a)
{
    const size_t c = (size_t)a->in[0].c, n = hst_shape_pixels(a->in[0]);
    for (size_t i = 0; a->dx[0] && i < n; i++)
        for (size_t k = 0; k < c; k++)
            a->dx[0][i * c + k] += a->dy[i * c + k] * a->x[1][k];
    for (size_t i = 0; a->dx[1] && i < n; i++)
        for (size_t k = 0; k < c; k++)
            a->dx[1][k] += a->dy[i * c + k] * a->x[0][i * c + k];
}

const hst_op hst_op_scale = {.name = "scale",
                             .n_inputs = 2,
                             .infer_type = scaled_type,
                             .flops = flops,
                             .infer = infer,
                             .backward = backward,
                             .reads = HST_READS_INPUT};
