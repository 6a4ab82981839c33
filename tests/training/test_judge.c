/* training: the head that fine-tuning ends with, and which backbone is kept. */
#include "tuning_scene.h"

#include <stdlib.h>
#include <string.h>

/* What recipe auto makes of backbone b. */
static hst_model *by_auto(scene *s, const hst_backbone *b)
{
    hst_err e = {0};
    hst_model *m = hst_train(s->ctx, b, s->d, NULL, NULL, &e);
    check_ok(m ? 0 : e.code, &e);
    return m;
}

static void the_head_is_that_of_auto_on_what_was_learned(void **state)
{
    (void)state;
    hst_err e = {0};
    scene s = set_up(2);
    hst_train_opts o = fine_tune(&s);
    o.keep = "tuned";
    o.ema = 0.5;
    hst_model *m = hst_train(s.ctx, s.b, s.d, &o, NULL, &e);
    check_ok(m ? 0 : e.code, &e);
    hst_model *want = by_auto(&s, hst_model_backbone(m));
    check_same_network(m, want);
    assert_string_equal(hst_model_record(m, "head_l2"), hst_model_record(want, "l2"));
    assert_null(hst_model_record(m, "kept"));
    hst_model_free(want);
    hst_model_free(m);
    tear_down(&s);
}

/* Whichever side the verdict is on, it is the one that the recorded losses tell, and the model has
 * what it says; resumed behind the last step, too. */
static void check_verdict(double learning_rate, const char *verdict)
{
    hst_err e = {0};
    scene s = set_up(2);
    hst_train_opts o = fine_tune(&s);
    char before[65], after[65];
    o.learning_rate = learning_rate;
    hst_model *m = hst_train(s.ctx, s.b, s.d, &o, NULL, &e);
    check_ok(m ? 0 : e.code, &e);
    assert_string_equal(hst_model_record(m, "kept"), verdict);
    assert_string_equal(hst_model_record(m, "kept_aside_n"), "5"); /* of 23 */
    identity(s.b, before);
    identity(hst_model_backbone(m), after);
    if (strcmp(verdict, "frozen") == 0) {
        hst_model *want = by_auto(&s, s.b);
        assert_true(atof(hst_model_record(m, "kept_aside_loss_tuned")) >
                    atof(hst_model_record(m, "kept_aside_loss_frozen")));
        check_same_network(m, want);
        hst_model_free(want);
    } else {
        assert_string_not_equal(before, after);
    }
    result again;
    o.resume = 1;
    check_ok(train(&s, &o, 0, &again, &e), &e);
    assert_string_equal(again.sha256, hst_model_record(m, "content_sha256"));
    hst_model_free(m);
    tear_down(&s);
}

static void the_better_backbone_is_kept(void **state)
{
    (void)state;
    check_verdict(0.002, "frozen");
    check_verdict(1e-6, "tuned");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_head_is_that_of_auto_on_what_was_learned),
        cmocka_unit_test(the_better_backbone_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
