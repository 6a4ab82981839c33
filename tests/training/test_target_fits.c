/* training: ridge regression and logistic regression of several labels, beside scikit-learn's
 * (golden_targets.py). */
#include "support.h"

#include "base/executor.h"
#include "kernels/kernels.h"
#include "training/label_fit.h"
#include "training/ridge.h"
#include "training/spd.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 60, WIDE = 90, NARROW = 12, LABELS = 3 };

typedef struct scene {
    json_t *json;
    float x[N][WIDE];
    const float *row[N];
    double y[N];
    uint8_t marks[N][LABELS];
    int fold[N];
} scene;

static double at(const json_t *list, size_t i)
{
    const json_t *v = json_array_get(list, i);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

static int load(void **state)
{
    static scene s;
    char *path = NULL;
    json_error_t why;
    assert_true(asprintf(&path, "%s/tests/golden/targets/fits.json", getenv("HEADSTART_ROOT")) > 0);
    s.json = json_load_file(path, 0, &why);
    free(path);
    assert_non_null(s.json);
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < WIDE; k++)
            s.x[i][k] = (float)at(json_array_get(json_object_get(s.json, "x"), i), k);
        for (size_t c = 0; c < LABELS; c++)
            s.marks[i][c] = (uint8_t)at(json_array_get(json_object_get(s.json, "marks"), i), c);
        s.row[i] = s.x[i];
        s.y[i] = at(json_object_get(s.json, "y"), i);
        s.fold[i] = (int)(i % HST_FOLDS);
    }
    *state = &s;
    return 0;
}

static int unload(void **state)
{
    json_decref(((scene *)*state)->json);
    return 0;
}

static hst_ctx context(int threads)
{
    hst_err err = {0};
    hst_ctx ctx = {.executor = hst_executor_new(threads, &err), .kernels = hst_kernels_best()};
    assert_non_null(ctx.executor);
    return ctx;
}

static hst_ridge ridge_of(const scene *s, int dim)
{
    return (hst_ridge){.x = s->row, .y = s->y, .n = N, .dim = dim, .fold = s->fold};
}

/* The largest difference, as a part of the largest value. */
static void close_to(const double *got, const json_t *want, const char *what)
{
    double off = 0, most = 0;
    for (size_t i = 0; i < json_array_size(want); i++) {
        off = fmax(off, fabs(got[i] - at(want, i)));
        most = fmax(most, fabs(at(want, i)));
    }
    if (!(off <= 1e-9 * most))
        fail_msg("%s: off by %g of %g", what, off, most);
}

static void check_ridge(const scene *s, int dim, const char *name)
{
    const json_t *g = json_object_get(s->json, name), *fits = json_object_get(g, "fits");
    const hst_ridge p = ridge_of(s, dim);
    hst_ctx ctx = context(2);
    hst_err err = {0};
    double kernel[WIDE], said[N], bias, l2;
    for (size_t i = 0; i < json_array_size(fits); i++) {
        const json_t *f = json_array_get(fits, i);
        l2 = json_number_value(json_object_get(f, "l2"));
        check_ok(hst_ridge_fit(&ctx, &p, l2, kernel, &bias, &err), &err);
        close_to(kernel, json_object_get(f, "kernel"), name);
        const double want = json_number_value(json_object_get(f, "bias"));
        assert_true(fabs(bias - want) <= 1e-9 * fabs(want));
    }
    check_ok(hst_ridge_validate(&ctx, &p, &l2, said, &err), &err);
    const double want = json_number_value(json_object_get(g, "l2"));
    if (!(fabs(l2 - want) < 1e-9 * want))
        fail_msg("%s: strength %g, want %g", name, l2, want);
    close_to(said, json_object_get(g, "said"), name);
    hst_executor_free(ctx.executor);
}

/* From sums over rows, and from products of rows. */
static void ridge_is_that_of_scikit_learn(void **state)
{
    check_ridge(*state, NARROW, "narrow");
    check_ridge(*state, WIDE, "wide");
}

static void threads_change_nothing(void **state)
{
    const scene *s = *state;
    hst_err err = {0};
    hst_ctx one = context(1), four = context(4);
    for (int dim = NARROW; dim <= WIDE; dim += WIDE - NARROW) {
        double a[WIDE], b[WIDE], said[2][N], bias[2], l2[2];
        const hst_ridge p = ridge_of(s, dim);
        check_ok(hst_ridge_validate(&one, &p, &l2[0], said[0], &err), &err);
        check_ok(hst_ridge_validate(&four, &p, &l2[1], said[1], &err), &err);
        check_ok(hst_ridge_fit(&one, &p, 0.3, a, &bias[0], &err), &err);
        check_ok(hst_ridge_fit(&four, &p, 0.3, b, &bias[1], &err), &err);
        assert_memory_equal(a, b, (size_t)dim * sizeof *a);
        assert_memory_equal(said[0], said[1], sizeof said[0]);
        assert_true(bias[0] == bias[1] && l2[0] == l2[1]);
    }
    hst_executor_free(one.executor);
    hst_executor_free(four.executor);
}

/* Photos that are never held out have no prediction; features are taken as they are scaled. */
static void scales_and_folds(void **state)
{
    const scene *s = *state;
    hst_err err = {0};
    hst_ctx ctx = context(1);
    float scale[NARROW], scaled[N][NARROW];
    const float *row[N];
    double said[N], a[NARROW], b[NARROW], bias[2], l2;
    int fold[N];
    for (int k = 0; k < NARROW; k++)
        scale[k] = (float)(1 << k % 4);
    for (size_t i = 0; i < N; i++) {
        fold[i] = i < 3 ? HST_FOLDS : s->fold[i];
        row[i] = scaled[i];
        for (int k = 0; k < NARROW; k++)
            scaled[i][k] = s->x[i][k] * scale[k];
    }
    hst_ridge p = ridge_of(s, NARROW), q = p;
    p.scale = scale;
    p.fold = fold;
    q.x = row;
    check_ok(hst_ridge_validate(&ctx, &p, &l2, said, &err), &err);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(isnan(said[i]), i < 3);
    check_ok(hst_ridge_fit(&ctx, &p, l2, a, &bias[0], &err), &err);
    check_ok(hst_ridge_fit(&ctx, &q, l2, b, &bias[1], &err), &err);
    for (int k = 0; k < NARROW; k++)
        assert_true(fabs(a[k] - b[k] * (double)scale[k]) <= 1e-12 * fabs(a[k]));
    hst_executor_free(ctx.executor);
}

/* Equal rows leave nothing to learn from but the mean. */
static void equal_rows(void **state)
{
    const scene *s = *state;
    hst_err err = {0};
    hst_ctx ctx = context(1);
    const float *row[N];
    double kernel[WIDE], said[N], bias, l2, mean = 0;
    for (size_t i = 0; i < N; i++) {
        row[i] = s->x[0];
        mean += s->y[i] / N;
    }
    for (int dim = NARROW; dim <= WIDE; dim += WIDE - NARROW) {
        hst_ridge p = ridge_of(s, dim);
        p.x = row;
        check_ok(hst_ridge_validate(&ctx, &p, &l2, said, &err), &err);
        check_ok(hst_ridge_fit(&ctx, &p, l2, kernel, &bias, &err), &err);
        double sum = bias;
        for (int k = 0; k < dim; k++)
            sum += kernel[k] * (double)s->x[0][k];
        assert_true(fabs(sum - mean) < 1e-9 * fabs(mean));
    }
    hst_executor_free(ctx.executor);
}

/* Sizes around the tiles of the solver. */
static void systems_are_solved(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 3, 63, 64, 65, 130};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const size_t p = sizes[k], n = p + 7;
        double *rows = calloc(n * p, sizeof *rows), *g = calloc(p * p, sizeof *g);
        double *x = calloc(p, sizeof *x), *b = calloc(p, sizeof *b);
        for (size_t i = 0; i < n * p; i++)
            rows[i] = sin((double)(i * i % 1009));
        hst_spd_add(rows, n, p, g, NULL);
        for (size_t i = 0; i < p; i++) {
            double want = 0;
            for (size_t r = 0; r < n; r++)
                want += rows[r * p + i] * rows[r * p];
            assert_true(fabs(g[i * p] - want) < 1e-10);
            g[i * p + i] += 1;
        }
        for (size_t i = 0; i < p; i++)
            for (size_t j = 0; j < p; j++)
                b[i] += (i > j ? g[i * p + j] : g[j * p + i]) * (double)(j + 1);
        memcpy(x, b, p * sizeof *x);
        hst_spd_factor(g, p, 0, NULL);
        hst_spd_solve(g, p, x);
        for (size_t i = 0; i < p; i++)
            assert_true(fabs(x[i] - (double)(i + 1)) < 1e-8 * (double)p);
        free(rows);
        free(g);
        free(x);
        free(b);
    }
}

/* ---- labels ---- */

static hst_labels labels_of(const scene *s)
{
    return (hst_labels){.x = s->row,
                        .marks = s->marks[0],
                        .n = N,
                        .dim = NARROW,
                        .n_labels = LABELS,
                        .fold = s->fold};
}

static double said(const float *kernel, const float *bias, const float *x, size_t c)
{
    double z = (double)bias[c];
    for (size_t k = 0; k < NARROW; k++)
        z += (double)x[k] * (double)kernel[k * LABELS + c];
    return 1 / (1 + exp(-z));
}

static void labels_are_those_of_scikit_learn(void **state)
{
    const scene *s = *state;
    const json_t *want = json_object_get(s->json, "prob");
    const hst_labels p = labels_of(s);
    hst_ctx ctx = context(2);
    hst_err err = {0};
    float kernel[NARROW * LABELS], bias[LABELS];
    double l2[LABELS];
    for (size_t c = 0; c < LABELS; c++)
        l2[c] = at(json_object_get(s->json, "l2"), c);
    check_ok(hst_labels_fit(&ctx, &p, l2, kernel, bias, &err), &err);
    for (size_t c = 0; c < LABELS; c++)
        for (size_t i = 0; i < N; i++) {
            const double off = said(kernel, bias, s->x[i], c) - at(json_array_get(want, c), i);
            if (!(fabs(off) < 1e-5)) /* it ends at a gradient of 1e-6 */
                fail_msg("label %zu of photo %zu: off by %g", c, i, off);
        }
    hst_executor_free(ctx.executor);
}

/* What is said of a photo out of fold is what a fit without its fold says. */
static void labels_are_judged_out_of_fold(void **state)
{
    const scene *s = *state;
    const hst_labels p = labels_of(s);
    hst_ctx one = context(1), four = context(4);
    hst_err err = {0};
    hst_out_of_fold o, again;
    double l2[LABELS], other[LABELS];
    check_ok(hst_labels_validate(&one, &p, l2, &o, &err), &err);
    check_ok(hst_labels_validate(&four, &p, other, &again, &err), &err);
    assert_memory_equal(o.prob, again.prob, N * LABELS * sizeof *o.prob);
    assert_memory_equal(l2, other, sizeof l2);
    const float *row[N];
    uint8_t marks[N][LABELS];
    float kernel[NARROW * LABELS], bias[LABELS];
    hst_labels q = p;
    q.x = row;
    q.marks = marks[0];
    q.n = 0;
    for (size_t i = 0; i < N; i++)
        if (s->fold[i] != 2) {
            row[q.n] = s->row[i];
            memcpy(marks[q.n++], s->marks[i], LABELS);
        }
    check_ok(hst_labels_fit(&one, &q, l2, kernel, bias, &err), &err);
    for (size_t i = 2; i < N; i += HST_FOLDS)
        for (size_t c = 0; c < LABELS; c++)
            assert_true(fabs((double)o.prob[i * LABELS + c] - said(kernel, bias, s->x[i], c)) <
                        2e-3);
    hst_out_of_fold_clear(&o);
    hst_out_of_fold_clear(&again);
    hst_executor_free(one.executor);
    hst_executor_free(four.executor);
}

/* A single label has its own strength; beside others it takes part in theirs. */
static void one_label_alone(void **state)
{
    const scene *s = *state;
    hst_labels p = labels_of(s);
    hst_ctx ctx = context(1);
    hst_err err = {0};
    hst_out_of_fold o;
    uint8_t marks[N];
    double l2[LABELS];
    for (size_t i = 0; i < N; i++)
        marks[i] = s->marks[i][1];
    p.marks = marks;
    p.n_labels = 1;
    check_ok(hst_labels_validate(&ctx, &p, l2, &o, &err), &err);
    assert_true(l2[0] == o.l2 && l2[0] > 0);
    hst_out_of_fold_clear(&o);
    p.n = 9; /* too few to choose by: as of any nine */
    p.fold = (const int[9]){0, 1, 2, 3, 4, 0, 1, 2, 3};
    check_ok(hst_labels_validate(&ctx, &p, l2, &o, &err), &err);
    assert_true(l2[0] == o.l2);
    hst_out_of_fold_clear(&o);
    hst_executor_free(ctx.executor);
}

/* A label that no photo has, or every one. */
static void labels_without_an_other_side(void **state)
{
    const scene *s = *state;
    hst_labels p = labels_of(s);
    hst_ctx ctx = context(1);
    hst_err err = {0};
    hst_out_of_fold o;
    uint8_t marks[N][LABELS];
    float kernel[NARROW * LABELS], bias[LABELS], threshold[LABELS];
    double l2[LABELS];
    memcpy(marks, s->marks, sizeof marks);
    for (size_t i = 0; i < N; i++) {
        marks[i][1] = 0;
        marks[i][2] = 1;
    }
    p.marks = marks[0];
    check_ok(hst_labels_validate(&ctx, &p, l2, &o, &err), &err);
    check_ok(hst_labels_fit(&ctx, &p, l2, kernel, bias, &err), &err);
    check_ok(hst_labels_thresholds(&o, marks[0], threshold, &err), &err);
    for (size_t i = 0; i < N; i++) {
        assert_true(fabs(said(kernel, bias, s->x[i], 1) - 1.0 / (N + 2)) < 1e-6);
        assert_true(fabs(said(kernel, bias, s->x[i], 2) - (N + 1.0) / (N + 2)) < 1e-6);
        assert_true(o.prob[i * LABELS + 1] < 0.05f && o.prob[i * LABELS + 2] > 0.95f);
    }
    assert_true(threshold[1] == 0.5f && threshold[2] < 0.95f);
    hst_out_of_fold_clear(&o);
    hst_executor_free(ctx.executor);
}

/* By hand: F1 is 2 hits / (said + photos with it). */
static void thresholds_are_those_of_the_best_f1(void **state)
{
    (void)state;
    enum { M = 24 };
    hst_err err = {0};
    float prob[M];
    uint8_t marks[M];
    int fold[M];
    float threshold;
    for (int i = 0; i < M; i++) {
        prob[i] = (float)(i + 1) / 32; /* 10 with the label from 14/32 on, one below them */
        marks[i] = i >= 13 || i == 3;
        fold[i] = i % HST_FOLDS;
    }
    hst_out_of_fold o = {.n = M, .n_classes = 1, .fold = fold, .prob = prob};
    check_ok(hst_labels_thresholds(&o, marks, &threshold, &err), &err);
    assert_true(threshold == (13.0f + 14) / 64);
    marks[3] = marks[20] = marks[21] = 0; /* fewer than ten */
    check_ok(hst_labels_thresholds(&o, marks, &threshold, &err), &err);
    assert_true(threshold == 0.5f);
}

static void rare_labels_are_spread(void **state)
{
    (void)state;
    static const uint8_t marks[4][3] = {{1, 1, 0}, {1, 0, 0}, {0, 0, 0}, {1, 1, 1}};
    hst_err err = {0};
    int key[4];
    check_ok(hst_labels_key(&(hst_labels){.marks = marks[0], .n = 4, .n_labels = 3}, key, &err),
             &err);
    assert_int_equal(key[0], 1);
    assert_int_equal(key[1], 0);
    assert_int_equal(key[2], 3);
    assert_int_equal(key[3], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ridge_is_that_of_scikit_learn),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(scales_and_folds),
        cmocka_unit_test(equal_rows),
        cmocka_unit_test(systems_are_solved),
        cmocka_unit_test(labels_are_those_of_scikit_learn),
        cmocka_unit_test(labels_are_judged_out_of_fold),
        cmocka_unit_test(one_label_alone),
        cmocka_unit_test(labels_without_an_other_side),
        cmocka_unit_test(thresholds_are_those_of_the_best_f1),
        cmocka_unit_test(rare_labels_are_spread),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
