#include "training/judge.h"
#include "base/mem.h"
#include "evaluation/metrics.h"

#include <math.h>
#include <stdlib.h>

static hst_logistic problem(const hst_judge *j)
{
    const hst_examples *e = &j->fit->train;
    return (hst_logistic){.x = e->x,
                          .label = e->label,
                          .weight = j->weight,
                          .n = e->n,
                          .dim = j->fit->model->dim,
                          .n_classes = j->fit->model->n_classes};
}

/* Fold 0 of those that cross-validation would deal. */
static int keep_some(hst_judge *j, size_t *n_kept, hst_err *err)
{
    const hst_logistic p = problem(j);
    j->fold = hst_alloc(p.n, sizeof *j->fold, err);
    size_t *group = j->fold ? hst_alloc(p.n, sizeof *group, err) : NULL;
    int rc = group ? hst_copies_group(p.x, p.n, p.dim, group, err) : HST_EMEM;
    hst_deal deal = {.label = p.label, .group = group, .n = p.n, .n_classes = p.n_classes};
    if (rc == 0)
        rc = hst_folds_deal(&deal, j->fit->run->settings.seed, j->fold, err);
    for (size_t i = 0; rc == 0 && i < p.n; i++) {
        j->fold[i] = j->fold[i] == 0 ? 0 : HST_FOLDS;
        *n_kept += j->fold[i] == 0;
    }
    free(group);
    return rc;
}

static int make_learn(hst_judge *j, hst_err *err)
{
    const hst_examples *all = &j->fit->train;
    hst_examples *e = &j->learn;
    e->x = hst_alloc(all->n, sizeof *e->x, err);
    e->label = e->x ? hst_alloc(all->n, sizeof *e->label, err) : NULL;
    e->photo = e->label ? hst_alloc(all->n, sizeof *e->photo, err) : NULL;
    if (!e->photo)
        return HST_EMEM;
    for (size_t i = 0; i < all->n; i++) {
        if (j->fold && j->fold[i] == 0)
            continue;
        e->x[e->n] = all->x[i];
        e->label[e->n] = all->label[i];
        e->photo[e->n++] = all->photo[i];
    }
    return 0;
}

int hst_judge_init(hst_judge *j, const hst_fit *f, int keep, hst_err *err)
{
    size_t n_kept = 0;
    *j = (hst_judge){.fit = f};
    if (f->run->settings.class_weight == HST_BALANCED) {
        j->weight = hst_photo_weights(&f->train, f->model->n_classes, err);
        if (!j->weight)
            return HST_EMEM;
    }
    int rc = keep ? keep_some(j, &n_kept, err) : 0;
    if (rc == 0 && n_kept == 0) {
        free(j->fold);
        j->fold = NULL;
    }
    return rc ? rc : make_learn(j, err);
}

void hst_judge_clear(hst_judge *j)
{
    free(j->fold);
    free(j->weight);
    free(j->learn.x);
    free(j->learn.label);
    free(j->learn.photo);
    hst_out_of_fold_clear(&j->before);
    *j = (hst_judge){0};
}

/* A head learns from the photos that the backbone learns from; the others are asked. */
static int ask(const hst_judge *j, hst_out_of_fold *out, hst_err *err)
{
    const hst_logistic p = problem(j);
    return hst_cross_validate(j->fit->ctx, &(hst_cross_validation){.p = &p, .fold = j->fold}, out,
                              err);
}

int hst_judge_before(hst_judge *j, hst_err *err)
{
    return j->fold ? ask(j, &j->before, err) : 0;
}

/* By how much the loss of the photos kept aside rose in the mean, and the standard error of it. */
static void compare(const hst_judge *j, const hst_out_of_fold *after, double *rise, double *error)
{
    double sum = 0, squares = 0, total = 0, weights = 0;
    for (size_t i = 0; i < after->n; i++) {
        if (j->fold[i] != 0)
            continue;
        size_t at = i * (size_t)after->n_classes + (size_t)j->fit->train.label[i];
        double w = j->weight ? j->weight[i] : 1;
        double d = hst_log_loss((double)after->prob[at]) - hst_log_loss((double)j->before.prob[at]);
        sum += w * d;
        squares += w * w * d * d;
        total += w;
        weights += w * w;
    }
    *rise = sum / total;
    double spread = squares / weights - *rise * *rise; /* of a photo */
    *error = sqrt((spread > 0 ? spread : 0) * weights) / total;
}

static int record(const hst_judge *j, const hst_out_of_fold *after, int better, hst_err *err)
{
    hst_model *m = j->fit->model;
    size_t n = j->fit->train.n - j->learn.n;
    hst_log(j->fit->ctx, HST_LOG_INFO,
            "log loss on %zu training photos kept from the backbone: %.4f before it learned, %.4f "
            "after: %s",
            n, j->before.log_loss, after->log_loss,
            better ? "it stays as it has become" : "it goes back to what it was");
    int rc = hst_model_set_record(m, "kept", better ? "tuned" : "frozen", err);
    if (rc == 0)
        rc = hst_record_number(m, "kept_aside_n", (double)n, err);
    if (rc == 0)
        rc = hst_record_number(m, "kept_aside_loss_frozen", j->before.log_loss, err);
    return rc ? rc : hst_record_number(m, "kept_aside_loss_tuned", after->log_loss, err);
}

static int fit_head(hst_judge *j, double l2, hst_err *err)
{
    const hst_logistic p = problem(j);
    hst_model *m = j->fit->model;
    j->l2 = l2;
    return hst_logistic_fit(j->fit->ctx, &p, l2, m->kernel, m->bias, err);
}

int hst_judge_after(hst_judge *j, int *better, hst_err *err)
{
    hst_out_of_fold after = {0};
    double rise = 0, error = 0;
    *better = 1;
    if (!j->fold)
        return hst_judge_fit_auto(j, err);
    int rc = ask(j, &after, err);
    if (rc == 0) {
        compare(j, &after, &rise, &error);
        *better = !(rise > error);
        rc = record(j, &after, *better, err);
    }
    if (rc == 0 && *better)
        rc = fit_head(j, after.l2, err);
    hst_out_of_fold_clear(&after);
    return rc;
}

int hst_judge_fit_auto(hst_judge *j, hst_err *err)
{
    const hst_logistic p = problem(j);
    double l2 = 0;
    int rc = hst_logistic_choose_l2(j->fit->ctx, &p, j->fit->run->settings.seed, &l2, err);
    return rc ? rc : fit_head(j, l2, err);
}
