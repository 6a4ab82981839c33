/* resnet.c - ResNet-18, -34 and -50 (He et al. 2015, arXiv 1512.03385): stem 7x7/2, max pooling,
 * four stages of residual blocks, average.
 *
 *   basic       conv 3x3/s -> conv 3x3               + shortcut
 *   bottleneck  conv 1x1 -> conv 3x3/s -> conv 1x1   + shortcut
 *
 * torchvision, timm and Hugging Face have the stride s of a bottleneck on its 3x3 convolution; in
 * the paper, and in Keras (resnet50_v1), it is on the first. Keras' convolutions have biases, and
 * its input is blue, green, red. */
#include "backbones/family.h"

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

/* The convolutions of a block, its shortcut last. Returns the number of layers then. */
static int add_block(const struct variant *v, hst_layer like, int stride, hst_layer *out, int n)
{
    int wide = 64 << like.stage, made = v->bottleneck ? 4 * wide : wide, in = like.in;
    int strided = v->bottleneck && !v->stride_first ? 2 : 1, convs = v->bottleneck ? 3 : 2;
    for (int i = 1; i <= convs; i++, n++) {
        out[n] = like;
        out[n].role = HST_CONV;
        out[n].place = i;
        out[n].kernel = v->bottleneck && i != 2 ? 1 : 3;
        out[n].stride = i == strided ? stride : 1;
        out[n].in = i == 1 ? in : wide;
        out[n].out = i == convs ? made : wide;
        out[n].residual = i == convs;
    }
    if (stride == 1 && in == made)
        return n;
    out[n] = like;
    out[n].role = HST_SHORTCUT;
    out[n].kernel = 1;
    out[n].stride = stride;
    out[n].out = made;
    return n + 1;
}

static int layers(const hst_arch *a, hst_layer *out)
{
    const struct variant *v = variant_of(a);
    int n = 0, block = 0, channels = 64;
    out[n++] = (hst_layer){
        .role = HST_STEM, .block = -1, .kernel = 7, .stride = 2, .in = 3, .out = channels};
    for (int s = 0; s < 4; s++)
        for (int r = 0; r < v->blocks[s]; r++) {
            hst_layer like = {.block = block++, .stage = s, .repeat = r, .in = channels};
            n = add_block(v, like, s > 0 && r == 0 ? 2 : 1, out, n);
            channels = out[n - 1].out;
        }
    return n;
}

/* ---- graph -------------------------------------------------------------------------------------
 */

static int add_conv(hst_graph *g, const hst_arch *a, const hst_layer *l, int x, hst_err *err)
{
    hst_layer_names name;
    hst_conv c = {
        .kernel = l->kernel, .stride = l->stride, .channels = l->out, .padding = a->padding};
    hst_family_find(a->family)->names(l, &name);
    x = hst_graph_conv2d(g, x, &c, name.conv, err);
    return x < 0 ? x : hst_graph_batchnorm(g, x, a->bn_epsilon, name.bn, err);
}

static int add_stem(hst_graph *g, const hst_arch *a, const hst_layer *l, hst_err *err)
{
    const hst_conv pool = {.kernel = 3, .stride = 2, .padding = HST_PAD_SYMMETRIC};
    int x = hst_graph_input(g, (hst_shape){a->px, a->px, 3}, err);
    if (x >= 0)
        x = add_conv(g, a, l, x, err);
    if (x >= 0)
        x = hst_graph_activation(g, x, HST_ACT_RELU, err);
    return x < 0 ? x : hst_graph_max_pool(g, x, &pool, err);
}

static int build(hst_graph *g, const hst_arch *a, hst_err *err)
{
    hst_layer layer[HST_MAX_LAYERS];
    int n = layers(a, layer), x = add_stem(g, a, layer, err), from = x;
    for (int i = 1; i < n && x >= 0; i++) {
        if (layer[i].place == 1)
            from = x;
        x = add_conv(g, a, &layer[i], x, err);
        if (x >= 0 && layer[i].residual) {
            int cut = from;
            if (i + 1 < n && layer[i + 1].role == HST_SHORTCUT)
                cut = add_conv(g, a, &layer[++i], from, err);
            x = cut < 0 ? cut : hst_graph_add(g, x, cut, err);
        }
        if (x >= 0)
            x = hst_graph_activation(g, x, HST_ACT_RELU, err);
    }
    return x < 0 ? x : hst_graph_global_average(g, x, err);
}

/* ---- names -------------------------------------------------------------------------------------
 */

/* torchvision's, and timm's. */
static void torchvision_names(const hst_layer *l, hst_layer_names *out)
{
    char block[32];
    snprintf(block, sizeof block, "layer%d.%d", l->stage + 1, l->repeat);
    if (l->role == HST_STEM) {
        *out = (hst_layer_names){"conv1", "bn1"};
    } else if (l->role == HST_SHORTCUT) {
        snprintf(out->conv, sizeof out->conv, "%s.downsample.0", block);
        snprintf(out->bn, sizeof out->bn, "%s.downsample.1", block);
    } else {
        snprintf(out->conv, sizeof out->conv, "%s.conv%d", block, l->place);
        snprintf(out->bn, sizeof out->bn, "%s.bn%d", block, l->place);
    }
}

static void huggingface_names(const hst_layer *l, hst_layer_names *out)
{
    char layer[80] = "embedder.embedder";
    if (l->role == HST_SHORTCUT)
        snprintf(layer, sizeof layer, "encoder.stages.%d.layers.%d.shortcut", l->stage, l->repeat);
    else if (l->role == HST_CONV)
        snprintf(layer, sizeof layer, "encoder.stages.%d.layers.%d.layer.%d", l->stage, l->repeat,
                 l->place - 1);
    snprintf(out->conv, sizeof out->conv, "%s.convolution", layer);
    snprintf(out->bn, sizeof out->bn, "%s.normalization", layer);
}

/* Stages count from 2, as the stem is conv1; the shortcut is number 0. */
static void keras_names(const hst_layer *l, hst_layer_names *out)
{
    char layer[48] = "conv1";
    if (l->role != HST_STEM)
        snprintf(layer, sizeof layer, "conv%d_block%d_%d", l->stage + 2, l->repeat + 1,
                 l->role == HST_SHORTCUT ? 0 : l->place);
    snprintf(out->conv, sizeof out->conv, "%s_conv", layer);
    snprintf(out->bn, sizeof out->bn, "%s_bn", layer);
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
    {HST_NUMBERED, .norm = HST_NORM_IMAGENET},
    {.name = "torchvision or timm",
     .marker = "layer1.0.conv1.weight",
     .body = torchvision_body,
     .names = torchvision_names,
     .style = &hst_style_torch,
     .padding = HST_PAD_SYMMETRIC,
     .bn_epsilon = 1e-5,
     .norm = HST_NORM_IMAGENET},
    {.name = "Hugging Face",
     .marker = "embedder.embedder.convolution.weight",
     .body = huggingface_body,
     .names = huggingface_names,
     .style = &hst_style_torch,
     .padding = HST_PAD_SYMMETRIC,
     .bn_epsilon = 1e-5,
     .norm = HST_NORM_IMAGENET,
     .config = huggingface_config},
};

/* Pixels keep their range, their means are of ImageNet. */
#define NORM_MEANS                                                                                 \
    {                                                                                              \
        {123.68f, 116.779f, 103.939f},                                                             \
        {                                                                                          \
            1, 1, 1                                                                                \
        }                                                                                          \
    }

static const hst_dialect keras_dialects[] = {
    {HST_NUMBERED, .norm = NORM_MEANS, .blue_first = 1},
    {.name = "Keras, counted",
     .marker = "conv2d_52/kernel",
     .body = hst_counted_body,
     .names = counted_names,
     .style = &hst_style_keras,
     .padding = HST_PAD_SYMMETRIC,
     .bn_epsilon = 1.001e-5,
     .norm = NORM_MEANS,
     .biased = 1,
     .blue_first = 1},
    {.name = "Keras",
     .marker = "conv1_conv/kernel",
     .body = keras_body,
     .style = &hst_style_keras,
     .padding = HST_PAD_SYMMETRIC,
     .bn_epsilon = 1.001e-5,
     .norm = NORM_MEANS,
     .biased = 1,
     .blue_first = 1},
};

#define RESNET(number, list)                                                                       \
    {                                                                                              \
        .name = "resnet" number, .width = 1, .px = 224, .layers = layers, .names = keras_names,    \
        .build = build, .dialects = list, .n_dialects = sizeof list / sizeof *list                 \
    }

const hst_family hst_resnet[4] = {RESNET("34", dialects), RESNET("18", dialects),
                                  RESNET("50", dialects), RESNET("50_v1", keras_dialects)};
