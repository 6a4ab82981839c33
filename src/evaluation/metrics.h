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
/* The same of a part p of what is worth n independent trials, a whole number or not. */
void hst_wilson_part(double p, double n, double *low, double *high);

/* Independent photos that n are worth which were predicted out of K folds: n / (2 - 1/K).
 * The K estimates have variance s^2 each and, since their training sides overlap, a correlation
 * rho: their mean has variance s^2 (rho + (1 - rho) / K). It cannot be estimated from the folds
 * (Bengio and Grandvalet 2004); Nadeau and Bengio 2003 take the part that is held out, rho = 1/K,
 * which gives (s^2 / K) (2 - 1/K). K = 1: n itself. */
double hst_fold_trials(double n, int folds);

/* softmax of z[n], safe for any finite z: exp(z - max) / sum. */
void hst_softmax_f64(const double *z, int n, double *prob);

/* -ln p, p clipped below at DBL_EPSILON as scikit-learn's log_loss does for doubles. */
double hst_log_loss(double p);

/* How many of p[n] come before class c: those that are larger, and of equals the earlier. 0: c is
 * hst_argmax's. */
int hst_rank(const float *p, int n, int c);

/* sum (p_c - t_c)^2 over the classes, t = 1 of the true one, else 0 (Brier 1950): 0 .. 2. */
double hst_brier(const float *p, int n, int truth);

/* Two-sided p-value of k heads in n tosses of a fair coin, exact: 2 P(X <= min(k, n - k)), at most
 * 1. McNemar's test (1947) of two classifiers is that of the photos only one of them has right. */
double hst_sign_test(uint64_t k, uint64_t n);

/* The 95 % interval of how much more often a second classifier is right than a first one, as parts
 * of the same n > 0 photos: more of them only the second has right, less only the first. Wald's
 * with half a photo added to each of the four cells (Agresti and Min 2005). */
void hst_paired_difference(uint64_t more, uint64_t less, uint64_t n, double *low, double *high);

/* Holm 1979: p[n] adjusted for being n tests: the i-th smallest times n - i (i from 0), never less
 * than one that was smaller, at most 1. NaN is no test: it stays and does not count. Errors:
 * HST_EMEM. */
HST_CHECK int hst_holm(const double *p, size_t n, double *adjusted, hst_err *err);

/* Precision, recall and F1 of class c from a confusion matrix [truth][guess] of n classes; 0/0
 * counts as 0. */
hst_class_score hst_score_class(const uint64_t *confusion, int n, int c);
#endif
