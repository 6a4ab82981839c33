/* inception.c - Inception v3 and Inception-ResNet v2: layers and graphs of their tables of blocks
 * (inception_blocks.c), and their names.
 *
 *   stem -> blocks -> average
 *   block           branches side by side, put one behind the other
 *   residual block  [branches] -> 1x1, times a number, + input, ReLU
 *
 * What they see is -1 .. 1: torchvision's network takes ImageNet's mean and deviation and, with its
 * weights, makes that range of them first (transform_input). Its and timm's averages of Inception
 * v3 count the padding, Keras' and slim's do not. Keras gives most of its layers no names but
 * those that it counts. */
#include "backbones/inception.h"
#include "nn/op.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* ---- layers ---- */

/* What a row makes of so many channels. */
static int channels_of(const hst_branches *b, const hst_branch_row *row, int in)
{
    if (row->how & (HST_AVERAGE | HST_LARGEST))
        return in;
    return row->out ? row->out : b->wide;
}

/* The layers of one block; how many channels then. stage: its place in the network's table, place:
 * the row. */
static int add_block(const hst_branches *b, hst_layer like, hst_layers *out)
{
    const int in = like.in;
    int reads = in, made = in, all = 0;
    for (int i = 0; i < b->n_rows; i++) {
        const hst_branch_row *row = &b->rows[i];
        const int begins = row->how & HST_BEGINS, forks = row->how & HST_FORKS;
        all += i > 0 && (begins || forks) ? made : 0;
        reads = begins ? in : forks ? reads : made;
        made = channels_of(b, row, reads);
        if (row->how & (HST_AVERAGE | HST_LARGEST))
            continue;
        hst_layer l = hst_layer_of(like, like.block < 0 && i == 0 ? HST_STEM : HST_CONV,
                                   row->kernel, row->how & HST_REDUCES ? 2 : 1, made);
        l.in = reads;
        l.place = i;
        l.wide = row->wide;
        l.valid = (row->how & (HST_REDUCES | HST_VALID)) != 0;
        hst_layers_add(out, l);
    }
    all += made;
    if (b->times == 0)
        return all;
    hst_layer up = hst_layer_of(like, HST_PROJECT, 1, 1, in);
    up.in = all;
    up.place = b->n_rows;
    up.behind = HST_BIAS_ALONE;
    hst_layers_add(out, up);
    return in;
}

static void layers(const hst_arch *a, hst_layers *out)
{
    const hst_inception *n = hst_inception_of(a->family);
    hst_layer l = {.block = -1, .in = 3};
    for (const hst_branches *b = n->block; b->rows; b++, l.stage++)
        for (int r = 0; r < (b->repeats ? b->repeats : 1); r++, l.block++) {
            l.repeat = r;
            l.in = add_block(b, l, out);
        }
}

/* ---- graph ---- */

static enum hst_act activation(const hst_arch *a, const hst_layer *l)
{
    (void)a;
    return l->role == HST_PROJECT ? HST_ACT_NONE : HST_ACT_RELU;
}

/* A graph that grows: l is the layer that comes next. */
typedef struct growth {
    hst_graph *g;
    const hst_arch *arch;
    const hst_layer *l;
    hst_err *err;
} growth;

static int add_row(growth *w, const hst_branch_row *row, int x)
{
    const int counts =
        hst_inception_of(w->arch->family)->pool_counts && w->arch->cnn.padding != HST_PAD_TF;
    const hst_conv reduce = {.kernel = row->kernel, .stride = 2, .padding = HST_PAD_VALID};
    const hst_conv same = {.kernel = row->kernel,
                           .stride = 1,
                           .padding = counts ? HST_PAD_SYMMETRIC_ZEROS : HST_PAD_TF};
    if (row->how & HST_LARGEST)
        return hst_graph_max_pool(w->g, x, &reduce, w->err);
    if (row->how & HST_AVERAGE)
        return hst_graph_average_pool(w->g, x, &same, w->err);
    return hst_cnn_conv(w->g, w->arch, w->l++, x, w->err);
}

/* x + times (what the layer that comes next makes of `branches`) */
static int add_residual(growth *w, const hst_branches *b, int branches, int x)
{
    int y = hst_cnn_conv(w->g, w->arch, w->l++, branches, w->err);
    if (y >= 0 && b->times != 1)
        y = hst_graph_times(w->g, y, b->times, w->err);
    y = y < 0 ? y : hst_graph_add(w->g, x, y, w->err);
    return y < 0 || b->linear ? y : hst_graph_activation(w->g, y, HST_ACT_RELU, w->err);
}

static int grow_block(growth *w, const hst_branches *b, int x)
{
    int end[HST_MAX_INPUTS], n = 0, reads = x, made = x;
    for (int i = 0; i < b->n_rows && made >= 0; i++) {
        const hst_branch_row *row = &b->rows[i];
        const int begins = row->how & HST_BEGINS, forks = row->how & HST_FORKS;
        if (i > 0 && (begins || forks))
            end[n++] = made;
        reads = begins ? x : forks ? reads : made;
        made = add_row(w, row, reads);
    }
    end[n++] = made;
    if (made >= 0 && n > 1)
        made = hst_graph_concat(w->g, end, n, w->err);
    return made < 0 || b->times == 0 ? made : add_residual(w, b, made, x);
}

static int build(hst_graph *g, const hst_arch *a, const hst_layers *l, hst_err *err)
{
    growth w = {g, a, l->layer, err};
    int x = hst_graph_input(g, (hst_shape){a->size.height, a->size.width, 3}, err);
    for (const hst_branches *b = hst_inception_of(a->family)->block; b->rows && x >= 0; b++)
        for (int r = 0; r < (b->repeats ? b->repeats : 1) && x >= 0; r++)
            x = grow_block(&w, b, x);
    return x;
}

/* ---- names ---- */

/* "mixed_6a", "block35_3" */
static void names_of(const hst_inception *n, const hst_layer *l, hst_layer_names *out)
{
    const hst_branch_row *row;
    const hst_branches *b = hst_inception_block(n, l, &row);
    char layer[64], number[16] = "";
    if (b->repeats)
        snprintf(number, sizeof number, "_%d", l->repeat + 1);
    if (row)
        snprintf(layer, sizeof layer, "%s%s_conv%d", b->name, number, l->place + 1);
    else
        snprintf(layer, sizeof layer, "%s%s_up", b->name, number);
    hst_names_set(out, layer, "", "_bn");
}

static void names_v3(const hst_layer *l, hst_layer_names *out)
{
    names_of(&hst_inception_nets[0], l, out);
}

static void names_resnet(const hst_layer *l, hst_layer_names *out)
{
    names_of(&hst_inception_nets[1], l, out);
}

static void torch_names(const hst_inception *n, const hst_layer *l, hst_layer_names *out)
{
    const hst_branch_row *row;
    const hst_branches *b = hst_inception_block(n, l, &row);
    char layer[64], number[16] = "";
    if (b->repeats)
        snprintf(number, sizeof number, "%d.", l->repeat);
    snprintf(layer, sizeof layer, "%s%s%s", b->torch, number, row ? row->torch : "conv2d");
    hst_names_set(out, layer, row ? ".conv" : "", ".bn");
}

static void torch_v3(const hst_layer *l, hst_layer_names *out)
{
    torch_names(&hst_inception_nets[0], l, out);
}

static void torch_resnet(const hst_layer *l, hst_layer_names *out)
{
    torch_names(&hst_inception_nets[1], l, out);
}

static void slim_names(const hst_inception *n, const char *top, const hst_layer *l,
                       hst_layer_names *out)
{
    const hst_branch_row *row;
    const hst_branches *b = hst_inception_block(n, l, &row);
    char layer[96], number[16] = "";
    if (b->repeats)
        snprintf(number, sizeof number, "%d/", l->repeat + 1);
    snprintf(layer, sizeof layer, "%s%s%s%s", top, b->slim, number, row ? row->slim : "Conv2d_1x1");
    hst_names_set(out, layer, "", "/BatchNorm");
}

/* Two layers of the second block have names of their own. */
static void slim_v3(const hst_layer *l, hst_layer_names *out)
{
    static const char *const other[][2] = {{"InceptionV3/Mixed_5c/Branch_1/Conv2d_0a_1x1",
                                            "InceptionV3/Mixed_5c/Branch_1/Conv2d_0b_1x1"},
                                           {"InceptionV3/Mixed_5c/Branch_1/Conv2d_0b_5x5",
                                            "InceptionV3/Mixed_5c/Branch_1/Conv_1_0c_5x5"}};
    slim_names(&hst_inception_nets[0], "InceptionV3/", l, out);
    for (int i = 0; i < 2; i++)
        if (strcmp(out->conv, other[i][0]) == 0) {
            hst_names_set(out, other[i][1], "", "/BatchNorm");
            return;
        }
}

static void slim_resnet(const hst_layer *l, hst_layer_names *out)
{
    slim_names(&hst_inception_nets[1], "InceptionResnetV2/", l, out);
}

/* Keras', counted; the convolutions without a norm and the last have names. */
static void keras_names(const hst_inception *n, const hst_layer *l, hst_layer_names *out)
{
    const hst_branch_row *row;
    const hst_branches *b = hst_inception_block(n, l, &row);
    hst_layer as = *l;
    as.of_kind = as.of_norm = l->of_norm;
    hst_counted_names(&as, out);
    if (strcmp(b->name, "top") == 0)
        hst_names_set(out, "conv_7b", "", "_bn");
    if (!row && b->repeats)
        snprintf(out->conv, sizeof out->conv, "%s_%d_conv", b->name, l->repeat + 1);
    else if (!row)
        snprintf(out->conv, sizeof out->conv, "%s_conv", b->name);
}

static void keras_v3(const hst_layer *l, hst_layer_names *out)
{
    keras_names(&hst_inception_nets[0], l, out);
}

static void keras_resnet(const hst_layer *l, hst_layer_names *out)
{
    keras_names(&hst_inception_nets[1], l, out);
}

/* Of all that timm publishes padding and epsilon are the same, also where the name begins with
 * "tf_". */
static int timm_config(const json_t *o, hst_arch *a, hst_err *err)
{
    const int rc = json_object_get(o, "architecture") ? hst_timm_config(o, a, err) : 0;
    a->cnn.padding = HST_PAD_SYMMETRIC;
    a->cnn.bn_epsilon = 1e-3;
    return rc;
}

/* ---- dialects ---- */

static const char *const torch_v3_body[] = {"Conv2d_", "Mixed_", NULL};
static const char *const torch_resnet_body[] = {"conv2d_", "mixed_", "repeat", "block8.", NULL};
static const char *const keras_body[] = {"conv2d", "batch_normalization", "conv_7b", "block", NULL};
static const char *const slim_v3_body[] = {"InceptionV3/Conv2d_", "InceptionV3/Mixed_", NULL};
static const char *const slim_resnet_body[] = {
    "InceptionResnetV2/Conv2d_", "InceptionResnetV2/Mixed_", "InceptionResnetV2/Repeat",
    "InceptionResnetV2/Block8", NULL};

/* TensorFlow's have no gammas. */
#define UNSCALED(style_, names_)                                                                   \
    .own = &(const hst_cnn_dialect)                                                                \
    {                                                                                              \
        .style = &hst_style_##style_, .padding = HST_PAD_TF, .bn_epsilon = 1e-3, .names = names_,  \
        .unscaled = 1                                                                              \
    }

static const hst_dialect v3_dialects[] = {
    {"torchvision or timm", "Mixed_5b.branch5x5_1.conv.weight", torch_v3_body, HST_NORM_PM1,
     HST_CNN(torch, SYMMETRIC, 1e-3, torch_v3), .config = timm_config},
    {"TF Hub", "InceptionV3/Mixed_5b/Branch_1/Conv2d_0a_1x1/weights", slim_v3_body, HST_NORM_PM1,
     UNSCALED(slim, slim_v3)},
    {"Keras", "conv2d_93/kernel", keras_body, HST_NORM_PM1, UNSCALED(keras, keras_v3)},
};

static const hst_dialect resnet_dialects[] = {
    {"timm", "mixed_5b.branch1.0.conv.weight", torch_resnet_body, HST_NORM_PM1,
     HST_CNN(torch, SYMMETRIC, 1e-3, torch_resnet), .config = timm_config},
    {"TF Hub", "InceptionResnetV2/Mixed_5b/Branch_1/Conv2d_0a_1x1/weights", slim_resnet_body,
     HST_NORM_PM1, UNSCALED(slim, slim_resnet)},
    {"Keras", "block35_1_conv/kernel", keras_body, HST_NORM_PM1, UNSCALED(keras, keras_resnet)},
};

const hst_family hst_inception_v3 = HST_CNN_FAMILY(
    "inception_v3", 299, v3_dialects, sizeof v3_dialects / sizeof *v3_dialects, .width = 1,
    .layers = layers, .names = names_v3, .activation = activation, .build = build);
const hst_family hst_inception_resnet_v2 = HST_CNN_FAMILY(
    "inception_resnet_v2", 299, resnet_dialects, sizeof resnet_dialects / sizeof *resnet_dialects,
    .width = 1, .layers = layers, .names = names_resnet, .activation = activation, .build = build);
