#include "evaluation/outcomes.h"
#include "base/mem.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Numbers are keyed by what they are for; that there is a seed at all is a rule of random.h. */
enum { BOOTSTRAP_SEED = 1 };

/* What the measures of one sample are made of. */
typedef struct tally {
    size_t n;
    double log_loss, brier;
    struct {
        size_t n, hits;
        double confidence;
    } bin[HST_BINS];
    size_t *hits, *truths, *guesses; /* [n_classes] */
} tally;

/* An edge is a float, as the probabilities are: 0.2f belongs to the bin that ends at 0.2. */
int hst_bin(double confidence)
{
    if (!(confidence > 0))
        return 0;
    int k = confidence < 1 ? (int)(confidence * HST_BINS) : HST_BINS - 1;
    while (k > 0 && confidence <= (float)((double)k / HST_BINS))
        k--;
    return k;
}

static int tally_alloc(tally *t, int n_classes, hst_err *err)
{
    size_t classes = (size_t)n_classes;
    *t = (tally){.hits = hst_alloc(classes, 3 * sizeof *t->hits, err)};
    if (!t->hits)
        return HST_EMEM;
    t->truths = t->hits + classes;
    t->guesses = t->truths + classes;
    return 0;
}

/* times NULL: every photo once. */
static void count(const hst_outcomes *s, const uint32_t *times, tally *t)
{
    size_t classes = (size_t)s->n_classes, *hits = t->hits;
    memset(hits, 0, 3 * classes * sizeof *hits);
    *t = (tally){.hits = hits, .truths = t->truths, .guesses = t->guesses};
    for (size_t i = 0; i < s->n; i++) {
        const hst_outcome *o = &s->photo[i];
        size_t w = times ? times[i] : 1, hit = o->truth == o->guess ? w : 0;
        if (w == 0)
            continue;
        int k = hst_bin(o->confidence);
        t->n += w;
        t->log_loss += (double)w * o->log_loss;
        t->brier += (double)w * o->brier;
        t->bin[k].n += w;
        t->bin[k].hits += hit;
        t->bin[k].confidence += (double)w * o->confidence;
        t->truths[o->truth] += w;
        t->guesses[o->guess] += w;
        t->hits[o->truth] += hit;
    }
}

static double ratio(size_t a, size_t b)
{
    return b ? (double)a / (double)b : 0;
}

/* Means over classes. Balanced: recall of those that have photos. Macro: of those that have photos
 * or were predicted, as scikit-learn has it without a list of labels. Weighted: by photos. */
static void average(const tally *t, int n_classes, double *v)
{
    int with_photos = 0, seen = 0;
    for (int c = 0; c < n_classes; c++) {
        size_t hits = t->hits[c], truths = t->truths[c], guesses = t->guesses[c];
        double precision = ratio(hits, guesses), recall = ratio(hits, truths);
        double f1 = ratio(2 * hits, truths + guesses);
        with_photos += truths > 0;
        seen += truths + guesses > 0;
        v[HST_MACRO_PRECISION] += precision;
        v[HST_MACRO_RECALL] += recall;
        v[HST_MACRO_F1] += f1;
        v[HST_WEIGHTED_PRECISION] += (double)truths * precision;
        v[HST_WEIGHTED_F1] += (double)truths * f1;
    }
    v[HST_BALANCED_ACCURACY] = v[HST_MACRO_RECALL] / with_photos;
    v[HST_MACRO_PRECISION] /= seen;
    v[HST_MACRO_RECALL] /= seen;
    v[HST_MACRO_F1] /= seen;
    v[HST_WEIGHTED_PRECISION] /= (double)t->n;
    v[HST_WEIGHTED_F1] /= (double)t->n;
}

/* Expected calibration error (Naeini et al. 2015, Guo et al. 2017): sum over the bins of
 * n_k / n |accuracy_k - mean confidence_k|. */
static double calibration_error(const tally *t)
{
    double sum = 0;
    for (int k = 0; k < HST_BINS; k++)
        sum += fabs((double)t->bin[k].hits - t->bin[k].confidence);
    return sum / (double)t->n;
}

static void measure(const hst_outcomes *s, const uint32_t *times, tally *t, double *v)
{
    count(s, times, t);
    for (int k = 0; k < HST_N_MEASURES; k++)
        v[k] = t->n ? 0 : NAN;
    if (t->n == 0)
        return;
    average(t, s->n_classes, v);
    v[HST_LOG_LOSS] = t->log_loss / (double)t->n;
    v[HST_BRIER] = t->brier / (double)t->n;
    v[HST_CALIBRATION_ERROR] = calibration_error(t);
}

int hst_outcomes_measure(const hst_outcomes *s, double *value, hst_err *err)
{
    tally t;
    if (tally_alloc(&t, s->n_classes, err))
        return HST_EMEM;
    measure(s, NULL, &t, value);
    free(t.hits);
    return 0;
}

void hst_resample(const hst_outcomes *s, uint32_t b, uint32_t *times)
{
    hst_rng r = hst_rng_new(BOOTSTRAP_SEED, HST_RNG_RESAMPLE, b, 0);
    memset(times, 0, s->n * sizeof *times);
    for (size_t i = 0; i < s->draws; i++)
        times[hst_rng_below(&r, (uint32_t)s->n)]++;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static double percentile(const double *sorted, size_t n, double part)
{
    double at = part * (double)(n - 1), down = floor(at);
    size_t i = (size_t)down;
    return i + 1 < n ? sorted[i] + (at - down) * (sorted[i + 1] - sorted[i]) : sorted[i];
}

void hst_percentiles(double *x, size_t n, double *low, double *high)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i]))
            x[kept++] = x[i];
    qsort(x, kept, sizeof *x, by_value);
    *low = kept ? percentile(x, kept, 0.025) : NAN;
    *high = kept ? percentile(x, kept, 0.975) : NAN;
}

/* The basic bootstrap: as far as the samples lie above the value, the truth lies below it. The
 * calibration error is a sum of absolute values, which chance only ever adds to, and does so once
 * more in each sample: percentiles would lie too high, often above the value itself. */
static void turn_around(double value, double *low, double *high)
{
    double below = 2 * value - *high, above = 2 * value - *low;
    *low = fmax(0, fmin(value, below));
    *high = fmin(1, fmax(value, above));
}

int hst_outcomes_bootstrap(const hst_outcomes *s, const double *value, double *low, double *high,
                           hst_err *err)
{
    tally t = {0};
    uint32_t *times = hst_alloc(s->n, sizeof *times, err);
    double *drawn = hst_alloc(HST_N_MEASURES, HST_RESAMPLES * sizeof *drawn, err);
    double v[HST_N_MEASURES];
    int rc = times && drawn ? tally_alloc(&t, s->n_classes, err) : HST_EMEM;
    for (uint32_t b = 0; rc == 0 && b < HST_RESAMPLES; b++) {
        hst_resample(s, b, times);
        measure(s, times, &t, v);
        for (int k = 0; k < HST_N_MEASURES; k++)
            drawn[k * HST_RESAMPLES + b] = v[k];
    }
    for (int k = 0; rc == 0 && k < HST_N_MEASURES; k++)
        hst_percentiles(drawn + k * HST_RESAMPLES, HST_RESAMPLES, &low[k], &high[k]);
    if (rc == 0)
        turn_around(value[HST_CALIBRATION_ERROR], &low[HST_CALIBRATION_ERROR],
                    &high[HST_CALIBRATION_ERROR]);
    free(t.hits);
    free(drawn);
    free(times);
    return rc;
}
