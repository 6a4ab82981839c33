/* efficientnet.c - EfficientNet-B0 (Tan, Le 2019, arXiv 1905.11946, table 1) and EfficientNetV2-B0
 * (Tan, Le 2021, arXiv 2104.00298): inverted residuals with swish, and squeeze-and-excitation
 * behind the depthwise convolution:
 *
 *   expand 1x1 -> depthwise kxk -> x * excite(swish(squeeze(average of x))) -> project 1x1 (+
 * input)
 *
 * squeeze and excite are 1x1 convolutions with a bias and no batch norm; excite ends in a sigmoid.
 * The first stages of V2 are fused: one whole kxk convolution instead of expand, depthwise and
 * excite. */
#include "backbones/cnn.h"

#include <stdio.h>

/* Squeezed to a quarter of the block's input. */
static const hst_chain b0 = {.stem = 32,
                             .top = 1280,
                             .squeeze = 4,
                             .stage = {{1, 16, 1, 1, 3},
                                       {6, 24, 2, 2, 3},
                                       {6, 40, 2, 2, 5},
                                       {6, 80, 3, 2, 3},
                                       {6, 112, 3, 1, 5},
                                       {6, 192, 4, 2, 5},
                                       {6, 320, 1, 1, 3}}};
static const hst_chain v2_b0 = {.stem = 32,
                                .top = 1280,
                                .fused = 3,
                                .squeeze = 4,
                                .stage = {{1, 16, 1, 1, 3},
                                          {4, 32, 2, 2, 3},
                                          {4, 48, 2, 2, 3},
                                          {4, 96, 3, 2, 3},
                                          {6, 112, 5, 1, 3},
                                          {6, 192, 8, 2, 3}}};

static void b0_layers(const hst_arch *a, hst_layers *out)
{
    (void)a;
    hst_chain_layers(&b0, out);
}

static void v2_b0_layers(const hst_arch *a, hst_layers *out)
{
    (void)a;
    hst_chain_layers(&v2_b0, out);
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
    snprintf(block, sizeof block, "block%d%c_se_", l->stage + 1, 'a' + l->repeat);
    hst_names_set(out, block, l->role == HST_SQUEEZE ? "reduce" : "expand", "");
}

/* The depthwise layers of V2 have another name. */
static void keras_v2_names(const hst_layer *l, hst_layer_names *out)
{
    keras_names(l, out);
    if (l->role == HST_DEPTHWISE)
        snprintf(out->conv, sizeof out->conv, "block%d%c_dwconv2", l->stage + 1, 'a' + l->repeat);
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

/* features.0 is the stem, features.1 to 7 the stages, features.8 the top. */
static void torchvision_names(const hst_layer *l, hst_layer_names *out)
{
    char place[48];
    int in_block = l->role == HST_EXPAND      ? 0
                   : l->role == HST_DEPTHWISE ? l->expands
                   : l->role == HST_PROJECT   ? l->expands + 2
                                              : l->expands + 1;
    if (l->block < 0)
        snprintf(place, sizeof place, "features.%d", l->role == HST_STEM ? 0 : 8);
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

static const char *const keras_body[] = {"stem_", "block", "top_", NULL};
static const char *const huggingface_body[] = {"embeddings.", "encoder.", NULL};
static const char *const torchvision_body[] = {"features.", NULL};

static const hst_dialect dialects[] = {
    HST_NUMBERED(HST_NORM_IMAGENET),
    HST_COUNTED("depthwise_conv2d_15/depthwise_kernel", HST_NORM_IMAGENET),
    {"Keras", "stem_conv/kernel", keras_body, HST_NORM_IMAGENET, HST_CNN(keras, TF, 1e-3, NULL)},
    /* There tf_efficientnet_b0 and efficientnet_b0 differ in padding, not in names. */
    {"timm", "conv_stem.weight", hst_timm_body, HST_NORM_IMAGENET,
     HST_CNN(torch, TF, 1e-3, timm_names), .config = hst_timm_config, .needs_config = 1},
    {"torchvision", "features.1.0.block.0.0.weight", torchvision_body, HST_NORM_IMAGENET,
     HST_CNN(torch, SYMMETRIC, 1e-5, torchvision_names)},
    {"Hugging Face", "encoder.top_conv.weight", huggingface_body, HST_NORM_IMAGENET,
     HST_CNN(torch, TF, 1e-3, huggingface_names), .config = hst_huggingface_efficientnet_config},
};
enum { N_DIALECTS = sizeof dialects / sizeof *dialects, WITHOUT_V2 = 2 /* the last */ };

const hst_family hst_efficientnet_b0 =
    HST_CNN_FAMILY("efficientnet_b0", 224, dialects, N_DIALECTS, .width = 1, .layers = b0_layers,
                   .names = keras_names, .activation = activation);
const hst_family hst_efficientnet_v2_b0 =
    HST_CNN_FAMILY("efficientnet_v2_b0", 224, dialects, N_DIALECTS - WITHOUT_V2, .width = 1,
                   .layers = v2_b0_layers, .names = keras_v2_names, .activation = activation);
