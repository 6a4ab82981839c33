/* evaluation: metrics against those of scikit-learn and SciPy. */
#include "support.h"

#include "base/file.h"
#include "evaluation/evaluation.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 200, CLASSES = 5 };
static const char *const labels[CLASSES] = {"a", "b", "c", "d", "e"};

typedef struct golden {
    json_t *json;
    npy logits, labels;
} golden;

static char *golden_path(const char *name)
{
    char *path;
    assert_true(asprintf(&path, "%s/tests/golden/metrics/%s", getenv("HEADSTART_ROOT"), name) > 0);
    return path;
}

static int load(void **state)
{
    static golden g;
    json_error_t why;
    char *json = golden_path("metrics.json"), *logits = golden_path("logits.npy");
    char *truths = golden_path("labels.npy");
    g.json = json_load_file(json, 0, &why);
    if (!g.json)
        return -1;
    g.logits = npy_read(logits);
    g.labels = npy_read(truths);
    free(json);
    free(logits);
    free(truths);
    *state = &g;
    return 0;
}

static int unload(void **state)
{
    golden *g = *state;
    json_decref(g->json);
    free(g->logits.data);
    free(g->labels.data);
    return 0;
}

static double at(const json_t *list, int i)
{
    return json_number_value(json_array_get(list, (size_t)i));
}

static void close_to(double got, double want, double rtol, const char *what)
{
    if (!(fabs(got - want) <= rtol * fabs(want)))
        fail_msg("%s: got %.17g, want %.17g", what, got, want);
}

static void logits_of(const golden *g, int i, double z[CLASSES])
{
    const float *row = (const float *)g->logits.data + (size_t)i * CLASSES;
    for (int c = 0; c < CLASSES; c++)
        z[c] = row[c];
}

static hst_eval *evaluate(const golden *g)
{
    hst_err e = {0};
    hst_eval *eval = hst_eval_new(labels, CLASSES, N, &e);
    assert_non_null(eval);
    for (int i = 0; i < N; i++) {
        double z[CLASSES], p[CLASSES];
        float prob[CLASSES];
        char path[32];
        snprintf(path, sizeof path, "%d.jpg", i);
        logits_of(g, i, z);
        hst_softmax_f64(z, CLASSES, p);
        for (int c = 0; c < CLASSES; c++)
            prob[c] = (float)p[c];
        check_ok(hst_eval_add(eval,
                              &(hst_judged){.path = path,
                                            .truth = ((const int *)g->labels.data)[i],
                                            .prob = prob},
                              &e),
                 &e);
    }
    check_ok(hst_eval_finish(eval, &e), &e);
    return eval;
}

static void check_scores(const hst_eval *e, const json_t *want)
{
    for (int c = 0; c < CLASSES; c++) {
        const hst_class_score *s = hst_eval_class(e, c);
        close_to(s->precision, at(json_object_get(want, "precision"), c), 1e-12, "precision");
        close_to(s->recall, at(json_object_get(want, "recall"), c), 1e-12, "recall");
        close_to(s->f1, at(json_object_get(want, "f1"), c), 1e-12, "f1");
        close_to((double)s->support, at(json_object_get(want, "support"), c), 0, "support");
    }
}

static void check_confusion(const hst_eval *e, const json_t *want)
{
    for (int t = 0; t < CLASSES; t++)
        for (int p = 0; p < CLASSES; p++)
            close_to((double)hst_eval_confusion(e, t, p), at(json_array_get(want, (size_t)t), p), 0,
                     "confusion");
}

static void scores_are_those_of_scikit_learn(void **state)
{
    const golden *g = *state;
    hst_err err = {0};
    hst_eval *e = evaluate(g);
    double v, low, high;
    check_confusion(e, json_object_get(g->json, "confusion_rows_true_cols_pred"));
    check_scores(e, json_object_get(g->json, "per_class"));
    check_ok(hst_eval_metric(e, "accuracy", &v, &low, &high, &err), &err);
    close_to(v, 0.61, 1e-15, "accuracy");
    json_t *interval = json_object_get(json_object_get(g->json, "wilson95"), "122/200");
    close_to(low, at(interval, 0), 1e-12, "low");
    close_to(high, at(interval, 1), 1e-12, "high");
    check_ok(hst_eval_metric(e, "log_loss", &v, &low, &high, &err), &err);
    close_to(v, json_number_value(json_object_get(g->json, "nll")), 1e-7, "log loss"); /* floats */
    assert_true(low < v && v < high);
    check_ok(hst_eval_metric(e, "n", &v, NULL, NULL, &err), &err);
    assert_true(v == N);
    check_ok(hst_eval_metric(e, "skipped", &v, NULL, NULL, &err), &err);
    assert_true(v == 0);
    assert_int_equal(hst_eval_metric(e, "auc", &v, NULL, NULL, &err), HST_EARG);
    hst_eval_free(e);
}

static void log_loss_in_double(void **state)
{
    const golden *g = *state;
    double sum = 0;
    for (int i = 0; i < N; i++) {
        double z[CLASSES], prob[CLASSES];
        logits_of(g, i, z);
        hst_softmax_f64(z, CLASSES, prob);
        sum += hst_log_loss(prob[((const int *)g->labels.data)[i]]);
    }
    close_to(sum / N, json_number_value(json_object_get(g->json, "nll")), 1e-12, "log loss");
    close_to(hst_log_loss(0), 36.04365338911715, 1e-15, "log loss of 0");
    assert_true(hst_log_loss(1) == 0);
}

static void intervals_are_those_of_wilson(void **state)
{
    const golden *g = *state;
    const char *key;
    json_t *want;
    json_object_foreach(json_object_get(g->json, "wilson95"), key, want)
    {
        unsigned long k, n;
        double low, high;
        assert_int_equal(sscanf(key, "%lu/%lu", &k, &n), 2);
        hst_wilson(k, n, &low, &high);
        close_to(low, at(want, 0), 1e-12, key);
        close_to(high, at(want, 1), 1e-12, key);
    }
    double low, high;
    hst_wilson(0, 0, &low, &high);
    assert_true(low == 0 && high == 1);
}

/* Out of five folds nine photos are worth five: the interval is that of five ninths of them. */
static void photos_out_of_fold_count_for_less(void **state)
{
    (void)state;
    static const float right[CLASSES] = {1}, wrong[CLASSES] = {0, 1};
    hst_err err = {0};
    double value, low, high, want_low, want_high;
    hst_eval *e = hst_eval_new(labels, CLASSES, 90, &err);
    for (int i = 0; i < 90; i++)
        check_ok(
            hst_eval_add(e, &(hst_judged){.path = "x", .truth = 0, .prob = i < 72 ? right : wrong},
                         &err),
            &err);
    e->folds = 5;
    check_ok(hst_eval_finish(e, &err), &err);
    check_ok(hst_eval_metric(e, "accuracy", &value, &low, &high, &err), &err);
    hst_wilson(40, 50, &want_low, &want_high);
    close_to(value, 0.8, 1e-12, "accuracy");
    close_to(low, want_low, 1e-12, "low");
    close_to(high, want_high, 1e-12, "high");
    hst_eval_free(e);
}

static double metric(const hst_eval *e, const char *name)
{
    hst_err err = {0};
    double v = 0;
    check_ok(hst_eval_metric(e, name, &v, NULL, NULL, &err), &err);
    return v;
}

/* Six files of three pictures, one of which the model has learned from; of two more the pixels are
 * not known. */
static void only_new_and_distinct_photos_count(void **state)
{
    (void)state;
    static const float right[CLASSES] = {1}, wrong[CLASSES] = {0, 1};
    static const uint64_t pixels[] = {9, 5, 9, 7, 5, 9, 0, 0};
    static const int seen[] = {0, 1, 0, 0, 1, 0, 0, 0}, copy[] = {0, 0, 1, 0, 1, 1, 0, 0};
    hst_err err = {0};
    hst_eval *e = hst_eval_new(labels, CLASSES, 8, &err);
    for (size_t i = 0; i < 8; i++)
        check_ok(hst_eval_add(e,
                              &(hst_judged){.path = "x",
                                            .truth = 0,
                                            .prob = i == 3 ? wrong : right,
                                            .pixels = pixels[i],
                                            .seen = seen[i]},
                              &err),
                 &err);
    check_ok(hst_eval_finish(e, &err), &err);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(hst_eval_at(e, i)->seen, seen[i]);
        assert_int_equal(hst_eval_at(e, i)->copy, copy[i]);
    }
    assert_null(hst_eval_at(e, 8));
    assert_true(metric(e, "n") == 4 && metric(e, "copies") == 3 && metric(e, "seen") == 1);
    assert_true(metric(e, "accuracy") == .75 && metric(e, "seen_accuracy") == 1);
    assert_int_equal(hst_eval_class(e, 0)->support, 4);
    assert_int_equal(hst_eval_confusion(e, 0, 0), 3);
    hst_eval_free(e);
}

static void missing_classes_score_zero(void **state)
{
    const golden *g = *state;
    const json_t *want = json_object_get(g->json, "degenerate");
    const json_t *truth = json_object_get(want, "labels"), *guess = json_object_get(want, "pred");
    hst_err err = {0};
    int n = (int)json_array_size(truth);
    hst_eval *e = hst_eval_new(labels, CLASSES, (size_t)n, &err);
    for (int i = 0; i < n; i++) {
        float prob[CLASSES] = {0};
        prob[(int)at(guess, i)] = 1;
        check_ok(hst_eval_add(
                     e, &(hst_judged){.path = "x", .truth = (int)at(truth, i), .prob = prob}, &err),
                 &err);
    }
    check_ok(hst_eval_finish(e, &err), &err);
    check_confusion(e, json_object_get(want, "confusion"));
    check_scores(e, want);
    hst_eval_free(e);
}

/* sklearn.metrics.balanced_accuracy_score of the golden photos: of all 200, and of those left when
 * the classes keep their first 54, 2, 3, 0 and 1. */
static void balanced_accuracy_is_that_of_scikit_learn(void **state)
{
    const golden *g = *state;
    static const int most[CLASSES] = {54, 2, 3, 0, 1};
    hst_err err = {0};
    double v;
    int kept[CLASSES] = {0};
    hst_eval *all = evaluate(g), *e = hst_eval_new(labels, CLASSES, N, &err);
    for (size_t i = 0; i < N; i++) {
        const hst_eval_photo *p = hst_eval_at(all, i);
        if (kept[p->truth]++ < most[p->truth])
            check_ok(hst_eval_add(e, &(hst_judged){.path = "x", .truth = p->truth, .prob = p->prob},
                                  &err),
                     &err);
    }
    check_ok(hst_eval_finish(e, &err), &err);
    check_ok(hst_eval_metric(all, "balanced_accuracy", &v, NULL, NULL, &err), &err);
    close_to(v, 0.5945065679964567, 1e-14, "balanced accuracy");
    check_ok(hst_eval_metric(all, "imbalance", &v, NULL, NULL, &err), &err);
    close_to(v, 54. / 17, 1e-15, "imbalance");
    check_ok(hst_eval_metric(e, "balanced_accuracy", &v, NULL, NULL, &err), &err);
    close_to(v, 0.49074074074074076, 1e-14, "balanced accuracy");
    check_ok(hst_eval_metric(e, "imbalance", &v, NULL, NULL, &err), &err);
    close_to(v, 54, 1e-15, "imbalance");
    hst_eval_free(all);
    hst_eval_free(e);
}

static void photos_are_kept_in_order(void **state)
{
    const golden *g = *state;
    hst_eval *e = evaluate(g);
    const hst_eval_photo *p = hst_eval_at(e, 7);
    assert_non_null(p);
    assert_string_equal(p->path, "7.jpg");
    assert_int_equal(p->truth, ((const int *)g->labels.data)[7]);
    assert_int_equal(p->guess, hst_argmax(p->prob, CLASSES));
    double sum = 0;
    for (int c = 0; c < CLASSES; c++)
        sum += p->prob[c];
    close_to(sum, 1, 1e-6, "sum of probabilities");
    assert_null(hst_eval_at(e, N));
    assert_int_equal(hst_eval_classes(e), CLASSES);
    assert_string_equal(hst_eval_label(e, 4), "e");
    assert_null(hst_eval_label(e, 5));
    assert_null(hst_eval_label(e, -1));
    assert_int_equal(hst_eval_confusion(e, 0, 5), 0);
    assert_null(hst_eval_class(e, -1));
    assert_null(hst_eval_class(e, CLASSES));
    hst_eval_free(e);
    hst_eval_free(NULL);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    hst_err err = {0};
    const float prob[CLASSES] = {0.5f, 0.5f};
    hst_eval *e = hst_eval_new(labels, CLASSES, 1, &err);
    assert_int_equal(
        hst_eval_add(e, &(hst_judged){.path = "x", .truth = CLASSES, .prob = prob}, &err),
        HST_EARG);
    assert_int_equal(hst_eval_add(e, &(hst_judged){.path = "x", .truth = -1, .prob = prob}, &err),
                     HST_EARG);
    check_ok(hst_eval_add(e, &(hst_judged){.path = "x", .truth = 1, .prob = prob}, &err), &err);
    assert_int_equal(hst_eval_add(e, &(hst_judged){.path = "x", .truth = 1, .prob = prob}, &err),
                     HST_EARG);
    assert_non_null(hst_eval_at(e, 0));
    assert_int_equal(hst_eval_at(e, 0)->guess, 0); /* the first of equals */
    hst_eval_free(e);
    assert_null(hst_eval_new(labels, 0, 1, &err));
    assert_null(hst_eval_new(labels, CLASSES, SIZE_MAX / 2, &err));
    assert_int_equal(err.code, HST_EMEM);
    e = hst_eval_new(labels, CLASSES, 0, &err);
    check_ok(hst_eval_finish(e, &err), &err);
    double v, low, high;
    check_ok(hst_eval_metric(e, "accuracy", &v, &low, &high, &err), &err);
    assert_true(isnan(v) && isnan(low) && isnan(high)); /* not measured */
    static const char *const others[] = {"balanced_accuracy", "imbalance", "log_loss"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        check_ok(hst_eval_metric(e, others[i], &v, NULL, NULL, &err), &err);
        assert_true(isnan(v));
    }
    hst_eval_free(e);
}

static void softmax_is_safe_for_large_logits(void **state)
{
    (void)state;
    const double z[] = {1e308, 1e308, -1e308};
    double p[3];
    hst_softmax_f64(z, 3, p);
    assert_true(p[0] == 0.5 && p[1] == 0.5 && p[2] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_of_scikit_learn),
        cmocka_unit_test(log_loss_in_double),
        cmocka_unit_test(intervals_are_those_of_wilson),
        cmocka_unit_test(photos_out_of_fold_count_for_less),
        cmocka_unit_test(only_new_and_distinct_photos_count),
        cmocka_unit_test(missing_classes_score_zero),
        cmocka_unit_test(balanced_accuracy_is_that_of_scikit_learn),
        cmocka_unit_test(photos_are_kept_in_order),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(softmax_is_safe_for_large_logits),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
