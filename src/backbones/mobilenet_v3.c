/* mobilenet_v3.c - MobileNetV3 small and large (Howard et al. 2019, arXiv 1905.02244, tables 1, 2):
 * inverted residuals, some with squeeze-and-excitation behind the depthwise convolution; ReLU in
 * the first ones, hard swish in the others. Its features are the averages of the last convolution's
 * maps, in front of the wide layer that its classifiers begin with. */
#include "backbones/family.h"

#include <stdio.h>
#include <string.h>

/* expand: channels. stage: number of timm's stage. */
static const struct row {
    int kernel, expand, channels, excites, hard_swish, stride, stage;
} small[] = {{3, 16, 16, 1, 0, 2, 0},  {3, 72, 24, 0, 0, 2, 1},  {3, 88, 24, 0, 0, 1, 1},
             {5, 96, 40, 1, 1, 2, 2},  {5, 240, 40, 1, 1, 1, 2}, {5, 240, 40, 1, 1, 1, 2},
             {5, 120, 48, 1, 1, 1, 3}, {5, 144, 48, 1, 1, 1, 3}, {5, 288, 96, 1, 1, 2, 4},
             {5, 576, 96, 1, 1, 1, 4}, {5, 576, 96, 1, 1, 1, 4}},
  large[] = {{3, 16, 16, 0, 0, 1, 0},   {3, 64, 24, 0, 0, 2, 1},   {3, 72, 24, 0, 0, 1, 1},
             {5, 72, 40, 1, 0, 2, 2},   {5, 120, 40, 1, 0, 1, 2},  {5, 120, 40, 1, 0, 1, 2},
             {3, 240, 80, 0, 1, 2, 3},  {3, 200, 80, 0, 1, 1, 3},  {3, 184, 80, 0, 1, 1, 3},
             {3, 184, 80, 0, 1, 1, 3},  {3, 480, 112, 1, 1, 1, 4}, {3, 672, 112, 1, 1, 1, 4},
             {5, 672, 160, 1, 1, 2, 5}, {5, 960, 160, 1, 1, 1, 5}, {5, 960, 160, 1, 1, 1, 5}};
enum { STEM = 16, N_SMALL = sizeof small / sizeof *small, N_LARGE = sizeof large / sizeof *large };

static const struct row *rows_of(const hst_arch *a, int *n)
{
    int is_small = strcmp(a->family, "mobilenet_v3_small") == 0;
    *n = is_small ? N_SMALL : N_LARGE;
    return is_small ? small : large;
}

/* Adds the layers of a block; the number of layers then. */
static int add_block(const struct row *r, hst_layer like, hst_layer *out, int n)
{
    const int in = like.in, squeezed = hst_make_divisible(r->expand / 4.0);
    like.expands = r->expand != in;
    like.excites = r->excites;
    if (like.expands)
        out[n++] = hst_pointwise(like, HST_EXPAND, in, r->expand);
    out[n] = hst_pointwise(like, HST_DEPTHWISE, r->expand, r->expand);
    out[n].kernel = r->kernel;
    out[n++].stride = r->stride;
    if (r->excites) {
        out[n++] = hst_pointwise(like, HST_SQUEEZE, r->expand, squeezed);
        out[n++] = hst_pointwise(like, HST_EXCITE, squeezed, r->expand);
    }
    out[n] = hst_pointwise(like, HST_PROJECT, r->expand, r->channels);
    out[n++].residual = r->stride == 1 && in == r->channels;
    return n;
}

static int layers(const hst_arch *a, hst_layer *out)
{
    int n = 0, n_rows, channels = STEM, repeat = 0;
    const struct row *r = rows_of(a, &n_rows);
    out[n++] = (hst_layer){
        .role = HST_STEM, .block = -1, .kernel = 3, .stride = 2, .in = 3, .out = channels};
    for (int i = 0; i < n_rows; i++) {
        repeat = i > 0 && r[i].stage == r[i - 1].stage ? repeat + 1 : 0;
        hst_layer like = {.block = i, .stage = r[i].stage, .repeat = repeat, .in = channels};
        n = add_block(&r[i], like, out, n);
        channels = r[i].channels;
    }
    out[n] = hst_pointwise((hst_layer){.block = -1}, HST_TOP, channels, r[n_rows - 1].expand);
    out[n].stage = n_rows + 1;               /* of torchvision's list */
    out[n].repeat = r[n_rows - 1].stage + 1; /* of timm's */
    return n + 1;
}

static enum hst_act activation(const hst_arch *a, const hst_layer *l)
{
    int n;
    const struct row *r = rows_of(a, &n);
    switch (l->role) {
    case HST_PROJECT:
        return HST_ACT_NONE;
    case HST_SQUEEZE:
        return HST_ACT_RELU;
    case HST_EXCITE:
        return HST_ACT_HSIGMOID;
    default:
        return l->block < 0 || r[l->block].hard_swish ? HST_ACT_HSWISH : HST_ACT_RELU;
    }
}

static int build(hst_graph *g, const hst_arch *a, hst_err *err)
{
    return hst_gated_build(g, a, activation, err);
}

/* ---- names -------------------------------------------------------------------------------------
 */

static int is_gate(const hst_layer *l)
{
    return l->role == HST_SQUEEZE || l->role == HST_EXCITE;
}

/* What the layers of a block are called in Keras: expanded_conv, expanded_conv_1... */
static void block_name(const hst_layer *l, char out[32])
{
    if (l->block > 0)
        snprintf(out, 32, "expanded_conv_%d", l->block);
    else
        snprintf(out, 32, "expanded_conv");
}

/* Of Keras 3. */
static void keras_names(const hst_layer *l, hst_layer_names *out)
{
    static const char *const part[] = {
        [HST_EXPAND] = "expand", [HST_DEPTHWISE] = "depthwise", [HST_PROJECT] = "project"};
    char block[32];
    block_name(l, block);
    *out = (hst_layer_names){""};
    if (is_gate(l)) {
        snprintf(out->conv, sizeof out->conv, "%s_squeeze_excite_conv%s", block,
                 l->role == HST_EXCITE ? "_1" : "");
        return;
    }
    if (l->block < 0)
        snprintf(out->conv, sizeof out->conv, "conv%s", l->role == HST_TOP ? "_1" : "");
    else
        snprintf(out->conv, sizeof out->conv, "%s_%s", block, part[l->role]);
    snprintf(out->bn, sizeof out->bn, "%.100s_bn", out->conv);
}

/* Of Keras 2, and of the weights that were published then. */
static void keras2_names(const hst_layer *l, hst_layer_names *out)
{
    static const char *const part[] = {
        [HST_EXPAND] = "expand", [HST_DEPTHWISE] = "depthwise", [HST_PROJECT] = "project"};
    char block[32];
    block_name(l, block);
    *out = (hst_layer_names){""};
    if (is_gate(l)) {
        snprintf(out->conv, sizeof out->conv, "%s/squeeze_excite/Conv%s", block,
                 l->role == HST_EXCITE ? "_1" : "");
        return;
    }
    if (l->block < 0)
        snprintf(out->conv, sizeof out->conv, "Conv%s", l->role == HST_TOP ? "_1" : "");
    else
        snprintf(out->conv, sizeof out->conv, "%s/%s", block, part[l->role]);
    snprintf(out->bn, sizeof out->bn, "%.100s/BatchNorm", out->conv);
}

/* The list of features: the stem, the blocks, the top; in a block expand, depthwise, the gate and
 * project, those that it has. */
static void torchvision_names(const hst_layer *l, hst_layer_names *out)
{
    char place[48];
    int in_block = l->role == HST_EXPAND      ? 0
                   : l->role == HST_DEPTHWISE ? l->expands
                   : l->role == HST_PROJECT   ? l->expands + 1 + l->excites
                                              : l->expands + 1;
    if (l->block < 0)
        snprintf(place, sizeof place, "features.%d", l->role == HST_STEM ? 0 : l->stage);
    else
        snprintf(place, sizeof place, "features.%d.block.%d", l->block + 1, in_block);
    *out = (hst_layer_names){""};
    if (is_gate(l)) {
        snprintf(out->conv, sizeof out->conv, "%s.fc%d", place, l->role == HST_SQUEEZE ? 1 : 2);
        return;
    }
    snprintf(out->conv, sizeof out->conv, "%s.0", place);
    snprintf(out->bn, sizeof out->bn, "%s.1", place);
}

/* There the top is a stage of its own. */
static void timm_names(const hst_layer *l, hst_layer_names *out)
{
    if (l->role == HST_TOP) {
        snprintf(out->conv, sizeof out->conv, "blocks.%d.0.conv", l->repeat);
        snprintf(out->bn, sizeof out->bn, "blocks.%d.0.bn1", l->repeat);
    } else if (is_gate(l)) {
        *out = (hst_layer_names){""};
        snprintf(out->conv, sizeof out->conv, "blocks.%d.%d.se.conv_%s", l->stage, l->repeat,
                 l->role == HST_SQUEEZE ? "reduce" : "expand");
    } else {
        hst_timm_names(l, out);
    }
}

static const char *const keras_body[] = {"conv/",   "conv_bn/",   "expanded_conv",
                                         "conv_1/", "conv_1_bn/", NULL};
static const char *const keras2_body[] = {"Conv/", "expanded_conv", "Conv_1/", NULL};
static const char *const torchvision_body[] = {"features.", NULL};
static const char *const timm_body[] = {"conv_stem.", "bn1.", "blocks.", NULL};

static const hst_dialect dialects[] = {
    {HST_NUMBERED, .norm = HST_NORM_PM1},
    {HST_COUNTED("depthwise_conv2d_10/depthwise_kernel"), .norm = HST_NORM_PM1},
    {.name = "Keras",
     .marker = "conv/kernel",
     .body = keras_body,
     .style = &hst_style_keras,
     .padding = HST_PAD_TF,
     .bn_epsilon = 1e-3,
     .norm = HST_NORM_PM1},
    {.name = "Keras 2",
     .marker = "expanded_conv/depthwise/depthwise_kernel",
     .body = keras2_body,
     .names = keras2_names,
     .style = &hst_style_keras,
     .padding = HST_PAD_TF,
     .bn_epsilon = 1e-3,
     .norm = HST_NORM_PM1},
    {.name = "torchvision",
     .marker = "features.1.block.0.0.weight",
     .body = torchvision_body,
     .names = torchvision_names,
     .style = &hst_style_torch,
     .padding = HST_PAD_SYMMETRIC,
     .bn_epsilon = 1e-3,
     .norm = HST_NORM_IMAGENET},
    /* There tf_mobilenetv3_large_100 and mobilenetv3_large_100 differ in padding, not in names. */
    {.name = "timm",
     .marker = "conv_stem.weight",
     .body = timm_body,
     .names = timm_names,
     .style = &hst_style_torch,
     .padding = HST_PAD_SYMMETRIC,
     .bn_epsilon = 1e-5,
     .norm = HST_NORM_IMAGENET,
     .config = hst_timm_config,
     .needs_config = 1},
};

#define MOBILENET_V3(variant)                                                                      \
    {                                                                                              \
        .name = "mobilenet_v3_" variant, .width = 1, .px = 224, .layers = layers,                  \
        .names = keras_names, .build = build, .dialects = dialects,                                \
        .n_dialects = sizeof dialects / sizeof *dialects                                           \
    }

const hst_family hst_mobilenet_v3[2] = {MOBILENET_V3("large"), MOBILENET_V3("small")};
