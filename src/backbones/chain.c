/* chain.c - a table of stages -> layers -> graph. */
#include "backbones/family.h"

#include <stdio.h>

int hst_make_divisible(double v)
{
    int n = (int)(v + 4) / 8 * 8;
    if (n < 8)
        n = 8;
    return n < 0.9 * v ? n + 8 : n;
}

/* Adds the two or three layers of a block; the number of layers then. */
static int add_block(const hst_stage *s, hst_layer like, hst_layer *out, int n)
{
    int in = like.in, wide = in * s->expand;
    like.expands = s->expand > 1;
    if (like.expands) {
        out[n] = like;
        out[n].role = HST_EXPAND;
        out[n].kernel = out[n].stride = 1;
        out[n++].out = wide;
    }
    out[n] = like;
    out[n].role = HST_DEPTHWISE;
    out[n].kernel = s->kernel;
    out[n].stride = like.repeat == 0 ? s->stride : 1;
    out[n].in = out[n].out = wide;
    int same_size = out[n++].stride == 1;
    out[n] = like;
    out[n].role = HST_PROJECT;
    out[n].kernel = out[n].stride = 1;
    out[n].in = wide;
    out[n].out = s->channels;
    out[n++].residual = same_size && in == s->channels;
    return n;
}

int hst_chain_layers(const hst_chain *c, hst_layer *out)
{
    int n = 0, block = 0, channels = c->stem;
    out[n++] = (hst_layer){
        .role = HST_STEM, .block = -1, .kernel = 3, .stride = 2, .in = 3, .out = c->stem};
    for (int s = 0; s < 7; s++)
        for (int r = 0; r < c->stage[s].repeats; r++) {
            hst_layer like = {.block = block++, .stage = s, .repeat = r, .in = channels};
            n = add_block(&c->stage[s], like, out, n);
            channels = c->stage[s].channels;
        }
    out[n++] = (hst_layer){
        .role = HST_TOP, .block = -1, .kernel = 1, .stride = 1, .in = channels, .out = c->top};
    return n;
}

/* Adds one layer behind node x, or fails; block_input: the node that came into its block. */
static int add_layer(hst_graph *g, const hst_arch *a, const hst_layer *l, int x, hst_err *err)
{
    hst_layer_names name;
    hst_conv c = {
        .kernel = l->kernel, .stride = l->stride, .channels = l->out, .padding = a->padding};
    hst_family_find(a->family)->names(l, &name);
    x = l->role == HST_DEPTHWISE ? hst_graph_depthwise(g, x, &c, name.conv, err)
                                 : hst_graph_conv2d(g, x, &c, name.conv, err);
    if (x >= 0)
        x = hst_graph_batchnorm(g, x, a->bn_epsilon, name.bn, err);
    if (x >= 0 && l->role != HST_PROJECT)
        x = hst_graph_activation(g, x, HST_ACT_RELU6, err);
    return x;
}

static int add_layers(hst_graph *g, const hst_arch *a, hst_err *err)
{
    hst_layer layer[HST_MAX_LAYERS];
    int n = hst_family_layers(a, layer), block_input = 0;
    int x = hst_graph_input(g, (hst_shape){a->px, a->px, 3}, err);
    for (int i = 0; i < n && x >= 0; i++) {
        if (layer[i].role == HST_EXPAND || (layer[i].role == HST_DEPTHWISE && !layer[i].expands))
            block_input = x;
        x = add_layer(g, a, &layer[i], x, err);
        if (x >= 0 && layer[i].residual)
            x = hst_graph_add(g, x, block_input, err);
    }
    if (x >= 0)
        x = hst_graph_global_average(g, x, err);
    return x < 0 ? x : 0;
}

hst_graph *hst_arch_graph(const hst_arch *a, hst_err *err)
{
    if (hst_arch_check(a, err))
        return NULL;
    int (*build)(hst_graph *, const hst_arch *, hst_err *) = hst_family_find(a->family)->build;
    hst_graph *g = hst_graph_new(err);
    if (g && (build ? build : add_layers)(g, a, err) >= 0 && hst_graph_finish(g, err) == 0)
        return g;
    hst_graph_free(g);
    return NULL;
}
