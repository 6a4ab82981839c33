#include "evaluation/metrics.h"
#include "base/mem.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

static const double z95 = 1.959963984540054; /* 0.975 quantile of the normal distribution */

int hst_argmax(const float *p, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (p[i] > p[best])
            best = i;
    return best;
}

void hst_wilson(uint64_t k, uint64_t n, double *low, double *high)
{
    hst_wilson_part(n ? (double)k / (double)n : 0, (double)n, low, high);
}

void hst_wilson_part(double p, double n, double *low, double *high)
{
    const double z = z95;
    *low = 0;
    *high = 1;
    if (!(n > 0))
        return;
    double shrink = 1 + z * z / n, centre = (p + z * z / (2 * n)) / shrink;
    double half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / shrink;
    if (p > 0) /* at the ends the bounds are exact, where the formula leaves a rounding error */
        *low = fmax(0, centre - half);
    if (p < 1)
        *high = fmin(1, centre + half);
}

double hst_fold_trials(double n, int folds)
{
    return n / (2 - 1.0 / folds);
}

/* The largest of z[n] and sum exp(z - largest). */
static double softmax_parts(const double *z, int n, double *largest)
{
    double sum = 0;
    *largest = n > 0 ? z[0] : 0;
    for (int i = 1; i < n; i++)
        if (z[i] > *largest)
            *largest = z[i];
    for (int i = 0; i < n; i++)
        sum += exp(z[i] - *largest);
    return sum;
}

void hst_softmax_f64(const double *z, int n, double *prob)
{
    double largest, sum = softmax_parts(z, n, &largest);
    for (int i = 0; i < n; i++)
        prob[i] = exp(z[i] - largest) / sum;
}

double hst_log_loss(double p)
{
    return -log(p > DBL_EPSILON ? p : DBL_EPSILON);
}

int hst_rank(const float *p, int n, int c)
{
    int before = 0;
    for (int i = 0; i < n; i++)
        before += p[i] > p[c] || (p[i] == p[c] && i < c);
    return before;
}

double hst_brier(const float *p, int n, int truth)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        double d = (double)p[i] - (i == truth);
        sum += d * d;
    }
    return sum;
}

/* The terms from the middle down: C(n, k) / 2^n by its logarithm, which has no overflow, then each
 * from the one above it, until they no longer count. */
double hst_sign_test(uint64_t k, uint64_t n)
{
    uint64_t few = k < n - k ? k : n - k;
    double log_term = -(double)n * log(2), sum = 0;
    if (2 * few == n)
        return 1;
    for (uint64_t i = 0; i < few; i++)
        log_term += log((double)(n - i) / (double)(i + 1));
    double term = exp(log_term);
    for (uint64_t i = few;; i--) {
        sum += term;
        if (i == 0 || term < sum * DBL_EPSILON / 16)
            break;
        term *= (double)i / (double)(n - i + 1);
    }
    return fmin(1, 2 * sum);
}

void hst_paired_difference(uint64_t more, uint64_t less, uint64_t n, double *low, double *high)
{
    const double b = (double)more + 0.5, c = (double)less + 0.5, all = (double)n + 2;
    const double d = (b - c) / all, half = z95 * sqrt((b + c) / all - d * d) / sqrt(all);
    *low = fmax(-1, d - half);
    *high = fmin(1, d + half);
}

typedef struct ranked {
    double p;
    size_t at;
} ranked;

static int by_p(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->p != y->p)
        return x->p < y->p ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

int hst_holm(const double *p, size_t n, double *adjusted, hst_err *err)
{
    ranked *order = hst_alloc(n, sizeof *order, err);
    size_t tests = 0;
    double least = 0;
    if (!order)
        return HST_EMEM;
    for (size_t i = 0; i < n; i++) {
        adjusted[i] = p[i];
        if (!isnan(p[i]))
            order[tests++] = (ranked){p[i], i};
    }
    qsort(order, tests, sizeof *order, by_p);
    for (size_t i = 0; i < tests; i++) {
        least = fmax(least, fmin(1, order[i].p * (double)(tests - i)));
        adjusted[order[i].at] = least;
    }
    free(order);
    return 0;
}

static double ratio(uint64_t a, uint64_t b)
{
    return b ? (double)a / (double)b : 0;
}

hst_class_score hst_score_class(const uint64_t *confusion, int n, int c)
{
    uint64_t hits = confusion[(size_t)c * (size_t)n + (size_t)c], truths = 0, guesses = 0;
    for (int i = 0; i < n; i++) {
        truths += confusion[(size_t)c * (size_t)n + (size_t)i];
        guesses += confusion[(size_t)i * (size_t)n + (size_t)c];
    }
    return (hst_class_score){.size = sizeof(hst_class_score),
                             .precision = ratio(hits, guesses),
                             .recall = ratio(hits, truths),
                             .f1 = ratio(2 * hits, truths + guesses),
                             .support = truths};
}
