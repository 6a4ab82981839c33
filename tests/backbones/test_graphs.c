/* Every family as the graph formats hold it: operators without names, in another order, with batch
 * norm folded or not, with activations in one piece or in many. What comes back has the weights and
 * features that went in. */
#include "made_up.h"
#include "support.h"

#include "backbones/cnn.h"
#include "base/file.h"
#include "formats/convert.h"
#include "network.h"
#include "nn/op.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PX = 64 };

/* How a writer has it. */
typedef struct manner {
    const char *name;
    int folds;  /* batch norm cannot stay */
    int scales; /* batch norm as a product and a sum */
    int parts;  /* hard swish and swish of their parts */
    int second; /* of two operands the second is told first */
    int pads;   /* zeros around the picture by an operator of their own */
    int any;    /* pictures of any size */
} manner;
static const manner manners[] = {{"plain", .pads = 0},
                                 {"folded", .folds = 1, .second = 1},
                                 {"scaled", .scales = 1},
                                 {"in parts", .parts = 1, .pads = 1, .second = 1}};

/* A graph of ours on its way into a network of the importer's. */
typedef struct writer {
    const hst_graph *g;
    const manner *how;
    network net;
    int *value; /* [nodes] numbers in net; -1: not told yet */
} writer;

static const hst_param *param_of(const writer *w, const hst_node *n, const char *ending)
{
    char name[128];
    snprintf(name, sizeof name, "%s/%s", n->name, ending);
    return hst_graph_find(w->g, name);
}

static hst_tensor tensor_of(const hst_param *p)
{
    hst_tensor t = {.name = p->name, .n_dims = p->n_dims, .data = p->data};
    for (int i = 0; i < p->n_dims; i++)
        t.dim[i] = p->dim[i];
    t.n_bytes = hst_param_count(p) * sizeof(float);
    return t;
}

/* A result that must not be an error. */
static int good(int y, const hst_err *err)
{
    check_ok(y < 0, err);
    return y;
}

static int tell_conv(writer *w, const hst_node *n, int x)
{
    hst_err err = {0};
    const hst_conv *conv = hst_node_conv(n);
    const int depthwise = n->op == &hst_op_depthwise, k = conv->kernel, s = conv->stride;
    hst_tensor kernel = tensor_of(param_of(w, n, depthwise ? "depthwise_kernel" : "kernel"));
    net_conv c = {.kernel = &kernel,
                  .layout = depthwise ? NET_HWC1 : NET_HWIO,
                  .depthwise = depthwise,
                  .stride = s};
    const int h = hst_graph_shape(w->g, n->input[0]).h;
    const int total =
        conv->padding == HST_PAD_SYMMETRIC ? k - 1 : (hst_node_shape(n).h - 1) * s + k - h;
    for (int i = 0; i < 4; i++)
        c.pad[i] = total <= 0 ? 0 : i < 2 ? total / 2 : total - total / 2;
    if (w->how->pads && total > 0) {
        x = good(net_pad(&w->net, x, c.pad, &err), &err);
        memset(c.pad, 0, sizeof c.pad);
    }
    x = good(net_conv2d(&w->net, x, &c, &err), &err);
    if (!conv->bias)
        return x;
    hst_tensor bias = tensor_of(param_of(w, n, "bias"));
    return good(net_bias(&w->net, x, &bias, &err), &err);
}

/* x gamma / sqrt(variance + epsilon) + (beta - mean gamma / sqrt(variance + epsilon)) */
static int tell_product_and_sum(writer *w, const hst_tensor *const of[4], double epsilon, int x)
{
    hst_err err = {0};
    hst_tensor scale = *of[0], shift = *of[1];
    const size_t n = hst_tensor_count(&scale);
    const float *gamma = of[0]->data, *beta = of[1]->data, *mean = of[2]->data,
                *variance = of[3]->data;
    float *a = calloc(n, sizeof *a), *b = calloc(n, sizeof *b);
    for (size_t c = 0; c < n; c++) {
        a[c] = (float)(gamma[c] / sqrt(variance[c] + epsilon));
        b[c] = (float)(beta[c] - (double)mean[c] * (double)a[c]);
    }
    scale.data = a;
    shift.data = b;
    x = good(net_constant(&w->net, x, '*', &scale, &err), &err);
    x = good(net_constant(&w->net, x, '+', &shift, &err), &err);
    free(a);
    free(b);
    return x;
}

static int tell_batchnorm(writer *w, const hst_node *n, int x)
{
    static const char *const endings[] = {"gamma", "beta", "moving_mean", "moving_variance"};
    hst_err err = {0};
    hst_tensor t[4];
    const hst_tensor *of[4];
    for (int i = 0; i < 4; i++) {
        t[i] = tensor_of(param_of(w, n, endings[i]));
        of[i] = &t[i];
    }
    if (w->how->scales)
        return tell_product_and_sum(w, of, hst_node_epsilon(n), x);
    return good(net_batchnorm(&w->net, x, of, hst_node_epsilon(n), &err), &err);
}

static const enum net_act acts[] = {
    [HST_ACT_RELU] = NET_RELU,       [HST_ACT_RELU6] = NET_RELU6,
    [HST_ACT_SIGMOID] = NET_SIGMOID, [HST_ACT_HSIGMOID] = NET_HSIGMOID,
    [HST_ACT_HSWISH] = NET_HSWISH,   [HST_ACT_SWISH] = NET_SWISH};

static int tell_act(writer *w, enum net_act act, int x)
{
    static const float numbers[2] = {3, 1.0f / 6};
    const hst_tensor three = {.data = &numbers[0], .n_bytes = 4},
                     sixth = {.data = &numbers[1], .n_bytes = 4};
    hst_err err = {0};
    network *n = &w->net;
    if (!w->how->parts || (act != NET_HSIGMOID && act != NET_HSWISH && act != NET_SWISH))
        return good(net_activate(n, x, act, &err), &err);
    if (act == NET_SWISH)
        return good(net_multiply(n, x, good(net_activate(n, x, NET_SIGMOID, &err), &err), &err),
                    &err);
    int y = good(net_constant(n, x, '+', &three, &err), &err);
    y = good(net_activate(n, y, NET_RELU6, &err), &err);
    if (act == NET_HSWISH)
        y = good(net_multiply(n, y, x, &err), &err);
    return good(net_constant(n, y, '*', &sixth, &err), &err);
}

static int tell_other(writer *w, const hst_node *n, int x, int y)
{
    hst_err err = {0};
    if (n->op == &hst_op_add)
        return good(net_add(&w->net, x, y, &err), &err);
    if (n->op == &hst_op_scale)
        return good(net_multiply(&w->net, x, y, &err), &err);
    if (n->op == &hst_op_global_average)
        return good(net_average(&w->net, x, &err), &err);
    if (n->op == &hst_op_max_pool)
        return good(
            net_max_pool(&w->net, x, &(net_conv){.stride = 2, .pad = {1, 1, 1, 1}}, 3, &err), &err);
    if (n->op == &hst_op_activation)
        return tell_act(w, acts[hst_node_act(n)], x);
    fail_msg("op '%s' is not told", n->op->name);
    return -1;
}

/* Tells node i and what it is made of. */
static void tell(writer *w, int i)
{
    hst_err err = {0};
    const hst_node *n = hst_graph_node(w->g, i);
    if (w->value[i] >= 0)
        return;
    for (int k = 0; k < HST_MAX_INPUTS; k++) {
        const int from = n->input[w->how->second ? HST_MAX_INPUTS - 1 - k : k];
        if (from >= 0)
            tell(w, from);
    }
    const int x = n->input[0] < 0 ? -1 : w->value[n->input[0]];
    const int y = n->input[1] < 0 ? -1 : w->value[n->input[1]];
    const hst_shape shape = hst_graph_shape(w->g, i);
    if (n->op == &hst_op_input)
        w->value[i] =
            good(net_input(&w->net, w->how->any ? 0 : shape.h, w->how->any ? 0 : shape.w, 3, &err),
                 &err);
    else if (n->op == &hst_op_conv2d || n->op == &hst_op_depthwise)
        w->value[i] = tell_conv(w, n, x);
    else if (n->op == &hst_op_batchnorm)
        w->value[i] = tell_batchnorm(w, n, x);
    else
        w->value[i] = tell_other(w, n, x, y);
}

/* The same function by another epsilon than that of all others: then every batch norm is drawn into
 * its convolution. */
static void other_epsilon(net_layer *l)
{
    for (int c = 0; c < l->out; c++)
        l->variance[c] -= 0.125f;
    l->epsilon += 0.125;
}

/* Puts one text for another in the first place of a fact. */
static void change(weights *w, const char *key, const char *from, const char *to)
{
    for (size_t i = 0; from && i < w->n_facts; i++)
        if (strcmp(w->fact[i].key, key) == 0) {
            const char *text = w->fact[i].value, *at = strstr(text, from);
            char *changed = NULL;
            if (!at)
                fail_msg("no '%s' in %s", from, text);
            assert_true(
                asprintf(&changed, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) > 0);
            w->fact[i].value = hst_arena_strdup(w->arena, changed, NULL);
            assert_non_null(w->fact[i].value);
            free(changed);
        }
}

/* from: NULL, or what is changed in the fact of that key. */
static void write_changed(const hst_graph *g, const manner *how, const char *key, const char *from,
                          const char *to, const char *path)
{
    hst_err err = {0};
    weights out;
    check_ok(weights_begin(&out, &err), &err);
    writer w = {.g = g, .how = how};
    const int n = hst_graph_n_nodes(g);
    w.value = calloc((size_t)n, sizeof *w.value);
    for (int i = 0; i < n; i++)
        w.value[i] = -1;
    check_ok(net_init(&w.net, out.arena, 200 << 20, &err), &err);
    tell(&w, n - 1);
    if (how->folds)
        other_epsilon(&w.net.layer[0]);
    check_ok(net_finish(&w.net, &out, &err), &err);
    check_ok(weights_say(&out, &err, "scaling", "pm1"), &err);
    check_ok(weights_say(&out, &err, "converter", "%s", HST_CONVERT_VERSION), &err);
    change(&out, key, from, to);
    weights_sort(&out);
    check_ok(hst_tensors_write(path, out.t, out.n, out.fact, out.n_facts, &err), &err);
    weights_end(&out);
    free(w.value);
}

static void write_file(const hst_graph *g, const manner *how, const char *path)
{
    write_changed(g, how, NULL, NULL, NULL, path);
}

static void features_of(const hst_graph *g, const float *x, float *y)
{
    hst_err err = {0};
    hst_plan *p = hst_plan_new(g, hst_kernels_best(), &err);
    check_ok(p == NULL, &err);
    hst_work *w = hst_work_new(p, &err);
    check_ok(w == NULL, &err);
    hst_plan_run(p, w, x, 1, y);
    hst_work_free(w);
    hst_plan_free(p);
}

static void check_same(const hst_graph *g, const hst_backbone *b, const manner *how,
                       const char *family)
{
    static float x[PX * PX * 3];
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = (float)(2 * made_up_noise(0, (uint32_t)i));
    size_t n = (size_t)hst_graph_shape(g, hst_graph_n_nodes(g) - 1).c;
    float *want = calloc(n, sizeof *want), *got = calloc(n, sizeof *got), most = 0;
    features_of(g, x, want);
    features_of(b->graph, x, got);
    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(want[i]));
    /* Folding rounds every weight once or twice more; a wrong layer is off by tenths. */
    check_close(got, want, n, how->folds || how->scales ? (double)most * 1e-4 : 0, 0, family);
    free(want);
    free(got);
}

static hst_graph *graph_at(const hst_family *f, hst_size size)
{
    hst_err err = {0};
    const double width = ((const hst_cnn_family *)f->own)->width;
    hst_arch a = {.size = size, .cnn = {width != 0 ? width : 0.5, HST_PAD_SYMMETRIC, 1e-3}};
    snprintf(a.family, sizeof a.family, "%s", f->name);
    for (int c = 0; c < 3; c++)
        a.norm.std[c] = 1;
    hst_graph *g = hst_arch_graph(&a, &err);
    check_ok(g == NULL, &err);
    return g;
}

static hst_graph *made_up_graph(const hst_family *f)
{
    hst_graph *g = graph_at(f, hst_size_square(PX));
    made_up_fill(g);
    return g;
}

/* Families that graph formats are not read for, and larger variants of others that are here: the
 * same code, and hundreds of megabytes. */
static int is_left_out(const hst_family *f)
{
    static const char *const names[] = {
        "efficientnet_b2",    "efficientnet_b3",    "efficientnet_b4",    "efficientnet_b5",
        "efficientnet_b6",    "efficientnet_b7",    "efficientnet_v2_b1", "efficientnet_v2_b2",
        "efficientnet_v2_b3", "efficientnet_v2_s",  "efficientnet_v2_m",  "efficientnet_v2_l",
        "efficientnet_v2_xl", "efficientnet_lite3", "efficientnet_lite4", "resnet34",
        "resnet101",          "resnet152",          "resnet101_v1",       "resnet152_v1"};
    int is = 1;
    for (size_t i = 0; i < f->n_dialects; i++)
        is &= f->dialects[i].body != hst_numbered_body;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        is |= strcmp(names[i], f->name) == 0;
    return is;
}

static void check_family(hst_ctx *ctx, const hst_family *f, const char *path)
{
    hst_err err = {0};
    hst_graph *g = made_up_graph(f);
    /* ResNet-50 of the paper is torchvision's with strides elsewhere, which one manner shows. */
    const size_t n = strcmp(f->name, "resnet50_v1") == 0 ? 1 : sizeof manners / sizeof *manners;
    for (size_t i = 0; i < n; i++) {
        write_file(g, &manners[i], path);
        hst_backbone *b = hst_backbone_open(ctx, path, &err);
        if (!b)
            fail_msg("%s, %s: %s", f->name, manners[i].name, err.msg);
        assert_string_equal(b->arch.family, f->name);
        assert_int_equal(b->arch.cnn.padding, HST_PAD_SYMMETRIC);
        assert_true(manners[i].folds || manners[i].scales || b->arch.cnn.bn_epsilon == 1e-3);
        check_same(g, b, &manners[i], f->name);
        hst_backbone_free(b);
    }
    hst_graph_free(g);
}

static void every_family_comes_back(void **state)
{
    (void)state;
    hst_err err = {0};
    char *dir = temporary_folder(), *path = hst_path_join(dir, "net.safetensors", &err);
    hst_ctx *ctx = made_up_ctx(1);
    const hst_family *f;
    for (size_t i = 0; (f = hst_family_at(i)); i++)
        if (!is_left_out(f))
            check_family(ctx, f, path);
    hst_close(ctx);
    remove_tree(dir);
    free(path);
    free(dir);
}

/* The file says width and height, and its graph is the family's at that size. */
static void no_squares_come_back(void **state)
{
    (void)state;
    static const char *const names[] = {"efficientnet_b0", "resnet18"};
    static const manner plain = {"plain", .pads = 0};
    hst_err err = {0};
    char *dir = temporary_folder(), *path = hst_path_join(dir, "net.safetensors", &err);
    hst_ctx *ctx = made_up_ctx(1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        hst_graph *g = graph_at(hst_family_find(names[i]), (hst_size){96, 64});
        made_up_fill(g);
        write_file(g, &plain, path);
        hst_backbone *b = hst_backbone_open(ctx, path, &err);
        check_ok(b == NULL, &err);
        assert_string_equal(b->arch.family, names[i]);
        assert_true(b->arch.size.width == 96 && b->arch.size.height == 64);
        hst_backbone_free(b);
        hst_graph_free(g);
    }
    hst_close(ctx);
    remove_tree(dir);
    free(path);
    free(dir);
}

static void pictures_of_any_size_are_known(void **state)
{
    (void)state;
    static const char *const names[] = {"mobilenet_v3_small", "resnet18"};
    static const manner any = {"any size", .any = 1};
    hst_err err = {0};
    char *dir = temporary_folder(), *path = hst_path_join(dir, "net.safetensors", &err);
    hst_ctx *ctx = made_up_ctx(1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        hst_graph *g = made_up_graph(hst_family_find(names[i]));
        write_file(g, &any, path);
        hst_backbone *b = hst_backbone_open(ctx, path, &err);
        check_ok(b == NULL, &err);
        assert_string_equal(b->arch.family, names[i]);
        assert_int_equal(b->arch.size.width, 224);
        hst_backbone_free(b);
        hst_graph_free(g);
    }
    hst_close(ctx);
    remove_tree(dir);
    free(path);
    free(dir);
}

/* One thing in the graph is another; the message says which, what was expected and what is found.
 */
static void the_first_operator_that_differs_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *key, *from, *to, *says[3];
    } changes[] = {
        {"graph",
         "activation 1 function=relu6",
         "activation 1 function=relu",
         {"operator 2 of its graph (behind 'Conv1/kernel')", "function=relu -> 32x32x16'",
          "function=relu6 -> 32x32x16'"}},
        {"graph", "kernel=3 stride=2", "kernel=5 stride=2", {"operator 1", "kernel=5", "kernel=3"}},
        {"graph",
         "stride=2 padding=symmetric -> 16x16",
         "stride=1 padding=symmetric -> 16x16",
         {" ('block_1_depthwise/depthwise_kernel') is '", "stride=1", "stride=2"}},
        {"graph", "32x32x16", "31x31x16", {"operator 1 ", "31x31x16", "32x32x16"}},
        {"graph",
         "padding=symmetric",
         "padding=same",
         {"operator 1 ", "padding=same", "padding=symmetric"}},
        {"graph", "add 15 10", "add 15 5", {"operator 16", "add 15 5", "add 15 10"}},
        {"graph",
         "\nglobal_average 97 -> 1x1x1280",
         "",
         {"operator 98", "'missing'", "'global_average 97"}},
        {"graph",
         " -> 1x1x1280",
         " -> 1x1x1280\nactivation 98 function=relu",
         {"goes on", "mobilenet_v2", ""}},
        {"converter", HST_CONVERT_VERSION, "0", {"another headstart-convert", "again", ""}},
        {"graph", "conv2d", "dense", {"operator 1 ", "'dense 0 kernel", "'conv2d 0 kernel"}},
    };
    static const manner plain = {"plain", .pads = 0};
    hst_err err = {0};
    char *dir = temporary_folder(), *path = hst_path_join(dir, "net.safetensors", &err);
    hst_ctx *ctx = made_up_ctx(1);
    hst_graph *g = made_up_graph(hst_family_find("mobilenet_v2"));
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        write_changed(g, &plain, changes[i].key, changes[i].from, changes[i].to, path);
        assert_null(hst_backbone_open(ctx, path, &err));
        assert_int_equal(err.code, HST_EMODEL);
        for (int k = 0; k < 3; k++)
            if (!strstr(err.msg, changes[i].says[k]))
                fail_msg("'%s' is not in '%s'", changes[i].says[k], err.msg);
    }
    hst_graph_free(g);
    hst_close(ctx);
    remove_tree(dir);
    free(path);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_family_comes_back),
        cmocka_unit_test(no_squares_come_back),
        cmocka_unit_test(pictures_of_any_size_are_known),
        cmocka_unit_test(the_first_operator_that_differs_is_named),
    };
    return cmocka_run_group_tests_name("graphs", tests, NULL, NULL);
}
