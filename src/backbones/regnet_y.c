/* regnet_y.c - RegNetY of 400 MF, 800 MF and 1.6 GF (Radosavovic et al. 2020, arXiv 2003.13678):
 * stem 3x3/2, four stages of bottlenecks that do not narrow, whose 3x3 convolution is in groups of
 * one width, with squeeze-and-excitation to a quarter of the block's input behind it; average.
 *
 *   block    1x1 -> 3x3/2 in groups -> x * excite(squeeze(average)) -> 1x1   + shortcut, ReLU
 *
 * The first block of each stage has the stride, and a 1x1 convolution as its shortcut. */
#include "backbones/cnn.h"
#include "backbones/config.h"

#include <stdio.h>
#include <string.h>

enum { N_STAGES = 4, STEM = 32, GROUPED = 2 /* place */ };

/* torchvision's 800 MF is not that of the authors (pycls), which timm and transformers have. */
static const struct variant {
    const char *name;
    int group; /* channels */
    int blocks[N_STAGES], out[N_STAGES];
} variants[] = {
    {"regnet_y_400mf", 8, {1, 3, 6, 6}, {48, 104, 208, 440}},
    {"regnet_y_800mf", 16, {1, 3, 8, 2}, {64, 144, 320, 784}},
    {"regnet_y_800mf_pycls", 16, {1, 3, 8, 2}, {64, 128, 320, 768}},
    {"regnet_y_1_6gf", 24, {2, 6, 17, 2}, {48, 120, 336, 888}},
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static const struct variant *variant_of(const hst_arch *a)
{
    for (size_t i = 0; i + 1 < N_VARIANTS; i++)
        if (strcmp(variants[i].name, a->family) == 0)
            return &variants[i];
    return &variants[N_VARIANTS - 1];
}

/* place: of its convolutions 1, 2, 3. */
static void add_block(const struct variant *v, hst_layer l, hst_layers *out)
{
    const int in = l.in, made = v->out[l.stage], stride = l.repeat == 0 ? 2 : 1;
    const int squeezed = in / 4;
    for (l.place = 1; l.place <= 3; l.place++, l.in = made) {
        hst_layer c = hst_layer_of(l, HST_CONV, l.place == GROUPED ? 3 : 1,
                                   l.place == GROUPED ? stride : 1, made);
        c.groups = l.place == GROUPED ? made / v->group : 0;
        c.residual = l.place == 3;
        if (c.residual) {
            hst_layer e = hst_layer_of(l, HST_EXCITE, 1, 1, made);
            e.in = squeezed;
            hst_layers_add(out, hst_layer_of(l, HST_SQUEEZE, 1, 1, squeezed));
            hst_layers_add(out, e);
        }
        hst_layers_add(out, c);
    }
    l.in = in;
    if (stride > 1)
        hst_layers_add(out, hst_layer_of(l, HST_SHORTCUT, 1, stride, made));
}

static void layers(const hst_arch *a, hst_layers *out)
{
    const struct variant *v = variant_of(a);
    hst_layer l = {.block = -1, .in = 3};
    hst_layers_add(out, hst_layer_of(l, HST_STEM, 3, 2, STEM));
    l = (hst_layer){.block = 0, .in = STEM};
    for (int s = 0; s < N_STAGES; s++)
        for (int r = 0; r < v->blocks[s]; r++, l.block++) {
            l.stage = s;
            l.repeat = r;
            add_block(v, l, out);
            l.in = v->out[s];
        }
}

/* ---- graph ---- */

/* The last of a block and its shortcut are added first. */
static enum hst_act activation(const hst_arch *a, const hst_layer *l)
{
    (void)a;
    return l->role == HST_EXCITE                    ? HST_ACT_SIGMOID
           : l->residual || l->role == HST_SHORTCUT ? HST_ACT_NONE
                                                    : HST_ACT_RELU;
}

static int build(hst_graph *g, const hst_arch *a, const hst_layers *layers, hst_err *err)
{
    const hst_layer *l = layers->layer, *end = l + layers->n;
    int x = hst_graph_input(g, (hst_shape){a->size.height, a->size.width, 3}, err), from = x;
    for (; l < end && x >= 0; l++) {
        if (l->place == 1)
            from = x;
        if (l->role == HST_SQUEEZE)
            x = hst_cnn_excite(g, a, l++, x, err);
        else
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

static void names(const hst_layer *l, hst_layer_names *out)
{
    char layer[64] = "stem", part[16] = "shortcut";
    if (l->role == HST_CONV)
        snprintf(part, sizeof part, "%d", l->place);
    else if (l->role != HST_SHORTCUT)
        snprintf(part, sizeof part, "%s", l->role == HST_SQUEEZE ? "squeeze" : "excite");
    if (l->role != HST_STEM)
        snprintf(layer, sizeof layer, "stage%d_block%d_%s", l->stage + 1, l->repeat + 1, part);
    hst_names_set(out, layer, "_conv", "_bn");
}

static void torchvision_names(const hst_layer *l, hst_layer_names *out)
{
    static const char *const convs[] = {"f.a", "f.b", "f.c"};
    char layer[64] = "stem";
    const char *part = l->role == HST_SHORTCUT ? "proj"
                       : l->role == HST_CONV   ? convs[l->place - 1]
                                               : "f.se";
    if (l->role != HST_STEM)
        snprintf(layer, sizeof layer, "trunk_output.block%d.block%d-%d.%s", l->stage + 1,
                 l->stage + 1, l->repeat, part);
    hst_torchvision_names(l, layer, out);
}

static void timm_names(const hst_layer *l, hst_layer_names *out)
{
    char block[32], layer[64] = "stem";
    snprintf(block, sizeof block, "s%d.b%d", l->stage + 1, l->repeat + 1);
    if (l->role == HST_SHORTCUT)
        snprintf(layer, sizeof layer, "%s.downsample", block);
    else if (l->role == HST_CONV)
        snprintf(layer, sizeof layer, "%s.conv%d", block, l->place);
    else if (l->role != HST_STEM)
        snprintf(layer, sizeof layer, "%s.se", block);
    if (hst_layer_has_norm(l))
        hst_names_set(out, layer, ".conv", ".bn");
    else
        hst_torchvision_names(l, layer, out);
}

/* Squeeze-and-excitation is the third of a block's layers, a list of its own. */
static void huggingface_names(const hst_layer *l, hst_layer_names *out)
{
    char block[64], layer[96] = "embedder.embedder";
    snprintf(block, sizeof block, "encoder.stages.%d.layers.%d", l->stage, l->repeat);
    if (l->role == HST_SHORTCUT)
        snprintf(layer, sizeof layer, "%s.shortcut", block);
    else if (l->role == HST_CONV)
        snprintf(layer, sizeof layer, "%s.layer.%d", block, l->place <= GROUPED ? l->place - 1 : 3);
    else if (l->role != HST_STEM)
        snprintf(layer, sizeof layer, "%s.layer.2.attention.%d", block,
                 l->role == HST_SQUEEZE ? 0 : 2);
    if (hst_layer_has_norm(l))
        hst_names_set(out, layer, ".convolution", ".normalization");
    else
        hst_names_set(out, layer, "", "");
}

static int huggingface_config(const struct json_t *o, hst_arch *a, hst_err *err)
{
    int rc = hst_config_must_say(o, "model_type", "regnet", err);
    rc = rc ? rc : hst_config_must_say(o, "layer_type", "y", err);
    rc = rc ? rc : hst_config_must_say(o, "hidden_act", "relu", err);
    return rc ? rc : hst_config_must_be(o, "groups_width", variant_of(a)->group, err);
}

static const char *const torchvision_body[] = {"stem.", "trunk_output.", NULL};
static const char *const timm_body[] = {"stem.", "s1.", "s2.", "s3.", "s4.", NULL};
static const char *const huggingface_body[] = {"embedder.", "encoder.", NULL};

static const hst_dialect dialects[] = {
    {"torchvision", "trunk_output.block1.block1-0.f.a.0.weight", torchvision_body,
     HST_NORM_IMAGENET, HST_CNN(torch, SYMMETRIC, 1e-5, torchvision_names)},
    {"timm", "s1.b1.conv1.conv.weight", timm_body, HST_NORM_IMAGENET,
     HST_CNN(torch, SYMMETRIC, 1e-5, timm_names), .config = hst_timm_config},
    {"Hugging Face", "encoder.stages.0.layers.0.layer.2.attention.0.weight", huggingface_body,
     HST_NORM_IMAGENET, HST_CNN(torch, SYMMETRIC, 1e-5, huggingface_names),
     .config = huggingface_config},
};

#define REGNET_Y(variant)                                                                          \
    HST_CNN_FAMILY("regnet_y_" variant, 224, dialects, sizeof dialects / sizeof *dialects,         \
                   .width = 1, .layers = layers, .names = names, .activation = activation,         \
                   .build = build)

const hst_family hst_regnet_y[4] = {REGNET_Y("1_6gf"), REGNET_Y("800mf"), REGNET_Y("800mf_pycls"),
                                    REGNET_Y("400mf")};
