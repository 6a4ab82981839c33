/* review: neighbours are the nearest, wrong labels come first, odd photos are told apart. */
#include "made_up.h"
#include "support.h"

#include "base/random.h"
#include "review/findings.h"
#include "review/neighbours.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 300, DIM = 24, CLASSES = 3, WRONG = 15 };

/* Overlapping clouds, photo i of class i % CLASSES, whose label is the next class for every 20th;
 * photo 1 is far from all, photo 6 a copy of photo 3. */
typedef struct scene {
    float x[N][DIM];
    const float *row[N];
    int truth[N], label[N];
    size_t group[N];
} scene;

static scene *set_up(void)
{
    scene *s = calloc(1, sizeof *s);
    hst_rng r = hst_rng_new(7, HST_RNG_INIT, 0, 0);
    assert_non_null(s);
    for (size_t i = 0; i < N; i++) {
        s->row[i] = s->x[i];
        s->group[i] = i;
        s->truth[i] = (int)(i % CLASSES);
        s->label[i] = i % (N / WRONG) ? s->truth[i] : (s->truth[i] + 1) % CLASSES;
        for (int k = 0; k < DIM; k++)
            s->x[i][k] = (float)(hst_rng_uniform(&r) + (k % CLASSES == s->truth[i] ? 0.35 : 0));
    }
    for (int k = 0; k < DIM; k++)
        s->x[1][k] = k == 5 ? 3.f : -.2f;
    memcpy(s->x[6], s->x[3], sizeof s->x[6]);
    return s;
}

static hst_findings_in all_of(const scene *s)
{
    return (hst_findings_in){
        .x = s->row, .label = s->label, .n = N, .dim = DIM, .n_classes = CLASSES, .seed = 1};
}

static double cosine(const float *a, const float *b)
{
    double ab = 0, aa = 0, bb = 0;
    for (int k = 0; k < DIM; k++) {
        ab += (double)a[k] * (double)b[k];
        aa += (double)a[k] * (double)a[k];
        bb += (double)b[k] * (double)b[k];
    }
    return ab / sqrt(aa * bb);
}

/* Against all pairs: none that is left out is nearer than the last that is kept. */
static void neighbours_are_the_nearest(void **state)
{
    (void)state;
    hst_err e = {0};
    scene *s = set_up();
    hst_ctx *ctx = made_up_ctx(2);
    hst_neighbours o;
    s->group[6] = 3;
    const hst_near_in in = {.x = s->row, .group = s->group, .n = N, .dim = DIM};
    check_ok(hst_neighbours_find(ctx, &in, &o, &e), &e);
    double mean = 0;
    for (size_t i = 0; i < N; i++) {
        const hst_neighbour *near = o.near + i * HST_NEAR;
        char kept[N] = {0};
        assert_int_equal(o.n_near[i], HST_NEAR);
        for (int k = 0; k < HST_NEAR; k++) {
            kept[near[k].photo] = 1;
            assert_true(fabs((double)near[k].cosine - cosine(s->x[i], s->x[near[k].photo])) < 1e-5);
            assert_true(k == 0 || near[k].cosine <= near[k - 1].cosine);
        }
        assert_int_equal(kept[i], 0);
        if (i == 3 || i == 6) /* copies */
            assert_int_equal(kept[9 - i], 0);
        for (size_t j = 0; j < N; j++) {
            mean += cosine(s->x[i], s->x[j]) / N / N;
            if (!kept[j] && s->group[j] != s->group[i])
                assert_true(cosine(s->x[i], s->x[j]) < (double)near[HST_NEAR - 1].cosine + 1e-5);
        }
    }
    assert_true(fabs(o.mean_cosine - mean) < 1e-5);
    hst_neighbours_clear(&o);
    hst_close(ctx);
    free(s);
}

/* Few photos have few neighbours, and one has none. */
static void few_photos_have_few_neighbours(void **state)
{
    (void)state;
    hst_err e = {0};
    scene *s = set_up();
    hst_ctx *ctx = made_up_ctx(1);
    hst_neighbours o;
    for (size_t n = 1; n < 4; n++) {
        const hst_near_in in = {.x = s->row, .group = s->group, .n = n, .dim = DIM};
        check_ok(hst_neighbours_find(ctx, &in, &o, &e), &e);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(o.n_near[i], n - 1);
        hst_neighbours_clear(&o);
    }
    hst_close(ctx);
    free(s);
}

static void find(int threads, const hst_findings_in *in, hst_finding *f)
{
    hst_err e = {0};
    hst_ctx *ctx = made_up_ctx(threads);
    memset(f, 0, in->n * sizeof *f);
    check_ok(hst_findings_make(ctx, in, f, &e), &e);
    hst_close(ctx);
}

/* Of the photos with the smallest probability of their label most are those with wrong ones. */
static void wrong_labels_come_first(void **state)
{
    (void)state;
    scene *s = set_up();
    hst_findings_in in = all_of(s);
    hst_finding f[N];
    find(2, &in, f);
    int first = 0, wrong = 0, found = 0, named = 0;
    for (int i = 0; i < N; i++) {
        int less = 0;
        assert_true(f[i].judged);
        for (int j = 0; j < N; j++)
            less += f[j].prob < f[i].prob;
        first += less < WRONG && s->label[i] != s->truth[i];
        wrong += f[i].wrong;
        found += f[i].wrong && s->label[i] != s->truth[i];
        named += s->label[i] != s->truth[i] && f[i].suggested == s->truth[i];
    }
    assert_true(first >= 12);
    assert_true(named >= 13);
    assert_true(found >= 11 && wrong <= 2 * WRONG);
    free(s);
}

/* What is given and what is made are the same first voice. */
static void predictions_out_of_fold_may_be_given(void **state)
{
    (void)state;
    hst_err e = {0};
    scene *s = set_up();
    hst_findings_in in = all_of(s);
    hst_finding made[N], given[N];
    hst_out_of_fold o;
    int fold[N];
    hst_logistic p = {.x = s->row, .label = s->label, .n = N, .dim = DIM, .n_classes = CLASSES};
    hst_ctx *ctx = made_up_ctx(1);
    check_ok(hst_folds_make(&p, in.seed, fold, &e), &e);
    check_ok(
        hst_cross_validate(ctx, &(hst_cross_validation){.p = &p, .fold = fold, .rough = 1}, &o, &e),
        &e);
    find(1, &in, made);
    in.out_of_fold = &o;
    find(3, &in, given); /* nor do threads matter */
    assert_memory_equal(made, given, sizeof made);
    hst_out_of_fold_clear(&o);
    hst_close(ctx);
    free(s);
}

static void what_is_far_is_told(void **state)
{
    (void)state;
    scene *s = set_up();
    hst_findings_in in = all_of(s);
    hst_finding f[N];
    int outliers = 0;
    find(2, &in, f);
    for (int i = 0; i < N; i++)
        outliers += f[i].outlier;
    assert_true(f[1].outlier);
    assert_true(outliers < 8);
    free(s);
}

/* Hard: the label comes first by less than a quarter. */
static void what_is_hard_follows_its_definition(void **state)
{
    (void)state;
    scene *s = set_up();
    hst_findings_in in = all_of(s);
    hst_finding f[N];
    int hard = 0;
    find(2, &in, f);
    for (int i = 0; i < N; i++) {
        const int right = f[i].suggested == s->label[i];
        assert_int_equal(f[i].hard, right && f[i].prob - f[i].next_prob < .25f);
        assert_true(right ? f[i].suggested_prob == f[i].prob
                          : f[i].suggested_prob == f[i].next_prob);
        hard += f[i].hard;
    }
    assert_true(hard > 0);
    free(s);
}

/* A class of one photo, and a single class, cannot be judged; equal photos are no outliers. */
static void what_cannot_be_judged_is_left_alone(void **state)
{
    (void)state;
    scene *s = set_up();
    hst_finding f[N];
    for (int i = 0; i < N; i++)
        s->label[i] = i == 4 ? 2 : i % 2;
    hst_findings_in in = all_of(s);
    find(1, &in, f);
    assert_int_equal(f[4].judged, 0);
    assert_int_equal(f[4].wrong, 0);
    assert_true(f[5].judged);
    in.n_classes = 1;
    memset(s->label, 0, sizeof s->label);
    for (int i = 1; i < N; i++)
        memcpy(s->x[i], s->x[0], sizeof s->x[i]);
    find(1, &in, f);
    for (int i = 0; i < N; i++)
        assert_true(!f[i].judged && !f[i].wrong && !f[i].outlier && f[i].distance == 2);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_are_the_nearest),
        cmocka_unit_test(few_photos_have_few_neighbours),
        cmocka_unit_test(wrong_labels_come_first),
        cmocka_unit_test(predictions_out_of_fold_may_be_given),
        cmocka_unit_test(what_is_far_is_told),
        cmocka_unit_test(what_is_hard_follows_its_definition),
        cmocka_unit_test(what_cannot_be_judged_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
