/* effort_backbones.c - steps of the search that add a network: one that is here already, or the
 * first one after it has learned from the photos. */
#include "training/effort.h"
#include "training/effort_search.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- backbones at hand ---- */

/* Networks to put beside the first, the best first: the first two as measured beside
 * efficientnet_lite0 (docs/accuracy.md), the others by what they cost. */
static const char *const companions[] = {
    "efficientnet_lite2", "mobilenet_v2",       "efficientnet_lite0", "efficientnet_lite1",
    "efficientnet_b0",    "mobilenet_v3_large", "resnet50",           NULL};

static int is_here(const hst_search *s, const char *name)
{
    const char *known;
    int cached;
    for (int i = 0; (known = hst_backbone_name(s->fit->ctx, i, &cached)); i++)
        if (strcmp(known, name) == 0)
            return cached;
    return 0;
}

static int in_use(const hst_search *s, const hst_backbone *b)
{
    const hst_extractor *e = s->fit->extractor;
    for (int k = 0; k < e->n_branches; k++)
        if (strcmp(e->branch[k].backbone->sha256, b->sha256) == 0 ||
            strcmp(e->branch[k].backbone->arch.family, b->arch.family) == 0)
            return 1;
    return 0;
}

/* What is kept, and beside it b, which sees photos in as many of the ways in which the first
 * backbone sees them. */
static hst_extractor *with_beside(const hst_search *s, hst_backbone *b, int n_views, hst_err *err)
{
    const hst_branch *first = &s->fit->extractor->branch[0];
    hst_extractor *c = hst_extractor_copy(s->fit->extractor, s->fit->ctx, err);
    hst_prep p;
    int rc = c ? hst_extractor_prep(b, NULL, &p, err) : HST_EMEM;
    p.resampler = first->view[0].prep.resampler;
    rc = rc ? rc : hst_prep_fit(&p, hst_fit_names[s->fit->run->settings.fit], err);
    if (rc == 0)
        rc = hst_extractor_add_branch(c, b, err);
    for (int i = 0; rc == 0 && i < n_views; i++) {
        const hst_prep *like = &first->view[i].prep, *plain = &first->view[0].prep;
        hst_prep own = p;
        own.mirror = like->mirror;
        own.size.width = p.size.width * like->size.width / plain->size.width;
        own.size.height = p.size.height * like->size.height / plain->size.height;
        if (like->geometry != plain->geometry)
            (void)hst_search_cropped(&p, &own);
        rc = hst_extractor_add_view(c, s->fit->ctx, &own, err);
    }
    if (rc) {
        hst_extractor_free(c);
        return NULL;
    }
    c->branch[c->n_branches - 1].transform = first->transform;
    return c;
}

/* A network that cannot be opened is no reason to fail: it was nobody's wish. */
static int try_beside(hst_search *s, const char *name, int *tried, hst_err *err)
{
    hst_err why = {0};
    char what[96];
    hst_backbone_opts o = hst_backbone_opts_default();
    o.precision = hst_precision_names[s->fit->run->backbone->precision];
    hst_backbone *b = is_here(s, name) ? hst_backbone_open_with(s->fit->ctx, name, &o, &why) : NULL;
    if (!b || in_use(s, b)) {
        if (why.code)
            hst_log(s->fit->ctx, HST_LOG_WARN, "effort: %s is left out: %s", name, why.msg);
        hst_backbone_free(b);
        return why.code == HST_EMEM || why.code == HST_ESTOPPED
                   ? hst_fail(err, why.code, "%s", why.msg)
                   : 0;
    }
    if (!hst_search_affordable(s, hst_extractor_cost_beside(s->fit->extractor, b))) {
        hst_backbone_free(b); /* not even one view of it: ranges need not be looked for */
        return 0;
    }
    const char *prepare = hst_settings_preparation(&s->fit->run->settings);
    int rc = hst_backbone_calibrate(s->fit->ctx, b, s->fit->run->data, prepare, err);
    if (rc) {
        hst_backbone_free(b);
        return rc;
    }
    const int n = s->fit->extractor->n_branches;
    hst_extractor *c = with_beside(s, b, s->fit->extractor->branch[0].n_views, err);
    if (c && !hst_search_affordable(s, hst_search_passes(s, c))) {
        hst_extractor_free(c);
        c = with_beside(s, b, 1, err);
    }
    const double spent = s->spent;
    snprintf(what, sizeof what, "%s beside", name);
    rc = hst_search_consider(s, what, c, err);
    *tried += s->spent > spent;
    if (rc == 0 && s->fit->extractor->n_branches > n)
        s->fit->extractor->branch[n].owned = b;
    else
        hst_backbone_free(b);
    return rc;
}

int hst_search_companions(hst_search *s, int most, hst_err *err)
{
    int rc = 0, tried = 0;
    for (int i = 0; rc == 0 && companions[i] && tried < most; i++)
        rc = try_beside(s, companions[i], &tried, err);
    if (rc == 0 && tried == 0)
        hst_log(s->fit->ctx, HST_LOG_INFO,
                "effort: no second backbone that fits is here; %s and %s are best beside %s",
                companions[0], companions[1], s->fit->extractor->branch[0].backbone->arch.family);
    return rc;
}

/* ---- the first backbone after fine-tuning ---- */

/* Below these nothing is to be expected of it: too few photos to learn from, or too few mistakes to
 * do better than. Of int8 it has no ranges. */
enum { LEAST_A_CLASS = 20, LEAST_MISTAKES = 10 };

/* Passes that it costs: three epochs of four fifths of the photos, a step being some four passes,
 * and three looks at all of them. */
enum { TUNING_PASSES = 13 };

static int worth_tuning(const hst_search *s)
{
    const hst_run *r = s->fit->run;
    const size_t n = s->fit->train.n;
    double accuracy = 1;
    for (size_t i = 0; i < r->n_steps; i++)
        accuracy = r->step[i].kept ? r->step[i].accuracy : accuracy;
    return r->backbone->precision != HST_PRECISION_INT8 &&
           n >= LEAST_A_CLASS * (size_t)r->data->n_classes &&
           (1 - accuracy) * (double)n >= LEAST_MISTAKES &&
           hst_search_affordable(s, TUNING_PASSES) &&
           s->fit->extractor->n_branches < HST_MAX_BESIDE;
}

/* A run of recipe fine-tune inside this one: the first backbone and its first view, the same photos
 * to learn from, none to measure. */
typedef struct tuning {
    hst_run run;
    hst_fit fit;
    hst_extractor *plain;
} tuning;

static int begin_tuning(const hst_search *s, tuning *t, hst_err *err)
{
    const hst_fit *f = s->fit;
    const hst_branch *first = &f->extractor->branch[0];
    hst_train_opts o = hst_train_opts_default();
    o.recipe = hst_recipe_names[HST_RECIPE_FINE_TUNE];
    o.prepare = hst_preparation_names[f->run->settings.prepare];
    o.fit = hst_fit_names[f->run->settings.fit];
    o.seed = f->run->settings.seed;
    t->run = (hst_run){.data = f->run->data, .backbone = first->backbone, .side = f->run->side};
    t->fit = (hst_fit){.ctx = f->ctx, .run = &t->run};
    int rc = hst_settings_read(&o, &t->run.settings, err);
    if (rc == 0)
        rc = hst_settings_thaw(&t->run.settings, first->backbone->graph, err);
    t->run.settings.class_weight = f->run->settings.class_weight;
    t->run.class_weights = f->run->class_weights;
    t->plain = rc ? NULL : hst_extractor_new(err);
    if (rc == 0)
        rc = t->plain ? hst_extractor_add_branch(t->plain, first->backbone, err) : HST_EMEM;
    if (rc == 0)
        rc = hst_extractor_add_view(t->plain, f->ctx, &first->view[0].prep, err);
    if (rc == 0)
        t->run.features = hst_features_further(f->ctx, t->plain, f->run->data, f->extractor,
                                               f->run->features, err);
    if (rc == 0 && !t->run.features)
        rc = err && err->code ? err->code : HST_EMEM;
    return rc;
}

static int tune(const hst_search *s, tuning *t, hst_err *err)
{
    const hst_examples *all = &s->fit->train;
    hst_examples *e = &t->fit.train;
    e->x = hst_alloc(all->n, sizeof *e->x, err);
    if (!e->x)
        return HST_EMEM;
    e->home = t->run.features->rows;
    e->n = all->n;
    e->label = all->label;
    e->photo = all->photo;
    e->group = all->group;
    for (size_t i = 0; i < e->n; i++)
        e->x[i] = hst_features_row(t->run.features, e->photo[i]);
    t->fit.model = hst_model_new(t->plain, (const char *const *)t->run.data->classes,
                                 t->run.data->n_classes, err);
    t->plain = NULL; /* the model's, or gone */
    return t->fit.model ? hst_recipe_fine_tune.fit(&t->fit, err) : HST_EMEM;
}

static void end_tuning(tuning *t)
{
    hst_model_free(t->fit.model);
    hst_extractor_free(t->plain);
    hst_features_free(t->run.features);
    free(t->run.history);
    free(t->fit.train.x);
}

/* The photos that were kept from the backbone: fold 0 (judge.h), dealt there as here. */
static int *kept_aside(const hst_search *s, hst_err *err)
{
    const size_t n = s->fit->train.n;
    int *fold = hst_alloc(n, sizeof *fold, err);
    for (size_t i = 0; fold && i < n; i++)
        fold[i] = s->fold[i] == 0 ? 0 : HST_FOLDS;
    return fold;
}

/* 1 where losses b of the photos in fold 0 are better than a; negative: HST_EMEM. A whole standard
 * error of so few photos would leave out most of what helps: a quarter of it is asked for. */
static int gains(const int *fold, const double *a, const double *b, size_t n, hst_err *err)
{
    double *pair = hst_alloc(2 * n, sizeof *pair, err);
    size_t k = 0;
    if (!pair)
        return HST_EMEM;
    for (size_t i = 0; i < n; i++)
        if (fold[i] == 0) {
            pair[k] = a[i];
            pair[n + k++] = b[i];
        }
    int better = hst_effort_gains(pair, pair + n, k, 0.25);
    free(pair);
    return better;
}

/* Judges what is kept without and with the backbone b, on photos that b has not seen; with it where
 * that is better. b is taken. */
static int judge_tuned(hst_search *s, hst_backbone *b, hst_effort_step *step, hst_err *err)
{
    hst_fit *f = s->fit;
    const size_t n = f->train.n;
    hst_effort_step without = {0};
    hst_features *g = NULL;
    int *fold = kept_aside(s, err);
    double *before = fold ? hst_alloc(n, sizeof *before, err) : NULL;
    double *after = before ? hst_alloc(n, sizeof *after, err) : NULL;
    hst_extractor *c = after ? with_beside(s, b, f->extractor->branch[0].n_views, err) : NULL;
    if (c)
        g = hst_features_further(f->ctx, c, f->run->data, f->extractor, f->run->features, err);
    int rc = g ? 0 : err && err->code ? err->code : HST_EMEM;
    if (rc == 0)
        rc = hst_search_judge(s, f->extractor, f->run->features, fold, before, &without, err);
    if (rc == 0)
        rc = hst_search_judge(s, c, g, fold, after, step, err);
    if (rc == 0)
        rc = gains(fold, before, after, n, err);
    step->kept = rc > 0;
    if (step->kept) {
        step->cost = hst_search_passes(s, c);
        c->branch[c->n_branches - 1].owned = b;
        hst_search_keep(s, c, g, after);
        f->l2 = step->l2;
    } else {
        hst_extractor_free(c);
        hst_features_free(g);
        hst_backbone_free(b);
        free(after);
    }
    free(before);
    free(fold);
    return rc < 0 ? rc : 0;
}

int hst_search_tuned(hst_search *s, hst_err *err)
{
    tuning t = {.plain = NULL};
    hst_effort_step step = {.what = "the first backbone fine-tuned beside"};
    const double since = hst_now_s();
    if (!worth_tuning(s))
        return 0;
    int rc = begin_tuning(s, &t, err);
    if (rc == 0)
        rc = tune(s, &t, err);
    hst_branch *learned = rc ? NULL : &t.fit.model->extractor->branch[0];
    hst_backbone *b = learned ? learned->owned : NULL;
    if (b) {
        learned->owned = NULL;
        rc = judge_tuned(s, b, &step, err);
    }
    end_tuning(&t);
    step.seconds = hst_now_s() - since;
    s->spent += TUNING_PASSES;
    return rc || !b ? rc : hst_search_note(s, &step, err);
}
