#include "training/schedule.h"

#include <math.h>

/* From a to b along half a cosine; part 0 .. 1. */
static double anneal(double a, double b, double part)
{
    const double pi = 3.14159265358979323846;
    return b + (a - b) * (1 + cos(pi * part)) / 2;
}

static double cosine(double peak, double at, double steps)
{
    double warm = floor(0.05 * steps);
    if (at < warm)
        return peak * (at + 1) / (warm + 1);
    return anneal(peak, 0, (at - warm) / (steps - warm));
}

static double one_cycle(double peak, double at, double steps)
{
    const double first = peak / 25, last = first / 1e4;
    double top = 0.3 * steps - 1, end = steps - 1; /* steps at which the turns are, as PyTorch's */
    if (at <= top)
        return anneal(first, peak, at / top);
    return end > top ? anneal(peak, last, (at - top) / (end - top)) : peak;
}

double hst_schedule_rate(enum hst_schedule s, double peak, uint64_t step, uint64_t steps)
{
    if (s == HST_COSINE)
        return cosine(peak, (double)step, (double)steps);
    if (s == HST_ONE_CYCLE)
        return one_cycle(peak, (double)step, (double)steps);
    return peak;
}
