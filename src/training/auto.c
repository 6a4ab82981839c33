/* auto.c - the default recipe: multinomial logistic regression to convergence, its L2 strength
 * chosen by cross-validation among the photos that it learns from. */
#include "base/mem.h"
#include "training/augmented_rows.h"
#include "training/prior.h"
#include "training/robust.h"
#include "training/temperature.h"

#include <math.h>
#include <stdlib.h>

double *hst_photo_weights(const hst_class_weights *w, const hst_examples *e, int n_classes,
                          hst_err *err)
{
    double *of_class = hst_alloc((size_t)n_classes, sizeof *of_class, err);
    double *weight = of_class ? hst_alloc(e->n, sizeof *weight, err) : NULL;
    if (weight) {
        hst_weigh_classes(w, e, n_classes, of_class);
        for (size_t i = 0; i < e->n; i++)
            weight[i] = of_class[e->label[i]];
    }
    free(of_class);
    return weight;
}

/* Scores both sides: the one line of history that this recipe has. */
static int score(hst_fit *f, hst_err *err)
{
    hst_epoch e = {.epoch = 1};
    int rc = hst_head_score(f->model, &f->train, &e.train_loss, &e.train_accuracy, err);
    if (rc == 0)
        rc = hst_head_score(f->model, &f->validation, &e.val_loss, &e.val_accuracy, err);
    return rc ? rc : hst_run_add_epoch(f->run, &e, err);
}

void hst_branch_scales(const hst_extractor *e, const float *const *x, hst_spill *home, size_t n,
                       float *scale)
{
    for (int k = 0; k < e->n_branches; k++) {
        const hst_branch *b = &e->branch[k];
        double sum = 0;
        for (size_t i = 0; e->n_branches > 1 && i < n; i++) {
            double square = 0;
            for (int j = b->first; j < b->first + b->dim; j++)
                square += (double)x[i][j] * (double)x[i][j];
            sum += sqrt(square);
            hst_spill_passed(home, (size_t)b->dim * sizeof **x);
        }
        for (int j = b->first; j < b->first + b->dim; j++)
            scale[j] = sum > 0 ? (float)((double)n / sum) : 1;
    }
}

/* The rows and weights to learn from: the photos, with augmented views where the run has them. */
static int make_rows(hst_fit *f, const hst_examples *e, hst_logistic *p, hst_augmented_rows *r,
                     hst_err *err)
{
    if (f->run->settings.augmented == 0)
        return 0;
    int rc = hst_augmented_rows_make(f, e, p->weight, r, err);
    if (rc)
        return rc;
    p->x = r->x;
    p->label = r->label;
    p->weight = r->weight;
    p->group = NULL; /* the rows have folds of their own */
    p->n = r->n;
    return 0;
}

/* The strength, and with it predictions out of fold. r: made, or all zero. */
static int choose(hst_fit *f, const hst_logistic *p, const hst_augmented_rows *r,
                  hst_out_of_fold *o, hst_err *err)
{
    hst_cross_validation v = {.p = p, .fold = r->fold, .score = r->score};
    int *own = r->fold ? NULL : hst_alloc(p->n, sizeof *own, err);
    int rc = r->fold || own ? 0 : HST_EMEM;
    if (rc == 0 && own) {
        v.fold = own;
        rc = hst_folds_make(p, f->run->settings.seed, own, err);
    }
    if (rc == 0)
        rc = hst_cross_validate(f->ctx, &v, o, err);
    free(own);
    return rc;
}

/* Weights for photos whose label is likely wrong, into weight[p->n], where that helps. */
static int trust_labels(hst_fit *f, hst_logistic *p, double *weight, hst_err *err)
{
    const hst_settings *s = &f->run->settings;
    size_t n = 0;
    int *fold = hst_alloc(p->n, sizeof *fold, err);
    int rc = fold ? hst_folds_make(p, s->seed, fold, err) : HST_EMEM;
    if (rc == 0)
        rc = hst_robust_weights(f->ctx, &(hst_cross_validation){.p = p, .fold = fold}, s->robust,
                                weight, &n, err);
    free(fold);
    if (rc)
        return rc;
    p->weight = weight;
    hst_log(f->ctx, HST_LOG_INFO, "of %zu photos %zu have labels that are likely wrong%s", p->n, n,
            n ? " and count less or not at all" : ", or nothing is gained by leaving any out");
    return hst_record_number(f->model, "robust_n", (double)n, err);
}

/* From e. o: the predictions of e's photos out of fold, and *t: what calibrates them; neither is
 * made where the strength was chosen elsewhere. */
static int fit_head(hst_fit *f, const hst_examples *e, hst_out_of_fold *o, hst_temperature *t,
                    hst_err *err)
{
    hst_model *m = f->model;
    hst_logistic p = {.x = e->x,
                      .home = e->home,
                      .label = e->label,
                      .n = e->n,
                      .dim = m->dim,
                      .n_classes = m->n_classes,
                      .group = e->group};
    hst_augmented_rows rows = {0};
    double *weight = NULL, *trusted = NULL, l2 = f->l2;
    if (f->run->class_weights.kind != HST_UNWEIGHTED) {
        weight = hst_photo_weights(&f->run->class_weights, e, m->n_classes, err);
        if (!weight)
            return HST_EMEM;
        p.weight = weight;
    }
    float *scale = hst_alloc((size_t)m->dim, sizeof *scale, err);
    int rc = scale ? 0 : HST_EMEM;
    if (rc == 0) {
        hst_branch_scales(m->extractor, e->x, e->home, e->n, scale);
        p.scale = scale;
        rc = make_rows(f, e, &p, &rows, err);
    }
    if (rc == 0 && f->run->settings.robust != HST_ROBUST_NONE) {
        trusted = hst_alloc(p.n, sizeof *trusted, err);
        rc = trusted ? trust_labels(f, &p, trusted, err) : HST_EMEM;
    }
    if (rc == 0 && !(l2 > 0)) {
        rc = choose(f, &p, &rows, o, err);
        l2 = o->l2;
        o->n = e->n; /* views are the rows behind the photos */
        *t = rc ? *t : hst_temperature_fit(o, e->label, p.weight);
    }
    if (rc == 0)
        rc = hst_logistic_fit(f->ctx, &p, l2, m->kernel, m->bias, err);
    if (rc == 0)
        rc = hst_record_number(m, "l2", l2, err);
    hst_augmented_rows_clear(&rows);
    free(scale);
    free(trusted);
    free(weight);
    return rc;
}

int hst_fit_logistic(hst_fit *f, hst_err *err)
{
    hst_out_of_fold o = {0};
    hst_temperature t = {0};
    int rc = fit_head(f, &f->train, &o, &t, err);
    hst_out_of_fold_clear(&o);
    return rc;
}

static int fit(hst_fit *f, hst_err *err)
{
    hst_out_of_fold o = {0};
    hst_temperature t = {0};
    int rc = fit_head(f, &f->train, &o, &t, err);
    if (rc == 0)
        rc = hst_record_settings(f->model, &f->run->settings, err);
    if (rc == 0)
        rc = hst_temperature_apply(&t, f->model, err);
    if (rc == 0)
        rc = hst_prior_apply(f, &f->train, err); /* records its shares in place of its text */
    if (rc == 0 && f->run->settings.final == HST_FINAL_TRAIN) {
        hst_temperature_cool(t.t, &o);
        rc = hst_prior_reweight(f, &f->train, &o, err);
        f->out_of_fold = o;
    } else {
        hst_out_of_fold_clear(&o);
    }
    return rc ? rc : score(f, err);
}

static int fit_all(hst_fit *f, hst_err *err)
{
    hst_out_of_fold *o = &f->run->out_of_fold;
    hst_temperature t = {0};
    int rc = fit_head(f, &f->all, o, &t, err);
    if (rc == 0)
        rc = hst_temperature_apply(&t, f->model, err);
    hst_temperature_cool(t.t, o);
    if (rc == 0)
        rc = hst_prior_apply(f, &f->all, err);
    return rc ? rc : hst_prior_reweight(f, &f->all, o, err);
}

static int check(const hst_settings *s, const hst_backbone *b, hst_err *err)
{
    (void)b;
    if (s->robust != HST_ROBUST_NONE && s->augmented)
        return hst_fail(err, HST_EARG, "robust does not go with augmented views");
    return 0;
}

const hst_recipe hst_recipe_auto = {.check = check, .fit = fit, .fit_all = fit_all};
