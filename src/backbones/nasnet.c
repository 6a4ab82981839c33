/* nasnet.c - NASNet-A, mobile and large (Zoph et al. 2017, arXiv 1707.07012): cells that read the
 * two values before them, x and p, in front of every convolution a ReLU.
 *
 *   stem      conv 3x3/2, norm
 *   cell      p: brought to x's size and to the cell's channels where it has others
 *             h: 1x1, norm of x
 *   normal    a  sep5(h) + sep3(p)    b  sep5(p) + sep3(p)    c  mean3(h) + p
 *             d  mean3(p) + mean3(p)  e  sep3(h) + h          -> [p a b c d e]
 *   reduces   a  sep5/2(h) + sep7/2(p)    b  max3/2(h) + sep7/2(p)   c  mean3/2(h) + sep5/2(p)
 *             d  b + mean3(a)             e  sep3(a) + max3/2(h)     -> [b c d e]
 *   sep       twice: ReLU, depthwise, 1x1, norm
 *   smaller p half of the channels from every second pixel, half from those one further down and to
 *             the right; norm
 *
 * Keras pads in front of a pooling with stride 2, and the pooling sees the zeros; slim, which TF
 * Hub's modules were made with, does not: nasnet_a_mobile, nasnet_a_large. */
#include "backbones/cnn.h"

#include <stdio.h>
#include <string.h>

static const struct variant {
    const char *name;
    int stem, filters;
    int repeats; /* normal cells between two that reduce */
    int skips;   /* 1: behind a cell that reduces p stays what it was */
    int is_slim;
} variants[] = {
    {"nasnet_mobile", 32, 44, 4, 0, 0},
    {"nasnet_large", 96, 168, 6, 1, 0},
    {"nasnet_a_mobile", 32, 44, 4, 0, 1},
    {"nasnet_a_large", 96, 168, 6, 1, 1},
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static const struct variant *variant_of(const char *family)
{
    for (size_t i = 0; i + 1 < N_VARIANTS; i++)
        if (strcmp(variants[i].name, family) == 0)
            return &variants[i];
    return &variants[N_VARIANTS - 1];
}

/* ---- cells ---- */

enum adjust { AS_IT_IS, PROJECTED, SMALLER }; /* of p */
enum kind { NORMAL, REDUCES, STEM };          /* the stem's cells reduce as well */

typedef struct cell {
    enum kind kind;
    int row, number; /* between two cells that reduce, from 0; what Keras counts it as */
    int filters;
    enum adjust adjust;
    int in, in_before; /* channels of x and p; no p: 0 */
} cell;

static int n_cells(const struct variant *v)
{
    return 2 + 3 * v->repeats + 2;
}

/* What cell i of a network is, behind those before it. p is larger than x behind a cell that
 * reduces. */
static cell cell_at(const struct variant *v, int i)
{
    cell c = {.filters = v->filters / 4};
    int x = v->stem, p = 0, smaller = 0;
    for (int k = 0;; k++) {
        const int at = k - 2, of_row = v->repeats + 1, reduces = k < 2 || at % of_row == v->repeats;
        c.kind = k < 2 ? STEM : reduces ? REDUCES : NORMAL;
        c.row = k < 2 ? 0 : at / of_row;
        c.number = k < 2               ? k + 1
                   : c.kind == REDUCES ? (c.row + 1) * v->repeats
                                       : c.row * v->repeats + at % of_row + (c.row > 0);
        c.filters *= (reduces && k > 0) || k == 2 ? 2 : 1;
        c.adjust = p == 0 ? AS_IT_IS : smaller ? SMALLER : p != c.filters ? PROJECTED : AS_IT_IS;
        c.in = x;
        c.in_before = p;
        if (k == i)
            return c;
        p = c.kind == REDUCES && v->skips ? p : x;
        smaller = reduces;
        x = (reduces ? 4 : 6) * c.filters;
    }
}

/* The separable convolutions of a cell: their kernel and what they read. */
enum reads { OF_H, OF_P, OF_A };
enum { N_SEPARABLE = 5 };
typedef struct separable {
    int kernel;
    enum reads reads;
    const char *keras, *slim;
} separable;
static const separable of_normal[N_SEPARABLE] = {{5, OF_H, "left1", "0/left"},
                                                 {3, OF_P, "right1", "0/right"},
                                                 {5, OF_P, "left2", "1/left"},
                                                 {3, OF_P, "right2", "1/right"},
                                                 {3, OF_H, "left5", "4/left"}};
static const separable of_reduction[N_SEPARABLE] = {{5, OF_H, "left1", "0/left"},
                                                    {7, OF_P, "right1", "0/right"},
                                                    {7, OF_P, "right2", "1/right"},
                                                    {5, OF_P, "right3", "2/right"},
                                                    {3, OF_A, "left4", "4/left"}};

static const separable *separable_of(enum kind kind, int i)
{
    return kind == NORMAL ? &of_normal[i] : &of_reduction[i];
}

/* ---- layers ---- */

/* A layer's cell is told by block (its kind), stage (row) and repeat (number). place: of separable
 * convolutions their number, from 1, and of the halves of a smaller p 1 and 2. */
static void add_separable(const cell *c, hst_layer like, int i, hst_layers *out)
{
    const separable *s = separable_of(c->kind, i);
    const int halves = c->kind != NORMAL && s->reads != OF_A;
    like.place = i + 1;
    like.in = s->reads == OF_P && c->in_before == 0 ? c->in : c->filters;
    for (like.second = 0; like.second < 2; like.second++) {
        hst_layer deep =
            hst_layer_of(like, HST_DEPTHWISE, s->kernel, halves && !like.second ? 2 : 1, like.in);
        hst_layer wide = hst_layer_of(like, HST_CONV, 1, 1, c->filters);
        deep.behind = HST_NOTHING;
        wide.pointwise = 1;
        hst_layers_add(out, deep);
        hst_layers_add(out, wide);
        like.in = c->filters;
    }
}

static void add_adjusted(const cell *c, hst_layer like, hst_layers *out)
{
    like.in = c->in_before;
    if (c->adjust == PROJECTED)
        hst_layers_add(out, hst_layer_of(like, HST_SHORTCUT, 1, 1, c->filters));
    if (c->adjust != SMALLER)
        return;
    like.behind = HST_NOTHING;
    for (like.place = 1; like.place <= 2; like.place++)
        hst_layers_add(out, hst_layer_of(like, HST_SHORTCUT, 1, 1, c->filters / 2));
    like.behind = HST_BATCH_NORM;
    like.place = 0;
    like.in = c->filters;
    hst_layers_add(out, hst_layer_of(like, HST_NORM, 1, 1, c->filters));
}

static void layers(const hst_arch *a, hst_layers *out)
{
    const struct variant *v = variant_of(a->family);
    hst_layer stem = hst_layer_of((hst_layer){.block = -1, .in = 3}, HST_STEM, 3, 2, v->stem);
    stem.valid = 1;
    hst_layers_add(out, stem);
    for (int i = 0; i < n_cells(v); i++) {
        const cell c = cell_at(v, i);
        hst_layer l = {.block = (int)c.kind, .stage = c.row, .repeat = c.number, .in = c.in};
        add_adjusted(&c, l, out);
        hst_layers_add(out, hst_layer_of(l, HST_EXPAND, 1, 1, c.filters));
        for (int k = 0; k < N_SEPARABLE; k++)
            add_separable(&c, l, k, out);
    }
}

/* ---- graph ---- */

static enum hst_act no_activation(const hst_arch *a, const hst_layer *l)
{
    (void)a;
    (void)l;
    return HST_ACT_NONE;
}

/* A graph that grows: l is the layer that comes next. Nodes that are negative are errors, which go
 * through all that follows. */
typedef struct growth {
    hst_graph *g;
    const hst_arch *arch;
    const hst_layer *l;
    hst_err *err;
} growth;

static int layer(growth *w, int x)
{
    return x < 0 ? x : hst_cnn_conv(w->g, w->arch, w->l++, x, w->err);
}

static int relu(const growth *w, int x)
{
    return x < 0 ? x : hst_graph_activation(w->g, x, HST_ACT_RELU, w->err);
}

static int sum(const growth *w, int x, int y)
{
    return x < 0 ? x : y < 0 ? y : hst_graph_add(w->g, x, y, w->err);
}

static int join(const growth *w, const int *x, int n)
{
    for (int i = 0; i < n; i++)
        if (x[i] < 0)
            return x[i];
    return hst_graph_concat(w->g, x, n, w->err);
}

/* x behind its ReLU. */
static int separable_conv(growth *w, int x)
{
    x = layer(w, layer(w, x));
    return layer(w, layer(w, relu(w, x)));
}

static int pool(const growth *w, int x, int stride, int is_mean)
{
    const int zeros = stride > 1 && !variant_of(w->arch->family)->is_slim;
    const hst_conv c = {
        .kernel = 3, .stride = stride, .padding = zeros ? HST_PAD_ZEROS : HST_PAD_TF};
    return x < 0     ? x
           : is_mean ? hst_graph_average_pool(w->g, x, &c, w->err)
                     : hst_graph_max_pool(w->g, x, &c, w->err);
}

/* Every second pixel, from pixel `first` on. */
static int half(growth *w, int x, int first)
{
    const hst_pick p = {.stride = 2, .first = first};
    return layer(w, x < 0 ? x : hst_graph_pick(w->g, x, &p, w->err));
}

static int adjusted(growth *w, const cell *c, int x, int p)
{
    if (c->in_before == 0)
        return x;
    if (c->adjust == AS_IT_IS)
        return p;
    p = relu(w, p);
    if (c->adjust == PROJECTED)
        return layer(w, p);
    const int left = half(w, p, 0);
    const int halves[2] = {left, half(w, p, 1)};
    return layer(w, join(w, halves, 2));
}

static int normal(growth *w, int h, int p)
{
    const int of_h = relu(w, h), of_p = relu(w, p);
    int y[6] = {p};
    y[1] = separable_conv(w, of_h);
    y[1] = sum(w, y[1], separable_conv(w, of_p));
    y[2] = separable_conv(w, of_p);
    y[2] = sum(w, y[2], separable_conv(w, of_p));
    y[3] = sum(w, pool(w, h, 1, 1), p);
    y[4] = pool(w, p, 1, 1);
    y[4] = sum(w, y[4], y[4]);
    y[5] = sum(w, separable_conv(w, of_h), h);
    return join(w, y, 6);
}

static int reduction(growth *w, int h, int p)
{
    const int of_p = relu(w, p);
    int a = separable_conv(w, relu(w, h)), y[4];
    a = sum(w, a, separable_conv(w, of_p));
    y[0] = pool(w, h, 2, 0);
    const int largest = y[0];
    y[0] = sum(w, separable_conv(w, of_p), y[0]);
    y[1] = pool(w, h, 2, 1);
    y[1] = sum(w, separable_conv(w, of_p), y[1]);
    y[2] = sum(w, pool(w, a, 1, 1), y[0]);
    y[3] = sum(w, separable_conv(w, relu(w, a)), largest);
    return join(w, y, 4);
}

static int build(hst_graph *g, const hst_arch *a, const hst_layers *l, hst_err *err)
{
    const struct variant *v = variant_of(a->family);
    growth w = {g, a, l->layer, err};
    int x = hst_graph_input(g, (hst_shape){a->size.height, a->size.width, 3}, err), p = -1;
    x = layer(&w, x);
    for (int i = 0; i < n_cells(v) && x >= 0; i++) {
        const cell c = cell_at(v, i);
        const int before = adjusted(&w, &c, x, p), h = layer(&w, relu(&w, x));
        p = c.kind == REDUCES && v->skips ? p : x;
        x = c.kind == NORMAL ? normal(&w, h, before) : reduction(&w, h, before);
    }
    return relu(&w, x);
}

/* ---- names ---- */

static void keras_names(const hst_layer *l, hst_layer_names *out)
{
    static const char *const before[] = {"", "reduce_", "stem_"};
    char id[24];
    if (l->role == HST_STEM) {
        hst_names_set(out, "stem_", "conv1", "bn1");
        return;
    }
    snprintf(id, sizeof id, "%s%d", before[l->block], l->repeat);
    const char *kind = l->block == NORMAL ? "normal" : "reduction";
    snprintf(out->bn, sizeof out->bn, "adjust_bn_%s", id);
    if (l->role == HST_SHORTCUT && l->place)
        snprintf(out->conv, sizeof out->conv, "adjust_conv_%d_%s", l->place, id);
    else if (l->role == HST_SHORTCUT)
        snprintf(out->conv, sizeof out->conv, "adjust_conv_projection_%s", id);
    if (l->role == HST_SHORTCUT || l->role == HST_NORM)
        return;
    if (l->role == HST_EXPAND) {
        snprintf(out->conv, sizeof out->conv, "%s_conv_1_%s", kind, id);
        snprintf(out->bn, sizeof out->bn, "%s_bn_1_%s", kind, id);
        return;
    }
    const char *side = separable_of((enum kind)l->block, l->place - 1)->keras;
    const int n = l->second + 1;
    snprintf(out->conv, sizeof out->conv, "separable_conv_%d_%s_%s_%s", n, kind, side, id);
    snprintf(out->bn, sizeof out->bn, "separable_conv_%d_bn_%s_%s_%s", n, kind, side, id);
}

/* Ours are Keras', but that both halves of a separable convolution are layers. */
static void names(const hst_layer *l, hst_layer_names *out)
{
    keras_names(l, out);
    const size_t n = l->pointwise ? strlen(out->conv) : 0;
    if (l->pointwise)
        snprintf(out->conv + n, sizeof out->conv - n, "_pw");
}

static void slim_names(const hst_layer *l, hst_layer_names *out)
{
    char of[32];
    if (l->role == HST_STEM) {
        hst_names_set(out, "conv0", "", "_bn");
        return;
    }
    if (l->block == STEM)
        snprintf(of, sizeof of, "cell_stem_%d", l->repeat - 1);
    else if (l->block == REDUCES)
        snprintf(of, sizeof of, "reduction_cell_%d", l->stage);
    else
        snprintf(of, sizeof of, "cell_%d", l->repeat - (l->stage > 0));
    if (l->role == HST_EXPAND)
        hst_names_set(out, of, "/1x1", "/beginning_bn");
    else if (l->role == HST_SHORTCUT && l->place)
        hst_names_set(out, of, l->place == 1 ? "/path1_conv" : "/path2_conv", "");
    else if (l->role == HST_SHORTCUT)
        hst_names_set(out, of, "/prev_1x1", "/prev_bn");
    else if (l->role == HST_NORM)
        hst_names_set(out, of, "", "/final_path_bn");
    if (l->role != HST_DEPTHWISE && l->role != HST_CONV)
        return;
    const separable *s = separable_of((enum kind)l->block, l->place - 1);
    const int k = s->kernel, n = l->second + 1;
    snprintf(out->conv, sizeof out->conv, "%s/comb_iter_%s/separable_%dx%d_%d", of, s->slim, k, k,
             n);
    snprintf(out->bn, sizeof out->bn, "%s/comb_iter_%s/bn_sep_%dx%d_%d", of, s->slim, k, k, n);
}

/* ---- dialects ---- */

static const char *const keras_body[] = {"stem_",      "adjust_",    "normal_",
                                         "reduction_", "separable_", NULL};
static const char *const slim_body[] = {"conv0", "cell_", "reduction_cell_", NULL};

static const hst_dialect keras[] = {{"Keras", "stem_conv1/kernel", keras_body, HST_NORM_PM1,
                                     HST_CNN(keras, TF, 1e-3, keras_names)}};
static const hst_dialect slim[] = {{"TF Hub", "cell_stem_0/1x1/weights", slim_body, HST_NORM_PM1,
                                    HST_CNN(slim, TF, 1e-3, slim_names)}};

#define NASNET(name_, px_, dialect)                                                                \
    HST_CNN_FAMILY(name_, px_, dialect, 1, .width = 1, .layers = layers, .names = names,           \
                   .activation = no_activation, .build = build)

const hst_family hst_nasnet[4] = {
    NASNET("nasnet_mobile", 224, keras), NASNET("nasnet_large", 331, keras),
    NASNET("nasnet_a_mobile", 224, slim), NASNET("nasnet_a_large", 331, slim)};
