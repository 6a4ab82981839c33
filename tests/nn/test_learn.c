/* nn: learning plans against central differences of the definitions in double, and what holds for
 * any plan: threads, groups, where learning begins. */
#include "learn_plain.h"
#include "support.h"

#include "nn/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* expand -> depthwise -> project [+ input] */
static int block(hst_graph *g, int x, hst_conv deep, int hidden, int out, const char *name)
{
    hst_err e = {0};
    char part[48];
    int first = x;
    snprintf(part, sizeof part, "%s_expand", name);
    x = unit(g, x, conv(1, 1, hidden, deep.padding, 0), 0, part);
    snprintf(part, sizeof part, "%s_deep", name);
    x = unit(g, x, deep, 1, part);
    snprintf(part, sizeof part, "%s_project", name);
    hst_conv c = conv(1, 1, out, deep.padding, 0);
    x = hst_graph_conv2d(g, x, &c, part, &e);
    snprintf(part, sizeof part, "%s_project_BN", name);
    x = hst_graph_batchnorm(g, x, 1e-3, part, &e);
    hst_shape was = hst_graph_shape(g, first), is = hst_graph_shape(g, x);
    return was.h == is.h && was.c == is.c ? hst_graph_add(g, first, x, &e) : x;
}

/* Stem, inverted residuals with both strides and kernels, values that are read two and three times,
 * biases, a lone batch norm, channel counts that fill no vector. *middle: a node to learn from. */
static hst_graph *whole(int px, int channels, enum hst_padding pad, int *middle)
{
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    int x = hst_graph_input(g, (hst_shape){px, px + 3, 3}, &e);
    x = unit(g, x, conv(3, 2, channels, pad, 0), 0, "stem");
    x = block(g, x, conv(3, 1, 0, pad, 0), channels * 2 + 1, channels, "b1");
    int first = x;
    x = block(g, x, conv(5, 1, 0, pad, 1), channels + 3, channels, "b2");
    *middle = x + 1;
    x = unit(g, x, conv(5, 1, 0, pad, 0), 1, "lone_deep");
    x = hst_graph_add(g, x, first, &e);
    x = hst_graph_add(g, x, x, &e);
    x = hst_graph_batchnorm(g, x, 1e-3, "lone_BN", &e);
    x = block(g, x, conv(3, 2, 0, pad, 0), channels * 3, channels + 2, "b3");
    hst_conv c = conv(3, 1, channels, pad, 1);
    x = hst_graph_conv2d(g, x, &c, "biased", &e);
    x = unit(g, x, conv(1, 2, channels + 5, pad, 1), 0, "strided1x1");
    x = unit(g, x, conv(1, 1, 21, pad, 0), 0, "head");
    x = hst_graph_global_average(g, x, &e);
    assert_true(x > 0);
    check_ok(hst_graph_finish(g, &e), &e);
    random_params(g, 7);
    return g;
}

/* One forward and backward; the gradient, to be freed. */
static float *gradient(hst_graph *g, const hst_kernels *k, const hst_learn_options *o, int n,
                       float *features)
{
    hst_err e = {0};
    hst_learn *l = hst_learn_new(g, k, o, &e);
    check_ok(!l, &e);
    size_t in = plain_floats(hst_graph_shape(g, 0));
    size_t out = plain_floats(hst_graph_shape(g, hst_graph_n_nodes(g) - 1));
    float *x = random_floats(in * (size_t)n, 1), *weight = random_floats(out * (size_t)n, 2);
    float *grad = malloc(hst_learn_count(l) * sizeof *grad);
    check_ok(hst_learn_forward(l, x, n, features, &e), &e);
    check_ok(hst_learn_backward(l, weight, grad, &e), &e);
    hst_learn_free(l);
    free(x);
    free(weight);
    return grad;
}

enum { EVERY = 11 }; /* one in so many derivatives is looked at */

/* Those derivatives by central differences, to be freed. */
static double *differences(hst_graph *g, const hst_learn_options *o, int n)
{
    size_t in = plain_floats(hst_graph_shape(g, 0));
    size_t out = plain_floats(hst_graph_shape(g, hst_graph_n_nodes(g) - 1));
    float *x = random_floats(in * (size_t)n, 1), *weight = random_floats(out * (size_t)n, 2);
    plain p = plain_of(g);
    hst_err e = {0};
    hst_learn *l = hst_learn_new(g, hst_kernels_best(), o, &e);
    size_t offset = (size_t)(hst_learn_params(l) - hst_graph_param(g, 0)->data),
           count = hst_learn_count(l);
    double *d = calloc(count / EVERY + 1, sizeof *d);
    hst_learn_free(l);
    if (o->batchnorm == HST_BN_BATCH)
        p.batch_from = o->first_node;
    for (size_t i = 0; i < count; i += EVERY) {
        double h = 1e-6, was = p.learning[offset + i];
        p.learning[offset + i] = was + h;
        double up = plain_loss(&p, x, n, weight);
        p.learning[offset + i] = was - h;
        double down = plain_loss(&p, x, n, weight);
        p.learning[offset + i] = was;
        d[i / EVERY] = (up - down) / (2 * h);
    }
    plain_free(&p);
    free(x);
    free(weight);
    return d;
}

/* As far apart as float32 sums over a batch may be, seen from the largest derivative. */
static void check_differences(hst_graph *g, const hst_kernels *k, const hst_learn_options *o,
                              const double *want)
{
    float features[5 * 21], *grad = gradient(g, k, o, 5, features);
    hst_err e = {0};
    hst_learn *l = hst_learn_new(g, k, o, &e);
    double worst = 0, most = 0;
    for (size_t i = 0; i < hst_learn_count(l); i += EVERY) {
        worst = fmax(worst, fabs((double)grad[i] - want[i / EVERY]));
        most = fmax(most, fabs(want[i / EVERY]));
    }
    print_message("%s: worst difference / largest derivative %.1e\n", k->isa, worst / most);
    assert_true(worst / most < 1e-5);
    hst_learn_free(l);
    free(grad);
}

static void gradients_equal_central_differences(void **state)
{
    (void)state;
    for (int c = 0; c < 8; c++) {
        int middle, usable;
        hst_graph *g = whole(c & 1 ? 9 : 12, 5, c & 1 ? HST_PAD_SYMMETRIC : HST_PAD_TF, &middle);
        hst_learn_options o = hst_learn_defaults();
        o.batchnorm = c & 2 ? HST_BN_BATCH : HST_BN_FROZEN;
        o.first_node = c & 4 ? middle : 0;
        o.max_batch = 5;
        double *want = differences(g, &o, 5);
        for (int i = 0; hst_kernels_name(i, &usable); i++)
            for (o.fuse = 0; usable && o.fuse < 2; o.fuse++)
                check_differences(g, hst_kernels_find(hst_kernels_name(i, NULL)), &o, want);
        free(want);
        hst_graph_free(g);
    }
}

static float *statistics(const hst_graph *g, size_t *n)
{
    plain p = plain_of(g);
    float *s = malloc(p.n_statistics * sizeof *s);
    for (size_t i = 0; i < p.n_statistics; i++)
        s[i] = (float)p.statistics[i];
    *n = p.n_statistics;
    plain_free(&p);
    return s;
}

/* Two steps of gradient descent; the bits of everything that moved, to be freed. */
static float *two_steps(const hst_kernels *k, const hst_learn_options *o, int n, size_t *count)
{
    int middle;
    hst_err e = {0};
    hst_graph *g = whole(14, 6, HST_PAD_TF, &middle);
    hst_learn *l = hst_learn_new(g, k, o, &e);
    check_ok(!l, &e);
    size_t in = plain_floats(hst_graph_shape(g, 0)), out = 21, learning = hst_learn_count(l);
    float *x = random_floats(in * (size_t)n, 1), *grad = malloc(learning * sizeof *grad);
    float *features = malloc(out * (size_t)n * sizeof *features);
    for (int step = 0; step < 2; step++) {
        check_ok(hst_learn_forward(l, x, n, features, &e), &e);
        check_ok(hst_learn_backward(l, features, grad, &e), &e);
        for (size_t i = 0; i < learning; i++)
            hst_learn_params(l)[i] -= 1e-4f * grad[i];
        hst_learn_changed(l);
    }
    size_t n_statistics;
    float *moved = statistics(g, &n_statistics);
    *count = n_statistics + learning + out * (size_t)n;
    moved = realloc(moved, *count * sizeof *moved);
    memcpy(moved + n_statistics, hst_learn_params(l), learning * sizeof *moved);
    memcpy(moved + n_statistics + learning, features, out * (size_t)n * sizeof *moved);
    hst_learn_free(l);
    hst_graph_free(g);
    free(x);
    free(grad);
    free(features);
    return moved;
}

static void same_bits_on(const hst_kernels *k)
{
    for (int mode = 0; mode < 4; mode++) {
        hst_learn_options o = hst_learn_defaults();
        size_t count, again;
        o.batchnorm = mode & 1 ? HST_BN_BATCH : HST_BN_FROZEN;
        o.fuse = mode >> 1;
        o.max_batch = 11;
        float *want = two_steps(k, &o, 11, &count);
        for (size_t i = 0; i < count; i++)
            assert_true(isfinite(want[i]));
        for (int threads = 2; threads <= 4; threads++) {
            hst_err e = {0};
            o.executor = hst_executor_new(threads, &e);
            check_ok(!o.executor, &e);
            o.max_batch = 9 + threads;
            float *got = two_steps(k, &o, 11, &again);
            assert_int_equal(again, count);
            assert_memory_equal(got, want, count * sizeof *got);
            free(got);
            hst_executor_free(o.executor);
        }
        o.executor = NULL;
        free(want);
    }
}

static void threads_change_no_bit(void **state)
{
    (void)state;
    each_isa(same_bits_on);
}

static void frozen_features_equal_the_plans(void **state)
{
    (void)state;
    int middle;
    hst_err e = {0};
    hst_graph *g = whole(16, 8, HST_PAD_TF, &middle);
    hst_learn_options o = hst_learn_defaults();
    float features[3 * 21], want[3 * 21];
    free(gradient(g, hst_kernels_best(), &o, 3, features));
    hst_plan *p = hst_plan_new(g, hst_kernels_best(), &e);
    hst_work *w = hst_work_new(p, &e);
    float *x = random_floats(3 * plain_floats(hst_plan_input(p)), 1);
    hst_plan_run(p, w, x, 3, want);
    check_close(features, want, 3 * 21, 2e-5, 2e-5, "features");
    free(x);
    hst_work_free(w);
    hst_plan_free(p);
    hst_graph_free(g);
}

static void learning_later_gives_the_end_of_the_gradient(void **state)
{
    (void)state;
    int middle;
    hst_graph *g = whole(16, 8, HST_PAD_TF, &middle);
    hst_learn_options o = hst_learn_defaults();
    hst_err e = {0};
    float features[4 * 21];
    float *all = gradient(g, hst_kernels_best(), &o, 4, features);
    o.first_node = middle;
    float *late = gradient(g, hst_kernels_best(), &o, 4, features);
    hst_learn *l = hst_learn_new(g, hst_kernels_best(), &o, &e);
    const hst_param *first = hst_graph_find(g, "lone_deep/depthwise_kernel");
    size_t offset = (size_t)(first->data - hst_graph_param(g, 0)->data), n = hst_learn_count(l);
    assert_ptr_equal(hst_learn_params(l), first->data);
    check_close(late, all + offset, n, 1e-5, 1e-5, "gradient");
    hst_learn_free(l);
    hst_graph_free(g);
    free(all);
    free(late);
}

static void what_cannot_be_done_is_said(void **state)
{
    (void)state;
    int middle;
    hst_err e = {0};
    hst_graph *g = whole(16, 8, HST_PAD_TF, &middle);
    hst_learn_options o = hst_learn_defaults();
    float y[21];
    o.max_batch = 2;
    hst_learn *l = hst_learn_new(g, hst_kernels_best(), &o, &e);
    float *x = random_floats(3 * plain_floats(hst_graph_shape(g, 0)), 1);
    assert_int_equal(hst_learn_forward(l, x, 3, y, &e), HST_EARG);
    assert_int_equal(hst_learn_forward(l, x, 0, y, &e), HST_EARG);
    assert_int_equal(hst_learn_backward(l, y, y, &e), HST_EARG);
    hst_learn_free(l);
    static const int outside[] = {-1, 10000};
    for (int i = 0; i < 3; i++) { /* behind the last node, and where there is none */
        o.first_node = i < 2 ? outside[i] : hst_graph_n_nodes(g);
        assert_null(hst_learn_new(g, hst_kernels_best(), &o, &e));
        assert_int_equal(e.code, HST_EMODEL);
    }
    o.first_node = hst_graph_n_nodes(g) - 1;
    assert_null(hst_learn_new(g, hst_kernels_best(), &o, &e));
    assert_int_equal(e.code, HST_EMODEL);
    o.max_batch = 0;
    assert_null(hst_learn_new(g, hst_kernels_best(), &o, &e));
    assert_int_equal(e.code, HST_EARG);
    hst_graph_free(g);
    free(x);
}

/* Rows so wide that a band of a 5x5 kernel is one row, and the first completes no row of inputs. */
static void bands_of_one_row(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    int x = hst_graph_input(g, (hst_shape){6, 113, 3}, &e);
    x = unit(g, x, conv(1, 1, 96, HST_PAD_TF, 0), 0, "wide");
    x = unit(g, x, conv(5, 1, 0, HST_PAD_TF, 0), 1, "deep");
    x = unit(g, x, conv(1, 1, 8, HST_PAD_TF, 0), 0, "narrow");
    x = hst_graph_global_average(g, x, &e);
    assert_true(x > 0);
    check_ok(hst_graph_finish(g, &e), &e);
    random_params(g, 5);
    hst_learn_options o = hst_learn_defaults();
    o.batchnorm = HST_BN_BATCH;
    float features[2 * 8], same[2 * 8];
    float *got = gradient(g, hst_kernels_best(), &o, 2, features);
    random_params(g, 5); /* the statistics moved */
    o.fuse = 0;
    float *want = gradient(g, hst_kernels_best(), &o, 2, same);
    check_close(features, same, 2 * 8, 1e-5, 1e-5, "features");
    size_t n = 0;
    for (size_t i = 0; i < hst_graph_n_params(g); i++)
        n += hst_graph_param(g, i)->statistic ? 0 : hst_param_count(hst_graph_param(g, i));
    const double most = largest_of(want, n);
    check_close(got, want, n, 1e-5 * most, 0, "gradient");
    free(got);
    free(want);
    hst_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bands_of_one_row),
        cmocka_unit_test(gradients_equal_central_differences),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(frozen_features_equal_the_plans),
        cmocka_unit_test(learning_later_gives_the_end_of_the_gradient),
        cmocka_unit_test(what_cannot_be_done_is_said),
    };
    return cmocka_run_group_tests_name("learn", tests, NULL, NULL);
}
