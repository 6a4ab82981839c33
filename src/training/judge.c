#include "training/judge.h"
#include "base/mem.h"
#include "training/cross_validation.h"

#include <stdlib.h>

static hst_logistic problem(const hst_judge *j)
{
    const hst_examples *e = &j->fit->train;
    return (hst_logistic){.x = e->x,
                          .home = e->home,
                          .label = e->label,
                          .weight = j->weight,
                          .group = e->group,
                          .n = e->n,
                          .dim = j->fit->model->dim,
                          .n_classes = j->fit->model->n_classes};
}

/* Fold 0 of those that cross-validation would deal. */
static int keep_some(hst_judge *j, size_t *n_kept, hst_err *err)
{
    const hst_logistic p = problem(j);
    j->fold = hst_alloc(p.n, sizeof *j->fold, err);
    int rc = j->fold ? hst_folds_make(&p, j->fit->run->settings.seed, j->fold, err) : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < p.n; i++) {
        j->fold[i] = j->fold[i] == 0 ? 0 : HST_FOLDS;
        *n_kept += j->fold[i] == 0;
    }
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
    e->home = all->home;
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
    if (f->run->class_weights.kind != HST_UNWEIGHTED) {
        j->weight = hst_photo_weights(&f->run->class_weights, &f->train, f->model->n_classes, err);
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
    *j = (hst_judge){0};
}

/* A head learns from the photos that the backbone learns from; the others are asked. */
int hst_judge_ask(hst_judge *j, enum hst_tuned which, hst_err *err)
{
    const hst_logistic p = problem(j);
    hst_out_of_fold out;
    int rc = hst_cross_validate(j->fit->ctx, &(hst_cross_validation){.p = &p, .fold = j->fold},
                                &out, err);
    j->loss[which] = out.log_loss;
    j->l2[which] = out.l2;
    if (rc == 0)
        j->temperature[which] = hst_temperature_fit(&out, p.label, p.weight);
    hst_out_of_fold_clear(&out);
    return rc;
}

int hst_judge_decide(const hst_judge *j, enum hst_tuned *best, hst_err *err)
{
    static const char *const names[] = {"frozen", "halfway", "tuned"};
    static const char *const keys[] = {"kept_aside_loss_frozen", "kept_aside_loss_halfway",
                                       "kept_aside_loss_tuned"};
    static const char *const words[] = {"it goes back to what it was", "it is kept halfway",
                                        "it stays as it became"};
    hst_model *m = j->fit->model;
    size_t n = j->fit->train.n - j->learn.n;
    *best = HST_TUNED;
    if (!j->fold)
        return 0;
    *best = HST_FROZEN;
    for (int i = 1; i < HST_N_TUNED; i++)
        *best = j->loss[i] < j->loss[*best] ? (enum hst_tuned)i : *best;
    hst_log(j->fit->ctx, HST_LOG_INFO,
            "log loss on %zu training photos kept from the backbone: %.4f before it learned, %.4f "
            "after, %.4f halfway: %s",
            n, j->loss[HST_FROZEN], j->loss[HST_TUNED], j->loss[HST_HALFWAY], words[*best]);
    int rc = hst_model_set_record(m, "kept", names[*best], err);
    if (rc == 0)
        rc = hst_record_number(m, "kept_aside_n", (double)n, err);
    for (int i = 0; rc == 0 && i < HST_N_TUNED; i++)
        rc = hst_record_number(m, keys[i], j->loss[i], err);
    return rc;
}

/* Out of fold of the whole training side. */
static int choose(hst_judge *j, enum hst_tuned which, hst_err *err)
{
    const hst_logistic p = problem(j);
    hst_out_of_fold out = {0};
    int *fold = hst_alloc(p.n, sizeof *fold, err);
    int rc = fold ? hst_folds_make(&p, j->fit->run->settings.seed, fold, err) : HST_EMEM;
    if (rc == 0)
        rc = hst_cross_validate(j->fit->ctx, &(hst_cross_validation){.p = &p, .fold = fold}, &out,
                                err);
    j->l2[which] = out.l2;
    j->temperature[which] = (hst_temperature){0};
    if (rc == 0 && which == HST_FROZEN)
        j->temperature[which] = hst_temperature_fit(&out, p.label, p.weight);
    hst_out_of_fold_clear(&out);
    free(fold);
    return rc;
}

/* A backbone that has learned from all photos has none left that tell how sure its head may be. */
int hst_judge_fit(hst_judge *j, enum hst_tuned which, hst_err *err)
{
    const hst_logistic p = problem(j);
    hst_model *m = j->fit->model;
    const double *l2 = &j->l2[which];
    int rc = 0;
    if (!j->fold || which == HST_FROZEN)
        rc = choose(j, which, err);
    if (rc == 0)
        rc = hst_logistic_fit(j->fit->ctx, &p, *l2, m->kernel, m->bias, err);
    if (rc == 0)
        rc = hst_temperature_apply(&j->temperature[which], m, err);
    return rc ? rc : hst_record_number(m, "head_l2", *l2, err);
}
