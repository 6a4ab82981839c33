/* gated.c - chains of inverted residuals with squeeze-and-excitation (Hu et al. 2018, arXiv
 * 1709.01507)
 * -> graph:
 *
 *   ... depthwise -> x * excite(squeeze(average of x)) -> project ...
 *
 * squeeze and excite are 1x1 convolutions with a bias and no batch norm. */
#include "backbones/family.h"

hst_layer hst_pointwise(hst_layer like, enum hst_role role, int in, int out)
{
    like.role = role;
    like.kernel = like.stride = 1;
    like.in = in;
    like.out = out;
    return like;
}

static int add_conv(hst_graph *g, const hst_arch *a, const hst_layer *l, int x,
                    hst_activation_fn *activation, hst_err *err)
{
    hst_layer_names name;
    const int biased = l->role == HST_SQUEEZE || l->role == HST_EXCITE;
    const hst_conv c = {.kernel = l->kernel,
                        .stride = l->stride,
                        .channels = l->out,
                        .padding = a->padding,
                        .bias = biased};
    hst_family_find(a->family)->names(l, &name);
    x = l->role == HST_DEPTHWISE ? hst_graph_depthwise(g, x, &c, name.conv, err)
                                 : hst_graph_conv2d(g, x, &c, name.conv, err);
    if (x >= 0 && !biased)
        x = hst_graph_batchnorm(g, x, a->bn_epsilon, name.bn, err);
    return x < 0 ? x : hst_graph_activation(g, x, activation(a, l), err);
}

/* x times what the two layers from l on make of its averages. */
static int excite(hst_graph *g, const hst_arch *a, const hst_layer *l, int x,
                  hst_activation_fn *activation, hst_err *err)
{
    int s = hst_graph_global_average(g, x, err);
    for (int i = 0; i < 2 && s >= 0; i++)
        s = add_conv(g, a, &l[i], s, activation, err);
    return s < 0 ? s : hst_graph_scale(g, x, s, err);
}

int hst_gated_build(hst_graph *g, const hst_arch *a, hst_activation_fn *activation, hst_err *err)
{
    hst_layer layer[HST_MAX_LAYERS];
    int n = hst_family_layers(a, layer), from = 0, block = -1;
    int x = hst_graph_input(g, (hst_shape){a->px, a->px, 3}, err);
    for (int i = 0; i < n && x >= 0; i++) {
        const hst_layer *l = &layer[i];
        if (l->block != block)
            from = x;
        block = l->block;
        x = l->role == HST_SQUEEZE ? excite(g, a, &layer[i++], x, activation, err)
                                   : add_conv(g, a, l, x, activation, err);
        if (x >= 0 && l->residual)
            x = hst_graph_add(g, x, from, err);
    }
    return x < 0 ? x : hst_graph_global_average(g, x, err);
}
