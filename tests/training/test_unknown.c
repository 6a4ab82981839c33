/* training: what a model keeps to know photos of no class by. */
#include "made_up.h"
#include "support.h"

#include "base/mem.h"
#include "training/unknown.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void every_class_gives_its_share(void **state)
{
    (void)state;
    enum { N = 100 };
    static const size_t want[][4] = {/* most, of each class: 70, 25 and 5 there are */
                                     {100, 70, 25, 5}, {99, 69, 25, 5}, {30, 13, 12, 5},
                                     {9, 3, 3, 3},     {2, 1, 1, 0},    {1, 1, 0, 0}};
    int label[N];
    size_t row[N];
    for (int i = 0; i < N; i++)
        label[i] = i % 20 == 7 ? 2 : i % 4 == 1 ? 1 : 0;
    for (size_t k = 0; k < sizeof want / sizeof *want; k++) {
        hst_err err = {0};
        size_t got[3] = {0};
        const int64_t n = hst_unknown_choose(label, N, 3, want[k][0], row, &err);
        assert_int_equal(n, want[k][0]);
        for (int64_t i = 0; i < n; i++) {
            assert_true(i == 0 || row[i] > row[i - 1]);
            got[label[row[i]]]++;
        }
        assert_memory_equal(got, want[k] + 1, sizeof got);
    }
    const int64_t n = hst_unknown_choose(label, N, 3, 9, row, NULL); /* evenly spaced */
    assert_int_equal(n, 9);
    assert_true(row[0] >= 20 && row[8] >= 90);
}

/* ---- fitted to made-up photos of known features ---- */

enum { DIM = 8, CLASSES = 2, MOST = 400 };

typedef struct scene {
    hst_fit fit;
    hst_run run;
    hst_features features;
    hst_extractor extractor;
    hst_model model;
    hst_out_of_fold o;
    hst_examples e;
    float x[MOST][DIM];
} scene;

/* n photos, those of a class around a point of their own, dealt to the folds in turn. */
static scene *set_up(size_t n, int threads)
{
    scene *s = calloc(1, sizeof *s);
    s->extractor = (hst_extractor){.dim = DIM, .n_branches = 1, .branch = {{.dim = DIM}}};
    s->model = (hst_model){.extractor = &s->extractor, .n_classes = CLASSES, .dim = DIM};
    s->model.kernel = calloc(DIM * CLASSES, sizeof(float));
    s->model.bias = calloc(CLASSES, sizeof(float));
    s->features.pixels = calloc(n, sizeof *s->features.pixels);
    s->run.features = &s->features;
    s->run.settings.unknown_rate = 0.05;
    s->fit = (hst_fit){.ctx = made_up_ctx(threads), .run = &s->run, .model = &s->model};
    s->e = (hst_examples){.x = calloc(n, sizeof *s->e.x),
                          .label = calloc(n, sizeof(int)),
                          .photo = calloc(n, sizeof(size_t)),
                          .n = n};
    s->o = (hst_out_of_fold){.n = n,
                             .n_classes = CLASSES,
                             .fold = calloc(n, sizeof(int)),
                             .prob = calloc(n * CLASSES, sizeof(float))};
    for (size_t i = 0; i < n; i++) {
        const int c = s->e.label[i] = (int)(i % CLASSES);
        for (int j = 0; j < DIM; j++) {
            const double z = made_up_noise(5, (uint32_t)(i * DIM) + (uint32_t)j);
            s->x[i][j] = (float)(0.6 + z + (j % CLASSES == c ? 2 : 0));
        }
        s->e.x[i] = s->x[i];
        s->e.photo[i] = i;
        s->o.fold[i] = (int)(i / CLASSES % HST_FOLDS);
        const float p = (float)(0.8 + 0.3 * made_up_noise(6, (uint32_t)i));
        s->o.prob[i * CLASSES + (size_t)c] = p;
        s->o.prob[i * CLASSES + (size_t)(1 - c)] = 1 - p;
    }
    return s;
}

static void tear_down(scene *s)
{
    hst_unknown_free(s->model.unknown);
    for (size_t i = 0; i < s->model.n_record; i++) {
        free(s->model.record[i].key);
        free(s->model.record[i].value);
    }
    free(s->model.record);
    free(s->model.kernel);
    free(s->model.bias);
    free(s->model.seen);
    free(s->features.pixels);
    free(s->e.x);
    free(s->e.label);
    free(s->e.photo);
    hst_out_of_fold_clear(&s->o);
    hst_close(s->fit.ctx);
    free(s);
}

static void fit(scene *s, const hst_out_of_fold *o)
{
    hst_err err = {0};
    check_ok(hst_unknown_fit(&s->fit, &s->e, o, &err), &err);
}

static double score_of(const scene *s, size_t i, int left_out)
{
    hst_err err = {0};
    hst_unknown_work *w = hst_unknown_work_new(DIM, CLASSES, &err);
    double m[HST_N_STRANGE];
    const hst_unknown_asked a = {.x = s->x[i],
                                 .prob = s->o.prob + i * CLASSES,
                                 .n_classes = CLASSES,
                                 .fold = s->o.fold,
                                 .left_out = left_out};
    assert_int_equal(hst_unknown_measure(s->model.unknown, &a, w, m), 1);
    hst_unknown_work_free(w);
    return hst_unknown_combine(s->model.unknown, m);
}

/* Photos of their own fold are left out, and exactly as many scores are above the threshold as the
 * rate says: of 200, ranks 191 and 196 of 201 at 5 and 2.5 %. */
static void the_threshold_is_that_of_the_rate(void **state)
{
    (void)state;
    static const struct {
        double rate;
        size_t above;
    } want[] = {{0.05, 9}, {0.025, 4}, {0.5, 99}};
    for (size_t k = 0; k < sizeof want / sizeof *want; k++) {
        scene *s = set_up(200, 1);
        size_t above = 0, at = 0;
        s->run.settings.unknown_rate = want[k].rate;
        fit(s, &s->o);
        const hst_unknown *u = s->model.unknown;
        assert_non_null(u);
        assert_int_equal(u->n, 200);
        assert_true(u->rate == want[k].rate);
        for (size_t i = 0; i < 200; i++) {
            const double score = score_of(s, i, s->o.fold[i]);
            above += score > u->threshold;
            at += score == u->threshold;
        }
        assert_int_equal(above, want[k].above);
        assert_int_equal(at, 1);
        assert_string_equal(hst_model_record(&s->model, "unknown_n"), "200");
        tear_down(s);
    }
}

/* Mean and deviation are those of the three measures. */
static void what_is_usual_has_mean_0_and_deviation_1(void **state)
{
    (void)state;
    scene *s = set_up(150, 1);
    fit(s, &s->o);
    const hst_unknown *u = s->model.unknown;
    double sum[HST_N_STRANGE] = {0}, square[HST_N_STRANGE] = {0};
    hst_err err = {0};
    hst_unknown_work *w = hst_unknown_work_new(DIM, CLASSES, &err);
    for (size_t i = 0; i < 150; i++) {
        double m[HST_N_STRANGE];
        const hst_unknown_asked a = {.x = s->x[i],
                                     .prob = s->o.prob + i * CLASSES,
                                     .n_classes = CLASSES,
                                     .fold = s->o.fold,
                                     .left_out = s->o.fold[i]};
        assert_int_equal(hst_unknown_measure(u, &a, w, m), 1);
        for (int k = 0; k < HST_N_STRANGE; k++) {
            const double z = (m[k] - u->mean[k]) / u->deviation[k];
            sum[k] += z;
            square[k] += z * z;
        }
    }
    for (int k = 0; k < HST_N_STRANGE; k++)
        assert_true(fabs(sum[k]) < 1e-9 && fabs(square[k] / 150 - 1) < 1e-9);
    hst_unknown_work_free(w);
    tear_down(s);
}

/* 19 photos are the fewest that tell 5 %: all of them may be below the threshold. */
static void too_few_photos_and_it_does_without(void **state)
{
    (void)state;
    for (size_t n = 18; n <= 19; n++) {
        scene *s = set_up(n, 1);
        fit(s, &s->o);
        assert_int_equal(s->model.unknown != NULL, n == 19);
        assert_int_equal(hst_model_record(&s->model, "unknown_rate") != NULL, n == 19);
        tear_down(s);
    }
    scene *s = set_up(100, 1);
    s->run.settings.unknown_rate = 0;
    fit(s, &s->o);
    assert_null(s->model.unknown);
    for (size_t i = 0; i < 90; i++) /* never held out */
        s->o.fold[i] = HST_FOLDS;
    s->run.settings.unknown_rate = 0.05;
    fit(s, &s->o);
    assert_null(s->model.unknown);
    tear_down(s);
}

/* Without predictions out of fold the validation side is asked, but for photos that the model has
 * learned from. */
static void the_validation_side_may_set_it(void **state)
{
    (void)state;
    scene *s = set_up(60, 1);
    const hst_out_of_fold none = {0};
    hst_err err = {0};
    s->fit.validation = s->e;
    s->fit.validation.x += 20;
    s->fit.validation.photo += 20;
    s->fit.validation.label += 20;
    s->fit.validation.n = 40;
    s->e.n = 20;
    s->features.pixels[30] = 7;
    check_ok(hst_model_set_seen(&s->model, &(uint64_t){7}, 1, &err), &err);
    fit(s, &none);
    assert_non_null(s->model.unknown);
    assert_int_equal(s->model.unknown->n, 20);
    assert_string_equal(hst_model_record(&s->model, "unknown_n"), "39");
    assert_true(s->model.unknown->deviation[HST_UNSURE] == 0); /* a head of zeros is never sure */
    assert_true(s->model.unknown->deviation[HST_APART] > 0);
    tear_down(s);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    scene *a = set_up(MOST, 1), *b = set_up(MOST, 3);
    fit(a, &a->o);
    fit(b, &b->o);
    const hst_unknown *u = a->model.unknown, *v = b->model.unknown;
    assert_memory_equal(u->mean, v->mean, sizeof u->mean);
    assert_memory_equal(u->deviation, v->deviation, sizeof u->deviation);
    assert_memory_equal(&u->threshold, &v->threshold, sizeof u->threshold);
    assert_memory_equal(u->root, v->root, MOST * DIM);
    tear_down(a);
    tear_down(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_class_gives_its_share),
        cmocka_unit_test(the_threshold_is_that_of_the_rate),
        cmocka_unit_test(what_is_usual_has_mean_0_and_deviation_1),
        cmocka_unit_test(too_few_photos_and_it_does_without),
        cmocka_unit_test(the_validation_side_may_set_it),
        cmocka_unit_test(threads_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
