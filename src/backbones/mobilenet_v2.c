/* mobilenet_v2.c - MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381, table 2), any width. */
#include "backbones/cnn.h"

#include <stdio.h>

/* expansion, channels, repeats, stride, kernel */
static const hst_stage stages[7] = {{1, 16, 1, 1, 3}, {6, 24, 2, 2, 3}, {6, 32, 3, 2, 3},
                                    {6, 64, 4, 2, 3}, {6, 96, 3, 1, 3}, {6, 160, 3, 2, 3},
                                    {6, 320, 1, 1, 3}};

static void layers(const hst_arch *a, hst_layers *out)
{
    const double width = a->cnn.width;
    hst_chain c = {.stem = hst_make_divisible(32 * width),
                   /* narrower networks keep all 1280 features */
                   .top = width > 1 ? hst_make_divisible(1280 * width) : 1280};
    for (int i = 0; i < 7; i++) {
        c.stage[i] = stages[i];
        c.stage[i].channels = hst_make_divisible(stages[i].channels * width);
    }
    hst_chain_layers(&c, out);
}

/* What Keras and slim call them. */
static const char *const part[] = {
    [HST_EXPAND] = "expand", [HST_DEPTHWISE] = "depthwise", [HST_PROJECT] = "project"};

/* The layer names of keras.applications. */
static void keras_names(const hst_layer *l, hst_layer_names *out)
{
    char block[32] = "expanded_conv";
    static const hst_layer_names ends[] = {{"Conv1", "bn_Conv1"}, {"Conv_1", "Conv_1_bn"}};
    if (hst_names_of_ends(l, ends, out))
        return;
    if (l->block > 0)
        snprintf(block, sizeof block, "block_%d", l->block);
    snprintf(out->conv, sizeof out->conv, "%s_%s", block, part[l->role]);
    snprintf(out->bn, sizeof out->bn, "%s_%s_BN", block, part[l->role]);
}

/* The first block lies in conv_stem, so layer.0 is the second block. */
static void huggingface_names(const hst_layer *l, hst_layer_names *out)
{
    static const char *const of[] = {
        [HST_EXPAND] = "expand_1x1", [HST_DEPTHWISE] = "conv_3x3", [HST_PROJECT] = "reduce_1x1"};
    char layer[64] = "conv_1x1";
    if (l->role == HST_STEM)
        snprintf(layer, sizeof layer, "conv_stem.first_conv");
    else if (l->block == 0)
        snprintf(layer, sizeof layer, "conv_stem.%s", of[l->role]);
    else if (l->block > 0)
        snprintf(layer, sizeof layer, "layer.%d.%s", l->block - 1, of[l->role]);
    hst_names_set(out, layer, ".convolution", ".normalization");
}

/* features.0 is the stem, features.1 the first block, features.18 the top. Inside a block every
 * convolution but project is a list of its own: conv.0.0 the convolution, conv.0.1 its batch norm.
 */
static void torchvision_names(const hst_layer *l, hst_layer_names *out)
{
    int at = l->role == HST_STEM ? 0 : l->role == HST_TOP ? 18 : l->block + 1;
    int place = l->role == HST_EXPAND ? 0 : l->role == HST_DEPTHWISE ? l->expands : l->expands + 1;
    if (l->block < 0) {
        snprintf(out->conv, sizeof out->conv, "features.%d.0", at);
        snprintf(out->bn, sizeof out->bn, "features.%d.1", at);
    } else if (l->role == HST_PROJECT) {
        snprintf(out->conv, sizeof out->conv, "features.%d.conv.%d", at, place);
        snprintf(out->bn, sizeof out->bn, "features.%d.conv.%d", at, place + 1);
    } else {
        snprintf(out->conv, sizeof out->conv, "features.%d.conv.%d.0", at, place);
        snprintf(out->bn, sizeof out->bn, "features.%d.conv.%d.1", at, place);
    }
}

/* Blocks as one list of modules: convolution, batch norm and activation three by three. It was the
 * usual way of MobileNetV2 in PyTorch before torchvision had its own. */
static void flat_names(const hst_layer *l, hst_layer_names *out)
{
    int at = l->role == HST_STEM ? 0 : l->role == HST_TOP ? 18 : l->block + 1;
    int before = l->role == HST_PROJECT     ? l->expands + 1
                 : l->role == HST_DEPTHWISE ? l->expands
                                            : 0;
    const char *list = l->block < 0 ? "" : ".conv";
    snprintf(out->conv, sizeof out->conv, "features.%d%s.%d", at, list, 3 * before);
    snprintf(out->bn, sizeof out->bn, "features.%d%s.%d", at, list, 3 * before + 1);
}

/* The same, with the top outside of the list of blocks. */
static void flat_names_top_apart(const hst_layer *l, hst_layer_names *out)
{
    if (l->role == HST_TOP)
        hst_names_set(out, "conv", ".0", ".1");
    else
        flat_names(l, out);
}

/* Slim's: the first block without a number; batch norm below its convolution. */
static void slim_names(const hst_layer *l, hst_layer_names *out)
{
    char layer[64] = "Conv", number[16] = "";
    if (l->block > 0)
        snprintf(number, sizeof number, "_%d", l->block);
    if (l->role == HST_TOP)
        snprintf(layer, sizeof layer, "Conv_1");
    else if (l->role != HST_STEM)
        snprintf(layer, sizeof layer, "expanded_conv%s/%s", number, part[l->role]);
    snprintf(out->conv, sizeof out->conv, "MobilenetV2/%s", layer);
    snprintf(out->bn, sizeof out->bn, "MobilenetV2/%s/BatchNorm", layer);
}

static const char *const keras_body[] = {
    "Conv1/", "bn_Conv1/", "expanded_conv_", "block_", "Conv_1/", "Conv_1_bn/", NULL};
static const char *const slim_body[] = {"MobilenetV2/Conv/", "MobilenetV2/expanded_conv",
                                        "MobilenetV2/Conv_1/", NULL};
static const char *const huggingface_body[] = {"conv_stem.", "layer.", "conv_1x1.", NULL};
static const char *const torchvision_body[] = {"features.", NULL};
static const char *const top_apart_body[] = {"features.", "conv.", NULL};

static const hst_dialect dialects[] = {
    {"Keras", "Conv1/kernel", keras_body, HST_NORM_PM1, HST_CNN(keras, TF, 1e-3, NULL)},
    HST_COUNTED("depthwise_conv2d_16/depthwise_kernel", HST_NORM_PM1),
    HST_NUMBERED(HST_NORM_PM1),
    /* Its modules take 0..1, and make -1..1 of it in front of the first convolution. */
    {"TF Hub", "MobilenetV2/Conv/weights", slim_body, HST_NORM_PM1,
     HST_CNN(slim, TF, 1e-3, slim_names)},
    {"Hugging Face", "conv_stem.first_conv.convolution.weight", huggingface_body, HST_NORM_PM1,
     HST_CNN(torch, TF, 1e-3, huggingface_names), .config = hst_huggingface_config},
    {"torchvision", "features.1.conv.0.0.weight", torchvision_body, HST_NORM_IMAGENET,
     HST_CNN(torch, SYMMETRIC, 1e-5, torchvision_names)},
    {"PyTorch, flat blocks, top apart", "features.1.conv.3.weight", top_apart_body,
     HST_NORM_IMAGENET, HST_CNN(torch, SYMMETRIC, 1e-5, flat_names_top_apart)},
    {"PyTorch, flat blocks", "features.1.conv.3.weight", torchvision_body, HST_NORM_IMAGENET,
     HST_CNN(torch, SYMMETRIC, 1e-5, flat_names)},
    {"timm", "conv_stem.weight", hst_timm_body, HST_NORM_IMAGENET,
     HST_CNN(torch, SYMMETRIC, 1e-5, hst_timm_names), .config = hst_timm_config},
};

const hst_family hst_mobilenet_v2 =
    HST_CNN_FAMILY("mobilenet_v2", 224, dialects, sizeof dialects / sizeof *dialects,
                   .layers = layers, .names = keras_names);
