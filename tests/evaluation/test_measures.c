/* measures: against scikit-learn (golden_metrics.py). */
#include "support.h"

#include "evaluation/auroc.h"
#include "evaluation/evaluation.h"
#include "evaluation/measures.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 200, CLASSES = 5 };
static const char *const labels[CLASSES] = {"a", "b", "c", "d", "e"};

typedef struct golden {
    json_t *json, *more;
    npy logits, labels;
} golden;

static char *golden_path(const char *name)
{
    char *path;
    assert_true(asprintf(&path, "%s/tests/golden/metrics/%s", getenv("HEADSTART_ROOT"), name) > 0);
    return path;
}

static json_t *read_json(const char *name)
{
    json_error_t why;
    char *path = golden_path(name);
    json_t *j = json_load_file(path, 0, &why);
    free(path);
    return j;
}

static npy read_npy(const char *name)
{
    char *path = golden_path(name);
    npy a = npy_read(path);
    free(path);
    return a;
}

static int load(void **state)
{
    static golden g;
    g.json = read_json("metrics.json");
    g.more = read_json("more.json");
    g.logits = read_npy("logits.npy");
    g.labels = read_npy("labels.npy");
    *state = &g;
    return g.json && g.more ? 0 : -1;
}

static int unload(void **state)
{
    golden *g = *state;
    json_decref(g->json);
    json_decref(g->more);
    free(g->logits.data);
    free(g->labels.data);
    return 0;
}

static double at(const json_t *list, int i)
{
    const json_t *v = json_array_get(list, (size_t)i);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_number(v))
        fail_msg("no number %s", key);
    return json_number_value(v);
}

static void close_to(double got, double want, double rtol, const char *what)
{
    if (isnan(want) ? !isnan(got) : !(fabs(got - want) <= rtol * fabs(want)))
        fail_msg("%s: got %.17g, want %.17g", what, got, want);
}

static void prob_of(const golden *g, int i, float prob[CLASSES])
{
    double z[CLASSES], p[CLASSES];
    for (int c = 0; c < CLASSES; c++)
        z[c] = ((const float *)g->logits.data)[i * CLASSES + c];
    hst_softmax_f64(z, CLASSES, p);
    for (int c = 0; c < CLASSES; c++)
        prob[c] = (float)p[c];
}

static void add(hst_eval *e, const char *path, int truth, const float *prob, int seen)
{
    hst_err err = {0};
    const hst_judged j = {.path = path, .truth = truth, .prob = prob, .seen = seen};
    check_ok(hst_eval_add(e, &j, &err), &err);
}

static void finish(hst_eval *e)
{
    hst_err err = {0};
    check_ok(hst_eval_finish(e, &err), &err);
}

/* rough: many probabilities are equal, and class 3 has no photo. */
static hst_eval *evaluate(const golden *g, int rough, int folds)
{
    hst_err e = {0};
    hst_eval *eval = hst_eval_new(labels, CLASSES, N, &e);
    assert_non_null(eval);
    for (int i = 0; i < N; i++) {
        float prob[CLASSES];
        char path[32];
        int truth = ((const int *)g->labels.data)[i];
        snprintf(path, sizeof path, "%d.jpg", i);
        prob_of(g, i, prob);
        for (int c = 0; rough && c < CLASSES; c++)
            prob[c] = rintf(prob[c] * 8) / 8;
        if (!rough || truth != 3)
            add(eval, path, truth, prob, 0);
    }
    eval->folds = folds;
    finish(eval);
    return eval;
}

static double value_of(const hst_eval *e, const char *name)
{
    hst_err err = {0};
    double v = 0;
    check_ok(hst_eval_metric(e, name, &v, NULL, NULL, &err), &err);
    return v;
}

static void metrics_are_those_of_scikit_learn(void **state)
{
    const golden *g = *state;
    hst_eval *e = evaluate(g, 0, 1);
    const json_t *j = g->json, *top = json_object_get(j, "top_k");
    static const char *const averages[] = {"precision", "recall", "f1"};
    for (size_t i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "macro_%s", averages[i]);
        close_to(value_of(e, name), number(json_object_get(j, "macro"), averages[i]), 1e-9, name);
        snprintf(name, sizeof name, "weighted_%s", averages[i]);
        close_to(value_of(e, name), number(json_object_get(j, "weighted"), averages[i]), 1e-9,
                 name);
    }
    close_to(value_of(e, "balanced_accuracy"), number(j, "balanced_accuracy"), 1e-9, "balanced");
    close_to(value_of(e, "brier"), number(j, "brier"), 1e-9, "brier");
    close_to(value_of(e, "auroc"), number(j, "auroc_macro"), 1e-9, "auroc");
    close_to(value_of(e, "top_1"), number(top, "1"), 1e-9, "top 1");
    close_to(value_of(e, "top_2"), number(top, "2"), 1e-9, "top 2");
    close_to(value_of(e, "top_3"), number(top, "3"), 1e-9, "top 3");
    close_to(value_of(e, "top_5"), number(top, "5"), 1e-9, "top 5");
    for (int c = 0; c < CLASSES; c++) {
        hst_estimate v;
        hst_err err = {0};
        check_ok(hst_eval_class_metric(e, c, "auroc", &v, &err), &err);
        close_to(v.value, at(json_object_get(j, "auroc_ovr"), c), 1e-9, "auroc of a class");
    }
    hst_eval_free(e);
}

/* An evaluation has its probabilities as floats, which moves a loss by some 1e-9; here they are
 * double. */
static void measures_in_double(void **state)
{
    const golden *g = *state;
    hst_err err = {0};
    double value[HST_N_MEASURES], p[CLASSES], z[CLASSES];
    float prob[N][CLASSES];
    hst_outcome photo[N];
    for (int i = 0; i < N; i++) {
        int truth = ((const int *)g->labels.data)[i];
        prob_of(g, i, prob[i]);
        for (int c = 0; c < CLASSES; c++)
            z[c] = ((const float *)g->logits.data)[i * CLASSES + c];
        hst_softmax_f64(z, CLASSES, p);
        photo[i] = (hst_outcome){.prob = prob[i],
                                 .truth = truth,
                                 .guess = hst_argmax(prob[i], CLASSES),
                                 .log_loss = hst_log_loss(p[truth])};
        photo[i].confidence = p[photo[i].guess];
    }
    hst_outcomes o = {.n = N, .n_classes = CLASSES, .photo = photo, .draws = N};
    check_ok(hst_outcomes_measure(&o, value, &err), &err);
    close_to(value[HST_LOG_LOSS], number(g->json, "nll"), 1e-12, "log loss");
    close_to(value[HST_CALIBRATION_ERROR], number(g->json, "ece15"), 1e-12, "calibration error");
}

/* Photos that the model has seen, all of them wrong, change no number. */
static void photos_that_do_not_count(void **state)
{
    const golden *g = *state;
    static const char *const names[] = {
        "top_2", "brier", "auroc", "macro_f1", "calibration_error", "log_loss"};
    hst_err err = {0};
    hst_eval *plain = evaluate(g, 0, 1), *e = hst_eval_new(labels, CLASSES, N + 10, &err);
    for (size_t i = 0; i < N; i++) {
        const hst_eval_photo *p = hst_eval_at(plain, i);
        if (i % 20 == 0)
            add(e, "seen", (p->guess + 1) % CLASSES, p->prob, 1);
        add(e, p->path, p->truth, p->prob, 0);
    }
    finish(e);
    assert_int_equal(e->n_seen, 10);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        double a[3], b[3];
        check_ok(hst_eval_metric(plain, names[i], &a[0], &a[1], &a[2], &err), &err);
        check_ok(hst_eval_metric(e, names[i], &b[0], &b[1], &b[2], &err), &err);
        assert_memory_equal(a, b, sizeof a);
    }
    for (int k = 0; k < HST_BINS; k++)
        assert_int_equal(hst_eval_reliability(e, k)->n, hst_eval_reliability(plain, k)->n);
    hst_eval_free(plain);
    hst_eval_free(e);
}

static void check_intervals(const hst_eval *e, const json_t *want)
{
    hst_err err = {0};
    const char *name;
    json_t *value;
    double v, low, high;
    json_object_foreach(json_object_get(want, "value"), name, value)
    {
        const json_t *interval = json_object_get(json_object_get(want, "interval"), name);
        check_ok(hst_eval_metric(e, name, &v, &low, &high, &err), &err);
        close_to(v, json_number_value(value), 1e-9, name);
        if (strcmp(name, "weighted_recall") == 0) /* Wilson's: it is the accuracy */
            continue;
        close_to(low, at(interval, 0), 1e-9, name);
        close_to(high, at(interval, 1), 1e-9, name);
    }
    for (int c = 0; c < CLASSES; c++) {
        const json_t *pair = json_array_get(json_object_get(want, "auroc_interval"), (size_t)c);
        hst_estimate a;
        check_ok(hst_eval_class_metric(e, c, "auroc", &a, &err), &err);
        close_to(a.value, at(json_object_get(want, "auroc"), c), 1e-9, "auroc of a class");
        close_to(a.low, at(pair, 0), 1e-9, "its low end");
        close_to(a.high, at(pair, 1), 1e-9, "its high end");
    }
}

static void intervals_are_those_of_samples_drawn_again(void **state)
{
    const golden *g = *state;
    static const struct {
        const char *name;
        int rough, folds;
    } cases[] = {{"smooth", 0, 1}, {"out_of_5_folds", 0, 5}, {"rough", 1, 1}};
    for (size_t i = 0; i < 3; i++) {
        hst_eval *e = evaluate(g, cases[i].rough, cases[i].folds);
        check_intervals(e, json_object_get(g->more, cases[i].name));
        hst_eval_free(e);
    }
}

/* Also with equal probabilities, where of equal ones the first counts as larger. */
static void top_k_has_the_interval_of_a_proportion(void **state)
{
    const golden *g = *state;
    for (int rough = 0; rough < 2; rough++) {
        hst_eval *e = evaluate(g, rough, 1);
        const json_t *want =
            json_object_get(json_object_get(g->more, "top"), rough ? "rough" : "smooth");
        for (int k = 1; k <= CLASSES + 1; k++) {
            char name[16];
            double v, low, high, want_low, want_high;
            hst_err err = {0};
            snprintf(name, sizeof name, "top_%d", k);
            check_ok(hst_eval_metric(e, name, &v, &low, &high, &err), &err);
            close_to(v, at(want, k - 1), 1e-12, name);
            hst_wilson((uint64_t)llround(v * (double)e->n), e->n, &want_low, &want_high);
            close_to(low, want_low, 1e-12, name);
            close_to(high, want_high, 1e-12, name);
        }
        hst_eval_free(e);
    }
}

static void areas_of_many_photos_have_standard_errors(void **state)
{
    const golden *g = *state;
    for (int rough = 0; rough < 2; rough++) {
        hst_eval *e = evaluate(g, rough, 1);
        const json_t *want =
            json_object_get(json_object_get(g->more, "standard_error"), rough ? "rough" : "smooth");
        hst_err err = {0};
        value_of(e, "auroc");
        struct hst_measures *m = e->measures;
        check_ok(hst_auroc_intervals(&m->outcomes, 0, m->area, &err), &err);
        for (int c = 0; c <= CLASSES; c++) {
            double half = 1.959963984540054 * at(want, c);
            const hst_estimate *a = &m->area[c];
            close_to(a->low, a->value - half, 1e-9, "low");
            close_to(a->high, a->value + half, 1e-9, "high");
        }
        hst_eval_free(e);
    }
}

static void scores_of_a_class_have_intervals(void **state)
{
    const golden *g = *state;
    hst_err err = {0};
    hst_eval *e = evaluate(g, 1, 1);
    const hst_class_score *s = hst_eval_class(e, 1);
    hst_estimate v = {0};
    double low, high;
    check_ok(hst_eval_class_metric(e, 1, "recall", &v, &err), &err);
    hst_wilson(hst_eval_confusion(e, 1, 1), s->support, &low, &high);
    assert_true(v.value == s->recall && v.low == low && v.high == high);
    check_ok(hst_eval_class_metric(e, 1, "precision", &v, &err), &err);
    assert_true(v.value == s->precision && v.low < v.value && v.value < v.high);
    check_ok(hst_eval_class_metric(e, 1, "f1", &v, &err), &err);
    close_to(v.value, s->f1, 1e-15, "f1");
    assert_true(v.low < v.value && v.value < v.high);
    v = (hst_estimate){0};
    assert_int_equal(hst_eval_class_metric(e, 3, "kappa", &v, &err), HST_EARG);
    assert_int_equal(hst_eval_class_metric(e, CLASSES, "f1", &v, &err), HST_EARG);
    assert_int_equal(hst_eval_class_metric(e, -1, "f1", &v, &err), HST_EARG);
    assert_true(v.value == 0); /* as it was */
    check_ok(hst_eval_class_metric(e, 3, "recall", &v, &err), &err);
    assert_true(isnan(v.value) && isnan(v.low) && isnan(v.high)); /* it has no photo */
    hst_eval_free(e);
}

/* F1 = 2J / (1 + J): 3 hits, 2 photos of the class missed, 1 of another taken for it: J = 3/6, of
 * which SciPy's Wilson interval is LOW to HIGH */
static void f1_follows_from_a_proportion(void **state)
{
    (void)state;
    const double LOW = 0.18761630648265054, HIGH = 0.8123836935173494;
    static const int truth[] = {0, 0, 0, 0, 0, 1, 1, 1}, guess[] = {0, 0, 0, 1, 1, 0, 1, 1};
    hst_err err = {0};
    hst_estimate v;
    hst_eval *e = hst_eval_new(labels, 2, 8, &err);
    for (int i = 0; i < 8; i++) {
        const float prob[2] = {guess[i] ? 0 : 1, guess[i] ? 1 : 0};
        add(e, "x", truth[i], prob, 0);
    }
    finish(e);
    check_ok(hst_eval_class_metric(e, 0, "f1", &v, &err), &err);
    close_to(v.value, 2. / 3, 1e-15, "f1");
    close_to(v.low, 2 * LOW / (1 + LOW), 1e-12, "low");
    close_to(v.high, 2 * HIGH / (1 + HIGH), 1e-12, "high");
    hst_eval_free(e);
}

static void unknown_names_and_no_photos(void **state)
{
    (void)state;
    static const char *const wrong[] = {"top_0", "top_", "top_1x", "top_-1", "top_1234567", "topp"};
    static const char *const names[] = {"top_2", "brier", "auroc", "macro_f1", "calibration_error"};
    hst_err err = {0};
    double v, low, high;
    hst_eval *e = hst_eval_new(labels, CLASSES, 0, &err);
    finish(e);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(hst_eval_metric(e, wrong[i], &v, NULL, NULL, &err), HST_EARG);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        check_ok(hst_eval_metric(e, names[i], &v, &low, &high, &err), &err);
        assert_true(isnan(v) && isnan(low) && isnan(high));
    }
    assert_null(hst_eval_confused(e, 0));
    assert_int_equal(hst_eval_reliability(e, 14)->n, 0);
    hst_eval_free(e);
}

static void one_photo_of_one_class(void **state)
{
    (void)state;
    static const float prob[] = {1};
    hst_err err = {0};
    double v, low, high;
    hst_eval *e = hst_eval_new(labels, 1, 1, &err);
    add(e, "x", 0, prob, 0);
    finish(e);
    check_ok(hst_eval_metric(e, "auroc", &v, &low, &high, &err), &err);
    assert_true(isnan(v) && isnan(low) && isnan(high)); /* there is no other class */
    check_ok(hst_eval_metric(e, "macro_f1", &v, &low, &high, &err), &err);
    assert_true(v == 1 && low == 1 && high == 1);
    assert_int_equal(hst_eval_reliability(e, 14)->n, 1);
    hst_eval_free(e);
}

static void confused_pairs_are_in_order(void **state)
{
    const golden *g = *state;
    hst_eval *e = evaluate(g, 0, 1);
    const hst_confused *p, *before = NULL;
    uint64_t wrong = 0;
    size_t n = 0;
    for (; (p = hst_eval_confused(e, n)); n++) {
        assert_true(p->truth != p->guess);
        assert_int_equal(p->n, hst_eval_confusion(e, p->truth, p->guess));
        close_to(p->part, (double)p->n / (double)hst_eval_class(e, p->truth)->support, 1e-15, "");
        assert_true(p->part == hst_eval_confusion_part(e, p->truth, p->guess));
        assert_true(!before || before->n >= p->n);
        wrong += p->n;
        before = p;
    }
    assert_int_equal(wrong, N - e->hits);
    assert_int_equal(n, 18);     /* of the 20 cells beside the diagonal two are 0 */
    p = hst_eval_confused(e, 0); /* the first of three with 7 and 6 photos: 2 as 3 */
    assert_true(p->truth == 2 && p->guess == 3 && p->n == 7);
    assert_true(hst_eval_confusion_part(e, 0, CLASSES) == 0);
    assert_true(hst_eval_confusion_part(e, -1, 0) == 0);
    hst_eval_free(e);
}

static void bins_are_those_of_the_calibration_error(void **state)
{
    const golden *g = *state;
    const json_t *want = json_object_get(g->json, "ece15_bins_count_conf_acc");
    hst_eval *e = evaluate(g, 0, 1);
    for (int k = 0; k < HST_BINS; k++) {
        const json_t *row = json_array_get(want, (size_t)k);
        const hst_reliability *r = hst_eval_reliability(e, k);
        assert_int_equal(r->n, (int)at(row, 0));
        close_to(r->confidence, at(row, 1), 1e-7, "confidence"); /* floats */
        close_to(r->accuracy, at(row, 2), 1e-12, "accuracy");
        assert_true(r->n == 0 || (r->low <= r->accuracy && r->accuracy <= r->high));
        close_to(r->above, k / 15., 1e-15, "above");
    }
    assert_null(hst_eval_reliability(e, HST_BINS));
    assert_null(hst_eval_reliability(e, -1));
    hst_eval_free(e);
}

static void edges_belong_to_the_bin_below(void **state)
{
    (void)state;
    for (int k = 0; k < HST_BINS; k++) {
        float edge = (float)((k + 1.) / HST_BINS);
        assert_int_equal(hst_bin(edge), k);
        assert_int_equal(hst_bin(nextafterf(edge, 2)), k < HST_BINS - 1 ? k + 1 : k);
    }
    assert_int_equal(hst_bin(0), 0);
    assert_int_equal(hst_bin(-1), 0);
    assert_int_equal(hst_bin(NAN), 0);
    assert_int_equal(hst_bin(INFINITY), HST_BINS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_are_those_of_scikit_learn),
        cmocka_unit_test(measures_in_double),
        cmocka_unit_test(photos_that_do_not_count),
        cmocka_unit_test(intervals_are_those_of_samples_drawn_again),
        cmocka_unit_test(top_k_has_the_interval_of_a_proportion),
        cmocka_unit_test(areas_of_many_photos_have_standard_errors),
        cmocka_unit_test(scores_of_a_class_have_intervals),
        cmocka_unit_test(f1_follows_from_a_proportion),
        cmocka_unit_test(unknown_names_and_no_photos),
        cmocka_unit_test(one_photo_of_one_class),
        cmocka_unit_test(confused_pairs_are_in_order),
        cmocka_unit_test(bins_are_those_of_the_calibration_error),
        cmocka_unit_test(edges_belong_to_the_bin_below),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
