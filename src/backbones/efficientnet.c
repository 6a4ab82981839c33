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
#include "backbones/family.h"

#include <stdio.h>

enum { STEM = 32, TOP = 1280, SQUEEZE = 4 }; /* squeezed to a quarter of the block's input */

typedef struct stage {
    hst_stage of;
    int fused;
} stage;
static const stage b0[] = {{{1, 16, 1, 1, 3}, 0}, {{6, 24, 2, 2, 3}, 0},  {{6, 40, 2, 2, 5}, 0},
                           {{6, 80, 3, 2, 3}, 0}, {{6, 112, 3, 1, 5}, 0}, {{6, 192, 4, 2, 5}, 0},
                           {{6, 320, 1, 1, 3}, 0}};
static const stage v2_b0[] = {{{1, 16, 1, 1, 3}, 1},  {{4, 32, 2, 2, 3}, 1},
                              {{4, 48, 2, 2, 3}, 1},  {{4, 96, 3, 2, 3}, 0},
                              {{6, 112, 5, 1, 3}, 0}, {{6, 192, 8, 2, 3}, 0}};

/* One kxk convolution, and, where it expands, project behind it. */
static int add_fused(const hst_stage *s, hst_layer like, hst_layer *out, int n)
{
    const int in = like.in, wide = in * s->expand, stride = like.repeat == 0 ? s->stride : 1;
    like.fused = 1;
    out[n] = like.expands ? hst_pointwise(like, HST_EXPAND, in, wide)
                          : hst_pointwise(like, HST_PROJECT, in, s->channels);
    out[n].kernel = s->kernel;
    out[n++].stride = stride;
    if (like.expands)
        out[n++] = hst_pointwise(like, HST_PROJECT, wide, s->channels);
    out[n - 1].residual = stride == 1 && in == s->channels;
    return n;
}

/* Adds the layers of a block; the number of layers then. */
static int add_block(const stage *of, hst_layer like, hst_layer *out, int n)
{
    const hst_stage *s = &of->of;
    const int in = like.in, wide = in * s->expand, stride = like.repeat == 0 ? s->stride : 1;
    like.expands = s->expand > 1;
    if (of->fused)
        return add_fused(s, like, out, n);
    if (like.expands)
        out[n++] = hst_pointwise(like, HST_EXPAND, in, wide);
    out[n] = hst_pointwise(like, HST_DEPTHWISE, wide, wide);
    out[n].kernel = s->kernel;
    out[n++].stride = stride;
    out[n++] = hst_pointwise(like, HST_SQUEEZE, wide, in / SQUEEZE);
    out[n++] = hst_pointwise(like, HST_EXCITE, in / SQUEEZE, wide);
    out[n] = hst_pointwise(like, HST_PROJECT, wide, s->channels);
    out[n++].residual = stride == 1 && in == s->channels;
    return n;
}

static int layers_of(const stage *stages, int n_stages, hst_layer *out)
{
    int n = 0, block = 0, channels = STEM;
    out[n++] = (hst_layer){
        .role = HST_STEM, .block = -1, .kernel = 3, .stride = 2, .in = 3, .out = channels};
    for (int s = 0; s < n_stages; s++)
        for (int r = 0; r < stages[s].of.repeats; r++) {
            hst_layer like = {.block = block++, .stage = s, .repeat = r, .in = channels};
            n = add_block(&stages[s], like, out, n);
            channels = stages[s].of.channels;
        }
    out[n++] = hst_pointwise((hst_layer){.block = -1}, HST_TOP, channels, TOP);
    return n;
}

static int b0_layers(const hst_arch *a, hst_layer *out)
{
    (void)a;
    return layers_of(b0, sizeof b0 / sizeof *b0, out);
}

static int v2_b0_layers(const hst_arch *a, hst_layer *out)
{
    (void)a;
    return layers_of(v2_b0, sizeof v2_b0 / sizeof *v2_b0, out);
}

/* One whole convolution instead of a block ends in an activation. */
static enum hst_act activation(const hst_arch *a, const hst_layer *l)
{
    (void)a;
    return l->role == HST_PROJECT && l->kernel == 1 ? HST_ACT_NONE
           : l->role == HST_EXCITE                  ? HST_ACT_SIGMOID
                                                    : HST_ACT_SWISH;
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

static void keras_names(const hst_layer *l, hst_layer_names *out)
{
    if (!is_gate(l)) {
        hst_efficientnet_names(l, out);
        return;
    }
    *out = (hst_layer_names){""};
    snprintf(out->conv, sizeof out->conv, "block%d%c_se_%s", l->stage + 1, 'a' + l->repeat,
             l->role == HST_SQUEEZE ? "reduce" : "expand");
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
    if (l->fused) {
        timm_fused_names(l, out);
        return;
    }
    if (!is_gate(l)) {
        hst_timm_names(l, out);
        return;
    }
    *out = (hst_layer_names){""};
    snprintf(out->conv, sizeof out->conv, "blocks.%d.%d.se.conv_%s", l->stage, l->repeat,
             l->role == HST_SQUEEZE ? "reduce" : "expand");
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
    *out = (hst_layer_names){""};
    if (is_gate(l)) {
        snprintf(out->conv, sizeof out->conv, "%s.fc%d", place, l->role == HST_SQUEEZE ? 1 : 2);
        return;
    }
    snprintf(out->conv, sizeof out->conv, "%s.0", place);
    snprintf(out->bn, sizeof out->bn, "%s.1", place);
}

static void huggingface_names(const hst_layer *l, hst_layer_names *out)
{
    static const char *const part[][2] = {
        [HST_EXPAND] = {"expansion.expand_conv", "expansion.expand_bn"},
        [HST_DEPTHWISE] = {"depthwise_conv.depthwise_conv", "depthwise_conv.depthwise_norm"},
        [HST_PROJECT] = {"projection.project_conv", "projection.project_bn"},
        [HST_SQUEEZE] = {"squeeze_excite.reduce", ""},
        [HST_EXCITE] = {"squeeze_excite.expand", ""}};
    if (l->role == HST_STEM) {
        *out = (hst_layer_names){"embeddings.convolution", "embeddings.batchnorm"};
    } else if (l->role == HST_TOP) {
        *out = (hst_layer_names){"encoder.top_conv", "encoder.top_bn"};
    } else {
        snprintf(out->conv, sizeof out->conv, "encoder.blocks.%d.%s", l->block, part[l->role][0]);
        snprintf(out->bn, sizeof out->bn, "encoder.blocks.%d.%s", l->block, part[l->role][1]);
    }
}

static const char *const keras_body[] = {"stem_", "block", "top_", NULL};
static const char *const huggingface_body[] = {"embeddings.", "encoder.", NULL};
static const char *const torchvision_body[] = {"features.", NULL};

static const hst_dialect dialects[] = {
    {HST_NUMBERED, .norm = HST_NORM_IMAGENET},
    {HST_COUNTED("depthwise_conv2d_15/depthwise_kernel"), .norm = HST_NORM_IMAGENET},
    {.name = "Keras",
     .marker = "stem_conv/kernel",
     .body = keras_body,
     .style = &hst_style_keras,
     .padding = HST_PAD_TF,
     .bn_epsilon = 1e-3,
     .norm = HST_NORM_IMAGENET},
    {.name = "torchvision",
     .marker = "features.1.0.block.0.0.weight",
     .body = torchvision_body,
     .names = torchvision_names,
     .style = &hst_style_torch,
     .padding = HST_PAD_SYMMETRIC,
     .bn_epsilon = 1e-5,
     .norm = HST_NORM_IMAGENET},
    {.name = "Hugging Face",
     .marker = "encoder.top_conv.weight",
     .body = huggingface_body,
     .names = huggingface_names,
     .style = &hst_style_torch,
     .padding = HST_PAD_TF,
     .bn_epsilon = 1e-3,
     .norm = HST_NORM_IMAGENET,
     .config = hst_huggingface_efficientnet_config},
    /* There tf_efficientnet_b0 and efficientnet_b0 differ in padding, not in names. */
    {.name = "timm",
     .marker = "conv_stem.weight",
     .body = hst_timm_body,
     .names = timm_names,
     .style = &hst_style_torch,
     .padding = HST_PAD_TF,
     .bn_epsilon = 1e-3,
     .norm = HST_NORM_IMAGENET,
     .config = hst_timm_config,
     .needs_config = 1},
};

/* Keras, timm: there is no V2-B0 of torchvision. */
static const hst_dialect v2_dialects[] = {
    {HST_NUMBERED, .norm = HST_NORM_IMAGENET},
    {HST_COUNTED("depthwise_conv2d_15/depthwise_kernel"), .norm = HST_NORM_IMAGENET},
    {.name = "Keras",
     .marker = "stem_conv/kernel",
     .body = keras_body,
     .style = &hst_style_keras,
     .padding = HST_PAD_TF,
     .bn_epsilon = 1e-3,
     .norm = HST_NORM_IMAGENET},
    {.name = "timm",
     .marker = "conv_stem.weight",
     .body = hst_timm_body,
     .names = timm_names,
     .style = &hst_style_torch,
     .padding = HST_PAD_TF,
     .bn_epsilon = 1e-3,
     .norm = HST_NORM_IMAGENET,
     .config = hst_timm_config,
     .needs_config = 1},
};

const hst_family hst_efficientnet_b0 = {.name = "efficientnet_b0",
                                        .width = 1,
                                        .px = 224,
                                        .layers = b0_layers,
                                        .names = keras_names,
                                        .build = build,
                                        .dialects = dialects,
                                        .n_dialects = sizeof dialects / sizeof *dialects};

const hst_family hst_efficientnet_v2_b0 = {.name = "efficientnet_v2_b0",
                                           .width = 1,
                                           .px = 224,
                                           .layers = v2_b0_layers,
                                           .names = keras_v2_names,
                                           .build = build,
                                           .dialects = v2_dialects,
                                           .n_dialects = sizeof v2_dialects / sizeof *v2_dialects};
