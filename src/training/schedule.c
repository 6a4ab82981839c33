#include "training/schedule.h"

#include <math.h>

/* From a to b along half a cosine; part 0 .. 1. */
static double anneal(double a, double b, double part)
{
    const double pi = 3.14159265358979323846;
    return b + (a - b) * (1 + cos(pi * part)) / 2;
}

/* Up in a straight line over the first steps, the peak being that of the step behind them. */
static double rise(const hst_rates *r, double at, double warmup)
{
    return r->peak * (at + 1) / (warmup + 1);
}

static double cosine(const hst_rates *r, double at)
{
    double steps = (double)r->steps, warm = r->warmup ? (double)r->warmup : floor(0.05 * steps);
    if (at < warm)
        return rise(r, at, warm);
    return anneal(r->peak, 0, (at - warm) / (steps - warm));
}

static double one_cycle(const hst_rates *r, double at)
{
    const double first = r->peak / 25, last = first / 1e4;
    /* steps at which the turns are, as PyTorch's */
    double top = r->warmup ? (double)r->warmup : 0.3 * (double)r->steps - 1;
    double end = (double)r->steps - 1;
    if (at <= top)
        return r->warmup ? r->peak : anneal(first, r->peak, at / top);
    return end > top ? anneal(r->peak, last, (at - top) / (end - top)) : r->peak;
}

double hst_rates_at(const hst_rates *r, uint64_t step)
{
    if (step < r->warmup)
        return rise(r, (double)step, (double)r->warmup);
    if (r->schedule == HST_COSINE)
        return cosine(r, (double)step);
    if (r->schedule == HST_ONE_CYCLE)
        return one_cycle(r, (double)step);
    return r->peak;
}

uint64_t hst_warmup_steps(double epochs, uint64_t epoch_steps)
{
    return (uint64_t)floor(epochs * (double)epoch_steps + 0.5);
}
