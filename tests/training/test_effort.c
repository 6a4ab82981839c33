/* Effort: what it tries, when a step is kept, and that what it keeps is what the model does. */
#include "made_up.h"
#include "support.h"

#include "base/file.h"
#include "training/effort.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 3 };

typedef struct scene {
    hst_ctx *ctx;
    hst_backbone *b;
    hst_data *d;
    char *dir;
    char said[8192];
} scene;

static void hear(void *arg, int level, const char *line)
{
    scene *s = arg;
    (void)level;
    size_t n = strlen(s->said);
    snprintf(s->said + n, sizeof s->said - n, "%s\n", line);
}

/* Noise, from which little is to be learned: some steps are kept, others not. */
static scene set_up(int threads, int per_class)
{
    hst_err e = {0};
    scene s = {.ctx = made_up_ctx(threads), .dir = temporary_folder()};
    s.b = made_up_backbone(s.ctx, 1);
    made_up_photos(s.dir, CLASSES, per_class, 24, 30);
    s.d = hst_data_open(s.ctx, s.dir, NULL, &e);
    check_ok(s.d ? 0 : e.code, &e);
    return s;
}

static void tear_down(scene *s)
{
    hst_data_free(s->d);
    hst_backbone_free(s->b);
    hst_close(s->ctx);
    remove_tree(s->dir);
    free(s->dir);
}

static hst_model *train(scene *s, const hst_train_opts *o, hst_run **run)
{
    hst_err e = {0};
    s->said[0] = 0;
    s->ctx->log = hear;
    s->ctx->log_arg = s;
    hst_model *m = hst_train(s->ctx, s->b, s->d, o, run, &e);
    check_ok(m ? 0 : e.code, &e);
    return m;
}

static void gains_are_judged_in_pairs(void **state)
{
    (void)state;
    /* gains .1, .3, .2: mean .2, deviation .1, standard error .1 / sqrt(3) = .0577 */
    const double a[3] = {1, 2, 3}, b[3] = {.9, 1.7, 2.8};
    assert_true(hst_effort_gains(a, b, 3, 1));
    assert_true(hst_effort_gains(a, b, 3, 3.46));
    assert_false(hst_effort_gains(a, b, 3, 3.47));
    assert_false(hst_effort_gains(b, a, 3, 0));
    assert_false(hst_effort_gains(a, a, 3, 0));
    assert_false(hst_effort_gains(a, b, 1, 0));
}

static void more_effort_may_cost_more(void **state)
{
    (void)state;
    for (int e = 1; e <= HST_EFFORT_MOST; e++)
        assert_true(hst_effort_budget(e) >= hst_effort_budget(e - 1));
    assert_true(hst_effort_budget(1) == 1);
}

/* The steps that were kept add up to the model; what each says of itself is true of the next. */
static void the_model_is_what_was_kept(void **state)
{
    (void)state;
    scene s = set_up(2, 24);
    for (int effort = 0; effort <= 2; effort++) {
        hst_train_opts o = hst_train_opts_default();
        hst_run *run = NULL;
        o.effort = effort;
        hst_model *m = train(&s, &o, &run);
        const hst_effort_step *step;
        double cost = 0, best = INFINITY;
        int kept = 0, n = 0, passes;
        for (; (step = hst_run_step(run, (size_t)n)); n++) {
            assert_int_equal(step->size, sizeof *step);
            assert_true(step->log_loss > 0 && step->accuracy >= 0 && step->accuracy <= 1);
            if (step->kept) {
                assert_true(step->log_loss < best);
                best = step->log_loss;
                cost += step->cost;
            }
            kept += step->kept;
        }
        if (effort == 0)
            assert_int_equal(n, 0);
        else
            assert_true(n >= 3 && kept >= 1);
        assert_float_equal(hst_model_cost(m, &passes), effort ? cost : 1, 1e-9);
        assert_true(cost <= hst_effort_budget(effort) + 1e-9);
        assert_int_equal(hst_model_plain(m) == NULL, hst_model_record(m, "views") != NULL);
        hst_model_free(m);
        hst_run_free(run);
    }
    tear_down(&s);
}

/* With enough photos and mistakes the backbone is fine-tuned as well; by any number of threads to
 * the same bytes. */
static void all_of_it_is_the_same_for_any_threads(void **state)
{
    (void)state;
    char sha256[2][65];
    for (int i = 0; i < 2; i++) {
        scene s = set_up(i ? 3 : 1, 36);
        hst_train_opts o = hst_train_opts_default();
        hst_run *run = NULL;
        o.effort = 3;
        hst_model *m = train(&s, &o, &run);
        assert_non_null(strstr(s.said, "kept from the backbone"));
        snprintf(sha256[i], sizeof sha256[i], "%s", hst_model_record(m, "content_sha256"));
        hst_model_free(m);
        hst_run_free(run);
        tear_down(&s);
    }
    assert_string_equal(sha256[0], sha256[1]);
}

/* The loaded model gives each photo what the run's head gives it: views, branches and transforms
 * are in the file. */
static void a_saved_model_measures_the_same(void **state)
{
    (void)state;
    hst_err e = {0};
    scene s = set_up(2, 24);
    char path[4096];
    hst_train_opts o = hst_train_opts_default();
    hst_run *run = NULL;
    o.effort = 2;
    o.final = "train";
    hst_model *m = train(&s, &o, &run);
    snprintf(path, sizeof path, "%s/m.safetensors", s.dir);
    check_ok(hst_model_save(m, path, &e), &e);
    hst_model *back = hst_model_load(s.ctx, path, &e);
    check_ok(back ? 0 : e.code, &e);
    hst_eval *all = hst_evaluate(s.ctx, back, s.d, &e);
    check_ok(all ? 0 : e.code, &e);
    const hst_eval *side = hst_run_eval(run);
    const hst_eval_photo *p, *q;
    size_t found = 0;
    for (size_t i = 0; (p = hst_eval_at(side, i)); i++)
        for (size_t k = 0; (q = hst_eval_at(all, k)); k++)
            if (strcmp(p->path, q->path) == 0) {
                assert_memory_equal(p->prob, q->prob, CLASSES * sizeof(float));
                found++;
            }
    assert_true(found > 0);
    hst_eval_free(all);
    hst_model_free(back);
    hst_model_free(m);
    hst_run_free(run);
    tear_down(&s);
}

/* A file that is no photo is skipped by every candidate, and changes nothing else. */
static void a_bad_file_keeps_nothing_from_being_tried(void **state)
{
    (void)state;
    hst_err e = {0};
    double log_loss[2][16] = {{0}};
    for (int bad = 0; bad < 2; bad++) {
        scene s = set_up(2, 24);
        char path[4096];
        if (bad) {
            snprintf(path, sizeof path, "%s/b/zz.png", s.dir);
            check_ok(hst_file_write(path, "no photo", 8, &e), &e);
            hst_data_free(s.d);
            s.d = hst_data_open(s.ctx, s.dir, NULL, &e);
            check_ok(s.d ? 0 : e.code, &e);
        }
        hst_train_opts o = hst_train_opts_default();
        hst_run *run = NULL;
        const hst_effort_step *step;
        o.effort = 2;
        hst_model *m = train(&s, &o, &run);
        assert_int_equal(hst_run_skipped(run), bad);
        for (size_t i = 0; (step = hst_run_step(run, i)); i++)
            log_loss[bad][i] = step->log_loss;
        hst_model_free(m);
        hst_run_free(run);
        tear_down(&s);
    }
    assert_true(log_loss[0][3] > 0);
    assert_memory_equal(log_loss[0], log_loss[1], sizeof log_loss[0]);
}

/* A second is a limit for what is begun, not for what has to be done. */
static void no_time_leaves_the_backbone_as_it_is(void **state)
{
    (void)state;
    scene s = set_up(2, 24);
    hst_train_opts o = hst_train_opts_default();
    hst_run *run = NULL;
    o.time_s = 1e-6;
    hst_model *m = train(&s, &o, &run);
    assert_non_null(hst_run_step(run, 0));
    assert_float_equal(hst_model_cost(m, NULL), 1, 1e-9);
    hst_model_free(m);
    hst_run_free(run);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gains_are_judged_in_pairs),
        cmocka_unit_test(more_effort_may_cost_more),
        cmocka_unit_test(the_model_is_what_was_kept),
        cmocka_unit_test(all_of_it_is_the_same_for_any_threads),
        cmocka_unit_test(a_saved_model_measures_the_same),
        cmocka_unit_test(a_bad_file_keeps_nothing_from_being_tried),
        cmocka_unit_test(no_time_leaves_the_backbone_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
