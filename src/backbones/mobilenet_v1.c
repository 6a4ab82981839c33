/* mobilenet_v1.c - MobileNetV1 (Howard et al. 2017, arXiv 1704.04861, table 1), any width: a stem
 * and 13 times a depthwise and a 1x1 convolution, ReLU6 behind each. */
#include "backbones/cnn.h"

#include <stdio.h>

static const struct row {
    int channels, repeats, stride;
} rows[5] = {{64, 1, 1}, {128, 2, 2}, {256, 2, 2}, {512, 6, 2}, {1024, 2, 2}};

static void layers(const hst_arch *a, hst_layers *out)
{
    hst_layer l = {.block = -1, .in = 3};
    hst_layers_add(out, hst_layer_of(l, HST_STEM, 3, 2, (int)(32 * a->cnn.width)));
    l.in = (int)(32 * a->cnn.width);
    for (int s = 0; s < 5; s++)
        for (int r = 0; r < rows[s].repeats; r++) {
            const int channels = (int)(rows[s].channels * a->cnn.width);
            l.block++;
            l.stage = s;
            l.repeat = r;
            hst_layers_add(out,
                           hst_layer_of(l, HST_DEPTHWISE, 3, r == 0 ? rows[s].stride : 1, l.in));
            /* to more channels, with an activation: as the first of a block */
            hst_layers_add(out, hst_layer_of(l, HST_EXPAND, 1, 1, channels));
            l.in = channels;
        }
}

/* The layer names of keras.applications: blocks count from 1. */
static void keras_names(const hst_layer *l, hst_layer_names *out)
{
    char layer[32] = "conv1";
    if (l->role != HST_STEM)
        snprintf(layer, sizeof layer, "conv_%s_%d", l->role == HST_DEPTHWISE ? "dw" : "pw",
                 l->block + 1);
    hst_names_set(out, layer, "", "_bn");
}

/* The convolutions behind the stem are one list. */
static void huggingface_names(const hst_layer *l, hst_layer_names *out)
{
    char layer[32] = "conv_stem";
    if (l->role != HST_STEM)
        snprintf(layer, sizeof layer, "layer.%d", 2 * l->block + (l->role != HST_DEPTHWISE));
    hst_names_set(out, layer, ".convolution", ".normalization");
}

/* There the 1x1 convolution is the last of a depthwise-separable block. */
static void timm_names(const hst_layer *l, hst_layer_names *out)
{
    hst_layer as = *l;
    if (as.role == HST_EXPAND)
        as.role = HST_PROJECT;
    hst_timm_names(&as, out);
}

static const char *const keras_body[] = {"conv1", "conv_dw_", "conv_pw_", NULL};
static const char *const huggingface_body[] = {"conv_stem.", "layer.", NULL};

static const hst_dialect dialects[] = {
    {"Keras", "conv_dw_1/depthwise_kernel", keras_body, HST_NORM_PM1,
     HST_CNN(keras, TF, 1e-3, NULL)},
    HST_COUNTED("depthwise_conv2d_12/depthwise_kernel", HST_NORM_PM1),
    HST_NUMBERED(HST_NORM_PM1),
    {"Hugging Face", "conv_stem.convolution.weight", huggingface_body, HST_NORM_PM1,
     HST_CNN(torch, TF, 1e-3, huggingface_names), .config = hst_huggingface_config},
    {"timm", "conv_stem.weight", hst_timm_body, HST_NORM_PM1,
     HST_CNN(torch, SYMMETRIC, 1e-5, timm_names), .config = hst_timm_config},
};

const hst_family hst_mobilenet_v1 =
    HST_CNN_FAMILY("mobilenet_v1", 224, dialects, sizeof dialects / sizeof *dialects,
                   .layers = layers, .names = keras_names);
