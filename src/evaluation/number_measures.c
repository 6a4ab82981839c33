/* number_measures.c - metrics of predicted numbers. */
#include "base/mem.h"
#include "evaluation/target_measures.h"

#include <math.h>
#include <stdlib.h>

const char *const hst_number_names[HST_N_NUMBER_MEASURES] = {[HST_NUMBER_MAE] = "mae",
                                                             [HST_NUMBER_RMSE] = "rmse",
                                                             [HST_NUMBER_R2] = "r2",
                                                             [HST_NUMBER_MEDIAN_ERROR] =
                                                                 "median_absolute_error"};

/* A photo: how far off it is, and where the truth lies from the mean of all. */
typedef struct miss {
    double off, truth;
    size_t photo;
} miss;

typedef struct misses {
    size_t n;
    miss *at;        /* [n] by rising absolute error */
    uint32_t *times; /* [n] by photo, of the sample at hand */
} misses;

static int by_error(const void *a, const void *b)
{
    const miss *x = a, *y = b;
    if (fabs(x->off) != fabs(y->off))
        return fabs(x->off) < fabs(y->off) ? -1 : 1;
    return x->photo < y->photo ? -1 : 1;
}

static int misses_make(misses *m, const hst_eval *e, hst_err *err)
{
    double sum = 0;
    *m = (misses){.at = hst_alloc(e->n, sizeof *m->at, err),
                  .times = hst_alloc(e->n, sizeof *m->times, err)};
    if (!m->at || !m->times)
        return HST_EMEM;
    for (size_t i = 0; i < e->n_photos; i++) {
        const hst_eval_photo *p = hst_eval_at(e, i);
        if (!hst_eval_counts(p))
            continue;
        sum += p->number;
        m->times[m->n] = 1;
        m->at[m->n] = (miss){p->value - p->number, p->number, m->n};
        m->n++;
    }
    for (size_t i = 0; i < m->n; i++)
        m->at[i].truth -= sum / (double)m->n;
    qsort(m->at, m->n, sizeof *m->at, by_error);
    return 0;
}

/* Of the errors as often as they are drawn, of which there are `total`: the middle one, or the mean
 * of the two in the middle. */
static double median(const misses *m, size_t total)
{
    const size_t low = (total - 1) / 2, high = total / 2;
    double first = 0;
    for (size_t i = 0, passed = 0; i < m->n; i++) {
        const size_t before = passed;
        passed += m->times[m->at[i].photo];
        if (before <= low && low < passed)
            first = fabs(m->at[i].off);
        if (before <= high && high < passed)
            return (first + fabs(m->at[i].off)) / 2;
    }
    return NAN;
}

static void measure(const misses *m, double *v)
{
    double errors = 0, squares = 0, sum = 0, spread = 0;
    size_t total = 0;
    for (size_t i = 0; i < m->n; i++) {
        const miss *a = &m->at[i];
        const double w = m->times[a->photo];
        total += m->times[a->photo];
        errors += w * fabs(a->off);
        squares += w * a->off * a->off;
        sum += w * a->truth;
        spread += w * a->truth * a->truth;
    }
    spread -= sum * sum / (double)total;
    v[HST_NUMBER_MAE] = errors / (double)total;
    v[HST_NUMBER_RMSE] = sqrt(squares / (double)total);
    v[HST_NUMBER_R2] = spread > 0 ? 1 - squares / spread : NAN; /* all numbers are equal */
    v[HST_NUMBER_MEDIAN_ERROR] = median(m, total);
}

static int bootstrap(misses *m, const hst_eval *e, const hst_target_values *out, hst_err *err)
{
    const hst_outcomes s = {.n = m->n, .draws = hst_eval_draws(e)};
    double v[HST_N_NUMBER_MEASURES];
    double *drawn = hst_alloc(HST_N_NUMBER_MEASURES, HST_RESAMPLES * sizeof *drawn, err);
    if (!drawn)
        return HST_EMEM;
    for (uint32_t b = 0; b < HST_RESAMPLES; b++) {
        hst_resample(&s, b, m->times);
        measure(m, v);
        for (int k = 0; k < HST_N_NUMBER_MEASURES; k++)
            drawn[k * HST_RESAMPLES + b] = v[k];
    }
    for (int k = 0; k < HST_N_NUMBER_MEASURES; k++)
        hst_percentiles(drawn + k * HST_RESAMPLES, HST_RESAMPLES, &out->low[k], &out->high[k]);
    free(drawn);
    return 0;
}

int hst_numbers_measure(const hst_eval *e, const hst_target_values *out, hst_err *err)
{
    misses m;
    int rc = misses_make(&m, e, err);
    if (rc == 0 && m.n == 0) {
        for (int k = 0; k < HST_N_NUMBER_MEASURES; k++)
            out->value[k] = NAN;
    } else if (rc == 0) {
        measure(&m, out->value);
        if (out->low)
            rc = bootstrap(&m, e, out, err);
    }
    free(m.at);
    free(m.times);
    return rc;
}
