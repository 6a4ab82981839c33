/* op_activation.c - a function of each number by itself; which one is an attribute. kernels.h has
 * the formulas; their derivatives are the kernel norm_gate. */
#include "nn/infer/unit.h"

#include <string.h>

const char *const hst_act_words[HST_ACTS] = {
    [HST_ACT_NONE] = "none",           [HST_ACT_RELU6] = "relu6",
    [HST_ACT_RELU] = "relu",           [HST_ACT_SIGMOID] = "sigmoid",
    [HST_ACT_HSIGMOID] = "hsigmoid",   [HST_ACT_HSWISH] = "hswish",
    [HST_ACT_SWISH] = "swish",         [HST_ACT_GELU] = "gelu",
    [HST_ACT_GELU_TANH] = "gelu_tanh", [HST_ACT_GELU_QUICK] = "gelu_quick"};
static const hst_attr attrs[] = {{"function", HST_ATTR_WORD, 0, hst_act_words}};

enum hst_act hst_node_act(const hst_node *n)
{
    int act;
    memcpy(&act, n->attrs, sizeof act);
    return (enum hst_act)act;
}

static int same_type(hst_node *n, const hst_type *in, hst_err *err)
{
    const int act = (int)hst_node_act(n);
    if (act < 0 || act >= HST_ACTS)
        return hst_fail(err, HST_EMODEL, "there is no activation number %d", act);
    n->type = *in;
    return 0;
}

static double one_flop(const hst_node *n, const hst_shape *in)
{
    (void)n;
    return (double)in->h * in->w * in->c;
}

/* y = act(x), [h][w][c] each */
static void forward(const hst_op_args *a)
{
    a->kernels->activate(hst_node_act(a->node), a->x[0], a->y, hst_shape_floats(a->in[0]));
}

/* dx += dy act'(x) */
static void backward(const hst_op_args *a)
{
    enum { CHUNK = 256 };
    float dx[CHUNK];
    const size_t all = hst_shape_floats(a->in[0]);
    for (size_t at = 0, n; at < all; at += n) {
        n = all - at < CHUNK ? all - at : CHUNK;
        a->kernels->norm_gate(&(hst_norm_gate){.x = a->x[0] + at,
                                               .dy = a->dy + at,
                                               .dx = dx,
                                               .rows = 1,
                                               .c = (int)n,
                                               .act = hst_node_act(a->node)});
        for (size_t i = 0; i < n; i++)
            a->dx[0][at + i] += dx[i];
    }
}

const hst_op hst_op_activation = {.name = "activation",
                                  .n_inputs = 1,
                                  .attrs = attrs,
                                  .n_attrs = 1,
                                  .attr_bytes = sizeof(int),
                                  .infer_type = same_type,
                                  .flops = one_flop,
                                  .needs = hst_needs_same,
                                  .infer = hst_infer_elementwise,
                                  .forward = forward,
                                  .backward = backward,
                                  .reads = HST_READS_INPUT};
