/* nn: blocks run as one step give the bits of the same block run step by step. */
#include "support.h"

#include "base/random.h"
#include "nn/plan/step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct block_case {
    hst_shape in;
    int first;  /* kernel of the convolution in front: 0: none, 1: expansion, 3: a stem */
    int hidden; /* ignored where there is none */
    int kernel, stride, out;
    enum hst_padding padding;
    int residual;
    enum hst_act act; /* absent: ReLU6 */
    int squeeze;      /* channels between the two layers of a gate; 0: there is none */
    enum hst_precision precision;
} block_case;

/* Fewer threads than rows, and more. */
enum { N_EXECUTORS = 2 };
static hst_executor *executors[N_EXECUTORS];

static size_t floats(hst_shape s)
{
    return (size_t)s.h * (size_t)s.w * (size_t)s.c;
}

static float *randoms(size_t n, uint64_t seed)
{
    hst_rng r = hst_rng_new(seed, HST_RNG_INIT, 0, 0);
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(4 * hst_rng_uniform(&r) - 2);
    return x;
}

/* Kernels with negative zeros among them, whose sign a sum over padding must not lose. */
static void fill(hst_graph *g)
{
    for (size_t i = 0; i < hst_graph_n_params(g); i++) {
        const hst_param *p = hst_graph_param(g, i);
        float *x = randoms(hst_param_count(p), i);
        for (size_t k = 0; k < hst_param_count(p); k++)
            p->data[k] = strstr(p->name, "variance") ? x[k] + 2.5f : k % 7 == 3 ? -0.0f : x[k];
        free(x);
    }
}

static int norm_act(hst_graph *g, int x, const char *name, enum hst_act act)
{
    hst_err e = {0};
    char norm[32];
    snprintf(norm, sizeof norm, "%s_BN", name);
    x = hst_graph_batchnorm(g, x, 1e-3, norm, &e);
    return hst_graph_activation(g, x, act, &e);
}

/* Squeeze and excite: sigmoid where the activation is swish, else its piecewise linear form. */
static int gate(hst_graph *g, int x, const block_case *c)
{
    hst_err e = {0};
    const int channels = hst_graph_shape(g, x).c;
    hst_conv squeeze = {1, 1, c->squeeze, c->padding, 1}, excite = {1, 1, channels, c->padding, 1};
    const int swish = c->act == HST_ACT_SWISH;
    int s = hst_graph_global_average(g, x, &e);
    s = hst_graph_conv2d(g, s, &squeeze, "squeeze", &e);
    s = hst_graph_activation(g, s, swish ? HST_ACT_SWISH : HST_ACT_RELU, &e);
    s = hst_graph_conv2d(g, s, &excite, "excite", &e);
    s = hst_graph_activation(g, s, swish ? HST_ACT_SIGMOID : HST_ACT_HSIGMOID, &e);
    return hst_graph_scale(g, x, s, &e);
}

static hst_graph *block(const block_case *c)
{
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    hst_conv first = {c->first, c->first > 1 ? 2 : 1, c->hidden, c->padding, 0},
             deep = {c->kernel, c->stride, 0, c->padding, 0},
             project = {1, 1, c->out, c->padding, 0};
    const enum hst_act act = c->act ? c->act : HST_ACT_RELU6;
    int in = hst_graph_input(g, c->in, &e), x = in;
    if (c->first > 0)
        x = norm_act(g, hst_graph_conv2d(g, x, &first, "first", &e), "first", act);
    x = norm_act(g, hst_graph_depthwise(g, x, &deep, "deep", &e), "deep", act);
    if (c->squeeze)
        x = gate(g, x, c);
    x = norm_act(g, hst_graph_conv2d(g, x, &project, "project", &e), "project", HST_ACT_NONE);
    if (c->residual)
        x = hst_graph_add(g, x, in, &e);
    assert_true(x > 0);
    check_ok(hst_graph_finish(g, &e), &e);
    fill(g);
    return g;
}

/* Runs the graph on an executor (NULL: one thread); *steps: how many steps its plan has. To be
 * freed. */
static float *outcome_of(const hst_graph *g, const hst_kernels *k, hst_plan_options o,
                         hst_executor *ex, int *steps)
{
    hst_err e = {0};
    hst_plan *p = hst_plan_make(g, k, &o, &e);
    check_ok(!p, &e);
    hst_work *w = hst_work_new_together(p, hst_executor_threads(ex), &e);
    check_ok(!w, &e);
    float *x = randoms(floats(p->input), 99), *y = calloc(floats(p->output), sizeof *y);
    if (ex)
        hst_plan_run_together(p, w, ex, x, y);
    else
        hst_plan_run(p, w, x, 1, y);
    *steps = p->n_steps;
    hst_work_free(w);
    hst_plan_free(p);
    free(x);
    return y;
}

static float *outcome(const hst_graph *g, const hst_kernels *k, hst_plan_options o, int *steps)
{
    return outcome_of(g, k, o, NULL, steps);
}

/* One image over several threads: fused and in steps. */
static void compare_together(const hst_kernels *k, const hst_graph *g, enum hst_precision precision,
                             const float *want, size_t n)
{
    for (int i = 0; i < N_EXECUTORS; i++)
        for (int fuse = 0; fuse < 2; fuse++) {
            int steps;
            hst_plan_options o = {.fuse = fuse, .cache_bytes = 4000, .precision = precision};
            float *y = outcome_of(g, k, o, executors[i], &steps);
            if (memcmp(y, want, n * sizeof *y))
                fail_msg("%s: %d threads, fuse %d", hst_kernels_isa(k),
                         hst_executor_threads(executors[i]), fuse);
            free(y);
        }
}

static void compare(const hst_kernels *k, const block_case *c)
{
    /* Bands of one row, of a few, of all. */
    static const size_t caches[] = {1, 4000, 20000, 60000, 1 << 24};
    hst_graph *g = block(c);
    int steps;
    size_t n = floats(hst_graph_shape(g, hst_graph_n_nodes(g) - 1));
    hst_plan_options o = {.fuse = 0, .precision = c->precision};
    float *want = outcome(g, k, o, &steps);
    assert_int_equal(steps, (c->first > 0 ? 3 : 2) + (c->squeeze ? 4 : 0));
    for (size_t i = 0; i < sizeof caches / sizeof *caches; i++) {
        o.fuse = 1;
        o.cache_bytes = caches[i];
        float *y = outcome(g, k, o, &steps);
        assert_int_equal(steps, 1);
        if (memcmp(y, want, n * sizeof *y))
            fail_msg("%s %s: %d x %d x %d, first %d, kernel %d, stride %d, padding %d, cache %zu",
                     hst_kernels_isa(k), hst_precision_names[c->precision], c->in.h, c->in.w,
                     c->in.c, c->first, c->kernel, c->stride, (int)c->padding, caches[i]);
        free(y);
    }
    if (c->kernel == 3)
        compare_together(k, g, c->precision, want, n);
    free(want);
    hst_graph_free(g);
}

static void each_size(const hst_kernels *k, block_case c)
{
    static const int sizes[] = {1, 4, 7, 13, 18};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (c.kernel = 3; c.kernel <= 5; c.kernel += 2)
            for (c.stride = 1; c.stride <= 3; c.stride++)
                for (int pad = HST_PAD_TF; pad <= HST_PAD_SYMMETRIC; pad++) {
                    c.in = (hst_shape){sizes[i], sizes[(i + 2) % 5], c.in.c};
                    c.padding = (enum hst_padding)pad;
                    c.residual = c.stride == 1 && c.first < 2 && c.out == c.in.c;
                    compare(k, &c);
                }
}

static void each_precision(const hst_kernels *k, block_case c)
{
    for (int p = 0; p < HST_PRECISIONS; p++) {
        c.precision = (enum hst_precision)p;
        each_size(k, c);
    }
}

static void fused_equals_unfused(void **state)
{
    static const block_case cases[] = {
        {.in.c = 11, .first = 1, .hidden = 75, .out = 11}, /* vectors that are not full */
        {.in.c = 16, .first = 1, .hidden = 96, .out = 24},
        {.in.c = 24, .first = 0, .hidden = 24, .out = 24},
        {.in.c = 11, .first = 1, .hidden = 43, .out = 11, .act = HST_ACT_HSWISH},
        {.in.c = 3, .first = 3, .hidden = 37, .out = 16, .act = HST_ACT_SWISH},
        {.in.c = 3, .first = 3, .hidden = 37, .out = 16},
        {.in.c = 11, .first = 1, .hidden = 75, .out = 11, .act = HST_ACT_SWISH, .squeeze = 5},
        {.in.c = 16, .first = 1, .hidden = 96, .out = 24, .act = HST_ACT_HSWISH, .squeeze = 24},
        {.in.c = 24, .first = 0, .hidden = 24, .out = 24, .squeeze = 33},
        {.in.c = 3, .first = 3, .hidden = 37, .out = 16, .act = HST_ACT_SWISH, .squeeze = 8}};
    (void)state;
    int usable;
    for (int i = 0; hst_kernels_name(i, &usable); i++)
        for (size_t n = 0; usable && n < sizeof cases / sizeof *cases; n++)
            each_precision(hst_kernels_find(hst_kernels_name(i, NULL)), cases[n]);
}

/* What is read elsewhere must exist: such a block stays in steps. */
static void values_with_other_readers_are_kept(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_conv expand = {1, 1, 8, HST_PAD_TF, 1}, deep = {3, 1, 0, HST_PAD_TF, 1};
    hst_graph *g = hst_graph_new(&e);
    int x = hst_graph_input(g, (hst_shape){9, 9, 8}, &e);
    int a = hst_graph_conv2d(g, x, &expand, "expand", &e);
    int b = hst_graph_depthwise(g, a, &deep, "deep", &e);
    int c = hst_graph_conv2d(g, b, &expand, "project", &e);
    int d = hst_graph_add(g, c, a, &e); /* the expansion itself is the residual */
    assert_true(hst_graph_add(g, d, b, &e) > 0);
    check_ok(hst_graph_finish(g, &e), &e);
    fill(g);
    int plain, fused;
    float *want = outcome(g, hst_kernels_best(), (hst_plan_options){.fuse = 0}, &plain);
    float *y = outcome(g, hst_kernels_best(), hst_plan_defaults(), &fused);
    assert_int_equal(plain, fused);
    assert_memory_equal(y, want, 9 * 9 * 8 * sizeof *y);
    free(y);
    free(want);
    hst_graph_free(g);
}

/* The value in front of the gate, which two nodes of the block read and the caller wants. */
static void values_that_are_wanted_are_kept(void **state)
{
    (void)state;
    hst_graph *g = block(&(block_case){.in = {6, 7, 16},
                                       .first = 1,
                                       .hidden = 48,
                                       .kernel = 3,
                                       .stride = 1,
                                       .out = 16,
                                       .squeeze = 4});
    const int last = hst_graph_n_nodes(g) - 1,
              outputs[] = {6, last}; /* depthwise, norm, activation */
    const size_t n = floats(hst_graph_shape(g, last)), wide = floats(hst_graph_shape(g, 6));
    assert_string_equal(hst_graph_op_name(g, 7), "global_average");
    float *y[2];
    for (int fuse = 0; fuse < 2; fuse++) {
        hst_err e = {0};
        hst_plan_options o = {
            .fuse = fuse, .cache_bytes = 1 << 20, .output = outputs, .n_outputs = 2};
        hst_plan *p = hst_plan_make(g, hst_kernels_best(), &o, &e);
        check_ok(!p, &e);
        hst_work *w = hst_work_new(p, &e);
        check_ok(!w, &e);
        float *x = randoms(floats(p->input), 99);
        y[fuse] = calloc(n + wide, sizeof(float));
        hst_plan_run(p, w, x, 1, y[fuse]);
        free(x);
        hst_work_free(w);
        hst_plan_free(p);
    }
    assert_memory_equal(y[0], y[1], (n + wide) * sizeof(float));
    free(y[0]);
    free(y[1]);
    hst_graph_free(g);
}

/* A size that no cache has would make bands of one row, or none. */
static void the_cache_has_a_sensible_size(void **state)
{
    (void)state;
    assert_in_range(hst_cache_bytes(), 64 * 1024, 64 * 1024 * 1024);
    assert_int_equal(hst_plan_defaults().cache_bytes, hst_cache_bytes());
}

static int make_executors(void **state)
{
    hst_err e = {0};
    (void)state;
    executors[0] = hst_executor_new(2, &e);
    executors[1] = hst_executor_new(5, &e);
    return executors[0] && executors[1] ? 0 : -1;
}

static int free_executors(void **state)
{
    (void)state;
    for (int i = 0; i < N_EXECUTORS; i++)
        hst_executor_free(executors[i]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fused_equals_unfused),
        cmocka_unit_test(values_with_other_readers_are_kept),
        cmocka_unit_test(values_that_are_wanted_are_kept),
        cmocka_unit_test(the_cache_has_a_sensible_size),
    };
    return cmocka_run_group_tests_name("fused", tests, make_executors, free_executors);
}
