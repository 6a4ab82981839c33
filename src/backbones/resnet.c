/* resnet.c - ResNets of the paper (He et al. 2015, arXiv 1512.03385) and of its sequel, with
 * activations in front of the convolutions (He et al. 2016, arXiv 1603.05027): stem 7x7/2, max
 * pooling, four stages of residual blocks, average.
 *
 *   basic       conv 3x3/s -> conv 3x3               + shortcut, ReLU
 *   bottleneck  conv 1x1 -> conv 3x3/s -> conv 1x1   + shortcut, ReLU
 *   v2          norm, ReLU -> bottleneck without a last norm + shortcut; norm, ReLU at the end
 *
 * torchvision, timm and Hugging Face have the stride s of a bottleneck on its 3x3 convolution; in
 * the paper, and in Keras (resnet50_v1), it is on the first. TensorFlow's slim, which TF Hub's
 * modules were made with (resnet_v1_50, resnet_v2_50), and Keras' resnet50_v2 have it in the last
 * block of a stage, where the shortcut is every second pixel. Keras' convolutions have biases, and
 * the input of its resnet50_v1 is blue, green, red. Google's BiT (Kolesnikov et al. 2019, arXiv
 * 1912.11370) is of the sequel, with group norm and standardised weights (bit_r50x1). */
#include "backbones/cnn.h"
#include "backbones/config.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Of a bottleneck: which convolution has the stride, and where. */
enum stride_at { ON_SECOND, ON_FIRST, IN_LAST_BLOCK };

static const struct variant {
    const char *name;
    int blocks[4];
    int bottleneck;
    enum stride_at stride_at;
    int activates_first;
    enum hst_padding pool; /* of the max pooling */
    int standardised;      /* its weights; and its norms are group norms, its biases none */
} variants[] = {
    {"resnet18", {2, 2, 2, 2}, 0, ON_SECOND, 0, HST_PAD_SYMMETRIC},
    {"resnet34", {3, 4, 6, 3}, 0, ON_SECOND, 0, HST_PAD_SYMMETRIC},
    {"resnet50", {3, 4, 6, 3}, 1, ON_SECOND, 0, HST_PAD_SYMMETRIC},
    {"resnet101", {3, 4, 23, 3}, 1, ON_SECOND, 0, HST_PAD_SYMMETRIC},
    {"resnet152", {3, 8, 36, 3}, 1, ON_SECOND, 0, HST_PAD_SYMMETRIC},
    {"resnet50_v1", {3, 4, 6, 3}, 1, ON_FIRST, 0, HST_PAD_SYMMETRIC},
    {"resnet101_v1", {3, 4, 23, 3}, 1, ON_FIRST, 0, HST_PAD_SYMMETRIC},
    {"resnet152_v1", {3, 8, 36, 3}, 1, ON_FIRST, 0, HST_PAD_SYMMETRIC},
    {"resnet50_v2", {3, 4, 6, 3}, 1, IN_LAST_BLOCK, 1, HST_PAD_SYMMETRIC_ZEROS},
    {"resnet101_v2", {3, 4, 23, 3}, 1, IN_LAST_BLOCK, 1, HST_PAD_SYMMETRIC_ZEROS},
    {"resnet152_v2", {3, 8, 36, 3}, 1, IN_LAST_BLOCK, 1, HST_PAD_SYMMETRIC_ZEROS},
    {"resnet_v1_50", {3, 4, 6, 3}, 1, IN_LAST_BLOCK, 0, HST_PAD_TF},
    {"resnet_v1_101", {3, 4, 23, 3}, 1, IN_LAST_BLOCK, 0, HST_PAD_TF},
    {"resnet_v1_152", {3, 8, 36, 3}, 1, IN_LAST_BLOCK, 0, HST_PAD_TF},
    {"resnet_v2_50", {3, 4, 6, 3}, 1, IN_LAST_BLOCK, 1, HST_PAD_TF},
    {"resnet_v2_101", {3, 4, 23, 3}, 1, IN_LAST_BLOCK, 1, HST_PAD_TF},
    {"resnet_v2_152", {3, 8, 36, 3}, 1, IN_LAST_BLOCK, 1, HST_PAD_TF},
    {"bit_r50x1", {3, 4, 6, 3}, 1, ON_SECOND, 1, HST_PAD_SYMMETRIC_ZEROS, 1},
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static const struct variant *variant_of(const hst_arch *a)
{
    for (size_t i = 0; i + 1 < N_VARIANTS; i++)
        if (strcmp(variants[i].name, a->family) == 0)
            return &variants[i];
    return &variants[N_VARIANTS - 1];
}

/* Behind a norm's convolution, and behind those without. */
static enum hst_behind norm_of(const struct variant *v)
{
    return v->standardised ? HST_GROUP_NORM : HST_BATCH_NORM;
}

static enum hst_behind none_of(const struct variant *v)
{
    return v->standardised ? HST_NOTHING : v->activates_first ? HST_BIAS_ALONE : HST_BATCH_NORM;
}

/* The layers of a block, its shortcut last; how many channels then. */
static int add_block(const struct variant *v, hst_layer like, int stride, hst_layers *out)
{
    const int wide = 64 << like.stage, made = v->bottleneck ? 4 * wide : wide, in = like.in;
    const int strided = v->bottleneck && v->stride_at != ON_FIRST ? 2 : 1;
    const int convs = v->bottleneck ? 3 : 2;
    like.standardised = v->standardised;
    like.behind = norm_of(v);
    if (v->activates_first)
        hst_layers_add(out, hst_layer_of(like, HST_NORM, 1, 1, in));
    for (int i = 1; i <= convs; i++) {
        hst_layer l = hst_layer_of(like, HST_CONV, v->bottleneck && i != 2 ? 1 : 3,
                                   i == strided ? stride : 1, i == convs ? made : wide);
        l.place = i;
        l.in = i == 1 ? in : wide;
        l.residual = i == convs;
        if (l.residual)
            l.behind = none_of(v);
        hst_layers_add(out, l);
    }
    hst_layer shortcut = hst_layer_of(like, HST_SHORTCUT, 1, stride, made);
    shortcut.behind = none_of(v);
    if (in != made || (stride != 1 && v->stride_at != IN_LAST_BLOCK))
        hst_layers_add(out, shortcut);
    return made;
}

static void layers(const hst_arch *a, hst_layers *out)
{
    const struct variant *v = variant_of(a);
    hst_layer l = {.block = -1, .in = 3, .behind = none_of(v), .standardised = v->standardised};
    hst_layers_add(out, hst_layer_of(l, HST_STEM, 7, 2, 64));
    l = (hst_layer){.block = -1, .in = 64, .behind = norm_of(v)};
    for (int s = 0; s < 4; s++)
        for (int r = 0; r < v->blocks[s]; r++) {
            const int is_strided =
                v->stride_at == IN_LAST_BLOCK ? s < 3 && r == v->blocks[s] - 1 : s > 0 && r == 0;
            l.block++;
            l.stage = s;
            l.repeat = r;
            l.in = add_block(v, l, is_strided ? 2 : 1, out);
        }
    l.block = -1;
    if (v->activates_first)
        hst_layers_add(out, hst_layer_of(l, HST_NORM, 1, 1, l.in));
}

/* ---- graph ---- */

/* The last of a block and its shortcut are added first. */
static enum hst_act activation(const hst_arch *a, const hst_layer *l)
{
    (void)a;
    const int alone = l->behind == HST_BIAS_ALONE || l->behind == HST_NOTHING;
    return l->residual || alone || l->role == HST_SHORTCUT ? HST_ACT_NONE : HST_ACT_RELU;
}

static int add_stem(hst_graph *g, const hst_arch *a, const hst_layer *l, hst_err *err)
{
    const hst_conv pool = {.kernel = 3, .stride = 2, .padding = variant_of(a)->pool};
    int x = hst_graph_input(g, (hst_shape){a->size.height, a->size.width, 3}, err);
    if (x >= 0)
        x = hst_cnn_conv(g, a, l, x, err);
    return x < 0 ? x : hst_graph_max_pool(g, x, &pool, err);
}

/* What is added to the block that ends in the layer in front of l: x, at the block's stride. */
static int add_shortcut(hst_graph *g, const hst_arch *a, const hst_layer *l, int is_layer, int x,
                        hst_err *err)
{
    const hst_conv every_second = {.kernel = 1, .stride = 2, .padding = HST_PAD_TF};
    if (is_layer)
        return hst_cnn_conv(g, a, l, x, err);
    return l[-2].stride == 1 ? x : hst_graph_max_pool(g, x, &every_second, err);
}

static int build(hst_graph *g, const hst_arch *a, const hst_layers *layers, hst_err *err)
{
    const hst_layer *l = layers->layer, *end = l + layers->n;
    int x = add_stem(g, a, l, err), from = x, activated = -1;
    for (l++; l < end && x >= 0; l++) {
        if (l->role == HST_NORM)
            from = x;
        else if (l->place == 1 && activated < 0)
            from = x;
        x = hst_cnn_conv(g, a, l, x, err);
        if (l->role == HST_NORM)
            activated = x;
        if (x < 0 || !l->residual)
            continue;
        const int is_layer = l + 1 < end && l[1].role == HST_SHORTCUT;
        from =
            add_shortcut(g, a, l + 1, is_layer, is_layer && activated >= 0 ? activated : from, err);
        l += is_layer;
        x = from < 0 ? from : hst_graph_add(g, x, from, err);
        if (x >= 0 && activated < 0)
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
    char layer[64] = "conv1", part[16] = "preact";
    if (l->role != HST_NORM)
        snprintf(part, sizeof part, "%d", l->role == HST_SHORTCUT ? 0 : l->place);
    if (l->block < 0 && l->role == HST_NORM)
        snprintf(layer, sizeof layer, "post");
    else if (l->role != HST_STEM)
        snprintf(layer, sizeof layer, "conv%d_block%d_%s", l->stage + 2, l->repeat + 1, part);
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

/* Slim's; unit: "bottleneck_v1". */
static void slim_names(const hst_layer *l, const char *unit, hst_layer_names *out)
{
    char layer[64] = "conv1", part[16] = "shortcut";
    if (l->role == HST_CONV)
        snprintf(part, sizeof part, "conv%d", l->place);
    if (l->role == HST_NORM)
        snprintf(part, sizeof part, "preact");
    if (l->block < 0 && l->role == HST_NORM)
        snprintf(layer, sizeof layer, "postnorm");
    else if (l->role != HST_STEM)
        snprintf(layer, sizeof layer, "block%d/unit_%d/%s/%s", l->stage + 1, l->repeat + 1, unit,
                 part);
    hst_names_set(out, layer, "", l->role == HST_NORM ? "" : "/BatchNorm");
}

static void hub_v1_names(const hst_layer *l, hst_layer_names *out)
{
    slim_names(l, "bottleneck_v1", out);
}

static void hub_v2_names(const hst_layer *l, hst_layer_names *out)
{
    slim_names(l, "bottleneck_v2", out);
}

/* BiT's: the norm in front of a block is its first. */
static void bit_norm(const hst_layer *l, const char *block, hst_layer_names *out)
{
    snprintf(out->bn, sizeof out->bn, "%snorm%d", block, l->role == HST_NORM ? 1 : l->place + 1);
    if (l->block < 0 && l->role == HST_NORM)
        snprintf(out->bn, sizeof out->bn, "norm");
}

static void bit_names_in(const hst_layer *l, const char *stem, const char *list,
                         hst_layer_names *out)
{
    char block[80];
    snprintf(block, sizeof block, "%s.%d.%s.%d.", stem, l->stage, list, l->repeat);
    bit_norm(l, block, out);
    if (l->role == HST_SHORTCUT)
        snprintf(out->conv, sizeof out->conv, "%sdownsample.conv", block);
    else
        snprintf(out->conv, sizeof out->conv, "%sconv%d", block, l->place);
}

static void bit_timm_names(const hst_layer *l, hst_layer_names *out)
{
    bit_names_in(l, "stages", "blocks", out);
    if (l->role == HST_STEM)
        snprintf(out->conv, sizeof out->conv, "stem.conv");
}

static void bit_huggingface_names(const hst_layer *l, hst_layer_names *out)
{
    bit_names_in(l, "encoder.stages", "layers", out);
    if (l->role == HST_STEM)
        snprintf(out->conv, sizeof out->conv, "embedder.convolution");
}

/* Its authors': the units' convolutions are a, b, c, each with the norm in front of it. */
static void bit_google_names(const hst_layer *l, hst_layer_names *out)
{
    char unit[48];
    snprintf(unit, sizeof unit, "block%d/unit%02d", l->stage + 1, l->repeat + 1);
    const char part = (char)('a' + (l->role == HST_CONV ? l->place - 1 : 0));
    snprintf(out->conv, sizeof out->conv, "%s/%c%s/standardized_conv2d", unit, part,
             l->role == HST_SHORTCUT ? "/proj" : "");
    snprintf(out->bn, sizeof out->bn, "%s/%c/group_norm", unit,
             l->role == HST_NORM ? 'a' : (char)(part + 1));
    if (l->role == HST_STEM)
        snprintf(out->conv, sizeof out->conv, "root_block/standardized_conv2d");
    if (l->block < 0 && l->role == HST_NORM)
        snprintf(out->bn, sizeof out->bn, "group_norm");
}

/* Others of the same names have batch norm, which their tensors show, or plain weights. */
static int bit_timm_config(const json_t *o, hst_arch *a, hst_err *err)
{
    const char *name = json_string_value(json_object_get(o, "architecture"));
    if (name && !strstr(name, "_bit"))
        return hst_fail(err, HST_EMODEL,
                        "\"architecture\" is '%.60s'; of ResNets V2 with group norm only BiT's "
                        "are supported",
                        name);
    return hst_timm_config(o, a, err);
}

static int bit_huggingface_config(const json_t *o, hst_arch *a, hst_err *err)
{
    int rc = hst_config_must_say(o, "model_type", "bit", err);
    rc = rc ? rc : hst_config_image_size(o, &a->size, err);
    rc = rc ? rc : hst_config_must_say(o, "layer_type", "preactivation", err);
    rc = rc ? rc : hst_config_must_say(o, "hidden_act", "relu", err);
    rc = rc ? rc : hst_config_must_be(o, "num_groups", HST_BIT_GROUPS, err);
    if (rc == 0 && json_is_string(json_object_get(o, "global_padding")))
        rc = hst_fail(err, HST_EMODEL,
                      "\"global_padding\" is '%.20s'; only networks without are supported",
                      json_string_value(json_object_get(o, "global_padding")));
    if (rc == 0 && json_is_true(json_object_get(o, "embedding_dynamic_padding")))
        rc = hst_fail(err, HST_EMODEL,
                      "\"embedding_dynamic_padding\" is true; only networks without are supported");
    return rc;
}

static int huggingface_config(const json_t *o, hst_arch *a, hst_err *err)
{
    if (!json_is_true(json_object_get(o, "downsample_in_bottleneck")))
        return hst_config_image_size(o, &a->size, err);
    return hst_fail(err, HST_EMODEL,
                    "\"downsample_in_bottleneck\" is true; only ResNets without are supported");
}

/* Some of timm's ResNets blur in front of a stride, which no tensor shows. */
static int timm_config(const json_t *o, hst_arch *a, hst_err *err)
{
    static const char *const others[] = {"resnetaa", "resnetblur"};
    const char *name = json_string_value(json_object_get(o, "architecture"));
    for (size_t i = 0; name && i < sizeof others / sizeof *others; i++)
        if (strncmp(name, others[i], strlen(others[i])) == 0)
            return hst_fail(err, HST_EMODEL,
                            "\"architecture\" is '%.60s'; ResNets that blur are not supported",
                            name);
    return name ? hst_timm_config(o, a, err) : 0;
}

/* ---- dialects ---- */

static const char *const torchvision_body[] = {"conv1.",  "bn1.",    "layer1.", "layer2.",
                                               "layer3.", "layer4.", NULL};
static const char *const huggingface_body[] = {"embedder.", "encoder.", NULL};
static const char *const keras_body[] = {"conv", "post_bn", NULL};
static const char *const bit_timm_body[] = {"stem.", "stages.", "norm.", NULL};
static const char *const bit_huggingface_body[] = {"embedder.", "encoder.", "norm.", NULL};
static const char *const bit_google_body[] = {"root_block/", "block", "group_norm/", NULL};
static const char *const hub_body[] = {"conv1/", "block", "postnorm/", NULL};

static const hst_dialect bit_dialects[] = {
    {"timm", "stages.0.blocks.0.downsample.conv.weight", bit_timm_body, HST_NORM_PM1,
     HST_CNN(torch, SYMMETRIC, 1e-5, bit_timm_names), .config = bit_timm_config},
    {"Hugging Face", "encoder.stages.0.layers.0.downsample.conv.weight", bit_huggingface_body,
     HST_NORM_PM1, HST_CNN(torch, SYMMETRIC, 1e-5, bit_huggingface_names),
     .config = bit_huggingface_config},
    {"Google", "root_block/standardized_conv2d/kernel", bit_google_body, HST_NORM_PM1,
     HST_CNN(keras, SYMMETRIC, 1e-5, bit_google_names)},
};

static const hst_dialect dialects[] = {
    HST_NUMBERED(HST_NORM_IMAGENET),
    {"torchvision or timm", "layer1.0.conv1.weight", torchvision_body, HST_NORM_IMAGENET,
     HST_CNN(torch, SYMMETRIC, 1e-5, torchvision_names), .config = timm_config},
    {"Hugging Face", "embedder.embedder.convolution.weight", huggingface_body, HST_NORM_IMAGENET,
     HST_CNN(torch, SYMMETRIC, 1e-5, huggingface_names), .config = huggingface_config},
};

#define RESNET(name_, list, n_list)                                                                \
    HST_CNN_FAMILY("resnet" name_, 224, list, n_list, .width = 1, .layers = layers,                \
                   .names = keras_names, .activation = activation, .build = build)
#define OF_TORCH(number) RESNET(number, dialects, sizeof dialects / sizeof *dialects)

/* Pixels keep their range, their means are of ImageNet. */
/* clang-format off */
#define NORM_MEANS {{123.68f, 116.779f, 103.939f}, {1, 1, 1}}
/* clang-format on */

/* last: the number of the last batch norm, from 0, of which V1 and V2 have not the same. */
#define OF_KERAS(number, last)                                                                     \
    RESNET(                                                                                        \
        number "_v1",                                                                              \
        ((const hst_dialect[]){                                                                    \
            {"a graph without names", "op0/kernel", hst_numbered_body, NORM_MEANS,                 \
             .own = &(const hst_cnn_dialect){&hst_style_keras, HST_PAD_TF, 1e-3,                   \
                                             hst_numbered_names, 0, 1}},                           \
            {"Keras, counted", "batch_normalization_" last "/gamma", hst_counted_body, NORM_MEANS, \
             .own = &(const hst_cnn_dialect){&hst_style_keras, HST_PAD_SYMMETRIC, 1.001e-5,        \
                                             counted_names, 1, 1}},                                \
            {"Keras", "conv1_bn/gamma", keras_body, NORM_MEANS,                                    \
             .own = &(const hst_cnn_dialect){&hst_style_keras, HST_PAD_SYMMETRIC, 1.001e-5, NULL,  \
                                             1, 1}}}),                                             \
        3)
#define OF_KERAS_V2(number, last)                                                                  \
    RESNET(number "_v2",                                                                           \
           ((const hst_dialect[]){{"Keras, counted", "batch_normalization_" last "/gamma",         \
                                   hst_counted_body, HST_NORM_PM1,                                 \
                                   HST_CNN(keras, SYMMETRIC, 1.001e-5, counted_names)},            \
                                  {"Keras", "post_bn/gamma", keras_body, HST_NORM_PM1,             \
                                   HST_CNN(keras, SYMMETRIC, 1.001e-5, NULL)}}),                   \
           2)
/* Its modules take 0..1, and make -1..1 of it in front of the first convolution. */
#define OF_HUB(version, number)                                                                    \
    RESNET("_v" #version "_" number,                                                               \
           ((const hst_dialect[]){                                                                 \
               {"TF Hub", "block1/unit_1/bottleneck_v" #version "/conv1/weights", hub_body,        \
                HST_NORM_PM1, HST_CNN(slim, SYMMETRIC, 1e-5, hub_v##version##_names)}}),           \
           1)

/* A deeper one holds the layers of a shallower one, and is compared first. */
const hst_family hst_resnet[18] = {OF_TORCH("34"),
                                   OF_TORCH("18"),
                                   OF_TORCH("152"),
                                   OF_TORCH("101"),
                                   OF_TORCH("50"),
                                   OF_KERAS("152", "154"),
                                   OF_KERAS_V2("152", "150"),
                                   OF_KERAS("101", "103"),
                                   OF_KERAS_V2("101", "99"),
                                   OF_KERAS("50", "52"),
                                   OF_KERAS_V2("50", "48"),
                                   OF_HUB(1, "152"),
                                   OF_HUB(1, "101"),
                                   OF_HUB(1, "50"),
                                   OF_HUB(2, "152"),
                                   OF_HUB(2, "101"),
                                   OF_HUB(2, "50"),
                                   HST_CNN_FAMILY("bit_r50x1", 224, bit_dialects, 3, .width = 1,
                                                  .layers = layers, .names = keras_names,
                                                  .activation = activation, .build = build)};
