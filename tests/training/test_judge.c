/* training: the head that fine-tuning ends with, and which backbone is kept. */
#include "tuning_scene.h"

#include "training/checkpoint.h"

#include <stdio.h>
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
    const double t = strtod(hst_model_record(want, "temperature"), NULL);
    for (size_t i = 0; i < (size_t)want->dim * CLASSES; i++) /* nobody is left to calibrate it */
        want->kernel[i] = (float)((double)want->kernel[i] * t);
    for (size_t c = 0; c < CLASSES; c++)
        want->bias[c] = (float)((double)want->bias[c] * t);
    check_close(m->kernel, want->kernel, (size_t)m->dim * CLASSES, 1e-9, 1e-6, "kernel");
    check_close(m->bias, want->bias, CLASSES, 1e-9, 1e-6, "bias");
    assert_null(hst_model_record(m, "temperature"));
    assert_string_equal(hst_model_record(m, "head_l2"), hst_model_record(want, "l2"));
    assert_null(hst_model_record(m, "kept"));
    hst_model_free(want);
    hst_model_free(m);
    tear_down(&s);
}

/* Every weight is that part of what the last step left, which the checkpoint tells, and the rest of
 * what it was. */
static void check_parts(const scene *s, const hst_model *m, float learned)
{
    hst_err e = {0};
    char path[4096], name[200];
    snprintf(path, sizeof path, "%s/%s", s->run_dir, HST_CHECKPOINT_NAME);
    hst_tensors *x = hst_tensors_read(path, &e);
    check_ok(x ? 0 : e.code, &e);
    const hst_graph *g = hst_model_backbone(m)->graph;
    for (size_t i = 0; i < hst_graph_n_params(g); i++) {
        const hst_param *p = hst_graph_param(g, i), *was = hst_graph_param(s->b->graph, i);
        snprintf(name, sizeof name, "backbone/%s", p->name);
        const hst_tensor *became = hst_tensors_find(x, name);
        assert_non_null(became);
        const float *to = became->data;
        for (size_t k = 0; k < hst_param_count(p); k++)
            assert_true(p->data[k] == learned * to[k] + (1 - learned) * was->data[k]);
    }
    hst_tensors_free(x);
}

static double loss_of(const hst_model *m, const char *which)
{
    char key[64];
    snprintf(key, sizeof key, "kept_aside_loss_%s", which);
    return atof(hst_model_record(m, key));
}

static void check_verdict(double learning_rate, const char *verdict)
{
    static const char *const names[] = {"frozen", "halfway", "tuned"};
    hst_err e = {0};
    scene s = set_up(2);
    hst_train_opts o = fine_tune(&s);
    result again;
    o.learning_rate = learning_rate;
    hst_model *m = hst_train(s.ctx, s.b, s.d, &o, NULL, &e);
    check_ok(m ? 0 : e.code, &e);
    assert_string_equal(hst_model_record(m, "kept"), verdict);
    assert_string_equal(hst_model_record(m, "kept_aside_n"), "5"); /* of 23 */
    for (int i = 0; i < 3; i++)
        assert_true(loss_of(m, verdict) <= loss_of(m, names[i]));
    check_parts(&s, m, !strcmp(verdict, "tuned") ? 1 : !strcmp(verdict, "halfway") ? 0.5F : 0);
    if (strcmp(verdict, "frozen") == 0) {
        hst_model *want = by_auto(&s, s.b);
        check_same_network(m, want);
        hst_model_free(want);
    }
    o.resume = 1; /* behind the last step */
    check_ok(train(&s, &o, 0, &again, &e), &e);
    assert_string_equal(again.sha256, hst_model_record(m, "content_sha256"));
    hst_model_free(m);
    tear_down(&s);
}

static void the_best_backbone_is_kept(void **state)
{
    (void)state;
    check_verdict(0.002, "frozen");
    check_verdict(1e-4, "halfway");
    check_verdict(1e-5, "tuned");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_head_is_that_of_auto_on_what_was_learned),
        cmocka_unit_test(the_best_backbone_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
