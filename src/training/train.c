/* train.c - the main job: features -> split -> recipe -> evaluation. */
#include "base/mem.h"
#include "base/sized.h"
#include "dataset/deep.h"
#include "training/checkpoint.h"
#include "training/class_list.h"
#include "training/effort.h"
#include "training/learning_curve.h"
#include "training/prior.h"
#include "training/tune.h"
#include "training/unknown.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const hst_recipe *const recipes[] = {[HST_RECIPE_AUTO] = &hst_recipe_auto,
                                            [HST_RECIPE_FINE_TUNE] = &hst_recipe_fine_tune,
                                            [HST_RECIPE_TUTORIAL] = &hst_recipe_tutorial};

/* All that can be told before a photo is read. */
static int read_settings(const hst_train_opts *given, const hst_backbone *b, hst_settings *s,
                         hst_err *err)
{
    int rc = hst_settings_read(given, s, err);
    if (rc == 0 && recipes[s->recipe]->check)
        rc = recipes[s->recipe]->check(s, b, err);
    if (rc == 0)
        rc = hst_settings_thaw(s, b->graph, err);
    if (rc == 0 && s->recipe != HST_RECIPE_AUTO && b->beside)
        rc = hst_fail(err, HST_EARG, "recipe %s learns on one backbone, not on several",
                      hst_recipe_names[s->recipe]);
    if (rc == 0 && s->recipe == HST_RECIPE_TUTORIAL &&
        (b->views.mirror || b->views.crop || b->views.n_sizes))
        rc = hst_fail(err, HST_EARG, "recipe tutorial shows a photo to the backbone in one way");
    if (rc == 0 && s->fine_tune && b->precision == HST_PRECISION_INT8)
        rc = hst_fail(err, HST_EARG,
                      "a backbone learns in fp32 or bf16, not in int8: leave out the precision or "
                      "the fine-tuning");
    if (rc == 0 && s->fine_tune && (s->resume || s->checkpoint_steps) && !s->run_dir)
        rc = hst_fail(err, HST_EARG, "checkpoints need a run folder");
    return rc;
}

/* How a run learns: photos with several labels or a number have recipes of their own. */
static const hst_recipe *recipe_of(const hst_run *r)
{
    if (r->data->target == HST_TARGET_LABELS)
        return &hst_recipe_labels;
    return r->data->target == HST_TARGET_NUMBER ? &hst_recipe_number : recipes[r->settings.recipe];
}

static void end_phase(hst_run *r, const char *what, double *since)
{
    double now = hst_now_s();
    if (r->n_phases < HST_MAX_PHASES)
        r->phase[r->n_phases++] = (hst_phase){what, now - *since};
    *since = now;
}

static void examples_clear(hst_examples *e)
{
    free(e->x);
    free(e->label);
    free(e->marks);
    free(e->number);
    free(e->photo);
    free(e->group);
    *e = (hst_examples){0};
}

enum { BOTH_SIDES = -1 };

/* Photo i can be used and is on that side. */
static int is_on(const hst_run *r, size_t i, int side)
{
    return (side == BOTH_SIDES || r->side[i] == side) && hst_features_row(r->features, i);
}

/* The usable photos of one side or both, in data order. */
static int examples_make(const hst_run *r, int side, hst_examples *e, hst_err *err)
{
    size_t n = r->data->n_photos, usable = 0;
    for (size_t i = 0; i < n; i++)
        usable += is_on(r, i, side);
    e->x = hst_alloc(usable, sizeof *e->x, err);
    e->label = e->x ? hst_alloc(usable, sizeof *e->label, err) : NULL;
    e->photo = e->label ? hst_alloc(usable, sizeof *e->photo, err) : NULL;
    e->group = e->photo ? hst_alloc(usable, sizeof *e->group, err) : NULL;
    const size_t classes = (size_t)r->data->n_classes;
    if (e->group && r->data->target == HST_TARGET_LABELS)
        e->marks = hst_alloc(usable, classes, err);
    if (e->group && r->data->target == HST_TARGET_NUMBER)
        e->number = hst_alloc(usable, sizeof *e->number, err);
    if (!e->group || (r->data->target == HST_TARGET_LABELS && !e->marks) ||
        (r->data->target == HST_TARGET_NUMBER && !e->number))
        return HST_EMEM;
    e->home = r->features->rows;
    for (size_t i = 0; i < n; i++) {
        if (!is_on(r, i, side))
            continue;
        e->x[e->n] = hst_features_row(r->features, i);
        if (e->marks)
            memcpy(e->marks + e->n * classes, r->data->photos[i].marks, classes);
        if (e->number)
            e->number[e->n] = r->data->photos[i].number;
        e->label[e->n] = r->data->photos[i].label;
        e->photo[e->n++] = i;
    }
    return hst_groups_among(r->group, n, e->photo, e->n, e->group, err);
}

/* A stable split of few photos may keep none aside. The tutorial and Keras' split always measure,
 * and where the caller made the sides or counts on them (patience), an empty one is a mistake. */
static int check_measurable(const hst_fit *f, hst_err *err)
{
    const hst_settings *s = &f->run->settings;
    if (f->run->data->split != HST_SPLIT_STABLE || s->recipe == HST_RECIPE_TUTORIAL ||
        s->patience > 0)
        return hst_fail(err, HST_EDATA, "no usable photo is on the validation side");
    if (s->final != HST_FINAL_ALL)
        hst_log(f->ctx, HST_LOG_WARN,
                "no photo is kept aside: the accuracy cannot be measured; with more photos it can");
    return 0;
}

/* Every class must have something to learn from; those without validation photos are only warned
 * about. */
static int check_classes(const hst_fit *f, hst_err *err)
{
    const hst_data *d = f->run->data;
    hst_class_list untrained = {0}, unmeasured = {0};
    if (f->train.n == 0)
        return hst_fail(err, HST_EDATA, "no usable photo to train on");
    for (int c = 0; d->target == HST_TARGET_CLASS && c < d->n_classes; c++) {
        size_t train = 0, validation = 0;
        for (size_t i = 0; i < f->train.n; i++)
            train += f->train.label[i] == c;
        for (size_t i = 0; i < f->validation.n; i++)
            validation += f->validation.label[i] == c;
        if (train == 0)
            hst_class_list_add(&untrained, d->classes[c]);
        if (validation == 0 && f->validation.n && f->run->settings.final != HST_FINAL_ALL)
            hst_class_list_add(&unmeasured, d->classes[c]);
    }
    if (untrained.n)
        return hst_fail(err, HST_EDATA,
                        "class%s %s keep%s no usable photo to train on; add photos or take the "
                        "class%s away",
                        untrained.n == 1 ? "" : "es", untrained.names, untrained.n == 1 ? "s" : "",
                        untrained.n == 1 ? "" : "es");
    hst_class_list_warn(&unmeasured, f->ctx, "has no validation photos",
                        "have no validation photos");
    return f->validation.n ? 0 : check_measurable(f, err);
}

static uint64_t pixels_of(const hst_run *r, size_t photo)
{
    return r->features->pixels[photo];
}

/* The model knows the photos that its head learned from: photo[n] of the data. */
static int remember_seen(hst_fit *f, const size_t *photo, size_t n, hst_err *err)
{
    uint64_t *pixels = hst_alloc(n, sizeof *pixels, err);
    int rc = pixels ? 0 : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < n; i++)
        pixels[i] = pixels_of(f->run, photo[i]);
    if (rc == 0)
        rc = hst_model_set_seen(f->model, pixels, n, err);
    free(pixels);
    return rc;
}

static const uint8_t *marks_of(const hst_examples *e, int n_classes, size_t i)
{
    return e->marks ? e->marks + i * (size_t)n_classes : NULL;
}

static int evaluate(hst_fit *f, hst_err *err)
{
    const hst_model *m = f->model;
    const hst_run *r = f->run;
    const hst_examples *v = &f->validation;
    hst_eval *e = hst_eval_of_model(&f->run->ctx, m, v->n, err);
    float *prob = e ? hst_alloc((size_t)m->n_classes, sizeof *prob, err) : NULL;
    int rc = prob ? remember_seen(f, f->train.photo, f->train.n, err) : HST_EMEM;
    f->run->holdout = e;
    if (e)
        e->borrows_paths = 1;
    for (size_t i = 0; rc == 0 && i < v->n; i++) {
        const uint64_t pixels = pixels_of(r, v->photo[i]);
        hst_model_head(m, v->x[i], prob);
        hst_spill_visited(v->home); /* few of all */
        rc = hst_eval_add(e,
                          &(hst_judged){.path = r->data->photos[v->photo[i]].path,
                                        .truth = v->label[i],
                                        .marks = marks_of(v, m->n_classes, i),
                                        .number = v->number ? v->number[i] : 0,
                                        .prob = prob,
                                        .pixels = pixels,
                                        .seen = hst_model_has_seen(m, pixels)},
                          err);
    }
    for (size_t i = 0; rc == 0 && i < r->data->n_photos; i++)
        e->n_skipped += r->features->why[i] && r->side[i] != HST_TRAIN;
    free(prob);
    if (rc == 0)
        rc = hst_eval_finish(e, err);
    if (rc == 0 && e->n_seen)
        hst_log(f->ctx, HST_LOG_WARN,
                "%zu validation photos are the same pictures as training photos: they do not count",
                e->n_seen);
    return rc;
}

/* Every photo that was held out, as judged by the head that had not seen it. */
static int evaluate_out_of_fold(hst_fit *f, hst_err *err)
{
    hst_run *r = f->run;
    const hst_model *m = f->model;
    const hst_out_of_fold *o = &r->out_of_fold;
    hst_eval *e = hst_eval_of_model(&r->ctx, m, o->n, err);
    int rc = e ? 0 : HST_EMEM;
    r->eval = e;
    if (e)
        e->borrows_paths = 1;
    for (size_t i = 0; rc == 0 && i < o->n; i++) {
        hst_spill_passed(o->home, (size_t)o->n_classes * sizeof *o->prob);
        if (o->fold[i] < HST_FOLDS)
            rc = hst_eval_add(e,
                              &(hst_judged){.path = r->data->photos[f->all.photo[i]].path,
                                            .truth = f->all.label[i],
                                            .marks = marks_of(&f->all, m->n_classes, i),
                                            .number = f->all.number ? f->all.number[i] : 0,
                                            .prob = o->prob + i * (size_t)o->n_classes,
                                            .pixels = pixels_of(r, f->all.photo[i])},
                              err);
    }
    if (rc == 0)
        rc = hst_eval_finish(e, err);
    if (rc)
        return rc;
    e->folds = HST_FOLDS;
    e->n_skipped = r->features->n - r->features->n_used;
    if (e->n == 0)
        hst_log(f->ctx, HST_LOG_WARN,
                "no class has a second photo: the accuracy cannot be measured; with more photos it "
                "can");
    hst_class_list single = {0};
    for (int c = 0; e->n && m->target == HST_TARGET_CLASS && c < m->n_classes; c++)
        if (e->score[c].support == 0)
            hst_class_list_add(&single, m->labels[c]);
    hst_class_list_warn(&single, f->ctx, "has one photo only, which was always learned from",
                        "have one photo only, which was always learned from");
    return 0;
}

/* The final head, from all photos. */
static int learn_all(hst_fit *f, hst_err *err)
{
    hst_run *r = f->run;
    examples_clear(&f->train);
    examples_clear(&f->validation);
    int rc = examples_make(r, BOTH_SIDES, &f->all, err);
    if (rc == 0)
        rc = recipe_of(r)->fit_all(f, err);
    if (rc == 0)
        rc = evaluate_out_of_fold(f, err);
    if (rc == 0)
        rc = remember_seen(f, f->all.photo, f->all.n, err);
    r->n_train = f->all.n;
    r->out_of_fold_photo = f->all.photo;
    f->all.photo = NULL;
    return rc;
}

/* What the head of recipe auto learned from; of a backbone that learned, too, photos tell nothing
 * that it has not seen. */
static int wants_curve(const hst_fit *f, const hst_examples *e)
{
    const hst_settings *s = &f->run->settings;
    const int n_classes = f->model->n_classes;
    if (s->recipe != HST_RECIPE_AUTO || f->l2 > 0 || f->model->target != HST_TARGET_CLASS)
        return 0;
    if (hst_curve_possible(e->n, n_classes))
        return s->learning_curve || hst_curve_cheap(e->n, f->model->dim, n_classes);
    if (s->learning_curve)
        hst_log(f->ctx, HST_LOG_WARN,
                "no learning curve: it takes two classes and five photos of each in the mean");
    return 0;
}

static int make_curve(hst_fit *f, hst_err *err)
{
    hst_run *r = f->run;
    const hst_settings *s = &r->settings;
    const hst_examples *e = r->out_of_fold.n ? &f->all : &f->train;
    /* its predictions are of a head that learned in the same way as those of the parts */
    const int plain_weights = r->class_weights.kind == HST_UNWEIGHTED;
    const int plain = plain_weights && s->robust == HST_ROBUST_NONE && !r->prior && !s->augmented;
    if (!wants_curve(f, e))
        return 0;
    double *weight =
        plain_weights ? NULL : hst_photo_weights(&r->class_weights, e, f->model->n_classes, err);
    float *scale = hst_alloc((size_t)f->model->dim, sizeof *scale, err);
    r->curve = scale ? hst_alloc(1, sizeof *r->curve, err) : NULL;
    int rc = r->curve && (weight || plain_weights) ? 0 : HST_EMEM;
    if (rc == 0) {
        hst_branch_scales(f->model->extractor, e->x, e->home, e->n, scale);
        rc = hst_learning_curve_make(
            f->ctx,
            &(hst_curve_in){.x = e->x,
                            .home = e->home,
                            .scale = scale,
                            .label = e->label,
                            .weight = weight,
                            .group = e->group,
                            .n = e->n,
                            .dim = f->model->dim,
                            .n_classes = f->model->n_classes,
                            .classes = r->data->classes,
                            .whole = plain && r->out_of_fold.n ? &r->out_of_fold : NULL,
                            .seed = s->seed},
            r->curve, err);
    }
    free(scale);
    free(weight);
    return rc;
}

/* Of the number of photos, and where there are any of what is measured first, with its interval.
 * how: "val", "oof". */
static int record_accuracy(hst_model *m, const hst_eval *e, const char *how, hst_err *err)
{
    static const char *const first[] = {"accuracy", "map", "mae"};
    const char *const what[4] = {"n", first[m->target], "ci_low", "ci_high"};
    double v[4] = {0};
    char key[32];
    int rc = hst_eval_metric(e, "n", &v[0], NULL, NULL, err);
    if (rc == 0)
        rc = hst_eval_metric(e, first[m->target], &v[1], &v[2], &v[3], err);
    for (int i = 0; rc == 0 && i < (e->n ? 4 : 1); i++) {
        snprintf(key, sizeof key, "%s_%s", how, what[i]);
        if (!isnan(v[i]))
            rc = hst_record_number(m, key, v[i], err);
    }
    return rc;
}

/* How good the model is, and what it learned from. */
static int record_measures(const hst_fit *f, hst_err *err)
{
    const hst_run *r = f->run;
    int rc = record_accuracy(f->model, r->holdout, "val", err);
    if (rc == 0 && r->eval)
        rc = record_accuracy(f->model, r->eval, "oof", err);
    if (rc == 0 && recipe_of(r)->fit_all)
        rc = hst_model_set_record(f->model, "final", hst_final_names[r->settings.final], err);
    return rc;
}

/* What the model file tells about its making: nothing that differs between equal runs. */
static int record(const hst_fit *f, hst_err *err)
{
    const hst_run *r = f->run;
    hst_model *m = f->model;
    char views[1024];
    int rc = record_measures(f, err);
    hst_extractor_describe(m->extractor, views, sizeof views);
    if (rc == 0 && !hst_model_plain(m))
        rc = hst_model_set_record(m, "views", views, err);
    if (rc == 0 && hst_model_precision(m) != HST_PRECISION_FP32)
        rc = hst_model_set_record(m, "precision", hst_precision_names[hst_model_precision(m)], err);
    if (rc == 0 && r->backbone->info.patch_px)
        rc = hst_model_set_record(m, "pool", r->backbone->info.pool, err);
    const struct {
        const char *key, *text;
    } texts[] = {{"recipe", hst_recipe_names[r->settings.recipe]},
                 {"split", hst_split_name(r->data->split)},
                 {"prepare", hst_prep_name(&r->features->prep)},
                 {"class_weight", r->class_weight ? r->class_weight : HST_CLASS_WEIGHT_NONE},
                 {"backbone_source", r->backbone->source},
                 {"backbone_sha256", r->backbone->sha256}};
    const struct {
        const char *key;
        uint64_t value;
    } counts[] = {
        {"seed", r->settings.seed}, {"split_seed", r->data->seed}, {"n_train", r->n_train}};
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"val_part", r->data->val_part}};
    char text[24];
    for (size_t i = 0; rc == 0 && i < sizeof counts / sizeof *counts; i++) {
        snprintf(text, sizeof text, "%" PRIu64, counts[i].value);
        rc = hst_model_set_record(m, counts[i].key, text, err);
    }
    for (size_t i = 0; rc == 0 && i < sizeof texts / sizeof *texts; i++)
        rc = hst_model_set_record(m, texts[i].key, texts[i].text, err);
    for (size_t i = 0; rc == 0 && i < sizeof numbers / sizeof *numbers; i++)
        rc = hst_record_number(m, numbers[i].key, numbers[i].value, err);
    return rc;
}

static int learn(hst_fit *f, hst_err *err)
{
    hst_run *r = f->run;
    double since = hst_now_s();
    int rc = examples_make(r, HST_TRAIN, &f->train, err);
    if (rc == 0)
        rc = examples_make(r, HST_VALIDATION, &f->validation, err);
    if (rc == 0)
        rc = check_classes(f, err);
    if (rc == 0)
        rc = hst_copies_warn(f->ctx, r->data, r->features, err);
    if (rc)
        return rc;
    if (r->data->target == HST_TARGET_CLASS)
        hst_prior_suggest(f);
    rc = hst_effort_search(f, err);
    if (r->n_steps)
        end_phase(r, "effort", &since);
    if (rc)
        return rc;
    r->n_train = f->train.n;
    f->model =
        hst_model_new(f->extractor, (const char *const *)r->data->classes, r->data->n_classes, err);
    f->extractor = NULL; /* the model's, or gone */
    if (!f->model)
        return HST_EMEM;
    rc = hst_model_set_target(f->model, r->data->target, err);
    if (rc == 0)
        rc = recipe_of(r)->fit(f, err);
    end_phase(r, r->settings.fine_tune ? "training" : "head", &since);
    if (rc == 0)
        rc = evaluate(f, err);
    end_phase(r, "evaluation", &since);
    if (rc == 0 && r->settings.final == HST_FINAL_ALL && f->l2 > 0) {
        hst_log(f->ctx, HST_LOG_INFO,
                "the final model learns from the training side, as its "
                "fine-tuned backbone did: the other side measures it");
        r->settings.final = HST_FINAL_TRAIN;
    }
    if (rc == 0 && r->settings.final == HST_FINAL_ALL) {
        rc = learn_all(f, err);
        end_phase(r, "final head", &since);
    }
    if (rc == 0 && r->data->target == HST_TARGET_CLASS) {
        const int all = r->settings.final == HST_FINAL_ALL;
        rc = hst_unknown_fit(f, all ? &f->all : &f->train, all ? &r->out_of_fold : &f->out_of_fold,
                             err);
        end_phase(r, "unknown", &since);
    }
    if (rc == 0)
        rc = make_curve(f, err);
    if (r->curve)
        end_phase(r, "learning curve", &since);
    if (rc == 0)
        rc = record(f, err);
    if (rc == 0)
        rc = hst_model_seal(f->model, err);
    return rc;
}

/* What is recorded of a file is the weights in it, in the order of the labels. */
static int keep_class_weights(hst_run *r, const char *text, hst_err *err)
{
    hst_buf b = HST_BUF(SIZE_MAX / 2);
    int rc = hst_class_weights_read(text, r->data, &r->class_weights, err);
    if (rc)
        return rc;
    const double *given = r->class_weights.given;
    for (int c = 0; given && c < r->data->n_classes; c++) {
        hst_buf_puts(&b, c ? "," : "");
        hst_buf_double(&b, given[c]);
    }
    rc = hst_buf_check(&b, err);
    r->class_weight = rc ? NULL : hst_strdup(given ? b.p : text, err);
    r->settings.class_weight = r->class_weight;
    hst_buf_free(&b);
    return rc ? rc : r->class_weight ? 0 : HST_EMEM;
}

/* Takes over the settings: the run may outlive the caller's texts. */
static int keep_settings(hst_run *r, const hst_settings *s, hst_err *err)
{
    r->settings = *s;
    if (r->data->target != HST_TARGET_CLASS)
        r->settings.unknown_rate = 0;
    if (!recipe_of(r)->fit_all)
        r->settings.final = HST_FINAL_TRAIN;
    else if (s->final == HST_FINAL_BY_SPLIT)
        r->settings.final = r->data->split == HST_SPLIT_STABLE ? HST_FINAL_ALL : HST_FINAL_TRAIN;
    if (s->thaw && !(r->settings.thaw = r->thaw = hst_strdup(s->thaw, err)))
        return HST_EMEM;
    if (s->class_weight && keep_class_weights(r, s->class_weight, err))
        return err && err->code ? err->code : HST_EMEM;
    if (!s->prior)
        return 0;
    r->settings.prior = r->prior_text = hst_strdup(s->prior, err);
    return r->prior_text ? hst_prior_read(s->prior, r->data, &r->prior, err) : HST_EMEM;
}

static hst_run *run_new(const hst_ctx *ctx, const hst_backbone *b, const hst_data *d, hst_err *err)
{
    hst_run *r = hst_alloc(1, sizeof *r, err);
    if (!r)
        return NULL;
    r->ctx = hst_ctx_quiet(ctx);
    r->data = d;
    r->backbone = b;
    r->side = hst_alloc(d->n_photos, 1, err);
    r->group = r->side ? hst_alloc(d->n_photos, sizeof *r->group, err) : NULL;
    if (r->group)
        return r;
    free(r->side);
    free(r);
    return NULL;
}

/* Where the caller leaves it open, as the photos need it. */
static void choose_preparation(hst_ctx *ctx, const hst_data *d, const hst_train_opts *o,
                               hst_settings *s)
{
    const char *given = o && o->prepare ? hst_preparation_names[s->prepare] : NULL;
    const char *now = s->recipe == HST_RECIPE_TUTORIAL ? NULL : hst_deep_resolve(ctx, d, given);
    if (!given && now)
        s->prepare = HST_PREPARE_SCALED;
}

hst_model *hst_train(hst_ctx *ctx, const hst_backbone *b, const hst_data *d,
                     const hst_train_opts *o, hst_run **run, hst_err *err)
{
    hst_settings settings;
    if (read_settings(o, b, &settings, err) || hst_target_check(&settings, d, err))
        return NULL;
    choose_preparation(ctx, d, o, &settings);
    hst_run *r = run_new(ctx, b, d, err);
    if (!r)
        return NULL;
    double since = hst_now_s();
    hst_fit f = {.ctx = ctx, .run = r, .began_s = since};
    int rc = keep_settings(r, &settings, err);
    if (rc == 0)
        rc = hst_checkpoint_claim(ctx, &settings, err);
    if (rc == 0)
        f.extractor = hst_extractor_of(ctx, b, hst_settings_preparation(&settings), err);
    if (f.extractor)
        r->features =
            hst_features_through(ctx, f.extractor, d, settings.effort || settings.time_s > 0, err);
    if (rc == 0 && r->features)
        rc = hst_near_copies_group(ctx, r->features, &r->near, r->group, err);
    end_phase(r, "features", &since);
    if (rc == 0)
        rc = r->features
                 ? hst_split_assign(r->data, r->features->content, r->features->why, r->side, err)
                 : HST_EDATA;
    if (rc == 0) {
        hst_spill_rest(r->features->contents);
        hst_spill_rest(r->features->pictures);
        rc = learn(&f, err);
    }
    r->settings.run_dir = NULL; /* the caller's text, and not needed any more */
    hst_extractor_free(f.extractor);
    examples_clear(&f.train);
    examples_clear(&f.validation);
    examples_clear(&f.all);
    hst_out_of_fold_clear(&f.out_of_fold);
    if (rc) {
        hst_model_free(f.model);
        f.model = NULL;
    }
    if (rc == 0 && run)
        *run = r;
    else
        hst_run_free(r);
    return f.model;
}
