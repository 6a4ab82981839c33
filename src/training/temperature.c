#include "training/temperature.h"
#include "evaluation/metrics.h"

#include <float.h>
#include <math.h>

static const double prior_deviation = 0.5, least = 0.05, most = 20;

/* Of the log loss, in b = 1/t: its sum and its first derivative. */
typedef struct sums {
    double loss, slope, weight;
} sums;

static double logit(float prob)
{
    return log(fmax((double)prob, (double)FLT_MIN));
}

/* A photo's part in them. With logits z, which are the logarithms of its probabilities, the loss is
 * ln sum exp(b z) - b z_own; its derivative is the mean of z under the cooled probabilities less
 * z_own. */
static void add_photo(const float *prob, int n, int own, double b, double weight, sums *s)
{
    double sum = 0, mean = 0, top = logit(prob[hst_argmax(prob, n)]);
    for (int c = 0; c < n; c++) {
        const double z = logit(prob[c]), p = exp(b * (z - top));
        sum += p;
        mean += p * z;
    }
    s->loss += weight * (log(sum) + b * (top - logit(prob[own])));
    s->slope += weight * (mean / sum - logit(prob[own]));
    s->weight += weight;
}

/* Half a million probabilities tell one number as well as more of them. */
static sums add_all(const hst_out_of_fold *o, const int *label, const double *weight, double b)
{
    const size_t enough = 500000, classes = (size_t)o->n_classes;
    const size_t step = o->n * classes / enough + 1;
    sums s = {0};
    for (size_t i = 0; i < o->n; i += step)
        if (o->fold[i] < HST_FOLDS)
            add_photo(o->prob + i * classes, o->n_classes, label[i], b, weight ? weight[i] : 1, &s);
    return s;
}

hst_temperature hst_temperature_fit(const hst_out_of_fold *o, const int *label,
                                    const double *weight)
{
    double low = -log(most), high = -log(least); /* of u = ln b */
    sums s = add_all(o, label, weight, 1);
    hst_temperature t = {.t = 1, .before = s.loss / s.weight, .after = s.loss / s.weight};
    if (!(s.weight > 0))
        return (hst_temperature){0};
    while (high - low > 1e-6) {
        const double u = (low + high) / 2;
        s = add_all(o, label, weight, exp(u));
        if (s.slope * exp(u) + u / (prior_deviation * prior_deviation) > 0)
            high = u;
        else
            low = u;
    }
    t.t = exp(-(low + high) / 2);
    s = add_all(o, label, weight, 1 / t.t);
    t.after = s.loss / s.weight;
    return t;
}

void hst_temperature_cool(double t, hst_out_of_fold *o)
{
    const size_t classes = (size_t)o->n_classes;
    for (size_t i = 0; t > 0 && i < o->n; i++) {
        float *prob = o->prob + i * classes;
        double sum = 0, top = logit(prob[hst_argmax(prob, o->n_classes)]);
        if (o->fold[i] >= HST_FOLDS)
            continue;
        for (size_t c = 0; c < classes; c++)
            sum += exp((logit(prob[c]) - top) / t);
        for (size_t c = 0; c < classes; c++)
            prob[c] = (float)(exp((logit(prob[c]) - top) / t) / sum);
        hst_spill_passed(o->home, classes * sizeof *prob);
    }
}

int hst_temperature_apply(const hst_temperature *t, hst_model *m, hst_err *err)
{
    const size_t classes = (size_t)m->n_classes;
    if (!(t->t > 0))
        return 0;
    for (size_t i = 0; i < (size_t)m->dim * classes; i++)
        m->kernel[i] = (float)((double)m->kernel[i] / t->t);
    for (size_t c = 0; c < classes; c++)
        m->bias[c] = (float)((double)m->bias[c] / t->t);
    int rc = hst_record_number(m, "temperature", t->t, err);
    if (rc == 0)
        rc = hst_record_number(m, "log_loss_uncalibrated", t->before, err);
    return rc ? rc : hst_record_number(m, "log_loss_calibrated", t->after, err);
}
