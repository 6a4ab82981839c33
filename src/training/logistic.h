/* logistic.h - multinomial logistic regression on fixed features, to convergence. */
#ifndef HST_TRAINING_LOGISTIC_H
#define HST_TRAINING_LOGISTIC_H
#include "base/spill.h"

typedef struct hst_logistic {
    const float *const *x; /* [n] rows of dim floats */
    hst_spill *home;       /* where the rows live, told how far one came; NULL: in memory */
    const int *label;      /* [n], 0 .. n_classes-1 */
    const double *weight;  /* [n] per-photo weights, or NULL for 1 */
    size_t n;
    int dim, n_classes;
    const float *scale;  /* [dim] each feature is multiplied by its own, or NULL for 1 */
    const size_t *group; /* [n] photos that share a fold (hst_deal); NULL: copies do */
} hst_logistic;

/* Minimises  sum_i w_i CE(softmax(x_i K + b), y_i) / sum w + l2/2 |K|^2  by L-BFGS from zero.
 * Inside, features are centred and divided by one number so that rows have length 1 in the mean
 * (design_matrix.h); it ends when the gradient there is no longer than 1e-6, or after 500 steps,
 * which is no error: without a penalty there may be no minimum. kernel[dim][n_classes],
 * bias[n_classes] are for the features as they are, not multiplied. The same bits for any number of
 * threads. Errors: HST_EMEM, HST_ESTOPPED, HST_EDATA (a feature is not finite, or no weight is
 * positive). */
HST_CHECK int hst_logistic_fit(const hst_ctx *ctx, const hst_logistic *p, double l2, float *kernel,
                               float *bias, hst_err *err);
#endif
