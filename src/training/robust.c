#include "training/robust.h"

#include "base/mem.h"
#include "evaluation/metrics.h"
#include "training/effort.h"

#include <stdlib.h>

static const double least_weight = 0.1;

/* The mean probability of each class among the photos that are labelled so and were held out. */
static double *thresholds(const hst_out_of_fold *o, const int *label, hst_err *err)
{
    const size_t classes = (size_t)o->n_classes;
    double *sum = hst_alloc(2 * classes, sizeof *sum, err), *count = sum ? sum + classes : NULL;
    if (!sum)
        return NULL;
    for (size_t i = 0; i < o->n; i++)
        if (o->fold[i] != HST_FOLDS) {
            sum[label[i]] += (double)o->prob[i * classes + (size_t)label[i]];
            count[label[i]]++;
        }
    for (size_t c = 0; c < classes; c++)
        sum[c] = count[c] > 0 ? sum[c] / count[c] : 1;
    return sum;
}

int64_t hst_suspicious(const hst_out_of_fold *o, const int *label, char *suspicious, hst_err *err)
{
    const size_t classes = (size_t)o->n_classes;
    double *threshold = thresholds(o, label, err);
    int64_t n = 0;
    if (!threshold)
        return HST_EMEM;
    for (size_t i = 0; i < o->n; i++) {
        const float *prob = o->prob + i * classes;
        const size_t own = (size_t)label[i];
        suspicious[i] = 0;
        if (o->fold[i] == HST_FOLDS || (double)prob[own] >= threshold[own])
            continue;
        for (size_t c = 0; c < classes; c++)
            suspicious[i] |= c != own && (double)prob[c] >= threshold[c] && prob[c] > prob[own];
        n += suspicious[i];
    }
    free(threshold);
    return n;
}

static double weight_of(const hst_logistic *p, size_t i)
{
    return p->weight ? p->weight[i] : 1;
}

int hst_robust_drop(const hst_logistic *p, const char *suspicious, double *weight, hst_err *err)
{
    size_t *left = hst_alloc((size_t)p->n_classes, 2 * sizeof *left, err);
    size_t *all = left ? left + p->n_classes : NULL;
    if (!left)
        return HST_EMEM;
    for (size_t i = 0; i < p->n; i++)
        all[p->label[i]] = ++left[p->label[i]];
    for (size_t i = 0; i < p->n; i++) {
        const int c = p->label[i];
        const int gone = suspicious[i] && 2 * (left[c] - 1) >= all[c];
        weight[i] = gone ? 0 : weight_of(p, i);
        left[c] -= (size_t)gone;
    }
    free(left);
    return 0;
}

static void weigh(const hst_logistic *p, const hst_out_of_fold *o, double *weight)
{
    double before = 0, after = 0;
    for (size_t i = 0; i < p->n; i++) {
        const double own = (double)o->prob[i * (size_t)o->n_classes + (size_t)p->label[i]];
        const double factor = o->fold[i] == HST_FOLDS ? 1 : own > least_weight ? own : least_weight;
        weight[i] = factor * weight_of(p, i);
        before += weight_of(p, i);
        after += weight[i];
    }
    for (size_t i = 0; i < p->n; i++)
        weight[i] *= before / after;
}

/* Losses of the photos that are held out and trusted, into loss[n]. */
static size_t trusted_losses(const hst_out_of_fold *o, const int *label, const char *suspicious,
                             double *loss)
{
    size_t n = 0;
    for (size_t i = 0; i < o->n; i++)
        if (o->fold[i] != HST_FOLDS && !suspicious[i])
            loss[n++] = hst_log_loss((double)o->prob[i * (size_t)o->n_classes + (size_t)label[i]]);
    return n;
}

/* What the decision is made from. */
typedef struct trial {
    hst_out_of_fold before, after;
    char *suspicious;
    double *score, *loss; /* [n] 1 where a photo is trusted; [2][n] */
} trial;

static int compare(const hst_ctx *ctx, const hst_cross_validation *v, enum hst_robust how, trial *t,
                   double *weight, hst_err *err)
{
    const hst_logistic *p = v->p;
    hst_logistic other = *p;
    int64_t found = hst_suspicious(&t->before, p->label, t->suspicious, err);
    int rc = found < 0 ? (int)found : 0;
    if (rc == 0 && how == HST_ROBUST_DROP)
        rc = hst_robust_drop(p, t->suspicious, weight, err);
    if (rc == 0 && how == HST_ROBUST_WEIGHTS)
        weigh(p, &t->before, weight);
    for (size_t i = 0; i < p->n; i++)
        t->score[i] = !t->suspicious[i];
    other.weight = weight;
    if (rc == 0)
        rc = hst_cross_validate(
            ctx, &(hst_cross_validation){.p = &other, .fold = v->fold, .score = t->score},
            &t->after, err);
    if (rc)
        return rc;
    const size_t n = trusted_losses(&t->before, p->label, t->suspicious, t->loss);
    (void)trusted_losses(&t->after, p->label, t->suspicious, t->loss + n);
    return hst_effort_gains(t->loss, t->loss + n, n, 1);
}

int hst_robust_weights(const hst_ctx *ctx, const hst_cross_validation *v, enum hst_robust how,
                       double *weight, size_t *n_changed, hst_err *err)
{
    const hst_logistic *p = v->p;
    trial t = {.suspicious = hst_alloc(p->n, 1, err)};
    t.score = t.suspicious ? hst_alloc(p->n, sizeof *t.score, err) : NULL;
    t.loss = t.score ? hst_alloc(p->n, 2 * sizeof *t.loss, err) : NULL;
    int rc = t.loss ? hst_cross_validate(ctx, v, &t.before, err) : HST_EMEM;
    if (rc == 0)
        rc = compare(ctx, v, how, &t, weight, err);
    *n_changed = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (rc != 1)
            weight[i] = weight_of(p, i);
        *n_changed += weight[i] < weight_of(p, i) / 2;
    }
    hst_out_of_fold_clear(&t.before);
    hst_out_of_fold_clear(&t.after);
    free(t.suspicious);
    free(t.score);
    free(t.loss);
    return rc < 0 ? rc : 0;
}
