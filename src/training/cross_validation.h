/* cross_validation.h - a linear classifier asked about photos that it has not learned from. */
#ifndef HST_TRAINING_CROSS_VALIDATION_H
#define HST_TRAINING_CROSS_VALIDATION_H
#include "training/design_matrix.h"
#include "training/folds.h"

/* Features to cross-validate. Several matrices of the same photos can share their folds: then their
 * out-of-fold losses are differences in pairs. */
typedef struct hst_cross_validation {
    const hst_logistic *p; /* weights: with which a photo is learned from */
    const int *fold;       /* [n] of hst_folds_deal */
    /* [n], NULL: as it is learned from. With which a held-out photo counts in the loss; 0: not at
     * all, as a changed view of a photo that is there as well. */
    const double *score;
    /* [HST_FOLDS][n], NULL: p's weights. With which each fold's classifier learns from a photo; of
     * its own photos it never does. */
    const double *learned;
    const hst_design *rows; /* hst_cross_validation_rows of p, for several calls; NULL: made */
    double l2;              /* above 0: the strength, as of hst_logistic_fit; none is looked for */
    /* 1: predictions of classifiers that have converged as far as it takes to compare strengths, in
     * half of the time; probabilities then move by 0.06 at most */
    int rough;
} hst_cross_validation;

/* What each photo is given by a classifier that learned from the other folds only. */
typedef struct hst_out_of_fold {
    size_t n;
    int n_classes;
    int *fold;       /* [n] HST_FOLDS: never held out, and its row of prob is zero */
    float *prob;     /* [n][n_classes] */
    hst_spill *home; /* where prob lives; NULL: it is a block of its own */
    double l2;       /* the strength chosen, for hst_logistic_fit */
    double log_loss; /* at that strength: mean over the photos that count; 0 where none does */
} hst_out_of_fold;

/* The rows of p as cross-validation wants them; ended with hst_design_clear, also after failure.
 * Errors: as of hst_design_make. */
HST_CHECK int hst_cross_validation_rows(const hst_ctx *ctx, const hst_logistic *p, hst_design *out,
                                        hst_err *err);

/* Takes the strength with the smallest log loss over the held-out photos; of equals the strongest.
 * Tried from strong to weak: 1e-2 to 1e-6, a factor of sqrt(10) apart, times the mean squared
 * distance of the features from their mean, so that the same strengths suit any backbone; ends
 * early when two in a row did worse than the best. Fewer than five photos a class in the mean are
 * too few to choose by: they get 1e-4, fewer than two 1e-3. The same bits for any number of
 * threads. out (ended with hst_out_of_fold_clear, also after failure) holds the predictions at that
 * strength, of classifiers so far converged that a probability moves by less than 0.002 from there
 * on (measured: gradients of 5e-4, which are enough to compare strengths, leave 0.06; 1e-5, taken
 * here, 0.0014). Errors as of hst_logistic_fit. */
HST_CHECK int hst_cross_validate(const hst_ctx *ctx, const hst_cross_validation *v,
                                 hst_out_of_fold *out, hst_err *err);
void hst_out_of_fold_clear(hst_out_of_fold *o);
#endif
