/* nn: learning plans against values of PyTorch in float64 (checked against TensorFlow). */
#include "learn_plain.h"
#include "support.h"

#include "formats/safetensors.h"
#include "nn/learn/step.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A tensor as floats, to be freed. */
static float *tensor(const hst_tensors *t, const char *name, size_t *n)
{
    const hst_tensor *at = hst_tensors_find(t, name);
    hst_err e = {0};
    if (!at)
        fail_msg("no tensor %s", name);
    *n = hst_tensor_count(at);
    float *x = malloc(*n * sizeof *x + 1);
    check_ok(hst_tensor_floats(at, x, &e), &e);
    return x;
}

static void set_param(const hst_graph *g, const char *param, const hst_tensors *t, const char *name)
{
    size_t n;
    float *x = tensor(t, name, &n);
    const hst_param *p = hst_graph_find(g, param);
    assert_non_null(p);
    assert_int_equal(hst_param_count(p), n);
    memcpy(p->data, x, n * sizeof *x);
    free(x);
}

/* From tests/golden, where small ones are, or the shared reference data; NULL: in neither. */
static hst_tensors *open_golden(const char *path)
{
    hst_err e = {0};
    char name[160], *file = NULL;
    snprintf(name, sizeof name, "golden/%s.safetensors", path);
    assert_true(asprintf(&file, "%s/tests/%s", getenv("HEADSTART_ROOT"), name) > 0);
    hst_tensors *t = hst_tensors_read(file, &e);
    free(file);
    if (t || !(file = shared_path(name))) {
        if (!t)
            print_message("skipped: reference file %s is not here\n", name);
        return t;
    }
    t = hst_tensors_read(file, &e);
    check_ok(!t, &e);
    free(file);
    return t;
}

/* ---- how a gradient of an input can be had: something before it learns ---- */

/* input -> 1x1 depthwise convolution by `weight`, which learns. */
static int scaled(hst_graph *g, int x, const char *name)
{
    hst_err e = {0};
    hst_conv c = {1, 1, 0, HST_PAD_TF, 0};
    return hst_graph_depthwise(g, x, &c, name, &e);
}

/* A node that equals the input and whose gradient is wanted, and that no step takes in: 1 x + 0 x.
 */
static int same_as(hst_graph *g, int x)
{
    hst_err e = {0};
    int one = scaled(g, x, "one"), none = scaled(g, x, "none");
    return hst_graph_add(g, one, none, &e);
}

static void finish(hst_graph *g)
{
    hst_err e = {0};
    check_ok(hst_graph_finish(g, &e), &e);
    const hst_param *one = hst_graph_find(g, "one/depthwise_kernel");
    for (size_t i = 0; one && i < hst_param_count(one); i++)
        one->data[i] = 1;
}

typedef struct run {
    hst_learn *l;
    const hst_graph *graph;
    const hst_tensors *t;
    float *grad, *y;
    size_t images;
} run;

/* Forward of tensor "x", backward of "gy"; first is what same_as gave. */
static run run_graph(hst_graph *g, const hst_kernels *k, const hst_learn_options *o,
                     const hst_tensors *t)
{
    hst_err e = {0};
    size_t n, n_y;
    float *x = tensor(t, "x", &n), *gy = tensor(t, "gy", &n_y);
    run r = {.graph = g, .t = t, .images = n / plain_floats(hst_graph_shape(g, 0))};
    r.l = hst_learn_new(g, k, o, &e);
    check_ok(!r.l, &e);
    assert_int_equal(n_y, r.images * plain_floats(hst_graph_shape(g, hst_graph_n_nodes(g) - 1)));
    r.grad = malloc(hst_learn_count(r.l) * sizeof *r.grad);
    r.y = malloc(n_y * sizeof *r.y);
    check_ok(hst_learn_forward(r.l, x, (int)r.images, r.y, &e), &e);
    check_ok(hst_learn_backward(r.l, gy, r.grad, &e), &e);
    free(x);
    free(gy);
    return r;
}

static void end_run(run *r)
{
    hst_learn_free(r->l);
    free(r->grad);
    free(r->y);
}

/* |got - want| <= tolerance * (1 + |want|), or with of_largest: * max |want|. */
static void compare(const float *got, const hst_tensors *t, const char *name, double tolerance,
                    int of_largest)
{
    size_t n;
    float *want = tensor(t, name, &n);
    const double most = largest_of(want, n);
    check_close(got, want, n, of_largest ? tolerance * most : tolerance, of_largest ? 0 : tolerance,
                name);
    free(want);
}

static const float *grad_of(const run *r, const char *param)
{
    const hst_param *p = hst_graph_find(r->graph, param);
    assert_non_null(p);
    return r->grad + (p->data - hst_learn_params(r->l));
}

/* ---- layers ---- */

typedef struct layer_case {
    const char *file;
    int kernel, stride, deep, channels, bias, same;
} layer_case;

static const layer_case convolutions[] = {
    {"conv1x1_5x7", 1, 1, 0, 17, 1, 1},        {"conv1x1_nobias_1x1", 1, 1, 0, 5, 0, 1},
    {"conv3x3_s1_same_9x7", 3, 1, 0, 6, 1, 1}, {"conv3x3_s1_sym_9x7", 3, 1, 0, 6, 1, 0},
    {"conv3x3_s2_same_8x6", 3, 2, 0, 9, 1, 1}, {"conv3x3_s2_same_9x7", 3, 2, 0, 6, 1, 1},
    {"conv3x3_s2_sym_8x6", 3, 2, 0, 9, 1, 0},  {"conv3x3_s2_sym_9x7", 3, 2, 0, 6, 1, 0},
    {"dw3x3_s1_same_2x1", 3, 1, 1, 0, 1, 1},   {"dw3x3_s1_same_9x7", 3, 1, 1, 0, 1, 1},
    {"dw3x3_s1_sym_9x7", 3, 1, 1, 0, 1, 0},    {"dw3x3_s2_same_8x10", 3, 2, 1, 0, 1, 1},
    {"dw3x3_s2_same_9x7", 3, 2, 1, 0, 1, 1},   {"dw3x3_s2_sym_8x10", 3, 2, 1, 0, 1, 0},
    {"dw3x3_s2_sym_9x7", 3, 2, 1, 0, 1, 0},    {"dw5x5_s1_same_9x7", 5, 1, 1, 0, 1, 1},
    {"dw5x5_s1_sym_9x7", 5, 1, 1, 0, 1, 0},    {"dw5x5_s2_same_3x3", 5, 2, 1, 0, 1, 1},
    {"dw5x5_s2_same_8x10", 5, 2, 1, 0, 1, 1},  {"dw5x5_s2_same_9x7", 5, 2, 1, 0, 1, 1},
    {"dw5x5_s2_sym_8x10", 5, 2, 1, 0, 1, 0},   {"dw5x5_s2_sym_9x7", 5, 2, 1, 0, 1, 0},
};

static hst_shape shape_of(const hst_tensors *t, const char *name)
{
    const hst_tensor *x = hst_tensors_find(t, name);
    return (hst_shape){(int)x->dim[1], (int)x->dim[2], (int)x->dim[3]};
}

static void check_convolution(const layer_case *c, const hst_tensors *t, const hst_kernels *k)
{
    const double tolerance = 1e-5;
    hst_err e = {0};
    hst_conv cv = {c->kernel, c->stride, c->channels, c->same ? HST_PAD_TF : HST_PAD_SYMMETRIC,
                   c->bias};
    hst_graph *g = hst_graph_new(&e);
    int x = same_as(g, hst_graph_input(g, shape_of(t, "x"), &e));
    int y =
        c->deep ? hst_graph_depthwise(g, x, &cv, "l", &e) : hst_graph_conv2d(g, x, &cv, "l", &e);
    assert_true(y > 0);
    finish(g);
    const char *kernel = c->deep ? "l/depthwise_kernel" : "l/kernel";
    set_param(g, kernel, t, "w");
    if (c->bias)
        set_param(g, "l/bias", t, "b");
    hst_learn_options o = hst_learn_defaults();
    run r = run_graph(g, k, &o, t);
    compare(r.y, t, "y.f64", tolerance, 0);
    compare(grad_of(&r, kernel), t, "gw.f64", tolerance, 0);
    if (c->bias)
        compare(grad_of(&r, "l/bias"), t, "gb.f64", tolerance, 0);
    compare(hst_learn_grad(r.l, x, 0), t, "gx.f64", tolerance, 0);
    end_run(&r);
    hst_graph_free(g);
}

static void each_table(void (*fn)(const void *c, const hst_tensors *t, const hst_kernels *k),
                       const void *c, const char *path)
{
    int usable;
    hst_tensors *t = open_golden(path);
    for (int i = 0; t && hst_kernels_name(i, &usable); i++)
        if (usable)
            fn(c, t, hst_kernels_find(hst_kernels_name(i, NULL)));
    hst_tensors_free(t);
}

static void convolution_of(const void *c, const hst_tensors *t, const hst_kernels *k)
{
    check_convolution(c, t, k);
}

static void convolutions_equal_the_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof convolutions / sizeof *convolutions; i++) {
        char path[96];
        snprintf(path, sizeof path, "layers/%s", convolutions[i].file);
        each_table(convolution_of, &convolutions[i], path);
    }
}

/* One batch norm in the given mode; statistics too where they move. */
typedef struct norm_case {
    const char *path;
    int batch, unbiased;
    double decay;
    const char *mean, *variance; /* the moved statistics */
} norm_case;

static void check_norm(const void *arg, const hst_tensors *t, const hst_kernels *k)
{
    const norm_case *c = arg;
    const double tolerance = 2e-5;
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    int x = same_as(g, hst_graph_input(g, shape_of(t, "x"), &e));
    assert_true(hst_graph_batchnorm(g, x, 1e-3, "n", &e) > 0);
    finish(g);
    set_param(g, "n/gamma", t, "gamma");
    set_param(g, "n/beta", t, "beta");
    set_param(g, "n/moving_mean", t, "moving_mean");
    set_param(g, "n/moving_variance", t, "moving_var");
    hst_learn_options o = hst_learn_defaults();
    o.batchnorm = c->batch ? HST_BN_BATCH : HST_BN_FROZEN;
    o.bn_decay = c->decay;
    o.bn_unbiased = c->unbiased;
    run r = run_graph(g, k, &o, t);
    compare(r.y, t, "y.f64", tolerance, 0);
    compare(grad_of(&r, "n/gamma"), t, "ggamma.f64", tolerance, 0);
    compare(grad_of(&r, "n/beta"), t, "gbeta.f64", tolerance, 0);
    compare(hst_learn_grad(r.l, x, 0), t, "gx.f64", tolerance, 0);
    compare(hst_graph_find(g, "n/moving_mean")->data, t, c->mean, tolerance, 0);
    compare(hst_graph_find(g, "n/moving_variance")->data, t, c->variance, tolerance, 0);
    end_run(&r);
    hst_graph_free(g);
}

static void batch_norm_equals_the_reference(void **state)
{
    (void)state;
    static const char *const sizes[] = {"4x3x5x6", "2x1x2x9"}, *const decays[] = {".9", ".99",
                                                                                  ".999"};
    for (int i = 0; i < 12; i++) {
        char path[96], mean[64], variance[64];
        const char *decay = decays[i / 2 % 3];
        norm_case c = {path, 1, i & 1, strtod(decay, NULL), mean, variance};
        snprintf(path, sizeof path, "layers/batchnorm_train_%s", sizes[i / 6]);
        snprintf(mean, sizeof mean, "new_moving_mean_0%s.f64", decay);
        snprintf(variance, sizeof variance, "new_moving_var_%s_0%s.f64",
                 i & 1 ? "unbiased" : "biased", decay);
        each_table(check_norm, &c, path);
    }
    for (int i = 0; i < 2; i++) {
        char path[96];
        norm_case c = {path, 0, 1, .9, "moving_mean", "moving_var"};
        snprintf(path, sizeof path, "layers/batchnorm_frozen_%s", sizes[i]);
        each_table(check_norm, &c, path);
    }
}

static void check_simple(const void *op, const hst_tensors *t, const hst_kernels *k)
{
    const double tolerance = 1e-5;
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    int x = same_as(g, hst_graph_input(g, shape_of(t, "x"), &e));
    int y = op == &hst_op_activation ? hst_graph_activation(g, x, HST_ACT_RELU6, &e)
                                     : hst_graph_global_average(g, x, &e);
    assert_true(y > 0);
    finish(g);
    hst_learn_options o = hst_learn_defaults();
    run r = run_graph(g, k, &o, t);
    compare(r.y, t, "y.f64", tolerance, 0);
    compare(hst_learn_grad(r.l, x, 0), t, "gx.f64", tolerance, 0);
    end_run(&r);
    hst_graph_free(g);
}

static void simple_ops_equal_the_reference(void **state)
{
    (void)state;
    each_table(check_simple, &hst_op_activation, "layers/relu6");
    each_table(check_simple, &hst_op_global_average, "layers/global_average_pool");
}

/* The op by itself, as a plan has one input only. */
static void addition_equals_the_reference(void **state)
{
    (void)state;
    hst_tensors *t = open_golden("layers/add");
    size_t n;
    float *x = tensor(t, "x", &n), *z = tensor(t, "z", &n), *gy = tensor(t, "gy", &n);
    float *y = calloc(n, sizeof *y), *gx = calloc(n, sizeof *gx), *gz = calloc(n, sizeof *gz);
    hst_node node = {.op = &hst_op_add, .type = hst_vector_type((int)n)};
    hst_shape in[HST_MAX_INPUTS] = {{1, 1, (int)n}, {1, 1, (int)n}};
    hst_op_args a = {.node = &node, .in = in, .x = {x, z}, .y = y, .dy = gy, .dx = {gx, gz}};
    hst_op_add.forward(&a);
    hst_op_add.backward(&a);
    compare(y, t, "y.f64", 1e-5, 0);
    compare(gx, t, "gx.f64", 1e-5, 0);
    compare(gz, t, "gz.f64", 1e-5, 0);
    free(x);
    free(z);
    free(gy);
    free(y);
    free(gx);
    free(gz);
    hst_tensors_free(t);
}

/* ---- inverted residual blocks of a trained network ---- */

typedef struct block_case {
    const char *path;
    int stride, hidden, out, batch, unbiased, fuse;
} block_case;

/* conv -> batch norm [-> ReLU6] with the reference's names. */
static int block_unit(hst_graph *g, int x, const hst_conv *c, const char *name)
{
    hst_err e = {0};
    char norm[32];
    int is_deep = strcmp(name, "depthwise") == 0;
    snprintf(norm, sizeof norm, "%s_BN", name);
    x = is_deep ? hst_graph_depthwise(g, x, c, name, &e) : hst_graph_conv2d(g, x, c, name, &e);
    x = hst_graph_batchnorm(g, x, 1e-3, norm, &e);
    return strcmp(name, "project") == 0 ? x : hst_graph_activation(g, x, HST_ACT_RELU6, &e);
}

/* fn(graph name, reference's name) for every parameter of the block. */
static void each_param(const void *arg, void (*fn)(const void *arg, const char *ours,
                                                   const char *theirs, int statistic))
{
    static const char *const units[] = {"expand", "depthwise", "project"};
    static const char *const norms[] = {"gamma", "beta", "moving_mean", "moving_variance"};
    for (int u = 0; u < 3; u++) {
        char ours[64], theirs[64];
        snprintf(ours, sizeof ours, u == 1 ? "%s/depthwise_kernel" : "%s/kernel", units[u]);
        snprintf(theirs, sizeof theirs, "%s.kernel", units[u]);
        fn(arg, ours, theirs, 0);
        for (int k = 0; k < 4; k++) {
            snprintf(ours, sizeof ours, "%s_BN/%s", units[u], norms[k]);
            snprintf(theirs, sizeof theirs, "%s.%s", units[u], norms[k]);
            fn(arg, ours, theirs, k >= 2);
        }
    }
}

static void fill_param(const void *arg, const char *ours, const char *theirs, int statistic)
{
    const run *r = arg;
    (void)statistic;
    set_param(r->graph, ours, r->t, theirs);
}

static void check_param(const void *arg, const char *ours, const char *theirs, int statistic)
{
    const run *r = arg;
    const hst_learn_options *o = &r->l->options;
    double tolerance = o->batchnorm == HST_BN_BATCH ? 1e-4 : 2e-5;
    char name[96];
    if (!statistic) {
        snprintf(name, sizeof name, "g%s", theirs);
        compare(grad_of(r, ours), r->t, name, tolerance, 1);
    } else if (o->batchnorm == HST_BN_BATCH) {
        const char *dot = strchr(theirs, '.'), *kind = o->bn_unbiased ? "_unbiased" : "_biased";
        snprintf(name, sizeof name, "%.*s.new_%s%s", (int)(dot - theirs), theirs, dot + 1,
                 strstr(theirs, "variance") ? kind : "");
        compare(hst_graph_find(r->graph, ours)->data, r->t, name, tolerance, 1);
    }
}

static void check_block(const void *arg, const hst_tensors *inputs, const hst_kernels *k)
{
    const block_case *c = arg;
    hst_err e = {0};
    char path[96];
    hst_graph *g = hst_graph_new(&e);
    int first = same_as(g, hst_graph_input(g, shape_of(inputs, "x"), &e));
    hst_conv expand = {1, 1, c->hidden, HST_PAD_TF, 0}, deep = {3, c->stride, 0, HST_PAD_TF, 0},
             project = {1, 1, c->out, HST_PAD_TF, 0};
    int x = block_unit(g, first, &expand, "expand");
    x = block_unit(g, x, &deep, "depthwise");
    x = block_unit(g, x, &project, "project");
    x = c->stride == 1 ? hst_graph_add(g, first, x, &e) : x;
    assert_true(x > 0);
    finish(g);
    each_param(&(run){.graph = g, .t = inputs}, fill_param);
    hst_learn_options o = hst_learn_defaults();
    o.batchnorm = c->batch ? HST_BN_BATCH : HST_BN_FROZEN;
    o.bn_unbiased = c->unbiased;
    o.fuse = c->fuse;
    run r = run_graph(g, k, &o, inputs);
    snprintf(path, sizeof path, "%s_%s", c->path, c->batch ? "batch" : "frozen");
    hst_tensors *want = open_golden(path);
    assert_non_null(want);
    double tolerance = c->batch ? 1e-4 : 2e-5;
    r.t = want;
    compare(r.y, want, "y", tolerance, 1);
    compare(hst_learn_grad(r.l, first, 0), want, "gx", tolerance, 1);
    each_param(&r, check_param);
    hst_tensors_free(want);
    end_run(&r);
    hst_graph_free(g);
}

static void blocks_equal_the_reference(void **state)
{
    (void)state;
    static const block_case cases[] = {{"block/block_24_24_s1", 1, 144, 24, 0, 0, 0},
                                       {"block/block_24_32_s2", 2, 144, 32, 0, 0, 0}};
    for (int i = 0; i < 16; i++) {
        block_case c = cases[i & 1];
        char path[96];
        c.batch = i >> 1 & 1;
        c.unbiased = i >> 2 & 1;
        c.fuse = i >> 3 & 1;
        snprintf(path, sizeof path, "%s_inputs", c.path);
        each_table(check_block, &c, path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_equal_the_reference),
        cmocka_unit_test(batch_norm_equals_the_reference),
        cmocka_unit_test(simple_ops_equal_the_reference),
        cmocka_unit_test(addition_equals_the_reference),
        cmocka_unit_test(blocks_equal_the_reference),
    };
    return cmocka_run_group_tests_name("learn_golden", tests, NULL, NULL);
}
