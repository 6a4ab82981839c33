/* convnext.c - ConvNeXt (Liu et al. 2022, arXiv 2201.03545), tiny to base, and the smaller ones of
 * timm, atto to nano: layer norm, GELU, and blocks with a depthwise convolution in front.
 *
 *   stem    4x4/4 -> norm
 *   stage   [norm -> 2x2/2] -> blocks
 *   block   depthwise 7x7 -> norm -> expand 1x1 -> project 1x1 -> scale for each channel (+ input)
 *   top     average -> norm
 *
 * DINOv3's are such networks under other names (Simeoni et al. 2025, arXiv 2508.10104).
 * Every convolution has a bias; all stages but the first begin with a smaller picture. Keras has
 * such networks too, with a preparation of their own; they are not read. */
#include "backbones/cnn.h"
#include "backbones/config.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { N_STAGES = 4, WIDER = 4 };

/* First the one that holds the layers of another. Channels double from stage to stage. */
static const struct variant {
    const char *name;
    int channels, blocks[N_STAGES];
} variants[] = {{"convnext_small", 96, {3, 3, 27, 3}}, {"convnext_tiny", 96, {3, 3, 9, 3}},
                {"convnext_base", 128, {3, 3, 27, 3}}, {"convnext_nano", 80, {2, 2, 8, 2}},
                {"convnext_pico", 64, {2, 2, 6, 2}},   {"convnext_femto", 48, {2, 2, 6, 2}},
                {"convnext_atto", 40, {2, 2, 6, 2}}};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static const struct variant *variant_of(const hst_arch *a)
{
    for (size_t i = 0; i + 1 < N_VARIANTS; i++)
        if (strcmp(variants[i].name, a->family) == 0)
            return &variants[i];
    return &variants[N_VARIANTS - 1];
}

static void add_block(hst_layer l, hst_layers *out)
{
    const int c = l.in;
    hst_layer deep = hst_layer_of(l, HST_DEPTHWISE, 7, 1, c);
    deep.behind = HST_BIAS_AND_LAYER_NORM;
    hst_layers_add(out, deep);
    l.behind = HST_BIAS_ALONE;
    hst_layers_add(out, hst_layer_of(l, HST_EXPAND, 1, 1, WIDER * c));
    l = hst_layer_of(l, HST_PROJECT, 1, 1, c);
    l.in = WIDER * c;
    l.scaled = l.residual = 1;
    hst_layers_add(out, l);
}

/* Both are of a block of their own, so that nothing in front is added behind. */
static void add_smaller(hst_layer l, int channels, hst_layers *out)
{
    l.block = -1;
    l.behind = HST_BIAS_AND_LAYER_NORM;
    hst_layers_add(out, hst_layer_of(l, HST_NORM, 1, 1, l.in));
    l.behind = HST_BIAS_ALONE;
    hst_layers_add(out, hst_layer_of(l, HST_CONV, 2, 2, channels));
}

static void layers(const hst_arch *a, hst_layers *out)
{
    const struct variant *v = variant_of(a);
    hst_layer stem = {.block = -1, .in = 3, .behind = HST_BIAS_AND_LAYER_NORM};
    hst_layer l = {.block = 0, .in = v->channels};
    hst_layers_add(out, hst_layer_of(stem, HST_STEM, 4, 4, v->channels));
    for (l.stage = 0; l.stage < N_STAGES; l.stage++) {
        const int c = v->channels << l.stage;
        if (l.stage > 0)
            add_smaller(l, c, out);
        l.in = c;
        for (l.repeat = 0; l.repeat < v->blocks[l.stage]; l.repeat++, l.block++)
            add_block(l, out);
    }
    l = (hst_layer){
        .block = -1, .stage = N_STAGES, .in = l.in, .behind = HST_BIAS_AND_LAYER_NORM, .pooled = 1};
    hst_layers_add(out, hst_layer_of(l, HST_NORM, 1, 1, l.in));
}

static enum hst_act activation(const hst_arch *a, const hst_layer *l)
{
    (void)a;
    return l->role == HST_EXPAND ? HST_ACT_GELU : HST_ACT_NONE;
}

/* ---- names ---- */

/* How a program names the places of the network, and the parts of a block. */
typedef struct spelling {
    const char *depthwise, *norm, *expand, *project, *scale;
    const char *first, *first_norm; /* of the stem */
    const char *last;               /* the norm behind the average */
    const char *smaller, *block;    /* with the numbers of stage and block */
    int smaller_step;               /* places between two stages' smaller pictures in a list */
    int block_step, block_from;     /* the same of their blocks, and where the first are */
} spelling;

static void spell(const hst_layer *l, const spelling *s, hst_layer_names *out)
{
    char place[HST_MAX_TENSOR_NAME - 32];
    *out = (hst_layer_names){""};
    if (l->role == HST_STEM) {
        snprintf(out->conv, sizeof out->conv, "%s", s->first);
        snprintf(out->bn, sizeof out->bn, "%s", s->first_norm);
    } else if (l->pooled) {
        snprintf(out->bn, sizeof out->bn, "%s", s->last);
    } else if (l->block < 0) {
        snprintf(place, sizeof place, s->smaller, l->stage * s->smaller_step);
        hst_names_set(out, place, ".1", ".0");
    } else {
        snprintf(place, sizeof place, s->block, l->stage * s->block_step + s->block_from,
                 l->repeat);
        hst_names_set(out, place,
                      l->role == HST_EXPAND    ? s->expand
                      : l->role == HST_PROJECT ? s->project
                                               : s->depthwise,
                      s->norm);
        snprintf(out->affine, sizeof out->affine, "%s%s", place, s->scale);
    }
}

static void names(const hst_layer *l, hst_layer_names *out)
{
    char layer[48] = "stem";
    if (l->pooled)
        snprintf(layer, sizeof layer, "top");
    else if (l->role != HST_STEM && l->block < 0)
        snprintf(layer, sizeof layer, "stage%d_smaller", l->stage + 1);
    else if (l->role != HST_STEM)
        snprintf(layer, sizeof layer, "stage%d_block%d_%s", l->stage + 1, l->repeat + 1,
                 l->role == HST_EXPAND    ? "expand"
                 : l->role == HST_PROJECT ? "project"
                                          : "depthwise");
    hst_names_set(out, layer, "_conv", "_norm");
    snprintf(out->affine, sizeof out->affine, "%s_scale", layer);
}

static void timm_names(const hst_layer *l, hst_layer_names *out)
{
    static const spelling s = {".conv_dw",
                               ".norm",
                               ".mlp.fc1",
                               ".mlp.fc2",
                               ".gamma",
                               "stem.0",
                               "stem.1",
                               "head.norm",
                               "stages.%d.downsample",
                               "stages.%d.blocks.%d",
                               1,
                               1,
                               0};
    spell(l, &s, out);
}

static void facebook_names(const hst_layer *l, hst_layer_names *out)
{
    static const spelling s = {".dwconv",
                               ".norm",
                               ".pwconv1",
                               ".pwconv2",
                               ".gamma",
                               "downsample_layers.0.0",
                               "downsample_layers.0.1",
                               "norm",
                               "downsample_layers.%d",
                               "stages.%d.%d",
                               1,
                               1,
                               0};
    spell(l, &s, out);
}

static void huggingface_names(const hst_layer *l, hst_layer_names *out)
{
    static const spelling s = {".dwconv",
                               ".layernorm",
                               ".pwconv1",
                               ".pwconv2",
                               ".layer_scale_parameter",
                               "embeddings.patch_embeddings",
                               "embeddings.layernorm",
                               "layernorm",
                               "encoder.stages.%d.downsampling_layer",
                               "encoder.stages.%d.layers.%d",
                               1,
                               1,
                               0};
    spell(l, &s, out);
}

/* Of DINOv3's: every stage begins with its smaller picture. */
static void huggingface_dinov3_names(const hst_layer *l, hst_layer_names *out)
{
    static const spelling s = {".depthwise_conv",
                               ".layer_norm",
                               ".pointwise_conv1",
                               ".pointwise_conv2",
                               ".gamma",
                               "stages.0.downsample_layers.0",
                               "stages.0.downsample_layers.1",
                               "layer_norm",
                               "stages.%d.downsample_layers",
                               "stages.%d.layers.%d",
                               1,
                               1,
                               0};
    spell(l, &s, out);
}

/* A list in which the blocks of stages are every other place. */
static void torchvision_names(const hst_layer *l, hst_layer_names *out)
{
    static const spelling s = {".block.0",
                               ".block.2",
                               ".block.3",
                               ".block.5",
                               ".layer_scale",
                               "features.0.0",
                               "features.0.1",
                               "classifier.0",
                               "features.%d",
                               "features.%d.%d",
                               2,
                               2,
                               1};
    spell(l, &s, out);
}

/* The products of a block are matrices, in timm's smaller networks convolutions. */
static int axes(const hst_arch *a, const hst_layer *l, enum hst_part part)
{
    (void)a;
    return part == HST_KERNEL && (l->role == HST_EXPAND || l->role == HST_PROJECT) ? 2 : 0;
}

static int timm_axes(const hst_arch *a, const hst_layer *l, enum hst_part part)
{
    return variant_of(a)->channels < 96 ? 0 : axes(a, l, part);
}

static int torchvision_axes(const hst_arch *a, const hst_layer *l, enum hst_part part)
{
    return part == HST_LAYER_SCALE ? 3 : axes(a, l, part);
}

static int timm_config(const json_t *o, hst_arch *a, hst_err *err)
{
    const double epsilon = a->cnn.bn_epsilon;
    const int rc = hst_timm_config(o, a, err);
    a->cnn.bn_epsilon = epsilon; /* of layer norm the same in all of them */
    hst_config_timm_licence(hst_config_timm_cfg(o), a);
    return rc;
}

static const char *const timm_body[] = {"stem.", "stages.", "head.norm.", NULL};
static const char *const facebook_body[] = {"downsample_layers.", "stages.", "norm.", NULL};
static const char *const huggingface_body[] = {"embeddings.", "encoder.", "layernorm.", NULL};
static const char *const huggingface_dinov3_body[] = {"stages.", "layer_norm.", NULL};
static const char *const torchvision_body[] = {"features.", "classifier.0.", NULL};

static const hst_dialect dialects[] = {
    {"timm", "stages.0.blocks.0.conv_dw.weight", timm_body, HST_NORM_IMAGENET,
     HST_CNN_AXES(torch, SYMMETRIC, 1e-6, timm_names, timm_axes), .config = timm_config},
    {"DINOv3", "norms.3.weight", facebook_body, HST_NORM_IMAGENET,
     HST_CNN_AXES(torch, SYMMETRIC, 1e-6, facebook_names, axes), .licence = HST_LICENCE_DINOV3},
    {"facebookresearch", "downsample_layers.0.0.weight", facebook_body, HST_NORM_IMAGENET,
     HST_CNN_AXES(torch, SYMMETRIC, 1e-6, facebook_names, axes)},
    {"Hugging Face", "embeddings.patch_embeddings.weight", huggingface_body, HST_NORM_IMAGENET,
     HST_CNN_AXES(torch, SYMMETRIC, 1e-6, huggingface_names, axes),
     .config = hst_huggingface_convnext_config},
    {"Hugging Face, DINOv3", "stages.0.layers.0.depthwise_conv.weight", huggingface_dinov3_body,
     HST_NORM_IMAGENET, HST_CNN_AXES(torch, SYMMETRIC, 1e-6, huggingface_dinov3_names, axes),
     .config = hst_huggingface_convnext_config, .licence = HST_LICENCE_DINOV3},
    {"torchvision", "features.1.0.block.0.weight", torchvision_body, HST_NORM_IMAGENET,
     HST_CNN_AXES(torch, SYMMETRIC, 1e-6, torchvision_names, torchvision_axes)},
};

#define CONVNEXT(variant)                                                                          \
    HST_CNN_FAMILY("convnext_" variant, 224, dialects, sizeof dialects / sizeof *dialects,         \
                   .width = 1, .layers = layers, .names = names, .activation = activation)

const hst_family hst_convnext[7] = {CONVNEXT("small"), CONVNEXT("tiny"), CONVNEXT("base"),
                                    CONVNEXT("nano"),  CONVNEXT("pico"), CONVNEXT("femto"),
                                    CONVNEXT("atto")};
