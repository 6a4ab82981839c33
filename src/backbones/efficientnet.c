/* efficientnet.c - EfficientNet B0 to B7 (Tan, Le 2019, arXiv 1905.11946, table 1) and
 * EfficientNetV2 B0 to B3, S, M, L and XL (Tan, Le 2021, arXiv 2104.00298): inverted residuals with
 * swish, and squeeze-and-excitation behind the depthwise convolution:
 *
 *   expand 1x1 -> depthwise kxk -> x * excite(swish(squeeze(average of x))) -> project 1x1 (+
 * input)
 *
 * squeeze and excite are 1x1 convolutions with a bias and no batch norm; excite ends in a sigmoid.
 * The first stages of V2 are fused: one whole kxk convolution instead of expand, depthwise and
 * excite. */
#include "backbones/cnn.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Squeezed to a quarter of the block's input. */
static const hst_chain v1 = {.stem = 32,
                             .top = 1280,
                             .squeeze = 4,
                             .stage = {{1, 16, 1, 1, 3},
                                       {6, 24, 2, 2, 3},
                                       {6, 40, 2, 2, 5},
                                       {6, 80, 3, 2, 3},
                                       {6, 112, 3, 1, 5},
                                       {6, 192, 4, 2, 5},
                                       {6, 320, 1, 1, 3}}};
static const hst_chain v2_b = {.stem = 32,
                               .top = 1280,
                               .fused = 3,
                               .squeeze = 4,
                               .stage = {{1, 16, 1, 1, 3},
                                         {4, 32, 2, 2, 3},
                                         {4, 48, 2, 2, 3},
                                         {4, 96, 3, 2, 3},
                                         {6, 112, 5, 1, 3},
                                         {6, 192, 8, 2, 3}}};
static const hst_chain v2_s = {.stem = 24,
                               .top = 1280,
                               .fused = 3,
                               .squeeze = 4,
                               .stage = {{1, 24, 2, 1, 3},
                                         {4, 48, 4, 2, 3},
                                         {4, 64, 4, 2, 3},
                                         {4, 128, 6, 2, 3},
                                         {6, 160, 9, 1, 3},
                                         {6, 256, 15, 2, 3}}};
static const hst_chain v2_m = {.stem = 24,
                               .top = 1280,
                               .fused = 3,
                               .squeeze = 4,
                               .stage = {{1, 24, 3, 1, 3},
                                         {4, 48, 5, 2, 3},
                                         {4, 80, 5, 2, 3},
                                         {4, 160, 7, 2, 3},
                                         {6, 176, 14, 1, 3},
                                         {6, 304, 18, 2, 3},
                                         {6, 512, 5, 1, 3}}};
static const hst_chain v2_l = {.stem = 32,
                               .top = 1280,
                               .fused = 3,
                               .squeeze = 4,
                               .stage = {{1, 32, 4, 1, 3},
                                         {4, 64, 7, 2, 3},
                                         {4, 96, 7, 2, 3},
                                         {4, 192, 10, 2, 3},
                                         {6, 224, 19, 1, 3},
                                         {6, 384, 25, 2, 3},
                                         {6, 640, 7, 1, 3}}};
static const hst_chain v2_xl = {.stem = 32,
                                .top = 1280,
                                .fused = 3,
                                .squeeze = 4,
                                .stage = {{1, 32, 4, 1, 3},
                                          {4, 64, 8, 2, 3},
                                          {4, 96, 8, 2, 3},
                                          {4, 192, 16, 2, 3},
                                          {6, 256, 24, 1, 3},
                                          {6, 512, 32, 2, 3},
                                          {6, 640, 8, 1, 3}}};

/* What a family multiplies channels and repeats by. */
static const struct variant {
    const char *name;
    const hst_chain *of;
    double width, depth;
} variants[] = {{"efficientnet_b0", &v1, 1.0, 1.0},      {"efficientnet_b1", &v1, 1.0, 1.1},
                {"efficientnet_b2", &v1, 1.1, 1.2},      {"efficientnet_b3", &v1, 1.2, 1.4},
                {"efficientnet_b4", &v1, 1.4, 1.8},      {"efficientnet_b5", &v1, 1.6, 2.2},
                {"efficientnet_b6", &v1, 1.8, 2.6},      {"efficientnet_b7", &v1, 2.0, 3.1},
                {"efficientnet_v2_b0", &v2_b, 1.0, 1.0}, {"efficientnet_v2_b1", &v2_b, 1.0, 1.1},
                {"efficientnet_v2_b2", &v2_b, 1.1, 1.2}, {"efficientnet_v2_b3", &v2_b, 1.2, 1.4},
                {"efficientnet_v2_s", &v2_s, 1.0, 1.0},  {"efficientnet_v2_m", &v2_m, 1.0, 1.0},
                {"efficientnet_v2_l", &v2_l, 1.0, 1.0},  {"efficientnet_v2_xl", &v2_xl, 1.0, 1.0}};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static const struct variant *variant_of(const hst_arch *a)
{
    for (size_t i = 0; i + 1 < N_VARIANTS; i++)
        if (strcmp(variants[i].name, a->family) == 0)
            return &variants[i];
    return &variants[N_VARIANTS - 1];
}

/* V2 rounds to the nearest multiple of 8, however much that takes away. */
static int scaled(const struct variant *v, int channels)
{
    const double c = channels * v->width;
    return v->of == &v1 ? hst_make_divisible(c) : (int)(c + 4) / 8 * 8;
}

static void layers(const hst_arch *a, hst_layers *out)
{
    const struct variant *v = variant_of(a);
    hst_chain c = *v->of;
    c.stem = scaled(v, c.stem);
    c.top = scaled(v, c.top);
    for (size_t i = 0; i < sizeof c.stage / sizeof *c.stage; i++) {
        c.stage[i].channels = scaled(v, c.stage[i].channels);
        c.stage[i].repeats = (int)ceil(v->depth * c.stage[i].repeats);
    }
    hst_chain_layers(&c, out);
}

/* One whole convolution instead of a block ends in an activation. */
static enum hst_act activation(const hst_arch *a, const hst_layer *l)
{
    (void)a;
    return l->role == HST_PROJECT && l->kernel == 1 ? HST_ACT_NONE
           : l->role == HST_EXCITE                  ? HST_ACT_SIGMOID
                                                    : HST_ACT_SWISH;
}

/* ---- names ---- */

static void keras_names(const hst_layer *l, hst_layer_names *out)
{
    if (hst_layer_has_norm(l)) {
        hst_efficientnet_names(l, out);
        return;
    }
    char block[32];
    hst_efficientnet_block(l, block);
    hst_names_set(out, block, l->role == HST_SQUEEZE ? "_se_reduce" : "_se_expand", "");
}

/* The depthwise layers of V2 have another name. */
static void keras_v2_names(const hst_layer *l, hst_layer_names *out)
{
    char block[32];
    keras_names(l, out);
    hst_efficientnet_block(l, block);
    if (l->role == HST_DEPTHWISE)
        snprintf(out->conv, sizeof out->conv, "%s_dwconv2", block);
}

/* TensorFlow's own models, which the modules on TF Hub were made of. */
static void hub_names(const hst_layer *l, hst_layer_names *out)
{
    static const hst_layer_names ends[] = {{"stem_conv2d", "stem_bn"}, {"top_conv2d", "top_bn"}};
    static const char *const part[] = {[HST_EXPAND] = "expand",
                                       [HST_DEPTHWISE] = "depthwise",
                                       [HST_PROJECT] = "project",
                                       [HST_SQUEEZE] = "se_reduce",
                                       [HST_EXCITE] = "se_expand"};
    char layer[64];
    if (hst_names_of_ends(l, ends, out))
        return;
    snprintf(layer, sizeof layer, "stack_%d/block_%d/%s", l->stage, l->repeat, part[l->role]);
    hst_names_set(out, layer, "_conv2d", "_bn");
}

/* Of a block the i-th of what has that name, which the first has without a number. */
static void count_in(const char *block, const char *what, int i, char *out, size_t cap)
{
    if (i)
        snprintf(out, cap, "%s/%s_%d", block, what, i);
    else
        snprintf(out, cap, "%s/%s", block, what);
}

/* V2's, whose parts of a block are counted by class. */
static void hub_v2_names(const hst_layer *l, hst_layer_names *out)
{
    char block[32] = "stem";
    const int projects = l->role == HST_PROJECT;
    const int norms = l->role == HST_DEPTHWISE ? l->expands : projects ? l->expands + !l->fused : 0;
    if (l->role == HST_TOP)
        snprintf(block, sizeof block, "head");
    else if (l->block >= 0)
        snprintf(block, sizeof block, "blocks_%d%s", l->block, hst_layer_has_norm(l) ? "" : "/se");
    count_in(block, "tpu_batch_normalization", norms, out->bn, sizeof out->bn);
    if (l->role == HST_DEPTHWISE)
        snprintf(out->conv, sizeof out->conv, "%s/depthwise_conv2d", block);
    else
        count_in(block, "conv2d", l->role == HST_EXCITE || (projects && l->expands), out->conv,
                 sizeof out->conv);
}

static void timm_fused_names(const hst_layer *l, hst_layer_names *out)
{
    const char *conv = l->role == HST_EXPAND ? "conv_exp" : l->expands ? "conv_pwl" : "conv";
    snprintf(out->conv, sizeof out->conv, "blocks.%d.%d.%s", l->stage, l->repeat, conv);
    snprintf(out->bn, sizeof out->bn, "blocks.%d.%d.bn%d", l->stage, l->repeat,
             l->role == HST_PROJECT && l->expands ? 2 : 1);
}

static void timm_names(const hst_layer *l, hst_layer_names *out)
{
    (l->fused ? timm_fused_names : hst_timm_names)(l, out);
}

/* features.0 is the stem, from features.1 on come the stages, then the top. Of a fused block that
 * does not expand the one convolution is number 0. */
static void torchvision_names(const hst_layer *l, hst_layer_names *out)
{
    char place[48];
    int in_block = l->role == HST_EXPAND      ? 0
                   : l->role == HST_DEPTHWISE ? l->expands
                   : l->role == HST_PROJECT   ? l->expands + (l->fused ? 0 : 2)
                                              : l->expands + 1;
    if (l->block < 0)
        snprintf(place, sizeof place, "features.%d", l->role == HST_STEM ? 0 : l->stage + 1);
    else
        snprintf(place, sizeof place, "features.%d.%d.block.%d", l->stage + 1, l->repeat, in_block);
    hst_torchvision_names(l, place, out);
}

static void huggingface_names(const hst_layer *l, hst_layer_names *out)
{
    static const char *const part[][2] = {
        [HST_EXPAND] = {"expansion.expand_conv", "expansion.expand_bn"},
        [HST_DEPTHWISE] = {"depthwise_conv.depthwise_conv", "depthwise_conv.depthwise_norm"},
        [HST_PROJECT] = {"projection.project_conv", "projection.project_bn"},
        [HST_SQUEEZE] = {"squeeze_excite.reduce", ""},
        [HST_EXCITE] = {"squeeze_excite.expand", ""}};
    static const hst_layer_names ends[] = {{"embeddings.convolution", "embeddings.batchnorm"},
                                           {"encoder.top_conv", "encoder.top_bn"}};
    char block[48];
    snprintf(block, sizeof block, "encoder.blocks.%d.", l->block);
    if (!hst_names_of_ends(l, ends, out))
        hst_names_set(out, block, part[l->role][0], part[l->role][1]);
}

/* ---- dialects ---- */

static const char *const keras_body[] = {"stem_", "block", "top_", NULL};
static const char *const hub_body[] = {"stem_", "stack_", "top_conv2d", "top_bn", NULL};
static const char *const hub_v2_body[] = {"stem/", "blocks_", "head/conv2d", "head/tpu_", NULL};
static const char *const huggingface_body[] = {"embeddings.", "encoder.", NULL};
static const char *const torchvision_body[] = {"features.", NULL};

/* last: the number of the last depthwise convolution, from 0. */
#define OF_KERAS(last, norm)                                                                       \
    HST_NUMBERED(HST_NORM_##norm),                                                                 \
        HST_COUNTED("depthwise_conv2d_" last "/depthwise_kernel", HST_NORM_##norm),                \
    {                                                                                              \
        "Keras", "stem_conv/kernel", keras_body, HST_NORM_##norm, HST_CNN(keras, TF, 1e-3, NULL)   \
    }
/* There tf_efficientnet_b0 and efficientnet_b0 differ in padding, not in names. */
#define OF_TIMM(norm)                                                                              \
    {                                                                                              \
        "timm", "conv_stem.weight", hst_timm_body, HST_NORM_##norm,                                \
            HST_CNN(torch, TF, 1e-3, timm_names), .config = hst_timm_config, .needs_config = 1     \
    }
#define OF_TORCHVISION(norm, epsilon)                                                              \
    {                                                                                              \
        "torchvision", "features.1.0.block.0.0.weight", torchvision_body, HST_NORM_##norm,         \
            HST_CNN(torch, SYMMETRIC, epsilon, torchvision_names)                                  \
    }

#define V1(name_, px_, width_, last, epsilon)                                                      \
    HST_CNN_FAMILY(                                                                                \
        "efficientnet_" name_, px_,                                                                \
        ((const hst_dialect[]){OF_KERAS(last, IMAGENET),                                           \
                               {"TF Hub", "stem_conv2d/kernel", hub_body, HST_NORM_IMAGENET,       \
                                HST_CNN(keras, TF, 1e-3, hub_names)},                              \
                               OF_TIMM(IMAGENET),                                                  \
                               OF_TORCHVISION(IMAGENET, epsilon),                                  \
                               {"Hugging Face", "encoder.top_conv.weight", huggingface_body,       \
                                HST_NORM_IMAGENET, HST_CNN(torch, TF, 1e-3, huggingface_names),    \
                                .config = hst_huggingface_efficientnet_config}}),                  \
        7, .width = width_, .layers = layers, .names = keras_names, .activation = activation)

const hst_family hst_efficientnet[8] = {
    /* B1 holds the layers of B0, and is compared first. */
    V1("b1", 240, 1.0, "22", 1e-5), V1("b0", 224, 1.0, "15", 1e-5), V1("b2", 260, 1.1, "22", 1e-5),
    V1("b3", 300, 1.2, "25", 1e-5), V1("b4", 380, 1.4, "31", 1e-5), V1("b5", 456, 1.6, "38", 1e-3),
    V1("b6", 528, 1.8, "44", 1e-3), V1("b7", 600, 2.0, "54", 1e-3)};

/* S, M, L and XL were trained on (x - 128) / 128, B0 to B3 on what V1 was. torchvision trained
 * anew. */
#define V2(name_, px_, width_, last, norm, torchvision_norm)                                       \
    HST_CNN_FAMILY(                                                                                \
        "efficientnet_v2_" name_, px_,                                                             \
        ((const hst_dialect[]){OF_KERAS(last, norm),                                               \
                               {"TF Hub", "stem/conv2d/kernel", hub_v2_body, HST_NORM_##norm,      \
                                HST_CNN(keras, TF, 1e-3, hub_v2_names)},                           \
                               OF_TIMM(norm),                                                      \
                               OF_TORCHVISION(torchvision_norm, 1e-3)}),                           \
        6, .width = width_, .layers = layers, .names = keras_v2_names, .activation = activation)

const hst_family hst_efficientnet_v2[8] = {
    /* B1 holds the layers of B0. */
    V2("b1", 240, 1.0, "18", IMAGENET, IMAGENET),
    V2("b0", 224, 1.0, "15", IMAGENET, IMAGENET),
    V2("b2", 260, 1.1, "19", IMAGENET, IMAGENET),
    V2("b3", 300, 1.2, "23", IMAGENET, IMAGENET),
    V2("s", 384, 1.0, "29", 128, IMAGENET),
    V2("m", 480, 1.0, "43", 128, IMAGENET),
    V2("l", 480, 1.0, "60", 128, PM1),
    V2("xl", 512, 1.0, "79", 128, PM1)};
