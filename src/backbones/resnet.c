/* resnet.c - ResNet-18, -34 and -50 (He et al. 2015, arXiv 1512.03385): stem 7x7/2, max pooling,
 * four stages of residual blocks, average.
 *
 *   basic       conv 3x3/s -> conv 3x3               + shortcut
 *   bottleneck  conv 1x1 -> conv 3x3/s -> conv 1x1   + shortcut
 *
 * torchvision, timm and Hugging Face have the stride s of a bottleneck on its 3x3 convolution; in
 * the paper, and in Keras (resnet50_v1), it is on the first. Keras' convolutions have biases, and
 * its input is blue, green, red. */
#include "backbones/cnn.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const struct variant {
    const char *name;
    int blocks[4];
    int bottleneck, stride_first;
} variants[] = {{"resnet34", {3, 4, 6, 3}, 0, 0},
                {"resnet18", {2, 2, 2, 2}, 0, 0},
                {"resnet50", {3, 4, 6, 3}, 1, 0},
                {"resnet50_v1", {3, 4, 6, 3}, 1, 1}};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static const struct variant *variant_of(const hst_arch *a)
{
    for (size_t i = 0; i + 1 < N_VARIANTS; i++)
        if (strcmp(variants[i].name, a->family) == 0)
            return &variants[i];
    return &variants[N_VARIANTS - 1];
}

/* The convolutions of a block, its shortcut last; how many channels then. */
static int add_block(const struct variant *v, hst_layer like, int stride, hst_layers *out)
{
    const int wide = 64 << like.stage, made = v->bottleneck ? 4 * wide : wide, in = like.in;
    const int strided = v->bottleneck && !v->stride_first ? 2 : 1, convs = v->bottleneck ? 3 : 2;
    for (int i = 1; i <= convs; i++) {
        hst_layer l = hst_layer_of(like, HST_CONV, v->bottleneck && i != 2 ? 1 : 3,
                                   i == strided ? stride : 1, i == convs ? made : wide);
        l.place = i;
        l.in = i == 1 ? in : wide;
        l.residual = i == convs;
        hst_layers_add(out, l);
    }
    if (stride != 1 || in != made)
        hst_layers_add(out, hst_layer_of(like, HST_SHORTCUT, 1, stride, made));
    return made;
}

static void layers(const hst_arch *a, hst_layers *out)
{
    const struct variant *v = variant_of(a);
    hst_layer l = {.block = -1, .in = 3};
    hst_layers_add(out, hst_layer_of(l, HST_STEM, 7, 2, 64));
    l.in = 64;
    for (int s = 0; s < 4; s++)
        for (int r = 0; r < v->blocks[s]; r++) {
            l.block++;
            l.stage = s;
            l.repeat = r;
            l.in = add_block(v, l, s > 0 && r == 0 ? 2 : 1, out);
        }
}

/* ---- graph ---- */

/* The last of a block and its shortcut are added first. */
static enum hst_act activation(const hst_arch *a, const hst_layer *l)
{
    (void)a;
    return l->residual || l->role == HST_SHORTCUT ? HST_ACT_NONE : HST_ACT_RELU;
}

static int add_stem(hst_graph *g, const hst_arch *a, const hst_layer *l, hst_err *err)
{
    const hst_conv pool = {.kernel = 3, .stride = 2, .padding = HST_PAD_SYMMETRIC};
    int x = hst_graph_input(g, (hst_shape){a->size.height, a->size.width, 3}, err);
    if (x >= 0)
        x = hst_cnn_conv(g, a, l, x, err);
    return x < 0 ? x : hst_graph_max_pool(g, x, &pool, err);
}

static int build(hst_graph *g, const hst_arch *a, const hst_layers *layers, hst_err *err)
{
    const hst_layer *l = layers->layer, *end = l + layers->n;
    int x = add_stem(g, a, l, err), from = x;
    for (l++; l < end && x >= 0; l++) {
        if (l->place == 1)
            from = x;
        x = hst_cnn_conv(g, a, l, x, err);
        if (x < 0 || !l->residual)
            continue;
        if (l + 1 < end && l[1].role == HST_SHORTCUT)
            from = hst_cnn_conv(g, a, ++l, from, err);
        x = from < 0 ? from : hst_graph_add(g, x, from, err);
        if (x >= 0)
            x = hst_graph_activation(g, x, HST_ACT_RELU, err);
    }
    return x;
}

/* ---- names ---- */

/* torchvision's, and timm's. */
static void torchvision_names(const hst_layer *l, hst_layer_names *out)
{
    char block[32] = "", number[16] = "1";
    if (l->role != HST_STEM)
        snprintf(block, sizeof block, "layer%d.%d.", l->stage + 1, l->repeat);
    if (l->role == HST_CONV)
        snprintf(number, sizeof number, "%d", l->place);
    if (l->role == HST_SHORTCUT) {
        hst_names_set(out, block, "downsample.0", "downsample.1");
        return;
    }
    snprintf(out->conv, sizeof out->conv, "%sconv%s", block, number);
    snprintf(out->bn, sizeof out->bn, "%sbn%s", block, number);
}

static void huggingface_names(const hst_layer *l, hst_layer_names *out)
{
    char layer[80] = "embedder.embedder";
    if (l->role == HST_SHORTCUT)
        snprintf(layer, sizeof layer, "encoder.stages.%d.layers.%d.shortcut", l->stage, l->repeat);
    else if (l->role == HST_CONV)
        snprintf(layer, sizeof layer, "encoder.stages.%d.layers.%d.layer.%d", l->stage, l->repeat,
                 l->place - 1);
    hst_names_set(out, layer, ".convolution", ".normalization");
}

/* Stages count from 2, as the stem is conv1; the shortcut is number 0. */
static void keras_names(const hst_layer *l, hst_layer_names *out)
{
    char layer[48] = "conv1";
    if (l->role != HST_STEM)
        snprintf(layer, sizeof layer, "conv%d_block%d_%d", l->stage + 2, l->repeat + 1,
                 l->role == HST_SHORTCUT ? 0 : l->place);
    hst_names_set(out, layer, "_conv", "_bn");
}

/* Keras counts the shortcut in front of the last convolution of its block. */
static void counted_names(const hst_layer *l, hst_layer_names *out)
{
    const int shift = l->role == HST_SHORTCUT ? -1 : l->place == 3 && l->repeat == 0;
    hst_layer as = *l;
    as.of_kind += shift;
    as.of_norm += shift;
    hst_counted_names(&as, out);
}

static int huggingface_config(const json_t *o, hst_arch *a, hst_err *err)
{
    (void)a;
    if (!json_is_true(json_object_get(o, "downsample_in_bottleneck")))
        return 0;
    return hst_fail(err, HST_EMODEL,
                    "\"downsample_in_bottleneck\" is true; only ResNets without are supported");
}

static const char *const torchvision_body[] = {"conv1.",  "bn1.",    "layer1.", "layer2.",
                                               "layer3.", "layer4.", NULL};
static const char *const huggingface_body[] = {"embedder.", "encoder.", NULL};
static const char *const keras_body[] = {"conv", NULL};

static const hst_dialect dialects[] = {
    HST_NUMBERED(HST_NORM_IMAGENET),
    {"torchvision or timm", "layer1.0.conv1.weight", torchvision_body, HST_NORM_IMAGENET,
     HST_CNN(torch, SYMMETRIC, 1e-5, torchvision_names)},
    {"Hugging Face", "embedder.embedder.convolution.weight", huggingface_body, HST_NORM_IMAGENET,
     HST_CNN(torch, SYMMETRIC, 1e-5, huggingface_names), .config = huggingface_config},
};

/* Pixels keep their range, their means are of ImageNet. */
/* clang-format off */
#define NORM_MEANS {{123.68f, 116.779f, 103.939f}, {1, 1, 1}}
/* clang-format on */

static const hst_dialect keras_dialects[] = {
    {"a graph without names", "op0/kernel", hst_numbered_body, NORM_MEANS,
     .own = &(const hst_cnn_dialect){&hst_style_keras, HST_PAD_TF, 1e-3, hst_numbered_names, 0, 1}},
    {"Keras, counted", "conv2d_52/kernel", hst_counted_body, NORM_MEANS,
     .own = &(const hst_cnn_dialect){&hst_style_keras, HST_PAD_SYMMETRIC, 1.001e-5, counted_names,
                                     1, 1}},
    {"Keras", "conv1_conv/kernel", keras_body, NORM_MEANS,
     .own = &(const hst_cnn_dialect){&hst_style_keras, HST_PAD_SYMMETRIC, 1.001e-5, NULL, 1, 1}},
};

#define RESNET(number, list)                                                                       \
    HST_CNN_FAMILY("resnet" number, 224, list, sizeof list / sizeof *list, .width = 1,             \
                   .layers = layers, .names = keras_names, .activation = activation,               \
                   .build = build)

const hst_family hst_resnet[4] = {RESNET("34", dialects), RESNET("18", dialects),
                                  RESNET("50", dialects), RESNET("50_v1", keras_dialects)};
