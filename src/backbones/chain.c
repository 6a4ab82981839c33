/* chain.c - blocks, and tables of them, -> layers. */
#include "backbones/cnn.h"

int hst_make_divisible(double v)
{
    int n = (int)(v + 4) / 8 * 8;
    if (n < 8)
        n = 8;
    return n < 0.9 * v ? n + 8 : n;
}

hst_layer hst_layer_of(hst_layer like, enum hst_role role, int kernel, int stride, int out)
{
    like.role = role;
    like.kernel = kernel;
    like.stride = stride;
    like.out = out;
    return like;
}

/* Project, which ends the block that begins with in channels. */
static void add_project(hst_layers *l, hst_layer project, int in, int stride)
{
    project.residual = stride == 1 && in == project.out;
    hst_layers_add(l, project);
}

void hst_layers_block(hst_layers *l, hst_layer like, const hst_block *b)
{
    const int in = like.in;
    like.expands = b->wide != in;
    like.excites = b->squeezed > 0;
    if (like.expands)
        hst_layers_add(l, hst_layer_of(like, HST_EXPAND, 1, 1, b->wide));
    like.in = b->wide;
    hst_layers_add(l, hst_layer_of(like, HST_DEPTHWISE, b->kernel, b->stride, b->wide));
    if (like.excites) {
        hst_layer e = hst_layer_of(like, HST_EXCITE, 1, 1, b->wide);
        e.in = b->squeezed;
        hst_layers_add(l, hst_layer_of(like, HST_SQUEEZE, 1, 1, b->squeezed));
        hst_layers_add(l, e);
    }
    add_project(l, hst_layer_of(like, HST_PROJECT, 1, 1, b->out), in, b->stride);
}

/* One whole convolution, and, where it expands, project behind it. */
static void add_fused(hst_layers *l, hst_layer like, const hst_block *b)
{
    const int in = like.in;
    hst_layer project = hst_layer_of(like, HST_PROJECT, b->kernel, b->stride, b->out);
    like.fused = project.fused = 1;
    if (b->wide != in) {
        like.expands = 1;
        hst_layers_add(l, hst_layer_of(like, HST_EXPAND, b->kernel, b->stride, b->wide));
        like.in = b->wide;
        project = hst_layer_of(like, HST_PROJECT, 1, 1, b->out);
    }
    add_project(l, project, in, b->stride);
}

void hst_chain_layers(const hst_chain *c, hst_layers *out)
{
    hst_layer like = {.block = -1, .in = 3};
    hst_layers_add(out, hst_layer_of(like, HST_STEM, 3, 2, c->stem));
    like.in = c->stem;
    for (int s = 0, block = 0; s < 7; s++)
        for (int r = 0; r < c->stage[s].repeats; r++) {
            const hst_stage *of = &c->stage[s];
            const hst_block b = {.kernel = of->kernel,
                                 .stride = r == 0 ? of->stride : 1,
                                 .wide = like.in * of->expand,
                                 .squeezed = c->squeeze ? like.in / c->squeeze : 0,
                                 .out = of->channels};
            like = (hst_layer){.block = block++, .stage = s, .repeat = r, .in = like.in};
            (s < c->fused ? add_fused : hst_layers_block)(out, like, &b);
            like.in = of->channels;
        }
    like = (hst_layer){.block = -1, .stage = like.stage + 1, .in = like.in};
    hst_layers_add(out, hst_layer_of(like, HST_TOP, 1, 1, c->top));
}
