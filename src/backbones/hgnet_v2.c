/* hgnet_v2.c - PP-HGNetV2 B0, B1, B2 (Cui et al.; PaddleClas, 2023): blocks that put the outputs of
 * all their layers, and their input, one behind the other, and make less of it by two 1x1
 * convolutions. Behind every ReLU are a scale and a shift of the whole picture.
 *
 *   stem     3x3/2 -> [2x2 -> 2x2 | max pool 2x2] -> 3x3/2 -> 1x1
 *   stage    [depthwise 3x3/2] -> blocks
 *   block    x0 -> layer -> x1 -> layer -> x2 ... ; [x0 x1 x2 ...] -> 1x1 -> 1x1     (+ x0)
 *   layer    3x3, or, where it is light, 1x1 -> depthwise 5x5
 *   top      average -> 1x1
 *
 * All stages but the first begin with a depthwise convolution, which has no activation, as the 1x1
 * of a light layer has none; all blocks of a stage but its first add their input. */
#include "backbones/cnn.h"
#include "nn/op.h"

#include <stdio.h>
#include <string.h>

enum { N_STAGES = 4, TOP = 2048, FIRST_LIGHT = 2 /* stage */ };

static const struct variant {
    const char *name;
    int stem, stem_out;
    int layers; /* of a block */
    struct {
        int wide, out, blocks;
    } stage[N_STAGES];
} variants[] = {
    {"hgnet_v2_b0", 16, 16, 3, {{16, 64, 1}, {32, 256, 1}, {64, 512, 2}, {128, 1024, 1}}},
    {"hgnet_v2_b1", 24, 32, 3, {{32, 64, 1}, {48, 256, 1}, {96, 512, 2}, {192, 1024, 1}}},
    {"hgnet_v2_b2", 24, 32, 4, {{32, 96, 1}, {64, 384, 1}, {128, 768, 3}, {256, 1536, 1}}},
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static const struct variant *variant_of(const hst_arch *a)
{
    for (size_t i = 0; i + 1 < N_VARIANTS; i++)
        if (strcmp(variants[i].name, a->family) == 0)
            return &variants[i];
    return &variants[N_VARIANTS - 1];
}

/* The two 1x1 convolutions that end a block. */
enum { LESS = 1, MORE };

static int has_activation(const hst_layer *l)
{
    return l->role != HST_EXPAND && (l->role != HST_DEPTHWISE || l->place > 0);
}

static void add(hst_layers *out, hst_layer l)
{
    l.affine = has_activation(&l);
    hst_layers_add(out, l);
}

/* place: 1 .. 5 */
static void add_stem(const struct variant *v, hst_layers *out)
{
    const int c = v->stem;
    const struct {
        int in, out, kernel, stride;
    } rows[] = {
        {3, c, 3, 2}, {c, c / 2, 2, 1}, {c / 2, c, 2, 1}, {2 * c, c, 3, 2}, {c, v->stem_out, 1, 1}};
    for (int i = 0; i < 5; i++) {
        hst_layer l = {.block = -1, .place = i + 1, .in = rows[i].in};
        add(out, hst_layer_of(l, HST_STEM, rows[i].kernel, rows[i].stride, rows[i].out));
    }
}

/* place: of its layers 1, 2 ..., of what ends it LESS, MORE. */
static void add_block(const struct variant *v, hst_layer l, hst_layers *out)
{
    const int in = l.in, wide = v->stage[l.stage].wide, made = v->stage[l.stage].out;
    for (l.place = 1; l.place <= v->layers; l.place++) {
        if (l.stage < FIRST_LIGHT)
            add(out, hst_layer_of(l, HST_CONV, 3, 1, wide));
        else
            add(out, hst_layer_of(l, HST_EXPAND, 1, 1, wide));
        l.in = wide;
        if (l.stage >= FIRST_LIGHT)
            add(out, hst_layer_of(l, HST_DEPTHWISE, 5, 1, wide));
    }
    l.place = LESS;
    l.in = in + v->layers * wide;
    add(out, hst_layer_of(l, HST_PROJECT, 1, 1, made / 2));
    l.place = MORE;
    l.in = made / 2;
    l.residual = l.repeat > 0;
    add(out, hst_layer_of(l, HST_PROJECT, 1, 1, made));
}

static void layers(const hst_arch *a, hst_layers *out)
{
    const struct variant *v = variant_of(a);
    hst_layer l = {.block = 0, .in = v->stem_out};
    add_stem(v, out);
    for (int s = 0; s < N_STAGES; s++)
        for (int r = 0; r < v->stage[s].blocks; r++, l.block++) {
            l.stage = s;
            l.repeat = r;
            if (s > 0 && r == 0)
                add(out, hst_layer_of(l, HST_DEPTHWISE, 3, 2, l.in));
            add_block(v, l, out);
            l.in = v->stage[s].out;
        }
    l = (hst_layer){.block = -1, .in = l.in, .behind = HST_NOTHING, .pooled = 1};
    add(out, hst_layer_of(l, HST_TOP, 1, 1, TOP));
}

/* ---- graph ---- */

static enum hst_act activation(const hst_arch *a, const hst_layer *l)
{
    (void)a;
    return has_activation(l) ? HST_ACT_RELU : HST_ACT_NONE;
}

/* A graph that grows: l is the layer that comes next, x the node that it reads. */
typedef struct growth {
    hst_graph *g;
    const hst_arch *arch;
    const hst_layer *l;
    int x; /* negative: an error */
    hst_err *err;
} growth;

static void grow(growth *b)
{
    b->x = b->x < 0 ? b->x : hst_cnn_conv(b->g, b->arch, b->l, b->x, b->err);
    b->l++;
}

static void join(growth *b, const int *x, int n)
{
    b->x = b->x < 0 ? b->x : hst_graph_concat(b->g, x, n, b->err);
}

/* The pool sees the zeros that the 2x2 convolutions are padded with. */
static void grow_stem(growth *b)
{
    const hst_conv pool = {.kernel = 2, .stride = 1, .padding = HST_PAD_ZEROS};
    int half[2] = {0};
    grow(b);
    if (b->x >= 0)
        half[0] = hst_graph_max_pool(b->g, b->x, &pool, b->err);
    if (half[0] < 0)
        b->x = half[0];
    grow(b);
    grow(b);
    half[1] = b->x;
    join(b, half, 2);
    grow(b);
    grow(b);
}

static void grow_block(growth *b)
{
    int x[HST_MAX_INPUTS] = {b->x}, n = 1;
    while (b->l->role != HST_PROJECT) {
        if (b->l->role == HST_EXPAND)
            grow(b);
        grow(b);
        x[n++] = b->x;
    }
    join(b, x, n);
    grow(b);
    const int residual = b->l->residual;
    grow(b);
    if (residual && b->x >= 0)
        b->x = hst_graph_add(b->g, b->x, x[0], b->err);
}

static int build(hst_graph *g, const hst_arch *a, const hst_layers *l, hst_err *err)
{
    growth b = {g, a, l->layer, 0, err};
    b.x = hst_graph_input(g, (hst_shape){a->size.height, a->size.width, 3}, err);
    grow_stem(&b);
    while (b.l->role != HST_TOP) {
        if (b.l->role == HST_DEPTHWISE)
            grow(&b);
        grow_block(&b);
    }
    b.x = b.x < 0 ? b.x : hst_graph_global_average(g, b.x, err);
    grow(&b);
    return b.x;
}

/* ---- names ---- */

static void names(const hst_layer *l, hst_layer_names *out)
{
    char layer[112] = "top", block[48];
    snprintf(block, sizeof block, "stage%d_block%d", l->stage + 1, l->repeat + 1);
    if (l->role == HST_STEM)
        snprintf(layer, sizeof layer, "stem%d", l->place);
    else if (l->role == HST_DEPTHWISE && l->place == 0)
        snprintf(layer, sizeof layer, "stage%d_down", l->stage + 1);
    else if (l->role == HST_PROJECT)
        snprintf(layer, sizeof layer, "%s_join%d", block, l->place);
    else if (l->role != HST_TOP)
        snprintf(layer, sizeof layer, "%s_layer%d%s", block, l->place,
                 l->role == HST_EXPAND      ? "_pw"
                 : l->role == HST_DEPTHWISE ? "_dw"
                                            : "");
    hst_names_set(out, layer, "_conv", "_bn");
    snprintf(out->affine, sizeof out->affine, "%s_affine", layer);
}

static void timm_names(const hst_layer *l, hst_layer_names *out)
{
    static const char *const stems[] = {"1", "2a", "2b", "3", "4"};
    char layer[112], block[48];
    snprintf(block, sizeof block, "stages.%d.blocks.%d", l->stage, l->repeat);
    if (l->role == HST_TOP) {
        hst_names_set(out, "head.last_conv.0", "", "");
        snprintf(out->affine, sizeof out->affine, "head.last_conv.2");
        return;
    }
    if (l->role == HST_STEM)
        snprintf(layer, sizeof layer, "stem.stem%s", stems[l->place - 1]);
    else if (l->role == HST_DEPTHWISE && l->place == 0)
        snprintf(layer, sizeof layer, "stages.%d.downsample", l->stage);
    else if (l->role == HST_PROJECT)
        snprintf(layer, sizeof layer, "%s.aggregation.%d", block, l->place - LESS);
    else
        snprintf(layer, sizeof layer, "%s.layers.%d%s", block, l->place - 1,
                 l->role == HST_EXPAND      ? ".conv1"
                 : l->role == HST_DEPTHWISE ? ".conv2"
                                            : "");
    hst_names_set(out, layer, ".conv", ".bn");
    snprintf(out->affine, sizeof out->affine, "%s.lab", layer);
}

static const char *const timm_body[] = {"stem.", "stages.", "head.last_conv.", NULL};

static const hst_dialect dialects[] = {
    {"timm", "stem.stem1.lab.scale", timm_body, HST_NORM_IMAGENET,
     HST_CNN(torch, SYMMETRIC, 1e-5, timm_names), .config = hst_timm_config},
};

#define HGNET_V2(variant)                                                                          \
    HST_CNN_FAMILY("hgnet_v2_" variant, 224, dialects, sizeof dialects / sizeof *dialects,         \
                   .width = 1, .layers = layers, .names = names, .activation = activation,         \
                   .build = build)

const hst_family hst_hgnet_v2[3] = {HGNET_V2("b0"), HGNET_V2("b1"), HGNET_V2("b2")};
