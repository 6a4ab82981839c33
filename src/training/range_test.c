#include "training/range_test.h"

#include <math.h>

static const double decay = 0.9, risen = 4, below_minimum = 10;

double hst_range_rate(uint64_t step)
{
    double part = (double)step / (HST_RANGE_STEPS - 1);
    return HST_RANGE_FIRST * pow(HST_RANGE_LAST / HST_RANGE_FIRST, part);
}

/* The three digits are a whole number over a power of ten, both exact: the double that their text
 * reads as. */
static double suggested(double rate)
{
    double in_range = fmin(fmax(rate, HST_RANGE_LEAST), HST_RANGE_MOST);
    double scale = pow(10, 2 - floor(log10(in_range)));
    return round(in_range * scale) / scale;
}

int hst_range_test(const hst_range_trial *t, double *rate, uint64_t *steps, hst_err *err)
{
    double mean = 0, weight = 1, least = INFINITY, best = HST_RANGE_FIRST;
    uint64_t step = 0;
    for (; step < HST_RANGE_STEPS; step++) {
        double loss, at = hst_range_rate(step);
        int rc = t->step(t->arg, step, at, &loss, err);
        if (rc)
            return rc;
        if (!isfinite(loss))
            break;
        mean = decay * mean + (1 - decay) * loss;
        weight *= decay;
        double smoothed = mean / (1 - weight);
        if (smoothed > risen * least)
            break;
        if (smoothed < least) {
            least = smoothed;
            best = at;
        }
    }
    if (isinf(least))
        return hst_fail(err, HST_EARG,
                        "no learning rate can be found: the loss is no number even at %g",
                        HST_RANGE_FIRST);
    *rate = suggested(best / below_minimum);
    if (steps)
        *steps = step;
    return 0;
}
