/* mobilenet_v1.c - MobileNetV1 (Howard et al. 2017, arXiv 1704.04861, table 1), any width: a stem
 * and 13 times a depthwise and a 1x1 convolution, ReLU6 behind each. */
#include "backbones/family.h"

#include <stdio.h>

static const struct row {
    int channels, repeats, stride;
} rows[5] = {{64, 1, 1}, {128, 2, 2}, {256, 2, 2}, {512, 6, 2}, {1024, 2, 2}};

static int layers(const hst_arch *a, hst_layer *out)
{
    int n = 0, block = 0, channels = (int)(32 * a->width);
    out[n++] = (hst_layer){
        .role = HST_STEM, .block = -1, .kernel = 3, .stride = 2, .in = 3, .out = channels};
    for (int s = 0; s < 5; s++)
        for (int r = 0; r < rows[s].repeats; r++) {
            hst_layer l = {.role = HST_DEPTHWISE,
                           .block = block++,
                           .stage = s,
                           .repeat = r,
                           .kernel = 3,
                           .stride = r == 0 ? rows[s].stride : 1,
                           .in = channels,
                           .out = channels};
            out[n++] = l;
            l.role = HST_EXPAND; /* to more channels, with an activation: as the first of a block */
            l.kernel = l.stride = 1;
            l.out = channels = (int)(rows[s].channels * a->width);
            out[n++] = l;
        }
    return n;
}

/* The layer names of keras.applications: blocks count from 1. */
static void keras_names(const hst_layer *l, hst_layer_names *out)
{
    char layer[32] = "conv1";
    if (l->role != HST_STEM)
        snprintf(layer, sizeof layer, "conv_%s_%d", l->role == HST_DEPTHWISE ? "dw" : "pw",
                 l->block + 1);
    snprintf(out->conv, sizeof out->conv, "%s", layer);
    snprintf(out->bn, sizeof out->bn, "%s_bn", layer);
}

/* The convolutions behind the stem are one list. */
static void huggingface_names(const hst_layer *l, hst_layer_names *out)
{
    char layer[32] = "conv_stem";
    if (l->role != HST_STEM)
        snprintf(layer, sizeof layer, "layer.%d", 2 * l->block + (l->role != HST_DEPTHWISE));
    snprintf(out->conv, sizeof out->conv, "%s.convolution", layer);
    snprintf(out->bn, sizeof out->bn, "%s.normalization", layer);
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
    {.name = "Keras",
     .marker = "conv_dw_1/depthwise_kernel",
     .body = keras_body,
     .style = &hst_style_keras,
     .padding = HST_PAD_TF,
     .bn_epsilon = 1e-3,
     .norm = HST_NORM_PM1},
    {HST_COUNTED("depthwise_conv2d_12/depthwise_kernel"), .norm = HST_NORM_PM1},
    {HST_NUMBERED, .norm = HST_NORM_PM1},
    {.name = "Hugging Face",
     .marker = "conv_stem.convolution.weight",
     .body = huggingface_body,
     .names = huggingface_names,
     .style = &hst_style_torch,
     .padding = HST_PAD_TF,
     .bn_epsilon = 1e-3,
     .norm = HST_NORM_PM1,
     .config = hst_huggingface_config},
    {.name = "timm",
     .marker = "conv_stem.weight",
     .body = hst_timm_body,
     .names = timm_names,
     .style = &hst_style_torch,
     .padding = HST_PAD_SYMMETRIC,
     .bn_epsilon = 1e-5,
     .norm = HST_NORM_PM1,
     .config = hst_timm_config},
};

const hst_family hst_mobilenet_v1 = {.name = "mobilenet_v1",
                                     .width = 0,
                                     .px = 224,
                                     .layers = layers,
                                     .names = keras_names,
                                     .dialects = dialects,
                                     .n_dialects = sizeof dialects / sizeof *dialects};
