/* mobilenet_v4.c - MobileNetV4-Conv-S and -M (Qin et al. 2024, arXiv 2404.10518): ReLU, and blocks
 * of three kinds, those of the last with one, two or no depthwise convolution:
 *
 *   conv    kxk
 *   fused   kxk, which expands -> project 1x1                            (+ input)
 *   universal inverted bottleneck
 *           [depthwise] -> expand 1x1 -> [depthwise] -> project 1x1      (+ input)
 *
 * A block's stride is that of its last kxk convolution. Neither the depthwise convolution in front
 * nor the projection has an activation. Behind the average is a layer more. */
#include "backbones/cnn.h"

#include <stdio.h>
#include <string.h>

enum { CONV = 1, FUSED, UNIVERSAL };

/* front, kernel: of the two depthwise convolutions, 0: there is none; of the other kinds only
 * kernel. stage: the number of timm's stage. */
struct row {
    int kind, front, kernel, stride, expand, channels, stage;
};
static const struct row small[] = {{CONV, 0, 3, 2, 1, 32, 0},       {CONV, 0, 1, 1, 1, 32, 0},
                                   {CONV, 0, 3, 2, 1, 96, 1},       {CONV, 0, 1, 1, 1, 64, 1},
                                   {UNIVERSAL, 5, 5, 2, 3, 96, 2},  {UNIVERSAL, 0, 3, 1, 2, 96, 2},
                                   {UNIVERSAL, 0, 3, 1, 2, 96, 2},  {UNIVERSAL, 0, 3, 1, 2, 96, 2},
                                   {UNIVERSAL, 0, 3, 1, 2, 96, 2},  {UNIVERSAL, 3, 0, 1, 4, 96, 2},
                                   {UNIVERSAL, 3, 3, 2, 6, 128, 3}, {UNIVERSAL, 5, 5, 1, 4, 128, 3},
                                   {UNIVERSAL, 0, 5, 1, 4, 128, 3}, {UNIVERSAL, 0, 5, 1, 3, 128, 3},
                                   {UNIVERSAL, 0, 3, 1, 4, 128, 3}, {UNIVERSAL, 0, 3, 1, 4, 128, 3},
                                   {CONV, 0, 1, 1, 1, 960, 4}};
static const struct row medium[] = {
    {FUSED, 0, 3, 2, 4, 48, 0},      {UNIVERSAL, 3, 5, 2, 4, 80, 1},
    {UNIVERSAL, 3, 3, 1, 2, 80, 1},  {UNIVERSAL, 3, 5, 2, 6, 160, 2},
    {UNIVERSAL, 3, 3, 1, 4, 160, 2}, {UNIVERSAL, 3, 3, 1, 4, 160, 2},
    {UNIVERSAL, 3, 5, 1, 4, 160, 2}, {UNIVERSAL, 3, 3, 1, 4, 160, 2},
    {UNIVERSAL, 3, 0, 1, 4, 160, 2}, {UNIVERSAL, 0, 0, 1, 2, 160, 2},
    {UNIVERSAL, 3, 0, 1, 4, 160, 2}, {UNIVERSAL, 5, 5, 2, 6, 256, 3},
    {UNIVERSAL, 5, 5, 1, 4, 256, 3}, {UNIVERSAL, 3, 5, 1, 4, 256, 3},
    {UNIVERSAL, 3, 5, 1, 4, 256, 3}, {UNIVERSAL, 0, 0, 1, 4, 256, 3},
    {UNIVERSAL, 3, 0, 1, 4, 256, 3}, {UNIVERSAL, 3, 5, 1, 2, 256, 3},
    {UNIVERSAL, 5, 5, 1, 4, 256, 3}, {UNIVERSAL, 0, 0, 1, 4, 256, 3},
    {UNIVERSAL, 0, 0, 1, 4, 256, 3}, {UNIVERSAL, 5, 0, 1, 2, 256, 3},
    {CONV, 0, 1, 1, 1, 960, 4}};
enum {
    STEM = 32,
    TOP = 1280,
    N_SMALL = sizeof small / sizeof *small,
    N_MEDIUM = sizeof medium / sizeof *medium,
    FRONT = 1 /* place of the depthwise convolution in front */
};

static void add_block(const struct row *r, hst_layer l, hst_layers *out)
{
    const int in = l.in, wide = in * r->expand;
    if (r->kind == CONV) {
        hst_layers_add(out, hst_layer_of(l, HST_CONV, r->kernel, r->stride, r->channels));
        return;
    }
    if (r->front) {
        hst_layer front = hst_layer_of(l, HST_DEPTHWISE, r->front, r->kernel ? 1 : r->stride, in);
        front.place = FRONT;
        hst_layers_add(out, front);
    }
    l.fused = r->kind == FUSED;
    hst_layers_add(
        out, hst_layer_of(l, HST_EXPAND, l.fused ? r->kernel : 1, l.fused ? r->stride : 1, wide));
    l.in = wide;
    if (r->kernel && !l.fused)
        hst_layers_add(out, hst_layer_of(l, HST_DEPTHWISE, r->kernel, r->stride, wide));
    l = hst_layer_of(l, HST_PROJECT, 1, 1, r->channels);
    l.residual = r->stride == 1 && in == r->channels;
    hst_layers_add(out, l);
}

static void layers(const hst_arch *a, hst_layers *out)
{
    const int is_small = strcmp(a->family, "mobilenet_v4_small") == 0;
    const struct row *r = is_small ? small : medium;
    hst_layer l = {.block = -1, .in = 3};
    hst_layers_add(out, hst_layer_of(l, HST_STEM, 3, 2, STEM));
    l.in = STEM;
    for (int i = 0; i < (is_small ? N_SMALL : N_MEDIUM); i++) {
        l.block = i;
        l.repeat = i > 0 && r[i].stage == r[i - 1].stage ? l.repeat + 1 : 0;
        l.stage = r[i].stage;
        add_block(&r[i], l, out);
        l.in = r[i].channels;
    }
    l = (hst_layer){.block = -1, .in = l.in, .pooled = 1};
    hst_layers_add(out, hst_layer_of(l, HST_TOP, 1, 1, TOP));
}

static enum hst_act activation(const hst_arch *a, const hst_layer *l)
{
    (void)a;
    return l->role == HST_PROJECT || l->place == FRONT ? HST_ACT_NONE : HST_ACT_RELU;
}

/* ---- names ---- */

static void names(const hst_layer *l, hst_layer_names *out)
{
    static const hst_layer_names ends[] = {{"stem_conv", "stem_bn", ""},
                                           {"top_conv", "top_bn", ""}};
    if (hst_names_of_ends(l, ends, out))
        return;
    const char *part = l->role == HST_CONV      ? ""
                       : l->role == HST_EXPAND  ? "_expand"
                       : l->role == HST_PROJECT ? "_project"
                       : l->place == FRONT      ? "_front"
                                                : "_depthwise";
    char layer[48];
    snprintf(layer, sizeof layer, "block%d%s", l->block + 1, part);
    hst_names_set(out, layer, "_conv", "_bn");
}

static void timm_names(const hst_layer *l, hst_layer_names *out)
{
    static const hst_layer_names ends[] = {{"conv_stem", "bn1", ""},
                                           {"conv_head", "norm_head", ""}};
    if (hst_names_of_ends(l, ends, out))
        return;
    char block[32], layer[64];
    snprintf(block, sizeof block, "blocks.%d.%d.", l->stage, l->repeat);
    if (l->role == HST_CONV) {
        hst_names_set(out, block, "conv", "bn1");
        return;
    }
    if (l->fused) {
        const int expands = l->role == HST_EXPAND;
        hst_names_set(out, block, expands ? "conv_exp" : "conv_pwl", expands ? "bn1" : "bn2");
        return;
    }
    const char *part = l->role == HST_EXPAND    ? "pw_exp"
                       : l->role == HST_PROJECT ? "pw_proj"
                       : l->place == FRONT      ? "dw_start"
                                                : "dw_mid";
    snprintf(layer, sizeof layer, "%s%s", block, part);
    hst_names_set(out, layer, ".conv", ".bn");
}

static const char *const timm_body[] = {"conv_stem.", "bn1.",       "blocks.",
                                        "conv_head.", "norm_head.", NULL};

static const hst_dialect dialects[] = {
    {"timm", "conv_stem.weight", timm_body, HST_NORM_IMAGENET,
     HST_CNN(torch, SYMMETRIC, 1e-5, timm_names), .config = hst_timm_config},
};

#define MOBILENET_V4(variant)                                                                      \
    HST_CNN_FAMILY("mobilenet_v4_" variant, 224, dialects, sizeof dialects / sizeof *dialects,     \
                   .width = 1, .layers = layers, .names = names, .activation = activation)

const hst_family hst_mobilenet_v4[2] = {MOBILENET_V4("small"), MOBILENET_V4("medium")};
