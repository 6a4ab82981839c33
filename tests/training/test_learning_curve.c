/* training: the learning curve rises where more photos help, and says so where they do not. */
#include "made_up.h"
#include "support.h"

#include "base/random.h"
#include "training/learning_curve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 400, DIM = 40, CLASSES = 4 };

typedef struct scene {
    float x[N][DIM];
    const float *row[N];
    int label[N];
    hst_curve_in in;
} scene;

static const char *const classes[CLASSES] = {"a", "b", "c", "d"};

/* Clouds whose centres are `apart` from each other in `of` of the dimensions. */
static scene *set_up(double apart, int of, double wrong)
{
    scene *s = calloc(1, sizeof *s);
    hst_rng r = hst_rng_new(5, HST_RNG_INIT, 0, 0);
    assert_non_null(s);
    for (int i = 0; i < N; i++) {
        const int c = i % CLASSES;
        s->row[i] = s->x[i];
        s->label[i] = hst_rng_uniform(&r) < wrong ? (int)hst_rng_below(&r, CLASSES) : c;
        for (int k = 0; k < DIM; k++) {
            double noise = 0;
            for (int j = 0; j < 4; j++)
                noise += hst_rng_uniform(&r) - .5;
            s->x[i][k] = (float)(noise + (k < of && k % CLASSES == c ? apart : 0));
        }
    }
    s->in = (hst_curve_in){.x = s->row,
                           .label = s->label,
                           .n = N,
                           .dim = DIM,
                           .n_classes = CLASSES,
                           .classes = classes,
                           .seed = 3};
    return s;
}

static hst_learning_curve curve_of(const hst_curve_in *in, int threads)
{
    hst_err e = {0};
    hst_ctx *ctx = made_up_ctx(threads);
    hst_learning_curve c;
    memset(&c, 0, sizeof c);
    check_ok(hst_learning_curve_make(ctx, in, &c, &e), &e);
    hst_close(ctx);
    return c;
}

static void more_photos_help_where_they_do(void **state)
{
    (void)state;
    scene *s = set_up(.35, DIM, 0);
    const hst_learning_curve c = curve_of(&s->in, 1);
    for (int i = 0; i < HST_CURVE_POINTS; i++) {
        assert_true(fabs(c.photos[i] - c.part[i] * N * .8) <= 2);
        assert_true(c.low[i] < c.accuracy[i] && c.accuracy[i] < c.high[i]);
    }
    assert_true(c.accuracy[4] > c.accuracy[0] + .1);
    assert_true(c.gain > 0 && c.gain_low <= c.gain && c.gain <= c.gain_high);
    assert_true(c.more <= N);
    assert_ptr_equal(strstr(c.words, "more photos will not"), NULL);
    free(s);
}

/* Easy classes with a fifth of the labels drawn at random: no number of photos mends that. */
static void more_photos_do_not_mend_labels(void **state)
{
    (void)state;
    scene *s = set_up(2, DIM, .2);
    const hst_learning_curve c = curve_of(&s->in, 1);
    assert_true(c.accuracy[4] < .9);
    assert_ptr_equal(strstr(c.words, "more photos will not help: 400 more photos"), c.words);
    assert_true(c.gain_high < .01);
    free(s);
}

/* Only class d is hard: the others are right from the start. */
static void the_class_that_gains_is_named(void **state)
{
    (void)state;
    scene *s = set_up(.9, DIM, 0);
    hst_rng r = hst_rng_new(9, HST_RNG_INIT, 0, 0);
    for (int i = 3; i < N; i += 4)
        for (int k = 0; k < DIM; k++) /* d lies between the others, and varies much */
            s->x[i][k] = (float)(4 * (hst_rng_uniform(&r) - .5) + .3);
    const hst_learning_curve c = curve_of(&s->in, 1);
    assert_int_equal(c.gaining, 3);
    assert_true(c.class_gain > .01);
    free(s);
}

/* Photos that are there twice count once, and are learned from twice at no size more than once. */
static void copies_count_once(void **state)
{
    (void)state;
    scene *s = set_up(.35, DIM, 0);
    for (int i = N / 2; i < N; i++) {
        memcpy(s->x[i], s->x[i - N / 2], sizeof s->x[i]);
        s->label[i] = s->label[i - N / 2];
    }
    const hst_learning_curve c = curve_of(&s->in, 1);
    for (int i = 0; i < HST_CURVE_POINTS; i++)
        assert_true(fabs(c.photos[i] - c.part[i] * N / 2 * .8) <= 2);
    assert_true(c.accuracy[4] < .95); /* a copy that was learned from would be known */
    free(s);
}

static void bits_do_not_depend_on_threads(void **state)
{
    (void)state;
    scene *s = set_up(.35, DIM, 0);
    const hst_learning_curve one = curve_of(&s->in, 1), three = curve_of(&s->in, 3);
    assert_memory_equal(&one, &three, sizeof one);
    free(s);
}

static void few_photos_have_no_curve(void **state)
{
    (void)state;
    assert_false(hst_curve_possible(14, 3));
    assert_true(hst_curve_possible(15, 3));
    assert_false(hst_curve_possible(100, 1));
    assert_true(hst_curve_cheap(600, 1280, 5));
    assert_false(hst_curve_cheap(1001, 8, 2));
    assert_false(hst_curve_cheap(1000, 1280, 60));
    scene *s = set_up(.35, DIM, 0); /* nor do the fewest end badly */
    s->in.n = 20;
    const hst_learning_curve c = curve_of(&s->in, 1);
    assert_true(c.accuracy[4] >= 0 && c.accuracy[4] <= 1);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_photos_help_where_they_do),
        cmocka_unit_test(more_photos_do_not_mend_labels),
        cmocka_unit_test(the_class_that_gains_is_named),
        cmocka_unit_test(copies_count_once),
        cmocka_unit_test(bits_do_not_depend_on_threads),
        cmocka_unit_test(few_photos_have_no_curve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
