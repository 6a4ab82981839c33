/* training: the temperature that makes probabilities mean what they say. */
#include "support.h"

#include "base/random.h"
#include "training/temperature.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 4 };

typedef struct scene {
    hst_out_of_fold o;
    int *label;
} scene;

/* n photos whose labels are drawn from the softmax of logits z; the classifier says softmax(z by).
 * Photos from `held` on are never held out. */
static scene make(size_t n, size_t held, double by)
{
    scene s = {.o = {.n = n, .n_classes = CLASSES}, .label = calloc(n, sizeof *s.label)};
    s.o.fold = calloc(n, sizeof *s.o.fold);
    s.o.prob = calloc(n, CLASSES * sizeof *s.o.prob);
    hst_rng r = hst_rng_new(11, HST_RNG_SHUFFLE, 0, 0);
    for (size_t i = 0; i < n; i++) {
        double p[CLASSES], sum = 0, said = 0;
        for (int c = 0; c < CLASSES; c++) {
            p[c] = 6 * hst_rng_uniform(&r);
            sum += exp(p[c]);
            said += exp(p[c] * by);
        }
        double at = hst_rng_uniform(&r) * sum;
        for (s.label[i] = 0; s.label[i] < CLASSES - 1 && at > exp(p[s.label[i]]); s.label[i]++)
            at -= exp(p[s.label[i]]);
        for (int c = 0; c < CLASSES; c++)
            s.o.prob[i * CLASSES + (size_t)c] = (float)(exp(p[c] * by) / said);
        s.o.fold[i] = i < held ? (int)(i % HST_FOLDS) : HST_FOLDS;
    }
    return s;
}

static void clear(scene *s)
{
    free(s->label);
    hst_out_of_fold_clear(&s->o);
}

static double log_loss(const scene *s, const double *weight)
{
    double sum = 0, total = 0;
    for (size_t i = 0; i < s->o.n; i++) {
        const double w = s->o.fold[i] == HST_FOLDS ? 0 : weight ? weight[i] : 1;
        sum -= w * log((double)s->o.prob[i * CLASSES + (size_t)s->label[i]]);
        total += w;
    }
    return sum / total;
}

static void the_distortion_is_found(void **state)
{
    (void)state;
    static const double by[] = {0.4, 1, 2.5};
    for (size_t i = 0; i < 3; i++) {
        scene s = make(4000, 3500, by[i]);
        hst_temperature t = hst_temperature_fit(&s.o, s.label, NULL);
        assert_true(fabs(log(t.t / by[i])) < 0.06);
        assert_true(fabs(t.before - log_loss(&s, NULL)) < 1e-6);
        hst_temperature_cool(t.t, &s.o);
        const double best = log_loss(&s, NULL);
        assert_true(fabs(t.after - best) < 1e-6 && best <= t.before + 1e-9);
        for (int side = 0; side < 2; side++) { /* nothing near is better */
            scene near = make(4000, 3500, by[i]);
            hst_temperature_cool(t.t * (side ? 1.02 : 0.98), &near.o);
            assert_true(log_loss(&near, NULL) > best);
            clear(&near);
        }
        clear(&s);
    }
}

static void weights_count(void **state)
{
    (void)state;
    scene s = make(600, 600, 1), doubled = make(600, 600, 1);
    double weight[600];
    for (size_t i = 0; i < 600; i++)
        weight[i] = i % 2 ? 0 : 2;
    for (size_t i = 0; i < 600; i++)
        doubled.o.fold[i] = i % 2 ? HST_FOLDS : 0;
    hst_temperature t = hst_temperature_fit(&s.o, s.label, weight);
    hst_temperature all = hst_temperature_fit(&s.o, s.label, NULL);
    hst_temperature half = hst_temperature_fit(&doubled.o, doubled.label, NULL);
    assert_true(fabs(t.before - log_loss(&s, weight)) < 1e-6);
    assert_true(fabs(t.t / half.t - 1) < 0.01); /* but for the prior */
    assert_true(fabs(t.t / all.t - 1) > 0.01);
    clear(&s);
    clear(&doubled);
}

/* Three right answers do not make a classifier certain; no answers at all change nothing. */
static void few_photos_change_little(void **state)
{
    (void)state;
    scene s = make(3, 3, 1), none = make(3, 0, 1);
    for (size_t i = 0; i < 3; i++) {
        static const float prob[CLASSES] = {0.4F, 0.3F, 0.2F, 0.1F};
        memcpy(s.o.prob + i * CLASSES, prob, sizeof prob);
        s.label[i] = 0;
    }
    hst_temperature t = hst_temperature_fit(&s.o, s.label, NULL);
    assert_true(t.t < 1 && t.t > 0.6);
    float before[3 * CLASSES];
    memcpy(before, none.o.prob, sizeof before);
    t = hst_temperature_fit(&none.o, none.label, NULL);
    assert_true(t.t == 0);
    hst_temperature_cool(t.t, &none.o);
    assert_memory_equal(before, none.o.prob, sizeof before);
    clear(&s);
    clear(&none);
}

/* A probability of zero is one that has underflowed. */
static void certainty_stays_finite(void **state)
{
    (void)state;
    scene s = make(50, 50, 1);
    for (size_t i = 0; i < 50; i++) {
        memset(s.o.prob + i * CLASSES, 0, CLASSES * sizeof *s.o.prob);
        s.o.prob[i * CLASSES + (size_t)(s.label[i] + (i == 7)) % CLASSES] = 1;
    }
    hst_temperature t = hst_temperature_fit(&s.o, s.label, NULL);
    assert_true(t.t > 1 && t.t <= 20 && t.after < t.before && isfinite(t.before));
    hst_temperature_cool(t.t, &s.o);
    for (size_t i = 0; i < 50 * CLASSES; i++)
        assert_true(isfinite(s.o.prob[i]));
    clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_distortion_is_found),
        cmocka_unit_test(weights_count),
        cmocka_unit_test(few_photos_change_little),
        cmocka_unit_test(certainty_stays_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
