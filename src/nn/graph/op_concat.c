/* op_concat.c - the channels of several values one behind the other, pixel by pixel. */
#include "nn/infer/unit.h"

#include <string.h>

/* What the node keeps of its inputs, for its loops: no attribute, since types say it. */
typedef struct HST_ATTRS parts {
    int channels[HST_MAX_INPUTS]; /* 0 behind the last */
} parts;

static const parts *parts_of(const hst_node *n)
{
    return (const void *)n->attrs;
}

static int joined_type(hst_node *n, const hst_type *in, hst_err *err)
{
    const hst_shape first = hst_type_shape(&in[0]);
    parts p = {{0}};
    int64_t channels = 0;
    for (int i = 0; i < n->n_inputs; i++) {
        const hst_shape x = hst_type_shape(&in[i]);
        if (x.h != first.h || x.w != first.w)
            return hst_fail(err, HST_EMODEL, "cannot put %d x %d x %d behind %d x %d x %d", x.h,
                            x.w, x.c, first.h, first.w, first.c);
        p.channels[i] = x.c;
        channels += x.c;
    }
    memcpy(n->attrs, &p, sizeof p);
    n->type = in[0];
    n->type.dim[in->n_dims - 1] = (int)channels; /* at most HST_MAX_INPUTS x 2^16 */
    return 0;
}

static double no_flops(const hst_node *n, const hst_shape *in)
{
    (void)n;
    (void)in;
    return 0;
}

/* x[k] [h][w][channels of k], y [h][w][all] */
static void infer(const hst_infer_unit *u, const hst_run_args *a)
{
    const hst_share rows = hst_share_of(a, u->out.h);
    const parts *p = parts_of(&u->node);
    const size_t first = (size_t)rows.first * (size_t)u->out.w, all = (size_t)u->out.c;
    const size_t n = (size_t)(rows.end - rows.first) * (size_t)u->out.w;
    float *y = a->y + first * all;
    for (int k = 0; k < u->node.n_inputs; y += p->channels[k++]) {
        const size_t c = (size_t)p->channels[k];
        const float *x = a->x[k] + first * c;
        for (size_t i = 0; i < n; i++)
            memcpy(y + i * all, x + i * c, c * sizeof *y);
    }
}

/* dx[k] += its channels of dy */
static void backward(const hst_op_args *a)
{
    const hst_shape out = hst_node_shape(a->node);
    const size_t n = hst_shape_pixels(out), all = (size_t)out.c;
    const float *dy = a->dy;
    for (int k = 0; k < a->node->n_inputs; dy += a->in[k++].c) {
        const size_t c = (size_t)a->in[k].c;
        for (size_t i = 0; a->dx[k] && i < n; i++)
            for (size_t j = 0; j < c; j++)
                a->dx[k][i * c + j] += dy[i * all + j];
    }
}

const hst_op hst_op_concat = {.name = "concat",
                              .n_inputs = HST_MAX_INPUTS,
                              .takes_fewer = 1,
                              .infer_type = joined_type,
                              .flops = no_flops,
                              .infer = infer,
                              .backward = backward};
