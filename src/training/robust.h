/* robust.h - photos whose label is likely wrong, and a head that learns less from them.
 *
 * Each photo is asked of a classifier that has not seen it. The threshold of a class is the mean
 * probability that photos labelled so are given for it; a photo is suspicious when another class
 * passes its threshold and its own label does not ("confident learning", Northcutt, Jiang and
 * Chuang 2021, arXiv 1911.00068). */
#ifndef HST_TRAINING_ROBUST_H
#define HST_TRAINING_ROBUST_H
#include "training/cross_validation.h"
#include "training/settings.h"

/* suspicious[n] from predictions out of fold; photos that were not held out never are. Returns how
 * many; negative: HST_EMEM. */
HST_CHECK int64_t hst_suspicious(const hst_out_of_fold *o, const int *label, char *suspicious,
                                 hst_err *err);

/* weight[p->n]: p's weights, but 0 of suspicious photos, in the order of the photos, until half of
 * a class is left. Errors: HST_EMEM. */
HST_CHECK int hst_robust_drop(const hst_logistic *p, const char *suspicious, double *weight,
                              hst_err *err);

/* weight[p->n]: p's weights, changed as `how` says, where cross-validation finds that better on the
 * photos that are not suspicious: the loss on all of them would favour a head that has learned the
 * wrong labels as well. *n_changed: photos that weigh less than half of what they did; 0 also where
 * it was not better, and the weights are p's own. Errors: as hst_cross_validate. */
HST_CHECK int hst_robust_weights(const hst_ctx *ctx, const hst_cross_validation *v,
                                 enum hst_robust how, double *weight, size_t *n_changed,
                                 hst_err *err);
#endif
