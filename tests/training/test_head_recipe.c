/* training: the tutorial recipe as a whole, on a small network. */
#include "made_up.h"
#include "support.h"

#include "base/file.h"
#include "base/random.h"
#include "training/dense_head.h"
#include "training/optimiser.h"
#include "training/recipe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 36 photos, of which Keras' split leaves 28 to train on. */
enum { CLASSES = 3, PER_CLASS = 12, TRAIN = 28, BATCH = 8, STEPS = TRAIN / BATCH, EPOCHS = 4 };

typedef struct scene {
    hst_ctx *ctx;
    hst_backbone *b;
    hst_data *d;
    char *dir;
} scene;

static scene set_up(int threads)
{
    hst_err e = {0};
    scene s = {.ctx = made_up_ctx(threads), .dir = temporary_folder()};
    s.b = made_up_backbone(s.ctx, 1);
    made_up_photos(s.dir, CLASSES, PER_CLASS, 20, 25);
    hst_data_opts o = hst_data_opts_default();
    o.split = "keras";
    o.val_part = 0.24;
    o.seed = 123;
    s.d = hst_data_open(s.ctx, s.dir, &o, &e);
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

static hst_train_opts tutorial(void)
{
    hst_train_opts o = hst_train_opts_default();
    o.recipe = "tutorial";
    o.seed = 7;
    o.epochs = EPOCHS;
    o.batch = BATCH;
    return o;
}

static hst_model *train(const scene *s, const hst_train_opts *o, hst_run **run)
{
    hst_err e = {0};
    hst_model *m = hst_train(s->ctx, s->b, s->d, o, run, &e);
    check_ok(m ? 0 : e.code, &e);
    return m;
}

static void the_seed_alone_decides(void **state)
{
    (void)state;
    scene one = set_up(1), three = set_up(3);
    hst_train_opts o = tutorial(), other = tutorial();
    other.seed = 8;
    hst_model *a = train(&one, &o, NULL), *b = train(&three, &o, NULL);
    hst_model *c = train(&one, &other, NULL);
    size_t bytes = (size_t)a->dim * CLASSES * sizeof(float);
    assert_memory_equal(a->kernel, b->kernel, bytes);
    assert_memory_equal(a->bias, b->bias, CLASSES * sizeof(float));
    assert_memory_not_equal(a->kernel, c->kernel, bytes);
    hst_model_free(a);
    hst_model_free(b);
    hst_model_free(c);
    tear_down(&one);
    tear_down(&three);
}

static void check_mean(const hst_model *m, const double *mean)
{
    for (int c = 0; c < CLASSES; c++) {
        for (int i = 0; i < m->dim; i++)
            assert_true(fabs((double)m->kernel[i * CLASSES + c] - mean[c * m->dim + i]) < 1e-6);
        assert_true(fabs((double)m->bias[c] - mean[CLASSES * m->dim + c]) < 1e-6);
    }
}

/* The 12 batches of 4 epochs, in a stream of passes of 8, 8, 8 and 4 photos that no epoch breaks
 * off: the third epoch ends with the first batch of the third pass. */
static void check_head(double ema, double warmup)
{
    hst_err e = {0};
    scene s = set_up(2);
    hst_run *run = NULL;
    hst_train_opts o = tutorial();
    o.dropout = 0;
    o.ema = ema;
    o.warmup = warmup;
    hst_model *m = train(&s, &o, &run);
    assert_int_equal(hst_run_trained(run), TRAIN);

    const float *row[TRAIN];
    int label[TRAIN];
    size_t n = 0, order[TRAIN], at = TRAIN;
    for (size_t i = 0; i < hst_data_count(s.d); i++) {
        if (hst_run_side(run, i) != HST_TRAIN)
            continue;
        row[n] = hst_features_row(run->features, i);
        label[n++] = hst_data_label(s.d, i);
    }
    hst_dense_head h;
    hst_optimiser sgd;
    check_ok(hst_dense_head_init(&h, m->dim, CLASSES, BATCH, &e), &e);
    check_ok(hst_optimiser_init(&sgd, hst_optimiser_rule_find("sgd"), h.n_params, &e), &e);
    h.l2 = 1e-4f;
    h.label_smoothing = 0.1f;
    hst_rng r = hst_rng_new(7, HST_RNG_INIT, 0, 0);
    double limit = sqrt(6.0 / (m->dim + CLASSES));
    for (int i = 0; i < m->dim; i++)
        for (int c = 0; c < CLASSES; c++)
            h.param[c * m->dim + i] = (float)((2 * hst_rng_uniform(&r) - 1) * limit);
    double *mean = calloc(h.n_params, sizeof *mean);
    for (size_t i = 0; i < h.n_params; i++)
        mean[i] = (double)h.param[i];
    for (uint32_t step = 0, pass = 0; step < EPOCHS * STEPS; step++) {
        if (at == TRAIN) {
            r = hst_rng_new(7, HST_RNG_SHUFFLE, pass++, 0);
            for (size_t i = 0; i < TRAIN; i++)
                order[i] = i;
            at = 0;
            hst_rng_shuffle(&r, order, TRAIN);
        }
        hst_head_batch b = {.x = row, .label = label, .order = order + at};
        b.n = TRAIN - at < BATCH ? TRAIN - at : BATCH;
        at += b.n;
        hst_dense_head_gradient(&h, &b);
        double rises = warmup * STEPS, decay = (2.0 + step) / (11.0 + step);
        sgd.learning_rate = (float)(step < rises ? 0.005 * (step + 1) / (rises + 1) : 0.005);
        hst_optimiser_step(&sgd, h.param, h.grad);
        decay = decay < ema ? decay : ema;
        for (size_t i = 0; i < h.n_params; i++)
            mean[i] = decay * mean[i] + (1 - decay) * (double)h.param[i];
    }
    float *kernel = calloc((size_t)m->dim * CLASSES, sizeof *kernel), bias[CLASSES];
    hst_dense_head_get(&h, kernel, bias);
    if (ema > 0) {
        check_mean(m, mean);
        assert_memory_not_equal(m->kernel, kernel, (size_t)m->dim * CLASSES * sizeof *kernel);
    } else {
        assert_memory_equal(m->kernel, kernel, (size_t)m->dim * CLASSES * sizeof *kernel);
        assert_memory_equal(m->bias, bias, sizeof bias);
    }
    free(mean);
    free(kernel);
    hst_optimiser_clear(&sgd);
    hst_dense_head_clear(&h);
    hst_run_free(run);
    hst_model_free(m);
    tear_down(&s);
}

static void epochs_cut_one_stream_of_passes(void **state)
{
    (void)state;
    check_head(0, 0);
}

static void the_rate_rises_and_weights_are_averaged(void **state)
{
    (void)state;
    check_head(0, 2);
    check_head(0.3, 0);
    check_head(0.9, 1);
}

static void check_record(const hst_model *m, const char *key, const char *want)
{
    const char *got = hst_model_record(m, key);
    if (!got || strcmp(got, want) != 0)
        fail_msg("record %s: %s, want %s", key, got ? got : "nothing", want);
}

static void defaults_and_history(void **state)
{
    (void)state;
    scene s = set_up(1);
    hst_run *run = NULL;
    hst_train_opts o = hst_train_opts_default();
    o.recipe = "tutorial";
    hst_model *m = train(&s, &o, &run);
    check_record(m, "recipe", "tutorial");
    check_record(m, "prepare", "tf");
    check_record(m, "optimizer", "sgd");
    check_record(m, "epochs", "5");
    check_record(m, "batch", "16");
    check_record(m, "learning_rate", "0.005");
    check_record(m, "momentum", "0.9");
    check_record(m, "l2", "0.0001");
    check_record(m, "label_smoothing", "0.1");
    check_record(m, "dropout", "0.2");
    assert_int_equal(run->n_history, 5);
    double value;
    hst_err e = {0};
    check_ok(hst_eval_metric(hst_run_eval(run), "accuracy", &value, NULL, NULL, &e), &e);
    assert_true(fabs(run->history[4].val_accuracy - value) < 1e-12); /* the same whole part */
    for (int i = 0; i < 5; i++) {
        const hst_epoch *h = &run->history[i];
        assert_int_equal(h->epoch, i + 1);
        assert_true(h->lr == 0.005);
        assert_true(isfinite(h->train_loss) && isfinite(h->val_loss));
        assert_true(h->train_accuracy >= 0 && h->train_accuracy <= 1);
    }
    hst_run_free(run);
    hst_model_free(m);
    o.optimizer = "adamw"; /* a learning rate of its own, and no momentum */
    m = train(&s, &o, NULL);
    check_record(m, "learning_rate", "0.001");
    check_record(m, "momentum", "0");
    hst_model_free(m);
    tear_down(&s);
}

/* Without dropout the 28 photos can be learned by heart. */
static void it_learns(void **state)
{
    (void)state;
    scene s = set_up(1);
    hst_run *run = NULL;
    hst_train_opts o = tutorial();
    o.epochs = 600;
    o.optimizer = "adam";
    o.learning_rate = 0.003;
    o.dropout = 0;
    hst_model *m = train(&s, &o, &run);
    assert_true(run->history[599].train_accuracy > 0.95);
    assert_true(run->history[599].train_loss < 0.5 * run->history[0].train_loss);
    hst_run_free(run);
    hst_model_free(m);
    tear_down(&s);
}

static void check_refused(const scene *s, const hst_backbone *b, hst_train_opts o, int code,
                          const char *word)
{
    hst_err e = {0};
    hst_run *run = NULL;
    assert_null(hst_train(s->ctx, b, s->d, &o, &run, &e));
    assert_null(run);
    if (e.code != code || !strstr(e.msg, word))
        fail_msg("want %d with '%s', got %d: %s", code, word, e.code, e.msg);
}

#define REFUSED(field, value, code, word)                                                          \
    do {                                                                                           \
        hst_train_opts o_ = tutorial();                                                            \
        o_.field = value;                                                                          \
        check_refused(&s, s.b, o_, code, word);                                                    \
    } while (0)

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    scene s = set_up(1);
    hst_backbone other = *s.b;
    snprintf(other.arch.family, sizeof other.arch.family, "efficientnet_lite0");
    check_refused(&s, &other, tutorial(), HST_EARG, "mobilenet_v2, not efficientnet_lite0");
    REFUSED(prepare, "pil", HST_EARG, "'tf', not as 'pil'");
    REFUSED(class_weight, "balanced", HST_EARG, "tutorial has no class-weight");
    REFUSED(batch, TRAIN + 1, HST_EDATA, "28 photos to train on are fewer than a batch of 29");
    REFUSED(batch, -1, HST_EARG, "batch");
    REFUSED(epochs, -1, HST_EARG, "epochs");
    REFUSED(optimizer, "lion", HST_EARG, "not 'lion'");
    REFUSED(momentum, 1, HST_EARG, "momentum");
    REFUSED(momentum, NAN, HST_EARG, "momentum");
    REFUSED(dropout, 1, HST_EARG, "dropout");
    REFUSED(dropout, NAN, HST_EARG, "dropout");
    REFUSED(label_smoothing, 1.5, HST_EARG,
            "label-smoothing wants a number from 0, less than 1, not '1.5'");
    REFUSED(l2, NAN, HST_EARG, "l2 wants");
    REFUSED(learning_rate, 0, HST_EARG, "lr wants a number above 0, at most 1000000");
    REFUSED(learning_rate, INFINITY, HST_EARG, "lr wants");
    REFUSED(learning_rate, 1e5, HST_EARG, "smaller learning rate"); /* it diverges */
    REFUSED(recipe, "auto", HST_EARG, "recipe auto has no epochs");
    REFUSED(recipe, "tutorials", HST_EARG, "not 'tutorials'");
    hst_train_opts o = tutorial();
    o.optimizer = "adam";
    o.momentum = 0.9;
    check_refused(&s, s.b, o, HST_EARG, "adam has no momentum");
    o.recipe = "fine-tune";
    o.optimizer = NULL; /* its default is named */
    check_refused(&s, s.b, o, HST_EARG, "optimizer adamw has no momentum");
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seed_alone_decides),
        cmocka_unit_test(epochs_cut_one_stream_of_passes),
        cmocka_unit_test(the_rate_rises_and_weights_are_averaged),
        cmocka_unit_test(defaults_and_history),
        cmocka_unit_test(it_learns),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
