/* cnn_build.c - layers -> graph. */
#include "backbones/cnn.h"

static enum hst_act activation_of(const hst_arch *a, const hst_layer *l)
{
    const hst_cnn_family *f = hst_cnn_of(a);
    if (f->activation)
        return f->activation(a, l);
    return l->role == HST_PROJECT ? HST_ACT_NONE : HST_ACT_RELU6;
}

/* Windows side by side, as of patches, need no padding; the odd pixel of an even one is behind. */
static enum hst_padding padding_of(const hst_arch *a, const hst_layer *l)
{
    if (l->valid || (l->kernel > 1 && l->kernel == l->stride))
        return HST_PAD_VALID;
    return l->kernel % 2 == 0 ? HST_PAD_TF : a->cnn.padding;
}

static int add_conv(hst_graph *g, const hst_arch *a, const hst_layer *l, int x, const char *name,
                    hst_err *err)
{
    const hst_conv c = {.kernel = l->kernel,
                        .stride = l->stride,
                        .channels = l->out,
                        .padding = padding_of(a, l),
                        .wide = l->wide,
                        .bias = l->behind == HST_BIAS_ALONE || l->behind == HST_BIAS_AND_LAYER_NORM,
                        .groups = l->groups,
                        .epsilon = HST_BIT_EPSILON};
    return l->role == HST_NORM        ? x
           : l->groups > 0            ? hst_graph_grouped(g, x, &c, name, err)
           : l->standardised          ? hst_graph_standardised(g, x, &c, name, err)
           : l->role == HST_DEPTHWISE ? hst_graph_depthwise(g, x, &c, name, err)
                                      : hst_graph_conv2d(g, x, &c, name, err);
}

int hst_cnn_conv(hst_graph *g, const hst_arch *a, const hst_layer *l, int x, hst_err *err)
{
    hst_layer_names name;
    hst_cnn_of(a)->names(l, &name);
    x = add_conv(g, a, l, x, name.conv, err);
    if (x >= 0 && l->behind == HST_BATCH_NORM)
        x = hst_graph_batchnorm(g, x, a->cnn.bn_epsilon, name.bn, err);
    const hst_group_norm groups = {a->cnn.bn_epsilon, HST_BIT_GROUPS};
    if (x >= 0 && l->behind == HST_GROUP_NORM)
        x = hst_graph_groupnorm(g, x, &groups, name.bn, err);
    if (x >= 0 && l->behind == HST_BIAS_AND_LAYER_NORM)
        x = hst_graph_layernorm(g, x, a->cnn.bn_epsilon, name.bn, err);
    if (x >= 0)
        x = hst_graph_activation(g, x, activation_of(a, l), err);
    if (x >= 0 && l->affine)
        x = hst_graph_affine(g, x, name.affine, err);
    return x < 0 || !l->scaled ? x : hst_graph_layer_scale(g, x, name.affine, err);
}

int hst_cnn_excite(hst_graph *g, const hst_arch *a, const hst_layer *l, int x, hst_err *err)
{
    int s = hst_graph_global_average(g, x, err);
    for (int i = 0; i < 2 && s >= 0; i++)
        s = hst_cnn_conv(g, a, &l[i], s, err);
    return s < 0 ? s : hst_graph_scale(g, x, s, err);
}

static int inverted_residuals(hst_graph *g, const hst_arch *a, const hst_layers *layers,
                              hst_err *err)
{
    int from = 0, block = -1;
    int x = hst_graph_input(g, (hst_shape){a->size.height, a->size.width, 3}, err);
    for (int i = 0; i < layers->n && x >= 0; i++) {
        const hst_layer *l = &layers->layer[i];
        if (l->block != block)
            from = x;
        block = l->block;
        if (l->pooled)
            x = hst_graph_global_average(g, x, err);
        if (x < 0)
            break;
        if (l->role == HST_SQUEEZE)
            x = hst_cnn_excite(g, a, &layers->layer[i++], x, err);
        else
            x = hst_cnn_conv(g, a, l, x, err);
        if (x >= 0 && l->residual)
            x = hst_graph_add(g, x, from, err);
    }
    return x;
}

int hst_cnn_build(hst_graph *g, const hst_arch *a, hst_err *err)
{
    const hst_cnn_family *f = hst_cnn_of(a);
    hst_layers l;
    int x = hst_cnn_layers(a, &l, err);
    if (x == 0)
        x = (f->build ? f->build : inverted_residuals)(g, a, &l, err);
    const int averaged = x >= 0 && l.layer[l.n - 1].pooled;
    hst_layers_free(&l);
    return x < 0 || averaged ? x : hst_graph_global_average(g, x, err);
}
