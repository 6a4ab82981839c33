/* logistic.h - multinomial logistic regression on fixed features, to convergence. */
#ifndef HST_TRAINING_LOGISTIC_H
#define HST_TRAINING_LOGISTIC_H
#include "base/context.h"

typedef struct hst_logistic {
    const float *const *x; /* [n] rows of dim floats */
    const int *label;      /* [n], 0 .. n_classes-1 */
    const double *weight;  /* [n] per-photo weights, or NULL for 1 */
    size_t n;
    int dim, n_classes;
} hst_logistic;

/* Minimises  sum_i w_i CE(softmax(x_i K + b), y_i) / sum w + l2/2 |K|^2  by L-BFGS from zero.
 * kernel[dim][n_classes], bias[n_classes]. The same bits for any number of threads. Errors:
 * HST_EMEM, HST_ESTOPPED. */
HST_CHECK int hst_logistic_fit(const hst_ctx *ctx, const hst_logistic *p, double l2, float *kernel,
                               float *bias, hst_err *err);

/* The l2 with the smallest cross-validated log loss over a fixed grid, folds stratified and drawn
 * from seed. Errors as above. */
HST_CHECK int hst_logistic_choose_l2(const hst_ctx *ctx, const hst_logistic *p, uint64_t seed,
                                     double *l2, hst_err *err);
#endif
