/* rounds.c - rounds, and which of them count. */
#include "measuring/rounds.h"

#include "base/context.h"
#include "measuring/probe.h"

#include <limits.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The part of the usual additions a cycle below which somebody else shares the core. On an Intel
 * core alone 5.6 were measured and 3.2 when shared; 4.8 is between. */
static const double least_part = 4.8 / 5.6;

/* Of which the reference is taken: nearly the best, for the best may be a probe that was itself
 * interrupted. */
static const double usual_quantile = 0.9;

enum { MILLI = 1000 };

static void probe_thread(void *arg, int thread, int threads, hst_barrier *barrier)
{
    atomic_int *least = arg;
    const int milli = (int)fmin(MILLI * hst_probe_additions(), INT_MAX);
    (void)thread;
    (void)threads;
    (void)barrier;
    for (int seen = atomic_load(least); milli < seen;)
        if (atomic_compare_exchange_weak(least, &seen, milli))
            break;
}

/* Of the core that is shared most. */
static double probe(hst_executor *ex)
{
    atomic_int least = INT_MAX;
    hst_executor_together(ex, hst_executor_threads(ex), probe_thread, &least);
    return (double)atomic_load(&least) / MILLI;
}

hst_rounds hst_rounds_begin(hst_executor *ex, double at_least_s)
{
    hst_rounds r = {.executor = ex, .end = hst_now_s() + at_least_s};
    r.probe[0] = probe(ex);
    return r;
}

int hst_rounds_more(const hst_rounds *r)
{
    return r->n < HST_MIN_ROUNDS || (r->n < HST_MAX_ROUNDS && hst_now_s() < r->end);
}

void hst_rounds_next(hst_rounds *r)
{
    r->probe[++r->n] = probe(r->executor);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void hst_rounds_image(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(i % 255) / 127.5f - 1;
}

static double quantile(const double *v, size_t n, double q)
{
    double sorted[HST_MAX_ROUNDS + 1];
    memcpy(sorted, v, n * sizeof *v);
    qsort(sorted, n, sizeof *sorted, by_value);
    return sorted[(size_t)((double)(n - 1) * q)];
}

void hst_rounds_judge(hst_rounds *r)
{
    const double least = least_part * quantile(r->probe, (size_t)r->n + 1, usual_quantile);
    r->n_counts = 0;
    for (int i = 0; i < r->n; i++)
        if (r->probe[i] >= least && r->probe[i + 1] >= least)
            r->counts[r->n_counts++] = i;
    r->n_shared = r->n - r->n_counts;
    if (r->n_counts >= HST_MIN_ROUNDS)
        return;
    for (r->n_counts = 0; r->n_counts < r->n; r->n_counts++)
        r->counts[r->n_counts] = r->n_counts;
}

hst_rate hst_rounds_rate(const hst_rounds *r, const double *v, size_t stride)
{
    double counted[HST_MAX_ROUNDS];
    const size_t n = (size_t)r->n_counts;
    for (size_t i = 0; i < n; i++)
        counted[i] = v[(size_t)r->counts[i] * stride];
    qsort(counted, n, sizeof *counted, by_value);
    return (hst_rate){counted[n - 1], counted[n / 2]};
}
