/* nn: a batch shared out to 2 to 5 processes against the same batch in one, bit by bit. */
#include "forked_ranks.h"
#include "learn_plain.h"
#include "support.h"

#include "nn/learn/step.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 32, MOST_RANKS = 5, STEPS = 2 };

/* ---- who has what ---- */

static void all_images_are_dealt_out(void **state)
{
    (void)state;
    for (int size = 1; size <= 8; size++)
        for (int n = 1; n <= 70; n++) {
            int next = 0, most = 0, least = n;
            for (int rank = 0; rank < size; rank++) {
                const hst_ranks r = {.rank = rank, .size = size};
                const hst_learn_share own = hst_learn_own(&r, n);
                assert_int_equal(own.first, next);
                assert_true(own.n >= 0 && (own.n == 0 || own.first % HST_LEARN_GROUP == 0));
                next += own.n;
                most = own.n > most ? own.n : most;
                least = own.n < least ? own.n : least;
            }
            assert_int_equal(next, n);
            assert_true(most - least < 2 * HST_LEARN_GROUP);
        }
}

static size_t subtrees(int size, size_t images)
{
    size_t n = 0;
    const hst_deal d = hst_deal_of(&(hst_ranks){.size = size}, images);
    for (size_t g = 0; g < d.groups; g++)
        n += (size_t)hst_deal_hands_over(&d, g);
    return n;
}

static void few_subtrees_are_sent(void **state)
{
    (void)state;
    for (size_t images = 1; images <= 300; images++)
        assert_int_equal(subtrees(1, images), 1);
    assert_int_equal(subtrees(2, 32), 2);
    assert_int_equal(subtrees(4, 32), 4);
    assert_int_equal(subtrees(4, 256), 4);
    assert_int_equal(subtrees(3, 32), 5); /* 0-1, 2; 3, 4-5; 6-7 */
}

/* ---- a network with all kinds of steps ---- */

static int conv(hst_graph *g, int x, int kernel, int stride, int out, const char *name, int bias)
{
    hst_err e = {0};
    const hst_conv c = {kernel, stride, out, HST_PAD_TF, bias};
    return hst_graph_conv2d(g, x, &c, name, &e);
}

static int norm(hst_graph *g, int x, const char *name, enum hst_act act)
{
    hst_err e = {0};
    x = hst_graph_batchnorm(g, x, 1e-3, name, &e);
    return act == HST_ACT_NONE ? x : hst_graph_activation(g, x, act, &e);
}

static int inverted_residual(hst_graph *g, int in)
{
    hst_err e = {0};
    const hst_conv deep = {3, 1, 0, HST_PAD_TF, 0};
    int x = norm(g, conv(g, in, 1, 1, 48, "expand", 0), "expand_BN", HST_ACT_RELU6);
    x = norm(g, hst_graph_depthwise(g, x, &deep, "deep", &e), "deep_BN", HST_ACT_RELU6);
    x = norm(g, conv(g, x, 1, 1, 16, "project", 0), "project_BN", HST_ACT_NONE);
    return hst_graph_add(g, x, in, &e);
}

static int squeezed(hst_graph *g, int in)
{
    hst_err e = {0};
    int x = hst_graph_global_average(g, in, &e);
    x = hst_graph_activation(g, conv(g, x, 1, 1, 6, "reduce", 1), HST_ACT_RELU, &e);
    x = hst_graph_activation(g, conv(g, x, 1, 1, 16, "raise", 1), HST_ACT_SIGMOID, &e);
    return hst_graph_scale(g, in, x, &e);
}

/* Its last layers have more parameters than a bucket of the exchange. */
static hst_graph *network(void)
{
    hst_err e = {0};
    hst_graph *g = hst_graph_new(&e);
    const hst_conv standard = {3, 2, 16, HST_PAD_TF, 1, .epsilon = 1e-5};
    int x = hst_graph_input(g, (hst_shape){6, 5, 3}, &e);
    x = norm(g, conv(g, x, 3, 2, 16, "first", 0), "first_BN", HST_ACT_RELU);
    x = inverted_residual(g, x);
    x = squeezed(g, x);
    x = hst_graph_standardised(g, x, &standard, "standard", &e);
    x = norm(g, conv(g, x, 1, 1, 500, "wide", 0), "wide_BN", HST_ACT_RELU);
    x = norm(g, conv(g, x, 1, 1, 530, "wider", 1), "wider_BN", HST_ACT_RELU6);
    x = norm(g, conv(g, x, 1, 1, 700, "last", 0), "last_BN", HST_ACT_RELU6);
    x = hst_graph_global_average(g, x, &e);
    assert_true(x > 0);
    check_ok(hst_graph_finish(g, &e), &e);
    random_params(g, 5);
    return g;
}

/* ---- what comes out ---- */

typedef struct outcome {
    float *features[STEPS], *grad[STEPS];
    double *statistics;
} outcome;

typedef struct job {
    hst_learn_options options;
    int images[STEPS]; /* of the batches, one after the other */
    int threads;
    outcome want;
    size_t in, out, count; /* floats of an image, of its features; parameters that learn */
} job;

static double *statistics_of(const hst_graph *g)
{
    const plain p = plain_of(g);
    double *s = malloc(p.n_statistics * sizeof *s);
    memcpy(s, p.statistics, p.n_statistics * sizeof *s);
    plain_free((plain *)&p);
    return s;
}

static size_t n_statistics(const hst_graph *g)
{
    plain p = plain_of(g);
    plain_free(&p);
    return p.n_statistics;
}

/* Two steps: after the first the parameters move against the gradient. */
static int run(hst_graph *g, job *j, outcome *out)
{
    hst_err e = {0};
    hst_learn_options o = j->options;
    o.executor = hst_executor_new(j->threads, &e);
    hst_learn *l = hst_learn_new(g, hst_kernels_best(), &o, &e);
    int rc = !l;
    j->count = l ? hst_learn_count(l) : 0;
    for (int s = 0; s < STEPS && rc == 0; s++) {
        const int n = j->images[s];
        const hst_learn_share own = hst_learn_own(o.ranks, n);
        float *x = random_floats((size_t)n * j->in, 11 + (uint64_t)s);
        float *dy = random_floats((size_t)n * j->out, 21 + (uint64_t)s);
        out->features[s] = calloc((size_t)n * j->out, sizeof(float));
        out->grad[s] = malloc(hst_learn_count(l) * sizeof(float));
        rc = hst_learn_forward(l, x + (size_t)own.first * j->in, n,
                               out->features[s] + (size_t)own.first * j->out, &e);
        if (rc == 0)
            rc = hst_learn_backward(l, dy + (size_t)own.first * j->out, out->grad[s], &e);
        float *w = hst_learn_params(l);
        for (size_t k = 0; k < hst_learn_count(l); k++)
            w[k] -= 1e-4f * out->grad[s][k];
        hst_learn_changed(l);
        free(x);
        free(dy);
    }
    out->statistics = statistics_of(g);
    if (rc)
        print_message("%s\n", e.msg);
    hst_learn_free(l);
    hst_executor_free(o.executor);
    return rc;
}

static void clear(outcome *o)
{
    for (int s = 0; s < STEPS; s++) {
        free(o->features[s]);
        free(o->grad[s]);
    }
    free(o->statistics);
}

static int as_one_process(hst_ranks *r, void *arg)
{
    job j = *(job *)arg;
    hst_graph *g = network();
    outcome got = {0};
    j.options.ranks = r;
    j.threads = 1 + r->rank % 2;
    int wrong = run(g, &j, &got);
    for (int s = 0; s < STEPS && !wrong; s++) {
        const hst_learn_share own = hst_learn_own(r, j.images[s]);
        const size_t first = (size_t)own.first * j.out, n = (size_t)own.n * j.out;
        if (memcmp(got.features[s] + first, j.want.features[s] + first, n * sizeof(float)) != 0)
            wrong = 2;
        if (memcmp(got.grad[s], j.want.grad[s], j.count * sizeof(float)) != 0)
            wrong = 4;
    }
    if (!wrong)
        wrong = memcmp(got.statistics, j.want.statistics, n_statistics(g) * sizeof(double)) != 0;
    if (wrong)
        print_message("rank %d of %d, %d and %d images: %d\n", r->rank, r->size, j.images[0],
                      j.images[1], wrong);
    clear(&got);
    hst_graph_free(g);
    return wrong;
}

static void check(const hst_learn_options *o, int first, int second)
{
    hst_graph *g = network();
    job j = {.options = *o, .images = {first, second}, .threads = 2};
    j.options.max_batch = MOST;
    j.in = plain_floats(hst_graph_shape(g, 0));
    j.out = plain_floats(hst_graph_shape(g, hst_graph_n_nodes(g) - 1));
    assert_int_equal(run(g, &j, &j.want), 0);
    for (int size = 2; size <= MOST_RANKS; size++)
        assert_int_equal(forked_ranks(size, as_one_process, &j), 0);
    clear(&j.want);
    hst_graph_free(g);
}

static void frozen(void **state)
{
    hst_learn_options o = hst_learn_defaults();
    (void)state;
    check(&o, 32, 5); /* a short one in the end: ranks without images */
    check(&o, 18, 31);
    o.fuse = 0;
    check(&o, 12, 1);
}

static void by_the_batchs_statistics(void **state)
{
    hst_learn_options o = hst_learn_defaults();
    (void)state;
    o.batchnorm = HST_BN_BATCH;
    check(&o, 32, 7);
    o.fuse = 0;
    check(&o, 21, 1);
}

static void in_bf16(void **state)
{
    hst_learn_options o = hst_learn_defaults();
    (void)state;
    o.precision = HST_PRECISION_BF16;
    check(&o, 30, 9);
}

/* The last layers alone. */
static void from_the_middle(void **state)
{
    hst_learn_options o = hst_learn_defaults();
    hst_graph *g = network();
    (void)state;
    for (int i = 0; i < hst_graph_n_nodes(g); i++)
        if (strcmp(hst_graph_node_name(g, i), "wider") == 0)
            o.first_node = i;
    hst_graph_free(g);
    assert_true(o.first_node > 0);
    check(&o, 32, 3);
}

/* ---- how much is sent, and what happens when somebody is gone ---- */

static int count_bytes(hst_ranks *r, void *arg)
{
    job j = *(job *)arg;
    hst_graph *g = network();
    outcome got = {0};
    j.options.ranks = r;
    int wrong = run(g, &j, &got);
    const size_t gradient = j.count * sizeof(float) * STEPS, ranks = (size_t)r->size;
    const size_t want = 2 * gradient * (ranks - 1) / ranks;
    /* a float more or less where slices are not of one size; sums of norms */
    const size_t room = 64 * ranks + 16 * n_statistics(g) * sizeof(double);
    if (r->sent > want + room || r->sent + room < want)
        wrong = 1;
    if (wrong)
        print_message("rank %d of %d: %zu bytes, not %zu\n", r->rank, r->size, (size_t)r->sent,
                      want);
    clear(&got);
    hst_graph_free(g);
    return wrong;
}

static void little_is_sent(void **state)
{
    (void)state;
    hst_graph *g = network();
    job j = {.options = hst_learn_defaults(), .images = {32, 32}, .threads = 1};
    j.in = plain_floats(hst_graph_shape(g, 0));
    j.out = plain_floats(hst_graph_shape(g, hst_graph_n_nodes(g) - 1));
    hst_graph_free(g);
    assert_int_equal(forked_ranks(2, count_bytes, &j), 0);
    assert_int_equal(forked_ranks(4, count_bytes, &j), 0);
}

/* One rank takes no second step. */
static int left_alone(hst_ranks *r, void *arg)
{
    job j = *(job *)arg;
    hst_err e = {0};
    hst_graph *g = network();
    j.options.ranks = r;
    hst_learn *l = hst_learn_new(g, hst_kernels_best(), &j.options, &e);
    float *x = random_floats(16 * j.in, 1), *y = random_floats(16 * j.out, 2);
    float *grad = malloc(hst_learn_count(l) * sizeof *grad);
    int rc = 0;
    for (int s = 0; s < 2 && rc == 0 && !(s == 1 && r->rank == 1); s++) {
        rc = hst_learn_forward(l, x, 32, y, &e);
        if (rc == 0)
            rc = hst_learn_backward(l, y, grad, &e);
    }
    hst_learn_free(l);
    hst_graph_free(g);
    free(x);
    free(y);
    free(grad);
    return r->rank == 1 ? rc != 0 : rc != HST_EPROC || !strstr(e.msg, "gone");
}

static void a_rank_that_is_gone_is_an_error(void **state)
{
    (void)state;
    hst_graph *g = network();
    job j = {.options = hst_learn_defaults()};
    j.in = plain_floats(hst_graph_shape(g, 0));
    j.out = plain_floats(hst_graph_shape(g, hst_graph_n_nodes(g) - 1));
    hst_graph_free(g);
    assert_int_equal(forked_ranks(3, left_alone, &j), 0);
    j.options.batchnorm = HST_BN_BATCH;
    assert_int_equal(forked_ranks(3, left_alone, &j), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_images_are_dealt_out),
                                       cmocka_unit_test(few_subtrees_are_sent),
                                       cmocka_unit_test(frozen),
                                       cmocka_unit_test(by_the_batchs_statistics),
                                       cmocka_unit_test(in_bf16),
                                       cmocka_unit_test(from_the_middle),
                                       cmocka_unit_test(little_is_sent),
                                       cmocka_unit_test(a_rank_that_is_gone_is_an_error)};
    return cmocka_run_group_tests_name("learn_ranks", tests, NULL, NULL);
}
