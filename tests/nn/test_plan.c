/* nn: plans against a double-precision interpreter of the same graph, and against reference layers.
 */
#include "learn_plain.h"
#include "support.h"

#include "base/mem.h"
#include "base/random.h"
#include "formats/safetensors.h"
#include "nn/op.h"
#include "nn/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t floats(hst_shape s)
{
    return (size_t)s.h * (size_t)s.w * (size_t)s.c;
}

static double *interpret(const hst_graph *g, const float *x)
{
    plain p = plain_of(g);
    double *y = plain_features(&p, x, 1);
    plain_free(&p);
    return y;
}

/* ---- graphs ---- */

static hst_conv conv(int kernel, int stride, int channels, enum hst_padding padding, int bias)
{
    return (hst_conv){kernel, stride, channels, padding, bias};
}

/* conv -> batch norm -> ReLU6; returns the last node. */
static int unit(hst_graph *g, int x, hst_conv c, int deep, const char *name)
{
    hst_err e = {0};
    char norm[64];
    snprintf(norm, sizeof norm, "%s_BN", name);
    x = deep ? hst_graph_depthwise(g, x, &c, name, &e) : hst_graph_conv2d(g, x, &c, name, &e);
    x = hst_graph_batchnorm(g, x, 1e-3, norm, &e);
    return hst_graph_activation(g, x, HST_ACT_RELU6, &e);
}

/* A network with everything in it: stem, inverted residuals with both strides and kernels, a sum
 * that cannot be fused, activations that cannot be fused, channel counts that fill no vector. */
static hst_graph *whole(int px, int channels, enum hst_padding pad)
{
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    hst_conv c;
    int x = hst_graph_input(g, (hst_shape){px, px + 3, 3}, &e);
    x = unit(g, x, conv(3, 2, channels, pad, 0), 0, "stem");
    x = unit(g, x, conv(5, 1, 0, pad, 0), 1, "deep5");
    int kept = x;
    x = unit(g, x, conv(1, 1, 3 * channels, pad, 0), 0, "expand");
    x = unit(g, x, conv(3, 1, 0, pad, 1), 1, "deep3");
    c = conv(1, 1, channels, pad, 0);
    x = hst_graph_conv2d(g, x, &c, "project", &e);
    x = hst_graph_batchnorm(g, x, 1e-3, "project_BN", &e);
    x = hst_graph_add(g, x, kept, &e);
    int sum = x;
    x = hst_graph_activation(g, x, HST_ACT_RELU6, &e);
    x = hst_graph_add(g, sum, x, &e); /* both inputs are read twice */
    x = hst_graph_batchnorm(g, x, 1e-3, "lone_BN", &e);
    x = unit(g, x, conv(3, 2, 0, pad, 0), 1, "deep3s2");
    x = unit(g, x, conv(1, 2, channels + 5, pad, 1), 0, "strided1x1");
    x = unit(g, x, conv(5, 2, 0, pad, 0), 1, "deep5s2");
    x = unit(g, x, conv(1, 1, 37, pad, 0), 0, "head");
    x = hst_graph_global_average(g, x, &e);
    assert_true(x > 0);
    check_ok(hst_graph_finish(g, &e), &e);
    return g;
}

static void compare_whole(const hst_kernels *k, int px, int channels, enum hst_padding pad)
{
    hst_err e = {0};
    hst_graph *g = whole(px, channels, pad);
    random_params(g, 7);
    hst_plan *p = hst_plan_new(g, k, &e);
    check_ok(!p, &e);
    size_t in = floats(hst_plan_input(p)), out = floats(hst_plan_output(p));
    float *x = random_floats(3 * in, 1), *y = calloc(3 * out, sizeof *y),
          *y1 = calloc(out, sizeof *y1);
    hst_executor *ex = hst_executor_new(3, &e);
    hst_work *w = hst_work_new(p, &e),
             *other = hst_work_new_together(p, hst_executor_threads(ex), &e);
    hst_plan_run(p, w, x, 3, y);
    for (int i = 0; i < 3; i++) {
        double *want = interpret(g, x + (size_t)i * in);
        check_close_f64(y + (size_t)i * out, want, out, 2e-5, 2e-5, hst_kernels_isa(k));
        free(want);
        hst_plan_run(p, other, x + (size_t)i * in, 1,
                     y1); /* alone, elsewhere, on dirty memory: same bits */
        assert_memory_equal(y1, y + (size_t)i * out, out * sizeof *y);
        hst_plan_run_together(p, other, ex, x + (size_t)i * in, y1);
        assert_memory_equal(y1, y + (size_t)i * out, out * sizeof *y);
    }
    hst_executor_free(ex);
    hst_work_free(w);
    hst_work_free(other);
    hst_plan_free(p);
    hst_graph_free(g);
    free(x);
    free(y);
    free(y1);
}

static void whole_on(const hst_kernels *k)
{
    for (int px = 5; px <= 40; px += 7)
        for (int pad = HST_PAD_TF; pad <= HST_PAD_SYMMETRIC; pad++)
            compare_whole(k, px, px + 3, (enum hst_padding)pad);
    compare_whole(k, 33, 32, HST_PAD_TF);
    compare_whole(k, 64, 16, HST_PAD_TF);
}

static void plans_equal_the_interpreter(void **state)
{
    (void)state;
    each_isa(whole_on);
}

static void memory_is_reused(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_graph *g = whole(64, 32, HST_PAD_TF);
    random_params(g, 1);
    hst_plan *p = hst_plan_new(g, hst_kernels_best(), &e);
    size_t all = 0;
    for (int i = 0; i < hst_graph_n_nodes(g); i++)
        all += floats(hst_graph_shape(g, i)) * sizeof(float);
    assert_true(hst_work_bytes(p) < all / 3);
    hst_plan_free(p);
    hst_graph_free(g);
}

static void nan_reaches_the_output(void **state)
{
    (void)state;
    hst_err e = {0};
    int usable;
    hst_graph *g = whole(16, 8, HST_PAD_TF);
    random_params(g, 1);
    for (int i = 0; hst_kernels_name(i, &usable); i++) {
        if (!usable)
            continue;
        hst_plan *p = hst_plan_new(g, hst_kernels_find(hst_kernels_name(i, NULL)), &e);
        hst_work *w = hst_work_new(p, &e);
        float *x = random_floats(floats(hst_plan_input(p)), 2), y[64];
        x[100] = NAN;
        hst_plan_run(p, w, x, 1, y);
        assert_true(isnan(y[0]));
        free(x);
        hst_work_free(w);
        hst_plan_free(p);
    }
    hst_graph_free(g);
}

static void weights_that_are_not_finite_are_refused(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_graph *g = whole(16, 8, HST_PAD_TF);
    random_params(g, 1);
    hst_graph_find(g, "deep3s2_BN/moving_variance")->data[3] = -5;
    assert_null(hst_plan_new(g, hst_kernels_best(), &e));
    assert_int_equal(e.code, HST_EMODEL);
    assert_non_null(strstr(e.msg, "deep3s2"));
    hst_graph_free(g);
}

static void shapes_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    hst_conv c = conv(3, 1, 8, HST_PAD_TF, 0), zero = conv(3, 0, 8, HST_PAD_TF, 0),
             big = conv(7, 1, 8, HST_PAD_SYMMETRIC, 0), wide = conv(1, 1, 1 << 20, HST_PAD_TF, 0);
    assert_int_equal(hst_graph_input(g, (hst_shape){0, 4, 3}, &e), HST_EMODEL);
    assert_int_equal(hst_graph_input(g, (hst_shape){60000, 60000, 3}, &e), HST_EMODEL);
    int x = hst_graph_input(g, (hst_shape){4, 4, 3}, &e);
    assert_int_equal(x, 0);
    assert_int_equal(hst_graph_conv2d(g, 5, &c, "x", &e), HST_EMODEL);
    assert_int_equal(hst_graph_conv2d(g, x, &zero, "x", &e), HST_EMODEL);
    assert_int_equal(hst_graph_conv2d(g, x, &wide, "x", &e), HST_EMODEL);
    assert_true(hst_graph_conv2d(g, x, &big, "x", &e) > 0); /* padding makes room */
    int y = hst_graph_conv2d(g, x, &c, "y", &e);
    assert_int_equal(hst_graph_add(g, x, y, &e), HST_EMODEL);
    assert_int_equal(hst_graph_batchnorm(g, x, 0, "b", &e), HST_EMODEL);
    hst_graph_free(g);
}

/* ---- reference layers (values from float64 PyTorch, checked against TensorFlow) ---- */

typedef struct layer_case {
    const char *file;
    int kernel, stride, deep, channels, bias, same;
} layer_case;

static float *floats_of(const hst_tensors *t, const char *name, const hst_tensor **n)
{
    *n = hst_tensors_find(t, name);
    float *x = malloc(hst_tensor_count(*n) * sizeof *x + 1);
    hst_err e = {0};
    check_ok(hst_tensor_floats(*n, x, &e), &e);
    return x;
}

static void set_param(hst_graph *g, const char *param_name, const hst_tensors *t, const char *name)
{
    const hst_tensor *n;
    float *x = floats_of(t, name, &n);
    const hst_param *p = hst_graph_find(g, param_name);
    assert_int_equal(hst_param_count(p), hst_tensor_count(n));
    memcpy(p->data, x, hst_tensor_count(n) * sizeof *x);
    free(x);
}

static void compare_layer(const layer_case *c, const hst_tensors *t, const hst_kernels *k)
{
    hst_err e = {0};
    const hst_tensor *nx, *ny;
    float *x = floats_of(t, "x", &nx), *want = floats_of(t, "y.f64", &ny);
    hst_graph *g = hst_graph_new(&e);
    hst_conv cv =
        conv(c->kernel, c->stride, c->channels, c->same ? HST_PAD_TF : HST_PAD_SYMMETRIC, c->bias);
    int in = hst_graph_input(g, (hst_shape){(int)nx->dim[1], (int)nx->dim[2], (int)nx->dim[3]}, &e);
    int rc =
        c->deep ? hst_graph_depthwise(g, in, &cv, "l", &e) : hst_graph_conv2d(g, in, &cv, "l", &e);
    assert_true(rc > 0);
    check_ok(hst_graph_finish(g, &e), &e);
    set_param(g, c->deep ? "l/depthwise_kernel" : "l/kernel", t, "w");
    if (c->bias)
        set_param(g, "l/bias", t, "b");
    hst_plan *p = hst_plan_new(g, k, &e);
    hst_work *w = hst_work_new(p, &e);
    size_t n = hst_tensor_count(ny);
    assert_int_equal(n, (size_t)nx->dim[0] * floats(hst_plan_output(p)));
    float *y = calloc(n, sizeof *y);
    hst_plan_run(p, w, x, (int)nx->dim[0], y);
    check_close(y, want, n, 1e-5, 1e-5, c->file);
    hst_work_free(w);
    hst_plan_free(p);
    hst_graph_free(g);
    free(x);
    free(y);
    free(want);
}

static void layers_equal_the_reference(void **state)
{
    (void)state;
    static const layer_case cases[] = {
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
    int n = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[128];
        hst_err e = {0};
        int usable;
        snprintf(name, sizeof name, "golden/layers/%s.safetensors", cases[i].file);
        char *path = shared_path(name);
        if (!path) /* of the shared data: the larger ones */
            continue;
        n++;
        hst_tensors *t = hst_tensors_read(path, &e);
        check_ok(!t, &e);
        for (int k = 0; hst_kernels_name(k, &usable); k++)
            if (usable)
                compare_layer(&cases[i], t, hst_kernels_find(hst_kernels_name(k, NULL)));
        hst_tensors_free(t);
        free(path);
    }
    assert_true(n >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_equal_the_interpreter),
        cmocka_unit_test(memory_is_reused),
        cmocka_unit_test(nan_reaches_the_output),
        cmocka_unit_test(weights_that_are_not_finite_are_refused),
        cmocka_unit_test(shapes_that_do_not_fit_are_refused),
        cmocka_unit_test(layers_equal_the_reference),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
