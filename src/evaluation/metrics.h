/* metrics.h - numbers over predictions, each with its formula. */
#ifndef HST_EVALUATION_METRICS_H
#define HST_EVALUATION_METRICS_H
#include "base/err.h"

/* The first index of the largest of p[n]. */
int hst_argmax(const float *p, int n);

/* Wilson score interval of k successes in n trials (Wilson 1927), z = 1.959963984540054 (95 %):
 *   centre = (k/n + z^2/2n) / (1 + z^2/n), half = z sqrt(p(1-p)/n + z^2/4n^2) / (1 + z^2/n).
 * n = 0: [0, 1]. */
void hst_wilson(uint64_t k, uint64_t n, double *low, double *high);

/* softmax of z[n] in double, numerically safe; out may be z's type of float. */
void hst_softmax(const double *z, int n, float *prob);
#endif
