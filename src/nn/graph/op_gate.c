/* op_gate.c - a function of the first half of the channels times the second half: with x sigmoid(x)
 * the gated layers of Shazeer 2020 (arXiv 2002.05202). */
#include "nn/infer/unit.h"

static const hst_attr attrs[] = {{"function", HST_ATTR_WORD, 0, hst_act_words}};

static int halved_type(hst_node *n, const hst_type *in, hst_err *err)
{
    const int act = (int)hst_node_act(n), c = in->dim[in->n_dims - 1];
    if (act < 0 || act >= HST_ACTS)
        return hst_fail(err, HST_EMODEL, "there is no activation number %d", act);
    if (c % 2 != 0)
        return hst_fail(err, HST_EMODEL, "cannot gate one half of %d channels by the other", c);
    n->type = *in;
    n->type.dim[in->n_dims - 1] = c / 2;
    return 0;
}

/* The function and the product. */
static double two_flops(const hst_node *n, const hst_shape *in)
{
    (void)n;
    return (double)hst_shape_floats(*in);
}

/* x [pixels][2][c], y [pixels][c] */
static void infer(const hst_infer_unit *u, const hst_run_args *a)
{
    const size_t c = (size_t)u->out.c;
    const hst_share pixels = hst_share_of(a, (int)hst_shape_pixels(u->out));
    for (size_t i = (size_t)pixels.first; i < (size_t)pixels.end; i++) {
        const float *x = a->x[0] + 2 * i * c;
        float *y = a->y + i * c;
        a->kernels->activate(hst_node_act(&u->node), x, y, c);
        for (size_t k = 0; k < c; k++)
            y[k] *= x[c + k];
    }
}

static size_t scratch(const hst_node *n, const hst_shape *in, const hst_kernels *k)
{
    (void)n;
    (void)k;
    return (size_t)in->c; /* [2][c] */
}

/* dx = dy z f'(x),  dz = dy f(x) */
static void backward(const hst_op_args *a)
{
    const size_t c = (size_t)a->in[0].c / 2, n = hst_shape_pixels(a->in[0]);
    float *one = a->scratch, *other = one + c;
    for (size_t i = 0; i < n; i++) {
        const float *x = a->x[0] + 2 * i * c, *dy = a->dy + i * c;
        float *dx = a->dx[0] + 2 * i * c;
        a->kernels->activate(hst_node_act(a->node), x, one, c);
        for (size_t k = 0; k < c; k++) {
            dx[c + k] += dy[k] * one[k];
            one[k] = dy[k] * x[c + k];
        }
        a->kernels->norm_gate(&(hst_norm_gate){
            .x = x, .dy = one, .dx = other, .rows = 1, .c = (int)c, .act = hst_node_act(a->node)});
        for (size_t k = 0; k < c; k++)
            dx[k] += other[k];
    }
}

const hst_op hst_op_gate = {.name = "gate",
                            .n_inputs = 1,
                            .attrs = attrs,
                            .n_attrs = 1,
                            .attr_bytes = sizeof(int),
                            .infer_type = halved_type,
                            .flops = two_flops,
                            .needs = hst_needs_same,
                            .infer = infer,
                            .scratch = scratch,
                            .backward = backward,
                            .reads = HST_READS_INPUT};
