/* training: fine-tuning as a whole, on a small network: steps, checkpoints, going on. */
#include "tuning_scene.h"

#include "base/file.h"
#include "base/random.h"
#include "training/checkpoint.h"
#include "training/recipe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void check_equal(const result *a, const result *b)
{
    assert_string_equal(a->sha256, b->sha256);
    assert_memory_equal(a, b, sizeof *a);
}

static int has_checkpoint(const scene *s)
{
    hst_err e;
    char *path = hst_path_join(s->run_dir, HST_CHECKPOINT_NAME, &e);
    int there = hst_is_file(path);
    free(path);
    return there;
}

/* ---- tests ---- */

/* A parameter of the backbone and the head after each step of a run, as doubles. */
enum { RUN_STEPS = 8 }; /* 2 epochs of 23 photos, short of the last batch */
typedef struct trace {
    double *param[RUN_STEPS + 1], *head[RUN_STEPS + 1];
    size_t n_param, n_head;
} trace;

static double *doubles(const float *x, size_t n)
{
    double *out = calloc(n, sizeof *out);
    for (size_t i = 0; i < n; i++)
        out[i] = (double)x[i];
    return out;
}

static double *tensor_doubles(const hst_tensors *t, const char *name, size_t *n)
{
    const hst_tensor *x = hst_tensors_find(t, name);
    if (!x)
        fail_msg("no tensor %s", name);
    *n = x->n_bytes / sizeof(float);
    return doubles(x->data, *n);
}

/* The head that recipe tutorial begins with, in the order of hst_dense_head. */
static double *first_head(const hst_train_opts *o, size_t n)
{
    size_t dim = n / CLASSES - 1;
    double *out = calloc(n, sizeof *out), limit = sqrt(6.0 / (double)(dim + CLASSES));
    hst_rng r = hst_rng_new(o->seed, HST_RNG_INIT, 0, 0);
    for (size_t i = 0; i < dim; i++)
        for (size_t c = 0; c < CLASSES; c++)
            out[c * dim + i] = (2 * hst_rng_uniform(&r) - 1) * limit;
    return out;
}

static void read_trace(scene *s, hst_train_opts *o, const hst_param *p, trace *t)
{
    hst_err e = {0};
    result r;
    char name[200], path[4096];
    snprintf(path, sizeof path, "%s/%s", s->run_dir, HST_CHECKPOINT_NAME);
    snprintf(name, sizeof name, "backbone/%s", p->name);
    for (int i = 1; i <= RUN_STEPS; i++) {
        o->resume = i > 1;
        assert_int_equal(train(s, o, i > 1 ? s->last + 1 : 1, &r, &e), HST_ESTOPPED);
        hst_tensors *x = hst_tensors_read(path, &e);
        check_ok(x ? 0 : e.code, &e);
        t->param[i] = tensor_doubles(x, name, &t->n_param);
        t->head[i] = tensor_doubles(x, "head/param", &t->n_head);
        hst_tensors_free(x);
    }
    s->stop = 0;
    t->param[0] = doubles(p->data, t->n_param);
    t->head[0] = first_head(o, t->n_head);
}

/* The definition, weight by weight in double. */
static double plain_mean(double *const *w, size_t k, double ema)
{
    double mean = w[0][k];
    for (int i = 1; i <= RUN_STEPS; i++) {
        double early = (1.0 + i) / (10.0 + i), decay = early < ema ? early : ema;
        mean = decay * mean + (1 - decay) * w[i][k];
    }
    return mean;
}

/* The model that comes out is the mean over the steps, which the checkpoints tell. */
static void the_mean_of_the_weights_is_saved(void **state)
{
    (void)state;
    hst_err e = {0};
    scene s = set_up(2);
    trace t = {0};
    hst_train_opts o = fine_tune(&s);
    size_t last = 0;
    o.recipe = "tutorial"; /* whose head is the one that learned */
    o.fine_tune = 1;
    o.optimizer = "adamw";
    o.epochs = 2;
    o.ema = 0.4; /* reached in the fifth step */
    while (hst_graph_param(s.b->graph, last)->statistic || last < 12)
        last++;
    const hst_param *p = hst_graph_param(s.b->graph, last);
    read_trace(&s, &o, p, &t);
    o.resume = 0;
    hst_model *m = hst_train(s.ctx, s.b, s.d, &o, NULL, &e);
    check_ok(m ? 0 : e.code, &e);
    assert_string_equal(hst_model_record(m, "ema"), "0.4");
    const float *got = hst_graph_param(hst_model_backbone(m)->graph, last)->data;
    double moved = 0;
    for (size_t k = 0; k < t.n_param; k++) {
        double want = plain_mean(t.param, k, o.ema);
        assert_true(fabs((double)got[k] - want) <= 1e-6 * (1 + fabs(want)));
        moved += fabs(t.param[RUN_STEPS][k] - want);
    }
    assert_true(moved > 1e-4); /* the last step's are others */
    for (int i = 0; i < m->dim; i++)
        for (int c = 0; c < CLASSES; c++) {
            double want = plain_mean(t.head, (size_t)(c * m->dim + i), o.ema);
            assert_true(fabs((double)m->kernel[i * CLASSES + c] - want) <= 1e-6 * (1 + fabs(want)));
        }
    for (int i = 0; i <= RUN_STEPS; i++) {
        free(t.param[i]);
        free(t.head[i]);
    }
    hst_model_free(m);
    tear_down(&s);
}

static void the_number_of_threads_changes_nothing(void **state)
{
    (void)state;
    scene one = set_up(1), three = set_up(3);
    hst_train_opts o = fine_tune(&one), p = fine_tune(&three);
    result a = trained(&one, &o), b = trained(&three, &p);
    check_equal(&a, &b);
    o.mixup = p.mixup = 0.4;
    o.cutmix = p.cutmix = 1;
    result mixed = trained(&one, &o);
    b = trained(&three, &p);
    check_equal(&mixed, &b);
    assert_true(mixed.row[1].train_loss != a.row[1].train_loss);
    o.mixup = o.cutmix = 0;
    o.seed++;
    b = trained(&one, &o);
    assert_string_not_equal(a.sha256, b.sha256);
    tear_down(&one);
    tear_down(&three);
}

/* Stops at every step, some of them several times in a row, and goes on. */
static void check_stops(scene *s, hst_train_opts *o)
{
    hst_err e = {0};
    o->resume = 0;
    result want = trained(s, o), got;
    uint64_t total = s->last, begun = 0;
    for (uint64_t at = 1; at <= total; at += BATCH) {
        o->resume = 0;
        assert_int_equal(train(s, o, at, &got, &e), HST_ESTOPPED);
        assert_true(has_checkpoint(s) && s->last >= at);
        o->resume = 1;
        check_ok(train(s, o, 0, &got, &e), &e);
        check_equal(&want, &got);
    }
    o->resume = 0;
    assert_int_equal(train(s, o, 1, &got, &e), HST_ESTOPPED);
    o->resume = 1;
    for (begun = s->last; begun < total; begun = s->last) /* one step at a time */
        assert_int_equal(train(s, o, begun + 1, &got, &e), HST_ESTOPPED);
    check_ok(train(s, o, 0, &got, &e), &e);
    check_equal(&want, &got);
}

static void a_stopped_run_goes_on_to_the_same_bytes(void **state)
{
    (void)state;
    scene s = set_up(2);
    hst_train_opts o = fine_tune(&s);
    check_stops(&s, &o);
    o.optimizer = "sgd";
    o.batch_norm = "batch";
    o.augment = "none";
    o.schedule = "cosine";
    o.thaw = "last:9";
    o.layer_decay = 0.8;
    o.patience = 1;
    o.warmup = 0.5;
    o.ema = 0.9;
    o.class_weight = "balanced";
    o.mixup = 0.4;
    o.cutmix = 1;
    check_stops(&s, &o);
    tear_down(&s);
}

static void the_tutorial_goes_on_too(void **state)
{
    (void)state;
    hst_err e = {0};
    scene s = set_up(1);
    hst_train_opts o = fine_tune(&s);
    result want, got;
    o.recipe = "tutorial";
    o.fine_tune = 1;
    o.warmup = 1;
    o.ema = 0.5;
    want = trained(&s, &o);
    assert_int_equal(want.n, EPOCHS); /* no first phase */
    assert_int_equal(train(&s, &o, s.last / 2, &got, &e), HST_ESTOPPED);
    o.resume = 1;
    check_ok(train(&s, &o, 0, &got, &e), &e);
    check_equal(&want, &got);
    tear_down(&s);
}

static void a_run_in_bf16_goes_on(void **state)
{
    (void)state;
    hst_err e = {0};
    scene s = set_up(1);
    hst_train_opts o = fine_tune(&s);
    result fp32, want, got;
    check_ok(train(&s, &o, 0, &fp32, &e), &e);
    hst_backbone *mine = s.b, *low = hst_backbone_in(s.ctx, mine, HST_PRECISION_BF16, &e);
    check_ok(low == NULL, &e);
    s.b = low;
    check_ok(train(&s, &o, 0, &want, &e), &e);
    assert_string_not_equal(want.sha256, fp32.sha256);
    assert_int_equal(train(&s, &o, BATCH, &got, &e), HST_ESTOPPED);
    o.resume = 1;
    check_ok(train(&s, &o, 0, &got, &e), &e);
    check_equal(&want, &got);
    s.b = mine;
    hst_backbone_free(low);
    tear_down(&s);
}

static void a_checkpoint_is_for_one_job(void **state)
{
    (void)state;
    hst_err e = {0};
    char path[4096];
    scene s = set_up(1);
    hst_train_opts o = fine_tune(&s);
    result r;
    assert_int_equal(train(&s, &o, BATCH, &r, &e), HST_ESTOPPED);
    o.resume = 1;
    o.epochs = EPOCHS + 1;
    assert_int_equal(train(&s, &o, 0, &r, &e), HST_EARG);
    assert_non_null(strstr(e.msg, "begun with epochs=3 and cannot go on with epochs=4"));
    o.epochs = EPOCHS;
    snprintf(path, sizeof path, "%s/b/3.png", s.dir);
    made_up_png(path, 20, 25, 777);
    assert_int_equal(train(&s, &o, 0, &r, &e), HST_EARG);
    assert_non_null(strstr(e.msg, "the photos"));
    made_up_png(path, 21, 25, PER_CLASS + 3);
    hst_backbone *other = made_up_backbone(s.ctx, 2), *mine = s.b;
    s.b = other;
    assert_int_equal(train(&s, &o, 0, &r, &e), HST_EARG);
    assert_non_null(strstr(e.msg, "another backbone"));
    hst_backbone_free(other);
    s.b = other = hst_backbone_in(s.ctx, mine, HST_PRECISION_BF16, &e);
    check_ok(other == NULL, &e);
    assert_int_equal(train(&s, &o, 0, &r, &e), HST_EARG);
    assert_non_null(strstr(e.msg, "begun in precision fp32 and cannot go on in bf16"));
    s.b = mine;
    hst_backbone_free(other);
    check_ok(train(&s, &o, 0, &r, &e), &e);
    tear_down(&s);
}

/* Every part of the file matters: the digest tells of any change. */
static void a_damaged_checkpoint_is_refused(void **state)
{
    (void)state;
    hst_err e = {0};
    scene s = set_up(1);
    hst_train_opts o = fine_tune(&s);
    result r;
    assert_int_equal(train(&s, &o, BATCH, &r, &e), HST_ESTOPPED);
    o.resume = 1;
    char *path = hst_path_join(s.run_dir, HST_CHECKPOINT_NAME, &e);
    uint8_t *bytes;
    size_t n;
    check_ok(hst_file_read(path, 1 << 28, HST_EIO, &bytes, &n, &e), &e);
    for (size_t i = 0; i < 24; i++) {
        size_t at = i < 4 ? i : n / 24 * i;
        bytes[at] ^= 1;
        check_ok(hst_file_write(path, bytes, n, &e), &e);
        assert_int_equal(train(&s, &o, 0, &r, &e), HST_EMODEL);
        assert_non_null(strstr(e.msg, HST_CHECKPOINT_NAME));
        bytes[at] ^= 1;
    }
    for (size_t i = 0; i < 8; i++) {
        check_ok(hst_file_write(path, bytes, n / 8 * i, &e), &e);
        assert_int_equal(train(&s, &o, 0, &r, &e), HST_EMODEL);
    }
    check_ok(hst_file_write(path, bytes, n, &e), &e);
    check_ok(train(&s, &o, 0, &r, &e), &e);
    free(bytes);
    free(path);
    tear_down(&s);
}

static void a_loss_that_is_no_number_stops_at_once(void **state)
{
    (void)state;
    hst_err e = {0};
    scene s = set_up(1);
    hst_train_opts o = fine_tune(&s);
    result r;
    o.learning_rate = 1e6;
    o.l2 = 1e6; /* the kernel grows by 12 powers of ten a step */
    o.optimizer = "sgd";
    o.schedule = "constant";
    o.clip = 0;
    o.checkpoint_steps = 1;
    assert_int_equal(train(&s, &o, 0, &r, &e), HST_EARG);
    assert_non_null(strstr(e.msg, "left the range of numbers"));
    assert_non_null(strstr(e.msg, ".png, "));
    assert_true(has_checkpoint(&s));
    o.resume = 1; /* the checkpoint is sound, so it happens again in the same step */
    hst_err again = {0};
    assert_int_equal(train(&s, &o, 0, &r, &again), HST_EARG);
    assert_string_equal(e.msg, again.msg);
    tear_down(&s);
}

static void patience_ends_training_and_takes_the_best(void **state)
{
    (void)state;
    hst_err e = {0};
    scene s = set_up(2);
    hst_train_opts o = fine_tune(&s);
    hst_run *run = NULL;
    o.epochs = 12;
    o.patience = 2;
    o.keep = "tuned";
    o.learning_rate = 0.1; /* too much: it gets worse */
    o.schedule = "constant";
    hst_model *m = hst_train(s.ctx, s.b, s.d, &o, &run, &e);
    check_ok(m ? 0 : e.code, &e);
    size_t best = 1;
    for (size_t i = 1; i < run->n_history; i++)
        if (run->history[i].val_loss < run->history[best].val_loss)
            best = i;
    assert_true(run->n_history < 13);
    assert_int_equal(run->n_history, best + 3);
    assert_int_equal(atoi(hst_model_record(m, "best_epoch")), best);
    o.epochs = (int)best; /* what that epoch left is what comes out */
    o.patience = 0;
    hst_model *there = hst_train(s.ctx, s.b, s.d, &o, NULL, &e);
    check_ok(there ? 0 : e.code, &e);
    check_same_network(m, there);
    hst_model_free(there);
    hst_model_free(m);
    hst_run_free(run);
    tear_down(&s);
}

/* What was measured in training is what the saved model gives. */
static void check_saved(const char *keep, double ema)
{
    hst_err e = {0};
    char path[4096];
    scene s = set_up(2);
    hst_train_opts o = fine_tune(&s);
    o.keep = keep;
    o.ema = ema;
    hst_run *run = NULL;
    hst_model *m = hst_train(s.ctx, s.b, s.d, &o, &run, &e);
    check_ok(m ? 0 : e.code, &e);
    snprintf(path, sizeof path, "%s/m", s.run_dir);
    check_ok(hst_model_save(m, path, &e), &e);
    hst_model *back = hst_model_load(s.ctx, path, &e);
    check_ok(back ? 0 : e.code, &e);
    hst_session *session = hst_session_open(s.ctx, back, &e);
    const hst_eval *v = hst_run_eval(run);
    const hst_eval_photo *p;
    float prob[CLASSES];
    for (size_t i = 0; (p = hst_eval_at(v, i)); i++) {
        check_ok(hst_predict_file(session, p->path, prob, CLASSES, &e), &e);
        assert_memory_equal(prob, p->prob, sizeof prob);
    }
    char before[65], after[65];
    identity(s.b, before);
    identity(hst_model_backbone(back), after);
    assert_true(!strcmp(before, after) == !strcmp(keep, "best")); /* the rate is too high */
    hst_session_free(session);
    hst_model_free(back);
    hst_model_free(m);
    hst_run_free(run);
    tear_down(&s);
}

static void the_saved_model_predicts_the_same(void **state)
{
    (void)state;
    check_saved("tuned", 0);
    check_saved("tuned", 0.9);
    check_saved("best", 0);
}

static void wrong_options_are_refused(void **state)
{
    (void)state;
    hst_err e = {0};
    scene s = set_up(1);
    result r;
    const struct {
        const char *thaw, *batch_norm, *augment, *schedule;
        double layer_decay, clip;
        int patience;
    } wrong[] = {{"last:99", NULL, NULL, NULL, -1, -1, 0},  {NULL, "off", NULL, NULL, -1, -1, 0},
                 {NULL, NULL, "some", NULL, -1, -1, 0},     {NULL, NULL, NULL, "linear", -1, -1, 0},
                 {NULL, NULL, NULL, NULL, 0, -1, 0},        {NULL, NULL, NULL, NULL, 1.5, -1, 0},
                 {NULL, NULL, NULL, NULL, -1, INFINITY, 0}, {NULL, NULL, NULL, NULL, NAN, -1, 0},
                 {NULL, NULL, NULL, NULL, -1, -1, -1}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        hst_train_opts o = fine_tune(&s);
        o.thaw = wrong[i].thaw;
        o.batch_norm = wrong[i].batch_norm;
        o.augment = wrong[i].augment;
        o.schedule = wrong[i].schedule;
        o.layer_decay = wrong[i].layer_decay;
        o.clip = wrong[i].clip;
        o.patience = wrong[i].patience;
        assert_int_equal(train(&s, &o, 0, &r, &e), HST_EARG);
    }
    hst_train_opts o = hst_train_opts_default();
    o.fine_tune = 1; /* recipe auto */
    assert_int_equal(train(&s, &o, 0, &r, &e), HST_EARG);
    o.recipe = "tutorial";
    o.fine_tune = 0;
    o.clip = 1;
    assert_int_equal(train(&s, &o, 0, &r, &e), HST_EARG);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mean_of_the_weights_is_saved),
        cmocka_unit_test(the_number_of_threads_changes_nothing),
        cmocka_unit_test(a_stopped_run_goes_on_to_the_same_bytes),
        cmocka_unit_test(the_tutorial_goes_on_too),
        cmocka_unit_test(a_run_in_bf16_goes_on),
        cmocka_unit_test(a_checkpoint_is_for_one_job),
        cmocka_unit_test(a_damaged_checkpoint_is_refused),
        cmocka_unit_test(a_loss_that_is_no_number_stops_at_once),
        cmocka_unit_test(patience_ends_training_and_takes_the_best),
        cmocka_unit_test(the_saved_model_predicts_the_same),
        cmocka_unit_test(wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
