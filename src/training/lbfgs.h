/* lbfgs.h - the limited-memory BFGS direction (Nocedal, Wright: Numerical Optimization, 2nd ed.,
 * algorithm 7.4). Our own, so that every sum has its order: the same bits for any number of threads
 * and whatever BLAS is there. */
#ifndef HST_TRAINING_LBFGS_H
#define HST_TRAINING_LBFGS_H
#include "base/err.h"

typedef struct hst_lbfgs hst_lbfgs;

/* For vectors of n numbers. */
HST_CHECK hst_lbfgs *hst_lbfgs_new(size_t n, hst_err *err);
void hst_lbfgs_free(hst_lbfgs *h);
/* Forgets all steps. */
void hst_lbfgs_reset(hst_lbfgs *h);
/* Learns from a step: position changed by t * d, gradient from g to g_new. Steps without positive
 * curvature are not kept. */
void hst_lbfgs_add(hst_lbfgs *h, double t, const double *d, const double *g, const double *g_new);
/* d = -H g, H the estimate of the inverse Hessian; -g before the first step. */
void hst_lbfgs_direction(const hst_lbfgs *h, const double *g, double *d);
/* Sum of a[i] b[i], always in the same order. */
double hst_dot(const double *a, const double *b, size_t n);
#endif
