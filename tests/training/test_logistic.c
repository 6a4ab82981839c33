/* training: the logistic regression's gradient, optimum, penalty and behaviour on odd data. */
#include "support.h"

#include "base/context.h"
#include "base/mem.h"
#include "base/random.h"
#include "evaluation/metrics.h"
#include "training/cross_validation.h"
#include "training/softmax_fit.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_THREADS = 3 };
static hst_executor *executors[MOST_THREADS + 1]; /* of 0 (none) threads, of 1 ... */

static int make_executors(void **state)
{
    hst_err e = {0};
    (void)state;
    for (int i = 1; i <= MOST_THREADS; i++)
        if (!(executors[i] = hst_executor_new(i, &e)))
            return -1;
    return 0;
}

static int free_executors(void **state)
{
    (void)state;
    for (int i = 1; i <= MOST_THREADS; i++)
        hst_executor_free(executors[i]);
    return 0;
}

static hst_ctx context(int threads)
{
    return (hst_ctx){.executor = executors[threads], .kernels = hst_kernels_best()};
}

/* Features with their row pointers and labels. */
typedef struct photos {
    float *x;
    const float **row;
    int *label;
    size_t n;
    int dim, n_classes;
} photos;

static photos photos_new(size_t n, int dim, int n_classes)
{
    hst_err e = {0};
    photos p = {.n = n, .dim = dim, .n_classes = n_classes};
    p.x = hst_alloc(n * (size_t)dim, sizeof *p.x, &e);
    p.row = hst_alloc(n, sizeof *p.row, &e);
    p.label = hst_alloc(n, sizeof *p.label, &e);
    for (size_t i = 0; i < n; i++)
        p.row[i] = p.x + i * (size_t)dim;
    return p;
}

static void photos_free(photos *p)
{
    free(p->x);
    free(p->row);
    free(p->label);
}

static hst_logistic problem(const photos *p)
{
    return (hst_logistic){
        .x = p->row, .label = p->label, .n = p->n, .dim = p->dim, .n_classes = p->n_classes};
}

/* Overlapping clouds, photo i of class i % n_classes. */
static photos clouds(size_t n, int dim, int n_classes, double apart)
{
    photos p = photos_new(n, dim, n_classes);
    hst_rng r = hst_rng_new(7, HST_RNG_INIT, 0, 0);
    for (size_t i = 0; i < n; i++) {
        p.label[i] = (int)(i % (size_t)n_classes);
        for (int k = 0; k < dim; k++) {
            double noise = hst_rng_uniform(&r) + hst_rng_uniform(&r) - 1;
            double centre = k % n_classes == p.label[i] ? apart : 0;
            p.x[i * (size_t)dim + (size_t)k] = (float)(3 + noise / sqrt(1 + k) + centre);
        }
    }
    return p;
}

typedef struct head {
    float *kernel, *bias;
} head;

static head fit(const hst_logistic *p, double l2, int threads)
{
    hst_err e = {0};
    hst_ctx ctx = context(threads);
    head h = {hst_alloc((size_t)p->dim * (size_t)p->n_classes, sizeof(float), &e),
              hst_alloc((size_t)p->n_classes, sizeof(float), &e)};
    check_ok(hst_logistic_fit(&ctx, p, l2, h.kernel, h.bias, &e), &e);
    for (int i = 0; i < p->dim * p->n_classes; i++)
        assert_true(isfinite(h.kernel[i]));
    for (int c = 0; c < p->n_classes; c++)
        assert_true(isfinite(h.bias[c]));
    return h;
}

static void head_free(head *h)
{
    free(h->kernel);
    free(h->bias);
}

static void probabilities(const hst_logistic *p, const head *h, size_t i, float *prob)
{
    double z[64], of_class[64];
    for (int c = 0; c < p->n_classes; c++) {
        z[c] = h->bias[c];
        for (int k = 0; k < p->dim; k++)
            z[c] += (double)p->x[i][k] * h->kernel[k * p->n_classes + c];
    }
    hst_softmax_f64(z, p->n_classes, of_class);
    for (int c = 0; c < p->n_classes; c++)
        prob[c] = (float)of_class[c];
}

static size_t hits(const hst_logistic *p, const head *h)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        float prob[64];
        probabilities(p, h, i, prob);
        n += hst_argmax(prob, p->n_classes) == p->label[i];
    }
    return n;
}

static void gradient_is_that_of_central_differences(void **state)
{
    (void)state;
    hst_err e = {0};
    static const int classes[] = {2, 3, 8, 11};
    for (size_t at = 0; at < 4; at++) {
        photos data = clouds(37, 13, classes[at], 0.4);
        hst_logistic p = problem(&data);
        double weight[37], g[11 * 14], unused[11 * 14], theta[11 * 14];
        hst_design rows;
        for (size_t i = 0; i < 37; i++)
            weight[i] = (double)(i % 4);
        p.weight = weight;
        const hst_ctx ctx = {.kernels = hst_kernels_best()};
        check_ok(hst_design_make(&rows, &ctx, &p, &e), &e);
        check_ok(hst_design_pack(&rows, &e), &e);
        hst_softmax_fit f = {.rows = &rows,
                             .label = p.label,
                             .weight = weight,
                             .n_classes = classes[at],
                             .l2 = 0.05,
                             .theta = theta};
        size_t size = hst_softmax_size(&rows, classes[at]);
        for (size_t i = 0; i < size; i++)
            theta[i] = sin((double)i);
        double loss, up, down;
        check_ok(hst_softmax_loss(&ctx, &f, &loss, g, &e), &e);
        for (size_t i = 0; i < size; i++) {
            double was = theta[i], h = 1e-2; /* the features' product is made of floats */
            theta[i] = was + h;
            check_ok(hst_softmax_loss(&ctx, &f, &up, unused, &e), &e);
            theta[i] = was - h;
            check_ok(hst_softmax_loss(&ctx, &f, &down, unused, &e), &e);
            theta[i] = was;
            if (!(fabs((up - down) / (2 * h) - g[i]) < 2e-5))
                fail_msg("%d classes, %zu: %g, not %g", classes[at], i, (up - down) / (2 * h),
                         g[i]);
        }
        hst_design_clear(&rows);
        photos_free(&data);
    }
}

static npy load(const char *name)
{
    char *path;
    assert_true(asprintf(&path, "%s/tests/golden/logistic/%s", getenv("HEADSTART_ROOT"), name) > 0);
    npy a = npy_read(path);
    free(path);
    return a;
}

/* By five folds dealt from seed. */
static int choose_l2(const hst_ctx *ctx, const hst_logistic *p, uint64_t seed, double *l2,
                     hst_err *e)
{
    hst_out_of_fold out = {0};
    int *fold = calloc(p->n, sizeof *fold);
    int rc = hst_folds_make(p, seed, fold, e);
    if (rc == 0)
        rc = hst_cross_validate(ctx, &(hst_cross_validation){.p = p, .fold = fold}, &out, e);
    if (rc == 0)
        *l2 = out.l2;
    hst_out_of_fold_clear(&out);
    free(fold);
    return rc;
}

/* scikit-learn's LogisticRegression(solver='newton-cg', tol=1e-12, C=1/(l2 sum w)). */
static void optimum_is_that_of_scikit_learn(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double l2;
        int weighted;
    } cases[] = {{"plain_prob.npy", 0.02, 0}, {"weighted_prob.npy", 0.3, 1}};
    npy x = load("x.npy"), y = load("y.npy"), weight = load("weight.npy");
    const float *row[60];
    for (size_t i = 0; i < 60; i++)
        row[i] = (const float *)x.data + i * 20;
    for (size_t at = 0; at < 2; at++) {
        npy want = load(cases[at].name);
        hst_logistic p = {row, NULL, y.data, cases[at].weighted ? weight.data : NULL, 60, 20, 3};
        head h = fit(&p, cases[at].l2, 1);
        for (size_t i = 0; i < 60; i++) {
            float prob[3];
            probabilities(&p, &h, i, prob);
            check_close_f64(prob, (const double *)want.data + i * 3, 3, 2e-5, 0, cases[at].name);
        }
        head_free(&h);
        free(want.data);
    }
    free(x.data);
    free(y.data);
    free(weight.data);
}

static void bits_do_not_depend_on_threads(void **state)
{
    (void)state;
    hst_err e = {0};
    photos wide = clouds(150, 400, 5, 0.1), tall = clouds(700, 30, 9, 0.1);
    const photos *const both[] = {&wide, &tall};
    for (size_t at = 0; at < 2; at++) {
        hst_logistic p = problem(both[at]);
        size_t bytes = (size_t)p.dim * (size_t)p.n_classes * sizeof(float);
        head one = fit(&p, 0.01, 1);
        double l2_one = 0, l2 = 0;
        hst_ctx ctx = context(1);
        check_ok(choose_l2(&ctx, &p, 42, &l2_one, &e), &e);
        for (int threads = 2; threads <= MOST_THREADS; threads++) {
            head h = fit(&p, 0.01, threads);
            assert_memory_equal(h.kernel, one.kernel, bytes);
            assert_memory_equal(h.bias, one.bias, (size_t)p.n_classes * sizeof(float));
            ctx = context(threads);
            check_ok(choose_l2(&ctx, &p, 42, &l2, &e), &e);
            assert_true(l2 == l2_one);
            head_free(&h);
        }
        head_free(&one);
    }
    photos_free(&wide);
    photos_free(&tall);
}

static void reduced_rows_keep_their_products(void **state)
{
    (void)state;
    hst_err e = {0};
    photos data = clouds(50, 300, 5, 0.1);
    memcpy(data.x + 300, data.x, 300 * sizeof(float)); /* a copy of photo 0 */
    hst_logistic p = problem(&data);
    hst_design full, reduced;
    check_ok(hst_design_make(&full, &(hst_ctx){.kernels = hst_kernels_best()}, &p, &e), &e);
    check_ok(hst_design_make(&reduced, &(hst_ctx){.kernels = hst_kernels_best()}, &p, &e), &e);
    check_ok(hst_design_reduce(&reduced, executors[2], &e), &e);
    assert_int_equal(reduced.p, 50);
    for (size_t i = 0; i < 50; i++) {
        for (size_t j = 0; j < 50; j++) {
            double a = 0, b = 0;
            for (size_t k = 0; k < 300; k++)
                a += (double)full.z[i * 300 + k] * full.z[j * 300 + k];
            for (size_t k = 0; k < 50; k++)
                b += (double)reduced.z[i * 50 + k] * reduced.z[j * 50 + k];
            if (!(fabs(a - b) < 1e-5))
                fail_msg("rows %zu, %zu: %g, not %g", i, j, b, a);
        }
    }
    hst_design_clear(&full);
    hst_design_clear(&reduced);
    photos_free(&data);
}

/* Noise wants a strong penalty, classes far apart a weak one; a change of unit changes l2 by its
 * square and no prediction. */
static void penalty_follows_the_data(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_ctx ctx = context(2);
    double noise = 0, apart = 0, scaled = 0;
    photos a = clouds(200, 60, 4, 0), b = clouds(200, 60, 4, 0.8);
    hst_logistic p = problem(&a);
    check_ok(choose_l2(&ctx, &p, 1, &noise, &e), &e);
    p = problem(&b);
    check_ok(choose_l2(&ctx, &p, 1, &apart, &e), &e);
    assert_true(apart < noise / 10);
    for (size_t i = 0; i < 200 * 60; i++)
        b.x[i] *= 1024;
    check_ok(choose_l2(&ctx, &p, 1, &scaled, &e), &e);
    assert_true(fabs(scaled / apart / 1048576 - 1) < 1e-9);
    photos_free(&a);
    photos_free(&b);
}

/* Below five photos a class the strength is a constant in units of the data, whatever the folds. */
static void few_photos_have_a_strength_of_their_own(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        double strength; /* 0: chosen */
    } cases[] = {{4, 1e-3}, {7, 1e-3}, {8, 1e-4}, {19, 1e-4}, {20, 0}};
    hst_ctx ctx = context(1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hst_err e = {0};
        hst_design rows;
        double l2 = -1, other = -1;
        photos data = clouds(cases[i].n, 60, 4, 0); /* noise: the strongest would be chosen */
        hst_logistic p = problem(&data);
        check_ok(hst_design_make(&rows, &ctx, &p, &e), &e);
        check_ok(choose_l2(&ctx, &p, 1, &l2, &e), &e);
        check_ok(choose_l2(&ctx, &p, 2, &other, &e), &e);
        l2 /= rows.scale * rows.scale;
        other /= rows.scale * rows.scale;
        double want = cases[i].strength > 0 ? cases[i].strength : 1e-2;
        assert_true(fabs(l2 / want - 1) < 1e-12 && fabs(other / want - 1) < 1e-12);
        hst_design_clear(&rows);
        photos_free(&data);
    }
}

/* Chooses and fits; the bars of the odd cases are that it ends, finitely. */
static size_t train(const hst_logistic *p)
{
    hst_err e = {0};
    hst_ctx ctx = context(2);
    double l2 = -1;
    check_ok(choose_l2(&ctx, p, 42, &l2, &e), &e);
    assert_true(l2 > 0 && isfinite(l2));
    head h = fit(p, l2, 2);
    size_t n = hits(p, &h);
    head_free(&h);
    return n;
}

static void odd_data_is_survived(void **state)
{
    (void)state;
    photos one_each = clouds(3, 100, 3, 1), equal = clouds(20, 10, 2, 0);
    photos huge = clouds(40, 10, 2, 1), tiny = clouds(40, 10, 2, 1), few = clouds(11, 6, 4, 1);
    photos constant = clouds(40, 10, 2, 1), line = clouds(40, 1, 2, 1);
    for (size_t i = 0; i < 200; i++)
        equal.x[i] = 0.1f;
    for (size_t i = 0; i < 400; i++) {
        huge.x[i] *= 1e30f;
        tiny.x[i] *= 1e-30f;
        if (i % 10 > 3)
            constant.x[i] = 5;
    }
    hst_logistic p = problem(&one_each);
    assert_int_equal(train(&p), 3);
    p = problem(&equal);
    assert_int_equal(train(&p), 10); /* half of them: says the same of all */
    p = problem(&huge);
    assert_int_equal(train(&p), 40);
    p = problem(&tiny);
    assert_int_equal(train(&p), 40);
    p = problem(&few);
    assert_in_range(train(&p), 9, 11);
    p = problem(&constant);
    assert_in_range(train(&p), 36, 40);
    p = problem(&line);
    assert_in_range(train(&p), 30, 40);
    head h = fit(&p, 0, 1); /* no penalty: the steps' cap ends it */
    head_free(&h);
    photos *const all[] = {&one_each, &equal, &huge, &tiny, &few, &constant, &line};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        photos_free(all[i]);
}

static void equal_features_leave_the_shares(void **state)
{
    (void)state;
    photos data = clouds(20, 10, 2, 0);
    for (size_t i = 0; i < 200; i++)
        data.x[i] = 0.1f;
    for (size_t i = 0; i < 20; i++)
        data.label[i] = i >= 15;
    hst_logistic p = problem(&data);
    head h = fit(&p, 0.1, 1);
    float prob[2];
    const float want[2] = {0.75f, 0.25f};
    probabilities(&p, &h, 0, prob);
    check_close(prob, want, 2, 1e-5, 0, "shares");
    head_free(&h);
    photos_free(&data);
}

static int stop(void *arg, const hst_progress *p)
{
    (void)arg;
    assert_string_equal(p->what, "head");
    return 1;
}

static void bad_features_and_stops_are_told(void **state)
{
    (void)state;
    hst_err e = {0};
    photos data = clouds(200, 300, 4, 0);
    hst_logistic p = problem(&data);
    hst_ctx ctx = context(2);
    ctx.progress = stop;
    float *kernel = hst_alloc(1200, sizeof *kernel, &e), bias[4];
    double l2 = 7;
    assert_int_equal(hst_logistic_fit(&ctx, &p, 1e-3, kernel, bias, &e), HST_ESTOPPED);
    assert_int_equal(choose_l2(&ctx, &p, 1, &l2, &e), HST_ESTOPPED);
    assert_true(kernel[0] == 0 && l2 == 7);
    data.x[77] = NAN;
    assert_int_equal(choose_l2(&ctx, &p, 1, &l2, &e), HST_EDATA);
    data.x[77] = INFINITY;
    assert_int_equal(hst_logistic_fit(&ctx, &p, 1, kernel, bias, &e), HST_EDATA);
    data.x[77] = 0;
    double weight[200] = {0};
    p.weight = weight;
    assert_int_equal(hst_logistic_fit(&ctx, &p, 1, kernel, bias, &e), HST_EDATA);
    free(kernel);
    photos_free(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradient_is_that_of_central_differences),
        cmocka_unit_test(optimum_is_that_of_scikit_learn),
        cmocka_unit_test(bits_do_not_depend_on_threads),
        cmocka_unit_test(reduced_rows_keep_their_products),
        cmocka_unit_test(penalty_follows_the_data),
        cmocka_unit_test(few_photos_have_a_strength_of_their_own),
        cmocka_unit_test(odd_data_is_survived),
        cmocka_unit_test(equal_features_leave_the_shares),
        cmocka_unit_test(bad_features_and_stops_are_told),
    };
    return cmocka_run_group_tests(tests, make_executors, free_executors);
}
