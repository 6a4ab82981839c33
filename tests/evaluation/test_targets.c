/* Metrics of several labels and of numbers: against scikit-learn (golden_targets.py). */
#include "support.h"

#include "evaluation/evaluation.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABELS = 4 };
static const char *const names[LABELS] = {"a", "b", "c", "d"};
static const char *const metrics[] = {"map",          "micro_f1",        "micro_precision",
                                      "micro_recall", "macro_f1",        "macro_precision",
                                      "macro_recall", "subset_accuracy", "hamming_loss",
                                      "log_loss"};
static const char *const of_number[] = {"mae", "rmse", "r2", "median_absolute_error"};
enum { N_METRICS = sizeof metrics / sizeof *metrics };

static int load(void **state)
{
    char *path = NULL;
    json_error_t why;
    assert_true(asprintf(&path, "%s/tests/golden/metrics/targets.json", getenv("HEADSTART_ROOT")) >
                0);
    *state = json_load_file(path, 0, &why);
    free(path);
    return *state ? 0 : -1;
}

static int unload(void **state)
{
    json_decref(*state);
    return 0;
}

static double at(const json_t *list, size_t i)
{
    return json_number_value(json_array_get(list, i));
}

static void close_to(double got, double want, const char *what)
{
    if (!(fabs(got - want) <= 1e-9 * fmax(1, fabs(want))))
        fail_msg("%s: got %.17g, want %.17g", what, got, want);
}

static void add(hst_eval *e, hst_judged j, size_t i)
{
    char path[32];
    hst_err err = {0};
    snprintf(path, sizeof path, "%zu.jpg", i);
    j.path = path;
    check_ok(hst_eval_add(e, &j, &err), &err);
}

/* The first n photos; of them the last `seen` are known to the model, and each again as a copy. */
static hst_eval *evaluate_labels(const json_t *g, size_t n, size_t seen, int copies)
{
    const json_t *marks = json_object_get(g, "marks"), *prob = json_object_get(g, "prob");
    const json_t *threshold = json_object_get(g, "threshold");
    float t[LABELS];
    hst_err err = {0};
    for (size_t c = 0; c < LABELS; c++)
        t[c] = (float)at(threshold, c);
    hst_eval *e = hst_eval_of(
        &(hst_eval_kind){
            .labels = names, .n_classes = LABELS, .target = HST_TARGET_LABELS, .threshold = t},
        2 * n, &err);
    assert_non_null(e);
    for (size_t k = 0; k < (copies ? 2 * n : n); k++) {
        const size_t i = k % n;
        float p[LABELS];
        uint8_t m[LABELS];
        for (size_t c = 0; c < LABELS; c++) {
            p[c] = (float)at(json_array_get(prob, i), c);
            m[c] = (uint8_t)at(json_array_get(marks, i), c);
        }
        add(e, (hst_judged){.prob = p, .marks = m, .pixels = i + 1, .seen = i >= n - seen}, k);
    }
    check_ok(hst_eval_finish(e, &err), &err);
    return e;
}

static hst_eval *evaluate_numbers(const json_t *g, int folds)
{
    static const double ends[HST_NUMBER_ENDS] = {-15, -5, 6, 1e9};
    static const char *const name[] = {"age"};
    const json_t *truth = json_object_get(g, "true"), *said = json_object_get(g, "said");
    hst_err err = {0};
    hst_eval *e = hst_eval_of(
        &(hst_eval_kind){.labels = name, .n_classes = 1, .target = HST_TARGET_NUMBER, .ends = ends},
        json_array_size(truth), &err);
    assert_non_null(e);
    e->folds = folds;
    for (size_t i = 0; i < json_array_size(truth); i++) {
        const float p = (float)at(said, i);
        add(e, (hst_judged){.prob = &p, .number = at(truth, i), .pixels = i + 1}, i);
    }
    check_ok(hst_eval_finish(e, &err), &err);
    return e;
}

static void labels_are_measured(void **state)
{
    const json_t *g = json_object_get(*state, "labels"), *value = json_object_get(g, "value");
    const json_t *ap = json_object_get(g, "ap"), *interval = json_object_get(g, "interval");
    const size_t n = json_array_size(json_object_get(g, "marks"));
    hst_eval *e = evaluate_labels(g, n, 0, 1); /* copies do not count */
    hst_err err = {0};
    double v, low, high;
    assert_int_equal(hst_eval_target(e), HST_TARGET_LABELS);
    check_ok(hst_eval_metric(e, "copies", &v, NULL, NULL, &err), &err);
    assert_int_equal((int)v, n);
    for (size_t k = 0; k < N_METRICS; k++) {
        const char *what = metrics[k];
        check_ok(hst_eval_metric(e, what, &v, NULL, NULL, &err), &err);
        close_to(v, json_number_value(json_object_get(value, what)), what);
        check_ok(hst_eval_metric(e, what, &v, &low, &high, &err), &err);
        close_to(v, json_number_value(json_object_get(value, what)), what);
        if (strcmp(what, "subset_accuracy") == 0) {
            double l, h; /* Wilson's */
            hst_wilson((uint64_t)round(v * (double)n), n, &l, &h);
            assert_true(low == l && high == h);
            continue;
        }
        close_to(low, at(json_array_get(interval, k), 0), what);
        close_to(high, at(json_array_get(interval, k), 1), what);
    }
    for (int c = 0; c < LABELS; c++) {
        hst_estimate s;
        check_ok(hst_eval_class_metric(e, c, "ap", &s, &err), &err);
        close_to(s.value, at(ap, (size_t)c), "ap");
        close_to(s.low, at(json_array_get(interval, N_METRICS + (size_t)c), 0), "ap low");
        close_to(s.high, at(json_array_get(interval, N_METRICS + (size_t)c), 1), "ap high");
    }
    hst_eval_free(e);
}

/* Of one label by hand. */
static void a_label_is_scored(void **state)
{
    (void)state;
    static const uint8_t has[] = {1, 1, 0, 0, 1};
    static const float p[] = {0.9f, 0.1f, 0.8f, 0.2f, 0.5f};
    const float t = 0.5f;
    hst_err err = {0};
    hst_estimate s;
    double low, high;
    hst_eval *e = hst_eval_of(
        &(hst_eval_kind){
            .labels = names, .n_classes = 1, .target = HST_TARGET_LABELS, .threshold = &t},
        5, &err);
    assert_non_null(e);
    for (size_t i = 0; i < 5; i++)
        add(e, (hst_judged){.prob = &p[i], .marks = &has[i], .pixels = i + 1}, i);
    check_ok(hst_eval_finish(e, &err), &err);
    const hst_class_score *score = hst_eval_class(e, 0); /* said of 3, 2 of them right, of 3 */
    assert_true(score->precision == 2.0 / 3 && score->recall == 2.0 / 3 && score->f1 == 2.0 / 3);
    assert_int_equal(score->support, 3);
    check_ok(hst_eval_class_metric(e, 0, "precision", &s, &err), &err);
    hst_wilson(2, 3, &low, &high);
    assert_true(s.value == 2.0 / 3 && s.low == low && s.high == high);
    check_ok(hst_eval_class_metric(e, 0, "f1", &s, &err), &err);
    close_to(s.value, 2.0 / 3, "f1");
    assert_int_equal(hst_eval_class_metric(e, 0, "auroc", &s, &err), HST_EARG);
    assert_true(hst_eval_threshold(e, 0) == 0.5);
    assert_int_equal(hst_eval_at(e, 0)->truth, -1);
    assert_int_equal(hst_eval_at(e, 0)->guess, -1);
    assert_int_equal(hst_eval_confusion(e, 0, 0), 0);
    hst_eval_free(e);
}

static void seen_photos_do_not_count(void **state)
{
    const json_t *g = json_object_get(*state, "labels");
    hst_eval *all = evaluate_labels(g, 60, 20, 0), *few = evaluate_labels(g, 40, 0, 0);
    hst_err err = {0};
    double a, b, seen;
    for (size_t k = 0; k < N_METRICS; k++) {
        check_ok(hst_eval_metric(all, metrics[k], &a, NULL, NULL, &err), &err);
        check_ok(hst_eval_metric(few, metrics[k], &b, NULL, NULL, &err), &err);
        assert_true(a == b);
    }
    check_ok(hst_eval_metric(all, "seen", &seen, NULL, NULL, &err), &err);
    assert_int_equal((int)seen, 20);
    hst_eval_free(all);
    hst_eval_free(few);
}

static void numbers_are_measured(void **state)
{
    const json_t *g = json_object_get(*state, "number"), *value = json_object_get(g, "value");
    const json_t *interval = json_object_get(g, "interval");
    hst_eval *e = evaluate_numbers(g, 5);
    hst_err err = {0};
    double v, low, high, inside = 0;
    for (size_t k = 0; k < sizeof of_number / sizeof *of_number; k++) {
        check_ok(hst_eval_metric(e, of_number[k], &v, &low, &high, &err), &err);
        close_to(v, json_number_value(json_object_get(value, of_number[k])), of_number[k]);
        close_to(low, at(json_array_get(interval, k), 0), of_number[k]);
        close_to(high, at(json_array_get(interval, k), 1), of_number[k]);
    }
    const hst_eval_photo *p;
    for (size_t i = 0; (p = hst_eval_at(e, i)); i++) {
        assert_true(p->truth == -1 && p->guess == -1 && p->marks == NULL);
        inside += p->number - p->value >= -5 && p->number - p->value <= 6;
    }
    check_ok(hst_eval_metric(e, "coverage_80", &v, &low, &high, &err), &err);
    close_to(v, inside / (double)json_array_size(json_object_get(g, "true")), "coverage");
    assert_true(low < v && v < high);
    hst_eval_free(e);
}

static void names_of_others_are_refused(void **state)
{
    hst_eval *labels = evaluate_labels(json_object_get(*state, "labels"), 10, 0, 0);
    hst_eval *number = evaluate_numbers(json_object_get(*state, "number"), 1);
    const hst_eval *both[] = {labels, labels};
    hst_err err = {0};
    double v;
    hst_estimate s;
    assert_int_equal(hst_eval_metric(labels, "accuracy", &v, NULL, NULL, &err), HST_EARG);
    assert_non_null(strstr(err.msg, "micro_"));
    assert_int_equal(hst_eval_metric(number, "map", &v, NULL, NULL, &err), HST_EARG);
    assert_non_null(strstr(err.msg, "rmse"));
    assert_int_equal(hst_eval_class_metric(number, 0, "f1", &s, &err), HST_EARG);
    assert_null(hst_compare(both, 2, &err));
    assert_int_equal(err.code, HST_EARG);
    hst_eval_free(labels);
    hst_eval_free(number);
}

static void nothing_is_measured_without_photos(void **state)
{
    hst_eval *labels = evaluate_labels(json_object_get(*state, "labels"), 10, 10, 0);
    hst_err err = {0};
    double v, low, high;
    for (size_t k = 0; k < N_METRICS; k++) {
        check_ok(hst_eval_metric(labels, metrics[k], &v, &low, &high, &err), &err);
        assert_true(isnan(v) && isnan(low) && isnan(high));
    }
    hst_eval_free(labels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(labels_are_measured),
                                       cmocka_unit_test(a_label_is_scored),
                                       cmocka_unit_test(seen_photos_do_not_count),
                                       cmocka_unit_test(numbers_are_measured),
                                       cmocka_unit_test(names_of_others_are_refused),
                                       cmocka_unit_test(nothing_is_measured_without_photos)};
    return cmocka_run_group_tests(tests, load, unload);
}
