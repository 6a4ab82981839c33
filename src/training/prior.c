#include "training/prior.h"
#include "base/mem.h"
#include "training/class_numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int read_file(const char *path, const hst_data *d, double *prior, hst_err *err)
{
    static const hst_class_numbers words = {
        .what = "share",
        .choices = "the prior is balanced, as-trained or a file with a line label,share for each "
                   "class"};
    double sum = 0;
    const int rc = hst_class_numbers_read(path, &words, d, prior, err);
    for (int c = 0; rc == 0 && c < d->n_classes; c++)
        sum += prior[c];
    for (int c = 0; rc == 0 && c < d->n_classes; c++)
        prior[c] /= sum;
    return rc;
}

int hst_prior_read(const char *text, const hst_data *d, double **prior, hst_err *err)
{
    int rc = 0;
    *prior = NULL;
    if (strcmp(text, HST_PRIOR_AS_TRAINED) == 0)
        return 0;
    double *made = hst_alloc((size_t)d->n_classes, sizeof *made, err);
    if (!made)
        return HST_EMEM;
    if (strcmp(text, HST_PRIOR_BALANCED) == 0)
        for (int c = 0; c < d->n_classes; c++)
            made[c] = 1.0 / d->n_classes;
    else
        rc = read_file(text, d, made, err);
    if (rc)
        free(made);
    else
        *prior = made;
    return rc;
}

static size_t count_class(const hst_examples *e, int c)
{
    size_t n = 0;
    for (size_t i = 0; i < e->n; i++)
        n += e->label[i] == c;
    return n;
}

void hst_prior_suggest(const hst_fit *f)
{
    const hst_settings *s = &f->run->settings;
    const hst_data *d = f->run->data;
    int most = 0, fewest = 0;
    if (!s->prior || f->run->prior || f->run->class_weights.kind != HST_UNWEIGHTED)
        return;
    size_t max = count_class(&f->train, 0), min = max;
    for (int c = 1; c < d->n_classes; c++) {
        size_t n = count_class(&f->train, c);
        if (n > max)
            most = c, max = n;
        if (n < min)
            fewest = c, min = n;
    }
    if (max > HST_UNEQUAL * min)
        hst_log(f->ctx, HST_LOG_INFO,
                "class %s has %zu photos to learn from, %s has %zu: --prior balanced has the model "
                "expect all alike, so that those of few photos are named as readily; "
                "--class-weight balanced lets their photos count more while it learns",
                d->classes[most], max, d->classes[fewest], min);
}

/* ---- the head ---- */

void hst_prior_shares(const hst_examples *e, int n_classes, const hst_class_weights *w,
                      double *share)
{
    for (int c = 0; c < n_classes; c++)
        share[c] = hst_class_weights_are_equal(w) ? 1.0 / n_classes : 0;
    for (size_t i = 0; !hst_class_weights_are_equal(w) && i < e->n; i++)
        share[e->label[i]] += 1.0 / (double)e->n;
    if (w->kind == HST_UNWEIGHTED || hst_class_weights_are_equal(w))
        return;
    double sum = 0;
    for (int c = 0; c < n_classes; c++) {
        share[c] *= hst_class_weight_of(w, c, share[c] * (double)e->n, (double)e->n, n_classes);
        sum += share[c];
    }
    for (int c = 0; c < n_classes; c++)
        share[c] /= sum;
}

void hst_prior_shift(const double *prior, const double *share, int n_classes, float *bias)
{
    for (int c = 0; c < n_classes; c++)
        bias[c] = (float)((double)bias[c] + log(prior[c] / share[c]));
}

/* "balanced", or the shares in the order of the labels: nothing of where they were read. */
static int record(const hst_fit *f, hst_err *err)
{
    const hst_run *r = f->run;
    hst_buf b = HST_BUF(SIZE_MAX / 2);
    if (strcmp(r->settings.prior, HST_PRIOR_BALANCED) == 0)
        return hst_model_set_record(f->model, "prior", HST_PRIOR_BALANCED, err);
    for (int c = 0; c < r->data->n_classes; c++) {
        hst_buf_puts(&b, c ? "," : "");
        hst_buf_double(&b, r->prior[c]);
    }
    int rc = hst_buf_check(&b, err);
    if (rc == 0)
        rc = hst_model_set_record(f->model, "prior", b.p, err);
    hst_buf_free(&b);
    return rc;
}

int hst_prior_apply(hst_fit *f, const hst_examples *e, hst_err *err)
{
    hst_model *m = f->model;
    if (!f->run->prior)
        return 0;
    double *share = hst_alloc((size_t)m->n_classes, sizeof *share, err);
    if (!share)
        return HST_EMEM;
    hst_prior_shares(e, m->n_classes, &f->run->class_weights, share);
    hst_prior_shift(f->run->prior, share, m->n_classes, m->bias);
    free(share);
    return record(f, err);
}

int hst_prior_reweight(const hst_fit *f, const hst_examples *e, hst_out_of_fold *o, hst_err *err)
{
    const size_t classes = (size_t)o->n_classes;
    if (!f->run->prior)
        return 0;
    double *share = hst_alloc(classes, sizeof *share, err);
    if (!share)
        return HST_EMEM;
    hst_prior_shares(e, o->n_classes, &f->run->class_weights, share);
    for (size_t i = 0; i < o->n; i++) {
        float *prob = o->prob + i * classes;
        double sum = 0;
        for (size_t c = 0; c < classes; c++)
            sum += (double)prob[c] * f->run->prior[c] / share[c];
        for (size_t c = 0; sum > 0 && c < classes; c++)
            prob[c] = (float)((double)prob[c] * f->run->prior[c] / share[c] / sum);
        hst_spill_passed(o->home, classes * sizeof *prob);
    }
    free(share);
    return 0;
}
