/* nn: the ops of transformers, in plans and in learning plans, against their definitions in double;
 * whole blocks of them. */
#include "learn_plain.h"
#include "support.h"

#include "nn/op.h"
#include "nn/plan/step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A small transformer. */
typedef struct model {
    int px, patch, channels, heads, hidden;
    hst_tokens tokens;
    hst_token_pool pool;
    enum hst_act act;
    int probes; /* 1: attention pools the tokens, in place of `pool` */
    int turns;  /* 1: rotary positions: */
    hst_rotary rotary;
    int gated; /* 1: the layer between two products is */
} model;

static int linear(hst_graph *g, int x, int channels, const char *name)
{
    hst_err e = {0};
    const hst_conv c = {.kernel = 1, .stride = 1, .channels = channels, .bias = 1};
    return hst_graph_conv2d(g, x, &c, name, &e);
}

/* x + scale attention(norm(x)), then x + scale mlp(norm(x)). */
static int block(hst_graph *g, int x, const model *m)
{
    hst_err e = {0};
    int kept = x;
    x = hst_graph_layernorm(g, x, 1e-6, "norm1", &e);
    x = linear(g, x, 3 * m->channels, "qkv");
    if (m->turns)
        x = hst_graph_rotary(g, x, &m->rotary, &e);
    x = hst_graph_attention(g, x, &(hst_attention){.heads = m->heads}, &e);
    x = linear(g, x, m->channels, "proj");
    x = hst_graph_layer_scale(g, x, "scale1", &e);
    kept = x = hst_graph_add(g, x, kept, &e);
    x = hst_graph_layernorm(g, x, 1e-6, "norm2", &e);
    x = linear(g, x, m->gated ? 2 * m->hidden : m->hidden, "fc1");
    x = m->gated ? hst_graph_gate(g, x, m->act, &e) : hst_graph_activation(g, x, m->act, &e);
    x = linear(g, x, m->channels, "fc2");
    x = hst_graph_layer_scale(g, x, "scale2", &e);
    return hst_graph_add(g, kept, x, &e);
}

/* A learned token's attention to all. */
static int probe(hst_graph *g, int x, const model *m)
{
    hst_err e = {0};
    int q = hst_graph_probe(g, x, "pool", &e);
    q = linear(g, q, m->channels, "q");
    const int kv = linear(g, x, 2 * m->channels, "kv");
    x = hst_graph_cross_attention(g, q, kv, &(hst_attention){.heads = m->heads}, &e);
    return linear(g, x, m->channels, "out");
}

static hst_graph *whole(const model *m)
{
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    const hst_conv patches = {m->patch, m->patch, m->channels, HST_PAD_TF, 1};
    int x = hst_graph_input(g, (hst_shape){m->px, m->px, 3}, &e);
    x = hst_graph_conv2d(g, x, &patches, "patch", &e);
    x = hst_graph_tokens(g, x, &m->tokens, "embed", &e);
    x = block(g, x, m);
    x = hst_graph_layernorm(g, x, 1e-5, "norm", &e);
    x = hst_graph_layer_scale(g, x, "alone", &e);
    x = m->probes ? probe(g, x, m) : hst_graph_token_pool(g, x, &m->pool, &e);
    check_ok(x < 0, &e);
    check_ok(hst_graph_finish(g, &e), &e);
    random_params(g, 11);
    return g;
}

static const model models[] = {
    {4, 2, 6, 2, 9, {1, 1}, {HST_POOL_CLS, 1}, HST_ACT_GELU},
    {8, 2, 32, 2, 130, {5, 1}, {HST_POOL_CLS_MEAN, 5}, HST_ACT_GELU_QUICK},
    {128, 32, 20, 5, 16, {0, 1}, {HST_POOL_MEAN, 0}, HST_ACT_GELU_TANH},
    {28, 14, 16, 1, 33, {0, 0}, {HST_POOL_MEAN, 0}, HST_ACT_GELU},
    {12, 3, 12, 3, 20, {0, 1}, {HST_POOL_CLS, 0}, HST_ACT_GELU_TANH, 1},
    {64, 4, 24, 3, 50, {3, 0}, {HST_POOL_CLS_MEAN, 1}, HST_ACT_GELU}, /* several query blocks */
    {8,
     2,
     16,
     2,
     9,
     {5, 0},
     {HST_POOL_CLS, 5},
     HST_ACT_SWISH,
     0,
     1,
     {2, 5, 2, 8, HST_ROTARY_HALVES, 0, 100},
     1},
    {12,
     4,
     24,
     3,
     10,
     {2, 0},
     {HST_POOL_MEAN, 2},
     HST_ACT_SWISH,
     0,
     1,
     {3, 2, 3, 3, HST_ROTARY_ROUNDED, 0, 100},
     1},
    {12,
     2,
     24,
     2,
     20,
     {1, 1},
     {HST_POOL_CLS, 0},
     HST_ACT_GELU,
     1,
     1,
     {2, 1, 4, 9, HST_ROTARY_PAIRS, 24, 10000}},
    {64,
     4,
     32,
     1,
     50,
     {1, 0},
     {HST_POOL_CLS_MEAN, 1},
     HST_ACT_GELU,
     0,
     1,
     {1, 1, 16, 16, HST_ROTARY_HALVES, 0, 100},
     1},
};
enum { N_MODELS = sizeof models / sizeof *models };

/* The plan's output for one image, by one thread and by three, fused and not: the same bits where
 * the plans say so. To be freed. */
static float *run(const hst_graph *g, const hst_kernels *k, const float *x)
{
    hst_err e = {0};
    hst_plan_options o = hst_plan_defaults();
    hst_plan *p = hst_plan_make(g, k, &o, &e);
    check_ok(!p, &e);
    const size_t n = hst_plan_output_floats(p);
    hst_executor *ex = hst_executor_new(3, &e);
    hst_work *w = hst_work_new(p, &e);
    hst_work *many = hst_work_new_together(p, hst_executor_threads(ex), &e);
    float *y = malloc(n * sizeof *y), *same = malloc(n * sizeof *same);
    hst_plan_run(p, w, x, 1, y);
    hst_plan_run_together(p, many, ex, x, same);
    assert_memory_equal(same, y, n * sizeof *y);
    free(same);
    hst_work_free(w);
    hst_work_free(many);
    hst_executor_free(ex);
    hst_plan_free(p);
    return y;
}

static void models_on(const hst_kernels *k)
{
    for (int i = 0; i < N_MODELS; i++) {
        hst_graph *g = whole(&models[i]);
        const size_t out = plain_floats(hst_graph_shape(g, hst_graph_n_nodes(g) - 1));
        float *x = random_floats(plain_floats(hst_graph_shape(g, 0)), 1), *y = run(g, k, x);
        plain p = plain_of(g);
        double *want = plain_features(&p, x, 1);
        check_close_f64(y, want, out, 1e-5, 1e-5, hst_kernels_isa(k));
        free(want);
        plain_free(&p);
        free(x);
        free(y);
        hst_graph_free(g);
    }
}

static void transformers_equal_their_definitions(void **state)
{
    (void)state;
    each_isa(models_on);
}

enum { IMAGES = 2, MOST_LOOKED_AT = 150 };

/* Every so many derivatives by central differences of the definition; all parameters learn. */
static void check_gradient(hst_graph *g, const float *grad, const float *x, const float *weight)
{
    plain p = plain_of(g);
    const size_t every = p.n_learning / MOST_LOOKED_AT + 1;
    double worst = 0, most = 0, h = 1e-6;
    for (size_t i = 0; i < p.n_learning; i += every) {
        const double was = p.learning[i];
        p.learning[i] = was + h;
        const double up = plain_loss(&p, x, IMAGES, weight);
        p.learning[i] = was - h;
        const double want = (up - plain_loss(&p, x, IMAGES, weight)) / (2 * h);
        p.learning[i] = was;
        worst = fmax(worst, fabs((double)grad[i] - want));
        most = fmax(most, fabs(want));
    }
    assert_true(most > 0 && worst / most < 1e-5);
    plain_free(&p);
}

static void check_learning(const model *m, int fuse)
{
    hst_err e = {0};
    hst_graph *g = whole(m);
    hst_learn_options o = hst_learn_defaults();
    o.max_batch = IMAGES;
    o.fuse = fuse;
    o.batchnorm = fuse ? HST_BN_BATCH : HST_BN_FROZEN; /* there are none */
    o.executor = hst_executor_new(2, &e);
    check_ok(!o.executor, &e);
    hst_learn *l = hst_learn_new(g, hst_kernels_best(), &o, &e);
    check_ok(!l, &e);
    const size_t in = plain_floats(hst_graph_shape(g, 0));
    const size_t out = plain_floats(hst_graph_shape(g, hst_graph_n_nodes(g) - 1));
    float *x = random_floats(in * IMAGES, 1), *weight = random_floats(out * IMAGES, 2);
    float *features = malloc(out * IMAGES * sizeof *features);
    float *grad = malloc(hst_learn_count(l) * sizeof *grad);
    check_ok(hst_learn_forward(l, x, IMAGES, features, &e), &e);
    plain p = plain_of(g);
    double *want = plain_features(&p, x, IMAGES);
    check_close_f64(features, want, out * IMAGES, 1e-5, 1e-5, "features in learning");
    check_ok(hst_learn_backward(l, weight, grad, &e), &e);
    check_gradient(g, grad, x, weight);
    free(want);
    plain_free(&p);
    hst_learn_free(l);
    hst_executor_free(o.executor);
    hst_graph_free(g);
    free(x);
    free(weight);
    free(features);
    free(grad);
}

static void gradients_equal_central_differences(void **state)
{
    (void)state;
    for (int i = 0; i < N_MODELS; i++)
        if (models[i].px < 64)
            for (int fuse = 0; fuse < 2; fuse++)
                check_learning(&models[i], fuse);
}

/* With all tokens of the last norm asked for, the features are the same: where they are one token,
 * other tokens of the last block are not made. */
static void tokens_that_nobody_reads_change_nothing(void **state)
{
    (void)state;
    hst_err e = {0};
    for (int precision = HST_PRECISION_FP32; precision < HST_PRECISIONS; precision++) {
        hst_graph *g = whole(&models[0]);
        const int last = hst_graph_n_nodes(g) - 1, wanted[] = {last, last - 1};
        const size_t n = plain_floats(hst_graph_shape(g, last));
        hst_plan_options o = hst_plan_defaults();
        o.precision = (enum hst_precision)precision;
        hst_plan *few = hst_plan_make(g, hst_kernels_best(), &o, &e);
        o.output = wanted;
        o.n_outputs = 2;
        hst_plan *all = hst_plan_make(g, hst_kernels_best(), &o, &e);
        check_ok(!few || !all, &e);
        assert_int_equal(hst_plan_wide(few, last - 1), 1);
        assert_int_equal(hst_plan_wide(all, last - 1), 5);
        float *x = random_floats(plain_floats(hst_graph_shape(g, 0)), 1);
        float *y = malloc(n * sizeof *y), *z = malloc(hst_plan_output_floats(all) * sizeof *z);
        hst_work *w = hst_work_new(few, &e), *w2 = hst_work_new(all, &e);
        hst_plan_run(few, w, x, 1, y);
        hst_plan_run(all, w2, x, 1, z);
        assert_memory_equal(y, z, n * sizeof *y);
        assert_memory_equal(y, z + n, n * sizeof *y); /* the first token */
        free(x);
        free(y);
        free(z);
        hst_work_free(w);
        hst_work_free(w2);
        hst_plan_free(few);
        hst_plan_free(all);
        hst_graph_free(g);
    }
}

/* Behind a convolution a layer scale costs no step. */
/* told[node] */
static void count_told(void *arg, int node, const float *x, size_t n)
{
    (void)x;
    ((size_t *)arg)[node] = n;
}

static void only_tokens_that_are_made_are_told(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_graph *g = whole(&models[0]);
    const int last = hst_graph_n_nodes(g) - 1;
    hst_plan_options o = hst_plan_defaults();
    o.fuse = 0;
    hst_plan *p = hst_plan_make(g, hst_kernels_best(), &o, &e);
    hst_work *w = p ? hst_work_new(p, &e) : NULL;
    check_ok(!w, &e);
    size_t *told = calloc((size_t)last + 1, sizeof *told);
    float *x = random_floats(plain_floats(hst_graph_shape(g, 0)), 1);
    float *y = malloc(plain_floats(hst_graph_shape(g, last)) * sizeof *y);
    hst_plan_run_watched(p, w, x, y, count_told, told);
    assert_int_equal(told[0], plain_floats(hst_graph_shape(g, 0)));
    assert_int_equal(told[last - 1], hst_graph_shape(g, last - 1).c); /* of the first token */
    free(x);
    free(y);
    free(told);
    hst_work_free(w);
    hst_plan_free(p);
    hst_graph_free(g);
}

static void layer_scale_folds_into_the_product(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    int x = hst_graph_input(g, (hst_shape){1, 7, 8}, &e), y = linear(g, x, 8, "fc");
    y = hst_graph_layer_scale(g, y, "scale", &e);
    y = hst_graph_add(g, x, y, &e);
    check_ok(hst_graph_finish(g, &e), &e);
    hst_plan *p = hst_plan_new(g, hst_kernels_best(), &e);
    check_ok(!p, &e);
    assert_int_equal(hst_plan_n_steps(p), 1);
    hst_plan_free(p);
    hst_graph_free(g);
}

static void products_of_attention_are_counted(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    int x = hst_graph_input(g, (hst_shape){1, 10, 24}, &e);
    x = hst_graph_attention(g, x, &(hst_attention){.heads = 4}, &e);
    assert_true(hst_graph_flops(g) == 2 * 2 * 10 * 10 * 8);
    assert_true(hst_graph_layernorm(g, x, 1e-6, "norm", &e) > 0);
    assert_true(hst_graph_flops(g) == 2 * 2 * 10 * 10 * 8);
    hst_graph_free(g);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    int picture = hst_graph_input(g, (hst_shape){2, 3, 12}, &e);
    assert_int_equal(hst_graph_attention(g, picture, &(hst_attention){.heads = 2}, &e), HST_EMODEL);
    assert_int_equal(hst_graph_token_pool(g, picture, &(hst_token_pool){HST_POOL_CLS, 0}, &e),
                     HST_EMODEL);
    assert_int_equal(hst_graph_tokens(g, picture, &(hst_tokens){-1, 1}, "t", &e), HST_EMODEL);
    assert_int_equal(hst_graph_layernorm(g, picture, 0, "n", &e), HST_EMODEL);
    int x = hst_graph_tokens(g, picture, &(hst_tokens){2, 1}, "t", &e);
    assert_int_equal(hst_graph_shape(g, x).w, 8);
    assert_int_equal(hst_graph_attention(g, x, &(hst_attention){.heads = 3}, &e), HST_EMODEL);
    assert_int_equal(hst_graph_attention(g, x, &(hst_attention){.heads = 0}, &e), HST_EMODEL);
    assert_true(hst_graph_attention(g, x, &(hst_attention){.heads = 4}, &e) > 0);
    assert_int_equal(hst_graph_cross_attention(g, x, x, &(hst_attention){.heads = 2}, &e),
                     HST_EMODEL);
    assert_int_equal(hst_graph_token_pool(g, x, &(hst_token_pool){HST_POOL_MEAN, 8}, &e),
                     HST_EMODEL);
    assert_int_equal(hst_graph_token_pool(g, x, &(hst_token_pool){(enum hst_pool)3, 1}, &e),
                     HST_EMODEL);
    const hst_rotary fits = {4, 2, 2, 3, HST_ROTARY_HALVES, 0, 100};
    hst_rotary r = fits;
    int qkv = linear(g, x, 48, "qkv");
    assert_true(hst_graph_rotary(g, qkv, &r, &e) > 0);
    r.columns = 4;
    assert_int_equal(hst_graph_rotary(g, qkv, &r, &e), HST_EMODEL);
    r = fits;
    r.heads = 8; /* of two channels */
    assert_int_equal(hst_graph_rotary(g, qkv, &r, &e), HST_EMODEL);
    r = fits;
    r.way = HST_ROTARY_PAIRS; /* learned on no grid */
    assert_int_equal(hst_graph_rotary(g, qkv, &r, &e), HST_EMODEL);
    r = fits;
    r.base = NAN;
    assert_int_equal(hst_graph_rotary(g, qkv, &r, &e), HST_EMODEL);
    assert_int_equal(hst_graph_gate(g, linear(g, x, 7, "odd"), HST_ACT_SWISH, &e), HST_EMODEL);
    assert_int_equal(hst_graph_gate(g, x, (enum hst_act)99, &e), HST_EMODEL);
    const hst_conv large = {.kernel = 65, .stride = 65, .channels = 4},
                   deep = {.kernel = 16, .stride = 1};
    assert_int_equal(hst_graph_conv2d(g, picture, &large, "c", &e), HST_EMODEL);
    assert_int_equal(hst_graph_depthwise(g, picture, &deep, "d", &e), HST_EMODEL);
    hst_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transformers_equal_their_definitions),
        cmocka_unit_test(gradients_equal_central_differences),
        cmocka_unit_test(tokens_that_nobody_reads_change_nothing),
        cmocka_unit_test(only_tokens_that_are_made_are_told),
        cmocka_unit_test(layer_scale_folds_into_the_product),
        cmocka_unit_test(products_of_attention_are_counted),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
