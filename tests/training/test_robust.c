/* Wrong labels: they are found, and a head that leaves them out is better. */
#include "made_up.h"
#include "support.h"

#include "base/random.h"
#include "training/robust.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 120, DIM = 6, CLASSES = 3 };

/* Three clouds that overlap a little, every eighth label wrong. */
typedef struct scene {
    hst_ctx *ctx;
    float x[N][DIM];
    const float *row[N];
    int truth[N], label[N], fold[N];
    hst_logistic p;
} scene;

static void set_up(scene *s, int every)
{
    hst_err e = {0};
    hst_rng r = hst_rng_new(3, HST_RNG_INIT, 0, 0);
    memset(s, 0, sizeof *s);
    s->ctx = made_up_ctx(2);
    for (int i = 0; i < N; i++) {
        s->truth[i] = i % CLASSES;
        s->label[i] = every && i % every == 0 ? (i + 1) % CLASSES : s->truth[i];
        s->row[i] = s->x[i];
        for (int k = 0; k < DIM; k++) {
            double noise = 0;
            for (int j = 0; j < 4; j++)
                noise += hst_rng_uniform(&r) - .5;
            s->x[i][k] = (float)((k % CLASSES == s->truth[i]) + 0.6 * noise);
        }
    }
    s->p = (hst_logistic){.x = s->row, .label = s->label, .n = N, .dim = DIM, .n_classes = CLASSES};
    check_ok(hst_folds_make(&s->p, 1, s->fold, &e), &e);
}

/* By hand: thresholds .6 (mean of .9 and .3) and .5 (of .2 and .8); the second and the third pass
 * the other class's and miss their own. */
static void suspicion_follows_its_definition(void **state)
{
    (void)state;
    hst_err e = {0};
    float prob[] = {.9f, .1f, .3f, .7f, .8f, .2f, .2f, .8f, .1f, .9f};
    int fold[] = {0, 1, 2, 3, HST_FOLDS};
    const int label[] = {0, 0, 1, 1, 0};
    char suspicious[5];
    const hst_out_of_fold o = {.n = 5, .n_classes = 2, .fold = fold, .prob = prob};
    assert_int_equal(hst_suspicious(&o, label, suspicious, &e), 2);
    const char want[5] = {0, 1, 1, 0, 0}; /* the last was never held out */
    assert_memory_equal(suspicious, want, sizeof want);
}

static void wrong_labels_are_left_out(void **state)
{
    (void)state;
    hst_err e = {0};
    scene *s = malloc(sizeof *s);
    for (int how = HST_ROBUST_DROP; how <= HST_ROBUST_WEIGHTS; how++) {
        double weight[N];
        size_t n, wrong = 0, wrong_light = 0, right_light = 0;
        set_up(s, 8);
        check_ok(hst_robust_weights(s->ctx, &(hst_cross_validation){.p = &s->p, .fold = s->fold},
                                    (enum hst_robust)how, weight, &n, &e),
                 &e);
        for (int i = 0; i < N; i++) {
            const int light = weight[i] < 0.5;
            wrong += s->label[i] != s->truth[i];
            wrong_light += s->label[i] != s->truth[i] && light;
            right_light += s->label[i] == s->truth[i] && light;
            assert_true(weight[i] >= 0);
        }
        assert_int_equal(n, wrong_light + right_light);
        assert_true(10 * wrong_light >= 8 * wrong); /* most of 15 */
        assert_true(right_light <= 6);
        hst_close(s->ctx);
    }
    free(s);
}

/* However many photos are suspicious, half of each class stays. */
static void a_class_keeps_half_of_its_photos(void **state)
{
    (void)state;
    hst_err e = {0};
    scene *s = malloc(sizeof *s);
    double weight[N];
    size_t n, left[CLASSES] = {0}, all[CLASSES] = {0};
    set_up(s, 2);
    check_ok(hst_robust_weights(s->ctx, &(hst_cross_validation){.p = &s->p, .fold = s->fold},
                                HST_ROBUST_DROP, weight, &n, &e),
             &e);
    for (int i = 0; i < N; i++) {
        all[s->label[i]]++;
        left[s->label[i]] += weight[i] > 0;
    }
    for (int c = 0; c < CLASSES; c++)
        assert_true(2 * left[c] >= all[c]);
    hst_close(s->ctx);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suspicion_follows_its_definition),
        cmocka_unit_test(wrong_labels_are_left_out),
        cmocka_unit_test(a_class_keeps_half_of_its_photos),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
