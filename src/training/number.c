/* number.c - recipe auto of photos with a number: ridge regression, and how far off it is. */
#include "base/mem.h"
#include "training/recipe.h"
#include "training/ridge.h"

#include <math.h>
#include <stdlib.h>

enum { BANDS = 10, BAND = 5 /* photos at least */ };

typedef struct place {
    double y;
    size_t photo;
} place;

static int by_value(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->y != y->y)
        return x->y < y->y ? -1 : 1;
    return x->photo < y->photo ? -1 : 1;
}

/* Deals the photos band by band of their numbers, so that each fold has small and large ones; a
 * group of copies stays together. */
static int deal(const hst_fit *f, const hst_examples *e, int *fold, hst_err *err)
{
    const size_t bands = e->n / BAND < 1 ? 1 : e->n / BAND < BANDS ? e->n / BAND : BANDS;
    place *at = hst_alloc(e->n, sizeof *at, err);
    int *band = at ? hst_alloc(e->n, sizeof *band, err) : NULL, rc = band ? 0 : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < e->n; i++)
        at[i] = (place){e->number[i], i};
    if (rc == 0) {
        qsort(at, e->n, sizeof *at, by_value);
        for (size_t i = 0; i < e->n; i++)
            band[at[i].photo] = (int)(i * bands / e->n);
        rc = hst_folds_deal(
            &(hst_deal){.label = band, .group = e->group, .n = e->n, .n_classes = (int)bands},
            f->run->settings.seed, fold, err);
    }
    free(band);
    free(at);
    return rc;
}

static int rising(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* What of n errors in order is exceeded by no more than a part of further ones (conformal
 * prediction, Vovk et al. 2005): infinite where they are too few to say. */
static double end_of(const double *off, size_t n, double part)
{
    const double rank =
        part < 0.5 ? floor(part * (double)(n + 1) + 1e-9) : ceil(part * (double)(n + 1) - 1e-9);
    if (rank < 1)
        return -INFINITY;
    return rank > (double)n ? INFINITY : off[(size_t)rank - 1];
}

/* Range and intervals of the model, by what out of fold was said of e. */
static int set_number(hst_model *m, const hst_examples *e, const double *said, hst_err *err)
{
    static const double part[HST_NUMBER_ENDS] = {0.025, 0.1, 0.9, 0.975};
    double *off = hst_alloc(e->n, sizeof *off, err);
    size_t n = 0;
    if (!off)
        return HST_EMEM;
    m->number.least = m->number.most = e->number[0];
    for (size_t i = 0; i < e->n; i++) {
        m->number.least = fmin(m->number.least, e->number[i]);
        m->number.most = fmax(m->number.most, e->number[i]);
        if (!isnan(said[i]))
            off[n++] = e->number[i] - said[i];
    }
    qsort(off, n, sizeof *off, rising);
    for (int k = 0; k < HST_NUMBER_ENDS; k++)
        m->number.ends[k] = end_of(off, n, part[k]);
    free(off);
    return 0;
}

/* As the rest of training keeps it. */
static int keep(const hst_examples *e, const int *fold, const double *said, hst_out_of_fold *o,
                hst_err *err)
{
    *o = (hst_out_of_fold){.n = e->n, .n_classes = 1};
    o->fold = hst_alloc(e->n, sizeof *o->fold, err);
    o->prob = o->fold ? hst_alloc(e->n, sizeof *o->prob, err) : NULL;
    if (!o->prob)
        return HST_EMEM;
    for (size_t i = 0; i < e->n; i++) {
        o->fold[i] = isnan(said[i]) ? HST_FOLDS : fold[i];
        o->prob[i] = isnan(said[i]) ? 0 : (float)said[i];
    }
    return 0;
}

/* Their deviation; the head learns from numbers of mean 0 and deviation 1. */
static double deviation(const hst_examples *e, double *mean)
{
    double sum = 0;
    *mean = 0;
    for (size_t i = 0; i < e->n; i++)
        *mean += e->number[i] / (double)e->n;
    for (size_t i = 0; i < e->n; i++)
        sum += (e->number[i] - *mean) * (e->number[i] - *mean) / (double)e->n;
    return sqrt(sum);
}

/* From the ridge's numbers back to the caller's. */
static int set_head(hst_model *m, const double *kernel, double bias, double mean, double spread,
                    hst_err *err)
{
    for (int k = 0; k < m->dim; k++)
        m->kernel[k] = (float)(kernel[k] * spread);
    m->bias[0] = (float)(bias * spread + mean);
    for (int k = 0; k < m->dim; k++)
        if (!isfinite(m->kernel[k]))
            return hst_fail(err, HST_EDATA, "the numbers called %s are too large", m->labels[0]);
    return 0;
}

static int fit_ridge(hst_fit *f, const hst_examples *e, hst_ridge *p, double *y, hst_out_of_fold *o,
                     hst_err *err)
{
    hst_model *m = f->model;
    double l2 = 0, bias = 0, mean, spread = deviation(e, &mean);
    double *said = hst_alloc(e->n, sizeof *said, err);
    double *kernel = said ? hst_alloc((size_t)m->dim, sizeof *kernel, err) : NULL;
    if (kernel && !(spread > 0))
        spread = 1; /* one number: the side that is measured may have others */
    for (size_t i = 0; i < e->n; i++)
        y[i] = (e->number[i] - mean) / spread;
    int rc = kernel ? hst_ridge_validate(f->ctx, p, &l2, said, err) : HST_EMEM;
    if (rc == 0)
        rc = hst_ridge_fit(f->ctx, p, l2, kernel, &bias, err);
    for (size_t i = 0; rc == 0 && i < e->n; i++)
        said[i] = said[i] * spread + mean;
    if (rc == 0)
        rc = set_head(m, kernel, bias, mean, spread, err);
    if (rc == 0)
        rc = set_number(m, e, said, err);
    if (rc == 0)
        rc = keep(e, p->fold, said, o, err);
    if (rc == 0)
        rc = hst_record_number(m, "l2", o->l2 = l2, err);
    free(kernel);
    free(said);
    return rc;
}

/* The model's head from e; o: e's photos out of fold. */
static int fit_head(hst_fit *f, const hst_examples *e, hst_out_of_fold *o, hst_err *err)
{
    const hst_model *m = f->model;
    int *fold = hst_alloc(e->n, sizeof *fold, err);
    double *y = fold ? hst_alloc(e->n, sizeof *y, err) : NULL;
    float *scale = y ? hst_alloc((size_t)m->dim, sizeof *scale, err) : NULL;
    int rc = scale ? deal(f, e, fold, err) : HST_EMEM;
    if (rc == 0) {
        hst_branch_scales(m->extractor, e->x, e->home, e->n, scale);
        hst_ridge p = {.x = e->x,
                       .home = e->home,
                       .y = y,
                       .n = e->n,
                       .dim = m->dim,
                       .scale = scale,
                       .fold = fold};
        rc = fit_ridge(f, e, &p, y, o, err);
    }
    free(scale);
    free(y);
    free(fold);
    return rc;
}

/* The final head learns from photos of more than one number. */
static int check_numbers(const hst_fit *f, const hst_examples *e, hst_err *err)
{
    for (size_t i = 1; i < e->n; i++)
        if (e->number[i] != e->number[0])
            return 0;
    return hst_fail(err, HST_EDATA,
                    "%s: all %zu photos to learn from have the same number: there is nothing to "
                    "learn",
                    f->model->labels[0], e->n);
}

/* The mean square of the errors; of no photos -1. */
static double mean_square(const hst_model *m, const hst_examples *e)
{
    double sum = 0;
    for (size_t i = 0; i < e->n; i++) {
        float said;
        hst_model_head(m, e->x[i], &said);
        sum += ((double)said - e->number[i]) * ((double)said - e->number[i]);
        hst_spill_passed(e->home, (size_t)m->dim * sizeof said);
    }
    return e->n ? sum / (double)e->n : -1;
}

static int fit(hst_fit *f, hst_err *err)
{
    hst_epoch e = {.epoch = 1, .train_accuracy = -1, .val_accuracy = -1};
    int rc = f->run->settings.final == HST_FINAL_TRAIN ? check_numbers(f, &f->train, err) : 0;
    if (rc == 0)
        rc = fit_head(f, &f->train, &f->out_of_fold, err);
    if (rc == 0)
        rc = hst_record_settings(f->model, &f->run->settings, err);
    if (rc)
        return rc;
    e.train_loss = mean_square(f->model, &f->train);
    e.val_loss = mean_square(f->model, &f->validation);
    return hst_run_add_epoch(f->run, &e, err);
}

static int fit_all(hst_fit *f, hst_err *err)
{
    int rc = check_numbers(f, &f->all, err);
    return rc ? rc : fit_head(f, &f->all, &f->run->out_of_fold, err);
}

const hst_recipe hst_recipe_number = {.fit = fit, .fit_all = fit_all};
