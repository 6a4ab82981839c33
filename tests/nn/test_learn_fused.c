/* nn: inverted residuals as one learning step against the same nodes one by one, and bits that
 * depend on no cut. */
#include "learn_plain.h"
#include "support.h"

#include "nn/learn/step.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct block_case {
    hst_shape in;
    int expand; /* channels; 0: none */
    int kernel, stride, out;
    enum hst_padding padding;
    int residual, bias, stem; /* stem: a 3x3 convolution on the image is the expansion */
} block_case;

static int norm(hst_graph *g, int x, const char *name, int relu6)
{
    hst_err e = {0};
    char of[32];
    snprintf(of, sizeof of, "%s_BN", name);
    x = hst_graph_batchnorm(g, x, 1e-3, of, &e);
    return relu6 ? hst_graph_activation(g, x, HST_ACT_RELU6, &e) : x;
}

/* A learning layer in front, so that the block's input has a gradient; the block; an average. */
static hst_graph *graph_of(const block_case *c)
{
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    hst_conv first = {1, 1, c->in.c, c->padding, 0},
             expand = {c->stem ? 3 : 1, c->stem ? 2 : 1, c->expand, c->padding, c->bias},
             deep = {c->kernel, c->stride, 0, c->padding, c->bias},
             project = {1, 1, c->out, c->padding, c->bias};
    int x = hst_graph_input(g, (hst_shape){c->in.h, c->in.w, 3}, &e);
    if (!c->stem)
        x = norm(g, hst_graph_conv2d(g, x, &first, "first", &e), "first", 0);
    int in = x;
    if (c->expand > 0)
        x = norm(g, hst_graph_conv2d(g, x, &expand, "expand", &e), "expand", 1);
    x = norm(g, hst_graph_depthwise(g, x, &deep, "deep", &e), "deep", 1);
    x = norm(g, hst_graph_conv2d(g, x, &project, "project", &e), "project", 0);
    if (c->residual)
        x = hst_graph_add(g, x, in, &e);
    x = hst_graph_global_average(g, x, &e);
    assert_true(x > 0);
    check_ok(hst_graph_finish(g, &e), &e);
    random_params(g, 3);
    return g;
}

enum { IMAGES = 6 }; /* a whole group and a part of one */

typedef struct outcome {
    float *features, *grad;
    size_t count;
    int fused; /* such steps there were */
} outcome;

static outcome outcome_of(hst_graph *g, const hst_kernels *k, hst_learn_options o)
{
    hst_err e = {0};
    hst_learn *l = hst_learn_new(g, k, &o, &e);
    check_ok(!l, &e);
    size_t in = plain_floats(hst_graph_shape(g, 0));
    size_t out = plain_floats(hst_graph_shape(g, hst_graph_n_nodes(g) - 1));
    float *x = random_floats(IMAGES * in, 11), *dy = random_floats(IMAGES * out, 12);
    outcome r = {.features = malloc(IMAGES * out * sizeof(float)), .count = hst_learn_count(l)};
    r.grad = malloc(r.count * sizeof(float));
    check_ok(hst_learn_forward(l, x, IMAGES, r.features, &e), &e);
    check_ok(hst_learn_backward(l, dy, r.grad, &e), &e);
    for (int i = 0; i < l->plan.n_steps; i++)
        r.fused += l->plan.step[i].runner == &hst_learn_inverted_residual_runner;
    hst_learn_free(l);
    free(x);
    free(dy);
    return r;
}

static void outcome_free(outcome *r)
{
    free(r->features);
    free(r->grad);
}

/* The largest difference of a parameter's gradient over its largest element. */
static double distance(const hst_graph *g, const float *got, const float *want)
{
    const float *block = NULL;
    double worst = 0;
    for (size_t i = 0; i < hst_graph_n_params(g); i++) {
        const hst_param *p = hst_graph_param(g, i);
        if (p->statistic)
            continue;
        block = block ? block : p->data;
        double most = 0, apart = 0;
        for (size_t k = 0; k < hst_param_count(p); k++) {
            size_t at = (size_t)(p->data - block) + k;
            most = fmax(most, fabs(want[at]));
            apart = fmax(apart, fabs((double)got[at] - want[at]));
        }
        assert_true(most > 0);
        worst = fmax(worst, apart / most);
    }
    return worst;
}

static void check_case(const block_case *c, const hst_kernels *k)
{
    static const size_t caches[] = {1, 20000, 60000, 200000, 2000000};
    hst_graph *g = graph_of(c);
    hst_learn_options o = hst_learn_defaults();
    size_t out = IMAGES * (size_t)c->out;
    o.max_batch = IMAGES;
    o.fuse = 0;
    outcome alone = outcome_of(g, k, o), first = {0};
    assert_int_equal(alone.fused, 0);
    o.fuse = 1;
    for (size_t i = 0; i < sizeof caches / sizeof *caches; i++) {
        o.cache_bytes = caches[i];
        hst_err e = {0};
        o.executor = hst_executor_new(1 + (int)i % 3, &e);
        check_ok(!o.executor, &e);
        outcome r = outcome_of(g, k, o);
        hst_executor_free(o.executor);
        assert_int_equal(r.fused, 1);
        if (i == 0) {
            first = r;
            continue;
        }
        assert_memory_equal(r.features, first.features, out * sizeof(float));
        assert_memory_equal(r.grad, first.grad, r.count * sizeof(float));
        outcome_free(&r);
    }
    check_close(first.features, alone.features, out, 1e-5, 1e-5, "features");
    double apart = distance(g, first.grad, alone.grad);
    if (!(apart < 2e-5))
        fail_msg("%s, %dx%d/%d over %d x %d, %d -> %d -> %d: gradients are %.1e apart",
                 hst_kernels_isa(k), c->kernel, c->kernel, c->stride, c->in.h, c->in.w, c->in.c,
                 c->expand, c->out, apart);
    outcome_free(&alone);
    outcome_free(&first);
    hst_graph_free(g);
}

static void all_cases(const hst_kernels *k)
{
    static const block_case cases[] = {
        {{14, 14, 24}, 144, 3, 1, 24, HST_PAD_TF, 1, 0, 0},
        {{14, 14, 24}, 144, 3, 2, 32, HST_PAD_TF, 0, 0, 0},
        {{7, 7, 16}, 96, 3, 1, 16, HST_PAD_SYMMETRIC, 1, 1, 0},
        {{13, 9, 16}, 96, 3, 2, 24, HST_PAD_SYMMETRIC, 0, 1, 0},
        {{14, 14, 24}, 144, 5, 1, 24, HST_PAD_TF, 1, 0, 0},
        {{14, 11, 8}, 48, 5, 2, 40, HST_PAD_TF, 0, 0, 0},
        {{15, 12, 5}, 37, 5, 2, 11, HST_PAD_SYMMETRIC, 0, 0, 0},
        {{10, 10, 19}, 41, 3, 1, 19, HST_PAD_TF, 1, 0, 0},
        {{14, 14, 64}, 130, 3, 1, 64, HST_PAD_TF, 1, 0, 0}, /* expanded rows are kept */
        {{14, 9, 50}, 70, 5, 2, 20, HST_PAD_SYMMETRIC, 0, 1, 0},
        {{12, 12, 32}, 0, 3, 1, 16, HST_PAD_TF, 0, 0, 0},
        {{12, 10, 21}, 0, 3, 1, 21, HST_PAD_TF, 1, 0, 0},
        {{12, 10, 21}, 0, 5, 2, 9, HST_PAD_SYMMETRIC, 0, 1, 0},
        {{24, 20, 3}, 32, 3, 1, 16, HST_PAD_TF, 0, 0, 1},
        {{23, 25, 3}, 11, 5, 2, 9, HST_PAD_SYMMETRIC, 0, 0, 1},
        {{70, 6, 4}, 10, 3, 1, 4, HST_PAD_TF, 1, 0, 0},
        {{1, 1, 4}, 10, 3, 1, 4, HST_PAD_TF, 1, 0, 0},
        {{2, 3, 4}, 10, 5, 2, 4, HST_PAD_TF, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_case(&cases[i], k);
}

static void blocks_equal_their_nodes(void **state)
{
    (void)state;
    each_isa(all_cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(blocks_equal_their_nodes)};
    return cmocka_run_group_tests_name("learn_fused", tests, NULL, NULL);
}
