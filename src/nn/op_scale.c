/* op_scale.c - every channel of the first input times its number in the second, a vector: what
 * squeeze-and-excitation ends with (Hu et al. 2018, arXiv 1709.01507). */
#include "nn/step.h"

static int shape(hst_node *n, const hst_shape *in, hst_err *err)
{
    if (in[1].h != 1 || in[1].w != 1 || in[1].c != in[0].c)
        return hst_fail(err, HST_EMODEL, "cannot scale %d channels by %d x %d x %d numbers",
                        in[0].c, in[1].h, in[1].w, in[1].c);
    n->out = in[0];
    return 0;
}

static double flops(const hst_node *n, const hst_shape *in)
{
    (void)n;
    return (double)in->h * in->w * in->c;
}

static void step(const hst_step *s, const hst_run_args *a)
{
    const hst_share rows = hst_share_of(a, s->out.h);
    const size_t c = (size_t)s->out.c, row = (size_t)s->out.w * c;
    for (size_t i = (size_t)rows.first * row; i < (size_t)rows.end * row; i += c)
        for (size_t k = 0; k < c; k++)
            a->y[i + k] = a->x[i + k] * a->z[k];
}

/* dx = dy z;  dz = sum over pixels of  dy x */
static void backward(const hst_op_args *a)
{
    const size_t c = (size_t)a->node->out.c, n = (size_t)a->node->out.h * (size_t)a->node->out.w;
    for (size_t i = 0; a->dx[0] && i < n; i++)
        for (size_t k = 0; k < c; k++)
            a->dx[0][i * c + k] += a->dy[i * c + k] * a->x[1][k];
    for (size_t i = 0; a->dx[1] && i < n; i++)
        for (size_t k = 0; k < c; k++)
            a->dx[1][k] += a->dy[i * c + k] * a->x[0][i * c + k];
}

const hst_op hst_op_scale = {.name = "scale",
                             .shape = shape,
                             .flops = flops,
                             .step = step,
                             .backward = backward,
                             .reads = HST_READS_INPUT};
