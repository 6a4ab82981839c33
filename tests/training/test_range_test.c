/* training: a learning rate from a range test, on made-up losses and on a small network. */
#include "tuning_scene.h"

#include "training/range_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the rule ---- */

/* The loss over ln(rate): falls from `at` to `at` - 1 around a rate, rises from another one on. */
typedef struct curve {
    double start, falls, rises, broken; /* broken: the loss is no number from this rate on */
    uint64_t calls;
    int fail_at;
} curve;

static int step_on(void *arg, uint64_t step, double rate, double *loss, hst_err *err)
{
    curve *c = arg;
    assert_int_equal(step, c->calls++);
    assert_true(rate == hst_range_rate(step));
    *loss = c->start - 1 / (1 + pow(c->falls / rate, 2)) + pow(rate / c->rises, 3);
    if (rate >= c->broken)
        *loss = (double)NAN;
    return c->fail_at && step + 1 == (uint64_t)c->fail_at ? hst_fail(err, HST_EDATA, "gone") : 0;
}

static double found(curve c, uint64_t *steps)
{
    hst_err e = {0};
    double rate = -1;
    check_ok(hst_range_test(&(hst_range_trial){step_on, &c}, &rate, steps, &e), &e);
    return rate;
}

/* By the definition, in another way: the weighted mean of all losses up to each step. */
static double plain(const curve *c)
{
    double least = INFINITY, best = 0;
    for (uint64_t k = 0; k < HST_RANGE_STEPS; k++) {
        double sum = 0, weights = 0;
        for (uint64_t i = 0; i <= k; i++) {
            curve one = *c;
            double loss, w = pow(0.9, (double)(k - i));
            one.calls = i;
            assert_int_equal(step_on(&one, i, hst_range_rate(i), &loss, NULL), 0);
            sum += w * loss;
            weights += w;
        }
        if (!(sum / weights <= 4 * least))
            break;
        if (sum / weights < least) {
            least = sum / weights;
            best = hst_range_rate(k);
        }
    }
    return best / 10;
}

static void a_tenth_of_the_rate_of_the_least_loss(void **state)
{
    (void)state;
    const double none = INFINITY;
    const curve curves[] = {{2, 1e-3, 0.05, none, 0, 0},
                            {2, 1e-4, 0.004, none, 0, 0},
                            {1.2, 1e-2, 0.3, none, 0, 0},
                            {2, 1e-3, 1e3, 0.02, 0, 0}};
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
        uint64_t steps = 0;
        double got = found(curves[i], &steps), want = plain(&curves[i]);
        char text[32];
        snprintf(text, sizeof text, "%.2e", want);
        assert_true(got == strtod(text, NULL)); /* what is told is what is taken */
        assert_true(got > curves[i].falls / 10 && got < fmin(curves[i].rises, curves[i].broken));
        assert_true(steps > 10 && steps < HST_RANGE_STEPS); /* it ended where the loss rose */
    }
    assert_true(fabs(hst_range_rate(0) - 1e-6) < 1e-18);
    assert_true(fabs(hst_range_rate(HST_RANGE_STEPS - 1) - 1) < 1e-12);
}

static void a_suggestion_stays_in_its_range(void **state)
{
    (void)state;
    uint64_t steps = 0;
    assert_true(found((curve){2, 1e-8, 1e-5, INFINITY, 0, 0}, &steps) == HST_RANGE_LEAST);
    assert_true(found((curve){2, 10, 1e9, INFINITY, 0, 0}, &steps) == HST_RANGE_MOST);
    assert_int_equal(steps, HST_RANGE_STEPS); /* it never rose */
}

static void what_fails_is_told(void **state)
{
    (void)state;
    hst_err e = {0};
    double rate = -1;
    curve c = {2, 1e-3, 0.05, 0, 0, 0};
    assert_int_equal(hst_range_test(&(hst_range_trial){step_on, &c}, &rate, NULL, &e), HST_EARG);
    assert_non_null(strstr(e.msg, "no number even at 1e-06"));
    c = (curve){2, 1e-3, 0.05, INFINITY, 0, 7};
    assert_int_equal(hst_range_test(&(hst_range_trial){step_on, &c}, &rate, NULL, &e), HST_EDATA);
    assert_string_equal(e.msg, "gone");
    assert_int_equal(c.calls, 7);
    assert_true(rate == -1);
}

/* ---- training ---- */

static hst_train_opts automatic(const scene *s)
{
    hst_err e = {0};
    hst_train_opts o = fine_tune(s);
    check_ok(hst_train_opts_set(&o, "lr", "auto", &e), &e);
    o.epochs = 2;
    return o;
}

static hst_model *learned(scene *s, const hst_train_opts *o)
{
    hst_err e = {0};
    s->stop = 0;
    hst_model *m = hst_train(s->ctx, s->b, s->d, o, NULL, &e);
    check_ok(m ? 0 : e.code, &e);
    return m;
}

/* A rate found leaves no trace but its number. */
static void check_like_number(scene *s, hst_train_opts o)
{
    hst_model *m = learned(s, &o);
    const char *rate = hst_model_record(m, "learning_rate");
    assert_string_equal(hst_model_record(m, "learning_rate_from"), "range test");
    o.learning_rate = strtod(rate, NULL);
    assert_true(o.learning_rate >= HST_RANGE_LEAST && o.learning_rate <= HST_RANGE_MOST);
    hst_model *given = learned(s, &o);
    assert_string_equal(hst_model_record(given, "learning_rate"), rate);
    assert_null(hst_model_record(given, "learning_rate_from"));
    check_same_network(m, given);
    o.learning_rate *= 2;
    hst_model *other = learned(s, &o); /* and the rate matters */
    assert_memory_not_equal(m->kernel, other->kernel, (size_t)m->dim * CLASSES * sizeof *m->kernel);
    hst_model_free(other);
    hst_model_free(given);
    hst_model_free(m);
}

static void training_is_as_with_that_number(void **state)
{
    (void)state;
    scene s = set_up(2);
    hst_train_opts o = automatic(&s);
    o.keep = "tuned";
    check_like_number(&s, o);
    o.optimizer = "sgd";
    o.batch_norm = "batch"; /* its statistics move in the trial, too */
    o.mixup = 0.4;
    o.ema = 0.9;
    check_like_number(&s, o);
    o = automatic(&s);
    o.recipe = "tutorial";
    o.fine_tune = 1;
    o.optimizer = "adam";
    check_like_number(&s, o);
    tear_down(&s);
}

static void check_equal(const result *a, const result *b)
{
    assert_memory_equal(a, b, sizeof *a);
}

static void threads_and_stops_change_nothing(void **state)
{
    (void)state;
    hst_err e = {0};
    scene one = set_up(1), three = set_up(3);
    hst_train_opts o = automatic(&one), p = automatic(&three);
    result want = trained(&one, &o), got = trained(&three, &p);
    check_equal(&want, &got);
    uint64_t total = one.last;
    for (uint64_t at = 1; at <= total; at += 2 * BATCH) {
        o.resume = 0;
        assert_int_equal(train(&one, &o, at, &got, &e), HST_ESTOPPED);
        o.resume = 1;
        check_ok(train(&one, &o, 0, &got, &e), &e);
        check_equal(&want, &got);
    }
    o.resume = 0;
    assert_int_equal(train(&one, &o, 1, &got, &e), HST_ESTOPPED);
    o.resume = 1;
    o.learning_rate = 0.001;
    assert_int_equal(train(&one, &o, 0, &got, &e), HST_EARG);
    assert_non_null(strstr(e.msg, "begun with learning_rate=auto and cannot go on with "
                                  "learning_rate=0.001"));
    tear_down(&one);
    tear_down(&three);
}

static int stop_at_once(void *arg, const hst_progress *p)
{
    (void)arg;
    return strcmp(p->what, "learning rate") == 0;
}

static void the_trial_can_be_stopped(void **state)
{
    (void)state;
    hst_err e = {0};
    scene s = set_up(1);
    hst_train_opts o = automatic(&s);
    s.ctx->progress = stop_at_once;
    assert_null(hst_train(s.ctx, s.b, s.d, &o, NULL, &e));
    assert_int_equal(e.code, HST_ESTOPPED);
    o.resume = 1; /* no checkpoint yet: from the start */
    result got, want;
    check_ok(train(&s, &o, 0, &got, &e), &e);
    o.resume = 0;
    want = trained(&s, &o);
    check_equal(&want, &got);
    tear_down(&s);
}

static void a_frozen_backbone_wants_a_number(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_train_opts o = hst_train_opts_default();
    o.recipe = "tutorial";
    check_ok(hst_train_opts_set(&o, "lr", "auto", &e), &e);
    assert_int_equal(hst_train_opts_check(&o, &e), HST_EARG);
    assert_non_null(strstr(e.msg, "auto is for fine-tuning"));
    o.recipe = "auto";
    assert_int_equal(hst_train_opts_check(&o, &e), HST_EARG);
    assert_non_null(strstr(e.msg, "recipe auto has no lr"));
    o = hst_train_opts_default();
    assert_int_equal(hst_train_opts_set(&o, "lr", "0", &e), HST_EARG);
    assert_int_equal(hst_train_opts_set(&o, "epochs", "auto", &e), HST_EARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tenth_of_the_rate_of_the_least_loss),
        cmocka_unit_test(a_suggestion_stays_in_its_range),
        cmocka_unit_test(what_fails_is_told),
        cmocka_unit_test(training_is_as_with_that_number),
        cmocka_unit_test(threads_and_stops_change_nothing),
        cmocka_unit_test(the_trial_can_be_stopped),
        cmocka_unit_test(a_frozen_backbone_wants_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
