/* mobilenet_v3.c - MobileNetV3 small and large (Howard et al. 2019, arXiv 1905.02244, tables 1, 2),
 * of any width as TensorFlow has it (a block widens by a factor, the stem stays at 0.75):
 * inverted residuals, some with squeeze-and-excitation behind the depthwise convolution; ReLU in
 * the first ones, hard swish in the others. Its features are the averages of the last convolution's
 * maps, in front of the wide layer that its classifiers begin with. */
#include "backbones/cnn.h"

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

static void layers(const hst_arch *a, hst_layers *out)
{
    int n, repeat = 0;
    const struct row *r = rows_of(a, &n);
    const double width = a->cnn.width;
    hst_layer l = {.block = -1, .in = 3};
    hst_layers_add(out, hst_layer_of(l, HST_STEM, 3, 2, hst_make_divisible(STEM * width)));
    l.in = hst_make_divisible(STEM * width);
    for (int i = 0; i < n; i++) {
        const double factor = (double)r[i].expand / (i > 0 ? r[i - 1].channels : STEM);
        const int wide = hst_make_divisible(l.in * factor);
        const hst_block b = {.kernel = r[i].kernel,
                             .stride = r[i].stride,
                             .wide = wide,
                             .squeezed = r[i].excites ? hst_make_divisible(wide / 4.0) : 0,
                             .out = hst_make_divisible(r[i].channels * width)};
        repeat = i > 0 && r[i].stage == r[i - 1].stage ? repeat + 1 : 0;
        l = (hst_layer){.block = i, .stage = r[i].stage, .repeat = repeat, .in = l.in};
        hst_layers_block(out, l, &b);
        l.in = b.out;
    }
    l = (hst_layer){.block = -1, .in = l.in};
    l.stage = n + 1;               /* of torchvision's list */
    l.repeat = r[n - 1].stage + 1; /* of timm's */
    hst_layers_add(out,
                   hst_layer_of(l, HST_TOP, 1, 1, hst_make_divisible(r[n - 1].expand * width)));
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

/* ---- names ---- */

/* How Keras writes them: the first and last layer, what stands between a block and its part, the
 * gate, and behind a layer that of its batch norm. */
typedef struct spelling {
    const char *end, *gap, *gate, *norm;
} spelling;

/* The layers of a block: expanded_conv, expanded_conv_1... */
static void spell(const hst_layer *l, const spelling *s, hst_layer_names *out)
{
    static const char *const part[] = {
        [HST_EXPAND] = "expand", [HST_DEPTHWISE] = "depthwise", [HST_PROJECT] = "project"};
    char number[16] = "", name[HST_MAX_TENSOR_NAME - 16];
    if (l->block > 0)
        snprintf(number, sizeof number, "_%d", l->block);
    if (l->block < 0)
        snprintf(name, sizeof name, "%s%s", s->end, l->role == HST_TOP ? "_1" : "");
    else if (!hst_layer_has_norm(l))
        snprintf(name, sizeof name, "expanded_conv%s%s%s", number, s->gate,
                 l->role == HST_EXCITE ? "_1" : "");
    else
        snprintf(name, sizeof name, "expanded_conv%s%s%s", number, s->gap, part[l->role]);
    hst_names_set(out, name, "", s->norm);
}

/* Of Keras 3. */
static void keras_names(const hst_layer *l, hst_layer_names *out)
{
    spell(l, &(spelling){"conv", "_", "_squeeze_excite_conv", "_bn"}, out);
}

/* Of Keras 2, and of the weights that were published then. */
static void keras2_names(const hst_layer *l, hst_layer_names *out)
{
    spell(l, &(spelling){"Conv", "/", "/squeeze_excite/Conv", "/BatchNorm"}, out);
}

/* Slim's, which the modules on TF Hub were made with: those of Keras 2 within a scope. */
static void slim_names(const hst_layer *l, hst_layer_names *out)
{
    hst_layer_names in_scope;
    keras2_names(l, &in_scope);
    snprintf(out->conv, sizeof out->conv, "MobilenetV3/%.100s", in_scope.conv);
    snprintf(out->bn, sizeof out->bn, "MobilenetV3/%.100s", in_scope.bn);
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
    hst_torchvision_names(l, place, out);
}

/* There the top is a stage of its own. */
static void timm_names(const hst_layer *l, hst_layer_names *out)
{
    char block[32];
    snprintf(block, sizeof block, "blocks.%d.0.", l->repeat);
    if (l->role == HST_TOP)
        hst_names_set(out, block, "conv", "bn1");
    else
        hst_timm_names(l, out);
}

static const char *const keras_body[] = {"conv/",   "conv_bn/",   "expanded_conv",
                                         "conv_1/", "conv_1_bn/", NULL};
static const char *const keras2_body[] = {"Conv/", "expanded_conv", "Conv_1/", NULL};
static const char *const slim_body[] = {"MobilenetV3/Conv/", "MobilenetV3/expanded_conv",
                                        "MobilenetV3/Conv_1/", NULL};
static const char *const torchvision_body[] = {"features.", NULL};
static const char *const timm_body[] = {"conv_stem.", "bn1.", "blocks.", NULL};

static const hst_dialect dialects[] = {
    HST_NUMBERED(HST_NORM_PM1),
    HST_COUNTED("depthwise_conv2d_10/depthwise_kernel", HST_NORM_PM1),
    {"Keras", "conv/kernel", keras_body, HST_NORM_PM1, HST_CNN(keras, TF, 1e-3, NULL)},
    {"Keras 2", "expanded_conv/depthwise/depthwise_kernel", keras2_body, HST_NORM_PM1,
     HST_CNN(keras, TF, 1e-3, keras2_names)},
    {"TF Hub", "MobilenetV3/expanded_conv/depthwise/depthwise_weights", slim_body, HST_NORM_PM1,
     HST_CNN(slim, TF, 1e-3, slim_names)},
    {"torchvision", "features.1.block.0.0.weight", torchvision_body, HST_NORM_IMAGENET,
     HST_CNN(torch, SYMMETRIC, 1e-3, torchvision_names)},
    /* There tf_mobilenetv3_large_100 and mobilenetv3_large_100 differ in padding, not in names. */
    {"timm", "conv_stem.weight", timm_body, HST_NORM_IMAGENET,
     HST_CNN(torch, SYMMETRIC, 1e-5, timm_names), .config = hst_timm_config, .needs_config = 1},
};

#define MOBILENET_V3(variant)                                                                      \
    HST_CNN_FAMILY("mobilenet_v3_" variant, 224, dialects, sizeof dialects / sizeof *dialects,     \
                   .layers = layers, .names = keras_names, .activation = activation)

const hst_family hst_mobilenet_v3[2] = {MOBILENET_V3("large"), MOBILENET_V3("small")};
