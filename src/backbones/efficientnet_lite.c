/* efficientnet_lite.c - EfficientNet-Lite 0 to 4 (Google 2020): EfficientNet (Tan, Le 2019, arXiv
 * 1905.11946) with ReLU6, and without squeeze-and-excitation. */
#include "backbones/cnn.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Of Lite0: expansion, channels, repeats, stride, kernel. */
static const hst_stage stages[7] = {{1, 16, 1, 1, 3}, {6, 24, 2, 2, 3},  {6, 40, 2, 2, 5},
                                    {6, 80, 3, 2, 3}, {6, 112, 3, 1, 5}, {6, 192, 4, 2, 5},
                                    {6, 320, 1, 1, 3}};

static const double depths[5] = {1.0, 1.1, 1.2, 1.4, 1.8}; /* Lite0 .. Lite4 */

/* Stem and top keep their channels, the first and last stage their repeats. */
static void layers(const hst_arch *a, hst_layers *out)
{
    const double depth = depths[a->family[strlen(a->family) - 1] - '0'];
    hst_chain c = {.stem = 32, .top = 1280};
    for (int i = 0; i < 7; i++) {
        c.stage[i] = stages[i];
        c.stage[i].channels = hst_make_divisible(stages[i].channels * a->cnn.width);
        if (i > 0 && i < 6)
            c.stage[i].repeats = (int)ceil(depth * stages[i].repeats);
    }
    hst_chain_layers(&c, out);
}

/* As keras.applications has it: a letter a repeat, and for the 27th and later ones two. */
void hst_efficientnet_block(const hst_layer *l, char out[32])
{
    snprintf(out, 32, "block%d%s%c", l->stage + 1, l->repeat < 26 ? "" : "z", 'a' + l->repeat % 26);
}

void hst_efficientnet_names(const hst_layer *l, hst_layer_names *out)
{
    static const hst_layer_names ends[] = {{"stem_conv", "stem_bn"}, {"top_conv", "top_bn"}};
    if (hst_names_of_ends(l, ends, out))
        return;
    static const char *const conv[] = {
        [HST_EXPAND] = "expand_conv", [HST_DEPTHWISE] = "dwconv", [HST_PROJECT] = "project_conv"};
    static const char *const bn[] = {
        [HST_EXPAND] = "expand_bn", [HST_DEPTHWISE] = "bn", [HST_PROJECT] = "project_bn"};
    char block[32];
    hst_efficientnet_block(l, block);
    snprintf(out->conv, sizeof out->conv, "%s_%s", block, conv[l->role]);
    snprintf(out->bn, sizeof out->bn, "%s_%s", block, bn[l->role]);
}

/* The names of the PyTorch port that published the weights. */
static void port_names(const hst_layer *l, hst_layer_names *out)
{
    static const hst_layer_names ends[] = {{"_conv_stem", "_bn0"}, {"_conv_head", "_bn1"}};
    if (hst_names_of_ends(l, ends, out))
        return;
    static const char *const conv[] = {[HST_EXPAND] = "_expand_conv",
                                       [HST_DEPTHWISE] = "_depthwise_conv",
                                       [HST_PROJECT] = "_project_conv"};
    int bn = l->role == HST_EXPAND ? 0 : l->role == HST_DEPTHWISE ? 1 : 2;
    snprintf(out->conv, sizeof out->conv, "_blocks.%d.%s", l->block, conv[l->role]);
    snprintf(out->bn, sizeof out->bn, "_blocks.%d._bn%d", l->block, bn);
}

static const char *const keras_body[] = {"stem_", "block", "top_", NULL};
static const char *const port_body[] = {"_conv_stem.", "_bn0.", "_blocks.",
                                        "_conv_head.", "_bn1.", NULL};

/* clang-format off */
#define NORM_127_128 {{127, 127, 127}, {128, 128, 128}}
/* clang-format on */

static const hst_dialect dialects[] = {
    {"Keras", "stem_conv/kernel", keras_body, NORM_127_128, HST_CNN(keras, TF, 1e-3, NULL)},
    HST_NUMBERED(NORM_127_128),
    {"PyTorch", "_conv_stem.weight", port_body, NORM_127_128, HST_CNN(torch, TF, 1e-3, port_names)},
    /* There tf_efficientnet_lite0 and efficientnet_lite0 differ in padding, not in names. */
    {"timm", "conv_stem.weight", hst_timm_body, HST_NORM_PM1,
     HST_CNN(torch, TF, 1e-3, hst_timm_names), .config = hst_timm_config, .needs_config = 1},
};

#define LITE(variant, channels, pixels)                                                            \
    HST_CNN_FAMILY("efficientnet_lite" #variant, pixels, dialects,                                 \
                   sizeof dialects / sizeof *dialects, .width = channels, .layers = layers,        \
                   .names = hst_efficientnet_names)

const hst_family hst_efficientnet_lite[5] = {
    LITE(0, 1.0, 224), LITE(1, 1.0, 240), LITE(2, 1.1, 260), LITE(3, 1.2, 280), LITE(4, 1.4, 300)};
