#include "training/tune.h"

#include "base/file.h"
#include "base/mem.h"
#include "training/batches.h"
#include "training/checkpoint.h"
#include "training/judge.h"
#include "training/range_test.h"
#include "training/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct fine_tuner {
    hst_fit *fit;
    const hst_tuning *how;
    hst_judge judge;
    hst_trainer trainer;
    hst_sampler sampler;
    hst_loader *loader;
    hst_resume_state at;
    hst_best best;
    hst_rates rates;
    uint64_t epoch_steps; /* of an epoch; rates.steps: of all */
    uint64_t photos;      /* of all epochs */
    int validated;        /* the validation features are those of the weights as they are */
    hst_batches batches;
    char *path;      /* of the checkpoint, or NULL */
    hst_buf options; /* for the checkpoint */
    char data[65];
    hst_meter meter;
    struct { /* of the steps taken here, where several processes take them */
        uint64_t n, sent;
        double seconds, waited_s;
    } steps;
} fine_tuner;

static const hst_settings *settings(const fine_tuner *t)
{
    return &t->fit->run->settings;
}

static hst_ranks *ranks(const fine_tuner *t)
{
    return t->fit->ctx->ranks;
}

/* What went wrong on one process, a wish to stop too, ends the work of all at the same step. */
static int agree(const fine_tuner *t, int rc, hst_err *err)
{
    return hst_ranks_agree(ranks(t), rc, err);
}

/* ---- checkpoints ---- */

static hst_checkpoint checkpoint(fine_tuner *t)
{
    hst_checkpoint c = {.ctx = t->fit->ctx,
                        .trainer = &t->trainer,
                        .run = t->fit->run,
                        .state = &t->at,
                        .best = &t->best,
                        .found_rate = settings(t)->finds_rate ? &t->rates.peak : NULL,
                        .options = t->options.p};
    memcpy(c.data, t->data, sizeof c.data);
    return c;
}

static int save(fine_tuner *t, hst_err *err)
{
    if (!t->path)
        return 0;
    hst_checkpoint c = checkpoint(t);
    return hst_checkpoint_write(&c, t->path, err);
}

/* Of rank 0, who alone has a run folder. *found: training goes on from a checkpoint. */
static int find_checkpoint(fine_tuner *t, int *found, hst_err *err)
{
    *found = 0;
    if (!settings(t)->run_dir || hst_ranks_rank(ranks(t)) > 0)
        return 0;
    int rc = hst_settings_lines(settings(t), &t->options, err);
    if (rc == 0)
        rc = hst_checkpoint_data(t->fit->run, t->data, err);
    t->path = rc ? NULL : hst_path_join(settings(t)->run_dir, HST_CHECKPOINT_NAME, err);
    if (!t->path)
        return rc ? rc : HST_EMEM;
    if (!settings(t)->resume)
        return 0;
    if (!hst_is_file(t->path)) {
        hst_log(t->fit->ctx, HST_LOG_INFO, "%s has no checkpoint yet: the run begins anew",
                settings(t)->run_dir);
        return 0;
    }
    hst_checkpoint c = checkpoint(t);
    rc = hst_checkpoint_read(&c, t->path, err);
    if (rc == 0 &&
        (t->at.step > t->rates.steps || t->at.step < (uint64_t)t->at.epoch * t->epoch_steps ||
         t->at.step > (uint64_t)(t->at.epoch + 1) * t->epoch_steps))
        rc = hst_fail(err, HST_EMODEL, "%s: the checkpoint's step and epoch do not fit", t->path);
    *found = rc == 0;
    return rc;
}

/* The checkpoint's content goes to all. */
static int go_on(fine_tuner *t, int *found, hst_err *err)
{
    int rc = agree(t, find_checkpoint(t, found, err), err);
    if (rc == 0)
        rc = hst_ranks_broadcast(ranks(t), found, sizeof *found, err);
    if (rc || !*found || !ranks(t))
        return rc;
    hst_checkpoint c = checkpoint(t);
    return hst_checkpoint_share(&c, ranks(t), err);
}

/* ---- weights of the best epoch ---- */

/* Copies between the network with its head and t->best. */
static void swap_weights(fine_tuner *t, int keep)
{
    if (keep)
        hst_trainer_get(&t->trainer, t->best.param);
    else
        hst_trainer_set(&t->trainer, t->best.param);
    hst_dense_head *h = &t->trainer.head;
    memcpy(keep ? t->best.head : h->param, keep ? h->param : t->best.head,
           h->n_params * sizeof *h->param);
}

static int make_best(fine_tuner *t, hst_err *err)
{
    size_t n = hst_trainer_n_params(&t->trainer);
    t->at.best_loss = INFINITY;
    if (!settings(t)->patience)
        return 0;
    t->best.param = hst_alloc(n, sizeof *t->best.param, err);
    t->best.head = hst_alloc(t->trainer.head.n_params, sizeof *t->best.head, err);
    t->best.n = n;
    return t->best.param && t->best.head ? 0 : HST_EMEM;
}

static void note_best(fine_tuner *t, double val_loss)
{
    if (!t->best.n || !(val_loss < t->at.best_loss))
        return;
    t->at.best_loss = val_loss;
    t->at.best_epoch = t->at.epoch;
    swap_weights(t, 1);
}

static int ran_out_of_patience(const fine_tuner *t)
{
    return t->best.n && t->at.epoch - t->at.best_epoch >= settings(t)->patience;
}

/* ---- a beginning ---- */

static int make_trainer(fine_tuner *t, hst_err *err)
{
    const hst_settings *o = settings(t);
    hst_trainer_options options = {.thaw = o->layers,
                                   .learn = hst_learn_defaults(),
                                   .max_batch = t->sampler.batch,
                                   .n_classes = t->fit->model->n_classes,
                                   .rule = hst_optimiser_rule_of(o->optimizer),
                                   .momentum = o->momentum,
                                   .layer_decay = o->layer_decay,
                                   .clip = o->clip,
                                   .l2 = o->l2,
                                   .label_smoothing = o->label_smoothing,
                                   .ema = o->ema};
    options.learn.batchnorm = o->batch_norm;
    options.learn.bn_decay = 0.99; /* the TF Hub modules' */
    options.learn.bn_unbiased = 1;
    return hst_trainer_init(&t->trainer, t->fit->ctx, t->fit->run->backbone, &options, err);
}

static int make_loader(fine_tuner *t, hst_err *err)
{
    const hst_settings *o = settings(t);
    size_t n = t->judge.learn.n, batch = n < (size_t)o->batch ? n : (size_t)o->batch;
    int rc = hst_sampler_init(&t->sampler, n, batch, o->seed, err);
    if (rc)
        return rc;
    t->epoch_steps = t->how->whole_batches ? n / batch : hst_sampler_steps(&t->sampler);
    t->rates = (hst_rates){.schedule = o->schedule,
                           .peak = o->learning_rate,
                           .steps = t->epoch_steps * (uint64_t)o->epochs,
                           .warmup = hst_warmup_steps(o->warmup, t->epoch_steps)};
    t->photos = hst_sampler_seen(&t->sampler, t->rates.steps);
    t->loader = hst_loader_new(t->fit, &t->judge.learn, &t->sampler, o->augment, err);
    return t->loader ? hst_batches_init(&t->batches, t->fit, batch, err) : HST_EMEM;
}

static hst_batch_score score(fine_tuner *t, const hst_examples *e)
{
    hst_head_batch all = {.x = e->x, .label = e->label, .n = e->n};
    return hst_dense_head_score(&t->trainer.head, &all);
}

static double accuracy(const hst_batch_score *s, size_t n)
{
    return n ? (double)s->right / (double)n : 0; /* no photo may be kept aside */
}

/* The head alone, on the features it was made from: where the second phase begins. */
static int note_head(fine_tuner *t, hst_err *err)
{
    const hst_examples *a = &t->fit->train, *v = &t->fit->validation;
    hst_batch_score train = score(t, a), validation = score(t, v);
    hst_epoch e = {.train_loss = train.loss,
                   .train_accuracy = accuracy(&train, a->n),
                   .val_loss = validation.loss,
                   .val_accuracy = accuracy(&validation, v->n)};
    return hst_run_end_epoch(t->fit, &e, err);
}

static int start(fine_tuner *t, hst_err *err)
{
    hst_model *m = t->fit->model;
    hst_fit fit = *t->fit;
    fit.train = t->judge.learn;
    int rc = t->how->start(&fit, err);
    if (rc)
        return rc;
    hst_dense_head_set(&t->trainer.head, m->kernel, m->bias);
    hst_trainer_mean_start(&t->trainer);
    return t->how->first_phase ? note_head(t, err) : 0;
}

static void warn_of_idle(const fine_tuner *t)
{
    const int all = hst_ranks_size(ranks(t));
    const int busy = hst_learn_own(ranks(t), (int)t->sampler.batch).last + 1;
    if (busy < all)
        hst_log(t->fit->ctx, HST_LOG_WARN,
                "a batch of %zu photos keeps no more than %d of %d processes busy",
                t->sampler.batch, busy, all);
}

static int begin(fine_tuner *t, hst_err *err)
{
    int found = 0, keep = t->how->refit && settings(t)->keep == HST_KEEP_BEST;
    int rc = hst_checkpoint_alike(t->fit->ctx, t->fit->run, err);
    if (rc)
        return rc;
    rc = hst_judge_init(&t->judge, t->fit, keep, err);
    if (rc == 0)
        rc = make_loader(t, err);
    if (rc == 0)
        rc = make_trainer(t, err);
    if (rc == 0)
        rc = make_best(t, err);
    if (rc == 0)
        warn_of_idle(t);
    rc = agree(t, rc, err);
    if (rc == 0)
        rc = go_on(t, &found, err);
    if (rc == 0 && !found)
        rc = agree(t, start(t, err), err);
    if (found)
        hst_log(t->fit->ctx, HST_LOG_INFO, "goes on after step %llu of %llu",
                (unsigned long long)t->at.step, (unsigned long long)t->rates.steps);
    return rc;
}

static void end(fine_tuner *t)
{
    hst_loader_free(t->loader);
    hst_trainer_clear(&t->trainer);
    hst_sampler_clear(&t->sampler);
    hst_judge_clear(&t->judge);
    free(t->best.param);
    free(t->best.head);
    hst_batches_clear(&t->batches);
    free(t->path);
    hst_buf_free(&t->options);
}

/* ---- steps ---- */

/* The photos of a step. */
static int take(fine_tuner *t, uint64_t step, uint64_t end, const hst_load **b, hst_err *err)
{
    *b = hst_loader_take(t->loader, step, end, err);
    return agree(t, *b ? 0 : err && err->code ? err->code : HST_EMEM, err);
}

static int try_rate(void *arg, uint64_t step, double rate, double *loss, hst_err *err)
{
    fine_tuner *t = arg;
    const hst_load *b;
    hst_batch_score s;
    int rc = agree(t, hst_meter_at(&t->meter, step, err), err);
    if (rc == 0)
        rc = take(t, step, HST_RANGE_STEPS, &b, err);
    if (rc)
        return rc;
    hst_train_batch batch = hst_batches_make(&t->batches, b, rate);
    rc = hst_trainer_step(&t->trainer, &batch, &s, err);
    if (rc == 0)
        *loss = s.loss;
    return rc;
}

/* The peak of the rates, where it is to be found and no checkpoint has it. */
static int find_rate(fine_tuner *t, hst_err *err)
{
    float *kept = NULL;
    uint64_t steps = 0;
    if (t->rates.peak > 0)
        return 0;
    t->meter = hst_meter_start(t->fit->ctx, "learning rate", HST_RANGE_STEPS);
    int rc = agree(t, hst_trainer_keep(&t->trainer, &kept, err), err);
    if (rc == 0)
        rc = hst_range_test(&(hst_range_trial){try_rate, t}, &t->rates.peak, &steps, err);
    if (rc == 0) {
        hst_trainer_undo(&t->trainer, kept);
        hst_log(t->fit->ctx, HST_LOG_INFO, "learning rate %g, found in %llu steps", t->rates.peak,
                (unsigned long long)steps);
    }
    free(kept);
    return rc;
}

/* Of every step, so that none is taken after the caller asked to stop. */
static int report_progress(fine_tuner *t, hst_err *err)
{
    t->meter.reported_s = 0;
    t->meter.loss = t->at.loss / t->at.seen;
    t->meter.accuracy = t->at.right / t->at.seen;
    return hst_meter_at(&t->meter, hst_sampler_seen(&t->sampler, t->at.step), err);
}

static int learn_from(fine_tuner *t, const hst_load *b, hst_batch_score *s, hst_err *err)
{
    const hst_ranks none = {0}, before = ranks(t) ? *ranks(t) : none;
    const double since = hst_now_s();
    hst_train_batch batch = hst_batches_make(&t->batches, b, hst_rates_at(&t->rates, b->step));
    const int rc = hst_trainer_step(&t->trainer, &batch, s, err);
    if (ranks(t)) {
        t->steps.n++;
        t->steps.seconds += hst_now_s() - since;
        t->steps.sent += ranks(t)->sent - before.sent;
        t->steps.waited_s += ranks(t)->waited_s - before.waited_s;
    }
    return rc;
}

static void tell_of_steps(const fine_tuner *t)
{
    const double n = (double)t->steps.n;
    if (t->steps.n)
        hst_log(
            t->fit->ctx, HST_LOG_INFO,
            "a step of %d processes took %.3f s, %.3f s of them waiting, and this one sent %.0f "
            "bytes (mean of %.0f steps)",
            hst_ranks_size(ranks(t)), t->steps.seconds / n, t->steps.waited_s / n,
            (double)t->steps.sent / n, n);
}

static int step_on(fine_tuner *t, const hst_load *b, hst_err *err)
{
    hst_batch_score s;
    int rc = learn_from(t, b, &s, err);
    if (rc == 0 && !isfinite(s.loss))
        rc = hst_load_diverged(t->fit, b, t->at.epoch, t->path && hst_is_file(t->path), err);
    if (rc)
        return rc;
    t->validated = 0;
    t->at.step++;
    hst_trainer_mean_move(&t->trainer, t->at.step);
    t->at.loss += s.loss * (double)b->n;
    t->at.right += (double)s.right;
    t->at.seen += (double)b->n;
    int every = settings(t)->checkpoint_steps;
    if (every > 0 && t->at.step % (uint64_t)every == 0)
        rc = save(t, err);
    return rc ? rc : report_progress(t, err);
}

static int run_step(fine_tuner *t, hst_err *err)
{
    const hst_load *b;
    const int rc = take(t, t->at.step, t->rates.steps, &b, err);
    return rc ? rc : agree(t, step_on(t, b, err), err);
}

/* ---- epochs ---- */

/* Features of some photos as an extractor gives them. */
static int look(fine_tuner *t, const hst_extractor *e, const hst_examples *photos, hst_err *err)
{
    int training = photos == &t->fit->train;
    return hst_features_recompute(&(hst_recompute){.ctx = t->fit->ctx,
                                                   .extractor = e,
                                                   .d = t->fit->run->data,
                                                   .phase = training ? "features" : "validation",
                                                   .photo = photos->photo,
                                                   .n = photos->n,
                                                   .f = t->fit->run->features},
                                  err);
}

/* The same under the weights that are in their place. */
static int look_now(fine_tuner *t, const hst_examples *photos, hst_err *err)
{
    hst_extractor *now =
        hst_extractor_learned(t->fit->model->extractor, t->fit->ctx, t->trainer.graph, err);
    if (!now)
        return err && err->code ? err->code : HST_EMEM;
    int rc = look(t, now, photos, err);
    hst_extractor_free(now);
    return rc;
}

static int validate(fine_tuner *t, hst_err *err)
{
    int rc = t->validated ? 0 : look_now(t, &t->fit->validation, err);
    t->validated = rc == 0;
    return rc;
}

/* The epoch is scored with the weights that would be saved, which are in their place now. */
static int score_epoch(fine_tuner *t, hst_err *err)
{
    int rc = validate(t, err);
    if (rc)
        return rc;
    hst_batch_score s = score(t, &t->fit->validation);
    hst_epoch e = {.epoch = t->at.epoch + 1,
                   .train_loss = t->at.loss / t->at.seen,
                   .train_accuracy = t->at.right / t->at.seen,
                   .val_loss = s.loss,
                   .val_accuracy = accuracy(&s, t->fit->validation.n),
                   .lr = hst_rates_at(&t->rates, t->at.step - 1)};
    rc = hst_run_end_epoch(t->fit, &e, err);
    if (rc)
        return rc;
    t->at.epoch++;
    t->at.loss = t->at.right = t->at.seen = 0;
    note_best(t, s.loss);
    return 0;
}

static int end_epoch(fine_tuner *t, hst_err *err)
{
    hst_trainer_mean_exchange(&t->trainer);
    int rc = score_epoch(t, err);
    hst_trainer_mean_exchange(&t->trainer);
    return agree(t, rc ? rc : save(t, err), err);
}

static hst_meter start_meter(const fine_tuner *t)
{
    hst_meter m = hst_meter_start(t->fit->ctx, "training", t->photos);
    m.from = hst_sampler_seen(&t->sampler, t->at.step);
    return m;
}

/* Stopped, it leaves a checkpoint. */
static int learn(fine_tuner *t, hst_err *err)
{
    hst_err why = {0};
    int rc = 0;
    t->meter = start_meter(t);
    while (rc == 0 && t->at.epoch < settings(t)->epochs && !ran_out_of_patience(t))
        rc = t->at.step == (uint64_t)(t->at.epoch + 1) * t->epoch_steps ? end_epoch(t, err)
                                                                        : run_step(t, err);
    tell_of_steps(t);
    /* The others stay until it is there: a launcher ends what is left of a job. */
    if (rc == HST_ESTOPPED && agree(t, save(t, &why), &why)) {
        rc = why.code;
        if (err)
            *err = why;
    }
    return rc;
}

/* ---- an end ---- */

/* The model gets the backbone. */
static int hand_over(fine_tuner *t, hst_err *err)
{
    hst_graph *g = t->trainer.graph;
    hst_learn_free(t->trainer.learn);
    t->trainer.learn = NULL;
    t->trainer.graph = NULL;
    hst_backbone *tuned = hst_backbone_tuned(t->fit->ctx, t->fit->run->backbone, g, err);
    if (!tuned)
        return err && err->code ? err->code : HST_EMEM;
    int rc = hst_extractor_replace(t->fit->model->extractor, t->fit->ctx, tuned, err);
    if (rc)
        hst_backbone_free(tuned);
    return rc;
}

/* The backbone in one of its forms, learned[] being its weights behind the last step; and what it
 * makes of the training side. */
static int take_form(fine_tuner *t, enum hst_tuned which, const float *learned, hst_err *err)
{
    if (which == HST_FROZEN)
        return look(t, t->fit->model->extractor, &t->fit->train, err);
    hst_trainer_set(&t->trainer, learned);
    if (which == HST_HALFWAY)
        hst_trainer_go_halfway(&t->trainer, t->fit->run->backbone->graph);
    t->validated = 0;
    return look_now(t, &t->fit->train, err);
}

/* The features of the training side are the frozen backbone's at first, in the end those of the
 * form that is best. */
static int choose(fine_tuner *t, const float *learned, enum hst_tuned *best, hst_err *err)
{
    static const enum hst_tuned order[] = {HST_TUNED, HST_HALFWAY};
    int rc = hst_judge_ask(&t->judge, HST_FROZEN, err);
    for (int i = 0; rc == 0 && i < 2; i++) {
        rc = take_form(t, order[i], learned, err);
        if (rc == 0)
            rc = hst_judge_ask(&t->judge, order[i], err);
    }
    if (rc == 0)
        rc = hst_judge_decide(&t->judge, best, err);
    return rc || *best == HST_HALFWAY ? rc : take_form(t, *best, learned, err);
}

/* The backbone as it is to be kept, all features as it makes them, and the head that belongs to
 * it. */
static int refit(fine_tuner *t, enum hst_tuned *best, hst_err *err)
{
    float *learned = hst_alloc(hst_trainer_n_params(&t->trainer), sizeof *learned, err);
    if (!learned)
        return HST_EMEM;
    hst_trainer_get(&t->trainer, learned);
    int rc = t->judge.fold ? choose(t, learned, best, err) : take_form(t, *best, learned, err);
    free(learned);
    if (rc == 0)
        rc = *best == HST_FROZEN ? look(t, t->fit->model->extractor, &t->fit->validation, err)
                                 : validate(t, err);
    return rc ? rc : hst_judge_fit(&t->judge, *best, err);
}

static int record(const fine_tuner *t, enum hst_tuned kept, hst_err *err)
{
    hst_model *m = t->fit->model;
    int rc = hst_record_settings(m, settings(t), err);
    if (rc == 0)
        rc = hst_record_number(m, "thawed_params",
                               kept == HST_FROZEN ? 0 : (double)settings(t)->layers.n_learn, err);
    if (rc == 0 && t->best.n)
        rc = hst_record_number(m, "best_epoch", t->at.best_epoch, err);
    return rc;
}

static int finish(fine_tuner *t, hst_err *err)
{
    enum hst_tuned best = HST_TUNED;
    if (t->best.n && t->at.best_epoch != t->at.epoch) {
        swap_weights(t, 0);
        t->validated = 0;
    } else {
        hst_trainer_mean_exchange(&t->trainer);
    }
    int rc = t->how->refit ? refit(t, &best, err) : validate(t, err);
    if (!t->how->refit)
        hst_dense_head_get(&t->trainer.head, t->fit->model->kernel, t->fit->model->bias);
    if (rc == 0 && best != HST_FROZEN)
        rc = hand_over(t, err);
    return rc ? rc : record(t, best, err);
}

int hst_tune(hst_fit *f, const hst_tuning *how, hst_err *err)
{
    fine_tuner t = {.fit = f, .how = how, .options = HST_BUF(4096)};
    int rc = begin(&t, err);
    if (rc == 0)
        rc = find_rate(&t, err);
    f->run->settings.learning_rate = t.rates.peak;
    if (rc == 0)
        rc = learn(&t, err);
    if (rc == 0)
        rc = agree(&t, finish(&t, err), err);
    end(&t);
    return rc;
}
