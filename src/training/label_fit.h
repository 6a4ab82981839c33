/* label_fit.h - logistic regression of several labels a photo: one of two classes for each label,
 * on the same rows. */
#ifndef HST_TRAINING_LABEL_FIT_H
#define HST_TRAINING_LABEL_FIT_H
#include "training/cross_validation.h"

typedef struct hst_labels {
    const float *const *x; /* [n] rows of dim floats */
    hst_spill *home;       /* as of hst_logistic */
    const uint8_t *marks;  /* [n][n_labels] 0 or 1 */
    size_t n;
    int dim, n_labels;
    const float *scale; /* [dim] each feature is multiplied by its own, or NULL for 1 */
    const int *fold;    /* [n] of hst_folds_deal; not needed for a fit */
} hst_labels;

/* What a photo counts as where folds are dealt, so that rare labels are spread over them: its
 * rarest label, n_labels where it has none. key[n]. Errors: HST_EMEM. */
HST_CHECK int hst_labels_key(const hst_labels *p, int *key, hst_err *err);

/* Of each label, l2[n_labels] is the strength with the smallest log loss over the held-out photos,
 * of those that hst_cross_validate tries: half by its own loss, half by the mean of all labels',
 * each as a multiple of the label's least. (Its own photos alone are few to choose by: mean average
 * precision 0.7223 against 0.7208 on clothing and 0.6845 against 0.6840 on flowers, kinds and
 * colours, and with one strength for all 0.7182 and 0.6843; ten and eight splits.) Fewer than ten
 * photos get 1e-4. out: predictions out of fold at these strengths, prob[n][n_labels], each a
 * probability by itself; its l2 is that of all together. The same bits for any number of threads.
 * Errors: as of hst_logistic_fit. */
HST_CHECK int hst_labels_validate(const hst_ctx *ctx, const hst_labels *p, double *l2,
                                  hst_out_of_fold *out, hst_err *err);

/* Minimises for each label  mean CE(sigmoid(x k + b), mark) + l2/2 |k|^2  as hst_logistic_fit does,
 * all at once. A label that no photo has, or every one, gets no kernel and the probability
 * (photos with it + 1) / (n + 2). */
HST_CHECK int hst_labels_fit(const hst_ctx *ctx, const hst_labels *p, const double *l2,
                             float *kernel, float *bias, hst_err *err);

/* threshold[n_labels]: where the F1 of the held-out photos is largest, in the middle between two
 * probabilities; 0.5 of a label that fewer than ten of them have. Errors: HST_EMEM. */
HST_CHECK int hst_labels_thresholds(const hst_out_of_fold *o, const uint8_t *marks,
                                    float *threshold, hst_err *err);
#endif
