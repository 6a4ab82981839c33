/* tutorial.c - the classic retraining tutorial: Dropout, Dense(classes), SGD with momentum, a few
 * epochs; on frozen features, computed once or (augment) anew for every step, or (fine_tune) with
 * all of the network learning.
 *
 * An epoch is n / batch steps of the stream of batches (sampler.h), wherever it stands. The
 * arithmetic is Keras'. The random numbers are ours (Philox, keyed by the seed), their
 * distributions Keras'. */
#include "base/mem.h"
#include "base/random.h"
#include "training/average.h"
#include "training/feature_stream.h"
#include "training/optimiser.h"
#include "training/schedule.h"
#include "training/tune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int check(const hst_settings *s, const hst_backbone *b, hst_err *err)
{
    if (strcmp(b->arch.family, "mobilenet_v2") != 0)
        return hst_fail(err, HST_EARG,
                        "recipe tutorial wants the backbone mobilenet_v2, not %s: give a weight "
                        "file or folder of a MobileNetV2",
                        b->arch.family);
    if (s->prepare != HST_PREPARE_TF)
        return hst_fail(err, HST_EARG, "recipe tutorial prepares photos as 'tf', not as '%s'",
                        hst_preparation_names[s->prepare]);
    return 0;
}

typedef struct head_fit {
    hst_fit *fit;
    hst_dense_head head;
    hst_optimiser optimiser;
    hst_sampler sampler;
    hst_rates rates;
    uint32_t step;
    uint8_t *keep;            /* [batch][dim], or NULL without dropout */
    float *mean;              /* of the head's parameters over the steps, or NULL */
    double loss, right, seen; /* sums over the photos of this epoch's steps */
    hst_meter meter;
} head_fit;

/* ---- learning ---- */

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

static int begin_mean(head_fit *h, hst_err *err)
{
    h->mean = hst_alloc(h->head.n_params, sizeof *h->mean, err);
    if (!h->mean)
        return HST_EMEM;
    memcpy(h->mean, h->head.param, h->head.n_params * sizeof *h->mean);
    return 0;
}

/* The mean in the place of the parameters, and back; where there is one. */
static void exchange_mean(head_fit *h)
{
    if (h->mean)
        hst_average_exchange(h->mean, h->head.param, h->head.n_params);
}

static int begin(head_fit *h, hst_err *err)
{
    hst_model *m = h->fit->model;
    const hst_settings *o = &h->fit->run->settings;
    size_t n = h->fit->train.n, batch = (size_t)o->batch;
    int rc = hst_dense_head_init(&h->head, m->dim, m->n_classes, batch, err);
    if (rc == 0)
        rc = hst_sampler_init(&h->sampler, n, batch, o->seed, err);
    if (rc)
        return rc;
    rc = hst_optimiser_init(&h->optimiser, hst_optimiser_rule_of(o->optimizer), h->head.n_params,
                            err);
    if (rc)
        return rc;
    h->rates = (hst_rates){.peak = o->learning_rate,
                           .steps = n / batch * (uint64_t)o->epochs,
                           .warmup = hst_warmup_steps(o->warmup, n / batch)};
    h->optimiser.momentum = o->momentum < 0 ? 0 : (float)o->momentum;
    h->head.l2 = (float)o->l2;
    h->head.label_smoothing = (float)o->label_smoothing;
    if (o->dropout > 0 && !(h->keep = hst_alloc(batch, (size_t)m->dim, err)))
        return HST_EMEM;
    draw_kernel(m, o->seed);
    hst_dense_head_set(&h->head, m->kernel, m->bias);
    return o->ema > 0 ? begin_mean(h, err) : 0;
}

static void end(head_fit *h)
{
    hst_dense_head_clear(&h->head);
    hst_optimiser_clear(&h->optimiser);
    hst_sampler_clear(&h->sampler);
    free(h->keep);
    free(h->mean);
}

/* ---- steps ---- */

/* Of a batch that has neither dropout nor weights yet. */
static void take_step(head_fit *h, hst_head_batch b)
{
    const hst_settings *o = &h->fit->run->settings;
    hst_dropout drop = {o->seed, h->step, o->dropout};
    if (h->keep)
        hst_dropout_draw(&drop, b.n, (size_t)h->head.dim, h->keep);
    b.keep = h->keep;
    b.keep_scale = (float)(1 / (1 - o->dropout));
    hst_batch_score s = hst_dense_head_gradient(&h->head, &b);
    h->optimiser.learning_rate = (float)hst_rates_at(&h->rates, h->step);
    hst_optimiser_step(&h->optimiser, h->head.param, h->head.grad);
    h->step++;
    if (h->mean)
        hst_average_move(h->mean, h->head.param, h->head.n_params,
                         hst_average_decay(o->ema, h->step));
    h->loss += s.loss * (double)b.n;
    h->right += (double)s.right;
    h->seen += (double)b.n;
}

static void step_on_stored(head_fit *h)
{
    const hst_examples *e = &h->fit->train;
    hst_sample s = hst_sampler_at(&h->sampler, h->step);
    take_step(h, (hst_head_batch){.x = e->x, .label = e->label, .order = s.order, .n = s.n});
}

static int step_on_changed(void *arg, const hst_head_batch *b, hst_err *err)
{
    head_fit *h = arg;
    take_step(h, *b);
    h->meter.loss = h->loss / h->seen;
    h->meter.accuracy = h->right / h->seen;
    return hst_meter_at(&h->meter, hst_sampler_seen(&h->sampler, h->step), err);
}

/* ---- epochs ---- */

static int is_augmented(const head_fit *h)
{
    return h->fit->run->settings.augment != HST_AUGMENT_NONE;
}

static int take_steps(head_fit *h, hst_err *err)
{
    uint32_t end = h->step + (uint32_t)(h->fit->train.n / h->sampler.batch);
    h->loss = h->right = h->seen = 0;
    if (is_augmented(h))
        return hst_feature_stream_run(&(hst_feature_stream){.fit = h->fit,
                                                            .sampler = &h->sampler,
                                                            .begin = h->step,
                                                            .end = end,
                                                            .arg = h,
                                                            .step = step_on_changed},
                                      err);
    while (h->step < end)
        step_on_stored(h);
    return 0;
}

/* Train numbers are what Keras prints: means over the photos of the epoch's steps, each scored with
 * dropout and before its step. The validation part is scored whole, unchanged and without dropout.
 */
static int run_epoch(head_fit *h, int epoch, hst_err *err)
{
    const hst_examples *v = &h->fit->validation;
    int rc = take_steps(h, err);
    if (rc)
        return rc;
    hst_head_batch all = {.x = v->x, .label = v->label, .n = v->n};
    exchange_mean(h);
    hst_batch_score s = hst_dense_head_score(&h->head, &all);
    exchange_mean(h);
    hst_epoch e = {.epoch = epoch,
                   .train_loss = h->loss / h->seen,
                   .train_accuracy = h->right / h->seen,
                   .val_loss = s.loss,
                   .val_accuracy = (double)s.right / (double)v->n,
                   .lr = hst_rates_at(&h->rates, h->step - 1)};
    rc = hst_run_end_epoch(h->fit, &e, err);
    return rc || is_augmented(h) ? rc : hst_meter_at(&h->meter, (uint64_t)epoch, err);
}

/* Counts photos where each of them takes its time, else epochs. */
static hst_meter start_meter(const head_fit *h)
{
    if (is_augmented(h))
        return hst_meter_start(h->fit->ctx, "training",
                               hst_sampler_seen(&h->sampler, h->rates.steps));
    return hst_meter_start(h->fit->ctx, "head", (uint64_t)h->fit->run->settings.epochs);
}

static int fit_head(hst_fit *f, hst_err *err)
{
    const hst_settings *o = &f->run->settings;
    head_fit h = {.fit = f};
    int rc = begin(&h, err);
    if (rc == 0)
        h.meter = start_meter(&h);
    for (int epoch = 1; rc == 0 && epoch <= o->epochs; epoch++)
        rc = run_epoch(&h, epoch, err);
    if (rc == 0) {
        exchange_mean(&h);
        hst_dense_head_get(&h.head, f->model->kernel, f->model->bias);
        rc = hst_record_settings(f->model, o, err);
    }
    end(&h);
    return rc;
}

/* What fine-tuning starts from: no first phase. */
static int start(hst_fit *f, hst_err *err)
{
    (void)err;
    draw_kernel(f->model, f->run->settings.seed);
    return 0;
}

static int fit(hst_fit *f, hst_err *err)
{
    const hst_settings *o = &f->run->settings;
    if (f->train.n < (size_t)o->batch)
        return hst_fail(err, HST_EDATA,
                        "%zu photos to train on are fewer than a batch of %d: add photos or use "
                        "smaller batches",
                        f->train.n, o->batch);
    static const hst_tuning tuning = {.start = start, .whole_batches = 1};
    return o->fine_tune ? hst_tune(f, &tuning, err) : fit_head(f, err);
}

const hst_recipe hst_recipe_tutorial = {check, fit};
