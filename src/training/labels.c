/* labels.c - recipe auto of photos with several labels: a logistic regression for each, calibrated,
 * with the threshold of the largest F1. */
#include "base/mem.h"
#include "training/label_fit.h"
#include "training/recipe.h"
#include "training/temperature.h"

#include <math.h>
#include <stdlib.h>

/* What labels can say of the photos that the final head learns from: one that none of them has is
 * never said, one that all have always. */
static int check_labels(const hst_fit *f, const hst_examples *e, hst_err *err)
{
    const size_t labels = (size_t)f->model->n_classes;
    size_t told = 0;
    for (size_t c = 0; c < labels; c++) {
        size_t with = 0;
        for (size_t i = 0; i < e->n; i++)
            with += e->marks[i * labels + c];
        told += with > 0 && with < e->n;
        if (with == 0 || with == e->n)
            hst_log(f->ctx, HST_LOG_WARN, "%s photo to learn from has label %s: it will %s be said",
                    with ? "every" : "no", f->model->labels[c], with ? "always" : "never");
    }
    if (told)
        return 0;
    return hst_fail(err, HST_EDATA,
                    "none of the %zu labels is on some photos and not on others: there is nothing "
                    "to learn",
                    labels);
}

static double log_odds(float p)
{
    const double q = fmin(fmax((double)p, 1e-7), 1 - 1e-7);
    return log(q / (1 - q));
}

typedef struct sums {
    double loss, slope;
    size_t marks;
} sums;

/* The loss over the held-out marks with all log odds times b, and its derivative. */
static sums add_all(const hst_out_of_fold *o, const uint8_t *marks, double b)
{
    const size_t labels = (size_t)o->n_classes, enough = 500000;
    const size_t step = o->n * labels / enough + 1;
    sums s = {0};
    for (size_t i = 0; i < o->n; i += step)
        for (size_t c = 0; o->fold[i] < HST_FOLDS && c < labels; c++) {
            const int has = marks[i * labels + c];
            const double z = log_odds(o->prob[i * labels + c]), e = exp(-fabs(b * z));
            s.loss += log1p(e) + ((z > 0) == has ? 0 : fabs(b * z));
            s.slope += ((z > 0 ? 1 : e) / (1 + e) - has) * z;
            s.marks++;
        }
    return s;
}

/* As hst_temperature_fit, one for all labels. */
static hst_temperature fit_temperature(const hst_out_of_fold *o, const uint8_t *marks)
{
    const double prior_deviation = 0.5;
    double low = -log(20), high = log(20); /* of ln b */
    sums s = add_all(o, marks, 1);
    hst_temperature t = {.t = 1, .before = s.loss / (double)s.marks};
    if (s.marks == 0)
        return (hst_temperature){0};
    while (high - low > 1e-6) {
        const double u = (low + high) / 2;
        s = add_all(o, marks, exp(u));
        if (s.slope * exp(u) + u / (prior_deviation * prior_deviation) > 0)
            high = u;
        else
            low = u;
    }
    t.t = exp(-(low + high) / 2);
    t.after = add_all(o, marks, 1 / t.t).loss / (double)s.marks;
    return t;
}

static void cool(double t, hst_out_of_fold *o)
{
    const size_t labels = (size_t)o->n_classes;
    for (size_t i = 0; t > 0 && i < o->n; i++) {
        for (size_t c = 0; o->fold[i] < HST_FOLDS && c < labels; c++) {
            float *p = &o->prob[i * labels + c];
            *p = (float)(1 / (1 + exp(-log_odds(*p) / t)));
        }
        hst_spill_passed(o->home, labels * sizeof *o->prob);
    }
}

/* Deals the photos: a group of copies stays together, rare labels are spread over the folds. */
static int deal(const hst_fit *f, const hst_examples *e, hst_labels *p, int *fold, hst_err *err)
{
    int *key = hst_alloc(e->n, sizeof *key, err);
    int rc = key ? hst_labels_key(p, key, err) : HST_EMEM;
    if (rc == 0)
        rc = hst_folds_deal(
            &(hst_deal){.label = key, .group = e->group, .n = e->n, .n_classes = p->n_labels + 1},
            f->run->settings.seed, fold, err);
    p->fold = fold;
    free(key);
    return rc;
}

/* The model's head, thresholds and calibration from e; o: e's photos out of fold. */
static int fit_head(hst_fit *f, const hst_examples *e, hst_out_of_fold *o, hst_err *err)
{
    hst_model *m = f->model;
    hst_labels p = {.x = e->x,
                    .home = e->home,
                    .marks = e->marks,
                    .n = e->n,
                    .dim = m->dim,
                    .n_labels = m->n_classes};
    float *scale = hst_alloc((size_t)m->dim, sizeof *scale, err);
    double *l2 = scale ? hst_alloc((size_t)m->n_classes, sizeof *l2, err) : NULL;
    int *fold = l2 ? hst_alloc(e->n, sizeof *fold, err) : NULL;
    int rc = fold ? deal(f, e, &p, fold, err) : HST_EMEM;
    if (rc == 0) {
        hst_branch_scales(m->extractor, e->x, e->home, e->n, scale);
        p.scale = scale;
        rc = hst_labels_validate(f->ctx, &p, l2, o, err);
    }
    if (rc == 0)
        rc = hst_labels_fit(f->ctx, &p, l2, m->kernel, m->bias, err);
    if (rc == 0) {
        const hst_temperature t = fit_temperature(o, e->marks);
        cool(t.t, o);
        rc = hst_temperature_apply(&t, m, err);
    }
    if (rc == 0)
        rc = hst_labels_thresholds(o, e->marks, m->threshold, err);
    if (rc == 0)
        rc = hst_record_number(m, "l2", o->l2, err);
    free(fold);
    free(l2);
    free(scale);
    return rc;
}

/* Mean log loss of a mark, and photos all of whose labels are right; of no photos -1. */
static int score_side(const hst_model *m, const hst_examples *e, double *loss, double *right,
                      hst_err *err)
{
    const size_t labels = (size_t)m->n_classes;
    float *prob = hst_alloc(labels, sizeof *prob, err);
    double sum = 0;
    size_t hits = 0;
    if (!prob)
        return HST_EMEM;
    for (size_t i = 0; i < e->n; i++) {
        int wrong = 0;
        hst_model_head(m, e->x[i], prob);
        for (size_t c = 0; c < labels; c++) {
            const int has = e->marks[i * labels + c];
            sum += hst_log_loss(has ? (double)prob[c] : 1 - (double)prob[c]);
            wrong |= (prob[c] >= m->threshold[c]) != has;
        }
        hits += !wrong;
        hst_spill_passed(e->home, (size_t)m->dim * sizeof *prob);
    }
    free(prob);
    *loss = e->n ? sum / (double)(e->n * labels) : -1;
    *right = e->n ? (double)hits / (double)e->n : -1;
    return 0;
}

static int score(hst_fit *f, hst_err *err)
{
    hst_epoch e = {.epoch = 1};
    int rc = score_side(f->model, &f->train, &e.train_loss, &e.train_accuracy, err);
    if (rc == 0)
        rc = score_side(f->model, &f->validation, &e.val_loss, &e.val_accuracy, err);
    return rc ? rc : hst_run_add_epoch(f->run, &e, err);
}

static int fit(hst_fit *f, hst_err *err)
{
    const int last = f->run->settings.final == HST_FINAL_TRAIN;
    int rc = last ? check_labels(f, &f->train, err) : 0;
    if (rc == 0)
        rc = fit_head(f, &f->train, &f->out_of_fold, err);
    if (rc == 0)
        rc = hst_record_settings(f->model, &f->run->settings, err);
    return rc ? rc : score(f, err);
}

static int fit_all(hst_fit *f, hst_err *err)
{
    int rc = check_labels(f, &f->all, err);
    return rc ? rc : fit_head(f, &f->all, &f->run->out_of_fold, err);
}

const hst_recipe hst_recipe_labels = {.fit = fit, .fit_all = fit_all};
