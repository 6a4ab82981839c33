/* tutorial.c - the classic retraining tutorial on frozen features: Dropout, Dense(classes), SGD
 * with momentum, a few epochs.
 *
 * Batches come from one endless stream: every pass over the photos is shuffled anew and cut into
 * batches, the last of a pass may be short; an epoch is n / batch steps of that stream, wherever it
 * stands. The arithmetic is Keras'. The random numbers are ours (Philox, keyed by the seed), their
 * distributions Keras'. */
#include "base/mem.h"
#include "base/random.h"
#include "training/dense_head.h"
#include "training/optimiser.h"
#include "training/recipe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- options -----------------------------------------------------------------------------------
 */

enum { EPOCHS = 5, BATCH = 16, MAX_EPOCHS = 1000000 };
static const double L2 = 1e-4, LABEL_SMOOTHING = 0.1, DROPOUT = 0.2;

/* Negative: the default. */
static double or_default(double given, double standard)
{
    return given < 0 ? standard : given;
}

static int check_optimizer(hst_train_opts *o, hst_err *err)
{
    const hst_optimiser_rule *rule = hst_optimiser_rule_find(o->optimizer ? o->optimizer : "sgd");
    if (!rule)
        return hst_fail(err, HST_EARG,
                        "unknown optimizer '%s': sgd, nesterov, adam, adamw or rmsprop",
                        o->optimizer);
    if (rule->momentum < 0 && !(o->momentum < 0))
        return hst_fail(err, HST_EARG, "optimizer %s has no momentum to set", rule->name);
    o->optimizer = rule->name;
    o->learning_rate = or_default(o->learning_rate, rule->learning_rate);
    o->momentum = or_default(o->momentum, rule->momentum);
    return 0;
}

static int check_numbers(const hst_train_opts *o, hst_err *err)
{
    const struct {
        const char *name;
        double value;
    } parts[] = {{"momentum", o->momentum < 0 ? 0 : o->momentum},
                 {"label smoothing", o->label_smoothing},
                 {"dropout", o->dropout}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!(parts[i].value >= 0 && parts[i].value < 1))
            return hst_fail(err, HST_EARG, "the %s must be at least 0 and less than 1, not %g",
                            parts[i].name, parts[i].value);
    if (!(o->learning_rate > 0 && o->learning_rate <= 1e6))
        return hst_fail(err, HST_EARG, "the learning rate must be above 0, not %g",
                        o->learning_rate);
    if (!(o->l2 <= 1e6))
        return hst_fail(err, HST_EARG, "the L2 strength must be a number from 0, not %g", o->l2);
    if (o->epochs < 1 || o->epochs > MAX_EPOCHS || o->batch < 1)
        return hst_fail(err, HST_EARG, "epochs (1 .. %d) and batch must be at least 1, not %d, %d",
                        MAX_EPOCHS, o->epochs, o->batch);
    return 0;
}

static int check(hst_train_opts *o, const hst_backbone *b, hst_err *err)
{
    if (strcmp(b->arch.family, "mobilenet_v2") != 0)
        return hst_fail(err, HST_EARG,
                        "recipe tutorial wants the backbone mobilenet_v2, not %s: give a weight "
                        "file or folder of a MobileNetV2",
                        b->arch.family);
    if (o->prepare && strcmp(o->prepare, "tf") != 0)
        return hst_fail(err, HST_EARG, "recipe tutorial prepares photos as 'tf', not as '%s'",
                        o->prepare);
    if (o->class_weight)
        return hst_fail(err, HST_EARG, "recipe tutorial has no class weights");
    o->prepare = "tf";
    o->epochs = o->epochs ? o->epochs : EPOCHS;
    o->batch = o->batch ? o->batch : BATCH;
    o->l2 = or_default(o->l2, L2);
    o->label_smoothing = or_default(o->label_smoothing, LABEL_SMOOTHING);
    o->dropout = or_default(o->dropout, DROPOUT);
    int rc = check_optimizer(o, err);
    return rc ? rc : check_numbers(o, err);
}

/* ---- the stream of batches ---------------------------------------------------------------------
 */

typedef struct lesson {
    hst_fit *fit;
    hst_dense_head head;
    hst_optimiser optimiser;
    size_t *order; /* [train.n] this pass */
    size_t at;     /* of order: where the next batch begins */
    uint32_t pass, step;
    uint8_t *keep; /* [batch][dim], or NULL without dropout */
} lesson;

static void shuffle(lesson *l)
{
    hst_rng r = hst_rng_new(l->fit->run->opts.seed, HST_RNG_SHUFFLE, l->pass++, 0);
    for (size_t i = 0; i < l->fit->train.n; i++)
        l->order[i] = i;
    hst_rng_shuffle(&r, l->order, l->fit->train.n);
    l->at = 0;
}

/* An input is dropped when its number is below dropout * 2^32; a stream of numbers for each row. */
static void draw_keep(lesson *l, size_t n)
{
    const hst_train_opts *o = &l->fit->run->opts;
    uint32_t below = (uint32_t)(o->dropout * 0x1p32);
    size_t dim = (size_t)l->head.dim;
    for (size_t i = 0; i < n; i++) {
        hst_rng r = hst_rng_new(o->seed, HST_RNG_DROPOUT, l->step, (uint32_t)i);
        for (size_t j = 0; j < dim; j++)
            l->keep[i * dim + j] = hst_rng_u32(&r) >= below;
    }
}

static hst_head_batch next_batch(lesson *l)
{
    const hst_examples *e = &l->fit->train;
    const hst_train_opts *o = &l->fit->run->opts;
    if (l->at == e->n)
        shuffle(l);
    hst_head_batch b = {.x = e->x,
                        .label = e->label,
                        .order = l->order + l->at,
                        .n = e->n - l->at,
                        .keep = l->keep,
                        .keep_scale = (float)(1 / (1 - o->dropout))};
    if (b.n > (size_t)o->batch)
        b.n = (size_t)o->batch;
    l->at += b.n;
    if (l->keep)
        draw_keep(l, b.n);
    l->step++;
    return b;
}

/* ---- learning ----------------------------------------------------------------------------------
 */

/* Glorot and Bengio 2010: kernel ~ U(-limit, limit), limit = sqrt(6 / (inputs + outputs)); bias 0.
 * Drawn in the order of kernel[dim][n_classes]. */
static void draw_kernel(hst_model *m, uint64_t seed)
{
    hst_rng r = hst_rng_new(seed, HST_RNG_INIT, 0, 0);
    double limit = sqrt(6.0 / ((double)m->dim + m->n_classes));
    for (size_t i = 0; i < (size_t)m->dim * (size_t)m->n_classes; i++)
        m->kernel[i] = (float)((2 * hst_rng_uniform(&r) - 1) * limit);
    memset(m->bias, 0, (size_t)m->n_classes * sizeof *m->bias);
}

static int begin(lesson *l, hst_err *err)
{
    hst_model *m = l->fit->model;
    const hst_train_opts *o = &l->fit->run->opts;
    size_t n = l->fit->train.n, batch = (size_t)o->batch;
    if (n < batch)
        return hst_fail(err, HST_EDATA,
                        "%zu photos to train on are fewer than a batch of %zu: add photos or use "
                        "smaller batches",
                        n, batch);
    int rc = hst_dense_head_init(&l->head, m->dim, m->n_classes, batch, err);
    if (rc)
        return rc;
    rc = hst_optimiser_init(&l->optimiser, hst_optimiser_rule_find(o->optimizer), l->head.n_params,
                            err);
    if (rc)
        return rc;
    l->optimiser.learning_rate = (float)o->learning_rate;
    l->optimiser.momentum = o->momentum < 0 ? 0 : (float)o->momentum;
    l->head.l2 = (float)o->l2;
    l->head.label_smoothing = (float)o->label_smoothing;
    l->order = hst_alloc(n, sizeof *l->order, err);
    if (l->order && o->dropout > 0)
        l->keep = hst_alloc(batch, (size_t)m->dim, err);
    if (!l->order || (o->dropout > 0 && !l->keep))
        return HST_EMEM;
    draw_kernel(m, o->seed);
    hst_dense_head_set(&l->head, m->kernel, m->bias);
    shuffle(l);
    return 0;
}

static void end(lesson *l)
{
    hst_dense_head_clear(&l->head);
    hst_optimiser_clear(&l->optimiser);
    free(l->order);
    free(l->keep);
}

/* Train numbers are what Keras prints: means over the photos of the epoch's steps, each scored with
 * dropout and before its step. The validation part is scored whole, without dropout. */
static int run_epoch(lesson *l, int epoch, hst_err *err)
{
    const hst_examples *v = &l->fit->validation;
    const hst_train_opts *o = &l->fit->run->opts;
    double loss = 0, right = 0, seen = 0;
    for (size_t step = l->fit->train.n / (size_t)o->batch; step > 0; step--) {
        hst_head_batch b = next_batch(l);
        hst_batch_score s = hst_dense_head_gradient(&l->head, &b);
        hst_optimiser_step(&l->optimiser, l->head.param, l->head.grad);
        loss += s.loss * (double)b.n;
        right += (double)s.right;
        seen += (double)b.n;
    }
    hst_head_batch all = {.x = v->x, .label = v->label, .n = v->n};
    hst_batch_score s = hst_dense_head_score(&l->head, &all);
    hst_epoch e = {.epoch = epoch,
                   .train_loss = loss / seen,
                   .train_accuracy = right / seen,
                   .val_loss = s.loss,
                   .val_accuracy = (double)s.right / (double)v->n,
                   .lr = o->learning_rate};
    if (!isfinite(e.train_loss) || !isfinite(e.val_loss))
        return hst_fail(err, HST_EARG,
                        "training left the range of numbers in epoch %d: use a smaller learning "
                        "rate than %g",
                        epoch, o->learning_rate);
    hst_log(l->fit->ctx, HST_LOG_INFO,
            "epoch %d/%d  loss %.4f  accuracy %.4f  val_loss %.4f  val_accuracy %.4f", epoch,
            o->epochs, e.train_loss, e.train_accuracy, e.val_loss, e.val_accuracy);
    return hst_run_add_epoch(l->fit->run, &e, err);
}

/* The settings the head was trained with. */
static int record(hst_model *m, const hst_train_opts *o, hst_err *err)
{
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"epochs", o->epochs},
                   {"batch", o->batch},
                   {"learning_rate", o->learning_rate},
                   {"momentum", o->momentum < 0 ? 0 : o->momentum},
                   {"l2", o->l2},
                   {"label_smoothing", o->label_smoothing},
                   {"dropout", o->dropout}};
    int rc = hst_model_set_record(m, "optimizer", o->optimizer, err);
    for (size_t i = 0; rc == 0 && i < sizeof numbers / sizeof *numbers; i++)
        rc = hst_record_number(m, numbers[i].key, numbers[i].value, err);
    return rc;
}

static int fit(hst_fit *f, hst_err *err)
{
    const hst_train_opts *o = &f->run->opts;
    lesson l = {.fit = f};
    hst_meter meter = hst_meter_start(f->ctx, "head", (uint64_t)o->epochs);
    int rc = begin(&l, err);
    for (int epoch = 1; rc == 0 && epoch <= o->epochs; epoch++) {
        rc = run_epoch(&l, epoch, err);
        if (rc == 0)
            rc = hst_meter_at(&meter, (uint64_t)epoch, err);
    }
    if (rc == 0) {
        hst_dense_head_get(&l.head, f->model->kernel, f->model->bias);
        rc = record(f->model, o, err);
    }
    end(&l);
    return rc;
}

const hst_recipe hst_recipe_tutorial = {"tutorial", check, fit};
