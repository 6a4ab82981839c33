/* ridge.h - linear regression with an L2 penalty on fixed features, exactly (Hoerl and Kennard
 * 1970). */
#ifndef HST_TRAINING_RIDGE_H
#define HST_TRAINING_RIDGE_H
#include "training/cross_validation.h"

typedef struct hst_ridge {
    const float *const *x; /* [n] rows of dim floats */
    hst_spill *home;       /* as of hst_logistic */
    const double *y;       /* [n] */
    size_t n;
    int dim;
    const float *scale; /* [dim] each feature is multiplied by its own, or NULL for 1 */
    const int *fold;    /* [n] of hst_folds_deal; not needed for a fit */
} hst_ridge;

/* Minimises  mean (x k + b - y)^2 + l2 |k|^2 : scikit-learn's Ridge with alpha = n l2. kernel[dim]
 * and *bias are for the features as they are, not multiplied. All in double, from the normal
 * equations of the smaller of n and dim. The same bits for any number of threads. Errors: HST_EMEM,
 * HST_ESTOPPED, HST_EDATA (a feature is not finite). */
HST_CHECK int hst_ridge_fit(const hst_ctx *ctx, const hst_ridge *p, double l2, double *kernel,
                            double *bias, hst_err *err);

/* The strength with the smallest mean square of the errors over the held-out photos: tried from
 * strong to weak, 1 to 1e-6 by a factor of sqrt(10), times the mean squared distance of the
 * features from their mean; ends early when two in a row did worse than the best. *l2: for
 * hst_ridge_fit. said[n]: what the held-out photos are said to be at that strength; NaN of those
 * that were never held out. Errors: as hst_ridge_fit. */
HST_CHECK int hst_ridge_validate(const hst_ctx *ctx, const hst_ridge *p, double *l2, double *said,
                                 hst_err *err);
#endif
